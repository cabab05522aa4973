/*
 * MSRs that control speculation, as Intel has them
 *
 * TCG does not speculate: the MSRs are registers and commands without effect.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "tcg/spec-ctrl.h"

#define SPEC_CTRL_IBRS          (1 << 0)
#define SPEC_CTRL_STIBP         (1 << 1)
#define SPEC_CTRL_SSBD          (1 << 2)
#define SPEC_CTRL_IPRED_DIS     (3 << 3)        /* at CPL 3; below it */
#define SPEC_CTRL_RRSBA_DIS     (3 << 5)        /* also two bits */
#define SPEC_CTRL_PSFD          (1 << 7)
#define SPEC_CTRL_DDPD_U        (1 << 8)
#define SPEC_CTRL_BHI_DIS_S     (1 << 10)
#define PRED_CMD_IBPB           1
#define FLUSH_CMD_L1D           1

/* Bits of IA32_SPEC_CTRL that come with bits of CPUID leaf 7 */
static const struct {
    FeatureWord word;
    uint32_t feature;
    uint32_t bits;
} spec_ctrl_bits[] = {
    /* STIBP can be set where it has no effect. */
    { FEAT_7_0_EDX, CPUID_7_0_EDX_SPEC_CTRL, SPEC_CTRL_IBRS | SPEC_CTRL_STIBP },
    { FEAT_7_0_EDX, CPUID_7_0_EDX_STIBP, SPEC_CTRL_STIBP },
    { FEAT_7_0_EDX, CPUID_7_0_EDX_SPEC_CTRL_SSBD, SPEC_CTRL_SSBD },
    { FEAT_7_2_EDX, CPUID_7_2_EDX_PSFD, SPEC_CTRL_PSFD },
    { FEAT_7_2_EDX, CPUID_7_2_EDX_IPRED_CTRL, SPEC_CTRL_IPRED_DIS },
    { FEAT_7_2_EDX, CPUID_7_2_EDX_RRSBA_CTRL, SPEC_CTRL_RRSBA_DIS },
    { FEAT_7_2_EDX, CPUID_7_2_EDX_DDPD_U, SPEC_CTRL_DDPD_U },
    { FEAT_7_2_EDX, CPUID_7_2_EDX_BHI_CTRL, SPEC_CTRL_BHI_DIS_S },
};

/* 0 if the processor has no IA32_SPEC_CTRL */
static uint64_t spec_ctrl_allowed(CPUX86State *env)
{
    uint64_t allowed = 0;
    int i;

    for (i = 0; i < ARRAY_SIZE(spec_ctrl_bits); i++) {
        if (env->features[spec_ctrl_bits[i].word] & spec_ctrl_bits[i].feature) {
            allowed |= spec_ctrl_bits[i].bits;
        }
    }
    return allowed;
}

bool x86_spec_ctrl_msr(uint32_t msr)
{
    switch (msr) {
    case MSR_IA32_SPEC_CTRL:
    case MSR_IA32_PRED_CMD:
    case MSR_IA32_CORE_CAPABILITY:
    case MSR_IA32_ARCH_CAPABILITIES:
    case MSR_IA32_FLUSH_CMD:
        return true;
    default:
        return false;
    }
}

/* True if CPUID says that there is this MSR. */
static bool spec_ctrl_has_msr(CPUX86State *env, uint32_t msr)
{
    uint32_t edx = env->features[FEAT_7_0_EDX];

    switch (msr) {
    case MSR_IA32_SPEC_CTRL:
        return spec_ctrl_allowed(env);
    case MSR_IA32_PRED_CMD:
        return edx & CPUID_7_0_EDX_SPEC_CTRL;
    case MSR_IA32_CORE_CAPABILITY:
        return edx & CPUID_7_0_EDX_CORE_CAPABILITY;
    case MSR_IA32_ARCH_CAPABILITIES:
        return edx & CPUID_7_0_EDX_ARCH_CAPABILITIES;
    case MSR_IA32_FLUSH_CMD:
        return edx & CPUID_7_0_EDX_FLUSH_L1D;
    default:
        return false;
    }
}

bool x86_spec_ctrl_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val)
{
    if (!spec_ctrl_has_msr(env, msr)) {
        return false;
    }
    switch (msr) {
    case MSR_IA32_SPEC_CTRL:
        *val = env->spec_ctrl;
        return true;
    case MSR_IA32_CORE_CAPABILITY:
        *val = env->features[FEAT_CORE_CAPABILITY];
        return true;
    case MSR_IA32_ARCH_CAPABILITIES:
        *val = env->features[FEAT_ARCH_CAPABILITIES];
        return true;
    default:
        /* Commands */
        return false;
    }
}

bool x86_spec_ctrl_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val)
{
    if (!spec_ctrl_has_msr(env, msr)) {
        return false;
    }
    switch (msr) {
    case MSR_IA32_SPEC_CTRL:
        if (val & ~spec_ctrl_allowed(env)) {
            return false;
        }
        env->spec_ctrl = val;
        return true;
    case MSR_IA32_PRED_CMD:
        return !(val & ~(uint64_t)PRED_CMD_IBPB);
    case MSR_IA32_FLUSH_CMD:
        return !(val & ~(uint64_t)FLUSH_CMD_L1D);
    default:
        /* Capabilities */
        return false;
    }
}
