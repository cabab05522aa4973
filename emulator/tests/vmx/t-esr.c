/*
 * VMX tests: the local APIC's error status register
 *
 * SDM: "Error Handling". A write latches what has been detected since the last
 * write, so that a second write clears it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_APIC_BASE   0x1b
#define APIC_EXTD       BIT(10)
#define APIC            0xfee00000UL
#define ID              0x20
#define RESERVED        0x40
#define ESR             0x280
#define ILLEGAL_ADDRESS BIT(7)
#define MSR_X2APIC(reg) (0x800 + (reg) / 16)
#define LVT_CMCI        0x2f0           /* this processor has none */

static mem32 *reg(int offset)
{
    return (mem32 *)(APIC + offset);
}

static void test_latch(u32 want, const char *what)
{
    check_eq(*reg(ESR), 0, "%s: not before a write", what);
    *reg(ESR) = 0;
    check_eq(*reg(ESR), want, "%s: after it", what);
    check_eq(*reg(ESR), want, "%s: reading changes nothing", what);
    *reg(ESR) = 0;
    check_eq(*reg(ESR), 0, "%s: a second write clears it", what);
}

void test_main(void)
{
    u64 val;

    *reg(ESR) = 0;
    *reg(ESR) = 0;
    (void)*reg(ID);
    test_latch(0, "a register");
    (void)*reg(RESERVED);
    test_latch(ILLEGAL_ADDRESS, "a load where there is no register");
    *reg(RESERVED) = 0;
    test_latch(ILLEGAL_ADDRESS, "a store where there is no register");
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_EXTD);
    check_eq(try_rdmsr(MSR_X2APIC(RESERVED), &val), GP, "RDMSR of no register");
    check_eq(try_rdmsr(MSR_X2APIC(LVT_CMCI), &val), GP, "RDMSR of LVT CMCI");
    check_eq(try_wrmsr(MSR_X2APIC(LVT_CMCI), 0), GP, "WRMSR of LVT CMCI");
    wrmsr(MSR_X2APIC(ESR), 0);
    check_eq(rdmsr(MSR_X2APIC(ESR)), 0, "a #GP is no error of the APIC");
}
