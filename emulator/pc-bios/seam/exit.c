/*
 * TDX module: VM exits of TDs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cpuid.h"
#include "run.h"

unsigned run_cpl(void)
{
    return (plat_vmread(VMCS_SS_AR) >> 5) & 3;
}

bool run_64bit(void)
{
    return (plat_vmread(VMCS_EFER) & EFER_LMA) &&
           (plat_vmread(VMCS_CS_AR) & CS_AR_L);
}

void run_skip(void)
{
    u64 rip = plat_vmread(VMCS_RIP) + plat_vmread(VMCS_INSTR_LENGTH);

    /* Outside 64-bit mode it wraps. */
    if (!run_64bit()) {
        rip = (u32)rip;
    }
    plat_vmwrite(VMCS_RIP, rip);
    plat_vmwrite(VMCS_INTERRUPTIBILITY,
                 plat_vmread(VMCS_INTERRUPTIBILITY) & ~3ULL);
    if ((plat_vmread(VMCS_RFLAGS) & BIT(8)) &&
        !(plat_vmread(VMCS_DEBUGCTL) & BIT(1))) {
        /* TF, and not BTF: a debug exception after the instruction */
        plat_vmwrite(VMCS_PENDING_DEBUG,
                     plat_vmread(VMCS_PENDING_DEBUG) | BIT(14));
    }
}

/*
 * An asynchronous TD exit: the host sees what it needs, and no register of
 * the TD.
 */
enum run_next run_to_host(struct run *r, u64 code, u64 eeq, u64 gpa)
{
    struct regs *h = r->c->r;
    bool keep_bp = r->td->tdcs->config_flags & CONFIG_NO_RBP_MOD;

    for (unsigned i = 0; i < NUM_REGS; i++) {
        if (i != R_SP && !(i == R_BP && keep_bp)) {
            h->r[i] = 0;
        }
    }
    h->r[R_CX] = (u32)r->qualification;
    h->r[R_DX] = eeq;
    h->r[R_8] = gpa;
    if ((r->reason & 0xffff) <= EXIT_INTERRUPT) {
        h->r[R_9] = plat_vmread(VMCS_EXIT_INTR);
    }
    r->ret = code | (r->reason & 0xffffffff);
    return RUN_HOST;
}

/* Nothing that a TD of this module can do gets here. */
enum run_next run_fatal(struct run *r)
{
    r->td->tdr->fatal = 1;
    return run_to_host(r, TDX_NON_RECOVERABLE_TD, EEQ_NONE, 0);
}

static enum run_next run_host(struct run *r)
{
    return run_to_host(r, TDX_SUCCESS, EEQ_NONE, 0);
}

static enum run_next run_exception(struct run *r)
{
    u64 info = plat_vmread(VMCS_EXIT_INTR);

    if (INTR_TYPE(info) == INTR_TYPE_NMI) {
        return run_host(r);
    }
    /* A machine check: the TD has met memory that it cannot trust. */
    r->td->tdr->fatal = 1;
    return run_to_host(r, TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE, EEQ_NONE, 0);
}

enum run_next run_triple_fault(struct run *r)
{
    r->reason = EXIT_TRIPLE_FAULT;
    r->qualification = 0;
    r->disable = true;
    return run_to_host(r, TDX_NON_RECOVERABLE_VCPU, EEQ_NONE, 0);
}

static enum run_next run_window(struct run *r)
{
    /* inject_nmi() finds out. */
    (void)r;
    return RUN_GUEST;
}

static enum run_next run_ve(struct run *r)
{
    return inject_ve(r, 0, 0);
}

static enum run_next run_ud(struct run *r)
{
    return inject_fault(r, VEC_UD, false, 0);
}

static enum run_next run_gp(struct run *r)
{
    return inject_fault(r, VEC_GP, true, 0);
}

/* MONITOR and MWAIT: #VE if the TD's CPUID has them */
static enum run_next run_monitor(struct run *r)
{
    return cpuid_bit(r->td, 1, 0, 2, 3) ? run_ve(r) : run_ud(r);
}

/* Only the host can have made a shared EPT entry that is no good. */
static enum run_next run_misconfig(struct run *r)
{
    u64 gpa = plat_vmread(VMCS_GPA);

    r->qualification = 0;
    if (td_private_gpa(r->td->tdcs, gpa)) {
        return run_fatal(r);
    }
    return run_to_host(r, TDX_SUCCESS, EEQ_NONE, gpa & ~(PAGE_SIZE - 1));
}

/* What the host needs to know of a violation: nothing of linear addresses */
static enum run_next run_ept_to_host(struct run *r, u64 eeq, u64 gpa)
{
    r->qualification &= ~EPT_VIOLATION_TD_ONLY;
    return run_to_host(r, TDX_SUCCESS, eeq, gpa & ~(PAGE_SIZE - 1));
}

/*
 * Faults without progress between them, and after some of them their pages.
 * The TD has executed something if it exits at another RIP than it entered
 * with, and what the module executes moves RIP before the next entry.
 */
static void run_note_progress(struct run *r)
{
    if (plat_vmread(VMCS_RIP) != r->rip) {
        r->vp->epf_count = r->vp->epf_num = 0;
    }
}

static void run_note_page(struct vcpu *vp, u64 gpa)
{
    for (unsigned i = 0; i < vp->epf_num; i++) {
        if (vp->epf_gpa[i] == gpa) {
            return;
        }
    }
    if (vp->epf_num < EPF_LIST_SIZE) {
        vp->epf_gpa[vp->epf_num++] = gpa;
    }
}

