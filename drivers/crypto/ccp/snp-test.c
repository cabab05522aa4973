// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of the table of SNP's command buffers, and of its page ranges */
#include <kunit/test.h>
#include <linux/psp-sev.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "sev-cmd-table.h"
#include "sev-snp.h"
#include "snp-bufs.h"
#include "snp-ranges.h"

/*
 * Members that the specifications mark as written by firmware, by number of the
 * command and offset in its buffer: what the table has to say, in other words.
 */
struct written {
	int cmd;
	bool own;
	u16 addr[2];
	u16 len[2];
	bool in_place;
};

static const struct written written[] = {
	{ 0x004, true },					/* PLATFORM_STATUS */
	{ 0x006, true, { 0 }, { 8 } },				/* PEK_CSR */
	{ 0x008, true, { 0, 16 }, { 8, 24 } },			/* PDH_CERT_EXPORT */
	{ 0x00c, true, { 0 }, { 8 } },				/* GET_ID */
	{ 0x023, true },					/* GUEST_STATUS */
	{ 0x030, true },					/* LAUNCH_START */
	{ 0x031, false, { 8 }, { 16 }, true },			/* LAUNCH_UPDATE_DATA */
	{ 0x032, false, { 8 }, { 16 }, true },			/* LAUNCH_UPDATE_VMSA */
	{ 0x033, true, { 8 }, { 16 } },				/* LAUNCH_MEASURE */
	{ 0x034, false, { 24 }, { 32 }, true },			/* LAUNCH_UPDATE_SECRET */
	{ 0x036, true, { 8 }, { 32 } },				/* ATTESTATION_REPORT */
	{ 0x040, true, { 56 }, { 64 } },			/* SEND_START */
	{ 0x041, true, { 8, 40 }, { 16, 48 } },			/* SEND_UPDATE_DATA */
	{ 0x050, true },					/* RECEIVE_START */
	{ 0x051, false, { 24 }, { 32 }, true },			/* RECEIVE_UPDATE_DATA */
	{ 0x052, false, { 24 }, { 32 }, true },			/* RECEIVE_UPDATE_VMSA */
	{ 0x060, false, { 16 }, { 24 } },			/* DBG_DECRYPT */
	{ 0x061, false, { 16 }, { 24 }, true },			/* DBG_ENCRYPT */
	{ 0x083, false, { 0 } },				/* SNP_PLATFORM_STATUS */
	{ 0x092, false, { 8 } },				/* SNP_GUEST_STATUS */
	{ 0x094, false, { 16 } },				/* SNP_GUEST_REQUEST */
	{ 0x0b0, false, { 16 } },				/* SNP_DBG_DECRYPT */
	{ 0x0ce, false, { 8 } },				/* SNP_FEATURE_INFO */
};

static void check_command(struct kunit *test, const struct written *w)
{
	const struct sev_cmd_desc *d = sev_cmd_desc(w->cmd);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL_MSG(test, d, "command %#x", w->cmd);
	KUNIT_EXPECT_EQ_MSG(test, d->writes_own, w->own, "command %#x", w->cmd);
	for (i = 0; i < ARRAY_SIZE(d->bufs); i++) {
		const struct snp_buf_desc *b = &d->bufs[i];

		/* No second address is at offset 0. */
		if (b->kind == SNP_BUF_NONE) {
			KUNIT_EXPECT_EQ_MSG(test, w->addr[i] + w->len[i], 0, "command %#x", w->cmd);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, b->addr_off, w->addr[i], "command %#x", w->cmd);
		KUNIT_EXPECT_EQ_MSG(test, b->len_off, w->len[i], "command %#x", w->cmd);
		KUNIT_EXPECT_EQ_MSG(test, b->kind != SNP_BUF_COPY, w->in_place,
				    "command %#x", w->cmd);
		/* Nothing may sleep once user memory is firmware-owned: it is the only buffer. */
		KUNIT_EXPECT_FALSE_MSG(test, b->kind == SNP_BUF_IN_PLACE &&
				       (d->writes_own || i || d->bufs[1].kind != SNP_BUF_NONE),
				       "command %#x", w->cmd);
		KUNIT_EXPECT_EQ_MSG(test, !b->len_off, b->fixed_len != 0, "command %#x", w->cmd);
	}
}

static void writes_nothing(struct kunit *test, int cmd)
{
	const struct sev_cmd_desc *d = sev_cmd_desc(cmd);

	KUNIT_ASSERT_NOT_NULL_MSG(test, d, "command %#x", cmd);
	KUNIT_EXPECT_FALSE_MSG(test, d->writes_own || d->bufs[0].kind != SNP_BUF_NONE,
			       "command %#x", cmd);
}

static void table(struct kunit *test)
{
	unsigned int i;
	int cmd;

	for (i = 0; i < ARRAY_SIZE(written); i++)
		check_command(test, &written[i]);

	for (cmd = 0; cmd < SEV_CMD_MAX; cmd++) {
		const struct sev_cmd_desc *d = sev_cmd_desc(cmd);

		KUNIT_EXPECT_EQ_MSG(test, sev_cmd_buffer_len(cmd), d ? d->len : 0,
				    "command %#x", cmd);
		/* The addresses of what the firmware writes are in the command's buffer. */
		if (d && d->bufs[0].kind != SNP_BUF_NONE)
			KUNIT_EXPECT_GE_MSG(test, (int)d->len,
					    (int)(d->bufs[0].addr_off + sizeof(u64)),
					    "command %#x", cmd);
	}
	writes_nothing(test, SEV_CMD_INIT);
	writes_nothing(test, SEV_CMD_SNP_LAUNCH_UPDATE);
	writes_nothing(test, SEV_CMD_SNP_PAGE_RECLAIM);
}

