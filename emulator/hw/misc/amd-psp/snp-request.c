/*
 * AMD Secure Processor: SEV-SNP, messages of guests
 *
 * A message is protected with one of the guest's four communication keys
 * (VMPCK), by AES-256-GCM with the sequence number as the IV. A response
 * carries the next number.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "psp-internal.h"
#include "trace.h"

typedef struct Message {
    SnpGuest *g;
    uint8_t vmpck;
    uint8_t request[PSP_PAGE_SIZE];
    uint16_t request_len;
    uint8_t response[SNP_MSG_MAX];
    uint16_t response_len;
    uint32_t status;            /* in the response, for the trace */
} Message;

/* A request may be longer than its type needs, in blocks of 16 bytes. */
static bool fits(const Message *m, size_t len)
{
    return m->request_len >= len && !(m->request_len & 15);
}

/* Functions in other ranges are answered, but not counted. */
static uint32_t count_functions(const SnpCpuidTable *table)
{
    uint32_t i, n = 0;

    for (i = 0; i < table->count; i++) {
        n += !(table->fn[i].eax_in & 0x7fff0000);
    }
    return n;
}

static PspStatus do_cpuid(AmdPspState *s, Message *m)
{
    SnpCpuidTable *in = (SnpCpuidTable *)m->request;
    size_t len;

    if (m->request_len < 16 || in->count > SNP_CPUID_MAX) {
        return SEV_STATUS_INVALID_PARAM;
    }
    len = 16 + in->count * sizeof(SnpCpuidFn);
    if (m->request_len < len) {
        return SEV_STATUS_INVALID_PARAM;
    }
    QEMU_BUILD_BUG_ON(sizeof(SnpCpuidTable) > SNP_MSG_MAX);
    m->status = snp_cpuid_check(s, in) ? 0 : SEV_STATUS_INVALID_PARAM;
    /* The response has a status before the count. */
    stl_le_p(m->response, m->status);
    stl_le_p(m->response + 4, count_functions(in));
    memcpy(m->response + 16, in->fn, len - 16);
    m->response_len = len;
    return SEV_STATUS_SUCCESS;
}

static PspStatus do_key(AmdPspState *s, Message *m)
{
    SnpKeyReq *req = (SnpKeyReq *)m->request;
    SnpKeyRsp *rsp = (SnpKeyRsp *)m->response;

    if (!fits(m, sizeof(*req))) {
        return SEV_STATUS_INVALID_PARAM;
    }
    m->response_len = sizeof(*rsp);
    m->status = SEV_STATUS_INVALID_PARAM;
    if (req->vmpl < RMP_VMPLS &&
        (req->vmpl >= m->vmpck || !psp_rule(s, PSP_RULE_MSG_VMPL))) {
        m->status = snp_make_key(s, m->g, req, rsp->key);
    }
    rsp->status = m->status;
    return SEV_STATUS_SUCCESS;
}

static PspStatus do_report(AmdPspState *s, Message *m)
{
    SnpReportReq *req = (SnpReportReq *)m->request;
    SnpReportRsp *rsp = (SnpReportRsp *)m->response;

    if (!fits(m, sizeof(*req))) {
        return SEV_STATUS_INVALID_PARAM;
    }
    m->response_len = sizeof(*rsp);
    m->status = SEV_STATUS_INVALID_PARAM;
    if (req->vmpl < RMP_VMPLS &&
        (req->vmpl >= m->vmpck || !psp_rule(s, PSP_RULE_MSG_VMPL)) &&
        (psp_all_zero(req->reserved, sizeof(req->reserved)) ||
         !psp_rule(s, PSP_RULE_RESERVED))) {
        m->status = snp_make_report(s, m->g, req->vmpl, req->key_sel,
                                    req->report_data, &rsp->report);
    }
    rsp->status = m->status;
    if (!m->status) {
        rsp->size = sizeof(rsp->report);
    }
    return SEV_STATUS_SUCCESS;
}

/* From a migration agent: the root key of one of its guests */
static PspStatus do_vmrk(AmdPspState *s, Message *m)
{
    SnpVmrkReq *req = (SnpVmrkReq *)m->request;
    SnpGuest *target;

    if (!fits(m, sizeof(*req))) {
        return SEV_STATUS_INVALID_PARAM;
    }
    m->response_len = 16;
    m->status = SEV_STATUS_INVALID_PARAM;
    if (snp_guest_get(s, req->gctx_paddr, &target) == SEV_STATUS_SUCCESS &&
        target->ma == m->g && target->state == SNP_GSTATE_LAUNCH) {
        memcpy(target->vmrk, req->vmrk, sizeof(target->vmrk));
        m->status = SEV_STATUS_SUCCESS;
    }
    stl_le_p(m->response, m->status);
    return SEV_STATUS_SUCCESS;
}

static PspStatus do_tsc_info(AmdPspState *s, Message *m)
{
    SnpTscInfoRsp *rsp = (SnpTscInfoRsp *)m->response;
    uint64_t have = psp_cpu_tsc_khz();
    uint64_t want = m->g->desired_tsc_khz;

    m->response_len = sizeof(*rsp);
    rsp->tsc_scale = want && have ? (want << 32) / have : 1ull << 32;
    return SEV_STATUS_SUCCESS;
}

