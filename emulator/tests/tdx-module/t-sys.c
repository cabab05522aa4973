/*
 * Tests of the TDX module: start, configuration, end
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

static void test_rax(void)
{
    sim_reset();
    /* Before SYS.INIT */
    CHECK(call(TDH_SYS_INIT | BIT(24), 0, 0, 0, 0), INVALID(OPND_RAX));
    CHECK(call(TDH_SYS_INIT | BIT(63), 0, 0, 0, 0), INVALID(OPND_RAX));
    CHECK(call(TDH_SYS_INIT | VERSION(1), 0, 0, 0, 0), INVALID(OPND_RAX));
    CHECK(call(99, 0, 0, 0, 0), TDX_SYS_NOT_READY);
    CHECK(call(TDH_MNG_CREATE, 0, 0, 0, 0), TDX_SYS_NOT_READY);
    CHECK(call(TDH_SYS_TDMR_INIT, 0, 0, 0, 0), TDX_SYS_NOT_READY);
    CHECK(call(TDH_SYS_SHUTDOWN, 0, 0, 0, 0), TDX_SYS_NOT_READY);
    setup_ready();
    CHECK(call(99, 0, 0, 0, 0), INVALID(OPND_RAX));
    CHECK(call(TDH_MNG_RD | VERSION(2), 0, 0, 0, 0), INVALID(OPND_RAX));
    CHECK(call(TDH_VP_ENTER | VERSION(1), 0, 0, 0, 0), INVALID(OPND_RAX));
}

static void test_init(void)
{
    sim_reset();
    CHECK(call(TDH_SYS_INIT, 1, 0, 0, 0), INVALID(OPND_RCX));
    sim.no_entropy = true;
    CHECK(call(TDH_SYS_INIT, 0, 0, 0, 0), TDX_RND_NO_ENTROPY);
    sim.no_entropy = false;
    sim.info.cmr[1].base -= PAGE_SIZE;
    CHECK(call(TDH_SYS_INIT, 0, 0, 0, 0), TDX_CMR_LIST_INVALID);
    sim.info.cmr[1].base += PAGE_SIZE;
    sim.info.cmr[0].size--;
    CHECK(call(TDH_SYS_INIT, 0, 0, 0, 0), TDX_CMR_LIST_INVALID);
    sim.info.cmr[0].size++;
    sim.no_proc2 = BIT(9);
    CHECK(call(TDH_SYS_INIT, 0, 0, 0, 0),
          status(TDX_INCORRECT_MSR_VALUE, 0x48b));
    sim.no_proc2 = 0;
    sim.no_ept = BIT(20);
    CHECK(call(TDH_SYS_INIT, 0, 0, 0, 0),
          status(TDX_INCORRECT_MSR_VALUE, 0x48c));
    sim.no_ept = 0;
    module.lock = LOCK_EXCLUSIVE;
    CHECK(call(TDH_SYS_INIT, 0, 0, 0, 0), TDX_SYS_BUSY);
    CHECK(call(TDH_SYS_LP_INIT, 0, 0, 0, 0), TDX_SYS_BUSY);
    CHECK(call(TDH_SYS_CONFIG, 0, 0, 0, 0), TDX_SYS_BUSY);
    CHECK(call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0), TDX_SYS_BUSY);
    module.lock = 0;
    CHECK(call(TDH_SYS_LP_INIT, 0, 0, 0, 0), TDX_SYS_LP_INIT_NOT_PENDING);
    OK(call(TDH_SYS_INIT, 0, 0, 0, 0));
    CHECK(call(TDH_SYS_INIT, 0, 0, 0, 0), TDX_SYS_INIT_NOT_PENDING);

    CHECK(call(TDH_SYS_RD, 0, 0x9100000100000008, 0, 0),
          TDX_SYS_LP_INIT_NOT_DONE);
    CHECK(call(TDH_SYS_RDALL, 0, HOST_PAGE(0), ~0ULL, 0),
          TDX_SYS_LP_INIT_NOT_DONE);
    OK(call(TDH_SYS_LP_INIT, 0, 0, 0, 0));
    CHECK(call(TDH_SYS_LP_INIT, 0, 0, 0, 0), TDX_SYS_LP_INIT_DONE);
    /* The other processor has not done it. */
    CHECK(call(TDH_SYS_CONFIG, HOST_PAGE(0), 1, SIM_FIRST_KEY, 0),
          TDX_SYS_CONFIG_NOT_PENDING);
    sim_cur = 1;
    sim.tsc_adjust[1] = 5;
    CHECK(call(TDH_SYS_LP_INIT, 0, 0, 0, 0),
          status(TDX_INCONSISTENT_MSR, MSR_TSC_ADJUST));
    sim.tsc_adjust[1] = 0;
    sim.lp[1].pkg = 2;
    CHECK(call(TDH_SYS_LP_INIT, 0, 0, 0, 0), status(TDX_INVALID_PKG_ID, 2));
    sim.lp[1].pkg = 1;
    /* The other one is in the same leaf. */
    module.lock = LOCK_ONE_SHARED;
    OK(call(TDH_SYS_LP_INIT, 0, 0, 0, 0));
    CHECK(module.lock, LOCK_ONE_SHARED);
    module.lock = 0;
    sim_cur = 0;
    CHECK(call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0),
          TDX_SYS_KEY_CONFIG_NOT_PENDING);
}

