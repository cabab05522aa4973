/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_GUEST_MEMFD_H
#define __KVM_GUEST_MEMFD_H

#include <linux/kvm_host.h>
#include <linux/mempolicy.h>
#include <linux/pagemap.h>

#define KVM_GMEM_CHUNK_PAGES	(1UL << KVM_GMEM_MAX_ORDER)

/**
 * struct kvm_gmem_inode - the storage, i.e. the physical memory of one machine
 * @flags:	GUEST_MEMFD_FLAG_*, constant
 * @ops:	what the VM type does with private pages, constant, may be NULL
 * @views_lock:	protects @views and the bindings of each of them; nests inside
 *		slots_lock, the invalidate lock and the folio lock, outside mmu_lock
 * @views:	the open files, each of which is the view of one VM
 * @chunks:	state of the pages, by index >> %KVM_GMEM_MAX_ORDER: nothing, or
 *		%KVM_GMEM_CHUNK_PREPARED, or a struct kvm_gmem_chunk
 * @punch_start: start of the range that is being punched out, and
 * @punch_end:	its end; written under the invalidate lock.  No page in the range
 *		is prepared: whoever has locked a folio looks here first.
 * @policy:	NUMA policy set with mbind()
 */
struct kvm_gmem_inode {
	u64 flags;
	const struct kvm_private_mem_ops *ops;
	struct mutex views_lock;	/* see above */
	struct list_head views;
	struct xarray chunks;
	pgoff_t punch_start;
	pgoff_t punch_end;
#ifdef CONFIG_NUMA
	struct shared_policy policy;
#endif
};

/**
 * struct kvm_gmem_view - an open file, i.e. what one VM sees of an inode
 * @kvm:	the VM, which is pinned
 * @inode:	the storage
 * @bindings:	the memslots bound to the file, by index; under views_lock
 * @entry:	in kvm_gmem_inode.views
 */
struct kvm_gmem_view {
	struct kvm *kvm;
	struct inode *inode;
	struct maple_tree bindings;
	struct list_head entry;
};

/* Every page of the chunk is prepared, and as one. */
#define KVM_GMEM_CHUNK_PREPARED	xa_mk_value(1)

/**
 * struct kvm_gmem_chunk - state of pages that don't all have the same
 * @prepared:	the page is the guest's
 * @punched:	the page was punched out of a large folio, which stays whole: the
 *		page is as good as new, and the folio goes when all is punched
 * @lost:	the page was punched out of a large folio and could not be taken
 *		back: nobody may touch it, and the range works again when the folio
 *		is gone
 *
 * The bits of a page change with its folio locked; folios of one chunk may be
 * locked at once, hence atomically.
 */
struct kvm_gmem_chunk {
	DECLARE_BITMAP(prepared, KVM_GMEM_CHUNK_PAGES);
	DECLARE_BITMAP(punched, KVM_GMEM_CHUNK_PAGES);
	DECLARE_BITMAP(lost, KVM_GMEM_CHUNK_PAGES);
};

static inline struct kvm_gmem_inode *to_gmem_inode(struct inode *inode)
{
	return inode->i_private;
}

static inline bool kvm_gmem_is_punched(struct kvm_gmem_inode *gi, pgoff_t index, unsigned int order)
{
	return index < READ_ONCE(gi->punch_end) &&
	       index + (1UL << order) > READ_ONCE(gi->punch_start);
}

/* guest_memfd.c */
struct kvm_gmem_view *kvm_gmem_file_view(struct file *file);

/* guest_memfd_slots.c; view_unmap is called with views_lock held. */
bool kvm_gmem_is_huge_private(struct kvm *kvm, const struct kvm_memory_slot *slot, gfn_t gfn);
void kvm_gmem_view_unmap(struct kvm_gmem_view *view, pgoff_t start, pgoff_t end);
void kvm_gmem_unmap(struct kvm_gmem_inode *gi, pgoff_t start, pgoff_t end);

/* guest_memfd_pages.c */
struct folio *kvm_gmem_get_folio(struct inode *inode, pgoff_t index, unsigned int order);
int kvm_gmem_prepare(struct inode *inode, struct kvm *kvm, gfn_t gfn,
		     struct folio *folio, pgoff_t index, unsigned int *order);
bool kvm_gmem_is_prepared(struct inode *inode, struct folio *folio);
void kvm_gmem_set_prepared(struct inode *inode, struct folio *folio);
bool kvm_gmem_is_untouched(struct inode *inode, struct folio *folio);
int kvm_gmem_prepare_with(struct inode *inode, struct kvm *kvm, gfn_t gfn, struct folio *folio,
			  pgoff_t index, unsigned int order, const struct kvm_gmem_source *source,
			  struct page **pages);
void kvm_gmem_drop_range(struct inode *inode, pgoff_t start, pgoff_t end);

#endif /* __KVM_GUEST_MEMFD_H */
