/*
 * TDX module: Secure EPT
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "module.h"

/* From which states an entry may go to the one of the index */
static const u8 sept_from[SEPT_NUM_STATES] = {
    [SEPT_FREE] = BIT(SEPT_NL_MAPPED) | BIT(SEPT_NL_BLOCKED) |
                  SEPT_LEAF_STATES,
    /* DEMOTE makes a table of a leaf, PROMOTE a leaf of a table. */
    [SEPT_NL_MAPPED] = BIT(SEPT_FREE) | BIT(SEPT_NL_BLOCKED) |
                       SEPT_LEAF_STATES,
    [SEPT_NL_BLOCKED] = BIT(SEPT_NL_MAPPED),
    [SEPT_MAPPED] = BIT(SEPT_FREE) | BIT(SEPT_BLOCKED) | BIT(SEPT_PENDING) |
                    BIT(SEPT_MAPPED) | SEPT_NL_STATES,
    [SEPT_BLOCKED] = BIT(SEPT_MAPPED),
    [SEPT_PENDING] = BIT(SEPT_FREE) | BIT(SEPT_PENDING_BLOCKED) |
                     BIT(SEPT_PENDING) | SEPT_NL_STATES,
    [SEPT_PENDING_BLOCKED] = BIT(SEPT_PENDING),
};

/* The ABI's numbers: bit 7 marks an entry that is no leaf. */
static const u8 sept_public[SEPT_NUM_STATES] = {
    [SEPT_FREE] = 0,
    [SEPT_BLOCKED] = 1,
    [SEPT_PENDING] = 2,
    [SEPT_PENDING_BLOCKED] = 3,
    [SEPT_MAPPED] = 4,
    [SEPT_NL_BLOCKED] = 0x81,
    [SEPT_NL_MAPPED] = 0x84,
};

/* The page of a table is not reported to the host. */
u64 sept_visible(u64 e)
{
    return e & (sept_is(e, SEPT_NL_STATES) ? SEPT_TABLE_VISIBLE : SEPT_VISIBLE);
}

u64 sept_level_and_state(const struct sept_walk *w)
{
    return w->level | (u64)sept_public[sept_state(w->value)] << 8;
}

static u64 sept_make(enum sept_state state, u64 pa)
{
    u64 e = (u64)state << SEPT_STATE_SHIFT | SEPT_SUPPRESS_VE;

    if (state == SEPT_FREE) {
        return e;
    }
    e |= pa;
    if (state == SEPT_NL_MAPPED || state == SEPT_MAPPED) {
        e |= SEPT_RWX;
    }
    return BIT(state) & SEPT_LEAF_STATES ? e | SEPT_LEAF_ATTR : e;
}

