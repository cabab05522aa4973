// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file of a guest_memfd, the memslots bound to it, the vCPUs and the VM can be
 * released in any order, concurrently, and while vCPUs fault, without leaking anything.
 *
 * Leaks are detected with exact counters: module references, unevictable pages, page
 * table pages and the VMs in debugfs, each of which has its vCPUs. Counters that don't
 * exist are ignored.
 */
#define _GNU_SOURCE /* for program_invocation_name */
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "private_mem_watch.h"
#include "processor.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define SLOT_SIZE	(4 * SZ_2M)
#define VALUE		0x5157000000000000ul
#define NR_ORDERS	24
#define NR_WORKERS	8

static int nr_vms = 200, nr_rounds = 30;

struct left {
	long kvm_refs;
	long vendor_refs;
	long unevictable;
	long page_tables;
	long leaked;
	long vms;
};

/* True if @a is not more than @b, or if that counter doesn't exist. */
static bool same(long a, long b)
{
	return b < 0 || a <= b;
}

static void look(struct left *left)
{
	const char *vendor = is_amd_cpu() ? "/sys/module/kvm_amd/refcnt" :
					    "/sys/module/kvm_intel/refcnt";

	/* Some counters are per CPU, and differ from the sum until it is read. */
	write_string("/proc/sys/vm/drop_caches", "1");
	read_number("/proc/sys/vm/stat_refresh");
	left->kvm_refs = read_number("/sys/module/kvm/refcnt");
	left->vendor_refs = read_number(vendor);
	left->unevictable = read_keyed("/proc/vmstat", "nr_unevictable");
	left->page_tables = read_keyed("/proc/vmstat", "nr_sec_page_table_pages");
	left->leaked = read_number(LEAKED_PAGES);
	left->vms = count_directories(DEBUGFS "kvm");
}

static void compare(const char *after, const struct left *before, bool verbose)
{
	struct left now;
	int i;

	/* Give a worker a second to do what the last reference has left to it. */
	for (i = 0; i < 20; i++) {
		look(&now);
		if (same(now.vendor_refs, before->vendor_refs) &&
		    same(now.unevictable, before->unevictable) &&
		    same(now.page_tables, before->page_tables))
			break;
		usleep(50000);
	}

	if (verbose)
		printf("# references %ld, pages %ld -> %ld, tables %ld -> %ld, VMs %ld -> %ld\n",
		       now.vendor_refs, before->unevictable, now.unevictable,
		       before->page_tables, now.page_tables, before->vms, now.vms);
	check(same(now.vendor_refs, before->vendor_refs) &&
	      same(now.kvm_refs, before->kvm_refs),
	      "%s: no reference to a module is left", after);
	check(same(now.unevictable, before->unevictable), "%s: no private page is left", after);
	check(same(now.page_tables, before->page_tables), "%s: no page table is left", after);
	check(same(now.vms, before->vms), "%s: no VM is left", after);
	check(same(now.leaked, before->leaked), "%s: no page is leaked", after);
}

/* A VM without a guest: its memory is mapped by pre-faulting. */
struct bare_vm {
	int vm;
	int vcpu;
	int gmem;
};

static void bare_vm_create(struct bare_vm *b, int kvm_fd)
{
	struct kvm_pre_fault_memory range = { .gpa = SZ_1G, .size = SLOT_SIZE };
	int r;

	b->vm = ioctl(kvm_fd, KVM_CREATE_VM, KVM_X86_SW_PROTECTED_VM);
	TEST_ASSERT(b->vm >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VM, b->vm));
	b->vcpu = ioctl(b->vm, KVM_CREATE_VCPU, 0);
	TEST_ASSERT(b->vcpu >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VCPU, b->vcpu));
	b->gmem = gmem_create(b->vm, SLOT_SIZE);
	r = __set_region2(b->vm, 0, KVM_MEM_GUEST_MEMFD, SZ_1G, SLOT_SIZE, NULL, b->gmem, 0);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));

	/* A hole makes 4 KiB mappings in one of the blocks. */
	set_private(b->vm, SZ_1G, SLOT_SIZE, true);
	set_private(b->vm, SZ_1G + SZ_2M, SZ_4K, false);
	range.size = SZ_2M;
	r = __pre_fault(b->vcpu, &range);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_PRE_FAULT_MEMORY, r));
	range.gpa += SZ_4K;
	range.size = 4 * SZ_4K;
	r = __pre_fault(b->vcpu, &range);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_PRE_FAULT_MEMORY, r));
}

