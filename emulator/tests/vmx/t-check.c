/*
 * VMX tests: checks of VM entries that need a particular state
 *
 * Each case is a state that a VM entry accepts, and one change that it does
 * not. No other check fails on the change.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define F_POSTED_NV         0x0002
#define F_PML_ADDR          0x200e
#define F_VIRT_APIC         0x2012
#define F_APIC_ACCESS       0x2014
#define F_POSTED_DESC       0x2016
#define F_VMFUNC            0x2018
#define F_EPTP_LIST         0x2024
#define F_GUEST_DEBUGCTL    0x2802
#define F_PDPTE(n)          (0x280a + 2 * (n))
#define F_GUEST_PKRS        0x2818
#define F_HOST_PKRS         0x2c06
#define F_TPR_THRESHOLD     0x401c

#define PIN_POSTED          BIT(7)
#define PROC_TPR_SHADOW     BIT(21)
#define PROC2_APIC_ACCESS   BIT(0)
#define PROC2_X2APIC        BIT(4)
#define PROC2_VID           BIT(9)
#define PROC2_VMFUNC        BIT(13)
#define PROC2_PML           BIT(17)
#define EXIT_ACK            BIT(15)
#define EXIT_LOAD_PKRS      BIT(29)
#define ENTRY_LOAD_DEBUG    BIT(2)
#define ENTRY_LOAD_PKRS     BIT(22)

#define LOW     0x7000UL        /* a page below 1 MiB, for real mode */

void g_vmcall(void);
asm(".pushsection .text\ng_vmcall: vmcall\n.popsection");

static u8 PAGE_ALIGNED page[4096];
static u8 PAGE_ALIGNED other_vmcs[2][4096];

/* Guests: as vm_init() makes them, or ... */
enum {
    LONG,
    FLAT,                       /* 32 bits without paging */
    REAL,                       /* real mode, code segment of type 3 */
    V86,
    PAE,                        /* 32 bits, PAE paging, nothing mapped */
    USER,                       /* CPL 3 */
};

struct field {
    u64 field, val;
};

struct rule {
    const char *what;
    u64 pin, proc, proc2, exit, entry;
    int guest;
    struct field set[3], bad;   /* fields that are set; XOR of the bad one */
    bool only_bad;              /* without the change it does not run */
};

static void segments(u64 ar, u64 sel, u64 base, u64 limit)
{
    int i;

    for (i = ES; i <= GS; i++) {
        vset(F_GUEST_SEL(i), sel);
        vset(F_GUEST_BASE(i), base);
        vset(F_GUEST_LIMIT(i), limit);
        vset(F_GUEST_AR(i), ar);
    }
}

static void guest_mode(int guest)
{
    u64 cr0 = read_cr0() & ~BIT(31);

    if (guest == LONG) {
        return;
    }
    if (guest == USER) {
        vset(F_GUEST_SEL(CS), 0x23);
        vset(F_GUEST_AR(CS), 0xa0fb);
        vset(F_GUEST_SEL(SS), 0x2b);
        vset(F_GUEST_AR(SS), 0xc0f3);
        vset(F_EXCEPTIONS, BIT(PF));
        return;
    }
    vset(F_ENTRY, vget(F_ENTRY) & ~ENTRY_IA32E);
    vset(F_GUEST_AR(CS), 0xc09b);
    if (guest == PAE) {
        vset(F_EXCEPTIONS, BIT(PF));
        return;
    }
    vset(F_GUEST_CR0, cr0);
    if (guest == V86) {
        segments(0xf3, LOW >> 4, LOW, 0xffff);
        vset(F_GUEST_RIP, 0);
        vset(F_GUEST_RFLAGS, 0x20002);
    } else if (guest == REAL) {
        vset(F_GUEST_CR0, cr0 & ~1ULL);
        vset(F_GUEST_AR(CS), 0xc093);
    }
}

