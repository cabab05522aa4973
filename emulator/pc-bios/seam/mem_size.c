/*
 * TDX module: one large page becomes 512 smaller ones, and back
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mem.h"

u64 tdh_mem_page_promote(struct call *c)
{
    unsigned level = c->walk.level;
    u64 table_pa = c->walk.value & SEPT_PA, pa;
    enum sept_state state;
    struct pamt_ref p;
    u64 ret = mem_lock_tracked(c, table_pa, 0, &p);

    if (is_error(ret)) {
        return ret;
    }
    if (!sept_table_is_page(plat_map(with_key(table_pa, c->td.tdr->hkid),
                                     PLAT_RO), level, &state, &pa)) {
        ret = mem_report(c, status(TDX_EPT_INVALID_PROMOTE_CONDITIONS,
                                   OPND_RCX));
    } else {
        ret = pamt_promote(pa, level, c->td.pa);
        ret = is_error(ret) ? status(ret, OPND_RCX) : ret;
    }
    if (!is_error(ret)) {
        sept_move(&c->walk, state, pa);
        pamt_free(&p);
        td_count_pages(c->td.tdr, -1);
        c->r->r[R_CX] = table_pa;
    }
    pamt_unlock(&p);
    return ret;
}

u64 tdh_mem_page_demote(struct call *c)
{
    unsigned level = c->walk.level;
    enum sept_state state = sept_unblocked(sept_state(c->walk.value));
    u64 pa = c->walk.value & SEPT_PA, table_pa = c->in.r[R_8];
    struct pamt_ref page, table;
    u64 *entries;
    u64 ret = mem_lock_tracked(c, pa, level, &page);

    if (is_error(ret)) {
        return ret;
    }
    ret = pamt_lock_operand(table_pa, 0, PT_NDA, LOCK_EX, OPND_R8, &table);
    if (!is_error(ret)) {
        entries = plat_map(with_key(table_pa, c->td.tdr->hkid), PLAT_FRESH);
        sept_table_fill(entries, state, pa, level_size(level - 1));
        pamt_assign(&table, PT_EPT, c->td.pa);
        td_count_pages(c->td.tdr, 1);
        pamt_demote(&page);
        sept_move(&c->walk, SEPT_NL_MAPPED, table_pa);
        pamt_unlock(&table);
    }
    pamt_unlock(&page);
    return ret;
}
