/*
 * AMD SEV-SNP platform: dirty cache lines that devices do not see
 *
 * Processors keep their caches coherent with each other, whatever key a line
 * has. Devices are not part of that: a line that a guest has written stays
 * dirty, tagged with its ASID, until it is written back, over what a device has
 * stored in the same place since. Software has to flush it first: by CLFLUSH
 * with any mapping of the page, by the MSR VM_PAGE_FLUSH, or by WBINVD on each
 * processor that may have written. An access by a processor with another ASID,
 * or with none, makes the caches write back the line that it touches.
 *
 * No data is cached here. For each page, the lines that may be dirty are known,
 * and a device's write to such a line is lost, as if the line had been written
 * back right after it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/lockable.h"
#include "qapi/error.h"
#include "amd-snp-internal.h"

#define LINE_SHIFT  6
#define MAX_CPUS    64

/* If a guest has written to a page, all of its lines count as written. */
struct SnpLines {
    uint64_t dirty;             /* one bit a line; */
    uint64_t cpus;              /* in the caches of these, unless they have */
    uint64_t when;              /* been written back since then */
    uint32_t asid;
};

static uint64_t mask_of(hwaddr spa, unsigned int size)
{
    unsigned int first = (spa & (SNP_PAGE_SIZE - 1)) >> LINE_SHIFT;
    unsigned int last = ((spa & (SNP_PAGE_SIZE - 1)) + MAX(size, 1) - 1)
                        >> LINE_SHIFT;

    return MAKE_64BIT_MASK(first, MIN(last, 63) - first + 1);
}

/* Forget processors that have written their caches back. With the lock held. */
static void settle(AmdSnpState *s, SnpLines *l)
{
    uint64_t left = l->cpus;

    while (left) {
        int cpu = ctz64(left);

        left &= left - 1;
        if (s->written_back[cpu] > l->when) {
            l->cpus &= ~(1ULL << cpu);
        }
    }
    if (!l->cpus) {
        l->dirty = 0;
    }
}

/* The page's lines, or NULL if they are not tracked */
static SnpLines *lines_of(AmdSnpState *s, hwaddr spa)
{
    int64_t index = s->lines ? snp_page_index(s, spa) : -1;

    return index < 0 ? NULL : &s->lines[index];
}

void amd_mem_lines_store(AmdSnpState *s, hwaddr spa, uint32_t asid,
                         int cpu_index)
{
    SnpLines *l = lines_of(s, spa);

    if (!l) {
        return;
    }
    QEMU_LOCK_GUARD(&s->lines_lock);
    settle(s, l);
    if (l->asid != asid) {
        l->cpus = 0;
        l->asid = asid;
    }
    l->dirty = UINT64_MAX;
    l->cpus |= 1ULL << cpu_index;
    l->when = s->lines_clock;
}

bool amd_mem_lines_touch(AmdSnpState *s, hwaddr spa, unsigned int size,
                         uint32_t asid)
{
    SnpLines *l = lines_of(s, spa);

    if (!l || !qatomic_read(&l->dirty)) {
        return false;
    }
    QEMU_LOCK_GUARD(&s->lines_lock);
    settle(s, l);
    if (l->asid != asid) {
        l->dirty &= ~mask_of(spa, size);
        return l->dirty;
    }
    return false;
}

void amd_mem_lines_flush_page(AmdSnpState *s, hwaddr spa, uint32_t asid)
{
    SnpLines *l = lines_of(s, spa);

    if (!l) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&s->lines_lock) {
        if (l->asid != asid || !l->dirty) {
            return;
        }
        l->dirty = 0;
    }
    /* Later writes of guests have to be recorded again. */
    snp_flush_tlbs(s);
}

void amd_mem_lines_write_back(AmdSnpState *s, int cpu_index)
{
    int cpu;

    if (!s->lines) {
        return;
    }
    QEMU_LOCK_GUARD(&s->lines_lock);
    s->lines_clock++;
    for (cpu = 0; cpu < MAX_CPUS; cpu++) {
        if (cpu == cpu_index || !amd_snp_rule(s, SNP_RULE_WBINVD_OWN)) {
            s->written_back[cpu] = s->lines_clock;
        }
    }
}

bool amd_mem_lines_stale(AmdSnpState *s, hwaddr spa, unsigned int size)
{
    SnpLines *l = lines_of(s, spa);

    if (!l || !qatomic_read(&l->dirty) ||
        !amd_snp_rule(s, SNP_RULE_STALE_LINES)) {
        return false;
    }
    QEMU_LOCK_GUARD(&s->lines_lock);
    settle(s, l);
    return l->dirty & mask_of(spa, size);
}

bool amd_mem_lines_on(AmdSnpState *s)
{
    return s->lines;
}

void amd_mem_lines_enable(AmdSnpState *s)
{
    s->lines_wanted = true;
}

bool snp_lines_init(AmdSnpState *s, Error **errp)
{
    if (!s->lines_wanted) {
        return true;
    }
    if (s->nr_cpus > MAX_CPUS) {
        error_setg(errp, "x-snp-stale-lines: at most %d processors", MAX_CPUS);
        return false;
    }
    qemu_mutex_init(&s->lines_lock);
    s->lines = g_new0(SnpLines, s->nr_pages);
    s->written_back = g_new0(uint64_t, MAX_CPUS);
    return true;
}

void snp_lines_reset(AmdSnpState *s)
{
    if (s->lines) {
        memset(s->lines, 0, s->nr_pages * sizeof(*s->lines));
    }
}
