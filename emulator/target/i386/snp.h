/*
 * AMD SEV, SEV-ES and SEV-SNP: the CPU's side (TCG)
 *
 * Names of bits and fields as in the AMD64 Architecture Programmer's Manual,
 * volumes 2 and 3.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_I386_SNP_H
#define TARGET_I386_SNP_H

#include "exec/hwaddr.h"

/* CPUID Fn8000_001F */
#define SNP_CPUID_EAX_SME               (1U << 0)
#define SNP_CPUID_EAX_SEV               (1U << 1)
#define SNP_CPUID_EAX_PAGE_FLUSH_MSR    (1U << 2)
#define SNP_CPUID_EAX_SEV_ES            (1U << 3)
#define SNP_CPUID_EAX_SEV_SNP           (1U << 4)
#define SNP_CPUID_EAX_VMPL              (1U << 5)
#define SNP_CPUID_EAX_RMPQUERY          (1U << 6)
#define SNP_CPUID_EAX_V_TSC_AUX         (1U << 9)
#define SNP_CPUID_EAX_HW_ENF_CACHE_COH  (1U << 10)
#define SNP_CPUID_EAX_64BIT_HOST        (1U << 11)
#define SNP_CPUID_EAX_DEBUG_SWAP        (1U << 14)
#define SNP_CPUID_EAX_RMPREAD           (1U << 21)
#define SNP_CPUID_EAX_ALLOWED_FEATURES  (1U << 27)
#define SNP_CPUID_EAX_HV_INUSE_WR       (1U << 30)
#define SNP_CBIT_POS                    51
#define SNP_NUM_VMPLS                   4

/* MSRs */
#define MSR_SYSCFG                      0xc0010010
#define SYSCFG_MFDM                     (1ULL << 19)    /* MtrrFixDramModEn */
#define SYSCFG_SMEE                     (1ULL << 23)    /* MemEncryptionModEn */
#define SYSCFG_SNPEN                    (1ULL << 24)
#define SYSCFG_VMPLEN                   (1ULL << 25)
#define SYSCFG_WRITABLE                 0x3fc0000ULL
#define HWCR_SMMLOCK                    (1ULL << 0)     /* of MSR_K7_HWCR */
#define MSR_IORR_BASE0                  0xc0010016
#define MSR_IORR_MASK1                  0xc0010019
#define MSR_TOP_MEM                     0xc001001a
#define MSR_TOP_MEM2                    0xc001001d
#define MSR_SMM_KEY                     0xc0010119
#define MSR_VM_PAGE_FLUSH               0xc001011e
#define MSR_GHCB                        0xc0010130
#define MSR_SEV_STATUS                  0xc0010131
#define MSR_RMP_BASE                    0xc0010132
#define MSR_RMP_END                     0xc0010133
#define RMP_ADDR_MASK                   0x000fffffffffe000ULL
#define MSR_GUEST_TSC_FREQ              0xc0010134
#define MSR_SNP_LAST                    0xc001013f
#define MSR_SVSM_CAA                    0xc001f000
#define MTRR_FIX_RDMEM_WRMEM            0x1818181818181818ULL

/* VMCB */
#define SVM_NESTED_CTL_SEV              (1ULL << 1)
#define SVM_NESTED_CTL_SEV_ES           (1ULL << 2)
#define VMCB_INT_CTL                    0x060
#define VMCB_GHCB_GPA                   0x0a0
#define VMCB_LBR_CTL                    0x0b8
#define VMCB_LBR_ENABLE                 (1ULL << 0)
#define VMCB_NEXT_RIP                   0x0c8
#define VMCB_AVIC_BACKING_PAGE          0x0e0
#define VMCB_AVIC_ADDR_MASK             0x000ffffffffff000ULL
#define VMCB_AVIC_ENABLE                (1U << 31)      /* of INT_CTL */
#define VMCB_INSN_LEN                   0x0d0   /* one byte, the bytes follow */
#define VMCB_INSN_MAX                   15
#define VMCB_VMSA_PTR                   0x108
#define VMCB_ALLOWED_SEV_FEATURES       0x138
#define ALLOWED_SEV_FEATURES_EN         (1ULL << 63)

/* SEV_FEATURES of the VMSA */
#define SEV_FEATURES_SNP_ACTIVE         (1ULL << 0)
#define SEV_FEATURES_VTOM               (1ULL << 1)
#define SEV_FEATURES_REFLECT_VC         (1ULL << 2)
#define SEV_FEATURES_DEBUG_SWAP         (1ULL << 5)
#define SEV_FEATURES_SUPPORTED          (SEV_FEATURES_SNP_ACTIVE | \
                                         SEV_FEATURES_DEBUG_SWAP)

/* Exit codes and #VC */
#define EXCP1D_VC                       29
#define SVM_EXIT_EFER_WRITE_TRAP        0x08f
#define SVM_EXIT_CR0_WRITE_TRAP         0x090
#define SVM_EXIT_MC                     0x052
#define SVM_EXIT_BUSLOCK                0x0a5
#define SVM_EXIT_VMGEXIT                0x403
#define SVM_EXIT_PAGE_NOT_VALIDATED     0x404
#define SVM_EXIT_BUSY                   (-2LL)

/* #PF and #NPF error code */
#define PG_ERROR_RMP_MASK               (1ULL << 31)
#define SVM_NPTEXIT_ENC                 (1ULL << 34)
#define SVM_NPTEXIT_SIZEM               (1ULL << 35)
#define SVM_NPTEXIT_VMPL                (1ULL << 36)

/* What RMPUPDATE, PSMASH, PVALIDATE, RMPADJUST return in EAX */
#define SNP_SUCCESS                     0
#define SNP_FAIL_INPUT                  1
#define SNP_FAIL_PERMISSION             2
#define SNP_FAIL_INUSE                  3
#define SNP_FAIL_OVERLAP                4
#define SNP_FAIL_SIZEMISMATCH           6

struct AmdSnpState;

/* ASIDs of the CPU, including those for guests without encryption */
#define X86_SNP_NASIDS                  0x8000

/* State of one CPU. Zero without x-snp, but for syscfg. */
typedef struct CPUX86SnpState {
    /* MSRs */
    uint64_t hwcr;
    uint64_t syscfg;
    uint64_t rmp_base;
    uint64_t rmp_end;

    /* The running guest, from VMRUN to #VMEXIT */
    uint64_t cbit;              /* in the page tables in use: 0 or the C-bit */
    uint64_t ghcb;
    uint64_t sev_features;
    uint64_t vmsa_pa;           /* 0 unless SEV-ES */
    uint64_t vmcb_pa;           /* if vmcb_busy */
    uint32_t asid;
    uint32_t key;               /* of accesses with the C-bit */
    uint64_t host_pat;
    uint8_t vmpl;
    bool sev;
    bool es;
    bool snp;
    bool vmcb_busy;             /* marked as in use, with SNP */
    bool hsave_busy;            /* same for the host save area */
    bool avic_busy;             /* and for the AVIC backing page */
    uint64_t avic_pa;

    uint64_t next_rip;          /* after the instruction, while in a guest */
    uint64_t mov_info;          /* EXITINFO1 if MOV to CR0 is intercepted */
    bool efer_written;          /* for the trap after WRMSR */
} CPUX86SnpState;

#endif
