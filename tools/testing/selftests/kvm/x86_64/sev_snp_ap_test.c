// SPDX-License-Identifier: GPL-2.0-only
/*
 * The second vCPU of an SNP guest, with VMSAs that the guest creates: valid and invalid
 * ones, VMSAs that are removed while a vCPU runs on them, and a VM that is destroyed in
 * the meantime.
 */
#include <linux/kvm_para.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "private_mem_watch.h"
#include "processor.h"
#include "snp_bare.h"

#define ERR_INPUT		5
/* Where the guest puts the VMSAs that it creates. */
#define VMSA_GPA		(BARE_DATA_GPA + 3 * SZ_4K)
#define VMSA_RIP		0x178
#define VMSA_EFER		0x0d0
#define VMSA_FEATURES		0x3b0
/* A launched page that both vCPUs use. */
#define DATA			0x5000ul

/* The pages that an order touches: its own, and those of the GHCB. */
#define PAGES_PER_ORDER	8

static struct snp_bare b;
static struct vcpu_guard guards[NR_BARE_VCPUS];

/* --- A thread for the second vCPU ----------------------------------------------------- */

static pthread_t thread;
static pid_t thread_id;
static bool thread_ended;
static int thread_result, thread_errno;

static void nothing(int sig)
{
}

static void *run_second(void *unused)
{
	WRITE_ONCE(thread_id, syscall(SYS_gettid));
	thread_result = bare_run(&b, 1);
	thread_errno = errno;
	WRITE_ONCE(thread_ended, true);
	return NULL;
}

static void second_starts(void)
{
	b.run[1]->immediate_exit = 0;
	thread_ended = false;
	thread_id = 0;
	pthread_create(&thread, NULL, run_second, NULL);
}

/* Waits until the vCPU sleeps, which it does without a VMSA, or ends. */
static bool second_sleeps(void)
{
	return thread_stays(&thread_id, 'S', &thread_ended);
}

/* Have it write to private memory forever; returns once it does. */
static void second_spins(void)
{
	uint64_t old = ~0ul, i = 0;

	b.ctl[1]->op = BARE_SPIN;
	b.ctl[1]->args[0] = DATA;
	b.ctl[1]->args[1] = DATA + SZ_4K;
	b.ctl[1]->args[2] = 0;
	second_starts();

	/* It writes the address there. */
	bare_order(&b, 0, BARE_WRITE, DATA, old, 0);
	do {
		bare_order(&b, 0, BARE_READ, DATA, 0, 0);
	} while (b.ctl[0]->result != DATA && !READ_ONCE(thread_ended) && i++ < 20000);
	TEST_ASSERT(b.ctl[0]->result == DATA, "The second vCPU doesn't run: %d, %d",
		    thread_result, thread_errno);
}

/* By itself, or because it is kicked. */
static int second_ends(bool kick)
{
	if (kick) {
		b.run[1]->immediate_exit = 1;
		pthread_kill(thread, SIGUSR1);
	}
	pthread_join(thread, NULL);
	b.run[1]->immediate_exit = 0;
	return thread_result;
}

static bool second_waits(void)
{
	return second_sleeps() && second_ends(true) == -1 && thread_errno == EINTR;
}

/* --- VMSAs ---------------------------------------------------------------------------- */

static uint8_t *template(void)
{
	return b.shared + BARE_BUFFER(0) - BARE_SHARED_GPA;
}

static int validate(uint64_t gpa, bool validated)
{
	int r = bare_order(&b, 0, BARE_PVALIDATE, gpa, 0, validated);

	return r ?: (int)b.ctl[0]->result;
}

/* Copy the template to a page of the guest, and turn the page into a VMSA. */
static int make_vmsa(uint64_t gpa)
{
	int r = bare_order(&b, 0, BARE_COPY, gpa, BARE_BUFFER(0), SZ_4K / 8) ?:
		bare_order(&b, 0, BARE_RMPADJUST, gpa, 0, RMPADJUST_VMSA);

	return r ?: (int)b.ctl[0]->result;
}

