// SPDX-License-Identifier: GPL-2.0-only
/* Checks that run during tests of private memory, see the header. */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "private_mem_watch.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define AUDIT		DEBUGFS "kvm/private_mem_audit"
/* Memory that the host needs for itself. */
#define SWEEP_RESERVE	(80 * SZ_2M)
#define SWEEP_WORD	0x53776565702e2e2eul
#define WORDS_PER_PAGE	(SZ_4K / sizeof(uint64_t))
/* A vCPU also faults on its own code and stack, e.g. whenever a slot is deleted. */
#define EXTRA_FAULTS	1024
/* Interval of a guard's samples; a vCPU without an exit in this many samples sleeps. */
#define SAMPLE_NS	50000000
#define STUCK_SAMPLES	1200

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

/* The offset of a vCPU's statistic in the file. */
static off_t find_vcpu_stat(int stats_fd, const char *name)
{
	struct kvm_stats_header header;
	struct kvm_stats_desc *descs, *desc;
	off_t at = 0;
	unsigned int i;

	TEST_ASSERT(pread(stats_fd, &header, sizeof(header), 0) == sizeof(header),
		    "No header of the statistics");
	descs = read_stats_descriptors(stats_fd, &header);
	for (i = 0; i < header.num_desc; i++) {
		desc = (void *)descs + i * get_stats_descriptor_size(&header);
		if (!strcmp(desc->name, name))
			at = header.data_offset + desc->offset;
	}
	free(descs);
	TEST_ASSERT(at, "vCPUs have no statistic '%s'", name);
	return at;
}

static uint64_t read_vcpu_stat(int stats_fd, off_t at)
{
	uint64_t value = 0;

	return pread(stats_fd, &value, sizeof(value), at) == sizeof(value) ? value : 0;
}

static bool watch_try_begin(struct vcpu_watch *watch, int vcpu_fd)
{
	watch->stats_fd = ioctl(vcpu_fd, KVM_GET_STATS_FD, NULL);
	if (watch->stats_fd < 0)
		return false;

	watch->faults_at = find_vcpu_stat(watch->stats_fd, "pf_taken");
	watch->exits_at = find_vcpu_stat(watch->stats_fd, "exits");
	watch->faults = read_vcpu_stat(watch->stats_fd, watch->faults_at);
	watch->exits = read_vcpu_stat(watch->stats_fd, watch->exits_at);
	return true;
}

void watch_begin(struct vcpu_watch *watch, int vcpu_fd)
{
	TEST_ASSERT(watch_try_begin(watch, vcpu_fd), "No statistics of a vCPU, errno %d", errno);
}

uint64_t watch_faults(const struct vcpu_watch *watch)
{
	return read_vcpu_stat(watch->stats_fd, watch->faults_at) - watch->faults;
}

static uint64_t watch_exits(const struct vcpu_watch *watch)
{
	return read_vcpu_stat(watch->stats_fd, watch->exits_at) - watch->exits;
}

void watch_end(struct vcpu_watch *watch, uint64_t accesses, const char *fmt, ...)
{
	uint64_t faults = watch_faults(watch), exits = watch_exits(watch);
	uint64_t max = accesses * MAX_FAULTS_PER_ACCESS + EXTRA_FAULTS;
	char what[128];
	va_list ap;

	close(watch->stats_fd);
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	check(accesses && faults <= max,
	      "%s: progress, %lu accesses with %lu faults (at most %lu) in %lu exits", what,
	      accesses, faults, max, exits);
}

struct guard_sample {
	uint64_t count;
	uint64_t faults;
	uint64_t exits;
	unsigned int times;	/* number of samples without progress */
};

/*
 * If the vCPU has made progress, or is not in KVM_RUN, restart the observation and return
 * true.
 */
static bool guard_sees_progress(struct vcpu_guard *guard, struct guard_sample *last)
{
	struct guard_sample now = { .count = READ_ONCE(*guard->count) };

	now.faults = watch_faults(&guard->watch);
	now.exits = watch_exits(&guard->watch);
	/* Progress while the statistics were read counts as well. */
	if (!READ_ONCE(*guard->in_run) || now.count != last->count ||
	    READ_ONCE(*guard->count) != now.count) {
		*last = now;
		return true;
	}
	last->times = now.exits == last->exits ? last->times + 1 : 0;
	last->exits = now.exits;
	return now.faults - last->faults < STUCK_FAULTS && last->times < STUCK_SAMPLES;
}

