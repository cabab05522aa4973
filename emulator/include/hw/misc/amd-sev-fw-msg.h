/*
 * AMD Secure Processor: layouts that SEV-SNP guests see
 *
 * Messages of the guest and their responses, and the pages that the launch
 * provides. All fields are little-endian, and are accessed in place.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MISC_AMD_SEV_FW_MSG_H
#define HW_MISC_AMD_SEV_FW_MSG_H

#include "hw/misc/amd-sev-fw-layout.h"

typedef struct QEMU_PACKED SnpMsgHeader {
    uint8_t authtag[32];
    uint64_t seqno;
    uint64_t reserved;
    uint8_t algo;
    uint8_t hdr_version;
    uint16_t hdr_size;
    uint8_t msg_type;
    uint8_t msg_version;
    uint16_t msg_size;
    uint32_t reserved2;
    uint8_t vmpck;
    uint8_t reserved3[35];
} SnpMsgHeader;
SEV_LAYOUT(SnpMsgHeader, 0x60);

#define SNP_MSG_AAD_OFFSET      0x30
#define SNP_MSG_AAD_LEN         0x30
#define SNP_MSG_MAX             (0x1000 - 0x60)

typedef struct QEMU_PACKED SnpReportReq {
    uint8_t report_data[64];
    uint32_t vmpl;
    uint32_t key_sel;
    uint8_t reserved[24];
} SnpReportReq;
SEV_LAYOUT(SnpReportReq, 0x60);

typedef struct QEMU_PACKED SnpReport {
    uint32_t version;
    uint32_t guest_svn;
    uint64_t policy;
    uint8_t family_id[16];
    uint8_t image_id[16];
    uint32_t vmpl;
    uint32_t signature_algo;
    uint64_t current_tcb;
    uint64_t platform_info;
    uint32_t key_info;
    uint32_t reserved;
    uint8_t report_data[64];
    uint8_t measurement[48];
    uint8_t host_data[32];
    uint8_t id_key_digest[48];
    uint8_t author_key_digest[48];
    uint8_t report_id[32];
    uint8_t report_id_ma[32];
    uint64_t reported_tcb;
    uint8_t cpuid_fam_id;
    uint8_t cpuid_mod_id;
    uint8_t cpuid_step;
    uint8_t reserved2[21];
    uint8_t chip_id[64];
    uint64_t committed_tcb;
    uint8_t current_build;
    uint8_t current_minor;
    uint8_t current_major;
    uint8_t reserved3;
    uint8_t committed_build;
    uint8_t committed_minor;
    uint8_t committed_major;
    uint8_t reserved4;
    uint64_t launch_tcb;
    uint8_t reserved5[168];
    SevEcSig signature;
} SnpReport;
SEV_LAYOUT(SnpReport, 0x4a0);
QEMU_BUILD_BUG_ON(offsetof(SnpReport, measurement) != 0x90);
QEMU_BUILD_BUG_ON(offsetof(SnpReport, chip_id) != 0x1a0);
QEMU_BUILD_BUG_ON(offsetof(SnpReport, signature) != 0x2a0);

#define SNP_REPORT_VERSION      3
#define SNP_REPORT_KEY_AUTHOR   (1u << 0)
#define SNP_REPORT_KEY_MASKED   (1u << 1)
#define SNP_REPORT_KEY_VCEK     (0u << 2)
#define SNP_REPORT_KEY_VLEK     (1u << 2)
#define SNP_REPORT_KEY_NONE     (7u << 2)
#define SNP_REPORT_PLATFORM_SMT (1u << 0)
#define SNP_REPORT_PLATFORM_ALIAS_CHECK (1u << 5)

typedef struct QEMU_PACKED SnpReportRsp {
    uint32_t status;
    uint32_t size;
    uint8_t reserved[24];
    SnpReport report;
} SnpReportRsp;
SEV_LAYOUT(SnpReportRsp, 0x4c0);

typedef struct QEMU_PACKED SnpKeyReq {
    uint32_t key_select;
    uint32_t reserved;
    uint64_t field_select;
    uint32_t vmpl;
    uint32_t guest_svn;
    uint64_t tcb_version;
} SnpKeyReq;
SEV_LAYOUT(SnpKeyReq, 0x20);

typedef struct QEMU_PACKED SnpKeyRsp {
    uint32_t status;
    uint8_t reserved[28];
    uint8_t key[32];
} SnpKeyRsp;
SEV_LAYOUT(SnpKeyRsp, 0x40);

typedef struct QEMU_PACKED SnpCpuidFn {
    uint32_t eax_in;
    uint32_t ecx_in;
    uint64_t xcr0_in;
    uint64_t xss_in;
    uint32_t eax;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
    uint64_t reserved;
} SnpCpuidFn;
SEV_LAYOUT(SnpCpuidFn, 0x30);

#define SNP_CPUID_MAX           64

/* The CPUID page; a MSG_CPUID_RSP has a status before it */
typedef struct QEMU_PACKED SnpCpuidTable {
    uint32_t count;
    uint32_t reserved;
    uint64_t reserved2;
    SnpCpuidFn fn[SNP_CPUID_MAX];
} SnpCpuidTable;
SEV_LAYOUT(SnpCpuidTable, 0xc10);

typedef struct QEMU_PACKED SnpTscInfoRsp {
    uint32_t status;
    uint32_t reserved;
    uint64_t tsc_scale;
    uint64_t tsc_offset;
    uint32_t tsc_factor;
    uint8_t reserved2[100];
} SnpTscInfoRsp;
SEV_LAYOUT(SnpTscInfoRsp, 0x80);

typedef struct QEMU_PACKED SnpVmrkReq {
    uint64_t gctx_paddr;
    uint8_t vmrk[32];
} SnpVmrkReq;

typedef struct QEMU_PACKED SnpSecrets {
    uint32_t version;
    uint32_t flags;             /* bit 0: IMI_EN */
    uint32_t fms;
    uint32_t reserved;
    uint8_t gosvw[16];
    uint8_t vmpck[4][32];
    uint8_t os_area[96];
    uint8_t vmsa_tweak_bitmap[64];
    uint8_t svsm_area[32];
    uint32_t tsc_factor;
    uint8_t reserved2[0x1000 - 0x164];
} SnpSecrets;
SEV_LAYOUT(SnpSecrets, 0x1000);
QEMU_BUILD_BUG_ON(offsetof(SnpSecrets, os_area) != 0xa0);
QEMU_BUILD_BUG_ON(offsetof(SnpSecrets, tsc_factor) != 0x160);

#endif
