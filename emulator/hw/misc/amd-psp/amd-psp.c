/*
 * AMD Secure Processor (PSP): the PCI device and its SEV mailbox
 *
 * The device has the ID of EPYC Genoa (1022:14ca): to drivers, this is a secure
 * processor with a SEV mailbox, without the cryptographic coprocessor (CCP) and
 * the platform-access mailboxes that other IDs imply.
 *
 * A command runs with all vCPUs stopped, after the register write that starts
 * it has returned; the main loop then sets the response and the interrupt,
 * either immediately or after the delay of x-delay.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "hw/core/cpu.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci_ids.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "psp-internal.h"
#include "trace.h"

#define PCI_DEVICE_ID_AMD_PSP_GENOA 0x14ca

#define MSIX_BAR    4
#define BAR         2

/* A command while it is executed */
typedef struct PspJob {
    AmdPspState *s;
    uint32_t generation;
    uint32_t id;
    uint64_t address;
    bool interrupt;
    PspStatus status;
    QEMUTimer *timer;           /* if it has a delay */
} PspJob;

static void update_irq(AmdPspState *s)
{
    PCIDevice *dev = PCI_DEVICE(s);
    bool level = s->intsts & s->inten;

    if (msix_enabled(dev)) {
        if (level) {
            msix_notify(dev, 0);
        }
    } else if (msi_enabled(dev)) {
        if (level) {
            msi_notify(dev, 0);
        }
    } else {
        pci_set_irq(dev, level);
    }
}

/* Context: main loop */
static void complete(void *opaque)
{
    g_autofree PspJob *job = opaque;
    AmdPspState *s = job->s;

    timer_free(job->timer);
    if (job->generation != s->generation) {
        return;
    }
    s->busy = false;
    s->cmdresp = PSP_CMDRESP_RESPONSE | job->id << PSP_CMDRESP_CMD_SHIFT |
                 job->status;
    if (job->interrupt) {
        s->intsts |= PSP_INT_CMD_COMPLETE;
        update_irq(s);
    }
    trace_amd_psp_complete(s->cmdresp, job->interrupt);
}

/* Context: main loop */
static void complete_later(void *opaque)
{
    PspJob *job = opaque;
    uint32_t ms = job->id < SEV_CMD_MAX ? job->s->delay_ms[job->id] : 0;

    if (!ms) {
        complete(job);
        return;
    }
    job->timer = timer_new_ms(QEMU_CLOCK_VIRTUAL, complete, job);
    timer_mod(job->timer, qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) + ms);
}

/*
 * Context: exclusive. The BQL is taken for state that devices and properties
 * share with commands: no thread that holds it waits for us.
 */
static void execute(CPUState *cpu, run_on_cpu_data data)
{
    PspJob *job = data.host_ptr;
    AmdPspState *s = job->s;

    bql_lock();
    if (job->generation == s->generation) {
        job->status = psp_execute(s, job->id, job->address);
    }
    bql_unlock();
    aio_bh_schedule_oneshot(qemu_get_aio_context(), complete_later, job);
}

static void start_command(AmdPspState *s, uint32_t value)
{
    PspJob *job;

    if (s->busy) {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "amd-psp: command 0x%x while one is in progress\n",
                      value >> PSP_CMDRESP_CMD_SHIFT);
        return;
    }
    s->busy = true;
    s->cmdresp = value & ~PSP_CMDRESP_RESPONSE;
    job = g_new0(PspJob, 1);
    job->s = s;
    job->generation = s->generation;
    job->id = value >> PSP_CMDRESP_CMD_SHIFT & PSP_CMDRESP_CMD_MASK;
    job->address = s->cmdbuff_lo | (uint64_t)s->cmdbuff_hi << 32;
    job->interrupt = value & PSP_CMDRESP_IOC;
    async_safe_run_on_cpu(first_cpu, execute, RUN_ON_CPU_HOST_PTR(job));
}

