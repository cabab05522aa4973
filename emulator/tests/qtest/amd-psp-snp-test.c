/*
 * AMD Secure Processor: SEV-SNP guests and pages
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "amd-psp.h"
#include "hw/misc/amd-sev-fw-msg.h"

#define DEFAULT ",x-ignore=iommu"

static void start(Psp *p)
{
    psp_start(p, DEFAULT);
    psp_snp_init(p);
}

/* A guest in the LAUNCH state, active */
static void start_launch(Psp *p)
{
    start(p);
    psp_new_guest(p, T_GCTX, T_POLICY, T_ASID);
}

static void test_gctx_create(void)
{
    Psp p;

    start(&p);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_GCTX_CREATE, T_GCTX + 8),
               INVALID_PARAM);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_GCTX_CREATE, 0xfee00000),
               INVALID_ADDRESS);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_GCTX_CREATE, T_GCTX),
               INVALID_PAGE_STATE);
    psp_set_rmp(&p, T_GCTX, RMP_RECLAIM);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_GCTX_CREATE, T_GCTX),
               INVALID_PAGE_STATE);
    psp_set_rmp(&p, T_HUGE, RMP_FIRMWARE | RMP_2M);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_GCTX_CREATE, T_HUGE),
               INVALID_PAGE_SIZE);
    psp_set_rmp(&p, T_GCTX, RMP_FIRMWARE);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_GCTX_CREATE, T_GCTX), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_GCTX), ==, RMP_CONTEXT);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_GCTX_CREATE, T_GCTX),
               INVALID_PAGE_STATE);
    psp_stop(&p);
}

/* A context is valid only in a Context page that only firmware has written. */
static void test_context(void)
{
    Psp p;

    start(&p);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY), INVALID_GUEST);
    psp_set_rmp(&p, T_GCTX, RMP_CONTEXT);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY), INVALID_GUEST);
    psp_gctx_create(&p, T_GCTX);
    psp_assert(psp_launch_start(&p, T_GCTX + 0x10, T_POLICY), INVALID_PARAM);
    psp_set_rmp(&p, T_GCTX, RMP_FIRMWARE);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY), INVALID_GUEST);
    psp_set_rmp(&p, T_GCTX, RMP_CONTEXT);
    qtest_writeq(p.qts, T_GCTX, 0);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY), INVALID_GUEST);
    psp_stop(&p);
}

static void test_launch_start(void)
{
    static const uint64_t bad[] = {
        SNP_POLICY_SMT,                             /* not MBO */
        T_POLICY | 0x0200,                          /* ABI 2.0 */
        T_POLICY | 0x01ff,
        T_POLICY | 1ull << 40,
        T_POLICY | SNP_POLICY_CXL_ALLOW,
        T_POLICY | SNP_POLICY_AES_256_XTS,
        T_POLICY | SNP_POLICY_RAPL_DIS,
        T_POLICY | SNP_POLICY_CIPHERTEXT_HIDING,
    };
    SnpBufLaunchStart buf = { .gctx_paddr = T_GCTX, .policy = T_POLICY };
    size_t i;
    Psp p;

    start(&p);
    psp_gctx_create(&p, T_GCTX);
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        psp_assert(psp_launch_start(&p, T_GCTX, bad[i]), POLICY_FAILURE);
    }
    buf.flags = 4;
    psp_assert(PSP_CMD(&p, SNP_LAUNCH_START, &buf), INVALID_PARAM);
    /* A migration agent that the policy forbids, and one that is not a guest */
    buf.flags = SNP_LAUNCH_MA_EN;
    psp_assert(PSP_CMD(&p, SNP_LAUNCH_START, &buf), POLICY_FAILURE);
    buf.policy |= SNP_POLICY_MIGRATE_MA;
    buf.ma_gctx_paddr = T_GCTX2;
    psp_assert(PSP_CMD(&p, SNP_LAUNCH_START, &buf), INVALID_GUEST);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY | 0x0133), SUCCESS);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY), INVALID_GUEST_STATE);
    psp_stop(&p);
}