/* Valid values of fields that some controls use */
static void valid_fields(void)
{
    memset(page, 0, sizeof(page));
    memcpy((void *)LOW, (void *)g_vmcall, 3);
    ept_init();
    vset(F_VPID, 1);
    vset(F_POSTED_NV, 0xf2);
    vset(F_POSTED_DESC, (u64)page);
    vset(F_VIRT_APIC, (u64)page);
    vset(F_APIC_ACCESS, 0x10000000);
    vset(F_IO_BITMAP_A, (u64)page);
    vset(F_IO_BITMAP_B, (u64)page);
    vset(F_MSR_BITMAP, (u64)page);
    vset(F_PML_ADDR, (u64)page);
    vset(0x0812, 511);
    vset(F_EPTP_LIST, (u64)page);
    vset(F_PREEMPTION, 1000000);
}

static void setup(const struct rule *r)
{
    int i;

    vm_init(g_vmcall);
    valid_fields();
    vm_controls(r->pin, r->proc, r->proc2);
    vset(F_EXIT, vget(F_EXIT) | r->exit);
    vset(F_ENTRY, vget(F_ENTRY) | r->entry);
    guest_mode(r->guest);
    for (i = 0; i < ARRAY_SIZE(r->set) && r->set[i].field; i++) {
        vset(r->set[i].field, r->set[i].val);
    }
    if (!r->only_bad) {
        check_eq(vm_enter(), VM_OK, "%s: is accepted", r->what);
        check_eq(vget(F_REASON) >> 31, 0, "%s: without failure", r->what);
        for (i = 0; i < ARRAY_SIZE(r->set) && r->set[i].field; i++) {
            vset(r->set[i].field, r->set[i].val);
        }
        vset(F_GUEST_RIP, r->guest == V86 ? 0 : (u64)g_vmcall);
    }
    vset(r->bad.field, vget(r->bad.field) ^ r->bad.val);
}

#define EPT_UNRESTRICTED    (PROC2_EPT | PROC2_UNRESTRICTED)
#define APICV   .proc = PROC_TPR_SHADOW, .proc2 = PROC2_VID

