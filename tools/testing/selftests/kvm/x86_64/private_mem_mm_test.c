// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory management operations that are valid for pages of other files must not harm a
 * guest_memfd: it can't be executed or collapsed, and advice, dropping of caches,
 * compaction and soft offlining neither lose content nor remove a page from those who
 * have it mapped.
 */
#define _GNU_SOURCE /* for program_invocation_name */
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "private_mem_watch.h"
#include "processor.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

#define SOFT_OFFLINE	"/sys/devices/system/memory/soft_offline_page"
#define NR_PAGES	512
#define WORDS_PER_PAGE	(SZ_4K / sizeof(uint64_t))
#define VALUE(n)	(0x3333000000000000ul + ((uint64_t)(n) << 32))

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpu;

/* --- Memory that host and guest have mapped: a VM without private memory ------------ */

static uint64_t *words;
static int fd;
static unsigned int nr_fills;

/* Count the words that differ from the last fill, and fill again. */
static void guest_code(void)
{
	uint64_t n, i, others;

	for (n = 1; ; n++) {
		for (others = 0, i = 0; i < NR_PAGES; i++)
			others += READ_ONCE(*(uint64_t *)(PRIVATE_GPA + i * SZ_4K)) !=
				  (n > 1 ? VALUE(n - 1) + i : 0);
		GUEST_SYNC(others);
		for (i = 0; i < NR_PAGES; i++)
			WRITE_ONCE(*(uint64_t *)(PRIVATE_GPA + i * SZ_4K), VALUE(n) + i);
		GUEST_SYNC(n);
	}
}

static uint64_t run_guest(void)
{
	struct ucall uc;

	vcpu_run(vcpu);
	TEST_ASSERT(get_ucall(vcpu, &uc) == UCALL_SYNC, "The guest exits, reason %u",
		    vcpu->run->exit_reason);
	return uc.args[1];
}

static unsigned int count_other(void)
{
	unsigned int i, others = 0;

	for (i = 0; i < NR_PAGES; i++)
		others += READ_ONCE(words[i * WORDS_PER_PAGE]) !=
			  (nr_fills ? VALUE(nr_fills) + i : 0);
	return others;
}

/* Both still see what was written before, and the host sees what the guest writes now. */
static void check_shared(const char *after)
{
	unsigned int host = count_other(), guest = run_guest(), now;

	nr_fills = run_guest();
	now = count_other();
	check(!host && !guest && !now,
	      "%s: all content is kept (the host misses %u pages, the guest %u, then %u)",
	      after, host, guest, now);
}

