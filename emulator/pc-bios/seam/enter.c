/*
 * TDX module: TDH.VP.ENTER
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "run.h"

static const struct {
    u32 msr;
    u64 host;                   /* what a TD exit leaves to the host, ... */
} enter_msrs[NUM_VMSR] = {
    [VMSR_SPEC_CTRL] = { 0x48, 0 },     /* ... but here what it had */
    [VMSR_XFD] = { 0x1c4, 0 },
    [VMSR_XFD_ERR] = { 0x1c5, 0 },
    [VMSR_XSS] = { MSR_XSS, 0 },
    [VMSR_STAR] = { 0xc0000081, 0 },
    [VMSR_LSTAR] = { 0xc0000082, 0 },
    [VMSR_FMASK] = { 0xc0000084, 0x20200 },
    [VMSR_KERNEL_GS_BASE] = { 0xc0000102, 0 },
    [VMSR_TSC_AUX] = { 0xc0000103, 0 },
    [VMSR_UMWAIT] = { 0xe1, 0 },
};

/* XFD exists only in processors that have extended states to disable. */
static bool enter_has_msr(const struct run *r, unsigned i)
{
    return (i != VMSR_XFD && i != VMSR_XFD_ERR) ||
           (r->td->tdcs->xfam & BITS(18, 17));
}

static void enter_load(struct run *r)
{
    const u64 *pages = &r->vp->page_pa[TDVPS_PAGE_XSTATE];
    u64 pa[3];

    for (unsigned i = 0; i < 3; i++) {
        pa[i] = with_key(pages[i], r->td->tdr->hkid);
    }
    plat_xstate_load(pa, r->td->tdcs->xfam);
    plat_xsetbv(r->vp->xcr0);
    r->host_spec_ctrl = plat_rdmsr(enter_msrs[VMSR_SPEC_CTRL].msr);
    for (unsigned i = 0; i < NUM_VMSR; i++) {
        if (enter_has_msr(r, i)) {
            plat_wrmsr(enter_msrs[i].msr, r->vp->msr[i]);
        }
    }
}

static void enter_save(struct run *r)
{
    const u64 *pages = &r->vp->page_pa[TDVPS_PAGE_XSTATE];
    u64 pa[3];

    for (unsigned i = 0; i < 3; i++) {
        pa[i] = with_key(pages[i], r->td->tdr->hkid);
    }
    for (unsigned i = 0; i < NUM_VMSR; i++) {
        if (enter_has_msr(r, i)) {
            r->vp->msr[i] = plat_rdmsr(enter_msrs[i].msr);
            plat_wrmsr(enter_msrs[i].msr, enter_msrs[i].host);
        }
    }
    plat_wrmsr(enter_msrs[VMSR_SPEC_CTRL].msr, r->host_spec_ctrl);
    plat_xstate_save(pa, r->td->tdcs->xfam);
    plat_xstate_host();
    r->vp->last_exit_tsc = plat_tsc();
}

/* The host answers a TDG.VP.VMCALL with the registers that the TD chose. */
static void enter_vmcall_result(struct run *r)
{
    u64 *gpr = r->vp->guest.gpr.r;

    if (r->vp->last_exit != LAST_EXIT_VMCALL) {
        return;
    }
    for (unsigned i = 0; i < NUM_REGS; i++) {
        if (r->vp->vmcall_mask & BIT(i)) {
            gpr[i] = r->c->in.r[i];
        }
    }
    gpr[R_AX] = TDX_SUCCESS;
    r->vp->last_exit = LAST_EXIT_FAULT;
}

/* Count in the epoch that begins now for this vCPU. */
static u64 enter_epoch(struct run *r)
{
    struct tdcs_epoch *e = &r->td->tdcs->epoch;

    if (!lock_try(&e->lock, LOCK_SH)) {
        return status(TDX_OPERAND_BUSY, OPND_TD_EPOCH);
    }
    __atomic_fetch_add(&e->refcount[e->epoch & 1], 1, __ATOMIC_SEQ_CST);
    if (r->vp->epoch != e->epoch) {
        r->vp->epoch = e->epoch;
        plat_invept(r->td->tdcs->eptp);
    }
    lock_put(&e->lock, LOCK_SH);
    return TDX_SUCCESS;
}

static void leave_epoch(struct run *r)
{
    __atomic_fetch_sub(&r->td->tdcs->epoch.refcount[r->vp->epoch & 1], 1,
                       __ATOMIC_SEQ_CST);
}

/*
 * A host that takes the same pages away again and again could watch a TD
 * instruction by instruction.  After some such faults without progress the vCPU
 * runs only when the pages are there.
 */
static u64 enter_check_faults(struct run *r)
{
    struct vcpu *vp = r->vp;
    u64 ret = TDX_SUCCESS;

    if (!vp->epf_num) {
        return TDX_SUCCESS;
    }
    if (!lock_try(&r->td->tdcs->sept_lock, LOCK_SH)) {
        return status(TDX_OPERAND_BUSY, OPND_SEPT_TREE);
    }
    for (unsigned i = 0; i < vp->epf_num && !ret; i++) {
        unsigned mark = plat_mark();
        struct sept_walk w;

        if (!sept_walk_leaf(r->td, vp->epf_gpa[i], &w) ||
            sept_is(w.value, SEPT_BLOCKED_STATES)) {
            r->reason = EXIT_EPT_VIOLATION;
            r->qualification = EPT_VIOLATION_WRITE;
            run_to_host(r, TDX_SUCCESS, EEQ_NONE, vp->epf_gpa[i]);
            ret = r->ret;
        }
        plat_release(mark);
    }
    lock_put(&r->td->tdcs->sept_lock, LOCK_SH);
    return ret;
}

/* The VM entry itself failed: the module's own VMCS is wrong, or the TD's. */
static enum run_next enter_failed(struct run *r)
{
    r->reason = plat_vmread(VMCS_EXIT_REASON);
    r->qualification = 0;
    return run_fatal(r);
}

static void enter_loop(struct run *r)
{
    enum run_next next;

    do {
        unsigned mark = plat_mark();

        inject_nmi(r);
        r->rip = plat_vmread(VMCS_RIP);
        if (plat_vmenter(&r->vp->guest, r->vp->launched)) {
            r->vp->launched = true;
            r->reason = plat_vmread(VMCS_EXIT_REASON);
            r->qualification = plat_vmread(VMCS_QUALIFICATION);
            next = run_exit(r);
        } else {
            next = enter_failed(r);
        }
        plat_release(mark);
    } while (next == RUN_GUEST);
}

u64 tdh_vp_enter(struct call *c)
{
    struct run r = { .c = c, .td = &c->td, .vp = c->vp };
    u64 ret;

    if (c->vp->state != VCPU_READY) {
        return TDX_VCPU_STATE_INCORRECT;
    }
    ret = vcpu_associate(c);
    if (is_error(ret)) {
        return ret;
    }
    ret = enter_check_faults(&r);
    if (ret || r.ret) {
        return ret;
    }
    ret = enter_epoch(&r);
    if (is_error(ret)) {
        return ret;
    }
    vcpu_move(c->vp, VCPU_ACTIVE);
    enter_vmcall_result(&r);
    enter_load(&r);
    enter_loop(&r);
    enter_save(&r);
    leave_epoch(&r);
    vcpu_move(c->vp, r.disable ? VCPU_DISABLED : VCPU_READY);
    return r.ret;
}
