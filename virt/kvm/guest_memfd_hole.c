// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holes in a guest_memfd: how pages leave it.
 *
 * The rule: no page is freed that was not published as going, and unmapped after
 * that.  What is published, what is unmapped and what is freed is one range,
 * gi->hole_start and gi->hole_end.  In order:
 *
 * 1. Take the invalidate lock for write.  No folio enters the file any more, so
 *    what is there now is all that has to be looked at.
 * 2. Publish the range.  A task that locks a folio from now on finds its pages in
 *    the range going, and neither prepares nor uses them, see kvm_gmem_may_use().
 * 3. Widen the range by the rest of a large folio at either end if nothing of
 *    that is in use.  The folio is locked, so nobody can be about to use it.
 *    If a page of the folio has failed, split the folio: no failed page stays in
 *    the file because of its neighbours.
 * 4. Unmap the range from all VMs.  A fault that got a page before it was
 *    published has read the sequence count before it changes here.
 * 5. Folio by folio, each locked: reclaim what is prepared.  A folio that lies in
 *    the range as a whole goes.  A large folio that reaches beyond the range
 *    stays, its pages in the range are PUNCHED: as good as new.
 * 6. Free the folios that go.
 *
 * Until the range is withdrawn, no page in it can be used.
 */
#include <linux/pagevec.h>

#include "guest_memfd.h"

#include <trace/events/kvm_private_mem.h>

/* For how long a hole tries to split folios, in jiffies. */
#define KVM_GMEM_SPLIT_TIMEOUT	HZ

static void kvm_gmem_hole_publish(struct kvm_gmem_inode *gi, pgoff_t start, pgoff_t end)
{
	WRITE_ONCE(gi->hole_start, start);
	WRITE_ONCE(gi->hole_end, end);
	/*
	 * Published before the sequence counts change: a fault that does not see
	 * the range has read its sequence count before that.  Pairs with the
	 * smp_rmb() after the sequence count is read.
	 */
	smp_mb();
}

/*
 * Split the large folio at @index, which has a failed page, as memory_failure() could not.
 * A task that faults has a reference until it has mapped the page, and the folio can't be
 * split with that.  All of the folio is published as going: who finds that drops the
 * reference, and waits for the hole.  Something else may have a reference for longer:
 * returns false at @deadline.  There is no reference to the folio while this sleeps, as
 * memory_failure() may be trying the same.
 */
static bool kvm_gmem_hole_split(struct inode *inode, pgoff_t index, unsigned long deadline)
{
	struct folio *folio;
	bool split;

	for (;;) {
		folio = filemap_lock_folio(inode->i_mapping, index);
		if (WARN_ON_ONCE(!folio))
			return false;
		split = !folio_test_large(folio) || !split_folio(folio);
		folio_unlock(folio);
		folio_put(folio);
		if (split || time_after(jiffies, deadline))
			return split;
		schedule_timeout_uninterruptible(1);
	}
}

/*
 * The folio of the chunk has been split.  Its pages that were punched out before stayed
 * because of the others.  They are unmapped, and go now, as all of the chunk is published:
 * but for those that a task had found before that, and uses by now.
 */
static void kvm_gmem_hole_drop_punched(struct inode *inode, pgoff_t first)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	struct folio *folio;
	pgoff_t index;
	bool goes;

	for (index = first; index < first + KVM_GMEM_CHUNK_PAGES; index++) {
		if (kvm_gmem_state(gi, index) != KVM_GMEM_PUNCHED)
			continue;

		folio = filemap_lock_folio(inode->i_mapping, index);
		if (WARN_ON_ONCE(!folio))
			continue;
		goes = kvm_gmem_state(gi, index) == KVM_GMEM_PUNCHED;
		if (goes)
			kvm_gmem_set_state(gi, folio, index, index + 1, KVM_GMEM_EMPTY);
		folio_unlock(folio);
		folio_put(folio);
		if (goes)
			truncate_inode_pages_range(inode->i_mapping, (loff_t)index << PAGE_SHIFT,
						   ((loff_t)(index + 1) << PAGE_SHIFT) - 1);
		cond_resched();
	}
}

