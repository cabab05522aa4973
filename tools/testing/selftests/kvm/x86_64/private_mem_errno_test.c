// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bad arguments to the ioctls and files for private memory: each gets an errno that is
 * part of the ABI, which is the ABI of Linux 7.3.
 */
#define _GNU_SOURCE /* for fallocate() and memfd_create() */
#include <limits.h>
#include <linux/falloc.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "private_mem.h"
#include "processor.h"

#define SLOT_GPA	SZ_1G
#define SLOT_SIZE	(16 * SZ_4K)
#define GMEM_SIZE	(64 * SZ_4K)
#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE
#define BAD_PTR		((void *)8)
#define APIC_GPA	0xfee00000ul

static int kvm_fd, vm, default_vm;
static char *hva;

static int create_vm(unsigned long type)
{
	return ioctl(kvm_fd, KVM_CREATE_VM, type);
}

static void test_create_vm(void)
{
	unsigned int types = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_VM_TYPES);
	unsigned int type;
	int fd;

	for (type = 0; type < 32; type++) {
		if (types & BIT(type))
			continue;
		check_errno(create_vm(type), EINVAL, "KVM_CREATE_VM: type %u is not offered", type);
	}
	check_errno(create_vm(32 + KVM_X86_SW_PROTECTED_VM), EINVAL, "KVM_CREATE_VM: type 33");
	check_errno(create_vm((1ul << 32) + KVM_X86_SW_PROTECTED_VM), EINVAL,
		    "KVM_CREATE_VM: a type with an upper half");
	check_errno(create_vm(ULONG_MAX), EINVAL, "KVM_CREATE_VM: type -1");

	fd = create_vm(KVM_X86_DEFAULT_VM);
	check_errno(fd, 0, "KVM_CREATE_VM: the default type");
	check(ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_MEMORY_ATTRIBUTES) == 0,
	      "a default VM has no memory attributes");
	check(ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_MEMORY_ATTRIBUTES) == PRIVATE,
	      "a software-protected VM can have private memory");
	check(ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_MULTI_ADDRESS_SPACE) <= 1,
	      "a software-protected VM has no address space for SMM");
	close(fd);
}

static void test_create_gmem(void)
{
	uint64_t flags;
	int i;

	check_errno(__gmem_create(vm, 0, 0), EINVAL, "KVM_CREATE_GUEST_MEMFD: no size");
	check_errno(__gmem_create(vm, 1, 0), EINVAL, "KVM_CREATE_GUEST_MEMFD: size 1");
	check_errno(__gmem_create(vm, SZ_4K - 1, 0), EINVAL, "KVM_CREATE_GUEST_MEMFD: size 4095");
	check_errno(__gmem_create(vm, SZ_4K + 1, 0), EINVAL, "KVM_CREATE_GUEST_MEMFD: size 4097");
	check_errno(__gmem_create(vm, 1ul << 63, 0), EINVAL,
		    "KVM_CREATE_GUEST_MEMFD: a size that is negative as loff_t");
	check_errno(__gmem_create(vm, -SZ_4K, 0), EINVAL, "KVM_CREATE_GUEST_MEMFD: size -4096");

	flags = ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_GUEST_MEMFD_FLAGS);
	check(flags == GUEST_MEMFD_FLAG_MMAP, "flags of a VM with private memory: mmap alone");
	for (i = 0; i < 64; i++) {
		if (flags & BIT_ULL(i))
			continue;
		check_errno(__gmem_create(vm, SZ_4K, BIT_ULL(i)), EINVAL,
			    "KVM_CREATE_GUEST_MEMFD: flag bit %d", i);
	}
	check_errno(ioctl(vm, KVM_CREATE_GUEST_MEMFD, BAD_PTR), EFAULT,
		    "KVM_CREATE_GUEST_MEMFD: bad pointer");
}

static int bind_fd(int fd)
{
	return __set_region2(vm, 1, KVM_MEM_GUEST_MEMFD, SLOT_GPA, SLOT_SIZE, hva, fd, 0);
}