/* One value of TDMR_INFO is wrong. */
static const struct {
    const char *what;
    u16 tdmr, offset;
    u64 value;
    u64 want;
} bad_tdmr[] = {
#define AT(member)  offsetof(struct tdmr_info, member)
    { "base", 0, AT(base), SIM_TDMR0 + PAGE_SIZE, TDX_INVALID_TDMR },
    { "key id", 0, AT(base), 1ULL << 46, TDX_INVALID_TDMR },
    { "no size", 0, AT(size), 0, TDX_INVALID_TDMR },
    { "odd size", 0, AT(size), SIZE_2M, TDX_INVALID_TDMR },
    { "wraps", 0, AT(size), -SIZE_1G, TDX_INVALID_TDMR },
    { "order", 1, AT(base), 0, TDX_NON_ORDERED_TDMR | 1 },
    { "overlap", 1, AT(base), SIM_TDMR0, TDX_NON_ORDERED_TDMR | 1 },
    { "no memory", 1, AT(base), 0xc0000000, TDX_TDMR_OUTSIDE_CMRS | 1 },
    { "beyond memory", 1, AT(base), 64 * SIZE_1G, TDX_TDMR_OUTSIDE_CMRS | 1 },
    { "beyond its PAMT", 1, AT(size), 3 * SIZE_1G,
      TDX_INVALID_PAMT | 1 | 1 << 8 },
    { "reserved offset", 1, AT(reserved[0].offset), 0x1001,
      TDX_INVALID_RESERVED_IN_TDMR | 1 },
    { "reserved size", 1, AT(reserved[1].size), 0x1001,
      TDX_INVALID_RESERVED_IN_TDMR | 1 | 1 << 8 },
    { "reserved end", 1, AT(reserved[1].size), SIZE_1G,
      TDX_INVALID_RESERVED_IN_TDMR | 1 | 1 << 8 },
    { "reserved wraps", 1, AT(reserved[1].offset), -PAGE_SIZE,
      TDX_INVALID_RESERVED_IN_TDMR | 1 | 1 << 8 },
    { "reserved order", 1, AT(reserved[1].offset), 0x3000,
      TDX_NON_ORDERED_RESERVED_IN_TDMR | 1 | 1 << 8 },
    { "hole in the list", 1, AT(reserved[3].size), PAGE_SIZE,
      TDX_NON_ORDERED_RESERVED_IN_TDMR | 1 | 2 << 8 },
    { "PAMT 1G base", 0, AT(pamt[0].base), 0x10000800,
      TDX_INVALID_PAMT | 2 << 8 },
    { "PAMT 1G size", 0, AT(pamt[0].size), 0, TDX_INVALID_PAMT | 2 << 8 },
    { "PAMT 2M size", 0, AT(pamt[1].size), 0x1000, TDX_INVALID_PAMT | 1 << 8 },
    { "PAMT 4K size", 0, AT(pamt[2].size), 0x3ff000, TDX_INVALID_PAMT },
    { "PAMT key id", 0, AT(pamt[2].base), 1ULL << 46, TDX_INVALID_PAMT },
    { "PAMT in no CMR", 0, AT(pamt[2].base), 0, TDX_PAMT_OUTSIDE_CMRS },
    { "PAMT in SEAMRR", 1, AT(pamt[0].base), SIM_SEAMRR,
      TDX_PAMT_OUTSIDE_CMRS | 1 | 2 << 8 },
    { "PAMTs overlap", 0, AT(pamt[0].base), SIM_PAMT + 0x2000,
      TDX_PAMT_OVERLAP | 1 << 8 },
    { "PAMTs of two overlap", 1, AT(pamt[0].base), SIM_PAMT,
      TDX_PAMT_OVERLAP | 1 | 2 << 8 },
    { "PAMT in TDMR", 0, AT(pamt[2].base), SIM_TDMR0, TDX_PAMT_OVERLAP },
    { "PAMT in the other TDMR", 0, AT(pamt[0].base), SIM_TDMR1,
      TDX_PAMT_OVERLAP | 2 << 8 | 1 << 16 },
#undef AT
};

