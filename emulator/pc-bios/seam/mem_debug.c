/*
 * TDX module: memory of TDs that are being debugged
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mem.h"

static u64 debug_access(struct call *c, bool write)
{
    u64 gpa = c->in.r[R_CX], ret, pa;
    struct sept_walk w;
    u8 *page;

    if (!sept_walk_leaf(&c->td, gpa, &w)) {
        ret = TDX_EPT_ENTRY_NOT_PRESENT;
    } else {
        ret = sept_lock(&w, SIDE_HOST);
        if (!is_error(ret) && sept_state(w.value) != SEPT_MAPPED) {
            ret = TDX_EPT_ENTRY_STATE_INCORRECT;
        }
    }
    if (is_error(ret)) {
        if (STATUS_CODE(ret) != TDX_OPERAND_BUSY) {
            c->r->r[R_CX] = sept_visible(w.value);
            c->r->r[R_DX] = sept_level_and_state(&w);
        }
        sept_unlock(&w);
        return status(ret, OPND_RCX);
    }
    pa = sept_leaf_pa(&w, gpa);
    page = plat_map(with_key(pa & ~(PAGE_SIZE - 1), c->td.tdr->hkid), PLAT_RW);
    memcpy(&c->r->r[R_8], page + (pa & (PAGE_SIZE - 1)), 8);
    if (write) {
        memcpy(page + (pa & (PAGE_SIZE - 1)), &c->in.r[R_8], 8);
    }
    sept_unlock(&w);
    return TDX_SUCCESS;
}

static u64 debug_mem(struct call *c, bool write)
{
    u64 gpa = c->in.r[R_CX], ret;

    if (!(c->td.tdcs->attributes & ATTR_DEBUG)) {
        return TDX_TD_NON_DEBUG;
    }
    if (!aligned(gpa, 8) || !td_private_gpa(c->td.tdcs, gpa)) {
        return status(TDX_OPERAND_INVALID, OPND_RCX);
    }
    if (!lock_try(&c->td.tdcs->sept_lock, LOCK_SH)) {
        return status(TDX_OPERAND_BUSY, OPND_SEPT_TREE);
    }
    ret = debug_access(c, write);
    lock_put(&c->td.tdcs->sept_lock, LOCK_SH);
    return ret;
}

u64 tdh_mem_rd(struct call *c)
{
    return debug_mem(c, false);
}

u64 tdh_mem_wr(struct call *c)
{
    return debug_mem(c, true);
}
