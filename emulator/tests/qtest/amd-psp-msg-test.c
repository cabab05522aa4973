/*
 * AMD Secure Processor: launch measurement, ID block, guest messages, reports
 *
 * The test does its own cryptography. It knows a guest's communication keys
 * from the secrets page: a page of RAM holds plaintext under the key that it
 * was last accessed with, and the test reads RAM without any.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <nettle/gcm.h>
#include <nettle/sha2.h>
#include "qemu/bswap.h"
#include "amd-psp.h"

#define DEFAULT     ",x-ignore=iommu"
#define SECRETS_GPA 0xd000

static void sha384(const void *data, size_t len, uint8_t digest[48])
{
    struct sha512_ctx ctx;

    sha384_init(&ctx);
    sha384_update(&ctx, len, data);
    sha384_digest(&ctx, 48, digest);
}

/* The launch digest after one more page, as the ABI defines it */
static void extend(uint8_t ld[48], int type, uint64_t gpa, const void *page)
{
    uint8_t info[0x70] = { 0 };

    memcpy(info, ld, 48);
    if (page) {
        sha384(page, 0x1000, info + 0x30);
    }
    stw_le_p(info + 0x60, sizeof(info));
    info[0x62] = type;
    stq_le_p(info + 0x68, gpa);
    sha384(info, sizeof(info), ld);
}

/* A running guest: one page of data, its secrets, and its launch digest */
static void start_guest(Psp *p, const char *options, uint64_t policy,
                        uint8_t ld[48])
{
    uint8_t page[0x1000];

    psp_start(p, options);
    psp_snp_init(p);
    psp_gctx_create(p, T_GCTX);
    psp_assert(psp_launch_start(p, T_GCTX, policy), SUCCESS);
    psp_assert(psp_activate(p, T_GCTX, T_ASID), SUCCESS);

    memset(ld, 0, 48);
    memset(page, 0x42, sizeof(page));
    psp_set_rmp(p, T_PAGE, RMP_PRE_GUEST(T_ASID, 0x5000));
    qtest_memwrite(p->qts, T_PAGE, page, sizeof(page));
    psp_assert(psp_launch_update(p, T_GCTX, T_PAGE, SNP_PAGE_TYPE_NORMAL, 0),
               SUCCESS);
    extend(ld, SNP_PAGE_TYPE_NORMAL, 0x5000, page);
    psp_set_rmp(p, T_SECRETS, RMP_PRE_GUEST(T_ASID, SECRETS_GPA));
    psp_assert(psp_launch_update(p, T_GCTX, T_SECRETS, SNP_PAGE_TYPE_SECRETS,
                                 0), SUCCESS);
    extend(ld, SNP_PAGE_TYPE_SECRETS, SECRETS_GPA, NULL);
}

static void get_vmpck(Psp *p, int n, uint8_t key[32])
{
    qtest_memread(p->qts, T_SECRETS + offsetof(SnpSecrets, vmpck) + 32 * n,
                  key, 32);
}

static void make_iv(uint8_t iv[12], uint64_t seqno)
{
    memset(iv, 0, 12);
    stq_le_p(iv, seqno);
}

static SnpMsgHeader header(int type, int vmpck, uint64_t seqno, size_t len)
{
    return (SnpMsgHeader) {
        .seqno = seqno,
        .algo = SNP_AEAD_AES_256_GCM,
        .hdr_version = 1,
        .hdr_size = sizeof(SnpMsgHeader),
        .msg_type = type,
        .msg_version = 1,
        .msg_size = len,
        .vmpck = vmpck,
    };
}

/* Encrypt a message to T_HV, and make the request; the response is at T_OUT. */
static uint16_t send_message(Psp *p, SnpMsgHeader *hdr, const uint8_t key[32],
                             const void *payload)
{
    SnpBufGuestRequest buf = {
        .gctx_paddr = T_GCTX, .request_paddr = T_HV, .response_paddr = T_OUT,
    };
    uint8_t data[0x1000];
    struct gcm_aes256_ctx gcm;
    uint8_t iv[12];

    memcpy(data, payload, hdr->msg_size);
    make_iv(iv, hdr->seqno);
    gcm_aes256_set_key(&gcm, key);
    gcm_aes256_set_iv(&gcm, sizeof(iv), iv);
    gcm_aes256_update(&gcm, 0x30, (uint8_t *)hdr + 0x30);
    gcm_aes256_encrypt(&gcm, hdr->msg_size, data, data);
    gcm_aes256_digest(&gcm, 16, hdr->authtag);
    qtest_memwrite(p->qts, T_HV, hdr, sizeof(*hdr));
    qtest_memwrite(p->qts, T_HV + sizeof(*hdr), data, hdr->msg_size);
    return PSP_CMD(p, SNP_GUEST_REQUEST, &buf);
}

