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

static struct snp_bare mirror;
static bool stop;

/* A file of the VM that has the guest; it's closed only with the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int data_fd;

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
	int fd, r;

	pthread_mutex_lock(&lock);
	fd = bare_link_file(mirror.vm_fd, data_fd, BARE_DATA_SIZE, 0);
	r = fd < 0 ? errno : 0;
	pthread_mutex_unlock(&lock);
	if (fd >= 0)
		close(fd);
	return r;
}

static int read_findings(void)
{
	struct audit audit;

	return read_audit(&audit) && !audit.findings ? 0 : -1;
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
		WRITE_ONCE(user->rounds, user->rounds + 1);
	}
	return NULL;
}

static void launch(struct snp_bare *guest)
{
	bare_init(guest);
	TEST_ASSERT(!bare_create_vm(guest) && !bare_init2(guest) && !bare_add_memory(guest) &&
		    !bare_add_vcpus(guest) && !bare_launch_start(guest), "No guest");
	bare_create_like(&mirror, guest);
	TEST_ASSERT(!bare_mirror(&mirror, guest) && !bare_launch_pages(guest) &&
		    !bare_launch_finish(guest) && !bare_run(guest, 0), "No mirror");
	TEST_ASSERT(!bare_add_vcpus(&mirror), "No vCPUs of the mirror");
	data_fd = guest->data_fd;
}

/*
 * Returns what is wrong, or NULL. The guest has run where it is, so that its memory is
 * mapped there while it moves on.
 */
static const char *move_on(struct snp_bare *at)
{
	struct snp_bare to, from = *at;

	bare_create_like(&to, at);
	bare_add_running_vcpus(&to);
	if (bare_move(&to, at)) {
		bare_free(&to);
		return "it is not moved";
	}
	*at = to;
	if (!bare_take_memory(at, &from))
		return "its memory is not linked";

	pthread_mutex_lock(&lock);
	data_fd = at->data_fd;
	bare_free(&from);
	pthread_mutex_unlock(&lock);
	return bare_order(at, 0, BARE_READ, BARE_CODE_GPA, 0, 0) ? "it doesn't run" : NULL;
}

int main(int argc, char *argv[])
{
	unsigned int i, n, rounds = argc > 1 ? atoi(argv[1]) : 100;
	const char *failure = NULL;
	struct snp_bare at;
	struct audit audit;

	if (!rounds)
		ksft_exit_fail_msg("usage: %s [rounds]\n", argv[0]);

	require_snp();
	setbuf(stdout, NULL);
	__TEST_REQUIRE(read_audit(&audit), "no audit: KVM_PRIVATE_MEM_AUDIT is off");
	launch(&at);
	for (i = 0; i < ARRAY_SIZE(users); i++) {
		pthread_create(&users[i].thread, NULL, use, &users[i]);
		while (!READ_ONCE(users[i].rounds))
			usleep(1000);
	}

	for (n = 0; n < rounds && !failure; n++)
		failure = move_on(&at);
	check(!failure, "a guest moves %u times: %s", n, failure ?: "and runs each time");

	WRITE_ONCE(stop, true);
	for (i = 0; i < ARRAY_SIZE(users); i++) {
		pthread_join(users[i].thread, NULL);
		check(!users[i].wrong, "meanwhile, %s: %lu times (%d)", users[i].what,
		      users[i].rounds, users[i].wrong);
	}

	bare_free(&at);
	bare_free(&mirror);
	n = bare_max_guests();
	check(bare_count_asids(n) == n, "no ASID is lost");
	return check_finish();
}
