/*
 * TDX module: who owns physical pages
 *
 * Each 1 GiB of a TDMR has one PAMT entry of 1 GiB, 512 of 2 MiB and 262,144
 * of 4 KiB.  A page is described by the entry of its size; the entries below
 * a larger page are PT_NDA, and so are those above smaller pages.
 *
 * An entry's lock protects the entry and the page.  Its owner also has,
 * shared, the locks of the entries above, so that no larger page that contains
 * this one can be made at the same time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_PAMT_H
#define SEAM_PAMT_H

#include "abi.h"
#include "lock.h"

struct pamt_entry {
    lock_t lock;
    u8 type;                    /* enum page_type */
    u8 owner[5];                /* page number of the TDR */
    u64 bepoch;                 /* epoch of the TD when it was blocked */
};
_Static_assert(sizeof(struct pamt_entry) == PAMT_ENTRY_SIZE, "PAMT entry");

#define PAMT_LEVELS     3
#define PAMT_LEAF       PAMT_LEVELS     /* the size that the page has */

/* A locked entry.  up[]: the entries above it, locked shared. */
struct pamt_ref {
    struct pamt_entry *entry;   /* NULL: nothing is locked */
    struct pamt_entry *up[PAMT_LEVELS];
    u64 pa;
    u8 level;
    u8 mode;
};

u64 pamt_owner(const struct pamt_entry *e);

/*
 * Lock the entry of the page at LEVEL, or of the page as it is (PAMT_LEAF).
 * TDX_OPERAND_ADDR_RANGE_ERROR, TDX_PAGE_METADATA_INCORRECT if a larger page
 * is there, or BUSY.
 */
u64 pamt_lock(u64 pa, unsigned level, enum lock_mode mode, struct pamt_ref *r);
void pamt_unlock(struct pamt_ref *r);

/* The same for an operand: a whole page, without key id, of type TYPE */
u64 pamt_lock_operand(u64 pa, unsigned level, enum page_type type,
                      enum lock_mode mode, unsigned operand,
                      struct pamt_ref *r);

/* The same for a page of LEVEL that is to be assigned: all of it is free. */
u64 pamt_lock_free(u64 pa, unsigned level, unsigned operand,
                   struct pamt_ref *r);

/* All changes of a page's type, with the entry locked exclusively */
void pamt_assign(struct pamt_ref *r, enum page_type to, u64 owner);
void pamt_free(struct pamt_ref *r);

/*
 * 512 pages of the TD become one of LEVEL (TDX_SUCCESS or BUSY), or one that
 * is locked exclusively becomes 512.
 */
u64 pamt_promote(u64 pa, unsigned level, u64 owner);
void pamt_demote(struct pamt_ref *r);

/* Entries of the TDMR from PA on, SIZE bytes of it; SIZE <= 1 GiB, aligned */
struct tdmr;
void pamt_init_range(const struct tdmr *t, u64 pa, u64 size);

#endif
