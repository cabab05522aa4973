/*
 * AMD Secure Processor: owners of SEV guests and platforms, migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include <gmp.h>
#include <nettle/aes.h>
#include <nettle/bignum.h>
#include <nettle/ctr.h>
#include <nettle/ecc.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <nettle/hmac.h>
#include "qemu/bswap.h"
#include "amd-psp-sev.h"

typedef struct Owner {
    struct ecc_scalar key;
    SevCert cert;
    SevSession session;
    uint8_t tek[16], tik[16];
} Owner;

static void some_random(void *ctx, size_t len, uint8_t *out)
{
    while (len--) {
        *out++ = g_test_rand_int();
    }
}

static void put_number(uint8_t out[72], const mpz_t n)
{
    size_t count;

    memset(out, 0, 72);
    mpz_export(out, &count, -1, 1, 0, 0, n);
}

static void hmac(const uint8_t *key, const void *data, size_t len,
                 uint8_t mac[32])
{
    struct hmac_sha256_ctx ctx;

    hmac_sha256_set_key(&ctx, 16, key);
    hmac_sha256_update(&ctx, len, data);
    hmac_sha256_digest(&ctx, 32, mac);
}

/* Derive 16 bytes with the key derivation function of the SEV API */
static void derive(const uint8_t *key, size_t key_len, const char *label,
                   const uint8_t *context, size_t context_len, uint8_t *out)
{
    struct hmac_sha256_ctx ctx;
    uint8_t one[4] = { 1 }, bits[4] = { 128 }, mac[32];

    hmac_sha256_set_key(&ctx, key_len, key);
    hmac_sha256_update(&ctx, 4, one);
    hmac_sha256_update(&ctx, strlen(label) + 1, (const uint8_t *)label);
    hmac_sha256_update(&ctx, context_len, context);
    hmac_sha256_update(&ctx, 4, bits);
    hmac_sha256_digest(&ctx, 32, mac);
    memcpy(out, mac, 16);
}

static void ctr(const uint8_t key[16], const uint8_t iv[16], uint8_t *data,
                size_t len)
{
    struct aes128_ctx ctx;
    uint8_t counter[16];

    memcpy(counter, iv, 16);
    aes128_set_encrypt_key(&ctx, key);
    ctr_crypt(&ctx, (nettle_cipher_func *)aes128_encrypt, 16, counter, len,
              data, data);
}

static void agree(Owner *o, const SevCert *pdh, uint8_t shared[48])
{
    struct ecc_point point;
    mpz_t x, y;

    mpz_inits(x, y, NULL);
    mpz_import(x, 72, -1, 1, 0, 0, pdh->pubkey.qx);
    mpz_import(y, 72, -1, 1, 0, 0, pdh->pubkey.qy);
    ecc_point_init(&point, nettle_get_secp_384r1());
    g_assert_true(ecc_point_set(&point, x, y));
    ecc_point_mul(&point, &o->key, &point);
    ecc_point_get(&point, x, y);
    nettle_mpz_get_str_256(48, shared, x);
    ecc_point_clear(&point);
    mpz_clears(x, y, NULL);
}

static void owner_init(Owner *o, const SevCert *pdh, uint32_t policy)
{
    uint8_t shared[48], master[16], kek[16], kik[16];
    struct ecc_point point;
    mpz_t x, y;

    memset(o, 0, sizeof(*o));
    ecc_scalar_init(&o->key, nettle_get_secp_384r1());
    ecc_point_init(&point, nettle_get_secp_384r1());
    ecdsa_generate_keypair(&point, &o->key, NULL, some_random);
    mpz_inits(x, y, NULL);
    ecc_point_get(&point, x, y);
    o->cert.version = 1;
    o->cert.pubkey_usage = SEV_CERT_USAGE_PDH;
    o->cert.pubkey_algo = SEV_CERT_ALGO_ECDH_SHA256;
    o->cert.pubkey.curve = SEV_CURVE_P384;
    put_number(o->cert.pubkey.qx, x);
    put_number(o->cert.pubkey.qy, y);
    mpz_clears(x, y, NULL);
    ecc_point_clear(&point);

    agree(o, pdh, shared);
    some_random(NULL, 16, o->tek);
    some_random(NULL, 16, o->tik);
    some_random(NULL, 16, o->session.nonce);
    some_random(NULL, 16, o->session.wrap_iv);
    derive(shared, 48, "sev-master-secret", o->session.nonce, 16, master);
    derive(master, 16, "sev-kek", NULL, 0, kek);
    derive(master, 16, "sev-kik", NULL, 0, kik);
    memcpy(o->session.wrap_tk, o->tek, 16);
    memcpy(o->session.wrap_tk + 16, o->tik, 16);
    ctr(kek, o->session.wrap_iv, o->session.wrap_tk, 32);
    hmac(kik, o->session.wrap_tk, 32, o->session.wrap_mac);
    hmac(o->tik, &policy, 4, o->session.policy_mac);
}

