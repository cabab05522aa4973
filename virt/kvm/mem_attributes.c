// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory attributes: which gfns of a VM are private.
 *
 * They are stored in a maple tree, as ranges and as chunks.  The gfns of a range
 * all have the same attributes; what has none has no entry.  A chunk is as many
 * gfns as a huge page has, of which some are private, and has a bitmap.  Ranges
 * begin and end where chunks do.  So a change costs as much for 1 TiB as for
 * 2 MiB, apart from the SPTEs that have to go, that of a page in a chunk is one
 * of a bit, and a lookup tells if a huge page may be mapped.
 *
 * A chunk whose gfns have become all the same stays for a while, as they often
 * differ again soon.  It becomes part of a range when something beside it makes
 * the tree change.
 *
 * The tree is written under kvm->slots_lock, and read under RCU alone.  What it
 * says about a gfn changes in the critical section of kvm->mmu_lock that ends
 * the invalidation of the gfn: a fault that has read the old attributes finds
 * the sequence count changed.
 */
#include <linux/kvm_host.h>
#include <linux/kvm_mem_attributes.h>
#include <linux/minmax.h>
#include <linux/sizes.h>

#define CREATE_TRACE_POINTS
#include <trace/events/kvm_private_mem.h>

#include "kvm_mm.h"

#define KVM_MEM_CHUNK_GFNS	(PMD_SIZE / PAGE_SIZE)

/* How many entries of the tree may go at once, with mmu_lock held. */
#define KVM_MEM_MAX_ENTRIES	256

/* An entry of the tree that is no range; @next when it's not in the tree any more. */
struct kvm_mem_chunk {
	DECLARE_BITMAP(private, KVM_MEM_CHUNK_GFNS);
	union {
		struct rcu_head rcu;
		struct kvm_mem_chunk *next;
	};
};

/* The part of a change that is not a whole chunk; nothing if there's no chunk. */
struct kvm_mem_part {
	struct kvm_mem_chunk *chunk;
	unsigned int first;
	unsigned int nr;
};

/**
 * struct kvm_mem_change - a change for which memory is reserved
 * @start:	first gfn
 * @end:	gfn after the last
 * @entry:	of the ranges that have the new attributes
 * @gfp:	for what the change needs
 * @head:	what comes before the first whole chunk, or all of it
 * @tail:	what comes after the last whole chunk
 * @has_range:	there are whole chunks
 * @new_entries: the tree has other entries than before, or is going to
 * @mas:	set to the whole chunks, with the nodes for storing a range
 * @dropped:	chunks that the range replaces
 */
struct kvm_mem_change {
	gfn_t start;
	gfn_t end;
	void *entry;
	gfp_t gfp;
	struct kvm_mem_part head;
	struct kvm_mem_part tail;
	bool has_range;
	bool new_entries;
	struct ma_state mas;
	struct kvm_mem_chunk *dropped;
};

/* Let lockdep check that writers of the tree hold slots_lock. */
void kvm_mem_attributes_init(struct kvm *kvm)
{
	mt_init_flags(&kvm->mem_attributes, MT_FLAGS_USE_RCU | MT_FLAGS_LOCK_EXTERN);
	mt_set_external_lock(&kvm->mem_attributes, &kvm->slots_lock);
}

static bool kvm_mem_is_chunk(void *entry)
{
	return entry && !xa_is_value(entry);
}

/* Nobody looks at what is erased: its chunks have been freed. */
static void kvm_mem_attributes_erase(struct kvm *kvm, gfn_t end)
{
	MA_STATE(mas, &kvm->mem_attributes, 0, end - 1);

	mas_store_gfp(&mas, NULL, GFP_KERNEL | __GFP_NOFAIL);
}

/*
 * Called when nobody else can reach @kvm.  The nodes are freed in callbacks of RCU: they are
 * erased in parts, so that none of the callbacks takes long.
 */
void kvm_mem_attributes_destroy(struct kvm *kvm)
{
	unsigned long index = 0;
	unsigned int nr = 0;
	void *entry;

	mutex_lock(&kvm->slots_lock);
	mt_for_each(&kvm->mem_attributes, entry, index, ULONG_MAX) {
		if (kvm_mem_is_chunk(entry))
			kfree(entry);
		if (++nr % KVM_MEM_MAX_ENTRIES == 0)
			kvm_mem_attributes_erase(kvm, index);
		cond_resched();
	}
	__mt_destroy(&kvm->mem_attributes);
	mutex_unlock(&kvm->slots_lock);
}

