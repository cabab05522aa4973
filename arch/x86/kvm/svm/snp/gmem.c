// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private pages of SNP guests: a page is prepared when the RMP assigns it to the
 * guest's ASID at its gpa, and reclaimed when the RMP says that it's the host's.
 *
 * The sizes of a page in the RMP and in the nested page tables are the same,
 * always.  Who maps a page of 4 KiB out of an RMP entry of 2 MiB splits the entry
 * first; a mapping of 2 MiB that exists elsewhere is found by the next access
 * through it, which is an RMP violation.
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
 */
bool snp_take_back(kvm_pfn_t pfn, enum pg_level level)
{
	if (snp_reclaim(pfn, level))
		return false;

	if (!boot_cpu_has(X86_FEATURE_SME_COHERENT))
		clflush_cache_range(pfn_to_kaddr(pfn), page_level_size(level));
	return true;
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
		if (psmash(round_down(pfn, PTRS_PER_PMD)))
			return false;
	}

	for (last = pfn + (1UL << order) - 1; pfn <= last; pfn++)
		ok &= snp_take_back(pfn, PG_LEVEL_4K);
	return ok;
}

static int snp_gmem_fit(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int *order)
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
	r = psmash(round_down(pfn, PTRS_PER_PMD));
	return r == -EBUSY ? -EAGAIN : r;
}

const struct kvm_private_mem_ops snp_gmem_ops = {
	.prepare = snp_gmem_prepare,
	.reclaim = snp_gmem_reclaim,
	.fit = snp_gmem_fit,
	.merge = snp_gmem_merge,
	.unmapped = snp_gmem_unmapped,
	.may_link = snp_gmem_may_link,
	.encrypts = true,
};
