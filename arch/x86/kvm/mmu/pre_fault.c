// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping of guest memory on behalf of user space, for KVM_PRE_FAULT_MEMORY.
 */
#include "mmu.h"
#include "mmu_internal.h"

/* Map the page at @gpa as a read would.  Returns 0 and the level, or an errno. */
static int kvm_mmu_pre_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code, u8 *level)
{
	int r;

	do {
		if (signal_pending(current))
			return -EINTR;
		if (kvm_test_request(KVM_REQ_VM_DEAD, vcpu))
			return -EIO;

		/* A fault with an obsolete root would be retried for ever. */
		if (kvm_check_request(KVM_REQ_MMU_FREE_OBSOLETE_ROOTS, vcpu))
			kvm_mmu_free_obsolete_roots(vcpu);
		r = kvm_mmu_reload(vcpu);
		if (r)
			return r;

		/* Shadow page tables are not indexed by gpa. */
		if (vcpu->arch.mmu->page_fault != kvm_tdp_page_fault)
			return -EOPNOTSUPP;

		cond_resched();
		r = kvm_mmu_do_page_fault(vcpu, gpa, error_code, true, NULL, level);
	} while (r == RET_PF_RETRY);

	switch (r) {
	case RET_PF_FIXED:
	case RET_PF_SPURIOUS:
		return 0;
	case RET_PF_EMULATE:
		return -ENOENT;
	default:
		return r < 0 ? r : -EIO;
	}
}

long kvm_arch_vcpu_pre_fault_memory(struct kvm_vcpu *vcpu,
				    const struct kvm_pre_fault_memory *range)
{
	u64 private_mask = vcpu->kvm->arch.private_fault_mask;
	u64 error_code = PFERR_GUEST_FINAL_MASK;
	u8 level = PG_LEVEL_4K;
	u64 end;
	int r;

	if (!READ_ONCE(vcpu->kvm->arch.can_pre_fault))
		return -EOPNOTSUPP;

	/* The fault that the guest would have, given what the gfn is. */
	if (private_mask && kvm_mem_is_private(vcpu->kvm, gpa_to_gfn(range->gpa)))
		error_code |= private_mask;

	/* Once, and not for each fault, since it may take long and still fail. */
	if (IS_ALIGNED(range->gpa, PMD_SIZE) && range->size >= PMD_SIZE)
		kvm_gmem_merge(vcpu->kvm, gpa_to_gfn(range->gpa));

	r = kvm_mmu_pre_fault(vcpu, range->gpa, error_code, &level);
	if (r)
		return r;

	end = (range->gpa & KVM_HPAGE_MASK(level)) + KVM_HPAGE_SIZE(level);
	return min(range->size, end - range->gpa);
}
