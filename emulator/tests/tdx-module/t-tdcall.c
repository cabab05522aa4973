/*
 * Tests of the TDX module: TDCALL leaves
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include "lib.h"

#define GPR(n)  tdcall_regs.gpr.r[n]

static void user_guest(struct guest_regs *g)
{
    static unsigned n;

    (void)g;
    if (n++ == 0) {
        plat_vmwrite(VMCS_GUEST_AR + 4, 0xc0f3);        /* SS: CPL 3 */
        sim_exit(77, 0);
        return;
    }
    CHECK(plat_vmread(VMCS_ENTRY_INTR), 0x80000b0d);
    sim_exit(1, 0);
}

static void test_leaf(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    CHECK(tdcall(&td, 30, 0, 0, 0, 0), INVALID(OPND_RAX));
    CHECK(tdcall(&td, TDG_VP_INFO | VERSION(1), 0, 0, 0, 0),
          INVALID(OPND_RAX));
    CHECK(tdcall(&td, TDG_VP_INFO | BIT(32), 0, 0, 0, 0), INVALID(OPND_RAX));
    CHECK(plat_vmread(VMCS_RIP), 0xfffffffc);
    sim_guest = user_guest;
    CHECK(enter(&td), 1);
    sim_guest = NULL;
    /* Not in compatibility mode, and not before long mode */
    for (unsigned i = 0; i < 3; i++) {
        run_clear();
        g1.field[0][0] = VMCS_GUEST_AR + 4, g1.field[0][1] = 0xc093;
        g1.field[1][0] = i ? VMCS_CS_AR : VMCS_EFER;
        g1.field[1][1] = i ? 0xc09b : 0x901;
        g1.field[2][0] = i < 2 ? 0 : VMCS_EFER, g1.field[2][1] = 0x901;
        g1.gpr[R_AX] = TDG_VP_INFO;
        CHECK(run_one(&td, 77, 0), 1);
        CHECK(g1.event, EV_GP);
        CHECK(g1.after.gpr.r[R_AX], TDG_VP_INFO);
    }
}

static void test_info(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    OK(tdcall(&td, TDG_VP_INFO, 0, 0, 0, 0));
    CHECK(GPR(R_CX), 48);
    CHECK(GPR(R_DX), ATTR_SEPT_VE_DISABLE);
    CHECK(GPR(R_8), 1 | 3ULL << 32);
    CHECK(GPR(R_9), 0);
    CHECK(GPR(R_10), 1);
    CHECK(tdcall(&td, TDG_VP_VEINFO_GET, 0, 0, 0, 0), TDX_NO_VALID_VE_INFO);
    CHECK(tdcall(&td, TDG_VP_CPUIDVE_SET, 4, 0, 0, 0), INVALID(OPND_RCX));
}

static unsigned vmcall_entries;
static struct guest_regs vmcall_regs;

static void vmcall_guest(struct guest_regs *g)
{
    if (vmcall_entries++) {
        vmcall_regs = *g;
        sim_exit(1, 0);
        return;
    }
    for (unsigned i = 0; i < NUM_REGS; i++) {
        g->gpr.r[i] = 0x100 + i;
    }
    g->gpr.r[R_AX] = TDG_VP_VMCALL;
    g->gpr.r[R_CX] = BIT(R_10) | BIT(R_11) | BIT(R_12) | BIT(R_DX);
    sim_exit(77, 0);
}

