// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private pages of SNP guests: a page is prepared when the RMP assigns it to the
 * guest's ASID at its gpa, and reclaimed when the RMP says that it's the host's.
 *
 * The sizes of a page in the RMP and in the nested page tables are the same.
 * guest_memfd sees to that with the folio locked, for all VMs that map the page:
 * when snp_gmem_adjust_level() has split an entry, so is what is mapped of it, and
 * nothing is mapped while snp_gmem_merge() coalesces entries.
 */
#include <linux/cacheflush.h>
#include <linux/kvm_host.h>
#include <linux/psp-snp.h>

#include <asm/snp_host.h>

#include "svm/svm.h"
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

/**
 * snp_take_back - make a page the host's again
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
bool snp_take_back(kvm_pfn_t pfn, enum pg_level level)
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
static int snp_split_entry(kvm_pfn_t pfn)
{
	bool assigned;
	int level, r;

	r = psmash(round_down(pfn, PTRS_PER_PMD));
	if (r && !snp_lookup_rmpentry(pfn, &assigned, &level) && assigned && level == PG_LEVEL_4K)
		return 0;
	return r;
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
			return snp_take_back(pfn, PG_LEVEL_2M);
		if (snp_split_entry(pfn))
			return false;
	}

	for (last = pfn + (1UL << order) - 1; pfn <= last; pfn++)
		ok &= snp_take_back(pfn, PG_LEVEL_4K);
	return ok;
}

/* Where RMP entry and mapping differ in size, the guest can't access the page. */
static int snp_gmem_adjust_level(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int *order)
{
	struct snp_rmp_state rmp;
	int r;

	r = snp_read_rmp(pfn, &rmp);
	if (!r && rmp.immutable) {
		/* The firmware has not let go of it.  The guest could not go on. */
		snp_thaw(rmp.level == PG_LEVEL_2M ? round_down(pfn, PTRS_PER_PMD) : pfn,
			 rmp.level);
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
	r = snp_split_entry(pfn);
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
	.may_merge = snp_gmem_may_merge,
	.merge = snp_gmem_merge,
	.unmapped = snp_gmem_unmapped,
	.may_share_inode = snp_gmem_may_share_inode,
	.skip_zeroing = true,
	.audit = snp_gmem_audit,
	.is_owned = snp_gmem_is_owned,
};
