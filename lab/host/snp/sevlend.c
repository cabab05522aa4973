// SPDX-License-Identifier: GPL-2.0
/*
 * A SEV guest's memory that firmware changes in place, on a host with SNP: the
 * kernel lends it to the firmware page by page, and nobody else notices. A
 * thread writes to memory next to it, in the same 2 MiB, all the time.
 *
 * With the argument "mem": the kernel writes to a page that is lent, by its own
 * mapping, for /proc/self/mem; with "splice": for a file that is the guest's memory,
 * with preemption off. With "one-cpu" after it, on the processor that lends the page; with
 * "lost" after it, the firmware keeps the page, because of a failure that qmp has injected.
 * With "ring": what is not lent, the kernel's own pages that a user maps. With "lost":
 * the firmware keeps a page, because of a failure that qmp has injected; with "lost-uring"
 * and "lost-mem" it is part of a pinned huge page, to which io_uring or /proc/self/mem
 * write. With "slow": the firmware takes too long, because of a delay that qmp has
 * injected. With "hold": an ordinary VM, until killed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/kvm.h>

#include "sev.h"

#define SIZE	(4u << 20)
#define PAGE	4096u
#define ES	4u	/* policy: the guest is SEV-ES */

static volatile int stop;
static int may_fail;	/* writes of the kernel end once the page is unmapped */
static uint8_t *mem;
static int file = -1;

/* The last page of each 2 MiB is nobody's business but this thread's. */
static void *writer(void *arg)
{
	volatile uint64_t *a = (void *)(mem + (2u << 20) - PAGE), *b = (void *)(mem + SIZE - PAGE);
	uint64_t n = 0;

	(void)arg;
	while (!stop) {
		*a = ++n;
		*b = n;
		if (*a != n || *b != n)
			return (void *)1;
	}
	return NULL;
}

/* By way of /proc/self/mem it is the kernel that writes, and not at an address of the process. */
static void *mem_writer(void *arg)
{
	int fd = open("/proc/self/mem", O_RDWR);
	static char page[PAGE];
	uint64_t n = 0;

	(void)arg;
	while (!stop && pwrite(fd, page, PAGE, (uintptr_t)mem) == PAGE)
		n++;
	if (!stop && may_fail && errno == EIO)
		while (!stop)
			usleep(1000);
	close(fd);
	return (void *)(uintptr_t)!(stop && (n || may_fail));
}

/* The kernel copies from the page of the pipe with preemption off. */
static void *splice_writer(void *arg)
{
	static char page[PAGE];
	uint64_t n = 0;
	loff_t at;
	int p[2];

	(void)arg;
	if (pipe(p))
		return (void *)1;
	do {
		at = 0;
		if (write(p[1], page, PAGE) != PAGE || splice(p[0], NULL, file, &at, PAGE, 0) != PAGE)
			break;
		n++;
	} while (!stop);
	close(p[0]);
	close(p[1]);
	return (void *)(uintptr_t)!(stop && n);
}

static int update(uint64_t offset, uint32_t len)
{
	struct kvm_sev_launch_update_data u = { .uaddr = (uintptr_t)mem + offset, .len = len };

	return command(KVM_SEV_LAUNCH_UPDATE_DATA, &u);
}

static int debug(uint32_t id, void *src, void *dst, uint32_t len)
{
	struct kvm_sev_dbg d = { .src_uaddr = (uintptr_t)src, .dst_uaddr = (uintptr_t)dst, .len = len };

	return command(id, &d);
}

static void fill(uint8_t *p, size_t len, unsigned int seed)
{
	while (len--)
		*p++ = seed = seed * 1103515245 + 12345;
}

