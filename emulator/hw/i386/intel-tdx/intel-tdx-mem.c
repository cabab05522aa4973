/*
 * Intel TDX platform: the key id and the TD owner bit of each line of memory
 *
 * A line has a tag: the key id that it was written with, and with it the TD
 * owner bit, which is set by private key ids. RAM holds the plaintext of each
 * line. A page whose lines all have one tag is uniform, and only translations
 * of uniform pages with their own key id are cached by TLBs. All other accesses
 * come here one by one: stores change the tags of the lines that they touch,
 * loads of a line with another tag go to a region that shows what the memory
 * controller would return.
 *
 * Memory has logical integrity ("Li"): there is no MAC. A private key id reads
 * what another private key id has written as ciphertext, without an error.
 *
 * A tag is only changed while no TLB has the page: with all CPUs stopped, if it
 * cannot be known otherwise. A page that is not uniform is in no TLB. An access
 * to it that is under way when another CPU changes the tag may use the old one.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "qemu/units.h"
#include "exec/exec-all.h"
#include "exec/cputlb.h"
#include "exec/ram_addr.h"
#include "hw/core/cpu.h"
#include "hw/boards.h"
#include "system/tcg.h"
#include "hw/i386/cc/mem-mask.h"
#include "intel-tdx-internal.h"

#define PAGE_SHIFT      12
#define PAGE_BYTES      (1u << PAGE_SHIFT)
#define LINE_SHIFT      6
#define LINE_BYTES      (1u << LINE_SHIFT)
#define LINE_WORDS      (LINE_BYTES / sizeof(uint64_t))
#define LINES           (PAGE_BYTES / LINE_BYTES)

/* Tags: a key id, and what has become of the line since */
#define TAG_KEYID       0x3f
#define TAG_STALE       0x40        /* the key id has got another key */
#define TAG_POISON      0x80        /* a line, not a page */
#define TAG_MIXED       0xff        /* of a page: its lines have their own */

QEMU_BUILD_BUG_ON(TDX_KEYIDS != TAG_KEYID + 1);

/* What a key id sees of a line */
typedef enum LineView {
    LINE_PLAIN,
    LINE_ZERO,
    LINE_CIPHER,
    LINE_POISON,
} LineView;

static int64_t mem_index(const IntelTdxState *s, hwaddr pa)
{
    if (pa < s->low_size) {
        return pa >> PAGE_SHIFT;
    }
    if (pa >= 4 * GiB && pa - 4 * GiB < s->high_size) {
        return (pa - 4 * GiB + s->low_size) >> PAGE_SHIFT;
    }
    return -1;
}

static unsigned int mem_keyid(hwaddr pa)
{
    return (pa & TDX_KEYID_MASK) >> TDX_KEYID_SHIFT;
}

static unsigned int mem_line(hwaddr pa)
{
    return (pa & (PAGE_BYTES - 1)) >> LINE_SHIFT;
}

/* The last line of an access, which ends with the page at the latest */
static unsigned int mem_last_line(hwaddr pa, uint64_t size)
{
    return MIN((pa & (PAGE_BYTES - 1)) + MAX(size, 1) - 1, PAGE_BYTES - 1)
           >> LINE_SHIFT;
}

static uint64_t *mem_words(IntelTdxState *s, int64_t index, unsigned int line)
{
    return (uint64_t *)(s->ram + (index << PAGE_SHIFT)) + line * LINE_WORDS;
}

static bool tag_private(uint8_t tag)
{
    return (tag & TAG_KEYID) >= TDX_FIRST_PRIVATE_KEYID;
}

/* With the lock held, or all CPUs stopped */
static uint8_t line_tag(const TdxPage *page, unsigned int line)
{
    return page->lines ? page->lines[line] : page->tag;
}

