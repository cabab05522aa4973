/*
 * Tests of the TDX module: physical pages, key ids and caches
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

static const struct {
    u64 pa;
    u64 want;
} bad_page[] = {
    { SIM_TDMR0 + 1, TDX_OPERAND_INVALID },
    { SIM_TDMR0 + 0x800, TDX_OPERAND_INVALID },
    { 4ULL << 46 | SIM_TDMR0, TDX_OPERAND_INVALID },
    { BIT(52) | SIM_TDMR0, TDX_OPERAND_INVALID },
    { SIM_HOST, TDX_OPERAND_ADDR_RANGE_ERROR },
    { SIM_TDMR0 - PAGE_SIZE, TDX_OPERAND_ADDR_RANGE_ERROR },
    { SIM_TDMR0 + SIZE_1G, TDX_OPERAND_ADDR_RANGE_ERROR },
    { SIM_SEAMRR, TDX_OPERAND_ADDR_RANGE_ERROR },
};

/* An operand that is a page, in a register, of leaves that change the page */
static void test_page_operand(void)
{
    struct ttd td;

    td_to(&td, ST_INIT);
    for (unsigned i = 0; i < ARRAY_SIZE(bad_page); i++) {
        u64 pa = bad_page[i].pa, rcx = status(bad_page[i].want, OPND_RCX);
        u64 rdx = status(bad_page[i].want, OPND_RDX);
        u64 r8 = status(bad_page[i].want, OPND_R8);
        u64 vp = vp_create(&td);

        CHECK(call(TDH_PHYMEM_PAGE_RDMD, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_PHYMEM_PAGE_RECLAIM, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MNG_CREATE, pa, SIM_LAST_KEY, 0, 0), rcx);
        CHECK(call(TDH_MNG_KEY_CONFIG, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MNG_INIT, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MNG_RD, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MNG_WR, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MNG_VPFLUSHDONE, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MNG_KEY_FREEID, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MR_FINALIZE, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MEM_TRACK, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MNG_ADDCX, page_alloc(), pa, 0, 0), rdx);
        CHECK(call(TDH_MR_EXTEND, 0, pa, 0, 0), rdx);
        CHECK(call(TDH_VP_CREATE, pa, td.tdr, 0, 0), rcx);
        CHECK(call(TDH_VP_CREATE, page_alloc(), pa, 0, 0), rdx);
        CHECK(call(TDH_VP_ADDCX, page_alloc(), pa, 0, 0), rdx);
        CHECK(call(TDH_VP_INIT, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_VP_FLUSH, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_VP_RD, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_VP_WR, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_VP_ENTER, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MEM_SEPT_ADD, 3, pa, page_alloc(), 0), rdx);
        CHECK(call(TDH_MEM_SEPT_ADD, 3, td.tdr, pa, 0), r8);
        CHECK(call(TDH_MEM_RD, 0, pa, 0, 0), rdx);
        CHECK(call(TDH_MEM_WR, 0, pa, 0, 0), rdx);
        for (unsigned leaf = 0; leaf < 64; leaf++) {
            if (BIT(leaf) & (BIT(TDH_MEM_SEPT_RD) | BIT(TDH_MEM_SEPT_REMOVE) |
                             BIT(TDH_MEM_PAGE_ADD) | BIT(TDH_MEM_PAGE_AUG) |
                             BIT(TDH_MEM_PAGE_REMOVE) |
                             BIT(TDH_MEM_PAGE_RELOCATE) |
                             BIT(TDH_MEM_PAGE_PROMOTE) |
                             BIT(TDH_MEM_PAGE_DEMOTE) |
                             BIT(TDH_MEM_RANGE_BLOCK) |
                             BIT(TDH_MEM_RANGE_UNBLOCK))) {
                CHECK(call(leaf, 1, pa, 0, 0), rdx);
            }
        }
        (void)vp;
    }
    audit("operands");
}

