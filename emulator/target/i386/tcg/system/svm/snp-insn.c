/*
 * AMD SEV-SNP instructions: RMPUPDATE, PSMASH, RMPREAD (hypervisor), PVALIDATE,
 * RMPADJUST, RMPQUERY (guest)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/units.h"
#include "cpu.h"
#include "exec/cpu_ldst.h"
#include "exec/cputlb.h"
#include "exec/helper-proto.h"
#include "exec/page-protection.h"
#include "hw/i386/intel-tdx.h"
#include "tcg/helper-tcg.h"
#include "snp-mmu.h"

#define LARGE_SIZE      (2 * MiB)

#define RMPADJUST_VMSA  (1ULL << 16)

static bool rule(AmdSnpState *s, AmdSnpRule r)
{
    return amd_snp_rule(s, r);
}

static void set_result(CPUX86State *env, uint32_t result, bool carry)
{
    env->regs[R_EAX] = result;
    CC_SRC = (result ? 0 : CC_Z) | (carry ? CC_C : 0);
    CC_OP = CC_OP_EFLAGS;
}

/* #UD unless in the hypervisor's 64-bit mode with SNP on, #GP if CPL > 0. */
static AmdSnpState *host_insn(CPUX86State *env, uintptr_t ra)
{
    if (!(env->snp.syscfg & SYSCFG_SNPEN) || !(env->hflags & HF_CS64_MASK) ||
        (env->hflags & HF_GUEST_MASK)) {
        raise_exception_ra(env, EXCP06_ILLOP, ra);
    }
    if (env->hflags & HF_CPL_MASK) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    return env_archcpu(env)->snp;
}

/* #UD outside of an SNP-active guest, #GP if CPL is not 0. */
static AmdSnpState *guest_insn(CPUX86State *env, uintptr_t ra)
{
    if (!env->snp.snp || !(env->cr[0] & CR0_PE_MASK) ||
        (env->eflags & VM_MASK)) {
        raise_exception_ra(env, EXCP06_ILLOP, ra);
    }
    if (env->hflags & HF_CPL_MASK) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    return env_archcpu(env)->snp;
}

/* The operand of RMPUPDATE in memory, 16 bytes. */
static bool load_rmp_state(CPUX86State *env, vaddr at, AmdRmpEntry *e,
                           uintptr_t ra)
{
    uint64_t gpa = cpu_ldq_data_ra(env, at, ra);
    uint64_t flags = cpu_ldl_data_ra(env, at + 8, ra);
    uint32_t asid = cpu_ldl_data_ra(env, at + 12, ra);

    *e = (AmdRmpEntry) {
        .gpa = gpa,
        .asid = asid,
        .assigned = flags & 1,
        .page_size = flags & (1 << 8) ? RMP_PG_SIZE_2M : RMP_PG_SIZE_4K,
        .immutable = flags & (1 << 16),
        .perms = { RMP_PERM_ALL },
    };
    return !(flags & ~0x010101ULL);
}

static bool rmp_state_ok(CPUX86State *env, const AmdRmpEntry *e)
{
    uint64_t size = e->page_size == RMP_PG_SIZE_2M ? LARGE_SIZE : 4096;

    if (!e->assigned) {
        return !e->gpa && !e->asid && !e->immutable;
    }
    if (e->asid > env_archcpu(env)->x_snp_es_asids ||
        (e->gpa & (size - 1)) || e->gpa >> 51) {
        return false;
    }
    return e->asid || !e->gpa;
}

