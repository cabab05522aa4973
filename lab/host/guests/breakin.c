// SPDX-License-Identifier: GPL-2.0
/*
 * In the host, as root: let the kernel attack a guest that runs (attacker/snp_attacker.c has how).
 *
 *   breakin ATTACK PID [PID]     of the VMM, and of the one of another guest; prints what was tried and what was done
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attacker/snp_attacker.h"

static const char *const names[] = {
	[SNP_ATTACK_WRITE] = "write",
	[SNP_ATTACK_DMA] = "dma",
	[SNP_ATTACK_HOLD] = "hold",
	[SNP_ATTACK_REMAP] = "remap",
	[SNP_ATTACK_ALIAS] = "alias",
	[SNP_ATTACK_UNDO] = "undo",
	[SNP_ATTACK_COPY] = "copy",
	[SNP_ATTACK_REPLAY] = "replay",
	[SNP_ATTACK_FORGE] = "forge",
};

/* A VMM's descriptor of its VM */
static int vm_of(int pid)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	struct dirent *entry;
	char path[300], link[64];
	ssize_t len;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	if (pidfd < 0 || !d) {
		perror(path);
		exit(2);
	}
	while ((entry = readdir(d))) {
		len = readlinkat(dirfd(d), entry->d_name, link, sizeof(link) - 1);
		link[len > 0 ? len : 0] = 0;
		if (strcmp(link, "anon_inode:kvm-vm") == 0)
			return syscall(SYS_pidfd_getfd, pidfd, atoi(entry->d_name), 0);
	}
	fprintf(stderr, "breakin: process %d has no VM\n", pid);
	exit(2);
}

int main(int argc, char **argv)
{
	struct snp_attack_args args = { 0 };
	int fd;

	while (argc > 2 && args.what < sizeof(names) / sizeof(names[0]) && strcmp(names[args.what], argv[1]))
		args.what++;
	if (argc < 3 || argc > 4 || args.what == sizeof(names) / sizeof(names[0])) {
		fprintf(stderr, "usage: breakin ATTACK PID [PID]\n");
		return 2;
	}
	args.vm = vm_of(atoi(argv[2]));
	args.other = vm_of(atoi(argv[argc - 1]));
	fd = open("/dev/snp-attacker", O_RDWR);
	if (fd < 0 || ioctl(fd, SNP_ATTACK, &args)) {
		perror(argv[1]);
		return 1;
	}
	printf("tried %u done %u\n", args.tried, args.done);
	return 0;
}
