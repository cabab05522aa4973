// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults on private memory, and what guest_memfd has for them.
 *
 * A fault is private or shared from its beginning, see kvm_page_fault.kind, and is
 * compared with the attributes of the gfn.  If they differ the guest asks for a
 * conversion, which is for userspace to decide.  The attributes also limit the
 * level: a huge page is all private or all shared.
 */
#include <linux/kvm_mem_attributes.h>
#include <linux/kvm_private_mem.h>

#include "mmu.h"
#include "private.h"
#include "tdp_mmu.h"
#include "vm_type.h"

#include <trace/events/kvm_private_mem.h>

/* Exit to userspace, unless there is nobody who runs the vCPU. */
static void kvm_mmu_memory_fault_exit(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	if (fault->prefetch)
		return;

	kvm_prepare_memory_fault_exit(vcpu, gfn_to_gpa(fault->gfn), PAGE_SIZE,
				      fault->is_private);
	atomic64_inc(&vcpu->kvm->stat.memory_fault_exits);
}

/*
 * Decide what the fault is on, once and for all.  Returns false if userspace
 * made the gfn the other thing.
 */
static bool kvm_mmu_fault_classify(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	struct kvm_mem_attr_range attr;
	bool private;

	if (!kvm_arch_has_private_mem(vcpu->kvm))
		return true;

	kvm_mem_attributes_lookup(vcpu->kvm, fault->gfn, &attr);
	private = attr.attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE;
	fault->max_level = kvm_gfn_range_level(fault->gfn, attr.first, attr.last,
					       fault->max_level);

	switch (fault->kind) {
	case KVM_FAULT_SHARED:
		fault->is_private = false;
		break;
	case KVM_FAULT_PRIVATE:
		fault->is_private = true;
		break;
	case KVM_FAULT_VMM_DEFINED:
		fault->is_private = private;
		break;
	}

	return fault->is_private == private;
}

/* Get the pfn from guest_memfd, and how much of it can be mapped at once. */
static int kvm_mmu_faultin_gmem(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	unsigned int order = KVM_HPAGE_GFN_SHIFT(fault->max_level);
	int r;

	r = kvm_gmem_get_pfn(vcpu->kvm, fault->slot, fault->gfn, fault->is_private,
			     &order, &fault->pfn);
	if (r)
		return r;

	BUILD_BUG_ON(KVM_HPAGE_GFN_SHIFT(PG_LEVEL_2M) != KVM_GMEM_MAX_ORDER);
	fault->max_level = order == KVM_GMEM_MAX_ORDER ? PG_LEVEL_2M : PG_LEVEL_4K;
	fault->map_writable = true;
	fault->from_gmem = true;
	return 0;
}

int __kvm_mmu_faultin_private(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	int r = -EFAULT;

	if (kvm_mmu_fault_classify(vcpu, fault)) {
		if (!fault->is_private && !kvm_slot_is_gmem_only(fault->slot))
			return RET_PF_CONTINUE;

		if (kvm_slot_has_gmem(fault->slot))
			r = kvm_mmu_faultin_gmem(vcpu, fault);
	} else if (fault->prefetch) {
		/* The attributes have changed since the caller chose the error code. */
		return RET_PF_RETRY;
	}

	/*
	 * The page is going, and with it what is mapped of it.  Or there is a signal,
	 * which KVM_RUN sees before it tries again.
	 */
	if (r == -EAGAIN || r == -EINTR)
		return fault->prefetch ? r : RET_PF_RETRY;

	if (r)
		kvm_mmu_memory_fault_exit(vcpu, fault);
	return r ?: RET_PF_CONTINUE;
}

/*
 * kvm_mmu_finish_private_fault - account for a fault on private memory
 * @vcpu:	the vCPU that faulted
 * @fault:	the fault
 * @r:		RET_PF_* or an errno
 *
 * Returns @r, but for emulation: KVM can't read the instruction, and has no
 * MMIO in private memory.
 */
int kvm_mmu_finish_private_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault, int r)
{
	if (r == RET_PF_FIXED)
		atomic64_inc(&vcpu->kvm->stat.private_maps[fault->goal_level - 1]);

	trace_kvm_private_fault(vcpu->vcpu_id, fault->gfn, fault->pfn, fault->error_code,
				fault->goal_level, r);

	if (r == RET_PF_EMULATE) {
		kvm_mmu_memory_fault_exit(vcpu, fault);
		return -EFAULT;
	}

	return r;
}

static struct kvm_gfn_range kvm_mmu_huge_range(struct kvm_memory_slot *slot, gfn_t gfn)
{
	const gfn_t pages = KVM_PAGES_PER_HPAGE(PG_LEVEL_2M);

	return (struct kvm_gfn_range) {
		.slot = slot,
		.start = max(round_down(gfn, pages), slot->base_gfn),
		.end = min(round_down(gfn, pages) + pages, slot->base_gfn + slot->npages),
		.may_block = true,
	};
}

/*
 * Zap what is mapped in the huge page around @gfn.  With @split it stays mapped in small
 * pages, unless there is no memory for a page table; this may drop mmu_lock, but no fault
 * maps any of the gfns until they are no longer being invalidated.
 */
static void kvm_mmu_remap_huge_gfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn,
				   bool split)
{
	struct kvm_gfn_range range = kvm_mmu_huge_range(slot, gfn);
	bool flush = split;

	write_lock(&kvm->mmu_lock);
	kvm_gfn_invalidate_begin(kvm, range.start, range.end);
	if (!split || kvm_tdp_mmu_try_split_huge_pages(kvm, slot, range.start, range.end,
						       PG_LEVEL_4K, false))
		flush |= kvm_unmap_gfn_range(kvm, &range);
	if (flush)
		kvm_flush_remote_tlbs(kvm);
	kvm_gfn_invalidate_end(kvm);
	write_unlock(&kvm->mmu_lock);
}

/*
 * Zap what is mapped in the huge page around @gfn, which lies in @slot.  A fault that has
 * looked up its page before is retried.  Takes mmu_lock.
 */
void kvm_mmu_zap_huge_gfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn)
{
	kvm_mmu_remap_huge_gfn(kvm, slot, gfn, false);
}
EXPORT_SYMBOL_GPL(kvm_mmu_zap_huge_gfn);

void kvm_arch_split_huge_gfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn)
{
	kvm_mmu_remap_huge_gfn(kvm, slot, gfn, true);
}
EXPORT_SYMBOL_GPL(kvm_arch_split_huge_gfn);
