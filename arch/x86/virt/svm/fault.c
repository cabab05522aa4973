// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults of the host with the RMP bit: writes to pages that are not its own
 */
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/irqflags.h>
#include <linux/llist.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pfn.h>
#include <linux/preempt.h>
#include <linux/rmap.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <asm/tlbflush.h>

#include "rmp.h"

#define CREATE_TRACE_POINTS
#include <asm/trace/snp_host.h>

/* For tests that have to know where a write is */
EXPORT_TRACEPOINT_SYMBOL_GPL(snp_write_waits);
EXPORT_TRACEPOINT_SYMBOL_GPL(snp_write_goes_on);

/*
 * User memory that is firmware-owned for the time of a command that writes it in place:
 * there is one mailbox, and a command has one range at most. @changes is odd while the
 * range is being written. @waits is how often a write began to wait for the end of a
 * command, @over how often it went on, and @waits_seen what the last command knew of that.
 */
static struct {
	atomic_t changes;
	u64 pfn;
	unsigned long n;
	atomic_t waits;
	atomic_t over;
	int waits_seen;
} in_place;

/* User memory that is lost, and the page that the kernel has in its place; never freed */
struct lost_page {
	struct llist_node node;
	u64 pfn;
	struct page *page;
	struct delayed_work unmap;
	unsigned int tries;		/* to unmap it, without success */
	bool failed;			/* memory_failure() has been told, ... */
	bool tell;			/* ... but did not tell the file */
};

static LLIST_HEAD(lost_pages);

/* When a page is unmapped again: what could not be unmapped, soon, and what was, in case */
#define LOST_TRIES	50
#define LOST_SOON	(HZ / 10)
#define LOST_LATER	HZ
#define LOST_CHECK	(10 * HZ)

/* For what a command may lose. Commands come one after another. */
#define LOST_SPARES	8

static struct lost_page *lost_spare[LOST_SPARES];

/*
 * Firmware that keeps that many pages gets no more. A large page is leaked as a whole, and
 * counts as several. Protected by the lock of the mailbox.
 */
#define LOST_MAX	64
#define LOST_LARGE	16

static unsigned int lost_count;

/* The owner of pages that could not be written to */
enum rmp_owner {
	RMP_OWNER_HOST,		/* spurious: the fault is over */
	RMP_OWNER_COMMAND,	/* the firmware, until the end of a command */
	RMP_OWNER_OTHER,	/* a guest, or the firmware permanently */
};

static void rmp_fault_set_in_place(u64 pfn, unsigned long n)
{
	atomic_inc(&in_place.changes);
	/* Odd before the range changes, and... Pairs with rmp_fault_find_owner(). */
	smp_mb__after_atomic();
	WRITE_ONCE(in_place.pfn, pfn);
	WRITE_ONCE(in_place.n, n);
	/* ...even after that. */
	smp_mb__before_atomic();
	atomic_inc(&in_place.changes);
}

/**
 * snp_in_place_begin - user memory is about to be firmware-owned for one command
 * @pfn:	of the first page
 * @n:		number of pages
 *
 * Called before their RMP entries change, with the lock of the mailbox held, as commands
 * come one after another, and with interrupts off until snp_in_place_end().
 */
void snp_in_place_begin(u64 pfn, unsigned long n)
{
	lockdep_assert_irqs_disabled();
	WARN_ON_ONCE(in_place.n);
	rmp_fault_set_in_place(pfn, n);
	/* A fault that sees a page assigned sees the range: pairs with rmp_fault_find_owner(). */
	smp_mb__after_atomic();
}
EXPORT_SYMBOL_GPL(snp_in_place_begin);

/* The pages are the host's again. Called after their RMP entries have changed. */
void snp_in_place_end(void)
{
	/* Pairs with rmp_fault_find_owner(). */
	smp_mb__before_atomic();
	rmp_fault_set_in_place(0, 0);
}
EXPORT_SYMBOL_GPL(snp_in_place_end);

/* The page at @address as it is mapped right now */
static bool rmp_fault_find_page(unsigned long address, bool user_table, u64 *pfn,
				unsigned int *level)
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
 * Find the owner of @n pages from @pfn on. A range that changes during the lookup counts
 * as one that has the pages: the access is repeated, and faults again if need be.
 */
