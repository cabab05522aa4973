/* SPDX-License-Identifier: GPL-2.0-only */
/* Fail the allocations of an operation with the kernel's fault injection. */
#ifndef SELFTEST_KVM_NOMEM_H
#define SELFTEST_KVM_NOMEM_H

#include <stdbool.h>

/**
 * struct nomem_op - an operation, and its observable effect
 * @name:	for the report
 * @run:	run the operation; returns -1 and sets errno if it fails
 * @done:	true if the state is as after the operation, false if it is as before.
 *		NULL if a failure may leave a partial result that the next attempt
 *		continues with
 * @undo:	restore the state before the operation
 * @infallible:	succeeds without the memory, or can't report a failure
 * @answers:	writes to userspace at its end, so it may be done despite EFAULT
 */
struct nomem_op {
	const char *name;
	int (*run)(void);
	bool (*done)(void);
	void (*undo)(void);
	bool infallible;
	bool answers;
};

/* Exits with a reason if the kernel has no fault injection. */
void require_nomem(void);

/*
 * One check: all failures are clean, and the operation works after each of them. First
 * each allocation and each access to userspace fails by itself; then all of the slab
 * allocator's objects from one of them on, and all pages.
 */
void test_nomem(const struct nomem_op *op);

#endif /* SELFTEST_KVM_NOMEM_H */
