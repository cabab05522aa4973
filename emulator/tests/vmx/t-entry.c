/*
 * VMX tests: checks of VM entries
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define APIC    0xfee00000UL

void g_vmcall(void);
asm(".pushsection .text\ng_vmcall: vmcall\n.popsection");

/* Invalid values are a valid one XORed with a bit. */
struct bad {
    u64 field, xor;
    const char *what;
};

static const struct bad bad_controls[] = {
    { F_PIN, BIT(1), "a reserved pin-based control" },
    { F_PIN, BIT(5), "virtual NMIs without NMI exiting" },
    { F_PROC, BIT(1), "a reserved processor-based control" },
    { F_PROC, BIT(22), "NMI window without virtual NMIs" },
    { F_EXIT, BIT(22), "saving a timer that is not active" },
    { F_EXIT, BIT(0), "a reserved VM-exit control" },
    { F_ENTRY, BIT(0), "a reserved VM-entry control" },
    { F_ENTRY, BIT(10), "entry to SMM" },
    { F_CR3_TARGETS, 5, "five CR3 targets" },
};

static const struct bad bad_host[] = {
    { F_HOST_CR0, BIT(31), "CR0.PG" },
    { F_HOST_CR0, BIT(5), "CR0.NE" },
    { F_HOST_CR4, BIT(13), "CR4.VMXE" },
    { F_HOST_CR4, BIT(5), "CR4.PAE" },
    { F_HOST_CR4, BIT(31), "a reserved bit of CR4" },
    { F_HOST_CR3, BIT(52), "CR3 beyond memory" },
    { F_HOST_SYSENTER_ESP, BIT(62), "SYSENTER_ESP not canonical" },
    { F_HOST_SYSENTER_EIP, BIT(62), "SYSENTER_EIP not canonical" },
    { F_HOST_SEL(ES), 3, "RPL of ES" },
    { F_HOST_SEL(CS), 4, "TI of CS" },
    { F_HOST_SEL(CS), 8, "CS of 0" },
    { F_HOST_SEL(6), 0x30, "TR of 0" },
    { F_HOST_BASE(0), BIT(62), "FS.base not canonical" },
    { F_HOST_BASE(2), BIT(62), "TR.base not canonical" },
    { F_HOST_BASE(4), BIT(62), "IDTR.base not canonical" },
    { F_EXIT, BIT(9), "32-bit host of a 64-bit processor" },
};

static const struct bad bad_guest[] = {
    { F_GUEST_CR0, BIT(31), "CR0.PG" },
    { F_GUEST_CR0, BIT(0), "CR0.PE" },
    { F_GUEST_CR0, BIT(5), "CR0.NE" },
    { F_GUEST_CR4, BIT(13), "CR4.VMXE" },
    { F_GUEST_CR4, BIT(5), "CR4.PAE of a 64-bit guest" },
    { F_GUEST_CR3, BIT(52), "CR3 beyond memory" },
    { F_GUEST_SYSENTER_ESP, BIT(62), "SYSENTER_ESP not canonical" },
    { F_GUEST_SEL(TR), 4, "TI of TR" },
    { F_GUEST_SEL(SS), 1, "RPL of SS is not that of CS" },
    { F_GUEST_BASE(CS), BIT(32), "CS.base beyond 4 GiB" },
    { F_GUEST_BASE(DS), BIT(32), "DS.base beyond 4 GiB" },
    { F_GUEST_BASE(FS), BIT(62), "FS.base not canonical" },
    { F_GUEST_BASE(TR), BIT(62), "TR.base not canonical" },
    { F_GUEST_AR(CS), BIT(3), "CS is no code" },
    { F_GUEST_AR(CS), BIT(4), "CS is of the system" },
    { F_GUEST_AR(CS), BIT(5), "DPL of CS" },
    { F_GUEST_AR(CS), BIT(7), "CS is not present" },
    { F_GUEST_AR(CS), BIT(8), "a reserved bit of CS" },
    { F_GUEST_AR(CS), BIT(16), "CS is unusable" },
    { F_GUEST_AR(CS), BIT(14), "CS.L and CS.D" },
    { F_GUEST_AR(CS), BIT(15), "granularity of CS" },
    { F_GUEST_AR(SS), BIT(3), "SS is code" },
    { F_GUEST_AR(SS), BIT(5), "DPL of SS" },
    { F_GUEST_AR(DS), BIT(0), "DS is not accessed" },
    { F_GUEST_AR(ES), BIT(7), "ES is not present" },
    { F_GUEST_LIMIT(GS), 0xfff, "limit and granularity of GS" },
    { F_GUEST_AR(TR), BIT(1), "TR is not busy" },
    { F_GUEST_AR(TR), BIT(4), "TR is no segment of the system" },
    { F_GUEST_AR(TR), BIT(16), "TR is unusable" },
    { F_GUEST_AR(LDTR), BIT(16), "LDTR of type 0" },
    { F_GUEST_BASE(GDTR), BIT(62), "GDTR.base not canonical" },
    { F_GUEST_LIMIT(IDTR), BIT(16), "limit of IDTR" },
    { F_GUEST_RIP, BIT(62), "RIP not canonical" },
    { F_GUEST_RFLAGS, BIT(1), "bit 1 of RFLAGS" },
    { F_GUEST_RFLAGS, BIT(15), "bit 15 of RFLAGS" },
    { F_GUEST_RFLAGS, BIT(17), "RFLAGS.VM of a 64-bit guest" },
    { F_INTERRUPTIBILITY, BIT(5), "no interruptibility" },
    { F_INTERRUPTIBILITY, 3, "blocking by STI and by MOV SS" },
    { F_INTERRUPTIBILITY, 1, "blocking by STI with IF clear" },
    { F_INTERRUPTIBILITY, BIT(2), "blocking by SMI" },
    { F_PENDING_DBG, BIT(4), "a reserved pending debug exception" },
};

