// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holes that end inside 2 MiB of an SNP guest's memory, while the memory next to them is
 * pre-faulted or allocated.
 *
 * A page that is freed while the RMP still assigns it to the guest crashes the host when
 * something writes to it. The test does exactly that: it fills free memory.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "private_mem_watch.h"
#include "processor.h"
#include "snp_bare.h"

#define PAGES_PER_CHUNK	512
/* Between the first and the last 2 MiB: small pages, so that the hole takes a while. */
#define NR_BETWEEN	6
#define FILE_SIZE	((NR_BETWEEN + 2) * SZ_2M)
#define LAST_CHUNK	(FILE_SIZE - SZ_2M)
/* Where the guest has the first and the last of them mapped. */
#define FIRST_GPA	BARE_DATA_GPA
#define LAST_GPA	(BARE_DATA_GPA + SZ_2M)
#define VALUE		0x401e0000ul
/* Regardless of how long that takes. */
#define MIN_ROUNDS	10
#define SWEEP_SIZE	(256 * SZ_2M)

static struct snp_bare guest;
static int fd;
static uint32_t seed = 1;
static unsigned int duration_ms = 5000;

struct racer {
	pthread_t thread;
	int cpu;
	bool allocate;
	uint64_t gpa;
	uint64_t offset;
	uint64_t delay;
	int ret;
};

static bool go;

static void *run_racer(void *arg)
{
	struct racer *racer = arg;
	struct kvm_pre_fault_memory range = { .gpa = racer->gpa, .size = SZ_4K };
	uint64_t begin;

	while (!READ_ONCE(go))
		;
	begin = rdtsc();
	while (rdtsc() - begin < racer->delay)
		;

	if (racer->allocate) {
		gmem_allocate(fd, racer->offset, SZ_4K);
		return NULL;
	}
	do {
		racer->ret = __pre_fault(guest.vcpu_fd[racer->cpu], &range);
	} while (racer->ret && (errno == EAGAIN || errno == EINTR));
	return NULL;
}

static void racer_start(struct racer *racer, int cpu, uint64_t chunk, uint64_t offset,
			uint64_t hole_cycles)
{
	*racer = (struct racer) {
		.cpu = cpu,
		.allocate = next_random(&seed) % 4 == 0,
		.gpa = (chunk ? LAST_GPA : FIRST_GPA) + offset - chunk,
		.offset = offset,
		.delay = hole_cycles * (next_random(&seed) % 110) / 100,
	};
	pthread_create(&racer->thread, NULL, run_racer, racer);
}

static uint64_t punch_with(struct racer *racers, int nr, uint64_t offset, uint64_t size)
{
	uint64_t cycles;
	int i;

	usleep(1000);
	cycles = rdtsc();
	WRITE_ONCE(go, true);
	gmem_punch(fd, offset, size);
	cycles = rdtsc() - cycles;
	for (i = 0; i < nr; i++) {
		pthread_join(racers[i].thread, NULL);
		TEST_ASSERT(!racers[i].ret, "The page beside the hole can't be pre-faulted");
	}
	WRITE_ONCE(go, false);
	return cycles;
}

static bool write_all(uint64_t gpa)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < PAGES_PER_CHUNK && !r; i += 3)
		r = bare_order(&guest, 0, BARE_WRITE, gpa + i * SZ_4K, VALUE + i, 0);
	return !r;
}

static bool holds_all(uint64_t gpa)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < PAGES_PER_CHUNK && !r; i += 3) {
		r = bare_order(&guest, 0, BARE_READ, gpa + i * SZ_4K, 0, 0);
		if (guest.ctl[0]->result != VALUE + i)
			return false;
	}
	return !r;
}

/* The guest uses the whole chunk, whose pages are faulted in again after that. */
static const char *find_fault(uint64_t gpa)
{
	int r = bare_order(&guest, 0, BARE_VALIDATE, gpa, gpa + SZ_2M, 0);

	/*
	 * EEXIST: a page was freed, and allocated again, while it was assigned to the
	 * guest.
	 */
	if (r) {
		printf("# KVM_RUN: %d, errno %d (%s), exit reason %u\n", r, errno, strerror(errno),
		       guest.run[0]->exit_reason);
		return "the guest can't validate its pages after the hole";
	}
	if (!write_all(gpa))
		return "the guest can't write to its pages after the hole";
	set_private(guest.vm_fd, gpa, SZ_2M, false);
	set_private(guest.vm_fd, gpa, SZ_2M, true);
	if (!holds_all(gpa))
		return "what the guest wrote after the hole is lost: it had freed pages";
	return NULL;
}

/* A page of a hole is allocated again while the rest of its 2 MiB is punched out. */
static const char *punch_rest(uint64_t *cycles)
{
	struct kvm_pre_fault_memory all = { .gpa = FIRST_GPA, .size = SZ_2M };
	struct racer racer;

	gmem_punch(fd, 0, SZ_2M);
	TEST_ASSERT(!__pre_fault(guest.vcpu_fd[0], &all), "No pre-fault, errno %d", errno);
	gmem_punch(fd, 0, SZ_4K);
	racer_start(&racer, 1, 0, 0, *cycles);
	*cycles = punch_with(&racer, 1, SZ_4K, SZ_2M - SZ_4K);
	return find_fault(FIRST_GPA);
}

