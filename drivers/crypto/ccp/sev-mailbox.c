// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mailbox of the security processor: registers that take one command at a time
 *
 * Copyright (C) 2016,2019 Advanced Micro Devices, Inc.
 *
 * Author: Brijesh Singh <brijesh.singh@amd.com>
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/wait.h>

#include <asm/snp_host.h>

#include "psp-dev.h"
#include "sev-dev.h"
#include "sev-mailbox.h"

static int psp_cmd_timeout = 100;
module_param(psp_cmd_timeout, int, 0644);
MODULE_PARM_DESC(psp_cmd_timeout, " default timeout value, in seconds, for PSP commands");

/* The device whose mailbox is used */
struct psp_device *psp_master;

/* Held for each use of the mailbox, and for the state of the platform */
DEFINE_MUTEX(sev_cmd_mutex);

bool psp_dead;
int psp_timeout;

static int sev_wait_cmd_ioc(struct sev_device *sev,
			    unsigned int *reg, unsigned int timeout)
{
	int ret;

	ret = wait_event_timeout(sev->int_queue, sev->int_rcvd, timeout * HZ);
	if (!ret)
		return -ETIMEDOUT;

	*reg = ioread32(sev->io_regs + sev->vdata->cmdresp_reg);

	return 0;
}

/*
 * Wait without sleeping, until @end of ktime_get_mono_fast_ns(). Returns the mailbox's
 * register, or 0 if it does not answer.
 */
u32 sev_poll_mailbox(struct sev_device *sev, u64 end)
{
	struct snp_poll poll = {
		.end = end,
		.polls = SNP_IN_PLACE_NS / NSEC_PER_USEC / SEV_POLL_US,
	};
	bool last;
	u32 reg;

	do {
		last = snp_poll_is_last(&poll);
		reg = ioread32(sev->io_regs + sev->vdata->cmdresp_reg);
		if (reg & PSP_CMDRESP_RESP)
			return reg;
		udelay(SEV_POLL_US);
	} while (!last);
	return 0;
}

/*
 * Have the firmware execute @cmd, whose buffer is at @pa, and wait for it, by
 * polling if interrupts are off. Returns 0 and the firmware's status in @status, or an error.
 */
int sev_mailbox_locked(struct sev_device *sev, int cmd, u64 pa, unsigned int *status)
{
	unsigned int reg;
	int ret;

	lockdep_assert_held(&sev_cmd_mutex);

	if (psp_dead)
		return -EBUSY;

	iowrite32(lower_32_bits(pa), sev->io_regs + sev->vdata->cmdbuff_addr_lo_reg);
	iowrite32(upper_32_bits(pa), sev->io_regs + sev->vdata->cmdbuff_addr_hi_reg);

	sev->int_rcvd = 0;

	reg = cmd;
	reg <<= SEV_CMDRESP_CMD_SHIFT;
	if (!irqs_disabled())
		reg |= SEV_CMDRESP_IOC;
	iowrite32(reg, sev->io_regs + sev->vdata->cmdresp_reg);

	/* wait for command completion */
	if (irqs_disabled()) {
		reg = sev_poll_mailbox(sev, sev->snp_in_place_until);
		ret = reg ? 0 : -ETIMEDOUT;
	} else {
		ret = sev_wait_cmd_ioc(sev, &reg, psp_timeout);
	}
	if (ret) {
		psp_dead = true;
		/* A console's owner may wait for user memory that is firmware-owned now. */
		if (!irqs_disabled())
			dev_err(sev->dev, "sev command %#x timed out, disabling PSP\n", cmd);

		return ret;
	}

	psp_timeout = psp_cmd_timeout;
	*status = reg & PSP_CMDRESP_ERR_MASK;

	return 0;
}
