/*
 * VMX: processors that support it, their MSRs and their TSC
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "hw/i386/apic.h"
#include "migration/blocker.h"
#include "tcg/seam-hooks.h"
#include "tcg/vmx-hooks.h"
#include "vmx-internal.h"

static Error *vmx_blocker;

static DeviceState *vmx_deadline_timer(CPUX86State *env)
{
    return env->features[FEAT_1_ECX] & CPUID_EXT_TSC_DEADLINE_TIMER ?
           env_archcpu(env)->apic_state : NULL;
}

/* WRMSR of the TSC, whose rate does not change */
static void vmx_write_tsc(CPUX86State *env, uint64_t val)
{
    DeviceState *timer = vmx_deadline_timer(env);

    env->vmx_tsc_base = val - vmx_ticks(env);
    if (timer) {
        BQL_LOCK_GUARD();
        apic_tsc_written(timer);
    }
}

static VmxMsrResult vmx_read_deadline(CPUX86State *env, uint64_t *val)
{
    DeviceState *timer = vmx_deadline_timer(env);

    if (!timer) {
        return VMX_MSR_GP;
    }
    BQL_LOCK_GUARD();
    *val = apic_get_tsc_deadline(timer);
    return VMX_MSR_OK;
}

static VmxMsrResult vmx_write_deadline(CPUX86State *env, uint64_t val)
{
    DeviceState *timer = vmx_deadline_timer(env);

    if (!timer) {
        return VMX_MSR_GP;
    }
    BQL_LOCK_GUARD();
    apic_set_tsc_deadline(timer, val);
    return VMX_MSR_OK;
}

VmxMsrResult x86_vmx_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val)
{
    switch (msr) {
    case MSR_IA32_TSC:
        *val = vmx_guest(env) ? x86_vmx_guest_tsc(env) : cpu_get_tsc(env);
        return VMX_MSR_OK;
    case MSR_IA32_TSCDEADLINE:
        return vmx_read_deadline(env, val);
    case MSR_IA32_FEATURE_CONTROL:
        *val = env->msr_ia32_feature_control;
        return VMX_MSR_OK;
    case MSR_IA32_DEBUGCTL:
        *val = env->vmx->debugctl;
        return VMX_MSR_OK;
    case MSR_IA32_VMX_BASIC ... MSR_IA32_VMX_VMFUNC + 2:
        return vmx_read_capability(env, msr, val) ? VMX_MSR_OK : VMX_MSR_GP;
    default:
        return x86_seam_rdmsr(env, msr, val);
    }
}

VmxMsrResult x86_vmx_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val)
{
    switch (msr) {
    case MSR_IA32_TSC:
        vmx_write_tsc(env, val);
        return VMX_MSR_OK;
    case MSR_IA32_TSCDEADLINE:
        return vmx_write_deadline(env, val);
    case MSR_IA32_FEATURE_CONTROL:
        if ((env->msr_ia32_feature_control & FEATURE_CONTROL_LOCKED) ||
            (val & ~(uint64_t)(FEATURE_CONTROL_LOCKED |
                               FEATURE_CONTROL_VMXON_ENABLED_OUTSIDE_SMX))) {
            return VMX_MSR_GP;
        }
        env->msr_ia32_feature_control = val;
        return VMX_MSR_OK;
    case MSR_IA32_DEBUGCTL:
        /* LBR, BTF and bus locks are accepted, but not emulated. */
        if (val & ~vmx_debugctl_bits(env)) {
            return VMX_MSR_GP;
        }
        env->vmx->debugctl = val;
        return VMX_MSR_OK;
    case MSR_IA32_VMX_BASIC ... MSR_IA32_VMX_VMFUNC + 2:
        return VMX_MSR_GP;
    default:
        return x86_seam_wrmsr(env, msr, val);
    }
}

uint64_t x86_vmx_tsc(CPUX86State *env)
{
    return vmx_ticks(env) + env->vmx_tsc_base;
}

bool x86_vmx_realize(X86CPU *cpu, Error **errp)
{
    CPUX86State *env = &cpu->env;

    if (env->features[FEAT_8000_0001_ECX] & CPUID_EXT3_SVM) {
        error_setg(errp, "a processor has either VMX or SVM");
        return false;
    }
    if (!vmx_blocker) {
        error_setg(&vmx_blocker, "VMX is not migratable with TCG");
        if (migrate_add_blocker(&vmx_blocker, errp) < 0) {
            return false;
        }
    }
    if (!env->tsc_khz) {
        env->tsc_khz = 1000000;
    }
    env->vmx = g_new0(X86VmxState, 1);
    env->vmx->active = g_hash_table_new_full(g_int64_hash, g_int64_equal,
                                             NULL, g_free);
    return !cpu->x_vmx_ignore ||
           vmx_ignore_rules(env, cpu->x_vmx_ignore, errp);
}

void x86_vmx_reset(CPUX86State *env)
{
    X86VmxState *vmx = env->vmx;

    if (vmx->timer_armed) {
        vmx_timer_stop(env);
    }
    vmx_vmcs_drop_all(env);
    env->seam_poison = 0;
    *vmx = (X86VmxState) {
        .ignored = vmx->ignored,
        .active = vmx->active,
        .timer = vmx->timer,
    };
}

void x86_vmx_unrealize(X86CPU *cpu)
{
    X86VmxState *vmx = cpu->env.vmx;

    x86_vmx_reset(&cpu->env);
    g_hash_table_destroy(vmx->active);
    if (vmx->timer) {
        timer_free(vmx->timer);
    }
    g_free(vmx->ignored);
    g_free(vmx);
    cpu->env.vmx = NULL;
}
