// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping of guest memory on behalf of userspace, for KVM_PRE_FAULT_MEMORY.
 */
#include <linux/kvm_mem_attributes.h>
#include <linux/kvm_private_mem.h>

#include "mmu.h"
#include "mmu_internal.h"
#include "spte.h"

/*
 * Returns true if the VMM has anonymous memory for the gfn that is not allocated yet.  A
 * read would map zeroes, 2 MiB of them with transparent huge pages.  The first write in
 * there would unmap all of that again, and each page would be a fault.
 */
static bool kvm_pre_fault_allocates(struct kvm *kvm, gfn_t gfn)
{
	struct kvm_memory_slot *slot = gfn_to_memslot(kvm, gfn);
	struct vm_area_struct *vma;
	unsigned long hva;
	struct page *page;
	bool ret;

	if (!slot || kvm_slot_is_gmem_only(slot) ||
	    slot->flags & (KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES | KVM_MEMSLOT_INVALID))
		return false;

	hva = gfn_to_hva_memslot(slot, gfn);
	if (get_user_page_fast_only(hva, 0, &page)) {
		put_page(page);
		return false;
	}

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, hva);
	ret = vma && vma_is_anonymous(vma) && vma->vm_flags & VM_WRITE;
	mmap_read_unlock(current->mm);
	return ret;
}

/* The fault that the guest would have, given what the gfn is. */
static u64 kvm_pre_fault_error_code(struct kvm *kvm, gfn_t gfn)
{
	u64 error_code = PFERR_GUEST_FINAL_MASK;

	if (kvm_mem_is_private(kvm, gfn))
		error_code |= kvm->arch.private_fault_mask;
	else if (kvm_arch_has_private_mem(kvm) && kvm_pre_fault_allocates(kvm, gfn))
		error_code |= PFERR_WRITE_MASK;

	return error_code;
}

/*
 * Map the page at @gpa as a fault would.  The error code is chosen anew for each try, as
 * the attributes may change at any time.  Returns 0 and the level, or an errno.
 */
static int kvm_mmu_pre_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u8 *level)
{
	u64 error_code;
	int r;

	do {
		if (signal_pending(current))
			return -EINTR;
		if (kvm_test_request(KVM_REQ_VM_DEAD, vcpu))
			return -EIO;

		/* A fault with an obsolete root would be retried forever. */
		if (kvm_check_request(KVM_REQ_MMU_FREE_OBSOLETE_ROOTS, vcpu))
			kvm_mmu_free_obsolete_roots(vcpu);
		/*
		 * Shadow page tables are not indexed by gpa.  Nor is a root of theirs loaded:
		 * that has an effect on the guest if it is in no memslot.
		 */
		if (vcpu->arch.mmu->page_fault != kvm_tdp_page_fault)
			return -EOPNOTSUPP;

		r = kvm_mmu_reload(vcpu);
		if (r)
			return r;

		/* Beyond what the page tables can map, gpas alias others. */
		if (gpa_to_gfn(gpa) >> (vcpu->arch.mmu->root_role.level * SPTE_LEVEL_BITS))
			return -ENOENT;

		cond_resched();
		error_code = kvm_pre_fault_error_code(vcpu->kvm, gpa_to_gfn(gpa));
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
	u8 level = PG_LEVEL_4K;
	u64 end;
	int r;

	if (!READ_ONCE(vcpu->kvm->arch.can_pre_fault))
		return -EOPNOTSUPP;

	/* Once, and not for each fault, since it may take long and still fail. */
	if (IS_ALIGNED(range->gpa, PMD_SIZE) && range->size >= PMD_SIZE)
		kvm_gmem_coalesce(vcpu->kvm, gpa_to_gfn(range->gpa));

	r = kvm_mmu_pre_fault(vcpu, range->gpa, &level);
	if (r)
		return r;

	end = (range->gpa & KVM_HPAGE_MASK(level)) + KVM_HPAGE_SIZE(level);
	return min(range->size, end - range->gpa);
}
