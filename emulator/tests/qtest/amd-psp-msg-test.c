/*
 * AMD Secure Processor: messages of guests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "amd-psp-msg.h"

static void test_message_checks(void)
{
    SnpBufGuestRequest buf = {
        .gctx_paddr = T_GCTX, .request_paddr = T_HV, .response_paddr = T_LIST,
    };
    SnpReportReq req = { .vmpl = 0 };
    SnpMsgHeader hdr, good = msg_header(SNP_MSG_REPORT_REQ, 0, 1, sizeof(req));
    uint8_t ld[48], key[32], wrong[32] = { 1 };
    Psp p;

    msg_start_guest(&p, MSG_OPTIONS, T_POLICY, ld);
    msg_vmpck(&p, 0, key);
    hdr = good;
    psp_assert(msg_send(&p, &hdr, key, &req), INVALID_GUEST_STATE);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);

    hdr = good;
    psp_assert(msg_send(&p, &hdr, wrong, &req), BAD_MEASUREMENT);
    hdr = good;
    hdr.seqno = 2;
    psp_assert(msg_send(&p, &hdr, key, &req), AEAD_OFLOW);
    /* Authentication is checked first. */
    hdr = good;
    hdr.seqno = 2;
    psp_assert(msg_send(&p, &hdr, wrong, &req), BAD_MEASUREMENT);
    hdr = good;
    hdr.algo = 2;
    psp_assert(msg_send(&p, &hdr, key, &req), INVALID_PARAM);
    hdr = good;
    hdr.hdr_version = 2;
    psp_assert(msg_send(&p, &hdr, key, &req), INVALID_PARAM);
    hdr = good;
    hdr.hdr_size = 0x50;
    psp_assert(msg_send(&p, &hdr, key, &req), INVALID_PARAM);
    hdr = good;
    hdr.vmpck = 4;
    psp_assert(msg_send(&p, &hdr, key, &req), INVALID_PARAM);
    hdr = good;
    hdr.msg_type = 99;
    psp_assert(msg_send(&p, &hdr, key, &req), INVALID_PARAM);
    hdr = good;
    hdr.msg_type = SNP_MSG_EXPORT_REQ;
    psp_assert(msg_send(&p, &hdr, key, &req), UNSUPPORTED);
    hdr = good;
    hdr.msg_size--;
    psp_assert(msg_send(&p, &hdr, key, &req), INVALID_PARAM);

    /* Reserved fields of the header are ignored. */
    hdr = good;
    hdr.reserved2 = 1;
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    /* The same message again */
    psp_assert(PSP_CMD(&p, SNP_GUEST_REQUEST, &buf), INVALID_PAGE_STATE);
    buf.response_paddr = T_OUT;
    psp_assert(PSP_CMD(&p, SNP_GUEST_REQUEST, &buf), AEAD_OFLOW);
    buf.request_paddr += 8;
    psp_assert(PSP_CMD(&p, SNP_GUEST_REQUEST, &buf), INVALID_PARAM);
    buf.request_paddr = T_HUGE;
    psp_set_rmp(&p, T_HUGE, RMP_GUEST_VALID(T_ASID, 0x200000) | RMP_2M);
    psp_assert(PSP_CMD(&p, SNP_GUEST_REQUEST, &buf), INVALID_PAGE_SIZE);
    psp_stop(&p);
}

static void ask_key(Psp *p, const uint8_t vmpck[32], uint64_t seqno,
                    const SnpKeyReq *req, SnpKeyRsp *rsp)
{
    SnpMsgHeader hdr = msg_header(SNP_MSG_KEY_REQ, 0, seqno, sizeof(*req));

    psp_assert(msg_send(p, &hdr, vmpck, req), SUCCESS);
    g_assert_cmpuint(msg_reply(p, vmpck, SNP_MSG_KEY_RSP, seqno + 1, rsp),
                     ==, sizeof(*rsp));
}

