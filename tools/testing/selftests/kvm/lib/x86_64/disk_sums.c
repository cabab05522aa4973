// SPDX-License-Identifier: GPL-2.0-only
/* A disk that nobody writes to; see the header. */
#include <fcntl.h>

#include "disk_sums.h"
#include "private_mem.h"

static uint64_t *sums;
static unsigned int nr_pages;
static int disk;

static uint64_t sum_of(const uint64_t *page)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < SZ_4K / sizeof(*page); i++)
		sum = (sum << 7 | sum >> 57) ^ page[i];
	return sum;
}

static unsigned int read_all(bool first)
{
	static uint64_t page[SZ_4K / sizeof(uint64_t)];
	unsigned int i, differ = 0;
	int r;

	r = posix_fadvise(disk, 0, (uint64_t)nr_pages * SZ_4K, POSIX_FADV_DONTNEED);
	TEST_ASSERT(!r, "posix_fadvise: %d", r);
	for (i = 0; i < nr_pages; i++) {
		TEST_ASSERT(pread(disk, page, SZ_4K, (uint64_t)i * SZ_4K) == SZ_4K,
			    "The disk is too small");
		if (first)
			sums[i] = sum_of(page);
		differ += sum_of(page) != sums[i];
	}
	return differ;
}

void disk_open(const char *path, uint64_t size)
{
	disk = open(path, O_RDONLY);
	TEST_ASSERT(disk >= 0, "%s can't be opened, errno %d", path, errno);
	nr_pages = size / SZ_4K;
	sums = calloc(nr_pages, sizeof(*sums));
	TEST_ASSERT(sums, "No memory");
	read_all(true);
}

unsigned int disk_changes(void)
{
	return read_all(false);
}
