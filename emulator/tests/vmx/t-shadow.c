/*
 * VMX tests: VMCS shadowing
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define F_VMREAD_BITMAP     0x2026
#define F_VMWRITE_BITMAP    0x2028
#define PROC2_SHADOW        BIT(14)
#define SHADOW              BIT(31)
#define X_VMWRITE           25
#define X_LINK              4

#define SHADOW_PAGE         2       /* of vm_region() */

static u8 PAGE_ALIGNED bitmaps[2][4096];
static u64 shadow;                  /* address of the shadow VMCS */

/* RBX is the field, RCX the value. */
void g_vmread(void);
void g_vmwrite(void);
asm(".pushsection .text\n"
    "g_vmread: vmread %rbx, %rcx\npushf\npop %rdx\nvmcall\n"
    "g_vmwrite: vmwrite %rcx, %rbx\npushf\npop %rdx\nvmcall\n"
    ".popsection");

static u64 shadow_region(void)
{
    u64 pa = vm_region(SHADOW_PAGE);

    *(u32 *)pa |= SHADOW;
    return pa;
}

/* The value of a field in the shadow VMCS, which may not be in memory. */
static u64 shadow_get(u64 field)
{
    u64 vmcs, val;

    vmptrst(&vmcs);
    check_eq(vmptrld(shadow), VM_OK, "VMPTRLD of the shadow VMCS");
    val = vget(field);
    vmptrld(vmcs);
    return val;
}

static void shadow_set(u64 field, u64 val)
{
    u64 vmcs;

    vmptrst(&vmcs);
    vmptrld(shadow);
    vset(field, val);
    vmclear(shadow);
    vmptrld(vmcs);
}

static void guest(void (*fn)(void), u64 field, u64 val)
{
    vm_init(fn);
    shadow = shadow_region();
    vmclear(shadow);
    memset(bitmaps, 0, sizeof(bitmaps));
    vset(F_VMREAD_BITMAP, (u64)bitmaps[0]);
    vset(F_VMWRITE_BITMAP, (u64)bitmaps[1]);
    vset(F_LINK, shadow);
    vm_controls(0, 0, PROC2_SHADOW);
    guest_regs[3] = field;
    guest_regs[1] = val;
    shadow_set(F_GUEST_RIP, 0x1234);
}

static void completes(const char *what, u64 want)
{
    vm_exits(X_VMCALL, what);
    check_eq(guest_regs[2] & 0x41, want, "%s: flags", what);
}

static void test_access(void)
{
    guest(g_vmread, F_GUEST_RIP, 0);
    completes("VMREAD in a guest", 0);
    check_eq(guest_regs[1], 0x1234, "reads the shadow VMCS");
    guest(g_vmwrite, F_GUEST_RIP, 0x5678);
    completes("VMWRITE in a guest", 0);
    check_eq(shadow_get(F_GUEST_RIP), 0x5678, "writes the shadow VMCS");
    guest(g_vmread, 0x4bfe, 0x99);
    completes("VMREAD of no field", 0x40);
    check_eq(guest_regs[1], 0x99, "leaves the register");
    check_eq(vget(F_INSN_ERROR), 12, "the error is in the current VMCS");
    check_eq(shadow_get(F_INSN_ERROR), 0, "and not in the shadow VMCS");
    guest(g_vmwrite, F_REASON, 0x77);
    completes("VMWRITE of a read-only field", 0);
    check_eq(shadow_get(F_REASON), 0x77, "writes it");
    guest(g_vmread, F_GUEST_RIP, 0x99);
    vset(F_LINK, ~0ULL);
    completes("VMREAD without a shadow VMCS", 1);
}

static void exits(void (*fn)(void), u64 field, u64 reason, const char *what)
{
    vset(F_GUEST_RIP, (u64)fn);
    guest_regs[3] = field;
    vm_exits(reason, what);
    check_eq(vget(F_GUEST_RIP), (u64)fn, "%s: not executed", what);
}

