/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_MAP_GPA_RANGE_H
#define __KVM_X86_MAP_GPA_RANGE_H

#include <linux/kvm_host.h>

bool kvm_map_gpa_range_valid(gpa_t gpa, u64 npages, u64 attrs);
int kvm_map_gpa_range_exit(struct kvm_vcpu *vcpu, gpa_t gpa, u64 npages, u64 attrs,
			   u64 flags, int (*complete)(struct kvm_vcpu *vcpu));

#endif /* __KVM_X86_MAP_GPA_RANGE_H */
