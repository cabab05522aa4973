/*
 * VMX tests: time in guests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_TSC             0x10
#define MSR_APIC_BASE       0x1b
#define APIC_EXTD           BIT(10)
#define MSR_X2APIC_SVR      0x80f
#define MSR_X2APIC_LVT      0x832
#define MSR_X2APIC_COUNT    0x838
#define MSR_X2APIC_NOW      0x839
#define MSR_X2APIC_DIVIDE   0x83e
#define F_TSC_MULTIPLIER    0x2032
#define F_PLE_GAP           0x4020
#define F_PLE_WINDOW        0x4022
#define PROC2_PLE           BIT(10)
#define PROC2_TSC_SCALING   BIT(25)

#define GUEST(name, insn)                                               \
    void name(void);                                                    \
    asm(".pushsection .text\n" #name ": " insn "\nvmcall\n.popsection");

GUEST(g_loop, "1: dec %rcx\njnz 1b")
GUEST(g_rdtsc, "rdtsc")
GUEST(g_rdmsr, "rdmsr")
GUEST(g_wrmsr, "wrmsr")
GUEST(g_pauses, "1: pause\ndec %ecx\njnz 1b")
GUEST(g_pause_wrmsr, "pause\nwrmsr\npause")

static u8 PAGE_ALIGNED msr_bitmap[4096];

static u64 rdtsc(void)
{
    u32 lo, hi;

    asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (u64)hi << 32;
}

static u64 guest_tsc(void)
{
    vset(F_GUEST_RIP, (u64)g_rdtsc);
    vm_exits(X_VMCALL, "the guest reads the TSC");
    return (u32)guest_regs[0] | guest_regs[2] << 32;
}

static void between(u64 low, u64 val, u64 high, const char *what)
{
    if (!check(val >= low && val <= high, "%s", what)) {
        printf("# %lx, from %lx to %lx\n", val, low, high);
    }
}

static void test_offset(void)
{
    u64 before, tsc;

    vm_init(g_rdtsc);
    vm_controls(0, PROC_TSC_OFFSET, 0);
    vset(F_TSC_OFFSET, BIT(60));
    before = rdtsc();
    tsc = guest_tsc();
    between(before + BIT(60), tsc, rdtsc() + BIT(60), "TSC with an offset");
    vm_controls(0, 0, 0);
    before = rdtsc();
    tsc = guest_tsc();
    between(before, tsc, rdtsc(), "TSC without the control");
}

/* RDMSR, in the middle of other code */
static void test_rdmsr(void)
{
    u64 before = rdtsc(), tsc = rdmsr(MSR_TSC);

    between(before, tsc, rdtsc(), "RDMSR of the TSC");
    vm_init(g_rdmsr);
    vm_controls(0, PROC_MSR_BITMAPS | PROC_TSC_OFFSET, 0);
    vset(F_MSR_BITMAP, (u64)msr_bitmap);
    vset(F_TSC_OFFSET, BIT(60));
    guest_regs[1] = MSR_TSC;
    before = rdtsc();
    vm_exits(X_VMCALL, "RDMSR of the TSC by a guest");
    tsc = (u32)guest_regs[0] | guest_regs[2] << 32;
    between(before + BIT(60), tsc, rdtsc() + BIT(60), "it has its offset");
}

/* A guest's write to the TSC: to one that is @ahead of it */
static void guest_writes_tsc(void (*fn)(void), u64 pin, u64 proc2, u64 ahead)
{
    u64 tsc;

    vm_init(fn);
    vm_controls(pin, PROC_MSR_BITMAPS, proc2);
    vset(F_MSR_BITMAP, (u64)msr_bitmap);
    tsc = rdtsc() + ahead;
    guest_regs[1] = MSR_TSC;
    guest_regs[0] = (u32)tsc;
    guest_regs[2] = tsc >> 32;
}

/* The preemption timer counts at the TSC's rate, but not the TSC. */
static void test_written(void)
{
    const u64 count = 10000000000ULL / 32;
    u64 before = rdtsc();

    guest_writes_tsc(g_wrmsr, PIN_TIMER, 0, BIT(40));
    vset(F_EXIT, vget(F_EXIT) | EXIT_SAVE_TIMER);
    vset(F_PREEMPTION, count);
    vm_exits(X_VMCALL, "a guest writes the TSC");
    between(before + BIT(40), rdtsc(), before + BIT(41), "which is the host's");
    between(count / 2, vget(F_PREEMPTION), count, "the timer that is saved");
    guest_writes_tsc(g_wrmsr, PIN_TIMER, 0, -BIT(40));
    vset(F_EXIT, vget(F_EXIT) | EXIT_SAVE_TIMER);
    vset(F_PREEMPTION, count);
    vm_exits(X_VMCALL, "a guest sets the TSC back");
    between(count / 2, vget(F_PREEMPTION), count, "the timer that is saved");
}

