/*
 * VMX tests: the virtual APIC
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define F_POSTED_NV         0x0002
#define F_INTR_STATUS       0x0810
#define F_VIRT_APIC         0x2012
#define F_APIC_ACCESS       0x2014
#define F_POSTED_DESC       0x2016
#define F_EOI_EXIT(n)       (0x201c + 2 * (n))
#define F_TPR_THRESHOLD     0x401c

#define PIN_POSTED          BIT(7)
#define PROC_TPR_SHADOW     BIT(21)
#define PROC2_APIC_ACCESS   BIT(0)
#define PROC2_X2APIC        BIT(4)
#define PROC2_REGISTERS     BIT(8)
#define PROC2_VID           BIT(9)
#define EXIT_ACK            BIT(15)

#define X_EXT_INTR          1
#define X_TPR               43
#define X_APIC_ACCESS       44
#define X_EOI               45
#define X_APIC_WRITE        56

#define TPR                 0x80
#define PPR                 0xa0
#define EOI                 0xb0
#define ISR                 0x100
#define IRR                 0x200
#define ICR                 0x300
#define NV                  0xf2
#define APIC                0xfee00000UL
#define GUEST_APIC          0x10000000UL

static u8 PAGE_ALIGNED vapic[4096];
static u64 desc[8] __attribute__((aligned(64)));
static u64 guest_idt[512];

#define GUEST(name, insn)                                               \
    void name(void);                                                    \
    asm(".pushsection .text\n" #name ": " insn "\nvmcall\n.popsection");

GUEST(g_vmcall, "nop")
GUEST(g_read_cr8, "mov %cr8, %rax")
GUEST(g_write_cr8, "mov %rax, %cr8")
GUEST(g_rdmsr, "rdmsr")
GUEST(g_wrmsr, "wrmsr")
GUEST(g_load, "mov (%rdi), %eax")
GUEST(g_load8, "mov (%rdi), %rax")
GUEST(g_store, "mov %eax, (%rdi)")
GUEST(g_sti, "sti\n nop\n nop\n cli")
GUEST(g_hlt, "sti\n hlt\n cli")
/* The guest's handler: EOI via the MSR, and the vector is in RBX. */
GUEST(g_handler, "mov $0xbeef, %ebx")

static mem32 *reg(int offset)
{
    return (mem32 *)(vapic + offset);
}

static void guest(void (*fn)(void), u64 pin, u64 proc2)
{
    int i;

    memset(vapic, 0, sizeof(vapic));
    memset(desc, 0, sizeof(desc));
    vm_init(fn);
    if (pin & PIN_POSTED) {
        vset(F_EXIT, vget(F_EXIT) | EXIT_ACK);
    }
    vm_controls(pin, PROC_TPR_SHADOW, proc2);
    vset(F_VIRT_APIC, (u64)vapic);
    vset(F_POSTED_DESC, (u64)desc);
    vset(F_POSTED_NV, NV);
    /* All vectors go to one handler. */
    for (i = 0; i < 256; i++) {
        u64 at = (u64)g_handler;

        guest_idt[2 * i] = (at & 0xffff) | 8 << 16 | 0x8eULL << 40 |
                           (at >> 16 & 0xffff) << 48;
        guest_idt[2 * i + 1] = at >> 32;
    }
    vset(F_GUEST_BASE(IDTR), (u64)guest_idt);
    vset(F_GUEST_LIMIT(IDTR), sizeof(guest_idt) - 1);
}

static void test_tpr_shadow(void)
{
    guest(g_read_cr8, 0, 0);
    *reg(TPR) = 0x50;
    vm_exits(X_VMCALL, "MOV from CR8");
    check_eq(guest_regs[0], 5, "it reads VTPR");
    guest(g_write_cr8, 0, 0);
    guest_regs[0] = 9;
    vm_exits(X_VMCALL, "MOV to CR8");
    check_eq(*reg(TPR), 0x90, "it writes VTPR");
    guest(g_write_cr8, 0, 0);
    guest_regs[0] = 3;
    *reg(TPR) = 0x80;
    vset(F_TPR_THRESHOLD, 5);
    vm_exits(X_TPR, "TPR below threshold");
    check_eq(vget(F_GUEST_RIP), (u64)g_write_cr8 + 4, "after the instruction");
    guest(g_write_cr8, 0, 0);
    guest_regs[0] = 3;
    *reg(TPR) = 0x80;
    vset(F_TPR_THRESHOLD, 5);
    vset(F_GUEST_RFLAGS, 2 | BIT(8));
    vm_exits(X_TPR, "TPR below threshold, with RFLAGS.TF");
    check_eq(vget(F_PENDING_DBG), BIT(14), "the single step is pending");
    guest(g_write_cr8, 0, 0);
    vset(F_EXCEPTIONS, BIT(GP));
    guest_regs[0] = 0x10;
    vm_exits(X_EXCEPTION, "a reserved bit of CR8 is #GP");
    guest(g_vmcall, 0, 0);
    vset(F_TPR_THRESHOLD, 1);
    check_eq(vm_enter(), VM_FAIL_VALID, "threshold above VTPR at VM entry");
    check_eq(vget(F_INSN_ERROR), 7, "error 7");
    guest(g_vmcall, 0, 0);
    vm_controls(0, 0, PROC2_X2APIC);
    check_eq(vm_enter(), VM_FAIL_VALID, "x2APIC without TPR shadow");
    guest(g_vmcall, 0, PROC2_VID);
    check_eq(vm_enter(), VM_FAIL_VALID, "delivery without interrupt exiting");
}

