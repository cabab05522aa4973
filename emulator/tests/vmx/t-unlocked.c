/*
 * VMX tests: a machine whose firmware has left IA32_FEATURE_CONTROL alone
 *
 * SDM: "Enabling and Entering VMX Operation", and VMXON.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define LOCK    BIT(0)
#define OUTSIDE BIT(2)          /* enables VMXON outside SMX operation */

static mem64 first;
static mem32 locked, again, done;

/* One that locks it with VMXON disabled */
static void ap(void)
{
    first = rdmsr(MSR_FEATURE_CONTROL);
    write_cr4(read_cr4() | CR4_VMXE);
    wrmsr(MSR_FEATURE_CONTROL, LOCK);
    locked = vmxon(vm_region(1));
    again = try_wrmsr(MSR_FEATURE_CONTROL, LOCK | OUTSIDE);
    done = 1;
}

static void test_disabled(void)
{
    int i;

    start_ap(ap);
    for (i = 0; i < 20000000 && !done; i++) {
        asm volatile("pause");
    }
    check_eq(done, 1, "another processor starts");
    check_eq(first, 0, "it has an IA32_FEATURE_CONTROL of its own");
    check_eq(locked, VM_TRAP(GP), "VMXON while it is disabled");
    check_eq(again, GP, "it is locked");
}

void test_main(void)
{
    check_eq(rdmsr(MSR_FEATURE_CONTROL), 0, "IA32_FEATURE_CONTROL is 0");
    write_cr4(read_cr4() | CR4_VMXE);
    check_eq(vmxon(vm_region(0)), VM_TRAP(GP), "VMXON while unlocked");
    check_eq(try_wrmsr(MSR_FEATURE_CONTROL, BIT(40)), GP, "a reserved bit");
    check_eq(try_wrmsr(MSR_FEATURE_CONTROL, OUTSIDE), NO_TRAP, "VMXON enabled");
    check_eq(vmxon(vm_region(0)), VM_TRAP(GP), "VMXON, enabled and unlocked");
    check_eq(try_wrmsr(MSR_FEATURE_CONTROL, LOCK | OUTSIDE), NO_TRAP, "locked");
    check_eq(vmxon(vm_region(0)), VM_OK, "VMXON");
    check_eq(try_wrmsr(MSR_FEATURE_CONTROL, 0), GP, "it stays locked");
    check_eq(rdmsr(MSR_FEATURE_CONTROL), LOCK | OUTSIDE, "and as it is");
    check_eq(vmxoff(), VM_OK, "VMXOFF");
    test_disabled();
}
