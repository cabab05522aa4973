// SPDX-License-Identifier: GPL-2.0-only
/*
 * Audit of private memory: compare what is mapped with what guest_memfd has, and
 * that with what the VM type says.  A debugfs file, private_mem_audit in KVM's
 * directory, has a line for each finding, and a last line that counts them:
 *
 *	mappings N pages N findings N
 *
 * What is found is true at that moment, whatever else goes on: mappings are looked
 * at with mmu_lock held for write, pages with their folio locked.  A folio that
 * somebody else has locked is in a move from one state to another, and is left out
 * where that matters.
 */
#include <linux/debugfs.h>
#include <linux/kvm_mem_attributes.h>
#include <linux/kvm_private_mem.h>
#include <linux/seq_file.h>

#include "guest_memfd.h"

/**
 * struct kvm_gmem_audit - one audit
 * @out:	where findings are written to
 * @mappings:	SPTEs that were looked at
 * @pages:	prepared pages that were looked at
 * @findings:	what is not as it has to be
 */
struct kvm_gmem_audit {
	struct seq_file *out;
	unsigned long mappings;
	unsigned long pages;
	unsigned long findings;
};

static DEFINE_MUTEX(kvm_gmem_audit_lock);
static LIST_HEAD(kvm_gmem_audit_inodes);

void kvm_gmem_audit_add(struct kvm_gmem_inode *gi, struct address_space *mapping)
{
	gi->audit_mapping = mapping;
	mutex_lock(&kvm_gmem_audit_lock);
	list_add(&gi->audit_entry, &kvm_gmem_audit_inodes);
	mutex_unlock(&kvm_gmem_audit_lock);
}

void kvm_gmem_audit_del(struct kvm_gmem_inode *gi)
{
	mutex_lock(&kvm_gmem_audit_lock);
	list_del(&gi->audit_entry);
	mutex_unlock(&kvm_gmem_audit_lock);
}

static void kvm_gmem_audit_gfn(struct kvm_gmem_audit *audit, struct kvm *kvm, gfn_t gfn,
			       kvm_pfn_t pfn, unsigned int order, const char *what)
{
	audit->findings++;
	seq_printf(audit->out, "VM of task %d gfn 0x%llx pfn 0x%llx order %u: %s\n",
		   kvm->userspace_pid, gfn, pfn, order, what);
}

/* The states of the pages of a locked folio that are mapped at a private gfn, as one. */
static void kvm_gmem_audit_locked(struct kvm_gmem_audit *audit, struct kvm_gmem_view *view,
				  gfn_t gfn, pgoff_t index, kvm_pfn_t pfn, unsigned int order)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(view->inode);
	enum kvm_gmem_state want = KVM_GMEM_EMPTY;
	const char *what = NULL;
	pgoff_t i;

	if (gi->ops && gi->ops->prepare)
		want = KVM_GMEM_PREPARED;

	for (i = 0; i < 1UL << order; i++)
		if (kvm_gmem_state(gi, index + i) != want)
			what = "mapped in a state that must not be mapped";

	if (!what && gi->ops && gi->ops->audit)
		what = gi->ops->audit(view->kvm, gfn, pfn, order);
	if (what)
		kvm_gmem_audit_gfn(audit, view->kvm, gfn, pfn, order, what);
}

/* What is mapped is what the file has there. */
static void kvm_gmem_audit_pages(struct kvm_gmem_audit *audit, struct kvm_gmem_view *view,
				 gfn_t gfn, pgoff_t index, kvm_pfn_t pfn, unsigned int order,
				 bool private)
{
	struct folio *folio;
	pgoff_t i;

	for (i = 0; i < 1UL << order; i++) {
		folio = __filemap_get_folio(view->inode->i_mapping, index + i, 0, 0);
		if (!folio || page_to_pfn(folio_file_page(folio, index + i)) != pfn + i) {
			kvm_gmem_audit_gfn(audit, view->kvm, gfn + i, pfn + i, order,
					   "not the page that the file has there");
			if (folio)
				folio_put(folio);
			return;
		}

		/*
		 * A large folio is locked for all of its pages.  The small ones that a
		 * memory failure has split it to are not.
		 */
		if (private && !i && (!order || folio_test_large(folio)) && folio_trylock(folio)) {
			kvm_gmem_audit_locked(audit, view, gfn, index, pfn, order);
			folio_unlock(folio);
		}
		folio_put(folio);
	}
}

/*
 * kvm_gmem_audit_mapping - look at what an SPTE maps
 * @audit:	the audit
 * @kvm:	the VM, with mmu_lock held for write
 * @slot:	has @gfn, may be NULL
 * @gfn:	first gfn
 * @pfn:	first page frame
 * @order:	0 or %KVM_GMEM_MAX_ORDER
 */
