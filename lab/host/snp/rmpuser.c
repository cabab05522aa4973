// SPDX-License-Identifier: GPL-2.0
/*
 * What a process may do to a page that belongs to firmware: read it, and not
 * more. A write ends in SIGBUS, and a system call that writes in EFAULT.
 *
 * The page comes from /dev/mem, which has to let memory be mapped, and is found
 * in the Reverse Map Table itself, whose place the kernel's log tells: arguments
 * START and END, in the layout of processors without RMPREAD.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOOKKEEPING	0x4000
#define ENTRY_SIZE	16
#define PAGE		4096
#define ASSIGNED	1
#define SIZE_2M		2

static sigjmp_buf back;
static siginfo_t seen;
static int failed, number;

static void check(int ok, const char *what)
{
	printf("%sok %d %s\n", ok ? "" : "not ", ++number, what);
	failed |= !ok;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	seen = *info;
	siglongjmp(back, 1);
}

static void *map(int fd, uint64_t at, size_t size, int prot)
{
	void *p = mmap(NULL, size, prot, MAP_SHARED, fd, at);

	if (p == MAP_FAILED) {
		fprintf(stderr, "rmpuser: /dev/mem at %#llx: %s\n", (unsigned long long)at, strerror(errno));
		exit(2);
	}
	return p;
}

/* A page of RAM below the table that is assigned, or 0 */
static uint64_t find_page(int fd, uint64_t start, uint64_t end)
{
	const uint64_t *entries = map(fd, start + BOOKKEEPING, end - start - BOOKKEEPING, PROT_READ);
	uint64_t pages = start / PAGE, i;

	for (i = 0x100; i < pages; i++) {
		if ((entries[2 * i] & (ASSIGNED | SIZE_2M)) == ASSIGNED)
			return i * PAGE;
	}
	return 0;
}

static int write_dies(volatile char *p)
{
	memset(&seen, 0, sizeof(seen));
	if (sigsetjmp(back, 1))
		return 1;
	*p = 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	uint64_t start, end, at;
	volatile char *page, sum = 0;
	int fd, zero, status;
	pid_t child;

	if (argc != 3)
		return 2;
	start = strtoull(argv[1], NULL, 16);
	end = strtoull(argv[2], NULL, 16) + 1;
	fd = open("/dev/mem", O_RDWR);
	zero = open("/dev/zero", O_RDONLY);
	if (fd < 0 || zero < 0) {
		perror("rmpuser: /dev/mem");
		return 2;
	}
	at = find_page(fd, start, end);
	check(at != 0, "there is a page of firmware");
	if (!at)
		return 1;
	page = map(fd, at, PAGE, PROT_READ | PROT_WRITE);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);

	sum += page[0];
	check(1, "it can be read");
	check(write_dies(page + 8), "a write of a process fails");
	check(seen.si_signo == SIGBUS && seen.si_code == BUS_ADRERR && seen.si_addr == (void *)(page + 8),
	      "with SIGBUS and the address");
	check(read(zero, (void *)page, 16) == -1 && errno == EFAULT, "a write of the kernel fails with EFAULT");

	child = fork();
	if (!child) {
		signal(SIGBUS, SIG_DFL);
		*page = 1;
		_exit(0);
	}
	waitpid(child, &status, 0);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS, "who does not handle it dies alone");
	printf("1..%d\n", number);
	return failed;
}
