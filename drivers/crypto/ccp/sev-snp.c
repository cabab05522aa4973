// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEV-SNP: starting and stopping it in the firmware
 *
 * SNP comes before, and goes after, SEV: SNP_INIT_EX is refused once INIT is
 * done, and SNP_SHUTDOWN_EX until SHUTDOWN is. While SNP is on, the TMR and the
 * buffer of INIT_EX are firmware-owned.
 */
#include <linux/amd-iommu.h>
#include <linux/cpu.h>
#include <linux/cpufeature.h>
#include <linux/export.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/psp-sev.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include <asm/smp.h>
#include <asm/snp_host.h>

#include "psp-dev.h"
#include "sev-cmd.h"
#include "sev-dev.h"
#include "sev-mailbox.h"
#include "sev-snp.h"
#include "snp-ranges.h"

/* The first ABI with SNP_INIT_EX as it is used here */
#define SNP_MIN_API_MAJOR	1
#define SNP_MIN_API_MINOR	51

static bool snp_fw_api_is_new_enough(const struct sev_device *sev)
{
	return sev->api_major > SNP_MIN_API_MAJOR ||
	       (sev->api_major == SNP_MIN_API_MAJOR && sev->api_minor >= SNP_MIN_API_MINOR);
}

static int snp_fw_add_resource(struct resource *res, void *arg)
{
	struct snp_range_list *list = arg;

	return snp_ranges_add(list, res->start, res->end);
}

/*
 * Memory that the BIOS keeps is to stay what it is: devices and the BIOS use it
 * without asking. Not so the RMP.
 */
static int snp_fw_list_fixed_pages(struct sev_data_range_list *buf)
{
	static const unsigned long kinds[] = {
		IORES_DESC_RESERVED, IORES_DESC_ACPI_TABLES, IORES_DESC_ACPI_NV_STORAGE,
		IORES_DESC_PERSISTENT_MEMORY,
	};
	struct snp_range_list list = { .buf = buf, .max = SNP_RANGES_MAX };
	unsigned int i;
	int ret = 0;

	snp_rmp_bounds(&list.hole_start, &list.hole_end);
	for (i = 0; i < ARRAY_SIZE(kinds) && !ret; i++) {
		ret = walk_iomem_res_desc(kinds[i], IORESOURCE_MEM, 0, ~0ULL, &list,
					  snp_fw_add_resource);
		/* There are none of that kind. */
		if (ret == -EINVAL)
			ret = 0;
	}
	return ret;
}

static void snp_fw_get_feature_info_locked(struct sev_device *sev)
{
	struct sev_data_snp_feature_info buf = { .length = sizeof(buf) };
	struct snp_feature_info *info = (void *)get_zeroed_page(GFP_KERNEL);

	if (!info)
		return;
	buf.feature_info_paddr = __psp_pa(info);
	if (!sev_cmd_locked(SEV_CMD_SNP_FEATURE_INFO, &buf, NULL)) {
		sev->snp_feature_info = *info;
		sev->snp_has_feature_info = true;
	}
	free_page((unsigned long)info);
}

static int snp_fw_init_ex_locked(struct sev_device *sev, int *error)
{
	struct sev_data_snp_init_ex init = { .init_rmp = 1, .list_paddr_en = 1 };
	struct sev_data_range_list *list;
	int ret;

	list = (void *)get_zeroed_page(GFP_KERNEL);
	if (!list)
		return -ENOMEM;
	init.list_paddr = __psp_pa(list);
	ret = snp_fw_list_fixed_pages(list);
	if (!ret) {
		/* No processor may come or go between the check and the command. */
		cpus_read_lock();
		ret = snp_prepare_cpus();
		if (!ret) {
			wbinvd_on_all_cpus();
			ret = sev_cmd_locked(SEV_CMD_SNP_INIT_EX, &init, error);
		}
		/*
		 * From here on each DF_FLUSH needs all of them.  What refuses to let one go
		 * must not want sev_cmd_mutex, which is held around cpus_read_lock().
		 */
		if (!ret)
			snp_pin_cpus();
		cpus_read_unlock();
	}
	free_page((unsigned long)list);
	return ret;
}

static int snp_fw_df_flush_locked(struct sev_device *sev, int *error)
{
	wbinvd_on_all_cpus();
	return sev_cmd_locked(SEV_CMD_SNP_DF_FLUSH, NULL, error);
}

static int snp_fw_shutdown_locked(struct sev_device *sev, int *error)
{
	struct sev_data_snp_shutdown_ex shutdown = {
		.len = sizeof(shutdown),
		.iommu_snp_shutdown = 1,
	};
	int ret;

	if (!sev->snp_initialized)
		return 0;
	*error = 0;
	ret = sev_cmd_locked(SEV_CMD_SNP_SHUTDOWN_EX, &shutdown, error);
	if (ret && *error == SEV_RET_DFFLUSH_REQUIRED) {
		ret = snp_fw_df_flush_locked(sev, error);
		if (!ret)
			ret = sev_cmd_locked(SEV_CMD_SNP_SHUTDOWN_EX, &shutdown, error);
	}
	if (ret) {
		dev_err(sev->dev, "SEV-SNP: shutdown failed, error %#x, rc %d\n", *error, ret);
		return ret;
	}
	snp_fw_panic_unregister();
	WRITE_ONCE(sev->snp_initialized, false);
	snp_unpin_cpus();
	sev->snp_has_feature_info = false;
	amd_iommu_snp_release();
	dev_dbg(sev->dev, "SEV-SNP firmware shutdown\n");
	return 0;
}

