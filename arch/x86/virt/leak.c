// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that could not be made the host's again
 *
 * Firmware or a guest may still own them, so a write of the host would be a
 * fault. They are never freed, and counted, so that losing them shows.
 */
#define pr_fmt(fmt) "x86/leak: " fmt

#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/xarray.h>

#include <asm/leak.h>

/* First page of what was leaked -> number of pages; never shrinks */
static DEFINE_XARRAY_FLAGS(leak_pages, XA_FLAGS_LOCK_IRQ);
static atomic_long_t leak_nr_pages;

/*
 * Remember [@pfn, @pfn + @npages), which is one compound page or a single one.
 * If there is no memory for the record the pages may be counted twice, never
 * left out.
 */
static bool leak_record(u64 pfn, unsigned long npages)
{
	unsigned long flags;
	int ret;

	xa_lock_irqsave(&leak_pages, flags);
	ret = __xa_insert(&leak_pages, pfn, xa_mk_value(npages), GFP_ATOMIC);
	xa_unlock_irqrestore(&leak_pages, flags);
	if (ret == -EBUSY)
		return false;
	atomic_long_add(npages, &leak_nr_pages);
	return true;
}

unsigned long x86_leak_pages(u64 pfn, unsigned long npages)
{
	unsigned long counted = 0;
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
		if (leak_record(first, nr)) {
			/* Whatever its owner puts, this reference stays. */
			if (pfn_valid(pfn))
				get_page_unless_zero(head);
			counted += nr;
		}
		pfn = first + nr;
	}
	return counted;
}
EXPORT_SYMBOL_GPL(x86_leak_pages);

unsigned long x86_leaked_pages(void)
{
	return atomic_long_read(&leak_nr_pages);
}
EXPORT_SYMBOL_GPL(x86_leaked_pages);

/* Memory that comes back after it was offline is free, whatever references there were. */
static int leak_memory_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct memory_notify *mem = data;
	unsigned long first, end = mem->start_pfn + mem->nr_pages;
	void *entry;

	if (action != MEM_GOING_OFFLINE && action != MEM_GOING_ONLINE)
		return NOTIFY_OK;
	xa_for_each_range(&leak_pages, first, entry, 0, end - 1) {
		if (first + xa_to_value(entry) > mem->start_pfn) {
			pr_info("memory stays %sline: page %#lx is leaked\n",
				action == MEM_GOING_OFFLINE ? "on" : "off", first);
			return notifier_from_errno(-EBUSY);
		}
	}
	return NOTIFY_OK;
}

static int leak_get(void *data, u64 *val)
{
	*val = x86_leaked_pages();
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(leak_fops, leak_get, NULL, "%llu\n");

static int __init leak_init(void)
{
	hotplug_memory_notifier(leak_memory_notify, 0);
	debugfs_create_file_unsafe("leaked_pages", 0444, arch_debugfs_dir, NULL, &leak_fops);
	return 0;
}
late_initcall(leak_init);
