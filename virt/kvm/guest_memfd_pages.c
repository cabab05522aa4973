// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages of a guest_memfd: allocation, giving them to the guest and taking
 * them back.  See guest_memfd.c for the files, and for what is bound to them.
 *
 * Folios are of order 0 or of KVM_GMEM_MAX_ORDER, and live in the page cache of
 * the inode.  Whether a page is the guest's is a property of the page in the
 * inode: it is independent of mappings, of file descriptors and of VMs, and
 * changes only after the operation of the VM type succeeded.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagevec.h>

#include "guest_memfd.h"

#include <trace/events/kvm_private_mem.h>

/* Pages that could not be taken back and thus are lost, for good. */
static unsigned long gmem_leaked_pages;
static DEFINE_SPINLOCK(gmem_leaked_lock);
module_param(gmem_leaked_pages, ulong, 0444);

/* Could anybody read what was in a page before? */
static bool kvm_gmem_is_readable(const struct kvm_gmem_inode *gi)
{
	return !gi->ops || !gi->ops->encrypts || gi->flags & GUEST_MEMFD_FLAG_MMAP;
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
	 * Either whoever punches a hole finds the folio, or its range is seen
	 * here.  Pairs with smp_mb() in kvm_gmem_punch_hole().
	 */
	smp_mb();
	return folio;
}

/**
 * kvm_gmem_get_folio - find or allocate the folio at an index
 * @inode:	of a guest_memfd
 * @index:	below the size of the file
 * @order:	0 or %KVM_GMEM_MAX_ORDER: what to allocate if there is room for it;
 *		what was allocated before is returned whatever its order
 *
 * Returns the folio locked, with a reference and initialised, or an ERR_PTR:
 * -ENOMEM, or -EINTR if the task is being killed.
 */
struct folio *kvm_gmem_get_folio(struct inode *inode, pgoff_t index, unsigned int order)
{
	struct address_space *mapping = inode->i_mapping;
	struct folio *folio;

	if (order &&
	    (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) ||
	     to_gmem_inode(inode)->flags & GUEST_MEMFD_FLAG_MMAP ||
	     round_up(index + 1, KVM_GMEM_CHUNK_PAGES) > i_size_read(inode) >> PAGE_SHIFT))
		order = 0;

	for (;;) {
		folio = filemap_lock_folio(mapping, index);
		if (folio)
			return folio;

		folio = kvm_gmem_add_folio(inode, index, order);
		if (!IS_ERR(folio))
			return folio;

		/* Any failure of a large folio is none of a small one. */
		if (order)
			order = 0;
		else if (PTR_ERR(folio) != -EEXIST)
			return folio;
		else if (fatal_signal_pending(current))
			return ERR_PTR(-EINTR);
	}
}

/*
 * The bitmaps of the chunk that has @index, made if need be.  NULL if there is
 * no memory, which doesn't happen with __GFP_NOFAIL.
 */
static struct kvm_gmem_chunk *kvm_gmem_get_chunk(struct kvm_gmem_inode *gi,
						 pgoff_t index, gfp_t gfp)
{
	unsigned long nr = index >> KVM_GMEM_MAX_ORDER;
	struct kvm_gmem_chunk *chunk;
	void *old, *entry;

	for (;;) {
		old = xa_load(&gi->chunks, nr);
		if (old && !xa_is_value(old))
			return old;

		chunk = kzalloc(sizeof(*chunk), gfp);
		if (!chunk)
			return NULL;
		if (old)
			bitmap_fill(chunk->prepared, KVM_GMEM_CHUNK_PAGES);

		entry = xa_cmpxchg(&gi->chunks, nr, old, chunk, gfp);
		if (entry == old)
			return chunk;

		kfree(chunk);
		if (xa_is_err(entry))
			return NULL;
	}
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
static int kvm_gmem_prepare_chunk(struct inode *inode, struct kvm *kvm, gfn_t gfn,
				  struct folio *folio)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	unsigned long nr = folio->index >> KVM_GMEM_MAX_ORDER;
	int r;

	/* What is prepared has to be recorded, thus reserve before. */
	r = xa_reserve(&gi->chunks, nr, GFP_KERNEL_ACCOUNT);
	if (r)
		return r;

	r = kvm_gmem_prepare_pages(inode, kvm, round_down(gfn, KVM_GMEM_CHUNK_PAGES),
				   folio, folio->index, KVM_GMEM_MAX_ORDER);
	if (r)
		xa_release(&gi->chunks, nr);
	else
		xa_store(&gi->chunks, nr, KVM_GMEM_CHUNK_PREPARED, 0);
	return r;
}

