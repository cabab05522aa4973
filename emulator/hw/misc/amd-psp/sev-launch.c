/*
 * AMD Secure Processor: SEV and SEV-ES, launch and its measurement
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"

#define BLOCK       16
#define SECRET_MAX  0x4000u

static PspStatus check_policy(AmdPspState *s, uint32_t policy)
{
    uint32_t api = SEV_POLICY_API_MAJOR(policy) << 8 |
                   SEV_POLICY_API_MINOR(policy);

    PSP_REQUIRE(s, POLICY, !(policy & SEV_POLICY_RESERVED), POLICY_FAILURE);
    PSP_REQUIRE(s, POLICY, api <= (SEV_FW_API_MAJOR << 8 | SEV_FW_API_MINOR),
                POLICY_FAILURE);
    PSP_REQUIRE(s, POLICY, s->sev_es || !(policy & SEV_POLICY_ES),
                POLICY_FAILURE);
    return SEV_STATUS_SUCCESS;
}

static PspStatus start_session(AmdPspState *s, SevGuest *g,
                               const SevBufStart *buf)
{
    g_autofree SevCert *cert = NULL;
    SevSession session;

    if (!buf->session_address || !buf->cert_address) {
        psp_random(g->tek, sizeof(g->tek));
        psp_random(g->tik, sizeof(g->tik));
        return SEV_STATUS_SUCCESS;
    }
    cert = g_new(SevCert, 1);
    PSP_REQUIRE(s, LENGTH, buf->cert_len == sizeof(*cert) &&
                buf->session_len == sizeof(session), INVALID_LENGTH);
    PSP_TRY(psp_read(s, buf->cert_address, cert, sizeof(*cert)));
    PSP_TRY(psp_read(s, buf->session_address, &session, sizeof(session)));
    return sev_session_unwrap(s, g, &cert->pubkey, &session);
}

/* A new guest in @state, for LAUNCH_START or RECEIVE_START */
PspStatus sev_guest_start(AmdPspState *s, SevBufStart *buf, uint8_t state)
{
    SevGuest *shared = NULL;
    SevGuest *g;
    PspStatus status;

    PSP_TRY(check_policy(s, buf->policy));
    if (buf->handle) {
        shared = sev_guest_find(s, buf->handle);
        if (!shared) {
            return SEV_STATUS_INVALID_GUEST;
        }
        PSP_REQUIRE(s, POLICY, !(shared->policy & SEV_POLICY_NOKS) &&
                    shared->policy == buf->policy, POLICY_FAILURE);
    }
    g = sev_guest_new(s);
    g->policy = buf->policy;
    status = start_session(s, g, buf);
    if (status != SEV_STATUS_SUCCESS) {
        sev_guest_free(s, g);
        return status;
    }
    if (shared) {
        amd_mem_destroy_key(s->snp, g->key);
        g->key = shared->key;
    }
    sha256_init(&g->digest);
    g->state = state;
    buf->handle = g->handle;
    return SEV_STATUS_SUCCESS;
}

/* LAUNCH_START; a handle refers to a guest whose key is to be shared. */
PspStatus psp_cmd_LAUNCH_START(AmdPspState *s, PspCmd *cmd)
{
    return sev_guest_start(s, cmd->buf, SEV_GSTATE_LUPDATE);
}

