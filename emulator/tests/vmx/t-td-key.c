/*
 * VMX tests: what a host can do to the private memory of a TD
 *
 * The host knows the page that it has given to the TD. The TD does what it is
 * asked for: each time, it answers, or it has met what the host has done. TDs
 * follow each other with two key ids, and in the same memory. QEMU's log has no
 * errors. A second processor writes while a TD runs on the first.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

#define GPA             0x80000000ULL   /* the page */
#define CODE            (GPA + PAGE)    /* another one, with a function */
#define ABSENT          (GPA + 2 * PAGE)
#define OWN_TABLE       (2ULL << 39)    /* what TABLE has mapped */
#define LINE            64
#define SECRET(i)       (0x5ec2e70000000000ULL + (i))
#define MINE            0x4242424242424242ULL
#define X_EPT           48
#define MANY            50000000
#define WAIT_NS         20000000

#define CR4_OSFXSR      BIT(9)

/* Commands are the low bits of an address. */
enum { READ, WRITE, FILL_LINE, CALL, COUNT, SPIN, SAVE, TABLE };
enum { SAY_READY = 1, SAY_DONE };

typedef u64 (*code_fn)(void);

static struct td td;
static u64 page, code_page;             /* physical */
static int tds;                         /* so far */
static mem64 ap_status;

static u64 tdg_count(void)
{
    u64 i, n = 0;

    for (i = 0; i < PAGE / 8; i++) {
        n += *(mem64 *)(GPA + 8 * i) == SECRET(i);
    }
    return n;
}

/* Until the content changes */
static u64 tdg_spin(u64 addr)
{
    u64 i, was = *(mem64 *)addr;

    for (i = 0; i < MANY && *(mem64 *)addr == was; i++) {
        asm volatile("pause");
    }
    return *(mem64 *)addr;
}

static u64 tdg_do(u64 command)
{
    static const u64 line[8] __attribute__((aligned(64))) = { MINE };
    u64 addr = command & ~7ULL;

    switch (command & 7) {
    case READ:
        return *(mem64 *)addr;
    case WRITE:
        *(mem64 *)addr = MINE;
        return 0;
    case FILL_LINE:
        asm volatile("movdir64b (%1), %0" : : "r"(addr), "r"(line) : "memory");
        return 0;
    case CALL:
        return ((code_fn)addr)();
    case SPIN:
        return tdg_spin(addr);
    case SAVE:
        asm volatile("fxsave (%0)" : : "r"(addr) : "memory");
        return 0;
    case TABLE:
        *(mem64 *)GPA = PTE_P | PTE_W | PTE_PS;
        *(mem64 *)addr = GPA | PTE_P | PTE_W;
        ((u64 *)read_cr3())[2] = addr | PTE_P | PTE_W;
        return 0;
    default:
        return tdg_count();
    }
}

static void tdg_serve(u64 index)
{
    static const u8 code[] = { 0xb8, 7, 0, 0, 0, 0xc3 };    /* return 7; */
    u64 i, command;

    tdg_check(tdg_accept(GPA, 0), 0, "ACCEPT");
    tdg_check(tdg_accept(CODE, 0), 0, "ACCEPT of another page");
    for (i = 0; i < PAGE / 8; i++) {
        *(mem64 *)(GPA + 8 * i) = SECRET(i);
    }
    write_cr4(read_cr4() | CR4_OSFXSR);
    asm volatile("clts");
    for (i = 0; i < sizeof(code); i++) {
        ((u8 *)CODE)[i] = code[i];
    }
    command = tdg_say(SAY_READY, 0);
    for (;;) {
        command = tdg_say(SAY_DONE, tdg_do(command));
    }
}

/* The TD does what it is told: its status, and what it answers in *VAL */
static u64 ask(u64 command, u64 addr, u64 *val)
{
    u64 ret;

    td_answer(&td, 0, command | addr);
    ret = td_run(&td, 0);
    *val = td.r[0].r[R12];
    return ret == X_TDCALL && td.r[0].r[R11] == SAY_DONE ? 0 : ret;
}