/* "TD Owner Bit" */
static LineView line_view(IntelTdxState *s, uint8_t tag, unsigned int keyid)
{
    bool private = tag_private(keyid);

    if (tag == keyid) {
        return LINE_PLAIN;
    }
    if (private && (tag & TAG_POISON)) {
        return LINE_POISON;
    }
    if (private && !tag_private(tag)) {
        return intel_tdx_rule(s, TDX_RULE_OWNER) ? LINE_POISON : LINE_PLAIN;
    }
    if (!private && tag_private(tag)) {
        return intel_tdx_rule(s, TDX_RULE_HOST_READ) ? LINE_ZERO : LINE_PLAIN;
    }
    return intel_tdx_rule(s, TDX_RULE_ALIAS) ? LINE_CIPHER : LINE_PLAIN;
}

/* The line as the key id sees it; what is poisoned is not defined. */
static void line_read(IntelTdxState *s, int64_t index, unsigned int line,
                      uint8_t tag, unsigned int keyid, uint64_t *to)
{
    const uint64_t *from = mem_words(s, index, line);
    LineView view = line_view(s, tag, keyid);
    uint64_t old = cc_mask_seed(tag & ~TAG_POISON, index);
    uint64_t new = cc_mask_seed(keyid, index);
    unsigned int i;

    for (i = 0; i < LINE_WORDS; i++) {
        to[i] = view == LINE_ZERO ? 0 : qatomic_read(&from[i]);
        if (view == LINE_CIPHER || view == LINE_POISON) {
            to[i] ^= cc_mask_at(old, line * LINE_WORDS + i) ^
                     cc_mask_at(new, line * LINE_WORDS + i);
        }
    }
}

/*
 * A store: the line has the key id afterwards. Unless all of it is written, the
 * processor reads it first, with the key id of the store.
 */
static void line_take(IntelTdxState *s, int64_t index, unsigned int line,
                      unsigned int keyid, bool whole)
{
    uint8_t *tag = &s->pages[index].lines[line];
    uint64_t words[LINE_WORDS] = { 0 };
    LineView view = line_view(s, *tag, keyid);

    if (!tag_private(keyid) && tag_private(*tag) &&
        !intel_tdx_rule(s, TDX_RULE_HOST_WRITE)) {
        return;
    }
    if (!whole) {
        line_read(s, index, line, *tag, keyid, words);
    }
    memcpy(mem_words(s, index, line), words, sizeof(words));
    *tag = keyid;
    if (!whole && view == LINE_POISON && intel_tdx_rule(s, TDX_RULE_PARTIAL)) {
        *tag |= TAG_POISON;
    }
}

static void mem_drop_code(IntelTdxState *s, int64_t index)
{
    ram_addr_t start = s->ram_addr + (index << PAGE_SHIFT);

    if (!cpu_physical_memory_get_dirty_flag(start, DIRTY_MEMORY_CODE)) {
        tb_invalidate_phys_range(start, start + PAGE_BYTES - 1);
    }
}

static void mem_flush_now(IntelTdxState *s)
{
    CPUState *cpu;

    CPU_FOREACH(cpu) {
        tlb_flush(cpu);
    }
    qatomic_set(&s->epoch, s->epoch + 1);
}

static void mem_flush_work(CPUState *cpu, run_on_cpu_data data)
{
    IntelTdxState *s = data.host_ptr;

    if (qatomic_xchg(&s->flush_due, false)) {
        mem_flush_now(s);
    }
}

/* For threads that cannot stop the CPUs: each ends its translation block. */
static void mem_flush_soon(IntelTdxState *s)
{
    if (!qatomic_xchg(&s->flush_due, true)) {
        async_safe_run_on_cpu(first_cpu, mem_flush_work,
                              RUN_ON_CPU_HOST_PTR(s));
    }
}

void intel_tdx_stopped(IntelTdxState *s, TdxStoppedFn *fn, uint64_t arg)
{
    CPUState *cpu = current_cpu;
    bool locked;

    if (cpu_in_exclusive_context(cpu)) {
        mem_flush_now(s);
        fn(s, arg);
        return;
    }
    /* Other CPUs may need the BQL before they can stop. */
    locked = bql_locked();
    if (locked) {
        bql_unlock();
    }
    cpu_exec_end(cpu);
    start_exclusive();
    mem_flush_now(s);
    fn(s, arg);
    end_exclusive();
    cpu_exec_start(cpu);
    if (locked) {
        bql_lock();
    }
}

