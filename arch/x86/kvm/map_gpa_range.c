// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_HC_MAP_GPA_RANGE: the guest asks for memory to be private or shared.
 *
 * Whatever the guest's own interface is, its request goes to userspace as this
 * hypercall, for a whole range at once.
 */
#include <linux/kvm_host.h>
#include <linux/kvm_para.h>

#include "map_gpa_range.h"

/*
 * kvm_map_gpa_range_valid - check the arguments of the hypercall
 * @gpa:	start of the range
 * @npages:	its length in pages of 4 KiB
 * @attrs:	KVM_MAP_GPA_RANGE_*: a preferred page size, and private or shared
 *
 * The page size is a hint for userspace: it implies no alignment, and all
 * values that fit are passed on.  Reserved bits have to be zero.
 */
bool kvm_map_gpa_range_valid(gpa_t gpa, u64 npages, u64 attrs)
{
	const u64 page_size = GENMASK_ULL(3, 0);

	if (!PAGE_ALIGNED(gpa) || !npages ||
	    gpa_to_gfn(gpa) + npages <= gpa_to_gfn(gpa))
		return false;

	return !(attrs & ~(page_size | KVM_MAP_GPA_RANGE_ENCRYPTED));
}

/*
 * kvm_map_gpa_range_exit - pass a request to userspace
 * @vcpu:	the vCPU that asked
 * @gpa:	start of the range
 * @npages:	its length in pages of 4 KiB
 * @attrs:	KVM_MAP_GPA_RANGE_*
 * @flags:	KVM_EXIT_HYPERCALL_*
 * @complete:	called when userspace has done it, or has not
 *
 * The arguments are valid.  Returns 0, the value that makes KVM_RUN return.
 */
int kvm_map_gpa_range_exit(struct kvm_vcpu *vcpu, gpa_t gpa, u64 npages, u64 attrs,
			   u64 flags, int (*complete)(struct kvm_vcpu *vcpu))
{
	vcpu->run->exit_reason = KVM_EXIT_HYPERCALL;
	vcpu->run->hypercall.nr = KVM_HC_MAP_GPA_RANGE;
	/* Not all VMMs report success. */
	vcpu->run->hypercall.ret = 0;
	vcpu->run->hypercall.args[0] = gpa;
	vcpu->run->hypercall.args[1] = npages;
	vcpu->run->hypercall.args[2] = attrs;
	vcpu->run->hypercall.flags = flags;
	vcpu->arch.complete_userspace_io = complete;
	return 0;
}
EXPORT_SYMBOL_GPL(kvm_map_gpa_range_exit);
