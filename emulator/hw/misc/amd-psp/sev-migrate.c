/*
 * AMD Secure Processor: SEV and SEV-ES, sending and receiving guests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"

#define BLOCK       16
#define PACKET_MAX  0x4000u

/* The other platform's PDH, signed by its PEK; AMD's part is not checked. */
static PspStatus check_peer(AmdPspState *s, SevGuest *g,
                            const SevBufSendStart *buf, SevCert *pdh)
{
    g_autofree SevCert *chain = g_new(SevCert, 3);

    PSP_REQUIRE(s, LENGTH, buf->pdh_cert_len == sizeof(*pdh) &&
                buf->plat_certs_len >= 3 * sizeof(*chain), INVALID_LENGTH);
    PSP_TRY(psp_read(s, buf->pdh_cert_address, pdh, sizeof(*pdh)));
    PSP_TRY(psp_read(s, buf->plat_certs_address, chain, 3 * sizeof(*chain)));
    PSP_REQUIRE(s, CERTIFICATE,
                sev_cert_verify(pdh, SEV_CERT_USAGE_PEK, &chain[0].pubkey) &&
                sev_cert_verify(&chain[0], SEV_CERT_USAGE_OCA,
                                &chain[1].pubkey), INVALID_CERTIFICATE);
    PSP_REQUIRE(s, POLICY, !(g->policy & SEV_POLICY_DOMAIN) ||
                !memcmp(&chain[1].pubkey, &s->keys.oca_cert.pubkey,
                        sizeof(SevEcKey)), POLICY_FAILURE);
    return SEV_STATUS_SUCCESS;
}

/* SEND_START */
PspStatus psp_cmd_SEND_START(AmdPspState *s, PspCmd *cmd)
{
    SevBufSendStart *buf = cmd->buf;
    SevSession session = { 0 };
    SevCert pdh;
    SevGuest *g;

    PSP_TRY(sev_guest_get(s, buf->handle, SEV_GSTATE_RUNNING, &g));
    if (buf->session_len < sizeof(session)) {
        buf->session_len = sizeof(session);
        return SEV_STATUS_INVALID_LENGTH;
    }
    PSP_REQUIRE(s, POLICY, !(g->policy & SEV_POLICY_NOSEND), POLICY_FAILURE);
    PSP_TRY(check_peer(s, g, buf, &pdh));
    PSP_TRY(psp_check_writable(s, buf->session_address, sizeof(session)));
    PSP_TRY(sev_session_wrap(s, g, &pdh.pubkey, &session));
    g->state = SEV_GSTATE_SUPDATE;
    buf->policy = g->policy;
    return psp_return_blob(s, buf->session_address, &buf->session_len,
                           &session, sizeof(session));
}

