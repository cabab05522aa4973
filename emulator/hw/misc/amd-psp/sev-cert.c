/*
 * AMD Secure Processor: SEV, keys and certificates of the platform
 *
 * The chip's key (CEK) and the owner's key (OCA) sign the platform's key (PEK),
 * which signs the Diffie-Hellman key for sessions with guest owners (PDH).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"

static void make_cert(SevCert *cert, uint32_t usage, uint32_t algo,
                      const PspEcKey *key)
{
    memset(cert, 0, sizeof(*cert));
    cert->version = 1;
    cert->api_major = SEV_FW_API_MAJOR;
    cert->api_minor = SEV_FW_API_MINOR;
    cert->pubkey_usage = usage;
    cert->pubkey_algo = algo;
    cert->sigs[0].usage = SEV_CERT_USAGE_NONE;
    cert->sigs[1].usage = SEV_CERT_USAGE_NONE;
    psp_ec_export(key, &cert->pubkey);
}

static void sign_cert(SevCert *cert, int slot, uint32_t usage,
                      const PspEcKey *key)
{
    uint8_t digest[32];

    psp_sha256(cert, SEV_CERT_SIGNED_LEN, digest);
    cert->sigs[slot].usage = usage;
    cert->sigs[slot].algo = SEV_CERT_ALGO_ECDSA_SHA256;
    psp_ec_sign(key, digest, sizeof(digest), &cert->sigs[slot].sig);
}

/* True if @cert is signed by @key, which has @usage. */
bool sev_cert_verify(const SevCert *cert, uint32_t usage, const SevEcKey *key)
{
    uint8_t digest[48];
    size_t len;
    int i;

    for (i = 0; i < ARRAY_SIZE(cert->sigs); i++) {
        if (cert->sigs[i].usage != usage) {
            continue;
        }
        if (cert->sigs[i].algo == SEV_CERT_ALGO_ECDSA_SHA384) {
            psp_sha384(cert, SEV_CERT_SIGNED_LEN, digest);
            len = 48;
        } else {
            psp_sha256(cert, SEV_CERT_SIGNED_LEN, digest);
            len = 32;
        }
        return psp_ec_verify(key, digest, len, &cert->sigs[i].sig);
    }
    return false;
}

static void new_key(PspEcKey *key)
{
    uint8_t seed[48];

    psp_random(seed, sizeof(seed));
    psp_ec_key(key, seed);
}

static void derived_key(AmdPspState *s, const char *label, PspEcKey *key)
{
    uint8_t seed[48];

    psp_derive(s, label, NULL, 0, seed, sizeof(seed));
    psp_ec_key(key, seed);
}

/* A new PDH, signed by the PEK */
void sev_keys_new_pdh(AmdPspState *s)
{
    PspKeys *k = &s->keys;

    new_key(&k->pdh);
    make_cert(&k->pdh_cert, SEV_CERT_USAGE_PDH, SEV_CERT_ALGO_ECDH_SHA256,
              &k->pdh);
    sign_cert(&k->pdh_cert, 0, SEV_CERT_USAGE_PEK, &k->pek);
}

/* New keys: the platform is self-owned again. */
void sev_keys_reset(AmdPspState *s)
{
    PspKeys *k = &s->keys;

    derived_key(s, "cek", &k->cek);
    make_cert(&k->cek_cert, SEV_CERT_USAGE_CEK, SEV_CERT_ALGO_ECDSA_SHA256,
              &k->cek);

    new_key(&k->oca);
    k->oca_external = false;
    make_cert(&k->oca_cert, SEV_CERT_USAGE_OCA, SEV_CERT_ALGO_ECDSA_SHA256,
              &k->oca);
    sign_cert(&k->oca_cert, 0, SEV_CERT_USAGE_OCA, &k->oca);

    new_key(&k->pek);
    make_cert(&k->pek_cert, SEV_CERT_USAGE_PEK, SEV_CERT_ALGO_ECDSA_SHA256,
              &k->pek);
    sign_cert(&k->pek_cert, 0, SEV_CERT_USAGE_OCA, &k->oca);
    sign_cert(&k->pek_cert, 1, SEV_CERT_USAGE_CEK, &k->cek);
    sev_keys_new_pdh(s);
}

/* PEK_GEN */
PspStatus psp_cmd_PEK_GEN(AmdPspState *s, PspCmd *cmd)
{
    sev_keys_reset(s);
    return sev_nv_store(s);
}

