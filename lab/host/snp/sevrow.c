// SPDX-License-Identifier: GPL-2.0
/*
 * Three SEV guests of one process lend the same page to the firmware, one after the other,
 * while the kernel writes to it by its own mapping, for /proc/self/mem: writes go on
 * between the commands.
 *
 *   sevrow [MS [COMMANDS]]   a command takes MS milliseconds, by a delay that qmp injects
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>

#include "sev.h"

#define PAGE	4096u
#define GUESTS	3

static unsigned int most;	/* commands that were done during one write */
static uint8_t *mem;
static volatile int stop, refused;
static unsigned int commands;

static void *lender(void *arg)
{
	struct kvm_sev_launch_update_data update = { .uaddr = (uintptr_t)mem, .len = PAGE };
	struct kvm_sev_cmd cmd = { .id = KVM_SEV_LAUNCH_UPDATE_DATA, .data = (uintptr_t)&update, .sev_fd = sev };

	while (!stop) {
		if (ioctl((intptr_t)arg, KVM_MEMORY_ENCRYPT_OP, &cmd))
			refused = 1;
		__atomic_fetch_add(&commands, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static unsigned int done(void)
{
	return __atomic_load_n(&commands, __ATOMIC_SEQ_CST);
}

/* Writes until @end commands are done. Returns how many writes. */
static unsigned int write_until(unsigned int end)
{
	int fd = open("/proc/self/mem", O_RDWR);
	unsigned int begin, writes = 0;
	char byte = 1;

	for (begin = done(); begin < end; begin = done()) {
		if (pwrite(fd, &byte, 1, (uintptr_t)mem) != 1)
			check(0, "a write");
		writes++;
		if (done() - begin > most)
			most = done() - begin;
	}
	close(fd);
	printf("# %u writes during %u commands, the longest during %u\n", writes, end, most);
	return writes;
}

int main(int argc, char **argv)
{
	unsigned int i, writes, end = argc > 2 ? atoi(argv[2]) : 2000;
	struct kvm_sev_launch_start start;
	pthread_t thread[GUESTS];
	int guest[GUESTS];
	char delay[64];

	setbuf(stdout, NULL);
	open_devices(argv[0]);
	mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*mem = 1;
	for (i = 0; i < GUESTS; i++) {
		memset(&start, 0, sizeof(start));
		guest[i] = vm = ioctl(kvm, KVM_CREATE_VM, 0);
		check(!command(KVM_SEV_INIT, NULL) && !command(KVM_SEV_LAUNCH_START, &start), "a guest");
	}
	if (argc > 1) {
		snprintf(delay, sizeof(delay), "delay LAUNCH_UPDATE_DATA:%d", atoi(argv[1]));
		qmp(delay);
	}
	for (i = 0; i < GUESTS; i++)
		check(!pthread_create(&thread[i], NULL, lender, (void *)(intptr_t)guest[i]), "it lends the page");
	writes = write_until(end);
	/*
	 * A command takes a moment, and a writer may be preempted during many. If a command
	 * takes long, it is enough that writes go on at all.
	 */
	check(argc > 1 ? writes : writes >= end && most <= end / 4, "writes go on");
	stop = 1;
	for (i = 0; i < GUESTS; i++)
		pthread_join(thread[i], NULL);
	check(!refused, "no command fails");
	printf("1..%d\n", number);
	return failed;
}
