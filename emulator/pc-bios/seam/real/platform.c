/*
 * TDX module: the processor, in SEAM mode
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "boot.h"
#include "../run.h"

#define PTE_WINDOW      (BIT(0) | BIT(1) | BIT(5) | BIT(6) | BIT(63))

static struct seam_lp *seam_lp(void)
{
    struct seam_lp *self;

    asm volatile("movq %%gs:0, %0" : "=r" (self));
    return self;
}

static const struct seam_info *seam_info(void)
{
    const struct seam_info *info;

    asm volatile("rdfsbase %0" : "=r" (info));
    return info;
}

const struct plat_info *plat_info(void)
{
    return &seam_info()->plat;
}

void *plat_handoff(u64 *size)
{
    const struct seam_info *info = seam_info();

    *size = info->version >= 2 ? info->handoff_size : 0;
    return (void *)info->handoff;
}

struct lp *plat_lp(void)
{
    return &seam_lp()->lp;
}

/* An undefined instruction without an IDT ends SEAM mode for this machine. */
_Noreturn void plat_fatal(const char *why)
{
    for (;;) {
        asm volatile("ud2" : : "a" (why));
    }
}

void seam_main(struct regs *regs)
{
    struct seam_lp *s = seam_lp();

    s->lp.id = s->id;
    s->lp.pkg = s->pkg;
    /* SEAMCALL is a VM exit. The host goes on after it. */
    run_skip();
    seamcall(&s->lp, regs);
}

/*
 * A line that was written with another key can only be overwritten as a
 * whole: smaller writes would have to read it first.
 */
static void *seam_clear_page(void *page)
{
    static const u8 zero[64] __attribute__((aligned(64)));

    for (unsigned i = 0; i < PAGE_SIZE; i += sizeof(zero)) {
        asm volatile("movdir64b (%1), %0"
                     : : "r" ((u8 *)page + i), "r" (zero) : "memory");
    }
    asm volatile("mfence" : : : "memory");
    return page;
}

/*
 * A page that is open already is found again, so that a call can ask for the
 * same page as often as it wants.
 */
static void *seam_window(u64 pa)
{
    struct seam_lp *s = seam_lp();
    u64 va;

    for (unsigned i = 0; i < s->num_windows; i++) {
        if (s->window_pa[i] == pa) {
            return (void *)(s->windows + i * PAGE_SIZE);
        }
    }
    require(s->num_windows < SEAM_WINDOWS && aligned(pa, PAGE_SIZE));
    va = s->windows + s->num_windows * PAGE_SIZE;
    __atomic_store_n(&s->window_ptes[s->num_windows], pa | PTE_WINDOW,
                     __ATOMIC_RELAXED);
    asm volatile("invlpg (%0)" : : "r" (va) : "memory");
    s->window_pa[s->num_windows++] = pa;
    return (void *)va;
}

void *plat_map(u64 pa, enum plat_how how)
{
    void *page = seam_window(pa);

    return how == PLAT_FRESH ? seam_clear_page(page) : page;
}

unsigned plat_mark(void)
{
    return seam_lp()->num_windows;
}

void plat_release(unsigned mark)
{
    struct seam_lp *s = seam_lp();

    while (s->num_windows > mark) {
        s->window_pa[--s->num_windows] = ~0ULL;
        __atomic_store_n(&s->window_ptes[s->num_windows], 0,
                         __ATOMIC_RELAXED);
        asm volatile("invlpg (%0)" : :
                     "r" (s->windows + s->num_windows * PAGE_SIZE) : "memory");
    }
}

void plat_flush_page(u64 pa)
{
    u8 *p = plat_map(pa, PLAT_RO);

    for (unsigned i = 0; i < PAGE_SIZE; i += 64) {
        asm volatile("clflush (%0)" : : "r" (p + i) : "memory");
    }
    asm volatile("mfence" : : : "memory");
}

bool plat_random(u64 *v)
{
    bool ok = false;

    for (unsigned i = 0; i < 10 && !ok; i++) {
        asm volatile("rdrand %0" : "=r" (*v), "=@ccc" (ok));
    }
    return ok;
}

u64 plat_rdmsr(u32 msr)
{
    u32 low, high;

    asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (msr));
    return low | (u64)high << 32;
}

