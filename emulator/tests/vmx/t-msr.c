/*
 * VMX tests: MSRs that a processor lacks
 *
 * SDM: "Architectural MSRs", which has the feature that each MSR comes with. An
 * access to an MSR that does not exist is #GP, also in a guest if it does not
 * exit, and ends a VM entry that has it in a list. Processors without VMX read
 * 0, as QEMU always did.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_ARCH_CAPS   0x10a
#define MSR_MCG_CAP     0x179
#define MSR_MC0_CTL     0x400
#define MSR_MTRRCAP     0xfe
/* One that no processor of QEMU has: IA32_PM_ENABLE */
#define MSR_ABSENT      0x770

enum { EAX, EBX, ECX, EDX };

/* Where a feature is: a bit of CPUID, or of an MSR */
struct feature {
    u32 leaf, sub;
    int reg;
    u64 bits;
    u32 msr;
};

#define CPUID(leaf, sub, reg, bits)     { leaf, sub, reg, bits, 0 }
#define IN_MSR(msr, bits)               { 0, 0, 0, bits, msr }
#define PMU                             CPUID(0xa, 0, EAX, 0xff)
#define ARCH_CAP(n)                     IN_MSR(MSR_ARCH_CAPS, BIT(n))

static const struct {
    u32 first, last;
    struct feature any[2];
    const char *name;
} msrs[] = {
    { 0x6, 0x6, { CPUID(1, 0, ECX, BIT(3)) }, "IA32_MONITOR_FILTER_SIZE" },
    { 0x3b, 0x3b, { CPUID(7, 0, EBX, BIT(1)) }, "IA32_TSC_ADJUST" },
    { 0x87, 0x87, { CPUID(7, 0, ECX, BIT(13)) }, "key ids" },
    { 0x8c, 0x8f, { CPUID(7, 0, ECX, BIT(30)) }, "IA32_SGXLEPUBKEYHASH" },
    { 0x9e, 0x9e, {}, "IA32_SMBASE outside SMM" },
    { 0xbc, 0xbc, { ARCH_CAP(10) }, "IA32_MISC_PACKAGE_CTLS" },
    { 0xbd, 0xbd, { ARCH_CAP(21) }, "IA32_XAPIC_DISABLE_STATUS" },
    { 0xc1, 0xc8, { PMU }, "IA32_PMC" },
    { 0xe1, 0xe1, { CPUID(7, 0, ECX, BIT(5)) }, "IA32_UMWAIT_CONTROL" },
    { 0xe7, 0xe8, { CPUID(6, 0, ECX, BIT(0)) }, "IA32_MPERF, IA32_APERF" },
    { 0xfe, 0xfe, { CPUID(1, 0, EDX, BIT(12)) }, "IA32_MTRRCAP" },
    { 0x122, 0x122, { ARCH_CAP(7) }, "IA32_TSX_CTRL" },
    { 0x123, 0x123, { CPUID(7, 0, EDX, BIT(9)), ARCH_CAP(18) },
      "IA32_MCU_OPT_CTRL" },
    { 0x174, 0x176, { CPUID(1, 0, EDX, BIT(11)) }, "SYSENTER" },
    { 0x179, 0x17a, { CPUID(1, 0, EDX, BIT(14)) }, "machine check" },
    { 0x17b, 0x17b, { IN_MSR(MSR_MCG_CAP, BIT(8)) }, "IA32_MCG_CTL" },
    { 0x186, 0x18d, { PMU }, "IA32_PERFEVTSEL" },
    { 0x19a, 0x19c, { CPUID(1, 0, EDX, BIT(22)) }, "clock and temperature" },
    { 0x1b0, 0x1b0, { CPUID(6, 0, ECX, BIT(3)) }, "IA32_ENERGY_PERF_BIAS" },
    { 0x1b1, 0x1b2, { CPUID(6, 0, EAX, BIT(6)) }, "the package's temperature" },
    { 0x1c4, 0x1c5, { CPUID(0xd, 1, EAX, BIT(4)) }, "IA32_XFD" },
    { 0x1cc, 0x1d4, { CPUID(7, 1, EAX, BIT(17)) }, "FRED" },
    { 0x1f2, 0x1f3, { IN_MSR(MSR_MTRRCAP, BIT(11)) }, "SMRR" },
    { 0x1f8, 0x1fa, { CPUID(1, 0, ECX, BIT(18)) }, "DCA" },
    { 0x200, 0x20f, { CPUID(1, 0, EDX, BIT(12)) }, "variable MTRRs" },
    { 0x250, 0x250, { CPUID(1, 0, EDX, BIT(12)) }, "fixed MTRR, 64 KiB" },
    { 0x258, 0x259, { CPUID(1, 0, EDX, BIT(12)) }, "fixed MTRRs, 16 KiB" },
    { 0x268, 0x26f, { CPUID(1, 0, EDX, BIT(12)) }, "fixed MTRRs, 4 KiB" },
    { 0x277, 0x277, { CPUID(1, 0, EDX, BIT(16)) }, "IA32_PAT" },
    { 0x280, 0x29f, { IN_MSR(MSR_MCG_CAP, BIT(10)) }, "IA32_MC_CTL2" },
    { 0x2ff, 0x2ff, { CPUID(1, 0, EDX, BIT(12)) }, "IA32_MTRR_DEF_TYPE" },
    { 0x309, 0x30b, { PMU }, "IA32_FIXED_CTR" },
    { 0x345, 0x345, { CPUID(1, 0, ECX, BIT(15)) }, "IA32_PERF_CAPABILITIES" },
    { 0x38d, 0x391, { PMU }, "control of counters" },
    { 0x3f1, 0x3f1, { PMU }, "IA32_PEBS_ENABLE" },
    { 0x4c1, 0x4c8, { PMU }, "IA32_A_PMC" },
    { 0x4d0, 0x4d0, { IN_MSR(MSR_MCG_CAP, BIT(27)) }, "IA32_MCG_EXT_CTL" },
    { 0x500, 0x500, { CPUID(7, 0, EBX, BIT(2)) }, "IA32_SGX_SVN_STATUS" },
    { 0x560, 0x561, { CPUID(7, 0, EBX, BIT(25)) }, "RTIT, output" },
    { 0x570, 0x572, { CPUID(7, 0, EBX, BIT(25)) }, "RTIT, control" },
    { 0x580, 0x587, { CPUID(7, 0, EBX, BIT(25)) }, "RTIT, addresses" },
    { 0x600, 0x600, { CPUID(1, 0, EDX, BIT(21)) }, "IA32_DS_AREA" },
    { 0x6a0, 0x6a0, { CPUID(7, 0, ECX, BIT(7)), CPUID(7, 0, EDX, BIT(20)) },
      "IA32_U_CET" },
    { 0x6a2, 0x6a2, { CPUID(7, 0, ECX, BIT(7)), CPUID(7, 0, EDX, BIT(20)) },
      "IA32_S_CET" },
    { 0x6a4, 0x6a8, { CPUID(7, 0, ECX, BIT(7)) }, "shadow stacks" },
    { 0x6e0, 0x6e0, { CPUID(1, 0, ECX, BIT(24)) }, "IA32_TSC_DEADLINE" },
    { 0x6e1, 0x6e1, { CPUID(7, 0, ECX, BIT(31)) }, "IA32_PKRS" },
    { MSR_ABSENT, 0x774, { CPUID(6, 0, EAX, BIT(7)) }, "HWP" },
    { 0x981, 0x982, { CPUID(7, 0, ECX, BIT(13)) }, "TME" },
    { 0x985, 0x98a, { CPUID(7, 0, EDX, BIT(5)) }, "user interrupts" },
    { 0x990, 0x991, { CPUID(7, 0, ECX, BIT(23)) }, "Key Locker" },
    { 0xc80, 0xc80, { CPUID(1, 0, ECX, BIT(11)) }, "IA32_DEBUG_INTERFACE" },
    { 0xc8d, 0xc8e, { CPUID(7, 0, EBX, BIT(12)) }, "RDT monitoring" },
    { 0xc90, 0xc9f, { CPUID(7, 0, EBX, BIT(15)) }, "RDT allocation" },
    { 0xd90, 0xd90, { CPUID(7, 0, EBX, BIT(14)) }, "IA32_BNDCFGS" },
    { 0xda0, 0xda0, { CPUID(0xd, 1, EAX, BIT(3)) }, "IA32_XSS" },
    { 0xdb0, 0xdb2, { CPUID(6, 0, EAX, BIT(13)) }, "HDC" },
    { 0x1200, 0x121f, { CPUID(7, 0, EDX, BIT(19)) }, "IA32_LBR_INFO" },
    { 0x14ce, 0x14cf, { CPUID(7, 0, EDX, BIT(19)) }, "IA32_LBR_CTL" },
    { 0x1500, 0x151f, { CPUID(7, 0, EDX, BIT(19)) }, "IA32_LBR_FROM_IP" },
    { 0x1600, 0x161f, { CPUID(7, 0, EDX, BIT(19)) }, "IA32_LBR_TO_IP" },
    { 0x17d0, 0x17d1, { CPUID(6, 0, EAX, BIT(19)) }, "IA32_HW_FEEDBACK" },
    { 0x1b01, 0x1b01, { ARCH_CAP(12) }, "IA32_UARCH_MISC_CTL" },
    { 0x40000000, 0x400000ff, {}, "a hypervisor's MSRs" },
    { 0xc0000080, 0xc0000080, { CPUID(0x80000001, 0, EDX, BIT(20)) },
      "IA32_EFER" },
    { 0xc0000081, 0xc0000084, { CPUID(0x80000001, 0, EDX, BIT(29)) },
      "SYSCALL" },
    { 0xc0000100, 0xc0000102, { CPUID(0x80000001, 0, EDX, BIT(29)) },
      "bases of FS and GS" },
    { 0xc0000103, 0xc0000103,
      { CPUID(0x80000001, 0, EDX, BIT(27)), CPUID(7, 0, ECX, BIT(22)) },
      "IA32_TSC_AUX" },
};

