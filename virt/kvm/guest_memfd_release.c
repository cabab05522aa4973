// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of a file of a guest_memfd, and of its inode.
 *
 * The VM's ioctls access user memory with slots_lock or kvm->srcu held, for as long as that
 * takes to respond.  Its own process may wait for that when it closes a file, but whom it
 * gave the file to may not, nor the kernel threads that close files of all.  Such files are
 * closed in a work of the VM, which doesn't wait for slots_lock either: there are more VMs
 * than workers.
 */
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/llist.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "guest_memfd.h"

/* When the work of a VM whose slots_lock is taken tries once more: soon, then less often. */
#define KVM_GMEM_CLOSE_SOON	(HZ / 50)
#define KVM_GMEM_CLOSE_LATE	HZ

/*
 * Pages are freed on the first one, whose works wait for no VMM and no file system.  The
 * end of a VM may: it is on the other one.
 */
static struct workqueue_struct *kvm_gmem_wq;
static struct workqueue_struct *kvm_gmem_put_wq;

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
static void kvm_gmem_drop_pages(struct inode *inode)
{
	struct kvm_gmem_inode *gi = to_gmem_inode(inode);

	/* The last one to drop it is the only one that is left: views_lock is free. */
	if (refcount_dec_and_test(&gi->users)) {
		kvm_gmem_punch(inode, 0, round_up(i_size_read(inode) >> PAGE_SHIFT,
						  KVM_GMEM_CHUNK_PAGES));
		kvm_gmem_inode_free(inode);
	}
}

/* The VM may end with it, and the mount of all files.  Both may wait. */
static void kvm_gmem_view_put(struct kvm_gmem_view *view)
{
	iput(view->inode);
	kvm_gmem_unpin_mount();
	put_pid(view->owner);
	kvm_put_kvm(view->kvm);
	/* Not before: a VM's end may wait, and a work on the same address would wait for it. */
	kfree(view);
}

static void kvm_gmem_put_work(struct work_struct *work)
{
	kvm_gmem_view_put(container_of(work, struct kvm_gmem_view, put));
}

/* No fault uses the view any more. */
static void kvm_gmem_drop_work(struct work_struct *work)
{
	struct kvm_gmem_view *view = container_of(work, struct kvm_gmem_view, drop);

	kvm_gmem_drop_pages(view->inode);
	queue_work(kvm_gmem_put_wq, &view->put);
}

/* The VM's last put waits for the end of this, see cleanup_srcu_struct(). */
static void kvm_gmem_unused(struct rcu_head *rcu)
{
	struct kvm_gmem_view *view = container_of(rcu, struct kvm_gmem_view, rcu);

	queue_work(kvm_gmem_wq, &view->drop);
}

static void kvm_gmem_close_work(struct work_struct *work)
{
	struct kvm *kvm = container_of(to_delayed_work(work), struct kvm, gmem_closed.work);
	unsigned long delay = kvm->gmem_closed.delay;
	struct kvm_gmem_view *view, *next;
	struct llist_node *views;

	/* Until they are taken from the list, the views pin the VM. */
	if (!mutex_trylock(&kvm->slots_lock)) {
		kvm->gmem_closed.delay = min_t(unsigned long, 2 * delay, KVM_GMEM_CLOSE_LATE);
		queue_delayed_work(kvm_gmem_wq, &kvm->gmem_closed.work, delay);
		return;
	}
	kvm->gmem_closed.delay = KVM_GMEM_CLOSE_SOON;
	views = llist_del_all(&kvm->gmem_closed.views);
	llist_for_each_entry(view, views, closed) {
		kvm_gmem_view_close(view);
		cond_resched();
	}
	mutex_unlock(&kvm->slots_lock);

	/* The VM may be gone with the last one. */
	llist_for_each_entry_safe(view, next, views, closed) {
		call_srcu(&kvm->srcu, &view->rcu, kvm_gmem_unused);
		cond_resched();
	}
}

/* At the end of a process its mm is gone. */
static bool kvm_gmem_is_owner(struct kvm_gmem_view *view)
{
	return current->mm ? current->mm == view->kvm->mm : task_tgid(current) == view->owner;
}

int kvm_gmem_release(struct inode *inode, struct file *file)
{
	struct kvm_gmem_view *view = file->private_data;
	struct kvm *kvm = view->kvm;
	bool in_use;

	/* The pages, and the view, need it longer than the file may. */
	ihold(inode);
	if (!kvm_gmem_is_owner(view)) {
		/* Only the work that is queued for the first one takes them all. */
		if (llist_add(&view->closed, &kvm->gmem_closed.views))
			queue_delayed_work(kvm_gmem_wq, &kvm->gmem_closed.work, 0);
		return 0;
	}

	mutex_lock(&kvm->slots_lock);
	in_use = kvm_gmem_view_close(view);
	mutex_unlock(&kvm->slots_lock);
	if (in_use)
		synchronize_srcu_expedited(&kvm->srcu);
	kvm_gmem_drop_pages(inode);
	kvm_gmem_view_put(view);
	return 0;
}

/* The file of a view will be closed by kvm_gmem_release(). */
void kvm_gmem_release_init(struct kvm_gmem_view *view)
{
	view->owner = get_pid(task_tgid(current));
	INIT_WORK(&view->drop, kvm_gmem_drop_work);
	INIT_WORK(&view->put, kvm_gmem_put_work);
}

void kvm_gmem_init_vm(struct kvm *kvm)
{
	init_llist_head(&kvm->gmem_closed.views);
	INIT_DELAYED_WORK(&kvm->gmem_closed.work, kvm_gmem_close_work);
	kvm->gmem_closed.delay = KVM_GMEM_CLOSE_SOON;
}

int kvm_gmem_init_release(void)
{
	/* A process that was killed for its memory may have left it here. */
	kvm_gmem_wq = alloc_workqueue("kvm_gmem", WQ_UNBOUND | WQ_FREEZABLE | WQ_MEM_RECLAIM, 0);
	if (!kvm_gmem_wq)
		return -ENOMEM;

	kvm_gmem_put_wq = alloc_workqueue("kvm_gmem_put", WQ_UNBOUND, 0);
	if (!kvm_gmem_put_wq) {
		destroy_workqueue(kvm_gmem_wq);
		return -ENOMEM;
	}
	return 0;
}

/* A work that has dropped its last reference to the module may still have to return. */
void kvm_gmem_exit(void)
{
	destroy_workqueue(kvm_gmem_wq);
	destroy_workqueue(kvm_gmem_put_wq);
}
