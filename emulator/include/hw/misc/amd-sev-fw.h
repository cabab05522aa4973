/*
 * AMD Secure Processor: numbers of the SEV and SEV-SNP firmware ABIs
 *
 * Names are those of the "Secure Encrypted Virtualization API" (SEV and SEV-ES)
 * and of the "SEV Secure Nested Paging Firmware ABI Specification" (SNP).
 * Layouts of command buffers are in amd-sev-fw-layout.h, those of messages in
 * amd-sev-fw-msg.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MISC_AMD_SEV_FW_H
#define HW_MISC_AMD_SEV_FW_H

/* The revision of the ABI that the firmware implements */
#define SEV_FW_API_MAJOR        1
#define SEV_FW_API_MINOR        56
#define SEV_FW_BUILD            1

/* Commands: X(name, number) */
#define SEV_FW_COMMANDS(X)                      \
    X(INIT,                     0x001)          \
    X(SHUTDOWN,                 0x002)          \
    X(PLATFORM_RESET,           0x003)          \
    X(PLATFORM_STATUS,          0x004)          \
    X(PEK_GEN,                  0x005)          \
    X(PEK_CSR,                  0x006)          \
    X(PEK_CERT_IMPORT,          0x007)          \
    X(PDH_CERT_EXPORT,          0x008)          \
    X(PDH_GEN,                  0x009)          \
    X(DF_FLUSH,                 0x00a)          \
    X(DOWNLOAD_FIRMWARE,        0x00b)          \
    X(GET_ID,                   0x00c)          \
    X(INIT_EX,                  0x00d)          \
    X(NOP,                      0x00e)          \
    X(RING_BUFFER,              0x00f)          \
    X(DECOMMISSION,             0x020)          \
    X(ACTIVATE,                 0x021)          \
    X(DEACTIVATE,               0x022)          \
    X(GUEST_STATUS,             0x023)          \
    X(COPY,                     0x024)          \
    X(ACTIVATE_EX,              0x025)          \
    X(LAUNCH_START,             0x030)          \
    X(LAUNCH_UPDATE_DATA,       0x031)          \
    X(LAUNCH_UPDATE_VMSA,       0x032)          \
    X(LAUNCH_MEASURE,           0x033)          \
    X(LAUNCH_SECRET,            0x034)          \
    X(LAUNCH_FINISH,            0x035)          \
    X(ATTESTATION,              0x036)          \
    X(SEND_START,               0x040)          \
    X(SEND_UPDATE_DATA,         0x041)          \
    X(SEND_UPDATE_VMSA,         0x042)          \
    X(SEND_FINISH,              0x043)          \
    X(SEND_CANCEL,              0x044)          \
    X(RECEIVE_START,            0x050)          \
    X(RECEIVE_UPDATE_DATA,      0x051)          \
    X(RECEIVE_UPDATE_VMSA,      0x052)          \
    X(RECEIVE_FINISH,           0x053)          \
    X(DBG_DECRYPT,              0x060)          \
    X(DBG_ENCRYPT,              0x061)          \
    X(SWAP_OUT,                 0x070)          \
    X(SWAP_IN,                  0x071)          \
    X(SNP_INIT,                 0x081)          \
    X(SNP_SHUTDOWN,             0x082)          \
    X(SNP_PLATFORM_STATUS,      0x083)          \
    X(SNP_DF_FLUSH,             0x084)          \
    X(SNP_INIT_EX,              0x085)          \
    X(SNP_SHUTDOWN_EX,          0x086)          \
    X(SNP_DECOMMISSION,         0x090)          \
    X(SNP_ACTIVATE,             0x091)          \
    X(SNP_GUEST_STATUS,         0x092)          \
    X(SNP_GCTX_CREATE,          0x093)          \
    X(SNP_GUEST_REQUEST,        0x094)          \
    X(SNP_ACTIVATE_EX,          0x095)          \
    X(SNP_LAUNCH_START,         0x0a0)          \
    X(SNP_LAUNCH_UPDATE,        0x0a1)          \
    X(SNP_LAUNCH_FINISH,        0x0a2)          \
    X(SNP_DBG_DECRYPT,          0x0b0)          \
    X(SNP_DBG_ENCRYPT,          0x0b1)          \
    X(SNP_PAGE_SWAP_OUT,        0x0c0)          \
    X(SNP_PAGE_SWAP_IN,         0x0c1)          \
    X(SNP_PAGE_MOVE,            0x0c2)          \
    X(SNP_PAGE_MD_INIT,         0x0c3)          \
    X(SNP_PAGE_SET_STATE,       0x0c6)          \
    X(SNP_PAGE_RECLAIM,         0x0c7)          \
    X(SNP_PAGE_UNSMASH,         0x0c8)          \
    X(SNP_CONFIG,               0x0c9)          \
    X(SNP_DOWNLOAD_FIRMWARE_EX, 0x0ca)          \
    X(SNP_COMMIT,               0x0cb)          \
    X(SNP_VLEK_LOAD,            0x0cd)          \
    X(SNP_FEATURE_INFO,         0x0ce)

