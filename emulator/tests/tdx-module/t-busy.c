/*
 * Tests of the TDX module: locks that somebody else has
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

/* Leaves that want the TDR, and in which register */
static const struct {
    u8 leaf, reg;
    bool exclusive;
} tdr_leaves[] = {
    { TDH_MNG_KEY_CONFIG, 0, true }, { TDH_MNG_ADDCX, 1, true },
    { TDH_MNG_INIT, 0, true }, { TDH_MNG_RD, 0, false },
    { TDH_MNG_WR, 0, false }, { TDH_MNG_VPFLUSHDONE, 0, true },
    { TDH_MNG_KEY_FREEID, 0, true }, { TDH_MR_EXTEND, 1, true },
    { TDH_MR_FINALIZE, 0, true }, { TDH_MEM_SEPT_ADD, 1, false },
    { TDH_MEM_SEPT_RD, 1, false }, { TDH_MEM_SEPT_REMOVE, 1, false },
    { TDH_MEM_PAGE_ADD, 1, true }, { TDH_MEM_PAGE_AUG, 1, false },
    { TDH_MEM_PAGE_REMOVE, 1, false }, { TDH_MEM_PAGE_RELOCATE, 1, false },
    { TDH_MEM_PAGE_PROMOTE, 1, false }, { TDH_MEM_PAGE_DEMOTE, 1, false },
    { TDH_MEM_RANGE_BLOCK, 1, false }, { TDH_MEM_RANGE_UNBLOCK, 1, false },
    { TDH_MEM_TRACK, 0, false }, { TDH_MEM_RD, 1, false },
    { TDH_MEM_WR, 1, false }, { TDH_VP_CREATE, 1, false },
};

static void test_tdr(void)
{
    struct ttd td;

    td_to(&td, ST_INIT);
    for (unsigned i = 0; i < ARRAY_SIZE(tdr_leaves); i++) {
        lock_t *lock = &pamt_of(td.tdr, 0)->lock;
        unsigned op = tdr_leaves[i].reg ? OPND_RDX : OPND_RCX;
        u64 rcx = tdr_leaves[i].reg ? 0 : td.tdr;
        u64 rdx = tdr_leaves[i].reg ? td.tdr : 0;

        *lock = LOCK_EXCLUSIVE;
        CHECK(call(tdr_leaves[i].leaf, rcx, rdx, 0, 0), BUSY(op));
        *lock = LOCK_ONE_SHARED;
        call(tdr_leaves[i].leaf, rcx, rdx, 0, 0);
        CHECK(out.r[R_AX] == BUSY(op), tdr_leaves[i].exclusive);
        *lock = 0;
        /* And the entries above: larger pages */
        pamt_of(td.tdr, 1)->lock = LOCK_EXCLUSIVE;
        CHECK(call(tdr_leaves[i].leaf, rcx, rdx, 0, 0), BUSY(op));
        pamt_of(td.tdr, 1)->lock = 0;
        pamt_of(td.tdr, 2)->lock = LOCK_EXCLUSIVE;
        CHECK(call(tdr_leaves[i].leaf, rcx, rdx, 0, 0), BUSY(op));
        pamt_of(td.tdr, 2)->lock = 0;
    }
    /* One of the calls has flushed a page. */
    audit("TDR busy");
}

static void test_vp_locks(void)
{
    static const u8 leaves[] = {
        TDH_VP_INIT, TDH_VP_FLUSH, TDH_VP_RD, TDH_VP_WR, TDH_VP_ENTER,
    };
    struct ttd td;

    td_to(&td, ST_RUN);
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
        bool exclusive = leaves[i] == TDH_VP_INIT || leaves[i] == TDH_VP_FLUSH;
        u64 vp = td.tdvpr[0];

        pamt_of(vp, 0)->lock = LOCK_EXCLUSIVE;
        CHECK(call(leaves[i], vp, 0, 0, 0), BUSY(OPND_RCX));
        pamt_of(vp, 0)->lock = LOCK_ONE_SHARED;
        call(leaves[i], vp, 0, 0, 0);
        CHECK(out.r[R_AX] == BUSY(OPND_RCX), exclusive);
        pamt_of(vp, 0)->lock = 0;
        pamt_of(td.tdr, 0)->lock = LOCK_EXCLUSIVE;
        CHECK(call(leaves[i], vp, 0, 0, 0), BUSY(OPND_TDR));
        pamt_of(td.tdr, 0)->lock = 0;
    }
    pamt_of(td.tdr, 0)->lock = LOCK_ONE_SHARED;
    CHECK(call(TDH_VP_INIT | VERSION(1), td.tdvpr[0], 0, 0, 0),
          BUSY(OPND_TDR));
    pamt_of(td.tdr, 0)->lock = 0;
    audit("vCPU busy");
}

