// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEV-SNP: pages that the firmware may write
 *
 * RMPUPDATE makes a page firmware-owned (mark). SNP_PAGE_RECLAIM and another
 * RMPUPDATE make it hypervisor-owned again (reclaim). Pages that can't be reclaimed
 * are leaked and counted.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/psp-sev.h>

#include <asm/snp_host.h>

#include "psp-dev.h"
#include "sev-dev.h"
#include "sev-mailbox.h"
#include "sev-snp.h"

static int snp_fw_page_reclaim_locked(struct sev_device *sev, u64 pfn, enum pg_level level)
{
	unsigned int status = 0;
	int ret;

	/* SNP was never initialized: the page is a leftover of the kernel before. */
	if (!sev->snp_reclaim)
		return -ENODEV;

	sev->snp_reclaim->paddr = PFN_PHYS(pfn) | (level == PG_LEVEL_2M ? SNP_PAGE_ADDR_2M : 0);
	ret = sev_mailbox_locked(sev, SEV_CMD_SNP_PAGE_RECLAIM, __psp_pa(sev->snp_reclaim),
				 &status);
	return !ret && status ? -EIO : ret;
}

/*
 * Make @npages pages from @pfn on firmware-owned, until the first one that fails. *@marked
 * is their number. Returns -EPERM if one of them is not hypervisor-owned.
 */
int snp_fw_try_mark_pages_locked(u64 pfn, unsigned long npages, unsigned long *marked)
{
	struct snp_rmp_state state;
	int ret = 0;

	lockdep_assert_held(&sev_cmd_mutex);
	for (*marked = 0; *marked < npages; (*marked)++, pfn++) {
		ret = snp_read_rmp(pfn, &state);
		if (!ret && state.assigned)
			ret = -EPERM;
		if (!ret)
			ret = rmp_make_private(pfn, 0, PG_LEVEL_4K, 0, true);
		if (ret)
			break;
	}
	return ret;
}

/* The same, but all of them or none. */
int snp_fw_mark_pages_locked(struct sev_device *sev, u64 pfn, unsigned long npages)
{
	unsigned long marked;
	int ret;

	ret = snp_fw_try_mark_pages_locked(pfn, npages, &marked);
	if (ret)
		snp_fw_reclaim_pages_locked(sev, pfn, marked, NULL);
	return ret;
}

static int snp_fw_reclaim_page_locked(struct sev_device *sev, u64 pfn, enum pg_level level)
{
	struct snp_rmp_state state;
	int ret;

	ret = snp_read_rmp(pfn, &state);
	if (ret || !state.assigned)
		return ret;
	if (state.level != level)
		return -EEXIST;
	if (state.immutable) {
		ret = snp_fw_page_reclaim_locked(sev, pfn, level);
		if (ret)
			return ret;
	}
	return rmp_make_shared(pfn, level);
}

/*
 * Make @npages pages from @pfn on hypervisor-owned again. Those that can't be reclaimed
 * are leaked; where that has to wait, each sets a bit in @lost, and the caller leaks them.
 * Returns the last error.
 */
int snp_fw_reclaim_pages_locked(struct sev_device *sev, u64 pfn, unsigned long npages,
				unsigned long *lost)
{
	unsigned long i;
	int ret = 0;

	lockdep_assert_held(&sev_cmd_mutex);
	for (i = 0; i < npages; i++) {
		int err = snp_fw_reclaim_page_locked(sev, pfn + i, PG_LEVEL_4K);

		if (!err)
			continue;
		if (lost)
			__set_bit(i, lost);
		else
			snp_leak_pages(pfn + i, 1);
		ret = err;
	}
	return ret;
}

/* Allocate pages for @size bytes, next to each other, aligned to their number. */
struct page *snp_fw_alloc_buffer(gfp_t gfp, size_t size)
{
	unsigned int order = get_order(size);
	struct page *page = alloc_pages(gfp, order);

	/* Pages that are leaked must not keep the others from being freed. */
	if (page)
		split_page(page, order);
	return page;
}

/* Free a buffer of snp_fw_alloc_buffer(), in whatever state its pages are. */
void snp_fw_free_buffer_locked(struct sev_device *sev, struct page *page, size_t size)
{
	unsigned long i, npages = 1UL << get_order(size);

	for (i = 0; i < npages; i++) {
		if (!snp_fw_owns(page_address(page + i)) ||
		    !snp_fw_reclaim_pages_locked(sev, page_to_pfn(page + i), 1, NULL))
			__free_page(page + i);
	}
}

/* True if the page at @addr is not hypervisor-owned, or may not be. */
bool snp_fw_owns(const void *addr)
{
	struct snp_rmp_state state;
	int ret = snp_read_rmp(PHYS_PFN(__pa(addr)), &state);

	return ret ? ret != -ENODEV : state.assigned;
}

/*
 * Returns 1 if no page of a buffer is hypervisor-owned, 0 if all are, or -EIO for a buffer
 * that was marked, or reclaimed, in part.
 */
int snp_fw_owns_buffer(const void *addr, size_t size)
{
	unsigned long i, owned = 0, npages = PFN_UP(size);

	for (i = 0; i < npages; i++)
		owned += snp_fw_owns(addr + i * PAGE_SIZE);
	if (!owned)
		return 0;
	return owned == npages ? 1 : -EIO;
}

static struct sev_device *snp_fw_device(void)
{
	return psp_master ? psp_master->sev_data : NULL;
}

bool sev_is_snp_initialized(void)
{
	struct sev_device *sev = snp_fw_device();

	return sev && READ_ONCE(sev->snp_initialized);
}
EXPORT_SYMBOL_GPL(sev_is_snp_initialized);

void *snp_alloc_firmware_page(gfp_t gfp)
{
	struct page *page = alloc_page(gfp);

	if (!page || !sev_is_snp_initialized())
		return page ? page_address(page) : NULL;
	if (rmp_make_private(page_to_pfn(page), 0, PG_LEVEL_4K, 0, true)) {
		__free_page(page);
		return NULL;
	}
	return page_address(page);
}
EXPORT_SYMBOL_GPL(snp_alloc_firmware_page);

void snp_free_firmware_page(void *addr)
{
	if (!addr)
		return;
	if (snp_fw_owns(addr)) {
		u64 pfn = PHYS_PFN(__pa(addr));

		if (snp_reclaim_page(pfn)) {
			snp_leak_pages(pfn, 1);
			return;
		}
	}
	free_page((unsigned long)addr);
}
EXPORT_SYMBOL_GPL(snp_free_firmware_page);

int snp_reclaim(u64 pfn, enum pg_level level)
{
	struct sev_device *sev = snp_fw_device();
	struct snp_rmp_state state;
	int ret;

	ret = snp_read_rmp(pfn, &state);
	if (ret || !state.assigned)
		return ret;
	/* Only the owner of the page changes its entry: this is not a race. */
	if (!state.immutable)
		return state.level == level ? rmp_make_shared(pfn, level) : -EEXIST;
	if (!sev)
		return -ENODEV;
	mutex_lock(&sev_cmd_mutex);
	ret = snp_fw_reclaim_page_locked(sev, pfn, level);
	mutex_unlock(&sev_cmd_mutex);
	return ret;
}
EXPORT_SYMBOL_GPL(snp_reclaim);
