/*
 * Tests of the TDX module: a host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LIB_H
#define LIB_H

#include <stdio.h>
#include <stdlib.h>
#include "sim.h"

/* Registers that the last SEAMCALL has left */
extern _Thread_local struct regs out;

/* A SEAMCALL; RAX also has the version in bits 23:16 */
u64 call(u64 rax, u64 rcx, u64 rdx, u64 r8, u64 r9);
#define VERSION(v)      ((u64)(v) << 16)

/* Each counts as a test of the leaf that was called last. */
void check(const char *file, int line, const char *what, u64 got, u64 want);
#define CHECK(got, want)    check(__FILE__, __LINE__, #got, got, want)
/* Without the operand, and whatever else is in bits 31:0 */
#define CHECK_CODE(got, want)                                               \
    check(__FILE__, __LINE__, #got, STATUS_CODE(got), STATUS_CODE(want))
#define OK(got)             CHECK(got, TDX_SUCCESS)
#define INVALID(op)         status(TDX_OPERAND_INVALID, op)
#define BUSY(op)            status(TDX_OPERAND_BUSY, op)

/* Set-up that is not what a test is about */
void must(u64 ret, const char *what);
#define MUST(x)             must(x, #x)

struct ttd {
    u64 tdr, hkid;
    u64 tdcx[TDCS_PAGES];
    u64 tdvpr[16];
    unsigned num_vps;
    u64 table[5];               /* S-EPT tables by level, for GPA 0 */
};

#define HOST_PAGE(n)    (SIM_HOST + (n) * PAGE_SIZE)

void fill_tdmrs(struct tdmr_info info[2]);
u64 config(const struct tdmr_info *info, unsigned n);
/* The module up to SYS_INIT_DONE, or ready with one TDMR of 1 GiB */
void setup_init(void);
void setup_ready(void);
u64 page_alloc(void);
u64 page_alloc_2m(void);
void page_alloc_reset(void);

void fill_params(struct td_params *p);
/* With a topology: threads, cores */
void fill_topology(struct td_params *p);
u64 mng_init(struct ttd *td, const struct td_params *p);

/* Each begins with setup_ready() and goes further than the one before. */
enum stage { ST_CREATED, ST_KEYED, ST_CX, ST_INIT, ST_RUN, ST_FATAL,
             ST_BLOCKED, ST_TEARDOWN, NUM_STAGES };
void td_create(struct ttd *td);
void td_to(struct ttd *td, enum stage stage);
void td_debug(bool on);
u64 vp_create(struct ttd *td);
void vp_init(struct ttd *td, u64 vp, u32 id);
/* Tables so that GPA has an entry of LEVEL */
void sept_tables(struct ttd *td, u64 gpa, unsigned level);
void td_destroy(struct ttd *td);

u64 enter(struct ttd *td);
/* The guest executes one TDCALL; then it gets an event or none, and exits. */
extern _Thread_local struct guest_regs tdcall_regs;
extern _Thread_local u64 tdcall_event;
u64 tdcall(struct ttd *td, u64 rax, u64 rcx, u64 rdx, u64 r8, u64 r9);

#define EV_GP   0x80000b0dULL
#define EV_PF   0x80000b0eULL
#define EV_UD   0x80000306ULL
#define EV_VE   0x80000314ULL
#define EV_DF   0x80000b08ULL

/* One exit, and what the guest finds when it goes on */
struct one_exit {
    u32 reason;
    u64 qualification;
    u64 field[8][2];            /* of the VMCS, at the exit; 0 ends */
    u64 gpr[NUM_REGS];
    struct ve_info *ve;         /* the processor raises a #VE before it */
    unsigned entries;
    u64 event;                  /* that was injected */
    u64 rip;
    struct guest_regs after;
};
extern struct one_exit g1;

/* The guest's exit REASON; the TD exit that follows, or 1 if it goes on */
u64 run_one(struct ttd *td, u32 reason, u64 qualification);
void run_clear(void);
/* Exit reason of the #VE that the TD has not read yet, or ~0 */
u64 ve_reason(struct ttd *td);
/* GPA of an EPT violation: the first of the fields */
void set_gpa(u64 gpa);

void block_track(struct ttd *td, u64 gpa, unsigned level);
struct pamt_entry *pamt_of(u64 pa, unsigned level);

/* What holds for all pages, whatever the host did */
void audit(const char *when);

void test_sha(void);
void test_sys(void);
void test_phymem(void);
void test_td(void);
void test_params(void);
void test_vp(void);
void test_mem(void);
void test_size(void);
void test_run(void);
void test_event(void);
void test_tdcall(void);
void test_meta(void);
void test_busy(void);
void test_update(void);
void test_fuzz(void);
void test_race(void);
void report_leaves(void);

extern unsigned checks, failures;

#endif
