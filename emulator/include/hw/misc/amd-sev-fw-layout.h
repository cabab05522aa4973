/*
 * AMD Secure Processor: layouts of the SEV and SEV-SNP firmware ABIs
 *
 * All fields are little-endian, and are accessed in place.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MISC_AMD_SEV_FW_LAYOUT_H
#define HW_MISC_AMD_SEV_FW_LAYOUT_H

#include "qemu/compiler.h"

#define SEV_LAYOUT(type, size) QEMU_BUILD_BUG_ON(sizeof(type) != (size))

/* SEV and SEV-ES */

typedef struct QEMU_PACKED SevBufInit {
    uint32_t flags;
    uint32_t reserved;
    uint64_t tmr_address;
    uint32_t tmr_len;
} SevBufInit;
SEV_LAYOUT(SevBufInit, 0x14);

#define SEV_INIT_FLAGS_ES       (1u << 0)

typedef struct QEMU_PACKED SevBufInitEx {
    uint32_t length;
    uint32_t flags;
    uint64_t tmr_address;
    uint32_t tmr_len;
    uint32_t reserved;
    uint64_t nv_address;
    uint32_t nv_len;
} SevBufInitEx;
SEV_LAYOUT(SevBufInitEx, 0x24);

typedef struct QEMU_PACKED SevBufStatus {
    uint8_t api_major;
    uint8_t api_minor;
    uint8_t state;
    uint32_t flags;
    uint8_t build;
    uint32_t guest_count;
} SevBufStatus;
SEV_LAYOUT(SevBufStatus, 0xc);

/* An address and a length: PEK_CSR, GET_ID, DOWNLOAD_FIRMWARE */
typedef struct QEMU_PACKED SevBufBlob {
    uint64_t address;
    uint32_t len;
} SevBufBlob;
SEV_LAYOUT(SevBufBlob, 0xc);

/* Two of them: PEK_CERT_IMPORT (PEK, OCA), PDH_CERT_EXPORT (PDH, chain) */
typedef struct QEMU_PACKED SevBufCerts {
    uint64_t cert_address;
    uint32_t cert_len;
    uint32_t reserved;
    uint64_t chain_address;
    uint32_t chain_len;
} SevBufCerts;
SEV_LAYOUT(SevBufCerts, 0x1c);

/* DECOMMISSION, DEACTIVATE, LAUNCH_FINISH, SEND_FINISH, ... */
typedef struct QEMU_PACKED SevBufHandle {
    uint32_t handle;
} SevBufHandle;
SEV_LAYOUT(SevBufHandle, 4);

typedef struct QEMU_PACKED SevBufActivate {
    uint32_t handle;
    uint32_t asid;
} SevBufActivate;
SEV_LAYOUT(SevBufActivate, 8);

typedef struct QEMU_PACKED SevBufActivateEx {
    uint32_t length;
    uint32_t handle;
    uint32_t asid;
    uint32_t numids;
    uint64_t ids_paddr;
} SevBufActivateEx;
SEV_LAYOUT(SevBufActivateEx, 0x18);

typedef struct QEMU_PACKED SevBufGuestStatus {
    uint32_t handle;
    uint32_t policy;
    uint32_t asid;
    uint8_t state;
} SevBufGuestStatus;
SEV_LAYOUT(SevBufGuestStatus, 0xd);

typedef struct QEMU_PACKED SevBufStart {
    uint32_t handle;
    uint32_t policy;
    uint64_t cert_address;
    uint32_t cert_len;
    uint32_t reserved;
    uint64_t session_address;
    uint32_t session_len;
} SevBufStart;      /* LAUNCH_START, RECEIVE_START */
SEV_LAYOUT(SevBufStart, 0x24);

/* LAUNCH_UPDATE_DATA, LAUNCH_UPDATE_VMSA, LAUNCH_MEASURE */
typedef struct QEMU_PACKED SevBufRegion {
    uint32_t handle;
    uint32_t reserved;
    uint64_t address;
    uint32_t len;
} SevBufRegion;
SEV_LAYOUT(SevBufRegion, 0x14);

