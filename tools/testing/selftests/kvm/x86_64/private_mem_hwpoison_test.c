// SPDX-License-Identifier: GPL-2.0-only
/*
 * Failures of a private page: its memory fails, it can't be prepared for the guest, or it
 * can't be reclaimed.
 *
 * Memory failures are injected with the module hwpoison_inject, the others with
 * parameters of the module kvm. A part whose prerequisites are missing is skipped, and so
 * is the test if none is left.
 */
#define _GNU_SOURCE /* for program_invocation_name */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "private_mem.h"
#include "processor.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define CORRUPT_PFN	DEBUGFS "hwpoison/corrupt-pfn"
#define FAIL_PREPARE	DEBUGFS "fail_kvm_prepare/"
#define FAIL_RECLAIM	DEBUGFS "fail_kvm_reclaim/"
#define VALUE		0x1020000000000000ul
#define SLOT_SIZE	(2 * SZ_2M)

#ifndef EHWPOISON
#define EHWPOISON	133
#endif

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpu;
static struct private_slot slot;
static sig_atomic_t nr_signals;

static void count_signal(int sig)
{
	nr_signals++;
}

static void setup(void)
{
	vm = private_vm_create(1, &vcpu);
	private_slot_add(&slot, vm, 1, PRIVATE_GPA, SLOT_SIZE);
	set_private(vm->fd, slot.gpa, slot.size, true);
}

static void teardown(void)
{
	private_slot_remove(&slot);
	kvm_vm_free(vm);
}

/* True if KVM_RUN fails with @err and reports the private page at @gpa. */
static bool fails_with(uint64_t gpa, int err)
{
	int r = __guest_call(vcpu, guest_read, gpa, 0, 0);
	bool ok = r == -1 && errno == err && is_memory_fault(vcpu, gpa, true);

	if (!ok)
		printf("# KVM_RUN gives %d, errno %d, exit reason %u\n", r, r ? errno : 0,
		       vcpu->run->exit_reason);
	return ok;
}

/* Let the guest finish a read that failed. */
static uint64_t finish_read(void)
{
	uint64_t value = ~0ul;
	int r = __guest_resume(vcpu);

	TEST_ASSERT(!r && guest_returned(vcpu, &value), "the guest can't go on, errno %d", errno);
	return value;
}

static bool intact(uint64_t offset, uint64_t size)
{
	return !guest_call(vcpu, guest_count_other, slot.gpa + offset, size, VALUE);
}

static void poison(uint64_t offset, const char *what)
{
	struct kvm_pre_fault_memory range = { .gpa = slot.gpa + offset, .size = SZ_4K };
	long corrupted = read_keyed("/proc/meminfo", "HardwareCorrupted");
	uint64_t pfn = find_private_pfn(vcpu, &slot, offset), block = offset & -SZ_2M, end = block + SZ_2M;

	check(pfn, "%s: the trace has the pfn", what);
	if (!pfn)
		return;

	/* The kernel says EBUSY: the page is isolated, but still in the file. */
	check(write_string(CORRUPT_PFN, "0x%lx", pfn) || errno == EBUSY,
	      "%s: pfn 0x%lx is corrupted", what, pfn);
	check(read_keyed("/proc/meminfo", "HardwareCorrupted") == corrupted + 4,
	      "%s: one page is counted as corrupted", what);

	check(fails_with(slot.gpa + offset, EHWPOISON), "%s: KVM_RUN fails with EHWPOISON", what);
	check_errno(__pre_fault(vcpu->fd, &range), EHWPOISON, "%s: pre-fault", what);
	check(fails_with(slot.gpa + offset, EHWPOISON), "%s: and again", what);

	/* Converting it there and back does not help; punching it out does. */
	set_private(vm->fd, slot.gpa + offset, SZ_4K, false);
	finish_read();
	set_private(vm->fd, slot.gpa + offset, SZ_4K, true);
	check(fails_with(slot.gpa + offset, EHWPOISON), "%s: after a conversion", what);

	gmem_punch(slot.gmem_fd, offset, SZ_4K);
	check(finish_read() == 0, "%s: a fresh page when it's punched out", what);
	check(intact(block, offset - block) && intact(offset + SZ_4K, end - offset - SZ_4K),
	      "%s: its neighbours are intact", what);
	guest_call(vcpu, guest_fill, slot.gpa + block, SZ_2M, VALUE);
	check(find_private_pfn(vcpu, &slot, offset) != pfn, "%s: its frame is not used again", what);
	check(intact(block, SZ_2M), "%s: the guest can use all of the block", what);
}