/* The attributes that @kvm allows; those of all VM types if @kvm is NULL. */
u64 kvm_supported_mem_attributes(struct kvm *kvm)
{
	if (!kvm || kvm_arch_has_private_mem(kvm))
		return KVM_MEMORY_ATTRIBUTE_PRIVATE;

	return 0;
}

/* @range is set to the whole chunk, which it stays if all gfns are the same. */
static void kvm_mem_chunk_lookup(const struct kvm_mem_chunk *chunk, gfn_t gfn,
				 struct kvm_mem_attr_range *range)
{
	unsigned int bit = gfn % KVM_MEM_CHUNK_GFNS, next;
	bool private = test_bit(bit, chunk->private);

	range->attributes = private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0;

	/* A change that races with this moves the sequence count on. */
	if (data_race(private ? bitmap_full(chunk->private, KVM_MEM_CHUNK_GFNS) :
				bitmap_empty(chunk->private, KVM_MEM_CHUNK_GFNS)))
		return;

	/* The same. */
	next = data_race(private ? find_next_zero_bit(chunk->private, KVM_MEM_CHUNK_GFNS, bit + 1) :
				   find_next_bit(chunk->private, KVM_MEM_CHUNK_GFNS, bit + 1));
	range->first = gfn;
	range->last = gfn - bit + next - 1;
}

/*
 * kvm_mem_attributes_lookup - read the attributes of a gfn
 * @kvm:	the VM
 * @gfn:	the gfn
 * @range:	set to its attributes, and to gfns around it that have the same;
 *		all those of the huge page that it is in, if they do
 *
 * No lock is needed.  To rely on the answer, read kvm->mmu_invalidate_seq
 * before, and compare it under mmu_lock.
 */
void kvm_mem_attributes_lookup(struct kvm *kvm, gfn_t gfn,
			       struct kvm_mem_attr_range *range)
{
	MA_STATE(mas, &kvm->mem_attributes, gfn, gfn);
	void *entry;

