// SPDX-License-Identifier: GPL-2.0-only
/*
 * SNP guests that end in many ways: in order, with their process killed at each step of
 * the launch or while vCPUs run, with file descriptors closed in any order, and with a
 * guest_memfd that outlives the VM. Nothing may be leaked: no page, no VM, no ASID. That
 * the RMP has none of their pages is checked from outside.
 */
#define _GNU_SOURCE /* for fallocate() */
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "private_mem_watch.h"
#include "processor.h"
#include "snp_bare.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define NR_FDS		5
#define NR_STAGES	16
#define MAX_WORKERS	8

static unsigned int nr_lives = 60, nr_workers = 3;
static uint64_t seed = 1;

enum life {
	LIFE_WHOLE,		/* everything works, and ends in order */
	LIFE_STAGE,		/* killed after a step of the launch */
	LIFE_UPDATE,		/* killed in the middle of a launch update */
	LIFE_ORDER,		/* file descriptors closed in another order */
	LIFE_FILE,		/* the guest_memfd is closed last, and is used by itself before */
	LIFE_RUN,		/* killed while both vCPUs run */
	LIFE_ANY,		/* killed at any time */
	NR_LIVES,
};

static const char * const life_names[] = {
	"ended in order", "killed after a step of the launch", "killed in a launch update",
	"closed in any order", "survived by a guest_memfd", "killed while running",
	"killed at any time",
};

/* How a life ends: decided before it begins, so that the seed determines it. */
struct plan {
	enum life life;
	unsigned int stage;
	unsigned int delay;	/* in microseconds */
	unsigned int order;
};

struct left {
	long refs;
	long unevictable;
	long leaked;
	long vms;
};

static uint64_t random_of(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void make_plan(struct plan *plan, unsigned int nr)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15ul + nr + 1;
	unsigned int i;

	for (i = 0; i < 8; i++)
		random_of(&state);
	plan->life = nr % NR_LIVES;
	plan->stage = random_of(&state) % NR_STAGES;
	plan->delay = random_of(&state) % (plan->life == LIFE_ANY ? 300000 : 30000);
	plan->order = random_of(&state) % 120;
}

static void look(struct left *left)
{
	read_number("/proc/sys/vm/stat_refresh");
	left->refs = read_number("/sys/module/kvm_amd/refcnt");
	left->unevictable = read_keyed("/proc/vmstat", "nr_unevictable");
	left->leaked = leaked_pages();
	left->vms = count_directories(DEBUGFS "kvm");
}

static void compare(const struct left *before)
{
	struct left now;
	int i;

	/* The last reference may be put by a worker. */
	for (i = 0; i < 40; i++) {
		look(&now);
		if (now.refs == before->refs && now.unevictable <= before->unevictable &&
		    now.vms == before->vms)
			break;
		usleep(50000);
	}

	check(before->refs >= 0 && now.refs == before->refs,
	      "no reference to the module is left (%ld, %ld)", before->refs, now.refs);
	check(now.unevictable <= before->unevictable, "no private page is left (%ld, %ld)",
	      before->unevictable, now.unevictable);
	check(before->vms >= 0 && now.vms == before->vms, "no VM is left (%ld, %ld)",
	      before->vms, now.vms);
	check(!now.leaked, "no page is leaked (%ld)", now.leaked);
}

/* --- One guest, in a process of its own; returns 0 if everything was as expected ------ */

