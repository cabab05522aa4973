// SPDX-License-Identifier: GPL-2.0
/*
 * In a guest whose kernel has no configfs-tsm: report data from standard input, the report to standard output.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/sev-guest.h>

/* What the firmware answers to MSG_REPORT_REQ */
struct answer {
	uint32_t status;
	uint32_t size;
	uint8_t reserved[24];
	uint8_t report[];
};

int main(void)
{
	struct snp_report_req request = { 0 };
	struct snp_report_resp response = { 0 };
	struct snp_guest_request_ioctl call = {
		.msg_version = 1, .req_data = (uintptr_t)&request, .resp_data = (uintptr_t)&response,
	};
	const struct answer *answer = (const void *)response.data;
	int fd = open("/dev/sev-guest", O_RDWR);

	if (fd < 0 || read(0, request.user_data, sizeof(request.user_data)) != sizeof(request.user_data) ||
	    ioctl(fd, SNP_GET_REPORT, &call)) {
		perror("getreport");
		return 1;
	}
	if (answer->status || answer->size > sizeof(response.data) - sizeof(*answer)) {
		fprintf(stderr, "getreport: status %u, size %u\n", answer->status, answer->size);
		return 1;
	}
	return write(1, answer->report, answer->size) != (ssize_t)answer->size;
}