/* The response at T_OUT, which has to be authentic. */
static size_t read_response(Psp *p, const uint8_t key[32], int type,
                            uint64_t seqno, void *payload)
{
    struct gcm_aes256_ctx gcm;
    SnpMsgHeader hdr;
    uint8_t iv[12], tag[16];

    qtest_memread(p->qts, T_OUT, &hdr, sizeof(hdr));
    g_assert_cmphex(hdr.seqno, ==, seqno);
    g_assert_cmphex(hdr.msg_type, ==, type);
    g_assert_cmphex(hdr.hdr_size, ==, sizeof(hdr));
    g_assert_cmpint(hdr.msg_size, <=, 0x1000 - sizeof(hdr));
    qtest_memread(p->qts, T_OUT + sizeof(hdr), payload, hdr.msg_size);
    make_iv(iv, seqno);
    gcm_aes256_set_key(&gcm, key);
    gcm_aes256_set_iv(&gcm, sizeof(iv), iv);
    gcm_aes256_update(&gcm, 0x30, (uint8_t *)&hdr + 0x30);
    gcm_aes256_decrypt(&gcm, hdr.msg_size, payload, payload);
    gcm_aes256_digest(&gcm, 16, tag);
    g_assert_cmpmem(tag, 16, hdr.authtag, 16);
    return hdr.msg_size;
}

static gnutls_x509_crt_t load_cert(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    gnutls_x509_crt_t crt;
    gnutls_datum_t der;
    gsize len;

    g_assert_true(g_file_get_contents(path, (char **)&der.data, &len, NULL));
    der.size = len;
    gnutls_x509_crt_init(&crt);
    g_assert_cmpint(gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER),
                    ==, 0);
    g_free(der.data);
    return crt;
}

static void check_issued(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
    unsigned int result;

    g_assert_cmpint(gnutls_x509_crt_verify(crt, &issuer, 1,
                        GNUTLS_VERIFY_ALLOW_X509_V1_CA_CRT, &result), ==, 0);
    g_assert_cmphex(result, ==, 0);
}

static bool report_signed(const SnpReport *r, gnutls_x509_crt_t crt)
{
    uint8_t r_be[48], s_be[48];
    gnutls_datum_t num_r = { r_be, 48 }, num_s = { s_be, 48 };
    gnutls_datum_t data = { (void *)r, offsetof(SnpReport, signature) };
    gnutls_datum_t sig;
    gnutls_pubkey_t key;
    int i, ret;

    for (i = 0; i < 48; i++) {
        r_be[i] = r->signature.r[47 - i];
        s_be[i] = r->signature.s[47 - i];
    }
    g_assert_cmpint(gnutls_encode_rs_value(&sig, &num_r, &num_s), ==, 0);
    gnutls_pubkey_init(&key);
    g_assert_cmpint(gnutls_pubkey_import_x509(key, crt, 0), ==, 0);
    ret = gnutls_pubkey_verify_data2(key, GNUTLS_SIGN_ECDSA_SHA384, 0, &data,
                                     &sig);
    gnutls_pubkey_deinit(key);
    gnutls_free(sig.data);
    return ret >= 0;
}

static void remove_dir(const char *dir)
{
    g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(d))) {
        g_autofree char *path = g_build_filename(dir, name, NULL);

        unlink(path);
    }
    rmdir(dir);
}

