// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested page faults for the RMP's sake.
 *
 * The MMU has seen the fault before: it has mapped what wasn't mapped, and has
 * told user space if the guest takes for private what is shared, or the other way
 * round.  What is left are the sizes of pages, and faults that are out of date.
 */
#include <linux/kvm_host.h>

#include "mmu/private.h"
#include "svm/svm.h"
#include "snp.h"

/*
 * Look at the page again.  With @split the guest has validated a page of 4 KiB in
 * one of 2 MiB, or the page was split since it was mapped: get the entry in the RMP
 * split, if it's not, and the mapping as well.
 */
static int snp_look_again(struct kvm_vcpu *vcpu, struct kvm_memory_slot *slot, gfn_t gfn,
			  bool split)
{
	unsigned int order = split ? 0 : KVM_GMEM_MAX_ORDER;
	kvm_pfn_t pfn;
	int r;

	r = kvm_gmem_get_pfn(vcpu->kvm, slot, gfn, true, &order, &pfn);
	if (r == -EAGAIN)
		return 1;
	if (r) {
		kvm_prepare_memory_fault_exit(vcpu, gfn_to_gpa(gfn), PAGE_SIZE, true);
		return r == -EHWPOISON ? r : -EFAULT;
	}

	kvm_release_pfn_clean(pfn);
	if (split)
		kvm_mmu_split_huge_gfn(vcpu->kvm, slot, gfn);
	return 1;
}

/**
 * snp_rmp_fault - deal with #NPF that has the RMP bit set
 * @vcpu:	the vCPU, of an SNP guest
 * @gpa:	of the access, without C-bit
 * @error_code:	PFERR_*
 *
 * Called after the MMU, if that sees no reason not to resume the guest.  kvm->srcu
 * is held for read.  Returns as exit handlers do.
 */
int snp_rmp_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code)
{
	struct kvm_memory_slot *slot;
	gfn_t gfn = gpa_to_gfn(gpa);

	/* Nothing but the guest at a higher privilege can ever grant it. */
	if (error_code & PFERR_GUEST_VMPL_MASK) {
		kvm_prepare_memory_fault_exit(vcpu, gfn_to_gpa(gfn), PAGE_SIZE, true);
		return -EFAULT;
	}

	slot = gfn_to_memslot(vcpu->kvm, gfn);
	if (!kvm_slot_has_gmem(slot) || !kvm_mem_is_private(vcpu->kvm, gfn))
		return 1;

	/* If it's not the size, another vCPU has changed the entry or the mapping meanwhile. */
	return snp_look_again(vcpu, slot, gfn, error_code & PFERR_GUEST_SIZEM_MASK);
}
