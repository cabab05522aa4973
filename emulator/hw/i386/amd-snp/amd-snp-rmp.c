/*
 * AMD SEV-SNP platform: the Reverse Map Table
 *
 * The table is in the machine's RAM between RMP_BASE and RMP_END: 16 KiB for
 * the processors' bookkeeping, then 16 bytes for each 4 KiB page from physical
 * address 0 on. The layout of an entry (Milan and Genoa, as documented in the
 * PPR and as operating systems decode it where RMPREAD is missing):
 *
 *   [0] assigned, [1] page size, [2] immutable, [50:12] GPA bits 50:12,
 *   [60:51] ASID, [61] VMSA, [62] validated
 *
 * The second quadword is private to the processor. Here it holds the
 * permissions of VMPL 0 to 3, one byte each.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "amd-snp-internal.h"

#define RMP_LO_ASSIGNED     (1ULL << 0)
#define RMP_LO_PAGE_SIZE    (1ULL << 1)
#define RMP_LO_IMMUTABLE    (1ULL << 2)
#define RMP_LO_GPA          0x0007fffffffff000ULL
#define RMP_LO_ASID_SHIFT   51
#define RMP_LO_ASID_MASK    0x3ffULL
#define RMP_LO_VMSA         (1ULL << 61)
#define RMP_LO_VALIDATED    (1ULL << 62)

bool amd_rmp_range(AmdSnpState *s, hwaddr *base, hwaddr *end)
{
    if (!s->range_valid) {
        return false;
    }
    if (base) {
        *base = s->cur_base;
    }
    if (end) {
        *end = s->cur_end;
    }
    return true;
}

/* The raw entry of @spa in host memory; NULL if there is none. */
static uint64_t *rmp_entry(AmdSnpState *s, hwaddr spa)
{
    hwaddr base, end, at;
    int64_t index;

    if (!amd_rmp_range(s, &base, &end)) {
        return NULL;
    }
    at = base + RMP_BOOKKEEPING + (spa >> SNP_PAGE_SHIFT) * RMP_ENTRY_SIZE;
    if (at < base || at + RMP_ENTRY_SIZE - 1 > end) {
        return NULL;
    }
    index = snp_page_index(s, at);
    if (index < 0) {
        return NULL;
    }
    return (uint64_t *)(snp_page_ptr(s, index) + (at & (SNP_PAGE_SIZE - 1)));
}

bool amd_rmp_covered(AmdSnpState *s, hwaddr spa)
{
    return rmp_entry(s, spa) != NULL;
}

static void rmp_decode(const uint64_t *raw, AmdRmpEntry *e)
{
    uint64_t lo = le64_to_cpu(qatomic_read(&raw[0]));
    uint64_t hi = le64_to_cpu(qatomic_read(&raw[1]));
    int vmpl;

    *e = (AmdRmpEntry) {
        .assigned = lo & RMP_LO_ASSIGNED,
        .page_size = lo & RMP_LO_PAGE_SIZE ? RMP_PG_SIZE_2M : RMP_PG_SIZE_4K,
        .immutable = lo & RMP_LO_IMMUTABLE,
        .gpa = lo & RMP_LO_GPA,
        .asid = (lo >> RMP_LO_ASID_SHIFT) & RMP_LO_ASID_MASK,
        .vmsa = lo & RMP_LO_VMSA,
        .validated = lo & RMP_LO_VALIDATED,
    };
    for (vmpl = 0; vmpl < RMP_VMPLS; vmpl++) {
        e->perms[vmpl] = hi >> (vmpl * 8) & RMP_PERM_ALL;
    }
}

static void rmp_encode(const AmdRmpEntry *e, uint64_t *raw)
{
    uint64_t lo = e->gpa & RMP_LO_GPA;
    uint64_t hi = 0;
    int vmpl;

    lo |= (uint64_t)(e->asid & RMP_LO_ASID_MASK) << RMP_LO_ASID_SHIFT;
    lo |= e->assigned ? RMP_LO_ASSIGNED : 0;
    lo |= e->page_size == RMP_PG_SIZE_2M ? RMP_LO_PAGE_SIZE : 0;
    lo |= e->immutable ? RMP_LO_IMMUTABLE : 0;
    lo |= e->vmsa ? RMP_LO_VMSA : 0;
    lo |= e->validated ? RMP_LO_VALIDATED : 0;
    for (vmpl = 0; vmpl < RMP_VMPLS; vmpl++) {
        hi |= (uint64_t)e->perms[vmpl] << (vmpl * 8);
    }
    qatomic_set(&raw[1], cpu_to_le64(hi));
    qatomic_set(&raw[0], cpu_to_le64(lo));
}

