/*
 * AMD Secure Processor: attestation reports, their keys, and the ID block
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include "amd-psp-msg.h"

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

/* A report, its contents, and its signature chain up to the platform's root */
static void test_report(void)
{
    g_autofree char *dir = g_dir_make_tmp("amd-psp-XXXXXX", NULL);
    g_autofree char *options = g_strdup_printf(",cert-dir=%s" MSG_OPTIONS, dir);
    gnutls_x509_crt_t vcek, ask, ark;
    SnpReportReq req = { .vmpl = 1 };
    SnpReportRsp rsp;
    SnpMsgHeader hdr;
    uint8_t ld[48], key[32], hwid[64];
    size_t len = sizeof(hwid);
    Psp p;

    msg_start_guest(&p, options, T_POLICY, ld);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    msg_vmpck(&p, 0, key);
    memset(req.report_data, 0x77, sizeof(req.report_data));
    hdr = msg_header(SNP_MSG_REPORT_REQ, 0, 1, sizeof(req));
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    g_assert_cmpuint(msg_reply(&p, key, SNP_MSG_REPORT_RSP, 2, &rsp), ==,
                     sizeof(rsp));
    g_assert_cmpuint(rsp.status, ==, 0);
    g_assert_cmpuint(rsp.size, ==, sizeof(SnpReport));
    g_assert_cmpuint(rsp.report.version, ==, SNP_REPORT_VERSION);
    g_assert_cmpuint(rsp.report.vmpl, ==, 1);
    g_assert_cmphex(rsp.report.policy, ==, T_POLICY);
    g_assert_cmpmem(rsp.report.measurement, 48, ld, 48);
    g_assert_cmpmem(rsp.report.report_data, 64, req.report_data, 64);
    g_assert_cmphex(rsp.report.platform_info, ==,
                    SNP_REPORT_PLATFORM_ALIAS_CHECK);

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

static void test_report_checks(void)
{
    SnpReportReq req = { .vmpl = 0 };
    SnpReportRsp rsp;
    SnpMsgHeader hdr;
    uint8_t ld[48], key[32];
    Psp p;

    msg_start_guest(&p, MSG_OPTIONS, T_POLICY, ld);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    msg_vmpck(&p, 2, key);
    /* VMPCK2 is valid for VMPL 2 and 3 only. */
    hdr = msg_header(SNP_MSG_REPORT_REQ, 2, 1, sizeof(req));
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    msg_reply(&p, key, SNP_MSG_REPORT_RSP, 2, &rsp);
    g_assert_cmpuint(rsp.status, ==, SEV_STATUS_INVALID_PARAM);
    req.vmpl = 4;
    hdr = msg_header(SNP_MSG_REPORT_REQ, 2, 3, sizeof(req));
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    msg_reply(&p, key, SNP_MSG_REPORT_RSP, 4, &rsp);
    g_assert_cmpuint(rsp.status, ==, SEV_STATUS_INVALID_PARAM);
    req.vmpl = 3;
    req.key_sel = 2;                    /* the VLEK is not loaded */
    hdr = msg_header(SNP_MSG_REPORT_REQ, 2, 5, sizeof(req));
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    msg_reply(&p, key, SNP_MSG_REPORT_RSP, 6, &rsp);
    g_assert_cmpuint(rsp.status, ==, SEV_STATUS_INVALID_KEY);
    req.key_sel = 3;
    hdr = msg_header(SNP_MSG_REPORT_REQ, 2, 7, sizeof(req));
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    msg_reply(&p, key, SNP_MSG_REPORT_RSP, 8, &rsp);
    g_assert_cmpuint(rsp.status, ==, SEV_STATUS_INVALID_PARAM);
    psp_stop(&p);
}

static void test_masks(void)
{
    SnpBufConfig config = {
        .flags = SNP_STATUS_MASK_CHIP_ID | SNP_STATUS_MASK_CHIP_KEY,
    };
    SnpReportReq req = { .vmpl = 0 };
    SnpReportRsp rsp;
    SnpMsgHeader hdr = msg_header(SNP_MSG_REPORT_REQ, 0, 1, sizeof(req));
    uint8_t ld[48], key[32], zero[512] = { 0 };
    Psp p;

    msg_start_guest(&p, MSG_OPTIONS, T_POLICY, ld);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_CONFIG, &config), SUCCESS);
    msg_vmpck(&p, 0, key);
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    msg_reply(&p, key, SNP_MSG_REPORT_RSP, 2, &rsp);
    g_assert_cmpuint(rsp.status, ==, 0);
    g_assert_cmpmem(rsp.report.chip_id, 64, zero, 64);
    g_assert_cmpmem(&rsp.report.signature, 512, zero, 512);
    g_assert_cmphex(rsp.report.key_info, ==,
                    SNP_REPORT_KEY_MASKED | SNP_REPORT_KEY_NONE);
    psp_stop(&p);
}