static void setup_mapped(void)
{
	char *place;
	int r;

	vm = vm_create_with_one_vcpu(&vcpu, guest_code);
	fd = __gmem_create(vm->fd, SZ_2M, GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED);
	TEST_ASSERT(fd >= 0, "No guest_memfd, errno %d", errno);
	/* Where 2 MiB can be mapped as one page. */
	place = mmap(NULL, 2 * SZ_2M, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	place = (char *)(((uintptr_t)place + SZ_2M - 1) & -SZ_2M);
	words = mmap(place, SZ_2M, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	TEST_ASSERT(words != MAP_FAILED, "The file can't be mapped, errno %d", errno);
	r = __set_region2(vm->fd, 10, KVM_MEM_GUEST_MEMFD, PRIVATE_GPA, SZ_2M, words, fd, 0);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
	virt_map_level(vm, PRIVATE_GPA, PRIVATE_GPA, SZ_2M, PG_LEVEL_2M);
	check_shared("mapped");
}

static void test_exec(void)
{
	void *p;
	int r;

	p = mmap(NULL, SZ_2M, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	check_errno(p == MAP_FAILED ? -1 : 0, EPERM, "mmap(PROT_EXEC)");
	if (p != MAP_FAILED)
		munmap(p, SZ_2M);
	r = mprotect(words, SZ_2M, PROT_READ | PROT_EXEC);
	check_errno(r, EACCES, "mprotect(PROT_EXEC)");
	mprotect(words, SZ_2M, PROT_READ | PROT_WRITE);
	check_shared("mprotect(PROT_EXEC)");
}

/* It has to fail; the errno does not matter. */
static void test_collapse(void)
{
	int r;

	check(madvise(words, SZ_2M, MADV_COLLAPSE), "MADV_COLLAPSE is refused");
	check_shared("MADV_COLLAPSE");
	/* Where memory can be executed, it can be collapsed. */
	if (!mprotect(words, SZ_2M, PROT_READ | PROT_EXEC)) {
		r = madvise(words, SZ_2M, MADV_COLLAPSE);
		check(r, "MADV_COLLAPSE of an executable mapping is refused");
		mprotect(words, SZ_2M, PROT_READ | PROT_WRITE);
		check_shared("MADV_COLLAPSE of an executable mapping");
	}
}

/* Advice may fail, but must not lose content. */
static void test_advice(void)
{
	static const struct {
		int advice;
		const char *name;
	} list[] = {
		{ MADV_COLD, "MADV_COLD" },
		{ MADV_PAGEOUT, "MADV_PAGEOUT" },
		{ MADV_FREE, "MADV_FREE" },
		{ MADV_DONTNEED, "MADV_DONTNEED" },
		{ MADV_MERGEABLE, "MADV_MERGEABLE" },
		{ MADV_HUGEPAGE, "MADV_HUGEPAGE" },
		{ MADV_DONTFORK, "MADV_DONTFORK" },
	};
	unsigned int i;
	int r;

	for (i = 0; i < ARRAY_SIZE(list); i++) {
		r = madvise(words, SZ_2M, list[i].advice);
		printf("# %s: %s\n", list[i].name, r ? strerror(errno) : "success");
		check_shared(list[i].name);
	}
	r = mlock(words, SZ_2M) ?: munlock(words, SZ_2M);
	printf("# mlock() and munlock(): %s\n", r ? strerror(errno) : "success");
	check_shared("mlock() and munlock()");
}

/* Move pages to each existing node. */
static void test_move_pages(void)
{
	void *pages[NR_PAGES];
	int nodes[NR_PAGES], status[NR_PAGES], i, node;
	char path[64];

	for (node = 0; node < 64; node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", node);
		if (access(path, F_OK))
			break;
		for (i = 0; i < NR_PAGES; i++) {
			pages[i] = words + i * WORDS_PER_PAGE;
			nodes[i] = node;
		}
		syscall(__NR_move_pages, 0, NR_PAGES, pages, nodes, status, 0);
	}
	check_shared("move_pages()");
}

/* MADV_REMOVE also punches a hole: it must free what it says. */
static void test_remove(void)
{
	uint64_t *hole = words + 7 * WORDS_PER_PAGE;
	unsigned int i, others = 0;

	run_guest();
	nr_fills = run_guest();
	if (madvise(hole, 3 * SZ_4K, MADV_REMOVE)) {
		printf("# MADV_REMOVE: %s\n", strerror(errno));
		check_shared("MADV_REMOVE");
		return;
	}
	for (i = 0; i < NR_PAGES; i++)
		others += words[i * WORDS_PER_PAGE] !=
			  (i >= 7 && i < 10 ? 0 : VALUE(nr_fills) + i);
	check(!others, "MADV_REMOVE: a hole of three pages and no more (%u pages differ)", others);
	check(run_guest() == 3, "MADV_REMOVE: the guest has the hole as well");
	nr_fills = run_guest();
	check(!count_other(), "MADV_REMOVE: what the guest writes there is seen");
}

/* --- Without a mapping to advise on: private memory, and the file ------------------- */

static void clean_caches(void)
{
	write_string("/proc/sys/vm/drop_caches", "3");
	write_string("/proc/sys/vm/compact_memory", "1");
}

static void test_mapped(void)
{
	int r;

	setup_mapped();
	test_exec();
	test_collapse();
	test_advice();
	test_move_pages();
	r = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	printf("# POSIX_FADV_DONTNEED: %s\n", strerror(r));
	check_shared("POSIX_FADV_DONTNEED");
	clean_caches();
	check_shared("drop_caches and compaction");
	test_remove();
	r = madvise(words + 5 * WORDS_PER_PAGE, SZ_4K, MADV_SOFT_OFFLINE);
	printf("# soft offline: %s\n", r ? strerror(errno) : "success");
	check_shared("soft offline");
	munmap(words, SZ_2M);
	close(fd);
	kvm_vm_free(vm);
}

static struct private_slot slot;
static unsigned int nr_values;

static void fill(void)
{
	guest_call(vcpu, guest_fill, slot.gpa, slot.size, VALUE(++nr_values));
}

static uint64_t guest_misses(void)
{
	return guest_call(vcpu, guest_count_other, slot.gpa, slot.size, VALUE(nr_values));
}

/* All content is kept, in mappings and in the file. */
static void check_private(const char *after)
{
	uint64_t mapped, in_file;

	mapped = guest_misses();
	set_private(vm->fd, slot.gpa, slot.size, false);
	set_private(vm->fd, slot.gpa, slot.size, true);
	in_file = guest_misses();
	check(!mapped && !in_file,
	      "%s: all content is kept (%lu pages differ as mapped, %lu mapped anew)", after,
	      mapped, in_file);
	fill();
}

/*
 * A page that the guest has written and whose mappings were never zapped: the host
 * considers it clean and unused.
 */
static void soft_offline(uint64_t offset, const char *what)
{
	uint64_t pfn;
	bool ok;

	/* The second 2 MiB are allocated page by page. */
	gmem_punch(slot.gmem_fd, 0, slot.size);
	gmem_allocate(slot.gmem_fd, SZ_2M, SZ_4K);
	gmem_allocate(slot.gmem_fd, SZ_2M + SZ_4K, SZ_2M - SZ_4K);
	pfn = find_private_pfn(vcpu, &slot, offset);

	check(pfn, "%s: the trace has the pfn", what);
	if (!pfn)
		return;
	fill();
	ok = write_string(SOFT_OFFLINE, "0x%lx", pfn * SZ_4K);
	printf("# %s: pfn 0x%lx, %s\n", what, pfn, ok ? "success" : strerror(errno));
	check_private(what);
}

/* The first 2 MiB are one page, the second 2 MiB are small pages. */
static void test_private(void)
{
	struct vcpu_watch watch;
	int r;

	vm = private_vm_create(1, &vcpu);
	watch_begin(&watch, vcpu->fd);
	private_slot_add(&slot, vm, 1, PRIVATE_GPA, 2 * SZ_2M);
	set_private(vm->fd, slot.gpa, SZ_2M + SZ_2M / 2, true);
	guest_call(vcpu, guest_fill, slot.gpa, SZ_2M + SZ_2M / 2, 1);
	set_private(vm->fd, slot.gpa, slot.size, true);
	fill();
	check_private("conversion");

	r = posix_fadvise(slot.gmem_fd, 0, 0, POSIX_FADV_DONTNEED);
	printf("# POSIX_FADV_DONTNEED: %s\n", strerror(r));
	check_private("POSIX_FADV_DONTNEED of private memory");
	clean_caches();
	check_private("drop_caches and compaction of private memory");

	if (access(SOFT_OFFLINE, W_OK)) {
		printf("# soft offline: skipped, no CONFIG_MEMORY_FAILURE\n");
	} else {
		mount("tracefs", PRIVATE_TRACING, "tracefs", 0, NULL);
		soft_offline(SZ_2M + 3 * SZ_4K, "soft offline of a small page");
		soft_offline(3 * SZ_4K, "soft offline inside of 2 MiB");
		soft_offline(0, "soft offline of the first page of 2 MiB");
	}
	watch_end(&watch, nr_values * slot.size / SZ_4K, "vCPU");
	private_slot_remove(&slot);
	kvm_vm_free(vm);
}

/* --- A watch on a file, which outlives it --------------------------------------------- */

/* The only guest_memfd of the host, whose file system so goes with it. */
static void watch_and_close(void)
{
	int kvm_fd = open_kvm_dev_path_or_exit(), vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	int notify = inotify_init(), gmem = gmem_create(vm_fd, SZ_4K);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", gmem);
	if (inotify_add_watch(notify, path, IN_CLOSE) < 0)
		_exit(KSFT_FAIL);
	close(gmem);
	_exit(0);
}

static void sync_all(void)
{
	sync();
	_exit(0);
}

/* True if the child ends within ten seconds.  One that doesn't can't be killed. */
static bool child_ends(void (*fn)(void))
{
	unsigned int tries;
	int status = -1;
	pid_t pid = fork();

	TEST_ASSERT(pid >= 0, "No child, errno %d", errno);
	if (!pid)
		fn();
	for (tries = 0; tries < 1000; tries++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && !WEXITSTATUS(status);
		usleep(10000);
	}
	return false;
}

static void test_watch(void)
{
	check(child_ends(watch_and_close), "a process ends that has a watch on its guest_memfd");
	check(child_ends(sync_all), "sync() ends");
}

int main(int argc, char *argv[])
{
	require_private_mem();
	test_watch();
	test_mapped();
	test_private();
	check(audit_is_clean(), "the audit has no findings");
	return check_finish();
}
