/*
 * AMD SEV-SNP: the RMP and VMPL check of a memory access
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TCG_SNP_CHECK_H
#define TCG_SNP_CHECK_H

#include "hw/i386/amd-snp.h"

/* The kind of the access, and its mapping. */
typedef struct SnpAccess {
    hwaddr spa;
    hwaddr gpa;                 /* of an access by a guest */
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
 * PAGE_READ, PAGE_WRITE, PAGE_EXEC: the verdict covers these. *@allowed is set
 * to everything that is allowed through the same mapping; it is a superset of
 * @want if the verdict is SNP_ALLOW. @any says whether any page of the
 * surrounding 2 MiB is assigned; it is used only for large mappings of the
 * host.
 *
 * A pure function of its arguments and of the enabled rules.
 */
SnpVerdict snp_check_access(AmdSnpState *s, const AmdRmpEntry *e,
                            const SnpAccess *a, bool any, int want,
                            int *allowed);

#endif
