// SPDX-License-Identifier: GPL-2.0
/*
 * mlock() and munlock() of a file in huge pages, whose mappings are zapped all the time: by ftruncate(),
 * which needs no mmap_lock. A walk of page tables that are gone shows in the kernel's log.
 *
 *   mlockrace SECONDS
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SIZE	(2u << 20)

static volatile int stop;
static char *mem;

static void *locker(void *arg)
{
	unsigned long *rounds = arg;

	while (!stop) {
		mlock2(mem, SIZE, MLOCK_ONFAULT);
		munlock(mem, SIZE);
		++*rounds;
	}
	return NULL;
}

/* A page that is gone in the meantime would be a signal: the kernel touches it. */
static void fault_in(int fd)
{
	char c = 1;

	if (pwrite(fd, &c, 1, 0) == 1)
		madvise(mem, SIZE, MADV_POPULATE_WRITE);
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 60);
	unsigned long locked = 0, truncated = 0;
	FILE *enabled = fopen("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "w");
	pthread_t thread;
	char *map;
	int fd;

	if (!enabled || fputs("force", enabled) < 0 || fclose(enabled)) {
		puts("1..0 # SKIP no huge pages in files");
		return 4;
	}
	fd = memfd_create("mlockrace", 0);
	map = mmap(NULL, 2 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mem = (char *)(((unsigned long)map + SIZE - 1) & ~(SIZE - 1ul));
	mem = mmap(mem, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (fd < 0 || mem == MAP_FAILED || pthread_create(&thread, NULL, locker, &locked)) {
		perror("mlockrace");
		return 1;
	}
	for (; time(NULL) < end; truncated++) {
		if (ftruncate(fd, SIZE))
			break;
		fault_in(fd);
		if (ftruncate(fd, 0))
			break;
	}
	stop = 1;
	pthread_join(thread, NULL);
	enabled = fopen("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "w");
	fputs("never", enabled);
	fclose(enabled);
	printf("# %lu rounds of mlock(), %lu of ftruncate()\n", locked, truncated);
	printf("%sok 1 both have run\n1..1\n", locked > 100 && truncated > 100 ? "" : "not ");
	return locked <= 100 || truncated <= 100;
}
