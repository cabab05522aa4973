// SPDX-License-Identifier: GPL-2.0-only
/* Threads that run random operations on the memory of a guest, see the header. */
#include <errno.h>
#include <sys/mount.h>

#include "private_mem_plan.h"

#define NR_ROUNDS	8
#define MAX_SEGMENTS	256
#define NOBODY		MAX_THREADS
#define NR_CONTESTS	3
/* Each page is an exit to userspace. */
#define MAX_ASKED	16

struct segment {
	unsigned int first;
	unsigned int nr;
	unsigned int owner;
};

struct worker workers[MAX_THREADS];
unsigned int nr_threads = 3;

static const struct plan_hooks *hooks;
static struct segment segments[MAX_SEGMENTS];
static unsigned int nr_segments;
/* The pages that a round focuses on. */
static unsigned int hot_first, hot_end;
static uint32_t seed, first_seed = 1;
static unsigned int nr_seconds = 20, nr_batches;
static uint64_t nr_values;
static bool inject = true, in_turn;
static bool go, stop;
static unsigned long nr_done[NR_OPS];

unsigned int pick(unsigned int n)
{
	return next_random(&seed) % n;
}

bool chance(unsigned int percent)
{
	return pick(100) < percent;
}

uint64_t new_value(void)
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

/* Each of the first threads has a vCPU. */
static unsigned int nr_writers(void)
{
	unsigned int nr = 0;

	while (nr < nr_threads && !workers[nr].access.has_no_vcpu)
		nr++;
	return nr;
}

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

/* Shared memory has no slot for a while, and is MMIO then. */
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
		/* All of a chunk except a few pages. */
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

/* True if none of the pages is new: a guest may have to validate new ones first. */
static bool all_written(unsigned int first, unsigned int nr)
{
	unsigned int i;

	for (i = first; i < first + nr; i++)
		if (!model.pages[i].file.values[0])
			return false;
	return true;
}

/*
 * If the guest dies of accesses to new pages, don't punch out a page that another thread
 * writes.
 */
static unsigned int plan_second(const struct segment *s)
{
	if (model.guest->punched)
		return all_written(s->first, s->nr) ? 1 : NR_CONTESTS;
	return model.replacing ? pick(2) : pick(3);
}

