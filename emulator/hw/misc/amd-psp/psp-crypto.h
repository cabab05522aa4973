/*
 * AMD Secure Processor: the cryptography that the firmware uses
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AMD_PSP_CRYPTO_H
#define AMD_PSP_CRYPTO_H

#include <nettle/sha2.h>
#include "hw/misc/amd-sev-fw-layout.h"

typedef struct sha256_ctx PspSha256;

/* A key on P-384; numbers are big-endian */
typedef struct PspEcKey {
    uint8_t d[48];
    uint8_t x[48];
    uint8_t y[48];
} PspEcKey;

void psp_random(void *buf, size_t len);
void psp_sha256(const void *data, size_t len, uint8_t digest[32]);
void psp_sha384(const void *data, size_t len, uint8_t digest[48]);
void psp_hmac_sha256(const void *key, size_t key_len, const void *data,
                     size_t len, uint8_t mac[32]);

/* The key derivation of the SEV API: SP 800-108 in counter mode */
void psp_kdf(const void *key, size_t key_len, const char *label,
             const void *context, size_t context_len, void *out, size_t len);

void psp_aes128_ctr(const uint8_t key[16], const uint8_t iv[16], void *data,
                    size_t len);

/* The IV that is derived from a counter */
void psp_gcm_iv(uint8_t iv[12], uint64_t counter);
/* In place. Decryption returns false if the tag does not match. */
void psp_gcm_encrypt(const uint8_t key[32], const uint8_t iv[12],
                     const void *aad, size_t aad_len, void *data, size_t len,
                     uint8_t tag[16]);
bool psp_gcm_decrypt(const uint8_t key[32], const uint8_t iv[12],
                     const void *aad, size_t aad_len, void *data, size_t len,
                     const uint8_t tag[16]);

/* The key whose private part is derived from @seed. */
void psp_ec_key(PspEcKey *key, const uint8_t seed[48]);
void psp_ec_sign(const PspEcKey *key, const uint8_t *digest, size_t digest_len,
                 SevEcSig *sig);
bool psp_ec_verify(const SevEcKey *key, const uint8_t *digest,
                   size_t digest_len, const SevEcSig *sig);

/*
 * The x coordinate that both ends compute; false if @peer is not on the curve.
 */
bool psp_ecdh(const PspEcKey *key, const SevEcKey *peer, uint8_t shared[48]);

void psp_ec_export(const PspEcKey *key, SevEcKey *out);

#endif
