/*
 * VMX tests: a TD on one processor
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

#define LAPIC_TIMER     0xfee00320UL
#define LAPIC_COUNT     0xfee00380UL
#define LAPIC_DIVIDE    0xfee003e0UL
#define LAPIC_SVR       0xfee000f0UL
#define LAPIC_EOI       0xfee000b0UL
#define LAPIC_ICR       0xfee00300UL
#define TIMER_VECTOR    0x51
#define POSTED_VECTOR   0x52
#define TD_VECTOR       0x41
#define MSR_SELF_IPI    0x83f
#define PRIVATE_NEW     0x40000000ULL   /* a GPA that has no page at first */
#define PRIVATE_OTHER   0x40200000ULL
#define SHARED_GPA      0x50000000ULL
#define MMIO_GPA        0x50001000ULL
#define ABSENT_GPA      0x50002000ULL
#define SEAMRR_GPA      0x50003000ULL
#define MSR_SEAMRR_PHYS_BASE    0x1400
#define X_EPT           48

/* What the TD says, in the order of its life */
enum {
    SAY_HELLO = 1, SAY_SHARED, SAY_ABSENT, SAY_SEAMRR, SAY_MMIO, SAY_AUG,
    SAY_READ_AGAIN, SAY_LOOP, SAY_NMI, SAY_POSTED, SAY_END,
};

static struct td td, other;
static u64 PAGE_ALIGNED shared_page[512];
static mem64 variable = 0x1111;
static u8 PAGE_ALIGNED report[PAGE];
static u8 report_data[64] __attribute__((aligned(64)));
static u64 posted[8] __attribute__((aligned(64)));
static u64 td_idt[256][2];

/* An instruction that is a #VE, for the reason */
static void tdg_check_ve(int vec, u64 reason, const char *what)
{
    struct td_regs r;

    tdg_check(vec, VE, what);
    tdg_check(tdg_veinfo(&r), reason, what);
}

static void tdg_test_info(u64 index)
{
    struct td_regs r = { .r = { [RAX] = TDG_VP_INFO } };

    td_call(&r);
    tdg_check(r.r[RAX], 0, "TDG.VP.INFO");
    tdg_check(r.r[RCX], 48, "guest addresses have 48 bits");
    tdg_check(r.r[RDX], 0, "ATTRIBUTES");
    tdg_check(r.r[R8], 1 | 2ULL << 32, "one vCPU of at most two");
    tdg_check(r.r[R9], index, "its index");
    tdg_check(tdg(0x3fff, 0, 0, 0), TDX_OPERAND_INVALID, "no such TDCALL");
}

