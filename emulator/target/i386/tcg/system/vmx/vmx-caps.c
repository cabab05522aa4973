/*
 * VMX: the capability MSRs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "tcg/seam-hooks.h"
#include "tcg/vmx-hooks.h"
#include "vmx-internal.h"

/* Bits of a control that are 1 by default. */
static uint32_t vmx_default1(FeatureWord word)
{
    switch (word) {
    case FEAT_VMX_PINBASED_CTLS:
        return 0x00000016;
    case FEAT_VMX_PROCBASED_CTLS:
        return 0x0401e172;
    case FEAT_VMX_EXIT_CTLS:
        return 0x00036dff;
    case FEAT_VMX_ENTRY_CTLS:
        return 0x000011ff;
    default:
        return 0;
    }
}

static uint64_t vmx_features(CPUX86State *env, FeatureWord word)
{
    return env->features[word] | x86_seam_stub_features(env, word);
}

/*
 * The low half has the bits that must be 1, the high half the bits that may be
 * 1. A feature bit that is also in default1 means that the control may be 0.
 */
static uint64_t vmx_ctls(CPUX86State *env, FeatureWord word)
{
    uint32_t features = vmx_features(env, word);
    uint32_t default1 = vmx_default1(word);

    if (word == FEAT_VMX_EXIT_CTLS &&
        (env->features[FEAT_8000_0001_EDX] & CPUID_EXT2_LM)) {
        features |= VMX_VM_EXIT_HOST_ADDR_SPACE_SIZE;
    }
    return (default1 & ~features) | (uint64_t)(features | default1) << 32;
}

bool vmx_ctls_ok(CPUX86State *env, FeatureWord word, uint32_t val)
{
    uint64_t ctls = vmx_ctls(env, word);

    return (val & (uint32_t)ctls) == (uint32_t)ctls && !(val & ~(ctls >> 32));
}

/* The value for software that does not know the "true" capability MSRs. */
static uint64_t vmx_old_ctls(CPUX86State *env, FeatureWord word)
{
    return vmx_ctls(env, word) | vmx_default1(word);
}

uint64_t vmx_cr0_fixed0(CPUX86State *env)
{
    return CR0_PE_MASK | CR0_NE_MASK | CR0_PG_MASK;
}

uint64_t vmx_cr4_fixed0(CPUX86State *env)
{
    return CR4_VMXE_MASK;
}

uint64_t vmx_cr4_fixed1(CPUX86State *env)
{
    return (uint32_t)~cr4_reserved_bits(env);
}

bool vmx_cr0_ok(CPUX86State *env, uint64_t cr0, bool unrestricted)
{
    uint64_t fixed0 = vmx_cr0_fixed0(env);

    if (unrestricted) {
        fixed0 &= ~(CR0_PE_MASK | CR0_PG_MASK);
    }
    return (cr0 & fixed0) == fixed0 && !(cr0 >> 32);
}

bool vmx_cr4_ok(CPUX86State *env, uint64_t cr4)
{
    uint64_t fixed0 = vmx_cr4_fixed0(env);

    return (cr4 & fixed0) == fixed0 && !(cr4 & ~vmx_cr4_fixed1(env));
}

bool x86_vmx_cr_fixed_ok(CPUX86State *env, int reg, target_ulong val)
{
    bool unrestricted;

    if (reg == 4 && (val & cr4_reserved_bits(env))) {
        return false;
    }
    if (!env->vmx->on) {
        return true;
    }
    if (reg == 4) {
        return vmx_cr4_ok(env, val);
    }
    unrestricted = vmx_guest(env) &&
                   vmx_proc2(env, VMX_SECONDARY_EXEC_UNRESTRICTED_GUEST);
    return vmx_cr0_ok(env, val, unrestricted) &&
           !((val & CR0_PG_MASK) && !(val & CR0_PE_MASK));
}

static uint64_t vmx_basic(CPUX86State *env)
{
    return VMX_REVISION | (uint64_t)TARGET_PAGE_SIZE << 32 |
           /* write-back memory */
           6ULL << 50 | env->features[FEAT_VMX_BASIC];
}

