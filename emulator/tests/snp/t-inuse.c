/*
 * SEV-SNP tests: writes to pages that VMRUN holds in use on another processor
 *
 * Processors with HvInUseWrAllowed let the hypervisor write there.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define AP_VMCB     0x0f100000ULL
#define BACKING     0x0f200000ULL
#define DATA        GUEST_DATA
#define HV_INUSE_WR BIT(30)

#define VMCB_AVIC   0x0e0
#define AVIC_ENABLE BIT(31)

static struct vm vm;
static mem64 ap_hsave;
static bool allowed;

static void ap_loop(void)
{
    snp_enable();
    svm_enable();
    ap_hsave = rdmsr(MSR_VM_HSAVE_PA);
    ap_serve();
}

static void ap_guest(void)
{
    vm_enter(&vm);
}

static void check_write(u64 page, bool in_use, const char *what)
{
    int want = in_use && !allowed ? PF : NO_TRAP;
    u64 old = rd(page + 0xff8);

    check_eq(try_write(page + 0xff8, old), want, "inuse-write: %s", what);
    if (want == PF) {
        check_eq(trap()->err, PF_P | PF_W | PF_RMP, "error code");
    }
    check_eq(try_read(page + 0xff8, NULL), NO_TRAP, "a read");
}

static void check_pages(enum kind kind, bool avic, bool in_use)
{
    const char *when = in_use ? "while it runs" : "when it does not run";

    printf("# %s\n", when);
    check_write(AP_VMCB, in_use, "VMCB");
    check_write(ap_hsave, in_use, "host save area");
    if (kind == SEV_ES) {
        check_write(VMSA_SPA, in_use, "VMSA");
    }
    check_write(BACKING, in_use && avic, "AVIC backing page");
}

static void test_guest(enum kind kind, bool avic)
{
    vm_init(&vm, kind);
    memcpy((void *)AP_VMCB, vm.vmcb, PAGE);
    vm.vmcb = (u8 *)AP_VMCB;
    if (kind < SEV_ES) {
        vm.save = vm.vmcb + VMCB_SAVE;
    }
    VMCB64(&vm, VMCB_AVIC) = BACKING;
    VMCB32(&vm, VMCB_INT_CTL) |= avic ? AVIC_ENABLE : 0;
    vm_prepare(&vm, g_spin, DATA, 0, 0, 0);
    /* They can be written, and the translations are cached. */
    check_pages(kind, avic, false);
    ap_work = ap_guest;
    while (!(u32)rd(SPA(DATA))) {
        asm volatile("pause");
    }
    check_pages(kind, avic, true);
    if (avic) {
        check_eq(rmp_assign(BACKING, 0, ES_ASID, false), FAIL_INUSE,
                 "rmpupdate-inuse: AVIC backing page");
        rmp_clear(BACKING, 1);
    }
    guest_poke(DATA + 8, 1);
    while (ap_work) {
        asm volatile("pause");
    }
    check_done(&vm, "the guest has ended");
    check_pages(kind, avic, false);
}

/* The guest writes to DATA, which is the page of the hypervisor at @page. */
static void guest_writes(u64 va, u64 page, bool in_use, const char *what)
{
    u64 npf = PF_P | PF_W | PF_U | PF_RMP | NPF_GPA;

    vm_call(&vm, g_write, va + 0xff8, rd(page + 0xff8), 0, 0);
    if (!in_use || allowed) {
        check_done(&vm, what);
        return;
    }
    check_npf(&vm, npf, DATA, what);
}

/* On the same processor, with a translation of the time when it was not. */
static void test_own(enum kind kind)
{
    u64 va = kind == SNP ? GUEST_WINDOW + DATA : DATA;
    u64 hsave = rdmsr(MSR_VM_HSAVE_PA);
    u8 *other;

    printf("# the guest's own, kind %d\n", kind);
    vm_init(&vm, kind);
    if (kind == SNP) {
        rmp_clear(SPA(DATA), 1);
    }
    other = vm.vmcb;
    npt_small(&vm, DATA, AP_VMCB);
    guest_writes(va, AP_VMCB, false, "another VMCB");
    VMCB32(&vm, VMCB_TLB) = 0;
    guest_writes(va, AP_VMCB, false, "again");
    memcpy((void *)AP_VMCB, other, PAGE);
    vm.vmcb = (u8 *)AP_VMCB;
    vm.save = kind < SEV_ES ? vm.vmcb + VMCB_SAVE : vm.save;
    guest_writes(va, AP_VMCB, true, "inuse-write: its VMCB");

    vm.vmcb = other;
    vm.save = kind < SEV_ES ? vm.vmcb + VMCB_SAVE : vm.save;
    npt_small(&vm, DATA, hsave);
    VMCB32(&vm, VMCB_TLB) = 1;
    wrmsr(MSR_VM_HSAVE_PA, BACKING);
    guest_writes(va, hsave, false, "another save area");
    VMCB32(&vm, VMCB_TLB) = 0;
    guest_writes(va, hsave, false, "again");
    wrmsr(MSR_VM_HSAVE_PA, hsave);
    guest_writes(va, hsave, true, "inuse-write: the save area");
}

void test_main(void)
{
    u32 r[4];

    cpuid(0x8000001f, r);
    allowed = r[0] & HV_INUSE_WR;
    cpuid(0x8000000a, r);
    check(r[3] & BIT(13), "AVIC is announced");
    snp_enable();
    svm_enable();
    host_pte(AP_VMCB);
    host_pte(BACKING);
    host_pte(VMSA_SPA);
    start_ap(ap_loop);
    while (!ap_hsave) {
        asm volatile("pause");
    }
    host_pte(ap_hsave);
    test_guest(PLAIN, false);
    test_guest(PLAIN, true);
    test_guest(SEV_ES, false);
    test_guest(SNP, true);
    test_own(PLAIN);
    test_own(SEV);
    test_own(SEV_ES);
    test_own(SNP);
}