static void tdg_test_insns(void)
{
    u32 r[4], port = 0x3f8;
    struct td_regs info;

    cpuid(0x21, r);
    tdg_check(r[1], 0x65746e49, "CPUID 0x21: a TD");
    cpuid(0, r);
    tdg_check(r[1], 0x756e6547, "CPUID 0");
    cpuid(1, r);
    tdg_check(r[2] & 0x80008014, 0x80008014,
              "CPUID 1: DTES64, DS-CPL, PDCM, a hypervisor");
    tdg_check(r[3] & 0x00200202, 0x00200202, "CPUID 1: VME, APIC, DS");
    cpuid(7, r);
    tdg_check(r[1] & 0x2040, 0x2040, "CPUID 7: FDP_EXCPTN_ONLY, no FCS, FDS");
    tdg_check(r[2] & BIT(24), BIT(24), "CPUID 7: BUS_LOCK_DETECT");
    tdg_check(r[3] & 0xec000400, 0xec000400,
              "CPUID 7: MD_CLEAR, IBRS, STIBP, capabilities, SSBD");
    wrmsr(0x1d9, BIT(2));
    tdg_check(rdmsr(0x1d9), BIT(2), "IA32_DEBUGCTL: bus locks");
    tdg_check(try_wrmsr(0x1d9, BIT(3)), GP, "IA32_DEBUGCTL: reserved bit");
    tdg_check_ve(try_wrmsr(0x1d9, BIT(6)), 32, "IA32_DEBUGCTL: branch trace");
    wrmsr(0x1d9, 0);
    asm volatile("mov $0x4321, %%ecx" : : : "ecx");
    tdg_check_ve(TRAP("cpuid", "a"(0x40000000), "b"(0), "c"(0), "d"(0)), 10,
                 "CPUID of a hypervisor");
    tdg_check_ve(TRAP("hlt", "a"(0)), 12, "HLT");
    tdg_check_ve(TRAP("outb %%al, %%dx", "a"(0), "d"(port)), 30, "OUT");
    tdg_check_ve(TRAP("rdmsr", "c"(0xc0010015)), 31, "RDMSR");
    tdg_check_ve(TRAP("wrmsr", "c"(0xc0010015), "a"(0), "d"(0)), 32, "WRMSR");
    tdg_check_ve(TRAP("wbinvd", "a"(0)), 54, "WBINVD");
    tdg_check_ve(TRAP("vmcall", "a"(0)), 18, "VMCALL");
    tdg_check(TRAP("vmxoff", "a"(0)), UD, "VMXOFF");
    tdg_check(TRAP(".byte 0x66, 0x0f, 0x01, 0xcf", "a"(0)), UD, "SEAMCALL");
    tdg_check(TRAP(".byte 0x66, 0x0f, 0x01, 0xcd", "a"(0)), UD, "SEAMRET");
    tdg_check(TRAP("rdpmc", "c"(0)), GP, "RDPMC");
    tdg_check(tdg_veinfo(&info), ~0ULL, "no more #VE");
}

static void tdg_test_private(void)
{
    tdg_check(variable, 0x1111, "memory as it was added");
    variable = 0x2222;
    tdg_check(variable, 0x2222, "memory is written");
}

static void tdg_test_shared(void)
{
    mem64 *p = (mem64 *)TDG_SHARED(SHARED_GPA);
    struct td_regs r;
    int vec;

    p[0] = 0xabcd;
    tdg_check(tdg_say(SAY_SHARED, 0), 1, "the host's answer");
    tdg_check(p[1], 0x4711, "what the host has written");
    tdg_say(SAY_ABSENT, 0);
    p = (mem64 *)TDG_SHARED(ABSENT_GPA);
    tdg_check(*p, 0x99, "a page that the host maps when it is read");
    tdg_say(SAY_SEAMRR, 0);
    p = (mem64 *)TDG_SHARED(SEAMRR_GPA);
    tdg_check(*p, ~0ULL, "SEAMRR reads as ones");
    *p = 0;
    tdg_check(*p, ~0ULL, "and cannot be written");
    tdg_say(SAY_MMIO, 0);
    p = (mem64 *)TDG_SHARED(MMIO_GPA);
    vec = TRAP("movq %0, (%1)", "r"(5ULL), "r"(p));
    tdg_check(vec, VE, "MMIO");
    tdg_check(tdg_veinfo(&r), X_EPT, "MMIO: reason");
    tdg_check(r.r[R9], MMIO_GPA | SHARED, "MMIO: GPA");
    tdg_check(r.r[R8], (u64)p, "MMIO: linear address");
    tdg_check(r.r[RDX] & 7, 2, "MMIO: a write");
    /* The processor writes none, and no #VE before leaves its own. */
    tdg_check((u32)r.r[R10], 0, "MMIO: instruction length");
}