static void try_control(const struct bad *b, int error)
{
    vm_init(g_vmcall);
    vset(b->field, vget(b->field) ^ b->xor);
    check_eq(vm_enter(), VM_FAIL_VALID, "%s", b->what);
    check_eq(vget(F_INSN_ERROR), error, "%s: error %d", b->what, error);
}

static void try_guest(const struct bad *b, u64 qual)
{
    vm_init(g_vmcall);
    vset(b->field, vget(b->field) ^ b->xor);
    vm_exits(X_ENTRY_FAILED | X_GUEST_STATE, b->what);
    check_eq(vget(F_QUAL), qual, "%s: qualification", b->what);
    vset(b->field, vget(b->field) ^ b->xor);
    vm_exits(X_VMCALL, "without it");
}

static u64 list[4] __attribute__((aligned(16)));
static u64 long_list[2 * 513] __attribute__((aligned(16)));

/* Bitmaps and lists: the address matters if the control or a count is set. */
static void test_addresses(void)
{
    static const struct {
        u64 proc, field;
    } bitmaps[] = {
        { PROC_IO_BITMAPS, F_IO_BITMAP_A }, { PROC_IO_BITMAPS, F_IO_BITMAP_B },
        { PROC_MSR_BITMAPS, F_MSR_BITMAP },
    };
    static const struct {
        u64 count, addr;
    } lists[] = {
        { F_EXIT_MSR_STORE_COUNT, F_EXIT_MSR_STORE },
        { F_EXIT_MSR_LOAD_COUNT, F_EXIT_MSR_LOAD },
        { F_ENTRY_MSR_LOAD_COUNT, F_ENTRY_MSR_LOAD },
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(bitmaps); i++) {
        vm_init(g_vmcall);
        vset(bitmaps[i].field, 8);
        vm_exits(X_VMCALL, "a bitmap that is not used");
        vm_controls(0, bitmaps[i].proc, 0);
        check_eq(vm_enter(), VM_FAIL_VALID, "bitmap not aligned");
        check_eq(vget(F_INSN_ERROR), 7, "error 7");
    }
    for (i = 0; i < ARRAY_SIZE(lists); i++) {
        vm_init(g_vmcall);
        list[1] = MSR_STAR;
        list[2] = 0;
        vset(lists[i].addr, (u64)&list[1]);
        vm_exits(X_VMCALL, "an empty list");
        vset(lists[i].count, 1);
        check_eq(vm_enter(), VM_FAIL_VALID, "list not aligned");
        check_eq(vget(F_INSN_ERROR), 7, "error 7");
    }
}