enum {
#define SEV_FW_CMD(name, number) SEV_CMD_##name = number,
    SEV_FW_COMMANDS(SEV_FW_CMD)
#undef SEV_FW_CMD
    SEV_CMD_MAX = 0x100,
};

/* Status codes: X(name, number) */
#define SEV_FW_STATUSES(X)                      \
    X(SUCCESS,                  0x00)           \
    X(INVALID_PLATFORM_STATE,   0x01)           \
    X(INVALID_GUEST_STATE,      0x02)           \
    X(INVALID_CONFIG,           0x03)           \
    X(INVALID_LENGTH,           0x04)           \
    X(ALREADY_OWNED,            0x05)           \
    X(INVALID_CERTIFICATE,      0x06)           \
    X(POLICY_FAILURE,           0x07)           \
    X(INACTIVE,                 0x08)           \
    X(INVALID_ADDRESS,          0x09)           \
    X(BAD_SIGNATURE,            0x0a)           \
    X(BAD_MEASUREMENT,          0x0b)           \
    X(ASID_OWNED,               0x0c)           \
    X(INVALID_ASID,             0x0d)           \
    X(WBINVD_REQUIRED,          0x0e)           \
    X(DFFLUSH_REQUIRED,         0x0f)           \
    X(INVALID_GUEST,            0x10)           \
    X(INVALID_COMMAND,          0x11)           \
    X(ACTIVE,                   0x12)           \
    X(HWERROR_PLATFORM,         0x13)           \
    X(HWERROR_UNSAFE,           0x14)           \
    X(UNSUPPORTED,              0x15)           \
    X(INVALID_PARAM,            0x16)           \
    X(RESOURCE_LIMIT,           0x17)           \
    X(SECURE_DATA_INVALID,      0x18)           \
    X(INVALID_PAGE_SIZE,        0x19)           \
    X(INVALID_PAGE_STATE,       0x1a)           \
    X(INVALID_MDATA_ENTRY,      0x1b)           \
    X(INVALID_PAGE_OWNER,       0x1c)           \
    X(AEAD_OFLOW,               0x1d)           \
    X(EXIT_RING_BUFFER,         0x1f)           \
    X(RMP_INIT_REQUIRED,        0x20)           \
    X(BAD_SVN,                  0x21)           \
    X(BAD_VERSION,              0x22)           \
    X(SHUTDOWN_REQUIRED,        0x23)           \
    X(UPDATE_FAILED,            0x24)           \
    X(RESTORE_REQUIRED,         0x25)           \
    X(RMP_INIT_FAILED,          0x26)           \
    X(INVALID_KEY,              0x27)           \
    X(SHUTDOWN_INCOMPLETE,      0x28)

enum {
#define SEV_FW_STATUS(name, number) SEV_STATUS_##name = number,
    SEV_FW_STATUSES(SEV_FW_STATUS)
#undef SEV_FW_STATUS
    SEV_STATUS_MAX = 0x40,
};

/* PLATFORM_STATUS and SNP_PLATFORM_STATUS: STATE */
#define SEV_PSTATE_UNINIT       0
#define SEV_PSTATE_INIT         1
#define SEV_PSTATE_WORKING      2

/* PLATFORM_STATUS: FLAGS */
#define SEV_STATUS_OWNER        (1 << 0)
#define SEV_STATUS_CONFIG_ES    (1 << 8)

/* GUEST_STATUS: STATE */
#define SEV_GSTATE_UNINIT       0
#define SEV_GSTATE_LUPDATE      1
#define SEV_GSTATE_LSECRET      2
#define SEV_GSTATE_RUNNING      3
#define SEV_GSTATE_SUPDATE      4
#define SEV_GSTATE_RUPDATE      5
#define SEV_GSTATE_SENT         6

