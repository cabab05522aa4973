// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_PRE_FAULT_MEMORY: map guest memory before the guest touches it.
 */
#include <linux/kvm_host.h>

/* Map as much of @range as can be, and make @range the rest. */
static int kvm_vcpu_pre_fault_memory(struct kvm_vcpu *vcpu, struct kvm_pre_fault_memory *range)
{
	u64 size = range->size;
	long r = 0;
	int idx;

	if (range->flags || !range->size)
		return -EINVAL;
	if (!PAGE_ALIGNED(range->gpa) || !PAGE_ALIGNED(range->size) ||
	    range->gpa + range->size <= range->gpa)
		return -EINVAL;

	vcpu_load(vcpu);

	while (range->size) {
		if (signal_pending(current)) {
			r = -EINTR;
			break;
		}

		/* What is mapped writable is dirty: as when the guest is entered. */
		if (vcpu->kvm->dirty_ring_size && kvm_dirty_ring_soft_full(&vcpu->dirty_ring)) {
			r = -EAGAIN;
			break;
		}

		/* Not for all of the range: changes of slots wait. */
		idx = srcu_read_lock(&vcpu->kvm->srcu);
		r = kvm_arch_vcpu_pre_fault_memory(vcpu, range);
		srcu_read_unlock(&vcpu->kvm->srcu, idx);
		if (r <= 0)
			break;

		range->gpa += r;
		range->size -= r;
		cond_resched();
	}

	vcpu_put(vcpu);

	/* Progress is a success; what stopped it shows up in the next call. */
	return range->size == size ? r : 0;
}

/*
 * kvm_vcpu_ioctl_pre_fault_memory - KVM_PRE_FAULT_MEMORY
 * @vcpu:	the vCPU, with its mutex held
 * @argp:	the range, updated to what is left of it
 *
 * Returns 0 if at least one page was mapped.  -EINVAL for a bad range, -ENOENT
 * outside of memslots, -EINTR with a signal pending, -EAGAIN if the memslot is
 * being changed or the dirty ring is full, -EOPNOTSUPP if the VM or the mode of
 * the vCPU doesn't allow it, or an error of the page fault handler.
 */
int kvm_vcpu_ioctl_pre_fault_memory(struct kvm_vcpu *vcpu,
				    struct kvm_pre_fault_memory __user *argp)
{
	struct kvm_pre_fault_memory range;
	int r;

	if (copy_from_user(&range, argp, sizeof(range)))
		return -EFAULT;

	r = kvm_vcpu_pre_fault_memory(vcpu, &range);

	/* Reported even then, so that it's never behind what is mapped. */
	if (copy_to_user(argp, &range, sizeof(range)))
		return -EFAULT;
	return r;
}
