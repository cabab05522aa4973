/*
 * VMX tests: memory of a TD in larger pages, pages that move, a debugger
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "td.h"

#define GPA             0x80000000ULL
#define LAST            (GPA + LARGE - PAGE)
#define X_EPT           48
#define VALUE(gpa)      ((gpa) ^ 0x1234567)

enum { SAY_FILLED = 1, SAY_CHECKED };

static struct td td;
static mem64 variable = 0x1111;

static u64 tdg_count(void)
{
    u64 gpa, n = 0;

    for (gpa = GPA; gpa < GPA + LARGE; gpa += PAGE) {
        n += *(mem64 *)gpa == VALUE(gpa);
    }
    return n;
}

static void tdg_memory(u64 index)
{
    u64 gpa;

    tdg_check(tdg_accept(GPA, 1), 0, "ACCEPT of 2 MiB");
    tdg_check(*(mem64 *)LAST, 0, "all of it is zero");
    tdg_check(TDX_CODE(tdg_accept(LAST, 0)), TDX_PAGE_ALREADY_ACCEPTED,
              "ACCEPT of 4 KiB in it");
    for (gpa = GPA; gpa < GPA + LARGE; gpa += PAGE) {
        *(mem64 *)gpa = VALUE(gpa);
    }
    tdg_say(SAY_FILLED, 0);
    for (;;) {
        tdg_say(SAY_CHECKED, tdg_count());
    }
}

/* The TD looks at its 512 pages again. */
static void check_pages(const char *what)
{
    td_runs_to(&td, 0, SAY_CHECKED, what);
    check_eq(td.r[0].r[R12], 512, "%s: all pages have their content", what);
}

static void block_and_track(u64 gpa, int level)
{
    check_seam(seam(TDH_MEM_RANGE_BLOCK, gpa | level, td.tdr, 0, 0), 0,
               "BLOCK");
    check_seam(seam(TDH_MEM_TRACK, td.tdr, 0, 0, 0), 0, "TRACK");
}

/* 2 MiB of memory that is aligned to that */
static u64 large_page(void)
{
    while (td.next % LARGE) {
        td.next += PAGE;
    }
    td.next += LARGE;
    return td.next - LARGE;
}

static void test_large(void)
{
    u64 pa = large_page();

    check_eq(td_run(&td, 0), X_EPT, "ACCEPT of 2 MiB that are not there");
    check_eq(td.r[0].r[R8], GPA, "its GPA");
    td_sept(&td, GPA, 1);
    check_seam(seam(TDH_MEM_PAGE_AUG, GPA | 1, td.tdr, pa, 0), 0,
               "AUG of 2 MiB");
    check_seam(seam(TDH_PHYMEM_PAGE_RECLAIM, pa, 0, 0, 0),
               TDX_LIFECYCLE_STATE_INCORRECT, "it is the TD's");
    td_runs_to(&td, 0, SAY_FILLED, "the TD has filled it");
    check_pages("in 2 MiB");
}

static void test_sizes(void)
{
    struct td_regs r = {
        .r = { [RAX] = TDH_MEM_PAGE_PROMOTE, [RCX] = GPA | 1 },
    };
    u64 table = td_page(&td);

    check_seam(seam(TDH_MEM_PAGE_DEMOTE, GPA | 1, td.tdr, table, 0),
               TDX_GPA_RANGE_NOT_BLOCKED, "DEMOTE without BLOCK");
    block_and_track(GPA, 1);
    check_seam(seam(TDH_MEM_PAGE_DEMOTE, GPA | 1, td.tdr, table, 0), 0,
               "DEMOTE");
    check_pages("in 4 KiB");
    block_and_track(GPA, 1);
    r.r[RDX] = td.tdr;
    check_seam(seam_regs(&r), 0, "PROMOTE");
    check_eq(r.r[RCX], table, "it gives the table back");
    check_pages("in 2 MiB again");
    block_and_track(GPA, 1);
    check_seam(seam(TDH_MEM_PAGE_DEMOTE, GPA | 1, td.tdr, table, 0), 0,
               "DEMOTE again");
}

static void test_relocate(void)
{
    struct td_regs r = {
        .r = { [RAX] = TDH_MEM_PAGE_RELOCATE, [RCX] = LAST },
    };
    u64 to = td_page(&td);

    block_and_track(LAST, 0);
    r.r[RDX] = td.tdr;
    r.r[R8] = to;
    check_seam(seam_regs(&r), 0, "RELOCATE of the last page");
    check_eq(r.r[RCX] % LARGE, LARGE - PAGE, "from where it was");
    check_pages("with a page that has moved");
}

static void test_debug(u64 attributes)
{
    struct td_regs r = {
        .r = { [RAX] = TDH_MEM_RD, [RCX] = (u64)&variable, [RDX] = td.tdr },
    };

    if (!(attributes & ATTR_DEBUG)) {
        check_seam(seam_regs(&r), TDX_TD_NON_DEBUG, "MEM.RD, without DEBUG");
        return;
    }
    check_seam(seam_regs(&r), 0, "MEM.RD");
    check_eq(r.r[R8], 0x1111, "what the TD has there");
    check_seam(seam(TDH_MEM_WR, GPA, td.tdr, 5, 0), 0, "MEM.WR");
    td_runs_to(&td, 0, SAY_CHECKED, "the TD goes on");
    check_eq(td.r[0].r[R12], 511, "and finds that a page was written");
}

static void test_td(u64 attributes)
{
    td_build(&td, 41, tdg_memory, attributes);
    test_large();
    test_sizes();
    test_relocate();
    test_debug(attributes);
    td_destroy(&td);
}

void test_main(void)
{
    td_module_start();
    test_td(0);
    test_td(ATTR_DEBUG);
}
