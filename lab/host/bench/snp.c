// SPDX-License-Identifier: GPL-2.0
/*
 * Counts instructions and exits of SNP guests; on the emulated SNP machine, else as bench.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "snp.h"

#define BIG	(1 * GIB)
#define WHOLE	(4 * GIB)
#define REPEATS	9

static uint64_t start, start_exits;

static void begin(struct snp_vm *snp)
{
	start_exits = vcpu_stat(&snp->vcpu, "exits");
	start = now();
}

static void end(struct snp_vm *snp, const char *name)
{
	uint64_t took = now() - start;

	printf("@bench snp-%s %" PRIu64 "\n", name, took);
	printf("@bench snp-%s-exits %" PRIu64 "\n", name, vcpu_stat(&snp->vcpu, "exits") - start_exits);
	fflush(stdout);
}

static void launched(struct snp_vm *snp, uint64_t size)
{
	snp_create(snp, size);
	snp_launch(snp);
}

/* The smallest of some: it has the least of waiting for the firmware in it. */
static void bench_launch(void)
{
	uint64_t smallest = ~0ull;
	struct snp_vm snp;

	for (int i = 0; i < REPEATS; i++) {
		snp_create(&snp, 2 * MIB);
		start = now();
		snp_launch(&snp);
		if (now() - start < smallest)
			smallest = now() - start;
		snp_destroy(&snp);
	}
	printf("@bench snp-launch-2m %" PRIu64 "\n", smallest);
	fflush(stdout);
}

static void bench_memory(void)
{
	struct snp_vm snp;

	launched(&snp, BIG);
	vm_private(&snp.vm, AREA, BIG);
	snp_do(&snp, SNP_TOUCH, 0, 0, 4096);
	begin(&snp);
	snp_do(&snp, SNP_ACCEPT, AREA, BIG, 0);
	end(&snp, "accept-1g");
	begin(&snp);
	snp_do(&snp, SNP_TOUCH, AREA, BIG, 4096);
	end(&snp, "touch-1g");
	snp_destroy(&snp);
}

static void bench_psc(uint64_t step, const char *name)
{
	struct snp_vm snp;

	launched(&snp, BIG);
	snp_do(&snp, SNP_TOUCH, 0, 0, 4096);
	begin(&snp);
	snp_do(&snp, SNP_PSC, AREA, BIG, step);
	end(&snp, name);
	printf("@bench snp-%s-user-exits %" PRIu64 "\n", name, snp.exits);
	snp_destroy(&snp);
}

static void bench_teardown(void)
{
	struct snp_vm snp;

	launched(&snp, WHOLE);
	vm_private(&snp.vm, AREA, WHOLE);
	snp_do(&snp, SNP_ACCEPT, AREA, WHOLE, 0);
	start = now();
	snp_destroy(&snp);
	printf("@bench snp-teardown-4g %" PRIu64 "\n", now() - start);
}

int main(void)
{
	bench_launch();
	bench_memory();
	bench_psc(4096, "psc-1g-4k-entries");
	bench_psc(2 * MIB, "psc-1g-2m-entries");
	bench_teardown();
	return 0;
}
