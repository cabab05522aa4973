/*
 * VMX tests: a script of SEAMCALLs, and what a module answers
 *
 * It prints all calls with their results, to be compared with what another
 * module answers. The checks are only that the script gets to its end.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

#define TDH_MNG_RD              11
#define TDH_MNG_WR              13
#define TDH_SEPT_RD             25
#define TDH_MNG_KEY_RECLAIMID   27
#define TDH_SYS_INFO            32
#define TDH_SYS_RD              34
#define TDH_SYS_RDALL           37
#define TDH_SYS_SHUTDOWN        52
#define TDH_SYS_UPDATE          53
#define TDH_SYS_DISABLE         69
#define LEAVES                  80
#define VERSION(n)              ((u64)(n) << 16)

#define TDMR            BIT(30)
#define PAMT            (TDMR - 8 * LARGE)
#define HKID            41
#define FREE_GPA        0x40000000ULL   /* no page, and no table below it */
#define MAPPED_GPA      ((u64)page_of_td)
#define NR_FIELDS       4000
#define NO_FIELD        (~0ULL)

static u64 PAGE_ALIGNED list[512], info[512], params[512], buffer[512];
static u64 PAGE_ALIGNED page_of_td[512];
static struct td td;
static const char *stage;

/* Registers that calls return something in */
static const struct {
    int reg;
    const char *name;
} outs[] = {
    { RCX, "rcx" }, { RDX, "rdx" }, { R8, "r8" }, { R9, "r9" }, { R10, "r10" },
    { R11, "r11" }, { R12, "r12" }, { R13, "r13" }, { R14, "r14" },
    { R15, "r15" }, { RBX, "rbx" }, { RSI, "rsi" }, { RDI, "rdi" },
    { RBP, "rbp" },
};

static void print_result(const struct td_regs *r, const struct td_regs *before)
{
    int i;

    printf(" = %lx", r->r[RAX]);
    for (i = 0; i < sizeof(outs) / sizeof(outs[0]); i++) {
        int reg = outs[i].reg;

        if (r->r[reg] != before->r[reg]) {
            printf(" %s=%lx", outs[i].name, r->r[reg]);
        }
    }
    printf("\n");
}

static u64 call_regs(struct td_regs *r)
{
    struct td_regs before;
    int i;

    for (i = R10; i <= R15; i++) {
        r->r[i] = 0xc0de00 + i;
    }
    r->r[RBX] = r->r[RSI] = r->r[RDI] = r->r[RBP] = 0xc0de77;
    before = *r;
    seam_regs(r);
    printf("> %s: %lx %lx %lx %lx %lx", stage, before.r[RAX], before.r[RCX],
           before.r[RDX], before.r[R8], before.r[R9]);
    print_result(r, &before);
    return r->r[RAX];
}

static u64 call(u64 leaf, u64 cx, u64 dx, u64 r8, u64 r9)
{
    struct td_regs r = {
        .r = { [RAX] = leaf, [RCX] = cx, [RDX] = dx, [R8] = r8, [R9] = r9 },
    };

    return call_regs(&r);
}

/* Leaves that end something, or that one machine can do once */
static bool harmless(u64 leaf)
{
    return leaf != TDH_SYS_SHUTDOWN && leaf != TDH_SYS_DISABLE &&
           leaf != TDH_SYS_INIT && leaf != TDH_SYS_LP_INIT &&
           leaf != TDH_SYS_KEY_CONFIG && leaf != 44 /* LP.SHUTDOWN */;
}

static void all_leaves(const char *what)
{
    u64 leaf;

    stage = what;
    for (leaf = 0; leaf < LEAVES; leaf++) {
        if (harmless(leaf)) {
            call(leaf, 0, 0, 0, 0);
        }
    }
}

/* --- the module --- */

