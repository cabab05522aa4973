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
    g1.field[1][0] = VMCS_RFLAGS, g1.field[1][1] = RFLAGS_IF | 2;
    CHECK(run_one(&td, 8, 0), 1);
    CHECK(g1.event, 0x80000030);
    CHECK(run_one(&td, 1, 0), 1);
    CHECK(run_one(&td, 8, 0), 1);
    /* A fault in the delivery is a double fault. */
    CHECK(run_one(&td, 15, 0), 1);
    CHECK(g1.event, EV_DF);
}

#define PEND_NMI    0x202000000000000bULL

static void test_nmi(void)
{
    struct ttd td;

    /* NMIs that the host injects */
    td_to(&td, ST_RUN);
    run_clear();
    OK(call(TDH_VP_WR, td.tdvpr[0], PEND_NMI, 1, 1));
    g1.field[0][0] = VMCS_INTERRUPTIBILITY, g1.field[0][1] = 8;
    CHECK(run_one(&td, 1, 0), 1);
    OK(call(TDH_VP_RD, td.tdvpr[0], PEND_NMI, 0, 0));
    CHECK(out.r[R_8], 0);
    OK(call(TDH_VP_WR, td.tdvpr[0], PEND_NMI, 1, 1));
    CHECK(run_one(&td, 1, 0), 1);
    CHECK(plat_vmread(VMCS_PROC) & PROC_NMI_WINDOW, PROC_NMI_WINDOW);
    g1.field[0][1] = 0;
    CHECK(run_one(&td, 8, 0), 1);
    CHECK(g1.event, 0x80000202);
    CHECK(plat_vmread(VMCS_PROC) & PROC_NMI_WINDOW, 0);
    CHECK(call(TDH_VP_WR, td.tdvpr[0], PEND_NMI, 2, 3),
          TDX_METADATA_FIELD_VALUE_NOT_VALID);
}

static u64 nmi_block(void)
{
    return plat_vmread(VMCS_INTERRUPTIBILITY) & BIT(3);
}

/* After STI: some processors keep the window closed, others do not. */
static void test_nmi_sti(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    run_clear();
    g1.field[0][0] = VMCS_INTERRUPTIBILITY, g1.field[0][1] = BLOCK_BY_STI;
    g1.field[1][0] = VMCS_RFLAGS, g1.field[1][1] = RFLAGS_IF | 2;
    CHECK(run_one(&td, 1, 0), 1);
    OK(call(TDH_VP_WR, td.tdvpr[0], PEND_NMI, 1, 1));
    CHECK(run_one(&td, 1, 0), 1);
    CHECK(sim_event, 0);
    CHECK(plat_vmread(VMCS_PROC) & PROC_NMI_WINDOW, PROC_NMI_WINDOW);
    CHECK(plat_vmread(VMCS_INTERRUPTIBILITY), BLOCK_BY_STI);
    /* No instruction was executed: STI still blocks interrupts. */
    CHECK(run_one(&td, 8, 0), 1);
    CHECK(g1.event, 0x80000202);
    CHECK(plat_vmread(VMCS_INTERRUPTIBILITY), 0);
    CHECK(plat_vmread(VMCS_PROC) & PROC_NMI_WINDOW, 0);

    /* If none comes, interrupts go on to be blocked. */
    g1.ve = &((struct vcpu *)sim_mem(td.tdvpr[0]))->ve;
    OK(call(TDH_VP_WR, td.tdvpr[0], PEND_NMI, 1, 1));
    plat_vmwrite(VMCS_INTERRUPTIBILITY, BLOCK_BY_NMI);
    CHECK(run_one(&td, 8, 0), 1);
    CHECK(g1.event, 0);
    CHECK(plat_vmread(VMCS_INTERRUPTIBILITY), BLOCK_BY_STI);
}