/* PDH_GEN */
PspStatus psp_cmd_PDH_GEN(AmdPspState *s, PspCmd *cmd)
{
    sev_keys_new_pdh(s);
    return sev_nv_store(s);
}

/* PEK_CSR: the PEK's certificate, unsigned */
PspStatus psp_cmd_PEK_CSR(AmdPspState *s, PspCmd *cmd)
{
    SevBufBlob *buf = cmd->buf;
    g_autofree SevCert *csr = g_new0(SevCert, 1);

    make_cert(csr, SEV_CERT_USAGE_PEK, SEV_CERT_ALGO_ECDSA_SHA256,
              &s->keys.pek);
    return psp_return_blob(s, buf->address, &buf->len, csr, sizeof(*csr));
}

/*
 * Check that @pek matches PEK_CSR and is signed by @oca, which is self-signed.
 */
static PspStatus check_import(AmdPspState *s, const SevCert *pek,
                              const SevCert *oca)
{
    SevEcKey own;

    psp_ec_export(&s->keys.pek, &own);
    PSP_REQUIRE(s, CERTIFICATE, pek->version == 1 && oca->version == 1 &&
                pek->pubkey_usage == SEV_CERT_USAGE_PEK &&
                oca->pubkey_usage == SEV_CERT_USAGE_OCA,
                INVALID_CERTIFICATE);
    PSP_REQUIRE(s, CERTIFICATE, !memcmp(&pek->pubkey, &own, sizeof(own)),
                INVALID_CERTIFICATE);
    PSP_REQUIRE(s, CERTIFICATE,
                sev_cert_verify(oca, SEV_CERT_USAGE_OCA, &oca->pubkey) &&
                sev_cert_verify(pek, SEV_CERT_USAGE_OCA, &oca->pubkey),
                BAD_SIGNATURE);
    return SEV_STATUS_SUCCESS;
}

/* PEK_CERT_IMPORT: set the platform's owner. */
PspStatus psp_cmd_PEK_CERT_IMPORT(AmdPspState *s, PspCmd *cmd)
{
    SevBufCerts *buf = cmd->buf;
    g_autofree SevCert *pek = g_new(SevCert, 1);
    g_autofree SevCert *oca = g_new(SevCert, 1);

    PSP_REQUIRE(s, LENGTH, buf->cert_len == sizeof(*pek) &&
                buf->chain_len == sizeof(*oca), INVALID_LENGTH);
    if (s->keys.oca_external) {
        return SEV_STATUS_ALREADY_OWNED;
    }
    PSP_TRY(psp_read(s, buf->cert_address, pek, sizeof(*pek)));
    PSP_TRY(psp_read(s, buf->chain_address, oca, sizeof(*oca)));
    PSP_TRY(check_import(s, pek, oca));

    memset(&pek->sigs[1], 0, sizeof(pek->sigs[1]));
    sign_cert(pek, 1, SEV_CERT_USAGE_CEK, &s->keys.cek);
    s->keys.pek_cert = *pek;
    s->keys.oca_cert = *oca;
    s->keys.oca_external = true;
    sev_keys_new_pdh(s);
    return sev_nv_store(s);
}

/* PDH_CERT_EXPORT: the PDH's certificate, and those of PEK, OCA and CEK */
PspStatus psp_cmd_PDH_CERT_EXPORT(AmdPspState *s, PspCmd *cmd)
{
    SevBufCerts *buf = cmd->buf;
    g_autofree SevCert *chain = g_new(SevCert, 3);
    bool short_pdh = buf->cert_len < sizeof(SevCert);
    bool short_chain = buf->chain_len < 3 * sizeof(SevCert);

    if (short_pdh || short_chain) {
        buf->cert_len = sizeof(SevCert);
        buf->chain_len = 3 * sizeof(SevCert);
        return SEV_STATUS_INVALID_LENGTH;
    }
    chain[0] = s->keys.pek_cert;
    chain[1] = s->keys.oca_cert;
    chain[2] = s->keys.cek_cert;
    PSP_TRY(psp_check_writable(s, buf->cert_address, sizeof(SevCert)));
    PSP_TRY(psp_return_blob(s, buf->chain_address, &buf->chain_len, chain,
                            3 * sizeof(SevCert)));
    return psp_return_blob(s, buf->cert_address, &buf->cert_len,
                           &s->keys.pdh_cert, sizeof(SevCert));
}
