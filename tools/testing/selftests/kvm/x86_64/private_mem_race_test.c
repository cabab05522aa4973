// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conversions race with accesses of vCPUs, holes, pre-faults, the deletion of the slot,
 * and changes of the host's mapping of shared memory.
 *
 * Each page has one word in private and another in shared memory, and a state that says
 * which of them is valid. The state is odd while it changes. A guest that reads the same
 * even state before and after an access knows which word it must have seen.
 *
 * Each vCPU has its own word in each page, and knows the value that it wrote there last.
 * Holes are counted page by page, and the count is odd while a page is punched out: a
 * vCPU that sees the same even count as at its last write must find what it wrote, and
 * zero at another even count. No other write may be lost, whether due to holes in the
 * same huge page or for any other reason.
 */
#define _GNU_SOURCE /* for program_invocation_name */
#include <pthread.h>

#include "private_mem_watch.h"
#include "processor.h"

#define NR_VCPUS	3
#define NR_PAGES	1024
#define SLOT_SIZE	(NR_PAGES * SZ_4K)
#define PAGES_PER_CHUNK	512
/* In each 2 MiB, a power of two. */
#define NR_FAVOURITES	4
#define NR_ACCESSES	2000
#define PRIVATE_WORD	0x1111000000000000ul
#define SHARED_WORD	0x2222000000000000ul

/* States: a count that increases by 4, plus these. */
#define IN_CHANGE	1
#define IS_PRIVATE	2

/* What a vCPU knows about its own word in private or shared memory. */
struct own_word {
	uint64_t value;
	uint32_t holes;
	bool known;
};

/* The guest's copies are used. */
static uint32_t states[NR_PAGES];
static uint32_t holes[NR_PAGES];
static struct own_word own_words[NR_VCPUS][NR_PAGES][2];
static uint64_t garbage;

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpus[NR_VCPUS + 1];
static struct private_slot slot;
static bool stop;
static bool exact;
static unsigned int duration_ms = 1000;
static const char *only;

/* The error that the guest finds in a page: see race(). */
enum wrong {
	NOTHING,
	STALE_READ,
	LOST_WRITE,
	GARBAGE,
};

/* The words of a page, read while neither its state nor its holes changed. */
struct look {
	uint32_t state;
	uint32_t holes;
	bool stable;
};

static struct look guest_look(uint64_t page)
{
	return (struct look) { .state = READ_ONCE(states[page]), .holes = READ_ONCE(holes[page]) };
}

/* True if nothing has changed since @look, so that earlier writes are in memory. */
static bool guest_is_stable(struct look look, uint64_t page)
{
	__sync_synchronize();
	return !(look.state & IN_CHANGE) && !(look.holes & 1) &&
	       READ_ONCE(states[page]) == look.state && READ_ONCE(holes[page]) == look.holes;
}

static enum wrong guest_check_word(struct look look, uint64_t page, uint64_t value)
{
	uint64_t private_word = look.holes ? 0 : PRIVATE_WORD + page;

	return value == (look.state & IS_PRIVATE ? private_word : SHARED_WORD + page) ?
	       NOTHING : STALE_READ;
}

/* Checks the value that was written last, unless a hole may have come since. */
static enum wrong guest_check_own(struct look look, const struct own_word *own, uint64_t value)
{
	bool punched = look.state & IS_PRIVATE && own->holes != look.holes;

	return !own->known || value == (punched ? 0 : own->value) ? NOTHING : LOST_WRITE;
}

/*
 * Returns zero, or the page and what was wrong. With @mmio, shared memory may lose
 * writes.
 */