/* No expiry is lost, however short the time is. */
static void test_expiry(void)
{
    u64 i, lost = 0;

    vm_init(g_loop);
    vm_controls(PIN_TIMER, 0, 0);
    for (i = 0; i < test_rounds(20000); i++) {
        guest_regs[1] = 1 << 28;
        vset(F_GUEST_RIP, (u64)g_loop);
        vset(F_PREEMPTION, random64() % 1000);
        if (vm_enter() != VM_OK || vget(F_REASON) != X_TIMER) {
            lost++;
        }
    }
    check_eq(lost, 0, "the timer expires in each run of a guest");
}

/* The current count of the local APIC's timer */
static void test_x2apic_timer(void)
{
    u64 base = rdmsr(MSR_APIC_BASE), first, second;

    wrmsr(MSR_APIC_BASE, base | APIC_EXTD);
    wrmsr(MSR_X2APIC_SVR, 0x1ff);
    wrmsr(MSR_X2APIC_LVT, BIT(16) | 0xd1);
    wrmsr(MSR_X2APIC_DIVIDE, 0xb);
    wrmsr(MSR_X2APIC_COUNT, 0xffffffff);
    first = rdmsr(MSR_X2APIC_NOW);
    second = rdmsr(MSR_X2APIC_NOW);
    between(1, first, 0xffffffff, "RDMSR of the timer's current count");
    between(1, second, first, "and once more");
    wrmsr(MSR_APIC_BASE, base & ~BIT(11));
    wrmsr(MSR_APIC_BASE, base);
}

/* The multiplier has 48 fractional bits. */
static void test_scaling(void)
{
    u64 before, tsc;

    vm_init(g_rdtsc);
    vm_controls(0, PROC_TSC_OFFSET, PROC2_TSC_SCALING);
    vset(F_TSC_OFFSET, BIT(60));
    vset(F_TSC_MULTIPLIER, 5ULL << 47);
    before = rdtsc();
    tsc = guest_tsc();
    between(before * 5 / 2 + BIT(60), tsc, rdtsc() * 5 / 2 + BIT(60),
            "TSC times 2.5, with an offset");
    vm_controls(0, 0, PROC2_TSC_SCALING);
    before = rdtsc();
    tsc = guest_tsc();
    between(before, tsc, rdtsc(), "TSC scaling needs TSC offsetting");
}

static void pauses(u64 gap, u64 window, u64 count)
{
    vm_init(g_pauses);
    vm_controls(0, 0, PROC2_PLE);
    vset(F_PLE_GAP, gap);
    vset(F_PLE_WINDOW, window);
    guest_regs[1] = count;
}

/* Executions of PAUSE that are near enough to each other are a loop. */
static void test_pause_loop(void)
{
    pauses(0xffffffff, 10000, 200000);
    vm_exits(X_PAUSE, "a loop of PAUSE exits");
    pauses(0xffffffff, 0xffffffff, 10);
    vm_exits(X_VMCALL, "one that is shorter than the window does not");
    pauses(0, 1000, 500);
    vm_exits(X_VMCALL, "PAUSEs further apart than the gap are no loop");
    pauses(0xffffffff, 0, 500);
    vset(F_GUEST_SEL(CS), 0x23);
    vset(F_GUEST_AR(CS), 0xa0fb);
    vset(F_GUEST_SEL(SS), 0x2b);
    vset(F_GUEST_AR(SS), 0xc0f3);
    vm_exits(X_VMCALL, "nor are PAUSEs outside CPL 0");
    /* The write is in the gap, but beyond the window. */
    guest_writes_tsc(g_pause_wrmsr, 0, PROC2_PLE, 0xf0000000);
    vset(F_PLE_GAP, 0xffffffff);
    vset(F_PLE_WINDOW, 0xe0000000);
    vm_exits(X_VMCALL, "a write to the TSC between PAUSEs is no time");
}

void test_main(void)
{
    vmx_on();
    test_rdmsr();
    test_x2apic_timer();
    test_offset();
    test_scaling();
    test_pause_loop();
    test_written();
    test_expiry();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