static PspStatus check_region(AmdPspState *s, const SevBufPacket *buf)
{
    if (psp_spa(s, buf->guest_address) & (BLOCK - 1)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    PSP_REQUIRE(s, LENGTH, buf->guest_len &&
                !(buf->guest_len & (BLOCK - 1)) &&
                buf->guest_len <= PACKET_MAX, INVALID_LENGTH);
    return SEV_STATUS_SUCCESS;
}

static PspStatus send_update(AmdPspState *s, SevBufPacket *buf,
                             SevPacketUse use)
{
    g_autofree uint8_t *data = NULL;
    SevPacketHeader hdr;
    SevGuest *g;

    PSP_TRY(sev_guest_get(s, buf->handle, SEV_GSTATE_SUPDATE, &g));
    if (buf->hdr_len < sizeof(hdr) || buf->trans_len < buf->guest_len) {
        buf->hdr_len = sizeof(hdr);
        buf->trans_len = buf->guest_len;
        return SEV_STATUS_INVALID_LENGTH;
    }
    PSP_TRY(check_region(s, buf));
    PSP_TRY(psp_check_writable(s, buf->hdr_address, sizeof(hdr)));
    PSP_TRY(psp_check_writable(s, buf->trans_address, buf->guest_len));
    data = g_malloc(buf->guest_len);
    if (!amd_mem_read(s->snp, psp_spa(s, buf->guest_address), data,
                      buf->guest_len, g->key)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    sev_packet_seal(g, use, &hdr, data, buf->guest_len);
    PSP_TRY(psp_return_blob(s, buf->hdr_address, &buf->hdr_len, &hdr,
                            sizeof(hdr)));
    return psp_return_blob(s, buf->trans_address, &buf->trans_len, data,
                           buf->guest_len);
}

/* SEND_UPDATE_DATA */
PspStatus psp_cmd_SEND_UPDATE_DATA(AmdPspState *s, PspCmd *cmd)
{
    return send_update(s, cmd->buf, SEV_PACKET_DATA);
}

/* SEND_UPDATE_VMSA */
PspStatus psp_cmd_SEND_UPDATE_VMSA(AmdPspState *s, PspCmd *cmd)
{
    return send_update(s, cmd->buf, SEV_PACKET_VMSA);
}

static PspStatus send_end(AmdPspState *s, const SevBufHandle *buf,
                          uint8_t state)
{
    SevGuest *g;

    PSP_TRY(sev_guest_get(s, buf->handle, SEV_GSTATE_SUPDATE, &g));
    sev_session_end(g);
    g->state = state;
    return SEV_STATUS_SUCCESS;
}

/* SEND_FINISH */
PspStatus psp_cmd_SEND_FINISH(AmdPspState *s, PspCmd *cmd)
{
    return send_end(s, cmd->buf, SEV_GSTATE_SENT);
}

/* SEND_CANCEL */
PspStatus psp_cmd_SEND_CANCEL(AmdPspState *s, PspCmd *cmd)
{
    return send_end(s, cmd->buf, SEV_GSTATE_RUNNING);
}

/* RECEIVE_START; a handle refers to a guest whose key is to be shared. */
PspStatus psp_cmd_RECEIVE_START(AmdPspState *s, PspCmd *cmd)
{
    return sev_guest_start(s, cmd->buf, SEV_GSTATE_RUPDATE);
}

static PspStatus receive_update(AmdPspState *s, const SevBufPacket *buf,
                                SevPacketUse use)
{
    g_autofree uint8_t *data = NULL;
    SevPacketHeader hdr;
    SevGuest *g;

    PSP_TRY(sev_guest_get(s, buf->handle, SEV_GSTATE_RUPDATE, &g));
    PSP_REQUIRE(s, ACTIVE, g->asid, INACTIVE);
    PSP_TRY(check_region(s, buf));
    PSP_REQUIRE(s, LENGTH, buf->hdr_len == sizeof(hdr) &&
                buf->trans_len == buf->guest_len, INVALID_LENGTH);
    data = g_malloc(buf->guest_len);
    PSP_TRY(psp_read(s, buf->hdr_address, &hdr, sizeof(hdr)));
    PSP_TRY(psp_read(s, buf->trans_address, data, buf->guest_len));
    PSP_TRY(psp_check_writable(s, buf->guest_address, buf->guest_len));
    PSP_TRY(sev_packet_open(s, g, use, &hdr, data, buf->guest_len));
    if (!amd_mem_write(s->snp, psp_spa(s, buf->guest_address), data,
                       buf->guest_len, g->key)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    return SEV_STATUS_SUCCESS;
}

/* RECEIVE_UPDATE_DATA */
PspStatus psp_cmd_RECEIVE_UPDATE_DATA(AmdPspState *s, PspCmd *cmd)
{
    return receive_update(s, cmd->buf, SEV_PACKET_DATA);
}

/* RECEIVE_UPDATE_VMSA */
PspStatus psp_cmd_RECEIVE_UPDATE_VMSA(AmdPspState *s, PspCmd *cmd)
{
    return receive_update(s, cmd->buf, SEV_PACKET_VMSA);
}

/* RECEIVE_FINISH */
PspStatus psp_cmd_RECEIVE_FINISH(AmdPspState *s, PspCmd *cmd)
{
    SevBufHandle *buf = cmd->buf;
    SevGuest *g;

    PSP_TRY(sev_guest_get(s, buf->handle, SEV_GSTATE_RUPDATE, &g));
    sev_session_end(g);
    g->state = SEV_GSTATE_RUNNING;
    psp_asid_validate(s, g->asid);
    return SEV_STATUS_SUCCESS;
}
