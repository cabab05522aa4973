/*
 * TDX module: TDH.MNG.INIT
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cpuid.h"
#include "module.h"
#include "msr.h"
#include "vmcs.h"

#define EPTP_WB         6
#define EPTP_WALK_4     3       /* bits 5:3: levels, less 1 */
#define EPTP_WALK_5     4

static bool params_zero(const u8 *p, size_t n)
{
    while (n--) {
        if (*p++) {
            return false;
        }
    }
    return true;
}

/* Components that come together come together. */
static bool params_xfam_ok(u64 xfam)
{
    u64 avx512 = xfam & BITS(7, 5), cet = xfam & BITS(12, 11);
    u64 amx = xfam & BITS(18, 17);

    return !(xfam & ~module.xfam_fixed0) &&
           (xfam & XFAM_FIXED1) == XFAM_FIXED1 &&
           (!avx512 || (avx512 == BITS(7, 5) && (xfam & BIT(2)))) &&
           (!cet || cet == BITS(12, 11)) && (!amx || amx == BITS(18, 17));
}

static bool params_eptp_ok(const struct td_params *p)
{
    unsigned walk = (p->eptp_controls >> 3) & 7;
    bool wide = p->config_flags & CONFIG_GPAW;

    return (p->eptp_controls & 7) == EPTP_WB && !(p->eptp_controls >> 6) &&
           ((walk == EPTP_WALK_5 && vmcs_has_ept_5()) ||
            (walk == EPTP_WALK_4 && !wide));
}

static u64 params_check(const struct td_params *p)
{
    static const struct {
        u16 offset, size;
    } zero[] = {
        { offsetof(struct td_params, msr_config_ctls), 1 },
        { offsetof(struct td_params, reserved0), 4 },
        { offsetof(struct td_params, reserved1), 38 },
        { offsetof(struct td_params, reserved2), 24 },
        { offsetof(struct td_params, reserved3),
          sizeof(p->reserved3) },
    };
    unsigned bad = 0;

    if ((p->attributes & ~ATTRIBUTES_FIXED0) ||
        (p->attributes & ATTRIBUTES_FIXED1) != ATTRIBUTES_FIXED1) {
        bad = OPND_ATTRIBUTES;
    } else if (!params_xfam_ok(p->xfam)) {
        bad = OPND_XFAM;
    } else if (!p->max_vcpus || p->max_vcpus > MAX_VCPUS_PER_TD) {
        bad = OPND_MAX_VCPUS;
    } else if (p->num_l2_vms) {
        bad = OPND_NUM_L2_VMS;
    } else if ((p->config_flags & ~CONFIG_FLAGS_FIXED0) ||
               (p->config_flags & CONFIG_FLAGS_FIXED1) != CONFIG_FLAGS_FIXED1 ||
               ((p->config_flags & CONFIG_GPAW) && !vmcs_has_gpaw())) {
        bad = OPND_EXEC_CONTROLS;
    } else if (!params_eptp_ok(p)) {
        bad = OPND_EPTP_CONTROLS;
    } else if (p->tsc_frequency < TSC_FREQUENCY_MIN ||
               p->tsc_frequency > TSC_FREQUENCY_MAX) {
        bad = OPND_TSC_FREQUENCY;
    } else if (p->arch_capabilities_config) {
        bad = OPND_ARCH_CAPABILITIES;
    }
    for (unsigned i = 0; !bad && i < ARRAY_SIZE(zero); i++) {
        if (!params_zero((const u8 *)p + zero[i].offset, zero[i].size)) {
            bad = OPND_RDX;
        }
    }
    return bad ? status(TDX_OPERAND_INVALID, bad) : TDX_SUCCESS;
}

/* a * 2^48 / b, without a division of 128 bits */
static u64 params_ratio48(u64 a, u64 b)
{
    u64 q = a / b, r = a % b;

    for (unsigned i = 0; i < 48; i++) {
        r <<= 1;
        q = q << 1 | (r >= b);
        r -= r >= b ? b : 0;
    }
    return q;
}

static void params_set_tsc(struct tdcs *tdcs, u16 frequency)
{
    unsigned __int128 now;

    tdcs->tsc_frequency = frequency;
    tdcs->tsc_multiplier = params_ratio48(frequency * TSC_FREQUENCY_UNIT,
                                          module.tsc_frequency);
    /* The TD's time begins now. */
    now = (unsigned __int128)plat_tsc() * tdcs->tsc_multiplier >> 48;
    tdcs->tsc_offset = -(u64)now;
}

static void params_apply(struct td *td, const struct td_params *p)
{
    struct tdcs *tdcs = td->tdcs;

    tdcs->attributes = p->attributes;
    tdcs->xfam = p->xfam;
    tdcs->max_vcpus = p->max_vcpus;
    tdcs->gpaw = !!(p->config_flags & CONFIG_GPAW);
    tdcs->config_flags = p->config_flags;
    tdcs->eptp = p->eptp_controls | td->tdr->tdcx_pa[TDCS_PAGE_SEPT_ROOT];
    tdcs->hp_lock_timeout = 1000000;
    tdcs->td_ctls = p->attributes & ATTR_SEPT_VE_DISABLE
                    ? TD_CTLS_PENDING_VE_DISABLE : 0;
    memcpy(tdcs->mrconfigid, p->mrconfigid, 48);
    memcpy(tdcs->mrowner, p->mrowner, 48);
    memcpy(tdcs->mrownerconfig, p->mrownerconfig, 48);
    params_set_tsc(tdcs, p->tsc_frequency);
}

u64 tdh_mng_init(struct call *c)
{
    u64 pa = c->in.r[R_DX], bad = 0;
    u64 ret = phymem_check_shared(pa, sizeof(struct td_params),
                                  sizeof(struct td_params));
    struct td_params p;
    const u8 *page;

    if (is_error(ret)) {
        return status(ret, OPND_RDX);
    }
    /* The host can change its memory: check a copy. */
    page = plat_map(pa & ~(PAGE_SIZE - 1), PLAT_RO);
    memcpy(&p, page + (pa & (PAGE_SIZE - 1)), sizeof(p));
    ret = params_check(&p);
    if (is_error(ret)) {
        return ret;
    }
    params_apply(&c->td, &p);
    ret = cpuid_init(&c->td, &p, &bad);
    if (is_error(ret)) {
        return call_out(c, R_CX, bad, ret);
    }
    c->td.tdcs->topology_enum_configured =
        c->td.tables->cpuid[cpuid_find(0x1f, 0)][2] != 0;
    msr_init_bitmaps(&c->td, plat_map(
        with_key(c->td.tdr->tdcx_pa[TDCS_PAGE_MSR_BITMAPS], c->td.tdr->hkid),
        PLAT_RW));
    memset(c->td.tables->x2apic_id, 0xff, sizeof(c->td.tables->x2apic_id));
    /* Epoch 0 is for entries that were never blocked. */
    c->td.tdcs->epoch.epoch = 1;
    measure_start(c->td.tdcs);
    td_move_op(c->td.tdcs, OP_INITIALIZED);
    return TDX_SUCCESS;
}
