/*
 * VMX tests: state that VM entries load, and that VM exits save and load
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_SYSENTER_CS     0x174
#define MSR_SYSENTER_ESP    0x175
#define MSR_DEBUGCTL        0x1d9
#define MSR_PKRS            0x6e1
#define MSR_FS_BASE         0xc0000100

#define F_GUEST_DEBUGCTL    0x2802
#define F_PDPTE(n)          (0x280a + 2 * (n))
#define F_GUEST_PKRS        0x2818
#define F_HOST_PKRS         0x2c06

#define EXIT_SAVE_DEBUG     BIT(2)
#define EXIT_SAVE_PAT       BIT(18)
#define EXIT_LOAD_PKRS      BIT(29)
#define ENTRY_LOAD_DEBUG    BIT(2)
#define ENTRY_LOAD_PKRS     BIT(22)

#define CR4_PKS             BIT(24)
#define EFER_NXE            BIT(11)
#define EFER_SCE            BIT(0)
#define PAT_OTHER           0x0007040600070405ULL

#define X_TASK_SWITCH       9

#define TSS16_BUSY          0x83

static u8 PAGE_ALIGNED msr_bitmap[4096];
static u64 PAGE_ALIGNED pdpt[512];
static u64 PAGE_ALIGNED pd[4][512];

#define GUEST(name, insn)                                               \
    void name(void);                                                    \
    asm(".pushsection .text\n" #name ": " insn "\nvmcall\n.popsection");

GUEST(g_vmcall, "")
GUEST(g_rdmsr, "rdmsr")
GUEST(g_wrmsr, "wrmsr")
GUEST(g_write_dr7, "mov %rax, %dr7")
GUEST(g_write_cr4, "mov %rax, %cr4")
GUEST(g_write_cr0, "mov %rax, %cr0")
GUEST(g_push, "push %rax\nstc")
GUEST(g_load_segs, "mov %eax, %fs\nmov %ecx, %es")
GUEST(g_tables, "lgdt (%rdi)\nlidt (%rsi)")
GUEST(g_write_cr3_32, ".code32\nmov %eax, %cr3\nvmcall\n.code64\n")
GUEST(g_jmp_tss, ".code32\nljmp $0x18, $0\nvmcall\n.code64\n")

/* All accesses to MSRs are the guest's. */
static void guest(void (*fn)(void))
{
    vm_init(fn);
    vset(F_MSR_BITMAP, (u64)msr_bitmap);
    vm_controls(0, PROC_MSR_BITMAPS, 0);
}

static void controls(u64 entry, u64 exit)
{
    vset(F_ENTRY, vget(F_ENTRY) | entry);
    vset(F_EXIT, vget(F_EXIT) | exit);
}

static u64 guest_rdmsr(u32 msr)
{
    guest_regs[1] = msr;
    vm_exits(X_VMCALL, "the guest reads an MSR");
    return (u32)guest_regs[0] | guest_regs[2] << 32;
}

static void guest_wrmsr(u32 msr, u64 val)
{
    guest_regs[1] = msr;
    guest_regs[0] = (u32)val;
    guest_regs[2] = val >> 32;
    vm_exits(X_VMCALL, "the guest writes an MSR");
}

static void test_pat(void)
{
    u64 pat = rdmsr(MSR_PAT);

    guest(g_rdmsr);
    controls(ENTRY_LOAD_PAT, 0);
    vset(F_GUEST_PAT, PAT_OTHER);
    check_eq(guest_rdmsr(MSR_PAT), PAT_OTHER, "VM entries load the PAT");
    check_eq(rdmsr(MSR_PAT), PAT_OTHER, "it stays after the VM exit");
    guest(g_vmcall);
    controls(0, EXIT_LOAD_PAT);
    vset(F_HOST_PAT, pat);
    vm_exits(X_VMCALL, "an exit that loads the PAT");
    check_eq(rdmsr(MSR_PAT), pat, "VM exits load the PAT");
    guest(g_wrmsr);
    controls(0, EXIT_SAVE_PAT | EXIT_LOAD_PAT);
    vset(F_HOST_PAT, pat);
    guest_wrmsr(MSR_PAT, PAT_OTHER);
    check_eq(vget(F_GUEST_PAT), PAT_OTHER, "VM exits save the PAT");
}

