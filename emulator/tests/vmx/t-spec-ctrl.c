/*
 * VMX tests: MSRs that control speculation
 *
 * Intel SDM: "Model-Specific Registers", IA32_SPEC_CTRL, IA32_PRED_CMD,
 * IA32_CORE_CAPABILITIES, IA32_ARCH_CAPABILITIES, IA32_FLUSH_CMD, and CPUID
 * leaf 7.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_SPEC_CTRL       0x48
#define MSR_PRED_CMD        0x49
#define MSR_CORE_CAPS       0xcf
#define MSR_ARCH_CAPS       0x10a
#define MSR_FLUSH_CMD       0x10b

/* Bits of IA32_SPEC_CTRL that the machine's CPUID has, and one that it lacks */
#define IBRS                BIT(0)
#define STIBP               BIT(1)
#define SSBD                BIT(2)
#define PSFD                BIT(7)
#define BHI_DIS_S           BIT(10)

/* Of IA32_ARCH_CAPABILITIES: RDCL_NO, IBRS_ALL, no L1D flush at VM entries */
#define ARCH_CAPS_WANTED    0xb

static void test_spec_ctrl(void)
{
    static const u64 good[] = { IBRS, STIBP, SSBD, PSFD };
    u64 val;

    check_eq(rdmsr(MSR_SPEC_CTRL), 0, "IA32_SPEC_CTRL after a reset");
    for (int i = 0; i < ARRAY_SIZE(good); i++) {
        check_eq(try_wrmsr(MSR_SPEC_CTRL, good[i]), NO_TRAP,
                 "IA32_SPEC_CTRL, 0x%lx", good[i]);
        check_eq(rdmsr(MSR_SPEC_CTRL), good[i], "it is kept");
    }
    check_eq(try_wrmsr(MSR_SPEC_CTRL, BHI_DIS_S), GP,
             "a bit that CPUID does not have");
    check_eq(try_wrmsr(MSR_SPEC_CTRL, BIT(63)), GP, "a reserved bit");
    check_eq(rdmsr(MSR_SPEC_CTRL), PSFD, "which change nothing");
    check_eq(try_wrmsr(MSR_SPEC_CTRL, 0), NO_TRAP, "IA32_SPEC_CTRL, 0");
    check_eq(try_rdmsr(MSR_SPEC_CTRL, &val), NO_TRAP, "and back");
    check_eq(val, 0, "it is 0");
}

static void test_command(u32 msr, const char *name)
{
    u64 val;

    check_eq(try_wrmsr(msr, 1), NO_TRAP, "%s", name);
    check_eq(try_wrmsr(msr, 0), NO_TRAP, "%s, nothing to do", name);
    check_eq(try_wrmsr(msr, 2), GP, "%s, reserved bit", name);
    check_eq(try_rdmsr(msr, &val), GP, "%s cannot be read", name);
}

static void test_capabilities(void)
{
    u64 val;

    check_eq(try_rdmsr(MSR_ARCH_CAPS, &val), NO_TRAP, "IA32_ARCH_CAPABILITIES");
    check_eq(val & ARCH_CAPS_WANTED, ARCH_CAPS_WANTED,
             "no L1TF, no Meltdown, enhanced IBRS");
    check_eq(try_wrmsr(MSR_ARCH_CAPS, val), GP, "it cannot be written");
    check_eq(try_rdmsr(MSR_CORE_CAPS, &val), NO_TRAP, "IA32_CORE_CAPABILITIES");
    check_eq(val, 0, "there are none");
    check_eq(try_wrmsr(MSR_CORE_CAPS, val), GP, "it cannot be written");
}

void test_main(void)
{
    u32 eax, ebx, ecx, edx;

    asm volatile("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx)
                 : "a"(7), "c"(0));
    check_eq(edx & 0xfc000400, 0xf4000400,
             "MD_CLEAR, IBRS, L1D_FLUSH, ARCH_ and CORE_CAPABILITIES, SSBD");
    asm volatile("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx)
                 : "a"(7), "c"(2));
    check_eq(edx & 0x1f, 1, "PSFD, and no other control");
    test_spec_ctrl();
    test_command(MSR_PRED_CMD, "IA32_PRED_CMD");
    test_command(MSR_FLUSH_CMD, "IA32_FLUSH_CMD");
    test_capabilities();
}
