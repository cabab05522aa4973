/*
 * SEAM mode: processors that have it, their MSRs and the SEAM transfer VMCS
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qapi/error.h"
#include "hw/i386/intel-tdx.h"
#include "tcg/seam-hooks.h"
#include "vmx.h"
#include "tcg/system/vmx/vmx-internal.h"

QEMU_BUILD_BUG_ON(SEAM_KEYID_SHIFT != TDX_KEYID_SHIFT);
QEMU_BUILD_BUG_ON(SEAM_FIRST_PRIVATE_KEY !=
                  (uint64_t)TDX_FIRST_PRIVATE_KEYID << TDX_KEYID_SHIFT);

#define MSR_MKTME_KEYID_PARTITIONING    0x87
#define MSR_WBINVDP                     0x98
#define MSR_WBNOINVDP                   0x99
#define MSR_INTR_PENDING                0x9a
#define MSR_TME_CAPABILITY              0x981
#define MSR_TME_ACTIVATE                0x982
#define MSR_SEAMRR_PHYS_BASE            0x1400
#define MSR_SEAMRR_PHYS_MASK            0x1401

#define TME_AES_XTS_128         1
#define TME_LOCKED              (1 << 0)
#define TME_ENABLED             (1 << 1)
#define TME_KEYID_BITS_SHIFT    32
#define TME_TDX_BITS_SHIFT      36
#define TME_MAX_KEYS_SHIFT      36      /* of IA32_TME_CAPABILITY */
#define TME_ALGORITHMS_SHIFT    48
#define TDX_KEYID_BITS_RESERVED 5

#define SEAMRR_CONFIGURED       (1 << 3)
#define SEAMRR_LOCKED           (1 << 10)
#define SEAMRR_ENABLED          (1 << 11)

/* CPUID.1: EAX, of family 6 */
#define MODEL_SPR               0x8f
#define MODEL_EMR               0xcf

#define INTR_PENDING_INTR       1
#define INTR_PENDING_NMI        2
#define INTR_PENDING_SMI        4

/*
 * What all processors with SEAM mode have: TDX modules require it, and VMMs
 * expect that TDs see it.
 */
void x86_seam_features(CPUX86State *env)
{
    env->features[FEAT_1_EDX] |= CPUID_SS;
    env->features[FEAT_7_0_ECX] |= CPUID_7_0_ECX_MOVDIRI |
                                   CPUID_7_0_ECX_MOVDIR64B;
    env->features[FEAT_7_0_EDX] |= CPUID_7_0_EDX_MD_CLEAR |
        CPUID_7_0_EDX_SPEC_CTRL | CPUID_7_0_EDX_STIBP |
        CPUID_7_0_EDX_FLUSH_L1D | CPUID_7_0_EDX_ARCH_CAPABILITIES |
        CPUID_7_0_EDX_CORE_CAPABILITY | CPUID_7_0_EDX_SPEC_CTRL_SSBD;
    env->features[FEAT_7_2_EDX] |= CPUID_7_2_EDX_PSFD |
        CPUID_7_2_EDX_IPRED_CTRL | CPUID_7_2_EDX_RRSBA_CTRL |
        CPUID_7_2_EDX_BHI_CTRL;
}

/* Sapphire Rapids and Emerald Rapids have the erratum of partial writes. */
static bool seam_partial_write(CPUX86State *env)
{
    uint32_t v = env->cpuid_version;
    unsigned int family = (v >> 8) & 0xf;
    unsigned int model = ((v >> 4) & 0xf) | ((v >> 12) & 0xf0);

    return family == 6 && (model == MODEL_SPR || model == MODEL_EMR);
}

static void seam_ignore_rules(X86CPU *cpu)
{
    static const struct {
        VmxRule rule;
        TdxRule ignore;
    } rules[] = {
        { VMX_RULE_KEY_HOST_READ, TDX_RULE_HOST_READ },
        { VMX_RULE_KEY_HOST_WRITE, TDX_RULE_HOST_WRITE },
        { VMX_RULE_KEY_OWNER, TDX_RULE_OWNER },
        { VMX_RULE_KEY_PARTIAL, TDX_RULE_PARTIAL },
        { VMX_RULE_KEY_ALIAS, TDX_RULE_ALIAS },
        { VMX_RULE_KEY_PROGRAM, TDX_RULE_PROGRAM },
        { VMX_RULE_KEY_CONFIGURED, TDX_RULE_CONFIGURED },
        { VMX_RULE_KEY_WRITE_BACK, TDX_RULE_WRITE_BACK },
        { VMX_RULE_KEY_DMA, TDX_RULE_DMA },
        { VMX_RULE_KEY_PARTIAL_WRITE, TDX_RULE_PARTIAL_WRITE },
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(rules); i++) {
        if (!vmx_rule(&cpu->env, rules[i].rule)) {
            intel_tdx_ignore(cpu->tdx, rules[i].ignore);
        }
    }
    if (!seam_partial_write(&cpu->env)) {
        intel_tdx_ignore(cpu->tdx, TDX_RULE_PARTIAL_WRITE);
    }
}

