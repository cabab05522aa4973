/*
 * Switches between host, guest and TDX module, and what they leave in the TLB
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TCG_WORLD_H
#define TCG_WORLD_H

#include "cpu.h"

/*
 * A switch begins, while all registers are those of the world that is left: VM
 * entry, VM exit, SEAMCALL, SEAMRET. Until it ends, writes to registers flush
 * nothing. A second call, when an entry fails, has no effect.
 */
void x86_world_leave(CPUX86State *env);

/*
 * All registers are those of the world that is entered, including HF_GUEST and
 * HF_SEAM.
 * Drops translations that may not be used with these registers.
 */
void x86_world_enter(CPUX86State *env);

/* Drop translations of linear addresses of the guest with this ASID or VPID. */
void x86_guest_flush_asid(CPUX86State *env, uint32_t asid);
void x86_guest_flush_page(CPUX86State *env, uint32_t asid, vaddr addr);

/* Drop all translations of guests, with those of nested tables. */
void x86_guest_flush_all(CPUX86State *env);

#endif