void sept_move(struct sept_walk *w, enum sept_state to, u64 pa)
{
    u64 old = w->value, new = sept_make(to, pa);

    require(w->locked && (sept_from[to] & BIT(sept_state(old))));
    /* The lock stays, and so does the bit of a host that waits. */
    for (u64 now = __atomic_load_n(w->entry, __ATOMIC_RELAXED); ; ) {
        require((now & ~SEPT_HOST_PRIORITY) ==
                ((old & ~SEPT_HOST_PRIORITY) | SEPT_LOCK));
        if (__atomic_compare_exchange_n(w->entry, &now,
                new | SEPT_LOCK | (now & SEPT_HOST_PRIORITY), false,
                __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
            break;
        }
    }
    w->value = new;
}

static u64 *sept_map_table(const struct td *td, u64 pa)
{
    return plat_map(with_key(pa, td->tdr->hkid), PLAT_RW);
}

static void sept_start(const struct td *td, u64 gpa, struct sept_walk *w)
{
    u64 *table = sept_map_table(td, td->tdcs->eptp & SEPT_PA);

    w->level = td_top_level(td);
    w->entry = &table[(gpa / level_size(w->level)) % 512];
    w->value = __atomic_load_n(w->entry, __ATOMIC_ACQUIRE) & ~SEPT_LOCK;
    w->locked = false;
}

static void sept_down(const struct td *td, u64 gpa, struct sept_walk *w)
{
    u64 *table = sept_map_table(td, w->value & SEPT_PA);

    w->level--;
    w->entry = &table[(gpa / level_size(w->level)) % 512];
    w->value = __atomic_load_n(w->entry, __ATOMIC_ACQUIRE) & ~SEPT_LOCK;
}

bool sept_walk_to(const struct td *td, u64 gpa, unsigned level,
                  struct sept_walk *w)
{
    sept_start(td, gpa, w);
    while (w->level > level) {
        /* A table that is blocked is out of reach, except for itself. */
        if (sept_state(w->value) != SEPT_NL_MAPPED) {
            return false;
        }
        sept_down(td, gpa, w);
    }
    return true;
}

bool sept_walk_leaf(const struct td *td, u64 gpa, struct sept_walk *w)
{
    sept_start(td, gpa, w);
    while (sept_state(w->value) == SEPT_NL_MAPPED) {
        require(w->level > 0);
        sept_down(td, gpa, w);
    }
    return sept_is(w->value, SEPT_LEAF_STATES);
}

u64 sept_lock(struct sept_walk *w, enum lock_side side)
{
    u64 old = __atomic_load_n(w->entry, __ATOMIC_RELAXED), new;

    do {
        if (side == SIDE_GUEST && (old & SEPT_HOST_PRIORITY)) {
            return TDX_OPERAND_BUSY_HOST_PRIORITY;
        }
        if (old & SEPT_LOCK) {
            if (side == SIDE_HOST) {
                __atomic_fetch_or(w->entry, SEPT_HOST_PRIORITY,
                                  __ATOMIC_RELAXED);
            }
            return TDX_OPERAND_BUSY;
        }
        new = (old & ~SEPT_HOST_PRIORITY) | SEPT_LOCK;
    } while (!__atomic_compare_exchange_n(w->entry, &old, new, false,
                                          __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED));
    w->value = new & ~SEPT_LOCK;
    w->locked = true;
    return TDX_SUCCESS;
}

void sept_unlock(struct sept_walk *w)
{
    if (w->locked) {
        __atomic_fetch_and(w->entry, ~SEPT_LOCK, __ATOMIC_RELEASE);
        w->locked = false;
    }
}

void sept_table_init(u64 *table)
{
    for (unsigned i = 0; i < 512; i++) {
        table[i] = SEPT_ENTRY_FREE;
    }
}

void sept_table_fill(u64 *table, enum sept_state state, u64 pa, u64 step)
{
    for (unsigned i = 0; i < 512; i++) {
        table[i] = sept_make(state, pa + i * step);
    }
}

bool sept_table_is_page(const u64 *table, unsigned level,
                        enum sept_state *state, u64 *pa)
{
    *state = sept_state(table[0]);
    *pa = table[0] & SEPT_PA;
    if ((*state != SEPT_MAPPED && *state != SEPT_PENDING) ||
        !aligned(*pa, level_size(level))) {
        return false;
    }
    for (unsigned i = 0; i < 512; i++) {
        u64 want = sept_make(*state, *pa + i * level_size(level - 1));

        if ((table[i] & ~SEPT_HOST_PRIORITY) != want) {
            return false;
        }
    }
    return true;
}

enum sept_state sept_unblocked(enum sept_state state)
{
    return state == SEPT_BLOCKED ? SEPT_MAPPED
           : state == SEPT_PENDING_BLOCKED ? SEPT_PENDING
           : state == SEPT_NL_BLOCKED ? SEPT_NL_MAPPED : state;
}

bool sept_table_is_free(const u64 *table)
{
    for (unsigned i = 0; i < 512; i++) {
        if (sept_state(table[i]) != SEPT_FREE) {
            return false;
        }
    }
    return true;
}

u64 sept_leaf_pa(const struct sept_walk *w, u64 gpa)
{
    return (w->value & SEPT_PA) | (gpa & (level_size(w->level) - 1));
}
