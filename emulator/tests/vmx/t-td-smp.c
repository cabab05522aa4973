/*
 * VMX tests: TDs on two processors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

#define LAPIC_EOI       0xfee000b0UL
#define LAPIC_ICR       0xfee00300UL
#define LAPIC_ICR_HIGH  0xfee00310UL
#define ICR_NMI         0x400
#define KICK_VECTOR     0x61
#define SHARED_GPA      0x50000000ULL
#define PRIVATE_GPA     0x40000000ULL
#define AREA            (1ULL << 20)    /* of each vCPU */
#define PAGES           200
#define MANY            50000000
#define X_EPT           48


enum { SAY_HELLO = 1, SAY_LOOP, SAY_STRESS, SAY_END };

static struct td td;
static u64 PAGE_ALIGNED shared_page[512];
/* What the other processor does */
static mem64 ap_status, ap_exits, ap_last, ap_interrupts, ap_nmis;
static mem64 busy[2];

static void wait_for(bool (*done)(void), const char *what)
{
    int i;

    for (i = 0; i < MANY && !done(); i++) {
        asm volatile("pause");
    }
    check(done(), "%s", what);
}

/* Let the other processor do it, and wait until it has. */
static void on_ap(void (*fn)(void), const char *what)
{
    ap_work = fn;
    check(td_ap_wait(), "%s", what);
}

static void ap_lp_init(void)
{
    ap_status = seam(TDH_SYS_LP_INIT, 0, 0, 0, 0);
}

static void test_start(void)
{
    vmx_on();
    check(td_ap_start(), "the other processor has started");
    check_eq(td_ap_vmxon, VM_OK, "VMXON on it");
    check_seam(seam(TDH_SYS_INIT, 0, 0, 0, 0), 0, "TDH.SYS.INIT");
    td_module_init_cpu();
    check_seam(seam(TDH_SYS_CONFIG, 0, 1, GLOBAL_HKID, 0),
               TDX_SYS_CONFIG_NOT_PENDING,
               "TDH.SYS.CONFIG before all have done SYS.LP.INIT");
    on_ap(ap_lp_init, "TDH.SYS.LP.INIT on the other processor");
    check_eq(ap_status, 0, "its status");
    td_module_init();
}

/* In the TD */

static void tdg_stress(u64 index)
{
    u64 base = PRIVATE_GPA + index * AREA, bad = 0;
    int i;

    for (i = 0; i < PAGES; i++) {
        u64 gpa = base + i * PAGE;

        while (TDX_CODE(tdg_accept(gpa, 0)) == TDX_OPERAND_BUSY) {
            asm volatile("pause");
        }
        *(mem64 *)gpa = gpa ^ index;
    }
    for (i = 0; i < PAGES; i++) {
        u64 gpa = base + i * PAGE;

        bad += *(mem64 *)gpa != (gpa ^ index);
    }
    tdg_say(SAY_STRESS, bad);
}

static void tdg_vcpu(u64 index)
{
    mem64 *shared = (mem64 *)TDG_SHARED(SHARED_GPA);
    mem64 *page = (mem64 *)(PRIVATE_GPA + 2 * AREA);
    u64 id = tdg_say(SAY_HELLO, index);

    for (;;) {
        switch (tdg_say(SAY_LOOP, id)) {
        case 0:
            shared[index] = 1;
            while (shared[index]) {
                asm volatile("pause");
            }
            break;
        case 1:
            tdg_accept((u64)page, 0);
            /* Read it before the host blocks it: the first read would exit. */
            shared[8] = *page;
            shared[index] = 1;
            while (shared[index]) {
                shared[8] = *page;
            }
            break;
        case 2:
            tdg_stress(index);
            break;
        default:
            tdg_say(SAY_END, 0);
        }
    }
}

