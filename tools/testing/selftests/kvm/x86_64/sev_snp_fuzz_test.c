// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random requests of SNP guests and random ioctls on them, with valid and invalid values.
 * The results don't matter, but there has to be one: no vCPU hangs, the kernel logs
 * nothing, and nothing is leaked.
 *
 * The seed determines everything except the interleaving of two threads.
 */
#define _GNU_SOURCE /* for fallocate() */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/kvm_para.h>
#include <linux/psp-sev.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#include "private_mem_watch.h"
#include "processor.h"
#include "snp_bare.h"

#define OPS_PER_GUEST	150
#define CHANCE(n)	(!(any() % (n)))

/* A vCPU that takes this many faults between two calls is not waiting. */
#define BUSY_FAULTS	100
/* A vCPU that is kicked must return within this many milliseconds. */
#define MAX_KICKS	60000

static struct snp_bare b;
static struct vcpu_guard guards[] = {
	{ .watch.stats_fd = -1 },
	{ .watch.stats_fd = -1 },
};

static uint64_t seed = 1, state;
static unsigned long nr_ops = 2000, nr_seconds;
static unsigned long done, guests, exits, faults, refused, orders;

static pthread_t main_thread;

/*
 * A vCPU may wait forever, if it was told to. If nothing has happened since the last
 * call, the timer makes it return, and the test gives up on the guest. A vCPU that takes
 * faults without progress is not made to return: the guard has to find it.
 */
static void call_back(int sig)
{
	static unsigned long last, last_taken;
	unsigned long now = done + exits + faults + guests;
	unsigned long taken = watch_faults(&guards[0].watch);

	if (!pthread_equal(pthread_self(), main_thread)) {
		pthread_kill(main_thread, SIGALRM);
		return;
	}
	if (now == last && b.run[0] && taken - last_taken < BUSY_FAULTS)
		b.run[0]->immediate_exit = 1;
	last = now;
	last_taken = taken;
}

static void set_timer(unsigned int usecs)
{
	struct itimerval often = { .it_interval.tv_usec = usecs, .it_value.tv_usec = usecs };

	main_thread = pthread_self();
	signal(SIGALRM, call_back);
	setitimer(ITIMER_REAL, &often, NULL);
}

static uint64_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t below(uint64_t limit)
{
	return any() % limit;
}

/* Small numbers, bits, edge cases, and sometimes any number. */
static uint64_t any_number(void)
{
	switch (below(8)) {
	case 0:
		return any();
	case 1:
		return 1ul << below(64);
	case 2:
		return (1ul << below(64)) - 1;
	case 3:
		return -below(4096);
	case 4:
		return 0;
	default:
		return below(600);
	}
}

static uint64_t any_gpa(void)
{
	static const uint64_t bases[] = {
		0, BARE_TABLES_GPA, BARE_CODE_GPA, BARE_VMSA_GPA, BARE_SHARED_GPA,
		BARE_CTL(0), BARE_BUFFER(0), BARE_GHCB(1), BARE_DATA_GPA, BARE_DATA_GPA + SZ_2M,
		BARE_DATA_GPA + BARE_DATA_SIZE, SZ_1G, 0xfee00000, 1ul << 35, 1ul << 47,
	};
	uint64_t gpa = BARE_DATA_GPA + below(BARE_DATA_SIZE / SZ_4K) * SZ_4K;

	/* Rarely touch what the guest needs to survive. */
	if (CHANCE(4))
		gpa = BARE_DATA_GPA + below(2) * SZ_2M;
	if (CHANCE(24))
		gpa = bases[below(ARRAY_SIZE(bases))] + below(16) * SZ_4K;
	if (CHANCE(24))
		gpa += below(4096);
	return CHANCE(64) ? any() : gpa;
}

static uint64_t any_size(void)
{
	static const uint64_t sizes[] = {
		SZ_4K, 3 * SZ_4K, SZ_2M, 2 * SZ_2M, 16 * SZ_4K, 0, SZ_1G,
	};

	return CHANCE(16) ? any_number() : sizes[below(ARRAY_SIZE(sizes))];
}