static void put_session(Psp *p, Owner *o)
{
    qtest_memwrite(p->qts, T_CERT, &o->cert, sizeof(o->cert));
    qtest_memwrite(p->qts, T_OUT, &o->session, sizeof(o->session));
}

static void export_pdh(Psp *p, SevCert *pdh)
{
    SevBufCerts buf = { .cert_address = T_CERT, .chain_address = T_NV };

    psp_assert(PSP_CMD(p, PDH_CERT_EXPORT, &buf), INVALID_LENGTH);
    g_assert_cmpuint(buf.cert_len, ==, sizeof(SevCert));
    g_assert_cmpuint(buf.chain_len, ==, 3 * sizeof(SevCert));
    psp_assert(PSP_CMD(p, PDH_CERT_EXPORT, &buf), SUCCESS);
    qtest_memread(p->qts, T_CERT, pdh, sizeof(*pdh));
    g_assert_cmphex(pdh->pubkey_usage, ==, SEV_CERT_USAGE_PDH);
}

/* The measurement of one page of zeros, as the owner computes it */
static void expect_measure(Owner *o, uint32_t policy, const SevMeasurement *got)
{
    uint8_t page[0x1000] = { 0 }, data[4 + 4 + 32 + 16], mac[32];
    struct sha256_ctx sha;

    data[0] = 4;
    data[1] = SEV_FW_API_MAJOR;
    data[2] = SEV_FW_API_MINOR;
    data[3] = SEV_FW_BUILD;
    stl_le_p(data + 4, policy);
    sha256_init(&sha);
    sha256_update(&sha, sizeof(page), page);
    sha256_digest(&sha, 32, data + 8);
    memcpy(data + 40, got->mnonce, 16);
    hmac(o->tik, data, sizeof(data), mac);
    g_assert_cmpmem(mac, 32, got->measure, 32);
}

static void make_packet(Owner *o, const SevMeasurement *m, uint8_t *secret,
                        uint32_t len, SevPacketHeader *hdr)
{
    uint8_t data[1 + 4 + 16 + 4 + 4 + 32 + 32];

    g_assert_cmpuint(len, ==, 32);
    memset(hdr, 0, sizeof(*hdr));
    some_random(NULL, 16, hdr->iv);
    ctr(o->tek, hdr->iv, secret, len);
    data[0] = 1;
    stl_le_p(data + 1, 0);
    memcpy(data + 5, hdr->iv, 16);
    stl_le_p(data + 21, len);
    stl_le_p(data + 25, len);
    memcpy(data + 29, secret, len);
    memcpy(data + 29 + len, m->measure, 32);
    hmac(o->tik, data, sizeof(data), hdr->mac);
}