/*
 * An end of the hole is in a folio with a failed page, or in what became of one when it
 * was split: have no large folio there, and no page that was punched out before.  All of
 * the chunk is published until that is done, and unmapped, as memory_failure() did not do
 * it.
 */
static void kvm_gmem_hole_split_end(struct inode *inode, pgoff_t index, unsigned long deadline)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	pgoff_t first = round_down(index, KVM_GMEM_CHUNK_PAGES);
	pgoff_t next = first + KVM_GMEM_CHUNK_PAGES;
	pgoff_t start = gi->hole_start, end = gi->hole_end;
	bool split;

	kvm_gmem_hole_publish(gi, min(start, first), max(end, next));
	split = kvm_gmem_hole_split(inode, index, deadline);
	kvm_gmem_unmap(gi, first, next);
	if (split)
		kvm_gmem_hole_drop_punched(inode, first);
	kvm_gmem_hole_publish(gi, start, end);
}

/*
 * memory_failure() marks a folio only if it gets a reference: what is not on an LRU list at
 * that moment has a failed page without that.
 */
static bool kvm_gmem_has_failed_page(struct folio *folio)
{
	long i;

	if (folio_test_has_hwpoisoned(folio))
		return true;

	for (i = 0; i < folio_nr_pages(folio); i++) {
		if (PageHWPoison(folio_page(folio, i)))
			return true;
	}
	return false;
}

static bool kvm_gmem_hole_has_to_split(struct kvm_gmem_inode *gi, struct folio *folio)
{
	/* Only a split leaves pages that are punched out in small folios. */
	if (!folio_test_large(folio))
		return kvm_gmem_chunk_has(gi, folio->index, KVM_GMEM_PUNCHED);

	/* Leaked pages have a reference to the folio, permanently. */
	return kvm_gmem_has_failed_page(folio) &&
	       !kvm_gmem_chunk_has(gi, folio->index, KVM_GMEM_LEAKED);
}

/*
 * The folio at @index may reach beyond the hole.  Split it if a page of it has failed, and
 * widen the hole if nothing but that is in use.
 */
static void kvm_gmem_hole_prepare_end(struct inode *inode, pgoff_t index, unsigned long deadline)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	struct folio *folio;

	folio = filemap_lock_folio(inode->i_mapping, index);
	if (!folio)
		return;

	if (kvm_gmem_hole_has_to_split(gi, folio)) {
		folio_unlock(folio);
		folio_put(folio);
		kvm_gmem_hole_split_end(inode, index, deadline);
		folio = filemap_lock_folio(inode->i_mapping, index);
		if (!folio)
			return;
	}

	if (folio_test_large(folio) &&
	    kvm_gmem_chunk_ends(gi, index, gi->hole_start, gi->hole_end))
		kvm_gmem_hole_publish(gi, min(gi->hole_start, folio->index),
				      max(gi->hole_end, folio_next_index(folio)));

	folio_unlock(folio);
	folio_put(folio);
}

/* Zero [@start, @end), but for pages whose access would harm the host. */
static void kvm_gmem_clear_pages(struct kvm_gmem_inode *gi, struct folio *folio,
				 pgoff_t start, pgoff_t end)
{
	struct page *page;
	pgoff_t index;

	for (index = start; index < end; index++) {
		page = folio_file_page(folio, index);
		if (!PageHWPoison(page) && kvm_gmem_state(gi, index) != KVM_GMEM_LEAKED)
			clear_highpage(page);
		cond_resched();
	}
}

/*
 * Reclaim the part of a locked folio that is in the hole.  A folio that is not to
 * be freed is taken off [*@first, *@next), it can only be at one of the ends.
 */
static void kvm_gmem_hole_drop_folio(struct inode *inode, struct folio *folio,
				     pgoff_t *first, pgoff_t *next)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	pgoff_t start = max(gi->hole_start, folio->index);
	pgoff_t end = min(gi->hole_end, folio_next_index(folio));

	if (end - start == folio_nr_pages(folio)) {
		kvm_gmem_reclaim(inode, folio, start, end, KVM_GMEM_EMPTY);
		return;
	}

	kvm_gmem_reclaim(inode, folio, start, end, KVM_GMEM_PUNCHED);
	if (kvm_gmem_is_readable(gi))
		kvm_gmem_clear_pages(gi, folio, start, end);

	if (folio->index <= *first)
		*first = folio_next_index(folio);
	else
		*next = folio->index;
}

