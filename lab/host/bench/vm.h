/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small VM to measure with: guest_memfd-backed memory in one slot, a little
 * ordinary memory for page tables and code, and vCPUs that run one loop.
 */
#ifndef BENCH_VM_H
#define BENCH_VM_H

#include <stddef.h>
#include <stdint.h>
#include <linux/kvm.h>

#define KIB (1ull << 10)
#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define TIB (1ull << 40)

/* The measured slot starts here; page tables and code live below 1 MiB. */
#define AREA (4 * GIB)

struct vm {
	int fd;
	int gmem;
	uint64_t size;		/* of the measured slot, 0: none */
	void *low;		/* ordinary memory at guest physical 0 */
	uint64_t low_size;
	void *shared;		/* the slot's shared half */
};

struct vcpu {
	int fd;
	struct kvm_run *run;
};

/* What the guest does: touch "count" addresses, or ask for "count" conversions. */
enum guest_work { GUEST_TOUCH, GUEST_CONVERT };

void vm_create(struct vm *vm);
/* Any other type of VM, with no slots. What's in low memory is up to the caller. */
void vm_create_type(struct vm *vm, unsigned long type, uint64_t low_size);
/* Private low memory. Returns its guest_memfd. */
int vm_add_low(struct vm *vm);
/* Bind "size" bytes of a new guest_memfd, from "offset" on, at AREA. */
void vm_add_area(struct vm *vm, uint64_t size, uint64_t offset);
void vm_destroy(struct vm *vm);
void vm_attributes(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t attributes);
static inline void vm_private(struct vm *vm, uint64_t gpa, uint64_t size)
{
	vm_attributes(vm, gpa, size, KVM_MEMORY_ATTRIBUTE_PRIVATE);
}
static inline void vm_shared(struct vm *vm, uint64_t gpa, uint64_t size)
{
	vm_attributes(vm, gpa, size, 0);
}
void vm_allocate(struct vm *vm, uint64_t offset, uint64_t size);
void vm_punch(struct vm *vm, uint64_t offset, uint64_t size);

void vcpu_create(struct vm *vm, struct vcpu *vcpu, int id);
void vcpu_destroy(struct vcpu *vcpu);
void vcpu_prefault(struct vcpu *vcpu, uint64_t gpa, uint64_t size);
void vcpu_set_work(struct vcpu *vcpu, enum guest_work work, uint64_t gpa, uint64_t step, uint64_t count);
/* Enter the guest until it exits for that reason, and count the exits before; conversions are done on the way. */
uint64_t vcpu_run(struct vm *vm, struct vcpu *vcpu, uint32_t until);
uint64_t vcpu_stat(struct vcpu *vcpu, const char *name);

void must(int ok, const char *what);

static inline uint64_t now(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

#endif
