// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small SNP guests, see the header.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm_para.h>
#include <linux/psp-sev.h>
#include <sys/mman.h>

#include "processor.h"
#include "snp_bare.h"

#define MSR_GHCB		0xc0010130

#define BARE_PDPT		0x2000
#define BARE_PD			0x3000
#define PTE_TABLE		0x003ul
#define PTE_LARGE		0x083ul
#define LAST_WORD		(SZ_4K - sizeof(uint64_t))
#define DESTROY_SPINS		2000

/* --- In the guest: one section, which is copied; no call may leave it -------------- */

#define __guest	__attribute__((section("snp_bare_guest"), optimize("no-jump-tables")))

extern const uint8_t __start_snp_bare_guest[], __stop_snp_bare_guest[];

static __always_inline uint64_t guest_msr(uint64_t value)
{
	uint32_t low = value, high = value >> 32;

	asm volatile("wrmsr; rep; vmmcall; rdmsr"
		     : "+a"(low), "+d"(high) : "c"(MSR_GHCB) : "memory");
	return (uint64_t)high << 32 | low;
}

static __always_inline uint64_t guest_pvalidate(uint64_t address, uint64_t size,
						uint64_t validate)
{
	uint64_t status = address;
	bool carry;

	asm volatile(".byte 0xf2, 0x0f, 0x01, 0xff"
		     : "=@ccc"(carry), "+a"(status) : "c"(size), "d"(validate) : "memory");
	return (uint32_t)status | (uint64_t)carry << 8;
}

static __always_inline uint64_t guest_rmpadjust(uint64_t address, uint64_t size,
						uint64_t attributes)
{
	uint64_t status = address;

	asm volatile(".byte 0xf3, 0x0f, 0x01, 0xfe"
		     : "+a"(status) : "c"(size), "d"(attributes) : "memory", "cc");
	return (uint32_t)status;
}

static __always_inline void guest_copy(uint64_t to, uint64_t from, uint64_t words)
{
	for (; words; words--, to += 8, from += 8)
		WRITE_ONCE(*(uint64_t *)to, READ_ONCE(*(uint64_t *)from));
}

static __always_inline void guest_event(uint64_t ctl, uint64_t ghcb)
{
	guest_copy(ghcb, ctl + SZ_4K, SZ_4K / 8);
	guest_msr(ghcb);
	guest_copy(ctl + 2 * SZ_4K, ghcb, SZ_4K / 8);
}

static __always_inline uint64_t guest_validate(uint64_t address, uint64_t end)
{
	uint64_t bad = 0;

	for (; address < end; address += SZ_4K)
		bad += guest_pvalidate(address, 0, 1) != 0;
	return bad;
}

/* Convert there and back: this takes two exits, and the page loses its state. */
static __always_inline void guest_spin(struct bare_ctl *ctl, uint64_t address, uint64_t end,
				       uint64_t gpa)
{
	uint64_t p;

	for (;; WRITE_ONCE(ctl->count, READ_ONCE(ctl->count) + 1)) {
		for (p = address; p < end; p += SZ_4K)
			WRITE_ONCE(*(uint64_t *)p, p);
		if (!gpa)
			continue;
		guest_pvalidate(gpa, 0, 0);
		guest_msr(2ul << 52 | gpa | MSR_PSC);
		guest_msr(1ul << 52 | gpa | MSR_PSC);
		guest_pvalidate(gpa, 0, 1);
	}
}

/*
 * Use 2 MiB where possible. Returns how many pages already were in that state, or failed.
 */
static __always_inline uint64_t guest_pvalidate_all(uint64_t address, uint64_t nr,
						    uint64_t validate)
{
	uint64_t bad = 0, r;

	if (nr == SZ_2M / SZ_4K && !(address % SZ_2M)) {
		r = guest_pvalidate(address, PVAL_2M, validate);
		if (r != PVAL_MISMATCH)
			return r ? nr : 0;
	}
	for (; nr; nr--, address += SZ_4K)
		bad += guest_pvalidate(address, PVAL_4K, validate) != 0;
	return bad;
}