/* Private pages of both sizes, one that was converted back, and a second vCPU. */
static int use_vcpus(struct snp_bare *b)
{
	uint64_t second = BARE_DATA_GPA + SZ_2M;
	int r;

	r = __set_attributes(b->vm_fd, BARE_DATA_GPA, BARE_DATA_SIZE,
			     KVM_MEMORY_ATTRIBUTE_PRIVATE) ?:
	    bare_order(b, 0, BARE_PVALIDATE, BARE_DATA_GPA, 1, 1) ?:
	    bare_order(b, 0, BARE_WRITE, BARE_DATA_GPA + SZ_4K, seed, 0) ?:
	    bare_order(b, 0, BARE_VALIDATE, second, second + 8 * SZ_4K, 0);
	if (r || b->ctl[0]->result)
		return 1;

	/* The first page of the second 2 MiB is shared, and the guest knows it. */
	r = bare_order(b, 0, BARE_PVALIDATE, second, 0, 0) ?:
	    bare_order(b, 0, BARE_MSR, 2ul << 52 | second | MSR_PSC, 0, 0);
	if (r != KVM_EXIT_HYPERCALL || bare_convert(b, 0) ||
	    bare_order(b, 0, BARE_WRITE, BARE_DATA_SHARED + SZ_2M, seed, 0))
		return 2;

	if (bare_start_ap(b, BARE_VMSA_GPA) || bare_run(b, 1) ||
	    bare_order(b, 1, BARE_READ, BARE_DATA_GPA + SZ_4K, 0, 0) || b->ctl[1]->result != seed)
		return 3;
	return 0;
}

/* Fail if a vCPU is stuck. Guards have open files as well. */
static void guard_vcpus(struct vcpu_guard *guards, struct snp_bare *b)
{
	int i;

	for (i = 0; i < NR_BARE_VCPUS; i++)
		guard_begin(&guards[i], b->vcpu_fd[i], &b->in_run[i], &b->ctl[i]->count,
			    i ? "the second vCPU" : "the first vCPU");
}

static int use_guest(struct snp_bare *b)
{
	struct vcpu_guard guards[NR_BARE_VCPUS];
	int i, r;

	guard_vcpus(guards, b);
	r = bare_run(b, 0) ? 10 : use_vcpus(b);
	for (i = 0; i < NR_BARE_VCPUS; i++)
		guard_end(&guards[i], 0);
	return r;
}

/* Execute the steps up to @stage; returns 0 on success. */
static int grow_up(struct snp_bare *b, unsigned int stage)
{
	unsigned int page;

	if (stage-- == 0)
		return 0;
	if (bare_create_vm(b))
		return 16;
	if (stage-- == 0)
		return 0;
	if (bare_init2(b))
		return 4;
	if (stage-- == 0)
		return 0;
	if (bare_add_memory(b))
		return 5;
	if (stage-- == 0)
		return 0;
	if (bare_add_vcpus(b))
		return 6;
	if (stage-- == 0)
		return 0;
	if (bare_launch_start(b))
		return 7;
	for (page = 0; page < BARE_LAUNCH_SIZE / SZ_4K; page++) {
		if (stage-- == 0)
			return 0;
		if (bare_launch_page(b, BARE_LAUNCH_GPA + page * SZ_4K))
			return 8;
	}
	if (stage-- == 0)
		return 0;
	if (bare_launch_finish(b))
		return 9;
	if (stage-- == 0)
		return 0;
	return use_guest(b);
}

static int whole_life(struct snp_bare *b, const struct plan *plan)
{
	return grow_up(b, NR_STAGES);
}

static int killed_at_stage(struct snp_bare *b, const struct plan *plan)
{
	int r = grow_up(b, plan->stage);

	if (!r)
		raise(SIGKILL);
	return r;
}

/* The thread that runs the update is killed last. */
static void *update_for_ever(void *arg)
{
	struct snp_bare *b = arg;
	struct kvm_sev_snp_launch_update update = {
		.gfn_start = BARE_DATA_GPA / SZ_4K,
		.uaddr = (uintptr_t)b->data,
		.len = BARE_DATA_SIZE,
		.type = KVM_SEV_SNP_PAGE_TYPE_NORMAL,
	};

	while (bare_command(b, KVM_SEV_SNP_LAUNCH_UPDATE, &update, NULL) && errno == EAGAIN)
		;
	return NULL;
}

