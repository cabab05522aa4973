/*
 * AMD Secure Processor: SEV and SEV-ES
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "amd-psp-sev.h"

#define NV_LEN      0x8000

static uint8_t platform_state(Psp *p, uint32_t *guests)
{
    SevBufStatus st = { 0 };

    psp_assert(PSP_CMD(p, PLATFORM_STATUS, &st), SUCCESS);
    if (guests) {
        *guests = st.guest_count;
    }
    return st.state;
}

static void test_init(void)
{
    SevBufInit buf = { .flags = 2 };
    Psp p;

    psp_start(&p, "");
    g_assert_cmpuint(platform_state(&p, NULL), ==, SEV_PSTATE_UNINIT);
    psp_assert(PSP_CMD0(&p, DF_FLUSH), SUCCESS);
    psp_assert(PSP_CMD(&p, INIT, &buf), INVALID_PARAM);
    buf.flags = SEV_INIT_FLAGS_ES;
    psp_assert(PSP_CMD(&p, INIT, &buf), INVALID_LENGTH);
    buf.tmr_address = T_TMR;
    buf.tmr_len = 2 * T_TMR_LEN;
    psp_assert(PSP_CMD(&p, INIT, &buf), INVALID_LENGTH);
    buf.tmr_len = T_TMR_LEN;
    buf.tmr_address = T_TMR + 0x1000;
    psp_assert(PSP_CMD(&p, INIT, &buf), INVALID_ADDRESS);
    psp_assert(sev_init(&p, true), SUCCESS);
    g_assert_cmpuint(platform_state(&p, NULL), ==, SEV_PSTATE_INIT);
    psp_assert(sev_init(&p, true), INVALID_PLATFORM_STATE);
    psp_assert(PSP_CMD0(&p, PLATFORM_RESET), INVALID_PLATFORM_STATE);
    psp_assert(PSP_CMD0(&p, SHUTDOWN), SUCCESS);
    psp_assert(PSP_CMD0(&p, PLATFORM_RESET), SUCCESS);
    psp_stop(&p);
}

/* No command can use the TMR while it is in use. */
static void test_tmr(Psp *p)
{
    SevBufBlob blob = { .address = T_TMR + 0x1000, .len = 0x1000 };

    psp_assert(psp_addr_cmd(p, SEV_CMD_SNP_PAGE_RECLAIM, T_TMR),
               INVALID_ADDRESS);
    psp_assert(psp_addr_cmd(p, SEV_CMD_SNP_PLATFORM_STATUS, T_TMR + 0x5000),
               INVALID_ADDRESS);
    psp_set_rmp(p, T_CMDBUF, RMP_FIRMWARE);
    psp_assert(PSP_CMD(p, GET_ID, &blob), INVALID_ADDRESS);
}

/* After SNP_INIT, the TMR and output buffers have to be Firmware pages. */
static void test_init_snp(void)
{
    SevBufInit buf = {
        .flags = SEV_INIT_FLAGS_ES, .tmr_address = T_TMR, .tmr_len = T_TMR_LEN,
    };
    SevBufStatus st = { 0 };
    uint64_t at;
    Psp p;

    psp_start(&p, ",x-ignore=iommu");
    psp_snp_init(&p);
    psp_assert(PSP_CMD(&p, INIT, &buf), INVALID_LENGTH);
    buf.tmr_len = 2 * T_TMR_LEN;
    psp_assert(PSP_CMD(&p, INIT, &buf), INVALID_PAGE_STATE);
    for (at = 0; at < 2 * T_TMR_LEN; at += 0x1000) {
        psp_set_rmp(&p, T_TMR + at, RMP_FIRMWARE);
    }
    psp_assert(PSP_CMD(&p, INIT, &buf), SUCCESS);
    psp_assert(PSP_CMD(&p, PLATFORM_STATUS, &st), INVALID_PAGE_STATE);
    psp_set_rmp(&p, T_CMDBUF, RMP_FIRMWARE);
    psp_assert(PSP_CMD(&p, PLATFORM_STATUS, &st), SUCCESS);
    /* The buffer is released when the command ends, even if it fails. */
    g_assert_cmphex(psp_rmp(&p, T_CMDBUF), ==, RMP_RECLAIM);
    psp_assert(PSP_CMD(&p, PLATFORM_STATUS, &st), INVALID_PAGE_STATE);
    psp_set_rmp(&p, T_CMDBUF, RMP_FIRMWARE);
    psp_assert(PSP_CMD(&p, GET_ID, &(SevBufBlob) {}), INVALID_LENGTH);
    g_assert_cmphex(psp_rmp(&p, T_CMDBUF), ==, RMP_RECLAIM);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_RECLAIM, T_CMDBUF), SUCCESS);
    test_tmr(&p);
    psp_assert(PSP_CMD0(&p, SHUTDOWN), SUCCESS);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_RECLAIM, T_TMR), SUCCESS);
    psp_stop(&p);
}