/* A running guest, and its key for messages of VMPL 0 */
static void launch_guest(Psp *p, uint8_t key[32])
{
    uint8_t ld[48];

    msg_start_guest(p, MSG_OPTIONS, T_POLICY, ld);
    psp_assert(psp_launch_finish(p, T_GCTX), SUCCESS);
    msg_vmpck(p, 0, key);
}

static void test_key(void)
{
    SnpKeyReq req = { .vmpl = 0 };
    SnpKeyRsp a, b;
    uint8_t key[32];
    Psp p;

    launch_guest(&p, key);
    ask_key(&p, key, 1, &req, &a);
    ask_key(&p, key, 3, &req, &b);
    g_assert_cmpuint(a.status, ==, 0);
    g_assert_cmpmem(a.key, 32, b.key, 32);
    req.field_select = 1 << 3;
    ask_key(&p, key, 5, &req, &b);
    g_assert_cmpuint(b.status, ==, 0);
    g_assert_cmpint(memcmp(a.key, b.key, 32), !=, 0);
    req.field_select = 1 << 20;
    ask_key(&p, key, 7, &req, &b);
    g_assert_cmpuint(b.status, ==, SEV_STATUS_INVALID_PARAM);
    req.field_select = 1 << 4;
    req.guest_svn = 1;
    ask_key(&p, key, 9, &req, &b);
    g_assert_cmpuint(b.status, ==, SEV_STATUS_INVALID_PARAM);
    req.guest_svn = 0;
    req.field_select = 1 << 5;
    req.tcb_version = ~0ull;
    ask_key(&p, key, 11, &req, &b);
    g_assert_cmpuint(b.status, ==, SEV_STATUS_INVALID_PARAM);
    /* Fields that are not selected do not matter. */
    req.field_select = 0;
    req.guest_svn = 1;
    ask_key(&p, key, 13, &req, &b);
    g_assert_cmpuint(b.status, ==, 0);
    g_assert_cmpmem(a.key, 32, b.key, 32);
    psp_stop(&p);
}

/* Each guest has its own root key from the start. */
static void test_key_roots(void)
{
    SnpBufConfig config = { .flags = SNP_STATUS_MASK_CHIP_KEY };
    SnpKeyReq req = { .key_select = 1 };
    SnpKeyRsp a, b;
    uint8_t key[32];
    Psp p;

    launch_guest(&p, key);
    ask_key(&p, key, 1, &req, &a);
    g_assert_cmpuint(a.status, ==, 0);
    req.key_select = 0;
    ask_key(&p, key, 3, &req, &b);
    g_assert_cmpuint(b.status, ==, 0);
    g_assert_cmpint(memcmp(a.key, b.key, 32), !=, 0);
    /* The chip's root key is not available while its key is masked. */
    psp_assert(PSP_CMD(&p, SNP_CONFIG, &config), SUCCESS);
    ask_key(&p, key, 5, &req, &b);
    g_assert_cmpuint(b.status, ==, SEV_STATUS_INVALID_KEY);
    req.key_select = 1;
    ask_key(&p, key, 7, &req, &b);
    g_assert_cmpuint(b.status, ==, 0);
    g_assert_cmpmem(a.key, 32, b.key, 32);
    psp_stop(&p);
}

