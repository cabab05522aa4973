/*
 * VMX tests: a script of SEAMCALLs, and what a module answers in a TD's life
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "script.h"

#define FREE_GPA        0x40000000ULL   /* no page, and no table below it */
#define MAPPED_GPA      ((u64)page_of_td)

static u64 PAGE_ALIGNED params[512], buffer[512], page_of_td[512];
static struct td td;

/* Operands: the TD's TDR, its vCPU, a page that nobody has, GPAs */
enum { ZERO, TDR, VP, PG, GPA, GPA2M, MAPPED, MEM, ONE, BAD, KEYED, FIELD };

static u64 operand(int kind)
{
    switch (kind) {
    case TDR:
        return td.tdr;
    case VP:
        return td.vp[0] ? td.vp[0] : td.next + 64 * PAGE;
    case PG:
        return td.next + 32 * PAGE;
    case GPA:
        return FREE_GPA;
    case GPA2M:
        return FREE_GPA | 1;
    case MAPPED:
        return MAPPED_GPA;
    case MEM:
        return (u64)buffer;
    case ONE:
        return 1;
    case BAD:
        return BIT(52) + 5;
    case KEYED:
        return td.next + 32 * PAGE + (40ULL << 46);
    case FIELD:
        return 0x1110000300000000ULL;
    default:
        return 0;
    }
}