void plat_wrmsr(u32 msr, u64 v)
{
    asm volatile("wrmsr" : : "c" (msr), "a" ((u32)v), "d" ((u32)(v >> 32))
                 : "memory");
}

void plat_cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
    asm volatile("cpuid" : "=a" (out[0]), "=b" (out[1]), "=c" (out[2]),
                 "=d" (out[3]) : "a" (leaf), "c" (subleaf));
}

u64 plat_tsc(void)
{
    u32 low, high;

    asm volatile("rdtsc" : "=a" (low), "=d" (high));
    return low | (u64)high << 32;
}

bool plat_event_pending(void)
{
    return plat_rdmsr(MSR_INTR_PENDING) != 0;
}

/* MKTME_KEY_PROGRAM */
struct key_program {
    u16 keyid;
    u32 control;
    u8 reserved1[58];
    u8 key[64], tweak[64];
    u8 reserved2[64];
} __attribute__((packed, aligned(256)));
_Static_assert(sizeof(struct key_program) == 256, "MKTME_KEY_PROGRAM");
#define KEY_SET_RANDOM  1

bool plat_program_key(u16 key)
{
    struct key_program p;
    u64 algorithms = plat_rdmsr(MSR_TME_ACTIVATE) >> 48;
    u64 ret = 0;

    memset(&p, 0, sizeof(p));
    p.keyid = key;
    /* The first algorithm that firmware has allowed */
    p.control = KEY_SET_RANDOM | (algorithms & -algorithms) << 8;
    asm volatile("pconfig" : "+a" (ret) : "b" (&p), "c" (0), "d" (0)
                 : "memory", "cc");
    return ret == 0;
}

void plat_xstate_load(const u64 pa[3], u64 xfam)
{
    u8 *area = plat_map(pa[0], PLAT_RW);

    require((u8 *)plat_map(pa[1], PLAT_RW) == area + PAGE_SIZE &&
            (u8 *)plat_map(pa[2], PLAT_RW) == area + 2 * PAGE_SIZE);
    plat_xsetbv(xfam & XCR0_COMPONENTS);
    plat_wrmsr(MSR_XSS, xfam & ~XCR0_COMPONENTS);
    asm volatile("xrstors64 %0" : : "m" (*area), "a" ((u32)xfam),
                 "d" ((u32)(xfam >> 32)) : "memory");
}

void plat_xstate_save(const u64 pa[3], u64 xfam)
{
    u8 *area = plat_map(pa[0], PLAT_RW);

    require((u8 *)plat_map(pa[1], PLAT_RW) == area + PAGE_SIZE &&
            (u8 *)plat_map(pa[2], PLAT_RW) == area + 2 * PAGE_SIZE);
    plat_xsetbv(xfam & XCR0_COMPONENTS);
    plat_wrmsr(MSR_XSS, xfam & ~XCR0_COMPONENTS);
    asm volatile("xsaves64 %0" : "+m" (*area) : "a" ((u32)xfam),
                 "d" ((u32)(xfam >> 32)) : "memory");
}

/*
 * Nothing of the TD stays in registers.  XCR0 and XSS stay at the components
 * of the TD, as the host expects it.
 */
void plat_xstate_host(void)
{
    static const u8 start[1088] __attribute__((aligned(64))) = {
        /* FCW and MXCSR of a reset; XCOMP_BV: compacted */
        [0] = 0x7f, [1] = 0x03, [24] = 0x80, [25] = 0x1f, [512 + 15] = 0x80,
    };

    asm volatile("xrstors64 %0" : : "m" (start), "a" (~0u), "d" (~0u));
    /* Neither VM exits nor SEAMRET switch these. */
    asm volatile("mov %0, %%cr2" : : "r" (0ULL));
    asm volatile("mov %0, %%dr0" : : "r" (0ULL));
    asm volatile("mov %0, %%dr1" : : "r" (0ULL));
    asm volatile("mov %0, %%dr2" : : "r" (0ULL));
    asm volatile("mov %0, %%dr3" : : "r" (0ULL));
    asm volatile("mov %0, %%dr6" : : "r" (0xffff0ff0ULL));
}

void plat_xsetbv(u64 xcr0)
{
    asm volatile("xsetbv" : : "c" (0), "a" ((u32)xcr0),
                 "d" ((u32)(xcr0 >> 32)));
}
