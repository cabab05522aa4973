// SPDX-License-Identifier: GPL-2.0-only
/*
 * SNP guests for tests: launch, and the agent in the guest.
 */
#define _GNU_SOURCE /* for program_invocation_name */
#include <linux/kvm_para.h>
#include <linux/psp-sev.h>

#include "processor.h"
#include "snp.h"

#define MSR_GHCB		0xc0010130
#define GHCB_EXIT_IOIO		0x7b
#define AGENT_PORT		0x10
#define IOIO_OUT_BYTE		(AGENT_PORT << 16 | 1 << 4 | 1 << 8)
#define PAGE_PRESENT		1ul
#define PAGE_LARGE		0x80ul
#define PAGE_ADDRESS		0x000ffffffffff000ul
#define NR_PAGES		1024

void require_snp(void)
{
	if (!(kvm_check_cap(KVM_CAP_VM_TYPES) & (1ul << KVM_X86_SNP_VM))) {
		print_skip("No SNP guests");
		exit(KSFT_SKIP);
	}
}

/* --- In the guest ---------------------------------------------------------------- */

static inline void vmgexit(void)
{
	asm volatile("rep; vmmcall" ::: "memory");
}

static void guest_set_msr(uint64_t value)
{
	asm volatile("wrmsr" :: "c"(MSR_GHCB), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
		     : "memory");
}

static uint64_t guest_get_msr(void)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_GHCB) : "memory");
	return (uint64_t)high << 32 | low;
}

static uint64_t guest_msr_request(uint64_t value)
{
	guest_set_msr(value);
	vmgexit();
	return guest_get_msr();
}

static uint64_t guest_pvalidate(uint64_t address, uint64_t size, uint64_t validate)
{
	uint64_t status = address;
	bool carry;

	asm volatile(".byte 0xf2, 0x0f, 0x01, 0xff"
		     : "=@ccc"(carry), "+a"(status) : "c"(size), "d"(validate) : "memory");
	return (uint32_t)status | (uint64_t)carry << 8;
}

static uint64_t guest_rmpadjust(uint64_t address, uint64_t size, uint64_t attributes)
{
	uint64_t status = address;

	asm volatile(".byte 0xf3, 0x0f, 0x01, 0xfe"
		     : "+a"(status) : "c"(size), "d"(attributes) : "memory", "cc");
	return (uint32_t)status;
}

static uint64_t guest_copy(uint64_t *to, const uint64_t *from, uint64_t words)
{
	uint64_t i;

	for (i = 0; i < words; i++)
		WRITE_ONCE(to[i], READ_ONCE(from[i]));
	return words;
}

static uint64_t guest_follow(volatile struct snp_order *order)
{
	uint64_t a = order->args[0], b = order->args[1], c = order->args[2];

	switch (order->op) {
	case SNP_MSR:
		return guest_msr_request(a);
	case SNP_EVENT:
		guest_copy((uint64_t *)SNP_GHCB_GPA, (uint64_t *)SNP_EVENT_GPA, SZ_4K / 8);
		guest_set_msr(SNP_GHCB_GPA);
		vmgexit();
		return guest_copy((uint64_t *)SNP_ANSWER_GPA, (uint64_t *)SNP_GHCB_GPA, SZ_4K / 8);
	case SNP_READ:
		return *(volatile uint64_t *)a;
	case SNP_WRITE:
		*(volatile uint64_t *)a = b;
		return 0;
	case SNP_PVALIDATE:
		return guest_pvalidate(a, b, c);
	case SNP_RMPADJUST:
		return guest_rmpadjust(a, b, c);
	case SNP_COPY:
		return guest_copy((uint64_t *)a, (uint64_t *)b, c);
	default:
		for (;;)
			asm volatile("pause");
	}
}

