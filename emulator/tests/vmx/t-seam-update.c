/*
 * VMX tests: the update of the TDX module under a TD
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "seamldr.h"

#define MRSEAM_WORDS        6
#define SPIN                50000000

static struct td td;
static mem64 ap_status;
static u64 ap_rounds;

/* A TD whose first vCPU says MRSEAM whenever it is entered */

enum { SAY_ROUND = 1, SAY_WORD };

static u8 PAGE_ALIGNED report[PAGE];
static u8 first_mrseam[48];             /* of the module that has created it */
static u8 report_data[64] __attribute__((aligned(64)));

static void tdg_rounds(u64 index)
{
    u64 round = 0, spin;
    int i;

    for (;;) {
        spin = tdg_say(SAY_ROUND, round++);
        if (index) {
            while (spin--) {
                asm volatile("" : : : "memory");
            }
            continue;
        }
        tdg_check(tdg(TDG_MR_REPORT, (u64)report, (u64)report_data, 0), 0,
                  "TDG.MR.REPORT");
        for (i = 0; i < MRSEAM_WORDS; i++) {
            tdg_say(SAY_WORD, ((u64 *)(report + 280))[i]);
        }
        tdg_say(SAY_WORD, *(u64 *)(report + 264));
        tdg_say(SAY_WORD, *(u64 *)(report + 384));
    }
}

/* TDH.VP.FLUSH of the first processor may have the vCPU. */
static void ap_run(void)
{
    do {
        ap_status = td_run(&td, 1);
    } while (TDX_CODE(ap_status) == TDX_OPERAND_BUSY);
}

/* The other vCPU is that of the other processor. */
static void ap_round_ends(void)
{
    ap_ends();
    check_eq(ap_status, X_TDCALL, "the TD goes on on the other processor");
    check_eq(td.r[1].r[R12], ap_rounds++, "where it was");
}

static void ap_round(void)
{
    ap_begins(ap_run);
    ap_round_ends();
}

/* Its report has the module that has created it, and the SVN of the one now. */
static void td_round(u64 round, const u8 *mrseam, u64 svn, u64 svn2)
{
    bool same = true;
    u64 word;
    int i;

    td_runs_to(&td, 0, SAY_ROUND, "the TD goes on");
    check_eq(td.r[0].r[R12], round, "where it was");
    for (i = 0; i < MRSEAM_WORDS; i++) {
        memcpy(&word, mrseam + 8 * i, 8);
        same &= td_run(&td, 0) == X_TDCALL && td.r[0].r[R12] == word;
    }
    check(same, "MRSEAM in its report");
    td_run(&td, 0);
    check_eq(td.r[0].r[R12], svn, "TEE_TCB_SVN");
    td_run(&td, 0);
    check_eq(td.r[0].r[R12], svn2, "TEE_TCB_SVN_2");
    ap_round();
}

static void start_module(void)
{
    check_seam(seam(TDH_SYS_INIT, 0, 0, 0, 0), 0, "TDH.SYS.INIT");
    td_module_init_cpu();
    check_eq(on_ap(TDH_SYS_LP_INIT, 0), 0, "TDH.SYS.LP.INIT on the other");
}

static void build(u16 hkid)
{
    ap_rounds = 0;
    td_create(&td, hkid);
    td_add_memory(&td, tdg_rounds, 0);
    td_add_vcpu(&td, 0);
    td_add_vcpu(&td, 1);
    td_finalize(&td);
    check_eq(seam(TDH_VP_FLUSH, td.vp[1], 0, 0, 0), 0, "TDH.VP.FLUSH");
}

static void destroy(void)
{
    check_eq(on_ap(TDH_VP_FLUSH, td.vp[1]), 0, "TDH.VP.FLUSH on the other");
    td_destroy(&td);
}

/* While TDH.VP.FLUSH says that a vCPU is in use, it runs. */
static void test_busy(void)
{
    int i, pause;

    td_answer(&td, 1, SPIN);
    ap_begins(ap_run);
    for (i = 0; i < 10000; i++) {
        if (TDX_CODE(seam(TDH_VP_FLUSH, td.vp[1], 0, 0, 0)) ==
            TDX_OPERAND_BUSY) {
            break;
        }
        for (pause = 0; pause < 1000; pause++) {
            asm volatile("pause");
        }
    }
    check_seam(seam(TDH_SYS_SHUTDOWN, 0, 0, 0, 0), TDX_SYS_BUSY,
               "TDH.SYS.SHUTDOWN while a vCPU runs");
    ap_round_ends();
}

