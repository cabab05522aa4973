// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults of the host with the RMP bit: writes to pages that are not its own
 */
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/irqflags.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "rmp.h"

/*
 * The memory of users that a command of the firmware has on loan: there is one
 * mailbox, and a command borrows one range at most. @changes is odd while the range
 * is being written.
 */
static struct {
	atomic_t changes;
	u64 pfn;
	unsigned long n;
} loan;

/* Who has pages that could not be written to? */
enum holder {
	HOLDER_HOST,		/* nobody any more */
	HOLDER_LOAN,		/* the firmware, until the end of a command */
	HOLDER_OTHER,		/* a guest, or the firmware for good */
};

static void set_loan(u64 pfn, unsigned long n)
{
	atomic_inc(&loan.changes);
	/* Odd before the range changes, and... Pairs with find_holder(). */
	smp_mb__after_atomic();
	WRITE_ONCE(loan.pfn, pfn);
	WRITE_ONCE(loan.n, n);
	/* ...even after that. */
	smp_mb__before_atomic();
	atomic_inc(&loan.changes);
}

/**
 * snp_lend_begin - memory of users is about to be the firmware's for one command
 * @pfn:	of the first page
 * @n:		number of pages
 *
 * Called before their RMP entries change, with the lock of the mailbox held, as commands
 * come one after another, and with interrupts off until snp_lend_end().
 */
void snp_lend_begin(u64 pfn, unsigned long n)
{
	lockdep_assert_irqs_disabled();
	WARN_ON_ONCE(loan.n);
	set_loan(pfn, n);
	/* Whoever sees a page assigned for the loan sees the loan: pairs with find_holder(). */
	smp_mb__after_atomic();
}
EXPORT_SYMBOL_GPL(snp_lend_begin);

/* The pages are the host's again. Called after their RMP entries have changed. */
void snp_lend_end(void)
{
	/* Pairs with find_holder(). */
	smp_mb__before_atomic();
	set_loan(0, 0);
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
 * Who has one of @n pages from @pfn on? A loan that begins or ends meanwhile counts as
 * one that has the pages: who asks again sees what has become of it.
 */
static enum holder find_holder(u64 pfn, unsigned int n)
{
	bool firmware = false, lent = true;
	struct snp_rmp_state state;
	u64 start, end;
	unsigned int i;
	int changes;

	changes = atomic_read(&loan.changes);
	/* Pairs with set_loan(), and with snp_lend_end(): entries change before the end. */
	smp_rmb();
	start = READ_ONCE(loan.pfn);
	end = start + READ_ONCE(loan.n);
	for (i = 0; i < n; i++) {
		/* What can't be read does not go away by itself either. */
		if (snp_read_rmp(pfn + i, &state))
			return HOLDER_OTHER;
		if (!state.assigned)
			continue;
		if (state.asid)
			return HOLDER_OTHER;
		firmware = true;
		lent &= pfn + i >= start && pfn + i < end;
	}
	/* Pairs with snp_lend_begin(): entries change after it. */
	smp_rmb();
	if (!firmware)
		return HOLDER_HOST;
	if (changes & 1 || atomic_read(&loan.changes) != changes)
		return HOLDER_LOAN;
	return lent ? HOLDER_LOAN : HOLDER_OTHER;
}

/*
 * The end of a loan depends on no other processor: whoever has it runs with interrupts
 * off. So it can be waited for in any context that did not interrupt that code, i.e. in
 * all but NMIs. A loan ends by itself if the firmware never answers.
 */
static bool wait_for_loan(u64 pfn, unsigned int n)
{
	enum holder holder;
	u64 end;

	if (in_nmi())
		return false;

	end = ktime_get_mono_fast_ns() + SNP_LOAN_NS + NSEC_PER_SEC;
	do {
		udelay(1);
		holder = find_holder(pfn, n);
		if (holder != HOLDER_LOAN)
			return holder == HOLDER_HOST;
	} while (ktime_get_mono_fast_ns() < end);
	return false;
}

/* A walk of tables that change at that moment may have found any page. */
static bool same_page(unsigned long address, bool user_table, u64 pfn)
{
	unsigned int level;
	u64 now;

	return find_page(address, user_table, &now, &level) && now == pfn;
}

/*
 * Was the reason of the fault gone when it was looked at, or will it go? Then
 * the access is to be repeated. The processor checks all of the 2 MiB around
 * @address if it is mapped by a page of 2 MiB or more.
 *
 * The kernel writes to memory of users by the direct map, too, e.g. for ptrace(),
 * or with preemption or interrupts off, and waits there for the end of a loan. An
 * access by the addresses of users is repeated: signals are seen in between.
 *
 * Context: a page fault; @user_table if @address belongs to current->mm.
 * Otherwise interrupts are off.
 */
bool snp_host_fault(unsigned long address, bool user_table)
{
	u64 pfn, first;
	unsigned int level, n = 1;

	if (!find_page(address, user_table, &pfn, &level))
		return true;
	first = pfn;
	if (level != PG_LEVEL_4K) {
		n = PTRS_PER_PMD;
		first = ALIGN_DOWN(pfn, PTRS_PER_PMD);
	}

	switch (find_holder(first, n)) {
	case HOLDER_HOST:
		return true;
	case HOLDER_LOAN:
		return user_table || wait_for_loan(first, n);
	default:
		return !same_page(address, user_table, pfn);
	}
}

/* Before an oops */
void snp_dump_address(unsigned long address)
{
	unsigned int level;
	u64 pfn;

	if (find_page(address, false, &pfn, &level))
		snp_dump_rmp(pfn, "write to a page of a guest or of firmware");
}
