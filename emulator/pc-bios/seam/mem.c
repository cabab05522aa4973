/*
 * TDX module: pages and tables come into the Secure EPT, and leave it
 *
 * The dispatcher has walked to the entry that RCX names, and locked it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mem.h"

u64 tdh_mem_sept_add(struct call *c)
{
    u64 pa = c->in.r[R_8];
    struct pamt_ref p;
    u64 ret = pamt_lock_operand(pa, 0, PT_NDA, LOCK_EX, OPND_R8, &p);

    if (is_error(ret)) {
        return ret;
    }
    sept_table_init(plat_map(with_key(pa, c->td.tdr->hkid), PLAT_FRESH));
    pamt_assign(&p, PT_EPT, c->td.pa);
    td_count_pages(c->td.tdr, 1);
    sept_move(&c->walk, SEPT_NL_MAPPED, pa);
    pamt_unlock(&p);
    return TDX_SUCCESS;
}

u64 mem_report(struct call *c, u64 ret)
{
    c->r->r[R_CX] = sept_visible(c->walk.value);
    c->r->r[R_DX] = sept_level_and_state(&c->walk);
    return ret;
}

u64 tdh_mem_sept_rd(struct call *c)
{
    return mem_report(c, TDX_SUCCESS);
}

u64 mem_lock_tracked(struct call *c, u64 pa, unsigned level,
                     struct pamt_ref *p)
{
    u64 ret = pamt_lock(pa, level, LOCK_EX, p);

    if (!is_error(ret) && td_needs_tracking(c->td.tdcs)) {
        if (!sept_is(c->walk.value, SEPT_BLOCKED_STATES)) {
            ret = TDX_GPA_RANGE_NOT_BLOCKED;
        } else if (!td_tlb_tracked(c->td.tdcs, p->entry->bepoch)) {
            ret = TDX_TLB_TRACKING_NOT_DONE;
        }
        if (is_error(ret)) {
            pamt_unlock(p);
        }
    }
    return is_error(ret) ? status(ret, OPND_RCX) : TDX_SUCCESS;
}

u64 tdh_mem_sept_remove(struct call *c)
{
    u64 pa = c->walk.value & SEPT_PA;
    struct pamt_ref p;
    u64 ret = mem_lock_tracked(c, pa, 0, &p);

    if (is_error(ret)) {
        return ret;
    }
    if (!sept_table_is_free(plat_map(with_key(pa, c->td.tdr->hkid),
                                     PLAT_RO))) {
        pamt_unlock(&p);
        return mem_report(c, status(TDX_EPT_PAGE_NOT_FREE, OPND_RCX));
    }
    sept_move(&c->walk, SEPT_FREE, 0);
    pamt_free(&p);
    td_count_pages(c->td.tdr, -1);
    pamt_unlock(&p);
    return call_out(c, R_CX, pa, TDX_SUCCESS);
}

u64 tdh_mem_page_add(struct call *c)
{
    u64 gpa = c->in.r[R_CX] & SEPT_PA;
    u64 pa = c->in.r[R_8], from = c->in.r[R_9];
    struct pamt_ref p;
    u64 ret = phymem_check_shared(from, PAGE_SIZE, PAGE_SIZE);

    if (is_error(ret)) {
        return status(ret, OPND_R9);
    }
    ret = pamt_lock_operand(pa, 0, PT_NDA, LOCK_EX, OPND_R8, &p);
    if (is_error(ret)) {
        return ret;
    }
    memcpy(plat_map(with_key(pa, c->td.tdr->hkid), PLAT_FRESH),
           plat_map(from, PLAT_RO), PAGE_SIZE);
    measure_page_add(c->td.tdcs, gpa);
    pamt_assign(&p, PT_REG, c->td.pa);
    td_count_pages(c->td.tdr, 1);
    sept_move(&c->walk, SEPT_MAPPED, pa);
    pamt_unlock(&p);
    return TDX_SUCCESS;
}

u64 tdh_mem_page_aug(struct call *c)
{
    unsigned level = c->walk.level;
    u64 pa = c->in.r[R_8];
    struct pamt_ref p;
    u64 ret = pamt_lock_free(pa, level, OPND_R8, &p);

    if (is_error(ret)) {
        return ret;
    }
    pamt_assign(&p, PT_REG, c->td.pa);
    td_count_pages(c->td.tdr, 1LL << (9 * level));
    /* The guest accepts the page, which clears it. */
    sept_move(&c->walk, SEPT_PENDING, pa);
    pamt_unlock(&p);
    return TDX_SUCCESS;
}

u64 tdh_mem_page_remove(struct call *c)
{
    unsigned level = c->walk.level;
    u64 pa = c->walk.value & SEPT_PA;
    struct pamt_ref p;
    u64 ret = mem_lock_tracked(c, pa, level, &p);

    if (STATUS_CODE(ret) == TDX_GPA_RANGE_NOT_BLOCKED) {
        return mem_report(c, ret);
    }
    if (is_error(ret)) {
        return ret;
    }
    sept_move(&c->walk, SEPT_FREE, 0);
    pamt_free(&p);
    td_count_pages(c->td.tdr, -(1LL << (9 * level)));
    pamt_unlock(&p);
    return call_out(c, R_CX, pa, TDX_SUCCESS);
}

u64 tdh_mem_page_relocate(struct call *c)
{
    u64 from = c->walk.value & SEPT_PA, to = c->in.r[R_8];
    enum sept_state state = sept_unblocked(sept_state(c->walk.value));
    u16 hkid = c->td.tdr->hkid;
    struct pamt_ref old, new;
    u64 ret;

    if (from == to) {
        return status(TDX_OPERAND_INVALID, OPND_R8);
    }
    ret = mem_lock_tracked(c, from, 0, &old);
    if (is_error(ret)) {
        return ret;
    }
    ret = pamt_lock_operand(to, 0, PT_NDA, LOCK_EX, OPND_R8, &new);
    if (!is_error(ret)) {
        if (state == SEPT_MAPPED) {
            memcpy(plat_map(with_key(to, hkid), PLAT_FRESH),
                   plat_map(with_key(from, hkid), PLAT_RO), PAGE_SIZE);
        }
        pamt_assign(&new, PT_REG, c->td.pa);
        sept_move(&c->walk, state, to);
        pamt_free(&old);
        c->r->r[R_CX] = from;
        pamt_unlock(&new);
    }
    pamt_unlock(&old);
    return ret;
}
