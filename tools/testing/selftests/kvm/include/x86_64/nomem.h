/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Have the allocations of an operation fail, by the kernel's fault injection.
 */
#ifndef SELFTEST_KVM_NOMEM_H
#define SELFTEST_KVM_NOMEM_H

#include <stdbool.h>

/**
 * struct nomem_op - an operation, and what is to be seen of it
 * @name:	for the report
 * @run:	do it; returns -1 and sets errno if it fails
 * @done:	is everything as it is after it, or (false) as before?  NULL if a
 *		failure may leave something, which the next attempt goes on with
 * @undo:	everything as before again
 * @infallible:	does without the memory, or has no way to tell
 * @answers:	writes to user space at its end, thus with EFAULT it may be done
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
 * One check: all failures are clean, and it works after each of them.  One
 * allocation fails, or one access to user space, each of them in turn; then all of
 * the slab allocator's objects from one of them on, and all pages.
 */
void test_nomem(const struct nomem_op *op);

#endif /* SELFTEST_KVM_NOMEM_H */
