// SPDX-License-Identifier: GPL-2.0-only
/*
 * SNP guests in more than one VM: moved within the host, or with a mirror.
 *
 * A guest is an ASID and a context of the firmware, which belong to one VM, the owner.
 * Pages belong to the inodes of guest_memfd, and are assigned to the ASID: whichever VM
 * of the guest maps them, they are prepared, and validated.  The ASID has to last as
 * long as any of these inodes.  A file pins the VM it is of, so a VM that may have a
 * file keeps the owner: a mirror does, and so does the VM that a guest has been moved
 * from, which is a mirror without vCPUs from then on, and dead.
 *
 * Userspace has to say that it knows of the memory: to whom nothing but the context
 * is given, mainline says no.
 */
#include <linux/kvm_host.h>
#include <linux/moduleparam.h>
#include <linux/psp-sev.h>

#include "svm/sev_core.h"
#include "snp.h"

#include "vm_type.h"

/* Whether guests can be in more than one VM: off, moves and mirrors are refused. */
static bool snp_move_enabled = true;
module_param_named(sev_snp_move, snp_move_enabled, bool, 0444);

/* The KVM_ENC_CONTEXT_* of SNP VMs. */
u64 snp_enc_context_flags(void)
{
	return snp_move_enabled ? KVM_ENC_CONTEXT_SNP : 0;
}

static struct kvm_sev_info *snp_sev_info(struct kvm *kvm)
{
	return &to_kvm_svm(kvm)->sev_info;
}

/* True if @source can be moved.  Mirrors can't. */
bool snp_may_move(struct kvm *source, u64 flags)
{
	struct kvm_sev_info *sev = snp_sev_info(source);

	return flags == KVM_ENC_CONTEXT_SNP && sev->snp.finished && !sev->enc_context_owner;
}

/*
 * Userspace has to complete exits before a move: the destination can't, and without
 * an answer the guest would take the registers of its request for one.
 */
bool snp_may_move_vcpu(struct kvm_vcpu *source)
{
	lockdep_assert_held(&source->mutex);

	return !source->arch.complete_userspace_io;
}

/* VMSAs of the host's making come with the launch: for a mirror later is too late. */
bool snp_may_copy(struct kvm *source, u64 flags)
{
	struct kvm_snp *snp = &snp_sev_info(source)->snp;

	return flags == KVM_ENC_CONTEXT_SNP && snp->context && !snp->finished;
}

/*
 * snp_move_vcpu - the rest of what a vCPU has, after its vcpu_sev_es_state has moved
 * @dst:	the vCPU that has it now
 * @src:	the vCPU that had it
 *
 * The mutexes of all vCPUs of both VMs are held.
 */
void snp_move_vcpu(struct vcpu_svm *dst, struct vcpu_svm *src)
{
	mutex_init(&dst->sev_es.snp.ap_lock);
	snp_vcpu_create(src);

	/* A VMSA of the guest's is found again by the memslots of the other VM. */
	if (dst->sev_es.snp.vmsa_gpa != INVALID_PAGE)
		dst->vmcb->control.vmsa_pa = INVALID_PAGE;
	kvm_make_request(KVM_REQ_RELOAD_STATE, &dst->vcpu);
}

/*
 * snp_move - make a VM the owner of a guest
 * @dst:	the VM
 * @src:	the VM that was; has neither vCPUs nor mirrors of the guest any more
 *
 * Both kvm->lock, the mutexes of all vCPUs and sev_mirror_lock are held.  Nobody who
 * takes the latter has seen a part of the move.
 */
void snp_move(struct kvm *dst, struct kvm *src)
{
	struct kvm_sev_info *to = snp_sev_info(dst), *from = snp_sev_info(src);

	lockdep_assert_held(&dst->lock);
	lockdep_assert_held(&src->lock);
	lockdep_assert_held(&sev_mirror_lock);

	mutex_init(&to->snp.request_lock);

	to->snp.context = from->snp.context;
	WRITE_ONCE(to->snp.finished, true);
	to->snp.request_certs = from->snp.request_certs;
	to->snp.request = from->snp.request;
	to->snp.response = from->snp.response;
	from->snp.context = NULL;
	from->snp.request = NULL;
	from->snp.response = NULL;

	kvm_get_kvm(dst);
	from->active = true;
	from->enc_context_owner = dst;
	list_add_tail(&from->mirror_entry, &to->mirror_vms);

	WRITE_ONCE(dst->arch.can_pre_fault, true);
}