static const struct {
    u8 leaf, cx, dx, r8, r9;
} probes[] = {
    { TDH_MNG_CREATE, PG, ZERO }, { TDH_MNG_CREATE, TDR, ONE },
    { TDH_MNG_CREATE, BAD, ONE }, { TDH_MNG_CREATE, KEYED, ONE },
    { TDH_MNG_CREATE, ONE, ONE }, { TDH_MNG_CREATE, MEM, ONE },
    { TDH_MNG_KEY_CONFIG, PG }, { TDH_MNG_KEY_CONFIG, ONE },
    { TDH_MNG_KEY_CONFIG, BAD }, { TDH_MNG_KEY_CONFIG, VP },
    { TDH_MNG_ADDCX, PG, PG }, { TDH_MNG_ADDCX, TDR, TDR },
    { TDH_MNG_ADDCX, MEM, TDR }, { TDH_MNG_ADDCX, ONE, TDR },
    { TDH_MNG_ADDCX, BAD, TDR }, { TDH_MNG_ADDCX, KEYED, TDR },
    { TDH_MNG_ADDCX, PG, BAD },
    { TDH_MNG_INIT, TDR, ONE }, { TDH_MNG_INIT, TDR, BAD },
    { TDH_MNG_INIT, TDR, MEM }, { TDH_MNG_INIT, PG, MEM },
    { TDH_MNG_RD, TDR, FIELD }, { TDH_MNG_RD, PG, FIELD },
    { TDH_MNG_RD, TDR, ZERO }, { TDH_MNG_WR, TDR, FIELD, ZERO, ONE },
    { TDH_MNG_WR, TDR, FIELD, ZERO, ZERO }, { TDH_MNG_WR, TDR, ZERO },
    { TDH_VP_CREATE, TDR, TDR }, { TDH_VP_CREATE, MEM, TDR },
    { TDH_VP_CREATE, ONE, TDR }, { TDH_VP_CREATE, PG, PG },
    { TDH_VP_CREATE, KEYED, TDR },
    { TDH_VP_ADDCX, PG, PG }, { TDH_VP_ADDCX, TDR, VP },
    { TDH_VP_ADDCX, MEM, VP }, { TDH_VP_ADDCX, ONE, VP },
    { TDH_VP_ADDCX, PG, TDR },
    { TDH_VP_INIT, PG }, { TDH_VP_INIT, TDR }, { TDH_VP_INIT, ONE },
    { TDH_VP_ENTER, PG }, { TDH_VP_ENTER, TDR }, { TDH_VP_ENTER, BAD },
    { TDH_VP_FLUSH, PG }, { TDH_VP_FLUSH, TDR }, { TDH_VP_FLUSH, ONE },
    { TDH_VP_RD, VP, ZERO }, { TDH_VP_RD, PG, ZERO }, { TDH_VP_RD, TDR, ZERO },
    { TDH_VP_WR, VP, ZERO }, { TDH_VP_WR, PG, ZERO },
    { TDH_MEM_SEPT_ADD, GPA, TDR, PG }, { TDH_MEM_SEPT_ADD, GPA2M, TDR, PG },
    { TDH_MEM_SEPT_ADD, MAPPED, TDR, PG }, { TDH_MEM_SEPT_ADD, GPA2M, PG, PG },
    { TDH_MEM_SEPT_ADD, BAD, TDR, PG }, { TDH_MEM_SEPT_ADD, GPA2M, TDR, BAD },
    { TDH_MEM_SEPT_ADD, GPA2M, TDR, TDR },
    { TDH_SEPT_RD, GPA, TDR }, { TDH_SEPT_RD, GPA2M, TDR },
    { TDH_SEPT_RD, MAPPED, TDR }, { TDH_SEPT_RD, BAD, TDR },
    { TDH_SEPT_RD, GPA, PG },
    { TDH_MEM_SEPT_REMOVE, GPA, TDR }, { TDH_MEM_SEPT_REMOVE, GPA2M, TDR },
    { TDH_MEM_SEPT_REMOVE, MAPPED, TDR },
    { TDH_MEM_PAGE_ADD, GPA, TDR, PG, MEM }, { TDH_MEM_PAGE_ADD, GPA2M, TDR },
    { TDH_MEM_PAGE_ADD, MAPPED, TDR, PG, MEM },
    { TDH_MEM_PAGE_ADD, GPA, TDR, TDR, MEM },
    { TDH_MEM_PAGE_ADD, GPA, TDR, PG, ONE },
    { TDH_MEM_PAGE_ADD, BAD, TDR, PG, MEM },
    { TDH_MEM_PAGE_AUG, GPA, TDR, PG }, { TDH_MEM_PAGE_AUG, GPA2M, TDR, PG },
    { TDH_MEM_PAGE_AUG, MAPPED, TDR, PG }, { TDH_MEM_PAGE_AUG, GPA, TDR, MEM },
    { TDH_MEM_PAGE_AUG, GPA, TDR, TDR }, { TDH_MEM_PAGE_AUG, BAD, TDR, PG },
    { TDH_MEM_RANGE_BLOCK, GPA, TDR }, { TDH_MEM_RANGE_BLOCK, GPA2M, TDR },
    { TDH_MEM_RANGE_BLOCK, BAD, TDR }, { TDH_MEM_RANGE_BLOCK, GPA, PG },
    { TDH_MEM_RANGE_UNBLOCK, GPA, TDR }, { TDH_MEM_RANGE_UNBLOCK, MAPPED, TDR },
    { TDH_MEM_PAGE_REMOVE, GPA, TDR }, { TDH_MEM_PAGE_REMOVE, MAPPED, TDR },
    { TDH_MEM_PAGE_REMOVE, GPA2M, TDR },
    { TDH_MEM_PAGE_RELOCATE, GPA, TDR, PG },
    { TDH_MEM_PAGE_RELOCATE, MAPPED, TDR, PG },
    { TDH_MEM_PAGE_PROMOTE, GPA2M, TDR }, { TDH_MEM_PAGE_PROMOTE, GPA, TDR },
    { TDH_MEM_PAGE_PROMOTE, MAPPED, TDR },
    { TDH_MEM_PAGE_DEMOTE, GPA2M, TDR, PG },
    { TDH_MEM_PAGE_DEMOTE, MAPPED, TDR, PG },
    { TDH_MEM_TRACK, PG }, { TDH_MEM_TRACK, BAD }, { TDH_MEM_TRACK, VP },
    { TDH_MEM_RD, GPA, TDR }, { TDH_MEM_RD, MAPPED, TDR },
    { TDH_MEM_RD, ONE, TDR }, { TDH_MEM_WR, GPA, TDR },
    { TDH_MEM_WR, MAPPED, TDR },
    { TDH_MR_EXTEND, GPA, TDR }, { TDH_MR_EXTEND, ONE, TDR },
    { TDH_MR_EXTEND, GPA, PG }, { TDH_MR_FINALIZE, PG },
    { TDH_MNG_VPFLUSHDONE, PG }, { TDH_MNG_VPFLUSHDONE, BAD },
    { TDH_MNG_KEY_FREEID, TDR }, { TDH_MNG_KEY_FREEID, PG },
    { TDH_MNG_KEY_RECLAIMID, TDR },
    { TDH_PHYMEM_PAGE_RDMD, TDR }, { TDH_PHYMEM_PAGE_RDMD, PG },
    { TDH_PHYMEM_PAGE_RDMD, MEM }, { TDH_PHYMEM_PAGE_RDMD, ONE },
    { TDH_PHYMEM_PAGE_RDMD, BAD }, { TDH_PHYMEM_PAGE_RDMD, VP },
    { TDH_PHYMEM_PAGE_RECLAIM, TDR }, { TDH_PHYMEM_PAGE_RECLAIM, PG },
    { TDH_PHYMEM_PAGE_RECLAIM, MEM }, { TDH_PHYMEM_PAGE_RECLAIM, ONE },
    { TDH_PHYMEM_PAGE_RECLAIM, VP },
    { TDH_PHYMEM_PAGE_WBINVD, TDR }, { TDH_PHYMEM_PAGE_WBINVD, PG },
    { TDH_PHYMEM_PAGE_WBINVD, MEM }, { TDH_PHYMEM_PAGE_WBINVD, ONE },
    { TDH_PHYMEM_PAGE_WBINVD, KEYED },
    { TDH_PHYMEM_CACHE_WB, ONE }, { TDH_PHYMEM_CACHE_WB, BAD },
};

