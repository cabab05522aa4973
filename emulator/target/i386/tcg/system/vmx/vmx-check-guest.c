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
    return !VMX_BAD(env, GUEST_EFER, !vmx_efer_ok(env, efer)) &&
           !VMX_BAD(env, GUEST_EFER_LMA, lma != g->ia32e) &&
           !VMX_BAD(env, GUEST_EFER_LME,
                    (g->cr0 & CR0_PG_MASK) && lma != lme);
}

static bool check_control_regs(CPUX86State *env, const GuestCheck *g)
{
    if (VMX_BAD(env, GUEST_CR0, !vmx_cr0_ok(env, g->cr0, g->unrestricted)) ||
        VMX_BAD(env, GUEST_CR0_PG,
                (g->cr0 & CR0_PG_MASK) && !(g->cr0 & CR0_PE_MASK)) ||
        VMX_BAD(env, GUEST_CR4, !vmx_cr4_ok(env, g->cr4))) {
        return false;
    }
    if (g->ia32e) {
        return !VMX_BAD(env, GUEST_IA32E_PG, !(g->cr0 & CR0_PG_MASK)) &&
               !VMX_BAD(env, GUEST_IA32E_PAE, !(g->cr4 & CR4_PAE_MASK));
    }
    return !VMX_BAD(env, GUEST_PCIDE, g->cr4 & CR4_PCIDE_MASK);
}

static bool check_registers(CPUX86State *env, const GuestCheck *g)
{
    if (!check_control_regs(env, g)) {
        return false;
    }
    if ((g->entry & VMX_VM_ENTRY_LOAD_DEBUG_CONTROLS) &&
        (VMX_BAD(env, GUEST_DEBUGCTL, vmx_get(env, VMX_GUEST_DEBUGCTL) &
                 ~vmx_debugctl_bits(env)) ||
         VMX_BAD(env, GUEST_DR7, vmx_get(env, VMX_GUEST_DR7) >> 32))) {
        return false;
    }
    if (VMX_BAD(env, GUEST_CR3,
                !vmx_pa_ok(env, vmx_get(env, VMX_GUEST_CR3), 1)) ||
        VMX_BAD(env, GUEST_SYSENTER,
                !x86_canonical(env, vmx_get(env, VMX_GUEST_SYSENTER_ESP)) ||
                !x86_canonical(env, vmx_get(env, VMX_GUEST_SYSENTER_EIP)))) {
        return false;
    }
    if (VMX_BAD(env, GUEST_PAT, (g->entry & VMX_VM_ENTRY_LOAD_IA32_PAT) &&
                !x86_pat_ok(vmx_get(env, VMX_GUEST_PAT)))) {
        return false;
    }
    if (VMX_BAD(env, GUEST_PKRS, (g->entry & VMX_VM_ENTRY_LOAD_IA32_PKRS) &&
                vmx_get(env, VMX_GUEST_PKRS) >> 32)) {
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

        if (VMX_BAD(env, GUEST_V86_BASE, s.base != (uint64_t)s.sel << 4) ||
            VMX_BAD(env, GUEST_V86_LIMIT, s.limit != 0xffff) ||
            VMX_BAD(env, GUEST_V86_AR, s.ar != 0xf3)) {
            return false;
        }
    }
    return true;
}

static bool check_cs(CPUX86State *env, const GuestCheck *g,
                     const GuestSeg *cs, int ss_dpl)
{
    bool dpl = true, type = true;

    switch (cs->type) {
    case 3:
        type = g->unrestricted;
        dpl = !cs->dpl;
        break;
    case 9:
    case 11:
        dpl = cs->dpl == ss_dpl;
        break;
    case 13:
    case 15:
        dpl = cs->dpl <= ss_dpl;
        break;
    default:
        type = false;
    }
    return !VMX_BAD(env, GUEST_CS_TYPE, !type) &&
           !VMX_BAD(env, GUEST_CS_DPL, !dpl) &&
           !VMX_BAD(env, GUEST_CS_L, g->ia32e && (cs->ar & VMX_AR_L) &&
                    (cs->ar & VMX_AR_DB));
}

static bool check_ss(CPUX86State *env, const GuestCheck *g,
                     const GuestSeg *ss, const GuestSeg *cs)
{
    if (VMX_BAD(env, GUEST_SS_TYPE,
                ss->usable && ss->type != 3 && ss->type != 7)) {
        return false;
    }
    if (!g->unrestricted &&
        (VMX_BAD(env, GUEST_SS_RPL, (ss->sel & 3) != (cs->sel & 3)) ||
         VMX_BAD(env, GUEST_SS_DPL, ss->dpl != (ss->sel & 3)))) {
        return false;
    }
    return !VMX_BAD(env, GUEST_SS_DPL_0, ss->dpl &&
                    (cs->type == 3 || !(g->cr0 & CR0_PE_MASK)));
}

