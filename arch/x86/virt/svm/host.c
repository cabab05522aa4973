// SPDX-License-Identifier: GPL-2.0-only
/*
 * Turning SEV-SNP on: processors, RMP and IOMMU
 *
 * The order matters, and is spread over the boot:
 *
 *  1. The boot processor's features are known: is there an RMP (rmp.c)?
 *  2. The memory map is made: keep clear of the RMP's neighbourhood (rmp.c).
 *  3. Before the IOMMU sets up domains: does the RMP cover all memory, can all
 *     IOMMUs enforce it? From then on no device has untranslated DMA.
 *  4. The IOMMU works, all processors are up: clear the RMP, then set the bits
 *     in SYSCFG on all of them. These can't be cleared before a reset.
 *
 * Pages are protected from SNP_INIT_EX on, which is the firmware driver's. When
 * a step fails the ones after it do not happen, and X86_FEATURE_SEV_SNP is
 * taken away from all processors.
 */
#define pr_fmt(fmt) "SEV-SNP: " fmt

#include <linux/amd-iommu.h>
#include <linux/cpu.h>
#include <linux/cpufeature.h>
#include <linux/crash_dump.h>
#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/memory.h>
#include <linux/panic.h>
#include <linux/pfn.h>
#include <linux/processor.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/suspend.h>

#include <asm/msr.h>
#include <asm/smp.h>
#include <asm/special_insns.h>
#include <asm/svm.h>

#include "rmp.h"

#define SYSCFG_SNP	(MSR_AMD64_SYSCFG_SNP_EN | MSR_AMD64_SYSCFG_SNP_VMPL_EN)

static int __init snp_host_parse_param(char *str)
{
	const char *at = str;

	/* Parsed again, with its other options, once guests know what they are. */
	while (at) {
		if (!strncmp(at, "nosnp", 5) && (!at[5] || at[5] == ',')) {
			pr_info("off: by the command line\n");
			setup_clear_cpu_cap(X86_FEATURE_SEV_SNP);
		}
		at = strchr(at, ',');
		if (at)
			at++;
	}
	return 0;
}
early_param("sev", snp_host_parse_param);

static void snp_host_off(const char *why)
{
	int cpu;

	pr_info("off: %s\n", why);
	setup_clear_cpu_cap(X86_FEATURE_SEV_SNP);
	for_each_present_cpu(cpu)
		clear_cpu_cap(&cpu_data(cpu), X86_FEATURE_SEV_SNP);
}

/* Step 3. The IOMMU driver takes the request before rootfs_initcall only. */
static int __init snp_host_request(void)
{
	if (!boot_cpu_has(X86_FEATURE_SEV_SNP))
		return 0;

	/* The kernel that crashed may have left guests; leave all as it is. */
	if (is_kdump_kernel())
		snp_host_off("this kernel saves a crashed one's memory");
	else if (!rmp_pfn_covered(0, max_pfn))
		snp_host_off("the RMP does not cover all memory");
	else if (rmp_table_map())
		snp_host_off("the RMP can't be used");
	else if (amd_iommu_snp_enable())
		snp_host_off("the IOMMU can't enforce it");
	return 0;
}
fs_initcall(snp_host_request);

static void snp_host_set_mfdm(void *unused)
{
	u64 val;

	rdmsrl(MSR_AMD64_SYSCFG, val);
	if (val & MSR_AMD64_SYSCFG_SNP_EN)
		return;
	wrmsrl(MSR_AMD64_SYSCFG, val | MSR_AMD64_SYSCFG_MFDM);
}

/* SYSCFG ignores writes as soon as SNP_EN is set. */
static void snp_host_set_snp(void *unused)
{
	u64 val;

	rdmsrl(MSR_AMD64_SYSCFG, val);
	if (val & MSR_AMD64_SYSCFG_SNP_EN)
		return;
	wrmsrl(MSR_AMD64_SYSCFG, val | SYSCFG_SNP);
}

static bool snp_host_cpu_is_enabled(void)
{
	const u64 want = SYSCFG_SNP | MSR_AMD64_SYSCFG_MFDM;
	u64 val;

	rdmsrl(MSR_AMD64_SYSCFG, val);
	return (val & want) == want;
}

/* A processor that comes online, now or later */
static int snp_host_cpu_online(unsigned int cpu)
{
	snp_host_set_mfdm(NULL);
	snp_host_set_snp(NULL);
	if (snp_host_cpu_is_enabled())
		return 0;
	pr_err("CPU %u: SYSCFG does not take the bits for SNP\n", cpu);
	return -EIO;
}

/* SNP is initialized in the firmware.  Set under cpus_read_lock(). */
static bool snp_cpus_pinned;

