// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU that is created after the launch of an SNP guest, and runs with a VMSA that the
 * guest has made: its state is as protected as that of all others, and KVM does not load
 * what the guest claims to have in XCR0.
 */
#include <linux/kvm_para.h>

#include "processor.h"
#include "snp_bare.h"

#define EVENT_CPUID	0x72ul
#define DATA		0x5000ul

static struct snp_bare b;

/* One vCPU is launched. */
static void new_guest(void)
{
	int r;

	bare_init(&b);
	r = bare_create_vm(&b) ?: bare_init2(&b) ?: bare_add_memory(&b) ?:
	    bare_add_first_vcpu(&b) ?: bare_launch_start(&b) ?: bare_launch_pages(&b) ?:
	    bare_launch_finish(&b) ?: bare_run(&b, 0);
	TEST_ASSERT(!r, "The guest doesn't start: %d, errno %d", r, errno);
}

/* Userspace may set its registers until it runs; KVM has to know OSXSAVE to load XCR0. */
static void add_vcpu(void)
{
	struct kvm_mp_state waits = { .mp_state = KVM_MP_STATE_UNINITIALIZED };
	struct kvm_sregs sregs;
	int r;

	r = bare_add_vcpu(&b, 1) ?: ioctl(b.vcpu_fd[1], KVM_GET_SREGS, &sregs);
	TEST_ASSERT(!r, "No vCPU, errno %d", errno);
	sregs.cr4 |= X86_CR4_OSXSAVE;
	r = ioctl(b.vcpu_fd[1], KVM_SET_SREGS, &sregs) ?:
	    ioctl(b.vcpu_fd[1], KVM_SET_MP_STATE, &waits);
	check(!r, "registers of a vCPU that has none yet (errno %d)", errno);
}

static bool second_works(void)
{
	return !bare_order(&b, 1, BARE_WRITE, DATA, 0x5eed, 0) &&
	       !bare_order(&b, 0, BARE_READ, DATA, 0, 0) && b.ctl[0]->result == 0x5eed;
}

static void test_protected(void)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = 1 } } };
	struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE };
	int fd = b.vcpu_fd[1];
	struct kvm_sregs sregs = {};
	struct kvm_regs regs = {};

	check_errno(ioctl(fd, KVM_GET_REGS, &regs), EINVAL, "registers are read");
	check_errno(ioctl(fd, KVM_SET_REGS, &regs), EINVAL, "registers are set");
	check_errno(ioctl(fd, KVM_SET_SREGS, &sregs), EINVAL, "control registers are set");
	check_errno(ioctl(fd, KVM_SET_XCRS, &xcrs), EINVAL, "XCR0 is set");
	check_errno(ioctl(fd, KVM_SET_GUEST_DEBUG, &debug), EINVAL, "it is debugged");
}

/* The size of the XSAVE area for XCR0, which is CPUID's answer */
static uint64_t xsave_size(uint64_t xcr0)
{
	int r;

	bare_event_clear(&b, 1);
	bare_event_set(&b, 1, GHCB_RAX, 0xd);
	bare_event_set(&b, 1, GHCB_RCX, 0);
	bare_event_set(&b, 1, GHCB_XCR0, xcr0);
	r = bare_event(&b, 1, EVENT_CPUID, 0, 0);
	check(!r && !bare_answer(&b, 1, GHCB_EXIT_INFO_1) && second_works(),
	      "CPUID with XCR0 %#lx (%d)", xcr0, r);
	return bare_answer(&b, 1, GHCB_RBX);
}

/* What is not valid has no effect: the vCPU has the last one that was. */
static void test_xcr0(void)
{
	uint64_t invalid[] = { 0, 2, 4, 5, 1ul << 63, ~0ul };
	uint64_t sse = xsave_size(3), avx = xsave_size(7);
	unsigned int i;

	check(avx > sse && sse, "AVX needs more space (%lu, %lu)", sse, avx);
	for (i = 0; i < ARRAY_SIZE(invalid); i++)
		check(xsave_size(invalid[i]) == avx, "invalid, and without effect");
}

int main(int argc, char *argv[])
{
	require_snp();
	setbuf(stdout, NULL);

	new_guest();
	add_vcpu();
	check(!bare_start_ap(&b, BARE_VMSA_GPA) && !bare_run(&b, 1) && second_works(),
	      "it runs with a VMSA of the guest");
	test_xcr0();
	test_protected();
	bare_free(&b);
	return check_finish();
}
