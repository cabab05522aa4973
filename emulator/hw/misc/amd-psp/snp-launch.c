/*
 * AMD Secure Processor: SEV-SNP, launch and its measurement
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"
#include "trace.h"

/* GUEST_TSC_SCALE and GUEST_TSC_OFFSET */
#define VMSA_GUEST_TSC_SCALE    0x2f0
#define VMSA_GUEST_TSC_LEN      16

/* The arguments of LAUNCH_UPDATE */
typedef struct Update {
    SnpGuest *g;
    uint8_t type;
    bool imi;
    const uint8_t *vmpl_perms;
    hwaddr spa;
    uint64_t gpa;
    uint32_t host_key;
} Update;

PspStatus snp_check_policy(AmdPspState *s, uint64_t policy)
{
    uint32_t abi = SNP_POLICY_ABI_MAJOR(policy) << 8 |
                   SNP_POLICY_ABI_MINOR(policy);

    PSP_REQUIRE(s, POLICY, abi <= (SEV_FW_API_MAJOR << 8 | SEV_FW_API_MINOR),
                POLICY_FAILURE);
    PSP_REQUIRE(s, POLICY, policy & SNP_POLICY_MBO, POLICY_FAILURE);
    PSP_REQUIRE(s, POLICY, !(policy & SNP_POLICY_RESERVED), POLICY_FAILURE);
    PSP_REQUIRE(s, POLICY, policy & SNP_POLICY_SMT || !psp_cpu_smt(),
                POLICY_FAILURE);
    /* Features that the machine does not have */
    PSP_REQUIRE(s, POLICY, !(policy & (SNP_POLICY_CXL_ALLOW |
                                       SNP_POLICY_AES_256_XTS |
                                       SNP_POLICY_RAPL_DIS |
                                       SNP_POLICY_CIPHERTEXT_HIDING)),
                POLICY_FAILURE);
    return SEV_STATUS_SUCCESS;
}

/* The migration agent that a launch is associated with */
static PspStatus get_agent(AmdPspState *s, const SnpBufLaunchStart *buf,
                           SnpGuest **agent)
{
    PSP_REQUIRE(s, POLICY, buf->policy & SNP_POLICY_MIGRATE_MA,
                POLICY_FAILURE);
    PSP_TRY(snp_guest_get(s, buf->ma_gctx_paddr, agent));
    PSP_REQUIRE(s, GUEST_STATE, (*agent)->state == SNP_GSTATE_RUNNING &&
                !(*agent)->ma_en, INVALID_GUEST);
    return SEV_STATUS_SUCCESS;
}

/* SNP_LAUNCH_START */
PspStatus psp_cmd_SNP_LAUNCH_START(AmdPspState *s, PspCmd *cmd)
{
    SnpBufLaunchStart *buf = cmd->buf;
    SnpGuest *agent = NULL;
    SnpGuest *g;

    PSP_TRY(snp_guest_get(s, buf->gctx_paddr, &g));
    PSP_REQUIRE(s, GUEST_STATE, g->state == SNP_GSTATE_INIT,
                INVALID_GUEST_STATE);
    PSP_REQUIRE(s, RESERVED, !(buf->flags & ~(SNP_LAUNCH_MA_EN |
                                              SNP_LAUNCH_IMI_EN)),
                INVALID_PARAM);
    PSP_TRY(snp_check_policy(s, buf->policy));
    if (buf->flags & SNP_LAUNCH_MA_EN) {
        PSP_TRY(get_agent(s, buf, &agent));
    }
    g->policy = buf->policy;
    g->ma_en = buf->flags & SNP_LAUNCH_MA_EN;
    g->ma = agent;
    g->imi_en = buf->flags & SNP_LAUNCH_IMI_EN;
    g->desired_tsc_khz = buf->desired_tsc_khz;
    memcpy(g->gosvw, buf->gosvw, sizeof(g->gosvw));
    psp_random(g->vmrk, sizeof(g->vmrk));
    g->state = SNP_GSTATE_LAUNCH;
    return SEV_STATUS_SUCCESS;
}