static void tdg_test_accept(void)
{
    mem64 *p = (mem64 *)PRIVATE_NEW;
    struct td_regs r;
    u64 i, sum = 0, val;

    tdg_say(SAY_AUG, 0);
    /* The host adds the page at the exit; then it is pending. */
    tdg_check(try_read((u64)p, &val), VE, "a page that is not accepted");
    tdg_check(tdg_veinfo(&r), X_EPT, "its reason");
    tdg_check(r.r[R9], PRIVATE_NEW, "its GPA");
    tdg_check(tdg_accept(PRIVATE_NEW, 1), TDX_PAGE_SIZE_MISMATCH | 1,
              "ACCEPT of 2 MiB");
    tdg_check(tdg_accept(PRIVATE_NEW, 0), 0, "ACCEPT");
    for (i = 0; i < 512; i++) {
        sum |= p[i];
    }
    tdg_check(sum, 0, "an accepted page is zero");
    *p = 0x5678;
    tdg_check(TDX_CODE(tdg_accept(PRIVATE_NEW, 0)), TDX_PAGE_ALREADY_ACCEPTED,
              "ACCEPT again");
    tdg_check(*p, 0x5678, "does not clear it");
    tdg_check(tdg_accept(PRIVATE_OTHER, 0), 0, "ACCEPT exits, and succeeds");
    tdg_check(tdg_accept(SHARED_GPA | SHARED, 0), TDX_OPERAND_INVALID | RCX,
              "ACCEPT of a shared page");
    tdg_say(SAY_READ_AGAIN, 0);
    tdg_check(try_read((u64)p, &val), VE, "a page that was replaced");
    tdg_veinfo(&r);
    tdg_check(tdg_accept(PRIVATE_NEW, 0), 0, "ACCEPT of the new page");
    tdg_check(*p, 0, "its content");
}

static u64 tdg_any(int offset, int size)
{
    u64 any = 0;
    int i;

    for (i = 0; i < size; i++) {
        any |= report[offset + i];
    }
    return any != 0;
}

/* TDREPORT: offsets of REPORTMACSTRUCT, TEE_TCB_INFO and TDINFO */
static void tdg_test_report(void)
{
    u64 i, same = 0;

    for (i = 0; i < sizeof(report_data); i++) {
        report_data[i] = i ^ 0x5a;
    }
    tdg_check(tdg(TDG_MR_REPORT, (u64)report, (u64)report_data, 0), 0,
              "TDG.MR.REPORT");
    for (i = 0; i < sizeof(report_data); i++) {
        same += report[128 + i] == report_data[i];
    }
    tdg_check(report[0], 0x81, "its type");
    tdg_check(same, sizeof(report_data), "the report's data");
    tdg_check(tdg_any(256 + 24, 48), 1, "MRSEAM");
    tdg_check(tdg_any(512 + 16, 48), 1, "MRTD");
    tdg_check(tdg_any(512 + 208, 2 * 48), 0, "RTMRs that were not extended");
    tdg_check(tdg_any(512 + 208 + 2 * 48, 48), 1, "the one that was");
    tdg_check(tdg(TDG_MR_VERIFYREPORT, (u64)report, 0, 0), 0,
              "TDG.MR.VERIFYREPORT");
    report[130] ^= 1;
    tdg_check(tdg(TDG_MR_VERIFYREPORT, (u64)report, 0, 0),
              TDX_INVALID_REPORTMACSTRUCT, "other data");
    report[130] ^= 1;
    report[16] ^= 1;
    tdg_check(tdg(TDG_MR_VERIFYREPORT, (u64)report, 0, 0), TDX_INVALID_CPUSVN,
              "another CPUSVN");
}

static void tdg_test_measure(void)
{
    tdg_check(tdg(TDG_MR_RTMR_EXTEND, (u64)report_data, 2, 0), 0,
              "TDG.MR.RTMR.EXTEND");
    tdg_check(tdg(TDG_MR_RTMR_EXTEND, (u64)report_data, 4, 0),
              TDX_OPERAND_INVALID | RDX, "no such RTMR");
    tdg_test_report();
}

static void tdg_set_gate(int vector, void (*fn)(void))
{
    u64 at = (u64)fn;

    td_idt[vector][0] = (at & 0xffff) | 8ULL << 16 | 0x8eULL << 40 |
                        (at >> 16 & 0xffff) << 48;
    td_idt[vector][1] = at >> 32;
}

