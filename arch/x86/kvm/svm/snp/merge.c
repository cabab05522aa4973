// SPDX-License-Identifier: GPL-2.0-only
/*
 * Un-smash: 512 private pages of an SNP guest become one of 2 MiB in the RMP.
 *
 * The firmware does it, and only for pages that can't change meanwhile: a page
 * that is valid and immutable is in the state Pre-Swap, from which
 * SNP_PAGE_RECLAIM leads back to what it was.
 */
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/psp-sev.h>
#include <linux/psp-snp.h>

#include <asm/snp_host.h>

#include "svm/svm.h"
#include "snp.h"

/* Coalesce pages that are pre-faulted, as long as the firmware knows how. */
static bool snp_unsmash_enabled = true;
module_param_named(sev_snp_unsmash, snp_unsmash_enabled, bool, 0644);

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

/* A firmware that doesn't have the command is not asked again. */
static int snp_fw_unsmash(kvm_pfn_t pfn)
{
	struct sev_data_snp_page_unsmash unsmash = { .paddr = PFN_PHYS(pfn) };
	int r, error = 0;

	r = sev_do_cmd(SEV_CMD_SNP_PAGE_UNSMASH, &unsmash, &error);
	if (r && (error == SEV_RET_UNSUPPORTED || error == SEV_RET_INVALID_COMMAND))
		WRITE_ONCE(snp_unsmash_enabled, false);
	return r;
}

static int snp_unsmash(gpa_t gpa, kvm_pfn_t pfn, u32 asid)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < PTRS_PER_PMD && !r; i++) {
		r = rmp_make_private(pfn + i, gpa + i * PAGE_SIZE, PG_LEVEL_4K, asid, true);
		if (r)
			break;
	}

	if (!r)
		r = snp_fw_unsmash(pfn);

	if (!r)
		snp_thaw(pfn, PG_LEVEL_2M);
	else
		while (i--)
			snp_thaw(pfn + i, PG_LEVEL_4K);
	return r;
}

/* &kvm_private_mem_ops.may_merge: true if the entries are small and all alike. */
bool snp_gmem_may_merge(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn)
{
	u32 asid = to_kvm_svm(kvm)->sev_info.asid;
	struct snp_rmp_state rmp;

	return READ_ONCE(snp_unsmash_enabled) &&
	       !snp_read_rmp(pfn, &rmp) && rmp.level == PG_LEVEL_4K &&
	       snp_pages_alike(gfn_to_gpa(gfn), pfn, asid);
}

/**
 * snp_gmem_merge - &kvm_private_mem_ops.merge
 * @kvm:	the VM
 * @gfn:	of the first of the pages
 * @pfn:	the first of them, all in one folio, which is locked and not mapped
 *
 * Returns 0, or the error of RMPUPDATE or of the firmware.
 */
int snp_gmem_merge(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn)
{
	return snp_unsmash(gfn_to_gpa(gfn), pfn, to_kvm_svm(kvm)->sev_info.asid);
}