static void test_debug(void)
{
	static uint8_t want[3 * PAGE], got[4 * PAGE];

	/* From and to the middle of pages */
	fill(want, sizeof(want), 7);
	memset(got, 0xee, sizeof(got));
	check(!debug(KVM_SEV_DBG_DECRYPT, mem + 16, got + 48, 2 * PAGE) &&
	      !memcmp(got + 48, want + 16, 2 * PAGE), "DBG_DECRYPT gets what was there");
	check(got[47] == 0xee && got[48 + 2 * PAGE] == 0xee, "and nothing around it");
	fill(want, PAGE, 99);
	check(!debug(KVM_SEV_DBG_ENCRYPT, want, mem + PAGE, PAGE), "DBG_ENCRYPT");
	check(!debug(KVM_SEV_DBG_DECRYPT, mem + PAGE, got, PAGE) && !memcmp(got, want, PAGE),
	      "is what DBG_DECRYPT gets then");
}

static void test_guest(void)
{
	struct kvm_sev_launch_start start = { .policy = 0 };
	struct kvm_sev_launch_measure measure = {};
	struct kvm_sev_guest_status status = {};
	uint8_t blob[64];
	unsigned int i;
	int rc = 0;

	check(!command(KVM_SEV_LAUNCH_START, &start), "LAUNCH_START");
	check(!command(KVM_SEV_GUEST_STATUS, &status) && status.state == 1, "GUEST_STATUS");
	fill(mem, 3 * PAGE, 7);
	check(!update(0, 3 * PAGE), "LAUNCH_UPDATE_DATA of three pages");
	/* One page at a time, and a few bytes of one */
	for (i = 3; i < 200 && !rc; i++)
		rc = update(i * PAGE, PAGE);
	check(!rc, "of two hundred, one by one");
	check(!update(200 * PAGE + 32, 64), "of 64 bytes");
	check(!update(201 * PAGE, SIZE / 2 - 202 * PAGE), "of what is left of 2 MiB");
	check(!update(SIZE / 2, SIZE / 2 - PAGE), "of 2 MiB");
	check(update(17, 16) && errno == EIO, "of an address that is not aligned fails");
	test_debug();
	check(command(KVM_SEV_LAUNCH_MEASURE, &measure) && measure.len, "LAUNCH_MEASURE asks for the length");
	measure.uaddr = (uintptr_t)blob;
	check(!command(KVM_SEV_LAUNCH_MEASURE, &measure), "LAUNCH_MEASURE");
	check(!command(KVM_SEV_LAUNCH_FINISH, NULL), "LAUNCH_FINISH");
}

/* @lost: one of the commands keeps the page, and the kernel goes on writing. */
static void test_mem(void *(*kernel_writer)(void *), int lost)
{
	struct kvm_sev_launch_start start = { .policy = 0 };
	pthread_t thread;
	void *failure;
	int i, rc = 0;

	check(!command(KVM_SEV_LAUNCH_START, &start), "LAUNCH_START");
	may_fail = lost;
	pthread_create(&thread, NULL, kernel_writer, NULL);
	for (i = 0; i < 1000 && !rc; i++)
		rc = update(0, PAGE);
	if (lost)
		check(rc && errno == EIO, "the firmware keeps a page that the kernel writes to");
	else
		check(!rc, "LAUNCH_UPDATE_DATA of a page that the kernel writes to");
	stop = 1;
	pthread_join(thread, &failure);
	check(!failure, "the kernel writes to it all the time");
	printf("1..%d\n", number);
}

/* The ring of completions is the kernel's, which writes to it with interrupts off. */
static void test_ring(void)
{
	struct kvm_sev_launch_start start = { .policy = 0 };
	struct kvm_sev_launch_update_data u = { .len = 16 };
	unsigned long ring = 0;

	check(!command(KVM_SEV_LAUNCH_START, &start), "LAUNCH_START");
	check(!syscall(SYS_io_setup, 8, &ring), "a ring of completions");
	u.uaddr = ring;
	check(command(KVM_SEV_LAUNCH_UPDATE_DATA, &u) && errno == EFAULT, "is not encrypted");
	check(!syscall(SYS_io_destroy, ring), "and goes");
	check(!update(0, PAGE), "memory of the process is");
	printf("1..%d\n", number);
}

