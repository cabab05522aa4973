/*
 * VMX tests: page tables in ROM, whose flags cannot be set
 *
 * The emulator stops all processors to set a flag in memory that is no RAM. It
 * may do so when it holds a lock that others wait for, and when it has stopped
 * all others before. Not specific to VMX.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define ROM             0xf0000ULL
#define DATA            0x10000000ULL   /* two pages */
#define CODE            0x10010000ULL   /* two pages */
#define WINDOW          0x20000000ULL   /* mapped by the table in ROM */
#define AT(addr)        (WINDOW + (addr) - DATA)
#define PAM_0           0x80000090      /* of the host bridge */
#define PAM_READ        BIT(4)          /* 0xf0000 to 0xfffff */
#define PAM_WRITE       BIT(5)
#define ROUNDS          2000

typedef int (*code_fn)(void);

static mem64 stop, stopped, calls;

static void outl(u16 port, u32 val)
{
    asm volatile("outl %0, %1" : : "a"(val), "Nd"(port));
}

static void set_pam(u8 val)
{
    outl(0xcf8, PAM_0);
    outb(0xcfc, val);
}

static void make_table(void)
{
    u64 *table = (u64 *)ROM;
    u64 i;

    set_pam(PAM_READ | PAM_WRITE);
    for (i = 0; i < 512; i++) {
        table[i] = (DATA + i * PAGE) | PTE_P | PTE_W;
    }
    set_pam(PAM_READ);
    boot_pd[WINDOW >> 21] = ROM | PTE_P | PTE_W;
    flush_tlb();
}

/* MOV $val, %eax; RET */
static void write_code(u64 addr, u32 val)
{
    u8 *p = (u8 *)addr;

    p[0] = 0xb8;
    memcpy(p + 1, &val, 4);
    p[5] = 0xc3;
}

static void test_data(void)
{
    u64 *table = (u64 *)ROM;

    wr(DATA + PAGE - 8, 0);
    wr(DATA + PAGE, 0);
    wr(AT(DATA), 1);
    check_eq(rd(DATA), 1, "a page that a table in ROM maps");
    check_eq(table[0], DATA | PTE_P | PTE_W, "the table does not change");
    flush_tlb();
    asm volatile("lock addq %1, (%0)"
                 : : "r"(AT(DATA) + PAGE - 4), "r"(BIT(32) + 2) : "memory");
    check_eq(rd(DATA + PAGE - 8), 2ULL << 32, "a locked instruction there");
    check_eq(rd(DATA + PAGE), 1, "its second page");
}

static void ap_loop(void)
{
    while (!stop) {
        ((code_fn)CODE)();
        calls++;
    }
    stopped = 1;
    for (;;) {
        asm volatile("pause");
    }
}

/*
 * Code over two pages is translated while another processor does the same, or
 * in turn with it if both have one thread.
 */
static void test_code(void)
{
    u64 n, start, good = 0;

    write_code(CODE, 0);
    start_ap(ap_loop);
    while (!calls) {
        asm volatile("pause");
    }
    start = calls;
    for (n = 0; n < ROUNDS || calls == start; n++) {
        write_code(CODE + PAGE - 3, n);
        write_code(CODE, n);
        flush_tlb();
        good += ((code_fn)(AT(CODE) + PAGE - 3))() == (int)n;
    }
    check_eq(good, n, "code over two pages, and the other processor's");
    stop = 1;
    while (!stopped) {
        asm volatile("pause");
    }
}

void test_main(void)
{
    make_table();
    test_data();
    test_code();
}
