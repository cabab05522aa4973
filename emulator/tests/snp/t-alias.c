/*
 * SEV-SNP tests: one access to a page with and without the guest's key
 *
 * Two adjacent linear pages of a guest are mapped to one physical page, the
 * first one with the C-bit and the second one without. The emulator keeps the
 * bytes of a page for one key at a time, so it cannot complete an instruction
 * that accesses both: see docs/system/i386/amd-snp.rst. The guest stays at the
 * instruction, but the host gets its interrupts, and can move the guest on.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "psp.h"
#include "svm.h"

#define LAPIC_EOI       0xfee000b0UL
#define LAPIC_SVR       0xfee000f0UL
#define LAPIC_TIMER     0xfee00320UL
#define LAPIC_COUNT     0xfee00380UL
#define LAPIC_DIVIDE    0xfee003e0UL
#define VECTOR          26              /* no exception of AMD's */
#define DIVIDE_BY_1     0xb
#define TIMER           20000000        /* 20 ms */
#define LATE            100
#define RFLAGS_IF       BIT(9)
#define INTERCEPT_INTR  BIT(0)

/* Where the second page is, the same one as the first: without C, and with */
#define SHARED_END      (GUEST_DATA + PAGE)
#define PRIVATE_END     (GUEST_DATA + 5 * PAGE)
#define LINE            (GUEST_DATA + 8 * PAGE)

/*
 * What is in the page: code at its end, INC RDI and the first two bytes of MOV
 * to RAX. The other eight and VMMCALL are at its beginning.
 */
#define FIRST           0x1111222233334444ULL
#define SECOND          0xd9010fULL
#define LAST            0xb848c7ff48222222ULL
#define CODE_LEN        5
#define RBX             0x3333444455556666ULL

static struct vm vm;
static mem32 flushed;

/* Instructions that need both pages, each with one before it */
struct access {
    const char *name;
    char *start, *insn, *end;
    u64 before;                 /* bytes of the operand in the first page */
};

#define A(what, name, before)                                           \
    { what, g_count_alias_##name, g_alias_##name, g_alias_##name##_end, \
      before }

static const struct access accesses[] = {
    A("load", load, 4),
    A("store", store, 4),
    A("locked XADD", locked, 4),
    A("load of 16 bytes", load16, 8),
    A("FXSAVE", fxsave, 256),
    A("FNSAVE", fnsave, 54),
    A("FRSTOR", frstor, 54),
    A("MOVDIR64B", movdir64b, 32),
};

static void flush_caches(void)
{
    asm volatile("wbinvd" : : : "memory");
}

static void ap_flush(void)
{
    flush_caches();
    flushed = 1;
}

static void flush_all_caches(void)
{
    if (nr_cpus() > 1) {
        start_ap(ap_flush);
        while (!flushed) {
            asm volatile("pause");
        }
    }
    flush_caches();
}

/* Page tables and data are private, so they are written before the launch. */
static void launch(void)
{
    u32 handle = psp_launch(SEV_ASID, 0);

    vm_init(&vm, SEV);
    VMCB32(&vm, VMCB_INTERCEPT1) |= INTERCEPT_INTR;
    *guest_pte(SHARED_END) = *guest_pte(GUEST_DATA) & ~C_BIT;
    *guest_pte(PRIVATE_END - PAGE) = *guest_pte(GUEST_DATA);
    *guest_pte(PRIVATE_END) = *guest_pte(GUEST_DATA);
    wr(SPA(GUEST_DATA), FIRST);
    wr(SPA(GUEST_DATA + 8), SECOND);
    wr(SPA(GUEST_DATA + PAGE - 8), LAST);
    check_eq(psp_region_cmd(PSP_LAUNCH_UPDATE_DATA, handle, GUEST_SPA,
                            GUEST_LOW_END), 0, "LAUNCH_UPDATE_DATA");
    check_eq(psp_region_cmd(PSP_LAUNCH_MEASURE, handle, 0, 0), 0,
             "LAUNCH_MEASURE");
    check_eq(psp_handle_cmd(PSP_LAUNCH_FINISH, handle), 0, "LAUNCH_FINISH");
}

static mem32 *lapic(u64 reg)
{
    return (mem32 *)reg;
}

static void timer_init(void)
{
    *lapic(LAPIC_SVR) |= 0x100;
    *lapic(LAPIC_DIVIDE) = DIVIDE_BY_1;
    *lapic(LAPIC_TIMER) = VECTOR;
}

