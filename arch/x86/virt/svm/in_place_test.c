// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the host's writes to memory that commands have in place, one after
 * another. They take the part of the driver, which must not execute a command then.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include <asm/trace/snp_host.h>

#include "rmp.h"

#define ROUNDS		20
#define PATIENCE_NS	(4 * NSEC_PER_SEC)

/* A page that is firmware-owned again and again, and a task that writes to it elsewhere */
struct owned {
	struct page *page;
	u64 pfn;
	u64 *addr;
	struct task_struct *writer;
	bool write;		/* The writer is to write once. */
	bool failed;		/* It could not. */
	int waits;		/* how often it waited */
	int went_on;
	bool hold_wait;		/* It stays where it begins to wait. */
	unsigned int hold_us;	/* How long it stays where it goes on */
	int ret;		/* the first error of a change of the RMP */
};

static void owned_wait(void *data, u64 pfn, unsigned int n)
{
	struct owned *l = data;

	if (pfn != l->pfn)
		return;
	WRITE_ONCE(l->waits, l->waits + 1);
	while (READ_ONCE(l->hold_wait))
		cpu_relax();
}

static void owned_go_on(void *data, u64 pfn, unsigned int n)
{
	struct owned *l = data;

	if (pfn != l->pfn)
		return;
	udelay(READ_ONCE(l->hold_us));
	WRITE_ONCE(l->went_on, l->went_on + 1);
}

static int owned_writer(void *data)
{
	struct owned *l = data;
	bool failed = false;

	while (!kthread_should_stop()) {
		if (!READ_ONCE(l->write)) {
			usleep_range(50, 100);
			continue;
		}
		pagefault_disable();
		__put_kernel_nofault(l->addr, &l->pfn, u64, fault);
		goto written;
fault:
		failed = true;
written:
		pagefault_enable();
		WRITE_ONCE(l->failed, failed);
		WRITE_ONCE(l->write, false);
	}
	return 0;
}

static int owned_init(struct kunit *test)
{
	struct owned *l = kunit_kzalloc(test, sizeof(*l), GFP_KERNEL);
	int cpu, ret;

	if (!l)
		return -ENOMEM;
	test->priv = l;
	if (!boot_cpu_has(X86_FEATURE_SEV_SNP))
		kunit_skip(test, "not an SEV-SNP host");
	if (num_online_cpus() < 2)
		kunit_skip(test, "the write needs another CPU");
	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "no tracepoints");
	ret = register_trace_snp_write_waits(owned_wait, l);
	if (ret)
		return ret;
	ret = register_trace_snp_write_goes_on(owned_go_on, l);
	if (ret)
		goto out_waits;
	ret = -ENOMEM;
	l->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!l->page)
		goto out_goes_on;
	l->pfn = page_to_pfn(l->page);
	l->addr = page_address(l->page);
	/* Later it can't sleep. */
	ret = rmp_split_direct_map(l->pfn, 1);
	if (ret)
		goto out_page;
	l->writer = kthread_create(owned_writer, l, "snp_in_place_test");
	if (IS_ERR(l->writer)) {
		ret = PTR_ERR(l->writer);
		goto out_page;
	}
	cpu = raw_smp_processor_id();
	set_cpus_allowed_ptr(current, cpumask_of(cpu));
	kthread_bind(l->writer, cpumask_any_but(cpu_online_mask, cpu));
	wake_up_process(l->writer);
	return 0;

out_page:
	__free_page(l->page);
	l->page = NULL;
out_goes_on:
	unregister_trace_snp_write_goes_on(owned_go_on, l);
out_waits:
	unregister_trace_snp_write_waits(owned_wait, l);
	tracepoint_synchronize_unregister();
	return ret;
}

static void owned_exit(struct kunit *test)
{
	struct owned *l = test->priv;

	if (!l || !l->page)
		return;
	kthread_stop(l->writer);
	unregister_trace_snp_write_goes_on(owned_go_on, l);
	unregister_trace_snp_write_waits(owned_wait, l);
	tracepoint_synchronize_unregister();
	if (l->ret)
		snp_leak_pages(l->pfn, 1);
	else
		__free_page(l->page);
}

