/*
 * VMX tests: a host of TDs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

#define TD_MEMORY       (32ULL << 20)   /* for each key id */
#define MANY            100000
#define MANY_WAITS      50000000
#define LAPIC_SVR       0xfee000f0UL
#define TDCS_PAGES      6
#define TDVPS_PAGES     6
#define RESET_PAGE      0xfffff000ULL
#define RESET_VECTOR    0xff0

/* What tdg_say() passes in R11; others are the test's */
#define SAY_CHECK       0x100

u64 td_xfam = 3;                /* x87, SSE */
u8 PAGE_ALIGNED td_stacks[TD_VCPUS << 14];

static u64 PAGE_ALIGNED tdmr_list[512], tdmr_info[512], td_params[512];
static u8 PAGE_ALIGNED reset_page[PAGE];
/* The TD's page tables: the shared half, 4 GiB */
static u64 PAGE_ALIGNED tdg_pdpt[512], tdg_pd[4 * 512];
static u64 PAGE_ALIGNED ept_pages[16][512];
static int ept_used;
static void (*tdg_fn)(u64 index);
static mem32 ap_ready;
mem64 td_ap_vmxon;

u64 seam_regs(struct td_regs *r)
{
    u64 flags;

    trap()->vec = NO_TRAP;
    flags = seam_call(r);
    if (trap()->vec != NO_TRAP || (flags & 1)) {
        check(false, "SEAMCALL: exception %d, flags %lx", trap()->vec, flags);
    }
    return r->r[RAX];
}

u64 seam(u64 leaf, u64 cx, u64 dx, u64 r8, u64 r9)
{
    struct td_regs r = {
        .r = { [RAX] = leaf, [RCX] = cx, [RDX] = dx, [R8] = r8, [R9] = r9 },
    };

    return seam_regs(&r);
}

void check_seam(u64 got, u64 want, const char *what)
{
    check_eq(TDX_CODE(got), want, "%s", what);
}

/* There are many of these. A failure ends the program. */
static void want_seam(u64 got, const char *what)
{
    if (got) {
        check_eq(got, 0, "%s", what);
        test_exit();
    }
}

void td_module_init_cpu(void)
{
    want_seam(seam(TDH_SYS_LP_INIT, 0, 0, 0, 0), "TDH.SYS.LP.INIT");
}

static void ap_begin(void)
{
    *(mem32 *)LAPIC_SVR |= 0x1ff;
    vmx_enable();
    td_ap_vmxon = vmxon(vm_region(2));
    ap_ready = 1;
    ap_serve();
}

bool td_ap_wait(void)
{
    int i;

    for (i = 0; i < MANY_WAITS && (!ap_ready || ap_work); i++) {
        asm volatile("pause");
    }
    return ap_ready && !ap_work;
}

bool td_ap_start(void)
{
    start_ap(ap_begin);
    return td_ap_wait();
}

void td_tdmr_info(u64 *info)
{
    static const u64 sizes[3] = { PAGE, 2 * PAGE, 2 * LARGE };
    u64 pamt = PAMT;
    int i;

    memset(info, 0, PAGE);
    info[0] = TDMR;
    info[1] = BIT(30);
    for (i = 2; i >= 0; i--) {
        info[2 + 2 * i] = pamt;
        info[3 + 2 * i] = sizes[i];
        pamt += sizes[i];
    }
}

void td_tdmr_init(const char *what)
{
    u64 at = 0;
    int i;

    for (i = 0; i < MANY && at < TDMR + BIT(30); i++) {
        struct td_regs r = { .r = { [RAX] = TDH_SYS_TDMR_INIT,
                                    [RCX] = TDMR } };

        if (seam_regs(&r)) {
            break;
        }
        at = r.r[RDX];
    }
    check_eq(at, TDMR + BIT(30), "%s", what);
}

void td_module_init(void)
{
    td_tdmr_info(tdmr_info);
    tdmr_list[0] = (u64)tdmr_info;
    check_seam(seam(TDH_SYS_CONFIG, (u64)tdmr_list, 1, GLOBAL_HKID, 0), 0,
               "TDH.SYS.CONFIG");
    check_seam(seam(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0), 0, "TDH.SYS.KEY.CONFIG");
    td_tdmr_init("the module is ready");
}

void td_module_start(void)
{
    vmx_on();
    check_seam(seam(TDH_SYS_INIT, 0, 0, 0, 0), 0, "TDH.SYS.INIT");
    td_module_init_cpu();
    td_module_init();
}

u64 td_page(struct td *td)
{
    return __atomic_fetch_add(&td->next, PAGE, __ATOMIC_RELAXED);
}

void td_create(struct td *td, u16 hkid)
{
    int i;

    *td = (struct td) {
        .hkid = hkid,
        .first = TDMR + (hkid - FIRST_HKID) * TD_MEMORY,
    };
    td->next = td->first;
    td->tdr = td_page(td);
    want_seam(seam(TDH_MNG_CREATE, td->tdr, hkid, 0, 0), "TDH.MNG.CREATE");
    want_seam(seam(TDH_MNG_KEY_CONFIG, td->tdr, 0, 0, 0),
              "TDH.MNG.KEY.CONFIG");
    for (i = 0; i < TDCS_PAGES; i++) {
        want_seam(seam(TDH_MNG_ADDCX, td_page(td), td->tdr, 0, 0),
                  "TDH.MNG.ADDCX");
    }
}

