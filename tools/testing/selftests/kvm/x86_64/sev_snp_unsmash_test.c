// SPDX-License-Identifier: GPL-2.0-only
/*
 * 2 MiB pages of an SNP guest that were split are coalesced when userspace pre-faults
 * them, but not before, and not if any part of them differs from the rest. PVALIDATE
 * reports the size in the RMP to the guest.
 */
#include <pthread.h>

#include "private_mem_watch.h"
#include "processor.h"
#include "snp.h"

#define VMPL1_READ	0x101ul		/* attributes of RMPADJUST */
#define VMPL1_NONE	1ul
#define VMSA		0x10001ul

#define UNSMASH		"/sys/module/kvm_amd/parameters/sev_snp_unsmash"
#define NR_ROUNDS	40
#define NR_CONVERSIONS	2000

static struct snp_vm snp;
/* Pages that orders have touched, except one per order. */
static uint64_t nr_copied;

static uint64_t chunk(unsigned int nr)
{
	return SNP_DATA_GPA + nr * SZ_2M;
}

static uint64_t page_of(unsigned int nr, unsigned int page)
{
	return chunk(nr) + page * SZ_4K;
}

/* The second vCPU never runs, so that this works while the first one does. */
static int pre_fault(uint64_t gpa, uint64_t size)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = size };
	int r;

	do {
		r = __vcpu_ioctl(snp.vcpus[1], KVM_PRE_FAULT_MEMORY, &range);
	} while (!r && range.size);

	return r;
}

static uint64_t rmpadjust(uint64_t gpa, uint64_t attributes)
{
	int r = snp_order(&snp, SNP_RMPADJUST, gpa, PVAL_4K, attributes);

	TEST_ASSERT(!r, "RMPADJUST exits: %d", r);
	return snp.order->result;
}

static bool is_huge(unsigned int nr)
{
	return snp_pvalidate(&snp, chunk(nr), PVAL_2M, true) == PVAL_NO_CHANGE;
}

static bool is_small(unsigned int nr)
{
	return snp_pvalidate(&snp, chunk(nr), PVAL_2M, true) == PVAL_MISMATCH;
}

/* Write a word to each page, and check its previous value. */
static bool write_all(unsigned int nr)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < 512 && !r; i++)
		r = snp_order(&snp, SNP_WRITE, page_of(nr, i) + i * 8, ~page_of(nr, i), 0);
	return !r;
}

static bool holds_all(unsigned int nr, int but)
{
	int i;

	for (i = 0; i < 512; i++)
		if (i != but && (snp_order(&snp, SNP_READ, page_of(nr, i) + i * 8, 0, 0) ||
				 snp.order->result != ~page_of(nr, i)))
			return false;
	return true;
}

static void split(unsigned int nr, unsigned int page)
{
	TEST_ASSERT(!snp_pvalidate(&snp, page_of(nr, page), PVAL_4K, false) &&
		    !snp_pvalidate(&snp, page_of(nr, page), PVAL_4K, true),
		    "PVALIDATE of 4 KiB fails");
}

static void test_whole(void)
{
	check(!pre_fault(chunk(0), SZ_2M), "pre-faulted before the guest takes it");
	check(snp_pvalidate(&snp, chunk(0), PVAL_2M, true) == 0, "then validated at once");
	check(write_all(0), "and filled");
	split(0, 17);
	check(is_small(0), "4 KiB that were validated alone split it");
	check(holds_all(0, -1), "which neither the guest's accesses change");
	check(!pre_fault(page_of(0, 3), SZ_2M - 3 * SZ_4K), "nor a part that is pre-faulted");
	check(is_small(0), "it is small");
	check(!pre_fault(chunk(0), SZ_2M), "all of it is pre-faulted");
	check(is_huge(0), "and it is 2 MiB, which need no validation");
	check(holds_all(0, -1), "with the content that it had");
	check(!pre_fault(chunk(0), SZ_2M) && is_huge(0), "pre-faulted once more, it stays that");
	split(0, 511);
	check(is_small(0) && !pre_fault(chunk(0), SZ_2M) && is_huge(0), "split and coalesced");
}

