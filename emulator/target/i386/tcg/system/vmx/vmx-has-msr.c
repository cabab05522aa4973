/*
 * VMX: MSRs that a processor does not have
 *
 * "Architectural MSRs" has the feature of CPUID or of another MSR that each of
 * them comes with. Model-specific MSRs are not listed there: those that are not
 * emulated read as 0.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "tcg/vmx-hooks.h"
#include "vmx-internal.h"

/*
 * In ascending order. Entries for the same MSRs are alternatives, and so are
 * the bits of one entry. No processor has MSRs without a bit with TCG.
 */
static const struct {
    uint32_t first, last;
    FeatureWord word;
    uint64_t bits;
} msr_features[] = {
    { 0x6, 0x6, FEAT_1_ECX, CPUID_EXT_MONITOR },
    { MSR_TSC_ADJUST, MSR_TSC_ADJUST,
      FEAT_7_0_EBX, CPUID_7_0_EBX_TSC_ADJUST },
    /* IA32_MKTME_KEYID_PARTITIONING */
    { 0x87, 0x87, FEAT_7_0_ECX, CPUID_7_0_ECX_TME },
    { MSR_IA32_SGXLEPUBKEYHASH0, MSR_IA32_SGXLEPUBKEYHASH3,
      FEAT_7_0_ECX, CPUID_7_0_ECX_SGX_LC },
    /* Outside SMM */
    { MSR_IA32_SMBASE, MSR_IA32_SMBASE },
    /* IA32_MISC_PACKAGE_CTLS, IA32_XAPIC_DISABLE_STATUS */
    { 0xbc, 0xbc, FEAT_ARCH_CAPABILITIES, 1 << 10 },
    { 0xbd, 0xbd, FEAT_ARCH_CAPABILITIES, 1 << 21 },
    /* Counters: CPUID leaf 0xa is 0. */
    { MSR_P6_PERFCTR0, 0xc8 },
    { MSR_IA32_UMWAIT_CONTROL, MSR_IA32_UMWAIT_CONTROL,
      FEAT_7_0_ECX, CPUID_7_0_ECX_WAITPKG },
    /* IA32_MPERF, IA32_APERF: CPUID leaf 6 has no feature in ECX. */
    { 0xe7, 0xe8 },
    { MSR_MTRRcap, MSR_MTRRcap, FEAT_1_EDX, CPUID_MTRR },
    { MSR_IA32_TSX_CTRL, MSR_IA32_TSX_CTRL,
      FEAT_ARCH_CAPABILITIES, MSR_ARCH_CAP_TSX_CTRL_MSR },
    /* IA32_MCU_OPT_CTRL: SRBDS_CTRL, FB_CLEAR_CTRL, RRSBA, RFDS_CLEAR */
    { 0x123, 0x123, FEAT_7_0_EDX, 1 << 9 },
    { 0x123, 0x123, FEAT_ARCH_CAPABILITIES, 1 << 18 },
    { MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_EIP, FEAT_1_EDX, CPUID_SEP },
    { MSR_MCG_CAP, MSR_MCG_STATUS, FEAT_1_EDX, CPUID_MCA },
    { MSR_P6_EVNTSEL0, 0x18d },
    /* IA32_CLOCK_MODULATION, IA32_THERM_INTERRUPT, IA32_THERM_STATUS */
    { 0x19a, 0x19c, FEAT_1_EDX, CPUID_ACPI },
    /* IA32_ENERGY_PERF_BIAS */
    { 0x1b0, 0x1b0 },
    /* IA32_PACKAGE_THERM_STATUS, IA32_PACKAGE_THERM_INTERRUPT */
    { 0x1b1, 0x1b2, FEAT_6_EAX, 1 << 6 },
    { MSR_IA32_XFD, MSR_IA32_XFD_ERR, FEAT_XSAVE, CPUID_D_1_EAX_XFD },
    { MSR_IA32_FRED_RSP0, MSR_IA32_FRED_CONFIG,
      FEAT_7_1_EAX, CPUID_7_1_EAX_FRED },
    /* SMRR: bit 11 of IA32_MTRRCAP is 0. */
    { 0x1f2, 0x1f3 },
    { 0x1f8, 0x1fa, FEAT_1_ECX, CPUID_EXT_DCA },
    { MSR_MTRRphysBase(0), MSR_MTRRphysMask(MSR_MTRRcap_VCNT - 1),
      FEAT_1_EDX, CPUID_MTRR },
    { MSR_MTRRphysBase(MSR_MTRRcap_VCNT), MSR_MTRRphysMask(9) },
    { MSR_MTRRfix64K_00000, MSR_MTRRfix64K_00000, FEAT_1_EDX, CPUID_MTRR },
    { MSR_MTRRfix16K_80000, MSR_MTRRfix16K_A0000, FEAT_1_EDX, CPUID_MTRR },
    { MSR_MTRRfix4K_C0000, MSR_MTRRfix4K_F8000, FEAT_1_EDX, CPUID_MTRR },
    { MSR_PAT, MSR_PAT, FEAT_1_EDX, CPUID_PAT },
    /* IA32_MCi_CTL2: bit 10 of IA32_MCG_CAP is 0. */
    { 0x280, 0x29f },
    { MSR_MTRRdefType, MSR_MTRRdefType, FEAT_1_EDX, CPUID_MTRR },
    { MSR_CORE_PERF_FIXED_CTR0, 0x310 },
    /* IA32_PERF_METRICS */
    { 0x329, 0x329 },
    { MSR_IA32_PERF_CAPABILITIES, MSR_IA32_PERF_CAPABILITIES,
      FEAT_1_ECX, CPUID_EXT_PDCM },
    { MSR_CORE_PERF_FIXED_CTR_CTRL, 0x392 },
    /* IA32_PEBS_ENABLE, and what configures PEBS */
    { 0x3f1, 0x3f7 },
    /* IA32_A_PMCi */
    { 0x4c1, 0x4c8 },
    /* IA32_SGX_SVN_STATUS */
    { 0x500, 0x500, FEAT_7_0_EBX, CPUID_7_0_EBX_SGX },
    { MSR_IA32_RTIT_OUTPUT_BASE, MSR_IA32_RTIT_OUTPUT_MASK,
      FEAT_7_0_EBX, CPUID_7_0_EBX_INTEL_PT },
    { MSR_IA32_RTIT_CTL, MSR_IA32_RTIT_CR3_MATCH,
      FEAT_7_0_EBX, CPUID_7_0_EBX_INTEL_PT },
    { MSR_IA32_RTIT_ADDR0_A, MSR_IA32_RTIT_ADDR3_B,
      FEAT_7_0_EBX, CPUID_7_0_EBX_INTEL_PT },
    /* IA32_DS_AREA */
    { 0x600, 0x600, FEAT_1_EDX, CPUID_DTS },
    /* CET: IA32_U_CET, IA32_S_CET, shadow stacks */
    { 0x6a0, 0x6a0 },
    { 0x6a2, 0x6a2 },
    { 0x6a4, 0x6a8 },
    { MSR_IA32_PKRS, MSR_IA32_PKRS, FEAT_7_0_ECX, CPUID_7_0_ECX_PKS },
    /* HWP; its package's part */
    { 0x770, 0x774, FEAT_6_EAX, 1 << 7 },
    { 0x777, 0x777, FEAT_6_EAX, 1 << 7 },
    { 0x981, 0x982, FEAT_7_0_ECX, CPUID_7_0_ECX_TME },
    /* User interrupts, Key Locker, SDBG, RDT */
    { 0x985, 0x98a },
    { 0x990, 0x991 },
    { 0xc80, 0xc80 },
    { 0xc81, 0xd8f },
    { MSR_IA32_BNDCFGS, MSR_IA32_BNDCFGS, FEAT_7_0_EBX, CPUID_7_0_EBX_MPX },
    /* HDC */
    { 0xdb0, 0xdb2, FEAT_6_EAX, 1 << 13 },
    { MSR_ARCH_LBR_INFO_0, MSR_ARCH_LBR_INFO_0 + 31,
      FEAT_7_0_EDX, CPUID_7_0_EDX_ARCH_LBR },
    { MSR_ARCH_LBR_CTL, MSR_ARCH_LBR_DEPTH,
      FEAT_7_0_EDX, CPUID_7_0_EDX_ARCH_LBR },
    { MSR_ARCH_LBR_FROM_0, MSR_ARCH_LBR_FROM_0 + 31,
      FEAT_7_0_EDX, CPUID_7_0_EDX_ARCH_LBR },
    { MSR_ARCH_LBR_TO_0, MSR_ARCH_LBR_TO_0 + 31,
      FEAT_7_0_EDX, CPUID_7_0_EDX_ARCH_LBR },
    /* IA32_HW_FEEDBACK_* */
    { 0x17d0, 0x17d1, FEAT_6_EAX, 1 << 19 },
    { 0x17d2, 0x17d4, FEAT_6_EAX, 1 << 23 },
    /* IA32_UARCH_MISC_CTL */
    { 0x1b01, 0x1b01, FEAT_ARCH_CAPABILITIES, 1 << 12 },
    /* These are a hypervisor's. */
    { 0x40000000, 0x400000ff },
    { MSR_EFER, MSR_EFER,
      FEAT_8000_0001_EDX, CPUID_EXT2_LM | CPUID_EXT2_NX },
    { MSR_STAR, MSR_FMASK, FEAT_8000_0001_EDX, CPUID_EXT2_LM },
    { MSR_FSBASE, MSR_KERNELGSBASE, FEAT_8000_0001_EDX, CPUID_EXT2_LM },
    { MSR_TSC_AUX, MSR_TSC_AUX, FEAT_8000_0001_EDX, CPUID_EXT2_RDTSCP },
    { MSR_TSC_AUX, MSR_TSC_AUX, FEAT_7_0_ECX, CPUID_7_0_ECX_RDPID },
};