/* Some of AMD's */
static const u32 others[] = { 0xc0010010, 0xc0010015, 0xc0010117, 0xc001011f };

static bool has(const struct feature *f)
{
    u32 r[4];
    u64 val;

    if (f->msr) {
        return try_rdmsr(f->msr, &val) == NO_TRAP && (val & f->bits);
    }
    asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                 : "a"(f->leaf), "c"(f->sub));
    return r[f->reg] & f->bits;
}

static bool has_vmx(void)
{
    static const struct feature vmx = CPUID(1, 0, ECX, BIT(5));

    return has(&vmx);
}

/* The first of these MSRs that is not as wanted, or 0 */
static u32 other_than(u32 first, u32 last, bool want)
{
    u32 msr;
    u64 val;

    for (msr = first; msr <= last; msr++) {
        if (try_rdmsr(msr, &val) != (want ? NO_TRAP : GP) ||
            (!want && try_wrmsr(msr, 0) != GP)) {
            return msr;
        }
    }
    return 0;
}

static void test_cpuid(void)
{
    int i, absent = 0;

    for (i = 0; i < ARRAY_SIZE(msrs); i++) {
        bool want = has(&msrs[i].any[0]) || has(&msrs[i].any[1]);

        absent += !want;
        check_eq(other_than(msrs[i].first, msrs[i].last, want), 0,
                 "%s: %s", msrs[i].name, want ? "there" : "#GP");
    }
    printf("# %u of %u absent\n", absent, (int)ARRAY_SIZE(msrs));
    check(absent > 20, "many are absent");
}

