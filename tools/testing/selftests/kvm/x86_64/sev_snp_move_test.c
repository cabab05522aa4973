// SPDX-License-Identifier: GPL-2.0-only
/*
 * SNP guests in more than one VM: moved repeatedly to another VM of the host, and with a
 * mirror that has vCPUs of the same guest. The memory follows via linked guest_memfd
 * files, and needs no new validation.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "private_mem_watch.h"
#include "processor.h"
#include "snp_bare.h"

#define VALUE		0x5eed0000ul
#define NR_ROUNDS	30
/* 2 MiB that the guest has as one page, and 2 MiB of small pages. */
#define HUGE_GPA	BARE_DATA_GPA
#define SMALL_GPA	(BARE_DATA_GPA + SZ_2M)

static bool reads(struct snp_bare *b, int cpu, uint64_t gpa, uint64_t value)
{
	return !bare_order(b, cpu, BARE_READ, gpa, 0, 0) && b->ctl[cpu]->result == value;
}

static uint64_t pvalidate(struct snp_bare *b, uint64_t gpa, uint64_t size, bool validate)
{
	int r = bare_order(b, 0, BARE_PVALIDATE, gpa, size, validate);

	TEST_ASSERT(!r, "PVALIDATE exits: %d", r);
	return b->ctl[0]->result;
}

/* Write values to find again later to each kind of page. */
static void fill(struct snp_bare *b)
{
	unsigned int i;

	set_private(b->vm_fd, BARE_DATA_GPA, BARE_DATA_SIZE, true);
	TEST_ASSERT(!pvalidate(b, HUGE_GPA, PVAL_2M, true), "No page of 2 MiB");
	for (i = 0; i < 512; i++)
		TEST_ASSERT(!pvalidate(b, SMALL_GPA + i * SZ_4K, PVAL_4K, true), "No page");
	bare_order(b, 0, BARE_WRITE, HUGE_GPA + 8, VALUE, 0);
	bare_order(b, 0, BARE_WRITE, SMALL_GPA + 3 * SZ_4K, VALUE + 1, 0);
}

static bool holds(struct snp_bare *b, int cpu)
{
	return reads(b, cpu, HUGE_GPA + 8, VALUE) &&
	       reads(b, cpu, SMALL_GPA + 3 * SZ_4K, VALUE + 1);
}

static bool is_validated(struct snp_bare *b)
{
	return pvalidate(b, HUGE_GPA, PVAL_2M, true) == PVAL_NO_CHANGE &&
	       pvalidate(b, SMALL_GPA, PVAL_4K, true) == PVAL_NO_CHANGE;
}

static void check_asids(unsigned int used, const char *why)
{
	unsigned int max = bare_max_guests(), nr = bare_count_asids(max);

	check(nr == max - used, "%s: %u of %u ASIDs are free", why, nr, max);
}

static bool has_debug_regs(struct snp_bare *b, int cpu)
{
	int i, r;

	/* They aren't switched: the second time it is on the processor that it was on. */
	for (i = 0; i < 3; i++) {
		r = bare_order(b, cpu, BARE_DEBUG_REGS, VALUE + cpu, 0, 0);
		if (!r && b->ctl[cpu]->result == VALUE + cpu)
			return true;
	}
	return false;
}

/* What was no guest's when its NMIs were masked intercepts IRET. */
static void mask_nmis(int vcpu_fd)
{
	struct kvm_vcpu_events events;

	TEST_ASSERT(!ioctl(vcpu_fd, KVM_GET_VCPU_EVENTS, &events), "No events");
	events.nmi.masked = 1;
	TEST_ASSERT(!ioctl(vcpu_fd, KVM_SET_VCPU_EVENTS, &events), "No mask");
}

/*
 * Move to vCPUs that are debugged, or that use another VMCB for a nested guest, or may do
 * so at any time.
 */
