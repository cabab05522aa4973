/*
 * TDX module: the functions of the C library that compilers call
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "../types.h"

void *memcpy(void *to, const void *from, size_t n)
{
    void *ret = to;

    asm volatile("rep movsb" : "+D" (to), "+S" (from), "+c" (n) : : "memory");
    return ret;
}

void *memset(void *to, int c, size_t n)
{
    void *ret = to;

    asm volatile("rep stosb" : "+D" (to), "+c" (n) : "a" (c) : "memory");
    return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const u8 *p = a, *q = b;

    for (; n; n--, p++, q++) {
        if (*p != *q) {
            return *p - *q;
        }
    }
    return 0;
}