static void test_activate(void)
{
    Psp p;

    start(&p);
    psp_gctx_create(&p, T_GCTX);
    psp_gctx_create(&p, T_GCTX2);
    psp_assert(psp_activate(&p, T_GCTX, T_ASID), INVALID_GUEST_STATE);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY), SUCCESS);
    psp_assert(psp_launch_start(&p, T_GCTX2, T_POLICY), SUCCESS);
    psp_assert(psp_activate(&p, T_GCTX, 0), INVALID_ASID);
    psp_assert(psp_activate(&p, T_GCTX, 0x7fff), INVALID_ASID);
    psp_assert(psp_activate(&p, T_GCTX, T_SEV_ASID), INVALID_ASID);
    psp_assert(psp_activate(&p, T_GCTX, T_ASID), SUCCESS);
    psp_assert(psp_activate(&p, T_GCTX, T_ASID + 1), ACTIVE);
    psp_assert(psp_activate(&p, T_GCTX2, T_ASID), ASID_OWNED);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_DECOMMISSION, T_GCTX), SUCCESS);

    /* Caches have to be flushed before another guest gets the ASID. */
    psp_assert(psp_activate(&p, T_GCTX2, T_ASID), DFFLUSH_REQUIRED);
    psp_assert(PSP_CMD0(&p, SNP_DF_FLUSH), WBINVD_REQUIRED);
    psp_wbinvd(&p);
    psp_assert(psp_activate(&p, T_GCTX2, T_ASID), DFFLUSH_REQUIRED);
    psp_assert(PSP_CMD0(&p, SNP_DF_FLUSH), SUCCESS);
    psp_assert(psp_activate(&p, T_GCTX2, T_ASID), SUCCESS);
    /* This guest could not run yet: its ASID needs no flush. */
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_DECOMMISSION, T_GCTX2), SUCCESS);
    psp_gctx_create(&p, T_GCTX);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY), SUCCESS);
    psp_assert(psp_activate(&p, T_GCTX, T_ASID), SUCCESS);
    psp_stop(&p);
}

/* An ASID that pages are still assigned to is not activated. */
static void test_activate_rmp(void)
{
    static const uint64_t pages[] = {
        RMP_GUEST_VALID(T_ASID, 0x1000), RMP_PRE_GUEST(T_ASID, 0x1000),
        RMP_ASSIGNED | RMP_ASID(T_ASID),
        RMP_ASSIGNED | RMP_ASID(T_ASID) | RMP_2M,
    };
    SnpBufActivateEx ex = {
        .length = sizeof(ex), .gctx_paddr = T_GCTX, .asid = T_ASID,
    };
    size_t i;
    Psp p;

    start(&p);
    psp_gctx_create(&p, T_GCTX);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY), SUCCESS);
    for (i = 0; i < ARRAY_SIZE(pages); i++) {
        psp_set_rmp(&p, T_HUGE, pages[i]);
        psp_assert(psp_activate(&p, T_GCTX, T_ASID), INVALID_CONFIG);
        psp_assert(PSP_CMD(&p, SNP_ACTIVATE_EX, &ex), INVALID_CONFIG);
    }
    /* Pages of other ASIDs, and unassigned pages, do not matter. */
    psp_set_rmp(&p, T_PAGE, RMP_GUEST_VALID(T_ASID + 1, 0x1000));
    psp_set_rmp(&p, T_HUGE, RMP_ASID(T_ASID));
    psp_assert(psp_activate(&p, T_GCTX, T_ASID), SUCCESS);
    psp_stop(&p);
}

static void test_activate_ex(void)
{
    SnpBufActivateEx buf = {
        .length = sizeof(buf) - 1, .gctx_paddr = T_GCTX, .asid = T_ASID,
    };
    Psp p;

    start(&p);
    psp_gctx_create(&p, T_GCTX);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_ACTIVATE_EX, &buf), INVALID_LENGTH);
    buf.length = sizeof(buf);
    buf.reserved = 1;
    psp_assert(PSP_CMD(&p, SNP_ACTIVATE_EX, &buf), INVALID_PARAM);
    buf.reserved = 0;
    buf.numids = 0x10000;
    psp_assert(PSP_CMD(&p, SNP_ACTIVATE_EX, &buf), INVALID_PARAM);
    buf.numids = 1;
    buf.id_paddr = 0xfee00000;
    psp_assert(PSP_CMD(&p, SNP_ACTIVATE_EX, &buf), INVALID_ADDRESS);
    buf.id_paddr = T_HV;
    psp_assert(PSP_CMD(&p, SNP_ACTIVATE_EX, &buf), SUCCESS);
    psp_stop(&p);
}

