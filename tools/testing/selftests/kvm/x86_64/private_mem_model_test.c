// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads do things to private memory at random, at the same time, and a model tells
 * what each page must contain after that.
 *
 * A batch is made from its seed alone: a state to start from, and rounds in which each
 * thread carries out a plan.  Pages are owned by one thread in a round, while pages next
 * to them, of the same 2 MiB, are owned by others.  Only the owner does what changes a
 * page, so that its content is known at each step.  What changes no content is done to
 * pages of others, too.  Some pages are contested: two threads do one thing each, and
 * the content is one of those that any order of the two would leave.
 *
 * No write is ever lost: after each round all pages have what the model says, as they
 * are mapped, and again when all mappings have been dropped.  After each batch the host
 * fills free memory while the guest writes, so that a page of the guest that was freed
 * is seen at either end.
 */
#define _GNU_SOURCE /* for program_invocation_name */
#include <pthread.h>
#include <sys/mount.h>

#include "private_mem_model.h"
#include "processor.h"

#define NR_ROUNDS	8
#define MAX_THREADS	MAX_GUEST_VCPUS
#define MAX_OPS		90
#define MAX_SEGMENTS	256
#define NOBODY		MAX_THREADS
#define SWEEP_GPA	(PRIVATE_GPA + SZ_1G / 2)
#define SWEEP_FILE_SIZE	(8 * SZ_2M)

struct worker {
	pthread_t thread;
	struct accessor access;
	struct op ops[MAX_OPS];
	unsigned int nr_ops;
	uint64_t last_value;
};

struct segment {
	unsigned int first;
	unsigned int nr;
	unsigned int owner;
};

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpus[MAX_THREADS];
static struct worker workers[MAX_THREADS];
static struct segment segments[MAX_SEGMENTS];
static unsigned int nr_segments, nr_threads = 3;
/* What a round is about. */
static unsigned int hot_first, hot_end;
static uint32_t seed;
static uint64_t nr_values;
static bool inject = true, in_turn;
static bool go, stop;
static unsigned long nr_done[NR_OPS];

static unsigned int pick(unsigned int n)
{
	return next_random(&seed) % n;
}

static bool chance(unsigned int percent)
{
	return pick(100) < percent;
}

static uint64_t new_value(void)
{
	return ++nr_values << 16;
}

static void *run_worker(void *arg)
{
	struct worker *w = arg;
	unsigned int i;

	while (!READ_ONCE(go))
		;
	for (i = 0; i < w->nr_ops && !w->access.failure[0]; i++)
		do_op(&w->access, &w->ops[i]);
	return NULL;
}

/* --- Plans ------------------------------------------------------------------------------ */

static struct op *plan_op(unsigned int thread, enum op_kind kind, unsigned int first,
			  unsigned int nr, uint64_t value)
{
	struct worker *w = &workers[thread];
	struct op *op = &w->ops[w->nr_ops];

	if (w->nr_ops == MAX_OPS)
		return NULL;

	*op = (struct op) { .kind = kind, .first = first, .nr = nr, .value = value };
	w->nr_ops++;
	nr_done[kind]++;
	return op;
}

/* What is shared has no slot for a while, and is MMIO then. */
static bool may_access(unsigned int first, unsigned int nr)
{
	return !model.replacing || all_private(first, nr);
}

/* Cut the pages into segments; in some chunks one is small and the others are large. */
static void plan_segments(void)
{
	static const unsigned int sizes[] = { 4, 32, 200, 512, 900 };
	unsigned int first = hot_first, nr, rest, owner = 0;
	bool small = false;

	nr_segments = 0;
	while (first < hot_end) {
		rest = hot_end - first;
		nr = 1 + pick(sizes[pick(ARRAY_SIZE(sizes))]);
		/* All of a chunk but a few pages. */
		if (first % PAGES_PER_CHUNK == 0 && chance(60)) {
			nr = 1 + pick(4);
			small = true;
		} else if (small) {
			nr = PAGES_PER_CHUNK - first % PAGES_PER_CHUNK;
			small = false;
		}
		nr = nr < rest && nr_segments < MAX_SEGMENTS - 1 ? nr : rest;
		owner = (owner + 1 + pick(nr_threads - 1)) % nr_threads;
		segments[nr_segments++] = (struct segment) {
			.first = first,
			.nr = nr,
			.owner = nr <= 32 && !small && chance(20) ? NOBODY : owner,
		};
		first += nr;
	}
}