static int killed_in_update(struct snp_bare *b, const struct plan *plan)
{
	pthread_t thread;
	int r;

	r = grow_up(b, 5);
	if (r || __set_attributes(b->vm_fd, BARE_DATA_GPA, BARE_DATA_SIZE,
				  KVM_MEMORY_ATTRIBUTE_PRIVATE))
		return 12;
	pthread_create(&thread, NULL, update_for_ever, b);
	usleep(plan->delay);
	raise(SIGKILL);
	return 13;
}

/* Close the files in the order of the @nr-th permutation. */
static void close_in_order(struct snp_bare *b, unsigned int nr)
{
	int *fds[NR_FDS] = { &b->vm_fd, &b->vcpu_fd[0], &b->vcpu_fd[1], &b->ram_fd, &b->data_fd };
	int i, k;

	for (i = NR_FDS; i > 0; i--) {
		k = nr % i;
		nr /= i;
		bare_close(fds[k]);
		fds[k] = fds[i - 1];
	}
}

static int closed_in_order(struct snp_bare *b, const struct plan *plan)
{
	int i, r = grow_up(b, plan->stage);

	/* A mapped vCPU holds one more reference until the process ends. */
	for (i = 0; plan->delay & 1 && i < NR_BARE_VCPUS; i++)
		bare_unmap_vcpu(b, i);
	close_in_order(b, plan->order);
	return r;
}

/* Punched, filled with other pages and closed, in another process than its creator. */
static int survived_by_file(struct snp_bare *b, const struct plan *plan)
{
	int r = grow_up(b, plan->stage < 8 ? 13 : NR_STAGES), status;
	int i, files[2] = { b->ram_fd, b->data_fd };
	pid_t pid;

	if (r)
		return r;
	for (i = 0; i < NR_BARE_VCPUS; i++) {
		bare_unmap_vcpu(b, i);
		bare_close(&b->vcpu_fd[i]);
	}
	bare_close(&b->vm_fd);

	pid = fork();
	if (!pid) {
		usleep(plan->delay % 5000);
		r = __gmem_punch(files[1], SZ_4K, SZ_4K) ?: __gmem_punch(files[1], SZ_2M, SZ_2M) ?:
		    __gmem_punch(files[0], 0, SZ_4K);
		gmem_allocate(files[1], 0, BARE_DATA_SIZE);
		_exit(!!r);
	}
	bare_close(&b->ram_fd);
	bare_close(&b->data_fd);
	waitpid(pid, &status, 0);
	return status ? 14 : 0;
}

struct runner {
	struct snp_bare *b;
	int cpu;
};

static void *run_for_ever(void *arg)
{
	struct runner *runner = arg;
	struct snp_bare *b = runner->b;
	int r = bare_run(b, runner->cpu);

	while (r == KVM_EXIT_HYPERCALL)
		r = bare_convert(b, runner->cpu);
	return NULL;
}

/* One vCPU writes to private memory, the other one converts pages of it. */
static int killed_while_running(struct snp_bare *b, const struct plan *plan)
{
	struct runner runners[] = { { b, 0 }, { b, 1 } };
	struct vcpu_guard guards[NR_BARE_VCPUS];
	pthread_t threads[2];
	int i, r;

	r = grow_up(b, NR_STAGES);
	if (r)
		return r;
	for (i = 0; i < 2; i++) {
		b->ctl[i]->op = BARE_SPIN;
		b->ctl[i]->args[0] = BARE_DATA_GPA + (i ? SZ_2M + SZ_4K : 0);
		b->ctl[i]->args[1] = b->ctl[i]->args[0] + (i ? 6 * SZ_4K : SZ_2M);
		b->ctl[i]->args[2] = i ? BARE_DATA_GPA + SZ_2M + 7 * SZ_4K : 0;
	}
	/* Must come before the vCPUs run, which hold their mutexes from then on. */
	guard_vcpus(guards, b);
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, run_for_ever, &runners[i]);
	usleep(plan->delay);
	/* Half of them first lose a file while the vCPUs run. */
	if (plan->order & 1)
		bare_close(&b->data_fd);
	raise(SIGKILL);
	return 15;
}