/* The program's IDT, with an interrupt, and NMIs */
static void tdg_load_idt(void)
{
    struct {
        u16 limit;
        u64 base;
    } __attribute__((packed)) idtr;

    asm volatile("sidt %0" : "=m"(idtr));
    memcpy(td_idt, (void *)idtr.base, idtr.limit + 1);
    tdg_set_gate(TD_VECTOR, tdg_irq);
    tdg_set_gate(2, tdg_nmi);
    idtr.limit = sizeof(td_idt) - 1;
    idtr.base = (u64)td_idt;
    asm volatile("lidt %0" : : "m"(idtr));
}

static void tdg_test_events(void)
{
    mem64 *p = (mem64 *)TDG_SHARED(SHARED_GPA);
    u64 flags;

    tdg_load_idt();
    tdg_say(SAY_LOOP, 0);
    p[2] = 1;
    while (p[2]) {
        asm volatile("pause");
    }
    asm volatile("pushfq; popq %0" : "=r"(flags));
    tdg_check(flags & BIT(9), 0, "interrupts exit, though IF is 0");
    tdg_say(SAY_NMI, 0);
    tdg_check(tdg_nmis, 1, "an NMI that the host injects");
}

static void tdg_test_interrupts(void)
{
    int i;

    wrmsr(MSR_SELF_IPI, TD_VECTOR);
    tdg_check(tdg_irqs, 0, "IF is 0");
    asm volatile("sti; nop");
    tdg_check(tdg_irqs, 1, "a self-IPI, without an exit");
    tdg_say(SAY_POSTED, 0);
    for (i = 0; i < 1000 && tdg_irqs < 2; i++) {
        asm volatile("pause");
    }
    tdg_check(tdg_irqs, 2, "an interrupt that the host has posted");
    asm volatile("cli");
}

static void tdg_life(u64 index)
{
    tdg_check(tdg_say(SAY_HELLO, index), 0x77, "TDG.VP.VMCALL has an answer");
    tdg_test_info(index);
    tdg_test_insns();
    tdg_test_private();
    tdg_test_shared();
    tdg_test_accept();
    tdg_test_measure();
    tdg_test_events();
    tdg_test_interrupts();
    tdg_say(SAY_END, 0);
    /* Without an IDT, an exception ends it. */
    asm volatile("pushq $0; pushq $0; lidt (%rsp); ud2");
}

static void test_build(void)
{
    check_seam(seam(TDH_MNG_CREATE, 0x1000, 41, 0, 0),
               TDX_OPERAND_ADDR_RANGE_ERROR, "TDH.MNG.CREATE outside a TDMR");
    td_create(&td, 41);
    check_seam(seam(TDH_MNG_CREATE, td.tdr + (1 << 20), 41, 0, 0),
               TDX_HKID_NOT_FREE, "a key id of a TD");
    check_seam(seam(TDH_MNG_CREATE, td.tdr, 42, 0, 0),
               TDX_PAGE_METADATA_INCORRECT, "a page of a TD");
    td_add_memory(&td, tdg_life, 0);
    td_add_vcpu(&td, 0);
    check_seam(seam(TDH_VP_ENTER, td.vp[0], 0, 0, 0), TDX_OP_STATE_INCORRECT,
               "TDH.VP.ENTER before TDH.MR.FINALIZE");
    td_finalize(&td);
    check_seam(seam(TDH_MEM_PAGE_ADD, 0, td.tdr, 0, 0), TDX_OP_STATE_INCORRECT,
               "TDH.MEM.PAGE.ADD after it");
}

static void test_hello(void)
{
    struct td_regs *r = &td.r[0];
    u64 secret = 0x5ec7e7ULL;
    int i;

    for (i = 0; i < 16; i++) {
        r->r[i] = secret;
    }
    td_runs_to(&td, 0, SAY_HELLO, "a TD runs");
    check_eq(r->r[R12], 0, "its vCPU has index 0");
    check_eq(r->r[RCX], 0x7c00, "RCX: which registers it passed");
    check_eq(r->r[RBX] | r->r[RSI] | r->r[RDI] | r->r[RBP] | r->r[R15], 0,
             "no other one is passed");
    check_eq(variable, 0x1111, "the host's memory is another one");
    td_answer(&td, 0, 0x77);
}

