/*
 * AMD Secure Processor: the IOMMU's buffers
 *
 * The host cannot access the memory that the IOMMU writes by itself (logs,
 * completion store) while the IOMMU enforces SNP: these pages have a state of
 * their own, which no command accepts, and become Reclaim pages when
 * enforcement ends.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "hw/i386/amd_iommu.h"
#include "psp-internal.h"

bool psp_iommu_ready(void)
{
    AMDVIState *iommu = amdvi_snp_iommu();

    return iommu && amdvi_snp_ready(iommu);
}

bool psp_iommu_range_ok(void)
{
    AMDVIState *iommu = amdvi_snp_iommu();

    return !iommu || amdvi_snp_range_ok(iommu);
}

static void set_buffers(AmdPspState *s, AMDVIState *iommu,
                        const AmdRmpEntry *e)
{
    AMDVISnpBuffer buffers[AMDVI_SNP_BUFFERS];
    unsigned int i, n = amdvi_snp_buffers(iommu, buffers);
    hwaddr at;

    for (i = 0; i < n; i++) {
        for (at = 0; at < buffers[i].size; at += PSP_PAGE_SIZE) {
            if (amd_rmp_covered(s->snp, buffers[i].base + at)) {
                amd_rmp_set(s->snp, buffers[i].base + at, e);
            }
        }
    }
}

/* SNP_INIT: enforce SNP in the IOMMU. */
void psp_iommu_take(AmdPspState *s)
{
    const AmdRmpEntry own = {
        .assigned = true, .immutable = true,
        .gpa = psp_rule(s, PSP_RULE_IOMMU_PAGE) ? AMD_RMP_GPA_IOMMU : 0,
    };
    AMDVIState *iommu = amdvi_snp_iommu();

    if (iommu) {
        set_buffers(s, iommu, &own);
        amdvi_snp_enforce(iommu, true);
    }
}

/* SNP_SHUTDOWN_EX with IOMMU_SNP_SHUTDOWN */
void psp_iommu_release(AmdPspState *s)
{
    const AmdRmpEntry reclaim = { .assigned = true };
    AMDVIState *iommu = amdvi_snp_iommu();

    if (iommu) {
        set_buffers(s, iommu, &reclaim);
        amdvi_snp_enforce(iommu, false);
    }
}
