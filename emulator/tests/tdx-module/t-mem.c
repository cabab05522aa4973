/*
 * Tests of the TDX module: guest memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include "lib.h"

#define STATE(level, s)     ((level) | (u64)(s) << 8)

/* GPA and level that no leaf takes */
static void test_gpa(void)
{
    static const u64 bad[] = {
        BIT(63), BIT(52), 0x1008, 0x1800, BIT(47), BIT(48) | 1, BIT(51), 7, 4,
    };
    static const u8 leaves[] = {
        TDH_MEM_SEPT_ADD, TDH_MEM_SEPT_RD, TDH_MEM_SEPT_REMOVE,
        TDH_MEM_PAGE_ADD, TDH_MEM_PAGE_AUG, TDH_MEM_PAGE_REMOVE,
        TDH_MEM_PAGE_RELOCATE, TDH_MEM_PAGE_PROMOTE, TDH_MEM_PAGE_DEMOTE,
        TDH_MEM_RANGE_BLOCK, TDH_MEM_RANGE_UNBLOCK,
    };
    /* Lowest and highest level of each */
    static const u8 levels[][2] = {
        { 1, 3 }, { 0, 3 }, { 1, 3 }, { 0, 0 }, { 0, 1 }, { 0, 2 }, { 0, 0 },
        { 1, 2 }, { 1, 2 }, { 0, 3 }, { 0, 3 },
    };
    struct ttd td;

    td_to(&td, ST_INIT);
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
        for (unsigned n = 0; n < ARRAY_SIZE(bad); n++) {
            CHECK(call(leaves[i], bad[n], td.tdr, page_alloc(), 0),
                  INVALID(OPND_RCX));
        }
        for (u64 l = 0; l < 8; l++) {
            bool ok = l >= levels[i][0] && l <= levels[i][1];

            /* Not aligned to the level */
            if (l && ok) {
                CHECK(call(leaves[i], level_size(l - 1) | l, td.tdr, 0, 0),
                      INVALID(OPND_RCX));
            }
            if (!ok) {
                CHECK(call(leaves[i], l, td.tdr, 0, 0), INVALID(OPND_RCX));
            }
        }
    }
    audit("gpa");
}

/* A walk that ends above the level says where, and what is there. */
static void test_walk(void)
{
    static const u8 leaves[] = {
        TDH_MEM_SEPT_RD, TDH_MEM_PAGE_ADD, TDH_MEM_PAGE_AUG,
        TDH_MEM_PAGE_REMOVE, TDH_MEM_PAGE_RELOCATE, TDH_MEM_RANGE_BLOCK,
        TDH_MEM_RANGE_UNBLOCK,
    };
    struct ttd td;

    td_to(&td, ST_INIT);
    for (int top = 3; top > 0; top--) {
        for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
            CHECK(call(leaves[i], 0, td.tdr, page_alloc(), HOST_PAGE(4)),
                  status(TDX_EPT_WALK_FAILED, OPND_RCX));
            CHECK(out.r[R_DX], STATE(top, 0));
            CHECK(out.r[R_CX], BIT(63));
        }
        sept_tables(&td, 0, top - 1);
    }
    CHECK(call(TDH_MEM_SEPT_ADD, 1, td.tdr, page_alloc(), 0),
          status(TDX_EPT_ENTRY_STATE_INCORRECT, OPND_RCX));
    CHECK(out.r[R_DX], STATE(1, 0x84));
    /* Through a table that is blocked */
    OK(call(TDH_MEM_RANGE_BLOCK, 2, td.tdr, 0, 0));
    CHECK(call(TDH_MEM_PAGE_AUG, 0, td.tdr, page_alloc(), 0),
          status(TDX_EPT_WALK_FAILED, OPND_RCX));
    CHECK(out.r[R_DX], STATE(2, 0x81));
    audit("walk");
}

/* Which states of an entry each leaf takes: one letter a state */
enum want_state { W_FREE, W_NL, W_NL_BLOCKED, W_MAPPED, W_BLOCKED, W_PENDING,
                  W_PENDING_BLOCKED, NUM_W };

static const u8 public_state[NUM_W] = { 0, 0x84, 0x81, 4, 1, 2, 3 };

