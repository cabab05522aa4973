/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An SNP guest to measure with: 2 MiB of launched memory with code and page tables,
 * two shared pages, and a large slot of private memory that it does as it's told with.
 */
#ifndef BENCH_SNP_H
#define BENCH_SNP_H

#include "vm.h"

/* Guest physical and guest virtual; shared are the GHCB and what is ordered. */
#define SNP_LAUNCHED	(2 * MIB)
#define SNP_CODE	0x10000ull
#define SNP_STACK	0x20000ull
#define SNP_GHCB	(1 * GIB)
#define SNP_ORDER	(SNP_GHCB + 4096)

enum snp_work {
	SNP_ACCEPT,	/* PVALIDATE in pages of 2 MiB, or of 4 KiB where that's the page in the RMP */
	SNP_TOUCH,	/* write one word at each step */
	SNP_PSC,	/* ask for pages of step bytes to be private, as many in a request as fit */
};

/* In the shared page behind the GHCB. */
struct snp_order {
	uint64_t work, gpa, size, step;
	uint64_t failed;	/* what PVALIDATE or a request ended with, 0: all well */
	uint64_t smaller;	/* pages of 2 MiB that were accepted in pages of 4 KiB */
};

struct snp_vm {
	struct vm vm;		/* the slot that is measured, at AREA */
	struct vcpu vcpu;
	struct snp_order *order;
	int low_gmem, sev;
	void *shared;
	uint64_t exits;		/* to userspace, of the last order */
};

void snp_create(struct snp_vm *snp, uint64_t size);
void snp_launch(struct snp_vm *snp);	/* LAUNCH_START, _UPDATE of what's launched, _FINISH */
void snp_destroy(struct snp_vm *snp);
void snp_do(struct snp_vm *snp, enum snp_work work, uint64_t gpa, uint64_t size, uint64_t step);

/* The guest's code, a section of its own; it runs anywhere. */
extern char __start_guest_code[], __stop_guest_code[];
void snp_guest(void);

#endif
