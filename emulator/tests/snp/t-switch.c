/*
 * SEV-SNP tests: what a round trip into a guest and back costs
 *
 * The numbers are comments: how long it takes depends on the build machine.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define TRIPS       50000

/* Not the first page of 2 MiB, which costs more on each VMRUN */
#define VMSA        (VMSA_SPA + PAGE)

static struct vm vm;

static void move_vmsa(void)
{
    rmp_clear(VMSA, 1);
    memcpy((void *)VMSA, (void *)VMSA_SPA, PAGE);
    rmp_make(VMSA, 0, vm.asid, RMP_VALIDATED | RMP_VMSA);
    VMCB64(&vm, VMCB_VMSA) = VMSA;
}

static void trips(enum kind kind, const char *what)
{
    u64 start, ns, good = 0;
    int i;

    vm_init(&vm, kind);
    VMCB32(&vm, VMCB_TLB) = 0;
    vm_prepare(&vm, kind == SNP ? g_exits : g_vmmcall, 0, 0, 0, 0);
    if (kind == SNP) {
        move_vmsa();
    }
    start = timer_read();
    for (i = 0; i < TRIPS; i++) {
        vmrun_asm(vm.vmcb, vm.gprs);
        good += VMCB64(&vm, VMCB_EXIT_CODE) ==
                (kind == SNP ? EXIT_VMGEXIT : EXIT_VMMCALL);
    }
    ns = timer_ns(start);
    check_eq(good, TRIPS, "%s: round trips", what);
    printf("# %s: %lu ns a round trip\n", what, ns / TRIPS);
}

void test_main(void)
{
    snp_enable();
    svm_enable();
    trips(PLAIN, "a guest without encryption");
    trips(SNP, "an SNP guest");
}
