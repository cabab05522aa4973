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

/*
 * Blocks over a page's end: split[0] and split[1] are not next to each other in
 * physical memory, split[3] is what follows split[0] there.
 */
static u8 PAGE_ALIGNED split[4][4096];
static u8 image[128];

#define X87_SIZE        108         /* of FNSAVE's image */
#define BCD             0x123456789

static void map_split(u64 phys)
{
    *host_pte((u64)split[1]) = phys | PTE_P | PTE_W;
    flush_tlb();
}

/* @p has the @size bytes of @image, and nothing else has changed. */
static bool stored(u8 *p, int size)
{
    int i;

    for (i = 0; i < 4096; i++) {
        if (split[3][i] != 0xa5) {
            return false;
        }
    }
    return !memcmp(p, image, size) && p[-1] == 0xa5 && p[size] == 0xa5;
}

/* FNSAVE's pointers are those of the last instruction: leave them out. */
static void without_pointers(u8 *p)
{
    memset(p + 12, 0, 16);
}

static void fill_x87(void)
{
    asm volatile("fninit; fld1; fldpi; fldl2e; fldl2t; fldlg2; fldln2; fldz;"
                 "fld1");
}

static bool fstp_m80(u8 *p)
{
    asm volatile("fninit; fldpi; fstpt (%0); fldpi; fstpt (%1)"
                 : : "r"(image), "r"(p) : "memory");
    return stored(p, 10);
}

static bool fld_m80(u8 *p)
{
    u8 got[10];

    asm volatile("fninit; fldpi; fstpt (%0)" : : "r"(image) : "memory");
    memcpy(p, image, 10);
    asm volatile("fldt (%0); fstpt (%1)" : : "r"(p), "r"(got) : "memory");
    return !memcmp(got, image, 10);
}

static bool fbstp(u8 *p)
{
    u64 val = BCD;

    asm volatile("fninit; fildll (%0); fbstp (%1); fildll (%0); fbstp (%2)"
                 : : "r"(&val), "r"(image), "r"(p) : "memory");
    return stored(p, 10);
}

static bool fbld(u8 *p)
{
    u64 val = BCD;

    asm volatile("fninit; fildll (%0); fbstp (%1)"
                 : : "r"(&val), "r"(image) : "memory");
    memcpy(p, image, 10);
    asm volatile("fbld (%1); fistpll (%0)" : : "r"(&val), "r"(p) : "memory");
    return val == BCD;
}

static bool fnsave(u8 *p)
{
    fill_x87();
    asm volatile("fnsave (%0)" : : "r"(image) : "memory");
    fill_x87();
    asm volatile("fnsave (%0)" : : "r"(p) : "memory");
    without_pointers(image);
    without_pointers(p);
    return stored(p, X87_SIZE);
}

static bool frstor(u8 *p)
{
    u8 got[X87_SIZE];

    fill_x87();
    asm volatile("fnsave (%0)" : : "r"(image) : "memory");
    memcpy(p, image, X87_SIZE);
    asm volatile("fninit; frstor (%0); fnsave (%1)"
                 : : "r"(p), "r"(got) : "memory");
    without_pointers(image);
    without_pointers(got);
    return !memcmp(got, image, X87_SIZE);
}

static bool movdir64b_source(u8 *p)
{
    u8 *to = split[2];
    int i;

    for (i = 0; i < 64; i++) {
        p[i] = i + 1;
    }
    return movdir64b((u64)to, p) == NO_TRAP && !memcmp(to, p, 64);
}

static const struct {
    bool (*works)(u8 *p);
    int size;
    const char *name;
} blocks[] = {
    { fstp_m80, 10, "FSTP, 80 bits" },
    { fld_m80, 10, "FLD, 80 bits" },
    { fbstp, 10, "FBSTP" },
    { fbld, 10, "FBLD" },
    { fnsave, X87_SIZE, "FNSAVE" },
    { frstor, X87_SIZE, "FRSTOR" },
    { movdir64b_source, 64, "MOVDIR64B's source" },
};

static void test_split_blocks(void)
{
    u64 i, n, bad;

    map_split((u64)split[3]);
    *host_pte((u64)split[3]) = (u64)split[1] | PTE_P | PTE_W;
    flush_tlb();
    for (i = 0; i < ARRAY_SIZE(blocks); i++) {
        /* The first number of bytes in the first page that does not work */
        for (n = 1, bad = 0; n < blocks[i].size && !bad; n++) {
            memset(split, 0xa5, sizeof(split));
            if (!blocks[i].works(split[1] - n)) {
                bad = n;
            }
        }
        check_eq(bad, 0, "%s over a page's end", blocks[i].name);
    }
}

#define HPET            0xfed00000
#define ROM             0xf0000