static int bind_at(int gmem, uint64_t gpa, uint64_t size, uint64_t offset)
{
	return __set_region2(vm, 1, KVM_MEM_GUEST_MEMFD, gpa, size, hva, gmem, offset);
}

static void test_bind_wrong_file(int gmem)
{
	int fds[2], fd, foreign;

	check_errno(bind_fd(-1), EBADF, "binding: fd -1");
	check_errno(bind_fd(1000), EBADF, "binding: an fd that is not open");
	check_errno(bind_fd(kvm_fd), EINVAL, "binding: /dev/kvm");
	check_errno(bind_fd(vm), EINVAL, "binding: a VM");
	fd = memfd_create("private", 0);
	TEST_ASSERT(!ftruncate(fd, GMEM_SIZE), "ftruncate() of a memfd");
	check_errno(bind_fd(fd), EINVAL, "binding: a memfd");
	close(fd);
	fd = eventfd(0, 0);
	check_errno(bind_fd(fd), EINVAL, "binding: an eventfd");
	close(fd);
	TEST_ASSERT(!pipe(fds), "pipe()");
	check_errno(bind_fd(fds[0]), EINVAL, "binding: a pipe");
	close(fds[0]);
	close(fds[1]);
	fd = create_vm(KVM_X86_SW_PROTECTED_VM);
	foreign = gmem_create(fd, GMEM_SIZE);
	check_errno(bind_fd(foreign), EINVAL, "binding: the guest_memfd of another VM");
	close(fd);
	check_errno(bind_fd(foreign), EINVAL, "binding: the guest_memfd of a VM without fds");
	close(foreign);
}

static void test_bind_ranges(int gmem)
{
	static const uint64_t offsets[] = {
		GMEM_SIZE, GMEM_SIZE - SLOT_SIZE + SZ_4K, 1ul << 62,
		/* The sum is negative as loff_t. */
		(1ul << 63) - SZ_4K, (1ul << 63) - SLOT_SIZE, 1ul << 63,
		/* The sum wraps around, the last one to 0. */
		-SZ_4K, -SLOT_SIZE + SZ_4K, -SLOT_SIZE,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++)
		check_errno(bind_at(gmem, SLOT_GPA, SLOT_SIZE, offsets[i]), EINVAL,
			    "binding: offset 0x%lx", offsets[i]);

	check_errno(bind_at(gmem, SLOT_GPA, SLOT_SIZE, 1), EINVAL, "binding: offset 1");
	check_errno(bind_at(gmem, SLOT_GPA, SLOT_SIZE, SZ_4K - 1), EINVAL, "binding: offset 4095");
	check_errno(bind_at(gmem, SLOT_GPA, GMEM_SIZE + SZ_4K, 0), EINVAL,
		    "binding: a slot larger than the file");
	check_errno(bind_at(gmem, SLOT_GPA + 1, SLOT_SIZE, 0), EINVAL, "binding: misaligned gpa");
	check_errno(bind_at(gmem, SLOT_GPA, SLOT_SIZE - 1, 0), EINVAL, "binding: misaligned size");
	check_errno(bind_at(gmem, -SLOT_SIZE + SZ_4K, SLOT_SIZE, 0), EINVAL,
		    "binding: gpa + size wraps around");
	check_errno(__set_region2(vm, 1, KVM_MEM_GUEST_MEMFD, SLOT_GPA, SLOT_SIZE, hva + 1,
				  gmem, 0), EINVAL, "binding: misaligned userspace_addr");
	check_errno(__set_region2(vm, 1, KVM_MEM_GUEST_MEMFD, SLOT_GPA, SLOT_SIZE,
				  (void *)-SLOT_SIZE, gmem, 0), EINVAL,
		    "binding: userspace_addr in the kernel");
	check_errno(__set_region2(vm, 0x7fff, KVM_MEM_GUEST_MEMFD, SLOT_GPA, SLOT_SIZE, hva,
				  gmem, 0), EINVAL, "binding: no such slot");
	check_errno(__set_region2(vm, 1 | 1 << 16, KVM_MEM_GUEST_MEMFD, SLOT_GPA, SLOT_SIZE, hva,
				  gmem, 0), EINVAL, "binding: address space of SMM");
	check_errno(__set_region2(vm, 1 | 1 << 16, 0, SLOT_GPA, SLOT_SIZE, hva, 0, 0),
		    EINVAL, "a slot in the address space of SMM");
}

