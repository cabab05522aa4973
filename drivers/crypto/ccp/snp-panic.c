// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEV-SNP: shutting it down before a kdump kernel starts
 *
 * The IOMMU keeps its registers locked, and writes to its logs only, until the
 * firmware is told to shut SNP down: the next kernel could not use devices.
 * A panic can come while a command runs, and nobody answers interrupts. So this
 * waits for the command, and polls.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/psp-sev.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include <asm/special_insns.h>

#include "psp-dev.h"
#include "sev-dev.h"
#include "sev-mailbox.h"
#include "sev-snp.h"

/* The firmware has so long for each command. */
#define SNP_FW_POLL_NS		(2 * NSEC_PER_SEC)

static u32 snp_fw_poll_mailbox(struct sev_device *sev)
{
	return sev_poll_mailbox(sev, ktime_get_mono_fast_ns() + SNP_FW_POLL_NS);
}

/* Returns the firmware's status, or -1 if there is none. */
static int snp_fw_poll_command(struct sev_device *sev, int cmd, const void *buf, size_t len)
{
	u64 pa = 0;
	u32 reg;

	if (len) {
		memcpy(sev->cmd_buf, buf, len);
		pa = __psp_pa(sev->cmd_buf);
	}
	iowrite32(lower_32_bits(pa), sev->io_regs + sev->vdata->cmdbuff_addr_lo_reg);
	iowrite32(upper_32_bits(pa), sev->io_regs + sev->vdata->cmdbuff_addr_hi_reg);
	iowrite32(cmd << SEV_CMDRESP_CMD_SHIFT, sev->io_regs + sev->vdata->cmdresp_reg);
	reg = snp_fw_poll_mailbox(sev);
	return reg ? reg & PSP_CMDRESP_ERR_MASK : -1;
}

static int snp_fw_panic(struct notifier_block *nb, unsigned long action, void *data)
{
	struct sev_data_snp_shutdown_ex shutdown = {
		.len = sizeof(shutdown),
		.iommu_snp_shutdown = 1,
	};
	struct sev_device *sev = psp_master ? psp_master->sev_data : NULL;
	int status;

	if (!sev || !sev->snp_initialized || !snp_fw_poll_mailbox(sev))
		return NOTIFY_DONE;

	snp_fw_poll_command(sev, SEV_CMD_SHUTDOWN, NULL, 0);
	status = snp_fw_poll_command(sev, SEV_CMD_SNP_SHUTDOWN_EX, &shutdown, sizeof(shutdown));
	if (status == SEV_RET_DFFLUSH_REQUIRED) {
		/* All others have done so when they were stopped. */
		wbinvd();
		snp_fw_poll_command(sev, SEV_CMD_SNP_DF_FLUSH, NULL, 0);
		status = snp_fw_poll_command(sev, SEV_CMD_SNP_SHUTDOWN_EX, &shutdown,
					     sizeof(shutdown));
	}
	if (status)
		pr_err("SEV-SNP: not shut down (%d), a kdump kernel may have no devices\n", status);
	return NOTIFY_DONE;
}

static struct notifier_block snp_fw_panic_nb = {
	.notifier_call = snp_fw_panic,
};

void snp_fw_panic_register(void)
{
	atomic_notifier_chain_register(&panic_notifier_list, &snp_fw_panic_nb);
}

void snp_fw_panic_unregister(void)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &snp_fw_panic_nb);
}