/* Enter until the TD says something. Interrupts and BUSY are no end. */
static u64 run_vcpu(int n)
{
    struct td_regs *r = &td.r[n];
    u64 ret;

    for (;;) {
        ret = td_run(&td, n);
        if (TDX_CODE(ret) == TDX_OPERAND_BUSY) {
            busy[n]++;
            continue;
        }
        if (ret == X_EPT) {
            u64 gpa = r->r[R8], pa = td_page(&td);

            while (TDX_CODE(ret = seam(TDH_MEM_PAGE_AUG, gpa, td.tdr, pa, 0)) ==
                   TDX_OPERAND_BUSY) {
                busy[n]++;
            }
            /* The page may be there, but blocked. */
            if (!ret || TDX_CODE(ret) == TDX_EPT_ENTRY_STATE_INCORRECT) {
                continue;
            }
        }
        return ret;
    }
}

static void ap_run(void)
{
    for (;;) {
        u64 ret = run_vcpu(1);

        ap_last = ret;
        ap_exits++;
        if (ret == X_INTERRUPT) {
            *(mem32 *)LAPIC_EOI = 0;
            ap_interrupts++;
        } else if (ret == X_NMI) {
            ap_nmis += td.r[1].r[R9] == (BIT(31) | 0x202);
        } else {
            break;
        }
    }
}

static bool ap_in_td(void)
{
    return shared_page[1] == 1;
}

static bool ap_interrupted(void)
{
    return ap_interrupts;
}

static bool ap_got_nmi(void)
{
    return ap_nmis;
}

/* Answer the vCPU of the other processor, and go on when it is in its loop. */
static void ap_enter_td(u64 answer, const char *what)
{
    td_answer(&td, 1, answer);
    ap_work = ap_run;
    wait_for(ap_in_td, what);
}

static void ap_leave_td(void)
{
    *(mem64 *)&shared_page[1] = 0;
    check(td_ap_wait(), "the TD ends its loop");
    check_eq(ap_last, X_TDCALL, "with a TDCALL");
}

static void kick_ap(u32 how)
{
    *(mem32 *)LAPIC_ICR_HIGH = 1 << 24;
    *(mem32 *)LAPIC_ICR = 0x4000 | how;
}

static void ap_enter_first(void)
{
    ap_status = td_run(&td, 0);
}

static void ap_flush_first(void)
{
    ap_status = seam(TDH_VP_FLUSH, td.vp[0], 0, 0, 0);
}

/* A vCPU moves from one processor to the other. */
static void test_associated(void)
{
    td_runs_to(&td, 0, SAY_HELLO, "vCPU 0 runs here");
    td_answer(&td, 0, 0x4711);
    on_ap(ap_enter_first, "vCPU 0 on the other processor");
    check_seam(ap_status, TDX_VCPU_ASSOCIATED, "it is associated with this");
    td_answer(&td, 0, 0x4711);
    on_ap(ap_flush_first, "TDH.VP.FLUSH on the other processor");
    check_seam(ap_status, TDX_VCPU_NOT_ASSOCIATED, "it is not that one's");
    check_seam(seam(TDH_VP_FLUSH, td.vp[0], 0, 0, 0), 0, "TDH.VP.FLUSH here");
    on_ap(ap_enter_first, "vCPU 0 on the other processor");
    check_eq(ap_status, X_TDCALL, "runs there now");
    check_eq(td.r[0].r[R12], 0x4711, "where it has its registers");
    on_ap(ap_flush_first, "TDH.VP.FLUSH there");
    check_eq(ap_status, 0, "its status");
}

static void ap_hello(void)
{
    ap_status = run_vcpu(1);
}

/* What is not possible while a vCPU runs */
static void test_busy(void)
{
    on_ap(ap_hello, "vCPU 1 on the other processor");
    check_eq(td.r[1].r[R12], 1, "its index");
    td_answer(&td, 1, 0);
    on_ap(ap_hello, "it goes on");
    ap_enter_td(0, "vCPU 1 is in a loop");
    check_seam(seam(TDH_VP_ENTER, td.vp[1], 0, 0, 0), TDX_VCPU_STATE_INCORRECT,
               "TDH.VP.ENTER of a vCPU that runs");
    check_eq(seam(TDH_VP_FLUSH, td.vp[1], 0, 0, 0), TDX_OPERAND_BUSY | RCX,
             "TDH.VP.FLUSH of it");
    check_eq(seam(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0), TDX_OPERAND_BUSY | RCX,
             "TDH.MNG.VPFLUSHDONE");
    kick_ap(KICK_VECTOR);
    wait_for(ap_interrupted, "an IPI ends the run");
    kick_ap(ICR_NMI);
    wait_for(ap_got_nmi, "so does an NMI");
    ap_leave_td();
}

