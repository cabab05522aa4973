/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that do things to the memory of a guest at random, at the same time, with a model
 * that tells what each page must contain after that.
 *
 * A batch is made from its seed alone: a state to start from, and rounds in which each
 * thread carries out a plan.  Pages are owned by one thread in a round, while pages next
 * to them, of the same 2 MiB, are owned by others.  Only the owner does what changes a
 * page, so that its content is known at each step.  What changes no content is done to
 * pages of others, too.  Some pages are contested: two threads do one thing each, and
 * the content is one of those that any order of the two would leave.
 *
 * No write is ever lost: after each round all pages have what the model says, as they
 * are mapped, and again when all mappings have been dropped.  After some batches the host
 * fills free memory while the guest writes, so that a page of the guest that was freed
 * is seen at either end.
 */
#ifndef SELFTEST_KVM_PRIVATE_MEM_PLAN_H
#define SELFTEST_KVM_PRIVATE_MEM_PLAN_H

#include "private_mem_model.h"

#define MAX_THREADS	4
#define MAX_OPS		90

struct worker {
	pthread_t thread;
	struct accessor access;
	struct op ops[MAX_OPS];
	unsigned int nr_ops;
	uint64_t last_value;
};

/* What a test does itself; each may be NULL. */
struct plan_hooks {
	/* The guest of a batch: before model_reset(), after it, and after all else. */
	void (*begin_batch)(void);
	void (*launch_batch)(void);
	void (*end_batch)(void);
	/* Before each round, when nobody does anything. */
	void (*between_rounds)(void);
	/* Other memory of a guest, while the host has filled what is free; pages that differ. */
	void (*sweep_begin)(void);
	uint64_t (*sweep_count)(void);
	void (*sweep_end)(void);
};

extern struct worker workers[MAX_THREADS];
extern unsigned int nr_threads;

/* All that is random comes from the seed of the batch. */
unsigned int pick(unsigned int n);
bool chance(unsigned int percent);
uint64_t new_value(void);

/* Take a part of the options; false for those that are not known. */
bool plan_option(int opt, const char *arg);
#define PLAN_OPTIONS	"s:n:t:j:io"
void plan_usage(const char *name);
/* modprobe what injects failures, and mount what is needed. */
void plan_prepare(void);

/* What is in a chunk at the beginning, with the model: 0 is nothing. */
void plan_start_chunk(unsigned int chunk, unsigned int kind);
#define NR_START_KINDS	6

/* One check. */
void plan_run(const struct plan_hooks *hooks);

#endif /* SELFTEST_KVM_PRIVATE_MEM_PLAN_H */
