/*
 * VMX tests: state that no processor of the emulator has
 *
 * CET, last branch records, performance counters, Processor Trace, user
 * interrupts and FRED are not announced, whatever the command line asks for. So
 * the controls of VM entries and VM exits that load, save, check or clear their
 * state must be 0, and its fields do not exist.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define CR4_CET     BIT(23)
#define CR4_UINTR   BIT(25)

void g_vmcall(void);
asm(".pushsection .text\ng_vmcall: vmcall\n.popsection");

static const struct {
    u64 field;                  /* controls */
    u32 msr;                    /* their capabilities */
    int bit;
    const char *what;
} controls[] = {
    { F_ENTRY, MSR_VMX_TRUE_ENTRY, 13, "entry: load IA32_PERF_GLOBAL_CTRL" },
    { F_ENTRY, MSR_VMX_TRUE_ENTRY, 16, "entry: load IA32_BNDCFGS" },
    { F_ENTRY, MSR_VMX_TRUE_ENTRY, 17, "entry: conceal VMX from PT" },
    { F_ENTRY, MSR_VMX_TRUE_ENTRY, 18, "entry: load IA32_RTIT_CTL" },
    { F_ENTRY, MSR_VMX_TRUE_ENTRY, 19, "entry: load UINV" },
    { F_ENTRY, MSR_VMX_TRUE_ENTRY, 20, "entry: load CET state" },
    { F_ENTRY, MSR_VMX_TRUE_ENTRY, 21, "entry: load IA32_LBR_CTL" },
    { F_ENTRY, MSR_VMX_TRUE_ENTRY, 23, "entry: load FRED state" },
    { F_EXIT, MSR_VMX_TRUE_EXIT, 12, "exit: load IA32_PERF_GLOBAL_CTRL" },
    { F_EXIT, MSR_VMX_TRUE_EXIT, 23, "exit: clear IA32_BNDCFGS" },
    { F_EXIT, MSR_VMX_TRUE_EXIT, 24, "exit: conceal VMX from PT" },
    { F_EXIT, MSR_VMX_TRUE_EXIT, 25, "exit: clear IA32_RTIT_CTL" },
    { F_EXIT, MSR_VMX_TRUE_EXIT, 26, "exit: clear IA32_LBR_CTL" },
    { F_EXIT, MSR_VMX_TRUE_EXIT, 27, "exit: clear UINV" },
    { F_EXIT, MSR_VMX_TRUE_EXIT, 28, "exit: load CET state" },
    { F_EXIT, MSR_VMX_TRUE_EXIT, 30, "exit: save IA32_PERF_GLOBAL_CTRL" },
    { F_EXIT, MSR_VMX_TRUE_EXIT, 31, "exit: activate secondary controls" },
};

static const struct {
    u64 field;
    const char *what;
} fields[] = {
    { 0x0814, "guest UINV" },
    { 0x2044, "secondary VM-exit controls" },
    { 0x2808, "guest IA32_PERF_GLOBAL_CTRL" },
    { 0x2812, "guest IA32_BNDCFGS" },
    { 0x2814, "guest IA32_RTIT_CTL" },
    { 0x2816, "guest IA32_LBR_CTL" },
    { 0x281a, "guest IA32_FRED_CONFIG" },
    { 0x2c04, "host IA32_PERF_GLOBAL_CTRL" },
    { 0x2c08, "host IA32_FRED_CONFIG" },
    { 0x6828, "guest IA32_S_CET" },
    { 0x682a, "guest SSP" },
    { 0x682c, "guest IA32_INTERRUPT_SSP_TABLE_ADDR" },
    { 0x6c18, "host IA32_S_CET" },
    { 0x6c1a, "host SSP" },
    { 0x6c1c, "host IA32_INTERRUPT_SSP_TABLE_ADDR" },
};

static void test_cpuid(void)
{
    u32 r[4];

    cpuid(7, r);
    check_eq(r[2] & BIT(7), 0, "CPUID: no shadow stacks");
    check_eq(r[3] & BIT(20), 0, "CPUID: no indirect branch tracking");
    check_eq(r[3] & BIT(19), 0, "CPUID: no last branch records");
    check_eq(r[3] & BIT(5), 0, "CPUID: no user interrupts");
    check_eq(r[1] & BIT(25), 0, "CPUID: no Processor Trace");
    cpuid(10, r);
    check_eq(r[0] & 0xff, 0, "CPUID: no performance counters");
}

static void test_controls(void)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(controls); i++) {
        const char *what = controls[i].what;
        u64 bit = BIT(controls[i].bit);

        check_eq(rdmsr(controls[i].msr) >> 32 & bit, 0, "%s: must be 0", what);
        vm_init(g_vmcall);
        vset(controls[i].field, vget(controls[i].field) | bit);
        check_eq(vm_enter(), VM_FAIL_VALID, "%s: the VM entry fails", what);
        check_eq(vget(F_INSN_ERROR), 7, "%s: error 7", what);
    }
}

static void test_fields(void)
{
    u64 val;
    int i;

    for (i = 0; i < ARRAY_SIZE(fields); i++) {
        check_eq(vmread(fields[i].field, &val), VM_FAIL_VALID,
                 "%s: VMREAD fails", fields[i].what);
        check_eq(vget(F_INSN_ERROR), 12, "%s: error 12", fields[i].what);
        check_eq(vmwrite(fields[i].field, 0), VM_FAIL_VALID,
                 "%s: VMWRITE fails", fields[i].what);
    }
}

static void test_cr4(u64 bit, const char *what)
{
    check_eq(rdmsr(MSR_VMX_CR4_FIXED1) & bit, 0, "%s: fixed to 0", what);
    vm_init(g_vmcall);
    vset(F_GUEST_CR4, read_cr4() | bit);
    vm_exits(X_ENTRY_FAILED | X_GUEST_STATE, what);
    vm_init(g_vmcall);
    vset(F_HOST_CR4, read_cr4() | bit);
    check_eq(vm_enter(), VM_FAIL_VALID, "%s of the host", what);
    check_eq(vget(F_INSN_ERROR), 8, "%s of the host: error 8", what);
}

void test_main(void)
{
    vmx_on();
    test_cpuid();
    test_controls();
    test_fields();
    test_cr4(CR4_CET, "CR4.CET");
    test_cr4(CR4_UINTR, "CR4.UINTR");
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
