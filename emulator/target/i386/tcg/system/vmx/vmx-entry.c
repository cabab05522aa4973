/*
 * VM entries
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "target/i386/trace.h"
#include "tcg/helper-tcg.h"
#include "tcg/vmx-hooks.h"
#include "vmx-internal.h"
#include "tcg/system/world.h"

/* Bits of CR0 that entries and exits do not change */
#define CR0_KEPT    (CR0_ET_MASK | CR0_NW_MASK | CR0_CD_MASK)

/*
 * Load a cached segment. QEMU's cache does not have the busy bit of TR, and has
 * an unusable segment as one that is not present.
 */
void vmx_set_seg(SegmentCache *sc, uint16_t sel, uint64_t base,
                 uint32_t limit, uint32_t ar)
{
    sc->selector = sel;
    sc->base = base;
    sc->limit = limit;
    sc->flags = (ar & 0xf0ff) << 8;
    if (ar & VMX_AR_UNUSABLE) {
        sc->flags &= ~DESC_P_MASK;
    }
}

static void vmx_load_seg(CPUX86State *env, int n, SegmentCache *sc)
{
    vmx_set_seg(sc, vmx_get(env, VMX_GUEST_ES_SEL + n),
                vmx_get(env, VMX_GUEST_ES_BASE + n),
                vmx_get(env, VMX_GUEST_ES_LIMIT + n),
                vmx_get(env, VMX_GUEST_ES_AR + n));
}

static void vmx_load_segs(CPUX86State *env)
{
    int i;

    for (i = R_ES; i <= R_GS; i++) {
        vmx_load_seg(env, i, &env->segs[i]);
    }
    vmx_load_seg(env, 6, &env->ldt);
    vmx_load_seg(env, 7, &env->tr);
    env->tr.flags &= ~DESC_TSS_BUSY_MASK;
    env->gdt.base = vmx_get(env, VMX_GUEST_GDTR_BASE);
    env->gdt.limit = vmx_get(env, VMX_GUEST_GDTR_LIMIT);
    env->idt.base = vmx_get(env, VMX_GUEST_IDTR_BASE);
    env->idt.limit = vmx_get(env, VMX_GUEST_IDTR_LIMIT);
}

/* Control registers and EFER, and the state that QEMU derives from them. */
void vmx_set_control_regs(CPUX86State *env, uint64_t cr0, uint64_t cr3,
                          uint64_t cr4, uint64_t efer)
{
    env->cr[0] = (cr0 & ~(uint64_t)CR0_KEPT) | (env->cr[0] & CR0_KEPT);
    env->cr[3] = cr3;
    env->cr[4] = cr4;
    env->efer = efer;

    env->hflags &= ~(HF_SMAP_MASK | HF_UMIP_MASK);
    if (cr4 & CR4_SMAP_MASK) {
        env->hflags |= HF_SMAP_MASK;
    }
    if (cr4 & CR4_UMIP_MASK) {
        env->hflags |= HF_UMIP_MASK;
    }
    x86_update_hflags(env);
    /* TCG has these in eflags, where instructions change them. */
    env->hflags &= ~(HF_TF_MASK | HF_VM_MASK | HF_IOPL_MASK);
    cpu_sync_bndcs_hflags(env);
    cpu_sync_avx_hflag(env);
}

void vmx_set_rflags(CPUX86State *env, uint64_t rflags)
{
    env->eflags = 0;
    cpu_load_eflags(env, rflags, ~(CC_O | CC_S | CC_Z | CC_A | CC_P | CC_C |
                                   DF_MASK));
}

