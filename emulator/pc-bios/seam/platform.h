/*
 * TDX module: what it needs of the processor and the platform
 *
 * Two programs implement this: real/ with the instructions of SEAM mode, and
 * the tests with simulated memory and a VMCS that is a table.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_PLATFORM_H
#define SEAM_PLATFORM_H

#include "types.h"
#include "abi.h"

struct lp;

/* Registers in the order of their encoding; operands of leaves use it too */
enum reg {
    R_AX, R_CX, R_DX, R_BX, R_SP, R_BP, R_SI, R_DI,
    R_8, R_9, R_10, R_11, R_12, R_13, R_14, R_15, NUM_REGS
};

struct regs {
    u64 r[NUM_REGS];
};

/* Guest state that VM entries and exits leave in the processor */
struct guest_regs {
    struct regs gpr;
    u64 cr2;
    u64 dr[4];
    u64 dr6;
};

/* What the loader found out and left in memory for the module */
struct plat_info {
    u64 seamrr_base, seamrr_size;
    u32 num_lps, num_pkgs;
    struct {
        u64 base, size;
    } cmr[MAX_CMRS];            /* a size of 0 ends the list */
};

/*
 * Memory of the platform that outlives the module when the loader replaces it;
 * *SIZE is 0 if there is none.  It begins with this, which the loader reads.
 */
struct handoff_header {
    char magic[8];              /* "TDX-HAND": valid */
    u32 version;
    u32 size;                   /* of all data */
};

void *plat_handoff(u64 *size);

const struct plat_info *plat_info(void);
struct lp *plat_lp(void);

/* The module has found a state that is impossible: stop this machine. */
_Noreturn void plat_fatal(const char *why);
#define require(x)  ((x) ? (void)0 : plat_fatal(#x))

/*
 * Windows on physical memory.  An address carries its key id.  Windows are
 * not freed one by one: plat_release() frees all that were opened since
 * plat_mark().  PLAT_FRESH is for a page whatever key it was written with
 * before; its contents are lost.
 */
enum plat_how { PLAT_RO, PLAT_RW, PLAT_FRESH };
void *plat_map(u64 pa_and_key, enum plat_how how);
unsigned plat_mark(void);
void plat_release(unsigned mark);
/* Write back and invalidate the page in all caches */
void plat_flush_page(u64 pa_and_key);

bool plat_random(u64 *v);
u64 plat_rdmsr(u32 msr);
void plat_wrmsr(u32 msr, u64 v);
void plat_cpuid(u32 leaf, u32 subleaf, u32 out[4]);
u64 plat_tsc(void);
bool plat_event_pending(void);

/* PCONFIG: program a random key; false if there is no entropy */
bool plat_program_key(u16 key);

/* The current VMCS of the processor */
void plat_vmclear(u64 pa);
void plat_vmptrld(u64 pa);
u64 plat_vmread(u32 field);
void plat_vmwrite(u32 field, u64 v);
/* False if the entry failed (VMfail): the VMCS has an error number. */
bool plat_vmenter(struct guest_regs *regs, bool launched);
/* Drop what was cached of one tree of EPT paging structures */
void plat_invept(u64 eptp);
/* Host fields of the current VMCS that only the platform knows */
void plat_vmcs_host_state(void);

/* Extended state of a TD, in three pages */
void plat_xstate_save(const u64 pa[3], u64 xfam);
void plat_xstate_load(const u64 pa[3], u64 xfam);
void plat_xstate_host(void);
/* A value that the processor takes */
void plat_xsetbv(u64 xcr0);

/* SEAMOPS: the entry of the module that runs */
void plat_seamdb_ref(struct seamdb_ref *ref);
/* A report that names the module of REF; false if the processor refuses */
bool plat_seal_report(struct tdreport *report, const struct seamdb_ref *ref);
u64 plat_verify_report(const struct reportmac *mac);

#endif
