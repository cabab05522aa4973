/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small SNP guests, of which a test can make thousands: a few pages to launch, two
 * vCPUs, private memory of 4 KiB and of 2 MiB.  Nothing here exits or asserts, so
 * that a process may be killed, or give nonsense to KVM, at each step.
 */
#ifndef SELFTEST_KVM_SNP_BARE_H
#define SELFTEST_KVM_SNP_BARE_H

#include "private_mem.h"
#include "snp.h"

/* Private pages that are launched; where they are is the guest's page tables' secret. */
#define BARE_TABLES_GPA		0x1000ul
#define BARE_CODE_GPA		0x4000ul
#define BARE_VMSA_GPA		0x6000ul	/* for the second vCPU, made by the test */
#define BARE_STACK(cpu)		(0x7ff8ul + (cpu) * SZ_4K)
#define BARE_LAUNCH_GPA		0x1000ul
#define BARE_LAUNCH_SIZE	0x8000ul
#define BARE_RAM_SIZE		0x10000ul

/* Shared: for each vCPU its GHCB, and what goes to it and comes from it. */
#define BARE_SHARED_GPA		SZ_2M
#define BARE_SHARED_SIZE	(32 * SZ_4K)
#define BARE_GHCB(cpu)		(BARE_SHARED_GPA + (cpu) * 8 * SZ_4K)
#define BARE_CTL(cpu)		(BARE_GHCB(cpu) + SZ_4K)
#define BARE_EVENT(cpu)		(BARE_GHCB(cpu) + 2 * SZ_4K)
#define BARE_ANSWER(cpu)	(BARE_GHCB(cpu) + 3 * SZ_4K)
#define BARE_BUFFER(cpu)	(BARE_GHCB(cpu) + 4 * SZ_4K)

/* Private once it's made so; the guest sees it as shared at the second address. */
#define BARE_DATA_GPA		(2 * SZ_2M)
#define BARE_DATA_SIZE		(2 * SZ_2M)
#define BARE_DATA_SHARED	(BARE_DATA_GPA + 4 * SZ_2M)

#define NR_BARE_VCPUS		2

/* The GHCB's MSR: requests, and a termination by which the guest says that it's done. */
#define MSR_REGISTER		0x012ul
#define MSR_PSC			0x014ul
#define MSR_DONE		0x5a100ul

/* Attributes for RMPADJUST: VMPL 1, which has no permissions; a VMSA. */
#define RMPADJUST_NONE		1ul
#define RMPADJUST_VMSA		(1ul << 16 | 1)

#define EVENT_PSC		0x80000010ul
#define EVENT_GUEST_REQUEST	0x80000011ul
#define EVENT_EXT_REQUEST	0x80000012ul
#define EVENT_AP_CREATION	0x80000013ul
#define AP_CREATE_ON_INIT	0ul
#define AP_CREATE		1ul
#define AP_DESTROY		2ul

enum bare_op {
	BARE_MSR,		/* value of the GHCB's MSR; result: what it reads then */
	BARE_EVENT_AT,		/* gpa of the GHCB: have what is in BARE_EVENT */
	BARE_READ,		/* address; result: the word there */
	BARE_WRITE,		/* address, value */
	BARE_PVALIDATE,		/* address, size, validate; result: EAX, and CF << 8 */
	BARE_RMPADJUST,		/* address, size, attributes; result: EAX */
	BARE_COPY,		/* destination, source, words */
	BARE_VALIDATE,		/* address, end: each page of 4 KiB; result: how many fail */
	/* address, pages, value: write it, and one more to each of the next ones, at both ends */
	BARE_STAMP,
	BARE_LOOK,		/* address, pages, buffer: copy the words at both ends */
	BARE_READ_WHEN,		/* flag, value, address: read it when the flag has the value */
	BARE_SPIN,		/* address, end, gfn to convert or 0: write there for ever */
};

struct bare_ctl {
	uint64_t op;
	uint64_t args[3];
	uint64_t result;
	uint64_t count;		/* of orders that are done, and of rounds of BARE_SPIN */
};

/*
 * The pages of BARE_STAMP, or of BARE_LOOK, are new: they are validated first, and by
 * BARE_LOOK no longer after that, and have nothing but zeroes.  The result is how many of
 * them could not be validated, or were validated before.
 */