/* --- A large folio that could not be split --- */

#define NR_FAULTERS	16
#define NR_UNSPLIT	3
#define MAX_ROUNDS	100
/* The page that fails. */
#define BROKEN		(7 * SZ_4K)

struct faulter {
	pthread_t thread;
	struct kvm_vcpu *vcpu;
	uint64_t gpa;
	unsigned long nr_faults;
	int err;
};

static struct faulter faulters[NR_FAULTERS];
static bool stop_faulters;

/* A fault has a reference to the folio while it waits for the lock. */
static void *fault_until_stopped(void *arg)
{
	struct faulter *f = arg;
	struct kvm_pre_fault_memory range;

	for (; !READ_ONCE(stop_faulters) && !f->err; WRITE_ONCE(f->nr_faults, f->nr_faults + 1)) {
		range = (struct kvm_pre_fault_memory) { .gpa = f->gpa, .size = SZ_4K };
		if (__pre_fault(f->vcpu->fd, &range) && errno != EAGAIN)
			f->err = errno;
	}
	return NULL;
}

static void add_faulters(void)
{
	unsigned int i;

	for (i = 0; i < NR_FAULTERS; i++) {
		faulters[i].vcpu = __vm_vcpu_add(vm, i + 1);
		faulters[i].gpa = slot.gpa + (16 + i) * SZ_4K;
		faulters[i].err = 0;
	}
}

/* Returns when each of them is at work. */
static void start_faulters(void)
{
	unsigned int i;

	WRITE_ONCE(stop_faulters, false);
	for (i = 0; i < NR_FAULTERS; i++) {
		faulters[i].nr_faults = 0;
		pthread_create(&faulters[i].thread, NULL, fault_until_stopped, &faulters[i]);
	}
	for (i = 0; i < NR_FAULTERS; i++)
		while (!READ_ONCE(faulters[i].nr_faults))
			sched_yield();
}

/* Returns true if none of them has failed. */
static bool end_faulters(void)
{
	unsigned int i, nr_failed = 0;

	WRITE_ONCE(stop_faulters, true);
	for (i = 0; i < NR_FAULTERS; i++) {
		pthread_join(faulters[i].thread, NULL);
		nr_failed += !!faulters[i].err;
	}
	return !nr_failed;
}

/* Let a page of a new folio fail while vCPUs fault in it.  True if that could not be split. */
static bool fail_in_use(void)
{
	uint64_t pfn;
	long splits;

	gmem_punch(slot.gmem_fd, 0, SZ_2M);
	guest_call(vcpu, guest_fill, slot.gpa, SZ_2M, VALUE);
	pfn = find_private_pfn(vcpu, &slot, BROKEN);
	TEST_ASSERT(pfn, "The trace has no pfn");
	start_faulters();
	splits = read_keyed("/proc/vmstat", "thp_split_page");
	TEST_ASSERT(write_string(CORRUPT_PFN, "0x%lx", pfn) || errno == EBUSY,
		    "pfn 0x%lx is not corrupted, errno %d", pfn, errno);
	return read_keyed("/proc/vmstat", "thp_split_page") == splits;
}

/* A hole in a part of such a folio takes the failed page away. */
static void test_unsplit(void)
{
	unsigned int round, nr_unsplit = 0, nr_stale = 0, nr_damaged = 0, nr_failed = 0;
	long leaked = read_number(LEAKED_PAGES);
	bool unsplit = false;

	setup();
	add_faulters();
	for (round = 0; round < MAX_ROUNDS && nr_unsplit < NR_UNSPLIT; round++) {
		nr_unsplit += fail_in_use();
		gmem_punch(slot.gmem_fd, BROKEN, SZ_4K);
		nr_stale += guest_call(vcpu, guest_read, slot.gpa + BROKEN, 0, 0) != 0;
		nr_failed += !end_faulters();
		nr_damaged += !intact(0, BROKEN) ||
			      !intact(BROKEN + SZ_4K, SZ_2M - BROKEN - SZ_4K);
	}
	check(nr_unsplit == NR_UNSPLIT, "in %u of %u rounds the folio could not be split",
	      nr_unsplit, round);
	check(!nr_failed, "in %u of %u rounds a vCPU could not fault beside it", nr_failed, round);
	check(!nr_damaged, "in %u of %u rounds the neighbours are not intact", nr_damaged, round);
	check(!nr_stale, "after %u of %u holes the page is not fresh", nr_stale, round);

	/* A hole of all of the folio loses no other page. */
	for (round = 0; round < MAX_ROUNDS && !unsplit; round++) {
		unsplit = fail_in_use();
		gmem_punch(slot.gmem_fd, 0, SZ_2M);
		end_faulters();
	}
	check(unsplit && read_number(LEAKED_PAGES) == leaked, "no page is leaked");
	guest_call(vcpu, guest_fill, slot.gpa, SZ_2M, VALUE);
	check(intact(0, SZ_2M), "the guest can use the range");
	teardown();
}

