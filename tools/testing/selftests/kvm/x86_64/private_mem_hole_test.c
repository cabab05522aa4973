// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holes that end inside 2 MiB while the memory next to them is in use.
 *
 * A hole frees the pages that it covers and no others, even if they are part of a huge
 * page, and even if the huge page is allocated while the hole is being punched. A page
 * that is freed while the guest has it mapped is detected by its content: what the guest
 * has written after the hole, or next to it, must still be there once all mappings have
 * been zapped and faulted in again.
 */
#define _GNU_SOURCE /* for program_invocation_name */
#include <pthread.h>

#include "private_mem_watch.h"
#include "processor.h"

#define PAGES_PER_CHUNK	512
/* Between the first and the last 2 MiB: small pages, so that the hole takes a while. */
#define NR_BETWEEN	6
#define FILE_SIZE	((NR_BETWEEN + 2) * SZ_2M)
#define LAST_CHUNK	(FILE_SIZE - SZ_2M)
#define VALUE		0x401e000000000000ul
#define SWEEP_SIZE	(128 * SZ_2M)
/* The guest accesses the first page of a range and then one page per step. */
#define STEP		(15 * SZ_4K)
/* Regardless of how long that takes. */
#define MIN_ROUNDS	60

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpus[3];
static struct private_slot slot;
static uint32_t seed = 1;
static uint64_t nr_values;
static unsigned int duration_ms = 5000;

static uint64_t new_value(void)
{
	return VALUE + (++nr_values << 32);
}

/* Like guest_fill() and guest_count_other(), for some of the pages only. */
static uint64_t guest_fill_some(uint64_t gpa, uint64_t size, uint64_t value)
{
	uint64_t end = gpa + size;

	for (; gpa < end; gpa += STEP)
		WRITE_ONCE(*(uint64_t *)gpa, value + gpa);
	return 0;
}

static uint64_t guest_count_some(uint64_t gpa, uint64_t size, uint64_t value)
{
	uint64_t end = gpa + size, others = 0;

	for (; gpa < end; gpa += STEP)
		others += READ_ONCE(*(uint64_t *)gpa) != (value ? value + gpa : 0);
	return others;
}

/* What happens to a page next to the hole. */
enum beside {
	WRITE,
	PRE_FAULT,
	ALLOCATE,
	NR_BESIDE,
};

/*
 * Does it to @nr pages at intervals of 2 MiB, each @delay cycles after the start signal.
 */
struct racer {
	pthread_t thread;
	struct kvm_vcpu *vcpu;
	enum beside what;
	uint64_t offset;
	uint64_t value;
	uint64_t delay[FILE_SIZE / SZ_2M];
	unsigned int nr;
	unsigned int nr_may;
	unsigned int nr_done;
	bool failed;
};

static void race_once(struct racer *racer, uint64_t offset, uint64_t value)
{
	struct kvm_pre_fault_memory range = { .gpa = slot.gpa + offset, .size = SZ_4K };
	uint64_t ignored;
	int r;

	switch (racer->what) {
	case WRITE:
		r = __guest_call(racer->vcpu, guest_write, range.gpa, value, 0);
		racer->failed |= r || !guest_returned(racer->vcpu, &ignored);
		return;
	case PRE_FAULT:
		do {
			r = __pre_fault(racer->vcpu->fd, &range);
		} while (r && (errno == EAGAIN || errno == EINTR));
		break;
	default:
		r = fallocate(slot.gmem_fd, FALLOC_FL_KEEP_SIZE, offset, SZ_4K);
		break;
	}
	racer->failed |= r != 0;
}

static void *run_racer(void *arg)
{
	struct racer *racer = arg;
	uint64_t begin;
	unsigned int i;

	for (i = 0; i < racer->nr; i++) {
		while (READ_ONCE(racer->nr_may) <= i)
			;
		begin = rdtsc();
		while (rdtsc() - begin < racer->delay[i])
			;
		race_once(racer, racer->offset + i * SZ_2M, racer->value + i);
		WRITE_ONCE(racer->nr_done, i + 1);
	}
	return NULL;
}

static void racer_start(struct racer *racer, int cpu, enum beside what, uint64_t offset,
			unsigned int nr, uint64_t hole_cycles)
{
	unsigned int i;

	*racer = (struct racer) {
		.vcpu = vcpus[cpu],
		.what = what,
		.offset = offset,
		.value = new_value(),
		.nr = nr,
	};
	for (i = 0; i < nr; i++)
		racer->delay[i] = hole_cycles * (next_random(&seed) % 120) / 100;
	pthread_create(&racer->thread, NULL, run_racer, racer);
}

static void racer_join(struct racer *racer)
{
	pthread_join(racer->thread, NULL);
	TEST_ASSERT(!racer->failed, "The page beside the hole can't be used");
}

/*
 * Punch a hole while each racer handles its next page. Returns how many cycles it takes.
 */
