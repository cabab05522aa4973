// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random operations of several threads on the private memory of a software-protected VM,
 * with a model that predicts the content of each page: see private_mem_plan.h.
 */
#define _GNU_SOURCE /* for program_invocation_name */
#include "private_mem_plan.h"
#include "processor.h"

#define SWEEP_GPA	(PRIVATE_GPA + SZ_1G / 2)
#define SWEEP_FILE_SIZE	(8 * SZ_2M)

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpus[MAX_THREADS];

/* --- How the guest accesses its memory -------------------------------------------------- */

/* The guest's copy is used: first and last word of each page that it has read. */
static struct words seen[MAX_THREADS][PAGES_PER_CHUNK];

static uint64_t guest_stamp(uint64_t gpa, uint64_t nr, uint64_t value)
{
	uint64_t i;

	for (i = 0; i < nr; i++, gpa += SZ_4K) {
		WRITE_ONCE(((uint64_t *)gpa)[0], value + i);
		WRITE_ONCE(((uint64_t *)gpa)[WORDS_PER_PAGE - 1], value + i);
	}
	return 0;
}

static uint64_t guest_look(uint64_t gpa, uint64_t nr, uint64_t cpu)
{
	uint64_t i;

	for (i = 0; i < nr; i++, gpa += SZ_4K) {
		seen[cpu][i].word[0] = READ_ONCE(((uint64_t *)gpa)[0]);
		seen[cpu][i].word[1] = READ_ONCE(((uint64_t *)gpa)[WORDS_PER_PAGE - 1]);
	}
	return 0;
}

static void run_guest(struct accessor *a, guest_fn fn, unsigned int page, uint64_t nr, uint64_t arg)
{
	struct kvm_vcpu *vcpu = vcpus[a->cpu];
	int r = __guest_call(vcpu, fn, gpa_of(page), nr, arg);
	uint64_t value;

	while (r || !guest_returned(vcpu, &value)) {
		if (!may_exit(a, vcpu->run, r, errno)) {
			fail(a, page, "vCPU %u leaves with %d, errno %d, exit reason %u (%s)",
			     vcpu->id, r, r ? errno : 0, vcpu->run->exit_reason,
			     exit_reason_str(vcpu->run->exit_reason));
			return;
		}
		r = __guest_resume(vcpu);
	}
}

static void sw_stamp(struct accessor *a, unsigned int first, unsigned int nr, uint64_t value)
{
	run_guest(a, guest_stamp, first, nr, value);
}

static void sw_look(struct accessor *a, unsigned int first, unsigned int nr, struct words *words)
{
	run_guest(a, guest_look, first, nr, a->cpu);
	memcpy(words, (*guest_var(vm, seen))[a->cpu], nr * sizeof(*words));
}

static int sw_pre_fault(struct accessor *a, struct kvm_pre_fault_memory *range)
{
	return __pre_fault(vcpus[a->cpu]->fd, range);
}

static int sw_set_slot(struct private_slot *slot, bool present)
{
	return __private_slot_set(slot, present);
}

static void sw_set_private(unsigned int first, unsigned int nr, bool private)
{
	set_private(vm->fd, gpa_of(first), nr * SZ_4K, private);
}

static uint64_t sw_find_pfn(struct accessor *a, unsigned int page)
{
	struct private_slot *slot = slot_of(page);

	return find_private_pfn(vcpus[a->cpu], slot, gpa_of(page) - slot->gpa);
}

static const struct model_guest sw_guest = {
	.stamp = sw_stamp,
	.look = sw_look,
	.pre_fault = sw_pre_fault,
	.set_slot = sw_set_slot,
	.set_private = sw_set_private,
	.find_pfn = sw_find_pfn,
};

/* --- Another file, which has huge pages where the first one has none -------------------- */

static struct private_slot sweep_slot;
static uint64_t sweep_value;

static void sweep_begin(void)
{
	sweep_value = new_value();
	private_slot_add(&sweep_slot, vm, 3, SWEEP_GPA, SWEEP_FILE_SIZE);
	set_private(vm->fd, SWEEP_GPA, SWEEP_FILE_SIZE, true);
	guest_call(vcpus[0], guest_fill, SWEEP_GPA, SWEEP_FILE_SIZE, sweep_value);
}

static uint64_t sweep_count(void)
{
	return guest_call(vcpus[0], guest_count_other, SWEEP_GPA, SWEEP_FILE_SIZE, sweep_value);
}

static void sweep_end(void)
{
	set_private(vm->fd, SWEEP_GPA, SWEEP_FILE_SIZE, false);
	private_slot_remove(&sweep_slot);
}

static const struct plan_hooks hooks = {
	.sweep_begin = sweep_begin,
	.sweep_count = sweep_count,
	.sweep_end = sweep_end,
};

int main(int argc, char *argv[])
{
	struct vcpu_watch watches[MAX_THREADS];
	unsigned int i;
	int opt;

	while ((opt = getopt(argc, argv, PLAN_OPTIONS)) != -1)
		if (!plan_option(opt, optarg))
			plan_usage(argv[0]);

	require_private_mem();
	setbuf(stdout, NULL);
	plan_prepare();
	vm = private_vm_create(nr_threads, vcpus);
	model_setup(&sw_guest, 1, PRIVATE_GPA);
	model_use_file(gmem_create(vm->fd, MODEL_FILE_SIZE));
	for (i = 0; i < 2; i++)
		model.slots[i].vm = vm;
	for (i = 0; i < nr_threads; i++)
		watch_begin(&watches[i], vcpus[i]->fd);

	plan_run(&hooks);
	for (i = 0; i < nr_threads; i++)
		watch_end(&watches[i], workers[i].access.accesses, "vCPU %u", i);

	for (i = 0; i < 2; i++)
		__private_slot_set(&model.slots[i], false);
	close(model.gmem_fd);
	model_free();
	kvm_vm_free(vm);
	return check_finish();
}