/* A one-byte write to a port tells the test that an order is done. */
static void guest_done(void)
{
	volatile uint8_t *ghcb = (void *)SNP_GHCB_GPA;
	volatile uint64_t *valid = (void *)(ghcb + GHCB_VALID_BITMAP);

	guest_msr_request(SNP_GHCB_GPA | 0x12);
	valid[0] = 1ul << GHCB_RAX / 8;
	valid[1] = 1ul << (GHCB_EXIT_CODE / 8 - 64) | 1ul << (GHCB_EXIT_INFO_1 / 8 - 64) |
		   1ul << (GHCB_EXIT_INFO_2 / 8 - 64);
	*(volatile uint64_t *)(ghcb + GHCB_EXIT_CODE) = GHCB_EXIT_IOIO;
	*(volatile uint64_t *)(ghcb + GHCB_EXIT_INFO_1) = IOIO_OUT_BYTE;
	*(volatile uint64_t *)(ghcb + GHCB_EXIT_INFO_2) = 0;
	*(volatile uint32_t *)(ghcb + GHCB_USAGE) = 0;
	guest_set_msr(SNP_GHCB_GPA);
	vmgexit();
}

static void guest_agent(void)
{
	volatile struct snp_order *order = (void *)SNP_ORDER_GPA;

	for (;;) {
		guest_done();
		order->result = guest_follow(order);
		order->count++;
	}
}

/* --- In the host ----------------------------------------------------------------- */

int __snp_command(struct snp_vm *snp, int id, void *data, uint32_t *fw_error)
{
	struct kvm_sev_cmd cmd = {
		.id = id,
		.data = (uint64_t)data,
		.sev_fd = snp->sev_fd,
	};
	int r = ioctl(snp->vm->fd, KVM_MEMORY_ENCRYPT_OP, &cmd);

	if (fw_error)
		*fw_error = cmd.error;
	return r;
}

int __snp_launch_start(struct snp_vm *snp, uint64_t policy)
{
	struct kvm_sev_snp_launch_start start = { .policy = policy };

	return __snp_command(snp, KVM_SEV_SNP_LAUNCH_START, &start, NULL);
}

int __snp_launch_update(struct snp_vm *snp, uint64_t gpa, void *hva, uint64_t size,
			uint8_t type, uint32_t *fw_error)
{
	struct kvm_sev_snp_launch_update update = {
		.gfn_start = gpa / SZ_4K,
		.uaddr = (uint64_t)hva,
		.len = size,
		.type = type,
	};
	int r;

	do {
		r = __snp_command(snp, KVM_SEV_SNP_LAUNCH_UPDATE, &update, fw_error);
	} while (r && errno == EAGAIN);

	return r;
}

int __snp_launch_finish(struct snp_vm *snp)
{
	struct kvm_sev_snp_launch_finish finish = {};

	return __snp_command(snp, KVM_SEV_SNP_LAUNCH_FINISH, &finish, NULL);
}

/* Turn slot 0 into one with private memory, at the same address of the process. */
static void make_slot_private(struct snp_vm *snp)
{
	struct userspace_mem_region *region = memslot2region(snp->vm, 0);
	int r;

	snp->ram_fd = gmem_create(snp->vm->fd, region->region.memory_size);
	r = __set_region2(snp->vm->fd, 0, 0, 0, 0, NULL, -1, 0);
	TEST_ASSERT(!r, "Slot 0 can't be deleted");
	r = __set_region2(snp->vm->fd, 0, KVM_MEM_GUEST_MEMFD, 0, region->region.memory_size,
			  (void *)region->region.userspace_addr, snp->ram_fd, 0);
	TEST_ASSERT(!r, "Slot 0 can't have a guest_memfd");
	set_private(snp->vm->fd, 0, region->region.memory_size, true);
}