static void test_bind_flags(int gmem)
{
	struct kvm_userspace_memory_region old = {
		.slot = 1,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = SLOT_GPA,
		.memory_size = SLOT_SIZE,
		.userspace_addr = (uintptr_t)hva,
	};
	int i, own = gmem_create(default_vm, GMEM_SIZE);

	for (i = 0; i < 32; i++) {
		if (BIT(i) == KVM_MEM_GUEST_MEMFD)
			continue;
		check_errno(__set_region2(vm, 1, KVM_MEM_GUEST_MEMFD | BIT(i), SLOT_GPA,
					  SLOT_SIZE, hva, gmem, 0), EINVAL,
			    "binding: with flag bit %d", i);
	}

	check_errno(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &old), EINVAL,
		    "KVM_SET_USER_MEMORY_REGION: KVM_MEM_GUEST_MEMFD");
	check_errno(__set_region2(default_vm, 1, KVM_MEM_GUEST_MEMFD | KVM_MEM_READONLY,
				  SLOT_GPA, SLOT_SIZE, hva, own, 0), EINVAL,
		    "binding: read-only, to a default VM");
	check_errno(__set_region2(default_vm, 1, KVM_MEM_GUEST_MEMFD | KVM_MEM_LOG_DIRTY_PAGES,
				  SLOT_GPA, SLOT_SIZE, hva, own, 0), EINVAL,
		    "binding: with a dirty log, to a default VM");
	check_errno(__set_region2(default_vm, 1, KVM_MEM_GUEST_MEMFD, SLOT_GPA, SLOT_SIZE, hva,
				  own, 0), 0, "binding: with neither");
	check_errno(__set_region2(default_vm, 1, 0, SLOT_GPA, 0, hva, -1, 0), 0,
		    "binding: and not any more");
	close(own);
	check_errno(__set_region2(default_vm, 1, KVM_MEM_GUEST_MEMFD, SLOT_GPA, SLOT_SIZE, hva,
				  gmem, 0), EINVAL, "binding: to a VM of another type");
	check_errno(ioctl(vm, KVM_SET_USER_MEMORY_REGION2, BAD_PTR), EFAULT,
		    "KVM_SET_USER_MEMORY_REGION2: bad pointer");
}