static void plan_contest(const struct segment *s)
{
	unsigned int a = pick(nr_threads), b = (a + 1 + pick(nr_threads - 1)) % nr_threads, i;
	uint64_t value = new_value(), other = new_value();
	bool private = all_private(s->first, s->nr);
	struct content *content;

	/* Without room for both there is no contest. */
	if (workers[a].nr_ops == MAX_OPS || workers[b].nr_ops == MAX_OPS || !private)
		return;

	plan_op(a, WRITE, s->first, s->nr, value);
	switch (model.replacing ? pick(2) : pick(3)) {
	case 0:
		plan_op(b, PUNCH, s->first, s->nr, 0);
		other = 0;
		break;
	case 1:
		plan_op(b, WRITE, s->first, s->nr, other);
		break;
	case 2:
		plan_op(b, CONVERT, s->first, s->nr, false);
		for (i = 0; i < s->nr; i++) {
			add_content(&model.pages[s->first + i].file, value + i);
			add_content(&model.pages[s->first + i].host, value + i);
			model.pages[s->first + i].must_be = value + i;
			model.pages[s->first + i].private = false;
		}
		return;
	}
	for (i = 0; i < s->nr; i++) {
		content = &model.pages[s->first + i].file;
		set_content(content, value + i);
		add_content(content, other ? other + i : 0);
	}
}

/* Something with one's own pages. */
static void plan_own(unsigned int thread, const struct segment *s)
{
	unsigned int first = s->first, nr = s->nr, what = pick(100);
	struct op *op;

	if (chance(40)) {
		first += pick(nr);
		nr = 1 + pick(s->first + s->nr - first);
	}

	if (what < 40)
		op = plan_op(thread, PUNCH, first, nr, 0);
	else if (what < 65 && may_access(first, nr))
		op = plan_op(thread, WRITE, first, nr, new_value());
	else if (what < 80 && may_access(first, nr))
		op = plan_op(thread, READ, first, nr, 0);
	else if (what < 90 && !model.replacing)
		op = plan_op(thread, CONVERT, first, nr, chance(60));
	else
		op = plan_op(thread, chance(50) ? PRE_FAULT : ALLOCATE, first, nr, 0);
	if (op)
		model_op(op);
}

/* Something with any pages that leaves them as they are. */
static void plan_neutral(unsigned int thread)
{
	unsigned int first = hot_first + pick(hot_end - hot_first);
	unsigned int nr = 1 + pick(hot_end - first), what = pick(100);

	if (what < 50)
		plan_op(thread, PRE_FAULT, first & -PAGES_PER_CHUNK, PAGES_PER_CHUNK, 0);
	else if (what < 65)
		plan_op(thread, ALLOCATE, first, nr, 0);
	else if (model.replacing && thread == 0)
		plan_op(thread, REPLACE_SLOT, first, 1, 0);
	else if (!model.replacing)
		plan_op(thread, TOUCH, first, nr, 0);
}

/*
 * Have the page new and written, and never unmapped after that: the host takes it for
 * clean, and unused.  What is around it is punched out.
 */
static uint64_t find_fresh_pfn(unsigned int page)
{
	struct op punch = {
		.kind = PUNCH, .first = page & -PAGES_PER_CHUNK, .nr = PAGES_PER_CHUNK,
	};
	struct op write = { .kind = WRITE, .first = page, .nr = 1, .value = new_value() };
	uint64_t pfn;

	do_op(&workers[0].access, &punch);
	model_op(&punch);
	pfn = find_private_pfn(vcpus[0], slot_of(page), gpa_of(page) - slot_of(page)->gpa);
	do_op(&workers[0].access, &write);
	model_op(&write);
	return pfn;
}