/* A page that the TD reads all the time is taken away. */
static void test_track(void)
{
    u64 gpa = PRIVATE_GPA + 2 * AREA, n = ap_interrupts, ret;
    int i;

    td_sept(&td, gpa, 0);
    ap_enter_td(1, "vCPU 1 reads a page");
    check_seam(seam(TDH_MEM_RANGE_BLOCK, gpa, td.tdr, 0, 0), 0, "BLOCK");
    check_seam(seam(TDH_MEM_TRACK, td.tdr, 0, 0, 0), 0, "TRACK");
    check_seam(seam(TDH_MEM_TRACK, td.tdr, 0, 0, 0),
               TDX_PREVIOUS_TLB_EPOCH_BUSY, "TRACK while a vCPU is left");
    check_seam(seam(TDH_MEM_PAGE_REMOVE, gpa, td.tdr, 0, 0),
               TDX_TLB_TRACKING_NOT_DONE, "REMOVE while a vCPU is left");
    kick_ap(KICK_VECTOR);
    for (i = 0; i < MANY && ap_interrupts == n; i++) {
        asm volatile("pause");
    }
    check_eq(ap_interrupts, n + 1, "the vCPU is kicked");
    do {
        ret = seam(TDH_MEM_RANGE_UNBLOCK, gpa, td.tdr, 0, 0);
    } while (TDX_CODE(ret) == TDX_OPERAND_BUSY);
    check_seam(ret, 0, "UNBLOCK, while the other processor tries to add it");
    ap_leave_td();
}

/* Both processors add and accept pages, in one tree. */
static void test_stress(void)
{
    td_sept(&td, PRIVATE_GPA, 0);
    td_answer(&td, 0, 2);
    td_answer(&td, 1, 2);
    ap_work = ap_run;
    check_eq(run_vcpu(0), X_TDCALL, "vCPU 0 accepts its pages");
    check_eq(td.r[0].r[R11], SAY_STRESS, "all of them");
    check_eq(td.r[0].r[R12], 0, "and finds what it has written");
    check(td_ap_wait(), "vCPU 1, too");
    check_eq(td.r[1].r[R11], SAY_STRESS, "all of them");
    check_eq(td.r[1].r[R12], 0, "and finds what it has written");
    printf("# busy: %lu and %lu times\n", busy[0], busy[1]);
}

static void ap_flush(void)
{
    ap_status = seam(TDH_VP_FLUSH, td.vp[1], 0, 0, 0);
}

static void test_end(void)
{
    check_seam(seam(TDH_VP_FLUSH, td.vp[0], 0, 0, 0), 0, "TDH.VP.FLUSH here");
    check_seam(seam(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0),
               TDX_FLUSHVP_NOT_DONE, "the other vCPU is associated");
    on_ap(ap_flush, "TDH.VP.FLUSH there");
    td_destroy(&td);
}

void test_main(void)
{
    test_start();
    td_create(&td, 41);
    td_add_memory(&td, tdg_vcpu, 0);
    td_add_vcpu(&td, 0);
    td_add_vcpu(&td, 1);
    td_finalize(&td);
    *td_shared(&td, SHARED_GPA) = (u64)shared_page | EPT_WB | 7;
    check_seam(seam(TDH_VP_FLUSH, td.vp[1], 0, 0, 0), 0, "TDH.VP.FLUSH");
    test_associated();
    test_busy();
    test_track();
    test_stress();
    test_end();
}
