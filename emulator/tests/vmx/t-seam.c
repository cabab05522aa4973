/*
 * VMX tests: SEAM mode, and a TDX module in it
 *
 * Numbers and names are those of Intel's TDX CPU architectural extensions and
 * TDX module ABI.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "vmx.h"

#define MSR_KEYID_PARTITIONING  0x87
#define MSR_WBINVDP             0x98
#define MSR_INTR_PENDING        0x9a
#define MSR_TME_ACTIVATE        0x982
#define MSR_SEAMRR_PHYS_BASE    0x1400
#define MSR_SEAMRR_PHYS_MASK    0x1401

#define F_SHARED_EPTP           0x203c
#define F_HKID                  0x4026
#define X_SEAMCALL              76
#define X_TDCALL                77

#define SEAMOPS     ".byte 0x66, 0x0f, 0x01, 0xce"
#define SEAMRET     ".byte 0x66, 0x0f, 0x01, 0xcd"
#define TDCALL      ".byte 0x66, 0x0f, 0x01, 0xcc"
#define PCONFIG     ".byte 0x0f, 0x01, 0xc5"
#define TRY(insn)                                                       \
    ({                                                                  \
        trap()->vec = NO_TRAP;                                          \
        asm volatile(EX(insn) : : "a"(0ULL) : "memory", "cc");          \
        trap()->vec;                                                    \
    })

/* Leaves and completion status of the module */
#define TDH_SYS_INIT            33
#define TDH_SYS_LP_INIT         35
#define TDH_SYS_CONFIG          45
#define TDH_SYS_KEY_CONFIG      31
#define TDH_SYS_TDMR_INIT       36
#define TDH_MNG_CREATE          9
#define TDX_SYS_INIT_NOT_PENDING        0xc000050000000000ULL

#define LOADER                  BIT(63)
#define CARRY                   1

/* RAX, RCX, RDX, R8 and R9 are operands and results. */
struct seam_regs {
    u64 ax, cx, dx, r8, r9, flags;
};

/* The vector of an exception, or NO_TRAP */
static int seamcall(struct seam_regs *r)
{
    struct trap *t = trap();
    register u64 r8 asm("r8") = r->r8;
    register u64 r9 asm("r9") = r->r9;

    t->vec = NO_TRAP;
    asm volatile("stc\n" EX(SEAMCALL) "pushfq\npopq %5\n"
                 : "+a"(r->ax), "+c"(r->cx), "+d"(r->dx), "+r"(r8), "+r"(r9),
                   "=b"(r->flags) : : "memory", "cc", "r10", "r11");
    r->r8 = r8;
    r->r9 = r9;
    return t->vec;
}

static void user_seamcall(void)
{
    asm volatile(EX(SEAMCALL) : : "a"(0ULL));
}

static void test_modes(void)
{
    struct seam_regs r = { .ax = TDH_SYS_INIT };

    check_eq(seamcall(&r), UD, "SEAMCALL outside VMX operation");
    check_eq(TRY(SEAMRET), UD, "SEAMRET outside VMX operation");
    check_eq(TRY(TDCALL), UD, "TDCALL outside VMX operation");
    check_eq(TRY(SEAMOPS), UD, "SEAMOPS outside VMX operation");
    vmx_on();
    check_eq(TRY(SEAMRET), UD, "SEAMRET outside SEAM mode");
    check_eq(TRY(TDCALL), UD, "TDCALL in VMX root operation");
    check_eq(TRY(SEAMOPS), UD, "SEAMOPS outside SEAM mode");
    run_user(user_seamcall);
    check_eq(trap()->vec, GP, "SEAMCALL at CPL 3");
    r.ax = LOADER;
    check_eq(seamcall(&r), NO_TRAP, "SEAMCALL to a P-SEAMLDR");
    check_eq(r.flags & CARRY, CARRY, "there is none: VMfailInvalid");
    check_eq(r.ax, LOADER, "no register has changed");
}

static void g_insn(void)
{
    asm volatile(TDCALL "\n" SEAMCALL "\n" : : "a"(0ULL));
}

void g_tdcall(void);
void g_seamcall(void);
asm(".pushsection .text\ng_tdcall: " TDCALL "\ng_seamcall: " SEAMCALL
    "\n.popsection");

/* CPL is checked before the VM exit. */
static void test_cpl3(void (*fn)(void), const char *what)
{
    vm_init(fn);
    vset(F_GUEST_SEL(CS), 0x23);
    vset(F_GUEST_AR(CS), 0xa0fb);
    vset(F_GUEST_SEL(SS), 0x2b);
    vset(F_GUEST_AR(SS), 0xc0f3);
    vset(F_EXCEPTIONS, BIT(GP));
    vm_exits(X_EXCEPTION, what);
    check_eq(vget(F_INTR), INTR(3, GP) | INTR_ERROR, "%s: #GP", what);
}

