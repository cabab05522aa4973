/*
 * AMD Secure Processor: DMA and the pages of guests
 *
 * A device (edu) behind an IOMMU that enforces SNP, and a page that the
 * firmware has encrypted for a guest. The test's own reads of memory return the
 * bytes as the last user of the page has left them: while only the guest uses
 * its page, that is what the guest would read.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "amd-psp.h"
#include "edu.h"
#include "hw/i386/amd_iommu.h"

#define EDU_DEVFN       QPCI_DEVFN(6, 0)

/* Tables of the IOMMU, 2 MiB apart. The entries of the first one are 0. */
#define T_DEVTAB        0xa00000
#define T_IOMMU_CMDBUF  0xc00000
#define T_EVTLOG        0xe00000
#define T_STORE         0x1000000

#define PLAINTEXT       0x5a5a5a5a5a5a5a5aull
#define EVIL            0xe1e1e1e1e1e1e1e1ull
#define EVENT_RMP_PAGE_FAULT    0xd

typedef struct Machine {
    Psp psp;
    Edu edu;
} Machine;

static void iommu_write(Machine *m, uint64_t reg, uint64_t value)
{
    qtest_writeq(m->psp.qts, AMDVI_BASE_ADDR + reg, value);
}

/* Without translation: device addresses are physical addresses. */
static void start_iommu(Machine *m)
{
    iommu_write(m, AMDVI_MMIO_DEVICE_TABLE, T_DEVTAB | 1);
    iommu_write(m, AMDVI_MMIO_COMMAND_BASE, T_IOMMU_CMDBUF | 8ull << 56);
    iommu_write(m, AMDVI_MMIO_EVENT_BASE, T_EVTLOG | 8ull << 56);
    iommu_write(m, AMDVI_MMIO_EXCL_BASE, T_STORE);
    iommu_write(m, AMDVI_MMIO_EXCL_LIMIT, T_STORE);
    iommu_write(m, AMDVI_MMIO_CONTROL, AMDVI_MMIO_CONTROL_AMDVIEN |
                AMDVI_MMIO_CONTROL_CMDBUFLEN | AMDVI_MMIO_CONTROL_EVENTLOGEN);
}

/* A guest that is being launched, with one page */
static void start_with(Machine *m, const char *devices)
{
    Psp *p = &m->psp;

    psp_start_with(p, devices, "");
    edu_find(&m->edu, p->bus, EDU_DEVFN);
    start_iommu(m);
    psp_snp_init(p);
    psp_new_guest(p, T_GCTX, T_POLICY, T_ASID);
    psp_set_rmp(p, T_PAGE, RMP_PRE_GUEST(T_ASID, 0x5000));
    qtest_memset(p->qts, T_PAGE, 0x5a, 0x1000);
    psp_assert(psp_launch_update(p, T_GCTX, T_PAGE, SNP_PAGE_TYPE_NORMAL, 0),
               SUCCESS);
}

static void start(Machine *m)
{
    start_with(m, "-device amd-iommu,x-snp=on -device edu,addr=6.0");
}

static void stop(Machine *m)
{
    g_free(m->edu.pci);
    psp_stop(&m->psp);
}

static void dma(Machine *m, uint64_t src, uint64_t dst)
{
    int tries = 20000;

    edu_start(&m->edu, src, dst);
    while (edu_runs(&m->edu) && --tries) {
        g_usleep(500);
    }
    g_assert_cmpint(tries, >, 0);
}

/* What the device reads at @spa, via the host's page */
static uint64_t dma_read(Machine *m, uint64_t spa)
{
    dma(m, spa, EDU_BUFFER);
    dma(m, EDU_BUFFER, T_HV);
    return qtest_readq(m->psp.qts, T_HV);
}

static void assert_untouched(Machine *m)
{
    int i;

    for (i = 0; i < 0x1000; i += 8) {
        g_assert_cmphex(qtest_readq(m->psp.qts, T_PAGE + i), ==, PLAINTEXT);
    }
}

static void test_write(void)
{
    Machine m;

    start(&m);
    assert_untouched(&m);
    qtest_writeq(m.psp.qts, T_HV, EVIL);
    dma(&m, T_HV, EDU_BUFFER);
    dma(&m, EDU_BUFFER, T_PAGE + 8);
    assert_untouched(&m);
    g_assert_cmphex(qtest_readq(m.psp.qts, T_EVTLOG) >> 60, ==,
                    EVENT_RMP_PAGE_FAULT);
    stop(&m);
}

