/*
 * SEV-SNP tests: attacks
 *
 * What a malicious hypervisor can do to a running guest with its instructions,
 * and what the guest can do to others. Each attack has to end as the APM says
 * (volume 2, "SEV-SNP"): it is rejected, the guest cannot continue, or the
 * guest gets a #VC. The guest must never read anything that it has not written.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define SECRET      GUEST_DATA              /* a private page */
#define SECOND      (GUEST_DATA + PAGE)     /* and another one */
#define SECRET_SPA  SPA(SECRET)
#define SECOND_SPA  SPA(SECOND)
#define OLD         0x01d01d01d01d01d0ULL
#define NEW         0x2e32e32e32e32e32ULL
#define EVIL        0xe1e1e1e1e1e1e1e1ULL
#define OTHER_ASID  (ES_ASID + 1)
#define NPF_PRIVATE (NPF_GPA | NPF_ENC | PF_RMP | PF_P | PF_U)

static struct vm vm;

static void guest_store(u64 gpa, u64 val)
{
    vm_call(&vm, g_write, gpa, val, 0, 0);
    check_done(&vm, "the guest stores");
}

static void check_guest_reads(u64 gpa, u64 val, const char *what)
{
    vm_call(&vm, g_read, gpa, 0, 0, 0);
    check(vm_done(&vm) && vm_get(&vm, SAVE_RBX) == val,
          "%s: the guest reads what it stored", what);
}

/* The guest is stopped by an exit that the hypervisor cannot avoid. */
static void check_guest_stops(u64 gpa, const char *what)
{
    vm_call(&vm, g_read, gpa, 0, 0, 0);
    check_npf(&vm, NPF_PRIVATE, gpa & ~(PAGE - 1), what);
}

/* The guest is notified that a page is not the one that it has validated. */
static void check_guest_told(u64 gpa, const char *what)
{
    vm_call(&vm, g_read, gpa, 0, 0, 0);
    check_vc(&vm, NOT_VALIDATED, what);
    check_eq(vm.exit.cr2, gpa, "%s: where", what);
}

static void fresh_guest(void)
{
    vm_init(&vm, SNP);
    guest_store(SECRET, OLD);
    guest_store(SECOND, NEW);
}

static void check_write_fails(u64 spa, const char *what)
{
    check_eq(try_write(spa, EVIL), PF, "%s: #PF", what);
    check_eq(trap()->err, PF_RMP | PF_P | PF_W, "%s: error code", what);
}

static void host_writes(void)
{
    fresh_guest();
    check_write_fails(SECRET_SPA, "host-write: host writes a private page");
    check_write_fails(SPA(0x1000), "host-write: host writes its page tables");
    check_write_fails(SPA(GUEST_CODE), "host-write: host writes its code");
    check_guest_reads(SECRET, OLD, "host writes");
    host_large(GUEST_SPA);
    check_write_fails(SECRET_SPA, "host-large-page: by a large page");
    check_write_fails(SPA(GUEST_LOW_END),
                      "host-large-page: next to it, by a large page");
    host_pte(GUEST_SPA);
    check_guest_reads(SECRET, OLD, "host writes by a large page");
}

static void host_remaps(void)
{
    fresh_guest();
    npt_small(&vm, SECRET, SECOND_SPA);
    check_guest_stops(SECRET, "guest-gpa: gfn remapped to another own page");
    npt_small(&vm, SECOND, SECRET_SPA);
    check_guest_stops(SECOND, "guest-gpa: two gfns swapped");
    npt_small(&vm, SECOND, SECOND_SPA);
    npt_small(&vm, SECRET, SPA(GUEST_LOW_END));
    check_guest_stops(SECRET, "guest-asid: gfn remapped to the host's page");
    npt_small(&vm, SECRET, SECRET_SPA);
    check_guest_reads(SECRET, OLD, "remapped and back");
}

/* The page of one guest in the nested tables of another one */
static void host_aliases(void)
{
    fresh_guest();
    VMCB32(&vm, VMCB_ASID) = OTHER_ASID;
    vm_prepare(&vm, g_read, SECRET, 0, 0, 0);
    vm_enter(&vm);
    check_exit(&vm, EXIT_INVALID,
               "vmrun-vmsa-page: one guest's VMSA with another's ASID");
    VMCB32(&vm, VMCB_ASID) = ES_ASID;

    check_eq(rmp_share(SECRET_SPA, false), SUCCESS, "taken");
    check_eq(rmp_assign(SECRET_SPA, SECRET, OTHER_ASID, false), SUCCESS,
             "and assigned to another guest");
    check_guest_stops(SECRET, "guest-asid: aliased into another guest");
    vm_call(&vm, g_write, GUEST_WINDOW + SECRET, EVIL, 0, 0);
    check_npf(&vm, NPF_GPA | PF_RMP | PF_P | PF_W | PF_U, SECRET,
              "guest-shared-write: guest writes another's page as shared");
}

