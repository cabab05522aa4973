/*
 * SEV-SNP tests: which guests VMRUN enters
 *
 * APM volume 2, "Running SNP-Active Virtual Machines" and, for ASIDs and the
 * rest, "Enabling SEV" and "Enabling SEV-ES".
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define OTHER_PAGE      0x0f100000ULL
#define NOT_RAM         0xfee00000ULL
#define INJECT_VALID    BIT(31)
#define INJECT_CODE     BIT(11)
#define TYPE_INTR       (0 << 8)
#define TYPE_EXCEPTION  (3 << 8)
#define TYPE_SOFT_INT   (4 << 8)
#define INT_CTL_MASKING BIT(24)

static struct vm vm;

static void set_features(u64 features)
{
    vm_open(&vm);
    vm_set(&vm, SAVE_FEATURES, features);
    vm_close(&vm);
}

static void check_enters(bool enters, const char *what)
{
    u64 features = vm.kind >= SEV_ES ? vm_get(&vm, SAVE_FEATURES) : 0;

    /* An entry that fails may leave any state. */
    vm_reset(&vm);
    if (features) {
        set_features(features);
    }
    vm_call(&vm, g_nop, 0, 0, 0, 0);
    if (enters) {
        check_done(&vm, what);
    } else {
        check_exit(&vm, EXIT_INVALID, what);
    }
}

static void test_asids(void)
{
    static const char *const name[] = { "plain", "SEV", "SEV-ES" };
    u32 r[4], asid[5];
    enum kind kind;
    int i;

    cpuid(0x8000001f, r);
    asid[0] = 1;
    asid[1] = r[3] - 1;
    asid[2] = r[3];
    asid[3] = r[2];
    asid[4] = r[2] + 1;
    for (kind = PLAIN; kind <= SEV_ES; kind++) {
        vm_init(&vm, kind);
        for (i = 0; i < 5; i++) {
            bool good = kind == PLAIN || (kind == SEV_ES ? i < 2 :
                                          i == 2 || i == 3);

            vm_reset(&vm);
            VMCB32(&vm, VMCB_ASID) = asid[i];
            vm_call(&vm, g_nop, 0, 0, 0, 0);
            check(good ? vm_done(&vm) : vm.exit.code == EXIT_INVALID,
                  "vmrun-asid: %s, ASID %d %s", name[kind], asid[i],
                  good ? "runs" : "does not");
        }
        VMCB32(&vm, VMCB_ASID) = 0;
        VMCB32(&vm, VMCB_INT_CTL) = INT_CTL_MASKING;
        check_enters(false, "ASID 0");
        check_eq(VMCB32(&vm, VMCB_INT_CTL), INT_CTL_MASKING,
                 "what controls interrupts stays");
    }
}

static void test_control(void)
{
    u64 old = rdmsr(MSR_SYSCFG);

    vm_init(&vm, SEV);
    VMCB64(&vm, VMCB_NP) &= ~NP_ENABLE;
    check_enters(false, "SEV without nested paging");
    VMCB64(&vm, VMCB_NP) |= NP_ENABLE;
    wrmsr(MSR_SYSCFG, old & ~SYSCFG_SMEE);
    check_enters(false, "SEV without SMEE");
    wrmsr(MSR_SYSCFG, old);
    check_enters(true, "SEV");
    vm_init(&vm, SEV_ES);
    set_features(FEATURE_SNP);
    check_enters(false, "vmrun-features: SNP-active without SNPEn");
    set_features(0);
    check_enters(true, "SEV-ES");
}

