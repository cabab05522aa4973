/*
 * Tests of the TDX module: life of a vCPU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

static void test_create(void)
{
    struct ttd td;
    u64 vp;

    td_to(&td, ST_INIT);
    CHECK(call(TDH_VP_CREATE, td.tdr, td.tdr, 0, 0), BUSY(OPND_RCX));
    vp = page_alloc();
    OK(call(TDH_VP_CREATE, vp, td.tdr, 0, 0));
    for (unsigned i = 1; i < TDVPS_PAGES; i++) {
        CHECK(call(TDH_VP_INIT, vp, 0, 0, 0), TDX_TDCX_NUM_INCORRECT);
        CHECK(call(TDH_VP_RD, vp, 0, 0, 0), TDX_TDCX_NUM_INCORRECT);
        CHECK(call(TDH_VP_FLUSH, vp, 0, 0, 0), TDX_TDCX_NUM_INCORRECT);
        CHECK(call(TDH_VP_ADDCX, vp, vp, 0, 0), BUSY(OPND_RCX));
        OK(call(TDH_VP_ADDCX, page_alloc(), vp, 0, 0));
    }
    CHECK(call(TDH_VP_ADDCX, page_alloc(), vp, 0, 0), TDX_TDCX_NUM_INCORRECT);
    CHECK(call(TDH_VP_RD, vp, 0, 0, 0), TDX_VCPU_STATE_INCORRECT);
    CHECK(call(TDH_VP_WR, vp, 0, 0, 0), TDX_VCPU_STATE_INCORRECT);
    CHECK(call(TDH_VP_FLUSH, vp, 0, 0, 0), TDX_VCPU_NOT_ASSOCIATED);
    audit("vp create");
}

static void test_init(void)
{
    struct ttd td;
    u64 vp[3];

    td_to(&td, ST_INIT);
    for (unsigned i = 0; i < 3; i++) {
        vp[i] = vp_create(&td);
    }
    CHECK(call(TDH_VP_INIT | VERSION(2), vp[0], 0, 1, 0), INVALID(OPND_RAX));
    CHECK(call(TDH_VP_INIT | VERSION(1), vp[0], 0, BIT(32), 0),
          INVALID(OPND_R8));
    CHECK(call(TDH_VP_INIT | VERSION(1), vp[0], 0, 0, 0),
          status(TDX_X2APIC_ID_NOT_UNIQUE, 0));
    OK(call(TDH_VP_INIT | VERSION(1), vp[0], 0xabc, 7, 0));
    CHECK(call(TDH_VP_INIT | VERSION(1), vp[0], 0, 8, 0),
          TDX_VCPU_STATE_INCORRECT);
    CHECK(call(TDH_VP_ADDCX, page_alloc(), vp[0], 0, 0),
          TDX_VCPU_STATE_INCORRECT);
    CHECK(call(TDH_VP_INIT | VERSION(1), vp[1], 0, 7, 0),
          status(TDX_X2APIC_ID_NOT_UNIQUE, 7));
    OK(call(TDH_VP_INIT, vp[1], 0, 0, 0));
    CHECK(call(TDH_VP_INIT | VERSION(1), vp[2], 0, 3, 0),
          TDX_MAX_VCPUS_EXCEEDED);
    OK(call(TDH_MNG_RD, td.tdr, 0x9c10000200000001, 0, 0));
    CHECK(out.r[R_8], 7);
    OK(call(TDH_MNG_RD, td.tdr, 0x9c10000200000002, 0, 0));
    CHECK(out.r[R_8], 2);
    OK(call(TDH_MNG_RD, td.tdr, 0x9010000200000002, 0, 0));
    CHECK(out.r[R_8], 3);
    audit("vp init");
}

/* The index is the x2APIC id of version 0: another one may have that id. */
static void test_topology_ids(void)
{
    struct td_params p;
    struct ttd td;

    for (u64 version = 0; version < 2; version++) {
        td_to(&td, ST_CX);
        fill_topology(&p);
        MUST(mng_init(&td, &p));
        vp_init(&td, vp_create(&td), 1);
        OK(call(TDH_VP_INIT | VERSION(version), vp_create(&td), 0,
                version ? 0 : 99, 0));
        MUST(call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0));
        OK(tdcall(&td, TDG_VM_RD, 0, 0x9100000000000019, 0, 0));
        CHECK(tdcall_regs.gpr.r[R_8], version);
        CHECK(tdcall(&td, TDG_VM_WR, 0, 0x9110000300000017,
                     TD_CTLS_ENUM_TOPOLOGY, TD_CTLS_ENUM_TOPOLOGY),
              version ? TDX_SUCCESS : TDX_METADATA_FIELD_VALUE_NOT_VALID);
    }
}