/* Replay the bytes that the guest once wrote, at the same address */
static void host_replays(void)
{
    static u64 copy[512] PAGE_ALIGNED;

    fresh_guest();
    memcpy(copy, (void *)SECRET_SPA, PAGE);
    guest_store(SECRET, NEW);
    check_write_fails(SECRET_SPA, "host-write: an old page written over");
    check_guest_reads(SECRET, NEW, "replay without RMPUPDATE");

    check_eq(rmp_share(SECRET_SPA, false), SUCCESS, "taken");
    memcpy((void *)SECRET_SPA, copy, PAGE);
    check_guest_stops(SECRET, "guest-asid: an old page, not assigned");
    check_eq(rmp_assign(SECRET_SPA, SECRET, ES_ASID, false), SUCCESS,
             "assigned again");
    check_guest_told(SECRET, "rmpupdate-unvalidate: an old page");
    check_eq(rmp_assign(SECOND_SPA, SECRET, ES_ASID, false), SUCCESS,
             "a page moved to another gfn");
    npt_small(&vm, SECRET, SECOND_SPA);
    check_guest_told(SECRET, "rmpupdate-unvalidate: a page of its own");
    npt_small(&vm, SECRET, SECRET_SPA);

    /* A guest that validates twice sees that the page is already validated. */
    vm_call(&vm, g_pvalidate, SECRET, 0, 0, 1);
    check(vm_done(&vm) && !vm_get(&vm, SAVE_RAX), "the guest validates it");
    check(!(vm_get(&vm, SAVE_RFLAGS) & 1), "it was not validated");
    vm_call(&vm, g_pvalidate, SECRET, 0, 0, 1);
    check(vm_get(&vm, SAVE_RFLAGS) & 1, "validated twice: CF");
}

/* Without the guest's knowledge, until it accesses the page */
static void host_unassigns(void)
{
    fresh_guest();
    check_eq(rmp_share(SECRET_SPA, false), SUCCESS, "unassign");
    check_guest_stops(SECRET, "guest-asid: a validated page unassigned");
    check_eq(rmp_assign(SECRET_SPA, SECRET, ES_ASID, false), SUCCESS,
             "assign it again");
    check_guest_told(SECRET, "rmpupdate-unvalidate: unassigned and back");

    fresh_guest();
    check_eq(rmp_assign(SPA(GUEST_CODE), GUEST_CODE, ES_ASID, false), SUCCESS,
             "assign what is assigned already");
    vm_prepare(&vm, g_nop, 0, 0, 0, 0);
    VMCB64(&vm, VMCB_EXIT_CODE) = 0;
    vm_enter(&vm);
    check_exit(&vm, EXIT_SHUTDOWN,
               "rmpupdate-unvalidate: even the handler of #VC is not valid");

    fresh_guest();
    rmp_assign(SECRET_SPA, SECRET, ES_ASID, false);
    rmp_assign(SPA(GUEST_STACK - PAGE), GUEST_STACK - PAGE, ES_ASID, false);
    vm_prepare(&vm, g_read, SECRET, 0, 0, 0);
    vm_enter(&vm);
    check_exit(&vm, EXIT_SHUTDOWN,
               "rmpupdate-unvalidate: nor is the stack for #VC");
}

static void host_forges(void)
{
    u64 entry;

    fresh_guest();
    check_write_fails(VMSA_SPA + SAVE_RIP, "host-write: host writes a VMSA");
    entry = rmp_entry(VMSA_SPA)[0];

    check_eq(rmp_share(VMSA_SPA, false), SUCCESS, "take the VMSA");
    wr(VMSA_SPA + SAVE_RIP, vm_rip_of(g_read));
    vm_enter(&vm);
    check_exit(&vm, EXIT_INVALID, "vmrun-vmsa-page: VMSA of the host");
    check_eq(rmp_assign(VMSA_SPA, 0, ES_ASID, false), SUCCESS, "give it back");
    vm_enter(&vm);
    check_exit(&vm, EXIT_INVALID, "vmrun-vmsa-page: forged VMSA");
    rmp_entry(VMSA_SPA)[0] = entry & ~RMP_VMSA;
    vm_enter(&vm);
    check_exit(&vm, EXIT_INVALID,
               "vmrun-vmsa-page: a page of the guest as VMSA");
}

static void guest_attacks(void)
{
    fresh_guest();
    check_eq(rmp_assign(SPA(GUEST_LOW_END), GUEST_LOW_END, ES_ASID, false),
             SUCCESS, "a page that the guest has not validated");
    check_guest_told(GUEST_LOW_END, "guest-validated: validation skipped");
    vm_call(&vm, g_write, GUEST_LOW_END, EVIL, 0, 0);
    check_vc(&vm, NOT_VALIDATED, "guest-validated: for a write");

    check_guest_stops(GUEST_LOW_END + PAGE,
                      "guest-asid: the host's page as private");
    vm_call(&vm, g_rmpupdate, GUEST_LOW_END + PAGE, 0, GUEST_DATA, 0);
    check_eq(vm.exit.vec, UD, "guest changes the RMP: #UD");
    vm_call(&vm, g_psmash, GUEST_LARGE, 0, 0, 0);
    check_eq(vm.exit.vec, UD, "guest splits a page of the RMP: #UD");
    check_guest_reads(SECRET, OLD, "after its own attacks");
}

void test_main(void)
{
    snp_enable();
    svm_enable();
    host_writes();
    host_remaps();
    host_aliases();
    host_replays();
    host_unassigns();
    host_forges();
    guest_attacks();
}
