/*
 * VM exits
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qemu/log.h"
#include "exec/cpu_ldst.h"
#include "system/runstate.h"
#include "target/i386/trace.h"
#include "tcg/vmx-hooks.h"
#include "vmx-internal.h"
#include "tcg/system/world.h"

G_NORETURN void vmx_do_exit(CPUX86State *env, VmxExitInfo info, uintptr_t ra)
{
    CPUState *cs = env_cpu(env);

    if (ra) {
        cpu_restore_state(cs, ra);
    }
    env->vmx->exit = info;
    cs->exception_index = EXCP_VMEXIT;
    env->old_exception = -1;
    env->event_ext = false;
    cpu_loop_exit(cs);
}

G_NORETURN void vmx_exit(CPUX86State *env, VmxExit reason,
                         uint64_t qualification, uintptr_t ra)
{
    VmxExitInfo info = {
        .reason = reason,
        .qualification = qualification,
    };

    vmx_do_exit(env, info, ra);
}

G_NORETURN void vmx_exit_insn(CPUX86State *env, VmxExit reason,
                              uint64_t qualification, uintptr_t ra)
{
    VmxExitInfo info = {
        .reason = reason,
        .qualification = qualification,
        .insn = true,
    };

    vmx_do_exit(env, info, ra);
}

G_NORETURN void vmx_exit_intr(CPUX86State *env, VmxExit reason,
                              uint64_t qualification, uint32_t intr,
                              uint32_t error, uintptr_t ra)
{
    int type = (intr & VMX_INTR_TYPE_MASK) >> VMX_INTR_TYPE_SHIFT;
    VmxExitInfo info = {
        .reason = reason,
        .qualification = qualification,
        .intr_info = intr,
        .intr_error = error,
        .insn = type >= VMX_INTR_SOFT && type <= VMX_INTR_SOFT_EXCEPTION,
    };

    vmx_do_exit(env, info, ra);
}

/*
 * The monitor trap flag has priority over a single-step trap, which stays
 * pending
 */
void x86_vmx_single_step(CPUX86State *env)
{
    VmxExitInfo info = { .reason = VMX_EXIT_MTF, .step = true };

    if (vmx_proc(env, VMX_CPU_BASED_MONITOR_TRAP_FLAG) &&
        vmx_rule(env, VMX_RULE_ORDER_MTF_STEP)) {
        vmx_do_exit(env, info, 0);
    }
}

/* "Saving Segment Registers and Descriptor-Table Registers" */
static void vmx_save_seg(CPUX86State *env, int n, const SegmentCache *sc)
{
    uint32_t ar = (sc->flags >> 8) & 0xf0ff;

    if (!(sc->flags & DESC_P_MASK)) {
        ar |= VMX_AR_UNUSABLE;
    } else if (sc->flags & DESC_S_MASK) {
        /* Loading the segment sets the flag, which QEMU's cache may lack. */
        ar |= DESC_A_MASK >> 8;
    }
    if (n == 7) {
        ar |= DESC_TSS_BUSY_MASK >> 8;
    }
    vmx_set(env, VMX_GUEST_ES_SEL + n, sc->selector);
    vmx_set(env, VMX_GUEST_ES_BASE + n, sc->base);
    vmx_set(env, VMX_GUEST_ES_LIMIT + n, sc->limit);
    vmx_set(env, VMX_GUEST_ES_AR + n, ar);
}

static void vmx_save_segs(CPUX86State *env)
{
    int i;

    for (i = R_ES; i <= R_GS; i++) {
        vmx_save_seg(env, i, &env->segs[i]);
    }
    vmx_save_seg(env, 6, &env->ldt);
    vmx_save_seg(env, 7, &env->tr);
    vmx_set(env, VMX_GUEST_GDTR_BASE, env->gdt.base);
    vmx_set(env, VMX_GUEST_GDTR_LIMIT, env->gdt.limit & 0xffff);
    vmx_set(env, VMX_GUEST_IDTR_BASE, env->idt.base);
    vmx_set(env, VMX_GUEST_IDTR_LIMIT, env->idt.limit & 0xffff);
}