static void add_data_slot(struct snp_vm *snp)
{
	void *hva = mmap(NULL, SNP_DATA_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	TEST_ASSERT(hva != MAP_FAILED, "No memory");
	snp->gmem_fd = gmem_create(snp->vm->fd, SNP_DATA_SIZE);
	r = __set_region2(snp->vm->fd, 2, KVM_MEM_GUEST_MEMFD, SNP_DATA_GPA, SNP_DATA_SIZE,
			  hva, snp->gmem_fd, 0);
	TEST_ASSERT(!r, "No slot for data");
	virt_map_level(snp->vm, SNP_DATA_GPA, SNP_DATA_GPA, SNP_DATA_SIZE, PG_LEVEL_2M);
	virt_map_level(snp->vm, SNP_DATA_SHARED, SNP_DATA_GPA, SNP_DATA_SIZE, PG_LEVEL_4K);
}

static bool is_shared_address(uint64_t va)
{
	return (va >= SNP_SHARED_GPA && va < SNP_SHARED_GPA + SNP_SHARED_SIZE) ||
	       (va >= SNP_DATA_SHARED && va < SNP_DATA_SHARED + SNP_DATA_SIZE);
}

/* Page tables are private, and so is what they map except for the shared addresses. */
static void set_c_bits(struct snp_vm *snp, uint64_t table, int level, uint64_t va)
{
	uint64_t *entries = addr_gpa2hva(snp->vm, table);
	uint64_t size = SZ_4K << (9 * (level - 1));
	uint64_t next;
	int i;

	for (i = 0; i < 512; i++, va += size) {
		if (!(entries[i] & PAGE_PRESENT))
			continue;

		next = entries[i] & PAGE_ADDRESS;
		if (level > 1 && !(entries[i] & PAGE_LARGE)) {
			set_c_bits(snp, next, level - 1, va);
			entries[i] |= snp->c_bit;
		} else if (!is_shared_address(va)) {
			entries[i] |= snp->c_bit;
		}
	}
}

static void set_cr3(struct snp_vm *snp, struct kvm_vcpu *vcpu)
{
	struct kvm_sregs sregs;

	vcpu_sregs_get(vcpu, &sregs);
	sregs.cr3 |= snp->c_bit;
	vcpu_sregs_set(vcpu, &sregs);
}

static uint64_t c_bit(void)
{
	uint32_t eax, ebx, ecx, edx;

	cpuid(0x8000001f, &eax, &ebx, &ecx, &edx);
	return 1ul << (ebx & 63);
}

void snp_vm_create(struct snp_vm *snp)
{
	struct kvm_vm *vm = vm_create_barebones();
	struct kvm_sev_init init = {};
	struct kvm_mp_state waiting = { .mp_state = KVM_MP_STATE_UNINITIALIZED };
	unsigned int i;
	int r;

	snp->vm = vm;
	snp->sev_fd = open_path_or_exit("/dev/sev", O_RDWR);
	snp->c_bit = c_bit();
	close(vm->fd);
	vm->type = KVM_X86_SNP_VM;
	vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, vm->type);
	TEST_ASSERT(vm->fd >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VM, vm->fd));
	vm_enable_cap(vm, KVM_CAP_EXIT_HYPERCALL, 1ul << KVM_HC_MAP_GPA_RANGE);
	r = __snp_command(snp, KVM_SEV_INIT2, &init, NULL);
	TEST_ASSERT(!r, "KVM_SEV_INIT2 fails, errno %d", errno);

	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, 0, 0, NR_PAGES, 0);
	kvm_vm_elf_load(vm, program_invocation_name);
	vm_create_irqchip(vm);
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, SNP_SHARED_GPA, 1,
				    SNP_SHARED_SIZE / SZ_4K, 0);
	virt_map_level(vm, SNP_SHARED_GPA, SNP_SHARED_GPA, SNP_SHARED_SIZE, PG_LEVEL_4K);
	snp->event = addr_gpa2hva(vm, SNP_EVENT_GPA);
	snp->answer = addr_gpa2hva(vm, SNP_ANSWER_GPA);
	snp->order = addr_gpa2hva(vm, SNP_ORDER_GPA);
	snp->buffer = addr_gpa2hva(vm, SNP_BUFFER_GPA);
	add_data_slot(snp);

	for (i = 0; i < ARRAY_SIZE(snp->vcpus); i++) {
		snp->vcpus[i] = vm_vcpu_add(vm, i, guest_agent);
		set_cr3(snp, snp->vcpus[i]);
	}
	vcpu_mp_state_set(snp->vcpus[1], &waiting);
	set_c_bits(snp, vm->pgd, 4, 0);
	make_slot_private(snp);
}

