/*
 * AMD Secure Processor: ASIDs
 *
 * An ASID belongs to one guest at a time, and is valid for VMRUN while that
 * guest is both launched and active. Between two guests, and before the first
 * one, its cached data has to be written back by every CPU (WBINVD) and by the
 * data fabric (DF_FLUSH).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"

/* Activation: the ASID uses @key from now on. */
PspStatus psp_asid_take(AmdPspState *s, uint32_t asid, bool es_or_snp,
                        uint32_t key)
{
    uint32_t min, max, last;

    psp_asid_range(false, &min, &last);
    psp_asid_range(es_or_snp, &min, &max);
    if (!asid || asid > last || asid >= PSP_ASIDS) {
        return SEV_STATUS_INVALID_ASID;
    }
    PSP_REQUIRE(s, ASID_RANGE, asid >= min && asid <= max, INVALID_ASID);
    PSP_REQUIRE(s, ASID_OWNED, !test_bit(asid, s->asid_used), ASID_OWNED);
    PSP_REQUIRE(s, ASID_FLUSH, !test_bit(asid, s->asid_dirty),
                DFFLUSH_REQUIRED);
    PSP_REQUIRE(s, ASID_PAGES, !s->snp_init ||
                !amd_rmp_asid_has_pages(s->snp, asid), INVALID_CONFIG);
    set_bit(asid, s->asid_used);
    amd_mem_set_asid_key(s->snp, asid, key);
    return SEV_STATUS_SUCCESS;
}

void psp_asid_validate(AmdPspState *s, uint32_t asid)
{
    if (asid) {
        set_bit(asid, s->asid_valid);
        amd_snp_set_asid_valid(s->snp, asid, true);
    }
}

/* An ASID that no guest was able to run with needs no new flush. */
void psp_asid_release(AmdPspState *s, uint32_t asid)
{
    clear_bit(asid, s->asid_used);
    amd_mem_set_asid_key(s->snp, asid, AMD_MEM_KEY_NONE);
    amd_snp_set_asid_valid(s->snp, asid, false);
    if (test_and_clear_bit(asid, s->asid_valid)) {
        set_bit(asid, s->asid_dirty);
        amd_snp_need_wbinvd(s->snp);
    }
}

/* DF_FLUSH, SNP_DF_FLUSH */
PspStatus psp_asid_flush(AmdPspState *s)
{
    PSP_REQUIRE(s, WBINVD, amd_snp_wbinvd_done(s->snp), WBINVD_REQUIRED);
    bitmap_zero(s->asid_dirty, PSP_ASIDS);
    return SEV_STATUS_SUCCESS;
}