/* With the lock held: lines get tags of their own. */
static void page_split(TdxPage *page)
{
    uint8_t tag = page->tag;

    page->lines = g_malloc(LINES);
    memset(page->lines, tag, LINES);
    qatomic_set(&page->tag, TAG_MIXED);
}

/* With the lock held: the page is uniform again, if it is. */
static void page_join(TdxPage *page)
{
    uint8_t tag = page->lines[0];
    unsigned int i;

    if (tag & TAG_POISON) {
        return;
    }
    for (i = 1; i < LINES; i++) {
        if (page->lines[i] != tag) {
            return;
        }
    }
    g_clear_pointer(&page->lines, g_free);
    qatomic_store_release(&page->tag, tag);
}

static bool page_cached(IntelTdxState *s, TdxPage *page)
{
    return qatomic_read(&page->cached) == qatomic_read(&s->epoch);
}

/* False, and nothing is changed, if a TLB may have the page. */
static bool page_try_split(IntelTdxState *s, TdxPage *page)
{
    uint8_t tag;

    QEMU_LOCK_GUARD(&s->lock);
    if (page->lines) {
        return true;
    }
    tag = page->tag;
    qatomic_set(&page->tag, TAG_MIXED);
    /* Pairs with mem_note_cached(). */
    smp_mb();
    page->tag = tag;
    if (page_cached(s, page)) {
        return false;
    }
    page_split(page);
    return true;
}

static void mem_split_stopped(IntelTdxState *s, uint64_t index)
{
    QEMU_LOCK_GUARD(&s->lock);
    if (!s->pages[index].lines) {
        page_split(&s->pages[index]);
    }
}

/* The lock is held, and the page is not uniform. */
static void mem_take_lines(IntelTdxState *s, int64_t index,
                           const TdxMemAccess *a, unsigned int keyid)
{
    bool whole = a->size == LINE_BYTES && !(a->pa & (LINE_BYTES - 1));
    TdxPage *page = &s->pages[index];
    bool changed = false;
    unsigned int line;

    for (line = mem_line(a->pa); line <= mem_last_line(a->pa, a->size);
         line++) {
        if (page->lines[line] != keyid) {
            line_take(s, index, line, keyid, whole);
            changed = true;
        }
    }
    if (changed) {
        mem_drop_code(s, index);
        page_join(page);
    }
}

/*
 * The fetch of a block's second page gets here with the lock of the first page
 * held, if the walk for it has to set a flag in a table: see tb_gen_abandon().
 */
static TdxMemResult mem_store(IntelTdxState *s, int64_t index,
                              const TdxMemAccess *a, unsigned int keyid)
{
    TdxPage *page = &s->pages[index];
    bool translating = tb_gen_abandon();
    bool done = false;

    while (!done) {
        WITH_QEMU_LOCK_GUARD(&s->lock) {
            if (page->lines) {
                mem_take_lines(s, index, a, keyid);
                done = true;
            }
        }
        if (!done && !page_try_split(s, page)) {
            intel_tdx_stopped(s, mem_split_stopped, index);
        }
    }
    if (translating) {
        tb_gen_restart(current_cpu);
    }
    return TDX_MEM_ONCE;
}

static TdxMemResult mem_load(IntelTdxState *s, int64_t index,
                             const TdxMemAccess *a, unsigned int keyid)
{
    TdxPage *page = &s->pages[index];
    LineView worst = LINE_PLAIN;
    unsigned int line;

    QEMU_LOCK_GUARD(&s->lock);
    for (line = mem_line(a->pa); line <= mem_last_line(a->pa, a->size);
         line++) {
        worst = MAX(worst, line_view(s, line_tag(page, line), keyid));
    }
    return worst == LINE_PLAIN ? TDX_MEM_ONCE :
           worst == LINE_POISON ? TDX_MEM_POISON : TDX_MEM_VIEW;
}

