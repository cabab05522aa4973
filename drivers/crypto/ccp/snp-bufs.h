/* SPDX-License-Identifier: GPL-2.0-only */
/* SEV-SNP: the table of what commands have the firmware write */
#ifndef __SNP_BUFS_H__
#define __SNP_BUFS_H__

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

struct snp_cmd_desc {
	int cmd;
	bool writes_own;
	struct snp_buf_desc bufs[2];
};

const struct snp_cmd_desc *snp_cmd_desc(int cmd);
u32 snp_lent_len(const struct snp_buf_desc *d, const void *cmd_buf);
u32 snp_copy_back_len(u32 had, u32 now);
unsigned long snp_lent_pages(u64 paddr, u32 len);

#endif /* __SNP_BUFS_H__ */