/* "Loading Guest Control Registers, Debug Registers, and MSRs" */
static void vmx_load_regs(CPUX86State *env, uint32_t ctls)
{
    uint64_t cr0 = vmx_get(env, VMX_GUEST_CR0);
    uint64_t efer = env->efer;

    if (ctls & VMX_VM_ENTRY_LOAD_IA32_EFER) {
        efer = vmx_get(env, VMX_GUEST_EFER);
    } else {
        uint64_t mode = MSR_EFER_LMA;

        if (cr0 & CR0_PG_MASK) {
            mode |= MSR_EFER_LME;
        }
        efer &= ~mode;
        if (ctls & VMX_VM_ENTRY_IA32E_MODE) {
            efer |= MSR_EFER_LMA | MSR_EFER_LME;
        }
    }
    if (ctls & VMX_VM_ENTRY_LOAD_DEBUG_CONTROLS) {
        cpu_x86_update_dr7(env, vmx_get(env, VMX_GUEST_DR7));
        env->vmx->debugctl = vmx_get(env, VMX_GUEST_DEBUGCTL);
    }
    if (ctls & VMX_VM_ENTRY_LOAD_IA32_PAT) {
        env->pat = vmx_get(env, VMX_GUEST_PAT);
    }
    if (ctls & VMX_VM_ENTRY_LOAD_IA32_PKRS) {
        env->pkrs = vmx_get(env, VMX_GUEST_PKRS);
    }
    if (vmx_proc2(env, VMX_SECONDARY_EXEC_ENABLE_EPT)) {
        int i;

        for (i = 0; i < 4; i++) {
            env->vmx->pdpte[i] = vmx_get(env, VMX_GUEST_PDPTE0 + i);
        }
    }
    env->sysenter_cs = vmx_get(env, VMX_GUEST_SYSENTER_CS);
    env->sysenter_esp = vmx_get(env, VMX_GUEST_SYSENTER_ESP);
    env->sysenter_eip = vmx_get(env, VMX_GUEST_SYSENTER_EIP);

    vmx_set_rflags(env, vmx_get(env, VMX_GUEST_RFLAGS));
    env->eip = vmx_get(env, VMX_GUEST_RIP);
    env->regs[R_ESP] = vmx_get(env, VMX_GUEST_RSP);
    vmx_set_control_regs(env, cr0, vmx_get(env, VMX_GUEST_CR3),
                         vmx_get(env, VMX_GUEST_CR4), efer);
}

void vmx_load_guest_regs(CPUX86State *env)
{
    vmx_load_segs(env);
    vmx_load_regs(env, vmx_entry_ctls(env));
}

/* By STI and by MOV SS */
void vmx_load_blocking(CPUX86State *env)
{
    uint32_t block = vmx_get(env, VMX_GUEST_INTERRUPTIBILITY);

    env->hflags &= ~HF_INHIBIT_IRQ_MASK;
    if (block & (VMX_BLOCK_STI | VMX_BLOCK_MOV_SS)) {
        env->hflags |= HF_INHIBIT_IRQ_MASK;
        env->vmx_insn.mov_ss = block & VMX_BLOCK_MOV_SS;
    }
}

static void vmx_load_interruptibility(CPUX86State *env)
{
    env->vmx->root_nmi_blocked = env->hflags2 & HF2_NMI_MASK;
    env->hflags2 &= ~HF2_NMI_MASK;
    vmx_load_blocking(env);
    if (vmx_get(env, VMX_GUEST_INTERRUPTIBILITY) & VMX_BLOCK_NMI) {
        env->hflags2 |= HF2_NMI_MASK;
    }
}

static void vmx_load_guest(CPUX86State *env)
{
    X86VmxState *vmx = env->vmx;
    g_autofree VmxVmcs *fields = NULL;

    if (unlikely(vmx->ignored)) {
        fields = vmx_keep_state(env);
    }
    vmx->pin = vmx_effective(env, VMX_PIN_CTLS, VMX_CTL_PIN);
    vmx->proc = vmx_effective(env, VMX_PROC_CTLS, VMX_CTL_PROC);
    vmx->proc2 = vmx->proc & VMX_CPU_BASED_ACTIVATE_SECONDARY_CONTROLS ?
                 vmx_effective(env, VMX_PROC2_CTLS, VMX_CTL_PROC2) : 0;
    vmx->proc3 = vmx->proc & VMX_CPU_BASED_ACTIVATE_TERTIARY_CONTROLS ?
                 vmx_effective(env, VMX_PROC3_CTLS, VMX_CTL_PROC3) : 0;
    vmx->shadow = NULL;
    if (vmx_proc2(env, VMX_SECONDARY_EXEC_SHADOW_VMCS) &&
        vmx_get(env, VMX_VMCS_LINK) != VMX_NO_VMCS) {
        vmx->shadow = vmx_vmcs_activate(env, vmx_get(env, VMX_VMCS_LINK));
    }
    vmx->event = (VmxEvent) { 0 };
    vmx->event_injected = false;
    vmx->debug_cause = 0;
    vmx->activity = vmx_rule(env, VMX_RULE_LOAD_ACTIVITY) ?
                    vmx_get(env, VMX_GUEST_ACTIVITY) : VMX_ACTIVE;
    vmx->mtf_pending = false;
    vmx->ple_valid = false;
    env->intercept = 0;
    env->intercept_exceptions = 0;
    env->old_exception = -1;

    env->hflags |= HF_GUEST_MASK;
    if (vmx_proc2(env, VMX_SECONDARY_EXEC_ENABLE_EPT)) {
        env->hflags2 |= HF2_NPT_MASK;
        env->nested_cr3 = vmx_get(env, VMX_EPTP);
    }
    env->tlb.asid = vmx_proc2(env, VMX_SECONDARY_EXEC_ENABLE_VPID) ?
                    vmx_get(env, VMX_VPID) : 0;
    vmx_load_interruptibility(env);
    vmx_load_guest_regs(env);
    if (unlikely(fields)) {
        memcpy(vmx->vmcs, fields, sizeof(*fields));
    }
}

