// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that could not be made the host's again
 *
 * Firmware or a guest may still own them, so a write of the host would be a
 * fault. They are never freed, and counted, so that losing them shows.
 */
#define pr_fmt(fmt) "SEV-SNP: " fmt

#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/xarray.h>

#include "rmp.h"

/* First page of what was leaked -> number of pages; never shrinks */
static DEFINE_XARRAY_FLAGS(rmp_leaked, XA_FLAGS_LOCK_IRQ);
static atomic_long_t rmp_nr_leaked;

/*
 * Remember [@pfn, @pfn + @npages), which is one compound page or a single one.
 * If there is no memory for the record the pages may be counted twice, never
 * left out.
 */
static bool rmp_leak_record(u64 pfn, unsigned long npages)
{
	unsigned long flags;
	int ret;

	xa_lock_irqsave(&rmp_leaked, flags);
	ret = __xa_insert(&rmp_leaked, pfn, xa_mk_value(npages), GFP_ATOMIC);
	xa_unlock_irqrestore(&rmp_leaked, flags);
	if (ret == -EBUSY)
		return false;
	atomic_long_add(npages, &rmp_nr_leaked);
	return true;
}

void snp_leak_pages(u64 pfn, unsigned int npages)
{
	u64 end = pfn + npages;

	while (pfn < end) {
		struct page *head;
		unsigned long nr = 1;
		u64 first = pfn;

		if (pfn_valid(pfn)) {
			head = compound_head(pfn_to_page(pfn));
			nr = compound_nr(head);
			first = page_to_pfn(head);
		}
		if (rmp_leak_record(first, nr)) {
			/* Whatever its owner puts, this reference stays. */
			if (pfn_valid(pfn))
				get_page_unless_zero(head);
			snp_dump_rmp(pfn, "page leaked");
		}
		pfn = first + nr;
	}
}
EXPORT_SYMBOL_GPL(snp_leak_pages);

unsigned long snp_leaked_pages(void)
{
	return atomic_long_read(&rmp_nr_leaked);
}
EXPORT_SYMBOL_GPL(snp_leaked_pages);

static int rmp_leaked_get(void *data, u64 *val)
{
	*val = snp_leaked_pages();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(rmp_fops, rmp_leaked_get, NULL, "%llu\n");

void __init snp_leak_debugfs_init(void)
{
	debugfs_create_file_unsafe("snp_leaked_pages", 0444, arch_debugfs_dir, NULL, &rmp_fops);
}
