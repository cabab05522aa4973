/*
 * AMD Secure Processor: SEV-SNP, management of the platform
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"

#define RMP_BOOKKEEPING     0x4000      /* bytes before the first entry */
#define RMP_ENTRY_SIZE      16
#define RMP_MIN_SIZE        (RMP_BOOKKEEPING + RMP_ENTRY_SIZE)

/* SNP_FEATURE_INFO: sub-function 0 */
#define FEATURE_EAX_LAST    1
#define FEATURE_EBX_MSGS    (1u << 0)   /* sub-function 1: guest messages */
#define FEATURE_ECX_VLEK    (1u << 0)
#define FEATURE_ECX_X86     (1u << 1)   /* X86_SNP_SHUTDOWN */
/* Sub-function 1: the pairs of messages */
#define FEATURE_MSGS        0x1ffu

/* The SMM memory below 1 MiB */
#define ASEG_BASE           0xa0000ull
#define ASEG_END            0xc0000ull

/* What SNP_INIT requires of SYSCFG and of other MSRs on every CPU */
static PspStatus check_msrs(AmdPspState *s)
{
    PSP_REQUIRE(s, SNP_ENABLED, amd_snp_enabled(s->snp), INVALID_CONFIG);
    PSP_REQUIRE(s, INIT_VMPL, psp_cpu_vmplen(s), INVALID_CONFIG);
    PSP_REQUIRE(s, INIT_MFDM, psp_cpu_mfdm(s), INVALID_CONFIG);
    PSP_REQUIRE(s, INIT_MSRS, amd_snp_msrs_agree(s->snp), INVALID_CONFIG);
    return SEV_STATUS_SUCCESS;
}

/* SNP_INIT needs an RMP and an IOMMU, and VM_HSAVE_PA clear for a new RMP. */
static PspStatus check_machine(AmdPspState *s, bool init_rmp, hwaddr *base,
                               hwaddr *end)
{
    PSP_TRY(check_msrs(s));
    if (!amd_rmp_range(s->snp, base, end) ||
        *base & (1 * 1024 * 1024 - 1) || *end - *base + 1 < RMP_MIN_SIZE) {
        return SEV_STATUS_INVALID_CONFIG;
    }
    PSP_REQUIRE(s, RMP_SIZE, !((*end - *base + 1) & (1 * 1024 * 1024 - 1)),
                INVALID_CONFIG);
    PSP_REQUIRE(s, HSAVE_CLEAR, !init_rmp || amd_snp_hsave_clear(s->snp),
                INVALID_CONFIG);
    PSP_REQUIRE(s, IOMMU, psp_iommu_ready(), HWERROR_PLATFORM);
    PSP_REQUIRE(s, IOMMU_RANGE, psp_iommu_range_ok(), INVALID_CONFIG);
    return SEV_STATUS_SUCCESS;
}

/* Make all pages of the machine hypervisor-owned. */
static bool clear_rmp(AmdPspState *s, hwaddr base, hwaddr end)
{
    g_autofree uint8_t *zero = g_malloc0(PSP_PAGE_2M);
    hwaddr at = base + RMP_BOOKKEEPING;

    while (at <= end) {
        size_t n = MIN(PSP_PAGE_2M, end - at + 1);

        if (!amd_mem_write(s->snp, at, zero, n, AMD_MEM_KEY_NONE)) {
            return false;
        }
        at += n;
    }
    return true;
}

static void set_range(AmdPspState *s, hwaddr base, uint64_t pages,
                      const AmdRmpEntry *e)
{
    uint64_t i;

    for (i = 0; i < pages; i++) {
        hwaddr spa = base + i * PSP_PAGE_SIZE;

        if (!amd_rmp_covered(s->snp, spa)) {
            break;
        }
        amd_rmp_set(s->snp, spa, e);
    }
}

