/*
 * SEV-SNP tests: PVALIDATE, RMPADJUST and RMPQUERY
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define DATA        GUEST_DATA
#define DATA_SPA    SPA(GUEST_DATA)
#define NPF_INSN    (NPF_GPA | PF_P | PF_U | PF_RMP | NPF_ENC)
#define NPF_WRITE   (NPF_INSN | PF_W | NPF_VMPL)
#define NPF_READ    (NPF_INSN | NPF_VMPL)
#define NPF_FETCH   (NPF_INSN | PF_ID | NPF_VMPL)
#define VMGEXIT_INSN 0xd9010ff3ULL
#define RAX         vm_get(&vm, SAVE_RAX)
#define CARRY       vm_get(&vm, SAVE_R8)

#define R           BIT(0)
#define W           BIT(1)
#define UX          BIT(2)
#define SX          BIT(3)
#define ALL         (R | W | UX | SX)
#define VMSA        BIT(16)

static struct vm vm;

static void pvalidate(u64 gva, bool large, bool validate)
{
    vm_call(&vm, g_pvalidate, gva, 0, large, validate);
}

static void rmpadjust(u64 gva, bool large, u64 vmpl, u64 perms, u64 vmsa)
{
    vm_call(&vm, g_rmpadjust, gva, 0, large, vmpl | perms << 8 | vmsa);
}

static void check_result(u64 result, const char *what)
{
    check_done(&vm, what);
    check_eq(RAX & 0xffffffff, result, "%s: EAX", what);
}

static bool validated(u64 spa)
{
    return rmp_entry(spa)[0] & RMP_VALIDATED;
}

static void set_vmpl(int vmpl)
{
    vm_open(&vm);
    vm.save[SAVE_VMPL] = vmpl;
    vm_close(&vm);
}

static void test_pvalidate(void)
{
    rmp_make(DATA_SPA, DATA, vm.asid, 0);
    pvalidate(DATA, false, true);
    check_result(SUCCESS, "validate");
    check(!CARRY && validated(DATA_SPA), "CF clear: it is now");
    pvalidate(DATA, false, true);
    check_result(SUCCESS, "validate again");
    check(CARRY && validated(DATA_SPA), "CF set: it was");
    vm_call(&vm, g_write, DATA, 1, 0, 0);
    check_done(&vm, "VMPL 0 may write to it");
    pvalidate(DATA, false, false);
    check_result(SUCCESS, "rescind");
    check(!CARRY && !validated(DATA_SPA), "CF clear: it is no more");
    vm_call(&vm, g_read, DATA, 0, 0, 0);
    check_vc(&vm, NOT_VALIDATED, "and cannot be used");
    pvalidate(DATA, false, false);
    check_result(SUCCESS, "rescind again");
    check(CARRY, "CF set: it was not");
}

static void test_pvalidate_large(void)
{
    u64 gpa = GUEST_LARGE, spa = SPA(gpa);

    rmp_make(spa, gpa, vm.asid, RMP_2M);
    pvalidate(gpa, true, true);
    check_result(SUCCESS, "validate 2 MiB");
    check(!CARRY && validated(spa), "its entry");
    pvalidate(gpa + PAGE, true, false);
    check_result(FAIL_INPUT, "pvalidate-align");
    check(validated(spa), "nothing changed");
    pvalidate(gpa, false, false);
    check_npf(&vm, NPF_INSN | NPF_SIZEM, gpa, "pvalidate-size: 4 of 2 MiB");
    pvalidate(gpa + 3 * PAGE, false, false);
    check_npf(&vm, NPF_INSN | NPF_SIZEM, gpa + 3 * PAGE,
              "pvalidate-size: a later 4 KiB of 2 MiB");
    check(validated(spa), "nothing changed");

    psmash(spa);
    npt_small(&vm, gpa, spa);
    pvalidate(gpa, true, false);
    check_result(FAIL_SIZEMISMATCH, "pvalidate-size: 2 MiB of 4 KiB");
    check(validated(spa) && validated(spa + PAGE), "nothing changed");
    pvalidate(gpa + PAGE, false, false);
    check_result(SUCCESS, "4 KiB after PSMASH");
    check(!CARRY && !validated(spa + PAGE) && validated(spa) &&
          validated(spa + 2 * PAGE), "only that one");
    npt_large(&vm, gpa, spa);
    rmp_clear(spa, 512);
}

static void test_pvalidate_owner(void)
{
    rmp_make(DATA_SPA, DATA, vm.asid + 1, 0);
    pvalidate(DATA, false, true);
    check_npf(&vm, NPF_INSN, DATA, "PVALIDATE of another guest's page");
    check(!validated(DATA_SPA), "nothing changed");
    rmp_make(DATA_SPA, DATA + PAGE, vm.asid, 0);
    pvalidate(DATA, false, true);
    check_npf(&vm, NPF_INSN, DATA, "PVALIDATE at another address");
    rmp_make(DATA_SPA, DATA, vm.asid, RMP_IMMUTABLE);
    pvalidate(DATA, false, true);
    check_npf(&vm, NPF_INSN, DATA, "PVALIDATE of an immutable page");
    check(!validated(DATA_SPA), "nothing changed");
    rmp_clear(DATA_SPA, 1);
    pvalidate(DATA, false, true);
    check_npf(&vm, NPF_INSN, DATA, "PVALIDATE of the hypervisor's page");
    check_eq(rmp_entry(DATA_SPA)[0], 0, "nothing changed");
    rmp_make(DATA_SPA, DATA, vm.asid, RMP_VALIDATED);
}

/* Give VMPL 1 to 3 what they need to run. */
static void grant_all(void)
{
    u64 gpa, bad = 0;
    int vmpl;

    for (gpa = 0; gpa < GUEST_LOW_END; gpa += PAGE) {
        for (vmpl = 1; vmpl < 4; vmpl++) {
            rmpadjust(gpa, false, vmpl, ALL, 0);
            bad |= !vm_done(&vm) || RAX;
        }
    }
    check_eq(bad, 0, "VMPL 0 grants VMPL 1 to 3 everything");
}

