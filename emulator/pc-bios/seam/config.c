/*
 * TDX module: memory that TDs can have
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "module.h"

/* TDH.SYS.TDMR.INIT makes this much of a TDMR usable in one call. */
#define CONFIG_STEP     (64ULL << 20)

/* CMRs are in ascending order; a range may span several without a gap. */
static bool config_in_cmrs(u64 base, u64 size)
{
    const struct plat_info *info = plat_info();
    u64 end = base + size;

    for (unsigned i = 0; i < MAX_CMRS && info->cmr[i].size; i++) {
        u64 cmr = info->cmr[i].base, cmr_end = cmr + info->cmr[i].size;

        if (base < cmr) {
            return false;
        }
        if (base < cmr_end) {
            base = cmr_end;
        }
        if (base >= end) {
            return true;
        }
    }
    return false;
}

/*
 * The i-th range of the TDMR that is not reserved; false if there are no
 * more.  It may be empty.
 */
static bool config_usable(const struct tdmr *t, unsigned i, u64 *from, u64 *to)
{
    const struct tdmr_info *info = &t->info;

    if (i > t->num_reserved) {
        return false;
    }
    *from = info->base;
    if (i > 0) {
        *from += info->reserved[i - 1].offset + info->reserved[i - 1].size;
    }
    *to = i < t->num_reserved ? info->base + info->reserved[i].offset
                              : info->base + info->size;
    return true;
}

static u64 config_check_range(unsigned i, const struct tdmr *t)
{
    const struct tdmr_info *info = &t->info;

    if (!info->size || !aligned(info->base | info->size, SIZE_1G) ||
        info->base + info->size < info->base ||
        (info->base + info->size - 1) >> module.key_shift) {
        return status3(TDX_INVALID_TDMR, i, 0, 0);
    }
    if (i > 0) {
        const struct tdmr_info *prev = &t[-1].info;

        if (info->base < prev->base + prev->size) {
            return status3(TDX_NON_ORDERED_TDMR, i, 0, 0);
        }
    }
    return TDX_SUCCESS;
}

/* Reserved areas: pages, in ascending order, and nothing after an empty one */
static u64 config_check_reserved(unsigned i, struct tdmr *t)
{
    u64 end = 0;
    bool last = false;

    for (unsigned j = 0; j < MAX_RESERVED_PER_TDMR; j++) {
        u64 offset = t->info.reserved[j].offset;
        u64 size = t->info.reserved[j].size;

        if (!size) {
            last = true;
            continue;
        }
        if (last) {
            return status3(TDX_NON_ORDERED_RESERVED_IN_TDMR, i, j - 1, 0);
        }
        if (offset < end) {
            return status3(TDX_NON_ORDERED_RESERVED_IN_TDMR, i, j, 0);
        }
        if (!aligned(offset | size, PAGE_SIZE) ||
            !range_within(offset, size, 0, t->info.size)) {
            return status3(TDX_INVALID_RESERVED_IN_TDMR, i, j, 0);
        }
        end = offset + size;
        t->num_reserved = j + 1;
    }
    return TDX_SUCCESS;
}

static u64 config_check_usable(unsigned i, const struct tdmr *t)
{
    u64 from, to;

    for (unsigned j = 0; config_usable(t, j, &from, &to); j++) {
        if (from < to && !config_in_cmrs(from, to - from)) {
            return status3(TDX_TDMR_OUTSIDE_CMRS, i, 0, 0);
        }
    }
    return TDX_SUCCESS;
}

static u64 config_check_pamt(unsigned i, const struct tdmr *t)
{
    for (unsigned k = 0; k < PAMT_LEVELS; k++) {
        unsigned level = PAMT_LEVELS - 1 - k;
        u64 base = t->info.pamt[k].base, size = t->info.pamt[k].size;
        u64 need = t->info.size / level_size(level) * PAMT_ENTRY_SIZE;

        if (!size || !aligned(base | size, PAGE_SIZE) || size < need ||
            base + size < base || (base + size - 1) >> module.key_shift) {
            return status3(TDX_INVALID_PAMT, i, level, 0);
        }
    }
    return TDX_SUCCESS;
}

static u64 config_check_pamt_cmrs(unsigned i, const struct tdmr *t)
{
    for (unsigned k = 0; k < PAMT_LEVELS; k++) {
        if (!config_in_cmrs(t->info.pamt[k].base, t->info.pamt[k].size)) {
            return status3(TDX_PAMT_OUTSIDE_CMRS, i, PAMT_LEVELS - 1 - k, 0);
        }
    }
    return TDX_SUCCESS;
}

