// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filling guest_memfd with what a guest starts from.  The pages are given to the
 * guest with their content, in a way that only the VM type knows: one by one, or
 * huge pages where the source has all of one.
 */
#include <linux/mm.h>

#include "guest_memfd.h"

/*
 * Fill the page at @gfn, or all of the huge page that it begins if @nr pages of
 * user space are that many and nothing is in the way.  Returns how many.
 */
static long kvm_gmem_populate_pages(struct kvm *kvm, gfn_t gfn, struct page **pages,
				    unsigned int nr, const struct kvm_gmem_source *source)
{
	struct kvm_memory_slot *slot = gfn_to_memslot(kvm, gfn);
	struct kvm_gmem_view *view;
	unsigned int order;
	struct folio *folio;
	pgoff_t index;
	long r;

	if (!kvm_slot_has_gmem(slot) || !kvm_mem_is_private(kvm, gfn))
		return -EINVAL;

	view = READ_ONCE(slot->gmem.view);
	if (!view)
		return -EFAULT;

	/* What comes next to a small page later on may be huge. */
	order = slot->npages >= KVM_GMEM_CHUNK_PAGES ? KVM_GMEM_MAX_ORDER : 0;
	index = gfn - slot->base_gfn + slot->gmem.pgoff;
	folio = kvm_gmem_get_folio(view->inode, index, order);
	if (IS_ERR(folio))
		return PTR_ERR(folio);

	if (nr < KVM_GMEM_CHUNK_PAGES || !kvm_gmem_is_huge_private(kvm, slot, gfn) ||
	    !kvm_gmem_is_untouched(view->inode, folio))
		order = 0;

	if (PageHWPoison(folio_file_page(folio, index)))
		r = -EHWPOISON;
	else if (kvm_gmem_is_punched(to_gmem_inode(view->inode), index, order))
		r = -EAGAIN;
	else
		r = kvm_gmem_prepare_with(view->inode, kvm, gfn, folio, index, order, source,
					  pages);

	folio_unlock(folio);
	folio_put(folio);
	return r ?: 1L << order;
}

/*
 * Fill what comes next: up to @nr pages at @gfn, from @uaddr on.  Of user space's
 * pages the first has to be there; @pages has room for @nr.  Returns how many.
 */
static long kvm_gmem_populate_next(struct kvm *kvm, gfn_t gfn, unsigned long uaddr,
				   struct page **pages, unsigned int nr,
				   const struct kvm_gmem_source *source)
{
	int i, got;
	long r;

	if (!source->uaddr)
		return kvm_gmem_populate_pages(kvm, gfn, NULL, nr, source);

	got = get_user_pages_fast(uaddr, nr, source->write ? FOLL_WRITE : 0, pages);
	if (got <= 0)
		return -EFAULT;

	r = kvm_gmem_populate_pages(kvm, gfn, pages, got, source);
	for (i = 0; i < got; i++) {
		if (source->write)
			set_page_dirty_lock(pages[i]);
		put_page(pages[i]);
	}
	return r;
}

/**
 * kvm_gmem_populate - fill private memory before the guest runs
 * @kvm:	the VM
 * @gfn:	the first page
 * @npages:	how many
 * @source:	with what, and how
 *
 * kvm->slots_lock is held, which keeps the slots and the attributes.  The pages of
 * user space are taken before any lock that their fault might need.
 *
 * Returns how many pages have been filled, or if there is none an errno: -EINVAL
 * for gfns that are not private ones of a guest_memfd, -EEXIST for pages that are
 * the guest's already, -EFAULT for user space's address, -EINTR, -ENOMEM, -EAGAIN
 * if the page is being punched out, or that of @source->fill.
 */
long kvm_gmem_populate(struct kvm *kvm, gfn_t gfn, unsigned long npages,
		       const struct kvm_gmem_source *source)
{
	unsigned long uaddr = (unsigned long)source->uaddr, i = 0;
	unsigned long huge = 1UL << source->order;
	struct page **pages;
	unsigned int nr;
	long r = 0;

	lockdep_assert_held(&kvm->slots_lock);

	if (!PAGE_ALIGNED(uaddr))
		return -EINVAL;

	pages = kmalloc_array(huge, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;

	while (i < npages && r >= 0) {
		if (signal_pending(current)) {
			r = -EINTR;
			break;
		}

		nr = IS_ALIGNED(gfn + i, huge) && npages - i >= huge ? huge : 1;
		r = kvm_gmem_populate_next(kvm, gfn + i, uaddr + i * PAGE_SIZE, pages, nr, source);
		if (r > 0)
			i += r;
		cond_resched();
	}

	kfree(pages);
	return i ?: r;
}
EXPORT_SYMBOL_GPL(kvm_gmem_populate);
