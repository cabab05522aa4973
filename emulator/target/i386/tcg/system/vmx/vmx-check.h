/*
 * VMX: checks that the host-state and the guest-state area have in common
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_I386_TCG_VMX_CHECK_H
#define TARGET_I386_TCG_VMX_CHECK_H

bool vmx_efer_ok(CPUX86State *env, uint64_t efer);

#endif