static void test_parts(void)
{
	uint64_t at = page_of(1, 40);

	check(!snp_pvalidate(&snp, chunk(1), PVAL_2M, true) && write_all(1), "another 2 MiB");
	snp_pvalidate(&snp, at, PVAL_4K, false);
	check(!pre_fault(chunk(1), SZ_2M) && is_small(1), "not whole: a page is not validated");
	snp_pvalidate(&snp, at, PVAL_4K, true);

	set_private(snp.vm->fd, at, SZ_4K, false);
	check(!pre_fault(chunk(1), SZ_2M) && is_small(1), "not whole: a page is shared");
	gmem_punch(snp.gmem_fd, at - SNP_DATA_GPA, SZ_4K);
	set_private(snp.vm->fd, at, SZ_4K, true);
	check(!pre_fault(chunk(1), SZ_2M) && is_small(1), "not whole: a page is a new one");
	check(!snp_pvalidate(&snp, at, PVAL_4K, true), "that is validated");
	check(!rmpadjust(at, VMPL1_READ), "and open to VMPL 1");
	check(!pre_fault(chunk(1), SZ_2M) && is_small(1), "not whole: the firmware says so");
	check(holds_all(1, 40), "which changes nothing");
	check(!rmpadjust(at, VMPL1_NONE) && !rmpadjust(page_of(1, 41), VMSA), "a VMSA in it");
	check(!pre_fault(chunk(1), SZ_2M) && is_small(1), "not whole: a page is a VMSA");
	check(!rmpadjust(page_of(1, 41), VMPL1_NONE), "no VMSA any more");
	check(!pre_fault(chunk(1), SZ_2M) && is_huge(1), "whole");
	check(holds_all(1, 40), "with the content that it had");
}

/*
 * The result of RMPADJUST is not visible to KVM, so the firmware is called twice, but not
 * forever.
 */
static void test_refused(void)
{
	uint64_t at = page_of(1, 40);

	split(1, 7);
	check(!rmpadjust(at, VMPL1_READ), "a page is open to VMPL 1 again");
	check(!pre_fault(chunk(1), SZ_2M) && is_small(1), "refused by the firmware");
	check(!pre_fault(chunk(1), SZ_2M) && is_small(1), "and once more");
	check(!rmpadjust(at, VMPL1_NONE), "it's like the others");
	check(!pre_fault(chunk(1), SZ_2M) && is_small(1), "the firmware is not asked a third time");

	set_private(snp.vm->fd, at, SZ_4K, false);
	gmem_punch(snp.gmem_fd, at - SNP_DATA_GPA, SZ_4K);
	set_private(snp.vm->fd, at, SZ_4K, true);
	check(!pre_fault(at, SZ_4K) && !snp_pvalidate(&snp, at, PVAL_4K, true), "it is a new page");
	check(!pre_fault(chunk(1), SZ_2M) && is_huge(1), "that can be part of 2 MiB");
}

static void *copy(void *stop)
{
	bool ok = true;

	while (ok && !READ_ONCE(*(bool *)stop)) {
		ok = !snp_order(&snp, SNP_COPY, chunk(3), chunk(2), (SZ_2M - SZ_4K) / 8);
		nr_copied += 2 * 511;
	}
	return ok ? NULL : (void *)1;
}

/*
 * A vCPU reads all of the page except its end, which is split and coalesced at the same
 * time.
 */
