// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_NESTED_STATE with complete data puts a vCPU into guest mode. This works for a
 * VM without SEV, which shows that the data is valid, and is rejected for SEV-ES and SNP
 * VMs, because KVM does not have the registers that nesting needs.
 */
#include "private_mem.h"
#include "processor.h"
#include "svm_util.h"

#define VMCB12_GPA	0x3000ul
#define TABLES_GPA	0x4000ul
#define CR0		(X86_CR0_PE | X86_CR0_NE | X86_CR0_ET | X86_CR0_PG)
#define CR4		X86_CR4_PAE

/* The header is followed by the VMCB: the controls of L2, and the saved state of L1. */
struct nested_data {
	struct kvm_nested_state state;
	struct vmcb vmcb;
};

union nested {
	struct nested_data data;
	uint8_t all[sizeof(struct kvm_nested_state) + KVM_STATE_NESTED_SVM_VMCB_SIZE];
};

struct guest {
	int vm_fd;
	int vcpu_fd;
};

static int kvm_fd;

static void close_guest(struct guest *guest)
{
	close(guest->vcpu_fd);
	close(guest->vm_fd);
}

/* A vCPU in 64-bit mode that has EFER.SVME. */
static void add_vcpu(struct guest *guest)
{
	struct kvm_segment code = {
		.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1,
	};
	struct kvm_sregs sregs;
	int r;

	guest->vcpu_fd = ioctl(guest->vm_fd, KVM_CREATE_VCPU, 0);
	TEST_ASSERT(guest->vcpu_fd >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VCPU, guest->vcpu_fd));
	r = ioctl(guest->vcpu_fd, KVM_SET_CPUID2, kvm_get_supported_cpuid()) ?:
	    ioctl(guest->vcpu_fd, KVM_GET_SREGS, &sregs);
	TEST_ASSERT(!r, "No CPUID or no registers, errno %d", errno);
	sregs.cs = code;
	sregs.cr0 = CR0;
	sregs.cr3 = TABLES_GPA;
	sregs.cr4 = CR4;
	sregs.efer = EFER_LME | EFER_LMA | EFER_SVME;
	r = ioctl(guest->vcpu_fd, KVM_SET_SREGS, &sregs);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_SREGS, r));
}

static void new_guest(struct guest *guest, unsigned long type)
{
	struct kvm_sev_init init = {};
	struct kvm_sev_cmd cmd = {
		.id = KVM_SEV_INIT2,
		.data = (uintptr_t)&init,
		.sev_fd = -1,
	};
	int r = 0;

	guest->vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, type);
	TEST_ASSERT(guest->vm_fd >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VM, guest->vm_fd));
	if (type != KVM_X86_DEFAULT_VM) {
		cmd.sev_fd = open_path_or_exit("/dev/sev", O_RDWR);
		r = ioctl(guest->vm_fd, KVM_MEMORY_ENCRYPT_OP, &cmd);
		close(cmd.sev_fd);
	}
	TEST_ASSERT(!r, "KVM_SEV_INIT2 fails, errno %d, firmware error %u", errno, cmd.error);
	add_vcpu(guest);
}

static void fill(union nested *nested)
{
	struct vmcb *vmcb = &nested->data.vmcb;

	memset(nested, 0, sizeof(*nested));
	nested->data.state.format = KVM_STATE_NESTED_FORMAT_SVM;
	nested->data.state.flags = KVM_STATE_NESTED_GUEST_MODE | KVM_STATE_NESTED_GIF_SET;
	nested->data.state.size = sizeof(*nested);
	nested->data.state.hdr.svm.vmcb_pa = VMCB12_GPA;

	vmcb->control.intercept = 1ull << INTERCEPT_VMRUN;
	vmcb->control.asid = 1;
	vmcb->save.cr0 = CR0;
	vmcb->save.cr3 = TABLES_GPA;
	vmcb->save.cr4 = CR4;
	vmcb->save.efer = EFER_LME | EFER_LMA | EFER_SVME;
	vmcb->save.rflags = 2;
	vmcb->save.dr6 = 0xffff0ff0;
	vmcb->save.dr7 = 0x400;
	vmcb->save.cs.attrib = SVM_SELECTOR_P_MASK | SVM_SELECTOR_L_MASK;
}

static bool in_guest_mode(struct guest *guest)
{
	static union nested now;

	now.data.state = (struct kvm_nested_state) { .size = sizeof(now) };
	return !ioctl(guest->vcpu_fd, KVM_GET_NESTED_STATE, &now) &&
	       now.data.state.flags & KVM_STATE_NESTED_GUEST_MODE;
}

/* @err is 0 if it has to work. */
static void test(unsigned long type, int err, const char *what)
{
	static union nested nested;
	struct guest guest;
	int r;

	new_guest(&guest, type);
	fill(&nested);
	r = ioctl(guest.vcpu_fd, KVM_SET_NESTED_STATE, &nested);
	check_errno(r, err, "%s: guest mode with all of its data", what);
	check(in_guest_mode(&guest) == !err, "%s: the vCPU is%s in guest mode", what,
	      err ? " not" : "");

	fill(&nested);
	nested.data.state.flags = KVM_STATE_NESTED_GIF_SET;
	r = ioctl(guest.vcpu_fd, KVM_SET_NESTED_STATE, &nested);
	check_errno(r, 0, "%s: no guest mode", what);
	check(!in_guest_mode(&guest), "%s: the vCPU is out of it", what);
	close_guest(&guest);
}

static bool has_type(unsigned long type)
{
	return kvm_check_cap(KVM_CAP_VM_TYPES) & (1ul << type);
}

int main(int argc, char *argv[])
{
	printf("TAP version 13\n");
	setbuf(stdout, NULL);
	__TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_SVM) && kvm_check_cap(KVM_CAP_NESTED_STATE),
		       "no nested SVM");
	__TEST_REQUIRE(has_type(KVM_X86_SEV_ES_VM), "no SEV-ES guests");

	kvm_fd = open_kvm_dev_path_or_exit();
	test(KVM_X86_DEFAULT_VM, 0, "a VM without SEV");
	test(KVM_X86_SEV_ES_VM, EINVAL, "a VM of SEV-ES");
	if (has_type(KVM_X86_SNP_VM))
		test(KVM_X86_SNP_VM, EINVAL, "an SNP VM");
	close(kvm_fd);
	return check_finish();
}
