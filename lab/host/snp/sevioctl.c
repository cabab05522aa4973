// SPDX-License-Identifier: GPL-2.0
/*
 * The SNP commands of /dev/sev, good and bad ones, and those of SEV beside them.
 * With the argument "stock", without what newer kernels do in another way; 7.3
 * corrupts memory if the buffer of GET_ID2 is much larger than the answer.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/psp-sev.h>

#include "check.h"

/* Newer than the headers of some distributions. */
enum { STATUS = 9, COMMIT = 10, SET_CONFIG = 11, VLEK_LOAD = 12, BEYOND = 13 };

struct status {
	uint8_t api_major, api_minor, state, is_rmp_initialized;
	uint32_t build_id, flags, guest_count;
	uint64_t current_tcb, reported_tcb;
};

struct config {
	uint64_t reported_tcb;
	uint32_t flags;
	uint8_t rsvd[52];
};

struct vlek_load {
	uint32_t len;
	uint8_t version, rsvd[3];
	uint64_t address;
};

#define MASK_CHIP_KEY	2u
#define INVALID_PARAM	0x16
#define BAD_MEASUREMENT	0xb

static int fd, ro, stock;

/* Returns 0 or the errno, and the firmware's status in error. */
static int command(int f, uint32_t cmd, const void *data)
{
	struct sev_issue_cmd issue = { .cmd = cmd, .data = (uintptr_t)data, .error = 0xdead };

	errno = 0;
	if (!ioctl(f, SEV_ISSUE_CMD, &issue))
		errno = 0;
	error = issue.error;
	return errno;
}

static struct status status(void)
{
	struct status s = {};

	command(ro, STATUS, &s);
	return s;
}

static void test_status(const void *nowhere)
{
	struct status s = { .build_id = 0xffffffff };

	check(!command(ro, STATUS, &s) && s.state == 1 && (s.is_rmp_initialized & 1) && s.api_major,
	      "SNP_PLATFORM_STATUS, read only");
	check(command(ro, STATUS, NULL) == EINVAL, "SNP_PLATFORM_STATUS without a buffer");
	check(command(ro, STATUS, nowhere) == EFAULT, "SNP_PLATFORM_STATUS to nowhere");
}

static void test_config(const void *nowhere)
{
	struct config c = { .flags = MASK_CHIP_KEY };
	uint64_t committed = status().current_tcb;

	check(command(ro, SET_CONFIG, &c) == EPERM, "SNP_SET_CONFIG, read only");
	check(command(fd, SET_CONFIG, NULL) == EINVAL, "SNP_SET_CONFIG without a buffer");
	check(command(fd, SET_CONFIG, nowhere) == EFAULT, "SNP_SET_CONFIG from nowhere");
	check(!command(fd, SET_CONFIG, &c) && (status().flags & MASK_CHIP_KEY), "SNP_SET_CONFIG masks the key");
	c.flags = ~0u;
	check(command(fd, SET_CONFIG, &c) == EIO && error == INVALID_PARAM, "SNP_SET_CONFIG with reserved bits");
	c.flags = 0;
	c.reported_tcb = ~0ull;
	check(command(fd, SET_CONFIG, &c) == EIO && error == INVALID_PARAM, "SNP_SET_CONFIG of a TCB beyond");
	c.reported_tcb = 0;
	check(!command(fd, SET_CONFIG, &c) && !(status().flags & MASK_CHIP_KEY) &&
	      status().reported_tcb == committed, "SNP_SET_CONFIG back to the default");
}

