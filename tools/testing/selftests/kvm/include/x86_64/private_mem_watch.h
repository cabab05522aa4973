/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of private memory watch while they run: that each vCPU makes progress
 * without burning time in faults, that the audit of the kernel has no findings, and
 * that free memory of the host is not mapped by any guest.
 */
#ifndef SELFTEST_KVM_PRIVATE_MEM_WATCH_H
#define SELFTEST_KVM_PRIVATE_MEM_WATCH_H

#include <pthread.h>
#include <semaphore.h>

#include "private_mem.h"

/* Races make the guest fault again, but not without end. */
#define MAX_FAULTS_PER_ACCESS	64

/* The faults and exits of a vCPU since the watch began. */
struct vcpu_watch {
	int stats_fd;
	off_t faults_at;	/* in the file of the statistics */
	off_t exits_at;
	uint64_t faults;
	uint64_t exits;
};

void watch_begin(struct vcpu_watch *watch, int vcpu_fd);
/* May be called by a signal handler. */
uint64_t watch_faults(const struct vcpu_watch *watch);
/*
 * The guest has accessed memory @accesses times since: one check that this is more
 * than nothing, and that faults and exits are in proportion.
 */
void watch_end(struct vcpu_watch *watch, uint64_t accesses, const char *fmt, ...)
	__printf(3, 4);

/*
 * A thread that ends the test, as a failure, once a vCPU is stuck.  While @in_run is true
 * and @count of what it has done stays the same, the vCPU may neither take more than
 * STUCK_FAULTS faults nor stay in KVM_RUN without a single exit, i.e. sleep.
 */
struct vcpu_guard {
	pthread_t thread;
	struct vcpu_watch watch;
	const bool *in_run;
	const uint64_t *count;
	const char *what;
	sem_t end;
};

/* No order of a guest touches more than 1024 pages. */
#define STUCK_FAULTS	(1024 * MAX_FAULTS_PER_ACCESS)

/*
 * Not while the vCPU is in KVM_RUN, which keeps its mutex.  A vCPU that has no statistics,
 * since its VM is dead, is not guarded.
 */
void guard_begin(struct vcpu_guard *guard, int vcpu_fd, const bool *in_run,
		 const uint64_t *count, const char *what);
/* One check as that of watch_end(), if there are @accesses for each that is counted. */
void guard_end(struct vcpu_guard *guard, unsigned int accesses);

/*
 * Have one round of a race after the other, at least @min_rounds and at least for @ms, until
 * one returns what is wrong.  One check; if it fails the test ends, since a host whose pages
 * belong to a guest is not to be tested any further.  @cycles is for @round to remember how
 * long something takes.  Returns the number of rounds.
 */
unsigned long repeat_race(const char *what, const char *(*round)(uint64_t *cycles),
			  unsigned long min_rounds, unsigned int ms);

/* What the audit of the kernel counts, and of what kinds its findings are. */
struct audit {
	long mappings;
	long pages;
	long findings;
	char kinds[256];
};

/* Prints all findings.  False if there is no audit. */
bool read_audit(struct audit *audit);
/* True if there is no finding, or no audit. */
bool audit_is_clean(void);

/* Free memory of the host, filled with a pattern in the first and last word of each page. */
struct sweep {
	uint64_t *words;
	size_t size;
};

void sweep_fill(struct sweep *sweep, size_t max_size);
/* How many pages don't hold the pattern; prints the first one. */
uint64_t sweep_count_other(struct sweep *sweep);
void sweep_free(struct sweep *sweep);
/*
 * Three checks: @use, which has the guest write to all of its memory while the host has
 * filled what is free, returns NULL or what is wrong; neither writes to pages of the other,
 * and the audit is clean.
 */
void sweep_check(const char *what, size_t max_size, const char *(*use)(void));

/* Pages that the host has allocated since it was booted. */
uint64_t count_allocated_pages(void);

uint32_t next_random(uint32_t *seed);

#endif /* SELFTEST_KVM_PRIVATE_MEM_WATCH_H */
