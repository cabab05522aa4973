// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a file of a guest_memfd, and of its inode.
 *
 * The VM's ioctls access user memory with slots_lock or kvm->srcu held, for as long as that
 * takes to respond.  Its own process may wait for that when it closes a file, but whom it
 * gave the file to may not, nor the kernel threads that close files of all.
 */
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "guest_memfd.h"

/* When it is tried again to close a file whose VM is busy: soon, then less and less often. */
#define KVM_GMEM_RELEASE_SOON	(HZ / 50)
#define KVM_GMEM_RELEASE_LATE	HZ

static struct workqueue_struct *kvm_gmem_wq;

/*
 * The VM of the view gets no more pages, and has none mapped.  Returns true if faults may
 * still use the view, until the next grace period of kvm->srcu.  They may wait for a folio
 * that a memory failure has locked, which takes views_lock: not under that one.
 */
static bool kvm_gmem_view_close(struct kvm_gmem_view *view)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(view->inode);
	struct kvm_memory_slot *slot;
	unsigned long index = 0;

	lockdep_assert_held(&view->kvm->slots_lock);

	mutex_lock(&gi->views_lock);

	mt_for_each(&view->bindings, slot, index, ULONG_MAX)
		WRITE_ONCE(slot->gmem.view, NULL);

	if (index)
		kvm_gmem_view_unmap(view, 0, ULONG_MAX);
	__mt_destroy(&view->bindings);

	list_del(&view->entry);
	mutex_unlock(&gi->views_lock);

	/* Index 0 means that nothing was bound. */
	return index;
}

void kvm_gmem_inode_free(struct inode *inode)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);

	kvm_gmem_audit_del(gi);
	WARN_ON_ONCE(!xa_empty(&gi->chunks));
	xa_destroy(&gi->chunks);
#ifdef CONFIG_NUMA
	mpol_free_shared_policy(&gi->policy);
#endif
	inode->i_private = NULL;
	kfree(gi);
}

/*
 * The pages go with the last file, while its VM still pins the module, and not
 * with the inode.  A memory failure may hold one of them: it is waited for.
 */
static void kvm_gmem_view_free(struct kvm_gmem_view *view)
{
	struct inode *inode = view->inode;
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);
	struct kvm *kvm = view->kvm;

	/* The last one to drop it is the only one that is left: views_lock is free. */
	if (refcount_dec_and_test(&gi->users)) {
		kvm_gmem_punch(inode, 0, round_up(i_size_read(inode) >> PAGE_SHIFT,
						  KVM_GMEM_CHUNK_PAGES));
		kvm_gmem_inode_free(inode);
	}

	put_pid(view->owner);
	kfree(view);
	kvm_put_kvm(kvm);
}

/* Close a file for others.  It does not wait for the VM either: there are many VMs. */
static void kvm_gmem_release_work(struct work_struct *work)
{
	struct kvm_gmem_view *view = container_of(to_delayed_work(work), struct kvm_gmem_view,
						  release);
	struct inode *inode = view->inode;
	struct vfsmount *mnt = view->mnt;
	struct kvm *kvm = view->kvm;

	if (!view->closed && mutex_trylock(&kvm->slots_lock)) {
		kvm_gmem_view_close(view);
		mutex_unlock(&kvm->slots_lock);
		view->closed = true;
		view->grace_period = start_poll_synchronize_srcu(&kvm->srcu);
	}
	if (!view->closed || !poll_state_synchronize_srcu(&kvm->srcu, view->grace_period)) {
		view->delay = clamp_t(unsigned long, 2 * view->delay, KVM_GMEM_RELEASE_SOON,
				      KVM_GMEM_RELEASE_LATE);
		queue_delayed_work(kvm_gmem_wq, &view->release, view->delay);
		return;
	}
	kvm_gmem_view_free(view);
	iput(inode);
	mntput(mnt);
}

/* At the end of a process its mm is gone. */
static bool kvm_gmem_is_owner(struct kvm_gmem_view *view)
{
	return current->mm ? current->mm == view->kvm->mm : task_tgid(current) == view->owner;
}

/* The end of the file of a view, which is on @mnt. */
void kvm_gmem_view_release(struct kvm_gmem_view *view, struct vfsmount *mnt)
{
	struct kvm *kvm = view->kvm;
	bool in_use;

	if (!kvm_gmem_is_owner(view)) {
		ihold(view->inode);
		view->mnt = mntget(mnt);
		queue_delayed_work(kvm_gmem_wq, &view->release, 0);
		return;
	}
	mutex_lock(&kvm->slots_lock);
	in_use = kvm_gmem_view_close(view);
	mutex_unlock(&kvm->slots_lock);
	if (in_use)
		synchronize_srcu_expedited(&kvm->srcu);
	kvm_gmem_view_free(view);
}

void kvm_gmem_release_init(struct kvm_gmem_view *view)
{
	view->owner = get_pid(task_tgid(current));
	INIT_DELAYED_WORK(&view->release, kvm_gmem_release_work);
}

int kvm_gmem_init_release(void)
{
	kvm_gmem_wq = alloc_workqueue("kvm_gmem", WQ_UNBOUND, 0);
	return kvm_gmem_wq ? 0 : -ENOMEM;
}

/* A work that has dropped its last reference to the module may still have to return. */
void kvm_gmem_exit(void)
{
	destroy_workqueue(kvm_gmem_wq);
}
