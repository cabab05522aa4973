/*
 * VMX tests: what TD entries and TD exits switch
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

#define CR4_OSXSAVE     BIT(18)
#define XFAM_AVX        BIT(2)
#define MSR_STAR        0xc0000081
#define MSR_LSTAR       0xc0000082
#define MSR_FMASK       0xc0000084
#define MSR_KERNEL_GS   0xc0000102
#define MSR_TPR         0x808
#define MSR_SPEC_CTRL   0x48
#define SPEC_CTRL_IBRS  BIT(0)
#define SPEC_CTRL_SSBD  BIT(2)
#define HOST_PATTERN    0x4040404040404040ULL
#define TD_PATTERN      0x7171717171717171ULL

enum { SAY_HELLO = 1, SAY_END };

static struct td td;
static u64 ymm[4] __attribute__((aligned(32)));

static void xsetbv(u64 val)
{
    asm volatile("xsetbv" : : "a"((u32)val), "d"((u32)(val >> 32)), "c"(0));
}

static u64 xgetbv(void)
{
    u32 low, high;

    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low | (u64)high << 32;
}

static void ymm0_set(u64 val)
{
    int i;

    for (i = 0; i < 4; i++) {
        ymm[i] = val;
    }
    asm volatile("vmovdqa %0, %%ymm0" : : "m"(ymm));
}

/* The number of quadwords that are the value */
static int ymm0_is(u64 val)
{
    int i, n = 0;

    asm volatile("vmovdqa %%ymm0, %0" : "=m"(ymm));
    for (i = 0; i < 4; i++) {
        n += ymm[i] == val;
    }
    return n;
}

static u64 rdtsc(void)
{
    u32 low, high;

    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | (u64)high << 32;
}

static u64 read_cr8(void)
{
    u64 val;

    asm volatile("mov %%cr8, %0" : "=r"(val));
    return val;
}

static void tdg_test_xstate(void)
{
    write_cr4(read_cr4() | CR4_OSXSAVE);
    tdg_check(xgetbv(), 1, "XCR0 of a new vCPU");
    trap()->vec = NO_TRAP;
    asm volatile(EX("xsetbv") : : "a"(0x207), "d"(0), "c"(0));
    tdg_check(trap()->vec, GP, "XSETBV of what XFAM does not have");
    xsetbv(7);
    tdg_check(xgetbv(), 7, "XSETBV of what it has");
    tdg_check(ymm0_is(0), 4, "nothing of the host");
    ymm0_set(TD_PATTERN);
    tdg_say(SAY_HELLO, 0);
    tdg_check(ymm0_is(TD_PATTERN), 4, "AVX state after an exit");
    tdg_check(xgetbv(), 7, "XCR0 after it");
}

static void tdg_test_msrs(void)
{
    wrmsr(MSR_STAR, 0x0010000800000000ULL);
    wrmsr(MSR_LSTAR, 0xffffffff80001000ULL);
    wrmsr(MSR_FMASK, 0x300);
    wrmsr(MSR_KERNEL_GS, 0xffffffff80002000ULL);
    wrmsr(MSR_SPEC_CTRL, SPEC_CTRL_SSBD);
    asm volatile("mov %0, %%dr0; mov %1, %%cr2; mov %2, %%dr6"
                 : : "r"(0x1111ULL), "r"(0x2222ULL), "r"(0xffff4ff1ULL));
    tdg_say(SAY_HELLO, 0);
    tdg_check(rdmsr(MSR_STAR), 0x0010000800000000ULL, "STAR");
    tdg_check(rdmsr(MSR_LSTAR), 0xffffffff80001000ULL, "LSTAR");
    tdg_check(rdmsr(MSR_FMASK), 0x300, "FMASK");
    tdg_check(rdmsr(MSR_KERNEL_GS), 0xffffffff80002000ULL, "KERNEL_GS_BASE");
    tdg_check(rdmsr(MSR_SPEC_CTRL), SPEC_CTRL_SSBD, "SPEC_CTRL");
    asm volatile("mov %%dr0, %0; mov %%cr2, %1" : "=r"(ymm[0]), "=r"(ymm[1]));
    tdg_check(ymm[0], 0x1111, "DR0");
    tdg_check(ymm[1], 0x2222, "CR2");
}

static void tdg_test_apic(void)
{
    wrmsr(MSR_TPR, 0x50);
    tdg_check(read_cr8(), 5, "the task priority is CR8");
    tdg_say(SAY_HELLO, 0);
    tdg_check(rdmsr(MSR_TPR), 0x50, "and stays over an exit");
    wrmsr(MSR_TPR, 0);
}

static void tdg_state(u64 index)
{
    u64 tsc = rdtsc();

    tdg_check(rdtsc() > tsc, 1, "its TSC advances");
    tdg_say(SAY_HELLO, tsc);
    tdg_test_xstate();
    tdg_test_msrs();
    tdg_test_apic();
    tdg_say(SAY_END, 0);
}

/* A TD's time begins when it is created. */
static void test_tsc(void)
{
    u64 created = rdtsc();

    td_xfam = 3 | XFAM_AVX;
    td_build(&td, 41, tdg_state, 0);
    td_runs_to(&td, 0, SAY_HELLO, "the TD runs");
    check(td.r[0].r[R12] <= rdtsc() - created, "its TSC began at 0");
}

static void test_xstate(void)
{
    write_cr4(read_cr4() | CR4_OSXSAVE);
    xsetbv(7);
    ymm0_set(HOST_PATTERN);
    td_runs_to(&td, 0, SAY_HELLO, "the TD has used AVX");
    check_eq(xgetbv(), 7, "XCR0: the TD's components");
    check_eq(ymm0_is(0), 4, "nothing of the TD is in the registers");
    ymm0_set(HOST_PATTERN);
}

static void test_msrs(void)
{
    u64 cr2, dr0, dr6;

    wrmsr(MSR_SPEC_CTRL, SPEC_CTRL_IBRS);
    td_runs_to(&td, 0, SAY_HELLO, "the TD has written MSRs");
    asm volatile("mov %%cr2, %0; mov %%dr0, %1; mov %%dr6, %2"
                 : "=r"(cr2), "=r"(dr0), "=r"(dr6));
    check_eq(cr2 | dr0, 0, "the TD's CR2 and DR0 are not in the processor");
    check_eq(dr6, 0xffff0ff0, "DR6 is that of INIT");
    check_eq(rdmsr(MSR_STAR), 0, "STAR is the module's");
    check_eq(rdmsr(MSR_LSTAR), 0, "LSTAR is the module's");
    check_eq(rdmsr(MSR_FMASK), 0x20200, "FMASK is the module's");
    check_eq(rdmsr(MSR_KERNEL_GS), 0, "KERNEL_GS_BASE is the module's");
    check_eq(rdmsr(MSR_SPEC_CTRL), SPEC_CTRL_IBRS, "SPEC_CTRL is the host's");
    td_runs_to(&td, 0, SAY_HELLO, "the TD has written its TPR");
    check_eq(read_cr8(), 0, "which is not the host's");
    td_runs_to(&td, 0, SAY_END, "the TD is done");
    wrmsr(MSR_SPEC_CTRL, 0);
}

void test_main(void)
{
    td_module_start();
    test_tsc();
    test_xstate();
    test_msrs();
    td_destroy(&td);
}
