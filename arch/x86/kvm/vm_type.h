/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_VM_TYPE_H
#define __KVM_X86_VM_TYPE_H

#include <linux/kvm_host.h>
#include <linux/kvm_private_mem.h>

#define KVM_X86_NR_VM_TYPES	(KVM_X86_TDX_VM + 1)

/**
 * struct kvm_vm_type - what a type of VM has and what it allows
 * @type:		KVM_X86_*_VM
 * @name:		for messages and tracing
 * @has_private_mem:	there are private gfns, backed by guest_memfd
 * @has_protected_state: registers are out of reach once the guest is launched
 * @has_readonly_mem:	memslots can be read-only, i.e. writes can be emulated
 * @has_smm_memslots:	SMM has memslots of its own
 * @equal_sizes:	hardware wants a private page to be mapped in the size that it
 *			has in tables of its own: nothing else may ask for small pages
 * @can_pre_fault:	memory can be mapped from the creation of the VM on
 * @private_mem_ops:	what has to be done with private pages; NULL if nothing,
 *			or if the vendor module says so
 * @private_fault_mask:	set in the error code of a fault on private memory, zero
 *			if the error code doesn't tell
 */
struct kvm_vm_type {
	unsigned int type;
	const char *name;
	bool has_private_mem;
	bool has_protected_state;
	bool has_readonly_mem;
	bool has_smm_memslots;
	bool equal_sizes;
	bool can_pre_fault;
	const struct kvm_private_mem_ops *private_mem_ops;
	u64 private_fault_mask;
};

/*
 * Whether the guest meant private or shared memory.  With KVM_FAULT_VMM_DEFINED
 * it has no say, and the attributes of the gfn are the answer.
 */
enum kvm_fault_kind {
	KVM_FAULT_SHARED,
	KVM_FAULT_PRIVATE,
	KVM_FAULT_VMM_DEFINED,
};

/* kvm_fault_is_private() for given masks; a pure function. */
static inline enum kvm_fault_kind
__kvm_fault_is_private(u64 private_fault_mask, gfn_t gfn_shared_mask,
		       gpa_t gpa, u64 error_code)
{
	if (gfn_shared_mask)
		return gpa_to_gfn(gpa) & gfn_shared_mask ? KVM_FAULT_SHARED : KVM_FAULT_PRIVATE;

	if (private_fault_mask)
		return error_code & private_fault_mask ? KVM_FAULT_PRIVATE : KVM_FAULT_SHARED;

	return KVM_FAULT_VMM_DEFINED;
}

/*
 * kvm_fault_is_private - tell private from shared faults
 * @kvm:	the VM
 * @gpa:	the address that faulted, with the shared bit if the VM has one
 * @error_code:	PFERR_*, as reported by the CPU
 *
 * The only place where the encoding of the vendors is known.
 */
static inline enum kvm_fault_kind kvm_fault_is_private(struct kvm *kvm, gpa_t gpa,
							u64 error_code)
{
	return __kvm_fault_is_private(kvm->arch.private_fault_mask,
				      kvm->arch.gfn_shared_mask, gpa, error_code);
}

extern const struct kvm_private_mem_ops kvm_sw_protected_ops;

#ifdef CONFIG_KVM_PRIVATE_MEM_FAULT_INJECTION
void kvm_sw_fault_init(void);
void kvm_sw_fault_exit(void);
#else
static inline void kvm_sw_fault_init(void) { }
static inline void kvm_sw_fault_exit(void) { }
#endif

int kvm_vm_type_init_vm(struct kvm *kvm, unsigned long type);
u32 kvm_supported_vm_types(void);
const struct kvm_vm_type *kvm_vm_type_get(unsigned int type);
int kvm_vm_type_enable(unsigned int type, const struct kvm_private_mem_ops *ops);
void kvm_vm_type_reset(void);

static inline bool kvm_vm_type_is(struct kvm *kvm, unsigned int type)
{
	return kvm->arch.vm_type->type == type;
}

#endif /* __KVM_X86_VM_TYPE_H */
