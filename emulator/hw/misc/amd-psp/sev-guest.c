/*
 * AMD Secure Processor: SEV and SEV-ES, guests and their activation
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"

#define BLOCK   16      /* bytes per cipher block */

SevGuest *sev_guest_find(AmdPspState *s, uint32_t handle)
{
    SevGuest *g;

    QTAILQ_FOREACH(g, &s->sev_guests, next) {
        if (g->handle == handle) {
            return g;
        }
    }
    return NULL;
}

PspStatus sev_guest_get(AmdPspState *s, uint32_t handle, uint8_t state,
                        SevGuest **g)
{
    *g = sev_guest_find(s, handle);
    if (!*g) {
        return SEV_STATUS_INVALID_GUEST;
    }
    PSP_REQUIRE(s, GUEST_STATE, (*g)->state == state, INVALID_GUEST_STATE);
    return SEV_STATUS_SUCCESS;
}

/* A new guest with its own key */
SevGuest *sev_guest_new(AmdPspState *s)
{
    SevGuest *g = g_new0(SevGuest, 1);

    g->handle = ++s->next_handle;
    g->key = amd_mem_new_key(s->snp);
    QTAILQ_INSERT_TAIL(&s->sev_guests, g, next);
    s->sev_state = SEV_PSTATE_WORKING;
    return g;
}

static bool key_shared(AmdPspState *s, const SevGuest *g)
{
    SevGuest *other;

    QTAILQ_FOREACH(other, &s->sev_guests, next) {
        if (other != g && other->key == g->key) {
            return true;
        }
    }
    return false;
}

static void deactivate(AmdPspState *s, SevGuest *g)
{
    if (g->asid) {
        psp_asid_release(s, g->asid);
        g->asid = 0;
    }
}

void sev_guest_free(AmdPspState *s, SevGuest *g)
{
    deactivate(s, g);
    if (!key_shared(s, g)) {
        amd_mem_destroy_key(s->snp, g->key);
    }
    QTAILQ_REMOVE(&s->sev_guests, g, next);
    g_free(g);
    if (QTAILQ_EMPTY(&s->sev_guests)) {
        s->sev_state = SEV_PSTATE_INIT;
    }
}

void sev_guest_free_all(AmdPspState *s)
{
    while (!QTAILQ_EMPTY(&s->sev_guests)) {
        sev_guest_free(s, QTAILQ_FIRST(&s->sev_guests));
    }
}

uint32_t sev_guest_count(AmdPspState *s)
{
    uint32_t n = 0;
    SevGuest *g;

    QTAILQ_FOREACH(g, &s->sev_guests, next) {
        n++;
    }
    return n;
}

/* DECOMMISSION */
PspStatus psp_cmd_DECOMMISSION(AmdPspState *s, PspCmd *cmd)
{
    SevBufHandle *buf = cmd->buf;
    SevGuest *g = sev_guest_find(s, buf->handle);

    if (!g) {
        return SEV_STATUS_INVALID_GUEST;
    }
    PSP_REQUIRE(s, ACTIVE, !g->asid, ACTIVE);
    sev_guest_free(s, g);
    return SEV_STATUS_SUCCESS;
}

static PspStatus activate(AmdPspState *s, uint32_t handle, uint32_t asid)
{
    SevGuest *g = sev_guest_find(s, handle);

    if (!g) {
        return SEV_STATUS_INVALID_GUEST;
    }
    PSP_REQUIRE(s, ACTIVE, !g->asid, ACTIVE);
    PSP_TRY(psp_asid_take(s, asid, g->policy & SEV_POLICY_ES, g->key));
    g->asid = asid;
    if (g->state == SEV_GSTATE_RUNNING || g->state == SEV_GSTATE_SUPDATE) {
        psp_asid_validate(s, asid);
    }
    return SEV_STATUS_SUCCESS;
}

/* ACTIVATE */
PspStatus psp_cmd_ACTIVATE(AmdPspState *s, PspCmd *cmd)
{
    SevBufActivate *buf = cmd->buf;

    return activate(s, buf->handle, buf->asid);
}

/* ACTIVATE_EX: the machine has one core complex, so the list is ignored. */
PspStatus psp_cmd_ACTIVATE_EX(AmdPspState *s, PspCmd *cmd)
{
    SevBufActivateEx *buf = cmd->buf;

    PSP_REQUIRE(s, LENGTH, buf->length == sizeof(*buf), INVALID_LENGTH);
    return activate(s, buf->handle, buf->asid);
}

