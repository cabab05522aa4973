/*
 * Tests of the TDX module: TD entries and exits
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include "lib.h"

/* Exits that the module answers with an exception, or not at all */
static const struct {
    u8 reason;
    u64 event;
} exceptions[] = {
    { 8, 0 }, { 11, EV_UD }, { 12, EV_VE }, { 13, EV_VE }, { 15, EV_GP },
    { 17, EV_UD }, { 18, EV_VE }, { 19, EV_UD }, { 20, EV_UD }, { 21, EV_UD },
    { 22, EV_UD }, { 23, EV_UD }, { 24, EV_UD }, { 25, EV_UD }, { 26, EV_UD },
    { 27, EV_UD }, { 30, EV_VE }, { 36, EV_UD }, { 39, EV_UD },
    { 50, EV_UD }, { 53, EV_UD }, { 54, EV_VE }, { 56, EV_VE }, { 59, EV_UD },
    { 60, EV_UD }, { 65, EV_VE }, { 70, EV_UD }, { 76, EV_UD },
};

/* ... with a TD exit, and RAX */
static const struct {
    u32 reason;
    u64 ret;
} td_exits[] = {
    { 1, 1 }, { 3, 3 }, { 6, 6 }, { 9, 9 }, { 74, 74 }, { 75, 75 },
    { 2, TDX_NON_RECOVERABLE_VCPU | 2 },
    { 7, TDX_NON_RECOVERABLE_TD | 7 },
    { 16, TDX_NON_RECOVERABLE_TD | 16 },
    { 29, TDX_NON_RECOVERABLE_TD | 29 },
    { 40, TDX_NON_RECOVERABLE_TD | 40 },
    { 62, TDX_NON_RECOVERABLE_TD | 62 },
    { 100, TDX_NON_RECOVERABLE_TD | 100 },
    { 0x80000021, TDX_NON_RECOVERABLE_TD | 0x80000021 },
};

static void test_exits(void)
{
    struct ttd td;

    for (unsigned i = 0; i < ARRAY_SIZE(exceptions); i++) {
        td_to(&td, ST_RUN);
        run_clear();
        CHECK(run_one(&td, exceptions[i].reason, 0x77), 1);
        CHECK(g1.event, exceptions[i].event);
        CHECK(ve_reason(&td), exceptions[i].event == EV_VE
              ? exceptions[i].reason : ~0ULL);
        CHECK(g1.rip, 0xfffffff0);
        audit("exception");
    }
    for (unsigned i = 0; i < ARRAY_SIZE(td_exits); i++) {
        td_to(&td, ST_RUN);
        run_clear();
        memset(g1.gpr, 0x5e, sizeof(g1.gpr));
        CHECK(run_one(&td, td_exits[i].reason, 0), td_exits[i].ret);
        /* Nothing of the TD is in the host's registers. */
        CHECK(out.r[R_BX] | out.r[R_SI] | out.r[R_DI] | out.r[R_10] |
              out.r[R_11] | out.r[R_12] | out.r[R_13] | out.r[R_14] |
              out.r[R_15] | out.r[R_DX] | out.r[R_8], 0);
        CHECK(enter(&td), STATUS_CODE(td_exits[i].ret) ==
              TDX_NON_RECOVERABLE_TD ? TDX_TD_FATAL
              : td_exits[i].reason == 2 ? TDX_VCPU_STATE_INCORRECT : 1);
        audit("TD exit");
        td_destroy(&td);
        audit("TD exit, destroyed");
    }
}

static void test_intr(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    run_clear();
    g1.field[0][0] = VMCS_EXIT_INTR, g1.field[0][1] = 0x80000041;
    CHECK(run_one(&td, 1, 0), 1);
    CHECK(out.r[R_9], 0x80000041);
    /* An NMI, and a machine check */
    g1.field[0][1] = 0x80000202;
    CHECK(run_one(&td, 0, 0), 0);
    CHECK(out.r[R_9], 0x80000202);
    g1.field[0][1] = 0x80000312;
    CHECK(run_one(&td, 0, 0), TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE);
    CHECK(enter(&td), TDX_TD_FATAL);
}

