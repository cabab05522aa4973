// SPDX-License-Identifier: GPL-2.0-only
/*
 * Coalescing of huge pages of guest_memfd that were assigned to the guest in small
 * pages, or split since.
 */
#include <linux/kvm_private_mem.h>

#include "guest_memfd.h"

#include <trace/events/kvm_private_mem.h>

/* True if @folio is a large one, all of it is the guest's, and stays so while it's locked. */
static bool kvm_gmem_is_prepared(struct inode *inode, struct folio *folio)
{
	unsigned int order = KVM_GMEM_MAX_ORDER;

	return !kvm_gmem_may_use(inode, folio, folio->index, &order) && order &&
	       kvm_gmem_chunk_is(to_gmem_inode(inode), folio->index, KVM_GMEM_PREPARED);
}

/* A small mapping is not one of a huge page: none may be left, in any VM. */
static void kvm_gmem_coalesce_folio(struct kvm_gmem_view *view, gfn_t gfn, struct folio *folio)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(view->inode);
	kvm_pfn_t pfn = folio_pfn(folio);
	int r;

	kvm_gmem_unmap(gi, folio->index, folio_next_index(folio));
	r = gi->ops->coalesce(view->kvm, gfn, pfn);
	if (!r)
		kvm_gmem_set_prepared_huge(gi, folio);
	else
		kvm_gmem_refuse_coalescing(gi, folio->index);
	trace_kvm_gmem_coalesce(view->inode->i_ino, folio->index, gfn, pfn, KVM_GMEM_MAX_ORDER, r);
}

/*
 * kvm_gmem_coalesce - make a huge page one again, if it can be
 * @kvm:	the VM
 * @gfn:	its first gfn
 *
 * For userspace that asks for pages to be mapped as well as they can be: it's too
 * much work for what a guest can have done as often as it likes.  Faults of vCPUs
 * on the page wait for it.
 *
 * kvm->srcu is held for read.  Whatever comes of it, the page is the guest's as it
 * was before, but it may not be mapped any more; kvm_gmem_get_pfn() returns
 * its size.
 */
void kvm_gmem_coalesce(struct kvm *kvm, gfn_t gfn)
{
	struct kvm_memory_slot *slot = gfn_to_memslot(kvm, gfn);
	const struct kvm_private_mem_ops *ops;
	struct kvm_gmem_view *view;
	struct folio *folio;

	view = kvm_slot_has_gmem(slot) ? READ_ONCE(slot->gmem.view) : NULL;
	if (!view)
		return;

	ops = to_gmem_inode(view->inode)->ops;
	if (!ops || !ops->may_coalesce || !kvm_gmem_is_huge_private(kvm, slot, gfn))
		return;

	folio = filemap_lock_folio(view->inode->i_mapping,
				   gfn - slot->base_gfn + slot->gmem.pgoff);
	if (!folio)
		return;

	if (kvm_gmem_is_prepared(view->inode, folio) &&
	    !kvm_gmem_is_coalescing_refused(to_gmem_inode(view->inode), folio->index) &&
	    ops->may_coalesce(kvm, gfn, folio_pfn(folio)))
		kvm_gmem_coalesce_folio(view, gfn, folio);

	folio_unlock(folio);
	folio_put(folio);
}