static void vmx_save_pdptes(CPUX86State *env)
{
    int i;

    if (vmx_uses_pdptes(env, env->cr[0], env->cr[4])) {
        for (i = 0; i < 4; i++) {
            vmx_set(env, VMX_GUEST_PDPTE0 + i, env->vmx->pdpte[i]);
        }
    }
}

static void vmx_save_regs(CPUX86State *env)
{
    uint32_t ctls = vmx_exit_ctls(env);

    vmx_set(env, VMX_GUEST_CR0, env->cr[0]);
    vmx_set(env, VMX_GUEST_CR3, env->cr[3]);
    vmx_set(env, VMX_GUEST_CR4, env->cr[4]);
    vmx_set(env, VMX_GUEST_SYSENTER_CS, env->sysenter_cs);
    vmx_set(env, VMX_GUEST_SYSENTER_ESP, env->sysenter_esp);
    vmx_set(env, VMX_GUEST_SYSENTER_EIP, env->sysenter_eip);
    if (ctls & VMX_VM_EXIT_SAVE_DEBUG_CONTROLS) {
        vmx_set(env, VMX_GUEST_DR7, env->dr[7]);
        vmx_set(env, VMX_GUEST_DEBUGCTL, env->vmx->debugctl);
    }
    if (ctls & VMX_VM_EXIT_SAVE_IA32_PAT) {
        vmx_set(env, VMX_GUEST_PAT, env->pat);
    }
    if (ctls & VMX_VM_EXIT_SAVE_IA32_EFER) {
        vmx_set(env, VMX_GUEST_EFER, env->efer);
    }
    /* Saved without a separate control. */
    if (env->features[FEAT_VMX_ENTRY_CTLS] & VMX_VM_ENTRY_LOAD_IA32_PKRS) {
        vmx_set(env, VMX_GUEST_PKRS, env->pkrs);
    }
    if (env->features[FEAT_VMX_MISC] & MSR_VMX_MISC_STORE_LMA) {
        uint32_t entry = vmx_get(env, VMX_ENTRY_CTLS) &
                         ~VMX_VM_ENTRY_IA32E_MODE;

        if (env->efer & MSR_EFER_LMA) {
            entry |= VMX_VM_ENTRY_IA32E_MODE;
        }
        vmx_set(env, VMX_ENTRY_CTLS, entry);
    }
    vmx_set(env, VMX_GUEST_RSP, env->regs[R_ESP]);
    vmx_set(env, VMX_GUEST_RIP, env->eip);
    vmx_set(env, VMX_GUEST_RFLAGS, cpu_compute_eflags(env));
}

/* "Saving Non-Register State" */
static void vmx_save_state(CPUX86State *env)
{
    uint32_t block = 0;
    uint64_t pending = 0;

    if (env->hflags & HF_INHIBIT_IRQ_MASK) {
        block |= env->vmx_insn.mov_ss ? VMX_BLOCK_MOV_SS : VMX_BLOCK_STI;
        /* If the exit is not caused by the trap itself */
        if ((env->eflags & TF_MASK) &&
            !(env->vmx->exit.reason == VMX_EXIT_EXCEPTION &&
              (env->vmx->exit.intr_info & VMX_INTR_VECTOR) == EXCP01_DB)) {
            pending |= VMX_PENDING_DBG_BS;
        }
        if (env->vmx->debug_cause & 0xf) {
            pending |= (env->vmx->debug_cause & 0xf) | VMX_PENDING_DBG_ENABLED;
        }
    }
    if (env->vmx->exit.step) {
        pending |= VMX_PENDING_DBG_BS;
    }
    if (env->hflags2 & HF2_NMI_MASK) {
        block |= VMX_BLOCK_NMI;
    }
    vmx_set(env, VMX_GUEST_INTERRUPTIBILITY, block);
    vmx_set(env, VMX_GUEST_PENDING_DBG, pending);
    vmx_set(env, VMX_GUEST_ACTIVITY, env->vmx->activity);
}