static void test_compatibility(void)
{
    vm_init(g_tdcall);
    vset(F_GUEST_AR(CS), 0xc09b);
    vm_exits(X_TDCALL, "TDCALL in compatibility mode");
    vm_init(g_seamcall);
    vset(F_GUEST_AR(CS), 0xc09b);
    vset(F_EXCEPTIONS, BIT(UD));
    vm_exits(X_EXCEPTION, "SEAMCALL in compatibility mode");
    check_eq(vget(F_INTR), INTR(3, UD), "SEAMCALL there: #UD");
}

static void test_guest(void)
{
    u64 val;

    vm_init(g_insn);
    vm_exits(X_TDCALL, "TDCALL of a VM");
    check_eq(vget(F_LEN), 4, "its length");
    vm_skip();
    vm_exits(X_SEAMCALL, "SEAMCALL of a VM");
    check_eq(vmread(F_HKID, &val), VM_FAIL_VALID, "no HKID outside SEAM mode");
    check_eq(vmread(F_SHARED_EPTP, &val), VM_FAIL_VALID,
             "no shared EPT outside SEAM mode");
}

static u64 PAGE_ALIGNED seamrr_pdpt[512], seamrr_pd[512];

/* Map 1 GiB around @pa at the same address. */
static void map(u64 pa)
{
    u64 *pml4 = (u64 *)read_cr3();
    int i;

    for (i = 0; i < 512; i++) {
        seamrr_pd[i] = (pa & ~(BIT(30) - 1)) + i * LARGE +
                       (PTE_P | PTE_W | PTE_PS);
    }
    seamrr_pdpt[pa >> 30 & 511] = (u64)seamrr_pd | PTE_P | PTE_W;
    pml4[pa >> 39 & 511] = (u64)seamrr_pdpt | PTE_P | PTE_W;
    flush_tlb();
}

static void test_platform(void)
{
    u64 val, base = rdmsr(MSR_SEAMRR_PHYS_BASE) & ~0xfffULL;
    u32 r[4];

    cpuid(1, r);
    check(r[3] & BIT(27), "CPUID: self-snoop");
    cpuid(7, r);
    check(r[2] & BIT(13), "CPUID: TME");
    check(r[2] & BIT(28), "CPUID: MOVDIR64B");
    check_eq(rdmsr(MSR_SEAMRR_PHYS_MASK) & 0xc00, 0xc00,
             "SEAMRR is enabled and locked");
    check_eq(try_wrmsr(MSR_SEAMRR_PHYS_BASE, 0), GP, "its base is read-only");
    check_eq(try_wrmsr(MSR_TME_ACTIVATE, 0), GP, "TME is locked");
    check_eq(rdmsr(MSR_TME_ACTIVATE) & 3, 3, "and enabled");
    check(rdmsr(MSR_KEYID_PARTITIONING) >> 32 >= 2, "private key ids");
    check_eq(try_rdmsr(MSR_WBINVDP, &val), GP, "IA32_WBINVDP: SEAM mode only");
    check_eq(try_rdmsr(MSR_INTR_PENDING, &val), GP,
             "IA32_INTR_PENDING: SEAM mode only");
    map(base);
    check_eq(rd(base), ~0ULL, "SEAMRR reads as ones");
    wr(base, 0);
    check_eq(rd(base), ~0ULL, "writes to it are dropped");
}

static struct {
    u16 keyid;
    u32 control;
    u8 reserved[58];
    u8 rest[192];
} __attribute__((packed, aligned(256))) key;

static int pconfig(u64 leaf, void *operand, u64 *result)
{
    u8 z;

    trap()->vec = NO_TRAP;
    asm volatile(EX(PCONFIG) "setz %1"
                 : "+a"(leaf), "=q"(z) : "b"(operand), "c"(0), "d"(0)
                 : "memory", "cc");
    *result = z ? leaf : 0;
    return trap()->vec;
}

static void test_pconfig(void)
{
    u64 result;

    key.keyid = 1;
    key.control = 1 | 1 << 8;
    check_eq(pconfig(0, &key, &result), NO_TRAP, "PCONFIG of a shared key id");
    check_eq(result, 0, "succeeds");
    key.control = 9;
    pconfig(0, &key, &result);
    check_eq(result, 1, "PCONFIG: no such command");
    key.control = 1 | 2 << 8;
    pconfig(0, &key, &result);
    check_eq(result, 4, "PCONFIG: no such algorithm");
    key.control = 1 | 1 << 8;
    key.keyid = 0;
    pconfig(0, &key, &result);
    check_eq(result, 3, "PCONFIG of key id 0");
    key.keyid = 40;
    check_eq(pconfig(0, &key, &result), GP, "PCONFIG of a private key id");
    key.keyid = 1;
    check_eq(pconfig(1, &key, &result), GP, "PCONFIG: no such leaf");
    check_eq(pconfig(0, (u8 *)&key + 8, &result), GP, "PCONFIG, not aligned");
    key.reserved[3] = 1;
    check_eq(pconfig(0, &key, &result), GP, "PCONFIG: reserved byte");
}

static u64 call(u64 leaf, u64 cx, u64 dx, u64 r8)
{
    struct seam_regs r = { .ax = leaf, .cx = cx, .dx = dx, .r8 = r8 };

    check_eq(seamcall(&r), NO_TRAP, "SEAMCALL %lu", leaf);
    check_eq(r.flags & CARRY, 0, "SEAMCALL %lu: VMsucceed", leaf);
    return r.ax;
}

