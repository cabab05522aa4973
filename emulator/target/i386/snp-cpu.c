/*
 * AMD SEV, SEV-ES and SEV-SNP: CPU properties, CPUID and MSRs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "cpu.h"
#include "snp-cpu.h"
#include "hw/i386/amd-snp.h"
#include "system/kvm.h"

bool x86_snp_realize(X86CPU *cpu, Error **errp)
{
    if (kvm_enabled()) {
        error_setg(errp, "x-snp needs TCG");
        return false;
    }
    if (!IS_AMD_CPU(&cpu->env)) {
        error_setg(errp, "x-snp needs a CPU model of AMD's");
        return false;
    }
    /* The ASID field of an RMP entry has 10 bits. */
    if (!cpu->x_snp_es_asids || cpu->x_snp_es_asids > cpu->x_snp_asids ||
        cpu->x_snp_asids > 1023) {
        error_setg(errp,
                   "x-snp: 1 <= x-snp-es-asids <= x-snp-asids <= 1023 wanted");
        return false;
    }
    cpu->snp = amd_snp_create(cpu->x_snp_asids + 1);
    if (cpu->x_snp_stale_lines) {
        amd_mem_lines_enable(cpu->snp);
    }
    amd_snp_place_rmp(cpu->snp, cpu->x_snp_rmp_memory, cpu->x_snp_rmp_edges);
    return !cpu->x_snp_ignore ||
           amd_snp_ignore_rules(cpu->snp, cpu->x_snp_ignore, errp);
}

/* Features that hypervisors require along with SEV. */
void x86_snp_features(X86CPU *cpu)
{
    CPUX86State *env = &cpu->env;

    env->features[FEAT_SVM] |= CPUID_SVM_LBRV | CPUID_SVM_FLUSHASID |
                               CPUID_SVM_DECODEASSIST |
                               CPUID_SVM_NRIPSAVE |
                               CPUID_SVM_V_VMSAVE_VMLOAD;
    if (cpu->x_snp_avic) {
        env->features[FEAT_SVM] |= CPUID_SVM_AVIC;
    }
    env->cpuid_xlevel = MAX(env->cpuid_xlevel, 0x8000001F);
    /* Systems that do not see it calibrate the delays of each processor. */
    env->features[FEAT_8000_0007_EDX] |= CPUID_APM_INVTSC;
    /* Operating systems take it for granted that SEV-SNP comes with XSAVEC. */
    if (env->features[FEAT_1_ECX] & CPUID_EXT_XSAVE) {
        env->features[FEAT_XSAVE] |= CPUID_XSAVE_XSAVEC;
    }
    /* Operating systems do not look for an RMP in a virtual machine. */
    env->features[FEAT_1_ECX] &= ~CPUID_EXT_HYPERVISOR;
}

void x86_snp_reset(X86CPU *cpu)
{
    CPUX86SnpState *snp = &cpu->env.snp;

    memset(snp, 0, sizeof(*snp));
    /* The BIOS has enabled memory encryption, and locked SMM as SEV needs. */
    snp->syscfg = SYSCFG_SMEE;
    snp->hwcr = HWCR_SMMLOCK;
    amd_snp_bios_rmp(cpu->snp, &snp->rmp_base, &snp->rmp_end);
}

void x86_snp_cpuid(X86CPU *cpu, uint32_t *eax, uint32_t *ebx, uint32_t *ecx,
                   uint32_t *edx)
{
    *eax = SNP_CPUID_EAX_SME | SNP_CPUID_EAX_SEV |
           SNP_CPUID_EAX_PAGE_FLUSH_MSR | SNP_CPUID_EAX_SEV_ES |
           SNP_CPUID_EAX_SEV_SNP | SNP_CPUID_EAX_VMPL |
           SNP_CPUID_EAX_RMPQUERY | SNP_CPUID_EAX_HW_ENF_CACHE_COH |
           SNP_CPUID_EAX_64BIT_HOST | SNP_CPUID_EAX_DEBUG_SWAP |
           SNP_CPUID_EAX_ALLOWED_FEATURES;
    if (cpu->x_snp_rmpread) {
        *eax |= SNP_CPUID_EAX_RMPREAD;
    }
    if (cpu->x_snp_inuse_write) {
        *eax |= SNP_CPUID_EAX_HV_INUSE_WR;
    }
    if (cpu->x_snp_tsc_aux) {
        *eax |= SNP_CPUID_EAX_V_TSC_AUX;
    }
    *ebx = SNP_CBIT_POS | SNP_NUM_VMPLS << 12;
    *ecx = cpu->x_snp_asids;
    *edx = cpu->x_snp_es_asids + 1;
}

bool x86_snp_msr_locked(CPUX86State *env, uint32_t msr)
{
    AmdSnpState *s = env_archcpu(env)->snp;

    if (!s || !(env->snp.syscfg & SYSCFG_SNPEN) ||
        !amd_snp_rule(s, SNP_RULE_SYSCFG_LOCK)) {
        return false;
    }
    switch (msr) {
    case MSR_MTRRfix64K_00000:
    case MSR_MTRRfix16K_80000:
    case MSR_MTRRfix16K_A0000:
    case MSR_MTRRfix4K_C0000 ... MSR_MTRRfix4K_F8000:
    case MSR_IORR_BASE0 ... MSR_IORR_MASK1:
    case MSR_TOP_MEM:
    case MSR_TOP_MEM2:
    case MSR_SMM_KEY:
        return true;
    default:
        return false;
    }
}