/* --- The second vCPU, in a thread ----------------------------------------------------- */

static pthread_t thread;
static bool thread_runs, thread_ended, stop;

static void nothing(int sig)
{
}

static void *run_second(void *unused)
{
	unsigned int left = 200;
	int r;

	while (!READ_ONCE(stop) && left--) {
		r = bare_run(&b, 1);
		if (r == KVM_EXIT_HYPERCALL)
			b.run[1]->hypercall.ret = 0;
		else if (r)
			break;
	}
	WRITE_ONCE(thread_ended, true);
	return NULL;
}

static void start_second(void)
{
	if (thread_runs || b.vcpu_fd[1] < 0 || !b.run[1])
		return;

	b.run[1]->immediate_exit = 0;
	WRITE_ONCE(stop, false);
	WRITE_ONCE(thread_ended, false);
	thread_runs = !pthread_create(&thread, NULL, run_second, NULL);
}

static void stop_second(void)
{
	unsigned int kicks = 0;

	if (!thread_runs)
		return;

	WRITE_ONCE(stop, true);
	b.run[1]->immediate_exit = 1;
	while (!READ_ONCE(thread_ended)) {
		pthread_kill(thread, SIGUSR1);
		usleep(1000);
		TEST_ASSERT(++kicks < MAX_KICKS, "The second vCPU doesn't come back when kicked");
	}
	pthread_join(thread, NULL);
	thread_runs = false;
}

/* --- Requests of the guest ------------------------------------------------------------ */

static void fuzz_psc(void)
{
	uint8_t *event = b.shared + BARE_EVENT(0) - BARE_SHARED_GPA;
	uint16_t *header = (uint16_t *)(event + GHCB_SHARED_BUFFER);
	uint64_t *entries = (uint64_t *)(header + 4);
	unsigned int i, nr = CHANCE(4) ? 253 : 1 + below(8);
	uint64_t gpa = any_gpa() & ~(SZ_4K - 1), huge;

	header[0] = CHANCE(8) ? any_number() : 0;
	header[1] = CHANCE(8) ? any_number() : nr - 1;
	for (i = 0; i < nr; i++) {
		huge = CHANCE(8);
		entries[i] = (gpa & 0xffffffffff000ul) | (1 + below(2)) << 52 | huge << 56;
		if (CHANCE(16))
			entries[i] ^= 1ul << below(64);
		if (CHANCE(3))
			gpa = any_gpa() & ~(SZ_4K - 1);
		else
			gpa += huge ? SZ_2M : SZ_4K;
	}
	bare_event_set(&b, 0, GHCB_SCRATCH, BARE_GHCB(0) + GHCB_SHARED_BUFFER +
		       (CHANCE(16) ? any_number() : 0));
}

static uint64_t any_event(void)
{
	static const uint64_t codes[] = {
		EVENT_PSC, EVENT_PSC, EVENT_PSC, EVENT_GUEST_REQUEST, EVENT_EXT_REQUEST,
		EVENT_AP_CREATION, EVENT_AP_CREATION, 0x80000001, 0x80000002, 0x80000003,
		0x80000005, 0x8000fffd, 0x72, 0x7b, 0x7c, 0x81, 0x87, 0x89, 0x8a, 0x8b, 0x27,
		0x37, 0x76,
	};
	/* After these the guest can't continue, or not without interrupts. */
	static const uint64_t last[] = {
		0x80000004, 0x8000fffe, 0x8000ffff, 0x6e, 0x6f, 0x78, 0x400,
	};

	if (CHANCE(64))
		return last[below(ARRAY_SIZE(last))];

	return CHANCE(24) ? any_number() : codes[below(ARRAY_SIZE(codes))];
}

