/*
 * AMD Secure Processor: SEV, sessions and packets
 *
 * A guest's owner, or another platform, and this platform agree on a secret
 * with their Diffie-Hellman keys. It wraps a transport encryption key (TEK) and
 * a transport integrity key (TIK), which then protect packets of memory.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "psp-internal.h"

static bool derive(AmdPspState *s, const SevEcKey *peer, const uint8_t *nonce,
                   uint8_t kek[16], uint8_t kik[16])
{
    uint8_t shared[48], master[16];

    if (!psp_ecdh(&s->keys.pdh, peer, shared)) {
        return false;
    }
    psp_kdf(shared, sizeof(shared), "sev-master-secret", nonce, 16, master,
            sizeof(master));
    psp_kdf(master, sizeof(master), "sev-kek", NULL, 0, kek, 16);
    psp_kdf(master, sizeof(master), "sev-kik", NULL, 0, kik, 16);
    return true;
}

/* Unwrap the keys that the peer has chosen. */
PspStatus sev_session_unwrap(AmdPspState *s, SevGuest *g, const SevEcKey *peer,
                             const SevSession *session)
{
    uint8_t kek[16], kik[16], mac[32], keys[32];

    if (!derive(s, peer, session->nonce, kek, kik)) {
        return SEV_STATUS_INVALID_CERTIFICATE;
    }
    psp_hmac_sha256(kik, sizeof(kik), session->wrap_tk,
                    sizeof(session->wrap_tk), mac);
    PSP_REQUIRE(s, SESSION_MAC, !memcmp(mac, session->wrap_mac, sizeof(mac)),
                BAD_MEASUREMENT);
    memcpy(keys, session->wrap_tk, sizeof(keys));
    psp_aes128_ctr(kek, session->wrap_iv, keys, sizeof(keys));
    psp_hmac_sha256(keys + 16, 16, &g->policy, sizeof(g->policy), mac);
    PSP_REQUIRE(s, SESSION_MAC, !memcmp(mac, session->policy_mac, sizeof(mac)),
                BAD_MEASUREMENT);
    memcpy(g->tek, keys, sizeof(g->tek));
    memcpy(g->tik, keys + 16, sizeof(g->tik));
    return SEV_STATUS_SUCCESS;
}

/* Choose keys, and wrap them for the peer. */
PspStatus sev_session_wrap(AmdPspState *s, SevGuest *g, const SevEcKey *peer,
                           SevSession *session)
{
    uint8_t kek[16], kik[16];

    psp_random(session->nonce, sizeof(session->nonce));
    psp_random(session->wrap_iv, sizeof(session->wrap_iv));
    if (!derive(s, peer, session->nonce, kek, kik)) {
        return SEV_STATUS_INVALID_CERTIFICATE;
    }
    psp_random(g->tek, sizeof(g->tek));
    psp_random(g->tik, sizeof(g->tik));
    memcpy(session->wrap_tk, g->tek, sizeof(g->tek));
    memcpy(session->wrap_tk + 16, g->tik, sizeof(g->tik));
    psp_aes128_ctr(kek, session->wrap_iv, session->wrap_tk,
                   sizeof(session->wrap_tk));
    psp_hmac_sha256(kik, sizeof(kik), session->wrap_tk,
                    sizeof(session->wrap_tk), session->wrap_mac);
    psp_hmac_sha256(g->tik, sizeof(g->tik), &g->policy, sizeof(g->policy),
                    session->policy_mac);
    return SEV_STATUS_SUCCESS;
}

void sev_session_end(SevGuest *g)
{
    memset(g->tek, 0, sizeof(g->tek));
    memset(g->tik, 0, sizeof(g->tik));
}

/*
 * The MAC of a packet: over its use, its header, its lengths and its encrypted
 * data, and for a secret also over the launch's measurement.
 */
static void packet_mac(const SevGuest *g, SevPacketUse use,
                       const SevPacketHeader *hdr, const uint8_t *data,
                       uint32_t len, uint8_t mac[32])
{
    size_t measure = use == SEV_PACKET_SECRET ? sizeof(g->measure) : 0;
    size_t total = 29 + len + measure;
    g_autofree uint8_t *message = g_malloc(total);

    message[0] = use;
    stl_le_p(message + 1, hdr->flags);
    memcpy(message + 5, hdr->iv, sizeof(hdr->iv));
    stl_le_p(message + 21, len);
    stl_le_p(message + 25, len);
    memcpy(message + 29, data, len);
    memcpy(message + 29 + len, g->measure, measure);
    psp_hmac_sha256(g->tik, sizeof(g->tik), message, total, mac);
}

/* Decrypt @data in place. */
PspStatus sev_packet_open(AmdPspState *s, const SevGuest *g, SevPacketUse use,
                          const SevPacketHeader *hdr, uint8_t *data,
                          uint32_t len)
{
    uint8_t mac[32];

    if (hdr->flags) {
        return SEV_STATUS_UNSUPPORTED;      /* compression */
    }
    packet_mac(g, use, hdr, data, len, mac);
    PSP_REQUIRE(s, SESSION_MAC, !memcmp(mac, hdr->mac, sizeof(mac)),
                BAD_MEASUREMENT);
    psp_aes128_ctr(g->tek, hdr->iv, data, len);
    return SEV_STATUS_SUCCESS;
}

/* Encrypt @data in place. */
void sev_packet_seal(const SevGuest *g, SevPacketUse use,
                     SevPacketHeader *hdr, uint8_t *data, uint32_t len)
{
    memset(hdr, 0, sizeof(*hdr));
    psp_random(hdr->iv, sizeof(hdr->iv));
    psp_aes128_ctr(g->tek, hdr->iv, data, len);
    packet_mac(g, use, hdr, data, len, hdr->mac);
}
