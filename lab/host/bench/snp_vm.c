// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/psp-sev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "snp.h"

#define POLICY		0x30000
#define PML4_AT		0x1000ull
#define PDPT_AT		0x2000ull
#define PD_AT		0x3000ull
#define PRESENT		0x3ull
#define LARGE		0x80ull
#define SLOT_SHARED	2

static void command(struct snp_vm *snp, uint32_t id, void *data)
{
	struct kvm_sev_cmd cmd = { .id = id, .data = (uintptr_t)data, .sev_fd = snp->sev };

	must(!ioctl(snp->vm.fd, KVM_MEMORY_ENCRYPT_OP, &cmd), "KVM_MEMORY_ENCRYPT_OP");
}

static uint64_t c_bit(void)
{
	uint32_t a = 0x8000001f, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return 1ull << (b & 63);
}

/* Everything is private, one to one in pages of 1 GiB, but for the second GiB, which is shared. */
static void fill_launched(char *low)
{
	uint64_t *pml4 = (uint64_t *)(low + PML4_AT), *pdpt = (uint64_t *)(low + PDPT_AT);
	uint64_t *pd = (uint64_t *)(low + PD_AT), c = c_bit();

	pml4[0] = PDPT_AT | PRESENT | c;
	for (uint64_t i = 0; i < 512; i++)
		pdpt[i] = i * GIB | PRESENT | LARGE | c;
	pdpt[1] = PD_AT | PRESENT | c;
	for (uint64_t i = 0; i < 512; i++)
		pd[i] = (SNP_GHCB + i * 2 * MIB) | PRESENT | LARGE;
	memcpy(low + SNP_CODE, __start_guest_code, __stop_guest_code - __start_guest_code);
}

static void add_shared(struct snp_vm *snp)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = SLOT_SHARED, .guest_phys_addr = SNP_GHCB, .memory_size = 8192,
	};

	snp->shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(snp->shared != MAP_FAILED, "mmap");
	snp->order = snp->shared + 4096;
	region.userspace_addr = (uintptr_t)snp->shared;
	must(!ioctl(snp->vm.fd, KVM_SET_USER_MEMORY_REGION2, &region), "shared memory");
}

void snp_create(struct snp_vm *snp, uint64_t size)
{
	struct kvm_sev_init init = { 0 };
	struct kvm_regs regs = { .rip = SNP_CODE, .rsp = SNP_STACK, .rflags = 2 };
	struct kvm_sregs sregs;

	memset(snp, 0, sizeof(*snp));
	snp->sev = open("/dev/sev", O_RDWR | O_CLOEXEC);
	must(snp->sev >= 0, "/dev/sev");
	vm_create_type(&snp->vm, KVM_X86_SNP_VM, SNP_LAUNCHED);
	command(snp, KVM_SEV_INIT2, &init);
	snp->low_gmem = vm_add_low(&snp->vm);
	fill_launched(snp->vm.low);
	add_shared(snp);
	vm_add_area(&snp->vm, size, 0);

	vcpu_create(&snp->vm, &snp->vcpu, 0);
	must(!ioctl(snp->vcpu.fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cr3 = PML4_AT | c_bit();
	must(!ioctl(snp->vcpu.fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	regs.rip += (char *)snp_guest - __start_guest_code;
	must(!ioctl(snp->vcpu.fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

void snp_launch(struct snp_vm *snp)
{
	struct kvm_sev_snp_launch_start start = { .policy = POLICY };
	struct kvm_sev_snp_launch_update update = {
		.uaddr = (uintptr_t)snp->vm.low, .len = SNP_LAUNCHED, .type = KVM_SEV_SNP_PAGE_TYPE_NORMAL,
	};
	struct kvm_sev_snp_launch_finish finish = { 0 };

	command(snp, KVM_SEV_SNP_LAUNCH_START, &start);
	command(snp, KVM_SEV_SNP_LAUNCH_UPDATE, &update);
	command(snp, KVM_SEV_SNP_LAUNCH_FINISH, &finish);
}

void snp_destroy(struct snp_vm *snp)
{
	close(snp->low_gmem);
	close(snp->sev);
	vcpu_destroy(&snp->vcpu);
	vm_destroy(&snp->vm);
	munmap(snp->shared, 8192);
}

void snp_do(struct snp_vm *snp, enum snp_work work, uint64_t gpa, uint64_t size, uint64_t step)
{
	/* It has not started before it has said so once. */
	if (snp->vcpu.run->exit_reason != KVM_EXIT_IO)
		vcpu_run(&snp->vm, &snp->vcpu, KVM_EXIT_IO);
	snp->order->work = work;
	snp->order->gpa = gpa;
	snp->order->size = size;
	snp->order->step = step;
	snp->exits = vcpu_run(&snp->vm, &snp->vcpu, KVM_EXIT_IO);
	if (snp->order->failed) {
		printf("@error the guest's work %u fails with %#llx\n", work,
		       (unsigned long long)snp->order->failed);
		exit(1);
	}
}
