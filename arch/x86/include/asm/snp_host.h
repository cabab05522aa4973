/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SEV-SNP host platform: the Reverse Map Table (RMP) and the state of pages
 *
 * Nothing here knows of firmware commands (<linux/psp-sev.h>) or of KVM.
 *
 * X86_FEATURE_SEV_SNP in boot_cpu_data says whether the platform is usable. It
 * can be cleared until the initcalls of devices have run, and code has been
 * patched for it before: use boot_cpu_has(), not cpu_feature_enabled().
 */
#ifndef _ASM_X86_SNP_HOST_H
#define _ASM_X86_SNP_HOST_H

#include <linux/cpufeature.h>
#include <linux/errno.h>
#include <linux/ktime.h>
#include <linux/types.h>

#include <asm/pgtable_types.h>
#include <asm/sev.h>

/* What RMPUPDATE and PSMASH return in EAX */
#define RMP_FAIL_INPUT		1
#define RMP_FAIL_PERMISSION	2
#define RMP_FAIL_INUSE		3
#define RMP_FAIL_OVERLAP	4

/*
 * How long user memory may be firmware-owned at a time, and what of it is for the end,
 * when the pages are reclaimed; see snp_in_place_begin().
 */
#define SNP_IN_PLACE_NS		(8 * NSEC_PER_SEC)
#define SNP_IN_PLACE_END_NS	(2 * NSEC_PER_SEC)

/*
 * How long to poll, with interrupts off: until @end by ktime_get_mono_fast_ns(). The clock
 * may need this CPU to go on: while it stands still, for @polls. Delays are not trusted.
 */
struct snp_poll {
	u64 end;
	u64 now;
	unsigned long polls;
};

/* Ask before each look, so that the last look is one after the end. */
static inline bool snp_poll_is_last(struct snp_poll *poll)
{
	u64 last = poll->now;

	poll->now = ktime_get_mono_fast_ns();
	return poll->now >= poll->end || (poll->now == last && !poll->polls--);
}

/*
 * The RMP entry that governs a page of 4 KiB. @level is the size of the page
 * that the entry is for; with PG_LEVEL_2M, @gpa is the address of the start of
 * those 2 MiB. @vmsa and @validated are false if @raw is: RMPREAD does not tell.
 */
struct snp_rmp_state {
	u64 gpa;
	u32 asid;
	enum pg_level level;
	bool assigned;
	bool immutable;
	bool vmsa;
	bool validated;
	bool raw;
};

#ifdef CONFIG_AMD_SEV_SNP_HOST

/**
 * snp_read_rmp - read the RMP entry that governs a page
 * @pfn: number of a page of 4 KiB
 * @state: where the entry goes
 *
 * The entry may change any time unless the caller owns the page.
 *
 * Context: any.
 * Return: 0; -ENODEV without SNP; -ENXIO if no entry covers the page; -EIO if
 *         RMPREAD fails.
 */
int snp_read_rmp(u64 pfn, struct snp_rmp_state *state);

/**
 * snp_lookup_rmpentry - is a page assigned, and at which level?
 * @pfn: number of a page of 4 KiB
 * @assigned: whether it is assigned to a guest or to firmware
 * @level: PG_LEVEL_4K or PG_LEVEL_2M
 *
 * Context: any.
 * Return: as of snp_read_rmp().
 */
int snp_lookup_rmpentry(u64 pfn, bool *assigned, int *level);

/**
 * psmash - split an assigned page of 2 MiB into 512 of 4 KiB in the same state
 * @pfn: first page, a multiple of 512
 *
 * Context: any. The direct map stays as it is: rmp_make_shared() splits it
 *          before the first of the 512 pages becomes the host's.
 * Return: 0; -ENODEV without SNP; -EINVAL if @pfn is not such a page; -EPERM if
 *         the page is immutable; -EBUSY if it stays in use after some tries.
 *         Nothing has changed if it fails.
 */
int psmash(u64 pfn);

/**
 * rmp_make_private - assign a page to a guest or to firmware
 * @pfn: first page of 4 KiB
 * @gpa: guest physical address, aligned to @level; 0 if @asid is 0
 * @level: PG_LEVEL_4K or PG_LEVEL_2M; @pfn is aligned to it
 * @asid: the guest's, or 0 for firmware
 * @immutable: only firmware may change the entry until it is reclaimed
 *
 * The page must be the host's, with no user but the caller: the host can't
 * write it any more. For 4 KiB the direct map is split to 4 KiB around it.
 *
 * Context: may sleep.
 * Return: 0; -ENODEV without SNP; -EINVAL for wrong arguments or a page that no
 *         entry covers; -EPERM if the entry is immutable; -EBUSY if it stays
 *         in use; -EEXIST if it overlaps with an entry of another size; -ENOMEM.
 *         Nothing has changed if it fails.
 */
int rmp_make_private(u64 pfn, u64 gpa, enum pg_level level, u32 asid, bool immutable);