static void test_decommission(void)
{
    Psp p;

    start_launch(&p);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_DECOMMISSION, T_GCTX2),
               INVALID_GUEST);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_DECOMMISSION, T_GCTX), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_GCTX), ==, RMP_FIRMWARE);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_DECOMMISSION, T_GCTX),
               INVALID_GUEST);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_RECLAIM, T_GCTX), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_GCTX), ==, RMP_RECLAIM);
    psp_stop(&p);
}

static void test_guest_status(void)
{
    SnpBufGuestStatus buf = { .gctx_paddr = T_GCTX, .address = T_HV };
    SnpGuestStatus st;
    Psp p;

    start_launch(&p);
    psp_assert(PSP_CMD(&p, SNP_GUEST_STATUS, &buf), INVALID_PAGE_STATE);
    buf.address = T_OUT;
    psp_assert(PSP_CMD(&p, SNP_GUEST_STATUS, &buf), SUCCESS);
    qtest_memread(p.qts, T_OUT, &st, sizeof(st));
    g_assert_cmphex(st.policy, ==, T_POLICY);
    g_assert_cmpuint(st.asid, ==, T_ASID);
    g_assert_cmpuint(st.state, ==, SNP_GSTATE_LAUNCH);
    buf.address = T_OUT2 - 8;
    psp_assert(PSP_CMD(&p, SNP_GUEST_STATUS, &buf), INVALID_PARAM);
    psp_stop(&p);
}

/* Requirements of LAUNCH_UPDATE on the guest and on the page */
static void test_launch_update_checks(void)
{
    Psp p;

    start(&p);
    psp_gctx_create(&p, T_GCTX);
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, 1, 0),
               INVALID_GUEST_STATE);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY), SUCCESS);
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, 1, 0), INACTIVE);
    psp_assert(psp_activate(&p, T_GCTX, T_ASID), SUCCESS);
    psp_set_rmp(&p, T_PAGE, RMP_PRE_GUEST(T_ASID, 0x5000));

    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, 0, 0), INVALID_PARAM);
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, 7, 0), INVALID_PARAM);
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, 1, 1 << 8),
               INVALID_PARAM);
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE + 16, 1, 0),
               INVALID_PARAM);
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, 1, SNP_UPDATE_PAGE_2M),
               INVALID_PARAM);
    psp_assert(psp_launch_update(&p, T_GCTX, T_HV, 1, 0), INVALID_PAGE_STATE);
    psp_set_rmp(&p, T_PAGE, RMP_GUEST_VALID(T_ASID, 0x5000));
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, 1, 0),
               INVALID_PAGE_STATE);
    psp_set_rmp(&p, T_PAGE, RMP_PRE_GUEST(T_ASID + 1, 0x5000));
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, 1, 0),
               INVALID_PAGE_OWNER);
    psp_set_rmp(&p, T_HUGE, RMP_PRE_GUEST(T_ASID, 0x200000) | RMP_2M);
    psp_assert(psp_launch_update(&p, T_GCTX, T_HUGE, 1, 0),
               INVALID_PAGE_SIZE);
    psp_assert(psp_launch_update(&p, T_GCTX, T_HUGE, SNP_PAGE_TYPE_VMSA,
                                 SNP_UPDATE_PAGE_2M), INVALID_PAGE_SIZE);
    psp_stop(&p);
}

