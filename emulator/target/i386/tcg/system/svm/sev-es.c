/*
 * AMD SEV, SEV-ES and SEV-SNP guests: VMRUN and #VMEXIT
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/log.h"
#include "cpu.h"
#include "exec/cputlb.h"
#include "exec/helper-proto.h"
#include "tcg/helper-tcg.h"
#include "hw/i386/amd-snp.h"
#include "sev-es.h"
#include "vmsa.h"

/*
 * A page that this helper accesses by its address in the host's memory. It
 * counts as cached, so that another CPU that reads it with another key waits
 * until this helper is done with it.
 */
static void *page_in_use(AmdSnpState *s, hwaddr spa, uint32_t key)
{
    amd_mem_tlb_use(s, spa, key, false);
    return amd_mem_page(s, spa, key);
}

void sev_pages_begin(CPUX86State *env)
{
    AmdSnpState *s = env_archcpu(env)->snp;
    const CPUX86SnpState *snp = &env->snp;
    bool ready;

    if (!s) {
        return;
    }
    /* Once all have their keys, none is converted before the helper ends. */
    do {
        ready = amd_mem_tlb_use(s, env->vm_vmcb, AMD_MEM_KEY_NONE, false);
        ready &= amd_mem_tlb_use(s, env->vm_hsave, AMD_MEM_KEY_NONE, false);
        if (snp->es) {
            ready &= amd_mem_tlb_use(s, snp->vmsa_pa, snp->key, false);
        }
    } while (!ready);
}

static struct vmsa *vmsa_of(CPUX86State *env)
{
    return page_in_use(env_archcpu(env)->snp, env->snp.vmsa_pa, env->snp.key);
}

static bool es_rule(CPUX86State *env, AmdSnpRule rule)
{
    return amd_snp_rule(env_archcpu(env)->snp, rule);
}

/*
 * The VMSA of an SNP guest must be a page that the guest or the firmware made a
 * VMSA; that of other guests must be hypervisor-owned.
 */
static bool vmsa_page_ok(CPUX86State *env)
{
    AmdSnpState *s = env_archcpu(env)->snp;
    AmdRmpEntry e;

    if (!(env->snp.syscfg & SYSCFG_SNPEN) ||
        !amd_snp_rule(s, SNP_RULE_VMRUN_VMSA_PAGE)) {
        return true;
    }
    if (!amd_rmp_get(s, env->snp.vmsa_pa, &e)) {
        return !env->snp.snp;
    }
    if (!env->snp.snp) {
        return !e.assigned;
    }
    return e.assigned && e.validated && e.vmsa && !e.immutable &&
           e.asid == env->snp.asid && e.page_size == RMP_PG_SIZE_4K;
}

static bool features_ok(CPUX86State *env, uint64_t features)
{
    AmdSnpState *s = env_archcpu(env)->snp;
    uint64_t allowed = x86_ldq_phys(env_cpu(env),
                                    env->vm_vmcb + VMCB_ALLOWED_SEV_FEATURES);

    if (!amd_snp_rule(s, SNP_RULE_VMRUN_FEATURES)) {
        return true;
    }
    if (features & ~SEV_FEATURES_SUPPORTED) {
        return false;
    }
    if ((allowed & ALLOWED_SEV_FEATURES_EN) && (features & ~allowed)) {
        return false;
    }
    return !(features & SEV_FEATURES_SNP_ACTIVE) ||
           (env->snp.syscfg & SYSCFG_SNPEN);
}

/* The last branches of a guest with encrypted state are its own. */
static bool lbr_ok(CPUX86State *env)
{
    uint64_t ctl = x86_ldq_phys(env_cpu(env), env->vm_vmcb + VMCB_LBR_CTL);

    return (ctl & VMCB_LBR_ENABLE) || !es_rule(env, SNP_RULE_VMRUN_LBR);
}

