/*
 * Intel TDX platform: SEAMRR, key ids, convertible memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "exec/address-spaces.h"
#include "hw/boards.h"
#include "hw/resettable.h"
#include "system/reset.h"
#include "hw/i386/e820_memory_layout.h"
#include "intel-tdx-internal.h"

/* SVN of the module that is there after a reset */
#define FIRST_SVN   1

static IntelTdxState *the_tdx;

static void tdx_free(IntelTdxState *s)
{
    g_clear_pointer(&s->image, g_byte_array_unref);
    g_free(s->module);
    g_free(s->layout);
    g_free(s);
}

/* Once: what is loaded at a reset is what was loaded before. */
static bool tdx_read_module(IntelTdxState *s, const char *module, Error **errp)
{
    g_autofree char *layout = g_strconcat(module, ".layout", NULL);
    g_autofree char *content = NULL;
    g_autoptr(GError) err = NULL;
    gsize size;

    if (!g_file_get_contents(module, &content, &size, &err) ||
        (g_file_test(layout, G_FILE_TEST_EXISTS) &&
         !g_file_get_contents(layout, &s->layout, NULL, &err))) {
        error_setg(errp, "x-seam-module: %s", err->message);
        return false;
    }
    s->image = g_byte_array_new_take((uint8_t *)g_steal_pointer(&content),
                                     size);
    return true;
}

IntelTdxState *intel_tdx_create(const char *module, const char *report_key,
                                Error **errp)
{
    IntelTdxState *s = the_tdx;

    if (s) {
        return s;
    }
    s = g_new0(IntelTdxState, 1);
    s->module = g_strdup(module ? module : "the host's image");
    if ((module && !tdx_read_module(s, module, errp)) ||
        !intel_tdx_report_init(s, report_key, errp)) {
        tdx_free(s);
        return NULL;
    }
    the_tdx = s;
    return s;
}

/* An abort page: reads are all ones, writes are dropped. */
static uint64_t abort_read(void *opaque, hwaddr addr, unsigned int size)
{
    return -1;
}

static void abort_write(void *opaque, hwaddr addr, uint64_t val,
                        unsigned int size)
{
}

static const MemoryRegionOps abort_ops = {
    .read = abort_read,
    .write = abort_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid.max_access_size = 8,
    .impl.max_access_size = 8,
};

/* A part of the machine's reset: its last one, when no device does DMA */
#define TYPE_TDX_RESET "intel-tdx-reset"
OBJECT_DECLARE_SIMPLE_TYPE(TdxReset, TDX_RESET)

struct TdxReset {
    Object parent;
    ResettableState reset_state;
};

OBJECT_DEFINE_SIMPLE_TYPE_WITH_INTERFACES(TdxReset, tdx_reset, TDX_RESET,
                                          OBJECT,
                                          { TYPE_RESETTABLE_INTERFACE }, { })

static ResettableState *tdx_reset_get_state(Object *obj)
{
    return &TDX_RESET(obj)->reset_state;
}

/* After a reset, the module is there again as firmware would load it. */
static void tdx_reset_exit(Object *obj, ResetType type)
{
    IntelTdxState *s = the_tdx;
    unsigned int n;

    for (n = 0; n < s->nr_lps; n++) {
        g_clear_pointer(&s->transfer[n], g_free);
    }
    intel_tdx_keys_reset(s);
    intel_tdx_mem_reset(s);
    intel_tdx_loader_reset(s);
    s->nr_db = 0;
    s->ready = s->image && intel_tdx_load(s, &error_fatal);
    if (s->ready) {
        intel_tdx_db_insert(s, s->mrseam, FIRST_SVN);
    }
}

static void tdx_reset_init(Object *obj)
{
}

static void tdx_reset_finalize(Object *obj)
{
}

static void tdx_reset_class_init(ObjectClass *klass, void *data)
{
    ResettableClass *rc = RESETTABLE_CLASS(klass);

    rc->get_state = tdx_reset_get_state;
    rc->phases.exit = tdx_reset_exit;
}

bool intel_tdx_machine_init(MachineState *ms, hwaddr low_size,
                            hwaddr high_size, Error **errp)
{
    IntelTdxState *s = the_tdx;

    if (!s) {
        return true;
    }
    s->nr_lps = ms->smp.max_cpus;
    s->nr_packages = ms->smp.sockets;
    if (s->nr_packages > TDX_MAX_PACKAGES) {
        error_setg(errp, "x-seam: there are more than %d packages",
                   TDX_MAX_PACKAGES);
        return false;
    }
    if (!intel_tdx_mem_init(s, ms, low_size, high_size, errp)) {
        return false;
    }
    s->transfer = g_new0(void *, s->nr_lps);
    s->flushed = g_new0(uint32_t, s->nr_packages);
    s->cmr[0] = (TdxRange) { 1 * MiB, low_size - 1 * MiB };
    if (high_size) {
        s->cmr[1] = (TdxRange) { 4 * GiB, high_size };
    }
    if (!memory_region_init_ram(&s->seamrr, NULL, "tdx-seamrr",
                                TDX_SEAMRR_SIZE, errp)) {
        return false;
    }
    memory_region_init_io(&s->abort, OBJECT(ms), &abort_ops, s,
                          "tdx-seamrr-abort", TDX_SEAMRR_SIZE);
    memory_region_add_subregion_overlap(get_system_memory(), TDX_SEAMRR_BASE,
                                        &s->abort, 1);
    memory_region_init_alias(&s->system, OBJECT(ms), "tdx-system",
                             get_system_memory(), 0, UINT64_MAX);
    memory_region_init(&s->seam_memory, OBJECT(ms), "tdx-seam-memory",
                       UINT64_MAX);
    memory_region_add_subregion_overlap(&s->seam_memory, 0, &s->system, 0);
    memory_region_add_subregion_overlap(&s->seam_memory, TDX_SEAMRR_BASE,
                                        &s->seamrr, 1);
    e820_add_entry(TDX_SEAMRR_BASE, TDX_SEAMRR_SIZE, E820_RESERVED);
    qemu_register_resettable(object_new(TYPE_TDX_RESET));
    return true;
}

MemoryRegion *intel_tdx_seam_memory(IntelTdxState *s)
{
    return &s->seam_memory;
}

bool intel_tdx_module_ready(IntelTdxState *s)
{
    return s->ready && !intel_tdx_loader_installs(s);
}

/* The first page has the loader's information. */
hwaddr intel_tdx_transfer_vmcs(IntelTdxState *s, unsigned int lp)
{
    return TDX_SEAMRR_BASE + (1 + lp) * 4 * KiB;
}

void **intel_tdx_transfer_state(IntelTdxState *s, unsigned int lp)
{
    return &s->transfer[lp];
}