/* Fields of a VMSA that the hypervisor sets for the guest's TSC count as 0. */
static void hash_contents(const Update *u, const uint8_t *contents,
                          uint8_t *digest)
{
    uint8_t page[PSP_PAGE_SIZE];

    memcpy(page, contents, sizeof(page));
    if (u->type == SNP_PAGE_TYPE_VMSA) {
        memset(page + VMSA_GUEST_TSC_SCALE, 0, VMSA_GUEST_TSC_LEN);
    }
    psp_sha384(page, sizeof(page), digest);
}

/* Extend the launch digest by one page. */
static void measure(const Update *u, const uint8_t *contents, uint64_t gpa)
{
    SnpPageInfo info = {
        .length = sizeof(info),
        .page_type = u->type,
        .imi_page = u->imi,
        .gpa = gpa,
    };

    memcpy(info.vmpl_perms, u->vmpl_perms, sizeof(info.vmpl_perms));
    if (contents) {
        hash_contents(u, contents, info.contents);
    }
    memcpy(info.digest_cur, u->g->ld, sizeof(info.digest_cur));
    psp_sha384(&info, sizeof(info), u->g->ld);
    if (u->imi) {
        memcpy(info.digest_cur, u->g->imd, sizeof(info.digest_cur));
        psp_sha384(&info, sizeof(info), u->g->imd);
    }
}

static void make_secrets(AmdPspState *s, SnpGuest *g, uint8_t *page)
{
    SnpSecrets *secrets = (SnpSecrets *)page;

    memset(page, 0, PSP_PAGE_SIZE);
    secrets->version = 3;
    secrets->flags = g->imi_en;
    secrets->fms = psp_cpuid(1, 0).eax;
    memcpy(secrets->gosvw, g->gosvw, sizeof(secrets->gosvw));
    memcpy(secrets->vmpck, g->vmpck, sizeof(secrets->vmpck));
}