static bool enter_es(CPUX86State *env, bool *busy)
{
    AmdSnpState *s = env_archcpu(env)->snp;
    CPUX86SnpState *snp = &env->snp;
    const struct vmsa *vmsa;

    snp->vmsa_pa = x86_ldq_phys(env_cpu(env), env->vm_vmcb + VMCB_VMSA_PTR);
    snp->vmsa_pa &= ~(1ULL << SNP_CBIT_POS);
    if (!lbr_ok(env) || snp->vmsa_pa & ~TARGET_PAGE_MASK ||
        !amd_mem_is_ram(s, snp->vmsa_pa)) {
        return false;
    }
    /* One page cannot be accessed with two keys. */
    if (snp->vmsa_pa == env->vm_vmcb || snp->vmsa_pa == env->vm_hsave) {
        return false;
    }
    if (!amd_snp_vmsa_acquire(s, snp->vmsa_pa)) {
        *busy = true;
        return false;
    }
    vmsa = vmsa_of(env);
    snp->es = true;
    snp->sev_features = le64_to_cpu(vmsa->sev_features);
    snp->snp = snp->sev_features & SEV_FEATURES_SNP_ACTIVE;
    snp->vmpl = snp->snp ? vmsa->vmpl : 0;
    snp->ghcb = x86_ldq_phys(env_cpu(env), env->vm_vmcb + VMCB_GHCB_GPA);
    if (!features_ok(env, snp->sev_features) || snp->vmpl >= SNP_NUM_VMPLS ||
        !vmsa_page_ok(env)) {
        amd_snp_vmsa_release(s, snp->vmsa_pa);
        return false;
    }
    sev_pages_begin(env);
    return true;
}

static void leave(CPUX86State *env)
{
    CPUX86SnpState *snp = &env->snp;

    snp->cbit = 0;
    snp->ghcb = 0;
    snp->sev_features = 0;
    snp->vmsa_pa = 0;
    snp->asid = 0;
    snp->key = AMD_MEM_KEY_NONE;
    snp->vmpl = 0;
    snp->sev = snp->es = snp->snp = false;
    snp->efer_written = false;
}

bool sev_vmrun_begin(CPUX86State *env, uint64_t nested_ctl, uint32_t asid,
                     bool *busy)
{
    AmdSnpState *s = env_archcpu(env)->snp;
    X86CPU *cpu = env_archcpu(env);
    CPUX86SnpState *snp = &env->snp;
    bool es = nested_ctl & SVM_NESTED_CTL_SEV_ES;

    *busy = false;
    if (!s || !(nested_ctl & SVM_NESTED_CTL_SEV)) {
        return true;
    }
    if (!(snp->syscfg & SYSCFG_SMEE) || !(nested_ctl & SVM_NPT_ENABLED)) {
        return false;
    }
    /*
     * The first ASIDs are reserved for guests with encrypted state, which
     * cannot use any other ASIDs.
     */
    if (amd_snp_rule(s, SNP_RULE_VMRUN_ASID) &&
        (asid > cpu->x_snp_asids || es != (asid <= cpu->x_snp_es_asids))) {
        return false;
    }
    if (amd_snp_rule(s, SNP_RULE_VMRUN_ASID_VALID) &&
        !amd_snp_asid_valid(s, asid)) {
        return false;
    }
    snp->asid = asid;
    snp->key = amd_mem_asid_key(s, asid);
    snp->sev = true;
    snp->cbit = 1ULL << SNP_CBIT_POS;
    if (es && !enter_es(env, busy)) {
        leave(env);
        return false;
    }
    return true;
}

bool sev_host_page_ok(CPUX86State *env, hwaddr spa)
{
    AmdSnpState *s = env_archcpu(env)->snp;
    AmdRmpEntry e;

    return !s || !(env->snp.syscfg & SYSCFG_SNPEN) ||
           !amd_snp_rule(s, SNP_RULE_VMRUN_VMCB_PAGE) ||
           !amd_rmp_get(s, spa, &e) || !e.assigned;
}

