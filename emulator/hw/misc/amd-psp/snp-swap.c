/*
 * AMD Secure Processor: SEV-SNP, swapping of pages
 *
 * The host keeps a page that is swapped out, encrypted with the guest's offline
 * encryption key (OEK). The identity of the page, and the tag that
 * authenticates its contents, are in a metadata entry that only firmware can
 * write, and that is valid for one swap-in of one page. Entries are in Metadata
 * pages of the guest, which can be swapped as well; the guest's context has
 * room for the entry of one of them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/range.h"
#include "psp-internal.h"

typedef struct SwapPage {
    hwaddr spa;
    bool covered;               /* by the RMP */
    AmdRmpEntry e;
} SwapPage;

typedef struct Swap {
    SnpGuest *g;
    uint8_t type;               /* SNP_SWAP_TYPE_* */
    size_t size;
    SwapPage src;
    SwapPage dst;
    hwaddr entry_spa;           /* if the entry is not in the context */
    bool root;
} Swap;

static PspStatus get_page(AmdPspState *s, const Swap *w, uint64_t address,
                          SwapPage *p)
{
    uint8_t size = w->size == PSP_PAGE_2M ? RMP_PG_SIZE_2M : RMP_PG_SIZE_4K;

    p->spa = psp_spa(s, address);
    if (p->spa & (w->size - 1)) {
        return SEV_STATUS_INVALID_PARAM;
    }
    PSP_TRY(psp_check_address(s, p->spa, w->size));
    p->covered = psp_page_entry(s, p->spa, &p->e);
    PSP_REQUIRE(s, PAGE_SIZE, !p->covered || p->e.page_size == size,
                INVALID_PAGE_SIZE);
    return SEV_STATUS_SUCCESS;
}

/* The entry is 64 bytes in a Metadata page of the guest. */
static PspStatus get_entry_page(AmdPspState *s, Swap *w, uint64_t address)
{
    AmdRmpEntry e;

    w->entry_spa = psp_spa(s, address);
    if (w->entry_spa % sizeof(SnpMdata) ||
        ranges_overlap(w->entry_spa, sizeof(SnpMdata), w->src.spa, w->size) ||
        ranges_overlap(w->entry_spa, sizeof(SnpMdata), w->dst.spa, w->size)) {
        return SEV_STATUS_INVALID_PARAM;
    }
    PSP_TRY(psp_check_page(s, w->entry_spa & PSP_PAGE_MASK, AMD_PAGE_METADATA,
                           &e));
    PSP_REQUIRE(s, PAGE_OWNER, e.gpa == w->g->gctx, INVALID_PAGE_OWNER);
    return SEV_STATUS_SUCCESS;
}

/* Checks of the parameters that both commands have in common */
static PspStatus start(AmdPspState *s, const SnpBufSwap *buf, Swap *w)
{
    bool huge = buf->flags & SNP_SWAP_PAGE_2M;

    w->type = SNP_SWAP_TYPE(buf->flags);
    w->size = huge ? PSP_PAGE_2M : PSP_PAGE_SIZE;
    w->root = buf->flags & SNP_SWAP_ROOT_MDATA;
    if (w->type > SNP_SWAP_TYPE_VMSA) {
        return SEV_STATUS_INVALID_PARAM;
    }
    PSP_REQUIRE(s, PAGE_SIZE, !huge || w->type == SNP_SWAP_TYPE_DATA,
                INVALID_PAGE_SIZE);
    PSP_TRY(snp_guest_get(s, buf->gctx_paddr, &w->g));
    PSP_REQUIRE(s, GUEST_STATE, w->g->state != SNP_GSTATE_INIT,
                INVALID_GUEST_STATE);
    PSP_REQUIRE(s, ACTIVE, w->g->asid, INACTIVE);
    PSP_TRY(get_page(s, w, buf->src_paddr, &w->src));
    PSP_TRY(get_page(s, w, buf->dst_paddr, &w->dst));
    if (!w->root) {
        PSP_TRY(get_entry_page(s, w, buf->mdata_paddr));
    }
    return SEV_STATUS_SUCCESS;
}

/* Metadata pages can be read by the host, unlike the guest's own. */
static uint32_t page_key(const Swap *w)
{
    return w->type == SNP_SWAP_TYPE_METADATA ? AMD_MEM_KEY_NONE : w->g->key;
}

