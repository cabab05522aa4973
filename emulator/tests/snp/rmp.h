/*
 * SEV-SNP tests: MSRs, error codes, the RMP
 *
 * Numbers and names are those of the AMD64 Architecture Programmer's Manual.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_SNP_RMP_H
#define TESTS_SNP_RMP_H

#include "lib.h"

#define MSR_SYSCFG          0xc0010010
#define MSR_HWCR            0xc0010015
#define MSR_IORR_BASE0      0xc0010016
#define MSR_TOP_MEM         0xc001001a
#define MSR_TOP_MEM2        0xc001001d
#define MSR_VM_HSAVE_PA     0xc0010117
#define MSR_VM_PAGE_FLUSH   0xc001011e
#define MSR_GHCB            0xc0010130
#define MSR_SEV_STATUS      0xc0010131
#define MSR_RMP_BASE        0xc0010132
#define MSR_RMP_END         0xc0010133

#define SYSCFG_MFDE         BIT(18)
#define SYSCFG_MFDM         BIT(19)
#define SYSCFG_SMEE         BIT(23)
#define SYSCFG_SNPEN        BIT(24)
#define SYSCFG_VMPLEN       BIT(25)

/* #PF and #NPF error codes */
#define PF_RMP              BIT(31)
#define NPF_GPA             BIT(32)
#define NPF_GPT             BIT(33)
#define NPF_ENC             BIT(34)
#define NPF_SIZEM           BIT(35)
#define NPF_VMPL            BIT(36)

/* rmp.c */
#define RMP_ASSIGNED        BIT(0)
#define RMP_2M              BIT(1)
#define RMP_IMMUTABLE       BIT(2)
#define RMP_ASID(n)         ((u64)(n) << 51)
#define RMP_VMSA            BIT(61)
#define RMP_VALIDATED       BIT(62)
#define RMP_GPA             0x7fffffffff000ULL

#define SUCCESS             0
#define FAIL_INPUT          1
#define FAIL_PERMISSION     2
#define FAIL_INUSE          3
#define FAIL_OVERLAP        4
#define FAIL_SIZEMISMATCH   6

struct rmp_state {
    u64 gpa;
    u8 assigned;
    u8 page_size;
    u8 immutable;
    u8 reserved;
    u32 asid;
};

void snp_enable(void);          /* SNPEn and VMPLEn, on this processor */
void svm_enable(void);
u64 rmp_covered_end(void);      /* the first address without an entry */

/* The first quadword of an entry, as all families without RMPREAD have it. */
mem64 *rmp_entry(u64 spa);

/* Return EAX, or -1 with *vec set. */
int rmpupdate(u64 spa, const struct rmp_state *state);
int psmash(u64 spa);
int rmpread(u64 spa, struct rmp_state *state);

int rmp_assign(u64 spa, u64 gpa, u32 asid, bool large);
int rmp_firmware(u64 spa);
int rmp_share(u64 spa, bool large);
/*
 * Assign a page, then set more bits directly, as a guest or the firmware would.
 */
void rmp_make(u64 spa, u64 gpa, u32 asid, u64 bits);
/* Make the pages hypervisor-owned, whatever their state. */
void rmp_clear(u64 spa, unsigned pages);

#endif
