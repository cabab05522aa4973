/*
 * TDX module: MSRs of TDs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_MSR_H
#define SEAM_MSR_H

#include "td.h"

/* What becomes of an access */
enum msr_action {
    MSR_NATIVE,                 /* no exit */
    MSR_GP,
    MSR_VE,
    MSR_GP_VE,                  /* #VE if the TD's CPUID has the feature */
    MSR_OWN,                    /* the module's own answer */
};

enum msr_action msr_action(const struct td *td, u32 msr, bool write);
void msr_init_bitmaps(const struct td *td, u8 *bitmaps);

#endif