static void test_busy(void)
{
	bool stop = false, ok = true;
	pthread_t thread;
	void *failed;
	int i;

	for (i = 2; i < 4; i++)
		TEST_ASSERT(!snp_pvalidate(&snp, chunk(i), PVAL_2M, true), "PVALIDATE fails");
	check(write_all(2), "two more");
	pthread_create(&thread, NULL, copy, &stop);
	for (i = 0; i < NR_ROUNDS && ok; i++) {
		set_private(snp.vm->fd, page_of(2, 511), SZ_4K, false);
		ok = !pre_fault(chunk(2), SZ_4K);
		set_private(snp.vm->fd, page_of(2, 511), SZ_4K, true);
		ok &= !pre_fault(chunk(2), SZ_2M);
	}
	WRITE_ONCE(stop, true);
	pthread_join(thread, &failed);
	check(ok, "%d times split and coalesced", i);
	check(!failed, "under a vCPU that copies it");
	/* A fault that began before the last conversion may have split it. */
	check(!pre_fault(chunk(2), SZ_2M) && is_huge(2), "pre-faulted once more, it is whole");
	check(holds_all(2, -1), "and has its content");
}

static void *convert_first(void *done)
{
	int i;

	for (i = 0; i < NR_CONVERSIONS; i++) {
		set_private(snp.vm->fd, chunk(3), SZ_4K, i & 1);
		usleep(i % 8 * 50);
	}
	WRITE_ONCE(*(bool *)done, true);
	return NULL;
}

/* A pre-fault must not fail because of a concurrent conversion. */
static void test_converted(void)
{
	bool done = false;
	pthread_t thread;
	int n = 0, r = 0;

	pthread_create(&thread, NULL, convert_first, &done);
	while (!r && !READ_ONCE(done)) {
		r = pre_fault(chunk(3), SZ_2M);
		n++;
	}
	check(!r, "pre-faulted %d times while it's converted, errno %d", n, r ? errno : 0);
	pthread_join(thread, NULL);
	check(!pre_fault(chunk(3), SZ_2M), "and once more when it's private");
	snp_pvalidate(&snp, chunk(3), PVAL_4K, true);
	check(is_huge(3) || (!pre_fault(chunk(3), SZ_2M) && is_huge(3)), "it is huge");
}

/* With kvm_amd.sev_snp_unsmash=0 pages stay split, as in mainline. */
static void test_off(void)
{
	check(!pre_fault(chunk(0), SZ_2M), "off: pre-faulted");
	check(!snp_pvalidate(&snp, chunk(0), PVAL_2M, true), "off: 2 MiB are validated at once");
	check(write_all(0), "off: and filled");
	split(0, 17);
	check(is_small(0), "off: split");
	check(!pre_fault(chunk(0), SZ_2M) && is_small(0), "off: pre-faulted, they stay small");
	check(!pre_fault(chunk(0), SZ_2M) && is_small(0), "off: and once more");
	check(holds_all(0, -1), "off: with the content that they had");
}

static void test_on(void)
{
	test_whole();
	test_parts();
	test_refused();
	test_busy();
	test_converted();
}

/* "off" means that the parameter is off, or that the firmware lacks the command. */
int main(int argc, char *argv[])
{
	bool off = argc > 1 && !strcmp(argv[1], "off");
	struct vcpu_guard guard;
	struct vcpu_watch watch;
	long leaked;

	require_snp();
	setbuf(stdout, NULL);
	leaked = leaked_pages();

	snp_vm_create(&snp);
	set_private(snp.vm->fd, chunk(0), 4 * SZ_2M, true);
	check_errno(pre_fault(chunk(0), SZ_2M), EOPNOTSUPP, "not pre-faulted before the launch");
	snp_vm_launch(&snp);
	guard_begin(&guard, snp.vcpus[0]->fd, &snp.in_run, &snp.order->count, "the vCPU");
	watch_begin(&watch, snp.vcpus[0]->fd);
	if (off)
		test_off();
	else
		test_on();
	check(read_parameter(UNSMASH) == !off, "pages are made whole: %s", off ? "off" : "on");
	guard_end(&guard, 0);
	watch_end(&watch, snp.order->count + nr_copied, "the vCPU");
	snp_vm_free(&snp);

	check(leaked_pages() == leaked, "no page is leaked");
	return check_finish();
}