static void test_ept(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    run_clear();
    set_gpa(BIT(47) | 0xfee00123);
    /* The host learns nothing about the TD's linear address. */
    CHECK(run_one(&td, 48, 0xffff), 48);
    CHECK(out.r[R_CX], 0xe07f);
    CHECK(out.r[R_DX], 0);
    CHECK(out.r[R_8], BIT(47) | 0xfee00000);
    CHECK(run_one(&td, 49, 0), 49);
    CHECK(out.r[R_8], BIT(47) | 0xfee00000);
    plat_vmwrite(VMCS_INTERRUPTIBILITY, 0);
    set_gpa(0x123456);
    CHECK(run_one(&td, 48, 2), 48);
    CHECK(out.r[R_8], 0x123000);
    /* NMIs were unblocked by an IRET that has to be done again. */
    CHECK(run_one(&td, 48, 0x782 | BIT(12)), 48);
    CHECK(out.r[R_CX], 2);
    CHECK(plat_vmread(VMCS_INTERRUPTIBILITY) & 8, 8);
    plat_vmwrite(VMCS_INTERRUPTIBILITY, 0);

    /* Pending, without and with #VE */
    sept_tables(&td, 0, 0);
    MUST(call(TDH_MEM_PAGE_AUG, 0x2000, td.tdr, page_alloc(), 0));
    set_gpa(0x2008);
    CHECK(run_one(&td, 48, 1), 48);
    CHECK(out.r[R_DX], 6);
    CHECK(out.r[R_8], 0x2000);
    ((struct tdcs *)sim_mem(td.tdcx[0]))->td_ctls = 0;
    CHECK(run_one(&td, 48, 0x181), 1);
    CHECK(g1.event, EV_VE);
    CHECK(ve_reason(&td), 48);
    OK(tdcall(&td, TDG_VP_VEINFO_GET, 0, 0, 0, 0));
    CHECK(tdcall_regs.gpr.r[R_CX], 48);
    CHECK(tdcall_regs.gpr.r[R_DX], 0x181);
    CHECK(tdcall_regs.gpr.r[R_9], 0x2008);

    /* A private address has no misconfigured entry. */
    CHECK(run_one(&td, 49, 0), TDX_NON_RECOVERABLE_TD | 49);
}

/* MOV to CR0 and CR4, of values that the module owns bits of */
static const struct {
    unsigned cr;
    u64 value, event;
} cr_cases[] = {
    /* NE, CD, NW, PE: legal, but not in a TD */
    { 0, 0x80050013, EV_VE }, { 0, 0xc0050033, EV_VE },
    { 0, 0xe0050033, EV_VE }, { 0, 0x9fffffd3, EV_VE },
    /* NW without CD; no paging in 64-bit mode */
    { 0, 0xa0050033, EV_GP }, { 0, 0x20, EV_GP },
    /* Paging without protection; bits that there are not */
    { 0, 0x80000020, EV_GP }, { 0, BIT(32) | 0x80050033, EV_GP },
    { 0, BIT(63) | 0x80050013, EV_GP },
    /* MCE, VMXE; SMXE, which this processor does not have */
    { 4, 0x2020, EV_VE }, { 4, 0x2060, EV_VE }, { 4, 0x4060, EV_GP },
    /* PKE, CET, UINTR, key locker, PKS, LA57; bits that there are not */
    { 4, 0x400060, EV_GP }, { 4, 0x800060, EV_GP },
    { 4, BIT(25) | 0x60, EV_GP },
    { 4, BIT(19) | 0x60, EV_GP }, { 4, BIT(24) | 0x60, EV_GP },
    { 4, BIT(15) | 0x60, EV_GP }, { 4, BIT(40) | 0x60, EV_GP },
    { 4, 0x400020, EV_GP },
};

