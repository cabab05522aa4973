/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of commands of the security processor, see sev-cmd-table.c */
#ifndef __SEV_CMD_TABLE_H__
#define __SEV_CMD_TABLE_H__

#include <linux/types.h>

enum snp_buf_kind {
	SNP_BUF_NONE,
	SNP_BUF_COPY,
	SNP_BUF_KERNEL,		/* a page of KVM's, which nobody else writes to */
	SNP_BUF_IN_PLACE,	/* memory of users; the command has no other buffer */
};

struct snp_buf_desc {
	enum snp_buf_kind kind;
	u16 addr_off;		/* of an u64 with the address */
	u16 len_off;		/* of an u32 with the length, or 0 */
	u32 fixed_len;		/* then the length is this one */
};

struct sev_cmd_desc {
	int cmd;
	u16 len;		/* of the command buffer, in bytes */
	bool writes_own;
	struct snp_buf_desc bufs[2];
};

const struct sev_cmd_desc *sev_cmd_desc(int cmd);
int sev_cmd_buffer_len(int cmd);

#endif /* __SEV_CMD_TABLE_H__ */
