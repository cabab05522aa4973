// SPDX-License-Identifier: GPL-2.0-only
/*
 * #NPFs caused by RMP violations.
 *
 * The MMU has already handled private/shared mismatches, and has mapped what was
 * not mapped.  What is left are sizes of pages that differ, and spurious faults,
 * i.e. those caused by a stale mapping.
 */
#include <linux/kvm_host.h>
#include <linux/kvm_mem_attributes.h>
#include <linux/kvm_private_mem.h>

#include "mmu/private.h"
#include "snp.h"

/*
 * Make the sizes of the page in the RMP and in the nested page table the same.  With
 * @split the guest has validated 4 KiB of a 2 MiB entry, which is split then.  No
 * other access shows which of the two sizes is the larger one: the RMP has the say,
 * and what is mapped otherwise goes.
 */
static int snp_rmp_fault_fix_mismatch(struct kvm_vcpu *vcpu, struct kvm_memory_slot *slot,
				      gfn_t gfn, bool split)
{
	struct kvm *kvm = vcpu->kvm;
	unsigned int order = 0;
	kvm_pfn_t pfn;
	int r;

	/* As a fault would ask for it, so that the next one maps what is found here. */
	if (!split && kvm_gmem_is_huge_private(kvm, slot, round_down(gfn, PTRS_PER_PMD)))
		order = KVM_GMEM_MAX_ORDER;

	r = kvm_gmem_get_pfn(kvm, slot, gfn, true, &order, &pfn);
	if (r == -EAGAIN || r == -EINTR)
		return 1;
	if (r) {
		kvm_prepare_memory_fault_exit(vcpu, gfn_to_gpa(gfn), PAGE_SIZE, true);
		return r == -EHWPOISON ? r : -EFAULT;
	}

	kvm_release_pfn_clean(pfn);
	if (order)
		kvm_mmu_zap_huge_gfn(kvm, slot, gfn);
	else
		kvm_arch_split_huge_gfn(kvm, slot, gfn);
	return 1;
}

/*
 * snp_rmp_fault - handle #NPF that has the RMP bit set
 * @vcpu:	the vCPU, of an SNP guest
 * @gpa:	of the access, without C-bit
 * @error_code:	PFERR_*
 *
 * Called after the MMU, if that sees no reason not to resume the guest.  kvm->srcu
 * is held for read.  Returns 1 to resume the guest, or a negative errno to exit to
 * userspace.
 */
int snp_rmp_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code)
{
	struct kvm_memory_slot *slot;
	gfn_t gfn = gpa_to_gfn(gpa);

	/* Only the guest, at a higher privilege, can grant the permission. */
	if (error_code & PFERR_GUEST_VMPL_MASK) {
		kvm_prepare_memory_fault_exit(vcpu, gfn_to_gpa(gfn), PAGE_SIZE, true);
		return -EFAULT;
	}

	slot = gfn_to_memslot(vcpu->kvm, gfn);
	if (!kvm_slot_has_gmem(slot) || slot->flags & KVM_MEMSLOT_INVALID)
		return 1;

	/* Another VM of the guest has made the page private: the next fault sees that. */
	if (!kvm_mem_is_private(vcpu->kvm, gfn)) {
		if (kvm_slot_is_gmem_only(slot))
			kvm_mmu_zap_huge_gfn(vcpu->kvm, slot, gfn);
		return 1;
	}

	return snp_rmp_fault_fix_mismatch(vcpu, slot, gfn, error_code & PFERR_GUEST_SIZEM_MASK);
}
