// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages of a guest_memfd: allocation, preparation and reclaim.  See
 * guest_memfd.c for the files and for what is bound to them, guest_memfd_state.c
 * for the states of pages, and guest_memfd_hole.c for how pages leave a file.
 *
 * Folios are of order 0 or of KVM_GMEM_MAX_ORDER, and live in the page cache of
 * the inode.  They enter it with the invalidate lock held, at least for read:
 * none comes while a hole is punched.
 */
#include <linux/kvm_private_mem.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "guest_memfd.h"

#include <trace/events/kvm_private_mem.h>

/* Fall back to pages of 4 KiB, as mainline has them. */
static bool gmem_huge_pages = true;
module_param(gmem_huge_pages, bool, 0644);

/* True if the guest, or the host, can read what was in a page before. */
bool kvm_gmem_is_readable(const struct kvm_gmem_inode *gi)
{
	return !gi->ops || !gi->ops->skip_zeroing || gi->flags & GUEST_MEMFD_FLAG_MMAP;
}

/* A large folio is an optimisation, and not worth to reclaim or to kill for. */
static gfp_t kvm_gmem_gfp(struct inode *inode, unsigned int order)
{
	gfp_t gfp = mapping_gfp_mask(inode->i_mapping);

	if (kvm_gmem_is_readable(to_gmem_inode(inode)))
		gfp |= __GFP_ZERO;
	if (order)
		gfp = (gfp & ~__GFP_DIRECT_RECLAIM) | __GFP_NOWARN | __GFP_NORETRY;
	return gfp;
}

#ifdef CONFIG_NUMA
/* vma_alloc_folio() takes a policy only with a VMA around it. */
static noinline struct folio *kvm_gmem_alloc_by_policy(struct mempolicy *policy, gfp_t gfp,
						       pgoff_t index, unsigned int order)
{
	struct vm_area_struct pvma;
	struct folio *folio;

	vma_init(&pvma, NULL);
	pvma.vm_pgoff = index;
	pvma.vm_policy = policy;
	folio = vma_alloc_folio(gfp, order, &pvma, 0, false);
	mpol_cond_put(policy);
	return folio;
}
#endif

static struct folio *kvm_gmem_alloc_folio(struct inode *inode, gfp_t gfp, pgoff_t index,
					  unsigned int order)
{
#ifdef CONFIG_NUMA
	struct mempolicy *policy;

	policy = mpol_shared_policy_lookup(&to_gmem_inode(inode)->policy, index);
	if (policy)
		return kvm_gmem_alloc_by_policy(policy, gfp, index, order);
#endif
	return folio_alloc(gfp, order);
}

/* Add a new folio.  Returns it locked, or an error: -EEXIST if another is there. */
static struct folio *kvm_gmem_add_folio(struct inode *inode, pgoff_t index,
					unsigned int order)
{
	gfp_t gfp = kvm_gmem_gfp(inode, order);
	struct folio *folio;
	int r;

	index = round_down(index, 1UL << order);
	folio = kvm_gmem_alloc_folio(inode, gfp, index, order);
	if (!folio)
		return ERR_PTR(-ENOMEM);

	r = filemap_add_folio(inode->i_mapping, folio, index, gfp);
	if (r) {
		folio_put(folio);
		return ERR_PTR(r);
	}

	folio_mark_uptodate(folio);
	/*
	 * There is no other copy of the content, and SPTEs map the page without a
	 * reference: a clean page could be taken from the file, by soft offlining
	 * or drop_caches for example.
	 */
	folio_mark_dirty(folio);
	return folio;
}

/* True if a folio of the chunk that has @index can be allocated, and be a large one. */
static bool kvm_gmem_chunk_is_free(struct inode *inode, pgoff_t index)
{
	pgoff_t first = round_down(index, KVM_GMEM_CHUNK_PAGES);
	pgoff_t next = first + KVM_GMEM_CHUNK_PAGES;

	return IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && READ_ONCE(gmem_huge_pages) &&
	       !(to_gmem_inode(inode)->flags & GUEST_MEMFD_FLAG_MMAP) &&
	       next <= i_size_read(inode) >> PAGE_SHIFT &&
	       !filemap_range_has_page(inode->i_mapping, (loff_t)first << PAGE_SHIFT,
				       ((loff_t)next << PAGE_SHIFT) - 1);
}

