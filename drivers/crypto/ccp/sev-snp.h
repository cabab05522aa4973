/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SEV-SNP in the driver of the security processor
 *
 *  snp-pages.c  pages that are firmware-owned, and reclaiming them
 *  snp-bufs.c   the buffers of commands, while these are executed
 *  sev-snp.c    SNP_INIT_EX and SNP_SHUTDOWN_EX
 *  snp-panic.c  SNP_SHUTDOWN_EX of a kernel that has crashed
 *  snp-ioctl.c  /dev/sev
 *
 * Functions that end in _locked are called with the lock of the mailbox, sev_cmd_mutex.
 */
#ifndef __SEV_SNP_H__
#define __SEV_SNP_H__

#include <linux/mm.h>
#include <linux/psp-sev.h>
#include <linux/types.h>

#include "sev-dev.h"
#include "sev-cmd-table.h"

/* At most two buffers beside the command's own are written by one command. */
#define SNP_CMD_BUFS	3

/* A buffer that firmware writes while a command runs */
struct snp_fw_buf {
	u64 paddr;		/* the caller's, as in the command's buffer */
	u32 len;		/* in bytes */
	enum snp_buf_kind kind;
	struct page *page;	/* the copy */
	u16 addr_off;		/* of the address in the command's buffer */
	u16 len_off;		/* of the length there, 0 if there is none */
};

struct snp_fw_cmd {
	u64 pa;			/* where firmware finds the command's buffer */
	struct page *own;	/* what it writes instead of sev->cmd_buf, or NULL */
	unsigned int buf_len;
	unsigned int n;
	bool in_place;		/* interrupts are off until the end */
	struct snp_fw_buf bufs[SNP_CMD_BUFS - 1];
};

/* snp-bufs.c */
int snp_fw_bufs_begin_locked(struct sev_device *sev, struct snp_fw_cmd *c, int cmd,
			     unsigned int buf_len);
int snp_fw_bufs_end_locked(struct sev_device *sev, struct snp_fw_cmd *c, bool success);

/* snp-pages.c */
int snp_fw_try_mark_pages_locked(u64 pfn, unsigned long npages, unsigned long *marked);
int snp_fw_mark_pages_locked(struct sev_device *sev, u64 pfn, unsigned long npages);
int snp_fw_reclaim_pages_locked(struct sev_device *sev, u64 pfn, unsigned long npages,
				unsigned long *lost);
struct page *snp_fw_alloc_buffer(gfp_t gfp, size_t size);
void snp_fw_free_buffer_locked(struct sev_device *sev, struct page *page, size_t size);
bool snp_fw_owns(const void *addr);
int snp_fw_owns_buffer(const void *addr, size_t size);

/* sev-snp.c */
int snp_fw_prepare_locked(struct sev_device *sev, int *error);
int snp_fw_mark_fixed_locked(struct sev_device *sev, void *buf, size_t size);
void snp_fw_free_fixed(struct sev_device *sev, void *buf, size_t size);
void snp_fw_shutdown(struct sev_device *sev);

/* snp-panic.c */
void snp_fw_panic_register(void);
void snp_fw_panic_unregister(void);

/* snp-ioctl.c */
int snp_fw_ioctl_locked(struct sev_device *sev, struct sev_issue_cmd *input, bool writable);

#endif /* __SEV_SNP_H__ */
