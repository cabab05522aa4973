/*
 * AMD Secure Processor: pages of SEV-SNP guests that are swapped out and in
 *
 * The contents of pages are read with SNP_DBG_DECRYPT, as the guests permit
 * debugging.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "amd-psp.h"

#define T_MDATA         T_LIST
#define T_ENTRY         (T_MDATA + 0x40)
#define T_MDATA2        0x109000
#define T_BACK          0x10a000        /* where pages are swapped in */
#define T_HUGE2         0x600000
#define T_HUGE_OUT      0xa00000
#define T_UNCOVERED     0xfd00000
#define T_GPA           0x7000ull

#define PRE_SWAP(gpa)   (RMP_PRE_GUEST(T_ASID, gpa) | RMP_VALIDATED)
#define METADATA(gctx)  (RMP_FIRMWARE | RMP_GPA(gctx))
#define PERMS           0x0000000001070f0full

static void new_guest(Psp *p, uint64_t gctx, uint32_t asid)
{
    psp_new_guest(p, gctx, T_POLICY | SNP_POLICY_DEBUG, asid);
}

static uint16_t md_init(Psp *p, uint64_t gctx, uint64_t spa)
{
    SnpBufMdInit buf = { .gctx_paddr = gctx, .page_paddr = spa };

    psp_set_rmp(p, spa, RMP_FIRMWARE);
    return PSP_CMD(p, SNP_PAGE_MD_INIT, &buf);
}

static void fill(Psp *p, uint64_t spa, uint8_t value)
{
    SnpBufDbg enc = {
        .gctx_paddr = T_GCTX, .src_address = T_HV, .dst_address = spa,
    };

    qtest_memset(p->qts, T_HV, value, 0x1000);
    psp_assert(PSP_CMD(p, SNP_DBG_ENCRYPT, &enc), SUCCESS);
}

static uint8_t holds(Psp *p, uint64_t spa)
{
    SnpBufDbg dec = {
        .gctx_paddr = T_GCTX, .src_address = spa, .dst_address = T_OUT2,
    };

    psp_assert(PSP_CMD(p, SNP_DBG_DECRYPT, &dec), SUCCESS);
    return qtest_readb(p->qts, T_OUT2 + 0x123);
}

/* A guest with a page of metadata and a page that can be swapped out */
static void start(Psp *p)
{
    psp_start(p, ",x-ignore=iommu");
    psp_snp_init(p);
    new_guest(p, T_GCTX, T_ASID);
    psp_assert(md_init(p, T_GCTX, T_MDATA), SUCCESS);
    psp_set_rmp(p, T_PAGE, PRE_SWAP(T_GPA));
    psp_set_rmp_perms(p, T_PAGE, PERMS);
    fill(p, T_PAGE, 0x5a);
}

static SnpBufSwap out_buf(void)
{
    return (SnpBufSwap) {
        .gctx_paddr = T_GCTX, .src_paddr = T_PAGE, .dst_paddr = T_OUT,
        .mdata_paddr = T_ENTRY, .software_data = 0x1122334455667788,
    };
}

static SnpBufSwap in_buf(Psp *p)
{
    psp_set_rmp(p, T_BACK, RMP_PRE_GUEST(T_ASID, 0));
    return (SnpBufSwap) {
        .gctx_paddr = T_GCTX, .src_paddr = T_OUT, .dst_paddr = T_BACK,
        .mdata_paddr = T_ENTRY,
    };
}

static void read_entry(Psp *p, SnpMdata *md)
{
    qtest_memread(p->qts, T_ENTRY, md, sizeof(*md));
}

