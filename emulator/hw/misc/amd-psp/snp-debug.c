/*
 * AMD Secure Processor: SEV-SNP, debugging of guests that permit it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"

/* A page of a guest whose policy allows debugging */
static PspStatus get_page(AmdPspState *s, uint64_t gctx, uint64_t address,
                          SnpGuest **g)
{
    hwaddr spa = psp_spa(s, address);
    AmdRmpEntry e;

    PSP_TRY(snp_guest_get(s, gctx, g));
    PSP_REQUIRE(s, GUEST_STATE, (*g)->state != SNP_GSTATE_INIT,
                INVALID_GUEST_STATE);
    PSP_REQUIRE(s, DEBUG, (*g)->policy & SNP_POLICY_DEBUG, POLICY_FAILURE);
    PSP_REQUIRE(s, ACTIVE, (*g)->asid, INACTIVE);
    if (spa & ~PSP_PAGE_MASK) {
        return SEV_STATUS_INVALID_PARAM;
    }
    if (!psp_page_entry(s, spa, &e)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    PSP_REQUIRE(s, PAGE_STATE, e.assigned && e.asid, INVALID_PAGE_STATE);
    PSP_REQUIRE(s, PAGE_OWNER, e.asid == (*g)->asid, INVALID_PAGE_OWNER);
    return SEV_STATUS_SUCCESS;
}

/* SNP_DBG_DECRYPT: a page of the guest to a Firmware page */
PspStatus psp_cmd_SNP_DBG_DECRYPT(AmdPspState *s, PspCmd *cmd)
{
    SnpBufDbg *buf = cmd->buf;
    g_autofree uint8_t *page = g_malloc(PSP_PAGE_SIZE);
    SnpGuest *g;

    PSP_TRY(get_page(s, buf->gctx_paddr, buf->src_address, &g));
    if (psp_spa(s, buf->dst_address) & ~PSP_PAGE_MASK) {
        return SEV_STATUS_INVALID_PARAM;
    }
    if (!amd_mem_read(s->snp, psp_spa(s, buf->src_address), page,
                      PSP_PAGE_SIZE, g->key)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    return psp_write(s, buf->dst_address, page, PSP_PAGE_SIZE);
}

/* SNP_DBG_ENCRYPT: a page of the host to a page of the guest */
PspStatus psp_cmd_SNP_DBG_ENCRYPT(AmdPspState *s, PspCmd *cmd)
{
    SnpBufDbg *buf = cmd->buf;
    g_autofree uint8_t *page = g_malloc(PSP_PAGE_SIZE);
    SnpGuest *g;

    PSP_TRY(get_page(s, buf->gctx_paddr, buf->dst_address, &g));
    if (psp_spa(s, buf->src_address) & ~PSP_PAGE_MASK) {
        return SEV_STATUS_INVALID_PARAM;
    }
    PSP_TRY(psp_read(s, buf->src_address, page, PSP_PAGE_SIZE));
    if (!amd_mem_write(s->snp, psp_spa(s, buf->dst_address), page,
                       PSP_PAGE_SIZE, g->key)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    return SEV_STATUS_SUCCESS;
}
