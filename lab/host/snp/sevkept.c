// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of a process that the firmware does not return, because of failures that qmp injects
 * here: nobody writes to it, and nothing hangs.
 *
 *   sevkept thp       a page of a pinned huge page: the others are as before
 *   sevkept many      page after page, until the firmware gets no more
 *   sevkept pageout   pages that reclaim has isolated all the time
 *   sevkept swapoff   the same, and swapoff finds some of them in the swap cache
 *   sevkept hugetlb   pages of a file of huge pages, whose mappings are locked most of the time
 *   sevkept gmem      pages of a guest_memfd that another guest uses, isolated all the time
 *   sevkept offline   memory that goes offline with a page of it
 *   sevkept again     pages, after the firmware had been given no more and was started anew
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>

#include <linux/falloc.h>
#include <linux/futex.h>

#include "sev.h"

#define PAGE	4096u
#define SIZE	(2u << 20)

static uint8_t *mem;

static void begin_launch(void)
{
	struct kvm_sev_launch_start start = {};

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	check(!command(KVM_SEV_INIT, NULL), "SEV_INIT");
	check(!command(KVM_SEV_LAUNCH_START, &start), "LAUNCH_START");
}

/* 2 MiB, aligned */
static void map_memory(int huge)
{
	mem = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mem = (void *)(((uintptr_t)mem + SIZE - 1) & ~(uintptr_t)(SIZE - 1));
	madvise(mem, SIZE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memset(mem, 1, SIZE);
}

/* A SEV guest with memory, which KVM has pinned. */
static void begin(int huge)
{
	struct kvm_userspace_memory_region slot = { .memory_size = SIZE };
	struct kvm_enc_region region = { .size = SIZE };

	map_memory(huge);
	slot.userspace_addr = region.addr = (uintptr_t)mem;
	begin_launch();
	check(!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot), "memory");
	check(!ioctl(vm, KVM_MEMORY_ENCRYPT_REG_REGION, &region), "region");
}

static int update(unsigned int page)
{
	struct kvm_sev_launch_update_data u = { .uaddr = (uintptr_t)mem + page * PAGE, .len = PAGE };

	return command(KVM_SEV_LAUNCH_UPDATE_DATA, &u);
}

static __thread sigjmp_buf out;

static void on_sigbus(int sig)
{
	siglongjmp(out, sig);
}

/* Returns 1 if a write to the page, or a read of it, is a signal. */
static int is_sigbus(unsigned int page, int write)
{
	volatile uint8_t *p = mem + page * PAGE;

	signal(SIGBUS, on_sigbus);
	if (sigsetjmp(out, 1))
		return 1;
	if (write)
		*p = 2;
	else
		(void)*p;
	return 0;
}

/* The kernel writes to an address of users, where it expects that it can in the end. */
static int futex(unsigned int page)
{
	uint32_t other = 0, op = FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0);

	return syscall(SYS_futex, &other, FUTEX_WAKE_OP_PRIVATE, 1, 1, mem + page * PAGE, op);
}

/* KiB of memory that has failed, as the kernel counts it */
static long failed_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = -1;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "HardwareCorrupted: %ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

/* Unmapping is done by a worker. */
static void wait_for_unmapping(unsigned int page)
{
	int i;

	for (i = 0; i < 100 && !is_sigbus(page, 1); i++)
		usleep(100000);
	check(i < 100, "the page is unmapped");
}

static volatile int stop, signals, short_reads;

/* Writes to another page of the huge page all the time, ... */
static void *neighbour(void *arg)
{
	while (!stop)
		signals += is_sigbus(100, 1);
	return arg;
}

/* ... and so does the kernel. */
static void *reader(void *arg)
{
	int fd = open("/dev/zero", O_RDONLY);

	while (!stop)
		short_reads += read(fd, mem + 101 * PAGE, 64) != 64;
	return arg;
}

static void test_thp(void)
{
	pthread_t thread[2];
	int i;

	begin(1);
	check(!update(1), "a page is encrypted");
	check(!pthread_create(&thread[0], NULL, neighbour, NULL), "a thread that writes");
	check(!pthread_create(&thread[1], NULL, reader, NULL), "a thread that reads");
	qmp("fail SNP_PAGE_RECLAIM:RESOURCE_LIMIT:1");
	check(update(0) && errno == EIO, "a page is kept");
	for (i = 0; i < 20; i++)
		check(!update(100), "a page that is written to is encrypted");
	wait_for_unmapping(0);
	stop = 1;
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	check(!signals, "no other page was a signal");
	check(!short_reads, "no read() to another page failed");
	check(futex(0) && errno == EFAULT, "a futex in it is EFAULT");
	check(!is_sigbus(2, 1) && !is_sigbus(SIZE / PAGE - 1, 1), "other pages are written to");
	check(!futex(3), "and have futexes");
	check(!update(4), "and are encrypted");
}

