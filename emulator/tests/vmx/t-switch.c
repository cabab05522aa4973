/*
 * VMX tests: what a round trip into a guest and back costs
 *
 * The numbers are comments: how long it takes depends on the build machine.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define TRIPS       50000

void g_exits(void);
asm(".pushsection .text\n"
    "g_exits: vmcall\n"
    ".popsection");

static void trips(u64 proc2, const char *what)
{
    u64 start, ns, good = 0;
    int i;

    vm_init(g_exits);
    vm_controls(0, 0, proc2);
    if (proc2 & PROC2_VPID) {
        vset(F_VPID, 1);
    }
    if (proc2 & PROC2_EPT) {
        ept_init();
    }
    start = timer_read();
    for (i = 0; i < TRIPS; i++) {
        good += vm_enter() == VM_OK;
    }
    ns = timer_ns(start);
    check_eq(good, TRIPS, "%s: round trips", what);
    check_eq(vget(F_REASON), X_VMCALL, "%s: the exit", what);
    printf("# %s: %lu ns a round trip\n", what, ns / TRIPS);
}

void test_main(void)
{
    vmx_on();
    trips(PROC2_EPT | PROC2_VPID, "a guest with EPT and VPID");
    trips(PROC2_EPT, "a guest with EPT");
    trips(0, "a guest with neither");
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
