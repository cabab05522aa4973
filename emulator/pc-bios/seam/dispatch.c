/*
 * TDX module: SEAMCALL leaves
 *
 * The table says what each leaf operates on.  Checks that leaves have in
 * common are made here, in one order:
 *
 *   version, state of the module,
 *   TDVPR and then its TD, or the TD's TDR: address, lock, type,
 *   the TD: fatal, keys, TDCS, lock of the operation state, that state,
 *   GPA and level, lock of the Secure EPT, walk, entry lock, entry state.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "meta.h"

struct module module;

#define OUT_CD  (BIT(R_CX) | BIT(R_DX))
#define OUT_MD  (OUT_CD | BIT(R_8) | BIT(R_9) | BIT(R_10) | BIT(R_11))

#define INIT    BIT(OP_INITIALIZED)
#define RUN     BIT(OP_RUNNABLE)
#define TOP     4               /* any level that the TD's tree has */

#define SYS(n, NAME, f, ...)                                                \
    { .number = n, .name = NAME, .fn = f, .kind = LEAF_PLAIN, __VA_ARGS__ }
#define TD(n, NAME, f, r, l, ...)                                           \
    { .number = n, .name = NAME, .fn = f, .kind = LEAF_TD, .reg = r,        \
      .lock = l, __VA_ARGS__ }
#define VP(n, NAME, f, r, l, ...)                                           \
    { .number = n, .name = NAME, .fn = f, .kind = LEAF_VP, .reg = r,        \
      .lock = l, __VA_ARGS__ }
#define OPS(states, l)                                                      \
    .op_states = (states), .op_lock = (l)
#define GPA(min, max, l, states)                                            \
    .gpa = GPA_LEVEL, .min_level = (min), .max_level = (max),               \
    .sept_lock = (l), .sept_states = (states), .clears = OUT_CD
#define EARLY   .before_ready = true