/* The vector of the interrupt that is pending, or NO_TRAP */
static int take_interrupt(void)
{
    trap()->vec = NO_TRAP;
    asm volatile("sti\n nop\n" EX("nop") "cli" : : : "memory");
    if (trap()->vec != NO_TRAP) {
        *lapic(LAPIC_EOI) = 0;
    }
    return trap()->vec;
}

static void prepare(u64 rip, u64 rax)
{
    vm_prepare(&vm, g_nop, rax, RBX, LINE, 0);
    vm_set(&vm, SAVE_RIP, rip);
    vm_set(&vm, SAVE_RDI, 0);
}

/* Run the guest from where it is, until the timer interrupts it. */
static void run_with_timer(void)
{
    vm_set(&vm, SAVE_RFLAGS, 2 | RFLAGS_IF);
    *lapic(LAPIC_COUNT) = TIMER;
    vm_run(&vm);
}

/* On a slow machine, it may be interrupted before it has run at all. */
static void run_first(u64 start)
{
    int i;

    for (i = 0; i < LATE; i++) {
        run_with_timer();
        if (vm.exit.code != EXIT_INTR || vm_get(&vm, SAVE_RIP) != start) {
            break;
        }
        take_interrupt();
    }
}

static void check_stays(u64 rip, u64 rax, const char *name)
{
    check_exit(&vm, EXIT_INTR, name);
    check_eq(vm_get(&vm, SAVE_RIP), rip, "%s: RIP", name);
    check(vm_get(&vm, SAVE_RAX) == rax && vm_get(&vm, SAVE_RBX) == RBX &&
          vm_get(&vm, SAVE_RCX) == LINE, "%s: registers are unchanged", name);
    check_eq(vm_get(&vm, SAVE_RDI), 1, "%s: the instruction before has run",
             name);
    check_eq(take_interrupt(), VECTOR, "%s: it is the timer's interrupt", name);
}

static void test_stays(u64 start, u64 insn, u64 end, u64 rax, const char *name)
{
    prepare(start, rax);
    run_first(start);
    check_stays(insn, rax, name);
    run_with_timer();
    check_stays(insn, rax, name);
    vm_set(&vm, SAVE_RFLAGS, 2);
    vm_set(&vm, SAVE_RIP, end);
    vm_run(&vm);
    check_done(&vm, "the host moves the guest on");
    vm_call(&vm, g_read, GUEST_DATA, 0, 0, 0);
    check_eq(vm_get(&vm, SAVE_RBX), FIRST, "%s: memory is unchanged", name);
    vm_call(&vm, g_read, GUEST_DATA + PAGE - 8, 0, 0, 0);
    check_eq(vm_get(&vm, SAVE_RBX), LAST, "%s: in the first page, too", name);
}

/* The guest gets to the VMMCALL behind what starts at @start. */
static void test_ends(u64 start, u64 rax, const char *name)
{
    prepare(start, rax);
    vm_enter(&vm);
    check_done(&vm, name);
    check_eq(vm_get(&vm, SAVE_RDI), 1, "%s: with what is before it", name);
}

/* Fetches are private, with or without the C-bit: they do not need both. */
static void test_fetch(u64 end, const char *name)
{
    test_ends(end - CODE_LEN, 0, name);
    check_eq(vm_get(&vm, SAVE_RAX), FIRST, "%s: the plaintext", name);
}

static void test_accesses(void)
{
    const struct access *a;

    for (a = accesses; a < accesses + ARRAY_SIZE(accesses); a++) {
        test_stays(vm_rip_of(a->start), vm_rip_of(a->insn), vm_rip_of(a->end),
                   SHARED_END - a->before, a->name);
    }
    vm_call(&vm, g_alias_load, PRIVATE_END - 4, 0, 0, 0);
    check_eq(vm_get(&vm, SAVE_RBX), LAST >> 32 | FIRST << 32,
             "a load of both ends of a private page");
    for (a = accesses; a < accesses + ARRAY_SIZE(accesses); a++) {
        test_ends(vm_rip_of(a->start), PRIVATE_END - a->before, a->name);
    }
}

void test_main(void)
{
    svm_enable();
    if (!check(psp_find(), "there is a security processor")) {
        return;
    }
    check_eq(psp_init_es(), 0, "INIT");
    flush_all_caches();
    check_eq(psp_cmd(PSP_DF_FLUSH, NULL, 0), 0, "DF_FLUSH");
    launch();
    timer_init();
    check_eq(take_interrupt(), NO_TRAP, "no interrupt is pending");
    test_fetch(SHARED_END, "fetch from both pages");
    test_fetch(PRIVATE_END, "fetch from private pages");
    test_accesses();
}