static void run_note_fault(struct run *r, u64 gpa)
{
    struct vcpu *vp = r->vp;
    u64 rip = plat_vmread(VMCS_RIP);

    if (vp->epf_rip != rip) {
        vp->epf_rip = rip;
        vp->epf_count = vp->epf_num = 0;
    }
    if (++vp->epf_count >= EPF_THRESHOLD) {
        vp->epf_count = EPF_THRESHOLD;
        run_note_page(vp, gpa);
    }
}

static enum run_next run_private_fault(struct run *r, u64 gla, u64 gpa, u64 eeq)
{
    struct sept_walk w;

    if (sept_walk_leaf(r->td, gpa, &w) &&
        sept_state(w.value) == SEPT_PENDING && eeq == EEQ_NONE) {
        if (!(r->td->tdcs->td_ctls & TD_CTLS_PENDING_VE_DISABLE)) {
            return inject_ve(r, gla, gpa);
        }
        eeq = EEQ_PENDING;
    } else {
        run_note_fault(r, gpa & ~(PAGE_SIZE - 1));
    }
    return run_ept_to_host(r, eeq, gpa);
}

enum run_next run_missing_page(struct run *r, u64 gpa, bool write, u64 eeq)
{
    r->reason = EXIT_EPT_VIOLATION;
    r->qualification = write ? EPT_VIOLATION_WRITE : BIT(0);
    return run_private_fault(r, 0, gpa, eeq);
}

/* A guest address that is wider than the TD's has a reserved bit set. */
static enum run_next run_wide_gpa(struct run *r)
{
    u32 error = PF_PRESENT | PF_RESERVED;

    if (r->qualification & EPT_VIOLATION_WRITE) {
        error |= PF_WRITE;
    }
    if (r->qualification & EPT_VIOLATION_FETCH) {
        error |= PF_FETCH;
    }
    if (run_cpl() == 3) {
        error |= PF_USER;
    }
    r->vp->guest.cr2 = plat_vmread(VMCS_GLA);
    return inject_fault(r, VEC_PF, true, error);
}

enum run_next run_ept_violation(struct run *r)
{
    u64 gpa = plat_vmread(VMCS_GPA);

    /* IRET; the bit means nothing if an event was being delivered. */
    if ((r->qualification & EPT_VIOLATION_NMI) &&
        !(plat_vmread(VMCS_IDT_VECTORING) & INTR_VALID)) {
        plat_vmwrite(VMCS_INTERRUPTIBILITY,
                     plat_vmread(VMCS_INTERRUPTIBILITY) | BLOCK_BY_NMI);
    }
    if (gpa >= 2 * td_shared_bit(r->td->tdcs) &&
        (r->qualification & EPT_VIOLATION_GLA)) {
        return run_wide_gpa(r);
    }
    if (!td_private_gpa(r->td->tdcs, gpa)) {
        return run_ept_to_host(r, EEQ_NONE, gpa);
    }
    return run_private_fault(r, plat_vmread(VMCS_GLA), gpa, EEQ_NONE);
}

typedef enum run_next run_fn(struct run *r);

static run_fn *const run_table[NUM_EXITS] = {
    [EXIT_EXCEPTION_NMI] = run_exception,
    [EXIT_INTERRUPT] = run_host,
    [EXIT_TRIPLE_FAULT] = run_triple_fault,
    [EXIT_INIT] = run_host,
    [EXIT_OTHER_SMI] = run_host,
    [EXIT_NMI_WINDOW] = run_window,
    [EXIT_TASK_SWITCH] = run_host,
    [EXIT_CPUID] = run_cpuid,
    [EXIT_GETSEC] = run_ud,
    [EXIT_HLT] = run_ve,
    [EXIT_INVD] = run_ve,
    [EXIT_RDPMC] = run_gp,
    [EXIT_RSM] = run_ud,
    [EXIT_VMCALL] = run_ve,
    /* VMCLEAR to VMXON */
    [19 ... EXIT_VMXON] = run_ud,
    [EXIT_CR] = run_cr,
    [EXIT_IO] = run_ve,
    [EXIT_RDMSR] = run_rdmsr,
    [EXIT_WRMSR] = run_wrmsr,
    [EXIT_MWAIT] = run_monitor,
    [EXIT_MONITOR] = run_monitor,
    [EXIT_EPT_VIOLATION] = run_ept_violation,
    [EXIT_EPT_MISCONFIG] = run_misconfig,
    [EXIT_INVEPT] = run_ud,
    [EXIT_INVVPID] = run_ud,
    [EXIT_WBINVD] = run_ve,
    [EXIT_XSETBV] = run_xsetbv,
    [EXIT_APIC_WRITE] = run_ve,
    [EXIT_VMFUNC] = run_ud,
    [EXIT_ENCLS] = run_ud,
    [EXIT_PCONFIG] = run_ve,
    [EXIT_ENCLV] = run_ud,
    [EXIT_BUS_LOCK] = run_host,
    [EXIT_NOTIFY] = run_host,
    [EXIT_SEAMCALL] = run_ud,
    [EXIT_TDCALL] = run_tdcall,
};

enum run_next run_exit(struct run *r)
{
    unsigned basic = r->reason & 0xffff;

    /* Bit 31: the VM entry failed. */
    if ((r->reason & BIT(31)) || basic >= NUM_EXITS || !run_table[basic]) {
        return run_fatal(r);
    }
    run_note_progress(r);
    inject_again(r);
    return run_table[basic](r);
}
