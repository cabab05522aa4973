/*
 * VMX tests: EPT
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define DATA    0x10000000ULL   /* what the guest accesses */

void g_read(void);
void g_write(void);
void g_fetch(void);
asm(".pushsection .text\n"
    "g_read: mov (%rdi), %rax\nvmcall\n"
    "g_write: mov %rax, (%rdi)\nvmcall\n"
    "g_fetch: call *%rdi\nvmcall\n"
    ".popsection");

enum { READ, WRITE, FETCH };
static void (*const access_fn[])(void) = { g_read, g_write, g_fetch };
static const char *const access_name[] = { "read", "write", "fetch" };

static void guest(int access)
{
    vm_init(access_fn[access]);
    guest_regs[7] = DATA;
    vm_controls(0, 0, PROC2_EPT);
    ept_init();
    *(u8 *)DATA = 0xc3;         /* RET */
}

static bool misconfigured(u64 perm)
{
    return (perm & 3) == EPT_W;
}

/* Each combination of permissions, each access, on a page of each size */
static void test_matrix(int level)
{
    u64 perm;
    int access;

    for (perm = 0; perm < 8; perm++) {
        for (access = READ; access <= FETCH; access++) {
            mem64 *e;
            u64 want, qual = 0;

            guest(access);
            if (level == 0) {
                ept_entry(DATA);
            }
            e = ept_table(DATA, level);
            *e = (*e & ~7ULL) | perm;
            if (misconfigured(perm)) {
                want = X_EPT_MISCONFIG;
            } else if (perm & BIT(access)) {
                want = X_VMCALL;
            } else {
                want = X_EPT_VIOLATION;
                qual = BIT(access) | perm << 3 | BIT(7) | BIT(8);
            }
            if (!vm_exits(want, access_name[access]) || want == X_VMCALL) {
                continue;
            }
            check_eq(vget(F_GPA), DATA, "guest-physical address");
            check_eq(vget(F_QUAL), qual, "qualification, %s of %lx",
                     access_name[access], perm);
            if (want == X_EPT_VIOLATION) {
                check_eq(vget(F_GLA), DATA, "linear address");
                *e |= 7;
                invept(2, 0, 0);
                vm_exits(X_VMCALL, "what was missing is there");
            }
        }
    }
}

static void reserved(int level, u64 bits, const char *what)
{
    mem64 *e;

    guest(READ);
    if (level == 0) {
        ept_entry(DATA);
    }
    e = ept_table(DATA, level);
    *e ^= bits;
    vm_exits(X_EPT_MISCONFIG, what);
}

static void test_misconfig(void)
{
    reserved(3, BIT(3), "bit 3 of a PML4 entry");
    reserved(3, BIT(7), "bit 7 of a PML4 entry");
    reserved(2, BIT(4), "bit 4 of a PDPTE of a table");
    reserved(1, BIT(13), "an address bit of a 2 MiB page");
    reserved(0, BIT(51), "an address that does not exist");
    reserved(0, 4 << 3, "memory type 2");
    reserved(0, 5 << 3, "memory type 3");
    reserved(0, 1 << 3, "memory type 7");
}

static void test_1g(void)
{
    mem64 *e;

    guest(READ);
    e = ept_table(DATA, 2);
    *e = EPT_PS | EPT_WB | 7;
    vm_exits(X_VMCALL, "a page of 1 GiB");
}

static void test_ad(void)
{
    mem64 *e, *table;

    guest(READ);
    vset(F_EPTP, vget(F_EPTP) | EPTP_AD);
    e = ept_entry(DATA);
    table = ept_table(DATA, 1);
    vm_exits(X_VMCALL, "read with accessed and dirty flags");
    check_eq(*e & (EPT_A | EPT_D), EPT_A, "accessed, not dirty");
    check_eq(*table & EPT_A, EPT_A, "the table is accessed");
    guest(WRITE);
    e = ept_entry(DATA);
    vm_exits(X_VMCALL, "write without them");
    check_eq(*e & (EPT_A | EPT_D), 0, "neither is set");
    guest(WRITE);
    vset(F_EPTP, vget(F_EPTP) | EPTP_AD);
    e = ept_entry(DATA);
    table = ept_entry(read_cr3());
    vm_exits(X_VMCALL, "write with them");
    check_eq(*e & (EPT_A | EPT_D), EPT_A | EPT_D, "accessed and dirty");
    check_eq(*table & EPT_D, EPT_D,
             "page tables of the guest are dirty");
}