static void plan_contest(const struct segment *s)
{
	unsigned int nr = nr_writers();
	unsigned int a = pick(nr), b = (a + 1 + pick(nr - 1)) % nr, i;
	uint64_t value = new_value(), other = new_value();
	bool private = all_private(s->first, s->nr);
	unsigned int second = private ? plan_second(s) : NR_CONTESTS;
	struct content *content;

	/* A contest needs room for both operations. */
	if (workers[a].nr_ops == MAX_OPS || workers[b].nr_ops == MAX_OPS || second == NR_CONTESTS)
		return;

	plan_op(a, WRITE, s->first, s->nr, value);
	switch (second) {
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

/* Pick an operation of a thread on its own pages. */
static enum op_kind pick_own(unsigned int thread, unsigned int first, unsigned int nr)
{
	bool writes = may_access(first, nr) && !workers[thread].access.has_no_vcpu;
	unsigned int what = pick(100);

	if (what < 35)
		return PUNCH;
	if (what < 60 && writes)
		return WRITE;
	if (what < 75 && writes)
		return READ;
	if (what < 80 && writes && model.guest->split)
		return SPLIT;
	if (what < 85 && writes && !model.replacing && model.guest->ask && nr <= MAX_ASKED)
		return ASK_TO_CONVERT;
	if (what < 90 && !model.replacing)
		return CONVERT;
	return chance(50) ? PRE_FAULT : ALLOCATE;
}

/* Plan an operation on the thread's own pages. */
static void plan_own(unsigned int thread, const struct segment *s)
{
	unsigned int first = s->first, nr = s->nr;
	enum op_kind kind;
	uint64_t value = 0;
	struct op *op;

	if (chance(40)) {
		first += pick(nr);
		nr = 1 + pick(s->first + s->nr - first);
	}

	kind = pick_own(thread, first, nr);
	if (kind == WRITE)
		value = new_value();
	else if (kind == CONVERT || kind == ASK_TO_CONVERT)
		value = chance(60);
	op = plan_op(thread, kind, first, nr, value);
	if (op)
		model_op(op);
}

/* Plan an operation on any pages that doesn't change them. */
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
	else if (!model.replacing && !model.guest->punched)
		plan_op(thread, TOUCH, first, nr, 0);
}

/*
 * Have the page allocated and written, and never unmapped afterwards: the host considers
 * it clean and unused. Punch out the pages around it.
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
	pfn = model.guest->find_pfn(&workers[0].access, page);
	do_op(&workers[0].access, &write);
	model_op(&write);
	return pfn;
}

/*
 * The first op of a thread; it knows the pfn of a page that nothing can have changed yet.
 */
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
 * Punch out and rewrite a few pages in a loop, while everything around them in the same 2
 * MiB, and after it, is allocated, punched out and written.
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
		/* Unaligned, i.e. small pages: they take longer to punch out. */
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
		/* Leave the rest of the room to contests. */
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

/* Keep all of it in one or two chunks, so that threads collide. */
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

/* Print what was planned for a page, limited to what identifies the kind of round. */
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

/* Returns true, and prints what failed and where, if any thread has failed. */
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

void plan_start_chunk(unsigned int chunk, unsigned int kind)
{
	unsigned int first = chunk * PAGES_PER_CHUNK;
	struct op take = { .kind = CONVERT, .first = first, .value = true };
	struct op write = { .kind = WRITE, .first = first, .value = new_value() };
	struct accessor *a = &workers[0].access;

	/* Only the last page is shared for now, which makes the others small pages. */
	take.nr = kind == 1 ? PAGES_PER_CHUNK - 1 : PAGES_PER_CHUNK;
	write.nr = take.nr;
	if (kind == 0)
		return;
	do_op(a, &take);
	model_op(&take);
	if (kind == 2)
		return;
	pre_fault(a, first, take.nr);
	do_op(a, &write);
	model_op(&write);
}

/* The initial state: chunks that are empty, huge, of small pages, or a mixture. */
static void start_batch(void)
{
	static const uint64_t places[] = { 3 * SZ_2M, 32 * SZ_2M, 64 * SZ_2M + SZ_4K };
	unsigned int chunk;

	if (hooks->begin_batch)
		hooks->begin_batch();
	model_reset(model.slots[0].gpa + places[pick(ARRAY_SIZE(places))]);
	if (hooks->launch_batch)
		hooks->launch_batch();
	for (chunk = 0; chunk < NR_CHUNKS; chunk++)
		if (!model.pages[chunk * PAGES_PER_CHUNK].private)
			plan_start_chunk(chunk, pick(NR_START_KINDS));
}

static void *write_until_stopped(void *arg)
{
	struct worker *w = arg;
	unsigned int nr = NR_PAGES / nr_writers();

	do {
		w->last_value += 1 << 16;
		stamp(&w->access, (w - workers) * nr, nr, w->last_value);
	} while (!READ_ONCE(stop) && !w->access.failure[0]);
	return NULL;
}

/* The guest writes while the host allocates all free memory. */
static void sweep_and_write(struct sweep *sweep, size_t size)
{
	unsigned int i, k, writers = nr_writers(), nr = NR_PAGES / writers;

	convert(0, NR_PAGES, true);
	for (i = 0; i < NR_PAGES; i++)
		model.pages[i].private = true;
	WRITE_ONCE(stop, false);
	for (i = 0; i < writers; i++) {
		workers[i].nr_ops = 0;
		workers[i].last_value = (uint64_t)(i + 1) << 48;
		pthread_create(&workers[i].thread, NULL, write_until_stopped, &workers[i]);
	}
	sweep_fill(sweep, size);
	WRITE_ONCE(stop, true);
	for (i = 0; i < writers; i++) {
		pthread_join(workers[i].thread, NULL);
		for (k = 0; k < nr; k++)
			set_content(&model.pages[i * nr + k].file, workers[i].last_value + k);
	}
}

static void sweep_memory(size_t size)
{
	unsigned int i, writers = nr_writers(), nr = NR_PAGES / writers;
	struct accessor *a = &workers[0].access;
	uint64_t others, in_file = 0;
	struct sweep sweep;

	sweep_and_write(&sweep, size);
	if (hooks->sweep_begin)
		hooks->sweep_begin();
	compare(a, 0, NR_PAGES);
	for (i = 0; i < writers && !a->failure[0]; i++) {
		stamp(a, i * nr, nr, workers[i].last_value);
		others = sweep_count_other(&sweep);
		if (hooks->sweep_count)
			in_file = hooks->sweep_count();
		if (others || in_file)
			fail(a, 0, "the guest writes to %lu pages of the host, %lu of another file",
			     others, in_file);
	}
	if (hooks->sweep_end)
		hooks->sweep_end();
	sweep_free(&sweep);
}

static bool run_batch(uint32_t batch)
{
	char when[32];
	int round;

	/* Consecutive batches have unrelated seeds. */
	seed = batch * 0x9e3779b1;
	start_batch();
	for (round = 0; round < NR_ROUNDS; round++) {
		snprintf(when, sizeof(when), "round %d", round);
		if (hooks->between_rounds)
			hooks->between_rounds();
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
	if (any_failure(batch, "sweep"))
		return false;
	if (hooks->end_batch)
		hooks->end_batch();
	return true;
}

static void print_ops(void)
{
	unsigned int i;

	for (i = 0; i < NR_OPS; i++)
		printf("%s%s %lu", i ? ", " : "# ", op_names[i], nr_done[i]);
	printf("\n");
}

bool plan_option(int opt, const char *arg)
{
	if (opt == 's')
		first_seed = strtoul(arg, NULL, 0);
	else if (opt == 'n' && atoi(arg) > 0)
		nr_batches = atoi(arg);
	else if (opt == 't' && atoi(arg) > 0)
		nr_seconds = atoi(arg);
	else if (opt == 'j' && atoi(arg) > 1 && atoi(arg) <= MAX_THREADS)
		nr_threads = atoi(arg);
	else if (opt == 'i')
		inject = false;
	else if (opt == 'o')
		in_turn = true;
	else
		return false;
	return true;
}

void plan_usage(const char *name)
{
	printf("usage: %s [-s first seed] [-n batches | -t seconds] [-j threads]\n", name);
	printf("-i: no failures are injected; -o: one thread after the other\n");
	exit(KSFT_FAIL);
}

void plan_prepare(void)
{
	unsigned int i;

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("tracefs", PRIVATE_TRACING, "tracefs", 0, NULL);
	if (inject && access(CORRUPT_PFN, W_OK) && system("modprobe hwpoison-inject 2>/dev/null"))
		printf("# no memory failures: modprobe hwpoison-inject failed\n");
	for (i = 0; i < MAX_THREADS; i++)
		workers[i].access.cpu = i;
}

void plan_run(const struct plan_hooks *test)
{
	struct timespec start;
	unsigned int nr = 0;
	bool ok = true;

	hooks = test;
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (ok && (nr_batches ? nr < nr_batches :
				   timespec_elapsed(start).tv_sec < nr_seconds)) {
		ok = run_batch(first_seed + nr);
		if (++nr % 50 == 0)
			printf("# %u batches\n", nr);
	}
	print_ops();
	check(ok, "%u batches from seed %u on, %u threads: all content is as the model says", nr,
	      first_seed, nr_threads);
}
