/*
 * TDX module: TDCALL leaves
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "meta.h"
#include "run.h"

static u64 *tdg_regs(struct run *r)
{
    return r->vp->guest.gpr.r;
}

/*
 * The host gets the registers that RCX selects, and gives the same ones back
 * with the next TDH.VP.ENTER.
 */
static enum run_next tdg_vp_vmcall(struct run *r, u64 *ret)
{
    u64 *gpr = tdg_regs(r), mask = gpr[R_CX];
    u64 never = BIT(R_AX) | BIT(R_CX) | BIT(R_SP) | BITS(63, 16);
    struct regs *h = r->c->r;

    if (r->td->tdcs->config_flags & CONFIG_NO_RBP_MOD) {
        never |= BIT(R_BP);
    }
    if (mask & never) {
        *ret = status(TDX_OPERAND_INVALID, OPND_RCX);
        return RUN_GUEST;
    }
    r->qualification = mask;
    run_skip();
    run_to_host(r, TDX_SUCCESS, 0, 0);
    for (unsigned i = 0; i < NUM_REGS; i++) {
        if (mask & BIT(i)) {
            h->r[i] = gpr[i];
        }
    }
    r->vp->vmcall_mask = mask;
    r->vp->last_exit = LAST_EXIT_VMCALL;
    return RUN_HOST;
}

static enum run_next tdg_vp_info(struct run *r, u64 *ret)
{
    u64 *gpr = tdg_regs(r);
    const struct tdcs *tdcs = r->td->tdcs;

    gpr[R_CX] = tdcs->gpaw ? 52 : 48;
    gpr[R_DX] = tdcs->attributes;
    gpr[R_8] = tdcs->num_vcpus | (u64)tdcs->max_vcpus << 32;
    gpr[R_9] = r->vp->index;
    gpr[R_10] = 1;              /* TDG.SYS.RD is there */
    gpr[R_11] = 0;
    *ret = TDX_SUCCESS;
    return RUN_GUEST;
}

static enum run_next tdg_vp_veinfo_get(struct run *r, u64 *ret)
{
    u64 *gpr = tdg_regs(r);
    struct ve_info *ve = &r->vp->ve;
    bool valid = ve->valid;

    gpr[R_CX] = valid ? ve->exit_reason : 0;
    gpr[R_DX] = valid ? ve->exit_qualification : 0;
    gpr[R_8] = valid ? ve->gla : 0;
    gpr[R_9] = valid ? ve->gpa : 0;
    gpr[R_10] = valid ? ve->instruction_length |
                        (u64)ve->instruction_info << 32 : 0;
    *ret = valid ? TDX_SUCCESS : TDX_NO_VALID_VE_INFO;
    ve->valid = 0;
    /* The processor writes nothing here with a #VE of its own. */
    ve->instruction_length = 0;
    ve->instruction_info = 0;
    return RUN_GUEST;
}

static enum run_next tdg_vp_cpuidve_set(struct run *r, u64 *ret)
{
    u64 v = tdg_regs(r)[R_CX];

    if (v >> 2) {
        *ret = status(TDX_OPERAND_INVALID, OPND_RCX);
        return RUN_GUEST;
    }
    r->vp->cpuid_supervisor_ve = v & 1;
    r->vp->cpuid_user_ve = v >> 1;
    *ret = TDX_SUCCESS;
    return RUN_GUEST;
}

/* RCX names a VM; there is only the one that asks. */
static enum run_next tdg_meta(struct run *r, const struct md_table *t,
                              bool write, bool want_next, u64 *ret)
{
    u64 *gpr = tdg_regs(r);
    struct md m = { .who = MD_GUEST, .td = r->td, .vp = r->vp, .call = r->c };

    if (gpr[R_CX]) {
        if (want_next) {
            gpr[R_DX] = MD_NO_FIELD;
        }
        gpr[R_8] = 0;
        *ret = status(TDX_OPERAND_INVALID, OPND_RCX);
    } else {
        *ret = write ? md_wr_leaf(t, &m, gpr)
                     : md_rd_leaf(t, &m, gpr, want_next);
    }
    return RUN_GUEST;
}

static enum run_next tdg_vm_rd(struct run *r, u64 *ret)
{
    return tdg_meta(r, &md_td, false, LEAF_VERSION(tdg_regs(r)[R_AX]), ret);
}

static enum run_next tdg_vm_wr(struct run *r, u64 *ret)
{
    return tdg_meta(r, &md_td, true, false, ret);
}

static enum run_next tdg_vp_rd(struct run *r, u64 *ret)
{
    return tdg_meta(r, &md_vp, false, true, ret);
}

static enum run_next tdg_vp_wr(struct run *r, u64 *ret)
{
    return tdg_meta(r, &md_vp, true, false, ret);
}

static enum run_next tdg_sys_rd(struct run *r, u64 *ret)
{
    struct md m = { .who = MD_GUEST };

    *ret = md_rd_leaf(&md_sys, &m, tdg_regs(r), true);
    return RUN_GUEST;
}

static const struct {
    u8 number, max_version;
    enum run_next (*fn)(struct run *r, u64 *ret);
} tdg_leaves[] = {
    { TDG_VP_VMCALL, 0, tdg_vp_vmcall },
    { TDG_VP_INFO, 0, tdg_vp_info },
    { TDG_MR_RTMR_EXTEND, 0, tdg_mr_rtmr_extend },
    { TDG_VP_VEINFO_GET, 0, tdg_vp_veinfo_get },
    { TDG_MR_REPORT, 0, tdg_mr_report },
    { TDG_VP_CPUIDVE_SET, 0, tdg_vp_cpuidve_set },
    { TDG_MEM_PAGE_ACCEPT, 0, tdg_mem_page_accept },
    { TDG_VM_RD, 1, tdg_vm_rd },
    { TDG_VM_WR, 0, tdg_vm_wr },
    { TDG_VP_RD, 0, tdg_vp_rd },
    { TDG_VP_WR, 0, tdg_vp_wr },
    { TDG_SYS_RD, 0, tdg_sys_rd },
    { TDG_MR_VERIFYREPORT, 0, tdg_mr_verifyreport },
    { TDG_MEM_PAGE_ATTR_RD, 0, tdg_mem_page_attr_rd },
    { TDG_MEM_PAGE_ATTR_WR, 0, tdg_mem_page_attr_wr },
};

/* A leaf that has not set *ret is to be tried again by the TD. */
#define TDG_AGAIN   (~0ULL)

enum run_next run_tdcall(struct run *r)
{
    u64 *gpr = tdg_regs(r), ret = TDG_AGAIN;
    u64 rax = gpr[R_AX];
    enum run_next next = RUN_GUEST;
    bool found = false;

    if (run_cpl() || !run_64bit()) {
        return inject_fault(r, VEC_GP, true, 0);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(tdg_leaves) && !found; i++) {
        found = tdg_leaves[i].number == LEAF_NUMBER(rax) &&
                LEAF_VERSION(rax) <= tdg_leaves[i].max_version &&
                !LEAF_RESERVED(rax);
        if (found) {
            next = tdg_leaves[i].fn(r, &ret);
        }
    }
    if (!found) {
        ret = status(TDX_OPERAND_INVALID, OPND_RAX);
    }
    if (ret != TDG_AGAIN) {
        gpr[R_AX] = ret;
        run_skip();
    }
    return next;
}