bool x86_seam_realize(X86CPU *cpu, Error **errp)
{
    CPUX86State *env = &cpu->env;

    if (!env->vmx) {
        error_setg(errp, "x-seam needs a processor with VMX (vmx=on)");
        return false;
    }
    if (cpu->phys_bits != TDX_KEYID_SHIFT + TDX_KEYID_BITS) {
        error_setg(errp, "x-seam needs phys-bits=%d",
                   TDX_KEYID_SHIFT + TDX_KEYID_BITS);
        return false;
    }
    cpu->tdx = intel_tdx_create(cpu->x_seam_module, cpu->x_seam_report_key,
                                errp);
    if (!cpu->tdx) {
        return false;
    }
    seam_ignore_rules(cpu);
    if (cpu->x_seam_loader) {
        intel_tdx_loader_enable(cpu->tdx, env->cpuid_version);
        /* Its SEAMRET leaves the current VMCS of the host alone. */
        env->features[FEAT_VMX_BASIC] |= MSR_VMX_BASIC_NO_SEAMRET_INVD_VMCS;
    }
    env->keyid_mask = TDX_KEYID_MASK;
    /* Without TME, software does not look for key ids in addresses. */
    env->features[FEAT_7_0_ECX] |= CPUID_7_0_ECX_TME;
    /* TDX modules require these, which no other processor has with TCG. */
    env->features[FEAT_7_0_ECX] |= CPUID_7_0_ECX_BUS_LOCK_DETECT;
    env->features[FEAT_7_0_EDX] |= CPUID_7_0_EDX_PCONFIG;
    env->features[FEAT_8000_0007_EDX] |= CPUID_APM_INVTSC;
    env->features[FEAT_VMX_SECONDARY_CTLS] |=
        VMX_SECONDARY_EXEC_EPT_VIOLATION_VE;
    return true;
}

static uint64_t seam_tme_activate(void)
{
    return TME_LOCKED | TME_ENABLED |
           (uint64_t)TDX_KEYID_BITS << TME_KEYID_BITS_SHIFT |
           (uint64_t)TDX_KEYID_BITS_RESERVED << TME_TDX_BITS_SHIFT |
           (uint64_t)TME_AES_XTS_128 << TME_ALGORITHMS_SHIFT;
}

static uint64_t seam_tme_capability(void)
{
    return TME_AES_XTS_128 |
           (uint64_t)TDX_KEYID_BITS << TME_KEYID_BITS_SHIFT |
           (uint64_t)(TDX_SHARED_KEYIDS + TDX_PRIVATE_KEYIDS)
           << TME_MAX_KEYS_SHIFT;
}

static uint64_t seam_intr_pending(CPUX86State *env)
{
    int request = qatomic_read(&env_cpu(env)->interrupt_request);

    return (request & CPU_INTERRUPT_HARD ? INTR_PENDING_INTR : 0) |
           (request & CPU_INTERRUPT_NMI ? INTR_PENDING_NMI : 0) |
           (request & CPU_INTERRUPT_SMI ? INTR_PENDING_SMI : 0);
}

/* These exist in SEAM root operation only. */
static VmxMsrResult seam_read_module_msr(CPUX86State *env, uint32_t msr,
                                         uint64_t *val)
{
    if (!x86_seam_root(env)) {
        return VMX_MSR_GP;
    }
    *val = msr == MSR_INTR_PENDING ? seam_intr_pending(env) :
                                     TDX_CACHE_BLOCKS;
    return VMX_MSR_OK;
}