static void mem_note_cached(IntelTdxState *s, TdxPage *page)
{
    qatomic_set(&page->cached, qatomic_read(&s->epoch));
    /* Pairs with page_try_split(). */
    smp_mb();
}

TdxMemResult intel_tdx_mem_use(IntelTdxState *s, const TdxMemAccess *a)
{
    unsigned int keyid = mem_keyid(a->pa);
    int64_t index = mem_index(s, a->pa & ~TDX_KEYID_MASK);
    TdxPage *page;

    if (index < 0) {
        return TDX_MEM_CACHE;
    }
    if (keyid) {
        intel_tdx_key_use(s, keyid, a->lp);
    }
    page = &s->pages[index];
    if (likely(qatomic_read(&page->tag) == keyid)) {
        mem_note_cached(s, page);
        if (likely(qatomic_load_acquire(&page->tag) == keyid)) {
            return TDX_MEM_CACHE;
        }
    }
    return a->write ? mem_store(s, index, a, keyid) :
                      mem_load(s, index, a, keyid);
}

bool intel_tdx_mem_rw(IntelTdxState *s, const TdxMemAccess *a, void *buf,
                      TdxMemResult *result)
{
    unsigned int keyid = mem_keyid(a->pa);
    hwaddr pa = a->pa & ~TDX_KEYID_MASK;
    int64_t index = mem_index(s, pa);
    uint64_t words[LINE_WORDS];
    TdxPage *page;
    uint8_t *at;

    /* In SMM, another memory is at some of these addresses. */
    if (index < 0 || pa < 1 * MiB ||
        (pa & (LINE_BYTES - 1)) + a->size > LINE_BYTES) {
        return false;
    }
    page = &s->pages[index];
    if (!keyid && !qatomic_read(&page->tag)) {
        return false;
    }
    *result = intel_tdx_mem_use(s, a);
    at = s->ram + (index << PAGE_SHIFT) + (pa & (PAGE_BYTES - 1));
    if (a->write) {
        mem_drop_code(s, index);
        stn_he_p(at, a->size, ldn_he_p(buf, a->size));
    } else if (*result == TDX_MEM_VIEW || *result == TDX_MEM_POISON) {
        QEMU_LOCK_GUARD(&s->lock);
        line_read(s, index, mem_line(pa), line_tag(page, mem_line(pa)), keyid,
                  words);
        memcpy(buf, (uint8_t *)words + (pa & (LINE_BYTES - 1)), a->size);
    } else {
        stn_he_p(buf, a->size, ldn_he_p(at, a->size));
    }
    return true;
}

static MemTxResult view_read(void *opaque, hwaddr pa, uint64_t *data,
                             unsigned int size, MemTxAttrs attrs)
{
    IntelTdxState *s = opaque;
    int64_t index = mem_index(s, pa);
    unsigned int line = mem_line(pa);
    uint64_t words[LINE_WORDS];
    TdxPage *page;

    if (index < 0) {
        return MEMTX_DECODE_ERROR;
    }
    page = &s->pages[index];
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        line_read(s, index, line, line_tag(page, line), attrs.requester_id,
                  words);
    }
    *data = ldn_le_p((uint8_t *)words + (pa & (LINE_BYTES - 1)), size);
    return MEMTX_OK;
}

/* Stores have changed the tag before, and are to RAM. */
static MemTxResult view_write(void *opaque, hwaddr pa, uint64_t data,
                              unsigned int size, MemTxAttrs attrs)
{
    return MEMTX_ACCESS_ERROR;
}

static const MemoryRegionOps view_ops = {
    .read_with_attrs = view_read,
    .write_with_attrs = view_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid.max_access_size = 8,
    .impl.max_access_size = 8,
};

MemoryRegion *intel_tdx_mem_view(IntelTdxState *s)
{
    return &s->view;
}