static enum rmp_owner rmp_fault_find_owner(u64 pfn, unsigned int n)
{
	bool firmware = false, lent = true;
	struct snp_rmp_state state;
	u64 start, end;
	unsigned int i;
	int changes;

	changes = atomic_read(&in_place.changes);
	/* Pairs with rmp_fault_set_in_place(), and snp_in_place_end(): entries change before. */
	smp_rmb();
	start = READ_ONCE(in_place.pfn);
	end = start + READ_ONCE(in_place.n);
	for (i = 0; i < n; i++) {
		/* What can't be read does not go away by itself either. */
		if (snp_read_rmp(pfn + i, &state))
			return RMP_OWNER_OTHER;
		if (!state.assigned)
			continue;
		if (state.asid)
			return RMP_OWNER_OTHER;
		firmware = true;
		lent &= pfn + i >= start && pfn + i < end;
	}
	/* Pairs with snp_in_place_begin(): entries change after it. */
	smp_rmb();
	if (!firmware)
		return RMP_OWNER_HOST;
	if (changes & 1 || atomic_read(&in_place.changes) != changes)
		return RMP_OWNER_COMMAND;
	return lent ? RMP_OWNER_COMMAND : RMP_OWNER_OTHER;
}

/*
 * The end of the command depends on no other processor: its caller polls with interrupts
 * off. So it can be waited for in any context that did not interrupt the caller, i.e. in
 * all but NMIs, and what counts as one. The command times out if the firmware never answers.
 *
 * Another command may get the pages before this has seen that they are the host's. The
 * deadline is for one command: once that is over, the access is repeated.
 */
static bool rmp_fault_wait(u64 pfn, unsigned int n)
{
	struct snp_poll poll = { .polls = LOST_SPARES * SNP_IN_PLACE_NS / NSEC_PER_USEC };
	enum rmp_owner owner;
	bool over, last;
	int changes;

	if (in_nmi())
		return false;

	atomic_inc(&in_place.waits);
	changes = atomic_read(&in_place.changes);
	trace_snp_write_waits(pfn, n);
	poll.end = ktime_get_mono_fast_ns() + SNP_IN_PLACE_NS + NSEC_PER_SEC;
	do {
		udelay(1);
		last = snp_poll_is_last(&poll);
		owner = rmp_fault_find_owner(pfn, n);
		/* Its end changes the range twice, and so does another one's begin. */
		over = atomic_read(&in_place.changes) - changes >= 2;
	} while (owner == RMP_OWNER_COMMAND && !over && !last);
	trace_snp_write_goes_on(pfn, n);
	atomic_inc(&in_place.over);
	return owner == RMP_OWNER_HOST || (owner == RMP_OWNER_COMMAND && over);
}

/* Commands in a row must not keep a writer, which may have interrupts off, from going on. */
static void rmp_fault_let_writers_go_on(void)
{
	int waits = atomic_read(&in_place.waits);
	unsigned int i;

	if (waits == in_place.waits_seen)
		return;
	in_place.waits_seen = waits;
	for (i = 0; i < 50 && atomic_read(&in_place.over) != atomic_read(&in_place.waits); i++)
		usleep_range(100, 200);
	/* These have to repeat their accesses. */
	usleep_range(100, 200);
}

/* A walk of tables that change at that moment may have found any page. */
static bool rmp_fault_same_page(unsigned long address, bool user_table, u64 pfn)
{
	unsigned int level;
	u64 now;

	return rmp_fault_find_page(address, user_table, &now, &level) && now == pfn;
}

static void rmp_fault_unmap_lost(struct work_struct *work);

/**
 * snp_in_place_prepare - have what it takes to lose pages of user memory
 * @n:		number of pages that are about to be firmware-owned
 *
 * Context: may sleep. The lock of the mailbox is held.
 * Return: 0; -ENOMEM; -EIO if the firmware has kept too many pages before.
 */
