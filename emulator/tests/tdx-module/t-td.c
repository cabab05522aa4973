/*
 * Tests of the TDX module: life of a TD
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include "lib.h"

/*
 * What each leaf says to a TD in each stage: the states that it does not want.
 *   K keys are not configured    C not all TDCX are there
 *   O operation state            L life cycle state
 *   F the TD is broken           . the leaf gets further
 */
static const struct {
    u8 leaf;
    u8 reg;                     /* 0: RCX, 1: RDX */
    /* CREATED, KEYED, CX, INIT, RUN, FATAL, BLOCKED, TEARDOWN */
    const char *stage;
} stages[] = {
    { TDH_MNG_KEY_CONFIG, 0,       ".LLLLFLL" },
    { TDH_MNG_ADDCX, 1,            "K....FKK" },
    { TDH_MNG_INIT, 0,             "KC.OOFKK" },
    { TDH_MNG_RD, 0,               "KCO..FKK" },
    { TDH_MNG_WR, 0,               "KCO..FKK" },
    { TDH_MNG_KEY_FREEID, 0,       "LLLLLL.L" },
    { TDH_MR_EXTEND, 1,            "KCO.OFKK" },
    { TDH_MEM_SEPT_ADD, 1,         "KCO..FKK" },
    { TDH_MEM_SEPT_RD, 1,          "KCO..FKK" },
    { TDH_MEM_SEPT_REMOVE, 1,      "KCO..FKK" },
    { TDH_MEM_PAGE_ADD, 1,         "KCO.OFKK" },
    { TDH_MEM_PAGE_AUG, 1,         "KCO..FKK" },
    { TDH_MEM_PAGE_REMOVE, 1,      "KCO..FKK" },
    { TDH_MEM_PAGE_RELOCATE, 1,    "KCO..FKK" },
    { TDH_MEM_PAGE_PROMOTE, 1,     "KCO..FKK" },
    { TDH_MEM_PAGE_DEMOTE, 1,      "KCO..FKK" },
    { TDH_MEM_RANGE_BLOCK, 1,      "KCO..FKK" },
    { TDH_MEM_RANGE_UNBLOCK, 1,    "KCO..FKK" },
    { TDH_MEM_TRACK, 0,            "KCO..FKK" },
    { TDH_MEM_RD, 1,               "KCO..FKK" },
    { TDH_MEM_WR, 1,               "KCO..FKK" },
    { TDH_VP_CREATE, 1,            "KCO.OFKK" },
    /* Leaves on a vCPU, which is there from INIT on */
    { TDH_VP_ADDCX, 2,             "___.OFKK" },
    { TDH_VP_INIT, 2,              "___.OFKK" },
    { TDH_VP_FLUSH, 2,             "___...KK" },
    { TDH_VP_RD, 2,                "___..FKK" },
    { TDH_VP_WR, 2,                "___..FKK" },
    { TDH_VP_ENTER, 2,             "___O.FKK" },
    { TDH_MNG_VPFLUSHDONE, 0,      "......LL" },
    { TDH_MR_FINALIZE, 0,          "KCO.OFKK" },
};

static u64 stage_status(char c)
{
    return c == 'K' ? TDX_TD_KEYS_NOT_CONFIGURED
           : c == 'C' ? TDX_TDCS_NOT_ALLOCATED
           : c == 'O' ? TDX_OP_STATE_INCORRECT
           : c == 'L' ? TDX_LIFECYCLE_STATE_INCORRECT : TDX_TD_FATAL;
}

static bool is_stage_status(u64 s)
{
    return s == TDX_TD_KEYS_NOT_CONFIGURED || s == TDX_TDCS_NOT_ALLOCATED ||
           s == TDX_OP_STATE_INCORRECT || s == TDX_TD_FATAL ||
           s == TDX_LIFECYCLE_STATE_INCORRECT;
}

static void test_stage(unsigned row, enum stage stage, struct ttd *td)
{
    char want = stages[row].stage[stage];
    u64 leaf = stages[row].leaf, r8 = 0, rcx, rdx, ret;

    rcx = stages[row].reg == 0 ? td->tdr : stages[row].reg == 2
          ? td->tdvpr[0] : leaf == TDH_MEM_SEPT_ADD ? 3 : page_alloc();
    rdx = stages[row].reg == 1 ? td->tdr : 0;
    if (leaf == TDH_VP_ADDCX) {
        rdx = rcx;
        rcx = page_alloc();
    }
    ret = call(leaf, rcx, rdx, r8, 0);
    if (want == '.') {
        CHECK(is_stage_status(ret), false);
    } else {
        CHECK(ret, stage_status(want));
    }
}