static void check_access(u64 perms)
{
    static const char *const name[] = { "read", "write", "execute" };
    char *piece[] = { g_read, g_write, g_exec };
    u64 fault[] = { NPF_READ, NPF_WRITE, NPF_FETCH };
    u64 need[] = { R, W, SX };
    int i;

    guest_poke(DATA, VMGEXIT_INSN);
    for (i = 0; i < 3; i++) {
        vm_call(&vm, piece[i], DATA, VMGEXIT_INSN, 0, 0);
        if (perms & need[i]) {
            check_done(&vm, "guest-vmpl: allowed");
        } else {
            check_npf(&vm, fault[i], DATA, name[i]);
        }
    }
}

static void test_vmpl_access(void)
{
    static const u64 perms[] = { 0, R, R | W, R | SX, R | UX, ALL, SX };
    int i, vmpl;

    rmp_make(DATA_SPA, DATA, vm.asid, RMP_VALIDATED);
    set_vmpl(1);
    check_access(0);
    for (i = 0; i < ARRAY_SIZE(perms); i++) {
        for (vmpl = 1; vmpl < 4; vmpl++) {
            set_vmpl(0);
            rmpadjust(DATA, false, vmpl, perms[i], 0);
            check_result(SUCCESS, "RMPADJUST");
            set_vmpl(vmpl);
            check_access(perms[i]);
        }
    }
    set_vmpl(0);
    check_access(ALL);
}

/* A page that is assigned again has permissions only for VMPL 0. */
static void test_new_page(void)
{
    rmpadjust(DATA, false, 1, ALL, 0);
    check_eq(rmp_assign(DATA_SPA, DATA + PAGE, vm.asid, false), SUCCESS,
             "assign the page for another address");
    check_eq(rmp_assign(DATA_SPA, DATA, vm.asid, false), SUCCESS,
             "and for this one");
    pvalidate(DATA, false, true);
    check_result(SUCCESS, "validate it");
    vm_call(&vm, g_rmpquery, DATA, 0, 0, 1);
    check_eq(vm_get(&vm, SAVE_RDX) >> 8 & 0xff, 0,
             "rmpupdate-perms: none for VMPL 1");
    rmp_assign(DATA_SPA, DATA + PAGE, vm.asid, false);
    rmp_assign(DATA_SPA, DATA, vm.asid, false);
    rmp_entry(DATA_SPA)[0] |= RMP_VALIDATED;
    check_access(ALL);
    set_vmpl(1);
    check_access(0);
    set_vmpl(0);
}