void kvm_gmem_audit_mapping(struct kvm_gmem_audit *audit, struct kvm *kvm,
			    struct kvm_memory_slot *slot, gfn_t gfn, kvm_pfn_t pfn,
			    unsigned int order)
{
	struct kvm_mem_attr_range attr = { .attributes = 0, .last = ULONG_MAX };
	struct kvm_gmem_view *view;
	struct page *page;
	bool private;

	lockdep_assert_held_write(&kvm->mmu_lock);

	audit->mappings++;
	page = pfn_valid(pfn) ? pfn_to_page(pfn) : NULL;
	if (page && !page_count(compound_head(page)))
		kvm_gmem_audit_gfn(audit, kvm, gfn, pfn, order, "a free page is mapped");

	if (!kvm_slot_has_gmem(slot)) {
		if (!slot)
			kvm_gmem_audit_gfn(audit, kvm, gfn, pfn, order, "outside of memslots");
		return;
	}

	if (kvm_arch_has_private_mem(kvm))
		kvm_mem_attributes_lookup(kvm, gfn, &attr);
	if (attr.last - gfn < (1UL << order) - 1)
		kvm_gmem_audit_gfn(audit, kvm, gfn, pfn, order, "private and shared gfns are one");

	view = READ_ONCE(slot->gmem.view);
	private = attr.attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE;
	if (!private && !kvm_slot_is_gmem_only(slot)) {
		if (view && page && page_folio(page)->mapping == view->inode->i_mapping)
			kvm_gmem_audit_gfn(audit, kvm, gfn, pfn, order,
					   "a private page is mapped at a shared gfn");
		return;
	}

	/* The task that closes the file hides it first, then unmaps it, under slots_lock. */
	smp_rmb();
	if (!view && !mutex_is_locked(&kvm->slots_lock))
		kvm_gmem_audit_gfn(audit, kvm, gfn, pfn, order, "the file is closed");
	if (view)
		kvm_gmem_audit_pages(audit, view, gfn, gfn - slot->base_gfn + slot->gmem.pgoff,
				     pfn, order, private);
}

static void kvm_gmem_audit_index(struct kvm_gmem_audit *audit, struct kvm_gmem_inode *gi,
				 pgoff_t index, struct folio *folio)
{
	enum kvm_gmem_state state = kvm_gmem_state(gi, index);
	const char *what = NULL;
	kvm_pfn_t pfn;

	if (state == KVM_GMEM_EMPTY && !folio)
		return;
	if (state == KVM_GMEM_PREPARED)
		audit->pages++;

	pfn = folio ? page_to_pfn(folio_file_page(folio, index)) : 0;
	if (!folio)
		what = "a page is prepared, punched or leaked, and not in the file";
	else if (gi->ops && gi->ops->is_owned && state != KVM_GMEM_LEAKED &&
		 gi->ops->is_owned(pfn) != (state == KVM_GMEM_PREPARED))
		what = state == KVM_GMEM_PREPARED ? "a prepared page is the host's" :
						    "a page is the guest's and not prepared";
	if (!what)
		return;

	audit->findings++;
	seq_printf(audit->out, "index 0x%lx pfn 0x%llx state %d: %s\n", index, pfn, state, what);
}

/* No folio comes or goes while the invalidate lock is held. */
static void kvm_gmem_audit_inode(struct kvm_gmem_audit *audit, struct kvm_gmem_inode *gi)
{
	struct address_space *mapping = gi->audit_mapping;
	unsigned long nr;
	struct folio *folio;
	pgoff_t index, end;
	void *entry;

	filemap_invalidate_lock(mapping);
	xa_for_each(&gi->chunks, nr, entry) {
		end = (nr + 1) << KVM_GMEM_MAX_ORDER;
		for (index = nr << KVM_GMEM_MAX_ORDER; index < end; index++) {
			folio = filemap_lock_folio(mapping, index);
			kvm_gmem_audit_index(audit, gi, index, folio);
			if (folio) {
				folio_unlock(folio);
				folio_put(folio);
			}
		}
		cond_resched();
	}
	filemap_invalidate_unlock(mapping);
}

static int kvm_gmem_audit_show(struct seq_file *m, void *unused)
{
	struct kvm_gmem_audit audit = { .out = m };
	struct kvm_gmem_inode *gi;
	struct kvm *kvm;

	/* VMs stay on the list until their files and memslots have gone. */
	mutex_lock(&kvm_lock);
	list_for_each_entry(kvm, &vm_list, vm_list)
		kvm_arch_audit_mappings(kvm, &audit);
	mutex_unlock(&kvm_lock);

	mutex_lock(&kvm_gmem_audit_lock);
	list_for_each_entry(gi, &kvm_gmem_audit_inodes, audit_entry)
		kvm_gmem_audit_inode(&audit, gi);
	mutex_unlock(&kvm_gmem_audit_lock);

	seq_printf(m, "mappings %lu pages %lu findings %lu\n", audit.mappings, audit.pages,
		   audit.findings);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(kvm_gmem_audit);

/* KVM's directory goes with all that is in it. */
void kvm_gmem_audit_init(void)
{
	debugfs_create_file("private_mem_audit", 0400, kvm_debugfs_dir, NULL,
			    &kvm_gmem_audit_fops);
}