static const struct leaf leaves[] = {
    SYS(TDH_SYS_INIT, "SYS.INIT", tdh_sys_init, EARLY,
        .clears = OUT_CD | BIT(R_8) | BIT(R_9) | BIT(R_10)),
    SYS(TDH_SYS_LP_INIT, "SYS.LP.INIT", tdh_sys_lp_init, EARLY),
    SYS(TDH_SYS_RD, "SYS.RD", tdh_sys_rd, EARLY, .clears = BIT(R_8)),
    SYS(TDH_SYS_RDALL, "SYS.RDALL", tdh_sys_rdall, EARLY),
    SYS(TDH_SYS_CONFIG, "SYS.CONFIG", tdh_sys_config, EARLY),
    SYS(TDH_SYS_KEY_CONFIG, "SYS.KEY.CONFIG", tdh_sys_key_config, EARLY),
    SYS(TDH_SYS_TDMR_INIT, "SYS.TDMR.INIT", tdh_sys_tdmr_init,
        .clears = BIT(R_DX)),
    SYS(TDH_SYS_SHUTDOWN, "SYS.SHUTDOWN", tdh_sys_shutdown),
    SYS(TDH_SYS_UPDATE, "SYS.UPDATE", tdh_sys_update, EARLY),
    SYS(TDH_SYS_DISABLE, "SYS.DISABLE", tdh_sys_disable, EARLY),
    SYS(TDH_PHYMEM_PAGE_RDMD, "PHYMEM.PAGE.RDMD", tdh_phymem_page_rdmd,
        .clears = OUT_MD),
    SYS(TDH_PHYMEM_PAGE_RECLAIM, "PHYMEM.PAGE.RECLAIM",
        tdh_phymem_page_reclaim, .clears = OUT_MD),
    SYS(TDH_PHYMEM_PAGE_WBINVD, "PHYMEM.PAGE.WBINVD",
        tdh_phymem_page_wbinvd),
    SYS(TDH_PHYMEM_CACHE_WB, "PHYMEM.CACHE.WB", tdh_phymem_cache_wb),

    SYS(TDH_MNG_CREATE, "MNG.CREATE", tdh_mng_create),
    TD(TDH_MNG_KEY_CONFIG, "MNG.KEY.CONFIG", tdh_mng_key_config,
       R_CX, LOCK_EX),
    TD(TDH_MNG_ADDCX, "MNG.ADDCX", tdh_mng_addcx, R_DX, LOCK_EX),
    TD(TDH_MNG_INIT, "MNG.INIT", tdh_mng_init, R_CX, LOCK_EX,
       OPS(BIT(OP_UNINITIALIZED), LOCK_NONE), .clears = BIT(R_CX)),
    TD(TDH_MNG_RD, "MNG.RD", tdh_mng_rd, R_CX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), .max_version = 1, .clears = BIT(R_8),
       .next_field = true),
    TD(TDH_MNG_WR, "MNG.WR", tdh_mng_wr, R_CX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), .clears = BIT(R_8)),
    TD(TDH_MNG_VPFLUSHDONE, "MNG.VPFLUSHDONE", tdh_mng_vpflushdone,
       R_CX, LOCK_EX),
    TD(TDH_MNG_KEY_FREEID, "MNG.KEY.FREEID", tdh_mng_key_freeid,
       R_CX, LOCK_EX),
    SYS(TDH_MNG_KEY_RECLAIMID, "MNG.KEY.RECLAIMID", tdh_mng_key_reclaimid),
    TD(TDH_MR_EXTEND, "MR.EXTEND", tdh_mr_extend, R_DX, LOCK_EX,
       OPS(INIT, LOCK_NONE), .clears = OUT_CD),
    TD(TDH_MR_FINALIZE, "MR.FINALIZE", tdh_mr_finalize, R_CX, LOCK_EX,
       OPS(INIT, LOCK_NONE)),

    TD(TDH_MEM_SEPT_ADD, "MEM.SEPT.ADD", tdh_mem_sept_add, R_DX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), GPA(1, TOP, LOCK_SH, BIT(SEPT_FREE))),
    TD(TDH_MEM_SEPT_RD, "MEM.SEPT.RD", tdh_mem_sept_rd, R_DX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), GPA(0, TOP, LOCK_SH, 0xff)),
    TD(TDH_MEM_SEPT_REMOVE, "MEM.SEPT.REMOVE", tdh_mem_sept_remove,
       R_DX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), GPA(1, TOP, LOCK_EX, SEPT_NL_STATES)),
    TD(TDH_MEM_PAGE_ADD, "MEM.PAGE.ADD", tdh_mem_page_add, R_DX, LOCK_EX,
       OPS(INIT, LOCK_NONE), GPA(0, 0, LOCK_NONE, BIT(SEPT_FREE))),
    TD(TDH_MEM_PAGE_AUG, "MEM.PAGE.AUG", tdh_mem_page_aug, R_DX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), GPA(0, 1, LOCK_SH, BIT(SEPT_FREE))),
    TD(TDH_MEM_PAGE_REMOVE, "MEM.PAGE.REMOVE", tdh_mem_page_remove,
       R_DX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), GPA(0, 2, LOCK_SH, SEPT_LEAF_STATES)),
    TD(TDH_MEM_PAGE_RELOCATE, "MEM.PAGE.RELOCATE", tdh_mem_page_relocate,
       R_DX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), GPA(0, 0, LOCK_SH, SEPT_LEAF_STATES)),
    TD(TDH_MEM_PAGE_PROMOTE, "MEM.PAGE.PROMOTE", tdh_mem_page_promote,
       R_DX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), GPA(1, 2, LOCK_EX, SEPT_NL_STATES)),
    TD(TDH_MEM_PAGE_DEMOTE, "MEM.PAGE.DEMOTE", tdh_mem_page_demote,
       R_DX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), GPA(1, 2, LOCK_SH, SEPT_LEAF_STATES)),
    /* Their states are checked by the leaf, which tells blocked ones apart. */
    TD(TDH_MEM_RANGE_BLOCK, "MEM.RANGE.BLOCK", tdh_mem_range_block,
       R_DX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), GPA(0, TOP, LOCK_EX, 0xff)),
    TD(TDH_MEM_RANGE_UNBLOCK, "MEM.RANGE.UNBLOCK", tdh_mem_range_unblock,
       R_DX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), GPA(0, TOP, LOCK_EX, SEPT_BLOCKED_STATES)),
    TD(TDH_MEM_TRACK, "MEM.TRACK", tdh_mem_track, R_CX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH)),
    TD(TDH_MEM_RD, "MEM.RD", tdh_mem_rd, R_DX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), .clears = OUT_CD | BIT(R_8)),
    TD(TDH_MEM_WR, "MEM.WR", tdh_mem_wr, R_DX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), .clears = OUT_CD | BIT(R_8)),

    TD(TDH_VP_CREATE, "VP.CREATE", tdh_vp_create, R_DX, LOCK_SH,
       OPS(INIT, LOCK_SH)),
    VP(TDH_VP_ADDCX, "VP.ADDCX", tdh_vp_addcx, R_DX, LOCK_EX,
       OPS(INIT, LOCK_SH)),
    VP(TDH_VP_INIT, "VP.INIT", tdh_vp_init, R_CX, LOCK_EX,
       OPS(INIT, LOCK_SH), .max_version = 1),
    VP(TDH_VP_FLUSH, "VP.FLUSH", tdh_vp_flush, R_CX, LOCK_EX,
       OPS(OP_ANY, LOCK_NONE)),
    VP(TDH_VP_RD, "VP.RD", tdh_vp_rd, R_CX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), .max_version = 1, .clears = BIT(R_8),
       .next_field = true),
    VP(TDH_VP_WR, "VP.WR", tdh_vp_wr, R_CX, LOCK_SH,
       OPS(OP_LIVE, LOCK_SH), .clears = BIT(R_8)),
    VP(TDH_VP_ENTER, "VP.ENTER", tdh_vp_enter, R_CX, LOCK_SH,
       OPS(RUN, LOCK_SH)),
};

