/*
 * SEV-SNP tests: code that another processor patches
 *
 * One processor runs a function in a loop, the other one changes the constant
 * that it returns and then signals that. A processor that has seen the signal,
 * and has serialized, must get the new constant: AMD64 Architecture
 * Programmer's Manual, volume 2, "Cross-Modifying Code". This is not specific
 * to SEV-SNP, but hosts do so whenever they start a guest, and crash with an
 * emulator that keeps a translation of the old bytes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rmp.h"

#define CODE        0x18000000ULL
#define ROUNDS      400
#define MOV_EAX     0xb8
#define RET         0xc3
#define STOP        (~0ULL)

/* 2 MiB whose table maps itself, and behind itself another page */
#define OWN         0x20000000ULL
#define OWN_TABLE   100
#define OWN_NEXT    (OWN_TABLE + 1)

typedef int (*code_fn)(void);
typedef void (*patch_fn)(mem32 *where, u32 val);

static mem64 target, round, seen, got, calls;

static void ap_loop(void)
{
    u32 r[4];

    for (;;) {
        u64 now = round;

        if (now == STOP) {
            seen = now;
            continue;
        }
        if (now != seen) {
            cpuid(0, r);
            got = (u32)((code_fn)target)();
            seen = now;
        }
        ((code_fn)target)();
        calls++;
    }
}

static void stop(void)
{
    round = STOP;
    while (seen != STOP) {
        asm volatile("pause");
    }
}

static u64 write_function(u64 addr)
{
    u8 *p = (u8 *)addr;

    p[0] = MOV_EAX;
    memset(p + 1, 0, 4);
    p[5] = RET;
    return addr;
}

static void by_store(mem32 *where, u32 val)
{
    *where = val;
}

static void by_byte(mem32 *where, u32 val)
{
    u8 *p = (u8 *)where;

    asm volatile("movb %b1, %0" : "=m"(p[0]) : "q"(val) : "memory");
    asm volatile("movb %b1, %0" : "=m"(p[1]) : "q"(val >> 8) : "memory");
}

static void by_xchg(mem32 *where, u32 val)
{
    asm volatile("xchgl %0, %1" : "+r"(val), "+m"(*where) : : "memory");
}

static void by_string(mem32 *where, u32 val)
{
    mem32 *to = where;
    u32 *from = &val;
    u64 n = sizeof(val);

    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

/*
 * A store that fills the TLB while the other processor may be translating the
 * page, which has no code at that time. At the last store, it has.
 */
static void by_fill(mem32 *where, u32 val)
{
    u64 n, start;

    *where = ~val;
    for (n = val * 7 % 2048; n; n--) {
        asm volatile("");
    }
    asm volatile("invlpg %0" : : "m"(*where) : "memory");
    *where = ~val - 1;
    for (start = calls; round != STOP && calls - start < 3; ) {
        asm volatile("pause");
    }
    *where = val;
}

/* @neighbour: true if the page has other code that does not change */
static void test_patch(u64 addr, bool neighbour, patch_fn patch,
                       const char *what)
{
    u32 n, wrong = 0, first = 0;
    u64 start;

    stop();
    memset((void *)CODE, RET, 2 * PAGE);
    target = write_function(addr);
    if (neighbour) {
        ((code_fn)(CODE + 64))();
        ((code_fn)(CODE + PAGE + 64))();
    }
    start = calls;
    for (n = 1; n <= ROUNDS; n++) {
        patch((mem32 *)(addr + 1), n);
        round = n;
        while (seen != n) {
            asm volatile("pause");
        }
        if (got != n && !wrong++) {
            first = n;
        }
    }
    check(!wrong, "%s", what);
    if (wrong) {
        printf("# %u of %u rounds with old code, first in round %u\n", wrong,
               ROUNDS, first);
    }
    check(calls != start, "the other processor has run it");
}

/*
 * Code in a page table that maps what comes next: its translation sets a bit
 * in its own page, whose lock it has, and its execution changes its own page.
 */
static void test_own_table(u64 code, bool dirty, const char *what)
{
    mem64 *table = host_pte(OWN), *pte = &table[OWN_NEXT];
    u64 next = OWN + OWN_NEXT * PAGE, in_table = next - 8, rax;
    u64 want = PTE_A | (dirty ? PTE_D : 0);
    int n, good = 0;

    host_pte((u64)table);
    table[OWN_TABLE] = (u64)table | 7;
    for (n = 0; n < ROUNDS; n++) {
        table[511] = code;
        *pte = CODE | 7;
        memset((void *)CODE, RET, 8);
        flush_tlb();
        rax = next;
        asm volatile("call *%1" : "+a"(rax) : "r"(in_table) : "memory");
        good += (*pte & (PTE_A | PTE_D)) == want;
    }
    check_eq(good, ROUNDS, "a page table has code that %s", what);
}

void test_main(void)
{
    round = STOP;
    start_ap(ap_loop);
    test_patch(CODE + 16, true, by_store, "store");
    test_patch(CODE + 16, false, by_store, "store, nothing else in the page");
    test_patch(CODE + 16, true, by_byte, "bytes");
    test_patch(CODE + 16, false, by_byte, "bytes, nothing else in the page");
    test_patch(CODE + 16, true, by_xchg, "XCHG");
    test_patch(CODE + 16, false, by_xchg, "XCHG, nothing else in the page");
    test_patch(CODE + 16, false, by_string, "MOVS");
    test_patch(CODE + 16, false, by_fill, "store after a TLB fill");
    test_patch(CODE + PAGE - 3, true, by_store, "store to two pages");
    test_patch(CODE + PAGE - 3, false, by_store,
               "store to two pages, nothing else in them");
    stop();
    test_own_table(0x9090909090909090ULL, false, "goes on in a page it maps");
    test_own_table(0xc3008a9090909090ULL, false, "reads a page it maps");
    test_own_table(0xc320008090909090ULL, true, "writes to a page it maps");
}
