// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last to close a guest_memfd may be a process that has nothing to do with the VM. It
 * does not wait for the VM's ioctls, which can take as long as the VMM's memory likes, and
 * the pages are freed when these have ended.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "private_mem.h"
#include "private_mem_watch.h"

#define SLOT_SIZE	(4 * SZ_2M)
#define LOGGED_GPA	(2 * SZ_1G)

/* --- Who gets the file ----------------------------------------------------------------- */

static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = {}, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	TEST_ASSERT(sendmsg(socket, &msg, 0) == 1, "Not sent, errno %d", errno);
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd;

	if (recvmsg(socket, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* Closes it when told to by one more byte, or by its end. */
static pid_t start_other(int *socket, bool exits)
{
	int pair[2], fd;
	pid_t pid;
	char byte;

	TEST_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "No sockets, errno %d", errno);
	pid = fork();
	TEST_ASSERT(pid >= 0, "No child, errno %d", errno);
	if (!pid) {
		close(pair[0]);
		fd = receive_fd(pair[1]);
		if (fd < 0 || read(pair[1], &byte, 1) != 1)
			_exit(KSFT_FAIL);
		if (!exits)
			close(fd);
		_exit(0);
	}
	close(pair[1]);
	*socket = pair[0];
	return pid;
}

/* False after ten seconds. */
static bool has_ended(pid_t pid)
{
	unsigned int tries;
	int status;

	for (tries = 0; tries < 1000; tries++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && !WEXITSTATUS(status);
		usleep(10000);
	}
	return false;
}

/* --- What the VM does at that moment --------------------------------------------------- */

struct caller {
	struct kvm_vm *vm;
	int vcpu_fd;
	void *memory;
	int (*call)(struct caller *c);
	pthread_t thread;
	int tid;
	int r;
};

/* Within kvm->srcu. */
static int get_msrs(struct caller *c)
{
	return ioctl(c->vcpu_fd, KVM_GET_MSRS, c->memory);
}

/* With slots_lock held. */
static int get_dirty_log(struct caller *c)
{
	struct kvm_dirty_log log = { .slot = 2, .dirty_bitmap = c->memory };

	return ioctl(c->vm->fd, KVM_GET_DIRTY_LOG, &log);
}

static void *call(void *arg)
{
	struct caller *c = arg;

	WRITE_ONCE(c->tid, syscall(SYS_gettid));
	c->r = c->call(c);
	return NULL;
}

static bool pages_are_freed(long before)
{
	unsigned int tries;

	for (tries = 0; tries < 1000; tries++) {
		read_number("/proc/sys/vm/stat_refresh");
		if (read_keyed("/proc/vmstat", "nr_unevictable") <= before)
			return true;
		usleep(10000);
	}
	return false;
}

static void test_close(const char *what, int (*fn)(struct caller *c), bool exits)
{
	struct kvm_pre_fault_memory range = { .gpa = PRIVATE_GPA, .size = SLOT_SIZE };
	struct caller caller = { .call = fn };
	struct private_slot slot;
	struct kvm_vcpu *vcpu;
	struct slow_page page;
	long before;
	int socket, r;
	pid_t other;
	bool ended;
	void *hva;

	other = start_other(&socket, exits);
	read_number("/proc/sys/vm/stat_refresh");
	before = read_keyed("/proc/vmstat", "nr_unevictable");
	slow_page_create(&page);
	caller.memory = page.hva;
	caller.vm = private_vm_create(1, &vcpu);
	caller.vcpu_fd = vcpu->fd;
	private_slot_add(&slot, caller.vm, 1, PRIVATE_GPA, SLOT_SIZE);
	set_private(caller.vm->fd, PRIVATE_GPA, SLOT_SIZE, true);
	TEST_ASSERT(!__pre_fault(vcpu->fd, &range), "No private memory");
	hva = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r = __set_region2(caller.vm->fd, 2, KVM_MEM_LOG_DIRTY_PAGES, LOGGED_GPA, SZ_4K, hva, -1, 0);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));

	pthread_create(&caller.thread, NULL, call, &caller);
	TEST_ASSERT(thread_stays(&caller.tid, 'S', NULL), "The ioctl doesn't wait for its memory");
	send_fd(socket, slot.gmem_fd);
	close(slot.gmem_fd);
	TEST_ASSERT(write(socket, "", 1) == 1, "No word to the other process");
	ended = has_ended(other);
	check(ended, "%s: another process %s a guest_memfd, and does not wait", what,
	      exits ? "ends with" : "closes");

	slow_page_respond(&page);
	pthread_join(caller.thread, NULL);
	check(!caller.r, "%s: the ioctl ends as soon as its memory responds (%d)", what, caller.r);
	check(pages_are_freed(before), "%s: the pages are freed then, while the VM lives", what);
	close(socket);
	kvm_vm_free(caller.vm);
	munmap(slot.hva, SLOT_SIZE);
	munmap(hva, SZ_4K);
	slow_page_free(&page);
}

int main(int argc, char *argv[])
{
	require_private_mem();
	setbuf(stdout, NULL);
	test_close("KVM_GET_MSRS", get_msrs, false);
	test_close("KVM_GET_DIRTY_LOG", get_dirty_log, false);
	test_close("KVM_GET_DIRTY_LOG", get_dirty_log, true);
	check(audit_is_clean(), "the audit has no findings");
	return check_finish();
}
