/*
 * SEV-SNP tests: what guests may access
 *
 * APM volume 2, "RMP and VMPL Access Checks": each check, its fault and its
 * error code, for data, instructions and page tables.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define DATA        GUEST_DATA
#define DATA_SPA    SPA(GUEST_DATA)
#define READ        (NPF_GPA | PF_P | PF_U | PF_RMP)
#define WRITE       (READ | PF_W)
#define FETCH       (READ | PF_ID)
#define TABLE       (NPF_GPT | PF_P | PF_U | PF_W | PF_RMP | NPF_ENC)
#define VMGEXIT_INSN 0xd9010ff3ULL

static struct vm vm;

/* Each way to access the page at @gpa fails with the same bits. */
static void check_all(u64 gpa, const char *what)
{
    vm_call(&vm, g_read, gpa + 8, 0, 0, 0);
    check_npf(&vm, READ | NPF_ENC, gpa, what);
    vm_call(&vm, g_write, gpa + 8, 1, 0, 0);
    check_npf(&vm, WRITE | NPF_ENC, gpa, what);
    vm_call(&vm, g_exec, gpa, 0, 0, 0);
    check_npf(&vm, FETCH | NPF_ENC, gpa, what);
}

static void check_good(u64 gpa, const char *what)
{
    vm_call(&vm, g_write, gpa + 8, 0x4711, 0, 0);
    check_done(&vm, what);
    vm_call(&vm, g_read, gpa + 8, 0, 0, 0);
    check(vm_done(&vm) && vm_get(&vm, SAVE_RBX) == 0x4711, "%s: reads", what);
    guest_poke(gpa, VMGEXIT_INSN);
    vm_call(&vm, g_exec, gpa, 0, 0, 0);
    check_done(&vm, what);
}

static void test_owner(void)
{
    vm_call(&vm, g_nop, 0, 0, 0, 0);
    check_done(&vm, "the guest runs");
    check_good(DATA, "its own page");

    rmp_clear(DATA_SPA, 1);
    check_all(DATA, "guest-asid: the hypervisor's page");
    rmp_make(DATA_SPA, DATA, vm.asid + 1, RMP_VALIDATED);
    check_all(DATA, "guest-asid: another guest's page");
    rmp_make(DATA_SPA, DATA + PAGE, vm.asid, RMP_VALIDATED);
    check_all(DATA, "guest-gpa: assigned for another address");
    rmp_make(DATA_SPA, DATA, vm.asid, RMP_VALIDATED | RMP_IMMUTABLE);
    check_all(DATA, "guest-immutable");
    rmp_make(DATA_SPA, DATA, vm.asid, RMP_VALIDATED);
    check_good(DATA, "its own again");

    npt_small(&vm, DATA, rmp_covered_end() + LARGE);
    check_all(DATA, "guest-covered: not covered by the RMP");
    npt_small(&vm, DATA, SPA(DATA + PAGE));
    check_all(DATA, "guest-gpa: remapped in the nested table");
    npt_small(&vm, DATA, DATA_SPA);
}

static void check_not_validated(u64 gpa, const char *what)
{
    char *pieces[] = { g_read, g_write };
    int i;

    for (i = 0; i < 2; i++) {
        vm_call(&vm, pieces[i], gpa + 8, 0, 0, 0);
        check_vc(&vm, NOT_VALIDATED, what);
        check_eq(vm.exit.cr2, gpa + 8, "%s: CR2", what);
    }
    vm_call(&vm, g_exec, gpa, 0, 0, 0);
    check_vc(&vm, NOT_VALIDATED, what);
    check_eq(vm.exit.cr2, gpa, "%s: CR2", what);
}

static void test_validated(void)
{
    rmp_make(DATA_SPA, DATA, vm.asid, 0);
    check_not_validated(DATA, "guest-validated");
    rmp_make(DATA_SPA, DATA, vm.asid, RMP_IMMUTABLE);
    check_all(DATA, "immutable comes before validated");
    rmp_make(DATA_SPA, DATA + PAGE, vm.asid, 0);
    check_all(DATA, "the address comes before validated");
    rmp_make(DATA_SPA, DATA, vm.asid, RMP_VALIDATED);
}

