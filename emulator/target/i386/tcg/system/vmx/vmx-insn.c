/*
 * VMX instructions
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qemu/log.h"
#include "exec/helper-proto.h"
#include "exec/cpu_ldst.h"
#include "tcg/helper-tcg.h"
#include "tcg/seam-hooks.h"
#include "tcg/vmx-hooks.h"
#include "tcg/vmx-op.h"
#include "vmx-internal.h"
#include "tcg/system/world.h"

/* A 64-bit or 128-bit operand in memory */
static uint64_t vmx_load(CPUX86State *env, target_ulong addr, uintptr_t ra)
{
    return cpu_ldq_le_data_ra(env, addr, ra);
}

/* VMXON's checks in the order of the SDM, or #GP(0) */
static bool vmxon_permitted(CPUX86State *env)
{
    const uint64_t enabled = FEATURE_CONTROL_LOCKED |
                             FEATURE_CONTROL_VMXON_ENABLED_OUTSIDE_SMX;

    return !VMX_BAD(env, INSN_CPL, env->hflags & HF_CPL_MASK) &&
           env->a20_mask == -1 &&
           !VMX_BAD(env, VMXON_CR0, !vmx_cr0_ok(env, env->cr[0], false)) &&
           vmx_cr4_ok(env, env->cr[4]) &&
           !VMX_BAD(env, VMXON_FEATURE_CONTROL,
                    (env->msr_ia32_feature_control & enabled) != enabled);
}

static uint32_t vmx_revision_at(CPUX86State *env, uint64_t pa)
{
    return x86_ldl_phys(env_cpu(env), pa);
}

/* A shadow VMCS needs a processor that supports them. */
static bool vmcs_revision_ok(CPUX86State *env, uint32_t revision)
{
    if (env->features[FEAT_VMX_SECONDARY_CTLS] &
        VMX_SECONDARY_EXEC_SHADOW_VMCS) {
        revision &= ~VMX_SHADOW_INDICATOR;
    }
    return revision == VMX_REVISION;
}

static void vmx_vmxon(CPUX86State *env, target_ulong addr, uintptr_t ra)
{
    uint64_t pa;

    if (VMX_BAD(env, VMXON_ROOT, env->vmx->on)) {
        vmx_fail(env, VMX_ERR_VMXON_IN_ROOT);
        return;
    }
    pa = vmx_load(env, addr, ra);
    if (VMX_BAD(env, VMXON_ADDR, !vmx_pa_ok(env, pa, 4096)) ||
        VMX_BAD(env, VMXON_REVISION,
                (vmx_revision_at(env, pa) & ~VMX_SHADOW_INDICATOR) !=
                VMX_REVISION) ||
        VMX_BAD(env, VMXON_SHADOW,
                vmx_revision_at(env, pa) & VMX_SHADOW_INDICATOR)) {
        vmx_fail_invalid(env);
        return;
    }
    env->vmx->on = true;
    env->vmx->vmxon_ptr = pa;
    env->vmx->vmcs = NULL;
    vmx_succeed(env);
}

static void vmx_vmxoff(CPUX86State *env)
{
    if (g_hash_table_size(env->vmx->active)) {
        qemu_log_mask(LOG_GUEST_ERROR,
                      "VMX: VMXOFF on CPU %d with %u active VMCSs\n",
                      env_cpu(env)->cpu_index,
                      g_hash_table_size(env->vmx->active));
    }
    vmx_vmcs_drop_all(env);
    env->vmx->on = false;
    vmx_succeed(env);
}

static void vmx_vmclear(CPUX86State *env, target_ulong addr, uintptr_t ra)
{
    uint64_t pa = vmx_load(env, addr, ra);

    if (VMX_BAD(env, VMCLEAR_ADDR, !vmx_pa_ok(env, pa, 4096))) {
        vmx_fail(env, VMX_ERR_VMCLEAR_ADDR);
    } else if (VMX_BAD(env, VMCLEAR_VMXON, pa == env->vmx->vmxon_ptr)) {
        vmx_fail(env, VMX_ERR_VMCLEAR_VMXON_PTR);
    } else {
        vmx_vmcs_clear(env, pa);
        vmx_succeed(env);
    }
}

