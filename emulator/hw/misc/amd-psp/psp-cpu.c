/*
 * AMD Secure Processor: what firmware knows about the machine's CPUs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "psp-internal.h"

PspCpuid psp_cpuid(uint32_t fn, uint32_t index)
{
    PspCpuid id;

    cpu_x86_cpuid(&X86_CPU(first_cpu)->env, fn, index,
                  &id.eax, &id.ebx, &id.ecx, &id.edx);
    return id;
}

static bool encryption_leaf(PspCpuid *id)
{
    if (psp_cpuid(0x80000000, 0).eax < 0x8000001f) {
        return false;
    }
    *id = psp_cpuid(0x8000001f, 0);
    return id->eax & 1;
}

uint64_t psp_cpu_cbit(void)
{
    PspCpuid id;

    return encryption_leaf(&id) ? 1ull << (id.ebx & 0x3f) : 0;
}

/* The ASIDs of guests with SEV-ES or SNP, or of guests with SEV only */
void psp_asid_range(bool es_or_snp, uint32_t *min, uint32_t *max)
{
    PspCpuid id;

    if (!encryption_leaf(&id)) {
        *min = 1;
        *max = 0;
    } else if (es_or_snp) {
        *min = 1;
        *max = id.edx - 1;
    } else {
        *min = id.edx;
        *max = id.ecx;
    }
}

bool psp_cpu_mfdm(AmdPspState *s)
{
    return amd_snp_syscfg_all(s->snp, SYSCFG_MFDM);
}

bool psp_cpu_vmplen(AmdPspState *s)
{
    return amd_snp_syscfg_all(s->snp, SYSCFG_VMPLEN);
}

bool psp_cpu_known(void)
{
    uint32_t fms = psp_cpuid(1, 0).eax;

    return (fms >> 8 & 0xf) + (fms >> 20 & 0xff) <= 0x19;
}

bool psp_cpu_smt(void)
{
    return first_cpu->nr_threads > 1;
}

uint32_t psp_cpu_tsc_khz(void)
{
    return X86_CPU(first_cpu)->env.tsc_khz;
}