int snp_in_place_prepare(unsigned long n)
{
	struct lost_page *lost;
	unsigned long i;

	if (WARN_ON_ONCE(n > ARRAY_SIZE(lost_spare)))
		return -EINVAL;
	if (lost_count + n > LOST_MAX) {
		pr_err_once("SEV-SNP: the firmware keeps %u pages of user memory, and gets no more\n",
			    lost_count);
		return -EIO;
	}
	for (i = 0; i < n; i++) {
		if (lost_spare[i])
			continue;
		lost = kzalloc(sizeof(*lost), GFP_KERNEL);
		if (!lost)
			return -ENOMEM;
		lost->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!lost->page) {
			kfree(lost);
			return -ENOMEM;
		}
		INIT_DELAYED_WORK(&lost->unmap, rmp_fault_unmap_lost);
		lost_spare[i] = lost;
	}
	rmp_fault_let_writers_go_on();
	return 0;
}
EXPORT_SYMBOL_GPL(snp_in_place_prepare);

/**
 * snp_lose_user_page - user memory will not be the host's again
 * @pfn:	of the page
 * @i:		its number among those of snp_in_place_prepare()
 *
 * The kernel may have it pinned, and write to it by the direct map, now or at any time. The
 * first of these writes replaces the page there; what is written is lost like the rest.
 * Called before snp_in_place_end(), as a write that waits for that must find it.
 */
void snp_lose_user_page(u64 pfn, unsigned long i)
{
	struct lost_page *lost = lost_spare[i];

	lockdep_assert_irqs_disabled();
	lost_spare[i] = NULL;
	lost->pfn = pfn;
	lost_count += PageCompound(pfn_to_page(pfn)) ? LOST_LARGE : 1;
	llist_add(&lost->node, &lost_pages);
}
EXPORT_SYMBOL_GPL(snp_lose_user_page);

/**
 * snp_in_place_reset - the firmware starts anew
 *
 * What it has kept so far is lost, but does not count any more. The lock of the mailbox is
 * held.
 */
void snp_in_place_reset(void)
{
	lost_count = 0;
}
EXPORT_SYMBOL_GPL(snp_in_place_reset);

/*
 * The file may have handed the page to others than page tables, e.g. guest_memfd to nested
 * page tables, and what was written to it is lost. Of a large folio only guest_memfd gives
 * up a part. Returns false if it has to be tried again.
 */
static bool rmp_fault_tell_file(struct page *page)
{
	struct folio *folio = page_folio(page);
	struct address_space *mapping;
	bool told = false;

	if (!folio_trylock(folio))
		return false;
	if (folio_test_writeback(folio))
		goto out;
	told = true;
	mapping = folio_mapping(folio);
	if (!mapping || !mapping->a_ops->error_remove_page)
		goto out;
	if (folio_test_dirty(folio))
		mapping_set_error(mapping, -EIO);
	if (!folio_test_large(folio) || mapping_unevictable(mapping))
		mapping->a_ops->error_remove_page(mapping, page);
out:
	folio_unlock(folio);
	return told;
}

/*
 * Returns true if no user has the page. memory_failure() is called once: it gives up what
 * is isolated from the LRU. It waits for the folio, with all other failures waiting for
 * it, and a folio may be locked for as long as a server of FUSE likes.
 */
static bool rmp_fault_try_to_unmap(struct lost_page *lost)
{
	struct page *page = pfn_to_page(lost->pfn);
	struct folio *folio = page_folio(page);

	if (!lost->failed) {
		if (folio_test_locked(folio) || folio_test_writeback(folio))
			return false;
		WRITE_ONCE(lost->failed, true);
		lost->tell = memory_failure(lost->pfn, 0);
	}
	if (!memory_failure_unmap(page))
		return false;
	if (lost->tell)
		lost->tell = !rmp_fault_tell_file(page);
	return !lost->tell;
}

/*
 * Never ends: a task that finds the page in a swap cache, in a file, or isolated at that
 * moment may map it again, and the kernel repeats accesses to what is mapped. Until the
 * firmware is initialized again there are LOST_MAX of these at most.
 */
static void rmp_fault_unmap_lost(struct work_struct *work)
{
	struct lost_page *lost = container_of(to_delayed_work(work), struct lost_page, unmap);
	unsigned long delay = LOST_CHECK;

	if (rmp_fault_try_to_unmap(lost))
		lost->tries = 0;
	else
		delay = lost->tries++ < LOST_TRIES ? LOST_SOON : LOST_LATER;
	queue_delayed_work(system_unbound_wq, &lost->unmap, delay);
}