/* Set an output register and return RET. */
u64 call_out(struct call *c, enum reg reg, u64 v, u64 ret)
{
    c->r->r[reg] = v;
    return ret;
}

static const struct leaf *leaf_find(u64 rax)
{
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
        if (leaves[i].number == LEAF_NUMBER(rax)) {
            return &leaves[i];
        }
    }
    return NULL;
}

static u64 resolve_state(struct call *c)
{
    const struct leaf *l = c->leaf;
    struct td *td = &c->td;

    if (!l->op_states) {
        return TDX_SUCCESS;
    }
    if (td->tdr->fatal && l->number != TDH_VP_FLUSH) {
        return TDX_TD_FATAL;
    }
    if (td->tdr->state != TD_KEYS_CONFIGURED) {
        return TDX_TD_KEYS_NOT_CONFIGURED;
    }
    td_map_tdcs(td);
    if (!td->tdcs) {
        return TDX_TDCS_NOT_ALLOCATED;
    }
    if (l->op_lock != LOCK_NONE) {
        if (!lock_try(&td->tdcs->op_state_lock, l->op_lock)) {
            return status(TDX_OPERAND_BUSY, OPND_OP_STATE);
        }
        c->op_state_locked = true;
    }
    if (!(l->op_states & BIT(td->tdcs->op_state))) {
        return TDX_OP_STATE_INCORRECT;
    }
    return TDX_SUCCESS;
}

static u64 resolve_td(struct call *c)
{
    const struct leaf *l = c->leaf;
    u64 pa = c->in.r[l->reg];
    u64 ret;

    ret = pamt_lock_operand(pa, 0, PT_TDR, l->lock, l->reg, &c->tdr_page);
    if (is_error(ret)) {
        return ret;
    }
    td_map(&c->td, pa);
    return resolve_state(c);
}

static u64 resolve_vp(struct call *c)
{
    const struct leaf *l = c->leaf;
    u64 pa = c->in.r[l->reg];
    enum lock_mode mode = l->number == TDH_VP_INIT && c->version > 0
                          ? LOCK_EX : LOCK_SH;
    u64 ret = pamt_lock_operand(pa, 0, PT_TDVPR, l->lock, l->reg,
                                &c->vp_page);

    if (is_error(ret)) {
        return ret;
    }
    ret = pamt_lock_operand(pamt_owner(c->vp_page.entry), 0, PT_TDR, mode,
                            OPND_TDR, &c->tdr_page);
    if (is_error(ret)) {
        return ret;
    }
    td_map(&c->td, c->tdr_page.pa);
    ret = resolve_state(c);
    if (is_error(ret)) {
        return ret;
    }
    c->vp = plat_map(with_key(pa, c->td.tdr->hkid), PLAT_RW);
    if (l->number != TDH_VP_ADDCX && c->vp->num_pages < TDVPS_PAGES) {
        return TDX_TDCX_NUM_INCORRECT;
    }
    return TDX_SUCCESS;
}

