// SPDX-License-Identifier: GPL-2.0-only
/*
 * A failed VMRUN has no effect: the TLB flush that was requested for it is still
 * requested when the vCPU is run again. The dump of the VMCB shows its fields.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "private_mem.h"
#include "processor.h"

#define DUMP		"/sys/module/kvm_amd/parameters/dump_invalid_vmcb"
/* The CPU accepts all exception vectors below 31 except NMI. */
#define BAD_VECTOR	31

static void guest(void)
{
	GUEST_SYNC(1);
	GUEST_DONE();
}

static bool has_flush_by_asid(void)
{
	uint32_t eax, ebx, ecx, edx;

	cpuid(0x8000000a, &eax, &ebx, &ecx, &edx);
	return edx & 1u << 6;
}

static void write_dump(char value)
{
	int fd = open_path_or_exit(DUMP, O_WRONLY);

	TEST_ASSERT(write(fd, &value, 1) == 1, "No dumps of VMCBs");
	close(fd);
}

/* The last value of a field in the dumps that the kernel has logged since then. */
static int read_field(int log, const char *name)
{
	char record[8192], *at;
	ssize_t size;
	int value = -1;

	while ((size = read(log, record, sizeof(record) - 1)) > 0 ||
	       (size < 0 && errno == EPIPE)) {
		record[size > 0 ? size : 0] = 0;
		at = strstr(record, name);
		if (at)
			value = atoi(at + strlen(name));
	}
	return value;
}

static void inject(struct kvm_vcpu *vcpu, int vector)
{
	struct kvm_vcpu_events events;

	vcpu_events_get(vcpu, &events);
	events.exception.injected = !!vector;
	events.exception.nr = vector;
	events.exception.has_error_code = 0;
	vcpu_events_set(vcpu, &events);
}

int main(int argc, char *argv[])
{
	struct kvm_vcpu *vcpu;
	struct kvm_regs regs;
	struct kvm_vm *vm;
	struct ucall uc;
	int log, r, i;

	if (access(DUMP, F_OK) || !has_flush_by_asid()) {
		print_skip("No SVM, or no flush by ASID");
		exit(KSFT_SKIP);
	}

	setbuf(stdout, NULL);
	log = open_path_or_exit("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	vm = vm_create_with_one_vcpu(&vcpu, guest);
	vcpu_regs_get(vcpu, &regs);
	write_dump('Y');
	for (i = 0; i < 2; i++) {
		lseek(log, 0, SEEK_END);
		inject(vcpu, BAD_VECTOR);
		r = __vcpu_run(vcpu);
		check(!r && vcpu->run->exit_reason == KVM_EXIT_FAIL_ENTRY,
		      "%d: the vCPU isn't entered", i);
		r = read_field(log, "tlb_ctl:");
		check(r > 0, "%d: the flush of the first entry is still due (tlb_ctl %d)", i, r);
	}
	write_dump('N');
	close(log);

	/* Registers are undefined after a failed VMRUN. */
	inject(vcpu, 0);
	vcpu_regs_set(vcpu, &regs);
	vcpu_run(vcpu);
	check(get_ucall(vcpu, &uc) == UCALL_SYNC, "it runs with an event that the CPU takes");
	kvm_vm_free(vm);
	return check_finish();
}
