/*
 * SEV-SNP tests: lines that guests have written, and DMA
 *
 * Runs with x-snp-stale-lines=on, an IOMMU and the edu device, which writes 256
 * bytes, and other ones each time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "psp.h"
#include "svm.h"

#define IOMMU           0xfed80000ULL
#define IOMMU_DEVTAB    (IOMMU + 0x00)
#define IOMMU_CONTROL   (IOMMU + 0x18)
#define DEVTAB          0x0c000000ULL       /* 128 devices, not translated */

#define EDU_ID          0x11e81234
#define EDU_BAR         0x10
#define EDU_SRC         0x80
#define EDU_DST         0x88
#define EDU_COUNT       0x90
#define EDU_CMD         0x98
#define EDU_RUN         BIT(0)
#define EDU_TO_MEMORY   BIT(1)
#define EDU_BUFFER      0x40000

#define LINE            64
#define LEN             256
#define FROM_GUEST      0x6060606060606060ULL
#define DATA            GUEST_DATA
#define HOST_PAGE       0x0c100000ULL

static struct vm vm;
static u64 edu, from_device;

static void edu_copy(u64 from, u64 to, u64 cmd)
{
    wr(edu + EDU_SRC, from);
    wr(edu + EDU_DST, to);
    wr(edu + EDU_COUNT, LEN);
    wr(edu + EDU_CMD, EDU_RUN | cmd);
    while (rd(edu + EDU_CMD) & EDU_RUN) {
        asm volatile("pause");
    }
}

/* A device writes to memory. */
static void dma(u64 addr)
{
    from_device += 0x0101010101010101ULL;
    memset((void *)HOST_PAGE, from_device & 0xff, LEN);
    edu_copy(HOST_PAGE, EDU_BUFFER, 0);
    edu_copy(EDU_BUFFER, addr, EDU_TO_MEMORY);
}

static bool devices(void)
{
    edu = psp_pci_bar(EDU_ID, EDU_BAR);
    if (!edu) {
        return false;
    }
    memset((void *)DEVTAB, 0, PAGE);
    wr(IOMMU_DEVTAB, DEVTAB);
    wr(IOMMU_CONTROL, 1);
    return true;
}

static void on_ap(void (*fn)(void))
{
    ap_work = fn;
    while (ap_work) {
        asm volatile("pause");
    }
}

static void wbinvd(void)
{
    asm volatile("wbinvd" : : : "memory");
}

static void wbnoinvd(void)
{
    asm volatile(".byte 0xf3; wbinvd" : : : "memory");
}

static void clflush(u64 addr)
{
    asm volatile("clflush (%0)" : : "r"(addr) : "memory");
}

static void clflushopt(u64 addr)
{
    asm volatile(".byte 0x66; clflush (%0)" : : "r"(addr) : "memory");
}

static void clwb(u64 addr)
{
    asm volatile(".byte 0x66; xsaveopt (%0)" : : "r"(addr) : "memory");
}

static void guest_write(void)
{
    vm_call(&vm, g_write, DATA, FROM_GUEST, 0, 0);
    check_done(&vm, "the guest writes");
}

/* True if all of a device's write gets to memory. That cleans the lines. */
static void check_dma(u64 addr, bool arrives, const char *what)
{
    u64 i;
    int good = 0;

    dma(addr);
    for (i = 0; i < LEN; i += LINE) {
        good += rd(addr + i) == from_device;
    }
    check_eq(good, arrives ? LEN / LINE : 0, "%s", what);
}

static void each_line(u64 page, void (*flush)(u64 addr))
{
    u64 i;

    for (i = 0; i < PAGE; i += LINE) {
        flush(page + i);
    }
}

