/*
 * VMX: state of a processor, and functions that the rest of target/i386 calls
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_I386_VMX_H
#define TARGET_I386_VMX_H

#include "cpu.h"

/* Realize, reset and remove the VMX part of a CPU that TCG runs. */
bool x86_vmx_realize(X86CPU *cpu, Error **errp);
/* SEAM mode, for a processor with VMX; features that come with it */
bool x86_seam_realize(X86CPU *cpu, Error **errp);
void x86_seam_features(CPUX86State *env);
void x86_vmx_unrealize(X86CPU *cpu);
void x86_vmx_reset(CPUX86State *env);

/* The TSC has its own rate, so that timers which count it can be set. */
uint64_t x86_vmx_tsc(CPUX86State *env);

/* The VMX event for an interrupt request; 0 if there is none. */
int x86_vmx_pending_interrupt(CPUX86State *env, int interrupt_request);

/* True if INIT is blocked. */
bool x86_vmx_blocks_init(CPUX86State *env);

#endif