static uint16_t load_vlek(Psp *p, const uint8_t *stick)
{
    SnpBufVlekLoad buf = { .length = sizeof(buf), .address = T_LIST };

    qtest_memwrite(p->qts, T_LIST, stick, SNP_VLEK_LEN);
    return PSP_CMD(p, SNP_VLEK_LOAD, &buf);
}

/* Load a wrapped VLEK, and sign reports with it. */
static void test_vlek(void)
{
    g_autofree char *dir = g_dir_make_tmp("amd-psp-XXXXXX", NULL);
    g_autofree char *options = g_strdup_printf(",cert-dir=%s" MSG_OPTIONS, dir);
    g_autofree char *path = g_build_filename(dir, "vlek-hashstick.bin", NULL);
    g_autofree uint8_t *stick = NULL;
    SnpBufVlekLoad bad = { .length = 8 };
    SnpBufConfig config = { .reported_tcb = 1 };
    SnpReportReq req = { .vmpl = 0 };
    gnutls_x509_crt_t vlek, asvk, ark;
    SnpReportRsp rsp;
    SnpMsgHeader hdr = msg_header(SNP_MSG_REPORT_REQ, 0, 1, sizeof(req));
    uint8_t ld[48], key[32];
    gsize len;
    Psp p;

    msg_start_guest(&p, options, T_POLICY, ld);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    g_assert_true(g_file_get_contents(path, (char **)&stick, &len, NULL));
    g_assert_cmpuint(len, ==, SNP_VLEK_LEN);
    psp_assert(PSP_CMD(&p, SNP_VLEK_LOAD, &bad), INVALID_PARAM);
    bad.length = sizeof(bad);
    bad.version = 1;
    psp_assert(PSP_CMD(&p, SNP_VLEK_LOAD, &bad), INVALID_PARAM);
    stick[0x20] ^= 1;
    psp_assert(load_vlek(&p, stick), BAD_MEASUREMENT);
    stick[0x20] ^= 1;
    /* It is bound to a TCB version, which must be the reported one. */
    psp_assert(PSP_CMD(&p, SNP_CONFIG, &config), SUCCESS);
    psp_assert(load_vlek(&p, stick), BAD_SVN);
    config.reported_tcb = 0;
    psp_assert(PSP_CMD(&p, SNP_CONFIG, &config), SUCCESS);
    psp_assert(load_vlek(&p, stick), SUCCESS);
    /* Reports with the VLEK are signed even if the chip's key is masked. */
    config.flags = SNP_STATUS_MASK_CHIP_KEY;
    psp_assert(PSP_CMD(&p, SNP_CONFIG, &config), SUCCESS);

    msg_vmpck(&p, 0, key);
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    msg_reply(&p, key, SNP_MSG_REPORT_RSP, 2, &rsp);
    g_assert_cmpuint(rsp.status, ==, 0);
    g_assert_cmphex(rsp.report.key_info, ==,
                    SNP_REPORT_KEY_MASKED | SNP_REPORT_KEY_VLEK);
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
    SnpMsgHeader hdr = msg_header(SNP_MSG_REPORT_REQ, 0, 1, sizeof(req));
    uint8_t ld[48], key[32], digest[48];
    Psp p;

    msg_start_guest(&p, MSG_OPTIONS, T_POLICY, ld);
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
    /* The content is checked before the signature. */
    psp_assert(finish_with(&p, &id, bad), BAD_MEASUREMENT);
    owner_sign(id_key, &id, sizeof(id), &bad->id_block_sig);
    psp_assert(finish_with(&p, &id, bad), BAD_MEASUREMENT);
    id.ld[0] ^= 1;
    id.policy |= SNP_POLICY_DEBUG;
    owner_sign(id_key, &id, sizeof(id), &bad->id_block_sig);
    psp_assert(finish_with(&p, &id, bad), POLICY_FAILURE);
    id.policy = T_POLICY;
    psp_assert(finish_with(&p, &id, auth), SUCCESS);

    msg_vmpck(&p, 0, key);
    psp_assert(msg_send(&p, &hdr, key, &req), SUCCESS);
    msg_reply(&p, key, SNP_MSG_REPORT_RSP, 2, &rsp);
    g_assert_cmpuint(rsp.report.guest_svn, ==, 3);
    g_assert_cmpmem(rsp.report.family_id, 16, id.family_id, 16);
    g_assert_cmphex(rsp.report.host_data[0], ==, 0xab);
    g_assert_cmphex(rsp.report.key_info & SNP_REPORT_KEY_AUTHOR, !=, 0);
    msg_sha384(&auth->id_key, sizeof(auth->id_key), digest);
    g_assert_cmpmem(rsp.report.id_key_digest, 48, digest, 48);
    msg_sha384(&auth->author_key, sizeof(auth->author_key), digest);
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
    qtest_add_func("/amd-psp/message/masks", test_masks);
    qtest_add_func("/amd-psp/message/vlek", test_vlek);
    qtest_add_func("/amd-psp/launch-finish/id-block", test_id_block);
    return g_test_run();
}
