/*
 * VMX tests: VM functions
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define DATA            0x10000000ULL
#define F_EPTP_INDEX    0x0004
#define F_VMFUNC        0x2018
#define F_EPTP_LIST     0x2024
#define F_VE_INFO       0x202a
#define PROC2_VMFUNC    BIT(13)
#define PROC2_VE        BIT(18)
#define X_VMFUNC        59

void g_vmfunc(void);
asm(".pushsection .text\n"
    "g_vmfunc: vmfunc\nmov (%rdi), %rbx\nvmcall\n.popsection");

static u64 PAGE_ALIGNED list[1024];    /* and what is behind the list */
static u64 PAGE_ALIGNED pml4[512];
static u64 PAGE_ALIGNED info[512];

/* Entry 3 of the list is the one that is used already, 5 has no DATA. */
static void guest(u64 function, u64 index)
{
    u64 eptp;

    vm_init(g_vmfunc);
    vm_controls(0, 0, PROC2_EPT | PROC2_VMFUNC | PROC2_VE);
    ept_init();
    eptp = vget(F_EPTP);
    memset(list, 0, sizeof(list));
    memset(pml4, 0, sizeof(pml4));
    list[3] = eptp;
    list[512] = eptp;
    list[5] = (u64)pml4 | (eptp & 0xfff);
    vset(F_EPTP_LIST, (u64)list);
    vset(F_VE_INFO, (u64)info);
    info[0] = ~0ULL;
    vset(F_VMFUNC, 1);
    guest_regs[0] = function;
    guest_regs[1] = index;
    guest_regs[7] = DATA;
    wr(DATA, 0x1111);
}

static void exits(u64 function, u64 index, const char *what)
{
    guest(function, index);
    vm_exits(X_VMFUNC, what);
    check_eq(vget(F_LEN), 3, "%s: length", what);
    check_eq(vget(F_GUEST_RIP), (u64)g_vmfunc, "%s: not executed", what);
}

static void test_switch(void)
{
    u64 eptp;

    guest(0, 3);
    vset(F_EPTP_INDEX, 0x77);
    vm_exits(X_VMCALL, "EPTP switching");
    check_eq(vget(F_EPTP), list[3], "the EPTP");
    check_eq(vget(F_EPTP_INDEX), 3, "its index");
    guest(0, 5);
    eptp = list[5];
    vm_exits(X_EPT_VIOLATION, "EPTP switching, to another tree");
    check_eq(vget(F_EPTP), eptp, "the other EPTP");
    check_eq(vget(F_GPA) & ~0xfffULL, read_cr3(), "its first access");
}

static void test_exits(void)
{
    exits(1, 3, "VM function 1");
    exits(64, 3, "VM function 64");
    exits(0, 512, "an index beyond the list");
    exits(0, 7, "an EPTP that is not valid");
    guest(0, 3);
    vset(F_VMFUNC, 0);
    vm_exits(X_VMFUNC, "EPTP switching that is not enabled");
    guest(0, 3);
    vm_controls(0, 0, PROC2_EPT);
    vset(F_EXCEPTIONS, BIT(UD));
    vm_exits(X_EXCEPTION, "VMFUNC that is not enabled");
    check_eq(vget(F_INTR), INTR(3, UD), "is undefined");
}

static int vmfunc(void)
{
    trap()->vec = NO_TRAP;
    asm volatile(EX("vmfunc") : : "a"(0), "c"(3));
    return trap()->vec;
}

void test_main(void)
{
    vmx_on();
    check_eq(vmfunc(), UD, "VMFUNC in VMX root operation");
    test_switch();
    test_exits();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
