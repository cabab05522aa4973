// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of the security processor that have a buffer: its length, and what
 * else the firmware writes.  Not in the table is what a command writes to pages that are
 * firmware-owned by its definition: contexts, pages of guests, the TMR and the buffer of
 * INIT_EX.
 *
 * Copyright (C) 2016,2019 Advanced Micro Devices, Inc.
 *
 * Author: Brijesh Singh <brijesh.singh@amd.com>
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/psp-sev.h>
#include <linux/stddef.h>

#include "sev-cmd-table.h"

#define CMD(id, type, ...)						\
	{ .cmd = SEV_CMD_##id, .len = sizeof(struct type), ##__VA_ARGS__ }
#define OWN		.writes_own = true
#define BUFS(...)	.bufs = { __VA_ARGS__ }
#define COPY(type, addr, len)						\
	{ .kind = SNP_BUF_COPY, .addr_off = offsetof(struct type, addr),	\
	  .len_off = offsetof(struct type, len) }
#define COPY_FIXED(type, addr, size)					\
	{ .kind = SNP_BUF_COPY, .addr_off = offsetof(struct type, addr),	\
	  .fixed_len = (size) }
#define KERNEL(type, addr, len)						\
	{ .kind = SNP_BUF_KERNEL, .addr_off = offsetof(struct type, addr),	\
	  .len_off = offsetof(struct type, len) }
#define IN_PLACE(type, addr, len)					\
	{ .kind = SNP_BUF_IN_PLACE, .addr_off = offsetof(struct type, addr),	\
	  .len_off = offsetof(struct type, len) }

static const struct sev_cmd_desc sev_cmd_descs[] = {
	CMD(INIT, sev_data_init),
	CMD(INIT_EX, sev_data_init_ex),
	CMD(PLATFORM_STATUS, sev_user_data_status, OWN),
	CMD(PEK_CSR, sev_data_pek_csr, OWN, BUFS(COPY(sev_data_pek_csr, address, len))),
	CMD(PEK_CERT_IMPORT, sev_data_pek_cert_import),
	CMD(PDH_CERT_EXPORT, sev_data_pdh_cert_export, OWN,
	    BUFS(COPY(sev_data_pdh_cert_export, pdh_cert_address, pdh_cert_len),
		 COPY(sev_data_pdh_cert_export, cert_chain_address, cert_chain_len))),
	CMD(LAUNCH_START, sev_data_launch_start, OWN),
	CMD(LAUNCH_UPDATE_DATA, sev_data_launch_update_data,
	    BUFS(IN_PLACE(sev_data_launch_update_data, address, len))),
	CMD(LAUNCH_UPDATE_VMSA, sev_data_launch_update_vmsa,
	    BUFS(KERNEL(sev_data_launch_update_vmsa, address, len))),
	CMD(LAUNCH_FINISH, sev_data_launch_finish),
	CMD(LAUNCH_MEASURE, sev_data_launch_measure, OWN,
	    BUFS(COPY(sev_data_launch_measure, address, len))),
	CMD(ACTIVATE, sev_data_activate),
	CMD(DEACTIVATE, sev_data_deactivate),
	CMD(DECOMMISSION, sev_data_decommission),
	CMD(GUEST_STATUS, sev_data_guest_status, OWN),
	CMD(DBG_DECRYPT, sev_data_dbg, BUFS(COPY(sev_data_dbg, dst_addr, len))),
	CMD(DBG_ENCRYPT, sev_data_dbg, BUFS(IN_PLACE(sev_data_dbg, dst_addr, len))),
	CMD(SEND_START, sev_data_send_start, OWN,
	    BUFS(COPY(sev_data_send_start, session_address, session_len))),
	CMD(SEND_UPDATE_DATA, sev_data_send_update_data, OWN,
	    BUFS(COPY(sev_data_send_update_data, hdr_address, hdr_len),
		 COPY(sev_data_send_update_data, trans_address, trans_len))),
	CMD(SEND_UPDATE_VMSA, sev_data_send_update_vmsa, OWN,
	    BUFS(COPY(sev_data_send_update_vmsa, hdr_address, hdr_len),
		 COPY(sev_data_send_update_vmsa, trans_address, trans_len))),
	CMD(SEND_FINISH, sev_data_send_finish),
	CMD(RECEIVE_START, sev_data_receive_start, OWN),
	CMD(RECEIVE_FINISH, sev_data_receive_finish),
	CMD(RECEIVE_UPDATE_DATA, sev_data_receive_update_data,
	    BUFS(IN_PLACE(sev_data_receive_update_data, guest_address, guest_len))),
	CMD(RECEIVE_UPDATE_VMSA, sev_data_receive_update_vmsa,
	    BUFS(KERNEL(sev_data_receive_update_vmsa, guest_address, guest_len))),
	CMD(LAUNCH_UPDATE_SECRET, sev_data_launch_secret,
	    BUFS(IN_PLACE(sev_data_launch_secret, guest_address, guest_len))),
	CMD(DOWNLOAD_FIRMWARE, sev_data_download_firmware),
	CMD(GET_ID, sev_data_get_id, OWN, BUFS(COPY(sev_data_get_id, address, len))),
	CMD(ATTESTATION_REPORT, sev_data_attestation_report, OWN,
	    BUFS(COPY(sev_data_attestation_report, address, len))),
	CMD(SEND_CANCEL, sev_data_send_cancel),
	CMD(SNP_INIT_EX, sev_data_snp_init_ex),
	CMD(SNP_SHUTDOWN_EX, sev_data_snp_shutdown_ex),
	CMD(SNP_PLATFORM_STATUS, sev_data_snp_addr,
	    BUFS(COPY_FIXED(sev_data_snp_addr, address, sizeof(struct sev_user_data_snp_status)))),
	CMD(SNP_GCTX_CREATE, sev_data_snp_addr),
	CMD(SNP_DECOMMISSION, sev_data_snp_addr),
	CMD(SNP_PAGE_RECLAIM, sev_data_snp_addr),
	CMD(SNP_PAGE_UNSMASH, sev_data_snp_addr),
	CMD(SNP_ACTIVATE, sev_data_snp_activate),
	CMD(SNP_GUEST_STATUS, sev_data_snp_guest_status,
	    BUFS(COPY_FIXED(sev_data_snp_guest_status, address, sizeof(struct snp_guest_status)))),
	CMD(SNP_GUEST_REQUEST, sev_data_snp_guest_request,
	    BUFS(COPY_FIXED(sev_data_snp_guest_request, res_paddr, PAGE_SIZE))),
	CMD(SNP_LAUNCH_START, sev_data_snp_launch_start),
	CMD(SNP_LAUNCH_UPDATE, sev_data_snp_launch_update),
	CMD(SNP_LAUNCH_FINISH, sev_data_snp_launch_finish),
	CMD(SNP_DBG_DECRYPT, sev_data_snp_dbg,
	    BUFS(COPY_FIXED(sev_data_snp_dbg, dst_addr, PAGE_SIZE))),
	CMD(SNP_DBG_ENCRYPT, sev_data_snp_dbg),
	CMD(SNP_PAGE_MOVE, sev_data_snp_page_move),
	CMD(SNP_PAGE_SET_STATE, sev_data_snp_page_set_state),
	CMD(SNP_CONFIG, sev_user_data_snp_config),
	CMD(SNP_COMMIT, sev_data_snp_commit),
	CMD(SNP_VLEK_LOAD, sev_user_data_snp_vlek_load),
	CMD(SNP_FEATURE_INFO, sev_data_snp_feature_info,
	    BUFS(COPY_FIXED(sev_data_snp_feature_info, feature_info_paddr,
			    sizeof(struct snp_feature_info)))),
};

/* Returns NULL for a command without a buffer. */
const struct sev_cmd_desc *sev_cmd_desc(int cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sev_cmd_descs); i++) {
		if (sev_cmd_descs[i].cmd == cmd)
			return &sev_cmd_descs[i];
	}
	return NULL;
}

int sev_cmd_buffer_len(int cmd)
{
	const struct sev_cmd_desc *desc = sev_cmd_desc(cmd);

	return desc ? desc->len : 0;
}