static void test_banks(void)
{
    u32 banks = rdmsr(MSR_MCG_CAP) & 0xff;

    check(banks > 0, "there are banks of machine checks");
    check_eq(other_than(MSR_MC0_CTL, MSR_MC0_CTL + 4 * banks - 1, true), 0,
             "their MSRs");
    check_eq(other_than(MSR_MC0_CTL + 4 * banks, MSR_MC0_CTL + 0x7f, false), 0,
             "and no others");
    check_eq(other_than(0x210, 0x213, false), 0, "MTRRs beyond IA32_MTRRCAP");
}

static void test_others(void)
{
    u32 r[4];
    int i;

    cpuid(0, r);
    if (r[1] != 0x756e6547) {
        return;
    }
    for (i = 0; i < ARRAY_SIZE(others); i++) {
        check_eq(other_than(others[i], others[i], false), 0,
                 "%x: of other processors than Intel's", others[i]);
    }
}

void g_rdmsr(void);
void g_vmcall(void);
asm(".pushsection .text\ng_rdmsr: rdmsr\ng_vmcall: vmcall\n.popsection");

static u8 PAGE_ALIGNED msr_bitmap[4096];
static u64 list[2] __attribute__((aligned(16)));

static void test_guest(void)
{
    vmx_on();
    vm_init(g_rdmsr);
    guest_regs[1] = MSR_ABSENT;
    vm_exits(X_RDMSR, "RDMSR of an absent MSR exits");
    vm_init(g_rdmsr);
    vset(F_MSR_BITMAP, (u64)msr_bitmap);
    vm_controls(0, PROC_MSR_BITMAPS, 0);
    vset(F_EXCEPTIONS, BIT(GP));
    guest_regs[1] = MSR_ABSENT;
    vm_exits(X_EXCEPTION, "it is an exception if it does not");
    check_eq(vget(F_INTR), INTR(3, GP) | INTR_ERROR, "#GP");
    vm_init(g_vmcall);
    list[0] = MSR_ABSENT;
    vset(F_ENTRY_MSR_LOAD, (u64)list);
    vset(F_ENTRY_MSR_LOAD_COUNT, 1);
    vm_exits(X_ENTRY_FAILED | X_MSR_LOAD, "a list with an absent MSR");
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}

static void test_without_vmx(void)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(msrs); i++) {
        /* As they are with or without VMX: IA32_XSS */
        if (msrs[i].first != 0xda0) {
            check_eq(other_than(msrs[i].first, msrs[i].last, true), 0,
                     "%s: no #GP", msrs[i].name);
        }
    }
}

void test_main(void)
{
    if (!has_vmx()) {
        test_without_vmx();
        return;
    }
    test_cpuid();
    test_banks();
    test_others();
    test_guest();
}