static bool check_data_seg(CPUX86State *env, const GuestCheck *g,
                           const GuestSeg *s)
{
    return !VMX_BAD(env, GUEST_DATA_ACCESSED, !(s->type & 1)) &&
           !VMX_BAD(env, GUEST_DATA_READABLE,
                    (s->type & 8) && !(s->type & 2)) &&
           !VMX_BAD(env, GUEST_DATA_DPL, !g->unrestricted && s->type <= 11 &&
                    s->dpl < (s->sel & 3));
}

/* What code, data and system segments have in common */
static bool check_ar(CPUX86State *env, const GuestSeg *s, bool system)
{
    return !VMX_BAD(env, GUEST_AR_S, !(s->ar & VMX_AR_S) != system) &&
           !VMX_BAD(env, GUEST_AR_P, !(s->ar & VMX_AR_P)) &&
           !VMX_BAD(env, GUEST_AR_RESERVED, s->ar & VMX_AR_RESERVED) &&
           !VMX_BAD(env, GUEST_LIMIT, !check_limit(s));
}

static bool check_segs(CPUX86State *env, const GuestCheck *g)
{
    GuestSeg cs = guest_seg(env, R_CS), ss = guest_seg(env, R_SS);
    int i;

    if (!check_cs(env, g, &cs, ss.dpl) || !check_ss(env, g, &ss, &cs)) {
        return false;
    }
    for (i = R_ES; i <= R_GS; i++) {
        GuestSeg s = guest_seg(env, i);

        if (i == R_FS || i == R_GS) {
            if (VMX_BAD(env, GUEST_BASE, !x86_canonical(env, s.base))) {
                return false;
            }
        } else if (VMX_BAD(env, GUEST_BASE_32,
                           (s.usable || i == R_CS) && (s.base >> 32))) {
            return false;
        }
        if (!s.usable && i != R_CS) {
            continue;
        }
        if (i != R_CS && i != R_SS && !check_data_seg(env, g, &s)) {
            return false;
        }
        if (!check_ar(env, &s, false)) {
            return false;
        }
    }
    return !VMX_BAD(env, GUEST_CS_USABLE, cs.ar & VMX_AR_UNUSABLE);
}

static bool check_system_seg(CPUX86State *env, const GuestSeg *s)
{
    return !VMX_BAD(env, GUEST_TI, s->sel & 4) &&
           !VMX_BAD(env, GUEST_BASE, !x86_canonical(env, s->base)) &&
           check_ar(env, s, true);
}

static bool check_system_segs(CPUX86State *env, const GuestCheck *g)
{
    GuestSeg tr = guest_seg(env, SEG_TR), ldtr = guest_seg(env, SEG_LDTR);

    if (VMX_BAD(env, GUEST_TR_USABLE, !tr.usable) ||
        !check_system_seg(env, &tr) ||
        VMX_BAD(env, GUEST_TR_TYPE,
                !(tr.type == 11 || (tr.type == 3 && !g->ia32e)))) {
        return false;
    }
    if (ldtr.usable && (!check_system_seg(env, &ldtr) ||
                        VMX_BAD(env, GUEST_LDTR_TYPE, ldtr.type != 2))) {
        return false;
    }
    return !VMX_BAD(env, GUEST_TABLE_BASE,
                    !x86_canonical(env, vmx_get(env, VMX_GUEST_GDTR_BASE)) ||
                    !x86_canonical(env, vmx_get(env, VMX_GUEST_IDTR_BASE))) &&
           !VMX_BAD(env, GUEST_TABLE_LIMIT,
                    vmx_get(env, VMX_GUEST_GDTR_LIMIT) >> 16 ||
                    vmx_get(env, VMX_GUEST_IDTR_LIMIT) >> 16);
}

/* It need not be canonical: the highest bit may differ from those above it. */
static bool rip_ok(CPUX86State *env, uint64_t rip)
{
    int64_t above = (int64_t)rip >> cpu_x86_virtual_addr_width(env);

    return above == 0 || above == -1;
}

