/*
 * TDX module: metadata fields
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "meta.h"

static unsigned md_count(const struct md_field *f)
{
    return f->fields * f->elements;
}

static unsigned md_step(const struct md_field *f)
{
    return f->step ? f->step : 1;
}

/* The table's entry of a field id, and which of its values it names */
static const struct md_field *md_find(const struct md_table *t, u64 id,
                                      unsigned *i)
{
    if (id & MD_RESERVED) {
        return NULL;
    }
    for (unsigned n = 0; n < t->num; n++) {
        const struct md_field *f = &t->fields[n];
        u64 rel = MD_CODE(id) - MD_CODE(f->id);

        /* A context of 0 stands for the one that the leaf is about. */
        if (MD_CLASS(id) == MD_CLASS(f->id) &&
            (!MD_CONTEXT(id) || MD_CONTEXT(id) == MD_CONTEXT(f->id)) &&
            MD_CODE(id) >= MD_CODE(f->id) &&
            rel / md_step(f) < md_count(f) && rel % md_step(f) == 0) {
            *i = rel / md_step(f);
            return f;
        }
    }
    return NULL;
}

static void *md_base(const struct md_field *f, struct md *m)
{
    switch (f->where) {
    case MD_TDR:
        return m->td->tdr;
    case MD_TDCS:
        return m->td->tdcs;
    case MD_TABLES:
        return m->td->tables;
    case MD_VCPU:
        return m->vp;
    case MD_MODULE:
        return &module;
    default:
        return NULL;
    }
}

static u64 md_get(const struct md_field *f, struct md *m, unsigned i, u64 *v)
{
    unsigned size = MD_SIZE(f->id);

    *v = 0;
    if (f->get) {
        return f->get(m, i, v);
    }
    if (f->where == MD_CONST) {
        *v = f->at;
    } else {
        memcpy(v, (u8 *)md_base(f, m) + f->at + i * size, size);
    }
    return TDX_SUCCESS;
}

/* What others may see of a value */
static u64 md_seen(const struct md_field *f, const struct md *m, u64 v)
{
    return f->rd_mask && !(m->who & MD_DEBUG) ? v & f->rd_mask : v;
}

u64 md_read(const struct md_table *t, struct md *m, u64 id, u64 *v)
{
    unsigned i;
    const struct md_field *f = md_find(t, id, &i);
    u64 ret;

    *v = 0;
    if (!f) {
        return TDX_METADATA_FIELD_ID_INCORRECT;
    }
    if (!(f->rd & m->who)) {
        return TDX_METADATA_FIELD_NOT_READABLE;
    }
    ret = md_get(f, m, i, v);
    *v = md_seen(f, m, *v);
    return ret;
}

u64 md_write(const struct md_table *t, struct md *m, u64 id, u64 v, u64 mask,
             u64 *old)
{
    unsigned i;
    const struct md_field *f = md_find(t, id, &i);
    u64 may, now, ret;

    if (!f) {
        return TDX_METADATA_FIELD_ID_INCORRECT;
    }
    may = f->wr_mask ? f->wr_mask : ~0ULL >> (64 - 8 * MD_SIZE(f->id));
    if (!(f->wr & m->who) || !(mask & may)) {
        return TDX_METADATA_FIELD_NOT_WRITABLE;
    }
    ret = md_get(f, m, i, old);
    if (is_error(ret)) {
        return ret;
    }
    /* Bits that cannot be written may be named if they stay as they are. */
    now = f->null && *old == ~0ULL ? 0 : *old;
    v = (now & ~mask) | (v & mask);
    if ((v ^ now) & ~may) {
        return TDX_METADATA_FIELD_VALUE_NOT_VALID;
    }
    if (f->set) {
        ret = f->set(m, i, v);
    } else {
        unsigned size = MD_SIZE(f->id);

        memcpy((u8 *)md_base(f, m) + f->at + i * size, &v, size);
    }
    /* What a host of no TD in debug mode cannot read, it cannot learn. */
    *old = f->rd & m->who ? md_seen(f, m, *old) : 0;
    return ret;
}

u64 md_next(const struct md_table *t, struct md *m, u64 id)
{
    unsigned i = 0, n = 0;
    const struct md_field *f;

    if (id != MD_NO_FIELD) {
        f = md_find(t, id, &i);
        if (!f) {
            return MD_NO_FIELD;
        }
        n = f - t->fields;
        i++;
    }
    for (; n < t->num; n++, i = 0) {
        f = &t->fields[n];
        if ((f->rd & m->who) && i < md_count(f)) {
            return f->id + i * md_step(f);
        }
    }
    return MD_NO_FIELD;
}