/* The highest bit of a linear address may differ from those above it. */
static void test_rip(void)
{
    u64 top;
    u32 r[4];

    cpuid(0x80000008, r);
    top = BIT(((r[0] >> 8) & 0xff) - 1);
    vm_init(g_vmcall);
    vset(F_GUEST_RIP, top);
    vset(F_EXCEPTIONS, BIT(GP));
    vm_exits(X_EXCEPTION, "a RIP that is not canonical");
    check_eq(vget(F_INTR), INTR(3, GP) | INTR_ERROR, "is #GP of the guest");
    vset(F_GUEST_RIP, top << 1);
    vm_exits(X_ENTRY_FAILED | X_GUEST_STATE, "a RIP with a bit above");
}

static void injection(u64 info, u64 error, u64 len, bool good, const char *what)
{
    vm_init(g_vmcall);
    vset(F_GUEST_LIMIT(IDTR), 0);
    vset(F_EXCEPTIONS, BIT(GP) | BIT(DF));
    vset(F_GUEST_RFLAGS, 0x202);
    vset(F_ENTRY_INTR, info);
    vset(F_ENTRY_ERROR, error);
    vset(F_ENTRY_LEN, len);
    if (good) {
        check_eq(vm_enter(), VM_OK, "%s", what);
        return;
    }
    check_eq(vm_enter(), VM_FAIL_VALID, "%s", what);
    check_eq(vget(F_INSN_ERROR), 7, "%s: error 7", what);
}

static void test_injection(void)
{
    injection(INTR(0, 0x20), 0, 0, true, "an external interrupt");
    injection(INTR(1, 0), 0, 0, false, "type 1");
    injection(INTR(2, 2), 0, 0, true, "an NMI");
    injection(INTR(2, 3), 0, 0, false, "an NMI of vector 3");
    injection(INTR(3, 32), 0, 0, false, "an exception of vector 32");
    injection(INTR(3, UD), 0, 0, true, "#UD");
    injection(INTR(3, UD) | INTR_ERROR, 0, 0, false, "#UD with an error code");
    injection(INTR(3, GP), 0, 0, false, "#GP without an error code");
    injection(INTR(3, GP) | INTR_ERROR, 0, 0, true, "#GP");
    injection(INTR(3, GP) | INTR_ERROR, BIT(16), 0, false,
              "an error code of more than 16 bits");
    injection(INTR(3, UD) | BIT(12), 0, 0, false, "a reserved bit");
    injection(INTR(4, 0x80), 0, 16, false, "INT n of 16 bytes");
    injection(INTR(7, 1), 0, 0, false, "another event than MTF");
}

/* IA32_FS_BASE belongs to the VMCS, not to a list. */
static void test_msr_load(void)
{
    vm_init(g_vmcall);
    list[0] = MSR_STAR;
    list[1] = 0x1234;
    list[2] = 0xc0000100;
    vset(F_ENTRY_MSR_LOAD, (u64)list);
    vset(F_ENTRY_MSR_LOAD_COUNT, 1);
    vm_exits(X_VMCALL, "MSR-load list");
    check_eq(rdmsr(MSR_STAR), 0x1234, "is loaded");
    vset(F_ENTRY_MSR_LOAD_COUNT, 2);
    vm_exits(X_ENTRY_FAILED | X_MSR_LOAD, "an MSR that cannot be in it");
    check_eq(vget(F_QUAL), 2, "its number");
    vm_init(g_vmcall);
    list[0] = MSR_STAR;
    vset(F_EXIT_MSR_STORE, (u64)list);
    vset(F_EXIT_MSR_STORE_COUNT, 1);
    wrmsr(MSR_STAR, 0x5678);
    vm_exits(X_VMCALL, "MSR-store list");
    check_eq(list[1], 0x5678, "is stored");
}

/* The host's NMIs are not blocked by a VM entry that fails. */
static void test_blocked_nmis(void)
{
    mem32 *svr = (void *)(APIC + 0xf0);

    *svr |= 0x100;
    vm_init(g_vmcall);
    vm_controls(PIN_NMI | PIN_VNMI, 0, 0);
    vset(F_INTERRUPTIBILITY, 8);
    list[0] = 0xc0000100;
    vset(F_ENTRY_MSR_LOAD, (u64)list);
    vset(F_ENTRY_MSR_LOAD_COUNT, 1);
    vm_exits(X_ENTRY_FAILED | X_MSR_LOAD, "FS.base in a list");
    trap()->vec = NO_TRAP;
    asm volatile("movl $0x44400, %0\n"
                 ".rept 64\n" EX("jmp 2f") ".endr"
                 : "=m"(*(mem32 *)(APIC + 0x300)));
    check_eq(trap()->vec, 2, "an NMI of the host");
}