static int write_there(void)
{
	*(volatile uint8_t *)mem = 1;
	return 0;
}

/* It's done with page faults off, and done again when the page is there. */
static int futex_there(void)
{
	static int futex;

	return syscall(SYS_futex, &futex, FUTEX_WAKE_OP, 1, 1, mem,
		       FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 5)) != -1 || errno != EFAULT;
}

static int write_file(void)
{
	return pwrite(file, &file, sizeof(file), 0) != -1 || errno != EIO;
}

/* How a process ends that does it: as waitpid() has it, or -1 if it does not. */
static int end_of(int (*try)(void))
{
	int i, status, child = fork();

	if (!child)
		_exit(try());
	for (i = 0; i < 100; i++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		usleep(100000);
	}
	kill(child, SIGKILL);
	return -1;
}

static int has_failed_memory(void)
{
	char line[128] = "";
	FILE *f = fopen("/proc/meminfo", "r");
	int kib = 0;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "HardwareCorrupted: %d", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* LAUNCH_UPDATE_DATA of a page that the firmware keeps; waits until the kernel knows. */
static void lose_page(void)
{
	struct kvm_sev_launch_start start = { .policy = 0 };
	int i, before = has_failed_memory();

	check(!command(KVM_SEV_LAUNCH_START, &start), "LAUNCH_START");
	check(update(0, PAGE) && errno == EIO, "LAUNCH_UPDATE_DATA of a page that is kept fails");
	for (i = 0; i < 50 && has_failed_memory() == before; i++)
		usleep(100000);
	check(has_failed_memory() == before + (int)PAGE / 1024,
	      "the kernel counts a page that has failed");
}

/* What the firmware keeps is like memory that has failed: nobody can write to it. */
static void test_lost(void)
{
	lose_page();
	check(WTERMSIG(end_of(write_there)) == SIGBUS, "who writes to it gets SIGBUS");
	check(end_of(futex_there) == 0, "a futex in it is EFAULT");
	check(end_of(write_file) == 0, "a write to it in the file is EIO");
	check(!update(PAGE, PAGE), "the next page is encrypted");
	printf("1..%d\n", number);
}

struct uring {
	int fd;
	uint8_t *sq, *cq;
	struct io_uring_sqe *sqe;
	struct io_uring_params params;
};

static void *uring_map(struct uring *u, size_t size, off_t what)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd, what);
}

/* A ring that has registered, and pinned, all of the memory. */
static int uring_setup(struct uring *u)
{
	struct iovec all = { mem, SIZE };

	u->fd = syscall(SYS_io_uring_setup, 4, &u->params);
	if (u->fd < 0 || syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_BUFFERS, &all, 1))
		return -1;
	u->sq = uring_map(u, u->params.sq_off.array + 4 * u->params.sq_entries, IORING_OFF_SQ_RING);
	u->cq = uring_map(u, u->params.cq_off.cqes +
			  u->params.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	u->sqe = uring_map(u, u->params.sq_entries * sizeof(*u->sqe), IORING_OFF_SQES);
	return u->sq == MAP_FAILED || u->cq == MAP_FAILED || u->sqe == MAP_FAILED ? -1 : 0;
}