/* The guest's page tables must not be read, or not be written. */
static void test_tables(void)
{
    mem64 *e;
    u64 pml4 = read_cr3();

    guest(READ);
    e = ept_entry(pml4);
    *e &= ~7ULL;
    vm_exits(X_EPT_VIOLATION, "a page table that is not there");
    check_eq(vget(F_GPA) & ~0xfffULL, pml4, "its address");
    check_eq(vget(F_QUAL), BIT(0) | BIT(7), "a read, not the access itself");
    *e |= EPT_R;
    invept(2, 0, 0);
    vm_exits(X_VMCALL, "tables are only read if they need no flags");

    guest(READ);
    vset(F_EPTP, vget(F_EPTP) | EPTP_AD);
    e = ept_entry(pml4);
    *e &= ~(EPT_W | EPT_X);
    vm_exits(X_EPT_VIOLATION, "with accessed and dirty flags, a write");
    check_eq(vget(F_QUAL) & 3, 3, "read and written");
}

/* An access needs the permission of each entry on its way. */
static void test_permissions(void)
{
    mem64 *table;

    guest(WRITE);
    ept_entry(DATA);
    table = ept_table(DATA, 1);
    *table &= ~EPT_W;
    vm_exits(X_EPT_VIOLATION, "a write below a table that is read-only");
    check_eq(vget(F_QUAL), BIT(1) | 5 << 3 | BIT(7) | BIT(8),
             "read-only: qualification");
    guest(FETCH);
    table = ept_table(DATA, 2);
    *table &= ~EPT_X;
    ept_entry(DATA);
    vm_exits(X_EPT_VIOLATION, "no code in a whole GiB");
    check_eq(vget(F_GPA), (u64)g_fetch, "the guest's code");
}

#define F_PML_INDEX     0x0812
#define F_PML_ADDR      0x200e
#define PROC2_PML       BIT(17)
#define X_PML_FULL      62

static u64 PAGE_ALIGNED log[512];

static void test_pml(void)
{
    int i;

    guest(WRITE);
    vm_controls(0, 0, PROC2_EPT | PROC2_PML);
    vset(F_EPTP, vget(F_EPTP) | EPTP_AD);
    vset(F_PML_ADDR, (u64)log);
    vset(F_PML_INDEX, 511);
    ept_entry(DATA);
    vm_exits(X_VMCALL, "write with page-modification logging");
    for (i = 511; i > vget(F_PML_INDEX) && log[i] != DATA; i--) {
        ;
    }
    check_eq(log[i], DATA, "the page is logged");
    guest(WRITE);
    vm_controls(0, 0, PROC2_EPT | PROC2_PML);
    vset(F_EPTP, vget(F_EPTP) | EPTP_AD);
    vset(F_PML_ADDR, (u64)log);
    vset(F_PML_INDEX, 0xffff);
    vm_exits(X_PML_FULL, "the log is full");
    vset(F_PML_INDEX, 511);
    vm_exits(X_VMCALL, "it is not any more");
    guest(WRITE);
    vm_controls(0, 0, PROC2_PML);
    check_eq(vm_enter(), VM_FAIL_VALID, "page-modification logging, no EPT");
}

static void test_eptp(void)
{
    static const u64 bad[] = { 7, 1, 2 << 3, BIT(7), BIT(52) };
    int i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        guest(READ);
        vset(F_EPTP, vget(F_EPTP) ^ bad[i]);
        check_eq(vm_enter(), VM_FAIL_VALID, "EPTP with %lx wrong", bad[i]);
        check_eq(vget(F_INSN_ERROR), 7, "error 7");
    }
}

void test_main(void)
{
    vmx_on();
    test_matrix(0);
    test_matrix(1);
    test_misconfig();
    test_1g();
    test_ad();
    test_tables();
    test_permissions();
    test_pml();
    test_eptp();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
