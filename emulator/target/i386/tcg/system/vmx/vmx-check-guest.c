/*
 * VMX: checks on the guest-state area at VM entry
 *
 * In the order of the SDM's "Checks on the Guest State Area".
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "vmx-internal.h"
#include "vmx-check.h"

typedef struct GuestCheck {
    uint32_t entry, proc2;
    uint64_t cr0, cr4, rflags;
    bool ia32e, v86, unrestricted;
    uint32_t intr;              /* event to be injected, 0 if there is none */
} GuestCheck;

typedef struct GuestSeg {
    uint16_t sel;
    uint64_t base;
    uint32_t limit, ar;
    int type, dpl;
    bool usable;
} GuestSeg;

static GuestSeg guest_seg(CPUX86State *env, int seg)
{
    GuestSeg s = {
        .sel = vmx_get(env, VMX_GUEST_ES_SEL + seg),
        .base = vmx_get(env, VMX_GUEST_ES_BASE + seg),
        .limit = vmx_get(env, VMX_GUEST_ES_LIMIT + seg),
        .ar = vmx_get(env, VMX_GUEST_ES_AR + seg),
    };

    s.type = s.ar & VMX_AR_TYPE;
    s.dpl = (s.ar >> VMX_AR_DPL_SHIFT) & 3;
    s.usable = !(s.ar & VMX_AR_UNUSABLE);
    return s;
}

/* In the order of their fields, as R_ES to R_GS are. */
enum { SEG_LDTR = 6, SEG_TR = 7 };

static bool check_efer(CPUX86State *env, const GuestCheck *g)
{
    uint64_t efer = vmx_get(env, VMX_GUEST_EFER);
    bool lma = efer & MSR_EFER_LMA;
    bool lme = efer & MSR_EFER_LME;

    if (!(g->entry & VMX_VM_ENTRY_LOAD_IA32_EFER)) {
        return true;
    }
    return vmx_efer_ok(env, efer) && lma == g->ia32e &&
           (!(g->cr0 & CR0_PG_MASK) || lma == lme);
}

static bool check_registers(CPUX86State *env, const GuestCheck *g)
{
    if (!vmx_cr0_ok(env, g->cr0, g->unrestricted) ||
        ((g->cr0 & CR0_PG_MASK) && !(g->cr0 & CR0_PE_MASK)) ||
        !vmx_cr4_ok(env, g->cr4)) {
        return false;
    }
    if (g->entry & VMX_VM_ENTRY_LOAD_DEBUG_CONTROLS) {
        if ((vmx_get(env, VMX_GUEST_DEBUGCTL) & ~vmx_debugctl_bits(env)) ||
            (vmx_get(env, VMX_GUEST_DR7) >> 32)) {
            return false;
        }
    }
    if (g->ia32e) {
        if (!(g->cr0 & CR0_PG_MASK) || !(g->cr4 & CR4_PAE_MASK)) {
            return false;
        }
    } else if (g->cr4 & CR4_PCIDE_MASK) {
        return false;
    }
    if (!vmx_pa_ok(env, vmx_get(env, VMX_GUEST_CR3), 1) ||
        !vmx_canonical(env, vmx_get(env, VMX_GUEST_SYSENTER_ESP)) ||
        !vmx_canonical(env, vmx_get(env, VMX_GUEST_SYSENTER_EIP))) {
        return false;
    }
    if ((g->entry & VMX_VM_ENTRY_LOAD_IA32_PAT) &&
        !vmx_pat_ok(vmx_get(env, VMX_GUEST_PAT))) {
        return false;
    }
    if ((g->entry & VMX_VM_ENTRY_LOAD_IA32_PKRS) &&
        (vmx_get(env, VMX_GUEST_PKRS) >> 32)) {
        return false;
    }
    return check_efer(env, g);
}

static bool check_limit(const GuestSeg *s)
{
    bool g = s->ar & VMX_AR_G;

    if ((s->limit & 0xfff) != 0xfff && g) {
        return false;
    }
    return !(s->limit >> 20) || g;
}

static bool check_v86_segs(CPUX86State *env)
{
    int i;

    for (i = R_ES; i <= R_GS; i++) {
        GuestSeg s = guest_seg(env, i);

        if (s.base != (uint64_t)s.sel << 4 || s.limit != 0xffff ||
            s.ar != 0xf3) {
            return false;
        }
    }
    return true;
}

static bool check_cs(const GuestCheck *g, const GuestSeg *cs, int ss_dpl)
{
    switch (cs->type) {
    case 3:
        if (!g->unrestricted || cs->dpl) {
            return false;
        }
        break;
    case 9:
    case 11:
        if (cs->dpl != ss_dpl) {
            return false;
        }
        break;
    case 13:
    case 15:
        if (cs->dpl > ss_dpl) {
            return false;
        }
        break;
    default:
        return false;
    }
    return !(g->ia32e && (cs->ar & VMX_AR_L) && (cs->ar & VMX_AR_DB));
}