/**
 * rmp_split_direct_map - ahead of rmp_make_private() where nothing can sleep
 * @pfn: first page of 4 KiB
 * @npages: how many
 *
 * rmp_make_private() and rmp_make_shared() of 4 KiB don't sleep then. The direct
 * map is never merged again.
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int rmp_split_direct_map(u64 pfn, unsigned long npages);

/**
 * rmp_make_shared - make a page the host's
 * @pfn: first page of 4 KiB
 * @level: PG_LEVEL_4K or PG_LEVEL_2M, that of the RMP entry
 *
 * Contents are ciphertext afterwards if a guest owned the page. A page that is the
 * host's already stays that. For 4 KiB the direct map is split.
 *
 * Context: may sleep.
 * Return: as of rmp_make_private(). If it fails the page must not be freed.
 */
int rmp_make_shared(u64 pfn, enum pg_level level);

/**
 * snp_leak_pages - x86_leak_pages() that logs the RMP entry of the first page
 * @pfn: first page of 4 KiB
 * @npages: number of pages of 4 KiB
 *
 * Context: any.
 */
void snp_leak_pages(u64 pfn, unsigned int npages);

/* Log the RMP entry of a page, ratelimited. @why is a few words. */
void snp_dump_rmp(u64 pfn, const char *why);

/**
 * snp_prepare_cpus - make all processors ready for SNP_INIT_EX
 *
 * The firmware wants all of them online, with SNP enabled, and no host save
 * area set. The caller has cpus_read_lock() until the command is done.
 *
 * Context: may sleep.
 * Return: 0; -ENODEV without SNP; -EAGAIN if a processor that is present is
 *         offline; -EBUSY if SVM is in use on one.
 */
int snp_prepare_cpus(void);

/**
 * snp_pin_cpus - refuse to take processors offline
 *
 * To be called when SNP_INIT_EX has succeeded, with the cpus_read_lock() that
 * snp_prepare_cpus() was called under, and undone after SNP_SHUTDOWN_EX.
 */
void snp_pin_cpus(void);
void snp_unpin_cpus(void);

/*
 * Bounds of the RMP in system physical memory, end exclusive, for firmware's
 * list of pages. Both are 0 without SNP.
 */
void snp_rmp_bounds(u64 *start, u64 *end);

/*
 * Between begin and end, with interrupts off, user memory may be firmware-owned, for
 * a command that writes it in place. Writers wait for the end, instead of getting a
 * signal or an oops. The caller has to end it within SNP_IN_PLACE_NS.
 */
void snp_in_place_begin(u64 pfn, unsigned long n);
void snp_in_place_end(void);

/* Before begin; for pages that will not be the host's again, before end and after it */
int snp_in_place_prepare(unsigned long n);
void snp_lose_user_page(u64 pfn, unsigned long i);
void snp_unmap_lost_pages(void);
/* What was lost before the firmware starts anew does not count any more. */
void snp_in_place_reset(void);

/* Hooks of the base; see their definitions. */
void snp_host_detect(struct cpuinfo_x86 *c);
void snp_reserve_rmp_edges(void);
bool snp_host_fault(unsigned long address, bool user_table);
void snp_dump_address(unsigned long address);
void snp_host_crash_stop(void);

#else /* !CONFIG_AMD_SEV_SNP_HOST */

static inline int snp_read_rmp(u64 pfn, struct snp_rmp_state *state) { return -ENODEV; }
static inline int snp_lookup_rmpentry(u64 pfn, bool *assigned, int *level) { return -ENODEV; }
static inline int psmash(u64 pfn) { return -ENODEV; }
static inline int rmp_make_private(u64 pfn, u64 gpa, enum pg_level level, u32 asid,
				   bool immutable) { return -ENODEV; }
static inline int rmp_split_direct_map(u64 pfn, unsigned long npages) { return -ENODEV; }
static inline int rmp_make_shared(u64 pfn, enum pg_level level) { return -ENODEV; }
static inline void snp_leak_pages(u64 pfn, unsigned int npages) { }
static inline void snp_dump_rmp(u64 pfn, const char *why) { }
static inline int snp_prepare_cpus(void) { return -ENODEV; }
static inline void snp_pin_cpus(void) { }
static inline void snp_unpin_cpus(void) { }
static inline void snp_rmp_bounds(u64 *start, u64 *end)
{
	*start = 0;
	*end = 0;
}

static inline void snp_in_place_begin(u64 pfn, unsigned long n) { }
static inline void snp_in_place_end(void) { }
static inline int snp_in_place_prepare(unsigned long n) { return -ENODEV; }
static inline void snp_lose_user_page(u64 pfn, unsigned long i) { }
static inline void snp_unmap_lost_pages(void) { }
static inline void snp_in_place_reset(void) { }
static inline void snp_host_detect(struct cpuinfo_x86 *c)
{
	setup_clear_cpu_cap(X86_FEATURE_SEV_SNP);
}

static inline void snp_reserve_rmp_edges(void) { }
static inline bool snp_host_fault(unsigned long address, bool user_table)
{
	return false;
}

static inline void snp_dump_address(unsigned long address) { }
static inline void snp_host_crash_stop(void) { }

#endif /* CONFIG_AMD_SEV_SNP_HOST */

#endif /* _ASM_X86_SNP_HOST_H */
