// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filling guest_memfd with what a guest starts from.  The pages are given to the
 * guest with their content, in a way that only the VM type knows: one by one, or
 * huge pages where the source has all of one.
 */
#include <linux/kvm_mem_attributes.h>
#include <linux/kvm_private_mem.h>
#include <linux/mm.h>

#include "guest_memfd.h"

#include <trace/events/kvm_private_mem.h>

/* What could not be filled is empty, and the host's, or else leaked. */
static void kvm_gmem_fill_failed(struct inode *inode, struct folio *folio, pgoff_t index,
				 unsigned int order)
{
	bool ok = kvm_gmem_reclaim_pages(inode, folio, index, order);
	unsigned int i;

	if (!ok)
		kvm_gmem_set_state(to_gmem_inode(inode), folio, index, index + (1UL << order),
				   KVM_GMEM_LEAKED);

	for (i = 0; ok && i < 1U << order; i++)
		clear_highpage(folio_file_page(folio, index + i));
}

/*
 * Make pages of a locked folio the guest's own, with content.  Returns 0, or an errno
 * with nothing but the pages' content changed: -EEXIST if one is the guest's already.
 * If they are neither the guest's nor the host's then, they are leaked.
 */
static int kvm_gmem_fill(struct inode *inode, struct kvm *kvm, gfn_t gfn, struct folio *folio,
			 pgoff_t index, unsigned int order,
			 const struct kvm_gmem_populate_args *args, struct page **pages)
{
	kvm_pfn_t pfn = page_to_pfn(folio_file_page(folio, index));
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	unsigned int i;
	int r;

	if (kvm_gmem_state(gi, index) == KVM_GMEM_PREPARED)
		return -EEXIST;

	r = kvm_gmem_reserve_states(gi, index);
	if (r)
		return r;

	for (i = 0; pages && i < 1U << order; i++)
		copy_highpage(folio_file_page(folio, index + i), pages[i]);

	r = args->fill(kvm, gfn, pfn, order, pages ? pages[0] : NULL, args->data);
	trace_kvm_gmem_prepare(inode->i_ino, index, gfn, pfn, order, r);
	if (r)
		kvm_gmem_fill_failed(inode, folio, index, order);
	else if (order)
		kvm_gmem_set_prepared_huge(gi, folio);
	else
		kvm_gmem_set_state(gi, folio, index, index + 1, KVM_GMEM_PREPARED);
	return r;
}

/*
 * Fill the page at @gfn, or all of the huge page that it begins if @nr pages of
 * userspace are that many and nothing is in the way.  Returns how many.
 */
static long kvm_gmem_populate_pages(struct kvm *kvm, gfn_t gfn, struct page **pages,
				    unsigned int nr, const struct kvm_gmem_populate_args *args)
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

	order = nr >= KVM_GMEM_CHUNK_PAGES && kvm_gmem_is_huge_private(kvm, slot, gfn) &&
		kvm_gmem_chunk_is(to_gmem_inode(view->inode), index, KVM_GMEM_EMPTY) ?
		KVM_GMEM_MAX_ORDER : 0;

	r = kvm_gmem_may_use(view->inode, folio, index, &order);
	if (!r)
		r = kvm_gmem_fill(view->inode, kvm, gfn, folio, index, order, args, pages);

	folio_unlock(folio);
	folio_put(folio);
	return r ?: 1L << order;
}

/*
 * Fill what comes next: up to @nr pages at @gfn, from @uaddr on.  Of userspace's
 * pages the first has to be there; @pages has room for @nr.  Returns how many.
 */
static long kvm_gmem_populate_next(struct kvm *kvm, gfn_t gfn, unsigned long uaddr,
				   struct page **pages, unsigned int nr,
				   const struct kvm_gmem_populate_args *args)
{
	int i, got;
	long r;

	if (!args->uaddr)
		return kvm_gmem_populate_pages(kvm, gfn, NULL, nr, args);

	got = get_user_pages_fast(uaddr, nr, args->write ? FOLL_WRITE : 0, pages);
	if (got <= 0)
		return -EFAULT;

	r = kvm_gmem_populate_pages(kvm, gfn, pages, got, args);
	for (i = 0; i < got; i++) {
		if (args->write)
			set_page_dirty_lock(pages[i]);
		put_page(pages[i]);
	}
	return r;
}

/*
 * kvm_gmem_populate - fill private memory before the guest runs
 * @kvm:	the VM
 * @gfn:	the first page
 * @npages:	how many
 * @args:	with what, and how
 *
 * kvm->slots_lock is held, which keeps the slots and the attributes.  The pages of
 * userspace are taken before any lock that their fault might need.
 *
 * Returns how many pages have been filled, or if there is none an errno: -EINVAL
 * for gfns that are not private ones of a guest_memfd, -EEXIST for pages that are
 * the guest's already, -EFAULT for userspace's address, -EINTR, -ENOMEM, -EAGAIN
 * if the page is being punched out, or that of @args->fill.
 */
long kvm_gmem_populate(struct kvm *kvm, gfn_t gfn, unsigned long npages,
		       const struct kvm_gmem_populate_args *args)
{
	unsigned long uaddr = (unsigned long)args->uaddr, i = 0;
	unsigned long huge = 1UL << args->order;
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
		r = kvm_gmem_populate_next(kvm, gfn + i, uaddr + i * PAGE_SIZE, pages, nr, args);
		if (r > 0)
			i += r;
		cond_resched();
	}

	kfree(pages);
	return i ?: r;
}
EXPORT_SYMBOL_GPL(kvm_gmem_populate);