static void vmx_vmptrld(CPUX86State *env, target_ulong addr, uintptr_t ra)
{
    uint64_t pa = vmx_load(env, addr, ra);

    if (VMX_BAD(env, VMPTRLD_ADDR, !vmx_pa_ok(env, pa, 4096))) {
        vmx_fail(env, VMX_ERR_VMPTRLD_ADDR);
    } else if (VMX_BAD(env, VMPTRLD_VMXON, pa == env->vmx->vmxon_ptr)) {
        vmx_fail(env, VMX_ERR_VMPTRLD_VMXON_PTR);
    } else if (VMX_BAD(env, VMPTRLD_REVISION,
                       !vmcs_revision_ok(env, vmx_revision_at(env, pa)))) {
        vmx_fail(env, VMX_ERR_VMPTRLD_REVISION);
    } else {
        env->vmx->vmcs = vmx_vmcs_activate(env, pa);
        vmx_succeed(env);
    }
}

static void vmx_vmptrst(CPUX86State *env, target_ulong addr, uintptr_t ra)
{
    uint64_t pa = env->vmx->vmcs ? env->vmx->vmcs->pa : VMX_NO_VMCS;

    cpu_stq_le_data_ra(env, addr, pa, ra);
    vmx_succeed(env);
}

/* The VMCS that VMREAD and VMWRITE access */
static VmxVmcs *vmx_accessed_vmcs(CPUX86State *env)
{
    return vmx_guest(env) ? env->vmx->shadow : env->vmx->vmcs;
}

/* "VMCS Shadowing": VMREAD or VMWRITE in a guest, with that operand */
static bool vmx_field_exits(CPUX86State *env, VmxOp op, uint64_t encoding)
{
    bool read = op == VMX_OP_VMREAD;
    uint64_t bitmap = vmx_get(env, read ? VMX_VMREAD_BITMAP :
                                          VMX_VMWRITE_BITMAP);

    if (!vmx_proc2(env, VMX_SECONDARY_EXEC_SHADOW_VMCS) ||
        VMX_BAD(env, FIELD_BITMAP_RANGE, encoding >> 15)) {
        return true;
    }
    encoding &= 0x7fff;
    return (x86_ldub_phys(env_cpu(env), bitmap + encoding / 8) &
            (1 << (encoding % 8))) &&
           vmx_rule(env, read ? VMX_RULE_VMREAD_BITMAP :
                                VMX_RULE_VMWRITE_BITMAP);
}

static uint64_t vmx_get_gpr(CPUX86State *env, int reg)
{
    return env->hflags & HF_CS64_MASK ? env->regs[reg] :
           (uint32_t)env->regs[reg];
}

/* The field in a register operand: VMfail and -1 if it does not exist */
static int vmx_operand_field(CPUX86State *env, uint64_t encoding)
{
    int f = vmx_field_lookup(encoding);

    if (VMX_BAD(env, FIELD_64, encoding >> 32)) {
        f = -1;
    }
    /* These exist in SEAM mode only. */
    if ((f == VMX_HKID || f == VMX_SHARED_EPTP) &&
        !(env->hflags & HF_SEAM_MASK)) {
        f = -1;
    }
    if (f >= VMX_FIRST_STUB && !x86_seam_stubs(env)) {
        f = -1;
    }
    if (f < 0) {
        vmx_fail(env, VMX_ERR_FIELD);
    }
    return f;
}

static void vmx_vmread(CPUX86State *env, target_ulong addr, uintptr_t ra)
{
    uint32_t info = env->vmx_insn.info;
    bool code64 = env->hflags & HF_CS64_MASK;
    uint64_t encoding = vmx_get_gpr(env, VMX_INSN_REG2(info));
    VmxVmcs *vmcs = vmx_accessed_vmcs(env);
    uint64_t val;
    int f;

    if (!vmcs) {
        vmx_fail_invalid(env);
        return;
    }
    f = vmx_operand_field(env, encoding);
    if (f < 0) {
        return;
    }
    val = vmcs->f[f];
    if (encoding & 1) {
        val >>= 32;
    }
    if (info & VMX_INSN_REG) {
        env->regs[VMX_INSN_REG1(info)] = code64 ? val : (uint32_t)val;
    } else if (code64) {
        cpu_stq_le_data_ra(env, addr, val, ra);
    } else {
        cpu_stl_le_data_ra(env, addr, val, ra);
    }
    vmx_succeed(env);
}

