/*
 * AMD SEV-SNP platform: memory encryption keys
 *
 * A page of RAM holds the plaintext of exactly one key, its tag. An access with
 * another key first converts the page: it is XORed with pseudo-random masks of
 * the old and of the new key. The mask of AMD_MEM_KEY_NONE is zero, so an
 * access without a key sees "ciphertext" while the page has another tag, and
 * content that was written with one key reads as garbage with any other key.
 *
 * Conversion is safe against other CPUs because a page that any TLB may hold is
 * only converted with all CPUs stopped and their TLBs flushed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/lockable.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/units.h"
#include "exec/exec-all.h"
#include "exec/cputlb.h"
#include "exec/ram_addr.h"
#include "hw/core/cpu.h"
#include "system/tcg.h"
#include "hw/i386/cc/mem-mask.h"
#include "amd-snp-internal.h"

/* XOR the page with the ciphertext mask of (@key, @index). */
static void mask_xor(uint64_t *page, uint32_t key, uint64_t index)
{
    uint64_t seed;
    unsigned int i;

    if (key == AMD_MEM_KEY_NONE) {
        return;
    }
    seed = cc_mask_seed(key, index);
    for (i = 0; i < SNP_PAGE_SIZE / sizeof(*page); i++) {
        page[i] ^= cc_mask_at(seed, i);
    }
}

static void drop_code(AmdSnpState *s, int64_t index)
{
    ram_addr_t start = s->ram_addr + (index << SNP_PAGE_SHIFT);

    if (tcg_enabled() &&
        !cpu_physical_memory_get_dirty_flag(start, DIRTY_MEMORY_CODE)) {
        tb_invalidate_phys_range(start, start + SNP_PAGE_SIZE - 1);
    }
}

static void convert_bytes(AmdSnpState *s, int64_t index, uint32_t from,
                          uint32_t to)
{
    uint64_t *page = (uint64_t *)snp_page_ptr(s, index);

    drop_code(s, index);
    mask_xor(page, from, index);
    mask_xor(page, to, index);
}

static void flush_tlbs_now(AmdSnpState *s)
{
    CPUState *cpu;

    CPU_FOREACH(cpu) {
        tlb_flush(cpu);
    }
    qatomic_set(&s->epoch, s->epoch + 1);
}

static void flush_tlbs_work(CPUState *cpu, run_on_cpu_data data)
{
    AmdSnpState *s = data.host_ptr;

    if (qatomic_xchg(&s->flush_due, false)) {
        flush_tlbs_now(s);
    }
}

void snp_flush_tlbs(AmdSnpState *s)
{
    if (!tcg_enabled()) {
        return;
    }
    if (current_cpu && cpu_in_exclusive_context(current_cpu)) {
        flush_tlbs_now(s);
        return;
    }
    /*
     * If another CPU already has this work queued, that suffices, but it may
     * run after our next translation block.
     */
    qatomic_set(&s->flush_due, true);
    async_safe_run_on_cpu(current_cpu ?: first_cpu, flush_tlbs_work,
                          RUN_ON_CPU_HOST_PTR(s));
}

/*
 * Convert a page that is in no TLB. Returns false without changing it if one
 * may hold it.
 */
static bool try_convert(AmdSnpState *s, int64_t index, uint32_t key)
{
    SnpPage *page = &s->pages[index];
    uint32_t old;

    QEMU_LOCK_GUARD(&s->lock);
    old = page->key;
    if (old == key) {
        return true;
    }
    qatomic_set(&page->key, AMD_MEM_KEY_BUSY);
    /* Pairs with note_cached(). */
    smp_mb();
    if (snp_page_cached(s, index) && tcg_enabled()) {
        qatomic_set(&page->key, old);
        return false;
    }
    convert_bytes(s, index, old, key);
    qatomic_store_release(&page->key, key);
    return true;
}

/*
 * With all CPUs stopped, drop every translation, then convert. The thread of a
 * device cannot stop the CPUs: a CPU that uses the page with another key at
 * that moment may continue to do so until its translation block ends.
 */
static void convert_exclusive(AmdSnpState *s, int64_t index, uint32_t key)
{
    SnpPage *page = &s->pages[index];

    if (snp_page_cached(s, index)) {
        snp_flush_tlbs(s);
    }
    if (page->key != key) {
        convert_bytes(s, index, page->key, key);
        page->key = key;
    }
}