static int ask_for(uint64_t target, uint64_t request, uint64_t gpa)
{
	bare_event_clear(&b, 0);
	bare_event_set(&b, 0, GHCB_RAX, 1);
	return bare_event(&b, 0, EVENT_AP_CREATION, target << 32 | request, gpa);
}

static bool accepted(int r)
{
	return !r && !bare_answer(&b, 0, GHCB_EXIT_INFO_1);
}

static bool refused(int r, uint64_t reason)
{
	return !r && bare_answer(&b, 0, GHCB_EXIT_INFO_1) == 2 &&
	       bare_answer(&b, 0, GHCB_EXIT_INFO_2) == reason;
}

static bool second_orders(void)
{
	return !bare_order(&b, 1, BARE_WRITE, DATA, 0x5eed, 0) &&
	       !bare_order(&b, 0, BARE_READ, DATA, 0, 0) && b.ctl[0]->result == 0x5eed;
}

/* True if a vCPU that has just got a VMSA reports completion and executes orders. */
static bool second_works(void)
{
	return !bare_run(&b, 1) && second_orders();
}

static void remake_second(const char *what)
{
	bare_order(&b, 0, BARE_RMPADJUST, VMSA_GPA, 0, RMPADJUST_NONE);
	bare_fill_vmsa(&b, template(), 1);
	check(!make_vmsa(VMSA_GPA) && accepted(ask_for(1, AP_CREATE, VMSA_GPA)) && second_works(),
	      "%s: it runs again with another VMSA", what);
}

static void check_bad(const char *what)
{
	int r;

	check(accepted(ask_for(1, AP_CREATE, VMSA_GPA)), "%s: taken at first", what);
	r = bare_run(&b, 1);
	check(r == KVM_EXIT_FAIL_ENTRY, "%s: the vCPU can't be entered (%d)", what, r);
	r = bare_run(&b, 1);
	check(r == KVM_EXIT_FAIL_ENTRY, "%s: nor again (%d)", what, r);
}

static void test_launch_is_over(void)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = 1 } } };

	check_errno(ioctl(b.vcpu_fd[0], KVM_SET_XCRS, &xcrs), EINVAL, "XCR0 is set");
	check_errno(ioctl(b.vcpu_fd[0], KVM_GET_XCRS, &xcrs), EINVAL, "XCR0 is read");
	check(!ioctl(b.vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM),
	      "there are no read-only slots");
	check_errno(bare_launch_start(&b), EINVAL, "started when it runs");
	check_errno(bare_launch_page(&b, BARE_LAUNCH_GPA + BARE_LAUNCH_SIZE), EINVAL,
		    "updated when it runs");
	check_errno(bare_launch_finish(&b), EINVAL, "finished twice");
	check_errno(bare_command(&b, KVM_SEV_SNP_ENABLE_REQ_CERTS, NULL, NULL), EINVAL,
		    "certificates are wanted too late");
}

static void test_bad_vmsas(void)
{
	uint64_t *page = (uint64_t *)template();

	set_private(b.vm_fd, VMSA_GPA, SZ_4K, false);
	check(refused(ask_for(1, AP_CREATE, VMSA_GPA), ERR_INPUT), "a page that is shared");
	set_private(b.vm_fd, VMSA_GPA, SZ_4K, true);

	bare_fill_vmsa(&b, template(), 1);
	check(!validate(VMSA_GPA, true), "memory is validated");

	bare_order(&b, 0, BARE_COPY, VMSA_GPA, BARE_BUFFER(0), SZ_4K / 8);
	check_bad("a page that is no VMSA");

	page[VMSA_EFER / 8] = EFER_LME | EFER_LMA;
	check(!make_vmsa(VMSA_GPA), "another page is made");
	check_bad("EFER without SVME");
	bare_order(&b, 0, BARE_RMPADJUST, VMSA_GPA, 0, RMPADJUST_NONE);

	bare_fill_vmsa(&b, template(), 1);
	page[VMSA_FEATURES / 8] = ~0ul;
	check(!make_vmsa(VMSA_GPA), "another page is made");
	check_bad("features that don't exist");
	bare_order(&b, 0, BARE_RMPADJUST, VMSA_GPA, 0, RMPADJUST_NONE);

	check(!validate(VMSA_GPA, false), "the page is rescinded");
	check_bad("a page that is not validated");
	gmem_punch(b.data_fd, VMSA_GPA - BARE_DATA_GPA, SZ_4K);
	check_bad("a page that isn't there");
}