/* "Recording VM-Exit Information and Updating VM-entry Control Fields" */
void vmx_save_info(CPUX86State *env)
{
    VmxExitInfo *exit = &env->vmx->exit;
    VmxEvent *event = &env->vmx->event;
    uint32_t vectoring = event->info, len = 0;

    if (VMX_BAD(env, NO_VECTORING, exit->reason == VMX_EXIT_TRIPLE_FAULT ||
                (exit->reason == VMX_EXIT_EXCEPTION &&
                 (exit->intr_info & VMX_INTR_VECTOR) == EXCP08_DBLE))) {
        vectoring = 0;
    }
    if (exit->insn) {
        len = env->vmx_insn.len;
    } else if (vectoring) {
        len = event->insn_len;
    }
    vmx_set(env, VMX_EXIT_REASON, exit->reason);
    vmx_set(env, VMX_EXIT_QUALIFICATION, exit->qualification);
    vmx_set(env, VMX_EXIT_INTR_INFO, exit->intr_info);
    vmx_set(env, VMX_EXIT_INTR_ERROR, exit->intr_error);
    vmx_set(env, VMX_IDT_VEC_INFO, vectoring);
    vmx_set(env, VMX_IDT_VEC_ERROR, event->error);
    vmx_set(env, VMX_EXIT_INSN_LEN, len);
    if (vmx_rule(env, VMX_RULE_ENTRY_INFO_CLEARED)) {
        vmx_set(env, VMX_ENTRY_INTR_INFO,
                vmx_get(env, VMX_ENTRY_INTR_INFO) & ~VMX_INTR_VALID);
    }
    *event = (VmxEvent) { 0 };
    if (unlikely(env->vmx->ignored)) {
        vmx_drop_info(env);
    }
}

static void vmx_load_host_segs(CPUX86State *env, bool host64)
{
    static const VmxField sels[] = {
        VMX_HOST_ES_SEL, VMX_HOST_CS_SEL, VMX_HOST_SS_SEL,
        VMX_HOST_DS_SEL, VMX_HOST_FS_SEL, VMX_HOST_GS_SEL,
    };
    int i;

    for (i = R_ES; i <= R_GS; i++) {
        uint16_t sel = vmx_get(env, sels[i]);
        uint32_t ar = VMX_AR_P | VMX_AR_S | VMX_AR_G;

        if (i == R_CS) {
            ar |= 11 | (host64 ? VMX_AR_L : VMX_AR_DB);
        } else {
            ar |= 3 | VMX_AR_DB | (sel ? 0 : VMX_AR_UNUSABLE);
        }
        vmx_set_seg(&env->segs[i], sel, 0, UINT32_MAX, ar);
    }
    env->segs[R_FS].base = vmx_get(env, VMX_HOST_FS_BASE);
    env->segs[R_GS].base = vmx_get(env, VMX_HOST_GS_BASE);
    vmx_set_seg(&env->tr, vmx_get(env, VMX_HOST_TR_SEL),
                vmx_get(env, VMX_HOST_TR_BASE), 0x67, VMX_AR_P | 9);
    vmx_set_seg(&env->ldt, 0, 0, 0, VMX_AR_UNUSABLE);
    env->gdt.base = vmx_get(env, VMX_HOST_GDTR_BASE);
    env->gdt.limit = 0xffff;
    env->idt.base = vmx_get(env, VMX_HOST_IDTR_BASE);
    env->idt.limit = 0xffff;
}

static void vmx_load_host_regs(CPUX86State *env, uint32_t ctls)
{
    bool host64 = ctls & VMX_VM_EXIT_HOST_ADDR_SPACE_SIZE;
    uint64_t mode = MSR_EFER_LMA | MSR_EFER_LME;
    uint64_t cr4 = vmx_get(env, VMX_HOST_CR4);
    uint64_t efer = env->efer;

    efer = host64 ? efer | mode : efer & ~mode;
    if (ctls & VMX_VM_EXIT_LOAD_IA32_EFER) {
        efer = vmx_get(env, VMX_HOST_EFER);
    }
    if (ctls & VMX_VM_EXIT_LOAD_IA32_PAT) {
        env->pat = vmx_get(env, VMX_HOST_PAT);
    }
    if (ctls & VMX_VM_EXIT_LOAD_IA32_PKRS) {
        env->pkrs = vmx_get(env, VMX_HOST_PKRS);
    }
    env->sysenter_cs = vmx_get(env, VMX_HOST_SYSENTER_CS);
    env->sysenter_esp = vmx_get(env, VMX_HOST_SYSENTER_ESP);
    env->sysenter_eip = vmx_get(env, VMX_HOST_SYSENTER_EIP);
    cpu_x86_update_dr7(env, 0);
    env->vmx->debugctl = 0;
    vmx_set_rflags(env, 2);
    env->eip = vmx_get(env, VMX_HOST_RIP);
    env->regs[R_ESP] = vmx_get(env, VMX_HOST_RSP);
    vmx_set_control_regs(env, vmx_get(env, VMX_HOST_CR0),
                         vmx_get(env, VMX_HOST_CR3), cr4, efer);
}