/*
 * kvm_gmem_find_or_add_folio - find or allocate the folio at an index
 * @inode:	of a guest_memfd, with the invalidate lock held
 * @index:	below the size of the file
 * @order:	0 or %KVM_GMEM_MAX_ORDER: what to allocate if there is room for it;
 *		what was allocated before is returned whatever its order
 *
 * Returns the folio locked, with a reference and initialised, or an ERR_PTR:
 * -ENOMEM, or -EINTR if the task is being killed.
 */
struct folio *kvm_gmem_find_or_add_folio(struct inode *inode, pgoff_t index, unsigned int order)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;

	lockdep_assert_held(&mapping->invalidate_lock);

	for (;;) {
		folio = filemap_lock_folio(mapping, index);
		if (folio)
			return folio;

		if (order && !kvm_gmem_chunk_is_free(inode, index))
			order = 0;

		folio = kvm_gmem_add_folio(inode, index, order);
		if (!IS_ERR(folio))
			return folio;

		/* A failed 2 MiB allocation says nothing about a 4 KiB one; fall back. */
		if (order)
			order = 0;
		else if (PTR_ERR(folio) != -EEXIST)
			return folio;
		else if (fatal_signal_pending(current))
			return ERR_PTR(-EINTR);
	}
}

/*
 * The same without the lock, which is taken if it is needed.  Returns -EINTR if a
 * signal comes while a hole is punched.
 */
struct folio *kvm_gmem_get_folio(struct inode *inode, pgoff_t index, unsigned int order)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;

	folio = filemap_lock_folio(mapping, index);
	if (folio)
		return folio;

	if (down_read_interruptible(&mapping->invalidate_lock))
		return ERR_PTR(-EINTR);
	folio = kvm_gmem_find_or_add_folio(inode, index, order);
	filemap_invalidate_unlock_shared(mapping);
	return folio;
}

/*
 * kvm_gmem_may_use - check that a page can be used
 * @inode:	of a guest_memfd
 * @folio:	the folio, locked
 * @index:	of the page
 * @order:	in: how much is to be used around the page, out: how much can be
 *
 * A task that is about to prepare a page, or to map it, calls this first, and keeps the
 * folio locked: until then no page of it goes.  Returns 0, -EAGAIN if the page is
 * being punched out, or -EHWPOISON after a memory failure, or if it is leaked.
 */
int kvm_gmem_may_use(struct inode *inode, struct folio *folio, pgoff_t index,
		     unsigned int *order)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);

	if (kvm_gmem_in_hole(gi, index, 1))
		return -EAGAIN;
	if (PageHWPoison(folio_file_page(folio, index)) ||
	    kvm_gmem_state(gi, index) == KVM_GMEM_LEAKED)
		return -EHWPOISON;

	if (*order && (!folio_test_large(folio) || folio_test_has_hwpoisoned(folio) ||
		       kvm_gmem_in_hole(gi, folio->index, KVM_GMEM_CHUNK_PAGES) ||
		       kvm_gmem_chunk_has(gi, index, KVM_GMEM_LEAKED)))
		*order = 0;
	return 0;
}

static int kvm_gmem_prepare_pages(struct inode *inode, struct kvm *kvm, gfn_t gfn,
				  struct folio *folio, pgoff_t index, unsigned int order)
{
	kvm_pfn_t pfn = page_to_pfn(folio_file_page(folio, index));
	int r = to_gmem_inode(inode)->ops->prepare(kvm, gfn, pfn, order);

	trace_kvm_gmem_prepare(inode->i_ino, index, gfn, pfn, order, r);
	return r;
}

/* Prepare a whole chunk, of which nothing is prepared yet. */
static int kvm_gmem_prepare_huge(struct inode *inode, struct kvm *kvm, gfn_t gfn,
				 struct folio *folio)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	int r;

	/* What is prepared has to be recorded, so reserve before. */
	r = kvm_gmem_reserve_huge(gi, folio->index);
	if (r)
		return r;

	r = kvm_gmem_prepare_pages(inode, kvm, round_down(gfn, KVM_GMEM_CHUNK_PAGES),
				   folio, folio->index, KVM_GMEM_MAX_ORDER);
	if (r)
		kvm_gmem_release_huge(gi, folio->index);
	else
		kvm_gmem_set_prepared_huge(gi, folio);
	return r;
}

