/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attributes of guest memory: a gfn is private or shared, as userspace has set it
 * with KVM_SET_MEMORY_ATTRIBUTES.
 */
#ifndef __LINUX_KVM_MEM_ATTRIBUTES_H
#define __LINUX_KVM_MEM_ATTRIBUTES_H

#include <linux/kvm_host.h>

/**
 * struct kvm_mem_attr_range - what is known of the attributes of a gfn
 * @attributes:	KVM_MEMORY_ATTRIBUTE_*
 * @first:	first of the gfns around it that are known to have the same
 * @last:	last of them, inclusive
 */
struct kvm_mem_attr_range {
	u64 attributes;
	gfn_t first;
	gfn_t last;
};

/* Called after a change, with slots_lock held. */
#ifndef kvm_arch_mem_attributes_changed
#define kvm_arch_mem_attributes_changed(kvm)	do { } while (0)
#endif

#ifdef CONFIG_KVM_GENERIC_MEMORY_ATTRIBUTES
void kvm_mem_attributes_init(struct kvm *kvm);
void kvm_mem_attributes_destroy(struct kvm *kvm);
u64 kvm_supported_mem_attributes(struct kvm *kvm);
int kvm_vm_ioctl_set_mem_attributes(struct kvm *kvm,
				    const struct kvm_memory_attributes *args);
void kvm_mem_attributes_lookup(struct kvm *kvm, gfn_t gfn,
			       struct kvm_mem_attr_range *range);
bool kvm_handle_shared_gfns(struct kvm *kvm, struct kvm_gfn_range *range,
			    bool (*handler)(struct kvm *kvm, struct kvm_gfn_range *range));

static inline bool kvm_mem_is_private(struct kvm *kvm, gfn_t gfn)
{
	struct kvm_mem_attr_range range;

	if (!kvm_arch_has_private_mem(kvm))
		return false;

	kvm_mem_attributes_lookup(kvm, gfn, &range);
	return range.attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE;
}
#else
static inline void kvm_mem_attributes_init(struct kvm *kvm) { }
static inline void kvm_mem_attributes_destroy(struct kvm *kvm) { }
static inline bool kvm_mem_is_private(struct kvm *kvm, gfn_t gfn) { return false; }
#endif /* CONFIG_KVM_GENERIC_MEMORY_ATTRIBUTES */

#endif /* __LINUX_KVM_MEM_ATTRIBUTES_H */
