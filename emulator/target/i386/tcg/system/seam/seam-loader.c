/*
 * SEAM mode: SEAMCALLs to the P-SEAMLDR
 *
 * The platform is the loader (hw/i386/intel-tdx/intel-tdx-seamldr.c). Here are
 * the registers, and the accesses to what they point to: with key id 0, and as
 * the host would access it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "hw/i386/intel-tdx.h"
#include "tcg/helper-tcg.h"
#include "tcg/seam-hooks.h"
#include "target/i386/trace.h"
#include "tcg/system/vmx/vmx-internal.h"

/* RAX */
#define SEAMLDR_INFO        0x8000000000000000ULL
#define SEAMLDR_INSTALL     0x8000000000000001ULL
#define SEAMLDR_SHUTDOWN    0x8000000000000002ULL
#define SEAMLDR_EBADPARAM   0x8000000000000000ULL

/* @size is a multiple of 8. In lines with key ids, word by word */
static void loader_rw(CPUX86State *env, hwaddr pa, uint8_t *buf,
                      unsigned int size, bool write)
{
    CPUState *cs = env_cpu(env);
    MemTxAttrs attrs = cpu_get_mem_attrs(env);
    AddressSpace *as = cpu_addressspace(cs, attrs);
    unsigned int at;

    if (intel_tdx_mem_plain(env_archcpu(env)->tdx, pa)) {
        address_space_rw(as, pa, attrs, buf, size, write);
        return;
    }
    for (at = 0; at < size; at += 8) {
        if (!x86_seam_rw(env, pa + at, buf + at, 8, write)) {
            address_space_rw(as, pa + at, attrs, buf + at, 8, write);
        }
    }
}

static bool loader_read_page(void *opaque, hwaddr pa, uint8_t *page)
{
    CPUX86State *env = opaque;

    loader_rw(env, pa, page, TARGET_PAGE_SIZE, false);
    /* The machine check is raised when the loader has been left. */
    return !env->seam_poison;
}

static uint64_t loader_info(CPUX86State *env)
{
    hwaddr pa = env->regs[R_ECX];
    uint8_t info[TDX_LOADER_INFO_SIZE];
    uint64_t status;

    status = intel_tdx_loader_info(env_archcpu(env)->tdx,
                                   env_cpu(env)->cpu_index, pa, info);
    if (!status) {
        loader_rw(env, pa, info, sizeof(info), true);
    }
    return status;
}

static uint64_t loader_leaf(CPUX86State *env)
{
    IntelTdxState *tdx = env_archcpu(env)->tdx;
    unsigned int lp = env_cpu(env)->cpu_index;

    switch (env->regs[R_EAX]) {
    case SEAMLDR_INFO:
        return loader_info(env);
    case SEAMLDR_INSTALL:
        return intel_tdx_loader_install(tdx, lp, env->regs[R_ECX],
                                        loader_read_page, env);
    case SEAMLDR_SHUTDOWN:
        return intel_tdx_loader_shutdown(tdx, lp);
    default:
        return SEAMLDR_EBADPARAM;
    }
}

/*
 * Without the BQL, as all instructions. The loader is left before a machine
 * check is raised: that does not return.
 */
void x86_seam_loader_call(CPUX86State *env, uintptr_t ra)
{
    IntelTdxState *tdx = env_archcpu(env)->tdx;
    uint64_t leaf = env->regs[R_EAX], status;

    if (!intel_tdx_loader_enter(tdx)) {
        vmx_fail_invalid(env);
        return;
    }
    status = loader_leaf(env);
    intel_tdx_loader_leave(tdx);
    trace_seam_loader(env_cpu(env)->cpu_index, leaf, env->regs[R_ECX], status);
    x86_seam_check_poison(env, ra);
    env->regs[R_EAX] = status;
    vmx_succeed(env);
}
