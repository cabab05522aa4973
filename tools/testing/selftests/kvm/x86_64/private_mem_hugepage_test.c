// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private memory in 2 MiB pages: mapped where the file, the slot and the attributes allow
 * it, split by a partial conversion, huge again after it is converted back, with all
 * content that stays private intact, and freed when all of it is punched out.
 *
 * Mainline maps private memory in 4 KiB pages, so this test is not meant for mainline.
 */
#define _GNU_SOURCE /* for program_invocation_name */
#include "private_mem_watch.h"
#include "processor.h"

#define PF_TAKEN	"/sys/kernel/debug/kvm/pf_taken"
#define NR_BLOCKS	4
#define VALUE		0x4321000000000000ul
#define SHARED_VALUE	0x7654000000000000ul

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpu;
static struct private_slot slot;

/* What the guest's faults on private memory have mapped since the last call. */
struct maps {
	uint64_t maps_4k;
	uint64_t maps_2m;
};

static struct maps new_maps(void)
{
	static struct maps last;
	struct maps now, diff;

	now.maps_4k = vm_get_stat(vm, "private_maps_4k");
	now.maps_2m = vm_get_stat(vm, "private_maps_2m");
	diff.maps_4k = now.maps_4k - last.maps_4k;
	diff.maps_2m = now.maps_2m - last.maps_2m;
	last = now;
	return diff;
}

static void check_maps(uint64_t maps_2m, uint64_t maps_4k, const char *what)
{
	struct maps maps = new_maps();

	check(maps.maps_2m == maps_2m && maps.maps_4k == maps_4k,
	      "%s: mapped with %lu faults of 2 MiB and %lu of 4 KiB, expected %lu and %lu", what,
	      maps.maps_2m, maps.maps_4k, maps_2m, maps_4k);
}

static void touch(uint64_t offset, uint64_t size)
{
	guest_call(vcpu, guest_touch_4k, slot.gpa + offset, size, 0);
}

static void fill(uint64_t offset, uint64_t size)
{
	guest_call(vcpu, guest_fill, slot.gpa + offset, size, VALUE);
}

static bool intact(uint64_t offset, uint64_t size)
{
	return !guest_call(vcpu, guest_count_other, slot.gpa + offset, size, VALUE);
}

static bool zeroes(uint64_t offset, uint64_t size)
{
	return !guest_call(vcpu, guest_count_other, slot.gpa + offset, size, 0);
}

/* A freed huge page returns to the host at once, and the count is exact. */
static long file_pages(void)
{
	read_number("/proc/sys/vm/stat_refresh");
	return read_keyed("/proc/vmstat", "nr_unevictable");
}

/* A slot of @size at @gpa, with a file that is one block larger. */
static void setup(uint64_t gpa, uint64_t size, uint64_t offset)
{
	int r;

	private_slot_add(&slot, vm, 1, gpa, size + SZ_2M);
	r = __private_slot_set(&slot, false);
	slot.size = size;
	slot.offset = offset;
	r = r ?: __private_slot_set(&slot, true);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
	set_private(vm->fd, gpa, size, true);
	new_maps();
}

static void teardown(void)
{
	set_private(vm->fd, slot.gpa, slot.size, false);
	private_slot_remove(&slot);
}

static void test_mapping(void)
{
	struct kvm_pre_fault_memory range = { .gpa = PRIVATE_GPA, .size = NR_BLOCKS * SZ_2M };

	setup(PRIVATE_GPA, NR_BLOCKS * SZ_2M, 0);
	check(zeroes(0, slot.size), "new memory is zero");
	check_maps(NR_BLOCKS, 0, "aligned");
	check(vm_get_stat(vm, "pages_2m") >= NR_BLOCKS, "pages_2m counts them");
	teardown();

	setup(PRIVATE_GPA, NR_BLOCKS * SZ_2M, 0);
	check_errno(__pre_fault(vcpu->fd, &range), 0, "KVM_PRE_FAULT_MEMORY");
	check_maps(NR_BLOCKS, 0, "pre-faulted");
	touch(0, slot.size);
	check_maps(0, 0, "touched after that");
	teardown();

	setup(PRIVATE_GPA, 32 * SZ_2M, 0);
	touch(0, slot.size);
	check_maps(32, 0, "64 MiB");
	teardown();

	/* Attributes and slot would allow a larger page than guest_memfd has. */
	setup(PRIVATE_GPA, SZ_1G, 0);
	touch(0, SZ_2M);
	touch(SZ_1G - SZ_2M, SZ_2M);
	check_maps(2, 0, "1 GiB");
	teardown();
}