/* A page of each type where another one is wanted */
static void test_page_type(void)
{
    u64 rcx = status(TDX_PAGE_METADATA_INCORRECT, OPND_RCX);
    u64 rdx = status(TDX_PAGE_METADATA_INCORRECT, OPND_RDX);
    u64 free_page, pages[5];
    struct ttd td;

    td_to(&td, ST_INIT);
    sept_tables(&td, 0, 0);
    pages[0] = free_page = page_alloc();
    pages[1] = td.tdcx[0];
    pages[2] = td.table[3];
    pages[3] = page_alloc();
    MUST(call(TDH_MEM_PAGE_ADD, 0, td.tdr, pages[3], HOST_PAGE(4)));
    pages[4] = td.tdvpr[0];
    for (unsigned i = 0; i < 5; i++) {
        u64 pa = pages[i];

        /* Not a TDR */
        CHECK(call(TDH_MNG_KEY_CONFIG, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MNG_RD, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MEM_TRACK, pa, 0, 0, 0), rcx);
        CHECK(call(TDH_MNG_ADDCX, page_alloc(), pa, 0, 0), rdx);
        CHECK(call(TDH_MEM_PAGE_AUG, 0, pa, free_page, 0), rdx);
        if (pa != td.tdvpr[0]) {
            CHECK(call(TDH_VP_ENTER, pa, 0, 0, 0), rcx);
            CHECK(call(TDH_VP_INIT, pa, 0, 0, 0), rcx);
            CHECK(call(TDH_VP_ADDCX, free_page, pa, 0, 0), rdx);
        }
        if (pa != free_page) {
            CHECK(call(TDH_MNG_CREATE, pa, SIM_LAST_KEY, 0, 0), rcx);
            CHECK(call(TDH_VP_CREATE, pa, td.tdr, 0, 0), rcx);
            CHECK(call(TDH_MEM_PAGE_ADD, 0x1000, td.tdr, pa, HOST_PAGE(4)),
                  status(TDX_PAGE_METADATA_INCORRECT, OPND_R8));
            CHECK(call(TDH_MEM_PAGE_AUG, 0x1000, td.tdr, pa, 0),
                  status(TDX_PAGE_METADATA_INCORRECT, OPND_R8));
            CHECK(call(TDH_PHYMEM_PAGE_WBINVD, pa | 5ULL << 46, 0, 0, 0), rcx);
            CHECK(call(TDH_PHYMEM_PAGE_RECLAIM, pa, 0, 0, 0),
                  TDX_LIFECYCLE_STATE_INCORRECT);
        } else {
            CHECK(call(TDH_PHYMEM_PAGE_RECLAIM, pa, 0, 0, 0), rcx);
        }
    }
    CHECK(call(TDH_PHYMEM_PAGE_RECLAIM, td.tdr, 0, 0, 0),
          TDX_LIFECYCLE_STATE_INCORRECT);
    audit("types");
}

static void test_rdmd(void)
{
    u64 big;
    struct ttd td;

    td_to(&td, ST_INIT);
    sept_tables(&td, 0, 1);
    OK(call(TDH_PHYMEM_PAGE_RDMD, td.tdr, 0, 0, 0));
    CHECK(out.r[R_CX], PT_TDR);
    CHECK(out.r[R_DX], 0);
    OK(call(TDH_PHYMEM_PAGE_RDMD, td.tdcx[1], 0, 0, 0));
    CHECK(out.r[R_CX], PT_TDCX);
    CHECK(out.r[R_DX], td.tdr);
    OK(call(TDH_PHYMEM_PAGE_RDMD, td.tdvpr[0], 0, 0, 0));
    CHECK(out.r[R_CX], PT_TDVPR);
    OK(call(TDH_PHYMEM_PAGE_RDMD, td.table[2], 0, 0, 0));
    CHECK(out.r[R_CX], PT_EPT);
    big = page_alloc_2m();
    MUST(call(TDH_MEM_PAGE_AUG, 0 | 1, td.tdr, big, 0));
    OK(call(TDH_PHYMEM_PAGE_RDMD, big + 0x5000, 0, 0, 0));
    CHECK(out.r[R_CX], PT_REG);
    CHECK(out.r[R_8], 1);
    MUST(call(TDH_MEM_RANGE_BLOCK, 1, td.tdr, 0, 0));
    OK(call(TDH_PHYMEM_PAGE_RDMD, big, 0, 0, 0));
    CHECK(out.r[R_9], 1);
    OK(call(TDH_PHYMEM_PAGE_RDMD, page_alloc(), 0, 0, 0));
    CHECK(out.r[R_CX] | out.r[R_DX] | out.r[R_8] | out.r[R_9], 0);

    /* Only as a whole */
    td_destroy(&td);
    audit("rdmd");
    CHECK(call(TDH_PHYMEM_PAGE_RDMD, big, 0, 0, 0) | out.r[R_CX], 0);
}

