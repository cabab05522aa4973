/*
 * Tests of the TDX module: random sequences of SEAMCALLs and TDCALLs
 *
 * Two TDs, a few pages, mostly sensible operands.  Whatever the answers are,
 * the module does not stop and the audit finds nothing.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

#define FUZZ_SEEDS      20
#define FUZZ_CALLS      4000

static u64 fuzz_state;
static unsigned fuzz_successes[128];

static u64 rnd(u64 n)
{
    fuzz_state ^= fuzz_state << 13;
    fuzz_state ^= fuzz_state >> 7;
    fuzz_state ^= fuzz_state << 17;
    return n ? fuzz_state % n : fuzz_state;
}

/* TDRs and TDVPRs are among these. */
#define FUZZ_PAGES      96

static u64 fuzz_page(void)
{
    switch (rnd(24)) {
    case 0:
        return rnd(0);
    case 1:
        return HOST_PAGE(rnd(8));
    case 2:
        return SIM_TDMR0 + 4 * SIZE_2M + rnd(4) * SIZE_2M;
    default:
        return SIM_TDMR0 + rnd(FUZZ_PAGES) * PAGE_SIZE;
    }
}

static u64 fuzz_tdr(void)
{
    /* One that is there, if a few looks find one */
    for (unsigned i = 0; i < 40; i++) {
        u64 pa = SIM_TDMR0 + rnd(FUZZ_PAGES) * PAGE_SIZE;

        if (pamt_of(pa, 0)->type == PT_TDR) {
            return pa;
        }
    }
    return fuzz_page();
}

static u64 fuzz_vp(void)
{
    for (unsigned i = 0; i < 40; i++) {
        u64 pa = SIM_TDMR0 + rnd(FUZZ_PAGES) * PAGE_SIZE;

        if (pamt_of(pa, 0)->type == PT_TDVPR) {
            return pa;
        }
    }
    return fuzz_page();
}

static u64 fuzz_gpa(void)
{
    u64 level = rnd(3) ? 0 : rnd(4);
    u64 gpa = rnd(4) * PAGE_SIZE + rnd(2) * SIZE_2M;

    if (rnd(32) == 0) {
        return rnd(0);
    }
    return (gpa & ~(level_size(level) - 1)) | level;
}

static u64 fuzz_field(void)
{
    static const u64 ids[] = {
        0x1110000300000000, 0x9010000200000001, 0x9410000300000000,
        0x202000000000000b, 0x2016, 0x203c, 0x4000, 0xa020000200000002,
        0x9110000300000010, 0x9110000300000017, 0xa120000000000000,
    };

    return rnd(8) ? ids[rnd(ARRAY_SIZE(ids))] + rnd(3) : rnd(0);
}

/* Up to two exits of a random kind, then an interrupt */
static unsigned fuzz_exits;

static void fuzz_guest(struct guest_regs *g)
{
    static const u8 reasons[] = {
        77, 77, 77, 77, 10, 31, 32, 48, 12, 30, 55, 28, 8, 18, 36,
    };
    u8 reason = reasons[rnd(ARRAY_SIZE(reasons))];

    if (fuzz_exits-- == 0) {
        sim_exit(1, 0);
        return;
    }
    g->gpr.r[R_AX] = reason == 77 ? rnd(30) : rnd(3) ? rnd(0x30) : rnd(0);
    g->gpr.r[R_CX] = rnd(3) ? fuzz_gpa() : rnd(0x100);
    if (reason == 31 || reason == 32) {
        /* Ones that exit */
        static const u32 msrs[] = {
            0x802, 0x1d9, 0x830, 0x840, 0x40000000,
        };

        g->gpr.r[R_CX] = msrs[rnd(ARRAY_SIZE(msrs))];
    }
    g->gpr.r[R_DX] = rnd(2) ? fuzz_field() : rnd(3) * PAGE_SIZE;
    g->gpr.r[R_8] = rnd(4);
    g->gpr.r[R_9] = rnd(4);
    plat_vmwrite(VMCS_GPA, rnd(4) ? fuzz_gpa() : BIT(47) | fuzz_gpa());
    if (rnd(16) == 0) {
        plat_vmwrite(VMCS_IDT_VECTORING, 0x80000030);
        plat_vmwrite(VMCS_RFLAGS, plat_vmread(VMCS_RFLAGS) | RFLAGS_IF);
    }
    /* MOV to CR0 or CR4 from any register */
    sim_exit(reason, reason == 28 ? rnd(16) << 8 | rnd(2) << 2 : rnd(0x100));
}

