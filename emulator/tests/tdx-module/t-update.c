/*
 * Tests of the TDX module: the update of the module while there are TDs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include "lib.h"

/* What the loader knows of handoff data, and what it does not */
#define HEADER      ((struct handoff_header *)sim.handoff)
#define VALID(h)    (!memcmp((h)->magic, "TDX-HAND", sizeof((h)->magic)))

static void init_lps(void)
{
    MUST(call(TDH_SYS_INIT, 0, 0, 0, 0));
    for (sim_cur = 0; sim_cur < SIM_LPS; sim_cur++) {
        MUST(call(TDH_SYS_LP_INIT, 0, 0, 0, 0));
    }
    sim_cur = 0;
}

/* Another module, up to TDH.SYS.UPDATE */
static void next_module(void)
{
    MUST(call(TDH_SYS_SHUTDOWN, 0, 0, 0, 0));
    sim_install();
    init_lps();
}

static void update(void)
{
    next_module();
    MUST(call(TDH_SYS_UPDATE, 0, 0, 0, 0));
}

static void test_shutdown(void)
{
    static const u64 bad[] = { 1, BIT(16), BIT(63) };

    setup_ready();
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK(call(TDH_SYS_SHUTDOWN, bad[i], 0, 0, 0), INVALID(OPND_RCX));
    }
    CHECK(call(TDH_SYS_SHUTDOWN | VERSION(1), 0, 0, 0, 0), INVALID(OPND_RAX));
    CHECK(VALID(HEADER), false);
    /* Another processor is in the module: in TDH.VP.ENTER, perhaps. */
    module.lps_busy = 1;
    CHECK(call(TDH_SYS_SHUTDOWN, 0, 0, 0, 0), TDX_SYS_BUSY);
    module.lps_busy = 0;
    module.lock = LOCK_EXCLUSIVE;
    CHECK(call(TDH_SYS_SHUTDOWN, 0, 0, 0, 0), TDX_SYS_BUSY);
    module.lock = 0;
    CHECK(VALID(HEADER), false);
    CHECK(call(TDH_SYS_UPDATE, 0, 0, 0, 0), TDX_SYS_STATE_INCORRECT);
    OK(call(TDH_PHYMEM_PAGE_RDMD, SIM_TDMR0, 0, 0, 0));

    OK(call(TDH_SYS_SHUTDOWN, 0, 0, 0, 0));
    CHECK(VALID(HEADER), true);
    CHECK(HEADER->version, MODULE_HANDOFF);
    CHECK(HEADER->size <= HANDOFF_PAGES * PAGE_SIZE, true);
    /* Each leaf, also those that want no SYS_READY */
    for (u64 leaf = 0; leaf < 80; leaf++) {
        CHECK(call(leaf, 0, 0, 0, 0), TDX_SYS_SHUTDOWN);
    }

    /* Without memory for it, it is an end like any other. */
    setup_ready();
    sim.handoff_size = PAGE_SIZE;
    OK(call(TDH_SYS_SHUTDOWN, 0, 0, 0, 0));
    CHECK(VALID(HEADER), false);
}

static void test_order(void)
{
    sim_reset();
    CHECK(call(TDH_SYS_UPDATE, 0, 0, 0, 0), TDX_SYS_STATE_INCORRECT);
    setup_ready();
    MUST(call(TDH_SYS_SHUTDOWN, 0, 0, 0, 0));
    sim_install();
    CHECK(call(TDH_SYS_UPDATE, 0, 0, 0, 0), TDX_SYS_STATE_INCORRECT);
    MUST(call(TDH_SYS_INIT, 0, 0, 0, 0));
    MUST(call(TDH_SYS_LP_INIT, 0, 0, 0, 0));
    CHECK(call(TDH_SYS_UPDATE, 0, 0, 0, 0), TDX_SYS_STATE_INCORRECT);
    CHECK(call(TDH_PHYMEM_PAGE_RDMD, SIM_TDMR0, 0, 0, 0), TDX_SYS_NOT_READY);
    sim_cur = 1;
    MUST(call(TDH_SYS_LP_INIT, 0, 0, 0, 0));
    sim_cur = 0;
    module.lock = LOCK_EXCLUSIVE;
    CHECK(call(TDH_SYS_UPDATE, 0, 0, 0, 0), TDX_SYS_BUSY);
    module.lock = 0;
    CHECK(call(TDH_SYS_UPDATE | VERSION(1), 0, 0, 0, 0), INVALID(OPND_RAX));
    OK(call(TDH_SYS_UPDATE, 0, 0, 0, 0));
    OK(call(TDH_PHYMEM_PAGE_RDMD, SIM_TDMR0, 0, 0, 0));
    CHECK(VALID(HEADER), false);
    CHECK(call(TDH_SYS_UPDATE, 0, 0, 0, 0), TDX_SYS_STATE_INCORRECT);
    CHECK(call(TDH_SYS_CONFIG, 0, 0, 0, 0), TDX_SYS_CONFIG_NOT_PENDING);
    CHECK(call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0),
          TDX_SYS_KEY_CONFIG_NOT_PENDING);
    /* A TDMR that is not initialized yet can be, but for its reserved areas. */
    OK(call(TDH_SYS_TDMR_INIT, SIM_TDMR1, 0, 0, 0));
    CHECK(pamt_of(SIM_TDMR1, 0)->type, PT_NDA);
    CHECK(pamt_of(SIM_TDMR1 + PAGE_SIZE, 0)->type, PT_RSVD);
    CHECK(pamt_of(SIM_TDMR1 + SIZE_2M, 0)->type, PT_RSVD);
}