static void test_data(void)
{
    uint8_t was[0x1000], is[0x1000];
    SnpBufSwap buf = out_buf();
    SnpMdata md;
    Psp p;

    start(&p);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_PAGE), ==, RMP_PRE_GUEST(T_ASID, T_GPA));
    read_entry(&p, &md);
    g_assert_cmphex(md.software_data, ==, buf.software_data);
    g_assert_cmphex(md.flags, ==, T_GPA | SNP_MDATA_VALID |
                    SNP_MDATA_PAGE_VALIDATED);
    g_assert_cmphex(*(uint64_t *)md.perms, ==, PERMS);

    /* The same again: other bytes, due to another IV; not validated */
    qtest_memread(p.qts, T_OUT, was, sizeof(was));
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), SUCCESS);
    qtest_memread(p.qts, T_OUT, is, sizeof(is));
    g_assert_cmpint(memcmp(was, is, sizeof(is)), !=, 0);
    read_entry(&p, &md);
    g_assert_cmphex(md.flags, ==, T_GPA | SNP_MDATA_VALID);

    buf = in_buf(&p);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &buf), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_BACK), ==, RMP_PRE_GUEST(T_ASID, T_GPA));
    g_assert_cmphex(psp_rmp_perms(&p, T_BACK), ==, PERMS);
    g_assert_cmphex(holds(&p, T_BACK), ==, 0x5a);
    read_entry(&p, &md);
    g_assert_cmphex(md.flags, ==, T_GPA);
    psp_stop(&p);
}

/*
 * A validated page stays validated, and SNP_PAGE_RECLAIM makes it the guest's.
 */
static void test_in_place(void)
{
    SnpBufSwap buf = out_buf();
    uint8_t data[0x1000];
    Psp p;

    start(&p);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), SUCCESS);
    qtest_memread(p.qts, T_OUT, data, sizeof(data));
    psp_set_rmp(&p, T_HV, RMP_HYPERVISOR);
    qtest_memwrite(p.qts, T_HV, data, sizeof(data));
    psp_set_rmp(&p, T_HV, RMP_PRE_GUEST(T_ASID, 0x1000));
    buf = in_buf(&p);
    buf.flags = SNP_SWAP_IN_PLACE;
    buf.src_paddr = T_HV;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &buf), INVALID_ADDRESS);
    buf.dst_paddr = T_HV;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &buf), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_HV), ==, PRE_SWAP(T_GPA));
    g_assert_cmphex(holds(&p, T_HV), ==, 0x5a);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_RECLAIM, T_HV), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_HV), ==, RMP_GUEST_VALID(T_ASID, T_GPA));
    psp_stop(&p);
}

/* An entry is valid once, and for its page only. */
static void test_entry(void)
{
    SnpBufSwap out = out_buf(), in;
    uint8_t byte;
    Psp p;

    start(&p);
    in = in_buf(&p);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), INVALID_MDATA_ENTRY);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &out), SUCCESS);
    in.flags = SNP_SWAP_TYPE_VMSA << 1;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), INVALID_MDATA_ENTRY);
    in.flags = SNP_SWAP_TYPE_METADATA << 1;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), INVALID_MDATA_ENTRY);
    in.flags = 0;

    byte = qtest_readb(p.qts, T_OUT + 0xfff);
    qtest_writeb(p.qts, T_OUT + 0xfff, byte ^ 1);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), BAD_MEASUREMENT);
    g_assert_cmphex(psp_rmp(&p, T_BACK), ==, RMP_PRE_GUEST(T_ASID, 0));
    qtest_writeb(p.qts, T_OUT + 0xfff, byte);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), SUCCESS);
    in = in_buf(&p);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), INVALID_MDATA_ENTRY);

    /*
     * Content that does not match the entry: another page, or an older version
     */
    psp_set_rmp(&p, T_PAGE, PRE_SWAP(T_GPA));
    fill(&p, T_PAGE, 0x66);
    out.dst_paddr = T_OUT2;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &out), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), BAD_MEASUREMENT);
    psp_stop(&p);
}