static void fuzz_td_params(void)
{
    struct td_params p;

    fill_params(&p);
    if (rnd(4) == 0) {
        ((u8 *)&p)[rnd(sizeof(p))] ^= 1 << rnd(8);
    }
    sim_host_write(HOST_PAGE(2), &p, sizeof(p));
}

static const u8 fuzz_leaves[] = {
    TDH_MNG_CREATE, TDH_MNG_KEY_CONFIG, TDH_MNG_KEY_CONFIG, TDH_MNG_ADDCX,
    TDH_MNG_ADDCX, TDH_MNG_ADDCX, TDH_MNG_INIT, TDH_MNG_RD, TDH_MNG_WR,
    TDH_MNG_VPFLUSHDONE, TDH_MNG_KEY_FREEID, TDH_MR_EXTEND,
    TDH_MR_FINALIZE, TDH_MEM_TRACK, TDH_MEM_TRACK, TDH_PHYMEM_CACHE_WB,
    TDH_PHYMEM_PAGE_RECLAIM, TDH_PHYMEM_PAGE_RECLAIM,
    TDH_PHYMEM_PAGE_RDMD, TDH_PHYMEM_PAGE_WBINVD, TDH_VP_CREATE,
    TDH_VP_ADDCX, TDH_VP_ADDCX, TDH_VP_ADDCX, TDH_VP_INIT, TDH_VP_FLUSH,
    TDH_VP_RD, TDH_VP_WR, TDH_VP_ENTER, TDH_VP_ENTER, TDH_VP_ENTER,
    TDH_MEM_SEPT_ADD, TDH_MEM_SEPT_ADD, TDH_MEM_SEPT_RD,
    TDH_MEM_SEPT_REMOVE, TDH_MEM_PAGE_ADD, TDH_MEM_PAGE_ADD,
    TDH_MEM_PAGE_AUG, TDH_MEM_PAGE_AUG, TDH_MEM_PAGE_AUG,
    TDH_MEM_PAGE_ADD, TDH_MEM_PAGE_REMOVE, TDH_MEM_PAGE_REMOVE,
    TDH_MEM_PAGE_RELOCATE, TDH_MEM_PAGE_PROMOTE, TDH_MEM_PAGE_PROMOTE,
    TDH_MEM_PAGE_DEMOTE, TDH_MEM_PAGE_DEMOTE, TDH_MEM_RANGE_BLOCK,
    TDH_MEM_RANGE_BLOCK,
    TDH_MEM_RANGE_UNBLOCK, TDH_MEM_RD, TDH_MEM_WR, 69 + 30,
};

struct fuzz_operands {
    u64 rcx, rdx, r8;
};

