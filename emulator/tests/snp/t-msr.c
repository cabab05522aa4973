/*
 * SEV-SNP tests: CPUID and MSRs of the hypervisor
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rmp.h"

#define MSR_SMM_KEY     0xc0010119
#define HWCR_SMMLOCK    BIT(0)
#define PAGE_OF_GUEST   0x10000000ULL
#define NOT_RAM         0xd0000000ULL

static void test_cpuid(void)
{
    u32 r[4], want = BIT(0) | BIT(1) | BIT(3) | BIT(4) | BIT(5);

    cpuid(1, r);
    check(!(r[2] & BIT(31)), "no hypervisor bit");
    cpuid(0x80000000, r);
    check(r[0] >= 0x8000001f, "CPUID Fn8000_001F exists");
    cpuid(0x80000007, r);
    check(r[3] & BIT(8), "the TSC is invariant");
    cpuid(0x8000001f, r);
    check_eq(r[0] & want, want, "SME, SEV, SEV-ES, SEV-SNP, VMPL");
    check((r[1] & 63) >= 32 && (r[1] & 63) < 52, "a C-bit in the addresses");
    check((r[1] >> 12 & 15) == 4, "4 VMPLs");
    check(r[3] > 1 && r[2] >= r[3], "ASIDs with and without SEV-ES");
    check(r[0] & BIT(27), "ALLOWED_SEV_FEATURES");
}

static void test_syscfg(void)
{
    u64 old = rdmsr(MSR_SYSCFG);

    check(old & SYSCFG_SMEE, "the BIOS has set SMEE");
    check(!(old & SYSCFG_SNPEN), "but not SNPEn");
    check_eq(try_wrmsr(MSR_SYSCFG, old | BIT(63)), GP, "SYSCFG reserved bit");
    check_eq(try_wrmsr(MSR_SYSCFG, old | SYSCFG_VMPLEN), GP,
             "VMPLEn without SNPEn");
    check_eq(try_wrmsr(MSR_SYSCFG, old & ~SYSCFG_SMEE), NO_TRAP, "clear SMEE");
    check_eq(rdmsr(MSR_SYSCFG), old & ~SYSCFG_SMEE, "it is clear");
    check_eq(try_wrmsr(MSR_SYSCFG, SYSCFG_SNPEN), GP, "SNPEn without SMEE");
    check_eq(try_wrmsr(MSR_SYSCFG, old | SYSCFG_MFDE), NO_TRAP, "set MFDE");
    check_eq(rdmsr(MSR_SYSCFG), old | SYSCFG_MFDE, "both are set");
}

static void test_rmp_range(void)
{
    u64 base = rdmsr(MSR_RMP_BASE), end = rdmsr(MSR_RMP_END);

    check(base && end > base, "the BIOS has set memory aside for the RMP");
    check(!(base & 0x1fff) && !((end + 1) & 0x1fff), "aligned to 8 KiB");
    check_eq(try_wrmsr(MSR_RMP_BASE, base | PAGE), GP,
             "RMP_BASE not aligned to 8 KiB");
    check_eq(try_wrmsr(MSR_RMP_BASE, base + 0x2000), NO_TRAP, "move RMP_BASE");
    check_eq(rdmsr(MSR_RMP_BASE), base + 0x2000, "it has moved");
    wrmsr(MSR_RMP_BASE, base);
    check_eq(try_wrmsr(MSR_RMP_END, end - 0x2000), NO_TRAP, "move RMP_END");
    check_eq(rdmsr(MSR_RMP_END), end - 0x2000, "it has moved");
    wrmsr(MSR_RMP_END, end);
}

static void test_others(void)
{
    u64 val;

    check_eq(try_rdmsr(MSR_SEV_STATUS, &val), NO_TRAP, "read SEV_STATUS");
    check_eq(val, 0, "0 in the host");
    check_eq(try_wrmsr(MSR_SEV_STATUS, 7), GP, "SEV_STATUS is read-only");
    check_eq(try_rdmsr(MSR_GHCB, &val), GP, "read GHCB in the host");
    check_eq(try_wrmsr(MSR_GHCB, PAGE), GP, "write GHCB in the host");
    check_eq(try_wrmsr(MSR_VM_PAGE_FLUSH, PAGE_OF_GUEST | 1), NO_TRAP,
             "VM_PAGE_FLUSH");
    check_eq(try_wrmsr(MSR_VM_PAGE_FLUSH, PAGE_OF_GUEST), GP,
             "VM_PAGE_FLUSH without an ASID");
    check(rdmsr(MSR_HWCR) & HWCR_SMMLOCK, "the BIOS has locked SMM");
    wrmsr(MSR_HWCR, rdmsr(MSR_HWCR) & ~HWCR_SMMLOCK);
    check(rdmsr(MSR_HWCR) & HWCR_SMMLOCK, "it stays locked");
}

static void test_exists(void)
{
    static const u32 missing[] = {
        0xc0010134, 0xc0010135, 0xc0010136, 0xc001013f, 0xc001f000,
    };
    u64 val;
    int i;

    for (i = 0; i < ARRAY_SIZE(missing); i++) {
        check_eq(try_rdmsr(missing[i], &val), GP, "msr-exists: read %x",
                 missing[i]);
        check_eq(try_wrmsr(missing[i], 0), GP, "msr-exists: write %x",
                 missing[i]);
    }
}

/* The extended types, RdMem and WrMem, exist only with MtrrFixDramModEn. */
static void test_fixed_mtrrs(void)
{
    u64 old = rdmsr(MSR_MTRR_FIX64K), syscfg = rdmsr(MSR_SYSCFG);

    check_eq(try_wrmsr(MSR_MTRR_FIX64K, 0x0605040100060606), NO_TRAP,
             "all types of fixed MTRRs");
    check_eq(try_wrmsr(MSR_MTRR_FIX64K, 0x0606060206060606), GP, "type 2");
    check_eq(try_wrmsr(MSR_MTRR_FIX64K, 0x0706060606060606), GP, "type 7");
    check_eq(try_wrmsr(MSR_MTRR_FIX64K, 0x0606060606060646), GP, "type 46h");
    wrmsr(MSR_SYSCFG, syscfg & ~SYSCFG_MFDM);
    check_eq(try_wrmsr(MSR_MTRR_FIX64K, 0x1e1e1e1e1e1e1e1e), GP,
             "RdMem and WrMem without MtrrFixDramModEn");
    wrmsr(MSR_SYSCFG, syscfg | SYSCFG_MFDM);
    check_eq(try_wrmsr(MSR_MTRR_FIX64K, 0x1e1e1e1e1e1e1e1e), NO_TRAP,
             "RdMem and WrMem");
    check_eq(rdmsr(MSR_MTRR_FIX64K), 0x1e1e1e1e1e1e1e1e, "they are set");
    check_eq(try_wrmsr(MSR_MTRR_FIX64K, 0x1e1e1e1e1e1e1e1a), GP,
             "type 2 with them");
    wrmsr(MSR_SYSCFG, syscfg & ~SYSCFG_MFDM);
    check_eq(rdmsr(MSR_MTRR_FIX64K), 0x0606060606060606,
             "not to be seen without MtrrFixDramModEn");
    wrmsr(MSR_MTRR_FIX64K, old);
    wrmsr(MSR_SYSCFG, syscfg);
}