/* An error if a PAMT area of TDMR i overlaps one of j, or usable memory of j */
static u64 config_check_overlap(unsigned i, unsigned j)
{
    const struct tdmr *a = &module.tdmr[i], *b = &module.tdmr[j];
    u64 from, to;

    for (unsigned level = 0; level < PAMT_LEVELS; level++) {
        unsigned k = PAMT_LEVELS - 1 - level;
        u64 base = a->info.pamt[k].base, size = a->info.pamt[k].size;
        u64 err = status3(TDX_PAMT_OVERLAP, i, level, j);

        for (unsigned n = 0; n < PAMT_LEVELS; n++) {
            if ((i != j || n != k) &&
                ranges_overlap(base, size, b->info.pamt[n].base,
                               b->info.pamt[n].size)) {
                return err;
            }
        }
        for (unsigned n = 0; config_usable(b, n, &from, &to); n++) {
            if (from < to && ranges_overlap(base, size, from, to - from)) {
                return err;
            }
        }
    }
    return TDX_SUCCESS;
}

static u64 config_check_tdmr(unsigned i)
{
    struct tdmr *t = &module.tdmr[i];
    u64 ret = config_check_range(i, t);

    if (!is_error(ret)) {
        ret = config_check_reserved(i, t);
    }
    if (!is_error(ret)) {
        ret = config_check_pamt(i, t);
    }
    for (unsigned j = 0; j <= i && !is_error(ret); j++) {
        ret = config_check_overlap(i, j);
        if (!is_error(ret) && j < i) {
            ret = config_check_overlap(j, i);
        }
    }
    if (!is_error(ret)) {
        ret = config_check_pamt_cmrs(i, t);
    }
    if (!is_error(ret)) {
        ret = config_check_usable(i, t);
    }
    t->next = t->info.base;
    return ret;
}

/*
 * Each TDMR_INFO may be in another page, and there are fewer windows than
 * that: none stays open.
 */
static void config_copy(void *to, u64 pa, unsigned size)
{
    unsigned mark = plat_mark();
    const u8 *page = plat_map(pa & ~(PAGE_SIZE - 1), PLAT_RO);

    memcpy(to, page + (pa & (PAGE_SIZE - 1)), size);
    plat_release(mark);
}

/* Copy each TDMR_INFO once; nothing is read again after it was checked. */
static u64 config_read_tdmrs(u64 list_pa, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        u64 pa, ret;
        struct tdmr *t = &module.tdmr[i];

        config_copy(&pa, list_pa + 8 * i, sizeof(pa));
        ret = phymem_check_shared(pa, sizeof(t->info), TDMR_INFO_ALIGN);
        if (is_error(ret)) {
            return status(ret, OPND_RCX);
        }
        memset(t, 0, sizeof(*t));
        config_copy(&t->info, pa, sizeof(t->info));
        ret = config_check_tdmr(i);
        if (is_error(ret)) {
            return ret;
        }
    }
    return TDX_SUCCESS;
}

static u64 sys_config(struct call *c)
{
    u64 list = c->in.r[R_CX], n = c->in.r[R_DX], key = c->in.r[R_8];
    u64 ret;

    if (module.sys_state != SYS_INIT_DONE ||
        module.lps_done != plat_info()->num_lps) {
        return TDX_SYS_CONFIG_NOT_PENDING;
    }
    ret = phymem_check_shared(list, MAX_TDMRS * sizeof(u64), TDMR_INFO_ALIGN);
    if (is_error(ret)) {
        return status(ret, OPND_RCX);
    }
    if (!n || n > MAX_TDMRS) {
        return status(TDX_OPERAND_INVALID, OPND_RDX);
    }
    if (key < module.first_key || key >= module.first_key + module.num_keys) {
        return status(TDX_OPERAND_INVALID, OPND_R8);
    }
    ret = config_read_tdmrs(list, n);
    if (is_error(ret)) {
        return ret;
    }
    /* A module that starts anew takes over nothing later. */
    handoff_clear();
    module.num_tdmrs = n;
    module.global_key = key;
    key_move(key, KEY_RESERVED);
    sys_move(SYS_CONFIG_DONE);
    return TDX_SUCCESS;
}

u64 tdh_sys_config(struct call *c)
{
    u64 ret;

    if (!lock_try(&module.lock, LOCK_EX)) {
        return TDX_SYS_BUSY;
    }
    ret = sys_config(c);
    lock_put(&module.lock, LOCK_EX);
    return ret;
}

u64 tdh_sys_tdmr_init(struct call *c)
{
    u64 base = c->in.r[R_CX], ret = TDX_SUCCESS, end;
    struct tdmr *t = NULL;

    for (unsigned i = 0; i < module.num_tdmrs; i++) {
        if (module.tdmr[i].info.base == base) {
            t = &module.tdmr[i];
        }
    }
    if (!t) {
        return status(TDX_OPERAND_INVALID, OPND_RCX);
    }
    if (!lock_try(&t->lock, LOCK_EX)) {
        return status(TDX_OPERAND_BUSY, OPND_RCX);
    }
    end = t->info.base + t->info.size;
    if (t->next >= end) {
        ret = TDX_TDMR_ALREADY_INITIALIZED;
    } else {
        pamt_init_range(t, t->next, CONFIG_STEP);
        __atomic_store_n(&t->next, t->next + CONFIG_STEP, __ATOMIC_RELEASE);
        /* Only whole GiB are usable. */
        c->r->r[R_DX] = t->next & ~(SIZE_1G - 1);
    }
    lock_put(&t->lock, LOCK_EX);
    return ret;
}
