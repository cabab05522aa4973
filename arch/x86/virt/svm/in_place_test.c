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

#include <asm/trace/snp_host.h>

#include "host_test.h"
#include "rmp.h"

#define ROUNDS		20
#define PATIENCE_NS	(4 * NSEC_PER_SEC)

/* A page that is firmware-owned again and again, and a task that writes to it elsewhere */
struct owned {
	struct page *page;
	u64 pfn;
	void *addr;
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
	struct owned *o = data;

	if (pfn != o->pfn)
		return;
	WRITE_ONCE(o->waits, o->waits + 1);
	while (READ_ONCE(o->hold_wait))
		cpu_relax();
}

static void owned_go_on(void *data, u64 pfn, unsigned int n)
{
	struct owned *o = data;

	if (pfn != o->pfn)
		return;
	udelay(READ_ONCE(o->hold_us));
	WRITE_ONCE(o->went_on, o->went_on + 1);
}

static int owned_writer(void *data)
{
	struct owned *o = data;

	while (!kthread_should_stop()) {
		if (!READ_ONCE(o->write)) {
			usleep_range(50, 100);
			continue;
		}
		if (host_write_faults(o->addr))
			WRITE_ONCE(o->failed, true);
		WRITE_ONCE(o->write, false);
	}
	return 0;
}

static int owned_init(struct kunit *test)
{
	struct owned *o = kunit_kzalloc(test, sizeof(*o), GFP_KERNEL);
	int cpu, ret;

	if (!o)
		return -ENOMEM;
	test->priv = o;
	if (!boot_cpu_has(X86_FEATURE_SEV_SNP))
		kunit_skip(test, "not an SEV-SNP host");
	if (num_online_cpus() < 2)
		kunit_skip(test, "the write needs another CPU");
	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "no tracepoints");
	ret = register_trace_snp_write_waits(owned_wait, o);
	if (ret)
		return ret;
	ret = register_trace_snp_write_goes_on(owned_go_on, o);
	if (ret)
		goto out_waits;
	ret = -ENOMEM;
	o->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!o->page)
		goto out_goes_on;
	o->pfn = page_to_pfn(o->page);
	o->addr = page_address(o->page);
	/* Later it can't sleep. */
	ret = rmp_split_direct_map(o->pfn, 1);
	if (ret)
		goto out_page;
	o->writer = kthread_create(owned_writer, o, "snp_in_place_test");
	if (IS_ERR(o->writer)) {
		ret = PTR_ERR(o->writer);
		goto out_page;
	}
	cpu = raw_smp_processor_id();
	set_cpus_allowed_ptr(current, cpumask_of(cpu));
	kthread_bind(o->writer, cpumask_any_but(cpu_online_mask, cpu));
	wake_up_process(o->writer);
	return 0;

out_page:
	__free_page(o->page);
	o->page = NULL;
out_goes_on:
	unregister_trace_snp_write_goes_on(owned_go_on, o);
out_waits:
	unregister_trace_snp_write_waits(owned_wait, o);
	tracepoint_synchronize_unregister();
	return ret;
}

static void owned_exit(struct kunit *test)
{
	struct owned *o = test->priv;

	if (!o || !o->page)
		return;
	kthread_stop(o->writer);
	unregister_trace_snp_write_goes_on(owned_go_on, o);
	unregister_trace_snp_write_waits(owned_wait, o);
	tracepoint_synchronize_unregister();
	if (o->ret)
		snp_leak_pages(o->pfn, 1);
	else
		__free_page(o->page);
}

/* As for a command: interrupts are off until the end. */
static void owned_begin(struct owned *o)
{
	int ret;

	local_irq_disable();
	snp_in_place_begin(o->pfn, 1);
	ret = rmp_make_private(o->pfn, 0, PG_LEVEL_4K, 0, false);
	o->ret = o->ret ?: ret;
}

static void owned_end(struct owned *o)
{
	int ret = rmp_make_shared(o->pfn, PG_LEVEL_4K);

	snp_in_place_end();
	local_irq_enable();
	o->ret = o->ret ?: ret;
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

static bool owned_is_written(struct owned *o)
{
	u64 end = ktime_get_mono_fast_ns() + PATIENCE_NS;

	while (READ_ONCE(o->write)) {
		if (ktime_get_mono_fast_ns() > end)
			return false;
		usleep_range(50, 100);
	}
	return !READ_ONCE(o->failed);
}

/*
 * The page is the host's between two commands, and the writer does not see that: it waits
 * for the first one only, then writes again, and waits for the second one.
 */
static void one_command(struct kunit *test)
{
	struct owned *o = test->priv;
	bool waits, goes_on, again;

	KUNIT_ASSERT_EQ(test, snp_in_place_prepare(1), 0);
	WRITE_ONCE(o->hold_wait, true);
	owned_begin(o);
	WRITE_ONCE(o->write, true);
	waits = owned_reaches(&o->waits, 1);
	owned_end(o);
	owned_begin(o);
	WRITE_ONCE(o->hold_wait, false);
	goes_on = owned_reaches(&o->went_on, 1);
	again = owned_reaches(&o->waits, 2);
	owned_end(o);

	KUNIT_EXPECT_EQ(test, o->ret, 0);
	KUNIT_EXPECT_TRUE(test, waits);
	KUNIT_EXPECT_TRUE(test, goes_on);
	KUNIT_EXPECT_TRUE(test, again);
	KUNIT_EXPECT_TRUE(test, owned_is_written(o));
}

/*
 * A command that would follow waits for the writer of the one before. It does so for some
 * time only, and this may run on a machine where a CPU stops for longer.
 */
static void next_command(struct kunit *test)
{
	struct owned *o = test->priv;
	unsigned int i, waited = 0;
	bool waits;
	int before;

	KUNIT_ASSERT_EQ(test, snp_in_place_prepare(1), 0);
	WRITE_ONCE(o->hold_us, 2000);
	for (i = 0; i < ROUNDS; i++) {
		before = READ_ONCE(o->went_on);
		owned_begin(o);
		WRITE_ONCE(o->write, true);
		waits = owned_reaches(&o->waits, before + 1);
		owned_end(o);
		KUNIT_ASSERT_EQ(test, o->ret, 0);
		KUNIT_ASSERT_TRUE(test, waits);
		KUNIT_ASSERT_EQ(test, snp_in_place_prepare(1), 0);
		waited += READ_ONCE(o->went_on) > before;
		KUNIT_ASSERT_TRUE(test, owned_is_written(o));
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