/* Offsets of what follows the header: see struct handoff */
#define AT_LPS          16
#define AT_FIRST_KEY    24
#define AT_XFAM         32
#define AT_PKGS_KEYED   48
#define AT_GLOBAL_KEY   52
#define AT_TDMRS        54
#define AT_KEYS         64
#define AT_WB           (AT_KEYS + MAX_KEYS)
#define AT_TDMR         (AT_WB + 4 * MAX_KEYS + MAX_PKGS * (4 + MAX_KEYS))

static const struct {
    const char *what;
    unsigned at, size;
    u64 value;
} bad_data[] = {
    { "magic", 0, 1, 0 },
    { "version", 8, 4, 1 },
    { "version wraps", 8, 4, 0xffffffff },
    { "size", 12, 4, 16 },
    { "size beyond memory", 12, 4, 0xffffffff },
    { "processors", AT_LPS, 4, 3 },
    { "packages", AT_LPS + 4, 4, 1 },
    { "key ids", AT_FIRST_KEY, 2, 1 },
    { "number of key ids", AT_FIRST_KEY + 2, 2, 200 },
    { "key shift", AT_FIRST_KEY + 4, 4, 12 },
    { "XFAM", AT_XFAM, 8, 7 },
    { "TSC", AT_XFAM + 8, 8, 1 },
    { "keyed packages", AT_PKGS_KEYED, 4, 1 },
    { "global key id", AT_GLOBAL_KEY, 2, SIM_LAST_KEY + 1 },
    { "global key id of a TD", AT_GLOBAL_KEY, 2, SIM_FIRST_KEY + 1 },
    { "no TDMR", AT_TDMRS, 2, 0 },
    { "TDMRs", AT_TDMRS, 2, MAX_TDMRS + 1 },
    { "state of the global key id", AT_KEYS + SIM_FIRST_KEY, 1, KEY_FREE },
    { "state of a key id", AT_KEYS + SIM_LAST_KEY, 1, KEY_FLUSHED + 1 },
    { "state of no key id", AT_KEYS + SIM_LAST_KEY + 1, 1, KEY_FREE },
    { "caches of no package", AT_WB + 4 * SIM_LAST_KEY, 4, 4 },
    { "TDMR beyond its end", AT_TDMR + sizeof(struct tdmr_info) + 8, 8,
      SIM_TDMR0 + 2 * SIZE_1G },
    { "TDMR below its start", AT_TDMR + sizeof(struct tdmr_info) + 8, 8,
      SIM_TDMR0 - SIZE_2M },
    { "reserved areas", AT_TDMR + sizeof(struct tdmr_info), 4,
      MAX_RESERVED_PER_TDMR + 1 },
};

static void test_bad_data(void)
{
    struct tdmr_info info[2];
    u8 good[8];

    for (unsigned i = 0; i < ARRAY_SIZE(bad_data); i++) {
        unsigned f = failures;

        setup_ready();
        next_module();
        memcpy(good, sim.handoff + bad_data[i].at, bad_data[i].size);
        CHECK(memcmp(sim.handoff + bad_data[i].at, &bad_data[i].value,
                     bad_data[i].size) != 0, true);
        memcpy(sim.handoff + bad_data[i].at, &bad_data[i].value,
               bad_data[i].size);
        CHECK(call(TDH_SYS_UPDATE, 0, 0, 0, 0), TDX_SYS_INVALID_HANDOFF);
        /* Nothing has changed: it can start anew, or with good data. */
        CHECK(call(TDH_PHYMEM_PAGE_RDMD, SIM_TDMR0, 0, 0, 0),
              TDX_SYS_NOT_READY);
        memcpy(sim.handoff + bad_data[i].at, good, bad_data[i].size);
        if (i & 1) {
            OK(call(TDH_SYS_UPDATE, 0, 0, 0, 0));
        } else {
            fill_tdmrs(info);
            OK(config(info, 2));
        }
        CHECK(VALID(HEADER), false);
        if (failures != f) {
            fprintf(stderr, "... %s\n", bad_data[i].what);
        }
    }
    /* No module was there before, or it has not left anything. */
    setup_init();
    CHECK(call(TDH_SYS_UPDATE, 0, 0, 0, 0), TDX_SYS_INVALID_HANDOFF);
    setup_ready();
    next_module();
    sim.handoff_size = 0;
    CHECK(call(TDH_SYS_UPDATE, 0, 0, 0, 0), TDX_SYS_INVALID_HANDOFF);
}