static void test_cr(void)
{
    struct ttd td;
    u64 mask;

    td_to(&td, ST_RUN);
    /* A TD sees these as they are; those that nobody has are its own. */
    mask = plat_vmread(VMCS_CR0_MASK);
    CHECK(mask, ~0ULL << 32 | BIT(30) | BIT(29) | BIT(5) | BIT(0));
    CHECK(plat_vmread(VMCS_CR0_SHADOW) & mask, 0x21);
    for (unsigned i = 0; i < ARRAY_SIZE(cr_cases); i++) {
        td_to(&td, ST_RUN);
        run_clear();
        g1.gpr[R_9] = cr_cases[i].value;
        g1.field[0][0] = VMCS_EFER, g1.field[0][1] = 0xd01;
        g1.field[1][0] = VMCS_CS_AR, g1.field[1][1] = 0xa09b;
        CHECK(run_one(&td, 28, cr_cases[i].cr | 0x900), 1);
        CHECK(g1.event, cr_cases[i].event);
        CHECK(ve_reason(&td), cr_cases[i].event == EV_VE ? 28 : ~0ULL);
    }
    /* WP with CET */
    td_to(&td, ST_RUN);
    run_clear();
    g1.gpr[R_9] = 0xc0040033;
    g1.field[0][0] = VMCS_CR4, g1.field[0][1] = BIT(23) | 0x2060;
    CHECK(run_one(&td, 28, 0x900), 1);
    CHECK(g1.event, EV_GP);
    /* Half of the register outside 64-bit mode */
    g1.gpr[R_9] = 0x1c0050033;
    CHECK(run_one(&td, 28, 0x900), 1);
    CHECK(g1.event, EV_VE);
    /* There, paging can end, but not with PCIDs. */
    for (unsigned pcide = 0; pcide < 2; pcide++) {
        td_to(&td, ST_RUN);
        run_clear();
        g1.gpr[R_9] = 0x20;
        g1.field[0][0] = VMCS_CR4, g1.field[0][1] = pcide << 17 | 0x2060;
        CHECK(run_one(&td, 28, 0x900), 1);
        CHECK(g1.event, pcide ? EV_GP : EV_VE);
    }
    /* RSP */
    td_to(&td, ST_RUN);
    run_clear();
    g1.gpr[R_SP] = 0x80000020;
    g1.field[0][0] = VMCS_RSP, g1.field[0][1] = 0xc0050033;
    CHECK(run_one(&td, 28, 0x400), 1);
    CHECK(g1.event, EV_VE);
    /* CLTS does not exit. */
    CHECK(run_one(&td, 28, 0x20), TDX_NON_RECOVERABLE_TD | 28);
}

/* The host takes a page away again and again. */
static void test_zero_step(void)
{
    struct ttd td;
    unsigned n;

    td_to(&td, ST_RUN);
    sept_tables(&td, 0, 0);
    MUST(call(TDH_MEM_PAGE_AUG, 0x2000, td.tdr, page_alloc(), 0));
    MUST(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0x2000, 0, 0, 0));
    MUST(call(TDH_MEM_RANGE_BLOCK, 0x2000, td.tdr, 0, 0));
    run_clear();
    set_gpa(0x2000);
    /* The first one is not where the vCPU was entered. */
    g1.field[1][0] = VMCS_RIP, g1.field[1][1] = 0x3000;
    for (n = 0; n < 6; n++) {
        CHECK(run_one(&td, 48, 1), 48);
        CHECK(g1.entries, 1);
    }
    /* The vCPU does not run before the page is there. */
    CHECK(run_one(&td, 48, 1), 48);
    CHECK(g1.entries, 0);
    CHECK(out.r[R_8], 0x2000);
    ((struct tdcs *)sim_mem(td.tdcx[0]))->sept_lock = LOCK_EXCLUSIVE;
    CHECK(enter(&td), BUSY(OPND_SEPT_TREE));
    ((struct tdcs *)sim_mem(td.tdcx[0]))->sept_lock = 0;
    MUST(call(TDH_MEM_TRACK, td.tdr, 0, 0, 0));
    MUST(call(TDH_MEM_RANGE_UNBLOCK, 0x2000, td.tdr, 0, 0));
    CHECK(run_one(&td, 1, 0), 1);
    /* It has not executed anything since. */
    run_clear();
    MUST(call(TDH_MEM_RANGE_BLOCK, 0x2000, td.tdr, 0, 0));
    CHECK(run_one(&td, 1, 0), 48);
    /* It goes on, and does it again. */
    MUST(call(TDH_MEM_TRACK, td.tdr, 0, 0, 0));
    MUST(call(TDH_MEM_RANGE_UNBLOCK, 0x2000, td.tdr, 0, 0));
    g1.field[0][0] = VMCS_RIP, g1.field[0][1] = 0x1000;
    CHECK(run_one(&td, 1, 0), 1);
    MUST(call(TDH_MEM_RANGE_BLOCK, 0x2000, td.tdr, 0, 0));
    CHECK(run_one(&td, 1, 0), 1);
    audit("zero step");
}