/* LAUNCH_SECRET, SEND_UPDATE_*, RECEIVE_UPDATE_* */
typedef struct QEMU_PACKED SevBufPacket {
    uint32_t handle;
    uint32_t reserved1;
    uint64_t hdr_address;
    uint32_t hdr_len;
    uint32_t reserved2;
    uint64_t guest_address;
    uint32_t guest_len;
    uint32_t reserved3;
    uint64_t trans_address;
    uint32_t trans_len;
} SevBufPacket;
SEV_LAYOUT(SevBufPacket, 0x34);

typedef struct QEMU_PACKED SevBufAttestation {
    uint32_t handle;
    uint32_t reserved;
    uint64_t address;
    uint8_t mnonce[16];
    uint32_t len;
} SevBufAttestation;
SEV_LAYOUT(SevBufAttestation, 0x24);

typedef struct QEMU_PACKED SevBufSendStart {
    uint32_t handle;
    uint32_t policy;
    uint64_t pdh_cert_address;
    uint32_t pdh_cert_len;
    uint32_t reserved1;
    uint64_t plat_certs_address;
    uint32_t plat_certs_len;
    uint32_t reserved2;
    uint64_t amd_certs_address;
    uint32_t amd_certs_len;
    uint32_t reserved3;
    uint64_t session_address;
    uint32_t session_len;
} SevBufSendStart;
SEV_LAYOUT(SevBufSendStart, 0x44);

typedef struct QEMU_PACKED SevBufDbg {
    uint32_t handle;
    uint32_t reserved;
    uint64_t src_address;
    uint64_t dst_address;
    uint32_t len;
} SevBufDbg;
SEV_LAYOUT(SevBufDbg, 0x1c);

typedef struct QEMU_PACKED SevBufCopy {
    uint32_t handle;
    uint32_t length;
    uint64_t src_address;
    uint64_t dst_address;
} SevBufCopy;
SEV_LAYOUT(SevBufCopy, 0x18);

/* The message of a guest's owner in LAUNCH_START */
typedef struct QEMU_PACKED SevSession {
    uint8_t nonce[16];
    uint8_t wrap_tk[32];        /* TEK, TIK under the KEK */
    uint8_t wrap_iv[16];
    uint8_t wrap_mac[32];
    uint8_t policy_mac[32];
} SevSession;
SEV_LAYOUT(SevSession, 0x80);

/* Header of a packet of LAUNCH_SECRET */
typedef struct QEMU_PACKED SevPacketHeader {
    uint32_t flags;
    uint8_t iv[16];
    uint8_t mac[32];
} SevPacketHeader;
SEV_LAYOUT(SevPacketHeader, 0x34);

#define SEV_PACKET_COMPRESSED   (1u << 0)

typedef struct QEMU_PACKED SevMeasurement {
    uint8_t measure[32];
    uint8_t mnonce[16];
} SevMeasurement;
SEV_LAYOUT(SevMeasurement, 0x30);

typedef struct QEMU_PACKED SevAttestationReport {
    uint8_t mnonce[16];
    uint8_t launch_digest[32];
    uint32_t policy;
    uint32_t sig_usage;
    uint32_t sig_algo;
    uint32_t reserved;
    uint8_t sig[144];
} SevAttestationReport;
SEV_LAYOUT(SevAttestationReport, 0xd0);

/* Keys and signatures of certificates and SNP structures */

typedef struct QEMU_PACKED SevEcKey {
    uint32_t curve;
    uint8_t qx[72];
    uint8_t qy[72];
    uint8_t reserved[0x404 - 0x94];
} SevEcKey;
SEV_LAYOUT(SevEcKey, 0x404);

typedef struct QEMU_PACKED SevEcSig {
    uint8_t r[72];
    uint8_t s[72];
    uint8_t reserved[0x200 - 0x90];
} SevEcSig;
SEV_LAYOUT(SevEcSig, 0x200);

