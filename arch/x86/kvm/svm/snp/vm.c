// SPDX-License-Identifier: GPL-2.0-only
/*
 * SNP guests: what a VM and its vCPUs have, from their creation to their end.
 */
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/psp-sev.h>
#include <linux/psp-snp.h>

#include <asm/snp_host.h>

#include "svm/sev_core.h"
#include "snp.h"

/* enable/disable SEV-SNP support */
static bool sev_snp_enabled = true;
module_param_named(sev_snp, sev_snp_enabled, bool, 0444);

#define SNP_POLICY_BITS	(SNP_POLICY_MASK_API_MINOR | SNP_POLICY_MASK_API_MAJOR |	\
			 SNP_POLICY_MASK_SMT | SNP_POLICY_MASK_RSVD_MBO |		\
			 SNP_POLICY_MASK_DEBUG | SNP_POLICY_MASK_SINGLE_SOCKET)

/* What a guest may ask of the platform, if the firmware knows it. */
static const struct {
	u32 feature;
	u64 policy;
} snp_policy_of_feature[] = {
	{ SNP_CXL_ALLOW_POLICY_SUPPORTED,	SNP_POLICY_MASK_CXL_ALLOW },
	{ SNP_AES_256_XTS_POLICY_SUPPORTED,	SNP_POLICY_MASK_MEM_AES_256_XTS },
	{ SNP_RAPL_DISABLE_SUPPORTED,		SNP_POLICY_MASK_RAPL_DIS },
	{ SNP_CIPHER_TEXT_HIDING_SUPPORTED,	SNP_POLICY_MASK_CIPHERTEXT_HIDING_DRAM },
};

/* The bits of a guest policy that a guest can be launched with, KVM_X86_SNP_POLICY_BITS. */
u64 snp_policy_mask(void)
{
	struct snp_feature_info info;
	u64 mask = SNP_POLICY_BITS;
	int i;

	if (!sev_snp_enabled)
		return 0;
	if (sev_snp_get_feature_info(&info))
		return mask;

	for (i = 0; i < ARRAY_SIZE(snp_policy_of_feature); i++)
		if (info.ecx & snp_policy_of_feature[i].feature)
			mask |= snp_policy_of_feature[i].policy;
	return mask;
}

/*
 * snp_hardware_setup - can there be SNP guests?
 * @sev:	there can be SEV guests
 * @sev_es:	and SEV-ES guests
 *
 * For the hardware setup, whatever it has found: sev_snp_enabled is the answer for
 * everyone who asks later, and what SNP depends on may be off.  On hosts with SNP the
 * firmware starts it ahead of SEV, and before there are VMs: don't leave that to the
 * first SEV guest, even if SNP guests are not wanted.
 */
bool snp_hardware_setup(bool sev, bool sev_es)
{
	int error = 0;

	if (sev && boot_cpu_has(X86_FEATURE_SEV_SNP))
		sev_platform_init(&error);

	sev_snp_enabled = sev_snp_enabled && sev_es && sev_is_snp_initialized();
	return sev_snp_enabled;
}

/* The part of KVM_SEV_INIT2 that is SNP's own.  Returns 0 or -ENOMEM. */
int snp_vm_init(struct kvm *kvm)
{
	struct kvm_snp *snp = &to_kvm_svm(kvm)->sev_info.snp;

	snp->request = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!snp->request)
		return -ENOMEM;

	snp->response = snp_alloc_firmware_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!snp->response) {
		free_page((unsigned long)snp->request);
		snp->request = NULL;
		return -ENOMEM;
	}

	mutex_init(&snp->request_lock);
	return 0;
}

/*
 * snp_decommission - end the firmware's part of a guest
 * @snp:	the guest; has no context any more if it succeeds
 *
 * Returns 0 or an errno. The ASID must not be used again before it was done.
 */
int snp_decommission(struct kvm_snp *snp)
{
	struct sev_data_snp_addr addr = {};
	int r;

	if (!snp->context)
		return 0;

	addr.address = __psp_pa(snp->context);

	/* Not between WBINVD and DF_FLUSH, which would want another WBINVD. */
	down_read(&sev_deactivate_lock);
	r = sev_do_cmd(SEV_CMD_SNP_DECOMMISSION, &addr, NULL);
	up_read(&sev_deactivate_lock);
	if (r)
		return r;

	snp_free_firmware_page(snp->context);
	snp->context = NULL;
	return 0;
}

/*
 * snp_vm_destroy - the guest is gone
 * @kvm:	the VM; no vCPU runs any more and no guest_memfd is left
 *
 * Sets sev_info.asid to 0 if the ASID can't be used again.
 */
void snp_vm_destroy(struct kvm *kvm)
{
	struct kvm_sev_info *sev = &to_kvm_svm(kvm)->sev_info;
	struct kvm_snp *snp = &sev->snp;
	struct kvm_vcpu *vcpu;
	unsigned long i;

	/* Nothing is assigned to the ASID when it's given up. */
	kvm_for_each_vcpu(i, vcpu, kvm)
		snp_vmsa_reclaim(to_svm(vcpu));

	if (snp->response)
		snp_free_firmware_page(snp->response);
	free_page((unsigned long)snp->request);

	if (snp_decommission(snp)) {
		pr_warn_ratelimited("SEV: SNP_DECOMMISSION failed, ASID %u is lost\n", sev->asid);
		sev->asid = 0;
		/* Counts the page, unless it comes back after all. */
		snp_free_firmware_page(snp->context);
		snp->context = NULL;
	}
}

void snp_vcpu_create(struct vcpu_svm *svm)
{
	struct vcpu_snp *snp = &svm->sev_es.snp;

	mutex_init(&snp->ap_lock);
	snp->ghcb_gpa = INVALID_PAGE;
	snp->vmsa_gpa = INVALID_PAGE;
	snp->next_vmsa = INVALID_PAGE;
	snp->init_vmsa = INVALID_PAGE;
}

void snp_vcpu_free(struct vcpu_svm *svm)
{
	kfree(svm->sev_es.snp.psc);

	/* One that never came to be part of the VM. */
	snp_vmsa_reclaim(svm);
}

/*
 * After SEV-ES has set up the VMCB: the VMSA may be the guest's own.  INIT doesn't bring
 * the launch's back to a vCPU that the guest has stopped.
 */
void snp_init_vmcb(struct vcpu_svm *svm)
{
	if (svm->sev_es.snp.vmsa_gpa == INVALID_PAGE && !svm->sev_es.snp.stopped)
		return;

	svm->vmcb->control.vmsa_pa = INVALID_PAGE;
	kvm_make_request(KVM_REQ_RELOAD_STATE, &svm->vcpu);
}
