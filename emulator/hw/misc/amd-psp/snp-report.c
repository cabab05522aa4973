/*
 * AMD Secure Processor: SEV-SNP, attestation reports and derived keys
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"

/* MSG_REPORT_REQ: KEY_SEL */
#define KEY_SEL_DEFAULT     0
#define KEY_SEL_VCEK        1
#define KEY_SEL_VLEK        2

/* MSG_KEY_REQ: ROOT_KEY_SELECT and GUEST_FIELD_SELECT */
#define KEY_ROOT_VMRK       (1u << 0)
#define KEY_ROOT_SEL(x)     ((x) >> 1 & 3)
#define KEY_ROOT_RESERVED   (~7u)
#define KEY_FIELD_POLICY    (1u << 0)
#define KEY_FIELD_IMAGE_ID  (1u << 1)
#define KEY_FIELD_FAMILY_ID (1u << 2)
#define KEY_FIELD_LD        (1u << 3)
#define KEY_FIELD_SVN       (1u << 4)
#define KEY_FIELD_TCB       (1u << 5)
#define KEY_FIELD_RESERVED  (~0x3full)

/* Choose a key, as in KEY_INFO of a report */
static uint32_t choose_key(AmdPspState *s, SnpGuest *g, uint32_t sel,
                           uint32_t *key)
{
    switch (sel) {
    case KEY_SEL_DEFAULT:
        *key = s->vlek_loaded ? SNP_REPORT_KEY_VLEK : SNP_REPORT_KEY_VCEK;
        break;
    case KEY_SEL_VCEK:
        *key = SNP_REPORT_KEY_VCEK;
        break;
    case KEY_SEL_VLEK:
        *key = SNP_REPORT_KEY_VLEK;
        break;
    default:
        return SEV_STATUS_INVALID_PARAM;
    }
    if ((*key == SNP_REPORT_KEY_VLEK && !s->vlek_loaded) ||
        (*key == SNP_REPORT_KEY_VCEK && g->vcek_dis)) {
        return SEV_STATUS_INVALID_KEY;
    }
    return SEV_STATUS_SUCCESS;
}

static void describe_guest(const SnpGuest *g, SnpReport *r)
{
    r->guest_svn = g->id_block.guest_svn;
    r->policy = g->policy;
    memcpy(r->family_id, g->id_block.family_id, sizeof(r->family_id));
    memcpy(r->image_id, g->id_block.image_id, sizeof(r->image_id));
    memcpy(r->measurement, g->ld, sizeof(r->measurement));
    memcpy(r->host_data, g->host_data, sizeof(r->host_data));
    memcpy(r->id_key_digest, g->id_key_digest, sizeof(r->id_key_digest));
    memcpy(r->author_key_digest, g->author_key_digest,
           sizeof(r->author_key_digest));
    memcpy(r->report_id, g->report_id, sizeof(r->report_id));
    if (g->ma) {
        memcpy(r->report_id_ma, g->ma->report_id, sizeof(r->report_id_ma));
    } else {
        memset(r->report_id_ma, 0xff, sizeof(r->report_id_ma));
    }
    r->launch_tcb = g->launch_tcb;
    r->key_info |= g->author_key_en ? SNP_REPORT_KEY_AUTHOR : 0;
}

static void describe_platform(AmdPspState *s, SnpReport *r)
{
    uint32_t fms = psp_cpuid(1, 0).eax;

    r->current_tcb = s->tcb;
    r->reported_tcb = s->reported_tcb;
    r->committed_tcb = s->committed_tcb;
    r->platform_info = (psp_cpu_smt() ? SNP_REPORT_PLATFORM_SMT : 0) |
                       SNP_REPORT_PLATFORM_ALIAS_CHECK;
    r->cpuid_fam_id = (fms >> 8 & 0xf) + (fms >> 20 & 0xff);
    r->cpuid_mod_id = (fms >> 4 & 0xf) | (fms >> 12 & 0xf0);
    r->cpuid_step = fms & 0xf;
    r->current_major = r->committed_major = SEV_FW_API_MAJOR;
    r->current_minor = r->committed_minor = SEV_FW_API_MINOR;
    r->current_build = r->committed_build = SEV_FW_BUILD;
    if (!(s->snp_config & SNP_STATUS_MASK_CHIP_ID)) {
        memcpy(r->chip_id, s->keys.chip_id, sizeof(r->chip_id));
    }
}