static void test_other_vcpus(struct snp_bare *guest)
{
	struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP };
	struct kvm_debugregs regs;
	struct kvm_sregs sregs;
	struct snp_bare to;

	bare_create_like(&to, guest);
	bare_add_running_vcpus(&to);
	TEST_ASSERT(!ioctl(to.vcpu_fd[1], KVM_SET_GUEST_DEBUG, &debug), "No debugging");
	check_errno(bare_move(&to, guest), EINVAL, "moved to vCPUs that are debugged");
	debug.control = 0;
	TEST_ASSERT(!ioctl(to.vcpu_fd[1], KVM_SET_GUEST_DEBUG, &debug), "Debugging does not end");
	TEST_ASSERT(!ioctl(to.vcpu_fd[1], KVM_GET_DEBUGREGS, &regs), "No debug registers");
	regs.dr7 |= 1;
	TEST_ASSERT(!ioctl(to.vcpu_fd[1], KVM_SET_DEBUGREGS, &regs), "No breakpoint");
	check_errno(bare_move(&to, guest), EINVAL, "moved to vCPUs that have breakpoints");
	regs.dr7 &= ~1;
	TEST_ASSERT(!ioctl(to.vcpu_fd[1], KVM_SET_DEBUGREGS, &regs), "A breakpoint stays");
	TEST_ASSERT(!ioctl(to.vcpu_fd[1], KVM_GET_SREGS, &sregs), "No registers");
	sregs.efer |= EFER_SVME;
	TEST_ASSERT(!ioctl(to.vcpu_fd[1], KVM_SET_SREGS, &sregs), "No EFER.SVME");
	check_errno(bare_move(&to, guest), EINVAL, "moved to vCPUs that may have nested guests");
	bare_free(&to);
}

static void test_refused_moves(struct snp_bare *guest)
{
	struct snp_bare to, other;
	int r;

	bare_create_like(&to, guest);
	r = bare_context_from(&to, KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, guest->vm_fd, 0);
	check_errno(r, EINVAL, "moved without a word of its memory");
	r = bare_context_from(&to, KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, guest->vm_fd, 3);
	check_errno(r, EINVAL, "moved with flags that don't exist");
	r = bare_context_from(&to, KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, guest->kvm_fd, 1);
	check_errno(r, EBADF, "moved from what is no VM");
	check_errno(bare_move(&to, guest), EINVAL, "moved to a VM without vCPUs");
	check_errno(bare_move(guest, &to), EINVAL, "moved to a VM with a guest, from one without");
	check_errno(bare_mirror(&to, guest), EINVAL, "mirrored after the launch");
	r = bare_link_file(to.vm_fd, guest->data_fd, BARE_DATA_SIZE, 0);
	check_errno(r, EINVAL, "linked by a VM that isn't the guest's");

	bare_init(&other);
	TEST_ASSERT(!bare_create_vm(&other) && !bare_init2(&other) && !bare_launch_start(&other),
		    "No other guest");
	r = bare_link_file(other.vm_fd, guest->data_fd, BARE_DATA_SIZE, 0);
	check_errno(r, EINVAL, "linked by another guest's");
	check_errno(bare_move(&to, &other), EINVAL, "moved before it's launched");
	bare_free(&other);
	bare_free(&to);
}

static void test_links(struct snp_bare *to, struct snp_bare *from)
{
	int r, own = __gmem_create(to->vm_fd, SZ_4K, 0);

	r = bare_link_file(to->vm_fd, 9999, BARE_DATA_SIZE, 0);
	check_errno(r, EBADF, "linked what is not open");
	r = bare_link_file(to->vm_fd, to->vm_fd, BARE_DATA_SIZE, 0);
	check_errno(r, EINVAL, "linked what is no guest_memfd");
	r = bare_link_file(to->vm_fd, from->data_fd, BARE_DATA_SIZE / 2, 0);
	check_errno(r, EINVAL, "linked a half");
	r = bare_link_file(to->vm_fd, from->data_fd, 0, 0);
	check_errno(r, EINVAL, "linked nothing");
	r = bare_link_file(to->vm_fd, from->data_fd, BARE_DATA_SIZE, GUEST_MEMFD_FLAG_MMAP);
	check_errno(r, EINVAL, "linked, and something else");
	check_errno(bare_link_file(to->vm_fd, own, SZ_4K, 0), EEXIST, "linked its own file");
	close(own);

	check(bare_take_memory(to, from), "the memory is linked and bound");
	r = bare_link_file(to->vm_fd, from->data_fd, BARE_DATA_SIZE, 0);
	check_errno(r, EEXIST, "linked once more");
	r = bare_link_file(from->vm_fd, to->data_fd, BARE_DATA_SIZE, 0);
	check_errno(r, EIO, "linked by a VM that is gone");
}

