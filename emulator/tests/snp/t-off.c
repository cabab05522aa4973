/*
 * SEV-SNP tests: a CPU without it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rmp.h"

#define SOME_PAGE   0x10000000ULL

void test_main(void)
{
    struct rmp_state state = { .assigned = 1, .asid = 5 };
    u32 r[4];
    u64 val;

    cpuid(1, r);
    check(!!(r[2] & BIT(31)), "the hypervisor bit is set");
    cpuid(0x80000000, r);
    if (r[0] >= 0x8000001f) {
        cpuid(0x8000001f, r);
        check_eq(r[0], 0, "CPUID Fn8000_001F has no features");
    }
    try_rdmsr(MSR_SYSCFG, &val);
    check(!(val & (SYSCFG_SMEE | SYSCFG_SNPEN)), "SYSCFG has neither");
    try_wrmsr(MSR_SYSCFG, SYSCFG_SMEE);
    try_wrmsr(MSR_SYSCFG, SYSCFG_SMEE | SYSCFG_SNPEN);
    try_rdmsr(MSR_SYSCFG, &val);
    check(!(val & (SYSCFG_SMEE | SYSCFG_SNPEN)), "nor can it be set");
    check(rmpupdate(SOME_PAGE, &state) == -1 && trap()->vec == UD,
          "RMPUPDATE is #UD");
    check(psmash(SOME_PAGE) == -1 && trap()->vec == UD, "PSMASH is #UD");
    check(rmpread(SOME_PAGE, &state) == -1 && trap()->vec == UD,
          "RMPREAD is #UD");
    check_eq(try_write(SOME_PAGE, 1), NO_TRAP, "memory is just memory");
}
