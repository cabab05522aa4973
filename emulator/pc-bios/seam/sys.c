/*
 * TDX module: start and end of the module
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "module.h"
#include "vmcs.h"

/* From which states the module may go to the one of the index */
static const u8 sys_from[SYS_NUM_STATES] = {
    [SYS_INIT_DONE] = BIT(SYS_INIT_PENDING),
    [SYS_CONFIG_DONE] = BIT(SYS_INIT_DONE),
    /* From SYS_INIT_DONE by an update */
    [SYS_READY] = BIT(SYS_CONFIG_DONE) | BIT(SYS_INIT_DONE),
    [SYS_SHUT_DOWN] = 0xff,
};

void sys_move(enum sys_state to)
{
    require(sys_from[to] & BIT(module.sys_state));
    __atomic_store_n(&module.sys_state, to, __ATOMIC_SEQ_CST);
}

/* MSRs that all processors have with the same value */
static const u32 sys_same_msr[] = {
    MSR_TSC_ADJUST, MSR_KEYID_PARTITIONING, MSR_WBINVDP, MSR_WBNOINVDP,
    MSR_ARCH_CAPABILITIES, MSR_VMX_BASIC, MSR_VMX_BASIC + 0xb,
    MSR_VMX_BASIC + 0xd, MSR_VMX_BASIC + 0xe, MSR_VMX_BASIC + 0xf,
    MSR_VMX_BASIC + 0x10, MSR_TME_CAPABILITY, MSR_TME_ACTIVATE,
};

/* CMRs are pages, in ascending order, and do not overlap. */
static u64 sys_check_cmrs(const struct plat_info *info)
{
    u64 end = 0;

    for (unsigned i = 0; i < MAX_CMRS && info->cmr[i].size; i++) {
        u64 base = info->cmr[i].base, size = info->cmr[i].size;

        if (!aligned(base | size, PAGE_SIZE) || base < end ||
            base + size < base) {
            return TDX_CMR_LIST_INVALID;
        }
        end = base + size;
    }
    return end ? TDX_SUCCESS : TDX_CMR_LIST_INVALID;
}

static u64 sys_check_keys(void)
{
    u64 part = plat_rdmsr(MSR_KEYID_PARTITIONING);
    u64 activate = plat_rdmsr(MSR_TME_ACTIVATE);
    u64 shared = part & 0xffffffff, private = part >> 32;
    u32 v[4];

    /* Locked, enabled, and with bits for key ids */
    if ((activate & 3) != 3 || !((activate >> 32) & 0xf)) {
        return status(TDX_INCORRECT_MSR_VALUE, MSR_TME_ACTIVATE);
    }
    if (private < 2 || shared + private >= MAX_KEYS) {
        return status(TDX_NUM_ACTIVATED_HKIDS_NOT_SUPPORTED, MAX_KEYS);
    }
    plat_cpuid(0x80000008, 0, v);
    module.key_shift = (v[0] & 0xff) - ((activate >> 32) & 0xf);
    module.first_key = shared + 1;
    module.num_keys = private;
    for (unsigned i = 0; i < MAX_KEYS; i++) {
        module.key[i].state = i > shared && i <= shared + private
                              ? KEY_FREE : KEY_RESERVED;
    }
    return TDX_SUCCESS;
}

static u64 sys_check_tsc(void)
{
    u32 v[4];

    /* Crystal frequency, and the ratio of TSC to it */
    plat_cpuid(0x15, 0, v);
    if (!v[0] || !v[1] || !v[2]) {
        return call_out(plat_lp()->call, R_CX, 0x15,
                        TDX_INCORRECT_CPUID_VALUE);
    }
    module.tsc_frequency = (u64)v[2] * v[1] / v[0];
    if (module.tsc_frequency < 1000000) {
        return call_out(plat_lp()->call, R_CX, 0x15,
                        TDX_INCORRECT_CPUID_VALUE);
    }
    return TDX_SUCCESS;
}

static void sys_read_xfam(void)
{
    u32 v[4];
    u64 native;

    plat_cpuid(0xd, 0, v);
    native = v[0] | (u64)v[3] << 32;
    plat_cpuid(0xd, 1, v);
    native |= v[2] | (u64)v[3] << 32;
    module.xfam_fixed0 = XFAM_FIXED0 & native;
}

