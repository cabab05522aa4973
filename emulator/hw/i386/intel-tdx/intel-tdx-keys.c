/*
 * Intel TDX platform: the state of key ids
 *
 * Each package has a table of keys, and caches whose lines have key ids. Before
 * a key id gets another key, all packages that have used it have to write back
 * their caches: a line that is evicted later would be encrypted with the new
 * key, wherever it is. Nothing of that happens here, but it is logged as an
 * error of the guest, as is the use of a key id that has no key.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "qemu/log.h"
#include "intel-tdx-internal.h"

/* MKTME_KEY_PROGRAM: command and algorithm */
#define KEY_SET_DIRECT      0
#define KEY_SET_RANDOM      1
#define KEY_CLEAR           2
#define KEY_NO_ENCRYPT      3
#define KEY_COMMAND(c)      ((c) & 0xff)
#define KEY_ALGORITHM(c)    (((c) >> 8) & 0xffff)
#define KEY_AES_XTS_128     1

unsigned int intel_tdx_package(const IntelTdxState *s, unsigned int lp)
{
    return lp * s->nr_packages / s->nr_lps;
}

static uint32_t key_all_packages(const IntelTdxState *s)
{
    return MAKE_64BIT_MASK(0, s->nr_packages);
}

void intel_tdx_key_use(IntelTdxState *s, unsigned int keyid, unsigned int lp)
{
    TdxKeyid *k = &s->keyid[keyid];
    uint32_t package = 1u << intel_tdx_package(s, lp);

    if (!(qatomic_read(&k->cached) & package)) {
        qatomic_or(&k->cached, package);
    }
    if (unlikely(qatomic_read(&k->programmed) != key_all_packages(s)) &&
        !qatomic_xchg(&k->missed, true) &&
        intel_tdx_rule(s, TDX_RULE_CONFIGURED)) {
        qemu_log_mask(LOG_GUEST_ERROR, "intel-tdx: CPU %u uses key id %u, "
                      "which has no key in all packages\n", lp, keyid);
    }
}

static void key_program(IntelTdxState *s, unsigned int keyid, bool key,
                        unsigned int lp)
{
    TdxKeyid *k = &s->keyid[keyid];
    uint32_t package = 1u << intel_tdx_package(s, lp);

    if (qatomic_read(&k->cached) && intel_tdx_rule(s, TDX_RULE_WRITE_BACK)) {
        qemu_log_mask(LOG_GUEST_ERROR, "intel-tdx: CPU %u changes the key of "
                      "key id %u, which caches have lines of\n", lp, keyid);
    }
    /* A key is random: no two packages have the same before all have it. */
    qatomic_set(&k->cached, 0);
    qatomic_set(&k->missed, false);
    if (key) {
        qatomic_or(&k->programmed, package);
    } else {
        qatomic_and(&k->programmed, ~package);
    }
    if (intel_tdx_rule(s, TDX_RULE_PROGRAM)) {
        intel_tdx_stopped(s, intel_tdx_mem_drop_key, keyid);
    }
}

TdxKeyResult intel_tdx_program_key(IntelTdxState *s, uint16_t keyid,
                                   uint32_t control, unsigned int lp)
{
    bool key = KEY_COMMAND(control) <= KEY_SET_RANDOM;

    if (extract32(control, 24, 8) || KEY_COMMAND(control) > KEY_NO_ENCRYPT) {
        return TDX_KEY_INVALID_COMMAND;
    }
    if (!keyid || keyid > TDX_SHARED_KEYIDS + TDX_PRIVATE_KEYIDS) {
        return TDX_KEY_INVALID_KEYID;
    }
    if (key && KEY_ALGORITHM(control) != KEY_AES_XTS_128) {
        return TDX_KEY_INVALID_ALGORITHM;
    }
    key_program(s, keyid, key, lp);
    return TDX_KEY_OK;
}

/* Without translations, the next use of each key id is seen. */
static void key_forget_cached(IntelTdxState *s, uint64_t package)
{
    unsigned int i;

    for (i = 0; i < TDX_KEYIDS; i++) {
        qatomic_and(&s->keyid[i].cached, ~(1u << package));
    }
    s->flushed[package] = 0;
}

void intel_tdx_write_back(IntelTdxState *s, unsigned int lp)
{
    intel_tdx_stopped(s, key_forget_cached, intel_tdx_package(s, lp));
}

void intel_tdx_write_back_block(IntelTdxState *s, unsigned int block,
                                unsigned int lp)
{
    uint32_t *flushed = &s->flushed[intel_tdx_package(s, lp)];

    if ((qatomic_fetch_or(flushed, 1u << block) | 1u << block) ==
        MAKE_64BIT_MASK(0, TDX_CACHE_BLOCKS)) {
        intel_tdx_write_back(s, lp);
    }
}

void intel_tdx_ignore(IntelTdxState *s, TdxRule rule)
{
    s->ignored |= 1u << rule;
}

void intel_tdx_keys_reset(IntelTdxState *s)
{
    memset(s->keyid, 0, sizeof(s->keyid));
    memset(s->flushed, 0, s->nr_packages * sizeof(*s->flushed));
}
