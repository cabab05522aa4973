/*
 * VMX: extended page tables
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/page-protection.h"
#include "target/i386/trace.h"
#include "tcg/seam-hooks.h"
#include "tcg/vmx-hooks.h"
#include "vmx-internal.h"

static bool vmx_ept_ad(CPUX86State *env)
{
    return (vmx_get(env, VMX_EPTP) & VMX_EPTP_AD) &&
           vmx_rule(env, VMX_RULE_EPT_AD);
}

/* With accessed and dirty flags, accesses to paging structures are writes. */
MMUAccessType x86_vmx_ptw_access(CPUX86State *env)
{
    return vmx_ept_ad(env) && vmx_rule(env, VMX_RULE_EPT_TABLE_WRITE) ?
           MMU_DATA_STORE : MMU_DATA_LOAD;
}

bool x86_vmx_mode_based_exec(CPUX86State *env)
{
    return vmx_proc2(env, VMX_SECONDARY_EXEC_MODE_BASED_EXEC);
}

/* The permission that an access needs */
static uint32_t ept_needs(CPUX86State *env, MMUAccessType access_type)
{
    switch (access_type) {
    case MMU_DATA_LOAD:
        return VMX_EPT_R;
    case MMU_DATA_STORE:
        return VMX_EPT_W;
    default:
        return env->vmx->ept_user && x86_vmx_mode_based_exec(env) ?
               VMX_EPT_USER_X : VMX_EPT_X;
    }
}

/* Bits of which one must be set in an entry that is present */
static uint32_t ept_present(CPUX86State *env)
{
    return x86_vmx_mode_based_exec(env) ? VMX_EPT_RWX | VMX_EPT_USER_X :
                                          VMX_EPT_RWX;
}

/* @e: the entry at which the translation ended */
static bool ept_fault(CPUX86State *env, hwaddr gpa, MMUAccessType access_type,
                      uint64_t e, uint64_t perm, bool misconfig)
{
    static const uint32_t access[] = {
        [MMU_DATA_LOAD] = VMX_EPTV_READ,
        [MMU_DATA_STORE] = VMX_EPTV_WRITE,
        [MMU_INST_FETCH] = VMX_EPTV_FETCH,
    };

    env->vmx->ept_fault = (VmxEptFault) {
        .gpa = gpa,
        .access = access[access_type] |
                  (perm & VMX_EPT_RWX) << VMX_EPTV_PERM_SHIFT |
                  ((perm & ept_present(env) & VMX_EPT_USER_X) ?
                   VMX_EPTV_USER_X : 0),
        .misconfig = misconfig,
        .convertible = !misconfig && !(e & VMX_EPT_SUPPRESS_VE),
    };
    return false;
}

/* "EPT Misconfigurations" */
static bool ept_misconfigured(CPUX86State *env, uint64_t e, int level,
                              bool leaf, bool private)
{
    uint64_t caps = env->features[FEAT_VMX_EPT_VPID_CAPS];
    int type = (e >> VMX_EPT_MEMTYPE_SHIFT) & 7;
    uint64_t rsvd = MAKE_64BIT_MASK(0, 52) &
                    ~MAKE_64BIT_MASK(0, env_archcpu(env)->phys_bits);

    if (VMX_BAD(env, EPT_WRITE_ONLY,
                (e & (VMX_EPT_R | VMX_EPT_W)) == VMX_EPT_W)) {
        return true;
    }
    if (!(e & VMX_EPT_R) && !(caps & MSR_VMX_EPT_EXECONLY)) {
        return true;
    }
    if (VMX_BAD(env, EPT_ADDR, e & rsvd)) {
        return true;
    }
    /* A Secure EPT has the key id of the TD, others have shared ones. */
    if (VMX_BAD(env, KEY_EPT,
                (e & env->keyid_mask) >=
                (private ? 1 : SEAM_FIRST_PRIVATE_KEY))) {
        return true;
    }
    if (!leaf) {
        return VMX_BAD(env, EPT_TABLE_RESERVED, e & (level == 3 ? 0xf8 : 0x78));
    }
    return VMX_BAD(env, EPT_LARGE_ADDR,
                   level && (e & MAKE_64BIT_MASK(12, 9 * level))) ||
           VMX_BAD(env, EPT_TYPE, type == 2 || type == 3 || type == 7);
}

