/*
 * VMX tests: a processor without a local APIC
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define F_LAST_INDEX        0x0008
#define F_POSTED_NV         0x0002
#define F_INTR_STATUS       0x0810
#define F_VIRT_APIC         0x2012
#define F_POSTED_DESC       0x2016
#define F_PROC3             0x2034
#define F_PID_TABLE         0x2042

#define PIN_POSTED          BIT(7)
#define PROC_PROC3          BIT(17)
#define PROC_TPR_SHADOW     BIT(21)
#define PROC2_X2APIC        BIT(4)
#define PROC2_VID           BIT(9)
#define PROC3_IPI           BIT(4)
#define EXIT_ACK            BIT(15)
#define X_EXT_INTR          1

#define VECTOR              0x51
#define NV                  0xe3
#define PIC_BASE            0x20
#define MSR_X2APIC_TPR      0x808
#define MSR_X2APIC_ICR      0x830

void g_vmcall(void);
void g_wrmsr(void);
void g_loop(void);
asm(".pushsection .text\ng_wrmsr: wrmsr\ng_vmcall: vmcall\n"
    "g_loop: pause\njmp g_loop\n.popsection");

static u8 PAGE_ALIGNED vapic[4096];
static u8 PAGE_ALIGNED msr_bitmap[4096];
static u64 PAGE_ALIGNED table[512];
static mem64 pid[8] __attribute__((aligned(64)));
static u64 list[2] __attribute__((aligned(16)));

static void test_lists(void)
{
    u64 val;

    check_eq(try_rdmsr(MSR_X2APIC_TPR, &val), GP, "RDMSR of its TPR");
    vm_init(g_vmcall);
    list[0] = MSR_STAR;
    list[1] = 0x4711;
    vset(F_ENTRY_MSR_LOAD, (u64)list);
    vset(F_ENTRY_MSR_LOAD_COUNT, 1);
    vset(F_EXIT_MSR_STORE, (u64)list);
    vset(F_EXIT_MSR_STORE_COUNT, 1);
    vset(F_EXIT_MSR_LOAD, (u64)list);
    vset(F_EXIT_MSR_LOAD_COUNT, 1);
    vm_exits(X_VMCALL, "lists of an MSR");
    check_eq(rdmsr(MSR_STAR), 0x4711, "it is loaded");
    list[0] = MSR_X2APIC_TPR;
    vm_init(g_vmcall);
    vset(F_ENTRY_MSR_LOAD, (u64)list);
    vset(F_ENTRY_MSR_LOAD_COUNT, 1);
    vm_exits(X_ENTRY_FAILED | X_MSR_LOAD, "a list with an APIC's register");
    check_eq(vget(F_QUAL), 1, "its number");
}

/* The IPI is posted. What the notification is sent to does not exist. */
static void test_ipi(void)
{
    table[1] = (u64)pid | 1;
    pid[4] = NV << 16;
    vm_init(g_wrmsr);
    vm_controls(PIN_EXT_INTR, PROC_TPR_SHADOW | PROC_MSR_BITMAPS | PROC_PROC3,
                PROC2_X2APIC);
    vset(F_PROC3, PROC3_IPI);
    vset(F_VIRT_APIC, (u64)vapic);
    vset(F_MSR_BITMAP, (u64)msr_bitmap);
    vset(F_PID_TABLE, (u64)table);
    vset(F_LAST_INDEX, 3);
    guest_regs[1] = MSR_X2APIC_ICR;
    guest_regs[0] = VECTOR;
    guest_regs[2] = 1;
    vm_exits(X_VMCALL, "a guest sends an IPI");
    check_eq(pid[1], BIT(VECTOR - 64), "it is posted");
    check_eq(pid[4] & 1, 1, "ON");
}

/* The BIOS's timer, once, in a millisecond, via the PIC */
static void start_pit(void)
{
    static const u8 init[] = { 0x11, PIC_BASE, 4, 1 };
    int i;

    outb(0x20, init[0]);
    for (i = 1; i < ARRAY_SIZE(init); i++) {
        outb(0x21, init[i]);
    }
    outb(0x21, 0xfe);
    outb(0x43, 0x30);
    outb(0x40, 1193 & 0xff);
    outb(0x40, 1193 >> 8);
}

static void pic_guest(u64 nv)
{
    memset(vapic, 0, sizeof(vapic));
    memset((void *)pid, 0, sizeof(pid));
    pid[1] = BIT(VECTOR - 64);
    pid[4] = 1;
    vm_init(g_loop);
    vset(F_EXIT, vget(F_EXIT) | EXIT_ACK);
    vm_controls(PIN_EXT_INTR | PIN_TIMER | PIN_POSTED, PROC_TPR_SHADOW,
                PROC2_VID);
    vset(F_VIRT_APIC, (u64)vapic);
    vset(F_POSTED_DESC, (u64)pid);
    vset(F_POSTED_NV, nv);
    vset(F_PREEMPTION, 200000000 / 32);
    start_pit();
}

static void test_posted(void)
{
    int i;

    pic_guest(NV);
    /* Seconds, in case that the machine is busy: it ends at the interrupt. */
    vset(F_PREEMPTION, 5000000000 / 32);
    vm_exits(X_EXT_INTR, "the PIC's interrupt");
    check_eq(vget(F_INTR), INTR(0, PIC_BASE), "its vector");
    check_eq(pid[4], 1, "nothing that was posted is processed");
    pic_guest(PIC_BASE);
    for (i = 0; i < 50 && vm_enter() == VM_OK && vget(F_REASON) == X_TIMER &&
         vget(F_INTR_STATUS) != VECTOR; i++) {
        vset(F_PREEMPTION, 200000000 / 32);
    }
    check_eq(vget(F_REASON), X_TIMER, "the PIC's interrupt is a notification");
    check_eq(vget(F_INTR_STATUS), VECTOR, "what was posted is requested");
    check_eq(pid[4], 0, "ON is clear");
    outb(0x21, 0xff);
}

void test_main(void)
{
    u32 r[4];

    cpuid(1, r);
    check_eq(r[3] & BIT(9), 0, "CPUID reports no local APIC");
    vmx_on();
    test_lists();
    test_ipi();
    test_posted();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