/* The faults are not at one instruction, or it was executed between them. */
static void test_no_zero_step(void)
{
    static const u8 between[] = { 1, 77, 10 };
    struct ttd td;

    for (unsigned i = 0; i < ARRAY_SIZE(between); i++) {
        td_to(&td, ST_RUN);
        sept_tables(&td, 0, 0);
        for (unsigned n = 0; n < 20; n++) {
            run_clear();
            set_gpa(0x2000);
            g1.field[1][0] = VMCS_RIP, g1.field[1][1] = 0x1000;
            CHECK(run_one(&td, 48, 1), 48);
            CHECK(g1.entries, 1);
            /* The page is there; TDCALL is executed, and comes again. */
            run_clear();
            g1.gpr[R_AX] = TDG_VP_INFO;
            g1.field[0][0] = VMCS_RIP;
            g1.field[0][1] = between[i] == 1 ? 0x1004 : 0x1000;
            CHECK(run_one(&td, between[i], 0), 1);
        }
    }
    /* What comes from outside is no progress. */
    td_to(&td, ST_RUN);
    sept_tables(&td, 0, 0);
    for (unsigned n = 0; n < 6; n++) {
        run_clear();
        CHECK(run_one(&td, 1, 0), 1);
        set_gpa(0x2000);
        CHECK(run_one(&td, 48, 1), 48);
        CHECK(g1.entries, 1);
    }
    CHECK(run_one(&td, 1, 0), 48);
    CHECK(g1.entries, 0);
}

/* One page many times is one page. */
static void test_zero_step_list(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    sept_tables(&td, 0, 0);
    MUST(call(TDH_MEM_PAGE_AUG, 0x2000, td.tdr, page_alloc(), 0));
    MUST(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0x2000, 0, 0, 0));
    for (unsigned n = 0; n < 2 * EPF_LIST_SIZE; n++) {
        run_clear();
        set_gpa(0x2000);
        CHECK(run_one(&td, 48, 1), 48);
        CHECK(g1.entries, 1);
    }
    set_gpa(0x5000);
    CHECK(run_one(&td, 48, 1), 48);
    CHECK(g1.entries, 1);
    CHECK(run_one(&td, 48, 1), 48);
    CHECK(g1.entries, 0);
    CHECK(out.r[R_8], 0x5000);
}