static bool ept_is_leaf(CPUX86State *env, uint64_t e, int level)
{
    uint64_t caps = env->features[FEAT_VMX_EPT_VPID_CAPS];

    if (level == 0) {
        return true;
    }
    return (e & VMX_EPT_LEAF) &&
           ((level == 1 && (caps & MSR_VMX_EPT_2MB)) ||
            (level == 2 && (caps & MSR_VMX_EPT_1GB)));
}

/*
 * False if another processor has changed the entry, or has taken its line
 * again.
 */
static bool ept_set_ad(CPUX86State *env, hwaddr addr, void *host, uint64_t e,
                       uint32_t set)
{
    uint32_t old = cpu_to_le32((uint32_t)e);
    uint32_t new = cpu_to_le32((uint32_t)e | set);
    CPUTLBEntryFull *full;
    bool ram;

    if (!(set & ~e)) {
        return true;
    }
    if (env->keyid_mask) {
        ram = x86_seam_take(env, addr);
        probe_access_full_mmu(env, addr, 0, MMU_DATA_STORE, MMU_PHYS_IDX, &host,
                              &full);
        if (unlikely(ram && !host)) {
            return false;
        }
    }
    if (likely(host)) {
        return qatomic_cmpxchg((uint32_t *)host, old, new) == old;
    }
    x86_stl_phys(env_cpu(env), addr, (uint32_t)e | set);
    return true;
}

static uint64_t ept_load(CPUX86State *env, hwaddr addr, void **host)
{
    CPUTLBEntryFull *full;

    probe_access_full_mmu(env, addr, 0, MMU_DATA_STORE, MMU_PHYS_IDX, host,
                          &full);
    return likely(*host) ? ldq_le_p(*host) : x86_ldq_phys(env_cpu(env), addr);
}

/* The walk ends in a machine check: what is in the entry means nothing. */
static bool ept_poisoned(CPUX86State *env, void *host)
{
    return unlikely(!host) && env->seam_poison;
}

/*
 * "Page-Modification Logging": a page is logged when its dirty flag is set.
 * False if the log is full.
 */
static bool ept_log(CPUX86State *env, hwaddr gpa)
{
    uint16_t index = vmx_get(env, VMX_PML_INDEX);

    if (!vmx_proc2(env, VMX_SECONDARY_EXEC_ENABLE_PML)) {
        return true;
    }
    if (VMX_BAD(env, PML_FULL, index > 511)) {
        return false;
    }
    x86_stq_phys(env_cpu(env), vmx_get(env, VMX_PML_ADDR) + 8 * index,
                 gpa & TARGET_PAGE_MASK);
    vmx_set(env, VMX_PML_INDEX, (uint16_t)(index - 1));
    return true;
}

/*
 * Map writes only if they have set the dirty flag. A page of the guest's page
 * tables is dirty as soon as it is accessed.
 */
static void ept_result(CPUX86State *env, hwaddr gpa, uint64_t e, uint64_t perm,
                       int level, hwaddr *paddr, int *prot, int *page_size)
{
    uint64_t mask = MAKE_64BIT_MASK(0, 12 + 9 * level);

    *paddr = ((e & MAKE_64BIT_MASK(12, 40) & ~mask) | (gpa & mask)) &
             TARGET_PAGE_MASK;
    *page_size = mask + 1;
    *prot = 0;
    if (perm & VMX_EPT_R) {
        *prot |= PAGE_READ;
    }
    if ((perm & VMX_EPT_W) && (!vmx_ept_ad(env) || (e & VMX_EPT_D))) {
        *prot |= PAGE_WRITE;
    }
    if (perm & ept_needs(env, MMU_INST_FETCH)) {
        *prot |= PAGE_EXEC;
    }
}

/* A TD has two trees; its guest addresses have 48 bits. */
static bool ept_private(CPUX86State *env, hwaddr gpa)
{
    return unlikely(env->hflags & HF_SEAM_MASK) && !(gpa & SEAM_GPA_SHARED);
}

