/*
 * Tests of the TDX module: a host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"

_Thread_local struct regs out;
unsigned checks, failures;

static struct {
    unsigned checks;
} per_leaf[2][128];
static _Thread_local unsigned last_leaf, last_side;

#define HOST_VALUE  0x4057ULL

static bool host_only(unsigned i)
{
    return i == R_BX || i == R_BP || i == R_SI || i == R_DI || i >= R_12;
}

u64 call(u64 rax, u64 rcx, u64 rdx, u64 r8, u64 r9)
{
    out = (struct regs) { .r = {
        [R_AX] = rax, [R_CX] = rcx, [R_DX] = rdx, [R_8] = r8, [R_9] = r9,
    } };
    for (unsigned i = 0; i < NUM_REGS; i++) {
        out.r[i] = host_only(i) ? HOST_VALUE + i : out.r[i];
    }
    last_leaf = rax & 127;
    last_side = 0;
    seamcall(plat_lp(), &out);
    /* Only TDH.VP.ENTER may change these. */
    for (unsigned i = 0; i < NUM_REGS && LEAF_NUMBER(rax); i++) {
        if (host_only(i) && out.r[i] != HOST_VALUE + i) {
            fprintf(stderr, "leaf %u changes register %u\n", last_leaf, i);
            failures++;
        }
    }
    return out.r[R_AX];
}

void check(const char *file, int line, const char *what, u64 got, u64 want)
{
    checks++;
    per_leaf[last_side][last_leaf].checks++;
    if (got != want) {
        failures++;
        fprintf(stderr, "%s:%d: %s is 0x%llx, not 0x%llx\n", file, line, what,
                (unsigned long long)got, (unsigned long long)want);
    }
}

void report_leaves(void)
{
    for (unsigned side = 0; side < 2; side++) {
        printf("%s:", side ? "TDCALL" : "SEAMCALL");
        for (unsigned i = 0; i < 128; i++) {
            if (per_leaf[side][i].checks) {
                printf(" %u=%u", i, per_leaf[side][i].checks);
            }
        }
        printf("\n");
    }
}

void must(u64 ret, const char *what)
{
    if (is_error(ret)) {
        fprintf(stderr, "set-up: %s is 0x%llx\n", what,
                (unsigned long long)ret);
        abort();
    }
}

/* PAMTs are one after the other, below the TDMRs. */
void fill_tdmrs(struct tdmr_info info[2])
{
    u64 pamt = SIM_PAMT;

    memset(info, 0, 2 * sizeof(info[0]));
    for (unsigned i = 0; i < 2; i++) {
        info[i].base = i ? SIM_TDMR1 : SIM_TDMR0;
        info[i].size = SIZE_1G;
        for (unsigned k = 0; k < 3; k++) {
            static const u64 size[3] = { 0x1000, 0x2000, 0x400000 };

            info[i].pamt[k].base = pamt;
            info[i].pamt[k].size = size[k];
            pamt += size[k];
        }
    }
    info[1].reserved[0].offset = 0x1000;
    info[1].reserved[0].size = 0x3000;
    info[1].reserved[1].offset = 0x200000;
    info[1].reserved[1].size = 0x200000;
}

/* The list is at the first host page, TDMR_INFO in the next ones. */
u64 config(const struct tdmr_info *info, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        u64 pa = HOST_PAGE(1) + 512 * i;

        sim_host_write(pa, &info[i], sizeof(info[i]));
        sim_host_write(HOST_PAGE(0) + 8 * i, &pa, 8);
    }
    return call(TDH_SYS_CONFIG, HOST_PAGE(0), n, SIM_FIRST_KEY, 0);
}

static u64 next_page;

void page_alloc_reset(void)
{
    next_page = SIM_TDMR0;
}

u64 page_alloc(void)
{
    u64 pa = next_page;

    next_page += PAGE_SIZE;
    return pa;
}

u64 page_alloc_2m(void)
{
    next_page = (next_page + SIZE_2M - 1) & ~(SIZE_2M - 1);
    next_page += SIZE_2M;
    return next_page - SIZE_2M;
}

void setup_init(void)
{
    sim_reset();
    page_alloc_reset();
    MUST(call(TDH_SYS_INIT, 0, 0, 0, 0));
    for (sim_cur = 0; sim_cur < SIM_LPS; sim_cur++) {
        MUST(call(TDH_SYS_LP_INIT, 0, 0, 0, 0));
    }
    sim_cur = 0;
}

void setup_ready(void)
{
    struct tdmr_info info[2];

    setup_init();
    fill_tdmrs(info);
    MUST(config(info, 2));
    for (sim_cur = 0; sim_cur < SIM_LPS; sim_cur++) {
        MUST(call(TDH_SYS_KEY_CONFIG, 0, 0, 0, 0));
    }
    sim_cur = 0;
    do {
        MUST(call(TDH_SYS_TDMR_INIT, SIM_TDMR0, 0, 0, 0));
    } while (out.r[R_DX] < SIM_TDMR0 + SIZE_1G);
}