/* Wait until the next sample; true if the guard has to end. */
static bool guard_waits(struct vcpu_guard *guard)
{
	struct timespec until;
	int r;

	clock_gettime(CLOCK_REALTIME, &until);
	until = timespec_add_ns(until, SAMPLE_NS);
	do {
		r = sem_timedwait(&guard->end, &until);
	} while (r && errno == EINTR);
	return !r;
}

static void *guard_run(void *arg)
{
	struct vcpu_guard *guard = arg;
	struct guard_sample last = {};

	while (!guard_waits(guard)) {
		if (!guard_sees_progress(guard, &last)) {
			check(false, "%s is stuck: %lu faults in %lu exits, nothing done after %lu",
			      guard->what, watch_faults(&guard->watch),
			      watch_exits(&guard->watch), last.count);
			check_finish();
			_exit(KSFT_FAIL);
		}
	}
	return NULL;
}

void guard_begin(struct vcpu_guard *guard, int vcpu_fd, const bool *in_run,
		 const uint64_t *count, const char *what)
{
	*guard = (struct vcpu_guard) { .in_run = in_run, .count = count, .what = what };
	sem_init(&guard->end, 0, 0);
	if (watch_try_begin(&guard->watch, vcpu_fd))
		pthread_create(&guard->thread, NULL, guard_run, guard);
}

void guard_end(struct vcpu_guard *guard, unsigned int accesses)
{
	if (guard->watch.stats_fd < 0)
		return;
	sem_post(&guard->end);
	pthread_join(guard->thread, NULL);
	if (accesses)
		watch_end(&guard->watch, *guard->count * accesses, "%s", guard->what);
	else
		close(guard->watch.stats_fd);
	guard->watch.stats_fd = -1;
}

static bool is_time_up(struct timespec start, unsigned int ms)
{
	return timespec_to_ns(timespec_elapsed(start)) >= ms * 1000000ll;
}

unsigned long repeat_race(const char *what, const char *(*round)(uint64_t *cycles),
			  unsigned long min_rounds, unsigned int ms)
{
	const char *fault = NULL;
	uint64_t cycles = 100000;
	unsigned long rounds = 0;
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!fault && (rounds < min_rounds || !is_time_up(start, ms))) {
		fault = round(&cycles);
		rounds++;
	}
	check(!fault, "%s: round %lu, %s", what, rounds, fault ?: "nothing is lost");
	if (fault)
		exit(check_finish());
	return rounds;
}

/* Add the text after the last colon of a line, once per kind. */
static void add_kind(struct audit *audit, const char *line)
{
	const char *colon = strrchr(line, ':');
	const char *kind = colon ? colon + 2 : line;
	size_t len = strlen(audit->kinds);

	if (!strstr(audit->kinds, kind))
		snprintf(audit->kinds + len, sizeof(audit->kinds) - len, "%s%s", len ? ", " : "",
			 kind);
}

bool read_audit(struct audit *audit)
{
	static const char last[] = "mappings %ld pages %ld findings %ld";
	char line[256];
	FILE *f;

	*audit = (struct audit) { .findings = -1 };
	if (access(AUDIT, R_OK))
		mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	f = fopen(AUDIT, "r");
	if (!f)
		return false;

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, last, &audit->mappings, &audit->pages, &audit->findings) == 3)
			break;
		line[strcspn(line, "\n")] = 0;
		printf("# audit: %s\n", line);
		add_kind(audit, line);
	}
	fclose(f);
	return true;
}

bool audit_is_clean(void)
{
	struct audit audit;

	return !read_audit(&audit) || !audit.findings;
}