/* A start that fails is due again, whatever is to come at INIT. */
static void test_start_fails(void)
{
	struct kvm_mp_state runs = { .mp_state = KVM_MP_STATE_RUNNABLE };
	int r;

	r = ioctl(b.vcpu_fd[1], KVM_SET_MP_STATE, &runs) ?: bare_run(&b, 1);
	check(!r && second_orders(), "the second vCPU runs with the VMSA of the launch (%d)", r);
	check(accepted(ask_for(1, AP_CREATE, VMSA_GPA)), "it is to have another one");
	set_private(b.vm_fd, VMSA_GPA, SZ_4K, false);
	r = bare_run(&b, 1);
	check(r == -1 && errno == EFAULT && bare_is_fault(&b, 1, VMSA_GPA),
	      "which becomes shared: a fault (%d)", r);
	set_private(b.vm_fd, VMSA_GPA, SZ_4K, true);
	check(accepted(ask_for(1, AP_CREATE_ON_INIT, BARE_VMSA_GPA)), "and a third one for INIT");
	bare_fill_vmsa(&b, template(), 1);
	check(!validate(VMSA_GPA, true) && !make_vmsa(VMSA_GPA) && second_works(),
	      "made private and a VMSA, it runs");
}

static void test_good_vmsas(void)
{
	bare_fill_vmsa(&b, template(), 1);
	check(!validate(VMSA_GPA, true) && !make_vmsa(VMSA_GPA), "a VMSA is made");
	check(accepted(ask_for(1, AP_CREATE, VMSA_GPA)) && second_works(),
	      "the vCPU runs with a VMSA of the guest, whatever it had before");
	check(refused(ask_for(0, AP_CREATE, VMSA_GPA), ERR_INPUT),
	      "no two vCPUs run with the same");
	check(refused(ask_for(0, AP_CREATE_ON_INIT, VMSA_GPA), ERR_INPUT), "nor after INIT");
	check(!bare_order(&b, 1, BARE_READ, DATA, 0, 0) && b.ctl[1]->result == 0x5eed,
	      "the vCPU isn't impressed");
	check(accepted(ask_for(1, AP_CREATE, VMSA_GPA)) &&
	      !bare_order(&b, 1, BARE_READ, DATA, 0, 0), "its own is not refused");

	/* RIP is where it was: a VMSA that has run continues. */
	check(accepted(ask_for(1, AP_CREATE, BARE_VMSA_GPA)), "a page that's no VMSA yet");
	check(bare_run(&b, 1) == KVM_EXIT_FAIL_ENTRY, "can't be entered");
	check(!bare_start_ap(&b, BARE_VMSA_GPA) && second_works(), "it is, then it can");
}

static void test_destroyed(void)
{
	struct kvm_mp_state runs = { .mp_state = KVM_MP_STATE_RUNNABLE };
	int r;

	second_spins();
	check(accepted(ask_for(1, AP_DESTROY, 0)), "a vCPU that runs is destroyed");
	check(second_waits(), "it waits until it's kicked");
	bare_order(&b, 0, BARE_WRITE, DATA, 1, 0);
	bare_order(&b, 0, BARE_READ, DATA, 0, 0);
	check(b.ctl[0]->result == 1, "it writes no more");

	r = ioctl(b.vcpu_fd[1], KVM_SET_MP_STATE, &runs) ?: bare_run(&b, 1);
	check(r == KVM_EXIT_FAIL_ENTRY, "made runnable, it has nothing to run (%d)", r);

	remake_second("destroyed");
}