static const struct rule control_rules[] = {
    { "I/O bitmap A", .proc = PROC_IO_BITMAPS, .bad = { F_IO_BITMAP_A, 8 } },
    { "I/O bitmap B", .proc = PROC_IO_BITMAPS,
      .bad = { F_IO_BITMAP_B, BIT(46) } },
    { "MSR bitmap", .proc = PROC_MSR_BITMAPS, .bad = { F_MSR_BITMAP, 8 } },
    { "a reserved secondary control", .proc2 = PROC2_EPT,
      .bad = { F_PROC2, BIT(31) } },
    { "x2APIC mode needs the TPR shadow", .proc = PROC_TPR_SHADOW,
      .proc2 = PROC2_X2APIC, .bad = { F_PROC, PROC_TPR_SHADOW } },
    { "virtual-APIC page", .proc = PROC_TPR_SHADOW, .bad = { F_VIRT_APIC, 8 } },
    { "reserved bits of the TPR threshold", .proc = PROC_TPR_SHADOW,
      .proc2 = PROC2_APIC_ACCESS, .bad = { F_TPR_THRESHOLD, 0x10 } },
    { "TPR threshold above VTPR", .proc = PROC_TPR_SHADOW,
      .bad = { F_TPR_THRESHOLD, 1 } },
    { "APIC-access page", .proc2 = PROC2_APIC_ACCESS,
      .bad = { F_APIC_ACCESS, 8 } },
    { "APIC accesses in x2APIC mode", .proc = PROC_TPR_SHADOW,
      .proc2 = PROC2_X2APIC, .bad = { F_PROC2, PROC2_APIC_ACCESS } },
    { "delivery needs interrupt exiting", .pin = PIN_EXT_INTR, APICV,
      .bad = { F_PIN, PIN_EXT_INTR } },
    { "posting needs delivery", .pin = PIN_EXT_INTR | PIN_POSTED, APICV,
      .exit = EXIT_ACK, .bad = { F_PROC2, PROC2_VID } },
    { "posting needs acknowledgement", .pin = PIN_EXT_INTR | PIN_POSTED, APICV,
      .exit = EXIT_ACK, .bad = { F_EXIT, EXIT_ACK } },
    { "the notification vector has 8 bits", .pin = PIN_EXT_INTR | PIN_POSTED,
      APICV, .exit = EXIT_ACK, .bad = { F_POSTED_NV, 0x100 } },
    { "the descriptor has 64 bytes", .pin = PIN_EXT_INTR | PIN_POSTED, APICV,
      .exit = EXIT_ACK, .bad = { F_POSTED_DESC, 32 } },
    { "VPID 0", .proc2 = PROC2_VPID, .bad = { F_VPID, 1 } },
    { "memory type of the EPTP", .proc2 = PROC2_EPT, .bad = { F_EPTP, 7 } },
    { "page walk of the EPTP", .proc2 = PROC2_EPT, .bad = { F_EPTP, 4 << 3 } },
    { "reserved bits of the EPTP", .proc2 = PROC2_EPT,
      .bad = { F_EPTP, BIT(7) } },
    { "page-modification logging needs EPT", .proc2 = PROC2_EPT | PROC2_PML,
      .bad = { F_PROC2, PROC2_EPT } },
    { "page-modification log", .proc2 = PROC2_EPT | PROC2_PML,
      .bad = { F_PML_ADDR, 8 } },
    { "unrestricted guests need EPT", .proc2 = EPT_UNRESTRICTED,
      .bad = { F_PROC2, PROC2_EPT } },
    { "VM functions", .proc2 = PROC2_EPT | PROC2_VMFUNC,
      .bad = { F_VMFUNC, 2 } },
    { "EPTP switching needs EPT", .proc2 = PROC2_EPT | PROC2_VMFUNC,
      .set = { { F_VMFUNC, 1 } }, .bad = { F_PROC2, PROC2_EPT } },
    { "EPTP list", .proc2 = PROC2_EPT | PROC2_VMFUNC,
      .set = { { F_VMFUNC, 1 } }, .bad = { F_EPTP_LIST, 8 } },
    { "the end of a list of MSRs", .only_bad = true,
      .set = { { F_ENTRY_MSR_LOAD, BIT(46) - 16 } },
      .bad = { F_ENTRY_MSR_LOAD_COUNT, 2 } },
};

static const struct rule host_rules[] = {
    { "PAT", .exit = EXIT_LOAD_PAT, .bad = { F_HOST_PAT, 4 } },
    { "EFER", .exit = EXIT_LOAD_EFER, .bad = { F_HOST_EFER, BIT(1) } },
    { "LME and LMA of EFER", .exit = EXIT_LOAD_EFER,
      .bad = { F_HOST_EFER, BIT(8) } },
    { "PKRS", .exit = EXIT_LOAD_PKRS, .bad = { F_HOST_PKRS, BIT(32) } },
    { "TR of 0", .bad = { F_HOST_SEL(6), 0x30 } },
    { "a 32-bit host on a processor in IA-32e mode", .guest = FLAT,
      .proc2 = EPT_UNRESTRICTED, .bad = { F_EXIT, EXIT_HOST64 } },
};