static void test_size(void)
{
    u64 large = GUEST_LARGE, at = large + 5 * PAGE;

    rmp_make(SPA(large), large, vm.asid, RMP_2M | RMP_VALIDATED);
    check_good(large, "2 MiB by 2 MiB");
    check_good(at, "inside of 2 MiB by 2 MiB");
    npt_small(&vm, large, SPA(large));
    check_all(large, "guest-page-size: 2 MiB by 4 KiB");
    check_all(at, "guest-page-size: inside of 2 MiB by 4 KiB");
    psmash(SPA(large));
    check_good(at, "after PSMASH by 4 KiB");
    npt_large(&vm, large, SPA(large));
    check_all(large, "guest-page-size: 4 KiB by 2 MiB");
    check_all(at, "guest-page-size: 4 KiB inside by 2 MiB");
    rmp_make(SPA(large), large, vm.asid, RMP_2M);
    check_not_validated(at, "guest-validated: 2 MiB");
    npt_small(&vm, large, SPA(large));
    check_all(at, "the size comes before validated");
    npt_large(&vm, large, SPA(large));
    rmp_make(SPA(large), 2 * large, vm.asid, RMP_2M | RMP_VALIDATED);
    check_all(at, "guest-gpa: 2 MiB for another address");
    rmp_clear(SPA(large), 512);
}

/* The window maps the same pages without the C-bit. */
static void test_shared(void)
{
    u64 shared = GUEST_WINDOW + DATA, large = GUEST_LARGE;

    vm_call(&vm, g_write, shared + 8, 1, 0, 0);
    check_npf(&vm, WRITE, DATA, "guest-shared-write: its own private page");
    vm_call(&vm, g_read, shared + 8, 1, 0, 0);
    check_done(&vm, "shared reads are not checked");
    rmp_make(DATA_SPA, DATA, vm.asid + 1, RMP_VALIDATED);
    vm_call(&vm, g_write, shared + 8, 1, 0, 0);
    check_npf(&vm, WRITE, DATA, "guest-shared-write: another guest's");
    rmp_clear(DATA_SPA, 1);
    vm_call(&vm, g_write, shared + 8, 0x77, 0, 0);
    check_done(&vm, "shared write to the hypervisor's page");
    check_eq(rd(DATA_SPA + 8), 0x77, "the hypervisor sees it");
    vm_call(&vm, g_exec, shared, 0, 0, 0);
    check_npf(&vm, FETCH | NPF_ENC, DATA, "guest-fetch: without the C-bit");
    rmp_make(DATA_SPA, DATA, vm.asid, RMP_VALIDATED);
    guest_poke(DATA, VMGEXIT_INSN);
    vm_call(&vm, g_exec, shared, 0, 0, 0);
    check_done(&vm, "a private page is fetched without the C-bit");

    shared = GUEST_SHARED + 3 * PAGE;
    vm_call(&vm, g_write, shared, 0x78, 0, 0);
    check_done(&vm, "shared write through 2 MiB");
    rmp_make(SPA(large), 0, vm.asid + 1, RMP_VALIDATED);
    vm_call(&vm, g_write, shared, 0x79, 0, 0);
    check_npf(&vm, WRITE, large + 3 * PAGE,
              "host-large-page: shared write next to a guest's page");
    rmp_clear(SPA(large), 512);
}

/* A table in a page that fails the check; DATA is used for the last level. */
static void test_tables(void)
{
    u64 table = SPA(GUEST_PT2), gpa = GUEST_PT2, va = GUEST_WINDOW + DATA;

    rmp_make(table, gpa, vm.asid + 1, RMP_VALIDATED);
    vm_call(&vm, g_read, va, 0, 0, 0);
    check_npf(&vm, TABLE, gpa, "guest-asid: a page table");
    rmp_clear(table, 1);
    vm_call(&vm, g_read, va, 0, 0, 0);
    check_npf(&vm, TABLE, gpa, "guest-asid: a page table");
    rmp_make(table, gpa, vm.asid, 0);
    vm_call(&vm, g_read, va, 0, 0, 0);
    check_vc(&vm, NOT_VALIDATED, "guest-validated: a page table");
    rmp_make(table, gpa, vm.asid, RMP_VALIDATED);
    vm_call(&vm, g_read, va, 0, 0, 0);
    check_done(&vm, "a good page table");
    guest_poke(0x3000 + 16, rd(SPA(0x3000 + 16)) & ~C_BIT);
    vm_call(&vm, g_read, va, 0, 0, 0);
    check_done(&vm, "page tables are private without C-bit as well");
}

