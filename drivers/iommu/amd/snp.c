// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEV-SNP: the buffers that an AMD IOMMU writes by itself
 *
 * From SNP_INIT_EX on, the event log, the PPR log and the page for completion
 * waits belong to the firmware, and the kernel can only read them. The firmware
 * takes them at their full size, and gives them back when SNP is shut down.
 */
#define pr_fmt(fmt) "AMD-Vi: " fmt

#include <linux/amd-iommu.h>
#include <linux/cache.h>
#include <linux/cpufeature.h>
#include <linux/init.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/sizes.h>

#include <asm/snp_host.h>

#include "amd_iommu.h"

/* Entries of both logs have 16 bytes, and a log at most 2^15 of them. */
#define LOG_ENTRY_SIZE	16
#define LOG_MAX_SIZE	SZ_512K
#define LOG_LEN_SHIFT	56

unsigned int amd_iommu_evt_log_size __ro_after_init = EVT_BUFFER_SIZE;
unsigned int amd_iommu_ppr_log_size __ro_after_init = PPR_LOG_SIZE;

/* The length field of a log's base register, for a @size in bytes */
u64 amd_iommu_log_len(unsigned int size)
{
	return (u64)ilog2(size / LOG_ENTRY_SIZE) << LOG_LEN_SHIFT;
}

/* Before the first log is allocated */
void __init amd_iommu_snp_size_logs(void)
{
	if (!boot_cpu_has(X86_FEATURE_SEV_SNP))
		return;
	amd_iommu_evt_log_size = LOG_MAX_SIZE;
	amd_iommu_ppr_log_size = LOG_MAX_SIZE;
}

#ifdef CONFIG_AMD_SEV_SNP_HOST

static void amd_iommu_snp_release_buffer(const char *what, void *buf, size_t size)
{
	u64 pfn, end;
	int ret;

	if (!buf)
		return;
	pfn = PHYS_PFN(iommu_virt_to_phys(buf));
	end = pfn + PFN_UP(size);
	for (; pfn < end; pfn++) {
		ret = rmp_make_shared(pfn, PG_LEVEL_4K);
		if (!ret)
			continue;
		pr_err("%s at pfn %#llx stays with the firmware (%d)\n", what, pfn, ret);
		/* In use for as long as the IOMMU is: never freed anyway. */
		snp_leak_pages(pfn, 1);
	}
}

/*
 * Make the kernel's again what the firmware has released.
 *
 * Context: may sleep; after SNP_SHUTDOWN_EX with iommu_snp_shutdown.
 */
void amd_iommu_snp_release(void)
{
	struct amd_iommu *iommu;

	if (!amd_iommu_snp_en)
		return;
	for_each_iommu(iommu) {
		amd_iommu_snp_release_buffer("event log", iommu->evt_buf, amd_iommu_evt_log_size);
		amd_iommu_snp_release_buffer("PPR log", iommu->ppr_log, amd_iommu_ppr_log_size);
		amd_iommu_snp_release_buffer("completion page", (void *)iommu->cmd_sem, PAGE_SIZE);
	}
}
EXPORT_SYMBOL_GPL(amd_iommu_snp_release);

#endif /* CONFIG_AMD_SEV_SNP_HOST */
