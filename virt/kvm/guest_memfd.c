// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest_memfd: memory of a virtual machine that belongs to no process.
 *
 * An inode is the storage, think of DIMMs.  An open file is what one VM sees of
 * it: memslots of that VM are bound to ranges of the file, and SPTEs of that VM
 * map its pages.  The file pins the VM, a memslot does not pin the file: when
 * the file is closed, its slots have nothing private to offer any more.  VMs of
 * one guest can have a file each: what is the guest's is so for all of them.
 *
 * Locks, from outer to inner: kvm->slots_lock; the invalidate lock of the
 * mapping, for write to punch holes and for read to add folios; the folio lock;
 * kvm_gmem_inode.views_lock; kvm->mmu_lock.  A fault relies on kvm->srcu to keep
 * the view, and on the sequence count of the VM to notice that a page was punched
 * out before it could be mapped: guest_memfd_hole.c has the rule.
 */
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/kvm_private_mem.h>
#include <linux/mount.h>

#include "guest_memfd.h"

#include <trace/events/kvm_private_mem.h>

static struct file_operations kvm_gmem_fops;

/* What @file is a view of, NULL if it's no guest_memfd. */
static struct kvm_gmem_view *kvm_gmem_file_view(struct file *file)
{
	return file->f_op == &kvm_gmem_fops ? file->private_data : NULL;
}

/*
 * kvm_gmem_slot_open - find the guest_memfd that a new slot is to be bound to
 * @kvm:	the VM
 * @slot:	the slot, with its size
 * @fd:		file descriptor
 * @offset:	in bytes, where the slot begins in the file
 *
 * Returns the file with a reference, which has to be kept until the slot is
 * bound.  -EBADF if @fd is not open, -EINVAL if it is no guest_memfd of this
 * VM, or if the slot reaches beyond its end.
 */
struct file *kvm_gmem_slot_open(struct kvm *kvm, struct kvm_memory_slot *slot,
				int fd, u64 offset)
{
	u64 size = (u64)slot->npages << PAGE_SHIFT;
	struct kvm_gmem_view *view;
	struct file *file;

	lockdep_assert_held(&kvm->slots_lock);

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);

	view = kvm_gmem_file_view(file);
	if (!view || view->kvm != kvm)
		goto invalid;

	/* Unsigned, and without overflow: the sum has been checked to be none. */
	if (!PAGE_ALIGNED(offset) || offset + size > (u64)i_size_read(file_inode(file)))
		goto invalid;

	slot->gmem.view = view;
	slot->gmem.pgoff = offset >> PAGE_SHIFT;
	if (to_gmem_inode(view->inode)->flags & GUEST_MEMFD_FLAG_MMAP)
		slot->flags |= KVM_MEMSLOT_GMEM_ONLY;
	return file;

invalid:
	fput(file);
	return ERR_PTR(-EINVAL);
}