/* SEV guest policy */
#define SEV_POLICY_NODBG        (1u << 0)
#define SEV_POLICY_NOKS         (1u << 1)
#define SEV_POLICY_ES           (1u << 2)
#define SEV_POLICY_NOSEND       (1u << 3)
#define SEV_POLICY_DOMAIN       (1u << 4)
#define SEV_POLICY_SEV          (1u << 5)
#define SEV_POLICY_RESERVED     0x0000ffc0u
#define SEV_POLICY_API_MAJOR(p) (((p) >> 16) & 0xff)
#define SEV_POLICY_API_MINOR(p) (((p) >> 24) & 0xff)

/* SNP_GUEST_STATUS: GUEST_STATE */
#define SNP_GSTATE_INIT         0
#define SNP_GSTATE_LAUNCH       1
#define SNP_GSTATE_RUNNING      2

/* SNP guest policy */
#define SNP_POLICY_ABI_MINOR(p) ((p) & 0xff)
#define SNP_POLICY_ABI_MAJOR(p) (((p) >> 8) & 0xff)
#define SNP_POLICY_SMT          (1ull << 16)
#define SNP_POLICY_MBO          (1ull << 17)
#define SNP_POLICY_MIGRATE_MA   (1ull << 18)
#define SNP_POLICY_DEBUG        (1ull << 19)
#define SNP_POLICY_SINGLE_SOCKET (1ull << 20)
#define SNP_POLICY_CXL_ALLOW    (1ull << 21)
#define SNP_POLICY_AES_256_XTS  (1ull << 22)
#define SNP_POLICY_RAPL_DIS     (1ull << 23)
#define SNP_POLICY_CIPHERTEXT_HIDING (1ull << 24)
#define SNP_POLICY_RESERVED     (~0ull << 25)

/* SNP_LAUNCH_UPDATE: PAGE_TYPE */
#define SNP_PAGE_TYPE_NORMAL    1
#define SNP_PAGE_TYPE_VMSA      2
#define SNP_PAGE_TYPE_ZERO      3
#define SNP_PAGE_TYPE_UNMEASURED 4
#define SNP_PAGE_TYPE_SECRETS   5
#define SNP_PAGE_TYPE_CPUID     6

/* SNP_GUEST_REQUEST: MSG_TYPE */
#define SNP_MSG_CPUID_REQ       1
#define SNP_MSG_CPUID_RSP       2
#define SNP_MSG_KEY_REQ         3
#define SNP_MSG_KEY_RSP         4
#define SNP_MSG_REPORT_REQ      5
#define SNP_MSG_REPORT_RSP      6
#define SNP_MSG_EXPORT_REQ      7
#define SNP_MSG_EXPORT_RSP      8
#define SNP_MSG_IMPORT_REQ      9
#define SNP_MSG_IMPORT_RSP      10
#define SNP_MSG_ABSORB_REQ      11
#define SNP_MSG_ABSORB_RSP      12
#define SNP_MSG_VMRK_REQ        13
#define SNP_MSG_VMRK_RSP        14
#define SNP_MSG_TSC_INFO_REQ    17
#define SNP_MSG_TSC_INFO_RSP    18

#define SNP_AEAD_AES_256_GCM    1

/* ECDSA P-384 with SHA-384, as an algorithm and as a curve */
#define SEV_ALGO_ECDSA_P384_SHA384 1
#define SEV_CURVE_P384          2

/* Mailbox of the device: offsets in BAR 2 */
#define PSP_REG_INTEN           0x10690
#define PSP_REG_INTSTS          0x10694
#define PSP_REG_CMDRESP         0x10980
#define PSP_REG_CMDBUFF_LO      0x109e0
#define PSP_REG_CMDBUFF_HI      0x109e4
#define PSP_REG_BOOTLOADER_INFO 0x109ec
#define PSP_REG_FEATURE         0x109fc
#define PSP_BAR_SIZE            0x100000

#define PSP_CMDRESP_IOC         (1u << 0)
#define PSP_CMDRESP_CMD_SHIFT   16
#define PSP_CMDRESP_CMD_MASK    0x7ff
#define PSP_CMDRESP_RESPONSE    (1u << 31)

#define PSP_INT_CMD_COMPLETE    (1u << 1)

#define PSP_FEATURE_SEV         (1u << 0)
#define PSP_FEATURE_SECURITY_REPORTING (1u << 7)
#define PSP_FEATURE_FUSED_PART  (1u << 8)

#endif