/* With all CPUs but this one stopped */
static void convert_stopped(AmdSnpState *s, CPUState *cpu, int64_t index,
                            uint32_t key)
{
    bool locked;

    /* Other CPUs may need the BQL before they can stop. */
    locked = bql_locked();
    if (locked) {
        bql_unlock();
    }
    cpu_exec_end(cpu);
    start_exclusive();
    convert_exclusive(s, index, key);
    end_exclusive();
    cpu_exec_start(cpu);
    if (locked) {
        bql_lock();
    }
}

/*
 * The fetch of a block's second page gets here with the lock of the first page
 * held, which a CPU that has to stop may be waiting for.
 */
static void convert(AmdSnpState *s, int64_t index, uint32_t key)
{
    CPUState *cpu = current_cpu;
    bool translating = cpu && tcg_enabled() && tb_gen_abandon();

    if (cpu && cpu_in_exclusive_context(cpu)) {
        convert_exclusive(s, index, key);
    } else if (!try_convert(s, index, key)) {
        if (cpu) {
            convert_stopped(s, cpu, index, key);
        } else {
            QEMU_LOCK_GUARD(&s->lock);
            convert_exclusive(s, index, key);
        }
    }
    if (translating) {
        tb_gen_restart(cpu);
    }
}

/*
 * For a device, which is in the middle of an access of its own, with the BQL
 * held: other CPUs are not stopped, see convert_exclusive().
 */
void snp_mem_use_for_dma(AmdSnpState *s, hwaddr spa)
{
    int64_t index = snp_page_index(s, spa);

    if (index < 0 ||
        qatomic_load_acquire(&s->pages[index].key) == AMD_MEM_KEY_NONE ||
        try_convert(s, index, AMD_MEM_KEY_NONE)) {
        return;
    }
    QEMU_LOCK_GUARD(&s->lock);
    convert_exclusive(s, index, AMD_MEM_KEY_NONE);
}

bool amd_mem_is_ram(AmdSnpState *s, hwaddr spa)
{
    return snp_page_index(s, spa) >= 0;
}

void *amd_mem_page(AmdSnpState *s, hwaddr spa, uint32_t key)
{
    int64_t index = snp_page_index(s, spa);

    if (index < 0) {
        return NULL;
    }
    if (qatomic_load_acquire(&s->pages[index].key) != key) {
        convert(s, index, key);
    }
    return snp_page_ptr(s, index);
}

/* The mask is XORed to quadwords in the byte order of the build machine. */
static uint64_t ciphertext_read(void *opaque, hwaddr spa, unsigned int size)
{
    AmdSnpState *s = opaque;
    int64_t index = snp_page_index(s, spa);
    unsigned int i = (spa & (SNP_PAGE_SIZE - 1)) / sizeof(uint64_t);
    uint64_t word;
    uint32_t key;

    if (index < 0) {
        return -1;
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        word = qatomic_read((uint64_t *)snp_page_ptr(s, index) + i);
        key = s->pages[index].key;
    }
    if (key != AMD_MEM_KEY_NONE) {
        word ^= cc_mask_at(cc_mask_seed(key, index), i);
    }
    return extract64(cpu_to_le64(word), spa % sizeof(word) * 8, size * 8);
}

/* DMA that is checked at the time of each access: see amd_mem_dma(). */
static void dma_write(void *opaque, hwaddr spa, uint64_t val, unsigned int size)
{
    AmdSnpState *s = opaque;

    if (!amd_rmp_dma_writable(s, spa)) {
        qemu_log_mask(LOG_GUEST_ERROR, "amd-snp: DMA to 0x%" HWADDR_PRIx
                      ", which has been assigned in between\n", spa);
        return;
    }
    if (amd_mem_lines_stale(s, spa, size)) {
        qemu_log_mask(LOG_GUEST_ERROR, "amd-snp: DMA to 0x%" HWADDR_PRIx
                      " is lost to a guest's cache line\n", spa);
        return;
    }
    snp_mem_use_for_dma(s, spa);
    val = cpu_to_le64(val);
    amd_mem_write(s, spa, &val, size, AMD_MEM_KEY_NONE);
}

static const MemoryRegionOps dma_ops = {
    .read = ciphertext_read,
    .write = dma_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid.max_access_size = 8,
    .impl.max_access_size = 8,
};