typedef struct QEMU_PACKED SevCert {
    uint32_t version;
    uint8_t api_major;
    uint8_t api_minor;
    uint16_t reserved;
    uint32_t pubkey_usage;
    uint32_t pubkey_algo;
    SevEcKey pubkey;
    struct QEMU_PACKED {
        uint32_t usage;
        uint32_t algo;
        SevEcSig sig;
    } sigs[2];
} SevCert;
SEV_LAYOUT(SevCert, 0x824);

#define SEV_CERT_SIGNED_LEN     0x414   /* bytes that a signature covers */
#define SEV_CERT_USAGE_OCA      0x1001
#define SEV_CERT_USAGE_PEK      0x1002
#define SEV_CERT_USAGE_PDH      0x1003
#define SEV_CERT_USAGE_CEK      0x1004
#define SEV_CERT_USAGE_NONE     0x1000
#define SEV_CERT_ALGO_ECDSA_SHA256 0x0002
#define SEV_CERT_ALGO_ECDH_SHA256  0x0003
#define SEV_CERT_ALGO_ECDSA_SHA384 0x0102

/* SEV-SNP */

/* Just an address: SNP_GCTX_CREATE, SNP_DECOMMISSION, SNP_PLATFORM_STATUS */
typedef struct QEMU_PACKED SnpBufAddr {
    uint64_t address;
} SnpBufAddr;
SEV_LAYOUT(SnpBufAddr, 8);

typedef struct QEMU_PACKED SnpBufInitEx {
    uint32_t flags;
    uint32_t reserved;
    uint64_t list_paddr;
    uint16_t max_snp_asid;
    uint8_t reserved2[46];
} SnpBufInitEx;
SEV_LAYOUT(SnpBufInitEx, 0x40);

#define SNP_INIT_RMP            (1u << 0)
#define SNP_INIT_LIST_EN        (1u << 1)

typedef struct QEMU_PACKED SnpRange {
    uint64_t base;
    uint32_t page_count;
    uint32_t reserved;
} SnpRange;
SEV_LAYOUT(SnpRange, 0x10);

typedef struct QEMU_PACKED SnpRangeList {
    uint32_t num_elements;
    uint32_t reserved;
} SnpRangeList;
SEV_LAYOUT(SnpRangeList, 8);

typedef struct QEMU_PACKED SnpBufShutdownEx {
    uint32_t length;
    uint32_t flags;
} SnpBufShutdownEx;
SEV_LAYOUT(SnpBufShutdownEx, 8);

#define SNP_SHUTDOWN_IOMMU      (1u << 0)
#define SNP_SHUTDOWN_X86        (1u << 1)

typedef struct QEMU_PACKED SnpPlatformStatus {
    uint8_t api_major;
    uint8_t api_minor;
    uint8_t state;
    uint8_t is_rmp_init;
    uint32_t build_id;
    uint32_t flags;
    uint32_t guest_count;
    uint64_t current_tcb;
    uint64_t reported_tcb;
} SnpPlatformStatus;
SEV_LAYOUT(SnpPlatformStatus, 0x20);

/* is_rmp_init */
#define SNP_STATUS_RMP_INIT     (1u << 0)
#define SNP_STATUS_ALIAS_CHECK  (1u << 1)
/* flags */
#define SNP_STATUS_MASK_CHIP_ID (1u << 0)
#define SNP_STATUS_MASK_CHIP_KEY (1u << 1)
#define SNP_STATUS_VLEK_EN      (1u << 2)
#define SNP_STATUS_FEATURE_INFO (1u << 3)

typedef struct QEMU_PACKED SnpBufConfig {
    uint64_t reported_tcb;
    uint32_t flags;
    uint8_t reserved[52];
} SnpBufConfig;
SEV_LAYOUT(SnpBufConfig, 0x40);

typedef struct QEMU_PACKED SnpBufCommit {
    uint32_t length;
} SnpBufCommit;
SEV_LAYOUT(SnpBufCommit, 4);