/* A 4 KiB entry within a 2 MiB one, or a 2 MiB one over 4 KiB ones. */
static bool rmp_overlap(AmdSnpState *s, hwaddr spa, const AmdRmpEntry *e)
{
    hwaddr at = spa & ~(LARGE_SIZE - 1);
    AmdRmpEntry old;
    unsigned int i;

    if (amd_rmp_get_raw(s, at, &old) && old.assigned &&
        old.page_size == RMP_PG_SIZE_2M) {
        return e->page_size != RMP_PG_SIZE_2M;
    }
    if (e->page_size != RMP_PG_SIZE_2M) {
        return false;
    }
    for (i = 0; i < LARGE_SIZE / TARGET_PAGE_SIZE; i++) {
        if (amd_rmp_get_raw(s, at, &old) && (old.assigned || old.immutable)) {
            return true;
        }
        at += TARGET_PAGE_SIZE;
    }
    return false;
}

/* Reports that another processor uses the entry, so that the caller retries. */
static uint32_t rmp_contended(AmdSnpState *s)
{
    uint32_t n = amd_rmp_contended(s);

    return !n ? SNP_SUCCESS : n & 1 ? SNP_FAIL_INUSE : SNP_FAIL_OVERLAP;
}

/* With the RMP locked. */
static uint32_t rmpupdate_check(AmdSnpState *s, hwaddr spa,
                                const AmdRmpEntry *e)
{
    bool large = e->page_size == RMP_PG_SIZE_2M;
    AmdRmpEntry old;

    if (!amd_rmp_get(s, spa, &old)) {
        return SNP_FAIL_INPUT;
    }
    if (old.immutable && rule(s, SNP_RULE_RMPUPDATE_IMMUTABLE)) {
        return SNP_FAIL_PERMISSION;
    }
    if (rmp_overlap(s, spa, e) && rule(s, SNP_RULE_RMPUPDATE_OVERLAP)) {
        return SNP_FAIL_OVERLAP;
    }
    if (amd_snp_vmsa_busy(s, spa, large ? 512 : 1) &&
        rule(s, SNP_RULE_RMPUPDATE_INUSE)) {
        return SNP_FAIL_INUSE;
    }
    return rmp_contended(s);
}

/*
 * True if only the immutable bit of a guest's page is set. The page then keeps
 * its validated bit: otherwise the state Pre-Swap could never be reached.
 */
static bool rmp_sets_immutable(const AmdRmpEntry *old, const AmdRmpEntry *e)
{
    return e->assigned && e->immutable && e->asid && old->assigned &&
           e->asid == old->asid && e->gpa == old->gpa &&
           e->page_size == old->page_size;
}

void helper_rmpupdate(CPUX86State *env)
{
    AmdSnpState *s = host_insn(env, GETPC());
    hwaddr spa = env->regs[R_EAX];
    bool released = false;
    uint64_t size;
    uint32_t result;
    AmdRmpEntry e, old;
    bool clean;

    clean = load_rmp_state(env, env->regs[R_ECX], &e, GETPC());
    size = e.page_size == RMP_PG_SIZE_2M ? LARGE_SIZE : TARGET_PAGE_SIZE;
    if (((spa & (size - 1)) && rule(s, SNP_RULE_RMPUPDATE_ALIGN)) ||
        ((!clean || !rmp_state_ok(env, &e)) &&
         rule(s, SNP_RULE_RMPUPDATE_RESERVED))) {
        set_result(env, SNP_FAIL_INPUT, false);
        return;
    }
    spa &= ~(size - 1);

    amd_rmp_lock(s);
    result = rmpupdate_check(s, spa, &e);
    if (result == SNP_SUCCESS) {
        amd_rmp_get_raw(s, spa, &old);
        if (rmp_sets_immutable(&old, &e)) {
            e = old;
            e.immutable = true;
        }
        if (!rule(s, SNP_RULE_RMPUPDATE_UNVALIDATE)) {
            e.validated = old.validated;
        }
        if (!rule(s, SNP_RULE_RMPUPDATE_PERMS)) {
            memcpy(e.perms, old.perms, sizeof(e.perms));
        }
        released = amd_rmp_store(s, spa, &e);
        amd_rmp_count_update(s);
    }
    amd_rmp_unlock(s);
    set_result(env, result, false);
    if (released) {
        amd_rmp_release(s, spa, e.page_size);
    }
}

