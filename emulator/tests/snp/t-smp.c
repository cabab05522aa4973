/*
 * SEV-SNP tests: interaction with another processor
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define AREA        0x18000000ULL
#define AP_VMCB     0x0f100000ULL
#define LARGE_VMCB  0x0f400000ULL
#define DATA        GUEST_DATA
#define STEPS       1000000
#define VECTOR      0x30

static struct vm vm, other;
static mem64 ap_addr;
static mem32 ap_vec;
static mem64 ap_err;
static mem64 ap_hsave;

static void ap_loop(void)
{
    snp_enable();
    svm_enable();
    ap_hsave = rdmsr(MSR_VM_HSAVE_PA);
    ap_serve();
}

static void wait(unsigned steps)
{
    while (steps--) {
        asm volatile("pause");
    }
}

/* True if the other processor completes. */
static bool ap_done(void)
{
    int i;

    for (i = 0; i < 100 && ap_work; i++) {
        wait(STEPS / 10);
    }
    return !ap_work;
}

static void ap_write(void)
{
    u64 n = 1;

    while (try_write(ap_addr, n++) == NO_TRAP && n) {
        if (rd(ap_addr + 8)) {
            return;
        }
    }
    ap_vec = trap()->vec;
    ap_err = trap()->err;
}

/* The other processor writes to @addr while @page is assigned to a guest. */
static void test_stale(u64 addr, u64 page, bool large, const char *what)
{
    u64 was;

    ap_vec = NO_TRAP;
    wr(addr, 0);
    wr(addr + 8, 0);
    ap_addr = addr;
    ap_work = ap_write;
    while (rd(addr) < 1000) {
        asm volatile("pause");
    }
    check_eq(rmp_assign(page, 0, ES_ASID, large), SUCCESS, "%s: assign", what);
    was = rd(addr);
    wait(STEPS);
    check_eq(rd(addr), was, "%s: no write after RMPUPDATE", what);
    rmp_share(page, large);
    if (ap_work) {
        wr(addr + 8, 1);
    }
    check(ap_done(), "%s: the writer has ended", what);
    check_eq(ap_vec, PF, "%s: by #PF", what);
    check_eq(ap_err, PF_P | PF_W | PF_RMP, "%s: error code", what);
}

static void ap_guest(void)
{
    vm_enter(&vm);
}

/* Run the guest on the other processor, spinning on its own page */
static void start_guest(enum kind kind)
{
    vm_init(&vm, kind);
    other = vm;
    memcpy((void *)AP_VMCB, vm.vmcb, PAGE);
    vm.vmcb = (u8 *)AP_VMCB;
    vm_prepare(&vm, g_spin, DATA, 0, 0, 0);
    ap_work = ap_guest;
    while (!(u32)rd(SPA(DATA))) {
        asm volatile("pause");
    }
}

static void stop_guest(void)
{
    guest_poke(DATA + 8, 1);
    check(ap_done(), "the guest has ended");
    check_done(&vm, "as it should");
}

static void test_in_use(void)
{
    u64 entry;

    start_guest(SNP);
    entry = rmp_entry(VMSA_SPA)[0];
    /* If it runs, make it exit. */
    VMCB32(&other, VMCB_INTERCEPT1) |= BIT(23);
    vm_run(&other);
    check(other.exit.code == EXIT_INVALID || other.exit.code == EXIT_BUSY,
          "vmrun-vmsa-inuse: VMRUN with the same VMSA");
    check_eq(rmp_assign(VMSA_SPA, 0, ES_ASID + 1, false), FAIL_INUSE,
             "rmpupdate-inuse: VMSA");
    check_eq(rmp_share(VMSA_SPA, false), FAIL_INUSE, "rmpupdate-inuse: VMSA");
    check_eq(rmp_entry(VMSA_SPA)[0], entry, "nothing changed");
    check_eq(rmp_assign(AP_VMCB, 0, ES_ASID, false), FAIL_INUSE,
             "rmpupdate-inuse: VMCB");
    check_eq(rmp_entry(AP_VMCB)[0], 0, "nothing changed");
    rmp_clear(AP_VMCB, 1);
    rmp_entry(VMSA_SPA)[0] = entry;
    check_eq(rmp_assign(ap_hsave, 0, ES_ASID, false), FAIL_INUSE,
             "rmpupdate-inuse: host save area");
    rmp_clear(ap_hsave, 1);
    stop_guest();
    check_eq(rmp_share(VMSA_SPA, false), SUCCESS, "VMSA after #VMEXIT");
    check_eq(rmp_assign(AP_VMCB, 0, ES_ASID, false), SUCCESS,
             "VMCB after #VMEXIT");
    rmp_share(AP_VMCB, false);
}

/*
 * An erratum: 2 MiB whose first page is in use cannot be written as 2 MiB. If
 * another page of it is in use, it can.
 */
