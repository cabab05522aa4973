// SPDX-License-Identifier: GPL-2.0-only
/*
 * An SNP guest moves from VM to VM while its mirror uses what is the owner's. The mirror
 * gets the answer of a guest that is in one VM, never that of half a move.
 */
#include <pthread.h>
#include <stdlib.h>

#include "private_mem_watch.h"
#include "processor.h"
#include "snp_bare.h"

static struct snp_bare first, mirror;
static bool stop;

/* What a thread repeats until the end, how often, and the first wrong answer. */
struct user {
	const char *what;
	int (*use)(void);	/* 0, or what is wrong */
	pthread_t thread;
	unsigned long rounds;
	int wrong;
};

/* The guest is launched: vCPUs come too late, and the firmware isn't asked. */
static int launch_vcpus(void)
{
	uint32_t fw_error = 0;

	if (bare_command(&mirror, KVM_SEV_LAUNCH_UPDATE_VMSA, NULL, &fw_error) != -1)
		return -1;
	return fw_error ?: errno == EINVAL ? 0 : errno;
}

static int link_file(void)
{
	int fd = bare_link_file(mirror.vm_fd, first.data_fd, BARE_DATA_SIZE, 0);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int read_findings(void)
{
	return audit_is_clean() ? 0 : -1;
}

static struct user users[] = {
	{ "vCPUs are refused, as the guest is launched", launch_vcpus },
	{ "files are linked", link_file },
	{ "the audit has no findings", read_findings },
};

static void *use(void *arg)
{
	struct user *user = arg;

	while (!READ_ONCE(stop) && !user->wrong) {
		user->wrong = user->use();
		user->rounds++;
	}
	return NULL;
}

static void launch(void)
{
	bare_init(&first);
	TEST_ASSERT(!bare_create_vm(&first) && !bare_init2(&first) && !bare_add_memory(&first) &&
		    !bare_add_vcpus(&first) && !bare_launch_start(&first), "No guest");
	bare_create_like(&mirror, &first);
	TEST_ASSERT(!bare_mirror(&mirror, &first) && !bare_launch_pages(&first) &&
		    !bare_launch_finish(&first) && !bare_run(&first, 0), "No mirror");
	TEST_ASSERT(!bare_add_vcpus(&mirror), "No vCPUs of the mirror");
}

/* Returns false if a move fails. The first VM stays open, as its files are linked. */
static bool move_on(struct snp_bare *at)
{
	struct snp_bare to;

	bare_create_like(&to, at);
	bare_add_running_vcpus(&to);
	if (bare_move(&to, at))
		return false;
	if (at->vm_fd != first.vm_fd)
		bare_free(at);
	*at = to;
	return true;
}

int main(int argc, char *argv[])
{
	unsigned int i, n, rounds = argc > 1 ? atoi(argv[1]) : 100;
	struct snp_bare at;

	if (!rounds)
		ksft_exit_fail_msg("usage: %s [rounds]\n", argv[0]);

	require_snp();
	setbuf(stdout, NULL);
	launch();
	for (i = 0; i < ARRAY_SIZE(users); i++)
		pthread_create(&users[i].thread, NULL, use, &users[i]);

	at = first;
	for (n = 0; n < rounds && move_on(&at); n++)
		;
	check(n == rounds, "a guest moves %u times (errno %d)", n, n == rounds ? 0 : errno);

	WRITE_ONCE(stop, true);
	for (i = 0; i < ARRAY_SIZE(users); i++) {
		pthread_join(users[i].thread, NULL);
		check(users[i].rounds && !users[i].wrong, "meanwhile, %s: %lu times (%d)",
		      users[i].what, users[i].rounds, users[i].wrong);
	}

	check(bare_take_memory(&at, &first) &&
	      !bare_order(&at, 0, BARE_READ, BARE_LAUNCH_GPA, 0, 0),
	      "the guest runs where it is");
	bare_free(&at);
	bare_free(&mirror);
	bare_free(&first);
	n = bare_max_guests();
	check(bare_count_asids(n) == n, "no ASID is lost");
	return check_finish();
}
