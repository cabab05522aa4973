/*
 * VMX tests: instructions that an Intel server has beside VMX
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_XSS         0xda0
#define CR4_OSFXSR      BIT(9)
#define CR4_OSXSAVE     BIT(18)
#define PROC2_XSAVES    BIT(20)
#define F_XSS_EXITING   0x202c
#define COMPACTED       BIT(63)
#define COMPONENTS      7           /* x87, SSE, AVX */

static u8 PAGE_ALIGNED area[8192];
static u8 PAGE_ALIGNED pages[2 * 4096];

static int movdir64b(u64 dst, void *src)
{
    trap()->vec = NO_TRAP;
    asm volatile(EX("movdir64b (%1), %0") : : "r"(dst), "r"(src) : "memory");
    return trap()->vec;
}

static void test_movdir(void)
{
    u8 *page = pages + PAGE;
    u64 val = 0;
    int i;

    asm volatile("movdiri %1, %0" : "=m"(val) : "r"(0x1122334455667788ULL));
    check_eq(val, 0x1122334455667788ULL, "MOVDIRI, 64 bits");
    asm volatile("movdiri %1, %0" : "+m"(*(u32 *)&val) : "r"(0x99aabbcc));
    check_eq(val, 0x1122334499aabbccULL, "MOVDIRI, 32 bits");

    for (i = 0; i < 64; i++) {
        page[i - 21] = i + 1;
    }
    check_eq(movdir64b((u64)page + 128, page - 21), NO_TRAP,
             "MOVDIR64B from two pages");
    check(!memcmp(page + 128, page - 21, 64), "all bytes are there");
    check_eq(page[127] | page[192], 0, "and no other ones");
    check_eq(movdir64b((u64)page + 128 + 8, page), GP,
             "MOVDIR64B, not aligned");
    *host_pte((u64)page) &= ~PTE_W;
    flush_tlb();
    check_eq(movdir64b((u64)page, page - 64), PF, "MOVDIR64B, read-only");
    *host_pte((u64)page) |= PTE_W;
    flush_tlb();
}

static u64 *header(void)
{
    return (u64 *)(area + 512);
}

static int xsaves(void *p, u32 mask)
{
    trap()->vec = NO_TRAP;
    asm volatile(EX("xsaves64 (%0)") : : "r"(p), "a"(mask), "d"(0) : "memory");
    return trap()->vec;
}

static int xrstors(void *p, u32 mask)
{
    trap()->vec = NO_TRAP;
    asm volatile(EX("xrstors64 (%0)") : : "r"(p), "a"(mask), "d"(0) : "memory");
    return trap()->vec;
}

static void set_ymm0(u64 low, u64 high)
{
    u64 val[4] = { low, low, high, high };

    asm volatile("vmovdqu %0, %%ymm0" : : "m"(val));
}

static u64 ymm0_high(void)
{
    u64 val[4];

    asm volatile("vmovdqu %%ymm0, %0" : "=m"(val));
    return val[2];
}

static void test_xsaves(void)
{
    memset(area, 0, sizeof(area));
    set_ymm0(1, 2);
    check_eq(xsaves(area, ~0u), NO_TRAP, "XSAVES");
    check_eq(header()[0], COMPONENTS, "XSTATE_BV");
    check_eq(header()[1], COMPONENTS | COMPACTED, "XCOMP_BV");
    check_eq(*(u64 *)(area + 576), 2, "AVX state follows the header");
    set_ymm0(3, 4);
    check_eq(xrstors(area, ~0u), NO_TRAP, "XRSTORS");
    check_eq(ymm0_high(), 2, "the state is back");
    header()[0] &= ~4ULL;
    check_eq(xrstors(area, ~0u), NO_TRAP, "XRSTORS of an initial state");
    check_eq(ymm0_high(), 0, "it is initial");
}

static void rstor_fails(int word, u64 val, const char *what)
{
    u64 old = header()[word];

    header()[word] = val;
    check_eq(xrstors(area, ~0u), GP, "XRSTORS: %s", what);
    header()[word] = old;
}

static void user_xsaves(void)
{
    asm volatile(EX("xsaves64 (%0)") : : "r"(area), "a"(1), "d"(0) : "memory");
}