static uint64_t psp_mmio_read(void *opaque, hwaddr offset, unsigned int size)
{
    AmdPspState *s = opaque;
    uint64_t value = 0;

    switch (offset) {
    case PSP_REG_INTEN:
        value = s->inten;
        break;
    case PSP_REG_INTSTS:
        value = s->intsts;
        break;
    case PSP_REG_CMDRESP:
        value = s->cmdresp;
        break;
    case PSP_REG_CMDBUFF_LO:
        value = s->cmdbuff_lo;
        break;
    case PSP_REG_CMDBUFF_HI:
        value = s->cmdbuff_hi;
        break;
    case PSP_REG_BOOTLOADER_INFO:
        value = SEV_FW_API_MAJOR << 16 | SEV_FW_API_MINOR << 8 | SEV_FW_BUILD;
        break;
    case PSP_REG_FEATURE:
        value = PSP_FEATURE_SEV;
        break;
    default:
        qemu_log_mask(LOG_UNIMP, "amd-psp: read of 0x%" HWADDR_PRIx "\n",
                      offset);
    }
    trace_amd_psp_read(offset, value);
    return value;
}

static void psp_mmio_write(void *opaque, hwaddr offset, uint64_t value,
                           unsigned int size)
{
    AmdPspState *s = opaque;

    trace_amd_psp_write(offset, value);
    switch (offset) {
    case PSP_REG_INTEN:
        s->inten = value;
        update_irq(s);
        break;
    case PSP_REG_INTSTS:
        s->intsts &= ~value;
        update_irq(s);
        break;
    case PSP_REG_CMDRESP:
        start_command(s, value);
        break;
    case PSP_REG_CMDBUFF_LO:
        s->cmdbuff_lo = value;
        break;
    case PSP_REG_CMDBUFF_HI:
        s->cmdbuff_hi = value;
        break;
    default:
        qemu_log_mask(LOG_UNIMP, "amd-psp: write of 0x%" HWADDR_PRIx "\n",
                      offset);
    }
}

