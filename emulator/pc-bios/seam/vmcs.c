/*
 * TDX module: the VMCS of a vCPU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmcs.h"
#include "cpuid.h"
#include "module.h"

/* Guest state: 32-bit protected mode, flat, at the last instruction of 4 GiB */
static const struct {
    u16 field;
    u64 value;
} vmcs_start[] = {
    { VMCS_LINK, ~0ULL },
    { VMCS_DEBUGCTL, 0 },
    { VMCS_PAT, 0x0007040600070406ULL },
    { VMCS_EFER, 0x901 },
    { VMCS_EXCEPTIONS, BIT(18) },               /* #MC */
    { VMCS_TPR_THRESHOLD, 0 },
    { VMCS_ENTRY_INTR, 0 },
    { VMCS_GUEST_GDTR_LIMIT, 0xffff },
    { VMCS_GUEST_IDTR_LIMIT, 0xffff },
    { VMCS_INTERRUPTIBILITY, 0 },
    { VMCS_ACTIVITY, 0 },
    { VMCS_CR0, 0x21 },
    { VMCS_CR3, 0 },
    { VMCS_CR4, 0x2040 },
    { VMCS_DR7, 0x400 },
    { VMCS_RSP, 0 },
    { VMCS_RIP, 0xfffffff0 },
    { VMCS_RFLAGS, 2 },
    { VMCS_INTR_STATUS, 0 },
    { VMCS_EOI_EXIT0, 0 }, { VMCS_EOI_EXIT0 + 2, 0 },
    { VMCS_EOI_EXIT0 + 4, 0 }, { VMCS_EOI_EXIT0 + 6, 0 },
    /* XSETBV and XSS are the module's, and nothing of XSAVES exits. */
    { VMCS_XSS_EXITING, 0 },
    { VMCS_PENDING_DEBUG, 0 },
    /* All of SGX and of PCONFIG exits. */
    { VMCS_ENCLS_BITMAP, ~0ULL },
    { VMCS_ENCLV_BITMAP, ~0ULL },
    { VMCS_PCONFIG_BITMAP, ~0ULL },
};

/*
 * Controls: a bit is set if it is required here, or if the processor has no
 * choice.  A bit that the processor lacks is left out; TDH.SYS.INIT has made
 * sure that TDs do not depend on it.
 */
static const struct {
    u16 field;
    u32 msr;
    u32 bits;
} vmcs_controls[] = {
    /* Interrupts, NMIs, virtual NMIs */
    { VMCS_PIN, MSR_VMX_BASIC + 0xd, BIT(0) | BIT(3) | BIT(5) },
    /*
     * TSC offset, HLT, MWAIT, RDPMC, tertiary, TPR shadow, I/O, MSR bitmaps,
     * MONITOR, secondary
     */
    { VMCS_PROC, MSR_VMX_BASIC + 0xe, BIT(3) | BIT(7) | BIT(10) | BIT(11) |
      BIT(17) | BIT(21) | BIT(24) | BIT(28) | BIT(29) | BIT(31) },
    /*
     * EPT, RDTSCP, x2APIC, VPID, WBINVD, unrestricted, APIC registers,
     * interrupt delivery, INVPCID, ENCLS, #VE, XSAVES, TSC scaling, user
     * wait, PCONFIG, ENCLV
     */
    { VMCS_PROC2, MSR_VMX_BASIC + 0xb, BIT(1) | BIT(3) | BIT(4) | BIT(5) |
      BIT(6) | BIT(7) | BIT(8) | BIT(9) | BIT(12) | BIT(15) | BIT(18) |
      BIT(20) | BIT(25) | BIT(26) | BIT(27) | BIT(28) },
    /* Debug controls, 64-bit host, acknowledge, PAT, EFER */
    { VMCS_EXIT_CTLS, MSR_VMX_BASIC + 0xf, BIT(2) | BIT(9) | BIT(15) |
      BIT(18) | BIT(19) | BIT(20) | BIT(21) },
    { VMCS_ENTRY_CTLS, MSR_VMX_BASIC + 0x10, BIT(2) | BIT(14) | BIT(15) },
};

