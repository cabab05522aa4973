/*
 * VMX tests: each VMX instruction, its success and its failures
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define BEYOND      BIT(52)

static void fails(int r, int error, const char *what)
{
    check_eq(r, VM_FAIL_VALID, "%s: VMfailValid", what);
    check_eq(vget(F_INSN_ERROR), error, "%s: error %d", what, error);
}

static void test_off(void)
{
    u64 val, vmcs = vm_region(1);

    write_cr4(read_cr4() & ~CR4_VMXE);
    check_eq(vmxon(vm_region(0)), VM_TRAP(UD), "VMXON without CR4.VMXE");
    check_eq(vmclear(vmcs), VM_TRAP(UD), "VMCLEAR outside VMX operation");
    check_eq(vmptrld(vmcs), VM_TRAP(UD), "VMPTRLD outside VMX operation");
    check_eq(vmptrst(&val), VM_TRAP(UD), "VMPTRST outside VMX operation");
    check_eq(vmread(F_PIN, &val), VM_TRAP(UD), "VMREAD outside VMX operation");
    check_eq(vmwrite(F_PIN, 0), VM_TRAP(UD), "VMWRITE outside VMX operation");
    check_eq(vmlaunch(), VM_TRAP(UD), "VMLAUNCH outside VMX operation");
    check_eq(vmresume(), VM_TRAP(UD), "VMRESUME outside VMX operation");
    check_eq(vmcall(), VM_TRAP(UD), "VMCALL outside VMX operation");
    check_eq(vmxoff(), VM_TRAP(UD), "VMXOFF outside VMX operation");
    check_eq(invept(2, 0, 0), VM_TRAP(UD), "INVEPT outside VMX operation");
    check_eq(invvpid(2, 0, 0), VM_TRAP(UD), "INVVPID outside VMX operation");
}

static void test_feature_control(void)
{
    u64 val;

    write_cr4(read_cr4() | CR4_VMXE);
    check_eq(try_rdmsr(MSR_FEATURE_CONTROL, &val), NO_TRAP,
             "IA32_FEATURE_CONTROL exists");
    check_eq(try_wrmsr(MSR_FEATURE_CONTROL, 5), GP, "locked");
    check_eq(try_wrmsr(MSR_VMX_BASIC, 0), GP, "capabilities are read-only");
}

static void test_vmxon(void)
{
    u64 region = vm_region(0);

    *(u32 *)(region + 8) = *(u32 *)region;
    check_eq(vmxon(region + 8), VM_FAIL_INVALID, "VMXON pointer not aligned");
    check_eq(vmxon(BEYOND), VM_FAIL_INVALID, "VMXON pointer beyond memory");
    *(u32 *)region ^= 1;
    check_eq(vmxon(region), VM_FAIL_INVALID, "VMXON with another revision");
    *(u32 *)region ^= 1;
    check_eq(vmxon(region), VM_OK, "VMXON");
    check_eq(vmxon(region), VM_FAIL_INVALID, "VMXON again, without a VMCS");
}

static int try_write_cr0(u64 val)
{
    trap()->vec = NO_TRAP;
    asm volatile(EX("mov %0, %%cr0") : : "r"(val));
    return trap()->vec;
}

static int try_write_cr4(u64 val)
{
    trap()->vec = NO_TRAP;
    asm volatile(EX("mov %0, %%cr4") : : "r"(val));
    return trap()->vec;
}

/* Also for VMXON: these bits are fixed. */
static void test_vmxon_cr0(void)
{
    u64 cr0;

    asm volatile("mov %%cr0, %0" : "=r"(cr0));
    asm volatile("mov %0, %%cr0" : : "r"(cr0 & ~BIT(5)));
    check_eq(vmxon(vm_region(0)), VM_TRAP(GP), "VMXON with CR0.NE clear");
    asm volatile("mov %0, %%cr0" : : "r"(cr0 | BIT(5)));
    check_eq(try_write_cr0(cr0 | BIT(32)), GP, "CR0 has 32 bits");
    check_eq(try_write_cr0(cr0 & ~BIT(0)), GP, "CR0.PG without CR0.PE");
    check_eq(try_write_cr0(cr0 | BIT(29)), GP, "CR0.NW without CR0.CD");
    check_eq(try_write_cr0(cr0), NO_TRAP, "CR0 as it was");
    check_eq(try_write_cr4(read_cr4() | BIT(31)), GP, "CR4, bit 31");
    check_eq(try_write_cr4(read_cr4() | BIT(33)), GP, "CR4, bit 33");
    check_eq(try_write_cr4(read_cr4() | BIT(63)), GP, "CR4, bit 63");
}

