/*
 * SEV-SNP tests: RMPUPDATE and PSMASH that have to be retried
 *
 * Runs without the rule rmp-idle.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rmp.h"

#define AREA    0x10000000ULL       /* 2 MiB aligned, unused */
#define ASID    5
#define TRIES   100

void test_main(void)
{
    int i, ret, inuse = 0, overlap = 0, psmashes = 0;
    bool unchanged = true;
    u64 old;

    snp_enable();
    host_pte(AREA);
    for (i = 0; i < TRIES; i++) {
        old = rmp_entry(AREA)[0];
        ret = rmp_assign(AREA, i * PAGE, ASID, false);
        inuse += ret == FAIL_INUSE;
        overlap += ret == FAIL_OVERLAP;
        if (ret != SUCCESS) {
            unchanged &= rmp_entry(AREA)[0] == old;
            ret = rmp_assign(AREA, i * PAGE, ASID, false);
        }
        if (ret != SUCCESS) {
            break;
        }
    }
    check_eq(i, TRIES, "RMPUPDATE succeeds at the second time");
    check(inuse > 0, "rmp-idle: FAIL_INUSE");
    check(overlap > 0, "rmp-idle: FAIL_OVERLAP");
    check(unchanged, "nothing has changed then");
    for (i = 0; i < TRIES; i++) {
        rmp_clear(AREA, 512);
        if (i & 1) {
            rmp_share(AREA + LARGE, false);
        }
        while (rmp_assign(AREA, 0, ASID, true) != SUCCESS) {
            continue;
        }
        old = rmp_entry(AREA)[0];
        ret = psmash(AREA);
        if (ret == FAIL_INUSE) {
            psmashes++;
            unchanged &= rmp_entry(AREA)[0] == old;
            ret = psmash(AREA);
        }
        if (ret != SUCCESS) {
            break;
        }
    }
    check_eq(i, TRIES, "PSMASH succeeds at the second time");
    check(psmashes > 0, "rmp-idle: FAIL_INUSE");
    check(unchanged, "nothing has changed then");
}
