/*
 * Tests of the TDX module: metadata fields
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include "lib.h"

#define NO_FIELD    (~0ULL)

/* What Linux reads, and what it wants to see */
static const struct {
    u64 id, value;
} sys_fields[] = {
    { 0x0800000100000003, 5 }, { 0x0800000100000004, 1 },
    { 0x0800000100000005, 6 }, { 0x0a00000300000008, TDX_FEATURES0 },
    { 0x9100000100000008, 64 }, { 0x9100000100000009, 16 },
    { 0x9100000100000010, 16 }, { 0x9100000100000011, 16 },
    { 0x9100000100000012, 16 }, { 0x9800000100000000, 4096 },
    { 0x9800000100000100, 6 * 4096 }, { 0x9800000100000200, 6 * 4096 },
    { 0x1900000300000000, ATTR_DEBUG | ATTR_SEPT_VE_DISABLE },
    { 0x1900000300000001, 0 }, { 0x1900000300000003, 3 },
    { 0x9900000100000004, NUM_CPUID_CONFIG }, { 0x9900000100000008, 576 },
    { 0x8900000100000000, 0 }, { 0x8900000100000003, HANDOFF_PAGES },
    { 0x9000000100000000, 2 }, { 0x9000000300000080, SIM_CMR },
    { 0x9000000300000101, SIM_SEAMRR - SIM_CMR - 0x40000000 },
    /* First and last configurable leaves */
    { 0x9900000300000400, 1 | 0xffffffffULL << 32 },
    { 0x990000030000040f, 0x80000008 | 0xffffffffULL << 32 },
    { 0x9900000300000500, 0x00ff00000fff3fff },
};

static void test_sys_rd(void)
{
    u64 id = NO_FIELD;
    unsigned n = 0;

    setup_ready();
    for (unsigned i = 0; i < ARRAY_SIZE(sys_fields); i++) {
        OK(call(TDH_SYS_RD, 0, sys_fields[i].id, 0, 0));
        CHECK(out.r[R_8], sys_fields[i].value);
    }
    CHECK(call(TDH_SYS_RD, 0, 0x9100000100000007, 0, 0),
          TDX_METADATA_FIELD_ID_INCORRECT);
    CHECK(out.r[R_DX], NO_FIELD);
    CHECK(call(TDH_SYS_RD, 0, 0x9900000300000410, 0, 0),
          TDX_METADATA_FIELD_ID_INCORRECT);
    CHECK(call(TDH_SYS_RD, 0, 0x1110000300000000, 0, 0),
          TDX_METADATA_FIELD_ID_INCORRECT);
    /* One leads to the next. */
    CHECK(call(TDH_SYS_RD, 0, NO_FIELD, 0, 0),
          TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT);
    for (id = out.r[R_DX]; id != NO_FIELD && n < 1000; id = out.r[R_DX]) {
        n += call(TDH_SYS_RD, 0, id, 0, 0) == TDX_SUCCESS ? 1 : 1000;
    }
    CHECK(n, 35 + 8 + 3 * NUM_CPUID_CONFIG + 2 * MAX_CMRS);
}

static void test_sys_rdall(void)
{
    u64 *page, values = 0, at = 1;

    setup_ready();
    CHECK(call(TDH_SYS_RDALL, 0, HOST_PAGE(6) + 8, NO_FIELD, 0),
          INVALID(OPND_RDX));
    CHECK(call(TDH_SYS_RDALL, 0, SIM_SEAMRR, NO_FIELD, 0), INVALID(OPND_RDX));
    CHECK(call(TDH_SYS_RDALL, 0, HOST_PAGE(6), 0x12345, 0),
          TDX_METADATA_FIELD_ID_INCORRECT);
    OK(call(TDH_SYS_RDALL, 0, HOST_PAGE(6), NO_FIELD, 0));
    CHECK(out.r[R_8], NO_FIELD);
    page = (u64 *)sim_mem(HOST_PAGE(6));
    for (u64 n = 0; n < (page[0] >> 16 & 0xffff); n++) {
        u64 count = ((page[at] >> 34 & 0xf) + 1) *
                    ((page[at] >> 38 & 0x1ff) + 1);

        values += count;
        at += 1 + count;
    }
    CHECK(at * 8, page[0] & 0xffff);
    CHECK(values, 35 + 8 + 3 * NUM_CPUID_CONFIG + 2 * MAX_CMRS);
    OK(call(TDH_SYS_RDALL, 0, HOST_PAGE(6), 0x9900000100000008, 0));
    CHECK(page[1] & 0xff000003ffffffff, 0x9900000100000008);
}

