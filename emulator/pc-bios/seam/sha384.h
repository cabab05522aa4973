/*
 * TDX module: SHA-384 (FIPS 180-4)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_SHA384_H
#define SEAM_SHA384_H

#include "types.h"

#define SHA384_SIZE     48
#define SHA384_BLOCK    128

struct sha384 {
    u64 h[8];
    u64 bytes;
    u8 block[SHA384_BLOCK];     /* of which bytes % 128 are filled */
};

void sha384_init(struct sha384 *s);
void sha384_update(struct sha384 *s, const void *data, size_t n);
void sha384_final(struct sha384 *s, u8 out[SHA384_SIZE]);
void sha384(const void *data, size_t n, u8 out[SHA384_SIZE]);

#endif
