/*
 * AMD SEV, SEV-ES and SEV-SNP: CPU properties, CPUID and MSRs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_I386_SNP_CPU_H
#define TARGET_I386_SNP_CPU_H

#include "cpu.h"

/* cpu.c: what x-snp=on adds to a CPU. */
bool x86_snp_realize(X86CPU *cpu, Error **errp);
void x86_snp_features(X86CPU *cpu);
void x86_snp_reset(X86CPU *cpu);
void x86_snp_cpuid(X86CPU *cpu, uint32_t *eax, uint32_t *ebx, uint32_t *ecx,
                   uint32_t *edx);

typedef enum SnpMsrResult {
    SNP_MSR_UNKNOWN,            /* not one of these */
    SNP_MSR_OK,
    SNP_MSR_GP,
} SnpMsrResult;

SnpMsrResult x86_snp_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val);
SnpMsrResult x86_snp_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val);

/* Bits of fixed-range MTRRs that currently read as 0 and cannot be set */
uint64_t x86_snp_mtrr_types(CPUX86State *env);

/* MSRs that cannot be written once SNPEn is set. */
bool x86_snp_msr_locked(CPUX86State *env, uint32_t msr);

/* MSRs of a SEV-ES guest that the hypervisor cannot intercept. */
bool x86_snp_msr_native(CPUX86State *env, uint32_t msr);

#endif