static void td_init_params(u64 attributes)
{
    memset(td_params, 0, sizeof(td_params));
    td_params[0] = attributes;
    td_params[1] = td_xfam;
    td_params[2] = TD_VCPUS;
    td_params[3] = 3 << 3 | 6;          /* 4 levels, write-back */
    td_params[5] = 40;                  /* 1 GHz */
}

void td_sept(struct td *td, u64 gpa, int level)
{
    int l;

    for (l = 3; l > level; l--) {
        u64 base = gpa & -(PAGE << 9 * l);
        u64 pa = td_page(td);
        u64 ret = seam(TDH_MEM_SEPT_ADD, base | l, td->tdr, pa, 0);

        if (ret) {
            /* It is there. The page can be used for something else. */
            td->next = pa;
            if (TDX_CODE(ret) != TDX_EPT_ENTRY_STATE_INCORRECT) {
                want_seam(ret, "TDH.MEM.SEPT.ADD");
            }
        }
    }
}

static void td_add_page(struct td *td, u64 gpa, u64 from)
{
    td_sept(td, gpa, 0);
    want_seam(seam(TDH_MEM_PAGE_ADD, gpa, td->tdr, td_page(td), from),
              "TDH.MEM.PAGE.ADD");
}

/* The TD's page tables map 4 GiB of private memory, and shared memory there. */
static void td_init_tables(void)
{
    u64 *pml4 = (u64 *)read_cr3();
    int i;

    for (i = 0; i < 4 * 512; i++) {
        tdg_pd[i] = i * LARGE | SHARED | PTE_P | PTE_W | PTE_PS;
    }
    for (i = 0; i < 4; i++) {
        tdg_pdpt[i] = (u64)&tdg_pd[i * 512] | PTE_P | PTE_W;
    }
    pml4[1] = (u64)tdg_pdpt | PTE_P | PTE_W;
}

void td_add_memory(struct td *td, void (*fn)(u64 index), u64 attributes)
{
    u32 jump = (u32)(u64)td_start - (u32)(RESET_PAGE + RESET_VECTOR + 5);
    u64 gpa;
    int i;

    td_init_params(attributes);
    want_seam(seam(TDH_MNG_INIT, td->tdr, (u64)td_params, 0, 0),
              "TDH.MNG.INIT");
    td_init_tables();
    tdg_fn = fn;
    for (gpa = (u64)image_start & -PAGE; gpa < (u64)image_end; gpa += PAGE) {
        td_add_page(td, gpa, gpa);
    }
    reset_page[RESET_VECTOR] = 0xe9;
    memcpy(reset_page + RESET_VECTOR + 1, &jump, 4);
    td_add_page(td, RESET_PAGE, (u64)reset_page);
    for (i = 0; i < 16; i++) {
        want_seam(seam(TDH_MR_EXTEND, RESET_PAGE + 256 * i, td->tdr, 0, 0),
                  "TDH.MR.EXTEND");
    }
}

static u64 *td_ept_page(void)
{
    int i;

    for (i = 0; i < 512; i++) {
        ept_pages[ept_used][i] = SHARED_NONE;
    }
    return ept_pages[ept_used++];
}

mem64 *td_shared(struct td *td, u64 gpa)
{
    u64 *table = (u64 *)td->shared_ept;
    int l;

    gpa |= SHARED;
    for (l = 3; l; l--) {
        u64 *e = &table[gpa >> (12 + 9 * l) & 511];

        if (!(*e & 7)) {
            *e = (u64)td_ept_page() | 7;
        }
        table = (u64 *)(*e & ~0xfffULL);
    }
    return &table[gpa >> 12 & 511];
}

static u64 vp_wr(u64 vp, u64 field, u64 val, u64 mask)
{
    return seam(TDH_VP_WR, vp, field, val, mask);
}

void td_add_vcpu(struct td *td, int n)
{
    int i;

    td->vp[n] = td_page(td);
    want_seam(seam(TDH_VP_CREATE, td->vp[n], td->tdr, 0, 0), "TDH.VP.CREATE");
    for (i = 1; i < TDVPS_PAGES; i++) {
        want_seam(seam(TDH_VP_ADDCX, td_page(td), td->vp[n], 0, 0),
                  "TDH.VP.ADDCX");
    }
    want_seam(seam(TDH_VP_INIT, td->vp[n], 0x1234, 0, 0), "TDH.VP.INIT");
    if (!td->shared_ept) {
        td->shared_ept = (u64)td_ept_page();
    }
    want_seam(vp_wr(td->vp[n], FIELD_SHARED_EPTP, td->shared_ept, ~0ULL),
              "TDH.VP.WR of the shared EPT");
}

void td_finalize(struct td *td)
{
    want_seam(seam(TDH_MR_FINALIZE, td->tdr, 0, 0, 0), "TDH.MR.FINALIZE");
}

