/*
 * TDX module: who owns physical pages
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "module.h"

/* From which types a page may go to the one of the index */
static const u16 pamt_from[] = {
    [PT_NDA] = BIT(PT_REG) | BIT(PT_TDR) | BIT(PT_TDCX) | BIT(PT_TDVPR) |
               BIT(PT_EPT),
    [PT_REG] = BIT(PT_NDA),
    [PT_TDR] = BIT(PT_NDA),
    [PT_TDCX] = BIT(PT_NDA),
    [PT_TDVPR] = BIT(PT_NDA),
    [PT_EPT] = BIT(PT_NDA),
};

static void pamt_move(struct pamt_entry *e, enum page_type to)
{
    require(to < ARRAY_SIZE(pamt_from) && (pamt_from[to] & BIT(e->type)));
    e->type = to;
}

static void pamt_set_owner(struct pamt_entry *e, u64 owner)
{
    u64 pfn = owner >> PAGE_SHIFT;

    memcpy(e->owner, &pfn, sizeof(e->owner));
}

u64 pamt_owner(const struct pamt_entry *e)
{
    u64 pfn = 0;

    memcpy(&pfn, e->owner, sizeof(e->owner));
    return pfn << PAGE_SHIFT;
}

static const struct tdmr *pamt_find_tdmr(u64 pa)
{
    for (unsigned i = 0; i < module.num_tdmrs; i++) {
        const struct tdmr *t = &module.tdmr[i];

        if (pa >= t->info.base && pa - t->info.base < t->info.size) {
            /* A GiB is in use when all of it has been initialized. */
            return pa < (t->next & ~(SIZE_1G - 1)) ? t : NULL;
        }
    }
    return NULL;
}

static u64 pamt_entry_pa(const struct tdmr *t, u64 pa, unsigned level)
{
    /* TDMR_INFO has the area of 1 GiB pages first. */
    return t->info.pamt[PAMT_LEVELS - 1 - level].base +
           (pa - t->info.base) / level_size(level) * PAMT_ENTRY_SIZE;
}

static struct pamt_entry *pamt_map(const struct tdmr *t, u64 pa, unsigned level)
{
    u64 at = pamt_entry_pa(t, pa, level);
    u8 *page = plat_map(global_pa(at & ~(PAGE_SIZE - 1)), PLAT_RW);

    return (struct pamt_entry *)(page + (at & (PAGE_SIZE - 1)));
}

u64 pamt_lock(u64 pa, unsigned want, enum lock_mode mode, struct pamt_ref *r)
{
    const struct tdmr *t = pamt_find_tdmr(pa);

    memset(r, 0, sizeof(*r));
    if (!t) {
        return TDX_OPERAND_ADDR_RANGE_ERROR;
    }
    r->pa = pa;
    for (int level = PAMT_LEVELS - 1; ; level--) {
        struct pamt_entry *e = pamt_map(t, pa, level);
        bool here = level == 0 || level == (int)want;

        if (!lock_try(&e->lock, here ? mode : LOCK_SH)) {
            pamt_unlock(r);
            return TDX_OPERAND_BUSY;
        }
        if (!here && e->type == PT_REG) {
            /* It is part of a larger page. */
            if (want != PAMT_LEAF) {
                lock_put(&e->lock, LOCK_SH);
                pamt_unlock(r);
                return TDX_PAGE_METADATA_INCORRECT;
            }
            if (mode == LOCK_EX && !lock_try_upgrade(&e->lock)) {
                lock_put(&e->lock, LOCK_SH);
                pamt_unlock(r);
                return TDX_OPERAND_BUSY;
            }
            here = true;
        }
        if (here) {
            r->entry = e;
            r->level = level;
            r->mode = mode;
            return TDX_SUCCESS;
        }
        r->up[level] = e;
    }
}

void pamt_unlock(struct pamt_ref *r)
{
    if (r->entry) {
        lock_put(&r->entry->lock, r->mode);
        r->entry = NULL;
    }
    for (unsigned i = 0; i < PAMT_LEVELS; i++) {
        if (r->up[i]) {
            lock_put(&r->up[i]->lock, LOCK_SH);
            r->up[i] = NULL;
        }
    }
}

u64 pamt_lock_operand(u64 pa, unsigned level, enum page_type type,
                      enum lock_mode mode, unsigned operand,
                      struct pamt_ref *r)
{
    u64 ret;

    memset(r, 0, sizeof(*r));
    if (!aligned(pa, level == PAMT_LEAF ? PAGE_SIZE : level_size(level)) ||
        pa >> module.key_shift) {
        return status(TDX_OPERAND_INVALID, operand);
    }
    ret = pamt_lock(pa, level, mode, r);
    if (is_error(ret)) {
        return status(ret, operand);
    }
    if (r->entry->type != type) {
        pamt_unlock(r);
        return status(TDX_PAGE_METADATA_INCORRECT, operand);
    }
    return TDX_SUCCESS;
}