static void vmx_vmwrite(CPUX86State *env, target_ulong addr, uintptr_t ra)
{
    uint32_t info = env->vmx_insn.info;
    uint64_t encoding = vmx_get_gpr(env, VMX_INSN_REG2(info));
    VmxVmcs *vmcs = vmx_accessed_vmcs(env);
    uint64_t val;
    int f;

    if (!vmcs) {
        vmx_fail_invalid(env);
        return;
    }
    if (info & VMX_INSN_REG) {
        val = vmx_get_gpr(env, VMX_INSN_REG1(info));
    } else if (env->hflags & HF_CS64_MASK) {
        val = cpu_ldq_le_data_ra(env, addr, ra);
    } else {
        val = cpu_ldl_le_data_ra(env, addr, ra);
    }
    f = vmx_operand_field(env, encoding);
    if (f < 0) {
        return;
    }
    if (vmx_field_read_only(f) &&
        !(env->features[FEAT_VMX_MISC] & MSR_VMX_MISC_VMWRITE_VMEXIT)) {
        vmx_fail(env, VMX_ERR_READ_ONLY_FIELD);
        return;
    }
    if (encoding & 1) {
        val = deposit64(vmcs->f[f], 32, 32, val);
    } else if (!(env->hflags & HF_CS64_MASK) &&
               vmx_field_encoding(f) >> 13 == 1) {
        val = deposit64(vmcs->f[f], 0, 32, val);
    }
    vmcs->f[f] = val & vmx_field_mask(f);
    vmx_succeed(env);
}

void vmx_end_insn(CPUX86State *env)
{
    env->eip += env->vmx_insn.len;
    if (!(env->hflags & HF_CS64_MASK)) {
        env->eip = (uint32_t)env->eip;
    }
    do_end_instruction(env);
}

/* For instructions that end the translation block in either case */
void vmx_skip_insn(CPUX86State *env)
{
    vmx_end_insn(env);
    helper_rechecking_single_step(env);
}

static void vmx_launch(CPUX86State *env, bool resume, uintptr_t ra)
{
    if (!env->vmx->vmcs ||
        VMX_BAD(env, ENTRY_SHADOW, env->vmx->vmcs->shadow)) {
        vmx_fail_invalid(env);
    } else if (VMX_BAD(env, ENTRY_MOV_SS, (env->hflags & HF_INHIBIT_IRQ_MASK) &&
                       env->vmx_insn.mov_ss)) {
        vmx_fail(env, VMX_ERR_ENTRY_MOV_SS);
    } else if (VMX_BAD(env, VMLAUNCH_CLEAR,
                       !resume && env->vmx->vmcs->launched)) {
        vmx_fail(env, VMX_ERR_VMLAUNCH_NOT_CLEAR);
    } else if (VMX_BAD(env, VMRESUME_LAUNCHED,
                       resume && !env->vmx->vmcs->launched)) {
        vmx_fail(env, VMX_ERR_VMRESUME_NOT_LAUNCHED);
    } else if (vmx_enter(env, ra)) {
        return;
    }
    vmx_skip_insn(env);
}

/* Bits 51:12 of an EPTP identify its translations. */
static bool vmx_same_ept(uint64_t eptp1, uint64_t eptp2)
{
    return !((eptp1 ^ eptp2) & MAKE_64BIT_MASK(12, 40));
}

static void vmx_invept(CPUX86State *env, target_ulong addr, uintptr_t ra)
{
    uint64_t type = vmx_get_gpr(env, VMX_INSN_REG2(env->vmx_insn.info));
    uint64_t caps = env->features[FEAT_VMX_EPT_VPID_CAPS];
    uint64_t eptp = vmx_load(env, addr, ra);
    bool ok;

    vmx_load(env, addr + 8, ra);
    switch (type) {
    case 1:
        ok = (caps & MSR_VMX_EPT_INVEPT_SINGLE_CONTEXT) &&
             vmx_eptp_ok(env, eptp);
        break;
    case 2:
        ok = caps & MSR_VMX_EPT_INVEPT_ALL_CONTEXT;
        break;
    default:
        ok = false;
    }
    if (VMX_BAD(env, INVEPT_OPERAND, !ok)) {
        vmx_fail(env, VMX_ERR_INVEPT_OPERAND);
        return;
    }
    if (!vmx_rule(env, VMX_RULE_INVEPT)) {
        vmx_succeed(env);
        return;
    }
    if (type == 2 || vmx_same_ept(eptp, env->tlb.nested.root) ||
        (env->tlb.nested.seam &&
         vmx_same_ept(eptp, env->tlb.nested.shared_root))) {
        x86_guest_flush_all(env);
    }
    vmx_succeed(env);
}