static void test_vmcall(void)
{
    static const u64 bad[] = {
        BIT(R_AX), BIT(R_CX), BIT(R_SP), BIT(R_BP), BIT(16), BIT(32), BIT(63),
    };
    struct ttd td;

    td_to(&td, ST_RUN);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK(tdcall(&td, TDG_VP_VMCALL, bad[i], 0, 0, 0), INVALID(OPND_RCX));
    }
    vmcall_entries = 0;
    sim_guest = vmcall_guest;
    CHECK(enter(&td), 77);
    CHECK(out.r[R_CX], BIT(R_10) | BIT(R_11) | BIT(R_12) | BIT(R_DX));
    CHECK(out.r[R_10], 0x100 + R_10);
    CHECK(out.r[R_11], 0x100 + R_11);
    CHECK(out.r[R_12], 0x100 + R_12);
    CHECK(out.r[R_DX], 0x100 + R_DX);
    CHECK(out.r[R_13] | out.r[R_BX] | out.r[R_SI] | out.r[R_8], 0);
    /* The host's answer: only the registers that the TD chose */
    out.r[R_AX] = TDH_VP_ENTER;
    out.r[R_CX] = td.tdvpr[0];
    out.r[R_10] = 0xa, out.r[R_11] = 0xb, out.r[R_DX] = 0xd;
    out.r[R_13] = 0xbad, out.r[R_BX] = 0xbad;
    seamcall(plat_lp(), &out);
    CHECK(out.r[R_AX], 1);
    CHECK(vmcall_regs.gpr.r[R_AX], 0);
    CHECK(vmcall_regs.gpr.r[R_10], 0xa);
    CHECK(vmcall_regs.gpr.r[R_11], 0xb);
    CHECK(vmcall_regs.gpr.r[R_12], 0x100 + R_12);
    CHECK(vmcall_regs.gpr.r[R_DX], 0xd);
    CHECK(vmcall_regs.gpr.r[R_13], 0x100 + R_13);
    CHECK(vmcall_regs.gpr.r[R_BX], 0x100 + R_BX);
    CHECK(plat_vmread(VMCS_RIP), 0xfffffff0ULL + 8 * 4);
    sim_guest = NULL;
}

static void test_accept(void)
{
    struct ttd td;
    u64 pa;

    td_to(&td, ST_RUN);
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, BIT(47), 0, 0, 0),
          INVALID(OPND_RCX));
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, BIT(63), 0, 0, 0),
          INVALID(OPND_RCX));
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0x8, 0, 0, 0), INVALID(OPND_RCX));
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 3, 0, 0, 0), INVALID(OPND_RCX));
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0x1000 | 1, 0, 0, 0),
          INVALID(OPND_RCX));
    /* Not there: the exit reports which level the TD wants. */
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, SIZE_2M | 1, 0, 0, 0), 48);
    CHECK(out.r[R_8], SIZE_2M);
    CHECK(out.r[R_DX], 1 | (1ULL | 3 << 3) << 32);
    CHECK(plat_vmread(VMCS_RIP), 0xfffffff0ULL + 5 * 4);

    sept_tables(&td, 0, 0);
    pa = page_alloc();
    MUST(call(TDH_MEM_PAGE_AUG, 0, td.tdr, pa, 0));
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 2, 0, 0, 0),
          status(TDX_PAGE_SIZE_MISMATCH, 2));
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 1, 0, 0, 0),
          status(TDX_PAGE_SIZE_MISMATCH, 1));
    memset(sim_mem(pa), 0x11, PAGE_SIZE);
    OK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0, 0, 0, 0));
    CHECK(sim_mem(pa)[0] | sim_mem(pa)[4095], 0);
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0, 0, 0, 0),
          TDX_PAGE_ALREADY_ACCEPTED);
    MUST(call(TDH_MEM_RANGE_BLOCK, 0, td.tdr, 0, 0));
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0, 0, 0, 0), 48);
    CHECK(out.r[R_DX], 1 | (0ULL | 0 << 3 | 1 << 6 | BIT(14)) << 32);
    audit("accept");
}