/* Pages that the RMP covers and no guest can have: not DRAM, SMM's memory */
static void fix_holes(AmdPspState *s)
{
    const AmdRmpEntry hv_fixed = { .immutable = true };
    hwaddr spa, hole = 0;
    bool in_hole = false;

    if (!psp_rule(s, PSP_RULE_HV_FIXED_HOLES)) {
        return;
    }
    amd_rmp_fill(s->snp, ASEG_BASE, ASEG_END, &hv_fixed);
    for (spa = 0; amd_rmp_covered(s->snp, spa); spa += PSP_PAGE_SIZE) {
        bool ram = amd_mem_is_ram(s->snp, spa);

        if (in_hole && ram) {
            amd_rmp_fill(s->snp, hole, spa, &hv_fixed);
        } else if (!in_hole && !ram) {
            hole = spa;
        }
        in_hole = !ram;
    }
    if (in_hole) {
        amd_rmp_fill(s->snp, hole, spa, &hv_fixed);
    }
}

/* The list of ranges that stay hypervisor-owned permanently */
static PspStatus set_hv_fixed(AmdPspState *s, uint64_t list)
{
    const AmdRmpEntry hv_fixed = { .immutable = true };
    SnpRangeList head;
    uint32_t i;

    PSP_TRY(psp_read(s, list, &head, sizeof(head)));
    PSP_REQUIRE(s, RESERVED, !head.reserved, INVALID_PARAM);
    if (head.num_elements > (PSP_PAGE_SIZE - sizeof(head)) / sizeof(SnpRange)) {
        return SEV_STATUS_INVALID_PARAM;
    }
    for (i = 0; i < head.num_elements; i++) {
        SnpRange range;

        PSP_TRY(psp_read(s, list + sizeof(head) + i * sizeof(range),
                         &range, sizeof(range)));
        PSP_REQUIRE(s, RESERVED, !range.reserved, INVALID_PARAM);
        if (psp_spa(s, range.base) & ~PSP_PAGE_MASK) {
            return SEV_STATUS_INVALID_ADDRESS;
        }
        set_range(s, psp_spa(s, range.base), range.page_count, &hv_fixed);
    }
    return SEV_STATUS_SUCCESS;
}

static PspStatus snp_init(AmdPspState *s, bool init_rmp, bool list_en,
                          uint64_t list)
{
    const AmdRmpEntry firmware = { .assigned = true, .immutable = true };
    hwaddr base, end;

    PSP_TRY(check_machine(s, init_rmp, &base, &end));
    if (list_en && (!init_rmp || psp_spa(s, list) & ~PSP_PAGE_MASK)) {
        return init_rmp ? SEV_STATUS_INVALID_ADDRESS : SEV_STATUS_INVALID_PARAM;
    }
    if (!init_rmp && !s->rmp_init) {
        return SEV_STATUS_RMP_INIT_REQUIRED;
    }
    if (init_rmp) {
        if (!clear_rmp(s, base, end)) {
            return SEV_STATUS_RMP_INIT_FAILED;
        }
        fix_holes(s);
        if (list_en) {
            PSP_TRY(set_hv_fixed(s, list));
        }
        set_range(s, base & PSP_PAGE_MASK,
                  ((end | ~PSP_PAGE_MASK) - (base & PSP_PAGE_MASK) + 1) /
                  PSP_PAGE_SIZE, &firmware);
        s->rmp_init = true;
    }
    s->fw_key = amd_mem_new_key(s->snp);
    psp_iommu_take(s);
    s->snp_init = true;
    bitmap_fill(s->asid_dirty, PSP_ASIDS);
    amd_snp_need_wbinvd(s->snp);
    amd_snp_set_initialized(s->snp, true);
    return SEV_STATUS_SUCCESS;
}

/* SNP_INIT */
PspStatus psp_cmd_SNP_INIT(AmdPspState *s, PspCmd *cmd)
{
    return snp_init(s, true, false, 0);
}

