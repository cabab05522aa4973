/* SPDX-License-Identifier: GPL-2.0-only */
/* The mailbox of the security processor, see sev-mailbox.c */
#ifndef __SEV_MAILBOX_H__
#define __SEV_MAILBOX_H__

#include <linux/mutex.h>
#include <linux/types.h>

struct sev_device;

extern struct mutex sev_cmd_mutex;
extern bool psp_dead;
extern int psp_timeout;

u32 sev_poll_mailbox(struct sev_device *sev, u64 end);
int sev_mailbox_locked(struct sev_device *sev, int cmd, u64 pa, unsigned int *status);

#endif /* __SEV_MAILBOX_H__ */