static void test_wrong_place(struct snp_bare *b)
{
	int r;

	check(bare_bind_data(b, SZ_2M, SZ_2M), "data is bound to other gfns");
	r = bare_order(b, 0, BARE_READ, HUGE_GPA + 8, 0, 0);
	check(r == -1 && errno == EFAULT && b->run[0]->exit_reason == KVM_EXIT_MEMORY_FAULT &&
	      b->run[0]->memory_fault.gpa == HUGE_GPA, "the fault exits to userspace");
	check(bare_bind_data(b, BARE_DATA_SIZE, 0), "bound as it was");
	check(!bare_run(b, 0) && b->ctl[0]->result == VALUE, "the access goes on");
}

static int pre_fault(struct snp_bare *b, uint64_t gpa)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = SZ_4K };

	return __pre_fault(b->vcpu_fd[0], &range);
}

/* A pre-fault in no slot leaves nothing that the guest would see in a later slot. */
static void test_no_slot(struct snp_bare *b)
{
	const uint64_t private = SMALL_GPA + 3 * SZ_4K, shared = SMALL_GPA + 5 * SZ_4K;

	TEST_ASSERT(!__set_region2(b->vm_fd, 2, 0, BARE_DATA_GPA, 0, b->data, -1, 0), "A slot");
	check_errno(pre_fault(b, private), EFAULT, "pre-fault of a private page in no slot");
	set_private(b->vm_fd, shared, SZ_4K, false);
	check_errno(pre_fault(b, shared), ENOENT, "pre-fault of a shared page in no slot");
	set_private(b->vm_fd, shared, SZ_4K, true);
	check(bare_bind_data(b, BARE_DATA_SIZE, 0), "the slot is there again");
	check(reads(b, 0, private, VALUE + 1) && !bare_order(b, 0, BARE_READ, shared, 0, 0),
	      "and the guest has its pages");
}

static void test_move(void)
{
	struct snp_bare a, b, c;
	int r;

	bare_init(&a);
	TEST_ASSERT(!bare_launch(&a), "No guest");
	fill(&a);
	TEST_ASSERT(!bare_start_ap(&a, BARE_VMSA_GPA) && !bare_run(&a, 1), "No second vCPU");
	check(holds(&a, 0) && holds(&a, 1), "a guest of two vCPUs, one with its own VMSA");
	test_refused_moves(&a);
	test_other_vcpus(&a);
	check(holds(&a, 0), "which nothing of that has changed");

	bare_create_like(&b, &a);
	bare_add_running_vcpus(&b);
	mask_nmis(b.vcpu_fd[0]);
	check(!bare_move(&b, &a), "it is moved");
	check(audit_is_clean(), "the audit has no findings while the old VM is open");
	check_errno(ioctl(a.vcpu_fd[0], KVM_RUN, 0), EIO, "its vCPUs run where they were");
	check_errno(bare_move(&a, &b), EIO, "moved back");
	r = bare_run(&b, 1);
	check(r == -1 && errno == EFAULT && b.run[1]->memory_fault.gpa == BARE_VMSA_GPA,
	      "without memory there is no VMSA");
	test_links(&b, &a);
	check(holds(&b, 0) && holds(&b, 1), "both vCPUs have their memory");
	check(has_debug_regs(&b, 0) && has_debug_regs(&b, 1), "and their debug registers");
	check(!bare_order(&b, 0, BARE_IRET, 0, 0, 0), "one whose NMIs were masked has IRET");
	check(audit_is_clean(), "the audit has no findings when both VMs have mapped it");
	check(is_validated(&b), "as it was validated");
	test_wrong_place(&b);
	test_no_slot(&b);

	bare_create_like(&c, &b);
	bare_add_running_vcpus(&c);
	check(!bare_move(&c, &b) && bare_take_memory(&c, &a),
	      "moved on, with links of the first files");
	bare_free(&b);
	check(holds(&c, 0) && holds(&c, 1), "the VM between is gone, the guest is there");
	check(!bare_order(&c, 0, BARE_WRITE, SMALL_GPA, VALUE, 0), "and writes");
	gmem_punch(a.data_fd, SZ_2M, SZ_4K);
	check(pvalidate(&c, SMALL_GPA, PVAL_4K, true) == 0, "a hole is one for all files");
	bare_free(&c);
	check_asids(1, "the pages are still there");
	bare_free(&a);
	check_asids(0, "nothing is");
}

