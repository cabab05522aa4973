// SPDX-License-Identifier: GPL-2.0-only
/*
 * Types of VMs.  One row says what a type has and what it allows, and the rest
 * of KVM asks the row and not for the type.
 */
#include <linux/kvm_private_mem.h>

#include <asm/leak.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/tdp_mmu.h"
#include "vm_type.h"

static const struct kvm_vm_type vm_types[KVM_X86_NR_VM_TYPES] = {
	[KVM_X86_DEFAULT_VM] = {
		.type = KVM_X86_DEFAULT_VM,
		.name = "default",
		.has_readonly_mem = true,
		.has_smm_memslots = true,
		.can_pre_fault = true,
	},
	[KVM_X86_SW_PROTECTED_VM] = {
		.type = KVM_X86_SW_PROTECTED_VM,
		.name = "sw-protected",
		.has_private_mem = true,
		.has_readonly_mem = true,
		.can_pre_fault = true,
#ifdef CONFIG_KVM_SW_PROTECTED_VM
		.private_mem_ops = &kvm_sw_protected_ops,
#endif
	},
	[KVM_X86_SEV_VM] = {
		.type = KVM_X86_SEV_VM,
		.name = "sev",
		.has_readonly_mem = true,
		.has_smm_memslots = true,
		.can_pre_fault = true,
	},
	[KVM_X86_SEV_ES_VM] = {
		.type = KVM_X86_SEV_ES_VM,
		.name = "sev-es",
		.has_protected_state = true,
		.has_smm_memslots = true,
		.can_pre_fault = true,
	},
	[KVM_X86_SNP_VM] = {
		.type = KVM_X86_SNP_VM,
		.name = "sev-snp",
		.has_private_mem = true,
		.has_protected_state = true,
		.equal_sizes = true,
		.private_fault_mask = PFERR_GUEST_ENC_MASK,
	},
	[KVM_X86_TDX_VM] = {
		.type = KVM_X86_TDX_VM,
		.name = "tdx",
		.has_private_mem = true,
		.has_protected_state = true,
	},
};

/* Of the types that a vendor module offers; written while it's being loaded. */
static const struct kvm_private_mem_ops *vendor_ops[KVM_X86_NR_VM_TYPES];
static u32 vendor_types;

/* The row of a type, supported or not; NULL beyond the last. */
const struct kvm_vm_type *kvm_vm_type_get(unsigned int type)
{
	return type < ARRAY_SIZE(vm_types) ? &vm_types[type] : NULL;
}

/*
 * kvm_vm_type_enable - let VMs of a type be created
 * @type:	KVM_X86_*_VM that is up to the vendor module
 * @ops:	what it does with private pages, NULL if nothing
 *
 * For the hardware setup of a vendor module.  @ops have to stay as long as the
 * module, which VMs and files of guest_memfd pin.
 */
int kvm_vm_type_enable(unsigned int type, const struct kvm_private_mem_ops *ops)
{
	if (WARN_ON_ONCE(type >= KVM_X86_NR_VM_TYPES || type == KVM_X86_DEFAULT_VM ||
			 type == KVM_X86_SW_PROTECTED_VM))
		return -EINVAL;

	vendor_ops[type] = ops;
	vendor_types |= BIT(type);
	return 0;
}
EXPORT_SYMBOL_GPL(kvm_vm_type_enable);

/* A vendor module is about to be set up, and may not be the first. */
void kvm_vm_type_reset(void)
{
	vendor_types = 0;
}

/*
 * KVM_CAP_VM_TYPES: a bit for each type that can be created now.
 *
 * Private memory is mapped by the TDP MMU alone.  Shadow paging would have to
 * read page tables of the guest that are private themselves.
 */
u32 kvm_supported_vm_types(void)
{
	u32 types = BIT(KVM_X86_DEFAULT_VM) | vendor_types;
	unsigned int type;

	if (IS_ENABLED(CONFIG_KVM_SW_PROTECTED_VM))
		types |= BIT(KVM_X86_SW_PROTECTED_VM);

	for (type = 0; type < KVM_X86_NR_VM_TYPES && !kvm_tdp_mmu_available(); type++)
		if (vm_types[type].has_private_mem)
			types &= ~BIT(type);

	return types;
}

/*
 * kvm_vm_type_init_vm - make @kvm a VM of a type
 * @kvm:	being created, its MMU is initialised
 * @type:	KVM_X86_*_VM, from userspace
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
	kvm->arch.private_mem_ops = vm_type->private_mem_ops ?: vendor_ops[type];
	kvm->arch.private_fault_mask = vm_type->private_fault_mask;
	kvm->arch.has_private_mem = vm_type->has_private_mem;
	kvm->arch.has_protected_state = vm_type->has_protected_state;
	kvm->arch.can_pre_fault = vm_type->can_pre_fault;
	kvm->arch.disable_nx_huge_pages = vm_type->equal_sizes;
	kvm->arch.has_readonly_mem = vm_type->has_readonly_mem;
	kvm->arch.nr_memslot_as_ids = vm_type->has_smm_memslots ? KVM_ADDRESS_SPACE_NUM : 1;
	return 0;
}

/*
 * kvm_state_is_protected - true if an ioctl is rejected as it accesses protected state
 * @vcpu:	the vCPU, with its mutex held
 * @ioctl:	KVM_*
 *
 * MSRs are up to the vendor module: some of them are not the guest's own.
 */
bool kvm_state_is_protected(struct kvm_vcpu *vcpu, unsigned int ioctl)
{
	lockdep_assert_held(&vcpu->mutex);

	if (likely(!vcpu->kvm->arch.has_protected_state) || !vcpu->arch.guest_state_protected)
		return false;

	switch (ioctl) {
	case KVM_GET_REGS:
	case KVM_SET_REGS:
	case KVM_GET_SREGS:
	case KVM_SET_SREGS:
	case KVM_GET_SREGS2:
	case KVM_SET_SREGS2:
	case KVM_GET_DEBUGREGS:
	case KVM_SET_DEBUGREGS:
	case KVM_GET_FPU:
	case KVM_SET_FPU:
	case KVM_GET_XSAVE:
	case KVM_GET_XSAVE2:
	case KVM_SET_XSAVE:
	case KVM_GET_XCRS:
	case KVM_SET_XCRS:
		return true;
	default:
		return false;
	}
}

const struct kvm_private_mem_ops *kvm_arch_private_mem_ops(struct kvm *kvm)
{
	return kvm->arch.private_mem_ops;
}

void kvm_arch_leak_pages(kvm_pfn_t pfn, unsigned long npages)
{
	x86_leak_pages(pfn, npages);
}