bool amd_rmp_get_raw(AmdSnpState *s, hwaddr spa, AmdRmpEntry *e)
{
    uint64_t *raw = rmp_entry(s, spa);

    if (!raw) {
        return false;
    }
    rmp_decode(raw, e);
    return true;
}

bool amd_rmp_get(AmdSnpState *s, hwaddr spa, AmdRmpEntry *e)
{
    hwaddr large = spa & ~(SNP_LARGE_SIZE - 1);

    if (amd_rmp_get_raw(s, large, e) && e->assigned &&
        e->page_size == RMP_PG_SIZE_2M) {
        return true;
    }
    return amd_rmp_get_raw(s, spa, e);
}

#define RMP_ENTRY_WORDS (RMP_ENTRY_SIZE / sizeof(uint64_t))

/*
 * Called for every translation through a large page of the host. The entries of
 * its pages are adjacent in RAM, except where the table ends or spans the hole
 * below 4 GiB.
 */
bool amd_rmp_any_assigned(AmdSnpState *s, hwaddr spa)
{
    hwaddr large = spa & ~(SNP_LARGE_SIZE - 1);
    const size_t words = (SNP_LARGE_PAGES - 1) * RMP_ENTRY_WORDS;
    uint64_t *first = rmp_entry(s, large);
    uint64_t *last = rmp_entry(s, large + SNP_LARGE_SIZE - SNP_PAGE_SIZE);
    uint64_t *raw;
    uint64_t any = 0;
    unsigned int i;

    if (first && last && last - first == words) {
        for (raw = first; raw <= last; raw += RMP_ENTRY_WORDS) {
            any |= qatomic_read(raw);
        }
        return le64_to_cpu(any) & RMP_LO_ASSIGNED;
    }
    for (i = 0; i < SNP_LARGE_PAGES; i++) {
        raw = rmp_entry(s, large + i * SNP_PAGE_SIZE);
        any |= raw ? qatomic_read(raw) : 0;
    }
    return le64_to_cpu(any) & RMP_LO_ASSIGNED;
}

/*
 * True if a TLB may hold a translation that depends on the @pages entries from
 * @spa on.
 */
static bool rmp_cached(AmdSnpState *s, hwaddr spa, unsigned int pages)
{
    uint32_t epoch = qatomic_read(&s->epoch);
    int64_t index = snp_page_index(s, spa);
    unsigned int i;

    /* The entry is stored; pairs with note_cached(). */
    smp_mb();
    if (index < 0) {
        return true;
    }
    if (qatomic_read(&s->large_cached[spa >> SNP_LARGE_SHIFT]) == epoch) {
        return true;
    }
    /* RAM may end in the middle of 2 MiB. */
    for (i = 0; i < pages && index + i < s->nr_pages; i++) {
        if (qatomic_read(&s->pages[index + i].cached) == epoch) {
            return true;
        }
    }
    return false;
}

void amd_rmp_lock(AmdSnpState *s)
{
    qemu_mutex_lock(&s->rmp_lock);
}

void amd_rmp_unlock(AmdSnpState *s)
{
    qemu_mutex_unlock(&s->rmp_lock);
}

bool amd_rmp_store(AmdSnpState *s, hwaddr spa, const AmdRmpEntry *e)
{
    bool large = e->page_size == RMP_PG_SIZE_2M;
    unsigned int pages = large ? SNP_LARGE_PAGES : 1;
    static const AmdRmpEntry none;
    uint64_t *raw = rmp_entry(s, spa);
    AmdRmpEntry old;
    unsigned int i;

    assert(raw && !(spa & (large ? SNP_LARGE_SIZE - 1 : SNP_PAGE_SIZE - 1)));
    rmp_decode(raw, &old);
    for (i = 1; i < pages; i++) {
        uint64_t *sub = rmp_entry(s, spa + i * SNP_PAGE_SIZE);

        if (sub) {
            rmp_encode(&none, sub);
        }
    }
    rmp_encode(e->assigned || e->immutable ? e : &none, raw);
    if (rmp_cached(s, spa, pages)) {
        snp_flush_tlbs(s);
    }
    return old.assigned && !e->assigned;
}

void amd_rmp_release(AmdSnpState *s, hwaddr spa, uint8_t page_size)
{
    unsigned int pages = page_size == RMP_PG_SIZE_2M ? SNP_LARGE_PAGES : 1;
    unsigned int i;

    for (i = 0; i < pages; i++) {
        amd_mem_page(s, spa + i * SNP_PAGE_SIZE, AMD_MEM_KEY_NONE);
    }
}

