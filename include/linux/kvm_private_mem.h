/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of private memory: guest_memfd, and what VM types do with its pages.
 *
 * A page is prepared when it is assigned to the guest's protection domain, and
 * reclaimed when it is the host's again.
 */
#ifndef __LINUX_KVM_PRIVATE_MEM_H
#define __LINUX_KVM_PRIVATE_MEM_H

#include <linux/kvm_host.h>
#include <linux/kvm_mem_attributes.h>

struct kvm_gmem_view;

/* The order of the largest folio that guest_memfd allocates: one PMD's worth. */
#define KVM_GMEM_MAX_ORDER	(PMD_SHIFT - PAGE_SHIFT)

/**
 * struct kvm_private_mem_ops - what a VM type does with a private page
 *
 * Any of them may be NULL, and then there is nothing to do.  The operations
 * belong to the inode of a guest_memfd, which may live longer than the VM.
 * @prepare and @reclaim are called with the folio locked, for each page once
 * and in turns; @order is 0 or %KVM_GMEM_MAX_ORDER, and gfn and pfn are
 * aligned to it.  kvm_gmem_populate() prepares pages, too.
 */
struct kvm_private_mem_ops {
	/*
	 * Give pages to the guest of @kvm, at @gfn.  The content is zero, but
	 * see @skip_zeroing.  Returns 0, or an errno with the pages still being
	 * the host's.
	 */
	int (*prepare)(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int order);

	/*
	 * Take pages back from a guest, which may be gone.  Part of a prepared
	 * range of %KVM_GMEM_MAX_ORDER can be reclaimed at order 0.  Returns
	 * true if the host owns the pages, false if they are lost to it.
	 */
	bool (*reclaim)(kvm_pfn_t pfn, unsigned int order);

	/*
	 * Decide at what level a prepared page can be mapped at @gfn, at most at
	 * *@order.  It may be lowered to 0, but not without need.  Called for each
	 * fault, with the folio locked.  Returns 0; 1 if this has made a huge page
	 * small, so that it must not be mapped as one any more, by no VM; or an
	 * errno: the fault fails.
	 */
	int (*adjust_level)(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int *order);

	/*
	 * Check that all of %KVM_GMEM_MAX_ORDER at @gfn, which is prepared, is in
	 * small pages and can be made one.  The folio is locked.
	 */
	bool (*may_coalesce)(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn);

	/*
	 * Do it.  The folio is locked, and nothing of it is mapped by any VM.
	 * Returns 0 if it's one page now, or an errno with the pages being the
	 * guest's as they were.
	 */
	int (*coalesce)(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn);

	/*
	 * [@start, @end) is not mapped any more, and what the guest has there is
	 * about to be taken from it.  Called with mmu_lock held for write, or
	 * with the slot being out of sight of vCPUs.
	 */
	void (*unmapped)(struct kvm *kvm, gfn_t start, gfn_t end);

	/*
	 * True if private pages of the guest of @owner are those of the guest of
	 * @kvm, too.  If there is no such operation, guests have nothing in common.
	 */
	bool (*may_share_inode)(struct kvm *kvm, struct kvm *owner);

	/*
	 * The guest reads what was in a page before as ciphertext: by a key that
	 * no one else has, and that it does not know.  Nothing is zeroed for it
	 * then, unless the host can map the file.
	 */
	bool skip_zeroing;

	/*
	 * For the audit: what is wrong with a page that is mapped at @gfn as one of
	 * @order, NULL if nothing.  The folio is locked, mmu_lock held for write.
	 */
	const char *(*audit)(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int order);

	/* For the audit: true if the page is not the host's. */
	bool (*is_owned)(kvm_pfn_t pfn);
};

/* The operations of the VM's type on private pages, NULL if it has none. */
const struct kvm_private_mem_ops *kvm_arch_private_mem_ops(struct kvm *kvm);
/* Never free pages, which can't be reclaimed, and count them once. */
void kvm_arch_leak_pages(kvm_pfn_t pfn, unsigned long npages);

/*
 * Have the huge page at @gfn, which lies in @slot, mapped in small pages, or not at
 * all.  A fault that has looked up its level before is retried.  Takes mmu_lock.
 */
void kvm_arch_split_huge_gfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn);

struct kvm_gmem_audit;

/* Call kvm_gmem_audit_mapping() for all that is mapped, with mmu_lock held for write. */
void kvm_arch_audit_mappings(struct kvm *kvm, struct kvm_gmem_audit *audit);
void kvm_gmem_audit_mapping(struct kvm_gmem_audit *audit, struct kvm *kvm,
			    struct kvm_memory_slot *slot, gfn_t gfn, kvm_pfn_t pfn,
			    unsigned int order);