static u64 resolve_gpa(struct call *c)
{
    const struct leaf *l = c->leaf;
    u64 rcx = c->in.r[R_CX], gpa = rcx & SEPT_PA;
    unsigned level = rcx & 7;
    unsigned top = td_top_level(&c->td);
    /* The root is no entry: nothing can be added there. */
    unsigned max = l->max_level < top ? l->max_level : top;
    u64 ret;

    if ((rcx & ~(SEPT_PA | 7)) || level < l->min_level || level > max ||
        !aligned(gpa, level_size(level)) ||
        !td_private_gpa(c->td.tdcs, gpa)) {
        return status(TDX_OPERAND_INVALID, OPND_RCX);
    }
    if (l->sept_lock != LOCK_NONE) {
        if (!lock_try(&c->td.tdcs->sept_lock, l->sept_lock)) {
            return status(TDX_OPERAND_BUSY, OPND_SEPT_TREE);
        }
        c->sept_locked = true;
    }
    if (!sept_walk_to(&c->td, gpa, level, &c->walk)) {
        ret = TDX_EPT_WALK_FAILED;
    } else {
        ret = sept_lock(&c->walk, SIDE_HOST);
        if (!is_error(ret) && !sept_is(c->walk.value, l->sept_states)) {
            ret = TDX_EPT_ENTRY_STATE_INCORRECT;
        }
    }
    if (STATUS_CODE(ret) == TDX_EPT_WALK_FAILED ||
        STATUS_CODE(ret) == TDX_EPT_ENTRY_STATE_INCORRECT) {
        c->r->r[R_CX] = sept_visible(c->walk.value);
        c->r->r[R_DX] = sept_level_and_state(&c->walk);
    }
    return is_error(ret) ? status(ret, OPND_RCX) : ret;
}

static void release(struct call *c)
{
    sept_unlock(&c->walk);
    if (c->sept_locked) {
        lock_put(&c->td.tdcs->sept_lock, c->leaf->sept_lock);
    }
    if (c->op_state_locked) {
        lock_put(&c->td.tdcs->op_state_lock, c->leaf->op_lock);
    }
    pamt_unlock(&c->tdr_page);
    pamt_unlock(&c->vp_page);
}

static u64 call_leaf(struct call *c)
{
    const struct leaf *l = c->leaf;
    u64 ret = TDX_SUCCESS;

    for (unsigned i = 0; i < NUM_REGS; i++) {
        if (l->clears & BIT(i)) {
            c->r->r[i] = 0;
        }
    }
    if (l->next_field && c->version) {
        c->r->r[R_DX] = MD_NO_FIELD;
    }
    if (l->kind == LEAF_TD) {
        ret = resolve_td(c);
    } else if (l->kind == LEAF_VP) {
        ret = resolve_vp(c);
    }
    if (!is_error(ret) && l->gpa != GPA_NONE) {
        ret = resolve_gpa(c);
    }
    if (!is_error(ret)) {
        ret = l->fn(c);
    }
    release(c);
    return ret;
}

static u64 check_leaf(struct call *c, u64 rax)
{
    u8 state = __atomic_load_n(&module.sys_state, __ATOMIC_SEQ_CST);

    c->leaf = leaf_find(rax);
    c->version = LEAF_VERSION(rax);
    if (LEAF_RESERVED(rax) ||
        c->version > (c->leaf ? c->leaf->max_version : 0)) {
        return status(TDX_OPERAND_INVALID, OPND_RAX);
    }
    if (__atomic_load_n(&module.lps_busy, __ATOMIC_SEQ_CST) & LPS_ENDED) {
        return TDX_SYS_SHUTDOWN;
    }
    if (state != SYS_READY && !(c->leaf && c->leaf->before_ready)) {
        return TDX_SYS_NOT_READY;
    }
    return c->leaf ? TDX_SUCCESS : status(TDX_OPERAND_INVALID, OPND_RAX);
}

void seamcall(struct lp *lp, struct regs *r)
{
    struct call c = { .lp = lp, .in = *r, .r = r };
    unsigned mark = plat_mark();
    u64 ret;

    __atomic_fetch_add(&module.lps_busy, 1, __ATOMIC_SEQ_CST);
    lp->call = &c;
    ret = check_leaf(&c, r->r[R_AX]);
    r->r[R_AX] = ret ? ret : call_leaf(&c);
    lp->call = NULL;
    __atomic_fetch_sub(&module.lps_busy, 1, __ATOMIC_SEQ_CST);
    plat_release(mark);
}