static PspStatus dispatch(AmdPspState *s, Message *m, uint8_t type)
{
    switch (type) {
    case SNP_MSG_CPUID_REQ:
        return do_cpuid(s, m);
    case SNP_MSG_KEY_REQ:
        return do_key(s, m);
    case SNP_MSG_REPORT_REQ:
        return do_report(s, m);
    case SNP_MSG_VMRK_REQ:
        return do_vmrk(s, m);
    case SNP_MSG_TSC_INFO_REQ:
        return do_tsc_info(s, m);
    case SNP_MSG_EXPORT_REQ:
    case SNP_MSG_IMPORT_REQ:
    case SNP_MSG_ABSORB_REQ:
        return SEV_STATUS_UNSUPPORTED;
    default:
        return SEV_STATUS_INVALID_PARAM;
    }
}

static PspStatus check_header(const SnpMsgHeader *hdr)
{
    if (hdr->algo != SNP_AEAD_AES_256_GCM || hdr->hdr_version != 1 ||
        hdr->hdr_size != sizeof(*hdr) || hdr->msg_version == 0 ||
        hdr->msg_size > SNP_MSG_MAX || hdr->vmpck >= RMP_VMPLS) {
        return SEV_STATUS_INVALID_PARAM;
    }
    return SEV_STATUS_SUCCESS;
}

/* Check the sequence number only after the message is authenticated. */
static PspStatus check_seqno(AmdPspState *s, const SnpGuest *g,
                             const SnpMsgHeader *hdr)
{
    if (g->msg_count[hdr->vmpck] >= UINT64_MAX - 1) {
        return SEV_STATUS_AEAD_OFLOW;
    }
    PSP_REQUIRE(s, MSG_SEQNO, hdr->seqno == g->msg_count[hdr->vmpck] + 1,
                AEAD_OFLOW);
    return SEV_STATUS_SUCCESS;
}

static PspStatus decrypt(AmdPspState *s, Message *m, SnpMsgHeader *hdr,
                         const uint8_t *payload)
{
    uint8_t iv[12];

    memcpy(m->request, payload, hdr->msg_size);
    m->request_len = hdr->msg_size;
    m->vmpck = hdr->vmpck;
    psp_gcm_iv(iv, hdr->seqno);
    PSP_REQUIRE(s, MSG_AUTH,
                psp_gcm_decrypt(m->g->vmpck[hdr->vmpck], iv,
                                (uint8_t *)hdr + SNP_MSG_AAD_OFFSET,
                                SNP_MSG_AAD_LEN, m->request, m->request_len,
                                hdr->authtag),
                BAD_MEASUREMENT);
    return SEV_STATUS_SUCCESS;
}

/* Store the response to @hdr in @page. */
static void encrypt(Message *m, SnpMsgHeader *hdr, uint8_t *page)
{
    SnpMsgHeader *rsp = (SnpMsgHeader *)page;
    uint8_t *payload = page + sizeof(*rsp);
    uint8_t iv[12];

    memset(page, 0, PSP_PAGE_SIZE);
    rsp->seqno = hdr->seqno + 1;
    rsp->algo = SNP_AEAD_AES_256_GCM;
    rsp->hdr_version = 1;
    rsp->hdr_size = sizeof(*rsp);
    rsp->msg_type = hdr->msg_type + 1;
    rsp->msg_version = 1;
    rsp->msg_size = m->response_len;
    rsp->vmpck = m->vmpck;
    memcpy(payload, m->response, m->response_len);
    psp_gcm_iv(iv, rsp->seqno);
    psp_gcm_encrypt(m->g->vmpck[m->vmpck], iv, page + SNP_MSG_AAD_OFFSET,
                    SNP_MSG_AAD_LEN, payload, m->response_len, rsp->authtag);
}

static PspStatus check_message_page(AmdPspState *s, uint64_t address)
{
    AmdRmpEntry e;

    if (psp_spa(s, address) & ~PSP_PAGE_MASK) {
        return SEV_STATUS_INVALID_PARAM;
    }
    PSP_REQUIRE(s, PAGE_SIZE, !psp_page_entry(s, address, &e) ||
                e.page_size == RMP_PG_SIZE_4K, INVALID_PAGE_SIZE);
    return SEV_STATUS_SUCCESS;
}

/* SNP_GUEST_REQUEST */
PspStatus psp_cmd_SNP_GUEST_REQUEST(AmdPspState *s, PspCmd *cmd)
{
    SnpBufGuestRequest *buf = cmd->buf;
    g_autofree uint8_t *page = g_malloc0(PSP_PAGE_SIZE);
    g_autofree Message *m = g_new0(Message, 1);
    SnpMsgHeader hdr;

    PSP_TRY(snp_guest_get(s, buf->gctx_paddr, &m->g));
    PSP_REQUIRE(s, GUEST_STATE, m->g->state == SNP_GSTATE_RUNNING,
                INVALID_GUEST_STATE);
    PSP_TRY(check_message_page(s, buf->request_paddr));
    PSP_TRY(check_message_page(s, buf->response_paddr));
    PSP_TRY(psp_read(s, buf->request_paddr, page, PSP_PAGE_SIZE));
    PSP_TRY(psp_check_writable(s, buf->response_paddr, PSP_PAGE_SIZE));
    memcpy(&hdr, page, sizeof(hdr));
    PSP_TRY(check_header(&hdr));
    PSP_TRY(decrypt(s, m, &hdr, page + sizeof(hdr)));
    PSP_TRY(check_seqno(s, m->g, &hdr));
    PSP_TRY(dispatch(s, m, hdr.msg_type));

    m->g->msg_count[m->vmpck] += 2;
    trace_amd_psp_message(m->g->gctx, hdr.msg_type, m->vmpck, hdr.seqno,
                          m->status);
    encrypt(m, &hdr, page);
    return psp_write(s, buf->response_paddr, page, PSP_PAGE_SIZE);
}