/* SNP_INIT_EX */
PspStatus psp_cmd_SNP_INIT_EX(AmdPspState *s, PspCmd *cmd)
{
    SnpBufInitEx *buf = cmd->buf;

    PSP_REQUIRE(s, RESERVED, !buf->reserved &&
                !(buf->flags & ~(SNP_INIT_RMP | SNP_INIT_LIST_EN)) &&
                !buf->max_snp_asid &&
                psp_all_zero(buf->reserved2, sizeof(buf->reserved2)),
                INVALID_PARAM);
    return snp_init(s, buf->flags & SNP_INIT_RMP,
                    buf->flags & SNP_INIT_LIST_EN, buf->list_paddr);
}

/*
 * With @iommu, the IOMMU no longer enforces SNP, and the RMP is no longer
 * initialized; with @x86, the CPUs do not check it either.
 */
static PspStatus snp_shutdown(AmdPspState *s, bool iommu, bool x86)
{
    if (!s->snp_init) {
        return SEV_STATUS_SUCCESS;
    }
    PSP_REQUIRE(s, SHUTDOWN_ORDER, s->sev_state == SEV_PSTATE_UNINIT,
                INVALID_PLATFORM_STATE);
    PSP_REQUIRE(s, SHUTDOWN_ACTIVE, bitmap_empty(s->asid_used, PSP_ASIDS),
                DFFLUSH_REQUIRED);
    PSP_REQUIRE(s, ASID_FLUSH, bitmap_empty(s->asid_dirty, PSP_ASIDS),
                DFFLUSH_REQUIRED);
    snp_guest_free_all(s);
    s->snp_init = false;
    s->vlek_loaded = false;
    if (iommu) {
        psp_iommu_release(s);
        s->rmp_init = false;
        s->snp_config = 0;
        s->reported_tcb = s->committed_tcb;
    }
    if (x86) {
        amd_snp_disable(s->snp);
    }
    amd_snp_set_initialized(s->snp, false);
    return SEV_STATUS_SUCCESS;
}

/* SNP_SHUTDOWN */
PspStatus psp_cmd_SNP_SHUTDOWN(AmdPspState *s, PspCmd *cmd)
{
    return snp_shutdown(s, false, false);
}

/* SNP_SHUTDOWN_EX */
PspStatus psp_cmd_SNP_SHUTDOWN_EX(AmdPspState *s, PspCmd *cmd)
{
    SnpBufShutdownEx *buf = cmd->buf;

    PSP_REQUIRE(s, LENGTH, buf->length == sizeof(*buf), INVALID_PARAM);
    PSP_REQUIRE(s, RESERVED,
                !(buf->flags & ~(SNP_SHUTDOWN_IOMMU | SNP_SHUTDOWN_X86)) &&
                buf->flags != SNP_SHUTDOWN_X86, INVALID_PARAM);
    return snp_shutdown(s, buf->flags & SNP_SHUTDOWN_IOMMU,
                        buf->flags & SNP_SHUTDOWN_X86);
}

/* SNP_PLATFORM_STATUS */
PspStatus psp_cmd_SNP_PLATFORM_STATUS(AmdPspState *s, PspCmd *cmd)
{
    SnpBufAddr *buf = cmd->buf;
    SnpPlatformStatus st = {
        .api_major = SEV_FW_API_MAJOR,
        .api_minor = SEV_FW_API_MINOR,
        .state = s->snp_init ? SEV_PSTATE_INIT : SEV_PSTATE_UNINIT,
        .is_rmp_init = s->rmp_init ? SNP_STATUS_RMP_INIT |
                                     SNP_STATUS_ALIAS_CHECK : 0,
        .build_id = SEV_FW_BUILD,
        .flags = s->snp_config | SNP_STATUS_FEATURE_INFO |
                 (s->vlek_loaded ? SNP_STATUS_VLEK_EN : 0),
        .guest_count = snp_guest_count(s),
        .current_tcb = s->tcb,
        .reported_tcb = s->reported_tcb,
    };

    if (!psp_in_one_page(s, buf->address, sizeof(st))) {
        return SEV_STATUS_INVALID_PARAM;
    }
    return psp_write(s, buf->address, &st, sizeof(st));
}

