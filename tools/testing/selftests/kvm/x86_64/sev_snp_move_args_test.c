// SPDX-License-Identifier: GPL-2.0-only
/*
 * How moves, mirrors and links of guest_memfd files are announced, and the fields of
 * their arguments: those without a meaning have to be zero, unless the request is one
 * that existed before the fields did.
 */
#include <linux/psp-sev.h>

#include "processor.h"
#include "snp_bare.h"

static int extension(int fd, long cap)
{
	return ioctl(fd, KVM_CHECK_EXTENSION, cap);
}

static void test_capabilities(struct snp_bare *guest, bool on)
{
	int other = ioctl(guest->kvm_fd, KVM_CREATE_VM, KVM_X86_SW_PROTECTED_VM);
	uint64_t flags = on ? KVM_ENC_CONTEXT_SNP : 0;

	TEST_ASSERT(other >= 0, "No software-protected VM");
	check(extension(guest->kvm_fd, KVM_CAP_X86_ENC_CONTEXT_FLAGS) == flags,
	      "the system announces flags %#lx", flags);
	check(extension(guest->vm_fd, KVM_CAP_X86_ENC_CONTEXT_FLAGS) == flags,
	      "the VM announces flags %#lx", flags);
	check(!extension(other, KVM_CAP_X86_ENC_CONTEXT_FLAGS), "a VM of another type: none");
	check(extension(guest->vm_fd, KVM_CAP_GUEST_MEMFD_LINK) == 1, "the VM can link files");
	check(!extension(other, KVM_CAP_GUEST_MEMFD_LINK), "a VM of another type: can't");
	check(!(extension(guest->vm_fd, KVM_CAP_GUEST_MEMFD_FLAGS) & GUEST_MEMFD_FLAG_LINK),
	      "not any file can be a link");
	close(other);
}

/* Returns the result of a move or a mirror with one of the reserved fields set, or none. */
static int context_from(int vm, uint32_t cap, int source, uint64_t flags, int field)
{
	struct kvm_enable_cap args = {
		.cap = cap,
		.enc_context = { .source_fd = source, .flags = flags },
	};

	if (field >= 0)
		args.enc_context.reserved[field] = 1ul << 63;
	return ioctl(vm, KVM_ENABLE_CAP, &args);
}

static void test_context_fields(struct snp_bare *to, struct snp_bare *from, uint32_t cap)
{
	int r;

	r = context_from(to->vm_fd, cap, from->vm_fd, KVM_ENC_CONTEXT_SNP, 0);
	check_errno(r, EINVAL, "capability %u with the first reserved field", cap);
	r = context_from(to->vm_fd, cap, from->vm_fd, KVM_ENC_CONTEXT_SNP, 1);
	check_errno(r, EINVAL, "capability %u with the second reserved field", cap);
	r = context_from(to->vm_fd, cap, from->vm_fd, KVM_ENC_CONTEXT_SNP | 1ul << 63, -1);
	check_errno(r, EINVAL, "capability %u with an unknown flag", cap);
	r = context_from(to->vm_fd, cap, from->vm_fd, 0, -1);
	check_errno(r, EINVAL, "capability %u without a flag", cap);
	check(!context_from(to->vm_fd, cap, from->vm_fd, KVM_ENC_CONTEXT_SNP, -1),
	      "capability %u as it should be", cap);
}

/* SNP guests have no SMM: a pending SMI would be pending forever. */
static void test_pending_smi(struct snp_bare *to, struct snp_bare *from)
{
	struct kvm_vcpu_events events;
	int r;

	TEST_ASSERT(!ioctl(to->vcpu_fd[0], KVM_GET_VCPU_EVENTS, &events), "No events");
	events.flags = KVM_VCPUEVENT_VALID_SMM;
	events.smi.pending = 1;
	check(!ioctl(to->vcpu_fd[0], KVM_SET_VCPU_EVENTS, &events), "an SMI is pending");
	r = context_from(to->vm_fd, KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, from->vm_fd,
			 KVM_ENC_CONTEXT_SNP, -1);
	check_errno(r, EINVAL, "a move to such a VM");
	events.smi.pending = 0;
	check(!ioctl(to->vcpu_fd[0], KVM_SET_VCPU_EVENTS, &events), "it is not any more");
}

/* Returns the result of creating a file for @to with field @i not zero: reserved[], or pad. */
static int create_file(struct snp_bare *to, struct snp_bare *from, uint64_t flags, unsigned int i)
{
	struct kvm_create_guest_memfd args = {
		.size = BARE_DATA_SIZE,
		.flags = flags,
		.link_fd = from->data_fd,
	};

	if (i < ARRAY_SIZE(args.reserved))
		args.reserved[i] = 1ul << 63;
	else if (i == ARRAY_SIZE(args.reserved))
		args.pad = 1u << 31;
	return ioctl(to->vm_fd, KVM_CREATE_GUEST_MEMFD, &args);
}

static void test_link_fields(struct snp_bare *to, struct snp_bare *from)
{
	const unsigned int nr = ARRAY_SIZE(((struct kvm_create_guest_memfd *)0)->reserved) + 1;
	unsigned int i;
	int fd;

	for (i = 0; i < nr; i++) {
		check_errno(create_file(to, from, GUEST_MEMFD_FLAG_LINK, i), EINVAL,
			    "a link with field %u", i);
		fd = create_file(to, from, 0, i);
		check(fd >= 0, "field %u is ignored without the flag", i);
		bare_close(&fd);
	}
	fd = create_file(to, from, GUEST_MEMFD_FLAG_LINK, nr);
	check(fd >= 0, "a link with all of them zero");
	bare_close(&fd);
}

/* Requests for SEV guests are older than the fields beyond the first. */
static void test_sev(struct snp_bare *b)
{
	struct kvm_sev_cmd init = { .id = KVM_SEV_INIT, .sev_fd = b->sev_fd };
	int vm = ioctl(b->kvm_fd, KVM_CREATE_VM, KVM_X86_DEFAULT_VM);
	int mirror = ioctl(b->kvm_fd, KVM_CREATE_VM, KVM_X86_DEFAULT_VM);
	int r;

	TEST_ASSERT(vm >= 0 && mirror >= 0, "No VMs");
	TEST_ASSERT(!ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &init), "No SEV guest");
	r = context_from(mirror, KVM_CAP_VM_COPY_ENC_CONTEXT_FROM, vm, ~0u, 0);
	check(!r, "an SEV guest is mirrored whatever the flags and reserved fields are");
	close(mirror);
	close(vm);
}

int main(int argc, char *argv[])
{
	bool on = read_parameter("/sys/module/kvm_amd/parameters/sev_snp_move");
	struct snp_bare a, mirror, to;

	require_snp();
	setbuf(stdout, NULL);

	bare_init(&a);
	TEST_ASSERT(!bare_create_vm(&a) && !bare_init2(&a) && !bare_add_memory(&a) &&
		    !bare_add_vcpus(&a) && !bare_launch_start(&a), "No guest");
	test_capabilities(&a, on);
	test_sev(&a);
	if (on) {
		bare_create_like(&mirror, &a);
		test_context_fields(&mirror, &a, KVM_CAP_VM_COPY_ENC_CONTEXT_FROM);
		test_link_fields(&mirror, &a);
		TEST_ASSERT(!bare_launch_pages(&a) && !bare_launch_finish(&a), "No launch");
		bare_create_like(&to, &a);
		bare_add_running_vcpus(&to);
		test_pending_smi(&to, &a);
		test_context_fields(&to, &a, KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM);
		bare_free(&mirror);
		bare_free(&to);
	}
	bare_free(&a);
	return check_finish();
}