static void check_answer(u64 command, u64 addr, u64 want, const char *what)
{
    u64 val;

    check_eq(ask(command, addr, &val), 0, "%s: the TD runs", what);
    check_eq(val, want, "%s", what);
}

/* A new TD with a filled page, which it has in its TLB */
static void start(void)
{
    td_build(&td, 41 + tds++ % 2, tdg_serve, 0);
    td_sept(&td, GPA, 0);
    page = td_page(&td);
    code_page = td_page(&td);
    check_seam(td_aug(&td, GPA, page), 0, "AUG");
    check_seam(td_aug(&td, CODE, code_page), 0, "AUG of another page");
    td_runs_to(&td, 0, SAY_READY, "the TD is ready");
    check_answer(COUNT, 0, PAGE / 8, "it reads its page");
}

/* The TD has died of a machine check at the physical address. */
static void check_killed(u64 command, u64 addr, u64 pa, const char *what)
{
    u64 val;

    wrmsr(MSR_MC1_STATUS, 0);
    check_seam(ask(command, addr, &val), TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE,
               what);
    check(rdmsr(MSR_MCG_STATUS) & MCG_MCIP, "a machine check is in progress");
    check_eq(rdmsr(MSR_MC1_STATUS), MC_STATUS, "its bank: status");
    check_eq(rdmsr(MSR_MC1_ADDR), pa | (u64)td.hkid << 46,
             "its bank: the line, with the TD's key id");
    wrmsr(MSR_MCG_STATUS, 0);
    check_seam(td_run(&td, 0), TDX_TD_FATAL, "the TD does not run again");
    td_destroy(&td);
}

static void test_read(void)
{
    u64 i, n = 0;

    for (i = 0; i < PAGE / 8; i++) {
        n += rd(page + 8 * i) == 0;
    }
    check_eq(n, PAGE / 8, "the host reads zeros of private memory");
    check_eq(rd(td.tdr), 0, "and of the TDR");
    check_answer(COUNT, 0, PAGE / 8, "the TD has its content");
}

static void test_write(void)
{
    start();
    test_read();
    wr(page + LINE, MINE);
    check_eq(rd(page + LINE), MINE, "what the host has written");
    check_eq(rd(page + LINE + 8), 0, "the rest of the line is zero");
    check_eq(rd(page + 2 * LINE), 0, "another line is still zero");
    check_answer(READ, GPA + 2 * LINE, SECRET(16), "the TD has that line");
    check_killed(READ, GPA + LINE + 8, page + LINE,
                 "the TD dies of the line that the host has written");
}

/* A line without TD owner bit: a write repairs it if it is one of all of it. */
static void test_repair(void)
{
    start();
    wr(page, MINE + 1);
    check_answer(FILL_LINE, GPA, 0, "MOVDIR64B over the host's line");
    check_answer(READ, GPA, MINE, "the line is good");
    check_eq(rd(page), 0, "the host reads zeros of it again");
    wr(page + LINE, MINE + 1);
    check_answer(WRITE, GPA + LINE, 0, "eight bytes over the host's line");
    check_eq(rd(page + LINE), 0, "the line is private");
    check_killed(READ, GPA + LINE, page + LINE, "and poisoned all the same");
}

/* FXSAVE writes 416 of 512 bytes, and not these. */
static void test_save(void)
{
    start();
    wr(code_page, MINE);
    check_answer(SAVE, CODE - 448, 0, "FXSAVE, its end in the host's line");
    check_killed(READ, CODE + 56, code_page, "that line is poisoned");
}

/* A page walk ends at the host's line, whatever there seems to be. */
static void test_table(void)
{
    static const u64 bits[] = { 0, PTE_P, PTE_A, PTE_P | PTE_A };
    int i;

    for (i = 0; i < 4; i++) {
        start();
        check_answer(TABLE, CODE, 0, "a page table of the TD's own");
        wr(code_page, bits[i]);
        check_killed(READ, OWN_TABLE, code_page, "a walk reads that line");
    }
}