static void probe(const char *what)
{
    int i;

    stage = what;
    for (i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
        call(probes[i].leaf, operand(probes[i].cx), operand(probes[i].dx),
             operand(probes[i].r8), operand(probes[i].r9));
    }
}

static void good_params(void)
{
    memset(params, 0, sizeof(params));
    params[1] = 3;
    params[2] = TD_VCPUS;
    params[3] = 3 << 3 | 6;
    params[5] = 40;
}

static void bad_params(int word, u64 val)
{
    good_params();
    params[word] = val;
    call(TDH_MNG_INIT, td.tdr, (u64)params, 0, 0);
}

/* Each must fail: a TD is initialized once. */
static void test_params(void)
{
    int i;

    stage = "params";
    bad_params(0, BIT(1));
    bad_params(0, BIT(2));
    bad_params(0, BIT(20));
    bad_params(0, BIT(40));
    bad_params(1, 0);
    bad_params(1, 1);
    bad_params(1, 3 | BIT(3));
    bad_params(1, 3 | BIT(5));
    bad_params(1, 3 | BIT(13));
    bad_params(1, 3 | BIT(17));
    bad_params(1, 3 | BIT(40));
    bad_params(2, 0);
    bad_params(2, BIT(16));
    bad_params(3, 3 << 3);
    bad_params(3, 2 << 3 | 6);
    bad_params(3, 5 << 3 | 6);
    bad_params(3, 3 << 3 | 6 | BIT(6));
    bad_params(3, 3 << 3 | 6 | BIT(20));
    bad_params(4, BIT(10));
    bad_params(4, 1);
    bad_params(5, 0);
    bad_params(5, 3);
    bad_params(5, 401);
    for (i = 6; i < 10; i++) {
        bad_params(i, 1);
    }
    bad_params(32, 1);
}

