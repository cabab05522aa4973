// SPDX-License-Identifier: GPL-2.0
/*
 * In the host, as root: take private memory away from a running guest, behind its back: every sixteenth page, so
 * that no guest can go on for long. All of it in one piece would keep an emulated host busy for minutes.
 *
 *   punch PID      the VMM's; says how much was taken, exit code 1 if there was nothing to take
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE	4096LL
#define STRIDE	(16 * PAGE)

/* How many bytes were taken from a descriptor of the VMM's, if it is a guest_memfd */
static long long take(int pidfd, const char *dir, const char *name)
{
	char path[300], link[300] = "";
	long long at, taken = 0;
	struct stat before;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (readlink(path, link, sizeof(link) - 1) < 0 || !strstr(link, "gmem"))
		return 0;
	fd = syscall(SYS_pidfd_getfd, pidfd, atoi(name), 0);
	if (fd < 0 || fstat(fd, &before) < 0) {
		perror(path);
		return 0;
	}
	for (at = 0; at < before.st_size; at += STRIDE) {
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, PAGE) < 0) {
			perror(link);
			break;
		}
		taken += PAGE;
	}
	close(fd);
	return taken;
}

int main(int argc, char **argv)
{
	long long taken = 0;
	struct dirent *entry;
	char dir[64];
	int pidfd;
	DIR *d;

	if (argc != 2) {
		fprintf(stderr, "usage: punch PID\n");
		return 2;
	}
	snprintf(dir, sizeof(dir), "/proc/%d/fd", atoi(argv[1]));
	pidfd = syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	d = opendir(dir);
	if (pidfd < 0 || !d) {
		perror(dir);
		return 2;
	}
	while ((entry = readdir(d)))
		taken += take(pidfd, dir, entry->d_name);
	printf("taken: %lld MiB\n", taken >> 20);
	return !taken;
}