/* A launch with an owner: session, measurement, secret */
static void test_owner(void)
{
    const uint32_t policy = SEV_POLICY_ES;
    SevBufStart buf = {
        .policy = policy, .cert_address = T_CERT, .cert_len = sizeof(SevCert),
        .session_address = T_OUT, .session_len = sizeof(SevSession),
    };
    SevBufRegion m = { .address = T_HV, .len = sizeof(SevMeasurement) };
    SevBufPacket packet = {
        .hdr_address = T_OUT, .hdr_len = sizeof(SevPacketHeader),
        .guest_address = T_DATA + 0x40, .guest_len = 32,
        .trans_address = T_OUT2, .trans_len = 32,
    };
    SevBufDbg dbg = { .src_address = T_DATA + 0x40, .dst_address = T_HV,
                      .len = 32 };
    uint8_t secret[32], clear[32];
    SevMeasurement measure;
    SevPacketHeader hdr;
    SevCert pdh;
    Owner o;
    Psp p;

    sev_start(&p);
    export_pdh(&p, &pdh);
    owner_init(&o, &pdh, policy);
    o.session.wrap_mac[0] ^= 1;
    put_session(&p, &o);
    psp_assert(PSP_CMD(&p, LAUNCH_START, &buf), BAD_MEASUREMENT);
    o.session.wrap_mac[0] ^= 1;
    o.session.policy_mac[0] ^= 1;
    put_session(&p, &o);
    psp_assert(PSP_CMD(&p, LAUNCH_START, &buf), BAD_MEASUREMENT);
    o.session.policy_mac[0] ^= 1;
    o.cert.pubkey.qx[0] ^= 1;
    put_session(&p, &o);
    psp_assert(PSP_CMD(&p, LAUNCH_START, &buf), INVALID_CERTIFICATE);
    o.cert.pubkey.qx[0] ^= 1;
    put_session(&p, &o);
    buf.session_len--;
    psp_assert(PSP_CMD(&p, LAUNCH_START, &buf), INVALID_LENGTH);
    buf.session_len++;
    psp_assert(PSP_CMD(&p, LAUNCH_START, &buf), SUCCESS);

    psp_assert(sev_activate(&p, buf.handle, T_ES_ASID), SUCCESS);
    qtest_memset(p.qts, T_DATA, 0, 0x1000);
    psp_assert(SEV_REGION(&p, LAUNCH_UPDATE_DATA, buf.handle, T_DATA, 0x1000),
               SUCCESS);
    dbg.handle = packet.handle = m.handle = buf.handle;
    psp_assert(PSP_CMD(&p, LAUNCH_SECRET, &packet), INVALID_GUEST_STATE);
    psp_assert(PSP_CMD(&p, LAUNCH_MEASURE, &m), SUCCESS);
    qtest_memread(p.qts, T_HV, &measure, sizeof(measure));
    expect_measure(&o, policy, &measure);

    some_random(NULL, sizeof(clear), clear);
    memcpy(secret, clear, sizeof(secret));
    make_packet(&o, &measure, secret, sizeof(secret), &hdr);
    qtest_memwrite(p.qts, T_OUT, &hdr, sizeof(hdr));
    secret[0] ^= 1;
    qtest_memwrite(p.qts, T_OUT2, secret, sizeof(secret));
    psp_assert(PSP_CMD(&p, LAUNCH_SECRET, &packet), BAD_MEASUREMENT);
    secret[0] ^= 1;
    qtest_memwrite(p.qts, T_OUT2, secret, sizeof(secret));
    packet.guest_len = 24;
    psp_assert(PSP_CMD(&p, LAUNCH_SECRET, &packet), INVALID_LENGTH);
    packet.guest_len = 32;
    psp_assert(PSP_CMD(&p, LAUNCH_SECRET, &packet), SUCCESS);
    psp_assert(PSP_CMD(&p, DBG_DECRYPT, &dbg), SUCCESS);
    qtest_memread(p.qts, T_HV, secret, sizeof(secret));
    g_assert_cmpmem(secret, 32, clear, 32);
    psp_assert(SEV_HANDLE(&p, LAUNCH_FINISH, buf.handle), SUCCESS);
    ecc_scalar_clear(&o.key);
    psp_stop(&p);
}

static void sign_cert(SevCert *cert, struct ecc_scalar *key)
{
    struct dsa_signature sig;
    struct sha256_ctx sha;
    uint8_t digest[32];

    sha256_init(&sha);
    sha256_update(&sha, SEV_CERT_SIGNED_LEN, (uint8_t *)cert);
    sha256_digest(&sha, 32, digest);
    dsa_signature_init(&sig);
    ecdsa_sign(key, NULL, some_random, 32, digest, &sig);
    cert->sigs[0].usage = SEV_CERT_USAGE_OCA;
    cert->sigs[0].algo = SEV_CERT_ALGO_ECDSA_SHA256;
    put_number(cert->sigs[0].sig.r, sig.r);
    put_number(cert->sigs[0].sig.s, sig.s);
    dsa_signature_clear(&sig);
}

