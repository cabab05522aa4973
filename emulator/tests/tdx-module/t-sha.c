/*
 * Tests of the TDX module: SHA-384, with NIST's examples
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include "lib.h"

static const struct {
    const char *text;
    unsigned times;
    const char *hash;
} vectors[] = {
    { "abc", 1,
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
      "8086072ba1e7cc2358baeca134c825a7" },
    { "", 1,
      "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
      "274edebfe76f65fbd51ad2f14898b95b" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
      "3391fdddfc8dc7393707a65b1b4709397cf8b1d162af05abfe8f450de5f36bc6"
      "b0455a8520bc4e6f5fe95b1fe3c8452b" },
    { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
      "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu", 1,
      "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712"
      "fcc7c71a557e2db966c3e9fa91746039" },
    { "aaaaaaaaaa", 100000,
      "9d0e1809716474cb086e834e310a4a1ced149e9c00f248527972cec5704c2a5b"
      "07b8b3dc38ecc4ebae97ddd87f3d8985" },
};

void test_sha(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct sha384 s;
        u8 hash[SHA384_SIZE];
        char hex[2 * SHA384_SIZE + 1];

        sha384_init(&s);
        for (unsigned n = 0; n < vectors[i].times; n++) {
            sha384_update(&s, vectors[i].text, strlen(vectors[i].text));
        }
        sha384_final(&s, hash);
        for (unsigned n = 0; n < SHA384_SIZE; n++) {
            sprintf(hex + 2 * n, "%02x", hash[n]);
        }
        if (strcmp(hex, vectors[i].hash)) {
            fprintf(stderr, "SHA-384 of example %u is %s\n", i, hex);
            failures++;
        }
        checks++;
    }
}