void amd_rmp_set(AmdSnpState *s, hwaddr spa, const AmdRmpEntry *e)
{
    if (amd_rmp_store(s, spa, e)) {
        amd_rmp_release(s, spa, e->page_size);
    }
}

void amd_rmp_fill(AmdSnpState *s, hwaddr spa, hwaddr end,
                  const AmdRmpEntry *e)
{
    uint64_t *raw;

    for (; spa < end; spa += SNP_PAGE_SIZE) {
        raw = rmp_entry(s, spa);
        if (raw) {
            rmp_encode(e, raw);
        }
    }
    snp_flush_tlbs(s);
}

bool amd_rmp_asid_has_pages(AmdSnpState *s, uint32_t asid)
{
    uint64_t *raw;
    AmdRmpEntry e;
    hwaddr spa;

    for (spa = 0; (raw = rmp_entry(s, spa)); spa += SNP_PAGE_SIZE) {
        rmp_decode(raw, &e);
        if (e.assigned && e.asid == asid) {
            return true;
        }
    }
    return false;
}

uint32_t amd_rmp_contended(AmdSnpState *s)
{
    const uint32_t every = 7;

    if (amd_snp_rule(s, SNP_RULE_RMP_IDLE) || ++s->rmp_tries % every) {
        return 0;
    }
    return s->rmp_tries / every;
}

void amd_rmp_grant(AmdSnpState *s, hwaddr spa, const AmdRmpEntry *e)
{
    rmp_encode(e, rmp_entry(s, spa));
}

void amd_rmp_smash(AmdSnpState *s, hwaddr spa)
{
    AmdRmpEntry e;
    unsigned int i;

    amd_rmp_get_raw(s, spa, &e);
    e.page_size = RMP_PG_SIZE_4K;
    for (i = 1; i < SNP_LARGE_PAGES; i++) {
        AmdRmpEntry sub = e;

        sub.gpa += i * SNP_PAGE_SIZE;
        rmp_encode(&sub, rmp_entry(s, spa + i * SNP_PAGE_SIZE));
    }
    rmp_encode(&e, rmp_entry(s, spa));
    if (rmp_cached(s, spa, SNP_LARGE_PAGES)) {
        snp_flush_tlbs(s);
    }
    s->psmashes++;
}

AmdPageState amd_rmp_page_state(const AmdRmpEntry *e)
{
    if (!e->assigned) {
        return e->immutable ? AMD_PAGE_HV_FIXED : AMD_PAGE_HYPERVISOR;
    }
    if (e->asid) {
        if (e->immutable) {
            return e->validated ? AMD_PAGE_PRE_SWAP : AMD_PAGE_PRE_GUEST;
        }
        return e->validated ? AMD_PAGE_GUEST_VALID : AMD_PAGE_GUEST_INVALID;
    }
    if (!e->immutable) {
        return AMD_PAGE_RECLAIM;
    }
    if (e->vmsa) {
        return AMD_PAGE_CONTEXT;
    }
    if (e->gpa == AMD_RMP_GPA_IOMMU) {
        return AMD_PAGE_IOMMU;
    }
    return e->gpa ? AMD_PAGE_METADATA : AMD_PAGE_FIRMWARE;
}

const char *amd_page_state_name(AmdPageState state)
{
    static const char *const name[AMD_PAGE__MAX] = {
        [AMD_PAGE_HYPERVISOR] = "hypervisor",
        [AMD_PAGE_HV_FIXED] = "hv-fixed",
        [AMD_PAGE_RECLAIM] = "reclaim",
        [AMD_PAGE_FIRMWARE] = "firmware",
        [AMD_PAGE_CONTEXT] = "context",
        [AMD_PAGE_METADATA] = "metadata",
        [AMD_PAGE_IOMMU] = "iommu",
        [AMD_PAGE_PRE_GUEST] = "pre-guest",
        [AMD_PAGE_PRE_SWAP] = "pre-swap",
        [AMD_PAGE_GUEST_INVALID] = "guest-invalid",
        [AMD_PAGE_GUEST_VALID] = "guest-valid",
    };

    return name[state];
}

bool amd_rmp_dma_writable(AmdSnpState *s, hwaddr spa)
{
    AmdRmpEntry e;

    if (amd_snp_enabled(s) && amd_snp_rule(s, SNP_RULE_DMA) &&
        amd_rmp_get(s, spa, &e) && e.assigned) {
        return false;
    }
    snp_mem_use_for_dma(s, spa);
    return true;
}