/* Release the four parts in the order of the @nr-th permutation. */
static int bare_vm_destroy(struct bare_vm *b, int nr)
{
	bool deleted_slot = false;
	int left[4] = { 0, 1, 2, 3 };
	int i, k, what, r = 0;

	for (i = 4; i > 0; i--) {
		k = nr % i;
		nr /= i;
		what = left[k];
		left[k] = left[i - 1];

		switch (what) {
		case 0:
			close(b->gmem);
			break;
		case 1:
			/* Without the fd of the VM that is impossible. */
			r |= !deleted_slot && b->vm >= 0 &&
			     __set_region2(b->vm, 0, 0, SZ_1G, 0, NULL, 0, 0);
			deleted_slot = true;
			break;
		case 2:
			close(b->vcpu);
			break;
		case 3:
			close(b->vm);
			b->vm = -1;
			break;
		}
	}
	return r;
}

/* Returns how often releasing a part failed. */
static int create_and_destroy(int kvm_fd, int first, int nr)
{
	struct bare_vm b;
	int i, bad = 0;

	for (i = first; i < first + nr; i++) {
		bare_vm_create(&b, kvm_fd);
		bad += !!bare_vm_destroy(&b, i % NR_ORDERS);
	}
	return bad;
}

/* Most of the time is spent waiting for grace periods, hence the many processes. */
static void test_orders(int kvm_fd)
{
	int i, status, bad, per_worker = (nr_vms + NR_WORKERS - 1) / NR_WORKERS;
	struct left before;

	/* Don't count what is allocated only once. */
	bad = create_and_destroy(kvm_fd, 0, NR_ORDERS);
	look(&before);

	for (i = 0; i < NR_WORKERS; i++) {
		pid_t pid = fork();

		TEST_ASSERT(pid >= 0, "No worker, errno %d", errno);
		if (!pid)
			_exit(create_and_destroy(kvm_fd, i * per_worker, per_worker) ? 1 : 0);
	}
	while (wait(&status) > 0)
		bad += !WIFEXITED(status) || WEXITSTATUS(status);

	check(!bad, "%d VMs are created, and their parts let go in each order",
	      NR_ORDERS + NR_WORKERS * per_worker);
	compare("VMs that are gone", &before, true);
}

/* Only the file of the VM is left, in two processes. */
static void test_file_outlives(int kvm_fd)
{
	struct left before, now;
	struct bare_vm b;
	int status;
	pid_t pid;

	look(&before);
	bare_vm_create(&b, kvm_fd);
	look(&now);
	check(same(before.page_tables + 1, now.page_tables), "page tables in use are counted");
	close(b.vcpu);
	close(b.vm);

	gmem_punch(b.gmem, SZ_2M + SZ_4K, SZ_4K);
	gmem_punch(b.gmem, 0, SZ_2M);
	gmem_allocate(b.gmem, 0, SLOT_SIZE);
	look(&now);
	check(same(before.vendor_refs + 1, now.vendor_refs), "the file alone pins the module");
	check(same(before.unevictable + 1024, now.unevictable), "its private pages are counted");

	pid = fork();
	if (!pid) {
		usleep(100000);
		_exit(__gmem_punch(b.gmem, SZ_2M, SZ_2M) ? 1 : 0);
	}
	close(b.gmem);
	waitpid(pid, &status, 0);
	check(WIFEXITED(status) && !WEXITSTATUS(status), "the file works in another process");
	compare("a file that outlived its VM", &before, false);
}

