/*
 * VMX tests: a VMCS, guests, EPT
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define FW_CFG_DMA      0x514
#define FW_CFG_READ     2
#define FW_CFG_SELECT   8

#define REGIONS     8
#define EPT_TABLES  32

u64 guest_regs[16];

static u8 PAGE_ALIGNED regions[REGIONS][4096];
static u8 PAGE_ALIGNED ept_pages[EPT_TABLES][4096];
static u8 PAGE_ALIGNED guest_stack[16384];
static int ept_used;
static bool launched;
static struct trap guest_trap;      /* at the last exit */

extern int vm_enter_asm(int resume);

u64 vget(u64 field)
{
    u64 val;
    int r = vmread(field, &val);

    if (r != VM_OK) {
        check(false, "VMREAD of %lx: %d", field, r);
    }
    return val;
}

void vset(u64 field, u64 val)
{
    int r = vmwrite(field, val);

    if (r != VM_OK) {
        check(false, "VMWRITE of %lx: %d", field, r);
    }
}

u64 vm_region(int n)
{
    memset(regions[n], 0, 4096);
    *(u32 *)regions[n] = rdmsr(MSR_VMX_BASIC);
    return (u64)regions[n];
}

void vmx_enable(void)
{
    u64 control = rdmsr(MSR_FEATURE_CONTROL);

    if (!(control & 1)) {
        wrmsr(MSR_FEATURE_CONTROL, 5);
    }
    write_cr4(read_cr4() | CR4_VMXE);
}

void vmx_on(void)
{
    vmx_enable();
    check_eq(vmxon(vm_region(0)), VM_OK, "VMXON");
}

static u64 ctls(u32 msr, u64 want)
{
    u64 cap = rdmsr(msr);

    return ((u32)cap | want) & (cap >> 32);
}

void vm_controls(u64 pin, u64 proc, u64 proc2)
{
    if (proc2) {
        proc |= PROC_PROC2;
    }
    vset(F_PIN, ctls(MSR_VMX_TRUE_PIN, pin));
    vset(F_PROC, ctls(MSR_VMX_TRUE_PROC, proc));
    vset(F_PROC2, proc2);
}

struct table {
    u16 limit;
    u64 base;
} __attribute__((packed));

static void vm_tables(void)
{
    struct table gdt, idt;
    u64 tss;

    asm volatile("sgdt %0\nsidt %1" : "=m"(gdt), "=m"(idt));
    tss = (boot_gdt[6] >> 16 & 0xffffff) | (boot_gdt[6] >> 56) << 24 |
          boot_gdt[7] << 32;
    vset(F_GUEST_BASE(GDTR), gdt.base);
    vset(F_GUEST_LIMIT(GDTR), gdt.limit);
    vset(F_GUEST_BASE(IDTR), idt.base);
    vset(F_GUEST_LIMIT(IDTR), idt.limit);
    vset(F_HOST_BASE(3), gdt.base);
    vset(F_HOST_BASE(4), idt.base);
    vset(F_GUEST_BASE(TR), tss);
    vset(F_HOST_BASE(2), tss);
}

static void vm_guest_state(void (*fn)(void))
{
    int i;

    for (i = ES; i <= GS; i++) {
        vset(F_GUEST_SEL(i), i == CS ? 0x08 : 0x10);
        vset(F_GUEST_AR(i), i == CS ? 0xa09b : 0xc093);
        vset(F_GUEST_LIMIT(i), 0xffffffff);
        vset(F_GUEST_BASE(i), 0);
    }
    vset(F_GUEST_SEL(LDTR), 0);
    vset(F_GUEST_AR(LDTR), 0x10000);
    vset(F_GUEST_LIMIT(LDTR), 0);
    vset(F_GUEST_BASE(LDTR), 0);
    vset(F_GUEST_SEL(TR), 0x30);
    vset(F_GUEST_AR(TR), 0x8b);
    vset(F_GUEST_LIMIT(TR), 0x67);
    vset(F_GUEST_CR0, read_cr0());
    vset(F_GUEST_CR3, read_cr3());
    vset(F_GUEST_CR4, read_cr4());
    vset(F_GUEST_DR7, 0x400);
    vset(F_GUEST_RIP, (u64)fn);
    vset(F_GUEST_RSP, (u64)guest_stack + sizeof(guest_stack) - 8);
    vset(F_GUEST_RFLAGS, 2);
    vset(F_GUEST_EFER, rdmsr(MSR_EFER));
    vset(F_GUEST_PAT, rdmsr(MSR_PAT));
    vset(F_LINK, ~0ULL);
}

static void vm_host_state(void)
{
    int i;

    for (i = 0; i < 6; i++) {
        vset(F_HOST_SEL(i), i == CS ? 0x08 : 0x10);
    }
    vset(F_HOST_SEL(6), 0x30);
    vset(F_HOST_CR0, read_cr0());
    vset(F_HOST_CR3, read_cr3());
    vset(F_HOST_CR4, read_cr4());
    vset(F_HOST_EFER, rdmsr(MSR_EFER));
    vset(F_HOST_PAT, rdmsr(MSR_PAT));
    vset(F_HOST_RIP, (u64)vm_host_state);
}

