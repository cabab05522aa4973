// SPDX-License-Identifier: GPL-2.0-only
/*
 * SNP guests and the misc controller: a guest is charged as SEV-ES, to the cgroup of the
 * process that creates its VM, and after a move to that of the process that moves it.
 */
#include <errno.h>
#include <sys/stat.h>

#include "private_mem.h"
#include "processor.h"
#include "snp_bare.h"

#define CGROUP		"/sys/fs/cgroup/"
#define CGROUP_A	CGROUP "sev_snp_cgroup_test_a/"
#define CGROUP_B	CGROUP "sev_snp_cgroup_test_b/"

static void join(const char *procs)
{
	TEST_ASSERT(write_string(procs, "%d", getpid()), "%s can't be joined", procs);
}

static void charges_are(long a, long b, const char *when)
{
	long a_sev = read_keyed(CGROUP_A "misc.current", "sev");
	long b_sev = read_keyed(CGROUP_B "misc.current", "sev");
	long a_es = read_keyed(CGROUP_A "misc.current", "sev_es");
	long b_es = read_keyed(CGROUP_B "misc.current", "sev_es");

	check(!a_sev && !b_sev && a_es == a && b_es == b,
	      "%s: sev_es %ld (%ld) and %ld (%ld), sev %ld and %ld", when, a_es, a, b_es, b,
	      a_sev, b_sev);
}

static void test_move(void)
{
	struct snp_bare a, b;

	join(CGROUP_A "cgroup.procs");
	bare_init(&a);
	TEST_ASSERT(!bare_launch(&a), "No guest, errno %d", errno);
	charges_are(1, 0, "a guest");

	join(CGROUP_B "cgroup.procs");
	bare_create_like(&b, &a);
	check_errno(bare_move(&b, &a), EINVAL, "moved to a VM without vCPUs");
	charges_are(1, 0, "a move that fails");
	bare_add_running_vcpus(&b);
	check(!bare_move(&b, &a), "the guest is moved");
	charges_are(0, 1, "after the move");
	bare_free(&a);
	charges_are(0, 1, "the old VM is gone");
	bare_free(&b);
	charges_are(0, 0, "both are");
}

int main(int argc, char *argv[])
{
	require_snp();
	setbuf(stdout, NULL);
	__TEST_REQUIRE(read_parameter("/sys/module/kvm_amd/parameters/sev_snp_move"),
		       "sev_snp_move is off");
	__TEST_REQUIRE(write_string(CGROUP "cgroup.subtree_control", "+misc"),
		       "no misc controller in " CGROUP);

	TEST_ASSERT(!mkdir(CGROUP_A, 0755) && !mkdir(CGROUP_B, 0755), "No cgroups, errno %d",
		    errno);
	test_move();
	join(CGROUP "cgroup.procs");
	check(!rmdir(CGROUP_A) && !rmdir(CGROUP_B), "the cgroups can be removed");
	return check_finish();
}
