// SPDX-License-Identifier: GPL-2.0-only
/*
 * An SNP guest whose host has lost its firmware: a request for it fails, and the guest does
 * not get a response of before.  A command, which is an argument, has the firmware lost.
 */
#include "processor.h"
#include "snp.h"

#define EVENT_GUEST_REQUEST	0x80000011
#define ERR_GENERIC		(1ul << 63)
#define REQUEST			(SNP_BUFFER_GPA + 4 * SZ_4K)
#define RESPONSE		(REQUEST + SZ_4K)
#define PATTERN			0xa5

static struct snp_vm snp;

static uint64_t request(void)
{
	int r;

	ghcb_clear(&snp);
	memset(snp.buffer + RESPONSE - SNP_BUFFER_GPA, PATTERN, SZ_4K);
	r = snp_event(&snp, EVENT_GUEST_REQUEST, REQUEST, RESPONSE);
	TEST_ASSERT(!r, "The guest waits in exit %d, errno %d", r, errno);
	return ghcb_get(&snp, GHCB_EXIT_INFO_2);
}

static bool has_response(void)
{
	unsigned int i;

	for (i = 0; i < SZ_4K; i++)
		if (snp.buffer[RESPONSE - SNP_BUFFER_GPA + i] != PATTERN)
			return true;
	return false;
}

int main(int argc, char *argv[])
{
	uint64_t r;

	if (argc != 2)
		ksft_exit_fail_msg("usage: %s command\n", argv[0]);
	require_snp();
	setbuf(stdout, NULL);
	snp_vm_create(&snp);
	snp_vm_launch(&snp);

	r = request();
	check(r && r >> 32 == 0 && has_response(), "the firmware responds (%#lx)", r);
	TEST_ASSERT(!system(argv[1]), "'%s' fails", argv[1]);
	r = request();
	check(r == ERR_GENERIC, "without a firmware the request fails (%#lx)", r);
	check(!has_response(), "and has no response");

	snp_vm_free(&snp);
	return check_finish();
}