/* Ciphertext, the same as when the page is hypervisor-owned again */
static void test_read(void)
{
    uint64_t word[2];
    Machine m;

    start(&m);
    word[0] = dma_read(&m, T_PAGE);
    word[1] = dma_read(&m, T_PAGE + 0xff8);
    assert_untouched(&m);
    g_assert_cmphex(word[0], !=, PLAINTEXT);
    g_assert_cmphex(word[1], !=, PLAINTEXT);
    g_assert_cmphex(word[0], !=, word[1]);
    g_assert_cmphex(dma_read(&m, T_PAGE + 4), !=, PLAINTEXT);

    psp_set_rmp(&m.psp, T_PAGE, RMP_HYPERVISOR);
    g_assert_cmphex(dma_read(&m, T_PAGE), ==, word[0]);
    g_assert_cmphex(qtest_readq(m.psp.qts, T_PAGE + 0xff8), ==, word[1]);
    stop(&m);
}

/* The same, but each write is checked instead of the translation */
static void test_checked(void)
{
    uint64_t word;
    Machine m;

    start_with(&m, "-device amd-iommu,x-snp=on,x-snp-checked-dma=on "
               "-device edu,addr=6.0");
    qtest_writeq(m.psp.qts, T_HV, EVIL);
    qtest_memset(m.psp.qts, T_LIST, 0, 0x1000);
    dma(&m, T_HV, EDU_BUFFER);
    dma(&m, EDU_BUFFER, T_LIST + 12);
    g_assert_cmphex(qtest_readq(m.psp.qts, T_LIST + 12), ==, EVIL);
    g_assert_cmphex(qtest_readl(m.psp.qts, T_LIST + 8), ==, 0);
    g_assert_cmphex(qtest_readl(m.psp.qts, T_LIST + 20), ==, 0);
    dma(&m, EDU_BUFFER, T_PAGE + 8);
    assert_untouched(&m);
    word = dma_read(&m, T_PAGE);
    g_assert_cmphex(word, !=, PLAINTEXT);
    psp_set_rmp(&m.psp, T_PAGE, RMP_HYPERVISOR);
    g_assert_cmphex(dma_read(&m, T_PAGE), ==, word);
    stop(&m);
}

/* Commands may not use pages that the IOMMU writes, until the shutdown. */
static void test_iommu_pages(void)
{
    static const uint64_t pages[] = { T_EVTLOG, T_STORE };
    SnpBufShutdownEx buf = {
        .length = sizeof(buf), .flags = SNP_SHUTDOWN_IOMMU,
    };
    Machine m;
    int i;

    start(&m);
    for (i = 0; i < ARRAY_SIZE(pages); i++) {
        uint64_t was = psp_rmp(&m.psp, pages[i]);

        psp_assert(psp_addr_cmd(&m.psp, SEV_CMD_SNP_PAGE_RECLAIM, pages[i]),
                   INVALID_PAGE_STATE);
        psp_assert(psp_addr_cmd(&m.psp, SEV_CMD_SNP_GCTX_CREATE, pages[i]),
                   INVALID_PAGE_STATE);
        psp_assert(psp_addr_cmd(&m.psp, SEV_CMD_SNP_PLATFORM_STATUS, pages[i]),
                   INVALID_PAGE_STATE);
        g_assert_cmphex(psp_rmp(&m.psp, pages[i]), ==, was);
    }
    psp_set_rmp(&m.psp, T_PAGE, RMP_HYPERVISOR);
    psp_assert(psp_addr_cmd(&m.psp, SEV_CMD_SNP_DECOMMISSION, T_GCTX),
               SUCCESS);
    psp_assert(PSP_CMD(&m.psp, SNP_SHUTDOWN_EX, &buf), SUCCESS);
    for (i = 0; i < ARRAY_SIZE(pages); i++) {
        g_assert_cmphex(psp_rmp(&m.psp, pages[i]), ==, RMP_RECLAIM);
    }
    stop(&m);
}

/* A range for completion stores that ends before it begins */
static void test_iommu_range(void)
{
    SnpBufInitEx buf = { .flags = SNP_INIT_RMP };
    Machine m;

    psp_start_with(&m.psp, "-device amd-iommu,x-snp=on -device edu,addr=6.0",
                   "");
    edu_find(&m.edu, m.psp.bus, EDU_DEVFN);
    start_iommu(&m);
    iommu_write(&m, AMDVI_MMIO_EXCL_LIMIT, 0);
    psp_wrmsr(&m.psp, MSR_SYSCFG, SYSCFG_SNP);
    psp_assert(PSP_CMD(&m.psp, SNP_INIT_EX, &buf), INVALID_CONFIG);
    iommu_write(&m, AMDVI_MMIO_EXCL_LIMIT, T_STORE);
    psp_assert(PSP_CMD(&m.psp, SNP_INIT_EX, &buf), SUCCESS);
    stop(&m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/amd-psp/dma/write", test_write);
    qtest_add_func("/amd-psp/dma/read", test_read);
    qtest_add_func("/amd-psp/dma/checked", test_checked);
    qtest_add_func("/amd-psp/dma/iommu-pages", test_iommu_pages);
    qtest_add_func("/amd-psp/dma/iommu-range", test_iommu_range);
    return g_test_run();
}
