// SPDX-License-Identifier: GPL-2.0-only
/*
 * The GHCB of an SNP guest: one that is not registered, or is nowhere, and page state
 * changes in a loop, that userspace does not make, or of the GHCB itself.
 */
#define _GNU_SOURCE /* for sched_setaffinity() */
#include <linux/kvm_para.h>
#include <sched.h>

#include "private_mem_watch.h"
#include "processor.h"
#include "snp_bare.h"

#define ERR_NOT_REGISTERED	1
#define PSC_PRIVATE		1ul
#define PSC_SHARED		2ul
#define NOWHERE			(1ul << 35)

/* The pages that an order touches: its own, and those of the GHCB. */
#define PAGES_PER_ORDER	8

static struct snp_bare b;

static uint64_t msr(uint64_t value)
{
	int r = bare_order(&b, 0, BARE_MSR, value, 0, 0);

	TEST_ASSERT(!r, "MSR %#lx: %d, errno %d", value, r, errno);
	return b.ctl[0]->result;
}

static void test_ghcbs(void)
{
	uint64_t nowhere[] = { NOWHERE, BARE_CODE_GPA, SZ_1G, (1ul << 52) - SZ_4K };
	unsigned int i;

	bare_event_clear(&b, 0);
	bare_event_set(&b, 0, GHCB_EXIT_CODE, 0x8000fffd);
	bare_event_set(&b, 0, GHCB_EXIT_INFO_1, 0);
	bare_event_set(&b, 0, GHCB_EXIT_INFO_2, 0);
	check(!bare_order(&b, 0, BARE_EVENT_AT, BARE_GHCB(1), 0, 0) &&
	      bare_answer(&b, 0, GHCB_EXIT_INFO_1) == 2 &&
	      bare_answer(&b, 0, GHCB_EXIT_INFO_2) == ERR_NOT_REGISTERED, "no GHCB is registered");
	msr(BARE_GHCB(0) | MSR_REGISTER);
	check(!bare_order(&b, 0, BARE_EVENT_AT, BARE_GHCB(1), 0, 0) &&
	      bare_answer(&b, 0, GHCB_EXIT_INFO_1) == 2 &&
	      bare_answer(&b, 0, GHCB_EXIT_INFO_2) == ERR_NOT_REGISTERED, "another GHCB is");
	check(!bare_order(&b, 0, BARE_EVENT_AT, BARE_GHCB(0), 0, 0) &&
	      bare_answer(&b, 0, GHCB_EXIT_INFO_2) == 3, "this one is");

	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		msr(nowhere[i] | MSR_REGISTER);
		check(msr(nowhere[i]) == nowhere[i], "a GHCB at %#lx: the guest goes on",
		      nowhere[i]);
	}
	msr(BARE_GHCB(0) | MSR_REGISTER);
}

static void psc_list(const uint64_t *entries, unsigned int nr)
{
	uint8_t *event = b.shared + BARE_EVENT(0) - BARE_SHARED_GPA;
	uint16_t *header = (uint16_t *)(event + GHCB_SHARED_BUFFER);

	bare_event_clear(&b, 0);
	header[1] = nr - 1;
	memcpy(header + 4, entries, nr * sizeof(*entries));
	bare_event_set(&b, 0, GHCB_SCRATCH, BARE_GHCB(0) + GHCB_SHARED_BUFFER);
}