/* --- Moves during other operations -------------------------------------------------- */

#define CERTS_GPA	(BARE_BUFFER(0) + 2 * SZ_4K)
#define CERTS_NPAGES	7

static void nothing(int sig)
{
}

static void launch_with_certs(struct snp_bare *b)
{
	bare_init(b);
	TEST_ASSERT(!bare_create_vm(b) && !bare_init2(b) && !bare_add_memory(b) &&
		    !bare_add_vcpus(b) && !bare_launch_start(b) && !bare_launch_pages(b) &&
		    !bare_command(b, KVM_SEV_SNP_ENABLE_REQ_CERTS, NULL, NULL) &&
		    !bare_launch_finish(b) && !bare_run(b, 0), "No guest");
	TEST_ASSERT(!bare_start_ap(b, BARE_VMSA_GPA) && !bare_run(b, 1), "No second vCPU");
}

/* Complete the exit to userspace without running the guest. */
static bool complete_only(struct snp_bare *b, int cpu)
{
	int r;

	b->run[cpu]->immediate_exit = 1;
	r = ioctl(b->vcpu_fd[cpu], KVM_RUN, NULL);
	b->run[cpu]->immediate_exit = 0;
	return r == -1 && errno == EINTR;
}

static int ask_for_psc(struct snp_bare *b)
{
	uint64_t *list = (uint64_t *)(b->shared + BARE_EVENT(0) - BARE_SHARED_GPA +
				      GHCB_SHARED_BUFFER);

	bare_event_clear(b, 0);
	list[0] = 0;
	list[1] = SMALL_GPA | 1ul << 52;
	bare_event_set(b, 0, GHCB_SCRATCH, BARE_GHCB(0) + GHCB_SHARED_BUFFER);
	return bare_event(b, 0, EVENT_PSC, 0, 0);
}

static int ask_for_certs(struct snp_bare *b)
{
	bare_event_clear(b, 0);
	bare_event_set(b, 0, GHCB_RAX, CERTS_GPA);
	bare_event_set(b, 0, GHCB_RBX, 1);
	return bare_event(b, 0, EVENT_EXT_REQUEST, BARE_BUFFER(0), BARE_BUFFER(0) + SZ_4K);
}

/*
 * Exits have to be completed before the move, and results that the guest has not seen
 * move along.
 */
