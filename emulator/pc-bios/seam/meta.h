/*
 * TDX module: metadata fields
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_META_H
#define SEAM_META_H

#include "module.h"

/* Who reads or writes; a host has more rights with a TD in debug mode. */
#define MD_HOST     BIT(0)
#define MD_DEBUG    BIT(1)
#define MD_GUEST    BIT(2)

#define MD_NO_FIELD         (~0ULL)
#define MD_CODE(id)         ((id) & 0xffffff)
#define MD_SIZE(id)         (1u << (((id) >> 32) & 3))
#define MD_CONTEXT(id)      ((id) & BITS(54, 52))
/* Linux does not care for bit 63, "not architectural": nor does this. */
#define MD_CLASS(id)        ((id) & BITS(61, 56))
#define MD_RESERVED         (BIT(62) | BIT(55) | BITS(49, 47) | BITS(31, 24))
#define MD_LAST_ELEMENT(n)  ((u64)((n) - 1) << 34)
#define MD_LAST_FIELD(n)    ((u64)((n) - 1) << 38)

struct md {
    unsigned who;
    struct td *td;
    struct vcpu *vp;
    struct call *call;          /* of a host, for fields of the VMCS */
};

/* Where the value of a field is */
enum md_where {
    MD_CONST, MD_TDR, MD_TDCS, MD_TABLES, MD_VCPU, MD_MODULE, MD_SPECIAL,
};

struct md_field {
    u64 id;                     /* of the first element of the first field */
    u16 fields;
    u8 elements;                /* of each field */
    u8 step;                    /* from code to code; 0: 1 */
    u8 where;
    u8 rd, wr;                  /* bitmaps of MD_HOST... */
    bool null;                  /* an address: all bits are 1 without one */
    u64 at;                     /* offset, or the constant */
    u64 wr_mask;
    u64 rd_mask;                /* without debug mode; 0: all bits */
    u64 (*get)(struct md *m, unsigned i, u64 *v);
    u64 (*set)(struct md *m, unsigned i, u64 v);
};

struct md_table {
    const struct md_field *fields;
    unsigned num;
};
extern const struct md_table md_sys, md_td, md_vp;

u64 md_read(const struct md_table *t, struct md *m, u64 id, u64 *v);
u64 md_write(const struct md_table *t, struct md *m, u64 id, u64 v, u64 mask,
             u64 *old);
/* The readable field after ID; the first one for MD_NO_FIELD */
u64 md_next(const struct md_table *t, struct md *m, u64 id);

/*
 * RD leaves of hosts and guests: RDX is the field, and afterwards the next
 * one if WANT_NEXT; R8 its value.
 */
u64 md_rd_leaf(const struct md_table *t, struct md *m, u64 *regs,
               bool want_next);
/* WR: R8 is the value and then the old one, R9 the mask */
u64 md_wr_leaf(const struct md_table *t, struct md *m, u64 *regs);

#endif
