// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of each page of a guest_memfd.
 *
 * The state belongs to the page of the inode.  It is independent of mappings,
 * of file descriptors and of VMs, and changes only after the operation of the
 * VM type succeeded.  It changes with the folio of the page locked, and only by
 * kvm_gmem_set_state(), which knows the legal moves:
 *
 *   EMPTY     -> PREPARED	a fault, or the initial content of the guest
 *   EMPTY     -> PUNCHED	a hole in a part of a large folio
 *   EMPTY     -> LEAKED	the initial content failed, and so did reclaim
 *   PREPARED  -> EMPTY		reclaimed, the folio is about to be freed
 *   PREPARED  -> PUNCHED	reclaimed, a part of a large folio
 *   PREPARED  -> LEAKED	a part of a large folio that can't be reclaimed
 *   PUNCHED   -> PREPARED	used again
 *   PUNCHED   -> EMPTY		used again without preparation, or about to be freed
 *   PUNCHED   -> LEAKED	as for EMPTY
 *   LEAKED    -> EMPTY		the folio leaves the file, and is never freed
 */
#include <linux/kvm_private_mem.h>

#include "guest_memfd.h"

/* Every page of the chunk is prepared, and as one. */
#define KVM_GMEM_CHUNK_PREPARED	xa_mk_value(1)

/* Marks of the chunk's entry: see kvm_gmem_refuse_coalescing(). */
#define KVM_GMEM_COALESCE_FAILED	XA_MARK_0
#define KVM_GMEM_COALESCE_REFUSED	XA_MARK_1

/*
 * The states of pages that don't all have the same.  A page has at most one of
 * the bits, none is KVM_GMEM_EMPTY.  Small folios of one chunk may be locked by
 * different tasks, hence atomic bit operations.
 */
struct kvm_gmem_chunk {
	DECLARE_BITMAP(is[KVM_GMEM_NR_STATES], KVM_GMEM_CHUNK_PAGES);
};

static const unsigned int kvm_gmem_legal_moves[] = {
	[KVM_GMEM_EMPTY]	= BIT(KVM_GMEM_PREPARED) | BIT(KVM_GMEM_PUNCHED) |
				  BIT(KVM_GMEM_LEAKED),
	[KVM_GMEM_PREPARED]	= BIT(KVM_GMEM_EMPTY) | BIT(KVM_GMEM_PUNCHED) |
				  BIT(KVM_GMEM_LEAKED),
	[KVM_GMEM_PUNCHED]	= BIT(KVM_GMEM_EMPTY) | BIT(KVM_GMEM_PREPARED) |
				  BIT(KVM_GMEM_LEAKED),
	[KVM_GMEM_LEAKED]	= BIT(KVM_GMEM_EMPTY),
};

static enum kvm_gmem_state kvm_gmem_chunk_state(const struct kvm_gmem_chunk *chunk,
						unsigned int bit)
{
	enum kvm_gmem_state state;

	for (state = KVM_GMEM_NR_STATES - 1; state > KVM_GMEM_EMPTY; state--)
		if (test_bit(bit, chunk->is[state]))
			break;
	return state;
}

/* The state of the page at @index. */
enum kvm_gmem_state kvm_gmem_state(struct kvm_gmem_inode *gi, pgoff_t index)
{
	void *entry = xa_load(&gi->chunks, index >> KVM_GMEM_MAX_ORDER);

	if (!entry)
		return KVM_GMEM_EMPTY;
	if (xa_is_value(entry))
		return KVM_GMEM_PREPARED;
	return kvm_gmem_chunk_state(entry, index % KVM_GMEM_CHUNK_PAGES);
}

