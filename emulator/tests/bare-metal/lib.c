/*
 * Bare-metal tests: TAP, traps, page tables
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lib.h"
#include <stdarg.h>

#define COM1        0x3f8
#define DEBUG_EXIT  0xf4
#define LAPIC_ICR   0xfee00300UL
#define LAPIC_SVR   0xfee000f0UL
#define AP_BASE     0x8000
#define MAX_CPUS    4
#define ACPI_TIMER  0x608           /* q35, as SeaBIOS sets it up */
#define ACPI_TIMER_HZ 3579545
#define TABLES      0x0e000000UL    /* where page tables are allocated */

struct frame {
    u64 vec, err, rip, cs, rflags, rsp, ss;
};

struct idt_entry {
    u16 low, sel, attr, mid;
    u32 high, zero;
};

static struct trap traps[MAX_CPUS];
static struct idt_entry idt[32];
static unsigned tests, failed;
static mem_fn ap_fn;
static u32 tss[26];
static u8 trap_stack[8192];
static unsigned tables_used;

void *memset(void *p, int c, size_t len)
{
    u8 *to = p;

    while (len--) {
        *to++ = c;
    }
    return p;
}

void *memcpy(void *to, const void *from, size_t len)
{
    u8 *t = to;
    const u8 *f = from;

    while (len--) {
        *t++ = *f++;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const u8 *x = a, *y = b;

    for (; len; len--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}

static void put_number(u64 val, unsigned base)
{
    char buf[24];
    int n = 0;

    do {
        buf[n++] = "0123456789abcdef"[val % base];
        val /= base;
    } while (val);
    while (n) {
        outb(COM1, buf[--n]);
    }
}

/* %s, %d, %u, %x and %lx */
static void vprintf(const char *fmt, va_list ap)
{
    const char *s;

    for (; *fmt; fmt++) {
        bool is_long = false;

        if (*fmt != '%') {
            outb(COM1, *fmt);
            continue;
        }
        fmt++;
        if (*fmt == 'l') {
            is_long = true;
            fmt++;
        }
        switch (*fmt) {
        case 's':
            for (s = va_arg(ap, const char *); *s; s++) {
                outb(COM1, *s);
            }
            break;
        case 'd':
        case 'u':
            put_number(is_long ? va_arg(ap, u64) : va_arg(ap, u32), 10);
            break;
        case 'x':
            put_number(is_long ? va_arg(ap, u64) : va_arg(ap, u32), 16);
            break;
        }
    }
}

void printf(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
}

bool check(bool good, const char *fmt, ...)
{
    va_list ap;

    tests++;
    failed += !good;
    printf("%sok %u - ", good ? "" : "not ", tests);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    return good;
}

u64 timer_read(void)
{
    return inl(ACPI_TIMER) & 0xffffff;
}

u64 timer_ns(u64 start)
{
    return ((timer_read() - start) & 0xffffff) * 1000000000 / ACPI_TIMER_HZ;
}

void test_exit(void)
{
    printf("1..%u\n", tests);
    asm volatile("outl %0, %1" : : "a"(failed || !tests),
                 "Nd"((u16)DEBUG_EXIT));
    for (;;) {
        asm volatile("hlt");
    }
}

u64 random64(void)
{
    static u64 state = 0x5eed5eed5eed5eedULL;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

int cpu_id(void)
{
    u32 r[4];

    cpuid(1, r);
    return (r[1] >> 24) % MAX_CPUS;
}

int nr_cpus(void)
{
    u32 r[4];

    cpuid(1, r);
    return r[3] & BIT(28) ? r[1] >> 16 & 255 : 1;
}

u64 test_rounds(u64 normal)
{
    static const char name[] = " rounds=";
    u32 *info = (u32 *)boot_info;
    const char *s;
    u64 n = 0;

    if (!(info[0] & BIT(2))) {
        return normal;
    }
    for (s = (const char *)(u64)info[4]; *s; s++) {
        if (!memcmp(s, name, sizeof(name) - 1)) {
            for (s += sizeof(name) - 1; *s >= '0' && *s <= '9'; s++) {
                n = n * 10 + *s - '0';
            }
            break;
        }
    }
    return n ?: normal;
}

struct trap *trap(void)
{
    return &traps[cpu_id()];
}

void trap_handler(struct frame *f)
{
    struct trap *t = trap();
    u64 *e;

    t->vec = f->vec;
    t->err = f->err;
    asm volatile("mov %%cr2, %0" : "=r"(t->cr2));
    if (f->cs & 3) {
        f->rip = (u64)user_return;
        f->cs = 8;
        f->ss = 16;
        f->rsp = user_rsp;
        return;
    }
    for (e = extable_start; e < extable_end; e += 2) {
        if (e[0] == f->rip) {
            f->rip = e[1];
            return;
        }
    }
    if (f->vec == DB) {
        /* A data breakpoint, which is a trap */
        asm volatile("mov %0, %%dr7" : : "r"(0UL));
        return;
    }
    printf("Bail out! exception %lu, error %lx, at %lx, cr2 %lx\n", f->vec,
           f->err, f->rip, t->cr2);
    failed++;
    test_exit();
}

void cpu_init(void)
{
    struct {
        u16 limit;
        u64 base;
    } __attribute__((packed)) idtr = { sizeof(idt) - 1, (u64)idt };
    int i;

    for (i = 0; i < 32; i++) {
        u64 at = (u64)exception_stubs + i * 16;

        idt[i] = (struct idt_entry) {
            .low = at, .sel = 8, .attr = 0x8e00, .mid = at >> 16,
            .high = at >> 32,
        };
    }
    asm volatile("lidt %0" : : "m"(idtr));
}

void check_ext(int ext)
{
    idt[UD].attr = 0x0e00;
    trap()->vec = NO_TRAP;
    asm volatile(EX("ud2"));
    check_eq(trap()->vec, NP, "the gate of #UD is not present");
    check_eq(trap()->err, UD * 8 + 2 + ext, "its error code");
    trap()->vec = NO_TRAP;
    asm volatile(EX("int $6"));
    check_eq(trap()->vec, NP, "INT n: the gate is not present");
    check_eq(trap()->err, UD * 8 + 2, "EXT is clear");
    idt[UD].attr = 0x8e00;
}

/* For exceptions at CPL 3 */
static void load_tss(void)
{
    u64 stack = (u64)trap_stack + sizeof(trap_stack), base = (u64)tss;

    tss[1] = stack;
    tss[2] = stack >> 32;
    boot_gdt[6] = sizeof(tss) | (base & 0xffffff) << 16 | BIT(47) |
                  9ULL << 40 | (base >> 24 & 0xff) << 56;
    boot_gdt[7] = base >> 32;
    asm volatile("ltr %w0" : : "r"(6 * 8));
}

void test_start(void)
{
    /* No interrupts from the BIOS's timer in guests */
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
    load_tss();
    test_main();
    test_exit();
}

void ap_main(void)
{
    while (!ap_fn) {
        asm volatile("pause");
    }
    ap_fn();
    for (;;) {
        asm volatile("cli; hlt");
    }
}

static void delay(void)
{
    int i;

    for (i = 0; i < 1000000; i++) {
        asm volatile("pause");
    }
}

void start_ap(void (*fn)(void))
{
    mem32 *icr = (void *)LAPIC_ICR;
    mem32 *svr = (void *)LAPIC_SVR;

    memcpy((void *)AP_BASE, ap_start, ap_end - ap_start);
    *svr |= 0x100;
    ap_fn = fn;
    *icr = 0xc4500;             /* INIT, all but self */
    delay();
    *icr = 0xc4600 | AP_BASE >> 12;
}

int try_rdmsr(u32 msr, u64 *val)
{
    u32 lo = 0, hi = 0;
    int vec;

    trap()->vec = NO_TRAP;
    asm volatile(EX("rdmsr") : "+a"(lo), "+d"(hi) : "c"(msr));
    vec = trap()->vec;
    *val = lo | (u64)hi << 32;
    return vec;
}

int try_wrmsr(u32 msr, u64 val)
{
    trap()->vec = NO_TRAP;
    asm volatile(EX("wrmsr") : : "a"((u32)val), "d"((u32)(val >> 32)), "c"(msr)
                 : "memory");
    return trap()->vec;
}

int try_read(u64 addr, u64 *val)
{
    u64 out = 0;

    trap()->vec = NO_TRAP;
    asm volatile(EX("movq (%1), %0") : "+r"(out) : "r"(addr) : "memory");
    if (val) {
        *val = out;
    }
    return trap()->vec;
}

int try_write(u64 addr, u64 val)
{
    trap()->vec = NO_TRAP;
    asm volatile(EX("movq %0, (%1)") : : "r"(val), "r"(addr) : "memory");
    return trap()->vec;
}

mem_fn ap_work;

void ap_serve(void)
{
    for (;;) {
        while (!ap_work) {
            asm volatile("pause");
        }
        ap_work();
        ap_work = NULL;
    }
}

mem64 *host_pte(u64 va)
{
    u64 *pde = &boot_pd[va >> 21];
    u64 *pt;
    int i;

    if (*pde & PTE_PS) {
        pt = (u64 *)(TABLES + tables_used++ * PAGE);
        for (i = 0; i < 512; i++) {
            pt[i] = (va & ~(LARGE - 1)) + i * PAGE + 7;
        }
        *pde = (u64)pt | 7;
        flush_tlb();
    }
    pt = (u64 *)(*pde & ~0xfffULL);
    return &pt[va >> 12 & 511];
}

void host_large(u64 va)
{
    boot_pd[va >> 21] = (va & ~(LARGE - 1)) | 0x87;
    flush_tlb();
}

void check_round_trip(void)
{
    u64 seen[4] = { 0 }, efer = rdmsr(MSR_EFER), cr0 = read_cr0();

    round_trip(seen);
    check_eq(seen[0], efer & ~EFER_LMA, "EFER with paging off");
    check_eq(seen[1], efer & ~(EFER_LME | EFER_LMA), "EFER.LME is cleared");
    check_eq(seen[2] & CR4_PAE, 0, "CR4.PAE is cleared");
    check_eq(seen[3], cr0 & ~CR0_PG, "CR0 with paging off");
    check_eq(rdmsr(MSR_EFER), efer, "EFER in long mode again");
    check_eq(read_cr0(), cr0, "CR0 in long mode again");
    check_eq(read_cr4() & CR4_PAE, CR4_PAE, "CR4.PAE in long mode again");
}