static void test_create(void)
{
    int i;

    stage = "create";
    td = (struct td) { .hkid = SCRIPT_HKID, .first = TDMR + BIT(25) };
    td.next = td.first;
    call(TDH_MNG_CREATE, td.first, 31, 0, 0);
    call(TDH_MNG_CREATE, td.first, 64, 0, 0);
    call(TDH_MNG_CREATE, td.first, GLOBAL_HKID, 0, 0);
    call(TDH_MNG_CREATE, td.first, SCRIPT_HKID | BIT(16), 0, 0);
    call(TDH_MNG_CREATE, td.first, SCRIPT_HKID | BIT(40), 0, 0);
    td.tdr = td_page(&td);
    call(TDH_MNG_CREATE, td.tdr, SCRIPT_HKID, 0, 0);
    probe("created");
    call(TDH_MNG_KEY_CONFIG, td.tdr, 0, 0, 0);
    call(TDH_MNG_KEY_CONFIG, td.tdr, 0, 0, 0);
    probe("keyed");
    for (i = 0; i < 6; i++) {
        call(TDH_MNG_ADDCX, td_page(&td), td.tdr, 0, 0);
        if (i == 2) {
            good_params();
            call(TDH_MNG_INIT, td.tdr, (u64)params, 0, 0);
        }
    }
    probe("allocated");
    test_params();
    good_params();
    call(TDH_MNG_INIT, td.tdr, (u64)params + 8, 0, 0);
    call(TDH_MNG_INIT | VERSION(1), td.tdr, (u64)params, 0, 0);
    check_eq(call(TDH_MNG_INIT, td.tdr, (u64)params, 0, 0), 0,
             "TDH.MNG.INIT");
    call(TDH_MNG_INIT, td.tdr, (u64)params, 0, 0);
    probe("initialized");
}

static void test_sept(void)
{
    u64 gpa = MAPPED_GPA, page;

    stage = "sept";
    call(TDH_MEM_SEPT_ADD, gpa | 3, td.tdr, td_page(&td), 0);
    call(TDH_MEM_SEPT_ADD, (gpa & -BIT(39)) | 4, td.tdr, td_page(&td), 0);
    call(TDH_MEM_SEPT_ADD, (gpa & -BIT(39)) | 3, td.tdr, td_page(&td), 0);
    call(TDH_MEM_SEPT_ADD, (gpa & -BIT(39)) | 3, td.tdr, td_page(&td), 0);
    call(TDH_MEM_SEPT_ADD | VERSION(1), (gpa & -BIT(30)) | 2, td.tdr,
         td_page(&td), 0);
    call(TDH_MEM_SEPT_ADD | VERSION(2), (gpa & -BIT(30)) | 2, td.tdr,
         td_page(&td), 0);
    call(TDH_MEM_SEPT_ADD, (gpa & -BIT(30)) | 2, td.tdr, td_page(&td), 0);
    call(TDH_MEM_SEPT_ADD, (gpa & -BIT(21)) | 1, td.tdr, td_page(&td), 0);
    call(TDH_MEM_SEPT_ADD, SHARED | 3, td.tdr, td_page(&td), 0);
    call(TDH_MEM_SEPT_ADD, BIT(48) | 3, td.tdr, td_page(&td), 0);
    page = td_page(&td);
    call(TDH_MEM_PAGE_ADD, gpa, td.tdr, page, BIT(46) - PAGE);
    call(TDH_MEM_PAGE_ADD, gpa, td.tdr, page, TDMR);
    call(TDH_MEM_PAGE_ADD, gpa, td.tdr, page, (u64)page_of_td);
    call(TDH_MEM_PAGE_ADD, gpa, td.tdr, td_page(&td), (u64)page_of_td);
    call(TDH_MR_EXTEND, gpa, td.tdr, 0, 0);
    call(TDH_MR_EXTEND, gpa + 128, td.tdr, 0, 0);
    call(TDH_MR_EXTEND | VERSION(1), gpa, td.tdr, 0, 0);
    probe("mapped");
}