static uint64_t guest_access_randomly(uint64_t seed64, uint64_t lane, uint64_t mmio)
{
	uint64_t *word, value, mine, new, i;
	uint32_t seed = seed64, page;
	struct own_word *own;
	enum wrong wrong;
	struct look look;

	for (i = 0; i < NR_ACCESSES; i++) {
		page = next_random(&seed) % NR_PAGES;
		/*
		 * Every other access is to one of the pages in each 2 MiB that holes
		 * skip.
		 */
		if (next_random(&seed) & 1)
			page &= -PAGES_PER_CHUNK | (NR_FAVOURITES - 1);
		word = (uint64_t *)(PRIVATE_GPA + page * SZ_4K);

		look = guest_look(page);
		value = READ_ONCE(word[0]);
		mine = READ_ONCE(word[lane]);
		look.stable = guest_is_stable(look, page);
		wrong = NOTHING;
		if (value && value != PRIVATE_WORD + page && value != SHARED_WORD + page) {
			WRITE_ONCE(garbage, value);
			wrong = GARBAGE;
		}

		own = &own_words[lane - 1][page][!!(look.state & IS_PRIVATE)];
		if (look.stable && !(mmio && !(look.state & IS_PRIVATE)))
			wrong = wrong ?: guest_check_word(look, page, value) ?:
				guest_check_own(look, own, mine);
		if (wrong)
			return page << 4 | wrong;

		/*
		 * The word of this vCPU; if the state was changing, it is unknown where
		 * the write went.
		 */
		new = (look.state + i) | 1 | seed64 << 32;
		WRITE_ONCE(word[lane], new);
		if (!guest_is_stable(look, page)) {
			own_words[lane - 1][page][0].known = false;
			own_words[lane - 1][page][1].known = false;
			continue;
		}
		*own = (struct own_word) { .value = new, .holes = look.holes, .known = true };
	}
	return 0;
}

/* Restore the words of private pages that were punched out. */
static uint64_t guest_set_words(uint64_t unused0, uint64_t unused1, uint64_t unused2)
{
	uint64_t page;

	for (page = 0; page < NR_PAGES; page++)
		WRITE_ONCE(*(uint64_t *)(PRIVATE_GPA + page * SZ_4K), PRIVATE_WORD + page);
	return 0;
}

struct runner {
	pthread_t thread;
	struct kvm_vcpu *vcpu;
	bool slot_may_be_gone;
	bool host_may_be_gone;
	unsigned long rounds;
	unsigned long exits;
	uint64_t bad;
	const char *failure;
	struct vcpu_watch watch;
};

/* True if an exit that is not a return of the guest is allowed. */
static bool handle_exit(struct runner *runner, int r, int err)
{
	struct kvm_run *run = runner->vcpu->run;
	uint64_t value, page;

	runner->exits++;
	/* Mainline's KVM_RUN may fail with it while a page goes. */
	if (r && err == EAGAIN && !exact)
		return true;
	/* Mainline exits if the attributes change while it reads them. */
	if (r && err == EFAULT && !exact && run->exit_reason == KVM_EXIT_MEMORY_FAULT)
		return true;
	if (r && err == EFAULT && runner->host_may_be_gone &&
	    (run->exit_reason != KVM_EXIT_MEMORY_FAULT || !run->memory_fault.flags))
		return true;
	if (r && err == EFAULT && runner->slot_may_be_gone)
		return run->exit_reason == KVM_EXIT_MEMORY_FAULT &&
		       run->memory_fault.flags == KVM_MEMORY_EXIT_FLAG_PRIVATE;
	if (r || !runner->slot_may_be_gone || run->exit_reason != KVM_EXIT_MMIO)
		return false;

	/* Shared memory without a slot: act as if the slot existed. */
	page = (run->mmio.phys_addr - PRIVATE_GPA) / SZ_4K;
	value = SHARED_WORD + page;
	if (!run->mmio.is_write)
		memcpy(run->mmio.data, &value, sizeof(value));
	return page < NR_PAGES;
}

static void *run_vcpu(void *arg)
{
	struct runner *runner = arg;
	struct kvm_vcpu *vcpu = runner->vcpu;
	uint32_t seed = vcpu->id + 1;
	int r;

	while (!READ_ONCE(stop) && !runner->failure && !runner->bad) {
		r = __guest_call(vcpu, guest_access_randomly, next_random(&seed), vcpu->id + 1,
				 runner->slot_may_be_gone);
		while (r || !guest_returned(vcpu, &runner->bad)) {
			if (!handle_exit(runner, r, errno)) {
				runner->failure = exit_reason_str(vcpu->run->exit_reason);
				break;
			}
			r = __guest_resume(vcpu);
		}
		runner->rounds++;
	}
	return NULL;
}

/* Convert a random range; short ones are more likely. */
static void convert(uint32_t *seed)
{
	uint32_t *state = *guest_var(vm, states);
	uint32_t shift = next_random(seed) % 11, page, first, nr;
	bool private = next_random(seed) & 1;

	first = next_random(seed) % NR_PAGES;
	nr = 1 + next_random(seed) % (1u << shift);
	if (first + nr > NR_PAGES)
		nr = NR_PAGES - first;

	for (page = first; page < first + nr; page++)
		WRITE_ONCE(state[page], state[page] | IN_CHANGE);
	__sync_synchronize();
	set_private(vm->fd, PRIVATE_GPA + first * SZ_4K, nr * SZ_4K, private);
	__sync_synchronize();
	for (page = first; page < first + nr; page++)
		WRITE_ONCE(state[page], ((state[page] | 3) + 1) | (private ? IS_PRIVATE : 0));
}

