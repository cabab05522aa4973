/*
 * SEAM mode: functions that the platform and other helpers call
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_I386_TCG_SEAM_HOOKS_H
#define TARGET_I386_TCG_SEAM_HOOKS_H

#include "cpu.h"
#include "tcg/vmx-hooks.h"
#include "tcg/vmx-op.h"

/* What SEAMCALL loads, as far as processors differ in it */
typedef struct X86SeamEntry {
    uint64_t rip, rsp, cr3;
    uint64_t fs_base, gs_base;
} X86SeamEntry;

/* Write the image of a SEAM transfer VMCS to a page that is zero. */
void x86_seam_init_vmcs(uint8_t *page, const X86SeamEntry *entry);

/* SEAMCALL, SEAMRET, SEAMOPS, TDCALL, PCONFIG */
void x86_seam_op(CPUX86State *env, VmxOp op, uintptr_t ra);

VmxMsrResult x86_seam_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val);
VmxMsrResult x86_seam_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val);

#endif
