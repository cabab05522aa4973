/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SEV-SNP firmware ABI: command buffers, and what the driver offers for them
 *
 * Layouts are those of the "SEV Secure Nested Paging Firmware ABI
 * Specification". All addresses are system physical addresses. Include
 * <linux/psp-sev.h>, which has the numbers of the commands.
 */
#ifndef __PSP_SNP_H__
#define __PSP_SNP_H__

#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/types.h>

#include <asm/pgtable_types.h>

/*
 * What a command may change in place of a SEV guest's memory: 16 KiB, the longest that
 * LAUNCH_SECRET can have, at any offset. See drivers/crypto/ccp/snp-bufs.c.
 */
#define SNP_IN_PLACE_PAGES	5

#define SNP_ABI_SIZE(type, size) static_assert(sizeof(struct type) == (size))

/*
 * SNP_GCTX_CREATE, SNP_DECOMMISSION, SNP_PLATFORM_STATUS: one address. In
 * SNP_PAGE_RECLAIM and SNP_PAGE_UNSMASH, bit 0 says that the page has 2 MiB.
 */
struct sev_data_snp_addr {
	u64 address;
} __packed;
SNP_ABI_SIZE(sev_data_snp_addr, 8);

struct sev_data_snp_page_reclaim {
	u64 paddr;
} __packed;
SNP_ABI_SIZE(sev_data_snp_page_reclaim, 8);

struct sev_data_snp_page_unsmash {
	u64 paddr;
} __packed;
SNP_ABI_SIZE(sev_data_snp_page_unsmash, 8);

#define SNP_PAGE_ADDR_2M	BIT_ULL(0)

struct sev_data_snp_activate {
	u64 gctx_paddr;
	u32 asid;
} __packed;
SNP_ABI_SIZE(sev_data_snp_activate, 12);

struct sev_data_snp_guest_status {
	u64 gctx_paddr;
	u64 address;		/* written: struct snp_guest_status */
} __packed;
SNP_ABI_SIZE(sev_data_snp_guest_status, 16);

struct snp_guest_status {
	u64 policy;
	u32 asid;
	u8 state;
	u8 rsvd[3];
	u8 vcek_disabled;
	u8 rsvd1[47];
} __packed;
SNP_ABI_SIZE(snp_guest_status, 64);

struct sev_data_snp_launch_start {
	u64 gctx_paddr;
	u64 policy;
	u64 ma_gctx_paddr;
	u32 ma_en : 1;
	u32 imi_en : 1;
	u32 rsvd : 30;
	u32 desired_tsc_khz;
	u8 gosvw[16];
} __packed;
SNP_ABI_SIZE(sev_data_snp_launch_start, 48);

enum {
	SNP_PAGE_TYPE_NORMAL		= 1,
	SNP_PAGE_TYPE_VMSA		= 2,
	SNP_PAGE_TYPE_ZERO		= 3,
	SNP_PAGE_TYPE_UNMEASURED	= 4,
	SNP_PAGE_TYPE_SECRET		= 5,
	SNP_PAGE_TYPE_CPUID		= 6,

	SNP_PAGE_TYPE_MAX
};

struct sev_data_snp_launch_update {
	u64 gctx_paddr;
	u32 page_size : 1;	/* RMP_PG_SIZE_* */
	u32 page_type : 3;	/* SNP_PAGE_TYPE_* */
	u32 imi_page : 1;
	u32 rsvd : 27;
	u32 rsvd2;
	u64 address;
	u32 rsvd3 : 8;
	u32 vmpl1_perms : 8;
	u32 vmpl2_perms : 8;
	u32 vmpl3_perms : 8;
	u32 rsvd4;
} __packed;
SNP_ABI_SIZE(sev_data_snp_launch_update, 32);

