// SPDX-License-Identifier: GPL-2.0-only
/*
 * A nested guest repeatedly writes to memory of the VMM that is firmware-owned for the
 * duration of a command. On an SNP host, each such write is a nested page fault caused by
 * the RMP, and L0 handles it: L1 sees no exit, and L2 continues where it was. If KVM
 * mistakes the fault for another one, that shows in the kernel's log.
 */
#include <pthread.h>

#include <linux/psp-sev.h>

#include "private_mem.h"
#include "processor.h"
#include "svm_util.h"

/* L1 and L2 have the memory mapped at the same address. */
#define LENT_GPA	0x10000000ul
#define STOP_GPA	(LENT_GPA + SZ_4K)
#define LENT_SLOT	1
#define L2_STACK	64
#define NR_LOANS	3000
/* Present, writable, user, 2 MiB: nested page tables are walked with user permissions. */
#define NPT_TABLE	0x7ul
#define NPT_LARGE	0x87ul

static int sev_vm, sev_fd;
static uint64_t *lent, *stop;
static int loans;

static void l2_write(void)
{
	uint64_t n = 0;

	while (!READ_ONCE(*(uint64_t *)STOP_GPA))
		WRITE_ONCE(*(uint64_t *)LENT_GPA, ++n);
	vmmcall();
}

static void l1_run(struct svm_test_data *svm, uint64_t npt)
{
	static unsigned long stack[L2_STACK];
	struct vmcb *vmcb = svm->vmcb;

	generic_svm_setup(svm, l2_write, &stack[L2_STACK]);
	vmcb->control.nested_ctl = 1;
	vmcb->control.nested_cr3 = npt;
	run_guest(vmcb, svm->vmcb_gpa);
	GUEST_SYNC(vmcb->control.exit_code);
	GUEST_DONE();
}

/* Identity map of the first GiB. Returns the address of the root. */
static uint64_t make_npt(struct kvm_vm *vm)
{
	vm_vaddr_t pages[3];
	uint64_t *entries;
	int i;

	for (i = 0; i < 3; i++)
		pages[i] = vm_vaddr_alloc_page(vm);
	for (i = 0; i < 2; i++) {
		entries = addr_gva2hva(vm, pages[i]);
		entries[0] = addr_gva2gpa(vm, pages[i + 1]) | NPT_TABLE;
	}
	entries = addr_gva2hva(vm, pages[2]);
	for (i = 0; i < 512; i++)
		entries[i] = i * SZ_2M | NPT_LARGE;
	return addr_gva2gpa(vm, pages[0]);
}

static int command(int id, void *params)
{
	struct kvm_sev_cmd cmd = { .id = id, .data = (uint64_t)params, .sev_fd = sev_fd };

	return ioctl(sev_vm, KVM_MEMORY_ENCRYPT_OP, &cmd);
}

static void launch_sev_vm(void)
{
	struct kvm_sev_launch_start start = {};
	struct kvm_sev_init init = {};
	int kvm_fd = open_path_or_exit("/dev/kvm", O_RDWR);

	sev_fd = open_path_or_exit("/dev/sev", O_RDWR);
	sev_vm = ioctl(kvm_fd, KVM_CREATE_VM, KVM_X86_SEV_VM);
	TEST_ASSERT(sev_vm >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VM, sev_vm));
	TEST_ASSERT(!command(KVM_SEV_INIT2, &init) && !command(KVM_SEV_LAUNCH_START, &start),
		    "No SEV guest, errno %d", errno);
	close(kvm_fd);
}

/* The first word stays unencrypted: its content after the command would be undefined. */
static void *lend(void *arg)
{
	struct kvm_sev_launch_update_data update = {
		.uaddr = (uint64_t)lent + SZ_4K / 2,
		.len = 16,
	};

	while (loans < NR_LOANS && !command(KVM_SEV_LAUNCH_UPDATE_DATA, &update))
		loans++;
	WRITE_ONCE(*stop, 1);
	return NULL;
}

int main(int argc, char *argv[])
{
	vm_vaddr_t svm_gva;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	pthread_t thread;
	struct ucall uc;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_SVM));
	TEST_REQUIRE(kvm_check_cap(KVM_CAP_VM_TYPES) & (1ul << KVM_X86_SEV_VM));
	setbuf(stdout, NULL);

	vm = vm_create_with_one_vcpu(&vcpu, l1_run);
	vcpu_alloc_svm(vm, &svm_gva);
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, LENT_GPA, LENT_SLOT, 2, 0);
	virt_map(vm, LENT_GPA, LENT_GPA, 2);
	lent = addr_gpa2hva(vm, LENT_GPA);
	stop = addr_gpa2hva(vm, STOP_GPA);
	vcpu_args_set(vcpu, 2, svm_gva, make_npt(vm));

	launch_sev_vm();
	pthread_create(&thread, NULL, lend, NULL);
	vcpu_run(vcpu);
	pthread_join(thread, NULL);

	check(loans == NR_LOANS, "firmware-owned %d times, errno %d", loans, errno);
	check(get_ucall(vcpu, &uc) == UCALL_SYNC && uc.args[1] == SVM_EXIT_VMMCALL,
	      "L1 sees the end of L2 and no other exit (0x%lx)", uc.args[1]);
	check(*lent, "L2 wrote %lu times", *lent);
	close(sev_vm);
	kvm_vm_free(vm);
	return check_finish();
}
