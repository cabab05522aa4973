// SPDX-License-Identifier: GPL-2.0-only
/*
 * A change of attributes over very many chunks of 2 MiB, whose pages have mixed
 * attributes: other tasks run on the same processor in the meantime, a fatal signal is
 * handled, and the final attributes are the requested ones.  The same for a change of the
 * memory that userspace has mapped for the shared pages of such chunks.
 *
 * The test measures no time. It counts how often the thread is preempted inside one
 * ioctl, which on a kernel without preemption happens only where KVM yields.
 */
#define _GNU_SOURCE /* for sched_setaffinity() and RUSAGE_THREAD */
#include <sched.h>
#include <signal.h>
#include <linux/membarrier.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "private_mem_watch.h"
#include "processor.h"

#define PRIVATE		KVM_MEMORY_ATTRIBUTE_PRIVATE
/* Processor time in one ioctl that is long enough for other tasks to run. */
#define ENOUGH_MS	200
#define MAX_CHUNKS	1048576

static uint64_t nr_chunks = 25000;

static long cpu_ms(const struct rusage *usage)
{
	return usage->ru_stime.tv_sec * 1000 + usage->ru_stime.tv_usec / 1000 +
	       usage->ru_utime.tv_sec * 1000 + usage->ru_utime.tv_usec / 1000;
}

static void stay_on_this_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	TEST_ASSERT(!sched_setaffinity(0, sizeof(cpus), &cpus), "No affinity, errno %d", errno);
}

/* Make one page of each chunk in [@first, @end) private. */
static void mix_chunks(int vm_fd, uint64_t first, uint64_t end)
{
	for (; first < end; first++)
		set_private(vm_fd, first * SZ_2M, SZ_4K, true);
}

/*
 * Change all attributes at once; report how long it took and how often it was preempted.
 */
static int change_all(int vm_fd, uint64_t attributes, long *ms, long *preempted)
{
	struct rusage before, after;
	int r;

	getrusage(RUSAGE_THREAD, &before);
	r = __set_attributes(vm_fd, 0, nr_chunks * SZ_2M, attributes);
	getrusage(RUSAGE_THREAD, &after);
	*ms = cpu_ms(&after) - cpu_ms(&before);
	*preempted = after.ru_nivcsw - before.ru_nivcsw;
	return r;
}

/* Another task wants this processor all the time. */
static void test_yields(int vm_fd)
{
	long ms = 0, preempted = 0;
	pid_t other;
	int r;

	stay_on_this_cpu();
	other = fork();
	if (!other)
		for (;;)
			;

	mix_chunks(vm_fd, 0, nr_chunks);
	for (;;) {
		r = change_all(vm_fd, PRIVATE, &ms, &preempted);
		if (r || ms >= ENOUGH_MS || nr_chunks >= MAX_CHUNKS)
			break;
		nr_chunks *= 4;
		set_private(vm_fd, 0, nr_chunks * SZ_2M, false);
		mix_chunks(vm_fd, 0, nr_chunks);
	}
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);

	check(!r, "all of %lu mixed chunks are made private", nr_chunks);
	if (ms < ENOUGH_MS)
		printf("# %ld ms for %lu chunks are too short to be preempted\n", ms, nr_chunks);
	/* One preemption happens when the ioctl returns. */
	else
		check(preempted > 1, "other tasks run, too (preempted %ld times in %ld ms)",
		      preempted, ms);
}

/* All memory of one slot, of which nothing is populated */
static void *add_slot(int vm_fd)
{
	void *memory = mmap(NULL, nr_chunks * SZ_2M, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int fd = gmem_create(vm_fd, nr_chunks * SZ_2M);

	TEST_ASSERT(memory != MAP_FAILED, "No addresses, errno %d", errno);
	TEST_ASSERT(!__set_region2(vm_fd, 0, KVM_MEM_GUEST_MEMFD, 0, nr_chunks * SZ_2M, memory,
				   fd, 0), "No slot, errno %d", errno);
	return memory;
}

/* Two of three runs of gfns are shared; KVM looks at each of them in one notifier. */
static void test_unmap_yields(int vm_fd)
{
	struct rusage before, after;
	long ms, preempted;
	void *memory;
	pid_t other;

	mix_chunks(vm_fd, 0, nr_chunks);
	memory = add_slot(vm_fd);
	other = fork();
	if (!other)
		for (;;)
			;

	getrusage(RUSAGE_THREAD, &before);
	munmap(memory, nr_chunks * SZ_2M);
	getrusage(RUSAGE_THREAD, &after);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);

	ms = cpu_ms(&after) - cpu_ms(&before);
	preempted = after.ru_nivcsw - before.ru_nivcsw;
	if (ms < ENOUGH_MS)
		printf("# %ld ms of munmap() are too short to be preempted\n", ms);
	/* One preemption happens when mmu_lock is released, and one at the end. */
	else
		check(preempted > 2, "munmap() lets other tasks run (%ld times in %ld ms)",
		      preempted, ms);
}

/* A VM without a guest: attributes need no memory. */
static int create_vm(void)
{
	int kvm_fd = open_kvm_dev_path_or_exit();
	int vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, KVM_X86_SW_PROTECTED_VM);

	TEST_ASSERT(vm_fd >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VM, vm_fd));
	close(kvm_fd);
	return vm_fd;
}

/* Changes attributes until it is killed. */
static void change_for_ever(void)
{
	int vm_fd = create_vm();
	unsigned int i;

	mix_chunks(vm_fd, 0, nr_chunks);
	for (i = 0; ; i++)
		__set_attributes(vm_fd, 0, nr_chunks * SZ_2M, i % 2 ? PRIVATE : 0);
}

static void test_killed(void)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		change_for_ever();
	usleep(500000);
	kill(pid, SIGKILL);
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGKILL, "a process that changes attributes is killed");
}

/* What the kernel has warned about so far. */
static unsigned long taint(void)
{
	FILE *file = fopen("/proc/sys/kernel/tainted", "r");
	unsigned long taint;

	TEST_ASSERT(file && fscanf(file, "%lu", &taint) == 1, "No taint flags, errno %d", errno);
	fclose(file);
	return taint;
}

/*
 * VMs end whose attributes' topmost node has 16 children, which leave no room for metadata.
 * The nodes are freed some time after a grace period, which membarrier() waits for: what
 * goes wrong may show only in the kernel's log.
 */
static void test_end(void)
{
	unsigned long before = taint();
	uint64_t chunks;
	int vm_fd;

	for (chunks = 200; chunks <= 256; chunks++) {
		vm_fd = create_vm();
		mix_chunks(vm_fd, 0, chunks);
		close(vm_fd);
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	}
	check(taint() == before, "VMs with 200 to 256 mixed chunks end without a warning");
}

int main(int argc, char *argv[])
{
	int vm_fd, r;

	if (argc > 1)
		nr_chunks = atol(argv[1]);
	if (!nr_chunks || nr_chunks > MAX_CHUNKS)
		ksft_exit_fail_msg("usage: %s [chunks, at most %u]\n", argv[0], MAX_CHUNKS);

	require_private_mem();
	vm_fd = create_vm();
	test_yields(vm_fd);
	r = __set_attributes(vm_fd, 0, nr_chunks * SZ_2M, 0);
	check_errno(r, 0, "all are shared again");
	test_unmap_yields(vm_fd);
	close(vm_fd);
	test_killed();
	test_end();
	return check_finish();
}