/* A vCPU moves to another processor only after a flush. */
static void test_associate(void)
{
    u64 fields[] = { TDH_VP_RD, TDH_VP_WR, TDH_VP_ENTER };
    struct ttd td;

    td_to(&td, ST_RUN);
    sim_cur = 1;
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        CHECK(call(fields[i], td.tdvpr[0], 0x202000000000000b, 1, 1),
              TDX_VCPU_ASSOCIATED);
    }
    sim_cur = 0;
    OK(call(TDH_VP_FLUSH, td.tdvpr[0], 0, 0, 0));
    sim_cur = 1;
    CHECK(enter(&td), 1);
    OK(call(TDH_VP_RD, td.tdvpr[0], 0xa020000200000004, 0, 0));
    CHECK(out.r[R_8], 1);
    sim_cur = 0;
    CHECK(enter(&td), TDX_VCPU_ASSOCIATED);
    sim_cur = 1;
    CHECK(enter(&td), 1);
    OK(call(TDH_VP_FLUSH, td.tdvpr[0], 0, 0, 0));
    sim_cur = 0;
    CHECK(enter(&td), 1);
    audit("associate");
}

/* Two vCPUs of a TD on one processor do not see each other's translations. */
static void test_switch(void)
{
    struct ttd td;
    unsigned invepts;
    u64 vp;

    td_to(&td, ST_INIT);
    vp = vp_create(&td);
    vp_init(&td, vp, 1);
    MUST(call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0));
    CHECK(enter(&td), 1);
    CHECK(call(TDH_VP_ENTER, vp, 0, 0, 0), 1);
    invepts = sim.invepts;
    CHECK(call(TDH_VP_ENTER, vp, 0, 0, 0), 1);
    CHECK(sim.invepts, invepts);
    CHECK(enter(&td), 1);
    CHECK(sim.invepts, invepts + 1);
    audit("switch");
}

static void start_guest(struct guest_regs *g)
{
    CHECK(g->gpr.r[R_CX], 0x1234);
    CHECK(g->gpr.r[R_8], 0x1234);
    CHECK(g->gpr.r[R_BX], 48);
    CHECK(g->gpr.r[R_SI], 0);
    CHECK(g->gpr.r[R_AX] | g->gpr.r[R_DI] | g->gpr.r[R_BP] | g->gpr.r[R_9], 0);
    CHECK(plat_vmread(VMCS_RIP), 0xfffffff0);
    CHECK(plat_vmread(VMCS_CR0), 0x21);
    CHECK(plat_vmread(VMCS_CR4), 0x2040);
    CHECK(plat_vmread(VMCS_CR4_SHADOW) & BIT(13), 0);
    CHECK(plat_vmread(VMCS_EFER), 0x901);
    CHECK(plat_vmread(VMCS_HKID) >= SIM_FIRST_KEY, true);
    CHECK(plat_vmread(VMCS_PROC2) & BIT(1), BIT(1));
    sim_exit(1, 0);
}

static void test_start(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    sim_guest = start_guest;
    CHECK(enter(&td), 1);
    sim_guest = NULL;
}

void test_vp(void)
{
    test_create();
    test_init();
    test_topology_ids();
    test_associate();
    test_start();
    test_switch();
}