static void test_out_checks(void)
{
    static const uint64_t bad[] = {
        RMP_HYPERVISOR, RMP_FIRMWARE, RMP_GUEST_VALID(T_ASID, T_GPA),
        RMP_GUEST_VALID(T_ASID, T_GPA) & ~RMP_VALIDATED,
        PRE_SWAP(T_GPA) | RMP_VMSA, METADATA(T_GCTX),
    };
    SnpBufSwap buf = out_buf();
    size_t i;
    Psp p;

    start(&p);
    for (i = 0; i < 64; i++) {
        if (1ull << i & ~SNP_SWAP_OUT_FLAGS) {
            buf.flags = 1ull << i;
            psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), INVALID_PARAM);
        }
    }
    buf.flags = 3 << 1;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), INVALID_PARAM);
    buf.flags = 0;
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        psp_set_rmp(&p, T_PAGE, bad[i]);
        psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), INVALID_PAGE_STATE);
        g_assert_cmphex(psp_rmp(&p, T_PAGE), ==, bad[i]);
    }
    psp_set_rmp(&p, T_PAGE, PRE_SWAP(T_GPA));
    buf.flags = SNP_SWAP_TYPE_METADATA << 1;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), INVALID_PAGE_STATE);
    buf.flags = SNP_SWAP_TYPE_VMSA << 1;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), INVALID_PAGE_STATE);
    buf.flags = 0;
    psp_set_rmp(&p, T_PAGE, RMP_PRE_GUEST(T_ASID + 1, T_GPA));
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), INVALID_PAGE_OWNER);
    psp_set_rmp(&p, T_PAGE, PRE_SWAP(T_GPA));

    buf.dst_paddr = T_HV;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), INVALID_PAGE_STATE);
    buf.dst_paddr = T_OUT + 0x40;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), INVALID_PARAM);
    buf.dst_paddr = 0xfee00000;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), INVALID_ADDRESS);
    g_assert_cmphex(psp_rmp(&p, T_PAGE), ==, PRE_SWAP(T_GPA));
    psp_stop(&p);
}

static void test_in_checks(void)
{
    static const uint64_t bad[] = {
        RMP_HYPERVISOR, RMP_FIRMWARE, RMP_GUEST_VALID(T_ASID, 0),
        PRE_SWAP(0), METADATA(T_GCTX),
    };
    SnpBufSwap out = out_buf(), in;
    size_t i;
    Psp p;

    start(&p);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &out), SUCCESS);
    in = in_buf(&p);
    in.flags = SNP_SWAP_IN_FLAGS + 1;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), INVALID_PARAM);
    in.flags = 0;
    in.software_data = 1;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), INVALID_PARAM);
    in.software_data = 0;
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        psp_set_rmp(&p, T_BACK, bad[i]);
        psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), INVALID_PAGE_STATE);
        g_assert_cmphex(psp_rmp(&p, T_BACK), ==, bad[i]);
    }
    psp_set_rmp(&p, T_BACK, RMP_PRE_GUEST(T_ASID + 1, 0));
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), INVALID_PAGE_OWNER);
    psp_set_rmp(&p, T_BACK, RMP_PRE_GUEST(T_ASID, 0));
    in.dst_paddr += 8;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), INVALID_PARAM);
    in.dst_paddr -= 8;
    in.src_paddr = 0xfee00000;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), INVALID_ADDRESS);
    in.src_paddr = T_OUT;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &in), SUCCESS);
    psp_stop(&p);
}

/* Checks of the guest and of the place of the entry that both commands make */
static void test_common_checks(void)
{
    SnpBufSwap buf[2] = { out_buf() };
    static const uint32_t cmd[2] = {
        SEV_CMD_SNP_PAGE_SWAP_OUT, SEV_CMD_SNP_PAGE_SWAP_IN,
    };
    int i;
    Psp p;

    start(&p);
    buf[1] = in_buf(&p);
    new_guest(&p, T_GCTX2, T_ASID + 1);
    psp_assert(md_init(&p, T_GCTX2, T_MDATA2), SUCCESS);
    for (i = 0; i < 2; i++) {
        SnpBufSwap try;

#define TRY(field, value, status)                                       \
        do {                                                            \
            try = buf[i];                                               \
            try.field = value;                                          \
            psp_assert(psp_cmd(&p, cmd[i], &try, sizeof(try)), status); \
        } while (0)
        TRY(gctx_paddr, T_HV, INVALID_GUEST);
        TRY(mdata_paddr, T_ENTRY + 8, INVALID_PARAM);
        TRY(mdata_paddr, buf[i].src_paddr, INVALID_PARAM);
        TRY(mdata_paddr, buf[i].dst_paddr + 0xfc0, INVALID_PARAM);
        TRY(mdata_paddr, T_HV, INVALID_PAGE_STATE);
        TRY(mdata_paddr, T_MDATA2, INVALID_PAGE_OWNER);
        TRY(flags, SNP_SWAP_PAGE_2M | SNP_SWAP_TYPE_VMSA << 1,
            INVALID_PAGE_SIZE);
        TRY(flags, SNP_SWAP_PAGE_2M | SNP_SWAP_TYPE_METADATA << 1,
            INVALID_PAGE_SIZE);
        TRY(src_paddr, buf[i].src_paddr + 0x10, INVALID_PARAM);
#undef TRY
    }

    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_DECOMMISSION, T_GCTX2), SUCCESS);
    psp_gctx_create(&p, T_GCTX2);
    for (i = 0; i < 2; i++) {
        buf[i].gctx_paddr = T_GCTX2;
        psp_assert(psp_cmd(&p, cmd[i], &buf[i], sizeof(buf[i])),
                   INVALID_GUEST_STATE);
    }
    psp_assert(md_init(&p, T_GCTX2, T_MDATA2), INVALID_GUEST_STATE);
    psp_assert(psp_launch_start(&p, T_GCTX2, T_POLICY), SUCCESS);
    for (i = 0; i < 2; i++) {
        psp_assert(psp_cmd(&p, cmd[i], &buf[i], sizeof(buf[i])), INACTIVE);
    }
    psp_stop(&p);
}