static uint32_t psmash(AmdSnpState *s, hwaddr spa)
{
    AmdRmpEntry e;

    if ((spa & (LARGE_SIZE - 1)) && rule(s, SNP_RULE_PSMASH_ALIGN)) {
        return SNP_FAIL_INPUT;
    }
    spa &= ~(LARGE_SIZE - 1);
    if (!amd_rmp_get_raw(s, spa, &e)) {
        return SNP_FAIL_INPUT;
    }
    if ((!e.assigned || e.page_size != RMP_PG_SIZE_2M) &&
        rule(s, SNP_RULE_PSMASH_SIZE)) {
        return SNP_FAIL_INPUT;
    }
    if (e.immutable && rule(s, SNP_RULE_PSMASH_IMMUTABLE)) {
        return SNP_FAIL_PERMISSION;
    }
    if (amd_rmp_contended(s)) {
        return SNP_FAIL_INUSE;
    }
    amd_rmp_smash(s, spa);
    return SNP_SUCCESS;
}

void helper_psmash(CPUX86State *env)
{
    AmdSnpState *s = host_insn(env, GETPC());
    uint32_t result;

    amd_rmp_lock(s);
    result = psmash(s, env->regs[R_EAX]);
    amd_rmp_unlock(s);
    set_result(env, result, false);
}

void helper_rmpread(CPUX86State *env)
{
    AmdSnpState *s;
    vaddr at = env->regs[R_ECX];
    AmdRmpEntry e;
    uint32_t flags;

    if (!env_archcpu(env)->x_snp_rmpread) {
        raise_exception_ra(env, EXCP06_ILLOP, GETPC());
    }
    s = host_insn(env, GETPC());
    if ((env->regs[R_EAX] & ~TARGET_PAGE_MASK) ||
        !amd_rmp_get_raw(s, env->regs[R_EAX], &e)) {
        set_result(env, SNP_FAIL_INPUT, false);
        return;
    }
    flags = (e.assigned ? 1 : 0) |
            (e.page_size == RMP_PG_SIZE_2M ? 1 << 8 : 0) |
            (amd_rmp_any_assigned(s, env->regs[R_EAX]) ? 1 << 9 : 0) |
            (e.immutable ? 1 << 16 : 0);
    cpu_stq_data_ra(env, at, e.gpa, GETPC());
    cpu_stl_data_ra(env, at + 8, flags, GETPC());
    cpu_stl_data_ra(env, at + 12, e.asid, GETPC());
    set_result(env, SNP_SUCCESS, false);
}

/* The page that a guest's instruction operates on. */
typedef struct GuestPage {
    hwaddr spa;
    hwaddr gpa;
    bool large;
} GuestPage;

/*
 * Find the page of @gva and check that it is assigned to the guest with that
 * size: exits with #NPF where the hypervisor has to act. Returns false if the
 * guest requests 2 MiB and the page has 4 KiB.
 */
static bool find_guest_page(CPUX86State *env, AmdSnpState *s, vaddr gva,
                            bool large, AmdSnpRule size_rule, GuestPage *page,
                            uintptr_t ra)
{
    const CPUX86SnpState *snp = &env->snp;
    uint64_t map_size;
    AmdRmpEntry e;
    hwaddr mask;

    page->large = large;
    page->spa = x86_snp_translate(env, gva, &page->gpa, &map_size, ra);
    mask = large ? LARGE_SIZE - 1 : TARGET_PAGE_SIZE - 1;

    if (!amd_rmp_get(s, page->spa, &e) || !e.assigned || e.immutable ||
        e.asid != snp->asid) {
        x86_snp_npf(env, page->gpa, 0, ra);
    }
    if (e.page_size == RMP_PG_SIZE_2M) {
        if ((e.gpa ^ page->gpa) & ~(LARGE_SIZE - 1)) {
            x86_snp_npf(env, page->gpa, 0, ra);
        }
        /* The hypervisor has to smash the page. */
        if (!large && rule(s, size_rule)) {
            x86_snp_npf(env, page->gpa, SVM_NPTEXIT_SIZEM, ra);
        }
    } else {
        if ((e.gpa ^ page->gpa) & TARGET_PAGE_MASK) {
            x86_snp_npf(env, page->gpa, 0, ra);
        }
        if (large && rule(s, size_rule)) {
            return false;
        }
    }
    /* As for memory accesses, the nested mapping must have the RMP's size. */
    if (map_size >= LARGE_SIZE && e.page_size != RMP_PG_SIZE_2M &&
        rule(s, SNP_RULE_GUEST_PAGE_SIZE)) {
        x86_snp_npf(env, page->gpa, 0, ra);
    }
    if (e.page_size == RMP_PG_SIZE_2M) {
        mask = LARGE_SIZE - 1;
    }
    page->spa &= ~mask;
    page->gpa &= ~mask;
    return true;
}

