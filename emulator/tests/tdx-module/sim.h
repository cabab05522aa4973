/*
 * Tests of the TDX module: a machine that is simulated as far as needed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SIM_H
#define SIM_H

#include "module.h"
#include "vmcs.h"

#define SIM_MEM         (4ULL << 30)
#define SIM_PAGES       (SIM_MEM / PAGE_SIZE)
#define SIM_FMS         0xa06d0u        /* CPUID leaf 1, EAX */
#define SIM_LPS         2
#define SIM_FIRST_KEY   4
#define SIM_NUM_KEYS    8
#define SIM_LAST_KEY    (SIM_FIRST_KEY + SIM_NUM_KEYS - 1)
#define SIM_KEY_SHIFT   46

/* Memory map */
#define SIM_SEAMRR      0xe0000000ULL
#define SIM_SEAMRR_SIZE 0x02000000ULL
#define SIM_CMR         0x00100000ULL
#define SIM_HOST        0x01000000ULL   /* buffers of the host */
#define SIM_PAMT        0x10000000ULL
#define SIM_TDMR0       0x40000000ULL
#define SIM_TDMR1       0x80000000ULL

struct sim {
    u8 *mem;
    u16 key[SIM_PAGES];         /* that a page was written with */
    struct lp lp[SIM_LPS];
    struct plat_info info;

    bool no_entropy;
    bool no_key;                /* PCONFIG fails */
    bool no_report;
    bool no_gpaw;
    u64 no_ept;                 /* EPT capabilities that are not there */
    u32 no_proc2;               /* secondary controls that are not there */
    unsigned events;            /* so many polls until one is pending */
    u64 tsc;
    u64 tsc_adjust[SIM_LPS];
    u64 xfam;                   /* native */
    unsigned invepts, wb_blocks, flushed_pages;
    bool vmfail;

    u8 handoff[16 * PAGE_SIZE] __attribute__((aligned(8)));
    u64 handoff_size;
    unsigned installs;
};

extern struct sim sim;

/* Each thread is a processor: which one, and what its guest does */
extern _Thread_local unsigned sim_cur, sim_windows;
extern _Thread_local void (*sim_guest)(struct guest_regs *g);
/* What the last VM entry has delivered, or 0 */
extern _Thread_local u64 sim_event;

void sim_reset(void);
/* As a loader does it: another module, with the handoff data of the last one */
void sim_install(void);
u8 *sim_mem(u64 pa);
/* As a host writes: whatever key the page had is gone. */
void sim_host_write(u64 pa, const void *data, size_t n);
void sim_exit(u32 reason, u64 qualification);

#endif
