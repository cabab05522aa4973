// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memslots that are bound to a guest_memfd, and the pages that faults get from
 * them.  See guest_memfd.c for the files and for the locks.
 */
#include <linux/kvm_mem_attributes.h>
#include <linux/kvm_private_mem.h>

#include "guest_memfd.h"
#include "kvm_mm.h"

/*
 * Unmap [@start, @end) of the inode from the VM of @view.
 *
 * Whatever makes the pages unavailable is in place before, and kept until they
 * are gone: a fault that finds the pages nevertheless has read the sequence
 * count before it changes here, and is retried.
 */
void kvm_gmem_view_unmap(struct kvm_gmem_view *view, pgoff_t start, pgoff_t end)
{
	const struct kvm_private_mem_ops *ops = to_gmem_inode(view->inode)->ops;
	struct kvm_gfn_range range = { .may_block = true };
	struct kvm_memory_slot *slot;
	struct kvm *kvm = view->kvm;
	unsigned long index = start;
	pgoff_t first, next;
	bool bound = false;

	mt_for_each(&view->bindings, slot, index, end - 1) {
		bound = true;
		first = max(start, slot->gmem.pgoff);
		next = min(end, slot->gmem.pgoff + slot->npages);

		range.slot = slot;
		range.start = slot->base_gfn + first - slot->gmem.pgoff;
		range.end = slot->base_gfn + next - slot->gmem.pgoff;

		KVM_MMU_LOCK(kvm);
		kvm_gfn_invalidate_begin(kvm, range.start, range.end);
		if (kvm_unmap_gfn_range(kvm, &range))
			kvm_flush_remote_tlbs(kvm);
		if (ops && ops->unmapped)
			ops->unmapped(kvm, range.start, range.end);
		kvm_gfn_invalidate_end(kvm);
		KVM_MMU_UNLOCK(kvm);
	}

	/* Caches may hold what the guest has written with its key. */
	if (bound)
		kvm_arch_guest_memory_reclaimed(kvm);
}

/* The same for all VMs. */
void kvm_gmem_unmap(struct kvm_gmem_inode *gi, pgoff_t start, pgoff_t end)
{
	struct kvm_gmem_view *view;

	mutex_lock(&gi->views_lock);
	list_for_each_entry(view, &gi->views, entry)
		kvm_gmem_view_unmap(view, start, end);
	mutex_unlock(&gi->views_lock);
}

/*
 * kvm_gmem_bind - bind a slot to the guest_memfd that was opened for it
 * @slot:	complete, but not yet visible to vCPUs
 *
 * Returns 0, -EEXIST if part of the range is bound already, or -ENOMEM.
 */
int kvm_gmem_bind(struct kvm_memory_slot *slot)
{
	struct kvm_gmem_view *view = slot->gmem.view;
	struct kvm_gmem_inode *gi = to_gmem_inode(view->inode);
	pgoff_t first = slot->gmem.pgoff, last = first + slot->npages - 1;
	MA_STATE(mas, &view->bindings, first, last);
	int r = -EEXIST;

	lockdep_assert_held(&view->kvm->slots_lock);

	mutex_lock(&gi->views_lock);
	if (!mas_find(&mas, last)) {
		mas_set_range(&mas, first, last);
		r = mas_preallocate(&mas, slot, GFP_KERNEL_ACCOUNT);
	}
	if (r)
		slot->gmem.view = NULL;
	else
		mas_store_prealloc(&mas, slot);
	mutex_unlock(&gi->views_lock);

	return r;
}

/*
 * kvm_gmem_unbind - end the binding of a slot
 * @slot:	invisible to vCPUs, with or without a guest_memfd
 *
 * slots_lock is held, unless the VM is being destroyed, when all files are gone.
 */
void kvm_gmem_unbind(struct kvm_memory_slot *slot)
{
	struct kvm_gmem_view *view = slot->gmem.view;
	MA_STATE(mas, NULL, slot->gmem.pgoff, slot->gmem.pgoff + slot->npages - 1);
	struct kvm_gmem_inode *gi;

	if (!view)
		return;

	lockdep_assert_held(&view->kvm->slots_lock);

	gi = to_gmem_inode(view->inode);
	mas.tree = &view->bindings;
	mutex_lock(&gi->views_lock);
	/* The slot is going to be freed, whatever memory there is. */
	mas_store_gfp(&mas, NULL, GFP_KERNEL | __GFP_NOFAIL);
	/* A hole does not find the slot any more: what it takes away is not used by then. */
	if (gi->ops && gi->ops->unmapped)
		gi->ops->unmapped(view->kvm, slot->base_gfn, slot->base_gfn + slot->npages);
	mutex_unlock(&gi->views_lock);
	slot->gmem.view = NULL;
}

/* True if slot and file allow the huge page around @gfn to be mapped as one. */
static bool kvm_gmem_slot_maps_huge(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	gfn_t first = round_down(gfn, KVM_GMEM_CHUNK_PAGES);

	return IS_ALIGNED(slot->base_gfn ^ slot->gmem.pgoff, KVM_GMEM_CHUNK_PAGES) &&
	       first >= slot->base_gfn &&
	       first + KVM_GMEM_CHUNK_PAGES <= slot->base_gfn + slot->npages;
}

