/*
 * SEV-SNP tests: the hypervisor's own accesses to memory
 *
 * APM volume 2, "RMP and VMPL Access Checks": writes and page table accesses of
 * the host need a hypervisor page, all of it if it is mapped as 2 MiB.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rmp.h"

#define AREA    0x10000000ULL
#define OTHER   0x10200000ULL
#define ASID    5

static void check_blocked(u64 addr, const char *what)
{
    u64 old = rd(addr);

    check_eq(try_write(addr, ~old), PF, "%s: #PF", what);
    check_eq(trap()->err, PF_P | PF_W | PF_RMP, "%s: error code", what);
    check_eq(trap()->cr2, addr, "%s: CR2", what);
    check_eq(rd(addr), old, "%s: nothing written", what);
}

static void check_writable(u64 addr, const char *what)
{
    check_eq(try_write(addr, 0x1234), NO_TRAP, "%s", what);
    check_eq(rd(addr), 0x1234, "%s: it is written", what);
}

static void test_small(void)
{
    u64 page = AREA + 3 * PAGE;

    host_pte(AREA);
    check_writable(page, "mapped by 4 KiB");
    rmp_assign(page, 0, ASID, false);
    check_blocked(page, "host-write: by 4 KiB");
    check_blocked(page + PAGE - 8, "host-write: at its end");
    check_writable(page - 8, "the page before it");
    check_writable(page + PAGE, "the page after it");
    check_eq(try_write(page - 4, 0), PF, "host-write: across its start");
    rmp_share(page, false);
    check_writable(page, "given back");

    rmp_firmware(page);
    check_blocked(page, "host-write: the firmware's page");
    rmp_clear(page, 1);
    rmp_entry(page)[0] = RMP_IMMUTABLE;
    flush_tlb();
    check_writable(page, "immutable, but the hypervisor's");
    rmp_clear(page, 1);
}

static void test_large(void)
{
    u64 page = AREA + 3 * PAGE;

    host_large(AREA);
    check_writable(page, "mapped by 2 MiB");
    rmp_assign(page, 0, ASID, false);
    check_blocked(page, "host-write: by 2 MiB");
    check_blocked(page + PAGE, "host-large-page: next to it");
    check_blocked(AREA + LARGE - 8, "host-large-page: at the end");
    check_writable(OTHER, "the next 2 MiB");
    rmp_share(page, false);
    check_writable(page, "given back");
    check_writable(page + PAGE, "given back, next to it");

    rmp_assign(AREA, 0, ASID, true);
    check_blocked(AREA + 5 * PAGE, "host-write: 2 MiB by 2 MiB");
    host_pte(AREA);
    check_blocked(AREA, "host-write: the start of 2 MiB by 4 KiB");
    check_blocked(AREA + 5 * PAGE, "host-write: inside of 2 MiB by 4 KiB");
    psmash(AREA);
    check_blocked(AREA + 5 * PAGE, "host-write: after PSMASH");
    rmp_share(AREA + 5 * PAGE, false);
    check_writable(AREA + 5 * PAGE, "one part given back");
    check_blocked(AREA + 6 * PAGE, "host-write: another part");
    rmp_clear(AREA, 512);
}

/* Tables are checked like their use. */
static void test_tables(void)
{
    mem64 *pte = host_pte(AREA);
    u64 table = (u64)pte & ~(PAGE - 1);

    check_writable(AREA + 8, "through a table");
    rmp_assign(table, 0, ASID, false);
    flush_tlb();
    check_eq(try_write(AREA + 8, 1), PF, "host-table: a guest's page");
    check(trap()->err & PF_RMP, "error code has RMP");
    rmp_share(table, false);
    check_writable(AREA + 8, "given back");
}

static void test_uncovered(void)
{
    u64 lapic_version = 0xfee00030;

    check(rmp_covered_end() <= lapic_version, "the APIC has no RMP entry");
    check_eq(try_write(0xfee00080, 0), NO_TRAP, "and can be written");
}

static void test_modify(void)
{
    u64 page = AREA + 3 * PAGE;

    host_pte(AREA);
    rmp_assign(page, 0, ASID, false);
    trap()->vec = NO_TRAP;
    asm volatile(EX("lock; incq (%0)") : : "r"(page) : "memory", "cc");
    check_eq(trap()->vec, PF, "host-write: locked INC");
    trap()->vec = NO_TRAP;
    asm volatile(EX("xchgq %%rax, (%0)") : : "r"(page) : "memory", "rax");
    check_eq(trap()->vec, PF, "host-write: XCHG");
    check_eq(try_read(page, NULL), NO_TRAP, "reads are not checked");
    rmp_share(page, false);
}

void test_main(void)
{
    rmp_entry(AREA)[0] = RMP_ASSIGNED;
    check_writable(AREA, "without SNPEn nothing is checked");
    rmp_clear(AREA, 1);
    snp_enable();
    test_small();
    test_large();
    test_modify();
    test_uncovered();
    test_tables();
}