static void test_launch_update_pages(void)
{
    Psp p;

    start_launch(&p);
    psp_set_rmp(&p, T_PAGE, RMP_PRE_GUEST(T_ASID, 0x5000));
    qtest_memset(p.qts, T_PAGE, 0x5a, 0x1000);
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, SNP_PAGE_TYPE_NORMAL, 0),
               SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_PAGE), ==, RMP_GUEST_VALID(T_ASID, 0x5000));

    psp_set_rmp(&p, T_PAGE, RMP_PRE_GUEST(T_ASID, 0x6000));
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, SNP_PAGE_TYPE_VMSA, 0),
               SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_PAGE), ==,
                    RMP_GUEST_VALID(T_ASID, 0x6000) | RMP_VMSA);

    psp_set_rmp(&p, T_HUGE, RMP_PRE_GUEST(T_ASID, 0x200000) | RMP_2M);
    psp_assert(psp_launch_update(&p, T_GCTX, T_HUGE, SNP_PAGE_TYPE_ZERO,
                                 SNP_UPDATE_PAGE_2M), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_HUGE), ==,
                    RMP_GUEST_VALID(T_ASID, 0x200000) | RMP_2M);
    psp_stop(&p);
}

/* A CPUID page with features that the machine lacks is corrected. */
static void test_cpuid_page(void)
{
    SnpCpuidTable table = { .count = 2 };
    Psp p;

    start_launch(&p);
    table.fn[0].eax_in = 0x80000000;
    table.fn[0].eax = 0x8000001f;
    table.fn[0].ebx = 0x68747541;
    table.fn[0].ecx = 0x444d4163;
    table.fn[0].edx = 0x69746e65;
    table.fn[1].eax_in = 7;
    table.fn[1].edx = 1u << 22;             /* AMX-BF16 */
    psp_set_rmp(&p, T_PAGE, RMP_PRE_GUEST(T_ASID, 0x5000));
    qtest_memwrite(p.qts, T_PAGE, &table, sizeof(table));
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, SNP_PAGE_TYPE_CPUID, 0),
               INVALID_PARAM);
    g_assert_cmphex(psp_rmp(&p, T_PAGE), ==, RMP_PRE_GUEST(T_ASID, 0x5000));
    qtest_memread(p.qts, T_PAGE, &table, sizeof(table));
    g_assert_cmphex(table.fn[0].ebx, ==, 0x68747541);
    g_assert_cmphex(table.fn[1].edx, ==, 0);
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, SNP_PAGE_TYPE_CPUID, 0),
               SUCCESS);

    psp_set_rmp(&p, T_PAGE, RMP_PRE_GUEST(T_ASID, 0x5000));
    table.count = SNP_CPUID_MAX + 1;
    qtest_memwrite(p.qts, T_PAGE, &table, sizeof(table));
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, SNP_PAGE_TYPE_CPUID, 0),
               INVALID_PARAM);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_RECLAIM, T_PAGE), SUCCESS);
    psp_stop(&p);
}

static void test_launch_finish(void)
{
    SnpBufLaunchFinish buf = { .gctx_paddr = T_GCTX, .flags = 1 << 3 };
    Psp p;

    start(&p);
    psp_gctx_create(&p, T_GCTX);
    psp_assert(psp_launch_finish(&p, T_GCTX), INVALID_GUEST_STATE);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY), SUCCESS);
    psp_assert(psp_launch_finish(&p, T_GCTX), INACTIVE);
    psp_assert(psp_activate(&p, T_GCTX, T_ASID), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_LAUNCH_FINISH, &buf), INVALID_PARAM);
    /* An author's key without an ID block has no meaning. */
    buf.flags = SNP_FINISH_AUTHOR_KEY;
    psp_assert(PSP_CMD(&p, SNP_LAUNCH_FINISH, &buf), SUCCESS);
    psp_assert(psp_launch_finish(&p, T_GCTX), INVALID_GUEST_STATE);
    psp_stop(&p);
}

/* A guest with an initial migration image: no other pages, no LAUNCH_FINISH */
static void test_launch_imi(void)
{
    SnpBufLaunchStart buf = {
        .gctx_paddr = T_GCTX, .policy = T_POLICY, .flags = SNP_LAUNCH_IMI_EN,
    };
    Psp p;

    start(&p);
    psp_gctx_create(&p, T_GCTX);
    psp_assert(PSP_CMD(&p, SNP_LAUNCH_START, &buf), SUCCESS);
    psp_assert(psp_activate(&p, T_GCTX, T_ASID), SUCCESS);
    psp_set_rmp(&p, T_PAGE, RMP_PRE_GUEST(T_ASID, 0x5000));
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, 1, 0), INVALID_PARAM);
    psp_assert(psp_launch_update(&p, T_GCTX, T_PAGE, 1, SNP_UPDATE_IMI),
               SUCCESS);
    psp_assert(psp_launch_finish(&p, T_GCTX), INVALID_GUEST_STATE);
    /* Other guests may have such pages. */
    psp_new_guest(&p, T_GCTX2, T_POLICY, T_ASID + 1);
    psp_set_rmp(&p, T_PAGE, RMP_PRE_GUEST(T_ASID + 1, 0x5000));
    psp_assert(psp_launch_update(&p, T_GCTX2, T_PAGE, 1, SNP_UPDATE_IMI),
               SUCCESS);
    psp_stop(&p);
}

