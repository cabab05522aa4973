/*
 * SEV-SNP tests: registers at VMRUN and #VMEXIT of a guest with a VMSA
 *
 * APM volume 2, "VMRUN", "Automatic Exits" of SEV-ES, and the swap types of
 * appendix B.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define DATA        GUEST_DATA
#define MSR_TSC_AUX 0xc0000103
#define PATTERN(n)  (0x1111222233330000ULL + (n) * 0x100)

static struct vm vm;

static const struct {
    const char *name;
    u32 msr;
    u16 offset;
    u64 val;
} msrs[] = {
    { "STAR", 0xc0000081, SAVE_STAR, 0x0023001000000000 },
    { "LSTAR", 0xc0000082, SAVE_LSTAR, 0x123456000 },
    { "CSTAR", 0xc0000083, SAVE_CSTAR, 0x123457000 },
    { "SFMASK", 0xc0000084, SAVE_SFMASK, 0x4700 },
    { "FS.base", 0xc0000100, SAVE_FS + 8, 0x123458000 },
    { "GS.base", 0xc0000101, SAVE_GS + 8, 0x123459000 },
    { "KERNEL_GS_BASE", 0xc0000102, SAVE_KERNEL_GS, 0x12345a000 },
    { "SYSENTER_CS", 0x174, SAVE_SYSENTER_CS, 0x10 },
    { "SYSENTER_ESP", 0x175, SAVE_SYSENTER_ESP, 0x12345b000 },
    { "SYSENTER_EIP", 0x176, SAVE_SYSENTER_EIP, 0x12345c000 },
    { "PAT", 0x277, SAVE_PAT, 0x0007040600070407 },
};

static const u16 gprs[] = {
    SAVE_RCX, SAVE_RDX, SAVE_RBX, SAVE_RBP, SAVE_RSI, SAVE_RDI, SAVE_R8,
    SAVE_R8 + 8, SAVE_R8 + 16, SAVE_R8 + 24, SAVE_R8 + 32, SAVE_R8 + 40,
    SAVE_R8 + 48, SAVE_R8 + 56,
};

/*
 * The guest adds 1 to each register, which shows that it is loaded and stored.
 */
static void test_gprs(void)
{
    u64 hsave = (u64)host_save() + VMCB_SAVE;
    int i;

    vm_prepare(&vm, g_scramble, DATA, 0, 0, 0);
    vm_open(&vm);
    for (i = 0; i < ARRAY_SIZE(gprs); i++) {
        vm_set(&vm, gprs[i], PATTERN(i));
        wr(hsave + gprs[i], ~PATTERN(i));
    }
    vm_close(&vm);
    vm_enter(&vm);
    check_done(&vm, "the guest runs");
    for (i = 0; i < ARRAY_SIZE(gprs); i++) {
        check_eq(vm_get(&vm, gprs[i]), PATTERN(i) + 1, "VMSA + %x", gprs[i]);
        check_eq(vm.gprs[i], ~PATTERN(i),
                 "exit-host-state: from the save area");
    }
    check_eq(vm_get(&vm, SAVE_RSP), GUEST_STACK, "RSP");
    check_eq(vm_get(&vm, SAVE_RAX), DATA, "RAX");
}

/* Type B: the values that the hypervisor has stored are restored. */
static void test_host_msrs(void)
{
    u64 hsave = (u64)host_save() + VMCB_SAVE, old[ARRAY_SIZE(msrs)];
    int i;

    for (i = 0; i < ARRAY_SIZE(msrs); i++) {
        old[i] = rdmsr(msrs[i].msr);
    }
    vm_prepare(&vm, g_nop, 0, 0, 0, 0);
    for (i = 0; i < ARRAY_SIZE(msrs) - 1; i++) {
        wr(hsave + msrs[i].offset, msrs[i].val + 1);
    }
    vm_enter(&vm);
    check_done(&vm, "the guest runs");
    for (i = 0; i < ARRAY_SIZE(msrs) - 1; i++) {
        check_eq(rdmsr(msrs[i].msr), msrs[i].val + 1, "exit-host-state: %s",
                 msrs[i].name);
        wrmsr(msrs[i].msr, old[i]);
    }
    check_eq(rdmsr(msrs[i].msr), old[i], "the host's %s", msrs[i].name);
}