static void test_many(void)
{
	unsigned int i, kept, bad = 0;
	long before = failed_memory();

	begin(0);
	qmp("fail SNP_PAGE_RECLAIM:RESOURCE_LIMIT");
	for (i = 0; i < 200; i++)
		check(update(i) && errno == EIO, "EIO");
	qmp("fail ''");
	for (i = 0; i < 100 && failed_memory() == before; i++)
		usleep(100000);
	check(i < 100, "memory fails before anybody accesses it");
	for (kept = 0; kept < 200 && is_sigbus(kept, 1); kept++)
		;
	check(kept > 50 && kept <= 64, "some pages are kept, and no more are given");
	for (i = 0; i < kept; i++)
		bad += !futex(i) || errno != EFAULT;
	check(!bad, "all of them are unmapped");
	for (bad = 0; i < 200; i++)
		bad += is_sigbus(i, 1);
	check(!bad, "the others are not");
	check(failed_memory() - before == (long)(kept * PAGE / 1024), "the kernel counts them");
	check(update(kept) && errno == EIO, "EIO, with a firmware that works");
}

static void *pageout(void *arg)
{
	while (!stop)
		madvise(mem, SIZE, MADV_PAGEOUT);
	return arg;
}

/* The firmware keeps @n pages, each @step'th from the first on, while @work runs in some threads. */
static void keep(unsigned int n, unsigned int step, void *(*work)(void *))
{
	pthread_t thread[4];
	unsigned int i;

	for (i = 0; i < 4; i++)
		check(!pthread_create(&thread[i], NULL, work, NULL), "a thread");
	qmp("fail SNP_PAGE_RECLAIM:RESOURCE_LIMIT");
	for (i = 0; i < n; i++)
		check(update(i * step) && errno == EIO, "a page is kept");
	qmp("fail ''");
	sleep(2);
	stop = 1;
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

/* Whatever is mapped again goes again. */
static void check_unmapped(unsigned int n, unsigned int step)
{
	unsigned int i, bad = 0;

	for (i = 0; i < n; i++)
		wait_for_unmapping(i * step);
	for (i = 0; i < n; i++)
		bad += !futex(i * step) || errno != EFAULT;
	check(!bad, "no futex goes on");
}

static void test_pageout(void)
{
	begin(0);
	keep(40, 1, pageout);
	check_unmapped(40, 1);
}

/* Nothing is mapped again: a read would give what the firmware has left there. */
static void test_swapoff(void)
{
	unsigned int i, bad = 0;

	check(!system("dd if=/dev/zero of=/tmp/swap bs=1M count=32 2>/dev/null && "
		      "losetup /dev/loop5 /tmp/swap && mkswap /dev/loop5 >/dev/null"), "a swap file");
	check(!swapon("/dev/loop5", 0), "swapon");
	map_memory(0);
	begin_launch();
	keep(60, 1, pageout);
	check_unmapped(60, 1);
	check(!swapoff("/dev/loop5"), "swapoff");
	for (i = 0; i < 60; i++)
		bad += !is_sigbus(i, 0);
	check(!bad, "reads are signals");
	check_unmapped(60, 1);
}

static int file;

static void *punch(void *arg)
{
	while (!stop)
		fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * SIZE, SIZE);
	return arg;
}

/* The lock that unmapping needs is held while a hole is punched: long, with many mappings. */
static void test_hugetlb(void)
{
	int i;

	check(!system("echo 6 >/proc/sys/vm/nr_hugepages"), "huge pages");
	file = memfd_create("huge", MFD_HUGETLB);
	check(file >= 0 && !ftruncate(file, 4 * SIZE), "a file of huge pages");
	mem = mmap(NULL, 4 * SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	check(mem != MAP_FAILED, "it is mapped");
	memset(mem, 1, 4 * SIZE);
	for (i = 0; i < 40000; i++) {
		if (mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 3 * SIZE) == MAP_FAILED)
			break;
	}
	begin_launch();
	keep(3, SIZE / PAGE, punch);
	check_unmapped(3, SIZE / PAGE);
}

/* Of mainline's <linux/kvm.h> */
struct guest_memfd {
	uint64_t size, flags, reserved[6];
};

struct region2 {
	uint32_t slot, flags;
	uint64_t gpa, size, addr, offset;
	uint32_t fd, pad1;
	uint64_t pad2[14];
};

#define CREATE_GUEST_MEMFD	_IOWR(KVMIO, 0xd4, struct guest_memfd)
#define SET_REGION2		_IOW(KVMIO, 0x49, struct region2)
#define SLOT_GUEST_MEMFD	4u
#define GMEM_MMAP_SHARED	3u
#define GMEM_GPA		0x10000u
#define GMEM_PAGES		16u

static struct kvm_run *run;

/* KVM_RUN returns. */
static void on_alarm(int sig __attribute__((unused)))
{
}

