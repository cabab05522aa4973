/*
 * AMD Secure Processor: certificates of the keys that sign reports
 *
 * On hardware, they come from AMD's key distribution service. Here the platform
 * issues its own: ARK and ASK (for VLEKs, ASVK) are RSA keys that are derived
 * from the chip's seed, and certificates are written to a directory.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include "psp-internal.h"

#define VALID_FROM      1577836800      /* 2020-01-01 */
#define VALID_UNTIL     2366841600      /* 2045-01-01 */
#define RSA_BITS        4096

#define OID_AMD         "1.3.6.1.4.1.3704.1."
#define OID_VERSION     OID_AMD "1"
#define OID_PRODUCT     OID_AMD "2"
#define OID_BL_SPL      OID_AMD "3.1"
#define OID_TEE_SPL     OID_AMD "3.2"
#define OID_SNP_SPL     OID_AMD "3.3"
#define OID_SPL4        OID_AMD "3.4"
#define OID_SPL5        OID_AMD "3.5"
#define OID_SPL6        OID_AMD "3.6"
#define OID_SPL7        OID_AMD "3.7"
#define OID_UCODE_SPL   OID_AMD "3.8"
#define OID_HWID        OID_AMD "4"
#define OID_CSP_ID      OID_AMD "5"

/* A certificate and the key that it certifies */
typedef struct Signer {
    char *name;
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
} Signer;

static const char *product(void)
{
    uint32_t fms = psp_cpuid(1, 0).eax;
    uint32_t model = (fms >> 4 & 0xf) | (fms >> 12 & 0xf0);

    return model >= 0x10 ? "Genoa" : "Milan";
}

static bool check(int ret, const char *what, Error **errp)
{
    if (ret < 0) {
        error_setg(errp, "amd-psp: %s: %s", what, gnutls_strerror(ret));
        return false;
    }
    return true;
}

static void signer_free(Signer *signer)
{
    g_free(signer->name);
    if (signer->key) {
        gnutls_x509_privkey_deinit(signer->key);
    }
    if (signer->crt) {
        gnutls_x509_crt_deinit(signer->crt);
    }
}

/* An RSA key that depends only on the seed and @label */
static bool make_rsa(AmdPspState *s, Signer *signer, const char *label,
                     Error **errp)
{
    uint8_t seed[32];
    gnutls_keygen_data_st data = {
        .type = GNUTLS_KEYGEN_SEED, .data = seed, .size = sizeof(seed),
    };

    psp_derive(s, label, NULL, 0, seed, sizeof(seed));
    gnutls_x509_privkey_init(&signer->key);
    return check(gnutls_x509_privkey_generate2(signer->key, GNUTLS_PK_RSA,
                                               RSA_BITS,
                                               GNUTLS_PRIVKEY_FLAG_PROVABLE,
                                               &data, 1), label, errp);
}

static bool make_ec(Signer *signer, PspEcKey *key, Error **errp)
{
    gnutls_datum_t x = { key->x, sizeof(key->x) };
    gnutls_datum_t y = { key->y, sizeof(key->y) };
    gnutls_datum_t d = { key->d, sizeof(key->d) };

    gnutls_x509_privkey_init(&signer->key);
    return check(gnutls_x509_privkey_import_ecc_raw(
                     signer->key, GNUTLS_ECC_CURVE_SECP384R1, &x, &y, &d),
                 "EC key", errp);
}

static int set_dn(gnutls_x509_crt_t crt, const char *cn)
{
    g_autofree char *dn = g_strdup_printf(
        "CN=%s,OU=Engineering,O=QEMU emulated AMD-SP (not AMD),"
        "L=Nowhere,ST=CA,C=US", cn);

    return gnutls_x509_crt_set_dn(crt, dn, NULL);
}

/* Everything except extensions; @serial is one byte. */
static bool start_cert(Signer *signer, const char *cn, uint8_t serial,
                       Error **errp)
{
    gnutls_x509_crt_t crt;

    signer->name = g_strdup(cn);
    gnutls_x509_crt_init(&signer->crt);
    crt = signer->crt;
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, &serial, sizeof(serial));
    gnutls_x509_crt_set_activation_time(crt, VALID_FROM);
    gnutls_x509_crt_set_expiration_time(crt, VALID_UNTIL);
    return check(set_dn(crt, cn), cn, errp) &&
           check(gnutls_x509_crt_set_key(crt, signer->key), cn, errp);
}