static const struct rule guest_rules[] = {
    { "CR0.PG without CR0.PE", .proc2 = EPT_UNRESTRICTED,
      .bad = { F_GUEST_CR0, 1 } },
    { "IA-32e mode without paging", .proc2 = EPT_UNRESTRICTED,
      .bad = { F_GUEST_CR0, BIT(31) } },
    { "CR4.PCIDE outside IA-32e mode", .guest = FLAT,
      .proc2 = EPT_UNRESTRICTED, .bad = { F_GUEST_CR4, BIT(17) } },
    { "IA32_DEBUGCTL", .entry = ENTRY_LOAD_DEBUG,
      .bad = { F_GUEST_DEBUGCTL, BIT(16) } },
    { "DR7", .entry = ENTRY_LOAD_DEBUG, .bad = { F_GUEST_DR7, BIT(32) } },
    { "PAT", .entry = ENTRY_LOAD_PAT, .bad = { F_GUEST_PAT, 4 } },
    { "PKRS", .entry = ENTRY_LOAD_PKRS, .bad = { F_GUEST_PKRS, BIT(32) } },
    { "EFER", .entry = ENTRY_LOAD_EFER, .bad = { F_GUEST_EFER, BIT(1) } },
    { "EFER.LMA is not that of the control", .entry = ENTRY_LOAD_EFER,
      .guest = FLAT, .proc2 = EPT_UNRESTRICTED, .set = { { F_GUEST_EFER, 0 } },
      .bad = { F_GUEST_EFER, BIT(10) } },
    { "EFER.LMA without EFER.LME", .entry = ENTRY_LOAD_EFER,
      .bad = { F_GUEST_EFER, BIT(8) } },
    { "virtual-8086 mode: base", .guest = V86, .proc2 = EPT_UNRESTRICTED,
      .bad = { F_GUEST_BASE(DS), 0x10 } },
    { "virtual-8086 mode: limit", .guest = V86, .proc2 = EPT_UNRESTRICTED,
      .bad = { F_GUEST_LIMIT(ES), 1 } },
    { "virtual-8086 mode: access rights", .guest = V86,
      .proc2 = EPT_UNRESTRICTED, .bad = { F_GUEST_AR(SS), 8 } },
    { "virtual-8086 mode without protected mode", .guest = V86,
      .proc2 = EPT_UNRESTRICTED, .bad = { F_GUEST_CR0, 1 } },
    { "type of CS", .bad = { F_GUEST_AR(CS), 8 } },
    { "RPL of CS is not that of SS", .bad = { F_GUEST_SEL(CS), 1 } },
    { "DPL of SS is not its RPL", .set = { { F_GUEST_AR(CS), 0xa09f } },
      .bad = { F_GUEST_AR(SS), 1 << 5 } },
    { "DPL of SS in real mode", .guest = REAL, .proc2 = EPT_UNRESTRICTED,
      .bad = { F_GUEST_AR(SS), 1 << 5 } },
    { "code that is not readable as data", .bad = { F_GUEST_AR(DS), 0xa } },
    { "RPL of DS above its DPL", .bad = { F_GUEST_SEL(DS), 3 } },
    { "type of LDTR", .set = { { F_GUEST_AR(LDTR), 0x82 } },
      .bad = { F_GUEST_AR(LDTR), 1 } },
    { "RIP of 32-bit code", .guest = FLAT, .proc2 = EPT_UNRESTRICTED,
      .bad = { F_GUEST_RIP, BIT(32) } },
    { "an interrupt with RFLAGS.IF clear", .only_bad = true,
      .set = { { F_GUEST_RFLAGS, 0x202 }, { F_ENTRY_INTR, INTR(0, 0x20) } },
      .bad = { F_GUEST_RFLAGS, 0x200 } },
    { "no activity state", .pin = PIN_TIMER, .bad = { F_ACTIVITY, 4 } },
    { "HLT at CPL 3", .pin = PIN_TIMER, .guest = USER,
      .bad = { F_ACTIVITY, 1 } },
    { "HLT and blocking by STI", .pin = PIN_TIMER,
      .set = { { F_GUEST_RFLAGS, 0x202 }, { F_INTERRUPTIBILITY, 1 } },
      .bad = { F_ACTIVITY, 1 } },
    { "#UD injected in HLT", .only_bad = true,
      .set = { { F_ACTIVITY, 1 } }, .bad = { F_ENTRY_INTR, INTR(3, UD) } },
    { "blocking by STI and MOV SS",
      .set = { { F_GUEST_RFLAGS, 0x202 }, { F_INTERRUPTIBILITY, 1 } },
      .bad = { F_INTERRUPTIBILITY, 2 } },
    { "an interrupt and blocking by STI", .only_bad = true,
      .set = { { F_GUEST_RFLAGS, 0x202 }, { F_ENTRY_INTR, INTR(0, 0x20) } },
      .bad = { F_INTERRUPTIBILITY, 1 } },
    { "an NMI and blocking by MOV SS", .only_bad = true,
      .set = { { F_ENTRY_INTR, INTR(2, 2) } },
      .bad = { F_INTERRUPTIBILITY, 2 } },
    { "an NMI and blocking of virtual NMIs", .only_bad = true,
      .pin = PIN_NMI | PIN_VNMI, .set = { { F_ENTRY_INTR, INTR(2, 2) } },
      .bad = { F_INTERRUPTIBILITY, 8 } },
};

