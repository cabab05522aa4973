// SPDX-License-Identifier: GPL-2.0-only
/*
 * Launch of SNP guests in 2 MiB pages: where userspace provides all of a 2 MiB page, it
 * is one page for the firmware, in the RMP and for the guest. Where that is not possible,
 * the launch uses 4 KiB pages, and reports how far it got.
 */
#include <sys/mman.h>

#include "processor.h"
#include "snp.h"

#define NORMAL		1
#define ZERO		3
#define UNMEASURED	4

#define PARAMETERS	"/sys/module/kvm/parameters/"

static struct snp_vm snp;
static uint64_t *source;

static uint64_t chunk(unsigned int nr)
{
	return SNP_DATA_GPA + nr * SZ_2M;
}

static uint64_t word_at(uint64_t offset)
{
	return offset * 0x9e3779b97f4a7c15ul ^ 0x5eed;
}

/* The page after it can't be read. */
static void fill_source(uint64_t size)
{
	uint64_t i;

	source = mmap(NULL, size + SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	TEST_ASSERT(source != MAP_FAILED, "mmap() fails, errno %d", errno);
	mprotect((void *)source + size, SZ_4K, PROT_NONE);
	for (i = 0; i < size / 8; i++)
		source[i] = word_at(i);
}

static void *source_at(uint64_t offset)
{
	return (void *)source + offset;
}

static int update(uint64_t gpa, void *from, uint64_t size, uint8_t type)
{
	return __snp_launch_update(&snp, gpa, from, size, type, NULL);
}

/* One KVM_SEV_SNP_LAUNCH_UPDATE: how many pages it launches, and the errno. */
static long update_once(uint64_t gpa, void *from, uint64_t size, int *error)
{
	struct kvm_sev_snp_launch_update params = {
		.gfn_start = gpa >> 12,
		.uaddr = (uintptr_t)from,
		.len = size,
		.type = NORMAL,
	};

	*error = __snp_command(&snp, KVM_SEV_SNP_LAUNCH_UPDATE, &params, NULL) ? errno : 0;
	return params.gfn_start - (gpa >> 12);
}

/* The guest later checks each chunk for what the launch does here. */
static void launch(void)
{
	struct userspace_mem_region *region = memslot2region(snp.vm, 0);
	int error;
	long done;

	set_private(snp.vm->fd, chunk(0), 6 * SZ_2M, true);
	set_private(snp.vm->fd, chunk(3) + 300 * SZ_4K, SZ_4K, false);
	TEST_ASSERT(!__snp_launch_start(&snp, 0x30000), "LAUNCH_START fails, errno %d", errno);

	check(!update(0, (void *)region->region.userspace_addr, region->region.memory_size, NORMAL),
	      "the guest's program");
	check(!update(chunk(0), source, SZ_2M, NORMAL), "2 MiB");
	check_errno(update(chunk(0), source, SZ_2M, NORMAL), EEXIST, "the same again");
	check_errno(update(chunk(0) + SZ_4K, source, SZ_4K, NORMAL), EEXIST, "a part of it again");
	check(!update(chunk(1), NULL, SZ_2M, ZERO), "2 MiB of zeroes");

	check(!update(chunk(2) + 5 * SZ_4K, source_at(5 * SZ_4K), SZ_4K, NORMAL), "a page");
	check_errno(update(chunk(2), source, SZ_2M, NORMAL), EEXIST, "2 MiB around it");
	check(!update(chunk(2) + 6 * SZ_4K, source_at(6 * SZ_4K), SZ_2M - 6 * SZ_4K, NORMAL),
	      "what's behind it");

	done = update_once(chunk(3), source, SZ_2M, &error);
	check(done == 300 && error == EAGAIN, "2 MiB with a page that is shared (%ld, %d)",
	      done, error);

	done = update_once(chunk(4), source_at(SZ_2M + 212 * SZ_4K), SZ_2M, &error);
	check(done == 300 && error == EAGAIN, "2 MiB with a source that ends (%ld, %d)",
	      done, error);

	check(!update(chunk(5) - SZ_4K, source_at(SZ_2M - SZ_4K), SZ_2M + SZ_4K, UNMEASURED),
	      "2 MiB and the page before");

	TEST_ASSERT(!__snp_launch_finish(&snp), "LAUNCH_FINISH fails, errno %d", errno);
	TEST_ASSERT(!snp_resume(&snp), "The guest doesn't start");
}

/* True if each page of [@gpa, @end) has the content at the same offset from @from. */
static bool content_is(uint64_t gpa, uint64_t end, uint64_t from)
{
	for (; gpa < end; gpa += SZ_4K, from += SZ_4K) {
		uint64_t word = from / 8 + (gpa >> 12) % 512;

		if (!snp_reads(&snp, gpa + (gpa >> 12) % 512 * 8, word_at(word)))
			return false;
	}
	return true;
}

static void look(void)
{
	check(snp_pvalidate(&snp, chunk(0), PVAL_2M, true) == PVAL_NO_CHANGE, "2 MiB are one page");
	check(content_is(chunk(0), chunk(1), 0), "with all of the content");
	check(snp_pvalidate(&snp, chunk(1), PVAL_2M, true) == PVAL_NO_CHANGE,
	      "zeroes are one page");
	check(snp_reads(&snp, chunk(1), 0) && snp_reads(&snp, chunk(2) - 8, 0), "and zeroes");

	check(snp_pvalidate(&snp, chunk(2) + 5 * SZ_4K, PVAL_4K, true) == PVAL_NO_CHANGE &&
	      snp_pvalidate(&snp, chunk(2) + 511 * SZ_4K, PVAL_4K, true) == PVAL_NO_CHANGE,
	      "pages that came one by one are validated");
	check(content_is(chunk(2) + 5 * SZ_4K, chunk(3), 5 * SZ_4K), "with their content");
	check(content_is(chunk(3), chunk(3) + 300 * SZ_4K, 0), "those before the shared one too");
	check(content_is(chunk(4), chunk(4) + 300 * SZ_4K, SZ_2M + 212 * SZ_4K),
	      "and those before the end of the source");
	check(snp_pvalidate(&snp, chunk(5), PVAL_2M, true) == PVAL_NO_CHANGE,
	      "2 MiB behind a page are one page");
	check(content_is(chunk(5) - SZ_4K, chunk(6), SZ_2M - SZ_4K), "with all of the content");
}

/* A launched 2 MiB page can be split like any other. */
static void take_apart(void)
{
	uint64_t gpa = chunk(0) + 7 * SZ_4K;

	check(snp_pvalidate(&snp, gpa, PVAL_4K, false) == 0,
	      "4 KiB of it are not validated any more");
	check(snp_pvalidate(&snp, gpa, PVAL_4K, true) == 0, "and are again");
	check(snp_pvalidate(&snp, chunk(0), PVAL_2M, true) == PVAL_MISMATCH, "which has split it");
	check(content_is(chunk(0), gpa, 0) && content_is(gpa + SZ_4K, chunk(1), 8 * SZ_4K),
	      "and leaves all else");

	set_private(snp.vm->fd, chunk(5), SZ_2M, false);
	gmem_punch(snp.gmem_fd, chunk(5) - SNP_DATA_GPA, SZ_2M);
	check(snp_order(&snp, SNP_READ, chunk(5), 0, 0) == -1 && errno == EFAULT &&
	      is_memory_fault(snp.vcpus[0], chunk(5), true), "taken from the guest");
}

/* With kvm.gmem_huge_pages=0 all pages have 4 KiB, as in mainline. */
static void test_off(void)
{
	struct userspace_mem_region *region = memslot2region(snp.vm, 0);

	set_private(snp.vm->fd, chunk(0), 3 * SZ_2M, true);
	TEST_ASSERT(!__snp_launch_start(&snp, 0x30000), "LAUNCH_START fails, errno %d", errno);
	check(!update(0, (void *)region->region.userspace_addr, region->region.memory_size, NORMAL),
	      "off: the guest's program");
	check(!update(chunk(0), source, SZ_2M, NORMAL), "off: 2 MiB");
	check(!update(chunk(1), NULL, SZ_2M, ZERO), "off: 2 MiB of zeroes");
	TEST_ASSERT(!__snp_launch_finish(&snp), "LAUNCH_FINISH fails, errno %d", errno);
	TEST_ASSERT(!snp_resume(&snp), "The guest doesn't start");

	check(snp_pvalidate(&snp, chunk(0), PVAL_2M, true) == PVAL_MISMATCH &&
	      snp_pvalidate(&snp, chunk(1), PVAL_2M, true) == PVAL_MISMATCH,
	      "off: they are small pages");
	check(snp_pvalidate(&snp, chunk(0), PVAL_4K, true) == PVAL_NO_CHANGE &&
	      snp_pvalidate(&snp, chunk(2) - SZ_4K, PVAL_4K, true) == PVAL_NO_CHANGE,
	      "off: that are validated");
	check(content_is(chunk(0), chunk(1), 0), "off: with all of the content");
	check(snp_reads(&snp, chunk(1), 0) && snp_reads(&snp, chunk(2) - 8, 0), "off: and zeroes");
	check(snp_pvalidate(&snp, chunk(2), PVAL_2M, true) == PVAL_MISMATCH &&
	      snp_pvalidate(&snp, chunk(2), PVAL_4K, true) == 0,
	      "off: so is what the guest takes later");
}

static void test_on(void)
{
	launch();
	look();
	take_apart();
}

/* "off" means that the parameter is off. */
int main(int argc, char *argv[])
{
	bool off = argc > 1 && !strcmp(argv[1], "off");
	long leaked;

	require_snp();
	setbuf(stdout, NULL);
	leaked = leaked_pages();
	fill_source(2 * SZ_2M);

	check(read_parameter(PARAMETERS "gmem_huge_pages") == !off, "pages of 2 MiB: %s",
	      off ? "off" : "on");
	snp_vm_create(&snp);
	if (off)
		test_off();
	else
		test_on();
	snp_vm_free(&snp);

	check(leaked_pages() == leaked, "no page is leaked");
	return check_finish();
}
