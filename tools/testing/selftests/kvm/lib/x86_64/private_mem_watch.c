// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tests of private memory watch while they run, see the header.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "private_mem_watch.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define AUDIT		DEBUGFS "kvm/private_mem_audit"
/* What the host needs for itself. */
#define SWEEP_RESERVE	(80 * SZ_2M)
#define SWEEP_WORD	0x53776565702e2e2eul
#define WORDS_PER_PAGE	(SZ_4K / sizeof(uint64_t))
/* A vCPU faults on its own code and stack as well, e.g. whenever a slot is deleted. */
#define EXTRA_FAULTS	1024

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

static uint64_t read_vcpu_stat(int stats_fd, const char *name)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *descs, *desc;
	uint64_t value = ~0ul;
	unsigned int i;

	TEST_ASSERT(pread(stats_fd, &header, sizeof(header), 0) == sizeof(header),
		    "No header of the statistics");
	descs = read_stats_descriptors(stats_fd, &header);
	for (i = 0; i < header.num_desc; i++) {
		desc = (void *)descs + i * get_stats_descriptor_size(&header);
		if (!strcmp(desc->name, name))
			read_stat_data(stats_fd, &header, desc, &value, 1);
	}
	free(descs);
	TEST_ASSERT(value != ~0ul, "vCPUs have no statistic '%s'", name);
	return value;
}

void watch_begin(struct vcpu_watch *watch, int vcpu_fd)
{
	watch->stats_fd = ioctl(vcpu_fd, KVM_GET_STATS_FD, NULL);
	TEST_ASSERT(watch->stats_fd >= 0, "No statistics of a vCPU, errno %d", errno);
	watch->faults = read_vcpu_stat(watch->stats_fd, "pf_taken");
	watch->exits = read_vcpu_stat(watch->stats_fd, "exits");
}

void watch_end(struct vcpu_watch *watch, uint64_t accesses, const char *fmt, ...)
{
	uint64_t faults = read_vcpu_stat(watch->stats_fd, "pf_taken") - watch->faults;
	uint64_t exits = read_vcpu_stat(watch->stats_fd, "exits") - watch->exits;
	uint64_t max = accesses * MAX_FAULTS_PER_ACCESS + EXTRA_FAULTS;
	char what[128];
	va_list ap;

	close(watch->stats_fd);
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	check(accesses && faults <= max,
	      "%s: progress, %lu accesses with %lu faults (at most %lu) in %lu exits", what,
	      accesses, faults, max, exits);
}

bool audit_is_clean(void)
{
	char line[512], *text;
	long findings = -1;
	FILE *f;

	if (access(AUDIT, R_OK))
		mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	f = fopen(AUDIT, "r");
	if (!f)
		return true;

	while (fgets(line, sizeof(line), f)) {
		text = strstr(line, "findings ");
		findings = text ? strtol(text + strlen("findings "), NULL, 10) : -1;
		if (findings)
			printf("# audit: %s", line);
	}
	fclose(f);
	return findings == 0;
}

void sweep_fill(struct sweep *sweep, size_t max_size)
{
	size_t free_size = read_keyed("/proc/meminfo", "MemFree") * 1024;
	size_t i;
	int r;

	*sweep = (struct sweep) {};
	if (free_size <= SWEEP_RESERVE)
		return;

	sweep->size = (free_size - SWEEP_RESERVE) & -SZ_2M;
	if (sweep->size > max_size)
		sweep->size = max_size;
	sweep->words = mmap(NULL, sweep->size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	TEST_ASSERT(sweep->words != MAP_FAILED, "mmap() of 0x%lx bytes failed", sweep->size);
	/* Small pages: where they come from is where freed ones are. */
	madvise(sweep->words, sweep->size, MADV_NOHUGEPAGE);
	r = madvise(sweep->words, sweep->size, MADV_POPULATE_WRITE);
	TEST_ASSERT(!r || errno == EINVAL, "0x%lx bytes can't be populated", sweep->size);
	for (i = 0; i < sweep->size / sizeof(uint64_t); i += WORDS_PER_PAGE) {
		sweep->words[i] = SWEEP_WORD;
		sweep->words[i + WORDS_PER_PAGE - 1] = SWEEP_WORD;
	}
}

uint64_t sweep_count_other(struct sweep *sweep)
{
	uint64_t others = 0, first, last;
	size_t i;

	for (i = 0; i < sweep->size / sizeof(uint64_t); i += WORDS_PER_PAGE) {
		first = READ_ONCE(sweep->words[i]);
		last = READ_ONCE(sweep->words[i + WORDS_PER_PAGE - 1]);
		if (first == SWEEP_WORD && last == SWEEP_WORD)
			continue;
		if (!others++)
			printf("# a page of the host has 0x%lx and 0x%lx\n", first, last);
	}
	return others;
}

void sweep_free(struct sweep *sweep)
{
	if (sweep->size)
		munmap(sweep->words, sweep->size);
	*sweep = (struct sweep) {};
}

uint64_t count_allocated_pages(void)
{
	static const char * const zones[] = { "dma", "dma32", "normal", "movable" };
	uint64_t pages = 0;
	char key[32];
	unsigned int i;
	long n;

	for (i = 0; i < ARRAY_SIZE(zones); i++) {
		snprintf(key, sizeof(key), "pgalloc_%s", zones[i]);
		n = read_keyed("/proc/vmstat", key);
		pages += n > 0 ? n : 0;
	}
	return pages;
}

uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}