/* Below, vCPUs write to and read from private memory until they are stopped. */
static bool stop;
static struct private_slot slot;

struct runner {
	pthread_t thread;
	struct kvm_vcpu *vcpu;
	unsigned long faults;
	unsigned long done;
	const char *failure;
	struct vcpu_watch watch;
};

static uint64_t guest_write_and_read(uint64_t gpa, uint64_t size, uint64_t value)
{
	uint64_t end = gpa + size, got, bad = 0;

	for (; gpa < end; gpa += 16 * SZ_4K) {
		WRITE_ONCE(*(uint64_t *)gpa, value + gpa);
		got = READ_ONCE(*(uint64_t *)gpa);
		/* Another file or a hole has zeroes. */
		bad += got && got != value + gpa;
	}
	return bad;
}

static void *run_vcpu(void *arg)
{
	struct runner *runner = arg;
	struct kvm_vcpu *vcpu = runner->vcpu;
	uint64_t bad, offset = vcpu->id * 8;
	int r;

	while (!READ_ONCE(stop) && !runner->failure) {
		r = __guest_call(vcpu, guest_write_and_read, slot.gpa + offset, slot.size,
				 VALUE + (offset << 32));
		while (r || !guest_returned(vcpu, &bad)) {
			/* No file, no slot, or a slot whose file is closed. */
			if (r && (errno != EFAULT ||
				  vcpu->run->exit_reason != KVM_EXIT_MEMORY_FAULT ||
				  vcpu->run->memory_fault.flags != KVM_MEMORY_EXIT_FLAG_PRIVATE)) {
				runner->failure = "KVM_RUN fails with another fault";
				return NULL;
			}
			if (!r) {
				runner->failure = "an exit that isn't a memory fault";
				return NULL;
			}
			runner->faults++;
			if (READ_ONCE(stop))
				return NULL;
			r = __guest_resume(vcpu);
		}
		if (bad)
			runner->failure = "the guest reads what it did not write";
		runner->done++;
	}
	return NULL;
}

static void runners_start(struct runner *runners, struct kvm_vcpu **vcpus, int nr)
{
	int i;

	WRITE_ONCE(stop, false);
	for (i = 0; i < nr; i++) {
		runners[i] = (struct runner) { .vcpu = vcpus[i] };
		watch_begin(&runners[i].watch, vcpus[i]->fd);
		pthread_create(&runners[i].thread, NULL, run_vcpu, &runners[i]);
	}
}

/* Each of them completes another round, fails, or is stuck. */
static void runners_wait(struct runner *runners, int nr)
{
	unsigned long done;
	int i, k;

	for (i = 0; i < nr; i++) {
		done = READ_ONCE(runners[i].done);
		for (k = 0; k < 20000 && READ_ONCE(runners[i].done) == done &&
		     !READ_ONCE(runners[i].failure); k++)
			usleep(1000);
	}
}

static void runners_stop(struct runner *runners, int nr, const char *what)
{
	const uint64_t accesses = 2 * SLOT_SIZE / (16 * SZ_4K);
	unsigned long faults = 0, done = 0;
	const char *failure = NULL;
	int i;

	WRITE_ONCE(stop, true);
	for (i = 0; i < nr; i++) {
		pthread_join(runners[i].thread, NULL);
		faults += runners[i].faults;
		done += runners[i].done;
		failure = failure ?: runners[i].failure;
	}
	printf("# %lu rounds of the guest, %lu memory faults\n", done, faults);
	for (i = 0; i < nr; i++)
		watch_end(&runners[i].watch, runners[i].done * accesses + runners[i].faults,
			  "%s: vCPU %d", what, i);
	check(audit_is_clean(), "%s: the audit has no findings", what);
	check(!failure, "%s: %s", what, failure ?: "the guest sees what it wrote or zeroes");
}