static u64 vp_rd(struct ttd *td, u64 id)
{
    return call(TDH_VP_RD, td->tdvpr[0], id, 0, 0);
}

static u64 vp_wr(struct ttd *td, u64 id, u64 v, u64 mask)
{
    return call(TDH_VP_WR, td->tdvpr[0], id, v, mask);
}

/* What KVM does with a vCPU: no size and no context in its field ids */
static void test_vp_fields(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    /* Posted interrupts need a vector and a descriptor. */
    OK(vp_rd(&td, 0x0002));
    CHECK(out.r[R_8], 0xffff);
    CHECK(vp_wr(&td, 0x4000, BIT(7), BIT(7)),
          status(TDX_TD_VMCS_FIELD_NOT_INITIALIZED, VMCS_POSTED_VECTOR));
    CHECK(vp_wr(&td, 0x0002, 0xf2, 0xff), TDX_METADATA_FIELD_VALUE_NOT_VALID);
    OK(vp_wr(&td, 0x0002, 0xf2, 0xffff));
    CHECK(vp_wr(&td, 0x4000, BIT(7), BIT(7)),
          status(TDX_TD_VMCS_FIELD_NOT_INITIALIZED, VMCS_POSTED_DESC));
    CHECK(vp_wr(&td, 0x2016, 0, BIT(0)), TDX_METADATA_FIELD_NOT_WRITABLE);
    OK(vp_rd(&td, 0x2016));
    CHECK(out.r[R_8], ~0ULL);
    OK(vp_wr(&td, 0x2016, HOST_PAGE(8), ~0ULL));
    OK(vp_wr(&td, 0x4000, BIT(7), BIT(7)));
    CHECK(plat_vmread(VMCS_PIN) & 0xff, BIT(0) | BIT(3) | BIT(5) | BIT(7));
    OK(vp_rd(&td, 0x4000));
    CHECK(out.r[R_8], BIT(7));
    OK(vp_wr(&td, 0x401e, BIT(30), BIT(30)));
    CHECK(out.r[R_8], 0);
    OK(vp_wr(&td, 0x4024, 1000, 0xffffffff));
    OK(vp_wr(&td, 0x203c, HOST_PAGE(9), ~0ULL));
    CHECK(plat_vmread(VMCS_SHARED_EPTP), HOST_PAGE(9));
    OK(vp_rd(&td, 0x203c));
    CHECK(out.r[R_8], HOST_PAGE(9));
    OK(vp_rd(&td, 0x2016));
    CHECK(out.r[R_8], HOST_PAGE(8));

    CHECK(vp_wr(&td, 0x4000, 0, BIT(0)), TDX_METADATA_FIELD_NOT_WRITABLE);
    CHECK(vp_wr(&td, 0x4000, 0, BIT(0) | BIT(7)),
          TDX_METADATA_FIELD_VALUE_NOT_VALID);
    CHECK(plat_vmread(VMCS_PIN) & 1, 1);
    CHECK(vp_wr(&td, 0x2016, HOST_PAGE(8) + 8, ~0ULL),
          TDX_METADATA_FIELD_VALUE_NOT_VALID);
    CHECK(vp_wr(&td, 0x2016, 5ULL << 46, ~0ULL),
          TDX_METADATA_FIELD_VALUE_NOT_VALID);
    CHECK(vp_wr(&td, 0x203c, SIM_SEAMRR, ~0ULL),
          TDX_METADATA_FIELD_VALUE_NOT_VALID);
    CHECK(vp_wr(&td, 0x203c, HOST_PAGE(9) + 6, ~0ULL),
          TDX_METADATA_FIELD_VALUE_NOT_VALID);
    CHECK(vp_wr(&td, 0x201a, 0, ~0ULL), TDX_METADATA_FIELD_NOT_WRITABLE);
    CHECK(vp_wr(&td, 0x6800, 0, ~0ULL), TDX_METADATA_FIELD_NOT_WRITABLE);
    CHECK(vp_rd(&td, 0x6800), TDX_METADATA_FIELD_NOT_READABLE);
    CHECK(vp_rd(&td, 0x681e), TDX_METADATA_FIELD_NOT_READABLE);
    CHECK(vp_rd(&td, 0x1020000300000000), TDX_METADATA_FIELD_NOT_READABLE);
    CHECK(vp_rd(&td, 0x6c00), TDX_METADATA_FIELD_ID_INCORRECT);
    CHECK(vp_rd(&td, 0x2017), TDX_METADATA_FIELD_ID_INCORRECT);

    /* A field that this processor does not have */
    sim.no_proc2 = BIT(31);
    CHECK(vp_rd(&td, 0x4024), TDX_METADATA_FIELD_NOT_READABLE);
    CHECK(vp_wr(&td, 0x4024, 1, 0xffffffff), TDX_METADATA_FIELD_NOT_READABLE);
    /* ... and controls */
    CHECK(vp_wr(&td, 0x401e, BIT(31), BIT(31)),
          TDX_METADATA_FIELD_VALUE_NOT_VALID);
    CHECK(plat_vmread(VMCS_PROC2) & BIT(31), 0);
    sim.no_proc2 = BIT(30);
    OK(vp_wr(&td, 0x401e, BIT(31), BIT(30) | BIT(31)));
    CHECK(vp_wr(&td, 0x401e, BIT(30), BIT(30)),
          TDX_METADATA_FIELD_VALUE_NOT_VALID);
    sim.no_proc2 = 0;

    /* An interrupt is pending */
    OK(vp_rd(&td, 0x9100000000000100));
    CHECK(out.r[R_8], 0);
    plat_vmwrite(VMCS_INTR_STATUS, 0x30);
    OK(vp_rd(&td, 0x9100000000000100));
    CHECK(out.r[R_8], 1);
    OK(call(TDH_VP_RD | VERSION(1), td.tdvpr[0], 0xa020000200000002, 0, 0));
    CHECK(out.r[R_8], 0);
    CHECK(out.r[R_DX], 0xa020000000000003);
}

