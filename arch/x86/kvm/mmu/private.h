/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_MMU_PRIVATE_H
#define __KVM_X86_MMU_PRIVATE_H

#include <linux/kvm_mem_attributes.h>
#include <linux/kvm_private_mem.h>

#include "mmu_internal.h"
#include "vm_type.h"

/*
 * The highest level, up to @max_level, whose page around @gfn lies in the gfns
 * from @first to @last, inclusive.
 */
static inline u8 kvm_gfn_range_level(gfn_t gfn, gfn_t first, gfn_t last, u8 max_level)
{
	u8 level;

	for (level = max_level; level > PG_LEVEL_4K; level--) {
		gfn_t pages = KVM_PAGES_PER_HPAGE(level);
		gfn_t base = gfn & ~(pages - 1);

		if (base >= first && base + (pages - 1) <= last)
			break;
	}

	return level;
}

#ifdef CONFIG_KVM_GUEST_MEMFD
int __kvm_mmu_faultin_private(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault);
void kvm_mmu_zap_huge_gfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn);

/*
 * kvm_mmu_faultin_private - look up the page if it's guest_memfd's to give
 * @vcpu:	the vCPU that faulted
 * @fault:	with its slot, and the sequence count read
 *
 * RET_PF_CONTINUE with fault->from_gmem set: the pfn is found; not set: the
 * fault is one on memory of the VMM.  Else what the fault handler has to return.
 */
static inline int kvm_mmu_faultin_private(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	if (likely(!kvm_arch_has_private_mem(vcpu->kvm) && !kvm_slot_is_gmem_only(fault->slot)))
		return RET_PF_CONTINUE;

	return __kvm_mmu_faultin_private(vcpu, fault);
}

/*
 * True if the guest means memory of the other kind than what may be mapped.  Such a
 * fault is never spurious, whatever the SPTE allows.
 */
static inline bool kvm_mmu_fault_wants_conversion(struct kvm *kvm,
						  struct kvm_page_fault *fault)
{
	return kvm_arch_has_private_mem(kvm) && fault->kind != KVM_FAULT_VMM_DEFINED &&
	       kvm_mem_is_private(kvm, fault->gfn) != (fault->kind == KVM_FAULT_PRIVATE);
}

/*
 * True if the page that the fault is about to map is being invalidated.  Looks at all
 * of the huge page it may become.
 */
static inline bool kvm_mmu_fault_invalidated(struct kvm *kvm, struct kvm_page_fault *fault)
{
	gfn_t pages = KVM_PAGES_PER_HPAGE(fault->max_level);
	gfn_t base = fault->gfn & ~(pages - 1);

	return kvm_gfn_invalidate_in_range(kvm, base, base + pages);
}
#else
static inline int kvm_mmu_faultin_private(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	return RET_PF_CONTINUE;
}

static inline bool kvm_mmu_fault_wants_conversion(struct kvm *kvm,
						  struct kvm_page_fault *fault)
{
	return false;
}

static inline bool kvm_mmu_fault_invalidated(struct kvm *kvm, struct kvm_page_fault *fault)
{
	return false;
}
#endif /* CONFIG_KVM_GUEST_MEMFD */

#endif /* __KVM_X86_MMU_PRIVATE_H */