static void test_vmsa_page(void)
{
    u64 entry;

    vm_init(&vm, SNP);
    check_enters(true, "SNP");
    entry = rmp_entry(VMSA_SPA)[0];
    vm_prepare(&vm, g_nop, 0, 0, 0, 0);

    rmp_entry(VMSA_SPA)[0] = entry & ~RMP_VMSA;
    vm_enter(&vm);
    check_exit(&vm, EXIT_INVALID, "vmrun-vmsa-page: not a VMSA");
    rmp_entry(VMSA_SPA)[0] = 0;
    vm_enter(&vm);
    check_exit(&vm, EXIT_INVALID, "vmrun-vmsa-page: the hypervisor's");
    rmp_entry(VMSA_SPA)[0] = entry ^ RMP_ASID(ES_ASID ^ (ES_ASID + 1));
    vm_enter(&vm);
    check_exit(&vm, EXIT_INVALID, "vmrun-vmsa-page: another guest's");
    rmp_entry(VMSA_SPA)[0] = entry | RMP_IMMUTABLE;
    vm_enter(&vm);
    check_exit(&vm, EXIT_INVALID, "vmrun-vmsa-page: immutable");
    rmp_entry(VMSA_SPA)[0] = entry;
    vm_enter(&vm);
    check_done(&vm, "a good VMSA again");

    vm_init(&vm, SEV_ES);
    vm_prepare(&vm, g_nop, 0, 0, 0, 0);
    rmp_make(VMSA_SPA, 0, ES_ASID, RMP_VMSA | RMP_VALIDATED);
    vm_enter(&vm);
    check_exit(&vm, EXIT_INVALID, "vmrun-vmsa-page: SEV-ES, not the host's");
    rmp_clear(VMSA_SPA, 1);
    vm_enter(&vm);
    check_done(&vm, "SEV-ES, the hypervisor's");
    VMCB64(&vm, VMCB_VMSA) = NOT_RAM;
    vm_enter(&vm);
    check_exit(&vm, EXIT_INVALID, "a VMSA that is not memory");
}

/* Guests with a VMSA need LBR virtualization. */
static void test_lbr(enum kind kind)
{
    vm_init(&vm, kind);
    VMCB64(&vm, VMCB_LBR_CTL) &= ~LBR_ENABLE;
    check_enters(kind < SEV_ES, "vmrun-lbr: no LBR virtualization");
    VMCB64(&vm, VMCB_LBR_CTL) |= LBR_ENABLE;
    check_enters(true, "with LBR virtualization");
}

static void test_features(void)
{
    vm_init(&vm, SNP);
    set_features(FEATURE_SNP | BIT(60));
    check_enters(false, "vmrun-features: an unknown one");
    set_features(FEATURE_SNP | BIT(3) | BIT(4));
    check_enters(false, "vmrun-features: restricted and alternate injection");
    set_features(FEATURE_SNP | FEATURE_DEBUG_SWAP);
    check_enters(true, "debug swap");
    VMCB64(&vm, VMCB_ALLOWED) = FEATURE_SNP;
    check_enters(true, "ALLOWED_SEV_FEATURES not enabled");
    VMCB64(&vm, VMCB_ALLOWED) = BIT(63) | FEATURE_SNP;
    check_enters(false, "vmrun-features: not allowed");
    VMCB64(&vm, VMCB_ALLOWED) = BIT(63) | FEATURE_SNP | FEATURE_DEBUG_SWAP;
    check_enters(true, "allowed");
}

static void test_invalid_state(enum kind kind)
{
    static const struct {
        const char *name;
        u16 offset;
        u64 val;
    } bad[] = {
        { "EFER.SVME clear", SAVE_EFER, 0x0d00 },
        { "EFER reserved", SAVE_EFER, 0x1d00 | BIT(63) },
        { "CR0.NW without CD", SAVE_CR0, 0x80010033 | BIT(29) },
        { "CR0[63:32]", SAVE_CR0, 0x80010033 | BIT(32) },
        { "CR4 reserved", SAVE_CR4, 0x6a0 | BIT(63) },
        { "DR6[63:32]", SAVE_DR6, 0xffff0ff0 | BIT(32) },
        { "DR7[63:32]", SAVE_DR7, 0x400 | BIT(32) },
        { "long mode without PAE", SAVE_CR4, 0x680 },
        { "long mode without PE", SAVE_CR0, 0x80010032 },
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        vm_init(&vm, kind);
        vm_prepare(&vm, g_nop, 0, 0, 0, 0);
        vm_open(&vm);
        vm_set(&vm, bad[i].offset, bad[i].val);
        vm_close(&vm);
        vm_enter(&vm);
        check_exit(&vm, EXIT_INVALID, bad[i].name);
        check_eq(vm_get(&vm, SAVE_RIP), vm_rip_of(g_nop), "nothing has run");
    }
}

static int try_vmsave(u64 spa)
{
    trap()->vec = NO_TRAP;
    asm volatile(EX("vmsave") : : "a"(spa) : "memory");
    return trap()->vec;
}

