// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filling guest_memfd with what a guest starts from.  The pages are given to the
 * guest one by one with their content, in a way that only the VM type knows.
 */
#include <linux/mm.h>

#include "guest_memfd.h"

/* The page at @gfn, if user space has made it a private one of a guest_memfd. */
static struct folio *kvm_gmem_populate_folio(struct kvm *kvm, gfn_t gfn,
					     struct inode **inode, pgoff_t *index)
{
	struct kvm_memory_slot *slot = gfn_to_memslot(kvm, gfn);
	struct kvm_gmem_view *view;
	unsigned int order;

	if (!kvm_slot_has_gmem(slot) || !kvm_mem_is_private(kvm, gfn))
		return ERR_PTR(-EINVAL);

	view = READ_ONCE(slot->gmem.view);
	if (!view)
		return ERR_PTR(-EFAULT);

	*inode = view->inode;
	*index = gfn - slot->base_gfn + slot->gmem.pgoff;

	/* What comes next to the page later on may be huge; not this one. */
	order = slot->npages >= KVM_GMEM_CHUNK_PAGES ? KVM_GMEM_MAX_ORDER : 0;
	return kvm_gmem_get_folio(*inode, *index, order);
}

static int kvm_gmem_populate_page(struct kvm *kvm, gfn_t gfn, struct page *page,
				  const struct kvm_gmem_source *source)
{
	struct folio *folio;
	struct inode *inode;
	pgoff_t index;
	int r;

	folio = kvm_gmem_populate_folio(kvm, gfn, &inode, &index);
	if (IS_ERR(folio))
		return PTR_ERR(folio);

	if (PageHWPoison(folio_file_page(folio, index)))
		r = -EHWPOISON;
	else if (kvm_gmem_is_punched(to_gmem_inode(inode), index))
		r = -EAGAIN;
	else
		r = kvm_gmem_prepare_with(inode, kvm, gfn, folio, index, source, page);

	folio_unlock(folio);
	folio_put(folio);
	return r;
}

/**
 * kvm_gmem_populate - fill private memory before the guest runs
 * @kvm:	the VM
 * @gfn:	the first page
 * @npages:	how many
 * @source:	with what, and how
 *
 * kvm->slots_lock is held, which keeps the slots and the attributes.  The page of
 * user space is taken before any lock that its fault might need.
 *
 * Returns how many pages have been filled, or if there is none an errno: -EINVAL
 * for gfns that are not private ones of a guest_memfd, -EEXIST for pages that are
 * the guest's already, -EFAULT for user space's address, -EINTR, -EAGAIN if the
 * page is being punched out, or that of @source->fill.
 */
long kvm_gmem_populate(struct kvm *kvm, gfn_t gfn, unsigned long npages,
		       const struct kvm_gmem_source *source)
{
	unsigned long uaddr = (unsigned long)source->uaddr;
	struct page *page = NULL;
	unsigned long i;
	long r = 0;

	lockdep_assert_held(&kvm->slots_lock);

	if (!PAGE_ALIGNED(uaddr))
		return -EINVAL;

	for (i = 0; i < npages && !r; i++) {
		if (signal_pending(current)) {
			r = -EINTR;
			break;
		}

		if (source->uaddr) {
			r = get_user_pages_fast(uaddr + i * PAGE_SIZE, 1,
						source->write ? FOLL_WRITE : 0, &page);
			if (r != 1) {
				r = -EFAULT;
				break;
			}
		}

		r = kvm_gmem_populate_page(kvm, gfn + i, page, source);
		if (page && source->write)
			set_page_dirty_lock(page);
		if (page)
			put_page(page);
		if (r)
			break;
		cond_resched();
	}

	return i ?: r;
}
EXPORT_SYMBOL_GPL(kvm_gmem_populate);
