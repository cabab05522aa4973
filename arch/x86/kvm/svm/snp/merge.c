// SPDX-License-Identifier: GPL-2.0-only
/*
 * Un-smash: 512 private pages of an SNP guest become one of 2 MiB in the RMP.
 *
 * The firmware does it, and only for pages that can't change meanwhile: a page
 * that is valid and immutable is in the state Pre-Swap, from which
 * SNP_PAGE_RECLAIM leads back to what it was.
 */
#include <linux/kvm_host.h>
#include <linux/psp-sev.h>
#include <linux/psp-snp.h>

#include <asm/snp_host.h>

#include "mmu/private.h"
#include "svm/svm.h"
#include "snp.h"

/*
 * Is each page the guest's, at its place, and validated?  Permissions of VMPLs are
 * not looked at, the firmware refuses pages that differ in them.
 */
static bool snp_pages_alike(gpa_t gpa, kvm_pfn_t pfn, u32 asid)
{
	struct snp_rmp_state rmp;
	unsigned int i;

	for (i = 0; i < PTRS_PER_PMD; i++) {
		if (snp_read_rmp(pfn + i, &rmp) || !rmp.assigned || rmp.immutable ||
		    rmp.level != PG_LEVEL_4K || rmp.asid != asid || !rmp.validated ||
		    rmp.vmsa || rmp.gpa != gpa + i * PAGE_SIZE)
			return false;
	}
	return true;
}

/* From Pre-Swap to Guest-Valid.  If it fails it's tried again by who comes next. */
void snp_thaw(kvm_pfn_t pfn, enum pg_level level)
{
	struct sev_data_snp_page_reclaim reclaim = {
		.paddr = PFN_PHYS(pfn) | (level == PG_LEVEL_2M ? SNP_PAGE_ADDR_2M : 0),
	};

	sev_do_cmd(SEV_CMD_SNP_PAGE_RECLAIM, &reclaim, NULL);
}

static int snp_unsmash(gpa_t gpa, kvm_pfn_t pfn, u32 asid)
{
	struct sev_data_snp_page_unsmash unsmash = { .paddr = PFN_PHYS(pfn) };
	unsigned int i;
	int r = 0;

	for (i = 0; i < PTRS_PER_PMD && !r; i++) {
		r = rmp_make_private(pfn + i, gpa + i * PAGE_SIZE, PG_LEVEL_4K, asid, true);
		if (r)
			break;
	}

	if (!r)
		r = sev_do_cmd(SEV_CMD_SNP_PAGE_UNSMASH, &unsmash, NULL);

	if (!r)
		snp_thaw(pfn, PG_LEVEL_2M);
	else
		while (i--)
			snp_thaw(pfn + i, PG_LEVEL_4K);
	return r;
}

/**
 * snp_gmem_merge - &kvm_private_mem_ops.merge
 * @kvm:	the VM
 * @slot:	has the pages
 * @gfn:	of the first of them
 * @pfn:	the first of them, all in one folio, which is locked
 *
 * Returns -EAGAIN if the pages are not what the firmware wants, i.e. not all of
 * them are validated, or one of them is a VMSA; else the error of RMPUPDATE or of
 * the firmware.
 */
int snp_gmem_merge(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn, kvm_pfn_t pfn)
{
	u32 asid = to_kvm_svm(kvm)->sev_info.asid;
	gpa_t gpa = gfn_to_gpa(gfn);
	struct snp_rmp_state rmp;
	int r;

	r = snp_read_rmp(pfn, &rmp);
	if (r || rmp.level == PG_LEVEL_2M)
		return r;
	if (!snp_pages_alike(gpa, pfn, asid))
		return -EAGAIN;

	/*
	 * A mapping of 4 KiB is not one of an RMP entry of 2 MiB.  No other comes
	 * before the folio is unlocked.
	 */
	kvm_mmu_zap_huge_gfn(kvm, slot, gfn);
	return snp_unsmash(gpa, pfn, asid);
}