/* The host does something else with the next module: the TDs are lost. */
static void test_no_update(void)
{
    struct tdmr_info info[2];

    setup_ready();
    next_module();
    fill_tdmrs(info);
    MUST(config(info, 2));
    CHECK(VALID(HEADER), false);

    setup_ready();
    next_module();
    MUST(call(TDH_SYS_DISABLE, 0, 0, 0, 0));
    CHECK(VALID(HEADER), false);
}

/* A TD in each stage of its life goes on from there to its end. */
static void test_stages(void)
{
    for (enum stage stage = 0; stage < NUM_STAGES; stage++) {
        struct ttd td;

        td_to(&td, stage);
        update();
        audit("after an update");
        OK(call(TDH_PHYMEM_PAGE_RDMD, td.tdr, 0, 0, 0));
        CHECK(out.r[R_CX], PT_TDR);
        if (stage == ST_RUN) {
            CHECK(enter(&td) & 0xffff, 1);
        }
        td_destroy(&td);
        audit("after the end of the TD");
        CHECK(module.key[td.hkid].state, KEY_FREE);
    }
}

/* A vCPU that has run, that is associated, and that waits for an answer */
static void test_vcpu(void)
{
    struct ttd td;
    u64 gpa = 5 * PAGE_SIZE, page;
    unsigned invepts, installs;

    td_to(&td, ST_RUN);
    installs = sim.installs;
    sept_tables(&td, gpa, 0);
    page = page_alloc();
    MUST(call(TDH_MEM_PAGE_AUG, gpa, td.tdr, page, 0));
    OK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, gpa, 0, 0, 0));
    for (unsigned i = 0; i < 3; i++) {
        update();
        audit("after an update");
        CHECK(module.updates, i + 1);
        /* Another processor cannot have it, this one goes on with it. */
        sim_cur = 1;
        CHECK(enter(&td), TDX_VCPU_ASSOCIATED);
        sim_cur = 0;
        invepts = sim.invepts;
        CHECK(enter(&td) & 0xffff, 1);
        CHECK(sim.invepts > invepts, true);
        invepts = sim.invepts;
        CHECK(enter(&td) & 0xffff, 1);
        CHECK(sim.invepts, invepts);
        /* The report names the module that has created the TD. */
        OK(tdcall(&td, TDG_MR_REPORT, gpa + 0x400, gpa, 0, 0));
        CHECK(sim_mem(page)[0x400 + 264], (u8)installs);
    }
    /* What was blocked before the update is tracked after it. */
    MUST(call(TDH_MEM_RANGE_BLOCK, gpa, td.tdr, 0, 0));
    update();
    CHECK(call(TDH_MEM_PAGE_REMOVE, gpa, td.tdr, 0, 0),
          status(TDX_TLB_TRACKING_NOT_DONE, OPND_RCX));
    OK(call(TDH_MEM_TRACK, td.tdr, 0, 0, 0));
    OK(call(TDH_MEM_PAGE_REMOVE, gpa, td.tdr, 0, 0));
    /* It moves to the other processor as ever. */
    OK(call(TDH_VP_FLUSH, td.tdvpr[0], 0, 0, 0));
    update();
    sim_cur = 1;
    CHECK(enter(&td) & 0xffff, 1);
    sim_cur = 0;
    td_destroy(&td);
    audit("after the end of the TD");
}

/* Key ids: what caches may have of them is not forgotten. */
static void test_keys(void)
{
    struct ttd td;
    u64 page;

    td_to(&td, ST_BLOCKED);
    update();
    page = page_alloc();
    CHECK(call(TDH_MNG_CREATE, page, td.hkid, 0, 0), TDX_HKID_NOT_FREE);
    CHECK(call(TDH_MNG_CREATE, page, SIM_FIRST_KEY, 0, 0), TDX_HKID_NOT_FREE);
    CHECK(call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0), TDX_WBCACHE_NOT_COMPLETE);
    /* The write-back of caches is interrupted by the update. */
    sim.events = 2;
    CHECK(call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), TDX_INTERRUPTED_RESUMABLE);
    update();
    OK(call(TDH_PHYMEM_CACHE_WB, 1, 0, 0, 0));
    CHECK(call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0), TDX_WBCACHE_NOT_COMPLETE);
    sim_cur = 1;
    OK(call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0));
    sim_cur = 0;
    update();
    OK(call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0));
    OK(call(TDH_MNG_CREATE, page, td.hkid, 0, 0));
    audit("after another TD has the key id");
}

void test_update(void)
{
    test_shutdown();
    test_order();
    test_bad_data();
    test_no_update();
    test_stages();
    test_vcpu();
    test_keys();
}
