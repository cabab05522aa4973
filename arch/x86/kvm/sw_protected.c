// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software-protected VMs: nothing but KVM stands between the host and the
 * private pages, so giving a page to the guest and taking it back is always
 * possible.  As this type of VM is there to test with, it can fail on request
 * like hardware may.
 */
#include <linux/kvm_host.h>
#include <linux/kvm_private_mem.h>
#include <linux/module.h>

#include "vm_type.h"

/* How many of the next calls fail; -1 for all of them. */
static int sw_fail_prepare;
module_param(sw_fail_prepare, int, 0600);
static int sw_fail_reclaim;
module_param(sw_fail_reclaim, int, 0600);

/* With which errno, positive. */
static uint sw_fail_errno = EIO;
module_param(sw_fail_errno, uint, 0600);

static bool kvm_sw_fails(int *times)
{
	int left = READ_ONCE(*times);

	if (likely(!left))
		return false;
	if (left > 0)
		WRITE_ONCE(*times, left - 1);
	return true;
}

static int kvm_sw_prepare(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int order)
{
	return kvm_sw_fails(&sw_fail_prepare) ? -(int)min_t(uint, sw_fail_errno, MAX_ERRNO) : 0;
}

static bool kvm_sw_reclaim(kvm_pfn_t pfn, unsigned int order)
{
	return !kvm_sw_fails(&sw_fail_reclaim);
}

const struct kvm_private_mem_ops kvm_sw_protected_ops = {
	.prepare = kvm_sw_prepare,
	.reclaim = kvm_sw_reclaim,
};