static void lengths(struct kunit *test)
{
	const struct sev_cmd_desc *csr = sev_cmd_desc(SEV_CMD_PEK_CSR);
	const struct sev_cmd_desc *update = sev_cmd_desc(SEV_CMD_LAUNCH_UPDATE_DATA);
	const struct sev_cmd_desc *request = sev_cmd_desc(SEV_CMD_SNP_GUEST_REQUEST);
	struct sev_data_launch_update_data u = { .address = 0x1000, .len = SZ_8M };
	struct sev_data_pek_csr c = { .address = 0x1000, .len = 100 };

	KUNIT_EXPECT_EQ(test, snp_fw_buf_len(&csr->bufs[0], &c), 100U);
	c.len = U32_MAX;
	KUNIT_EXPECT_EQ(test, snp_fw_buf_len(&csr->bufs[0], &c), (u32)SEV_FW_BLOB_MAX_SIZE);
	/* Memory of a guest is what it is. */
	KUNIT_EXPECT_EQ(test, snp_fw_buf_len(&update->bufs[0], &u), (u32)SZ_8M);
	KUNIT_EXPECT_EQ(test, snp_fw_buf_len(&request->bufs[0], &c), (u32)PAGE_SIZE);

	/* Firmware answers what it would need, which may be more than there is. */
	KUNIT_EXPECT_EQ(test, snp_fw_copy_back_len(64, 2084), 64U);
	KUNIT_EXPECT_EQ(test, snp_fw_copy_back_len(2084, 64), 64U);
	KUNIT_EXPECT_EQ(test, snp_fw_copy_back_len(64, 0), 0U);
}

static void pages(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, snp_fw_buf_pages(0x1000, 0x1000), 1UL);
	KUNIT_EXPECT_EQ(test, snp_fw_buf_pages(0x1ff0, 0x10), 1UL);
	KUNIT_EXPECT_EQ(test, snp_fw_buf_pages(0x1ff0, 0x11), 2UL);
	KUNIT_EXPECT_EQ(test, snp_fw_buf_pages(0x1fff, 0x1002), 3UL);
	KUNIT_EXPECT_EQ(test, snp_fw_buf_pages(0x1000, 0), 0UL);
	KUNIT_EXPECT_EQ(test, snp_fw_buf_pages(U64_MAX - 0xfff, 0x1000), 0UL);
	KUNIT_EXPECT_EQ(test, snp_fw_buf_pages(U64_MAX, 2), 0UL);
	KUNIT_EXPECT_EQ(test, snp_fw_buf_pages(0, U32_MAX), 1UL << 20);
}

static void expect_range(struct kunit *test, struct snp_range_list *l, unsigned int i,
			 u64 base, u32 count)
{
	KUNIT_ASSERT_LT(test, i, l->buf->num_elements);
	KUNIT_EXPECT_EQ(test, l->buf->ranges[i].base, base);
	KUNIT_EXPECT_EQ(test, l->buf->ranges[i].page_count, count);
}

static void ranges(struct kunit *test)
{
	struct snp_range_list l = { .max = 5, .hole_start = 0x100000, .hole_end = 0x200000 };

	l.buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, l.buf);
	/* One page, one byte of two pages */
	KUNIT_EXPECT_EQ(test, snp_ranges_add(&l, 0x1000, 0x1fff), 0);
	expect_range(test, &l, 0, 0x1000, 1);
	KUNIT_EXPECT_EQ(test, snp_ranges_add(&l, 0x2fff, 0x3000), 0);
	expect_range(test, &l, 1, 0x2000, 2);
	/* All of the hole, and around it */
	KUNIT_EXPECT_EQ(test, snp_ranges_add(&l, 0x100000, 0x1fffff), 0);
	KUNIT_EXPECT_EQ(test, l.buf->num_elements, 2U);
	KUNIT_EXPECT_EQ(test, snp_ranges_add(&l, 0xff000, 0x200fff), 0);
	expect_range(test, &l, 2, 0xff000, 1);
	expect_range(test, &l, 3, 0x200000, 1);
	KUNIT_EXPECT_EQ(test, snp_ranges_add(&l, 0x1ff000, 0x201fff), 0);
	expect_range(test, &l, 4, 0x200000, 2);
	/* Full */
	KUNIT_EXPECT_EQ(test, snp_ranges_add(&l, 0x300000, 0x300fff), -E2BIG);
	KUNIT_EXPECT_EQ(test, l.buf->num_elements, 5U);
	/* More pages than one range can have */
	l.buf->num_elements = 0;
	KUNIT_EXPECT_EQ(test, snp_ranges_add(&l, 0x200000, 0x200000 + PFN_PHYS(1ULL << 32) - 1), 0);
	expect_range(test, &l, 0, 0x200000, U32_MAX);
	expect_range(test, &l, 1, 0x200000 + PFN_PHYS((u64)U32_MAX), 1);
	/* The list and its head fit in a page, and one more range would not. */
	KUNIT_EXPECT_EQ(test, SNP_RANGES_MAX, 255UL);
}

static struct kunit_case snp_cases[] = {
	KUNIT_CASE(table),
	KUNIT_CASE(lengths),
	KUNIT_CASE(pages),
	KUNIT_CASE(ranges),
	{}
};

static struct kunit_suite snp_suite = {
	.name = "ccp-snp",
	.test_cases = snp_cases,
};

kunit_test_suite(snp_suite);
