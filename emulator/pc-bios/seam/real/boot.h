/*
 * TDX module: what the loader hands over
 *
 * The machine's firmware puts the module into SEAMRR, and there it also makes
 * page tables, a SEAM transfer VMCS, a stack and an area of struct seam_lp for
 * each logical processor, and struct seam_info for all of them.
 *
 * SEAMCALL loads, from the transfer VMCS:
 *   RIP     seam_entry: offset 0 of the image
 *   RSP     the end of the processor's stack, 16 KiB, aligned to 16
 *   FS.base struct seam_info
 *   GS.base struct seam_lp
 *   CR0.NE, WP, PG; CR4.PAE, OSFXSR, OSXSAVE, VMXE, FSGSBASE; EFER.LMA, NXE
 *
 * The image is mapped at SEAM_BASE.  The windows of a processor are
 * SEAM_WINDOWS pages at seam_lp.windows, whose page table is mapped, writable,
 * at seam_lp.window_ptes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_BOOT_H
#define SEAM_BOOT_H

#include "../module.h"

#define SEAM_BASE       0xffff800000000000ULL
#define SEAM_WINDOWS    64

struct seam_info {
    char magic[8];              /* "TDX-SEAM" */
    u32 version;                /* 2 */
    u32 reserved;
    struct plat_info plat;
    u64 handoff, handoff_size;  /* kept when the module is replaced */
};
_Static_assert(offsetof(struct seam_info, handoff) == 552, "seam_info");

struct seam_lp {
    struct seam_lp *self;
    u64 windows;
    u64 *window_ptes;
    u32 id, pkg;

    /* The module's own; zero at the start */
    struct lp lp;
    u32 num_windows;
    u64 window_pa[SEAM_WINDOWS];
};

/* vmenter.S */
bool seam_vmenter(struct guest_regs *regs, bool launched);
void seam_main(struct regs *regs);

#endif
