/*
 * SEV-SNP tests: the RMP and the hypervisor's instructions on it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rmp.h"

#define RMP_BOOKKEEPING 0x4000

static u8 hsave[4][4096] PAGE_ALIGNED;

void snp_enable(void)
{
    wrmsr(MSR_SYSCFG, rdmsr(MSR_SYSCFG) | SYSCFG_SMEE | SYSCFG_SNPEN |
                      SYSCFG_VMPLEN);
}

void svm_enable(void)
{
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, (u64)hsave[cpu_id()]);
}

u64 rmp_covered_end(void)
{
    u64 size = rdmsr(MSR_RMP_END) + 1 - rdmsr(MSR_RMP_BASE) - RMP_BOOKKEEPING;

    return size / 16 * PAGE;
}

mem64 *rmp_entry(u64 spa)
{
    return (u64 *)(rdmsr(MSR_RMP_BASE) + RMP_BOOKKEEPING + (spa >> 12) * 16);
}

int rmpupdate(u64 spa, const struct rmp_state *state)
{
    int ret = -1;

    trap()->vec = NO_TRAP;
    asm volatile(EX(".byte 0xf2, 0x0f, 0x01, 0xfe")
                 : "=a"(ret) : "a"(spa), "c"(state) : "memory", "cc");
    return trap()->vec == NO_TRAP ? ret : -1;
}

int psmash(u64 spa)
{
    int ret = -1;

    trap()->vec = NO_TRAP;
    asm volatile(EX(".byte 0xf3, 0x0f, 0x01, 0xff")
                 : "=a"(ret) : "a"(spa) : "memory", "cc");
    return trap()->vec == NO_TRAP ? ret : -1;
}

int rmpread(u64 spa, struct rmp_state *state)
{
    int ret = -1;

    trap()->vec = NO_TRAP;
    asm volatile(EX(".byte 0xf2, 0x0f, 0x01, 0xfd")
                 : "=a"(ret) : "a"(spa), "c"(state) : "memory", "cc");
    return trap()->vec == NO_TRAP ? ret : -1;
}

int rmp_assign(u64 spa, u64 gpa, u32 asid, bool large)
{
    struct rmp_state state = {
        .gpa = gpa, .assigned = 1, .page_size = large, .asid = asid,
    };

    return rmpupdate(spa, &state);
}

int rmp_firmware(u64 spa)
{
    struct rmp_state state = { .assigned = 1, .immutable = 1 };

    return rmpupdate(spa, &state);
}

int rmp_share(u64 spa, bool large)
{
    struct rmp_state state = { .page_size = large };

    return rmpupdate(spa, &state);
}

void rmp_clear(u64 spa, unsigned pages)
{
    unsigned i;

    for (i = 0; i < pages; i++) {
        rmp_entry(spa + i * PAGE)[0] = 0;
        rmp_entry(spa + i * PAGE)[1] = 0;
    }
    flush_tlb();
}

void rmp_make(u64 spa, u64 gpa, u32 asid, u64 bits)
{
    bool large = bits & RMP_2M;

    rmp_clear(spa, large ? 512 : 1);
    if (rmp_assign(spa, gpa, asid, large) != SUCCESS) {
        check(false, "assigning %lx", spa);
    }
    rmp_entry(spa)[0] |= bits;
    flush_tlb();
}
