// SPDX-License-Identifier: GPL-2.0-only
/* Running small SNP guests: orders, events, a second vCPU; see the header. */
#include <errno.h>
#include <linux/kvm_para.h>

#include "processor.h"
#include "snp_bare.h"

/* Offsets in the VMSA, and the state of a processor in 64-bit mode. */
#define VMSA_ES			0x000
#define VMSA_CS			0x010
#define VMSA_SS			0x020
#define VMSA_DS			0x030
#define VMSA_LDTR		0x070
#define VMSA_TR			0x090
#define VMSA_EFER		0x0d0
#define VMSA_CR4		0x148
#define VMSA_CR3		0x150
#define VMSA_CR0		0x158
#define VMSA_DR7		0x160
#define VMSA_DR6		0x168
#define VMSA_RFLAGS		0x170
#define VMSA_RIP		0x178
#define VMSA_RSP		0x1d8
#define VMSA_PAT		0x268
#define VMSA_RDI		0x338
#define VMSA_FEATURES		0x3b0
#define VMSA_XCR0		0x3e8
#define VMSA_MXCSR		0x408
#define VMSA_FCW		0x410
#define SEGMENT_CODE		(0xa9bull << 16 | 8)
#define SEGMENT_DATA		(0xc93ull << 16 | 16)
#define SEGMENT_LDT		(0x082ull << 16)
#define SEGMENT_TSS		(0x08bull << 16)
#define SEGMENT_LIMIT		(0xffffffffull << 32)

static void vmsa_set(uint8_t *page, unsigned int offset, uint64_t value)
{
	*(uint64_t *)(page + offset) = value;
}

void bare_fill_vmsa(struct snp_bare *b, uint8_t *page, int cpu)
{
	memset(page, 0, SZ_4K);
	vmsa_set(page, VMSA_CS, SEGMENT_CODE | SEGMENT_LIMIT);
	vmsa_set(page, VMSA_DS, SEGMENT_DATA | SEGMENT_LIMIT);
	vmsa_set(page, VMSA_ES, SEGMENT_DATA | SEGMENT_LIMIT);
	vmsa_set(page, VMSA_SS, SEGMENT_DATA | SEGMENT_LIMIT);
	vmsa_set(page, VMSA_LDTR, SEGMENT_LDT | 0xffffull << 32);
	vmsa_set(page, VMSA_TR, SEGMENT_TSS | 0xffffull << 32);
	vmsa_set(page, VMSA_EFER, EFER_LME | EFER_LMA | EFER_SVME);
	vmsa_set(page, VMSA_CR0, X86_CR0_PE | X86_CR0_NE | X86_CR0_ET | X86_CR0_PG);
	vmsa_set(page, VMSA_CR3, BARE_TABLES_GPA | b->c_bit);
	vmsa_set(page, VMSA_CR4, X86_CR4_PAE | X86_CR4_OSFXSR);
	vmsa_set(page, VMSA_DR6, 0xffff0ff0);
	vmsa_set(page, VMSA_DR7, 0x400);
	vmsa_set(page, VMSA_RFLAGS, 2);
	vmsa_set(page, VMSA_RIP, bare_entry());
	vmsa_set(page, VMSA_RSP, BARE_STACK(cpu));
	vmsa_set(page, VMSA_RDI, BARE_CTL(cpu));
	vmsa_set(page, VMSA_PAT, 0x0007040600070406ull);
	vmsa_set(page, VMSA_FEATURES, 1);
	vmsa_set(page, VMSA_XCR0, 1);
	*(uint32_t *)(page + VMSA_MXCSR) = 0x1f80;
	*(uint16_t *)(page + VMSA_FCW) = 0x37f;
}

static bool bare_is_done(struct kvm_run *run)
{
	return run->exit_reason == KVM_EXIT_SYSTEM_EVENT &&
	       run->system_event.type == KVM_SYSTEM_EVENT_SEV_TERM &&
	       run->system_event.data[0] == MSR_DONE;
}

int bare_run(struct snp_bare *b, int cpu)
{
	int r;

	WRITE_ONCE(b->in_run[cpu], true);
	/* KVM_RUN returns EAGAIN when a vCPU got what it was waiting for. */
	do {
		r = ioctl(b->vcpu_fd[cpu], KVM_RUN, NULL);
	} while (r && (errno == EINTR || errno == EAGAIN) && !b->run[cpu]->immediate_exit);
	WRITE_ONCE(b->in_run[cpu], false);

	if (r)
		return -1;
	return bare_is_done(b->run[cpu]) ? 0 : b->run[cpu]->exit_reason;
}

