/*
 * VMX: parameters that the translator passes to the helpers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_I386_TCG_VMX_OP_H
#define TARGET_I386_TCG_VMX_OP_H

typedef enum VmxOp {
    VMX_OP_VMCALL,
    VMX_OP_VMLAUNCH,
    VMX_OP_VMRESUME,
    VMX_OP_VMXOFF,
    VMX_OP_VMFUNC,
    VMX_OP_SEAMCALL,
    VMX_OP_SEAMRET,
    VMX_OP_SEAMOPS,
    VMX_OP_TDCALL,
    VMX_OP_PCONFIG,
    VMX_OP_VMXON,
    VMX_OP_VMCLEAR,
    VMX_OP_VMPTRLD,
    VMX_OP_VMPTRST,
    VMX_OP_VMREAD,
    VMX_OP_VMWRITE,
    VMX_OP_INVEPT,
    VMX_OP_INVVPID,
} VmxOp;

/* Instructions that SVM does not intercept, or for which VMX reports more. */
typedef enum VmxCheck {
    VMX_CHECK_RDTSCP,
    VMX_CHECK_RDPID,
    VMX_CHECK_RDRAND,
    VMX_CHECK_RDSEED,
    VMX_CHECK_XSAVES,
    VMX_CHECK_XRSTORS,
} VmxCheck;

#endif
