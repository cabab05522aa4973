/*
 * AMD Secure Processor: cryptography with nettle and hogweed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include <gmp.h>
#include <nettle/aes.h>
#include <nettle/bignum.h>
#include <nettle/ctr.h>
#include <nettle/dsa.h>
#include <nettle/ecc.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <nettle/gcm.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include "qemu/bswap.h"
#include "qemu/guest-random.h"
#include "psp-crypto.h"
#include "hw/misc/amd-sev-fw.h"

#define P384_ORDER "ffffffffffffffffffffffffffffffffffffffffffffffff" \
                   "c7634d81f4372ddf581a0db248b0a77aecec196accc52973"

void psp_random(void *buf, size_t len)
{
    qemu_guest_getrandom_nofail(buf, len);
}

static void random_for_nettle(void *ctx, size_t len, uint8_t *buf)
{
    psp_random(buf, len);
}

void psp_sha256(const void *data, size_t len, uint8_t digest[32])
{
    struct sha256_ctx ctx;

    sha256_init(&ctx);
    sha256_update(&ctx, len, data);
    sha256_digest(&ctx, 32, digest);
}

void psp_sha384(const void *data, size_t len, uint8_t digest[48])
{
    struct sha512_ctx ctx;

    sha384_init(&ctx);
    sha384_update(&ctx, len, data);
    sha384_digest(&ctx, 48, digest);
}

void psp_hmac_sha256(const void *key, size_t key_len, const void *data,
                     size_t len, uint8_t mac[32])
{
    struct hmac_sha256_ctx ctx;

    hmac_sha256_set_key(&ctx, key_len, key);
    hmac_sha256_update(&ctx, len, data);
    hmac_sha256_digest(&ctx, 32, mac);
}

void psp_kdf(const void *key, size_t key_len, const char *label,
             const void *context, size_t context_len, void *out, size_t len)
{
    uint8_t mac[32], number[4];
    uint8_t zero = 0;
    uint32_t i;

    for (i = 1; len; i++) {
        struct hmac_sha256_ctx ctx;
        size_t n = MIN(len, sizeof(mac));
        uint8_t bits[4];

        stl_le_p(number, i);
        stl_le_p(bits, (len + (i - 1) * sizeof(mac)) * 8);
        hmac_sha256_set_key(&ctx, key_len, key);
        hmac_sha256_update(&ctx, sizeof(number), number);
        hmac_sha256_update(&ctx, strlen(label), (const uint8_t *)label);
        hmac_sha256_update(&ctx, 1, &zero);
        if (context_len) {
            hmac_sha256_update(&ctx, context_len, context);
        }
        hmac_sha256_update(&ctx, sizeof(bits), bits);
        hmac_sha256_digest(&ctx, sizeof(mac), mac);
        memcpy(out, mac, n);
        out = (uint8_t *)out + n;
        len -= n;
    }
}

void psp_aes128_ctr(const uint8_t key[16], const uint8_t iv[16], void *data,
                    size_t len)
{
    struct aes128_ctx ctx;
    uint8_t counter[16];

    memcpy(counter, iv, sizeof(counter));
    aes128_set_encrypt_key(&ctx, key);
    ctr_crypt(&ctx, (nettle_cipher_func *)aes128_encrypt, sizeof(counter),
              counter, len, data, data);
}

void psp_gcm_iv(uint8_t iv[12], uint64_t counter)
{
    memset(iv, 0, 12);
    stq_le_p(iv, counter);
}

void psp_gcm_encrypt(const uint8_t key[32], const uint8_t iv[12],
                     const void *aad, size_t aad_len, void *data, size_t len,
                     uint8_t tag[16])
{
    struct gcm_aes256_ctx ctx;

    gcm_aes256_set_key(&ctx, key);
    gcm_aes256_set_iv(&ctx, 12, iv);
    gcm_aes256_update(&ctx, aad_len, aad);
    gcm_aes256_encrypt(&ctx, len, data, data);
    gcm_aes256_digest(&ctx, 16, tag);
}

bool psp_gcm_decrypt(const uint8_t key[32], const uint8_t iv[12],
                     const void *aad, size_t aad_len, void *data, size_t len,
                     const uint8_t tag[16])
{
    struct gcm_aes256_ctx ctx;
    uint8_t expected[16];

    gcm_aes256_set_key(&ctx, key);
    gcm_aes256_set_iv(&ctx, 12, iv);
    gcm_aes256_update(&ctx, aad_len, aad);
    gcm_aes256_decrypt(&ctx, len, data, data);
    gcm_aes256_digest(&ctx, 16, expected);
    return memeql_sec(expected, tag, sizeof(expected));
}

/* Numbers are big-endian in keys, and little-endian in the ABI's structures. */

