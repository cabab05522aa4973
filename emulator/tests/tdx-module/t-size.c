/*
 * Tests of the TDX module: PROMOTE and DEMOTE
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include "lib.h"

#define STATE(level, s)     ((level) | (u64)(s) << 8)

/* 512 pages of PA, in order, at GPA 0 */
static u64 setup_512(struct ttd *td, enum stage stage)
{
    u64 pa;

    td_to(td, ST_INIT);
    sept_tables(td, 0, 0);
    pa = page_alloc_2m();
    for (unsigned i = 0; i < 512; i++) {
        u8 text[8] = { i, i >> 8 };

        sim_host_write(HOST_PAGE(4), text, 8);
        MUST(call(TDH_MEM_PAGE_ADD, i * PAGE_SIZE, td->tdr, pa + i * PAGE_SIZE,
                  HOST_PAGE(4)));
    }
    if (stage == ST_RUN) {
        MUST(call(TDH_MR_FINALIZE, td->tdr, 0, 0, 0));
    }
    return pa;
}

static void test_promote(void)
{
    struct ttd td;
    u64 pa = setup_512(&td, ST_RUN), table;

    CHECK(call(TDH_MEM_PAGE_PROMOTE, 1, td.tdr, 0, 0),
          status(TDX_GPA_RANGE_NOT_BLOCKED, OPND_RCX));
    OK(call(TDH_MEM_RANGE_BLOCK, 1, td.tdr, 0, 0));
    CHECK(call(TDH_MEM_PAGE_PROMOTE, 1, td.tdr, 0, 0),
          status(TDX_TLB_TRACKING_NOT_DONE, OPND_RCX));
    OK(call(TDH_MEM_TRACK, td.tdr, 0, 0, 0));
    pamt_of(pa, 1)->lock = LOCK_ONE_SHARED;
    CHECK(call(TDH_MEM_PAGE_PROMOTE, 1, td.tdr, 0, 0), BUSY(OPND_RCX));
    pamt_of(pa, 1)->lock = 0;
    OK(call(TDH_MEM_PAGE_PROMOTE, 1, td.tdr, 0, 0));
    table = out.r[R_CX];
    CHECK(pamt_of(table, 0)->type, PT_NDA);
    MUST(call(TDH_MEM_SEPT_RD, 1, td.tdr, 0, 0));
    CHECK(out.r[R_DX], STATE(1, 4));
    CHECK(out.r[R_CX] & SEPT_PA, pa);
    CHECK(out.r[R_CX] & 7, 7);
    CHECK(call(TDH_PHYMEM_PAGE_RDMD, pa + 0x3000, 0, 0, 0), 0);
    CHECK(out.r[R_8], 1);
    audit("promote");

    /* And back */
    CHECK(call(TDH_MEM_PAGE_DEMOTE, 1, td.tdr, table, 0),
          status(TDX_GPA_RANGE_NOT_BLOCKED, OPND_RCX));
    OK(call(TDH_MEM_RANGE_BLOCK, 1, td.tdr, 0, 0));
    CHECK(call(TDH_MEM_PAGE_DEMOTE, 1, td.tdr, table, 0),
          status(TDX_TLB_TRACKING_NOT_DONE, OPND_RCX));
    OK(call(TDH_MEM_TRACK, td.tdr, 0, 0, 0));
    CHECK(call(TDH_MEM_PAGE_DEMOTE, 1, td.tdr, table + 8, 0),
          INVALID(OPND_R8));
    CHECK(call(TDH_MEM_PAGE_DEMOTE, 1, td.tdr, td.tdcx[0], 0),
          status(TDX_PAGE_METADATA_INCORRECT, OPND_R8));
    /* Not a page of itself */
    CHECK(call(TDH_MEM_PAGE_DEMOTE, 1, td.tdr, pa, 0), BUSY(OPND_R8));
    OK(call(TDH_MEM_PAGE_DEMOTE, 1, td.tdr, table, 0));
    MUST(call(TDH_MEM_SEPT_RD, 1, td.tdr, 0, 0));
    CHECK(out.r[R_DX], STATE(1, 0x84));
    for (unsigned i = 0; i < 512; i += 73) {
        u8 *p = sim_mem(pa + i * PAGE_SIZE);

        MUST(call(TDH_MEM_SEPT_RD, i * PAGE_SIZE, td.tdr, 0, 0));
        CHECK(out.r[R_DX], STATE(0, 4));
        CHECK(out.r[R_CX] & SEPT_PA, pa + i * PAGE_SIZE);
        CHECK(p[0] | p[1] << 8, i);
    }
    audit("demote");
    td_destroy(&td);
    audit("sizes");
}