/* Operands are right more often than not. */
static void fuzz_operands(u8 leaf, struct fuzz_operands *o)
{
    switch (leaf) {
    case TDH_MNG_CREATE:
        o->rcx = fuzz_page();
        o->rdx = SIM_FIRST_KEY + rnd(3);
        break;
    case TDH_MNG_ADDCX: case TDH_VP_CREATE:
        o->rcx = fuzz_page();
        break;
    case TDH_MNG_INIT:
        fuzz_td_params();
        o->rcx = fuzz_tdr();
        o->rdx = rnd(16) ? HOST_PAGE(2) : fuzz_page();
        break;
    case TDH_VP_ADDCX:
        o->rcx = fuzz_page();
        o->rdx = fuzz_vp();
        break;
    case TDH_VP_INIT: case TDH_VP_FLUSH: case TDH_VP_RD: case TDH_VP_WR:
    case TDH_VP_ENTER:
        o->rcx = fuzz_vp();
        o->rdx = fuzz_field();
        o->r8 = rnd(3);
        break;
    case TDH_MNG_RD: case TDH_MNG_WR:
        o->rcx = fuzz_tdr();
        o->rdx = fuzz_field();
        break;
    case TDH_MNG_KEY_CONFIG: case TDH_MNG_VPFLUSHDONE: case TDH_MEM_TRACK:
    case TDH_MNG_KEY_FREEID: case TDH_MR_FINALIZE:
        o->rcx = fuzz_tdr();
        break;
    case TDH_MEM_PAGE_AUG: case TDH_MEM_PAGE_DEMOTE:
    case TDH_MEM_PAGE_PROMOTE:
        if (rnd(4)) {
            o->rcx = SIZE_2M | 1;
            o->r8 = leaf == TDH_MEM_PAGE_AUG
                 ? SIM_TDMR0 + (4 + rnd(2)) * SIZE_2M : o->r8;
        }
        break;
    case TDH_MEM_RD: case TDH_MEM_WR:
        o->rcx &= ~7ULL;
        break;
    case TDH_PHYMEM_CACHE_WB:
        o->rcx = rnd(4) == 0;
        sim.events = rnd(3);
        break;
    case TDH_PHYMEM_PAGE_RECLAIM: case TDH_PHYMEM_PAGE_RDMD:
        o->rcx = fuzz_page();
        break;
    case TDH_PHYMEM_PAGE_WBINVD:
        o->rcx = fuzz_page() | rnd(16) << 46;
        break;
    }
}

static void fuzz_call(void)
{
    u8 leaf = fuzz_leaves[rnd(ARRAY_SIZE(fuzz_leaves))];
    struct fuzz_operands o = { fuzz_gpa(), fuzz_tdr(), fuzz_page() };
    u64 version = rnd(8) ? leaf == TDH_VP_INIT : rnd(3);

    fuzz_operands(leaf, &o);
    /* Ends of TDs are rare, or nothing would ever get far. */
    if ((leaf == TDH_MNG_VPFLUSHDONE || leaf == TDH_MEM_SEPT_REMOVE) &&
        rnd(16)) {
        return;
    }
    if (!is_error(call(leaf | VERSION(version), o.rcx, o.rdx, o.r8,
                       HOST_PAGE(4)))) {
        fuzz_successes[leaf]++;
    }
    /* Whatever TDs do, VM entries do not fail. */
    if (leaf == TDH_VP_ENTER) {
        CHECK((u32)out.r[R_AX] == 0x80000021, false);
    }
}

static void fuzz_seed(u64 seed)
{
    struct ttd td;
    char name[32];

    fuzz_state = seed * 0x9e3779b97f4a7c15ULL + 1;
    td_debug(seed & 1);
    td_to(&td, seed & 2 ? ST_RUN : ST_INIT);
    td_debug(false);
    sept_tables(&td, 0, 0);
    sim_guest = fuzz_guest;
    sprintf(name, "of seed %u", (unsigned)seed);
    for (unsigned i = 0; i < FUZZ_CALLS; i++) {
        sim_cur = rnd(8) == 0;
        sim.no_entropy = rnd(64) == 0;
        sim.no_key = rnd(64) == 0;
        fuzz_exits = rnd(3);
        fuzz_call();
        if (i % 100 == 0) {
            audit(name);
        }
    }
    sim_cur = 0;
    audit(name);
    checks++;
}

void test_fuzz(void)
{
    const char *s = getenv("SEEDS");
    unsigned seeds = s ? atoi(s) : FUZZ_SEEDS;

    for (unsigned seed = 0; seed < seeds; seed++) {
        fuzz_seed(seed);
    }
    /* Sequences that get nowhere would find nothing. */
    printf("fuzz, calls without error:");
    for (unsigned leaf = 0; leaf < 128; leaf++) {
        if (fuzz_successes[leaf]) {
            printf(" %u=%u", leaf, fuzz_successes[leaf]);
        }
    }
    printf("\n");
}