static void test_pending(void)
{
	struct snp_bare a, b;
	int r;

	launch_with_certs(&a);
	set_private(a.vm_fd, SMALL_GPA, SZ_4K, false);
	bare_create_like(&b, &a);
	bare_add_running_vcpus(&b);

	r = bare_order(&a, 0, BARE_MSR, 1ul << 52 | SMALL_GPA | MSR_PSC, 0, 0);
	check(r == KVM_EXIT_HYPERCALL, "a request by the MSR is pending (%d)", r);
	check_errno(bare_move(&b, &a), EBUSY, "moved with it");
	check(!bare_convert(&a, 0) && a.ctl[0]->result == 0x15, "it is completed");

	set_private(a.vm_fd, SMALL_GPA, SZ_4K, false);
	r = ask_for_psc(&a);
	check(r == KVM_EXIT_HYPERCALL, "a list of conversions is pending (%d)", r);
	check_errno(bare_move(&b, &a), EBUSY, "moved with it");
	check(!bare_convert(&a, 0) && !bare_answer(&a, 0, GHCB_EXIT_INFO_2), "it is completed");

	r = ask_for_certs(&a);
	check(r == KVM_EXIT_SNP_REQ_CERTS, "a request for certificates is pending (%d)", r);
	check_errno(bare_move(&b, &a), EBUSY, "moved with it");
	a.run[0]->snp_req_certs.ret = ENOSPC;
	a.run[0]->snp_req_certs.npages = CERTS_NPAGES;
	check(complete_only(&a, 0), "it is completed, and the guest doesn't run");
	check(!bare_move(&b, &a) && bare_take_memory(&b, &a), "moved");
	check(!bare_run(&b, 0) && bare_answer(&b, 0, GHCB_EXIT_INFO_2) == 1ul << 32 &&
	      bare_answer(&b, 0, GHCB_RBX) == CERTS_NPAGES, "the guest gets the answer there");
	check_errno(ioctl(a.vcpu_fd[0], KVM_RUN, NULL), EIO, "and not where it was");
	bare_free(&a);
	bare_free(&b);
}

struct waiter {
	struct snp_bare *to, *from;
	pthread_t thread;
	pid_t tid;
	int r, error;
};

static void *wait_to_move(void *arg)
{
	struct waiter *w = arg;

	WRITE_ONCE(w->tid, syscall(SYS_gettid));
	w->r = bare_move(w->to, w->from);
	w->error = errno;
	return NULL;
}

static void *wait_to_run(void *arg)
{
	struct waiter *w = arg;

	WRITE_ONCE(w->tid, syscall(SYS_gettid));
	w->r = ioctl(w->from->vcpu_fd[0], KVM_RUN, NULL);
	w->error = errno;
	return NULL;
}

static void *wait_for_state(void *arg)
{
	struct waiter *w = arg;
	struct kvm_mp_state state;

	WRITE_ONCE(w->tid, syscall(SYS_gettid));
	w->r = ioctl(w->from->vcpu_fd[0], KVM_GET_MP_STATE, &state);
	w->error = errno;
	return NULL;
}

static void *spin(void *arg)
{
	bare_order(arg, 1, BARE_SPIN, BARE_DATA_GPA, BARE_DATA_GPA + SZ_4K, 0);
	return NULL;
}

/*
 * Returns once the thread sleeps on a mutex in the kernel, or has had the time to do so.
 */
static void start_waiter(struct waiter *w, void *(*function)(void *))
{
	w->tid = 0;
	pthread_create(&w->thread, NULL, function, w);
	thread_stays(&w->tid, 'D', NULL);
}

/*
 * The move holds the mutex of vCPU 0, which others wait for, and waits for that of vCPU
 * 1.
 */
