/*
 * TDX module: physical pages of any owner
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "module.h"

u64 phymem_check_shared(u64 pa, u64 size, u64 align)
{
    const struct plat_info *info = plat_info();
    u64 key = pa >> module.key_shift;

    if (!aligned(pa, align) || key >= module.first_key ||
        ranges_overlap(pa & (BIT(module.key_shift) - 1), size,
                       info->seamrr_base, info->seamrr_size)) {
        return TDX_OPERAND_INVALID;
    }
    return TDX_SUCCESS;
}

/* Type, owner, size, and the epoch of the block, as the host may see it */
static void phymem_report(struct call *c, const struct pamt_ref *p)
{
    c->r->r[R_CX] = p->entry->type;
    c->r->r[R_DX] = pamt_owner(p->entry);
    c->r->r[R_8] = p->level;
}

static u64 phymem_lock(struct call *c, enum lock_mode mode, struct pamt_ref *p)
{
    u64 pa = c->in.r[R_CX], ret;

    memset(p, 0, sizeof(*p));
    if (!aligned(pa, PAGE_SIZE) || pa >> module.key_shift) {
        return status(TDX_OPERAND_INVALID, OPND_RCX);
    }
    ret = pamt_lock(pa, PAMT_LEAF, mode, p);
    return is_error(ret) ? status(ret, OPND_RCX) : ret;
}

u64 tdh_phymem_page_rdmd(struct call *c)
{
    struct pamt_ref p;
    u64 ret = phymem_lock(c, LOCK_SH, &p);

    if (is_error(ret)) {
        return ret;
    }
    phymem_report(c, &p);
    c->r->r[R_9] = p.entry->bepoch;
    pamt_unlock(&p);
    return TDX_SUCCESS;
}

static u64 phymem_reclaim_tdr(struct pamt_ref *p)
{
    struct td td;

    td_map(&td, p->pa);
    if (td.tdr->state != TD_TEARDOWN) {
        return TDX_LIFECYCLE_STATE_INCORRECT;
    }
    if (td.tdr->chldcnt) {
        return TDX_TD_ASSOCIATED_PAGES_EXIST;
    }
    pamt_free(p);
    return TDX_SUCCESS;
}

static u64 phymem_reclaim_child(struct pamt_ref *p)
{
    struct pamt_ref tdr;
    struct td td;
    u64 ret = pamt_lock_operand(pamt_owner(p->entry), 0, PT_TDR, LOCK_SH,
                                OPND_TDR, &tdr);

    if (is_error(ret)) {
        return ret;
    }
    td_map(&td, tdr.pa);
    if (td.tdr->state == TD_TEARDOWN) {
        pamt_free(p);
        td_count_pages(td.tdr, -(1LL << (9 * p->level)));
    } else {
        ret = TDX_LIFECYCLE_STATE_INCORRECT;
    }
    pamt_unlock(&tdr);
    return ret;
}

u64 tdh_phymem_page_reclaim(struct call *c)
{
    struct pamt_ref p;
    u64 ret = phymem_lock(c, LOCK_EX, &p);

    if (is_error(ret)) {
        return ret;
    }
    if (p.entry->type == PT_NDA || p.entry->type == PT_RSVD) {
        ret = status(TDX_PAGE_METADATA_INCORRECT, OPND_RCX);
    } else {
        phymem_report(c, &p);
        if (!aligned(p.pa, level_size(p.level))) {
            ret = status(TDX_OPERAND_INVALID, OPND_RCX);
        } else if (p.entry->type == PT_TDR) {
            ret = phymem_reclaim_tdr(&p);
        } else {
            ret = phymem_reclaim_child(&p);
        }
    }
    pamt_unlock(&p);
    return ret;
}

/* The only page operand that may have a key id: any, of lines in caches */
u64 tdh_phymem_page_wbinvd(struct call *c)
{
    u64 pa = c->in.r[R_CX] & (BIT(module.key_shift) - 1);
    struct pamt_ref p;
    u64 ret;

    if (c->in.r[R_CX] & BITS(63, 52)) {
        return status(TDX_OPERAND_INVALID, OPND_RCX);
    }
    ret = pamt_lock_operand(pa, 0, PT_NDA, LOCK_SH, OPND_RCX, &p);
    if (is_error(ret)) {
        return ret;
    }
    plat_flush_page(c->in.r[R_CX]);
    pamt_unlock(&p);
    return TDX_SUCCESS;
}
