/*
 * Switches between host, guest and TDX module, and what they leave in the TLB
 *
 * Each of them has MMU indexes of its own, and so have nested page tables.
 * A switch keeps the translations of the other world. Each world has a tag: the
 * registers that its translations depend on. Entering a world with another tag
 * than it was left with drops its translations. Entering it with the same tag
 * does not, so that software which changes tables in memory has to flush, as on
 * a processor.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/cputlb.h"
#include "tcg/helper-tcg.h"
#include "vmx/vmx-internal.h"
#include "world.h"

QEMU_BUILD_BUG_ON(sizeof(X86TlbTag) != 7 * 8 + 8 * 4);
QEMU_BUILD_BUG_ON(sizeof(X86NestedTag) != 3 * 8 + 4 * 4);

static bool in_guest(CPUX86State *env)
{
    return env->hflags & HF_GUEST_MASK;
}

static bool in_seam(CPUX86State *env)
{
    return env->hflags & HF_SEAM_MASK;
}

static X86TlbTag world_tag(CPUX86State *env)
{
    const CPUX86SnpState *snp = &env->snp;
    X86TlbTag tag = {
        .syscfg = snp->syscfg,
        .pg_mode = get_pg_mode(env),
    };

    if (tag.pg_mode & PG_MODE_PG) {
        tag.cr3 = env->cr[3];
    }
    if (tag.pg_mode & PG_MODE_PKE) {
        tag.pkru = env->pkru;
    }
    if (tag.pg_mode & PG_MODE_PKS) {
        tag.pkrs = env->pkrs;
    }
    if (in_guest(env)) {
        tag.asid = env->tlb.asid;
        tag.cbit = snp->cbit;
        tag.key = snp->key;
        tag.vmpl = snp->vmpl;
        tag.guest_type = snp->sev | snp->es << 1 | snp->snp << 2 |
                         in_seam(env) << 3;
        if (env->vmx && vmx_uses_pdptes(env, env->cr[0], env->cr[4])) {
            memcpy(tag.pdpte, env->vmx->pdpte, sizeof(tag.pdpte));
        }
    }
    return tag;
}

static X86NestedTag nested_tag(CPUX86State *env)
{
    X86NestedTag tag = { 0 };

    if (env->hflags2 & HF2_NPT_MASK) {
        tag = (X86NestedTag) {
            .root = env->nested_cr3,
            .syscfg = env->snp.syscfg,
            .pg_mode = env->nested_pg_mode,
            .asid = env->vmx ? 0 : env->tlb.asid,
            .on = 1,
        };
        if (in_seam(env)) {
            tag.seam = 1;
            tag.shared_root = vmx_get(env, VMX_SHARED_EPTP);
        }
    }
    return tag;
}

/* Where the tag is kept while the world does not run, unless it is a guest's */
static X86TlbTag *root_tag(CPUX86State *env)
{
    return in_seam(env) ? &env->tlb.seam : &env->tlb.host;
}

void x86_world_leave(CPUX86State *env)
{
    X86TlbState *tlb = &env->tlb;

    if (tlb->switching) {
        return;
    }
    tlb->switching = true;
    if (in_guest(env)) {
        tlb->guest = world_tag(env);
        tlb->nested = nested_tag(env);
    } else {
        *root_tag(env) = world_tag(env);
    }
}

void x86_world_enter(CPUX86State *env)
{
    X86TlbState *tlb = &env->tlb;
    X86TlbTag tag = world_tag(env);
    X86NestedTag nested;
    uint16_t idxmap = 0;

    tlb->switching = false;
    if (!in_guest(env)) {
        if (memcmp(&tag, root_tag(env), sizeof(tag))) {
            idxmap = x86_linear_idxmap(env);
        }
    } else {
        nested = nested_tag(env);
        if (memcmp(&nested, &tlb->nested, sizeof(nested))) {
            idxmap = MMU_GUEST_IDXMAP | MMU_NESTED_IDXMAP;
        }
        if (memcmp(&tag, &tlb->guest, sizeof(tag))) {
            idxmap |= MMU_GUEST_IDXMAP;
        }
        if (!tlb->asid) {
            /*
             * Without VPID, VM entries and VM exits flush both worlds. Those
             * of EPT may stay, but software that clears dirty flags is seen
             * to rely on the opposite.
             */
            idxmap |= MMU_GUEST_IDXMAP | MMU_NESTED_IDXMAP |
                      (in_seam(env) ? MMU_SEAM_IDXMAP : MMU_HOST_IDXMAP);
        }
    }
    if (idxmap) {
        tlb_flush_by_mmuidx(env_cpu(env), idxmap);
    }
}

/* Translations of the last guest; it may be the one that runs. */
static uint32_t last_asid(CPUX86State *env)
{
    return in_guest(env) ? env->tlb.asid : env->tlb.guest.asid;
}

void x86_guest_flush_asid(CPUX86State *env, uint32_t asid)
{
    if (asid == last_asid(env)) {
        tlb_flush_by_mmuidx(env_cpu(env), MMU_GUEST_IDXMAP);
    }
}

void x86_guest_flush_page(CPUX86State *env, uint32_t asid, vaddr addr)
{
    if (asid == last_asid(env)) {
        tlb_flush_page_by_mmuidx(env_cpu(env), addr, MMU_GUEST_IDXMAP);
    }
}

void x86_guest_flush_all(CPUX86State *env)
{
    tlb_flush_by_mmuidx(env_cpu(env), MMU_GUEST_IDXMAP | MMU_NESTED_IDXMAP);
}