static bool want_debug;

void td_debug(bool on)
{
    want_debug = on;
}

void fill_params(struct td_params *p)
{
    memset(p, 0, sizeof(*p));
    p->attributes = ATTR_SEPT_VE_DISABLE | (want_debug ? ATTR_DEBUG : 0);
    p->xfam = 0x7;
    p->max_vcpus = 3;
    p->eptp_controls = 6 | 3 << 3;
    p->config_flags = CONFIG_NO_RBP_MOD;
    p->tsc_frequency = 40;
    memset(p->mrconfigid, 1, 48);
    memset(p->mrowner, 2, 48);
    memset(p->mrownerconfig, 3, 48);
}

void fill_topology(struct td_params *p)
{
    fill_params(p);
    p->cpuid[9][0] = 1, p->cpuid[9][1] = 2, p->cpuid[9][2] = 0x100;
    p->cpuid[10][0] = 4, p->cpuid[10][1] = 8, p->cpuid[10][2] = 0x200;
}

u64 mng_init(struct ttd *td, const struct td_params *p)
{
    sim_host_write(HOST_PAGE(2), p, sizeof(*p));
    return call(TDH_MNG_INIT, td->tdr, HOST_PAGE(2), 0, 0);
}

void td_create(struct ttd *td)
{
    static u64 next_key;

    memset(td, 0, sizeof(*td));
    td->tdr = page_alloc();
    for (unsigned i = 0; i < SIM_NUM_KEYS; i++) {
        td->hkid = SIM_FIRST_KEY + 1 + next_key++ % (SIM_NUM_KEYS - 1);
        if (module.key[td->hkid].state == KEY_FREE) {
            break;
        }
    }
    MUST(call(TDH_MNG_CREATE, td->tdr, td->hkid, 0, 0));
}

static void td_key(struct ttd *td)
{
    for (sim_cur = 0; sim_cur < SIM_LPS; sim_cur++) {
        MUST(call(TDH_MNG_KEY_CONFIG, td->tdr, 0, 0, 0));
    }
    sim_cur = 0;
}

u64 vp_create(struct ttd *td)
{
    u64 vp = page_alloc();

    MUST(call(TDH_VP_CREATE, vp, td->tdr, 0, 0));
    for (unsigned i = 1; i < TDVPS_PAGES; i++) {
        MUST(call(TDH_VP_ADDCX, page_alloc(), vp, 0, 0));
    }
    td->tdvpr[td->num_vps++] = vp;
    return vp;
}

void vp_init(struct ttd *td, u64 vp, u32 id)
{
    (void)td;
    MUST(call(TDH_VP_INIT | VERSION(1), vp, 0x1234, id, 0));
}

static void td_flush(struct ttd *td)
{
    for (unsigned i = 0; i < td->num_vps; i++) {
        for (sim_cur = 0; sim_cur < SIM_LPS; sim_cur++) {
            call(TDH_VP_FLUSH, td->tdvpr[i], 0, 0, 0);
        }
    }
    sim_cur = 0;
}

static void td_block(struct ttd *td)
{
    td_flush(td);
    MUST(call(TDH_MNG_VPFLUSHDONE, td->tdr, 0, 0, 0));
}

static void td_teardown(struct ttd *td)
{
    for (sim_cur = 0; sim_cur < SIM_LPS; sim_cur++) {
        MUST(call(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0));
    }
    sim_cur = 0;
    MUST(call(TDH_MNG_KEY_FREEID, td->tdr, 0, 0, 0));
}

void td_to(struct ttd *td, enum stage stage)
{
    struct td_params p;

    setup_ready();
    td_create(td);
    if (stage >= ST_KEYED) {
        td_key(td);
    }
    for (unsigned i = 0; stage >= ST_CX && i < TDCS_PAGES; i++) {
        td->tdcx[i] = page_alloc();
        MUST(call(TDH_MNG_ADDCX, td->tdcx[i], td->tdr, 0, 0));
    }
    if (stage >= ST_INIT) {
        fill_params(&p);
        MUST(mng_init(td, &p));
        vp_init(td, vp_create(td), 0);
    }
    if (stage >= ST_RUN) {
        MUST(call(TDH_MR_FINALIZE, td->tdr, 0, 0, 0));
    }
    if (stage == ST_FATAL) {
        ((struct tdr *)sim_mem(td->tdr))->fatal = 1;
    }
    if (stage >= ST_BLOCKED) {
        td_block(td);
    }
    if (stage >= ST_TEARDOWN) {
        td_teardown(td);
    }
}