static const MemoryRegionOps ciphertext_ops = {
    .read = ciphertext_read,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid.max_access_size = 8,
    .impl.max_access_size = 8,
};

void snp_ciphertext_init(AmdSnpState *s, Object *owner, hwaddr top)
{
    memory_region_init_io(&s->ciphertext, owner, &ciphertext_ops, s,
                          "amd-snp-ciphertext", top);
    address_space_init(&s->ciphertext_as, &s->ciphertext,
                       "amd-snp-ciphertext");
    memory_region_init_io(&s->dma, owner, &dma_ops, s, "amd-snp-dma", top);
    address_space_init(&s->dma_as, &s->dma, "amd-snp-dma");
}

AddressSpace *amd_mem_ciphertext(AmdSnpState *s)
{
    return &s->ciphertext_as;
}

AddressSpace *amd_mem_dma(AmdSnpState *s)
{
    return &s->dma_as;
}

static void note_cached(AmdSnpState *s, hwaddr spa, int64_t index,
                        bool host_large)
{
    uint32_t epoch = qatomic_read(&s->epoch);

    qatomic_set(&s->pages[index].cached, epoch);
    if (host_large) {
        qatomic_set(&s->large_cached[spa >> SNP_LARGE_SHIFT], epoch);
    }
    /* Pairs with try_convert() and rmp_cached(). */
    smp_mb();
}

bool amd_mem_tlb_use(AmdSnpState *s, hwaddr spa, uint32_t key, bool host_large)
{
    int64_t index = snp_page_index(s, spa);
    bool unchanged = true;

    if (index < 0) {
        return true;
    }
    /*
     * Check before noting it, or the page would count as cached by ourselves.
     */
    do {
        if (qatomic_read(&s->pages[index].key) != key) {
            convert(s, index, key);
            unchanged = false;
        }
        note_cached(s, spa, index, host_large);
    } while (qatomic_load_acquire(&s->pages[index].key) != key);
    return unchanged;
}

static bool mem_rw(AmdSnpState *s, hwaddr spa, void *buf, size_t len,
                   uint32_t key, bool is_write)
{
    hwaddr last = spa + len - 1;
    hwaddr page;

    if (!len) {
        return true;
    }
    if (last < spa) {
        return false;
    }
    for (page = spa & ~(SNP_PAGE_SIZE - 1); page <= last;
         page += SNP_PAGE_SIZE) {
        if (snp_page_index(s, page) < 0) {
            return false;
        }
    }
    while (len) {
        size_t offset = spa & (SNP_PAGE_SIZE - 1);
        size_t part = MIN(len, SNP_PAGE_SIZE - offset);
        uint8_t *p = amd_mem_page(s, spa, key);

        if (is_write) {
            drop_code(s, snp_page_index(s, spa));
            memcpy(p + offset, buf, part);
        } else {
            memcpy(buf, p + offset, part);
        }
        spa += part;
        buf += part;
        len -= part;
    }
    return true;
}

bool amd_mem_read(AmdSnpState *s, hwaddr spa, void *buf, size_t len,
                  uint32_t key)
{
    return mem_rw(s, spa, buf, len, key, false);
}

bool amd_mem_write(AmdSnpState *s, hwaddr spa, const void *buf, size_t len,
                   uint32_t key)
{
    return mem_rw(s, spa, (void *)buf, len, key, true);
}

uint32_t amd_mem_new_key(AmdSnpState *s)
{
    QEMU_LOCK_GUARD(&s->lock);
    return s->next_key++;
}

void amd_mem_destroy_key(AmdSnpState *s, uint32_t key)
{
    int64_t nr = (s->low_size + s->high_size) >> SNP_PAGE_SHIFT;
    int64_t index;

    for (index = 0; index < nr; index++) {
        if (qatomic_read(&s->pages[index].key) == key) {
            convert(s, index, AMD_MEM_KEY_NONE);
        }
    }
}

void amd_mem_set_asid_key(AmdSnpState *s, uint32_t asid, uint32_t key)
{
    if (asid < s->nr_asids) {
        qatomic_set(&s->asid_key[asid], key);
    }
}

uint32_t amd_mem_asid_key(AmdSnpState *s, uint32_t asid)
{
    return asid < s->nr_asids ? qatomic_read(&s->asid_key[asid])
                              : AMD_MEM_KEY_NONE;
}
