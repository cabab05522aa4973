// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEV-SNP: commands of /dev/sev
 */
#include <linux/err.h>
#include <linux/psp-sev.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "sev-cmd.h"
#include "sev-dev.h"
#include "sev-mailbox.h"
#include "sev-snp.h"

static int snp_fw_platform_status(struct sev_issue_cmd *input)
{
	struct sev_user_data_snp_status *status;
	struct sev_data_snp_addr buf;
	int ret;

	if (!input->data)
		return -EINVAL;
	status = (void *)get_zeroed_page(GFP_KERNEL);
	if (!status)
		return -ENOMEM;
	buf.address = __psp_pa(status);
	ret = sev_cmd_locked(SEV_CMD_SNP_PLATFORM_STATUS, &buf, &input->error);
	if (!ret && copy_to_user(u64_to_user_ptr(input->data), status, sizeof(*status)))
		ret = -EFAULT;
	free_page((unsigned long)status);
	return ret;
}

static int snp_fw_commit(struct sev_issue_cmd *input)
{
	struct sev_data_snp_commit buf = { .len = sizeof(buf) };

	return sev_cmd_locked(SEV_CMD_SNP_COMMIT, &buf, &input->error);
}

/* What changes the platform's configuration: an argument, write access, SNP */
static int snp_fw_check_config(struct sev_device *sev, struct sev_issue_cmd *input, bool writable)
{
	if (!input->data)
		return -EINVAL;
	if (!writable)
		return -EPERM;
	return sev->snp_initialized ? 0 : -ENODEV;
}

static int snp_fw_set_config(struct sev_device *sev, struct sev_issue_cmd *input, bool writable)
{
	struct sev_user_data_snp_config config;
	int ret = snp_fw_check_config(sev, input, writable);

	if (ret)
		return ret;
	if (copy_from_user(&config, u64_to_user_ptr(input->data), sizeof(config)))
		return -EFAULT;
	return sev_cmd_locked(SEV_CMD_SNP_CONFIG, &config, &input->error);
}

static int snp_fw_vlek_load(struct sev_device *sev, struct sev_issue_cmd *input, bool writable)
{
	struct sev_user_data_snp_vlek_load load;
	int ret = snp_fw_check_config(sev, input, writable);
	void *wrapped;

	if (ret)
		return ret;
	if (copy_from_user(&load, u64_to_user_ptr(input->data), sizeof(load)))
		return -EFAULT;
	if (load.len != sizeof(load) || load.vlek_wrapped_version)
		return -EINVAL;
	wrapped = psp_copy_user_blob(load.vlek_wrapped_address,
				     sizeof(struct sev_user_data_snp_wrapped_vlek_hashstick));
	if (IS_ERR(wrapped))
		return PTR_ERR(wrapped);
	load.vlek_wrapped_address = __psp_pa(wrapped);
	ret = sev_cmd_locked(SEV_CMD_SNP_VLEK_LOAD, &load, &input->error);
	kfree(wrapped);
	return ret;
}

int snp_fw_ioctl_locked(struct sev_device *sev, struct sev_issue_cmd *input, bool writable)
{
	lockdep_assert_held(&sev_cmd_mutex);
	switch (input->cmd) {
	case SNP_PLATFORM_STATUS:
		return snp_fw_platform_status(input);
	case SNP_COMMIT:
		return snp_fw_commit(input);
	case SNP_SET_CONFIG:
		return snp_fw_set_config(sev, input, writable);
	case SNP_VLEK_LOAD:
		return snp_fw_vlek_load(sev, input, writable);
	default:
		return -EINVAL;
	}
}
