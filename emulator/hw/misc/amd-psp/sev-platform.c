/*
 * AMD Secure Processor: SEV and SEV-ES, management of the platform
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"

#define TMR_SIZE        0x100000ull
#define NV_SIZE         0x8000u
#define NV_MAGIC        0x31564e5645535043ull

/* The content of the host's file for INIT_EX: sealed for this chip */
typedef struct QEMU_PACKED SevNv {
    uint64_t magic;
    uint8_t iv[16];
    uint8_t mac[32];            /* of what follows, as stored */
    struct QEMU_PACKED {
        PspEcKey pek, pdh;
        uint32_t oca_external;
        SevCert oca_cert, pek_cert, pdh_cert;
    } sealed;
} SevNv;
QEMU_BUILD_BUG_ON(sizeof(SevNv) > NV_SIZE);

static void nv_mac(AmdPspState *s, const SevNv *nv, uint8_t *mac)
{
    uint8_t key[32];

    psp_derive(s, "nv-mac", nv->iv, sizeof(nv->iv), key, sizeof(key));
    psp_hmac_sha256(key, sizeof(key), &nv->sealed, sizeof(nv->sealed), mac);
}

static void nv_crypt(AmdPspState *s, SevNv *nv)
{
    uint8_t key[16];

    psp_derive(s, "nv-key", NULL, 0, key, sizeof(key));
    psp_aes128_ctr(key, nv->iv, &nv->sealed, sizeof(nv->sealed));
}

/* Store the keys where INIT_EX has specified, if it was used. */
PspStatus sev_nv_store(AmdPspState *s)
{
    g_autofree SevNv *nv = NULL;

    if (!s->nv_address) {
        return SEV_STATUS_SUCCESS;
    }
    nv = g_malloc0(NV_SIZE);
    nv->magic = NV_MAGIC;
    psp_random(nv->iv, sizeof(nv->iv));
    nv->sealed.pek = s->keys.pek;
    nv->sealed.pdh = s->keys.pdh;
    nv->sealed.oca_external = s->keys.oca_external;
    nv->sealed.oca_cert = s->keys.oca_cert;
    nv->sealed.pek_cert = s->keys.pek_cert;
    nv->sealed.pdh_cert = s->keys.pdh_cert;
    nv_crypt(s, nv);
    nv_mac(s, nv, nv->mac);
    return psp_write(s, s->nv_address, nv, NV_SIZE);
}

static PspStatus nv_load(AmdPspState *s)
{
    g_autofree SevNv *nv = g_malloc(NV_SIZE);
    uint8_t mac[32];

    PSP_TRY(psp_read(s, s->nv_address, nv, NV_SIZE));
    if (psp_all_zero(nv, NV_SIZE) || nv->magic == UINT64_MAX) {
        return sev_nv_store(s);     /* a new file */
    }
    nv_mac(s, nv, mac);
    if (nv->magic != NV_MAGIC || memcmp(mac, nv->mac, sizeof(mac))) {
        /* Start with new keys, so that a second attempt succeeds. */
        sev_keys_reset(s);
        PSP_TRY(sev_nv_store(s));
        return SEV_STATUS_SECURE_DATA_INVALID;
    }
    nv_crypt(s, nv);
    s->keys.pek = nv->sealed.pek;
    s->keys.pdh = nv->sealed.pdh;
    s->keys.oca_external = nv->sealed.oca_external;
    s->keys.oca_cert = nv->sealed.oca_cert;
    s->keys.pek_cert = nv->sealed.pek_cert;
    s->keys.pdh_cert = nv->sealed.pdh_cert;
    return SEV_STATUS_SUCCESS;
}

static PspStatus sev_init(AmdPspState *s, uint32_t flags, uint64_t tmr,
                          uint32_t tmr_len)
{
    hwaddr align = s->snp_init ? PSP_PAGE_2M : TMR_SIZE;

    PSP_REQUIRE(s, RMP_INIT, s->rmp_init || !amd_snp_enabled(s->snp),
                INVALID_PLATFORM_STATE);
    PSP_REQUIRE(s, RESERVED, !(flags & ~SEV_INIT_FLAGS_ES), INVALID_PARAM);
    if (flags & SEV_INIT_FLAGS_ES) {
        PSP_REQUIRE(s, LENGTH, tmr_len == align, INVALID_LENGTH);
        if (psp_spa(s, tmr) & (align - 1)) {
            return SEV_STATUS_INVALID_ADDRESS;
        }
        PSP_TRY(psp_check_writable(s, tmr, tmr_len));
        s->tmr = psp_spa(s, tmr);
        s->tmr_len = tmr_len;
    }
    s->sev_es = flags & SEV_INIT_FLAGS_ES;
    s->sev_state = SEV_PSTATE_INIT;
    return SEV_STATUS_SUCCESS;
}