static bool cpuid_has_msr(CPUX86State *env, uint32_t msr)
{
    bool listed = false;
    int i;

    for (i = 0; i < ARRAY_SIZE(msr_features); i++) {
        if (msr < msr_features[i].first) {
            break;
        }
        if (msr > msr_features[i].last) {
            continue;
        }
        if (env->features[msr_features[i].word] & msr_features[i].bits) {
            return true;
        }
        listed = true;
    }
    return !listed;
}

/* IA32_MCG_CAP has the number of banks, and two of the other registers. */
static bool mcg_cap_has_msr(CPUX86State *env, uint32_t msr)
{
    uint64_t cap = env->mcg_cap;

    switch (msr) {
    case MSR_MCG_CTL:
        return cap & MCG_CTL_P;
    case MSR_MCG_EXT_CTL:
        return cap & MCG_LMCE_P;
    case MSR_MC0_CTL ... MSR_MC0_CTL + 0x7f:
        return msr < MSR_MC0_CTL + 4 * (cap & MCG_CAP_BANKS_MASK);
    default:
        return true;
    }
}

bool x86_vmx_has_msr(CPUX86State *env, uint32_t msr)
{
    /*
     * TDX modules use MSRs of features that they require of a processor, and
     * CPUID of TDs has features that the processor lacks.
     */
    if (env->hflags & HF_SEAM_MASK) {
        return true;
    }
    return !VMX_BAD(env, MSR_ABSENT,
                    !cpuid_has_msr(env, msr) || !mcg_cap_has_msr(env, msr) ||
                    /* AMD's */
                    (msr >> 16 == 0xc001 && IS_INTEL_CPU(env)));
}