static void test_update(void)
{
    int i;

    start_module();
    td_module_init();
    build(41);
    remaining();
    memcpy(first_mrseam, info.mrseam, sizeof(first_mrseam));
    td_round(0, first_mrseam, 1, 1);
    test_busy();
    for (i = 0; i < 3; i++) {
        fill_params(UPDATE, IMAGE(i & 1));
        sigstruct[SIG_SVN] = i + 1;
        check_eq(install(), EBADCALL, "the module has not ended");
        check_seam(seam(TDH_SYS_SHUTDOWN, 0, 0, 0, 0), 0, "TDH.SYS.SHUTDOWN");
        check_seam(seam(TDH_VP_ENTER, td.vp[0], 0, 0, 0), TDX_SYS_SHUTDOWN,
                   "no TD runs");
        check_eq(install(), 0, "SEAMLDR.INSTALL");
        check_seam(seam(TDH_VP_ENTER, td.vp[0], 0, 0, 0), TDX_SYS_NOT_READY,
                   "there is another module");
        check_seam(seam(TDH_SYS_UPDATE, 0, 0, 0, 0), TDX_SYS_STATE_INCORRECT,
                   "which does not know the processors");
        start_module();
        check_seam(seam(TDH_SYS_UPDATE, 0, 0, 0, 0), 0, "TDH.SYS.UPDATE");
        td_round(i + 1, first_mrseam, 1, i + 1);
        check_eq(remaining(), 30 - i, "updates that are left");
        check(!memcmp(info.mrseam, IMAGE(i & 1)->sigstruct + SIG_HASH, 48),
              "SEAMLDR.INFO: MRSEAM");
    }
}

static u64 update_again(void)
{
    u64 status;

    fill_params(UPDATE, IMAGE(0));
    sigstruct[SIG_SVN] = 3;
    if (seam(TDH_SYS_SHUTDOWN, 0, 0, 0, 0)) {
        return FAIL_INVALID;
    }
    status = install();
    if (!status) {
        seam(TDH_SYS_INIT, 0, 0, 0, 0);
        seam(TDH_SYS_LP_INIT, 0, 0, 0, 0);
        on_ap(TDH_SYS_LP_INIT, 0);
        status = seam(TDH_SYS_UPDATE, 0, 0, 0, 0);
    }
    return status;
}

/* Until SEAMDB is full; the module that has ended stays then. */
static void test_all_updates(void)
{
    int i = 0;

    fill_params(UPDATE, IMAGE(0));
    sigstruct[SIG_SVN] = 2;
    check_seam(seam(TDH_SYS_SHUTDOWN, 0, 0, 0, 0), 0, "TDH.SYS.SHUTDOWN");
    check_eq(install(), EBADSIG, "SVN 2 after 3");
    check_seam(seam(TDH_SYS_RD, 0, 0, 0, 0), TDX_SYS_SHUTDOWN,
               "the module that has ended is there");
    sigstruct[SIG_SVN] = 3;
    check_eq(install(), 0, "SVN 3");
    start_module();
    check_seam(seam(TDH_SYS_UPDATE, 0, 0, 0, 0), 0, "TDH.SYS.UPDATE");
    while (i < 27 && !update_again()) {
        i++;
    }
    check_eq(i, 27, "further updates");
    check_eq(remaining(), 0, "no update is left");
    td_round(4, first_mrseam, 1, 3);
    destroy();
    check_eq(update_again(), ENOMEM, "one more");
}

static void test_load(void)
{
    fill_params(LOAD, IMAGE(1));
    sigstruct[SIG_SVN] = 3;
    check_eq(install(), 0, "SEAMLDR.INSTALL of a new module");
    check_eq(remaining(), 31, "SEAMDB begins with it");
    fill_params(UPDATE, IMAGE(1));
    sigstruct[SIG_SVN] = 3;
    check_eq(install(), EBADCALL, "it has left nothing for an update");
    start_module();
    td_module_init();
    build(42);
    td_round(0, IMAGE(1)->sigstruct + SIG_HASH, 3, 3);
    destroy();
}

void test_main(void)
{
    both_start();
    test_update();
    test_all_updates();
    test_load();
}
