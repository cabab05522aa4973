/* SPDX-License-Identifier: GPL-2.0 */
/* KVM and the firmware, for tests with SEV guests; failures and delays of the firmware, by qmp. */
#ifndef SNP_SEV_H
#define SNP_SEV_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "check.h"

struct test {
	const char *name;
	void (*run)(void);
};

static int kvm, vm, sev;

static void open_devices(const char *program)
{
	kvm = open("/dev/kvm", O_RDWR);
	sev = open("/dev/sev", O_RDWR);
	if (kvm < 0 || sev < 0) {
		perror(program);
		exit(2);
	}
}

static int command(uint32_t id, void *data)
{
	struct kvm_sev_cmd cmd = { .id = id, .data = (uintptr_t)data, .sev_fd = sev };
	int rc = ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &cmd);

	error = cmd.error;
	return rc;
}

static inline void qmp(const char *what)
{
	char line[200];

	snprintf(line, sizeof(line), "qmp %s", what);
	check(!system(line), line);
}

/* Runs the test that is named by the only argument; @tests end without a name. */
static inline int run_test(const struct test *tests, int argc, char **argv)
{
	setbuf(stdout, NULL);
	open_devices(argv[0]);
	for (; tests->name; tests++) {
		if (argc == 2 && !strcmp(argv[1], tests->name))
			break;
	}
	if (!tests->name) {
		fprintf(stderr, "usage: %s TEST; the tests are at the head of its source\n", argv[0]);
		return 2;
	}
	tests->run();
	printf("1..%d\n", number);
	return failed;
}

#endif
