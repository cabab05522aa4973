/*
 * SEAM mode: SEAMCALL, SEAMRET, SEAMOPS, TDCALL, PCONFIG
 *
 * A processor in SEAM mode is in VMX root operation, where a TDX module runs,
 * or in VMX non-root operation, where TDs do. SEAMCALL is a VM exit, and
 * SEAMRET a VM entry, of the SEAM transfer VMCS that each logical processor has
 * in SEAMRR. The processor knows nothing of the module's functions.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qemu/bswap.h"
#include "qemu/log.h"
#include "exec/cpu_ldst.h"
#include "hw/i386/intel-tdx.h"
#include "tcg/helper-tcg.h"
#include "tcg/seam-hooks.h"
#include "target/i386/trace.h"
#include "tcg/system/vmx/vmx-internal.h"
#include "tcg/system/world.h"

/* A P-SEAMLDR answers SEAMCALLs with this bit in RAX, if there is one. */
#define SEAMCALL_LOADER     (1ULL << 63)
#define SEAMOPS_CAPABILITIES        0
#define SEAMOPS_SEAMREPORT          1
#define SEAMOPS_SEAMDB_GETREF       4
#define SEAMOPS_SEAMDB_REPORT       5
#define SEAMOPS_SEAMVERIFYREPORT    6
#define SEAMOPS_LEAVES              (1ULL << SEAMOPS_CAPABILITIES | \
                                     1ULL << SEAMOPS_SEAMREPORT | \
                                     1ULL << SEAMOPS_SEAMDB_GETREF | \
                                     1ULL << SEAMOPS_SEAMDB_REPORT | \
                                     1ULL << SEAMOPS_SEAMVERIFYREPORT)
#define SEAMOPS_DATABASE_ERROR      3
#define SEAMOPS_INVALID_LEAF        (-1ULL)

/* REPORTTYPE of a TD's report; subtype and version are the module's. */
#define REPORT_TYPE_TDX     0x81

/* It stays in the processor, whatever VMXOFF or INIT drop. */
static VmxVmcs *seam_transfer_vmcs(CPUX86State *env)
{
    IntelTdxState *tdx = env_archcpu(env)->tdx;
    unsigned int lp = env_cpu(env)->cpu_index;
    void **vmcs = intel_tdx_transfer_state(tdx, lp);

    if (!*vmcs) {
        *vmcs = vmx_vmcs_read(env, intel_tdx_transfer_vmcs(tdx, lp));
    }
    return *vmcs;
}

/* In SEAM mode, it is a VMCS like others. */
VmxVmcs *vmx_transfer_vmcs(CPUX86State *env, uint64_t pa)
{
    if (likely(!(env->hflags & HF_SEAM_MASK)) ||
        pa != intel_tdx_transfer_vmcs(env_archcpu(env)->tdx,
                                      env_cpu(env)->cpu_index)) {
        return NULL;
    }
    return seam_transfer_vmcs(env);
}

void vmx_transfer_cleared(CPUX86State *env)
{
    void **vmcs = intel_tdx_transfer_state(env_archcpu(env)->tdx,
                                           env_cpu(env)->cpu_index);

    g_clear_pointer(vmcs, g_free);
}

/*
 * A VM exit: the guest's RIP is that of SEAMCALL. The module goes on after it.
 *
 * NMIs are held until SEAMRET; other interrupts are, because RFLAGS.IF is 0. In
 * a TD, both are VM exits to the module.
 */
static void seam_call(CPUX86State *env, uintptr_t ra)
{
    X86VmxState *vmx = env->vmx;

    if ((env->hflags & HF_INHIBIT_IRQ_MASK) && env->vmx_insn.mov_ss) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    if (env->regs[R_EAX] & SEAMCALL_LOADER) {
        x86_seam_loader_call(env, ra);
        vmx_skip_insn(env);
        return;
    }
    if (!intel_tdx_module_ready(env_archcpu(env)->tdx)) {
        vmx_fail_invalid(env);
        vmx_skip_insn(env);
        return;
    }
    trace_seam_call(env_cpu(env)->cpu_index, env->regs[R_EAX],
                    env->regs[R_ECX], env->regs[R_EDX], env->regs[8]);
    vmx_succeed(env);
    vmx->host_vmcs = vmx->vmcs ? vmx->vmcs->pa : VMX_NO_VMCS;
    vmx->host_nmi_blocked = env->hflags2 & HF2_NMI_MASK;
    x86_world_leave(env);
    env->hflags |= HF_SEAM_MASK;
    vmx->vmcs = seam_transfer_vmcs(env);
    vmx->exit = (VmxExitInfo) { .reason = VMX_EXIT_SEAMCALL, .insn = true };
    vmx->activity = VMX_ACTIVE;
    vmx_save_info(env);
    vmx_save_guest(env);
    vmx_load_host(env);
    env->hflags2 |= HF2_NMI_MASK;
}