/* A report, its contents, and its signature up to the platform's root */
static void test_report(void)
{
    g_autofree char *dir = g_dir_make_tmp("amd-psp-XXXXXX", NULL);
    g_autofree char *options = g_strdup_printf(",cert-dir=%s" DEFAULT, dir);
    gnutls_x509_crt_t vcek, ask, ark;
    SnpReportReq req = { .vmpl = 1 };
    SnpReportRsp rsp;
    SnpMsgHeader hdr;
    uint8_t ld[48], key[32], hwid[64];
    size_t len = sizeof(hwid);
    Psp p;

    start_guest(&p, options, T_POLICY, ld);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    get_vmpck(&p, 0, key);
    memset(req.report_data, 0x77, sizeof(req.report_data));
    hdr = header(SNP_MSG_REPORT_REQ, 0, 1, sizeof(req));
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    g_assert_cmpuint(read_response(&p, key, SNP_MSG_REPORT_RSP, 2, &rsp), ==,
                     sizeof(rsp));
    g_assert_cmpuint(rsp.status, ==, 0);
    g_assert_cmpuint(rsp.size, ==, sizeof(SnpReport));
    g_assert_cmpuint(rsp.report.version, ==, SNP_REPORT_VERSION);
    g_assert_cmpuint(rsp.report.vmpl, ==, 1);
    g_assert_cmphex(rsp.report.policy, ==, T_POLICY);
    g_assert_cmpmem(rsp.report.measurement, 48, ld, 48);
    g_assert_cmpmem(rsp.report.report_data, 64, req.report_data, 64);

    vcek = load_cert(dir, "vcek.der");
    ask = load_cert(dir, "ask.der");
    ark = load_cert(dir, "ark.der");
    check_issued(ark, ark);
    check_issued(ask, ark);
    check_issued(vcek, ask);
    g_assert_true(report_signed(&rsp.report, vcek));
    rsp.report.measurement[0] ^= 1;
    g_assert_false(report_signed(&rsp.report, vcek));
    g_assert_cmpint(gnutls_x509_crt_get_extension_by_oid(vcek,
                        "1.3.6.1.4.1.3704.1.4", 0, hwid, &len, NULL), ==, 0);
    g_assert_cmpmem(hwid, len, rsp.report.chip_id, 64);
    gnutls_x509_crt_deinit(vcek);
    gnutls_x509_crt_deinit(ask);
    gnutls_x509_crt_deinit(ark);
    psp_stop(&p);
    remove_dir(dir);
}

static uint16_t load_vlek(Psp *p, const uint8_t *stick)
{
    SnpBufVlekLoad buf = { .length = sizeof(buf), .address = T_LIST };

    qtest_memwrite(p->qts, T_LIST, stick, SNP_VLEK_LEN);
    return PSP_CMD(p, SNP_VLEK_LOAD, &buf);
}

/* A VLEK is loaded as it was wrapped, and then signs reports. */
static void test_vlek(void)
{
    g_autofree char *dir = g_dir_make_tmp("amd-psp-XXXXXX", NULL);
    g_autofree char *options = g_strdup_printf(",cert-dir=%s" DEFAULT, dir);
    g_autofree char *path = g_build_filename(dir, "vlek-hashstick.bin", NULL);
    g_autofree uint8_t *stick = NULL;
    SnpBufVlekLoad bad = { .length = 8 };
    SnpReportReq req = { .vmpl = 0 };
    gnutls_x509_crt_t vlek, asvk, ark;
    SnpReportRsp rsp;
    SnpMsgHeader hdr = header(SNP_MSG_REPORT_REQ, 0, 1, sizeof(req));
    uint8_t ld[48], key[32];
    gsize len;
    Psp p;

    start_guest(&p, options, T_POLICY, ld);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    g_assert_true(g_file_get_contents(path, (char **)&stick, &len, NULL));
    g_assert_cmpuint(len, ==, SNP_VLEK_LEN);
    psp_assert(PSP_CMD(&p, SNP_VLEK_LOAD, &bad), INVALID_LENGTH);
    bad.length = sizeof(bad);
    bad.version = 1;
    psp_assert(PSP_CMD(&p, SNP_VLEK_LOAD, &bad), INVALID_PARAM);
    stick[0x20] ^= 1;
    psp_assert(load_vlek(&p, stick), BAD_MEASUREMENT);
    stick[0x20] ^= 1;
    psp_assert(load_vlek(&p, stick), SUCCESS);

    get_vmpck(&p, 0, key);
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    read_response(&p, key, SNP_MSG_REPORT_RSP, 2, &rsp);
    g_assert_cmpuint(rsp.status, ==, 0);
    g_assert_cmphex(rsp.report.key_info, ==, SNP_REPORT_KEY_VLEK);
    vlek = load_cert(dir, "vlek.der");
    asvk = load_cert(dir, "asvk.der");
    ark = load_cert(dir, "ark.der");
    check_issued(asvk, ark);
    check_issued(vlek, asvk);
    g_assert_true(report_signed(&rsp.report, vlek));
    gnutls_x509_crt_deinit(vlek);
    gnutls_x509_crt_deinit(asvk);
    gnutls_x509_crt_deinit(ark);
    psp_stop(&p);
    remove_dir(dir);
}

