/*
 * TDX module: vCPUs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cpuid.h"
#include "module.h"
#include "vmcs.h"

#define XSAVE_XCOMP_BV      520

static bool vcpu_may_move(enum vcpu_state from, enum vcpu_state to)
{
    switch (to) {
    case VCPU_READY:
        return from == VCPU_UNINITIALIZED || from == VCPU_ACTIVE;
    case VCPU_ACTIVE:
        return from == VCPU_READY;
    case VCPU_DISABLED:
        return from == VCPU_ACTIVE;
    default:
        return false;
    }
}

void vcpu_move(struct vcpu *vp, enum vcpu_state to)
{
    require(vcpu_may_move(vp->state, to));
    vp->state = to;
}

static u64 vcpu_vmcs_pa(const struct call *c)
{
    return with_key(c->vp->page_pa[TDVPS_PAGE_VMCS], c->td.tdr->hkid);
}

void vcpu_load_vmcs(struct call *c)
{
    u64 pa = vcpu_vmcs_pa(c);

    /* SEAMCALL leaves no VMCS current. */
    plat_vmptrld(pa);
    if (c->lp->current_vmcs != pa) {
        c->lp->current_vmcs = pa;
        /*
         * vCPUs of a TD have one VPID: what the TLB has of another one that
         * ran on this processor is not this one's.
         */
        plat_invept(c->td.tdcs->eptp);
    }
}

/* VM exits end in this module. */
static void vcpu_host_state(struct call *c)
{
    plat_vmcs_host_state();
    c->vp->updates = module.updates;
}

