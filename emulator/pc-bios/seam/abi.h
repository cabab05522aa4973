/*
 * TDX module: numbers and structures of the ABI
 *
 * The names are those of Intel's TDX module ABI specification, version 1.5.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_ABI_H
#define SEAM_ABI_H

#include "types.h"
#include "status.h"

/* What the module says that it is */
#define MODULE_VENDOR           0x8086
#define MODULE_MAJOR            1
#define MODULE_MINOR            5
#ifndef MODULE_UPDATE
#define MODULE_UPDATE           6
#endif
#define MODULE_BUILD_NUM        1
#define MODULE_BUILD_DATE       20261128
/* Versions of handoff data: what it writes, and the oldest that it takes */
#define MODULE_HANDOFF          0
#define MODULE_HANDOFF_MIN      0
#define MODULE_NO_DOWNGRADE     1
#define HANDOFF_PAGES           8

#define TDX_FEATURES0_TD_PRESERVING     BIT(1)
#define TDX_FEATURES0_NO_RBP_MOD        BIT(18)
#define TDX_FEATURES0_TOPOLOGY_ENUM     BIT(20)
#define TDX_FEATURES0                                                       \
    (TDX_FEATURES0_TD_PRESERVING |                                         \
     BIT(3) /* TDG.VP.RD/WR */ | BIT(4) /* concurrent memory management */ | \
     BIT(9) /* TD entry enhancements */ | BIT(10) /* host priority */ |      \
     BIT(16) /* EPT violations of pending pages */ |                        \
     TDX_FEATURES0_NO_RBP_MOD | TDX_FEATURES0_TOPOLOGY_ENUM)

/* SEAMCALL and TDCALL: RAX */
#define LEAF_NUMBER(rax)        ((rax) & 0xffff)
#define LEAF_VERSION(rax)       (((rax) >> 16) & 0xff)
#define LEAF_RESERVED(rax)      ((rax) >> 24)

enum tdh_leaf {
    TDH_VP_ENTER = 0,
    TDH_MNG_ADDCX = 1,
    TDH_MEM_PAGE_ADD = 2,
    TDH_MEM_SEPT_ADD = 3,
    TDH_VP_ADDCX = 4,
    TDH_MEM_PAGE_RELOCATE = 5,
    TDH_MEM_PAGE_AUG = 6,
    TDH_MEM_RANGE_BLOCK = 7,
    TDH_MNG_KEY_CONFIG = 8,
    TDH_MNG_CREATE = 9,
    TDH_VP_CREATE = 10,
    TDH_MNG_RD = 11,
    TDH_MEM_RD = 12,
    TDH_MNG_WR = 13,
    TDH_MEM_WR = 14,
    TDH_MEM_PAGE_DEMOTE = 15,
    TDH_MR_EXTEND = 16,
    TDH_MR_FINALIZE = 17,
    TDH_VP_FLUSH = 18,
    TDH_MNG_VPFLUSHDONE = 19,
    TDH_MNG_KEY_FREEID = 20,
    TDH_MNG_INIT = 21,
    TDH_VP_INIT = 22,
    TDH_MEM_PAGE_PROMOTE = 23,
    TDH_PHYMEM_PAGE_RDMD = 24,
    TDH_MEM_SEPT_RD = 25,
    TDH_VP_RD = 26,
    TDH_MNG_KEY_RECLAIMID = 27,
    TDH_PHYMEM_PAGE_RECLAIM = 28,
    TDH_MEM_PAGE_REMOVE = 29,
    TDH_MEM_SEPT_REMOVE = 30,
    TDH_SYS_KEY_CONFIG = 31,
    TDH_SYS_INFO = 32,
    TDH_SYS_INIT = 33,
    TDH_SYS_RD = 34,
    TDH_SYS_LP_INIT = 35,
    TDH_SYS_TDMR_INIT = 36,
    TDH_SYS_RDALL = 37,
    TDH_MEM_TRACK = 38,
    TDH_MEM_RANGE_UNBLOCK = 39,
    TDH_PHYMEM_CACHE_WB = 40,
    TDH_PHYMEM_PAGE_WBINVD = 41,
    TDH_VP_WR = 43,
    TDH_SYS_CONFIG = 45,
    TDH_SYS_SHUTDOWN = 52,
    TDH_SYS_UPDATE = 53,
    TDH_SYS_DISABLE = 69,
};

enum tdg_leaf {
    TDG_VP_VMCALL = 0,
    TDG_VP_INFO = 1,
    TDG_MR_RTMR_EXTEND = 2,
    TDG_VP_VEINFO_GET = 3,
    TDG_MR_REPORT = 4,
    TDG_VP_CPUIDVE_SET = 5,
    TDG_MEM_PAGE_ACCEPT = 6,
    TDG_VM_RD = 7,
    TDG_VM_WR = 8,
    TDG_VP_RD = 9,
    TDG_VP_WR = 10,
    TDG_SYS_RD = 11,
    TDG_MR_VERIFYREPORT = 22,
    TDG_MEM_PAGE_ATTR_RD = 23,
    TDG_MEM_PAGE_ATTR_WR = 24,
};

/* PAMT page types, as TDH.PHYMEM.PAGE.RDMD reports them */
enum page_type {
    PT_NDA = 0,
    PT_RSVD = 1,
    PT_REG = 3,
    PT_TDR = 4,
    PT_TDCX = 5,
    PT_TDVPR = 6,
    PT_EPT = 8,
};