static void test_td_locks(void)
{
    struct ttd td;
    struct tdcs *tdcs;

    td_to(&td, ST_RUN);
    sept_tables(&td, 0, 0);
    tdcs = (struct tdcs *)sim_mem(td.tdcx[0]);
    for (unsigned i = 0; i < ARRAY_SIZE(tdr_leaves); i++) {
        u8 leaf = tdr_leaves[i].leaf;

        if (tdr_leaves[i].exclusive) {
            continue;
        }
        tdcs->op_state_lock = LOCK_EXCLUSIVE;
        CHECK(call(leaf, tdr_leaves[i].reg ? 0 : td.tdr,
                   tdr_leaves[i].reg ? td.tdr : 0, 0, 0),
              BUSY(OPND_OP_STATE));
        tdcs->op_state_lock = 0;
    }
    CHECK((tdcs->op_state_lock = LOCK_EXCLUSIVE,
           call(TDH_VP_ENTER, td.tdvpr[0], 0, 0, 0)), BUSY(OPND_OP_STATE));
    tdcs->op_state_lock = 0;

    tdcs->epoch.lock = LOCK_EXCLUSIVE;
    CHECK(enter(&td), BUSY(OPND_TD_EPOCH));
    CHECK(call(TDH_MEM_TRACK, td.tdr, 0, 0, 0), BUSY(OPND_TD_EPOCH));
    tdcs->epoch.lock = LOCK_ONE_SHARED;
    CHECK(call(TDH_MEM_TRACK, td.tdr, 0, 0, 0), BUSY(OPND_TD_EPOCH));
    CHECK(enter(&td), 1);
    tdcs->epoch.lock = 0;
    audit("TD busy");
}

static void test_sept_locks(void)
{
    static const struct {
        u8 leaf, level;
        bool exclusive;
    } leaves[] = {
        { TDH_MEM_SEPT_ADD, 1, false }, { TDH_MEM_SEPT_RD, 0, false },
        { TDH_MEM_SEPT_REMOVE, 1, true }, { TDH_MEM_PAGE_AUG, 0, false },
        { TDH_MEM_PAGE_REMOVE, 0, false }, { TDH_MEM_PAGE_RELOCATE, 0, false },
        { TDH_MEM_PAGE_PROMOTE, 1, true }, { TDH_MEM_PAGE_DEMOTE, 1, false },
        { TDH_MEM_RANGE_BLOCK, 0, true }, { TDH_MEM_RANGE_UNBLOCK, 0, true },
    };
    struct ttd td;
    struct tdcs *tdcs;

    td_to(&td, ST_INIT);
    sept_tables(&td, 0, 0);
    tdcs = (struct tdcs *)sim_mem(td.tdcx[0]);
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
        u64 rcx = leaves[i].level;
        u64 *e = (u64 *)sim_mem(td.table[rcx + 1]);

        tdcs->sept_lock = LOCK_EXCLUSIVE;
        CHECK(call(leaves[i].leaf, rcx, td.tdr, 0, 0), BUSY(OPND_SEPT_TREE));
        tdcs->sept_lock = LOCK_ONE_SHARED;
        call(leaves[i].leaf, rcx, td.tdr, 0, 0);
        CHECK(out.r[R_AX] == BUSY(OPND_SEPT_TREE), leaves[i].exclusive);
        tdcs->sept_lock = 0;
        /* The entry lock, and the priority that the host gets */
        *e |= SEPT_LOCK;
        CHECK(call(leaves[i].leaf, rcx, td.tdr, 0, 0), BUSY(OPND_RCX));
        CHECK(*e & SEPT_HOST_PRIORITY, SEPT_HOST_PRIORITY);
        *e &= ~(SEPT_LOCK | SEPT_HOST_PRIORITY);
    }
    audit("S-EPT busy");
}

static void test_host_priority(void)
{
    struct ttd td;
    u64 *e;

    td_to(&td, ST_RUN);
    sept_tables(&td, 0, 0);
    MUST(call(TDH_MEM_PAGE_AUG, 0, td.tdr, page_alloc(), 0));
    e = (u64 *)sim_mem(td.table[1]);
    *e |= SEPT_LOCK;
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0, 0, 0, 0), BUSY(OPND_RCX));
    CHECK(*e & SEPT_HOST_PRIORITY, 0);
    CHECK(call(TDH_MEM_RANGE_BLOCK, 0, td.tdr, 0, 0), BUSY(OPND_RCX));
    *e &= ~SEPT_LOCK;
    /* The host comes first. */
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0, 0, 0, 0),
          status(TDX_OPERAND_BUSY_HOST_PRIORITY, OPND_RCX));
    OK(call(TDH_MEM_SEPT_RD, 0, td.tdr, 0, 0));
    OK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0, 0, 0, 0));
    audit("host priority");
}

static void test_lock(void)
{
    lock_t l = 0;

    CHECK(lock_try(&l, LOCK_SH), true);
    CHECK(lock_try(&l, LOCK_SH), true);
    CHECK(lock_try(&l, LOCK_EX), false);
    CHECK(lock_try_as(&l, LOCK_SH, SIDE_GUEST), TDX_OPERAND_BUSY_HOST_PRIORITY);
    CHECK(lock_try(&l, LOCK_SH), true);
    CHECK(lock_try_as(&l, LOCK_SH, SIDE_GUEST), TDX_SUCCESS);
    CHECK(lock_try_as(&l, LOCK_EX, SIDE_GUEST), TDX_OPERAND_BUSY);
    CHECK(lock_try_upgrade(&l), false);
    for (unsigned i = 0; i < 3; i++) {
        lock_put(&l, LOCK_SH);
    }
    CHECK(lock_try_upgrade(&l), true);
    CHECK(lock_try(&l, LOCK_SH), false);
    lock_put(&l, LOCK_EX);
    CHECK(l & ~LOCK_HOST_PRIORITY, 0);
    CHECK(lock_try(&l, LOCK_EX), true);
    CHECK(l, LOCK_EXCLUSIVE);
    /* No more shared owners than can be counted */
    l = LOCK_MAX_SHARED;
    CHECK(lock_try(&l, LOCK_SH), false);
}

void test_busy(void)
{
    test_lock();
    test_tdr();
    test_vp_locks();
    test_td_locks();
    test_sept_locks();
    test_host_priority();
}