static void test_in_use_large(u64 vmcb, bool denied)
{
    vm_init(&vm, PLAIN);
    host_large(LARGE_VMCB);
    memcpy((void *)vmcb, vm.vmcb, PAGE);
    vm.vmcb = (u8 *)vmcb;
    vm.save = vm.vmcb + VMCB_SAVE;
    check_eq(try_write(LARGE_VMCB + 5 * PAGE, 1), NO_TRAP, "not in use");
    vm_prepare(&vm, g_spin, DATA, 0, 0, 0);
    ap_work = ap_guest;
    while (!(u32)rd(SPA(DATA))) {
        asm volatile("pause");
    }
    if (denied) {
        check_eq(try_write(LARGE_VMCB + 5 * PAGE, 2), PF,
                 "inuse-large-page: by 2 MiB");
        check_eq(trap()->err, PF_P | PF_W | PF_RMP, "error code");
        check_eq(try_read(LARGE_VMCB + 5 * PAGE, NULL), NO_TRAP, "a read");
        host_pte(LARGE_VMCB);
        check_eq(try_write(LARGE_VMCB + 5 * PAGE, 2), NO_TRAP, "by 4 KiB");
    } else {
        check_eq(try_write(LARGE_VMCB + 5 * PAGE, 2), NO_TRAP,
                 "in use is another page of the 2 MiB");
    }
    wr(SPA(DATA) + 8, 1);
    check(ap_done(), "the guest has ended");
    check_done(&vm, "as it should");
    host_large(LARGE_VMCB);
    check_eq(try_write(LARGE_VMCB + 5 * PAGE, 3), NO_TRAP,
             "by 2 MiB after #VMEXIT");
}

/* SEV-ES: the VMSA is hypervisor-owned, and equally in use. */
static void test_es_in_use(void)
{
    start_guest(SEV_ES);
    check_eq(rmp_assign(VMSA_SPA, 0, ES_ASID, false), FAIL_INUSE,
             "rmpupdate-inuse: VMSA of SEV-ES");
    rmp_clear(VMSA_SPA, 1);
    stop_guest();
}

/*
 * The guest spins in the handler of an interrupt that VMRUN has injected, while
 * its processor is repeatedly made to drop translations.
 */
static void test_injected_once(enum kind kind, const char *what)
{
    u64 handler = vm_rip_of(g_busy), i;

    vm_init(&vm, kind);
    memcpy((void *)AP_VMCB, vm.vmcb, PAGE);
    vm.vmcb = (u8 *)AP_VMCB;
    if (kind < SEV_ES) {
        vm.save = vm.vmcb + VMCB_SAVE;
    }
    guest_poke(GUEST_IDT + VECTOR * 16, (handler & 0xffff) | 8 << 16 |
               0x8e00ULL << 32 | (handler >> 16 & 0xffff) << 48);
    vm_prepare(&vm, g_nop, DATA, 0, 0, 0);
    VMCB32(&vm, VMCB_EVENT_INJ) = BIT(31) | VECTOR;
    ap_work = ap_guest;
    while (!(u32)rd(SPA(DATA))) {
        asm volatile("pause");
    }
    for (i = 0; i < 10; i++) {
        rd(AREA);
        rmp_assign(AREA, 0, ES_ASID, false);
        rmp_share(AREA, false);
        wait(STEPS / 100);
    }
    stop_guest();
    check_eq(vm_get(&vm, SAVE_RSP), GUEST_STACK - 40,
             "%s: an injected interrupt is delivered once", what);
}

static void test_guest_stale(void)
{
    u64 info = NPF_GPA | PF_P | PF_U | PF_RMP | NPF_ENC;

    start_guest(SNP);
    check_eq(rmp_share(SPA(DATA), false), SUCCESS, "take its page away");
    check(ap_done(), "the guest has ended");
    check_npf(&vm, info, DATA, "guest-asid");

    start_guest(SNP);
    check_eq(rmp_assign(SPA(DATA), DATA, ES_ASID + 1, false), SUCCESS,
             "give its page to another guest");
    check(ap_done(), "the guest has ended");
    check_npf(&vm, info, DATA, "guest-asid");
}

#define MTRR_MSRS   4

static const struct {
    u32 msr;
    u64 val;
} mtrrs[MTRR_MSRS] = {
    { 0x26b, 0x0505050505050505 },
    { 0x250, 0x0606060606060606 },
    { 0x200, 0xc0000000 },
    { 0x2ff, 0xc06 },
};
static mem64 ap_mtrrs[MTRR_MSRS];
static mem32 ap_is_done;

static void ap_set_mtrrs(void)
{
    int i;

    for (i = 0; i < MTRR_MSRS; i++) {
        wrmsr(mtrrs[i].msr, mtrrs[i].val);
    }
    ap_is_done = 1;
}

static void ap_get_mtrrs(void)
{
    int i;

    for (i = 0; i < MTRR_MSRS; i++) {
        ap_mtrrs[i] = rdmsr(mtrrs[i].msr);
    }
    ap_is_done = 1;
}

static void wait_ap(void)
{
    while (!ap_is_done) {
        asm volatile("pause");
    }
    ap_is_done = 0;
}

/* INIT and SIPI start the other processor a second time. */
static void test_init_msrs(void)
{
    int i;

    start_ap(ap_set_mtrrs);
    wait_ap();
    start_ap(ap_get_mtrrs);
    wait_ap();
    for (i = 0; i < MTRR_MSRS; i++) {
        check_eq(ap_mtrrs[i], mtrrs[i].val, "INIT keeps MSR %x", mtrrs[i].msr);
    }
}

void test_main(void)
{
    test_init_msrs();
    snp_enable();
    svm_enable();
    host_pte(AP_VMCB);
    start_ap(ap_loop);
    host_pte(AREA);
    test_stale(AREA, AREA, false, "host-write: by 4 KiB");
    test_stale(AREA + 5 * PAGE, AREA, true, "host-write: in a 2 MiB page");
    host_large(AREA);
    test_stale(AREA, AREA, false, "host-write: by 2 MiB");
    test_stale(AREA, AREA + PAGE, false, "host-large-page");
    test_in_use();
    test_es_in_use();
    test_in_use_large(LARGE_VMCB, true);
    test_in_use_large(LARGE_VMCB + PAGE, false);
    test_guest_stale();
    test_injected_once(PLAIN, "plain");
    test_injected_once(SEV_ES, "SEV-ES");
    test_injected_once(SNP, "SNP");
}
