/*
 * AMD Secure Processor: SEV-SNP, validation of a guest's CPUID
 *
 * The CPUID page must not report a feature that the machine lacks. Which leaves
 * the firmware compares, and how, is defined in the manual of each processor;
 * here it is the table below. The host decides about all other leaves.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"
#include "trace.h"

typedef enum { EAX, EBX, ECX, EDX } Reg;
typedef enum { SUBSET, EXACT, AT_MOST } Mode;

#define ANY_INDEX   UINT32_MAX

typedef struct CpuidRule {
    uint32_t fn;
    uint32_t index;
    Reg reg;
    Mode mode;
    uint32_t mask;              /* the bits that are compared */
} CpuidRule;

#define ECX1_X2APIC     (1u << 21)
#define ECX1_OSXSAVE    (1u << 27)
#define ECX1_HYPERVISOR (1u << 31)
#define EDX1_HTT        (1u << 28)
#define ECX7_OSPKE      (1u << 4)
#define ECX81_CMP_LEGACY (1u << 1)
#define ECX81_TOPOEXT   (1u << 22)
#define EBX1F_CBIT      0x3fu

static const CpuidRule rules[] = {
    { 0x00000000, ANY_INDEX, EAX, AT_MOST, ~0u },
    { 0x00000000, ANY_INDEX, EBX, EXACT, ~0u },
    { 0x00000000, ANY_INDEX, ECX, EXACT, ~0u },
    { 0x00000000, ANY_INDEX, EDX, EXACT, ~0u },
    { 0x00000001, ANY_INDEX, ECX, SUBSET,
      ~(ECX1_X2APIC | ECX1_OSXSAVE | ECX1_HYPERVISOR) },
    { 0x00000001, ANY_INDEX, EDX, SUBSET, ~EDX1_HTT },
    { 0x00000007, 0, EAX, AT_MOST, ~0u },
    { 0x00000007, 0, EBX, SUBSET, ~0u },
    { 0x00000007, 0, ECX, SUBSET, ~ECX7_OSPKE },
    { 0x00000007, 0, EDX, SUBSET, ~0u },
    { 0x00000007, 1, EAX, SUBSET, ~0u },
    { 0x0000000d, 0, EAX, SUBSET, ~0u },
    { 0x0000000d, 0, EDX, SUBSET, ~0u },
    { 0x0000000d, 1, EAX, SUBSET, ~0u },
    { 0x80000000, ANY_INDEX, EBX, EXACT, ~0u },
    { 0x80000000, ANY_INDEX, ECX, EXACT, ~0u },
    { 0x80000000, ANY_INDEX, EDX, EXACT, ~0u },
    { 0x80000001, ANY_INDEX, ECX, SUBSET, ~(ECX81_CMP_LEGACY | ECX81_TOPOEXT) },
    { 0x80000001, ANY_INDEX, EDX, SUBSET, ~0u },
    { 0x80000008, ANY_INDEX, EBX, SUBSET, ~0u },
    { 0x8000001f, ANY_INDEX, EAX, SUBSET, ~0u },
    { 0x8000001f, ANY_INDEX, EBX, EXACT, EBX1F_CBIT },
};

static uint32_t *reg_of(PspCpuid *id, Reg reg)
{
    return reg == EAX ? &id->eax : reg == EBX ? &id->ebx :
           reg == ECX ? &id->ecx : &id->edx;
}

static uint32_t accepted(const CpuidRule *rule, uint32_t given, uint32_t have)
{
    uint32_t value;

    switch (rule->mode) {
    case SUBSET:
        value = given & have;
        break;
    case EXACT:
        value = have;
        break;
    default:
        value = MIN(given, have);
        break;
    }
    return (value & rule->mask) | (given & ~rule->mask);
}

/* Correct values that the machine does not report; true if there were none. */
static bool check_function(SnpCpuidFn *fn)
{
    static const char *const names[] = { "EAX", "EBX", "ECX", "EDX" };
    PspCpuid given = { fn->eax, fn->ebx, fn->ecx, fn->edx };
    PspCpuid have = psp_cpuid(fn->eax_in, fn->ecx_in);
    bool ok = true;
    int i;

    for (i = 0; i < ARRAY_SIZE(rules); i++) {
        const CpuidRule *rule = &rules[i];
        uint32_t *reg = reg_of(&given, rule->reg);
        uint32_t value;

        if (rule->fn != fn->eax_in ||
            (rule->index != ANY_INDEX && rule->index != fn->ecx_in)) {
            continue;
        }
        value = accepted(rule, *reg, *reg_of(&have, rule->reg));
        if (value != *reg) {
            trace_amd_psp_cpuid(fn->eax_in, fn->ecx_in, names[rule->reg],
                                *reg, value);
            *reg = value;
            ok = false;
        }
    }
    fn->eax = given.eax;
    fn->ebx = given.ebx;
    fn->ecx = given.ecx;
    fn->edx = given.edx;
    return ok;
}

/*
 * Validate a table, from a CPUID page or from MSG_CPUID_REQ. Wrong values are
 * corrected.
 */
bool snp_cpuid_check(AmdPspState *s, SnpCpuidTable *table)
{
    bool ok = true;
    uint32_t i;

    if (!psp_rule(s, PSP_RULE_CPUID_PAGE)) {
        return true;
    }
    if (table->count > SNP_CPUID_MAX) {
        table->count = SNP_CPUID_MAX;
        ok = false;
    }
    for (i = 0; i < table->count; i++) {
        ok &= check_function(&table->fn[i]);
    }
    return ok;
}