/* Fields that come with a control */
static const struct {
    u16 field;
    u32 msr;
    u8 bit;
} vmcs_optional[] = {
    { VMCS_TERTIARY, MSR_VMX_BASIC + 0xe, 17 },
    { VMCS_XSS_EXITING, MSR_VMX_BASIC + 0xb, 20 },
    { VMCS_TSC_MULTIPLIER, MSR_VMX_BASIC + 0xb, 25 },
    { VMCS_NOTIFY_WINDOW, MSR_VMX_BASIC + 0xb, 31 },
    { VMCS_ENCLS_BITMAP, MSR_VMX_BASIC + 0xb, 15 },
    { VMCS_ENCLV_BITMAP, MSR_VMX_BASIC + 0xb, 28 },
    { VMCS_PCONFIG_BITMAP, MSR_VMX_BASIC + 0xb, 27 },
};

/* Controls that TDs cannot do without */
static const struct {
    u32 msr;
    u32 bits;
} vmcs_required[] = {
    /* Interrupts, NMIs, virtual NMIs, posted interrupts */
    { MSR_VMX_BASIC + 0xd, BIT(0) | BIT(3) | BIT(5) | BIT(7) },
    /* HLT, TSC offset, TPR shadow, I/O, MSR bitmaps, secondary */
    { MSR_VMX_BASIC + 0xe, BIT(3) | BIT(7) | BIT(21) | BIT(24) | BIT(28) |
      BIT(31) },
    /* EPT, x2APIC, VPID, unrestricted, APIC registers, delivery, #VE */
    { MSR_VMX_BASIC + 0xb, BIT(1) | BIT(4) | BIT(5) | BIT(7) | BIT(8) |
      BIT(9) | BIT(18) },
    /* As in vmcs_controls[] */
    { MSR_VMX_BASIC + 0xf, BIT(2) | BIT(9) | BIT(15) | BIT(18) | BIT(19) |
      BIT(20) | BIT(21) },
    { MSR_VMX_BASIC + 0x10, BIT(2) | BIT(14) | BIT(15) },
};

/* Four levels, write-back, INVEPT of a single tree */
#define EPT_CAP_REQUIRED    (BIT(6) | BIT(14) | BIT(20) | BIT(25))

bool vmcs_has(u32 field)
{
    for (unsigned i = 0; i < ARRAY_SIZE(vmcs_optional); i++) {
        if (vmcs_optional[i].field == field) {
            return (plat_rdmsr(vmcs_optional[i].msr) >> 32) &
                   BIT(vmcs_optional[i].bit);
        }
    }
    return true;
}

static void vmcs_write(u32 field, u64 v)
{
    if (vmcs_has(field)) {
        plat_vmwrite(field, v);
    }
}

u64 vmcs_check(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(vmcs_required); i++) {
        u32 msr = vmcs_required[i].msr;

        if (vmcs_required[i].bits & ~(plat_rdmsr(msr) >> 32)) {
            return status(TDX_INCORRECT_MSR_VALUE, msr);
        }
    }
    if (EPT_CAP_REQUIRED & ~plat_rdmsr(MSR_VMX_EPT_VPID_CAP)) {
        return status(TDX_INCORRECT_MSR_VALUE, MSR_VMX_EPT_VPID_CAP);
    }
    return TDX_SUCCESS;
}

bool vmcs_has_ept_5(void)
{
    return plat_rdmsr(MSR_VMX_EPT_VPID_CAP) & BIT(7);
}

bool vmcs_has_gpaw(void)
{
    return vmcs_has(VMCS_TERTIARY) &&
           (plat_rdmsr(MSR_VMX_PROCBASED_CTLS3) & BIT(5));
}

