/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small SNP guests, of which a test can create thousands: a few pages to launch, two
 * vCPUs, private memory in 4 KiB and in 2 MiB pages. Nothing here exits or asserts, so
 * that a process can be killed, or pass invalid values to KVM, at each step.
 */
#ifndef SELFTEST_KVM_SNP_BARE_H
#define SELFTEST_KVM_SNP_BARE_H

#include "private_mem.h"
#include "snp.h"

/* Private pages that are launched; only the guest's page tables map them. */
#define BARE_TABLES_GPA		0x1000ul
#define BARE_CODE_GPA		0x4000ul
#define BARE_VMSA_GPA		0x6000ul	/* for the second vCPU, prepared by the test */
#define BARE_STACK(cpu)		(0x7ff8ul + (cpu) * SZ_4K)
#define BARE_LAUNCH_GPA		0x1000ul
#define BARE_LAUNCH_SIZE	0x8000ul
#define BARE_RAM_SIZE		0x10000ul

/* Shared: the GHCB of each vCPU, and the buffers from which it is filled and read. */
#define BARE_SHARED_GPA		SZ_2M
#define BARE_SHARED_SIZE	(32 * SZ_4K)
#define BARE_GHCB(cpu)		(BARE_SHARED_GPA + (cpu) * 8 * SZ_4K)
#define BARE_CTL(cpu)		(BARE_GHCB(cpu) + SZ_4K)
#define BARE_EVENT(cpu)		(BARE_GHCB(cpu) + 2 * SZ_4K)
#define BARE_ANSWER(cpu)	(BARE_GHCB(cpu) + 3 * SZ_4K)
#define BARE_BUFFER(cpu)	(BARE_GHCB(cpu) + 4 * SZ_4K)

/*
 * Private once it is converted; the guest has it mapped as shared at the second address.
 */
#define BARE_DATA_GPA		(2 * SZ_2M)
#define BARE_DATA_SIZE		(2 * SZ_2M)
#define BARE_DATA_SHARED	(BARE_DATA_GPA + 4 * SZ_2M)

#define NR_BARE_VCPUS		2

/* The GHCB MSR: requests, and a termination with which the guest reports completion. */
#define MSR_REGISTER		0x012ul
#define MSR_PSC			0x014ul
#define MSR_DONE		0x5a100ul

/* Attributes for RMPADJUST: VMPL 1 without permissions; a VMSA. */
#define RMPADJUST_NONE		1ul
#define RMPADJUST_VMSA		(1ul << 16 | 1)

#define EVENT_MSR		0x7cul
#define EVENT_PSC		0x80000010ul
#define EVENT_GUEST_REQUEST	0x80000011ul
#define EVENT_EXT_REQUEST	0x80000012ul
#define EVENT_AP_CREATION	0x80000013ul
#define AP_CREATE_ON_INIT	0ul
#define AP_CREATE		1ul
#define AP_DESTROY		2ul

enum bare_op {
	BARE_MSR,		/* value of the GHCB MSR; result: the MSR after VMGEXIT */
	BARE_EVENT_AT,		/* gpa of the GHCB: trigger the event in BARE_EVENT */
	BARE_READ,		/* address; result: the word there */
	BARE_WRITE,		/* address, value */
	BARE_PVALIDATE,		/* address, size, validate; result: EAX, and CF << 8 */
	BARE_RMPADJUST,		/* address, size, attributes; result: EAX */
	BARE_COPY,		/* destination, source, words */
	BARE_VALIDATE,		/* address, end: each 4 KiB page; result: how many fail */
	/*
	 * address, pages, value: write value to both ends of the first page, value + 1 to
	 * the next, etc.
	 */
	BARE_STAMP,
	BARE_LOOK,		/* address, pages, buffer: copy the words at both ends */
	BARE_READ_WHEN,		/* flag, value, address: read it when the flag has the value */
	BARE_SPIN,		/* address, end, gfn to convert or 0: write there forever */
	BARE_CLGI,		/* clear GIF */
	BARE_STGI,		/* and set it */
	/* value: write it to DR0, and read that; use DR3, DR6 and DEBUGCTL, too */
	BARE_DEBUG_REGS,
	BARE_IRET,
	/*
	 * GHCB with AP_DESTROY, VMSA, counter of the vCPU that is destroyed. The result: the
	 * status of RMPADJUST, which takes the VMSA away at once; 0x100 if it counts later on.
	 */
	BARE_DESTROY,
};

