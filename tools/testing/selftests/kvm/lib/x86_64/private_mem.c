// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers for tests of private memory, see the header.
 */
#define _GNU_SOURCE /* for fallocate() and program_invocation_name */
#include <dirent.h>
#include <errno.h>
#include <linux/falloc.h>

#include "private_mem.h"
#include "processor.h"

#define CALL_PORT	0x2000

/* One for each vCPU, in guest memory that is always shared. */
struct guest_call {
	guest_fn fn;
	uint64_t args[3];
	uint64_t value;
};
static struct guest_call guest_calls[MAX_GUEST_VCPUS];

static unsigned int nr_checks, nr_failed;

static void check_result(bool ok, const char *fmt, va_list ap, const char *detail)
{
	nr_checks++;
	nr_failed += !ok;
	printf("%s %u ", ok ? "ok" : "not ok", nr_checks);
	vprintf(fmt, ap);
	printf("%s\n", detail);
	fflush(stdout);
}

void check(bool ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	check_result(ok, fmt, ap, "");
	va_end(ap);
}

/* @err is 0 if success is expected, and then @ret is not -1. */
bool check_errno(int ret, int err, const char *fmt, ...)
{
	int got = ret < 0 ? errno : 0;
	char detail[128] = "";
	va_list ap;

	if (got != err)
		snprintf(detail, sizeof(detail), ": errno is %d (%s) and should be %d (%s)",
			 got, strerror(got), err, strerror(err));

	va_start(ap, fmt);
	check_result(got == err, fmt, ap, detail);
	va_end(ap);
	return got == err;
}

int check_finish(void)
{
	printf("1..%u\n", nr_checks);
	if (nr_failed)
		printf("# %u of %u failed\n", nr_failed, nr_checks);
	return nr_failed || !nr_checks ? KSFT_FAIL : KSFT_PASS;
}

void require_private_mem(void)
{
	printf("TAP version 13\n");
	__TEST_REQUIRE(kvm_check_cap(KVM_CAP_VM_TYPES) & BIT(KVM_X86_SW_PROTECTED_VM),
		       "no software-protected VMs: KVM_SW_PROTECTED_VM or the TDP MMU is off");
}

int __gmem_create(int vm_fd, uint64_t size, uint64_t flags)
{
	struct kvm_create_guest_memfd args = { .size = size, .flags = flags };

	return ioctl(vm_fd, KVM_CREATE_GUEST_MEMFD, &args);
}

int gmem_create(int vm_fd, uint64_t size)
{
	int fd = __gmem_create(vm_fd, size, 0);

	TEST_ASSERT(fd >= 0, KVM_IOCTL_ERROR(KVM_CREATE_GUEST_MEMFD, fd));
	return fd;
}

int __gmem_punch(int gmem_fd, uint64_t offset, uint64_t size)
{
	return fallocate(gmem_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}

void gmem_punch(int gmem_fd, uint64_t offset, uint64_t size)
{
	int r = __gmem_punch(gmem_fd, offset, size);

	TEST_ASSERT(!r, __KVM_SYSCALL_ERROR("fallocate(PUNCH_HOLE)", r));
}

void gmem_allocate(int gmem_fd, uint64_t offset, uint64_t size)
{
	int r = fallocate(gmem_fd, FALLOC_FL_KEEP_SIZE, offset, size);

	TEST_ASSERT(!r, __KVM_SYSCALL_ERROR("fallocate()", r));
}

int __set_region2(int vm_fd, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
		  void *hva, int gmem_fd, uint64_t gmem_offset)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
		.guest_memfd = gmem_fd,
		.guest_memfd_offset = gmem_offset,
	};

	return ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION2, &region);
}

int __set_attributes(int vm_fd, uint64_t gpa, uint64_t size, uint64_t attributes)
{
	struct kvm_memory_attributes args = {
		.address = gpa,
		.size = size,
		.attributes = attributes,
	};

	return ioctl(vm_fd, KVM_SET_MEMORY_ATTRIBUTES, &args);
}

void set_private(int vm_fd, uint64_t gpa, uint64_t size, bool private)
{
	int r = __set_attributes(vm_fd, gpa, size, private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0);

	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_MEMORY_ATTRIBUTES, r));
}

int __pre_fault(int vcpu_fd, struct kvm_pre_fault_memory *range)
{
	int r;

	do {
		r = ioctl(vcpu_fd, KVM_PRE_FAULT_MEMORY, range);
	} while (!r && range->size);

	return r;
}

static void guest_main(uint64_t vcpu_id)
{
	struct guest_call *call = &guest_calls[vcpu_id];

	for (;;) {
		asm volatile("outb %%al, %%dx" : : "a" (0), "d" (CALL_PORT) : "memory");
		call->value = call->fn(call->args[0], call->args[1], call->args[2]);
	}
}