/* Pages that were punched out one by one don't stay in the file once the folio is split. */
static void test_punched_before(void)
{
	long before = read_keyed("/proc/meminfo", "Unevictable"), after;
	uint64_t offset, last = SZ_2M - SZ_4K, pfn;

	setup();
	guest_call(vcpu, guest_fill, slot.gpa, SZ_2M, VALUE);
	pfn = find_private_pfn(vcpu, &slot, last);
	for (offset = 0; offset < last; offset += SZ_4K)
		gmem_punch(slot.gmem_fd, offset, SZ_4K);
	TEST_ASSERT(write_string(CORRUPT_PFN, "0x%lx", pfn) || errno == EBUSY,
		    "pfn 0x%lx is not corrupted, errno %d", pfn, errno);
	gmem_punch(slot.gmem_fd, last, SZ_4K);
	after = read_keyed("/proc/meminfo", "Unevictable");
	check(after < before + SZ_2M / 2048, "a file of holes has no pages: %ld kB and %ld kB",
	      before, after);
	teardown();
}

static bool test_memory_failure(void)
{
	long leaked = read_number(LEAKED_PAGES);

	if (access(CORRUPT_PFN, W_OK) && system("modprobe hwpoison-inject 2>/dev/null"))
		printf("# modprobe hwpoison-inject failed\n");
	if (access(CORRUPT_PFN, W_OK) || access(PRIVATE_TRACING "trace", W_OK)) {
		printf("# memory failure: skipped, no CONFIG_HWPOISON_INJECT or no tracefs\n");
		return false;
	}

	signal(SIGBUS, count_signal);
	setup();
	guest_call(vcpu, guest_fill, slot.gpa, SLOT_SIZE, VALUE);
	poison(7 * SZ_4K, "memory failure in a block");
	poison(SZ_2M, "memory failure at the start of a block");

	/* The same with small pages. */
	gmem_punch(slot.gmem_fd, 0, SZ_2M);
	set_private(vm->fd, slot.gpa, SZ_4K, false);
	guest_call(vcpu, guest_fill, slot.gpa + SZ_4K, SZ_2M - SZ_4K, VALUE);
	set_private(vm->fd, slot.gpa, SZ_4K, true);
	guest_call(vcpu, guest_fill, slot.gpa, SZ_4K, VALUE);
	poison(9 * SZ_4K, "memory failure in a small page");

	check(!READ_ONCE(nr_signals), "nobody is signalled");
	check(read_number(LEAKED_PAGES) == leaked, "a page that failed isn't one that is leaked");
	teardown();
	check(1, "the VM ends");
	test_unsplit();
	test_punched_before();
	return true;
}

static sigjmp_buf before_access;

static void leave_access(int sig)
{
	siglongjmp(before_access, 1);
}

static bool is_bus_error(const uint64_t *word)
{
	bool failed = true;

	signal(SIGBUS, leave_access);
	if (!sigsetjmp(before_access, 1)) {
		READ_ONCE(*word);
		failed = false;
	}
	signal(SIGBUS, SIG_DFL);
	return failed;
}