static uint16_t import(Psp *p, const SevCert *pek, const SevCert *oca)
{
    SevBufCerts buf = {
        .cert_address = T_CERT, .cert_len = sizeof(*pek),
        .chain_address = T_NV, .chain_len = sizeof(*oca),
    };

    qtest_memwrite(p->qts, T_CERT, pek, sizeof(*pek));
    qtest_memwrite(p->qts, T_NV, oca, sizeof(*oca));
    return PSP_CMD(p, PEK_CERT_IMPORT, &buf);
}

/* The platform gets an owner, and becomes self-owned again. */
static void test_pek(void)
{
    SevBufBlob csr = { .address = T_CERT };
    SevBufCerts bad = { .cert_address = T_CERT, .chain_address = T_NV };
    SevBufStatus st = { 0 };
    SevCert pek, oca, pdh, other;
    Owner o;
    Psp p;

    sev_start(&p);
    psp_assert(PSP_CMD(&p, PEK_CSR, &csr), INVALID_LENGTH);
    g_assert_cmpuint(csr.len, ==, sizeof(pek));
    psp_assert(PSP_CMD(&p, PEK_CSR, &csr), SUCCESS);
    qtest_memread(p.qts, T_CERT, &pek, sizeof(pek));
    export_pdh(&p, &pdh);
    owner_init(&o, &pdh, 0);
    oca = o.cert;
    oca.pubkey_usage = SEV_CERT_USAGE_OCA;
    oca.pubkey_algo = SEV_CERT_ALGO_ECDSA_SHA256;
    sign_cert(&oca, &o.key);

    psp_assert(PSP_CMD(&p, PEK_CERT_IMPORT, &bad), INVALID_LENGTH);
    psp_assert(import(&p, &pek, &oca), BAD_SIGNATURE);
    other = pek;
    other.pubkey.qx[3] ^= 1;
    sign_cert(&other, &o.key);
    psp_assert(import(&p, &other, &oca), INVALID_CERTIFICATE);
    sign_cert(&pek, &o.key);
    psp_assert(import(&p, &pek, &oca), SUCCESS);
    psp_assert(import(&p, &pek, &oca), ALREADY_OWNED);
    psp_assert(PSP_CMD(&p, PLATFORM_STATUS, &st), SUCCESS);
    g_assert_cmphex(st.flags & SEV_STATUS_OWNER, !=, 0);

    export_pdh(&p, &other);
    g_assert_cmpint(memcmp(&other, &pdh, sizeof(pdh)), !=, 0);
    psp_assert(PSP_CMD0(&p, PDH_GEN), SUCCESS);
    psp_assert(PSP_CMD0(&p, PEK_GEN), SUCCESS);
    psp_assert(PSP_CMD(&p, PLATFORM_STATUS, &st), SUCCESS);
    g_assert_cmphex(st.flags & SEV_STATUS_OWNER, ==, 0);
    ecc_scalar_clear(&o.key);
    psp_stop(&p);
}