static void seam_ret(CPUX86State *env)
{
    X86VmxState *vmx = env->vmx;
    uint64_t pending;

    trace_seam_ret(env_cpu(env)->cpu_index, env->regs[R_EAX]);
    vmx->vmcs = seam_transfer_vmcs(env);
    pending = vmx_get(env, VMX_GUEST_PENDING_DBG);
    x86_world_leave(env);
    env->hflags &= ~HF_SEAM_MASK;
    vmx_load_guest_regs(env);
    vmx_load_blocking(env);
    x86_world_enter(env);
    env->hflags2 &= ~HF2_NMI_MASK;
    if (vmx->host_nmi_blocked) {
        env->hflags2 |= HF2_NMI_MASK;
    }
    /* The module may have cleared it. */
    vmx->vmcs = g_hash_table_lookup(vmx->active, &vmx->host_vmcs);
    vmx_update_events(env);
    vmx_pending_debug(env, pending);
}

static void seam_load(CPUX86State *env, target_ulong addr, uint8_t *to,
                      int size, int align, uintptr_t ra)
{
    int i;

    if (addr % align) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    for (i = 0; i < size; i += 8) {
        stq_le_p(to + i, cpu_ldq_le_data_ra(env, addr + i, ra));
    }
}

/*
 * RCX: report; RDX: its type; R8: report data; R9: hash of TEE_INFO. INDEX: of
 * the module in SEAMDB
 */
static uint64_t seam_report(CPUX86State *env, unsigned int index, uintptr_t ra)
{
    target_ulong to = env->regs[R_ECX];
    uint64_t type = env->regs[R_EDX];
    uint8_t data[TDX_REPORT_DATA_SIZE], hash[TDX_HASH_SIZE];
    uint8_t report[TDX_REPORT_SIZE];
    int i;

    if ((type & 0xff) != REPORT_TYPE_TDX || type >> 24 ||
        to % TDX_REPORT_SIZE) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    seam_load(env, env->regs[8], data, sizeof(data), 64, ra);
    seam_load(env, env->regs[9], hash, sizeof(hash), 64, ra);
    intel_tdx_seal_report(env_archcpu(env)->tdx, index, type, data, hash,
                          report);
    for (i = 0; i < sizeof(report); i += 8) {
        cpu_stq_le_data_ra(env, to + i, ldq_le_p(report + i), ra);
    }
    return 0;
}

/* The entry of SEAMDB for the module that is here */
static unsigned int seam_db_index(CPUX86State *env)
{
    return intel_tdx_db_entries(env_archcpu(env)->tdx) - 1;
}

/* R10: its index; R11 to R14: its nonce; R15: number of entries */
static uint64_t seam_db_getref(CPUX86State *env)
{
    unsigned int index = seam_db_index(env);
    const uint64_t *nonce = intel_tdx_db_nonce(env_archcpu(env)->tdx, index);
    int i;

    env->regs[10] = index;
    for (i = 0; i < TDX_DB_NONCE_WORDS; i++) {
        env->regs[11 + i] = nonce[i];
    }
    env->regs[15] = index + 1;
    return 0;
}

/* R10: index; R11 to R14: nonce; and as SEAMREPORT */
static uint64_t seam_db_report(CPUX86State *env, uintptr_t ra)
{
    uint64_t index = env->regs[10];
    const uint64_t *nonce;
    int i;

    if (index > seam_db_index(env)) {
        return SEAMOPS_DATABASE_ERROR;
    }
    nonce = intel_tdx_db_nonce(env_archcpu(env)->tdx, index);
    for (i = 0; i < TDX_DB_NONCE_WORDS; i++) {
        if (env->regs[11 + i] != nonce[i]) {
            return SEAMOPS_DATABASE_ERROR;
        }
    }
    return seam_report(env, index, ra);
}

