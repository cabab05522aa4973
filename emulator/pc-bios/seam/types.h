/*
 * TDX module: basic types
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_TYPES_H
#define SEAM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define BIT(n)              (1ULL << (n))
#define BITS(hi, lo)        ((~0ULL >> (63 - (hi))) & (~0ULL << (lo)))
#define ARRAY_SIZE(a)       (sizeof(a) / sizeof((a)[0]))

#define PAGE_SHIFT          12
#define PAGE_SIZE           4096ULL
#define SIZE_2M             (2ULL << 20)
#define SIZE_1G             (1ULL << 30)

/* Bytes of a mapping at level 0 (4 KiB), 1 (2 MiB), 2 (1 GiB), ... */
static inline u64 level_size(unsigned level)
{
    return PAGE_SIZE << (9 * level);
}

static inline bool aligned(u64 v, u64 size)
{
    return (v & (size - 1)) == 0;
}

/* True if the ranges have a byte in common; neither may wrap. */
static inline bool ranges_overlap(u64 a, u64 a_size, u64 b, u64 b_size)
{
    return a < b + b_size && b < a + a_size;
}

static inline bool range_within(u64 a, u64 a_size, u64 b, u64 b_size)
{
    return a >= b && a + a_size >= a && a + a_size <= b + b_size;
}

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
