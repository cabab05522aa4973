// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU that waits for INIT or a start-up IPI: an NMI and an SMI don't keep it busy, and
 * it does not run with nested state in which it would not get the IPI.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "kvm_util.h"
#include "private_mem.h"
#include "private_mem_watch.h"
#include "processor.h"

static struct kvm_vcpu *vcpu;
static pid_t thread_id;
static int run_errno;

static void nothing(int sig)
{
}

static void *run(void *unused)
{
	WRITE_ONCE(thread_id, syscall(SYS_gettid));
	run_errno = __vcpu_run(vcpu) ? errno : 0;
	return NULL;
}

static void test_sleep(uint32_t mp_state, unsigned long event, const char *what)
{
	struct kvm_mp_state waits = { .mp_state = mp_state };
	pthread_t thread;

	check(!__vcpu_ioctl(vcpu, KVM_SET_MP_STATE, &waits) && !ioctl(vcpu->fd, event, NULL),
	      "%s for a vCPU that waits", what);
	thread_id = 0;
	vcpu->run->immediate_exit = 0;
	pthread_create(&thread, NULL, run, NULL);
	check(thread_stays(&thread_id, 'S', NULL), "%s: it sleeps", what);
	vcpu->run->immediate_exit = 1;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	check(run_errno == EINTR, "%s: and can be interrupted", what);
}

static void test_nested_state(void)
{
	struct kvm_mp_state waits = { .mp_state = KVM_MP_STATE_INIT_RECEIVED };
	struct kvm_nested_state state = {
		.format = KVM_STATE_NESTED_FORMAT_SVM,
		.size = sizeof(state),
	};
	struct kvm_sregs sregs;

	if (!kvm_cpu_has(X86_FEATURE_SVM)) {
		printf("# no nested guests of SVM\n");
		return;
	}
	vcpu_sregs_get(vcpu, &sregs);
	sregs.efer |= EFER_SVME;
	vcpu_sregs_set(vcpu, &sregs);
	check(!__vcpu_ioctl(vcpu, KVM_SET_MP_STATE, &waits), "it waits");
	check(!__vcpu_ioctl(vcpu, KVM_SET_NESTED_STATE, &state), "GIF is clear");
	vcpu->run->immediate_exit = 1;
	check_errno(__vcpu_run(vcpu), EINVAL, "the IPI would never come");
	state.flags = KVM_STATE_NESTED_GIF_SET;
	check(!__vcpu_ioctl(vcpu, KVM_SET_NESTED_STATE, &state), "GIF is set");
	check_errno(__vcpu_run(vcpu), EINTR, "it waits");
}

int main(int argc, char *argv[])
{
	struct kvm_vm *vm = vm_create(1);

	signal(SIGUSR1, nothing);
	vcpu = vm_vcpu_add(vm, 1, NULL);
	test_sleep(KVM_MP_STATE_UNINITIALIZED, KVM_NMI, "an NMI before INIT");
	test_sleep(KVM_MP_STATE_UNINITIALIZED, KVM_SMI, "an SMI before INIT");
	test_sleep(KVM_MP_STATE_INIT_RECEIVED, KVM_NMI, "an NMI");
	test_sleep(KVM_MP_STATE_INIT_RECEIVED, KVM_SMI, "an SMI");
	test_nested_state();
	kvm_vm_free(vm);
	return check_finish();
}
