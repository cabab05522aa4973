/*
 * TDX module: locks
 *
 * All locks are try-locks: a leaf that does not get one reports BUSY.  Bit 0 is
 * the exclusive owner, bits 15:2 count the shared ones.  Bit 1, host
 * priority, is set by a host that did not get the lock and keeps guests out
 * until a host has had it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_LOCK_H
#define SEAM_LOCK_H

#include "types.h"
#include "status.h"

typedef u16 lock_t;

#define LOCK_EXCLUSIVE      1u
#define LOCK_HOST_PRIORITY  2u
#define LOCK_ONE_SHARED     4u
#define LOCK_MAX_SHARED     0xfffcu

enum lock_mode { LOCK_NONE, LOCK_SH, LOCK_EX };
enum lock_side { SIDE_HOST, SIDE_GUEST };

/* TDX_SUCCESS, or BUSY without the operand */
static inline u64 lock_try_as(lock_t *l, enum lock_mode mode,
                              enum lock_side side)
{
    lock_t old = __atomic_load_n(l, __ATOMIC_RELAXED);

    for (;;) {
        bool held = (old & LOCK_EXCLUSIVE) ||
                    (mode == LOCK_EX ? old >= LOCK_ONE_SHARED
                                     : old >= LOCK_MAX_SHARED);
        lock_t new;

        if (side == SIDE_GUEST && (held || (old & LOCK_HOST_PRIORITY))) {
            return old & LOCK_HOST_PRIORITY ? TDX_OPERAND_BUSY_HOST_PRIORITY
                                            : TDX_OPERAND_BUSY;
        }
        if (held) {
            __atomic_fetch_or(l, LOCK_HOST_PRIORITY, __ATOMIC_RELAXED);
            return TDX_OPERAND_BUSY;
        }
        new = (old & ~LOCK_HOST_PRIORITY) +
              (mode == LOCK_EX ? LOCK_EXCLUSIVE : LOCK_ONE_SHARED);
        if (__atomic_compare_exchange_n(l, &old, new, false,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            return TDX_SUCCESS;
        }
    }
}

static inline bool lock_try(lock_t *l, enum lock_mode mode)
{
    return lock_try_as(l, mode, SIDE_HOST) == TDX_SUCCESS;
}

/* The only shared owner becomes the exclusive one. */
static inline bool lock_try_upgrade(lock_t *l)
{
    lock_t old = LOCK_ONE_SHARED |
                 (__atomic_load_n(l, __ATOMIC_RELAXED) & LOCK_HOST_PRIORITY);

    return __atomic_compare_exchange_n(l, &old, LOCK_EXCLUSIVE, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void lock_put(lock_t *l, enum lock_mode mode)
{
    __atomic_fetch_sub(l, mode == LOCK_EX ? LOCK_EXCLUSIVE : LOCK_ONE_SHARED,
                       __ATOMIC_RELEASE);
}

#endif
