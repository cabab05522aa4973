/*
 * VMX tests: time in guests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define F_TSC_MULTIPLIER    0x2032
#define F_PLE_GAP           0x4020
#define F_PLE_WINDOW        0x4022
#define PROC2_PLE           BIT(10)
#define PROC2_TSC_SCALING   BIT(25)

#define GUEST(name, insn)                                               \
    void name(void);                                                    \
    asm(".pushsection .text\n" #name ": " insn "\nvmcall\n.popsection");

GUEST(g_rdtsc, "rdtsc")
GUEST(g_pauses, "1: pause\ndec %ecx\njnz 1b")

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
}

void test_main(void)
{
    vmx_on();
    test_offset();
    test_scaling();
    test_pause_loop();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
