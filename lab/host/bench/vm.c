// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/kvm_para.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vm.h"

#define LOW_SIZE	(1 * MIB)
#define PML4_AT		0x1000ull
#define PDPT_AT		0x2000ull
#define CODE_TOUCH	0x8000ull
#define CODE_CONVERT	0x9000ull

#define SLOT_LOW	0
#define SLOT_AREA	1

static int kvm = -1;
static long run_size;

/* again: mov %rax,(%rdi); add %rsi,%rdi; dec %rcx; jnz again; hlt */
static const uint8_t touch_code[] = {
	0x48, 0x89, 0x07, 0x48, 0x01, 0xf7, 0x48, 0xff, 0xc9, 0x75, 0xf5, 0xf4,
};

/*
 * again: mov $12,%eax; mov %rdi,%rbx; mov %r8,%rcx; mov %r9,%rdx; xor $16,%r9
 *        vmmcall; dec %rsi; jnz again; hlt
 */
static const uint8_t convert_code[] = {
	0xb8, 0x0c, 0x00, 0x00, 0x00, 0x48, 0x89, 0xfb, 0x4c, 0x89, 0xc1, 0x4c, 0x89, 0xca,
	0x49, 0x83, 0xf1, 0x10, 0x0f, 0x01, 0xd9, 0x48, 0xff, 0xce, 0x75, 0xe6, 0xf4,
};

void must(int ok, const char *what)
{
	if (ok)
		return;
	printf("@error %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *anonymous(uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(p != MAP_FAILED, "mmap");
	return p;
}

/* Identity mapping of the first 512 GiB in 1 GiB pages. */
static void make_page_tables(char *low)
{
	uint64_t *pml4 = (uint64_t *)(low + PML4_AT);
	uint64_t *pdpt = (uint64_t *)(low + PDPT_AT);

	pml4[0] = PDPT_AT | 0x7;
	for (uint64_t i = 0; i < 512; i++)
		pdpt[i] = i * GIB | 0x83;
	memcpy(low + CODE_TOUCH, touch_code, sizeof(touch_code));
	memcpy(low + CODE_CONVERT, convert_code, sizeof(convert_code));
}

void vm_create_type(struct vm *vm, unsigned long type, uint64_t low_size)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_EXIT_HYPERCALL, .args[0] = 1ull << KVM_HC_MAP_GPA_RANGE,
	};

	if (kvm < 0) {
		kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
		must(kvm >= 0, "/dev/kvm");
		run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	}
	memset(vm, 0, sizeof(*vm));
	vm->gmem = -1;
	vm->fd = ioctl(kvm, KVM_CREATE_VM, type);
	must(vm->fd >= 0, "KVM_CREATE_VM");
	must(!ioctl(vm->fd, KVM_ENABLE_CAP, &cap), "KVM_CAP_EXIT_HYPERCALL");
	vm->low_size = low_size;
	vm->low = anonymous(low_size);
}

void vm_create(struct vm *vm)
{
	struct kvm_userspace_memory_region2 region = { .slot = SLOT_LOW, .memory_size = LOW_SIZE };

	vm_create_type(vm, KVM_X86_SW_PROTECTED_VM, LOW_SIZE);
	make_page_tables(vm->low);
	region.userspace_addr = (uintptr_t)vm->low;
	must(!ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, &region), "low memory");
}

int vm_add_low(struct vm *vm)
{
	struct kvm_create_guest_memfd create = { .size = vm->low_size };
	struct kvm_userspace_memory_region2 region = {
		.slot = SLOT_LOW, .flags = KVM_MEM_GUEST_MEMFD, .memory_size = vm->low_size,
		.userspace_addr = (uintptr_t)vm->low,
	};
	int gmem = ioctl(vm->fd, KVM_CREATE_GUEST_MEMFD, &create);

	must(gmem >= 0, "KVM_CREATE_GUEST_MEMFD");
	region.guest_memfd = gmem;
	must(!ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, &region), "low memory");
	vm_private(vm, 0, vm->low_size);
	return gmem;
}

void vm_add_area(struct vm *vm, uint64_t size, uint64_t offset)
{
	struct kvm_create_guest_memfd create = { .size = size + offset };
	struct kvm_userspace_memory_region2 region = {
		.slot = SLOT_AREA, .flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = AREA, .memory_size = size, .guest_memfd_offset = offset,
	};

	vm->gmem = ioctl(vm->fd, KVM_CREATE_GUEST_MEMFD, &create);
	must(vm->gmem >= 0, "KVM_CREATE_GUEST_MEMFD");
	vm->size = size;
	vm->shared = anonymous(size + 2 * MIB);
	region.userspace_addr = ((uintptr_t)vm->shared + 2 * MIB - 1) & ~(2 * MIB - 1);
	region.guest_memfd = vm->gmem;
	must(!ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, &region), "measured slot");
}

void vm_destroy(struct vm *vm)
{
	if (vm->gmem >= 0)
		close(vm->gmem);
	close(vm->fd);
	munmap(vm->low, vm->low_size);
	if (vm->size)
		munmap(vm->shared, vm->size + 2 * MIB);
}