static void test_debug_vp(void)
{
    struct ttd td;

    td_debug(true);
    td_to(&td, ST_RUN);
    td_debug(false);
    OK(vp_rd(&td, 0x681e));
    CHECK(out.r[R_8], 0xfffffff0);
    OK(vp_wr(&td, 0x681e, 0x1000, ~0ULL));
    CHECK(out.r[R_8], 0xfffffff0);
    CHECK(plat_vmread(VMCS_RIP), 0x1000);
    OK(vp_rd(&td, 0x1020000300000001));
    CHECK(out.r[R_8], 0x1234);
    OK(vp_wr(&td, 0x102000030000000f, 77, ~0ULL));
    OK(vp_rd(&td, 0x102000030000000f));
    CHECK(out.r[R_8], 77);
    /* Active only: entries of others may fail, or never end. */
    OK(vp_rd(&td, 0x4826));
    CHECK(out.r[R_8], 0);
    for (u64 state = 1; state < 5; state++) {
        CHECK(vp_wr(&td, 0x4826, state, 0xffffffff),
              TDX_METADATA_FIELD_VALUE_NOT_VALID);
    }
    OK(vp_wr(&td, 0x4826, 0, 0xffffffff));
    CHECK(plat_vmread(VMCS_ACTIVITY), 0);
    OK(vp_wr(&td, 0x4824, 8, 0xffffffff));
    /* RSP is the VMCS's. */
    CHECK(vp_rd(&td, 0x1020000300000004), TDX_METADATA_FIELD_ID_INCORRECT);
}

static void test_td_fields(void)
{
    struct ttd td;
    u64 n = 0, id;

    td_to(&td, ST_RUN);
    CHECK(call(TDH_MNG_RD, td.tdr, 0x1310000300000040, 0, 0),
          TDX_METADATA_FIELD_NOT_READABLE);
    CHECK(call(TDH_MNG_RD, td.tdr, 0x9110000300000017, 0, 0),
          TDX_METADATA_FIELD_NOT_READABLE);
    CHECK(call(TDH_MNG_RD, td.tdr, 0x7f10000300000000, 0, 0),
          TDX_METADATA_FIELD_ID_INCORRECT);
    CHECK(call(TDH_MNG_WR, td.tdr, 0x1110000300000000, 0, ~0ULL),
          TDX_METADATA_FIELD_NOT_WRITABLE);
    CHECK(call(TDH_MNG_WR, td.tdr, 0x9110000300000011, 9999, ~0ULL),
          TDX_METADATA_FIELD_VALUE_NOT_VALID);
    OK(call(TDH_MNG_WR, td.tdr, 0x9110000300000011, 20000, ~0ULL));
    CHECK(out.r[R_8], 1000000);
    OK(call(TDH_MNG_RD, td.tdr, 0x9110000300000011, 0, 0));
    CHECK(out.r[R_8], 20000);
    CHECK(call(TDH_MNG_RD | VERSION(1), td.tdr, NO_FIELD, 0, 0),
          TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT);
    for (id = out.r[R_DX]; (id >> 56) != 0x94 && n < 1000;
         id = out.r[R_DX], n++) {
        OK(call(TDH_MNG_RD | VERSION(1), td.tdr, id, 0, 0));
    }
    CHECK(n > 30, true);
    /* Version 0 does not say what is next. */
    OK(call(TDH_MNG_RD, td.tdr, 0x1110000300000000, 0, 0));
    CHECK(out.r[R_DX], 0x1110000300000000);
}