static u64 sys_init(struct call *c)
{
    u64 ret, entropy;

    if (c->in.r[R_CX]) {
        return status(TDX_OPERAND_INVALID, OPND_RCX);
    }
    if (module.sys_state != SYS_INIT_PENDING) {
        return TDX_SYS_INIT_NOT_PENDING;
    }
    if (plat_info()->num_pkgs > MAX_PKGS) {
        return status(TDX_INVALID_PKG_ID, plat_info()->num_pkgs);
    }
    ret = sys_check_keys();
    if (!is_error(ret)) {
        ret = sys_check_tsc();
    }
    if (!is_error(ret)) {
        ret = sys_check_cmrs(plat_info());
    }
    if (!is_error(ret)) {
        ret = vmcs_check();
    }
    if (is_error(ret)) {
        return ret;
    }
    if (!plat_random(&entropy)) {
        return TDX_RND_NO_ENTROPY;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(sys_same_msr); i++) {
        module.msr[i] = plat_rdmsr(sys_same_msr[i]);
    }
    _Static_assert(ARRAY_SIZE(sys_same_msr) <= ARRAY_SIZE(module.msr), "");
    sys_read_xfam();
    sys_move(SYS_INIT_DONE);
    return TDX_SUCCESS;
}

u64 tdh_sys_init(struct call *c)
{
    u64 ret;

    if (!lock_try(&module.lock, LOCK_EX)) {
        return TDX_SYS_BUSY;
    }
    ret = sys_init(c);
    lock_put(&module.lock, LOCK_EX);
    return ret;
}

static u64 sys_lp_init(struct call *c)
{
    struct lp *lp = c->lp;

    if (module.sys_state != SYS_INIT_DONE) {
        return TDX_SYS_LP_INIT_NOT_PENDING;
    }
    if (lp->init_done) {
        return TDX_SYS_LP_INIT_DONE;
    }
    if (lp->pkg >= plat_info()->num_pkgs) {
        return status(TDX_INVALID_PKG_ID, lp->pkg);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(sys_same_msr); i++) {
        if (plat_rdmsr(sys_same_msr[i]) != module.msr[i]) {
            return status(TDX_INCONSISTENT_MSR, sys_same_msr[i]);
        }
    }
    lp->init_done = true;
    __atomic_fetch_add(&module.lps_done, 1, __ATOMIC_RELAXED);
    return TDX_SUCCESS;
}

/* All logical processors may be here at once. */
u64 tdh_sys_lp_init(struct call *c)
{
    u64 ret;

    if (!lock_try(&module.lock, LOCK_SH)) {
        return TDX_SYS_BUSY;
    }
    ret = sys_lp_init(c);
    lock_put(&module.lock, LOCK_SH);
    return ret;
}

/*
 * The module ends only if nobody else is in it, and who comes later finds that
 * it has ended: both are in one word.  Otherwise nothing has changed.
 */
static u64 sys_stop(void)
{
    u32 only_me = 1;
    u64 ret = TDX_SYS_BUSY;

    if (!lock_try(&module.lock, LOCK_EX)) {
        return TDX_SYS_BUSY;
    }
    if (__atomic_compare_exchange_n(&module.lps_busy, &only_me, LPS_ENDED | 1,
                                    false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST)) {
        sys_move(SYS_SHUT_DOWN);
        ret = TDX_SUCCESS;
    }
    lock_put(&module.lock, LOCK_EX);
    return ret;
}

u64 tdh_sys_shutdown(struct call *c)
{
    u64 ret;

    /* The version of handoff data: without downgrades, there is only one. */
    if (c->in.r[R_CX] != MODULE_HANDOFF) {
        return status(TDX_OPERAND_INVALID, OPND_RCX);
    }
    ret = sys_stop();
    if (!is_error(ret) && handoff_possible()) {
        handoff_write();
    }
    return ret;
}

/*
 * If it fails, nothing has changed: the host can install another module, or
 * configure this one, which loses the TDs.
 */
static u64 sys_update(void)
{
    if (module.sys_state != SYS_INIT_DONE ||
        module.lps_done != plat_info()->num_lps) {
        return TDX_SYS_STATE_INCORRECT;
    }
    if (!handoff_read()) {
        return TDX_SYS_INVALID_HANDOFF;
    }
    handoff_clear();
    sys_move(SYS_READY);
    return TDX_SUCCESS;
}

u64 tdh_sys_update(struct call *c)
{
    u64 ret;

    (void)c;
    if (!lock_try(&module.lock, LOCK_EX)) {
        return TDX_SYS_BUSY;
    }
    ret = sys_update();
    lock_put(&module.lock, LOCK_EX);
    return ret;
}

u64 tdh_sys_disable(struct call *c)
{
    u64 blocks = plat_rdmsr(MSR_WBINVDP);
    u64 ret = sys_stop();

    if (is_error(ret)) {
        return ret;
    }
    for (u64 i = 0; i < blocks; i++) {
        plat_wrmsr(MSR_WBINVDP, i);
    }
    c->lp->current_vmcs = 0;
    /* The host may use all memory now. */
    handoff_clear();
    return TDX_SUCCESS;
}