static void test_reclaim(void)
{
    struct ttd td;
    u64 big;

    td_to(&td, ST_RUN);
    sept_tables(&td, 0, 1);
    big = page_alloc_2m();
    MUST(call(TDH_MEM_PAGE_AUG, 1, td.tdr, big, 0));
    MUST(call(TDH_VP_FLUSH, td.tdvpr[0], 0, 0, 0));
    MUST(call(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0));
    CHECK(call(TDH_PHYMEM_PAGE_RECLAIM, big, 0, 0, 0),
          TDX_LIFECYCLE_STATE_INCORRECT);
    for (sim_cur = 0; sim_cur < SIM_LPS; sim_cur++) {
        MUST(call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0));
    }
    sim_cur = 0;
    MUST(call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0));
    CHECK(call(TDH_PHYMEM_PAGE_RECLAIM, big + PAGE_SIZE, 0, 0, 0),
          INVALID(OPND_RCX));
    CHECK(call(TDH_PHYMEM_PAGE_RECLAIM, td.tdr, 0, 0, 0),
          TDX_TD_ASSOCIATED_PAGES_EXIST);
    OK(call(TDH_PHYMEM_PAGE_RECLAIM, big, 0, 0, 0));
    CHECK(out.r[R_CX], PT_REG);
    CHECK(out.r[R_DX], td.tdr);
    CHECK(out.r[R_8], 1);
    CHECK(call(TDH_PHYMEM_PAGE_RECLAIM, big, 0, 0, 0),
          status(TDX_PAGE_METADATA_INCORRECT, OPND_RCX));
    OK(call(TDH_PHYMEM_PAGE_WBINVD, big | td.hkid << 46, 0, 0, 0));
    CHECK(sim.flushed_pages, 1);
    /* Lines of the host, too, and those with shared key ids */
    OK(call(TDH_PHYMEM_PAGE_WBINVD, big, 0, 0, 0));
    OK(call(TDH_PHYMEM_PAGE_WBINVD, big | 12ULL << 46, 0, 0, 0));
    CHECK(sim.flushed_pages, 3);
    CHECK(call(TDH_PHYMEM_PAGE_WBINVD, big | BIT(52), 0, 0, 0),
          INVALID(OPND_RCX));
    CHECK(call(TDH_PHYMEM_PAGE_WBINVD, (big + 8) | 5ULL << 46, 0, 0, 0),
          INVALID(OPND_RCX));
    CHECK(call(TDH_PHYMEM_PAGE_WBINVD, SIM_HOST | 5ULL << 46, 0, 0, 0),
          status(TDX_OPERAND_ADDR_RANGE_ERROR, OPND_RCX));
    td_destroy(&td);
    audit("reclaim");
}

static void test_cache_wb(void)
{
    struct ttd td, td2;

    td_to(&td, ST_RUN);
    CHECK(call(TDH_PHYMEM_CACHE_WB, 2, 0, 0, 0), INVALID(OPND_RCX));
    CHECK(call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), TDX_NO_HKID_READY_TO_WBCACHE);
    CHECK(call(TDH_PHYMEM_CACHE_WB, 1, 0, 0, 0), TDX_WBCACHE_RESUME_ERROR);
    MUST(call(TDH_VP_FLUSH, td.tdvpr[0], 0, 0, 0));
    MUST(call(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0));
    CHECK(call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0), TDX_WBCACHE_NOT_COMPLETE);
    sim.events = 2;
    CHECK(call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), TDX_INTERRUPTED_RESUMABLE);
    CHECK(sim.wb_blocks, 2);

    /* A key id that is flushed between the calls needs a round of its own. */
    td_create(&td2);
    MUST(call(TDH_MNG_VPFLUSHDONE, td2.tdr, 0, 0, 0));
    OK(call(TDH_PHYMEM_CACHE_WB, 1, 0, 0, 0));
    CHECK(sim.wb_blocks, 4);
    CHECK(call(TDH_PHYMEM_CACHE_WB, 1, 0, 0, 0), TDX_WBCACHE_RESUME_ERROR);
    CHECK(call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0), TDX_WBCACHE_NOT_COMPLETE);
    sim_cur = 1;
    OK(call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0));
    sim_cur = 0;
    CHECK(call(TDH_MNG_KEY_FREEID, td2.tdr, 0, 0, 0),
          TDX_WBCACHE_NOT_COMPLETE);
    OK(call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0));
    OK(call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0));
    OK(call(TDH_MNG_KEY_FREEID, td2.tdr, 0, 0, 0));
    OK(call(TDH_MNG_KEY_RECLAIMID, td.tdr, 0, 0, 0));

    module.cache_wb[0].lock = LOCK_EXCLUSIVE;
    CHECK(call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), BUSY(OPND_WBCACHE));
    module.cache_wb[0].lock = 0;
    module.keys_lock = LOCK_EXCLUSIVE;
    CHECK(call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), BUSY(OPND_KOT));
    module.keys_lock = 0;
}

void test_phymem(void)
{
    test_page_operand();
    test_page_type();
    test_rdmd();
    test_reclaim();
    test_cache_wb();
}