/* A migration agent gives one of its guests a root key. */
static void test_vmrk(void)
{
    SnpBufLaunchStart start = {
        .gctx_paddr = T_GCTX2, .policy = T_POLICY | SNP_POLICY_MIGRATE_MA,
        .ma_gctx_paddr = T_GCTX, .flags = SNP_LAUNCH_MA_EN,
    };
    SnpVmrkReq req = { .gctx_paddr = T_GCTX2, .vmrk = { 1, 2, 3 } };
    SnpMsgHeader hdr = header(SNP_MSG_VMRK_REQ, 0, 1, sizeof(req));
    uint8_t ld[48], key[32], rsp[16];
    Psp p;

    start_guest(&p, DEFAULT, T_POLICY, ld);
    psp_gctx_create(&p, T_GCTX2);
    psp_assert(PSP_CMD(&p, SNP_LAUNCH_START, &start), INVALID_GUEST);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    get_vmpck(&p, 0, key);
    /* Not its guest yet */
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    read_response(&p, key, SNP_MSG_VMRK_RSP, 2, rsp);
    g_assert_cmpuint(ldl_le_p(rsp), ==, SEV_STATUS_INVALID_PARAM);
    psp_assert(PSP_CMD(&p, SNP_LAUNCH_START, &start), SUCCESS);
    hdr = header(SNP_MSG_VMRK_REQ, 0, 3, sizeof(req));
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    read_response(&p, key, SNP_MSG_VMRK_RSP, 4, rsp);
    g_assert_cmpuint(ldl_le_p(rsp), ==, SEV_STATUS_SUCCESS);
    psp_stop(&p);
}

static void test_report_checks(void)
{
    SnpReportReq req = { .vmpl = 0 };
    SnpReportRsp rsp;
    SnpMsgHeader hdr;
    uint8_t ld[48], key[32];
    Psp p;

    start_guest(&p, DEFAULT, T_POLICY, ld);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    get_vmpck(&p, 2, key);
    /* VMPCK2 speaks for VMPL 2 and 3 only. */
    hdr = header(SNP_MSG_REPORT_REQ, 2, 1, sizeof(req));
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    read_response(&p, key, SNP_MSG_REPORT_RSP, 2, &rsp);
    g_assert_cmpuint(rsp.status, ==, SEV_STATUS_INVALID_PARAM);
    req.vmpl = 4;
    hdr = header(SNP_MSG_REPORT_REQ, 2, 3, sizeof(req));
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    read_response(&p, key, SNP_MSG_REPORT_RSP, 4, &rsp);
    g_assert_cmpuint(rsp.status, ==, SEV_STATUS_INVALID_PARAM);
    req.vmpl = 3;
    req.key_sel = 2;                    /* a VLEK that is not loaded */
    hdr = header(SNP_MSG_REPORT_REQ, 2, 5, sizeof(req));
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    read_response(&p, key, SNP_MSG_REPORT_RSP, 6, &rsp);
    g_assert_cmpuint(rsp.status, ==, SEV_STATUS_INVALID_KEY);
    req.key_sel = 3;
    hdr = header(SNP_MSG_REPORT_REQ, 2, 7, sizeof(req));
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    read_response(&p, key, SNP_MSG_REPORT_RSP, 8, &rsp);
    g_assert_cmpuint(rsp.status, ==, SEV_STATUS_INVALID_PARAM);
    psp_stop(&p);
}