/* "VM-Entry Failures During or After Loading Guest State" */
static void vmx_entry_failed(CPUX86State *env, VmxExit reason,
                             uint64_t qualification)
{
    trace_vmx_exit(env_cpu(env)->cpu_index, reason | VMX_EXIT_ENTRY_FAILURE,
                   qualification, vmx_get(env, VMX_GUEST_RIP));
    vmx_set(env, VMX_EXIT_REASON, reason | VMX_EXIT_ENTRY_FAILURE);
    vmx_set(env, VMX_EXIT_QUALIFICATION,
            vmx_rule(env, VMX_RULE_QUAL_ENTRY) ? qualification : 0);
    vmx_load_host(env);
}

/*
 * Deliver a trap that was pending at the last exit, if nothing blocks it. Also
 * for a host, after SEAMRET.
 */
void vmx_pending_debug(CPUX86State *env, uint64_t pending)
{
    if (!(pending & (VMX_PENDING_DBG_BS | VMX_PENDING_DBG_ENABLED)) ||
        !vmx_rule(env, VMX_RULE_PENDING_DELIVERED)) {
        return;
    }
    if ((env->hflags & HF_INHIBIT_IRQ_MASK) && env->vmx_insn.mov_ss) {
        /* The trap of the next instruction reports these breakpoints. */
        if (env->eflags & TF_MASK) {
            x86_debug_cause(env, 0xf, pending & 0xf);
        }
        return;
    }
    x86_debug_cause(env, 0xf, pending & (DR6_BS | 0xf));
    raise_exception_err_ra(env, EXCP01_DB, 0, 0);
}

static void vmx_activity(CPUX86State *env)
{
    CPUState *cs = env_cpu(env);

    if (env->vmx->activity != VMX_ACTIVE) {
        cs->halted = 1;
        cs->exception_index = EXCP_HLT;
        cpu_loop_exit(cs);
    }
    if (vmx_proc(env, VMX_CPU_BASED_MONITOR_TRAP_FLAG)) {
        /* Execute one instruction, then check what is pending */
        cs->cflags_next_tb = cs->tcg_cflags | CF_NOIRQ | CF_NO_GOTO_TB |
                             CF_NO_GOTO_PTR | 1;
    }
}

/*
 * True if the guest runs, or the host after a failed entry; false after VMfail.
 * No host state is saved: it is in the VMCS.
 */
bool vmx_enter(CPUX86State *env, uintptr_t ra)
{
    uint64_t qualification;
    int error;

    error = vmx_check_controls(env);
    if (!error) {
        error = vmx_check_host(env);
    }
    if (error) {
        vmx_fail(env, error);
        return false;
    }
    x86_world_leave(env);
    if (!vmx_check_guest(env, &qualification)) {
        vmx_entry_failed(env, VMX_EXIT_ENTRY_GUEST_STATE, qualification);
        return true;
    }
    trace_vmx_enter(env_cpu(env)->cpu_index, env->vmx->vmcs->pa,
                    vmx_get(env, VMX_GUEST_RIP),
                    vmx_get(env, VMX_ENTRY_INTR_INFO));
    vmx_load_guest(env);
    qualification = vmx_load_msrs(env, vmx_get(env, VMX_ENTRY_MSR_LOAD_ADDR),
                                  vmx_get(env, VMX_ENTRY_MSR_LOAD_COUNT));
    if (qualification) {
        vmx_entry_failed(env, VMX_EXIT_ENTRY_MSR_LOAD, qualification);
        vmx_unload_controls(env, env->vmx->root_nmi_blocked);
        return true;
    }
    x86_world_enter(env);
    env->vmx->vmcs->launched = true;
    vmx_timer_arm(env);
    vmx_apic_enter(env);
    vmx_update_events(env);
    if ((vmx_get(env, VMX_ENTRY_INTR_INFO) & VMX_INTR_VALID) &&
        vmx_rule(env, VMX_RULE_INJECTION)) {
        vmx_deliver_injected(env);
    } else {
        vmx_pending_debug(env, vmx_get(env, VMX_GUEST_PENDING_DBG));
        vmx_activity(env);
    }
    return true;
}
