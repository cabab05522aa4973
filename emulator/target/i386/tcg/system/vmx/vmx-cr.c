/*
 * VMX: control registers, their masks and shadows
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/helper-proto.h"
#include "tcg/vmx-hooks.h"
#include "vmx-internal.h"

/* Access types of the qualification */
enum {
    CR_MOV_TO = 0,
    CR_CLTS = 2,
    CR_LMSW = 3,
};

static G_NORETURN void vmx_cr_exit(CPUX86State *env, int reg, int type,
                                   uint64_t more, uintptr_t ra)
{
    vmx_exit_insn(env, VMX_EXIT_CR, reg | type << 4 | more, ra);
}

static uint64_t vmx_cr_mask(CPUX86State *env, int reg)
{
    return vmx_get(env, reg == 0 ? VMX_CR0_MASK : VMX_CR4_MASK);
}

static uint64_t vmx_cr_shadow(CPUX86State *env, int reg)
{
    return vmx_get(env, reg == 0 ? VMX_CR0_SHADOW : VMX_CR4_SHADOW);
}

/* CR0 and CR4 as the guest reads them */
target_ulong helper_vmx_read_cr(CPUX86State *env, uint32_t reg)
{
    uint64_t mask;

    if (!vmx_guest(env)) {
        return env->cr[reg];
    }
    mask = vmx_rule(env, VMX_RULE_CR_SHADOW) ? vmx_cr_mask(env, reg) : 0;
    return (env->cr[reg] & ~mask) | (vmx_cr_shadow(env, reg) & mask);
}

static bool vmx_cr3_exits(CPUX86State *env, uint64_t val)
{
    uint64_t n = MIN(vmx_get(env, VMX_CR3_TARGET_COUNT), VMX_CR3_TARGETS);
    uint64_t i;

    if (!vmx_proc(env, VMX_CPU_BASED_CR3_LOAD_EXITING)) {
        return false;
    }
    for (i = 0; i < n; i++) {
        if (val == vmx_get(env, VMX_CR3_TARGET0 + i) &&
            vmx_rule(env, VMX_RULE_CR3_TARGET)) {
            return false;
        }
    }
    return true;
}

static target_ulong vmx_guest_write_cr(CPUX86State *env, int reg,
                                       target_ulong val, uintptr_t ra)
{
    uint64_t gpr = env->vmx_insn.gpr << 8;
    uint64_t mask;

    switch (reg) {
    case 0:
    case 4:
        mask = vmx_cr_mask(env, reg);
        if (VMX_BAD(env, CR_MASK, (val ^ vmx_cr_shadow(env, reg)) & mask)) {
            vmx_cr_exit(env, reg, CR_MOV_TO, gpr, ra);
        }
        if (!vmx_rule(env, VMX_RULE_CR_HOST_BITS)) {
            return val;
        }
        return (val & ~mask) | (env->cr[reg] & mask);
    case 3:
        if (vmx_cr3_exits(env, val)) {
            vmx_cr_exit(env, reg, CR_MOV_TO, gpr, ra);
        }
        return val;
    case 8:
        if (vmx_proc(env, VMX_CPU_BASED_CR8_LOAD_EXITING)) {
            vmx_cr_exit(env, reg, CR_MOV_TO, gpr, ra);
        }
        return val;
    default:
        return val;
    }
}

/* MOV to CR3 loads PDPTEs, and so does a change of the paging mode. */
static void vmx_reload_pdptes(CPUX86State *env, int reg, uint64_t val,
                              uintptr_t ra)
{
    uint64_t cr0 = reg == 0 ? val : env->cr[0];
    uint64_t cr4 = reg == 4 ? val : env->cr[4];
    bool load = reg == 3 ||
        (reg == 0 && ((val ^ env->cr[0]) &
                      (CR0_PG_MASK | CR0_CD_MASK | CR0_NW_MASK))) ||
        (reg == 4 && ((val ^ env->cr[4]) &
                      (CR4_PAE_MASK | CR4_PGE_MASK | CR4_PSE_MASK |
                       CR4_SMEP_MASK)));

    if (load && vmx_uses_pdptes(env, cr0, cr4) &&
        vmx_rule(env, VMX_RULE_PDPTES_LOADED)) {
        vmx_load_pdptes(env, reg == 3 ? val : env->cr[3], ra);
    }
}

/* "Restrictions on VMX Operation", and values that a guest may never write */
target_ulong x86_vmx_write_cr(CPUX86State *env, int reg, target_ulong val,
                              uintptr_t ra)
{
    if (vmx_guest(env)) {
        val = vmx_guest_write_cr(env, reg, val, ra);
    }
    if (reg == 3) {
        val = x86_cr3_of_operand(env, val);
    }
    if (VMX_BAD(env, CR_FIXED, (reg == 0 || reg == 4) &&
                !x86_vmx_cr_fixed_ok(env, reg, val))) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    if (reg == 3 && (env->efer & MSR_EFER_LMA) &&
        val >> env_archcpu(env)->phys_bits) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    if (vmx_guest(env)) {
        vmx_reload_pdptes(env, reg, val, ra);
    }
    return val;
}

/* LMSW: the four low bits, of which PE can only be set */
void helper_vmx_lmsw(CPUX86State *env, target_ulong src)
{
    uintptr_t ra = GETPC();
    uint64_t mask = vmx_cr_mask(env, 0);
    uint64_t diff = (src ^ vmx_cr_shadow(env, 0)) & mask;
    bool mem = !(env->vmx_insn.info & VMX_INSN_REG);
    uint64_t bits;

    if (VMX_BAD(env, LMSW, (diff & 0xe) || (diff & src & CR0_PE_MASK))) {
        if (mem) {
            vmx_set(env, VMX_GUEST_LINEAR_ADDR, env->vmx_insn.disp);
        }
        vmx_cr_exit(env, 0, CR_LMSW, mem << 6 | (src & 0xffff) << 16, ra);
    }
    bits = (src & 0xf & ~mask) | (env->cr[0] & mask & 0xf) |
           (env->cr[0] & CR0_PE_MASK);
    cpu_x86_update_cr0(env, (env->cr[0] & ~0xfULL) | bits);
}

void x86_vmx_clts(CPUX86State *env, uintptr_t ra)
{
    if (vmx_cr_mask(env, 0) & CR0_TS_MASK) {
        if (VMX_BAD(env, CLTS, vmx_cr_shadow(env, 0) & CR0_TS_MASK)) {
            vmx_cr_exit(env, 0, CR_CLTS, 0, ra);
        }
        /* Bits that are owned by the host do not change. */
        return;
    }
    env->cr[0] &= ~CR0_TS_MASK;
    env->hflags &= ~HF_TS_MASK;
}