/**
 * kvm_gmem_prepare - make a page the guest's own
 * @inode:	of a guest_memfd
 * @kvm:	the VM
 * @gfn:	where the guest will have the page
 * @folio:	the folio, locked
 * @index:	of the page
 * @order:	in: how much may be prepared at once, out: how much is prepared
 *		around the page now, and can be mapped at once
 *
 * Returns 0, or an errno with nothing changed: -EHWPOISON if the page is lost.
 */
int kvm_gmem_prepare(struct inode *inode, struct kvm *kvm, gfn_t gfn,
		     struct folio *folio, pgoff_t index, unsigned int *order)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	unsigned int bit = index % KVM_GMEM_CHUNK_PAGES;
	struct kvm_gmem_chunk *chunk;
	void *entry;
	int r;

	entry = xa_load(&gi->chunks, index >> KVM_GMEM_MAX_ORDER);
	if (xa_is_value(entry))
		return 0;

	chunk = entry;
	if (chunk && test_bit(bit, chunk->lost))
		return -EHWPOISON;
	if (chunk && *order && !bitmap_empty(chunk->lost, KVM_GMEM_CHUNK_PAGES))
		*order = 0;

	if (!gi->ops || !gi->ops->prepare)
		goto resurrect;

	if (!chunk && *order)
		return kvm_gmem_prepare_chunk(inode, kvm, gfn, folio);

	if (!chunk)
		chunk = kvm_gmem_get_chunk(gi, index, GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return -ENOMEM;

	if (!test_bit(bit, chunk->prepared)) {
		r = kvm_gmem_prepare_pages(inode, kvm, gfn, folio, index, 0);
		if (r)
			return r;
		set_bit(bit, chunk->prepared);
	}

	if (*order && !bitmap_full(chunk->prepared, KVM_GMEM_CHUNK_PAGES))
		*order = 0;

resurrect:
	if (chunk && *order)
		bitmap_zero(chunk->punched, KVM_GMEM_CHUNK_PAGES);
	else if (chunk)
		clear_bit(bit, chunk->punched);
	return 0;
}

/* A page that the host doesn't own is never freed; its whole folio stays. */
static void kvm_gmem_leak(struct folio *folio, unsigned int order)
{
	folio_get(folio);
	spin_lock(&gmem_leaked_lock);
	gmem_leaked_pages += 1UL << order;
	spin_unlock(&gmem_leaked_lock);
}

/* Returns false if the pages are lost, and leaked. */
static bool kvm_gmem_reclaim_pages(struct inode *inode, struct folio *folio,
				   pgoff_t index, unsigned int order)
{
	const struct kvm_private_mem_ops *ops = to_gmem_inode(inode)->ops;
	kvm_pfn_t pfn = page_to_pfn(folio_file_page(folio, index));
	bool ok = !ops->reclaim || ops->reclaim(pfn, order);

	trace_kvm_gmem_reclaim(inode->i_ino, index, pfn, order, ok);
	if (!ok)
		kvm_gmem_leak(folio, order);
	return ok;
}

/* Take back what is the guest's in [@start, @end) of a locked folio. */
static void kvm_gmem_reclaim_folio(struct inode *inode, struct folio *folio,
				   pgoff_t start, pgoff_t end)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	unsigned long nr = start >> KVM_GMEM_MAX_ORDER;
	struct kvm_gmem_chunk *chunk = xa_load(&gi->chunks, nr);
	unsigned int bit;
	pgoff_t index;

	if (!chunk)
		return;

	if (xa_is_value(chunk) && end - start == KVM_GMEM_CHUNK_PAGES) {
		kvm_gmem_reclaim_pages(inode, folio, start, KVM_GMEM_MAX_ORDER);
		xa_erase(&gi->chunks, nr);
		return;
	}

	chunk = kvm_gmem_get_chunk(gi, start, GFP_KERNEL | __GFP_NOFAIL);
	for (index = start; index < end; index++) {
		bit = index % KVM_GMEM_CHUNK_PAGES;
		if (test_and_clear_bit(bit, chunk->prepared) &&
		    !kvm_gmem_reclaim_pages(inode, folio, index, 0) &&
		    folio_test_large(folio))
			set_bit(bit, chunk->lost);
	}
}