VmxMsrResult x86_seam_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val)
{
    if (!env_archcpu(env)->tdx) {
        return VMX_MSR_UNKNOWN;
    }
    switch (msr) {
    case MSR_MKTME_KEYID_PARTITIONING:
        *val = TDX_SHARED_KEYIDS | (uint64_t)TDX_PRIVATE_KEYIDS << 32;
        return VMX_MSR_OK;
    case MSR_WBINVDP:
    case MSR_WBNOINVDP:
    case MSR_INTR_PENDING:
        return seam_read_module_msr(env, msr, val);
    case MSR_TME_CAPABILITY:
        *val = seam_tme_capability();
        return VMX_MSR_OK;
    case MSR_TME_ACTIVATE:
        *val = seam_tme_activate();
        return VMX_MSR_OK;
    case MSR_SEAMRR_PHYS_BASE:
        *val = TDX_SEAMRR_BASE | SEAMRR_CONFIGURED;
        return VMX_MSR_OK;
    case MSR_SEAMRR_PHYS_MASK:
        *val = (MAKE_64BIT_MASK(0, TDX_KEYID_SHIFT) & -TDX_SEAMRR_SIZE) |
               SEAMRR_LOCKED | SEAMRR_ENABLED;
        return VMX_MSR_OK;
    default:
        return VMX_MSR_UNKNOWN;
    }
}

/* All of these are locked, but for the steps of a cache flush. */
VmxMsrResult x86_seam_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val)
{
    uint64_t old;

    if (msr == MSR_WBINVDP || msr == MSR_WBNOINVDP) {
        VmxMsrResult r = x86_seam_rdmsr(env, msr, &old);

        if (r == VMX_MSR_OK && val >= old) {
            return VMX_MSR_GP;
        }
        if (r == VMX_MSR_OK) {
            intel_tdx_write_back_block(env_archcpu(env)->tdx, val,
                                       env_cpu(env)->cpu_index);
        }
        return r;
    }
    return x86_seam_rdmsr(env, msr, &old) == VMX_MSR_UNKNOWN ?
           VMX_MSR_UNKNOWN : VMX_MSR_GP;
}

void x86_seam_init_vmcs(uint8_t *page, const X86SeamEntry *entry)
{
    const struct {
        VmxField field;
        uint64_t val;
    } fields[] = {
        { VMX_EXIT_CTLS, VMX_VM_EXIT_SAVE_DEBUG_CONTROLS |
                         VMX_VM_EXIT_HOST_ADDR_SPACE_SIZE |
                         VMX_VM_EXIT_SAVE_IA32_PAT | VMX_VM_EXIT_LOAD_IA32_PAT |
                         VMX_VM_EXIT_SAVE_IA32_EFER |
                         VMX_VM_EXIT_LOAD_IA32_EFER },
        { VMX_ENTRY_CTLS, VMX_VM_ENTRY_LOAD_DEBUG_CONTROLS |
                          VMX_VM_ENTRY_IA32E_MODE |
                          VMX_VM_ENTRY_LOAD_IA32_PAT |
                          VMX_VM_ENTRY_LOAD_IA32_EFER },
        { VMX_VMCS_LINK, VMX_NO_VMCS },
        { VMX_HOST_CS_SEL, 0x08 },
        { VMX_HOST_SS_SEL, 0x10 },
        { VMX_HOST_DS_SEL, 0x18 },
        { VMX_HOST_ES_SEL, 0x18 },
        { VMX_HOST_TR_SEL, 0x20 },
        { VMX_HOST_PAT, 0x0006060606060606ULL },
        { VMX_HOST_EFER, MSR_EFER_LME | MSR_EFER_LMA | MSR_EFER_NXE },
        { VMX_HOST_CR0, CR0_PE_MASK | CR0_ET_MASK | CR0_NE_MASK | CR0_WP_MASK |
                        CR0_PG_MASK },
        { VMX_HOST_CR3, entry->cr3 },
        { VMX_HOST_CR4, CR4_DE_MASK | CR4_PAE_MASK | CR4_PGE_MASK |
                        CR4_OSFXSR_MASK | CR4_OSXMMEXCPT_MASK | CR4_VMXE_MASK |
                        CR4_FSGSBASE_MASK | CR4_OSXSAVE_MASK | CR4_SMEP_MASK |
                        entry->cr4 },
        { VMX_HOST_FS_BASE, entry->fs_base },
        { VMX_HOST_GS_BASE, entry->gs_base },
        { VMX_HOST_IDTR_BASE, entry->idt_base },
        { VMX_HOST_GDTR_BASE, entry->gdt_base },
        { VMX_HOST_RSP, entry->rsp },
        { VMX_HOST_RIP, entry->rip },
        { VMX_HOST_SSP, entry->ssp },
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(fields); i++) {
        vmx_image_set(page, fields[i].field, fields[i].val);
    }
}