void sept_tables(struct ttd *td, u64 gpa, unsigned level)
{
    for (unsigned l = 3; l > level; l--) {
        u64 pa = page_alloc();
        u64 ret = call(TDH_MEM_SEPT_ADD, (gpa & ~(level_size(l) - 1)) | l,
                       td->tdr, pa, 0);

        if (STATUS_CODE(ret) != TDX_EPT_ENTRY_STATE_INCORRECT) {
            MUST(ret);
            td->table[l] = pa;
        }
    }
}

u64 enter(struct ttd *td)
{
    return call(TDH_VP_ENTER, td->tdvpr[0], 0, 0, 0);
}

_Thread_local struct guest_regs tdcall_regs;
_Thread_local u64 tdcall_event;
static _Thread_local bool tdcall_done;

static void tdcall_guest(struct guest_regs *g)
{
    if (tdcall_done) {
        tdcall_regs = *g;
        tdcall_event = plat_vmread(VMCS_ENTRY_INTR);
        sim_exit(1, 0);
        return;
    }
    tdcall_done = true;
    *g = tdcall_regs;
    sim_exit(77, 0);
}

u64 tdcall(struct ttd *td, u64 rax, u64 rcx, u64 rdx, u64 r8, u64 r9)
{
    u64 ret;

    memset(&tdcall_regs, 0, sizeof(tdcall_regs));
    tdcall_regs.gpr.r[R_AX] = rax;
    tdcall_regs.gpr.r[R_CX] = rcx;
    tdcall_regs.gpr.r[R_DX] = rdx;
    tdcall_regs.gpr.r[R_8] = r8;
    tdcall_regs.gpr.r[R_9] = r9;
    tdcall_done = false;
    sim_guest = tdcall_guest;
    ret = enter(td);
    sim_guest = NULL;
    last_side = 1;
    last_leaf = rax & 127;
    /* The TD's RAX, or the TD exit that the call has led to */
    return (ret & 0xffff) == 1 ? tdcall_regs.gpr.r[R_AX] : ret;
}

struct one_exit g1;

static void one_guest(struct guest_regs *g)
{
    if (g1.entries++) {
        g1.event = sim_event;
        g1.rip = plat_vmread(VMCS_RIP);
        g1.after = *g;
        sim_exit(1, 0);
        return;
    }
    memcpy(g->gpr.r, g1.gpr, sizeof(g1.gpr));
    if (g1.ve) {
        g1.ve->valid = VE_INFO_VALID;
    }
    sim_exit(g1.reason, g1.qualification);
    for (unsigned i = 0; i < ARRAY_SIZE(g1.field) && g1.field[i][0]; i++) {
        plat_vmwrite(g1.field[i][0], g1.field[i][1]);
    }
}

u64 run_one(struct ttd *td, u32 reason, u64 qualification)
{
    u64 ret;

    g1.reason = reason;
    g1.qualification = qualification;
    g1.entries = 0;
    g1.event = 0;
    sim_guest = one_guest;
    ret = enter(td);
    sim_guest = NULL;
    return ret;
}

void run_clear(void)
{
    memset(&g1, 0, sizeof(g1));
}

u64 ve_reason(struct ttd *td)
{
    const struct vcpu *vp = (const struct vcpu *)sim_mem(td->tdvpr[0]);

    return vp->ve.valid == VE_INFO_VALID ? vp->ve.exit_reason : ~0ULL;
}

void set_gpa(u64 gpa)
{
    g1.field[0][0] = VMCS_GPA;
    g1.field[0][1] = gpa;
}

void block_track(struct ttd *td, u64 gpa, unsigned level)
{
    MUST(call(TDH_MEM_RANGE_BLOCK, gpa | level, td->tdr, 0, 0));
    MUST(call(TDH_MEM_TRACK, td->tdr, 0, 0, 0));
}

struct pamt_entry *pamt_of(u64 pa, unsigned level)
{
    for (unsigned i = 0; i < module.num_tdmrs; i++) {
        const struct tdmr_info *t = &module.tdmr[i].info;

        if (pa >= t->base && pa < t->base + t->size) {
            return (struct pamt_entry *)sim_mem(t->pamt[2 - level].base +
                (pa - t->base) / level_size(level) * PAMT_ENTRY_SIZE);
        }
    }
    return NULL;
}

void td_destroy(struct ttd *td)
{
    td_flush(td);
    call(TDH_MNG_VPFLUSHDONE, td->tdr, 0, 0, 0);
    if (((struct tdr *)sim_mem(td->tdr))->state == TD_BLOCKED) {
        td_teardown(td);
    }
    for (u64 pa = SIM_TDMR0; pa < next_page; ) {
        unsigned level = pamt_of(pa, 1)->type == PT_REG;
        struct pamt_entry *e = pamt_of(pa, level);

        if (e->type != PT_NDA && pamt_owner(e) == td->tdr) {
            MUST(call(TDH_PHYMEM_PAGE_RECLAIM, pa, 0, 0, 0));
        }
        pa += level_size(level);
    }
    MUST(call(TDH_PHYMEM_PAGE_RECLAIM, td->tdr, 0, 0, 0));
}