/*
 * The firmware flushes the data fabric, and thereby lets ASIDs be used again and SNP be
 * shut down, only after WBINVD on every processor that the machine has.  One that is
 * offline can't be made to, whatever it did on its way down: the flush would fail until
 * it is back.
 */
static int snp_host_cpu_offline(unsigned int cpu)
{
	if (!READ_ONCE(snp_cpus_pinned))
		return 0;
	pr_warn_ratelimited("CPU %u stays online: the firmware needs all processors until SNP is shut down\n",
			    cpu);
	return -EBUSY;
}

void snp_pin_cpus(void)
{
	lockdep_assert_cpus_held();
	WRITE_ONCE(snp_cpus_pinned, true);
}
EXPORT_SYMBOL_GPL(snp_pin_cpus);

/* Without a lock: a CPU that is rejected a moment too long can be retried. */
void snp_unpin_cpus(void)
{
	WRITE_ONCE(snp_cpus_pinned, false);
}
EXPORT_SYMBOL_GPL(snp_unpin_cpus);

static int snp_host_memory_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	struct memory_notify *mem = data;

	if (action != MEM_GOING_ONLINE || rmp_pfn_covered(mem->start_pfn, mem->nr_pages))
		return NOTIFY_OK;
	pr_warn_ratelimited("memory at [%#llx-%#llx] refused: the RMP does not cover it\n",
			    (u64)PFN_PHYS(mem->start_pfn),
			    (u64)PFN_PHYS(mem->start_pfn + mem->nr_pages) - 1);
	return notifier_from_errno(-ENOSPC);
}

static struct notifier_block snp_host_mem_nb = {
	.notifier_call = snp_host_memory_notify,
};

/* Neither the RMP nor the firmware's state would come back. */
static int snp_host_pm_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	if (action != PM_SUSPEND_PREPARE && action != PM_HIBERNATION_PREPARE &&
	    action != PM_RESTORE_PREPARE)
		return NOTIFY_OK;
	pr_warn_ratelimited("suspend and hibernation refused\n");
	return notifier_from_errno(-EOPNOTSUPP);
}

static struct notifier_block snp_host_pm_nb = {
	.notifier_call = snp_host_pm_notify,
};

static int __init snp_host_enable_cpus(void)
{
	int ret;

	/* After a kexec they are set, and the RMP is the firmware's. */
	if (!snp_host_cpu_is_enabled()) {
		on_each_cpu(snp_host_set_mfdm, NULL, 1);
		rmp_table_clear();
		wbinvd_on_all_cpus();
	}
	on_each_cpu(snp_host_set_snp, NULL, 1);
	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "x86/snp:online", snp_host_cpu_online,
				snp_host_cpu_offline);
	return ret < 0 ? ret : 0;
}

/* Step 4. The drivers of devices, that of the firmware too, come after this. */
static int __init snp_host_enable(void)
{
	if (!boot_cpu_has(X86_FEATURE_SEV_SNP))
		return 0;
	if (!amd_iommu_snp_ready()) {
		snp_host_off("the IOMMU does not work");
		return 0;
	}
	if (register_memory_notifier(&snp_host_mem_nb) || register_pm_notifier(&snp_host_pm_nb)) {
		snp_host_off("hotplug of memory or suspend can't be watched");
		return 0;
	}
	if (snp_host_enable_cpus()) {
		snp_host_off("a processor can't");
		return 0;
	}
	/* The firmware driver shuts SNP down in a notifier before kdump. */
	crash_kexec_post_notifiers = true;
	pr_info("enabled\n");
	return 0;
}
device_initcall(snp_host_enable);

static void snp_host_prepare_cpu(void *data)
{
	atomic_t *busy = data;
	u64 efer;

	rdmsrl(MSR_EFER, efer);
	if (efer & EFER_SVME) {
		atomic_inc(busy);
		return;
	}
	wrmsrl(MSR_VM_HSAVE_PA, 0);
}

int snp_prepare_cpus(void)
{
	atomic_t busy = ATOMIC_INIT(0);

	lockdep_assert_cpus_held();
	if (!boot_cpu_has(X86_FEATURE_SEV_SNP))
		return -ENODEV;
	if (!cpumask_equal(cpu_online_mask, cpu_present_mask)) {
		pr_warn_ratelimited("all processors have to be online to start SNP\n");
		return -EAGAIN;
	}
	on_each_cpu(snp_host_prepare_cpu, &busy, 1);
	if (atomic_read(&busy)) {
		pr_warn_ratelimited("virtual machines run already, too late to start SNP\n");
		return -EBUSY;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(snp_prepare_cpus);

/*
 * Called by each processor that a crash stops, in an NMI. Once guests have gone, the
 * firmware shuts SNP down only when all processors have written back their caches.
 */
void snp_host_crash_stop(void)
{
	if (boot_cpu_has(X86_FEATURE_SEV_SNP))
		wbinvd();
}
