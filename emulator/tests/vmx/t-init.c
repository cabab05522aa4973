/*
 * VMX tests: INIT and SIPI for a processor that runs a guest
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_TSC     0x10
#define AHEAD       BIT(50)
#define APIC        0xfee00000UL
#define ICR_INIT    0x4500          /* for the processor in ICR_HIGH */
#define ICR_SIPI    0x4600
#define X_INIT      3
#define X_SIPI      4
#define WAIT_SIPI   3

void g_loop(void);
asm(".pushsection .text\ng_loop: jmp g_loop\n.popsection");

/* What the other processor sends: an INIT once, SIPIs until it is cleared */
static mem32 command;

static void ap(void)
{
    mem32 *icr = (void *)(APIC + 0x300);
    u64 start;

    *(mem32 *)(APIC + 0xf0) |= 0x100;
    for (;;) {
        while (!command) {
            asm volatile("pause");
        }
        /* Until the first processor is in its guest */
        start = timer_read();
        while (timer_ns(start) < 20000000) {
            asm volatile("pause");
        }
        icr[4] = 0;
        if (command == ICR_INIT) {
            icr[0] = command;
            command = 0;
        } else if (command) {
            /* Again and again: it is lost outside the guest. */
            icr[0] = command;
        }
    }
}

static u64 tsc(void)
{
    u32 lo, hi;

    asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (u64)hi << 32;
}

/* The other processor's TSC, which it sets before the INIT */
static mem64 ap_tsc;

static void ap_sets_tsc(void)
{
    wrmsr(MSR_TSC, AHEAD);
    ap_tsc = tsc();
}

static void ap_reads_tsc(void)
{
    ap_tsc = tsc();
}

static u64 tsc_of_ap(void (*fn)(void))
{
    u64 start = timer_read();

    ap_tsc = 0;
    start_ap(fn);
    while (!ap_tsc && timer_ns(start) < 4000000000) {
        asm volatile("pause");
    }
    return ap_tsc;
}

/* INIT changes neither the TSC nor what is added to the clock for it. */
static void test_tsc(void)
{
    u64 first = tsc_of_ap(ap_sets_tsc), second = tsc_of_ap(ap_reads_tsc);

    check(first >= AHEAD, "a processor's TSC that is written");
    check(second > first && second < first + AHEAD, "INIT does not change it");
    check(tsc() < AHEAD, "the other processor's is another one");
}

void test_main(void)
{
    vmx_on();
    test_tsc();
    start_ap(ap);
    vm_init(g_loop);
    command = ICR_INIT;
    vm_exits(X_INIT, "INIT exits");
    check_eq(vget(F_QUAL), 0, "INIT: qualification");
    vm_init(g_loop);
    vset(F_ACTIVITY, WAIT_SIPI);
    command = ICR_SIPI | 0x9a;
    vm_exits(X_SIPI, "SIPI exits in state wait-for-SIPI");
    command = 0;
    check_eq(vget(F_QUAL), 0x9a, "SIPI: its vector");
    check_eq(vget(F_ACTIVITY), WAIT_SIPI, "SIPI: the state is saved");
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