/* The library creates default VMs only: replace its fd with one of another type. */
static struct kvm_vm *sw_protected_vm_create(uint64_t nr_pages)
{
	struct kvm_vm *vm = vm_create_barebones();

	close(vm->fd);
	vm->type = KVM_X86_SW_PROTECTED_VM;
	vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, vm->type);
	TEST_ASSERT(vm->fd >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VM, vm->fd));

	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, 0, 0, nr_pages, 0);
	kvm_vm_elf_load(vm, program_invocation_name);
	vm_create_irqchip(vm);
	return vm;
}

struct kvm_vm *private_vm_create(int nr_vcpus, struct kvm_vcpu *vcpus[])
{
	struct kvm_vm *vm = sw_protected_vm_create(2048);
	uint64_t ignored;
	int i, r;

	TEST_ASSERT(nr_vcpus <= MAX_GUEST_VCPUS, "At most %d vCPUs", MAX_GUEST_VCPUS);
	virt_map_level(vm, PRIVATE_GPA, PRIVATE_GPA, PRIVATE_END - PRIVATE_GPA, PG_LEVEL_2M);

	for (i = 0; i < nr_vcpus; i++) {
		vcpus[i] = vm_vcpu_add(vm, i, guest_main);
		vcpu_args_set(vcpus[i], 1, (uint64_t)i);
		r = __guest_resume(vcpus[i]);
		TEST_ASSERT(!r && guest_returned(vcpus[i], &ignored), "vCPU %d doesn't start", i);
	}

	return vm;
}

int __guest_resume(struct kvm_vcpu *vcpu)
{
	int r;

	do {
		r = __vcpu_run(vcpu);
	} while (r < 0 && errno == EINTR);

	return r;
}

int __guest_call(struct kvm_vcpu *vcpu, guest_fn fn, uint64_t arg0, uint64_t arg1,
		 uint64_t arg2)
{
	struct guest_call *call = &(*guest_var(vcpu->vm, guest_calls))[vcpu->id];

	*call = (struct guest_call) { .fn = fn, .args = { arg0, arg1, arg2 } };
	return __guest_resume(vcpu);
}

bool guest_returned(struct kvm_vcpu *vcpu, uint64_t *value)
{
	if (vcpu->run->exit_reason != KVM_EXIT_IO || vcpu->run->io.port != CALL_PORT)
		return false;

	*value = (*guest_var(vcpu->vm, guest_calls))[vcpu->id].value;
	return true;
}

uint64_t guest_call(struct kvm_vcpu *vcpu, guest_fn fn, uint64_t arg0, uint64_t arg1,
		    uint64_t arg2)
{
	int r = __guest_call(vcpu, fn, arg0, arg1, arg2);
	uint64_t value = 0;

	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_RUN, r));
	TEST_ASSERT(guest_returned(vcpu, &value), "vCPU %u left with exit reason %u (%s)",
		    vcpu->id, vcpu->run->exit_reason, exit_reason_str(vcpu->run->exit_reason));
	return value;
}

uint64_t guest_read(uint64_t gpa, uint64_t unused1, uint64_t unused2)
{
	return READ_ONCE(*(uint64_t *)gpa);
}

uint64_t guest_write(uint64_t gpa, uint64_t value, uint64_t unused)
{
	WRITE_ONCE(*(uint64_t *)gpa, value);
	return 0;
}

uint64_t guest_touch_4k(uint64_t gpa, uint64_t size, uint64_t unused)
{
	uint64_t end = gpa + size;

	for (; gpa < end; gpa += SZ_4K)
		READ_ONCE(*(uint64_t *)gpa);
	return 0;
}

uint64_t guest_fill(uint64_t gpa, uint64_t size, uint64_t value)
{
	uint64_t end = gpa + size;

	for (; gpa < end; gpa += SZ_4K)
		WRITE_ONCE(*(uint64_t *)gpa, value ? value + gpa : 0);
	return 0;
}

uint64_t guest_count_other(uint64_t gpa, uint64_t size, uint64_t value)
{
	uint64_t end = gpa + size, others = 0;

	for (; gpa < end; gpa += SZ_4K)
		others += READ_ONCE(*(uint64_t *)gpa) != (value ? value + gpa : 0);
	return others;
}

int __private_slot_set(struct private_slot *s, bool present)
{
	return __set_region2(s->vm->fd, s->slot, KVM_MEM_GUEST_MEMFD, s->gpa,
			     present ? s->size : 0, s->hva, s->gmem_fd, s->offset);
}

