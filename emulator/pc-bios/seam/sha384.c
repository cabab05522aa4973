/*
 * TDX module: SHA-384 (FIPS 180-4)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "sha384.h"

/* First 64 bits of the fractional parts of cube roots of 80 primes */
static const u64 sha384_k[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f,
    0xe9b5dba58189dbbc, 0x3956c25bf348b538, 0x59f111f1b605d019,
    0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242,
    0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
    0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3,
    0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65, 0x2de92c6f592b0275,
    0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f,
    0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
    0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc,
    0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6,
    0x92722c851482353b, 0xa2bfe8a14cf10364, 0xa81a664bbc423001,
    0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
    0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99,
    0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb,
    0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc,
    0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915,
    0xc67178f2e372532b, 0xca273eceea26619c, 0xd186b8c721c0c207,
    0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba,
    0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
    0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a,
    0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

/* ... of square roots of the 9th to 16th prime */
static const u64 sha384_start[8] = {
    0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17,
    0x152fecd8f70e5939, 0x67332667ffc00b31, 0x8eb44a8768581511,
    0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4,
};

static u64 ror(u64 v, unsigned n)
{
    return v >> n | v << (64 - n);
}

static u64 load_be64(const u8 *p)
{
    u64 v;

    memcpy(&v, p, sizeof(v));
    return __builtin_bswap64(v);
}

static void store_be64(u8 *p, u64 v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, sizeof(v));
}

static void sha384_block(u64 h[8], const u8 *data)
{
    u64 w[80], v[8];

    for (unsigned t = 0; t < 16; t++) {
        w[t] = load_be64(data + 8 * t);
    }
    for (unsigned t = 16; t < 80; t++) {
        u64 a = w[t - 15], b = w[t - 2];

        w[t] = w[t - 16] + (ror(a, 1) ^ ror(a, 8) ^ a >> 7) +
               w[t - 7] + (ror(b, 19) ^ ror(b, 61) ^ b >> 6);
    }
    memcpy(v, h, sizeof(v));
    for (unsigned t = 0; t < 80; t++) {
        u64 e = v[4], a = v[0];
        u64 t1 = v[7] + (ror(e, 14) ^ ror(e, 18) ^ ror(e, 41)) +
                 ((e & v[5]) ^ (~e & v[6])) + sha384_k[t] + w[t];
        u64 t2 = (ror(a, 28) ^ ror(a, 34) ^ ror(a, 39)) +
                 ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

        for (unsigned i = 7; i > 0; i--) {
            v[i] = v[i - 1];
        }
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (unsigned i = 0; i < 8; i++) {
        h[i] += v[i];
    }
}

void sha384_init(struct sha384 *s)
{
    memset(s, 0, sizeof(*s));
    memcpy(s->h, sha384_start, sizeof(s->h));
}

void sha384_update(struct sha384 *s, const void *data, size_t n)
{
    const u8 *p = data;

    while (n) {
        size_t at = s->bytes % SHA384_BLOCK;
        size_t part = SHA384_BLOCK - at < n ? SHA384_BLOCK - at : n;

        memcpy(s->block + at, p, part);
        s->bytes += part;
        p += part;
        n -= part;
        if (s->bytes % SHA384_BLOCK == 0) {
            sha384_block(s->h, s->block);
        }
    }
}

void sha384_final(struct sha384 *s, u8 out[SHA384_SIZE])
{
    static const u8 pad[SHA384_BLOCK] = { 0x80 };
    u64 bits = s->bytes * 8;
    size_t at = s->bytes % SHA384_BLOCK;
    u8 length[16] = { 0 };

    store_be64(length + 8, bits);
    sha384_update(s, pad, (at < 112 ? 112 : 240) - at);
    sha384_update(s, length, sizeof(length));
    for (unsigned i = 0; i < SHA384_SIZE / 8; i++) {
        store_be64(out + 8 * i, s->h[i]);
    }
}

void sha384(const void *data, size_t n, u8 out[SHA384_SIZE])
{
    struct sha384 s;

    sha384_init(&s);
    sha384_update(&s, data, n);
    sha384_final(&s, out);
}