static void test_fetch(void)
{
    start();
    check_answer(CALL, CODE, 7, "a function");
    wr(code_page + PAGE - LINE, 0);
    check_answer(CALL, CODE, 7, "another line of the page is the host's");
    asm volatile("movb $0xc3, (%0)" : : "r"(code_page) : "memory");
    check_killed(CALL, CODE, code_page, "a function in the host's line");
}

static void test_sept(void)
{
    u64 val, table;

    start();
    /* The page table is the last one that was added before the page. */
    table = page - PAGE;
    check_eq(ask(READ, ABSENT, &val), X_EPT, "a page that is not there");
    check_eq(rd(table), 0, "the host reads zeros of the Secure EPT");
    wr(table + 8 * (ABSENT >> 12 & 511), ABSENT | 7);
    check_killed(READ, ABSENT, table, "a Secure EPT with a line of the host's");
}

static void test_dma(void)
{
    start();
    check_eq(device_writes(page + 3 * LINE + 4, FW_CFG_SIGNATURE, 4), 0,
             "DMA");
    check_eq(rd(page + 3 * LINE), 0x554d455100000000ULL,
             "the host reads what a device has written");
    check_eq(rd(page + 3 * LINE + 8), 0, "and nothing else of the line");
    check_answer(READ, GPA + 2 * LINE, SECRET(16), "the TD has another line");
    check_killed(READ, GPA + 3 * LINE, page + 3 * LINE,
                 "a TD dies of a line that a device has written");
}

/* The host takes a page back: it is memory like any other. */
static void test_back(void)
{
    u64 i, pa, n = 0;

    start();
    pa = page;
    check_eq(td_remove(&td, GPA), pa, "the page is removed");
    check_seam(seam(TDH_PHYMEM_PAGE_WBINVD, pa | (u64)td.hkid << 46, 0, 0, 0),
               0, "PAGE.WBINVD");
    check_eq(rd(pa), 0, "the host reads zeros of it");
    for (i = 0; i < PAGE / 8; i++) {
        wr(pa + 8 * i, i);
    }
    for (i = 0; i < PAGE / 8; i++) {
        n += rd(pa + 8 * i) == i;
    }
    check_eq(n, PAGE / 8, "the host has filled it");
    check_seam(td_aug(&td, ABSENT, pa), 0, "AUG of the same page");
    check_eq(rd(pa + 8), 1, "the host's content, until it is accepted");
    td_destroy(&td);
}

static void ap_lp_init(void)
{
    ap_status = seam(TDH_SYS_LP_INIT, 0, 0, 0, 0);
}

static void ap_write(void)
{
    u64 start = timer_read();

    while (timer_ns(start) < WAIT_NS) {
        asm volatile("pause");
    }
    wr(page + LINE, MINE);
}

static void wait_for_ap(void)
{
    check(td_ap_wait(), "the other processor is done");
}

/* The TD's processor has a translation of the page, and uses it. */
static void test_other_cpu(void)
{
    start();
    ap_work = ap_write;
    check_killed(SPIN, GPA + LINE, page + LINE,
                 "the TD dies when another processor writes");
    wait_for_ap();
}

static void test_start(void)
{
    vmx_on();
    check(td_ap_start(), "the other processor is done");
    check_eq(td_ap_vmxon, VM_OK, "VMXON on it");
    check_seam(seam(TDH_SYS_INIT, 0, 0, 0, 0), 0, "TDH.SYS.INIT");
    td_module_init_cpu();
    ap_work = ap_lp_init;
    wait_for_ap();
    check_eq(ap_status, 0, "TDH.SYS.LP.INIT on it");
    td_module_init();
}

void test_main(void)
{
    test_start();
    test_write();
    test_repair();
    test_save();
    test_table();
    test_fetch();
    test_sept();
    test_dma();
    test_back();
    test_other_cpu();
}
