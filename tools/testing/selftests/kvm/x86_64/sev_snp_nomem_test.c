// SPDX-License-Identifier: GPL-2.0-only
/*
 * SNP guests without memory: each allocation in each step of a guest's life fails, and
 * the step either succeeds without it, or fails and can be repeated. At the end neither
 * memory nor ASIDs are leaked.
 */
#include <errno.h>

#include "nomem.h"
#include "snp_bare.h"

static struct snp_bare b;

/* The progress of a guest before the step that is tested. */
enum stage {
	STAGE_VM,
	STAGE_INIT,
	STAGE_START,
	STAGE_PAGES,
	STAGE_FINISHED,
	STAGE_RUNNING,
};

static enum stage stage;

static void build(void)
{
	int r;

	bare_init(&b);
	r = bare_create_vm(&b);
	if (!r && stage >= STAGE_INIT)
		r = bare_init2(&b) ?: bare_add_memory(&b);
	if (!r && stage >= STAGE_START)
		r = bare_launch_start(&b);
	if (!r && stage >= STAGE_PAGES)
		r = bare_add_vcpus(&b) ?: bare_launch_pages(&b);
	if (!r && stage >= STAGE_FINISHED)
		r = bare_launch_finish(&b);
	if (!r && stage >= STAGE_RUNNING)
		r = bare_run(&b, 0) ?:
		    __set_attributes(b.vm_fd, BARE_DATA_GPA, BARE_DATA_SIZE,
				     KVM_MEMORY_ATTRIBUTE_PRIVATE);
	TEST_ASSERT(!r, "A guest does not come to stage %d: %d, errno %d", stage, r, errno);
}

static void again(void)
{
	bare_free(&b);
	build();
}

static int init2(void)
{
	return bare_init2(&b);
}

static int launch_start(void)
{
	return bare_launch_start(&b);
}

static int launch_page(void)
{
	return bare_launch_page(&b, BARE_LAUNCH_GPA);
}

static int launch_finish(void)
{
	return bare_launch_finish(&b);
}

static int first_run(void)
{
	return bare_run(&b, 0);
}

/* The guest's first access to a 2 MiB page of its own. */
static int validate(void)
{
	return bare_order(&b, 0, BARE_PVALIDATE, BARE_DATA_GPA, PVAL_2M, 1);
}

static int pre_fault(void)
{
	struct kvm_pre_fault_memory range = { .gpa = BARE_DATA_GPA, .size = SZ_2M };

	return __pre_fault(b.vcpu_fd[0], &range);
}

static void punch(void)
{
	gmem_punch(b.data_fd, 0, BARE_DATA_SIZE);
}

static int punch_page(void)
{
	return __gmem_punch(b.data_fd, SZ_4K, SZ_4K);
}

static void punch_and_pre_fault(void)
{
	punch();
	TEST_ASSERT(!pre_fault(), "2 MiB can't be pre-faulted, errno %d", errno);
}

/* A message that the firmware rejects. */
static int guest_request(void)
{
	bare_event_clear(&b, 0);
	return bare_event(&b, 0, EVENT_GUEST_REQUEST, BARE_BUFFER(0), BARE_BUFFER(0) + SZ_4K);
}

static void nothing(void)
{
}

/* munmap() is not part of KVM, and may fail. */
static void unmap_vcpus(void)
{
	int cpu;

	for (cpu = 0; cpu < NR_BARE_VCPUS; cpu++)
		bare_unmap_vcpu(&b, cpu);
}

static int end(void)
{
	int cpu;

	for (cpu = 0; cpu < NR_BARE_VCPUS; cpu++)
		bare_close(&b.vcpu_fd[cpu]);
	bare_close(&b.data_fd);
	bare_close(&b.ram_fd);
	bare_close(&b.vm_fd);
	return 0;
}

static void again_unmapped(void)
{
	again();
	unmap_vcpus();
}

static const struct {
	enum stage stage;
	struct nomem_op op;
} steps[] = {
	{ STAGE_VM, { "KVM_SEV_INIT2", init2, NULL, again, .answers = true } },
	{ STAGE_INIT, { "KVM_SEV_SNP_LAUNCH_START", launch_start, NULL, again, .answers = true } },
	{ STAGE_START, { "KVM_SEV_SNP_LAUNCH_UPDATE", launch_page, NULL, again, .answers = true } },
	{ STAGE_PAGES, {
		"KVM_SEV_SNP_LAUNCH_FINISH", launch_finish, NULL, again, .answers = true } },
	{ STAGE_FINISHED, { "the first KVM_RUN", first_run, NULL, again } },
	{ STAGE_RUNNING, { "a fault", validate, NULL, punch } },
	{ STAGE_RUNNING, { "KVM_PRE_FAULT_MEMORY", pre_fault, NULL, punch } },
	{ STAGE_RUNNING, { "a guest request", guest_request, NULL, nothing, .infallible = true } },
	{ STAGE_RUNNING, {
		"punching", punch_page, NULL, punch_and_pre_fault, .infallible = true } },
};

static const struct nomem_op the_end = {
	"the end", end, NULL, again_unmapped, .infallible = true
};

int main(int argc, char *argv[])
{
	unsigned int i, max = bare_max_guests();

	require_snp();
	require_nomem();

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		stage = steps[i].stage;
		build();
		test_nomem(&steps[i].op);
		bare_free(&b);
	}

	stage = STAGE_RUNNING;
	build();
	unmap_vcpus();
	test_nomem(&the_end);
	bare_free(&b);

	check(!leaked_pages(), "no page is leaked");
	check(bare_count_asids(max + 1) == max, "no ASID is leaked");
	return check_finish();
}