static void test_init(void)
{
    u64 cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(), link, val = 0;

    vmptrst(&link);
    check_eq(call(TDH_SYS_INIT, 0, 0, 0), 0, "TDH.SYS.INIT");
    check_eq(read_cr0(), cr0, "CR0 is the host's");
    check_eq(read_cr3(), cr3, "CR3 is the host's");
    check_eq(read_cr4(), cr4, "CR4 is the host's");
    vmptrst(&val);
    check_eq(val, link, "the current VMCS is the host's");
    check_eq(call(TDH_SYS_INIT, 0, 0, 0), TDX_SYS_INIT_NOT_PENDING,
             "TDH.SYS.INIT again");
    check_eq(call(TDH_SYS_LP_INIT, 0, 0, 0), 0, "TDH.SYS.LP.INIT");
}

/* The module goes on after SEAMCALL, with its trap pending. */
static void test_step(void)
{
    u64 ax = TDH_SYS_INIT, dr6 = 0xffff0ff0, stepped;

    asm volatile("mov %0, %%dr6" : : "r"(dr6));
    asm volatile("pushfq; pushfq; orl $0x100, (%%rsp); popfq\n"
                 SEAMCALL "\n"
                 "2: movq $0, %1; jmp 4f\n"
                 "3: mov %%dr6, %1\n"
                 "4: popfq\n"
                 ".pushsection .extable, \"a\"; .quad 2b, 3b; .popsection"
                 : "+a"(ax), "=&b"(stepped)
                 : "c"(0ULL) : "memory", "cc", "rdx", "r8", "r9", "r10", "r11");
    check_eq(stepped, 0xffff4ff0, "a single-step trap after SEAMCALL");
    check_eq(ax, TDX_SYS_INIT_NOT_PENDING, "which was executed");
}

/* SEAMCALL and SEAMRET flush nothing: what the host forgets is found. */
static void test_tlb(void)
{
    static u64 PAGE_ALIGNED page[2][512];
    mem64 *pte = host_pte((u64)page[0]);

    page[0][0] = 0x11;
    page[1][0] = 0x22;
    check_eq(rd((u64)page[0]), 0x11, "a translation of the host");
    *pte = (u64)page[1] | PTE_P | PTE_W;
    call(TDH_SYS_INIT, 0, 0, 0);
    check_eq(rd((u64)page[0]), 0x11, "is still there after a SEAMCALL");
    flush_tlb();
    check_eq(rd((u64)page[0]), 0x22, "and is gone when it is flushed");
    *pte = (u64)page[0] | PTE_P | PTE_W;
    flush_tlb();
}

/* Memory that the module gets: 1 GiB at 1 GiB, its PAMT below it */
#define TDMR        BIT(30)
#define PAMT        (TDMR - 8 * LARGE)
#define MANY        100000

static u64 PAGE_ALIGNED tdmr_list[512], tdmr_info[512];

static void test_config(void)
{
    static const u64 sizes[3] = { PAGE, 2 * PAGE, 2 * LARGE };
    struct seam_regs r;
    u64 pamt = PAMT, at;
    int i;

    tdmr_info[0] = TDMR;
    tdmr_info[1] = BIT(30);
    for (i = 2; i >= 0; i--) {
        tdmr_info[2 + 2 * i] = pamt;
        tdmr_info[3 + 2 * i] = sizes[i];
        pamt += sizes[i];
    }
    tdmr_list[0] = (u64)tdmr_info;
    check_eq(call(TDH_SYS_CONFIG, (u64)tdmr_list, 1, 40), 0, "TDH.SYS.CONFIG");
    check_eq(call(TDH_SYS_KEY_CONFIG, 0, 0, 0), 0, "TDH.SYS.KEY.CONFIG");
    for (i = 0, at = 0; i < MANY && at < TDMR + BIT(30); i++) {
        r = (struct seam_regs) { .ax = TDH_SYS_TDMR_INIT, .cx = TDMR };
        if (seamcall(&r) != NO_TRAP || r.ax) {
            break;
        }
        at = r.dx;
    }
    check_eq(at, TDMR + BIT(30), "TDH.SYS.TDMR.INIT, until all is done");
    check_eq(call(TDH_MNG_CREATE, TDMR, 41, 0), 0, "TDH.MNG.CREATE");
}

void test_main(void)
{
    test_modes();
    test_guest();
    test_cpl3(g_tdcall, "TDCALL of a VM at CPL 3");
    test_cpl3(g_seamcall, "SEAMCALL of a VM at CPL 3");
    test_compatibility();
    test_platform();
    test_pconfig();
    test_init();
    test_step();
    test_tlb();
    test_config();
    check_eq(vmxoff(), VM_OK, "VMXOFF");
    vmx_on();
    check_eq(call(TDH_SYS_LP_INIT, 0, 0, 0) >> 63, 1,
             "the module is there after VMXOFF and VMXON");
    vmxoff();
}
