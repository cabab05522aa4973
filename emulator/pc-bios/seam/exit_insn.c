/*
 * TDX module: instructions of TDs that the module carries out
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cpuid.h"
#include "msr.h"
#include "run.h"

#define CPUID_VE_SUPERVISOR     BIT(0)
#define CPUID_VE_USER           BIT(1)

static enum run_next run_gp0(struct run *r)
{
    return inject_fault(r, VEC_GP, true, 0);
}

/* The TD can ask for a #VE: for all of CPUID, or for a leaf. */
static bool run_cpuid_wants_ve(const struct run *r, u32 leaf)
{
    bool user = run_cpl() == 3;
    unsigned i = (leaf & 0x3f) | (leaf & BIT(31) ? 0x40 : 0);
    u8 control = (leaf & 0x7fffffff) < 0x40 ? r->vp->cpuid_control[i] : 0;

    return user ? r->vp->cpuid_user_ve || (control & CPUID_VE_USER)
                : r->vp->cpuid_supervisor_ve || (control & CPUID_VE_SUPERVISOR);
}

enum run_next run_cpuid(struct run *r)
{
    u64 *gpr = r->vp->guest.gpr.r;
    u32 v[4];

    if (run_cpuid_wants_ve(r, gpr[R_AX]) ||
        !cpuid_read(r->td, r->vp, gpr[R_AX], gpr[R_CX],
                    plat_vmread(VMCS_CR4), v)) {
        return inject_ve(r, 0, 0);
    }
    gpr[R_AX] = v[0];
    gpr[R_BX] = v[1];
    gpr[R_CX] = v[2];
    gpr[R_DX] = v[3];
    run_skip();
    return RUN_GUEST;
}

static u64 run_own_msr(const struct run *r, u32 msr)
{
    switch (msr) {
    case 0xbd:
        return 1;               /* the APIC stays in x2APIC mode */
    case 0x802:
        return r->td->tables->x2apic_id[r->vp->index];
    case 0x1a0:
        /* Fast strings; no branch trace, no PEBS */
        return BIT(0) | BIT(11) | BIT(12);
    case 0x1d9:
        return plat_vmread(VMCS_DEBUGCTL);
    case MSR_ARCH_CAPABILITIES:
        /* Bit 7, TSX_CTRL, only with TSX */
        return plat_rdmsr(msr) &
               (cpuid_bit(r->td, 7, 0, 1, 11) ? ~0ULL : ~BIT(7));
    default:
        return 0;
    }
}

/* An access that neither the processor nor the module executes */
static enum run_next run_msr_fault(struct run *r, enum msr_action action)
{
    switch (action) {
    case MSR_VE:
        return inject_ve(r, 0, 0);
    case MSR_GP:
        return run_gp0(r);
    default:
        return run_fatal(r);    /* it does not exit */
    }
}

enum run_next run_rdmsr(struct run *r)
{
    u64 *gpr = r->vp->guest.gpr.r;
    u32 msr = gpr[R_CX];
    enum msr_action action = msr_action(r->td, msr, false);
    u64 v;

    /* Without topology of the TD's own, the host says who this is. */
    if (action == MSR_OWN && msr == 0x802 &&
        !(r->td->tdcs->td_ctls & TD_CTLS_ENUM_TOPOLOGY)) {
        action = MSR_VE;
    }
    if (action != MSR_OWN) {
        return run_msr_fault(r, action);
    }
    v = run_own_msr(r, msr);
    gpr[R_AX] = (u32)v;
    gpr[R_DX] = v >> 32;
    run_skip();
    return RUN_GUEST;
}

static bool run_write_efer(u64 v)
{
    /* SCE, LME, LMA, NXE; LMA is the processor's */
    u64 old = plat_vmread(VMCS_EFER), may = 0xd01;
    bool paging = plat_vmread(VMCS_CR0) & BIT(31);

    if ((v & ~may) || (paging && ((v ^ old) & BIT(8)))) {
        return false;
    }
    plat_vmwrite(VMCS_EFER, (v & ~BIT(10)) | (old & BIT(10)));
    return true;
}