static void test_bound_slot(int gmem)
{
	struct kvm_userspace_memory_region old = {
		.slot = 1,
		.guest_phys_addr = SLOT_GPA,
		.memory_size = SLOT_SIZE,
		.userspace_addr = (uintptr_t)hva,
	};
	const uint64_t end = SLOT_GPA + SLOT_SIZE;
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = hva };

	check_errno(bind_at(gmem, SLOT_GPA, SLOT_SIZE, SLOT_SIZE), 0, "a slot is bound");
	check_errno(bind_at(gmem, SLOT_GPA, SLOT_SIZE, SLOT_SIZE), EINVAL, "bound: set again");
	check_errno(bind_at(gmem, SLOT_GPA, SLOT_SIZE, 0), EINVAL, "bound: another offset");
	check_errno(bind_at(gmem, end, SLOT_SIZE, SLOT_SIZE), EINVAL, "bound: moved");
	check_errno(__set_region2(vm, 1, 0, end, SLOT_SIZE, hva, 0, 0), EINVAL,
		    "bound: moved, guest_memfd taken off");
	check_errno(bind_at(gmem, SLOT_GPA, SLOT_SIZE / 2, SLOT_SIZE), EINVAL, "bound: resized");
	check_errno(__set_region2(vm, 1, 0, SLOT_GPA, SLOT_SIZE, hva, 0, 0), EINVAL,
		    "bound: guest_memfd taken off");
	check_errno(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &old), EINVAL,
		    "bound: guest_memfd taken off by the old ioctl");
	check_errno(__set_region2(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, SLOT_GPA, SLOT_SIZE, hva, 0, 0),
		    EINVAL, "bound: dirty log instead of the guest_memfd");
	check_errno(ioctl(vm, KVM_GET_DIRTY_LOG, &log), ENOENT, "bound: no dirty log");

	check_errno(__set_region2(vm, 2, KVM_MEM_GUEST_MEMFD, end - SZ_4K, SLOT_SIZE, hva, gmem, 0),
		    EEXIST, "another slot: overlap of gfns");
	check_errno(__set_region2(vm, 2, 0, SLOT_GPA, SZ_4K, hva, 0, 0),
		    EEXIST, "another slot: overlap of gfns without a guest_memfd");
	check_errno(__set_region2(vm, 2, KVM_MEM_GUEST_MEMFD, end, SLOT_SIZE, hva, gmem,
				  SLOT_SIZE), EEXIST, "another slot: the same range of the file");
	check_errno(__set_region2(vm, 2, KVM_MEM_GUEST_MEMFD, end, SLOT_SIZE, hva, gmem, SZ_4K),
		    EEXIST, "another slot: the first page in the file is bound");
	check_errno(__set_region2(vm, 2, KVM_MEM_GUEST_MEMFD, end, SLOT_SIZE, hva, gmem,
				  2 * SLOT_SIZE - SZ_4K), EEXIST,
		    "another slot: the last page of the file's range is bound");
	check_errno(__set_region2(vm, 2, KVM_MEM_GUEST_MEMFD, end, SLOT_SIZE, hva, gmem, 0),
		    0, "another slot: next to it, below in the file");
	check_errno(__set_region2(vm, 3, KVM_MEM_GUEST_MEMFD, end + SLOT_SIZE, SLOT_SIZE, hva,
				  gmem, 2 * SLOT_SIZE), 0, "another slot: above in the file");

	/* A slot without a guest_memfd can't get one. */
	check_errno(__set_region2(vm, 4, 0, 0, SLOT_SIZE, hva, 0, 0), 0, "a plain slot");
	check_errno(__set_region2(vm, 4, KVM_MEM_GUEST_MEMFD, 0, SLOT_SIZE, hva, gmem,
				  3 * SLOT_SIZE), EINVAL, "a plain slot gets a guest_memfd");

	check_errno(bind_at(gmem, SLOT_GPA, 0, 0), 0, "bound: deleted");
	check_errno(bind_at(gmem, SLOT_GPA, SLOT_SIZE, SLOT_SIZE), 0, "bound again after that");
}

