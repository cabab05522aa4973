/*
 * Memory encryption: the masks that stand for ciphertext
 *
 * Content that was written with one key and is seen with another is XORed with
 * the masks of both. They are no ciphers: what matters is that the content is
 * not recognized, and is there again with the first key.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_CC_MEM_MASK_H
#define HW_I386_CC_MEM_MASK_H

static inline uint64_t cc_mask_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 32;
    return x;
}

/* The seed of a page's masks, for a key and the page's index */
static inline uint64_t cc_mask_seed(uint32_t key, uint64_t index)
{
    uint64_t seed = cc_mask_mix((uint64_t)key << 40 ^ index ^
                                0x9e3779b97f4a7c15ULL);

    return cc_mask_mix(seed + key);
}

/* The mask of a page's i-th quadword */
static inline uint64_t cc_mask_at(uint64_t seed, unsigned int i)
{
    return cc_mask_mix(seed + i * 0x9e3779b97f4a7c15ULL);
}

#endif
