// SPDX-License-Identifier: GPL-2.0
/*
 * What the firmware does not return, because of failures and delays that qmp injects here:
 * nobody writes to it, and nothing hangs.
 *
 *   sevkept es        the VMSA of a vCPU of a SEV-ES guest, and the same command again
 *   sevkept timeout   the same, as the firmware takes too long, and is given up
 *   sevkept mirror    the same in a mirror of the guest
 *   sevkept snp       the VMSA of a vCPU of an SNP guest, and the end of the launch again
 *   sevkept thp       a page of a pinned huge page: the others are as before
 *   sevkept many      page after page, until the firmware gets no more
 *   sevkept pageout   pages that reclaim has isolated all the time
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/futex.h>
#include <linux/kvm.h>

#include "check.h"

#define PAGE	4096u
#define SIZE	(2u << 20)
#define ES	4u		/* policy: the guest is SEV-ES */

/* Of mainline's <linux/kvm.h> */
#define SNP_VM			4
#define SEV_INIT2		22
#define SNP_START		100
#define SNP_FINISH		102

struct init2 {
	uint64_t features;
	uint32_t flags;
	uint16_t ghcb_version, pad1;
	uint32_t pad2[8];
};

struct snp_start {
	uint64_t policy;
	uint8_t gosvw[16];
	uint16_t flags;
	uint8_t pad0[6];
	uint64_t pad1[4];
};

struct snp_finish {
	uint64_t id_block, id_auth;
	uint8_t id_block_en, auth_key_en, vcek_disabled, host_data[32], pad0[3];
	uint16_t flags;
	uint64_t pad1[4];
};

static int kvm, vm, sev;
static uint8_t *mem;

static int command(uint32_t id, void *data)
{
	struct kvm_sev_cmd cmd = { .id = id, .data = (uintptr_t)data, .sev_fd = sev };
	int rc = ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &cmd);

	error = cmd.error;
	return rc;
}

static void qmp(const char *what)
{
	char line[200];

	snprintf(line, sizeof(line), "qmp %s", what);
	check(!system(line), line);
}

/* The command fails as the firmware keeps the VMSA, and fails again without a write to it. */
static void test_again(uint32_t id, void *data)
{
	check(command(id, data), "the command fails");
	qmp("fail ''");
	check(command(id, data) && errno == EIO, "EIO, as the page is the firmware's");
	close(vm);
}

static void test_es(const char *how)
{
	struct kvm_sev_launch_start start = { .policy = ES };
	struct kvm_enable_cap cap = { .cap = KVM_CAP_VM_COPY_ENC_CONTEXT_FROM };
	struct kvm_sev_guest_status status;

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	check(!command(KVM_SEV_ES_INIT, NULL), "SEV_ES_INIT");
	check(ioctl(vm, KVM_CREATE_VCPU, 0) >= 0, "a vCPU");
	check(!command(KVM_SEV_LAUNCH_START, &start), "LAUNCH_START");
	if (!strcmp(how, "mirror")) {
		cap.args[0] = vm;
		vm = ioctl(kvm, KVM_CREATE_VM, 0);
		check(!ioctl(vm, KVM_ENABLE_CAP, &cap), "a mirror");
		check(ioctl(vm, KVM_CREATE_VCPU, 0) >= 0, "its vCPU");
	}
	if (!strcmp(how, "timeout")) {
		check(!system("echo 2 >/sys/module/ccp/parameters/psp_cmd_timeout"), "2 seconds");
		/* The next command takes it over. */
		check(!command(KVM_SEV_GUEST_STATUS, &status), "GUEST_STATUS");
		qmp("delay LAUNCH_UPDATE_VMSA:4000");
	} else {
		qmp("fail SNP_PAGE_RECLAIM:RESOURCE_LIMIT:1");
	}
	test_again(KVM_SEV_LAUNCH_UPDATE_VMSA, NULL);
}

static void test_snp(void)
{
	struct snp_start start = { .policy = 0x30000 };
	struct init2 init = { .ghcb_version = 2 };
	struct snp_finish finish = {};

	vm = ioctl(kvm, KVM_CREATE_VM, SNP_VM);
	check(!command(SEV_INIT2, &init), "SEV_INIT2");
	check(!ioctl(vm, KVM_CREATE_IRQCHIP, 0), "interrupt controllers");
	check(ioctl(vm, KVM_CREATE_VCPU, 0) >= 0, "a vCPU");
	check(!command(SNP_START, &start), "SNP_LAUNCH_START");
	qmp("fail SNP_LAUNCH_UPDATE:RESOURCE_LIMIT:1+SNP_PAGE_RECLAIM:RESOURCE_LIMIT:1");
	test_again(SNP_FINISH, &finish);
}