static void test_waiting(void)
{
	struct snp_bare a, b;
	struct waiter mover = { &b, &a }, runner = { &b, &a }, reader = { &b, &a };
	pthread_t spinner;

	launch_with_certs(&a);
	set_private(a.vm_fd, BARE_DATA_GPA, SZ_4K, true);
	TEST_ASSERT(!pvalidate(&a, BARE_DATA_GPA, PVAL_4K, true), "No page");
	bare_create_like(&b, &a);
	bare_add_running_vcpus(&b);

	pthread_create(&spinner, NULL, spin, &a);
	while (!reads(&a, 0, BARE_DATA_GPA, BARE_DATA_GPA))
		usleep(1000);
	start_waiter(&mover, wait_to_move);
	start_waiter(&runner, wait_to_run);
	start_waiter(&reader, wait_for_state);
	a.run[1]->immediate_exit = 1;
	pthread_kill(spinner, SIGUSR1);
	pthread_join(spinner, NULL);
	pthread_join(mover.thread, NULL);
	pthread_join(runner.thread, NULL);
	pthread_join(reader.thread, NULL);

	check(!mover.r, "moved while others wait for a vCPU (%d)", mover.error);
	check(runner.r == -1 && runner.error == EIO, "KVM_RUN that waited: EIO (%d, %d)",
	      runner.r, runner.error);
	check(reader.r == -1 && reader.error == EIO, "KVM_GET_MP_STATE that waited: EIO (%d, %d)",
	      reader.r, reader.error);
	check(bare_take_memory(&b, &a) && !bare_order(&b, 0, BARE_WRITE, BARE_DATA_GPA, 1, 0) &&
	      reads(&b, 0, BARE_DATA_GPA, 1), "the guest goes on where it is now");
	bare_free(&a);
	bare_free(&b);
}

/* --- Mirrors -------------------------------------------------------------------------- */

static uint64_t firmware_says(struct snp_bare *b, int cpu)
{
	bare_event_clear(b, cpu);
	TEST_ASSERT(!bare_event(b, cpu, EVENT_GUEST_REQUEST, BARE_BUFFER(cpu),
				BARE_BUFFER(cpu) + SZ_4K), "No answer to a request");
	return bare_answer(b, cpu, GHCB_EXIT_INFO_2);
}

static void test_refused_copies(struct snp_bare *owner, struct snp_bare *mirror)
{
	struct snp_bare to;
	int r;

	bare_create_like(&to, owner);
	r = bare_context_from(&to, KVM_CAP_VM_COPY_ENC_CONTEXT_FROM, owner->vm_fd, 0);
	check_errno(r, EINVAL, "mirrored without a word of its memory");
	check_errno(bare_mirror(&to, mirror), EINVAL, "a mirror of a mirror");
	check_errno(bare_move(&to, mirror), EINVAL, "a mirror that is moved");
	bare_add_running_vcpus(&to);
	check_errno(bare_mirror(&to, owner), EINVAL, "mirrored to a VM that has vCPUs");
	bare_free(&to);
}

static void mirror_start(struct snp_bare *owner, struct snp_bare *mirror)
{
	bare_init(owner);
	TEST_ASSERT(!bare_create_vm(owner) && !bare_init2(owner) && !bare_add_memory(owner) &&
		    !bare_add_vcpus(owner), "No VM");
	bare_create_like(mirror, owner);
	check_errno(bare_mirror(mirror, owner), EINVAL, "mirrored before the launch");
	TEST_ASSERT(!bare_launch_start(owner), "No launch");
	check(!bare_mirror(mirror, owner), "mirrored in the launch");
}

static void mirror_launch(struct snp_bare *owner, struct snp_bare *mirror)
{
	struct kvm_mp_state runs = { .mp_state = KVM_MP_STATE_RUNNABLE };

	TEST_ASSERT(!bare_add_vcpus(mirror) &&
		    !ioctl(mirror->vcpu_fd[1], KVM_SET_MP_STATE, &runs), "No vCPUs");
	check(bare_take_memory(mirror, owner), "the memory is linked and bound");
	check_errno(bare_launch_page(mirror, BARE_LAUNCH_GPA), EINVAL, "the mirror fills a page");
	check_errno(bare_launch_finish(mirror), EINVAL, "the mirror ends the launch");
	TEST_ASSERT(!bare_launch_pages(owner), "No page");
	check(!bare_command(mirror, KVM_SEV_LAUNCH_UPDATE_VMSA, NULL, NULL),
	      "its vCPUs are part of the launch");
	check_errno(bare_run(mirror, 1), EINVAL, "they run before it's done");
	TEST_ASSERT(!bare_launch_finish(owner) && !bare_run(owner, 0), "The guest doesn't start");
	check_errno(bare_command(mirror, KVM_SEV_LAUNCH_UPDATE_VMSA, NULL, NULL), EINVAL,
		    "vCPUs come too late");
}

