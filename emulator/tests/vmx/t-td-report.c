/*
 * VMX tests: print the report of a TD, for who has the machine's key
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

#define REPORTMAC_WORDS 32      /* REPORTMACSTRUCT */

enum { SAY_WORD = 1, SAY_END };

static struct td td;
static u8 PAGE_ALIGNED report[PAGE];
static u8 report_data[64] __attribute__((aligned(64)));

static void tdg_reports(u64 index)
{
    u64 i;

    for (i = 0; i < sizeof(report_data); i++) {
        report_data[i] = i;
    }
    tdg_check(tdg(TDG_MR_REPORT, (u64)report, (u64)report_data, 0), 0,
              "TDG.MR.REPORT");
    for (i = 0; i < REPORTMAC_WORDS; i++) {
        tdg_say(SAY_WORD, ((u64 *)report)[i]);
    }
    tdg_say(SAY_END, 0);
}

void test_main(void)
{
    u64 word;
    int i, byte;

    td_module_start();
    td_build(&td, 41, tdg_reports, 0);
    for (i = 0; i < REPORTMAC_WORDS; i++) {
        td_run(&td, 0);
        if (td.r[0].r[R11] != SAY_WORD) {
            break;
        }
        word = td.r[0].r[R12];
        printf("# report ");
        for (byte = 0; byte < 8; byte++) {
            printf("%x%x", (u32)(word >> (8 * byte + 4)) & 0xf,
                   (u32)(word >> 8 * byte) & 0xf);
        }
        printf("\n");
    }
    check_eq(i, REPORTMAC_WORDS, "the TD gives its report");
    td_runs_to(&td, 0, SAY_END, "and has no more of it");
    td_destroy(&td);
}