static int fuzz_event(void)
{
	uint8_t *event = b.shared + BARE_EVENT(0) - BARE_SHARED_GPA;
	uint64_t code = any_event(), info1 = any_number(), info2 = any_number();
	unsigned int i;

	bare_event_clear(&b, 0);
	for (i = below(6); i; i--)
		bare_event_set(&b, 0, below(GHCB_VALID_BITMAP / 8) * 8, any_number());
	if (code == EVENT_PSC) {
		fuzz_psc();
	} else if (code == EVENT_AP_CREATION) {
		bare_event_set(&b, 0, GHCB_RAX, CHANCE(8) ? any_number() : 1);
		info1 = CHANCE(8) ? any_number() : (uint64_t)!CHANCE(16) << 32 | below(3);
		info2 = CHANCE(2) ? BARE_VMSA_GPA : any_gpa();
	} else if (code == EVENT_GUEST_REQUEST || code == EVENT_EXT_REQUEST) {
		info1 = any_gpa();
		info2 = any_gpa();
		bare_event_set(&b, 0, GHCB_RAX, any_gpa());
		bare_event_set(&b, 0, GHCB_RBX, any_number());
	} else {
		bare_event_set(&b, 0, GHCB_RAX, any_number());
		bare_event_set(&b, 0, GHCB_RCX, any_number());
		bare_event_set(&b, 0, GHCB_RDX, any_number());
		bare_event_set(&b, 0, GHCB_SCRATCH, CHANCE(2) ? any_gpa() :
			       BARE_GHCB(0) + GHCB_SHARED_BUFFER + below(2048));
		if (CHANCE(2))
			info1 = any_gpa();
	}
	for (i = CHANCE(4) ? below(4) : 0; i; i--)
		event[below(SZ_4K)] = any();
	return bare_event(&b, 0, code, info1, info2);
}

static int fuzz_msr(void)
{
	static const uint64_t requests[] = {
		0x002, 0x004, 0x010, 0x012, 0x014, 0x014, 0x014, 0x080, 0x100,
	};
	uint64_t value = requests[below(ARRAY_SIZE(requests))] | (any_gpa() & ~0xffful);

	if ((value & 0xfff) == MSR_PSC)
		value |= below(4) << 52;
	else if (CHANCE(32))
		value = 0x006;	/* it waits for a start-up interrupt */
	if (CHANCE(8))
		value = any_gpa() & ~0xffful;
	return bare_order(&b, 0, BARE_MSR, CHANCE(16) ? any_number() : value, 0, 0);
}

static int fuzz_instruction(void)
{
	uint64_t gpa = BARE_DATA_GPA + below(1024) * SZ_4K;
	int r;

	if (CHANCE(2))
		gpa = BARE_DATA_GPA + below(2) * SZ_2M;
	switch (below(6)) {
	case 0:
		return bare_order(&b, 0, BARE_PVALIDATE, gpa, CHANCE(2), !CHANCE(3));
	case 1:
		return bare_order(&b, 0, BARE_RMPADJUST, gpa, CHANCE(4),
				  CHANCE(2) ? RMPADJUST_VMSA : any_number());
	case 2:
		return bare_order(&b, 0, BARE_VALIDATE, gpa, gpa + below(32) * SZ_4K, 0);
	case 3:
		return bare_order(&b, 0, BARE_WRITE, gpa + BARE_DATA_SHARED - BARE_DATA_GPA, 1, 0);
	case 4:
		return bare_order(&b, 0, BARE_RMPADJUST, BARE_VMSA_GPA, 0, RMPADJUST_VMSA);
	default:
		r = bare_order(&b, 0, BARE_VALIDATE, gpa, gpa + SZ_4K, 0);
		return r ?: bare_order(&b, 0, BARE_WRITE, gpa, 1, 0);
	}
}

/* --- Ioctls of userspace -------------------------------------------------------------- */

