// SPDX-License-Identifier: GPL-2.0
/*
 * What runs in the SNP guest. It's copied there, so nothing outside of the section is used.
 * To be compiled with -mgeneral-regs-only.
 */
#include "snp.h"

#define GUEST __attribute__((section("guest_code")))

#define MSR_GHCB		0xc0010130
#define REGISTER_GHCB		0x12ull

#define GHCB_RAX		0x1f8
#define GHCB_EXIT_CODE		0x390
#define GHCB_EXIT_INFO_1	0x398
#define GHCB_EXIT_INFO_2	0x3a0
#define GHCB_SCRATCH		0x3a8
#define GHCB_VALID_BITMAP	0x3f0
#define GHCB_SHARED_BUFFER	0x800
#define GHCB_VERSION		0xffa

#define EXIT_IOIO		0x7b
#define EXIT_PSC		0x80000010ull
#define OUT_BYTE		(0x10ull << 16 | 1 << 4 | 1 << 8)
#define PSC_PRIVATE		(1ull << 52)
#define PSC_2M			(1ull << 56)
#define PSC_ENTRIES		253
#define SIZE_MISMATCH		6

static GUEST void put(unsigned int offset, uint64_t value)
{
	volatile uint64_t *valid = (void *)(SNP_GHCB + GHCB_VALID_BITMAP);

	*(volatile uint64_t *)(SNP_GHCB + offset) = value;
	valid[offset / 8 / 64] |= 1ull << (offset / 8 % 64);
}

static GUEST void vmgexit(uint64_t msr)
{
	__asm__ volatile("wrmsr; rep; vmmcall" : :
			 "c"(MSR_GHCB), "a"((uint32_t)msr), "d"((uint32_t)(msr >> 32)) : "memory");
}

static GUEST void event(uint64_t code, uint64_t info1, uint64_t info2)
{
	put(GHCB_EXIT_CODE, code);
	put(GHCB_EXIT_INFO_1, info1);
	put(GHCB_EXIT_INFO_2, info2);
	*(volatile uint16_t *)(SNP_GHCB + GHCB_VERSION) = 2;
	vmgexit(SNP_GHCB);
}

static GUEST uint64_t pvalidate(uint64_t gpa, uint64_t large)
{
	uint64_t status = gpa;

	__asm__ volatile(".byte 0xf2, 0x0f, 0x01, 0xff" : "+a"(status) : "c"(large), "d"(1ull) : "memory", "cc");
	return (uint32_t)status;
}

static GUEST void accept(volatile struct snp_order *order)
{
	for (uint64_t gpa = order->gpa; gpa < order->gpa + order->size; gpa += 2 * MIB) {
		uint64_t status = pvalidate(gpa, 1);

		if (status == SIZE_MISMATCH) {
			order->smaller++;
			status = 0;
			for (uint64_t page = gpa; page < gpa + 2 * MIB; page += 4096)
				status |= pvalidate(page, 0);
		}
		if (status)
			order->failed = status;
	}
}

/* Header: the entry that comes next, the last one. Entry: gpa, operation, size. */
static GUEST uint64_t request(uint64_t gpa, uint64_t step, unsigned int nr)
{
	volatile uint64_t *list = (void *)(SNP_GHCB + GHCB_SHARED_BUFFER);
	volatile uint16_t *header = (void *)list;

	list[0] = (uint64_t)(nr - 1) << 16;
	for (unsigned int i = 0; i < nr; i++)
		list[i + 1] = (gpa + i * step) | PSC_PRIVATE | (step == 4096 ? 0 : PSC_2M);
	do {
		put(GHCB_SCRATCH, SNP_GHCB + GHCB_SHARED_BUFFER);
		event(EXIT_PSC, 0, 0);
		if (*(volatile uint64_t *)(SNP_GHCB + GHCB_EXIT_INFO_2))
			return 1;
	} while (header[0] <= header[1]);
	return 0;
}

static GUEST void make_private(volatile struct snp_order *order)
{
	uint64_t gpa = order->gpa, left = order->size / order->step;

	while (left && !order->failed) {
		unsigned int nr = left < PSC_ENTRIES ? left : PSC_ENTRIES;

		order->failed = request(gpa, order->step, nr);
		gpa += nr * order->step;
		left -= nr;
	}
}

GUEST void snp_guest(void)
{
	volatile struct snp_order *order = (void *)SNP_ORDER;

	vmgexit(SNP_GHCB | REGISTER_GHCB);
	for (;;) {
		put(GHCB_RAX, 0);
		event(EXIT_IOIO, OUT_BYTE, 0);
		order->failed = order->smaller = 0;
		if (order->work == SNP_ACCEPT)
			accept(order);
		else if (order->work == SNP_PSC)
			make_private(order);
		else
			for (uint64_t gpa = order->gpa; gpa < order->gpa + order->size; gpa += order->step)
				*(volatile uint64_t *)gpa = gpa;
	}
}