static void test_attributes(void)
{
	struct kvm_memory_attributes args = { .size = SZ_4K, .flags = 1 };
	int i;

	check_errno(__set_attributes(vm, 0, 0, 0), EINVAL, "attributes: no size");
	check_errno(__set_attributes(vm, 1, SZ_4K, 0), EINVAL, "attributes: misaligned address");
	check_errno(__set_attributes(vm, 0, SZ_4K + 1, 0), EINVAL, "attributes: misaligned size");
	check_errno(__set_attributes(vm, SZ_4K, -SZ_4K + SZ_4K / 2, 0), EINVAL,
		    "attributes: misaligned size, almost 2^64");
	check_errno(__set_attributes(vm, SZ_4K, -SZ_4K, PRIVATE), EINVAL,
		    "attributes: the end is 2^64");
	check_errno(__set_attributes(vm, -SZ_4K, SZ_4K, PRIVATE), EINVAL,
		    "attributes: the last page ends at 2^64");
	check_errno(__set_attributes(vm, -SZ_4K, 2 * SZ_4K, PRIVATE), EINVAL,
		    "attributes: wraps around");
	for (i = 0; i < 64; i++) {
		if (BIT_ULL(i) == PRIVATE)
			continue;
		check_errno(__set_attributes(vm, 0, SZ_4K, BIT_ULL(i)), EINVAL,
			    "attributes: bit %d", i);
	}
	for (i = 0; i < 64; i += 9) {
		args.flags = BIT_ULL(i);
		check_errno(ioctl(vm, KVM_SET_MEMORY_ATTRIBUTES, &args), EINVAL,
			    "attributes: flag bit %d", i);
	}
	check_errno(__set_attributes(default_vm, 0, SZ_4K, PRIVATE), EINVAL,
		    "attributes: private, of a default VM");
	check_errno(ioctl(vm, KVM_SET_MEMORY_ATTRIBUTES, BAD_PTR), EFAULT,
		    "attributes: bad pointer");
	/* Without a slot, at both ends of the gfn space, and repeatedly. */
	check_errno(__set_attributes(vm, 0, SZ_4K, PRIVATE), 0, "attributes: gfn 0");
	check_errno(__set_attributes(vm, 0, SZ_4K, PRIVATE), 0, "attributes: gfn 0 again");
	check_errno(__set_attributes(vm, 0, SZ_4K, 0), 0, "attributes: gfn 0 to shared");
	check_errno(__set_attributes(vm, -2 * SZ_4K, SZ_4K, PRIVATE), 0,
		    "attributes: the last gfn that can be named");
	check_errno(__set_attributes(vm, -2 * SZ_4K, SZ_4K, 0), 0,
		    "attributes: the last gfn that can be named to shared");
}

static int pre_fault(int vcpu, uint64_t gpa, uint64_t size, uint64_t flags)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = size, .flags = flags };

	return ioctl(vcpu, KVM_PRE_FAULT_MEMORY, &range);
}

static void test_pre_fault(void)
{
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	struct kvm_pre_fault_memory range = {
		.gpa = SLOT_GPA + 3 * SLOT_SIZE - SZ_4K,
		.size = 2 * SZ_4K,
	};

	TEST_ASSERT(vcpu >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VCPU, vcpu));
	check_errno(pre_fault(vcpu, SLOT_GPA, 0, 0), EINVAL, "pre-fault: no size");
	check_errno(pre_fault(vcpu, SLOT_GPA + 1, SZ_4K, 0), EINVAL, "pre-fault: misaligned gpa");
	check_errno(pre_fault(vcpu, SLOT_GPA, SZ_4K - 1, 0), EINVAL, "pre-fault: misaligned size");
	check_errno(pre_fault(vcpu, SLOT_GPA, SZ_4K, 1), EINVAL, "pre-fault: a flag");
	check_errno(pre_fault(vcpu, SLOT_GPA, SZ_4K, 1ul << 63), EINVAL, "pre-fault: flag bit 63");
	check_errno(pre_fault(vcpu, SLOT_GPA, -SLOT_GPA, 0), EINVAL, "pre-fault: the end is 2^64");
	check_errno(pre_fault(vcpu, -SZ_4K, 2 * SZ_4K, 0), EINVAL, "pre-fault: wraps around");
	check_errno(pre_fault(vcpu, 2 * SZ_1G, SZ_4K, 0), ENOENT, "pre-fault: no slot");
	check_errno(ioctl(vcpu, KVM_PRE_FAULT_MEMORY, BAD_PTR), EFAULT, "pre-fault: bad pointer");

	set_private(vm, SLOT_GPA, 3 * SLOT_SIZE, true);
	check_errno(__pre_fault(vcpu, &range), ENOENT, "pre-fault: beyond the end of a slot");
	check(range.size == SZ_4K && range.gpa == SLOT_GPA + 3 * SLOT_SIZE,
	      "pre-fault: the range is what is left of it");
	set_private(vm, 2 * SZ_1G, SZ_4K, true);
	check_errno(pre_fault(vcpu, 2 * SZ_1G, SZ_4K, 0), EFAULT, "pre-fault: private, no slot");
	set_private(vm, 0, SZ_4K, true);
	check_errno(pre_fault(vcpu, 0, SZ_4K, 0), EFAULT,
		    "pre-fault: private, a slot without guest_memfd");
	close(vcpu);
}

