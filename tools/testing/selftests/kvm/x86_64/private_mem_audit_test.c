// SPDX-License-Identifier: GPL-2.0-only
/*
 * The audit of private memory covers everything that is mapped or prepared, and has no
 * findings after each kind of fault, conversion and hole, nor after files, slots and VMs
 * are gone.
 *
 * The test checks nothing but the audit, so that a kernel that violates one of its rules
 * fails here because of that rule: lab/mutants/kvm.list has a kernel for each.
 */
#define _GNU_SOURCE /* for program_invocation_name */
#include "private_mem_watch.h"
#include "processor.h"

#define NR_PAGES	512
#define VALUE		0x6000000000000000ul

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpu;
static struct private_slot slot;

static void audit_is(long mappings, long pages, const char *what)
{
	struct audit audit;

	read_audit(&audit);
	check(!audit.findings && audit.pages == pages && audit.mappings >= mappings,
	      "%s: the audit has %s, sees %ld mappings (at least %ld) and %ld pages (%ld)", what,
	      audit.findings ? audit.kinds : "no findings", audit.mappings, mappings, audit.pages,
	      pages);
}

static void fill(uint64_t first, uint64_t nr)
{
	guest_call(vcpu, guest_fill, slot.gpa + first * SZ_4K, nr * SZ_4K, VALUE);
}

static void set_pages_private(uint64_t first, uint64_t nr, bool private)
{
	set_private(vm->fd, slot.gpa + first * SZ_4K, nr * SZ_4K, private);
}

static void punch_pages(uint64_t first, uint64_t nr)
{
	gmem_punch(slot.gmem_fd, first * SZ_4K, nr * SZ_4K);
}

/* A chunk with one folio: mapped huge, in small pages, and with some shared pages. */
static void test_huge_folio(void)
{
	fill(0, 2 * NR_PAGES);
	audit_is(2, 2 * NR_PAGES, "2 MiB");
	set_pages_private(3, 1, false);
	audit_is(1, 2 * NR_PAGES, "a page of 2 MiB is shared");
	fill(4, 16);
	audit_is(1 + 16, 2 * NR_PAGES, "others are mapped beside it");
	fill(3, 1);
	audit_is(1 + 17, 2 * NR_PAGES, "so is that one");
	set_pages_private(10, 1, false);
	audit_is(1 + 16, 2 * NR_PAGES, "a mapped page is shared");
	punch_pages(10, 1);
	audit_is(1 + 16, 2 * NR_PAGES - 1, "and punched out");
	punch_pages(NR_PAGES + 5, 1);
	audit_is(16, 2 * NR_PAGES - 2, "a page of 2 MiB is punched out");
	fill(NR_PAGES, NR_PAGES);
	audit_is(17, 2 * NR_PAGES - 1, "and used again");
	punch_pages(NR_PAGES, NR_PAGES);
	audit_is(16, NR_PAGES - 1, "all 2 MiB are punched out");
	punch_pages(0, NR_PAGES);
	set_pages_private(0, NR_PAGES, true);
	audit_is(0, 0, "and the others");
}

/* A chunk of small folios: they are allocated one by one. */
static void test_small_folios(void)
{
	gmem_allocate(slot.gmem_fd, SZ_4K, SZ_2M - SZ_4K);
	audit_is(0, 0, "small pages that are allocated");
	fill(1, 30);
	audit_is(30, 30, "and used");
	set_pages_private(9, 1, false);
	audit_is(29, 30, "a mapped one is shared");
	set_pages_private(9, 1, true);
	fill(9, 1);
	punch_pages(7, 1);
	audit_is(29, 29, "one is punched out");
	fill(7, 1);
	audit_is(30, 30, "and used again");
	punch_pages(0, NR_PAGES);
	audit_is(0, 0, "all are punched out");
}

/* Remove the slot and the file before the VM. */
static void test_gone(void)
{
	int r;

	fill(0, NR_PAGES);
	audit_is(1, NR_PAGES, "2 MiB of a slot");
	r = __private_slot_set(&slot, false);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
	audit_is(0, NR_PAGES, "that is deleted");
	r = __private_slot_set(&slot, true);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
	fill(0, NR_PAGES);
	audit_is(1, NR_PAGES, "and comes back");
	close(slot.gmem_fd);
	slot.gmem_fd = -1;
	audit_is(0, 0, "the file is closed");
}

int main(int argc, char *argv[])
{
	struct audit before;

	require_private_mem();
	setbuf(stdout, NULL);
	__TEST_REQUIRE(read_audit(&before), "no audit: KVM_PRIVATE_MEM_AUDIT is off");
	check(!before.findings && !before.pages, "there is no other guest (%ld, %ld)",
	      before.findings, before.pages);

	vm = private_vm_create(1, &vcpu);
	private_slot_add(&slot, vm, 1, PRIVATE_GPA, 2 * SZ_2M);
	set_private(vm->fd, slot.gpa, slot.size, true);
	test_huge_folio();
	test_small_folios();
	test_gone();
	kvm_vm_free(vm);
	audit_is(0, 0, "the VM ends");
	return check_finish();
}