/* Swap out metadata with the context; it is valid after it is swapped in. */
static void test_metadata(void)
{
    SnpBufSwap data = out_buf(), meta = out_buf();
    Psp p;

    start(&p);
    new_guest(&p, T_GCTX2, T_ASID + 1);
    psp_assert(md_init(&p, T_GCTX2, T_MDATA2), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &data), SUCCESS);

    meta.flags = SNP_SWAP_ROOT_MDATA | SNP_SWAP_TYPE_METADATA << 1;
    meta.mdata_paddr = 0;
    meta.dst_paddr = T_OUT2;
    meta.src_paddr = T_MDATA2;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &meta), INVALID_PAGE_OWNER);
    meta.src_paddr = T_MDATA;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &meta), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_MDATA), ==, RMP_FIRMWARE);
    qtest_memset(p.qts, T_MDATA, 0, 0x1000);

    /* Swap it in at another address */
    meta.src_paddr = T_OUT2;
    meta.dst_paddr = T_HV;
    meta.software_data = 0;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &meta), INVALID_PAGE_STATE);
    psp_set_rmp(&p, T_HV, RMP_FIRMWARE);
    meta.flags |= SNP_SWAP_IN_PLACE;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &meta), INVALID_PARAM);
    meta.flags &= ~SNP_SWAP_IN_PLACE;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &meta), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_HV), ==, METADATA(T_GCTX));
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &meta), INVALID_MDATA_ENTRY);
    data = in_buf(&p);
    data.mdata_paddr = T_HV + 0x40;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &data), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_BACK), ==, PRE_SWAP(T_GPA));
    g_assert_cmphex(holds(&p, T_BACK), ==, 0x5a);
    psp_stop(&p);
}

/* SNP_PAGE_MOVE works without help from the host. */
static void test_metadata_move(void)
{
    SnpBufSwap data = out_buf();
    SnpBufPageMove move = {
        .gctx_paddr = T_GCTX, .src_paddr = T_MDATA, .dst_paddr = T_HV,
    };
    Psp p;

    start(&p);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &data), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_PAGE_MOVE, &move), INVALID_PAGE_STATE);
    psp_set_rmp(&p, T_HV, RMP_FIRMWARE);
    new_guest(&p, T_GCTX2, T_ASID + 1);
    move.gctx_paddr = T_GCTX2;
    psp_assert(PSP_CMD(&p, SNP_PAGE_MOVE, &move), INVALID_PAGE_OWNER);
    move.gctx_paddr = T_GCTX;
    psp_assert(PSP_CMD(&p, SNP_PAGE_MOVE, &move), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_MDATA), ==, RMP_FIRMWARE);
    g_assert_cmphex(psp_rmp(&p, T_HV), ==, METADATA(T_GCTX));
    data = in_buf(&p);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &data), INVALID_PAGE_STATE);
    data.mdata_paddr = T_HV + 0x40;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &data), SUCCESS);
    psp_stop(&p);
}

