// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private memory without memory for it: each allocation fails, and either the ioctl
 * succeeds without it, or it fails without side effects.
 */
#define _GNU_SOURCE /* for fallocate() */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

#include "nomem.h"
#include "private_mem.h"
#include "processor.h"

#define SLOT_SIZE	(8 * SZ_2M)
#define FAR_GPA		(64 * SZ_1G)
#define MARK		0x6d61726b

/* More than fits into one node of a maple tree. */
#define NR_BOUND	40
#define FIRST_BOUND	100
#define PROBE		99
#define SPARE		98

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpu;
static struct private_slot slot;
static int free_fd;
static long nr_vms;

/* Changes if one is left open. */
static int lowest_free_fd(void)
{
	int fd = dup(vm->kvm_fd);

	TEST_ASSERT(fd >= 0, "dup() fails, errno %d", errno);
	close(fd);
	return fd;
}

static long count_vms(void)
{
	return count_directories("/sys/kernel/debug/kvm");
}

/* The file descriptor that an ioctl returns. */
static int new_fd;

static int keep_fd(int fd)
{
	new_fd = fd;
	return fd < 0 ? -1 : 0;
}

static bool fd_is_open(void)
{
	return lowest_free_fd() != free_fd || count_vms() != nr_vms;
}

static void close_fd(void)
{
	close(new_fd);
}

static int create_vm(void)
{
	return keep_fd(ioctl(vm->kvm_fd, KVM_CREATE_VM, KVM_X86_SW_PROTECTED_VM));
}

static int create_gmem(void)
{
	return keep_fd(__gmem_create(vm->fd, SZ_2M, 0));
}

/* A file with many slots of one page each, and an unused page after each of them. */
static int many_fd;

static int bind_at(uint32_t id, uint64_t gpa, uint64_t page, bool present)
{
	return __set_region2(vm->fd, id, KVM_MEM_GUEST_MEMFD, gpa, present ? SZ_4K : 0,
			     slot.hva, many_fd, page * SZ_4K);
}

static int bind_many(unsigned int i, bool present)
{
	return bind_at(FIRST_BOUND + i, FAR_GPA + i * SZ_2M, 2 * i, present);
}

static bool page_is_bound(uint64_t page)
{
	int r = bind_at(PROBE, 2 * FAR_GPA, page, true);

	TEST_ASSERT(!r || errno == EEXIST, "Binding page %lu fails", page);
	if (r)
		return true;

	r = bind_at(PROBE, 2 * FAR_GPA, page, false);
	TEST_ASSERT(!r, "Unbinding page %lu fails", page);
	return false;
}

static int bind_spare(void)
{
	return bind_at(SPARE, 3 * FAR_GPA, NR_BOUND + 1, true);
}

static bool spare_is_bound(void)
{
	return page_is_bound(NR_BOUND + 1);
}

static void unbind_spare(void)
{
	int r = bind_at(SPARE, 3 * FAR_GPA, NR_BOUND + 1, false);

	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
}

static int unbind_one(void)
{
	return bind_many(NR_BOUND / 2, false);
}

static bool one_is_unbound(void)
{
	return !page_is_bound(NR_BOUND);
}

static void bind_one(void)
{
	int r = bind_many(NR_BOUND / 2, true);

	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
}

static int close_many(void)
{
	return close(many_fd);
}

static void open_many(void)
{
	unsigned int i;

	many_fd = gmem_create(vm->fd, 2 * NR_BOUND * SZ_4K);
	for (i = 0; i < NR_BOUND; i++) {
		/*
		 * It still exists if only the file was closed, and can only be deleted
		 * then.
		 */
		bind_many(i, false);
		TEST_ASSERT(!bind_many(i, true), "Slot %u can't be bound", i);
	}
}

/* Ranges of attributes, with part of a huge page at either end. */
static uint64_t range_gpa, range_size;