bool sev_hsave_ok(CPUX86State *env, hwaddr spa)
{
    AmdSnpState *s = env_archcpu(env)->snp;

    return !s || (amd_mem_is_ram(s, spa) && sev_host_page_ok(env, spa));
}

bool sev_vmcb_begin(CPUX86State *env, hwaddr spa)
{
    AmdSnpState *s = env_archcpu(env)->snp;

    if (!s || !(env->snp.syscfg & SYSCFG_SNPEN)) {
        return true;
    }
    if (!env->vm_hsave || !sev_host_page_ok(env, spa) ||
        !sev_host_page_ok(env, env->vm_hsave)) {
        return false;
    }
    if (amd_snp_vmsa_acquire(s, spa)) {
        env->snp.vmcb_pa = spa;
        env->snp.vmcb_busy = true;
    }
    env->snp.hsave_busy = amd_snp_vmsa_acquire(s, env->vm_hsave);
    if (env_archcpu(env)->x_snp_avic &&
        (x86_ldl_phys(env_cpu(env), spa + VMCB_INT_CTL) & VMCB_AVIC_ENABLE)) {
        env->snp.avic_pa = x86_ldq_phys(env_cpu(env),
                                        spa + VMCB_AVIC_BACKING_PAGE) &
                           VMCB_AVIC_ADDR_MASK;
        env->snp.avic_busy = amd_snp_vmsa_acquire(s, env->snp.avic_pa);
    }
    return true;
}

bool sev_es_may_inject(CPUX86State *env, uint32_t event_inj)
{
    uint8_t vector = event_inj & SVM_EVTINJ_VEC_MASK;

    if (!env->snp.es || !es_rule(env, SNP_RULE_VMRUN_INJECTION)) {
        return true;
    }
    switch (event_inj & SVM_EVTINJ_TYPE_MASK) {
    case SVM_EVTINJ_TYPE_SOFT:
        return false;
    case SVM_EVTINJ_TYPE_EXEPT:
        return vector != EXCP03_INT3 && vector != EXCP04_INTO;
    default:
        return true;
    }
}

bool sev_always_intercepted(CPUX86State *env, uint32_t exit_code)
{
    return env->snp.snp && es_rule(env, SNP_RULE_EXIT_ALWAYS) &&
           (exit_code == SVM_EXIT_CPUID || exit_code == SVM_EXIT_IOIO);
}

void sev_vmexit_end(CPUX86State *env)
{
    AmdSnpState *s = env_archcpu(env)->snp;

    if (env->snp.vmcb_busy) {
        amd_snp_vmsa_release(s, env->snp.vmcb_pa);
        env->snp.vmcb_busy = false;
    }
    if (env->snp.hsave_busy) {
        amd_snp_vmsa_release(s, env->vm_hsave);
        env->snp.hsave_busy = false;
    }
    if (env->snp.avic_busy) {
        amd_snp_vmsa_release(s, env->snp.avic_pa);
        env->snp.avic_busy = false;
    }
    if (!env->snp.sev) {
        return;
    }
    if (env->snp.es) {
        amd_snp_vmsa_release(s, env->snp.vmsa_pa);
    }
    leave(env);
}

const char *sev_guest_type(CPUX86State *env)
{
    return env->snp.snp ? "SNP" : env->snp.es ? "SEV-ES"
                                : env->snp.sev ? "SEV" : "plain";
}

static void load_seg(const struct vmcb_seg *from, SegmentCache *to)
{
    unsigned int attrib = le16_to_cpu(from->attrib);

    to->selector = le16_to_cpu(from->selector);
    to->base = le64_to_cpu(from->base);
    to->limit = le32_to_cpu(from->limit);
    to->flags = (attrib & 0xff) << 8 | (attrib & 0x0f00) << 12;
}

