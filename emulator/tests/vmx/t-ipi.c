/*
 * VMX tests: IPI virtualization
 *
 * The first processor's guests send; the second processor receives.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_VMX_PROC3       0x492

#define F_LAST_INDEX        0x0008
#define F_VIRT_APIC         0x2012
#define F_APIC_ACCESS       0x2014
#define F_PROC3             0x2034
#define F_PID_TABLE         0x2042
#define F_INTR_STATUS       0x0810

#define PROC_PROC3          BIT(17)
#define PROC_TPR_SHADOW     BIT(21)
#define PROC2_APIC_ACCESS   BIT(0)
#define PROC2_X2APIC        BIT(4)
#define PROC2_VID           BIT(9)
#define PROC3_IPI           BIT(4)
#define EXIT_ACK            BIT(15)

#define X_EXT_INTR          1
#define X_APIC_ACCESS       44
#define X_APIC_WRITE        56

#define APIC                0xfee00000UL
#define GUEST_APIC          0x10000000UL
#define IRR                 0x200
#define ICR                 0x300
#define EOI                 0xb0
#define VECTOR              0x51
#define NV                  0xe3
#define TARGET              2       /* the index that is used */
#define ON                  1
#define SN                  2
#define ICR_SELF            0x40000

void g_wrmsr(void);
void g_store(void);
asm(".pushsection .text\ng_wrmsr: wrmsr\nvmcall\n"
    "g_store: mov %eax, (%rdi)\nvmcall\n.popsection");

static u8 PAGE_ALIGNED vapic[4096];
static u8 PAGE_ALIGNED msr_bitmap[4096];
static u64 PAGE_ALIGNED table[512];
static mem64 pid[8] __attribute__((aligned(64)));
static mem32 ready, received;   /* by the second processor */

static mem32 *reg(int offset)
{
    return (mem32 *)(vapic + offset);
}

/* Interrupts are disabled: vectors stay in the IRR. */
static void ap(void)
{
    *(mem32 *)(APIC + 0xf0) |= 0x100;
    ready = 1;
    for (;;) {
        received = *(mem32 *)(APIC + IRR + NV / 32 * 16) & 1U << NV % 32;
    }
}

static void guest(void (*fn)(void), u64 proc2, u64 dest)
{
    memset(vapic, 0, sizeof(vapic));
    memset(table, 0, sizeof(table));
    memset((void *)pid, 0, sizeof(pid));
    table[TARGET] = (u64)pid | 1;
    pid[4] = NV << 16 | dest << 40;
    vm_init(fn);
    vset(F_EXIT, vget(F_EXIT) | EXIT_ACK);
    vm_controls(PIN_EXT_INTR, PROC_TPR_SHADOW | PROC_MSR_BITMAPS | PROC_PROC3,
                proc2);
    vset(F_PROC3, PROC3_IPI);
    vset(F_VIRT_APIC, (u64)vapic);
    vset(F_APIC_ACCESS, GUEST_APIC);
    vset(F_MSR_BITMAP, (u64)msr_bitmap);
    vset(F_PID_TABLE, (u64)table);
    vset(F_LAST_INDEX, 3);
}

/* WRMSR of ICR */
static void x2apic(u64 icr, u64 target)
{
    guest(g_wrmsr, PROC2_X2APIC, 1);
    guest_regs[1] = 0x830;
    guest_regs[0] = icr;
    guest_regs[2] = target;
}

static void sends(const char *what)
{
    vm_exits(X_VMCALL, what);
    check_eq(pid[1], BIT(VECTOR - 64), "%s: is posted", what);
}

static void exits(const char *what)
{
    vm_exits(X_APIC_WRITE, what);
    check_eq(vget(F_QUAL), ICR, "%s: qualification", what);
    check_eq(pid[0] | pid[1], 0, "%s: is not posted", what);
}

/* The second processor may not run all the time. */
static void wait_for(mem32 *what)
{
    u64 start;
    int i;

    for (i = 0; i < 10 && !*what; i++) {
        start = timer_read();
        while (!*what && timer_ns(start) < 1000000000) {
            asm volatile("pause");
        }
    }
}

static void test_send(void)
{
    check_eq(received, 0, "nothing was received before");
    x2apic(VECTOR, TARGET);
    sends("an IPI");
    check_eq(pid[4] & (ON | SN), ON, "ON");
    check_eq(*reg(ICR), VECTOR, "the virtual ICR");
    check_eq(*reg(ICR + 4), TARGET, "and its upper half");
    check_eq(vget(F_GUEST_RIP), (u64)g_wrmsr + 2, "after the instruction");
    wait_for(&received);
    check(received, "the notification is received");
    x2apic(VECTOR, TARGET);
    pid[4] = NV << 16;
    vm_exits(X_EXT_INTR, "an IPI to this processor");
    check_eq(vget(F_INTR), INTR(0, NV), "the notification");
    *(mem32 *)(APIC + EOI) = 0;
}

/* This processor would receive the notification. */
static void test_no_notification(void)
{
    x2apic(VECTOR, TARGET);
    pid[4] = NV << 16 | ON;
    sends("an IPI that follows another one");
    x2apic(VECTOR, TARGET);
    pid[4] = NV << 16 | SN;
    sends("an IPI whose notification is suppressed");
    check_eq(pid[4] & (ON | SN), SN, "ON stays clear");
}