#define BARE_NEW_PAGES		BIT(32)

/* The result of BARE_READ_WHEN until then. */
#define BARE_WAITS		0x77616974ul

/* File descriptors are -1 if they are not open. */
struct snp_bare {
	int kvm_fd;
	int sev_fd;
	int vm_fd;
	int vcpu_fd[NR_BARE_VCPUS];
	int ram_fd;
	int data_fd;
	struct kvm_run *run[NR_BARE_VCPUS];
	struct bare_ctl *ctl[NR_BARE_VCPUS];
	bool in_run[NR_BARE_VCPUS];
	uint8_t *shared;
	uint8_t *data;
	uint8_t *image;
	size_t run_size;
	uint64_t c_bit;
};

/* Each step of a life; what returns an int returns -1 and sets errno if it fails. */
void bare_init(struct snp_bare *b);
/* Before the launch: more memory, mapped as private, and as shared @shared above. */
void bare_map(struct snp_bare *b, uint64_t gpa, uint64_t size, uint64_t shared);
int bare_create_vm(struct snp_bare *b);
int bare_init2(struct snp_bare *b);
int bare_add_memory(struct snp_bare *b);
int bare_add_blank_vcpus(struct snp_bare *b);	/* without registers, both would run */
int bare_add_vcpus(struct snp_bare *b);
int bare_launch_start(struct snp_bare *b);
int bare_launch_page(struct snp_bare *b, uint64_t gpa);
int bare_launch_pages(struct snp_bare *b);	/* all there are */
int bare_launch_finish(struct snp_bare *b);
int bare_launch(struct snp_bare *b);	/* all of the above, after bare_init() */
void bare_close(int *fd);
void bare_unmap_vcpu(struct snp_bare *b, int cpu);
void bare_free(struct snp_bare *b);

int bare_command(struct snp_bare *b, int id, void *data, uint32_t *fw_error);

/*
 * Run a vCPU till its order is done, which is 0; or return what KVM_RUN returns if
 * that fails, or the reason of the exit that it is waiting in.
 */
int bare_run(struct snp_bare *b, int cpu);
int bare_order(struct snp_bare *b, int cpu, enum bare_op op, uint64_t arg0, uint64_t arg1,
	       uint64_t arg2);
/* User space's part of an exit for a conversion; then the order goes on. */
int bare_convert(struct snp_bare *b, int cpu);
/* The second vCPU gets the VMSA at @gpa, a launched page. */
int bare_start_ap(struct snp_bare *b, uint64_t gpa);

/* Put a VMSA for a vCPU together, that takes orders like one of the launch. */
uint64_t bare_entry(void);
void bare_fill_vmsa(struct snp_bare *b, uint8_t *page, int cpu);
/* The event of a vCPU: cleared, a field that is then valid, and the answer. */
void bare_event_clear(struct snp_bare *b, int cpu);
void bare_event_set(struct snp_bare *b, int cpu, unsigned int offset, uint64_t value);
uint64_t bare_answer(struct snp_bare *b, int cpu, unsigned int offset);
int bare_event(struct snp_bare *b, int cpu, uint64_t code, uint64_t info1, uint64_t info2);

/* More than one VM: the guest of @from moves to @to, or gets vCPUs of it. */
int bare_context_from(struct snp_bare *to, uint32_t cap, int source_fd, uint64_t flags);
int bare_move(struct snp_bare *to, struct snp_bare *from);
int bare_mirror(struct snp_bare *to, struct snp_bare *from);
int bare_link_file(int vm_fd, int fd, uint64_t size, uint64_t flags);
/* A VM that can be given the guest of @from: with its shared memory, without vCPUs. */
void bare_create_like(struct snp_bare *to, struct snp_bare *from);
/* vCPUs that both run, when they have registers. */
void bare_add_running_vcpus(struct snp_bare *b);
bool bare_bind_data(struct snp_bare *b, uint64_t size, uint64_t offset);
/* Link and bind all of the private memory. */
bool bare_take_memory(struct snp_bare *to, struct snp_bare *from);

/* Guests that can be created and started at once: as many as there are ASIDs. */
unsigned int bare_max_guests(void);
unsigned int bare_count_asids(unsigned int max);

#endif /* SELFTEST_KVM_SNP_BARE_H */
