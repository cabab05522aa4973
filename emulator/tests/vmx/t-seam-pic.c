/*
 * VMX tests: a position-independent module, what the loader has left for it,
 * and features that only a module finds
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

/* Leaves of seam-pic.S */
enum {
    LEAF_READ, LEAF_WRITE, LEAF_WRITE_USER, LEAF_FLUSH, LEAF_CPUID, LEAF_RDMSR,
    LEAF_WRMSR, LEAF_VMREAD, LEAF_VMWRITE, LEAF_REGS, LEAF_SEAMOPS, LEAF_UD,
    LEAF_GDT,
};

#define FAULT           (~0ULL)
#define CPUS            2
#define LP_KEYHOLES     128
/* As in the module's .layout */
#define STACK_PAGES     3
#define LP_PAGES        2
#define GLOBAL_PAGES    5
#define HANDOFF_PAGES   2

#define MSR_FIXED_CTR0          0x309
#define MSR_MTRRCAP             0xfe
#define MSR_SEAMRR_PHYS_BASE    0x1400
#define F_HOST_PERF_GLOBAL      0x2c04
#define F_GUEST_SSP             0x682a
#define SEAMOPS_GETREF          4
#define SEAMOPS_REPORT          5
#define SEAMOPS_VERIFY          6

static u64 info, lp, rsp, cr4, code;
static u64 PAGE_ALIGNED page[512];

static u64 module(u64 leaf, u64 cx, u64 dx, struct td_regs *r)
{
    *r = (struct td_regs) { .r = { [RAX] = leaf, [RCX] = cx, [RDX] = dx } };
    return seam_regs(r);
}

static u64 module_read(u64 addr)
{
    struct td_regs r;

    return module(LEAF_READ, addr, 0, &r) ? 0xbad : r.r[RDX];
}

/* A field of SYSINFO_TABLE */
static u64 field(int offset, int size)
{
    u64 val = module_read(info + (offset & -8)) >> offset % 8 * 8;

    return size == 8 ? val : val & (BIT(size * 8) - 1);
}

static void test_start(void)
{
    struct td_regs r;

    check_eq(module(LEAF_REGS, 0, 0, &r), 0, "a call of the module");
    info = r.r[R8];
    lp = r.r[R9];
    rsp = r.r[R10];
    cr4 = r.r[R11];
    code = field(2056, 8);
    check_eq(r.r[R12] - code < field(2064, 8), true,
             "it runs in the region of its code");
    check_eq(cr4 & BIT(21), BIT(21), "with SMAP");
    check_eq(module(LEAF_UD, 0, 0, &r), FAULT, "an exception");
    check_eq(r.r[R9], UD, "has the module's handler");
    check_eq(module(LEAF_GDT, 0, 0, &r), 0, "the module's GDT has CS");
    check_eq(module(LEAF_READ, 0x1000, 0, &r), FAULT, "nothing is at 4 KiB");
    check_eq(r.r[R9], PF, "a page fault");
    check_eq(module(LEAF_WRITE, code, 0, &r), FAULT, "code is read-only");
    check_eq(module(LEAF_WRITE, info, 0, &r), FAULT,
             "SYSINFO_TABLE is read-only");
}

static void test_sysinfo(void)
{
    u64 data = field(2072, 8), stacks = field(2088, 8);

    check_eq(field(8, 4), CPUS, "logical processors");
    check_eq(field(12, 4), 1, "packages");
    check(field(16, 4), "the package's CPUID");
    check_eq(field(64, 1), 1, "there is no second SMRR");
    check_eq(field(65, 1), 1, "memory has no MAC");
    check_eq(field(128, 8), BIT(20), "CMRs: the first one's base");
    check(field(136, 8), "its size");
    check_eq(field(2048, 8), 1, "the module is loaded");
    check_eq(field(2080, 8),
             (HANDOFF_PAGES + CPUS * LP_PAGES + GLOBAL_PAGES) * PAGE,
             "size of the data region");
    check_eq(field(2096, 8), CPUS * (STACK_PAGES + 1) * PAGE,
             "size of the stack region");
    check_eq(field(2112, 8), CPUS * LP_KEYHOLES * PAGE, "of the keyholes");
    check_eq(field(2136, 8), STACK_PAGES - 1, "pages of a stack");
    check_eq(field(2144, 8), LP_PAGES - 1, "pages of a processor");
    check_eq(field(2152, 2), 7, "handoff version");
    check_eq(field(2154, 2), 6, "the oldest handoff version");
    check_eq(field(2156, 1), 1, "no downgrade");
    check_eq(field(2158, 2), HANDOFF_PAGES - 1, "pages for a handoff");
    check_eq(lp, data + HANDOFF_PAGES * PAGE, "GS is the processor's area");
    check_eq(rsp, stacks + STACK_PAGES * PAGE, "RSP is its stack");
}

static void test_memory(void)
{
    struct td_regs r;
    u64 last = field(2072, 8) + field(2080, 8) - 8;

    check_eq(module(LEAF_WRITE, last, 0x1234, &r), 0, "data can be written");
    check_eq(module_read(last), 0x1234, "and is there");
    check_eq(module(LEAF_WRITE, rsp - PAGE, 1, &r), 0, "so can a stack");
    check_eq(module(LEAF_WRITE, rsp, 1, &r), FAULT, "no shadow stack");
    check_eq(module_read(field(2072, 8)), 0, "no handoff data");
}

