// SPDX-License-Identifier: GPL-2.0-only
/*
 * SNP guests: KVM_MEMORY_ENCRYPT_OP.
 */
#include <linux/kvm_host.h>

#include "snp.h"

static int snp_enable_request_certs(struct kvm *kvm, struct kvm_sev_cmd *cmd)
{
	struct kvm_snp *snp = &to_kvm_svm(kvm)->sev_info.snp;

	if (cmd->data || snp->finished)
		return -EINVAL;

	snp->request_certs = true;
	return 0;
}

/*
 * snp_vm_ioctl - KVM_MEMORY_ENCRYPT_OP of an SNP guest
 * @kvm:	the VM, with KVM_SEV_INIT2 done and kvm->lock held
 * @cmd:	the command
 *
 * Returns -EPERM for commands that are those of other guests, and -EINVAL for
 * those that don't exist or don't come in order.
 */
int snp_vm_ioctl(struct kvm *kvm, struct kvm_sev_cmd *cmd)
{
	lockdep_assert_held(&kvm->lock);

	if (to_kvm_svm(kvm)->sev_info.enc_context_owner)
		return snp_mirror_ioctl(kvm, cmd);

	if (cmd->id < KVM_SEV_SNP_LAUNCH_START)
		return -EPERM;

	switch (cmd->id) {
	case KVM_SEV_SNP_LAUNCH_START:
		return snp_launch_start(kvm, cmd);
	case KVM_SEV_SNP_LAUNCH_UPDATE:
		return snp_launch_update(kvm, cmd);
	case KVM_SEV_SNP_LAUNCH_FINISH:
		return snp_launch_finish(kvm, cmd);
	case KVM_SEV_SNP_ENABLE_REQ_CERTS:
		return snp_enable_request_certs(kvm, cmd);
	default:
		return -EINVAL;
	}
}
