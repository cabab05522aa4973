// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coalesce 512 private pages of an SNP guest to one of 2 MiB in the RMP.
 *
 * The firmware does it, and only for pages that can't change: a page
 * that is valid and immutable is in the state Pre-Swap, from which
 * SNP_PAGE_RECLAIM leads back to what it was.
 */
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/psp-sev.h>
#include <linux/psp-snp.h>

#include <asm/snp_host.h>

#include "snp.h"

/* Coalesce pages that are pre-faulted, as long as the firmware knows how. */
static bool snp_coalesce_enabled = true;
module_param_named(sev_snp_unsmash, snp_coalesce_enabled, bool, 0644);

/*
 * Returns true if each page is the guest's, at its place, and validated.  The firmware
 * checks the permissions of VMPLs, and rejects pages that differ in them.
 */
static bool snp_coalesce_pages_alike(gpa_t gpa, kvm_pfn_t pfn, u32 asid)
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

/* A firmware that doesn't have the command is not asked again. */
static int snp_coalesce_in_firmware(kvm_pfn_t pfn)
{
	struct sev_data_snp_page_unsmash unsmash = { .paddr = PFN_PHYS(pfn) };
	int r, error = 0;

	r = sev_do_cmd(SEV_CMD_SNP_PAGE_UNSMASH, &unsmash, &error);
	if (r && (error == SEV_RET_UNSUPPORTED || error == SEV_RET_INVALID_COMMAND))
		WRITE_ONCE(snp_coalesce_enabled, false);
	return r;
}

static int snp_coalesce_pages(gpa_t gpa, kvm_pfn_t pfn, u32 asid)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < PTRS_PER_PMD && !r; i++) {
		r = rmp_make_private(pfn + i, gpa + i * PAGE_SIZE, PG_LEVEL_4K, asid, true);
		if (r)
			break;
	}

	if (!r)
		r = snp_coalesce_in_firmware(pfn);

	if (!r)
		snp_page_clear_immutable(pfn, PG_LEVEL_2M);
	else
		while (i--)
			snp_page_clear_immutable(pfn + i, PG_LEVEL_4K);
	return r;
}

/* &kvm_private_mem_ops.may_coalesce: true if the entries are small and all alike. */
bool snp_may_coalesce(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn)
{
	u32 asid = to_kvm_svm(kvm)->sev_info.asid;
	struct snp_rmp_state rmp;

	return READ_ONCE(snp_coalesce_enabled) &&
	       !snp_read_rmp(pfn, &rmp) && rmp.level == PG_LEVEL_4K &&
	       snp_coalesce_pages_alike(gfn_to_gpa(gfn), pfn, asid);
}

/*
 * snp_coalesce - &kvm_private_mem_ops.coalesce
 * @kvm:	the VM
 * @gfn:	of the first of the pages
 * @pfn:	the first of them, all in one folio, which is locked and not mapped
 *
 * Returns 0, or the error of RMPUPDATE or of the firmware.
 */
int snp_coalesce(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn)
{
	return snp_coalesce_pages(gfn_to_gpa(gfn), pfn, to_kvm_svm(kvm)->sev_info.asid);
}