static void test_vmpl_user(void)
{
    rmpadjust(DATA, false, 1, R | SX, 0);
    guest_poke(DATA, VMGEXIT_INSN);
    set_vmpl(1);
    vm_open(&vm);
    vm_user(&vm);
    vm_close(&vm);
    vm_call(&vm, g_exec, DATA, 0, 0, 0);
    check_npf(&vm, NPF_FETCH, DATA, "guest-vmpl: no execution at CPL 3");
    vm_reset(&vm);
    rmpadjust(DATA, false, 1, R | UX, 0);
    set_vmpl(1);
    vm_call(&vm, g_exec, DATA, 0, 0, 0);
    check_npf(&vm, NPF_FETCH, DATA, "guest-vmpl: no execution at CPL 0");
    vm_open(&vm);
    vm_user(&vm);
    vm_close(&vm);
    vm_call(&vm, g_exec, DATA, 0, 0, 0);
    check_done(&vm, "but at CPL 3");
    vm_reset(&vm);
}

/* Write without read is invalid: data accesses fault. */
static void test_write_only(void)
{
    rmpadjust(DATA, false, 1, W, 0);
    if (!vm_done(&vm) || RAX) {
        check(true, "RMPADJUST refuses write without read");
        return;
    }
    set_vmpl(1);
    vm_call(&vm, g_read, DATA, 0, 0, 0);
    check_npf(&vm, NPF_READ, DATA, "guest-vmpl: read of a write-only page");
    vm_call(&vm, g_write, DATA, 0, 0, 0);
    check_npf(&vm, NPF_WRITE, DATA, "guest-vmpl: write to a write-only page");
    set_vmpl(0);
}

static void test_table_vmpl(void)
{
    rmpadjust(GUEST_PT2, false, 1, 0, 0);
    set_vmpl(1);
    vm_call(&vm, g_read, GUEST_WINDOW, 0, 0, 0);
    check_npf(&vm, NPF_GPT | PF_P | PF_U | PF_W | PF_RMP | NPF_ENC | NPF_VMPL,
              GUEST_PT2, "guest-vmpl: a page table");
    set_vmpl(0);
    rmpadjust(GUEST_PT2, false, 1, ALL, 0);
}

static void test_rmpadjust_vmpl(void)
{
    int vmpl;

    rmpadjust(DATA, false, 1, R | W, 0);
    rmpadjust(DATA, false, 2, 0, 0);
    for (vmpl = 0; vmpl < 3; vmpl++) {
        set_vmpl(vmpl);
        rmpadjust(DATA, false, vmpl, R, 0);
        if (vmpl < 2) {     /* VMPL 2 cannot even read the page */
            check_result(FAIL_PERMISSION, "rmpadjust-vmpl: its own");
        }
    }
    set_vmpl(1);
    rmpadjust(DATA, false, 0, R, 0);
    check_result(FAIL_PERMISSION, "rmpadjust-vmpl: a higher one");
    rmpadjust(DATA, false, 2, R | W | SX, 0);
    check_result(FAIL_PERMISSION, "rmpadjust-perms: more than its own");
    set_vmpl(2);
    vm_call(&vm, g_read, DATA, 0, 0, 0);
    check_npf(&vm, NPF_READ, DATA, "nothing was granted");
    set_vmpl(1);
    rmpadjust(DATA, false, 2, R, 0);
    check_result(SUCCESS, "VMPL 1 grants VMPL 2 what it has");
    set_vmpl(2);
    vm_call(&vm, g_read, DATA, 0, 0, 0);
    check_done(&vm, "VMPL 2 can read");
    set_vmpl(0);
}

static void test_rmpadjust_vmsa(void)
{
    u64 spa = DATA_SPA;

    rmpadjust(DATA, false, 1, 0, VMSA);
    check_result(SUCCESS, "VMPL 0 creates a VMSA");
    check(rmp_entry(spa)[0] & RMP_VMSA, "it is a VMSA");
    rmpadjust(DATA, false, 1, ALL, 0);
    check_result(SUCCESS, "VMPL 0 clears the bit again");
    check(!(rmp_entry(spa)[0] & RMP_VMSA), "it is not a VMSA");
    set_vmpl(1);
    rmpadjust(DATA, false, 2, 0, VMSA);
    check_result(FAIL_PERMISSION, "rmpadjust-vmsa: not at VMPL 1");
    check(!(rmp_entry(spa)[0] & RMP_VMSA), "it is not a VMSA");
    pvalidate(DATA, false, false);
    check(vm.exit.vec == GP || (vm_done(&vm) && RAX == FAIL_PERMISSION),
          "pvalidate-vmpl: not at VMPL 1");
    check(validated(spa), "nothing changed");
    set_vmpl(0);
    rmpadjust(DATA, false, 4, R, 0);
    check_result(FAIL_INPUT, "RMPADJUST of VMPL 4");
}