static void test_exits(void)
{
    static const struct {
        u64 icr;
        const char *what;
    } icrs[] = {
        { VECTOR | BIT(11), "a logical destination" },
        { VECTOR | 1 << 8, "lowest priority" },
        { 4 << 8, "an NMI" },
        { 5 << 8, "INIT" },
        { VECTOR | BIT(15), "a level-triggered interrupt" },
        { VECTOR | BIT(12), "delivery status" },
        { VECTOR | 2 << 18, "all processors" },
        { VECTOR | ICR_SELF, "self without virtual-interrupt delivery" },
        { 0x0f, "a vector below 16" },
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(icrs); i++) {
        x2apic(icrs[i].icr, TARGET);
        exits(icrs[i].what);
    }
    x2apic(VECTOR, TARGET);
    vset(F_LAST_INDEX, TARGET - 1);
    exits("a processor beyond the table");
    x2apic(VECTOR, TARGET + 1);
    exits("an entry that is not valid");
    x2apic(VECTOR, TARGET);
    table[TARGET] |= 2;
    exits("a reserved bit of an entry");
    x2apic(VECTOR, TARGET);
    table[TARGET] |= BIT(46);
    exits("an entry beyond memory");
}

static void test_reserved(void)
{
    static const u64 bits[] = { BIT(13), BIT(16), BIT(20), BIT(31) };
    int i;

    for (i = 0; i < ARRAY_SIZE(bits); i++) {
        x2apic(VECTOR | bits[i], TARGET);
        vset(F_EXCEPTIONS, BIT(GP));
        vm_exits(X_EXCEPTION, "a reserved bit of ICR");
        check_eq(vget(F_INTR), INTR(3, GP) | INTR_ERROR, "is #GP");
    }
}

static void test_self(void)
{
    x2apic(VECTOR | ICR_SELF, TARGET);
    vm_controls(PIN_EXT_INTR, PROC_TPR_SHADOW | PROC_MSR_BITMAPS | PROC_PROC3,
                PROC2_X2APIC | PROC2_VID);
    vm_exits(X_VMCALL, "self with virtual-interrupt delivery");
    check_eq(vget(F_INTR_STATUS), VECTOR, "RVI");
    check_eq(pid[1], 0, "nothing is posted");
}

/* Stores to the APIC-access page */
static void test_xapic(void)
{
    guest(g_store, PROC2_APIC_ACCESS, 1);
    guest_regs[7] = GUEST_APIC + ICR;
    guest_regs[0] = VECTOR;
    *reg(ICR + 0x10) = TARGET << 24;
    sends("an IPI by a store");
    guest(g_store, PROC2_APIC_ACCESS, 1);
    guest_regs[7] = GUEST_APIC + ICR;
    guest_regs[0] = VECTOR | BIT(13);
    *reg(ICR + 0x10) = TARGET << 24;
    exits("a store of a reserved bit");
}

static void test_off(void)
{
    x2apic(VECTOR, TARGET);
    vset(F_PROC3, 0);
    vset(F_EXCEPTIONS, BIT(GP));
    vm_exits(X_EXCEPTION, "WRMSR of ICR without the control");
    guest(g_store, PROC2_APIC_ACCESS, 1);
    guest_regs[7] = GUEST_APIC + ICR;
    vset(F_PROC3, 0);
    vm_exits(X_APIC_ACCESS, "a store to ICR without the control");
    x2apic(VECTOR, TARGET);
    vset(F_PROC, vget(F_PROC) & ~PROC_PROC3);
    vset(F_EXCEPTIONS, BIT(GP));
    vm_exits(X_EXCEPTION, "without tertiary controls");
}

static void bad(u64 field, u64 val, const char *what)
{
    guest(g_store, 0, 1);
    vset(field, val);
    check_eq(vm_enter(), VM_FAIL_VALID, "%s", what);
    check_eq(vget(F_INSN_ERROR), 7, "%s: error 7", what);
}

static void test_entry(void)
{
    bad(F_PROC3, PROC3_IPI | BIT(63), "a reserved tertiary control");
    bad(F_PID_TABLE, (u64)table + 4, "a table that is not aligned");
    bad(F_PID_TABLE, BIT(46) - 8, "a table that ends beyond memory");
    guest(g_store, 0, 1);
    vset(F_PROC, vget(F_PROC) & ~PROC_TPR_SHADOW);
    check_eq(vm_enter(), VM_FAIL_VALID, "IPI virtualization, no TPR shadow");
}

void test_main(void)
{
    vmx_on();
    start_ap(ap);
    wait_for(&ready);
    check_eq(rdmsr(MSR_VMX_PROC3), PROC3_IPI, "IA32_VMX_PROCBASED_CTLS3");
    check_eq(rdmsr(0x48a), 0x42, "the highest field");
    *(mem32 *)(APIC + 0xf0) |= 0x100;
    test_send();
    test_no_notification();
    test_exits();
    test_reserved();
    test_self();
    test_xapic();
    test_off();
    test_entry();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