void vm_attributes(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t attributes)
{
	struct kvm_memory_attributes arg = { .address = gpa, .size = size, .attributes = attributes };

	must(!ioctl(vm->fd, KVM_SET_MEMORY_ATTRIBUTES, &arg), "KVM_SET_MEMORY_ATTRIBUTES");
}

void vm_allocate(struct vm *vm, uint64_t offset, uint64_t size)
{
	must(!fallocate(vm->gmem, FALLOC_FL_KEEP_SIZE, offset, size), "fallocate");
}

void vm_punch(struct vm *vm, uint64_t offset, uint64_t size)
{
	must(!fallocate(vm->gmem, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, offset, size), "punch hole");
}

static void enter_long_mode(struct vcpu *vcpu)
{
	struct kvm_segment code = { .limit = ~0u, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1, .selector = 8 };
	struct kvm_segment data = { .limit = ~0u, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1, .selector = 16 };
	struct kvm_sregs sregs;

	must(!ioctl(vcpu->fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr0 = 0x80000011;		/* PG, ET, PE */
	sregs.cr3 = PML4_AT;
	sregs.cr4 = 0x20;		/* PAE */
	sregs.efer = 0x500;		/* LMA, LME */
	must(!ioctl(vcpu->fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
}

static void copy_cpuid(struct vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(cpuid->entries[0]));

	cpuid->nent = 256;
	must(!ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid), "KVM_GET_SUPPORTED_CPUID");
	/* Hypercalls are only offered, and so only accepted, with the KVM leaves. */
	for (unsigned int i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == KVM_CPUID_FEATURES)
			cpuid->entries[i].eax |= 1u << KVM_FEATURE_HC_MAP_GPA_RANGE;
	must(!ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2");
	free(cpuid);
}

void vcpu_create(struct vm *vm, struct vcpu *vcpu, int id)
{
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	must(vcpu->fd >= 0, "KVM_CREATE_VCPU");
	vcpu->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	must(vcpu->run != MAP_FAILED, "mmap of a vCPU");
	copy_cpuid(vcpu);
	enter_long_mode(vcpu);
}

void vcpu_destroy(struct vcpu *vcpu)
{
	munmap(vcpu->run, run_size);
	close(vcpu->fd);
}

void vcpu_prefault(struct vcpu *vcpu, uint64_t gpa, uint64_t size)
{
	struct kvm_pre_fault_memory arg = { .gpa = gpa, .size = size };

	while (arg.size)
		must(!ioctl(vcpu->fd, KVM_PRE_FAULT_MEMORY, &arg) || errno == EINTR || errno == EAGAIN,
		     "KVM_PRE_FAULT_MEMORY");
}

void vcpu_set_work(struct vcpu *vcpu, enum guest_work work, uint64_t gpa, uint64_t step, uint64_t count)
{
	struct kvm_regs regs = { .rflags = 2, .rdi = gpa };

	if (work == GUEST_TOUCH) {
		regs.rip = CODE_TOUCH;
		regs.rsi = step;
		regs.rcx = count;
	} else {
		regs.rip = CODE_CONVERT;
		regs.rsi = count;
		regs.r8 = step / 4096;
		regs.r9 = KVM_MAP_GPA_RANGE_DECRYPTED;
	}
	must(!ioctl(vcpu->fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

uint64_t vcpu_run(struct vm *vm, struct vcpu *vcpu, uint32_t until)
{
	struct kvm_run *run = vcpu->run;

	for (uint64_t exits = 0;; exits++) {
		must(!ioctl(vcpu->fd, KVM_RUN, 0) || errno == EINTR, "KVM_RUN");
		if (run->exit_reason == until)
			return exits;
		if (run->exit_reason == KVM_EXIT_INTR)
			continue;
		if (run->exit_reason != KVM_EXIT_HYPERCALL) {
			printf("@error exit reason %u\n", run->exit_reason);
			exit(1);
		}
		vm_attributes(vm, run->hypercall.args[0], run->hypercall.args[1] * 4096,
			      run->hypercall.args[2] & KVM_MAP_GPA_RANGE_ENCRYPTED ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0);
		run->hypercall.ret = 0;
	}
}

uint64_t vcpu_stat(struct vcpu *vcpu, const char *name)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *desc;
	uint64_t value = ~0ull;
	char buffer[512];
	int fd = ioctl(vcpu->fd, KVM_GET_STATS_FD, 0);
	size_t size;

	must(fd >= 0, "KVM_GET_STATS_FD");
	must(pread(fd, &header, sizeof(header), 0) == sizeof(header), "stats header");
	size = sizeof(*desc) + header.name_size;
	must(size <= sizeof(buffer), "stats descriptor size");
	for (unsigned int i = 0; i < header.num_desc; i++) {
		must(pread(fd, buffer, size, header.desc_offset + i * size) == (ssize_t)size, "stats descriptor");
		desc = (struct kvm_stats_desc *)buffer;
		if (!strcmp(buffer + sizeof(*desc), name))
			must(pread(fd, &value, 8, header.data_offset + desc->offset) == 8, "stats data");
	}
	close(fd);
	return value;
}
