/*
 * TDX module: events for TDs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "run.h"

static bool inject_is(u64 info, unsigned type)
{
    return (info & INTR_VALID) && INTR_TYPE(info) == type;
}

enum run_next inject_fault(struct run *r, u8 vector, bool has_error, u32 error)
{
    u64 first = plat_vmread(VMCS_ENTRY_INTR);

    /*
     * If the exit interrupted the delivery of another event, there is a
     * fault in the delivery.  One in that of a double fault ends the vCPU.
     * If it did not, this could repeat without an end while the TD executes
     * nothing and the processor takes no interrupt of the host.
     */
    if (inject_is(first, INTR_TYPE_EXCEPTION) && (u8)first == VEC_DF) {
        return run_triple_fault(r);
    }
    if (first & INTR_VALID) {
        vector = VEC_DF;
        has_error = true;
        error = 0;
    }
    /* In real mode no exception has an error code. */
    has_error = has_error && (plat_vmread(VMCS_CR0) & CR0_PE);
    if (has_error) {
        plat_vmwrite(VMCS_ENTRY_ERROR, error);
    }
    plat_vmwrite(VMCS_ENTRY_INTR, INTR_VALID | INTR_TYPE_EXCEPTION << 8 |
                 (has_error ? INTR_ERROR_CODE : 0) | vector);
    /* As with any fault, no breakpoint at the instruction comes again. */
    plat_vmwrite(VMCS_RFLAGS, plat_vmread(VMCS_RFLAGS) | RFLAGS_RF);
    return RUN_GUEST;
}

enum run_next inject_ve(struct run *r, u64 gla, u64 gpa)
{
    struct ve_info *ve = &r->vp->ve;

    /*
     * The TD has not read the last one, or this one is a fault in the
     * delivery of an event.  It gets no #VE, and so no information of one.
     */
    if (ve->valid || (plat_vmread(VMCS_ENTRY_INTR) & INTR_VALID)) {
        return inject_fault(r, VEC_DF, true, 0);
    }
    ve->exit_reason = r->reason & 0xffff;
    ve->exit_qualification = r->qualification;
    ve->gla = gla;
    ve->gpa = gpa;
    ve->eptp_index = 0;
    ve->instruction_length = plat_vmread(VMCS_INSTR_LENGTH);
    ve->instruction_info = plat_vmread(VMCS_INSTR_INFO);
    ve->valid = VE_INFO_VALID;
    return inject_fault(r, VEC_VE, false, 0);
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

/* True if the host's NMI is to wait until the processor can take one */
static bool inject_pend_nmi(struct run *r)
{
    u64 blocks = plat_vmread(VMCS_INTERRUPTIBILITY) & BLOCKS_NMI;

    /*
     * A TD that has not read what its #VE was about gets no NMI: another #VE
     * in its handler would be a double fault.  The NMI window says nothing
     * about that; TDG.VP.VEINFO.GET leads here.
     */
    if (!r->vp->pend_nmi || r->vp->ve.valid) {
        return false;
    }
    /*
     * STI closes the window of some processors only.  If others waited for its
     * end, the window would be the next exit again, before any instruction.
     */
    if ((r->reason & 0xffff) == EXIT_NMI_WINDOW) {
        blocks &= ~BLOCK_BY_STI;
    }
    if (blocks || (plat_vmread(VMCS_ENTRY_INTR) & INTR_VALID)) {
        return true;
    }
    plat_vmwrite(VMCS_ENTRY_INTR, INTR_VALID | INTR_TYPE_NMI << 8 | 2);
    r->vp->pend_nmi = 0;
    return false;
}

void inject_nmi(struct run *r)
{
    u64 window = inject_pend_nmi(r) ? PROC_NMI_WINDOW : 0;
    u64 proc = plat_vmread(VMCS_PROC), blocks;

    if ((proc & PROC_NMI_WINDOW) != window) {
        plat_vmwrite(VMCS_PROC, proc ^ PROC_NMI_WINDOW);
    }
    /*
     * An NMI whose delivery was interrupted has blocked NMIs already, and one
     * that the window lets in may follow STI; the processor rejects one that
     * is blocked.
     */
    if (inject_is(plat_vmread(VMCS_ENTRY_INTR), INTR_TYPE_NMI)) {
        blocks = plat_vmread(VMCS_INTERRUPTIBILITY);
        plat_vmwrite(VMCS_INTERRUPTIBILITY,
                     blocks & ~(BLOCK_BY_NMI | BLOCK_BY_STI));
    }
}
