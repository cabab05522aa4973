/*
 * VMX tests: SEAM root operation, with a module of its own (seam-root.S)
 *
 * SDM: VMXOFF is #GP(0) in SEAM root operation. VM entries and VM exits access
 * their lists of MSRs as software does that executes VMLAUNCH, so that those of
 * a module may be in SEAMRR.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_LSTAR       0xc0000082
#define STAR            0x0010000812345678ULL
#define LSTAR           0xffffffff80001000ULL

void g_vmcall(void);
asm(".pushsection .text\ng_vmcall: vmcall\n.popsection");

struct result {
    u64 r8, r9;
};

static struct result seamcall(u64 leaf, u64 cx, u64 dx, u64 r8_in)
{
    register u64 r8 asm("r8") = r8_in;
    register u64 r9 asm("r9") = 0;

    asm volatile(SEAMCALL
                 : "+a"(leaf), "+c"(cx), "+d"(dx), "+r"(r8), "+r"(r9)
                 : : "memory", "cc", "rsi", "rdi");
    return (struct result) { r8, r9 };
}

static void test_vmxoff(void)
{
    struct result r = seamcall(0, vm_region(2), 0, 0);

    check_eq(r.r8, GP, "VMXOFF of a module: #GP");
    check_eq(r.r9, 0, "its error code");
}

static void test_lists(void)
{
    struct result r;
    u64 vmcs;

    vm_init(g_vmcall);
    vset(F_ENTRY_MSR_LOAD_COUNT, 1);
    vset(F_EXIT_MSR_STORE_COUNT, 1);
    vset(F_EXIT_MSR_LOAD_COUNT, 1);
    vmptrst(&vmcs);
    vmclear(vmcs);
    wrmsr(MSR_STAR, 0);
    wrmsr(MSR_LSTAR, 0);
    r = seamcall(1, vmcs, STAR, LSTAR);
    check_eq(r.r8, X_VMCALL, "a VM entry with lists in SEAMRR");
    check_eq(rdmsr(MSR_STAR), STAR, "it has loaded an MSR");
    check_eq(r.r9, STAR, "the VM exit has stored it");
    check_eq(rdmsr(MSR_LSTAR), LSTAR, "and has loaded another one");
}

void test_main(void)
{
    vmx_on();
    test_vmxoff();
    test_lists();
    check_eq(vmxoff(), VM_OK, "VMXOFF outside SEAM mode");
}
