/*
 * VMX tests: mode-based execute control for EPT
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define DATA            0x10000000ULL   /* what the guest executes */
#define PROC2_MBEC      BIT(22)
#define EPT_USER_X      BIT(10)

void g_call(void);
asm(".pushsection .text\ng_call: call *%rdi\nvmcall\n.popsection");

/* All else of the guest's memory can be executed by all. */
static void allow_user_fetches(void)
{
    u64 *pd;
    int i, j;

    *ept_table(0, 3) |= EPT_USER_X;
    for (i = 0; i < 4; i++) {
        *ept_table((u64)i << 30, 2) |= EPT_USER_X;
        pd = (u64 *)ept_table((u64)i << 30, 1);
        for (j = 0; j < 512; j++) {
            pd[j] |= EPT_USER_X;
        }
    }
}

static void guest(u64 proc2, bool user, u64 perm)
{
    mem64 *e;

    *host_pte(DATA) = (*host_pte(DATA) & ~PTE_U) | (user ? PTE_U : 0);
    flush_tlb();
    *(u8 *)DATA = 0xc3;         /* RET */
    vm_init(g_call);
    guest_regs[7] = DATA;
    vm_controls(0, 0, PROC2_EPT | proc2);
    ept_init();
    allow_user_fetches();
    ept_entry(DATA);
    *ept_table(DATA, 1) |= EPT_USER_X;
    e = ept_entry(DATA);
    *e = (*e & ~(EPT_USER_X | 7)) | perm;
    invept(2, 0, 0);
}

static void runs(u64 proc2, bool user, u64 perm, const char *what)
{
    guest(proc2, user, perm);
    vm_exits(X_VMCALL, what);
}

static void violates(u64 proc2, bool user, u64 perm, const char *what)
{
    u64 qual = BIT(2) | (perm & 7) << 3 | BIT(7) | BIT(8);

    if ((perm & EPT_USER_X) && (proc2 & PROC2_MBEC)) {
        qual |= BIT(6);
    }
    guest(proc2, user, perm);
    vm_exits(X_EPT_VIOLATION, what);
    check_eq(vget(F_GPA), DATA, "%s: address", what);
    check_eq(vget(F_QUAL), qual, "%s: qualification", what);
}

static void test_fetch(void)
{
    runs(0, false, EPT_R | EPT_X, "without the control, bit 2");
    runs(0, true, EPT_R | EPT_X, "without the control, bit 2, a user page");
    violates(0, true, EPT_R | EPT_USER_X, "without the control, bit 10");
    runs(PROC2_MBEC, false, EPT_R | EPT_X, "a supervisor page, bit 2");
    violates(PROC2_MBEC, false, EPT_R | EPT_USER_X,
             "a supervisor page, bit 10");
    violates(PROC2_MBEC, true, EPT_R | EPT_X, "a user page, bit 2");
    runs(PROC2_MBEC, true, EPT_R | EPT_USER_X, "a user page, bit 10");
    violates(PROC2_MBEC, true, EPT_R | EPT_W, "a user page, neither");
}

/* An entry that has only bit 10 is present: it is no write-only one. */
static void test_only(void)
{
    runs(PROC2_MBEC, true, EPT_USER_X, "execute-only for user pages");
    violates(PROC2_MBEC, false, EPT_USER_X, "not for supervisor pages");
    guest(PROC2_MBEC, true, EPT_W | EPT_USER_X);
    vm_exits(X_EPT_MISCONFIG, "writable, but not readable");
    guest(PROC2_MBEC, true, EPT_R | EPT_USER_X);
    *ept_table(DATA, 1) &= ~EPT_USER_X;
    vm_exits(X_EPT_VIOLATION, "a table without bit 10");
}

/* Both pages in turn: the processor must not mix them up. */
static void test_both(void)
{
    guest(PROC2_MBEC, true, EPT_R | EPT_X | EPT_USER_X);
    vm_exits(X_VMCALL, "a user page, both bits");
    *ept_entry(DATA) &= ~EPT_USER_X;
    invept(2, 0, 0);
    vset(F_GUEST_RIP, (u64)g_call);
    vm_exits(X_EPT_VIOLATION, "the user page, one bit less");
    *host_pte(DATA) &= ~PTE_U;
    flush_tlb();
    vm_exits(X_VMCALL, "as a supervisor page");
}

static void test_control(void)
{
    guest(PROC2_MBEC, false, 7);
    vm_controls(0, 0, PROC2_MBEC);
    check_eq(vm_enter(), VM_FAIL_VALID, "the control needs EPT");
    check_eq(vget(F_INSN_ERROR), 7, "error 7");
}

void test_main(void)
{
    host_pte(DATA);
    vmx_on();
    check(rdmsr(MSR_VMX_PROC2) >> 32 & PROC2_MBEC, "the control is reported");
    test_fetch();
    test_only();
    test_both();
    test_control();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
