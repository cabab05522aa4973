/*
 * SEV-SNP tests: all processors set the same MSR at the same time
 *
 * The platform's view of whether they agree must match the final values. Runs
 * with SYSCFG unlocked, so that it can be repeated.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rmp.h"

#define PAGE_SPA    0x18000000ULL
#define ROUNDS      3000

static mem64 go, endv, done[4];

static void ap_set_end(void)
{
    u64 seen = 0;

    snp_enable();
    done[cpu_id()] = 1;
    for (;;) {
        while (go == seen) {
            asm volatile("pause");
        }
        seen = go;
        wrmsr(MSR_RMP_END, endv);
        done[cpu_id()] = seen + 1;
    }
}

static void wait_for(u64 val)
{
    int i;

    for (i = 1; i < nr_cpus(); i++) {
        while (done[i] != val) {
            asm volatile("pause");
        }
    }
}

void test_main(void)
{
    u64 end = rdmsr(MSR_RMP_END), rounds = test_rounds(ROUNDS), i;
    int ret = SUCCESS;

    snp_enable();
    host_pte(PAGE_SPA);
    start_ap(ap_set_end);
    wait_for(1);
    for (i = 1; i <= rounds && ret == SUCCESS; i++) {
        endv = i & 1 ? end - 0x2000 : end;
        go = i;
        wrmsr(MSR_RMP_END, endv);
        wait_for(go + 1);
        ret = rmp_share(PAGE_SPA, false);
    }
    check_eq(ret, SUCCESS, "there is an RMP when all have the same RMP_END");
    check_eq(i, rounds + 1, "%lu times", rounds);
}
