// SPDX-License-Identifier: GPL-2.0
/*
 * Take free memory, and give it back: the kernel checks each page that it
 * allocates (state, and the pattern of page poisoning if that is on).
 *
 *   sweep MIB|all
 *
 * On each processor, as each has a list of pages that were freed last: those
 * are taken one by one, the rest as huge pages, which is quicker. Nothing is
 * reclaimed for it, and if memory runs out nevertheless, this dies first.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define MIB		(1UL << 20)
#define ONE_BY_ONE	(32 * MIB)
#define RESERVE		(128 * MIB)

static unsigned long free_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "MemFree: %lu", &kib) == 1)
			break;
	}
	if (file)
		fclose(file);
	return kib << 10;
}

static int take(size_t size, int advice)
{
	char *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mem == MAP_FAILED) {
		perror("sweep: mmap");
		return 1;
	}
	/* EINVAL: a kernel without huge pages. */
	madvise(mem, size, advice);
	if (madvise(mem, size, MADV_POPULATE_WRITE)) {
		perror("sweep: no memory");
		return 1;
	}
	return 0;
}

static int sweep(int cpu, size_t size)
{
	size_t small = size < ONE_BY_ONE ? size : ONE_BY_ONE;
	FILE *file = fopen("/proc/self/oom_score_adj", "w");
	cpu_set_t one;

	if (file) {
		fputs("1000", file);
		fclose(file);
	}
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one)) {
		perror("sweep: sched_setaffinity");
		return 1;
	}
	return take(small, MADV_NOHUGEPAGE) || (size > small && take(size - small, MADV_HUGEPAGE));
}

int main(int argc, char **argv)
{
	unsigned long wanted, have = free_memory();
	int cpu, status, cpus, rc = 0;
	cpu_set_t all;

	if (argc != 2) {
		fprintf(stderr, "usage: sweep MIB|all\n");
		return 2;
	}
	have -= have / 16;
	have = have > RESERVE ? have - RESERVE : 0;
	wanted = strcmp(argv[1], "all") ? strtoul(argv[1], NULL, 0) * MIB : have;
	if (wanted > have)
		wanted = have;
	if (sched_getaffinity(0, sizeof(all), &all)) {
		perror("sweep: sched_getaffinity");
		return 1;
	}
	cpus = CPU_COUNT(&all);
	for (cpu = 0; wanted && cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &all) && !fork())
			_exit(sweep(cpu, wanted / cpus & -4096UL));
	}
	while (wait(&status) > 0) {
		if (status)
			rc = 1;
	}
	if (rc)
		fprintf(stderr, "sweep: not all of %lu MiB\n", wanted / MIB);
	return rc;
}
