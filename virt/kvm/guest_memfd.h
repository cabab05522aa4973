/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_GUEST_MEMFD_H
#define __KVM_GUEST_MEMFD_H

#include <linux/kvm_host.h>
#include <linux/kvm_private_mem.h>
#include <linux/mempolicy.h>
#include <linux/pagemap.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>

#define KVM_GMEM_CHUNK_PAGES	(1UL << KVM_GMEM_MAX_ORDER)

/**
 * enum kvm_gmem_state - what a page of the inode is
 * @KVM_GMEM_EMPTY:	there is no page, or it's the host's and nobody has used it;
 *			for VM types without preparation: it may be used
 * @KVM_GMEM_PREPARED:	it was made the guest's own
 * @KVM_GMEM_PUNCHED:	it was punched out of a large folio, which stays: the page is
 *			as good as new, and the folio goes when all of it is punched
 * @KVM_GMEM_LEAKED:	it was to leave a large folio and could not be reclaimed:
 *			nobody may touch it until the folio is gone
 *
 * See guest_memfd_state.c for the moves from one to another.
 */
enum kvm_gmem_state {
	KVM_GMEM_EMPTY,
	KVM_GMEM_PREPARED,
	KVM_GMEM_PUNCHED,
	KVM_GMEM_LEAKED,
	KVM_GMEM_NR_STATES,
};

/**
 * struct kvm_gmem_inode - the storage, i.e. the physical memory of one machine
 * @flags:	GUEST_MEMFD_FLAG_*, constant
 * @ops:	what the VM type does with private pages, constant, may be NULL
 * @users:	the files, open or being closed
 * @views_lock:	protects @views and the bindings of each of them; nests inside
 *		slots_lock, the invalidate lock and the folio lock, outside mmu_lock
 * @views:	the files, until they are closed, each of which is the view of one VM
 * @chunks:	the states of the pages, see guest_memfd_state.c
 * @hole_start:	start of the range that is being punched out, and
 * @hole_end:	its end; written under the invalidate lock.  See guest_memfd_hole.c
 * @policy:	NUMA policy set with mbind()
 * @audit_entry: in the list of all inodes, for the audit
 * @audit_mapping: i_mapping of the inode, for the audit
 */
struct kvm_gmem_inode {
	u64 flags;
	const struct kvm_private_mem_ops *ops;
	refcount_t users;
	struct mutex views_lock;	/* see above */
	struct list_head views;
	struct xarray chunks;
	pgoff_t hole_start;
	pgoff_t hole_end;
#ifdef CONFIG_NUMA
	struct shared_policy policy;
#endif
#ifdef CONFIG_KVM_PRIVATE_MEM_AUDIT
	struct list_head audit_entry;
	struct address_space *audit_mapping;
#endif
};

/**
 * struct kvm_gmem_view - an open file, i.e. what one VM sees of an inode
 * @kvm:	the VM, which is pinned
 * @inode:	the storage
 * @bindings:	the memslots bound to the file, by index; under views_lock
 * @entry:	in kvm_gmem_inode.views
 * @owner:	the process that created the file
 * @closed:	in kvm.gmem_closed, if another process has closed the file
 * @rcu:	waits for the faults that use the view
 * @drop:	frees the pages after that, and
 * @put:	drops inode and VM, and frees the view
 */
struct kvm_gmem_view {
	struct kvm *kvm;
	struct inode *inode;
	struct maple_tree bindings;
	struct list_head entry;
	struct pid *owner;
	struct llist_node closed;
	struct rcu_head rcu;
	struct work_struct drop;
	struct work_struct put;
};

static inline struct kvm_gmem_inode *to_gmem_inode(struct inode *inode)
{
	return inode->i_private;
}

/* True if one of @nr pages from @index on is being punched out. */
static inline bool kvm_gmem_in_hole(struct kvm_gmem_inode *gi, pgoff_t index, unsigned long nr)
{
	return index < READ_ONCE(gi->hole_end) && index + nr > READ_ONCE(gi->hole_start);
}

/* guest_memfd_mount.c */
extern struct vfsmount *kvm_gmem_mnt;
int kvm_gmem_pin_mount(void);
void kvm_gmem_unpin_mount(void);

