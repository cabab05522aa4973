// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the RMP on a machine that has one: states of pages, the direct
 * map around them, faults of the host. They leave every page the host's.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include <asm/set_memory.h>

#include "host_test.h"
#include "rmp.h"

#define ORDER_2M	(PMD_SHIFT - PAGE_SHIFT)
#define ASID		1

/* 2 MiB of memory that the direct map may have as one page */
struct region {
	struct page *page;
	u64 pfn;
	void *addr;
};

static int region_init(struct kunit *test)
{
	struct region *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	if (!r)
		return -ENOMEM;
	test->priv = r;
	if (!boot_cpu_has(X86_FEATURE_SEV_SNP))
		kunit_skip(test, "not an SEV-SNP host");
	r->page = alloc_pages(GFP_KERNEL | __GFP_ZERO, ORDER_2M);
	if (!r->page)
		return -ENOMEM;
	r->pfn = page_to_pfn(r->page);
	r->addr = page_address(r->page);
	return 0;
}

static void region_exit(struct kunit *test)
{
	struct region *r = test->priv;
	struct snp_rmp_state s;
	unsigned int i;

	if (!r || !r->page)
		return;
	for (i = 0; i < PTRS_PER_PMD; i++) {
		if (snp_read_rmp(r->pfn + i, &s) || s.assigned) {
			KUNIT_FAIL(test, "page %u is still assigned", i);
			return;
		}
	}
	__free_pages(r->page, ORDER_2M);
}

static unsigned int map_level(const void *addr)
{
	unsigned int level = PG_LEVEL_NONE;

	lookup_address((unsigned long)addr, &level);
	return level;
}

bool host_write_faults(void *addr)
{
	u64 val = 0x5a;

	pagefault_disable();
	__put_kernel_nofault(addr, &val, u64, fault);
	pagefault_enable();
	return false;
fault:
	pagefault_enable();
	return true;
}

static void state_4k(struct kunit *test)
{
	struct region *r = test->priv;
	const u64 gpa = 0x7654321000;
	struct snp_rmp_state s;
	bool assigned;
	int level;

	KUNIT_ASSERT_EQ(test, rmp_make_private(r->pfn + 3, gpa, PG_LEVEL_4K, ASID, false), 0);
	KUNIT_EXPECT_EQ(test, snp_read_rmp(r->pfn + 3, &s), 0);
	KUNIT_EXPECT_TRUE(test, s.assigned && !s.immutable && !s.validated);
	KUNIT_EXPECT_EQ(test, s.asid, (u32)ASID);
	KUNIT_EXPECT_EQ(test, s.gpa, gpa);
	KUNIT_EXPECT_EQ(test, s.level, PG_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, snp_lookup_rmpentry(r->pfn + 4, &assigned, &level), 0);
	KUNIT_EXPECT_FALSE(test, assigned);
	/* What is inside of it can't become one page of 2 MiB. */
	KUNIT_EXPECT_EQ(test, rmp_make_private(r->pfn, PMD_SIZE, PG_LEVEL_2M, ASID, false),
			-EEXIST);
	KUNIT_EXPECT_EQ(test, rmp_make_shared(r->pfn + 3, PG_LEVEL_4K), 0);
	KUNIT_EXPECT_EQ(test, snp_read_rmp(r->pfn + 3, &s), 0);
	KUNIT_EXPECT_FALSE(test, s.assigned);
	KUNIT_EXPECT_EQ(test, rmp_make_shared(r->pfn + 3, PG_LEVEL_4K), 0);
}

static void state_2m(struct kunit *test)
{
	struct region *r = test->priv;
	struct snp_rmp_state s;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, rmp_make_private(r->pfn, 0x40000000, PG_LEVEL_2M, ASID, false), 0);
	/* Each of the 512 is governed by the one entry. */
	KUNIT_EXPECT_EQ(test, snp_read_rmp(r->pfn + 511, &s), 0);
	KUNIT_EXPECT_TRUE(test, s.assigned);
	KUNIT_EXPECT_EQ(test, s.level, PG_LEVEL_2M);
	KUNIT_EXPECT_EQ(test, s.gpa, 0x40000000ULL);
	KUNIT_EXPECT_EQ(test, rmp_make_shared(r->pfn + 1, PG_LEVEL_4K), -EEXIST);

	KUNIT_EXPECT_EQ(test, psmash(r->pfn + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, psmash(r->pfn), 0);
	KUNIT_EXPECT_EQ(test, snp_read_rmp(r->pfn + 511, &s), 0);
	KUNIT_EXPECT_TRUE(test, s.assigned);
	KUNIT_EXPECT_EQ(test, s.level, PG_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, s.gpa, 0x40000000ULL + 511 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, psmash(r->pfn), -EINVAL);
	for (i = 0; i < PTRS_PER_PMD; i++)
		KUNIT_EXPECT_EQ(test, rmp_make_shared(r->pfn + i, PG_LEVEL_4K), 0);
}