static void test_xsaves_faults(void)
{
    u64 val;

    check_eq(xsaves(area + 8, ~0u), GP, "XSAVES, not aligned");
    check_eq(xsaves(area, COMPONENTS), NO_TRAP, "XSAVES");
    rstor_fails(1, COMPONENTS, "not the compacted format");
    rstor_fails(1, COMPONENTS | COMPACTED | BIT(8), "a component that is off");
    rstor_fails(1, 3 | COMPACTED, "state without space for it");
    rstor_fails(2, 1, "byte 16 of the header");
    rstor_fails(7, BIT(63), "byte 63 of the header");
    run_user(user_xsaves);
    check_eq(trap()->vec, GP, "XSAVES at CPL 3");
    check_eq(try_rdmsr(MSR_XSS, &val), NO_TRAP, "IA32_XSS");
    check_eq(val, 0, "no supervisor components");
    check_eq(try_wrmsr(MSR_XSS, BIT(8)), GP, "IA32_XSS: unsupported bit");
    write_cr4(read_cr4() & ~CR4_OSXSAVE);
    check_eq(xsaves(area, 1), UD, "XSAVES without CR4.OSXSAVE");
    check_eq(xrstors(area, 1), UD, "XRSTORS without CR4.OSXSAVE");
    write_cr4(read_cr4() | CR4_OSXSAVE);
}

#define CR4_PKE         BIT(22)
#define CR4_PKS         BIT(24)
#define EFER_NXE        BIT(11)
#define PTE_KEY_1       BIT(59)

static int read_page(void)
{
    u64 val;

    return try_read((u64)pages, &val);
}

/* Bits that change the meaning of page tables, without an explicit flush */
static void test_paging_bits(void)
{
    mem64 *pte = host_pte((u64)pages);
    u64 efer = rdmsr(MSR_EFER), cr4 = read_cr4();

    wrmsr(MSR_EFER, efer | EFER_NXE);
    *pte |= PTE_NX;
    flush_tlb();
    check_eq(read_page(), NO_TRAP, "a page without execution");
    wrmsr(MSR_EFER, efer & ~EFER_NXE);
    check_eq(read_page(), PF, "its bit is reserved without EFER.NXE");
    check_eq(trap()->err & PF_RSV, PF_RSV, "error code");
    wrmsr(MSR_EFER, efer);
    *pte = (*pte & ~(PTE_NX | PTE_U)) | PTE_KEY_1;
    flush_tlb();
    check_eq(read_page(), NO_TRAP, "a page with a key");
    wrmsr(0x6e1, 1 << 2);
    write_cr4(cr4 | CR4_PKS);
    check_eq(read_page(), PF, "CR4.PKS makes keys effective");
    write_cr4(cr4);
    check_eq(read_page(), NO_TRAP, "and without it they are not");
    wrmsr(0x6e1, 0);

    *pte |= PTE_U;
    write_cr4(cr4 | CR4_PKE);
    asm volatile("wrpkru" : : "a"(1 << 2), "c"(0), "d"(0));
    write_cr4(cr4);
    check_eq(read_page(), NO_TRAP, "a user page with a key");
    write_cr4(cr4 | CR4_PKE);
    check_eq(read_page(), PF, "CR4.PKE makes keys effective");
    asm volatile("wrpkru" : : "a"(0), "c"(0), "d"(0));
    write_cr4(cr4);
    *pte &= ~PTE_KEY_1;
    flush_tlb();
}

static mem32 seen[2];

static void g_xsaves(void)
{
    seen[0] = xsaves(area, COMPONENTS);
    seen[1] = xrstors(area, COMPONENTS);
    asm volatile("vmcall");
}

static void test_guest(void)
{
    vmx_on();
    vm_init(g_xsaves);
    vm_exits_late(X_VMCALL, "a guest without the control");
    check_eq(seen[0], UD, "XSAVES is undefined there");
    check_eq(seen[1], UD, "XRSTORS is undefined there");
    vm_init(g_xsaves);
    vm_controls(0, 0, PROC2_XSAVES);
    vset(F_XSS_EXITING, ~0ULL);
    vm_exits_late(X_VMCALL,
                  "a guest with the control: no supervisor components");
    check_eq((int)seen[0], NO_TRAP, "XSAVES in a guest");
    check_eq((int)seen[1], NO_TRAP, "XRSTORS in a guest");
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}

void test_main(void)
{
    test_movdir();
    test_paging_bits();
    write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXSAVE);
    asm volatile("xsetbv" : : "c"(0), "a"(COMPONENTS), "d"(0));
    test_xsaves();
    test_xsaves_faults();
    test_guest();
}
