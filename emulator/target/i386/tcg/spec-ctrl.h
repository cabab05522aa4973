/*
 * MSRs that control speculation, as Intel has them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_I386_TCG_SPEC_CTRL_H
#define TARGET_I386_TCG_SPEC_CTRL_H

/* True if it is one of these MSRs, which not all processors have. */
bool x86_spec_ctrl_msr(uint32_t msr);

/* False for #GP(0), as without the MSR in CPUID */
bool x86_spec_ctrl_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val);
bool x86_spec_ctrl_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val);

#endif