static void test_message_checks(void)
{
    SnpBufGuestRequest buf = {
        .gctx_paddr = T_GCTX, .request_paddr = T_HV, .response_paddr = T_LIST,
    };
    SnpReportReq req = { .vmpl = 0 };
    SnpMsgHeader hdr, good = header(SNP_MSG_REPORT_REQ, 0, 1, sizeof(req));
    uint8_t ld[48], key[32], wrong[32] = { 1 };
    Psp p;

    start_guest(&p, DEFAULT, T_POLICY, ld);
    get_vmpck(&p, 0, key);
    hdr = good;
    psp_assert(send_message(&p, &hdr, key, &req), INVALID_GUEST_STATE);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);

    hdr = good;
    psp_assert(send_message(&p, &hdr, wrong, &req), BAD_MEASUREMENT);
    hdr = good;
    hdr.seqno = 2;
    psp_assert(send_message(&p, &hdr, key, &req), AEAD_OFLOW);
    hdr = good;
    hdr.algo = 2;
    psp_assert(send_message(&p, &hdr, key, &req), INVALID_PARAM);
    hdr = good;
    hdr.hdr_version = 2;
    psp_assert(send_message(&p, &hdr, key, &req), INVALID_PARAM);
    hdr = good;
    hdr.hdr_size = 0x50;
    psp_assert(send_message(&p, &hdr, key, &req), INVALID_PARAM);
    hdr = good;
    hdr.vmpck = 4;
    psp_assert(send_message(&p, &hdr, key, &req), INVALID_PARAM);
    hdr = good;
    hdr.reserved2 = 1;
    psp_assert(send_message(&p, &hdr, key, &req), INVALID_PARAM);
    hdr = good;
    hdr.msg_type = 99;
    psp_assert(send_message(&p, &hdr, key, &req), INVALID_PARAM);
    hdr = good;
    hdr.msg_type = SNP_MSG_EXPORT_REQ;
    psp_assert(send_message(&p, &hdr, key, &req), UNSUPPORTED);
    hdr = good;
    hdr.msg_size--;
    psp_assert(send_message(&p, &hdr, key, &req), INVALID_PARAM);

    hdr = good;
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    /* The same message again */
    psp_assert(PSP_CMD(&p, SNP_GUEST_REQUEST, &buf), INVALID_PAGE_STATE);
    buf.response_paddr = T_OUT;
    psp_assert(PSP_CMD(&p, SNP_GUEST_REQUEST, &buf), AEAD_OFLOW);
    buf.request_paddr += 8;
    psp_assert(PSP_CMD(&p, SNP_GUEST_REQUEST, &buf), INVALID_ADDRESS);
    psp_stop(&p);
}

static void test_masks(void)
{
    SnpBufConfig config = {
        .flags = SNP_STATUS_MASK_CHIP_ID | SNP_STATUS_MASK_CHIP_KEY,
    };
    SnpReportReq req = { .vmpl = 0 };
    SnpReportRsp rsp;
    SnpMsgHeader hdr = header(SNP_MSG_REPORT_REQ, 0, 1, sizeof(req));
    uint8_t ld[48], key[32], zero[512] = { 0 };
    Psp p;

    start_guest(&p, DEFAULT, T_POLICY, ld);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_CONFIG, &config), SUCCESS);
    get_vmpck(&p, 0, key);
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    read_response(&p, key, SNP_MSG_REPORT_RSP, 2, &rsp);
    g_assert_cmpuint(rsp.status, ==, 0);
    g_assert_cmpmem(rsp.report.chip_id, 64, zero, 64);
    g_assert_cmpmem(&rsp.report.signature, 512, zero, 512);
    g_assert_cmphex(rsp.report.key_info, ==,
                    SNP_REPORT_KEY_MASKED | SNP_REPORT_KEY_NONE);
    psp_stop(&p);
}

static void ask_key(Psp *p, const uint8_t vmpck[32], uint64_t seqno,
                    const SnpKeyReq *req, SnpKeyRsp *rsp)
{
    SnpMsgHeader hdr = header(SNP_MSG_KEY_REQ, 0, seqno, sizeof(*req));

    psp_assert(send_message(p, &hdr, vmpck, req), SUCCESS);
    g_assert_cmpuint(read_response(p, vmpck, SNP_MSG_KEY_RSP, seqno + 1, rsp),
                     ==, sizeof(*rsp));
}

