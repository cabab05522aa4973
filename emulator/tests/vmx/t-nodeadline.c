/*
 * VMX tests: the local APIC's timer of a processor without TSC-deadline mode
 *
 * SDM: "LVT timer register". Bit 18, with which that mode is selected, is
 * reserved: it stays clear, and WRMSR of it in x2APIC mode is #GP.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_APIC_BASE   0x1b
#define APIC_EXTD       BIT(10)
#define MSR_DEADLINE    0x6e0
#define MSR_LVT_TIMER   0x832
#define MSR_COUNT       0x838
#define MSR_NOW         0x839
#define APIC            0xfee00000UL
#define SVR             0xf0
#define LVT_TIMER       0x320
#define INITIAL_COUNT   0x380
#define CURRENT_COUNT   0x390
#define DIVIDE          0x3e0
#define DEADLINE        (2 << 17)
#define PERIODIC        (1 << 17)
#define MASKED          BIT(16)
#define VECTOR          0xd1

static mem32 *reg(int offset)
{
    return (mem32 *)(APIC + offset);
}

static void test_xapic(void)
{
    *reg(SVR) |= 0x100;
    *reg(DIVIDE) = 0xb;
    *reg(LVT_TIMER) = DEADLINE | MASKED | VECTOR;
    check_eq(*reg(LVT_TIMER), MASKED | VECTOR, "the bit stays clear");
    *reg(INITIAL_COUNT) = 0xffffffff;
    check(*reg(CURRENT_COUNT) != 0, "the timer counts");
    *reg(LVT_TIMER) = DEADLINE | PERIODIC | MASKED | VECTOR;
    check_eq(*reg(LVT_TIMER), PERIODIC | MASKED | VECTOR, "others do not");
    check(*reg(CURRENT_COUNT) != 0, "the timer still counts");
}

static void test_x2apic(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_EXTD);
    check_eq(try_wrmsr(MSR_LVT_TIMER, MASKED | VECTOR), NO_TRAP,
             "WRMSR without the bit");
    check_eq(try_wrmsr(MSR_LVT_TIMER, DEADLINE | VECTOR), GP,
             "WRMSR with it");
    check_eq(rdmsr(MSR_LVT_TIMER), MASKED | VECTOR, "changes nothing");
    wrmsr(MSR_COUNT, 0xffffffff);
    check(rdmsr(MSR_NOW) != 0, "the timer counts");
}

void test_main(void)
{
    u32 r[4];
    u64 val;

    cpuid(1, r);
    check_eq(r[2] & BIT(24), 0, "CPUID does not report the mode");
    check_eq(try_rdmsr(MSR_DEADLINE, &val), GP, "RDMSR of IA32_TSC_DEADLINE");
    check_eq(try_wrmsr(MSR_DEADLINE, 0), GP, "WRMSR of it");
    test_xapic();
    test_x2apic();
}
