// SPDX-License-Identifier: GPL-2.0-only
/*
 * Execution of a command of the security processor for SEV
 *
 * Copyright (C) 2016,2019 Advanced Micro Devices, Inc.
 *
 * Author: Brijesh Singh <brijesh.singh@amd.com>
 */
#include <linux/export.h>
#include <linux/psp-sev.h>
#include <linux/string.h>

#include "psp-dev.h"
#include "sev-cmd.h"
#include "sev-cmd-table.h"
#include "sev-dev.h"
#include "sev-mailbox.h"
#include "sev-snp.h"

/* Doesn't write the NV storage of INIT_EX to its file, see __sev_do_cmd_locked(). */
int sev_cmd_locked(int cmd, void *data, int *psp_ret)
{
	struct psp_device *psp = psp_master;
	unsigned int status = 0;
	struct sev_device *sev;
	struct snp_fw_cmd snp;
	int buf_len, ret;

	if (psp_ret)
		*psp_ret = SEV_RET_NO_FW_CALL;

	if (!psp || !psp->sev_data)
		return -ENODEV;

	if (psp_dead)
		return -EBUSY;

	sev = psp->sev_data;

	buf_len = sev_cmd_buffer_len(cmd);
	if (WARN_ON_ONCE(!data != !buf_len))
		return -EINVAL;

	/*
	 * Copy the incoming data to driver's scratch buffer as __pa() will not
	 * work for some memory, e.g. vmalloc'd addresses, and @data may not be
	 * physically contiguous.
	 */
	if (data)
		memcpy(sev->cmd_buf, data, buf_len);

	dev_dbg(sev->dev, "sev command id %#x timeout %us\n", cmd, psp_timeout);

	print_hex_dump_debug("(in):  ", DUMP_PREFIX_OFFSET, 16, 2, data,
			     buf_len, false);

	/* Print nothing until the end: user memory may be firmware-owned. */
	ret = snp_fw_bufs_begin_locked(sev, &snp, cmd, buf_len);
	if (ret)
		return ret;

	ret = sev_mailbox_locked(sev, cmd, data ? snp.pa : 0, &status);
	if (ret) {
		bool in_place = snp.in_place;

		if (psp_ret)
			*psp_ret = 0;

		snp_fw_bufs_end_locked(sev, &snp, false);
		if (in_place)
			dev_err(sev->dev, "sev command %#x timed out, disabling PSP\n", cmd);
		return ret;
	}

	if (psp_ret)
		*psp_ret = status;

	if (snp_fw_bufs_end_locked(sev, &snp, !status)) {
		ret = -EIO;
	} else if (status) {
		dev_dbg(sev->dev, "sev command %#x failed (%#010x)\n",
			cmd, status);
		ret = -EIO;
	}

	print_hex_dump_debug("(out): ", DUMP_PREFIX_OFFSET, 16, 2, data,
			     buf_len, false);

	/*
	 * Copy potential output from the PSP back to data.  Do this even on
	 * failure in case the caller wants to glean something from the error.
	 */
	if (data)
		memcpy(data, sev->cmd_buf, buf_len);

	return ret;
}

void *psp_copy_user_blob(u64 uaddr, u32 len)
{
	if (!uaddr || !len)
		return ERR_PTR(-EINVAL);

	/* verify that blob length does not exceed our limit */
	if (len > SEV_FW_BLOB_MAX_SIZE)
		return ERR_PTR(-EINVAL);

	return memdup_user((void __user *)uaddr, len);
}
EXPORT_SYMBOL_GPL(psp_copy_user_blob);
