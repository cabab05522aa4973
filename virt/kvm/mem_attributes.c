// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory attributes: which gfns of a VM are private.
 *
 * The attributes are stored as ranges in a maple tree, and neighbours that have
 * the same attributes are one entry.  What has no attribute has no entry.  So a
 * change costs as much for 1 TiB as for 4 KiB, apart from the SPTEs that have
 * to go, and a lookup tells how far the answer holds, which is what decides if
 * a huge page may be mapped.
 *
 * The tree is changed under kvm->slots_lock, and in the same critical section
 * of kvm->mmu_lock that ends the invalidation of the range: a fault that has
 * read the old attributes finds the sequence count changed.  It is read under
 * RCU alone.
 */
#include <linux/kvm_host.h>

#define CREATE_TRACE_POINTS
#include <trace/events/kvm_private_mem.h>

#include "kvm_mm.h"

/* Let lockdep check that writers of the tree hold slots_lock. */
void kvm_mem_attributes_init(struct kvm *kvm)
{
	mt_init_flags(&kvm->mem_attributes, MT_FLAGS_USE_RCU | MT_FLAGS_LOCK_EXTERN);
	mt_set_external_lock(&kvm->mem_attributes, &kvm->slots_lock);
	kvm->mem_attributes_mas = (struct ma_state) {
		.tree = &kvm->mem_attributes,
		.node = MAS_START,
		.max = ULONG_MAX,
	};
}

/* Called when nobody else can reach @kvm. */
void kvm_mem_attributes_destroy(struct kvm *kvm)
{
	mutex_lock(&kvm->slots_lock);
	mas_destroy(&kvm->mem_attributes_mas);
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

/* Find the entry or the gap at @mas->index and the range it spans. */
static u64 kvm_mem_attributes_walk(struct ma_state *mas, gfn_t *first, gfn_t *last)
{
	void *entry = mas_walk(mas);

	*first = mas->index;
	*last = mas->last;
	return entry ? xa_to_value(entry) : 0;
}

/**
 * kvm_mem_attributes_lookup - read the attributes of a gfn
 * @kvm:	the VM
 * @gfn:	the gfn
 * @range:	set to its attributes and to how far they reach around it
 *
 * No lock is needed.  To rely on the answer, read kvm->mmu_invalidate_seq
 * before, and compare it under mmu_lock.
 */
void kvm_mem_attributes_lookup(struct kvm *kvm, gfn_t gfn,
			       struct kvm_mem_attr_range *range)
{
	MA_STATE(mas, &kvm->mem_attributes, gfn, gfn);

	rcu_read_lock();
	range->attributes = kvm_mem_attributes_walk(&mas, &range->first, &range->last);
	rcu_read_unlock();
}

/**
 * kvm_handle_shared_gfns - call a handler for the shared part of a range
 * @kvm:	the VM
 * @range:	part of a slot
 * @handler:	called for each run of shared gfns in it
 *
 * mmu_lock is held for write, thus the attributes can't change, and what is
 * mapped is what they say.  Returns true if one of the calls did.
 */
bool kvm_handle_shared_gfns(struct kvm *kvm, struct kvm_gfn_range *range,
			    bool (*handler)(struct kvm *kvm, struct kvm_gfn_range *range))
{
	struct kvm_gfn_range part = *range;
	struct kvm_mem_attr_range attr;
	bool ret = false;
	gfn_t gfn;

	lockdep_assert_held_write(&kvm->mmu_lock);

	for (gfn = range->start; gfn < range->end; gfn = part.end) {
		kvm_mem_attributes_lookup(kvm, gfn, &attr);
		part.start = gfn;
		part.end = min(range->end - 1, attr.last) + 1;
		if (!(attr.attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE))
			ret |= handler(kvm, &part);
	}

	return ret;
}

/* Unmap all that is mapped in [@start, @end), in each of the address spaces. */
static bool kvm_mem_unmap(struct kvm *kvm, gfn_t start, gfn_t end)
{
	struct kvm_gfn_range range = { .may_block = true };
	struct kvm_memslot_iter iter;
	bool flush = false;
	int i;

	for (i = 0; i < kvm_arch_nr_memslot_as_ids(kvm); i++) {
		kvm_for_each_memslot_in_gfn_range(&iter, __kvm_memslots(kvm, i), start, end) {
			range.slot = iter.slot;
			range.start = max(start, range.slot->base_gfn);
			range.end = min(end, range.slot->base_gfn + range.slot->npages);
			flush |= kvm_unmap_gfn_range(kvm, &range);
		}
	}

	return flush;
}

/*
 * The kernel's own mappings of guest memory end when the memory gets private;
 * a refresh that is under way finds the new attributes or the sequence count
 * changed.
 */
static void kvm_mem_invalidate_pfncaches(struct kvm *kvm, gfn_t start, gfn_t end)
{
	struct kvm_memory_slot *slot;
	struct kvm_memslot_iter iter;
	gfn_t first, last;

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

/*
 * Widen [@first, @last] by the neighbours that have @attributes already, so
 * that storing it leaves one entry.
 */
static void kvm_mem_attributes_merge(struct kvm *kvm, u64 attributes,
				     gfn_t *first, gfn_t *last)
{
	struct kvm_mem_attr_range range;

	if (*first > 0) {
		kvm_mem_attributes_lookup(kvm, *first - 1, &range);
		if (range.attributes == attributes)
			*first = range.first;
	}

	if (*last < ULONG_MAX) {
		kvm_mem_attributes_lookup(kvm, *last + 1, &range);
		if (range.attributes == attributes)
			*last = range.last;
	}
}

/* Set the attributes of [@start, @end), all or nothing.  Returns 0 or -ENOMEM. */
static int kvm_mem_attributes_set(struct kvm *kvm, gfn_t start, gfn_t end, u64 attributes)
{
	void *entry = attributes ? xa_mk_value(attributes) : NULL;
	struct ma_state *mas = &kvm->mem_attributes_mas;
	struct kvm_mem_attr_range range;
	gfn_t first = start, last = end - 1;
	int r;

	lockdep_assert_held(&kvm->slots_lock);

	kvm_mem_attributes_lookup(kvm, start, &range);
	if (range.attributes == attributes && range.last >= last)
		return 0;

	kvm_mem_attributes_merge(kvm, attributes, &first, &last);

	/*
	 * Nothing may fail once the invalidation began.  The nodes are reserved
	 * for the worst case, and those that were not needed stay for the next
	 * change.
	 */
	mas_set_range(mas, first, last);
	r = mas_preallocate(mas, entry, GFP_KERNEL_ACCOUNT);
	if (r)
		return r;

	if (attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE)
		kvm_mem_invalidate_pfncaches(kvm, start, end);

	KVM_MMU_LOCK(kvm);
	kvm_gfn_invalidate_begin(kvm, start, end);
	if (kvm_mem_unmap(kvm, start, end))
		kvm_flush_remote_tlbs(kvm);
	mas_store(mas, entry);
	kvm_gfn_invalidate_end(kvm);
	KVM_MMU_UNLOCK(kvm);

	kvm_arch_mem_attributes_changed(kvm);
	trace_kvm_mem_attributes_set(kvm, start, end, attributes);
	return 0;
}

/**
 * kvm_vm_ioctl_set_mem_attributes - KVM_SET_MEMORY_ATTRIBUTES
 * @kvm:	the VM
 * @args:	a copy of user space's arguments
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