static void test_shared(void)
{
    struct td_regs *r = &td.r[0];

    *td_shared(&td, SHARED_GPA) = (u64)shared_page | EPT_WB | 7;
    *td_shared(&td, MMIO_GPA) = SHARED_MMIO;
    td_runs_to(&td, 0, SAY_SHARED, "the TD writes to shared memory");
    check_eq(shared_page[0], 0xabcd, "the host finds it");
    shared_page[1] = 0x4711;
    td_answer(&td, 0, 1);
    td_runs_to(&td, 0, SAY_ABSENT, "the TD goes on");
    check_eq(td_run(&td, 0), X_EPT, "shared memory that is not there exits");
    check_eq(r->r[R8], ABSENT_GPA | SHARED, "its GPA");
    check_eq(r->r[RCX] & 7, 1, "a read");
    shared_page[0] = 0x99;
    *td_shared(&td, ABSENT_GPA) = (u64)shared_page | EPT_WB | 7;
    td_runs_to(&td, 0, SAY_SEAMRR, "the TD goes on");
    /* A host that wants to see what the module has, with a TD's help */
    *td_shared(&td, SEAMRR_GPA) =
        (rdmsr(MSR_SEAMRR_PHYS_BASE) & ~0xfffULL) | EPT_WB | 7;
    td_runs_to(&td, 0, SAY_MMIO, "the TD goes on");
}

static void test_private(void)
{
    struct td_regs *r = &td.r[0];
    u64 pa = td_page(&td);

    td_runs_to(&td, 0, SAY_AUG, "the TD wants more memory");
    check_eq(td_run(&td, 0), X_EPT, "private memory that is not there exits");
    check_eq(r->r[R8], PRIVATE_NEW, "its GPA");
    check_eq(EEQ_TYPE(r->r[RDX]), 0, "no extended qualification");
    check_seam(td_aug(&td, PRIVATE_NEW, pa), 0, "TDH.MEM.PAGE.AUG");
    check_eq(td_run(&td, 0), X_EPT, "ACCEPT of a missing page exits");
    check_eq(r->r[R8], PRIVATE_OTHER, "its GPA");
    check_eq(EEQ_TYPE(r->r[RDX]), EEQ_ACCEPT, "extended qualification");
    check_seam(td_aug(&td, PRIVATE_OTHER, td_page(&td)), 0,
               "TDH.MEM.PAGE.AUG");
    td_runs_to(&td, 0, SAY_READ_AGAIN, "the TD has accepted both");
}

static void test_remove(void)
{
    u64 pa;

    check_seam(seam(TDH_MEM_PAGE_REMOVE, PRIVATE_NEW, td.tdr, 0, 0),
               TDX_GPA_RANGE_NOT_BLOCKED, "REMOVE without BLOCK");
    check_seam(seam(TDH_MEM_RANGE_BLOCK, PRIVATE_NEW, td.tdr, 0, 0), 0,
               "BLOCK");
    check_seam(seam(TDH_MEM_PAGE_REMOVE, PRIVATE_NEW, td.tdr, 0, 0),
               TDX_TLB_TRACKING_NOT_DONE, "REMOVE without TRACK");
    check_seam(seam(TDH_MEM_RANGE_UNBLOCK, PRIVATE_NEW, td.tdr, 0, 0),
               TDX_TLB_TRACKING_NOT_DONE, "UNBLOCK without TRACK");
    check_seam(seam(TDH_MEM_TRACK, td.tdr, 0, 0, 0), 0, "TRACK");
    check_seam(seam(TDH_MEM_RANGE_UNBLOCK, PRIVATE_NEW, td.tdr, 0, 0), 0,
               "UNBLOCK");
    pa = td_remove(&td, PRIVATE_NEW);
    check_eq(seam(TDH_PHYMEM_PAGE_WBINVD, pa | 41ULL << 46, 0, 0, 0), 0,
             "TDH.PHYMEM.PAGE.WBINVD");
    check_eq(td_run(&td, 0), X_EPT, "the TD has no translation of it");
    check_eq(td.r[0].r[R8], PRIVATE_NEW, "its GPA");
    check_seam(td_aug(&td, PRIVATE_NEW, pa), 0, "the page comes back");
}