/* Allocate 2 MiB without a page next to a hole that begins, or ends, in it. */
static const char *punch_between(uint64_t *cycles)
{
	uint64_t begin = (1 + next_random(&seed) % (PAGES_PER_CHUNK - 1)) * SZ_4K;
	uint64_t end = LAST_CHUNK + (1 + next_random(&seed) % (PAGES_PER_CHUNK - 1)) * SZ_4K;
	struct racer racers[2];
	unsigned int i;

	gmem_punch(fd, 0, FILE_SIZE);
	for (i = 1; i <= NR_BETWEEN; i++)
		gmem_allocate(fd, i * SZ_2M + SZ_4K, SZ_2M - SZ_4K);
	racer_start(&racers[0], 0, 0, 0, *cycles);
	racer_start(&racers[1], 1, LAST_CHUNK, end, *cycles);
	*cycles = punch_with(racers, 2, begin, end - begin);
	return find_fault(FIRST_GPA) ?: find_fault(LAST_GPA);
}

static const char *use_all(void)
{
	return find_fault(FIRST_GPA);
}

static void repeat(const char *what, const char *(*fn)(uint64_t *cycles))
{
	struct vcpu_watch watch;
	unsigned long rounds;

	watch_begin(&watch, guest.vcpu_fd[0]);
	rounds = repeat_race(what, fn, MIN_ROUNDS, duration_ms);
	watch_end(&watch, rounds * PAGES_PER_CHUNK, "%s", what);
	sweep_check(what, SWEEP_SIZE, use_all);
}

static void setup(void)
{
	int r;

	bare_init(&guest);
	TEST_ASSERT(!bare_launch(&guest), "No guest");
	fd = gmem_create(guest.vm_fd, FILE_SIZE);
	r = __set_region2(guest.vm_fd, 2, 0, BARE_DATA_GPA, 0, guest.data, -1, 0) ?:
	    __set_region2(guest.vm_fd, 2, KVM_MEM_GUEST_MEMFD, FIRST_GPA, SZ_2M, guest.data,
			  fd, 0) ?:
	    __set_region2(guest.vm_fd, 3, KVM_MEM_GUEST_MEMFD, LAST_GPA, SZ_2M,
			  guest.data + SZ_2M, fd, LAST_CHUNK);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
	set_private(guest.vm_fd, BARE_DATA_GPA, BARE_DATA_SIZE, true);
}

/*
 * A page that is assigned to the guest must not be mapped as a shared page of a file that
 * the host can map: reads would return ciphertext, and writes would cause RMP violations
 * forever.
 */
static void test_owned_and_shared(void)
{
	uint64_t gpa = BARE_DATA_GPA + 7 * SZ_4K;
	uint64_t shared = gpa + BARE_DATA_SHARED - BARE_DATA_GPA;
	int r, file;

	bare_init(&guest);
	TEST_ASSERT(!bare_launch(&guest), "No guest");
	file = __gmem_create(guest.vm_fd, BARE_DATA_SIZE, GUEST_MEMFD_FLAG_MMAP);
	r = __set_region2(guest.vm_fd, 2, 0, BARE_DATA_GPA, 0, guest.data, -1, 0) ?:
	    __set_region2(guest.vm_fd, 2, KVM_MEM_GUEST_MEMFD, BARE_DATA_GPA, BARE_DATA_SIZE,
			  guest.data, file, 0);
	TEST_ASSERT(file >= 0 && !r, "No memory that the host can map");
	set_private(guest.vm_fd, BARE_DATA_GPA, SZ_2M, true);
	TEST_ASSERT(!bare_order(&guest, 0, BARE_PVALIDATE, gpa, 0, 1) &&
		    !bare_order(&guest, 0, BARE_WRITE, gpa, VALUE, 0), "No private page");

	set_private(guest.vm_fd, gpa, SZ_4K, false);
	r = bare_order(&guest, 0, BARE_WRITE, shared, VALUE, 0);
	check(r == -1 && errno == EFAULT &&
	      guest.run[0]->exit_reason == KVM_EXIT_MEMORY_FAULT &&
	      guest.run[0]->memory_fault.gpa == gpa, "owned by the guest, and shared: an exit");
	gmem_punch(file, 7 * SZ_4K, SZ_4K);
	check(!bare_run(&guest, 0), "it goes on when the page was punched out");
	close(file);
	bare_free(&guest);
}

int main(int argc, char *argv[])
{
	int only = 0;
	long leaked;

	if (argc > 1)
		duration_ms = atoi(argv[1]);
	if (argc > 2)
		only = atoi(argv[2]);
	if (!duration_ms)
		ksft_exit_fail_msg("usage: %s [milliseconds for each kind] [kind]\n", argv[0]);

	require_snp();
	setbuf(stdout, NULL);
	leaked = leaked_pages();

	setup();
	if (only != 2)
		repeat("the rest of 2 MiB", punch_rest);
	if (only != 1)
		repeat("2 MiB without a page", punch_between);
	close(fd);
	bare_free(&guest);
	test_owned_and_shared();

	check(leaked_pages() == leaked, "no page is leaked");
	return check_finish();
}