/* The first op of a thread, which knows the pfn of a page: nothing can have happened to it. */
static void plan_injection(void)
{
	const struct segment *s = &segments[pick(nr_segments)];
	unsigned int page = s->first + pick(s->nr);
	enum op_kind kind = chance(50) ? FAIL_PAGE : SOFT_OFFLINE_PAGE;
	uint64_t pfn;
	struct op *op;

	if (s->owner == NOBODY || !model.pages[page].private)
		return;
	if (access(kind == FAIL_PAGE ? CORRUPT_PFN : SOFT_OFFLINE, W_OK))
		return;

	pfn = find_fresh_pfn(page);
	if (!pfn)
		return;
	op = plan_op(s->owner, kind, page, 1, pfn);
	model.failing = kind == FAIL_PAGE;
	model_op(op);
}

static void plan_and_model(unsigned int thread, enum op_kind kind, unsigned int first,
			   unsigned int nr, uint64_t value)
{
	struct op *op = nr ? plan_op(thread, kind, first, nr, value) : NULL;

	if (op)
		model_op(op);
}

/*
 * A few pages are punched out and written again and again, while all that is around them
 * in the same 2 MiB, and behind that, is allocated and punched out, and written.
 */
static void plan_evacuation(void)
{
	unsigned int first = hot_first + (chance(50) ? 0 : pick(PAGES_PER_CHUNK - 8));
	unsigned int nr = 1 + pick(4), next = first + nr, i;
	unsigned int chunk_end = hot_first + PAGES_PER_CHUNK;
	struct op take = {
		.kind = CONVERT, .first = hot_first, .nr = hot_end - hot_first, .value = true,
	};

	do_op(&workers[0].access, &take);
	model_op(&take);
	for (i = 0; i < MAX_OPS / 4; i++) {
		plan_and_model(0, PUNCH, first, nr, 0);
		plan_and_model(0, WRITE, first, nr, new_value());
		plan_and_model(0, READ, first, nr, 0);
		plan_and_model(0, READ, first, nr, 0);
		if (nr_threads > 2 && chance(50))
			plan_neutral(2);

		plan_and_model(1, PUNCH, hot_first, first - hot_first, 0);
		/* Not aligned, thus small pages: they take longer to be punched out. */
		if (hot_end > chunk_end)
			plan_and_model(1, ALLOCATE, chunk_end + 1, 80, 0);
		else
			plan_and_model(1, PRE_FAULT, hot_first, PAGES_PER_CHUNK, 0);
		plan_and_model(1, PUNCH, next, hot_end - next, 0);
		if (chance(50)) {
			plan_and_model(1, WRITE, next, 2, new_value());
			plan_and_model(1, READ, next, 2, 0);
		}
	}
}

static void plan_anything(void)
{
	const struct segment *s;
	unsigned int i;

	for (i = 0; i < 60 * nr_threads; i++) {
		s = &segments[pick(nr_segments)];
		/* The rest of the room is for contests. */
		if (s->owner == NOBODY || workers[s->owner].nr_ops >= MAX_OPS / 2)
			continue;
		if (chance(20))
			plan_neutral(s->owner);
		else
			plan_own(s->owner, s);
	}
	for (i = 0; i < nr_segments; i++)
		if (segments[i].owner == NOBODY)
			plan_contest(&segments[i]);
}

/* All in one chunk or two, so that threads meet. */
static void plan_round(void)
{
	unsigned int i, nr_chunks = 1 + pick(2);

	hot_first = pick(NR_CHUNKS + 1 - nr_chunks) * PAGES_PER_CHUNK;
	hot_end = hot_first + nr_chunks * PAGES_PER_CHUNK;
	for (i = 0; i < nr_threads; i++)
		workers[i].nr_ops = 0;
	model.replacing = chance(20);
	model.failing = false;
	if (!model.replacing && chance(50)) {
		plan_evacuation();
		return;
	}
	plan_segments();
	if (inject && chance(15))
		plan_injection();
	plan_anything();
}

/* --- Batches ---------------------------------------------------------------------------- */

/* What was planned for a page, but not more than tells what kind of round it was. */
static void print_plan(unsigned int page)
{
	unsigned int i, k, nr;
	const struct op *op;

	for (i = 0; i < nr_threads; i++) {
		for (k = 0, nr = 0; k < workers[i].nr_ops && nr < 12; k++) {
			op = &workers[i].ops[k];
			nr += page >= op->first && page < op->first + op->nr;
			if (page >= op->first && page < op->first + op->nr)
				printf("# thread %u, op %u of %u: %s [%u, %u) 0x%lx\n", i, k,
				       workers[i].nr_ops, op_names[op->kind], op->first,
				       op->first + op->nr, op->value);
		}
	}
}

