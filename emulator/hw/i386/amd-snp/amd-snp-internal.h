/*
 * AMD SEV-SNP platform: state
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_AMD_SNP_INTERNAL_H
#define HW_I386_AMD_SNP_INTERNAL_H

#include "qemu/bitmap.h"
#include "qemu/units.h"
#include "qemu/thread.h"
#include "exec/memory.h"
#include "hw/i386/amd-snp.h"

#define SNP_PAGE_SHIFT      12
#define SNP_PAGE_SIZE       (1ULL << SNP_PAGE_SHIFT)
#define SNP_LARGE_SHIFT     21
#define SNP_LARGE_SIZE      (1ULL << SNP_LARGE_SHIFT)
#define SNP_LARGE_PAGES     (1U << (SNP_LARGE_SHIFT - SNP_PAGE_SHIFT))

#define RMP_BOOKKEEPING     0x4000      /* the CPUs' own area before entry 0 */
#define RMP_ENTRY_SIZE      16

/* The tag of a page whose bytes are being re-encrypted with another key. */
#define AMD_MEM_KEY_BUSY    UINT32_MAX

typedef struct SnpPage {
    uint32_t key;               /* key whose plaintext is in RAM */
    uint32_t cached;            /* epoch in which a TLB may have cached it */
} SnpPage;

typedef struct SnpLines SnpLines;

struct AmdSnpState {
    uint8_t *ram;               /* the machine's RAM, one block */
    ram_addr_t ram_addr;
    hwaddr low_size;            /* RAM below 4 GiB starts at 0, */
    hwaddr high_size;           /* the rest at 4 GiB */
    uint32_t nr_cpus;
    uint64_t nr_pages;

    /* Where the machine has put the RMP, and what is reserved for it. */
    hwaddr rmp_base;
    hwaddr rmp_end;             /* last byte */
    uint64_t rmp_memory;        /* that it covers, or 0 for all */
    bool rmp_edges;             /* are in the middle of 2 MiB */

    /*
     * Set if the MSRs of all CPUs agree: RMP_BASE and RMP_END are equal, and
     * SNP is enabled. Changed under rmp_lock, as are these MSRs of each CPU.
     */
    hwaddr cur_base;
    hwaddr cur_end;
    bool range_valid;
    bool enabled;

    /*
     * @lock protects the tags of pages and their conversion. A new @epoch
     * begins when every TLB is flushed: a page that was last cached in an
     * earlier epoch is in no TLB. Readers set page.cached, then read tag and
     * RMP; writers change tag or RMP, then read page.cached.
     */
    QemuMutex lock;
    uint32_t epoch;
    bool flush_due;
    SnpPage *pages;
    uint32_t *large_cached;     /* like SnpPage.cached, for large host pages */
    uint32_t next_key;
    uint32_t *asid_key;
    unsigned long *asid_valid;  /* if asids_managed */
    bool asids_managed;
    MemoryRegion ciphertext;
    AddressSpace ciphertext_as;
    MemoryRegion dma;
    AddressSpace dma_as;
    uint32_t nr_asids;

    /*
     * Cache lines: @lines_clock counts WBINVD. Allocated if x-snp-stale-lines
     * is on.
     */
    bool lines_wanted;
    QemuMutex lines_lock;
    SnpLines *lines;            /* by page */
    uint64_t *written_back;     /* when, by processor */
    uint64_t lines_clock;

    QemuMutex rmp_lock;         /* innermost: no conversion while it is held */
    unsigned long *vmsa_busy;   /* pages that VMRUN has marked in use */
    unsigned long *vmsa_known;  /* pages that it has ever marked */
    uint64_t *vmsa_writers;     /* who may write to a known page */
    unsigned long *wbinvd_due;  /* CPUs */
    uint64_t rmpupdates;        /* successful ones, for the audit */
    uint64_t psmashes;
    uint32_t rmp_tries;         /* of both, if some are to fail */
    bool initialized;

    DECLARE_BITMAP(ignored, SNP_RULE__MAX);
};

/* The index of @spa's page in AmdSnpState.pages; -1 if it is not RAM. */
static inline int64_t snp_page_index(const AmdSnpState *s, hwaddr spa)
{
    if (spa < s->low_size) {
        return spa >> SNP_PAGE_SHIFT;
    }
    if (spa >= 4 * GiB && spa - 4 * GiB < s->high_size) {
        return (spa - 4 * GiB + s->low_size) >> SNP_PAGE_SHIFT;
    }
    return -1;
}

static inline uint8_t *snp_page_ptr(const AmdSnpState *s, int64_t index)
{
    return s->ram + (index << SNP_PAGE_SHIFT);
}

/*
 * Flush every TLB: immediately in exclusive context, otherwise at the latest
 * before the next translation block of this vCPU.
 */
void snp_flush_tlbs(AmdSnpState *s);

/* The page is plaintext under AMD_MEM_KEY_NONE for what a device does next. */
void snp_mem_use_for_dma(AmdSnpState *s, hwaddr spa);

/* The address space that amd_mem_ciphertext() returns */
void snp_ciphertext_init(AmdSnpState *s, Object *owner, hwaddr top);

/* Called at the machine's creation and at reset. */
bool snp_lines_init(AmdSnpState *s, Error **errp);
void snp_lines_reset(AmdSnpState *s);

/* True if a TLB may hold a translation of the page. */
static inline bool snp_page_cached(AmdSnpState *s, int64_t index)
{
    return qatomic_read(&s->pages[index].cached) == qatomic_read(&s->epoch);
}

#endif