static bool run_write_msr(struct run *r, u32 msr, u64 v)
{
    switch (msr) {
    case MSR_EFER:
        return run_write_efer(v);
    case 0x1d9:
        /* Single-step on branches, #DB after bus locks */
        if (v & ~BITS(2, 1)) {
            return false;
        }
        plat_vmwrite(VMCS_DEBUGCTL, v);
        return true;
    case MSR_XSS:
        /* Components that are the supervisor's */
        if (v & ~(r->td->tdcs->xfam & ~XCR0_COMPONENTS)) {
            return false;
        }
        plat_wrmsr(MSR_XSS, v);
        r->vp->msr[VMSR_XSS] = v;
        return true;
    default:
        return false;
    }
}

enum run_next run_wrmsr(struct run *r)
{
    u64 *gpr = r->vp->guest.gpr.r;
    u32 msr = gpr[R_CX];
    enum msr_action action = msr_action(r->td, msr, true);

    if (action != MSR_OWN) {
        return run_msr_fault(r, action);
    }
    /* Trace messages, and no store of them */
    if (msr == 0x1d9 && (gpr[R_AX] & BITS(7, 6)) == BIT(6)) {
        return inject_ve(r, 0, 0);
    }
    if (!run_write_msr(r, msr, (u32)gpr[R_AX] | gpr[R_DX] << 32)) {
        return run_gp0(r);
    }
    run_skip();
    return RUN_GUEST;
}

/* The combinations of components that the processor takes */
static bool run_xcr0_ok(const struct run *r, u64 v)
{
    u64 avx512 = v & BITS(7, 5), amx = v & BITS(18, 17);

    return !(v & ~(r->td->tdcs->xfam & XCR0_COMPONENTS)) && (v & BIT(0)) &&
           (!(v & BIT(2)) || (v & BIT(1))) &&
           (!avx512 || (avx512 == BITS(7, 5) && (v & BIT(2)))) &&
           (!amx || amx == BITS(18, 17));
}

enum run_next run_xsetbv(struct run *r)
{
    u64 *gpr = r->vp->guest.gpr.r;
    u64 v = (u32)gpr[R_AX] | gpr[R_DX] << 32;

    if ((u32)gpr[R_CX] || run_cpl() || !run_xcr0_ok(r, v)) {
        return run_gp0(r);
    }
    plat_xsetbv(v);
    r->vp->xcr0 = v;
    run_skip();
    return RUN_GUEST;
}

/* True if the processor would take it */
static bool run_cr0_ok(u64 v)
{
    u64 cr4 = plat_vmread(VMCS_CR4);

    return !(v >> 32) && ((v & CR0_PE) || !(v & CR0_PG)) &&
           ((v & CR0_CD) || !(v & CR0_NW)) &&
           ((v & CR0_PG) || !(run_64bit() || (cr4 & CR4_PCIDE))) &&
           ((v & CR0_WP) || !(cr4 & CR4_CET));
}

/* True if the processor would take it, and it is of no feature the TD lacks */
static bool run_cr4_ok(u64 v)
{
    u64 differ = (v ^ plat_vmread(VMCS_CR4_SHADOW)) &
                 plat_vmread(VMCS_CR4_MASK);

    return !(v & ~plat_rdmsr(MSR_VMX_CR4_FIXED1)) &&
           !(differ & ~(CR4_MCE | CR4_VMXE | CR4_SMXE));
}

/*
 * MOV to CR0 or CR4 that would change what the mask has: #GP if a processor
 * rejects it, else #VE.  CLTS and LMSW cannot change any of it.
 */
enum run_next run_cr(struct run *r)
{
    u64 cr = r->qualification & 0xf, type = (r->qualification >> 4) & 3;
    u64 gpr = (r->qualification >> 8) & 0xf;
    u64 v = gpr == R_SP ? plat_vmread(VMCS_RSP) : r->vp->guest.gpr.r[gpr];

    if (type != 0 || (cr != 0 && cr != 4)) {
        return run_fatal(r);
    }
    if (!run_64bit()) {
        v = (u32)v;
    }
    return (cr ? run_cr4_ok(v) : run_cr0_ok(v)) ? inject_ve(r, 0, 0)
                                                : run_gp0(r);
}