/* The other side of the race: a function that is called in a loop. */
static void punch_pages(uint32_t first, uint32_t end)
{
	uint32_t *count = *guest_var(vm, holes);
	uint32_t page;

	if (first >= end)
		return;
	for (page = first; page < end; page++)
		WRITE_ONCE(count[page], count[page] + 1);
	__sync_synchronize();
	gmem_punch(slot.gmem_fd, first * SZ_4K, (end - first) * SZ_4K);
	__sync_synchronize();
	for (page = first; page < end; page++)
		WRITE_ONCE(count[page], count[page] + 1);
}

/* Punch any hole, or one page of 2 MiB, which may be used again, and then the rest. */
static void punch_one(uint32_t *seed)
{
	uint32_t first = next_random(seed) % NR_PAGES;
	uint32_t end = first + 1 + next_random(seed) % 600;
	uint32_t chunk = first & -PAGES_PER_CHUNK;

	if (next_random(seed) & 1) {
		punch_pages(first, end < NR_PAGES ? end : NR_PAGES);
		return;
	}
	/* A huge page, if nobody was faster. */
	punch_pages(chunk, chunk + PAGES_PER_CHUNK);
	gmem_allocate(slot.gmem_fd, chunk * SZ_4K, SZ_2M);
	usleep(next_random(seed) % 500);
	first = chunk + next_random(seed) % NR_FAVOURITES;
	punch_pages(first, first + 1);
	punch_pages(chunk, first);
	punch_pages(first + 1, chunk + PAGES_PER_CHUNK);
}

static void pre_fault_one(uint32_t *seed)
{
	struct kvm_pre_fault_memory range = {
		.gpa = PRIVATE_GPA + next_random(seed) % NR_PAGES * SZ_4K,
		.size = SZ_4K,
	};
	int r = __pre_fault(vcpus[NR_VCPUS]->fd, &range);

	TEST_ASSERT(!r || errno == EAGAIN || errno == ENOENT || errno == EFAULT,
		    KVM_IOCTL_ERROR(KVM_PRE_FAULT_MEMORY, r));
}

static void replace_slot_one(uint32_t *seed)
{
	int r = __private_slot_set(&slot, false);

	r = r ?: __private_slot_set(&slot, true);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
}

static void unmap_one(uint32_t *seed)
{
	uint64_t *hva = slot.hva + next_random(seed) % NR_PAGES * (SZ_4K / 8);
	size_t size = (char *)(slot.hva + SLOT_SIZE / 8) - (char *)hva;

	/* The memory belongs to a file and stays: only its mapping is removed. */
	switch (next_random(seed) % 4) {
	case 0:
		madvise(hva, size, MADV_DONTNEED);
		break;
	case 1:
		mprotect(hva, size, PROT_NONE);
		mprotect(slot.hva, SLOT_SIZE, PROT_READ | PROT_WRITE);
		break;
	case 2:
		madvise(hva, size, MADV_COLD);
		break;
	case 3:
		madvise(hva, size, MADV_PAGEOUT);
		break;
	}
}

static void *repeat(void *arg)
{
	void (*fn)(uint32_t *seed) = arg;
	uint32_t seed = 7;

	while (!READ_ONCE(stop)) {
		fn(&seed);
		usleep(next_random(&seed) % 500);
	}
	return NULL;
}

static void prepare_words(void)
{
	uint32_t *state = *guest_var(vm, states);
	uint32_t page;

	memset(guest_var(vm, holes), 0, sizeof(holes));
	memset(guest_var(vm, own_words), 0, sizeof(own_words));
	set_private(vm->fd, PRIVATE_GPA, SLOT_SIZE, true);
	guest_call(vcpus[0], guest_set_words, 0, 0, 0);
	for (page = 0; page < NR_PAGES; page++) {
		slot.hva[page * (SZ_4K / 8)] = SHARED_WORD + page;
		state[page] = IS_PRIVATE;
	}
}