static void test_stages(void)
{
    struct ttd td;

    for (enum stage s = 0; s < NUM_STAGES; s++) {
        for (unsigned i = 0; i < ARRAY_SIZE(stages); i++) {
            if (stages[i].stage[s] == '_') {
                continue;
            }
            td_to(&td, s);
            test_stage(i, s, &td);
        }
        audit("stage");
    }
}

static void test_create(void)
{
    struct ttd td;

    setup_ready();
    CHECK(call(TDH_MNG_CREATE, SIM_TDMR0, 0, 0, 0), INVALID(OPND_RDX));
    CHECK(call(TDH_MNG_CREATE, SIM_TDMR0, SIM_FIRST_KEY - 1, 0, 0),
          INVALID(OPND_RDX));
    CHECK(call(TDH_MNG_CREATE, SIM_TDMR0, SIM_LAST_KEY + 1, 0, 0),
          INVALID(OPND_RDX));
    CHECK(call(TDH_MNG_CREATE, SIM_TDMR0, BIT(16) | SIM_LAST_KEY, 0, 0),
          INVALID(OPND_RDX));
    /* The module's own key */
    CHECK(call(TDH_MNG_CREATE, SIM_TDMR0, SIM_FIRST_KEY, 0, 0),
          TDX_HKID_NOT_FREE);
    sim.no_entropy = true;
    CHECK(call(TDH_MNG_CREATE, SIM_TDMR0, SIM_LAST_KEY, 0, 0),
          TDX_RND_NO_ENTROPY);
    sim.no_entropy = false;
    td_create(&td);
    CHECK(call(TDH_MNG_CREATE, page_alloc(), td.hkid, 0, 0),
          TDX_HKID_NOT_FREE);
    CHECK(call(TDH_MNG_CREATE, td.tdr, SIM_LAST_KEY, 0, 0),
          status(TDX_PAGE_METADATA_INCORRECT, OPND_RCX));
    module.keys_lock = LOCK_ONE_SHARED;
    CHECK(call(TDH_MNG_CREATE, page_alloc(), SIM_LAST_KEY, 0, 0),
          BUSY(OPND_KOT));
    module.keys_lock = 0;
    audit("create");
}

static void test_keys(void)
{
    struct ttd td;

    td_to(&td, ST_CREATED);
    sim.no_key = true;
    CHECK(call(TDH_MNG_KEY_CONFIG, td.tdr, 0, 0, 0),
          TDX_KEY_GENERATION_FAILED);
    sim.no_key = false;
    OK(call(TDH_MNG_KEY_CONFIG, td.tdr, 0, 0, 0));
    CHECK(call(TDH_MNG_KEY_CONFIG, td.tdr, 0, 0, 0), TDX_KEY_CONFIGURED);
    CHECK(call(TDH_MNG_ADDCX, page_alloc(), td.tdr, 0, 0),
          TDX_TD_KEYS_NOT_CONFIGURED);
    sim_cur = 1;
    OK(call(TDH_MNG_KEY_CONFIG, td.tdr, 0, 0, 0));
    sim_cur = 0;

    for (unsigned i = 0; i < TDCS_PAGES; i++) {
        CHECK(call(TDH_MNG_INIT, td.tdr, HOST_PAGE(2), 0, 0),
              TDX_TDCS_NOT_ALLOCATED);
        CHECK(call(TDH_MNG_ADDCX, td.tdr, td.tdr, 0, 0), BUSY(OPND_RCX));
        OK(call(TDH_MNG_ADDCX, page_alloc(), td.tdr, 0, 0));
    }
    CHECK(call(TDH_MNG_ADDCX, page_alloc(), td.tdr, 0, 0),
          TDX_TDCX_NUM_INCORRECT);
    audit("keys");
}

/* All key ids are in use, and come back one by one. */
static void test_key_ids(void)
{
    struct ttd td[SIM_NUM_KEYS - 1];

    setup_ready();
    for (unsigned i = 0; i < ARRAY_SIZE(td); i++) {
        td_create(&td[i]);
    }
    for (u64 key = SIM_FIRST_KEY; key <= SIM_LAST_KEY; key++) {
        CHECK(call(TDH_MNG_CREATE, page_alloc(), key, 0, 0),
              TDX_HKID_NOT_FREE);
    }
    td_destroy(&td[3]);
    OK(call(TDH_MNG_CREATE, page_alloc(), td[3].hkid, 0, 0));
    audit("key ids");
}