/* Send an INIT from outside the guest: the local APICs are KVM's. */
static int send_init(int cpu)
{
	struct kvm_vcpu_events events;

	if (ioctl(b.vcpu_fd[cpu], KVM_GET_VCPU_EVENTS, &events))
		return -1;
	events.flags = KVM_VCPUEVENT_VALID_SMM;
	events.smi.latched_init = 1;
	return ioctl(b.vcpu_fd[cpu], KVM_SET_VCPU_EVENTS, &events);
}

/* INIT alone doesn't bring back what a vCPU ran before, i.e. at the launch. */
static void test_init(void)
{
	struct kvm_mp_state runs = { .mp_state = KVM_MP_STATE_RUNNABLE };
	int r;

	check(accepted(ask_for(1, AP_DESTROY, 0)) && !send_init(1), "destroyed, then INIT comes");
	second_starts();
	check(second_waits(), "it waits");
	r = ioctl(b.vcpu_fd[1], KVM_SET_MP_STATE, &runs) ?: bare_run(&b, 1);
	check(r == KVM_EXIT_FAIL_ENTRY, "made runnable, it has nothing to run (%d)", r);
	remake_second("after INIT");
}

/* What is asked for before the vCPU looks is done as if it had looked each time. */
static void test_pending(void)
{
	bare_order(&b, 0, BARE_RMPADJUST, VMSA_GPA, 0, RMPADJUST_NONE);
	bare_fill_vmsa(&b, template(), 1);
	check(!make_vmsa(VMSA_GPA) && accepted(ask_for(1, AP_DESTROY, 0)) &&
	      accepted(ask_for(1, AP_CREATE, VMSA_GPA)) &&
	      accepted(ask_for(1, AP_CREATE_ON_INIT, BARE_VMSA_GPA)),
	      "a stop, a start and one for INIT");
	/* The VMSA of before can't be entered. */
	bare_order(&b, 0, BARE_RMPADJUST, BARE_VMSA_GPA, 0, RMPADJUST_NONE);
	check(second_works(), "it starts");
	check(!make_vmsa(BARE_VMSA_GPA) && !send_init(1) && second_works(), "and again at INIT");
	check(accepted(ask_for(1, AP_CREATE_ON_INIT, VMSA_GPA)) &&
	      accepted(ask_for(1, AP_DESTROY, 0)) && !send_init(1),
	      "one for INIT, then a stop, then INIT");
	second_starts();
	check(second_waits(), "it is stopped");
	remake_second("stopped");
}

static void test_on_init(bool ran)
{
	if (ran)
		second_spins();
	check(accepted(ask_for(1, AP_DESTROY, 0)), "destroyed while it %s", ran ? "runs" : "rests");
	if (ran)
		check(second_waits(), "it waits");
	bare_order(&b, 0, BARE_RMPADJUST, VMSA_GPA, 0, RMPADJUST_NONE);
	bare_fill_vmsa(&b, template(), 1);
	check(!make_vmsa(VMSA_GPA) && accepted(ask_for(1, AP_CREATE_ON_INIT, VMSA_GPA)),
	      "a VMSA for when INIT comes");
	second_starts();
	check(second_waits(), "the vCPU still waits");
	check(!send_init(1) && second_works(), "INIT comes, and it runs");
}

/* IPIs from outside the guest, e.g. a device's */
#define IPI_SMI		0x200
#define IPI_NMI		0x400
#define IPI_STARTUP	0x600