/* guest_memfd_release.c */
int kvm_gmem_init_release(void);
void kvm_gmem_release_init(struct kvm_gmem_view *view);
int kvm_gmem_release(struct inode *inode, struct file *file);
void kvm_gmem_inode_free(struct inode *inode);

/* guest_memfd_slots.c; view_unmap is called with views_lock held. */
void kvm_gmem_view_unmap(struct kvm_gmem_view *view, pgoff_t start, pgoff_t end);
void kvm_gmem_unmap(struct kvm_gmem_inode *gi, pgoff_t start, pgoff_t end);

/* guest_memfd_pages.c */
bool kvm_gmem_is_readable(const struct kvm_gmem_inode *gi);
struct folio *kvm_gmem_find_or_add_folio(struct inode *inode, pgoff_t index, unsigned int order);
struct folio *kvm_gmem_get_folio(struct inode *inode, pgoff_t index, unsigned int order);
int kvm_gmem_may_use(struct inode *inode, struct folio *folio, pgoff_t index,
		     unsigned int *order);
int kvm_gmem_prepare(struct inode *inode, struct kvm *kvm, gfn_t gfn,
		     struct folio *folio, pgoff_t index, unsigned int *order);
void kvm_gmem_leak(struct folio *folio);
bool kvm_gmem_reclaim_pages(struct inode *inode, struct folio *folio, pgoff_t index,
			    unsigned int order);
void kvm_gmem_reclaim(struct inode *inode, struct folio *folio, pgoff_t start, pgoff_t end,
		      enum kvm_gmem_state to);

/* guest_memfd_state.c */
enum kvm_gmem_state kvm_gmem_state(struct kvm_gmem_inode *gi, pgoff_t index);
bool kvm_gmem_chunk_is(struct kvm_gmem_inode *gi, pgoff_t index, enum kvm_gmem_state state);
bool kvm_gmem_chunk_has(struct kvm_gmem_inode *gi, pgoff_t index, enum kvm_gmem_state state);
bool kvm_gmem_chunk_ends(struct kvm_gmem_inode *gi, pgoff_t index, pgoff_t start, pgoff_t end);
int kvm_gmem_reserve_states(struct kvm_gmem_inode *gi, pgoff_t index);
int kvm_gmem_reserve_huge(struct kvm_gmem_inode *gi, pgoff_t index);
void kvm_gmem_release_huge(struct kvm_gmem_inode *gi, pgoff_t index);
void kvm_gmem_set_state(struct kvm_gmem_inode *gi, struct folio *folio, pgoff_t start,
			pgoff_t end, enum kvm_gmem_state to);
void kvm_gmem_set_prepared_huge(struct kvm_gmem_inode *gi, struct folio *folio);
void kvm_gmem_refuse_coalescing(struct kvm_gmem_inode *gi, pgoff_t index);
bool kvm_gmem_is_coalescing_refused(struct kvm_gmem_inode *gi, pgoff_t index);
void kvm_gmem_allow_coalescing(struct kvm_gmem_inode *gi, pgoff_t index);
bool kvm_gmem_is_prepared_huge(struct kvm_gmem_inode *gi, pgoff_t index);
void kvm_gmem_forget_states(struct kvm_gmem_inode *gi, pgoff_t start, pgoff_t end);

/* guest_memfd_hole.c */
void kvm_gmem_free_folio(struct folio *folio);
void kvm_gmem_punch(struct inode *inode, pgoff_t start, pgoff_t end);

/* guest_memfd_audit.c */
#ifdef CONFIG_KVM_PRIVATE_MEM_AUDIT
void kvm_gmem_audit_init(void);
void kvm_gmem_audit_add(struct kvm_gmem_inode *gi, struct address_space *mapping);
void kvm_gmem_audit_del(struct kvm_gmem_inode *gi);
#else
static inline void kvm_gmem_audit_init(void) { }
static inline void kvm_gmem_audit_add(struct kvm_gmem_inode *gi,
				      struct address_space *mapping) { }
static inline void kvm_gmem_audit_del(struct kvm_gmem_inode *gi) { }
#endif

#endif /* __KVM_GUEST_MEMFD_H */