/* True if all pages of the chunk that has @index are in @state. */
bool kvm_gmem_chunk_is(struct kvm_gmem_inode *gi, pgoff_t index, enum kvm_gmem_state state)
{
	void *entry = xa_load(&gi->chunks, index >> KVM_GMEM_MAX_ORDER);
	struct kvm_gmem_chunk *chunk = entry;
	enum kvm_gmem_state other;

	if (!entry)
		return state == KVM_GMEM_EMPTY;
	if (xa_is_value(entry))
		return state == KVM_GMEM_PREPARED;
	if (state != KVM_GMEM_EMPTY)
		return bitmap_full(chunk->is[state], KVM_GMEM_CHUNK_PAGES);

	for (other = state + 1; other < KVM_GMEM_NR_STATES; other++)
		if (!bitmap_empty(chunk->is[other], KVM_GMEM_CHUNK_PAGES))
			return false;
	return true;
}

/* True if a page of the chunk that has @index is in @state, which is not EMPTY. */
bool kvm_gmem_chunk_has(struct kvm_gmem_inode *gi, pgoff_t index, enum kvm_gmem_state state)
{
	void *entry = xa_load(&gi->chunks, index >> KVM_GMEM_MAX_ORDER);
	struct kvm_gmem_chunk *chunk = entry;

	if (!entry || xa_is_value(entry))
		return entry && state == KVM_GMEM_PREPARED;
	return !bitmap_empty(chunk->is[state], KVM_GMEM_CHUNK_PAGES);
}

/*
 * True if no page of the chunk that has @index is of use to anybody once those in
 * [@start, @end) are punched out: the others are PUNCHED, or LEAKED.
 */
bool kvm_gmem_chunk_ends(struct kvm_gmem_inode *gi, pgoff_t index, pgoff_t start, pgoff_t end)
{
	pgoff_t first = round_down(index, KVM_GMEM_CHUNK_PAGES);
	void *entry = xa_load(&gi->chunks, index >> KVM_GMEM_MAX_ORDER);
	const struct kvm_gmem_chunk *chunk = entry;
	DECLARE_BITMAP(gone, KVM_GMEM_CHUNK_PAGES);

	if (!entry || xa_is_value(entry))
		return false;

	start = max(start, first) - first;
	end = min(end, first + KVM_GMEM_CHUNK_PAGES) - first;

	bitmap_or(gone, chunk->is[KVM_GMEM_PUNCHED], chunk->is[KVM_GMEM_LEAKED],
		  KVM_GMEM_CHUNK_PAGES);
	bitmap_set(gone, start, end - start);
	return bitmap_full(gone, KVM_GMEM_CHUNK_PAGES);
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
			bitmap_fill(chunk->is[KVM_GMEM_PREPARED], KVM_GMEM_CHUNK_PAGES);

		entry = xa_cmpxchg(&gi->chunks, nr, old, chunk, gfp);
		if (entry == old)
			return chunk;

		kfree(chunk);
		if (xa_is_err(entry))
			return NULL;
	}
}

/*
 * Have memory for the states of the pages of a chunk, so that they can change.
 * Returns 0 or -ENOMEM.
 */
int kvm_gmem_reserve_states(struct kvm_gmem_inode *gi, pgoff_t index)
{
	return kvm_gmem_get_chunk(gi, index, GFP_KERNEL_ACCOUNT) ? 0 : -ENOMEM;
}

/* Something has changed since kvm_gmem_refuse_coalescing(). */
void kvm_gmem_allow_coalescing(struct kvm_gmem_inode *gi, pgoff_t index)
{
	unsigned long nr = index >> KVM_GMEM_MAX_ORDER;

	if (!xa_get_mark(&gi->chunks, nr, KVM_GMEM_COALESCE_FAILED))
		return;

	xa_clear_mark(&gi->chunks, nr, KVM_GMEM_COALESCE_FAILED);
	xa_clear_mark(&gi->chunks, nr, KVM_GMEM_COALESCE_REFUSED);
}

/* The same for kvm_gmem_set_prepared_huge(). */
int kvm_gmem_reserve_huge(struct kvm_gmem_inode *gi, pgoff_t index)
{
	return xa_reserve(&gi->chunks, index >> KVM_GMEM_MAX_ORDER, GFP_KERNEL_ACCOUNT);
}

/* The reservation is not used. */
void kvm_gmem_release_huge(struct kvm_gmem_inode *gi, pgoff_t index)
{
	xa_release(&gi->chunks, index >> KVM_GMEM_MAX_ORDER);
}