static int make_private(void)
{
	return __set_attributes(vm->fd, range_gpa, range_size, KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

static int make_shared(void)
{
	return __set_attributes(vm->fd, range_gpa, range_size, 0);
}

/* Shared pages have a mark, private ones have zeroes. */
static bool page_is_private(uint64_t gpa)
{
	return guest_call(vcpu, guest_read, gpa, 0, 0) != MARK + gpa;
}

/* True if all of the range is, or none of it, and its neighbours have not changed. */
static bool range_is(bool private)
{
	uint64_t end = range_gpa + range_size;
	uint64_t middle = range_gpa + round_down(range_size / 2, SZ_4K);
	uint64_t inside[] = { range_gpa, middle, end - SZ_4K,
			      round_up(range_gpa, SZ_2M), round_down(end - 1, SZ_2M) };
	bool found = page_is_private(inside[0]);
	int i;

	for (i = 1; i < ARRAY_SIZE(inside); i++)
		if (inside[i] >= range_gpa && inside[i] < end)
			TEST_ASSERT(page_is_private(inside[i]) == found,
				    "Only a part of the range has changed");

	TEST_ASSERT(page_is_private(range_gpa - SZ_4K) == !private &&
		    page_is_private(end) == !private, "What is beside the range has changed");
	return found == private;
}

static bool range_is_private(void)
{
	return range_is(true);
}

static bool range_is_shared(void)
{
	return range_is(false);
}

static void range_set_private(void)
{
	set_private(vm->fd, range_gpa, range_size, true);
}

static void range_set_shared(void)
{
	set_private(vm->fd, range_gpa, range_size, false);
}

/* Private pages that nobody has used yet. */
static int touch(void)
{
	uint64_t value;
	int r = __guest_call(vcpu, guest_read, slot.gpa, 0, 0);

	if (r)
		return -1;
	TEST_ASSERT(guest_returned(vcpu, &value) && !value, "The guest reads something else");
	return 0;
}

static int pre_fault(void)
{
	struct kvm_pre_fault_memory range = { .gpa = slot.gpa, .size = SZ_2M + SZ_4K };

	return __pre_fault(vcpu->fd, &range);
}

static int allocate(void)
{
	return fallocate(slot.gmem_fd, FALLOC_FL_KEEP_SIZE, 0, SZ_2M + SZ_4K);
}

static void punch(void)
{
	gmem_punch(slot.gmem_fd, 0, SZ_2M + SZ_4K);
}

static int punch_page(void)
{
	return __gmem_punch(slot.gmem_fd, 0, SZ_4K);
}

static void punch_and_touch(void)
{
	punch();
	guest_call(vcpu, guest_read, slot.gpa, 0, 0);
}

static const struct nomem_op fd_ops[] = {
	{ "KVM_CREATE_VM", create_vm, fd_is_open, close_fd },
	{ "KVM_CREATE_GUEST_MEMFD", create_gmem, fd_is_open, close_fd },
};

static const struct nomem_op bind_ops[] = {
	{ "binding", bind_spare, spare_is_bound, unbind_spare },
	{ "unbinding", unbind_one, one_is_unbound, bind_one },
	{ "closing what is bound", close_many, NULL, open_many, true },
};

static const struct nomem_op to_private = {
	"to private", make_private, range_is_private, range_set_shared
};

static const struct nomem_op to_shared = {
	"to shared", make_shared, range_is_shared, range_set_private
};

static const struct nomem_op page_ops[] = {
	{ "a fault", touch, NULL, punch },
	{ "KVM_PRE_FAULT_MEMORY", pre_fault, NULL, punch },
	{ "fallocate()", allocate, NULL, punch },
	{ "punching a page out of 2 MiB", punch_page, NULL, punch_and_touch, true },
};

static void test_attributes(uint64_t gpa, uint64_t size)
{
	range_gpa = slot.gpa + gpa;
	range_size = size;

	printf("# 0x%lx bytes at 0x%lx\n", size, range_gpa);
	set_private(vm->fd, slot.gpa, slot.size, false);
	test_nomem(&to_private);
	set_private(vm->fd, slot.gpa, slot.size, true);
	test_nomem(&to_shared);
}

static void setup(void)
{
	uint64_t gpa;
	int i;

	vm = private_vm_create(1, &vcpu);
	private_slot_add(&slot, vm, 1, PRIVATE_GPA, SLOT_SIZE);
	for (gpa = slot.gpa; gpa < slot.gpa + slot.size; gpa += SZ_4K)
		slot.hva[(gpa - slot.gpa) / sizeof(*slot.hva)] = MARK + gpa;

	for (i = 0; i < NR_BOUND; i++)
		set_private(vm->fd, 4 * FAR_GPA + i * 2 * SZ_2M, SZ_2M, true);
	open_many();
}

int main(int argc, char *argv[])
{
	int i;

	require_private_mem();
	require_nomem();
	setup();

	for (i = 0; i < ARRAY_SIZE(bind_ops); i++)
		test_nomem(&bind_ops[i]);

	test_attributes(SZ_2M - SZ_4K, SZ_4K);
	test_attributes(SZ_2M, SZ_2M);
	test_attributes(SZ_2M - 3 * SZ_4K, 2 * SZ_2M + 8 * SZ_4K);

	set_private(vm->fd, slot.gpa, slot.size, true);
	punch();
	for (i = 0; i < ARRAY_SIZE(page_ops); i++)
		test_nomem(&page_ops[i]);

	for (i = 0; i < ARRAY_SIZE(fd_ops); i++) {
		free_fd = lowest_free_fd();
		nr_vms = count_vms();
		test_nomem(&fd_ops[i]);
	}

	private_slot_remove(&slot);
	close(many_fd);
	kvm_vm_free(vm);
	return check_finish();
}
