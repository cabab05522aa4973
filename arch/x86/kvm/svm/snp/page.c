// SPDX-License-Identifier: GPL-2.0-only
/*
 * RMP entries of an SNP guest's pages: what the host, and the firmware for it, does to
 * them one by one.
 */
#include <linux/cacheflush.h>
#include <linux/kvm_host.h>
#include <linux/psp-sev.h>
#include <linux/psp-snp.h>

#include <asm/snp_host.h>

#include "snp.h"

/*
 * snp_page_reclaim - make a page the host's again
 * @pfn:	the page
 * @level:	of the page in the RMP
 *
 * The page may be in any state that a launch or a guest leaves it in: after a
 * launch that failed half way it may still be the firmware's.  Returns false if
 * neither RMPUPDATE nor the firmware releases it.
 *
 * Lines that the guest has written may be in the caches of all CPUs, dirty and tagged
 * with its key.  The CPUs keep them coherent with the host's view of the page
 * (SME_COHERENT, which all CPUs with SNP have): a write by the host never meets them,
 * and CLFLUSH by the host's address finds them.  A device does meet them: DMA to a page
 * that is in use for something else by then would be overwritten by a line of the
 * guest's.  Nothing else writes the page back before it is freed, as WBINVD comes with
 * the end of a VM, and pages go while it runs.  This is the one place that VMSAs of the
 * launch, pages with VMSAs of the guest and all others come through, after any launch.
 */
bool snp_page_reclaim(kvm_pfn_t pfn, enum pg_level level)
{
	if (snp_reclaim(pfn, level))
		return false;

	clflush_cache_range(pfn_to_kaddr(pfn), page_level_size(level));
	return true;
}

/*
 * Split the entry of 2 MiB around @pfn.  After a memory failure the pages of a chunk are
 * small folios, so that the lock of one of them keeps nobody from splitting the entry for
 * another one.
 */
int snp_page_split(kvm_pfn_t pfn)
{
	bool assigned;
	int level, r;

	r = psmash(round_down(pfn, PTRS_PER_PMD));
	if (r && !snp_lookup_rmpentry(pfn, &assigned, &level) && assigned && level == PG_LEVEL_4K)
		return 0;
	return r;
}

/* From Pre-Swap to Guest-Valid.  If it fails it's tried again by who comes next. */
void snp_page_clear_immutable(kvm_pfn_t pfn, enum pg_level level)
{
	struct sev_data_snp_page_reclaim reclaim = {
		.paddr = PFN_PHYS(pfn) | (level == PG_LEVEL_2M ? SNP_PAGE_ADDR_2M : 0),
	};

	sev_do_cmd(SEV_CMD_SNP_PAGE_RECLAIM, &reclaim, NULL);
}