/*
 * MSRs that belong to encryption do not exist without the CPU feature that they
 * depend on. Other MSRs that the model lacks read as 0.
 */
static bool msr_exists(uint32_t msr)
{
    return !(msr >= MSR_GUEST_TSC_FREQ && msr <= MSR_SNP_LAST) &&
           msr != MSR_SVSM_CAA;
}

uint64_t x86_snp_mtrr_types(CPUX86State *env)
{
    return env->snp.syscfg & SYSCFG_MFDM ? 0 : MTRR_FIX_RDMEM_WRMEM;
}

bool x86_snp_msr_native(CPUX86State *env, uint32_t msr)
{
    return (env->snp.es && msr == MSR_GHCB) ||
           (env->snp.sev && msr == MSR_SEV_STATUS);
}

static SnpMsrResult unknown_msr(CPUX86State *env, uint32_t msr)
{
    return msr_exists(msr) ||
           !amd_snp_rule(env_archcpu(env)->snp, SNP_RULE_MSR_EXISTS) ?
           SNP_MSR_UNKNOWN : SNP_MSR_GP;
}

SnpMsrResult x86_snp_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val)
{
    CPUX86SnpState *snp = &env->snp;

    switch (msr) {
    case MSR_K7_HWCR:
        *val = snp->hwcr;
        return SNP_MSR_OK;
    case MSR_SYSCFG:
        *val = snp->syscfg;
        return SNP_MSR_OK;
    case MSR_RMP_BASE:
        *val = snp->rmp_base;
        return SNP_MSR_OK;
    case MSR_RMP_END:
        *val = snp->rmp_end;
        return SNP_MSR_OK;
    case MSR_SEV_STATUS:
        *val = 0;
        if (snp->sev) {
            *val = 1 | (snp->es ? 2 : 0) | snp->sev_features << 2;
        }
        return SNP_MSR_OK;
    case MSR_GHCB:
        if (!snp->es) {
            return SNP_MSR_GP;
        }
        *val = snp->ghcb;
        return SNP_MSR_OK;
    case MSR_VM_PAGE_FLUSH:
        return SNP_MSR_GP;
    default:
        return unknown_msr(env, msr);
    }
}

static SnpMsrResult write_syscfg(CPUX86State *env, uint64_t val)
{
    AmdSnpState *s = env_archcpu(env)->snp;

    /* From then on writes are ignored until a reset. */
    if ((env->snp.syscfg & SYSCFG_SNPEN) &&
        amd_snp_rule(s, SNP_RULE_SYSCFG_LOCK)) {
        return SNP_MSR_OK;
    }
    if (val & ~SYSCFG_WRITABLE) {
        return SNP_MSR_GP;
    }
    if ((val & SYSCFG_SNPEN) && !(val & SYSCFG_SMEE)) {
        return SNP_MSR_GP;
    }
    if ((val & SYSCFG_VMPLEN) && !(val & SYSCFG_SNPEN)) {
        return SNP_MSR_GP;
    }
    amd_snp_set_msr(s, &env->snp.syscfg, val);
    return SNP_MSR_OK;
}

static SnpMsrResult write_rmp_range(CPUX86State *env, uint64_t *reg,
                                    uint64_t val)
{
    AmdSnpState *s = env_archcpu(env)->snp;

    if ((env->snp.syscfg & SYSCFG_SNPEN) &&
        amd_snp_rule(s, SNP_RULE_SYSCFG_LOCK)) {
        return SNP_MSR_GP;
    }
    amd_snp_set_msr(s, reg, val);
    return SNP_MSR_OK;
}

/* [11:0] ASID, [63:12] linear page: its lines with that ASID are flushed. */
static SnpMsrResult write_page_flush(CPUX86State *env, uint64_t val)
{
    AmdSnpState *s = env_archcpu(env)->snp;
    uint32_t asid = val & 0xfff;
    MemTxAttrs attrs;
    hwaddr spa;

    if (!asid) {
        return SNP_MSR_GP;
    }
    if (amd_mem_lines_on(s)) {
        spa = cpu_get_phys_page_attrs_debug(env_cpu(env), val & ~0xfffULL,
                                            &attrs);
        if (spa != -1) {
            amd_mem_lines_flush_page(s, spa, asid);
        }
    }
    return SNP_MSR_OK;
}

SnpMsrResult x86_snp_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val)
{
    CPUX86SnpState *snp = &env->snp;

    switch (msr) {
    case MSR_K7_HWCR:
        snp->hwcr = val | HWCR_SMMLOCK;
        return SNP_MSR_OK;
    case MSR_SYSCFG:
        return write_syscfg(env, val);
    case MSR_RMP_BASE:
        if (val & ~RMP_ADDR_MASK) {
            return SNP_MSR_GP;
        }
        return write_rmp_range(env, &snp->rmp_base, val);
    case MSR_RMP_END:
        if (val >> 52) {
            return SNP_MSR_GP;
        }
        return write_rmp_range(env, &snp->rmp_end, val | 0x1fff);
    case MSR_SEV_STATUS:
        return SNP_MSR_GP;
    case MSR_GHCB:
        if (!snp->es) {
            return SNP_MSR_GP;
        }
        snp->ghcb = val;
        return SNP_MSR_OK;
    case MSR_VM_PAGE_FLUSH:
        return write_page_flush(env, val);
    default:
        return unknown_msr(env, msr);
    }
}