/* SNP_DF_FLUSH */
PspStatus psp_cmd_SNP_DF_FLUSH(AmdPspState *s, PspCmd *cmd)
{
    return psp_asid_flush(s);
}

/* True if no part of @tcb is above that of @limit. */
static bool tcb_within(uint64_t tcb, uint64_t limit)
{
    int i;

    for (i = 0; i < 64; i += 8) {
        if ((tcb >> i & 0xff) > (limit >> i & 0xff)) {
            return false;
        }
    }
    return true;
}

/* SNP_CONFIG */
PspStatus psp_cmd_SNP_CONFIG(AmdPspState *s, PspCmd *cmd)
{
    SnpBufConfig *buf = cmd->buf;

    PSP_REQUIRE(s, RESERVED,
                !(buf->flags & ~(SNP_STATUS_MASK_CHIP_ID |
                                 SNP_STATUS_MASK_CHIP_KEY)) &&
                psp_all_zero(buf->reserved, sizeof(buf->reserved)),
                INVALID_PARAM);
    PSP_REQUIRE(s, TCB_VERSION, tcb_within(buf->reported_tcb, s->committed_tcb),
                INVALID_PARAM);
    s->reported_tcb = buf->reported_tcb ?: s->committed_tcb;
    s->snp_config = buf->flags & (SNP_STATUS_MASK_CHIP_ID |
                                  SNP_STATUS_MASK_CHIP_KEY);
    return SEV_STATUS_SUCCESS;
}

/* SNP_COMMIT: there is only one firmware, so there is nothing to commit. */
PspStatus psp_cmd_SNP_COMMIT(AmdPspState *s, PspCmd *cmd)
{
    SnpBufCommit *buf = cmd->buf;

    PSP_REQUIRE(s, LENGTH, buf->length == sizeof(*buf), INVALID_PARAM);
    s->committed_tcb = s->tcb;
    return SEV_STATUS_SUCCESS;
}

/* SNP_VLEK_LOAD */
PspStatus psp_cmd_SNP_VLEK_LOAD(AmdPspState *s, PspCmd *cmd)
{
    SnpBufVlekLoad *buf = cmd->buf;
    uint8_t wrapped[SNP_VLEK_LEN];

    PSP_REQUIRE(s, LENGTH, buf->length == sizeof(*buf), INVALID_PARAM);
    PSP_REQUIRE(s, RESERVED, !buf->version &&
                psp_all_zero(buf->reserved, sizeof(buf->reserved)),
                INVALID_PARAM);
    PSP_TRY(psp_read(s, buf->address, wrapped, sizeof(wrapped)));
    if (!psp_vlek_check(s, wrapped)) {
        return SEV_STATUS_BAD_MEASUREMENT;
    }
    PSP_REQUIRE(s, TCB_VERSION, psp_vlek_tcb(wrapped) == s->reported_tcb,
                BAD_SVN);
    s->vlek_loaded = true;
    return SEV_STATUS_SUCCESS;
}

/* SNP_FEATURE_INFO: CPUID Fn8000_0024 of the firmware */
PspStatus psp_cmd_SNP_FEATURE_INFO(AmdPspState *s, PspCmd *cmd)
{
    SnpBufFeatureInfo *buf = cmd->buf;
    PspCpuid info = {
        .eax = FEATURE_EAX_LAST, .ebx = FEATURE_EBX_MSGS,
        .ecx = FEATURE_ECX_VLEK | FEATURE_ECX_X86,
    };

    PSP_REQUIRE(s, LENGTH, buf->length == sizeof(*buf), INVALID_PARAM);
    if (buf->ecx_in > FEATURE_EAX_LAST) {
        return SEV_STATUS_INVALID_PARAM;
    }
    if (buf->ecx_in) {
        info = (PspCpuid) { .eax = FEATURE_MSGS };
    }
    return psp_write(s, buf->address, &info, sizeof(info));
}