static void test_vlek(const void *nowhere)
{
	uint8_t stick[432] = {};
	struct vlek_load v = { .len = sizeof(v), .address = (uintptr_t)stick };

	check(command(ro, VLEK_LOAD, &v) == EPERM, "SNP_VLEK_LOAD, read only");
	check(command(fd, VLEK_LOAD, NULL) == EINVAL, "SNP_VLEK_LOAD without a buffer");
	check(command(fd, VLEK_LOAD, nowhere) == EFAULT, "SNP_VLEK_LOAD from nowhere");
	v.len--;
	check(command(fd, VLEK_LOAD, &v) == EINVAL, "SNP_VLEK_LOAD of a wrong length");
	v.len++;
	v.version = 1;
	check(command(fd, VLEK_LOAD, &v) == EINVAL, "SNP_VLEK_LOAD of an unknown version");
	v.version = 0;
	check(command(fd, VLEK_LOAD, &v) == EIO && error == BAD_MEASUREMENT, "SNP_VLEK_LOAD of zeros");
	v.address = (uintptr_t)nowhere;
	check(command(fd, VLEK_LOAD, &v) == EFAULT, "SNP_VLEK_LOAD of a hashstick nowhere");
	v.address = 0;
	check(command(fd, VLEK_LOAD, &v) == EINVAL, "SNP_VLEK_LOAD without a hashstick");
}

/* The commands of SEV, whose buffers are the firmware's for as long as they run */
static void test_legacy(void)
{
	struct sev_user_data_status s = {};
	struct sev_user_data_get_id2 id = {};
	struct sev_user_data_pek_csr csr = {};
	struct sev_user_data_pdh_cert_export pdh = {};
	static uint8_t buf[0x4000], chain[0x4000], zero[64];

	check(!command(ro, SEV_PLATFORM_STATUS, &s) && s.state == 1, "PLATFORM_STATUS");
	check(command(ro, SEV_GET_ID2, &id) == EIO && id.length == 64, "GET_ID2 asks for the length");
	id.address = (uintptr_t)buf;
	check(!command(ro, SEV_GET_ID2, &id) && memcmp(buf, zero, 64), "GET_ID2");
	if (!stock) {
		id.length = 1u << 20;
		memset(buf, 0, 64);
		check(!command(ro, SEV_GET_ID2, &id) && id.length == 64 && memcmp(buf, zero, 64),
		      "GET_ID2 with a large buffer");
	}
	id.length = 8;
	memset(buf, 0x77, 64);
	check(command(ro, SEV_GET_ID2, &id) == EIO && buf[0] == 0x77, "GET_ID2 with a short one leaves it alone");
	check(command(fd, SEV_PEK_CSR, &csr) == EIO && csr.length, "PEK_CSR asks for the length");
	csr.address = (uintptr_t)buf;
	check(!command(fd, SEV_PEK_CSR, &csr) && buf[0] != 0x77, "PEK_CSR");
	check(command(fd, SEV_PDH_CERT_EXPORT, &pdh) == EIO && pdh.pdh_cert_len && pdh.cert_chain_len,
	      "PDH_CERT_EXPORT asks for the lengths");
	pdh.pdh_cert_address = (uintptr_t)buf;
	pdh.cert_chain_address = (uintptr_t)chain;
	memset(buf, 0, sizeof(buf));
	check(!command(fd, SEV_PDH_CERT_EXPORT, &pdh) && memcmp(buf, zero, 64) && memcmp(chain, zero, 64),
	      "PDH_CERT_EXPORT");
	check(!command(fd, SEV_PDH_GEN, NULL), "PDH_GEN");
	check(!command(fd, SEV_FACTORY_RESET, NULL), "FACTORY_RESET");
	check(!command(ro, SEV_PLATFORM_STATUS, &s) && s.state == 0, "leaves SEV off");
	check(status().state == 1, "and SNP on");
	check(!command(fd, SEV_PDH_GEN, NULL), "PDH_GEN starts SEV again");
	check(!command(ro, SEV_PLATFORM_STATUS, &s) && (stock || s.state == 1), "which is on");
}

int main(int argc, char **argv)
{
	void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	stock = argc > 1 && !strcmp(argv[1], "stock");
	fd = open("/dev/sev", O_RDWR);
	ro = open("/dev/sev", O_RDONLY);
	if (fd < 0 || ro < 0) {
		perror("sevioctl: /dev/sev");
		return 2;
	}
	test_status(nowhere);
	check(!command(fd, COMMIT, NULL), "SNP_COMMIT");
	test_config(nowhere);
	test_vlek(nowhere);
	check(command(fd, BEYOND, NULL) == EINVAL, "a command that does not exist");
	check(command(fd, ~0u, NULL) == EINVAL, "nor does this");
	test_legacy();
	printf("1..%d\n", number);
	return failed;
}