static void vmcs_init_segments(void)
{
    for (unsigned i = 0; i < 8; i++) {
        /* ES, CS, SS, DS, FS, GS, LDTR, TR */
        u32 ar = i == 1 ? 0xc09b : i == 6 ? 0x10082 : i == 7 ? 0x8b : 0xc093;

        plat_vmwrite(0x0800 + 2 * i, 0);
        plat_vmwrite(VMCS_GUEST_LIMIT + 2 * i, i >= 6 ? 0xffff : 0xffffffff);
        plat_vmwrite(VMCS_GUEST_AR + 2 * i, ar);
        plat_vmwrite(0x6806 + 2 * i, 0);
    }
}

static void vmcs_init_controls(const struct td *td)
{
    for (unsigned i = 0; i < ARRAY_SIZE(vmcs_controls); i++) {
        u64 cap = plat_rdmsr(vmcs_controls[i].msr);

        plat_vmwrite(vmcs_controls[i].field,
                     (vmcs_controls[i].bits | (u32)cap) & (cap >> 32));
    }
    /* Guest addresses of 52 bits */
    vmcs_write(VMCS_TERTIARY, td->tdcs->gpaw ? BIT(5) : 0);
}

/* Bits of CR0 and CR4 that a TD sees as they are and cannot change */
static void vmcs_init_cr_masks(const struct td *td)
{
    /*
     * PE, NE, NW, CD, and the upper half.  Other reserved bits are left to the
     * processor, which ignores them.
     */
    u64 cr0_own = CR0_PE | CR0_NE | CR0_NW | CR0_CD | BITS(63, 32);
    /* VMXE, SMXE, MCE, PKS, and what the TD's CPUID does not have */
    u64 cr4_own = ~BITS(24, 0) | BIT(6) | BIT(13) | BIT(14) | BIT(15) |
                  BIT(19) | BIT(24);

    if (!(td->tdcs->xfam & BITS(12, 11))) {
        cr4_own |= BIT(23);
    }
    if (!(td->tdcs->xfam & BIT(9))) {
        cr4_own |= BIT(22);
    }
    if (!cpuid_bit(td, 7, 0, 2, 16)) {
        cr4_own |= BIT(12);
    }
    plat_vmwrite(VMCS_CR0_MASK, cr0_own);
    plat_vmwrite(VMCS_CR0_SHADOW, CR0_PE | CR0_NE);
    plat_vmwrite(VMCS_CR4_MASK, cr4_own);
    plat_vmwrite(VMCS_CR4_SHADOW, CR4_MCE);
}

void vmcs_init(struct call *c)
{
    const struct td *td = &c->td;

    for (unsigned i = 0; i < ARRAY_SIZE(vmcs_start); i++) {
        vmcs_write(vmcs_start[i].field, vmcs_start[i].value);
    }
    vmcs_init_segments();
    plat_vmwrite(0x6816, 0);
    plat_vmwrite(0x6818, 0);
    vmcs_init_controls(td);
    vmcs_init_cr_masks(td);
    plat_vmwrite(VMCS_HKID, td->tdr->hkid);
    /* No two TDs that exist have the same. */
    plat_vmwrite(VMCS_VPID, td->tdr->hkid + 1);
    plat_vmwrite(VMCS_EPTP, td->tdcs->eptp);
    plat_vmwrite(VMCS_SHARED_EPTP, td->tdr->tdcx_pa[TDCS_PAGE_ZERO]);
    plat_vmwrite(VMCS_MSR_BITMAPS, td->tdr->tdcx_pa[TDCS_PAGE_MSR_BITMAPS]);
    plat_vmwrite(VMCS_VAPIC, c->vp->page_pa[TDVPS_PAGE_VAPIC]);
    plat_vmwrite(VMCS_VE_INFO, c->vp->page_pa[TDVPS_PAGE_VPR]);
    plat_vmwrite(VMCS_TSC_OFFSET, td->tdcs->tsc_offset);
    vmcs_write(VMCS_TSC_MULTIPLIER, td->tdcs->tsc_multiplier);
    /* The host has to write these before it enables posted interrupts. */
    plat_vmwrite(VMCS_POSTED_VECTOR, POSTED_VECTOR_NONE);
    plat_vmwrite(VMCS_POSTED_DESC, ~0ULL);
    vmcs_write(VMCS_NOTIFY_WINDOW, 0);
}