/* A page of the host, by a keyhole */
static void test_keyhole(void)
{
    u64 hole = field(2104, 8), pte = field(2120, 8);
    struct td_regs r;

    page[3] = 0x5678;
    check_eq(module(LEAF_WRITE, pte, 0, &r), FAULT,
             "keyholes' entries are user pages");
    check_eq(module(LEAF_WRITE_USER, pte + 8, (u64)page | PTE_P | PTE_W, &r), 0,
             "a keyhole is mapped");
    check_eq(module_read(hole + PAGE + 24), 0x5678, "the page is there");
    check_eq(module(LEAF_WRITE, hole + PAGE + 32, 0x99, &r), 0,
             "it is written");
    check_eq(page[4], 0x99, "the host sees that");
    module(LEAF_WRITE_USER, pte + 8, 0, &r);
    module(LEAF_FLUSH, hole + PAGE, 0, &r);
    check_eq(module(LEAF_READ, hole + PAGE, 0, &r), FAULT, "and unmapped");
    check_eq(module(LEAF_WRITE_USER, pte + field(2112, 8) / PAGE * 8 - 8,
                    (u64)page | PTE_P, &r), 0, "the last keyhole");
    check_eq(module_read(hole + field(2112, 8) - PAGE + 24), 0x5678,
             "the page is there");
}

static void module_cpuid(u32 leaf, u32 sub, u64 *eax, u64 *edx)
{
    struct td_regs r;

    module(LEAF_CPUID, leaf, sub, &r);
    *eax = r.r[R8];
    *edx = r.r[R11];
}

static void test_stubs(void)
{
    struct td_regs r;
    u64 a, d, val;
    u32 host[4];

    module_cpuid(7, 0, &a, &d);
    check_eq(d & BIT(19), BIT(19), "the module finds architectural LBRs");
    cpuid(7, host);
    check_eq(host[3] & BIT(19), 0, "the host does not");
    module_cpuid(0x14, 0, &a, &d);
    check_eq(a, 1, "the module finds Processor Trace");
    module(LEAF_RDMSR, MSR_MTRRCAP, 0, &r);
    check_eq(r.r[RDX] & BIT(11), BIT(11), "the module finds SMRR");
    check_eq(rdmsr(MSR_MTRRCAP) & BIT(11), 0, "the host does not");
    module(LEAF_RDMSR, MSR_VMX_PROC2, 0, &r);
    check_eq(r.r[RDX] >> 32 & BIT(15), BIT(15), "ENCLS exiting may be 1");
    check_eq(rdmsr(MSR_VMX_PROC2) >> 32 & BIT(15), 0, "not for the host");
    check_eq(module(LEAF_WRMSR, MSR_FIXED_CTR0, 5, &r), 0,
             "a counter of instructions");
    module(LEAF_RDMSR, MSR_FIXED_CTR0, 0, &r);
    check(r.r[RDX] > 5 && r.r[RDX] < BIT(40), "it counts");
    module(LEAF_VMREAD, F_HOST_PERF_GLOBAL, 0, &r);
    check_eq(r.r[R9], 0, "VMREAD of a field that only the module has");
    module(LEAF_VMWRITE, F_GUEST_SSP, 0x1240, &r);
    module(LEAF_VMREAD, F_GUEST_SSP, 0, &r);
    check_eq(r.r[RDX], 0x1240, "it keeps what is written");
    check_eq(vmread(F_GUEST_SSP, &val), VM_FAIL_VALID, "the host has it not");
}

/* REPORTMACSTRUCT in a page of the module: SEAMDB has one entry. */
static void test_seamdb(void)
{
    u64 at = field(2072, 8) + HANDOFF_PAGES * PAGE + CPUS * LP_PAGES * PAGE;
    struct td_regs ref, r;

    module(LEAF_SEAMOPS, SEAMOPS_GETREF, 0, &ref);
    check_eq(ref.r[RCX], 0, "SEAMDB_GETREF");
    check_eq(ref.r[R10], 0, "the index of the last entry");
    check_eq(ref.r[R15], 1, "there is one");
    r = ref;
    r.r[RAX] = LEAF_SEAMOPS;
    r.r[RCX] = SEAMOPS_REPORT;
    r.r[RBP] = at;
    r.r[RDX] = 0x81;
    /* A TD's report data is aligned to 64. */
    r.r[R8] = at + PAGE + 64;
    r.r[R9] = at + PAGE + 128;
    r.r[R12] ^= 1;
    seam_regs(&r);
    check_eq(r.r[RCX], 3, "SEAMDB_REPORT with another nonce");
    r.r[RAX] = LEAF_SEAMOPS;
    r.r[RCX] = SEAMOPS_REPORT;
    r.r[R12] ^= 1;
    check_eq(seam_regs(&r), 0, "SEAMDB_REPORT");
    check_eq(r.r[RCX], 0, "succeeds");
    r.r[RAX] = LEAF_SEAMOPS;
    r.r[RCX] = SEAMOPS_VERIFY;
    r.r[RBX] = at;
    seam_regs(&r);
    check_eq(r.r[RCX], 0, "SEAMVERIFYREPORT of it");
    module(LEAF_WRITE, at + 128, 7, &ref);
    r.r[RAX] = LEAF_SEAMOPS;
    r.r[RCX] = SEAMOPS_VERIFY;
    seam_regs(&r);
    check_eq(r.r[RCX], 5, "... with other data");
    module(LEAF_WRITE, at + 128, 0, &ref);
    module(LEAF_WRITE, at + 16, 9, &ref);
    r.r[RAX] = LEAF_SEAMOPS;
    r.r[RCX] = SEAMOPS_VERIFY;
    seam_regs(&r);
    check_eq(r.r[RCX], 4, "... of another CPUSVN");
}

void test_main(void)
{
    vmx_on();
    vmclear(vm_region(1));
    vmptrld(vm_region(1));
    test_start();
    test_sysinfo();
    test_memory();
    test_keyhole();
    test_stubs();
    test_seamdb();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