static int live(const struct plan *plan)
{
	struct snp_bare b;
	int r;

	bare_init(&b);
	switch (plan->life) {
	case LIFE_STAGE:
		return killed_at_stage(&b, plan);
	case LIFE_UPDATE:
		return killed_in_update(&b, plan);
	case LIFE_ORDER:
		return closed_in_order(&b, plan);
	case LIFE_FILE:
		return survived_by_file(&b, plan);
	case LIFE_RUN:
	case LIFE_ANY:
		return killed_while_running(&b, plan);
	default:
		r = whole_life(&b, plan);
		bare_free(&b);
		return r;
	}
}

/* --- All of them ---------------------------------------------------------------------- */

static pid_t begin_life(const struct plan *plan)
{
	pid_t pid = fork();

	if (!pid)
		_exit(live(plan));
	TEST_ASSERT(pid > 0, "No process");
	return pid;
}

/* Checks that the process ended as planned. Returns what it complains of, or 0. */
static int end_life(const struct plan *plan, pid_t pid)
{
	bool dies = plan->life == LIFE_STAGE || plan->life == LIFE_UPDATE ||
		    plan->life == LIFE_RUN || plan->life == LIFE_ANY;
	int status;

	if (plan->life == LIFE_ANY) {
		usleep(plan->delay);
		kill(pid, SIGKILL);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		return dies && WTERMSIG(status) == SIGKILL ? 0 : 100 + WTERMSIG(status);
	return dies ? WEXITSTATUS(status) ?: 99 : WEXITSTATUS(status);
}

/* Each worker runs every @nr_workers-th life. Returns how many failed. */
static int work(unsigned int worker)
{
	struct plan plan;
	unsigned int nr;
	int r, bad = 0;

	for (nr = worker; nr < nr_lives; nr += nr_workers) {
		make_plan(&plan, nr);
		r = end_life(&plan, begin_life(&plan));
		if (!r)
			continue;
		printf("# life %u, %s (stage %u, %u us, order %u): %d\n", nr,
		       life_names[plan.life], plan.stage, plan.delay, plan.order, r);
		bad++;
	}
	return bad;
}

static void test_lives(void)
{
	int status, bad = 0;
	unsigned int i;

	for (i = 0; i < nr_workers; i++)
		if (!fork())
			_exit(work(i) ? 1 : 0);
	while (wait(&status) > 0)
		bad += !WIFEXITED(status) || WEXITSTATUS(status);

	check(!bad, "%u guests live and end as they should", nr_lives);
	for (i = 0; i < NR_LIVES; i++)
		printf("# %u of them %s\n", (nr_lives + NR_LIVES - 1 - i) / NR_LIVES,
		       life_names[i]);
}

static void test_asids(void)
{
	unsigned int max = bare_max_guests(), nr = bare_count_asids(max + 1);

	check(nr == max, "%u of %u ASIDs are free after that", nr, max);
}

int main(int argc, char *argv[])
{
	struct left before;
	struct plan first = { .life = LIFE_WHOLE };
	int opt;

	while ((opt = getopt(argc, argv, "n:j:s:")) != -1) {
		if (opt == 'n' && atoi(optarg) > 0)
			nr_lives = atoi(optarg);
		else if (opt == 'j' && atoi(optarg) > 0 && atoi(optarg) <= MAX_WORKERS)
			nr_workers = atoi(optarg);
		else if (opt == 's' && atol(optarg) > 0)
			seed = atol(optarg);
		else
			ksft_exit_fail_msg("usage: %s [-n lives] [-j workers] [-s seed]\n",
					   argv[0]);
	}

	require_snp();
	setbuf(stdout, NULL);
	mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	printf("# seed %lu\n", seed);

	/* Don't count what is allocated only once. */
	check(!end_life(&first, begin_life(&first)), "a guest lives and ends");
	look(&before);
	test_lives();
	compare(&before);
	test_asids();
	return check_finish();
}