static void test_unbind_under_load(void)
{
	struct kvm_vcpu *vcpus[2];
	struct runner runners[2];
	struct left before;
	struct kvm_vm *vm;
	int i, r = 0;

	look(&before);
	vm = private_vm_create(2, vcpus);
	private_slot_add(&slot, vm, 1, PRIVATE_GPA, SLOT_SIZE);
	set_private(vm->fd, slot.gpa, slot.size, true);
	runners_start(runners, vcpus, 2);

	for (i = 0; i < nr_rounds && !r; i++) {
		usleep(2000);
		switch (i % 3) {
		case 0: /* The file is closed first. */
			close(slot.gmem_fd);
			usleep(1000);
			r = __private_slot_set(&slot, false);
			slot.gmem_fd = gmem_create(vm->fd, slot.size);
			break;
		case 1: /* The slot is deleted first. */
			r = __private_slot_set(&slot, false);
			close(slot.gmem_fd);
			slot.gmem_fd = gmem_create(vm->fd, slot.size);
			break;
		case 2: /* The slot is deleted and created again, on the same pages. */
			r = __private_slot_set(&slot, false);
			break;
		}
		r = r ?: __private_slot_set(&slot, true);
	}

	runners_wait(runners, 2);
	runners_stop(runners, 2, "bound and unbound under load");
	check(!r, "%d times bound and unbound under load", nr_rounds);
	check(!guest_call(vcpus[0], guest_write_and_read, slot.gpa, slot.size, VALUE),
	      "the slot works after that");
	private_slot_remove(&slot);
	kvm_vm_free(vm);
	compare("slots unbound under load", &before, false);
}

/* Two closers and two vCPUs at the same time. */
static void *close_file(void *unused)
{
	close(slot.gmem_fd);
	return NULL;
}

static void *delete_slot(void *unused)
{
	__private_slot_set(&slot, false);
	return NULL;
}

static void kill_at(int nr, bool die)
{
	struct kvm_vcpu *vcpus[2];
	struct runner runners[2];
	pthread_t closer, deleter;
	struct kvm_vm *vm;

	vm = private_vm_create(2, vcpus);
	private_slot_add(&slot, vm, 1, PRIVATE_GPA, SLOT_SIZE);
	set_private(vm->fd, slot.gpa, slot.size, true);
	runners_start(runners, vcpus, 2);
	usleep(1000 * (nr % 7));

	pthread_create(&closer, NULL, close_file, NULL);
	pthread_create(&deleter, NULL, delete_slot, NULL);
	if (die)
		kill(getpid(), SIGKILL);
	pthread_join(closer, NULL);
	pthread_join(deleter, NULL);
	_exit(runners[0].failure || runners[1].failure);
}

static void test_all_at_once(void)
{
	int i, status, bad = 0;
	struct left before;
	pid_t pid;

	look(&before);
	for (i = 0; i < nr_rounds; i++) {
		pid = fork();
		if (!pid)
			kill_at(i, i & 1);
		waitpid(pid, &status, 0);
		bad += WIFEXITED(status) ? WEXITSTATUS(status) != 0 : WTERMSIG(status) != SIGKILL;
	}
	check(!bad, "%d processes end while vCPUs fault, the file closes and the slot goes",
	      nr_rounds);
	compare("processes that ended", &before, false);
}

int main(int argc, char *argv[])
{
	int opt, kvm_fd;

	while ((opt = getopt(argc, argv, "n:r:")) != -1) {
		if (opt == 'n' && atoi(optarg) > 0)
			nr_vms = atoi(optarg);
		else if (opt == 'r' && atoi(optarg) > 0)
			nr_rounds = atoi(optarg);
		else
			ksft_exit_fail_msg("usage: %s [-n VMs] [-r rounds]\n", argv[0]);
	}

	require_private_mem();
	mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	kvm_fd = open_kvm_dev_path_or_exit();
	test_orders(kvm_fd);
	test_file_outlives(kvm_fd);
	test_unbind_under_load();
	test_all_at_once();
	close(kvm_fd);
	return check_finish();
}
