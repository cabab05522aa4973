/*
 * Intel TDX platform: lines of memory, and what key ids see of them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_INTEL_TDX_LINE_H
#define HW_I386_INTEL_TDX_LINE_H

#include "qemu/units.h"
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

/* The page of RAM at a physical address without key id, or -1 */
static inline int64_t mem_index(const IntelTdxState *s, hwaddr pa)
{
    if (pa < s->low_size) {
        return pa >> PAGE_SHIFT;
    }
    if (pa >= 4 * GiB && pa - 4 * GiB < s->high_size) {
        return (pa - 4 * GiB + s->low_size) >> PAGE_SHIFT;
    }
    return -1;
}

static inline unsigned int mem_line(hwaddr pa)
{
    return (pa & (PAGE_BYTES - 1)) >> LINE_SHIFT;
}

static inline uint64_t *mem_words(IntelTdxState *s, int64_t index,
                                  unsigned int line)
{
    return (uint64_t *)(s->ram + (index << PAGE_SHIFT)) + line * LINE_WORDS;
}

static inline bool tag_private(uint8_t tag)
{
    return (tag & TAG_KEYID) >= TDX_FIRST_PRIVATE_KEYID;
}

/* With the lock held, or all CPUs stopped */
static inline uint8_t line_tag(const TdxPage *page, unsigned int line)
{
    return page->lines ? page->lines[line] : page->tag;
}

LineView intel_tdx_line_view(IntelTdxState *s, uint8_t tag, unsigned int keyid);
/* The line as the key id sees it; what is poisoned is not defined. */
void intel_tdx_line_read(IntelTdxState *s, int64_t index, unsigned int line,
                         unsigned int keyid, uint64_t *to);
/*
 * A store to a page with lines, to a part of this one or to @all of it: the
 * line has the key id afterwards.
 */
void intel_tdx_line_take(IntelTdxState *s, int64_t index, unsigned int line,
                         unsigned int keyid, bool all);
/* A device has written bytes of RAM from @first to @end, some in this line. */
void intel_tdx_line_dma(IntelTdxState *s, int64_t index, unsigned int line,
                        uint64_t first, uint64_t end);
void intel_tdx_view_init(IntelTdxState *s, Object *owner);

#endif