static void test_guest_msrs(void)
{
    u64 got;
    int i;

    for (i = 0; i < ARRAY_SIZE(msrs); i++) {
        vm_prepare(&vm, g_rdmsr, 0, 0, msrs[i].msr, 0);
        vm_open(&vm);
        vm_set(&vm, msrs[i].offset, msrs[i].val);
        vm_close(&vm);
        vm_enter(&vm);
        got = vm_get(&vm, SAVE_RDX) << 32 | (u32)vm_get(&vm, SAVE_RAX);
        check_eq(got, msrs[i].val, "%s in the guest", msrs[i].name);
        vm_call(&vm, g_wrmsr, (u32)msrs[i].val ^ 1, 0, msrs[i].msr,
                msrs[i].val >> 32);
        check_eq(vm_get(&vm, msrs[i].offset), msrs[i].val ^ 1,
                 "%s of the guest", msrs[i].name);
        vm_reset(&vm);
    }
}

/* Type C: the FPU is initial after #VMEXIT. */
static void test_fpu(void)
{
    u64 xmm1 = 1, xmm0 = 1;
    u16 fcw = 0;
    u32 mxcsr = 0;
    int i;

    vm_prepare(&vm, g_scramble, DATA, 0, 0, 0);
    guest_poke(DATA, 0xabcdef);
    vm_open(&vm);
    for (i = 0; i < 32; i++) {
        vm_set(&vm, SAVE_XMM + i * 8, PATTERN(i));
    }
    vm_close(&vm);
    asm volatile("fninit; movq %0, %%xmm1" : : "r"(xmm1));
    vm_enter(&vm);
    asm volatile("movq %%xmm1, %0; movq %%xmm0, %1; fnstcw %2; stmxcsr %3"
                 : "=r"(xmm1), "=r"(xmm0), "=m"(fcw), "=m"(mxcsr));
    check_done(&vm, "the guest runs");
    check_eq(xmm1 | xmm0, 0, "the host's XMM registers");
    check_eq(fcw, 0x40, "the host's FCW");
    check_eq(mxcsr, 0x1f80, "the host's MXCSR");
    check_eq(vm_get(&vm, SAVE_XMM), 0xabcdef, "the guest's XMM0");
    check_eq(vm_get(&vm, SAVE_XMM + 15 * 16), 0xabcdef, "the guest's XMM15");
    check_eq(vm_get(&vm, SAVE_XMM + 16), PATTERN(2), "the guest's XMM1");
    check_eq(vm_get(&vm, SAVE_XMM + 14 * 16 + 8), PATTERN(29),
             "the guest's XMM14");
    check_eq(vm_get(&vm, SAVE_FCW) & 0xffff, 0x37f, "the guest's FCW");
    asm volatile("fninit");
}

static void test_debug(void)
{
    u64 hsave = (u64)host_save() + VMCB_SAVE, dr0;

    vm_prepare(&vm, g_nop, 0, 0, 0, 0);
    vm_open(&vm);
    vm_set(&vm, SAVE_FEATURES, vm_get(&vm, SAVE_FEATURES) | FEATURE_DEBUG_SWAP);
    vm_set(&vm, SAVE_DR0, 0x7000);
    vm_set(&vm, SAVE_DR6, 0xffff0ff1);
    vm_set(&vm, SAVE_CR2, 0x8000);
    vm_close(&vm);
    wr(hsave + SAVE_DR0, 0x6000);
    asm volatile("mov %0, %%dr0" : : "r"(0x5000ULL));
    vm_enter(&vm);
    asm volatile("mov %%dr0, %0" : "=r"(dr0));
    check_eq(vm_get(&vm, SAVE_DR0), 0x7000, "the guest's DR0 is its own");
    check_eq(dr0, 0x6000, "the host's comes from its save area");
    check_eq(vm_get(&vm, SAVE_DR6), 0xffff0ff1, "the guest's DR6");
    check_eq(vm_get(&vm, SAVE_CR2), 0x8000, "the guest's CR2");
    vm_reset(&vm);
    vm_prepare(&vm, g_nop, 0, 0, 0, 0);
    asm volatile("mov %0, %%dr0" : : "r"(0x5000ULL));
    vm_enter(&vm);
    asm volatile("mov %%dr0, %0" : "=r"(dr0));
    check_eq(dr0, 0x5000, "without debug swap DR0 is shared");
}