static void test_cpuid(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    run_clear();
    g1.gpr[R_AX] = 0x21;
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(g1.event, 0);
    CHECK(g1.rip, 0xfffffff4);
    CHECK(g1.after.gpr.r[R_BX], 0x65746e49);
    CHECK(g1.after.gpr.r[R_CX], 0x20202020);
    CHECK(g1.after.gpr.r[R_DX], 0x5844546c);
    /* RIP wraps outside 64-bit mode, whatever the code segment says. */
    g1.field[0][0] = VMCS_CS_AR, g1.field[0][1] = 0xa09b;
    g1.field[1][0] = VMCS_RIP, g1.field[1][1] = 0xfffffffe;
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(g1.rip, 2);
    g1.field[2][0] = VMCS_EFER, g1.field[2][1] = 0xd01;
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(g1.rip, 0x100000002);
    td_to(&td, ST_RUN);
    run_clear();
    g1.gpr[R_AX] = 0x15;
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(g1.after.gpr.r[R_AX], 1);
    CHECK(g1.after.gpr.r[R_BX], 40);
    CHECK(g1.after.gpr.r[R_CX], 25000000);
    g1.gpr[R_AX] = 1;
    g1.field[0][0] = VMCS_CR4, g1.field[0][1] = BIT(18) | 0x2040;
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(g1.after.gpr.r[R_CX] >> 27 & 0x11, 0x11);
    CHECK(g1.after.gpr.r[R_BX] >> 24, 0);
    /* Hypervisor's leaves, and ones that are in no table */
    static const u32 ve[] = { 0x40000000, 6, 0x80000006, 0xb, 0x1f };
    for (unsigned i = 0; i < ARRAY_SIZE(ve); i++) {
        g1.gpr[R_AX] = ve[i];
        CHECK(run_one(&td, 10, 0), 1);
        CHECK(g1.event, EV_VE);
        MUST(tdcall(&td, TDG_VP_VEINFO_GET, 0, 0, 0, 0));
    }
    /* Beyond the last leaf: as the last one */
    static const u32 zero[] = { 0x24, 0x3fffffff, 0x50000000, 0x80000009 };
    for (unsigned i = 0; i < ARRAY_SIZE(zero); i++) {
        g1.gpr[R_AX] = zero[i];
        CHECK(run_one(&td, 10, 0), 1);
        CHECK(g1.event, 0);
        CHECK(g1.after.gpr.r[R_AX] | g1.after.gpr.r[R_DX], 0);
    }
    /* The TD asks for #VE. */
    OK(tdcall(&td, TDG_VP_CPUIDVE_SET, 1, 0, 0, 0));
    g1.gpr[R_AX] = 1;
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(g1.event, EV_VE);
    MUST(tdcall(&td, TDG_VP_VEINFO_GET, 0, 0, 0, 0));
    OK(tdcall(&td, TDG_VP_CPUIDVE_SET, 0, 0, 0, 0));
    /* For one leaf: field code of CPUID_CONTROL */
    OK(tdcall(&td, TDG_VP_WR, 0, 0xa120000000000001, 1, 3));
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(g1.event, EV_VE);
}

static const struct {
    u32 msr;
    bool write;
    u64 value;
    u64 event;                  /* 0: done, 1: does not exit */
} msr_cases[] = {
    { 0x10, false, 0, 1 }, { 0x10, true, 0, EV_VE },
    { 0x48, false, 0, 1 }, { 0x48, true, 0, 1 },
    { 0x87, false, 0, EV_GP }, { 0x98, false, 0, EV_GP },
    { 0x9a, true, 0, EV_GP }, { 0xbd, false, 0, 0 },
    { 0xc1, false, 0, EV_GP }, { 0x10a, false, 0, 0 },
    { 0x10a, true, 0, EV_GP }, { 0x1a0, false, 0, 0 },
    { 0x1a0, true, 0, EV_VE }, { 0x1d9, false, 0, 0 },
    { 0x1d9, true, 2, 0 }, { 0x1d9, true, 4, 0 }, { 0x1d9, true, 1, EV_GP },
    { 0x277, true, 0, 1 }, { 0x38f, true, 0, EV_GP },
    { 0x480, false, 0, EV_VE }, { 0x480, true, 0, EV_GP },
    { 0x6a0, true, 0, EV_GP }, { 0x6e0, true, 0, EV_GP },
    { 0x800, false, 0, EV_GP }, { 0x802, false, 0, EV_VE },
    { 0x802, true, 0, EV_GP }, { 0x808, true, 0, 1 },
    { 0x80b, true, 0, 1 }, { 0x830, true, 0, EV_VE },
    { 0x832, true, 0, EV_VE }, { 0x83f, true, 0, 1 },
    { 0x840, true, 0, EV_GP }, { 0x981, false, 0, EV_GP },
    { 0xda0, true, 0, 0 }, { 0xda0, true, 0x800, EV_GP },
    { 0xda0, true, 7, EV_GP },
    { 0x1400, false, 0, EV_VE }, { 0x2000, false, 0, EV_VE },
    { 0x40000000, false, 0, EV_VE },
    { 0xc0000080, false, 0, 1 }, { 0xc0000080, true, 0x901, 0 },
    { 0xc0000080, true, 0xd01, 0 }, { 0xc0000080, true, 0x1901, EV_GP },
    { 0xc0000081, true, 0, 1 }, { 0xc0000103, true, 0, 1 },
    { 0xc0010000, false, 0, EV_VE },
};

