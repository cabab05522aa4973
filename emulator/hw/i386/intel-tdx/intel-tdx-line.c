/*
 * Intel TDX platform: lines of memory, and what key ids see of them
 *
 * RAM holds the plaintext of each line. What the memory controller would return
 * to another key id is computed from it.
 *
 * Memory has logical integrity ("Li"): there is no MAC. A private key id reads
 * what another private key id has written as ciphertext, without an error.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/lockable.h"
#include "hw/i386/cc/mem-mask.h"
#include "intel-tdx-line.h"

/* "TD Owner Bit" */
LineView intel_tdx_line_view(IntelTdxState *s, uint8_t tag, unsigned int keyid)
{
    bool private = tag_private(keyid);

    if (tag == keyid) {
        return LINE_PLAIN;
    }
    if ((tag & TAG_POISON) && (private || !tag_private(tag))) {
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

void intel_tdx_line_read(IntelTdxState *s, int64_t index, unsigned int line,
                         unsigned int keyid, uint64_t *to)
{
    const uint64_t *from = mem_words(s, index, line);
    uint8_t tag = line_tag(&s->pages[index], line);
    LineView view = intel_tdx_line_view(s, tag, keyid);
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
 * Processors with the erratum poison a private line that a partial write with a
 * shared key id reaches. Without caches, each store to a part of it is one.
 */
static bool line_partial_write(IntelTdxState *s, uint8_t tag,
                               unsigned int keyid)
{
    return !tag_private(keyid) && tag_private(tag) &&
           intel_tdx_rule(s, TDX_RULE_PARTIAL_WRITE);
}

/* The processor reads what it does not write, with the key id of the store. */
void intel_tdx_line_take(IntelTdxState *s, int64_t index, unsigned int line,
                         unsigned int keyid, bool all)
{
    uint8_t *tag = &s->pages[index].lines[line];
    uint64_t words[LINE_WORDS];
    LineView view = intel_tdx_line_view(s, *tag, keyid);
    bool poison = (!all && line_partial_write(s, *tag, keyid)) ||
                  (view == LINE_POISON && intel_tdx_rule(s, TDX_RULE_PARTIAL));

    if (!tag_private(keyid) && tag_private(*tag) &&
        !intel_tdx_rule(s, TDX_RULE_HOST_WRITE)) {
        return;
    }
    intel_tdx_line_read(s, index, line, keyid, words);
    memcpy(mem_words(s, index, line), words, sizeof(words));
    *tag = poison ? keyid | TAG_POISON : keyid;
}

/* The rest of the line has a key id that the device lacks. */
void intel_tdx_line_dma(IntelTdxState *s, int64_t index, unsigned int line,
                        uint64_t first, uint64_t end)
{
    uint8_t *at = (uint8_t *)mem_words(s, index, line);
    uint64_t start = ((uint64_t)index << PAGE_SHIFT) + line * LINE_BYTES;
    bool partial = first > start || end < start + LINE_BYTES;
    uint8_t *tag = &s->pages[index].lines[line];
    bool poison = partial && (line_partial_write(s, *tag, 0) ||
                              intel_tdx_line_view(s, *tag, 0) == LINE_POISON);

    if (first > start) {
        memset(at, 0, first - start);
    }
    if (end < start + LINE_BYTES) {
        memset(at + end - start, 0, start + LINE_BYTES - end);
    }
    *tag = poison ? TAG_POISON : 0;
}

static MemTxResult view_read(void *opaque, hwaddr pa, uint64_t *data,
                             unsigned int size, MemTxAttrs attrs)
{
    IntelTdxState *s = opaque;
    int64_t index = mem_index(s, pa);
    uint64_t words[LINE_WORDS];

    if (index < 0) {
        return MEMTX_DECODE_ERROR;
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        intel_tdx_line_read(s, index, mem_line(pa), attrs.requester_id, words);
    }
    *data = ldn_le_p((uint8_t *)words + (pa & (LINE_BYTES - 1)), size);
    return MEMTX_OK;
}

/* A store to RAM, for which the tag has been changed before */
static MemTxResult view_write(void *opaque, hwaddr pa, uint64_t data,
                              unsigned int size, MemTxAttrs attrs)
{
    IntelTdxState *s = opaque;
    const TdxMemAccess a = {
        .pa = pa | (hwaddr)attrs.requester_id << TDX_KEYID_SHIFT,
        .size = size,
        .write = true,
    };
    uint8_t bytes[8];

    if (mem_index(s, pa) < 0) {
        return MEMTX_DECODE_ERROR;
    }
    stn_le_p(bytes, size, data);
    intel_tdx_mem_copy(s, &a, bytes);
    return MEMTX_OK;
}

static const MemoryRegionOps view_ops = {
    .read_with_attrs = view_read,
    .write_with_attrs = view_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid.max_access_size = 8,
    .impl.max_access_size = 8,
};

void intel_tdx_view_init(IntelTdxState *s, Object *owner)
{
    memory_region_init_io(&s->view, owner, &view_ops, s, "tdx-mem-view",
                          1ULL << TDX_KEYID_SHIFT);
}

MemoryRegion *intel_tdx_mem_view(IntelTdxState *s)
{
    return &s->view;
}