/* True if the huge page that begins at @gfn is all private, and can be mapped as one. */
bool kvm_gmem_is_huge_private(struct kvm *kvm, const struct kvm_memory_slot *slot, gfn_t gfn)
{
	struct kvm_mem_attr_range range;

	if (!kvm_gmem_slot_maps_huge(slot, gfn))
		return false;

	kvm_mem_attributes_lookup(kvm, gfn, &range);
	return range.attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE &&
	       range.last - gfn >= KVM_GMEM_CHUNK_PAGES - 1;
}
EXPORT_SYMBOL_GPL(kvm_gmem_is_huge_private);

/* Only where the chunk that begins at @index is bound as a whole it can be mapped as one. */
static void kvm_gmem_slot_split(struct kvm *kvm, struct kvm_memory_slot *slot, pgoff_t index)
{
	gfn_t gfn = slot->base_gfn + index - slot->gmem.pgoff;

	if (index >= slot->gmem.pgoff && kvm_gmem_slot_maps_huge(slot, gfn))
		kvm_arch_split_huge_gfn(kvm, slot, gfn);
}

/* Have the chunk around @index mapped in small pages, by all VMs that map it. */
static void kvm_gmem_split_mappings(struct kvm_gmem_inode *gi, pgoff_t index)
{
	pgoff_t start = round_down(index, KVM_GMEM_CHUNK_PAGES);
	struct kvm_memory_slot *slot;
	struct kvm_gmem_view *view;
	unsigned long at;

	mutex_lock(&gi->views_lock);
	list_for_each_entry(view, &gi->views, entry) {
		at = start;
		mt_for_each(&view->bindings, slot, at, start + KVM_GMEM_CHUNK_PAGES - 1)
			kvm_gmem_slot_split(view->kvm, slot, start);
	}
	mutex_unlock(&gi->views_lock);
}

/*
 * Let the VM type decide at what level a prepared page can be mapped.  The folio is
 * locked until whatever is mapped of it has the size that the page has now.
 */
static int kvm_gmem_adjust_level(struct kvm_gmem_view *view, gfn_t gfn, struct folio *folio,
				 pgoff_t index, unsigned int *order)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(view->inode);
	int r;

	if (!gi->ops || !gi->ops->adjust_level)
		return 0;

	r = gi->ops->adjust_level(view->kvm, gfn, page_to_pfn(folio_file_page(folio, index)),
				  order);
	if (r <= 0)
		return r;

	kvm_gmem_allow_coalescing(gi, index);
	kvm_gmem_split_mappings(gi, index);
	return 0;
}

/*
 * True if a page of a file that the host can map may be shared.  One that hardware keeps
 * for the guest has to be punched out first.
 */
static bool kvm_gmem_may_share(struct inode *inode, pgoff_t index)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);

	return !gi->ops || !gi->ops->skip_zeroing ||
	       kvm_gmem_state(gi, index) != KVM_GMEM_PREPARED;
}

/* The page at hand is being punched out: don't fault again and again until that is done. */
static int kvm_gmem_wait_for_hole(struct inode *inode)
{
	if (down_read_interruptible(&inode->i_mapping->invalidate_lock))
		return -EINTR;
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return -EAGAIN;
}

/*
 * kvm_gmem_get_pfn - the page behind a gfn, for mapping it into the guest
 * @kvm:	the VM
 * @slot:	has a guest_memfd
 * @gfn:	in the slot
 * @private:	make the page the guest's own
 * @order:	in: the largest that is of use, out: how much can be mapped at once
 * @pfn:	set to the page frame of @gfn
 *
 * kvm->srcu is held for read, and kvm->mmu_invalidate_seq was read before.
 * Returns 0 with a reference to the page.  -EFAULT if the file is closed, or if the
 * page is to be shared and is the guest's own,
 * -EHWPOISON after a memory failure, -EAGAIN if the page is being punched out, -EINTR
 * if a signal comes while it waits for a hole, or the error of the allocation or of
 * the VM type.
 */
int kvm_gmem_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn,
		     bool private, unsigned int *order, kvm_pfn_t *pfn)
{
	pgoff_t index = gfn - slot->base_gfn + slot->gmem.pgoff;
	struct kvm_gmem_view *view = READ_ONCE(slot->gmem.view);
	struct folio *folio;
	int r;

	if (!view)
		return -EFAULT;

	/* A large folio is cheaper even if it has to be mapped in small pages. */
	*order = *order >= KVM_GMEM_MAX_ORDER && slot->npages >= KVM_GMEM_CHUNK_PAGES ?
		 KVM_GMEM_MAX_ORDER : 0;

	folio = kvm_gmem_get_folio(view->inode, index, *order);
	if (IS_ERR(folio))
		return PTR_ERR(folio);

	if (!kvm_gmem_slot_maps_huge(slot, gfn))
		*order = 0;

	*pfn = page_to_pfn(folio_file_page(folio, index));
	r = kvm_gmem_may_use(view->inode, folio, index, order);
	if (!r && !private && !kvm_gmem_may_share(view->inode, index))
		r = -EFAULT;
	if (!r && private)
		r = kvm_gmem_prepare(view->inode, kvm, gfn, folio, index, order);
	if (!r && private)
		r = kvm_gmem_adjust_level(view, gfn, folio, index, order);

	folio_unlock(folio);
	if (r)
		folio_put(folio);
	return r == -EAGAIN ? kvm_gmem_wait_for_hole(view->inode) : r;
}
EXPORT_SYMBOL_GPL(kvm_gmem_get_pfn);