static uint64_t punch_with(struct racer *racers, int nr, uint64_t offset, uint64_t size)
{
	uint64_t cycles = rdtsc();
	int i;

	for (i = 0; i < nr; i++)
		WRITE_ONCE(racers[i].nr_may, racers[i].nr_may + 1);
	gmem_punch(slot.gmem_fd, offset, size);
	cycles = rdtsc() - cycles;
	for (i = 0; i < nr; i++)
		while (READ_ONCE(racers[i].nr_done) < racers[i].nr_may)
			;
	return cycles;
}

/* Zap and fault in all of it again: conversions change no content. */
static void drop_mappings(uint64_t offset, uint64_t size)
{
	set_private(vm->fd, slot.gpa + offset, size, false);
	set_private(vm->fd, slot.gpa + offset, size, true);
}

static void fill(uint64_t offset, uint64_t size, uint64_t value)
{
	guest_call(vcpus[0], guest_fill_some, slot.gpa + offset, size, value);
}

static bool holds(uint64_t offset, uint64_t size, uint64_t value)
{
	return !guest_call(vcpus[0], guest_count_some, slot.gpa + offset, size, value);
}

/*
 * [@hole, @hole + @hole_size) of the chunk at @chunk was punched out, and @rest to @rest
 * + @rest_size was not. Returns what is wrong with the chunk, or NULL.
 */
static const char *find_fault(uint64_t chunk, uint64_t hole, uint64_t hole_size, uint64_t rest,
			      uint64_t rest_size)
{
	uint64_t value = new_value();

	/* Don't check before: the mappings must be those that the race has left. */
	fill(hole, hole_size, value);
	drop_mappings(chunk, SZ_2M);
	if (!holds(hole, hole_size, value))
		return "what the guest wrote after the hole is lost: it had freed pages";

	/*
	 * Punch out the rest; a page that was used after the first hole is not part of
	 * it.
	 */
	fill(rest, rest_size, value);
	gmem_punch(slot.gmem_fd, rest, rest_size);
	drop_mappings(chunk, SZ_2M);
	if (!holds(hole, hole_size, value))
		return "a hole frees pages beside it";
	return holds(rest, rest_size, 0) ? NULL : "a hole has content";
}

/* Checks that the page next to the hole has what the guest wrote during the hole. */
static const char *find_lost_write(const struct racer *racer)
{
	unsigned int i;

	drop_mappings(racer->offset & -SZ_2M, racer->nr * SZ_2M);
	for (i = 0; i < racer->nr; i++)
		if (guest_call(vcpus[0], guest_read, slot.gpa + racer->offset + i * SZ_2M, 0, 0) !=
		    racer->value + i)
			return "what the guest wrote beside the hole is lost: its page was freed";
	return NULL;
}

/* The guest writes to pre-faulted pages where they are mapped. */
static void write_pre_faulted(struct racer *racer)
{
	uint64_t gpa = slot.gpa + racer->offset;
	unsigned int i;

	for (i = 0; racer->what == PRE_FAULT && i < racer->nr; i++, gpa += SZ_2M)
		guest_call(vcpus[0], guest_write, gpa, racer->value + i, 0);
}

/*
 * Punch a hole of two pages, which are used again while the rest of their 2 MiB is
 * punched out: only these pages remain.
 */
static const char *punch_rest(uint64_t *cycles)
{
	const unsigned int nr = FILE_SIZE / SZ_2M, last = PAGES_PER_CHUNK - 2;
	unsigned int page = next_random(&seed) % 2 ? next_random(&seed) % (last + 1) : 0;
	struct kvm_pre_fault_memory all = { .gpa = slot.gpa, .size = FILE_SIZE };
	uint64_t offset = page * SZ_4K, next = offset + 2 * SZ_4K, chunk;
	struct racer racers[2];
	const char *fault;
	unsigned int i;

	gmem_punch(slot.gmem_fd, 0, FILE_SIZE);
	TEST_ASSERT(!__pre_fault(vcpus[0]->fd, &all), "No pre-fault, errno %d", errno);
	for (chunk = 0; chunk < FILE_SIZE; chunk += SZ_2M)
		gmem_punch(slot.gmem_fd, chunk + offset, 2 * SZ_4K);
	/* Only the second of two pieces can complete it. */
	for (chunk = 0; page && page < last && chunk < FILE_SIZE; chunk += SZ_2M)
		gmem_punch(slot.gmem_fd, chunk, offset);

	for (i = 0; i < 2; i++)
		racer_start(&racers[i], 1 + i, next_random(&seed) % 4 ? WRITE : PRE_FAULT,
			    offset + i * SZ_4K, nr, *cycles);
	for (chunk = 0; chunk < FILE_SIZE; chunk += SZ_2M)
		*cycles = page == last ? punch_with(racers, 2, chunk, offset) :
					 punch_with(racers, 2, chunk + next, SZ_2M - next);
	for (i = 0; i < 2; i++) {
		racer_join(&racers[i]);
		write_pre_faulted(&racers[i]);
	}
	fault = find_lost_write(&racers[0]);
	return fault ?: find_lost_write(&racers[1]);
}

