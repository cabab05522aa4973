/*
 * VMX tests: how long a SEAMCALL, and a TD's exit to the host, take
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

#define ROUNDS      20000
#define NO_LEAF     0x3fff

static struct td td;

static void tdg_exits(u64 index)
{
    for (;;) {
        tdg_say(1, 0);
    }
}

void test_main(void)
{
    u64 start;
    int i;

    td_module_start();
    td_build(&td, 41, tdg_exits, 0);
    start = timer_read();
    for (i = 0; i < ROUNDS; i++) {
        seam(NO_LEAF, 0, 0, 0, 0);
    }
    printf("# SEAMCALL: %lu ns\n", timer_ns(start) / ROUNDS);
    start = timer_read();
    for (i = 0; i < ROUNDS; i++) {
        td_run(&td, 0);
    }
    printf("# TD exit and entry: %lu ns\n", timer_ns(start) / ROUNDS);
    check_eq(td.r[0].r[R11], 1, "the TD still runs");
    td_destroy(&td);
}