static void test_init_ex(void)
{
    SevBufInitEx buf = {
        .length = sizeof(buf), .nv_address = T_NV + 8, .nv_len = 0x1000,
    };
    SevBufCerts certs = {
        .cert_address = T_CERT, .cert_len = sizeof(SevCert),
        .chain_address = T_NV + 0x10000, .chain_len = 3 * sizeof(SevCert),
    };
    uint8_t a[sizeof(SevCert)], b[sizeof(SevCert)];
    Psp p;

    psp_start(&p, "");
    qtest_memset(p.qts, T_NV, 0, NV_LEN);
    psp_assert(PSP_CMD(&p, INIT_EX, &buf), INVALID_LENGTH);
    buf.nv_len = NV_LEN;
    psp_assert(PSP_CMD(&p, INIT_EX, &buf), INVALID_ADDRESS);
    buf.nv_address = T_NV;
    psp_assert(PSP_CMD(&p, INIT_EX, &buf), SUCCESS);
    psp_assert(PSP_CMD(&p, PDH_CERT_EXPORT, &certs), SUCCESS);
    qtest_memread(p.qts, T_CERT, a, sizeof(a));

    /* The keys are restored from the host's file. */
    psp_assert(PSP_CMD0(&p, SHUTDOWN), SUCCESS);
    psp_assert(PSP_CMD0(&p, PLATFORM_RESET), SUCCESS);
    psp_assert(PSP_CMD(&p, INIT_EX, &buf), SUCCESS);
    psp_assert(PSP_CMD(&p, PDH_CERT_EXPORT, &certs), SUCCESS);
    qtest_memread(p.qts, T_CERT, b, sizeof(b));
    g_assert_cmpmem(a, sizeof(a), b, sizeof(b));

    /* A modified file is rejected, and replaced. */
    psp_assert(PSP_CMD0(&p, SHUTDOWN), SUCCESS);
    qtest_writeb(p.qts, T_NV + 0x100, qtest_readb(p.qts, T_NV + 0x100) ^ 1);
    psp_assert(PSP_CMD(&p, INIT_EX, &buf), SECURE_DATA_INVALID);
    psp_assert(PSP_CMD(&p, INIT_EX, &buf), SUCCESS);
    psp_stop(&p);
}

static void test_get_id(void)
{
    SevBufBlob buf = { .address = T_CERT };
    Psp p;

    psp_start(&p, "");
    psp_assert(PSP_CMD(&p, GET_ID, &buf), INVALID_LENGTH);
    g_assert_cmpuint(buf.len, ==, 64);
    psp_assert(PSP_CMD(&p, GET_ID, &buf), SUCCESS);
    g_assert_cmphex(qtest_readq(p.qts, T_CERT), !=, 0);
    psp_assert(PSP_CMD(&p, DOWNLOAD_FIRMWARE, &buf), BAD_SIGNATURE);
    buf.len = 0;
    psp_assert(PSP_CMD(&p, DOWNLOAD_FIRMWARE, &buf), INVALID_LENGTH);
    psp_stop(&p);
}

