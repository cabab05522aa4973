/* SPDX-License-Identifier: GPL-2.0-only */
/* SEV-SNP: the buffers of firmware commands; arithmetic of lengths */
#ifndef __SNP_BUFS_H__
#define __SNP_BUFS_H__

#include <linux/types.h>

struct snp_buf_desc;

u32 snp_fw_buf_len(const struct snp_buf_desc *d, const void *cmd_buf);
u32 snp_fw_copy_back_len(u32 had, u32 now);
unsigned long snp_fw_buf_pages(u64 paddr, u32 len);

#endif /* __SNP_BUFS_H__ */