/* With TSC_AUX virtualization, the guest's and the host's are swapped. */
static void test_tsc_aux(void)
{
    mem32 *guest = (mem32 *)&vm.save[SAVE_TSC_AUX];
    mem32 *host = (mem32 *)&host_save()[VMCB_SAVE + SAVE_TSC_AUX];
    bool swap;
    u32 r[4];

    cpuid(0x8000001f, r);
    swap = r[0] & BIT(9);
    vm_prepare(&vm, g_rdtscp, 0, 0, 0, 0);
    vm_open(&vm);
    *guest = 0x77;
    vm_close(&vm);
    *host = 0x55;
    wrmsr(MSR_TSC_AUX, 0x66);
    vm_enter(&vm);
    check_done(&vm, "the guest runs");
    check_eq(vm_get(&vm, SAVE_RCX), swap ? 0x77 : 0x66, "RDTSCP in the guest");
    check_eq(rdmsr(MSR_TSC_AUX), swap ? 0x55 : 0x66,
             "exit-host-state: TSC_AUX");
    wrmsr(MSR_TSC_AUX, 0x66);
    vm_call(&vm, g_rdpid, 0, 0, 0, 0);
    check_eq(vm_get(&vm, SAVE_RBX), swap ? 0x77 : 0x66, "RDPID in the guest");
    vm_call(&vm, g_wrmsr, 0x78, 0, MSR_TSC_AUX, 0);
    check_eq(*guest, swap ? 0x78 : 0x77, "TSC_AUX of the guest");
    check_eq(rdmsr(MSR_TSC_AUX), swap ? 0x55 : 0x78, "and of the host");
    *host = 0;
    wrmsr(MSR_TSC_AUX, 0);
}

/* None of the guest's state is visible to the hypervisor. */
static void test_vmcb(void)
{
    unsigned i, used = 0;

    vm_call(&vm, g_scramble, DATA, 0, 0, 0);
    for (i = VMCB_SAVE; i < PAGE; i += 8) {
        used += VMCB64(&vm, i) != 0;
    }
    check_eq(used, 0, "the VMCB's save area is not written");
}

/*
 * EFER.LME without paging means nothing yet, so that such a guest need not have
 * PAE. Its exit restores the host's CR0, CR4 and EFER.
 */
static void test_host_paging(void)
{
    u64 cr0 = read_cr0();

    vm_init(&vm, PLAIN);
    vm_prepare(&vm, g_nop, 0, 0, 0, 0);
    vm_set(&vm, SAVE_CS, 8 | 0xc9bULL << 16 | 0xffffffffULL << 32);
    vm_set(&vm, SAVE_EFER, 0x1100);
    vm_set(&vm, SAVE_CR0, 0x00010033);
    vm_set(&vm, SAVE_CR4, 0x680);
    vm_run(&vm);
    check_done(&vm, "a guest with LME, without paging and PAE");
    check_eq(read_cr0(), cr0, "CR0 of the host");
}

void test_main(void)
{
    enum kind kind;

    snp_enable();
    svm_enable();
    for (kind = SEV_ES; kind <= SNP; kind++) {
        vm_init(&vm, kind);
        test_gprs();
        test_guest_msrs();
        test_host_msrs();
        test_fpu();
        test_debug();
        test_tsc_aux();
        test_vmcb();
    }
    test_host_paging();
}
