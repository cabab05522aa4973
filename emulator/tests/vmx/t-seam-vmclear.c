/*
 * VMX tests: a module that clears the VMCS of the host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

static void seamcall(u64 vmcs)
{
    u64 ax = 0;

    asm volatile(SEAMCALL : "+a"(ax), "+c"(vmcs) : : "memory", "cc", "rdx");
}

void test_main(void)
{
    u64 val, first = vm_region(1), second = vm_region(2);

    vmx_on();
    vmclear(first);
    vmclear(second);
    vmptrld(first);
    vset(F_GUEST_RIP, 0x1234);
    vmptrld(second);
    seamcall(first);
    check_eq(vmptrst(&val), VM_OK, "VMPTRST after another one was cleared");
    check_eq(val, second, "the VMCS is still current");
    check_eq(vmwrite(F_GUEST_RIP, 1), VM_OK, "VMWRITE");
    seamcall(second);
    check_eq(vmptrst(&val), VM_OK, "VMPTRST after this one was cleared");
    check_eq(val, ~0ULL, "no VMCS is current");
    check_eq(vmwrite(F_GUEST_RIP, 1), VM_FAIL_INVALID, "VMWRITE without one");
    vmptrld(first);
    check_eq(vget(F_GUEST_RIP), 0x1234, "what was cleared is in memory");
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
