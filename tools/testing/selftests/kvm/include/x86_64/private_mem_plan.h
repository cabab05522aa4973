/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that run random operations on the memory of a guest at the same time, with a
 * model that predicts the content of each page.
 *
 * A batch is derived from its seed alone: an initial state, and rounds in which each
 * thread executes a plan. In a round, each page is owned by one thread, while
 * neighbouring pages in the same 2 MiB are owned by others. Only the owner executes
 * operations that change a page, so that its content is known at each step. Operations
 * that change no content also target pages of other threads. Some pages are contested:
 * two threads execute one operation each, and the content must be a result of one of the
 * possible orders.
 *
 * No write may be lost: after each round, all pages must match the model, first with
 * their existing mappings, and again after all mappings have been zapped. After some
 * batches, the host fills free memory while the guest writes, so that a page of the guest
 * that was freed is detected on either side.
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

/* Callbacks of a test; each may be NULL. */
struct plan_hooks {
	/* The guest of a batch: before model_reset(), after it, and at the end. */
	void (*begin_batch)(void);
	void (*launch_batch)(void);
	void (*end_batch)(void);
	/* Before each round, when no thread is active. */
	void (*between_rounds)(void);
	/*
	 * Uses other memory of a guest while the host has filled free memory; counts
	 * pages that differ.
	 */
	void (*sweep_begin)(void);
	uint64_t (*sweep_count)(void);
	void (*sweep_end)(void);
};

extern struct worker workers[MAX_THREADS];
extern unsigned int nr_threads;

/* All random numbers come from the seed of the batch. */
unsigned int pick(unsigned int n);
bool chance(unsigned int percent);
uint64_t new_value(void);

/* Parse one of the common options; false if @opt is none of them. */
bool plan_option(int opt, const char *arg);
#define PLAN_OPTIONS	"s:n:t:j:io"
void plan_usage(const char *name);
/* Load the modules that inject failures, and mount the file systems. */
void plan_prepare(void);

/* Set the initial content of a chunk, in the memory and in the model: 0 is empty. */
void plan_start_chunk(unsigned int chunk, unsigned int kind);
#define NR_START_KINDS	6

/* One check. */
void plan_run(const struct plan_hooks *hooks);

#endif /* SELFTEST_KVM_PRIVATE_MEM_PLAN_H */
