/*
 * Intel TDX platform: the key id and the TD owner bit of each line of memory
 *
 * A line has a tag: the key id that it was written with, and with it the TD
 * owner bit, which is set by private key ids. RAM holds the plaintext of each
 * line. A page whose lines all have one tag is uniform, and only translations
 * of uniform pages with their own key id are cached by TLBs. All other accesses
 * come here one by one: stores change the tags of the lines that they touch,
 * and go to a region where that is done again, at the same time as the store;
 * loads of a line with another tag go to that region, too, which shows what the
 * memory controller would return (intel-tdx-line.c).
 *
 * A page that is split, so that its lines have tags, is given to no TLB, and no
 * code of it is kept. CPUs change tags after those that were before are gone:
 * all CPUs are stopped, and all TLBs flushed, unless none has the page. Devices
 * cannot wait for that. A load that is under way when a tag is changed may use
 * the old one.
 *
 * The lock is the last that is taken. Pages of code have locks, too, and a CPU
 * that translates comes here with one of them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/lockable.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "exec/exec-all.h"
#include "exec/cputlb.h"
#include "exec/ram_addr.h"
#include "hw/core/cpu.h"
#include "hw/boards.h"
#include "system/tcg.h"
#include "intel-tdx-line.h"

static unsigned int mem_keyid(hwaddr pa)
{
    return (pa & TDX_KEYID_MASK) >> TDX_KEYID_SHIFT;
}

/* The last line of an access, which ends with the page at the latest */
static unsigned int mem_last_line(hwaddr pa, uint64_t size)
{
    return MIN((pa & (PAGE_BYTES - 1)) + MAX(size, 1) - 1, PAGE_BYTES - 1)
           >> LINE_SHIFT;
}

static bool mem_has_code(IntelTdxState *s, uint64_t index)
{
    return !cpu_physical_memory_get_dirty_flag(s->ram_addr +
                                               (index << PAGE_SHIFT),
                                               DIRTY_MEMORY_CODE);
}

