/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SNP guests that execute commands of the test: the guest is an agent that reads orders
 * from a shared page, so that the test can have it make any request, valid or not.
 */
#ifndef SELFTEST_KVM_SNP_H
#define SELFTEST_KVM_SNP_H

#include "private_mem.h"

/* Offsets in the GHCB, as in the GHCB specification. */
#define GHCB_RAX		0x1f8
#define GHCB_RCX		0x308
#define GHCB_RDX		0x310
#define GHCB_RBX		0x318
#define GHCB_EXIT_CODE		0x390
#define GHCB_EXIT_INFO_1	0x398
#define GHCB_EXIT_INFO_2	0x3a0
#define GHCB_SCRATCH		0x3a8
#define GHCB_XCR0		0x3e8
#define GHCB_VALID_BITMAP	0x3f0
#define GHCB_SHARED_BUFFER	0x800
#define GHCB_SHARED_SIZE	2032
#define GHCB_VERSION		0xffa
#define GHCB_USAGE		0xffc

#define SNP_SHARED_GPA		(2 * SZ_1G)
#define SNP_GHCB_GPA		SNP_SHARED_GPA
#define SNP_ORDER_GPA		(SNP_SHARED_GPA + SZ_4K)
#define SNP_BUFFER_GPA		(SNP_SHARED_GPA + 2 * SZ_4K)
/* The GHCB before and after an event: KVM writes to it in between. */
#define SNP_EVENT_GPA		(SNP_SHARED_GPA + 8 * SZ_4K)
#define SNP_ANSWER_GPA		(SNP_SHARED_GPA + 9 * SZ_4K)
#define SNP_SHARED_SIZE		(16 * SZ_4K)

/* Memory for tests, mapped one to one as private, and a second time as shared. */
#define SNP_DATA_GPA		(4 * SZ_1G)
#define SNP_DATA_SIZE		(8 * SZ_2M)
#define SNP_DATA_SHARED		(8 * SZ_1G)

/* PVALIDATE: page sizes and results */
#define PVAL_4K			0ul
#define PVAL_2M			1ul
#define PVAL_NO_CHANGE		0x100ul		/* the carry flag */
#define PVAL_MISMATCH		6ul

enum snp_order_op {
	SNP_MSR,		/* args: value; result: the MSR after VMGEXIT */
	SNP_EVENT,		/* the event that the test has prepared; no result */
	SNP_READ,		/* args: address; result: the word there */
	SNP_WRITE,		/* args: address, value */
	SNP_PVALIDATE,		/* args: address, size, validate; result: EAX, and CF << 8 */
	SNP_RMPADJUST,		/* args: address, size, attributes; result: EAX */
	SNP_COPY,		/* args: destination, source, words */
	SNP_SPIN,		/* run without an exit of its own */
};

struct snp_order {
	uint64_t op;
	uint64_t args[3];
	uint64_t result;
	uint64_t count;		/* completed orders */
};

struct snp_vm {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpus[2];
	int sev_fd;
	int gmem_fd;		/* of the data */
	int ram_fd;
	uint64_t c_bit;
	struct snp_order *order;
	uint8_t *event;
	uint8_t *answer;
	uint8_t *buffer;
	bool in_run;		/* the first vCPU */
};

/* Exits with a reason if SNP guests are not supported. */
void require_snp(void);

/*
 * Functions below that begin with two underscores return -1 and set errno, or fw_error.
 */
int __snp_command(struct snp_vm *snp, int id, void *data, uint32_t *fw_error);
void snp_vm_create(struct snp_vm *snp);			/* up to KVM_SEV_INIT2 and vCPUs */
int __snp_launch_start(struct snp_vm *snp, uint64_t policy);
int __snp_launch_update(struct snp_vm *snp, uint64_t gpa, void *hva, uint64_t size,
			uint8_t type, uint32_t *fw_error);
int __snp_launch_finish(struct snp_vm *snp);
void snp_vm_launch(struct snp_vm *snp);			/* the rest of the launch */
void snp_vm_free(struct snp_vm *snp);

/*
 * Have the guest execute an order. Returns 0 when it is done, what KVM_RUN returns if it
 * fails, or the reason of the exit that the guest is waiting in.
 */
int snp_order(struct snp_vm *snp, enum snp_order_op op, uint64_t arg0, uint64_t arg1,
	      uint64_t arg2);
int snp_resume(struct snp_vm *snp);
/* Orders that must not fail: the result of PVALIDATE; true if the guest reads @value. */
uint64_t snp_pvalidate(struct snp_vm *snp, uint64_t gpa, uint64_t size, bool validate);
bool snp_reads(struct snp_vm *snp, uint64_t address, uint64_t value);
uint64_t snp_msr(struct snp_vm *snp, uint64_t value);

/* Prepare an event and trigger it: a field that is set is marked valid. */
void ghcb_clear(struct snp_vm *snp);
void ghcb_set(struct snp_vm *snp, unsigned int offset, uint64_t value);
uint64_t ghcb_get(struct snp_vm *snp, unsigned int offset);
int snp_event(struct snp_vm *snp, uint64_t code, uint64_t info1, uint64_t info2);
/* True if the last event was rejected with this reason. */
bool snp_refused(struct snp_vm *snp, uint64_t reason);

#endif /* SELFTEST_KVM_SNP_H */