static bool msr_exits(const u8 *bitmaps, u32 msr, bool write)
{
    u32 bit = (msr & 0x1fff) + (write ? 0x4000 : 0);

    if (msr >= 0xc0000000 && msr < 0xc0002000) {
        bit += 0x2000;
    } else if (msr >= 0x2000) {
        return true;
    }
    return bitmaps[bit / 8] & (1 << bit % 8);
}

static void test_msr(void)
{
    struct ttd td;

    for (unsigned i = 0; i < ARRAY_SIZE(msr_cases); i++) {
        u32 msr = msr_cases[i].msr;
        bool write = msr_cases[i].write;

        td_to(&td, ST_RUN);
        CHECK(msr_exits(sim_mem(td.tdcx[2]), msr, write),
              msr_cases[i].event != 1);
        if (msr_cases[i].event == 1) {
            continue;
        }
        run_clear();
        g1.gpr[R_CX] = msr;
        g1.gpr[R_AX] = msr_cases[i].value;
        CHECK(run_one(&td, write ? 32 : 31, 0), 1);
        CHECK(g1.event, msr_cases[i].event);
        CHECK(g1.rip, msr_cases[i].event ? 0xfffffff0 : 0xfffffff4);
    }
}

static void test_xsetbv(void)
{
    static const struct {
        u64 v, index;
        bool ok;
    } values[] = {
        { 7, 0, true }, { 3, 0, true }, { 1, 0, true }, { 0, 0, false },
        { 5, 0, false }, { 0x27, 0, false }, { 0xe7, 0, false },
        { 7, 1, false }, { 0x207, 0, false }, { BIT(63) | 7, 0, false },
        { 0x807, 0, false },
    };
    struct ttd td;

    td_to(&td, ST_RUN);
    for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
        run_clear();
        g1.gpr[R_AX] = (u32)values[i].v;
        g1.gpr[R_DX] = values[i].v >> 32;
        g1.gpr[R_CX] = values[i].index;
        CHECK(run_one(&td, 55, 0), 1);
        CHECK(g1.event, values[i].ok ? 0 : EV_GP);
    }
}

/* The topology that the host has configured, and the TD has enabled */
static void test_topology(void)
{
    struct td_params p;
    struct ttd td;

    td_to(&td, ST_CX);
    fill_topology(&p);
    MUST(mng_init(&td, &p));
    vp_init(&td, vp_create(&td), 0x105);
    MUST(call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0));
    run_clear();
    g1.gpr[R_AX] = 0x1f;
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(g1.event, EV_VE);
    MUST(tdcall(&td, TDG_VP_VEINFO_GET, 0, 0, 0, 0));
    OK(tdcall(&td, TDG_VM_WR, 0, 0x9110000300000017, 2, 2));
    g1.gpr[R_CX] = 1;
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(g1.after.gpr.r[R_AX], 4);
    CHECK(g1.after.gpr.r[R_BX], 8);
    CHECK(g1.after.gpr.r[R_CX], 0x201);
    CHECK(g1.after.gpr.r[R_DX], 0x105);
    g1.gpr[R_AX] = 0xb;
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(g1.after.gpr.r[R_AX], 4);
    CHECK(g1.after.gpr.r[R_CX], 0x201);
    CHECK(g1.after.gpr.r[R_DX], 0x105);
    g1.gpr[R_CX] = 0;
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(g1.after.gpr.r[R_AX], 1);
    CHECK(g1.after.gpr.r[R_CX], 0x100);
    g1.gpr[R_AX] = 1;
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(g1.after.gpr.r[R_BX] >> 24, 5);
    g1.gpr[R_CX] = 0x802;
    CHECK(run_one(&td, 31, 0), 1);
    CHECK(g1.after.gpr.r[R_AX], 0x105);
}

static void test_vmfail(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    sim.vmfail = true;
    CHECK_CODE(enter(&td), TDX_NON_RECOVERABLE_TD);
    sim.vmfail = false;
    CHECK(enter(&td), TDX_TD_FATAL);
    td_destroy(&td);
    audit("VMfail");
}

void test_run(void)
{
    test_exits();
    test_intr();
    test_ept();
    test_cr();
    test_zero_step();
    test_no_zero_step();
    test_zero_step_list();
    test_cpuid();
    test_msr();
    test_xsetbv();
    test_topology();
    test_vmfail();
}