static void test_flush(void)
{
    unsigned invepts;
    struct ttd td;
    u64 vp;

    td_to(&td, ST_INIT);
    vp = vp_create(&td);
    sim_cur = 1;
    vp_init(&td, vp, 1);
    invepts = sim.invepts;
    CHECK(call(TDH_VP_FLUSH, td.tdvpr[0], 0, 0, 0), TDX_VCPU_NOT_ASSOCIATED);
    sim_cur = 0;
    CHECK(call(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0), TDX_FLUSHVP_NOT_DONE);
    OK(call(TDH_VP_FLUSH, td.tdvpr[0], 0, 0, 0));
    CHECK(call(TDH_VP_FLUSH, td.tdvpr[0], 0, 0, 0), TDX_VCPU_NOT_ASSOCIATED);
    CHECK(call(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0), TDX_FLUSHVP_NOT_DONE);
    sim_cur = 1;
    OK(call(TDH_VP_FLUSH, vp, 0, 0, 0));
    sim_cur = 0;
    CHECK(sim.invepts, invepts + 2);
    module.keys_lock = LOCK_ONE_SHARED;
    CHECK(call(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0), BUSY(OPND_KOT));
    module.keys_lock = 0;
    OK(call(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0));
    module.keys_lock = LOCK_ONE_SHARED;
    CHECK(call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0), BUSY(OPND_KOT));
    module.keys_lock = 0;
    td_destroy(&td);
    audit("flush");
    CHECK(call(TDH_PHYMEM_PAGE_RDMD, td.tdr, 0, 0, 0) | out.r[R_CX], 0);
}

/* MRTD against a hash that is computed here */
static void test_measure(void)
{
    u8 record[128] = { 0 }, page[PAGE_SIZE], want[48];
    struct sha384 s;
    struct ttd td;
    u64 gpa = 0x1000, pa;

    td_to(&td, ST_INIT);
    sept_tables(&td, gpa, 0);
    for (unsigned i = 0; i < sizeof(page); i++) {
        page[i] = i * 7;
    }
    sim_host_write(HOST_PAGE(4), page, sizeof(page));
    pa = page_alloc();
    CHECK_CODE(call(TDH_MR_EXTEND, gpa, td.tdr, 0, 0),
               TDX_EPT_ENTRY_NOT_PRESENT);
    CHECK(out.r[R_DX], 0);
    OK(call(TDH_MEM_PAGE_ADD, gpa, td.tdr, pa, HOST_PAGE(4)));
    CHECK(call(TDH_MR_EXTEND, gpa + 64, td.tdr, 0, 0), INVALID(OPND_RCX));
    CHECK(call(TDH_MR_EXTEND, gpa | BIT(47), td.tdr, 0, 0), INVALID(OPND_RCX));
    CHECK(call(TDH_MR_EXTEND, gpa | BIT(63), td.tdr, 0, 0), INVALID(OPND_RCX));
    OK(call(TDH_MR_EXTEND, gpa + 0x300, td.tdr, 0, 0));

    sha384_init(&s);
    memcpy(record, "MEM.PAGE.ADD", 12);
    memcpy(record + 16, &gpa, 8);
    sha384_update(&s, record, sizeof(record));
    gpa += 0x300;
    memset(record, 0, sizeof(record));
    memcpy(record, "MR.EXTEND", 9);
    memcpy(record + 16, &gpa, 8);
    sha384_update(&s, record, sizeof(record));
    sha384_update(&s, page + 0x300, 256);
    sha384_final(&s, want);

    OK(call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0));
    CHECK(call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0), TDX_OP_STATE_INCORRECT);
    for (unsigned i = 0; i < 6; i++) {
        u64 v;

        memcpy(&v, want + 8 * i, 8);
        OK(call(TDH_MNG_RD, td.tdr, 0x1310000300000000 + i, 0, 0));
        CHECK(out.r[R_8], v);
    }
    CHECK(memcmp(sim_mem(pa), page, sizeof(page)), 0);
}

static void test_no_vcpus(void)
{
    struct td_params p;
    struct ttd td;

    td_to(&td, ST_CX);
    fill_params(&p);
    MUST(mng_init(&td, &p));
    CHECK(call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0), TDX_NO_VCPUS);
}

void test_td(void)
{
    test_stages();
    test_create();
    test_keys();
    test_key_ids();
    test_flush();
    test_measure();
    test_no_vcpus();
}