/* INIT */
PspStatus psp_cmd_INIT(AmdPspState *s, PspCmd *cmd)
{
    SevBufInit *buf = cmd->buf;

    PSP_REQUIRE(s, RESERVED, !buf->reserved, INVALID_PARAM);
    PSP_TRY(sev_init(s, buf->flags, buf->tmr_address, buf->tmr_len));
    s->nv_address = 0;
    return SEV_STATUS_SUCCESS;
}

/* INIT_EX: the host stores non-volatile data. */
PspStatus psp_cmd_INIT_EX(AmdPspState *s, PspCmd *cmd)
{
    SevBufInitEx *buf = cmd->buf;

    PSP_REQUIRE(s, LENGTH, buf->length == sizeof(*buf) &&
                buf->nv_len == NV_SIZE, INVALID_LENGTH);
    PSP_REQUIRE(s, RESERVED, !buf->reserved, INVALID_PARAM);
    if (psp_spa(s, buf->nv_address) & ~PSP_PAGE_MASK) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    PSP_TRY(psp_check_writable(s, buf->nv_address, NV_SIZE));
    s->nv_address = buf->nv_address;
    PSP_TRY(nv_load(s));
    return sev_init(s, buf->flags, buf->tmr_address, buf->tmr_len);
}

/* SHUTDOWN */
PspStatus psp_cmd_SHUTDOWN(AmdPspState *s, PspCmd *cmd)
{
    sev_guest_free_all(s);
    s->sev_state = SEV_PSTATE_UNINIT;
    s->sev_es = false;
    s->nv_address = 0;
    s->tmr_len = 0;
    return SEV_STATUS_SUCCESS;
}

/* PLATFORM_RESET */
PspStatus psp_cmd_PLATFORM_RESET(AmdPspState *s, PspCmd *cmd)
{
    sev_keys_reset(s);
    return SEV_STATUS_SUCCESS;
}

/* PLATFORM_STATUS */
PspStatus psp_cmd_PLATFORM_STATUS(AmdPspState *s, PspCmd *cmd)
{
    SevBufStatus *buf = cmd->buf;

    memset(buf, 0, sizeof(*buf));
    buf->api_major = SEV_FW_API_MAJOR;
    buf->api_minor = SEV_FW_API_MINOR;
    buf->build = SEV_FW_BUILD;
    buf->state = s->sev_state;
    buf->flags = (s->keys.oca_external ? SEV_STATUS_OWNER : 0) |
                 (s->sev_es ? SEV_STATUS_CONFIG_ES : 0);
    buf->guest_count = sev_guest_count(s);
    return SEV_STATUS_SUCCESS;
}

/* DF_FLUSH */
PspStatus psp_cmd_DF_FLUSH(AmdPspState *s, PspCmd *cmd)
{
    return psp_asid_flush(s);
}

/* NOP */
PspStatus psp_cmd_NOP(AmdPspState *s, PspCmd *cmd)
{
    return SEV_STATUS_SUCCESS;
}

/* DOWNLOAD_FIRMWARE: only images signed by AMD are valid, so reject all. */
PspStatus psp_cmd_DOWNLOAD_FIRMWARE(AmdPspState *s, PspCmd *cmd)
{
    SevBufBlob *buf = cmd->buf;
    uint8_t byte;

    PSP_REQUIRE(s, LENGTH, buf->len, INVALID_LENGTH);
    PSP_TRY(psp_read(s, buf->address, &byte, 1));
    PSP_TRY(psp_read(s, buf->address + buf->len - 1, &byte, 1));
    return SEV_STATUS_BAD_SIGNATURE;
}

/* GET_ID: one socket */
PspStatus psp_cmd_GET_ID(AmdPspState *s, PspCmd *cmd)
{
    SevBufBlob *buf = cmd->buf;

    return psp_return_blob(s, buf->address, &buf->len, s->keys.chip_id,
                           sizeof(s->keys.chip_id));
}