static void test_vcpu(void)
{
    int i;

    stage = "vcpu";
    td.vp[0] = td_page(&td);
    call(TDH_VP_CREATE, td.vp[0], td.tdr, 0, 0);
    call(TDH_VP_CREATE, td.vp[0], td.tdr, 0, 0);
    call(TDH_VP_INIT, td.vp[0], 0, 0, 0);
    probe("vp.created");
    for (i = 1; i < 6; i++) {
        call(TDH_VP_ADDCX, td_page(&td), td.vp[0], 0, 0);
    }
    call(TDH_VP_INIT | VERSION(2), td.vp[0], 0x1234, 0, 0);
    call(TDH_VP_INIT | VERSION(1), td.vp[0], 0x1234, BIT(32), 0);
    call(TDH_VP_INIT | VERSION(1), td.vp[0], 0x1234, 7, 0);
    call(TDH_VP_INIT | VERSION(1), td.vp[0], 0x1234, 7, 0);
    probe("vp.init");
    stage = "vcpu";
    call(TDH_VP_FLUSH, td.vp[0], 0, 0, 0);
    call(TDH_VP_FLUSH, td.vp[0], 0, 0, 0);
    call(TDH_VP_ENTER, td.vp[0], 0, 0, 0);
}

static const u64 vp_fields[] = {
    0x0020000100000000ULL, 0x0020000100000002ULL, 0x0020000100000810ULL,
    0x0020000300002004ULL, 0x0020000300002010ULL, 0x0020000300002016ULL,
    0x002000030000201aULL, 0x002000030000203cULL, 0x0020000300002800ULL,
    0x0020000300002806ULL, 0x0020000200004000ULL, 0x0020000200004002ULL,
    0x0020000200004004ULL, 0x000000020000401eULL, 0x002000020000401eULL,
    0x0020000200004024ULL, 0x0020000200004402ULL, 0x0020000200004824ULL,
    0x0020000300006000ULL, 0x0020000300006800ULL, 0x0020000300006804ULL,
    0x002000030000681eULL, 0x0020000300006c16ULL, 0x2020000000000000ULL,
    0x202000000000000bULL, 0x2020000300000002ULL, 0x1120000300000100ULL,
    0x1120000300000000ULL, 0x9120000300000100ULL, 0x1020000300000000ULL,
    0x1220000300000000ULL, 0x1320000300000000ULL, 0x0120000300000000ULL,
    0x0220000300000000ULL, 0xa020000300000001ULL,
};

static void test_vp_fields(const char *what)
{
    int i;

    stage = what;
    for (i = 0; i < sizeof(vp_fields) / sizeof(vp_fields[0]); i++) {
        call(TDH_VP_RD, td.vp[0], vp_fields[i], 0, 0);
        call(TDH_VP_WR, td.vp[0], vp_fields[i], 0, 0);
        call(TDH_VP_WR, td.vp[0], vp_fields[i], 1, 1);
        call(TDH_VP_WR, td.vp[0], vp_fields[i], 0, 1);
    }
}

static const u64 td_fields[] = {
    0x8010000000000000ULL, 0x8010000200000001ULL, 0x8010000100000003ULL,
    0x0110000000000000ULL, 0x0110000100000001ULL, 0x1110000300000000ULL,
    0x1110000300000001ULL, 0x9110000200000002ULL, 0x9110000200000004ULL,
    0x111000030000000aULL, 0x111000030000000bULL, 0x1110000300000016ULL,
    0x1110000300000017ULL, 0x9010000300000001ULL, 0x9410000300000000ULL,
    0x9410000300000002ULL, 0x9410000301000000ULL, 0x9410000300800000ULL,
    0x9810000300000000ULL, 0x9910000300000000ULL, 0x9a10000300000000ULL,
    0x9b10000300000000ULL, 0x9c10000300000000ULL, 0x9d10000300000000ULL,
    0x2010000300000000ULL, 0x9610000300000000ULL, 0x9710000300000000ULL,
};