struct sev_data_snp_launch_finish {
	u64 gctx_paddr;
	u64 id_block_paddr;
	u64 id_auth_paddr;
	u8 id_block_en : 1;
	u8 auth_key_en : 1;
	u8 vcek_disabled : 1;
	u64 rsvd : 61;
	u8 host_data[32];
} __packed;
SNP_ABI_SIZE(sev_data_snp_launch_finish, 64);

/* SNP_DBG_DECRYPT, SNP_DBG_ENCRYPT: whole pages of 4 KiB */
struct sev_data_snp_dbg {
	u64 gctx_paddr;
	u64 src_addr;
	u64 dst_addr;
} __packed;
SNP_ABI_SIZE(sev_data_snp_dbg, 24);

/* Whole pages of 4 KiB; the response is written. */
struct sev_data_snp_guest_request {
	u64 gctx_paddr;
	u64 req_paddr;
	u64 res_paddr;
} __packed;
SNP_ABI_SIZE(sev_data_snp_guest_request, 24);

struct sev_data_snp_page_move {
	u64 gctx_paddr;
	u32 page_size : 1;
	u32 rsvd : 31;
	u32 rsvd1;
	u64 src_paddr;
	u64 dst_paddr;
} __packed;
SNP_ABI_SIZE(sev_data_snp_page_move, 32);

struct sev_data_snp_page_set_state {
	u32 len;
	u32 rsvd;
	u64 list_paddr;		/* struct sev_data_range_list */
} __packed;
SNP_ABI_SIZE(sev_data_snp_page_set_state, 16);

struct sev_data_snp_init_ex {
	u32 init_rmp : 1;
	u32 list_paddr_en : 1;
	u32 rapl_dis : 1;
	u32 ciphertext_hiding_en : 1;
	u32 tio_en : 1;
	u32 rsvd : 27;
	u32 rsvd1;
	u64 list_paddr;		/* struct sev_data_range_list, page aligned */
	u16 max_snp_asid;
	u8  rsvd2[46];
} __packed;
SNP_ABI_SIZE(sev_data_snp_init_ex, 64);

struct sev_data_range {
	u64 base;
	u32 page_count;		/* of 4 KiB */
	u32 rsvd;
} __packed;
SNP_ABI_SIZE(sev_data_range, 16);

struct sev_data_range_list {
	u32 num_elements;
	u32 rsvd;
	struct sev_data_range ranges[];
} __packed;
SNP_ABI_SIZE(sev_data_range_list, 8);

struct sev_data_snp_shutdown_ex {
	u32 len;
	u32 iommu_snp_shutdown : 1;
	u32 x86_snp_shutdown : 1;
	u32 rsvd1 : 30;
} __packed;
SNP_ABI_SIZE(sev_data_snp_shutdown_ex, 8);

struct sev_data_snp_commit {
	u32 len;
} __packed;
SNP_ABI_SIZE(sev_data_snp_commit, 4);

struct sev_data_snp_feature_info {
	u32 length;
	u32 ecx_in;
	u64 feature_info_paddr;	/* written: struct snp_feature_info */
} __packed;
SNP_ABI_SIZE(sev_data_snp_feature_info, 16);

/* CPUID Fn8000_0024 as the firmware has it */
struct snp_feature_info {
	u32 eax;
	u32 ebx;
	u32 ecx;
	u32 edx;
} __packed;
SNP_ABI_SIZE(snp_feature_info, 16);

/* Fn8000_0024 ECX */
#define SNP_X86_SHUTDOWN_SUPPORTED		BIT(1)
#define SNP_RAPL_DISABLE_SUPPORTED		BIT(2)
#define SNP_CIPHER_TEXT_HIDING_SUPPORTED	BIT(3)
#define SNP_AES_256_XTS_POLICY_SUPPORTED	BIT(4)
#define SNP_CXL_ALLOW_POLICY_SUPPORTED		BIT(5)
#define SNP_VERIFY_MITIGATION_SUPPORTED		BIT(13)

#ifdef CONFIG_CRYPTO_DEV_SP_PSP

