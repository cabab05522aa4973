// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEV guests that have a VM type of their own: what KVM_SEV_INIT2 lets userspace
 * choose.
 */
#include <linux/kvm_host.h>
#include <linux/psp-sev.h>

#include "sev_core.h"
#include "snp/snp.h"
#include "vm_type.h"

/* SEV_FEATURES that userspace can ask for: bits of the VMSA. */
static u64 sev_vmsa_features;

/*
 * sev_init2_setup - offer the VM types
 * @supported_types:	bit KVM_X86_*_VM for each
 * @supported_vmsa_features: what guests of SEV-ES and above can be given
 *
 * For the hardware setup.
 */
void sev_init2_setup(u64 supported_types, u64 supported_vmsa_features)
{
	unsigned int type;

	sev_vmsa_features = supported_vmsa_features;
	kvm_caps.snp_enc_context_flags = 0;
	if (supported_types & BIT(KVM_X86_SNP_VM))
		kvm_caps.snp_enc_context_flags = snp_enc_context_flags();

	for (type = KVM_X86_SEV_VM; type <= KVM_X86_SNP_VM; type++)
		if (supported_types & BIT(type))
			kvm_vm_type_enable(type, type == KVM_X86_SNP_VM ? &snp_gmem_ops : NULL);
}

/*
 * sev_dev_get_attr - KVM_GET_DEVICE_ATTR of the KVM device
 * @group:	KVM_X86_GRP_*
 * @attr:	in the group
 * @val:	the answer
 *
 * Returns 0, or -ENXIO if there is no such attribute.
 */
int sev_dev_get_attr(u32 group, u64 attr, u64 *val)
{
	if (group != KVM_X86_GRP_SEV)
		return -ENXIO;

	switch (attr) {
	case KVM_X86_SEV_VMSA_FEATURES:
		*val = sev_vmsa_features;
		return 0;
	case KVM_X86_SNP_POLICY_BITS:
		*val = snp_policy_mask();
		return 0;
	case KVM_X86_SEV_SNP_REQ_CERTS:
		*val = !!snp_policy_mask();
		return 0;
	default:
		return -ENXIO;
	}
}

/* The version of the GHCB protocol that the guest is limited to, 0 if it can't have it. */
static u16 sev_init2_ghcb_version(const struct kvm_sev_init *init, unsigned int type)
{
	if (init->ghcb_version > GHCB_VERSION_MAX ||
	    (type == KVM_X86_SNP_VM && init->ghcb_version == 1))
		return 0;

	return init->ghcb_version ?: GHCB_VERSION_MAX;
}

/*
 * Copy and check the parameters of KVM_SEV_INIT2.  @init is what the guest gets: the
 * features of the VMSAs with those that come with the VM type, and the version of the
 * GHCB protocol that the guest is limited to, 0 without SEV-ES.
 *
 * Returns 0; -EFAULT; or -EINVAL for a VM of another type, flags, and features or a
 * version of the GHCB that the guest can't have.
 */
int sev_init2_get_params(struct kvm *kvm, const struct kvm_sev_cmd *argp,
			 struct kvm_sev_init *init)
{
	unsigned int type = kvm->arch.vm_type->type;
	bool es = kvm->arch.has_protected_state;
	u16 ghcb_version = 0;

	lockdep_assert_held(&kvm->lock);

	if (type < KVM_X86_SEV_VM || type > KVM_X86_SNP_VM)
		return -EINVAL;

	if (copy_from_user(init, u64_to_user_ptr(argp->data), sizeof(*init)))
		return -EFAULT;

	if (init->flags || init->vmsa_features & ~(es ? sev_vmsa_features : 0))
		return -EINVAL;

	if (es)
		ghcb_version = sev_init2_ghcb_version(init, type);
	if (es ? !ghcb_version : init->ghcb_version)
		return -EINVAL;

	if (type == KVM_X86_SNP_VM)
		init->vmsa_features |= SEV_FEAT_SNP_ACTIVE;

	init->ghcb_version = ghcb_version;
	return 0;
}

/*
 * True if vCPUs of @kvm may run: it is the guest that its type promises and, with SNP,
 * has been launched (a mirror: its owner has).
 */
bool sev_vm_is_ready(struct kvm *kvm)
{
	unsigned int type = kvm->arch.vm_type->type;

	if (type == KVM_X86_SNP_VM)
		return READ_ONCE(to_kvm_svm(kvm)->sev_info.snp.finished);

	return (type != KVM_X86_SEV_VM && type != KVM_X86_SEV_ES_VM) || sev_guest(kvm);
}
