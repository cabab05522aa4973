/*
 * AMD SEV-SNP: the RMP and VMPL check of a memory access
 *
 * The order of the checks is that of the APM, volume 2, "RMP and VMPL Access
 * Checks": the first check that fails determines the fault.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "exec/page-protection.h"
#include "snp-check.h"

#define LARGE_PAGE_SIZE (2 * 1024 * 1024ULL)

static bool holds(AmdSnpState *s, AmdSnpRule rule)
{
    return amd_snp_rule(s, rule);
}

/*
 * An access of the hypervisor, of a guest that is not SNP-active, or of an SNP
 * guest without the C-bit: only writes are checked, and the page must be
 * hypervisor-owned.
 */
static SnpVerdict check_shared(AmdSnpState *s, const AmdRmpEntry *e,
                               const SnpAccess *a, bool any, int want,
                               int *allowed)
{
    AmdSnpRule rule = a->snp ? SNP_RULE_GUEST_SHARED_WRITE
                             : SNP_RULE_HOST_WRITE;
    bool writable = !e->assigned || !holds(s, rule);

    if (a->map_size >= LARGE_PAGE_SIZE && any &&
        holds(s, SNP_RULE_HOST_LARGE_PAGE)) {
        writable = false;
    }
    *allowed = PAGE_READ | PAGE_EXEC | (writable ? PAGE_WRITE : 0);
    return want & ~*allowed ? SNP_RMP_FAULT : SNP_ALLOW;
}

static int vmpl_prot(const AmdRmpEntry *e, const SnpAccess *a)
{
    uint8_t perms = e->perms[a->vmpl];
    int prot = 0;

    if (perms & RMP_PERM_READ) {
        prot |= PAGE_READ;
    }
    /* Write permission without read permission is invalid. */
    if ((perms & RMP_PERM_WRITE) && (perms & RMP_PERM_READ)) {
        prot |= PAGE_WRITE;
    }
    if (perms & (a->user ? RMP_PERM_UEXEC : RMP_PERM_SEXEC)) {
        prot |= PAGE_EXEC;
    }
    return prot;
}

/* True if the entry assigns the page to the guest at @a->gpa. */
static bool gpa_matches(const AmdRmpEntry *e, const SnpAccess *a)
{
    uint64_t mask = e->page_size == RMP_PG_SIZE_2M ? LARGE_PAGE_SIZE - 1
                                                   : 4095;

    return (((e->gpa & ~mask) | (a->spa & mask)) ^ a->gpa) < 4096;
}

static bool size_matches(const AmdRmpEntry *e, const SnpAccess *a)
{
    bool large = a->map_size >= LARGE_PAGE_SIZE;

    return large == (e->page_size == RMP_PG_SIZE_2M);
}

static SnpVerdict check_private(AmdSnpState *s, const AmdRmpEntry *e,
                                const SnpAccess *a, int want, int *allowed)
{
    *allowed = PAGE_READ | PAGE_WRITE | PAGE_EXEC;

    if ((!e->assigned || e->asid != a->asid) &&
        holds(s, SNP_RULE_GUEST_ASID)) {
        return SNP_RMP_FAULT;
    }
    if (e->immutable && holds(s, SNP_RULE_GUEST_IMMUTABLE)) {
        return SNP_RMP_FAULT;
    }
    if (!gpa_matches(e, a) && holds(s, SNP_RULE_GUEST_GPA)) {
        return SNP_RMP_FAULT;
    }
    if (!size_matches(e, a) && holds(s, SNP_RULE_GUEST_PAGE_SIZE)) {
        return SNP_RMP_FAULT;
    }
    if (!e->validated && holds(s, SNP_RULE_GUEST_VALIDATED)) {
        return SNP_NOT_VALIDATED;
    }
    if (holds(s, SNP_RULE_GUEST_VMPL)) {
        *allowed = vmpl_prot(e, a);
        if (want & ~*allowed) {
            return SNP_VMPL_FAULT;
        }
    }
    return SNP_ALLOW;
}

SnpVerdict snp_check_access(AmdSnpState *s, const AmdRmpEntry *e,
                            const SnpAccess *a, bool any, int want,
                            int *allowed)
{
    if (a->snp && a->private) {
        return check_private(s, e, a, want, allowed);
    }
    return check_shared(s, e, a, any, want, allowed);
}