/* A migration agent sets the root key of one of its guests. */
static void test_vmrk(void)
{
    SnpBufLaunchStart start = {
        .gctx_paddr = T_GCTX2, .policy = T_POLICY | SNP_POLICY_MIGRATE_MA,
        .ma_gctx_paddr = T_GCTX, .flags = SNP_LAUNCH_MA_EN,
    };
    /* Messages consist of whole blocks of 16 bytes. */
    struct {
        SnpVmrkReq msg;
        uint64_t pad;
    } req = { .msg = { .gctx_paddr = T_GCTX2, .vmrk = { 1, 2, 3 } } };
    SnpMsgHeader hdr = msg_header(SNP_MSG_VMRK_REQ, 0, 1, sizeof(req));
    uint8_t ld[48], key[32], rsp[16];
    Psp p;

    msg_start_guest(&p, MSG_OPTIONS, T_POLICY, ld);
    psp_gctx_create(&p, T_GCTX2);
    psp_assert(PSP_CMD(&p, SNP_LAUNCH_START, &start), INVALID_GUEST);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    msg_vmpck(&p, 0, key);
    /* Not its guest yet */
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    msg_reply(&p, key, SNP_MSG_VMRK_RSP, 2, rsp);
    g_assert_cmpuint(ldl_le_p(rsp), ==, SEV_STATUS_INVALID_PARAM);
    psp_assert(PSP_CMD(&p, SNP_LAUNCH_START, &start), SUCCESS);
    hdr = msg_header(SNP_MSG_VMRK_REQ, 0, 3, sizeof(req));
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    msg_reply(&p, key, SNP_MSG_VMRK_RSP, 4, rsp);
    g_assert_cmpuint(ldl_le_p(rsp), ==, SEV_STATUS_SUCCESS);
    psp_stop(&p);
}

static void test_cpuid_message(void)
{
    struct QEMU_PACKED {
        uint32_t count;
        uint8_t reserved[12];
        SnpCpuidFn fn;
    } req = { .count = 1 };
    struct QEMU_PACKED {
        uint32_t status, count;
        uint64_t reserved;
        SnpCpuidFn fn;
    } rsp;
    SnpMsgHeader hdr;
    uint8_t key[32];
    Psp p;

    launch_guest(&p, key);
    req.fn.eax_in = 7;
    req.fn.edx = 1u << 22;
    hdr = msg_header(SNP_MSG_CPUID_REQ, 0, 1, sizeof(req));
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    msg_reply(&p, key, SNP_MSG_CPUID_RSP, 2, &rsp);
    g_assert_cmpuint(rsp.status, ==, SEV_STATUS_INVALID_PARAM);
    g_assert_cmpuint(rsp.count, ==, 1);
    g_assert_cmphex(rsp.fn.edx, ==, 0);
    /* A function in another range is not counted. */
    req.fn.eax_in = 0x40000000;
    req.fn.edx = 0x1234;
    hdr = msg_header(SNP_MSG_CPUID_REQ, 0, 3, sizeof(req));
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    msg_reply(&p, key, SNP_MSG_CPUID_RSP, 4, &rsp);
    g_assert_cmpuint(rsp.status, ==, 0);
    g_assert_cmpuint(rsp.count, ==, 0);
    g_assert_cmphex(rsp.fn.edx, ==, 0x1234);
    req.fn.eax_in = 7;
    req.fn.edx = 0;
    hdr = msg_header(SNP_MSG_CPUID_REQ, 0, 5, sizeof(req));
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    msg_reply(&p, key, SNP_MSG_CPUID_RSP, 6, &rsp);
    g_assert_cmpuint(rsp.status, ==, 0);
    psp_stop(&p);
}

static void test_tsc_info(void)
{
    uint8_t req[128] = { 0 };
    SnpTscInfoRsp rsp;
    SnpMsgHeader hdr = msg_header(SNP_MSG_TSC_INFO_REQ, 0, 1, sizeof(req));
    uint8_t key[32];
    Psp p;

    launch_guest(&p, key);
    psp_assert(msg_send(&p, &hdr, key, req), SUCCESS);
    g_assert_cmpuint(msg_reply(&p, key, SNP_MSG_TSC_INFO_RSP, 2, &rsp), ==,
                     sizeof(rsp));
    g_assert_cmpuint(rsp.status, ==, 0);
    g_assert_cmphex(rsp.tsc_scale, ==, 1ull << 32);
    psp_stop(&p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/amd-psp/message/checks", test_message_checks);
    qtest_add_func("/amd-psp/message/key", test_key);
    qtest_add_func("/amd-psp/message/key-roots", test_key_roots);
    qtest_add_func("/amd-psp/message/vmrk", test_vmrk);
    qtest_add_func("/amd-psp/message/cpuid", test_cpuid_message);
    qtest_add_func("/amd-psp/message/tsc-info", test_tsc_info);
    return g_test_run();
}