static void test_efer(void)
{
    u64 efer = rdmsr(MSR_EFER);

    guest(g_rdmsr);
    controls(ENTRY_LOAD_EFER, EXIT_LOAD_EFER);
    vset(F_GUEST_EFER, efer ^ EFER_SCE);
    check_eq(guest_rdmsr(MSR_EFER), efer ^ EFER_SCE, "VM entries load EFER");
    check_eq(rdmsr(MSR_EFER), efer, "VM exits load EFER");
    guest(g_wrmsr);
    controls(0, EXIT_SAVE_EFER | EXIT_LOAD_EFER);
    guest_wrmsr(MSR_EFER, efer ^ EFER_SCE);
    check_eq(vget(F_GUEST_EFER), efer ^ EFER_SCE, "VM exits save EFER");
    check_eq(rdmsr(MSR_EFER), efer, "and load the host's");
}

static void test_debug(void)
{
    u64 dr7;

    guest(g_rdmsr);
    controls(ENTRY_LOAD_DEBUG, 0);
    vset(F_GUEST_DEBUGCTL, 2);
    check_eq(guest_rdmsr(MSR_DEBUGCTL), 2, "VM entries load IA32_DEBUGCTL");
    check_eq(rdmsr(MSR_DEBUGCTL), 0, "VM exits clear it");
    guest(g_wrmsr);
    controls(0, EXIT_SAVE_DEBUG);
    guest_wrmsr(MSR_DEBUGCTL, 2);
    check_eq(vget(F_GUEST_DEBUGCTL), 2, "VM exits save IA32_DEBUGCTL");
    guest(g_write_dr7);
    controls(0, EXIT_SAVE_DEBUG);
    guest_regs[0] = 0x408;
    vm_exits(X_VMCALL, "the guest writes DR7");
    check_eq(vget(F_GUEST_DR7), 0x408, "VM exits save DR7");
    asm volatile("mov %%dr7, %0" : "=r"(dr7));
    check_eq(dr7, 0x400, "DR7 of the host");
}

static void test_pkrs(void)
{
    write_cr4(read_cr4() | CR4_PKS);
    wrmsr(MSR_PKRS, 0x10);
    guest(g_rdmsr);
    controls(ENTRY_LOAD_PKRS, 0);
    vset(F_GUEST_PKRS, 0x20);
    check_eq(guest_rdmsr(MSR_PKRS), 0x20, "VM entries load PKRS");
    check_eq(rdmsr(MSR_PKRS), 0x20, "it stays after the VM exit");
    guest(g_wrmsr);
    controls(0, EXIT_LOAD_PKRS);
    vset(F_HOST_PKRS, 0x40);
    guest_wrmsr(MSR_PKRS, 0x80);
    check_eq(rdmsr(MSR_PKRS), 0x40, "VM exits load PKRS");
    check_eq(vget(F_GUEST_PKRS), 0x80, "VM exits save PKRS");
    wrmsr(MSR_PKRS, 0);
    write_cr4(read_cr4() & ~CR4_PKS);
}

static void test_registers(void)
{
    u64 rsp;

    guest(g_write_cr4);
    guest_regs[0] = read_cr4() ^ BIT(7);
    vm_exits(X_VMCALL, "the guest writes CR4");
    check_eq(vget(F_GUEST_CR4), read_cr4() ^ BIT(7), "VM exits save CR4");
    guest(g_wrmsr);
    guest_wrmsr(MSR_SYSENTER_ESP, 0x1234);
    check_eq(vget(F_GUEST_SYSENTER_ESP), 0x1234, "VM exits save SYSENTER_ESP");
    check_eq(rdmsr(MSR_SYSENTER_ESP), 0, "and load the host's");
    guest(g_wrmsr);
    guest_wrmsr(MSR_SYSENTER_CS, 0x10);
    check_eq(vget(F_GUEST_SYSENTER_CS), 0x10, "VM exits save SYSENTER_CS");
    guest(g_push);
    rsp = vget(F_GUEST_RSP);
    vm_exits(X_VMCALL, "the guest pushes");
    check_eq(vget(F_GUEST_RSP), rsp - 8, "VM exits save RSP");
    check_eq(vget(F_GUEST_RFLAGS), 3, "VM exits save RFLAGS");
}

