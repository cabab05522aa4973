// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software-protected VMs: nothing but KVM stands between the host and the
 * private pages, so giving a page to the guest and taking it back is always
 * possible.  As this type of VM is there to test with, it can fail on request
 * like hardware may.
 */
#include <linux/debugfs.h>
#include <linux/fault-inject.h>
#include <linux/kvm_host.h>
#include <linux/kvm_private_mem.h>

#include "vm_type.h"

#ifdef CONFIG_KVM_PRIVATE_MEM_FAULT_INJECTION

static DECLARE_FAULT_ATTR(kvm_sw_fail_prepare);
static DECLARE_FAULT_ATTR(kvm_sw_fail_reclaim);

/* With which errno prepare fails, positive. */
static u32 kvm_sw_fail_errno = EIO;

/* What is off does not count for /proc/PID/fail-nth, which tests of allocations use. */
static bool kvm_sw_fails(struct fault_attr *attr)
{
	return READ_ONCE(attr->probability) && should_fail(attr, 1);
}

static int kvm_sw_prepare(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int order)
{
	if (!kvm_sw_fails(&kvm_sw_fail_prepare))
		return 0;
	return -(int)min_t(u32, READ_ONCE(kvm_sw_fail_errno), MAX_ERRNO);
}

static bool kvm_sw_reclaim(kvm_pfn_t pfn, unsigned int order)
{
	return !kvm_sw_fails(&kvm_sw_fail_reclaim);
}

static struct dentry *kvm_sw_fail_dirs[2];

void kvm_sw_fault_init(void)
{
	struct dentry *prepare;

	prepare = fault_create_debugfs_attr("fail_kvm_prepare", NULL, &kvm_sw_fail_prepare);
	if (!IS_ERR(prepare))
		debugfs_create_u32("errno", 0600, prepare, &kvm_sw_fail_errno);

	kvm_sw_fail_dirs[0] = prepare;
	kvm_sw_fail_dirs[1] = fault_create_debugfs_attr("fail_kvm_reclaim", NULL,
							&kvm_sw_fail_reclaim);
}

void kvm_sw_fault_exit(void)
{
	debugfs_remove(kvm_sw_fail_dirs[0]);
	debugfs_remove(kvm_sw_fail_dirs[1]);

	/* The attributes have a reference to the directory for its name. */
	dput(kvm_sw_fail_prepare.dname);
	dput(kvm_sw_fail_reclaim.dname);
}

#else

static int kvm_sw_prepare(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int order)
{
	return 0;
}

static bool kvm_sw_reclaim(kvm_pfn_t pfn, unsigned int order)
{
	return true;
}

#endif /* CONFIG_KVM_PRIVATE_MEM_FAULT_INJECTION */

const struct kvm_private_mem_ops kvm_sw_protected_ops = {
	.prepare = kvm_sw_prepare,
	.reclaim = kvm_sw_reclaim,
};