/* A guest in real mode, whose memory at 64 KiB is that of a guest_memfd, mapped at @mem as well */
static int gmem_vcpu(void)
{
	static const uint8_t code[] = { 0xfe, 0x07, 0xf4 };	/* incb (%bx); hlt */
	struct kvm_userspace_memory_region slot = { .memory_size = PAGE };
	struct guest_memfd create = { .size = SIZE, .flags = GMEM_MMAP_SHARED };
	struct region2 region = { .slot = 1, .flags = SLOT_GUEST_MEMFD, .gpa = GMEM_GPA,
				  .size = GMEM_PAGES * PAGE };
	int other = ioctl(kvm, KVM_CREATE_VM, 0), fd = ioctl(other, CREATE_GUEST_MEMFD, &create), vcpu;
	uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(fd >= 0, "a guest_memfd");
	memcpy(page, code, sizeof(code));
	slot.userspace_addr = (uintptr_t)page;
	check(!ioctl(other, KVM_SET_USER_MEMORY_REGION, &slot), "memory");
	region.fd = fd;
	region.addr = (uintptr_t)mmap(NULL, region.size, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(!ioctl(other, SET_REGION2, &region), "memory of the guest_memfd");
	vcpu = ioctl(other, KVM_CREATE_VCPU, 0);
	run = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(vcpu >= 0 && run != MAP_FAILED && mem != MAP_FAILED, "a vCPU");
	return vcpu;
}

/* The guest writes to page @i: the errno of KVM_RUN, EINTR if it did not return for 5 seconds */
static int guest_write(int vcpu, unsigned int i)
{
	struct kvm_mp_state runnable = { KVM_MP_STATE_RUNNABLE };
	struct kvm_regs regs = { .rflags = 2, .rbx = i * PAGE };
	struct kvm_sregs sregs;
	int err;

	ioctl(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = sregs.cs.selector = 0;
	sregs.ds.base = GMEM_GPA;
	sregs.ds.selector = GMEM_GPA / 16;
	ioctl(vcpu, KVM_SET_SREGS, &sregs);
	ioctl(vcpu, KVM_SET_REGS, &regs);
	ioctl(vcpu, KVM_SET_MP_STATE, &runnable);
	alarm(5);
	err = ioctl(vcpu, KVM_RUN, 0) ? errno : 0;
	alarm(0);
	return err || run->exit_reason == KVM_EXIT_HLT ? err : EIO;
}

static void test_gmem(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	unsigned int i, bad = 0;
	int vcpu = gmem_vcpu();

	sigaction(SIGALRM, &action, NULL);
	for (i = 0; i < GMEM_PAGES; i++)
		bad += !!guest_write(vcpu, i);
	check(!bad, "the guest writes");
	begin_launch();
	keep(GMEM_PAGES, 1, pageout);
	for (i = 0; i < GMEM_PAGES; i++)
		bad += guest_write(vcpu, i) != EHWPOISON;
	check(!bad, "the guest's writes are EHWPOISON");
	check_unmapped(GMEM_PAGES, 1);
}

static unsigned long number_in(const char *command)
{
	FILE *pipe = popen(command, "r");
	unsigned long n = 0;

	check(pipe && fscanf(pipe, "%lx", &n) == 1, command);
	if (pipe)
		pclose(pipe);
	return n;
}

static unsigned long pfn_of(void *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	check(pread(fd, &entry, sizeof(entry), (uintptr_t)p / PAGE * sizeof(entry)) == sizeof(entry), "pagemap");
	close(fd);
	return entry & ((1ULL << 55) - 1);
}

/* Wants memory that can go offline (kernelcore=). Without the page, its block does. */
static void test_offline(void)
{
	unsigned long block = number_in("cat /sys/devices/system/memory/block_size_bytes");
	uint8_t *all = mmap(NULL, 3UL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char path[100], line[400];
	size_t at;

	madvise(all, 3UL << 30, MADV_NOHUGEPAGE);
	for (at = 0; at < 3UL << 30; at += 16 << 20) {
		mem = all + at;
		memset(mem, 1, 16 << 20);
		snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%lu", pfn_of(mem) * PAGE / block);
		snprintf(line, sizeof(line), "grep -q ^Movable %s/valid_zones", path);
		if (!system(line))
			break;
	}
	check(at < 3UL << 30, "memory that can go offline");
	begin_launch();
	qmp("fail SNP_PAGE_RECLAIM:RESOURCE_LIMIT:1");
	check(update(0) && errno == EIO, "a page is kept");
	wait_for_unmapping(0);
	munmap(all, 3UL << 30);
	snprintf(line, sizeof(line), "! echo offline >%s/state && grep -qx online %s/state && "
		 "dmesg | grep 'memory stays online'", path, path);
	check(!system(line), "its block stays online");
}

static void test_again_after_reset(void)
{
	begin(0);
	check(!update(0), "a page is encrypted, after the firmware was started anew");
	qmp("fail SNP_PAGE_RECLAIM:RESOURCE_LIMIT:1");
	check(update(1) && errno == EIO, "a page is kept");
	wait_for_unmapping(1);
	check(!update(2), "and others are encrypted");
}

static const struct test tests[] = {
	{ "thp", test_thp },
	{ "many", test_many },
	{ "pageout", test_pageout },
	{ "swapoff", test_swapoff },
	{ "hugetlb", test_hugetlb },
	{ "gmem", test_gmem },
	{ "offline", test_offline },
	{ "again", test_again_after_reset },
	{}
};

int main(int argc, char **argv)
{
	return run_test(tests, argc, argv);
}