static const struct {
    u8 leaf;
    u8 level;
    const char *states;         /* '+': taken, '-': refused */
} entry_states[] = {
    { TDH_MEM_SEPT_ADD, 1,        "+------" },
    { TDH_MEM_PAGE_ADD, 0,        "+  ----" },
    { TDH_MEM_PAGE_AUG, 0,        "+  ----" },
    { TDH_MEM_PAGE_AUG, 1,        "+------" },
    { TDH_MEM_PAGE_REMOVE, 0,     "-  ++++" },
    { TDH_MEM_PAGE_REMOVE, 1,     "---++++" },
    { TDH_MEM_PAGE_RELOCATE, 0,   "-  ++++" },
    { TDH_MEM_SEPT_REMOVE, 1,     "-++----" },
    { TDH_MEM_PAGE_DEMOTE, 1,     "---++++" },
    { TDH_MEM_RANGE_UNBLOCK, 0,   "-  -+-+" },
    { TDH_MEM_RANGE_UNBLOCK, 1,   "--+-+-+" },
    { TDH_MEM_SEPT_RD, 0,         "+  ++++" },
    { TDH_MEM_SEPT_RD, 1,         "+++++++" },
};

/* A TD that has not run, with an entry of LEVEL for GPA 0 in the state */
static void setup_entry(struct ttd *td, unsigned level, enum want_state s)
{
    td_to(td, ST_INIT);
    sept_tables(td, 0, level);
    if (s == W_NL || s == W_NL_BLOCKED) {
        sept_tables(td, 0, level - 1);
    } else if (s == W_PENDING || s == W_PENDING_BLOCKED) {
        MUST(call(TDH_MEM_PAGE_AUG, level, td->tdr,
                  level ? page_alloc_2m() : page_alloc(), 0));
    } else if (s != W_FREE && level == 0) {
        MUST(call(TDH_MEM_PAGE_ADD, 0, td->tdr, page_alloc(), HOST_PAGE(4)));
    } else if (s != W_FREE) {
        /* 512 pages become one. */
        u64 pa = page_alloc_2m();

        sept_tables(td, 0, 0);
        for (unsigned i = 0; i < 512; i++) {
            MUST(call(TDH_MEM_PAGE_ADD, i * PAGE_SIZE, td->tdr,
                      pa + i * PAGE_SIZE, HOST_PAGE(4)));
        }
        MUST(call(TDH_MEM_PAGE_PROMOTE, 1, td->tdr, 0, 0));
    }
    if (s == W_BLOCKED || s == W_PENDING_BLOCKED || s == W_NL_BLOCKED) {
        MUST(call(TDH_MEM_RANGE_BLOCK, level, td->tdr, 0, 0));
    }
    MUST(call(TDH_MEM_SEPT_RD, level, td->tdr, 0, 0));
    CHECK(out.r[R_DX], STATE(level, public_state[s]));
}

static void test_entry_states(void)
{
    struct ttd td;

    for (unsigned i = 0; i < ARRAY_SIZE(entry_states); i++) {
        unsigned level = entry_states[i].level;

        for (enum want_state s = 0; s < NUM_W; s++) {
            char want = entry_states[i].states[s];

            if (want == ' ') {
                continue;       /* a leaf's level has no tables below */
            }
            setup_entry(&td, level, s);
            call(entry_states[i].leaf, level, td.tdr,
                 entry_states[i].leaf == TDH_MEM_PAGE_AUG && level
                 ? page_alloc_2m() : page_alloc(), HOST_PAGE(4));
            CHECK(out.r[R_AX], want == '+' ? TDX_SUCCESS :
                  status(TDX_EPT_ENTRY_STATE_INCORRECT, OPND_RCX));
            if (want == '-') {
                CHECK(out.r[R_DX], STATE(level, public_state[s]));
            }
            audit("entry states");
        }
    }
}

