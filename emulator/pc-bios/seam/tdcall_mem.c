/*
 * TDX module: TDCALL leaves on memory
 *
 * The table that a walk goes through cannot be removed while the vCPU runs:
 * removal waits for the epoch that the vCPU counts in.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "run.h"

u8 *tdg_page(struct run *r, u64 gpa, bool write, enum run_next *next)
{
    struct sept_walk w;
    u64 pa;

    if (!sept_walk_leaf(r->td, gpa, &w) || sept_state(w.value) != SEPT_MAPPED) {
        *next = run_missing_page(r, gpa, write, EEQ_NONE);
        return NULL;
    }
    pa = sept_leaf_pa(&w, gpa);
    return (u8 *)plat_map(with_key(pa & ~(PAGE_SIZE - 1), r->td->tdr->hkid),
                          PLAT_RW) + (pa & (PAGE_SIZE - 1));
}

/* The host has to map a page before the TD can accept it. */
static enum run_next accept_missing(struct run *r, u64 gpa, unsigned level,
                                    const struct sept_walk *w)
{
    u64 info = level | w->level << 3 |
               (sept_level_and_state(w) >> 8) << 6 |
               (sept_is(w->value, SEPT_LEAF_STATES) ? BIT(14) : 0);

    return run_missing_page(r, gpa, true, EEQ_ACCEPT | info << 32);
}

static void accept_clear(struct run *r, u64 pa, unsigned level)
{
    for (u64 i = 0; i < level_size(level); i += PAGE_SIZE) {
        unsigned mark = plat_mark();

        memset(plat_map(with_key(pa + i, r->td->tdr->hkid), PLAT_FRESH), 0,
               PAGE_SIZE);
        plat_release(mark);
    }
}

static enum run_next accept_entry(struct run *r, u64 gpa, struct sept_walk *w,
                                  u64 *ret)
{
    u64 pa = w->value & SEPT_PA;

    switch (sept_state(w->value)) {
    case SEPT_NL_MAPPED:
    case SEPT_NL_BLOCKED:
        *ret = status(TDX_PAGE_SIZE_MISMATCH, w->level);
        return RUN_GUEST;
    case SEPT_MAPPED:
        *ret = status(TDX_PAGE_ALREADY_ACCEPTED, w->level);
        return RUN_GUEST;
    case SEPT_PENDING:
        accept_clear(r, pa, w->level);
        sept_move(w, SEPT_MAPPED, pa);
        *ret = TDX_SUCCESS;
        return RUN_GUEST;
    default:
        return accept_missing(r, gpa, w->level, w);
    }
}

enum run_next tdg_mem_page_accept(struct run *r, u64 *ret)
{
    u64 rcx = r->vp->guest.gpr.r[R_CX], gpa = rcx & SEPT_PA;
    unsigned level = rcx & 7;
    enum run_next next;
    struct sept_walk w;
    u64 err;

    if ((rcx & ~(SEPT_PA | 7)) || level > 2 ||
        !aligned(gpa, level_size(level)) || !td_private_gpa(r->td->tdcs, gpa)) {
        *ret = status(TDX_OPERAND_INVALID, OPND_RCX);
        return RUN_GUEST;
    }
    if (!sept_walk_to(r->td, gpa, level, &w)) {
        /* A larger page that the TD has accepted contains this one. */
        if (sept_state(w.value) == SEPT_MAPPED) {
            *ret = status(TDX_PAGE_ALREADY_ACCEPTED, w.level);
            return RUN_GUEST;
        }
        return accept_missing(r, gpa, level, &w);
    }
    err = sept_lock(&w, SIDE_GUEST);
    if (is_error(err)) {
        *ret = status(err, OPND_RCX);
        return RUN_GUEST;
    }
    next = accept_entry(r, gpa, &w, ret);
    sept_unlock(&w);
    return next;
}

#define ATTR_RWX        0xfULL          /* R, W, X of supervisor and user */
#define ATTR_VALID      BIT(15)
#define ATTR_PENDING    BIT(62)

enum run_next tdg_mem_page_attr_rd(struct run *r, u64 *ret)
{
    u64 *gpr = r->vp->guest.gpr.r, gpa = gpr[R_CX];
    struct sept_walk w;

    if (!aligned(gpa, PAGE_SIZE) || !td_private_gpa(r->td->tdcs, gpa)) {
        gpr[R_CX] = gpr[R_DX] = 0;
        *ret = status(TDX_OPERAND_INVALID, OPND_RCX);
        return RUN_GUEST;
    }
    if (!sept_walk_leaf(r->td, gpa, &w) ||
        sept_is(w.value, SEPT_BLOCKED_STATES)) {
        return run_missing_page(r, gpa, false, EEQ_NONE);
    }
    gpr[R_CX] = w.level | (gpa & ~(level_size(w.level) - 1)) |
                (sept_state(w.value) == SEPT_PENDING ? ATTR_PENDING : 0);
    gpr[R_DX] = ATTR_RWX | ATTR_VALID;
    *ret = TDX_SUCCESS;
    return RUN_GUEST;
}

/* Attributes are those of VMs that a TD runs, and this module has none. */
enum run_next tdg_mem_page_attr_wr(struct run *r, u64 *ret)
{
    u64 *gpr = r->vp->guest.gpr.r;

    if (gpr[R_DX] | gpr[R_8]) {
        *ret = status(TDX_OPERAND_INVALID, gpr[R_DX] ? OPND_RDX : OPND_R8);
        return RUN_GUEST;
    }
    return tdg_mem_page_attr_rd(r, ret);
}
