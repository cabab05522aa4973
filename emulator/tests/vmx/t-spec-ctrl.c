/*
 * VMX tests: MSRs that control speculation
 *
 * Intel SDM: "Model-Specific Registers", IA32_SPEC_CTRL, IA32_PRED_CMD,
 * IA32_CORE_CAPABILITIES, IA32_ARCH_CAPABILITIES, IA32_FLUSH_CMD, and CPUID
 * leaf 7. The MSRs and their bits exist as CPUID says; whether CPUID is that
 * of the processor, the runner checks.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_SPEC_CTRL       0x48
#define MSR_PRED_CMD        0x49
#define MSR_CORE_CAPS       0xcf
#define MSR_ARCH_CAPS       0x10a
#define MSR_FLUSH_CMD       0x10b

/* CPUID leaf 7, EDX */
#define SPEC_CTRL           BIT(26)
#define STIBP               BIT(27)
#define FLUSH_L1D           BIT(28)
#define ARCH_CAPS           BIT(29)
#define CORE_CAPS           BIT(30)
#define SSBD                BIT(31)
#define LEAF7_BITS          0xfc000400
/* Subleaf 2, EDX */
#define PSFD                BIT(0)
#define IPRED_CTRL          BIT(1)
#define RRSBA_CTRL          BIT(2)
#define DDPD_U              BIT(3)
#define BHI_CTRL            BIT(4)
#define LEAF7_2_BITS        0x1f

/* Of IA32_ARCH_CAPABILITIES: RDCL_NO, IBRS_ALL, no L1D flush at VM entries */
#define ARCH_CAPS_WANTED    0xb

static u32 leaf7(u32 subleaf)
{
    u32 eax, ebx, ecx, edx;

    asm volatile("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx)
                 : "a"(7), "c"(subleaf));
    return edx;
}

/* CPUID bits of which one is enough for each bit of IA32_SPEC_CTRL */
static const struct {
    u32 leaf7, leaf7_2;
} spec_ctrl[64] = {
    { .leaf7 = SPEC_CTRL },
    { .leaf7 = SPEC_CTRL | STIBP },
    { .leaf7 = SSBD },
    { .leaf7_2 = IPRED_CTRL },
    { .leaf7_2 = IPRED_CTRL },
    { .leaf7_2 = RRSBA_CTRL },
    { .leaf7_2 = RRSBA_CTRL },
    { .leaf7_2 = PSFD },
    { .leaf7_2 = DDPD_U },
    [10] = { .leaf7_2 = BHI_CTRL },
};

static void test_spec_ctrl(void)
{
    u64 val, kept = 0, bits = 0;
    int i;

    for (i = 0; i < 64; i++) {
        if ((leaf7(0) & spec_ctrl[i].leaf7) ||
            (leaf7(2) & spec_ctrl[i].leaf7_2)) {
            bits |= BIT(i);
        }
    }
    check_eq(try_rdmsr(MSR_SPEC_CTRL, &val), bits ? NO_TRAP : GP,
             "RDMSR of IA32_SPEC_CTRL");
    check_eq(val, 0, "which is 0 after a reset");
    for (i = 0; i < 64; i++) {
        bool good = bits & BIT(i);

        check_eq(try_wrmsr(MSR_SPEC_CTRL, BIT(i)), good ? NO_TRAP : GP,
                 "IA32_SPEC_CTRL, bit %d", i);
        kept = good ? BIT(i) : kept;
        try_rdmsr(MSR_SPEC_CTRL, &val);
        check_eq(val, kept, "what it has then");
    }
    check_eq(try_wrmsr(MSR_SPEC_CTRL, bits), bits ? NO_TRAP : GP, "all bits");
    try_rdmsr(MSR_SPEC_CTRL, &val);
    check_eq(val, bits, "are kept");
    check_eq(try_wrmsr(MSR_SPEC_CTRL, 0), bits ? NO_TRAP : GP, "none");
    try_rdmsr(MSR_SPEC_CTRL, &val);
    check_eq(val, 0, "it is 0");
}

static void test_command(u32 msr, u32 bit, const char *name)
{
    int there = leaf7(0) & bit ? NO_TRAP : GP;
    u64 val;

    check_eq(try_wrmsr(msr, 1), there, "%s", name);
    check_eq(try_wrmsr(msr, 0), there, "%s, nothing to do", name);
    check_eq(try_wrmsr(msr, 2), GP, "%s, reserved bit", name);
    check_eq(try_rdmsr(msr, &val), GP, "%s cannot be read", name);
}

static void test_capabilities(void)
{
    bool arch = leaf7(0) & ARCH_CAPS, core = leaf7(0) & CORE_CAPS;
    u64 val;

    check_eq(try_rdmsr(MSR_ARCH_CAPS, &val), arch ? NO_TRAP : GP,
             "IA32_ARCH_CAPABILITIES");
    check_eq(val & ARCH_CAPS_WANTED, arch ? ARCH_CAPS_WANTED : 0,
             "no L1TF, no Meltdown, enhanced IBRS");
    check_eq(try_wrmsr(MSR_ARCH_CAPS, val), GP, "it cannot be written");
    check_eq(try_rdmsr(MSR_CORE_CAPS, &val), core ? NO_TRAP : GP,
             "IA32_CORE_CAPABILITIES");
    check_eq(val, 0, "there are none");
    check_eq(try_wrmsr(MSR_CORE_CAPS, val), GP, "it cannot be written");
}

void test_main(void)
{
    printf("# CPUID leaf 7: %x, %x\n", leaf7(0) & (u32)LEAF7_BITS,
           leaf7(2) & LEAF7_2_BITS);
    test_spec_ctrl();
    test_command(MSR_PRED_CMD, SPEC_CTRL, "IA32_PRED_CMD");
    test_command(MSR_FLUSH_CMD, FLUSH_L1D, "IA32_FLUSH_CMD");
    test_capabilities();
}