void vm_init(void (*fn)(void))
{
    u64 vmcs = (u64)regions[1];

    /*
     * VMCLEAR writes the active content to memory, so do it before the reset.
     */
    vmclear(vmcs);
    vm_region(1);
    vmclear(vmcs);
    vmptrld(vmcs);
    launched = false;
    memset(guest_regs, 0, sizeof(guest_regs));
    vm_controls(0, 0, 0);
    vset(F_EXIT, ctls(MSR_VMX_TRUE_EXIT, EXIT_HOST64));
    vset(F_ENTRY, ctls(MSR_VMX_TRUE_ENTRY, ENTRY_IA32E));
    vm_tables();
    vm_guest_state(fn);
    vm_host_state();
}

int vm_enter(void)
{
    int flags = vm_enter_asm(launched);

    guest_trap = *trap();
    if (flags & 1) {
        return VM_FAIL_INVALID;
    }
    if (flags & 0x40) {
        return VM_FAIL_VALID;
    }
    if (!(vget(F_REASON) & X_ENTRY_FAILED)) {
        launched = true;
    }
    return VM_OK;
}

void vm_skip(void)
{
    vset(F_GUEST_RIP, vget(F_GUEST_RIP) + vget(F_LEN));
}

bool vm_exits(u64 reason, const char *what)
{
    int r = vm_enter();
    u64 got = r == VM_OK ? vget(F_REASON) : 0;

    if (!check(r == VM_OK && got == reason, "%s", what)) {
        printf("# result %d, error %lu, reason %lx, qualification %lx\n", r,
               vget(F_INSN_ERROR), got, vget(F_QUAL));
        return false;
    }
    return true;
}

/* What handles exceptions, in a guest too, asks for the processor's number. */
bool vm_exits_late(u64 reason, const char *what)
{
    u32 r[4];

    while (vm_enter() == VM_OK && vget(F_REASON) == X_CPUID) {
        cpuid(guest_regs[0], r);
        guest_regs[0] = r[0];
        guest_regs[3] = r[1];
        guest_regs[1] = r[2];
        guest_regs[2] = r[3];
        vm_skip();
        /* The host's VMREADs have changed it. */
        *trap() = guest_trap;
    }
    if (!check(vget(F_REASON) == reason, "%s", what)) {
        printf("# reason %lx, qualification %lx\n", vget(F_REASON),
               vget(F_QUAL));
        return false;
    }
    return true;
}

static u64 *ept_page(void)
{
    memset(ept_pages[ept_used], 0, 4096);
    return (u64 *)ept_pages[ept_used++];
}

u64 *ept_init(void)
{
    u64 *pml4, *pdpt, *pd;
    int i, j;

    ept_used = 0;
    pml4 = ept_page();
    pdpt = ept_page();
    pml4[0] = (u64)pdpt | 7;
    for (i = 0; i < 4; i++) {
        pd = ept_page();
        pdpt[i] = (u64)pd | 7;
        for (j = 0; j < 512; j++) {
            pd[j] = ((u64)i << 30) | (u64)j << 21 | EPT_PS | EPT_WB | 7;
        }
    }
    vset(F_EPTP, (u64)pml4 | 3 << 3 | 6);
    invept(2, 0, 0);
    return pml4;
}

/* The entry at a level: 3 is the PML4's. */
mem64 *ept_table(u64 gpa, int level)
{
    u64 *table = (u64 *)(vget(F_EPTP) & ~0xfffULL);
    int l;

    for (l = 3; l > level; l--) {
        table = (u64 *)(table[gpa >> (12 + 9 * l) & 511] & ~0xfffULL);
    }
    return &table[gpa >> (12 + 9 * level) & 511];
}

mem64 *ept_entry(u64 gpa)
{
    mem64 *pde = ept_table(gpa, 1);
    int i;

    if (*pde & EPT_PS) {
        u64 *pt = ept_page();

        for (i = 0; i < 512; i++) {
            pt[i] = (gpa & ~(LARGE - 1)) + i * PAGE + (EPT_WB | 7);
        }
        *pde = (u64)pt | 7;
    }
    return ept_table(gpa, 0);
}

u32 device_writes(u64 pa, u16 item, u32 length)
{
    static struct {
        mem32 control;
        u32 length;
        u64 address;
    } dma;
    u64 at = (u64)&dma;

    dma.control = __builtin_bswap32(item << 16 | FW_CFG_READ | FW_CFG_SELECT);
    dma.length = __builtin_bswap32(length);
    dma.address = __builtin_bswap64(pa);
    asm volatile("outl %0, %1" : : "a"(__builtin_bswap32(at >> 32)),
                 "Nd"((u16)FW_CFG_DMA) : "memory");
    asm volatile("outl %0, %1" : : "a"(__builtin_bswap32((u32)at)),
                 "Nd"((u16)(FW_CFG_DMA + 4)) : "memory");
    return dma.control;
}