static void store_seg(const SegmentCache *from, struct vmcb_seg *to)
{
    to->selector = cpu_to_le16(from->selector);
    to->base = cpu_to_le64(from->base);
    to->limit = cpu_to_le32(from->limit);
    to->attrib = cpu_to_le16((from->flags >> 8 & 0xff) |
                             (from->flags >> 12 & 0x0f00));
}

static void load_seg_cache(CPUX86State *env, const struct vmcb_seg *from,
                           int reg)
{
    SegmentCache sc;

    load_seg(from, &sc);
    cpu_x86_load_seg_cache(env, reg, sc.selector, sc.base, sc.limit, sc.flags);
}

static void load_gprs(CPUX86State *env, const struct vmsa *v)
{
    int i;

    env->regs[R_ECX] = le64_to_cpu(v->rcx);
    env->regs[R_EDX] = le64_to_cpu(v->rdx);
    env->regs[R_EBX] = le64_to_cpu(v->rbx);
    env->regs[R_EBP] = le64_to_cpu(v->rbp);
    env->regs[R_ESI] = le64_to_cpu(v->rsi);
    env->regs[R_EDI] = le64_to_cpu(v->rdi);
    for (i = 0; i < 8; i++) {
        env->regs[8 + i] = le64_to_cpu(v->r8[i]);
    }
}

static void store_gprs(CPUX86State *env, struct vmsa *v)
{
    int i;

    v->rcx = cpu_to_le64(env->regs[R_ECX]);
    v->rdx = cpu_to_le64(env->regs[R_EDX]);
    v->rbx = cpu_to_le64(env->regs[R_EBX]);
    v->rbp = cpu_to_le64(env->regs[R_EBP]);
    v->rsi = cpu_to_le64(env->regs[R_ESI]);
    v->rdi = cpu_to_le64(env->regs[R_EDI]);
    for (i = 0; i < 8; i++) {
        v->r8[i] = cpu_to_le64(env->regs[8 + i]);
    }
}

/* What VMLOAD and VMSAVE handle for other guests. */
static void load_syscall_state(CPUX86State *env, const struct vmsa *v)
{
    load_seg_cache(env, &v->fs, R_FS);
    load_seg_cache(env, &v->gs, R_GS);
    load_seg(&v->tr, &env->tr);
    load_seg(&v->ldtr, &env->ldt);
    env->kernelgsbase = le64_to_cpu(v->kernel_gs_base);
    env->star = le64_to_cpu(v->star);
    env->lstar = le64_to_cpu(v->lstar);
    env->cstar = le64_to_cpu(v->cstar);
    env->fmask = le64_to_cpu(v->sfmask);
    env->sysenter_cs = le64_to_cpu(v->sysenter_cs);
    env->sysenter_esp = le64_to_cpu(v->sysenter_esp);
    env->sysenter_eip = le64_to_cpu(v->sysenter_eip);
}

static void store_syscall_state(CPUX86State *env, struct vmsa *v)
{
    store_seg(&env->segs[R_FS], &v->fs);
    store_seg(&env->segs[R_GS], &v->gs);
    store_seg(&env->tr, &v->tr);
    store_seg(&env->ldt, &v->ldtr);
    v->kernel_gs_base = cpu_to_le64(env->kernelgsbase);
    v->star = cpu_to_le64(env->star);
    v->lstar = cpu_to_le64(env->lstar);
    v->cstar = cpu_to_le64(env->cstar);
    v->sfmask = cpu_to_le64(env->fmask);
    v->sysenter_cs = cpu_to_le64(env->sysenter_cs);
    v->sysenter_esp = cpu_to_le64(env->sysenter_esp);
    v->sysenter_eip = cpu_to_le64(env->sysenter_eip);
}

/*
 * The eight significands ST(0) to ST(7), then the eight halves with sign and
 * exponent.
 */
