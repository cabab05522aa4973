// SPDX-License-Identifier: GPL-2.0
/*
 * Key ids of TDs: each TD has one from KVM_TDX_INIT_VM until its VM is closed.
 *
 *   tdkeys COUNT [COMMAND]   COUNT TDs can be initialized at the same time, and no
 *                            more. COMMAND runs while no key id is free.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

/* Newer than the headers of some distributions. */
enum { VM_TYPE_TDX = 5, TDX_CAPABILITIES = 0, TDX_INIT_VM = 1 };

#define MAX_TDS		64
#define MAX_CPUID	256
#define XFAM_X87_SSE	3

struct tdx_cmd {
	uint32_t id, flags;
	uint64_t data, hw_error;
};

struct cpuid {
	uint32_t nent, padding;
	struct kvm_cpuid_entry2 entries[MAX_CPUID];
};

struct capabilities {
	uint64_t attributes, xfam, tdvmcallinfo[4], reserved[250];
	struct cpuid cpuid;
};

struct init_vm {
	uint64_t attributes, xfam, mrconfigid[6], mrowner[6], mrownerconfig[6], reserved[12];
	struct cpuid cpuid;
};

_Static_assert(offsetof(struct init_vm, cpuid) == 256, "struct kvm_tdx_init_vm");
_Static_assert(offsetof(struct capabilities, cpuid) == 2048, "struct kvm_tdx_capabilities");

static struct init_vm init;
static int kvm, failed, number;
static uint64_t hw_error;	/* of the last command */

static void check(int ok, const char *what)
{
	int error = errno;

	printf("%sok %d %s", ok ? "" : "not ", ++number, what);
	if (!ok)
		printf(" (errno %d, TDX module %#llx)", error, (unsigned long long)hw_error);
	printf("\n");
	failed |= !ok;
}

static int command(int vm, uint32_t id, void *data)
{
	struct tdx_cmd cmd = { .id = id, .data = (uintptr_t)data };
	int rc = ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &cmd);

	hw_error = cmd.hw_error;
	return rc;
}

static int create_vm(void)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, VM_TYPE_TDX);

	if (vm < 0) {
		perror("tdkeys: KVM_CREATE_VM");
		exit(2);
	}
	return vm;
}

/* A TD with the smallest set of states; of CPUID only the width of guest-physical addresses is given, 48 bits. */
static void prepare(void)
{
	static struct capabilities caps = { .cpuid.nent = MAX_CPUID };
	int vm = create_vm();

	if (command(vm, TDX_CAPABILITIES, &caps)) {
		perror("tdkeys: KVM_TDX_CAPABILITIES");
		exit(2);
	}
	close(vm);
	init.xfam = caps.xfam & XFAM_X87_SSE;
	init.cpuid.nent = 1;
	init.cpuid.entries[0].function = 0x80000008;
	init.cpuid.entries[0].eax = 48 << 16;
}

/* Returns the VM of a TD that has a key id, or -1 and the errno of KVM_TDX_INIT_VM. */
static int td(void)
{
	int error, vm = create_vm();

	if (!command(vm, TDX_INIT_VM, &init))
		return vm;
	error = errno;
	close(vm);
	errno = error;
	return -1;
}

/* Fills @tds until KVM refuses one. Returns how many there are, and leaves the errno. */
static int fill(int *tds)
{
	int count = 0;

	while (count < MAX_TDS) {
		tds[count] = td();
		if (tds[count] < 0)
			break;
		count++;
	}
	return count;
}

static void empty(int *tds, int count)
{
	while (count)
		close(tds[--count]);
}

/* All key ids are in use, one of them by @vm. */
static void use_again(int *vm)
{
	close(*vm);
	*vm = td();
	check(*vm >= 0, "the key id of a TD that was closed is used again");
	check(td() < 0 && errno == ENOSPC, "and is the only one");
}

int main(int argc, char **argv)
{
	int count, want = argc > 1 ? atoi(argv[1]) : 0, tds[MAX_TDS];

	setbuf(stdout, NULL);
	kvm = open("/dev/kvm", O_RDWR);
	if (kvm < 0 || want < 1 || want >= MAX_TDS || argc > 3) {
		fprintf(stderr, "usage: tdkeys COUNT [COMMAND], with /dev/kvm\n");
		return 2;
	}
	prepare();
	count = fill(tds);
	printf("# %d TDs, then: %s\n", count, strerror(errno));
	check(errno == ENOSPC, "no key id is free: ENOSPC");
	check(count == want, "as many TDs as key ids");
	if (failed)
		return 1;
	if (argc > 2)
		check(!system(argv[2]), argv[2]);
	use_again(&tds[count / 2]);
	if (count > 1)
		use_again(&tds[0]);
	empty(tds, count);
	count = fill(tds);
	check(count == want && errno == ENOSPC, "all key ids come back");
	empty(tds, count);
	printf("1..%d\n", number);
	return failed;
}
