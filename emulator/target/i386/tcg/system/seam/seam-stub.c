/*
 * SEAM mode: features that a TDX module finds, and the processor does not have
 *
 * Modules made for hardware refuse a processor without CET, architectural LBRs,
 * Processor Trace, performance monitoring and more, whether or not a TD uses
 * them. With x-seam-stubs, software in SEAM root operation finds them in CPUID
 * and in capability MSRs. They are stubs: controls have no effect, fields of a
 * VMCS keep what is written, and MSRs are zero, unless they are listed here.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qemu/timer.h"
#include "tcg/seam-hooks.h"
#include "tcg/system/vmx/vmx-internal.h"

#define STUB_ANY        UINT32_MAX

typedef struct StubCpuid {
    uint32_t leaf, subleaf;
    int reg;
    uint32_t mask, val;         /* bits, and what they are */
} StubCpuid;

/* CPUID, beyond what the processor model has */
static const StubCpuid stub_cpuid[] = {
    { 1, STUB_ANY, R_ECX, 0x47faa217, 0x47faa217 },
    { 1, STUB_ANY, R_EDX, 0x1fa9fbff, 0x1fa9fbff },
    { 7, 0, R_EAX, UINT32_MAX, 2 },
    { 7, 0, R_EBX, 0x219424c3, 0x219424c3 },
    { 7, 0, R_ECX, 0x99000000, 0x99000000 },
    { 7, 0, R_EDX, 0xfc082600, 0xfc080400 },
    { 7, 2, R_EDX, 0x17, 0x17 },
    /* Performance monitoring 5: 8 counters and 4 fixed ones, 48 bits */
    { 0xa, STUB_ANY, R_EAX, UINT32_MAX, 0x08300805 },
    { 0xa, STUB_ANY, R_EBX, UINT32_MAX, 0 },
    { 0xa, STUB_ANY, R_ECX, UINT32_MAX, 0xf },
    { 0xa, STUB_ANY, R_EDX, UINT32_MAX, 0x8604 },
    { 0xd, 1, R_EAX, 0xf, 0xf },
    /* CET: 16 and 24 bytes of IA32_XSS state */
    { 0xd, 1, R_ECX, 0x1800, 0x1800 },
    { 0xd, 11, R_EAX, UINT32_MAX, 16 },
    { 0xd, 11, R_ECX, UINT32_MAX, 1 },
    { 0xd, 12, R_EAX, UINT32_MAX, 24 },
    { 0xd, 12, R_ECX, UINT32_MAX, 1 },
    /* Processor Trace has subleaf 1. */
    { 0x14, 0, R_EAX, UINT32_MAX, 1 },
    { 0x1a, STUB_ANY, R_EAX, UINT32_MAX, 0x40000000 },
    /* 32 LBRs */
    { 0x1c, STUB_ANY, R_EAX, 0xff, 0x8 },
    { 0x80000001, STUB_ANY, R_ECX, 0x121, 0x121 },
    { 0x80000006, STUB_ANY, R_ECX, 0xff, 0x40 },
    { 0x80000008, STUB_ANY, R_EBX, 0x200, 0x200 },
};

typedef struct StubMsr {
    uint32_t msr;
    uint64_t mask, val;
} StubMsr;

/* MSRs with bits that say what there is */
static const StubMsr stub_msrs[] = {
    /* IA32_MISC_PACKAGE_CTLS: energy filtering */
    { 0xbc, UINT64_MAX, 1 },
    /* IA32_XAPIC_DISABLE_STATUS */
    { 0xbd, UINT64_MAX, 1 },
    /* IA32_MTRRCAP: SMRR, and its lock */
    { MSR_MTRRcap, 0x4800, 0x4800 },
    { MSR_IA32_ARCH_CAPABILITIES, 0x24fd6f, 0x20fd6b },
    /* IA32_MISC_ENABLE: performance monitoring, BTS */
    { MSR_IA32_MISC_ENABLE, 0x880, 0x80 },
    /* SMRR is locked and not valid. */
    { 0x1f2, UINT64_MAX, 0 },
    { 0x1f3, UINT64_MAX, 0x400 },
    /* IA32_PERF_CAPABILITIES: freeze in SMM, full-width writes */
    { 0x345, UINT64_MAX, 0x3000 },
};