typedef struct QEMU_PACKED SnpBufVlekLoad {
    uint32_t length;
    uint8_t version;
    uint8_t reserved[3];
    uint64_t address;
} SnpBufVlekLoad;
SEV_LAYOUT(SnpBufVlekLoad, 0x10);

#define SNP_VLEK_LEN            432

typedef struct QEMU_PACKED SnpBufFeatureInfo {
    uint32_t length;
    uint32_t ecx_in;
    uint64_t address;
} SnpBufFeatureInfo;
SEV_LAYOUT(SnpBufFeatureInfo, 0x10);

typedef struct QEMU_PACKED SnpBufActivate {
    uint64_t gctx_paddr;
    uint32_t asid;
} SnpBufActivate;
SEV_LAYOUT(SnpBufActivate, 0xc);

typedef struct QEMU_PACKED SnpBufActivateEx {
    uint32_t length;
    uint32_t reserved;
    uint64_t gctx_paddr;
    uint32_t asid;
    uint32_t numids;
    uint64_t id_paddr;
} SnpBufActivateEx;
SEV_LAYOUT(SnpBufActivateEx, 0x20);

typedef struct QEMU_PACKED SnpBufGuestStatus {
    uint64_t gctx_paddr;
    uint64_t address;
} SnpBufGuestStatus;
SEV_LAYOUT(SnpBufGuestStatus, 0x10);

typedef struct QEMU_PACKED SnpGuestStatus {
    uint64_t policy;
    uint32_t asid;
    uint8_t state;
    uint8_t reserved[3];
    uint8_t vcek_dis;
    uint8_t reserved2[47];
} SnpGuestStatus;
SEV_LAYOUT(SnpGuestStatus, 0x40);

typedef struct QEMU_PACKED SnpBufLaunchStart {
    uint64_t gctx_paddr;
    uint64_t policy;
    uint64_t ma_gctx_paddr;
    uint32_t flags;
    uint32_t desired_tsc_khz;
    uint8_t gosvw[16];
} SnpBufLaunchStart;
SEV_LAYOUT(SnpBufLaunchStart, 0x30);

#define SNP_LAUNCH_MA_EN        (1u << 0)
#define SNP_LAUNCH_IMI_EN       (1u << 1)

typedef struct QEMU_PACKED SnpBufLaunchUpdate {
    uint64_t gctx_paddr;
    uint32_t flags;
    uint32_t reserved;
    uint64_t address;
    uint8_t reserved2;
    uint8_t vmpl_perms[3];      /* VMPL1 to VMPL3 */
    uint32_t reserved3;
} SnpBufLaunchUpdate;
SEV_LAYOUT(SnpBufLaunchUpdate, 0x20);

#define SNP_UPDATE_PAGE_2M      (1u << 0)
#define SNP_UPDATE_PAGE_TYPE(f) (((f) >> 1) & 7)
#define SNP_UPDATE_IMI          (1u << 4)
#define SNP_UPDATE_RESERVED     (~0u << 5)

typedef struct QEMU_PACKED SnpPageInfo {
    uint8_t digest_cur[48];
    uint8_t contents[48];
    uint16_t length;
    uint8_t page_type;
    uint8_t imi_page;
    uint8_t reserved;
    uint8_t vmpl_perms[3];
    uint64_t gpa;
} SnpPageInfo;
SEV_LAYOUT(SnpPageInfo, 0x70);

typedef struct QEMU_PACKED SnpBufLaunchFinish {
    uint64_t gctx_paddr;
    uint64_t id_block_paddr;
    uint64_t id_auth_paddr;
    uint64_t flags;
    uint8_t host_data[32];
} SnpBufLaunchFinish;
SEV_LAYOUT(SnpBufLaunchFinish, 0x40);

#define SNP_FINISH_ID_BLOCK     (1u << 0)
#define SNP_FINISH_AUTHOR_KEY   (1u << 1)
#define SNP_FINISH_VCEK_DIS     (1u << 2)