static void start_timer(u32 count)
{
    *(mem32 *)LAPIC_SVR |= 0x1ff;
    *(mem32 *)LAPIC_DIVIDE = 0xb;
    *(mem32 *)LAPIC_TIMER = TIMER_VECTOR;
    *(mem32 *)LAPIC_COUNT = count;
}

/* Until the TD is in its loop, which may need more than one run */
static u64 run_interrupted(void)
{
    mem64 *looping = &shared_page[2];
    u64 ret;
    int i = 0;

    do {
        *(mem32 *)LAPIC_EOI = 0;
        start_timer(1000000);
        ret = td_run(&td, 0);
    } while (ret == X_INTERRUPT && !*looping && ++i < 1000);
    return ret;
}

static void test_events(void)
{
    struct td_regs *r = &td.r[0];

    td_runs_to(&td, 0, SAY_LOOP, "the TD is about to loop");
    check_eq(run_interrupted(), X_INTERRUPT, "an interrupt exits");
    check_eq(r->r[R9], BIT(31) | TIMER_VECTOR, "its vector");
    check_eq(r->r[R11] | r->r[R12] | r->r[RBX] | r->r[RSI], 0,
             "the TD's registers are not in the host's");
    check_eq(shared_page[2], 1, "the TD was in its loop");
    *(mem32 *)LAPIC_EOI = 0;
    shared_page[2] = 0;
    td_runs_to(&td, 0, SAY_NMI, "the TD goes on");
    check_seam(seam(TDH_VP_WR, td.vp[0], FIELD_PEND_NMI, 1, 1), 0,
               "TDH.VP.WR of PEND_NMI");
    td_runs_to(&td, 0, SAY_POSTED, "the TD has taken it");
}

/* The notification is pending when the TD is entered, and posts at once. */
static void test_posted(void)
{
    u64 vp = td.vp[0];

    check_seam(seam(TDH_VP_WR, vp, FIELD_POSTED_VECTOR, POSTED_VECTOR, 0xffff),
               0, "TDH.VP.WR of the notification vector");
    check_seam(seam(TDH_VP_WR, vp, FIELD_POSTED_DESC, (u64)posted, ~0ULL), 0,
               "TDH.VP.WR of the descriptor");
    check_seam(seam(TDH_VP_WR, vp, FIELD_PIN, BIT(7), BIT(7)), 0,
               "TDH.VP.WR of the pin controls");
    posted[TD_VECTOR / 64] = BIT(TD_VECTOR % 64);
    posted[4] = 1;
    *(mem32 *)LAPIC_ICR = 0x40000 | POSTED_VECTOR;
    td_runs_to(&td, 0, SAY_END, "no exit for the notification");
    check_eq(posted[TD_VECTOR / 64] | posted[4], 0, "the descriptor is empty");
}