static void vmx_invvpid(CPUX86State *env, target_ulong addr, uintptr_t ra)
{
    uint64_t type = vmx_get_gpr(env, VMX_INSN_REG2(env->vmx_insn.info));
    uint64_t caps = env->features[FEAT_VMX_EPT_VPID_CAPS];
    uint64_t vpid = vmx_load(env, addr, ra);
    uint64_t gla = vmx_load(env, addr + 8, ra);
    bool ok;

    switch (type) {
    case 0:
        ok = (caps & MSR_VMX_EPT_INVVPID_SINGLE_ADDR) && vpid &&
             x86_canonical(env, gla);
        break;
    case 1:
        ok = (caps & MSR_VMX_EPT_INVVPID_SINGLE_CONTEXT) && vpid;
        break;
    case 2:
        ok = caps & MSR_VMX_EPT_INVVPID_ALL_CONTEXT;
        break;
    case 3:
        ok = (caps & MSR_VMX_EPT_INVVPID_SINGLE_CONTEXT_NOGLOBALS) && vpid;
        break;
    default:
        ok = false;
    }
    if (VMX_BAD(env, INVVPID_OPERAND, !ok) ||
        VMX_BAD(env, INVVPID_RESERVED, vpid >> 16)) {
        vmx_fail(env, VMX_ERR_INVEPT_OPERAND);
        return;
    }
    if (!vmx_rule(env, VMX_RULE_INVVPID)) {
        vmx_succeed(env);
        return;
    }
    if (type == 0) {
        x86_guest_flush_page(env, vpid, gla);
    } else {
        x86_guest_flush_asid(env, type == 2 ? env->tlb.guest.asid : vpid);
    }
    vmx_succeed(env);
}

/* VM function 0: switch to another EPTP of the list */
static void vmx_eptp_switch(CPUX86State *env, uintptr_t ra)
{
    uint64_t index = (uint32_t)env->regs[R_ECX];
    uint64_t eptp;

    if (VMX_BAD(env, EPTP_INDEX_EXIT, index >= 512)) {
        vmx_exit_insn(env, VMX_EXIT_VMFUNC, 0, ra);
    }
    eptp = x86_ldq_phys(env_cpu(env), vmx_get(env, VMX_EPTP_LIST) + 8 * index);
    if (!vmx_eptp_ok(env, eptp)) {
        vmx_exit_insn(env, VMX_EXIT_VMFUNC, 0, ra);
    }
    vmx_set(env, VMX_EPTP, eptp);
    if (vmx_proc2(env, VMX_SECONDARY_EXEC_EPT_VIOLATION_VE)) {
        vmx_set(env, VMX_EPTP_INDEX, (uint16_t)index);
    }
    env->nested_cr3 = eptp;
    x86_guest_flush_all(env);
}

/* The only VMX instruction that a guest executes without an exit. */
static void vmx_vmfunc(CPUX86State *env, uintptr_t ra)
{
    uint32_t function = env->regs[R_EAX];

    if (!vmx_guest(env) ||
        VMX_BAD(env, VMFUNC_UD,
                !vmx_proc2(env, VMX_SECONDARY_EXEC_ENABLE_VMFUNC))) {
        raise_exception_ra(env, EXCP06_ILLOP, ra);
    }
    if (VMX_BAD(env, VMFUNC_EXIT, function >= 64 ||
                !(vmx_get(env, VMX_VMFUNC_CTLS) & (1ULL << function)))) {
        vmx_exit_insn(env, VMX_EXIT_VMFUNC, 0, ra);
    }
    vmx_eptp_switch(env, ra);
}

static const struct {
    VmxExit exit;
    bool memory;                /* qualification is the displacement */
} vmx_ops[] = {
    [VMX_OP_VMCALL] = { VMX_EXIT_VMCALL },
    [VMX_OP_VMLAUNCH] = { VMX_EXIT_VMLAUNCH },
    [VMX_OP_VMRESUME] = { VMX_EXIT_VMRESUME },
    [VMX_OP_VMXOFF] = { VMX_EXIT_VMXOFF },
    [VMX_OP_VMFUNC] = { VMX_EXIT_VMFUNC },
    [VMX_OP_VMXON] = { VMX_EXIT_VMXON, true },
    [VMX_OP_VMCLEAR] = { VMX_EXIT_VMCLEAR, true },
    [VMX_OP_VMPTRLD] = { VMX_EXIT_VMPTRLD, true },
    [VMX_OP_VMPTRST] = { VMX_EXIT_VMPTRST, true },
    [VMX_OP_VMREAD] = { VMX_EXIT_VMREAD, true },
    [VMX_OP_VMWRITE] = { VMX_EXIT_VMWRITE, true },
    [VMX_OP_INVEPT] = { VMX_EXIT_INVEPT, true },
    [VMX_OP_INVVPID] = { VMX_EXIT_INVVPID, true },
};