static void load_fpu(CPUX86State *env, const struct vmsa *v)
{
    int i;

    env->fpstt = le16_to_cpu(v->x87_fsw) >> 11 & 7;
    for (i = 0; i < 8; i++) {
        floatx80 *st = &env->fpregs[(env->fpstt + i) & 7].d;

        st->low = ldq_le_p(v->fpreg_x87 + i * 8);
        st->high = lduw_le_p(v->fpreg_x87 + 64 + i * 2);
    }
    cpu_set_fpuc(env, le16_to_cpu(v->x87_fcw));
    env->fpus = le16_to_cpu(v->x87_fsw) & ~0x3800;
    for (i = 0; i < 8; i++) {
        /* The tag word is abridged, as FXSAVE stores it. */
        env->fptags[i] = !(le16_to_cpu(v->x87_ftw) >> i & 1);
    }
    env->fpop = le16_to_cpu(v->x87_fop);
    env->fpcs = le16_to_cpu(v->x87_cs);
    env->fpds = le16_to_cpu(v->x87_ds);
    env->fpip = le64_to_cpu(v->x87_rip);
    env->fpdp = le64_to_cpu(v->x87_dp);
    cpu_set_mxcsr(env, le32_to_cpu(v->mxcsr));
    for (i = 0; i < 16; i++) {
        memcpy(&env->xmm_regs[i].ZMM_X(0), v->fpreg_xmm + i * 16, 16);
        memcpy(&env->xmm_regs[i].ZMM_X(1), v->fpreg_ymm + i * 16, 16);
    }
}

static void store_fpu(CPUX86State *env, struct vmsa *v)
{
    uint16_t ftw = 0;
    int i;

    for (i = 0; i < 8; i++) {
        const floatx80 *st = &env->fpregs[(env->fpstt + i) & 7].d;

        stq_le_p(v->fpreg_x87 + i * 8, st->low);
        stw_le_p(v->fpreg_x87 + 64 + i * 2, st->high);
        ftw |= env->fptags[i] ? 0 : 1 << i;
    }
    update_mxcsr_from_sse_status(env);
    v->x87_fcw = cpu_to_le16(env->fpuc);
    v->x87_fsw = cpu_to_le16((env->fpus & ~0x3800) | env->fpstt << 11);
    v->x87_ftw = cpu_to_le16(ftw);
    v->x87_fop = cpu_to_le16(env->fpop);
    v->x87_cs = cpu_to_le16(env->fpcs);
    v->x87_ds = cpu_to_le16(env->fpds);
    v->x87_rip = cpu_to_le64(env->fpip);
    v->x87_dp = cpu_to_le64(env->fpdp);
    v->mxcsr = cpu_to_le32(env->mxcsr);
    for (i = 0; i < 16; i++) {
        memcpy(v->fpreg_xmm + i * 16, &env->xmm_regs[i].ZMM_X(0), 16);
        memcpy(v->fpreg_ymm + i * 16, &env->xmm_regs[i].ZMM_X(1), 16);
    }
}

static bool debug_swap(CPUX86State *env)
{
    return env->snp.sev_features & SEV_FEATURES_DEBUG_SWAP;
}

static void load_drs(CPUX86State *env, const struct vmsa *v)
{
    int i;

    for (i = 0; i < 4; i++) {
        env->dr[i] = le64_to_cpu(v->dr[i]);
    }
}

static void load_xstate(CPUX86State *env, const struct vmsa *v)
{
    env->xcr0 = le64_to_cpu(v->xcr0);
    env->xss = le64_to_cpu(v->xss);
    env->pkru = le32_to_cpu(v->pkru);
    if (env_archcpu(env)->x_snp_tsc_aux) {
        env->tsc_aux = le32_to_cpu(v->tsc_aux);
    }
    cpu_sync_bndcs_hflags(env);
    cpu_sync_avx_hflag(env);
}