#define NR_SPUN_PAGES	16

static void *run_mirror(void *mirror)
{
	bare_order(mirror, 1, BARE_SPIN, HUGE_GPA + SZ_4K, HUGE_GPA + (1 + NR_SPUN_PAGES) * SZ_4K,
		   0);
	return NULL;
}

/*
 * True if the vCPU of the mirror, which writes addresses forever, still reaches the first
 * one.
 */
static bool mirror_writes(struct snp_bare *owner)
{
	unsigned int i;

	TEST_ASSERT(!bare_order(owner, 0, BARE_WRITE, HUGE_GPA + SZ_4K, 0, 0), "No write");
	for (i = 0; i < 5000; i++) {
		if (reads(owner, 0, HUGE_GPA + SZ_4K, HUGE_GPA + SZ_4K))
			return true;
		usleep(100);
	}
	return false;
}

/* Returns what fails, or NULL. */
static const char *split_and_coalesce(struct snp_bare *owner)
{
	struct kvm_pre_fault_memory range = { .gpa = HUGE_GPA, .size = SZ_2M };
	uint64_t page = HUGE_GPA + 100 * SZ_4K;

	if (pvalidate(owner, page, PVAL_4K, false) || pvalidate(owner, page, PVAL_4K, true) ||
	    pvalidate(owner, HUGE_GPA, PVAL_2M, true) != PVAL_MISMATCH)
		return "the owner can't split the page";
	if (!mirror_writes(owner))
		return "the mirror's vCPU hangs after the owner has split the page";
	if (__pre_fault(owner->vcpu_fd[0], &range) ||
	    pvalidate(owner, HUGE_GPA, PVAL_2M, true) != PVAL_NO_CHANGE)
		return "a pre-fault doesn't make the page whole";
	if (!mirror_writes(owner))
		return "the mirror's vCPU hangs after the page was made whole";
	return NULL;
}

/* Pages that a vCPU of one VM uses are split and coalesced by the other. */
static void test_sizes(struct snp_bare *owner, struct snp_bare *mirror)
{
	const char *failure = NULL;
	struct vcpu_watch watch;
	pthread_t thread;
	unsigned int i;

	watch_begin(&watch, mirror->vcpu_fd[1]);
	pthread_create(&thread, NULL, run_mirror, mirror);
	check(mirror_writes(owner), "a vCPU of the mirror writes to a page");
	for (i = 0; i < NR_ROUNDS && !failure; i++)
		failure = split_and_coalesce(owner);
	mirror->run[1]->immediate_exit = 1;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	mirror->run[1]->immediate_exit = 0;
	check(!failure, "split and coalesced while it runs, %u times: %s", i,
	      failure ?: "it gets on each time");
	watch_end(&watch, (2 * i + 1) * NR_SPUN_PAGES, "the mirror's vCPU");
	check(holds(owner, 0), "with the content that it had");
	check(audit_is_clean(), "the audit has no findings");
}

static struct kvm_run *stuck;

static void end_stuck(int sig)
{
	stuck->immediate_exit = 1;
}

/*
 * A page that a mirror has mapped as shared, of a file that the host can map, becomes a
 * private one of the owner: the mirror's vCPU must not fault on it forever.
 */