/* One 4 KiB page: from the host's plaintext to the guest's ciphertext */
static PspStatus update_page(AmdPspState *s, const Update *u, hwaddr offset)
{
    g_autofree uint8_t *page = g_malloc0(PSP_PAGE_SIZE);
    hwaddr spa = u->spa + offset;
    bool hashed = u->type == SNP_PAGE_TYPE_NORMAL ||
                  u->type == SNP_PAGE_TYPE_VMSA;

    if (u->type != SNP_PAGE_TYPE_ZERO && u->type != SNP_PAGE_TYPE_SECRETS &&
        !amd_mem_read(s->snp, spa, page, PSP_PAGE_SIZE, u->host_key)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    if (u->type == SNP_PAGE_TYPE_SECRETS) {
        make_secrets(s, u->g, page);
    }
    if (u->type == SNP_PAGE_TYPE_CPUID &&
        !snp_cpuid_check(s, (SnpCpuidTable *)page)) {
        /* Return the table that would have been accepted to the host. */
        amd_mem_write(s->snp, spa, page, PSP_PAGE_SIZE, u->host_key);
        return SEV_STATUS_INVALID_PARAM;
    }
    if (!amd_mem_write(s->snp, spa, page, PSP_PAGE_SIZE, u->g->key)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    measure(u, hashed ? page : NULL, u->gpa + offset);
    return SEV_STATUS_SUCCESS;
}

static PspStatus check_update(AmdPspState *s, const SnpBufLaunchUpdate *buf,
                              const Update *u)
{
    bool huge = buf->flags & SNP_UPDATE_PAGE_2M;
    int i;

    PSP_REQUIRE(s, RESERVED, !(buf->flags & SNP_UPDATE_RESERVED) &&
                !buf->reserved && !buf->reserved2 && !buf->reserved3,
                INVALID_PARAM);
    if (u->type < SNP_PAGE_TYPE_NORMAL || u->type > SNP_PAGE_TYPE_CPUID) {
        return SEV_STATUS_INVALID_PARAM;
    }
    PSP_REQUIRE(s, IMI, u->imi || !u->g->imi_en, INVALID_PARAM);
    for (i = 0; i < 3; i++) {
        PSP_REQUIRE(s, RESERVED, !(buf->vmpl_perms[i] & ~RMP_PERM_ALL),
                    INVALID_PARAM);
    }
    if (u->spa & ((huge ? PSP_PAGE_2M : PSP_PAGE_SIZE) - 1)) {
        return SEV_STATUS_INVALID_PARAM;
    }
    if (huge && (u->type == SNP_PAGE_TYPE_VMSA ||
                 u->type == SNP_PAGE_TYPE_SECRETS ||
                 u->type == SNP_PAGE_TYPE_CPUID)) {
        return SEV_STATUS_INVALID_PAGE_SIZE;
    }
    return SEV_STATUS_SUCCESS;
}

/* SNP_LAUNCH_UPDATE */
PspStatus psp_cmd_SNP_LAUNCH_UPDATE(AmdPspState *s, PspCmd *cmd)
{
    SnpBufLaunchUpdate *buf = cmd->buf;
    bool huge = buf->flags & SNP_UPDATE_PAGE_2M;
    Update u = {
        .type = SNP_UPDATE_PAGE_TYPE(buf->flags),
        .imi = buf->flags & SNP_UPDATE_IMI,
        .vmpl_perms = buf->vmpl_perms,
        .spa = psp_spa(s, buf->address),
        .host_key = psp_host_key(s, buf->address),
    };
    hwaddr offset;
    AmdRmpEntry e;

    PSP_TRY(snp_guest_get(s, buf->gctx_paddr, &u.g));
    PSP_REQUIRE(s, GUEST_STATE, u.g->state == SNP_GSTATE_LAUNCH,
                INVALID_GUEST_STATE);
    PSP_TRY(check_update(s, buf, &u));
    PSP_REQUIRE(s, ACTIVE, u.g->asid, INACTIVE);
    PSP_TRY(psp_check_page(s, u.spa, AMD_PAGE_PRE_GUEST, &e));
    PSP_REQUIRE(s, PAGE_SIZE, huge == (e.page_size == RMP_PG_SIZE_2M),
                INVALID_PAGE_SIZE);
    PSP_REQUIRE(s, PAGE_OWNER, e.asid == u.g->asid, INVALID_PAGE_OWNER);

    u.gpa = e.gpa;
    trace_amd_psp_launch_update(u.g->gctx, u.spa, u.gpa, u.type);
    for (offset = 0; offset < (huge ? PSP_PAGE_2M : PSP_PAGE_SIZE);
         offset += PSP_PAGE_SIZE) {
        PSP_TRY(update_page(s, &u, offset));
    }
    e.immutable = false;
    e.validated = true;
    e.vmsa = u.type == SNP_PAGE_TYPE_VMSA;
    e.perms[0] = RMP_PERM_ALL;
    memcpy(&e.perms[1], buf->vmpl_perms, sizeof(buf->vmpl_perms));
    amd_rmp_set(s->snp, u.spa, &e);
    return SEV_STATUS_SUCCESS;
}

/* SNP_LAUNCH_FINISH */
PspStatus psp_cmd_SNP_LAUNCH_FINISH(AmdPspState *s, PspCmd *cmd)
{
    SnpBufLaunchFinish *buf = cmd->buf;
    SnpGuest *g;

    PSP_TRY(snp_guest_get(s, buf->gctx_paddr, &g));
    PSP_REQUIRE(s, GUEST_STATE, g->state == SNP_GSTATE_LAUNCH,
                INVALID_GUEST_STATE);
    PSP_REQUIRE(s, RESERVED, !(buf->flags & ~(uint64_t)(SNP_FINISH_ID_BLOCK |
                               SNP_FINISH_AUTHOR_KEY | SNP_FINISH_VCEK_DIS)),
                INVALID_PARAM);
    PSP_REQUIRE(s, IMI, !g->imi_en, INVALID_GUEST_STATE);
    PSP_REQUIRE(s, ACTIVE, g->asid, INACTIVE);
    if (buf->flags & SNP_FINISH_ID_BLOCK) {
        PSP_TRY(snp_id_block_check(s, g, buf));
    }
    memcpy(g->host_data, buf->host_data, sizeof(g->host_data));
    g->vcek_dis = buf->flags & SNP_FINISH_VCEK_DIS;
    g->state = SNP_GSTATE_RUNNING;
    psp_asid_validate(s, g->asid);
    return SEV_STATUS_SUCCESS;
}
