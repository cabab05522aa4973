// SPDX-License-Identifier: GPL-2.0
/*
 * What KVM says that there is of SEV-SNP, in all the places where it says so: they agree, and are what
 * the argument says, "snp" or "none".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "check.h"

/* Newer than the headers of some distributions. */
#define CAP_VM_TYPES	235
#define SNP_VM		4
#define GROUP_SEV	1
#define SNP_POLICY_BITS	1
#define SNP_REQ_CERTS	2

static uint64_t attribute(int kvm, uint64_t nr)
{
	uint64_t value = 0;
	struct kvm_device_attr attr = { .group = GROUP_SEV, .attr = nr, .addr = (uintptr_t)&value };

	return ioctl(kvm, KVM_GET_DEVICE_ATTR, &attr) ? 0 : value;
}

static int cpuid_has_snp(int kvm)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));
	unsigned int i;
	int has = 0;

	c->nent = 256;
	check(!ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c), "KVM_GET_SUPPORTED_CPUID");
	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == 0x8000001f)
			has = c->entries[i].eax >> 4 & 1;
	free(c);
	return has;
}

int main(int argc, char **argv)
{
	int snp = argc > 1 && !strcmp(argv[1], "snp");
	int kvm = open("/dev/kvm", O_RDWR), vm;

	check((ioctl(kvm, KVM_CHECK_EXTENSION, CAP_VM_TYPES) >> SNP_VM & 1) == snp, "VM types");
	check(!!attribute(kvm, SNP_POLICY_BITS) == snp, "bits of a policy");
	check(!!attribute(kvm, SNP_REQ_CERTS) == snp, "requests of certificates");
	check(cpuid_has_snp(kvm) == snp, "CPUID");
	vm = ioctl(kvm, KVM_CREATE_VM, SNP_VM);
	check((vm >= 0) == snp, "KVM_CREATE_VM");
	check(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM) == 1, "read-only memory, in general");
	if (vm >= 0)
		check(!ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM), "not of such a VM");
	printf("1..%d\n", number);
	return failed;
}
