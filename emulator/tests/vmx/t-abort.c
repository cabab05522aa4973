/*
 * VMX tests: VMX aborts, each of which resets the machine
 *
 * SDM: "VMX Aborts", "Saving MSRs", "Loading MSRs". The program is started
 * again after each reset, and memory behind it keeps what was seen.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define KEPT            0x20000000UL
#define VMCS            (KEPT + PAGE)
#define MAGIC           0x6162656d61786d76ULL
#define ABORT_SAVE      1
#define ABORT_LOAD      4
#define MSR_APIC_BASE   0x1b
#define APIC_EXTD       BIT(10)
#define MSR_X2APIC_ID   0x802
#define MSR_X2APIC_TPR  0x808

void g_vmcall(void);
asm(".pushsection .text\ng_vmcall: vmcall\n.popsection");

static const struct {
    u64 address, count;         /* fields of the list */
    u64 msr, val;
    bool x2apic;
    u32 indicator;
    const char *what;
} aborts[] = {
    { F_EXIT_MSR_STORE, F_EXIT_MSR_STORE_COUNT, MSR_X2APIC_ID, 0, false,
      ABORT_SAVE, "storing an x2APIC register in xAPIC mode" },
    { F_EXIT_MSR_LOAD, F_EXIT_MSR_LOAD_COUNT, MSR_X2APIC_TPR, 0, false,
      ABORT_LOAD, "loading an x2APIC register in xAPIC mode" },
    { F_EXIT_MSR_STORE, F_EXIT_MSR_STORE_COUNT, MSR_X2APIC_ID, 0, true,
      ABORT_SAVE, "storing an x2APIC register in x2APIC mode" },
    { F_EXIT_MSR_LOAD, F_EXIT_MSR_LOAD_COUNT, MSR_X2APIC_TPR, 0, true,
      ABORT_LOAD, "loading an x2APIC register in x2APIC mode" },
    { F_EXIT_MSR_LOAD, F_EXIT_MSR_LOAD_COUNT, MSR_VMX_BASIC, 0, false,
      ABORT_LOAD, "loading an MSR that is read-only" },
};

/* Over resets: what was begun, and what the VMCS had after it */
static volatile struct {
    u64 magic;
    u64 begun;
    u32 seen[ARRAY_SIZE(aborts)];
    u32 returned[ARRAY_SIZE(aborts)];
} *const kept = (void *)KEPT;

static u64 list[2] __attribute__((aligned(16)));

static void begin(int i)
{
    u64 vmcs;

    if (aborts[i].x2apic) {
        wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_EXTD);
    }
    vm_init(g_vmcall);
    list[0] = aborts[i].msr;
    list[1] = aborts[i].val;
    vset(aborts[i].address, (u64)list);
    vset(aborts[i].count, 1);
    vmptrst(&vmcs);
    vmclear(vmcs);
    memcpy((void *)VMCS, (void *)vmcs, PAGE);
    vmptrld(VMCS);
    vm_enter();
    kept->returned[i] = 1;
    vmclear(VMCS);
}

void test_main(void)
{
    int i;

    if (kept->magic != MAGIC) {
        memset((void *)KEPT, 0, 2 * PAGE);
        kept->magic = MAGIC;
    } else if (kept->begun) {
        kept->seen[kept->begun - 1] = *(mem32 *)(VMCS + 4);
    }
    vmx_enable();
    vmxon(vm_region(0));
    while (kept->begun < ARRAY_SIZE(aborts)) {
        begin(kept->begun++);
    }
    for (i = 0; i < ARRAY_SIZE(aborts); i++) {
        check_eq(kept->returned[i], 0, "%s: the host does not go on",
                 aborts[i].what);
        check_eq(kept->seen[i], aborts[i].indicator, "%s: VMX-abort indicator",
                 aborts[i].what);
    }
}
