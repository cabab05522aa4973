/*
 * TDX module: TDCALL leaves that report and measure
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "run.h"

static bool mr_gpa_ok(const struct run *r, u64 gpa, u64 align)
{
    return aligned(gpa, align) && td_private_gpa(r->td->tdcs, gpa);
}

enum run_next tdg_mr_rtmr_extend(struct run *r, u64 *ret)
{
    u64 *gpr = r->vp->guest.gpr.r, gpa = gpr[R_CX], index = gpr[R_DX], err;
    struct tdcs *tdcs = r->td->tdcs;
    enum run_next next = RUN_GUEST;
    struct sha384 s;
    const u8 *data;

    if (!mr_gpa_ok(r, gpa, 64) || index >= NUM_RTMR) {
        *ret = status(TDX_OPERAND_INVALID,
                      index >= NUM_RTMR && mr_gpa_ok(r, gpa, 64)
                      ? OPND_RDX : OPND_RCX);
        return RUN_GUEST;
    }
    data = tdg_page(r, gpa, false, &next);
    if (!data) {
        return next;
    }
    err = lock_try_as(&tdcs->rtmr_lock, LOCK_EX, SIDE_GUEST);
    if (is_error(err)) {
        *ret = status(err, OPND_RTMR);
        return RUN_GUEST;
    }
    sha384_init(&s);
    sha384_update(&s, tdcs->rtmr[index], SHA384_SIZE);
    sha384_update(&s, data, SHA384_SIZE);
    sha384_final(&s, tdcs->rtmr[index]);
    lock_put(&tdcs->rtmr_lock, LOCK_EX);
    *ret = TDX_SUCCESS;
    return RUN_GUEST;
}

static u64 mr_make_report(struct run *r, const u8 *data, struct tdreport *rep)
{
    struct tdcs *tdcs = r->td->tdcs;
    u64 err = lock_try_as(&tdcs->rtmr_lock, LOCK_SH, SIDE_GUEST);

    if (is_error(err)) {
        return status(err, OPND_RTMR);
    }
    memset(rep, 0, sizeof(*rep));
    measure_tdinfo(tdcs, &rep->tdinfo);
    lock_put(&tdcs->rtmr_lock, LOCK_SH);
    rep->mac.type = REPORT_TYPE_TDX;
    memcpy(rep->mac.report_data, data, sizeof(rep->mac.report_data));
    sha384(&rep->tdinfo, sizeof(rep->tdinfo), rep->mac.tee_info_hash);
    /* What has created a TD is what it was measured by, also after updates. */
    return plat_seal_report(rep, &r->td->tdr->seamdb)
           ? TDX_SUCCESS : TDX_SEAMREPORT_NOT_AVAILABLE;
}

enum run_next tdg_mr_report(struct run *r, u64 *ret)
{
    u64 *gpr = r->vp->guest.gpr.r;
    enum run_next next = RUN_GUEST;
    struct tdreport rep;
    const u8 *data;
    u8 *to;
    unsigned bad = 0;

    if (!mr_gpa_ok(r, gpr[R_CX], sizeof(rep))) {
        bad = OPND_RCX;
    } else if (!mr_gpa_ok(r, gpr[R_DX], 64)) {
        bad = OPND_RDX;
    } else if (gpr[R_8]) {
        bad = OPND_R8;          /* subtype 0 is the only one */
    }
    if (bad) {
        *ret = status(TDX_OPERAND_INVALID, bad);
        return RUN_GUEST;
    }
    data = tdg_page(r, gpr[R_DX], false, &next);
    to = data ? tdg_page(r, gpr[R_CX], true, &next) : NULL;
    if (!to) {
        return next;
    }
    *ret = mr_make_report(r, data, &rep);
    if (!is_error(*ret)) {
        memcpy(to, &rep, sizeof(rep));
    }
    return RUN_GUEST;
}

enum run_next tdg_mr_verifyreport(struct run *r, u64 *ret)
{
    u64 gpa = r->vp->guest.gpr.r[R_CX];
    enum run_next next = RUN_GUEST;
    struct reportmac mac;
    const u8 *from;

    if (!mr_gpa_ok(r, gpa, sizeof(mac))) {
        *ret = status(TDX_OPERAND_INVALID, OPND_RCX);
        return RUN_GUEST;
    }
    from = tdg_page(r, gpa, false, &next);
    if (!from) {
        return next;
    }
    memcpy(&mac, from, sizeof(mac));
    *ret = plat_verify_report(&mac);
    return RUN_GUEST;
}
