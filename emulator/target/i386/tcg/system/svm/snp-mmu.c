/*
 * AMD SEV and SEV-SNP: the single point that all address translations pass
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/units.h"
#include "cpu.h"
#include "exec/page-protection.h"
#include "snp-mmu.h"

uint64_t snp_host_cbit(CPUX86State *env)
{
    return env->snp.syscfg & SYSCFG_SMEE ? 1ULL << SNP_CBIT_POS : 0;
}

/* Record a write of an encrypted guest; map other accesses read-only. */
static void note_store(CPUX86State *env, const SnpMmuAccess *a, int *allowed)
{
    AmdSnpState *s = env_archcpu(env)->snp;

    if (likely(!amd_mem_lines_on(s)) || !env->snp.sev || !a->private) {
        return;
    }
    if (a->want & PAGE_WRITE) {
        amd_mem_lines_store(s, a->spa, env->snp.asid, env_cpu(env)->cpu_index);
    } else {
        *allowed &= ~PAGE_WRITE;
    }
}

/*
 * True if the written page is in use by VMRUN on another processor, or for the
 * guest that writes to it. A page that an SNP guest owns is not checked.
 */
static bool in_use(CPUX86State *env, hwaddr spa, bool large, bool private)
{
    X86CPU *cpu = env_archcpu(env);

    if (large && amd_snp_large_busy(cpu->snp, spa)) {
        return true;
    }
    return !(env->snp.snp && private) && !cpu->x_snp_inuse_write &&
           amd_snp_rule(cpu->snp, SNP_RULE_INUSE_WRITE) &&
           !amd_snp_inuse_write_ok(cpu->snp, spa, env_cpu(env)->cpu_index,
                                   env->hflags & HF_GUEST_MASK);
}

static SnpVerdict snp_mmu_check(CPUX86State *env, const SnpMmuAccess *a,
                                int *allowed)
{
    AmdSnpState *s = env_archcpu(env)->snp;
    const CPUX86SnpState *snp = &env->snp;
    bool private = snp->sev && a->private;
    bool large = !(snp->snp && private) && a->map_size >= 2 * MiB;
    SnpAccess access;
    SnpVerdict verdict;
    AmdRmpEntry e;

    *allowed = PAGE_READ | PAGE_WRITE | PAGE_EXEC;
    amd_mem_tlb_use(s, a->spa, private ? snp->key : AMD_MEM_KEY_NONE, large);

    if (!(snp->syscfg & SYSCFG_SNPEN)) {
        return SNP_ALLOW;
    }
    if (!amd_rmp_get(s, a->spa, &e)) {
        /* Not covered: only the hypervisor can own it, e.g. MMIO. */
        return snp->snp && private &&
               amd_snp_rule(s, SNP_RULE_GUEST_COVERED) ? SNP_RMP_FAULT
                                                       : SNP_ALLOW;
    }
    access = (SnpAccess) {
        .spa = a->spa,
        .gpa = a->gpa,
        .map_size = a->map_size,
        .asid = snp->asid,
        .vmpl = snp->vmpl,
        .snp = snp->snp,
        .private = private,
        .user = a->user,
    };
    verdict = snp_check_access(s, &e, &access,
                               large && amd_rmp_any_assigned(s, a->spa),
                               a->want, allowed);
    if (verdict == SNP_ALLOW && (*allowed & PAGE_WRITE) &&
        in_use(env, a->spa, large, private)) {
        *allowed &= ~PAGE_WRITE;
        return a->want & PAGE_WRITE ? SNP_RMP_FAULT : SNP_ALLOW;
    }
    return verdict;
}

bool snp_mmu_touch(CPUX86State *env, const SnpMmuAccess *a)
{
    AmdSnpState *s = env_archcpu(env)->snp;

    if (likely(!amd_mem_lines_on(s))) {
        return false;
    }
    return amd_mem_lines_touch(s, a->spa, a->size,
                               a->private ? env->snp.asid : 0);
}

SnpVerdict snp_mmu_use(CPUX86State *env, const SnpMmuAccess *a, int *allowed)
{
    SnpVerdict verdict = snp_mmu_check(env, a, allowed);

    if (verdict == SNP_ALLOW) {
        note_store(env, a, allowed);
    }
    return verdict;
}

uint64_t snp_fault_bits(SnpVerdict verdict)
{
    switch (verdict) {
    case SNP_RMP_FAULT:
        return PG_ERROR_RMP_MASK;
    case SNP_VMPL_FAULT:
        return PG_ERROR_RMP_MASK | SVM_NPTEXIT_VMPL;
    default:
        return 0;
    }
}