void g_vmcall(void);
asm(".pushsection .text\ng_vmcall: vmcall\n.popsection");

/* An instruction that fails; if it does not, the guest exits to this code. */
#define ENTER_HERE(insn) ({                                             \
        u8 failed;                                                      \
                                                                        \
        asm volatile("mov %%rsp, %%rcx\nvmwrite %%rcx, %%rax\n"         \
                     "lea 1f(%%rip), %%rcx\nvmwrite %%rcx, %%rdx\n"     \
                     insn "\nsetz %0\njmp 2f\n1: movb $0, %0\n2:"       \
                     : "=&b"(failed) : "a"(F_HOST_RSP), "d"(F_HOST_RIP) \
                     : "rcx", "cc", "memory");                          \
        failed; })

static void test_launch(void)
{

    vm_init(g_vmcall);
    check_eq(vm_enter(), VM_OK, "VMLAUNCH");
    check_eq(ENTER_HERE("vmlaunch"), 1, "VMLAUNCH of a launched VMCS");
    check_eq(vget(F_INSN_ERROR), 4, "VMLAUNCH: error 4");
    check_eq(ENTER_HERE("mov %%ss, %%ecx\nmov %%ecx, %%ss\nvmresume"), 1,
             "VMRESUME after MOV SS");
    check_eq(vget(F_INSN_ERROR), 26, "VMRESUME after MOV SS: error 26");
    check_eq(vm_enter(), VM_OK, "VMRESUME");
}

static void test_fixed_bits(void)
{
    check_eq(try_write_cr0(read_cr0() & ~BIT(5)), GP, "CR0.NE is fixed");
    check_eq(try_write_cr0(read_cr0() & ~BIT(31)), GP, "CR0.PG is fixed");
    check_eq(try_write_cr4(read_cr4() & ~CR4_VMXE), GP, "CR4.VMXE is fixed");
}

static void test_no_vmcs(void)
{
    u64 val;

    check_eq(vmptrst(&val), VM_OK, "VMPTRST without a current VMCS");
    check_eq(val, ~0ULL, "it stores -1");
    check_eq(vmread(F_PIN, &val), VM_FAIL_INVALID, "VMREAD");
    check_eq(vmwrite(F_PIN, 0), VM_FAIL_INVALID, "VMWRITE");
    check_eq(vmlaunch(), VM_FAIL_INVALID, "VMLAUNCH");
    check_eq(vmresume(), VM_FAIL_INVALID, "VMRESUME");
    check_eq(vmcall(), VM_FAIL_INVALID, "VMCALL");
    check_eq(vmclear(8), VM_FAIL_INVALID, "VMCLEAR not aligned");
    check_eq(vmptrld(8), VM_FAIL_INVALID, "VMPTRLD not aligned");
}

static void test_pointers(void)
{
    u64 val, vmcs = vm_region(1);

    check_eq(vmclear(vmcs), VM_OK, "VMCLEAR");
    check_eq(vmptrld(vmcs), VM_OK, "VMPTRLD");
    check_eq(vmptrst(&val), VM_OK, "VMPTRST");
    check_eq(val, vmcs, "it stores the pointer");
    fails(vmclear(vmcs + 8), 2, "VMCLEAR not aligned");
    fails(vmclear(BEYOND), 2, "VMCLEAR beyond memory");
    fails(vmclear(vm_region(0)), 3, "VMCLEAR of the VMXON region");
    fails(vmptrld(vmcs + 8), 9, "VMPTRLD not aligned");
    fails(vmptrld(vm_region(0)), 10, "VMPTRLD of the VMXON region");
}

static void test_revision(void)
{
    u64 other = vm_region(2);

    *(u32 *)other ^= 1;
    fails(vmptrld(other), 11, "VMPTRLD of another revision");
    *(u32 *)other ^= 1;
    fails(vmxon(other), 15, "VMXON in VMX root operation");
    fails(vmcall(), 1, "VMCALL in VMX root operation");
    fails(vmresume(), 5, "VMRESUME of a clear VMCS");
}