/* A guest is sent to the platform's own PDH, and received again. */
static void test_migrate(void)
{
    SevBufSendStart start_buf = {
        .pdh_cert_address = T_CERT, .pdh_cert_len = sizeof(SevCert),
        .plat_certs_address = T_NV, .plat_certs_len = 3 * sizeof(SevCert),
        .session_address = T_OUT,
    };
    SevBufStart receive = {
        .policy = SEV_POLICY_ES, .cert_address = T_CERT,
        .cert_len = sizeof(SevCert), .session_address = T_OUT,
        .session_len = sizeof(SevSession),
    };
    SevBufPacket packet = {
        .hdr_address = T_LIST, .guest_address = T_DATA, .guest_len = 64,
        .trans_address = T_OUT2,
    };
    SevBufRegion m = { .address = T_HV, .len = sizeof(SevMeasurement) };
    SevBufDbg dbg = { .src_address = T_HUGE, .dst_address = T_HV, .len = 64 };
    uint32_t h;
    SevCert pdh;
    Psp p;

    sev_start(&p);
    h = sev_launch_start(&p, SEV_POLICY_ES);
    psp_assert(sev_activate(&p, h, T_ES_ASID), SUCCESS);
    qtest_memset(p.qts, T_DATA, 0x3c, 0x1000);
    psp_assert(SEV_REGION(&p, LAUNCH_UPDATE_DATA, h, T_DATA, 0x1000), SUCCESS);
    start_buf.handle = packet.handle = m.handle = h;
    psp_assert(PSP_CMD(&p, SEND_START, &start_buf), INVALID_GUEST_STATE);
    psp_assert(PSP_CMD(&p, LAUNCH_MEASURE, &m), SUCCESS);
    psp_assert(SEV_HANDLE(&p, LAUNCH_FINISH, h), SUCCESS);

    psp_assert(PSP_CMD(&p, SEND_START, &start_buf), INVALID_LENGTH);
    g_assert_cmpuint(start_buf.session_len, ==, sizeof(SevSession));
    export_pdh(&p, &pdh);
    pdh.pubkey.qx[0] ^= 1;
    qtest_memwrite(p.qts, T_CERT, &pdh, sizeof(pdh));
    psp_assert(PSP_CMD(&p, SEND_START, &start_buf), INVALID_CERTIFICATE);
    pdh.pubkey.qx[0] ^= 1;
    qtest_memwrite(p.qts, T_CERT, &pdh, sizeof(pdh));
    psp_assert(PSP_CMD(&p, SEND_UPDATE_DATA, &packet), INVALID_GUEST_STATE);
    psp_assert(PSP_CMD(&p, SEND_START, &start_buf), SUCCESS);
    g_assert_cmphex(start_buf.policy, ==, SEV_POLICY_ES);
    psp_assert(SEV_HANDLE(&p, SEND_CANCEL, h), SUCCESS);
    psp_assert(SEV_HANDLE(&p, SEND_FINISH, h), INVALID_GUEST_STATE);
    psp_assert(PSP_CMD(&p, SEND_START, &start_buf), SUCCESS);

    psp_assert(PSP_CMD(&p, SEND_UPDATE_DATA, &packet), INVALID_LENGTH);
    g_assert_cmpuint(packet.hdr_len, ==, sizeof(SevPacketHeader));
    g_assert_cmpuint(packet.trans_len, ==, 64);
    psp_assert(PSP_CMD(&p, SEND_UPDATE_DATA, &packet), SUCCESS);
    psp_assert(SEV_HANDLE(&p, SEND_FINISH, h), SUCCESS);
    g_assert_cmpuint(sev_guest_state(&p, h), ==, SEV_GSTATE_SENT);

    receive.policy = 0;
    psp_assert(PSP_CMD(&p, RECEIVE_START, &receive), BAD_MEASUREMENT);
    receive.policy = SEV_POLICY_ES;
    psp_assert(PSP_CMD(&p, RECEIVE_START, &receive), SUCCESS);
    dbg.handle = packet.handle = receive.handle;
    g_assert_cmpuint(sev_guest_state(&p, receive.handle), ==,
                     SEV_GSTATE_RUPDATE);
    packet.guest_address = T_HUGE;
    psp_assert(PSP_CMD(&p, RECEIVE_UPDATE_DATA, &packet), INACTIVE);
    psp_assert(sev_activate(&p, receive.handle, T_ES_ASID + 1), SUCCESS);
    /* A packet that was sent as data is rejected as a VMSA. */
    psp_assert(PSP_CMD(&p, RECEIVE_UPDATE_VMSA, &packet), BAD_MEASUREMENT);
    packet.trans_len = 48;
    psp_assert(PSP_CMD(&p, RECEIVE_UPDATE_DATA, &packet), INVALID_LENGTH);
    packet.trans_len = 64;
    psp_assert(PSP_CMD(&p, RECEIVE_UPDATE_DATA, &packet), SUCCESS);
    psp_assert(SEV_HANDLE(&p, RECEIVE_FINISH, receive.handle), SUCCESS);
    g_assert_cmpuint(sev_guest_state(&p, receive.handle), ==,
                     SEV_GSTATE_RUNNING);
    psp_assert(PSP_CMD(&p, DBG_DECRYPT, &dbg), SUCCESS);
    g_assert_cmphex(qtest_readl(p.qts, T_HV + 60), ==, 0x3c3c3c3c);
    psp_stop(&p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/amd-psp/sev/owner", test_owner);
    qtest_add_func("/amd-psp/sev/pek", test_pek);
    qtest_add_func("/amd-psp/sev/migrate", test_migrate);
    return g_test_run();
}
