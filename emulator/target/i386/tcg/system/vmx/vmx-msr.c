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
/* Recommended by IA32_VMX_MISC: what happens beyond it is not defined. */
#define VMX_MSR_LIST    512

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

/* Where there is no memory, reads return ones. */
static bool vmx_list_exists(CPUX86State *env, uint64_t addr)
{
    MemTxAttrs attrs = cpu_get_mem_attrs(env);

    return address_space_access_valid(cpu_addressspace(env_cpu(env), attrs),
                                      addr & ~env->keyid_mask, 8, false, attrs);
}

/*
 * Lists are accessed as root operation accesses memory, also while HF_GUEST is
 * set: those of a TDX module may be in SEAMRR.
 */
static uint64_t vmx_list_read(CPUX86State *env, uint64_t addr)
{
    uint32_t guest = vmx_rule(env, VMX_RULE_LIST_ROOT) ?
                     env->hflags & HF_GUEST_MASK : 0;
    uint64_t val = UINT64_MAX;

    env->hflags &= ~guest;
    if (vmx_list_exists(env, addr) || !vmx_rule(env, VMX_RULE_LIST_MEMORY)) {
        val = x86_ldq_phys(env_cpu(env), addr);
    }
    env->hflags |= guest;
    return val;
}

static void vmx_list_write(CPUX86State *env, uint64_t addr, uint64_t val)
{
    uint32_t guest = vmx_rule(env, VMX_RULE_LIST_ROOT) ?
                     env->hflags & HF_GUEST_MASK : 0;

    env->hflags &= ~guest;
    x86_stq_phys(env_cpu(env), addr, val);
    env->hflags |= guest;
}

/* The number of the first entry that cannot be loaded, or 0. */
int vmx_load_msrs(CPUX86State *env, uint64_t addr, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++, addr += VMX_MSR_ENTRY) {
        uint64_t msr = vmx_list_read(env, addr);
        uint64_t val = vmx_list_read(env, addr + 8);

        if (VMX_BAD(env, LIST_SIZE, i >= VMX_MSR_LIST) ||
            VMX_BAD(env, LIST_RESERVED, msr >> 32) ||
            !vmx_msr_in_list(env, msr, true) ||
            VMX_BAD(env, LIST_VALUE, !x86_wrmsr_value(env, msr, val))) {
            return i + 1;
        }
    }
    return 0;
}

bool vmx_store_msrs(CPUX86State *env, uint64_t addr, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++, addr += VMX_MSR_ENTRY) {
        uint64_t msr = vmx_list_read(env, addr);
        uint64_t val;

        if (i >= VMX_MSR_LIST || msr >> 32 ||
            !vmx_msr_in_list(env, msr, false) ||
            !x86_rdmsr_value(env, msr, &val)) {
            return false;
        }
        if (msr == MSR_IA32_TSC && vmx_rule(env, VMX_RULE_LIST_TSC)) {
            /* the host's value, without the guest's offset */
            val = cpu_get_tsc(env);
        }
        vmx_list_write(env, addr + 8, val);
    }
    return true;
}