typedef struct QEMU_PACKED SnpIdBlock {
    uint8_t ld[48];
    uint8_t family_id[16];
    uint8_t image_id[16];
    uint32_t version;
    uint32_t guest_svn;
    uint64_t policy;
} SnpIdBlock;
SEV_LAYOUT(SnpIdBlock, 0x60);

typedef struct QEMU_PACKED SnpIdAuth {
    uint32_t id_key_algo;
    uint32_t author_key_algo;
    uint8_t reserved[0x38];
    SevEcSig id_block_sig;
    SevEcKey id_key;
    uint8_t reserved2[0x3c];
    SevEcSig id_key_sig;
    SevEcKey author_key;
    uint8_t reserved3[0x1000 - 0xc84];
} SnpIdAuth;
SEV_LAYOUT(SnpIdAuth, 0x1000);
QEMU_BUILD_BUG_ON(offsetof(SnpIdAuth, id_key_sig) != 0x680);

typedef struct QEMU_PACKED SnpBufDbg {
    uint64_t gctx_paddr;
    uint64_t src_address;
    uint64_t dst_address;
} SnpBufDbg;
SEV_LAYOUT(SnpBufDbg, 0x18);

typedef struct QEMU_PACKED SnpBufGuestRequest {
    uint64_t gctx_paddr;
    uint64_t request_paddr;
    uint64_t response_paddr;
} SnpBufGuestRequest;
SEV_LAYOUT(SnpBufGuestRequest, 0x18);

typedef struct QEMU_PACKED SnpBufSetState {
    uint32_t length;
    uint32_t reserved;
    uint64_t list_paddr;
} SnpBufSetState;
SEV_LAYOUT(SnpBufSetState, 0x10);

typedef struct QEMU_PACKED SnpBufMdInit {
    uint64_t gctx_paddr;
    uint64_t page_paddr;
} SnpBufMdInit;
SEV_LAYOUT(SnpBufMdInit, 0x10);

typedef struct QEMU_PACKED SnpBufPageMove {
    uint64_t gctx_paddr;
    uint32_t flags;
    uint32_t reserved;
    uint64_t src_paddr;
    uint64_t dst_paddr;
} SnpBufPageMove;
SEV_LAYOUT(SnpBufPageMove, 0x20);

/* SNP_PAGE_SWAP_OUT and SNP_PAGE_SWAP_IN */
typedef struct QEMU_PACKED SnpBufSwap {
    uint64_t gctx_paddr;
    uint64_t src_paddr;
    uint64_t dst_paddr;
    uint64_t mdata_paddr;
    uint64_t software_data;     /* reserved in SNP_PAGE_SWAP_IN */
    uint64_t flags;
} SnpBufSwap;
SEV_LAYOUT(SnpBufSwap, 0x30);

#define SNP_SWAP_PAGE_2M        (1ull << 0)
#define SNP_SWAP_TYPE(f)        (((f) >> 1) & 3)
#define SNP_SWAP_TYPE_DATA      0
#define SNP_SWAP_TYPE_METADATA  1
#define SNP_SWAP_TYPE_VMSA      2
#define SNP_SWAP_IN_PLACE       (1ull << 3)
#define SNP_SWAP_ROOT_MDATA     (1ull << 4)
#define SNP_SWAP_OUT_FLAGS      0x17ull
#define SNP_SWAP_IN_FLAGS       0x1full

/* A metadata entry (MDATA) */
typedef struct QEMU_PACKED SnpMdata {
    uint64_t software_data;
    uint64_t iv;
    uint8_t auth_tag[16];
    uint64_t flags;
    uint8_t perms[8];           /* one for each VMPL */
    uint8_t reserved[0x10];
} SnpMdata;
SEV_LAYOUT(SnpMdata, 0x40);

#define SNP_MDATA_VALID         (1ull << 0)
#define SNP_MDATA_PAGE_VALIDATED (1ull << 1)
#define SNP_MDATA_VMSA          (1ull << 2)
#define SNP_MDATA_METADATA      (1ull << 3)
#define SNP_MDATA_PAGE_2M       (1ull << 4)
#define SNP_MDATA_GPA           (~0xfffull)

#endif