static void test_block(void)
{
    /* BLOCK tells entries that are blocked from ones that cannot be. */
    static const u64 want[NUM_W] = {
        [W_FREE] = TDX_EPT_ENTRY_STATE_INCORRECT | OPND_RCX,
        [W_NL_BLOCKED] = TDX_GPA_RANGE_ALREADY_BLOCKED | OPND_RCX,
        [W_BLOCKED] = TDX_GPA_RANGE_ALREADY_BLOCKED | OPND_RCX,
        [W_PENDING_BLOCKED] = TDX_GPA_RANGE_ALREADY_BLOCKED | OPND_RCX,
    };
    struct ttd td;

    for (unsigned level = 0; level < 2; level++) {
        for (enum want_state s = 0; s < NUM_W; s++) {
            if (!level && (s == W_NL || s == W_NL_BLOCKED)) {
                continue;
            }
            setup_entry(&td, level, s);
            CHECK(call(TDH_MEM_RANGE_BLOCK, level, td.tdr, 0, 0), want[s]);
            audit("block");
        }
    }
}

/* What a TD that runs needs before a page or a table can be taken away */
static void test_tracking(void)
{
    struct ttd td;
    u64 pa = 0, table;

    td_to(&td, ST_RUN);
    sept_tables(&td, 0, 0);
    pa = page_alloc();
    OK(call(TDH_MEM_PAGE_AUG, 0, td.tdr, pa, 0));
    OK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0, 0, 0, 0));
    CHECK(call(TDH_MEM_PAGE_REMOVE, 0, td.tdr, 0, 0),
          status(TDX_GPA_RANGE_NOT_BLOCKED, OPND_RCX));
    CHECK(call(TDH_MEM_PAGE_RELOCATE, 0, td.tdr, page_alloc(), 0),
          status(TDX_GPA_RANGE_NOT_BLOCKED, OPND_RCX));
    CHECK(call(TDH_MEM_SEPT_REMOVE, 1, td.tdr, 0, 0),
          status(TDX_GPA_RANGE_NOT_BLOCKED, OPND_RCX));
    OK(call(TDH_MEM_RANGE_BLOCK, 0, td.tdr, 0, 0));
    CHECK(call(TDH_MEM_PAGE_REMOVE, 0, td.tdr, 0, 0),
          status(TDX_TLB_TRACKING_NOT_DONE, OPND_RCX));
    CHECK(call(TDH_MEM_PAGE_RELOCATE, 0, td.tdr, page_alloc(), 0),
          status(TDX_TLB_TRACKING_NOT_DONE, OPND_RCX));
    CHECK(call(TDH_MEM_RANGE_UNBLOCK, 0, td.tdr, 0, 0),
          status(TDX_TLB_TRACKING_NOT_DONE, OPND_RCX));
    OK(call(TDH_MEM_TRACK, td.tdr, 0, 0, 0));
    OK(call(TDH_MEM_PAGE_REMOVE, 0, td.tdr, 0, 0));
    CHECK(out.r[R_CX], pa);

    MUST(call(TDH_MEM_SEPT_RD, 1, td.tdr, 0, 0));
    /* The page of a table is reported when the host gets it. */
    CHECK(out.r[R_CX], SEPT_RWX);
    OK(call(TDH_MEM_RANGE_BLOCK, 1, td.tdr, 0, 0));
    CHECK(call(TDH_MEM_SEPT_REMOVE, 1, td.tdr, 0, 0),
          status(TDX_TLB_TRACKING_NOT_DONE, OPND_RCX));
    OK(call(TDH_MEM_TRACK, td.tdr, 0, 0, 0));
    OK(call(TDH_MEM_SEPT_REMOVE, 1, td.tdr, 0, 0));
    table = out.r[R_CX];
    CHECK(pamt_of(table, 0)->type, PT_NDA);
    CHECK(call(TDH_MEM_PAGE_REMOVE, 0, td.tdr, 0, 0),
          status(TDX_EPT_WALK_FAILED, OPND_RCX));
    audit("tracking");
}

static struct ttd *epoch_td;
static u64 epoch_got[3];

/* While the vCPU runs, on the other processor as it were */
static void epoch_guest(struct guest_regs *g)
{
    unsigned marks = sim_windows;
    struct regs keep = out;

    (void)g;
    sim_cur = 1;
    epoch_got[0] = call(TDH_MEM_TRACK, epoch_td->tdr, 0, 0, 0);
    epoch_got[1] = call(TDH_MEM_PAGE_REMOVE, 0, epoch_td->tdr, 0, 0);
    epoch_got[2] = call(TDH_MEM_TRACK, epoch_td->tdr, 0, 0, 0);
    sim_cur = 0;
    out = keep;
    sim_windows = marks;
    sim_exit(1, 0);
}