/* A pre-fault that fails must not change an exit that userspace has yet to complete. */
static void test_pre_fault_in_exit(void)
{
	const uint64_t unmapped = PRIVATE_GPA, no_slot = PRIVATE_GPA + SZ_2M;
	const uint64_t mmio = PRIVATE_GPA + 2 * SZ_2M, answer = 0x1122334455667788ul;
	void *mem = mmap(NULL, SZ_4K, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_vcpu *vcpu;
	struct kvm_vm *running = private_vm_create(1, &vcpu);
	struct kvm_run *run = vcpu->run;
	uint64_t value = 0;
	int r;

	TEST_ASSERT(!__set_region2(running->fd, 1, 0, unmapped, SZ_4K, mem, -1, 0), "No slot");
	TEST_ASSERT(!munmap(mem, SZ_4K), "munmap()");
	set_private(running->fd, no_slot, SZ_4K, true);

	r = __guest_call(vcpu, guest_read, mmio, 0, 0);
	TEST_ASSERT(!r && run->exit_reason == KVM_EXIT_MMIO && run->mmio.phys_addr == mmio,
		    "No MMIO: %d, exit reason %u", r, run->exit_reason);
	memcpy(run->mmio.data, &answer, sizeof(answer));
	check_errno(pre_fault(vcpu->fd, unmapped, SZ_4K, 0), EFAULT,
		    "pre-fault: shared, no memory at userspace_addr");
	check_errno(pre_fault(vcpu->fd, no_slot, SZ_4K, 0), EFAULT,
		    "pre-fault: private, no slot, during MMIO");
	check(run->exit_reason == KVM_EXIT_MMIO && run->mmio.phys_addr == mmio &&
	      !memcmp(run->mmio.data, &answer, sizeof(answer)),
	      "pre-fault: kvm_run still has the MMIO read (exit reason %u)", run->exit_reason);

	r = __guest_resume(vcpu);
	TEST_ASSERT(!r && guest_returned(vcpu, &value), "The guest does not continue: %d", r);
	check(value == answer, "pre-fault: the guest reads userspace's answer (0x%lx)", value);
	kvm_vm_free(running);
}

static void test_file(int gmem)
{
	const int keep = FALLOC_FL_KEEP_SIZE, punch = keep | FALLOC_FL_PUNCH_HOLE;
	int mmap_fd = __gmem_create(vm, GMEM_SIZE, GUEST_MEMFD_FLAG_MMAP);
	struct stat st;
	char c = 0;
	void *mem;

	check_errno(fallocate(gmem, 0, 0, SZ_4K), EOPNOTSUPP, "fallocate: size not kept");
	check_errno(fallocate(gmem, keep | FALLOC_FL_ZERO_RANGE, 0, SZ_4K), EOPNOTSUPP,
		    "fallocate: zero range");
	check_errno(fallocate(gmem, FALLOC_FL_COLLAPSE_RANGE, 0, SZ_4K), EOPNOTSUPP,
		    "fallocate: collapse range");
	check_errno(fallocate(gmem, keep, 1, SZ_4K), EINVAL, "fallocate: misaligned offset");
	check_errno(fallocate(gmem, keep, 0, SZ_4K + 1), EINVAL, "fallocate: misaligned length");
	check_errno(fallocate(gmem, keep, 0, 0), EINVAL, "fallocate: no length");
	check_errno(fallocate(gmem, keep, -SZ_4K, SZ_4K), EINVAL, "fallocate: negative offset");
	check_errno(fallocate(gmem, keep, 0, GMEM_SIZE + SZ_4K), EINVAL,
		    "fallocate: beyond the end");
	check_errno(fallocate(gmem, keep, GMEM_SIZE, SZ_4K), EINVAL, "fallocate: at the end");
	check_errno(fallocate(gmem, keep, LLONG_MAX - SZ_4K + 1, 2 * SZ_4K), EFBIG,
		    "fallocate: the sum is negative");
	check_errno(fallocate(gmem, punch, 1, SZ_4K), EINVAL, "punch: misaligned offset");
	check_errno(fallocate(gmem, punch, 0, SZ_4K - 1), EINVAL, "punch: misaligned length");
	check_errno(fallocate(gmem, punch, 0, 0), EINVAL, "punch: no length");
	check_errno(fallocate(gmem, punch, GMEM_SIZE, SZ_4K), 0, "punch: at the end");
	check_errno(fallocate(gmem, punch, 0, LLONG_MAX - SZ_4K + 1), 0,
		    "punch: far beyond the end");

	check_errno(ftruncate(gmem, 0), EINVAL, "ftruncate: to nothing");
	check_errno(ftruncate(gmem, GMEM_SIZE), EINVAL, "ftruncate: to its size");
	check_errno(ftruncate(gmem, GMEM_SIZE + SZ_4K), EINVAL, "ftruncate: to more");
	check_errno(fchmod(gmem, 0777), EINVAL, "fchmod");
	check_errno(read(gmem, &c, 1), EINVAL, "read");
	check_errno(write(gmem, &c, 1), EINVAL, "write");
	check_errno(pread(gmem, &c, 1, 0), ESPIPE, "pread");
	check_errno(pwrite(gmem, &c, 1, 0), ESPIPE, "pwrite");

	mem = mmap(NULL, SZ_4K, PROT_READ, MAP_SHARED, gmem, 0);
	check_errno(mem == MAP_FAILED ? -1 : 0, ENODEV, "mmap: shared, without the flag");
	mem = mmap(NULL, SZ_4K, PROT_READ, MAP_PRIVATE, gmem, 0);
	check_errno(mem == MAP_FAILED ? -1 : 0, ENODEV, "mmap: private, without the flag");
	mem = mmap(NULL, SZ_4K, PROT_READ, MAP_PRIVATE, mmap_fd, 0);
	check_errno(mem == MAP_FAILED ? -1 : 0, EINVAL, "mmap: private, with the flag");
	mem = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_SHARED, mmap_fd, 0);
	check_errno(mem == MAP_FAILED ? -1 : 0, 0, "mmap: shared, with the flag");
	check_errno(pipe(mem), EFAULT, "the kernel can't write to private memory that is mapped");

	check(!fstat(gmem, &st) && st.st_size == GMEM_SIZE, "the size is what it was");
	close(mmap_fd);
}