/* RBX: REPORTMACSTRUCT */
static uint64_t seam_verify_report(CPUX86State *env, uintptr_t ra)
{
    uint8_t report[TDX_REPORTMAC_SIZE];

    seam_load(env, env->regs[R_EBX], report, sizeof(report), sizeof(report),
              ra);
    return intel_tdx_verify_report(env_archcpu(env)->tdx, report);
}

static void seam_ops(CPUX86State *env, uintptr_t ra)
{
    uint64_t result;

    switch (env->regs[R_EAX]) {
    case SEAMOPS_CAPABILITIES:
        result = SEAMOPS_LEAVES;
        break;
    case SEAMOPS_SEAMREPORT:
        result = seam_report(env, seam_db_index(env), ra);
        break;
    case SEAMOPS_SEAMDB_GETREF:
        result = seam_db_getref(env);
        break;
    case SEAMOPS_SEAMDB_REPORT:
        result = seam_db_report(env, ra);
        break;
    case SEAMOPS_SEAMVERIFYREPORT:
        result = seam_verify_report(env, ra);
        break;
    default:
        result = SEAMOPS_INVALID_LEAF;
        break;
    }
    env->regs[R_EAX] = result;
    vmx_succeed(env);
}

/* "PCONFIG", leaf MKTME_KEY_PROGRAM */
static void seam_pconfig(CPUX86State *env, uintptr_t ra)
{
    target_ulong addr = env->regs[R_EBX];
    uint16_t keyid;
    uint32_t control;
    uint32_t result;
    int i;

    if ((uint32_t)env->regs[R_EAX] || addr % 256) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    keyid = cpu_lduw_le_data_ra(env, addr, ra);
    control = cpu_ldl_le_data_ra(env, addr + 2, ra);
    for (i = 6; i < 64; i += 2) {
        if (cpu_lduw_le_data_ra(env, addr + i, ra)) {
            raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
        }
    }
    /* Private key ids are the module's. */
    if (keyid >= TDX_FIRST_PRIVATE_KEYID && !x86_seam_root(env)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    result = intel_tdx_program_key(env_archcpu(env)->tdx, keyid, control,
                                   env_cpu(env)->cpu_index);
    env->regs[R_EAX] = result;
    vmx_set_flags(env, result ? CC_Z : 0);
}

/*
 * #UD, #GP and VM exits. Processors check CPL before SEAMCALL exits, unlike its
 * "Operation" section: Linux relies on it.
 */
static void seam_check_mode(CPUX86State *env, VmxOp op, uintptr_t ra)
{
    bool seam = env->hflags & HF_SEAM_MASK;
    bool guest = vmx_guest(env);
    bool ud = !env_archcpu(env)->tdx || (env->hflags & HF_SMM_MASK) ||
              (op != VMX_OP_TDCALL && !(env->hflags & HF_CS64_MASK));

    switch (op) {
    case VMX_OP_SEAMCALL:
        ud |= !env->vmx->on || seam;
        break;
    case VMX_OP_SEAMRET:
    case VMX_OP_SEAMOPS:
        ud |= !env->vmx->on || !seam || guest;
        break;
    case VMX_OP_TDCALL:
        ud |= !guest;
        break;
    case VMX_OP_PCONFIG:
        /* "Enable PCONFIG" is 0: the control is not supported. */
        ud |= guest;
        break;
    default:
        g_assert_not_reached();
    }
    if (ud) {
        raise_exception_ra(env, EXCP06_ILLOP, ra);
    }
    if (env->hflags & HF_CPL_MASK) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    if (guest && op == VMX_OP_TDCALL) {
        trace_seam_tdcall(env_cpu(env)->cpu_index, env->regs[R_EAX],
                          env->regs[R_ECX], env->regs[R_EDX], env->regs[10],
                          env->regs[11], env->regs[12], env->regs[13],
                          env->regs[14]);
    }
    if (guest) {
        vmx_exit_insn(env, op == VMX_OP_TDCALL ? VMX_EXIT_TDCALL :
                           VMX_EXIT_SEAMCALL, 0, ra);
    }
}

void x86_seam_op(CPUX86State *env, VmxOp op, uintptr_t ra)
{
    seam_check_mode(env, op, ra);
    switch (op) {
    case VMX_OP_SEAMCALL:
        seam_call(env, ra);
        break;
    case VMX_OP_SEAMRET:
        seam_ret(env);
        break;
    case VMX_OP_SEAMOPS:
        seam_ops(env, ra);
        break;
    case VMX_OP_PCONFIG:
        seam_pconfig(env, ra);
        break;
    default:
        g_assert_not_reached();
    }
}