static void test_segments(void)
{
    static struct {
        u16 limit;
        u64 base;
    } __attribute__((packed)) table = { 0x1f, 0x123000 };

    guest(g_load_segs);
    vset(F_GUEST_SEL(FS), 0);
    vset(F_GUEST_LIMIT(FS), 0xfff);
    vset(F_GUEST_AR(FS), 0x4093);
    vset(F_GUEST_BASE(FS), 0x5000);
    guest_regs[0] = 0x10;
    guest_regs[1] = 0;
    vm_exits(X_VMCALL, "the guest loads segments");
    check_eq(vget(F_GUEST_SEL(FS)), 0x10, "VM exits save selectors");
    check_eq(vget(F_GUEST_BASE(FS)), 0, "VM exits save bases");
    check_eq(vget(F_GUEST_LIMIT(FS)), 0xffffffff, "VM exits save limits");
    check_eq(vget(F_GUEST_AR(ES)) >> 16, 1, "VM exits save access rights");
    guest(g_tables);
    guest_regs[7] = guest_regs[6] = (u64)&table;
    vm_exits(X_VMCALL, "the guest loads GDTR and IDTR");
    check_eq(vget(F_GUEST_BASE(GDTR)), 0x123000, "VM exits save GDTR");
    check_eq(vget(F_GUEST_LIMIT(IDTR)), 0x1f, "VM exits save IDTR");
}

/*
 * "Loading Guest State": what VM entries load without a control. The guest
 * changes none of it, and VM exits save what it was.
 */
static void test_loaded(void)
{
    static const struct {
        u64 field, val;
        const char *what;
    } loaded[] = {
        { F_GUEST_SEL(FS), 0x18, "selectors" },
        { F_GUEST_SEL(LDTR), 0x28, "LDTR" },
        { F_GUEST_BASE(FS), 0x5000, "bases" },
        { F_GUEST_BASE(GS), 0xffff800000001000ULL, "bases beyond 4 GiB" },
        { F_GUEST_LIMIT(FS), 0xfff, "limits" },
        { F_GUEST_AR(FS), 0x4091, "access rights" },
        { F_GUEST_AR(ES), 0x10000, "unusable segments" },
        { F_GUEST_BASE(GDTR), 0x123000, "GDTR" },
        { F_GUEST_LIMIT(IDTR), 0x1f, "IDTR" },
        { F_GUEST_SYSENTER_CS, 0x20, "SYSENTER_CS" },
        { F_GUEST_SYSENTER_ESP, 0x1234, "SYSENTER_ESP" },
        { F_GUEST_RSP, 0x7000, "RSP" },
        { F_GUEST_RFLAGS, 0x246, "RFLAGS" },
    };
    u64 cr0 = read_cr0() | BIT(18), cr3 = read_cr3() | BIT(3);
    u64 cr4 = read_cr4() | BIT(2);
    int i;

    guest(g_vmcall);
    for (i = 0; i < ARRAY_SIZE(loaded); i++) {
        vset(loaded[i].field, loaded[i].val);
    }
    vset(F_GUEST_CR0, cr0);
    vset(F_GUEST_CR3, cr3);
    vset(F_GUEST_CR4, cr4);
    vm_exits(X_VMCALL, "a guest with state of its own");
    for (i = 0; i < ARRAY_SIZE(loaded); i++) {
        check_eq(vget(loaded[i].field), loaded[i].val, "VM entries load %s",
                 loaded[i].what);
    }
    check_eq(vget(F_GUEST_CR0), cr0, "VM entries load CR0");
    check_eq(vget(F_GUEST_CR3), cr3, "VM entries load CR3");
    check_eq(vget(F_GUEST_CR4), cr4, "VM entries load CR4");
    check_eq(vget(F_GUEST_RIP), (u64)g_vmcall, "VM entries load RIP");
}

/* 32-bit code */
static void guest_32(void (*fn)(void), bool paging, u64 proc2)
{
    guest(fn);
    vm_controls(0, PROC_MSR_BITMAPS, PROC2_EPT | proc2);
    ept_init();
    vset(F_ENTRY, vget(F_ENTRY) & ~ENTRY_IA32E);
    vset(F_GUEST_AR(CS), 0xc09b);
    if (!paging) {
        vset(F_GUEST_CR0, read_cr0() & ~BIT(31));
    }
}

static void pae_tables(void)
{
    int i, j;

    for (i = 0; i < 4; i++) {
        pdpt[i] = (u64)pd[i] | PTE_P;
        for (j = 0; j < 512; j++) {
            pd[i][j] = (u64)i << 30 | (u64)j << 21 | PTE_PS | PTE_W | PTE_P;
        }
    }
    for (i = 0; i < 4; i++) {
        vset(F_PDPTE(i), pdpt[i]);
    }
}