/* "Loading Host State", also after failed VM entries */
void vmx_load_host(CPUX86State *env)
{
    uint32_t ctls = vmx_exit_ctls(env);

    env->hflags &= ~(HF_GUEST_MASK | HF_INHIBIT_IRQ_MASK);
    env->hflags2 &= ~HF2_NPT_MASK;
    env->vmx->debug_cause = 0;
    vmx_load_host_segs(env, ctls & VMX_VM_EXIT_HOST_ADDR_SPACE_SIZE);
    vmx_load_host_regs(env, ctls);
    if (vmx_load_msrs(env, vmx_get(env, VMX_EXIT_MSR_LOAD_ADDR),
                      vmx_get(env, VMX_EXIT_MSR_LOAD_COUNT))) {
        vmx_abort(env, VMX_ABORT_LOAD_MSR);
    }
    x86_world_enter(env);
}

/* "VMX Aborts": store the indicator for other processors, and shut down. */
void vmx_abort(CPUX86State *env, uint32_t reason)
{
    CPUState *cs = env_cpu(env);

    qemu_log_mask(LOG_GUEST_ERROR, "VMX abort %u on CPU %d\n", reason,
                  cs->cpu_index);
    x86_stl_phys(cs, env->vmx->vmcs->pa + 4, reason);
    qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    cs->halted = 1;
}

/* What the processor has, as the state of a guest */
void vmx_save_registers(CPUX86State *env)
{
    vmx_save_regs(env);
    vmx_save_segs(env);
    vmx_save_pdptes(env);
    vmx_save_state(env);
}

/* "Saving Guest State" */
void vmx_save_guest(CPUX86State *env)
{
    g_autofree VmxVmcs *before = NULL;

    if (unlikely(env->vmx->ignored)) {
        before = g_memdup2(env->vmx->vmcs, sizeof(*before));
    }
    vmx_save_registers(env);
    if (unlikely(before)) {
        vmx_drop_state(env, before);
    }
}

/* The processor is in root operation again. */
void vmx_unload_controls(CPUX86State *env, bool nmi_blocked)
{
    X86VmxState *vmx = env->vmx;

    if (nmi_blocked) {
        env->hflags2 |= HF2_NMI_MASK;
    } else {
        env->hflags2 &= ~HF2_NMI_MASK;
    }
    vmx->pin = vmx->proc = vmx->proc2 = vmx->proc3 = 0;
}

void x86_vmx_do_vmexit(CPUX86State *env)
{
    X86VmxState *vmx = env->vmx;
    bool nmi = vmx->exit.reason == VMX_EXIT_EXCEPTION &&
               (vmx->exit.intr_info & VMX_INTR_TYPE_MASK) ==
               VMX_INTR_NMI << VMX_INTR_TYPE_SHIFT;
    bool vnmi = vmx_pin(env, VMX_PIN_BASED_VIRTUAL_NMIS);
    bool nmi_blocked = env->hflags2 & HF2_NMI_MASK;

    trace_vmx_exit(env_cpu(env)->cpu_index, vmx->exit.reason,
                   vmx->exit.qualification, env->eip);
    x86_world_leave(env);
    vmx_timer_stop(env);
    vmx_save_info(env);
    vmx_save_guest(env);
    if (!vmx_store_msrs(env, vmx_get(env, VMX_EXIT_MSR_STORE_ADDR),
                        vmx_get(env, VMX_EXIT_MSR_STORE_COUNT))) {
        vmx_abort(env, VMX_ABORT_SAVE_MSR);
    }

    vmx_load_host(env);
    /* With virtual NMIs, the guest's blocking differs from the processor's. */
    vmx_unload_controls(env, nmi ||
                        (vnmi ? vmx->root_nmi_blocked : nmi_blocked));
    vmx_update_events(env);
}