static u8 PAGE_ALIGNED msr_bitmap[4096];

static void msr_guest(void (*fn)(void), u32 msr, u64 proc2)
{
    guest(fn, PIN_EXT_INTR, proc2);
    vset(F_PROC, vget(F_PROC) | PROC_MSR_BITMAPS);
    vset(F_MSR_BITMAP, (u64)msr_bitmap);
    guest_regs[1] = msr;
}

static void test_x2apic(void)
{
    msr_guest(g_rdmsr, 0x808, PROC2_X2APIC);
    *reg(TPR) = 0x30;
    vm_exits(X_VMCALL, "RDMSR of the TPR");
    check_eq(guest_regs[0], 0x30, "it reads VTPR");
    msr_guest(g_rdmsr, 0x802, PROC2_X2APIC | PROC2_REGISTERS);
    *reg(0x20) = 0x1234;
    vm_exits(X_VMCALL, "RDMSR of the ID");
    check_eq(guest_regs[0], 0x1234, "it reads the virtual APIC");
    msr_guest(g_wrmsr, 0x808, PROC2_X2APIC);
    guest_regs[0] = 0x40;
    vm_exits(X_VMCALL, "WRMSR of the TPR");
    check_eq(*reg(TPR), 0x40, "it writes VTPR");
    msr_guest(g_wrmsr, 0x83f, PROC2_X2APIC | PROC2_VID);
    guest_regs[0] = 0x31;
    vm_exits(X_VMCALL, "self-IPI with interrupts disabled");
    check_eq(*reg(IRR + 0x10), BIT(0x11), "VIRR");
    check_eq(vget(F_INTR_STATUS), 0x31, "RVI");
    msr_guest(g_wrmsr, 0x83f, PROC2_X2APIC | PROC2_VID);
    guest_regs[0] = 0x0f;
    vm_exits(X_APIC_WRITE, "self-IPI of a vector below 16");
    check_eq(vget(F_QUAL), 0x3f0, "its offset");
    msr_guest(g_wrmsr, 0x80b, PROC2_X2APIC | PROC2_VID);
    vset(F_INTR_STATUS, 0x5500);
    *reg(ISR + 0x20) = BIT(0x15);
    *reg(ISR + 0x10) = BIT(1);
    vm_exits(X_VMCALL, "EOI");
    check_eq(*reg(ISR + 0x20), 0, "VISR");
    check_eq(vget(F_INTR_STATUS), 0x2100, "SVI is the next one");
    check_eq(*reg(PPR), 0x20, "VPPR");
    msr_guest(g_wrmsr, 0x80b, PROC2_X2APIC | PROC2_VID);
    vset(F_INTR_STATUS, 0x5500);
    vset(F_EXCEPTIONS, BIT(GP));
    guest_regs[0] = 1;
    vm_exits(X_EXCEPTION, "EOI of another value than 0 is #GP");
    guest_regs[0] = 0;
    vset(F_EOI_EXIT(1), BIT(0x15));
    vm_exits(X_EOI, "EOI that exits");
    check_eq(vget(F_QUAL), 0x55, "its vector");
    check_eq(vget(F_GUEST_RIP), (u64)g_wrmsr + 2, "after the instruction");
}

static void test_delivery(void)
{
    guest(g_sti, PIN_EXT_INTR, PROC2_VID);
    vset(F_INTR_STATUS, 0x41);
    *reg(IRR + 0x20) = BIT(1);
    vm_exits(X_VMCALL, "a virtual interrupt");
    check_eq(guest_regs[3], 0xbeef, "is delivered");
    check_eq(vget(F_INTR_STATUS), 0x4100, "RVI and SVI");
    check_eq(*reg(ISR + 0x20), BIT(1), "VISR");
    check_eq(*reg(IRR + 0x20), 0, "VIRR");
    check_eq(*reg(PPR), 0x40, "VPPR");
    guest(g_sti, PIN_EXT_INTR, PROC2_VID);
    vset(F_INTR_STATUS, 0x41);
    *reg(IRR + 0x20) = BIT(1);
    *reg(TPR) = 0x40;
    vm_exits(X_VMCALL, "one that the TPR masks");
    check_eq(guest_regs[3], 0, "is not delivered");
    guest(g_hlt, PIN_EXT_INTR, PROC2_VID);
    vset(F_INTR_STATUS, 0x41);
    *reg(IRR + 0x20) = BIT(1);
    vm_exits(X_VMCALL, "one that ends HLT");
    check_eq(guest_regs[3], 0xbeef, "is delivered");
}

