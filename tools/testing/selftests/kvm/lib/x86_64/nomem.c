// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations whose allocations fail, see the header.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "nomem.h"
#include "private_mem.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define FAIL_ME		"/proc/thread-self/make-it-fail"
#define FAULT_ATTR	"/sys/kernel/debug/"
#define MAX_NTH		5000

static int nth_fd, me_fd;

/* A resource whose use fails once its space is used up, counted in bytes or in pages. */
struct resource {
	const char *name;
	unsigned int step;
	unsigned int largest;
};

static const struct resource resources[] = {
	{ "failslab", 64, 2048 },
	{ "fail_page_alloc", 1, 512 },
};

/* Fail all kinds of allocations of this task, without messages in the log. */
static const char * const knobs[][2] = {
	{ "failslab/ignore-gfp-wait", "N" },
	{ "failslab/cache-filter", "N" },
	{ "failslab/task-filter", "Y" },
	{ "failslab/times", "-1" },
	{ "failslab/verbose", "0" },
	{ "fail_page_alloc/ignore-gfp-wait", "N" },
	{ "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ "fail_page_alloc/min-order", "0" },
	{ "fail_page_alloc/task-filter", "Y" },
	{ "fail_page_alloc/times", "-1" },
	{ "fail_page_alloc/verbose", "0" },
	{ "fail_usercopy/verbose", "0" },
};

void require_nomem(void)
{
	char path[128];
	int i;

	nth_fd = open(FAIL_NTH, O_RDWR);
	me_fd = open(FAIL_ME, O_RDWR);
	__TEST_REQUIRE(nth_fd >= 0 && me_fd >= 0,
		       "no fault injection: CONFIG_FAILSLAB or its files are missing");

	for (i = 0; i < ARRAY_SIZE(knobs); i++) {
		snprintf(path, sizeof(path), FAULT_ATTR "%s", knobs[i][0]);
		__TEST_REQUIRE(write_string(path, "%s", knobs[i][1]), "%s can't be set", path);
	}
}

/*
 * From now on fail the @nth one, or none if it is 0. Reading and writing this file
 * accesses userspace too, and may itself be what fails.
 */
static void fail_nth(unsigned int nth)
{
	char text[16];
	int r, len = snprintf(text, sizeof(text), "%u", nth);

	do {
		r = pwrite(nth_fd, text, len, 0);
	} while (r < 0 && errno == EFAULT);
	TEST_ASSERT(r == len, FAIL_NTH " can't be written");
}

static bool has_failed(void)
{
	char text[16] = "";
	int r = pread(nth_fd, text, sizeof(text) - 1, 0);

	TEST_ASSERT(r > 0 || errno == EFAULT, FAIL_NTH " can't be read");
	return r > 0 && !atoi(text);
}

/* Returns what is wrong after an attempt with the result @r, or NULL. */
static const char *nomem_complaint(const struct nomem_op *op, int r, int err, bool injected)
{
	if (!r)
		return !op->done || op->done() ? NULL : "it returned 0 and has not been done";
	if (!injected)
		return "it failed by itself";
	if (op->infallible)
		return "it must not fail";
	if (err != ENOMEM && err != EFAULT)
		return "the errno is another one";
	if (err == EFAULT && op->answers)
		return NULL;
	if (op->done && op->done())
		return "it failed and has been done";
	errno = 0;
	if (op->run())
		return "it does not work afterwards";
	return !op->done || op->done() ? NULL : "done again, it has not been done";
}

/* What a test has seen so far. */
struct nomem_count {
	const char *complaint;
	unsigned int failures;
	unsigned int others;
};

static void count(struct nomem_count *c, const struct nomem_op *op, int r, int err,
		  bool injected)
{
	c->failures += r < 0;
	c->others += injected && !r;
	c->complaint = nomem_complaint(op, r, err, injected);
	if (c->complaint)
		printf("# the result is %d, errno %d\n", r, err);
	op->undo();
}

/* Fail one allocation, or one access to userspace; each in turn. */
static void test_one_missing(const struct nomem_op *op, struct nomem_count *c)
{
	bool injected = true;
	unsigned int nth;
	int r, err;

	for (nth = 1; nth < MAX_NTH && injected && !c->complaint; nth++) {
		fail_nth(nth);
		r = op->run();
		err = errno;
		injected = has_failed();
		fail_nth(0);
		count(c, op, r, err, injected);
	}

	if (!c->complaint && injected)
		c->complaint = "there is no end to it";
	if (c->complaint)
		printf("# number %u fails\n", nth - 1);
}

static void resource_set(const struct resource *res, const char *attr, unsigned int value)
{
	char path[128];

	snprintf(path, sizeof(path), FAULT_ATTR "%s/%s", res->name, attr);
	TEST_ASSERT(write_string(path, "%u", value), "%s can't be written", path);
}

static long resource_left(const struct resource *res)
{
	char path[128];

	snprintf(path, sizeof(path), FAULT_ATTR "%s/space", res->name);
	return read_number(path);
}

static void fail_me(bool fail)
{
	TEST_ASSERT(pwrite(me_fd, fail ? "1" : "0", 1, 0) == 1, FAIL_ME " can't be written");
}

/* Fail all allocations after a number of them; increase the number. */
static void test_rest_missing(const struct nomem_op *op, struct nomem_count *c,
			      const struct resource *res)
{
	unsigned int space;
	long left = 0;
	int r, err;

	resource_set(res, "probability", 100);
	for (space = 0; left <= res->largest && !c->complaint; space += res->step + space / 8) {
		resource_set(res, "space", space);
		fail_me(true);
		r = op->run();
		err = errno;
		fail_me(false);
		left = resource_left(res);
		count(c, op, r, err, true);
		if (c->complaint)
			printf("# %s: %ld left of %u\n", res->name, left, space);
	}
	resource_set(res, "probability", 0);
}

void test_nomem(const struct nomem_op *op)
{
	struct nomem_count c = { };
	int i;

	test_one_missing(op, &c);
	for (i = 0; i < ARRAY_SIZE(resources) && !c.complaint; i++)
		test_rest_missing(op, &c, &resources[i]);

	if (!c.complaint && !c.failures && !op->infallible)
		c.complaint = "nothing of it fails";
	check(!c.complaint, "%s: failed %u times, and did not %u times%s%s", op->name, c.failures,
	      c.others, c.complaint ? ": " : "", c.complaint ?: "");
}
