/*
 * AMD Secure Processor: SEV-SNP, guest contexts and activation
 *
 * The handle of a guest is its context page. Firmware keeps the context itself,
 * and stores in the page, encrypted with its own key, only the number of the
 * context.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"

static SnpGuest *find(AmdPspState *s, hwaddr gctx)
{
    SnpGuest *g;

    QTAILQ_FOREACH(g, &s->snp_guests, next) {
        if (g->gctx == gctx) {
            return g;
        }
    }
    return NULL;
}

/* The guest whose context page is at @address */
PspStatus snp_guest_get(AmdPspState *s, uint64_t address, SnpGuest **guest)
{
    hwaddr gctx = psp_spa(s, address);
    SnpGuest *g = find(s, gctx);
    uint64_t magic = 0;
    AmdRmpEntry e;

    if (gctx & ~PSP_PAGE_MASK) {
        return SEV_STATUS_INVALID_PARAM;
    }
    PSP_REQUIRE(s, CONTEXT_STATE, psp_page_entry(s, gctx, &e) &&
                amd_rmp_page_state(&e) == AMD_PAGE_CONTEXT, INVALID_GUEST);
    if (!g) {
        return SEV_STATUS_INVALID_GUEST;
    }
    amd_mem_read(s->snp, gctx, &magic, sizeof(magic), s->fw_key);
    PSP_REQUIRE(s, CONTEXT_CONTENT, magic == g->magic, INVALID_GUEST);
    *guest = g;
    return SEV_STATUS_SUCCESS;
}

static void deactivate(AmdPspState *s, SnpGuest *g)
{
    if (g->asid) {
        psp_asid_release(s, g->asid);
        g->asid = 0;
    }
}

static void free_guest(AmdPspState *s, SnpGuest *g)
{
    SnpGuest *other;

    deactivate(s, g);
    QTAILQ_FOREACH(other, &s->snp_guests, next) {
        if (other->ma == g) {
            other->ma = NULL;
        }
    }
    amd_mem_destroy_key(s->snp, g->key);
    QTAILQ_REMOVE(&s->snp_guests, g, next);
    g_free(g);
}

void snp_guest_free_all(AmdPspState *s)
{
    while (!QTAILQ_EMPTY(&s->snp_guests)) {
        free_guest(s, QTAILQ_FIRST(&s->snp_guests));
    }
}

/* A context that is not launched yet does not count as a guest. */
uint32_t snp_guest_count(AmdPspState *s)
{
    uint32_t n = 0;
    SnpGuest *g;

    QTAILQ_FOREACH(g, &s->snp_guests, next) {
        n += g->state != SNP_GSTATE_INIT;
    }
    return n;
}

/* SNP_GCTX_CREATE */
PspStatus psp_cmd_SNP_GCTX_CREATE(AmdPspState *s, PspCmd *cmd)
{
    SnpBufAddr *buf = cmd->buf;
    hwaddr gctx = psp_spa(s, buf->address);
    AmdRmpEntry e;
    SnpGuest *g;

    PSP_TRY(psp_check_page(s, gctx, AMD_PAGE_FIRMWARE, &e));
    PSP_REQUIRE(s, PAGE_SIZE, e.page_size == RMP_PG_SIZE_4K,
                INVALID_PAGE_SIZE);
    if (find(s, gctx)) {
        return SEV_STATUS_INVALID_PAGE_STATE;
    }
    g = g_new0(SnpGuest, 1);
    g->gctx = gctx;
    g->magic = ++s->next_magic ^ 0x4753504e53444d41ull;
    g->key = amd_mem_new_key(s->snp);
    psp_random(g->vmpck, sizeof(g->vmpck));
    psp_random(g->report_id, sizeof(g->report_id));
    psp_random(g->oek, sizeof(g->oek));
    g->launch_tcb = s->committed_tcb;
    QTAILQ_INSERT_TAIL(&s->snp_guests, g, next);

    e.vmsa = true;
    amd_rmp_set(s->snp, gctx, &e);
    amd_mem_write(s->snp, gctx, &g->magic, sizeof(g->magic), s->fw_key);
    return SEV_STATUS_SUCCESS;
}

/* SNP_DECOMMISSION */
PspStatus psp_cmd_SNP_DECOMMISSION(AmdPspState *s, PspCmd *cmd)
{
    SnpBufAddr *buf = cmd->buf;
    AmdRmpEntry e;
    SnpGuest *g;

    PSP_TRY(snp_guest_get(s, buf->address, &g));
    if (psp_page_entry(s, g->gctx, &e)) {
        e.vmsa = false;
        amd_rmp_set(s->snp, g->gctx, &e);
    }
    free_guest(s, g);
    return SEV_STATUS_SUCCESS;
}

static PspStatus activate(AmdPspState *s, uint64_t gctx, uint32_t asid)
{
    SnpGuest *g;

    PSP_TRY(snp_guest_get(s, gctx, &g));
    PSP_REQUIRE(s, GUEST_STATE, g->state != SNP_GSTATE_INIT,
                INVALID_GUEST_STATE);
    PSP_REQUIRE(s, ACTIVE, !g->asid, ACTIVE);
    PSP_TRY(psp_asid_take(s, asid, true, g->key));
    g->asid = asid;
    if (g->state == SNP_GSTATE_RUNNING) {
        psp_asid_validate(s, asid);
    }
    return SEV_STATUS_SUCCESS;
}

/* SNP_ACTIVATE */
PspStatus psp_cmd_SNP_ACTIVATE(AmdPspState *s, PspCmd *cmd)
{
    SnpBufActivate *buf = cmd->buf;

    return activate(s, buf->gctx_paddr, buf->asid);
}

/* SNP_ACTIVATE_EX: the machine has one core complex, so the list is ignored. */
PspStatus psp_cmd_SNP_ACTIVATE_EX(AmdPspState *s, PspCmd *cmd)
{
    SnpBufActivateEx *buf = cmd->buf;
    uint32_t id;

    PSP_REQUIRE(s, LENGTH, buf->length == sizeof(*buf), INVALID_LENGTH);
    PSP_REQUIRE(s, RESERVED, !buf->reserved, INVALID_PARAM);
    if (buf->numids > PSP_PAGE_SIZE / sizeof(id)) {
        return SEV_STATUS_INVALID_PARAM;
    }
    if (buf->numids) {
        PSP_TRY(psp_read(s, buf->id_paddr +
                         (buf->numids - 1) * sizeof(id), &id, sizeof(id)));
    }
    return activate(s, buf->gctx_paddr, buf->asid);
}

/* SNP_GUEST_STATUS */
PspStatus psp_cmd_SNP_GUEST_STATUS(AmdPspState *s, PspCmd *cmd)
{
    SnpBufGuestStatus *buf = cmd->buf;
    SnpGuestStatus st = { 0 };
    SnpGuest *g;

    PSP_TRY(snp_guest_get(s, buf->gctx_paddr, &g));
    st.policy = g->policy;
    st.asid = g->asid;
    st.state = g->state;
    st.vcek_dis = g->vcek_dis;
    if (!psp_in_one_page(s, buf->address, sizeof(st))) {
        return SEV_STATUS_INVALID_PARAM;
    }
    return psp_write(s, buf->address, &st, sizeof(st));
}