/* KVM has a page of its own there, on processors of Intel. */
static void test_apic_page(void)
{
	int other = create_vm(KVM_X86_SW_PROTECTED_VM);

	TEST_ASSERT(other >= 0 && !ioctl(other, KVM_CREATE_IRQCHIP), "setup");
	check_errno(__set_attributes(other, APIC_GPA, SZ_4K, KVM_MEMORY_ATTRIBUTE_PRIVATE), 0,
		    "attributes: the APIC's page is private");
	check_errno(ioctl(other, KVM_CREATE_VCPU, 0), 0, "a vCPU is created with it");
	close(other);
}

int main(int argc, char *argv[])
{
	int gmem;

	require_private_mem();
	kvm_fd = open_kvm_dev_path_or_exit();
	vm = create_vm(KVM_X86_SW_PROTECTED_VM);
	default_vm = create_vm(KVM_X86_DEFAULT_VM);
	hva = mmap(NULL, GMEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(vm >= 0 && default_vm >= 0 && hva != MAP_FAILED, "setup");
	gmem = gmem_create(vm, GMEM_SIZE);

	test_create_vm();
	test_create_gmem();
	test_bind_wrong_file(gmem);
	test_bind_ranges(gmem);
	test_bind_flags(gmem);
	test_bound_slot(gmem);
	test_attributes();
	test_apic_page();
	test_pre_fault();
	test_pre_fault_in_exit();
	test_file(gmem);
	return check_finish();
}
