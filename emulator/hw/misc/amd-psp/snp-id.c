/*
 * AMD Secure Processor: SEV-SNP, the ID block of a guest's owner
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"

static bool signed_by(const void *data, size_t len, const SevEcKey *key,
                      const SevEcSig *sig)
{
    uint8_t digest[48];

    psp_sha384(data, len, digest);
    return psp_ec_verify(key, digest, sizeof(digest), sig);
}

static PspStatus check_algorithms(AmdPspState *s, const SnpIdAuth *auth,
                                  bool author)
{
    PSP_REQUIRE(s, ID_BLOCK, auth->id_key_algo == SEV_ALGO_ECDSA_P384_SHA384,
                INVALID_PARAM);
    PSP_REQUIRE(s, ID_BLOCK, !author ||
                auth->author_key_algo == SEV_ALGO_ECDSA_P384_SHA384,
                INVALID_PARAM);
    return SEV_STATUS_SUCCESS;
}

static PspStatus check_signatures(AmdPspState *s, const SnpIdBlock *id,
                                  const SnpIdAuth *auth, bool author)
{
    PSP_REQUIRE(s, ID_BLOCK, signed_by(id, sizeof(*id), &auth->id_key,
                                       &auth->id_block_sig), BAD_SIGNATURE);
    if (author) {
        PSP_REQUIRE(s, ID_BLOCK,
                    signed_by(&auth->id_key, sizeof(auth->id_key),
                              &auth->author_key, &auth->id_key_sig),
                    BAD_SIGNATURE);
    }
    return SEV_STATUS_SUCCESS;
}

/* The ID block in SNP_LAUNCH_FINISH */
PspStatus snp_id_block_check(AmdPspState *s, SnpGuest *g,
                             const SnpBufLaunchFinish *buf)
{
    bool author = buf->flags & SNP_FINISH_AUTHOR_KEY;
    g_autofree SnpIdAuth *auth = g_new0(SnpIdAuth, 1);
    SnpIdBlock id;

    PSP_TRY(psp_read(s, buf->id_block_paddr, &id, sizeof(id)));
    PSP_TRY(psp_read(s, buf->id_auth_paddr, auth, sizeof(*auth)));
    PSP_REQUIRE(s, RESERVED, id.version == 1, INVALID_PARAM);
    PSP_REQUIRE(s, ID_BLOCK, !memcmp(id.ld, g->ld, sizeof(id.ld)),
                BAD_MEASUREMENT);
    PSP_REQUIRE(s, ID_BLOCK, id.policy == g->policy, POLICY_FAILURE);
    PSP_TRY(check_algorithms(s, auth, author));
    PSP_TRY(check_signatures(s, &id, auth, author));

    g->id_block = id;
    g->id_block_en = true;
    psp_sha384(&auth->id_key, sizeof(auth->id_key), g->id_key_digest);
    if (author) {
        g->author_key_en = true;
        psp_sha384(&auth->author_key, sizeof(auth->author_key),
                   g->author_key_digest);
    }
    return SEV_STATUS_SUCCESS;
}