static bool check_ss(const GuestCheck *g, const GuestSeg *ss,
                     const GuestSeg *cs)
{
    if (ss->usable && ss->type != 3 && ss->type != 7) {
        return false;
    }
    if (!g->unrestricted &&
        ((ss->sel & 3) != (cs->sel & 3) || ss->dpl != (ss->sel & 3))) {
        return false;
    }
    return !((cs->type == 3 || !(g->cr0 & CR0_PE_MASK)) && ss->dpl);
}

static bool check_data_seg(const GuestCheck *g, const GuestSeg *s)
{
    if (!(s->type & 1) || ((s->type & 8) && !(s->type & 2))) {
        return false;
    }
    return g->unrestricted || s->type > 11 || s->dpl >= (s->sel & 3);
}

static bool check_segs(CPUX86State *env, const GuestCheck *g)
{
    GuestSeg cs = guest_seg(env, R_CS), ss = guest_seg(env, R_SS);
    int i;

    if (!check_cs(g, &cs, ss.dpl) || !check_ss(g, &ss, &cs)) {
        return false;
    }
    for (i = R_ES; i <= R_GS; i++) {
        GuestSeg s = guest_seg(env, i);

        if (i == R_FS || i == R_GS) {
            if (!vmx_canonical(env, s.base)) {
                return false;
            }
        } else if ((s.usable || i == R_CS) && (s.base >> 32)) {
            return false;
        }
        if (!s.usable && i != R_CS) {
            continue;
        }
        if (i != R_CS && i != R_SS && !check_data_seg(g, &s)) {
            return false;
        }
        if (!(s.ar & VMX_AR_S) || !(s.ar & VMX_AR_P) ||
            (s.ar & VMX_AR_RESERVED) || !check_limit(&s)) {
            return false;
        }
    }
    return !(cs.ar & VMX_AR_UNUSABLE);
}

static bool check_system_seg(CPUX86State *env, const GuestSeg *s)
{
    return !(s->sel & 4) && vmx_canonical(env, s->base) &&
           !(s->ar & VMX_AR_S) && (s->ar & VMX_AR_P) &&
           !(s->ar & VMX_AR_RESERVED) && check_limit(s);
}

static bool check_system_segs(CPUX86State *env, const GuestCheck *g)
{
    GuestSeg tr = guest_seg(env, SEG_TR), ldtr = guest_seg(env, SEG_LDTR);

    if (!tr.usable || !check_system_seg(env, &tr) ||
        !(tr.type == 11 || (tr.type == 3 && !g->ia32e))) {
        return false;
    }
    if (ldtr.usable && (!check_system_seg(env, &ldtr) || ldtr.type != 2)) {
        return false;
    }
    return vmx_canonical(env, vmx_get(env, VMX_GUEST_GDTR_BASE)) &&
           vmx_canonical(env, vmx_get(env, VMX_GUEST_IDTR_BASE)) &&
           !(vmx_get(env, VMX_GUEST_GDTR_LIMIT) >> 16) &&
           !(vmx_get(env, VMX_GUEST_IDTR_LIMIT) >> 16);
}

static bool check_rip_rflags(CPUX86State *env, const GuestCheck *g)
{
    uint64_t rip = vmx_get(env, VMX_GUEST_RIP);
    bool code64 = g->ia32e && (vmx_get(env, VMX_GUEST_CS_AR) & VMX_AR_L);

    if (code64 ? !vmx_canonical(env, rip) : rip >> 32) {
        return false;
    }
    if ((g->rflags & ~0x3f7fd7ULL) || !(g->rflags & 2)) {
        return false;
    }
    if (g->v86 && (g->ia32e || !(g->cr0 & CR0_PE_MASK))) {
        return false;
    }
    return (g->rflags & IF_MASK) ||
           (g->intr & (VMX_INTR_VALID | VMX_INTR_TYPE_MASK)) != VMX_INTR_VALID;
}

/* True if that event may be injected into a guest in this activity state. */
static bool check_activity_event(uint32_t activity, uint32_t intr)
{
    int type = (intr & VMX_INTR_TYPE_MASK) >> VMX_INTR_TYPE_SHIFT;
    int vector = intr & VMX_INTR_VECTOR;

    switch (activity) {
    case VMX_HLT:
        return type == VMX_INTR_EXT || type == VMX_INTR_NMI ||
               type == VMX_INTR_OTHER ||
               (type == VMX_INTR_EXCEPTION &&
                (vector == EXCP01_DB || vector == EXCP12_MCHK));
    case VMX_SHUTDOWN:
        return type == VMX_INTR_NMI ||
               (type == VMX_INTR_EXCEPTION && vector == EXCP12_MCHK);
    default:
        return activity == VMX_ACTIVE;
    }
}

static bool check_activity(CPUX86State *env, const GuestCheck *g)
{
    uint32_t activity = vmx_get(env, VMX_GUEST_ACTIVITY);
    uint32_t block = vmx_get(env, VMX_GUEST_INTERRUPTIBILITY);
    uint64_t supported = env->features[FEAT_VMX_MISC];

    if (activity > VMX_WAIT_SIPI ||
        (activity && !(supported & (MSR_VMX_MISC_ACTIVITY_HLT >> 1
                                    << activity)))) {
        return false;
    }
    if (activity == VMX_HLT && guest_seg(env, R_SS).dpl) {
        return false;
    }
    if (activity && (block & (VMX_BLOCK_STI | VMX_BLOCK_MOV_SS))) {
        return false;
    }
    return !g->intr || check_activity_event(activity, g->intr);
}