/* Measure a region and encrypt it in place. */
static PspStatus update(AmdPspState *s, SevGuest *g, uint64_t address,
                        uint32_t len)
{
    g_autofree uint8_t *data = NULL;

    PSP_REQUIRE(s, ACTIVE, g->asid, INACTIVE);
    if (psp_spa(s, address) & (BLOCK - 1)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    PSP_REQUIRE(s, LENGTH, len && !(len & (BLOCK - 1)), INVALID_LENGTH);
    PSP_TRY(psp_check_writable(s, address, len));
    data = g_malloc(len);
    PSP_TRY(psp_read(s, address, data, len));
    if (!amd_mem_write(s->snp, psp_spa(s, address), data, len, g->key)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    sha256_update(&g->digest, len, data);
    return SEV_STATUS_SUCCESS;
}

/* LAUNCH_UPDATE_DATA */
PspStatus psp_cmd_LAUNCH_UPDATE_DATA(AmdPspState *s, PspCmd *cmd)
{
    SevBufRegion *buf = cmd->buf;
    SevGuest *g;

    PSP_TRY(sev_guest_get(s, buf->handle, SEV_GSTATE_LUPDATE, &g));
    return update(s, g, buf->address, buf->len);
}

/* LAUNCH_UPDATE_VMSA */
PspStatus psp_cmd_LAUNCH_UPDATE_VMSA(AmdPspState *s, PspCmd *cmd)
{
    SevBufRegion *buf = cmd->buf;
    SevGuest *g;

    PSP_TRY(sev_guest_get(s, buf->handle, SEV_GSTATE_LUPDATE, &g));
    PSP_REQUIRE(s, POLICY, g->policy & SEV_POLICY_ES, UNSUPPORTED);
    if (psp_spa(s, buf->address) & ~PSP_PAGE_MASK) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    PSP_REQUIRE(s, LENGTH, buf->len == PSP_PAGE_SIZE, INVALID_LENGTH);
    return update(s, g, buf->address, buf->len);
}

/* LAUNCH_MEASURE's proof to the guest's owner, who knows the TIK */
static void measure(const SevGuest *g, SevMeasurement *m)
{
    struct QEMU_PACKED {
        uint8_t context, api_major, api_minor, build;
        uint32_t policy;
        uint8_t digest[32];
        uint8_t mnonce[16];
    } data = {
        .context = 4,
        .api_major = SEV_FW_API_MAJOR,
        .api_minor = SEV_FW_API_MINOR,
        .build = SEV_FW_BUILD,
        .policy = g->policy,
    };

    psp_random(m->mnonce, sizeof(m->mnonce));
    memcpy(data.digest, g->launch_digest, sizeof(data.digest));
    memcpy(data.mnonce, m->mnonce, sizeof(data.mnonce));
    psp_hmac_sha256(g->tik, sizeof(g->tik), &data, sizeof(data), m->measure);
}

/* LAUNCH_MEASURE */
PspStatus psp_cmd_LAUNCH_MEASURE(AmdPspState *s, PspCmd *cmd)
{
    SevBufRegion *buf = cmd->buf;
    SevMeasurement m;
    SevGuest *g;

    PSP_TRY(sev_guest_get(s, buf->handle, SEV_GSTATE_LUPDATE, &g));
    if (buf->len < sizeof(m)) {
        buf->len = sizeof(m);
        return SEV_STATUS_INVALID_LENGTH;
    }
    PSP_TRY(psp_check_writable(s, buf->address, sizeof(m)));
    sha256_digest(&g->digest, sizeof(g->launch_digest), g->launch_digest);
    measure(g, &m);
    memcpy(g->measure, m.measure, sizeof(g->measure));
    g->state = SEV_GSTATE_LSECRET;
    return psp_return_blob(s, buf->address, &buf->len, &m, sizeof(m));
}

/* LAUNCH_SECRET */
PspStatus psp_cmd_LAUNCH_SECRET(AmdPspState *s, PspCmd *cmd)
{
    SevBufPacket *buf = cmd->buf;
    g_autofree uint8_t *data = NULL;
    SevPacketHeader hdr;
    SevGuest *g;

    PSP_TRY(sev_guest_get(s, buf->handle, SEV_GSTATE_LSECRET, &g));
    PSP_REQUIRE(s, ACTIVE, g->asid, INACTIVE);
    PSP_REQUIRE(s, LENGTH, buf->hdr_len == sizeof(hdr) && buf->guest_len &&
                !(buf->guest_len & (BLOCK - 1)) &&
                buf->guest_len <= SECRET_MAX &&
                buf->trans_len == buf->guest_len, INVALID_LENGTH);
    if (psp_spa(s, buf->guest_address) & (BLOCK - 1)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    data = g_malloc(buf->trans_len);
    PSP_TRY(psp_read(s, buf->hdr_address, &hdr, sizeof(hdr)));
    PSP_TRY(psp_read(s, buf->trans_address, data, buf->trans_len));
    PSP_TRY(psp_check_writable(s, buf->guest_address, buf->guest_len));
    PSP_TRY(sev_packet_open(s, g, SEV_PACKET_SECRET, &hdr, data,
                            buf->trans_len));
    if (!amd_mem_write(s->snp, psp_spa(s, buf->guest_address), data,
                       buf->guest_len, g->key)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    return SEV_STATUS_SUCCESS;
}

/* LAUNCH_FINISH */
PspStatus psp_cmd_LAUNCH_FINISH(AmdPspState *s, PspCmd *cmd)
{
    SevBufHandle *buf = cmd->buf;
    SevGuest *g;

    PSP_TRY(sev_guest_get(s, buf->handle, SEV_GSTATE_LSECRET, &g));
    sev_session_end(g);
    g->state = SEV_GSTATE_RUNNING;
    psp_asid_validate(s, g->asid);
    return SEV_STATUS_SUCCESS;
}

/* ATTESTATION: a report on the launch, signed by the PEK */
PspStatus psp_cmd_ATTESTATION(AmdPspState *s, PspCmd *cmd)
{
    SevBufAttestation *buf = cmd->buf;
    SevAttestationReport r = { 0 };
    uint8_t digest[32];
    SevEcSig sig;
    SevGuest *g = sev_guest_find(s, buf->handle);

    if (!g) {
        return SEV_STATUS_INVALID_GUEST;
    }
    PSP_REQUIRE(s, GUEST_STATE, g->state == SEV_GSTATE_LSECRET ||
                g->state == SEV_GSTATE_RUNNING, INVALID_GUEST_STATE);
    memcpy(r.mnonce, buf->mnonce, sizeof(r.mnonce));
    memcpy(r.launch_digest, g->launch_digest, sizeof(r.launch_digest));
    r.policy = g->policy;
    psp_sha256(&r, offsetof(SevAttestationReport, sig_usage), digest);
    psp_ec_sign(&s->keys.pek, digest, sizeof(digest), &sig);
    r.sig_usage = SEV_CERT_USAGE_PEK;
    r.sig_algo = SEV_CERT_ALGO_ECDSA_SHA256;
    memcpy(r.sig, &sig, sizeof(r.sig));
    return psp_return_blob(s, buf->address, &buf->len, &r, sizeof(r));
}