/*
 * Change the state of the pages in [@start, @end) of a locked folio.  Without
 * memory reserved for it, it is waited for; holes must not fail.
 */
void kvm_gmem_set_state(struct kvm_gmem_inode *gi, struct folio *folio, pgoff_t start,
			pgoff_t end, enum kvm_gmem_state to)
{
	struct kvm_gmem_chunk *chunk;
	enum kvm_gmem_state from;
	unsigned int bit;
	pgoff_t index;
	void *entry;

	WARN_ON_ONCE(!folio_test_locked(folio) || start < folio->index ||
		     end > folio_next_index(folio));

	entry = xa_load(&gi->chunks, start >> KVM_GMEM_MAX_ORDER);
	if (to == KVM_GMEM_EMPTY && !entry)
		return;
	if (to == KVM_GMEM_EMPTY && xa_is_value(entry) && end - start == KVM_GMEM_CHUNK_PAGES) {
		xa_erase(&gi->chunks, start >> KVM_GMEM_MAX_ORDER);
		return;
	}

	kvm_gmem_allow_coalescing(gi, start);
	chunk = kvm_gmem_get_chunk(gi, start, GFP_KERNEL | __GFP_NOFAIL);
	for (index = start; index < end; index++) {
		bit = index % KVM_GMEM_CHUNK_PAGES;
		from = kvm_gmem_chunk_state(chunk, bit);
		if (from == to || WARN_ON_ONCE(!(kvm_gmem_legal_moves[from] & BIT(to))))
			continue;
		if (from != KVM_GMEM_EMPTY)
			clear_bit(bit, chunk->is[from]);
		if (to != KVM_GMEM_EMPTY)
			set_bit(bit, chunk->is[to]);
	}
}

/*
 * All pages of a large, locked folio are prepared, and as one.  There is an
 * entry for the chunk already, so that there is memory for it.
 */
void kvm_gmem_set_prepared_huge(struct kvm_gmem_inode *gi, struct folio *folio)
{
	void *old;

	WARN_ON_ONCE(!folio_test_locked(folio) || !folio_test_large(folio) ||
		     kvm_gmem_chunk_has(gi, folio->index, KVM_GMEM_LEAKED));

	old = xa_store(&gi->chunks, folio->index >> KVM_GMEM_MAX_ORDER,
		       KVM_GMEM_CHUNK_PREPARED, 0);
	if (!xa_is_value(old))
		kfree(old);
}

/*
 * The pages of the chunk that has @index could not be made one.  The guest may have changed
 * something about them since, which nobody sees: it's tried once more.  After that it's not
 * until one of them gets another state, or is split.
 */
void kvm_gmem_refuse_coalescing(struct kvm_gmem_inode *gi, pgoff_t index)
{
	unsigned long nr = index >> KVM_GMEM_MAX_ORDER;

	xa_set_mark(&gi->chunks, nr, xa_get_mark(&gi->chunks, nr, KVM_GMEM_COALESCE_FAILED) ?
		    KVM_GMEM_COALESCE_REFUSED : KVM_GMEM_COALESCE_FAILED);
}

bool kvm_gmem_is_coalescing_refused(struct kvm_gmem_inode *gi, pgoff_t index)
{
	return xa_get_mark(&gi->chunks, index >> KVM_GMEM_MAX_ORDER, KVM_GMEM_COALESCE_REFUSED);
}

/* True if the pages of the chunk that has @index were prepared as one, and not split since. */
bool kvm_gmem_is_prepared_huge(struct kvm_gmem_inode *gi, pgoff_t index)
{
	return xa_is_value(xa_load(&gi->chunks, index >> KVM_GMEM_MAX_ORDER));
}

/*
 * The folios of the chunks that lie in [@start, @end) as a whole have left the
 * file, and no folio can come: what was known of the pages is obsolete.
 */
void kvm_gmem_forget_states(struct kvm_gmem_inode *gi, pgoff_t start, pgoff_t end)
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
		cond_resched();
	}
}