static void test_promote_conditions(void)
{
    u64 want = status(TDX_EPT_INVALID_PROMOTE_CONDITIONS, OPND_RCX);
    struct ttd td;
    u64 pa;

    /* One is missing */
    setup_512(&td, ST_INIT);
    MUST(call(TDH_MEM_PAGE_REMOVE, 200 * PAGE_SIZE, td.tdr, 0, 0));
    pa = out.r[R_CX];
    CHECK(call(TDH_MEM_PAGE_PROMOTE, 1, td.tdr, 0, 0), want);
    /* One is pending */
    MUST(call(TDH_MEM_PAGE_AUG, 200 * PAGE_SIZE, td.tdr, pa, 0));
    CHECK(call(TDH_MEM_PAGE_PROMOTE, 1, td.tdr, 0, 0), want);
    MUST(call(TDH_MEM_PAGE_REMOVE, 200 * PAGE_SIZE, td.tdr, 0, 0));
    /* One is elsewhere */
    MUST(call(TDH_MEM_PAGE_ADD, 200 * PAGE_SIZE, td.tdr, page_alloc(),
              HOST_PAGE(4)));
    CHECK(call(TDH_MEM_PAGE_PROMOTE, 1, td.tdr, 0, 0), want);
    MUST(call(TDH_MEM_PAGE_RELOCATE, 200 * PAGE_SIZE, td.tdr, pa, 0));
    /* One is blocked */
    MUST(call(TDH_MEM_RANGE_BLOCK, 511 * PAGE_SIZE, td.tdr, 0, 0));
    CHECK(call(TDH_MEM_PAGE_PROMOTE, 1, td.tdr, 0, 0), want);
    MUST(call(TDH_MEM_RANGE_UNBLOCK, 511 * PAGE_SIZE, td.tdr, 0, 0));
    /* A table of tables */
    CHECK(call(TDH_MEM_PAGE_PROMOTE, 2, td.tdr, 0, 0), want);
    OK(call(TDH_MEM_PAGE_PROMOTE, 1, td.tdr, 0, 0));
    audit("conditions");
}

/* A page that the TD has not accepted stays so. */
static void test_pending(void)
{
    struct ttd td;
    u64 pa;

    td_to(&td, ST_INIT);
    sept_tables(&td, 0, 1);
    pa = page_alloc_2m();
    MUST(call(TDH_MEM_PAGE_AUG, 1, td.tdr, pa, 0));
    OK(call(TDH_MEM_PAGE_DEMOTE, 1, td.tdr, page_alloc(), 0));
    MUST(call(TDH_MEM_SEPT_RD, 5 * PAGE_SIZE, td.tdr, 0, 0));
    CHECK(out.r[R_DX], STATE(0, 2));
    CHECK(out.r[R_CX] & 7, 0);
    OK(call(TDH_MEM_PAGE_PROMOTE, 1, td.tdr, 0, 0));
    MUST(call(TDH_MEM_SEPT_RD, 1, td.tdr, 0, 0));
    CHECK(out.r[R_DX], STATE(1, 2));
    audit("pending");
}

void test_size(void)
{
    test_promote();
    test_promote_conditions();
    test_pending();
}