/* As for a command: interrupts are off until the end. */
static void owned_begin(struct owned *l)
{
	int ret;

	local_irq_disable();
	snp_in_place_begin(l->pfn, 1);
	ret = rmp_make_private(l->pfn, 0, PG_LEVEL_4K, 0, false);
	l->ret = l->ret ?: ret;
}

static void owned_end(struct owned *l)
{
	int ret = rmp_make_shared(l->pfn, PG_LEVEL_4K);

	snp_in_place_end();
	local_irq_enable();
	l->ret = l->ret ?: ret;
}

static bool owned_reaches(int *count, int value)
{
	u64 end = ktime_get_mono_fast_ns() + PATIENCE_NS;

	while (READ_ONCE(*count) < value) {
		if (ktime_get_mono_fast_ns() > end)
			return false;
		cpu_relax();
	}
	return true;
}

static bool owned_is_written(struct owned *l)
{
	u64 end = ktime_get_mono_fast_ns() + PATIENCE_NS;

	while (READ_ONCE(l->write)) {
		if (ktime_get_mono_fast_ns() > end)
			return false;
		usleep_range(50, 100);
	}
	return !READ_ONCE(l->failed);
}

/*
 * The page is the host's between two commands, and the writer does not see that: it waits
 * for the first one only, then writes again, and waits for the second one.
 */
static void one_command(struct kunit *test)
{
	struct owned *l = test->priv;
	bool waits, goes_on, again;

	KUNIT_ASSERT_EQ(test, snp_in_place_prepare(1), 0);
	WRITE_ONCE(l->hold_wait, true);
	owned_begin(l);
	WRITE_ONCE(l->write, true);
	waits = owned_reaches(&l->waits, 1);
	owned_end(l);
	owned_begin(l);
	WRITE_ONCE(l->hold_wait, false);
	goes_on = owned_reaches(&l->went_on, 1);
	again = owned_reaches(&l->waits, 2);
	owned_end(l);

	KUNIT_EXPECT_EQ(test, l->ret, 0);
	KUNIT_EXPECT_TRUE(test, waits);
	KUNIT_EXPECT_TRUE(test, goes_on);
	KUNIT_EXPECT_TRUE(test, again);
	KUNIT_EXPECT_TRUE(test, owned_is_written(l));
}

/*
 * A command that would follow waits for the writer of the one before. It does so for some
 * time only, and this may run on a machine where a CPU stops for longer.
 */
static void next_command(struct kunit *test)
{
	struct owned *l = test->priv;
	unsigned int i, waited = 0;
	bool waits;
	int before;

	KUNIT_ASSERT_EQ(test, snp_in_place_prepare(1), 0);
	WRITE_ONCE(l->hold_us, 2000);
	for (i = 0; i < ROUNDS; i++) {
		before = READ_ONCE(l->went_on);
		owned_begin(l);
		WRITE_ONCE(l->write, true);
		waits = owned_reaches(&l->waits, before + 1);
		owned_end(l);
		KUNIT_ASSERT_EQ(test, l->ret, 0);
		KUNIT_ASSERT_TRUE(test, waits);
		KUNIT_ASSERT_EQ(test, snp_in_place_prepare(1), 0);
		waited += READ_ONCE(l->went_on) > before;
		KUNIT_ASSERT_TRUE(test, owned_is_written(l));
	}
	KUNIT_EXPECT_GT(test, waited, ROUNDS / 2U);
}

static struct kunit_case owned_cases[] = {
	KUNIT_CASE(one_command),
	KUNIT_CASE(next_command),
	{}
};

static struct kunit_suite owned_suite = {
	.name = "snp-in-place",
	.init = owned_init,
	.exit = owned_exit,
	.test_cases = owned_cases,
};

kunit_test_suite(owned_suite);

MODULE_LICENSE("GPL");
