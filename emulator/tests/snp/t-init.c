/*
 * SEV-SNP tests: SNP_INIT, and the MSRs of two processors
 *
 * Runs with SYSCFG unlocked, so that it can be repeated, and without an IOMMU
 * and the firmware's check for it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "psp.h"

#define INVALID_CONFIG  3
#define SYSCFG_SNP      (SYSCFG_MFDM | SYSCFG_SMEE | SYSCFG_SNPEN | \
                         SYSCFG_VMPLEN)
#define MTRR            0x26b
#define ALL_WB          0x0606060606060606ULL

static mem32 ap_msr, ap_done;
static mem64 ap_val;

static void ap_set_msrs(void)
{
    for (;;) {
        while (!ap_msr) {
            asm volatile("pause");
        }
        wrmsr(ap_msr, ap_val);
        ap_msr = 0;
        ap_done = 1;
    }
}

static void set_other(u32 msr, u64 val)
{
    ap_val = val;
    ap_done = 0;
    ap_msr = msr;
    while (!ap_done) {
        asm volatile("pause");
    }
}

static void check_init(u32 status, const char *what)
{
    check_eq(psp_cmd(PSP_SNP_INIT, NULL, 0), status, "%s", what);
}

void test_main(void)
{
    u64 mtrr = rdmsr(MTRR), hwcr = rdmsr(MSR_HWCR);

    if (!check(psp_find(), "there is a security processor")) {
        return;
    }
    start_ap(ap_set_msrs);
    set_other(MTRR, mtrr);
    wrmsr(MSR_SYSCFG, SYSCFG_SNP);
    check_init(INVALID_CONFIG, "SNP is on on one processor only");
    set_other(MSR_SYSCFG, SYSCFG_SNP & ~SYSCFG_MFDM);
    check_init(INVALID_CONFIG, "init-mfdm: not set on the other one");
    set_other(MSR_SYSCFG, SYSCFG_SNP & ~SYSCFG_VMPLEN);
    check_init(INVALID_CONFIG, "init-vmpl: not set on the other one");
    set_other(MSR_SYSCFG, SYSCFG_SNP | SYSCFG_MFDE);
    check_init(INVALID_CONFIG, "init-msrs: SYSCFG");
    set_other(MSR_SYSCFG, SYSCFG_SNP);
    set_other(MTRR, mtrr == ALL_WB ? 0 : ALL_WB);
    check_init(INVALID_CONFIG, "init-msrs: a fixed MTRR");
    set_other(MTRR, mtrr);
    set_other(MSR_HWCR, hwcr ^ BIT(30));
    check_init(INVALID_CONFIG, "init-msrs: HWCR");
    set_other(MSR_HWCR, hwcr);
    check_init(0, "all is the same");
}