static void test_vmcb_page(void)
{
    vm_init(&vm, PLAIN);
    host_pte(OTHER_PAGE);
    memcpy((void *)OTHER_PAGE, vm.vmcb, PAGE);
    vm.vmcb = (u8 *)OTHER_PAGE;
    vm.save = vm.vmcb + VMCB_SAVE;
    vm_call(&vm, g_nop, 0, 0, 0, 0);
    check_done(&vm, "VMRUN with a VMCB of the hypervisor");
    check_eq(try_vmsave(OTHER_PAGE), NO_TRAP, "VMSAVE to the hypervisor");
    vm_prepare(&vm, g_nop, 0, 0, 0, 0);
    rmp_assign(OTHER_PAGE, 0, ES_ASID, false);
    trap()->vec = NO_TRAP;
    vmrun_asm(vm.vmcb, vm.gprs);
    check_eq(trap()->vec, GP, "vmrun-vmcb-page: VMRUN");
    check_eq(trap()->err, 0, "error code 0");
    check_eq(try_vmsave(OTHER_PAGE), GP, "vmrun-vmcb-page: VMSAVE");
    rmp_share(OTHER_PAGE, false);
    check_eq(try_vmsave(OTHER_PAGE), NO_TRAP, "VMSAVE again");
    vm_init(&vm, PLAIN);
    vm_prepare(&vm, g_nop, 0, 0, 0, 0);
    wrmsr(MSR_VM_HSAVE_PA, 0);
    trap()->vec = NO_TRAP;
    vmrun_asm(vm.vmcb, vm.gprs);
    check_eq(trap()->vec, GP, "VMRUN with VM_HSAVE_PA 0");
    svm_enable();
}

/* VMRUN itself writes to the save area. */
static void test_save_area(void)
{
    u64 was;

    vm_init(&vm, PLAIN);
    vm_prepare(&vm, g_nop, 0, 0, 0, 0);
    host_pte(OTHER_PAGE);
    wrmsr(MSR_VM_HSAVE_PA, OTHER_PAGE);
    was = rd(OTHER_PAGE + VMCB_SAVE + SAVE_RIP);
    check_eq(rmp_assign(OTHER_PAGE, 0, ES_ASID, false), SUCCESS,
             "the save area becomes a guest's");
    trap()->vec = NO_TRAP;
    vmrun_asm(vm.vmcb, vm.gprs);
    check_eq(trap()->vec, GP, "vmrun-vmcb-page: VMRUN with that save area");
    check_eq(rd(OTHER_PAGE + VMCB_SAVE + SAVE_RIP), was,
             "vmrun-vmcb-page: nothing is written");
    rmp_share(OTHER_PAGE, false);
    vm_enter(&vm);
    check_done(&vm, "VMRUN with the hypervisor's again");
    svm_enable();
}

/* Bits of a nested table in another guest's page do not change. */
static void test_nested_table(enum kind kind)
{
    u64 info = NPF_GPT | PF_P | PF_W | PF_U | PF_RMP;
    mem64 *entry;

    vm_init(&vm, kind);
    vm_prepare(&vm, g_nop, 0, 0, 0, 0);
    entry = (mem64 *)VMCB64(&vm, VMCB_NCR3);
    host_pte((u64)entry);
    entry[0] &= ~PTE_A;
    check_eq(rmp_assign((u64)entry, 0, ES_ASID + 1, false), SUCCESS,
             "a nested table becomes another guest's");
    vm_enter(&vm);
    check_npf(&vm, info | (kind == SNP ? NPF_ENC : 0), 0x1000, "nested-table");
    check(!(entry[0] & PTE_A), "nested-table: A is clear");
    rmp_share((u64)entry, false);
    vm_enter(&vm);
    check_done(&vm, "it is the hypervisor's again");
    check(entry[0] & PTE_A, "A is set");
    /* Nothing has to be set in it now. */
    vm_prepare(&vm, g_nop, 0, 0, 0, 0);
    rmp_assign((u64)entry, 0, ES_ASID + 1, false);
    vm_enter(&vm);
    check_done(&vm, "it can be read");
    rmp_share((u64)entry, false);
}

static void inject(u64 event)
{
    VMCB64(&vm, VMCB_EVENT_INJ) = event | INJECT_VALID;
    vm_call(&vm, g_nop, 0, 0, 0, 0);
    VMCB64(&vm, VMCB_EVENT_INJ) = 0;
}