static void test_rules(const struct rule *rules, int count, int error)
{
    const struct rule *r;

    for (r = rules; r < rules + count; r++) {
        setup(r);
        if (error) {
            check_eq(vm_enter(), VM_FAIL_VALID, "%s", r->what);
            check_eq(vget(F_INSN_ERROR), error, "%s: error", r->what);
        } else {
            vm_exits(X_ENTRY_FAILED | X_GUEST_STATE, r->what);
            check_eq(vget(F_QUAL), 0, "%s: qualification", r->what);
        }
    }
}

/* Blocking by MOV SS and RFLAGS.TF need BS. */
static void test_pending(void)
{
    vm_init(g_vmcall);
    vset(F_GUEST_RFLAGS, 0x102);
    vset(F_INTERRUPTIBILITY, 2);
    vset(F_PENDING_DBG, BIT(14));
    check_eq(vm_enter(), VM_OK, "single step and MOV SS: is accepted");
    check_eq(vget(F_REASON), X_VMCALL,
             "single step and MOV SS: without failure");
    vset(F_INTERRUPTIBILITY, 2);
    vset(F_PENDING_DBG, 0);
    vm_exits(X_ENTRY_FAILED | X_GUEST_STATE, "single step that is not pending");
}

static void test_link(void)
{
    u64 first = (u64)other_vmcs[0];

    vm_init(g_vmcall);
    *(u32 *)(first + 8) = rdmsr(MSR_VMX_BASIC);
    vset(F_LINK, first + 8);
    vm_exits(X_ENTRY_FAILED | X_GUEST_STATE, "link pointer not aligned");
    check_eq(vget(F_QUAL), 4, "link pointer: qualification");
    vset(F_LINK, (u64)other_vmcs[1]);
    vm_exits(X_ENTRY_FAILED | X_GUEST_STATE, "revision of the linked VMCS");
    check_eq(vget(F_QUAL), 4, "revision: qualification");
    *(u32 *)other_vmcs[1] = rdmsr(MSR_VMX_BASIC);
    vm_exits(X_VMCALL, "a VMCS that is linked");
}

static void test_pdpte(void)
{
    vm_init(g_vmcall);
    vm_controls(0, 0, PROC2_EPT);
    ept_init();
    guest_mode(PAE);
    vm_exits(X_EXCEPTION, "PDPTEs that are not present");
    vset(F_PDPTE(2), BIT(1));
    vm_exits(X_EXCEPTION, "a PDPTE that is not present");
    vset(F_PDPTE(2), BIT(1) | BIT(0));
    vm_exits(X_ENTRY_FAILED | X_GUEST_STATE, "a reserved bit of a PDPTE");
    check_eq(vget(F_QUAL), 2, "PDPTE: qualification");
}

/*
 * VMRESUME of the VMCS that ran last. Its RIP of the host is good, and is used
 * if the entry is accepted.
 */
static void test_host_rip(void)
{
    vm_init(g_vmcall);
    vm_exits(X_VMCALL, "HOST_RIP: is accepted");
    vset(F_HOST_RIP, vget(F_HOST_RIP) ^ BIT(62));
    check_eq(vmresume(), VM_FAIL_VALID, "RIP of the host not canonical");
    check_eq(vget(F_INSN_ERROR), 8, "RIP of the host: error");
}

void test_main(void)
{
    vmx_on();
    test_rules(control_rules, ARRAY_SIZE(control_rules), 7);
    test_rules(host_rules, ARRAY_SIZE(host_rules), 8);
    test_rules(guest_rules, ARRAY_SIZE(guest_rules), 0);
    test_pending();
    test_link();
    test_pdpte();
    test_host_rip();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