void pamt_assign(struct pamt_ref *r, enum page_type to, u64 owner)
{
    require(r->mode == LOCK_EX);
    pamt_move(r->entry, to);
    pamt_set_owner(r->entry, owner);
    r->entry->bepoch = 0;
}

void pamt_free(struct pamt_ref *r)
{
    require(r->mode == LOCK_EX);
    pamt_move(r->entry, PT_NDA);
    pamt_set_owner(r->entry, 0);
    r->entry->bepoch = 0;
}

static struct pamt_entry *pamt_child(const struct tdmr *t, u64 pa,
                                     unsigned level, unsigned i)
{
    return pamt_map(t, pa + i * level_size(level - 1), level - 1);
}

u64 pamt_promote(u64 pa, unsigned level, u64 owner)
{
    const struct tdmr *t = pamt_find_tdmr(pa);
    struct pamt_ref r;
    u64 ret = pamt_lock(pa, level, LOCK_EX, &r);

    if (is_error(ret)) {
        return ret;
    }
    /* All pages are in one S-EPT page: they are what it says. */
    for (unsigned i = 0; i < 512; i++) {
        unsigned mark = plat_mark();
        struct pamt_entry *e = pamt_child(t, pa, level, i);

        require(pamt_owner(e) == owner);
        pamt_move(e, PT_NDA);
        pamt_set_owner(e, 0);
        e->bepoch = 0;
        plat_release(mark);
    }
    pamt_assign(&r, PT_REG, owner);
    pamt_unlock(&r);
    return TDX_SUCCESS;
}

void pamt_demote(struct pamt_ref *r)
{
    const struct tdmr *t = pamt_find_tdmr(r->pa);
    u64 owner = pamt_owner(r->entry);

    for (unsigned i = 0; i < 512; i++) {
        unsigned mark = plat_mark();
        struct pamt_entry *e = pamt_child(t, r->pa, r->level, i);

        pamt_move(e, PT_REG);
        pamt_set_owner(e, owner);
        e->bepoch = 0;
        plat_release(mark);
    }
    pamt_free(r);
}

u64 pamt_lock_free(u64 pa, unsigned level, unsigned operand, struct pamt_ref *r)
{
    const struct tdmr *t = pamt_find_tdmr(pa);
    u64 ret = pamt_lock_operand(pa, level, PT_NDA, LOCK_EX, operand, r);

    if (is_error(ret) || level == 0) {
        return ret;
    }
    /* Nobody locks an entry below this one now. */
    for (u64 a = pa; a < pa + level_size(level); a += PAGE_SIZE) {
        unsigned mark = plat_mark();
        bool is_free = pamt_map(t, a, 0)->type == PT_NDA &&
                       (level < 2 || pamt_map(t, a, 1)->type == PT_NDA);

        plat_release(mark);
        if (!is_free) {
            pamt_unlock(r);
            return status(TDX_PAGE_METADATA_INCORRECT, operand);
        }
    }
    return TDX_SUCCESS;
}

static void pamt_init_reserved(const struct tdmr *t, u64 pa, u64 end)
{
    for (unsigned i = 0; i < t->num_reserved; i++) {
        u64 from = t->info.base + t->info.reserved[i].offset;
        u64 to = from + t->info.reserved[i].size;

        from = from > pa ? from : pa;
        to = to < end ? to : end;
        for (u64 a = from; a < to; a += PAGE_SIZE) {
            unsigned mark = plat_mark();

            pamt_map(t, a, 0)->type = PT_RSVD;
            plat_release(mark);
        }
    }
}

void pamt_init_range(const struct tdmr *t, u64 pa, u64 size)
{
    for (unsigned level = 0; level < PAMT_LEVELS; level++) {
        u64 step = level_size(level), area = pamt_entry_pa(t, t->info.base,
                                                           level);
        /* Entries of the pages that begin in the range */
        u64 at = area + (pa - t->info.base + step - 1) / step *
                 PAMT_ENTRY_SIZE;
        u64 end = area + (pa + size - t->info.base + step - 1) / step *
                  PAMT_ENTRY_SIZE;

        /* The range that has the first entry of a page clears the page. */
        at = (at + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
        for (; at < end; at += PAGE_SIZE) {
            unsigned mark = plat_mark();

            memset(plat_map(global_pa(at), PLAT_FRESH), 0, PAGE_SIZE);
            plat_release(mark);
        }
    }
    pamt_init_reserved(t, pa, pa + size);
}