static int fuzz_attributes(void)
{
	return __set_attributes(b.vm_fd, any_gpa(), any_size(),
				CHANCE(16) ? any_number() :
				CHANCE(2) ? 0 : KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

static int fuzz_file(void)
{
	int fd = CHANCE(64) ? b.ram_fd : b.data_fd;
	int mode = FALLOC_FL_KEEP_SIZE | (CHANCE(3) ? 0 : FALLOC_FL_PUNCH_HOLE);

	return fallocate(fd, mode, below(1024) * SZ_4K, any_size());
}

static int fuzz_slot(void)
{
	uint64_t offset = CHANCE(4) ? below(1024) * SZ_4K : 0;
	uint64_t size = CHANCE(4) ? any_size() : BARE_DATA_SIZE;
	int r;

	r = __set_region2(b.vm_fd, 2, 0, BARE_DATA_GPA, 0, b.data, -1, 0);
	if (CHANCE(4)) {
		bare_close(&b.data_fd);
		b.data_fd = __gmem_create(b.vm_fd, BARE_DATA_SIZE, 0);
	}
	r |= __set_region2(b.vm_fd, 2, KVM_MEM_GUEST_MEMFD, BARE_DATA_GPA, size, b.data, b.data_fd,
			   offset);
	if (r)
		__set_region2(b.vm_fd, 2, KVM_MEM_GUEST_MEMFD, BARE_DATA_GPA, BARE_DATA_SIZE,
			      b.data, b.data_fd, 0);
	return r;
}

static void mutate(void *p, size_t size)
{
	unsigned int i;

	for (i = CHANCE(2) ? 0 : 1 + below(3); i; i--)
		((uint8_t *)p)[below(size)] = any();
}

static int fuzz_command(void)
{
	struct kvm_sev_snp_launch_update update = {
		.gfn_start = any_gpa() / SZ_4K,
		.uaddr = (uintptr_t)b.image + below(16) * SZ_4K,
		.len = CHANCE(4) ? any_size() : SZ_4K,
		.type = below(8),
	};
	struct kvm_sev_snp_launch_start start = { .policy = 0x30000 };
	struct kvm_sev_snp_launch_finish finish = {};
	struct kvm_sev_init init = {};

	switch (below(10)) {
	case 0:
		mutate(&init, sizeof(init));
		return bare_command(&b, KVM_SEV_INIT2, &init, NULL);
	case 1:
		mutate(&start, sizeof(start));
		return bare_command(&b, KVM_SEV_SNP_LAUNCH_START, &start, NULL);
	case 2:
		/* It waits for running vCPUs, and gives up only if it is killed. */
		stop_second();
		mutate(&finish, sizeof(finish));
		return bare_command(&b, KVM_SEV_SNP_LAUNCH_FINISH, &finish, NULL);
	case 3:
		return bare_command(&b, KVM_SEV_SNP_ENABLE_REQ_CERTS, NULL, NULL);
	case 4:
		stop_second();
		return bare_command(&b, below(120), &update, NULL);
	default:
		if (CHANCE(4))
			mutate(&update, sizeof(update));
		/* The pages belong to the test, whatever overwrites them. */
		return bare_command(&b, KVM_SEV_SNP_LAUNCH_UPDATE, &update, NULL);
	}
}

static int fuzz_vcpu(void)
{
	struct kvm_pre_fault_memory range = { .gpa = any_gpa(), .size = any_size() };
	struct kvm_mp_state mp = { .mp_state = below(12) };
	struct kvm_vcpu_events events = {};
	int cpu = thread_runs ? 0 : below(2), fd = b.vcpu_fd[cpu];

	if (fd < 0)
		return -1;
	if (range.size > SZ_1G)
		range.size = SZ_4K;
	switch (below(4)) {
	case 0:
		return cpu ? ioctl(fd, KVM_SET_MP_STATE, &mp) : 0;
	case 1:
		events.flags = KVM_VCPUEVENT_VALID_SMM;
		events.smi.latched_init = cpu;
		return ioctl(fd, KVM_SET_VCPU_EVENTS, &events);
	default:
		return ioctl(fd, KVM_PRE_FAULT_MEMORY, &range);
	}
}

/* Move the guest to another VM, or mirror it there, and destroy that VM. */
static int fuzz_other_vm(void)
{
	static const uint32_t caps[] = {
		KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, KVM_CAP_VM_COPY_ENC_CONTEXT_FROM,
	};
	struct kvm_enable_cap cap = {
		.cap = caps[below(ARRAY_SIZE(caps))],
		.enc_context = { CHANCE(16) ? any_number() : b.vm_fd,
				 CHANCE(8) ? any_number() : KVM_ENC_CONTEXT_SNP },
	};
	struct kvm_create_guest_memfd link = {
		.size = CHANCE(8) ? any_size() : BARE_DATA_SIZE,
		.flags = CHANCE(16) ? any_number() : GUEST_MEMFD_FLAG_LINK,
		.link_fd = CHANCE(8) ? b.ram_fd : b.data_fd,
	};
	int vm, r, i, fds[NR_BARE_VCPUS + 1] = { -1, -1, -1 };

	/* It waits for running vCPUs, too. */
	stop_second();
	vm = ioctl(b.kvm_fd, KVM_CREATE_VM, CHANCE(8) ? KVM_X86_SEV_ES_VM : KVM_X86_SNP_VM);
	for (i = CHANCE(3) ? 0 : NR_BARE_VCPUS; i; i--)
		fds[i] = ioctl(vm, KVM_CREATE_VCPU, i);
	r = ioctl(vm, KVM_ENABLE_CAP, &cap);
	fds[0] = ioctl(vm, KVM_CREATE_GUEST_MEMFD, &link);
	if (fds[0] >= 0 && !__set_region2(vm, 2, KVM_MEM_GUEST_MEMFD, BARE_DATA_GPA,
					  BARE_DATA_SIZE, b.data, fds[0], 0)) {
		__set_attributes(vm, any_gpa(), any_size(), KVM_MEMORY_ATTRIBUTE_PRIVATE);
		if (fds[1] >= 0)
			ioctl(fds[1], KVM_RUN, 0);
	}
	for (i = 0; i <= NR_BARE_VCPUS; i++)
		bare_close(&fds[i]);
	bare_close(&vm);
	return r;
}

static int fuzz_user(void)
{
	if (CHANCE(24))
		return fuzz_other_vm();

	switch (below(8)) {
	case 0:
		return fuzz_slot();
	case 1:
		return fuzz_command();
	case 2:
		return fuzz_vcpu();
	case 3:
		start_second();
		return 0;
	case 4:
		stop_second();
		return 0;
	case 5:
		return fuzz_file();
	default:
		return fuzz_attributes();
	}
}

/* --- Guests --------------------------------------------------------------------------- */

/* Launch in order, except for random steps in between and steps that are left out. */
static bool fuzz_launch(bool sane)
{
	int (*steps[])(struct snp_bare *b) = {
		bare_create_vm, bare_init2, bare_add_memory, bare_add_vcpus, bare_launch_start,
	};
	uint64_t gpa;
	unsigned int i;
	int r = 0;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		if (!sane && i && CHANCE(8))
			continue;
		r |= steps[i](&b);
		while (!sane && i && CHANCE(2)) {
			fuzz_command();
			done++;
		}
	}
	for (gpa = 0; gpa < BARE_LAUNCH_SIZE; gpa += SZ_4K) {
		if (!sane && CHANCE(4))
			fuzz_user();
		r |= bare_launch_page(&b, BARE_LAUNCH_GPA + gpa);
	}
	if (!sane && CHANCE(2))
		fuzz_user();
	stop_second();
	r |= bare_launch_finish(&b);
	for (i = 0; i < NR_BARE_VCPUS; i++)
		guard_begin(&guards[i], b.vcpu_fd[i], &b.in_run[i], &b.ctl[i]->count,
			    i ? "the second vCPU" : "the first vCPU");
	return !r && !bare_run(&b, 0);
}

/* Respond to what the guest waits for, sometimes with invalid values. */
static int answer(int r)
{
	struct kvm_run *run = b.run[0];
	unsigned int left = 600;

	while (r == KVM_EXIT_HYPERCALL && left--) {
		exits++;
		if (!CHANCE(3)) {
			r = bare_convert(&b, 0);
			continue;
		}
		run->hypercall.ret = CHANCE(2) ? 0 : CHANCE(2) ? EINVAL : any_number();
		r = bare_run(&b, 0);
	}
	return r;
}

/* Resolve a fault if userspace can do so; false if the guest is dead. */
static bool go_on(int r)
{
	struct kvm_run *run = b.run[0];
	unsigned int left = 50;

	for (; r; r = answer(bare_run(&b, 0))) {
		if (!left-- || (r < 0 && errno == EINTR))
			return false;
		if (r > 0) {
			exits++;
			if (r == KVM_EXIT_SHUTDOWN || r == KVM_EXIT_FAIL_ENTRY ||
			    r == KVM_EXIT_INTERNAL_ERROR)
				return false;
		} else if (run->exit_reason == KVM_EXIT_MEMORY_FAULT && errno == EFAULT) {
			faults++;
			if (__set_attributes(b.vm_fd, run->memory_fault.gpa & ~(SZ_4K - 1), SZ_4K,
					     run->memory_fault.flags &
					     KVM_MEMORY_EXIT_FLAG_PRIVATE ?
					     KVM_MEMORY_ATTRIBUTE_PRIVATE : 0))
				return false;
		}
	}
	return true;
}

static void fuzz_guest(void)
{
	unsigned int left = OPS_PER_GUEST, i;
	bool alive;

	bare_init(&b);
	alive = fuzz_launch(!CHANCE(3));
	if (alive && !CHANCE(8))
		__set_attributes(b.vm_fd, BARE_DATA_GPA, BARE_DATA_SIZE,
				 KVM_MEMORY_ATTRIBUTE_PRIVATE);

	/* A dead guest still gets some ioctls. */
	for (; left; left--, done++) {
		if (!alive || CHANCE(3))
			refused += !!fuzz_user();
		else if (CHANCE(4))
			alive = go_on(answer(fuzz_msr()));
		else if (CHANCE(3))
			alive = go_on(answer(fuzz_instruction()));
		else
			alive = go_on(answer(fuzz_event()));
		orders += alive;
		if (!alive && left > 10)
			left = 10;
	}
	stop_second();
	for (i = 0; i < NR_BARE_VCPUS; i++)
		guard_end(&guards[i], 0);
	bare_free(&b);
	b.run[0] = NULL;
	guests++;
}

int main(int argc, char *argv[])
{
	unsigned int max = bare_max_guests(), nr;
	time_t end;
	int opt;

	while ((opt = getopt(argc, argv, "n:s:t:")) != -1) {
		if (opt == 'n' && atol(optarg) > 0)
			nr_ops = atol(optarg);
		else if (opt == 's' && atol(optarg) > 0)
			seed = atol(optarg);
		else if (opt == 't' && atol(optarg) > 0)
			nr_seconds = atol(optarg);
		else
			ksft_exit_fail_msg("usage: %s [-n operations] [-t seconds] [-s seed]\n",
					   argv[0]);
	}

	require_snp();
	setbuf(stdout, NULL);
	signal(SIGUSR1, nothing);
	set_timer(300000);
	end = time(NULL) + nr_seconds;
	for (; nr_seconds ? time(NULL) < end : done < nr_ops; seed++) {
		/* The seed of a guest is enough to reproduce it. */
		state = seed * 0x9e3779b97f4a7c15ul + 1;
		printf("# seed %lu\n", seed);
		fuzz_guest();
	}

	printf("# %lu operations, %lu of them of a guest that lives, %lu guests\n", done, orders,
	       guests);
	printf("# %lu exits, %lu faults, %lu refused\n", exits, faults, refused);
	check(exits && faults && orders > done / 4, "guests got somewhere");
	check(!leaked_pages(), "no page is leaked");
	/* A pending signal is enough to make KVM_CREATE_VM fail. */
	set_timer(0);
	nr = bare_count_asids(max);
	check(nr == max, "%u of %u ASIDs are free", nr, max);
	return check_finish();
}