static void test_activate(void)
{
    SevBufRegion m = { .address = T_CERT, .len = sizeof(SevMeasurement) };
    uint32_t a, b, guests;
    Psp p;

    sev_start(&p);
    psp_assert(sev_activate(&p, 1, T_ES_ASID), INVALID_PLATFORM_STATE);
    a = sev_launch_start(&p, SEV_POLICY_ES);
    b = sev_launch_start(&p, 0);
    g_assert_cmpuint(platform_state(&p, &guests), ==, SEV_PSTATE_WORKING);
    g_assert_cmpuint(guests, ==, 2);
    psp_assert(sev_activate(&p, 99, T_ES_ASID), INVALID_GUEST);
    /* ASIDs of SEV-ES guests are not valid for SEV guests. */
    psp_assert(sev_activate(&p, b, T_ES_ASID), INVALID_ASID);
    psp_assert(sev_activate(&p, a, T_SEV_ASID), INVALID_ASID);
    psp_assert(sev_activate(&p, b, T_SEV_ASID), SUCCESS);
    psp_assert(sev_activate(&p, a, 0), INVALID_ASID);
    psp_assert(sev_activate(&p, a, T_ES_ASID), SUCCESS);
    psp_assert(sev_activate(&p, a, T_ES_ASID + 1), ACTIVE);
    psp_assert(SEV_HANDLE(&p, DECOMMISSION, a), ACTIVE);
    psp_assert(SEV_HANDLE(&p, DEACTIVATE, a), SUCCESS);
    /* The guest could not run yet: the ASID needs no flush. */
    psp_assert(sev_activate(&p, a, T_ES_ASID), SUCCESS);
    m.handle = a;
    psp_assert(PSP_CMD(&p, LAUNCH_MEASURE, &m), SUCCESS);
    psp_assert(SEV_HANDLE(&p, LAUNCH_FINISH, a), SUCCESS);
    psp_assert(SEV_HANDLE(&p, DEACTIVATE, a), SUCCESS);
    psp_assert(SEV_HANDLE(&p, DEACTIVATE, a), INACTIVE);
    psp_assert(sev_activate(&p, a, T_ES_ASID), DFFLUSH_REQUIRED);
    psp_assert(PSP_CMD0(&p, DF_FLUSH), WBINVD_REQUIRED);
    psp_wbinvd(&p);
    psp_assert(PSP_CMD0(&p, DF_FLUSH), SUCCESS);
    psp_assert(sev_activate(&p, a, T_ES_ASID), SUCCESS);
    psp_assert(SEV_HANDLE(&p, DEACTIVATE, a), SUCCESS);
    psp_assert(SEV_HANDLE(&p, DECOMMISSION, a), SUCCESS);
    psp_assert(SEV_HANDLE(&p, DECOMMISSION, a), INVALID_GUEST);
    psp_assert(SEV_HANDLE(&p, DEACTIVATE, b), SUCCESS);
    psp_assert(SEV_HANDLE(&p, DECOMMISSION, b), SUCCESS);
    g_assert_cmpuint(platform_state(&p, NULL), ==, SEV_PSTATE_INIT);
    psp_stop(&p);
}

static void test_policy(void)
{
    SevBufStart buf = { .policy = 1u << 8 };
    Psp p;

    psp_start(&p, "");
    psp_assert(sev_init(&p, false), SUCCESS);
    psp_assert(PSP_CMD(&p, LAUNCH_START, &buf), POLICY_FAILURE);
    buf.policy = 0xffu << 16;
    psp_assert(PSP_CMD(&p, LAUNCH_START, &buf), POLICY_FAILURE);
    buf.policy = SEV_POLICY_ES;
    psp_assert(PSP_CMD(&p, LAUNCH_START, &buf), POLICY_FAILURE);
    buf.policy = 0;
    buf.handle = 77;
    psp_assert(PSP_CMD(&p, LAUNCH_START, &buf), INVALID_GUEST);
    buf.handle = sev_launch_start(&p, SEV_POLICY_NOKS);
    buf.policy = SEV_POLICY_NOKS;
    psp_assert(PSP_CMD(&p, LAUNCH_START, &buf), POLICY_FAILURE);
    psp_stop(&p);
}

static void test_launch(void)
{
    SevBufRegion m = { .address = T_CERT };
    SevBufAttestation at = { .address = T_CERT };
    uint32_t h;
    Psp p;

    sev_start(&p);
    h = sev_launch_start(&p, SEV_POLICY_ES);
    g_assert_cmpuint(sev_guest_state(&p, h), ==, SEV_GSTATE_LUPDATE);
    psp_assert(SEV_REGION(&p, LAUNCH_UPDATE_DATA, h, T_DATA, 0x1000), INACTIVE);
    psp_assert(sev_activate(&p, h, T_ES_ASID), SUCCESS);
    psp_assert(SEV_REGION(&p, LAUNCH_UPDATE_DATA, h, T_DATA + 8, 0x1000),
               INVALID_ADDRESS);
    psp_assert(SEV_REGION(&p, LAUNCH_UPDATE_DATA, h, T_DATA, 0x1001),
               INVALID_LENGTH);
    psp_assert(SEV_REGION(&p, LAUNCH_UPDATE_DATA, h, 0xfee00000, 16),
               INVALID_ADDRESS);
    psp_assert(SEV_REGION(&p, LAUNCH_UPDATE_DATA, h, T_DATA, 0x1000), SUCCESS);
    psp_assert(SEV_REGION(&p, LAUNCH_UPDATE_VMSA, h, T_DATA, 0x10),
               INVALID_LENGTH);
    psp_assert(SEV_REGION(&p, LAUNCH_UPDATE_VMSA, h, T_DATA, 0x1000), SUCCESS);
    psp_assert(SEV_HANDLE(&p, LAUNCH_FINISH, h), INVALID_GUEST_STATE);
    at.handle = m.handle = h;
    psp_assert(PSP_CMD(&p, ATTESTATION, &at), INVALID_GUEST_STATE);
    psp_assert(PSP_CMD(&p, LAUNCH_MEASURE, &m), INVALID_LENGTH);
    g_assert_cmpuint(m.len, ==, sizeof(SevMeasurement));
    psp_assert(PSP_CMD(&p, LAUNCH_MEASURE, &m), SUCCESS);
    g_assert_cmpuint(sev_guest_state(&p, h), ==, SEV_GSTATE_LSECRET);
    psp_assert(SEV_REGION(&p, LAUNCH_UPDATE_DATA, h, T_DATA, 0x1000),
               INVALID_GUEST_STATE);
    psp_assert(SEV_HANDLE(&p, LAUNCH_FINISH, h), SUCCESS);
    g_assert_cmpuint(sev_guest_state(&p, h), ==, SEV_GSTATE_RUNNING);
    psp_assert(PSP_CMD(&p, ATTESTATION, &at), INVALID_LENGTH);
    g_assert_cmpuint(at.len, ==, sizeof(SevAttestationReport));
    psp_assert(PSP_CMD(&p, ATTESTATION, &at), SUCCESS);
    psp_stop(&p);
}

