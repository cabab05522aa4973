// SPDX-License-Identifier: GPL-2.0-only
/*
 * Types of VMs.  One row says what a type has and what it allows, and the rest
 * of KVM asks the row and not for the type.
 */
#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/tdp_mmu.h"
#include "vm_type.h"

static const struct kvm_vm_type vm_types[KVM_X86_NR_VM_TYPES] = {
	[KVM_X86_DEFAULT_VM] = {
		.name = "default",
		.has_readonly_mem = true,
		.has_smm_memslots = true,
		.can_pre_fault = true,
	},
	[KVM_X86_SW_PROTECTED_VM] = {
		.name = "sw-protected",
		.has_private_mem = true,
		.has_readonly_mem = true,
		.can_pre_fault = true,
#ifdef CONFIG_KVM_SW_PROTECTED_VM
		.private_mem_ops = &kvm_sw_protected_ops,
#endif
	},
	[KVM_X86_SEV_VM] = {
		.name = "sev",
		.has_readonly_mem = true,
		.has_smm_memslots = true,
		.can_pre_fault = true,
	},
	[KVM_X86_SEV_ES_VM] = {
		.name = "sev-es",
		.has_protected_state = true,
		.has_smm_memslots = true,
		.can_pre_fault = true,
	},
	[KVM_X86_SNP_VM] = {
		.name = "sev-snp",
		.has_private_mem = true,
		.has_protected_state = true,
		.private_fault_mask = PFERR_GUEST_ENC_MASK,
	},
	[KVM_X86_TDX_VM] = {
		.name = "tdx",
		.has_private_mem = true,
		.has_protected_state = true,
	},
};

/* The row of a type, supported or not; NULL beyond the last. */
const struct kvm_vm_type *kvm_vm_type_get(unsigned int type)
{
	return type < ARRAY_SIZE(vm_types) ? &vm_types[type] : NULL;
}

/*
 * KVM_CAP_VM_TYPES: a bit for each type that can be created now.
 *
 * Private memory is mapped by the TDP MMU alone.  Shadow paging would have to
 * read page tables of the guest that are private themselves.
 */
u32 kvm_supported_vm_types(void)
{
	u32 types = BIT(KVM_X86_DEFAULT_VM);

	if (IS_ENABLED(CONFIG_KVM_SW_PROTECTED_VM) && kvm_tdp_mmu_available())
		types |= BIT(KVM_X86_SW_PROTECTED_VM);

	return types;
}

/**
 * kvm_vm_type_init_vm - make @kvm a VM of a type
 * @kvm:	being created, its MMU is initialised
 * @type:	KVM_X86_*_VM, from user space
 *
 * Returns 0, or -EINVAL if the type doesn't exist or is not supported.
 */
int kvm_vm_type_init_vm(struct kvm *kvm, unsigned long type)
{
	const struct kvm_vm_type *vm_type;

	if (type >= ARRAY_SIZE(vm_types) || !(kvm_supported_vm_types() & BIT(type)))
		return -EINVAL;

	/* The module parameter may have changed since. */
	vm_type = &vm_types[type];
	if (vm_type->has_private_mem && !is_tdp_mmu_enabled(kvm))
		return -EINVAL;

	kvm->arch.vm_type = vm_type;
	kvm->arch.private_mem_ops = vm_type->private_mem_ops;
	kvm->arch.private_fault_mask = vm_type->private_fault_mask;
	kvm->arch.has_private_mem = vm_type->has_private_mem;
	kvm->arch.has_readonly_mem = vm_type->has_readonly_mem;
	kvm->arch.nr_memslot_as_ids = vm_type->has_smm_memslots ? KVM_ADDRESS_SPACE_NUM : 1;
	return 0;
}

const struct kvm_private_mem_ops *kvm_arch_private_mem_ops(struct kvm *kvm)
{
	return kvm->arch.private_mem_ops;
}