static void load_entry(AmdPspState *s, const Swap *w, SnpMdata *md)
{
    if (w->root) {
        *md = w->g->root_mdata;
    } else {
        amd_mem_read(s->snp, w->entry_spa, md, sizeof(*md), AMD_MEM_KEY_NONE);
    }
}

static void store_entry(AmdPspState *s, const Swap *w, const SnpMdata *md)
{
    if (w->root) {
        w->g->root_mdata = *md;
    } else {
        amd_mem_write(s->snp, w->entry_spa, md, sizeof(*md), AMD_MEM_KEY_NONE);
    }
}

/*
 * A page that may be swapped out: immutable, of the guest, of the given type.
 */
static PspStatus check_leaving(AmdPspState *s, const Swap *w)
{
    AmdPageState state = amd_rmp_page_state(&w->src.e);

    if (!w->src.covered) {
        return SEV_STATUS_INVALID_PAGE_STATE;
    }
    if (w->type == SNP_SWAP_TYPE_METADATA) {
        PSP_REQUIRE(s, PAGE_STATE, state == AMD_PAGE_METADATA,
                    INVALID_PAGE_STATE);
        PSP_REQUIRE(s, PAGE_OWNER, w->src.e.gpa == w->g->gctx,
                    INVALID_PAGE_OWNER);
        return SEV_STATUS_SUCCESS;
    }
    PSP_REQUIRE(s, PAGE_STATE, (state == AMD_PAGE_PRE_GUEST ||
                state == AMD_PAGE_PRE_SWAP) &&
                w->src.e.vmsa == (w->type == SNP_SWAP_TYPE_VMSA),
                INVALID_PAGE_STATE);
    PSP_REQUIRE(s, PAGE_OWNER, w->src.e.asid == w->g->asid,
                INVALID_PAGE_OWNER);
    return SEV_STATUS_SUCCESS;
}

static void describe(const Swap *w, SnpMdata *md)
{
    const AmdRmpEntry *e = &w->src.e;

    md->flags = SNP_MDATA_VALID;
    if (w->type == SNP_SWAP_TYPE_METADATA) {
        md->flags |= SNP_MDATA_METADATA | SNP_MDATA_GPA;
        return;
    }
    md->flags |= e->gpa;
    md->flags |= e->validated ? SNP_MDATA_PAGE_VALIDATED : 0;
    md->flags |= e->vmsa ? SNP_MDATA_VMSA : 0;
    md->flags |= e->page_size == RMP_PG_SIZE_2M ? SNP_MDATA_PAGE_2M : 0;
    memcpy(md->perms, e->perms, sizeof(e->perms));
}

/*
 * SNP_PAGE_SWAP_OUT: afterwards the source is an invalid page of the guest, or
 * a Firmware page if it was a Metadata page.
 */
PspStatus psp_cmd_SNP_PAGE_SWAP_OUT(AmdPspState *s, PspCmd *cmd)
{
    SnpBufSwap *buf = cmd->buf;
    SnpMdata md = { .software_data = buf->software_data };
    g_autofree uint8_t *data = NULL;
    AmdPageState state;
    uint8_t iv[12];
    Swap w = { 0 };

    PSP_REQUIRE(s, RESERVED, !(buf->flags & ~SNP_SWAP_OUT_FLAGS),
                INVALID_PARAM);
    PSP_TRY(start(s, buf, &w));
    PSP_TRY(check_leaving(s, &w));

    data = g_malloc(w.size);
    if (!amd_mem_read(s->snp, w.src.spa, data, w.size, page_key(&w))) {
        return SEV_STATUS_INVALID_ADDRESS;
    }
    describe(&w, &md);
    md.iv = w.g->oek_iv;
    psp_gcm_iv(iv, md.iv);
    psp_gcm_encrypt(w.g->oek, iv, NULL, 0, data, w.size, md.auth_tag);
    PSP_TRY(psp_write(s, buf->dst_paddr, data, w.size));

    w.g->oek_iv++;
    state = amd_rmp_page_state(&w.src.e);
    if (w.type == SNP_SWAP_TYPE_METADATA) {
        w.src.e.gpa = 0;
    } else {
        w.src.e.validated = false;
    }
    psp_set_entry(s, w.src.spa, state, &w.src.e);
    store_entry(s, &w, &md);
    return SEV_STATUS_SUCCESS;
}