bool sev_es_load_guest(CPUX86State *env)
{
    const struct vmsa *v = vmsa_of(env);
    uint64_t cr0 = le64_to_cpu(v->cr0), cr4 = le64_to_cpu(v->cr4);
    uint64_t dr6 = le64_to_cpu(v->dr6), dr7 = le64_to_cpu(v->dr7);

    if ((cr0 & SVM_CR0_RESERVED_MASK) ||
        ((cr0 & CR0_NW_MASK) && !(cr0 & CR0_CD_MASK)) ||
        (cr4 & cr4_reserved_bits(env)) ||
        ((dr6 | dr7) & DR_RESERVED_MASK)) {
        return false;
    }
    cpu_x86_update_cr0(env, cr0);
    cpu_x86_update_cr4(env, cr4);
    cpu_x86_update_cr3(env, le64_to_cpu(v->cr3));
    env->cr[2] = le64_to_cpu(v->cr2);
    cpu_load_efer(env, le64_to_cpu(v->efer));
    env->eflags = 0;
    cpu_load_eflags(env, le64_to_cpu(v->rflags),
                    ~(CC_O | CC_S | CC_Z | CC_A | CC_P | CC_C | DF_MASK));

    load_seg_cache(env, &v->es, R_ES);
    load_seg_cache(env, &v->cs, R_CS);
    load_seg_cache(env, &v->ss, R_SS);
    load_seg_cache(env, &v->ds, R_DS);
    load_seg(&v->idtr, &env->idt);
    load_seg(&v->gdtr, &env->gdt);
    load_syscall_state(env, v);

    env->eip = le64_to_cpu(v->rip);
    env->regs[R_ESP] = le64_to_cpu(v->rsp);
    env->regs[R_EAX] = le64_to_cpu(v->rax);
    load_gprs(env, v);
    if (debug_swap(env)) {
        load_drs(env, v);
    }
    env->dr[6] = dr6;
    cpu_x86_update_dr7(env, dr7);

    env->snp.host_pat = env->pat;
    env->pat = le64_to_cpu(v->g_pat);
    load_xstate(env, v);
    env->xcr0 = env->xcr0 ?: XSTATE_FP_MASK;
    load_fpu(env, v);
    return true;
}

/*
 * Store the reason of an SNP guest's exit, as #VMEXIT has put it into the VMCB.
 */
static void store_exit(CPUX86State *env, struct vmsa *v)
{
    CPUState *cs = env_cpu(env);
    hwaddr control = env->vm_vmcb;

    v->guest_exit_code = cpu_to_le64(x86_ldq_phys(cs, control +
                             offsetof(struct vmcb, control.exit_code)));
    v->guest_exit_info_1 = cpu_to_le64(x86_ldq_phys(cs, control +
                               offsetof(struct vmcb, control.exit_info_1)));
    v->guest_exit_info_2 = cpu_to_le64(x86_ldq_phys(cs, control +
                               offsetof(struct vmcb, control.exit_info_2)));
    v->guest_exit_int_info = cpu_to_le64(x86_ldq_phys(cs, control +
                                 offsetof(struct vmcb, control.exit_int_info)));
}