/* The delivery of an NMI meets a page that is not there. */
static void test_nmi_again(void)
{
    struct vcpu *vp;
    struct ttd td;

    td_to(&td, ST_RUN);
    sept_tables(&td, 0, 0);
    run_clear();
    set_gpa(0x3000);
    g1.field[1][0] = VMCS_IDT_VECTORING, g1.field[1][1] = 0x80000202;
    g1.field[2][0] = VMCS_INTERRUPTIBILITY, g1.field[2][1] = BIT(3);
    CHECK(run_one(&td, 48, 1), 48);
    /* The host has mapped it, and sends another one, which has to wait. */
    vp = (struct vcpu *)sim_mem(td.tdvpr[0]);
    OK(call(TDH_VP_WR, td.tdvpr[0], PEND_NMI, 1, 1));
    g1.field[1][1] = 0;
    CHECK(run_one(&td, 1, 0), 1);
    CHECK(sim_event, 0x80000202);
    CHECK(vp->pend_nmi, 1);
    CHECK(plat_vmread(VMCS_PROC) & PROC_NMI_WINDOW, PROC_NMI_WINDOW);
    /* The first one's handler has ended. */
    g1.field[2][1] = 0;
    CHECK(run_one(&td, 8, 0), 1);
    CHECK(g1.event, 0x80000202);
    CHECK(vp->pend_nmi, 0);
    CHECK(plat_vmread(VMCS_PROC) & PROC_NMI_WINDOW, 0);

    td_to(&td, ST_RUN);
    run_clear();
    g1.field[0][0] = VMCS_IDT_VECTORING, g1.field[0][1] = 0x80000202;
    g1.field[1][0] = VMCS_INTERRUPTIBILITY, g1.field[1][1] = BIT(3);
    CHECK(run_one(&td, 8, 0), 1);
    CHECK(g1.event, 0x80000202);
    CHECK(nmi_block(), 0);
    /* A fault replaces it: that it was about to come blocks others. */
    CHECK(run_one(&td, 15, 0), 1);
    CHECK(g1.event, EV_DF);
    CHECK(nmi_block(), BIT(3));

    /* Bit 12 says nothing if an event was being delivered. */
    td_to(&td, ST_RUN);
    run_clear();
    set_gpa(0x3000);
    g1.field[1][0] = VMCS_IDT_VECTORING, g1.field[1][1] = 0x80000030;
    CHECK(run_one(&td, 48, 1 | BIT(12)), 48);
    CHECK(nmi_block(), 0);
}

/* NMIs wait until the TD has read the information of a #VE. */
static void test_nmi_after_ve(void)
{
    struct vcpu *vp;
    struct ttd td;

    td_to(&td, ST_RUN);
    vp = (struct vcpu *)sim_mem(td.tdvpr[0]);
    run_clear();
    OK(call(TDH_VP_WR, td.tdvpr[0], PEND_NMI, 1, 1));
    plat_vmwrite(VMCS_INTERRUPTIBILITY, BLOCK_BY_NMI);
    /* An NMI's handler ends, the processor raises a #VE, the window opens. */
    g1.field[0][0] = VMCS_INTERRUPTIBILITY;
    g1.ve = &vp->ve;
    CHECK(run_one(&td, 8, 0), 1);
    CHECK(g1.entries, 2);
    CHECK(g1.event, 0);
    CHECK(plat_vmread(VMCS_PROC) & PROC_NMI_WINDOW, 0);
    CHECK(vp->pend_nmi, 1);
    OK(tdcall(&td, TDG_VP_VEINFO_GET, 0, 0, 0, 0));
    CHECK(tdcall_event, 0x80000202);
    CHECK(vp->pend_nmi, 0);

    /* As it is with a #VE of the module's */
    OK(call(TDH_VP_WR, td.tdvpr[0], PEND_NMI, 1, 1));
    plat_vmwrite(VMCS_INTERRUPTIBILITY, BIT(3));
    g1.ve = NULL;
    CHECK(run_one(&td, 12, 0), 1);
    CHECK(g1.event, EV_VE);
    CHECK(plat_vmread(VMCS_PROC) & PROC_NMI_WINDOW, 0);
    CHECK(vp->pend_nmi, 1);
}

/* The page of the TD's IDT is pending: nothing can be delivered. */
static void test_triple_fault(void)
{
    static const u64 first[] = { EV_UD, EV_GP, EV_VE, EV_DF };
    struct vcpu *vp;
    struct ttd td;

    for (unsigned i = 0; i < ARRAY_SIZE(first); i++) {
        bool last = first[i] == EV_DF;

        for (unsigned unread = 0; unread < 2; unread++) {
            td_to(&td, ST_RUN);
            vp = (struct vcpu *)sim_mem(td.tdvpr[0]);
            ((struct tdcs *)sim_mem(td.tdcx[0]))->td_ctls = 0;
            sept_tables(&td, 0, 0);
            MUST(call(TDH_MEM_PAGE_AUG, 0x2000, td.tdr, page_alloc(), 0));
            run_clear();
            set_gpa(0x2008);
            vp->ve.valid = unread ? VE_INFO_VALID : 0;
            g1.field[1][0] = VMCS_IDT_VECTORING, g1.field[1][1] = first[i];
            CHECK(run_one(&td, 48, 1), last ? TDX_NON_RECOVERABLE_VCPU | 2 : 1);
            CHECK(g1.event, last ? 0 : EV_DF);
            CHECK(g1.entries, last ? 1 : 2);
            /* There is information of a #VE only if the TD got one. */
            CHECK(vp->ve.valid, unread ? VE_INFO_VALID : 0);
            CHECK(call(TDH_VP_WR, td.tdvpr[0], PEND_NMI, 1, 1),
                  last ? TDX_VCPU_STATE_INCORRECT : TDX_SUCCESS);
            CHECK(enter(&td), last ? TDX_VCPU_STATE_INCORRECT : 1);
            CHECK(vp->pend_nmi, !last && unread);
            audit("fault of a fault");
        }
    }
    /* Vector 8 of an interrupt is no double fault. */
    td_to(&td, ST_RUN);
    run_clear();
    g1.field[0][0] = VMCS_IDT_VECTORING, g1.field[0][1] = 0x80000008;
    CHECK(run_one(&td, 15, 0), 1);
    CHECK(g1.event, EV_DF);
}

