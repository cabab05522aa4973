/*
 * SEV-SNP tests: automatic and non-automatic exits, #VC
 *
 * APM volume 2, "Automatic Exits and Non-Automatic Exits", "#VC Exception",
 * "Control Register Write Traps", "Intercept Behavior".
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define DATA    GUEST_DATA
#define EFER_NXE BIT(11)
#define CR0_TS  BIT(3)
#define CR4_OSXMMEXCPT BIT(10)

static struct vm vm;
static const char *const kind_name[] = { "plain", "SEV", "SEV-ES", "SNP" };

/* Instructions and the bits of the VMCB that intercept them */
struct intercept {
    const char *name;
    char *piece, *end;
    u16 offset;
    u8 bit;
    u16 code;
    bool automatic;
    u64 rax, rcx;
};

#define I(name, offset, bit, code)                                      \
    { #name, g_##name, g_##name##_end, offset, bit, code, false }
#define INT1 VMCB_INTERCEPT1
#define INT2 VMCB_INTERCEPT2
#define INT3 VMCB_INTERCEPT3

static const struct intercept intercepts[] = {
    I(rdtsc, INT1, 14, EXIT_RDTSC),
    I(cpuid, INT1, 18, EXIT_CPUID),
    I(invd, INT1, 22, EXIT_INVD),
    I(invlpg, INT1, 25, EXIT_INVLPG),
    { "invpcid", g_invpcid, g_invpcid_end, INT3, 2, EXIT_INVPCID, false, DATA,
      2 },
    I(out, INT1, 27, EXIT_IOIO),
    I(in, INT1, 27, EXIT_IOIO),
    I(wbinvd, INT2, 9, EXIT_WBINVD),
    I(monitor, INT2, 10, EXIT_MONITOR),
    I(mwait, INT2, 11, EXIT_MWAIT),
    I(vmmcall, INT2, 1, EXIT_VMMCALL),
    I(read_cr0, VMCB_CR_READ, 0, EXIT_READ_CR0),
    I(read_cr4, VMCB_CR_READ, 4, EXIT_READ_CR4),
    I(read_dr7, VMCB_DR_READ, 7, EXIT_READ_DR7),
    I(write_dr7, VMCB_DR_WRITE, 7, EXIT_WRITE_DR7),
    I(ud2, VMCB_EXCEPTIONS, UD, 0x40 + UD),
    { "rdmsr", g_rdmsr, g_rdmsr_end, INT1, 28, EXIT_MSR, false, 0, MSR_STAR },
    { "wrmsr", g_wrmsr, g_wrmsr_end, INT1, 28, EXIT_MSR, false, 0, MSR_STAR },
    { "hlt", g_hlt, g_hlt_end, INT1, 24, EXIT_HLT, true },
    { "pause", g_pause, g_pause_end, INT1, 23, EXIT_PAUSE, true },
};

static void set_intercept(const struct intercept *i)
{
    mem32 *word = (u32 *)(vm.vmcb + (i->offset & ~3));

    *word |= 1U << (i->bit + (i->offset & 3) * 8);
    memset((void *)VMCB64(&vm, VMCB_IOPM), 0xff, 3 * PAGE);
    memset((void *)VMCB64(&vm, VMCB_MSRPM), 0xff, 2 * PAGE);
}

static u64 stacked_rip(void)
{
    return rd(SPA(vm_get(&vm, SAVE_RSP) + 16));
}

static void test_intercepts(enum kind kind)
{
    int n;

    for (n = 0; n < ARRAY_SIZE(intercepts); n++) {
        const struct intercept *i = &intercepts[n];

        vm_init(&vm, kind);
        set_intercept(i);
        vm_call(&vm, i->piece, i->rax, 0x400, i->rcx, 0);
        if (kind >= SEV_ES && !i->automatic) {
            check_vc(&vm, i->code, i->name);
            check_eq(stacked_rip(), vm_rip_of(i->piece),
                     "%s: not executed", i->name);
            continue;
        }
        check_exit(&vm, i->code, i->name);
        check_eq(vm_get(&vm, SAVE_RIP),
                 vm_rip_of(kind >= SEV_ES ? i->end : i->piece),
                 "%s: RIP in a %s guest", i->name, kind_name[kind]);
        if (kind < SEV_ES && i->offset != VMCB_EXCEPTIONS) {
            check_eq(VMCB64(&vm, VMCB_NEXT_RIP), vm_rip_of(i->end),
                     "%s: next_rip", i->name);
        }
    }
}

static void test_invpcid(void)
{
    vm_init(&vm, PLAIN);
    *(mem32 *)(vm.vmcb + VMCB_INTERCEPT3) = BIT(2);
    vm_call(&vm, g_invpcid, DATA, 0, 2, 0);
    check_exit(&vm, EXIT_INVPCID, "INVPCID");
    check_eq(vm.exit.info1, DATA, "INVPCID: address of the descriptor");
    check_eq(vm.exit.info2, 2, "INVPCID: the type");
    vm_user(&vm);
    *(mem32 *)(vm.vmcb + VMCB_EXCEPTIONS) = BIT(GP);
    vm_call(&vm, g_invpcid, DATA, 0, 2, 0);
    check_exit(&vm, 0x40 + GP, "INVPCID: the CPL is checked before");
    vm_init(&vm, SEV_ES);
    *(mem32 *)(vm.vmcb + VMCB_INTERCEPT3) = BIT(2);
    vm_call(&vm, g_invpcid, DATA, 0, 2, 0);
    check_vc(&vm, EXIT_INVPCID, "INVPCID of a SEV-ES guest");
    check_eq(vm.exit.info2, 0, "the hypervisor does not see the register");
}

/* With no intercept set at all */
static void test_always(void)
{
    vm_init(&vm, SNP);
    vm_call(&vm, g_cpuid, 0, 0, 0, 0);
    check_vc(&vm, EXIT_CPUID, "exit-always: CPUID");
    vm_call(&vm, g_in, 0, 0, 0, 0);
    check_vc(&vm, EXIT_IOIO, "exit-always: IN");
    vm_call(&vm, g_out, 0, 0, 0, 0);
    check_vc(&vm, EXIT_IOIO, "exit-always: OUT");
    vm_call(&vm, g_rdtsc, 0, 0, 0, 0);
    check_done(&vm, "but RDTSC runs");
    vm_call(&vm, g_wbinvd, 0, 0, 0, 0);
    check_done(&vm, "and WBINVD");
}

static void check_trap(char *end, u64 code, u64 val, const char *what)
{
    check_exit(&vm, code, what);
    check_eq(vm.exit.info1, val, "%s: the new value", what);
    check_eq(vm_get(&vm, SAVE_RIP), vm_rip_of(end), "%s: executed", what);
}

static void test_write_traps(enum kind kind)
{
    vm_init(&vm, kind);
    VMCB32(&vm, VMCB_INTERCEPT2) |= BIT(15) | 0xffff0000U;
    vm_call(&vm, g_write_cr0, 0, 0x80010033 | CR0_TS, 0, 0);
    check_trap(g_write_cr0_end, EXIT_CR0_TRAP, 0x80010033 | CR0_TS, "CR0");
    check_eq(vm_get(&vm, SAVE_CR0), 0x80010033 | CR0_TS, "CR0 is written");
    vm_reset(&vm);
    vm_call(&vm, g_write_cr4, 0, 0x6a0 & ~CR4_OSXMMEXCPT, 0, 0);
    check_trap(g_write_cr4_end, EXIT_CR0_TRAP + 4, 0x6a0 & ~CR4_OSXMMEXCPT,
               "CR4");
    vm_reset(&vm);
    vm_call(&vm, g_write_cr3, 0, 0x1000 | C_BIT, 0, 0);
    check_trap(g_write_cr3_end, EXIT_CR0_TRAP + 3, 0x1000 | C_BIT, "CR3");
    vm_call(&vm, g_write_cr8, 0, 5, 0, 0);
    check_trap(g_write_cr8_end, EXIT_CR0_TRAP + 8, 5, "CR8");
    vm_reset(&vm);
    vm_call(&vm, g_wrmsr, 0x1d00 & ~EFER_NXE, 0, MSR_EFER, 0);
    check_trap(g_wrmsr_end, EXIT_EFER_TRAP, 0x1d00 & ~EFER_NXE, "EFER");
    vm_reset(&vm);
    vm_call(&vm, g_wrmsr, 0x1234, 0, MSR_STAR, 0);
    check_done(&vm, "no trap for another MSR");

    VMCB32(&vm, VMCB_INTERCEPT2) &= ~(u32)(BIT(15) | 0xffff0000U);
    vm_call(&vm, g_write_cr0, 0, 0x80010033 | CR0_TS, 0, 0);
    check_done(&vm, "CR0 without the trap");
    vm_reset(&vm);
    vm_call(&vm, g_wrmsr, 0x0d00, 0, MSR_EFER, 0);
    check_done(&vm, "efer-svme: WRMSR");
    check_eq(vm_get(&vm, SAVE_EFER), 0x1d00, "efer-svme: it is not written");
}

static void test_nested_faults(enum kind kind)
{
    mem64 *pte;

    vm_init(&vm, kind);
    pte = npt_pte(&vm, DATA);
    *pte |= BIT(50);
    vm_call(&vm, g_read, DATA + 8, 0, 0, 0);
    if (kind >= SEV_ES) {
        check_vc(&vm, EXIT_NPF, "exit-nae: MMIO, by a reserved bit");
        check_eq(stacked_rip(), vm_rip_of(g_read), "it can be emulated");
    } else {
        check(vm.exit.code == EXIT_NPF &&
              vm.exit.info1 == (NPF_GPA | PF_P | PF_U | PF_RSV),
              "reserved bit: #NPF");
    }
    *pte &= ~(BIT(50) | PTE_P);
    vm_call(&vm, g_read, DATA + 8, 0, 0, 0);
    check(vm.exit.code == EXIT_NPF &&
          (vm.exit.info1 & ~NPF_ENC) == (NPF_GPA | PF_U), "not present: #NPF");
    check_eq(vm_get(&vm, SAVE_RIP), vm_rip_of(g_read), "not executed");
    *pte |= PTE_P;
    vm_run(&vm);
    check_done(&vm, "it goes on where it was");
}

static void test_msrs(enum kind kind)
{
    static const u64 status[] = { 0, 1, 3, 7 };
    const struct intercept all = {
        .offset = VMCB_INTERCEPT1, .bit = 28,
    };

    vm_init(&vm, kind);
    vm_call(&vm, g_rdmsr, 0, 0, MSR_SEV_STATUS, 0);
    check_eq(vm_get(&vm, SAVE_RAX) & 0xffffffff, status[kind],
             "SEV_STATUS in a %s guest", kind_name[kind]);
    vm_call(&vm, g_wrmsr, 0, 0, MSR_SEV_STATUS, 0);
    check_eq(vm.exit.vec, GP, "it is read-only");
    if (kind < SEV_ES) {
        vm_call(&vm, g_rdmsr, 0, 0, MSR_GHCB, 0);
        check_eq(vm.exit.vec, GP, "no GHCB in a %s guest", kind_name[kind]);
        return;
    }
    set_intercept(&all);
    vm_call(&vm, g_rdmsr, 0, 0, MSR_SEV_STATUS, 0);
    check_done(&vm, "SEV_STATUS cannot be intercepted");
    vm_call(&vm, g_wrmsr, 0x12345000, 0, MSR_GHCB, 1);
    check_done(&vm, "GHCB cannot be intercepted");
    check_eq(VMCB64(&vm, VMCB_GHCB), 0x112345000, "GHCB is in the VMCB");
    VMCB64(&vm, VMCB_GHCB) = 0x6002;
    vm_call(&vm, g_rdmsr, 0, 0, MSR_GHCB, 0);
    check_eq(vm_get(&vm, SAVE_RAX), 0x6002, "and comes from there");
}

static void test_int_state(enum kind kind)
{
    int on;

    for (on = 0; on < 2; on++) {
        vm_init(&vm, kind);
        vm_prepare(&vm, g_nop, 0, 0, 0, 0);
        vm_open(&vm);
        vm_set(&vm, SAVE_RFLAGS, on ? 0x202 : 2);
        vm_close(&vm);
        vm_enter(&vm);
        check_eq(VMCB32(&vm, VMCB_INT_STATE) & 2, on * 2,
                 "GUEST_INTERRUPT_MASK with IF %d", on);
    }
}

/* Hypervisors look at the type even if EXITINTINFO is not valid. */
static void test_delivered(enum kind kind)
{
    const char *name = kind_name[kind];

    vm_init(&vm, kind);
    VMCB64(&vm, VMCB_EXIT_INT_INFO) = ~0UL;
    vm_call(&vm, g_ud2, 0, 0, 0, 0);
    check_eq(vm.exit.vec, UD, "%s: the guest handles #UD", name);
    check_eq(VMCB64(&vm, VMCB_EXIT_INT_INFO), 0,
             "%s: nothing is being delivered at the exit after it", name);

    vm_init(&vm, kind);
    VMCB64(&vm, VMCB_EXIT_INT_INFO) = ~0UL;
    VMCB64(&vm, VMCB_EVENT_INJ) = BIT(31) | 3 << 8 | BIT(11) | PF | 2UL << 32;
    vm_call(&vm, g_nop, 0, 0, 0, 0);
    check_eq(vm.exit.vec, PF, "%s: the guest handles an injected #PF", name);
    check_eq(VMCB64(&vm, VMCB_EXIT_INT_INFO), 0,
             "%s: nothing is being delivered after that", name);
    check_eq(VMCB32(&vm, VMCB_EVENT_INJ), 0, "%s: nor to be injected", name);
}

static void test_shutdown(enum kind kind)
{
    vm_init(&vm, kind);
    vm_prepare(&vm, g_ud2, 0, 0, 0, 0);
    vm_open(&vm);
    vm_set(&vm, SAVE_IDTR, 0);
    vm_close(&vm);
    vm_enter(&vm);
    check_exit(&vm, EXIT_SHUTDOWN, "no IDT");
}

/* Every automatic exit stores its reason in the VMSA. */
static void test_guest_exit_code(void)
{
    vm_init(&vm, SNP);
    *npt_pte(&vm, DATA) = 0;
    vm_call(&vm, g_write, DATA, 0, 0, 0);
    check_exit(&vm, EXIT_NPF, "an exit");
    check_eq(vm_get(&vm, SAVE_GUEST_EXIT), EXIT_NPF,
             "exit-reason: GUEST_EXITCODE");
    check_eq(vm_get(&vm, SAVE_GUEST_INFO1), vm.exit.info1,
             "exit-reason: GUEST_EXITINFO1");
    check_eq(vm_get(&vm, SAVE_GUEST_INFO2), vm.exit.info2,
             "exit-reason: GUEST_EXITINFO2");
}

void test_main(void)
{
    enum kind kind;

    check_ext(0);
    snp_enable();
    svm_enable();
    for (kind = PLAIN; kind <= SNP; kind++) {
        test_intercepts(kind);
        test_nested_faults(kind);
        test_msrs(kind);
        test_delivered(kind);
        test_shutdown(kind);
    }
    for (kind = SEV_ES; kind <= SNP; kind++) {
        test_write_traps(kind);
        test_int_state(kind);
    }
    test_invpcid();
    test_always();
    test_guest_exit_code();
}