static void number_to_be(uint8_t out[48], const mpz_t n)
{
    nettle_mpz_get_str_256(48, out, n);
}

static void number_to_le(uint8_t out[72], const mpz_t n)
{
    uint8_t be[48];
    int i;

    number_to_be(be, n);
    memset(out, 0, 72);
    for (i = 0; i < 48; i++) {
        out[i] = be[47 - i];
    }
}

static void number_from_le(mpz_t n, const uint8_t in[72])
{
    mpz_import(n, 72, -1, 1, 0, 0, in);
}

void psp_ec_key(PspEcKey *key, const uint8_t seed[48])
{
    struct ecc_scalar scalar;
    struct ecc_point point;
    mpz_t d, order, x, y;

    mpz_inits(d, x, y, NULL);
    mpz_init_set_str(order, P384_ORDER, 16);
    mpz_sub_ui(order, order, 1);
    nettle_mpz_set_str_256_u(d, 48, seed);
    mpz_mod(d, d, order);
    mpz_add_ui(d, d, 1);

    ecc_scalar_init(&scalar, nettle_get_secp_384r1());
    ecc_point_init(&point, nettle_get_secp_384r1());
    ecc_scalar_set(&scalar, d);
    ecc_point_mul_g(&point, &scalar);
    ecc_point_get(&point, x, y);
    number_to_be(key->d, d);
    number_to_be(key->x, x);
    number_to_be(key->y, y);

    ecc_scalar_clear(&scalar);
    ecc_point_clear(&point);
    mpz_clears(d, order, x, y, NULL);
}

static void scalar_from_key(struct ecc_scalar *scalar, const PspEcKey *key)
{
    mpz_t d;

    mpz_init(d);
    nettle_mpz_set_str_256_u(d, 48, key->d);
    ecc_scalar_init(scalar, nettle_get_secp_384r1());
    ecc_scalar_set(scalar, d);
    mpz_clear(d);
}

static bool point_from_abi(struct ecc_point *point, const SevEcKey *key)
{
    bool ok;
    mpz_t x, y;

    ecc_point_init(point, nettle_get_secp_384r1());
    if (key->curve != SEV_CURVE_P384) {
        return false;
    }
    mpz_inits(x, y, NULL);
    number_from_le(x, key->qx);
    number_from_le(y, key->qy);
    ok = ecc_point_set(point, x, y);
    mpz_clears(x, y, NULL);
    return ok;
}

void psp_ec_sign(const PspEcKey *key, const uint8_t *digest, size_t digest_len,
                 SevEcSig *sig)
{
    struct ecc_scalar scalar;
    struct dsa_signature dsa;

    scalar_from_key(&scalar, key);
    dsa_signature_init(&dsa);
    ecdsa_sign(&scalar, NULL, random_for_nettle, digest_len, digest, &dsa);
    memset(sig, 0, sizeof(*sig));
    number_to_le(sig->r, dsa.r);
    number_to_le(sig->s, dsa.s);
    dsa_signature_clear(&dsa);
    ecc_scalar_clear(&scalar);
}

bool psp_ec_verify(const SevEcKey *key, const uint8_t *digest,
                   size_t digest_len, const SevEcSig *sig)
{
    struct ecc_point point;
    struct dsa_signature dsa;
    bool ok;

    dsa_signature_init(&dsa);
    number_from_le(dsa.r, sig->r);
    number_from_le(dsa.s, sig->s);
    ok = point_from_abi(&point, key) &&
         ecdsa_verify(&point, digest_len, digest, &dsa);
    dsa_signature_clear(&dsa);
    ecc_point_clear(&point);
    return ok;
}

bool psp_ecdh(const PspEcKey *key, const SevEcKey *peer, uint8_t shared[48])
{
    struct ecc_scalar scalar;
    struct ecc_point point, product;
    mpz_t x, y;
    bool ok;

    ok = point_from_abi(&point, peer);
    if (ok) {
        mpz_inits(x, y, NULL);
        scalar_from_key(&scalar, key);
        ecc_point_init(&product, nettle_get_secp_384r1());
        ecc_point_mul(&product, &scalar, &point);
        ecc_point_get(&product, x, y);
        number_to_be(shared, x);
        ecc_point_clear(&product);
        ecc_scalar_clear(&scalar);
        mpz_clears(x, y, NULL);
    }
    ecc_point_clear(&point);
    return ok;
}

void psp_ec_export(const PspEcKey *key, SevEcKey *out)
{
    int i;

    memset(out, 0, sizeof(*out));
    out->curve = SEV_CURVE_P384;
    for (i = 0; i < 48; i++) {
        out->qx[i] = key->x[47 - i];
        out->qy[i] = key->y[47 - i];
    }
}