/* PDPTEs are registers: MOV to CR3 loads them. */
static void test_pae(void)
{
    guest_32(g_write_cr3_32, true, 0);
    pae_tables();
    pdpt[3] = 0;
    guest_regs[0] = (u64)pdpt;
    vm_exits(X_VMCALL, "a guest with PAE paging");
    check_eq(vget(F_GUEST_CR3), (u64)pdpt, "VM exits save CR3");
    check_eq(vget(F_PDPTE(0)), (u64)pd[0] | PTE_P, "VM exits save PDPTEs");
    check_eq(vget(F_PDPTE(3)), 0, "MOV to CR3 has loaded them");
    guest_32(g_write_cr3_32, true, 0);
    pae_tables();
    pdpt[3] = PTE_P | PTE_W;
    vset(F_EXCEPTIONS, BIT(GP));
    guest_regs[0] = (u64)pdpt;
    vm_exits(X_EXCEPTION, "MOV to CR3, a reserved bit of a PDPTE");
    check_eq(vget(F_INTR), INTR(3, GP) | INTR_ERROR, "is #GP");
}

static void guest_enters_long_mode(void)
{
    guest_32(g_write_cr0, false, PROC2_UNRESTRICTED);
    controls(ENTRY_LOAD_EFER, EXIT_LOAD_EFER | EXIT_SAVE_EFER);
    vset(F_GUEST_EFER, EFER_LME | EFER_NXE);
    vset(F_EXCEPTIONS, BIT(GP));
    guest_regs[0] = read_cr0();
}

/* The guest enters IA-32e mode: the control follows, and so does EFER. */
static void test_long_mode(void)
{
    guest_enters_long_mode();
    vm_exits(X_VMCALL, "the guest enters IA-32e mode");
    check_eq(vget(F_ENTRY) & ENTRY_IA32E, ENTRY_IA32E,
             "VM exits save IA-32e mode");
    check_eq(vget(F_GUEST_EFER), EFER_LME | EFER_LMA | EFER_NXE, "and EFER");
    guest_enters_long_mode();
    vset(F_GUEST_AR(TR), TSS16_BUSY);
    vm_exits(X_EXCEPTION, "IA-32e mode with a TSS of 16 bits");
    check_eq(vget(F_INTR), INTR(3, GP) | INTR_ERROR, "is #GP");
    check_eq(vget(F_GUEST_CR0) & CR0_PG, 0, "paging is off as before");
    guest_enters_long_mode();
    vset(F_GUEST_CR4, read_cr4() & ~CR4_PAE);
    vm_exits(X_EXCEPTION, "IA-32e mode without PAE");
    check_eq(vget(F_INTR), INTR(3, GP) | INTR_ERROR, "is #GP");
}

/* Unrestricted guests may clear CR0.PE and CR0.PG, others may not. */
static void test_unrestricted(void)
{
    guest_32(g_write_cr0, false, PROC2_UNRESTRICTED);
    guest_regs[0] = read_cr0() & ~(BIT(31) | BIT(0));
    vm_exits(X_VMCALL, "an unrestricted guest enters real mode");
    check_eq(vget(F_GUEST_CR0) & 1, 0, "VM exits save CR0");
    guest(g_write_cr0);
    vset(F_EXCEPTIONS, BIT(GP));
    guest_regs[0] = read_cr0() & ~BIT(5);
    vm_exits(X_EXCEPTION, "a guest clears CR0.NE");
    check_eq(vget(F_INTR), INTR(3, GP) | INTR_ERROR, "it is fixed");
}

/* A task switch exits before it changes anything. */
static void test_task_switch(void)
{
    static u64 gdt[4] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff,
                          0x0000890000000067 };

    guest_32(g_jmp_tss, false, PROC2_UNRESTRICTED);
    vset(F_GUEST_BASE(GDTR), (u64)gdt);
    vset(F_GUEST_LIMIT(GDTR), sizeof(gdt) - 1);
    vset(F_EXCEPTIONS, ~0u);
    vm_exits(X_TASK_SWITCH, "a jump to a task");
    check_eq(vget(F_QUAL), 0x18 | 2ULL << 30, "the selector, and the source");
    check_eq(vget(F_LEN), 7, "length");
}

void test_main(void)
{
    vmx_on();
    test_pat();
    test_efer();
    test_debug();
    test_pkrs();
    test_registers();
    test_segments();
    test_loaded();
    test_pae();
    test_long_mode();
    test_unrestricted();
    test_task_switch();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
