/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of private memory watch while they run: that each vCPU makes progress
 * without burning time in faults, that the audit of the kernel has no findings, and
 * that free memory of the host is not mapped by any guest.
 */
#ifndef SELFTEST_KVM_PRIVATE_MEM_WATCH_H
#define SELFTEST_KVM_PRIVATE_MEM_WATCH_H

#include "private_mem.h"

/* Races make the guest fault again, but not without end. */
#define MAX_FAULTS_PER_ACCESS	64

/* The faults and exits of a vCPU since the watch began. */
struct vcpu_watch {
	int stats_fd;
	uint64_t faults;
	uint64_t exits;
};

void watch_begin(struct vcpu_watch *watch, int vcpu_fd);
/*
 * The guest has accessed memory @accesses times since: one check that this is more
 * than nothing, and that faults and exits are in proportion.
 */
void watch_end(struct vcpu_watch *watch, uint64_t accesses, const char *fmt, ...)
	__printf(3, 4);

/* Prints the findings of the audit.  True if there are none, or if there is no audit. */
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

/* Pages that the host has allocated since it was booted. */
uint64_t count_allocated_pages(void);

uint32_t next_random(uint32_t *seed);

#endif /* SELFTEST_KVM_PRIVATE_MEM_WATCH_H */