static void test_key(void)
{
    SnpKeyReq req = { .vmpl = 0 };
    SnpKeyRsp a, b;
    uint8_t ld[48], key[32];
    Psp p;

    start_guest(&p, DEFAULT, T_POLICY, ld);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    get_vmpck(&p, 0, key);
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
    req.field_select = 0;
    req.guest_svn = 1;
    ask_key(&p, key, 9, &req, &b);
    g_assert_cmpuint(b.status, ==, SEV_STATUS_INVALID_PARAM);
    req.guest_svn = 0;
    req.tcb_version = ~0ull;
    ask_key(&p, key, 11, &req, &b);
    g_assert_cmpuint(b.status, ==, SEV_STATUS_INVALID_PARAM);
    req.tcb_version = 0;
    req.key_select = 1;                 /* no VMRK */
    ask_key(&p, key, 13, &req, &b);
    g_assert_cmpuint(b.status, ==, SEV_STATUS_INVALID_KEY);
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
    uint8_t ld[48], key[32];
    Psp p;

    start_guest(&p, DEFAULT, T_POLICY, ld);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    get_vmpck(&p, 0, key);
    req.fn.eax_in = 7;
    req.fn.edx = 1u << 22;
    hdr = header(SNP_MSG_CPUID_REQ, 0, 1, sizeof(req));
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    read_response(&p, key, SNP_MSG_CPUID_RSP, 2, &rsp);
    g_assert_cmpuint(rsp.status, ==, SEV_STATUS_INVALID_PARAM);
    g_assert_cmpuint(rsp.count, ==, 1);
    g_assert_cmphex(rsp.fn.edx, ==, 0);
    req.fn.edx = 0;
    hdr = header(SNP_MSG_CPUID_REQ, 0, 3, sizeof(req));
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    read_response(&p, key, SNP_MSG_CPUID_RSP, 4, &rsp);
    g_assert_cmpuint(rsp.status, ==, 0);
    psp_stop(&p);
}

static void test_tsc_info(void)
{
    uint8_t req[128] = { 0 };
    SnpTscInfoRsp rsp;
    SnpMsgHeader hdr = header(SNP_MSG_TSC_INFO_REQ, 0, 1, sizeof(req));
    uint8_t ld[48], key[32];
    Psp p;

    start_guest(&p, DEFAULT, T_POLICY, ld);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    get_vmpck(&p, 0, key);
    psp_assert(send_message(&p, &hdr, key, req), SUCCESS);
    g_assert_cmpuint(read_response(&p, key, SNP_MSG_TSC_INFO_RSP, 2, &rsp), ==,
                     sizeof(rsp));
    g_assert_cmpuint(rsp.status, ==, 0);
    g_assert_cmphex(rsp.tsc_scale, ==, 1ull << 32);
    psp_stop(&p);
}

/* A guest owner's key */
static gnutls_privkey_t owner_key(SevEcKey *out)
{
    gnutls_datum_t x, y, d;
    gnutls_ecc_curve_t curve;
    gnutls_privkey_t key;
    int i;

    gnutls_privkey_init(&key);
    g_assert_cmpint(gnutls_privkey_generate(key, GNUTLS_PK_ECDSA,
                        GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1), 0),
                    ==, 0);
    g_assert_cmpint(gnutls_privkey_export_ecc_raw2(key, &curve, &x, &y, &d,
                        GNUTLS_EXPORT_FLAG_NO_LZ), ==, 0);
    memset(out, 0, sizeof(*out));
    out->curve = SEV_CURVE_P384;
    for (i = 0; i < x.size; i++) {
        out->qx[i] = x.data[x.size - 1 - i];
    }
    for (i = 0; i < y.size; i++) {
        out->qy[i] = y.data[y.size - 1 - i];
    }
    gnutls_free(x.data);
    gnutls_free(y.data);
    gnutls_free(d.data);
    return key;
}

static void owner_sign(gnutls_privkey_t key, const void *data, size_t len,
                       SevEcSig *out)
{
    gnutls_datum_t in = { (void *)data, len }, sig, r, s;
    int i;

    g_assert_cmpint(gnutls_privkey_sign_data(key, GNUTLS_DIG_SHA384, 0, &in,
                                             &sig), ==, 0);
    g_assert_cmpint(gnutls_decode_rs_value(&sig, &r, &s), ==, 0);
    memset(out, 0, sizeof(*out));
    for (i = 0; i < r.size && i < 72; i++) {
        out->r[i] = r.data[r.size - 1 - i];
    }
    for (i = 0; i < s.size && i < 72; i++) {
        out->s[i] = s.data[s.size - 1 - i];
    }
    gnutls_free(sig.data);
    gnutls_free(r.data);
    gnutls_free(s.data);
}

static uint16_t finish_with(Psp *p, const SnpIdBlock *id, const SnpIdAuth *auth)
{
    SnpBufLaunchFinish buf = {
        .gctx_paddr = T_GCTX,
        .id_block_paddr = T_LIST,
        .id_auth_paddr = T_HV,
        .flags = SNP_FINISH_ID_BLOCK | SNP_FINISH_AUTHOR_KEY,
        .host_data = { 0xab },
    };

    qtest_memwrite(p->qts, T_LIST, id, sizeof(*id));
    qtest_memwrite(p->qts, T_HV, auth, sizeof(*auth));
    return PSP_CMD(p, SNP_LAUNCH_FINISH, &buf);
}

