/*
 * TDX module: CPUID of TDs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_CPUID_H
#define SEAM_CPUID_H

#include "td.h"

#define CPUID_NO_SUB    (~0u)

#define CPUID_LAST          0x23u
#define CPUID_LAST_EXTENDED 0x80000008u

/*
 * Bits of a value that are in none of the masks are the processor's.  zero
 * and one are fixed.  config is what TD_PARAMS says; so does allow, but its
 * bits can only be 1 if the processor has them.
 */
struct cpuid_row {
    u32 leaf, sub;
    u32 zero[4], one[4];
    u32 config[4], allow[4];
    bool ve;                    /* the leaf is never virtualized */
};

extern const struct cpuid_row cpuid_table[];
extern const unsigned cpuid_rows;

/* Row of a leaf; the number of rows if there is none */
unsigned cpuid_find(u32 leaf, u32 sub);
bool cpuid_is_config(const struct cpuid_row *row);
/* The n-th row that TD_PARAMS configures */
const struct cpuid_row *cpuid_config_row(unsigned n);

/*
 * Values of a new TD.  TDX_SUCCESS, or OPERAND_INVALID with the leaf and
 * subleaf that is wrong.
 */
u64 cpuid_init(struct td *td, const struct td_params *params, u64 *bad);
/* The value that a vCPU reads; false: #VE */
struct vcpu;
bool cpuid_read(const struct td *td, const struct vcpu *vp, u32 leaf, u32 sub,
                u64 cr4, u32 out[4]);
/* A bit of the TD's values */
bool cpuid_bit(const struct td *td, u32 leaf, u32 sub, unsigned reg,
               unsigned bit);

#endif