static void test_td_fields(const char *what)
{
    int i;

    stage = what;
    for (i = 0; i < sizeof(td_fields) / sizeof(td_fields[0]); i++) {
        call(TDH_MNG_RD, td.tdr, td_fields[i], 0, 0);
        call(TDH_MNG_RD | VERSION(1), td.tdr, td_fields[i], 0, 0);
        call(TDH_MNG_WR, td.tdr, td_fields[i], 0, 0);
        call(TDH_MNG_WR, td.tdr, td_fields[i], 1, 1);
    }
}

static void test_pages(void)
{
    u64 pa = td_page(&td), other = td_page(&td), gpa = FREE_GPA;

    stage = "pages";
    td_sept(&td, gpa, 0);
    call(TDH_MEM_PAGE_AUG, gpa, td.tdr, pa, 0);
    call(TDH_MEM_PAGE_AUG, gpa, td.tdr, other, 0);
    call(TDH_SEPT_RD, gpa, td.tdr, 0, 0);
    call(TDH_PHYMEM_PAGE_RDMD, pa, 0, 0, 0);
    call(TDH_MEM_PAGE_REMOVE, gpa, td.tdr, 0, 0);
    call(TDH_MEM_PAGE_RELOCATE, gpa, td.tdr, other, 0);
    call(TDH_MEM_RANGE_UNBLOCK, gpa, td.tdr, 0, 0);
    call(TDH_MEM_RANGE_BLOCK, gpa, td.tdr, 0, 0);
    call(TDH_MEM_RANGE_BLOCK, gpa, td.tdr, 0, 0);
    call(TDH_SEPT_RD, gpa, td.tdr, 0, 0);
    call(TDH_PHYMEM_PAGE_RDMD, pa, 0, 0, 0);
    call(TDH_MEM_PAGE_REMOVE, gpa, td.tdr, 0, 0);
    call(TDH_MEM_PAGE_RELOCATE, gpa, td.tdr, other, 0);
    call(TDH_MEM_PAGE_AUG, gpa, td.tdr, other, 0);
    call(TDH_MEM_RANGE_UNBLOCK, gpa, td.tdr, 0, 0);
    call(TDH_MEM_TRACK, td.tdr, 0, 0, 0);
    call(TDH_MEM_PAGE_RELOCATE, gpa, td.tdr, other, 0);
    call(TDH_SEPT_RD, gpa, td.tdr, 0, 0);
    call(TDH_MEM_RANGE_BLOCK, gpa, td.tdr, 0, 0);
    call(TDH_MEM_TRACK, td.tdr, 0, 0, 0);
    call(TDH_MEM_PAGE_REMOVE, gpa, td.tdr, 0, 0);
    call(TDH_SEPT_RD, gpa, td.tdr, 0, 0);
    call(TDH_PHYMEM_PAGE_WBINVD, other | (u64)SCRIPT_HKID << 46, 0, 0, 0);
    call(TDH_MEM_PAGE_AUG, gpa, td.tdr, other, 0);
    /* The table, with a page in it and without */
    call(TDH_MEM_RANGE_BLOCK, gpa | 1, td.tdr, 0, 0);
    call(TDH_MEM_RANGE_BLOCK, gpa, td.tdr, 0, 0);
    call(TDH_MEM_TRACK, td.tdr, 0, 0, 0);
    call(TDH_MEM_SEPT_REMOVE, gpa | 1, td.tdr, 0, 0);
    call(TDH_MEM_PAGE_PROMOTE, gpa | 1, td.tdr, 0, 0);
    call(TDH_MEM_RANGE_UNBLOCK, gpa | 1, td.tdr, 0, 0);
    call(TDH_MEM_RANGE_BLOCK, gpa, td.tdr, 0, 0);
    call(TDH_MEM_TRACK, td.tdr, 0, 0, 0);
    call(TDH_MEM_PAGE_REMOVE, gpa, td.tdr, 0, 0);
    call(TDH_MEM_RANGE_BLOCK, gpa | 1, td.tdr, 0, 0);
    call(TDH_MEM_TRACK, td.tdr, 0, 0, 0);
    call(TDH_SEPT_RD, gpa | 1, td.tdr, 0, 0);
    call(TDH_MEM_SEPT_REMOVE, gpa | 1, td.tdr, 0, 0);
    call(TDH_SEPT_RD, gpa | 1, td.tdr, 0, 0);
    /* 2 MiB */
    pa = (td_page(&td) + LARGE) & -LARGE;
    td.next = pa + LARGE;
    call(TDH_MEM_PAGE_AUG, gpa | 1, td.tdr, pa + PAGE, 0);
    call(TDH_MEM_PAGE_AUG, gpa | 1, td.tdr, pa, 0);
    call(TDH_SEPT_RD, gpa | 1, td.tdr, 0, 0);
    call(TDH_SEPT_RD, gpa, td.tdr, 0, 0);
    call(TDH_PHYMEM_PAGE_RDMD, pa + PAGE, 0, 0, 0);
    call(TDH_MEM_PAGE_REMOVE, gpa, td.tdr, 0, 0);
    call(TDH_MEM_PAGE_DEMOTE, gpa | 1, td.tdr, td_page(&td), 0);
    call(TDH_MEM_RANGE_BLOCK, gpa, td.tdr, 0, 0);
    call(TDH_MEM_RANGE_BLOCK, gpa | 1, td.tdr, 0, 0);
    call(TDH_MEM_PAGE_DEMOTE, gpa | 1, td.tdr, td_page(&td), 0);
    call(TDH_MEM_TRACK, td.tdr, 0, 0, 0);
    call(TDH_MEM_PAGE_DEMOTE, gpa | 1, td.tdr, pa, 0);
    call(TDH_MEM_PAGE_DEMOTE, gpa | 1, td.tdr, td_page(&td), 0);
    call(TDH_SEPT_RD, gpa | 1, td.tdr, 0, 0);
    call(TDH_SEPT_RD, gpa, td.tdr, 0, 0);
    call(TDH_MEM_RANGE_BLOCK, gpa | 1, td.tdr, 0, 0);
    call(TDH_MEM_TRACK, td.tdr, 0, 0, 0);
    call(TDH_MEM_PAGE_PROMOTE, gpa | 1, td.tdr, 0, 0);
    call(TDH_SEPT_RD, gpa | 1, td.tdr, 0, 0);
    call(TDH_MEM_RANGE_BLOCK, gpa | 1, td.tdr, 0, 0);
    call(TDH_MEM_TRACK, td.tdr, 0, 0, 0);
    call(TDH_MEM_PAGE_REMOVE, gpa | 1, td.tdr, 0, 0);
}