/* Check that the entry matches the command's parameters. */
static PspStatus check_entry(AmdPspState *s, const Swap *w, const SnpMdata *md)
{
    uint64_t type = md->flags & (SNP_MDATA_METADATA | SNP_MDATA_VMSA);
    bool huge = md->flags & SNP_MDATA_PAGE_2M;

    PSP_REQUIRE(s, MDATA_ENTRY, md->flags & SNP_MDATA_VALID,
                INVALID_MDATA_ENTRY);
    PSP_REQUIRE(s, MDATA_TYPE,
                type == (w->type == SNP_SWAP_TYPE_DATA ? 0 :
                         w->type == SNP_SWAP_TYPE_VMSA ? SNP_MDATA_VMSA :
                         SNP_MDATA_METADATA), INVALID_MDATA_ENTRY);
    PSP_REQUIRE(s, PAGE_SIZE, huge == (w->size == PSP_PAGE_2M),
                INVALID_PAGE_SIZE);
    return SEV_STATUS_SUCCESS;
}

static PspStatus check_arriving(AmdPspState *s, const Swap *w, bool in_place)
{
    AmdPageState state = amd_rmp_page_state(&w->dst.e);

    if (!w->dst.covered) {
        return SEV_STATUS_INVALID_PAGE_STATE;
    }
    if (in_place) {
        if (w->type != SNP_SWAP_TYPE_DATA) {
            return SEV_STATUS_INVALID_PARAM;
        }
        if (w->src.spa != w->dst.spa) {
            return SEV_STATUS_INVALID_ADDRESS;
        }
    }
    if (w->type == SNP_SWAP_TYPE_METADATA) {
        PSP_REQUIRE(s, PAGE_STATE, state == AMD_PAGE_FIRMWARE,
                    INVALID_PAGE_STATE);
        return SEV_STATUS_SUCCESS;
    }
    PSP_REQUIRE(s, PAGE_STATE, state == AMD_PAGE_PRE_GUEST,
                INVALID_PAGE_STATE);
    PSP_REQUIRE(s, PAGE_OWNER, w->dst.e.asid == w->g->asid,
                INVALID_PAGE_OWNER);
    return SEV_STATUS_SUCCESS;
}

/* SNP_PAGE_SWAP_IN: the gpa of the page comes only from the entry. */
PspStatus psp_cmd_SNP_PAGE_SWAP_IN(AmdPspState *s, PspCmd *cmd)
{
    SnpBufSwap *buf = cmd->buf;
    g_autofree uint8_t *data = NULL;
    AmdPageState state;
    uint8_t iv[12];
    Swap w = { 0 };
    SnpMdata md;

    PSP_REQUIRE(s, RESERVED, !(buf->flags & ~SNP_SWAP_IN_FLAGS) &&
                !buf->software_data, INVALID_PARAM);
    PSP_TRY(start(s, buf, &w));
    load_entry(s, &w, &md);
    PSP_TRY(check_entry(s, &w, &md));
    PSP_TRY(check_arriving(s, &w, buf->flags & SNP_SWAP_IN_PLACE));

    data = g_malloc(w.size);
    PSP_TRY(psp_read(s, buf->src_paddr, data, w.size));
    psp_gcm_iv(iv, md.iv);
    PSP_REQUIRE(s, SWAP_AUTH,
                psp_gcm_decrypt(w.g->oek, iv, NULL, 0, data, w.size,
                                md.auth_tag), BAD_MEASUREMENT);
    if (!amd_mem_write(s->snp, w.dst.spa, data, w.size, page_key(&w))) {
        return SEV_STATUS_INVALID_ADDRESS;
    }

    state = amd_rmp_page_state(&w.dst.e);
    if (w.type == SNP_SWAP_TYPE_METADATA) {
        w.dst.e.gpa = w.g->gctx;
    } else {
        w.dst.e.gpa = md.flags & SNP_MDATA_GPA;
        w.dst.e.vmsa = w.type == SNP_SWAP_TYPE_VMSA;
        w.dst.e.validated = md.flags & SNP_MDATA_PAGE_VALIDATED;
        memcpy(w.dst.e.perms, md.perms, sizeof(w.dst.e.perms));
    }
    psp_set_entry(s, w.dst.spa, state, &w.dst.e);
    md.flags &= ~SNP_MDATA_VALID;
    store_entry(s, &w, &md);
    return SEV_STATUS_SUCCESS;
}
