/*
 * VMX tests: interrupts, NMIs and debug traps of guests, and when they exit
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define APIC        0xfee00000UL
#define TRAP_FLAG   BIT(8)
#define BS          BIT(14)
#define BD          BIT(13)
#define ENABLED_BREAKPOINT  BIT(12)     /* pending debug exceptions */
#define GENERAL_DETECT      BIT(13)     /* DR7 */
#define ENTRY_LOAD_DEBUG    BIT(2)
#define EXIT_SAVE_DEBUG     BIT(2)

#define X_NMI_WINDOW    8
#define X_INTR_WINDOW   7

#define GUEST(name, insn)                                               \
    void name(void);                                                    \
    asm(".pushsection .text\n" #name ": " insn "\nvmcall\n.popsection");

/* RDI is the APIC's command register. */
GUEST(g_nmi, "movl $0x44400, (%rdi)\nnop")
GUEST(g_nop, "nop")
GUEST(g_sti, "nop\nsti\nnop\nnop")
GUEST(g_sti_vmcall, "sti")
GUEST(g_hlt, "sti\nhlt")
GUEST(g_mov_ss, "mov %eax, %ss")
GUEST(g_iret, "mov %rsp, %rcx\n"
      "pushq %rax\npushq %rcx\npushq $2\npushq $8\npushq %rbx\niretq")
GUEST(g_read_dr0, "mov %dr0, %rax")
GUEST(g_read_0, "mov 0, %rax")

static void guest(void (*fn)(void), u64 pin, u64 proc)
{
    vm_init(fn);
    vm_controls(pin, proc, 0);
    guest_regs[7] = APIC + 0x300;
    *(mem32 *)(APIC + 0xf0) |= 0x100;
}

static void test_nmi(void)
{
    guest(g_nmi, PIN_NMI, 0);
    vm_exits(X_EXCEPTION, "NMI exiting");
    check_eq(vget(F_INTR), INTR(2, 2), "an NMI");
    check_eq(vget(F_INTERRUPTIBILITY) & 8, 0, "the guest's are not blocked");
    /* The host has not executed IRET since. */
    asm volatile("push %%rax\nmov %%ss, %%eax\npush %%rax\n"
                 "lea 8(%%rsp), %%rax\npush %%rax\npushf\nmov %%cs, %%eax\npush %%rax\n"
                 "lea 1f(%%rip), %%rax\npush %%rax\niretq\n1: pop %%rax"
                 : : : "memory", "cc");
    guest(g_nmi, PIN_NMI, 0);
    vset(F_INTERRUPTIBILITY, 8);
    vm_exits(X_VMCALL, "NMIs are blocked");
    check_eq(vget(F_INTERRUPTIBILITY) & 8, 8, "and stay blocked");
}

/* The NMI that was blocked above is pending. */
static void test_virtual_nmi(void)
{
    guest(g_nop, PIN_NMI | PIN_VNMI, 0);
    vset(F_INTERRUPTIBILITY, 8);
    vm_exits(X_EXCEPTION, "blocking of virtual NMIs does not block NMIs");
    check_eq(vget(F_INTR), INTR(2, 2), "an NMI");
    check_eq(vget(F_INTERRUPTIBILITY) & 8, 8, "virtual NMIs are blocked");
}

static void iret(u64 pin, u64 want, const char *what)
{
    vm_init(g_iret);
    vm_controls(pin, 0, 0);
    vset(F_INTERRUPTIBILITY, 8);
    guest_regs[0] = 0x10;
    guest_regs[3] = (u64)g_nop;
    vm_exits(X_VMCALL, what);
    check_eq(vget(F_INTERRUPTIBILITY) & 8, want, "%s: blocking", what);
}

static void test_iret(void)
{
    iret(0, 0, "IRET unblocks NMIs");
    iret(PIN_NMI, 8, "IRET with NMI exiting does not");
    iret(PIN_NMI | PIN_VNMI, 0, "IRET unblocks virtual NMIs");
}

static void test_windows(void)
{
    guest(g_sti, 0, PROC_INTR_WINDOW);
    vm_exits(X_INTR_WINDOW, "interrupt window");
    check_eq(vget(F_GUEST_RIP), (u64)g_sti + 3,
             "after STI and the next instruction");
    guest(g_nop, 0, PROC_INTR_WINDOW);
    vm_exits(X_VMCALL, "no window with RFLAGS.IF clear");
    guest(g_nop, PIN_NMI | PIN_VNMI, PROC_NMI_WINDOW);
    vm_exits(X_NMI_WINDOW, "NMI window");
    check_eq(vget(F_GUEST_RIP), (u64)g_nop, "before an instruction");
    guest(g_nop, PIN_NMI | PIN_VNMI, PROC_NMI_WINDOW);
    vset(F_INTERRUPTIBILITY, 8);
    vm_exits(X_VMCALL, "no window while virtual NMIs are blocked");
}

/* What an instruction before the exit has blocked */
static void test_shadow(void)
{
    guest(g_sti_vmcall, 0, 0);
    vm_exits(X_VMCALL, "STI");
    check_eq(vget(F_INTERRUPTIBILITY), 1, "blocking by STI");
    guest(g_mov_ss, 0, 0);
    guest_regs[0] = 0x10;
    vset(F_GUEST_RFLAGS, 2 | TRAP_FLAG);
    vset(F_EXCEPTIONS, BIT(DB));
    vm_exits(X_VMCALL, "MOV SS with RFLAGS.TF");
    check_eq(vget(F_INTERRUPTIBILITY), 2, "blocking by MOV SS");
    check_eq(vget(F_PENDING_DBG) & BS, BS, "the trap is pending");
}

static void test_debug(void)
{
    guest(g_nop, 0, 0);
    vset(F_EXCEPTIONS, BIT(DB));
    vset(F_GUEST_RFLAGS, 2 | TRAP_FLAG);
    vset(F_PENDING_DBG, BS);
    vm_exits(X_EXCEPTION, "a trap that is pending");
    check_eq(vget(F_INTR), INTR(3, DB), "is #DB");
    check_eq(vget(F_QUAL) & BS, BS, "a single step");
    check_eq(vget(F_GUEST_RIP), (u64)g_nop, "before an instruction");
    guest(g_nop, 0, PROC_MTF);
    vset(F_EXCEPTIONS, BIT(DB));
    vset(F_GUEST_RFLAGS, 2 | TRAP_FLAG);
    vm_exits(X_MTF, "MTF has priority over a single step");
    check_eq(vget(F_PENDING_DBG) & BS, BS, "which is pending");
}

/* "Priority Among Concurrent Events": all of them are due at VM entry. */
static void test_order(void)
{
    u64 proc = PROC_NMI_WINDOW | PROC_INTR_WINDOW;

    guest(g_nop, PIN_NMI | PIN_VNMI | PIN_TIMER, proc);
    vset(F_GUEST_RFLAGS, 0x202);
    vset(F_PREEMPTION, 0);
    vset(F_ENTRY_INTR, INTR(7, 0));
    vm_exits(X_MTF, "a pending MTF VM exit goes first");
    check_eq(vget(F_GUEST_RIP), (u64)g_nop, "before an instruction");
    vm_exits(X_TIMER, "then the timer");
    vm_controls(PIN_NMI | PIN_VNMI, proc, 0);
    vm_exits(X_NMI_WINDOW, "then an NMI window");
    vm_controls(PIN_NMI | PIN_VNMI, PROC_INTR_WINDOW, 0);
    vm_exits(X_INTR_WINDOW, "then an interrupt window");
    check_eq(vget(F_GUEST_RIP), (u64)g_nop, "all before an instruction");
    vm_controls(0, 0, 0);
    vm_exits(X_VMCALL, "and then the guest");
}

static u64 read_dr6(void)
{
    u64 val;

    asm volatile("mov %%dr6, %0" : "=r"(val));
    return val;
}

/* A #DB that exits changes neither DR6 nor DR7, and reports what is new. */
static void test_debug_regs(void)
{
    u64 dr6 = 0xffff0ff0 | BD | 2;

    asm volatile("mov %0, %%dr6" : : "r"(dr6));
    guest(g_nop, 0, 0);
    vset(F_EXCEPTIONS, BIT(DB));
    vset(F_GUEST_RFLAGS, 2 | TRAP_FLAG);
    vm_exits(X_EXCEPTION, "a single step");
    check_eq(vget(F_QUAL), BS, "its cause");
    check_eq(read_dr6(), dr6, "DR6 is as it was");
    guest(g_nop, 0, 0);
    vset(F_EXCEPTIONS, BIT(DB));
    vset(F_GUEST_RFLAGS, 2 | TRAP_FLAG);
    vset(F_INTERRUPTIBILITY, 2);
    vset(F_PENDING_DBG, BS | ENABLED_BREAKPOINT | 1);
    vm_exits(X_EXCEPTION, "a breakpoint that MOV SS has delayed");
    check_eq(vget(F_QUAL), BS | 1, "its cause, and the single step");
    check_eq(vget(F_GUEST_RIP), (u64)g_nop + 1, "after an instruction");
    guest(g_read_dr0, 0, 0);
    vset(F_EXCEPTIONS, BIT(DB));
    vset(F_ENTRY, vget(F_ENTRY) | ENTRY_LOAD_DEBUG);
    vset(F_EXIT, vget(F_EXIT) | EXIT_SAVE_DEBUG);
    vset(F_GUEST_DR7, 0x400 | GENERAL_DETECT);
    vm_exits(X_EXCEPTION, "general detect");
    check_eq(vget(F_QUAL), BD, "its cause");
    check_eq(vget(F_GUEST_DR7), 0x400 | GENERAL_DETECT, "DR7 is as it was");
    check_eq(read_dr6(), dr6, "and so is DR6");
}

/* A guest halts, and exits. */
static void halt(void)
{
    u64 ticks = 1000;
    int r;

    /* On a slow machine the timer expires before HLT. */
    do {
        guest(g_hlt, PIN_TIMER, 0);
        vset(F_EXIT, vget(F_EXIT) | EXIT_SAVE_TIMER);
        vset(F_PREEMPTION, ticks);
        r = vm_enter();
        ticks *= 4;
    } while (r == VM_OK && vget(F_GUEST_RIP) != (u64)g_hlt + 2 &&
             ticks < BIT(30));
    check_eq(r, VM_OK, "a guest that halts");
    check_eq(vget(F_REASON), X_TIMER, "the timer expires");
    check_eq(vget(F_ACTIVITY), 1, "activity state HLT");
}

static void test_halted(void)
{
    halt();
    check_eq(vget(F_PREEMPTION), 0, "the timer is saved");
    check_eq(vget(F_GUEST_RIP), (u64)g_hlt + 2, "after HLT");
    guest(g_nop, PIN_TIMER, 0);
    vset(F_EXIT, vget(F_EXIT) | EXIT_SAVE_TIMER);
    vset(F_PREEMPTION, 0xffffffff);
    vm_exits(X_VMCALL, "the timer runs");
    check(vget(F_PREEMPTION) < 0xffffffff, "it has counted");
}

/* The activity state is the VMCS's, and not that of the guest that ran last. */
static void test_activity(void)
{
    u64 hlt;

    for (hlt = 0; hlt < 2; hlt++) {
        halt();
        guest(g_nop, 0, 0);
        vset(F_ACTIVITY, hlt);
        vset(F_EXCEPTIONS, BIT(DB));
        vset(F_GUEST_RFLAGS, 2 | TRAP_FLAG);
        vset(F_PENDING_DBG, BS);
        vm_exits(X_EXCEPTION, "a trap that is pending");
        check_eq(vget(F_ACTIVITY), hlt, "activity state %lu", hlt);
        halt();
        guest(g_nop, 0, 0);
        vset(F_ACTIVITY, hlt);
        vset(F_ENTRY_INTR, INTR(7, 0));
        vm_exits(X_MTF, "a pending MTF VM exit");
        check_eq(vget(F_ACTIVITY), hlt, "activity state %lu", hlt);
    }
}

static u64 read_cr2(void)
{
    u64 val;

    asm volatile("mov %%cr2, %0" : "=r"(val));
    return val;
}

static void test_cr2(void)
{
    mem64 *pte = host_pte(0);

    *pte &= ~PTE_P;
    flush_tlb();
    asm volatile("mov %0, %%cr2" : : "r"(0x1234ULL));
    guest(g_read_0, 0, 0);
    vset(F_EXCEPTIONS, BIT(PF));
    vm_exits(X_EXCEPTION, "#PF");
    check_eq(read_cr2(), 0x1234, "a #PF that exits does not change CR2");
    *pte |= PTE_P;
    flush_tlb();
}

void test_main(void)
{
    check_ext(1);
    vmx_on();
    test_iret();
    test_nmi();
    test_virtual_nmi();
    test_windows();
    test_shadow();
    test_debug();
    test_order();
    test_debug_regs();
    test_halted();
    test_activity();
    test_cr2();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