static __always_inline uint64_t guest_stamp(uint64_t address, uint64_t pages, uint64_t value)
{
	uint64_t nr = (uint32_t)pages, bad = 0;

	if (pages & BARE_NEW_PAGES)
		bad = guest_pvalidate_all(address, nr, 1);
	for (; nr; nr--, address += SZ_4K, value++) {
		WRITE_ONCE(*(uint64_t *)address, value);
		WRITE_ONCE(*(uint64_t *)(address + LAST_WORD), value);
	}
	return bad;
}

static __always_inline uint64_t guest_look(uint64_t address, uint64_t pages, uint64_t buffer)
{
	uint64_t nr = (uint32_t)pages, new = pages & BARE_NEW_PAGES, bad = 0;

	if (new)
		bad = guest_pvalidate_all(address, nr, 1) + guest_pvalidate_all(address, nr, 0);
	for (; nr; nr--, address += SZ_4K, buffer += 2 * sizeof(uint64_t)) {
		uint64_t first = new ? 0 : READ_ONCE(*(uint64_t *)address);
		uint64_t last = new ? 0 : READ_ONCE(*(uint64_t *)(address + LAST_WORD));

		WRITE_ONCE(((uint64_t *)buffer)[0], first);
		WRITE_ONCE(((uint64_t *)buffer)[1], last);
	}
	return bad;
}

static __always_inline uint64_t guest_read_when(struct bare_ctl *ctl, uint64_t flag,
						uint64_t value, uint64_t address)
{
	WRITE_ONCE(ctl->result, BARE_WAITS);
	while (READ_ONCE(*(uint64_t *)flag) != value)
		;
	return READ_ONCE(*(uint64_t *)address);
}

static __always_inline uint64_t guest_debug_regs(uint64_t value)
{
	uint64_t read, other;

	asm volatile("mov %1, %%db0; mov %%db0, %0" : "=&r"(read) : "r"(value));
	asm volatile("mov %%db6, %0; mov %0, %%db6; mov %%db3, %0" : "=r"(other));
	asm volatile("wrmsr" : : "a"(0), "d"(0), "c"(MSR_IA32_DEBUGCTLMSR));
	return read;
}

static __always_inline void guest_iret(void)
{
	/* RIP, CS, RFLAGS, RSP, SS */
	uint64_t gdt[3], frame[5];
	struct desc_ptr gdtr = { .size = sizeof(gdt) - 1, .address = (uint64_t)gdt };

	WRITE_ONCE(gdt[1], 0x00af9b000000ffff);
	WRITE_ONCE(gdt[2], 0x00cf93000000ffff);
	WRITE_ONCE(frame[1], 8);
	WRITE_ONCE(frame[2], 2);
	WRITE_ONCE(frame[4], 0x10);
	asm volatile("lgdt %0; lea 1f(%%rip), %%rax; mov %%rax, (%1); mov %%rsp, 24(%1);"
		     "mov %1, %%rsp; iretq; 1:"
		     : : "m"(gdtr), "r"(frame) : "rax", "memory");
}

static __always_inline uint64_t guest_destroy(uint64_t ghcb, uint64_t vmsa, uint64_t counter)
{
	uint64_t before, status, i;

	guest_msr(ghcb);
	before = READ_ONCE(*(uint64_t *)counter);
	status = guest_rmpadjust(vmsa, 0, RMPADJUST_NONE);
	for (i = 0; i < DESTROY_SPINS; i++)
		asm volatile("pause");
	return status | (READ_ONCE(*(uint64_t *)counter) != before ? 0x100 : 0);
}