static void test_accept_2m(void)
{
    struct ttd td;
    u64 pa;

    td_to(&td, ST_RUN);
    sept_tables(&td, 0, 1);
    pa = page_alloc_2m();
    MUST(call(TDH_MEM_PAGE_AUG, 1, td.tdr, pa, 0));
    /* A part of a page that is pending */
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0x3000, 0, 0, 0), 48);
    CHECK(out.r[R_DX], 1 | (0ULL | 1 << 3 | 2 << 6 | BIT(14)) << 32);
    OK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 1, 0, 0, 0));
    CHECK(sim_mem(pa + SIZE_2M - 1)[0], 0);
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 0x3000, 0, 0, 0),
          status(TDX_PAGE_ALREADY_ACCEPTED, 1));
    CHECK(tdcall(&td, TDG_MEM_PAGE_ACCEPT, 1, 0, 0, 0),
          status(TDX_PAGE_ALREADY_ACCEPTED, 1));
    audit("accept 2M");
}

/* A TD with a page at 0x4000 that it has accepted */
static u64 setup_page(struct ttd *td)
{
    u64 pa;

    td_to(td, ST_RUN);
    sept_tables(td, 0, 0);
    pa = page_alloc();
    MUST(call(TDH_MEM_PAGE_AUG, 0x4000, td->tdr, pa, 0));
    MUST(tdcall(td, TDG_MEM_PAGE_ACCEPT, 0x4000, 0, 0, 0));
    return pa;
}

static void test_rtmr(void)
{
    u8 both[96] = { 0 }, want[48];
    struct ttd td;
    u64 pa = setup_page(&td), v;

    memset(sim_mem(pa) + 64, 0x42, 48);
    memset(both + 48, 0x42, 48);
    sha384(both, sizeof(both), want);
    CHECK(tdcall(&td, TDG_MR_RTMR_EXTEND, 0x4020, 0, 0, 0), INVALID(OPND_RCX));
    CHECK(tdcall(&td, TDG_MR_RTMR_EXTEND, BIT(47), 0, 0, 0),
          INVALID(OPND_RCX));
    CHECK(tdcall(&td, TDG_MR_RTMR_EXTEND, 0x4040, 4, 0, 0), INVALID(OPND_RDX));
    CHECK(tdcall(&td, TDG_MR_RTMR_EXTEND, 0x5000, 2, 0, 0), 48);
    CHECK(out.r[R_8], 0x5000);
    ((struct tdcs *)sim_mem(td.tdcx[0]))->rtmr_lock = LOCK_EXCLUSIVE;
    CHECK(tdcall(&td, TDG_MR_RTMR_EXTEND, 0x4040, 2, 0, 0), BUSY(OPND_RTMR));
    CHECK(tdcall(&td, TDG_MR_REPORT, 0x4400, 0x4000, 0, 0), BUSY(OPND_RTMR));
    ((struct tdcs *)sim_mem(td.tdcx[0]))->rtmr_lock = 0;
    OK(tdcall(&td, TDG_MR_RTMR_EXTEND, 0x4040, 2, 0, 0));
    OK(tdcall(&td, TDG_VM_RD, 0, 0x1310000300000040 + 2 * 6, 0, 0));
    memcpy(&v, want, 8);
    CHECK(GPR(R_8), v);
    /* Once more: of the value before */
    memcpy(both, want, 48);
    sha384(both, sizeof(both), want);
    OK(tdcall(&td, TDG_MR_RTMR_EXTEND, 0x4040, 2, 0, 0));
    OK(tdcall(&td, TDG_VM_RD, 0, 0x1310000300000041 + 2 * 6, 0, 0));
    memcpy(&v, want + 8, 8);
    CHECK(GPR(R_8), v);
    /* The other ones are as they were. */
    OK(tdcall(&td, TDG_VM_RD, 0, 0x1310000300000040 + 3 * 6, 0, 0));
    CHECK(GPR(R_8), 0);
}