static void test_end(void)
{
    u64 pa;

    probe("final");
    stage = "end";
    call(TDH_VP_FLUSH, td.vp[0], 0, 0, 0);
    call(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0);
    call(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0);
    probe("blocked");
    stage = "end";
    call(TDH_PHYMEM_CACHE_WB, 2, 0, 0, 0);
    call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0);
    call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0);
    call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0);
    call(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0);
    probe("teardown");
    stage = "reclaim";
    for (pa = td.first + PAGE; pa < td.next; pa += PAGE) {
        call(TDH_PHYMEM_PAGE_RECLAIM, pa, 0, 0, 0);
    }
    call(TDH_PHYMEM_PAGE_RECLAIM, td.tdr, 0, 0, 0);
    call(TDH_PHYMEM_PAGE_RECLAIM, td.tdr, 0, 0, 0);
    call(TDH_PHYMEM_PAGE_RDMD, td.tdr, 0, 0, 0);
}

void test_main(void)
{
    td_module_start();
    test_create();
    test_sept();
    stage = "mng.rd";
    call_fields(TDH_MNG_RD | VERSION(1), td.tdr);
    test_td_fields("td.fields");
    test_vcpu();
    stage = "vp.rd";
    call_fields(TDH_VP_RD | VERSION(1), td.vp[0]);
    test_vp_fields("vp.fields");
    test_pages();
    stage = "finalize";
    call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0);
    call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0);
    test_pages();
    test_end();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