/* Not a switch: its table would be outside of the section. */
static __always_inline uint64_t guest_follow(struct bare_ctl *ctl)
{
	uint64_t op = READ_ONCE(ctl->op);
	uint64_t a = READ_ONCE(ctl->args[0]);
	uint64_t b = READ_ONCE(ctl->args[1]);
	uint64_t c = READ_ONCE(ctl->args[2]);

	if (op == BARE_MSR)
		return guest_msr(a);
	if (op == BARE_READ)
		return READ_ONCE(*(uint64_t *)a);
	if (op == BARE_PVALIDATE)
		return guest_pvalidate(a, b, c);
	if (op == BARE_RMPADJUST)
		return guest_rmpadjust(a, b, c);
	if (op == BARE_VALIDATE)
		return guest_validate(a, b);
	if (op == BARE_STAMP)
		return guest_stamp(a, b, c);
	if (op == BARE_LOOK)
		return guest_look(a, b, c);
	if (op == BARE_READ_WHEN)
		return guest_read_when(ctl, a, b, c);
	if (op == BARE_DEBUG_REGS)
		return guest_debug_regs(a);
	if (op == BARE_DESTROY)
		return guest_destroy(a, b, c);

	if (op == BARE_EVENT_AT)
		guest_event((uint64_t)ctl, a);
	else if (op == BARE_WRITE)
		WRITE_ONCE(*(uint64_t *)a, b);
	else if (op == BARE_COPY)
		guest_copy(a, b, c);
	else if (op == BARE_CLGI)
		asm volatile("clgi" : : : "memory");
	else if (op == BARE_STGI)
		asm volatile("stgi" : : : "memory");
	else if (op == BARE_IRET)
		guest_iret();
	else
		guest_spin(ctl, a, b, c);
	return 0;
}

static void __guest guest_main(struct bare_ctl *ctl)
{
	for (;;) {
		guest_msr(MSR_DONE);
		WRITE_ONCE(ctl->result, guest_follow(ctl));
		WRITE_ONCE(ctl->count, READ_ONCE(ctl->count) + 1);
	}
}

/* --- In the host ----------------------------------------------------------------- */

static void *bare_mmap(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

uint64_t bare_entry(void)
{
	return BARE_CODE_GPA + ((uintptr_t)guest_main - (uintptr_t)__start_snp_bare_guest);
}

/* The pages to launch: tables, code, a VMSA, stacks. */
static void bare_fill_image(struct snp_bare *b)
{
	size_t size = __stop_snp_bare_guest - __start_snp_bare_guest;
	uint64_t *pml4 = (void *)(b->image + BARE_TABLES_GPA);
	uint64_t *pdpt = (void *)(b->image + BARE_PDPT);
	uint64_t *pd = (void *)(b->image + BARE_PD);
	unsigned int i;

	TEST_ASSERT(size <= SZ_4K, "The guest is too big");
	pml4[0] = BARE_PDPT | PTE_TABLE | b->c_bit;
	pdpt[0] = BARE_PD | PTE_TABLE | b->c_bit;
	for (i = 0; i < 4; i++)
		pd[i] = i * SZ_2M | PTE_LARGE | (i == 1 ? 0 : b->c_bit);
	for (i = 0; i < BARE_DATA_SIZE / SZ_2M; i++)
		pd[BARE_DATA_SHARED / SZ_2M + i] = (BARE_DATA_GPA + i * SZ_2M) | PTE_LARGE;
	memcpy(b->image + BARE_CODE_GPA, __start_snp_bare_guest, size);
	bare_fill_vmsa(b, b->image + BARE_VMSA_GPA, 1);
}

void bare_init(struct snp_bare *b)
{
	uint32_t eax, ebx, ecx, edx;
	unsigned int i;

	*b = (struct snp_bare) { .vm_fd = -1, .ram_fd = -1, .data_fd = -1 };
	cpuid(0x8000001f, &eax, &ebx, &ecx, &edx);
	b->c_bit = 1ul << (ebx & 63);
	b->kvm_fd = open("/dev/kvm", O_RDWR);
	b->sev_fd = open("/dev/sev", O_RDWR);
	b->shared = bare_mmap(BARE_SHARED_SIZE);
	b->data = bare_mmap(BARE_DATA_SIZE);
	b->image = bare_mmap(BARE_RAM_SIZE);
	TEST_ASSERT(b->kvm_fd >= 0 && b->sev_fd >= 0 && b->shared && b->data && b->image,
		    "No files or no memory");
	for (i = 0; i < NR_BARE_VCPUS; i++) {
		b->vcpu_fd[i] = -1;
		b->ctl[i] = (void *)(b->shared + BARE_CTL(i) - BARE_SHARED_GPA);
	}
	bare_fill_image(b);
}

void bare_map(struct snp_bare *b, uint64_t gpa, uint64_t size, uint64_t shared)
{
	uint64_t *pd = (void *)(b->image + BARE_PD), end = gpa + size;

	TEST_ASSERT(end + shared <= SZ_1G, "There is one page directory");
	for (; gpa < end; gpa += SZ_2M) {
		pd[gpa / SZ_2M] = gpa | PTE_LARGE | b->c_bit;
		pd[(gpa + shared) / SZ_2M] = gpa | PTE_LARGE;
	}
}

int bare_command(struct snp_bare *b, int id, void *data, uint32_t *fw_error)
{
	struct kvm_sev_cmd cmd = {
		.id = id,
		.data = (uintptr_t)data,
		.sev_fd = b->sev_fd,
	};
	int r = ioctl(b->vm_fd, KVM_MEMORY_ENCRYPT_OP, &cmd);

	if (fw_error)
		*fw_error = cmd.error;
	return r;
}

int bare_create_vm(struct snp_bare *b)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_EXIT_HYPERCALL,
		.args[0] = 1ul << KVM_HC_MAP_GPA_RANGE,
	};

	b->vm_fd = ioctl(b->kvm_fd, KVM_CREATE_VM, KVM_X86_SNP_VM);
	return b->vm_fd < 0 ? -1 : ioctl(b->vm_fd, KVM_ENABLE_CAP, &cap);
}