static void test_psc_in_circles(void)
{
	uint64_t gpa = BARE_DATA_GPA + SZ_2M + 16 * SZ_4K;
	struct kvm_run *run = b.run[0];
	uint64_t entries[100];
	unsigned int i, nr = 0;
	int r;

	for (i = 0; i < 100; i++)
		entries[i] = gpa | (i & 1 ? PSC_PRIVATE : PSC_SHARED) << 52;
	psc_list(entries, 100);
	r = bare_event(&b, 0, EVENT_PSC, 0, 0);
	for (; r == KVM_EXIT_HYPERCALL && nr < 200; nr++)
		r = bare_convert(&b, 0);
	check(!r && nr == 100 && !bare_answer(&b, 0, GHCB_EXIT_INFO_2),
	      "shared and private fifty times is a hundred exits (%u)", nr);

	/* Userspace reports success and does nothing: that is the guest's problem. */
	psc_list(entries, 3);
	r = bare_event(&b, 0, EVENT_PSC, 0, 0);
	for (nr = 0; r == KVM_EXIT_HYPERCALL && nr < 200; nr++) {
		run->hypercall.ret = 0;
		r = bare_run(&b, 0);
	}
	check(!r && nr == 2, "who doesn't convert isn't asked twice (%u)", nr);

	/* Convert the page that the response is written to. */
	entries[0] = BARE_GHCB(0) | PSC_PRIVATE << 52;
	psc_list(entries, 1);
	r = bare_event(&b, 0, EVENT_PSC, 0, 0);
	check(r == KVM_EXIT_HYPERCALL && run->hypercall.args[0] == BARE_GHCB(0),
	      "the GHCB is to be private");
	r = bare_convert(&b, 0);
	check(r == -1 && errno == EFAULT && bare_is_fault(&b, 0, BARE_GHCB(0)),
	      "the guest can't read the answer (%d)", r);
	set_private(b.vm_fd, BARE_GHCB(0), SZ_4K, false);
	check(!bare_run(&b, 0) && !bare_answer(&b, 0, GHCB_EXIT_INFO_2), "until it's shared again");
}

/* True if KVM takes it. */
static bool write_msr(uint64_t msr, uint64_t value)
{
	bare_event_clear(&b, 0);
	bare_event_set(&b, 0, GHCB_RCX, msr);
	bare_event_set(&b, 0, GHCB_RAX, value);
	bare_event_set(&b, 0, GHCB_RDX, 0);
	return !bare_event(&b, 0, EVENT_MSR, 1, 0) && !bare_answer(&b, 0, GHCB_EXIT_INFO_1);
}

/*
 * It is part of the VMSA, and no guest needs its GHCB for it. Without LBR virtualization,
 * which DEBUGCTL without its LBR bit would disable, the vCPU can't be entered.
 */
static void test_debugctl(void)
{
	static const uint64_t values[] = { DEBUGCTLMSR_BTF, DEBUGCTLMSR_LBR, 0 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++)
		check(write_msr(MSR_IA32_DEBUGCTLMSR, values[i]) &&
		      !bare_order(&b, 0, BARE_READ, BARE_SHARED_GPA, 0, 0),
		      "DEBUGCTL is set to %#lx, and the guest goes on", values[i]);
}

static uint32_t read_tsc_aux(void)
{
	uint32_t low, high, aux;

	asm volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
	return aux;
}

/*
 * The guest writes to TSC_AUX what the host has on a processor, and leaves nothing else
 * there: with V_TSC_AUX, #VMEXIT loads what KVM has saved.
 */
static void test_tsc_aux(void)
{
	uint32_t aux;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return;

	aux = read_tsc_aux();
	check(write_msr(MSR_TSC_AUX, aux), "TSC_AUX is set to the host's, %u", aux);
	check(read_tsc_aux() == aux, "the host has it still (%u)", read_tsc_aux());
}

int main(int argc, char *argv[])
{
	struct vcpu_guard guard;

	require_snp();
	bare_init(&b);
	TEST_ASSERT(!bare_launch(&b), "The guest doesn't start: errno %d", errno);
	set_private(b.vm_fd, BARE_DATA_GPA, BARE_DATA_SIZE, true);
	guard_begin(&guard, b.vcpu_fd[0], &b.in_run[0], &b.ctl[0]->count, "the vCPU");

	test_ghcbs();
	test_psc_in_circles();
	test_debugctl();
	test_tsc_aux();

	guard_end(&guard, PAGES_PER_ORDER);
	bare_free(&b);
	return check_finish();
}