static uint64_t ept_pointer(CPUX86State *env, hwaddr gpa)
{
    if (unlikely(env->hflags & HF_SEAM_MASK) && !ept_private(env, gpa)) {
        return vmx_get(env, VMX_SHARED_EPTP);
    }
    return vmx_get(env, VMX_EPTP);
}

bool x86_vmx_ept_walk(CPUX86State *env, hwaddr gpa, MMUAccessType access_type,
                      hwaddr *paddr, int *prot, int *page_size)
{
    const uint32_t needs = ept_needs(env, access_type);
    const uint32_t present = ept_present(env);
    const bool private = ept_private(env, gpa);
    const uint64_t key = private && vmx_rule(env, VMX_RULE_KEY_TD) ?
                         vmx_td_key(env) : 0;
    uint64_t e, perm;
    uint32_t set;
    bool leaf;
    int level;
    hwaddr addr;
    void *host;

restart:
    e = ept_pointer(env, gpa);
    perm = present;
    set = vmx_ept_ad(env) ? VMX_EPT_A : 0;
    if (gpa >> 48) {
        return ept_fault(env, gpa, access_type, VMX_EPT_SUPPRESS_VE, 0, false);
    }
    for (level = 3; ; level--) {
        addr = ((e & MAKE_64BIT_MASK(12, 40)) | key) +
               ((gpa >> (12 + 9 * level)) & 0x1ff) * 8;
        e = ept_load(env, addr, &host);
        if (!(e & present) || ept_poisoned(env, host)) {
            return ept_fault(env, gpa, access_type, e, 0, false);
        }
        leaf = ept_is_leaf(env, e, level);
        if (ept_misconfigured(env, e, level, leaf, private)) {
            return ept_fault(env, gpa, access_type, e, 0, true);
        }
        if (leaf || vmx_rule(env, VMX_RULE_EPT_PERM_TABLE)) {
            perm &= e;
        }
        if (leaf) {
            break;
        }
        if (!ept_set_ad(env, addr, host, e, set)) {
            goto restart;
        }
    }
    if (!(perm & needs)) {
        if (vmx_rule(env, needs == VMX_EPT_USER_X ? VMX_RULE_EPT_USER_FETCH :
                          VMX_RULE_EPT_READ + access_type)) {
            return ept_fault(env, gpa, access_type, e, perm, false);
        }
        perm |= needs;
    }
    if (set && access_type == MMU_DATA_STORE) {
        set |= VMX_EPT_D;
        if (!(e & VMX_EPT_D) && !ept_log(env, gpa)) {
            ept_fault(env, gpa, access_type, VMX_EPT_SUPPRESS_VE, perm, false);
            env->vmx->ept_fault.log_full = true;
            return false;
        }
    }
    if (!ept_set_ad(env, addr, host, e, set)) {
        goto restart;
    }
    ept_result(env, gpa, e | key | set, perm, level, paddr, prot, page_size);
    return true;
}

bool x86_vmx_ept_walk_mode(CPUX86State *env, hwaddr gpa,
                           MMUAccessType access_type, bool user, hwaddr *paddr,
                           int *prot, int *page_size)
{
    bool ok;

    env->vmx->ept_user = user;
    ok = x86_vmx_ept_walk(env, gpa, access_type, paddr, prot, page_size);
    env->vmx->ept_user = false;
    return ok;
}

uint64_t x86_vmx_pdpte(CPUX86State *env, vaddr addr)
{
    return env->vmx->pdpte[(addr >> 30) & 3];
}

/* True for PAE paging, where PDPTEs are separate registers. */
bool vmx_uses_pdptes(CPUX86State *env, uint64_t cr0, uint64_t cr4)
{
    return vmx_proc2(env, VMX_SECONDARY_EXEC_ENABLE_EPT) &&
           (cr0 & CR0_PG_MASK) && (cr4 & CR4_PAE_MASK) &&
           !(env->efer & MSR_EFER_LME);
}

