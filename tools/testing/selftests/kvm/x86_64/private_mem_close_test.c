// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last to close a guest_memfd may be a process that has nothing to do with the VM. It
 * does not wait for the VM's ioctls, which can take as long as the VMM's memory likes, and
 * the pages are freed when these have ended.
 */
#define _GNU_SOURCE /* for program_invocation_short_name and CPU_SET() */
#include <glob.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "private_mem.h"
#include "private_mem_watch.h"

#define SLOT_SIZE	(4 * SZ_2M)
#define LOGGED_GPA	(2 * SZ_1G)
/* More than one workqueue works on at a time. */
#define NR_BUSY		300

/* --- Who gets the files ---------------------------------------------------------------- */

#define MAX_FDS		150

/* Another process, which has files that were sent to it, and ends when it is told to. */
struct other {
	pid_t pid;
	int socket;
	int go;
};

static void send_fds(struct other *o, const int *fds, unsigned int nr)
{
	char control[CMSG_SPACE(MAX_FDS * sizeof(int))] = {}, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = CMSG_SPACE(nr * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	TEST_ASSERT(nr <= MAX_FDS, "At most %d files", MAX_FDS);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(nr * sizeof(int));
	memcpy(CMSG_DATA(c), fds, nr * sizeof(int));
	TEST_ASSERT(sendmsg(o->socket, &msg, 0) == 1, "Not sent, errno %d", errno);
}

/* Returns the number of files in one message, -1 at the end. */
static int receive_fds(int socket, int *fds)
{
	char control[CMSG_SPACE(MAX_FDS * sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int nr;

	if (recvmsg(socket, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	nr = (CMSG_FIRSTHDR(&msg)->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), nr * sizeof(int));
	return nr;
}

static void other_main(int socket, int go, bool exits)
{
	int fds[MAX_FDS], nr;
	cpu_set_t cpu;
	char byte;

	/* The workers of one node close all files. */
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		_exit(KSFT_FAIL);
	/* The files are the sender's as well, until it says so. */
	if (read(go, &byte, 1))
		_exit(KSFT_FAIL);
	while ((nr = receive_fds(socket, fds)) > 0)
		while (!exits && nr--)
			close(fds[nr]);
	_exit(0);
}

/* The other process has no descriptors but those that are for it. */
static void other_start(struct other *o, bool exits)
{
	int pair[2], go[2], fd;

	TEST_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair) && !pipe(go), "errno %d", errno);
	o->pid = fork();
	TEST_ASSERT(o->pid >= 0, "No child, errno %d", errno);
	if (!o->pid) {
		for (fd = STDERR_FILENO + 1; fd <= go[1]; fd++)
			if (fd != pair[1] && fd != go[0])
				close(fd);
		other_main(pair[1], go[0], exits);
	}
	close(pair[1]);
	close(go[0]);
	o->socket = pair[0];
	o->go = go[1];
}

/* Have it close the files. False if it has not ended after ten seconds. */
static bool other_ends(struct other *o)
{
	unsigned int tries;
	int status;

	close(o->go);
	close(o->socket);
	for (tries = 0; tries < 1000; tries++) {
		if (waitpid(o->pid, &status, WNOHANG) == o->pid)
			return WIFEXITED(status) && !WEXITSTATUS(status);
		usleep(10000);
	}
	return false;
}

/* --- What the VM does at that moment --------------------------------------------------- */

struct caller {
	int vm_fd;
	int vcpu_fd;
	void *hva;
	struct slow_page *page;
	int (*call)(struct caller *c);
	pthread_t thread;
	int tid;
	int r;
};

/* Within kvm->srcu. */
static int get_msrs(struct caller *c)
{
	return ioctl(c->vcpu_fd, KVM_GET_MSRS, c->page->hva);
}

/* With slots_lock held. */
static int get_dirty_log(struct caller *c)
{
	struct kvm_dirty_log log = { .slot = 2, .dirty_bitmap = c->page->hva };

	return ioctl(c->vm_fd, KVM_GET_DIRTY_LOG, &log);
}

static void *call(void *arg)
{
	struct caller *c = arg;

	WRITE_ONCE(c->tid, syscall(SYS_gettid));
	c->r = c->call(c);
	return NULL;
}

/* A slot is logged, as get_dirty_log() wants it. */
static void caller_init(struct caller *c, int vm_fd, struct slow_page *page)
{
	int r;

	c->vm_fd = vm_fd;
	c->page = page;
	c->call = get_dirty_log;
	c->tid = 0;
	c->hva = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r = __set_region2(vm_fd, 2, KVM_MEM_LOG_DIRTY_PAGES, LOGGED_GPA, SZ_4K, c->hva, -1, 0);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
}

/* Have the ioctls wait for their memory. */
static void callers_wait(struct caller *callers, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		pthread_create(&callers[i].thread, NULL, call, &callers[i]);
	for (i = 0; i < nr; i++)
		TEST_ASSERT(thread_stays(&callers[i].tid, 'S', NULL),
			    "The ioctl doesn't wait for its memory");
}

static long count_pages(void)
{
	read_number("/proc/sys/vm/stat_refresh");
	return read_keyed("/proc/vmstat", "nr_unevictable");
}

/* False if there are more than @before after so many seconds. */
static bool falls_to(long (*count)(void), long before, unsigned int seconds)
{
	unsigned int tries;

	for (tries = 0; tries < 100 * seconds; tries++) {
		if (count() <= before)
			return true;
		usleep(10000);
	}
	return false;
}

static bool pages_are_freed(long before)
{
	return falls_to(count_pages, before, 10);
}

static void test_close(const char *what, int (*fn)(struct caller *c), bool exits)
{
	struct kvm_pre_fault_memory range = { .gpa = PRIVATE_GPA, .size = SLOT_SIZE };
	struct private_slot slot;
	struct kvm_vcpu *vcpu;
	struct slow_page page;
	struct caller caller;
	struct other other;
	struct kvm_vm *vm;
	long before;

	other_start(&other, exits);
	before = count_pages();
	slow_page_create(&page);
	vm = private_vm_create(1, &vcpu);
	caller_init(&caller, vm->fd, &page);
	caller.vcpu_fd = vcpu->fd;
	caller.call = fn;
	private_slot_add(&slot, vm, 1, PRIVATE_GPA, SLOT_SIZE);
	set_private(vm->fd, PRIVATE_GPA, SLOT_SIZE, true);
	TEST_ASSERT(!__pre_fault(vcpu->fd, &range) &&
		    count_pages() >= before + SLOT_SIZE / SZ_4K, "No private memory");
	callers_wait(&caller, 1);

	send_fds(&other, &slot.gmem_fd, 1);
	close(slot.gmem_fd);
	check(other_ends(&other), "%s: another process %s a guest_memfd, and does not wait", what,
	      exits ? "ends with" : "closes");
	slow_page_respond(&page);
	pthread_join(caller.thread, NULL);
	check(!caller.r, "%s: the ioctl ends as soon as its memory responds (%d)", what, caller.r);
	check(pages_are_freed(before), "%s: the pages are freed then, while the VM lives", what);
	kvm_vm_free(vm);
	munmap(caller.hva, SZ_4K);
	munmap(slot.hva, SLOT_SIZE);
	slow_page_free(&page);
}

/* VMs have a directory each. */
static long count_vms(void)
{
	long vms = 0;
	glob_t found;

	if (!glob("/sys/kernel/debug/kvm/*-*", GLOB_ONLYDIR, NULL, &found))
		vms = found.gl_pathc;
	globfree(&found);
	return vms;
}

static bool vms_are_gone(long before)
{
	return falls_to(count_vms, before, 60);
}

/* Send files to @other: @nr of each VM that calls. */
static void send_files(struct other *other, struct caller *callers, unsigned int nr_vms,
		       unsigned int nr)
{
	int fds[MAX_FDS];
	unsigned int i, n;

	for (i = n = 0; i < nr_vms * nr; i++) {
		fds[n++] = gmem_create(callers[i % nr_vms].vm_fd, SZ_4K);
		if (n < MAX_FDS && i + 1 < nr_vms * nr)
			continue;
		send_fds(other, fds, n);
		while (n)
			close(fds[--n]);
	}
}

/*
 * The files of VMs that are busy, however many, don't keep those of other VMs open.  @vms:
 * how many the host has besides.
 */
static void test_many(unsigned int nr_vms, unsigned int nr, long vms)
{
	struct caller *callers = calloc(nr_vms, sizeof(*callers));
	int kvm_fd = open_kvm_dev_path_or_exit(), idle, idle_gmem, fd;
	unsigned int i;
	struct slow_page page;
	struct other others[2];
	long before;

	other_start(&others[0], false);
	other_start(&others[1], false);
	TEST_ASSERT(vms_are_gone(vms), "VMs are left");
	before = count_pages();
	slow_page_create(&page);
	idle = ioctl(kvm_fd, KVM_CREATE_VM, KVM_X86_SW_PROTECTED_VM);
	idle_gmem = gmem_create(idle, SLOT_SIZE);
	gmem_allocate(idle_gmem, 0, SLOT_SIZE);
	TEST_ASSERT(count_pages() >= before + SLOT_SIZE / SZ_4K, "No private memory");
	for (i = 0; i < nr_vms; i++) {
		fd = ioctl(kvm_fd, KVM_CREATE_VM, KVM_X86_SW_PROTECTED_VM);
		caller_init(&callers[i], fd, &page);
	}
	send_files(&others[0], callers, nr_vms, nr);
	TEST_ASSERT(count_vms() == vms + 1 + nr_vms, "%ld VMs in debugfs", count_vms());
	callers_wait(callers, nr_vms);
	send_fds(&others[1], &idle_gmem, 1);
	close(idle_gmem);

	check(other_ends(&others[0]), "another process closes %u files of each of %u busy VMs", nr,
	      nr_vms);
	check(other_ends(&others[1]) && pages_are_freed(before),
	      "the pages of another VM are freed when the last one to have its file closes it");
	slow_page_respond(&page);
	for (i = 0; i < nr_vms; i++) {
		pthread_join(callers[i].thread, NULL);
		close(callers[i].vm_fd);
		munmap(callers[i].hva, SZ_4K);
	}
	close(idle);
	check(vms_are_gone(vms), "the VMs end after their files");
	close(kvm_fd);
	slow_page_free(&page);
	free(callers);
}

int main(int argc, char *argv[])
{
	long vms = count_vms();

	require_private_mem();
	setbuf(stdout, NULL);
	test_close("KVM_GET_MSRS", get_msrs, false);
	test_close("KVM_GET_DIRTY_LOG", get_dirty_log, false);
	test_close("KVM_GET_DIRTY_LOG", get_dirty_log, true);
	test_many(1, 2 * NR_BUSY, vms);
	test_many(NR_BUSY, 1, vms);
	check(audit_is_clean(), "the audit has no findings");
	return check_finish();
}