/* FXSAVE's image with 256 bytes in the first page: XMM6 begins the second. */
static void test_split_mmio(void)
{
    u64 *area = (u64 *)(split[1] - 256);
    u64 xmm[2];

    map_split((u64)split[3]);
    memset(split, 0, sizeof(split));
    asm volatile("fninit; fxsave64 (%0)" : : "r"(area) : "memory");
    area[30] = 0x5555;
    map_split(HPET);
    asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
    asm volatile("movdqu %%xmm5, %0" : "=m"(xmm));
    check_eq(xmm[0], 0x5555, "FXRSTOR of RAM and MMIO: the part in RAM");
    asm volatile("movdqu %%xmm6, %0" : "=m"(xmm));
    check(xmm[0] && xmm[0] == rd(HPET), "the part in MMIO");

    asm volatile("pxor %xmm6, %xmm6; pxor %xmm7, %xmm7; pxor %xmm8, %xmm8");
    asm volatile("pxor %xmm9, %xmm9; pxor %xmm10, %xmm10");
    asm volatile("pxor %xmm11, %xmm11; pxor %xmm12, %xmm12");
    asm volatile("pxor %xmm13, %xmm13; pxor %xmm14, %xmm14");
    asm volatile("pxor %xmm15, %xmm15");
    area[30] = 0;
    asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
    check_eq(area[30], 0x5555, "FXSAVE to RAM and MMIO: the part in RAM");

    map_split(ROM);
    memcpy(image, (void *)ROM, sizeof(image));
    area[30] = 0;
    asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
    check_eq(area[30], 0x5555, "FXSAVE to RAM and ROM: the part in RAM");
    check(!memcmp(image, (void *)ROM, sizeof(image)), "the ROM is unchanged");
    host_large((u64)split);
}