static void test_page_reclaim(void)
{
    static const struct {
        uint64_t entry;
        uint16_t status;
        uint64_t left;
    } table[] = {
        { RMP_HYPERVISOR, SEV_STATUS_SUCCESS, RMP_HYPERVISOR },
        { RMP_HV_FIXED, SEV_STATUS_INVALID_PAGE_STATE, RMP_HV_FIXED },
        { RMP_RECLAIM, SEV_STATUS_SUCCESS, RMP_RECLAIM },
        { RMP_CONTEXT, SEV_STATUS_INVALID_PAGE_STATE, RMP_CONTEXT },
        { RMP_GUEST_VALID(1, 0x1000), SEV_STATUS_SUCCESS,
          RMP_GUEST_VALID(1, 0x1000) },
        { RMP_FIRMWARE, SEV_STATUS_SUCCESS, RMP_RECLAIM },
        { RMP_FIRMWARE | RMP_GPA(0x1000), SEV_STATUS_SUCCESS, RMP_RECLAIM },
        { RMP_PRE_GUEST(1, 0x1000), SEV_STATUS_SUCCESS,
          RMP_GUEST_VALID(1, 0x1000) & ~RMP_VALIDATED },
        { RMP_PRE_GUEST(1, 0x1000) | RMP_VALIDATED, SEV_STATUS_SUCCESS,
          RMP_GUEST_VALID(1, 0x1000) },
    };
    size_t i;
    Psp p;

    start(&p);
    for (i = 0; i < ARRAY_SIZE(table); i++) {
        psp_set_rmp(&p, T_PAGE, table[i].entry);
        g_assert_cmphex(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_RECLAIM, T_PAGE), ==,
                        table[i].status);
        g_assert_cmphex(psp_rmp(&p, T_PAGE), ==, table[i].left);
    }
    psp_set_rmp(&p, T_PAGE, RMP_FIRMWARE);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_RECLAIM, T_PAGE | 1),
               INVALID_PARAM);
    psp_set_rmp(&p, T_HUGE, RMP_FIRMWARE | RMP_2M);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_RECLAIM, T_HUGE),
               INVALID_PAGE_SIZE);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_RECLAIM, T_HUGE | 1),
               SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_HUGE), ==, RMP_RECLAIM | RMP_2M);
    psp_stop(&p);
}

/* Pages of one guest, in one state, that are also 2 MiB aligned in the guest */
static void set_whole(Psp *p, uint64_t flags, uint64_t gpa)
{
    uint64_t at;

    for (at = 0; at < 0x200000; at += 0x1000) {
        psp_set_rmp(p, T_HUGE + at, RMP_PRE_GUEST(1, gpa + at) | flags);
    }
}

static void test_page_unsmash(void)
{
    static const uint64_t odd[] = {
        RMP_PRE_GUEST(2, 0x203000),
        RMP_PRE_GUEST(1, 0x204000),
        RMP_PRE_GUEST(1, 0x203000) | RMP_VALIDATED,
        RMP_GUEST_VALID(1, 0x203000) & ~RMP_VALIDATED,
        RMP_FIRMWARE,
    };
    size_t i;
    Psp p;

    start(&p);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_UNSMASH, T_PAGE),
               INVALID_PARAM);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_UNSMASH, T_HUGE),
               INVALID_PAGE_STATE);
    set_whole(&p, 0, 0x1000);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_UNSMASH, T_HUGE),
               INVALID_PAGE_STATE);
    set_whole(&p, 0, 0x200000);
    for (i = 0; i < ARRAY_SIZE(odd); i++) {
        psp_set_rmp(&p, T_HUGE + 0x3000, odd[i]);
        psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_UNSMASH, T_HUGE),
                   INVALID_PAGE_STATE);
    }
    psp_set_rmp(&p, T_HUGE + 0x3000, RMP_PRE_GUEST(1, 0x203000));
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_UNSMASH, T_HUGE), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_HUGE), ==,
                    RMP_PRE_GUEST(1, 0x200000) | RMP_2M);

    psp_set_rmp(&p, T_HUGE, RMP_HYPERVISOR);
    set_whole(&p, RMP_VALIDATED, 0x200000);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_UNSMASH, T_HUGE), SUCCESS);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_RECLAIM, T_HUGE | 1),
               SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_HUGE), ==,
                    RMP_GUEST_VALID(1, 0x200000) | RMP_2M);
    psp_stop(&p);
}

