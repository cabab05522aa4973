// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEV guests that are told by their VM type: what KVM_SEV_INIT2 lets user space
 * choose, and the register state that user space may have set by then.
 */
#include <linux/kvm_host.h>
#include <linux/psp-sev.h>

#include "svm.h"
#include "vm_type.h"

/* SEV_FEATURES that user space can ask for: bits of the VMSA. */
static u64 sev_vmsa_features;

/**
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

	for (type = KVM_X86_SEV_VM; type <= KVM_X86_SNP_VM; type++)
		if (supported_types & BIT(type))
			kvm_vm_type_enable(type, type == KVM_X86_SNP_VM ? &snp_gmem_ops : NULL);
}

/**
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

/**
 * sev_guest_init2 - KVM_SEV_INIT2
 * @kvm:	of one of the SEV types, with kvm->lock held and no vCPU yet
 * @argp:	the command; its error is set if the firmware failed
 *
 * Returns 0; -EINVAL for a VM of another type, flags, and features or a version
 * of the GHCB that the guest can't have; -EBUSY if it has been done before, or
 * if there is no ASID left.
 */
int sev_guest_init2(struct kvm *kvm, struct kvm_sev_cmd *argp)
{
	unsigned int type = kvm->arch.vm_type->type;
	bool es = kvm->arch.has_protected_state;
	struct kvm_sev_init init;
	u16 ghcb_version = 0;

	lockdep_assert_held(&kvm->lock);

	if (type < KVM_X86_SEV_VM || type > KVM_X86_SNP_VM)
		return -EINVAL;

	if (copy_from_user(&init, u64_to_user_ptr(argp->data), sizeof(init)))
		return -EFAULT;

	if (init.flags || init.vmsa_features & ~(es ? sev_vmsa_features : 0))
		return -EINVAL;

	if (es)
		ghcb_version = sev_init2_ghcb_version(&init, type);
	if (es ? !ghcb_version : init.ghcb_version)
		return -EINVAL;

	if (type == KVM_X86_SNP_VM)
		init.vmsa_features |= SEV_FEAT_SNP_ACTIVE;

	return __sev_guest_init(kvm, argp, es, init.vmsa_features, ghcb_version);
}

/* May vCPUs of @kvm not run, as it isn't the guest yet that its type promises? */
bool sev_lacks_init(struct kvm *kvm)
{
	unsigned int type = kvm->arch.vm_type->type;

	return type >= KVM_X86_SEV_VM && type <= KVM_X86_SNP_VM &&
	       (!sev_guest(kvm) || snp_mirror_waits(kvm));
}

/**
 * sev_es_sync_fpu - give a VMSA the FPU state that user space has set
 * @svm:	the vCPU, with its mutex held, and not loaded
 * @save:	the VMSA, not yet encrypted
 *
 * The VMSA has x87, SSE and AVX state, as of XSAVE.  Components that are in
 * their initial configuration may hold anything in the buffer of the kernel.
 */
void sev_es_sync_fpu(struct vcpu_svm *svm, struct sev_es_save_area *save)
{
	const struct xregs_state *xsave = &svm->vcpu.arch.guest_fpu.fpstate->regs.xsave;
	const struct fxregs_state *fx = &xsave->i387;
	u64 present = xsave->header.xfeatures;
	unsigned int i;

	/* XSAVE keeps MXCSR outside of the components. */
	save->mxcsr = fx->mxcsr;
	save->x87_fcw = 0x37f;

	if (present & XFEATURE_MASK_FP) {
		save->x87_fcw = fx->cwd;
		save->x87_fsw = fx->swd;
		save->x87_ftw = fx->twd;
		save->x87_fop = fx->fop;
		save->x87_rip = fx->rip;
		save->x87_dp = fx->rdp;
		/* FXSAVE has 16 bytes for each register, the VMSA all mantissas first. */
		for (i = 0; i < 8; i++) {
			memcpy(save->fpreg_x87 + 8 * i, &fx->st_space[4 * i], 8);
			memcpy(save->fpreg_x87 + 64 + 2 * i, &fx->st_space[4 * i + 2], 2);
		}
	}

	if (present & XFEATURE_MASK_SSE)
		memcpy(save->fpreg_xmm, fx->xmm_space, sizeof(save->fpreg_xmm));

	/* The first of the extended components, compacted or not. */
	if (present & XFEATURE_MASK_YMM)
		memcpy(save->fpreg_ymm, xsave->extended_state_area, sizeof(save->fpreg_ymm));
}

/* The registers of the vCPU have been encrypted: the host's copies are nothing any more. */
void sev_es_protect_state(struct kvm_vcpu *vcpu)
{
	vcpu->arch.guest_state_protected = true;
	fpstate_set_confidential(&vcpu->arch.guest_fpu);
}