static bool sign_cert(Signer *signer, Signer *issuer, Error **errp)
{
    gnutls_privkey_t key;
    int ret;

    gnutls_privkey_init(&key);
    ret = gnutls_privkey_import_x509(key, issuer->key, 0);
    if (ret >= 0) {
        ret = gnutls_x509_crt_privkey_sign(signer->crt, issuer->crt, key,
                                           GNUTLS_DIG_SHA384,
                                           GNUTLS_PRIVKEY_SIGN_FLAG_RSA_PSS);
    }
    gnutls_privkey_deinit(key);
    return check(ret, signer->name, errp);
}

static bool make_ca(AmdPspState *s, Signer *signer, Signer *issuer,
                    const char *cn, const char *label, uint8_t serial,
                    Error **errp)
{
    if (!make_rsa(s, signer, label, errp) ||
        !start_cert(signer, cn, serial, errp)) {
        return false;
    }
    gnutls_x509_crt_set_basic_constraints(signer->crt, 1, issuer ? 0 : 1);
    gnutls_x509_crt_set_key_usage(signer->crt, GNUTLS_KEY_KEY_CERT_SIGN |
                                  GNUTLS_KEY_CRL_SIGN);
    return sign_cert(signer, issuer ?: signer, errp);
}

static void set_integer(gnutls_x509_crt_t crt, const char *oid, uint8_t value)
{
    uint8_t der[] = { 0x02, 0x01, value, 0 };

    if (value & 0x80) {
        der[1] = 2;
        der[2] = 0;
        der[3] = value;
    }
    gnutls_x509_crt_set_extension_by_oid(crt, oid, der, 2 + der[1], 0);
}

static void set_string(gnutls_x509_crt_t crt, const char *oid, const char *text)
{
    g_autofree uint8_t *der = g_malloc(2 + strlen(text));

    der[0] = 0x16;      /* IA5String */
    der[1] = strlen(text);
    memcpy(der + 2, text, strlen(text));
    gnutls_x509_crt_set_extension_by_oid(crt, oid, der, 2 + strlen(text), 0);
}

static void set_tcb(gnutls_x509_crt_t crt, uint64_t tcb)
{
    static const char *const oids[] = {
        OID_BL_SPL, OID_TEE_SPL, OID_SPL4, OID_SPL5, OID_SPL6, OID_SPL7,
        OID_SNP_SPL, OID_UCODE_SPL,
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(oids); i++) {
        set_integer(crt, oids[i], tcb >> (8 * i));
    }
}

/* VCEK or VLEK, the latter with a provider instead of the chip's identity */
static bool make_leaf(AmdPspState *s, Signer *leaf, Signer *issuer, bool vlek,
                      uint64_t tcb, Error **errp)
{
    const char *name = product();
    g_autofree char *stepping = g_strdup_printf("%s-B0", name);
    PspEcKey key;

    if (vlek) {
        psp_vlek(s, tcb, &key);
    } else {
        psp_vcek(s, tcb, &key);
    }
    if (!make_ec(leaf, &key, errp) ||
        !start_cert(leaf, vlek ? "SEV-VLEK" : "SEV-VCEK", vlek ? 5 : 4, errp)) {
        return false;
    }
    set_integer(leaf->crt, OID_VERSION, 1);
    set_string(leaf->crt, OID_PRODUCT, vlek ? name : stepping);
    set_tcb(leaf->crt, tcb);
    if (vlek) {
        set_string(leaf->crt, OID_CSP_ID, "kvm-coco");
    } else {
        gnutls_x509_crt_set_extension_by_oid(leaf->crt, OID_HWID,
                                             s->keys.chip_id,
                                             sizeof(s->keys.chip_id), 0);
    }
    return sign_cert(leaf, issuer, errp);
}

static bool write_file(AmdPspState *s, const char *name, const void *data,
                       size_t len, Error **errp)
{
    g_autofree char *path = g_build_filename(s->cert_dir, name, NULL);
    g_autoptr(GError) err = NULL;

    if (!g_file_set_contents(path, data, len, &err)) {
        error_setg(errp, "amd-psp: %s", err->message);
        return false;
    }
    return true;
}

