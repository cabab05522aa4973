// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults of the host with the RMP bit: writes to pages that are not its own
 */
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "rmp.h"

/* Commands that have memory of users on loan, and all that ever had */
static atomic_t lenders = ATOMIC_INIT(0);
static atomic_t loans = ATOMIC_INIT(0);

void snp_lend_begin(void)
{
	atomic_inc(&lenders);
	atomic_inc(&loans);
	/* Whoever sees a page assigned for the loan sees the loan: pairs with any_assigned(). */
	smp_mb__after_atomic();
}
EXPORT_SYMBOL_GPL(snp_lend_begin);

void snp_lend_end(void)
{
	/* Pairs with smp_rmb() in any_assigned(). */
	smp_mb__before_atomic();
	atomic_dec(&lenders);
}
EXPORT_SYMBOL_GPL(snp_lend_end);

/* The page at @address as it is mapped right now */
static bool find_page(unsigned long address, bool user_table, u64 *pfn, unsigned int *level)
{
	unsigned long flags;
	bool found = false;
	pte_t *pte;

	/* Keeps the tables from being freed, as get_user_pages_fast() does. */
	local_irq_save(flags);
	if (user_table)
		pte = lookup_address_in_pgd(pgd_offset(current->mm, address), address, level);
	else
		pte = lookup_address(address, level);
	if (pte) {
		pte_t entry = READ_ONCE(*pte);

		if (pte_present(entry)) {
			/* Bit 12 of the entry of a large page is not part of the address. */
			*pfn = PHYS_PFN((PFN_PHYS(pte_pfn(entry)) & page_level_mask(*level)) |
					(address & ~page_level_mask(*level)));
			found = true;
		}
	}
	local_irq_restore(flags);
	return found;
}

/*
 * Is one of @n pages from @pfn on assigned? Pages of firmware don't count if
 * a command may have them on loan: one that had not ended before the look at
 * the pages, or one that began meanwhile.
 */
static bool any_assigned(u64 pfn, unsigned int n, bool may_wait)
{
	struct snp_rmp_state state;
	bool firmware = false;
	unsigned int i;
	int seen, lent;

	seen = atomic_read(&loans);
	lent = atomic_read(&lenders);
	/* A loan ends after the entries have changed. Pairs with snp_lend_end(). */
	smp_rmb();
	for (i = 0; i < n; i++) {
		/* What can't be read does not go away by itself either. */
		if (snp_read_rmp(pfn + i, &state))
			return true;
		if (state.assigned && (state.asid || !may_wait))
			return true;
		firmware |= state.assigned;
	}
	/* A loan begins before the entries change. Pairs with snp_lend_begin(). */
	smp_rmb();
	return firmware && !lent && atomic_read(&loans) == seen;
}

/*
 * The kernel writes to memory of users by the direct map, too, e.g. for ptrace() or
 * /proc/PID/mem. It can wait for the end of a loan if it could have been preempted: with
 * interrupts off, or with a lock that whoever has the loan wants, the end might not come.
 */
static bool kernel_may_wait(struct pt_regs *regs)
{
	return IS_ENABLED(CONFIG_PREEMPT_COUNT) && !preempt_count() && !rcu_preempt_depth() &&
	       regs->flags & X86_EFLAGS_IF;
}

/*
 * Was the reason of the fault gone when it was looked at, or will it go? Then
 * the access is to be repeated. The processor checks all of the 2 MiB around
 * @address if it is mapped by a page of 2 MiB or more.
 *
 * Context: a page fault; @user_table if @address belongs to current->mm, then
 * it may sleep. Otherwise interrupts are off.
 */
bool snp_host_fault(struct pt_regs *regs, unsigned long address, bool user_table)
{
	bool may_wait = user_table || kernel_may_wait(regs);
	unsigned int level, n = 1;
	u64 pfn;

	if (!find_page(address, user_table, &pfn, &level))
		return true;
	if (level != PG_LEVEL_4K) {
		n = PTRS_PER_PMD;
		pfn = ALIGN_DOWN(pfn, PTRS_PER_PMD);
	}
	if (any_assigned(pfn, n, may_wait))
		return false;
	/* Whoever has the loan may need this processor to end it. */
	if (user_table) {
		cond_resched();
	} else if (may_wait) {
		local_irq_enable();
		cond_resched();
		local_irq_disable();
	}
	return true;
}

/* Before an oops */
void snp_dump_address(unsigned long address)
{
	unsigned int level;
	u64 pfn;

	if (find_page(address, false, &pfn, &level))
		snp_dump_rmp(pfn, "write to a page of a guest or of firmware");
}
