// SPDX-License-Identifier: GPL-2.0-only
/*
 * The audit of private memory compares what an SNP guest has mapped, and what guest_memfd
 * has prepared, with the RMP. It has no findings after each kind of change.
 *
 * The test checks nothing but the audit, so that a kernel that violates one of its rules
 * fails here because of that rule: lab/mutants/kvm.list has a kernel for each.
 */
#include "private_mem_watch.h"
#include "processor.h"
#include "snp_bare.h"

#define NR_PAGES	512
#define HUGE_GPA	BARE_DATA_GPA
#define SMALL_GPA	(BARE_DATA_GPA + SZ_2M)
/* The launched pages, without VMSAs, which are not in the file. */
#define NR_LAUNCHED	(BARE_LAUNCH_SIZE / SZ_4K)

static struct snp_bare guest;

static void audit_is(long mappings, long pages, const char *what)
{
	struct audit audit;

	read_audit(&audit);
	check(!audit.findings && audit.pages == NR_LAUNCHED + pages && audit.mappings >= mappings,
	      "%s: the audit has %s, sees %ld mappings (at least %ld) and %ld pages (%ld)", what,
	      audit.findings ? audit.kinds : "no findings", audit.mappings, mappings, audit.pages,
	      NR_LAUNCHED + pages);
}

/* Mapped, but never accessed by the guest. */
static void pre_fault(uint64_t gpa, uint64_t nr)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = nr * SZ_4K };
	int r = __pre_fault(guest.vcpu_fd[0], &range);

	if (r)
		printf("# pre-fault of %lu pages at 0x%lx: errno %d\n", nr, gpa, errno);
}

static void punch_pages(uint64_t gpa, uint64_t nr)
{
	gmem_punch(guest.data_fd, gpa - BARE_DATA_GPA, nr * SZ_4K);
}

static void test_huge_page(void)
{
	pre_fault(HUGE_GPA, NR_PAGES);
	audit_is(1, NR_PAGES, "2 MiB");
	punch_pages(HUGE_GPA + 5 * SZ_4K, 1);
	audit_is(0, NR_PAGES - 1, "a page of it is punched out");
	pre_fault(HUGE_GPA, NR_PAGES);
	audit_is(NR_PAGES, NR_PAGES, "and used again");
	punch_pages(HUGE_GPA, 1);
	audit_is(NR_PAGES - 1, NR_PAGES - 1, "the first page is punched out");
	punch_pages(HUGE_GPA, NR_PAGES);
	audit_is(0, 0, "all of it is");
}

static void test_small_pages(void)
{
	set_private(guest.vm_fd, SMALL_GPA + 9 * SZ_4K, SZ_4K, false);
	pre_fault(SMALL_GPA, 8);
	audit_is(8, 8, "small pages");
	punch_pages(SMALL_GPA + 2 * SZ_4K, 1);
	audit_is(7, 7, "one is punched out");
	set_private(guest.vm_fd, SMALL_GPA, SZ_4K, false);
	audit_is(6, 7, "one is shared");
	punch_pages(SMALL_GPA, NR_PAGES);
	audit_is(0, 0, "all are punched out");
}

int main(int argc, char *argv[])
{
	struct audit before;

	require_snp();
	setbuf(stdout, NULL);
	__TEST_REQUIRE(read_audit(&before), "no audit: KVM_PRIVATE_MEM_AUDIT is off");
	check(!before.findings && !before.pages, "there is no other guest (%ld, %ld)",
	      before.findings, before.pages);

	bare_init(&guest);
	TEST_ASSERT(!bare_launch(&guest), "No guest, errno %d", errno);
	set_private(guest.vm_fd, BARE_DATA_GPA, BARE_DATA_SIZE, true);
	audit_is(0, 0, "a guest");
	test_huge_page();
	test_small_pages();
	bare_free(&guest);
	read_audit(&before);
	check(!before.findings && !before.pages, "the guest ends: the audit sees %ld pages",
	      before.pages);
	return check_finish();
}