/* Checks that do not involve the RMP have priority. */
static void test_nested(void)
{
    mem64 *pte = npt_pte(&vm, DATA);
    u64 old = *pte;

    rmp_make(DATA_SPA, DATA, vm.asid + 1, RMP_VALIDATED);
    *pte = 0;
    vm_call(&vm, g_read, DATA, 0, 0, 0);
    check_npf(&vm, NPF_GPA | PF_U | NPF_ENC, DATA, "not present");
    vm_call(&vm, g_write, DATA, 0, 0, 0);
    check_npf(&vm, NPF_GPA | PF_U | PF_W | NPF_ENC, DATA, "not present");
    vm_call(&vm, g_read, GUEST_WINDOW + DATA, 0, 0, 0);
    check_npf(&vm, NPF_GPA | PF_U, DATA, "not present, shared");
    *pte = old & ~PTE_W;
    vm_call(&vm, g_write, DATA, 0, 0, 0);
    check_npf(&vm, NPF_GPA | PF_P | PF_U | PF_W | NPF_ENC, DATA, "read-only");
    *pte = old;
    rmp_make(DATA_SPA, DATA, vm.asid, RMP_VALIDATED);
    check_good(DATA, "it is good again");
}

static void check_no_pae(u64 cr3, u64 va, const char *what)
{
    vm_prepare(&vm, g_write32, va, 1, 0, 0);
    vm_open(&vm);
    vm_set(&vm, SAVE_CS, 8 | 0xc9bULL << 16 | 0xffffffffULL << 32);
    vm_set(&vm, SAVE_EFER, 0x1000);
    vm_set(&vm, SAVE_CR3, cr3);
    vm_set(&vm, SAVE_CR4, 0x690);
    vm_close(&vm);
    vm_run(&vm);
    check_done(&vm, what);
}

/*
 * Without PAE no entry has a C-bit, and all accesses are private. (AMD64
 * Architecture Programmer's Manual volume 2, "Secure Encrypted Virtualization")
 */
static void test_no_pae(void)
{
    u64 dir = DATA + PAGE, table = DATA + 2 * PAGE;
    u64 code = vm_rip_of(g_write32) & ~(PAGE - 1);
    u64 flags = PTE_P | PTE_W | PTE_A | PTE_D;
    u64 both = flags | (flags | PAGE) << 32;
    u64 large = flags | PTE_PS;

    guest_poke(dir, table | flags | large << 32);
    guest_poke(table + (DATA >> 12) * 4, DATA * (1 | 1ULL << 32) | both);
    guest_poke(table + (code >> 13) * 8,
               (code & ~PAGE) * (1 | 1ULL << 32) | both);
    check_no_pae(dir, DATA, "a page without PAE is private");
    check_no_pae(dir, 2 * LARGE + DATA,
                 "a page of 4 MiB without PAE is private");
    vm_reset(&vm);
}

static void check_rmp_fault(const char *rule, const char *what)
{
    check(vm.exit.code == EXIT_NPF && (vm.exit.info1 & PF_RMP), "%s: %s guest",
          rule, what);
}

/* Guests that are not SNP-active: the hypervisor's rules, reported as #NPF */
static void test_other(enum kind kind, const char *what)
{
    u64 large = GUEST_LARGE;

    vm_init(&vm, kind);
    vm_call(&vm, g_write, DATA, 1, 0, 0);
    check_done(&vm, what);
    rmp_assign(DATA_SPA, DATA, ES_ASID, false);
    vm_call(&vm, g_write, DATA, 2, 0, 0);
    check(vm.exit.code == EXIT_NPF &&
          (vm.exit.info1 & ~NPF_ENC) == WRITE, "host-write: %s", what);
    vm_call(&vm, g_read, DATA, 0, 0, 0);
    check_done(&vm, "it may read");
    rmp_share(DATA_SPA, false);
    rmp_assign(SPA(GUEST_PT2), 0, ES_ASID, false);
    vm_call(&vm, g_read, GUEST_WINDOW, 0, 0, 0);
    check_rmp_fault("host-write: page table", what);
    rmp_share(SPA(GUEST_PT2), false);
    rmp_assign(SPA(large), 0, ES_ASID, false);
    vm_call(&vm, g_write, large + 8 * PAGE, 1, 0, 0);
    check_rmp_fault("host-large-page", what);
    rmp_share(SPA(large), false);
    vm_call(&vm, g_write, large + 8 * PAGE, 1, 0, 0);
    check_done(&vm, "given back");
}

void test_main(void)
{
    snp_enable();
    svm_enable();
    vm_init(&vm, SNP);
    test_owner();
    test_validated();
    test_size();
    test_shared();
    test_tables();
    test_nested();
    test_no_pae();
    test_other(PLAIN, "plain");
    test_other(SEV, "SEV");
    test_other(SEV_ES, "SEV-ES");
}