u64 md_rd_leaf(const struct md_table *t, struct md *m, u64 *regs,
               bool want_next)
{
    u64 id = regs[R_DX], v, ret;

    regs[R_8] = 0;
    if (want_next) {
        regs[R_DX] = MD_NO_FIELD;
    }
    if (want_next && id == MD_NO_FIELD) {
        regs[R_DX] = md_next(t, m, id);
        return TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT;
    }
    ret = md_read(t, m, id, &v);
    if (is_error(ret)) {
        return ret;
    }
    regs[R_8] = v;
    if (want_next) {
        regs[R_DX] = md_next(t, m, id);
    }
    return ret;
}

u64 md_wr_leaf(const struct md_table *t, struct md *m, u64 *regs)
{
    u64 v = regs[R_8], old = 0, ret;

    regs[R_8] = 0;
    ret = md_write(t, m, regs[R_DX], v, regs[R_9], &old);
    if (!is_error(ret)) {
        regs[R_8] = old;
    }
    return ret;
}

static unsigned md_host(const struct td *td)
{
    return MD_HOST | (td->tdcs->attributes & ATTR_DEBUG ? MD_DEBUG : 0);
}

/* The dispatcher has cleared RDX and R8: put the operands back. */
static u64 *md_operands(struct call *c)
{
    c->r->r[R_DX] = c->in.r[R_DX];
    c->r->r[R_8] = c->in.r[R_8];
    return c->r->r;
}

u64 tdh_sys_rd(struct call *c)
{
    struct md m = { .who = MD_HOST };

    if (!c->lp->init_done) {
        return call_out(c, R_DX, MD_NO_FIELD, TDX_SYS_LP_INIT_NOT_DONE);
    }
    return md_rd_leaf(&md_sys, &m, md_operands(c), true);
}

/*
 * A page of sequences: a header that counts them, then for each field id and
 * its values.  One sequence is one entry of the table.
 */
u64 tdh_sys_rdall(struct call *c)
{
    struct md m = { .who = MD_HOST };
    u64 pa = c->in.r[R_DX], id = c->in.r[R_8];
    u64 ret = phymem_check_shared(pa, PAGE_SIZE, PAGE_SIZE);
    u64 page[PAGE_SIZE / 8], used = 1, sequences = 0;
    unsigned i = 0, n = 0;

    c->r->r[R_8] = MD_NO_FIELD;
    if (!c->lp->init_done) {
        return TDX_SYS_LP_INIT_NOT_DONE;
    }
    if (is_error(ret)) {
        return status(ret, OPND_RDX);
    }
    if (id != MD_NO_FIELD) {
        const struct md_field *f = md_find(&md_sys, id, &i);

        if (!f || i) {
            return TDX_METADATA_FIELD_ID_INCORRECT;
        }
        n = f - md_sys.fields;
    }
    memset(page, 0, sizeof(page));
    for (; n < md_sys.num; n++) {
        const struct md_field *f = &md_sys.fields[n];
        unsigned count = md_count(f);

        if (used + 1 + count > ARRAY_SIZE(page)) {
            c->r->r[R_8] = f->id;
            break;
        }
        page[used++] = f->id | MD_LAST_ELEMENT(f->elements) |
                       MD_LAST_FIELD(f->fields);
        for (i = 0; i < count; i++) {
            md_get(f, &m, i, &page[used++]);
        }
        sequences++;
    }
    page[0] = (used * 8) | sequences << 16;
    memcpy(plat_map(pa, PLAT_RW), page, PAGE_SIZE);
    return TDX_SUCCESS;
}

u64 tdh_mng_rd(struct call *c)
{
    struct md m = { .who = md_host(&c->td), .td = &c->td };

    return md_rd_leaf(&md_td, &m, md_operands(c), c->version > 0);
}

u64 tdh_mng_wr(struct call *c)
{
    struct md m = { .who = md_host(&c->td), .td = &c->td };

    return md_wr_leaf(&md_td, &m, md_operands(c));
}

static u64 md_vp_leaf(struct call *c, bool write)
{
    struct md m = {
        .who = md_host(&c->td), .td = &c->td, .vp = c->vp, .call = c,
    };
    u64 ret;

    /* One that was disabled can be looked at. */
    if (c->vp->state != VCPU_READY &&
        !(c->vp->state == VCPU_DISABLED && !write)) {
        return TDX_VCPU_STATE_INCORRECT;
    }
    ret = vcpu_associate(c);
    if (is_error(ret)) {
        return ret;
    }
    return write ? md_wr_leaf(&md_vp, &m, md_operands(c))
                 : md_rd_leaf(&md_vp, &m, md_operands(c), c->version > 0);
}

u64 tdh_vp_rd(struct call *c)
{
    return md_vp_leaf(c, false);
}

u64 tdh_vp_wr(struct call *c)
{
    return md_vp_leaf(c, true);
}
