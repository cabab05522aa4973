// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private pages of SNP guests: a page is prepared when the RMP assigns it to the
 * guest's ASID at its gpa, and reclaimed when the RMP says that it's the host's.
 *
 * The sizes of a page in the RMP and in the nested page tables are the same.
 * guest_memfd sees to that with the folio locked, for all VMs that map the page:
 * when snp_gmem_adjust_level() has split an entry, so is what is mapped of it, and
 * nothing is mapped while snp_coalesce() coalesces entries.
 */
#include <linux/kvm_host.h>
#include <linux/kvm_private_mem.h>
#include <linux/psp-snp.h>

#include <asm/snp_host.h>

#include "snp.h"

static enum pg_level snp_order_level(unsigned int order)
{
	return order ? PG_LEVEL_2M : PG_LEVEL_4K;
}

static int snp_gmem_prepare(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int order)
{
	return rmp_make_private(pfn, gfn_to_gpa(gfn), snp_order_level(order),
				to_kvm_svm(kvm)->sev_info.asid, false);
}

static bool snp_gmem_reclaim(kvm_pfn_t pfn, unsigned int order)
{
	bool assigned, ok = true;
	kvm_pfn_t last;
	int level;

	if (snp_lookup_rmpentry(pfn, &assigned, &level))
		return false;

	if (assigned && level == PG_LEVEL_2M) {
		if (order)
			return snp_page_reclaim(pfn, PG_LEVEL_2M);
		if (snp_page_split(pfn))
			return false;
	}

	for (last = pfn + (1UL << order) - 1; pfn <= last; pfn++)
		ok &= snp_page_reclaim(pfn, PG_LEVEL_4K);
	return ok;
}

/* Where RMP entry and mapping differ in size, the guest can't access the page. */
static int snp_gmem_adjust_level(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int *order)
{
	struct snp_rmp_state rmp;
	int r;

	r = snp_read_rmp(pfn, &rmp);
	if (!r && rmp.immutable) {
		/* Left immutable by the firmware: the guest could not access it. */
		snp_page_clear_immutable(rmp.level == PG_LEVEL_2M ?
					 round_down(pfn, PTRS_PER_PMD) : pfn, rmp.level);
		r = snp_read_rmp(pfn, &rmp);
	}
	if (r)
		return r;
	if (WARN_ON_ONCE(!rmp.assigned) || rmp.immutable)
		return -EIO;

	/* Bound at another place than the page is the guest's at: it could never access it. */
	if (rmp.asid != to_kvm_svm(kvm)->sev_info.asid ||
	    gpa_to_gfn(rmp.gpa) != (rmp.level == PG_LEVEL_2M ? round_down(gfn, PTRS_PER_PMD) : gfn))
		return -EFAULT;

	if (rmp.level == PG_LEVEL_4K) {
		*order = 0;
		return 0;
	}

	if (*order)
		return 0;

	/* Who holds the entry will be done with it soon. */
	r = snp_page_split(pfn);
	if (r)
		return r == -EBUSY ? -EAGAIN : r;
	return 1;
}

static const char *snp_gmem_audit(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int order)
{
	struct snp_rmp_state rmp;

	if (snp_read_rmp(pfn, &rmp))
		return "the RMP has no entry";
	if (!rmp.assigned)
		return "not assigned";
	if (rmp.asid != to_kvm_svm(kvm)->sev_info.asid)
		return "assigned to another ASID";
	if (rmp.level != snp_order_level(order))
		return "sizes differ in RMP and nested page table";
	if (gpa_to_gfn(rmp.gpa) != gfn)
		return "assigned to another gpa";
	return NULL;
}

static bool snp_gmem_is_owned(kvm_pfn_t pfn)
{
	bool assigned;
	int level;

	return !snp_lookup_rmpentry(pfn, &assigned, &level) && assigned;
}

const struct kvm_private_mem_ops snp_gmem_ops = {
	.prepare = snp_gmem_prepare,
	.reclaim = snp_gmem_reclaim,
	.adjust_level = snp_gmem_adjust_level,
	.may_coalesce = snp_may_coalesce,
	.coalesce = snp_coalesce,
	.unmapped = snp_gmem_unmapped,
	.may_share_inode = snp_gmem_may_share_inode,
	.skip_zeroing = true,
	.audit = snp_gmem_audit,
	.is_owned = snp_gmem_is_owned,
};
