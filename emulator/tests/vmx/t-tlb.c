/*
 * VMX tests: what VM entries and VM exits leave in the TLB
 *
 * A hypervisor that changes tables and does not flush sees the old translation.
 * The manual permits that, and does not promise it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define DATA    0x10000000ULL
#define OLD     0x1111
#define NEW     0x2222

void g_read(void);
void g_flush(void);
asm(".pushsection .text\n"
    "g_read: mov (%rdi), %rax\nvmcall\n"
    "g_flush: mov %cr3, %rax\nmov %rax, %cr3\nmov (%rdi), %rax\nvmcall\n"
    ".popsection");

static void guest(u64 proc2)
{
    vm_init(g_read);
    guest_regs[7] = DATA;
    vm_controls(0, 0, proc2);
    if (proc2 & PROC2_VPID) {
        vset(F_VPID, 1);
    }
    ept_init();
    invvpid(2, 0, 0);
    wr(DATA, OLD);
    wr(DATA + PAGE, NEW);
}

static u64 guest_reads(void)
{
    vset(F_GUEST_RIP, (u64)g_read);
    vm_exits(X_VMCALL, "the guest reads");
    return guest_regs[0];
}

static void change_ept(void)
{
    guest(PROC2_EPT | PROC2_VPID);
    check_eq(guest_reads(), OLD, "before the change");
    *ept_entry(DATA) += PAGE;
}

static void test_ept(void)
{
    u64 eptp;

    change_ept();
    eptp = vget(F_EPTP);
    check_eq(guest_reads(), OLD, "EPT, no flush");
    invvpid(2, 0, 0);
    check_eq(guest_reads(), OLD, "INVVPID keeps guest-physical mappings");
    invept(1, eptp + PAGE, 0);
    check_eq(guest_reads(), OLD, "INVEPT of another EPTP");
    invept(1, eptp, 0);
    check_eq(guest_reads(), NEW, "INVEPT");
    change_ept();
    invept(2, 0, 0);
    check_eq(guest_reads(), NEW, "INVEPT of all");
}

/* The guest uses the tables of the host. */
static void change_own(u64 proc2)
{
    guest(proc2);
    check_eq(guest_reads(), OLD, "before the change");
    *host_pte(DATA) += PAGE;
}

static void restore(void)
{
    *host_pte(DATA) -= PAGE;
    flush_tlb();
}

static void test_vpid(void)
{
    static const u64 types[] = { 0, 1, 2, 3 };
    int i;

    for (i = 0; i < ARRAY_SIZE(types); i++) {
        change_own(PROC2_EPT | PROC2_VPID);
        check_eq(guest_reads(), OLD, "the guest's table, no flush");
        if (types[i] != 2) {
            invvpid(types[i], 2, DATA);
            check_eq(guest_reads(), OLD, "INVVPID %lu, another VPID", types[i]);
        }
        check_eq(rd(DATA), OLD, "the host has not flushed either");
        invvpid(types[i], types[i] == 2 ? 0 : 1, DATA);
        check_eq(guest_reads(), NEW, "INVVPID %lu", types[i]);
        check_eq(rd(DATA), OLD, "INVVPID %lu is not for the host", types[i]);
        restore();
    }
    change_own(PROC2_EPT | PROC2_VPID);
    vset(F_VPID, 2);
    check_eq(guest_reads(), NEW, "another VPID");
    restore();
    change_own(PROC2_EPT);
    check_eq(guest_reads(), NEW, "VM entries flush without VPID");
    check_eq(rd(DATA), NEW, "also for the host");
    restore();
    change_own(PROC2_EPT | PROC2_VPID);
    vset(F_GUEST_RIP, (u64)g_flush);
    vm_exits(X_VMCALL, "MOV to CR3 in the guest");
    check_eq(guest_regs[0], NEW, "it flushes");
    check_eq(rd(DATA), OLD, "but not for the host");
    restore();
    check_eq(rd(DATA), OLD, "as it was");
}

void test_main(void)
{
    vmx_on();
    host_pte(DATA);
    test_ept();
    test_vpid();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