static void test_rmpadjust_size(void)
{
    u64 gpa = GUEST_LARGE, spa = SPA(gpa);

    rmp_make(spa, gpa, vm.asid, RMP_2M | RMP_VALIDATED);
    rmpadjust(gpa, true, 1, R, 0);
    check_result(SUCCESS, "RMPADJUST of 2 MiB");
    set_vmpl(1);
    vm_call(&vm, g_read, gpa + 7 * PAGE, 0, 0, 0);
    check_done(&vm, "all of it can be read");
    set_vmpl(0);
    rmpadjust(gpa + PAGE, true, 1, 0, 0);
    check_result(FAIL_INPUT, "rmpadjust-align");
    rmpadjust(gpa + PAGE, false, 1, 0, 0);
    check_npf(&vm, NPF_INSN | NPF_SIZEM, gpa + PAGE,
              "rmpadjust-size: 4 KiB of 2 MiB");
    psmash(spa);
    npt_small(&vm, gpa, spa);
    rmpadjust(gpa, true, 1, 0, 0);
    check_result(FAIL_SIZEMISMATCH, "rmpadjust-size: 2 MiB of 4 KiB");
    set_vmpl(1);
    vm_call(&vm, g_read, gpa + 7 * PAGE, 0, 0, 0);
    check_done(&vm, "PSMASH keeps permissions");
    set_vmpl(0);
    npt_large(&vm, gpa, spa);
    rmp_clear(spa, 512);
}

static void test_rmpquery(void)
{
    rmpadjust(DATA, false, 1, R | SX, 0);
    vm_call(&vm, g_rmpquery, DATA, 0, 0, 1);
    check_result(SUCCESS, "RMPQUERY");
    check_eq(vm_get(&vm, SAVE_RDX) >> 8 & 0xff, R | SX, "permissions");
    check_eq(vm_get(&vm, SAVE_RDX) & VMSA, 0, "no VMSA");
    check_eq(vm_get(&vm, SAVE_RCX) & 1, 0, "4 KiB");
    rmpadjust(DATA, false, 1, 0, VMSA);
    vm_call(&vm, g_rmpquery, DATA, 0, 0, 1);
    check_eq(vm_get(&vm, SAVE_RDX) >> 8 & 0x1ff, 0x100, "a VMSA, of no use");
    rmpadjust(DATA, false, 1, ALL, 0);
    set_vmpl(1);
    vm_call(&vm, g_rmpquery, DATA, 0, 0, 0);
    check_result(FAIL_PERMISSION, "RMPQUERY of a higher VMPL");
    set_vmpl(0);
    rmp_clear(DATA_SPA, 1);
    vm_call(&vm, g_rmpquery, DATA, 0, 0, 1);
    check_npf(&vm, NPF_INSN, DATA, "RMPQUERY of the hypervisor's page");
    rmp_make(DATA_SPA, DATA, vm.asid, RMP_VALIDATED);
}

static void test_where(void)
{
    char *guest[] = { g_pvalidate, g_rmpadjust, g_rmpquery };
    char *host[] = { g_rmpupdate, g_psmash };
    enum kind kind;
    int i;

    for (i = 0; i < 3; i++) {
        vm_open(&vm);
        vm_user(&vm);
        vm_close(&vm);
        vm_call(&vm, guest[i], DATA, 0, 0, 1);
        check_eq(vm.exit.vec, GP, "#GP at CPL 3");
    }
    vm_reset(&vm);
    for (i = 0; i < 2; i++) {
        vm_call(&vm, host[i], DATA_SPA, 0, DATA, 0);
        check_eq(vm.exit.vec, UD, "hypervisor's instruction: #UD in a guest");
    }
    for (kind = PLAIN; kind < SNP; kind++) {
        vm_init(&vm, kind);
        for (i = 0; i < 3; i++) {
            vm_call(&vm, guest[i], DATA, 0, 0, 1);
            check_eq(vm.exit.vec, UD, "#UD if not SNP-active");
        }
    }
}

void test_main(void)
{
    snp_enable();
    svm_enable();
    vm_init(&vm, SNP);
    test_pvalidate();
    test_pvalidate_large();
    test_pvalidate_owner();
    grant_all();
    test_vmpl_access();
    test_new_page();
    test_vmpl_user();
    test_write_only();
    test_table_vmpl();
    test_rmpadjust_vmpl();
    test_rmpadjust_vmsa();
    test_rmpadjust_size();
    test_rmpquery();
    test_where();
}
