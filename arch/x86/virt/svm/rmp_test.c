// SPDX-License-Identifier: GPL-2.0-only
/* KUnit tests of the RMP's arithmetic and of the layouts of its entries */
#include <kunit/test.h>

#include "rmp.h"

struct msr_case {
	u64 base, last;
	u64 start, end;
};

static const struct msr_case msr_cases[] = {
	/* 16 KiB of bookkeeping and entries for 1 GiB */
	{ 0x40000000, 0x40403fff, 0x40000000, 0x40404000 },
	{ 0, 0x403fff, 0, 0 },				/* none */
	{ 0x40000000, 0, 0, 0 },
	{ 0x40000000, 0x3fffffff, 0, 0 },		/* turned around */
	{ 0x40000000, 0x40003fff, 0, 0 },		/* no entry */
	{ 0x40080000, 0x41003fff, 0, 0 },		/* not aligned */
	{ 0x40000000, 0x40403ffe, 0, 0 },
	{ 0x40000000, U64_MAX, 0, 0 },
};

static void range_of_msrs(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msr_cases); i++) {
		const struct msr_case *c = &msr_cases[i];
		struct rmp_range r = rmp_range_of_msrs(c->base, c->last);

		KUNIT_EXPECT_EQ_MSG(test, r.start, c->start, "case %u", i);
		KUNIT_EXPECT_EQ_MSG(test, r.end, c->end, "case %u", i);
	}
}

static void coverage(struct kunit *test)
{
	const struct rmp_range r = { 0x40000000, 0x40404000 };
	const struct rmp_range none = {};

	KUNIT_EXPECT_EQ(test, rmp_entries(&r), 0x40000ULL);
	KUNIT_EXPECT_EQ(test, rmp_entries(&none), 0ULL);
	KUNIT_EXPECT_TRUE(test, rmp_covers(&r, 0, 0x40000));
	KUNIT_EXPECT_FALSE(test, rmp_covers(&r, 0, 0x40001));
	KUNIT_EXPECT_TRUE(test, rmp_covers(&r, 0x3ffff, 1));
	KUNIT_EXPECT_FALSE(test, rmp_covers(&r, 0x3ffff, 2));
	KUNIT_EXPECT_FALSE(test, rmp_covers(&r, 0x40000, 0));
	KUNIT_EXPECT_FALSE(test, rmp_covers(&r, 1, U64_MAX));
	KUNIT_EXPECT_FALSE(test, rmp_covers(&none, 0, 1));
}

static void gaps(struct kunit *test)
{
	const struct rmp_range odd = { 0x40100000, 0x40504000 };
	const struct rmp_range even = { 0x40000000, 0x40400000 };

	KUNIT_EXPECT_EQ(test, rmp_head_gap(&odd).start, 0x40000000ULL);
	KUNIT_EXPECT_EQ(test, rmp_head_gap(&odd).end, 0x40100000ULL);
	KUNIT_EXPECT_EQ(test, rmp_tail_gap(&odd).start, 0x40504000ULL);
	KUNIT_EXPECT_EQ(test, rmp_tail_gap(&odd).end, 0x40600000ULL);
	KUNIT_EXPECT_EQ(test, rmp_head_gap(&even).start, rmp_head_gap(&even).end);
	KUNIT_EXPECT_EQ(test, rmp_tail_gap(&even).start, rmp_tail_gap(&even).end);
}

static void raw_entry(struct kunit *test)
{
	/* Bit by bit: assigned, 2 MiB, GPA 0x12345000, ASID 5, validated */
	struct rmp_raw_entry raw = { .lo = 3 | 0x12345000 | 5ULL << 51 | 1ULL << 62 };
	struct snp_rmp_state s;

	rmp_decode_raw(&raw, &s);
	KUNIT_EXPECT_TRUE(test, s.assigned && s.validated && s.raw);
	KUNIT_EXPECT_FALSE(test, s.immutable || s.vmsa);
	KUNIT_EXPECT_EQ(test, s.level, PG_LEVEL_2M);
	KUNIT_EXPECT_EQ(test, s.gpa, 0x12345000ULL);
	KUNIT_EXPECT_EQ(test, s.asid, 5U);

	/* immutable and VMSA, all bits of ASID and GPA, the top bit ignored */
	raw.lo = ~0ULL & ~(3ULL | 1ULL << 62);
	rmp_decode_raw(&raw, &s);
	KUNIT_EXPECT_TRUE(test, s.immutable && s.vmsa);
	KUNIT_EXPECT_FALSE(test, s.assigned || s.validated);
	KUNIT_EXPECT_EQ(test, s.level, PG_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, s.gpa, 0x7fffffffff000ULL);
	KUNIT_EXPECT_EQ(test, s.asid, 1023U);
}

static void insn_state(struct kunit *test)
{
	struct rmp_insn_state insn = {};
	u8 *bytes = (u8 *)&insn;
	struct snp_rmp_state s;

	bytes[0] = 0;
	bytes[1] = 0x10;	/* GPA 0x1000 */
	bytes[8] = 1;		/* assigned */
	bytes[9] = 1;		/* 2 MiB */
	bytes[10] = 1;		/* immutable */
	bytes[12] = 7;		/* ASID */
	rmp_decode_insn(&insn, &s);
	KUNIT_EXPECT_TRUE(test, s.assigned && s.immutable);
	KUNIT_EXPECT_FALSE(test, s.raw || s.vmsa || s.validated);
	KUNIT_EXPECT_EQ(test, s.level, PG_LEVEL_2M);
	KUNIT_EXPECT_EQ(test, s.gpa, 0x1000ULL);
	KUNIT_EXPECT_EQ(test, s.asid, 7U);

	/* That another page of the 2 MiB is assigned is not about this one. */
	bytes[8] = 0;
	bytes[9] = 2;
	rmp_decode_insn(&insn, &s);
	KUNIT_EXPECT_FALSE(test, s.assigned);
	KUNIT_EXPECT_EQ(test, s.level, PG_LEVEL_4K);
}

static struct kunit_case rmp_cases[] = {
	KUNIT_CASE(range_of_msrs),
	KUNIT_CASE(coverage),
	KUNIT_CASE(gaps),
	KUNIT_CASE(raw_entry),
	KUNIT_CASE(insn_state),
	{}
};

static struct kunit_suite rmp_suite = {
	.name = "snp-rmp",
	.test_cases = rmp_cases,
};

kunit_test_suite(rmp_suite);

MODULE_LICENSE("GPL");
