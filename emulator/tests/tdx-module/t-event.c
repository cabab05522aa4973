/*
 * Tests of the TDX module: events that TDs get
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include "lib.h"

static void test_events(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    /* A #VE that the TD has not read, and another one */
    run_clear();
    CHECK(run_one(&td, 12, 0), 1);
    CHECK(g1.event, EV_VE);
    CHECK(run_one(&td, 12, 0), 1);
    CHECK(g1.event, EV_DF);

    /* The delivery of an interrupt is interrupted, and comes again. */
    td_to(&td, ST_RUN);
    run_clear();
    g1.field[0][0] = VMCS_IDT_VECTORING, g1.field[0][1] = 0x80001030;
    CHECK(run_one(&td, 8, 0), 1);
    CHECK(g1.event, 0x80000030);
    CHECK(run_one(&td, 1, 0), 1);
    CHECK(run_one(&td, 8, 0), 1);
    /* A fault in the delivery is a double fault. */
    CHECK(run_one(&td, 15, 0), 1);
    CHECK(g1.event, EV_DF);

    /* NMIs that the host injects */
    td_to(&td, ST_RUN);
    run_clear();
    OK(call(TDH_VP_WR, td.tdvpr[0], 0x202000000000000b, 1, 1));
    g1.field[0][0] = VMCS_INTERRUPTIBILITY, g1.field[0][1] = 8;
    CHECK(run_one(&td, 1, 0), 1);
    OK(call(TDH_VP_RD, td.tdvpr[0], 0x202000000000000b, 0, 0));
    CHECK(out.r[R_8], 0);
    OK(call(TDH_VP_WR, td.tdvpr[0], 0x202000000000000b, 1, 1));
    CHECK(run_one(&td, 1, 0), 1);
    CHECK(plat_vmread(VMCS_PROC) & PROC_NMI_WINDOW, PROC_NMI_WINDOW);
    g1.field[0][1] = 0;
    CHECK(run_one(&td, 8, 0), 1);
    CHECK(g1.event, 0x80000202);
    CHECK(plat_vmread(VMCS_PROC) & PROC_NMI_WINDOW, 0);
    CHECK(call(TDH_VP_WR, td.tdvpr[0], 0x202000000000000b, 2, 3),
          TDX_METADATA_FIELD_VALUE_NOT_VALID);
}

/* A debug exception after an instruction that the module has done */
static void test_single_step(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    run_clear();
    g1.gpr[R_AX] = 0x21;
    g1.field[0][0] = VMCS_RFLAGS, g1.field[0][1] = 0x102;
    CHECK(run_one(&td, 10, 0), 1);
    CHECK(plat_vmread(VMCS_PENDING_DEBUG), BIT(14));
}

void test_event(void)
{
    test_events();
    test_single_step();
}