void sev_es_store_guest(CPUX86State *env)
{
    struct vmsa *v = vmsa_of(env);
    int i;

    amd_mem_lines_store(env_archcpu(env)->snp, env->snp.vmsa_pa,
                        env->snp.asid, env_cpu(env)->cpu_index);
    if (env->snp.snp && es_rule(env, SNP_RULE_EXIT_REASON)) {
        store_exit(env, v);
    }
    store_seg(&env->segs[R_ES], &v->es);
    store_seg(&env->segs[R_CS], &v->cs);
    store_seg(&env->segs[R_SS], &v->ss);
    store_seg(&env->segs[R_DS], &v->ds);
    v->gdtr.base = cpu_to_le64(env->gdt.base);
    v->gdtr.limit = cpu_to_le32(env->gdt.limit);
    v->idtr.base = cpu_to_le64(env->idt.base);
    v->idtr.limit = cpu_to_le32(env->idt.limit);
    store_syscall_state(env, v);
    v->cpl = env->hflags & HF_CPL_MASK;
    v->efer = cpu_to_le64(env->efer);
    v->cr0 = cpu_to_le64(env->cr[0]);
    v->cr2 = cpu_to_le64(env->cr[2]);
    v->cr3 = cpu_to_le64(env->cr[3]);
    v->cr4 = cpu_to_le64(env->cr[4]);
    v->dr6 = cpu_to_le64(env->dr[6]);
    v->dr7 = cpu_to_le64(env->dr[7]);
    if (debug_swap(env)) {
        for (i = 0; i < 4; i++) {
            v->dr[i] = cpu_to_le64(env->dr[i]);
        }
    }
    v->rflags = cpu_to_le64(cpu_compute_eflags(env));
    v->rip = cpu_to_le64(env->eip);
    v->rsp = cpu_to_le64(env->regs[R_ESP]);
    v->rax = cpu_to_le64(env->regs[R_EAX]);
    store_gprs(env, v);
    v->g_pat = cpu_to_le64(env->pat);
    v->xcr0 = cpu_to_le64(env->xcr0);
    v->xss = cpu_to_le64(env->xss);
    v->pkru = cpu_to_le32(env->pkru);
    if (env_archcpu(env)->x_snp_tsc_aux) {
        v->tsc_aux = cpu_to_le32(env->tsc_aux);
    }
    store_fpu(env, v);
}

/*
 * Swap type B: restore what the hypervisor has stored in its save area. Swap
 * type C: leave the FPU in its initial state.
 */
void sev_es_load_host(CPUX86State *env)
{
    AmdSnpState *s = env_archcpu(env)->snp;
    const uint8_t *hsave = page_in_use(s, env->vm_hsave, AMD_MEM_KEY_NONE);
    const struct vmsa *v = (const void *)(hsave + HSAVE_STATE);
    struct vmsa initial = {
        .mxcsr = cpu_to_le32(0x1f80),
        .x87_fcw = cpu_to_le16(0x40),
        .x87_ftw = cpu_to_le16(0x5555),
    };

    if (!es_rule(env, SNP_RULE_EXIT_HOST_STATE)) {
        return;
    }
    load_syscall_state(env, v);
    env->cr[2] = le64_to_cpu(v->cr2);
    load_gprs(env, v);
    if (debug_swap(env)) {
        load_drs(env, v);
    }
    env->pat = env->snp.host_pat;
    load_xstate(env, v);
    load_fpu(env, &initial);
}

bool sev_es_automatic_exit(CPUX86State *env, uint64_t exit_code,
                           uint64_t exit_info_1)
{
    if (!es_rule(env, SNP_RULE_EXIT_NAE)) {
        return true;
    }
    switch (exit_code) {
    case SVM_EXIT_MC:
    case SVM_EXIT_INTR ... SVM_EXIT_VINTR:
    case SVM_EXIT_PAUSE:
    case SVM_EXIT_HLT:
    case SVM_EXIT_SHUTDOWN:
    case SVM_EXIT_EFER_WRITE_TRAP:
    case SVM_EXIT_CR0_WRITE_TRAP ... SVM_EXIT_CR0_WRITE_TRAP + 15:
    case SVM_EXIT_BUSLOCK:
    case SVM_EXIT_VMGEXIT:
    case (uint64_t)SVM_EXIT_ERR:
    case (uint64_t)SVM_EXIT_BUSY:
        return true;
    case SVM_EXIT_NPF:
        /* Reserved bits mark MMIO: the guest has to request it explicitly. */
        return !(exit_info_1 & PG_ERROR_RSVD_MASK);
    default:
        return false;
    }
}
