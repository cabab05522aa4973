/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checks that run during tests of private memory: each vCPU makes progress without
 * spending its time in faults, the kernel's audit has no findings, and no guest has free
 * memory of the host mapped.
 */
#ifndef SELFTEST_KVM_PRIVATE_MEM_WATCH_H
#define SELFTEST_KVM_PRIVATE_MEM_WATCH_H

#include <pthread.h>
#include <semaphore.h>

#include "private_mem.h"

/* Races make the guest fault again, but not forever. */
#define MAX_FAULTS_PER_ACCESS	64

/* The faults and exits of a vCPU since the watch began. */
struct vcpu_watch {
	int stats_fd;
	off_t faults_at;	/* offset in the statistics file */
	off_t exits_at;
	uint64_t faults;
	uint64_t exits;
};

void watch_begin(struct vcpu_watch *watch, int vcpu_fd);
/* May be called by a signal handler. */
uint64_t watch_faults(const struct vcpu_watch *watch);
/*
 * The guest has made @accesses since then: one check that this is not zero, and that the
 * number of faults and exits is proportionate.
 */
void watch_end(struct vcpu_watch *watch, uint64_t accesses, const char *fmt, ...)
	__printf(3, 4);

/*
 * A thread that fails and ends the test if a vCPU is stuck. While @in_run is true and
 * @count, the number of completed commands, doesn't change, the vCPU may neither take
 * more than STUCK_FAULTS faults nor stay in KVM_RUN without a single exit, i.e. sleep.
 */
struct vcpu_guard {
	pthread_t thread;
	struct vcpu_watch watch;
	const bool *in_run;
	const uint64_t *count;
	const char *what;
	sem_t end;
};

/* No command of a guest touches more than 1024 pages. */
#define STUCK_FAULTS	(1024 * MAX_FAULTS_PER_ACCESS)

/*
 * Not while the vCPU is in KVM_RUN, which holds its mutex.  A vCPU without statistics,
 * because its VM is dead, is not guarded.
 */
void guard_begin(struct vcpu_guard *guard, int vcpu_fd, const bool *in_run,
		 const uint64_t *count, const char *what);
/* One check, like that of watch_end(), with @accesses for each count. */
void guard_end(struct vcpu_guard *guard, unsigned int accesses);

/*
 * Run rounds of a race, at least @min_rounds and for at least @ms, until one returns an
 * error message. One check; if it fails, the test ends: a host whose pages belong to a
 * guest can't be tested any further. @round uses @cycles to remember how long something
 * takes. Returns the number of rounds.
 */
unsigned long repeat_race(const char *what, const char *(*round)(uint64_t *cycles),
			  unsigned long min_rounds, unsigned int ms);

/* The counters of the kernel's audit, and the kinds of its findings. */
struct audit {
	long mappings;
	long pages;
	long findings;
	char kinds[256];
};

/* Prints all findings.  False if there is no audit. */
bool read_audit(struct audit *audit);
/* True if there are no findings, or no audit. */
bool audit_is_clean(void);

/* Free memory of the host, with a pattern in the first and last word of each page. */
struct sweep {
	uint64_t *words;
	size_t size;
};

void sweep_fill(struct sweep *sweep, size_t max_size);
/* The number of pages without the pattern; prints the first one. */
uint64_t sweep_count_other(struct sweep *sweep);
void sweep_free(struct sweep *sweep);
/*
 * Three checks: @use, which has the guest write to all of its memory while the host has
 * filled free memory, returns NULL or an error message; neither writes to pages of the
 * other; and the audit is clean.
 */
void sweep_check(const char *what, size_t max_size, const char *(*use)(void));

/* The number of pages that the host has allocated since it was booted. */
uint64_t count_allocated_pages(void);

/* A page whose first access, e.g. of an ioctl, waits until slow_page_respond(). */
struct slow_page {
	void *hva;
	int uffd;
};

void slow_page_create(struct slow_page *page);
void slow_page_respond(struct slow_page *page);
void slow_page_free(struct slow_page *page);

uint32_t next_random(uint32_t *seed);

/*
 * True once a thread of this process is in @state, as in /proc, whenever it is looked at;
 * false if it does not come to that, or has @ended, if that is not NULL. Both may change.
 */
bool thread_stays(const int *thread_id, char state, const bool *ended);

#endif /* SELFTEST_KVM_PRIVATE_MEM_WATCH_H */