static void test_injection(enum kind kind)
{
    vm_init(&vm, kind);
    inject(TYPE_INTR | 0x30);
    check_eq(vm.exit.vec, 0x30, "an injected interrupt arrives");
    inject(TYPE_EXCEPTION | INJECT_CODE | GP | 0x28ULL << 32);
    check_eq(vm.exit.vec, GP, "an injected #GP arrives");
    check_eq(vm.exit.err, 0x28, "with its error code");
    inject(TYPE_SOFT_INT | 0x30);
    check_exit(&vm, EXIT_INVALID, "vmrun-injection: software interrupt");
    check_eq(vm_get(&vm, SAVE_RIP), vm_rip_of(g_nop), "nothing has run");
    inject(TYPE_EXCEPTION | 3);
    check_exit(&vm, EXIT_INVALID, "vmrun-injection: #BP");
    inject(TYPE_EXCEPTION | 4);
    check_exit(&vm, EXIT_INVALID, "vmrun-injection: #OF");
}

/* Failures after the guest's state is loaded */
static void test_bad_injection(enum kind kind)
{
    vm_init(&vm, kind);
    inject(TYPE_EXCEPTION | 2);
    check_exit(&vm, EXIT_INVALID, "an exception with the NMI's vector");
    check_eq(vm_get(&vm, SAVE_RIP), vm_rip_of(g_nop), "RIP is the guest's");
    inject(TYPE_EXCEPTION | 31);
    check_exit(&vm, EXIT_INVALID, "an exception with vector 31");
    check_eq(vm_get(&vm, SAVE_RIP), vm_rip_of(g_nop), "RIP is the guest's");
    inject(1 << 8);
    check_exit(&vm, EXIT_INVALID, "a reserved type");
    check_eq(vm_get(&vm, SAVE_RIP), vm_rip_of(g_nop), "RIP is the guest's");
}

static void test_virtual_interrupt(enum kind kind)
{
    vm_init(&vm, kind);
    vm_prepare(&vm, g_nop, 0, 0, 0, 0);
    vm_open(&vm);
    vm_set(&vm, SAVE_RFLAGS, 0x202);
    vm_close(&vm);
    VMCB32(&vm, VMCB_INT_CTL) = BIT(8) | BIT(20) | BIT(24) | 15 << 16;
    VMCB32(&vm, VMCB_INT_VECTOR) = 0x31;
    vm_enter(&vm);
    check_eq(vm.exit.vec, 0x31, "a virtual interrupt arrives");
    VMCB32(&vm, VMCB_INT_CTL) = BIT(8) | BIT(20) | BIT(24) | 15 << 16;
    vm_call(&vm, g_nop, 0, 0, 0, 0);
    check_done(&vm, "not with interrupts off");
}

/* The processor accesses the VMSA with the guest's key, the others without. */
static void test_vmsa_of_host(void)
{
    u64 hsave = rdmsr(MSR_VM_HSAVE_PA);

    vm_init(&vm, SEV_ES);
    wrmsr(MSR_VM_HSAVE_PA, VMSA_SPA);
    vm_call(&vm, g_nop, 0, 0, 0, 0);
    check_eq(vm.exit.code, EXIT_INVALID, "the VMSA is the host save area");
    wrmsr(MSR_VM_HSAVE_PA, hsave);
    vm_init(&vm, SEV_ES);
    VMCB64(&vm, VMCB_VMSA) = (u64)vm.vmcb;
    vm_call(&vm, g_nop, 0, 0, 0, 0);
    check_eq(vm.exit.code, EXIT_INVALID, "the VMSA is the VMCB");
    vm_init(&vm, SEV_ES);
    vm_call(&vm, g_nop, 0, 0, 0, 0);
    check_done(&vm, "and a page of its own");
}

void test_main(void)
{
    svm_enable();
    wrmsr(MSR_SYSCFG, rdmsr(MSR_SYSCFG) | SYSCFG_SMEE);
    test_asids();
    test_control();
    test_vmsa_of_host();
    snp_enable();
    test_asids();
    test_vmsa_page();
    test_features();
    test_lbr(SEV);
    test_lbr(SEV_ES);
    test_lbr(SNP);
    test_vmcb_page();
    test_save_area();
    test_nested_table(PLAIN);
    test_nested_table(SNP);
    test_injection(SEV_ES);
    test_injection(SNP);
    test_bad_injection(PLAIN);
    test_bad_injection(SEV_ES);
    test_invalid_state(SEV_ES);
    test_invalid_state(SNP);
    test_virtual_interrupt(SEV_ES);
    test_virtual_interrupt(SNP);
}