	rcu_read_lock();
	entry = mas_walk(&mas);
	range->first = mas.index;
	range->last = mas.last;
	if (kvm_mem_is_chunk(entry))
		kvm_mem_chunk_lookup(entry, gfn, range);
	else
		range->attributes = entry ? xa_to_value(entry) : 0;
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(kvm_mem_attributes_lookup);

/* What a handler gets at once: it must not release mmu_lock with a flush due. */
#define KVM_MEM_MAX_PART	(SZ_128M >> PAGE_SHIFT)

/* Let others have mmu_lock.  Userspace decides how many runs of gfns a range has. */
static void kvm_mem_yield(struct kvm *kvm, bool flush)
{
	if (!need_resched() && !rwlock_needbreak(&kvm->mmu_lock))
		return;

	if (flush)
		kvm_flush_remote_tlbs(kvm);
	cond_resched_rwlock_write(&kvm->mmu_lock);
}

/*
 * kvm_handle_shared_gfns - call a handler for the shared part of a range
 * @kvm:	the VM
 * @range:	part of a slot
 * @handler:	called for each run of shared gfns in it
 *
 * mmu_lock is held for write: the attributes can't change, and what is mapped is what
 * they say.  If the range may block, mmu_lock is released in between, and the caller has
 * the range invalidated until the end: what becomes shared until then isn't mapped.
 * If it must not, what is private is unmapped, too.  Returns true if one of the calls did.
 */
bool kvm_handle_shared_gfns(struct kvm *kvm, struct kvm_gfn_range *range,
			    bool (*handler)(struct kvm *kvm, struct kvm_gfn_range *range))
{
	struct kvm_gfn_range part = *range;
	struct kvm_mem_attr_range attr;
	bool ret = false;
	gfn_t gfn;

	lockdep_assert_held_write(&kvm->mmu_lock);

	/* The process is being killed, and how many runs there are has no bound. */
	if (!range->may_block && handler == kvm_unmap_gfn_range)
		return handler(kvm, range);

	part.may_block = false;
	for (gfn = range->start; gfn < range->end; gfn = part.end) {
		kvm_mem_attributes_lookup(kvm, gfn, &attr);
		part.start = gfn;
		part.end = min3(range->end - 1, attr.last, gfn + KVM_MEM_MAX_PART - 1) + 1;
		if (!(attr.attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE))
			ret |= handler(kvm, &part);
		if (range->may_block)
			kvm_mem_yield(kvm, ret);
	}

	return ret;
}

/*
 * Unmap all that is mapped in [@start, @end), in each of the address spaces.  A slot's
 * flush is not left for later, as mmu_lock may be released in the next slot.
 */
static void kvm_mem_unmap(struct kvm *kvm, gfn_t start, gfn_t end)
{
	struct kvm_gfn_range range = { .may_block = true };
	struct kvm_memslot_iter iter;
	int i;

	for (i = 0; i < kvm_arch_nr_memslot_as_ids(kvm); i++) {
		kvm_for_each_memslot_in_gfn_range(&iter, __kvm_memslots(kvm, i), start, end) {
			range.slot = iter.slot;
			range.start = max(start, range.slot->base_gfn);
			range.end = min(end, range.slot->base_gfn + range.slot->npages);
			if (kvm_unmap_gfn_range(kvm, &range))
				kvm_flush_remote_tlbs(kvm);
		}
	}
}

/*
 * The kernel's own mappings of guest memory end when the memory gets private.
 * Called after the change: a refresh that is under way finds the sequence count
 * changed, and one that was done before is found here.
 */
static void kvm_mem_invalidate_pfncaches(struct kvm *kvm, gfn_t start, gfn_t end)
{
	struct kvm_memory_slot *slot;
	struct kvm_memslot_iter iter;
	gfn_t first, last;

	/* A cache that is not on the list yet is going to read the new attributes. */
	smp_mb();
	if (list_empty_careful(&kvm->gpc_list))
		return;

	kvm_for_each_memslot_in_gfn_range(&iter, kvm_memslots(kvm), start, end) {
		slot = iter.slot;
		first = max(start, slot->base_gfn);
		last = min(end, slot->base_gfn + slot->npages) - 1;
		gfn_to_pfn_cache_invalidate_start(kvm,
						  __gfn_to_hva_memslot(slot, first),
						  __gfn_to_hva_memslot(slot, last) + PAGE_SIZE,
						  true);
	}
}

/* Widen [@first, @last], whole chunks, by the ranges beside it that have @entry. */
static void kvm_mem_range_widen(struct kvm *kvm, void *entry, gfn_t *first, gfn_t *last)
{
	MA_STATE(mas, &kvm->mem_attributes, 0, 0);

	if (*first > 0) {
		mas_set(&mas, *first - 1);
		if (mas_walk(&mas) == entry)
			*first = mas.index;
	}

	if (*last < ULONG_MAX) {
		mas_set(&mas, *last + 1);
		if (mas_walk(&mas) == entry)
			*last = mas.last;
	}
}

/* Make a chunk whose gfns are all the same part of a range; may fail silently. */
static void kvm_mem_chunk_collapse(struct kvm *kvm, gfn_t gfn)
{
	MA_STATE(mas, &kvm->mem_attributes, gfn, gfn);
	struct kvm_mem_chunk *chunk = mas_walk(&mas);
	gfn_t first = mas.index, last = mas.last;
	void *entry = NULL;

	if (!kvm_mem_is_chunk(chunk))
		return;

	if (bitmap_full(chunk->private, KVM_MEM_CHUNK_GFNS))
		entry = xa_mk_value(KVM_MEMORY_ATTRIBUTE_PRIVATE);
	else if (!bitmap_empty(chunk->private, KVM_MEM_CHUNK_GFNS))
		return;

	kvm_mem_range_widen(kvm, entry, &first, &last);
	mas_set_range(&mas, first, last);
	if (!mas_store_gfp(&mas, entry, GFP_KERNEL_ACCOUNT | __GFP_NOWARN))
		kfree_rcu(chunk, rcu);
}

/* Replace a piece of a range, or of a gap, by a chunk that says the same. */
static struct kvm_mem_chunk *kvm_mem_chunk_create(struct kvm *kvm, gfn_t first, bool private,
						  gfp_t gfp)
{
	MA_STATE(mas, &kvm->mem_attributes, first, first + KVM_MEM_CHUNK_GFNS - 1);
	struct kvm_mem_chunk *chunk;

	chunk = kzalloc(sizeof(*chunk), gfp);
	if (!chunk)
		return ERR_PTR(-ENOMEM);

	if (private)
		bitmap_fill(chunk->private, KVM_MEM_CHUNK_GFNS);
	if (mas_store_gfp(&mas, chunk, gfp)) {
		kfree(chunk);
		return ERR_PTR(-ENOMEM);
	}

	return chunk;
}

/* Reserve what the part [@start, @end) needs, which is in one chunk if not empty. */
static int kvm_mem_part_reserve(struct kvm *kvm, struct kvm_mem_change *change,
				struct kvm_mem_part *part, gfn_t start, gfn_t end)
{
	void *old;

