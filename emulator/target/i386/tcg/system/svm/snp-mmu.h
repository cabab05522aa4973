/*
 * AMD SEV and SEV-SNP: the single point that all address translations pass
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TCG_SNP_MMU_H
#define TCG_SNP_MMU_H

#include "cpu.h"
#include "snp-check.h"

/* One access, after the walk of all tables. */
typedef struct SnpMmuAccess {
    hwaddr spa;
    hwaddr gpa;                 /* in a guest with nested paging */
    uint64_t map_size;          /* of the innermost (host or nested) mapping */
    bool private;               /* C-bit set, or implied */
    bool user;
    int want;                   /* PAGE_* */
    unsigned int size;          /* in bytes, where that is known */
} SnpMmuAccess;

/* The C-bit in the tables of the host (and nested) or of the guest, or 0. */
uint64_t snp_host_cbit(CPUX86State *env);

/*
 * Switch the page to the key of the access and check the access against the
 * RMP. Must be called whenever a translation is about to be used or cached:
 * permissions that are not in *@allowed must not be cached.
 */
SnpVerdict snp_mmu_use(CPUX86State *env, const SnpMmuAccess *a, int *allowed);

/*
 * Update the state of cache lines for an allowed access (x-snp-stale-lines).
 * Returns true if its translation must not be cached.
 */
bool snp_mmu_touch(CPUX86State *env, const SnpMmuAccess *a);

/*
 * Translate @addr for a guest's PVALIDATE, RMPADJUST or RMPQUERY: the tables
 * are walked, which may fault, but the page itself is not checked.
 */
hwaddr x86_snp_translate(CPUX86State *env, vaddr addr, hwaddr *gpa,
                         uint64_t *map_size, uintptr_t retaddr);

/* Exit with #NPF for a failed RMP check of @gpa; @bits as SVM_NPTEXIT_SIZEM. */
G_NORETURN void x86_snp_npf(CPUX86State *env, hwaddr gpa, uint64_t bits,
                            uintptr_t retaddr);

/* The bits of #PF or #NPF error codes that a verdict adds. */
uint64_t snp_fault_bits(SnpVerdict verdict);

#endif