void sweep_fill(struct sweep *sweep, size_t max_size)
{
	size_t free_size = read_keyed("/proc/meminfo", "MemFree") * 1024;
	size_t i;
	int r;

	*sweep = (struct sweep) {};
	if (free_size <= SWEEP_RESERVE)
		return;

	sweep->size = (free_size - SWEEP_RESERVE) & -SZ_2M;
	if (sweep->size > max_size)
		sweep->size = max_size;
	sweep->words = mmap(NULL, sweep->size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	TEST_ASSERT(sweep->words != MAP_FAILED, "mmap() of 0x%lx bytes failed", sweep->size);
	/* Use small pages: freed pages are among them. */
	madvise(sweep->words, sweep->size, MADV_NOHUGEPAGE);
	r = madvise(sweep->words, sweep->size, MADV_POPULATE_WRITE);
	TEST_ASSERT(!r || errno == EINVAL, "0x%lx bytes can't be populated", sweep->size);
	for (i = 0; i < sweep->size / sizeof(uint64_t); i += WORDS_PER_PAGE) {
		sweep->words[i] = SWEEP_WORD;
		sweep->words[i + WORDS_PER_PAGE - 1] = SWEEP_WORD;
	}
}

uint64_t sweep_count_other(struct sweep *sweep)
{
	uint64_t others = 0, first, last;
	size_t i;

	for (i = 0; i < sweep->size / sizeof(uint64_t); i += WORDS_PER_PAGE) {
		first = READ_ONCE(sweep->words[i]);
		last = READ_ONCE(sweep->words[i + WORDS_PER_PAGE - 1]);
		if (first == SWEEP_WORD && last == SWEEP_WORD)
			continue;
		if (!others++)
			printf("# a page of the host has 0x%lx and 0x%lx\n", first, last);
	}
	return others;
}

void sweep_free(struct sweep *sweep)
{
	if (sweep->size)
		munmap(sweep->words, sweep->size);
	*sweep = (struct sweep) {};
}

void sweep_check(const char *what, size_t max_size, const char *(*use)(void))
{
	const char *fault;
	struct sweep sweep;
	uint64_t others;

	sweep_fill(&sweep, max_size);
	fault = use();
	check(!fault, "%s: host and guest use their memory, %s", what, fault ?: "and no other");
	others = sweep_count_other(&sweep);
	sweep_free(&sweep);
	check(!others, "%s: the guest writes to %lu pages of the host", what, others);
	check(audit_is_clean(), "%s: the audit has no findings", what);
}

uint64_t count_allocated_pages(void)
{
	static const char * const zones[] = { "dma", "dma32", "normal", "movable" };
	uint64_t pages = 0;
	char key[32];
	unsigned int i;
	long n;

	for (i = 0; i < ARRAY_SIZE(zones); i++) {
		snprintf(key, sizeof(key), "pgalloc_%s", zones[i]);
		n = read_keyed("/proc/vmstat", key);
		pages += n > 0 ? n : 0;
	}
	return pages;
}

uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* 'R' if it is not known. */
static char thread_state(int thread_id)
{
	char path[64], line[256], state = 'R';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread_id);
	file = fopen(path, "r");
	if (file && fgets(line, sizeof(line), file) && strchr(line, ')'))
		state = strchr(line, ')')[2];
	if (file)
		fclose(file);
	return state;
}

bool thread_stays(const int *thread_id, char state, const bool *ended)
{
	unsigned int times = 0, tries;

	for (tries = 0; tries < 2000 && times < 5; tries++) {
		if (ended && READ_ONCE(*ended))
			return false;
		usleep(5000);
		times = thread_state(READ_ONCE(*thread_id)) == state ? times + 1 : 0;
	}
	return times == 5;
}

void slow_page_create(struct slow_page *page)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };

	page->hva = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	page->uffd = syscall(__NR_userfaultfd, O_CLOEXEC);
	TEST_ASSERT(page->hva != MAP_FAILED && page->uffd >= 0, "No userfaultfd, errno %d", errno);
	reg.range.start = (uintptr_t)page->hva;
	reg.range.len = SZ_4K;
	TEST_ASSERT(!ioctl(page->uffd, UFFDIO_API, &api) &&
		    !ioctl(page->uffd, UFFDIO_REGISTER, &reg), "Not registered, errno %d", errno);
}

/* The page is full of zeros. */
void slow_page_respond(struct slow_page *page)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)page->hva, SZ_4K } };

	TEST_ASSERT(!ioctl(page->uffd, UFFDIO_ZEROPAGE, &zero), "No page, errno %d", errno);
}

void slow_page_free(struct slow_page *page)
{
	close(page->uffd);
	munmap(page->hva, SZ_4K);
}
