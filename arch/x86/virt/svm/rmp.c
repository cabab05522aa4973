// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Reverse Map Table (RMP) of an SEV-SNP host: finding and reading it
 *
 * The BIOS sets memory aside for one table, and says where in RMP_BASE and
 * RMP_END. Segmented tables (RMP_CFG) are refused: their entries are not next
 * to each other, and a BIOS that makes one on a processor that can do without
 * has been told to.
 */
#define pr_fmt(fmt) "SEV-SNP: " fmt

#include <linux/cpufeature.h>
#include <linux/export.h>
#include <linux/io.h>
#include <linux/memblock.h>
#include <linux/ratelimit.h>

#include <asm/e820/api.h>
#include <asm/msr.h>

#include "rmp.h"

/* Written once at boot, before there is a second processor */
static struct rmp_range rmp __ro_after_init;

/* All entries from page 0 on, mapped if there is no RMPREAD or it is to be cleared */
static struct rmp_raw_entry *rmp_raw __ro_after_init;

struct rmp_range rmp_table_range(void)
{
	return rmp;
}

bool rmp_pfn_covered(u64 pfn, u64 npages)
{
	return rmp_covers(&rmp, pfn, npages);
}

void snp_rmp_bounds(u64 *start, u64 *end)
{
	bool usable = boot_cpu_has(X86_FEATURE_SEV_SNP);

	*start = usable ? rmp.start : 0;
	*end = usable ? rmp.end : 0;
}
EXPORT_SYMBOL_GPL(snp_rmp_bounds);

static const char *rmp_find_table(struct cpuinfo_x86 *c)
{
	u64 base, last, cfg;

	/* What a guest sees of 8000_001F is about itself. */
	if (cpu_has(c, X86_FEATURE_HYPERVISOR))
		return "";
	/* The layout of an entry is known for these only. */
	if (!cpu_has(c, X86_FEATURE_RMPREAD) && c->x86 != 0x19 && c->x86 != 0x1a)
		return "the layout of the RMP of this processor is not known";
	if (cpu_has(c, X86_FEATURE_SEGMENTED_RMP)) {
		rdmsrl(MSR_AMD64_RMP_CFG, cfg);
		if (cfg & MSR_AMD64_SEG_RMP_ENABLED)
			return "segmented RMPs are not supported";
	}
	rdmsrl(MSR_AMD64_RMP_BASE, base);
	rdmsrl(MSR_AMD64_RMP_END, last);
	rmp = rmp_range_of_msrs(base, last);
	if (!rmp.end)
		return "the BIOS has not set aside memory for the RMP";
	return NULL;
}

/*
 * Called for the boot processor when its features are known, before there is a
 * memory map. Takes X86_FEATURE_SEV_SNP away unless there is a table.
 */
void snp_host_detect(struct cpuinfo_x86 *c)
{
	const char *why;

	if (!cpu_has(c, X86_FEATURE_SEV_SNP))
		return;
	why = rmp_find_table(c);
	if (why) {
		if (*why)
			pr_info("%s\n", why);
		setup_clear_cpu_cap(X86_FEATURE_SEV_SNP);
		return;
	}
	pr_info("RMP at [%#llx-%#llx]\n", rmp.start, rmp.end - 1);
}

static void __init rmp_reserve_gap(struct rmp_range gap)
{
	if (gap.start >= gap.end ||
	    !e820__mapped_any(gap.start, gap.end, E820_TYPE_RAM))
		return;
	pr_info("reserving [%#llx-%#llx] next to the RMP\n", gap.start, gap.end - 1);
	e820__range_update(gap.start, gap.end - gap.start, E820_TYPE_RAM, E820_TYPE_RESERVED);
	memblock_reserve(gap.start, gap.end - gap.start);
	e820__update_table(e820_table);
}

/* Called while the memory map is being made, before memory is handed out. */
void __init snp_reserve_rmp_edges(void)
{
	if (!boot_cpu_has(X86_FEATURE_SEV_SNP))
		return;
	rmp_reserve_gap(rmp_head_gap(&rmp));
	rmp_reserve_gap(rmp_tail_gap(&rmp));
}

