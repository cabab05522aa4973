// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of RMP entries: RMPUPDATE and PSMASH
 *
 * The direct map and the RMP: a write of the host through a page of 2 MiB or
 * more is a fault as soon as any 4 KiB of those 2 MiB is assigned. So a page of
 * 4 KiB is mapped by itself in the direct map before it is assigned, and before
 * a page next to an assigned one becomes the host's. A page of 2 MiB that is
 * assigned as one needs no split: the host writes to none of it, and the
 * processor checks 2 MiB of a larger mapping at a time.
 */
#define pr_fmt(fmt) "SEV-SNP: " fmt

#include <linux/cpufeature.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/mm.h>

#include <asm/leak.h>
#include <asm/set_memory.h>

#include "rmp.h"

/*
 * Another processor that works on the same or an overlapping entry makes the
 * instructions fail for the moment. A lasting reason, such as a guest that runs
 * with the page as its VMSA, looks alike.
 */
#define RMP_TRIES	256

static int rmp_errno(int fail)
{
	switch (fail) {
	case 0:
		return 0;
	case RMP_FAIL_INPUT:
		return -EINVAL;
	case RMP_FAIL_PERMISSION:
		return -EPERM;
	case RMP_FAIL_INUSE:
		return -EBUSY;
	case RMP_FAIL_OVERLAP:
		return -EEXIST;
	default:
		return -EIO;
	}
}

static bool rmp_may_pass(int fail)
{
	return fail == RMP_FAIL_INUSE || fail == RMP_FAIL_OVERLAP;
}

/* Execute RMPUPDATE or PSMASH of a page until it succeeds or fails permanently. */
static int rmp_retry(int (*insn)(u64 paddr, const struct rmp_insn_state *state), u64 pfn,
		     const struct rmp_insn_state *state)
{
	int tries = RMP_TRIES;
	int ret;

	do {
		ret = insn(PFN_PHYS(pfn), state);
		if (!rmp_may_pass(ret))
			break;
		cpu_relax();
	} while (--tries);
	return rmp_errno(ret);
}

/* Map what @pfn is in by 4 KiB pages in the direct map, if it is there. */
static int rmp_split_direct_map_page(u64 pfn)
{
	unsigned long addr;
	unsigned int level;
	pte_t *pte;

	if (!pfn_valid(pfn))
		return 0;
	addr = (unsigned long)pfn_to_kaddr(pfn);
	pte = lookup_address(addr, &level);
	if (!pte || pte_none(*pte) || level == PG_LEVEL_4K)
		return 0;
	return set_memory_4k(addr, 1);
}

int rmp_split_direct_map(u64 pfn, unsigned long npages)
{
	unsigned long i;
	int ret = 0;

	for (i = 0; i < npages && !ret; i++)
		ret = rmp_split_direct_map_page(pfn + i);
	return ret;
}
EXPORT_SYMBOL_GPL(rmp_split_direct_map);

static int rmp_update_once(u64 paddr, const struct rmp_insn_state *state)
{
	int ret;

	/* "rmpupdate" is new in binutils 2.36. */
	asm volatile(".byte 0xf2, 0x0f, 0x01, 0xfe"
		     : "=a" (ret)
		     : "a" (paddr), "c" (state)
		     : "memory", "cc");
	return ret;
}

static int rmp_update(u64 pfn, enum pg_level level, struct rmp_insn_state *state)
{
	u64 npages = level == PG_LEVEL_2M ? PTRS_PER_PMD : 1;
	int ret;

	if (!boot_cpu_has(X86_FEATURE_SEV_SNP))
		return -ENODEV;
	if ((level != PG_LEVEL_4K && level != PG_LEVEL_2M) ||
	    !IS_ALIGNED(pfn, npages) || !rmp_pfn_covered(pfn, npages))
		return -EINVAL;

	if (level == PG_LEVEL_4K) {
		ret = rmp_split_direct_map_page(pfn);
		if (ret)
			return ret;
	}
	state->pagesize = level == PG_LEVEL_2M ? RMP_PG_SIZE_2M : RMP_PG_SIZE_4K;
	return rmp_retry(rmp_update_once, pfn, state);
}

int rmp_make_private(u64 pfn, u64 gpa, enum pg_level level, u32 asid, bool immutable)
{
	struct rmp_insn_state state = {
		.gpa = gpa,
		.assigned = 1,
		.immutable = immutable,
		.asid = asid,
	};

	return rmp_update(pfn, level, &state);
}
EXPORT_SYMBOL_GPL(rmp_make_private);

int rmp_make_shared(u64 pfn, enum pg_level level)
{
	struct rmp_insn_state state = {};

	return rmp_update(pfn, level, &state);
}
EXPORT_SYMBOL_GPL(rmp_make_shared);

static int rmp_smash_once(u64 paddr, const struct rmp_insn_state *unused)
{
	int ret;

	/* "psmash" is new in binutils 2.36. */
	asm volatile(".byte 0xf3, 0x0f, 0x01, 0xff"
		     : "=a" (ret)
		     : "a" (paddr)
		     : "memory", "cc");
	return ret;
}

int psmash(u64 pfn)
{
	if (!boot_cpu_has(X86_FEATURE_SEV_SNP))
		return -ENODEV;
	if (!IS_ALIGNED(pfn, PTRS_PER_PMD) || !rmp_pfn_covered(pfn, PTRS_PER_PMD))
		return -EINVAL;
	return rmp_retry(rmp_smash_once, pfn, NULL);
}
EXPORT_SYMBOL_GPL(psmash);

void snp_leak_pages(u64 pfn, unsigned int npages)
{
	if (x86_leak_pages(pfn, npages))
		snp_dump_rmp(pfn, "page leaked");
}
EXPORT_SYMBOL_GPL(snp_leak_pages);
