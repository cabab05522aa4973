// SPDX-License-Identifier: GPL-2.0
/* Print what /dev/sev says of the platform, as the legacy and the SNP status commands have it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/psp-sev.h>

/* Newer than the headers of some distributions. */
#define SNP_PLATFORM_STATUS_CMD 9

struct snp_status {
	uint8_t api_major;
	uint8_t api_minor;
	uint8_t state;
	uint8_t is_rmp_initialized;
	uint32_t build_id;
	uint32_t features;
	uint32_t guest_count;
	uint64_t current_tcb;
	uint64_t reported_tcb;
};

_Static_assert(sizeof(struct snp_status) == 32, "the firmware's structure");

static int command(int fd, uint32_t cmd, void *data)
{
	struct sev_issue_cmd issue = { .cmd = cmd, .data = (uintptr_t)data };

	if (!ioctl(fd, SEV_ISSUE_CMD, &issue))
		return 0;
	fprintf(stderr, "sevinfo: command %u: %s, firmware error %#x\n", cmd, strerror(errno), issue.error);
	return -1;
}

int main(void)
{
	struct sev_user_data_status legacy = {};
	struct snp_status snp = {};
	int fd = open("/dev/sev", O_RDWR);

	if (fd < 0) {
		perror("sevinfo: /dev/sev");
		return 1;
	}
	if (command(fd, SEV_PLATFORM_STATUS, &legacy) || command(fd, SNP_PLATFORM_STATUS_CMD, &snp))
		return 1;
	printf("SEV firmware %u.%u build %u state %u guests %u\n", legacy.api_major, legacy.api_minor, legacy.build,
	       legacy.state, legacy.guest_count);
	printf("SNP firmware %u.%u build %u state %u rmp %u guests %u tcb %#llx reported %#llx\n", snp.api_major, snp.api_minor,
	       snp.build_id, snp.state, snp.is_rmp_initialized & 1, snp.guest_count,
	       (unsigned long long)snp.current_tcb, (unsigned long long)snp.reported_tcb);
	return !snp.state || !(snp.is_rmp_initialized & 1);
}
