/*
 * VMX tests: the TSC-deadline mode of the local APIC's timer
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_TSC         0x10
#define MSR_DEADLINE    0x6e0
#define APIC            0xfee00000UL
#define SVR             0xf0
#define IRR             0x200
#define LVT_TIMER       0x320
#define INITIAL_COUNT   0x380
#define CURRENT_COUNT   0x390
#define DIVIDE          0x3e0
#define EOI             0xb0
#define ONE_SHOT        0
#define DEADLINE        (2 << 17)
#define MASKED          BIT(16)
#define VECTOR          0xd1
#define X_EXT_INTR      1
#define FAR             (1ULL << 40)

void g_loop(void);
void g_wrmsr(void);
asm(".pushsection .text\ng_loop: jmp g_loop\n"
    "g_wrmsr: wrmsr\n1: pause\njmp 1b\n.popsection");

static u8 PAGE_ALIGNED msr_bitmap[4096];

static mem32 *reg(int offset)
{
    return (mem32 *)(APIC + offset);
}

static u64 rdtsc(void)
{
    u32 lo, hi;

    asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (u64)hi << 32;
}

/* Interrupts are disabled: the vector stays in the IRR. */
static bool pending(void)
{
    return *reg(IRR + VECTOR / 32 * 16) & (1U << VECTOR % 32);
}

static bool pending_soon(void)
{
    u64 start = timer_read();

    while (!pending() && timer_ns(start) < 1000000000) {
        asm volatile("pause");
    }
    return pending();
}

/* Long enough for the emulator to deliver what has expired */
static bool pending_later(void)
{
    u64 start = timer_read();

    while (timer_ns(start) < 50000000) {
        asm volatile("pause");
    }
    return pending();
}

/* Accept the interrupt by a guest that it makes exit. */
static void take(void)
{
    vm_init(g_loop);
    vset(F_EXIT, vget(F_EXIT) | BIT(15));
    vm_controls(PIN_EXT_INTR, 0, 0);
    vm_exits(X_EXT_INTR, "the interrupt");
    check_eq(vget(F_INTR), INTR(0, VECTOR), "is the timer's");
    *reg(EOI) = 0;
}

static void test_mode(void)
{
    *reg(SVR) |= 0x100;
    *reg(LVT_TIMER) = ONE_SHOT | VECTOR;
    wrmsr(MSR_DEADLINE, rdtsc() + FAR);
    check_eq(rdmsr(MSR_DEADLINE), 0, "no deadline in another mode");
    *reg(DIVIDE) = 0xb;
    *reg(INITIAL_COUNT) = 0xffffffff;
    check(*reg(CURRENT_COUNT) != 0, "which counts");
    *reg(LVT_TIMER) = DEADLINE | VECTOR;
    check_eq(*reg(CURRENT_COUNT), 0, "it has no count in this mode");
    check_eq(rdmsr(MSR_DEADLINE), 0, "it is not armed");
    /* In this mode the count reads as 0, whatever it is. */
    *reg(LVT_TIMER) = ONE_SHOT | MASKED | VECTOR;
    check_eq(*reg(CURRENT_COUNT), 0, "the mode has disarmed the timer");
    *reg(LVT_TIMER) = DEADLINE | VECTOR;
    *reg(INITIAL_COUNT) = 0xffffffff;
    check_eq(*reg(INITIAL_COUNT), 0, "a count that is written is ignored");
    wrmsr(MSR_DEADLINE, rdtsc() + FAR);
    check(rdmsr(MSR_DEADLINE) > FAR, "IA32_TSC_DEADLINE is read back");
    wrmsr(MSR_DEADLINE, rdtsc() + 20000000);
    *reg(LVT_TIMER) = ONE_SHOT | VECTOR;
    *reg(LVT_TIMER) = DEADLINE | VECTOR;
    check_eq(rdmsr(MSR_DEADLINE), 0, "another mode disarms it");
    check(!pending_later(), "nothing has expired");
}

static void test_expires(void)
{
    u64 deadline = rdtsc() + 5000000;

    wrmsr(MSR_DEADLINE, deadline);
    check(pending_soon(), "the timer expires");
    check(rdtsc() >= deadline, "not before its deadline");
    check_eq(rdmsr(MSR_DEADLINE), 0, "it is disarmed");
    take();
    wrmsr(MSR_DEADLINE, 1);
    check(pending_soon(), "a deadline that is over");
    take();
    wrmsr(MSR_DEADLINE, rdtsc() + 20000000);
    wrmsr(MSR_DEADLINE, 0);
    check_eq(rdmsr(MSR_DEADLINE), 0, "0 is no deadline");
    check(!pending_later(), "it disarms the timer");
    *reg(LVT_TIMER) = DEADLINE | MASKED | VECTOR;
    wrmsr(MSR_DEADLINE, 1);
    while (rdmsr(MSR_DEADLINE)) {
        asm volatile("pause");
    }
    check(!pending(), "no interrupt of a masked timer");
    *reg(LVT_TIMER) = DEADLINE | VECTOR;
    check(!pending_later(), "nor when it is unmasked");
}

static void test_tsc(void)
{
    u64 tsc = rdtsc();

    wrmsr(MSR_DEADLINE, tsc + FAR);
    check(!pending_later(), "a deadline far away");
    wrmsr(MSR_TSC, tsc + FAR + 1);
    check(pending_soon(), "writing the TSC lets it pass");
    take();
}

/* A guest without exits uses the processor's TSC, whatever its own is. */
static void guest_writes(u64 offset, u64 ahead, bool expires, const char *what)
{
    u64 deadline;

    vm_init(g_wrmsr);
    vset(F_EXIT, vget(F_EXIT) | BIT(15));
    vm_controls(PIN_EXT_INTR | PIN_TIMER, PROC_MSR_BITMAPS | PROC_TSC_OFFSET,
                0);
    vset(F_PREEMPTION, 100000000 / 32);
    vset(F_MSR_BITMAP, (u64)msr_bitmap);
    vset(F_TSC_OFFSET, offset);
    deadline = rdtsc() + ahead;
    guest_regs[1] = MSR_DEADLINE;
    guest_regs[0] = (u32)deadline;
    guest_regs[2] = deadline >> 32;
    if (expires) {
        vm_exits(X_EXT_INTR, what);
        check_eq(vget(F_INTR), INTR(0, VECTOR), "%s: vector", what);
        *reg(EOI) = 0;
    } else {
        vm_exits(X_TIMER, what);
    }
    wrmsr(MSR_DEADLINE, 0);
}

static void test_guest(void)
{
    guest_writes(2 * FAR, 1000000, true, "a guest's deadline");
    guest_writes(2 * FAR, 2 * FAR, false, "one of its own TSC");
}

void test_main(void)
{
    u32 r[4];

    cpuid(1, r);
    check(r[2] & BIT(24), "CPUID reports the TSC-deadline mode");
    vmx_on();
    test_mode();
    test_expires();
    test_tsc();
    test_guest();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
