/*
 * TDX module: state of the module, and of a call
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_MODULE_H
#define SEAM_MODULE_H

#include "lock.h"
#include "pamt.h"
#include "platform.h"
#include "sept.h"
#include "td.h"
#include "vcpu.h"

#define MAX_PKGS    32
#define MAX_KEYS    64

enum sys_state {
    SYS_INIT_PENDING, SYS_INIT_DONE, SYS_CONFIG_DONE, SYS_READY,
    SYS_SHUT_DOWN, SYS_NUM_STATES
};

/* A key id: who may use it */
enum key_state { KEY_RESERVED, KEY_FREE, KEY_ASSIGNED, KEY_FLUSHED };

struct key {
    u8 state;
    u32 wb_pending;             /* packages whose caches may hold its lines */
};

/* What TDH.PHYMEM.CACHE.WB has done on a package */
struct cache_wb {
    lock_t lock;
    u32 next_block;             /* 0: not interrupted */
    bool flushed[MAX_KEYS];     /* keys that were KEY_FLUSHED at the start */
};

struct tdmr {
    struct tdmr_info info;
    unsigned num_reserved;
    lock_t lock;
    u64 next;                   /* PAMT is initialized up to this address */
};

/* No call after the one that set it does anything. */
#define LPS_ENDED   BIT(31)

struct module {
    lock_t lock;                /* exclusive: changes of the state */
    u8 sys_state;
    u32 lps_done;
    u32 lps_busy;               /* LPs that are in a call; LPS_ENDED */
    u32 pkgs_keyed;             /* bitmap */
    u16 global_key;
    u16 first_key, num_keys;    /* private key ids */
    u8 key_shift;               /* where physical addresses have them */
    u64 xfam_fixed0;            /* what the processor has of it */
    u64 tsc_frequency;          /* of the processor, in Hz */
    u64 updates;                /* modules that TDs have had before this one */

    lock_t keys_lock;
    struct key key[MAX_KEYS];   /* by key id */
    struct cache_wb cache_wb[MAX_PKGS];

    unsigned num_tdmrs;
    struct tdmr tdmr[MAX_TDMRS];

    u64 msr[16];                /* of the first LP: the others' must agree */
};

extern struct module module;

/* A logical processor */
struct lp {
    u32 id, pkg;
    bool init_done;
    u64 current_vmcs;           /* the last one; 0: none of ours */
    struct call *call;          /* what it does just now */
};

/*
 * A SEAMCALL.  in[] is what the host passed, r the registers that it gets
 * back.  The dispatcher fills in the rest, as the leaf's entry in the table
 * says, and releases it afterwards in the opposite order.
 */
struct call {
    struct lp *lp;
    const struct leaf *leaf;
    unsigned version;
    struct regs in;
    struct regs *r;

    struct pamt_ref tdr_page;
    struct pamt_ref vp_page;
    struct td td;
    struct vcpu *vp;
    bool op_state_locked;
    bool sept_locked;
    struct sept_walk walk;
};

/* Leaves: one line each in the table of dispatch.c */
enum leaf_kind {
    LEAF_PLAIN,
    LEAF_TD,                    /* a register has the address of the TDR */
    LEAF_VP,                    /* ... of the TDVPR */
};

struct leaf {
    const char *name;
    u64 (*fn)(struct call *c);
    u8 number, max_version;
    u8 kind;
    u8 reg;                     /* that has the TDR or TDVPR */
    u8 lock;                    /* of the TDR or TDVPR */
    u8 op_lock;                 /* of the TD's operation state */
    u8 op_states;               /* bitmap; 0: needs no TDCS */
    u8 gpa;                     /* RCX is GPA and level: enum gpa_kind */
    u8 min_level, max_level;
    u8 sept_lock;
    u8 sept_states;             /* bitmap */
    u32 clears;                 /* registers that are 0 unless set */
    bool next_field;            /* RDX is an output, from version 1 on */
    bool before_ready;          /* SYS leaf that wants no SYS_READY */
};

enum gpa_kind { GPA_NONE, GPA_LEVEL };

/* dispatch.c */
void seamcall(struct lp *lp, struct regs *r);
u64 call_out(struct call *c, enum reg reg, u64 v, u64 ret);

/* sys.c, config.c, key.c, phymem.c */
void sys_move(enum sys_state to);
void key_move(u16 id, enum key_state to);
u64 tdh_sys_init(struct call *c);
u64 tdh_sys_lp_init(struct call *c);
u64 tdh_sys_shutdown(struct call *c);
u64 tdh_sys_disable(struct call *c);
u64 tdh_sys_update(struct call *c);
u64 tdh_sys_config(struct call *c);
u64 tdh_sys_tdmr_init(struct call *c);
u64 tdh_sys_rd(struct call *c);
u64 tdh_sys_rdall(struct call *c);
u64 tdh_sys_key_config(struct call *c);
u64 tdh_mng_create(struct call *c);
u64 tdh_mng_key_config(struct call *c);
u64 tdh_mng_vpflushdone(struct call *c);
u64 tdh_mng_key_freeid(struct call *c);
u64 tdh_mng_key_reclaimid(struct call *c);
u64 tdh_phymem_cache_wb(struct call *c);
u64 tdh_phymem_page_rdmd(struct call *c);
u64 tdh_phymem_page_reclaim(struct call *c);
u64 tdh_phymem_page_wbinvd(struct call *c);

/*
 * handoff.c: the caller has module.lock, exclusively, or it has ended the
 * module and so is alone in it.  READ is false, and nothing has changed, if the
 * data are not valid.
 */
bool handoff_possible(void);
void handoff_clear(void);
void handoff_write(void);
bool handoff_read(void);

/* An error unless the range is shared memory outside SEAMRR */
u64 phymem_check_shared(u64 pa, u64 size, u64 align);
u32 phymem_pkg_mask(void);

static inline u64 with_key(u64 pa, u16 key)
{
    return pa | (u64)key << module.key_shift;
}

static inline u64 global_pa(u64 pa)
{
    return with_key(pa, module.global_key);
}

#endif