static void test_epoch(void)
{
    struct ttd td;
    unsigned invepts;

    td_to(&td, ST_RUN);
    sept_tables(&td, 0, 0);
    OK(call(TDH_MEM_PAGE_AUG, 0, td.tdr, page_alloc(), 0));
    OK(call(TDH_MEM_RANGE_BLOCK, 0, td.tdr, 0, 0));
    CHECK(enter(&td), 1);
    invepts = sim.invepts;
    CHECK(enter(&td), 1);
    CHECK(sim.invepts, invepts);
    epoch_td = &td;
    sim_guest = epoch_guest;
    CHECK(enter(&td), 1);
    sim_guest = NULL;
    /* A vCPU was left in the epoch of the block. */
    CHECK(epoch_got[0], TDX_SUCCESS);
    CHECK(epoch_got[1], status(TDX_TLB_TRACKING_NOT_DONE, OPND_RCX));
    CHECK(epoch_got[2], TDX_PREVIOUS_TLB_EPOCH_BUSY);
    OK(call(TDH_MEM_PAGE_REMOVE, 0, td.tdr, 0, 0));
    CHECK(enter(&td), 1);
    CHECK(sim.invepts, invepts + 1);
    OK(call(TDH_MEM_TRACK, td.tdr, 0, 0, 0));
    audit("epoch");
}

static void test_sources(void)
{
    struct ttd td;

    td_to(&td, ST_INIT);
    sept_tables(&td, 0, 0);
    CHECK(call(TDH_MEM_PAGE_ADD, 0, td.tdr, page_alloc(), HOST_PAGE(4) + 8),
          INVALID(OPND_R9));
    CHECK(call(TDH_MEM_PAGE_ADD, 0, td.tdr, page_alloc(), SIM_SEAMRR),
          INVALID(OPND_R9));
    CHECK(call(TDH_MEM_PAGE_ADD, 0, td.tdr, page_alloc(),
               5ULL << 46 | HOST_PAGE(4)), INVALID(OPND_R9));
    CHECK(call(TDH_MEM_PAGE_ADD, 0, td.tdr, td.tdr, HOST_PAGE(4)),
          BUSY(OPND_R8));
    /* 2 MiB: aligned, and all of it free */
    CHECK(call(TDH_MEM_PAGE_AUG, SIZE_2M | 1, td.tdr,
               page_alloc_2m() + PAGE_SIZE, 0), INVALID(OPND_R8));
    CHECK(call(TDH_MEM_PAGE_AUG, SIZE_2M | 1, td.tdr, SIM_TDMR0, 0),
          BUSY(OPND_R8));
    audit("sources");
}

static void test_aug_2m(void)
{
    u64 pa, small;
    struct ttd td;

    td_to(&td, ST_INIT);
    sept_tables(&td, 0, 1);
    sept_tables(&td, SIZE_2M, 0);
    pa = page_alloc_2m();
    small = pa + 17 * PAGE_SIZE;
    OK(call(TDH_MEM_PAGE_AUG, SIZE_2M, td.tdr, small, 0));
    CHECK(call(TDH_MEM_PAGE_AUG, 1, td.tdr, pa, 0),
          status(TDX_PAGE_METADATA_INCORRECT, OPND_R8));
    MUST(call(TDH_MEM_PAGE_REMOVE, SIZE_2M, td.tdr, 0, 0));
    OK(call(TDH_MEM_PAGE_AUG, 1, td.tdr, pa, 0));
    /* And not a small one in it */
    CHECK(call(TDH_MEM_PAGE_AUG, SIZE_2M, td.tdr, small, 0),
          status(TDX_PAGE_METADATA_INCORRECT, OPND_R8));
    CHECK(call(TDH_MNG_CREATE, small, SIM_LAST_KEY, 0, 0),
          status(TDX_PAGE_METADATA_INCORRECT, OPND_RCX));
    audit("2 MiB");
}