static int send_ipi(int cpu, uint32_t data)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000 | cpu << 12, .data = data };

	return ioctl(b.vm_fd, KVM_SIGNAL_MSI, &msi);
}

static bool warned(void)
{
	FILE *file = fopen("/proc/sys/kernel/tainted", "r");
	unsigned long taint = 0;

	TEST_ASSERT(file && fscanf(file, "%lu", &taint) == 1, "No state of the kernel");
	fclose(file);
	return taint & 1 << 9;
}

/* What a guest has done to its events does not outlive its VMSA, and makes KVM not warn. */
static void test_gif(void)
{
	bool before = warned();

	/* CLGI is intercepted then, which is #VC for the guest. */
	if (system("grep -qs 1 /sys/module/kvm_amd/parameters/vgif")) {
		printf("# no vGIF\n");
		return;
	}
	check(!bare_order(&b, 1, BARE_CLGI, 0, 0, 0), "it clears GIF");
	check(accepted(ask_for(1, AP_DESTROY, 0)), "and is destroyed");
	second_starts();
	check(second_sleeps(), "it waits");
	send_ipi(1, IPI_STARTUP);
	check(second_sleeps(), "a start-up IPI has no effect");
	check(accepted(ask_for(1, AP_DESTROY, 0)), "it is destroyed again");
	check(second_waits(), "and waits");
	check(before || !warned(), "the kernel has not warned");
	remake_second("after CLGI");

	/* KVM waits for GIF to inject the NMI. */
	check(!bare_order(&b, 1, BARE_CLGI, 0, 0, 0) && send_ipi(1, IPI_NMI) > 0 && second_orders(),
	      "an NMI while GIF is clear");
	remake_second("after CLGI and an NMI");
	check(!bare_order(&b, 1, BARE_CLGI, 0, 0, 0) && !bare_order(&b, 1, BARE_STGI, 0, 0, 0),
	      "it clears and sets GIF");
	check(second_orders(), "it works");
}

/* There is no SMM: neither SMIs nor userspace bring a vCPU there. */
static void test_smi(void)
{
	struct kvm_vcpu_events events;
	int fd = b.vcpu_fd[1];

	check(!ioctl(fd, KVM_SMI) && second_orders(), "an SMI has no effect");
	check(!ioctl(fd, KVM_GET_VCPU_EVENTS, &events) && !events.smi.smm, "it is not in SMM");
	events.flags = KVM_VCPUEVENT_VALID_SMM;
	events.smi.smm = 1;
	check_errno(ioctl(fd, KVM_SET_VCPU_EVENTS, &events), EINVAL, "SMM is set");
	events.smi.smm = 0;
	check_errno(ioctl(fd, KVM_SET_VCPU_EVENTS, &events), 0, "SMM is not set");
	check(second_orders(), "it works");
}

/* An event of the last VMSA, which was to be delivered, doesn't reach the next one. */
static void test_event(const char *what, struct kvm_vcpu_events event)
{
	struct kvm_vcpu_events events;
	int fd = b.vcpu_fd[1];

	check(accepted(ask_for(1, AP_DESTROY, 0)), "%s: destroyed", what);
	second_starts();
	check(second_waits() && !ioctl(fd, KVM_GET_VCPU_EVENTS, &events), "%s: it waits", what);
	events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING;
	events.exception = event.exception;
	events.interrupt = event.interrupt;
	events.nmi = event.nmi;
	check(!ioctl(fd, KVM_SET_VCPU_EVENTS, &events), "%s: it was to be delivered", what);
	remake_second(what);
}

#define VECTOR		0x30
#define APIC_ISR_AT(v)	(0x100 + (v) / 32 * 16)
#define APIC_IRR_AT(v)	(0x200 + (v) / 32 * 16)

static uint32_t *apic_word(struct kvm_lapic_state *apic, unsigned int offset)
{
	return (uint32_t *)(apic->regs + offset);
}

