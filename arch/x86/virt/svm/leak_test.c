// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit test of the count of leaked pages. In a module by itself, since its pages
 * are never freed.
 */
#include <kunit/test.h>
#include <linux/mm.h>

#include <asm/leak.h>
#include <asm/snp_host.h>

/*
 * Leaks are counted once, a compound page as a whole, and outlive their owner's
 * reference.
 */
static void leaks(struct kunit *test)
{
	unsigned long before = x86_leaked_pages();
	struct page *single, *compound;

	single = alloc_page(GFP_KERNEL);
	compound = alloc_pages(GFP_KERNEL | __GFP_COMP, 2);
	KUNIT_ASSERT_TRUE(test, single && compound);

	snp_leak_pages(page_to_pfn(single), 1);
	KUNIT_EXPECT_EQ(test, x86_leaked_pages(), before + 1);
	snp_leak_pages(page_to_pfn(single), 1);
	KUNIT_EXPECT_EQ(test, x86_leaked_pages(), before + 1);
	put_page(single);
	KUNIT_EXPECT_EQ(test, page_count(single), 1);

	snp_leak_pages(page_to_pfn(compound) + 3, 1);
	KUNIT_EXPECT_EQ(test, x86_leaked_pages(), before + 5);
	snp_leak_pages(page_to_pfn(compound), 4);
	KUNIT_EXPECT_EQ(test, x86_leaked_pages(), before + 5);
	put_page(compound);
	KUNIT_EXPECT_EQ(test, page_count(compound), 1);
}

static struct kunit_case leak_cases[] = {
	KUNIT_CASE(leaks),
	{}
};

static struct kunit_suite leak_suite = {
	.name = "snp-leak",
	.test_cases = leak_cases,
};

kunit_test_suite(leak_suite);

MODULE_LICENSE("GPL");