static bool check_rip_rflags(CPUX86State *env, const GuestCheck *g)
{
    uint64_t rip = vmx_get(env, VMX_GUEST_RIP);
    bool code64 = g->ia32e && (vmx_get(env, VMX_GUEST_CS_AR) & VMX_AR_L);

    return !VMX_BAD(env, GUEST_RIP,
                    code64 ? !rip_ok(env, rip) : rip >> 32) &&
           !VMX_BAD(env, GUEST_RFLAGS,
                    (g->rflags & ~0x3f7fd7ULL) || !(g->rflags & 2)) &&
           !VMX_BAD(env, GUEST_RFLAGS_VM,
                    g->v86 && (g->ia32e || !(g->cr0 & CR0_PE_MASK))) &&
           !VMX_BAD(env, GUEST_RFLAGS_IF, !(g->rflags & IF_MASK) &&
                    (g->intr & (VMX_INTR_VALID | VMX_INTR_TYPE_MASK)) ==
                    VMX_INTR_VALID);
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

    if (VMX_BAD(env, ACTIVITY, activity > VMX_WAIT_SIPI ||
                (activity && !(supported & (MSR_VMX_MISC_ACTIVITY_HLT >> 1
                                            << activity))))) {
        return false;
    }
    if (VMX_BAD(env, ACTIVITY_DPL,
                activity == VMX_HLT && guest_seg(env, R_SS).dpl)) {
        return false;
    }
    if (VMX_BAD(env, ACTIVITY_BLOCKING,
                activity && (block & (VMX_BLOCK_STI | VMX_BLOCK_MOV_SS)))) {
        return false;
    }
    return !VMX_BAD(env, ACTIVITY_EVENT,
                    g->intr && !check_activity_event(activity, g->intr));
}

static bool check_interruptibility(CPUX86State *env, const GuestCheck *g)
{
    uint32_t block = vmx_get(env, VMX_GUEST_INTERRUPTIBILITY);
    uint32_t shadow = block & (VMX_BLOCK_STI | VMX_BLOCK_MOV_SS);
    int type = (g->intr & VMX_INTR_TYPE_MASK) >> VMX_INTR_TYPE_SHIFT;

    if (VMX_BAD(env, BLOCKING_RESERVED, block & ~0x1f) ||
        VMX_BAD(env, BLOCKING_SMI, block & VMX_BLOCK_SMI) ||
        VMX_BAD(env, BLOCKING_BOTH,
                shadow == (VMX_BLOCK_STI | VMX_BLOCK_MOV_SS)) ||
        VMX_BAD(env, BLOCKING_STI,
                !(g->rflags & IF_MASK) && (block & VMX_BLOCK_STI))) {
        return false;
    }
    if (!g->intr) {
        return true;
    }
    if (type == VMX_INTR_EXT) {
        return !VMX_BAD(env, BLOCKING_INTR, shadow);
    }
    if (type == VMX_INTR_NMI) {
        bool vnmi = vmx_get(env, VMX_PIN_CTLS) & VMX_PIN_BASED_VIRTUAL_NMIS;

        return !VMX_BAD(env, BLOCKING_NMI_MOV_SS, block & VMX_BLOCK_MOV_SS) &&
               !VMX_BAD(env, BLOCKING_NMI, vnmi && (block & VMX_BLOCK_NMI));
    }
    return true;
}

static bool check_pending_debug(CPUX86State *env, const GuestCheck *g)
{
    uint64_t pending = vmx_get(env, VMX_GUEST_PENDING_DBG);
    uint32_t block = vmx_get(env, VMX_GUEST_INTERRUPTIBILITY);
    bool btf = vmx_get(env, VMX_GUEST_DEBUGCTL) & 2;
    bool step = (g->rflags & TF_MASK) && !btf;

    if (VMX_BAD(env, PENDING_RESERVED, pending & ~0x1500fULL)) {
        return false;
    }
    if ((block & (VMX_BLOCK_STI | VMX_BLOCK_MOV_SS)) ||
        vmx_get(env, VMX_GUEST_ACTIVITY) == VMX_HLT) {
        return !VMX_BAD(env, PENDING_BS,
                        step != !!(pending & VMX_PENDING_DBG_BS));
    }
    return true;
}

static bool check_link(CPUX86State *env, const GuestCheck *g)
{
    uint64_t link = vmx_get(env, VMX_VMCS_LINK);
    bool shadow = g->proc2 & VMX_SECONDARY_EXEC_SHADOW_VMCS;
    uint32_t revision;

    if (link == VMX_NO_VMCS) {
        return true;
    }
    if (VMX_BAD(env, LINK_ADDR, !vmx_pa_ok(env, link, 4096))) {
        return false;
    }
    revision = x86_ldl_phys(env_cpu(env), link);
    return !VMX_BAD(env, LINK_REVISION,
                    (revision & ~VMX_SHADOW_INDICATOR) != VMX_REVISION) &&
           !VMX_BAD(env, LINK_SHADOW,
                    !(revision & VMX_SHADOW_INDICATOR) == shadow) &&
           !VMX_BAD(env, LINK_CURRENT, link == env->vmx->vmcs->pa);
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

        if (VMX_BAD(env, GUEST_PDPTE, (pdpte & PG_PRESENT_MASK) &&
                    ((pdpte & 0x1e6) ||
                     pdpte >> env_archcpu(env)->phys_bits))) {
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
    if (!check_link(env, &g)) {
        *qualification = VMX_ENTRY_FAIL_LINK;
        return false;
    }
    if (!check_pdptes(env, &g)) {
        *qualification = VMX_ENTRY_FAIL_PDPTE;
        return false;
    }
    return true;
}
