// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults of the host with the RMP bit: writes to pages that are not its own
 */
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "rmp.h"

/* How long to wait for the end of a loan where nothing else can run meanwhile */
#define LOAN_WAIT	(10 * HZ)

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
 * Called before their RMP entries change, with the lock of the mailbox held: commands
 * come one after another.
 */
void snp_lend_begin(u64 pfn, unsigned long n)
{
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
 * The kernel writes to memory of users by the direct map, too, e.g. for ptrace() or
 * /proc/PID/mem. It may sleep if it could have been preempted.
 */
static bool kernel_may_sleep(struct pt_regs *regs)
{
	return IS_ENABLED(CONFIG_PREEMPT_COUNT) && !preempt_count() && !rcu_preempt_depth() &&
	       regs->flags & X86_EFLAGS_IF;
}

/*
 * The kernel can't sleep, e.g. as it copies with preemption off. Whoever has the loan
 * ends it on another processor, which may need an interrupt of this one for that; if it
 * is waiting for this very processor, the scheduler has to move it to another one.
 */
static bool spin_for_loan(struct pt_regs *regs, u64 pfn, unsigned int n)
{
	unsigned long end = jiffies + LOAN_WAIT;
	enum holder holder;

	if (!(regs->flags & X86_EFLAGS_IF) || in_hardirq() || in_nmi())
		return false;

	local_irq_enable();
	do {
		cpu_relax();
		holder = find_holder(pfn, n);
	} while (holder == HOLDER_LOAN && time_before(jiffies, end));
	local_irq_disable();
	return holder == HOLDER_HOST;
}

/* Let the loan get on. Returns false if its end can't be waited for. */
static bool wait_for_loan(struct pt_regs *regs, u64 pfn, unsigned int n, bool user_table)
{
	if (user_table) {
		usleep_range(20, 100);
		return true;
	}
	if (!kernel_may_sleep(regs))
		return spin_for_loan(regs, pfn, n);

	local_irq_enable();
	usleep_range(20, 100);
	local_irq_disable();
	return true;
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
	unsigned int level, n = 1;
	u64 pfn;

	if (!find_page(address, user_table, &pfn, &level))
		return true;
	if (level != PG_LEVEL_4K) {
		n = PTRS_PER_PMD;
		pfn = ALIGN_DOWN(pfn, PTRS_PER_PMD);
	}

	switch (find_holder(pfn, n)) {
	case HOLDER_HOST:
		return true;
	case HOLDER_LOAN:
		return wait_for_loan(regs, pfn, n, user_table);
	default:
		return false;
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