static void test_config(void)
{
    struct tdmr_info info[2];

    setup_init();
    fill_tdmrs(info);
    for (unsigned i = 0; i < ARRAY_SIZE(bad_tdmr); i++) {
        fill_tdmrs(info);
        memcpy((u8 *)&info[bad_tdmr[i].tdmr] + bad_tdmr[i].offset,
               &bad_tdmr[i].value, 8);
        check(__FILE__, __LINE__, bad_tdmr[i].what, config(info, 2),
              bad_tdmr[i].want);
    }
    fill_tdmrs(info);
    config(info, 0);
    CHECK(out.r[R_AX], INVALID(OPND_RDX));
    CHECK(call(TDH_SYS_CONFIG, HOST_PAGE(0), 65, SIM_FIRST_KEY, 0),
          INVALID(OPND_RDX));
    CHECK(call(TDH_SYS_CONFIG, HOST_PAGE(0) + 8, 1, SIM_FIRST_KEY, 0),
          INVALID(OPND_RCX));
    CHECK(call(TDH_SYS_CONFIG, SIM_SEAMRR, 1, SIM_FIRST_KEY, 0),
          INVALID(OPND_RCX));
    CHECK(call(TDH_SYS_CONFIG, (u64)SIM_FIRST_KEY << 46 | HOST_PAGE(0), 1,
               SIM_FIRST_KEY, 0), INVALID(OPND_RCX));
    CHECK(call(TDH_SYS_CONFIG, HOST_PAGE(0), 1, SIM_FIRST_KEY - 1, 0),
          INVALID(OPND_R8));
    CHECK(call(TDH_SYS_CONFIG, HOST_PAGE(0), 1, SIM_LAST_KEY + 1, 0),
          INVALID(OPND_R8));
    /* The PAMT of one can be in a reserved area of the other. */
    info[0].pamt[0].base = SIM_TDMR1 + 0x1000;
    OK(config(info, 2));
    CHECK(config(info, 2), TDX_SYS_CONFIG_NOT_PENDING);
    CHECK(call(TDH_SYS_LP_INIT, 0, 0, 0, 0), TDX_SYS_LP_INIT_NOT_PENDING);
}

static void test_bad_list(void)
{
    u64 bad[] = { HOST_PAGE(1) + 64, SIM_SEAMRR, 4ULL << 46 | HOST_PAGE(1) };

    setup_init();
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        sim_host_write(HOST_PAGE(0), &bad[i], 8);
        CHECK(call(TDH_SYS_CONFIG, HOST_PAGE(0), 1, SIM_FIRST_KEY, 0),
              INVALID(OPND_RCX));
    }
}

/* As many as there can be, and each description in a page of its own */
static void test_many_tdmrs(void)
{
    struct tdmr_info info[2];
    u64 pa;

    setup_init();
    sim.info.cmr[2].base = 4 * SIZE_1G;
    sim.info.cmr[2].size = MAX_TDMRS * SIZE_1G;
    for (unsigned i = 0; i < MAX_TDMRS; i++) {
        fill_tdmrs(info);
        info[0].base = (4 + i) * SIZE_1G;
        for (unsigned k = 0; k < 3; k++) {
            info[0].pamt[k].base += i * 0x403000ULL;
        }
        pa = HOST_PAGE(1 + i);
        sim_host_write(pa, &info[0], sizeof(info[0]));
        sim_host_write(HOST_PAGE(0) + 8 * i, &pa, 8);
    }
    OK(call(TDH_SYS_CONFIG, HOST_PAGE(0), MAX_TDMRS, SIM_FIRST_KEY, 0));
    CHECK(module.num_tdmrs, MAX_TDMRS);
}