/* ATTRIBUTES and XFAM that a TD may have */
#define ATTR_DEBUG              BIT(0)
#define ATTR_SEPT_VE_DISABLE    BIT(28)
#define ATTRIBUTES_FIXED0       (ATTR_DEBUG | ATTR_SEPT_VE_DISABLE)
#define ATTRIBUTES_FIXED1       0ULL
#define XFAM_FIXED0             0x0006dbe7ULL
#define XFAM_FIXED1             0x00000003ULL
/* Those that are in XCR0; the others are in IA32_XSS */
#define XCR0_COMPONENTS         0x000602e7ULL

#define CONFIG_GPAW             BIT(0)
#define CONFIG_FLEX_PENDING_VE  BIT(1)
#define CONFIG_NO_RBP_MOD       BIT(2)
#define CONFIG_FLAGS_FIXED0     (CONFIG_GPAW | CONFIG_FLEX_PENDING_VE | \
                                 CONFIG_NO_RBP_MOD)
#define CONFIG_FLAGS_FIXED1     0ULL

#define TD_CTLS_PENDING_VE_DISABLE  BIT(0)
#define TD_CTLS_ENUM_TOPOLOGY       BIT(1)

#define MAX_VCPUS_PER_TD        576
#define TDCS_PAGES              6
#define TDVPS_PAGES             6
#define NUM_RTMR                4
#define NUM_CPUID_CONFIG        16

#define MAX_TDMRS               64
#define MAX_RESERVED_PER_TDMR   16
#define PAMT_ENTRY_SIZE         16
#define MAX_CMRS                32

struct tdmr_info {
    u64 base, size;
    struct {
        u64 base, size;
    } pamt[3];                  /* of 1 GiB, 2 MiB, 4 KiB pages */
    struct {
        u64 offset, size;
    } reserved[MAX_RESERVED_PER_TDMR];
};
_Static_assert(sizeof(struct tdmr_info) == 320, "TDMR_INFO");
#define TDMR_INFO_ALIGN         512

struct td_params {
    u64 attributes;
    u64 xfam;
    u16 max_vcpus;
    u8 num_l2_vms;
    u8 msr_config_ctls;
    u8 reserved0[4];
    u64 eptp_controls;
    u64 config_flags;
    u16 tsc_frequency;
    u8 reserved1[38];
    u8 mrconfigid[48];
    u8 mrowner[48];
    u8 mrownerconfig[48];
    u64 arch_capabilities_config;
    u8 reserved2[24];
    u32 cpuid[NUM_CPUID_CONFIG][4];
    u8 reserved3[768 - 16 * NUM_CPUID_CONFIG];
};
_Static_assert(sizeof(struct td_params) == 1024, "TD_PARAMS");
_Static_assert(offsetof(struct td_params, mrconfigid) == 80, "TD_PARAMS");
_Static_assert(offsetof(struct td_params, cpuid) == 256, "TD_PARAMS");
#define TSC_FREQUENCY_UNIT      25000000ULL
#define TSC_FREQUENCY_MIN       4
#define TSC_FREQUENCY_MAX       400

struct reportmac {
    u8 type, subtype, version, reserved0;
    u8 reserved1[12];
    u8 cpusvn[16];
    u8 tee_tcb_info_hash[48];
    u8 tee_info_hash[48];
    u8 report_data[64];
    u8 reserved2[32];
    u8 mac[32];
};
_Static_assert(sizeof(struct reportmac) == 256, "REPORTMACSTRUCT");

struct tdinfo {
    u64 attributes;
    u64 xfam;
    u8 mrtd[48];
    u8 mrconfigid[48];
    u8 mrowner[48];
    u8 mrownerconfig[48];
    u8 rtmr[NUM_RTMR][48];
    u8 servtd_hash[48];
    u8 reserved[64];
};
_Static_assert(sizeof(struct tdinfo) == 512, "TDINFO_STRUCT");

struct tdreport {
    struct reportmac mac;
    u8 tee_tcb_info[239];
    u8 reserved[17];
    struct tdinfo tdinfo;
};
_Static_assert(sizeof(struct tdreport) == 1024, "TDREPORT_STRUCT");
#define REPORT_TYPE_TDX         0x81

/* SEAMOPS: a module's entry in the processor's data base of modules (SEAMDB) */
struct seamdb_ref {
    u64 index, nonce[4];
};

/* MSRs that the module reads for itself */
#define MSR_TSC                 0x10
#define MSR_TSC_ADJUST          0x3b
#define MSR_KEYID_PARTITIONING  0x87
#define MSR_WBINVDP             0x98
#define MSR_WBNOINVDP           0x99
#define MSR_INTR_PENDING        0x9a
#define MSR_ARCH_CAPABILITIES   0x10a
#define MSR_VMX_BASIC           0x480
#define MSR_VMX_CR4_FIXED1      0x489
#define MSR_VMX_EPT_VPID_CAP    0x48c
#define MSR_VMX_PROCBASED_CTLS3 0x492
#define MSR_TME_CAPABILITY      0x981
#define MSR_TME_ACTIVATE        0x982
#define MSR_XSS                 0xda0
#define MSR_EFER                0xc0000080

#endif