static void mem_drop_code(IntelTdxState *s, uint64_t index)
{
    ram_addr_t start = s->ram_addr + (index << PAGE_SHIFT);

    if (mem_has_code(s, index)) {
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

/*
 * With the lock held: lines get tags of their own. Until page_settled(), TLBs
 * may have the page as it was, and there may be code of it.
 */
static void page_split(TdxPage *page)
{
    page->lines = g_malloc(LINES);
    memset(page->lines, page->tag, LINES);
    page->due = true;
    page->splits++;
    qatomic_set(&page->tag, TAG_MIXED);
    /* Pairs with mem_note_cached(). */
    smp_mb();
}

/* With the lock held: the page is uniform again, if it is. */
static void page_join(TdxPage *page)
{
    uint8_t tag = page->lines[0];
    unsigned int i;

    if (page->due || (tag & TAG_POISON)) {
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

/*
 * What is due for a page has been done since it was split that many times. Who
 * has split it to store to it does not @join it before.
 */
static void page_settled(IntelTdxState *s, TdxPage *page, uint16_t splits,
                         bool join)
{
    QEMU_LOCK_GUARD(&s->lock);
    if (page->lines && page->splits == splits) {
        page->due = false;
        if (join) {
            page_join(page);
        }
    }
}

/* True if a TLB may still have a page that has been split */
static bool page_cached(IntelTdxState *s, TdxPage *page)
{
    return qatomic_read(&page->cached) == qatomic_read(&s->epoch);
}

static void mem_settle(IntelTdxState *s, int64_t index, uint16_t splits)
{
    TdxPage *page = &s->pages[index];

    if (page_cached(s, page)) {
        intel_tdx_stopped(s, mem_drop_code, index);
    } else {
        mem_drop_code(s, index);
    }
    page_settled(s, page, splits, false);
}

static bool mem_all_of_line(const TdxMemAccess *a, unsigned int line)
{
    unsigned int start = a->pa & (PAGE_BYTES - 1);

    return start <= line * LINE_BYTES &&
           start + a->size >= (line + 1) * LINE_BYTES;
}

/* The lock is held, and the page is split. */
static void mem_take_lines(IntelTdxState *s, int64_t index,
                           const TdxMemAccess *a, unsigned int keyid)
{
    TdxPage *page = &s->pages[index];
    bool changed = false;
    unsigned int line;

    for (line = mem_line(a->pa); line <= mem_last_line(a->pa, a->size);
         line++) {
        if (page->lines[line] != keyid) {
            intel_tdx_line_take(s, index, line, keyid,
                                mem_all_of_line(a, line));
            changed = true;
        }
    }
    if (changed) {
        page_join(page);
    }
}

/* False if something is due for the page, which was split *SPLITS times. */
static bool mem_try_store(IntelTdxState *s, int64_t index,
                          const TdxMemAccess *a, unsigned int keyid,
                          uint16_t *splits)
{
    TdxPage *page = &s->pages[index];

    QEMU_LOCK_GUARD(&s->lock);
    if (!page->lines) {
        if (page->tag == keyid) {
            return true;
        }
        page_split(page);
    }
    *splits = page->splits;
    if (page->due) {
        return false;
    }
    mem_take_lines(s, index, a, keyid);
    return true;
}

/*
 * The fetch of a block's second page gets here with the lock of the first page
 * held, if the walk for it has to set a flag in a table: see tb_gen_abandon().
 */
static TdxMemResult mem_store(IntelTdxState *s, int64_t index,
                              const TdxMemAccess *a, unsigned int keyid)
{
    bool translating = false;
    uint16_t splits;

    while (!mem_try_store(s, index, a, keyid, &splits)) {
        translating |= tb_gen_abandon();
        mem_settle(s, index, splits);
    }
    if (translating) {
        tb_gen_restart(current_cpu);
    }
    return TDX_MEM_STORE;
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
        worst = MAX(worst, intel_tdx_line_view(s, line_tag(page, line), keyid));
    }
    return worst == LINE_PLAIN ? TDX_MEM_ONCE :
           worst == LINE_POISON ? TDX_MEM_POISON : TDX_MEM_VIEW;
}

static void mem_note_cached(IntelTdxState *s, TdxPage *page)
{
    qatomic_set(&page->cached, qatomic_read(&s->epoch));
    /* Pairs with page_split(). */
    smp_mb();
}

bool intel_tdx_mem_cache(IntelTdxState *s, const TdxMemAccess *a)
{
    unsigned int keyid = mem_keyid(a->pa);
    int64_t index = mem_index(s, a->pa & ~TDX_KEYID_MASK);
    TdxPage *page;

    if (index < 0) {
        return true;
    }
    if (keyid) {
        intel_tdx_key_use(s, keyid, a->lp);
    }
    page = &s->pages[index];
    if (unlikely(qatomic_read(&page->tag) != keyid)) {
        return false;
    }
    mem_note_cached(s, page);
    return qatomic_load_acquire(&page->tag) == keyid;
}

bool intel_tdx_mem_is_ram(IntelTdxState *s, const TdxMemAccess *a,
                          const MemoryRegion *mr, hwaddr offset)
{
    return mr == s->ram_region &&
           offset >> PAGE_SHIFT == mem_index(s, a->pa & ~TDX_KEYID_MASK);
}

TdxMemResult intel_tdx_mem_use(IntelTdxState *s, const TdxMemAccess *a)
{
    int64_t index = mem_index(s, a->pa & ~TDX_KEYID_MASK);

    return a->write ? mem_store(s, index, a, mem_keyid(a->pa)) :
                      mem_load(s, index, a, mem_keyid(a->pa));
}

bool intel_tdx_mem_plain(IntelTdxState *s, hwaddr pa)
{
    int64_t index = mem_index(s, pa & ~TDX_KEYID_MASK);

    return index < 0 ||
           (!mem_keyid(pa) && !qatomic_read(&s->pages[index].tag));
}

/* A store of the page walk for a fetch may be to code: see tb_gen_abandon(). */
static void mem_written(IntelTdxState *s, int64_t index)
{
    bool translating;

    if (mem_has_code(s, index)) {
        translating = tb_gen_abandon();
        mem_drop_code(s, index);
        if (translating) {
            tb_gen_restart(current_cpu);
        }
    }
}

static void mem_copy_from(IntelTdxState *s, const TdxMemAccess *a, void *buf)
{
    hwaddr pa = a->pa & ~TDX_KEYID_MASK;
    int64_t index = mem_index(s, pa);
    uint8_t *at = s->ram + (index << PAGE_SHIFT) + (pa & (PAGE_BYTES - 1));
    unsigned int line = mem_line(pa), keyid = mem_keyid(a->pa);
    uint64_t words[LINE_WORDS];

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        if (line_tag(&s->pages[index], line) != keyid) {
            intel_tdx_line_read(s, index, line, keyid, words);
            at = (uint8_t *)words + (pa & (LINE_BYTES - 1));
        }
        stn_he_p(buf, a->size, ldn_he_p(at, a->size));
    }
}

static GArray *due_pages_new(void)
{
    return g_array_new(false, false, sizeof(uint64_t));
}

static void mem_flush_work(CPUState *cpu, run_on_cpu_data data)
{
    IntelTdxState *s = data.host_ptr;
    g_autoptr(GArray) due = NULL;
    unsigned int i;

    if (!qatomic_xchg(&s->flush_due, false)) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        due = s->due_pages;
        s->due_pages = due_pages_new();
    }
    mem_flush_now(s);
    for (i = 0; i < due->len; i++) {
        uint64_t index = g_array_index(due, uint64_t, i);

        mem_drop_code(s, index);
        /* CPUs are stopped: if it is another split, no TLB has it either. */
        page_settled(s, &s->pages[index],
                     qatomic_read(&s->pages[index].splits), true);
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

/* The lock is held: true if a flush is due. */
static bool page_flush_due(IntelTdxState *s, uint64_t index)
{
    TdxPage *page = &s->pages[index];

    if (page->due && page_cached(s, page)) {
        g_array_append_val(s->due_pages, index);
        return true;
    }
    return false;
}

/* The lock is held, and the page is split: true if a flush is due. */
static bool dma_take_lines(IntelTdxState *s, uint64_t first, uint64_t end)
{
    uint64_t index = first >> PAGE_SHIFT;
    TdxPage *page = &s->pages[index];
    unsigned int line;

    for (line = mem_line(first); line <= mem_last_line(first, end - first);
         line++) {
        if (page->lines[line]) {
            intel_tdx_line_dma(s, index, line, first, end);
        }
    }
    return page_flush_due(s, index);
}

/* After a store, which has @split the page, so that a @flush may be due */
static void mem_stored(IntelTdxState *s, int64_t index, bool split,
                       uint16_t splits, bool flush)
{
    mem_written(s, index);
    if (flush) {
        mem_flush_soon(s);
    } else if (split) {
        page_settled(s, &s->pages[index], splits, true);
    }
}

bool intel_tdx_mem_store_line(IntelTdxState *s, hwaddr pa, const uint64_t *from)
{
    unsigned int line = mem_line(pa), keyid = mem_keyid(pa);
    int64_t index = mem_index(s, pa & ~TDX_KEYID_MASK);
    TdxPage *page = &s->pages[index];
    bool split = false, flush = false;
    uint16_t splits;
    int i;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        if (!page->lines && page->tag == keyid) {
            return false;
        }
        if (!page->lines) {
            page_split(page);
            split = true;
        }
        splits = page->splits;
        if (page->lines[line] != keyid) {
            intel_tdx_line_take(s, index, line, keyid, true);
        }
        if (page->lines[line] == (keyid | TAG_POISON)) {
            page->lines[line] = keyid;
        }
        for (i = 0; i < LINE_BYTES / sizeof(*from); i++) {
            stq_le_p(mem_words(s, index, line) + i, from[i]);
        }
        page_join(page);
        if (split) {
            flush = page_flush_due(s, index);
        }
    }
    mem_stored(s, index, split, splits, flush);
    return true;
}

/*
 * The lines have been taken when the access was looked up, and what was due has
 * been done. If another processor has taken them since, and even made the page
 * uniform, this store cannot wait as it would have done then.
 */
static void mem_copy_to(IntelTdxState *s, const TdxMemAccess *a,
                        const void *buf)
{
    hwaddr pa = a->pa & ~TDX_KEYID_MASK;
    int64_t index = mem_index(s, pa);
    uint8_t *at = s->ram + (index << PAGE_SHIFT) + (pa & (PAGE_BYTES - 1));
    unsigned int keyid = mem_keyid(a->pa);
    TdxPage *page = &s->pages[index];
    bool split = false, flush = false;
    uint16_t splits;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        if (!page->lines && page->tag != keyid) {
            page_split(page);
            split = true;
        }
        splits = page->splits;
        if (page->lines) {
            mem_take_lines(s, index, a, keyid);
        }
        stn_he_p(at, a->size, ldn_he_p(buf, a->size));
        if (split) {
            flush = page_flush_due(s, index);
        }
    }
    mem_stored(s, index, split, splits, flush);
}

void intel_tdx_mem_copy(IntelTdxState *s, const TdxMemAccess *a, void *buf)
{
    if (a->write) {
        mem_copy_to(s, a, buf);
    } else {
        mem_copy_from(s, a, buf);
    }
}

/* Devices have no key id. @first and @end are bytes from the start of RAM. */
static void dma_page(IntelTdxState *s, uint64_t first, uint64_t end)
{
    int64_t index = first >> PAGE_SHIFT;
    TdxPage *page = &s->pages[index];
    uint16_t splits;
    bool flush;

    if (likely(!qatomic_read(&page->tag))) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        if (!page->tag) {
            return;
        }
        if (!page->lines) {
            page_split(page);
        }
        splits = page->splits;
        flush = dma_take_lines(s, first, end);
    }
    if (flush) {
        mem_flush_soon(s);
    } else {
        mem_drop_code(s, index);
        page_settled(s, page, splits, true);
    }
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

/* The keys are lost, and what was written with them, too. */
static void page_reset(IntelTdxState *s, uint64_t index)
{
    TdxPage *page = &s->pages[index];
    bool lost = false;
    unsigned int i;

    if (!page->tag) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        for (i = 0; i < LINES; i++) {
            if (line_tag(page, i)) {
                memset(mem_words(s, index, i), 0, LINE_BYTES);
                lost = true;
            }
        }
        g_clear_pointer(&page->lines, g_free);
        page->due = false;
        qatomic_set(&page->tag, 0);
    }
    if (lost) {
        mem_drop_code(s, index);
    }
}

void intel_tdx_mem_reset(IntelTdxState *s)
{
    uint64_t index;

    for (index = 0; index < s->nr_pages; index++) {
        page_reset(s, index);
    }
}

bool intel_tdx_mem_init(IntelTdxState *s, MachineState *ms, hwaddr low_size,
                        hwaddr high_size, Error **errp)
{
    if (!memory_region_is_ram(ms->ram)) {
        error_setg(errp, "x-seam: memory of several backends has no key ids");
        return false;
    }
    s->ram_region = ms->ram;
    s->ram = memory_region_get_ram_ptr(ms->ram);
    s->ram_addr = memory_region_get_ram_addr(ms->ram);
    s->low_size = low_size;
    s->high_size = high_size;
    s->nr_pages = (low_size + high_size) >> PAGE_SHIFT;
    s->pages = g_new0(TdxPage, s->nr_pages);
    s->due_pages = due_pages_new();
    s->epoch = 1;
    qemu_mutex_init(&s->lock);
    intel_tdx_view_init(s, OBJECT(ms));
    if (intel_tdx_rule(s, TDX_RULE_DMA)) {
        memory_set_ram_written(dma_written, s);
    }
    return true;
}
