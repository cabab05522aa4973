/*
 * AMD Secure Processor: functions that its tests share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "libqos/fw_cfg.h"
#include "amd-psp.h"

#define BIOS_SIZE       (64 * KiB)
#define BIOS_CODE       0xff00

/* The mailbox of the code below */
#define CPU_DO          0x600
#define CPU_READY       0x604
#define CPU_MSR         0x608
#define CPU_MSR_LO      0x60c
#define CPU_MSR_HI      0x610
#define CPU_DO_WRMSR    1
#define CPU_DO_WBINVD   2
#define CPU_MARK        0x12345678

/*
 *       xor ax, ax; mov ds, ax
 *       mov dword [CPU_DO], 0; mov dword [CPU_READY], CPU_MARK
 * loop: pause
 *       cmp dword [CPU_DO], CPU_DO_WRMSR; je msr
 *       cmp dword [CPU_DO], CPU_DO_WBINVD; jne loop
 *       wbinvd; jmp done
 * msr:  mov ecx, [CPU_MSR]; mov eax, [CPU_MSR_LO]; mov edx, [CPU_MSR_HI]; wrmsr
 * done: mov dword [CPU_DO], 0; jmp loop
 */
static const uint8_t cpu_code[] = {
    0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xc7, 0x06, 0x00, 0x06, 0x00, 0x00, 0x00,
    0x00, 0x66, 0xc7, 0x06, 0x04, 0x06, 0x78, 0x56, 0x34, 0x12, 0xf3, 0x90,
    0x66, 0x83, 0x3e, 0x00, 0x06, 0x01, 0x74, 0x0c, 0x66, 0x83, 0x3e, 0x00,
    0x06, 0x02, 0x75, 0xee, 0x0f, 0x09, 0xeb, 0x10, 0x66, 0x8b, 0x0e, 0x08,
    0x06, 0x66, 0xa1, 0x0c, 0x06, 0x66, 0x8b, 0x16, 0x10, 0x06, 0x0f, 0x30,
    0x66, 0xc7, 0x06, 0x00, 0x06, 0x00, 0x00, 0x00, 0x00, 0xeb, 0xcf
};

/* jmp to BIOS_CODE, from 0xfff0 */
static const uint8_t reset_vector[] = { 0xe9, 0x0d, 0xff };

static void wait_for(Psp *p, uint64_t address, uint32_t value)
{
    int tries = 20000;

    while (qtest_readl(p->qts, address) != value && --tries) {
        g_usleep(500);
    }
    g_assert_cmpint(tries, >, 0);
}

static char *make_bios(void)
{
    g_autofree uint8_t *bios = g_malloc0(BIOS_SIZE);
    char *name = NULL;
    int fd = g_file_open_tmp("amd-psp-XXXXXX", &name, NULL);

    g_assert_cmpint(fd, >=, 0);
    memcpy(bios + BIOS_CODE, cpu_code, sizeof(cpu_code));
    memcpy(bios + 0xfff0, reset_vector, sizeof(reset_vector));
    g_assert_cmpint(write(fd, bios, BIOS_SIZE), ==, BIOS_SIZE);
    close(fd);
    return name;
}

/* The last reserved range below 1 GiB is the RMP. */
static uint64_t find_rmp(QTestState *qts)
{
    struct QEMU_PACKED {
        uint64_t start, len;
        uint32_t type;
    } e820[16];
    QFWCFG *fw_cfg = pc_fw_cfg_init(qts);
    uint64_t at = 0;
    size_t len, i;

    len = qfw_cfg_get_file(fw_cfg, "etc/e820", e820, sizeof(e820));
    for (i = 0; i < len / sizeof(e820[0]); i++) {
        if (le32_to_cpu(e820[i].type) == 2 &&
            le64_to_cpu(e820[i].start) < GiB) {
            at = le64_to_cpu(e820[i].start);
        }
    }
    pc_fw_cfg_uninit(fw_cfg);
    g_assert_cmphex(at, !=, 0);
    return at;
}

static void save_device(QPCIDevice *dev, int devfn, void *data)
{
    *(QPCIDevice **)data = dev;
}

/* A rule that the environment names is disabled: some test has to fail. */
void psp_start_with(Psp *p, const char *devices, const char *options)
{
    const char *mutant = getenv("PSP_TEST_IGNORE");
    g_autofree char *bios = make_bios();
    g_autofree char *ignore = NULL;

    if (mutant) {
        bool more = strstr(options, "x-ignore=");

        ignore = more ? g_strdup_printf("%s:%s", options, mutant) :
                 g_strdup_printf("%s,x-ignore=%s", options, mutant);
        options = ignore;
    }
    *p = (Psp) {};
    p->qts = qtest_initf("-M q35 -nodefaults -m 256M -accel tcg "
                         "-cpu EPYC-Milan,x-snp=on,x-snp-es-asids=100 "
                         "-bios %s %s "
                         "-device amd-psp,id=psp,addr=5.0,seed=test%s",
                         bios, devices, options);
    wait_for(p, CPU_READY, CPU_MARK);
    unlink(bios);
    p->rmp = find_rmp(p->qts);
    p->bus = qpci_new_pc(p->qts, NULL);
    qpci_device_foreach(p->bus, 0x1022, 0x14ca, save_device, &p->dev);
    g_assert_nonnull(p->dev);
    qpci_device_enable(p->dev);
    p->bar = qpci_iomap(p->dev, 2, NULL);
}

void psp_start(Psp *p, const char *options)
{
    psp_start_with(p, "", options);
}

