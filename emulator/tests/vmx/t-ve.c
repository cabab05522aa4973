/*
 * VMX tests: EPT violations that become virtualization exceptions
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define DATA            0x10000000ULL   /* what the guest reads */
#define F_EPTP_INDEX    0x0004
#define F_VE_INFO       0x202a
#define PROC2_VE        BIT(18)
#define SUPPRESS_VE     BIT(63)
#define VE              20

/* "Virtualization-Exception Information" */
static struct {
    mem32 reason, busy;
    mem64 qualification, gla, gpa;
    mem32 eptp_index;           /* 16 bits; the rest stays zero */
} PAGE_ALIGNED info;

static mem32 seen;

static void g_read(void)
{
    u64 val;

    trap()->vec = NO_TRAP;
    asm volatile(EX("mov (%1), %0") : "=r"(val) : "r"(DATA) : "memory");
    seen = trap()->vec;
    asm volatile("vmcall");
}

/* The guest reads a page that is not there; its entry otherwise has @bits. */
static void guest(u64 proc2, u64 bits)
{
    vm_init(g_read);
    vm_controls(0, 0, PROC2_EPT | proc2);
    ept_init();
    vset(F_VE_INFO, (u64)&info);
    vset(F_EPTP_INDEX, 0x1234);
    *ept_entry(DATA) = bits;
    memset((void *)&info, 0, sizeof(info));
    seen = 0;
}

static void violates(const char *what)
{
    vm_exits_late(X_EPT_VIOLATION, what);
    check_eq(vget(F_GPA), DATA, "the guest's address");
}

static void test_ve(void)
{
    u64 qualification = BIT(0) | BIT(7) | BIT(8);

    guest(PROC2_VE, 0);
    vm_exits_late(X_VMCALL, "a violation stays in the guest");
    check_eq(seen, VE, "as a virtualization exception");
    check_eq(info.reason, X_EPT_VIOLATION, "information: exit reason");
    check_eq(info.busy, 0xffffffff, "information: busy");
    check_eq(info.qualification, qualification, "information: qualification");
    check_eq(info.gla, DATA, "information: linear address");
    check_eq(info.gpa, DATA, "information: guest-physical address");
    check_eq(info.eptp_index, 0x1234, "information: EPTP index");

    vset(F_GUEST_RIP, (u64)g_read);
    violates("the information was not read");
    info.busy = 0;
    vset(F_GUEST_RIP, (u64)g_read);
    vm_exits_late(X_VMCALL, "it was");
}

static void test_exits(void)
{
    guest(0, 0);
    violates("without the control");
    guest(PROC2_VE, SUPPRESS_VE);
    violates("the entry suppresses it");
    guest(PROC2_VE, EPT_W);
    vm_exits_late(X_EPT_MISCONFIG, "a misconfiguration is none");
    guest(PROC2_VE, 0);
    vset(F_EXCEPTIONS, BIT(VE));
    vm_exits_late(X_EXCEPTION, "the exception bitmap has it");
    check_eq(vget(F_INTR), INTR(3, VE), "a hardware exception, no error code");
    check_eq(info.busy, 0xffffffff, "the information was written before");
    guest(PROC2_VE, 0);
    vset(F_VE_INFO, (u64)&info + 8);
    check_eq(vm_enter(), VM_FAIL_VALID, "the information is not at a page");
    check_eq(vget(F_INSN_ERROR), 7, "error 7");
}

/* An event is being delivered: it must not get lost. */
static void test_vectoring(void)
{
    u64 idt;

    guest(PROC2_VE, 0);
    idt = vget(F_GUEST_BASE(IDTR));
    *ept_entry(idt) = 0;
    vset(F_GUEST_RFLAGS, 0x202);
    vset(F_ENTRY_INTR, INTR(0, 0x40));
    vm_exits(X_EPT_VIOLATION, "the IDT is not there");
    check_eq(vget(F_VECTORING), INTR(0, 0x40), "the interrupt is reported");
    check_eq(info.busy, 0, "no information");
}

/*
 * A page fault while #VE is delivered is a double fault. The IDT has a page
 * with the vectors below 16, and one that is not there.
 */
static void test_double_fault(void)
{
    u64 idt = 0x20001000 - 16 * 16;

    guest(0, 7);
    memcpy((void *)idt, (void *)vget(F_GUEST_BASE(IDTR)), 16 * 16);
    vset(F_GUEST_BASE(IDTR), idt);
    *host_pte(0x20001000) &= ~PTE_P;
    flush_tlb();
    vset(F_EXCEPTIONS, BIT(DF));
    vset(F_ENTRY_INTR, INTR(3, VE));
    vm_exits(X_EXCEPTION, "a page fault while #VE is delivered");
    check_eq(vget(F_INTR), INTR(3, DF) | INTR_ERROR, "is #DF");
    *host_pte(0x20001000) |= PTE_P;
    flush_tlb();
}

void test_main(void)
{
    vmx_on();
    test_ve();
    test_exits();
    test_vectoring();
    test_double_fault();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