void snp_vm_launch(struct snp_vm *snp)
{
	struct userspace_mem_region *region = memslot2region(snp->vm, 0);
	uint32_t fw_error;
	int r;

	r = __snp_launch_start(snp, 0x30000);
	TEST_ASSERT(!r, "LAUNCH_START fails, errno %d", errno);
	r = __snp_launch_update(snp, 0, (void *)region->region.userspace_addr,
				region->region.memory_size, KVM_SEV_SNP_PAGE_TYPE_NORMAL,
				&fw_error);
	TEST_ASSERT(!r, "LAUNCH_UPDATE fails, errno %d, firmware error %u", errno, fw_error);
	r = __snp_launch_finish(snp);
	TEST_ASSERT(!r, "LAUNCH_FINISH fails, errno %d", errno);
	r = snp_resume(snp);
	TEST_ASSERT(!r, "The guest doesn't start: %d", r);
}

void snp_vm_free(struct snp_vm *snp)
{
	close(snp->gmem_fd);
	close(snp->ram_fd);
	close(snp->sev_fd);
	kvm_vm_free(snp->vm);
}

int snp_resume(struct snp_vm *snp)
{
	struct kvm_run *run = snp->vcpus[0]->run;
	int r;

	WRITE_ONCE(snp->in_run, true);
	do {
		r = __vcpu_run(snp->vcpus[0]);
	} while (r && errno == EINTR);
	WRITE_ONCE(snp->in_run, false);

	if (r)
		return r;
	if (run->exit_reason == KVM_EXIT_IO && run->io.port == AGENT_PORT)
		return 0;
	return run->exit_reason;
}

int snp_order(struct snp_vm *snp, enum snp_order_op op, uint64_t arg0, uint64_t arg1,
	      uint64_t arg2)
{
	snp->order->op = op;
	snp->order->args[0] = arg0;
	snp->order->args[1] = arg1;
	snp->order->args[2] = arg2;
	return snp_resume(snp);
}

uint64_t snp_pvalidate(struct snp_vm *snp, uint64_t gpa, uint64_t size, bool validate)
{
	int r = snp_order(snp, SNP_PVALIDATE, gpa, size, validate);

	TEST_ASSERT(!r, "PVALIDATE exits: %d", r);
	return snp->order->result;
}

bool snp_reads(struct snp_vm *snp, uint64_t address, uint64_t value)
{
	return !snp_order(snp, SNP_READ, address, 0, 0) && snp->order->result == value;
}

uint64_t snp_msr(struct snp_vm *snp, uint64_t value)
{
	int r = snp_order(snp, SNP_MSR, value, 0, 0);

	TEST_ASSERT(!r, "GHCB MSR %#lx: %d", value, r);
	return snp->order->result;
}

void ghcb_clear(struct snp_vm *snp)
{
	memset(snp->event, 0, SZ_4K);
	*(uint16_t *)(snp->event + GHCB_VERSION) = 2;
}

void ghcb_set(struct snp_vm *snp, unsigned int offset, uint64_t value)
{
	unsigned int bit = offset / 8;

	*(uint64_t *)(snp->event + offset) = value;
	snp->event[GHCB_VALID_BITMAP + bit / 8] |= 1 << bit % 8;
}

uint64_t ghcb_get(struct snp_vm *snp, unsigned int offset)
{
	return *(uint64_t *)(snp->answer + offset);
}

int snp_event(struct snp_vm *snp, uint64_t code, uint64_t info1, uint64_t info2)
{
	ghcb_set(snp, GHCB_EXIT_CODE, code);
	ghcb_set(snp, GHCB_EXIT_INFO_1, info1);
	ghcb_set(snp, GHCB_EXIT_INFO_2, info2);
	return snp_order(snp, SNP_EVENT, 0, 0, 0);
}

bool snp_refused(struct snp_vm *snp, uint64_t reason)
{
	return ghcb_get(snp, GHCB_EXIT_INFO_1) == 2 && ghcb_get(snp, GHCB_EXIT_INFO_2) == reason;
}
