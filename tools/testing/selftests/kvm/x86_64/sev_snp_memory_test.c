// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of SNP guests: arguments of the launch commands, accesses to what the guest
 * considers private or shared, and 4 KiB and 2 MiB pages in the RMP.
 */
#include "private_mem_watch.h"
#include "processor.h"
#include "snp.h"

#define VALUE		0x5eed0000
#define FW_INVALID_PARAM	0x16

static struct snp_vm snp;

static void test_launch_arguments(void)
{
	uint64_t gpa = SNP_DATA_GPA;
	struct kvm_sev_snp_launch_finish finish = {};
	struct kvm_sev_snp_launch_start start = {};
	struct kvm_sev_init init = {};
	uint8_t *page = mmap(NULL, 2 * SZ_4K, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t fw_error;
	int r;

	check_errno(__snp_command(&snp, KVM_SEV_INIT2, &init, NULL), EPERM, "initialised twice");
	check_errno(__snp_command(&snp, KVM_SEV_LAUNCH_MEASURE, &init, NULL), EPERM,
		    "a command of SEV");
	check_errno(__snp_command(&snp, 999, &init, NULL), EINVAL, "no such command");
	check_errno(__snp_launch_update(&snp, gpa, page, SZ_4K, 1, NULL), EINVAL,
		    "update before start");
	check_errno(__snp_launch_finish(&snp), EINVAL, "finish before start");

	check_errno(__snp_launch_start(&snp, 0), EINVAL, "policy without the bit that is one");
	check_errno(__snp_launch_start(&snp, 1ul << 62 | 0x20000), EINVAL, "policy of no sense");
	start.policy = 0x30000;
	start.flags = 1;
	check_errno(__snp_command(&snp, KVM_SEV_SNP_LAUNCH_START, &start, NULL), EINVAL, "flags");
	check_errno(__snp_command(&snp, KVM_SEV_SNP_LAUNCH_START, (void *)1, NULL), EFAULT,
		    "parameters that aren't there");
	check(!__snp_launch_start(&snp, 0x30000), "started");
	check_errno(__snp_launch_start(&snp, 0x30000), EINVAL, "started twice");

	check_errno(__snp_launch_update(&snp, gpa, page, SZ_4K, 1, NULL), EINVAL,
		    "a page that is shared");
	set_private(snp.vm->fd, gpa, SZ_2M, true);
	check_errno(__snp_launch_update(&snp, gpa, page + 8, SZ_4K, 1, NULL), EINVAL,
		    "a source that is not aligned");
	check_errno(__snp_launch_update(&snp, gpa, page, SZ_4K + 8, 1, NULL), EINVAL,
		    "a size that is not aligned");
	check_errno(__snp_launch_update(&snp, gpa, page, 0, 1, NULL), EINVAL, "no pages");
	check_errno(__snp_launch_update(&snp, gpa, page, SZ_4K, 2, NULL), EINVAL, "type VMSA");
	check_errno(__snp_launch_update(&snp, gpa, page, SZ_4K, 7, NULL), EINVAL, "no such type");
	check_errno(__snp_launch_update(&snp, gpa, NULL, SZ_4K, 1, NULL), EINVAL, "no source");
	check_errno(__snp_launch_update(&snp, ~0ul << 12, page, 2 * SZ_4K, 1, NULL), EINVAL,
		    "beyond the last gfn");
	check_errno(__snp_launch_update(&snp, 1ul << 46, page, SZ_4K, 1, NULL), EINVAL,
		    "no memory there");
	check_errno(__snp_launch_update(&snp, gpa, (void *)SZ_4K, SZ_4K, 1, NULL), EFAULT,
		    "a source that isn't mapped");
	check(!__snp_launch_update(&snp, gpa, page, SZ_4K, 1, NULL), "a page");
	check_errno(__snp_launch_update(&snp, gpa, page, SZ_4K, 1, NULL), EEXIST, "the same again");
	check(!__snp_launch_update(&snp, gpa + SZ_4K, NULL, SZ_4K, 3, NULL), "a page of zeroes");
	check(!__snp_launch_update(&snp, gpa + 2 * SZ_4K, page, SZ_4K, 4, NULL), "unmeasured");

	/* One function with every bit set, which no firmware accepts. */
	*(uint32_t *)page = 1;
	*(uint32_t *)(page + 16) = 1;
	memset(page + 40, 0xff, 16);
	r = __snp_launch_update(&snp, gpa + 3 * SZ_4K, page, SZ_4K, 6, &fw_error);
	check(r && errno == EIO && fw_error == FW_INVALID_PARAM,
	      "a CPUID page is refused (%d, firmware error %u)", r, fw_error);
	check(*(uint32_t *)page == 1 && *(uint32_t *)(page + 48) != ~0u,
	      "what the firmware would accept comes back");
	r = __snp_launch_update(&snp, gpa + 3 * SZ_4K, page, SZ_4K, 6, &fw_error);
	check(!r, "and is accepted (%d, firmware error %u)", r, fw_error);
	memset(page, 0, SZ_4K);
	*(uint32_t *)page = 1000;
	r = __snp_launch_update(&snp, gpa + 4 * SZ_4K, page, SZ_4K, 6, &fw_error);
	check(r && errno == EIO && fw_error == FW_INVALID_PARAM, "a CPUID page of 1000 functions");
	check(!__snp_launch_update(&snp, gpa + 4 * SZ_4K, page, SZ_4K, 1, NULL),
	      "its place is free for another page");

	finish.flags = 1;
	check_errno(__snp_command(&snp, KVM_SEV_SNP_LAUNCH_FINISH, &finish, NULL), EINVAL,
		    "finish with flags");
	munmap(page, 2 * SZ_4K);
}

/* A VM that is destroyed before its launch leaks nothing. */
static void test_abandoned(void)
{
	snp_vm_create(&snp);
	test_launch_arguments();
	check(__vcpu_run(snp.vcpus[0]) || snp.vcpus[0]->run->exit_reason == KVM_EXIT_FAIL_ENTRY,
	      "vCPUs don't run before the launch is finished");
	snp_vm_free(&snp);
}

/* Must be last: a guest without handlers does not survive a #VC. */
static void test_unvalidated(void)
{
	uint64_t gpa = SNP_DATA_GPA + SZ_2M;

	check(snp_order(&snp, SNP_READ, gpa, 0, 0) == -1 && errno == EFAULT &&
	      is_memory_fault(snp.vcpus[0], gpa, true), "private access to shared memory");
	set_private(snp.vm->fd, gpa, SZ_2M, true);
	check(snp_resume(&snp) == KVM_EXIT_SHUTDOWN, "private, but not validated");
}

static void test_pages(void)
{
	uint64_t gpa = SNP_DATA_GPA + 2 * SZ_2M;
	uint64_t alias = SNP_DATA_SHARED + 2 * SZ_2M;
	struct kvm_vcpu *vcpu = snp.vcpus[0];
	uint64_t i;
	bool ok;

	set_private(snp.vm->fd, gpa, 2 * SZ_2M, true);
	check(snp_pvalidate(&snp, gpa, PVAL_2M, true) == 0, "2 MiB are validated at once");
	check(snp_pvalidate(&snp, gpa, PVAL_2M, true) == PVAL_NO_CHANGE, "and are then");
	check(!snp_order(&snp, SNP_WRITE, gpa + SZ_4K, VALUE, 0), "written");

	check(snp_order(&snp, SNP_WRITE, alias + SZ_4K, 0, 0) == -1 && errno == EFAULT &&
	      is_memory_fault(vcpu, gpa + SZ_4K, false), "shared access to private memory");
	check(snp_resume(&snp) == -1 && errno == EFAULT, "the access is made again");

	/* One page of the 2 MiB is shared now: the rest is mapped page by page. */
	set_private(snp.vm->fd, gpa + SZ_4K, SZ_4K, false);
	check(!snp_resume(&snp), "it is shared now");
	check(!snp_order(&snp, SNP_READ, gpa + 2 * SZ_4K, 0, 0), "the next page is private still");
	set_private(snp.vm->fd, gpa + SZ_4K, SZ_4K, true);
	check(snp_reads(&snp, gpa + SZ_4K, VALUE), "private again: the content is intact");
	i = snp_pvalidate(&snp, gpa, PVAL_2M, true);
	check(i == PVAL_MISMATCH, "2 MiB of small pages can't be validated (%#lx)", i);

	/*
	 * The guest validates small pages of a 2 MiB page: it is split without loss of
	 * content.
	 */
	gpa += SZ_2M;
	ok = true;
	for (i = 0; i < 512; i++)
		ok &= snp_pvalidate(&snp, gpa + i * SZ_4K, PVAL_4K, true) == 0;
	check(ok, "2 MiB are validated page by page");
	check(!snp_order(&snp, SNP_WRITE, gpa + 511 * SZ_4K, VALUE, 0) &&
	      snp_reads(&snp, gpa + 511 * SZ_4K, VALUE), "and written");
	check(snp_pvalidate(&snp, gpa, PVAL_4K, true) == PVAL_NO_CHANGE, "validated before");
	check(snp_pvalidate(&snp, gpa, PVAL_4K, false) == 0 &&
	      snp_pvalidate(&snp, gpa, PVAL_4K, true) == 0,
	      "rescinded and validated");

	gmem_punch(snp.gmem_fd, gpa - SNP_DATA_GPA, SZ_2M);
	check(snp_pvalidate(&snp, gpa, PVAL_2M, true) == 0 && !snp_order(&snp, SNP_READ, gpa, 0, 0),
	      "after a hole it's a page of 2 MiB again");
}

int main(int argc, char *argv[])
{
	struct vcpu_watch watch;
	long leaked;

	require_snp();
	setbuf(stdout, NULL);
	leaked = leaked_pages();

	test_abandoned();

	snp_vm_create(&snp);
	snp_vm_launch(&snp);
	watch_begin(&watch, snp.vcpus[0]->fd);
	test_pages();
	/* One order for each 2 MiB page, and some more. */
	watch_end(&watch, 512, "vCPU");
	check(audit_is_clean(), "the audit has no findings");
	test_unvalidated();
	snp_vm_free(&snp);

	check(leaked_pages() == leaked, "no page is leaked");
	return check_finish();
}
