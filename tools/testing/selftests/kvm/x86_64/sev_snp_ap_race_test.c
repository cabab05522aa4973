// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest destroys a vCPU that runs, and takes its VMSA away at once: when AP_DESTROY
 * returns, the vCPU executes nothing more, and is not entered with what was its VMSA.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "private_mem_watch.h"
#include "processor.h"
#include "snp_bare.h"

#define VMSA_GPA		(BARE_DATA_GPA + 3 * SZ_4K)
/* A launched page that both vCPUs use. */
#define DATA			0x5000ul

static struct snp_bare b;
static bool stop;
static int ended;

static void nothing(int sig)
{
}

/* Whenever the vCPU has a VMSA, it reports completion once, and then counts. */
static void *run_second(void *unused)
{
	int r = 0;

	while (!r && !READ_ONCE(stop))
		r = bare_run(&b, 1);
	WRITE_ONCE(ended, r);
	return NULL;
}

static bool counts(void)
{
	uint64_t old = READ_ONCE(b.ctl[1]->count);
	unsigned int i;

	for (i = 0; i < 200000 && !READ_ONCE(ended); i++) {
		if (READ_ONCE(b.ctl[1]->count) != old)
			return true;
		usleep(50);
	}
	return false;
}

static bool create(void)
{
	return !bare_order(&b, 0, BARE_COPY, VMSA_GPA, BARE_BUFFER(0), SZ_4K / 8) &&
	       !bare_start_ap(&b, VMSA_GPA);
}

/* Copy the event to the GHCB first: the destruction and what follows are one order. */
static bool destroy(uint64_t *result)
{
	uint64_t counter = BARE_CTL(1) + offsetof(struct bare_ctl, count);

	bare_event_clear(&b, 0);
	bare_event_set(&b, 0, GHCB_EXIT_CODE, EVENT_AP_CREATION);
	bare_event_set(&b, 0, GHCB_EXIT_INFO_1, 1ul << 32 | AP_DESTROY);
	bare_event_set(&b, 0, GHCB_EXIT_INFO_2, 0);
	if (bare_order(&b, 0, BARE_COPY, BARE_GHCB(0), BARE_EVENT(0), SZ_4K / 8) ||
	    bare_order(&b, 0, BARE_DESTROY, BARE_GHCB(0), VMSA_GPA, counter))
		return false;
	*result = b.ctl[0]->result;
	return true;
}

/* Returns what is wrong, or NULL. */
static const char *create_and_destroy(void)
{
	uint64_t result;

	if (!create())
		return "the vCPU gets no VMSA";
	if (!counts())
		return "the vCPU doesn't run";
	if (!destroy(&result))
		return "the guest ends";
	if (result & 0x100)
		return "the vCPU runs after AP_DESTROY";
	if (result)
		return "the VMSA is in use after AP_DESTROY";
	return NULL;
}

int main(int argc, char *argv[])
{
	unsigned int i, rounds = argc > 1 ? atoi(argv[1]) : 300;
	const char *failure = NULL;
	pthread_t thread;
	int r;

	if (!rounds)
		ksft_exit_fail_msg("usage: %s [rounds]\n", argv[0]);

	require_snp();
	setbuf(stdout, NULL);
	signal(SIGUSR1, nothing);
	bare_init(&b);
	TEST_ASSERT(!bare_launch(&b), "The guest doesn't start: errno %d", errno);
	set_private(b.vm_fd, BARE_DATA_GPA, BARE_DATA_SIZE, true);
	r = bare_order(&b, 0, BARE_PVALIDATE, VMSA_GPA, 0, 1);
	TEST_ASSERT(!r && !b.ctl[0]->result, "No page for the VMSA");
	bare_fill_vmsa(&b, b.shared + BARE_BUFFER(0) - BARE_SHARED_GPA, 1);

	b.ctl[1]->op = BARE_SPIN;
	b.ctl[1]->args[0] = DATA;
	b.ctl[1]->args[1] = DATA + SZ_4K;
	b.ctl[1]->args[2] = 0;
	pthread_create(&thread, NULL, run_second, NULL);
	for (i = 0; i < rounds && !failure; i++)
		failure = create_and_destroy();
	check(!failure, "created and destroyed %u times: %s", i, failure ?: "it stops each time");
	check(!READ_ONCE(ended), "the vCPU waits for the next VMSA (%d)", READ_ONCE(ended));

	WRITE_ONCE(stop, true);
	b.run[1]->immediate_exit = 1;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	bare_free(&b);
	return check_finish();
}