static void race(const char *what, void (*fn)(uint32_t *seed), const struct runner *how)
{
	unsigned long rounds = 0, exits = 0, conversions = 0;
	struct runner runners[NR_VCPUS];
	const char *failure = NULL;
	struct timespec start;
	pthread_t other;
	uint32_t seed = 1;
	uint64_t bad = 0;
	int i;

	if (only && strcmp(only, what))
		return;
	prepare_words();
	WRITE_ONCE(stop, false);
	for (i = 0; i < NR_VCPUS; i++) {
		runners[i] = *how;
		runners[i].vcpu = vcpus[i];
		watch_begin(&runners[i].watch, vcpus[i]->fd);
		pthread_create(&runners[i].thread, NULL, run_vcpu, &runners[i]);
	}
	if (fn)
		pthread_create(&other, NULL, repeat, fn);

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (timespec_to_ns(timespec_elapsed(start)) < duration_ms * 1000000ll) {
		convert(&seed);
		conversions++;
		/* Leave time to the vCPUs. */
		usleep(next_random(&seed) % 500);
	}

	WRITE_ONCE(stop, true);
	if (fn)
		pthread_join(other, NULL);
	for (i = 0; i < NR_VCPUS; i++) {
		pthread_join(runners[i].thread, NULL);
		rounds += runners[i].rounds;
		exits += runners[i].exits;
		bad = bad ?: runners[i].bad;
		failure = failure ?: runners[i].failure;
	}

	printf("# %lu conversions, %lu accesses, %lu exits\n", conversions, rounds * NR_ACCESSES,
	       exits);
	check(!failure, "%s: no exit that is not due%s%s", what, failure ? ": " : "",
	      failure ?: "");
	for (i = 0; i < NR_VCPUS; i++)
		watch_end(&runners[i].watch, runners[i].rounds * NR_ACCESSES, "%s: vCPU %d", what,
			  i);
	check(audit_is_clean(), "%s: the audit has no findings", what);
	check((bad & 15) != STALE_READ, "%s: no page has the other's content (page %lu)", what,
	      bad >> 4);
	check((bad & 15) != LOST_WRITE, "%s: no write is lost (page %lu)", what, bad >> 4);
	check((bad & 15) != GARBAGE, "%s: no garbage is read (page %lu, 0x%lx)", what, bad >> 4,
	      *guest_var(vm, garbage));
}

/* Changes of the shared memory's mapping must not affect private mappings. */
static void test_notifier(void)
{
	uint64_t maps;

	prepare_words();
	guest_call(vcpus[0], guest_touch_4k, PRIVATE_GPA, SLOT_SIZE, 0);
	maps = vm_get_stat(vm, "private_maps_4k") + vm_get_stat(vm, "private_maps_2m");
	madvise(slot.hva, SLOT_SIZE, MADV_DONTNEED);
	mprotect(slot.hva, SLOT_SIZE, PROT_NONE);
	mprotect(slot.hva, SLOT_SIZE, PROT_READ | PROT_WRITE);
	madvise(slot.hva, SLOT_SIZE, MADV_PAGEOUT);
	guest_call(vcpus[0], guest_touch_4k, PRIVATE_GPA, SLOT_SIZE, 0);
	maps -= vm_get_stat(vm, "private_maps_4k") + vm_get_stat(vm, "private_maps_2m");
	check(!maps, "unmapping shared memory in the host leaves private pages mapped");
}

int main(int argc, char *argv[])
{
	const struct runner strict = {};
	const struct runner slotless = { .slot_may_be_gone = true };
	const struct runner hostless = { .host_may_be_gone = true };

	/* With an argument, run a single race, e.g. to debug it. */
	if (argc > 1)
		duration_ms = atoi(argv[1]);
	if (argc > 2)
		only = argv[2];
	if (!duration_ms)
		ksft_exit_fail_msg("usage: %s [milliseconds for each race] [its name]\n",
				   argv[0]);

	require_private_mem();
	exact = read_number(LEAKED_PAGES) >= 0;
	vm = private_vm_create(NR_VCPUS + 1, vcpus);
	private_slot_add(&slot, vm, 1, PRIVATE_GPA, SLOT_SIZE);

	race("accesses", NULL, &strict);
	race("pre-faults", pre_fault_one, &strict);
	race("holes", punch_one, &strict);
	race("slot replaced", replace_slot_one, &slotless);
	race("shared memory unmapped", unmap_one, &hostless);
	if (exact)
		test_notifier();

	private_slot_remove(&slot);
	kvm_vm_free(vm);
	return check_finish();
}