static void test_key_and_tdmr(void)
{
    struct tdmr_info info[2];
    unsigned calls = 0;

    setup_init();
    fill_tdmrs(info);
    MUST(config(info, 2));
    sim.no_key = true;
    CHECK(call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0), TDX_KEY_GENERATION_FAILED);
    sim.no_key = false;
    OK(call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0));
    CHECK(call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0), TDX_KEY_CONFIGURED);
    CHECK(call(TDH_SYS_TDMR_INIT, SIM_TDMR0, 0, 0, 0), TDX_SYS_NOT_READY);
    sim_cur = 1;
    OK(call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0));
    sim_cur = 0;
    CHECK(call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0),
          TDX_SYS_KEY_CONFIG_NOT_PENDING);

    CHECK(call(TDH_SYS_TDMR_INIT, SIM_TDMR0 + SIZE_2M, 0, 0, 0),
          INVALID(OPND_RCX));
    module.tdmr[1].lock = LOCK_EXCLUSIVE;
    CHECK(call(TDH_SYS_TDMR_INIT, SIM_TDMR1, 0, 0, 0), BUSY(OPND_RCX));
    module.tdmr[1].lock = 0;
    /* Memory is no use before all of a GiB is initialized. */
    do {
        CHECK(call(TDH_MNG_CREATE, SIM_TDMR1, SIM_FIRST_KEY + 1, 0, 0),
              status(TDX_OPERAND_ADDR_RANGE_ERROR, OPND_RCX));
        OK(call(TDH_SYS_TDMR_INIT, SIM_TDMR1, 0, 0, 0));
    } while (out.r[R_DX] < SIM_TDMR1 + SIZE_1G && ++calls < 100);
    CHECK(out.r[R_DX], SIM_TDMR1 + SIZE_1G);
    CHECK(call(TDH_SYS_TDMR_INIT, SIM_TDMR1, 0, 0, 0),
          TDX_TDMR_ALREADY_INITIALIZED);
    /* Reserved pages are no TD's. */
    CHECK(call(TDH_MNG_CREATE, SIM_TDMR1 + 0x1000, SIM_FIRST_KEY + 1, 0, 0),
          status(TDX_PAGE_METADATA_INCORRECT, OPND_RCX));
    CHECK(call(TDH_MNG_CREATE, SIM_TDMR1 + 0x3ff000, SIM_FIRST_KEY + 1, 0, 0),
          status(TDX_PAGE_METADATA_INCORRECT, OPND_RCX));
    OK(call(TDH_MNG_CREATE, SIM_TDMR1 + 0x400000, SIM_FIRST_KEY + 1, 0, 0));
    /* The other TDMR is not initialized. */
    CHECK(call(TDH_MNG_CREATE, SIM_TDMR0, SIM_FIRST_KEY + 2, 0, 0),
          status(TDX_OPERAND_ADDR_RANGE_ERROR, OPND_RCX));
}

static void test_end(void)
{
    setup_ready();
    CHECK(call(TDH_SYS_SHUTDOWN, 1, 0, 0, 0), INVALID(OPND_RCX));
    module.lps_busy = 1;
    CHECK(call(TDH_SYS_SHUTDOWN, 0, 0, 0, 0), TDX_SYS_BUSY);
    CHECK(call(TDH_SYS_DISABLE, 0, 0, 0, 0), TDX_SYS_BUSY);
    module.lps_busy = 0;
    module.lock = LOCK_EXCLUSIVE;
    CHECK(call(TDH_SYS_SHUTDOWN, 0, 0, 0, 0), TDX_SYS_BUSY);
    CHECK(call(TDH_SYS_DISABLE, 0, 0, 0, 0), TDX_SYS_BUSY);
    module.lock = 0;
    /* The module has gone on. */
    CHECK(call(TDH_PHYMEM_PAGE_RDMD, SIM_TDMR0, 0, 0, 0), TDX_SUCCESS);
    OK(call(TDH_SYS_SHUTDOWN, 0, 0, 0, 0));
    CHECK(call(TDH_SYS_SHUTDOWN, 0, 0, 0, 0), TDX_SYS_SHUTDOWN);
    CHECK(call(TDH_PHYMEM_PAGE_RDMD, SIM_TDMR0, 0, 0, 0), TDX_SYS_SHUTDOWN);
    CHECK(call(TDH_SYS_INIT, 0, 0, 0, 0), TDX_SYS_SHUTDOWN);

    setup_ready();
    OK(call(TDH_SYS_DISABLE, 0, 0, 0, 0));
    CHECK(sim.wb_blocks, 4);
    CHECK(call(TDH_SYS_DISABLE, 0, 0, 0, 0), TDX_SYS_SHUTDOWN);
    CHECK(call(TDH_SYS_RD, 0, 0, 0, 0), TDX_SYS_SHUTDOWN);
}

void test_sys(void)
{
    test_rax();
    test_init();
    test_config();
    test_bad_list();
    test_many_tdmrs();
    test_key_and_tdmr();
    test_end();
}