/* Reset the machine, and wait until its processor runs again. */
void psp_reset(Psp *p)
{
    qtest_writel(p->qts, CPU_READY, 0);
    qtest_qmp_assert_success(p->qts, "{'execute': 'system_reset'}");
    qtest_qmp_eventwait(p->qts, "RESET");
    wait_for(p, CPU_READY, CPU_MARK);
    qpci_device_enable(p->dev);
    p->bar = qpci_iomap(p->dev, 2, NULL);
}

void psp_stop(Psp *p)
{
    g_free(p->dev);
    qpci_free_pc(p->bus);
    qtest_quit(p->qts);
}

void psp_wrmsr(Psp *p, uint32_t msr, uint64_t value)
{
    qtest_writel(p->qts, CPU_MSR, msr);
    qtest_writel(p->qts, CPU_MSR_LO, value);
    qtest_writel(p->qts, CPU_MSR_HI, value >> 32);
    qtest_writel(p->qts, CPU_DO, CPU_DO_WRMSR);
    wait_for(p, CPU_DO, 0);
}

void psp_wbinvd(Psp *p)
{
    qtest_writel(p->qts, CPU_DO, CPU_DO_WBINVD);
    wait_for(p, CPU_DO, 0);
}

static uint64_t rmp_entry(Psp *p, uint64_t spa)
{
    return p->rmp + RMP_ENTRIES + (spa >> 12) * 16;
}

uint64_t psp_rmp(Psp *p, uint64_t spa)
{
    return qtest_readq(p->qts, rmp_entry(p, spa));
}

void psp_set_rmp(Psp *p, uint64_t spa, uint64_t entry)
{
    qtest_writeq(p->qts, rmp_entry(p, spa), entry);
    psp_set_rmp_perms(p, spa, 0);
}

uint64_t psp_rmp_perms(Psp *p, uint64_t spa)
{
    return qtest_readq(p->qts, rmp_entry(p, spa) + 8);
}

void psp_set_rmp_perms(Psp *p, uint64_t spa, uint64_t perms)
{
    qtest_writeq(p->qts, rmp_entry(p, spa) + 8, perms);
}

uint16_t psp_cmd(Psp *p, uint32_t id, void *buf, size_t len)
{
    int tries = 200000;
    uint32_t resp;

    if (len) {
        qtest_memwrite(p->qts, T_CMDBUF, buf, len);
    }
    qpci_io_writel(p->dev, p->bar, PSP_REG_CMDBUFF_LO, T_CMDBUF);
    qpci_io_writel(p->dev, p->bar, PSP_REG_CMDBUFF_HI, 0);
    qpci_io_writel(p->dev, p->bar, PSP_REG_CMDRESP,
                   id << PSP_CMDRESP_CMD_SHIFT);
    do {
        resp = qpci_io_readl(p->dev, p->bar, PSP_REG_CMDRESP);
    } while (!(resp & PSP_CMDRESP_RESPONSE) && --tries);
    g_assert_cmpint(tries, >, 0);
    if (len) {
        qtest_memread(p->qts, T_CMDBUF, buf, len);
    }
    return resp;
}

void psp_snp_init(Psp *p)
{
    SnpBufInitEx buf = { .flags = SNP_INIT_RMP };

    psp_wrmsr(p, MSR_SYSCFG, SYSCFG_SNP);
    psp_assert(PSP_CMD(p, SNP_INIT_EX, &buf), SUCCESS);
    psp_wbinvd(p);
    psp_assert(PSP_CMD0(p, SNP_DF_FLUSH), SUCCESS);
    psp_set_rmp(p, T_OUT, RMP_FIRMWARE);
    psp_set_rmp(p, T_OUT2, RMP_FIRMWARE);
}

uint16_t psp_addr_cmd(Psp *p, uint32_t id, uint64_t address)
{
    SnpBufAddr buf = { .address = address };

    return psp_cmd(p, id, &buf, sizeof(buf));
}

void psp_gctx_create(Psp *p, uint64_t gctx)
{
    psp_set_rmp(p, gctx, RMP_FIRMWARE);
    psp_assert(psp_addr_cmd(p, SEV_CMD_SNP_GCTX_CREATE, gctx), SUCCESS);
}

uint16_t psp_launch_start(Psp *p, uint64_t gctx, uint64_t policy)
{
    SnpBufLaunchStart buf = { .gctx_paddr = gctx, .policy = policy };

    return PSP_CMD(p, SNP_LAUNCH_START, &buf);
}

uint16_t psp_activate(Psp *p, uint64_t gctx, uint32_t asid)
{
    SnpBufActivate buf = { .gctx_paddr = gctx, .asid = asid };

    return PSP_CMD(p, SNP_ACTIVATE, &buf);
}

void psp_new_guest(Psp *p, uint64_t gctx, uint64_t policy, uint32_t asid)
{
    psp_gctx_create(p, gctx);
    psp_assert(psp_launch_start(p, gctx, policy), SUCCESS);
    psp_assert(psp_activate(p, gctx, asid), SUCCESS);
}

uint16_t psp_launch_update(Psp *p, uint64_t gctx, uint64_t spa, int type,
                           uint32_t flags)
{
    SnpBufLaunchUpdate buf = {
        .gctx_paddr = gctx,
        .address = spa,
        .flags = type << 1 | flags,
    };

    return PSP_CMD(p, SNP_LAUNCH_UPDATE, &buf);
}

uint16_t psp_launch_finish(Psp *p, uint64_t gctx)
{
    SnpBufLaunchFinish buf = { .gctx_paddr = gctx };

    return PSP_CMD(p, SNP_LAUNCH_FINISH, &buf);
}