static void bad_msr(u64 msr, u64 val, const char *what)
{
    vm_init(g_vmcall);
    list[0] = msr;
    list[1] = val;
    vset(F_ENTRY_MSR_LOAD, (u64)list);
    vset(F_ENTRY_MSR_LOAD_COUNT, 1);
    vm_exits(X_ENTRY_FAILED | X_MSR_LOAD, what);
    check_eq(vget(F_QUAL), 1, "%s: qualification", what);
}

static void test_bad_msrs(void)
{
    u64 base = rdmsr(0x1b);

    bad_msr(BIT(32) | MSR_STAR, 0, "reserved bits of a list");
    bad_msr(0x9b, 0, "IA32_SMM_MONITOR_CTL in a list");
    bad_msr(MSR_VMX_BASIC, 0, "a read-only MSR in a list");
    wrmsr(0x1b, base | 0x400);
    bad_msr(0x808, 0, "an x2APIC register in a list");
    wrmsr(0x1b, base & ~0x800ULL);
    wrmsr(0x1b, base);
}

/* Beyond 512 MSRs, which IA32_VMX_MISC recommends, and beyond memory */
static void test_long_lists(void)
{
    int i;

    for (i = 0; i < 513; i++) {
        long_list[2 * i] = MSR_STAR;
    }
    vm_init(g_vmcall);
    vset(F_ENTRY_MSR_LOAD, (u64)long_list);
    vset(F_ENTRY_MSR_LOAD_COUNT, 512);
    vm_exits(X_VMCALL, "512 MSRs in a list");
    vset(F_ENTRY_MSR_LOAD_COUNT, 513);
    vm_exits(X_ENTRY_FAILED | X_MSR_LOAD, "513 MSRs in a list");
    check_eq(vget(F_QUAL), 513, "the last one is too many");
    vm_init(g_vmcall);
    vset(F_ENTRY_MSR_LOAD, BIT(40));
    vset(F_ENTRY_MSR_LOAD_COUNT, 1);
    vm_exits(X_ENTRY_FAILED | X_MSR_LOAD, "a list where there is no memory");
    check_eq(vget(F_QUAL), 1, "it reads as ones");
}

/* VM exits store the TSC of the host. */
static void test_list_tsc(void)
{
    vm_init(g_vmcall);
    vm_controls(0, PROC_TSC_OFFSET, 0);
    vset(F_TSC_OFFSET, BIT(62));
    list[0] = 0x10;
    vset(F_EXIT_MSR_STORE, (u64)list);
    vset(F_EXIT_MSR_STORE_COUNT, 1);
    vm_exits(X_VMCALL, "the TSC in a list");
    check_eq(list[1] >> 60, 0, "it is stored without the offset");
}

static void test_link(void)
{
    static const struct bad b = { F_LINK, 1, "VMCS link pointer" };

    try_guest(&b, 4);
}

static void test_states(void)
{
    vm_init(g_vmcall);
    vset(F_INTERRUPTIBILITY, 2);
    vm_exits(X_VMCALL, "blocking by MOV SS");
    check_eq(vget(F_INTERRUPTIBILITY), 2, "is there for one instruction");
    vm_init(g_vmcall);
    vset(F_ACTIVITY, 1);
    vm_controls(PIN_TIMER, 0, 0);
    vset(F_PREEMPTION, 1000);
    vm_exits(X_TIMER, "HLT, until the timer expires");
    check_eq(vget(F_ACTIVITY), 1, "it is still halted");
}

void test_main(void)
{
    int i;

    vmx_on();
    vm_init(g_vmcall);
    vm_exits(X_VMCALL, "nothing is wrong");
    for (i = 0; i < ARRAY_SIZE(bad_controls); i++) {
        try_control(&bad_controls[i], 7);
    }
    for (i = 0; i < ARRAY_SIZE(bad_host); i++) {
        try_control(&bad_host[i], 8);
    }
    for (i = 0; i < ARRAY_SIZE(bad_guest); i++) {
        try_guest(&bad_guest[i], 0);
    }
    test_addresses();
    test_rip();
    test_injection();
    test_msr_load();
    test_blocked_nmis();
    test_bad_msrs();
    test_long_lists();
    test_list_tsc();
    test_link();
    test_states();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
