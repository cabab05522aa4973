// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of pages that are firmware-owned, and of reclaiming pages of
 * guests, on a machine where SNP is initialized. They leave every page the host's.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/psp-sev.h>
#include <linux/smp.h>

#include <asm/smp.h>
#include <asm/snp_host.h>

#define ORDER_2M	(PMD_SHIFT - PAGE_SHIFT)
#define ASID		1

static int hw_init(struct kunit *test)
{
	if (!sev_is_snp_initialized())
		kunit_skip(test, "SNP is not initialized");
	return 0;
}

static struct snp_rmp_state rmp_of(struct kunit *test, u64 pfn)
{
	struct snp_rmp_state s = {};

	KUNIT_ASSERT_EQ(test, snp_read_rmp(pfn, &s), 0);
	return s;
}

static bool is_firmware(struct kunit *test, u64 pfn)
{
	struct snp_rmp_state s = rmp_of(test, pfn);

	return s.assigned && s.immutable && !s.asid && !s.gpa && !s.vmsa;
}

static void firmware_page(struct kunit *test)
{
	void *addr = snp_alloc_firmware_page(GFP_KERNEL | __GFP_ZERO);
	u64 pfn;

	KUNIT_ASSERT_NOT_NULL(test, addr);
	pfn = PHYS_PFN(__pa(addr));
	KUNIT_EXPECT_TRUE(test, is_firmware(test, pfn));
	KUNIT_EXPECT_NULL(test, memchr_inv(addr, 0, PAGE_SIZE));
	/* The host can't take it by itself. */
	KUNIT_EXPECT_EQ(test, rmp_make_shared(pfn, PG_LEVEL_4K), -EPERM);
	snp_free_firmware_page(addr);
	KUNIT_EXPECT_FALSE(test, rmp_of(test, pfn).assigned);
	snp_free_firmware_page(NULL);
}

/* A guest's page, with and without the firmware's hand on it, in both sizes */
static void reclaim(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL, ORDER_2M);
	u64 pfn = page_to_pfn(page);
	int immutable;

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, snp_reclaim_page(pfn), 0);
	for (immutable = 0; immutable < 2; immutable++) {
		KUNIT_EXPECT_EQ(test, rmp_make_private(pfn + 1, 0x5000, PG_LEVEL_4K, ASID,
						       immutable), 0);
		KUNIT_EXPECT_EQ(test, snp_reclaim(pfn + 1, PG_LEVEL_2M), -EEXIST);
		KUNIT_EXPECT_TRUE(test, rmp_of(test, pfn + 1).assigned);
		KUNIT_EXPECT_EQ(test, snp_reclaim_page(pfn + 1), 0);
		KUNIT_EXPECT_FALSE(test, rmp_of(test, pfn + 1).assigned);

		KUNIT_EXPECT_EQ(test, rmp_make_private(pfn, PMD_SIZE, PG_LEVEL_2M, ASID,
						       immutable), 0);
		KUNIT_EXPECT_EQ(test, snp_reclaim_page(pfn + 1), -EEXIST);
		KUNIT_EXPECT_EQ(test, snp_reclaim_page(pfn), -EEXIST);
		KUNIT_EXPECT_TRUE(test, rmp_of(test, pfn + 511).assigned);
		KUNIT_EXPECT_EQ(test, snp_reclaim(pfn, PG_LEVEL_2M), 0);
		KUNIT_EXPECT_FALSE(test, rmp_of(test, pfn).assigned);
	}
	KUNIT_EXPECT_EQ(test, snp_reclaim_page(U64_MAX), -ENXIO);
	/* If the test has failed the pages are not free. */
	if (!rmp_of(test, pfn).assigned && !rmp_of(test, pfn + 1).assigned)
		__free_pages(page, ORDER_2M);
}

/* A context is reclaimed when its guest is gone, and not before. */
static void context(struct kunit *test)
{
	struct sev_data_snp_addr buf;
	int error = -1;
	void *addr;
	u64 pfn;

	/* Not in a page of the host's */
	addr = (void *)get_zeroed_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, addr);
	buf.address = __psp_pa(addr);
	KUNIT_EXPECT_EQ(test, sev_do_cmd(SEV_CMD_SNP_GCTX_CREATE, &buf, &error), -EIO);
	KUNIT_EXPECT_EQ(test, error, (int)SEV_RET_INVALID_PAGE_STATE);
	free_page((unsigned long)addr);

	addr = snp_alloc_firmware_page(GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, addr);
	pfn = PHYS_PFN(__pa(addr));
	buf.address = __psp_pa(addr);
	KUNIT_EXPECT_EQ(test, sev_do_cmd(SEV_CMD_SNP_GCTX_CREATE, &buf, &error), 0);
	KUNIT_EXPECT_EQ(test, error, 0);
	KUNIT_EXPECT_TRUE(test, rmp_of(test, pfn).vmsa || !rmp_of(test, pfn).raw);
	KUNIT_EXPECT_EQ(test, snp_reclaim_page(pfn), -EIO);
	KUNIT_EXPECT_EQ(test, sev_do_cmd(SEV_CMD_SNP_DECOMMISSION, &buf, &error), 0);
	KUNIT_EXPECT_TRUE(test, is_firmware(test, pfn));
	snp_free_firmware_page(addr);
	KUNIT_EXPECT_FALSE(test, rmp_of(test, pfn).assigned);
}

