/*
 * TDX module: measurement of a TD's initial contents
 *
 * MRTD is the SHA-384 of a record of 128 bytes for each page that was added,
 * and of a record and the contents for each 256 bytes that were measured.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "module.h"

#define MEASURE_CHUNK   256

void measure_start(struct tdcs *tdcs)
{
    sha384_init(&tdcs->mrtd_ctx);
}

static void measure_record(struct tdcs *tdcs, const char *what, size_t n,
                           u64 gpa)
{
    u8 record[SHA384_BLOCK] = { 0 };

    memcpy(record, what, n);
    memcpy(record + 16, &gpa, sizeof(gpa));
    sha384_update(&tdcs->mrtd_ctx, record, sizeof(record));
}

void measure_page_add(struct tdcs *tdcs, u64 gpa)
{
    measure_record(tdcs, "MEM.PAGE.ADD", 12, gpa);
}

u64 tdh_mr_extend(struct call *c)
{
    u64 gpa = c->in.r[R_CX];
    struct sept_walk w;
    const u8 *page;
    u64 pa;

    if (!aligned(gpa, MEASURE_CHUNK) || !td_private_gpa(c->td.tdcs, gpa)) {
        return status(TDX_OPERAND_INVALID, OPND_RCX);
    }
    if (!sept_walk_leaf(&c->td, gpa, &w) ||
        sept_state(w.value) != SEPT_MAPPED) {
        c->r->r[R_CX] = sept_visible(w.value);
        c->r->r[R_DX] = sept_level_and_state(&w);
        return status(TDX_EPT_ENTRY_NOT_PRESENT, OPND_RCX);
    }
    pa = sept_leaf_pa(&w, gpa);
    page = plat_map(with_key(pa & ~(PAGE_SIZE - 1), c->td.tdr->hkid), PLAT_RO);
    measure_record(c->td.tdcs, "MR.EXTEND", 9, gpa);
    sha384_update(&c->td.tdcs->mrtd_ctx, page + (pa & (PAGE_SIZE - 1)),
                  MEASURE_CHUNK);
    return TDX_SUCCESS;
}

u64 tdh_mr_finalize(struct call *c)
{
    struct tdcs *tdcs = c->td.tdcs;

    if (!tdcs->num_vcpus) {
        return TDX_NO_VCPUS;
    }
    sha384_final(&tdcs->mrtd_ctx, tdcs->mrtd);
    td_move_op(tdcs, OP_RUNNABLE);
    return TDX_SUCCESS;
}

void measure_tdinfo(const struct tdcs *tdcs, struct tdinfo *info)
{
    memset(info, 0, sizeof(*info));
    info->attributes = tdcs->attributes;
    info->xfam = tdcs->xfam;
    memcpy(info->mrtd, tdcs->mrtd, 48);
    memcpy(info->mrconfigid, tdcs->mrconfigid, 48);
    memcpy(info->mrowner, tdcs->mrowner, 48);
    memcpy(info->mrownerconfig, tdcs->mrownerconfig, 48);
    memcpy(info->rtmr, tdcs->rtmr, sizeof(info->rtmr));
    memcpy(info->servtd_hash, tdcs->servtd_hash, 48);
}