/**
 * sev_is_snp_initialized - has the firmware completed SNP_INIT_EX?
 *
 * Context: any. The answer may be stale unless the caller holds a reference to
 *          the driver and nothing shuts the platform down.
 */
bool sev_is_snp_initialized(void);

/**
 * snp_alloc_firmware_page - allocate a page that the firmware may write
 * @gfp: flags for the allocation; __GFP_ZERO has the usual meaning
 *
 * While SNP is initialized the page is in the Firmware state: the kernel can
 * read it, and must not write it. Otherwise it is an ordinary page.
 *
 * Context: may sleep.
 * Return: the page's address, or NULL.
 */
void *snp_alloc_firmware_page(gfp_t gfp);

/**
 * snp_free_firmware_page - free a page of snp_alloc_firmware_page()
 * @addr: the page's address or NULL
 *
 * A page that can't be reclaimed is leaked and counted.
 *
 * Context: may sleep. Takes the lock of the firmware's mailbox.
 */
void snp_free_firmware_page(void *addr);

/**
 * snp_reclaim - reclaim a page from firmware or from a guest
 * @pfn: first page of 4 KiB
 * @level: PG_LEVEL_4K or PG_LEVEL_2M, the size of the page in the RMP
 *
 * The page is the host's afterwards, unless an error is returned: then the
 * caller leaks it. Contexts of guests can't be reclaimed before SNP_DECOMMISSION.
 *
 * Context: may sleep. The caller owns the page. Takes the lock of the mailbox
 *          if the state of the page calls for SNP_PAGE_RECLAIM.
 * Return: 0; -EIO if the firmware refused; -EEXIST if the page is not of that
 *         size; -EBUSY or -EPERM as of rmp_make_shared(); -ENODEV without SNP
 *         or firmware; -ENXIO if the page has no RMP entry.
 */
int snp_reclaim(u64 pfn, enum pg_level level);

/**
 * sev_snp_get_feature_info - Fn8000_0024 of the firmware
 * @info: where it goes
 *
 * Return: 0; -ENODEV without SNP firmware; -EOPNOTSUPP if it does not tell.
 */
int sev_snp_get_feature_info(struct snp_feature_info *info);

/**
 * sev_do_cmd - have the firmware execute a command
 * @cmd: SEV_CMD_*
 * @data: the command's buffer, or NULL if it has none
 * @psp_ret: where the firmware's status goes (SEV_RET_*), or NULL
 *
 * Once SNP is initialized the firmware writes to pages in the Firmware state
 * only. Pages that firmware writes as the answer to @cmd, and that are not in
 * that state by the definition of the command, are put into it and reclaimed here.
 * If they can't be reclaimed they are leaked, and -EIO is returned.
 *
 * Context: may sleep. Takes the lock of the firmware's mailbox.
 * Return: 0; -EIO if the firmware refused; -EINVAL if @data does not fit @cmd;
 *         -ENOMEM; -EBUSY if the firmware is dead; -ETIMEDOUT; -ENODEV.
 */
int sev_do_cmd(int cmd, void *data, int *psp_ret);

#else

static inline bool sev_is_snp_initialized(void) { return false; }
static inline void *snp_alloc_firmware_page(gfp_t gfp) { return NULL; }
static inline void snp_free_firmware_page(void *addr) { }
static inline int snp_reclaim(u64 pfn, enum pg_level level) { return -ENODEV; }
static inline int sev_snp_get_feature_info(struct snp_feature_info *info) { return -ENODEV; }
static inline int sev_do_cmd(int cmd, void *data, int *psp_ret) { return -ENODEV; }

#endif /* CONFIG_CRYPTO_DEV_SP_PSP */

/* snp_reclaim() of a page of 4 KiB */
static inline int snp_reclaim_page(u64 pfn)
{
	return snp_reclaim(pfn, PG_LEVEL_4K);
}

#endif /* __PSP_SNP_H__ */
