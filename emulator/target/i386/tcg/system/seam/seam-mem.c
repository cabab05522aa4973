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

/* There is no way to go on: "shutdown" */
static G_NORETURN void seam_shutdown(CPUX86State *env, uintptr_t ra)
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
        seam_shutdown(env, ra);
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

bool x86_seam_fill(CPUX86State *env, const X86SeamFill *fill, MemTxAttrs *attrs,
                   uintptr_t ra)
{
    TdxMemAccess a = seam_access(env, fill->pa, fill->size, fill->write);
    TdxMemResult result;

    attrs->requester_id = (fill->pa & TDX_KEYID_MASK) >> TDX_KEYID_SHIFT;
    if (intel_tdx_in_seamrr(fill->pa & ~TDX_KEYID_MASK)) {
        /* SEAM mode and others share this index, but not this memory. */
        return !fill->phys;
    }
    result = intel_tdx_mem_use(env_archcpu(env)->tdx, &a);
    if (result == TDX_MEM_POISON) {
        env->seam_poison = fill->pa;
        if (!fill->probe) {
            x86_seam_check_poison(env, ra);
        }
    }
    if (result == TDX_MEM_POISON || result == TDX_MEM_VIEW) {
        attrs->secure = 0;
        attrs->space = X86_SPACE_VIEW;
    }
    return result == TDX_MEM_CACHE;
}

bool x86_seam_rw(CPUX86State *env, hwaddr pa, void *buf, unsigned int size,
                 bool write)
{
    TdxMemAccess a = seam_access(env, pa, size, write);
    TdxMemResult result = TDX_MEM_CACHE;

    if (!intel_tdx_mem_rw(env_archcpu(env)->tdx, &a, buf, &result)) {
        return false;
    }
    if (result == TDX_MEM_POISON) {
        if (x86_seam_root(env)) {
            /* A module has machine checks disabled. */
            qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
        } else {
            env->seam_poison = pa;
        }
    }
    return true;
}

/* Outside SEAM mode, no address may have a private key id. */
static bool seam_key_allowed(CPUX86State *env, uint64_t pa)
{
    return likely((pa & env->keyid_mask) < SEAM_FIRST_PRIVATE_KEY) ||
           (env->hflags & HF_SEAM_MASK);
}

uint64_t x86_seam_reserved(CPUX86State *env)
{
    return VMX_BAD(env, KEY_RESERVED,
                   !seam_key_allowed(env, SEAM_FIRST_PRIVATE_KEY)) ?
           SEAM_FIRST_PRIVATE_KEY : 0;
}

bool x86_seam_cr3_ok(CPUX86State *env, target_ulong cr3)
{
    /* In a guest, it is no physical address. */
    return (env->hflags & HF_GUEST_MASK) ||
           !VMX_BAD(env, KEY_CR3, !seam_key_allowed(env, cr3));
}