/* The answer of a guest's status in a buffer of the host's, and in firmware's */
static void answers(struct kunit *test)
{
	struct sev_data_snp_guest_status status;
	void *gctx = snp_alloc_firmware_page(GFP_KERNEL | __GFP_ZERO);
	void *own = snp_alloc_firmware_page(GFP_KERNEL | __GFP_ZERO);
	u8 *host = (void *)get_zeroed_page(GFP_KERNEL);
	struct sev_data_snp_addr buf;
	u64 before;

	KUNIT_ASSERT_TRUE(test, gctx && own && host);
	buf.address = __psp_pa(gctx);
	KUNIT_ASSERT_EQ(test, sev_do_cmd(SEV_CMD_SNP_GCTX_CREATE, &buf, NULL), 0);
	memset(host, 0xa5, PAGE_SIZE);
	/* In the middle of a page that has other things in it */
	status.gctx_paddr = __psp_pa(gctx);
	status.address = __psp_pa(host + 256);
	before = status.address;
	KUNIT_EXPECT_EQ(test, sev_do_cmd(SEV_CMD_SNP_GUEST_STATUS, &status, NULL), 0);
	KUNIT_EXPECT_EQ(test, status.address, before);
	KUNIT_EXPECT_EQ(test, host[255], 0xa5);
	KUNIT_EXPECT_NOT_NULL(test, memchr_inv(host + 256, 0xa5, 64));
	KUNIT_EXPECT_NULL(test, memchr_inv(host + 256 + 64, 0xa5, PAGE_SIZE - 256 - 64));
	KUNIT_EXPECT_FALSE(test, rmp_of(test, PHYS_PFN(__pa(host))).assigned);

	status.address = __psp_pa(own);
	KUNIT_EXPECT_EQ(test, sev_do_cmd(SEV_CMD_SNP_GUEST_STATUS, &status, NULL), 0);
	KUNIT_EXPECT_EQ(test, memcmp(own, host + 256, 64), 0);
	KUNIT_EXPECT_TRUE(test, is_firmware(test, PHYS_PFN(__pa(own))));

	/* Nothing is copied from a command that fails. */
	KUNIT_EXPECT_EQ(test, sev_do_cmd(SEV_CMD_SNP_DECOMMISSION, &buf, NULL), 0);
	memset(host, 0xa5, PAGE_SIZE);
	status.address = __psp_pa(host);
	KUNIT_EXPECT_EQ(test, sev_do_cmd(SEV_CMD_SNP_GUEST_STATUS, &status, NULL), -EIO);
	KUNIT_EXPECT_NULL(test, memchr_inv(host, 0xa5, PAGE_SIZE));
	snp_free_firmware_page(gctx);
	snp_free_firmware_page(own);
	free_page((unsigned long)host);
}

/*
 * Only user memory that is the host's is written in place, even for a SEV guest.
 */
static void lend_what_is_not_ours(struct kunit *test)
{
	struct sev_data_launch_update_vmsa vmsa = { .len = 2 * PAGE_SIZE };
	struct sev_data_launch_update_data update = { .len = PAGE_SIZE };
	struct page *page = alloc_pages(GFP_KERNEL, 1);
	u64 pfn = page_to_pfn(page);
	int error = 0;

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, rmp_make_private(pfn + 1, 0x1000, PG_LEVEL_4K, ASID, false), 0);
	vmsa.address = __psp_pa(page_address(page));
	KUNIT_EXPECT_EQ(test, sev_do_cmd(SEV_CMD_LAUNCH_UPDATE_VMSA, &vmsa, &error), -EPERM);
	KUNIT_EXPECT_EQ(test, error, (int)SEV_RET_NO_FW_CALL);
	update.address = vmsa.address;
	KUNIT_EXPECT_EQ(test, sev_do_cmd(SEV_CMD_LAUNCH_UPDATE_DATA, &update, &error), -EFAULT);
	update.len = 6 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, sev_do_cmd(SEV_CMD_LAUNCH_UPDATE_DATA, &update, &error), -EINVAL);
	KUNIT_EXPECT_EQ(test, error, (int)SEV_RET_NO_FW_CALL);
	KUNIT_EXPECT_FALSE(test, rmp_of(test, pfn).assigned);
	KUNIT_EXPECT_EQ(test, rmp_of(test, pfn + 1).asid, (u32)ASID);
	KUNIT_EXPECT_EQ(test, snp_reclaim_page(pfn + 1), 0);
	__free_pages(page, 1);
}

static void flush(struct kunit *test)
{
	int error = -1;

	wbinvd_on_all_cpus();
	KUNIT_EXPECT_EQ(test, sev_guest_df_flush(&error), 0);
	KUNIT_EXPECT_EQ(test, error, 0);
}

static struct kunit_case hw_cases[] = {
	KUNIT_CASE(firmware_page),
	KUNIT_CASE(reclaim),
	KUNIT_CASE(context),
	KUNIT_CASE(answers),
	KUNIT_CASE(lend_what_is_not_ours),
	KUNIT_CASE(flush),
	{}
};

static struct kunit_suite hw_suite = {
	.name = "ccp-snp-hw",
	.init = hw_init,
	.test_cases = hw_cases,
};

kunit_test_suite(hw_suite);

MODULE_LICENSE("GPL");
