/*
 * VMX tests: SEAM mode of a processor that gets INIT
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define NO_LEAF 0x3fff      /* the module answers it with an error */

static mem32 calls;
static mem64 status[2];

static void ap(void)
{
    u64 ax = NO_LEAF;

    vmx_on();
    asm volatile(SEAMCALL : "+a"(ax) : : "memory", "cc", "rcx", "rdx", "r8",
                 "r9", "r10", "r11");
    status[calls] = ax;
    vmxoff();
    calls++;
}

static void test_call(unsigned int nth, const char *what)
{
    int i;

    start_ap(ap);
    for (i = 0; i < 20000000 && calls < nth; i++) {
        asm volatile("pause");
    }
    check_eq(calls, nth, "%s: SEAMCALL returns", what);
    check_eq(status[nth - 1] >> 63, 1, "%s: with the module's status", what);
}

void test_main(void)
{
    test_call(1, "the first time");
    test_call(2, "after VMXOFF, INIT and SIPI");
    check_eq(status[0], status[1], "the same status");
}