/**
 * snp_unmap_lost_pages - unmap what snp_lose_user_page() has lost from users
 *
 * A write to it would be an RMP violation, or be retried forever if the kernel expects a
 * mapped page to be writable: have it unmapped like memory that has failed.
 *
 * Context: any but NMIs.
 */
void snp_unmap_lost_pages(void)
{
	struct lost_page *lost;

	llist_for_each_entry(lost, READ_ONCE(lost_pages.first), node) {
		if (!READ_ONCE(lost->failed))
			mod_delayed_work(system_unbound_wq, &lost->unmap, 0);
	}
}
EXPORT_SYMBOL_GPL(snp_unmap_lost_pages);

/*
 * A user's access to @pfn has failed because of one of @n pages from @first on. If that is
 * lost, but @pfn is not, the mapping of 2 MiB will be split: wait a moment and return true,
 * so that the access is repeated. The kernel's accesses see signals here.
 */
static bool rmp_fault_wait_for_split(u64 first, unsigned int n, u64 pfn)
{
	struct lost_page *lost;
	bool found = false;

	if (faulthandler_disabled() || irqs_disabled())
		return false;
	llist_for_each_entry(lost, READ_ONCE(lost_pages.first), node) {
		if (lost->pfn == pfn)
			return false;
		found |= lost->pfn >= first && lost->pfn < first + n;
	}
	if (!found || rmp_fault_find_owner(pfn, 1) == RMP_OWNER_OTHER ||
	    fatal_signal_pending(current))
		return false;
	schedule_timeout_killable(1);
	return true;
}

/*
 * No other processor is told: its writes by the old entry fault as well. The entries of a
 * page that is never freed are not changed by others, except for their attributes.
 */
static bool rmp_fault_replace_lost(unsigned long address, u64 pfn)
{
	struct lost_page *lost, *found = NULL;
	unsigned int level;
	pte_t *pte, old, new;

	llist_for_each_entry(lost, READ_ONCE(lost_pages.first), node) {
		if (lost->pfn == pfn)
			found = lost;
	}
	if (!found)
		return false;
	pte = lookup_address(address, &level);
	if (!pte || level != PG_LEVEL_4K)
		return false;
	old = READ_ONCE(*pte);
	new = pfn_pte(page_to_pfn(found->page), pte_pgprot(old));
	if (pte_present(old) && pte_pfn(old) == pfn)
		cmpxchg64(&pte->pte, old.pte, new.pte);
	flush_tlb_one_kernel(address);
	return true;
}

/*
 * Returns true if the cause of the fault is gone, or will be: then the access
 * is repeated. The processor checks all of the 2 MiB around @address if it is
 * mapped by a page of 2 MiB or more.
 *
 * The kernel writes to memory of users by the direct map, too, e.g. for ptrace(),
 * or with preemption or interrupts off, and waits there for the end of the command. An
 * access by the addresses of users is repeated until then.
 *
 * Context: a page fault; @user_table if @address belongs to current->mm.
 * Otherwise interrupts are off.
 */
bool snp_host_fault(unsigned long address, bool user_table)
{
	u64 pfn, first;
	unsigned int level, n = 1;

	if (!rmp_fault_find_page(address, user_table, &pfn, &level))
		return true;
	first = pfn;
	if (level != PG_LEVEL_4K) {
		n = PTRS_PER_PMD;
		first = ALIGN_DOWN(pfn, PTRS_PER_PMD);
	}

	switch (rmp_fault_find_owner(first, n)) {
	case RMP_OWNER_HOST:
		/* Another processor may have replaced the page. */
		if (!user_table)
			flush_tlb_one_kernel(address);
		return true;
	case RMP_OWNER_COMMAND:
		if (user_table || rmp_fault_wait(first, n))
			return true;
		/* The pages may be lost since. */
		fallthrough;
	default:
		if (user_table ? rmp_fault_wait_for_split(first, n, pfn) :
				 rmp_fault_replace_lost(address, pfn))
			return true;
		return !rmp_fault_same_page(address, user_table, pfn);
	}
}

/* Before an oops */
void snp_dump_address(unsigned long address)
{
	unsigned int level;
	u64 pfn;

	if (rmp_fault_find_page(address, false, &pfn, &level))
		snp_dump_rmp(pfn, "write to a page of a guest or of firmware");
}
