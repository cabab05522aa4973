// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private memory of a VM that has a nested guest, for which KVM has shadow page tables.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "private_mem.h"
#include "private_mem_watch.h"
#include "processor.h"
#include "svm_util.h"

#define VALUE		0x2e57edul
#define NPT_FLAGS	(PTE_PRESENT_MASK | PTE_WRITABLE_MASK | PTE_USER_MASK | \
			 PTE_ACCESSED_MASK | PTE_DIRTY_MASK)

/* Page tables of the nested guest's memory: 2 MiB pages at 0, small ones at PRIVATE_GPA. */
enum { NPT_ROOT, NPT_PDPT, NPT_PD_LOW, NPT_PD, NPT_PT, NR_NPT };

struct nested {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpus[2];
	vm_vaddr_t svm;
	uint64_t npt;		/* gpa of its root */
};

/* --- In the guest, and in the nested one ---------------------------------------------- */

#define STOP_PORT	0x123

static uint64_t l2_address, l2_words[2];
static bool l2_stops;

static void l2_main(void)
{
	if (l2_stops)
		asm volatile("outl %%eax, %%dx" : : "a"(0), "d"(STOP_PORT));
	if (l2_address) {
		l2_words[0] = READ_ONCE(*(uint64_t *)l2_address);
		l2_words[1] = READ_ONCE(*(uint64_t *)(l2_address + SZ_4K));
	}
	asm volatile("vmmcall");
}

/* Run a nested guest that reads the first words of two pages at @address, if any. */
static uint64_t l1_run(uint64_t svm_gva, uint64_t npt, uint64_t address)
{
	struct svm_test_data *svm = (void *)svm_gva;
	uint64_t stack[64];

	l2_address = address;
	generic_svm_setup(svm, l2_main, &stack[64]);
	svm->vmcb->control.intercept_exceptions |= 1 << GP_VECTOR;
	svm->vmcb->control.nested_ctl = 1;
	svm->vmcb->control.nested_cr3 = npt;
	run_guest(svm->vmcb, svm->vmcb_gpa);
	return svm->vmcb->control.exit_code;
}

/* --- In the host ---------------------------------------------------------------------- */

static void nested_create(struct nested *n)
{
	uint64_t *table[NR_NPT], gpa[NR_NPT];
	vm_vaddr_t gva;
	uint64_t i;

	n->vm = private_vm_create(2, n->vcpus);
	vcpu_alloc_svm(n->vm, &n->svm);
	for (i = 0; i < NR_NPT; i++) {
		gva = vm_vaddr_alloc_page(n->vm);
		table[i] = addr_gva2hva(n->vm, gva);
		gpa[i] = addr_gva2gpa(n->vm, gva);
	}
	table[NPT_ROOT][0] = gpa[NPT_PDPT] | NPT_FLAGS;
	table[NPT_PDPT][0] = gpa[NPT_PD_LOW] | NPT_FLAGS;
	table[NPT_PDPT][PRIVATE_GPA / SZ_1G] = gpa[NPT_PD] | NPT_FLAGS;
	table[NPT_PD][0] = gpa[NPT_PT] | NPT_FLAGS;
	for (i = 0; i < 512; i++) {
		table[NPT_PD_LOW][i] = i * SZ_2M | NPT_FLAGS | PTE_LARGE_MASK;
		table[NPT_PT][i] = (PRIVATE_GPA + i * SZ_4K) | NPT_FLAGS;
	}
	n->npt = gpa[NPT_ROOT];
}

static uint64_t *add_plain_slot(struct nested *n, uint32_t slot, uint64_t gpa, size_t size)
{
	void *hva = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	TEST_ASSERT(hva != MAP_FAILED, "mmap() of 0x%lx bytes failed", size);
	madvise(hva, size, MADV_NOHUGEPAGE);
	r = __set_region2(n->vm->fd, slot, 0, gpa, size, hva, -1, 0);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
	return hva;
}

/*
 * KVM maps pages next to the one that a nested guest has faulted on. It must not map one
 * that is private, in a slot that has no private memory.
 */
static void test_prefetch(void)
{
	struct kvm_vcpu *vcpu;
	struct nested n;
	uint64_t *hva, exit_code;
	int r;

	nested_create(&n);
	vcpu = n.vcpus[0];
	hva = add_plain_slot(&n, 1, PRIVATE_GPA, SZ_2M);
	hva[0] = VALUE;
	hva[SZ_4K / sizeof(*hva)] = VALUE + 1;
	set_private(n.vm->fd, PRIVATE_GPA + SZ_4K, SZ_4K, true);

	r = __guest_call(vcpu, l1_run, n.svm, n.npt, PRIVATE_GPA);
	check(r == -1 && errno == EFAULT && is_memory_fault(vcpu, PRIVATE_GPA + SZ_4K, true),
	      "a nested guest reads a page that is private and isn't there: an exit (%d)", r);
	check(*guest_var(n.vm, l2_words[0]) == VALUE, "the one before is shared");
	set_private(n.vm->fd, PRIVATE_GPA + SZ_4K, SZ_4K, false);
	r = __guest_resume(vcpu);
	check(!r && guest_returned(vcpu, &exit_code) && exit_code == SVM_EXIT_VMMCALL &&
	      *guest_var(n.vm, l2_words[1]) == VALUE + 1, "made shared, it is read (%d)", r);
	kvm_vm_free(n.vm);
	munmap(hva, SZ_2M);
}