/* Has anybody failed?  Prints what and where. */
static bool any_failure(uint32_t batch, const char *when)
{
	unsigned int i;

	for (i = 0; i < nr_threads; i++) {
		if (!workers[i].access.failure[0])
			continue;
		print_plan(workers[i].access.failed_page);
		check(false, "seed %u, %s: %s", batch, when, workers[i].access.failure);
		return true;
	}
	return false;
}

static void run_round(void)
{
	unsigned int i, k;

	WRITE_ONCE(go, in_turn);
	for (i = 0; i < nr_threads; i++) {
		pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]);
		if (in_turn)
			pthread_join(workers[i].thread, NULL);
	}
	usleep(500);
	WRITE_ONCE(go, true);
	for (i = 0; i < nr_threads && !in_turn; i++)
		pthread_join(workers[i].thread, NULL);
	WRITE_ONCE(go, false);
	for (i = 0; i < nr_threads; i++)
		for (k = 0; k < workers[i].nr_ops; k++)
			free(workers[i].ops[k].expected);
	model.replacing = false;
	model.failing = false;
}

/* A state to start from: chunks that are empty, huge, of small pages, or a mixture. */
static void start_batch(void)
{
	static const uint64_t places[] = {
		PRIVATE_GPA + 3 * SZ_2M, PRIVATE_GPA + 32 * SZ_2M, PRIVATE_GPA + 64 * SZ_2M + SZ_4K,
	};
	struct accessor *a = &workers[0].access;
	unsigned int chunk, first, what;
	struct op take, write;

	model_reset(places[pick(ARRAY_SIZE(places))]);
	for (chunk = 0; chunk < NR_CHUNKS; chunk++) {
		first = chunk * PAGES_PER_CHUNK;
		what = pick(6);
		take = (struct op) { .kind = CONVERT, .first = first, .value = true };
		write = (struct op) { .kind = WRITE, .first = first, .value = new_value() };
		/* The last page alone is shared, for now: the others are small then. */
		take.nr = what == 1 ? PAGES_PER_CHUNK - 1 : PAGES_PER_CHUNK;
		write.nr = take.nr;
		if (what == 0)
			continue;
		do_op(a, &take);
		model_op(&take);
		if (what == 2)
			continue;
		pre_fault(a, first, take.nr);
		do_op(a, &write);
		model_op(&write);
	}
}

static void *write_until_stopped(void *arg)
{
	struct worker *w = arg;
	unsigned int nr = NR_PAGES / nr_threads;

	for (; !READ_ONCE(stop) && !w->access.failure[0]; w->last_value += 1 << 16)
		stamp(&w->access, (w - workers) * nr, nr, w->last_value);
	w->last_value -= 1 << 16;
	return NULL;
}

/* The guest writes while the host, and another file, take what memory there is. */
static void sweep_memory(size_t size)
{
	uint64_t others, in_file, value = new_value();
	unsigned int i, k, nr = NR_PAGES / nr_threads;
	struct accessor *a = &workers[0].access;
	struct private_slot slot;
	struct sweep sweep;

	convert(0, NR_PAGES, true);
	for (i = 0; i < NR_PAGES; i++)
		model.pages[i].private = true;
	WRITE_ONCE(stop, false);
	for (i = 0; i < nr_threads; i++) {
		workers[i].nr_ops = 0;
		workers[i].last_value = (uint64_t)(i + 1) << 48;
		pthread_create(&workers[i].thread, NULL, write_until_stopped, &workers[i]);
	}
	sweep_fill(&sweep, size);
	WRITE_ONCE(stop, true);
	for (i = 0; i < nr_threads; i++) {
		pthread_join(workers[i].thread, NULL);
		for (k = 0; k < nr; k++)
			set_content(&model.pages[i * nr + k].file, workers[i].last_value + k);
	}

	/* Huge pages are not where small ones are. */
	private_slot_add(&slot, vm, 3, SWEEP_GPA, SWEEP_FILE_SIZE);
	set_private(vm->fd, SWEEP_GPA, SWEEP_FILE_SIZE, true);
	guest_call(vcpus[0], guest_fill, slot.gpa, slot.size, value);
	compare(a, 0, NR_PAGES);
	for (i = 0; i < nr_threads && !a->failure[0]; i++) {
		stamp(a, i * nr, nr, workers[i].last_value);
		others = sweep_count_other(&sweep);
		in_file = guest_call(vcpus[0], guest_count_other, slot.gpa, slot.size, value);
		if (others || in_file)
			fail(a, 0, "the guest writes to %lu pages of the host, %lu of another file",
			     others, in_file);
	}
	set_private(vm->fd, SWEEP_GPA, SWEEP_FILE_SIZE, false);
	private_slot_remove(&slot);
	sweep_free(&sweep);
}

