// SPDX-License-Identifier: GPL-2.0
/*
 * In a TD: report data from standard input, its TDREPORT to standard output.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What Linux' tdx_guest takes and gives: report data, and the report */
struct tdreport {
	uint8_t data[64];
	uint8_t report[1024];
};
#define TDX_GET_REPORT	_IOWR('T', 1, struct tdreport)

int main(void)
{
	struct tdreport call = { 0 };
	int fd = open("/dev/tdx_guest", O_RDWR);

	if (fd < 0 || read(0, call.data, sizeof(call.data)) != sizeof(call.data) || ioctl(fd, TDX_GET_REPORT, &call)) {
		perror("tdreport");
		return 1;
	}
	return write(1, call.report, sizeof(call.report)) != sizeof(call.report);
}