void private_slot_add(struct private_slot *s, struct kvm_vm *vm, uint32_t slot,
		      uint64_t gpa, uint64_t size)
{
	int r;

	*s = (struct private_slot) { .vm = vm, .slot = slot, .gpa = gpa, .size = size };
	s->hva = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(s->hva != MAP_FAILED, "mmap() of 0x%lx bytes failed", size);
	s->gmem_fd = gmem_create(vm->fd, size);

	r = __private_slot_set(s, true);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
}

void private_slot_remove(struct private_slot *s)
{
	int r = __private_slot_set(s, false);

	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
	close(s->gmem_fd);
	munmap(s->hva, s->size);
}

bool is_memory_fault(struct kvm_vcpu *vcpu, uint64_t gpa, bool private)
{
	return vcpu->run->exit_reason == KVM_EXIT_MEMORY_FAULT &&
	       vcpu->run->memory_fault.gpa == gpa &&
	       vcpu->run->memory_fault.size == SZ_4K &&
	       vcpu->run->memory_fault.flags == (private ? KVM_MEMORY_EXIT_FLAG_PRIVATE : 0);
}

/* Parse the last fault in a line of the trace: true if it was on @gfn. */
static bool parse_fault(const char *line, uint64_t gfn, uint64_t *pfn)
{
	static const char format[] =
		"kvm_private_fault: vcpu %*d gfn 0x%lx pfn 0x%lx error_code 0x%*x level %d";
	const char *text = strstr(line, "kvm_private_fault: ");
	uint64_t fault_gfn, fault_pfn;
	int level;

	if (!text || sscanf(text, format, &fault_gfn, &fault_pfn, &level) != 3 || fault_gfn != gfn)
		return false;

	/* The pfn of a huge page is that of its first page. */
	*pfn = level == PG_LEVEL_2M ? (fault_pfn & -512ul) | (gfn & 511) : fault_pfn;
	return true;
}

bool trace_faults_begin(void)
{
	FILE *f = fopen(PRIVATE_TRACING "trace", "w");

	if (f)
		fclose(f);
	return write_string(PRIVATE_TRACING "events/kvm/kvm_private_fault/enable", "1");
}

uint64_t trace_faults_end(uint64_t gpa)
{
	uint64_t pfn = 0;
	char line[512];
	FILE *f;

	write_string(PRIVATE_TRACING "events/kvm/kvm_private_fault/enable", "0");

	f = fopen(PRIVATE_TRACING "trace", "r");
	while (f && fgets(line, sizeof(line), f))
		parse_fault(line, gpa / SZ_4K, &pfn);
	if (f)
		fclose(f);
	return pfn;
}

uint64_t find_private_pfn(struct kvm_vcpu *vcpu, struct private_slot *s, uint64_t offset)
{
	uint64_t gpa = s->gpa + offset;

	/* Fault it in again. */
	set_private(s->vm->fd, gpa, SZ_4K, false);
	set_private(s->vm->fd, gpa, SZ_4K, true);
	if (!trace_faults_begin())
		return 0;
	guest_call(vcpu, guest_read, gpa, 0, 0);
	return trace_faults_end(gpa);
}

/* -1 if there is no such file. */
long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long number = -1;

	if (f) {
		if (fscanf(f, "%ld", &number) != 1)
			number = -1;
		fclose(f);
	}
	return number;
}

long leaked_pages(void)
{
	long number = read_number(LEAKED_PAGES);

	__TEST_REQUIRE(number >= 0, "no count of leaked pages, is debugfs mounted?");
	return number;
}

bool read_parameter(const char *path)
{
	int fd = open(path, O_RDONLY);
	char value = 0;

	TEST_ASSERT(fd >= 0 && read(fd, &value, 1) == 1, "%s can't be read", path);
	close(fd);
	return value == 'Y' || value == '1';
}

/* The number after @key, which begins a line; -1 if there is none. */
long read_keyed(const char *path, const char *key)
{
	size_t len = strlen(key);
	FILE *f = fopen(path, "r");
	char line[512];
	long number = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, key, len) && strchr(" :\t", line[len])) {
			number = strtol(line + len + strspn(line + len, " :\t"), NULL, 10);
			break;
		}
	}

	if (f)
		fclose(f);
	return number;
}

/* -1 if there is no such directory. */
long count_directories(const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	long nr = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		nr += entry->d_type == DT_DIR && entry->d_name[0] != '.';
	closedir(dir);
	return nr;
}

bool write_string(const char *path, const char *fmt, ...)
{
	int fd = open(path, O_WRONLY);
	char text[128];
	va_list ap;
	bool ok;

	if (fd < 0)
		return false;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ok = write(fd, text, strlen(text)) == strlen(text);
	close(fd);
	return ok;
}