/*
 * Map the entries. Fails if the table is in memory that the kernel uses.
 */
int __init rmp_table_map(void)
{
	u64 size = rmp_entries(&rmp) * RMP_ENTRY_SIZE;

	if (e820__mapped_any(rmp.start, rmp.end, E820_TYPE_RAM)) {
		pr_err(FW_BUG "the RMP is in memory that is not reserved\n");
		return -EINVAL;
	}
	rmp_raw = memremap(rmp.start + RMP_BOOKKEEPING, size, MEMREMAP_WB);
	if (!rmp_raw)
		return -ENOMEM;
	return 0;
}

/*
 * Make every page the host's. Only while SNP is off on all processors, which
 * then protect nothing, and look at none of it.
 */
void __init rmp_table_clear(void)
{
	void *bookkeeping = memremap(rmp.start, RMP_BOOKKEEPING, MEMREMAP_WB);

	if (bookkeeping) {
		memset(bookkeeping, 0, RMP_BOOKKEEPING);
		memunmap(bookkeeping);
	}
	memset(rmp_raw, 0, rmp_entries(&rmp) * RMP_ENTRY_SIZE);
}

/* The state that RMPREAD stores for exactly the page @pfn */
static int rmp_read_insn(u64 pfn, struct snp_rmp_state *state)
{
	struct rmp_insn_state insn;
	int ret;

	/* "rmpread" is new in binutils 2.44. */
	asm volatile(".byte 0xf2, 0x0f, 0x01, 0xfd"
		     : "=a" (ret)
		     : "a" (PFN_PHYS(pfn)), "c" (&insn)
		     : "memory", "cc");
	if (ret)
		return -EIO;
	rmp_decode_insn(&insn, state);
	return 0;
}

static int rmp_read_entry(u64 pfn, struct snp_rmp_state *state)
{
	struct rmp_raw_entry raw;

	if (boot_cpu_has(X86_FEATURE_RMPREAD))
		return rmp_read_insn(pfn, state);
	/* One access: an entry changes under the reader. */
	raw.lo = READ_ONCE(rmp_raw[pfn].lo);
	raw.hi = 0;
	rmp_decode_raw(&raw, state);
	return 0;
}

int snp_read_rmp(u64 pfn, struct snp_rmp_state *state)
{
	u64 first = ALIGN_DOWN(pfn, PTRS_PER_PMD);
	int ret;

	if (!boot_cpu_has(X86_FEATURE_SEV_SNP) || !rmp_raw)
		return -ENODEV;
	if (!rmp_covers(&rmp, pfn, 1))
		return -ENXIO;

	/* Of 512 entries that make one page, only the first has the state. */
	ret = rmp_read_entry(first, state);
	if (ret)
		return ret;
	if (first == pfn || (state->assigned && state->level == PG_LEVEL_2M))
		return 0;
	return rmp_read_entry(pfn, state);
}
EXPORT_SYMBOL_GPL(snp_read_rmp);

int snp_lookup_rmpentry(u64 pfn, bool *assigned, int *level)
{
	struct snp_rmp_state state;
	int ret = snp_read_rmp(pfn, &state);

	if (ret)
		return ret;
	*assigned = state.assigned;
	*level = state.level;
	return 0;
}
EXPORT_SYMBOL_GPL(snp_lookup_rmpentry);

void snp_dump_rmp(u64 pfn, const char *why)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);
	struct snp_rmp_state s;
	int ret;

	if (!__ratelimit(&limit))
		return;
	ret = snp_read_rmp(pfn, &s);
	if (ret) {
		pr_warn("%s: pfn %#llx: no RMP entry (%d)\n", why, pfn, ret);
		return;
	}
	pr_warn("%s: pfn %#llx: %sassigned%s%s%s, asid %u, gpa %#llx, %s\n", why, pfn,
		s.assigned ? "" : "not ", s.immutable ? ", immutable" : "",
		s.vmsa ? ", VMSA" : "", s.validated ? ", validated" : "", s.asid, s.gpa,
		s.level == PG_LEVEL_2M ? "2 MiB" : "4 KiB");
}
EXPORT_SYMBOL_GPL(snp_dump_rmp);
