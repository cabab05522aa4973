/*
 * VMX tests: partial writes of a host to the private memory of a TD
 *
 * On a processor with the erratum they poison the line, for the host as well,
 * until all of it is written at once. A host that takes pages back has to do
 * that before it uses them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

#define GPA             0x80000000ULL
#define LINE            64
#define WORDS           (PAGE / 8)
#define SECRET          0x5ec2e70000000000ULL
#define MINE            0x4242424242424242ULL

enum { SAY_READY = 1, SAY_READ };

static struct td td;
static u64 page;                        /* physical */
static int tds;                         /* so far */

static void tdg_main(u64 index)
{
    u64 i, addr;

    tdg_check(tdg_accept(GPA, 0), 0, "ACCEPT");
    for (i = 0; i < WORDS; i++) {
        *(mem64 *)(GPA + 8 * i) = SECRET + i;
    }
    addr = tdg_say(SAY_READY, 0);
    for (;;) {
        addr = tdg_say(SAY_READ, *(mem64 *)addr);
    }
}

static void start(void)
{
    td_build(&td, 41 + tds++ % 2, tdg_main, 0);
    td_sept(&td, GPA, 0);
    page = td_page(&td);
    check_seam(td_aug(&td, GPA, page), 0, "AUG");
    td_runs_to(&td, 0, SAY_READY, "the TD is ready");
}

/* The line as the TD reads it */
static void check_td(u64 offset, u64 want, const char *what)
{
    td_answer(&td, 0, GPA + offset);
    check(td_runs_to(&td, 0, SAY_READ, what) && td.r[0].r[R12] == want,
          "%s: its content", what);
}

static void write_line(u64 addr)
{
    static const u64 line[8] __attribute__((aligned(64))) = { MINE, MINE };

    asm volatile("movdir64b (%1), %0" : : "r"(addr), "r"(line) : "memory");
}

static void check_poison(u64 addr, const char *what)
{
    u64 val;

    wrmsr(MSR_MC1_STATUS, 0);
    check_eq(try_read(addr, &val), MC, "%s", what);
    check_eq(rdmsr(MSR_MC1_STATUS), MC_STATUS, "%s: status", what);
    check_eq(rdmsr(MSR_MC1_ADDR), addr & ~(LINE - 1ULL), "%s: address", what);
    wrmsr(MSR_MCG_STATUS, 0);
}

static void test_host(void)
{
    u64 val;

    start();
    check_eq(try_read(page, &val), NO_TRAP, "a private line, not written");
    check_eq(val, 0, "the host reads zeros");
    wr(page + 8, MINE);
    check_poison(page, "eight bytes are written");
    check_poison(page + 8, "these eight bytes");
    check_eq(try_read(page + LINE, &val), NO_TRAP, "the next line");
    check_td(LINE, SECRET + LINE / 8, "the TD reads that");
    wr(page, MINE);
    check_poison(page, "eight more bytes do not repair it");
    check_eq(TRAP("lock addq %1, (%0)", "r"(page), "r"(1ULL)), MC,
             "a locked instruction reads the line");
    wrmsr(MSR_MCG_STATUS, 0);
    check_poison(page, "and does not repair it");
    write_line(page);
    check_eq(try_read(page, &val), NO_TRAP, "MOVDIR64B");
    check_eq(val, MINE, "it repairs the line");
    wr(page + 8, 1);
    check_eq(try_read(page, &val), NO_TRAP, "the line is the host's");
    check_eq(val, MINE, "partial writes are like others");
    td_destroy(&td);
}

/* The TD dies of the line, and the host gets a machine check for it, too. */
static void test_td(void)
{
    start();
    wr(page + LINE, MINE);
    td_answer(&td, 0, GPA + LINE);
    check_seam(td_run(&td, 0), TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE,
               "the TD reads a line that is poisoned");
    wrmsr(MSR_MCG_STATUS, 0);
    check_poison(page + LINE, "the host reads it afterwards");
    td_destroy(&td);
}

/* What was the TD's is memory again: poison stays until the host clears it. */
static void test_back(void)
{
    u64 i, n = 0, val;

    start();
    wr(page, MINE);
    td_destroy(&td);
    check_poison(page, "a page that is the host's again");
    for (i = 0; i < PAGE; i += LINE) {
        write_line(page + i);
    }
    for (i = 0; i < WORDS; i++) {
        wr(page + 8 * i, i);
        n += try_read(page + 8 * i, &val) == NO_TRAP && val == i;
    }
    check_eq(n, WORDS, "it is cleared, and memory like any other");
    start();
    td_destroy(&td);
}

static void device_writes_some(u64 pa, u32 length)
{
    check_eq(device_writes(pa, FW_CFG_FILE_DIR, length), 0, "DMA of %d bytes",
             length);
}

static void test_dma(void)
{
    u64 val;

    start();
    device_writes_some(page, 4);
    check_poison(page, "a device has written four bytes");
    device_writes_some(page, 4);
    check_poison(page, "and once more");
    device_writes_some(page, LINE);
    check_eq(try_read(page, &val), NO_TRAP, "the device writes the line");
    check(val, "its content is the device's");
    device_writes_some(page + LINE + 4, LINE);
    check_poison(page + LINE, "two lines, neither as a whole: the first");
    check_poison(page + 2 * LINE, "and the second");
    td_destroy(&td);
}

void test_main(void)
{
    write_cr4(read_cr4() | CR4_MCE);
    td_module_start();
    test_host();
    test_td();
    test_back();
    test_dma();
}