static void test_guest(void)
{
    struct ttd td;

    td_to(&td, ST_RUN);
    OK(tdcall(&td, TDG_VM_RD, 0, 0x1110000300000016, 0, 0));
    CHECK(tdcall_regs.gpr.r[R_8], CONFIG_NO_RBP_MOD);
    OK(tdcall(&td, TDG_VM_RD, 0, 0x9110000300000017, 0, 0));
    CHECK(tdcall_regs.gpr.r[R_8], TD_CTLS_PENDING_VE_DISABLE);
    OK(tdcall(&td, TDG_VM_RD | VERSION(1), 0, 0x1110000300000000, 0, 0));
    CHECK(tdcall_regs.gpr.r[R_DX], 0x1110000300000001);
    /* As Linux asks: whether a field is architectural does not matter. */
    OK(tdcall(&td, TDG_VM_RD, 0, 0x9110000300000016, 0, 0));
    OK(tdcall(&td, TDG_VM_RD, 0, 0x9100000000000019, 0, 0));
    CHECK(tdcall(&td, TDG_VM_RD, 1, 0x1110000300000016, 0, 0),
          INVALID(OPND_RCX));
    CHECK(tdcall(&td, TDG_VM_RD, 0, 0x8110000100000001, 0, 0),
          TDX_METADATA_FIELD_NOT_READABLE);
    CHECK(tdcall(&td, TDG_VM_RD, 0, 0x111000030000000a, 0, 0),
          TDX_METADATA_FIELD_NOT_READABLE);
    /* NOTIFY_ENABLES */
    OK(tdcall(&td, TDG_VM_WR, 0, 0x9110000300000010, 1, 1));
    CHECK(tdcall(&td, TDG_VM_WR, 0, 0x9110000300000010, 2, 2),
          TDX_METADATA_FIELD_NOT_WRITABLE);
    CHECK(tdcall(&td, TDG_VM_WR, 0, 0x1110000300000000, 1, 1),
          TDX_METADATA_FIELD_NOT_WRITABLE);
    /* Flexible #VE of pending pages is not configured, nor is topology. */
    CHECK(tdcall(&td, TDG_VM_WR, 0, 0x9110000300000017, 0, 1),
          TDX_METADATA_FIELD_VALUE_NOT_VALID);
    CHECK(tdcall(&td, TDG_VM_WR, 0, 0x9110000300000017, 2, 2),
          TDX_METADATA_FIELD_VALUE_NOT_VALID);
    CHECK(tdcall(&td, TDG_VM_WR, 0, 0x9110000300000017, 8, 8),
          TDX_METADATA_FIELD_NOT_WRITABLE);

    OK(tdcall(&td, TDG_VP_RD, 0, 0xa020000200000002, 0, 0));
    CHECK(tdcall_regs.gpr.r[R_8], 0);
    CHECK(tdcall(&td, TDG_VP_RD, 0, 0x1020000300000000, 0, 0),
          TDX_METADATA_FIELD_NOT_READABLE);
    OK(tdcall(&td, TDG_VP_WR, 0, 0xa020000000000008, 1, 1));
    OK(tdcall(&td, TDG_VP_RD, 0, 0xa020000000000008, 0, 0));
    CHECK(tdcall_regs.gpr.r[R_8], 1);
    CHECK(tdcall(&td, TDG_VP_WR, 0, 0x202000000000000b, 1, 1),
          TDX_METADATA_FIELD_NOT_WRITABLE);
    CHECK(tdcall(&td, TDG_VP_WR, 0, 0x203c, HOST_PAGE(1), ~0ULL),
          TDX_METADATA_FIELD_NOT_WRITABLE);
    CHECK(tdcall(&td, TDG_VP_WR, 1, 0, 0, 0), INVALID(OPND_RCX));

    OK(tdcall(&td, TDG_SYS_RD, 0, 0x0800000100000004, 0, 0));
    CHECK(tdcall_regs.gpr.r[R_8], 1);
    CHECK(tdcall(&td, TDG_SYS_RD, 0, 0x9100000100000008, 0, 0),
          TDX_METADATA_FIELD_NOT_READABLE);
}

void test_meta(void)
{
    test_sys_rd();
    test_sys_rdall();
    test_vp_fields();
    test_debug_vp();
    test_td_fields();
    test_guest();
}