static const MemoryRegionOps psp_mmio_ops = {
    .read = psp_mmio_read,
    .write = psp_mmio_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

/* The CPUs exist by now, and have reported what they support. */
static void psp_reset(DeviceState *dev)
{
    AmdPspState *s = AMD_PSP(dev);

    s->generation++;
    s->busy = false;
    s->inten = 0;
    s->intsts = 0;
    s->cmdresp = PSP_CMDRESP_RESPONSE;
    s->cmdbuff_lo = 0;
    s->cmdbuff_hi = 0;

    sev_guest_free_all(s);
    snp_guest_free_all(s);
    s->sev_state = SEV_PSTATE_UNINIT;
    s->sev_es = false;
    s->snp_init = false;
    s->rmp_init = false;
    s->snp_config = 0;
    s->vlek_loaded = false;
    s->reported_tcb = s->tcb;
    s->committed_tcb = s->tcb;
    s->nv_address = 0;
    s->tmr_len = 0;
    bitmap_zero(s->asid_used, PSP_ASIDS);
    bitmap_fill(s->asid_dirty, PSP_ASIDS);
    s->cbit = psp_cpu_cbit();
    amd_snp_set_initialized(s->snp, false);
}

static void psp_realize(PCIDevice *dev, Error **errp)
{
    AmdPspState *s = AMD_PSP(dev);

    s->snp = amd_snp();
    if (!s->snp) {
        error_setg(errp, "amd-psp needs a machine whose CPUs have x-snp=on");
        return;
    }
    if (!psp_cpu_known()) {
        error_setg(errp, "amd-psp has the TCB version and chip ID of families "
                   "17h and 19h only");
        return;
    }
    if (!psp_parse_rules(s, s->ignore ?: "", errp)) {
        return;
    }
    amd_snp_manage_asids(s->snp);
    psp_keys_init(s);
    sev_keys_reset(s);
    if (s->cert_dir && !psp_export_certs(s, s->tcb, errp)) {
        return;
    }

    pci_config_set_interrupt_pin(dev->config, 1);
    memory_region_init_io(&s->mmio, OBJECT(s), &psp_mmio_ops, s, "amd-psp",
                          PSP_BAR_SIZE);
    pci_register_bar(dev, BAR, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->mmio);
    if (msix_init_exclusive_bar(dev, 2, MSIX_BAR, errp)) {
        return;
    }
    msix_vector_use(dev, 0);
    msix_vector_use(dev, 1);
    msi_init(dev, 0, 1, true, false, NULL);
}

static void psp_exit(PCIDevice *dev)
{
    AmdPspState *s = AMD_PSP(dev);

    sev_guest_free_all(s);
    snp_guest_free_all(s);
    psp_drop_faults(s);
    msi_uninit(dev);
    msix_uninit_exclusive_bar(dev);
}

static char *get_fail(Object *obj, Error **errp)
{
    return g_strdup(AMD_PSP(obj)->fail ?: "");
}

static void set_fail(Object *obj, const char *value, Error **errp)
{
    AmdPspState *s = AMD_PSP(obj);

    if (!psp_parse_faults(s, value, errp)) {
        value = "";
    }
    g_free(s->fail);
    s->fail = g_strdup(value);
}

static char *get_delay(Object *obj, Error **errp)
{
    return g_strdup(AMD_PSP(obj)->delay ?: "");
}

static void set_delay(Object *obj, const char *value, Error **errp)
{
    AmdPspState *s = AMD_PSP(obj);

    if (psp_parse_delays(s, value, errp)) {
        g_free(s->delay);
        s->delay = g_strdup(value);
    }
}

static void psp_instance_init(Object *obj)
{
    AmdPspState *s = AMD_PSP(obj);

    QTAILQ_INIT(&s->faults);
    QTAILQ_INIT(&s->sev_guests);
    QTAILQ_INIT(&s->snp_guests);
}

static void psp_instance_finalize(Object *obj)
{
    g_free(AMD_PSP(obj)->fail);
    g_free(AMD_PSP(obj)->delay);
}

static const Property psp_properties[] = {
    DEFINE_PROP_STRING("seed", AmdPspState, seed),
    DEFINE_PROP_STRING("cert-dir", AmdPspState, cert_dir),
    DEFINE_PROP_UINT64("tcb", AmdPspState, tcb, 0xd315000000000004ull),
    DEFINE_PROP_STRING("x-ignore", AmdPspState, ignore),
};

static const VMStateDescription psp_vmstate = {
    .name = TYPE_AMD_PSP,
    .unmigratable = 1,
};

static void psp_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

    pc->realize = psp_realize;
    pc->exit = psp_exit;
    pc->vendor_id = PCI_VENDOR_ID_AMD;
    pc->device_id = PCI_DEVICE_ID_AMD_PSP_GENOA;
    pc->subsystem_vendor_id = PCI_VENDOR_ID_AMD;
    pc->subsystem_id = PCI_DEVICE_ID_AMD_PSP_GENOA;
    pc->class_id = PCI_CLASS_CRYPT_OTHER;
    dc->desc = "AMD Secure Processor with SEV-SNP firmware";
    dc->vmsd = &psp_vmstate;
    dc->hotpluggable = false;
    device_class_set_legacy_reset(dc, psp_reset);
    device_class_set_props(dc, psp_properties);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    object_class_property_add_str(klass, "x-fail", get_fail, set_fail);
    object_class_property_set_description(klass, "x-fail",
        "COMMAND:STATUS[:NTH][+...] fails that call, or every one");
    object_class_property_add_str(klass, "x-delay", get_delay, set_delay);
    object_class_property_set_description(klass, "x-delay",
        "COMMAND:MILLISECONDS[+...], how long that command, or ALL, takes");
}

static const TypeInfo psp_info = {
    .name = TYPE_AMD_PSP,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(AmdPspState),
    .instance_init = psp_instance_init,
    .instance_finalize = psp_instance_finalize,
    .class_init = psp_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { },
    },
};

static void psp_register_types(void)
{
    type_register_static(&psp_info);
}
type_init(psp_register_types)