u64 vcpu_associate(struct call *c)
{
    u32 none = VCPU_NO_LP;

    if (c->vp->assoc_lp == c->lp->id) {
        vcpu_load_vmcs(c);
        if (c->vp->updates != module.updates) {
            vcpu_host_state(c);
        }
        return TDX_SUCCESS;
    }
    if (!__atomic_compare_exchange_n(&c->vp->assoc_lp, &none, c->lp->id, false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        return TDX_VCPU_ASSOCIATED;
    }
    __atomic_fetch_add(&c->td.tdcs->num_assoc_vcpus, 1, __ATOMIC_SEQ_CST);
    vcpu_load_vmcs(c);
    vcpu_host_state(c);
    c->vp->launched = false;
    return TDX_SUCCESS;
}

u64 tdh_vp_create(struct call *c)
{
    u64 pa = c->in.r[R_CX];
    struct pamt_ref p;
    struct vcpu *vp;
    u64 ret = pamt_lock_operand(pa, 0, PT_NDA, LOCK_EX, OPND_RCX, &p);

    if (is_error(ret)) {
        return ret;
    }
    vp = plat_map(with_key(pa, c->td.tdr->hkid), PLAT_FRESH);
    memset(vp, 0, PAGE_SIZE);
    vp->state = VCPU_UNINITIALIZED;
    vp->num_pages = 1;
    vp->page_pa[TDVPS_PAGE_VPR] = pa;
    vp->assoc_lp = VCPU_NO_LP;
    pamt_assign(&p, PT_TDVPR, c->td.pa);
    td_count_pages(c->td.tdr, 1);
    pamt_unlock(&p);
    return TDX_SUCCESS;
}

u64 tdh_vp_addcx(struct call *c)
{
    u64 pa = c->in.r[R_CX];
    struct pamt_ref p;
    u64 ret;

    if (c->vp->state != VCPU_UNINITIALIZED) {
        return TDX_VCPU_STATE_INCORRECT;
    }
    if (c->vp->num_pages == TDVPS_PAGES) {
        return TDX_TDCX_NUM_INCORRECT;
    }
    ret = pamt_lock_operand(pa, 0, PT_NDA, LOCK_EX, OPND_RCX, &p);
    if (is_error(ret)) {
        return ret;
    }
    memset(plat_map(with_key(pa, c->td.tdr->hkid), PLAT_FRESH), 0, PAGE_SIZE);
    c->vp->page_pa[c->vp->num_pages++] = pa;
    pamt_assign(&p, PT_TDCX, c->td.pa);
    td_count_pages(c->td.tdr, 1);
    pamt_unlock(&p);
    return TDX_SUCCESS;
}

/* State of a vCPU that has not run yet */
static void vcpu_start(struct call *c, u32 index)
{
    struct vcpu *vp = c->vp;
    u64 *gpr = vp->guest.gpr.r;
    u32 *vmcs = plat_map(vcpu_vmcs_pa(c), PLAT_RW);
    u8 *xstate = plat_map(with_key(vp->page_pa[TDVPS_PAGE_XSTATE],
                                   c->td.tdr->hkid), PLAT_RW);
    u64 xcomp_bv = BIT(63) | c->td.tdcs->xfam;
    u32 *vapic = plat_map(with_key(vp->page_pa[TDVPS_PAGE_VAPIC],
                                   c->td.tdr->hkid), PLAT_RW);

    vp->index = index;
    gpr[R_CX] = gpr[R_8] = c->in.r[R_DX];
    gpr[R_BX] = c->td.tdcs->gpaw ? 52 : 48;
    gpr[R_DX] = c->td.tables->cpuid[cpuid_find(1, 0)][0];
    gpr[R_SI] = index;
    vp->guest.dr6 = 0xffff0ff0;
    vp->xcr0 = 1;
    vp->last_exit = LAST_EXIT_FAULT;
    /* All components in their initial state, in the compacted format */
    memcpy(xstate + XSAVE_XCOMP_BV, &xcomp_bv, sizeof(xcomp_bv));
    /* Spurious interrupts are vector 255; the APIC is on. */
    vapic[0xf0 / 4] = 0x1ff;
    vmcs[0] = plat_rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
}

static u64 vcpu_x2apic_id(struct call *c, u32 index, u32 *id)
{
    if (!c->version) {
        /* Nobody checks that it is unique: the TD must not rely on that. */
        __atomic_store_n(&c->td.tdcs->topology_enum_configured, 0,
                         __ATOMIC_RELAXED);
        *id = index;
        return TDX_SUCCESS;
    }
    if (c->in.r[R_8] >> 32) {
        return status(TDX_OPERAND_INVALID, OPND_R8);
    }
    *id = c->in.r[R_8];
    for (u32 i = 0; i < index; i++) {
        if (c->td.tables->x2apic_id[i] == *id) {
            return status(TDX_X2APIC_ID_NOT_UNIQUE, *id);
        }
    }
    return TDX_SUCCESS;
}

u64 tdh_vp_init(struct call *c)
{
    struct tdcs *tdcs = c->td.tdcs;
    u32 index, id;
    u64 ret;

    if (c->vp->state != VCPU_UNINITIALIZED) {
        return TDX_VCPU_STATE_INCORRECT;
    }
    /* Version 0 has the TDR's lock shared. */
    index = __atomic_fetch_add(&tdcs->num_vcpus, 1, __ATOMIC_SEQ_CST);
    if (index >= tdcs->max_vcpus) {
        ret = TDX_MAX_VCPUS_EXCEEDED;
    } else {
        ret = vcpu_x2apic_id(c, index, &id);
    }
    if (is_error(ret)) {
        __atomic_fetch_sub(&tdcs->num_vcpus, 1, __ATOMIC_SEQ_CST);
        return ret;
    }
    c->td.tables->x2apic_id[index] = id;
    vcpu_start(c, index);
    plat_vmclear(vcpu_vmcs_pa(c));
    ret = vcpu_associate(c);
    require(!is_error(ret));
    vmcs_init(c);
    vcpu_move(c->vp, VCPU_READY);
    return TDX_SUCCESS;
}

u64 tdh_vp_flush(struct call *c)
{
    u64 pa = vcpu_vmcs_pa(c);

    if (c->vp->assoc_lp != c->lp->id) {
        return TDX_VCPU_NOT_ASSOCIATED;
    }
    plat_vmclear(pa);
    if (c->lp->current_vmcs == pa) {
        c->lp->current_vmcs = 0;
    }
    plat_invept(c->td.tdcs->eptp);
    __atomic_store_n(&c->vp->assoc_lp, VCPU_NO_LP, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&c->td.tdcs->num_assoc_vcpus, 1, __ATOMIC_SEQ_CST);
    return TDX_SUCCESS;
}
