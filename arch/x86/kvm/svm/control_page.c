// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that CPUs mark as in use on an SEV-SNP host
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include "sev_core.h"

/*
 * sev_alloc_control_page - a page that CPUs mark as in use
 * @gfp:	GFP_*
 *
 * For all that VMRUN marks in the RMP until the #VMEXIT, of any guest: VMCBs, VMSAs,
 * host save areas, and the backing pages and tables of AVIC.  If such a page is at the
 * start of 2 MiB, some CPUs take all of the 2 MiB for in use: writes through a large
 * mapping, and RMPUPDATE of 2 MiB, fail.  The page is therefore never there.  Free it
 * with __free_page().
 */
struct page *sev_alloc_control_page(gfp_t gfp)
{
	struct page *page;

	if (!boot_cpu_has(X86_FEATURE_SEV_SNP))
		return alloc_page(gfp | __GFP_ZERO);

	page = alloc_pages(gfp | __GFP_ZERO, 1);
	if (!page)
		return NULL;

	split_page(page, 1);
	if (IS_ALIGNED(page_to_pfn(page), PTRS_PER_PMD)) {
		__free_page(page);
		return page + 1;
	}

	__free_page(page + 1);
	return page;
}
