/*
 * Bare-metal tests: TAP, traps, MSRs, page tables
 *
 * Numbers and names are those of the processors' manuals.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_BARE_METAL_LIB_H
#define TESTS_BARE_METAL_LIB_H

#include <stdint.h>
#include <stdbool.h>
#include <stddef.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* Memory that guests, other processors or the hardware access as well */
typedef volatile u64 mem64;
/* ... of 32 bits */
typedef volatile u32 mem32;
/* Set by one processor for another one */
typedef void (*volatile mem_fn)(void);

#define BIT(n)              (1ULL << (n))
#define ARRAY_SIZE(a)       (sizeof(a) / sizeof((a)[0]))
#define PAGE                4096ULL
#define LARGE               (2ULL << 20)
#define PAGE_ALIGNED        __attribute__((aligned(4096)))

/* Vectors; NO_TRAP if there was none */
#define NO_TRAP             (-1)
#define DB                  1
#define UD                  6
#define DF                  8
#define NP                  11
#define GP                  13
#define PF                  14
#define VC                  29

/* MSRs */
#define MSR_MTRR_FIX64K     0x250
#define MSR_MTRR_FIX4K_LAST 0x26f
#define MSR_EFER            0xc0000080
#define MSR_STAR            0xc0000081
#define MSR_KERNEL_GS_BASE  0xc0000102

/* Of control registers */
#define EFER_LME            BIT(8)
#define EFER_LMA            BIT(10)
#define EFER_SVME           BIT(12)
#define CR0_PG              BIT(31)
#define CR4_PAE             BIT(5)

/* #PF error codes */
#define PF_P                BIT(0)
#define PF_W                BIT(1)
#define PF_U                BIT(2)
#define PF_RSV              BIT(3)
#define PF_ID               BIT(4)

/* Page tables */
#define PTE_P               BIT(0)
#define PTE_W               BIT(1)
#define PTE_U               BIT(2)
#define PTE_A               BIT(5)
#define PTE_D               BIT(6)
#define PTE_PS              BIT(7)
#define PTE_NX              BIT(63)

/* boot.S, bare.ld */
extern char exception_stubs[], user_return[], ap_start[], ap_end[];
extern u64 user_rsp, boot_gdt[], boot_pd[], boot_info;
extern u64 extable_start[], extable_end[];
/* Run at CPL 3 until an exception, which is in *trap(). */
void run_user(void (*fn)(void));
void round_trip(u64 seen[4]);

/* lib.c */
void printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *memset(void *p, int c, size_t len);
void *memcpy(void *to, const void *from, size_t len);
int memcmp(const void *a, const void *b, size_t len);

bool check(bool good, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
#define check_eq(got, want, ...)                                        \
    do {                                                                \
        u64 got_ = (got), want_ = (want);                               \
        if (!check(got_ == want_, __VA_ARGS__)) {                       \
            printf("# got %lx, want %lx\n", got_, want_);               \
        }                                                               \
    } while (0)
void test_exit(void) __attribute__((noreturn));
void test_main(void);           /* each program has its own */
void ap_main(void);             /* ends another processor's start-up */
void start_ap(void (*fn)(void));        /* on all others */
/* For one other processor: it calls ap_work, which is NULL again after that. */
extern mem_fn ap_work;
void ap_serve(void) __attribute__((noreturn));
/* What round_trip() saw, and that all is as before */
void check_round_trip(void);
u64 random64(void);
/* N if the command line has "rounds=N", for long runs; otherwise @normal */
u64 test_rounds(u64 normal);
/* The ACPI timer, which wraps after 4.6 seconds */
u64 timer_read(void);
u64 timer_ns(u64 start);

/* The exception of the last instruction marked with EX() on this processor */
struct trap {
    int vec;
    u64 err;
    u64 cr2;
};
struct trap *trap(void);
/*
 * The error code of a fault in the delivery of an exception, and of INT n; its
 * bit EXT is @ext for the exception.
 */
void check_ext(int ext);
int cpu_id(void);
int nr_cpus(void);             /* at most 4 */

#define EX(insn)                                                        \
    "1: " insn "\n2:\n"                                                 \
    ".pushsection .extable, \"a\"\n.quad 1b, 2b\n.popsection\n"

int try_rdmsr(u32 msr, u64 *val);
int try_wrmsr(u32 msr, u64 val);
int try_read(u64 addr, u64 *val);
int try_write(u64 addr, u64 val);

static inline u64 read_cr0(void)
{
    u64 val;

    asm volatile("mov %%cr0, %0" : "=r"(val));
    return val;
}

static inline u64 read_cr4(void)
{
    u64 val;

    asm volatile("mov %%cr4, %0" : "=r"(val));
    return val;
}

static inline u64 rdmsr(u32 msr)
{
    u32 lo, hi;

    asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (u64)hi << 32;
}

static inline void wrmsr(u32 msr, u64 val)
{
    asm volatile("wrmsr" : : "a"((u32)val), "d"((u32)(val >> 32)), "c"(msr)
                 : "memory");
}

static inline void cpuid(u32 leaf, u32 r[4])
{
    asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                 : "a"(leaf), "c"(0));
}

static inline void outb(u16 port, u8 val)
{
    asm volatile("outb %0, %1" : : "a"(val), "Nd"(port));
}

static inline u32 inl(u16 port)
{
    u32 val;

    asm volatile("inl %1, %0" : "=a"(val) : "Nd"(port));
    return val;
}

static inline u64 read_cr3(void)
{
    u64 val;

    asm volatile("mov %%cr3, %0" : "=r"(val));
    return val;
}

static inline void flush_tlb(void)
{
    asm volatile("mov %0, %%cr3" : : "r"(read_cr3()) : "memory");
}

static inline u64 rd(u64 addr)
{
    return *(mem64 *)addr;
}

static inline void wr(u64 addr, u64 val)
{
    *(mem64 *)addr = val;
}

/* The 4 KiB leaf entry of @va in the host's tables (splits a 2 MiB page). */
mem64 *host_pte(u64 va);
/* Restore the 2 MiB page. */
void host_large(u64 va);

#endif