/* MSG_REPORT_REQ; returns the status for the response */
uint32_t snp_make_report(AmdPspState *s, SnpGuest *g, uint32_t vmpl,
                         uint32_t key_sel, const uint8_t *report_data,
                         SnpReport *r)
{
    uint8_t digest[48];
    PspEcKey key;
    uint32_t which, status;

    status = choose_key(s, g, key_sel, &which);
    if (status) {
        return status;
    }
    memset(r, 0, sizeof(*r));
    r->version = SNP_REPORT_VERSION;
    r->vmpl = vmpl;
    r->signature_algo = SEV_ALGO_ECDSA_P384_SHA384;
    memcpy(r->report_data, report_data, sizeof(r->report_data));
    describe_guest(g, r);
    describe_platform(s, r);
    if (s->snp_config & SNP_STATUS_MASK_CHIP_KEY) {
        r->key_info |= SNP_REPORT_KEY_MASKED;
        if (which == SNP_REPORT_KEY_VCEK) {
            r->key_info |= SNP_REPORT_KEY_NONE;
            return SEV_STATUS_SUCCESS;
        }
    }
    r->key_info |= which;
    if (which == SNP_REPORT_KEY_VLEK) {
        psp_vlek(s, s->reported_tcb, &key);
    } else {
        psp_vcek(s, s->reported_tcb, &key);
    }
    psp_sha384(r, offsetof(SnpReport, signature), digest);
    psp_ec_sign(&key, digest, sizeof(digest), &r->signature);
    return SEV_STATUS_SUCCESS;
}

/* The context that the guest selects for its derived key */
typedef struct QEMU_PACKED KeyContext {
    SnpKeyReq req;
    uint64_t policy;
    uint8_t image_id[16];
    uint8_t family_id[16];
    uint8_t ld[48];
    uint8_t host_data[32];
    uint8_t owner_digest[48];   /* of the author's key, or of the ID key */
    uint8_t root[48];
} KeyContext;

static uint32_t key_root(AmdPspState *s, SnpGuest *g, uint32_t select,
                         KeyContext *c)
{
    PspEcKey key;
    uint32_t which, status;

    if (select & KEY_ROOT_RESERVED) {
        return SEV_STATUS_INVALID_PARAM;
    }
    if (select & KEY_ROOT_VMRK) {
        memcpy(c->root, g->vmrk, sizeof(g->vmrk));
        return SEV_STATUS_SUCCESS;
    }
    status = choose_key(s, g, KEY_ROOT_SEL(select), &which);
    if (status) {
        return status;
    }
    if (which == SNP_REPORT_KEY_VCEK &&
        s->snp_config & SNP_STATUS_MASK_CHIP_KEY) {
        return SEV_STATUS_INVALID_KEY;
    }
    if (which == SNP_REPORT_KEY_VLEK) {
        psp_vlek(s, 0, &key);
    } else {
        psp_vcek(s, 0, &key);
    }
    memcpy(c->root, key.d, sizeof(c->root));
    return SEV_STATUS_SUCCESS;
}

static bool tcb_exceeds(uint64_t tcb, uint64_t limit)
{
    int i;

    for (i = 0; i < 64; i += 8) {
        if ((tcb >> i & 0xff) > (limit >> i & 0xff)) {
            return true;
        }
    }
    return false;
}

/* MSG_KEY_REQ; returns the status for the response */
uint32_t snp_make_key(AmdPspState *s, SnpGuest *g, const SnpKeyReq *req,
                      uint8_t *key)
{
    KeyContext c = { .req = *req };
    uint32_t status;

    if (!(req->field_select & KEY_FIELD_SVN)) {
        c.req.guest_svn = 0;
    }
    if (!(req->field_select & KEY_FIELD_TCB)) {
        c.req.tcb_version = 0;
    }
    if (req->reserved || req->field_select & KEY_FIELD_RESERVED ||
        c.req.guest_svn > g->id_block.guest_svn ||
        (tcb_exceeds(c.req.tcb_version, s->committed_tcb) &&
         psp_rule(s, PSP_RULE_TCB_VERSION))) {
        return SEV_STATUS_INVALID_PARAM;
    }
    status = key_root(s, g, req->key_select, &c);
    if (status) {
        return status;
    }
    if (req->field_select & KEY_FIELD_POLICY) {
        c.policy = g->policy;
    }
    if (req->field_select & KEY_FIELD_IMAGE_ID) {
        memcpy(c.image_id, g->id_block.image_id, sizeof(c.image_id));
    }
    if (req->field_select & KEY_FIELD_FAMILY_ID) {
        memcpy(c.family_id, g->id_block.family_id, sizeof(c.family_id));
    }
    if (req->field_select & KEY_FIELD_LD) {
        memcpy(c.ld, g->ld, sizeof(c.ld));
    }
    memcpy(c.host_data, g->host_data, sizeof(c.host_data));
    memcpy(c.owner_digest, g->author_key_en ? g->author_key_digest
                                            : g->id_key_digest,
           sizeof(c.owner_digest));
    psp_derive(s, "guest-key", &c, sizeof(c), key, 32);
    return SEV_STATUS_SUCCESS;
}
