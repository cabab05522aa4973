// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMSAs of an SNP guest that the host makes: they are part of the launch, and
 * pages that only the guest and the firmware can write after it.
 */
#include <linux/kvm_host.h>
#include <linux/psp-sev.h>
#include <linux/psp-snp.h>

#include <asm/snp_host.h>

#include "svm/sev_core.h"
#include "snp.h"

/* Where the firmware measures VMSAs to be: the top of 48 bits of gpa. */
#define SNP_LAUNCH_VMSA_GPA	0xfffffffff000ULL

/* Measure and encrypt the registers of a vCPU; once, whatever comes after it. */
static int snp_vmsa_launch(struct kvm_vcpu *vcpu, void *context, struct kvm_sev_cmd *cmd)
{
	u32 asid = to_kvm_svm(vcpu->kvm)->sev_info.asid;
	struct sev_data_snp_launch_update update = {};
	struct vcpu_svm *svm = to_svm(vcpu);
	kvm_pfn_t pfn = __pa(svm->sev_es.vmsa) >> PAGE_SHIFT;
	int r;

	if (vcpu->arch.guest_state_protected)
		return 0;

	r = sev_es_sync_vmsa(svm);
	if (r)
		return r;

	r = rmp_make_private(pfn, SNP_LAUNCH_VMSA_GPA, PG_LEVEL_4K, asid, true);
	if (r)
		return r;

	update.gctx_paddr = __psp_pa(context);
	update.address = __sme_pa(svm->sev_es.vmsa);
	update.page_type = SNP_PAGE_TYPE_VMSA;
	r = __sev_issue_cmd(cmd->sev_fd, SEV_CMD_SNP_LAUNCH_UPDATE, &update, &cmd->error);
	if (r) {
		/* Freeing the vCPU tries again, and leaks the page if it has to. */
		snp_page_reclaim(pfn, PG_LEVEL_4K);
		return r;
	}

	sev_es_protect_state(vcpu);
	return 0;
}

/*
 * snp_vmsa_launch_all - have the firmware measure and encrypt all vCPUs of a VM
 * @kvm:	the VM, with kvm->lock and the mutexes of all vCPUs held
 * @context:	the guest context, in the launch
 * @cmd:	its error is set if the firmware failed
 *
 * Returns 0 or an errno; vCPUs that are encrypted by then stay so.
 */
int snp_vmsa_launch_all(struct kvm *kvm, void *context, struct kvm_sev_cmd *cmd)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	int r = 0;

	lockdep_assert_held(&kvm->lock);

	kvm_for_each_vcpu(i, vcpu, kvm) {
		r = snp_vmsa_launch(vcpu, context, cmd);
		if (r)
			break;
	}
	return r;
}

/* The VMSA of the launch; what the host doesn't get back is never freed. */
void snp_vmsa_reclaim(struct vcpu_svm *svm)
{
	kvm_pfn_t pfn;

	if (!svm->sev_es.vmsa)
		return;

	pfn = __pa(svm->sev_es.vmsa) >> PAGE_SHIFT;
	if (snp_page_reclaim(pfn, PG_LEVEL_4K))
		return;

	snp_leak_pages(pfn, 1);
	svm->sev_es.vmsa = NULL;
}