/* Is @folio a huge one that is the guest's, all of it, and good? */
bool kvm_gmem_is_prepared(struct inode *inode, struct folio *folio)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	struct kvm_gmem_chunk *chunk = xa_load(&gi->chunks, folio->index >> KVM_GMEM_MAX_ORDER);

	return folio_test_large(folio) && !folio_test_has_hwpoisoned(folio) &&
	       !kvm_gmem_is_punched(gi, folio->index, KVM_GMEM_MAX_ORDER) && chunk &&
	       (xa_is_value(chunk) || bitmap_full(chunk->prepared, KVM_GMEM_CHUNK_PAGES));
}

/* Is @folio a huge one with nothing that is or was the guest's, or is lost? */
bool kvm_gmem_is_untouched(struct inode *inode, struct folio *folio)
{
	return folio_test_large(folio) && !folio_test_has_hwpoisoned(folio) &&
	       !xa_load(&to_gmem_inode(inode)->chunks, folio->index >> KVM_GMEM_MAX_ORDER);
}

/* All of a huge folio is the guest's now, as one page.  There is an entry for it already. */
void kvm_gmem_set_prepared(struct inode *inode, struct folio *folio)
{
	void *old = xa_store(&to_gmem_inode(inode)->chunks, folio->index >> KVM_GMEM_MAX_ORDER,
			     KVM_GMEM_CHUNK_PREPARED, 0);

	if (!xa_is_value(old))
		kfree(old);
}

/* What could not be filled is empty, and the host's, or else lost. */
static void kvm_gmem_fill_failed(struct inode *inode, struct folio *folio, pgoff_t index,
				 unsigned int order, struct kvm_gmem_chunk *chunk)
{
	bool ok = kvm_gmem_reclaim_pages(inode, folio, index, order);
	unsigned int i;

	for (i = 0; i < 1U << order; i++) {
		if (ok)
			clear_highpage(folio_file_page(folio, index + i));
		else
			set_bit((index + i) % KVM_GMEM_CHUNK_PAGES, chunk->lost);
	}
}

/**
 * kvm_gmem_prepare_with - make pages the guest's own, with content
 * @inode:	of a guest_memfd
 * @kvm:	the VM
 * @gfn:	where the guest will have them
 * @folio:	the folio, locked
 * @index:	of the first page
 * @order:	0, or %KVM_GMEM_MAX_ORDER for an untouched folio
 * @source:	what has to be done
 * @pages:	of user space, or NULL
 *
 * Returns 0, or an errno with nothing but the pages' content changed: -EEXIST if
 * the page is the guest's already, -EHWPOISON if the page is lost, maybe by this
 * very attempt.
 */
int kvm_gmem_prepare_with(struct inode *inode, struct kvm *kvm, gfn_t gfn, struct folio *folio,
			  pgoff_t index, unsigned int order, const struct kvm_gmem_source *source,
			  struct page **pages)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	kvm_pfn_t pfn = page_to_pfn(folio_file_page(folio, index));
	unsigned int i, bit = index % KVM_GMEM_CHUNK_PAGES;
	struct kvm_gmem_chunk *chunk;
	int r;

	if (xa_is_value(xa_load(&gi->chunks, index >> KVM_GMEM_MAX_ORDER)))
		return -EEXIST;

	chunk = kvm_gmem_get_chunk(gi, index, GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return -ENOMEM;
	if (test_bit(bit, chunk->lost))
		return -EHWPOISON;
	if (test_bit(bit, chunk->prepared))
		return -EEXIST;

	for (i = 0; pages && i < 1U << order; i++)
		copy_highpage(folio_file_page(folio, index + i), pages[i]);

	r = source->fill(kvm, gfn, pfn, order, pages ? pages[0] : NULL, source->data);
	trace_kvm_gmem_prepare(inode->i_ino, index, gfn, pfn, order, r);
	if (r) {
		kvm_gmem_fill_failed(inode, folio, index, order, chunk);
	} else if (order) {
		kvm_gmem_set_prepared(inode, folio);
	} else {
		set_bit(bit, chunk->prepared);
		clear_bit(bit, chunk->punched);
	}
	return r;
}

