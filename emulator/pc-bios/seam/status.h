/*
 * TDX module: completion status
 *
 * Bits 63:32 say what happened, bits 31:0 where: an operand, a package, an
 * exit reason.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_STATUS_H
#define SEAM_STATUS_H

#include "types.h"

#define STATUS_(hi)                     ((u64)(hi) << 32)
#define STATUS_ERROR                    BIT(63)
#define STATUS_CODE(s)                  ((s) & ~0xffffffffULL)

#define TDX_SUCCESS                             0ULL
#define TDX_NON_RECOVERABLE_VCPU                STATUS_(0x40000001)
#define TDX_NON_RECOVERABLE_TD                  STATUS_(0x60000002)
#define TDX_INTERRUPTED_RESUMABLE               STATUS_(0x80000003)
#define TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE   STATUS_(0x60000005)
#define TDX_INVALID_RESUMPTION                  STATUS_(0xC0000006)
#define TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE  STATUS_(0xE0000007)
#define TDX_CROSS_TD_FAULT                      STATUS_(0x80000008)
#define TDX_CROSS_TD_TRAP                       STATUS_(0x90000009)
#define TDX_OPERAND_INVALID                     STATUS_(0xC0000100)
#define TDX_OPERAND_ADDR_RANGE_ERROR            STATUS_(0xC0000101)
#define TDX_OPERAND_BUSY                        STATUS_(0x80000200)
#define TDX_PREVIOUS_TLB_EPOCH_BUSY             STATUS_(0x80000201)
#define TDX_SYS_BUSY                            STATUS_(0x80000202)
#define TDX_RND_NO_ENTROPY                      STATUS_(0x80000203)
#define TDX_OPERAND_BUSY_HOST_PRIORITY          STATUS_(0x80000204)
#define TDX_PAGE_METADATA_INCORRECT             STATUS_(0xC0000300)
#define TDX_TD_ASSOCIATED_PAGES_EXIST           STATUS_(0xC0000400)
#define TDX_SYS_INIT_NOT_PENDING                STATUS_(0xC0000500)
#define TDX_SYS_LP_INIT_NOT_DONE                STATUS_(0xC0000502)
#define TDX_SYS_LP_INIT_DONE                    STATUS_(0xC0000503)
#define TDX_SYS_NOT_READY                       STATUS_(0xC0000505)
#define TDX_SYS_SHUTDOWN                        STATUS_(0xC0000506)
#define TDX_SYS_KEY_CONFIG_NOT_PENDING          STATUS_(0xC0000507)
#define TDX_SYS_STATE_INCORRECT                 STATUS_(0xC0000508)
#define TDX_SYS_INVALID_HANDOFF                 STATUS_(0xC0000509)
#define TDX_SYS_LP_INIT_NOT_PENDING             STATUS_(0xC000050B)
#define TDX_SYS_CONFIG_NOT_PENDING              STATUS_(0xC000050C)
#define TDX_TD_FATAL                            STATUS_(0xE0000604)
#define TDX_TD_NON_DEBUG                        STATUS_(0xC0000605)
#define TDX_TDCS_NOT_ALLOCATED                  STATUS_(0xC0000606)
#define TDX_LIFECYCLE_STATE_INCORRECT           STATUS_(0xC0000607)
#define TDX_OP_STATE_INCORRECT                  STATUS_(0xC0000608)
#define TDX_NO_VCPUS                            STATUS_(0xC0000609)
#define TDX_TDCX_NUM_INCORRECT                  STATUS_(0xC0000610)
#define TDX_X2APIC_ID_NOT_UNIQUE                STATUS_(0xC0000621)
#define TDX_VCPU_STATE_INCORRECT                STATUS_(0xC0000700)
#define TDX_VCPU_ASSOCIATED                     STATUS_(0x80000701)
#define TDX_VCPU_NOT_ASSOCIATED                 STATUS_(0x80000702)
#define TDX_NO_VALID_VE_INFO                    STATUS_(0xC0000704)
#define TDX_MAX_VCPUS_EXCEEDED                  STATUS_(0xC0000705)
#define TDX_TD_VMCS_FIELD_NOT_INITIALIZED       STATUS_(0xC0000730)
#define TDX_KEY_GENERATION_FAILED               STATUS_(0x80000800)
#define TDX_TD_KEYS_NOT_CONFIGURED              STATUS_(0x80000810)
#define TDX_KEY_STATE_INCORRECT                 STATUS_(0xC0000811)
#define TDX_KEY_CONFIGURED                      STATUS_(0x00000815)
#define TDX_WBCACHE_NOT_COMPLETE                STATUS_(0x80000817)
#define TDX_HKID_NOT_FREE                       STATUS_(0xC0000820)
#define TDX_NO_HKID_READY_TO_WBCACHE            STATUS_(0x00000821)
#define TDX_WBCACHE_RESUME_ERROR                STATUS_(0xC0000823)
#define TDX_FLUSHVP_NOT_DONE                    STATUS_(0x80000824)
#define TDX_NUM_ACTIVATED_HKIDS_NOT_SUPPORTED   STATUS_(0xC0000825)
#define TDX_INCORRECT_CPUID_VALUE               STATUS_(0xC0000900)
#define TDX_INCONSISTENT_CPUID_FIELD            STATUS_(0xC0000902)
#define TDX_INVALID_PKG_ID                      STATUS_(0xC0000906)
#define TDX_INCONSISTENT_MSR                    STATUS_(0xC0000920)
#define TDX_INCORRECT_MSR_VALUE                 STATUS_(0xC0000921)
#define TDX_SEAMREPORT_NOT_AVAILABLE            STATUS_(0xC0000930)
#define TDX_INVALID_TDMR                        STATUS_(0xC0000A00)
#define TDX_NON_ORDERED_TDMR                    STATUS_(0xC0000A01)
#define TDX_TDMR_OUTSIDE_CMRS                   STATUS_(0xC0000A02)
#define TDX_TDMR_ALREADY_INITIALIZED            STATUS_(0x00000A03)
#define TDX_INVALID_PAMT                        STATUS_(0xC0000A10)
#define TDX_PAMT_OUTSIDE_CMRS                   STATUS_(0xC0000A11)
#define TDX_PAMT_OVERLAP                        STATUS_(0xC0000A12)
#define TDX_INVALID_RESERVED_IN_TDMR            STATUS_(0xC0000A20)
#define TDX_NON_ORDERED_RESERVED_IN_TDMR        STATUS_(0xC0000A21)
#define TDX_CMR_LIST_INVALID                    STATUS_(0xC0000A22)
#define TDX_EPT_WALK_FAILED                     STATUS_(0xC0000B00)
#define TDX_EPT_ENTRY_NOT_PRESENT               STATUS_(0xC0000B03)
#define TDX_GPA_RANGE_NOT_BLOCKED               STATUS_(0xC0000B06)
#define TDX_GPA_RANGE_ALREADY_BLOCKED           STATUS_(0x00000B07)
#define TDX_TLB_TRACKING_NOT_DONE               STATUS_(0xC0000B08)
#define TDX_EPT_INVALID_PROMOTE_CONDITIONS      STATUS_(0xC0000B09)
#define TDX_PAGE_ALREADY_ACCEPTED               STATUS_(0x00000B0A)
#define TDX_PAGE_SIZE_MISMATCH                  STATUS_(0xC0000B0B)
#define TDX_EPT_ENTRY_STATE_INCORRECT           STATUS_(0xC0000B0D)
#define TDX_EPT_PAGE_NOT_FREE                   STATUS_(0xC0000B0E)
#define TDX_PAGE_ATTR_INVALID                   STATUS_(0xC0000B11)
#define TDX_METADATA_FIELD_ID_INCORRECT         STATUS_(0xC0000C00)
#define TDX_METADATA_FIELD_NOT_WRITABLE         STATUS_(0xC0000C01)
#define TDX_METADATA_FIELD_NOT_READABLE         STATUS_(0xC0000C02)
#define TDX_METADATA_FIELD_VALUE_NOT_VALID      STATUS_(0xC0000C03)
#define TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT  STATUS_(0x00000C0B)
#define TDX_INVALID_CPUSVN                      STATUS_(0xC0001000)
#define TDX_INVALID_REPORTMACSTRUCT             STATUS_(0xC0001001)

/* Operands */
enum operand_id {
    OPND_RAX = 0,
    OPND_RCX = 1,
    OPND_RDX = 2,
    OPND_R8 = 8,
    OPND_R9 = 9,
    OPND_ATTRIBUTES = 64,
    OPND_XFAM = 65,
    OPND_EXEC_CONTROLS = 66,
    OPND_EPTP_CONTROLS = 67,
    OPND_MAX_VCPUS = 68,
    OPND_CPUID_CONFIG = 69,
    OPND_TSC_FREQUENCY = 70,
    OPND_NUM_L2_VMS = 71,
    OPND_ARCH_CAPABILITIES = 72,
    OPND_TDMR_INFO_PA = 96,
    OPND_TDR = 128,
    OPND_TDVPR = 130,
    OPND_TDCS = 144,
    OPND_SEPT_TREE = 146,
    OPND_SEPT_ENTRY = 147,
    OPND_RTMR = 168,
    OPND_TD_EPOCH = 169,
    OPND_OP_STATE = 172,
    OPND_SYS = 184,
    OPND_KOT = 186,
    OPND_WBCACHE = 188,
};

static inline u64 status(u64 code, u32 detail)
{
    return code | detail;
}

/* For the codes that have up to three numbers of 8 bits */
static inline u64 status3(u64 code, u8 a, u8 b, u8 c)
{
    return code | a | (u64)b << 8 | (u64)c << 16;
}

static inline bool is_error(u64 s)
{
    return s & STATUS_ERROR;
}

#endif