	if (start >= end)
		return 0;

	old = mtree_load(&kvm->mem_attributes, start);
	if (old == change->entry)
		return 0;

	if (!kvm_mem_is_chunk(old)) {
		old = kvm_mem_chunk_create(kvm, round_down(start, KVM_MEM_CHUNK_GFNS), old,
					   change->gfp);
		if (IS_ERR(old))
			return PTR_ERR(old);
		change->new_entries = true;
	}

	part->chunk = old;
	part->first = start % KVM_MEM_CHUNK_GFNS;
	part->nr = end - start;
	return 0;
}

static void kvm_mem_part_store(struct kvm_mem_part *part, void *entry)
{
	if (!part->chunk)
		return;

	/* Races with kvm_mem_chunk_lookup(). */
	kcsan_disable_current();
	if (entry)
		bitmap_set(part->chunk->private, part->first, part->nr);
	else
		bitmap_clear(part->chunk->private, part->first, part->nr);
	kcsan_enable_current();
}

/* The same for the range [@start, @end), whole chunks if not empty. */
static int kvm_mem_range_reserve(struct kvm *kvm, struct kvm_mem_change *change,
				 gfn_t start, gfn_t end)
{
	gfn_t first = start, last = end - 1;
	unsigned long index = start;
	struct kvm_mem_chunk *chunk;
	int r;

	if (start >= end)
		return 0;

	kvm_mem_range_widen(kvm, change->entry, &first, &last);
	change->mas = (struct ma_state) {
		.tree = &kvm->mem_attributes,
		.index = first,
		.last = last,
		.node = MAS_START,
		.max = ULONG_MAX,
	};
	r = mas_preallocate(&change->mas, change->entry, change->gfp);
	if (r)
		return r;

	mt_for_each(&kvm->mem_attributes, chunk, index, end - 1) {
		if (!kvm_mem_is_chunk(chunk))
			continue;
		chunk->next = change->dropped;
		change->dropped = chunk;
	}

	change->has_range = true;
	change->new_entries = true;
	return 0;
}

/* Reserve what it takes; the tree may look different then, but says the same. */
static int kvm_mem_change_reserve(struct kvm *kvm, struct kvm_mem_change *change)
{
	gfn_t first = round_up(change->start, KVM_MEM_CHUNK_GFNS);
	gfn_t next = round_down(change->end, KVM_MEM_CHUNK_GFNS);
	int r;

	r = kvm_mem_part_reserve(kvm, change, &change->head,
				 change->start, min(first, change->end));
	if (!r)
		r = kvm_mem_part_reserve(kvm, change, &change->tail,
					 max(first, next), change->end);
	return r ?: kvm_mem_range_reserve(kvm, change, first, next);
}

static void kvm_mem_change_store(struct kvm_mem_change *change)
{
	kvm_mem_part_store(&change->head, change->entry);
	kvm_mem_part_store(&change->tail, change->entry);
	if (change->has_range)
		mas_store_prealloc(&change->mas, change->entry);
}

/* Clean up, also in the chunks at both ends of the change, and beside them. */
static void kvm_mem_change_finish(struct kvm *kvm, struct kvm_mem_change *change)
{
	gfn_t first = round_down(change->start, KVM_MEM_CHUNK_GFNS);
	gfn_t next = round_up(change->end, KVM_MEM_CHUNK_GFNS);
	struct kvm_mem_chunk *chunk, *dropped = change->dropped;

	while (dropped) {
		chunk = dropped;
		dropped = chunk->next;
		kfree_rcu(chunk, rcu);
	}

	if (!change->new_entries)
		return;

	if (first > 0)
		kvm_mem_chunk_collapse(kvm, first - 1);
	kvm_mem_chunk_collapse(kvm, first);
	kvm_mem_chunk_collapse(kvm, next - 1);
	kvm_mem_chunk_collapse(kvm, next);
}

/* Set the attributes of [@start, @end), all or nothing.  Returns 0 or -ENOMEM. */
static int kvm_mem_attributes_set_part(struct kvm *kvm, gfn_t start, gfn_t end, u64 attributes,
				       gfp_t gfp)
{
	struct kvm_mem_change change = {
		.start = start,
		.end = end,
		.entry = attributes ? xa_mk_value(attributes) : NULL,
		.gfp = gfp,
	};
	int r;

	/* Nothing may fail once the invalidation began. */
	r = kvm_mem_change_reserve(kvm, &change);
	if (r)
		return r;

	KVM_MMU_LOCK(kvm);
	kvm_gfn_invalidate_begin(kvm, start, end);
	kvm_mem_unmap(kvm, start, end);
	kvm_mem_change_store(&change);
	kvm_gfn_invalidate_end(kvm);
	KVM_MMU_UNLOCK(kvm);

	if (attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE)
		kvm_mem_invalidate_pfncaches(kvm, start, end);

	kvm_mem_change_finish(kvm, &change);
	return 0;
}

/* How far a change may go at once: where an entry ends, or at @end. */
static gfn_t kvm_mem_part_end(struct kvm *kvm, gfn_t start, gfn_t end)
{
	unsigned long index = start;
	unsigned int nr = 0;
	void *entry;

	mt_for_each(&kvm->mem_attributes, entry, index, end - 1)
		if (++nr == KVM_MEM_MAX_ENTRIES && index)
			return min_t(gfn_t, index, end);
	return end;
}

/*
 * Set the attributes of [@start, @end).  Returns 0, or -ENOMEM with nothing changed.
 * A long change is done in parts, so that vCPUs don't wait for all of it; once the
 * first of them is done the others must not fail.
 */
static int kvm_mem_attributes_set(struct kvm *kvm, gfn_t start, gfn_t end, u64 attributes)
{
	struct kvm_mem_attr_range range;
	gfp_t gfp = GFP_KERNEL_ACCOUNT;
	gfn_t gfn, next;
	int r;

	lockdep_assert_held(&kvm->slots_lock);

	kvm_mem_attributes_lookup(kvm, start, &range);
	if (range.attributes == attributes && range.last >= end - 1)
		return 0;

	for (gfn = start; gfn < end; gfn = next) {
		next = kvm_mem_part_end(kvm, gfn, end);
		r = kvm_mem_attributes_set_part(kvm, gfn, next, attributes, gfp);
		if (r)
			return r;

		gfp |= __GFP_NOFAIL;
		cond_resched();
	}

	kvm_arch_mem_attributes_changed(kvm);
	trace_kvm_mem_attributes_set(kvm, start, end, attributes);
	return 0;
}

/*
 * kvm_vm_ioctl_set_mem_attributes - KVM_SET_MEMORY_ATTRIBUTES
 * @kvm:	the VM
 * @args:	a copy of userspace's arguments
 *
 * Returns 0, -EINVAL for an unknown flag or attribute or a range that is empty,
 * not aligned or wraps around, or -ENOMEM with nothing changed.
 */
int kvm_vm_ioctl_set_mem_attributes(struct kvm *kvm,
				    const struct kvm_memory_attributes *args)
{
	u64 end = args->address + args->size;
	int r;

	if (args->flags || args->attributes & ~kvm_supported_mem_attributes(kvm))
		return -EINVAL;
	if (!args->size || end < args->address)
		return -EINVAL;
	if (!PAGE_ALIGNED(args->address) || !PAGE_ALIGNED(args->size))
		return -EINVAL;

	mutex_lock(&kvm->slots_lock);
	r = kvm_mem_attributes_set(kvm, gpa_to_gfn(args->address), gpa_to_gfn(end),
				   args->attributes);
	mutex_unlock(&kvm->slots_lock);

	return r;
}