static void read_fields(void)
{
    struct td_regs r = { .r = { [RAX] = TDH_SYS_RD, [RDX] = NO_FIELD } };
    int i;

    stage = "sys.rd";
    for (i = 0; i < NR_FIELDS; i++) {
        u64 id = r.r[RDX];

        r.r[RAX] = TDH_SYS_RD;
        r.r[RCX] = r.r[R8] = r.r[R9] = 0;
        call_regs(&r);
        if ((r.r[RAX] & BIT(63)) || r.r[RDX] == id || r.r[RDX] == NO_FIELD) {
            break;
        }
    }
    check(i > 10, "the module has fields");
    call(TDH_SYS_RD, 1, 0, 0, 0);
    call(TDH_SYS_RD, 0, 0x0a00000300000008ULL, 0, 0);
    call(TDH_SYS_RD, 0, 0x0a00000200000008ULL, 0, 0);
    call(TDH_SYS_RD, 0, 0x0a00000310000008ULL, 0, 0);
    call(TDH_SYS_RD, 0, 0x8a00000300000008ULL, 0, 0);
    call(TDH_SYS_RD, 0, 0x0a00000300004008ULL, 0, 0);
    call(TDH_SYS_RD, 0, 0x0a04000300000008ULL, 0, 0);
    call(TDH_SYS_RD, 0, 0x3f00000300000008ULL, 0, 0);
    call(TDH_SYS_RDALL, 0, (u64)buffer + 8, NO_FIELD, 0);
    call(TDH_SYS_RDALL, 0, BIT(60), NO_FIELD, 0);
    call(TDH_SYS_RDALL, 0, (u64)buffer, 5, 0);
    call(TDH_SYS_RDALL, 0, (u64)buffer, NO_FIELD, 0);
    call(TDH_SYS_INFO, (u64)buffer, 1024, (u64)list, 32);
    call(TDH_SYS_UPDATE, 0, 0, 0, 0);
}

static void good_info(void)
{
    static const u64 sizes[3] = { PAGE, 2 * PAGE, 2 * LARGE };
    u64 pamt = PAMT;
    int i;

    memset(info, 0, sizeof(info));
    memset(list, 0, sizeof(list));
    info[0] = TDMR;
    info[1] = BIT(30);
    for (i = 2; i >= 0; i--) {
        info[2 + 2 * i] = pamt;
        info[3 + 2 * i] = sizes[i];
        pamt += sizes[i];
    }
    list[0] = (u64)info;
}

/* One word of TDMR_INFO is something else. */
static void bad_info(int word, u64 val)
{
    good_info();
    info[word] = val;
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
}

static void bad_reserved(u64 offset, u64 size, u64 offset2, u64 size2)
{
    good_info();
    info[8] = offset;
    info[9] = size;
    info[10] = offset2;
    info[11] = size2;
    /* What follows makes it fail, if this does not. */
    info[12] = 123;
    info[13] = PAGE;
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
}

static void test_config(void)
{
    stage = "sys.config";
    good_info();
    call(TDH_SYS_CONFIG, (u64)list + 8, 1, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, BIT(52), 1, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, BIT(46), 1, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, BIT(51), 1, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, (u64)list, 0, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, (u64)list, 65, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, 0, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, 31, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, 64, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID | BIT(16), 0);
    list[0] = (u64)info + 8;
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
    list[0] = BIT(52);
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
    bad_info(0, TDMR + PAGE);
    bad_info(0, BIT(46));
    bad_info(0, 64ULL << 30);
    bad_info(1, 0);
    bad_info(1, BIT(30) + PAGE);
    bad_info(1, BIT(40));
    bad_info(2, PAMT + 1);
    bad_info(2, TDMR);
    bad_info(2, BIT(46));
    bad_info(2, 64ULL << 30);
    bad_info(3, 0);
    bad_info(3, 1);
    bad_info(5, 0);
    bad_info(6, PAMT + LARGE);
    bad_info(7, PAGE);
    bad_reserved(1, PAGE, 0, 0);
    bad_reserved(PAGE, 1, 0, 0);
    bad_reserved(0, BIT(31), 0, 0);
    bad_reserved(PAGE, PAGE, 0, PAGE);
    bad_reserved(0, 2 * PAGE, PAGE, PAGE);
    bad_reserved(0, 0, PAGE, PAGE);
    good_info();
    list[1] = (u64)info;
    call(TDH_SYS_CONFIG, (u64)list, 2, GLOBAL_HKID, 0);
    good_info();
    call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0);
    call(TDH_SYS_TDMR_INIT, TDMR, 0, 0, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
    all_leaves("config");
    call(TDH_SYS_KEY_CONFIG, 1, 0, 0, 0);
    call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0);
}