static void test_lines(void)
{
    check_dma(HOST_PAGE + PAGE, true, "no guest has written there");

    guest_write();
    dma(SPA(DATA));
    check_eq(rd(SPA(DATA)), FROM_GUEST, "stale-lines: a guest has written");
    check_dma(SPA(DATA) + LINE, false, "stale-lines: the same page");

    guest_write();
    rd(SPA(DATA) + LINE);
    dma(SPA(DATA));
    check(rd(SPA(DATA) + LINE) == from_device &&
          rd(SPA(DATA) + 2 * LINE) != from_device,
          "stale-lines: the host's access cleans a line");
    guest_write();
    rd(SPA(DATA) + LINE - 4);
    dma(SPA(DATA));
    check(rd(SPA(DATA) + LINE) == from_device &&
          rd(SPA(DATA) + 2 * LINE) != from_device,
          "stale-lines: an access may cross a line");
}

static void test_flushes(void)
{
    guest_write();
    each_line(SPA(DATA), clflush);
    check_dma(SPA(DATA), true, "after CLFLUSH");
    guest_write();
    each_line(SPA(DATA), clflushopt);
    check_dma(SPA(DATA), true, "after CLFLUSHOPT");
    guest_write();
    each_line(SPA(DATA), clwb);
    check_dma(SPA(DATA), true, "after CLWB");
    guest_write();
    each_line(SPA(DATA) + PAGE, clflush);
    check_dma(SPA(DATA), false, "stale-lines: CLFLUSH of another page");

    guest_write();
    wbinvd();
    check_dma(SPA(DATA), true, "after WBINVD");
    guest_write();
    wbnoinvd();
    check_dma(SPA(DATA), true, "after WBNOINVD");
    wbinvd();
    guest_write();
    check_dma(SPA(DATA), false, "stale-lines: written after WBINVD");

    guest_write();
    wrmsr(MSR_VM_PAGE_FLUSH, SPA(DATA) | ES_ASID);
    check_dma(SPA(DATA), true, "after VM_PAGE_FLUSH");
    guest_write();
    wrmsr(MSR_VM_PAGE_FLUSH, SPA(DATA) | (ES_ASID + 1));
    check_dma(SPA(DATA), false, "stale-lines: VM_PAGE_FLUSH of another ASID");
    guest_write();
    wrmsr(MSR_VM_PAGE_FLUSH, SPA(DATA) | ES_ASID);
    VMCB32(&vm, VMCB_TLB) = 0;
    guest_write();
    VMCB32(&vm, VMCB_TLB) = 1;
    check_dma(SPA(DATA), false, "stale-lines: written after VM_PAGE_FLUSH");
}

static void test_processors(void)
{
    guest_write();
    on_ap(wbinvd);
    check_dma(SPA(DATA), false, "wbinvd-own: on another processor");
    guest_write();
    on_ap(wbinvd);
    wbinvd();
    check_dma(SPA(DATA), true, "after WBINVD on both");
}

static void test_others(void)
{
    vm_call(&vm, g_read, DATA, 0, 0, 0);
    check_dma(SPA(DATA), true, "the guest has read only");
    vm_call(&vm, g_write, GUEST_WINDOW + DATA, FROM_GUEST, 0, 0);
    check_dma(SPA(DATA), true, "the guest has written without its key");
    check_dma(VMSA_SPA + 0x800, false, "stale-lines: a VMSA");
}

static void test_reclaimed(void)
{
    vm_init(&vm, SNP);
    guest_write();
    check_eq(rmp_share(SPA(DATA), false), SUCCESS, "the page is reclaimed");
    check_dma(SPA(DATA), false, "stale-lines: a reclaimed page");

    vm_init(&vm, SNP);
    guest_write();
    rmp_share(SPA(DATA), false);
    each_line(SPA(DATA), clflush);
    check_dma(SPA(DATA), true, "reclaimed and flushed");
}

void test_main(void)
{
    host_pte(GUEST_SPA);
    host_pte(VMSA_SPA);
    svm_enable();
    if (!check(devices(), "there are devices")) {
        return;
    }
    start_ap(ap_serve);
    vm_init(&vm, SEV_ES);
    test_lines();
    test_flushes();
    test_processors();
    test_others();
    snp_enable();
    test_reclaimed();
}