static void arguments(struct kunit *test)
{
	struct region *r = test->priv;
	struct snp_rmp_state s;
	u64 start, end, far;

	snp_rmp_bounds(&start, &end);
	KUNIT_EXPECT_LT(test, start, end);
	far = (end - start) / RMP_ENTRY_SIZE;

	KUNIT_EXPECT_EQ(test, rmp_make_private(r->pfn + 1, 0, PG_LEVEL_2M, ASID, false), -EINVAL);
	KUNIT_EXPECT_EQ(test, rmp_make_private(r->pfn, 0x1000, PG_LEVEL_2M, ASID, false), -EINVAL);
	KUNIT_EXPECT_EQ(test, rmp_make_private(r->pfn, 0, PG_LEVEL_1G, ASID, false), -EINVAL);
	KUNIT_EXPECT_EQ(test, rmp_make_private(r->pfn, 0x1000, PG_LEVEL_4K, 0, false), -EINVAL);
	KUNIT_EXPECT_EQ(test, rmp_make_private(far, 0, PG_LEVEL_4K, ASID, false), -EINVAL);
	KUNIT_EXPECT_EQ(test, rmp_make_shared(far, PG_LEVEL_4K), -EINVAL);
	KUNIT_EXPECT_EQ(test, psmash(ALIGN(far, PTRS_PER_PMD)), -EINVAL);
	KUNIT_EXPECT_EQ(test, psmash(r->pfn), -EINVAL);
	KUNIT_EXPECT_EQ(test, snp_read_rmp(far, &s), -ENXIO);
	KUNIT_EXPECT_EQ(test, snp_read_rmp(U64_MAX, &s), -ENXIO);
}

/* The RMP itself is the firmware's, if there is one: immutable. */
static void immutable(struct kunit *test)
{
	struct snp_rmp_state s;
	u64 start, end;

	snp_rmp_bounds(&start, &end);
	KUNIT_ASSERT_EQ(test, snp_read_rmp(PHYS_PFN(start), &s), 0);
	if (!s.assigned)
		kunit_skip(test, "the firmware has not been started");
	KUNIT_EXPECT_TRUE(test, s.immutable);
	KUNIT_EXPECT_EQ(test, s.asid, 0U);
	KUNIT_EXPECT_EQ(test, rmp_make_shared(PHYS_PFN(start), PG_LEVEL_4K), -EPERM);
	KUNIT_EXPECT_EQ(test, snp_read_rmp(PHYS_PFN(start), &s), 0);
	KUNIT_EXPECT_TRUE(test, s.assigned);
}

/*
 * A page of 4 KiB is by itself in the direct map while it is assigned, so that
 * its neighbours can be written; one of 2 MiB is so as soon as a part of it is
 * the host's.
 */
static void direct_map(struct kunit *test)
{
	struct region *r = test->priv;
	unsigned int before = map_level(r->addr);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, rmp_make_private(r->pfn, 0, PG_LEVEL_2M, ASID, false), 0);
	KUNIT_EXPECT_EQ(test, map_level(r->addr), before);
	KUNIT_ASSERT_EQ(test, psmash(r->pfn), 0);
	KUNIT_ASSERT_EQ(test, rmp_make_shared(r->pfn + 7, PG_LEVEL_4K), 0);
	KUNIT_EXPECT_EQ(test, map_level(r->addr + 7 * PAGE_SIZE), (unsigned int)PG_LEVEL_4K);
	KUNIT_EXPECT_FALSE(test, host_write_faults(r->addr + 7 * PAGE_SIZE));
	for (i = 0; i < PTRS_PER_PMD; i++)
		KUNIT_EXPECT_EQ(test, rmp_make_shared(r->pfn + i, PG_LEVEL_4K), 0);
}

static void direct_map_4k(struct kunit *test)
{
	struct region *r = test->priv;

	if (map_level(r->addr) == PG_LEVEL_4K)
		kunit_skip(test, "this memory is mapped by 4 KiB already");
	KUNIT_ASSERT_EQ(test, rmp_make_private(r->pfn + 9, 0, PG_LEVEL_4K, ASID, false), 0);
	KUNIT_EXPECT_EQ(test, map_level(r->addr + 9 * PAGE_SIZE), (unsigned int)PG_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, map_level(r->addr + 8 * PAGE_SIZE), (unsigned int)PG_LEVEL_4K);
	KUNIT_EXPECT_FALSE(test, host_write_faults(r->addr + 8 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, rmp_make_shared(r->pfn + 9, PG_LEVEL_4K), 0);
}

/* A write that has a fixup fails, and reads do not. */
static void host_fault(struct kunit *test)
{
	struct region *r = test->priv;
	u64 val;

	KUNIT_ASSERT_EQ(test, rmp_make_private(r->pfn + 5, 0, PG_LEVEL_4K, ASID, false), 0);
	KUNIT_EXPECT_TRUE(test, host_write_faults(r->addr + 5 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, get_kernel_nofault(val, (u64 *)(r->addr + 5 * PAGE_SIZE)), 0);
	KUNIT_EXPECT_FALSE(test, host_write_faults(r->addr + 6 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, rmp_make_shared(r->pfn + 5, PG_LEVEL_4K), 0);
	KUNIT_EXPECT_FALSE(test, host_write_faults(r->addr + 5 * PAGE_SIZE));
}

static struct kunit_case host_cases[] = {
	KUNIT_CASE(direct_map_4k),
	KUNIT_CASE(state_4k),
	KUNIT_CASE(state_2m),
	KUNIT_CASE(arguments),
	KUNIT_CASE(immutable),
	KUNIT_CASE(direct_map),
	KUNIT_CASE(host_fault),
	{}
};

static struct kunit_suite host_suite = {
	.name = "snp-host",
	.init = region_init,
	.exit = region_exit,
	.test_cases = host_cases,
};

kunit_test_suite(host_suite);

MODULE_LICENSE("GPL");