static bool check_interruptibility(CPUX86State *env, const GuestCheck *g)
{
    uint32_t block = vmx_get(env, VMX_GUEST_INTERRUPTIBILITY);
    uint32_t shadow = block & (VMX_BLOCK_STI | VMX_BLOCK_MOV_SS);
    int type = (g->intr & VMX_INTR_TYPE_MASK) >> VMX_INTR_TYPE_SHIFT;

    if ((block & ~0x1f) || (block & VMX_BLOCK_SMI) ||
        shadow == (VMX_BLOCK_STI | VMX_BLOCK_MOV_SS) ||
        (!(g->rflags & IF_MASK) && (block & VMX_BLOCK_STI))) {
        return false;
    }
    if (!g->intr) {
        return true;
    }
    if (type == VMX_INTR_EXT) {
        return !shadow;
    }
    if (type == VMX_INTR_NMI) {
        return !(block & VMX_BLOCK_MOV_SS) &&
               !((vmx_get(env, VMX_PIN_CTLS) & VMX_PIN_BASED_VIRTUAL_NMIS) &&
                 (block & VMX_BLOCK_NMI));
    }
    return true;
}

static bool check_pending_debug(CPUX86State *env, const GuestCheck *g)
{
    uint64_t pending = vmx_get(env, VMX_GUEST_PENDING_DBG);
    uint32_t block = vmx_get(env, VMX_GUEST_INTERRUPTIBILITY);
    bool btf = vmx_get(env, VMX_GUEST_DEBUGCTL) & 2;
    bool step = (g->rflags & TF_MASK) && !btf;

    if (pending & ~0x1500fULL) {
        return false;
    }
    if ((block & (VMX_BLOCK_STI | VMX_BLOCK_MOV_SS)) ||
        vmx_get(env, VMX_GUEST_ACTIVITY) == VMX_HLT) {
        return step == !!(pending & VMX_PENDING_DBG_BS);
    }
    return true;
}

static bool check_link(CPUX86State *env)
{
    uint64_t link = vmx_get(env, VMX_VMCS_LINK);

    return link == VMX_NO_VMCS ||
           (vmx_pa_ok(env, link, 4096) &&
            x86_ldl_phys(env_cpu(env), link) == VMX_REVISION);
}

/* With EPT, the PDPTEs are in the VMCS, otherwise where CR3 points. */
static bool check_pdptes(CPUX86State *env, const GuestCheck *g)
{
    uint64_t base = vmx_get(env, VMX_GUEST_CR3) & 0xffffffe0;
    int i;

    if (!(g->cr0 & CR0_PG_MASK) || !(g->cr4 & CR4_PAE_MASK) || g->ia32e) {
        return true;
    }
    for (i = 0; i < 4; i++) {
        uint64_t pdpte = g->proc2 & VMX_SECONDARY_EXEC_ENABLE_EPT ?
                         vmx_get(env, VMX_GUEST_PDPTE0 + i) :
                         x86_ldq_phys(env_cpu(env), base + 8 * i);

        if ((pdpte & PG_PRESENT_MASK) &&
            ((pdpte & 0x1e6) || (pdpte >> env_archcpu(env)->phys_bits))) {
            return false;
        }
    }
    return true;
}

bool vmx_check_guest(CPUX86State *env, uint64_t *qualification)
{
    GuestCheck g = {
        .entry = vmx_get(env, VMX_ENTRY_CTLS),
        .proc2 = vmx_want_proc2(env),
        .cr0 = vmx_get(env, VMX_GUEST_CR0),
        .cr4 = vmx_get(env, VMX_GUEST_CR4),
        .rflags = vmx_get(env, VMX_GUEST_RFLAGS),
        .intr = vmx_get(env, VMX_ENTRY_INTR_INFO),
    };

    g.ia32e = g.entry & VMX_VM_ENTRY_IA32E_MODE;
    g.v86 = g.rflags & VM_MASK;
    g.unrestricted = g.proc2 & VMX_SECONDARY_EXEC_UNRESTRICTED_GUEST;
    if (!(g.intr & VMX_INTR_VALID)) {
        g.intr = 0;
    }

    *qualification = VMX_ENTRY_FAIL_DEFAULT;
    if (!check_registers(env, &g) ||
        !(g.v86 ? check_v86_segs(env) : check_segs(env, &g)) ||
        !check_system_segs(env, &g) || !check_rip_rflags(env, &g) ||
        !check_activity(env, &g) || !check_interruptibility(env, &g) ||
        !check_pending_debug(env, &g)) {
        return false;
    }
    if (!check_link(env)) {
        *qualification = VMX_ENTRY_FAIL_LINK;
        return false;
    }
    if (!check_pdptes(env, &g)) {
        *qualification = VMX_ENTRY_FAIL_PDPTE;
        return false;
    }
    return true;
}
