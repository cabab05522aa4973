/*
 * SEV-SNP tests: what VMRUN and #VMEXIT leave in the TLB
 *
 * Translations of a guest stay valid while the host runs, and those of the host
 * while a guest runs. A hypervisor that changes tables and does not flush sees
 * the old translation. The manual permits that, and does not promise it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define DATA        GUEST_DATA
#define OTHER       (GUEST_DATA + PAGE)
#define HOST_VA     0x18000000ULL
#define OLD         0x1111
#define NEW         0x2222

#define TLB_ALL         1
#define TLB_ASID        3
#define TLB_NONGLOBAL   7

static struct vm vm;

static u64 guest_reads(u64 va)
{
    vm_call(&vm, g_read, va, 0, 0, 0);
    check_done(&vm, "the guest reads");
    return vm_get(&vm, SAVE_RBX);
}

static void start(enum kind kind)
{
    vm_init(&vm, kind);
    VMCB32(&vm, VMCB_TLB) = 0;
    if (kind != SNP) {
        wr(SPA(DATA), OLD);
        wr(SPA(OTHER), NEW);
    }
}

/* The guest has used DATA, whose nested entry now points to OTHER. */
static void change_nested(void)
{
    start(PLAIN);
    VMCB32(&vm, VMCB_TLB) = TLB_ALL;
    check_eq(guest_reads(DATA), OLD, "before the change");
    VMCB32(&vm, VMCB_TLB) = 0;
    npt_small(&vm, DATA, SPA(OTHER));
}

static void test_nested(void)
{
    static const u8 controls[] = { TLB_ALL, TLB_ASID, TLB_NONGLOBAL };
    int i;

    for (i = 0; i < ARRAY_SIZE(controls); i++) {
        change_nested();
        check_eq(guest_reads(DATA), OLD, "a nested table, no flush");
        flush_tlb();
        check_eq(guest_reads(DATA), OLD, "the host's flush is its own");
        VMCB32(&vm, VMCB_TLB) = controls[i];
        check_eq(guest_reads(DATA), NEW, "TLB_CONTROL %u", controls[i]);
    }
    change_nested();
    VMCB32(&vm, VMCB_ASID) = vm.asid + 1;
    check_eq(guest_reads(DATA), NEW, "another ASID");
}

/* The guest has used DATA, whose entry in its own table changes. */
static void change_own(void)
{
    start(PLAIN);
    VMCB32(&vm, VMCB_TLB) = TLB_ALL;
    check_eq(guest_reads(DATA), OLD, "before the change");
    VMCB32(&vm, VMCB_TLB) = 0;
    *guest_pte(DATA) += OTHER - DATA;
}

static void invlpga(u64 va, u32 asid)
{
    asm volatile("invlpga %0, %1" : : "a"(va), "c"(asid) : "memory");
}

static void test_own(void)
{
    change_own();
    check_eq(guest_reads(DATA), OLD, "the guest's table, no flush");
    invlpga(DATA, vm.asid + 1);
    check_eq(guest_reads(DATA), OLD, "INVLPGA with another ASID");
    invlpga(DATA, 0);
    check_eq(guest_reads(DATA), OLD, "INVLPGA with the host's ASID");
    invlpga(OTHER + PAGE, vm.asid);
    check_eq(guest_reads(DATA), OLD, "INVLPGA of another page");
    invlpga(DATA, vm.asid);
    check_eq(guest_reads(DATA), NEW, "INVLPGA");
    change_own();
    vm_call(&vm, g_invlpg, DATA, 0, 0, 0);
    check_eq(guest_reads(DATA), NEW, "INVLPG in the guest");
    change_own();
    vm_call(&vm, g_write_cr3, 0, 0x1000, 0, 0);
    check_eq(guest_reads(DATA), NEW, "MOV to CR3 in the guest");
}

/* A table of the host changes, and a guest runs. */
static void test_host(void)
{
    mem64 *pte = host_pte(HOST_VA);

    start(PLAIN);
    wr(HOST_VA, OLD);
    wr(HOST_VA + PAGE, NEW);
    *pte += PAGE;
    check_eq(rd(HOST_VA), OLD, "a table of the host, no flush");
    guest_reads(DATA);
    check_eq(rd(HOST_VA), OLD, "VMRUN and #VMEXIT do not flush it");
    invlpga(HOST_VA, vm.asid);
    check_eq(rd(HOST_VA), OLD, "nor does INVLPGA of the guest's ASID");
    vm_call(&vm, g_write_cr3, 0, 0x1000, 0, 0);
    check_eq(rd(HOST_VA), OLD, "nor does the guest");
    invlpga(HOST_VA, 0);
    check_eq(rd(HOST_VA), NEW, "INVLPGA with ASID 0");
    *pte -= PAGE;
    flush_tlb();
    check_eq(rd(HOST_VA), OLD, "MOV to CR3");
    VMCB32(&vm, VMCB_TLB) = TLB_ALL;
    *pte += PAGE;
    guest_reads(DATA);
    check_eq(rd(HOST_VA), NEW, "TLB_CONTROL 1 is for all ASIDs");
    *pte -= PAGE;
    flush_tlb();
}

/* Changes of the RMP need no flush. */
static void test_rmp(void)
{
    start(SNP);
    vm_call(&vm, g_write, DATA, OLD, 0, 0);
    check_eq(guest_reads(DATA), OLD, "an SNP guest");
    rmp_clear(SPA(DATA), 1);
    vm_call(&vm, g_read, DATA, 0, 0, 0);
    check_npf(&vm, PF_P | PF_U | PF_RMP | NPF_GPA | NPF_ENC, DATA,
              "RMPUPDATE drops translations of guests");
    wr(SPA(DATA), NEW);
    check_eq(rd(SPA(DATA)), NEW, "the host has the page");
    rmp_make(SPA(DATA), DATA, vm.asid, RMP_VALIDATED);
    check_eq(guest_reads(DATA), NEW, "the guest has it again");
}

void test_main(void)
{
    snp_enable();
    svm_enable();
    test_nested();
    test_own();
    test_host();
    test_rmp();
}
