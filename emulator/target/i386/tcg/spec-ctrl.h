/*
 * MSRs that control speculation, as Intel has them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_I386_TCG_SPEC_CTRL_H
#define TARGET_I386_TCG_SPEC_CTRL_H

/* True if CPUID says that there is this MSR. */
bool x86_spec_ctrl_has_msr(CPUX86State *env, uint32_t msr);

/* An MSR that there is; false: #GP */
bool x86_spec_ctrl_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val);
bool x86_spec_ctrl_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val);

#endif
