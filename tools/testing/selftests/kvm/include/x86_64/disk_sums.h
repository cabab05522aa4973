/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk that nobody writes to: what DMA brings has to be what it was.
 */
#ifndef SELFTEST_KVM_DISK_SUMS_H
#define SELFTEST_KVM_DISK_SUMS_H

#include <stdint.h>

/* Read the first @size bytes, and remember them. Ends the test if that fails. */
void disk_open(const char *path, uint64_t size);
/* Read them again, not from the page cache. Returns how many pages are not as before. */
unsigned int disk_changes(void);

#endif /* SELFTEST_KVM_DISK_SUMS_H */
