// SPDX-License-Identifier: GPL-2.0-only
/*
 * Punch a page out of 2 MiB in a loop, while two tasks pre-fault one page of it each. The
 * task that pre-faults the punched page completes the 2 MiB and maps it as one page. This
 * removes the page table that the other task, which found a hole there, has just linked.
 *
 * Between the change of an SPTE and what KVM does after it there are only a few
 * instructions. If the kernel has triggers, a stack trace at the tracepoint in between
 * makes the window much longer.
 */
#define _GNU_SOURCE /* for program_invocation_name */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>

#include "private_mem_watch.h"
#include "processor.h"

#define TRIGGER		PRIVATE_TRACING "events/kvmmmu/kvm_tdp_mmu_spte_changed/trigger"
#define NR_PAGES	512
#define NR_RACERS	2
#define NR_VCPUS	(1 + NR_RACERS)
#define VALUE		0x1e7e1000000000ul
/* The page of the hole, and the other one. */
#define HOLE		7
/* The guest checks the content once per this many holes. */
#define LOOK_EVERY	32

struct racer {
	pthread_t thread;
	struct kvm_vcpu *vcpu;
	unsigned int page;
	unsigned long rounds;
	int error;
};

static struct kvm_vcpu *vcpus[NR_VCPUS];
static struct racer racers[NR_RACERS];
static struct private_slot slot;
static unsigned long nr_holes = 1000, last_hole;
static bool stop;

/* One pre-fault after each hole; the second racer may start a bit later. */
static void *run_racer(void *arg)
{
	struct racer *racer = arg;
	unsigned long hole = 0;
	unsigned int i;

	while (!racer->error) {
		struct kvm_pre_fault_memory range = {
			.gpa = slot.gpa + racer->page * SZ_4K,
			.size = SZ_4K,
		};

		while (READ_ONCE(last_hole) == hole && !READ_ONCE(stop))
			sched_yield();
		if (READ_ONCE(stop))
			break;
		hole++;
		for (i = racer->page ? hole * 37 % 400 : 0; i; i--)
			READ_ONCE(stop);
		if (__pre_fault(racer->vcpu->fd, &range) && errno != EAGAIN && errno != EINTR)
			racer->error = errno;
		WRITE_ONCE(racer->rounds, hole);
	}
	return NULL;
}

static uint64_t access_page(unsigned int page, guest_fn fn)
{
	return guest_call(vcpus[0], fn, slot.gpa + page * SZ_4K, VALUE + page, 0);
}

/* The hole has zeroes, and the pages next to it have what was written. */
static bool is_right(void)
{
	return access_page(HOLE, guest_read) == 0 &&
	       access_page(HOLE + 1, guest_read) == VALUE + HOLE + 1;
}

static void wait_for_racers(void)
{
	int i;

	for (i = 0; i < NR_RACERS; i++)
		while (READ_ONCE(racers[i].rounds) != last_hole && !READ_ONCE(racers[i].error))
			sched_yield();
}

/* Returns after how many holes the content was wrong, or 0 if it never was. */
static unsigned long punch_holes(void)
{
	unsigned long i;

	for (i = 1; i <= nr_holes; i++) {
		gmem_punch(slot.gmem_fd, HOLE * SZ_4K, SZ_4K);
		WRITE_ONCE(last_hole, i);
		wait_for_racers();
		if (i % LOOK_EVERY)
			continue;
		if (!is_right())
			return i;
		access_page(HOLE, guest_write);
	}
	return 0;
}

static void race(void)
{
	struct vcpu_watch watch;
	unsigned long wrong;
	int i;

	for (i = 0; i < NR_PAGES; i++)
		access_page(i, guest_write);
	watch_begin(&watch, vcpus[0]->fd);
	for (i = 0; i < NR_RACERS; i++) {
		racers[i].vcpu = vcpus[1 + i];
		racers[i].page = i ? HOLE : 0;
		pthread_create(&racers[i].thread, NULL, run_racer, &racers[i]);
	}
	wrong = punch_holes();
	WRITE_ONCE(stop, true);
	for (i = 0; i < NR_RACERS; i++) {
		pthread_join(racers[i].thread, NULL);
		check(!racers[i].error && racers[i].rounds == last_hole,
		      "task %d: a page is pre-faulted %lu times (%d)", i, racers[i].rounds,
		      racers[i].error);
	}
	check(!wrong, "%lu holes have zeroes, and all else is kept (%lu)", nr_holes, wrong);
	watch_end(&watch, 3 * (1 + nr_holes / LOOK_EVERY), "vCPU");
	check(audit_is_clean(), "the audit has no findings");
}

static void narrow(void)
{
	write_string(TRIGGER, "!stacktrace");
}

/* A trigger that is left enabled prevents KVM from being unloaded. */
static void end_by_signal(int sig)
{
	narrow();
	_exit(KSFT_FAIL);
}

/* Without the trigger the window is so small that nothing is tested. */
static void widen(void)
{
	mount("tracefs", PRIVATE_TRACING, "tracefs", 0, NULL);
	signal(SIGTERM, end_by_signal);
	signal(SIGINT, end_by_signal);
	if (!write_string(TRIGGER, "stacktrace"))
		ksft_exit_skip("no trigger for kvm_tdp_mmu_spte_changed\n");
	atexit(narrow);
}

int main(int argc, char *argv[])
{
	struct kvm_vm *vm;

	if (argc > 1)
		nr_holes = strtoul(argv[1], NULL, 0);
	if (!nr_holes)
		ksft_exit_fail_msg("usage: %s [holes]\n", argv[0]);

	require_private_mem();
	vm = private_vm_create(NR_VCPUS, vcpus);
	private_slot_add(&slot, vm, 1, PRIVATE_GPA, SZ_2M);
	set_private(vm->fd, slot.gpa, slot.size, true);
	widen();
	race();
	check(vm_get_stat(vm, "private_maps_2m") && vm_get_stat(vm, "private_maps_4k"),
	      "mapped in both sizes, %lu and %lu times", vm_get_stat(vm, "private_maps_2m"),
	      vm_get_stat(vm, "private_maps_4k"));
	private_slot_remove(&slot);
	kvm_vm_free(vm);
	return check_finish();
}