static void test_relocate(void)
{
    u8 page[PAGE_SIZE];
    struct ttd td;
    u64 from, to;

    setup_entry(&td, 0, W_MAPPED);
    memset(page, 0x37, sizeof(page));
    MUST(call(TDH_MEM_SEPT_RD, 0, td.tdr, 0, 0));
    from = out.r[R_CX] & SEPT_PA;
    memset(sim_mem(from), 0x37, PAGE_SIZE);
    CHECK(call(TDH_MEM_PAGE_RELOCATE, 0, td.tdr, from, 0), INVALID(OPND_R8));
    CHECK(call(TDH_MEM_PAGE_RELOCATE, 0, td.tdr, td.tdcx[0], 0),
          status(TDX_PAGE_METADATA_INCORRECT, OPND_R8));
    to = page_alloc();
    OK(call(TDH_MEM_PAGE_RELOCATE, 0, td.tdr, to, 0));
    CHECK(out.r[R_CX], from);
    CHECK(memcmp(sim_mem(to), page, PAGE_SIZE), 0);
    CHECK(pamt_of(from, 0)->type, PT_NDA);

    MUST(call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0));
    block_track(&td, 0, 0);
    OK(call(TDH_MEM_PAGE_RELOCATE, 0, td.tdr, from, 0));
    MUST(call(TDH_MEM_SEPT_RD, 0, td.tdr, 0, 0));
    CHECK(out.r[R_DX], STATE(0, 4));
    audit("relocate");
}

static void test_sept_remove(void)
{
    struct ttd td;

    setup_entry(&td, 0, W_MAPPED);
    CHECK(call(TDH_MEM_SEPT_REMOVE, 1, td.tdr, 0, 0),
          status(TDX_EPT_PAGE_NOT_FREE, OPND_RCX));
    MUST(call(TDH_MEM_PAGE_REMOVE, 0, td.tdr, 0, 0));
    for (u64 level = 1; level < 4; level++) {
        if (level < 3) {
            CHECK(call(TDH_MEM_SEPT_REMOVE, level + 1, td.tdr, 0, 0),
                  status(TDX_EPT_PAGE_NOT_FREE, OPND_RCX));
        }
        OK(call(TDH_MEM_SEPT_REMOVE, level, td.tdr, 0, 0));
    }
    audit("SEPT.REMOVE");
}

static void test_debug(void)
{
    struct ttd td;

    setup_entry(&td, 0, W_MAPPED);
    CHECK(call(TDH_MEM_RD, 0, td.tdr, 0, 0), TDX_TD_NON_DEBUG);
    CHECK(call(TDH_MEM_WR, 0, td.tdr, 0, 0), TDX_TD_NON_DEBUG);
    td_debug(true);
    for (enum want_state s = 0; s < NUM_W; s++) {
        if (s == W_NL || s == W_NL_BLOCKED || s == W_MAPPED) {
            continue;
        }
        setup_entry(&td, 0, s);
        CHECK_CODE(call(TDH_MEM_RD, 0, td.tdr, 0, 0), s == W_FREE
                   ? TDX_EPT_ENTRY_NOT_PRESENT
                   : TDX_EPT_ENTRY_STATE_INCORRECT);
        CHECK_CODE(call(TDH_MEM_WR, 0, td.tdr, 1, 0), s == W_FREE
                   ? TDX_EPT_ENTRY_NOT_PRESENT
                   : TDX_EPT_ENTRY_STATE_INCORRECT);
        CHECK(out.r[R_DX], STATE(0, public_state[s]));
        audit("debug");
    }
    setup_entry(&td, 0, W_MAPPED);
    CHECK(call(TDH_MEM_RD, 4, td.tdr, 0, 0), INVALID(OPND_RCX));
    CHECK(call(TDH_MEM_RD, BIT(47), td.tdr, 0, 0), INVALID(OPND_RCX));
    CHECK(call(TDH_MEM_WR, 4, td.tdr, 0, 0), INVALID(OPND_RCX));
    OK(call(TDH_MEM_WR, 0x18, td.tdr, 0x1122334455667788, 0));
    CHECK(out.r[R_8], 0);
    OK(call(TDH_MEM_RD, 0x18, td.tdr, 0, 0));
    CHECK(out.r[R_8], 0x1122334455667788);
    audit("debug");
    td_debug(false);
}

void test_mem(void)
{
    test_gpa();
    test_walk();
    test_entry_states();
    test_block();
    test_tracking();
    test_epoch();
    test_sources();
    test_aug_2m();
    test_relocate();
    test_sept_remove();
    test_debug();
}