static bool run_batch(uint32_t batch)
{
	char when[32];
	int round;

	seed = batch;
	start_batch();
	for (round = 0; round < NR_ROUNDS; round++) {
		snprintf(when, sizeof(when), "round %d", round);
		plan_round();
		run_round();
		if (any_failure(batch, when))
			return false;
		compare(&workers[0].access, hot_first, hot_end - hot_first);
		if (any_failure(batch, when))
			return false;
	}
	if (!audit_is_clean()) {
		check(false, "seed %u: the audit has findings", batch);
		return false;
	}
	compare(&workers[0].access, 0, NR_PAGES);
	if (any_failure(batch, "at the end"))
		return false;
	if (batch % 4 == 0)
		sweep_memory(batch % 32 ? 32 * SZ_2M : SIZE_MAX);
	return !any_failure(batch, "sweep");
}

static void print_ops(void)
{
	unsigned int i;

	for (i = 0; i < NR_OPS; i++)
		printf("%s%s %lu", i ? ", " : "# ", op_names[i], nr_done[i]);
	printf("\n");
}

static void print_usage(const char *name)
{
	printf("usage: %s [-s first seed] [-n batches | -t seconds] [-j threads]\n", name);
	printf("-i: no failures are injected; -o: one thread after the other\n");
	exit(KSFT_FAIL);
}

int main(int argc, char *argv[])
{
	unsigned int seconds = 20, nr_batches = 0, nr = 0, i;
	struct vcpu_watch watches[MAX_THREADS];
	uint32_t first_seed = 1;
	struct timespec start;
	bool ok = true;
	int opt;

	while ((opt = getopt(argc, argv, "s:n:t:j:io")) != -1) {
		if (opt == 's')
			first_seed = strtoul(optarg, NULL, 0);
		else if (opt == 'n' && atoi(optarg) > 0)
			nr_batches = atoi(optarg);
		else if (opt == 't' && atoi(optarg) > 0)
			seconds = atoi(optarg);
		else if (opt == 'j' && atoi(optarg) > 1 && atoi(optarg) <= MAX_THREADS)
			nr_threads = atoi(optarg);
		else if (opt == 'i')
			inject = false;
		else if (opt == 'o')
			in_turn = true;
		else
			print_usage(argv[0]);
	}

	require_private_mem();
	setbuf(stdout, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("tracefs", PRIVATE_TRACING, "tracefs", 0, NULL);
	if (inject && access(CORRUPT_PFN, W_OK) && system("modprobe hwpoison-inject 2>/dev/null"))
		printf("# no memory failures: modprobe hwpoison-inject failed\n");
	vm = private_vm_create(nr_threads, vcpus);
	model_setup(vm);
	for (i = 0; i < nr_threads; i++) {
		workers[i].access.vcpu = vcpus[i];
		watch_begin(&watches[i], vcpus[i]->fd);
	}

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (ok && (nr_batches ? nr < nr_batches : timespec_elapsed(start).tv_sec < seconds)) {
		ok = run_batch(first_seed + nr);
		if (++nr % 50 == 0)
			printf("# %u batches\n", nr);
	}
	print_ops();
	check(ok, "%u batches from seed %u on, %u threads: all content is as the model says", nr,
	      first_seed, nr_threads);
	for (i = 0; i < nr_threads; i++)
		watch_end(&watches[i], workers[i].access.accesses, "vCPU %u", i);

	model_free();
	kvm_vm_free(vm);
	return check_finish();
}