/* Anonymous memory that nobody has touched, and that the guest will write. */
static void test_shared(void)
{
	struct kvm_pre_fault_memory range = { .gpa = PRIVATE_GPA, .size = NR_BLOCKS * SZ_2M };
	long faults;
	void *hva;

	setup(PRIVATE_GPA, NR_BLOCKS * SZ_2M, 0);
	set_private(vm->fd, slot.gpa, slot.size, false);
	hva = mmap(slot.hva, slot.size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	TEST_ASSERT(hva == slot.hva, "No anonymous memory");
	check_errno(__pre_fault(vcpu->fd, &range), 0, "KVM_PRE_FAULT_MEMORY of shared memory");
	faults = read_number(PF_TAKEN);
	fill(0, slot.size);
	faults = read_number(PF_TAKEN) - faults;
	/* Deleting the last slot has zapped the guest's code and stack. */
	check(faults < 64, "writes to it are no faults (%ld)", faults);
	teardown();
}

static void test_misaligned(void)
{
	setup(PRIVATE_GPA, SZ_2M, SZ_4K);
	touch(0, SZ_2M);
	check_maps(0, 512, "offset in the file not aligned");
	teardown();

	setup(PRIVATE_GPA + SZ_4K, 2 * SZ_2M, 0);
	touch(0, 32 * SZ_4K);
	check_maps(0, 32, "address not aligned");
	teardown();

	/*
	 * Address and offset have the same misalignment: only the range between the edges
	 * is huge.
	 */
	setup(PRIVATE_GPA + SZ_2M - 2 * SZ_4K, SZ_2M + 5 * SZ_4K, SZ_2M - 2 * SZ_4K);
	touch(0, slot.size);
	check_maps(1, 5, "edges of the slot inside of blocks");
	teardown();

	setup(PRIVATE_GPA, SZ_2M - SZ_4K, 0);
	touch(0, slot.size);
	check_maps(0, 511, "a slot smaller than a block");
	teardown();
}

/* Convert [offset, offset + size) of one block to shared and back. */
static void convert_part(uint64_t offset, uint64_t size, const char *what)
{
	uint64_t nr_blocks = (offset + size - 1) / SZ_2M - offset / SZ_2M + 1;
	uint64_t i;

	fill(0, 2 * SZ_2M);
	new_maps();
	set_private(vm->fd, slot.gpa + offset, size, false);
	for (i = 0; i < size; i += SZ_4K)
		slot.hva[(offset + i) / 8] = SHARED_VALUE + slot.gpa + offset + i;

	check(!guest_call(vcpu, guest_count_other, slot.gpa + offset, size, SHARED_VALUE),
	      "%s: the guest sees shared memory", what);
	check(intact(0, offset) && intact(offset + size, 2 * SZ_2M - offset - size),
	      "%s: the rest is private and intact", what);
	/* The block outside of the range stays mapped. */
	check_maps(0, nr_blocks * 512 - size / SZ_4K, what);

	set_private(vm->fd, slot.gpa + offset, size, true);
	check(intact(0, 2 * SZ_2M), "%s: all is intact when it is private again", what);
	check_maps(nr_blocks, 0, what);
	for (i = 0; i < size; i += SZ_4K)
		if (slot.hva[(offset + i) / 8] != SHARED_VALUE + slot.gpa + offset + i)
			break;
	check(i == size, "%s: shared memory is intact, too", what);
}

static void test_conversion(void)
{
	setup(PRIVATE_GPA, 3 * SZ_2M, 0);
	convert_part(0, SZ_4K, "first page of a block");
	convert_part(SZ_2M - SZ_4K, SZ_4K, "last page of a block");
	convert_part(SZ_2M + 7 * SZ_4K, 100 * SZ_4K, "middle of a block");
	convert_part(0, SZ_2M / 2, "half a block");
	convert_part(SZ_2M / 2, SZ_2M, "halves of two blocks");
	convert_part(0, SZ_2M, "a whole block");

	/* A private range inside shared memory. */
	set_private(vm->fd, slot.gpa, 2 * SZ_2M, false);
	set_private(vm->fd, slot.gpa + SZ_2M + SZ_4K, 2 * SZ_4K, true);
	new_maps();
	check(intact(SZ_2M + SZ_4K, 2 * SZ_4K), "two pages alone are private and intact");
	check_maps(0, 2, "two pages alone");
	teardown();
}

static void test_hole(void)
{
	setup(PRIVATE_GPA, 2 * SZ_2M, 0);
	fill(0, slot.size);
	new_maps();

	gmem_punch(slot.gmem_fd, 3 * SZ_4K, 10 * SZ_4K);
	check(zeroes(3 * SZ_4K, 10 * SZ_4K), "a hole in a block has zeroes");
	check(intact(0, 3 * SZ_4K) && intact(13 * SZ_4K, slot.size - 13 * SZ_4K),
	      "what is around the hole is intact");
	/*
	 * The guest faults in the pages of the hole one by one, and the last one makes
	 * the block huge.
	 */
	check_maps(1, 9, "a block with a hole that is used again");

	fill(0, slot.size);
	gmem_punch(slot.gmem_fd, SZ_2M - SZ_4K, 2 * SZ_4K);
	check(intact(0, SZ_2M - SZ_4K) && zeroes(SZ_2M - SZ_4K, 2 * SZ_4K) &&
	      intact(SZ_2M + SZ_4K, SZ_2M - SZ_4K), "a hole across the edge of two blocks");

	fill(0, slot.size);
	gmem_punch(slot.gmem_fd, SZ_4K, 2 * SZ_2M - 2 * SZ_4K);
	check(intact(0, SZ_4K) && zeroes(SZ_4K, 2 * SZ_2M - 2 * SZ_4K) &&
	      intact(2 * SZ_2M - SZ_4K, SZ_4K), "a hole that leaves the first and the last page");
	teardown();
}

/* Punch out a block piece by piece, in the order that @step defines. */
static void punch_pieces(unsigned int step, const char *what)
{
	long before, pages;
	int i;

	fill(0, 2 * SZ_2M);
	before = file_pages();
	for (i = 0; i < 512; i += 8)
		gmem_punch(slot.gmem_fd, (i * step % 512) * SZ_4K, 8 * SZ_4K);
	pages = before - file_pages();
	check(pages == 512, "%s: %ld of 512 pages are freed", what, pages);
	check(intact(SZ_2M, SZ_2M), "%s: the next block is intact", what);
	check(zeroes(0, SZ_2M), "%s: the block has zeroes", what);
	new_maps();
	gmem_punch(slot.gmem_fd, 0, SZ_2M);
	touch(0, SZ_2M);
	check_maps(1, 0, what);
}

static void test_free(void)
{
	long before, pages;

	setup(PRIVATE_GPA, 2 * SZ_2M, 0);
	fill(0, 2 * SZ_2M);
	before = file_pages();
	gmem_punch(slot.gmem_fd, 0, SZ_2M);
	pages = before - file_pages();
	check(pages == 512, "a block that is punched out: %ld of 512 pages are freed", pages);

	punch_pieces(1, "pieces, upwards");
	punch_pieces(511, "pieces, downwards");
	punch_pieces(75, "pieces, mixed");

	/* A piece that was used again in between keeps the block. */
	fill(0, 2 * SZ_2M);
	before = file_pages();
	gmem_punch(slot.gmem_fd, 0, SZ_2M / 2);
	fill(0, SZ_4K);
	gmem_punch(slot.gmem_fd, SZ_2M / 2, SZ_2M / 2);
	check(before == file_pages() && intact(0, SZ_4K),
	      "halves of a block: the one used again is intact");
	check(zeroes(SZ_4K, SZ_2M - SZ_4K), "halves of a block: the rest has zeroes");
	teardown();
}

/* Existing small pages, and a conversion that frees memory. */
static void test_small_pages(void)
{
	setup(PRIVATE_GPA, 2 * SZ_2M, 0);
	set_private(vm->fd, slot.gpa + 100 * SZ_4K, SZ_4K, false);
	fill(0, 10 * SZ_4K);
	check_maps(0, 10, "a block that is mixed from the start");
	set_private(vm->fd, slot.gpa + 100 * SZ_4K, SZ_4K, true);
	check(intact(0, 10 * SZ_4K) && zeroes(10 * SZ_4K, SZ_2M - 10 * SZ_4K),
	      "the content is kept when the block is private as a whole");
	new_maps();

	gmem_punch(slot.gmem_fd, 0, SZ_2M);
	touch(0, SZ_2M);
	check_maps(1, 0, "the block after all of it was punched out");
	teardown();
}

/*
 * Faults next to a small page allocate a small page each, not 2 MiB that would be freed.
 */
static void test_beside_small_page(void)
{
	uint64_t allocated;

	setup(PRIVATE_GPA, 2 * SZ_2M, 0);
	set_private(vm->fd, slot.gpa + SZ_4K, SZ_2M - SZ_4K, false);
	touch(0, SZ_4K);
	check_maps(0, 1, "a small page");
	set_private(vm->fd, slot.gpa, slot.size, true);
	allocated = count_allocated_pages();
	touch(0, SZ_2M);
	allocated = count_allocated_pages() - allocated;
	check(allocated < 8 * 512, "511 faults beside a small page allocate %lu pages", allocated);
	teardown();
}

/* With kvm.gmem_huge_pages=0 all pages have 4 KiB, as in mainline. */
static void test_off(void)
{
	struct kvm_pre_fault_memory range = { .gpa = PRIVATE_GPA, .size = NR_BLOCKS * SZ_2M };
	long before, pages;
	int i;

	setup(PRIVATE_GPA, NR_BLOCKS * SZ_2M, 0);
	check_errno(__pre_fault(vcpu->fd, &range), 0, "off: KVM_PRE_FAULT_MEMORY");
	check_maps(0, NR_BLOCKS * 512, "off: pre-faulted");
	touch(0, slot.size);
	check_maps(0, 0, "off: touched after that");
	teardown();

	setup(PRIVATE_GPA, NR_BLOCKS * SZ_2M, 0);
	fill(0, slot.size);
	check_maps(0, NR_BLOCKS * 512, "off: touched");
	/* Small pages are counted in batches, and 2 MiB pages would not be freed. */
	before = file_pages();
	for (i = 0; i < 512; i += 2)
		gmem_punch(slot.gmem_fd, i * SZ_4K, SZ_4K);
	pages = before - file_pages();
	check(pages > 200, "off: pages that are punched out are freed alone (%ld)", pages);
	check(zeroes(6 * SZ_4K, SZ_4K) && intact(7 * SZ_4K, SZ_4K),
	      "off: a hole has zeroes, and a page beside it is intact");
	set_private(vm->fd, slot.gpa, slot.size, false);
	set_private(vm->fd, slot.gpa, slot.size, true);
	new_maps();
	check(intact(SZ_2M, SZ_2M), "off: mapped anew, the content is kept");
	check_maps(0, 512, "off: mapped anew");
	teardown();
}

static void test_on(void)
{
	test_mapping();
	test_shared();
	test_misaligned();
	test_conversion();
	test_hole();
	test_free();
	test_small_pages();
	test_beside_small_page();
}

/* "off" means that the parameter is off. */
int main(int argc, char *argv[])
{
	bool off = argc > 1 && !strcmp(argv[1], "off");
	struct vcpu_watch watch;

	require_private_mem();
	__TEST_REQUIRE(read_number(LEAKED_PAGES) >= 0,
		       "this KVM maps private memory in 4 KiB");

	vm = private_vm_create(1, &vcpu);
	watch_begin(&watch, vcpu->fd);
	check(read_parameter("/sys/module/kvm/parameters/gmem_huge_pages") == !off,
	      "pages of 2 MiB: %s", off ? "off" : "on");
	if (off)
		test_off();
	else
		test_on();
	/* At least this many pages are touched, most of them while they are mapped. */
	watch_end(&watch, off ? 2 * NR_BLOCKS * 512 : 64 * 512, "vCPU");
	check(audit_is_clean(), "the audit has no findings");
	kvm_vm_free(vm);
	return check_finish();
}