static void check_locked(u32 msr, u64 val, const char *name)
{
    u64 old;

    try_rdmsr(msr, &old);
    check_eq(try_wrmsr(msr, val), GP, "syscfg-lock: %s is locked", name);
    check_eq(rdmsr(msr), old, "%s has not changed", name);
}

static void test_locked(void)
{
    u64 syscfg = rdmsr(MSR_SYSCFG);
    u64 writes[] = {
        0, SYSCFG_SMEE, SYSCFG_SMEE | SYSCFG_SNPEN, syscfg & ~SYSCFG_VMPLEN,
        syscfg ^ SYSCFG_MFDE, syscfg ^ BIT(20),
    };
    int i;

    check((syscfg & SYSCFG_SNPEN) && (syscfg & SYSCFG_VMPLEN), "SNP is on");
    for (i = 0; i < ARRAY_SIZE(writes); i++) {
        check_eq(try_wrmsr(MSR_SYSCFG, writes[i]), NO_TRAP,
                 "syscfg-lock: writing %lx", writes[i]);
        check_eq(rdmsr(MSR_SYSCFG), syscfg, "changes nothing");
    }
    check_locked(MSR_RMP_BASE, rdmsr(MSR_RMP_BASE) + 0x2000, "RMP_BASE");
    check_locked(MSR_RMP_END, rdmsr(MSR_RMP_END) - 0x2000, "RMP_END");
    check_locked(MSR_MTRR_FIX64K, 0, "MTRRfix64K");
    check_locked(MSR_MTRR_FIX4K_LAST, 0, "MTRRfix4K_F8000");
    check_locked(MSR_IORR_BASE0, 0x18, "IORR_BASE0");
    check_locked(MSR_TOP_MEM, 0x40000000, "TOP_MEM");
    check_locked(MSR_TOP_MEM2, 0x140000000, "TOP_MEM2");
    check_eq(try_wrmsr(MSR_SMM_KEY, 0), GP, "syscfg-lock: SMM_KEY");
}

static void test_hsave(void)
{
    rmp_assign(PAGE_OF_GUEST, 0, 5, false);
    check_eq(try_wrmsr(MSR_VM_HSAVE_PA, PAGE_OF_GUEST), GP,
             "vmrun-vmcb-page: VM_HSAVE_PA in a guest's page");
    rmp_share(PAGE_OF_GUEST, false);
    check_eq(try_wrmsr(MSR_VM_HSAVE_PA, PAGE_OF_GUEST), NO_TRAP,
             "VM_HSAVE_PA in the hypervisor's page");
    check_eq(rdmsr(MSR_VM_HSAVE_PA), PAGE_OF_GUEST, "it is set");
    check_eq(try_wrmsr(MSR_VM_HSAVE_PA, NOT_RAM), GP,
             "VM_HSAVE_PA that is not memory");
}

void test_main(void)
{
    test_cpuid();
    test_syscfg();
    test_rmp_range();
    test_others();
    test_exists();
    test_fixed_mtrrs();
    snp_enable();
    test_locked();
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    test_hsave();
}