/* An interrupt of the local APIC that was to be delivered is pending there again. */
static void test_requeued(void)
{
	struct kvm_vcpu_events events = { .interrupt = { .injected = 1, .nr = VECTOR } };
	struct kvm_lapic_state before, apic;
	int fd = b.vcpu_fd[1];

	TEST_ASSERT(!ioctl(fd, KVM_GET_LAPIC, &before), "No local APIC");
	apic = before;
	*apic_word(&apic, APIC_ISR_AT(VECTOR)) |= 1u << VECTOR % 32;
	check(!ioctl(fd, KVM_SET_LAPIC, &apic), "an interrupt is in service");
	test_event("an interrupt of the APIC", events);
	TEST_ASSERT(!ioctl(fd, KVM_GET_LAPIC, &apic), "No local APIC");
	check(!(*apic_word(&apic, APIC_ISR_AT(VECTOR)) & 1u << VECTOR % 32),
	      "it is not in service");
	check(*apic_word(&apic, APIC_IRR_AT(VECTOR)) & 1u << VECTOR % 32, "it is requested");
	check(!ioctl(fd, KVM_SET_LAPIC, &before) && second_orders(), "it works");
}

/* NMIs and SMIs neither keep a vCPU busy that has no VMSA, nor reach the next VMSA. */
static void test_stopped(void)
{
	check(accepted(ask_for(1, AP_DESTROY, 0)), "it is destroyed");
	second_starts();
	check(second_sleeps() && send_ipi(1, IPI_SMI) > 0 && second_sleeps(), "it ignores an SMI");
	check(send_ipi(1, IPI_NMI) > 0 && second_waits(), "and an NMI");
	remake_second("after an NMI for nobody");
}

static void test_events(void)
{
	test_event("an interrupt", (struct kvm_vcpu_events) {
		.interrupt = { .injected = 1, .nr = VECTOR } });
	test_event("an NMI", (struct kvm_vcpu_events) { .nmi.injected = 1 });
	test_event("an NMI that is pending", (struct kvm_vcpu_events) { .nmi.pending = 1 });
	test_event("an exception", (struct kvm_vcpu_events) {
		.exception = { .injected = 1, .nr = UD_VECTOR } });
	test_requeued();
	test_stopped();
}

/* --- The VMSA's page, slot or file is removed ----------------------------------------- */

static void remake(const char *what)
{
	bare_fill_vmsa(&b, template(), 1);
	check(!validate(VMSA_GPA, true) && !make_vmsa(VMSA_GPA) &&
	      accepted(ask_for(1, AP_CREATE, VMSA_GPA)) && second_works(),
	      "%s: another VMSA at the same place works", what);
}

static void test_pulled(void)
{
	int r;

	second_spins();
	gmem_punch(b.data_fd, VMSA_GPA - BARE_DATA_GPA, SZ_4K);
	r = second_ends(false);
	check(r == KVM_EXIT_FAIL_ENTRY, "a VMSA in use is punched out: no entry (%d)", r);
	remake("punched out");

	second_spins();
	gmem_punch(b.data_fd, 0, SZ_2M);
	r = second_ends(false);
	check(r == KVM_EXIT_FAIL_ENTRY, "so are the 2 MiB around it (%d)", r);
	remake("2 MiB punched out");

	second_spins();
	set_private(b.vm_fd, VMSA_GPA, SZ_4K, false);
	gmem_punch(b.data_fd, VMSA_GPA - BARE_DATA_GPA, SZ_4K);
	r = second_ends(false);
	check(r == -1 && thread_errno == EFAULT && bare_is_fault(&b, 1, VMSA_GPA),
	      "it's shared and punched out: a fault of the VMSA (%d)", r);
	set_private(b.vm_fd, VMSA_GPA, SZ_4K, true);
	remake("shared in between");

	second_spins();
	r = __set_region2(b.vm_fd, 2, 0, BARE_DATA_GPA, 0, b.data, -1, 0);
	check(!r && second_ends(false) == -1 && thread_errno == EFAULT &&
	      bare_is_fault(&b, 1, VMSA_GPA),
	      "its slot is deleted: a fault of the VMSA");
	gmem_punch(b.data_fd, BARE_DATA_SIZE / 2, SZ_2M);
	r = __set_region2(b.vm_fd, 2, KVM_MEM_GUEST_MEMFD, BARE_DATA_GPA, BARE_DATA_SIZE, b.data,
			  b.data_fd, 0);
	check(!r, "the slot is back");
	second_spins();
	check(second_ends(true) == -1 && thread_errno == EINTR, "so is the VMSA, as it was");
}

