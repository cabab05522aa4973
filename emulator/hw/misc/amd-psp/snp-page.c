/*
 * AMD Secure Processor: SEV-SNP, states of pages
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "psp-internal.h"

#define PAGE_2M_FLAG    1ull

/* The page at an address whose bit 0 is the page size */
static PspStatus get_sized_page(AmdPspState *s, uint64_t paddr, hwaddr *spa,
                                AmdRmpEntry *e)
{
    bool huge = paddr & PAGE_2M_FLAG;

    *spa = psp_spa(s, paddr & ~PAGE_2M_FLAG);
    if (*spa & ((huge ? PSP_PAGE_2M : PSP_PAGE_SIZE) - 1)) {
        return SEV_STATUS_INVALID_PARAM;
    }
    PSP_TRY(psp_check_address(s, *spa, huge ? PSP_PAGE_2M : PSP_PAGE_SIZE));
    if (!psp_page_entry(s, *spa, e)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    PSP_REQUIRE(s, PAGE_SIZE, huge == (e->page_size == RMP_PG_SIZE_2M),
                INVALID_PAGE_SIZE);
    return SEV_STATUS_SUCCESS;
}

/*
 * SNP_PAGE_RECLAIM: the firmware releases a page. A page of a guest stays
 * assigned to it, and stays valid or invalid.
 */
PspStatus psp_cmd_SNP_PAGE_RECLAIM(AmdPspState *s, PspCmd *cmd)
{
    SnpBufAddr *buf = cmd->buf;
    AmdPageState state;
    AmdRmpEntry e;
    hwaddr spa;

    PSP_TRY(get_sized_page(s, buf->address, &spa, &e));
    if (!e.immutable) {
        return SEV_STATUS_SUCCESS;
    }
    state = amd_rmp_page_state(&e);
    PSP_REQUIRE(s, PAGE_STATE, state == AMD_PAGE_METADATA ||
                state == AMD_PAGE_FIRMWARE || state == AMD_PAGE_PRE_GUEST ||
                state == AMD_PAGE_PRE_SWAP, INVALID_PAGE_STATE);
    e.immutable = false;
    if (state == AMD_PAGE_METADATA) {
        e.gpa = 0;
    }
    psp_set_entry(s, spa, state, &e);
    return SEV_STATUS_SUCCESS;
}

/* True if @e is the next part of the 2 MiB page that @first starts. */
static bool continues(const AmdRmpEntry *first, const AmdRmpEntry *e,
                      hwaddr offset)
{
    return e->page_size == RMP_PG_SIZE_4K && e->asid == first->asid &&
           e->gpa == first->gpa + offset && e->vmsa == first->vmsa &&
           amd_rmp_page_state(e) == amd_rmp_page_state(first) &&
           !memcmp(e->perms, first->perms, sizeof(e->perms));
}

/* SNP_PAGE_UNSMASH */
PspStatus psp_cmd_SNP_PAGE_UNSMASH(AmdPspState *s, PspCmd *cmd)
{
    SnpBufAddr *buf = cmd->buf;
    hwaddr spa = psp_spa(s, buf->address & ~PAGE_2M_FLAG);
    AmdRmpEntry first, e;
    AmdPageState state;
    hwaddr offset;

    if (spa & (PSP_PAGE_2M - 1)) {
        return SEV_STATUS_INVALID_PARAM;
    }
    if (!psp_page_entry(s, spa, &first)) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    state = amd_rmp_page_state(&first);
    PSP_REQUIRE(s, PAGE_STATE, !first.vmsa && (state == AMD_PAGE_PRE_GUEST ||
                state == AMD_PAGE_PRE_SWAP), INVALID_PAGE_STATE);
    PSP_REQUIRE(s, PAGE_SIZE, !(first.gpa & (PSP_PAGE_2M - 1)),
                INVALID_PAGE_STATE);
    for (offset = 0; offset < PSP_PAGE_2M; offset += PSP_PAGE_SIZE) {
        PSP_REQUIRE(s, PAGE_STATE, psp_page_entry(s, spa + offset, &e) &&
                    continues(&first, &e, offset), INVALID_PAGE_STATE);
    }
    first.page_size = RMP_PG_SIZE_2M;
    psp_set_entry(s, spa, state, &first);
    return SEV_STATUS_SUCCESS;
}

static PspStatus fix_range(AmdPspState *s, const SnpRange *range, bool commit)
{
    const AmdRmpEntry hv_fixed = { .immutable = true };
    hwaddr base = psp_spa(s, range->base);
    uint32_t i;

    if (base & ~PSP_PAGE_MASK) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    for (i = 0; i < range->page_count; i++) {
        hwaddr spa = base + i * PSP_PAGE_SIZE;
        AmdPageState state;
        AmdRmpEntry e;

        if (!psp_page_entry(s, spa, &e)) {
            return SEV_STATUS_INVALID_ADDRESS;
        }
        state = amd_rmp_page_state(&e);
        PSP_REQUIRE(s, PAGE_STATE, state == AMD_PAGE_HYPERVISOR ||
                    state == AMD_PAGE_FIRMWARE || state == AMD_PAGE_HV_FIXED,
                    INVALID_PAGE_STATE);
        PSP_REQUIRE(s, PAGE_SIZE, e.page_size == RMP_PG_SIZE_4K,
                    INVALID_PAGE_SIZE);
        if (commit) {
            psp_set_entry(s, spa, state, &hv_fixed);
        }
    }
    return SEV_STATUS_SUCCESS;
}

/* SNP_PAGE_SET_STATE: change all pages of the list, or none */
PspStatus psp_cmd_SNP_PAGE_SET_STATE(AmdPspState *s, PspCmd *cmd)
{
    SnpBufSetState *buf = cmd->buf;
    SnpRangeList head;
    int commit;
    uint32_t i;

    PSP_REQUIRE(s, LENGTH, buf->length == sizeof(*buf), INVALID_LENGTH);
    PSP_REQUIRE(s, RESERVED, !buf->reserved, INVALID_PARAM);
    if (psp_spa(s, buf->list_paddr) & ~PSP_PAGE_MASK) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    PSP_TRY(psp_read(s, buf->list_paddr, &head, sizeof(head)));
    if (head.num_elements > (PSP_PAGE_SIZE - sizeof(head)) / sizeof(SnpRange)) {
        return SEV_STATUS_INVALID_PARAM;
    }
    for (commit = 0; commit < 2; commit++) {
        for (i = 0; i < head.num_elements; i++) {
            SnpRange range;

            PSP_TRY(psp_read(s, buf->list_paddr + sizeof(head) +
                             i * sizeof(range), &range, sizeof(range)));
            PSP_TRY(fix_range(s, &range, commit));
        }
    }
    return SEV_STATUS_SUCCESS;
}

/* SNP_PAGE_MD_INIT: turn a Firmware page into a Metadata page of a guest. */
PspStatus psp_cmd_SNP_PAGE_MD_INIT(AmdPspState *s, PspCmd *cmd)
{
    SnpBufMdInit *buf = cmd->buf;
    g_autofree uint8_t *zero = g_malloc0(PSP_PAGE_SIZE);
    hwaddr spa = psp_spa(s, buf->page_paddr);
    AmdRmpEntry e;
    SnpGuest *g;

    PSP_TRY(snp_guest_get(s, buf->gctx_paddr, &g));
    PSP_REQUIRE(s, GUEST_STATE, g->state != SNP_GSTATE_INIT,
                INVALID_GUEST_STATE);
    PSP_TRY(psp_check_page(s, spa, AMD_PAGE_FIRMWARE, &e));
    PSP_REQUIRE(s, PAGE_SIZE, e.page_size == RMP_PG_SIZE_4K,
                INVALID_PAGE_SIZE);
    amd_mem_write(s->snp, spa, zero, PSP_PAGE_SIZE, AMD_MEM_KEY_NONE);
    e.gpa = g->gctx;
    psp_set_entry(s, spa, AMD_PAGE_FIRMWARE, &e);
    return SEV_STATUS_SUCCESS;
}

static void copy_page(AmdPspState *s, hwaddr dst, hwaddr src, size_t len,
                      uint32_t key)
{
    g_autofree uint8_t *data = g_malloc(len);

    amd_mem_read(s->snp, src, data, len, key);
    amd_mem_write(s->snp, dst, data, len, key);
}

/* A page of a guest: afterwards the source is an invalid page of the guest. */
static PspStatus move_guest_page(AmdPspState *s, const SnpGuest *g, bool huge,
                                 hwaddr dst, AmdRmpEntry *to,
                                 hwaddr src, AmdRmpEntry *from)
{
    AmdPageState state = amd_rmp_page_state(from);

    PSP_REQUIRE(s, PAGE_STATE, state == AMD_PAGE_PRE_GUEST ||
                state == AMD_PAGE_PRE_SWAP, INVALID_PAGE_STATE);
    PSP_REQUIRE(s, PAGE_STATE, amd_rmp_page_state(to) == AMD_PAGE_PRE_GUEST,
                INVALID_PAGE_STATE);
    PSP_REQUIRE(s, PAGE_OWNER, from->asid == g->asid && to->asid == g->asid,
                INVALID_PAGE_OWNER);

    copy_page(s, dst, src, huge ? PSP_PAGE_2M : PSP_PAGE_SIZE, g->key);
    *to = *from;
    to->immutable = false;
    psp_set_entry(s, dst, AMD_PAGE_PRE_GUEST, to);
    from->immutable = false;
    from->validated = false;
    psp_set_entry(s, src, state, from);
    return SEV_STATUS_SUCCESS;
}

/* A metadata page: afterwards the source is a Firmware page. */
static PspStatus move_metadata_page(AmdPspState *s, const SnpGuest *g,
                                    hwaddr dst, AmdRmpEntry *to,
                                    hwaddr src, AmdRmpEntry *from)
{
    PSP_REQUIRE(s, PAGE_STATE, amd_rmp_page_state(to) == AMD_PAGE_FIRMWARE,
                INVALID_PAGE_STATE);
    PSP_REQUIRE(s, PAGE_OWNER, from->gpa == g->gctx, INVALID_PAGE_OWNER);

    copy_page(s, dst, src, PSP_PAGE_SIZE, AMD_MEM_KEY_NONE);
    to->gpa = g->gctx;
    psp_set_entry(s, dst, AMD_PAGE_FIRMWARE, to);
    from->gpa = 0;
    psp_set_entry(s, src, AMD_PAGE_METADATA, from);
    return SEV_STATUS_SUCCESS;
}

/* SNP_PAGE_MOVE: contents and entry move to the destination. */
PspStatus psp_cmd_SNP_PAGE_MOVE(AmdPspState *s, PspCmd *cmd)
{
    SnpBufPageMove *buf = cmd->buf;
    uint64_t huge = buf->flags & 1;
    AmdRmpEntry from, to;
    hwaddr src, dst;
    SnpGuest *g;

    PSP_REQUIRE(s, RESERVED, !(buf->flags & ~1u) && !buf->reserved,
                INVALID_PARAM);
    PSP_TRY(snp_guest_get(s, buf->gctx_paddr, &g));
    PSP_REQUIRE(s, GUEST_STATE, g->state != SNP_GSTATE_INIT,
                INVALID_GUEST_STATE);
    PSP_REQUIRE(s, ACTIVE, g->asid, INACTIVE);
    PSP_TRY(get_sized_page(s, buf->src_paddr | huge, &src, &from));
    PSP_TRY(get_sized_page(s, buf->dst_paddr | huge, &dst, &to));
    if (amd_rmp_page_state(&from) == AMD_PAGE_METADATA) {
        return move_metadata_page(s, g, dst, &to, src, &from);
    }
    return move_guest_page(s, g, huge, dst, &to, src, &from);
}