/* Zero [@start, @end), but for pages whose access would harm the host. */
static void kvm_gmem_clear_pages(struct folio *folio, struct kvm_gmem_chunk *chunk,
				 pgoff_t start, pgoff_t end)
{
	struct page *page;
	pgoff_t index;

	for (index = start; index < end; index++) {
		page = folio_file_page(folio, index);
		if (!PageHWPoison(page) && !test_bit(index % KVM_GMEM_CHUNK_PAGES, chunk->lost))
			clear_highpage(page);
		cond_resched();
	}
}

/*
 * Punch [@start, @end) out of a large, locked folio that reaches beyond it.
 * The folio stays, so that the range can be huge again.  Returns true if
 * nothing is left of it.
 */
static bool kvm_gmem_punch_part(struct inode *inode, struct folio *folio,
				pgoff_t start, pgoff_t end)
{
	struct kvm_gmem_chunk *chunk;

	chunk = kvm_gmem_get_chunk(to_gmem_inode(inode), start, GFP_KERNEL | __GFP_NOFAIL);
	bitmap_set(chunk->punched, start % KVM_GMEM_CHUNK_PAGES, end - start);
	if (bitmap_full(chunk->punched, KVM_GMEM_CHUNK_PAGES))
		return true;

	if (kvm_gmem_is_readable(to_gmem_inode(inode)))
		kvm_gmem_clear_pages(folio, chunk, start, end);
	return false;
}

/*
 * Reclaim the part of a folio that is in [*@start, *@end), and take a folio off
 * the range that is not to be freed with it.
 */
static void kvm_gmem_drop_folio(struct inode *inode, struct folio *folio,
				pgoff_t *start, pgoff_t *end)
{
	pgoff_t first = max(*start, folio->index);
	pgoff_t next = min(*end, folio_next_index(folio));

	kvm_gmem_reclaim_folio(inode, folio, first, next);
	if (next - first == folio_nr_pages(folio))
		return;

	if (kvm_gmem_punch_part(inode, folio, first, next)) {
		*start = min(*start, folio->index);
		*end = max(*end, folio_next_index(folio));
	} else if (first == *start) {
		*start = next;
	} else {
		*end = first;
	}
}

/* The state of chunks that lie in [@start, @end) as a whole is gone with them. */
static void kvm_gmem_drop_chunks(struct kvm_gmem_inode *gi, pgoff_t start, pgoff_t end)
{
	unsigned long nr, first = DIV_ROUND_UP(start, KVM_GMEM_CHUNK_PAGES);
	unsigned long next = end / KVM_GMEM_CHUNK_PAGES;
	void *entry;

	if (first >= next)
		return;

	xa_for_each_range(&gi->chunks, nr, entry, first, next - 1) {
		xa_erase(&gi->chunks, nr);
		if (!xa_is_value(entry))
			kfree(entry);
	}
}

/**
 * kvm_gmem_drop_range - give pages back to the host
 * @inode:	of a guest_memfd
 * @start:	first index
 * @end:	index after the last
 *
 * The invalidate lock is held for write, no SPTE is left that maps the pages,
 * and none can come: the range is known as being punched.
 */
void kvm_gmem_drop_range(struct inode *inode, pgoff_t start, pgoff_t end)
{
	struct address_space *mapping = inode->i_mapping;
	pgoff_t index = start, drop_start = start, drop_end = end;
	struct folio_batch fbatch;
	struct folio *folio;
	int i;

	folio_batch_init(&fbatch);
	while (index < end && filemap_get_folios(mapping, &index, end - 1, &fbatch)) {
		for (i = 0; i < folio_batch_count(&fbatch); i++) {
			folio = fbatch.folios[i];
			folio_lock(folio);
			if (folio->mapping == mapping)
				kvm_gmem_drop_folio(inode, folio, &drop_start, &drop_end);
			folio_unlock(folio);
		}
		folio_batch_release(&fbatch);
		cond_resched();
	}

	if (drop_start >= drop_end)
		return;

	truncate_inode_pages_range(mapping, (loff_t)drop_start << PAGE_SHIFT,
				   ((loff_t)drop_end << PAGE_SHIFT) - 1);
	kvm_gmem_drop_chunks(to_gmem_inode(inode), drop_start, drop_end);
}