/* 64-bit addresses wrap: the page at 0 follows the last one. */
static void test_split_wrap(void)
{
    static u64 PAGE_ALIGNED tables[3][512];
    u64 *root = (u64 *)(read_cr3() & ~0xfffULL);
    u8 *p = (u8 *)-16ULL, got[X87_SIZE];
    u64 first;

    tables[0][511] = (u64)tables[1] | PTE_P | PTE_W;
    tables[1][511] = (u64)tables[2] | PTE_P | PTE_W;
    tables[2][511] = (u64)split[1] | PTE_P | PTE_W;
    first = *host_pte(0);
    *host_pte(0) = (u64)split[3] | PTE_P | PTE_W;
    root[511] = (u64)tables[0] | PTE_P | PTE_W;
    flush_tlb();
    fill_x87();
    asm volatile("fnsave (%0)" : : "r"(image) : "memory");
    fill_x87();
    asm volatile("fnsave (%0)" : : "r"(p) : "memory");
    memcpy(got, split[1] + PAGE - 16, 16);
    memcpy(got + 16, split[3], X87_SIZE - 16);
    without_pointers(image);
    without_pointers(got);
    check(!memcmp(got, image, X87_SIZE), "FNSAVE over the last address");
    root[511] = 0;
    *host_pte(0) = first;
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

/* The delivery of an exception is begun again for a data breakpoint. */
static void test_breakpoint(void)
{
    const u64 enable = BIT(0) | BIT(16) | 2 << 18;      /* 8 bytes, written */
    const u64 bad = BIT(63);                            /* not canonical */
    u64 dr6;

    trap()->vec = NO_TRAP;
    asm volatile("mov %%rsp, %%rax; and $-16, %%rax; sub $8, %%rax;"
                 "mov %%rax, %%dr0; mov %0, %%dr7;"
                 EX("mov (%1), %%rax")
                 : : "r"(enable), "r"(bad) : "rax", "memory");
    check_eq(trap()->vec, GP, "a fault, its delivery hits a data breakpoint");
    check_eq(trap()->err, 0, "the fault is the program's");
    asm volatile("mov %%dr6, %0" : "=r"(dr6));
    check_eq(dr6 & 0xf, 1, "the breakpoint has been hit");
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

/* "64-Bit Mode Exceptions": #SS for an address of the stack, otherwise #GP */
#define SS_FAULT        12
#define NOT_CANONICAL   (BIT(62) + 0x1000)

/* RAX and the register of the name are @addr. */
#define TRY_AT(reg, insn, addr)                                         \
    ({                                                                  \
        trap()->vec = NO_TRAP;                                          \
        asm volatile("push %%" reg "\nmov %0, %%" reg "\n" EX(insn)     \
                     "pop %%" reg                                       \
                     : : "a"(addr) : "rcx", "memory");                  \
        trap()->vec;                                                    \
    })

#define USER_WITH_STACK(name, insn)                                     \
    static void name(void)                                              \
    {                                                                   \
        asm volatile("mov %0, %%rsp\n" insn "\nud2"                     \
                     : : "r"(NOT_CANONICAL));                           \
    }
USER_WITH_STACK(user_push, "push %%rax")
USER_WITH_STACK(user_pop, "pop %%rax")
USER_WITH_STACK(user_ret, "ret")
USER_WITH_STACK(user_call, "call 1f\n1:")
USER_WITH_STACK(user_far_return, "lretq")
USER_WITH_STACK(user_iret, "iretq")
USER_WITH_STACK(user_push_mem, "xor %%eax, %%eax\npush user_value(%%rax)")
USER_WITH_STACK(user_mov, "mov 8(%%rsp), %%rax")
USER_WITH_STACK(user_lea, "lea 8(%%rsp), %%rax\nmov (%%rax), %%rax")

u64 user_value;

static void user_fault(void (*fn)(void), int vec, const char *what)
{
    run_user(fn);
    check_eq(trap()->vec, vec, "%s", what);
    check_eq(trap()->err, 0, "%s: error code", what);
}

static void test_not_canonical(void)
{
    u64 addr = NOT_CANONICAL;

    check_eq(TRY_AT("rbx", "mov (%%rbx), %%rcx", addr), GP, "by RBX: #GP");
    check_eq(TRY_AT("rbp", "mov (%%rbp), %%rcx", addr), SS_FAULT,
             "by RBP: #SS");
    check_eq(TRY_AT("rbp", "mov %%rcx, 8(%%rbp)", addr), SS_FAULT,
             "a store by RBP: #SS");
    check_eq(TRY_AT("rbp", "mov %%fs:(%%rbp), %%rcx", addr), GP,
             "by RBP and FS: #GP");
    check_eq(TRY_AT("r13", "mov (%%r13), %%rcx", addr), GP, "by R13: #GP");
    check_eq(TRY_AT("rbx", "mov (%%rsp,%%rbx), %%rcx", addr), SS_FAULT,
             "by RSP and RBX: #SS");
    check_eq(TRY_AT("rbx", "mov (%%rbx,%%rbp), %%rcx", addr), GP,
             "RBP is an index: #GP");
    check_eq(TRY_AT("rbx", "push (%%rbx)", addr), GP, "PUSH by RBX: #GP");
    check_eq(TRY_AT("rbx", "call *(%%rbx)", addr), GP, "CALL by RBX: #GP");
    user_fault(user_push, SS_FAULT, "PUSH: #SS");
    user_fault(user_pop, SS_FAULT, "POP: #SS");
    user_fault(user_ret, SS_FAULT, "RET: #SS");
    user_fault(user_call, SS_FAULT, "CALL: #SS");
    user_fault(user_far_return, SS_FAULT, "a far RET: #SS");
    user_fault(user_iret, SS_FAULT, "IRET: #SS");
    user_fault(user_push_mem, SS_FAULT, "PUSH of memory: #SS");
    user_fault(user_mov, SS_FAULT, "by RSP: #SS");
    user_fault(user_lea, GP, "LEA is no access: #GP");
}

/* "Alignment Checking" */
#define AC              17
#define CR0_AM          BIT(18)

#define USER_WITH_AC(name, insn)                                        \
    static void name(void)                                              \
    {                                                                   \
        asm volatile("pushfq\norq $0x40000, (%%rsp)\npopfq\n"           \
                     insn "\nud2" : : "a"(pages) : "rcx", "memory");    \
    }
USER_WITH_AC(user_load, "mov 1(%%rax), %%ecx")
USER_WITH_AC(user_store, "mov %%cx, 1(%%rax)")
USER_WITH_AC(user_movbe_load, "movbe 1(%%rax), %%ecx")
USER_WITH_AC(user_movbe_store, "movbe %%ecx, 2(%%rax)")
USER_WITH_AC(user_movdiri, "movdiri %%ecx, 1(%%rax)")
USER_WITH_AC(user_aligned, "mov 4(%%rax), %%ecx\nmov 1(%%rax), %%cl")

static void write_cr0(u64 val)
{
    asm volatile("mov %0, %%cr0" : : "r"(val) : "memory");
}

static int supervisor_load(void)
{
    trap()->vec = NO_TRAP;
    asm volatile("pushfq\npushfq\norq $0x40000, (%%rsp)\npopfq\n"
                 EX("mov 1(%0), %%ecx") "popfq"
                 : : "r"(pages) : "rcx", "memory", "cc");
    return trap()->vec;
}

static void test_alignment(void)
{
    u64 cr0 = read_cr0();

    run_user(user_load);
    check_eq(trap()->vec, UD, "no alignment checks without CR0.AM");
    write_cr0(cr0 | CR0_AM);
    user_fault(user_load, AC, "a load that is not aligned");
    user_fault(user_store, AC, "a store that is not aligned");
    user_fault(user_movbe_load, AC, "a load of MOVBE");
    user_fault(user_movbe_store, AC, "a store of MOVBE");
    user_fault(user_movdiri, AC, "MOVDIRI");
    run_user(user_aligned);
    check_eq(trap()->vec, UD, "what is aligned");
    check_eq(supervisor_load(), NO_TRAP, "no alignment checks at CPL 0");
    write_cr0(cr0);
    run_user(user_load);
    check_eq(trap()->vec, UD, "none after CR0.AM is clear again");
}

void test_main(void)
{
    test_movdir();
    test_breakpoint();
    test_split_blocks();
    test_paging_bits();
    write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXSAVE);
    test_split_mmio();
    test_split_wrap();
    asm volatile("xsetbv" : : "c"(0), "a"(COMPONENTS), "d"(0));
    test_xsaves();
    test_xsaves_faults();
    test_guest();
    test_not_canonical();
    test_alignment();
}