static void test_page_set_state(void)
{
    struct QEMU_PACKED {
        SnpRangeList head;
        SnpRange range[2];
    } list = {
        .head = { .num_elements = 2 },
        .range = { { T_HV, 1 }, { T_PAGE, 1 } },
    };
    SnpBufSetState buf = { .length = 8, .list_paddr = T_LIST };
    Psp p;

    start(&p);
    qtest_memwrite(p.qts, T_LIST, &list, sizeof(list));
    psp_assert(PSP_CMD(&p, SNP_PAGE_SET_STATE, &buf), INVALID_LENGTH);
    buf.length = sizeof(buf);
    buf.list_paddr += 8;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SET_STATE, &buf), INVALID_ADDRESS);
    buf.list_paddr -= 8;
    /* All pages, or none */
    psp_set_rmp(&p, T_PAGE, RMP_PRE_GUEST(1, 0x1000));
    psp_assert(PSP_CMD(&p, SNP_PAGE_SET_STATE, &buf), INVALID_PAGE_STATE);
    g_assert_cmphex(psp_rmp(&p, T_HV), ==, RMP_HYPERVISOR);
    psp_set_rmp(&p, T_PAGE, RMP_FIRMWARE);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SET_STATE, &buf), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_HV), ==, RMP_HV_FIXED);
    g_assert_cmphex(psp_rmp(&p, T_PAGE), ==, RMP_HV_FIXED);
    psp_stop(&p);
}

static void test_page_md_init(void)
{
    SnpBufMdInit buf = { .gctx_paddr = T_GCTX, .page_paddr = T_HV };
    Psp p;

    start_launch(&p);
    psp_assert(PSP_CMD(&p, SNP_PAGE_MD_INIT, &buf), INVALID_PAGE_STATE);
    buf.page_paddr = T_OUT;
    psp_assert(PSP_CMD(&p, SNP_PAGE_MD_INIT, &buf), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_OUT), ==, RMP_FIRMWARE | RMP_GPA(T_GCTX));
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_RECLAIM, T_OUT), SUCCESS);
    psp_stop(&p);
}

static void test_page_move(void)
{
    SnpBufPageMove buf = {
        .gctx_paddr = T_GCTX, .src_paddr = T_PAGE, .dst_paddr = T_HV,
    };
    Psp p;

    start_launch(&p);
    psp_set_rmp(&p, T_PAGE, RMP_GUEST_VALID(T_ASID, 0x7000));
    psp_assert(PSP_CMD(&p, SNP_PAGE_MOVE, &buf), INVALID_PAGE_STATE);
    psp_set_rmp(&p, T_PAGE, RMP_PRE_GUEST(T_ASID, 0x7000) | RMP_VALIDATED);
    psp_assert(PSP_CMD(&p, SNP_PAGE_MOVE, &buf), INVALID_PAGE_STATE);
    psp_set_rmp(&p, T_HV, RMP_PRE_GUEST(T_ASID + 1, 0x7000));
    psp_assert(PSP_CMD(&p, SNP_PAGE_MOVE, &buf), INVALID_PAGE_OWNER);
    psp_set_rmp(&p, T_HV, RMP_PRE_GUEST(T_ASID, 0x7000));
    psp_assert(PSP_CMD(&p, SNP_PAGE_MOVE, &buf), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_HV), ==, RMP_GUEST_VALID(T_ASID, 0x7000));
    g_assert_cmphex(psp_rmp(&p, T_PAGE), ==,
                    RMP_GUEST_VALID(T_ASID, 0x7000) & ~RMP_VALIDATED);
    psp_stop(&p);
}

