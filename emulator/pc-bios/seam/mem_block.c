/*
 * TDX module: blocking of guest address ranges, and TLB tracking
 *
 * BLOCK notes the epoch in which the translations were taken away.  They are
 * gone from all TLBs when no vCPU runs that entered in that epoch or earlier.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mem.h"

static enum sept_state block_state(enum sept_state state)
{
    switch (state) {
    case SEPT_NL_MAPPED:
        return SEPT_NL_BLOCKED;
    case SEPT_MAPPED:
        return SEPT_BLOCKED;
    case SEPT_PENDING:
        return SEPT_PENDING_BLOCKED;
    default:
        return SEPT_FREE;       /* cannot be blocked */
    }
}

/* The level of a leaf's page, or of the table that another entry points to */
static unsigned block_page_level(const struct sept_walk *w)
{
    return sept_is(w->value, SEPT_LEAF_STATES) ? w->level : 0;
}

u64 tdh_mem_range_block(struct call *c)
{
    u64 pa = c->walk.value & SEPT_PA;
    enum sept_state to = block_state(sept_state(c->walk.value));
    struct pamt_ref p;
    u64 ret;

    if (to == SEPT_FREE) {
        ret = sept_is(c->walk.value, SEPT_BLOCKED_STATES)
              ? TDX_GPA_RANGE_ALREADY_BLOCKED : TDX_EPT_ENTRY_STATE_INCORRECT;
        return mem_report(c, status(ret, OPND_RCX));
    }
    ret = pamt_lock(pa, block_page_level(&c->walk), LOCK_EX, &p);
    if (is_error(ret)) {
        return status(ret, OPND_RCX);
    }
    sept_move(&c->walk, to, pa);
    /* After the entry: a vCPU that enters later cannot use it. */
    p.entry->bepoch = __atomic_load_n(&c->td.tdcs->epoch.epoch,
                                      __ATOMIC_SEQ_CST);
    pamt_unlock(&p);
    return TDX_SUCCESS;
}

u64 tdh_mem_range_unblock(struct call *c)
{
    u64 pa = c->walk.value & SEPT_PA;
    struct pamt_ref p;
    u64 ret = mem_lock_tracked(c, pa, block_page_level(&c->walk), &p);

    if (is_error(ret)) {
        return ret;
    }
    sept_move(&c->walk, sept_unblocked(sept_state(c->walk.value)), pa);
    pamt_unlock(&p);
    return TDX_SUCCESS;
}

u64 tdh_mem_track(struct call *c)
{
    struct tdcs_epoch *e = &c->td.tdcs->epoch;
    u64 ret = TDX_SUCCESS;

    if (!lock_try(&e->lock, LOCK_EX)) {
        return status(TDX_OPERAND_BUSY, OPND_TD_EPOCH);
    }
    /* Its counter is that of the next epoch. */
    if (__atomic_load_n(&e->refcount[(e->epoch & 1) ^ 1], __ATOMIC_ACQUIRE)) {
        ret = TDX_PREVIOUS_TLB_EPOCH_BUSY;
    } else {
        __atomic_store_n(&e->epoch, e->epoch + 1, __ATOMIC_SEQ_CST);
    }
    lock_put(&e->lock, LOCK_EX);
    return ret;
}