struct bare_ctl {
	uint64_t op;
	uint64_t args[3];
	uint64_t result;
	uint64_t count;		/* completed orders, and rounds of BARE_SPIN */
};

/*
 * The pages of BARE_STAMP or BARE_LOOK are new: validate them first; BARE_LOOK
 * invalidates them afterwards, and they must contain zeroes. The result is the number of
 * pages that could not be validated, or were already validated.
 */
#define BARE_NEW_PAGES		BIT(32)

/* The result of BARE_READ_WHEN while it waits. */
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

/*
 * The steps of a life; functions that return an int return -1 and set errno on failure.
 */
void bare_init(struct snp_bare *b);
/* Before the launch: map more memory as private, and as shared at @shared above. */
void bare_map(struct snp_bare *b, uint64_t gpa, uint64_t size, uint64_t shared);
int bare_create_vm(struct snp_bare *b);
int bare_init2(struct snp_bare *b);
int bare_add_memory(struct snp_bare *b);
int bare_add_blank_vcpus(struct snp_bare *b);	/* without registers, both runnable */
int bare_add_vcpus(struct snp_bare *b);
int bare_add_vcpu(struct snp_bare *b, int cpu);	/* without registers */
int bare_add_first_vcpu(struct snp_bare *b);	/* with registers, and nothing of the second */
int bare_launch_start(struct snp_bare *b);
int bare_launch_page(struct snp_bare *b, uint64_t gpa);
int bare_launch_pages(struct snp_bare *b);	/* all of them */
int bare_launch_finish(struct snp_bare *b);
int bare_launch(struct snp_bare *b);	/* all of the above, after bare_init() */
void bare_close(int *fd);
void bare_unmap_vcpu(struct snp_bare *b, int cpu);
void bare_free(struct snp_bare *b);

int bare_command(struct snp_bare *b, int id, void *data, uint32_t *fw_error);

/*
 * Run a vCPU until its order is done, and return 0. If KVM_RUN fails, return its error;
 * if the vCPU waits in an exit, return the reason.
 */
int bare_run(struct snp_bare *b, int cpu);
/* True if the last exit was KVM_EXIT_MEMORY_FAULT for the page at @gpa. */
bool bare_is_fault(struct snp_bare *b, int cpu, uint64_t gpa);
int bare_order(struct snp_bare *b, int cpu, enum bare_op op, uint64_t arg0, uint64_t arg1,
	       uint64_t arg2);
/* Userspace's part of an exit for a conversion; afterwards the order continues. */
int bare_convert(struct snp_bare *b, int cpu);
/* The second vCPU gets the VMSA at @gpa, which is a launched page. */
int bare_start_ap(struct snp_bare *b, uint64_t gpa);

/* Prepare a VMSA for a vCPU that executes orders like one that was launched. */
uint64_t bare_entry(void);
void bare_fill_vmsa(struct snp_bare *b, uint8_t *page, int cpu);
/* The event of a vCPU: clear it, set a field and mark it valid, get the response. */
void bare_event_clear(struct snp_bare *b, int cpu);
void bare_event_set(struct snp_bare *b, int cpu, unsigned int offset, uint64_t value);
uint64_t bare_answer(struct snp_bare *b, int cpu, unsigned int offset);
int bare_event(struct snp_bare *b, int cpu, uint64_t code, uint64_t info1, uint64_t info2);

/* More than one VM: move the guest of @from to @to, or let @to have vCPUs of it. */
int bare_context_from(struct snp_bare *to, uint32_t cap, int source_fd, uint64_t flags);
int bare_move(struct snp_bare *to, struct snp_bare *from);
int bare_mirror(struct snp_bare *to, struct snp_bare *from);
int bare_link_file(int vm_fd, int fd, uint64_t size, uint64_t flags);
/* A VM that can take over the guest of @from: with its shared memory, without vCPUs. */
void bare_create_like(struct snp_bare *to, struct snp_bare *from);
/* vCPUs that are both runnable once they have registers. */
void bare_add_running_vcpus(struct snp_bare *b);
bool bare_bind_data(struct snp_bare *b, uint64_t size, uint64_t offset);
/* Link and bind all private memory. */
bool bare_take_memory(struct snp_bare *to, struct snp_bare *from);

/* Number of guests that can be created and started at the same time: one per ASID. */
unsigned int bare_max_guests(void);
unsigned int bare_count_asids(unsigned int max);

#endif /* SELFTEST_KVM_SNP_BARE_H */
