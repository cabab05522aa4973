/*
 * VMX tests: exits of instructions and exceptions, and their information
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

static u8 PAGE_ALIGNED bitmap_a[4096];
static u8 PAGE_ALIGNED bitmap_b[4096];
static u8 PAGE_ALIGNED msr_bitmap[4096];

/* Code of a guest: the instruction, then VMCALL */
#define GUEST(name, insn)                                               \
    void name(void);                                                    \
    asm(".pushsection .text\n" #name ": " insn "\nvmcall\n.popsection");

GUEST(g_cpuid, "cpuid")
GUEST(g_hlt, "hlt")
GUEST(g_invd, "invd")
GUEST(g_wbinvd, "wbinvd")
GUEST(g_invlpg, "invlpg 0x123456")
GUEST(g_rdtsc, "rdtsc")
GUEST(g_rdtscp, "rdtscp")
GUEST(g_rdpmc, "rdpmc")
GUEST(g_pause, "pause")
GUEST(g_vmxoff, "vmxoff")
GUEST(g_vmread, "vmread %rbx, 0x10(%rax, %rcx, 4)")
GUEST(g_read_cr3, "mov %cr3, %rbx")
GUEST(g_write_cr3, "mov %rdx, %cr3")
GUEST(g_read_cr8, "mov %cr8, %rdi")
GUEST(g_write_cr8, "mov %rsi, %cr8")
GUEST(g_write_cr0, "mov %rax, %cr0")
GUEST(g_write_cr4, "mov %rax, %cr4")
GUEST(g_read_cr0, "mov %cr0, %rax")
GUEST(g_smsw, "smsw %rax")
GUEST(g_lmsw, "lmsw %ax")
GUEST(g_clts, "clts")
GUEST(g_read_dr, "mov %dr3, %rbx")
GUEST(g_write_dr, "mov %rcx, %dr7")
GUEST(g_in, "inb $0x71, %al")
GUEST(g_out_dx, "outl %eax, %dx")
GUEST(g_rep_outs, "rep outsb")
GUEST(g_rdmsr, "rdmsr")
GUEST(g_wrmsr, "wrmsr")
GUEST(g_sgdt, "sgdt 0x8(%rax)")
GUEST(g_lidt, "lidt (%rax)")
GUEST(g_str, "str %ebx")
GUEST(g_lldt, "lldt %cx")
GUEST(g_rdrand, "rdrand %rcx")
GUEST(g_rdseed, "rdseed %ebx")
GUEST(g_rdpid, "rdpid %rax")
GUEST(g_monitor, "monitor")
GUEST(g_mwait, "mwait")
GUEST(g_xsetbv, "xsetbv")
GUEST(g_ud2, "ud2")
GUEST(g_int3, "int3")
GUEST(g_read_0, "mov 0, %rax")
GUEST(g_nop, "nop")

static void exits_insn(u64 reason, u64 qual, u64 len, const char *what)
{
    if (vm_exits(reason, what)) {
        check_eq(vget(F_QUAL), qual, "%s: qualification", what);
        check_eq(vget(F_LEN), len, "%s: length", what);
        check_eq(vget(F_VECTORING), 0, "%s: no vectoring", what);
    }
}

static void not_exits(const char *what)
{
    vm_exits(X_VMCALL, what);
}

/* With the control the guest exits, without it the guest does not. */
static void controlled(void (*fn)(void), u64 proc, u64 proc2, u64 reason,
                       u64 qual, u64 len, const char *what)
{
    vm_init(fn);
    vm_controls(0, proc, proc2);
    exits_insn(reason, qual, len, what);
    vm_skip();
    not_exits(what);
}

static void without(void (*fn)(void), const char *what)
{
    vm_init(fn);
    not_exits(what);
}

static void test_always(void)
{
    controlled(g_cpuid, 0, 0, X_CPUID, 0, 2, "CPUID");
    controlled(g_invd, 0, 0, X_INVD, 0, 2, "INVD");
    controlled(g_vmxoff, 0, 0, X_VMXOFF, 0, 3, "VMXOFF");
    vm_init(g_nop);
    exits_insn(X_VMCALL, 0, 3, "VMCALL");
}

static void test_controls(void)
{
    vm_init(g_hlt);
    vm_controls(PIN_TIMER, PROC_HLT, 0);
    vset(F_PREEMPTION, 10000000);
    exits_insn(X_HLT, 0, 1, "HLT exiting");
    controlled(g_rdtsc, PROC_RDTSC, 0, X_RDTSC, 0, 2, "RDTSC exiting");
    without(g_rdtsc, "RDTSC");
    controlled(g_rdtscp, PROC_RDTSC, PROC2_RDTSCP, X_RDTSCP, 0, 3,
               "RDTSCP with RDTSC exiting");
    controlled(g_rdpmc, PROC_RDPMC, 0, X_RDPMC, 0, 2, "RDPMC exiting");
    controlled(g_pause, PROC_PAUSE, 0, X_PAUSE, 0, 2, "PAUSE exiting");
    without(g_pause, "PAUSE");
    vm_init(g_monitor);
    vm_controls(0, PROC_MONITOR, 0);
    exits_insn(X_MONITOR, 0, 3, "MONITOR exiting");
    without(g_monitor, "MONITOR");
    vm_init(g_mwait);
    vm_controls(0, PROC_MWAIT, 0);
    exits_insn(X_MWAIT, 0, 3, "MWAIT exiting");
    controlled(g_invlpg, PROC_INVLPG, 0, X_INVLPG, 0x123456, 8,
               "INVLPG exiting");
    without(g_invlpg, "INVLPG");
    controlled(g_wbinvd, 0, PROC2_WBINVD, X_WBINVD, 0, 2, "WBINVD exiting");
    without(g_wbinvd, "WBINVD");
}

static void test_vmread_info(void)
{
    vm_init(g_vmread);
    exits_insn(X_VMREAD, 0x10, 5, "VMREAD");
    /* 64-bit address, DS, scale 4, index RCX, base RAX, reg2 RBX */
    check_eq(vget(F_INFO), 2 | 2 << 7 | 3 << 15 | 1 << 18 | 0 << 23 | 3 << 28,
             "VMREAD: instruction information");
}

static void test_cr3_cr8(void)
{
    u64 cr3 = read_cr3();

    controlled(g_read_cr3, PROC_CR3_STORE, 0, X_CR, 3 | 1 << 4 | 3 << 8, 3,
               "CR3-store exiting");
    without(g_read_cr3, "MOV from CR3");
    vm_init(g_write_cr3);
    guest_regs[2] = cr3;
    vm_controls(0, PROC_CR3_LOAD, 0);
    exits_insn(X_CR, 3 | 2 << 8, 3, "CR3-load exiting");
    vset(F_CR3_TARGETS, 2);
    vset(F_CR3_TARGET(1), cr3);
    not_exits("a CR3 target");
    controlled(g_read_cr8, PROC_CR8_STORE, 0, X_CR, 8 | 1 << 4 | 7 << 8, 4,
               "CR8-store exiting");
    controlled(g_write_cr8, PROC_CR8_LOAD, 0, X_CR, 8 | 6 << 8, 4,
               "CR8-load exiting");
}

static void test_cr0(void)
{
    u64 cr0 = read_cr0();

    vm_init(g_write_cr0);
    guest_regs[0] = cr0 | BIT(3);
    vset(F_CR0_MASK, BIT(3));
    exits_insn(X_CR, 0, 3, "MOV to CR0, a bit of the host");
    vset(F_CR0_SHADOW, BIT(3));
    not_exits("MOV to CR0, as the shadow has it");
    check_eq(vget(F_GUEST_CR0) & BIT(3), 0, "the bit is not written");

    vm_init(g_read_cr0);
    vset(F_CR0_MASK, BIT(3) | BIT(16));
    vset(F_CR0_SHADOW, BIT(3));
    not_exits("MOV from CR0");
    check_eq(guest_regs[0], (cr0 | BIT(3)) & ~BIT(16), "has the shadow");
    vm_init(g_smsw);
    vset(F_CR0_MASK, BIT(3));
    vset(F_CR0_SHADOW, BIT(3));
    not_exits("SMSW");
    check_eq(guest_regs[0] & BIT(3), BIT(3), "has the shadow");

    vm_init(g_clts);
    vset(F_CR0_MASK, BIT(3));
    vset(F_CR0_SHADOW, BIT(3));
    exits_insn(X_CR, 2 << 4, 2, "CLTS");
    vm_init(g_lmsw);
    vset(F_CR0_MASK, BIT(3));
    guest_regs[0] = 0x12b;
    exits_insn(X_CR, 3 << 4 | 0x12b << 16, 3, "LMSW");
    vm_init(g_write_cr4);
    guest_regs[0] = read_cr4() ^ BIT(7);
    vset(F_CR4_MASK, BIT(7));
    vset(F_CR4_SHADOW, read_cr4());
    exits_insn(X_CR, 4, 3, "MOV to CR4");
}

static void test_dr(void)
{
    controlled(g_read_dr, PROC_MOV_DR, 0, X_DR, 3 | 1 << 4 | 3 << 8, 3,
               "MOV from DR3");
    without(g_read_dr, "MOV from DR3");
    controlled(g_write_dr, PROC_MOV_DR, 0, X_DR, 7 | 1 << 8, 3,
               "MOV to DR7");
}

static void test_io(void)
{
    static u8 text[4] = "ab";

    controlled(g_in, PROC_IO, 0, X_IO, 0 | 1 << 3 | 1 << 6 | 0x71 << 16, 2,
               "IN, immediate");
    without(g_in, "IN");
    vm_init(g_out_dx);
    guest_regs[2] = 0x80f0;
    vset(F_IO_BITMAP_A, (u64)bitmap_a);
    vset(F_IO_BITMAP_B, (u64)bitmap_b);
    vm_controls(0, PROC_IO_BITMAPS, 0);
    /* the last of its four bytes */
    bitmap_b[0xf3 / 8] = 1 << (0xf3 % 8);
    exits_insn(X_IO, 3 | 0x80f0ULL << 16, 1, "OUT, bitmap B");
    bitmap_b[0xf3 / 8] = 0;
    not_exits("OUT, not in the bitmap");
    vm_init(g_out_dx);
    guest_regs[2] = 0xffff;
    vset(F_IO_BITMAP_A, (u64)bitmap_a);
    vset(F_IO_BITMAP_B, (u64)bitmap_b);
    vm_controls(0, PROC_IO_BITMAPS, 0);
    exits_insn(X_IO, 3 | 0xffffULL << 16, 1, "OUT that wraps around");

    vm_init(g_rep_outs);
    guest_regs[1] = 2;
    guest_regs[2] = 0x80;
    guest_regs[6] = (u64)text;
    vm_controls(0, PROC_IO, 0);
    exits_insn(X_IO, 1 << 4 | 1 << 5 | 0x80 << 16, 2, "REP OUTS");
    check_eq(vget(F_GLA), (u64)text, "REP OUTS: linear address");
    check_eq(vget(F_INFO) & 0x38380, 2 << 7 | 3 << 15, "REP OUTS: DS, 64 bit");
}

static void msr_case(void (*fn)(void), u32 msr, int at, u64 reason)
{
    memset(msr_bitmap, 0, 4096);
    vm_init(fn);
    guest_regs[1] = msr;
    if (reason == X_WRMSR) {
        guest_regs[0] = (u32)rdmsr(msr);
        guest_regs[2] = rdmsr(msr) >> 32;
    }
    vset(F_MSR_BITMAP, (u64)msr_bitmap);
    vm_controls(0, PROC_MSR_BITMAPS, 0);
    msr_bitmap[at + (msr & 0x1fff) / 8] = 1 << (msr & 7);
    exits_insn(reason, 0, 2, "an MSR in the bitmap");
    msr_bitmap[at + (msr & 0x1fff) / 8] = 0;
    not_exits("an MSR not in the bitmap");
}

static void test_msr(void)
{
    msr_case(g_rdmsr, MSR_PAT, 0, X_RDMSR);
    msr_case(g_rdmsr, MSR_STAR, 1024, X_RDMSR);
    msr_case(g_wrmsr, MSR_PAT, 2048, X_WRMSR);
    msr_case(g_wrmsr, MSR_STAR, 3072, X_WRMSR);
    vm_init(g_rdmsr);
    guest_regs[1] = 0x40000000;
    vset(F_MSR_BITMAP, (u64)msr_bitmap);
    vm_controls(0, PROC_MSR_BITMAPS, 0);
    exits_insn(X_RDMSR, 0, 2, "an MSR of no bitmap");
    controlled(g_rdmsr, 0, 0, X_RDMSR, 0, 2, "RDMSR without bitmaps");
}

static void test_desc(void)
{
    static u8 buf[16];

    vm_init(g_sgdt);
    guest_regs[0] = (u64)buf;
    vm_controls(0, 0, PROC2_DESC);
    exits_insn(X_GDTR_IDTR, 8, 4, "SGDT");
    check_eq(vget(F_INFO) >> 28 & 3, 0, "SGDT: identity");
    check_eq(vget(F_INFO) & (BIT(22) | BIT(27) | 0x7800000), BIT(22),
             "SGDT: base RAX, no index");
    vm_init(g_lidt);
    vm_controls(0, 0, PROC2_DESC);
    exits_insn(X_GDTR_IDTR, 0, 3, "LIDT");
    check_eq(vget(F_INFO) >> 28 & 3, 3, "LIDT: identity");
    vm_init(g_str);
    vm_controls(0, 0, PROC2_DESC);
    exits_insn(X_LDTR_TR, 0, 3, "STR");
    check_eq(vget(F_INFO) & (3ULL << 28 | BIT(10) | 0x78),
             1ULL << 28 | BIT(10) | 3 << 3, "STR: RBX");
    vm_init(g_lldt);
    vm_controls(0, 0, PROC2_DESC);
    exits_insn(X_LDTR_TR, 0, 3, "LLDT");
    without(g_str, "STR");
}

/* #UD unless a control enables the instruction, or it is disabled anyway */
static void undefined(void (*fn)(void), const char *what)
{
    vm_init(fn);
    vset(F_EXCEPTIONS, BIT(UD));
    vm_exits(X_EXCEPTION, what);
    check_eq(vget(F_INTR), INTR(3, UD), "%s: undefined", what);
}

static void test_others(void)
{
    vm_init(g_rdseed);
    vm_controls(0, 0, PROC2_RDSEED);
    exits_insn(X_RDSEED, 0, 3, "RDSEED");
    check_eq(vget(F_INFO) & 0x1878, 1 << 11 | 3 << 3, "RDSEED: RBX, 32 bits");
    vm_init(g_rdrand);
    vm_controls(0, 0, PROC2_RDRAND);
    exits_insn(X_RDRAND, 0, 4, "RDRAND");
    check_eq(vget(F_INFO) & 0x1878, 2 << 11 | 1 << 3, "RDRAND: RCX, 64 bits");
    undefined(g_rdtscp, "RDTSCP that is not enabled");
    undefined(g_rdpid, "RDPID that is not enabled");
    vm_init(g_rdpid);
    vm_controls(0, 0, PROC2_RDTSCP);
    not_exits("RDPID");
    undefined(g_xsetbv, "XSETBV without CR4.OSXSAVE");
    vm_init(g_xsetbv);
    vset(F_GUEST_CR4, read_cr4() | BIT(18));
    exits_insn(X_XSETBV, 0, 3, "XSETBV");
}

static void test_exceptions(void)
{
    mem64 *pte = host_pte(0);

    vm_init(g_ud2);
    vset(F_EXCEPTIONS, BIT(UD));
    vm_exits(X_EXCEPTION, "#UD");
    check_eq(vget(F_INTR), INTR(3, UD), "#UD: information");
    vm_init(g_int3);
    vset(F_EXCEPTIONS, BIT(3));
    exits_insn(X_EXCEPTION, 0, 1, "INT3");
    check_eq(vget(F_INTR), INTR(6, 3), "INT3: a software exception");

    *pte &= ~PTE_P;
    flush_tlb();
    vm_init(g_read_0);
    vset(F_EXCEPTIONS, BIT(PF));
    vm_exits(X_EXCEPTION, "#PF");
    check_eq(vget(F_INTR), INTR(3, PF) | INTR_ERROR, "#PF: information");
    check_eq(vget(F_INTR_ERROR), 0, "#PF: error code");
    check_eq(vget(F_QUAL), 0, "#PF: address");
    /* does not match: the bit has the opposite meaning */
    vset(F_PF_MASK, PF_P);
    vset(F_PF_MATCH, PF_P);
    vset(F_EXCEPTIONS, 0);
    vm_exits(X_EXCEPTION, "#PF that does not match");
    *pte |= PTE_P;
    flush_tlb();
}

/*
 * No IDT: the exception cannot be delivered, and neither can its double fault.
 */
static void test_triple_fault(void)
{
    vm_init(g_ud2);
    vset(F_GUEST_LIMIT(IDTR), 0);
    vm_exits(X_TRIPLE_FAULT, "triple fault");
    check_eq(vget(F_VECTORING), 0, "triple fault: no vectoring");
    vm_init(g_ud2);
    vset(F_GUEST_LIMIT(IDTR), 0);
    vset(F_EXCEPTIONS, BIT(GP));
    vm_exits(X_EXCEPTION, "#GP while #UD is delivered");
    check_eq(vget(F_INTR), INTR(3, GP) | INTR_ERROR, "information");
    check_eq(vget(F_INTR_ERROR), UD * 8 + 3, "error code, with EXT");
    check_eq(vget(F_VECTORING), INTR(3, UD), "vectoring: #UD");
}

static void test_events(void)
{
    vm_init(g_nop);
    vm_controls(0, PROC_MTF, 0);
    vm_exits(X_MTF, "monitor trap flag");
    check_eq(vget(F_GUEST_RIP), (u64)g_nop + 1, "after one instruction");
    vm_init(g_nop);
    vm_controls(PIN_TIMER, 0, 0);
    vset(F_PREEMPTION, 0);
    vm_exits(X_TIMER, "preemption timer of 0");
    check_eq(vget(F_GUEST_RIP), (u64)g_nop, "before an instruction");
    vset(F_PREEMPTION, 0xffffffff);
    vm_exits(X_VMCALL, "preemption timer, far away");
}

static void test_inject(void)
{
    vm_init(g_nop);
    vset(F_GUEST_LIMIT(IDTR), 0);
    vset(F_EXCEPTIONS, BIT(GP));
    vset(F_ENTRY_INTR, INTR(3, PF) | INTR_ERROR);
    vset(F_ENTRY_ERROR, 6);
    vm_exits(X_EXCEPTION, "#PF injected without an IDT");
    check_eq(vget(F_VECTORING), INTR(3, PF) | INTR_ERROR, "vectoring: #PF");
    check_eq(vget(0x440a), 6, "vectoring: its error code");
    check_eq(vget(F_ENTRY_INTR) & INTR_VALID, 0, "no longer to be injected");
    vset(F_ENTRY_INTR, INTR(4, 0x20));
    vset(F_ENTRY_LEN, 2);
    vm_exits(X_EXCEPTION, "INT 20h injected");
    check_eq(vget(F_VECTORING), INTR(4, 0x20), "vectoring: INT 20h");
    check_eq(vget(F_LEN), 2, "its length");
    vset(F_ENTRY_INTR, INTR(7, 0));
    vm_exits(X_MTF, "an MTF VM exit injected");
}

void test_main(void)
{
    vmx_on();
    test_always();
    test_controls();
    test_vmread_info();
    test_cr3_cr8();
    test_cr0();
    test_dr();
    test_io();
    test_msr();
    test_desc();
    test_others();
    test_exceptions();
    test_triple_fault();
    test_events();
    test_inject();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