static int kvm_gmem_prepare_one(struct inode *inode, struct kvm *kvm, gfn_t gfn,
				struct folio *folio, pgoff_t index)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	int r;

	if (kvm_gmem_state(gi, index) == KVM_GMEM_PREPARED)
		return 0;

	r = kvm_gmem_reserve_states(gi, index);
	if (!r)
		r = kvm_gmem_prepare_pages(inode, kvm, gfn, folio, index, 0);
	if (!r)
		kvm_gmem_set_state(gi, folio, index, index + 1, KVM_GMEM_PREPARED);
	return r;
}

/*
 * kvm_gmem_prepare - make a page the guest's own
 * @inode:	of a guest_memfd
 * @kvm:	the VM
 * @gfn:	where the guest will have the page
 * @folio:	the folio, locked
 * @index:	of the page
 * @order:	in: how much may be prepared at once, as kvm_gmem_may_use() allows it,
 *		out: how much is prepared around the page, and can be mapped at once
 *
 * Returns 0, or an errno with nothing changed.
 */
int kvm_gmem_prepare(struct inode *inode, struct kvm *kvm, gfn_t gfn,
		     struct folio *folio, pgoff_t index, unsigned int *order)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	int r;

	if (!gi->ops || !gi->ops->prepare) {
		pgoff_t first = *order ? folio->index : index;

		kvm_gmem_set_state(gi, folio, first, first + (1UL << *order), KVM_GMEM_EMPTY);
		return 0;
	}

	if (*order && kvm_gmem_chunk_is(gi, index, KVM_GMEM_EMPTY))
		return kvm_gmem_prepare_huge(inode, kvm, gfn, folio);

	r = kvm_gmem_prepare_one(inode, kvm, gfn, folio, index);
	if (!r && *order && !kvm_gmem_chunk_is(gi, index, KVM_GMEM_PREPARED))
		*order = 0;
	return r;
}

/* What nobody may use again is never freed, all of the folio. */
void kvm_gmem_leak(struct folio *folio)
{
	kvm_arch_leak_pages(folio_pfn(folio), folio_nr_pages(folio));
}

/* Returns false if the pages are leaked. */
bool kvm_gmem_reclaim_pages(struct inode *inode, struct folio *folio, pgoff_t index,
			    unsigned int order)
{
	const struct kvm_private_mem_ops *ops = to_gmem_inode(inode)->ops;
	kvm_pfn_t pfn = page_to_pfn(folio_file_page(folio, index));
	bool ok = !ops->reclaim || ops->reclaim(pfn, order);

	trace_kvm_gmem_reclaim(inode->i_ino, index, pfn, order, ok);
	if (!ok)
		kvm_gmem_leak(folio);
	return ok;
}

/*
 * Reclaim what is prepared in [@start, @end) of a locked folio, which is unmapped
 * from all VMs.  The pages are in the state @to then, EMPTY or PUNCHED, but for
 * leaked pages of a large folio.
 */
void kvm_gmem_reclaim(struct inode *inode, struct folio *folio, pgoff_t start, pgoff_t end,
		      enum kvm_gmem_state to)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	enum kvm_gmem_state state;
	pgoff_t index;

	if (to == KVM_GMEM_EMPTY && kvm_gmem_chunk_is(gi, start, KVM_GMEM_EMPTY))
		return;

	/* A leaked folio leaves the file, so its state doesn't matter. */
	if (kvm_gmem_is_prepared_huge(gi, start) && end - start == KVM_GMEM_CHUNK_PAGES) {
		kvm_gmem_reclaim_pages(inode, folio, start, KVM_GMEM_MAX_ORDER);
		kvm_gmem_set_state(gi, folio, start, end, to);
		return;
	}

	for (index = start; index < end; index++) {
		state = kvm_gmem_state(gi, index);
		if (state == KVM_GMEM_LEAKED && to != KVM_GMEM_EMPTY)
			continue;

		if (state == KVM_GMEM_PREPARED && !kvm_gmem_reclaim_pages(inode, folio, index, 0) &&
		    folio_test_large(folio))
			kvm_gmem_set_state(gi, folio, index, index + 1, KVM_GMEM_LEAKED);
		else
			kvm_gmem_set_state(gi, folio, index, index + 1, to);
	}
}
