/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers for tests of private memory: checks that are reported as TAP, the ioctls with
 * their errno, a VM whose vCPUs call functions of the test, and a memslot with a
 * guest_memfd.
 */
#ifndef SELFTEST_KVM_PRIVATE_MEM_H
#define SELFTEST_KVM_PRIVATE_MEM_H

#include "kvm_util.h"

#define SZ_4K		0x1000ul
#define SZ_2M		0x200000ul
#define SZ_1G		0x40000000ul

/* The number of pages that could not be reclaimed, of whatever kind they are. */
#define LEAKED_PAGES	"/sys/kernel/debug/x86/leaked_pages"

/* Print one line of TAP each; a test ends with the value of check_finish(). */
void check(bool ok, const char *fmt, ...) __printf(2, 3);
bool check_errno(int ret, int err, const char *fmt, ...)
	__printf(3, 4);
int check_finish(void);

/* Exits with a reason if there are no software-protected VMs. */
void require_private_mem(void);

/* Functions below that begin with two underscores return -1 and set errno. */
int __gmem_create(int vm_fd, uint64_t size, uint64_t flags);
int gmem_create(int vm_fd, uint64_t size);
int __gmem_punch(int gmem_fd, uint64_t offset, uint64_t size);
void gmem_punch(int gmem_fd, uint64_t offset, uint64_t size);
void gmem_allocate(int gmem_fd, uint64_t offset, uint64_t size);

int __set_region2(int vm_fd, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
		  void *hva, int gmem_fd, uint64_t gmem_offset);
int __set_attributes(int vm_fd, uint64_t gpa, uint64_t size, uint64_t attributes);
void set_private(int vm_fd, uint64_t gpa, uint64_t size, bool private);
/* Pre-faults all of it, or fails: @range is the rest then. */
int __pre_fault(int vcpu_fd, struct kvm_pre_fault_memory *range);

/*
 * A software-protected VM.  Its guest has [PRIVATE_GPA, PRIVATE_END) mapped one
 * to one, without a memslot, and everything else in shared memory.
 */
#define PRIVATE_GPA	(4 * SZ_1G)
#define PRIVATE_END	(5 * SZ_1G)
#define MAX_GUEST_VCPUS	4

struct kvm_vm *private_vm_create(int nr_vcpus, struct kvm_vcpu *vcpus[]);

/*
 * Have the guest call a function of the test, which returns a value.  The
 * result of __guest_call() is that of KVM_RUN: if it is 0, the call may have
 * returned, see guest_returned(), or has to be resumed after another exit.
 */
typedef uint64_t (*guest_fn)(uint64_t arg0, uint64_t arg1, uint64_t arg2);

int __guest_call(struct kvm_vcpu *vcpu, guest_fn fn, uint64_t arg0, uint64_t arg1,
		 uint64_t arg2);
int __guest_resume(struct kvm_vcpu *vcpu);
bool guest_returned(struct kvm_vcpu *vcpu, uint64_t *value);
uint64_t guest_call(struct kvm_vcpu *vcpu, guest_fn fn, uint64_t arg0, uint64_t arg1,
		    uint64_t arg2);
/* The guest's copy of a variable of the test. */
#define guest_var(vm, var) ((typeof(var) *)addr_gva2hva(vm, (vm_vaddr_t)&(var)))

/* Functions for the guest: access one word per @stride in [gpa, gpa + size). */
uint64_t guest_read(uint64_t gpa, uint64_t unused1, uint64_t unused2);
uint64_t guest_write(uint64_t gpa, uint64_t value, uint64_t unused);
uint64_t guest_touch_4k(uint64_t gpa, uint64_t size, uint64_t unused);
/* Write words, or count words that differ: value + gpa, or value for all if it is 0. */
uint64_t guest_fill(uint64_t gpa, uint64_t size, uint64_t value);
uint64_t guest_count_other(uint64_t gpa, uint64_t size, uint64_t value);

/* A separate memslot with a guest_memfd; hva is the shared memory. */
struct private_slot {
	struct kvm_vm *vm;
	uint32_t slot;
	uint64_t gpa;
	uint64_t size;
	uint64_t offset;
	uint64_t *hva;
	int gmem_fd;
};

void private_slot_add(struct private_slot *s, struct kvm_vm *vm, uint32_t slot,
		      uint64_t gpa, uint64_t size);
int __private_slot_set(struct private_slot *s, bool present);
void private_slot_remove(struct private_slot *s);

/* True if the last exit was KVM_EXIT_MEMORY_FAULT for the page at @gpa. */
bool is_memory_fault(struct kvm_vcpu *vcpu, uint64_t gpa, bool private);

/* The pfn of a private page, from the trace of a fault; 0 if there is no tracefs. */
#define PRIVATE_TRACING	"/sys/kernel/tracing/"
uint64_t find_private_pfn(struct kvm_vcpu *vcpu, struct private_slot *s, uint64_t offset);
/*
 * The steps of it: start and stop the trace of faults; the pfn of the last one at @gpa.
 */
bool trace_faults_begin(void);
uint64_t trace_faults_end(uint64_t gpa);

/*
 * Read a number: the content of a file, a value by its key, the count of subdirectories.
 */
long read_number(const char *path);
long leaked_pages(void);	/* skips the test where the kernel does not count */
/* True if the module parameter, which has to exist, is enabled. */
bool read_parameter(const char *path);
long read_keyed(const char *path, const char *key);
long count_directories(const char *path);
bool write_string(const char *path, const char *fmt, ...)
	__printf(2, 3);

#endif /* SELFTEST_KVM_PRIVATE_MEM_H */