/*
 * Lock the RMP, and read again the entry that find_guest_page() saw. If the
 * hypervisor has changed it since, unlock and exit with #NPF.
 */
static void lock_guest_page(CPUX86State *env, AmdSnpState *s,
                            const GuestPage *page, AmdRmpEntry *e,
                            uintptr_t ra)
{
    amd_rmp_lock(s);
    if (!amd_rmp_get(s, page->spa, e) || !e->assigned || e->immutable ||
        e->asid != env->snp.asid || e->gpa != page->gpa) {
        amd_rmp_unlock(s);
        x86_snp_npf(env, page->gpa, 0, ra);
    }
}

void helper_pvalidate(CPUX86State *env)
{
    AmdSnpState *s = guest_insn(env, GETPC());
    bool large = env->regs[R_ECX] & 1;
    bool validate = env->regs[R_EDX] & 1;
    vaddr gva = env->regs[R_EAX];
    GuestPage page;
    AmdRmpEntry e;
    bool same;

    if (env->snp.vmpl && rule(s, SNP_RULE_PVALIDATE_VMPL)) {
        set_result(env, SNP_FAIL_PERMISSION, false);
        return;
    }
    if (large && (gva & (LARGE_SIZE - 1)) &&
        rule(s, SNP_RULE_PVALIDATE_ALIGN)) {
        set_result(env, SNP_FAIL_INPUT, false);
        return;
    }
    if (!find_guest_page(env, s, gva, large, SNP_RULE_PVALIDATE_SIZE, &page,
                         GETPC())) {
        set_result(env, SNP_FAIL_SIZEMISMATCH, false);
        return;
    }

    lock_guest_page(env, s, &page, &e, GETPC());
    same = e.validated == validate;
    if (!same) {
        e.validated = validate;
        if (validate) {
            e.perms[0] = RMP_PERM_ALL;
            memset(&e.perms[1], 0, RMP_VMPLS - 1);
            amd_rmp_grant(s, page.spa, &e);
        } else {
            amd_rmp_store(s, page.spa, &e);
        }
    }
    amd_rmp_unlock(s);
    set_result(env, SNP_SUCCESS, same);
}

/* With the RMP locked; the page is assigned to the guest. */
static uint32_t rmpadjust(CPUX86State *env, AmdSnpState *s, AmdRmpEntry *e,
                          const GuestPage *page, uint64_t attrs)
{
    uint8_t target = attrs & 0xff, perms = attrs >> 8 & 0xff;
    uint8_t vmpl = env->snp.vmpl;
    bool vmsa = attrs & RMPADJUST_VMSA;

    if (target <= vmpl && rule(s, SNP_RULE_RMPADJUST_VMPL)) {
        return SNP_FAIL_PERMISSION;
    }
    if ((perms & ~e->perms[vmpl]) && rule(s, SNP_RULE_RMPADJUST_PERMS)) {
        return SNP_FAIL_PERMISSION;
    }
    if (vmpl && vmsa != e->vmsa && rule(s, SNP_RULE_RMPADJUST_VMSA)) {
        return SNP_FAIL_PERMISSION;
    }
    if (amd_snp_vmsa_busy(s, page->spa, 1)) {
        return SNP_FAIL_INUSE;
    }
    e->perms[target] = perms;
    e->vmsa = vmsa;
    amd_rmp_store(s, page->spa, e);
    return SNP_SUCCESS;
}