static void test_shared_then_owned(void)
{
	uint64_t gpa = SMALL_GPA + 7 * SZ_4K, shared = gpa + BARE_DATA_SHARED - BARE_DATA_GPA;
	struct snp_bare owner, mirror;
	int r;

	signal(SIGALRM, end_stuck);
	mirror_start(&owner, &mirror);
	bare_close(&owner.data_fd);
	owner.data_fd = __gmem_create(owner.vm_fd, BARE_DATA_SIZE, GUEST_MEMFD_FLAG_MMAP);
	r = __set_region2(owner.vm_fd, 2, 0, BARE_DATA_GPA, 0, owner.data, -1, 0);
	TEST_ASSERT(!r && owner.data_fd >= 0 && bare_bind_data(&owner, BARE_DATA_SIZE, 0),
		    "No memory that the host can map");
	mirror_launch(&owner, &mirror);

	set_private(owner.vm_fd, gpa, SZ_4K, true);
	set_private(mirror.vm_fd, gpa, SZ_4K, false);
	check(!bare_run(&mirror, 1) && !bare_order(&mirror, 1, BARE_WRITE, shared, VALUE, 0),
	      "a page is shared in the mirror");
	check(!pvalidate(&owner, gpa, PVAL_4K, true), "the owner makes it private");
	stuck = mirror.run[1];
	alarm(20);
	r = bare_order(&mirror, 1, BARE_WRITE, shared, VALUE, 0);
	alarm(0);
	check(r == -1 && errno == EFAULT && bare_is_fault(&mirror, 1, gpa),
	      "the mirror's next write exits (%d)", r);
	bare_free(&mirror);
	bare_free(&owner);
	check_asids(0, "nothing is left");
}

static void test_mirror(void)
{
	struct snp_bare owner, mirror, to;
	uint64_t says;

	mirror_start(&owner, &mirror);
	test_refused_copies(&owner, &mirror);
	mirror_launch(&owner, &mirror);
	fill(&owner);
	check(!bare_run(&mirror, 1) && holds(&mirror, 1), "a vCPU of the mirror sees the same");
	check(!bare_order(&mirror, 1, BARE_WRITE, SMALL_GPA, VALUE, 0) &&
	      reads(&owner, 0, SMALL_GPA, VALUE), "and what it writes is seen");
	says = firmware_says(&owner, 0);
	check(says && firmware_says(&mirror, 1) == says, "the firmware knows it (%#lx)", says);

	bare_create_like(&to, &owner);
	bare_add_running_vcpus(&to);
	check(!bare_move(&to, &owner) && bare_take_memory(&to, &owner), "the guest is moved");
	check(holds(&to, 0) && holds(&mirror, 1), "and has its mirror still");
	check(firmware_says(&mirror, 1) == says, "which the firmware knows");
	bare_free(&owner);
	test_sizes(&to, &mirror);
	bare_free(&to);
	check_asids(1, "the mirror is still there");
	bare_free(&mirror);
	check_asids(0, "nothing is");
}

/* With kvm_amd.sev_snp_move=0, KVM_ENC_CONTEXT_SNP does not exist. */
static void test_off(void)
{
	struct snp_bare a, b;

	bare_init(&a);
	TEST_ASSERT(!bare_create_vm(&a) && !bare_init2(&a) && !bare_add_memory(&a) &&
		    !bare_add_vcpus(&a) && !bare_launch_start(&a), "No guest");
	bare_create_like(&b, &a);
	check_errno(bare_mirror(&b, &a), EINVAL, "off: mirrored");
	TEST_ASSERT(!bare_launch_pages(&a) && !bare_launch_finish(&a) && !bare_run(&a, 0),
		    "The guest doesn't start");
	bare_add_running_vcpus(&b);
	check_errno(bare_move(&b, &a), EINVAL, "off: moved");
	bare_free(&b);
	check(!bare_order(&a, 0, BARE_READ, BARE_SHARED_GPA, 0, 0), "off: the guest goes on");
	bare_free(&a);
}

int main(int argc, char *argv[])
{
	long leaked;

	require_snp();
	setbuf(stdout, NULL);
	signal(SIGUSR1, nothing);
	if (!read_parameter("/sys/module/kvm_amd/parameters/sev_snp_move")) {
		test_off();
		return check_finish();
	}

	leaked = leaked_pages();

	test_move();
	test_pending();
	test_waiting();
	test_mirror();
	test_shared_then_owned();

	check(leaked_pages() == leaked, "no page is leaked");
	return check_finish();
}