/* Bytes of a line that a device has not written, of a key id that it lacks */
static void dma_take_line(IntelTdxState *s, int64_t index, unsigned int line,
                          uint64_t first, uint64_t end)
{
    uint8_t *at = (uint8_t *)mem_words(s, index, line);
    uint64_t start = ((uint64_t)index << PAGE_SHIFT) + line * LINE_BYTES;

    if (first > start) {
        memset(at, 0, first - start);
    }
    if (end < start + LINE_BYTES) {
        memset(at + end - start, 0, start + LINE_BYTES - end);
    }
}

/* Devices have no key id. @first and @end are bytes from the start of RAM. */
static void dma_page(IntelTdxState *s, uint64_t first, uint64_t end)
{
    int64_t index = first >> PAGE_SHIFT;
    TdxPage *page = &s->pages[index];
    unsigned int line;

    if (likely(!qatomic_read(&page->tag))) {
        return;
    }
    QEMU_LOCK_GUARD(&s->lock);
    if (!page->lines) {
        if (page_cached(s, page)) {
            mem_flush_soon(s);
        }
        page_split(page);
    }
    for (line = mem_line(first); line <= mem_last_line(first, end - first);
         line++) {
        if (page->lines[line]) {
            dma_take_line(s, index, line, first, end);
            page->lines[line] = 0;
        }
    }
    page_join(page);
}

static void dma_written(void *opaque, ram_addr_t addr, uint64_t size)
{
    IntelTdxState *s = opaque;
    uint64_t first = addr - s->ram_addr;
    uint64_t end = first + size;

    if (addr < s->ram_addr || end > s->low_size + s->high_size) {
        return;
    }
    while (first < end) {
        uint64_t next = MIN(end, ROUND_UP(first + 1, PAGE_BYTES));

        dma_page(s, first, next);
        first = next;
    }
}

static void tag_make_stale(uint8_t *tag, unsigned int keyid)
{
    if (*tag != TAG_MIXED && (*tag & TAG_KEYID) == keyid) {
        *tag |= TAG_STALE;
    }
}

void intel_tdx_mem_drop_key(IntelTdxState *s, uint64_t keyid)
{
    uint64_t index;
    unsigned int i;

    QEMU_LOCK_GUARD(&s->lock);
    for (index = 0; index < s->nr_pages; index++) {
        TdxPage *page = &s->pages[index];

        tag_make_stale(&page->tag, keyid);
        for (i = 0; page->lines && i < LINES; i++) {
            tag_make_stale(&page->lines[i], keyid);
        }
    }
}

/* The keys are lost, and what was written with private ones with them. */
void intel_tdx_mem_reset(IntelTdxState *s)
{
    uint64_t index;
    unsigned int i;

    for (index = 0; index < s->nr_pages; index++) {
        TdxPage *page = &s->pages[index];

        for (i = 0; page->tag && i < LINES; i++) {
            if (tag_private(line_tag(page, i))) {
                memset(mem_words(s, index, i), 0, LINE_BYTES);
            }
        }
        g_clear_pointer(&page->lines, g_free);
        page->tag = 0;
        page->cached = 0;
    }
    s->epoch = 1;
}

void intel_tdx_mem_init(IntelTdxState *s, MachineState *ms, hwaddr low_size,
                        hwaddr high_size)
{
    s->ram = memory_region_get_ram_ptr(ms->ram);
    s->ram_addr = memory_region_get_ram_addr(ms->ram);
    s->low_size = low_size;
    s->high_size = high_size;
    s->nr_pages = (low_size + high_size) >> PAGE_SHIFT;
    s->pages = g_new0(TdxPage, s->nr_pages);
    s->epoch = 1;
    qemu_mutex_init(&s->lock);
    memory_region_init_io(&s->view, OBJECT(ms), &view_ops, s, "tdx-mem-view",
                          1ULL << TDX_KEYID_SHIFT);
    if (intel_tdx_rule(s, TDX_RULE_DMA)) {
        memory_set_ram_written(dma_written, s);
    }
}
