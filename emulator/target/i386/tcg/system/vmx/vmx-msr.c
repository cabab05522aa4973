/*
 * VMX: lists of MSRs that entries and exits load and store
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "hw/i386/apic.h"
#include "vmx-internal.h"

/* Index, reserved, data */
#define VMX_MSR_ENTRY   16

bool vmx_x2apic_mode(CPUX86State *env)
{
    DeviceState *apic = env_archcpu(env)->apic_state;

    return apic && is_x2apic_mode(apic);
}

/* MSRs that "Loading MSRs" and "Saving MSRs" exclude */
static bool vmx_msr_in_list(CPUX86State *env, uint32_t msr, bool load)
{
    if (VMX_BAD(env, LIST_BASE,
                load && (msr == MSR_FSBASE || msr == MSR_GSBASE))) {
        return false;
    }
    if (VMX_BAD(env, LIST_X2APIC, msr >> 8 == 8 && vmx_x2apic_mode(env))) {
        return false;
    }
    /* IA32_SMM_MONITOR_CTL, IA32_SMBASE */
    return !VMX_BAD(env, LIST_SMM,
                    (load && msr == 0x9b) || (!load && msr == 0x9e));
}

/* The number of the first entry that cannot be loaded, or 0. */
int vmx_load_msrs(CPUX86State *env, uint64_t addr, uint32_t count)
{
    CPUState *cs = env_cpu(env);
    uint32_t i;

    for (i = 0; i < count; i++, addr += VMX_MSR_ENTRY) {
        uint64_t msr = x86_ldq_phys(cs, addr);
        uint64_t val = x86_ldq_phys(cs, addr + 8);

        if (VMX_BAD(env, LIST_RESERVED, msr >> 32) ||
            !vmx_msr_in_list(env, msr, true) ||
            VMX_BAD(env, LIST_VALUE, !x86_wrmsr_value(env, msr, val))) {
            return i + 1;
        }
    }
    return 0;
}

bool vmx_store_msrs(CPUX86State *env, uint64_t addr, uint32_t count)
{
    CPUState *cs = env_cpu(env);
    uint32_t i;

    for (i = 0; i < count; i++, addr += VMX_MSR_ENTRY) {
        uint64_t msr = x86_ldq_phys(cs, addr);
        uint64_t val;

        if (msr >> 32 || !vmx_msr_in_list(env, msr, false) ||
            !x86_rdmsr_value(env, msr, &val)) {
            return false;
        }
        if (msr == MSR_IA32_TSC && vmx_rule(env, VMX_RULE_LIST_TSC)) {
            /* the host's value, without the guest's offset */
            val = cpu_get_tsc(env);
        }
        x86_stq_phys(cs, addr + 8, val);
    }
    return true;
}