/* A VMSA stays a VMSA, and no other page becomes one. */
static void test_vmsa(void)
{
    SnpBufSwap buf = out_buf();
    SnpMdata md;
    Psp p;

    start(&p);
    psp_set_rmp(&p, T_PAGE, PRE_SWAP(T_GPA) | RMP_VMSA);
    buf.flags = SNP_SWAP_TYPE_VMSA << 1;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), SUCCESS);
    read_entry(&p, &md);
    g_assert_cmphex(md.flags, ==, T_GPA | SNP_MDATA_VALID | SNP_MDATA_VMSA |
                    SNP_MDATA_PAGE_VALIDATED);
    buf = in_buf(&p);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &buf), INVALID_MDATA_ENTRY);
    buf.flags = SNP_SWAP_TYPE_VMSA << 1 | SNP_SWAP_IN_PLACE;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &buf), INVALID_PARAM);
    buf.flags = SNP_SWAP_TYPE_VMSA << 1;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &buf), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_BACK), ==, PRE_SWAP(T_GPA) | RMP_VMSA);
    psp_stop(&p);
}

static void test_2m(void)
{
    SnpBufSwap buf = out_buf();
    Psp p;

    start(&p);
    psp_set_rmp(&p, T_HUGE, PRE_SWAP(0x200000) | RMP_2M);
    fill(&p, T_HUGE + 0x1ff000, 0x77);
    buf.src_paddr = T_HUGE;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), INVALID_PAGE_SIZE);
    buf.flags = SNP_SWAP_PAGE_2M;
    buf.dst_paddr = T_HUGE_OUT;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), INVALID_PAGE_SIZE);
    psp_set_rmp(&p, T_HUGE_OUT, RMP_FIRMWARE | RMP_2M);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), SUCCESS);

    buf = in_buf(&p);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &buf), INVALID_PAGE_SIZE);
    buf.flags = SNP_SWAP_PAGE_2M;
    buf.src_paddr = T_HUGE_OUT;
    buf.dst_paddr = T_HUGE2;
    psp_set_rmp(&p, T_HUGE2, RMP_PRE_GUEST(T_ASID, 0x400000));
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &buf), INVALID_PAGE_SIZE);
    psp_set_rmp(&p, T_HUGE2, RMP_PRE_GUEST(T_ASID, 0x400000) | RMP_2M);
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &buf), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_HUGE2), ==, PRE_SWAP(0x200000) | RMP_2M);
    g_assert_cmphex(holds(&p, T_HUGE2 + 0x1ff000), ==, 0x77);
    psp_stop(&p);
}

/*
 * Memory that the RMP does not cover can receive swapped-out data, but no page
 * can be swapped in there.
 */
static void test_default_pages(void)
{
    SnpBufSwap buf = out_buf();
    Psp p;

    psp_start(&p, ",x-ignore=iommu");
    /* Entries for 252 of the 256 MiB */
    psp_wrmsr(&p, MSR_RMP_END, p.rmp + 0xfffff);
    psp_snp_init(&p);
    new_guest(&p, T_GCTX, T_ASID);
    psp_assert(md_init(&p, T_GCTX, T_MDATA), SUCCESS);
    psp_set_rmp(&p, T_PAGE, PRE_SWAP(T_GPA));
    fill(&p, T_PAGE, 0x5a);
    buf.dst_paddr = T_UNCOVERED;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), SUCCESS);
    buf.src_paddr = T_UNCOVERED + 0x1000;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_OUT, &buf), INVALID_PAGE_STATE);
    buf = in_buf(&p);
    buf.src_paddr = T_UNCOVERED;
    buf.dst_paddr = T_UNCOVERED + 0x1000;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &buf), INVALID_PAGE_STATE);
    buf.dst_paddr = T_BACK;
    psp_assert(PSP_CMD(&p, SNP_PAGE_SWAP_IN, &buf), SUCCESS);
    g_assert_cmphex(holds(&p, T_BACK), ==, 0x5a);
    psp_stop(&p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/amd-psp/swap/data", test_data);
    qtest_add_func("/amd-psp/swap/in-place", test_in_place);
    qtest_add_func("/amd-psp/swap/entry", test_entry);
    qtest_add_func("/amd-psp/swap/out-checks", test_out_checks);
    qtest_add_func("/amd-psp/swap/in-checks", test_in_checks);
    qtest_add_func("/amd-psp/swap/common-checks", test_common_checks);
    qtest_add_func("/amd-psp/swap/metadata", test_metadata);
    qtest_add_func("/amd-psp/swap/metadata-move", test_metadata_move);
    qtest_add_func("/amd-psp/swap/vmsa", test_vmsa);
    qtest_add_func("/amd-psp/swap/2m", test_2m);
    qtest_add_func("/amd-psp/swap/default-pages", test_default_pages);
    return g_test_run();
}