/* The page tables' root is in a slot that goes while the nested guest is stopped. */
static void test_no_root(void)
{
	struct kvm_pre_fault_memory range = { .gpa = 0, .size = SZ_2M };
	const uint64_t root = PRIVATE_GPA + 8 * SZ_2M;
	struct kvm_vcpu *vcpu;
	uint64_t *table, exit_code;
	struct nested n;
	int r;

	nested_create(&n);
	vcpu = n.vcpus[0];
	table = add_plain_slot(&n, 3, root, SZ_2M);
	memcpy(table, addr_gpa2hva(n.vm, n.npt), SZ_4K);
	*guest_var(n.vm, l2_stops) = true;
	r = __guest_call(vcpu, l1_run, n.svm, root, 0);
	TEST_ASSERT(!r && vcpu->run->exit_reason == KVM_EXIT_IO &&
		    vcpu->run->io.port == STOP_PORT, "The nested guest doesn't stop: %d", r);
	r = __set_region2(n.vm->fd, 3, 0, root, 0, table, -1, 0);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));

	r = __pre_fault(vcpu->fd, &range);
	check_errno(r, EOPNOTSUPP, "pre-fault with page tables that are nowhere");
	check(!range.gpa && range.size == SZ_2M, "nothing is done (%#llx, %#llx)", range.gpa,
	      range.size);
	r = __set_region2(n.vm->fd, 3, 0, root, SZ_2M, table, -1, 0) ?: __guest_resume(vcpu);
	check(!r && guest_returned(vcpu, &exit_code) && exit_code == SVM_EXIT_VMMCALL,
	      "the nested guest goes on when they are there again (%d)", r);
	kvm_vm_free(n.vm);
	munmap(table, SZ_2M);
}

/* The nested guest exits to a VMCB that has become private. */
static void test_no_vmcb(void)
{
	struct svm_test_data *svm;
	struct kvm_vcpu *vcpu;
	struct nested n;
	int r;

	nested_create(&n);
	vcpu = n.vcpus[0];
	svm = addr_gva2hva(n.vm, n.svm);
	*guest_var(n.vm, l2_stops) = true;
	r = __guest_call(vcpu, l1_run, n.svm, n.npt, 0);
	TEST_ASSERT(!r && vcpu->run->exit_reason == KVM_EXIT_IO &&
		    vcpu->run->io.port == STOP_PORT, "The nested guest doesn't stop: %d", r);
	set_private(n.vm->fd, svm->vmcb_gpa, SZ_4K, true);
	r = __guest_resume(vcpu);
	check(!r && vcpu->run->exit_reason == KVM_EXIT_SHUTDOWN,
	      "a nested guest whose VMCB is private can't exit: a shutdown (%d, %u)", r,
	      vcpu->run->exit_reason);
	kvm_vm_free(n.vm);
}

struct task {
	struct nested *n;
	struct private_slot *slot;
	void *memory;
	pthread_t thread;
	pid_t tid;
	bool ended;
	int r;
};

/* Within kvm->srcu. */
static void *get_msrs(void *arg)
{
	struct task *task = arg;

	WRITE_ONCE(task->tid, syscall(SYS_gettid));
	task->r = ioctl(task->n->vcpus[1]->fd, KVM_GET_MSRS, task->memory);
	return NULL;
}

static void *delete_slot(void *arg)
{
	struct task *task = arg;

	WRITE_ONCE(task->tid, syscall(SYS_gettid));
	task->r = __private_slot_set(task->slot, false);
	WRITE_ONCE(task->ended, true);
	return NULL;
}

/*
 * A slot's deletion waits for another ioctl. The first nested guest comes, which gives rmaps
 * to the slots that there are, and then a hole.
 */
static void test_delete_and_punch(void)
{
	struct private_slot slot;
	struct slow_page page;
	struct nested n;
	struct task msrs = { .n = &n }, deletion = { .slot = &slot };
	uint64_t exit_code;
	bool waits;

	nested_create(&n);
	private_slot_add(&slot, n.vm, 1, PRIVATE_GPA, SZ_2M);
	set_private(n.vm->fd, PRIVATE_GPA, SZ_2M, true);
	guest_call(n.vcpus[0], guest_write, PRIVATE_GPA + 5 * SZ_4K, VALUE, 0);

	slow_page_create(&page);
	msrs.memory = page.hva;
	pthread_create(&msrs.thread, NULL, get_msrs, &msrs);
	TEST_ASSERT(thread_stays(&msrs.tid, 'S', NULL), "KVM_GET_MSRS doesn't wait");
	pthread_create(&deletion.thread, NULL, delete_slot, &deletion);
	waits = thread_stays(&deletion.tid, 'D', &deletion.ended);
	exit_code = guest_call(n.vcpus[0], l1_run, n.svm, n.npt, 0);
	/* Not from the start: the address of the first rmap would be NULL, which ends the walk. */
	gmem_punch(slot.gmem_fd, SZ_4K, SZ_2M - SZ_4K);
	check(waits && !READ_ONCE(deletion.ended),
	      "a hole in a slot that is being deleted, after the first nested guest");

	slow_page_respond(&page);
	pthread_join(deletion.thread, NULL);
	pthread_join(msrs.thread, NULL);
	TEST_ASSERT(exit_code == SVM_EXIT_VMMCALL, "The nested guest ends with 0x%lx", exit_code);
	TEST_ASSERT(!deletion.r && !msrs.r, "No deletion or no MSRs: %d, %d", deletion.r, msrs.r);
	close(slot.gmem_fd);
	munmap(slot.hva, SZ_2M);
	kvm_vm_free(n.vm);
	slow_page_free(&page);
}

int main(int argc, char *argv[])
{
	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_SVM));
	require_private_mem();
	setbuf(stdout, NULL);

	test_prefetch();
	test_no_root();
	test_no_vmcb();
	test_delete_and_punch();
	check(audit_is_clean(), "the audit has no findings");
	return check_finish();
}
