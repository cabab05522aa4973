/*
 * TDX module: events for TDs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "run.h"

enum run_next inject_fault(u8 vector, bool has_error, u32 error)
{
    /*
     * If the exit interrupted the delivery of another event, there is a
     * fault in the delivery.
     */
    if (plat_vmread(VMCS_ENTRY_INTR) & INTR_VALID) {
        vector = VEC_DF;
        has_error = true;
        error = 0;
    }
    if (has_error) {
        plat_vmwrite(VMCS_ENTRY_ERROR, error);
    }
    plat_vmwrite(VMCS_ENTRY_INTR, INTR_VALID | INTR_TYPE_EXCEPTION << 8 |
                 (has_error ? INTR_ERROR_CODE : 0) | vector);
    return RUN_GUEST;
}

enum run_next inject_ve(struct run *r, u64 gla, u64 gpa)
{
    struct ve_info *ve = &r->vp->ve;

    /* The TD has not read the last one. */
    if (ve->valid) {
        return inject_fault(VEC_DF, true, 0);
    }
    ve->exit_reason = r->reason & 0xffff;
    ve->exit_qualification = r->qualification;
    ve->gla = gla;
    ve->gpa = gpa;
    ve->eptp_index = 0;
    ve->instruction_length = plat_vmread(VMCS_INSTR_LENGTH);
    ve->instruction_info = plat_vmread(VMCS_INSTR_INFO);
    ve->valid = VE_INFO_VALID;
    return inject_fault(VEC_VE, false, 0);
}

/* An event whose delivery the exit has interrupted is delivered again. */
void inject_again(const struct run *r)
{
    u64 info = plat_vmread(VMCS_IDT_VECTORING);

    if (!(info & INTR_VALID) || (r->reason & 0xffff) == EXIT_TASK_SWITCH) {
        return;
    }
    plat_vmwrite(VMCS_ENTRY_INTR, info & ~BIT(12));
    plat_vmwrite(VMCS_ENTRY_ERROR, plat_vmread(VMCS_IDT_ERROR));
    plat_vmwrite(VMCS_ENTRY_LENGTH, plat_vmread(VMCS_INSTR_LENGTH));
}

/* An NMI that the host has asked for, now or as soon as one can be taken */
void inject_nmi(struct run *r)
{
    u64 proc = plat_vmread(VMCS_PROC);
    bool blocked;

    if (!r->vp->pend_nmi) {
        if (proc & PROC_NMI_WINDOW) {
            plat_vmwrite(VMCS_PROC, proc & ~PROC_NMI_WINDOW);
        }
        return;
    }
    /* By STI, by MOV SS, by an NMI; or another event comes first */
    blocked = (plat_vmread(VMCS_INTERRUPTIBILITY) & 0xb) ||
              (plat_vmread(VMCS_ENTRY_INTR) & INTR_VALID);
    if (blocked) {
        plat_vmwrite(VMCS_PROC, proc | PROC_NMI_WINDOW);
        return;
    }
    plat_vmwrite(VMCS_ENTRY_INTR, INTR_VALID | INTR_TYPE_NMI << 8 | 2);
    plat_vmwrite(VMCS_PROC, proc & ~PROC_NMI_WINDOW);
    r->vp->pend_nmi = 0;
}