static uint64_t vmx_misc(CPUX86State *env)
{
    return VMX_PREEMPTION_TIMER_SHIFT | VMX_CR3_TARGETS << 16 |
           vmx_features(env, FEAT_VMX_MISC);
}

static uint64_t vmx_ept_vpid(CPUX86State *env)
{
    uint64_t val = env->features[FEAT_VMX_EPT_VPID_CAPS];

    if (env->features[FEAT_VMX_SECONDARY_CTLS] &
        VMX_SECONDARY_EXEC_ENABLE_EPT) {
        val |= MSR_VMX_EPT_UC | MSR_VMX_EPT_WB;
    }
    return val;
}

/* An MSR that exists if a control does */
static bool vmx_read_if(CPUX86State *env, FeatureWord word, uint64_t ctl,
                        FeatureWord feature, uint64_t *val)
{
    *val = vmx_features(env, feature);
    return vmx_features(env, word) & ctl;
}

/* False if there is no such MSR */
bool vmx_read_capability(CPUX86State *env, uint32_t msr, uint64_t *val)
{
    static const FeatureWord words[] = {
        FEAT_VMX_PINBASED_CTLS, FEAT_VMX_PROCBASED_CTLS,
        FEAT_VMX_EXIT_CTLS, FEAT_VMX_ENTRY_CTLS,
    };

    switch (msr) {
    case MSR_IA32_VMX_BASIC:
        *val = vmx_basic(env);
        break;
    case MSR_IA32_VMX_PINBASED_CTLS ... MSR_IA32_VMX_ENTRY_CTLS:
        *val = vmx_old_ctls(env, words[msr - MSR_IA32_VMX_PINBASED_CTLS]);
        break;
    case MSR_IA32_VMX_MISC:
        *val = vmx_misc(env);
        break;
    case MSR_IA32_VMX_CR0_FIXED0:
        *val = vmx_cr0_fixed0(env);
        break;
    case MSR_IA32_VMX_CR0_FIXED1:
        *val = UINT32_MAX;
        break;
    case MSR_IA32_VMX_CR4_FIXED0:
        *val = vmx_cr4_fixed0(env);
        break;
    case MSR_IA32_VMX_CR4_FIXED1:
        *val = vmx_cr4_fixed1(env);
        break;
    case MSR_IA32_VMX_VMCS_ENUM:
        /* the highest index: PID-pointer table, or TSC multiplier */
        *val = env->features[FEAT_VMX_TERTIARY_CTLS] ? 0x42 : 0x32;
        break;
    case MSR_IA32_VMX_PROCBASED_CTLS2:
        *val = vmx_ctls(env, FEAT_VMX_SECONDARY_CTLS);
        break;
    case MSR_IA32_VMX_EPT_VPID_CAP:
        *val = vmx_ept_vpid(env);
        break;
    case MSR_IA32_VMX_TRUE_PINBASED_CTLS ... MSR_IA32_VMX_TRUE_ENTRY_CTLS:
        if (!(env->features[FEAT_VMX_BASIC] & MSR_VMX_BASIC_TRUE_CTLS)) {
            return false;
        }
        *val = vmx_ctls(env, words[msr - MSR_IA32_VMX_TRUE_PINBASED_CTLS]);
        break;
    case MSR_IA32_VMX_PROCBASED_CTLS3:
        return vmx_read_if(env, FEAT_VMX_PROCBASED_CTLS,
                           VMX_CPU_BASED_ACTIVATE_TERTIARY_CONTROLS,
                           FEAT_VMX_TERTIARY_CTLS, val);
    case MSR_IA32_VMX_VMFUNC:
        return vmx_read_if(env, FEAT_VMX_SECONDARY_CTLS,
                           VMX_SECONDARY_EXEC_ENABLE_VMFUNC, FEAT_VMX_VMFUNC,
                           val);
    default:
        return false;
    }
    return true;
}
