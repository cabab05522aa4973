/*
 * SEAM mode: key ids of the processor's accesses to memory
 *
 * The platform knows the key id and the TD owner bit of each line. It is asked
 * about each translation that is about to be used, and its answer becomes an
 * access to RAM, to a view of memory, or a machine check.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/exec-all.h"
#include "hw/i386/intel-tdx.h"
#include "system/runstate.h"
#include "tcg/helper-tcg.h"
#include "tcg/seam-hooks.h"
#include "target/i386/trace.h"
#include "tcg/system/vmx/vmx-internal.h"

/* The bank of the data cache, as on other processors */
#define MCE_BANK            1
/* "Data load error", and what is known of it */
#define MCE_STATUS          (MCI_STATUS_VAL | MCI_STATUS_UC | MCI_STATUS_EN | \
                             MCI_STATUS_MISCV | MCI_STATUS_ADDRV | \
                             MCI_STATUS_S | MCI_STATUS_AR | 0x134)
/* A physical address of a line */
#define MCE_MISC            (MCM_ADDR_PHYS << 6 | 6)

G_NORETURN void x86_seam_shutdown(CPUX86State *env, uintptr_t ra)
{
    CPUState *cs = env_cpu(env);

    qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
    cs->exception_index = EXCP_HLT;
    cs->halted = 1;
    cpu_loop_exit_restore(cs, ra);
}

/* "Machine-Check Exception": the processor has consumed poison. */
static G_NORETURN void seam_machine_check(CPUX86State *env, hwaddr pa,
                                          uintptr_t ra)
{
    uint64_t *bank = &env->mce_banks[4 * MCE_BANK];

    trace_seam_poison(env_cpu(env)->cpu_index, pa,
                      !!(env->hflags & HF_GUEST_MASK));
    if ((env->mcg_status & MCG_STATUS_MCIP) ||
        !(env->cr[4] & CR4_MCE_MASK)) {
        x86_seam_shutdown(env, ra);
    }
    if (vmx_rule(env, VMX_RULE_KEY_BANK)) {
        bank[1] = MCE_STATUS;
        bank[2] = pa & ~63ULL;
        bank[3] = MCE_MISC;
    }
    env->mcg_status = MCG_STATUS_MCIP | MCG_STATUS_EIPV | MCG_STATUS_RIPV;
    raise_exception_ra(env, EXCP12_MCHK, ra);
}

static TdxMemAccess seam_access(CPUX86State *env, hwaddr pa, unsigned int size,
                                bool write)
{
    return (TdxMemAccess) {
        .pa = pa,
        .size = size,
        .write = write,
        .lp = env_cpu(env)->cpu_index,
    };
}

void x86_seam_check_poison(CPUX86State *env, uintptr_t ra)
{
    hwaddr pa = env->seam_poison;

    if (unlikely(pa)) {
        env->seam_poison = 0;
        /* Its walk may have been the translator's. */
        tb_gen_abandon();
        seam_machine_check(env, pa, ra);
    }
}

/*
 * False if the access is to something else than RAM, which may be elsewhere: in
 * SMM, behind SMRAM. Stores to RAM that is read-only for it count as loads.
 */
static bool seam_to_ram(CPUX86State *env, MemTxAttrs attrs, TdxMemAccess *a)
{
    CPUState *cs = env_cpu(env);
    hwaddr size = TARGET_PAGE_SIZE, offset;
    int prot = PAGE_READ | PAGE_WRITE | PAGE_EXEC;
    MemoryRegionSection *section;

    RCU_READ_LOCK_GUARD();
    section = address_space_translate_for_iotlb(cs,
        cpu_asidx_from_attrs(cs, attrs),
        a->pa & TARGET_PAGE_MASK & ~env->keyid_mask, &offset, &size, attrs,
        &prot);
    a->write &= !section->readonly;
    return intel_tdx_mem_is_ram(env_archcpu(env)->tdx, a, section->mr, offset);
}

/* @attrs: where the access is to without key ids */
static TdxMemResult seam_use(CPUX86State *env, MemTxAttrs attrs,
                             TdxMemAccess *a)
{
    IntelTdxState *tdx = env_archcpu(env)->tdx;
    bool write = a->write;
    TdxMemResult result;

    if (likely(intel_tdx_mem_cache(tdx, a)) || !seam_to_ram(env, attrs, a)) {
        return TDX_MEM_CACHE;
    }
    result = intel_tdx_mem_use(tdx, a);
    /* Where RAM is read-only, the store has no effect. */
    return write && !a->write ? TDX_MEM_ONCE : result;
}