void td_build(struct td *td, u16 hkid, void (*fn)(u64 index), u64 attributes)
{
    td_create(td, hkid);
    td_add_memory(td, fn, attributes);
    td_add_vcpu(td, 0);
    td_finalize(td);
}

u64 td_aug(struct td *td, u64 gpa, u64 pa)
{
    td_sept(td, gpa, 0);
    return seam(TDH_MEM_PAGE_AUG, gpa, td->tdr, pa, 0);
}

u64 td_remove(struct td *td, u64 gpa)
{
    struct td_regs r = {
        .r = { [RAX] = TDH_MEM_PAGE_REMOVE, [RCX] = gpa, [RDX] = td->tdr },
    };

    want_seam(seam(TDH_MEM_RANGE_BLOCK, gpa, td->tdr, 0, 0),
              "TDH.MEM.RANGE.BLOCK");
    want_seam(seam(TDH_MEM_TRACK, td->tdr, 0, 0, 0), "TDH.MEM.TRACK");
    want_seam(seam_regs(&r), "TDH.MEM.PAGE.REMOVE");
    return r.r[RCX];
}

/* All pages but the TDR, and then that one. Some have been removed. */
bool td_reclaim(struct td *td)
{
    bool ok = true;
    u64 pa;

    for (pa = td->first; pa < td->next; pa += PAGE) {
        u64 ret = pa == td->tdr ? 0 :
                  seam(TDH_PHYMEM_PAGE_RECLAIM, pa, 0, 0, 0);

        ok &= !ret || TDX_CODE(ret) == TDX_PAGE_METADATA_INCORRECT;
    }
    return ok && !seam(TDH_PHYMEM_PAGE_RECLAIM, td->tdr, 0, 0, 0);
}

void td_destroy(struct td *td)
{
    int i;

    for (i = 0; i < TD_VCPUS; i++) {
        if (td->vp[i]) {
            seam(TDH_VP_FLUSH, td->vp[i], 0, 0, 0);
        }
    }
    want_seam(seam(TDH_MNG_VPFLUSHDONE, td->tdr, 0, 0, 0),
              "TDH.MNG.VPFLUSHDONE");
    want_seam(seam(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), "TDH.PHYMEM.CACHE.WB");
    want_seam(seam(TDH_MNG_KEY_FREEID, td->tdr, 0, 0, 0),
              "TDH.MNG.KEY.FREEID");
    check(td_reclaim(td), "all pages of the TD are reclaimed");
}

/* The host's registers go to the TD if it waits for an answer. */
u64 td_run(struct td *td, int n)
{
    struct td_regs *r = &td->r[n];
    u64 ret;

    for (;;) {
        r->r[RAX] = TDH_VP_ENTER;
        r->r[RCX] = td->vp[n];
        ret = seam_regs(r);
        if (ret != X_TDCALL || r->r[R11] != SAY_CHECK) {
            return ret;
        }
        check_eq(r->r[R12], r->r[R13], "in the TD: %s",
                 (const char *)r->r[R14]);
    }
}

bool td_runs_to(struct td *td, int n, u64 code, const char *what)
{
    u64 ret = td_run(td, n);
    struct td_regs *r = &td->r[n];

    if (!check(ret == X_TDCALL && r->r[R11] == code, "%s", what)) {
        printf("# status %lx, rcx %lx, rdx %lx, r8 %lx, r11 %lx, r12 %lx\n",
               ret, r->r[RCX], r->r[RDX], r->r[R8], r->r[R11], r->r[R12]);
        return false;
    }
    return true;
}

void td_answer(struct td *td, int n, u64 val)
{
    td->r[n].r[R12] = val;
}

/* In the TD */

u64 tdg(u64 leaf, u64 cx, u64 dx, u64 r8)
{
    struct td_regs r = {
        .r = { [RAX] = leaf, [RCX] = cx, [RDX] = dx, [R8] = r8 },
    };

    td_call(&r);
    return r.r[RAX];
}

static u64 tdg_vmcall(u64 code, u64 a, u64 b, u64 c)
{
    struct td_regs r = {
        .r = { [RCX] = BIT(R10) | BIT(R11) | BIT(R12) | BIT(R13) | BIT(R14),
               [R11] = code, [R12] = a, [R13] = b, [R14] = c },
    };

    td_call(&r);
    return r.r[R12];
}

void tdg_check(u64 got, u64 want, const char *what)
{
    tdg_vmcall(SAY_CHECK, got, want, (u64)what);
}

u64 tdg_say(u64 code, u64 val)
{
    return tdg_vmcall(code, val, 0, 0);
}

u64 tdg_veinfo(struct td_regs *r)
{
    *r = (struct td_regs) { .r = { [RAX] = TDG_VP_VEINFO_GET } };
    td_call(r);
    return r->r[RAX] ? ~0ULL : r->r[RCX];
}

u64 tdg_accept(u64 gpa, int level)
{
    return tdg(TDG_MEM_PAGE_ACCEPT, gpa | level, 0, 0);
}

void tdg_main(u64 index)
{
    tdg_fn(index);
    for (;;) {
        tdg_say(~0ULL, 0);
    }
}
