// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small SNP guests in more than one VM, moved or with a mirror; see the header. The
 * memory follows via linked guest_memfd files.
 */
#define _GNU_SOURCE /* for mremap() */
#include <errno.h>
#include <sys/mman.h>

#include "snp_bare.h"

int bare_context_from(struct snp_bare *to, uint32_t cap, int source_fd, uint64_t flags)
{
	struct kvm_enable_cap args = {
		.cap = cap,
		.enc_context = { .source_fd = source_fd, .flags = flags },
	};

	return ioctl(to->vm_fd, KVM_ENABLE_CAP, &args);
}

int bare_move(struct snp_bare *to, struct snp_bare *from)
{
	return bare_context_from(to, KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, from->vm_fd,
				 KVM_ENC_CONTEXT_SNP);
}

int bare_mirror(struct snp_bare *to, struct snp_bare *from)
{
	return bare_context_from(to, KVM_CAP_VM_COPY_ENC_CONTEXT_FROM, from->vm_fd,
				 KVM_ENC_CONTEXT_SNP);
}

int bare_link_file(int vm_fd, int fd, uint64_t size, uint64_t flags)
{
	struct kvm_create_guest_memfd args = {
		.size = size,
		.flags = flags | GUEST_MEMFD_FLAG_LINK,
		.link_fd = fd,
	};

	return ioctl(vm_fd, KVM_CREATE_GUEST_MEMFD, &args);
}

static void *same_memory(void *own, void *other, size_t size)
{
	munmap(own, size);
	other = mremap(other, 0, size, MREMAP_MAYMOVE);
	TEST_ASSERT(other != MAP_FAILED, "No second mapping of shared memory");
	return other;
}

void bare_create_like(struct snp_bare *to, struct snp_bare *from)
{
	unsigned int i;

	bare_init(to);
	to->shared = same_memory(to->shared, from->shared, BARE_SHARED_SIZE);
	to->data = same_memory(to->data, from->data, BARE_DATA_SIZE);
	to->image = same_memory(to->image, from->image, BARE_RAM_SIZE);
	for (i = 0; i < NR_BARE_VCPUS; i++)
		to->ctl[i] = (void *)(to->shared + BARE_CTL(i) - BARE_SHARED_GPA);
	TEST_ASSERT(!bare_create_vm(to), "No VM");
}

void bare_add_running_vcpus(struct snp_bare *b)
{
	struct kvm_mp_state runs = { .mp_state = KVM_MP_STATE_RUNNABLE };

	TEST_ASSERT(!bare_add_blank_vcpus(b) && !ioctl(b->vcpu_fd[1], KVM_SET_MP_STATE, &runs),
		    "No vCPUs");
}

bool bare_bind_data(struct snp_bare *b, uint64_t size, uint64_t offset)
{
	__set_region2(b->vm_fd, 2, 0, BARE_DATA_GPA, 0, b->data, -1, 0);
	return !__set_region2(b->vm_fd, 2, KVM_MEM_GUEST_MEMFD, BARE_DATA_GPA, size, b->data,
			      b->data_fd, offset);
}

bool bare_take_memory(struct snp_bare *to, struct snp_bare *from)
{
	to->ram_fd = bare_link_file(to->vm_fd, from->ram_fd, BARE_RAM_SIZE, 0);
	to->data_fd = bare_link_file(to->vm_fd, from->data_fd, BARE_DATA_SIZE, 0);
	if (to->ram_fd < 0 || to->data_fd < 0 ||
	    __set_region2(to->vm_fd, 0, KVM_MEM_GUEST_MEMFD, 0, BARE_RAM_SIZE, to->image,
			  to->ram_fd, 0) ||
	    __set_region2(to->vm_fd, 1, 0, BARE_SHARED_GPA, BARE_SHARED_SIZE, to->shared, 0, 0) ||
	    !bare_bind_data(to, BARE_DATA_SIZE, 0))
		return false;

	set_private(to->vm_fd, 0, BARE_RAM_SIZE, true);
	set_private(to->vm_fd, BARE_DATA_GPA, BARE_DATA_SIZE, true);
	return true;
}