bool x86_seam_fill(CPUX86State *env, const X86SeamFill *fill, MemTxAttrs *attrs,
                   uintptr_t ra)
{
    TdxMemAccess a = seam_access(env, fill->pa, fill->size,
                                 fill->write && !fill->walk);
    TdxMemResult result;

    attrs->requester_id = (fill->pa & TDX_KEYID_MASK) >> TDX_KEYID_SHIFT;
    if (intel_tdx_in_seamrr(fill->pa & ~TDX_KEYID_MASK)) {
        /* SEAM mode and others share this index, but not this memory. */
        return !fill->phys;
    }
    result = seam_use(env, *attrs, &a);
    if (result == TDX_MEM_POISON && !fill->walk) {
        env->seam_poison = fill->pa;
        if (!fill->probe) {
            x86_seam_check_poison(env, ra);
        }
    }
    if (result != TDX_MEM_CACHE && result != TDX_MEM_ONCE) {
        attrs->secure = 0;
        attrs->space = X86_SPACE_VIEW;
    }
    return result == TDX_MEM_CACHE;
}

bool x86_seam_take(CPUX86State *env, hwaddr pa)
{
    TdxMemAccess a = seam_access(env, pa, 1, true);
    MemTxAttrs attrs = cpu_get_mem_attrs(env);

    if (!env->keyid_mask || !seam_to_ram(env, attrs, &a) || !a.write) {
        return false;
    }
    seam_use(env, attrs, &a);
    return true;
}

bool x86_seam_store_line(CPUX86State *env, target_ulong addr,
                         const uint64_t *from, uintptr_t ra)
{
    int mmu_idx = cpu_mmu_index(env_cpu(env), false);
    TdxMemAccess a = seam_access(env, 0, 64, true);
    CPUTLBEntryFull *full;
    void *host;

    probe_access_full(env, addr, 64, MMU_DATA_STORE, mmu_idx, false, &host,
                      &full, ra);
    a.pa = full->phys_addr | (addr & ~TARGET_PAGE_MASK) |
           (hwaddr)full->attrs.requester_id << TDX_KEYID_SHIFT;
    return seam_to_ram(env, cpu_get_mem_attrs(env), &a) && a.write &&
           intel_tdx_mem_store_line(env_archcpu(env)->tdx, a.pa, from);
}

static bool seam_rw_line(CPUX86State *env, hwaddr pa, void *buf,
                         unsigned int size, bool write)
{
    TdxMemAccess a = seam_access(env, pa, size, write);
    IntelTdxState *tdx = env_archcpu(env)->tdx;
    MemTxAttrs attrs = cpu_get_mem_attrs(env);

    if (intel_tdx_mem_plain(tdx, pa) || !seam_to_ram(env, attrs, &a) ||
        a.write != write) {
        return false;
    }
    if (seam_use(env, attrs, &a) == TDX_MEM_POISON) {
        if (x86_seam_root(env)) {
            /* A module has machine checks disabled. */
            qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
        } else {
            env->seam_poison = pa;
        }
    }
    intel_tdx_mem_copy(tdx, &a, buf);
    return true;
}

bool x86_seam_rw(CPUX86State *env, hwaddr pa, void *buf, unsigned int size,
                 bool write)
{
    MemTxAttrs attrs = cpu_get_mem_attrs(env);
    AddressSpace *as = cpu_addressspace(env_cpu(env), attrs);
    unsigned int at, n;

    if ((pa & 63) + size <= 64) {
        return seam_rw_line(env, pa, buf, size, write);
    }
    /* The parts in each line are powers of two for what reads the buffer. */
    for (at = 0; at < size; at += n) {
        n = MIN(size - at, 64 - ((pa + at) & 63));
        n = pow2floor(n);
        if (!seam_rw_line(env, pa + at, buf + at, n, write)) {
            address_space_rw(as, (pa + at) & ~env->keyid_mask, attrs, buf + at,
                             n, write);
        }
    }
    return true;
}

uint64_t x86_seam_reserved(CPUX86State *env)
{
    return VMX_BAD(env, KEY_RESERVED,
                   !vmx_key_ok(env, SEAM_FIRST_PRIVATE_KEY)) ?
           SEAM_FIRST_PRIVATE_KEY : 0;
}

bool x86_seam_cr3_ok(CPUX86State *env, target_ulong cr3)
{
    /* With EPT, it is no physical address. */
    return (env->hflags2 & HF2_NPT_MASK) ||
           !VMX_BAD(env, KEY_CR3, !vmx_key_ok(env, cr3));
}
