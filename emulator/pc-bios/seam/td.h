/*
 * TDX module: TDs
 *
 * A TD's root is its TDR, one page with the module's own key.  TDCS is six
 * pages with the TD's key:
 *
 *   0  struct tdcs
 *   1  struct tdcs_tables
 *   2  MSR bitmaps
 *   3  root of the Secure EPT
 *   4  zeros: shared EPT of a vCPU that has none
 *   5  not used
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_TD_H
#define SEAM_TD_H

#include "abi.h"
#include "lock.h"
#include "sha384.h"

enum tdcs_page {
    TDCS_PAGE_BASE, TDCS_PAGE_TABLES, TDCS_PAGE_MSR_BITMAPS,
    TDCS_PAGE_SEPT_ROOT, TDCS_PAGE_ZERO, TDCS_PAGE_SPARE
};

/* Life of a TD: its key id has to be given back before its pages are. */
enum td_state {
    TD_HKID_ASSIGNED, TD_KEYS_CONFIGURED, TD_BLOCKED, TD_TEARDOWN,
    TD_NUM_STATES
};

/* What a TD with keys can do */
enum op_state { OP_UNINITIALIZED, OP_INITIALIZED, OP_RUNNABLE, OP_NUM_STATES };

#define OP_ANY      (BIT(OP_UNINITIALIZED) | OP_LIVE)
#define OP_LIVE     (BIT(OP_INITIALIZED) | BIT(OP_RUNNABLE))

struct tdr {
    u32 state;                  /* enum td_state */
    u8 fatal;
    u16 hkid;
    u32 num_tdcx;
    u64 chldcnt;                /* pages of 4 KiB that name this TDR */
    u64 pkg_config;             /* bitmap of packages with its key */
    u64 tdcx_pa[TDCS_PAGES];
    u64 uuid[4];
    struct seamdb_ref seamdb;   /* of the module that has created it */
};

/*
 * TLB tracking.  vCPUs that run count in refcount[] of the epoch that they
 * entered in.  TDH.MEM.TRACK begins the next epoch once nobody is left from
 * the one before.
 */
struct tdcs_epoch {
    u64 epoch;
    u16 refcount[2];            /* by bit 0 of the epoch */
    lock_t lock;
};

struct tdcs {
    /* Management */
    u32 num_vcpus;
    u32 num_assoc_vcpus;
    u32 op_state;
    lock_t op_state_lock;
    lock_t sept_lock;

    /* Execution control */
    u64 attributes;
    u64 xfam;
    u32 max_vcpus;
    u8 gpaw;
    u64 eptp;
    u64 tsc_offset;
    u64 tsc_multiplier;
    u16 tsc_frequency;
    u64 notify_enables;
    u64 hp_lock_timeout;
    u64 config_flags;
    u64 td_ctls;
    u8 topology_enum_configured;
    u32 xbuff_size;

    struct tdcs_epoch epoch;

    /* Measurement */
    u8 mrtd[48];
    u8 mrconfigid[48];
    u8 mrowner[48];
    u8 mrownerconfig[48];
    u8 rtmr[NUM_RTMR][48];
    u8 servtd_hash[48];
    lock_t rtmr_lock;
    struct sha384 mrtd_ctx;
};
_Static_assert(sizeof(struct tdcs) <= PAGE_SIZE, "TDCS");

#define MAX_CPUID_VALUES    80

struct tdcs_tables {
    u32 cpuid[MAX_CPUID_VALUES][4];     /* in the order of cpuid_table[] */
    u32 x2apic_id[MAX_VCPUS_PER_TD];
};
_Static_assert(sizeof(struct tdcs_tables) <= PAGE_SIZE, "TDCS tables");

struct td {
    u64 pa;                     /* of TDR */
    struct tdr *tdr;
    struct tdcs *tdcs;          /* NULL: not all pages are there */
    struct tdcs_tables *tables;
};

void td_map(struct td *td, u64 tdr_pa);
void td_map_tdcs(struct td *td);
void td_move(struct tdr *tdr, enum td_state to);
void td_move_op(struct tdcs *tdcs, enum op_state to);
/* Pages of 4 KiB that name the TDR as their owner: some more, or fewer */
void td_count_pages(struct tdr *tdr, int64_t pages);
/* Level of the entries in the root of the Secure EPT */
unsigned td_top_level(const struct td *td);
u64 td_shared_bit(const struct tdcs *tdcs);
/* True if GPA is private, and within the TD's address width */
bool td_private_gpa(const struct tdcs *tdcs, u64 gpa);

/* True if no vCPU can have a translation that it had in epoch BEPOCH */
bool td_tlb_tracked(const struct tdcs *tdcs, u64 bepoch);
/* A TD that has run has translations in TLBs. */
static inline bool td_needs_tracking(const struct tdcs *tdcs)
{
    return tdcs->op_state == OP_RUNNABLE;
}

/* tdparams.c, measure.c, td.c */
struct call;
u64 tdh_mng_addcx(struct call *c);
u64 tdh_mng_init(struct call *c);
u64 tdh_mng_rd(struct call *c);
u64 tdh_mng_wr(struct call *c);
u64 tdh_mr_extend(struct call *c);
u64 tdh_mr_finalize(struct call *c);
void measure_start(struct tdcs *tdcs);
void measure_page_add(struct tdcs *tdcs, u64 gpa);
void measure_tdinfo(const struct tdcs *tdcs, struct tdinfo *info);

/* mem.c, mem_block.c, mem_size.c, mem_debug.c */
u64 tdh_mem_sept_add(struct call *c);
u64 tdh_mem_sept_rd(struct call *c);
u64 tdh_mem_sept_remove(struct call *c);
u64 tdh_mem_page_add(struct call *c);
u64 tdh_mem_page_aug(struct call *c);
u64 tdh_mem_page_remove(struct call *c);
u64 tdh_mem_page_relocate(struct call *c);
u64 tdh_mem_page_promote(struct call *c);
u64 tdh_mem_page_demote(struct call *c);
u64 tdh_mem_range_block(struct call *c);
u64 tdh_mem_range_unblock(struct call *c);
u64 tdh_mem_track(struct call *c);
u64 tdh_mem_rd(struct call *c);
u64 tdh_mem_wr(struct call *c);

#endif