#define MSR_FIXED_CTR0      0x309   /* instructions retired */

/* Controls, and bits of other capability MSRs */
static const struct {
    FeatureWord word;
    uint64_t features;
} stub_features[] = {
    /*
     * ENCLS, ENCLV, conceal VMX from PT, PASID, PT uses GPAs, PCONFIG, user
     * wait, bus locks, notification; and all that the processor can have
     */
    { FEAT_VMX_SECONDARY_CTLS, 0xdf7fffff },
    /* HLAT, paging-write, guest-paging verification, GPAW */
    { FEAT_VMX_TERTIARY_CTLS, 0x2e },
    { FEAT_VMX_PROCBASED_CTLS, VMX_CPU_BASED_ACTIVATE_TERTIARY_CONTROLS },
    /* PERF_GLOBAL_CTRL, PT, LBR, UINV, CET */
    { FEAT_VMX_EXIT_CTLS, 0x5f001000 },
    { FEAT_VMX_ENTRY_CTLS, 0x007e2000 },
    { FEAT_VMX_MISC, 0x200040e0 },
};

bool x86_seam_stubs(CPUX86State *env)
{
    return unlikely(env_archcpu(env)->x_seam_stubs) &&
           (env->hflags & HF_SEAM_MASK);
}

/*
 * Leaf 0x1f is like leaf 0xb if the machine has no further levels. A package
 * has at least two logical processors.
 */
static void stub_topology(CPUX86State *env, uint32_t leaf, uint32_t subleaf,
                          uint32_t *regs)
{
    if (leaf == 0x1f && !regs[R_EDX] && !regs[R_ECX]) {
        cpu_x86_cpuid(env, 0xb, subleaf, &regs[R_EAX], &regs[R_EBX],
                      &regs[R_ECX], &regs[R_EDX]);
    }
    if (leaf == 0x1f && subleaf == 1 && !regs[R_EAX]) {
        regs[R_EAX] = 1;
    }
    if (leaf == 4 && subleaf == 3 && !(regs[R_EAX] & 0x3ffc000)) {
        regs[R_EAX] |= 1 << 14;
    }
    /* L3: not inclusive, 64 bytes */
    if (leaf == 4 && subleaf == 3) {
        regs[R_EDX] &= ~1u;
    }
}

void x86_seam_stub_cpuid(CPUX86State *env, uint32_t leaf, uint32_t subleaf,
                         uint32_t *regs)
{
    int i;

    if (!x86_seam_stubs(env)) {
        return;
    }
    for (i = 0; i < ARRAY_SIZE(stub_cpuid); i++) {
        const StubCpuid *c = &stub_cpuid[i];

        if (c->leaf == leaf &&
            (c->subleaf == subleaf || c->subleaf == STUB_ANY)) {
            regs[c->reg] = (regs[c->reg] & ~c->mask) | c->val;
        }
    }
    stub_topology(env, leaf, subleaf, regs);
}

uint64_t x86_seam_stub_features(CPUX86State *env, FeatureWord word)
{
    int i;

    for (i = 0; x86_seam_stubs(env) && i < ARRAY_SIZE(stub_features); i++) {
        if (stub_features[i].word == word) {
            return stub_features[i].features;
        }
    }
    return 0;
}

/* Time passes as if each instruction took a nanosecond. */
static uint64_t stub_instructions(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

bool x86_seam_stub_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val)
{
    int i;

    if (!x86_seam_root(env) || !x86_seam_stubs(env)) {
        return false;
    }
    if (msr == MSR_FIXED_CTR0) {
        *val = (stub_instructions() - env->vmx->stub_instructions) &
               MAKE_64BIT_MASK(0, 48);
        return true;
    }
    for (i = 0; i < ARRAY_SIZE(stub_msrs); i++) {
        if (stub_msrs[i].msr == msr) {
            *val = (*val & ~stub_msrs[i].mask) | stub_msrs[i].val;
            return true;
        }
    }
    return false;
}

bool x86_seam_stub_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val)
{
    if (!x86_seam_root(env) || !x86_seam_stubs(env) ||
        msr != MSR_FIXED_CTR0) {
        return false;
    }
    env->vmx->stub_instructions = stub_instructions() - val;
    return true;
}