bool bare_is_fault(struct snp_bare *b, int cpu, uint64_t gpa)
{
	struct kvm_run *run = b->run[cpu];

	return run->exit_reason == KVM_EXIT_MEMORY_FAULT && run->memory_fault.gpa == gpa;
}

int bare_order(struct snp_bare *b, int cpu, enum bare_op op, uint64_t arg0, uint64_t arg1,
	       uint64_t arg2)
{
	struct bare_ctl *ctl = b->ctl[cpu];

	ctl->op = op;
	ctl->args[0] = arg0;
	ctl->args[1] = arg1;
	ctl->args[2] = arg2;
	return bare_run(b, cpu);
}

int bare_convert(struct snp_bare *b, int cpu)
{
	struct kvm_run *run = b->run[cpu];
	bool private = run->hypercall.args[2] & KVM_MAP_GPA_RANGE_ENCRYPTED;

	if (__set_attributes(b->vm_fd, run->hypercall.args[0], run->hypercall.args[1] * SZ_4K,
			     private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0))
		return -1;
	run->hypercall.ret = 0;
	return bare_run(b, cpu);
}

void bare_event_clear(struct snp_bare *b, int cpu)
{
	uint8_t *event = b->shared + BARE_EVENT(cpu) - BARE_SHARED_GPA;

	memset(event, 0, SZ_4K);
	*(uint16_t *)(event + GHCB_VERSION) = 2;
}

void bare_event_set(struct snp_bare *b, int cpu, unsigned int offset, uint64_t value)
{
	uint8_t *event = b->shared + BARE_EVENT(cpu) - BARE_SHARED_GPA;

	*(uint64_t *)(event + offset) = value;
	event[GHCB_VALID_BITMAP + offset / 64] |= 1 << offset / 8 % 8;
}

uint64_t bare_answer(struct snp_bare *b, int cpu, unsigned int offset)
{
	return *(uint64_t *)(b->shared + BARE_ANSWER(cpu) - BARE_SHARED_GPA + offset);
}

int bare_event(struct snp_bare *b, int cpu, uint64_t code, uint64_t info1, uint64_t info2)
{
	bare_event_set(b, cpu, GHCB_EXIT_CODE, code);
	bare_event_set(b, cpu, GHCB_EXIT_INFO_1, info1);
	bare_event_set(b, cpu, GHCB_EXIT_INFO_2, info2);
	return bare_order(b, cpu, BARE_MSR, BARE_GHCB(cpu) | MSR_REGISTER, 0, 0) ?:
	       bare_order(b, cpu, BARE_EVENT_AT, BARE_GHCB(cpu), 0, 0);
}

int bare_start_ap(struct snp_bare *b, uint64_t gpa)
{
	int r = bare_order(b, 0, BARE_RMPADJUST, gpa, 0, RMPADJUST_VMSA);

	if (r || b->ctl[0]->result)
		return -1;
	bare_event_clear(b, 0);
	bare_event_set(b, 0, GHCB_RAX, 1);
	r = bare_event(b, 0, EVENT_AP_CREATION, 1ul << 32 | AP_CREATE, gpa);
	return r || bare_answer(b, 0, GHCB_EXIT_INFO_1) ? -1 : 0;
}

unsigned int bare_max_guests(void)
{
	uint32_t eax, ebx, ecx, edx;

	cpuid(0x8000001f, &eax, &ebx, &ecx, &edx);
	return edx - 1;
}

unsigned int bare_count_asids(unsigned int max)
{
	struct snp_bare *guests = calloc(max, sizeof(*guests));
	unsigned int i, nr = 0;

	TEST_ASSERT(guests, "No memory");
	for (i = 0; i < max; i++) {
		bare_init(&guests[i]);
		if (bare_create_vm(&guests[i]) || bare_init2(&guests[i]) ||
		    bare_launch_start(&guests[i]))
			break;
		nr++;
	}
	for (i = 0; i < max && i <= nr; i++)
		bare_free(&guests[i]);
	free(guests);
	return nr;
}