/* The processor notifies itself: posted interrupts need no exit. */
static void test_posted(void)
{
    mem32 *svr = (void *)(APIC + 0xf0), *icr = (void *)(APIC + ICR);

    *svr |= 0x100;
    guest(g_sti, PIN_EXT_INTR | PIN_POSTED, PROC2_VID);
    desc[1] = BIT(0x23);                /* vector 63h */
    desc[3] = BIT(0x08);                /* vector c8h */
    desc[4] = 1;                        /* ON */
    *icr = 0x44000 | NV;
    vm_exits(X_VMCALL, "a posted interrupt");
    check_eq(guest_regs[3], 0xbeef, "is delivered");
    check_eq(desc[1] | desc[3] | desc[4], 0, "the descriptor is empty");
    check_eq(vget(F_INTR_STATUS), 0xc863, "the highest is first");
    check_eq(*reg(IRR + 0x30), BIT(3), "the other is in VIRR");
    check_eq(*(mem32 *)(APIC + ISR + 0x70), 0, "the notification is over");
    guest(g_sti, PIN_EXT_INTR | PIN_POSTED, PROC2_VID);
    *icr = 0x44000 | 0xf3;
    vm_exits(X_EXT_INTR, "another vector exits");
    check_eq(vget(F_INTR), INTR(0, 0xf3), "acknowledged");
    *(mem32 *)(APIC + EOI) = 0;
}

static void access_guest(void (*fn)(void), u64 at, u64 proc2)
{
    guest(fn, PIN_EXT_INTR, proc2 | PROC2_APIC_ACCESS);
    vset(F_APIC_ACCESS, GUEST_APIC);
    guest_regs[7] = GUEST_APIC + at;
}

static void test_access_page(void)
{
    access_guest(g_load, TPR, 0);
    *reg(TPR) = 0x70;
    vm_exits(X_VMCALL, "a load of the TPR");
    check_eq(guest_regs[0], 0x70, "reads VTPR");
    access_guest(g_load8, TPR, 0);
    vm_exits(X_APIC_ACCESS, "a load of 8 bytes");
    check_eq(vget(F_QUAL), TPR, "qualification");
    check_eq(vget(F_LEN), 3, "length");
    access_guest(g_load, 0x20, 0);
    vm_exits(X_APIC_ACCESS, "a load of the ID");
    access_guest(g_load, 0x20, PROC2_REGISTERS);
    *reg(0x20) = 0x77;
    vm_exits(X_VMCALL, "with register virtualization");
    check_eq(guest_regs[0], 0x77, "reads the virtual APIC");
    access_guest(g_load, 0x40, PROC2_REGISTERS);
    vm_exits(X_APIC_ACCESS, "a load of no register");
    access_guest(g_store, TPR, 0);
    guest_regs[0] = 0x60;
    vm_exits(X_VMCALL, "a store to the TPR");
    check_eq(*reg(TPR), 0x60, "writes VTPR");
    access_guest(g_store, EOI, 0);
    vm_exits(X_APIC_ACCESS, "a store to EOI");
    check_eq(vget(F_QUAL), EOI | 1 << 12, "qualification");
    access_guest(g_store, EOI, PROC2_VID);
    vset(F_INTR_STATUS, 0x5500);
    *reg(ISR + 0x20) = BIT(0x15);
    vm_exits(X_VMCALL, "virtualized with delivery");
    check_eq(*reg(ISR + 0x20), 0, "VISR");
    access_guest(g_store, ICR, PROC2_VID | PROC2_REGISTERS);
    guest_regs[0] = 0x4c000 | 0x31;
    vm_exits(X_APIC_WRITE, "a store to ICR that is not a self-IPI");
    check_eq(vget(F_QUAL), ICR, "qualification");
    check_eq(vget(F_GUEST_RIP), (u64)g_store + 2, "after the instruction");
    access_guest(g_store, ICR, PROC2_VID | PROC2_REGISTERS);
    guest_regs[0] = 0x44000 | 0x31;
    vm_exits(X_VMCALL, "one that is");
    check_eq(vget(F_INTR_STATUS), 0x31, "RVI");
}

void test_main(void)
{
    vmx_on();
    test_tpr_shadow();
    test_x2apic();
    test_delivery();
    test_posted();
    test_access_page();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