static void kvm_gmem_punch_hole(struct inode *inode, loff_t offset, loff_t len)
{
	loff_t end = min(i_size_read(inode), offset + len);

	if (offset < end)
		kvm_gmem_punch(inode, offset >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

/* Allocate as a fault would, with the same protection against concurrent hole punching. */
static int kvm_gmem_preallocate(struct inode *inode, loff_t offset, loff_t len)
{
	pgoff_t index = offset >> PAGE_SHIFT;
	pgoff_t end = (offset + len) >> PAGE_SHIFT;
	unsigned int order;
	struct folio *folio;

	/* The size is forever, there is no growing. */
	if (offset + len > i_size_read(inode))
		return -EINVAL;

	for (;;) {
		order = 0;
		if (IS_ALIGNED(index, KVM_GMEM_CHUNK_PAGES) && end - index >= KVM_GMEM_CHUNK_PAGES)
			order = KVM_GMEM_MAX_ORDER;

		folio = kvm_gmem_get_folio(inode, index, order);
		if (IS_ERR(folio))
			return PTR_ERR(folio);

		index = folio_next_index(folio);
		folio_unlock(folio);
		folio_put(folio);
		if (index >= end)
			return 0;

		if (signal_pending(current))
			return -EINTR;
		cond_resched();
	}
}

static long kvm_gmem_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	int r = 0;

	if (!(mode & FALLOC_FL_KEEP_SIZE) ||
	    mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;

	if (!PAGE_ALIGNED(offset) || !PAGE_ALIGNED(len))
		return -EINVAL;

	if (mode & FALLOC_FL_PUNCH_HOLE)
		kvm_gmem_punch_hole(inode, offset, len);
	else
		r = kvm_gmem_preallocate(inode, offset, len);

	if (!r) {
		inode->i_mtime = current_time(inode);
		inode->i_ctime = inode->i_mtime;
	}
	return r;
}

static vm_fault_t kvm_gmem_fault(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct folio *folio;

	if (vmf->pgoff >= i_size_read(inode) >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;

	/* What is not shared from the start is private: not for the host. */
	if (!(to_gmem_inode(inode)->flags & GUEST_MEMFD_FLAG_INIT_SHARED))
		return VM_FAULT_SIGBUS;

	filemap_invalidate_lock_shared(inode->i_mapping);
	folio = kvm_gmem_find_or_add_folio(inode, vmf->pgoff, 0);
	filemap_invalidate_unlock_shared(inode->i_mapping);
	if (IS_ERR(folio))
		return vmf_error(PTR_ERR(folio));

	vmf->page = folio_file_page(folio, vmf->pgoff);
	if (PageHWPoison(vmf->page)) {
		folio_unlock(folio);
		folio_put(folio);
		return VM_FAULT_HWPOISON;
	}

	return VM_FAULT_LOCKED;
}

#ifdef CONFIG_NUMA
static int kvm_gmem_set_policy(struct vm_area_struct *vma, struct mempolicy *policy)
{
	return mpol_set_shared_policy(&to_gmem_inode(file_inode(vma->vm_file))->policy,
				      vma, policy);
}

static struct mempolicy *kvm_gmem_get_policy(struct vm_area_struct *vma, unsigned long addr)
{
	return mpol_shared_policy_lookup(&to_gmem_inode(file_inode(vma->vm_file))->policy,
					 linear_page_index(vma, addr));
}
#endif

static const struct vm_operations_struct kvm_gmem_vm_ops = {
	.fault = kvm_gmem_fault,
#ifdef CONFIG_NUMA
	.set_policy = kvm_gmem_set_policy,
	.get_policy = kvm_gmem_get_policy,
#endif
};

static int kvm_gmem_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (!(to_gmem_inode(file_inode(file))->flags & GUEST_MEMFD_FLAG_MMAP))
		return -ENODEV;

	/* Memory of the guest is not copied on write. */
	if (!(vma->vm_flags & VM_SHARED) || !(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	vma->vm_ops = &kvm_gmem_vm_ops;
	return 0;
}

static struct file_operations kvm_gmem_fops = {
	.open = generic_file_open,
	.release = kvm_gmem_release,
	.fallocate = kvm_gmem_fallocate,
	.mmap = kvm_gmem_mmap,
};

static int kvm_gmem_setattr(struct user_namespace *mnt_userns, struct dentry *dentry,
			    struct iattr *attr)
{
	return -EINVAL;
}

static const struct inode_operations kvm_gmem_iops = {
	.setattr = kvm_gmem_setattr,
};

/* The SPTEs of a guest can't be redirected from outside of KVM. */
static int kvm_gmem_migrate_folio(struct address_space *mapping, struct folio *dst,
				  struct folio *src, enum migrate_mode mode)
{
	return -EBUSY;
}

/*
 * A memory failure in a page, which is locked and marked already.  Unmap it, and
 * leave it in the inode: the next access fails with EHWPOISON, and what to do
 * then is up to the VMM.  No signal is sent, the memory isn't mapped by anybody.
 */
static int kvm_gmem_error_remove_page(struct address_space *mapping, struct page *page)
{
	pgoff_t index = page_index(page);

	kvm_gmem_unmap(to_gmem_inode(mapping->host), index, index + 1);
	trace_kvm_gmem_memory_failure(mapping->host->i_ino, index, index + 1);
	return 0;
}

static const struct address_space_operations kvm_gmem_aops = {
	.dirty_folio = noop_dirty_folio,
	.migrate_folio = kvm_gmem_migrate_folio,
	.error_remove_page = kvm_gmem_error_remove_page,
	.free_folio = kvm_gmem_free_folio,
};

/* Returns the inode with its kvm_gmem_inode, which iput() does not free. */
static struct inode *kvm_gmem_inode_create(struct kvm *kvm, loff_t size, u64 flags)
{
	struct kvm_gmem_inode *gi;
	struct inode *inode;

	gi = kzalloc(sizeof(*gi), GFP_KERNEL_ACCOUNT);
	if (!gi)
		return ERR_PTR(-ENOMEM);

	inode = alloc_anon_inode(kvm_gmem_mnt->mnt_sb);
	if (IS_ERR(inode)) {
		kfree(gi);
		return inode;
	}

	/* A watch keeps the inode longer than its file.  The unmount finds it by the list. */
	inode_sb_list_add(inode);

	gi->flags = flags;
	gi->ops = kvm_arch_private_mem_ops(kvm);
	refcount_set(&gi->users, 1);
	mutex_init(&gi->views_lock);
	INIT_LIST_HEAD(&gi->views);
	xa_init(&gi->chunks);
#ifdef CONFIG_NUMA
	mpol_shared_policy_init(&gi->policy, NULL);
#endif

	kvm_gmem_audit_add(gi, inode->i_mapping);
	inode->i_private = gi;
	inode->i_op = &kvm_gmem_iops;
	inode->i_mapping->a_ops = &kvm_gmem_aops;
	inode->i_mode |= S_IFREG;
	inode->i_size = size;
	mapping_set_gfp_mask(inode->i_mapping, GFP_HIGHUSER);
	mapping_set_unevictable(inode->i_mapping);
	mapping_set_large_folios(inode->i_mapping);
	return inode;
}

/* Open a file of @inode for @kvm.  If that works, the inode's reference is the file's. */
static struct file *kvm_gmem_view_create(struct kvm *kvm, struct inode *inode)
{
	struct kvm_gmem_view *view;
	struct file *file;

	view = kzalloc(sizeof(*view), GFP_KERNEL_ACCOUNT);
	if (!view)
		return ERR_PTR(-ENOMEM);

	/* The VM has pinned it, too; dropped by __fput(), after the release. */
	__module_get(kvm_gmem_fops.owner);

	file = alloc_file_pseudo(inode, kvm_gmem_mnt, "[kvm-gmem]", O_RDWR, &kvm_gmem_fops);
	if (IS_ERR(file)) {
		module_put(kvm_gmem_fops.owner);
		kfree(view);
		return file;
	}

	kvm_get_kvm(kvm);
	view->kvm = kvm;
	view->inode = inode;
	kvm_gmem_release_init(view);
	mt_init_flags(&view->bindings, MT_FLAGS_USE_RCU | MT_FLAGS_LOCK_EXTERN);
	mt_set_external_lock(&view->bindings, &to_gmem_inode(inode)->views_lock);
	file->private_data = view;
	file->f_flags |= O_LARGEFILE;

	mutex_lock(&to_gmem_inode(inode)->views_lock);
	list_add(&view->entry, &to_gmem_inode(inode)->views);
	mutex_unlock(&to_gmem_inode(inode)->views_lock);
	return file;
}

static struct file *kvm_gmem_create_file(struct kvm *kvm, loff_t size, u64 flags)
{
	struct inode *inode = kvm_gmem_inode_create(kvm, size, flags);
	struct file *file;

	if (IS_ERR(inode))
		return ERR_CAST(inode);

	file = kvm_gmem_view_create(kvm, inode);
	if (IS_ERR(file)) {
		kvm_gmem_inode_free(inode);
		iput(inode);
	}
	return file;
}

/* Returns 0 if @kvm may have a file of @inode.  The inode is locked against other callers. */
static int kvm_gmem_may_view(struct kvm *kvm, struct inode *inode, struct kvm *owner)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	struct kvm_gmem_view *view;
	int r = 0;

	if (!gi->ops || !gi->ops->may_share_inode || !gi->ops->may_share_inode(kvm, owner))
		return -EINVAL;

	/* With two of them a page could be bound twice. */
	mutex_lock(&gi->views_lock);
	list_for_each_entry(view, &gi->views, entry)
		if (view->kvm == kvm)
			r = -EEXIST;
	mutex_unlock(&gi->views_lock);
	return r;
}

/*
 * One more file of an inode, for another VM of the guest.  @fd has @size bytes, so that
 * userspace knows what it links.
 */
static struct file *kvm_gmem_link_file(struct kvm *kvm, loff_t size, unsigned int fd)
{
	struct file *file = fget(fd), *link;
	struct kvm_gmem_view *view;
	struct inode *inode;
	int r;

	if (!file)
		return ERR_PTR(-EBADF);

	view = kvm_gmem_file_view(file);
	if (!view || size != i_size_read(view->inode)) {
		link = ERR_PTR(-EINVAL);
		goto out;
	}

	inode = view->inode;
	inode_lock(inode);
	r = kvm_gmem_may_view(kvm, inode, view->kvm);
	link = r ? ERR_PTR(r) : kvm_gmem_view_create(kvm, inode);
	if (!IS_ERR(link)) {
		ihold(inode);
		refcount_inc(&to_gmem_inode(inode)->users);
	}
	inode_unlock(inode);
out:
	fput(file);
	return link;
}

/* KVM_CAP_GUEST_MEMFD_LINK: true if the guest of @kvm can use more than one VM. */
bool kvm_gmem_can_link(struct kvm *kvm)
{
	const struct kvm_private_mem_ops *ops = kvm_arch_private_mem_ops(kvm);

	return ops && ops->may_share_inode;
}

/* With GUEST_MEMFD_FLAG_LINK, fields without a meaning are zero.  Other files ignore them. */
static bool kvm_gmem_link_args_valid(const struct kvm_create_guest_memfd *args)
{
	return args->flags == GUEST_MEMFD_FLAG_LINK && !args->pad &&
	       !memchr_inv(args->reserved, 0, sizeof(args->reserved));
}

/* The GUEST_MEMFD_FLAG_* that @kvm supports; those of any VM if it is NULL. */
u64 kvm_gmem_supported_flags(struct kvm *kvm)
{
	u64 flags = GUEST_MEMFD_FLAG_MMAP;

	if (!kvm || !kvm_arch_has_private_mem(kvm))
		flags |= GUEST_MEMFD_FLAG_INIT_SHARED;
	return flags;
}

/*
 * kvm_gmem_create - KVM_CREATE_GUEST_MEMFD
 * @kvm:	the VM
 * @args:	a copy of userspace's arguments
 *
 * Returns a file descriptor, -EINVAL for unknown flags or a size that is not a
 * positive multiple of a page, or what prevented the file from being opened.  With
 * %GUEST_MEMFD_FLAG_LINK: -EBADF if the file to link is not open, -EINVAL if it is no
 * guest_memfd, has another size, or is one of another guest, or if a field that has no
 * meaning is not zero, -EEXIST if the VM has a file of it.
 */
int kvm_gmem_create(struct kvm *kvm, const struct kvm_create_guest_memfd *args)
{
	bool link = args->flags & GUEST_MEMFD_FLAG_LINK;
	loff_t size = args->size;
	struct file *file;
	int fd, r;

	BUILD_BUG_ON(sizeof(*args) != 64);
	BUILD_BUG_ON(offsetof(struct kvm_create_guest_memfd, link_fd) != 16);

	if (link ? !kvm_gmem_link_args_valid(args) :
		   args->flags & ~kvm_gmem_supported_flags(kvm))
		return -EINVAL;
	if (size <= 0 || !PAGE_ALIGNED(size))
		return -EINVAL;

	fd = get_unused_fd_flags(0);
	if (fd < 0)
		return fd;

	r = kvm_gmem_pin_mount();
	if (r)
		goto no_mount;

	file = link ? kvm_gmem_link_file(kvm, size, args->link_fd) :
		      kvm_gmem_create_file(kvm, size, args->flags);
	if (IS_ERR(file)) {
		r = PTR_ERR(file);
		goto no_file;
	}

	fd_install(fd, file);
	return fd;

no_file:
	kvm_gmem_unpin_mount();
no_mount:
	put_unused_fd(fd);
	return r;
}

/* Files pin @module, the vendor's part of KVM, as VMs do. */
int kvm_gmem_init(struct module *module)
{
	kvm_gmem_fops.owner = module;
	kvm_gmem_audit_init();
	return kvm_gmem_init_release();
}