/* VMREAD or VMWRITE of a guest that accesses its shadow VMCS */
static bool vmx_op_shadowed(CPUX86State *env, VmxOp op)
{
    uint64_t encoding = vmx_get_gpr(env, VMX_INSN_REG2(env->vmx_insn.info));

    return (op == VMX_OP_VMREAD || op == VMX_OP_VMWRITE) &&
           !vmx_field_exits(env, op, encoding);
}

/*
 * #UD, VM exit and #GP, in the order of the "Operation" sections. The
 * translator has checked for real mode, virtual-8086 mode and 32-bit code with
 * IA32_EFER.LMA, except for VMCALL, which may exit in all of them.
 */
static void vmx_op_check(CPUX86State *env, VmxOp op, uintptr_t ra)
{
    bool bad_mode = !(env->cr[0] & CR0_PE_MASK) || (env->eflags & VM_MASK) ||
                    ((env->efer & MSR_EFER_LMA) &&
                     !(env->hflags & HF_CS64_MASK));
    bool cpl = env->hflags & HF_CPL_MASK;

    if (op == VMX_OP_VMXON && !(env->cr[4] & CR4_VMXE_MASK)) {
        raise_exception_ra(env, EXCP06_ILLOP, ra);
    }
    if (!env->vmx->on && op != VMX_OP_VMXON) {
        raise_exception_ra(env, EXCP06_ILLOP, ra);
    }
    if (op == VMX_OP_VMCALL && vmx_guest(env)) {
        vmx_exit_insn(env, VMX_EXIT_VMCALL, 0, ra);
    }
    if (bad_mode) {
        raise_exception_ra(env, EXCP06_ILLOP, ra);
    }
    if (vmx_guest(env) && !vmx_op_shadowed(env, op)) {
        if (vmx_ops[op].memory) {
            vmx_set(env, VMX_EXIT_INSN_INFO, env->vmx_insn.info);
        }
        vmx_exit_insn(env, vmx_ops[op].exit,
                      vmx_ops[op].memory && !(env->vmx_insn.info & VMX_INSN_REG)
                      ? env->vmx_insn.disp : 0, ra);
    }
    if (VMX_BAD(env, INSN_CPL, cpl) ||
        (op == VMX_OP_VMXON && !env->vmx->on && !vmxon_permitted(env)) ||
        VMX_BAD(env, VMXOFF_SEAM, op == VMX_OP_VMXOFF && x86_seam_root(env))) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
}

void helper_vmx_op(CPUX86State *env, uint32_t op, target_ulong addr)
{
    uintptr_t ra = GETPC();

    if (op == VMX_OP_VMFUNC) {
        vmx_vmfunc(env, ra);
        return;
    }
    if (op >= VMX_OP_SEAMCALL && op <= VMX_OP_PCONFIG) {
        x86_seam_op(env, op, ra);
        return;
    }
    vmx_op_check(env, op, ra);
    switch (op) {
    case VMX_OP_VMCALL:
        vmx_fail(env, VMX_ERR_VMCALL_IN_ROOT);
        break;
    case VMX_OP_VMLAUNCH:
    case VMX_OP_VMRESUME:
        vmx_launch(env, op == VMX_OP_VMRESUME, ra);
        break;
    case VMX_OP_VMXOFF:
        vmx_vmxoff(env);
        break;
    case VMX_OP_VMXON:
        vmx_vmxon(env, addr, ra);
        break;
    case VMX_OP_VMCLEAR:
        vmx_vmclear(env, addr, ra);
        break;
    case VMX_OP_VMPTRLD:
        vmx_vmptrld(env, addr, ra);
        break;
    case VMX_OP_VMPTRST:
        vmx_vmptrst(env, addr, ra);
        break;
    case VMX_OP_VMREAD:
        vmx_vmread(env, addr, ra);
        break;
    case VMX_OP_VMWRITE:
        vmx_vmwrite(env, addr, ra);
        break;
    case VMX_OP_INVEPT:
        vmx_invept(env, addr, ra);
        break;
    case VMX_OP_INVVPID:
        vmx_invvpid(env, addr, ra);
        break;
    }
}
