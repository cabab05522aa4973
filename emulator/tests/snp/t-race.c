/*
 * SEV-SNP tests: no other processor changes a processor's flags
 *
 * These races are lost once in a hundred thousand times: a pass is no proof,
 * but a failure shows up within a few runs.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define FLAG        0x18000000ULL
#define RUNS        200000

static struct vm vm;
static mem32 ap_ended;

static void ap_load_fpu(void)
{
    u32 environment[7];

    asm volatile("fninit; fnstenv %0" : "=m"(environment));
    while (!rd(FLAG)) {
        asm volatile("fldenv %0" :: "m"(environment));
    }
    ap_ended = 1;
    for (;;) {
        asm volatile("pause");
    }
}

/* VMRUN on one processor, while the other one loads its x87 environment */
void test_main(void)
{
    int i;

    svm_enable();
    vm_init(&vm, PLAIN);
    wr(FLAG, 0);
    start_ap(ap_load_fpu);
    for (i = 0; i < RUNS; i++) {
        vm_call(&vm, g_nop, 0, 0, 0, 0);
        if (!vm_done(&vm)) {
            break;
        }
    }
    check_done(&vm, "VMRUN while another processor loads its FPU");
    check_eq(i, RUNS, "each time");
    wr(FLAG, 1);
    for (i = 0; i < RUNS && !ap_ended; i++) {
        asm volatile("pause");
    }
    check(ap_ended, "the other processor has ended");
}