/* Only SEV-ES guests have VMSAs. */
static void test_launch_sev(void)
{
    uint32_t h;
    Psp p;

    psp_start(&p, "");
    psp_assert(sev_init(&p, false), SUCCESS);
    psp_wbinvd(&p);
    psp_assert(PSP_CMD0(&p, DF_FLUSH), SUCCESS);
    h = sev_launch_start(&p, 0);
    psp_assert(SEV_REGION(&p, LAUNCH_UPDATE_VMSA, h, T_DATA, 0x1000),
               UNSUPPORTED);
    psp_stop(&p);
}

static void test_debug(void)
{
    SevBufDbg dbg = { .src_address = T_DATA, .dst_address = T_HV, .len = 16 };
    SevBufCopy copy = {
        .src_address = T_DATA, .dst_address = T_LIST, .length = 32,
    };
    uint32_t h;
    Psp p;

    sev_start(&p);
    h = sev_launch_start(&p, SEV_POLICY_ES);
    psp_assert(sev_activate(&p, h, T_ES_ASID), SUCCESS);
    qtest_memset(p.qts, T_DATA, 0x66, 0x1000);
    psp_assert(SEV_REGION(&p, LAUNCH_UPDATE_DATA, h, T_DATA, 0x1000), SUCCESS);
    copy.handle = dbg.handle = h;
    psp_assert(PSP_CMD(&p, DBG_DECRYPT, &dbg), SUCCESS);
    g_assert_cmphex(qtest_readl(p.qts, T_HV), ==, 0x66666666);
    dbg.len = 17;
    psp_assert(PSP_CMD(&p, DBG_DECRYPT, &dbg), INVALID_LENGTH);
    dbg.len = 16;
    dbg.src_address++;
    psp_assert(PSP_CMD(&p, DBG_DECRYPT, &dbg), INVALID_ADDRESS);
    qtest_memset(p.qts, T_HV, 0x99, 16);
    dbg.src_address = T_HV;
    dbg.dst_address = T_DATA + 16;
    psp_assert(PSP_CMD(&p, DBG_ENCRYPT, &dbg), SUCCESS);
    psp_assert(PSP_CMD(&p, COPY, &copy), SUCCESS);
    dbg.src_address = T_LIST + 16;
    dbg.dst_address = T_HV;
    qtest_memset(p.qts, T_HV, 0, 16);
    psp_assert(PSP_CMD(&p, DBG_DECRYPT, &dbg), SUCCESS);
    g_assert_cmphex(qtest_readl(p.qts, T_HV), ==, 0x99999999);

    dbg.handle = sev_launch_start(&p, SEV_POLICY_ES | SEV_POLICY_NODBG);
    psp_assert(PSP_CMD(&p, DBG_DECRYPT, &dbg), POLICY_FAILURE);
    psp_assert(PSP_CMD(&p, DBG_ENCRYPT, &dbg), POLICY_FAILURE);
    dbg.handle = 99;
    psp_assert(PSP_CMD(&p, DBG_ENCRYPT, &dbg), INVALID_GUEST);
    psp_stop(&p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/amd-psp/sev/init", test_init);
    qtest_add_func("/amd-psp/sev/init-snp", test_init_snp);
    qtest_add_func("/amd-psp/sev/init-ex", test_init_ex);
    qtest_add_func("/amd-psp/sev/get-id", test_get_id);
    qtest_add_func("/amd-psp/sev/activate", test_activate);
    qtest_add_func("/amd-psp/sev/policy", test_policy);
    qtest_add_func("/amd-psp/sev/launch", test_launch);
    qtest_add_func("/amd-psp/sev/launch-sev", test_launch_sev);
    qtest_add_func("/amd-psp/sev/debug", test_debug);
    return g_test_run();
}
