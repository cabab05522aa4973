/*
 * VMX tests: debug exceptions of hosts and guests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define TRAP_FLAG   BIT(8)
#define BS          BIT(14)
#define BD          BIT(13)
#define ENABLED_BREAKPOINT  BIT(12)     /* pending debug exceptions */
#define GENERAL_DETECT      BIT(13)     /* DR7 */
#define WRITE_8             (BIT(0) | 1 << 16 | 2 << 18)
#define ACCESS_1            (BIT(0) | 3 << 16)
#define ENTRY_LOAD_DEBUG    BIT(2)
#define BLOCKING_BY_STI     1
#define BLOCKING_BY_MOV_SS  2
#define FAR         (8ULL << 20)

#define GUEST(name, insn)                                               \
    void name(void);                                                    \
    asm(".pushsection .text\n" #name ": " insn "\nvmcall\n.popsection");

GUEST(g_vmcall, "")
GUEST(g_nop, "nop")
GUEST(g_hlt, "hlt")
GUEST(g_ud2, "ud2")
GUEST(g_movsb, "movsb")
GUEST(g_read_dr0, "mov %dr0, %rax")

static u64 guest_idt[2 * 64];
static mem64 var;

static void set_gate(int vec, void (*fn)(void))
{
    u64 at = (u64)fn;

    guest_idt[2 * vec] = (at & 0xffff) | 8 << 16 | 0x8eULL << 40 |
                         (at >> 16 & 0xffff) << 48;
    guest_idt[2 * vec + 1] = at >> 32;
}

/* A guest with an IDT of its own */
static void guest(void (*fn)(void))
{
    vm_init(fn);
    memset(guest_idt, 0, sizeof(guest_idt));
    vset(F_GUEST_BASE(IDTR), (u64)guest_idt);
    vset(F_GUEST_LIMIT(IDTR), sizeof(guest_idt) - 1);
    vset(F_ENTRY, vget(F_ENTRY) | ENTRY_LOAD_DEBUG);
}

static u64 read_dr6(void)
{
    u64 val;

    asm volatile("mov %%dr6, %0" : "=r"(val));
    return val;
}

static void set_dr6(u64 val)
{
    asm volatile("mov %0, %%dr6" : : "r"(val));
}

static void set_breakpoint(u64 addr, u64 dr7)
{
    asm volatile("mov %0, %%dr0\nmov %1, %%dr7" : : "r"(addr), "r"(dr7));
}

/* A data breakpoint of the host is hit, after one of a guest. */
static void check_breakpoint(const char *what)
{
    set_dr6(0);
    trap()->vec = NO_TRAP;
    set_breakpoint((u64)&var, WRITE_8);
    var = 1;
    set_breakpoint(0, 0);
    check_eq(trap()->vec, DB, "a data breakpoint of the host, after %s", what);
    check_eq(read_dr6() & 0xf, 1, "it is reported");
}

/* A guest exits before a data breakpoint, which is hit, becomes a trap. */
static void test_breakpoint_left(void)
{
    guest(g_vmcall);
    set_gate(0x30, g_vmcall);
    set_gate(DB, g_vmcall);
    set_breakpoint((vget(F_GUEST_RSP) & ~15ULL) - 8, 0);
    vset(F_GUEST_DR7, 0x400 | WRITE_8);
    vset(F_GUEST_RFLAGS, 0x202);
    vset(F_ENTRY_INTR, INTR(0, 0x30));
    vm_exits(X_VMCALL, "a breakpoint on the stack, an injected interrupt");
    check_breakpoint("one on a guest's stack");
    guest(g_movsb);
    vm_controls(0, 0, PROC2_EPT);
    ept_init();
    *ept_entry(FAR) = 0;
    guest_regs[6] = (u64)&var;
    guest_regs[7] = FAR;
    set_breakpoint((u64)&var, 0);
    vset(F_GUEST_DR7, 0x400 | ACCESS_1);
    vm_exits(X_EPT_VIOLATION, "a breakpoint on the source of MOVSB");
    check_breakpoint("one of a MOVSB that exits");
}

/* #DB after HLT, without an interrupt */
static void test_hlt(void)
{
    u64 dr6 = 0xffff0ff0 | BD;

    set_dr6(dr6);
    guest(g_hlt);
    vm_controls(PIN_TIMER, 0, 0);
    vset(F_PREEMPTION, 100000000);
    vset(F_EXCEPTIONS, BIT(DB));
    vset(F_GUEST_RFLAGS, 2 | TRAP_FLAG);
    vm_exits(X_EXCEPTION, "HLT with RFLAGS.TF");
    check_eq(vget(F_INTR), INTR(3, DB), "is #DB");
    check_eq(vget(F_QUAL), BS, "a single step");
    check_eq(vget(F_GUEST_RIP), (u64)g_hlt + 1, "after HLT");
    check_eq(vget(F_ACTIVITY), 0, "and the guest is active");
    check_eq(read_dr6(), dr6, "DR6 is as it was");
    guest(g_hlt);
    set_gate(DB, g_vmcall);
    vm_controls(PIN_TIMER, 0, 0);
    vset(F_PREEMPTION, 100000000);
    vset(F_GUEST_RFLAGS, 2 | TRAP_FLAG);
    vm_exits(X_VMCALL, "#DB after HLT is delivered");
    check_eq(vget(F_ACTIVITY), 0, "and the guest is active");
}

/* HLT in the host: #DB pushes its frame over a data breakpoint. */
static void test_host_hlt(void)
{
    set_dr6(0);
    trap()->vec = NO_TRAP;
    asm volatile("mov %%rsp, %%rax; and $-16, %%rax; sub $8, %%rax;"
                 "mov %%rax, %%dr0; mov %0, %%dr7;"
                 "pushfq; orl %1, (%%rsp); popfq;"
                 "hlt; nop;"
                 "pushfq; andl %2, (%%rsp); popfq"
                 : : "r"(WRITE_8), "i"(TRAP_FLAG), "i"(~TRAP_FLAG)
                 : "rax", "memory", "cc");
    set_breakpoint(0, 0);
    check_eq(trap()->vec, DB, "#DB after HLT in the host");
    check_eq(read_dr6() & BS, BS, "a single step");
}

static void pending_step(u64 rflags, u64 blocking, const char *what)
{
    guest(g_nop);
    vset(F_EXCEPTIONS, BIT(DB));
    vset(F_GUEST_RFLAGS, rflags | TRAP_FLAG);
    vset(F_INTERRUPTIBILITY, blocking);
    vset(F_PENDING_DBG, BS);
    vm_exits(X_EXCEPTION, what);
    check_eq(vget(F_QUAL), BS, "its cause");
}

/* Blocking by STI does not block debug exceptions, that by MOV SS does. */
static void test_blocking(void)
{
    pending_step(0x202, BLOCKING_BY_STI,
                 "a single step that is pending, after STI");
    check_eq(vget(F_GUEST_RIP), (u64)g_nop, "before an instruction");
    pending_step(2, BLOCKING_BY_MOV_SS,
                 "a single step that is pending, after MOV SS");
    check_eq(vget(F_GUEST_RIP), (u64)g_nop + 1, "after an instruction");
}

/* A breakpoint that MOV SS has delayed, and an instruction that faults */
static void test_fault(void)
{
    guest(g_ud2);
    set_gate(UD, g_read_dr0);
    vset(F_EXCEPTIONS, BIT(DB));
    vset(F_GUEST_DR7, 0x400 | GENERAL_DETECT);
    vset(F_GUEST_RFLAGS, 2 | TRAP_FLAG);
    vset(F_INTERRUPTIBILITY, BLOCKING_BY_MOV_SS);
    vset(F_PENDING_DBG, BS | ENABLED_BREAKPOINT | 1);
    vm_exits(X_EXCEPTION, "general detect in the handler of a fault");
    check_eq(vget(F_GUEST_RIP), (u64)g_read_dr0, "the handler's MOV");
    check_eq(vget(F_QUAL), BD, "its cause, and none from before the fault");
}

/* VMLAUNCH that fails is an instruction like others: a trap follows it. */
static void test_failed_entry(void)
{
    u64 late = 0;

    vmclear(vm_region(1));
    trap()->vec = NO_TRAP;
    asm volatile("pushfq; orl %1, (%%rsp); popfq;"
                 "vmlaunch;"
                 EX("incq %0")
                 "pushfq; andl %2, (%%rsp); popfq"
                 : "+m"(late) : "i"(TRAP_FLAG), "i"(~TRAP_FLAG)
                 : "memory", "cc");
    check_eq(trap()->vec, DB, "#DB after VMLAUNCH that fails");
    check_eq(late, 0, "before the next instruction");
}

void test_main(void)
{
    vmx_on();
    test_breakpoint_left();
    test_hlt();
    test_host_hlt();
    test_blocking();
    test_fault();
    test_failed_entry();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