static void test_exits(void)
{
    guest(g_vmread, F_GUEST_RIP, 0);
    bitmaps[0][F_GUEST_RIP / 8] = 1 << F_GUEST_RIP % 8;
    exits(g_vmread, F_GUEST_RIP, X_VMREAD, "VMREAD, the bit is set");
    exits(g_vmread, F_GUEST_RIP | BIT(15), X_VMREAD, "VMREAD of bit 15");
    exits(g_vmread, 0x4bfe | BIT(32), X_VMREAD, "VMREAD beyond 32 bits");
    guest_regs[3] = F_GUEST_RSP;
    vset(F_GUEST_RIP, (u64)g_vmread);
    completes("VMREAD, another field", 0);
    guest(g_vmwrite, F_GUEST_RIP, 0);
    bitmaps[1][F_GUEST_RIP / 8] = 1 << F_GUEST_RIP % 8;
    exits(g_vmwrite, F_GUEST_RIP, X_VMWRITE, "VMWRITE, the bit is set");
    vm_controls(0, 0, PROC2_EPT);
    ept_init();
    vset(F_LINK, ~0ULL);
    exits(g_vmread, F_GUEST_RIP, X_VMREAD, "VMREAD without the control");
}

static void test_user(void)
{
    guest(g_vmread, F_GUEST_RIP, 0);
    vset(F_GUEST_SEL(CS), 0x23);
    vset(F_GUEST_AR(CS), 0xa0fb);
    vset(F_GUEST_SEL(SS), 0x2b);
    vset(F_GUEST_AR(SS), 0xc0f3);
    vset(F_EXCEPTIONS, BIT(GP));
    vm_exits(X_EXCEPTION, "VMREAD at CPL 3");
    check_eq(vget(F_INTR), INTR(3, GP) | INTR_ERROR, "is #GP");
}

static void entry_fails(const char *what)
{
    vm_exits(X_ENTRY_FAILED | X_GUEST_STATE, what);
    check_eq(vget(F_QUAL), X_LINK, "%s: qualification", what);
}

static void test_entry(void)
{
    u64 vmcs;

    guest(g_vmread, F_GUEST_RIP, 0);
    *(u32 *)shadow &= ~SHADOW;
    entry_fails("the linked VMCS is no shadow VMCS");
    *(u32 *)shadow |= SHADOW;
    vm_controls(0, 0, 0);
    entry_fails("a shadow VMCS is linked without the control");
    vm_controls(0, 0, PROC2_SHADOW);
    vmptrst(&vmcs);
    *(u32 *)vmcs |= SHADOW;
    vset(F_LINK, vmcs);
    entry_fails("the current VMCS is linked");
    *(u32 *)vmcs &= ~SHADOW;
    vset(F_LINK, shadow);
    vset(F_VMREAD_BITMAP, (u64)bitmaps + 8);
    check_eq(vm_enter(), VM_FAIL_VALID, "VMREAD bitmap");
    check_eq(vget(F_INSN_ERROR), 7, "VMREAD bitmap: error 7");
    vset(F_VMREAD_BITMAP, (u64)bitmaps);
    vset(F_VMWRITE_BITMAP, BIT(46));
    check_eq(vm_enter(), VM_FAIL_VALID, "VMWRITE bitmap");
    check_eq(vget(F_INSN_ERROR), 7, "VMWRITE bitmap: error 7");
}

/* A shadow VMCS can be current, but is for no VM entry. */
static void test_instructions(void)
{
    u64 val;

    vm_init(g_vmread);
    shadow = shadow_region();
    check_eq(vmclear(shadow), VM_OK, "VMCLEAR of a shadow VMCS");
    check_eq(vmptrld(shadow), VM_OK, "VMPTRLD of a shadow VMCS");
    check_eq(vmptrst(&val), VM_OK, "VMPTRST");
    check_eq(val, shadow, "it is current");
    check_eq(vmlaunch(), VM_FAIL_INVALID, "VMLAUNCH of a shadow VMCS");
    check_eq(vmresume(), VM_FAIL_INVALID, "VMRESUME of a shadow VMCS");
    vmclear(shadow);
}

void test_main(void)
{
    u64 region = vm_region(0);

    vmx_enable();
    *(u32 *)region |= SHADOW;
    check_eq(vmxon(region), VM_FAIL_INVALID, "VMXON of a shadow VMCS");
    vmx_on();
    check(rdmsr(MSR_VMX_PROC2) >> 32 & PROC2_SHADOW, "the control is reported");
    test_instructions();
    test_access();
    test_exits();
    test_user();
    test_entry();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
