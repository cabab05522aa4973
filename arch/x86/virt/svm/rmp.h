/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Reverse Map Table: where it is, and how an entry looks
 *
 * Pure functions of numbers, so that KUnit can test them.
 */
#ifndef __X86_VIRT_SVM_RMP_H
#define __X86_VIRT_SVM_RMP_H

#include <linux/align.h>
#include <linux/bitfield.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/sizes.h>

#include <asm/snp_host.h>

/* The table begins with the processors' own bookkeeping. */
#define RMP_BOOKKEEPING		SZ_16K
#define RMP_ENTRY_SIZE		16
/* Firmware takes no other. */
#define RMP_BASE_ALIGN		SZ_1M

/* [start, end) in system physical memory; empty if there is none */
struct rmp_range {
	u64 start;
	u64 end;
};

/* The raw entry of family 19h and Zen 5's family 1Ah without RMPREAD */
struct rmp_raw_entry {
	u64 lo;
	u64 hi;
} __packed;
static_assert(sizeof(struct rmp_raw_entry) == RMP_ENTRY_SIZE);

#define RMP_RAW_ASSIGNED	BIT_ULL(0)
#define RMP_RAW_PAGE_2M		BIT_ULL(1)
#define RMP_RAW_IMMUTABLE	BIT_ULL(2)
#define RMP_RAW_GPA		GENMASK_ULL(50, 12)
#define RMP_RAW_ASID		GENMASK_ULL(60, 51)
#define RMP_RAW_VMSA		BIT_ULL(61)
#define RMP_RAW_VALIDATED	BIT_ULL(62)

/* What RMPREAD stores, and RMPUPDATE takes */
struct rmp_insn_state {
	u64 gpa;
	u8 assigned;
	u8 pagesize : 1;		/* RMP_PG_SIZE_* */
	u8 region_assigned : 1;		/* RMPREAD: any of the 2 MiB */
	u8 rsvd1 : 6;
	u8 immutable;
	u8 rsvd2;
	u32 asid;
} __packed;
static_assert(sizeof(struct rmp_insn_state) == 16);
static_assert(offsetof(struct rmp_insn_state, asid) == 12);

/* RMP_BASE and RMP_END (last byte, or 0) as a range; empty if they make none */
static inline struct rmp_range rmp_range_of_msrs(u64 base, u64 last)
{
	struct rmp_range r = {};

	if (!base || last <= base || last == U64_MAX)
		return r;
	if (!IS_ALIGNED(base, RMP_BASE_ALIGN) || !PAGE_ALIGNED(last + 1))
		return r;
	if (last + 1 - base <= RMP_BOOKKEEPING)
		return r;
	r.start = base;
	r.end = last + 1;
	return r;
}

/* The number of pages of 4 KiB, from page 0 on, that a table has entries for */
static inline u64 rmp_entries(const struct rmp_range *r)
{
	if (r->end <= r->start + RMP_BOOKKEEPING)
		return 0;
	return (r->end - r->start - RMP_BOOKKEEPING) / RMP_ENTRY_SIZE;
}

static inline bool rmp_covers(const struct rmp_range *r, u64 pfn, u64 npages)
{
	u64 entries = rmp_entries(r);

	return pfn < entries && npages <= entries - pfn;
}

/*
 * The parts of 2 MiB regions that a table begins and ends in, but does not
 * fill. The host must not write there, because a write through a page of 2 MiB
 * would touch the table as well.
 */
static inline struct rmp_range rmp_head_gap(const struct rmp_range *r)
{
	return (struct rmp_range) { ALIGN_DOWN(r->start, PMD_SIZE), r->start };
}

static inline struct rmp_range rmp_tail_gap(const struct rmp_range *r)
{
	return (struct rmp_range) { r->end, ALIGN(r->end, PMD_SIZE) };
}

static inline void rmp_decode_raw(const struct rmp_raw_entry *raw, struct snp_rmp_state *s)
{
	*s = (struct snp_rmp_state) {
		.gpa = raw->lo & RMP_RAW_GPA,
		.asid = FIELD_GET(RMP_RAW_ASID, raw->lo),
		.level = raw->lo & RMP_RAW_PAGE_2M ? PG_LEVEL_2M : PG_LEVEL_4K,
		.assigned = raw->lo & RMP_RAW_ASSIGNED,
		.immutable = raw->lo & RMP_RAW_IMMUTABLE,
		.vmsa = raw->lo & RMP_RAW_VMSA,
		.validated = raw->lo & RMP_RAW_VALIDATED,
		.raw = true,
	};
}

static inline void rmp_decode_insn(const struct rmp_insn_state *insn, struct snp_rmp_state *s)
{
	*s = (struct snp_rmp_state) {
		.gpa = insn->gpa,
		.asid = insn->asid,
		.level = insn->pagesize == RMP_PG_SIZE_2M ? PG_LEVEL_2M : PG_LEVEL_4K,
		.assigned = insn->assigned,
		.immutable = insn->immutable,
	};
}

/* rmp.c */
bool rmp_pfn_covered(u64 pfn, u64 npages);
struct rmp_range rmp_table_range(void);
int rmp_table_map(void);
void rmp_table_clear(void);

#endif /* __X86_VIRT_SVM_RMP_H */