/* The VMSAs of a mirror are part of the launch of its owner's guest. */
static int snp_mirror_launch(struct kvm *kvm, struct kvm_sev_cmd *cmd)
{
	struct kvm_snp *owner;
	int r;

	r = sev_lock_all_vcpus(kvm);
	if (r)
		return r;

	mutex_lock(&sev_mirror_lock);
	owner = &snp_sev_info(snp_sev_info(kvm)->enc_context_owner)->snp;
	r = owner->finished ? -EINVAL : snp_vmsa_launch_all(kvm, owner->context, cmd);
	mutex_unlock(&sev_mirror_lock);

	sev_unlock_all_vcpus(kvm);
	return r;
}

/*
 * snp_mirror_ioctl - KVM_MEMORY_ENCRYPT_OP of a mirror
 * @kvm:	the mirror, with kvm->lock held
 * @cmd:	the command
 *
 * The memory of the guest is its owner's to launch.  Returns 0, -EINVAL for another
 * command than KVM_SEV_LAUNCH_UPDATE_VMSA or after the launch, -EBUSY if a vCPU is being
 * created, or the error of the firmware.
 */
int snp_mirror_ioctl(struct kvm *kvm, struct kvm_sev_cmd *cmd)
{
	lockdep_assert_held(&kvm->lock);

	return cmd->id == KVM_SEV_LAUNCH_UPDATE_VMSA ? snp_mirror_launch(kvm, cmd) : -EINVAL;
}

/* The guest of @kvm is launched: its mirrors may run, too. */
void snp_mirrors_finish(struct kvm *kvm)
{
	struct kvm_sev_info *sev = snp_sev_info(kvm), *mirror;

	lockdep_assert_held(&sev_mirror_lock);

	WRITE_ONCE(sev->snp.finished, true);
	list_for_each_entry(mirror, &sev->mirror_vms, mirror_entry)
		WRITE_ONCE(mirror->snp.finished, true);
}

/*
 * snp_firmware_request - SNP_GUEST_REQUEST with the context of a VM's guest
 * @kvm:	the VM, with request_lock held
 * @cmd:	the command, without the context
 * @fw_error:	set to the status of the firmware
 *
 * Returns 0 or an errno.
 */
int snp_firmware_request(struct kvm *kvm, struct sev_data_snp_guest_request *cmd, int *fw_error)
{
	struct kvm_sev_info *sev = snp_sev_info(kvm);
	int r;

	lockdep_assert_held(&sev->snp.request_lock);

	if (!sev->enc_context_owner) {
		cmd->gctx_paddr = __psp_pa(sev->snp.context);
		return sev_do_cmd(SEV_CMD_SNP_GUEST_REQUEST, cmd, fw_error);
	}

	/*
	 * The owner, and its context, stay as long as the lock is held.  A reference to the
	 * owner instead could be the last one, and destroy that VM from a vCPU of this one.
	 */
	mutex_lock(&sev_mirror_lock);
	cmd->gctx_paddr = __psp_pa(snp_sev_info(sev->enc_context_owner)->snp.context);
	r = sev_do_cmd(SEV_CMD_SNP_GUEST_REQUEST, cmd, fw_error);
	mutex_unlock(&sev_mirror_lock);
	return r;
}

/* True if two VMs have the same owner, or one of them is the other's. */
bool snp_gmem_may_share_inode(struct kvm *kvm, struct kvm *owner)
{
	struct kvm_sev_info *a = snp_sev_info(kvm), *b;
	bool same;

	if (!kvm_vm_type_is(kvm, KVM_X86_SNP_VM) || !kvm_vm_type_is(owner, KVM_X86_SNP_VM))
		return false;

	b = snp_sev_info(owner);
	mutex_lock(&sev_mirror_lock);
	same = a->active && b->active &&
	       (a->enc_context_owner ?: kvm) == (b->enc_context_owner ?: owner);
	mutex_unlock(&sev_mirror_lock);
	return same;
}