/*
 * Step 5 for some folios.  Returns the index of a large one with a failed page that goes
 * as a whole, if it is at @split or above: it has to be split before.  Else ULONG_MAX.
 */
static pgoff_t kvm_gmem_hole_drop_batch(struct inode *inode, struct folio_batch *fbatch,
					pgoff_t split, pgoff_t *first, pgoff_t *next)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	pgoff_t stop = ULONG_MAX;
	struct folio *folio;
	int i;

	for (i = 0; i < folio_batch_count(fbatch) && stop == ULONG_MAX; i++) {
		folio = fbatch->folios[i];
		folio_lock(folio);
		if (folio_test_large(folio) && folio->index >= split &&
		    folio->index >= gi->hole_start && folio_next_index(folio) <= gi->hole_end &&
		    kvm_gmem_hole_has_to_split(gi, folio))
			stop = folio->index;
		else if (folio->mapping == inode->i_mapping)
			kvm_gmem_hole_drop_folio(inode, folio, first, next);
		folio_unlock(folio);
	}
	folio_batch_release(fbatch);
	return stop;
}

/* Steps 5 and 6. */
static void kvm_gmem_hole_drop(struct inode *inode, unsigned long deadline)
{
	struct address_space *mapping = inode->i_mapping;
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	pgoff_t first = gi->hole_start, next = gi->hole_end;
	pgoff_t index = gi->hole_start, end = gi->hole_end;
	pgoff_t split = 0, stop;
	struct folio_batch fbatch;

	folio_batch_init(&fbatch);
	while (index < end && filemap_get_folios(mapping, &index, end - 1, &fbatch)) {
		stop = kvm_gmem_hole_drop_batch(inode, &fbatch, split, &first, &next);
		if (stop != ULONG_MAX) {
			kvm_gmem_hole_split(inode, stop, deadline);
			split = stop + 1;
			index = stop;
		}
		cond_resched();
	}

	if (first >= next)
		return;

	truncate_inode_pages_range(mapping, (loff_t)first << PAGE_SHIFT,
				   ((loff_t)next << PAGE_SHIFT) - 1);
	kvm_gmem_forget_states(gi, first, next);
}

/*
 * A folio has left the file.  If it has a failed page, and could not be split, it is not
 * freed: the allocator does not look for a failed page in a large folio that it gets, nor
 * does what writes to memory that is freed (page poisoning, init_on_free), and it looks at
 * what it gives out only if that comes from the buddy lists.  memory_failure() marks the
 * folio first, and puts its reference only if the file has the folio after that.
 */
void kvm_gmem_free_folio(struct folio *folio)
{
	if (folio_test_large(folio) && kvm_gmem_has_failed_page(folio))
		kvm_gmem_leak(folio);
}

/*
 * kvm_gmem_punch - punch a hole: the pages go back to the host
 * @inode:	of a guest_memfd
 * @start:	first index
 * @end:	index after the last, above @start
 *
 * Takes the invalidate lock.  Can't fail: pages that can't be reclaimed are leaked.
 */
void kvm_gmem_punch(struct inode *inode, pgoff_t start, pgoff_t end)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	unsigned long deadline;

	filemap_invalidate_lock(inode->i_mapping);
	deadline = jiffies + KVM_GMEM_SPLIT_TIMEOUT;

	kvm_gmem_hole_publish(gi, start, end);
	if (!IS_ALIGNED(start, KVM_GMEM_CHUNK_PAGES))
		kvm_gmem_hole_prepare_end(inode, start, deadline);
	/* Not twice for the same folio. */
	if (!IS_ALIGNED(end, KVM_GMEM_CHUNK_PAGES) &&
	    round_down(end, KVM_GMEM_CHUNK_PAGES) >= start)
		kvm_gmem_hole_prepare_end(inode, end - 1, deadline);

	kvm_gmem_unmap(gi, gi->hole_start, gi->hole_end);
	kvm_gmem_hole_drop(inode, deadline);

	WRITE_ONCE(gi->hole_end, 0);
	filemap_invalidate_unlock(inode->i_mapping);

	trace_kvm_gmem_punch(inode->i_ino, start, end);
}
