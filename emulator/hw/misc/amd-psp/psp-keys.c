/*
 * AMD Secure Processor: the chip's secret, and keys derived from it
 *
 * Everything that is unique to a chip is derived from a seed of 32 bytes. The
 * seed is the hash of the property seed; by default it is random, and kept in
 * the directory of the property cert-dir if that is set.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/error-report.h"
#include "psp-internal.h"

#define WRAP_IV         0
#define WRAP_DATA       0x10
#define WRAP_DATA_LEN   0x180
#define WRAP_TCB        0x190
#define WRAP_AAD_LEN    0x10
#define WRAP_TAG        0x1a0

void psp_derive(AmdPspState *s, const char *label, const void *context,
                size_t context_len, void *out, size_t len)
{
    psp_kdf(s->keys.seed, sizeof(s->keys.seed), label, context, context_len,
            out, len);
}

static void stored_seed(AmdPspState *s)
{
    g_autofree char *path = g_build_filename(s->cert_dir, "chip-seed", NULL);
    g_autofree char *data = NULL;
    gsize len;

    g_mkdir_with_parents(s->cert_dir, 0755);
    if (g_file_get_contents(path, &data, &len, NULL) &&
        len == sizeof(s->keys.seed)) {
        memcpy(s->keys.seed, data, len);
        return;
    }
    psp_random(s->keys.seed, sizeof(s->keys.seed));
    if (!g_file_set_contents(path, (char *)s->keys.seed,
                             sizeof(s->keys.seed), NULL)) {
        warn_report("amd-psp: cannot write %s", path);
    }
}

void psp_keys_init(AmdPspState *s)
{
    if (s->seed) {
        psp_sha256(s->seed, strlen(s->seed), s->keys.seed);
    } else if (s->cert_dir) {
        stored_seed(s);
    } else {
        psp_random(s->keys.seed, sizeof(s->keys.seed));
    }
    psp_derive(s, "chip-id", NULL, 0, s->keys.chip_id,
               sizeof(s->keys.chip_id));
}

static void tcb_key(AmdPspState *s, const char *label, uint64_t tcb,
                    PspEcKey *key)
{
    uint8_t seed[48];

    psp_derive(s, label, &tcb, sizeof(tcb), seed, sizeof(seed));
    psp_ec_key(key, seed);
}

/* The key that signs reports of this chip at @tcb */
void psp_vcek(AmdPspState *s, uint64_t tcb, PspEcKey *key)
{
    tcb_key(s, "vcek", tcb, key);
}

/* The key that signs reports for a provider */
void psp_vlek(AmdPspState *s, uint64_t tcb, PspEcKey *key)
{
    tcb_key(s, "vlek", tcb, key);
}

/* Wrap a VLEK for SNP_VLEK_LOAD like a key distribution service */
void psp_vlek_wrap(AmdPspState *s, uint8_t *wrapped)
{
    uint8_t key[32];

    memset(wrapped, 0, SNP_VLEK_LEN);
    psp_derive(s, "vlek-wrap", NULL, 0, key, sizeof(key));
    psp_derive(s, "vlek-iv", NULL, 0, wrapped + WRAP_IV, 12);
    psp_derive(s, "vlek-hashstick", NULL, 0, wrapped + WRAP_DATA,
               WRAP_DATA_LEN);
    memcpy(wrapped + WRAP_TCB, &s->tcb, sizeof(s->tcb));
    psp_gcm_encrypt(key, wrapped + WRAP_IV, wrapped + WRAP_TCB, WRAP_AAD_LEN,
                    wrapped + WRAP_DATA, WRAP_DATA_LEN, wrapped + WRAP_TAG);
}

bool psp_vlek_check(AmdPspState *s, const uint8_t *wrapped)
{
    uint8_t key[32], data[WRAP_DATA_LEN], expected[WRAP_DATA_LEN];

    psp_derive(s, "vlek-wrap", NULL, 0, key, sizeof(key));
    psp_derive(s, "vlek-hashstick", NULL, 0, expected, sizeof(expected));
    memcpy(data, wrapped + WRAP_DATA, sizeof(data));
    return psp_gcm_decrypt(key, wrapped + WRAP_IV, wrapped + WRAP_TCB,
                           WRAP_AAD_LEN, data, sizeof(data),
                           wrapped + WRAP_TAG) &&
           !memcmp(data, expected, sizeof(data));
}

uint64_t psp_vlek_tcb(const uint8_t *wrapped)
{
    return ldq_le_p(wrapped + WRAP_TCB);
}