/* A SEV guest with 2 MiB of memory, which KVM has pinned. */
static void begin(int huge)
{
	struct kvm_userspace_memory_region slot = { .memory_size = SIZE };
	struct kvm_sev_launch_start start = {};
	struct kvm_enc_region region = { .size = SIZE };

	mem = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mem = (void *)(((uintptr_t)mem + SIZE - 1) & ~(uintptr_t)(SIZE - 1));
	madvise(mem, SIZE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memset(mem, 1, SIZE);
	slot.userspace_addr = region.addr = (uintptr_t)mem;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	check(!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot), "memory");
	check(!command(KVM_SEV_INIT, NULL), "SEV_INIT");
	check(!ioctl(vm, KVM_MEMORY_ENCRYPT_REG_REGION, &region), "region");
	check(!command(KVM_SEV_LAUNCH_START, &start), "LAUNCH_START");
}

static int update(unsigned int page)
{
	struct kvm_sev_launch_update_data u = { .uaddr = (uintptr_t)mem + page * PAGE, .len = PAGE };

	return command(KVM_SEV_LAUNCH_UPDATE_DATA, &u);
}

static sigjmp_buf out;

static void on_sigbus(int sig)
{
	siglongjmp(out, sig);
}

/* Returns 1 if a write to the page is a signal. */
static int write_is_sigbus(unsigned int page)
{
	signal(SIGBUS, on_sigbus);
	if (sigsetjmp(out, 1))
		return 1;
	*(volatile uint8_t *)(mem + page * PAGE) = 2;
	return 0;
}

/* The kernel writes to an address of users, where it expects that it can in the end. */
static int futex(unsigned int page)
{
	uint32_t other = 0, op = FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0);

	return syscall(SYS_futex, &other, FUTEX_WAKE_OP_PRIVATE, 1, 1, mem + page * PAGE, op);
}

/* KiB of memory that has failed, as the kernel counts it */
static long failed_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = -1;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "HardwareCorrupted: %ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

/* Unmapping is done by a worker. */
static void wait_for_unmapping(unsigned int page)
{
	int i;

	for (i = 0; i < 100 && !write_is_sigbus(page); i++)
		usleep(100000);
	check(i < 100, "the page is unmapped");
}

static void test_thp(void)
{
	begin(1);
	check(!update(1), "a page is encrypted");
	qmp("fail SNP_PAGE_RECLAIM:RESOURCE_LIMIT:1");
	check(update(0) && errno == EIO, "a page is kept");
	wait_for_unmapping(0);
	check(futex(0) && errno == EFAULT, "a futex in it is EFAULT");
	check(!write_is_sigbus(2) && !write_is_sigbus(SIZE / PAGE - 1), "other pages are written to");
	check(!futex(3), "and have futexes");
	check(!update(4), "and are encrypted");
}

static void test_many(void)
{
	unsigned int i, kept, bad = 0;
	long before = failed_memory();

	begin(0);
	qmp("fail SNP_PAGE_RECLAIM:RESOURCE_LIMIT");
	for (i = 0; i < 200; i++)
		check(update(i) && errno == EIO, "EIO");
	qmp("fail ''");
	for (kept = 0; kept < 200 && write_is_sigbus(kept); kept++)
		;
	check(kept > 50 && kept <= 64, "some pages are kept, and no more are given");
	for (i = 0; i < kept; i++)
		bad += !futex(i) || errno != EFAULT;
	check(!bad, "all of them are unmapped");
	for (bad = 0; i < 200; i++)
		bad += write_is_sigbus(i);
	check(!bad, "the others are not");
	check(failed_memory() - before == (long)(kept * PAGE / 1024), "the kernel counts them");
	check(update(kept) && errno == EIO, "EIO, with a firmware that works");
}

static volatile int stop;

static void *pageout(void *arg)
{
	while (!stop)
		madvise(mem, SIZE, MADV_PAGEOUT);
	return arg;
}

static void test_pageout(void)
{
	unsigned int i, bad = 0;
	pthread_t thread[2];

	begin(0);
	for (i = 0; i < 2; i++)
		check(!pthread_create(&thread[i], NULL, pageout, NULL), "a thread that pages out");
	qmp("fail SNP_PAGE_RECLAIM:RESOURCE_LIMIT");
	for (i = 0; i < 40; i++)
		check(update(i) && errno == EIO, "a page is kept");
	qmp("fail ''");
	sleep(2);
	stop = 1;
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < 40; i++)
		wait_for_unmapping(i);
	for (i = 0; i < 40; i++)
		bad += !futex(i) || errno != EFAULT;
	check(!bad, "no futex goes on");
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	setbuf(stdout, NULL);
	kvm = open("/dev/kvm", O_RDWR);
	sev = open("/dev/sev", O_RDWR);
	if (kvm < 0 || sev < 0) {
		perror("sevkept");
		return 2;
	}
	if (!strcmp(what, "es") || !strcmp(what, "timeout") || !strcmp(what, "mirror")) {
		test_es(what);
	} else if (!strcmp(what, "snp")) {
		test_snp();
	} else if (!strcmp(what, "thp")) {
		test_thp();
	} else if (!strcmp(what, "many")) {
		test_many();
	} else if (!strcmp(what, "pageout")) {
		test_pageout();
	} else {
		fprintf(stderr, "usage: sevkept es | timeout | mirror | snp | thp | many | pageout\n");
		return 2;
	}
	printf("1..%d\n", number);
	return failed;
}