/* Fields of all widths, and what they read back as */
static void test_fields(void)
{
    static const struct {
        u64 field, mask;
    } fields[] = {
        { F_VPID, 0xffff }, { F_GUEST_SEL(CS), 0xffff },
        { F_IO_BITMAP_A, ~0ULL }, { F_LINK, ~0ULL }, { F_HOST_PAT, ~0ULL },
        { F_EXCEPTIONS, 0xffffffff }, { F_GUEST_AR(SS), 0xffffffff },
        { F_CR0_MASK, ~0ULL }, { F_GUEST_RIP, ~0ULL }, { F_HOST_RSP, ~0ULL },
    };
    u64 val;
    int i;

    for (i = 0; i < ARRAY_SIZE(fields); i++) {
        u64 want = 0xfedcba9876543210ULL;

        vset(fields[i].field, want);
        check_eq(vget(fields[i].field), want & fields[i].mask,
                 "field %lx", fields[i].field);
    }
    check_eq(vget(F_IO_BITMAP_A + 1), 0xfedcba98, "high access, read");
    vset(F_IO_BITMAP_A + 1, 0x12345678);
    check_eq(vget(F_IO_BITMAP_A), 0x1234567876543210, "high access, written");
    fails(vmread(0x4bfe, &val), 12, "VMREAD of no field");
    check_eq(val, 0x1234567890abcdefULL, "leaves the register");
    fails(vmread(F_EXCEPTIONS + 1, &val), 12, "high access, 32 bits");
    fails(vmread(BIT(32) | F_EXCEPTIONS, &val), 12, "VMREAD beyond 32 bits");
    fails(vmwrite(0x4bfe, 0), 12, "VMWRITE of no field");
}

/* Fields belong to a VMCS, and only VMCLEAR writes them to memory. */
static void test_two(void)
{
    u64 one = (u64)vm_region(3), two = vm_region(4);

    vmclear(one);
    vmclear(two);
    vmptrld(one);
    vset(F_GUEST_RIP, 1);
    vmptrld(two);
    vset(F_GUEST_RIP, 2);
    vmptrld(one);
    check_eq(vget(F_GUEST_RIP), 1, "fields are those of their VMCS");
    vmclear(one);
    check_eq(vmwrite(F_GUEST_RIP, 3), VM_FAIL_INVALID, "none after VMCLEAR");
    vmptrld(one);
    check_eq(vget(F_GUEST_RIP), 1, "VMCLEAR keeps them");
    vmptrld(two);
    check_eq(vget(F_GUEST_RIP), 2, "of the other VMCS, too");
}

static void test_inv(void)
{
    u64 caps = rdmsr(MSR_VMX_EPT_VPID_CAP), eptp;

    vm_init(NULL);
    ept_init();
    eptp = vget(F_EPTP);
    check_eq(invept(2, 0, 0), VM_OK, "INVEPT all");
    check_eq(invept(1, eptp, 0), VM_OK, "INVEPT single");
    fails(invept(1, eptp | 7, 0), 28, "INVEPT of a bad EPTP");
    fails(invept(0, eptp, 0), 28, "INVEPT type 0");
    fails(invept(3, eptp, 0), 28, "INVEPT type 3");
    check(caps & BIT(32), "INVVPID is there");
    check_eq(invvpid(2, 0, 0), VM_OK, "INVVPID all");
    check_eq(invvpid(1, 5, 0), VM_OK, "INVVPID single");
    check_eq(invvpid(3, 5, 0), VM_OK, "INVVPID single, not global");
    check_eq(invvpid(0, 5, 0x1000), VM_OK, "INVVPID of an address");
    fails(invvpid(0, 5, BIT(62)), 28, "INVVPID of no canonical address");
    fails(invvpid(1, 0, 0), 28, "INVVPID of VPID 0");
    fails(invvpid(1, BIT(16) | 1, 0), 28, "INVVPID with reserved bits");
    fails(invvpid(4, 5, 0), 28, "INVVPID type 4");
}

static void user_vmcall(void)
{
    asm volatile("vmcall\nud2");
}

static void user_vmxoff(void)
{
    asm volatile("vmxoff\nud2");
}

static void allow_user(void)
{
    extern u64 boot_pml4[], boot_pdpt[];

    boot_pml4[0] |= PTE_U;
    boot_pdpt[0] |= PTE_U;
    flush_tlb();
}

static void test_cpl3(void)
{
    allow_user();
    run_user(user_vmcall);
    check_eq(trap()->vec, GP, "VMCALL at CPL 3");
    run_user(user_vmxoff);
    check_eq(trap()->vec, GP, "VMXOFF at CPL 3");
}

void test_main(void)
{
    test_off();
    test_feature_control();
    test_vmxon_cr0();
    test_vmxon();
    test_fixed_bits();
    test_no_vmcs();
    test_pointers();
    test_revision();
    test_fields();
    test_two();
    test_inv();
    test_launch();
    test_cpl3();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
    check_eq(vmcall(), VM_TRAP(UD), "VMCALL after VMXOFF");
}
