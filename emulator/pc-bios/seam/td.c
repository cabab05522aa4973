/*
 * TDX module: TDs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "module.h"

static const u8 td_from[TD_NUM_STATES] = {
    [TD_KEYS_CONFIGURED] = BIT(TD_HKID_ASSIGNED),
    [TD_BLOCKED] = BIT(TD_HKID_ASSIGNED) | BIT(TD_KEYS_CONFIGURED),
    [TD_TEARDOWN] = BIT(TD_BLOCKED),
};

static const u8 op_from[OP_NUM_STATES] = {
    [OP_INITIALIZED] = BIT(OP_UNINITIALIZED),
    [OP_RUNNABLE] = BIT(OP_INITIALIZED),
};

void td_move(struct tdr *tdr, enum td_state to)
{
    require(td_from[to] & BIT(tdr->state));
    tdr->state = to;
}

void td_move_op(struct tdcs *tdcs, enum op_state to)
{
    require(op_from[to] & BIT(tdcs->op_state));
    tdcs->op_state = to;
}

void td_map(struct td *td, u64 tdr_pa)
{
    td->pa = tdr_pa;
    td->tdr = plat_map(global_pa(tdr_pa), PLAT_RW);
    td->tdcs = NULL;
}

static void *td_map_page(const struct td *td, enum tdcs_page page)
{
    return plat_map(with_key(td->tdr->tdcx_pa[page], td->tdr->hkid), PLAT_RW);
}

void td_map_tdcs(struct td *td)
{
    if (td->tdr->num_tdcx < TDCS_PAGES) {
        td->tdcs = NULL;
        return;
    }
    td->tdcs = td_map_page(td, TDCS_PAGE_BASE);
    td->tables = td_map_page(td, TDCS_PAGE_TABLES);
}

void td_count_pages(struct tdr *tdr, int64_t pages)
{
    u64 old = __atomic_fetch_add(&tdr->chldcnt, pages, __ATOMIC_RELAXED);

    require(pages > 0 || old >= (u64)-pages);
}

unsigned td_top_level(const struct td *td)
{
    /* Bits 5:3 of an EPTP are the length of the walk, less 1. */
    return (td->tdcs->eptp >> 3) & 7;
}

u64 td_shared_bit(const struct tdcs *tdcs)
{
    return tdcs->gpaw ? BIT(51) : BIT(47);
}

bool td_private_gpa(const struct tdcs *tdcs, u64 gpa)
{
    return gpa < td_shared_bit(tdcs);
}

bool td_tlb_tracked(const struct tdcs *tdcs, u64 bepoch)
{
    u64 epoch = __atomic_load_n(&tdcs->epoch.epoch, __ATOMIC_ACQUIRE);

    /* vCPUs that may be left can only be those of the last epoch but one. */
    return bepoch + 1 < epoch ||
           (bepoch + 1 == epoch &&
            !__atomic_load_n(&tdcs->epoch.refcount[bepoch & 1],
                             __ATOMIC_ACQUIRE));
}

static void td_fill_page(void *p, enum tdcs_page page)
{
    switch (page) {
    case TDCS_PAGE_MSR_BITMAPS:
        memset(p, 0xff, PAGE_SIZE);
        break;
    case TDCS_PAGE_SEPT_ROOT:
        sept_table_init(p);
        break;
    default:
        memset(p, 0, PAGE_SIZE);
        break;
    }
}

u64 tdh_mng_addcx(struct call *c)
{
    struct tdr *tdr = c->td.tdr;
    u64 pa = c->in.r[R_CX], ret;
    struct pamt_ref p;
    void *page;

    if (tdr->fatal) {
        return TDX_TD_FATAL;
    }
    if (tdr->state != TD_KEYS_CONFIGURED) {
        return TDX_TD_KEYS_NOT_CONFIGURED;
    }
    if (tdr->num_tdcx == TDCS_PAGES) {
        return TDX_TDCX_NUM_INCORRECT;
    }
    ret = pamt_lock_operand(pa, 0, PT_NDA, LOCK_EX, OPND_RCX, &p);
    if (is_error(ret)) {
        return ret;
    }
    page = plat_map(with_key(pa, tdr->hkid), PLAT_FRESH);
    td_fill_page(page, tdr->num_tdcx);
    tdr->tdcx_pa[tdr->num_tdcx++] = pa;
    td_count_pages(tdr, 1);
    pamt_assign(&p, PT_TDCX, c->td.pa);
    pamt_unlock(&p);
    return TDX_SUCCESS;
}
