// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of an SNP guest fails. A 2 MiB page becomes small folios, each with its own
 * lock, but keeps one 2 MiB entry in the RMP. Two vCPUs that access two of the folios at
 * the same time both want to split the entry, and both must get their page with its
 * content.
 *
 * Failures are injected with the module hwpoison_inject, and reverted if possible.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>

#include "private_mem_watch.h"
#include "processor.h"
#include "snp_bare.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define CORRUPT_PFN	DEBUGFS "hwpoison/corrupt-pfn"
#define UNPOISON_PFN	DEBUGFS "hwpoison/unpoison-pfn"
#define VALUE		0xbad00000ul
/* The vCPUs poll it in the guest. */
#define FLAG_GPA	BARE_BUFFER(0)

#ifndef EHWPOISON
#define EHWPOISON	133
#endif

struct reader {
	pthread_t thread;
	int cpu;
	uint64_t gpa;
	uint64_t round;
	int ret;
	int error;
	bool ends;
};

static struct snp_bare guest;
static uint32_t seed = 1;
static unsigned int nr_rounds = 100;

static uint64_t *flag(void)
{
	return (uint64_t *)(guest.shared + FLAG_GPA - BARE_SHARED_GPA);
}

static void *run_reader(void *arg)
{
	struct reader *reader = arg;

	reader->ret = bare_order(&guest, reader->cpu, BARE_READ_WHEN, FLAG_GPA, reader->round,
				 reader->gpa);
	reader->error = reader->ret ? errno : 0;
	WRITE_ONCE(reader->ends, true);
	return NULL;
}

/* Returns once the vCPU polls in the guest. */
static void reader_start(struct reader *reader, int cpu, uint64_t gpa, uint64_t round)
{
	*reader = (struct reader) { .cpu = cpu, .gpa = gpa, .round = round };
	WRITE_ONCE(guest.ctl[cpu]->result, 0);
	pthread_create(&reader->thread, NULL, run_reader, reader);
	while (READ_ONCE(guest.ctl[cpu]->result) != BARE_WAITS && !READ_ONCE(reader->ends))
		usleep(100);
}

static bool reader_got(struct reader *reader, uint64_t value)
{
	uint64_t result;

	pthread_join(reader->thread, NULL);
	result = guest.ctl[reader->cpu]->result;
	if (!reader->ret && result == value)
		return true;
	printf("# vCPU %d: KVM_RUN %d, errno %d, exit reason %u, 0x%lx instead of 0x%lx\n",
	       reader->cpu, reader->ret, reader->error, guest.run[reader->cpu]->exit_reason,
	       result, value);
	return false;
}

static int pre_fault(uint64_t gpa, uint64_t size)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = size };

	return __pre_fault(guest.vcpu_fd[0], &range);
}

static uint64_t order(enum bare_op op, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	int r = bare_order(&guest, 0, op, arg0, arg1, arg2);

	TEST_ASSERT(!r, "Order %d: KVM_RUN %d, errno %d", op, r, errno);
	return guest.ctl[0]->result;
}

/* Allocate 2 MiB as one page and fill its pages; returns the pfn, or 0. */
static uint64_t new_chunk(uint64_t gpa, const unsigned int *pages, int nr)
{
	uint64_t pfn;
	int i;

	gmem_punch(guest.data_fd, gpa - BARE_DATA_GPA, SZ_2M);
	TEST_ASSERT(trace_faults_begin(), "No tracefs");
	TEST_ASSERT(!pre_fault(gpa, SZ_2M), "No pre-fault, errno %d", errno);
	pfn = trace_faults_end(gpa);
	if (order(BARE_PVALIDATE, gpa, PVAL_2M, 1))
		return 0;
	for (i = 0; i < nr; i++)
		order(BARE_WRITE, gpa + pages[i] * SZ_4K, VALUE + pages[i], 0);
	return pfn;
}

/* Returns what is wrong, or NULL. */
static const char *fail_and_split(uint64_t round, uint64_t gpa)
{
	unsigned int pages[3], i;
	struct reader readers[2];
	uint64_t pfn;
	bool ok;

	/* Three different pages: the last one fails. The first page is for PVALIDATE. */
	pages[0] = 1 + next_random(&seed) % 100;
	pages[1] = pages[0] + 1 + next_random(&seed) % 200;
	pages[2] = pages[1] + 1 + next_random(&seed) % 200;
	pfn = new_chunk(gpa, pages, 2);
	if (!pfn)
		return "there are no 2 MiB as one page";

	for (i = 0; i < 2; i++)
		reader_start(&readers[i], i, gpa + pages[i] * SZ_4K, round);
	ok = write_string(CORRUPT_PFN, "0x%lx", pfn + pages[2]) || errno == EBUSY;
	WRITE_ONCE(*flag(), round);
	for (i = 0; i < 2; i++)
		ok &= reader_got(&readers[i], VALUE + pages[i]);
	if (!ok)
		return "a page beside the one that failed can't be read";

	if (!pre_fault(gpa + pages[2] * SZ_4K, SZ_4K) || errno != EHWPOISON)
		return "the page that failed can be pre-faulted";
	if (order(BARE_PVALIDATE, gpa, PVAL_2M, 1) != PVAL_MISMATCH)
		return "it's still one page of 2 MiB";
	gmem_punch(guest.data_fd, gpa - BARE_DATA_GPA, SZ_2M);
	write_string(UNPOISON_PFN, "0x%lx", pfn + pages[2]);
	return NULL;
}

static void require_injection(void)
{
	mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	mount("tracefs", PRIVATE_TRACING, "tracefs", 0, NULL);
	if (access(CORRUPT_PFN, W_OK) && system("modprobe hwpoison-inject 2>/dev/null"))
		printf("# modprobe hwpoison-inject failed\n");
	__TEST_REQUIRE(!access(CORRUPT_PFN, W_OK) && !access(PRIVATE_TRACING "trace", W_OK),
		       "no CONFIG_HWPOISON_INJECT or no tracefs");
}

int main(int argc, char *argv[])
{
	static const char * const names[] = { "the first vCPU", "the second vCPU" };
	struct vcpu_guard guards[NR_BARE_VCPUS];
	const char *fault = NULL;
	unsigned int i;
	long leaked;

	if (argc > 1)
		nr_rounds = strtoul(argv[1], NULL, 0);
	require_snp();
	setbuf(stdout, NULL);
	signal(SIGBUS, SIG_IGN);
	require_injection();
	leaked = leaked_pages();

	bare_init(&guest);
	TEST_ASSERT(!bare_launch(&guest) && !bare_start_ap(&guest, BARE_VMSA_GPA) &&
		    !bare_run(&guest, 1), "No guest with two vCPUs");
	set_private(guest.vm_fd, BARE_DATA_GPA, BARE_DATA_SIZE, true);
	for (i = 0; i < NR_BARE_VCPUS; i++)
		guard_begin(&guards[i], guest.vcpu_fd[i], &guest.in_run[i], &guest.ctl[i]->count,
			    names[i]);
	for (i = 0; i < nr_rounds && !fault; i++)
		fault = fail_and_split(i + 1, BARE_DATA_GPA + i % 2 * SZ_2M);
	check(!fault, "%u failures, two vCPUs beside each: %s", i, fault ?: "both get their page");
	check(audit_is_clean(), "the audit has no findings");
	for (i = 0; i < NR_BARE_VCPUS; i++)
		guard_end(&guards[i], 4);
	bare_free(&guest);
	check(leaked_pages() == leaked, "no page is leaked");
	return check_finish();
}