/* The access has no linear address, and violations do not report one. */
void vmx_load_pdptes(CPUX86State *env, uint64_t cr3, uintptr_t ra)
{
    uint64_t base = cr3 & 0xffffffe0, pdpte[4];
    hwaddr pa;
    int i, prot, size;

    if (!x86_vmx_ept_walk(env, base, x86_vmx_ptw_access(env), &pa, &prot,
                          &size)) {
        x86_seam_check_poison(env, ra);
        vmx_set(env, VMX_GUEST_PHYSICAL_ADDR, base);
        if (env->vmx->ept_fault.misconfig) {
            vmx_exit(env, VMX_EXIT_EPT_MISCONFIG, 0, ra);
        }
        vmx_exit(env, VMX_EXIT_EPT_VIOLATION,
                 env->vmx->ept_fault.access | VMX_EPTV_READ, ra);
    }
    pa |= base & ~TARGET_PAGE_MASK;
    for (i = 0; i < 4; i++) {
        pdpte[i] = x86_ldq_phys(env_cpu(env), pa + 8 * i);
        x86_seam_check_poison(env, ra);
        if (VMX_BAD(env, PDPTE_GP, (pdpte[i] & PG_PRESENT_MASK) &&
                    ((pdpte[i] & 0x1e6) ||
                     pdpte[i] >> env_archcpu(env)->phys_bits))) {
            raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
        }
    }
    memcpy(env->vmx->pdpte, pdpte, sizeof(pdpte));
}

/* "Virtualization-Exception Information" */
static void ept_raise_ve(CPUX86State *env, hwaddr gpa, vaddr addr,
                         uint64_t qualification, uintptr_t ra)
{
    hwaddr area = vmx_get(env, VMX_VE_INFO_ADDR) | vmx_td_key(env);
    CPUState *cs = env_cpu(env);

    if (!vmx_proc2(env, VMX_SECONDARY_EXEC_EPT_VIOLATION_VE) ||
        VMX_BAD(env, VE_SUPPRESS, !env->vmx->ept_fault.convertible) ||
        !(env->cr[0] & CR0_PE_MASK) ||
        VMX_BAD(env, VE_VECTORING, env->vmx->event.info) ||
        VMX_BAD(env, VE_BUSY, x86_ldl_phys(cs, area + 4))) {
        return;
    }
    x86_stl_phys(cs, area, VMX_EXIT_EPT_VIOLATION);
    x86_stl_phys(cs, area + 4, UINT32_MAX);
    x86_stq_phys(cs, area + 8, qualification);
    x86_stq_phys(cs, area + 16, addr);
    x86_stq_phys(cs, area + 24, gpa);
    x86_stw_phys(cs, area + 32, vmx_get(env, VMX_EPTP_INDEX));
    raise_exception_ra(env, EXCP14_VE, ra);
}

/* "Exit Qualification for EPT Violations" */
G_NORETURN void x86_vmx_ept_fault(CPUX86State *env, hwaddr gpa, vaddr addr,
                                  bool gpt, uintptr_t ra)
{
    VmxEptFault *fault = &env->vmx->ept_fault;
    uint64_t qualification = fault->access | VMX_EPTV_GLA_VALID;

    if (!gpt) {
        qualification |= VMX_EPTV_TRANSLATED;
    } else if (qualification & VMX_EPTV_WRITE) {
        /* An entry of the guest's tables is read before it is written. */
        qualification |= VMX_EPTV_READ;
    }
    ept_raise_ve(env, gpa, addr, qualification, ra);
    vmx_set(env, VMX_GUEST_PHYSICAL_ADDR, gpa);
    vmx_set(env, VMX_GUEST_LINEAR_ADDR, addr);
    trace_vmx_ept_fault(env_cpu(env)->cpu_index, gpa, addr, qualification,
                        fault->misconfig);
    if (fault->log_full) {
        vmx_exit(env, VMX_EXIT_PML_FULL, 0, ra);
    }
    if (fault->misconfig) {
        /* Software relies on the length, which the SDM does not promise. */
        vmx_exit_insn(env, VMX_EXIT_EPT_MISCONFIG, 0, ra);
    }
    vmx_exit(env, VMX_EXIT_EPT_VIOLATION, qualification, ra);
}