static void test_debug(void)
{
    SnpBufDbg enc = {
        .gctx_paddr = T_GCTX, .src_address = T_HV, .dst_address = T_PAGE,
    };
    SnpBufDbg dec = {
        .gctx_paddr = T_GCTX, .src_address = T_PAGE, .dst_address = T_OUT,
    };
    Psp p;

    start(&p);
    psp_gctx_create(&p, T_GCTX);
    psp_gctx_create(&p, T_GCTX2);
    psp_assert(PSP_CMD(&p, SNP_DBG_ENCRYPT, &enc), INVALID_GUEST_STATE);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY | SNP_POLICY_DEBUG),
               SUCCESS);
    psp_assert(psp_launch_start(&p, T_GCTX2, T_POLICY), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_DBG_ENCRYPT, &enc), INACTIVE);
    psp_assert(psp_activate(&p, T_GCTX, T_ASID), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_DBG_ENCRYPT, &enc), INVALID_PAGE_STATE);
    psp_set_rmp(&p, T_PAGE, RMP_GUEST_VALID(T_ASID + 1, 0x1000));
    psp_assert(PSP_CMD(&p, SNP_DBG_ENCRYPT, &enc), INVALID_PAGE_OWNER);
    psp_set_rmp(&p, T_PAGE, RMP_GUEST_VALID(T_ASID, 0x1000));
    qtest_memset(p.qts, T_HV, 0xc3, 0x1000);
    psp_assert(PSP_CMD(&p, SNP_DBG_ENCRYPT, &enc), SUCCESS);
    qtest_memset(p.qts, T_HV, 0, 0x1000);
    dec.dst_address = T_LIST;
    psp_assert(PSP_CMD(&p, SNP_DBG_DECRYPT, &dec), INVALID_PAGE_STATE);
    dec.dst_address = T_OUT;
    psp_assert(PSP_CMD(&p, SNP_DBG_DECRYPT, &dec), SUCCESS);
    g_assert_cmphex(qtest_readl(p.qts, T_OUT + 0xffc), ==, 0xc3c3c3c3);
    dec.gctx_paddr = enc.gctx_paddr = T_GCTX2;
    psp_assert(PSP_CMD(&p, SNP_DBG_DECRYPT, &dec), POLICY_FAILURE);
    psp_assert(PSP_CMD(&p, SNP_DBG_ENCRYPT, &enc), POLICY_FAILURE);
    psp_stop(&p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/amd-psp/snp/gctx-create", test_gctx_create);
    qtest_add_func("/amd-psp/snp/context", test_context);
    qtest_add_func("/amd-psp/snp/launch-start", test_launch_start);
    qtest_add_func("/amd-psp/snp/activate", test_activate);
    qtest_add_func("/amd-psp/snp/activate-ex", test_activate_ex);
    qtest_add_func("/amd-psp/snp/activate-rmp", test_activate_rmp);
    qtest_add_func("/amd-psp/snp/decommission", test_decommission);
    qtest_add_func("/amd-psp/snp/guest-status", test_guest_status);
    qtest_add_func("/amd-psp/snp/launch-update/checks",
                   test_launch_update_checks);
    qtest_add_func("/amd-psp/snp/launch-update/pages",
                   test_launch_update_pages);
    qtest_add_func("/amd-psp/snp/launch-update/cpuid", test_cpuid_page);
    qtest_add_func("/amd-psp/snp/launch-finish", test_launch_finish);
    qtest_add_func("/amd-psp/snp/launch-imi", test_launch_imi);
    qtest_add_func("/amd-psp/snp/page/reclaim", test_page_reclaim);
    qtest_add_func("/amd-psp/snp/page/unsmash", test_page_unsmash);
    qtest_add_func("/amd-psp/snp/page/set-state", test_page_set_state);
    qtest_add_func("/amd-psp/snp/page/md-init", test_page_md_init);
    qtest_add_func("/amd-psp/snp/page/move", test_page_move);
    qtest_add_func("/amd-psp/snp/debug", test_debug);
    return g_test_run();
}
