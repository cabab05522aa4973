// SPDX-License-Identifier: GPL-2.0-only
/*
 * The audit of private memory: what the TDP MMU has mapped.
 */
#include <linux/kvm_private_mem.h>

#include "mmu.h"
#include "mmu_internal.h"
#include "spte.h"
#include "tdp_iter.h"
#include "tdp_mmu.h"

static void kvm_mmu_audit_root(struct kvm *kvm, struct kvm_mmu_page *root,
			       struct kvm_gmem_audit *audit)
{
	struct kvm_memslots *slots = __kvm_memslots(kvm, kvm_mmu_page_as_id(root));
	struct kvm_memory_slot *slot;
	struct tdp_iter iter;
	unsigned int order;

	for_each_tdp_pte(iter, root, 0, kvm_mmu_max_gfn() + 1) {
		if (!is_shadow_present_pte(iter.old_spte) ||
		    !is_last_spte(iter.old_spte, iter.level))
			continue;

		/* guest_memfd has no larger ones. */
		order = KVM_HPAGE_GFN_SHIFT(min_t(int, iter.level, PG_LEVEL_2M));
		slot = __gfn_to_memslot(slots, iter.gfn);
		kvm_gmem_audit_mapping(audit, kvm, slot, iter.gfn,
				       spte_to_pfn(iter.old_spte), order);
	}
}

/* kvm_lock keeps the VM. */
void kvm_arch_audit_mappings(struct kvm *kvm, struct kvm_gmem_audit *audit)
{
	struct kvm_mmu_page *root;
	int idx;

	lockdep_assert_held(&kvm_lock);

	if (!is_tdp_mmu_enabled(kvm))
		return;

	idx = srcu_read_lock(&kvm->srcu);
	write_lock(&kvm->mmu_lock);
	rcu_read_lock();
	list_for_each_entry(root, &kvm->arch.tdp_mmu_roots, link)
		if (!root->role.invalid)
			kvm_mmu_audit_root(kvm, root, audit);
	rcu_read_unlock();
	write_unlock(&kvm->mmu_lock);
	srcu_read_unlock(&kvm->srcu, idx);
}