static int snp_fw_start_locked(struct sev_device *sev, int *error)
{
	int ret;

	if (!snp_fw_api_is_new_enough(sev)) {
		dev_info_ratelimited(sev->dev, "SEV-SNP: needs firmware ABI %d.%d or later\n",
				     SNP_MIN_API_MAJOR, SNP_MIN_API_MINOR);
		return -ENODEV;
	}
	if (!sev->snp_reclaim)
		sev->snp_reclaim = devm_kzalloc(sev->dev, sizeof(*sev->snp_reclaim), GFP_KERNEL);
	if (!sev->snp_reclaim)
		return -ENOMEM;

	ret = snp_fw_init_ex_locked(sev, error);
	if (ret)
		return ret;
	sev->snp_flush_due = true;
	snp_in_place_reset();
	WRITE_ONCE(sev->snp_initialized, true);
	snp_fw_panic_register();
	return 0;
}

/* No guest can be activated before the flush. */
static int snp_fw_first_flush_locked(struct sev_device *sev, int *error)
{
	int ret, ignored = 0;

	ret = snp_fw_df_flush_locked(sev, error);
	if (ret) {
		/* If that fails as well, the flush is still due with the next try. */
		snp_fw_shutdown_locked(sev, &ignored);
		return ret;
	}
	sev->snp_flush_due = false;
	snp_fw_get_feature_info_locked(sev);
	dev_info(sev->dev, "SEV-SNP API:%d.%d build:%d\n", sev->api_major, sev->api_minor,
		 sev->build);
	return 0;
}

static int snp_fw_init_locked(struct sev_device *sev, int *error)
{
	int ret = 0;

	if (!sev->snp_initialized)
		ret = snp_fw_start_locked(sev, error);
	if (!ret && sev->snp_flush_due)
		ret = snp_fw_first_flush_locked(sev, error);
	return ret;
}

/*
 * To be called ahead of INIT and INIT_EX: start SNP if the platform has it.
 *
 * Once the processors have SNP enabled, which can't be undone before a reset, the
 * firmware takes INIT only if it has set up the RMP, i.e. after SNP_INIT_EX: there is
 * no SEV without SNP. Each user of SEV tries again, and not to have it is logged for
 * each of them: ratelimited.
 */
int snp_fw_prepare_locked(struct sev_device *sev, int *error)
{
	int ret;

	lockdep_assert_held(&sev_cmd_mutex);
	if (!boot_cpu_has(X86_FEATURE_SEV_SNP))
		return 0;
	ret = snp_fw_init_locked(sev, error);
	if (ret)
		dev_err_ratelimited(sev->dev, "SEV-SNP: failed to INIT error %#x, rc %d, and SEV depends on it\n",
				    *error, ret);
	return ret;
}

/* Make @buf, of snp_fw_alloc_buffer(), firmware-owned until SNP is shut down. */
int snp_fw_mark_fixed_locked(struct sev_device *sev, void *buf, size_t size)
{
	int ret;

	lockdep_assert_held(&sev_cmd_mutex);
	if (!sev->snp_initialized || !buf)
		return 0;
	ret = snp_fw_owns_buffer(buf, size);
	if (ret)
		return min(ret, 0);
	return snp_fw_mark_pages_locked(sev, PHYS_PFN(__pa(buf)), PFN_UP(size));
}

/* Free it, whether it was marked or not. */
void snp_fw_free_fixed(struct sev_device *sev, void *buf, size_t size)
{
	mutex_lock(&sev_cmd_mutex);
	snp_fw_free_buffer_locked(sev, virt_to_page(buf), size);
	mutex_unlock(&sev_cmd_mutex);
}

/* Called when the driver goes, or the machine does; SEV is shut down already. */
void snp_fw_shutdown(struct sev_device *sev)
{
	int error = 0;

	mutex_lock(&sev_cmd_mutex);
	snp_fw_shutdown_locked(sev, &error);
	/* Even if it has failed: the notifier goes with the driver. */
	snp_fw_panic_unregister();
	mutex_unlock(&sev_cmd_mutex);
}

int sev_snp_get_feature_info(struct snp_feature_info *info)
{
	struct sev_device *sev;
	int ret = 0;

	mutex_lock(&sev_cmd_mutex);
	sev = psp_master ? psp_master->sev_data : NULL;
	if (!sev || !sev->snp_initialized)
		ret = -ENODEV;
	else if (!sev->snp_has_feature_info)
		ret = -EOPNOTSUPP;
	else
		*info = sev->snp_feature_info;
	mutex_unlock(&sev_cmd_mutex);
	return ret;
}
EXPORT_SYMBOL_GPL(sev_snp_get_feature_info);