static void test_report(void)
{
    struct tdreport rep;
    struct ttd td;
    u64 pa = setup_page(&td);
    u8 hash[48];

    memset(sim_mem(pa), 0x99, 64);
    CHECK(tdcall(&td, TDG_MR_REPORT, 0x4200, 0x4000, 0, 0), INVALID(OPND_RCX));
    CHECK(tdcall(&td, TDG_MR_REPORT, 0x4400, 0x4020, 0, 0), INVALID(OPND_RDX));
    CHECK(tdcall(&td, TDG_MR_REPORT, 0x4400, 0x4000, 1, 0), INVALID(OPND_R8));
    CHECK(tdcall(&td, TDG_MR_REPORT, 0x5400, 0x4000, 0, 0), 48);
    CHECK(out.r[R_CX], 2);
    CHECK(tdcall(&td, TDG_MR_REPORT, 0x4400, 0x5000, 0, 0), 48);
    CHECK(out.r[R_CX], 1);
    sim.no_report = true;
    CHECK(tdcall(&td, TDG_MR_REPORT, 0x4400, 0x4000, 0, 0),
          TDX_SEAMREPORT_NOT_AVAILABLE);
    sim.no_report = false;
    OK(tdcall(&td, TDG_MR_REPORT, 0x4400, 0x4000, 0, 0));
    memcpy(&rep, sim_mem(pa + 0x400), sizeof(rep));
    CHECK(rep.mac.type, 0x81);
    CHECK(rep.mac.report_data[63], 0x99);
    CHECK(rep.tdinfo.attributes, ATTR_SEPT_VE_DISABLE);
    CHECK(rep.tdinfo.xfam, 7);
    CHECK(rep.tdinfo.mrconfigid[0] | rep.tdinfo.mrowner[47] << 8 |
          rep.tdinfo.mrownerconfig[3] << 16, 0x030201);
    sha384(&rep.tdinfo, sizeof(rep.tdinfo), hash);
    CHECK(memcmp(hash, rep.mac.tee_info_hash, 48), 0);

    OK(tdcall(&td, TDG_MR_VERIFYREPORT, 0x4400, 0, 0, 0));
    CHECK(tdcall(&td, TDG_MR_VERIFYREPORT, 0x4000, 0, 0, 0),
          TDX_INVALID_REPORTMACSTRUCT);
    CHECK(tdcall(&td, TDG_MR_VERIFYREPORT, 0x4080, 0, 0, 0),
          INVALID(OPND_RCX));
    CHECK(tdcall(&td, TDG_MR_VERIFYREPORT, 0x6000, 0, 0, 0), 48);
}

static void test_attr(void)
{
    struct ttd td;

    setup_page(&td);
    OK(tdcall(&td, TDG_MEM_PAGE_ATTR_RD, 0x4000, 0, 0, 0));
    CHECK(GPR(R_CX), 0x4000);
    CHECK(GPR(R_DX), 0x800f);
    MUST(call(TDH_MEM_PAGE_AUG, 0x5000, td.tdr, page_alloc(), 0));
    OK(tdcall(&td, TDG_MEM_PAGE_ATTR_RD, 0x5000, 0, 0, 0));
    CHECK(GPR(R_CX), 0x5000 | BIT(62));
    CHECK(tdcall(&td, TDG_MEM_PAGE_ATTR_RD, 0x4001, 0, 0, 0),
          INVALID(OPND_RCX));
    CHECK(tdcall(&td, TDG_MEM_PAGE_ATTR_RD, 0x8000, 0, 0, 0), 48);
    CHECK(tdcall(&td, TDG_MEM_PAGE_ATTR_WR, 0x4000, 1, 0, 0),
          INVALID(OPND_RDX));
    CHECK(tdcall(&td, TDG_MEM_PAGE_ATTR_WR, 0x4000, 0, 1, 0),
          INVALID(OPND_R8));
    OK(tdcall(&td, TDG_MEM_PAGE_ATTR_WR, 0x4000, 0, 0, 0));
}

void test_tdcall(void)
{
    test_leaf();
    test_info();
    test_vmcall();
    test_accept();
    test_accept_2m();
    test_rtmr();
    test_report();
    test_attr();
}