static void test_end(void)
{
    check_seam(td_run(&td, 0), TDX_NON_RECOVERABLE_VCPU,
               "a triple fault ends the vCPU");
    check_seam(td_run(&td, 0), TDX_VCPU_STATE_INCORRECT,
               "which cannot be entered any more");
    check_seam(seam(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0),
               TDX_FLUSHVP_NOT_DONE, "TDH.MNG.VPFLUSHDONE before VP.FLUSH");
    check_seam(seam(TDH_VP_FLUSH, td.vp[0], 0, 0, 0), 0, "TDH.VP.FLUSH");
    check_seam(seam(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0),
               TDX_LIFECYCLE_STATE_INCORRECT, "TDH.MNG.KEY.FREEID before it");
    check_seam(seam(TDH_PHYMEM_PAGE_RECLAIM, td.first + PAGE, 0, 0, 0),
               TDX_LIFECYCLE_STATE_INCORRECT, "RECLAIM of a TD with a key");
    check_seam(seam(TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0, 0), 0,
               "TDH.MNG.VPFLUSHDONE");
    check_seam(seam(TDH_VP_ENTER, td.vp[0], 0, 0, 0),
               TDX_TD_KEYS_NOT_CONFIGURED, "TDH.VP.ENTER after it");
    check_seam(seam(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0),
               TDX_WBCACHE_NOT_COMPLETE, "FREEID before CACHE.WB");
    check_seam(seam(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), 0,
               "TDH.PHYMEM.CACHE.WB");
    check_seam(seam(TDH_PHYMEM_CACHE_WB, 0, 0, 0, 0), 0,
               "TDH.PHYMEM.CACHE.WB again");
    check_seam(seam(TDH_MNG_KEY_FREEID, td.tdr, 0, 0, 0), 0,
               "TDH.MNG.KEY.FREEID");
    check_seam(seam(TDH_PHYMEM_PAGE_RECLAIM, td.tdr, 0, 0, 0),
               TDX_TD_ASSOCIATED_PAGES_EXIST, "RECLAIM of the TDR first");
    check(td_reclaim(&td), "all pages are reclaimed");
}

/* The same key id and the same pages, once more; and two TDs at once */
static void tdg_short(u64 index)
{
    u64 n;

    variable = tdg_say(SAY_HELLO, variable);
    for (n = 1; n <= 20; n++) {
        tdg_check(tdg_say(SAY_LOOP, variable), n, "an answer");
    }
    tdg_say(SAY_END, variable);
    /* The host adds it when it is read. It is not accepted. */
    variable = *(mem64 *)PRIVATE_NEW;
}

/* A TD that wants no #VE for pages that it has not accepted */
static void test_pending(void)
{
    check_eq(td_run(&other, 0), X_EPT, "private memory that is not there");
    check_eq(other.r[0].r[R8], PRIVATE_NEW, "its GPA");
    check_seam(td_aug(&other, PRIVATE_NEW, td_page(&other)), 0,
               "TDH.MEM.PAGE.AUG");
    check_eq(td_run(&other, 0), X_EPT, "a page that is not accepted exits");
    check_eq(EEQ_TYPE(other.r[0].r[RDX]), EEQ_PENDING, "as pending");
}

static void test_two(void)
{
    struct td *tds[2] = { &td, &other };
    int i, n;

    td_build(&td, 41, tdg_short, 0);
    td_build(&other, 42, tdg_short, ATTR_SEPT_VE_DISABLE);
    for (i = 0; i < 2; i++) {
        td_runs_to(tds[i], 0, SAY_HELLO, "each of two TDs runs");
        check_eq(tds[i]->r[0].r[R12], 0x1111, "memory as it was added");
        td_answer(tds[i], 0, 0xa0 + i);
    }
    for (n = 1; n <= 20; n++) {
        for (i = 0; i < 2; i++) {
            if (td_run(tds[i], 0) != X_TDCALL ||
                tds[i]->r[0].r[R12] != 0xa0 + i) {
                check(false, "TD %d, step %d: its own memory", i, n);
            }
            td_answer(tds[i], 0, n);
        }
    }
    for (i = 0; i < 2; i++) {
        td_runs_to(tds[i], 0, SAY_END, "each has done its steps");
    }
    test_pending();
    td_destroy(&other);
    td_destroy(&td);
}

void test_main(void)
{
    td_module_start();
    test_build();
    test_hello();
    test_shared();
    test_private();
    test_remove();
    test_events();
    test_posted();
    test_end();
    test_two();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
}