/* NAME.pem, NAME.der, and appended to @chain */
static bool write_cert(AmdPspState *s, Signer *signer, const char *name,
                       GString *chain, Error **errp)
{
    g_autofree char *pem_name = g_strdup_printf("%s.pem", name);
    g_autofree char *der_name = g_strdup_printf("%s.der", name);
    gnutls_datum_t pem, der;
    bool ok;

    if (!check(gnutls_x509_crt_export2(signer->crt, GNUTLS_X509_FMT_PEM, &pem),
               name, errp)) {
        return false;
    }
    ok = write_file(s, pem_name, pem.data, pem.size, errp);
    if (chain) {
        g_string_append_len(chain, (char *)pem.data, pem.size);
    }
    gnutls_free(pem.data);
    if (!ok ||
        !check(gnutls_x509_crt_export2(signer->crt, GNUTLS_X509_FMT_DER, &der),
               name, errp)) {
        return false;
    }
    ok = write_file(s, der_name, der.data, der.size, errp);
    gnutls_free(der.data);
    return ok;
}

/*
 * One chain: the root, the intermediate certificate that it signs, and the leaf
 */
static bool export_chain(AmdPspState *s, Signer *ark, bool vlek, uint64_t tcb,
                         Error **errp)
{
    g_autofree char *cn = g_strdup_printf("SEV-%s%s", vlek ? "VLEK-" : "",
                                          product());
    g_autoptr(GString) chain = g_string_new(NULL);
    Signer ca = { 0 }, leaf = { 0 };
    bool ok;

    ok = make_ca(s, &ca, ark, cn, vlek ? "asvk" : "ask", vlek ? 3 : 2, errp) &&
         make_leaf(s, &leaf, &ca, vlek, tcb, errp) &&
         write_cert(s, &ca, vlek ? "asvk" : "ask", chain, errp) &&
         write_cert(s, ark, "ark", chain, errp) &&
         write_cert(s, &leaf, vlek ? "vlek" : "vcek", NULL, errp) &&
         write_file(s, vlek ? "vlek-chain.pem" : "vcek-chain.pem", chain->str,
                    chain->len, errp);
    signer_free(&leaf);
    signer_free(&ca);
    return ok;
}

/*
 * Write all certificates to the directory cert-dir. RSA keys take a while, so
 * certificates that exist for the same seed and TCB version are kept.
 */
bool psp_export_certs(AmdPspState *s, uint64_t tcb, Error **errp)
{
    g_autofree char *stamp_path = g_build_filename(s->cert_dir, "stamp", NULL);
    g_autofree char *stamp = NULL, *old = NULL, *cn = NULL;
    uint8_t wrapped[SNP_VLEK_LEN], id[16];
    Signer ark = { 0 };
    bool ok;

    psp_derive(s, "stamp", &tcb, sizeof(tcb), id, sizeof(id));
    stamp = g_strdup_printf("1 %s %016" PRIx64 "%016" PRIx64 "\n", product(),
                            *(uint64_t *)id, *(uint64_t *)(id + 8));
    if (g_file_get_contents(stamp_path, &old, NULL, NULL) &&
        !strcmp(old, stamp)) {
        return true;
    }
    if (g_mkdir_with_parents(s->cert_dir, 0755)) {
        error_setg_errno(errp, errno, "amd-psp: %s", s->cert_dir);
        return false;
    }
    cn = g_strdup_printf("ARK-%s", product());
    psp_vlek_wrap(s, wrapped);
    ok = make_ca(s, &ark, NULL, cn, "ark", 1, errp) &&
         export_chain(s, &ark, false, tcb, errp) &&
         export_chain(s, &ark, true, tcb, errp) &&
         write_file(s, "vlek-hashstick.bin", wrapped, sizeof(wrapped), errp) &&
         write_file(s, "chip-id", s->keys.chip_id, sizeof(s->keys.chip_id),
                    errp) &&
         write_file(s, "stamp", stamp, strlen(stamp), errp);
    signer_free(&ark);
    return ok;
}
