// SPDX-License-Identifier: GPL-2.0-only
/*
 * Software-protected VMs: nothing but KVM stands between the host and the
 * private pages, so giving a page to the guest and taking it back is always
 * possible.  Fault injection (fail_function) makes it fail, as hardware may.
 */
#include <linux/error-injection.h>
#include <linux/kvm_host.h>

#include "vm_type.h"

static noinline int kvm_sw_prepare(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn,
				   unsigned int order)
{
	return 0;
}
ALLOW_ERROR_INJECTION(kvm_sw_prepare, ERRNO);

static noinline bool kvm_sw_reclaim(kvm_pfn_t pfn, unsigned int order)
{
	return true;
}
ALLOW_ERROR_INJECTION(kvm_sw_reclaim, NULL);

const struct kvm_private_mem_ops kvm_sw_protected_ops = {
	.prepare = kvm_sw_prepare,
	.reclaim = kvm_sw_reclaim,
};
