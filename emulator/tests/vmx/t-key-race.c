/*
 * VMX tests: key ids of pages that other processors and devices use
 *
 * A page whose lines get another key id is in no TLB, no code of it is kept,
 * and nobody waits for others that wait for him. Processors but the first one
 * do what @turn says.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define KEY(n)          ((u64)(n) << 46)
#define ALIAS           0x10200000ULL   /* a page with key id 1 */
#define DATA            0x10000000ULL
#define CODE            0x10100000ULL   /* over the end of its page */
#define HPET            0xfed00000ULL
#define SOME            0x20000000ULL   /* physical: pages that nobody uses */
#define WINDOW          0x8000000000ULL /* all memory with key id 1 */
#define LINE            64
#define VALUE           0x1122334455667788ULL
#define CROSSES         60
#define PAGES           4000
#define DEVICE_PAGES    300
#define BLOCKS          8000
#define REVOKED         4000
#define MANY            100000000

#define READ            1
#define STORE           2
#define RUN             3
#define MOVE            4

static u64 pdpt[512] PAGE_ALIGNED, pd[4][512] PAGE_ALIGNED;
static u8 line[64] __attribute__((aligned(64))) = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
static mem64 turn, done, answer, delay, calls;
static mem32 stop_calls;

static void move_line(u64 to, u64 from)
{
    asm volatile("movdir64b (%1), %0" : : "r"(to), "r"(from) : "memory");
}

/* Short times: PAUSE lets the emulator do something else. */
static void wait(u64 n)
{
    u64 i;

    for (i = 0; i < 4 * n; i++) {
        asm volatile("" : : : "memory");
    }
}

static void map_window(void)
{
    u64 *pml4 = (u64 *)(read_cr3() & ~0xfffULL);
    u64 i, j;

    for (i = 0; i < 4; i++) {
        for (j = 0; j < 512; j++) {
            pd[i][j] = i << 30 | j << 21 | KEY(1) | PTE_A | BIT(6) | BIT(7) |
                       PTE_P | PTE_W;
        }
        pdpt[i] = (u64)pd[i] | PTE_P | PTE_W;
    }
    pml4[WINDOW >> 39] = (u64)pdpt | PTE_P | PTE_W;
    flush_tlb();
}

/* A store that begins in a device, and ends in a page that is split for it */
static void test_cross(void)
{
    u64 i, n;

    *host_pte(ALIAS) = HPET | PTE_P | PTE_W;
    for (n = 0; n < CROSSES; n++) {
        *host_pte(ALIAS + PAGE) = (SOME + n * PAGE) | KEY(1) | PTE_P | PTE_W;
        flush_tlb();
        /* So much that the TLB changes its size with the next flush, or not */
        for (i = 0; i < (n & 1 ? 4096 : 10); i++) {
            rd(2 * SOME + i * PAGE);
        }
        rd(SOME + n * PAGE);
        wr(ALIAS + PAGE - 4, 0);
    }
    check(true, "stores over the end of a device's page");
}

static void code_loop(void)
{
    u64 i = 0;

    while (!stop_calls) {
        i = (i + 1) % 12;
        ((void (*)(void))(CODE + PAGE - 13 + i))();
        calls++;
    }
}

/* @turn: an address, and what to do there with key id 1 */
static void ap(void)
{
    u64 n, seen = 0;

    for (;;) {
        while ((n = turn) == seen) {
            asm volatile("" : : : "memory");
        }
        seen = n;
        wait(delay);
        if ((n & 7) == READ) {
            answer = rd(WINDOW + (n & ~7ULL));
        } else if ((n & 7) == STORE) {
            wr(WINDOW + (n & ~7ULL), VALUE);
        } else if ((n & 7) == MOVE) {
            move_line(WINDOW + (n & ~7ULL), (u64)line);
        } else {
            code_loop();
        }
        done = n;
    }
}

static void wait_for(u64 n)
{
    u64 i;

    for (i = 0; i < MANY && done != n; i++) {
        asm volatile("pause");
    }
}

/* One processor reads a page, another stores to it, both for the first time. */
static void test_first(void)
{
    u64 n, pa, stale = 0;

    for (n = 0; n < PAGES; n++) {
        pa = 2 * SOME + n * PAGE;
        delay = n % 40 < 20 ? 0 : n % 20;
        turn = pa | STORE;
        wait(n % 40 < 20 ? n % 20 : 0);
        rd(pa + 64);
        wait_for(pa | STORE);
        stale += rd(pa) == VALUE;
    }
    check_eq(stale, 0, "pages that are in a TLB without their key id");
}

/*
 * A store over two pages: the lookup of the second one waits, as that page gets
 * another key id, while another processor takes the store's line of the first
 * page, which this processor has looked up before.
 */
static void test_revoked(void)
{
    u64 n, pa, bad = 0;

    for (n = 0; n < REVOKED; n++) {
        pa = SOME / 2 * 3 + 2 * n * PAGE;
        *host_pte(ALIAS) = pa | PTE_P | PTE_W;
        *host_pte(ALIAS + PAGE) = (pa + PAGE) | KEY(1) | PTE_P | PTE_W;
        flush_tlb();
        rd(ALIAS);
        rd(pa + PAGE);
        delay = n % 40;
        turn = (pa + PAGE - LINE) | MOVE;
        wait(n / 40 % 40);
        wr(ALIAS + PAGE - 4, VALUE);
        wait_for((pa + PAGE - LINE) | MOVE);
        bad += rd(WINDOW + pa + PAGE - 8) >> 32 == (u32)VALUE;
    }
    delay = 0;
    check_eq(bad, 0, "lines with key id 1 and content without");
}

static void test_device(void)
{
    u64 n, i, pa, stale = 0;

    for (n = 0; n < DEVICE_PAGES; n++) {
        pa = 3 * SOME + n * PAGE;
        for (i = 0; i < PAGE; i += sizeof(line)) {
            move_line(WINDOW + pa + i, (u64)line);
        }
    }
    for (n = 0; n < DEVICE_PAGES; n++) {
        pa = 3 * SOME + n * PAGE;
        delay = n % 60;
        turn = (pa + 2 * LINE) | READ;
        device_writes(pa + 4, FW_CFG_SIGNATURE, 4);
        wait_for((pa + 2 * LINE) | READ);
        wait(100000);
        delay = 0;
        turn = pa | READ;
        wait_for(pa | READ);
        /* "QEMU" after four bytes that were not the device's */
        stale += answer == 0x554d455100000000ULL;
    }
    check_eq(stale, 0, "key id 1 does not read what a device has written");
}

/* Code over two pages: the second one gets another key id, and its own back. */
static void test_code(void)
{
    static u8 was[PAGE] PAGE_ALIGNED;
    u64 n, d, before, x = CODE + PAGE;

    memset((void *)CODE, 0x90, 2 * PAGE);
    memset((void *)(x - 14), 0x66, 14);         /* prefixes */
    *(u8 *)(x + 1) = 0xc3;
    memcpy(was, (void *)x, PAGE);
    turn = RUN;
    for (n = 0; n < BLOCKS; n++) {
        before = calls;
        for (d = 0; d < 1000 && calls < before + 3; d++) {
            asm volatile("pause");
        }
        move_line(WINDOW + x + 2048, (u64)line);
        move_line(x + 2048, (u64)was + 2048);
    }
    stop_calls = 1;
    check(calls > BLOCKS, "code in pages whose key id changes");
}

void test_main(void)
{
    map_window();
    test_cross();
    start_ap(ap);
    test_first();
    test_revoked();
    test_device();
    test_code();
}