/* Faults say so in the flags that they save, and real mode has no codes. */
static void test_flags(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    run_clear();
    CHECK(run_one(&td, 8, 0), 1);
    CHECK(plat_vmread(VMCS_RFLAGS) & BIT(16), 0);
    CHECK(run_one(&td, 11, 0), 1);
    CHECK(plat_vmread(VMCS_RFLAGS) & BIT(16), BIT(16));
    plat_vmwrite(VMCS_RFLAGS, 2);
    CHECK(run_one(&td, 12, 0), 1);
    CHECK(plat_vmread(VMCS_RFLAGS) & BIT(16), BIT(16));
    plat_vmwrite(VMCS_CR0, 0x20);
    CHECK(run_one(&td, 15, 0), 1);
    CHECK(g1.event, EV_GP & ~INTR_ERROR_CODE);
}

/* Addresses beyond the TD's width are nobody's: a reserved bit is set. */
static void test_wide_gpa(void)
{
    static const struct {
        u64 qualification, error;
        u32 ss;
    } cases[] = {
        { 0x81, 0x9, 0xc093 }, { 0x82, 0xb, 0xc093 }, { 0x84, 0x19, 0xc093 },
        { 0x182, 0xf, 0xc0f3 },
    };
    struct ttd td;

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        td_to(&td, ST_RUN);
        run_clear();
        set_gpa(BIT(48) | 0x5008);
        g1.field[1][0] = VMCS_GLA, g1.field[1][1] = 0x7008;
        g1.field[2][0] = VMCS_GUEST_AR + 4, g1.field[2][1] = cases[i].ss;
        CHECK(run_one(&td, 48, cases[i].qualification), 1);
        CHECK(g1.event, EV_PF);
        CHECK(g1.after.cr2, 0x7008);
        CHECK(plat_vmread(VMCS_ENTRY_ERROR), cases[i].error);
    }
    /* In the delivery of another event */
    g1.field[2][0] = VMCS_IDT_VECTORING, g1.field[2][1] = EV_PF;
    CHECK(run_one(&td, 48, 0x81), 1);
    CHECK(g1.event, EV_DF);
    g1.field[2][1] = EV_DF;
    CHECK(run_one(&td, 48, 0x81), TDX_NON_RECOVERABLE_VCPU | 2);
    /* Nobody has used a linear address. */
    td_to(&td, ST_RUN);
    g1.field[2][0] = 0;
    CHECK(run_one(&td, 48, 1), 48);
    CHECK(out.r[R_8], BIT(48) | 0x5000);
}

/* What the processor does not write of a #VE is not that of another one. */
static void test_ve_info(void)
{
    struct vcpu *vp;
    struct ttd td;

    td_to(&td, ST_RUN);
    vp = (struct vcpu *)sim_mem(td.tdvpr[0]);
    run_clear();
    g1.field[0][0] = VMCS_INSTR_INFO, g1.field[0][1] = 0x1234;
    CHECK(run_one(&td, 12, 0), 1);
    OK(tdcall(&td, TDG_VP_VEINFO_GET, 0, 0, 0, 0));
    CHECK(tdcall_regs.gpr.r[R_10], 4 | 0x1234ULL << 32);
    vp->ve.exit_reason = 48;
    vp->ve.valid = VE_INFO_VALID;
    OK(tdcall(&td, TDG_VP_VEINFO_GET, 0, 0, 0, 0));
    CHECK(tdcall_regs.gpr.r[R_CX], 48);
    CHECK(tdcall_regs.gpr.r[R_10], 0);
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
    test_nmi();
    test_nmi_sti();
    test_nmi_again();
    test_nmi_after_ve();
    test_triple_fault();
    test_flags();
    test_wide_gpa();
    test_ve_info();
    test_single_step();
}