/* The kernel writes a page of zeroes. Returns the number of bytes, or a negative errno. */
static int uring_write_there(struct uring *u)
{
	int zero = open("/dev/zero", O_RDONLY);

	*u->sqe = (struct io_uring_sqe) {
		.opcode = IORING_OP_READ_FIXED,
		.fd = zero,
		.addr = (uintptr_t)mem,
		.len = PAGE,
	};
	*(uint32_t *)(u->sq + u->params.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(u->sq + u->params.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, u->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -1;
	return ((struct io_uring_cqe *)(u->cq + u->params.cq_off.cqes))->res;
}

/*
 * The kernel writes to pinned memory by its own mapping. There it has another page then: a
 * write is lost, but is no RMP violation. Who has not pinned it finds no page in the end.
 */
static void test_lost_pinned(int by_uring)
{
	static uint8_t page[PAGE];
	struct uring u = {};
	int fd;

	if (by_uring)
		check(!uring_setup(&u), "io_uring has registered the memory");
	lose_page();
	if (by_uring) {
		check(uring_write_there(&u) == PAGE, "io_uring writes to the lost page");
	} else {
		fd = open("/proc/self/mem", O_RDWR);
		check(pwrite(fd, page, PAGE, (uintptr_t)mem) == PAGE || errno == EIO,
		      "/proc/self/mem writes to the lost page, or finds none");
		close(fd);
	}
	printf("1..%d\n", number);
}

/* The firmware is too slow for memory that is lent, which others may wait for. */
static void test_slow(void)
{
	struct kvm_sev_launch_start start = { .policy = 0 };
	struct kvm_sev_guest_status status = {};

	check(!command(KVM_SEV_LAUNCH_START, &start), "LAUNCH_START");
	check(update(0, PAGE), "LAUNCH_UPDATE_DATA fails");
	check(command(KVM_SEV_GUEST_STATUS, &status) && errno == EBUSY,
	      "the firmware gets no command any more");
	printf("1..%d\n", number);
}

static void pin_to_one_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(1, &one);
	check(!sched_setaffinity(0, sizeof(one), &one), "one processor");
}

int main(int argc, char **argv)
{
	struct kvm_userspace_memory_region slot = { .memory_size = SIZE };
	struct kvm_enc_region region = { .size = SIZE };
	pthread_t thread;
	void *late;

	/* Without the firmware's device, which would keep its driver busy, too. */
	if (argc > 1 && !strcmp(argv[1], "hold")) {
		kvm = open("/dev/kvm", O_RDWR);
		if (kvm < 0 || ioctl(kvm, KVM_CREATE_VM, 0) < 0)
			return 2;
		puts("held");
		fflush(stdout);
		pause();
	}
	open_devices(argv[0]);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (argc > 1 && (!strcmp(argv[1], "splice") || !strcmp(argv[1], "lost"))) {
		file = memfd_create("guest", 0);
		if (file < 0 || ftruncate(file, 2 * SIZE))
			return 2;
	}
	mem = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE,
		   file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, file, 0);
	if (vm < 0 || mem == MAP_FAILED) {
		perror("sevlend");
		return 2;
	}
	if (file < 0)
		mem = (void *)(((uintptr_t)mem + SIZE - 1) & ~(uintptr_t)(SIZE - 1));
	madvise(mem, SIZE, MADV_HUGEPAGE);
	memset(mem, 0, SIZE);
	slot.userspace_addr = (uintptr_t)mem;
	region.addr = (uintptr_t)mem;
	check(!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot), "memory");
	check(!command(KVM_SEV_INIT, NULL), "SEV_INIT");
	check(!ioctl(vm, KVM_MEMORY_ENCRYPT_REG_REGION, &region), "region");
	if (argc > 1 && !strcmp(argv[1], "ring")) {
		test_ring();
		return failed;
	}
	if (argc > 1 && !strcmp(argv[1], "lost")) {
		test_lost();
		return failed;
	}
	if (argc > 1 && !strncmp(argv[1], "lost-", 5)) {
		test_lost_pinned(!strcmp(argv[1], "lost-uring"));
		return failed;
	}
	if (argc > 1 && !strcmp(argv[1], "slow")) {
		test_slow();
		return failed;
	}
	if (argc > 1) {
		if (argc > 2 && !strcmp(argv[2], "one-cpu"))
			pin_to_one_processor();
		test_mem(file < 0 ? mem_writer : splice_writer, argc > 2 && !strcmp(argv[2], "lost"));
		return failed;
	}
	pthread_create(&thread, NULL, writer, NULL);
	test_guest();
	stop = 1;
	pthread_join(thread, &late);
	check(!late, "the neighbour saw nothing of it");
	close(vm);
	printf("1..%d\n", number);
	return failed;
}
