/*
 * AMD SEV-SNP: the RMP and VMPL check of a memory access
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TCG_SNP_CHECK_H
#define TCG_SNP_CHECK_H

#include "hw/i386/amd-snp.h"

/* Who accesses, through which mapping. */
typedef struct SnpAccess {
    hwaddr spa;
    hwaddr gpa;                 /* of a guest's access */
    uint64_t map_size;          /* of the host's page, or the nested page */
    uint32_t asid;
    uint8_t vmpl;
    bool snp;                   /* by a guest that is SNP-active */
    bool private;               /* its C-bit is set */
    bool user;
} SnpAccess;

typedef enum SnpVerdict {
    SNP_ALLOW,
    SNP_RMP_FAULT,              /* #NPF or the host's #PF with the RMP bit */
    SNP_VMPL_FAULT,             /* #NPF with RMP and VMPL */
    SNP_NOT_VALIDATED,          /* #VC, PAGE_NOT_VALIDATED */
} SnpVerdict;

/*
 * Check an access against the entry that governs the page. Bits of @want are
 * PAGE_READ, PAGE_WRITE, PAGE_EXEC: the verdict is on these. What else is
 * allowed through the same mapping is in *@allowed, a superset of @want if the
 * verdict is SNP_ALLOW. @any says whether any page of the surrounding 2 MiB is
 * assigned; it is only looked at for large mappings of the host.
 *
 * A pure function of its arguments and of the rules that hold.
 */
SnpVerdict snp_check_access(AmdSnpState *s, const AmdRmpEntry *e,
                            const SnpAccess *a, bool any, int want,
                            int *allowed);

#endif