static inline bool kvm_slot_has_gmem(const struct kvm_memory_slot *slot)
{
	return slot && (slot->flags & KVM_MEM_GUEST_MEMFD);
}

static inline bool kvm_slot_is_gmem_only(const struct kvm_memory_slot *slot)
{
	return slot && (slot->flags & KVM_MEMSLOT_GMEM_ONLY);
}

#ifdef CONFIG_KVM_GUEST_MEMFD
/*
 * Handle a change of the memory that the VMM has mapped for a slot.  Gfns that
 * guest_memfd backs are skipped.
 */
static inline bool kvm_handle_hva_gfns(struct kvm *kvm, struct kvm_gfn_range *range,
				       bool (*handler)(struct kvm *kvm,
						       struct kvm_gfn_range *range))
{
	lockdep_assert_held_write(&kvm->mmu_lock);

	if (likely(!kvm_slot_has_gmem(range->slot)))
		return handler(kvm, range);
	if (kvm_slot_is_gmem_only(range->slot))
		return false;

	return kvm_handle_shared_gfns(kvm, range, handler);
}

int kvm_gmem_init(struct module *module);
void kvm_gmem_exit(void);
void kvm_gmem_init_vm(struct kvm *kvm);
u64 kvm_gmem_supported_flags(struct kvm *kvm);
bool kvm_gmem_can_link(struct kvm *kvm);
int kvm_gmem_create(struct kvm *kvm, const struct kvm_create_guest_memfd *args);

struct file *kvm_gmem_slot_open(struct kvm *kvm, struct kvm_memory_slot *slot,
				int fd, u64 offset);
int kvm_gmem_bind(struct kvm_memory_slot *slot);
void kvm_gmem_unbind(struct kvm_memory_slot *slot);

int kvm_gmem_get_pfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn,
		     bool private, unsigned int *order, kvm_pfn_t *pfn);
void kvm_gmem_coalesce(struct kvm *kvm, gfn_t gfn);
bool kvm_gmem_is_huge_private(struct kvm *kvm, const struct kvm_memory_slot *slot, gfn_t gfn);

/**
 * struct kvm_gmem_populate_args - what guest memory is filled with before it runs
 * @uaddr:	in userspace, aligned to a page; NULL for zeroes
 * @write:	@fill writes to the page of userspace; then @order is 0
 * @order:	the most that @fill takes at once, 0 or %KVM_GMEM_MAX_ORDER
 * @fill:	give pages to the guest, as prepare() does, with the content they
 *		have.  @page is that of userspace, or NULL; for an order above 0
 *		it's the first of them.  Whatever has happened to the pages if it
 *		fails, reclaim() can cope with.
 * @data:	for @fill
 */
struct kvm_gmem_populate_args {
	void __user *uaddr;
	bool write;
	unsigned int order;
	int (*fill)(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int order,
		    struct page *page, void *data);
	void *data;
};

long kvm_gmem_populate(struct kvm *kvm, gfn_t gfn, unsigned long npages,
		       const struct kvm_gmem_populate_args *args);

static inline bool kvm_gmem_region_valid(const struct kvm_userspace_memory_region2 *mem)
{
	return !(mem->flags & KVM_MEM_GUEST_MEMFD) ||
	       (PAGE_ALIGNED(mem->guest_memfd_offset) &&
		mem->guest_memfd_offset + mem->memory_size >= mem->guest_memfd_offset);
}
#else
#define kvm_handle_hva_gfns(kvm, range, handler)	handler(kvm, range)

static inline int kvm_gmem_init(struct module *module) { return 0; }
static inline void kvm_gmem_exit(void) { }
static inline void kvm_gmem_init_vm(struct kvm *kvm) { }
static inline void kvm_gmem_coalesce(struct kvm *kvm, gfn_t gfn) { }

static inline struct file *kvm_gmem_slot_open(struct kvm *kvm, struct kvm_memory_slot *slot,
					      int fd, u64 offset)
{
	return ERR_PTR(-EINVAL);
}

static inline int kvm_gmem_bind(struct kvm_memory_slot *slot)
{
	return -EINVAL;
}

static inline void kvm_gmem_unbind(struct kvm_memory_slot *slot) { }

static inline bool kvm_gmem_region_valid(const struct kvm_userspace_memory_region2 *mem)
{
	return true;
}
#endif /* CONFIG_KVM_GUEST_MEMFD */

#endif /* __LINUX_KVM_PRIVATE_MEM_H */