static void test_id_block(void)
{
    g_autofree SnpIdAuth *auth = g_new0(SnpIdAuth, 1);
    g_autofree SnpIdAuth *bad = g_new0(SnpIdAuth, 1);
    SnpIdBlock id = { .version = 1, .guest_svn = 3, .policy = T_POLICY };
    gnutls_privkey_t id_key, author;
    SnpReportReq req = { .vmpl = 0 };
    SnpReportRsp rsp;
    SnpMsgHeader hdr = header(SNP_MSG_REPORT_REQ, 0, 1, sizeof(req));
    uint8_t ld[48], key[32], digest[48];
    Psp p;

    start_guest(&p, DEFAULT, T_POLICY, ld);
    memcpy(id.ld, ld, sizeof(id.ld));
    memset(id.family_id, 0x11, 16);
    id_key = owner_key(&auth->id_key);
    author = owner_key(&auth->author_key);
    auth->id_key_algo = auth->author_key_algo = SEV_ALGO_ECDSA_P384_SHA384;
    owner_sign(id_key, &id, sizeof(id), &auth->id_block_sig);
    owner_sign(author, &auth->id_key, sizeof(auth->id_key), &auth->id_key_sig);

    *bad = *auth;
    bad->id_key_algo = 2;
    psp_assert(finish_with(&p, &id, bad), INVALID_PARAM);
    *bad = *auth;
    bad->id_block_sig.r[0] ^= 1;
    psp_assert(finish_with(&p, &id, bad), BAD_SIGNATURE);
    *bad = *auth;
    bad->id_key_sig.s[0] ^= 1;
    psp_assert(finish_with(&p, &id, bad), BAD_SIGNATURE);
    *bad = *auth;
    id.ld[0] ^= 1;
    owner_sign(id_key, &id, sizeof(id), &bad->id_block_sig);
    psp_assert(finish_with(&p, &id, bad), BAD_MEASUREMENT);
    id.ld[0] ^= 1;
    id.policy |= SNP_POLICY_DEBUG;
    owner_sign(id_key, &id, sizeof(id), &bad->id_block_sig);
    psp_assert(finish_with(&p, &id, bad), POLICY_FAILURE);
    id.policy = T_POLICY;
    psp_assert(finish_with(&p, &id, auth), SUCCESS);

    get_vmpck(&p, 0, key);
    psp_assert(send_message(&p, &hdr, key, &req), SUCCESS);
    read_response(&p, key, SNP_MSG_REPORT_RSP, 2, &rsp);
    g_assert_cmpuint(rsp.report.guest_svn, ==, 3);
    g_assert_cmpmem(rsp.report.family_id, 16, id.family_id, 16);
    g_assert_cmphex(rsp.report.host_data[0], ==, 0xab);
    g_assert_cmphex(rsp.report.key_info & SNP_REPORT_KEY_AUTHOR, !=, 0);
    sha384(&auth->id_key, sizeof(auth->id_key), digest);
    g_assert_cmpmem(rsp.report.id_key_digest, 48, digest, 48);
    sha384(&auth->author_key, sizeof(auth->author_key), digest);
    g_assert_cmpmem(rsp.report.author_key_digest, 48, digest, 48);
    gnutls_privkey_deinit(id_key);
    gnutls_privkey_deinit(author);
    psp_stop(&p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/amd-psp/message/report", test_report);
    qtest_add_func("/amd-psp/message/report-checks", test_report_checks);
    qtest_add_func("/amd-psp/message/checks", test_message_checks);
    qtest_add_func("/amd-psp/message/masks", test_masks);
    qtest_add_func("/amd-psp/message/key", test_key);
    qtest_add_func("/amd-psp/message/vlek", test_vlek);
    qtest_add_func("/amd-psp/message/vmrk", test_vmrk);
    qtest_add_func("/amd-psp/message/cpuid", test_cpuid_message);
    qtest_add_func("/amd-psp/message/tsc-info", test_tsc_info);
    qtest_add_func("/amd-psp/launch-finish/id-block", test_id_block);
    return g_test_run();
}