int bare_init2(struct snp_bare *b)
{
	struct kvm_sev_init init = {};

	return bare_command(b, KVM_SEV_INIT2, &init, NULL);
}

int bare_add_memory(struct snp_bare *b)
{
	b->ram_fd = __gmem_create(b->vm_fd, BARE_RAM_SIZE, 0);
	b->data_fd = __gmem_create(b->vm_fd, BARE_DATA_SIZE, 0);
	if (b->ram_fd < 0 || b->data_fd < 0 ||
	    __set_region2(b->vm_fd, 0, KVM_MEM_GUEST_MEMFD, 0, BARE_RAM_SIZE, b->image,
			  b->ram_fd, 0) ||
	    __set_region2(b->vm_fd, 1, 0, BARE_SHARED_GPA, BARE_SHARED_SIZE, b->shared, 0, 0) ||
	    __set_region2(b->vm_fd, 2, KVM_MEM_GUEST_MEMFD, BARE_DATA_GPA, BARE_DATA_SIZE,
			  b->data, b->data_fd, 0))
		return -1;

	return __set_attributes(b->vm_fd, 0, BARE_RAM_SIZE, KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

static int bare_set_registers(struct snp_bare *b, int cpu)
{
	struct kvm_segment code = {
		.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1,
	};
	struct kvm_segment data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1,
	};
	struct kvm_regs regs = {
		.rip = bare_entry(), .rsp = BARE_STACK(cpu), .rdi = BARE_CTL(cpu), .rflags = 2,
	};
	struct kvm_sregs sregs;

	if (ioctl(b->vcpu_fd[cpu], KVM_GET_SREGS, &sregs))
		return -1;

	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.ss = data;
	sregs.cr0 = X86_CR0_PE | X86_CR0_NE | X86_CR0_ET | X86_CR0_PG;
	sregs.cr3 = BARE_TABLES_GPA | b->c_bit;
	sregs.cr4 = X86_CR4_PAE | X86_CR4_OSFXSR;
	sregs.efer = EFER_LME | EFER_LMA;
	return ioctl(b->vcpu_fd[cpu], KVM_SET_SREGS, &sregs) ?:
	       ioctl(b->vcpu_fd[cpu], KVM_SET_REGS, &regs);
}

int bare_add_vcpu(struct snp_bare *b, int cpu)
{
	b->run_size = ioctl(b->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	b->vcpu_fd[cpu] = ioctl(b->vm_fd, KVM_CREATE_VCPU, cpu);
	if (b->vcpu_fd[cpu] < 0)
		return -1;

	b->run[cpu] = mmap(NULL, b->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   b->vcpu_fd[cpu], 0);
	if (b->run[cpu] == MAP_FAILED) {
		b->run[cpu] = NULL;
		return -1;
	}

	return ioctl(b->vcpu_fd[cpu], KVM_SET_CPUID2, kvm_get_supported_cpuid());
}

int bare_add_blank_vcpus(struct snp_bare *b)
{
	int cpu, r;

	r = ioctl(b->vm_fd, KVM_CREATE_IRQCHIP, 0);
	for (cpu = 0; !r && cpu < NR_BARE_VCPUS; cpu++)
		r = bare_add_vcpu(b, cpu);
	return r;
}

int bare_add_vcpus(struct snp_bare *b)
{
	struct kvm_mp_state waiting = { .mp_state = KVM_MP_STATE_UNINITIALIZED };
	int cpu, r;

	r = bare_add_blank_vcpus(b);
	for (cpu = 0; !r && cpu < NR_BARE_VCPUS; cpu++)
		r = bare_set_registers(b, cpu);
	return r ?: ioctl(b->vcpu_fd[1], KVM_SET_MP_STATE, &waiting);
}

int bare_add_first_vcpu(struct snp_bare *b)
{
	return ioctl(b->vm_fd, KVM_CREATE_IRQCHIP, 0) ?: bare_add_vcpu(b, 0) ?:
	       bare_set_registers(b, 0);
}

int bare_launch_start(struct snp_bare *b)
{
	struct kvm_sev_snp_launch_start start = { .policy = 0x30000 };

	return bare_command(b, KVM_SEV_SNP_LAUNCH_START, &start, NULL);
}

int bare_launch_page(struct snp_bare *b, uint64_t gpa)
{
	struct kvm_sev_snp_launch_update update = {
		.gfn_start = gpa / SZ_4K,
		.uaddr = (uintptr_t)b->image + gpa,
		.len = SZ_4K,
		.type = KVM_SEV_SNP_PAGE_TYPE_NORMAL,
	};

	return bare_command(b, KVM_SEV_SNP_LAUNCH_UPDATE, &update, NULL);
}

int bare_launch_pages(struct snp_bare *b)
{
	uint64_t gpa;
	int r = 0;

	for (gpa = 0; !r && gpa < BARE_LAUNCH_SIZE; gpa += SZ_4K)
		r = bare_launch_page(b, BARE_LAUNCH_GPA + gpa);
	return r;
}

int bare_launch_finish(struct snp_bare *b)
{
	struct kvm_sev_snp_launch_finish finish = {};

	return bare_command(b, KVM_SEV_SNP_LAUNCH_FINISH, &finish, NULL);
}

int bare_launch(struct snp_bare *b)
{
	return bare_create_vm(b) ?: bare_init2(b) ?: bare_add_memory(b) ?: bare_add_vcpus(b) ?:
	       bare_launch_start(b) ?: bare_launch_pages(b) ?: bare_launch_finish(b) ?:
	       bare_run(b, 0);
}

void bare_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void bare_unmap_vcpu(struct snp_bare *b, int cpu)
{
	struct kvm_run *run = b->run[cpu];

	/* A signal handler may read it. */
	WRITE_ONCE(b->run[cpu], NULL);
	if (run)
		munmap(run, b->run_size);
}

void bare_free(struct snp_bare *b)
{
	int i;

	for (i = 0; i < NR_BARE_VCPUS; i++) {
		bare_unmap_vcpu(b, i);
		bare_close(&b->vcpu_fd[i]);
	}
	bare_close(&b->data_fd);
	bare_close(&b->ram_fd);
	bare_close(&b->vm_fd);
	bare_close(&b->sev_fd);
	bare_close(&b->kvm_fd);
	munmap(b->shared, BARE_SHARED_SIZE);
	munmap(b->data, BARE_DATA_SIZE);
	munmap(b->image, BARE_RAM_SIZE);
}
