/* SPDX-License-Identifier: GPL-2.0-only */
/* Execution of a command of the security processor, with sev_cmd_mutex held */
#ifndef __SEV_CMD_H__
#define __SEV_CMD_H__

int sev_cmd_locked(int cmd, void *data, int *psp_ret);

#endif /* __SEV_CMD_H__ */
