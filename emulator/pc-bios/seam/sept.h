/*
 * TDX module: Secure EPT
 *
 * The processor walks these entries for private guest addresses.  What it
 * ignores is the module's:
 *
 *   bits 2:0    read, write, execute      all or none of them
 *   bits 6:3    memory type, ignore PAT   write-back, in leaves
 *   bit 7       leaf                      also at 4 KiB
 *   bit 11      entry lock
 *   bits 51:12  physical address
 *   bit 52      host priority             a host waits for the entry lock
 *   bits 55:53  state
 *   bit 63      suppress #VE              always set
 *
 * Only NL_MAPPED and MAPPED entries give access.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_SEPT_H
#define SEAM_SEPT_H

#include "abi.h"
#include "lock.h"

enum sept_state {
    SEPT_FREE, SEPT_NL_MAPPED, SEPT_NL_BLOCKED, SEPT_MAPPED, SEPT_BLOCKED,
    SEPT_PENDING, SEPT_PENDING_BLOCKED, SEPT_NUM_STATES
};

#define SEPT_LEAF_STATES    (BIT(SEPT_MAPPED) | BIT(SEPT_BLOCKED) | \
                             BIT(SEPT_PENDING) | BIT(SEPT_PENDING_BLOCKED))
#define SEPT_NL_STATES      (BIT(SEPT_NL_MAPPED) | BIT(SEPT_NL_BLOCKED))
#define SEPT_BLOCKED_STATES (BIT(SEPT_NL_BLOCKED) | BIT(SEPT_BLOCKED) | \
                             BIT(SEPT_PENDING_BLOCKED))

#define SEPT_RWX            BITS(2, 0)
#define SEPT_LEAF_ATTR      (6ULL << 3 | BIT(6) | BIT(7))
#define SEPT_LEAF           BIT(7)
#define SEPT_LOCK           BIT(11)
#define SEPT_PA             BITS(51, 12)
#define SEPT_HOST_PRIORITY  BIT(52)
#define SEPT_STATE_SHIFT    53
#define SEPT_STATE          BITS(55, 53)
#define SEPT_SUPPRESS_VE    BIT(63)
#define SEPT_ENTRY_FREE     SEPT_SUPPRESS_VE

/* What TDH.MEM.SEPT.RD and failed walks report */
#define SEPT_VISIBLE        (SEPT_RWX | BITS(6, 3) | SEPT_LEAF | SEPT_PA | \
                             SEPT_SUPPRESS_VE)
#define SEPT_TABLE_VISIBLE  (SEPT_RWX | SEPT_LEAF)

struct td;

/* Where a walk ended.  locked: the entry lock is held */
struct sept_walk {
    u64 *entry;
    u64 value;                  /* as it was read, or since it was locked */
    unsigned level;
    bool locked;
};

static inline enum sept_state sept_state(u64 e)
{
    return (e & SEPT_STATE) >> SEPT_STATE_SHIFT;
}

static inline bool sept_is(u64 e, u64 states)
{
    return states & BIT(sept_state(e));
}

u64 sept_visible(u64 e);
/* Level, and state as the ABI numbers it */
u64 sept_level_and_state(const struct sept_walk *w);

/* All changes of an entry's state; the entry is locked. */
void sept_move(struct sept_walk *w, enum sept_state to, u64 pa);

/*
 * Walk down to LEVEL.  False if the walk ended above it, at an entry that
 * has no table below it.
 */
bool sept_walk_to(const struct td *td, u64 gpa, unsigned level,
                  struct sept_walk *w);
/* Walk to whatever leaf maps GPA; false if none does. */
bool sept_walk_leaf(const struct td *td, u64 gpa, struct sept_walk *w);

/* Entry lock: TDX_SUCCESS or BUSY without the operand */
u64 sept_lock(struct sept_walk *w, enum lock_side side);
void sept_unlock(struct sept_walk *w);

/* A new table: free, or with the pages of a larger one */
void sept_table_init(u64 *table);
void sept_table_fill(u64 *table, enum sept_state state, u64 pa, u64 step);
bool sept_table_is_free(const u64 *table);
/* True if all entries map one larger page; sets its state and address. */
bool sept_table_is_page(const u64 *table, unsigned level,
                        enum sept_state *state, u64 *pa);
/* The state of a leaf when it is not blocked */
enum sept_state sept_unblocked(enum sept_state state);

/* Physical address of GPA in the leaf of the walk */
u64 sept_leaf_pa(const struct sept_walk *w, u64 gpa);

#endif