/* DEACTIVATE */
PspStatus psp_cmd_DEACTIVATE(AmdPspState *s, PspCmd *cmd)
{
    SevBufHandle *buf = cmd->buf;
    SevGuest *g = sev_guest_find(s, buf->handle);

    if (!g) {
        return SEV_STATUS_INVALID_GUEST;
    }
    PSP_REQUIRE(s, ACTIVE, g->asid, INACTIVE);
    deactivate(s, g);
    return SEV_STATUS_SUCCESS;
}

/* GUEST_STATUS */
PspStatus psp_cmd_GUEST_STATUS(AmdPspState *s, PspCmd *cmd)
{
    SevBufGuestStatus *buf = cmd->buf;
    SevGuest *g = sev_guest_find(s, buf->handle);

    if (!g) {
        return SEV_STATUS_INVALID_GUEST;
    }
    buf->policy = g->policy;
    buf->asid = g->asid;
    buf->state = g->state;
    return SEV_STATUS_SUCCESS;
}

/* Find the guest, and check that a command operates on whole blocks */
static PspStatus get_blocks(AmdPspState *s, uint32_t handle, uint64_t a,
                            uint64_t b, uint32_t len, SevGuest **g)
{
    *g = sev_guest_find(s, handle);
    if (!*g) {
        return SEV_STATUS_INVALID_GUEST;
    }
    if (a & (BLOCK - 1) || b & (BLOCK - 1)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    PSP_REQUIRE(s, LENGTH, len && !(len & (BLOCK - 1)) && len <= PSP_PAGE_2M,
                INVALID_LENGTH);
    return SEV_STATUS_SUCCESS;
}

/* COPY: within the guest */
PspStatus psp_cmd_COPY(AmdPspState *s, PspCmd *cmd)
{
    SevBufCopy *buf = cmd->buf;
    g_autofree uint8_t *data = NULL;
    SevGuest *g;

    PSP_TRY(get_blocks(s, buf->handle, buf->src_address, buf->dst_address,
                       buf->length, &g));
    PSP_REQUIRE(s, ACTIVE, g->asid, INACTIVE);
    PSP_TRY(psp_check_writable(s, buf->dst_address, buf->length));
    data = g_malloc(buf->length);
    if (!amd_mem_read(s->snp, psp_spa(s, buf->src_address), data, buf->length,
                      g->key) ||
        !amd_mem_write(s->snp, psp_spa(s, buf->dst_address), data, buf->length,
                       g->key)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    return SEV_STATUS_SUCCESS;
}

static PspStatus debug(AmdPspState *s, const SevBufDbg *buf, SevGuest **g)
{
    PSP_TRY(get_blocks(s, buf->handle, buf->src_address, buf->dst_address,
                       buf->len, g));
    PSP_REQUIRE(s, DEBUG, !((*g)->policy & SEV_POLICY_NODBG), POLICY_FAILURE);
    PSP_REQUIRE(s, ACTIVE, (*g)->asid, INACTIVE);
    return psp_check_writable(s, buf->dst_address, buf->len);
}

/* DBG_DECRYPT */
PspStatus psp_cmd_DBG_DECRYPT(AmdPspState *s, PspCmd *cmd)
{
    SevBufDbg *buf = cmd->buf;
    g_autofree uint8_t *data = NULL;
    SevGuest *g;

    PSP_TRY(debug(s, buf, &g));
    data = g_malloc(buf->len);
    if (!amd_mem_read(s->snp, psp_spa(s, buf->src_address), data, buf->len,
                      g->key)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    return psp_write(s, buf->dst_address, data, buf->len);
}

/* DBG_ENCRYPT */
PspStatus psp_cmd_DBG_ENCRYPT(AmdPspState *s, PspCmd *cmd)
{
    SevBufDbg *buf = cmd->buf;
    g_autofree uint8_t *data = NULL;
    SevGuest *g;

    PSP_TRY(debug(s, buf, &g));
    data = g_malloc(buf->len);
    PSP_TRY(psp_read(s, buf->src_address, data, buf->len));
    if (!amd_mem_write(s->snp, psp_spa(s, buf->dst_address), data, buf->len,
                       g->key)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    return SEV_STATUS_SUCCESS;
}