/*
 * Punch a hole that begins and ends inside 2 MiB ranges without pages, while neighbouring
 * pages are allocated, which allocates the whole 2 MiB.
 */
static const char *punch_between(uint64_t *cycles)
{
	uint64_t begin = (1 + next_random(&seed) % (PAGES_PER_CHUNK - 1)) * SZ_4K;
	uint64_t in_last = (1 + next_random(&seed) % (PAGES_PER_CHUNK - 1)) * SZ_4K;
	uint64_t end = LAST_CHUNK + in_last;
	struct racer racers[2];
	const char *fault;
	unsigned int i;

	gmem_punch(slot.gmem_fd, 0, FILE_SIZE);
	for (i = 1; i <= NR_BETWEEN; i++)
		gmem_allocate(slot.gmem_fd, i * SZ_2M + SZ_4K, SZ_2M - SZ_4K);

	racer_start(&racers[0], 1, next_random(&seed) % NR_BESIDE,
		    next_random(&seed) % 2 ? 0 : begin - SZ_4K, 1, *cycles);
	racer_start(&racers[1], 2, next_random(&seed) % NR_BESIDE,
		    next_random(&seed) % 2 ? end : FILE_SIZE - SZ_4K, 1, *cycles);
	*cycles = punch_with(racers, 2, begin, end - begin);
	racer_join(&racers[0]);
	racer_join(&racers[1]);

	fault = find_fault(0, begin, SZ_2M - begin, 0, begin);
	return fault ?: find_fault(LAST_CHUNK, LAST_CHUNK, in_last, end, FILE_SIZE - end);
}

/* The same, but check the pages next to the hole. */
static const char *punch_beside(uint64_t *cycles)
{
	uint64_t end = LAST_CHUNK + SZ_2M / 2;
	struct racer racers[2];
	const char *fault;
	unsigned int i;

	gmem_punch(slot.gmem_fd, 0, FILE_SIZE);
	for (i = 1; i <= NR_BETWEEN; i += 4)
		gmem_allocate(slot.gmem_fd, i * SZ_2M + SZ_4K, SZ_2M - SZ_4K);

	racer_start(&racers[0], 1, WRITE, SZ_2M / 2 - SZ_4K, 1, *cycles);
	racer_start(&racers[1], 2, WRITE, end, 1, *cycles);
	*cycles = punch_with(racers, 2, SZ_2M / 2, end - SZ_2M / 2);
	racer_join(&racers[0]);
	racer_join(&racers[1]);

	fault = find_lost_write(&racers[0]);
	return fault ?: find_lost_write(&racers[1]);
}

static const char *use_all(void)
{
	guest_call(vcpus[0], guest_fill, slot.gpa, FILE_SIZE, new_value());
	return NULL;
}

static void repeat(const char *what, const char *(*fn)(uint64_t *cycles))
{
	struct vcpu_watch watches[3];
	unsigned long rounds;
	int i;

	for (i = 0; i < 3; i++)
		watch_begin(&watches[i], vcpus[i]->fd);
	rounds = repeat_race(what, fn, MIN_ROUNDS, duration_ms);
	/* vCPU 0 makes all checks; the others may have been used only for pre-faults. */
	watch_end(&watches[0], rounds * PAGES_PER_CHUNK, "%s: vCPU 0", what);
	for (i = 1; i < 3; i++)
		watch_end(&watches[i], rounds * FILE_SIZE / SZ_2M, "%s: vCPU %d", what, i);
	sweep_check(what, SWEEP_SIZE, use_all);
}

static const struct {
	const char *what;
	const char *(*fn)(uint64_t *cycles);
} kinds[] = {
	{ "the rest of 2 MiB", punch_rest },
	{ "2 MiB without a page", punch_between },
	{ "beside 2 MiB without a page", punch_beside },
};

int main(int argc, char *argv[])
{
	unsigned int i, only = 0;
	int opt;

	while ((opt = getopt(argc, argv, "t:s:k:")) != -1) {
		if (opt == 't' && atoi(optarg) > 0)
			duration_ms = atoi(optarg);
		else if (opt == 's')
			seed = strtoul(optarg, NULL, 0);
		else if (opt == 'k' && atoi(optarg) > 0 && atoi(optarg) <= ARRAY_SIZE(kinds))
			only = atoi(optarg);
		else
			ksft_exit_fail_msg("usage: %s [-t ms for each kind] [-s seed] [-k kind]\n",
					   argv[0]);
	}

	require_private_mem();
	printf("# seed %u\n", seed);
	vm = private_vm_create(3, vcpus);
	private_slot_add(&slot, vm, 1, PRIVATE_GPA, FILE_SIZE);
	set_private(vm->fd, slot.gpa, slot.size, true);

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!only || only == i + 1)
			repeat(kinds[i].what, kinds[i].fn);

	private_slot_remove(&slot);
	kvm_vm_free(vm);
	return check_finish();
}