/* Must be the last test of the file: the guest has no memory there afterwards. */
static void test_file_closed(void)
{
	int r;

	check(accepted(ask_for(1, AP_DESTROY, 0)), "destroyed");
	second_starts();
	check(second_waits(), "and waits");
	remake_second("a file that will be closed");
	second_spins();
	bare_close(&b.data_fd);
	r = second_ends(false);
	check(r == -1 && thread_errno == EFAULT, "the file is closed: a fault (%d)", r);
	check(!bare_order(&b, 0, BARE_READ, BARE_SHARED_GPA, 0, 0), "the other vCPU goes on");
}

/* --- The end -------------------------------------------------------------------------- */

/* The first vCPU makes requests while the second one and the memory are removed. */
static void test_teardown(void)
{
	uint64_t request = BARE_BUFFER(0), ok = 0, i;

	second_spins();
	for (i = 0; i < 200; i++) {
		bare_event_clear(&b, 0);
		if (i & 1)
			ok += !bare_event(&b, 0, EVENT_GUEST_REQUEST, request, request + SZ_4K);
		else
			ok += !ask_for(1, i & 2 ? AP_CREATE : AP_DESTROY, VMSA_GPA);
		if (i == 60)
			gmem_punch(b.data_fd, 0, SZ_2M);
		if (i == 100) {
			second_ends(true);
			bare_unmap_vcpu(&b, 1);
			bare_close(&b.vcpu_fd[1]);
		}
		if (i == 150)
			bare_close(&b.data_fd);
	}
	check(ok == 200, "requests go on while another vCPU ends (%lu)", ok);
}

static void new_guest(void)
{
	static const char * const names[] = { "the first vCPU", "the second vCPU" };
	unsigned int i;

	bare_init(&b);
	TEST_ASSERT(!bare_launch(&b), "The guest doesn't start: errno %d", errno);
	set_private(b.vm_fd, BARE_DATA_GPA, BARE_DATA_SIZE, true);
	for (i = 0; i < NR_BARE_VCPUS; i++)
		guard_begin(&guards[i], b.vcpu_fd[i], &b.in_run[i], &b.ctl[i]->count, names[i]);
}

static void end_guest(void)
{
	unsigned int i;

	for (i = 0; i < NR_BARE_VCPUS; i++)
		guard_end(&guards[i], PAGES_PER_ORDER);
	bare_free(&b);
}

int main(int argc, char *argv[])
{
	long leaked;

	require_snp();
	setbuf(stdout, NULL);
	signal(SIGUSR1, nothing);
	leaked = leaked_pages();

	new_guest();
	test_launch_is_over();
	test_bad_vmsas();
	test_good_vmsas();
	test_destroyed();
	test_on_init(true);
	test_on_init(false);
	test_gif();
	test_smi();
	test_events();
	test_pulled();
	test_file_closed();
	end_guest();

	new_guest();
	test_start_fails();
	check(!bare_start_ap(&b, BARE_VMSA_GPA) && second_works(), "another guest");
	test_pending();
	test_init();
	test_teardown();
	end_guest();

	check(leaked_pages() == leaked, "no page is leaked");
	return check_finish();
}