static void test_tdmr(void)
{
    u64 at = 0;
    int i;

    stage = "tdmr";
    call(TDH_SYS_TDMR_INIT, TDMR + PAGE, 0, 0, 0);
    call(TDH_SYS_TDMR_INIT, TDMR + BIT(30), 0, 0, 0);
    call(TDH_SYS_TDMR_INIT, TDMR | 40ULL << 46, 0, 0, 0);
    call(TDH_SYS_TDMR_INIT, BIT(52), 0, 0, 0);
    call(TDH_MNG_CREATE, TDMR, HKID, 0, 0);
    for (i = 0; i < 100000 && at < TDMR + BIT(30); i++) {
        struct td_regs r = { .r = { [RAX] = TDH_SYS_TDMR_INIT,
                                    [RCX] = TDMR } };

        if (seam_regs(&r)) {
            break;
        }
        at = r.r[RDX];
    }
    check_eq(at, TDMR + BIT(30), "the TDMR is initialized");
    call(TDH_SYS_TDMR_INIT, TDMR, 0, 0, 0);
}

static void test_module(void)
{
    all_leaves("new");
    call(TDH_SYS_LP_INIT, 0, 0, 0, 0);
    call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0);
    call(TDH_SYS_INIT, 1, 0, 0, 0);
    call(TDH_SYS_INIT | VERSION(1), 0, 0, 0, 0);
    call(TDH_SYS_INIT | BIT(24), 0, 0, 0, 0);
    call(TDH_SYS_INIT | BIT(62), 0, 0, 0, 0);
    check_seam(call(TDH_SYS_INIT, 0, 0, 0, 0), 0, "TDH.SYS.INIT");
    call(TDH_SYS_INIT, 0, 0, 0, 0);
    call(TDH_SYS_CONFIG, (u64)list, 1, GLOBAL_HKID, 0);
    check_seam(call(TDH_SYS_LP_INIT, 0, 0, 0, 0), 0, "TDH.SYS.LP.INIT");
    call(TDH_SYS_LP_INIT, 0, 0, 0, 0);
    all_leaves("init");
    read_fields();
    test_config();
    call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0);
    all_leaves("ready");
    call(TDH_SYS_INIT, 0, 0, 0, 0);
    call(TDH_SYS_LP_INIT, 0, 0, 0, 0);
    test_tdmr();
    all_leaves("tdmr");
}

/* --- TDs --- */

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
    td = (struct td) { .hkid = HKID, .first = TDMR + BIT(25) };
    td.next = td.first;
    call(TDH_MNG_CREATE, td.first, 31, 0, 0);
    call(TDH_MNG_CREATE, td.first, 64, 0, 0);
    call(TDH_MNG_CREATE, td.first, GLOBAL_HKID, 0, 0);
    call(TDH_MNG_CREATE, td.first, HKID | BIT(16), 0, 0);
    call(TDH_MNG_CREATE, td.first, HKID | BIT(40), 0, 0);
    td.tdr = td_page(&td);
    call(TDH_MNG_CREATE, td.tdr, HKID, 0, 0);
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

/* Fields of the TD or of a vCPU, with what a host may read */
static void test_fields(const char *what, u64 leaf, u64 pa)
{
    struct td_regs r = { .r = { [RAX] = leaf | VERSION(1), [RCX] = pa,
                                [RDX] = NO_FIELD } };
    int i;

    stage = what;
    for (i = 0; i < NR_FIELDS; i++) {
        u64 id = r.r[RDX];

        r.r[RAX] = leaf | VERSION(1);
        r.r[RCX] = pa;
        r.r[R8] = r.r[R9] = 0;
        call_regs(&r);
        if ((r.r[RAX] & BIT(63)) || r.r[RDX] == id || r.r[RDX] == NO_FIELD) {
            break;
        }
    }
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
    call(TDH_PHYMEM_PAGE_WBINVD, other | (u64)HKID << 46, 0, 0, 0);
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

static void test_td(void)
{
    test_create();
    test_sept();
    test_fields("mng.rd", TDH_MNG_RD, td.tdr);
    test_td_fields("td.fields");
    test_vcpu();
    test_fields("vp.rd", TDH_VP_RD, td.vp[0]);
    test_vp_fields("vp.fields");
    test_pages();
    stage = "finalize";
    call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0);
    call(TDH_MR_FINALIZE, td.tdr, 0, 0, 0);
    test_pages();
    test_end();
}

void test_main(void)
{
    vmx_on();
    test_module();
    test_td();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
