// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_PRE_FAULT_MEMORY maps memory as writable, and so dirty. With a dirty ring it stops
 * when the ring is full, so that no page that is dirty is lost.
 */
#include <string.h>

#include "private_mem.h"
#include "processor.h"

#define SLOT		10
#define SLOT_GPA	(4 * SZ_1G)
/* Up to 576 entries are reserved, on processors that log dirty pages by themselves. */
#define NR_PAGES	2048
#define NR_ENTRIES	1024

static void guest_code(void)
{
	GUEST_DONE();
}

/* Take what is in the ring; each page has to come once. Returns the number of them. */
static unsigned int harvest(struct kvm_vm *vm, struct kvm_vcpu *vcpu, bool *seen, bool *twice)
{
	static unsigned int next;
	struct kvm_dirty_gfn *gfns = vcpu_map_dirty_ring(vcpu), *gfn;
	unsigned int nr;

	for (nr = 0; nr < NR_ENTRIES; nr++, next++) {
		gfn = &gfns[next % NR_ENTRIES];
		if (READ_ONCE(gfn->flags) != KVM_DIRTY_GFN_F_DIRTY)
			break;
		TEST_ASSERT(gfn->slot == SLOT && gfn->offset < NR_PAGES, "Page %llu of slot %u",
			    gfn->offset, gfn->slot);
		*twice |= seen[gfn->offset];
		seen[gfn->offset] = true;
		WRITE_ONCE(gfn->flags, KVM_DIRTY_GFN_F_RESET);
	}
	TEST_ASSERT(kvm_vm_reset_dirty_ring(vm) == nr, "Not all entries are reset");
	return nr;
}

/* Have entry @i of the ring, which is dirty or not, reset for a page of SLOT. */
static void forge_entry(struct kvm_dirty_gfn *gfns, unsigned int i, uint64_t offset)
{
	gfns[i].slot = SLOT;
	gfns[i].offset = offset;
	WRITE_ONCE(gfns[i].flags, KVM_DIRTY_GFN_F_RESET);
}

/* Userspace can write any entry to the ring, e.g. for a slot that is not logged. */
static void test_forged_entries(void)
{
	struct kvm_pre_fault_memory range = { .gpa = SLOT_GPA, .size = SZ_2M };
	struct kvm_pre_fault_memory logged = { .gpa = SLOT_GPA + SZ_1G, .size = 2 * SZ_4K };
	struct kvm_dirty_gfn *gfns;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	uint64_t before;

	vm = __vm_create(VM_MODE_DEFAULT, 1, 0);
	vm_enable_dirty_ring(vm, NR_ENTRIES * sizeof(struct kvm_dirty_gfn));
	vm_enable_cap(vm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		      KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET);
	vcpu = vm_vcpu_add(vm, 0, guest_code);
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS_THP, SLOT_GPA, SLOT,
				    SZ_2M / SZ_4K, 0);
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, logged.gpa, SLOT + 1, 2,
				    KVM_MEM_LOG_DIRTY_PAGES);
	memset(addr_gpa2hva(vm, SLOT_GPA), 0xaa, SZ_2M);
	memset(addr_gpa2hva(vm, logged.gpa), 0xaa, logged.size);
	TEST_ASSERT(!__pre_fault(vcpu->fd, &range) && !__pre_fault(vcpu->fd, &logged),
		    "No pre-fault");
	before = vm_get_stat(vm, "pages_2m");
	gfns = vcpu_map_dirty_ring(vcpu);
	TEST_ASSERT(before && gfns[1].flags == KVM_DIRTY_GFN_F_DIRTY && !gfns[2].flags,
		    "No large page, or not two entries");

	/* A large page is split if two of its pages are reset. */
	forge_entry(gfns, 0, 0);
	forge_entry(gfns, 1, 63);
	forge_entry(gfns, 2, 0);
	check(kvm_vm_reset_dirty_ring(vm) == 2, "only entries that KVM has written are reset");
	check(vm_get_stat(vm, "pages_2m") == before, "a slot that isn't logged stays as it is");
	kvm_vm_free(vm);
}

int main(int argc, char *argv[])
{
	struct kvm_pre_fault_memory range = { .gpa = SLOT_GPA, .size = NR_PAGES * SZ_4K };
	unsigned int nr = 0, calls = 0, times;
	bool seen[NR_PAGES] = {}, twice = false;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int r, err;

	TEST_REQUIRE(kvm_has_cap(KVM_CAP_DIRTY_LOG_RING));
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_PRE_FAULT_MEMORY));
	setbuf(stdout, NULL);

	vm = __vm_create(VM_MODE_DEFAULT, 1, 0);
	vm_enable_dirty_ring(vm, NR_ENTRIES * sizeof(struct kvm_dirty_gfn));
	vcpu = vm_vcpu_add(vm, 0, guest_code);
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, SLOT_GPA, SLOT, NR_PAGES,
				    KVM_MEM_LOG_DIRTY_PAGES);
	memset(addr_gpa2hva(vm, SLOT_GPA), 0xaa, NR_PAGES * SZ_4K);

	do {
		r = __pre_fault(vcpu->fd, &range);
		err = errno;
		if (!calls++)
			check_errno(r, EAGAIN, "pre-fault of more pages than the ring has entries");
		times = harvest(vm, vcpu, seen, &twice);
		nr += times;
	} while (r && err == EAGAIN && times && calls < NR_PAGES);

	check(!r, "the rest of it, once the ring was harvested (%u calls, %#llx left)", calls,
	      range.size);
	check(nr == NR_PAGES && !twice, "each page is reported, once (%u)", nr);
	kvm_vm_free(vm);
	test_forged_entries();
	return check_finish();
}