void helper_rmpadjust(CPUX86State *env)
{
    AmdSnpState *s = guest_insn(env, GETPC());
    bool large = env->regs[R_ECX] & 1;
    uint64_t attrs = env->regs[R_EDX];
    vaddr gva = env->regs[R_EAX];
    GuestPage page;
    AmdRmpEntry e;
    uint32_t result;

    if ((large && (gva & (LARGE_SIZE - 1)) &&
         rule(s, SNP_RULE_RMPADJUST_ALIGN)) ||
        (attrs & 0xff) >= RMP_VMPLS || (attrs >> 8 & 0xf0) ||
        (large && (attrs & RMPADJUST_VMSA))) {
        set_result(env, SNP_FAIL_INPUT, false);
        return;
    }
    if (!find_guest_page(env, s, gva, large, SNP_RULE_RMPADJUST_SIZE, &page,
                         GETPC())) {
        set_result(env, SNP_FAIL_SIZEMISMATCH, false);
        return;
    }

    lock_guest_page(env, s, &page, &e, GETPC());
    if (!e.validated) {
        amd_rmp_unlock(s);
        env->cr[2] = gva;
        raise_exception_err_ra(env, EXCP1D_VC, SVM_EXIT_PAGE_NOT_VALIDATED,
                               GETPC());
    }
    result = rmpadjust(env, s, &e, &page, attrs);
    amd_rmp_unlock(s);
    set_result(env, result, false);
}

void helper_rmpquery(CPUX86State *env)
{
    AmdSnpState *s = guest_insn(env, GETPC());
    uint8_t target = env->regs[R_EDX] & 0xff;
    uint64_t map_size;
    hwaddr spa, gpa;
    AmdRmpEntry e;

    if (target >= RMP_VMPLS) {
        set_result(env, SNP_FAIL_INPUT, false);
        return;
    }
    if (target < env->snp.vmpl) {
        set_result(env, SNP_FAIL_PERMISSION, false);
        return;
    }
    spa = x86_snp_translate(env, env->regs[R_EAX], &gpa, &map_size, GETPC());
    if (!amd_rmp_get(s, spa, &e) || !e.assigned || e.asid != env->snp.asid) {
        x86_snp_npf(env, gpa, 0, GETPC());
    }
    env->regs[R_ECX] = e.page_size == RMP_PG_SIZE_2M;
    env->regs[R_EDX] = target | e.perms[target] << 8 |
                       (e.vmsa ? RMPADJUST_VMSA : 0);
    set_result(env, SNP_SUCCESS, false);
}

void helper_wbinvd(CPUX86State *env)
{
    AmdSnpState *s = env_archcpu(env)->snp;
    IntelTdxState *tdx = env_archcpu(env)->tdx;

    if (tdx) {
        intel_tdx_write_back(tdx, env_cpu(env)->cpu_index);
        return;
    }
    /* Later writes of this processor have to be recorded again. */
    if (amd_mem_lines_on(s)) {
        tlb_flush(env_cpu(env));
    }
    amd_snp_wbinvd(s, env_cpu(env)->cpu_index);
}

/*
 * CLFLUSH, CLFLUSHOPT and CLWB are loads to the page tables, and a load of one
 * ASID writes back the lines of others. Only used with x-snp-stale-lines.
 */
void helper_clflush(CPUX86State *env, target_ulong addr)
{
    probe_access(env, addr, 1, MMU_DATA_LOAD,
                 cpu_mmu_index(env_cpu(env), false), GETPC());
}