static uint64_t *map_file(int fd)
{
	uint64_t *words = mmap(NULL, SZ_2M, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	TEST_ASSERT(words != MAP_FAILED, "The file can't be mapped, errno %d", errno);
	return words;
}

/*
 * Memory that the host has mapped too: nobody can use the page until it is punched out.
 */
static bool test_mapped_failure(void)
{
	const unsigned int page = SZ_4K / sizeof(uint64_t);
	uint64_t *words;
	int fd, r;

	vm = vm_create_barebones();
	fd = __gmem_create(vm->fd, SZ_2M, GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED);
	TEST_ASSERT(fd >= 0, "No guest_memfd, errno %d", errno);
	words = map_file(fd);
	words[0] = VALUE;
	words[page] = VALUE;
	words[2 * page] = VALUE;

	r = madvise(words + page, SZ_4K, MADV_HWPOISON);
	if (r && errno != EBUSY) {
		printf("# mapped memory: skipped, no MADV_HWPOISON (errno %d)\n", errno);
		goto out;
	}
	check(is_bus_error(words + page), "mapped memory: a page that has failed is SIGBUS");
	munmap(words, SZ_2M);
	words = map_file(fd);
	check(is_bus_error(words + page), "mapped memory: in another mapping, too");
	check(words[0] == VALUE && words[2 * page] == VALUE,
	      "mapped memory: its neighbours are intact");
	gmem_punch(fd, SZ_4K, SZ_4K);
	check(!is_bus_error(words + page) && !words[page],
	      "mapped memory: a fresh page when it's punched out");
	r = 0;
out:
	munmap(words, SZ_2M);
	close(fd);
	kvm_vm_free(vm);
	return !r;
}

/*
 * Memory of the VMM fails. An access of the guest would cause a signal. A pre-fault is no
 * access, so it must fail without a signal, and must not wait.
 */
static bool test_vmm_failure(void)
{
	struct kvm_pre_fault_memory range = { .gpa = PRIVATE_GPA, .size = SZ_4K };
	sigset_t bus_error, old, pending;
	int r;

	setup();
	set_private(vm->fd, slot.gpa, SZ_4K, false);
	*(uint64_t *)slot.hva = VALUE;
	sigemptyset(&bus_error);
	sigaddset(&bus_error, SIGBUS);
	sigprocmask(SIG_BLOCK, &bus_error, &old);
	r = madvise(slot.hva, SZ_4K, MADV_HWPOISON);
	if (!r) {
		/* Ends the test if the ioctl never returns. */
		alarm(20);
		check_errno(__pre_fault(vcpu->fd, &range), EHWPOISON, "VMM's memory: pre-fault");
		alarm(0);
		sigpending(&pending);
		check(!sigismember(&pending, SIGBUS), "VMM's memory: no signal");
	} else {
		printf("# VMM's memory: skipped, no MADV_HWPOISON (errno %d)\n", errno);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	teardown();
	return !r;
}

static void inject(const char *directory, const char *attribute, int value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s", directory, attribute);
	TEST_ASSERT(write_string(path, "%d", value), "%s can't be set", path);
}

/* Make the next calls fail, or all of them if @times is -1. */
static void fail_calls(const char *directory, int times)
{
	inject(directory, "verbose", 0);
	inject(directory, "times", times);
	inject(directory, "probability", times ? 100 : 0);
}

static void fail_prepare(int times, int err)
{
	inject(FAIL_PREPARE, "errno", err);
	fail_calls(FAIL_PREPARE, times);
}

static void fail_reclaim(int times)
{
	fail_calls(FAIL_RECLAIM, times);
}

static void test_prepare_fails(void)
{
	struct kvm_pre_fault_memory range = { .gpa = PRIVATE_GPA + SZ_2M, .size = SZ_4K };
	uint64_t maps;

	setup();
	fail_prepare(-1, ENOSPC);
	check(fails_with(slot.gpa, ENOSPC), "prepare fails: KVM_RUN fails with its errno");
	check(fails_with(slot.gpa, ENOSPC), "prepare fails: and again");
	check_errno(__pre_fault(vcpu->fd, &range), ENOSPC, "prepare fails: pre-fault");
	maps = vm_get_stat(vm, "private_maps_4k") + vm_get_stat(vm, "private_maps_2m");
	check(!maps, "prepare fails: nothing is mapped");

	fail_prepare(0, EIO);
	check(finish_read() == 0, "prepare works again: the guest goes on");
	check(vm_get_stat(vm, "private_maps_2m") == 1, "prepare works again: the block is mapped");
	check_errno(__pre_fault(vcpu->fd, &range), 0, "prepare works again: pre-fault");

	/*
	 * A page that is not recorded as prepared is prepared again, after a hole as
	 * well.
	 */
	gmem_punch(slot.gmem_fd, 0, SZ_4K);
	fail_prepare(1, EIO);
	check(fails_with(slot.gpa, EIO), "prepare fails in a hole");
	check(finish_read() == 0, "prepare works again in a hole");
	fail_prepare(0, EIO);
	teardown();
}

/*
 * Punch out [@offset, @offset + @size) while @nr of its pages can't be reclaimed. The
 * huge page that contains them is never freed.
 */
static void leak(uint64_t offset, uint64_t size, long nr, const char *what)
{
	long leaked = read_number(LEAKED_PAGES);

	guest_call(vcpu, guest_fill, slot.gpa, SLOT_SIZE, VALUE);
	fail_reclaim(nr);
	gmem_punch(slot.gmem_fd, offset, size);
	fail_reclaim(0);
	leaked = read_number(LEAKED_PAGES) - leaked;
	check(leaked == SZ_2M / SZ_4K, "%s: %ld pages are leaked", what, leaked);
}

static void leak_block(const char *what)
{
	leak(0, SZ_2M, 1, what);
	check(!guest_call(vcpu, guest_count_other, slot.gpa, SZ_2M, 0),
	      "%s: the guest has zeroes there", what);
}

/*
 * Leaked pages of a block that stays can't be used by anybody until all of it is freed.
 */
static void leak_pages(uint64_t offset, uint64_t size, const char *what)
{
	uint64_t block = offset & -SZ_2M, end = offset + size;
	struct kvm_pre_fault_memory range = { .gpa = slot.gpa + end - SZ_4K, .size = SZ_4K };

	leak(offset, size, size / SZ_4K, what);
	check(intact(block, offset - block) && intact(end, block + SZ_2M - end),
	      "%s: their neighbours are intact", what);
	check_errno(__pre_fault(vcpu->fd, &range), EHWPOISON, "%s: pre-fault", what);
	check(fails_with(slot.gpa + offset, EHWPOISON), "%s: KVM_RUN fails with EHWPOISON", what);

	gmem_punch(slot.gmem_fd, offset, size);
	check(fails_with(slot.gpa + offset, EHWPOISON), "%s: after another punch, too", what);

	gmem_punch(slot.gmem_fd, block, offset - block);
	gmem_punch(slot.gmem_fd, end, block + SZ_2M - end);
	check(finish_read() == 0, "%s: the guest goes on when the block is gone", what);
	check(!guest_call(vcpu, guest_count_other, slot.gpa + block, SZ_2M, 0),
	      "%s: the guest has zeroes there", what);
}

static void test_reclaim_fails(void)
{
	long leaked;

	setup();
	leak_block("reclaim of a block fails");
	leak_pages(SZ_2M + 5 * SZ_4K, SZ_4K, "reclaim of a page of a block fails");
	leak_pages(SZ_2M + 9 * SZ_4K, 4 * SZ_4K, "reclaim of four pages fails");

	leaked = read_number(LEAKED_PAGES);
	guest_call(vcpu, guest_fill, slot.gpa, SLOT_SIZE, VALUE);
	fail_reclaim(-1);
	teardown();
	fail_reclaim(0);
	leaked = read_number(LEAKED_PAGES) - leaked;
	check(leaked == SLOT_SIZE / SZ_4K, "reclaim fails: the VM ends, %ld pages are leaked", leaked);

	leaked = read_number(LEAKED_PAGES);
	setup();
	guest_call(vcpu, guest_fill, slot.gpa, SLOT_SIZE, VALUE);
	teardown();
	check(leaked == read_number(LEAKED_PAGES), "reclaim works again: nothing more is leaked");
}

static bool test_injection(void)
{
	if (access(FAIL_PREPARE "times", W_OK)) {
		printf("# prepare and reclaim: skipped, they can't be made to fail\n");
		return false;
	}

	test_prepare_fails();
	test_reclaim_fails();
	return true;
}

int main(int argc, char *argv[])
{
	bool tested;

	require_private_mem();
	mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	__TEST_REQUIRE(read_number(LEAKED_PAGES) >= 0, "no tracepoints and functions to rely on");
	mount("tracefs", PRIVATE_TRACING, "tracefs", 0, NULL);

	tested = test_memory_failure();
	tested |= test_mapped_failure();
	tested |= test_vmm_failure();
	tested |= test_injection();
	__TEST_REQUIRE(tested, "no CONFIG_HWPOISON_INJECT, and no fault injection of KVM");
	return check_finish();
}
