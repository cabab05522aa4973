/*
 * AMD Secure Processor: guests that send messages to the firmware
 *
 * The test has its own cryptography. It reads a guest's communication keys from
 * the secrets page: a page of RAM holds the plaintext of the key that it was
 * last accessed with, and the test reads RAM without a key.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include <nettle/gcm.h>
#include <nettle/sha2.h>
#include "qemu/bswap.h"
#include "amd-psp-msg.h"

#define SECRETS_GPA 0xd000
#define VMSA_SPA    0x109000
#define VMSA_GPA    0xe000
/* GUEST_TSC_SCALE and GUEST_TSC_OFFSET in a VMSA */
#define VMSA_TSC    0x2f0

void msg_sha384(const void *data, size_t len, uint8_t digest[48])
{
    struct sha512_ctx ctx;

    sha384_init(&ctx);
    sha384_update(&ctx, len, data);
    sha384_digest(&ctx, 48, digest);
}

/* The launch digest after one more page, as the ABI defines it */
static void extend(uint8_t ld[48], int type, uint64_t gpa, const void *page)
{
    uint8_t info[0x70] = { 0 };

    memcpy(info, ld, 48);
    if (page) {
        msg_sha384(page, 0x1000, info + 0x30);
    }
    stw_le_p(info + 0x60, sizeof(info));
    info[0x62] = type;
    stq_le_p(info + 0x68, gpa);
    msg_sha384(info, sizeof(info), ld);
}

void msg_start_guest(Psp *p, const char *options, uint64_t policy,
                     uint8_t ld[48])
{
    uint8_t page[0x1000];

    psp_start(p, options);
    psp_snp_init(p);
    psp_new_guest(p, T_GCTX, policy, T_ASID);

    memset(ld, 0, 48);
    memset(page, 0x42, sizeof(page));
    psp_set_rmp(p, T_PAGE, RMP_PRE_GUEST(T_ASID, 0x5000));
    qtest_memwrite(p->qts, T_PAGE, page, sizeof(page));
    psp_assert(psp_launch_update(p, T_GCTX, T_PAGE, SNP_PAGE_TYPE_NORMAL, 0),
               SUCCESS);
    extend(ld, SNP_PAGE_TYPE_NORMAL, 0x5000, page);
    psp_set_rmp(p, T_SECRETS, RMP_PRE_GUEST(T_ASID, SECRETS_GPA));
    psp_assert(psp_launch_update(p, T_GCTX, T_SECRETS, SNP_PAGE_TYPE_SECRETS,
                                 0), SUCCESS);
    extend(ld, SNP_PAGE_TYPE_SECRETS, SECRETS_GPA, NULL);
    /* Fields that the hypervisor sets for the guest's TSC are not measured. */
    psp_set_rmp(p, VMSA_SPA, RMP_PRE_GUEST(T_ASID, VMSA_GPA));
    qtest_memwrite(p->qts, VMSA_SPA, page, sizeof(page));
    psp_assert(psp_launch_update(p, T_GCTX, VMSA_SPA, SNP_PAGE_TYPE_VMSA, 0),
               SUCCESS);
    memset(page + VMSA_TSC, 0, 16);
    extend(ld, SNP_PAGE_TYPE_VMSA, VMSA_GPA, page);
}

void msg_vmpck(Psp *p, int n, uint8_t key[32])
{
    qtest_memread(p->qts, T_SECRETS + offsetof(SnpSecrets, vmpck) + 32 * n,
                  key, 32);
}

static void make_iv(uint8_t iv[12], uint64_t seqno)
{
    memset(iv, 0, 12);
    stq_le_p(iv, seqno);
}

SnpMsgHeader msg_header(int type, int vmpck, uint64_t seqno, size_t len)
{
    return (SnpMsgHeader) {
        .seqno = seqno,
        .algo = SNP_AEAD_AES_256_GCM,
        .hdr_version = 1,
        .hdr_size = sizeof(SnpMsgHeader),
        .msg_type = type,
        .msg_version = 1,
        .msg_size = len,
        .vmpck = vmpck,
    };
}

uint16_t msg_send(Psp *p, SnpMsgHeader *hdr, const uint8_t key[32],
                  const void *payload)
{
    SnpBufGuestRequest buf = {
        .gctx_paddr = T_GCTX, .request_paddr = T_HV, .response_paddr = T_OUT,
    };
    uint8_t data[0x1000];
    struct gcm_aes256_ctx gcm;
    uint8_t iv[12];

    memcpy(data, payload, hdr->msg_size);
    make_iv(iv, hdr->seqno);
    gcm_aes256_set_key(&gcm, key);
    gcm_aes256_set_iv(&gcm, sizeof(iv), iv);
    gcm_aes256_update(&gcm, 0x30, (uint8_t *)hdr + 0x30);
    gcm_aes256_encrypt(&gcm, hdr->msg_size, data, data);
    gcm_aes256_digest(&gcm, 16, hdr->authtag);
    qtest_memwrite(p->qts, T_HV, hdr, sizeof(*hdr));
    qtest_memwrite(p->qts, T_HV + sizeof(*hdr), data, hdr->msg_size);
    return PSP_CMD(p, SNP_GUEST_REQUEST, &buf);
}

size_t msg_reply(Psp *p, const uint8_t key[32], int type, uint64_t seqno,
                 void *payload)
{
    struct gcm_aes256_ctx gcm;
    SnpMsgHeader hdr;
    uint8_t iv[12], tag[16];

    qtest_memread(p->qts, T_OUT, &hdr, sizeof(hdr));
    g_assert_cmphex(hdr.seqno, ==, seqno);
    g_assert_cmphex(hdr.msg_type, ==, type);
    g_assert_cmphex(hdr.hdr_size, ==, sizeof(hdr));
    g_assert_cmpint(hdr.msg_size, <=, 0x1000 - sizeof(hdr));
    qtest_memread(p->qts, T_OUT + sizeof(hdr), payload, hdr.msg_size);
    make_iv(iv, seqno);
    gcm_aes256_set_key(&gcm, key);
    gcm_aes256_set_iv(&gcm, sizeof(iv), iv);
    gcm_aes256_update(&gcm, 0x30, (uint8_t *)&hdr + 0x30);
    gcm_aes256_decrypt(&gcm, hdr.msg_size, payload, payload);
    gcm_aes256_digest(&gcm, 16, tag);
    g_assert_cmpmem(tag, 16, hdr.authtag, 16);
    return hdr.msg_size;
}
