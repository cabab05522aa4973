/*
 * SEV-SNP tests: guests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "svm.h"

#define GUEST_TSS       (GUEST_GDT + 0x800)
#define INTERCEPT_SHUTDOWN BIT(31)
#define INTERCEPT_VMRUN BIT(0)
#define INTERCEPT_VMMCALL BIT(1)
#define NPTE            (PTE_P | PTE_W | PTE_U)

static u8 vmcbs[2][4096] PAGE_ALIGNED;
static u8 bitmaps[5][4096] PAGE_ALIGNED;
static u64 npt_pml4[512] PAGE_ALIGNED, npt_pdpt[512] PAGE_ALIGNED;
static u64 npt_pd[512] PAGE_ALIGNED, npt_pts[8][512] PAGE_ALIGNED;

u8 *host_save(void)
{
    return (u8 *)rdmsr(MSR_VM_HSAVE_PA);
}

mem64 *npt_pte(struct vm *vm, u64 gpa)
{
    return &npt_pts[gpa / LARGE][gpa >> 12 & 511];
}

void npt_small(struct vm *vm, u64 gpa, u64 spa)
{
    int i;

    if (npt_pd[gpa / LARGE] & PTE_PS || !npt_pd[gpa / LARGE]) {
        for (i = 0; i < 512; i++) {
            npt_pts[gpa / LARGE][i] =
                (SPA(gpa & ~(LARGE - 1)) + i * PAGE) | NPTE;
        }
        npt_pd[gpa / LARGE] = (u64)npt_pts[gpa / LARGE] | NPTE;
    }
    *npt_pte(vm, gpa) = spa | NPTE;
}

void npt_large(struct vm *vm, u64 gpa, u64 spa)
{
    npt_pd[gpa / LARGE] = spa | NPTE | PTE_PS;
}

static void npt_init(struct vm *vm)
{
    int i;

    npt_pml4[0] = (u64)npt_pdpt | NPTE;
    npt_pdpt[0] = (u64)npt_pd | NPTE;
    npt_pd[0] = 0;
    npt_small(vm, 0, GUEST_SPA);
    for (i = 1; i < 8; i++) {
        npt_large(vm, i * LARGE, SPA(i * LARGE));
    }
}

u64 *guest_pte(u64 va)
{
    u64 table = va < LARGE ? GUEST_PT0 : GUEST_PT2;

    return (u64 *)SPA(table + (va >> 12 & 511) * 8);
}

/* Virtual addresses are physical ones, except the window and GUEST_SHARED. */
static void guest_tables(enum kind kind)
{
    u64 *t = (u64 *)GUEST_SPA, c = kind == PLAIN ? 0 : C_BIT;
    u64 flags = PTE_P | PTE_W | PTE_U | PTE_A | PTE_D | c;
    int i;

    t[0x1000 / 8] = 0x2000 | flags;
    t[0x2000 / 8] = 0x3000 | flags;
    t[0x3000 / 8] = GUEST_PT0 | flags;
    t[0x3000 / 8 + 1] = GUEST_LARGE | flags | PTE_PS;
    t[0x3000 / 8 + 2] = GUEST_PT2 | flags;
    t[0x3000 / 8 + 3] = (GUEST_LARGE | flags | PTE_PS) & ~c;
    for (i = 0; i < 512; i++) {
        *guest_pte(i * PAGE) = i * PAGE | flags;
        *guest_pte(GUEST_WINDOW + i * PAGE) = (i * PAGE | flags) & ~c;
    }
}

static void guest_descriptors(void)
{
    u64 *gdt = (u64 *)SPA(GUEST_GDT), *idt = (u64 *)SPA(GUEST_IDT);
    u32 *tss = (u32 *)SPA(GUEST_TSS);
    int i;

    gdt[1] = 0x00af9b000000ffffULL;
    gdt[2] = 0x00cf93000000ffffULL;
    gdt[4] = 0x00affb000000ffffULL;
    gdt[5] = 0x00cff3000000ffffULL;
    tss[1] = GUEST_STACK - 1024;
    for (i = 0; i < 64; i++) {
        u64 at = vm_rip_of(g_stubs + i * 16);

        idt[i * 2] = (at & 0xffff) | 8 << 16 | 0x8e00ULL << 32 |
                     (at >> 16 & 0xffff) << 48;
        idt[i * 2 + 1] = 0;
    }
}

static void guest_assign(struct vm *vm)
{
    u64 gpa;

    for (gpa = 0; gpa < GUEST_LOW_END; gpa += PAGE) {
        rmp_make(SPA(gpa), gpa, vm->asid, RMP_VALIDATED);
    }
    rmp_make(VMSA_SPA, 0, vm->asid, RMP_VALIDATED | RMP_VMSA);
}

static void vmcb_init(struct vm *vm)
{
    static const u64 np[] = {
        [PLAIN] = NP_ENABLE,
        [SEV] = NP_ENABLE | NP_SEV,
        [SEV_ES] = NP_ENABLE | NP_SEV | NP_SEV_ES,
        [SNP] = NP_ENABLE | NP_SEV | NP_SEV_ES,
    };

    vm->vmcb = vmcbs[0];
    memset(vm->vmcb, 0, PAGE);
    memset(bitmaps, 0, sizeof(bitmaps));
    VMCB32(vm, VMCB_INTERCEPT1) = INTERCEPT_SHUTDOWN;
    VMCB32(vm, VMCB_INTERCEPT2) = INTERCEPT_VMRUN | INTERCEPT_VMMCALL;
    VMCB64(vm, VMCB_IOPM) = (u64)bitmaps[0];
    VMCB64(vm, VMCB_MSRPM) = (u64)bitmaps[3];
    VMCB32(vm, VMCB_ASID) = vm->asid;
    VMCB32(vm, VMCB_TLB) = 1;
    VMCB64(vm, VMCB_NP) = np[vm->kind];
    VMCB64(vm, VMCB_NCR3) = (u64)npt_pml4;
    VMCB64(vm, VMCB_LBR_CTL) = vm->kind >= SEV_ES ? LBR_ENABLE : 0;
    VMCB64(vm, VMCB_VMSA) = VMSA_SPA;
}

void vm_init(struct vm *vm, enum kind kind)
{
    /* With a 2 MiB mapping, nothing next to a guest's page could be written. */
    host_pte(GUEST_SPA);
    host_pte(SPA(GUEST_LARGE));
    host_pte(VMSA_SPA);
    vm->kind = kind;
    vm->asid = kind == SEV ? SEV_ASID : ES_ASID;
    if (rdmsr(MSR_SYSCFG) & SYSCFG_SNPEN) {
        rmp_clear(GUEST_SPA, 3 * 512);
        rmp_clear(VMSA_SPA, 1);
    }
    vmcb_init(vm);
    vm->save = kind >= SEV_ES ? (u8 *)VMSA_SPA : vm->vmcb + VMCB_SAVE;
    npt_init(vm);
    memset((void *)GUEST_SPA, 0, GUEST_LOW_END);
    guest_tables(kind);
    memcpy((void *)SPA(GUEST_CODE), guest_start, guest_end - guest_start);
    guest_descriptors();
    if (kind == SNP) {
        guest_assign(vm);
    }
    vm_reset(vm);
}

void vm_open(struct vm *vm)
{
    if (vm->kind == SNP) {
        rmp_entry(VMSA_SPA)[0] &= ~RMP_ASSIGNED;
        flush_tlb();
    }
}

void vm_close(struct vm *vm)
{
    if (vm->kind == SNP) {
        rmp_entry(VMSA_SPA)[0] |= RMP_ASSIGNED;
        flush_tlb();
    }
}

void guest_poke(u64 gpa, u64 val)
{
    mem64 *e = rmp_entry(SPA(gpa & ~(LARGE - 1)));
    u64 old;

    if (!(*e & RMP_2M)) {
        e = rmp_entry(SPA(gpa));
    }
    old = *e;

    *e = old & ~RMP_ASSIGNED;
    flush_tlb();
    wr(SPA(gpa), val);
    *e = old;
    flush_tlb();
}

static bool in_gprs(struct vm *vm, unsigned offset)
{
    return vm->kind < SEV_ES && offset >= SAVE_RCX && offset <= SAVE_R15;
}

static unsigned gpr_index(unsigned offset)
{
    return (offset - SAVE_RCX) / 8 - (offset > SAVE_RBX);
}

u64 vm_get(struct vm *vm, unsigned offset)
{
    return in_gprs(vm, offset) ? vm->gprs[gpr_index(offset)]
                               : rd((u64)vm->save + offset);
}

/* Opened if necessary. */
void vm_set(struct vm *vm, unsigned offset, u64 val)
{
    if (in_gprs(vm, offset)) {
        vm->gprs[gpr_index(offset)] = val;
    } else {
        wr((u64)vm->save + offset, val);
    }
}

static void set_seg(struct vm *vm, unsigned offset, u16 sel, u16 attr,
                    u32 limit, u64 base)
{
    vm_set(vm, offset, sel | (u64)attr << 16 | (u64)limit << 32);
    vm_set(vm, offset + 8, base);
}

static void reset_segs(struct vm *vm)
{
    set_seg(vm, SAVE_ES, 16, 0xc93, ~0U, 0);
    set_seg(vm, SAVE_CS, 8, 0xa9b, ~0U, 0);
    set_seg(vm, SAVE_SS, 16, 0xc93, ~0U, 0);
    set_seg(vm, SAVE_DS, 16, 0xc93, ~0U, 0);
    set_seg(vm, SAVE_FS, 16, 0xc93, ~0U, 0);
    set_seg(vm, SAVE_GS, 16, 0xc93, ~0U, 0);
    set_seg(vm, SAVE_GDTR, 0, 0, 6 * 8 - 1, GUEST_GDT);
    set_seg(vm, SAVE_LDTR, 0, 0x82, 0, 0);
    set_seg(vm, SAVE_IDTR, 0, 0, 64 * 16 - 1, GUEST_IDT);
    set_seg(vm, SAVE_TR, 48, 0x8b, 103, GUEST_TSS);
}

void vm_reset(struct vm *vm)
{
    vm_open(vm);
    memset(vm->save, 0, vm->kind >= SEV_ES ? 0x670 : 0x298);
    reset_segs(vm);
    vm_set(vm, SAVE_EFER, 0x1d00);
    vm_set(vm, SAVE_CR0, 0x80010033);
    vm_set(vm, SAVE_CR3, 0x1000 | (vm->kind == PLAIN ? 0 : C_BIT));
    vm_set(vm, SAVE_CR4, 0x6a0);
    vm_set(vm, SAVE_DR6, 0xffff0ff0);
    vm_set(vm, SAVE_DR7, 0x400);
    vm_set(vm, SAVE_RFLAGS, 2);
    vm_set(vm, SAVE_RSP, GUEST_STACK);
    vm_set(vm, SAVE_PAT, 0x0007040600070406ULL);
    if (vm->kind >= SEV_ES) {
        vm_set(vm, SAVE_XCR0, 1);
        vm_set(vm, SAVE_MXCSR, 0x1f80 | 0xffffULL << 32);
        vm_set(vm, SAVE_FCW, 0x37f);
        vm_set(vm, SAVE_FEATURES, vm->kind == SNP ? FEATURE_SNP : 0);
    }
    vm_close(vm);
}

/* The VMPL is in the same quadword as the CPL. */
void vm_user(struct vm *vm)
{
    set_seg(vm, SAVE_CS, 0x23, 0xafb, ~0U, 0);
    set_seg(vm, SAVE_SS, 0x2b, 0xcf3, ~0U, 0);
    vm->save[SAVE_CPL] = 3;
}

u64 vm_rip_of(char *piece)
{
    return GUEST_CODE + (piece - guest_start);
}

static void decode_exit(struct vm *vm)
{
    struct exit *e = &vm->exit;
    u64 trap_rip = vm_rip_of(g_trap), *stack;

    e->code = VMCB64(vm, VMCB_EXIT_CODE);
    e->info1 = VMCB64(vm, VMCB_INFO1);
    e->info2 = VMCB64(vm, VMCB_INFO2);
    e->vec = NO_TRAP;
    if (!(e->code == EXIT_VMGEXIT && vm_get(vm, SAVE_RIP) == trap_rip) &&
        !(e->code == EXIT_VMMCALL && vm_get(vm, SAVE_RIP) == trap_rip - 4)) {
        return;
    }
    stack = (u64 *)SPA(vm_get(vm, SAVE_RSP));
    e->vec = stack[0];
    e->err = stack[1];
    e->cr2 = vm_get(vm, SAVE_CR2);
}

/* The hypervisor stores the additional state that #VMEXIT loads. */
static void save_host(void)
{
    u64 hsave = (u64)host_save();

    if (hsave) {
        asm volatile("vmsave" : : "a"(hsave) : "memory");
        wr(hsave + VMCB_SAVE + SAVE_XCR0, 1);
    }
}

struct exit *vm_run(struct vm *vm)
{
    save_host();
    return vm_enter(vm);
}

struct exit *vm_enter(struct vm *vm)
{
    trap()->vec = NO_TRAP;
    VMCB64(vm, VMCB_EXIT_CODE) = 0x5555;
    vmrun_asm(vm->vmcb, vm->gprs);
    decode_exit(vm);
    return &vm->exit;
}

void vm_prepare(struct vm *vm, char *piece, u64 rax, u64 rbx, u64 rcx, u64 rdx)
{
    vm_open(vm);
    vm_set(vm, SAVE_RIP, vm_rip_of(piece));
    if (vm->save[SAVE_CPL] == 0) {
        reset_segs(vm);
    }
    vm_set(vm, SAVE_RSP, GUEST_STACK);
    vm_set(vm, SAVE_RFLAGS, 2);
    vm_set(vm, SAVE_RAX, rax);
    vm_set(vm, SAVE_RBX, rbx);
    vm_set(vm, SAVE_RCX, rcx);
    vm_set(vm, SAVE_RDX, rdx);
    vm_close(vm);
    save_host();
}

struct exit *vm_call(struct vm *vm, char *piece, u64 rax, u64 rbx, u64 rcx,
                     u64 rdx)
{
    vm_prepare(vm, piece, rax, rbx, rcx, rdx);
    return vm_enter(vm);
}

bool vm_done(struct vm *vm)
{
    return vm->exit.vec == NO_TRAP &&
           vm->exit.code == (vm->kind >= SEV_ES ? EXIT_VMGEXIT : EXIT_VMMCALL);
}

static void print_exit(struct vm *vm)
{
    struct exit *e = &vm->exit;

    printf("# exit %lx, info %lx %lx", e->code, e->info1, e->info2);
    if (e->vec != NO_TRAP) {
        printf(", vector %d, error %lx, cr2 %lx", e->vec, e->err, e->cr2);
    }
    if (trap()->vec != NO_TRAP) {
        printf(", VMRUN raised %d", trap()->vec);
    }
    printf(", rip %lx\n", vm_get(vm, SAVE_RIP));
}

void check_npf(struct vm *vm, u64 info1, u64 gpa, const char *what)
{
    struct exit *e = &vm->exit;

    if (!check(e->code == EXIT_NPF && e->info1 == info1 &&
               (e->info2 & ~(PAGE - 1)) == (gpa & ~(PAGE - 1)),
               "%s: #NPF", what)) {
        printf("# want info %lx %lx\n", info1, gpa);
        print_exit(vm);
    }
}

void check_vc(struct vm *vm, u64 err, const char *what)
{
    if (!check(vm->exit.vec == VC && vm->exit.err == err, "%s: #VC", what)) {
        printf("# want error %lx\n", err);
        print_exit(vm);
    }
}

void check_exit(struct vm *vm, u64 code, const char *what)
{
    if (!check(vm->exit.code == code && vm->exit.vec == NO_TRAP, "%s: exit %lx",
               what, code)) {
        print_exit(vm);
    }
}

void check_done(struct vm *vm, const char *what)
{
    if (!check(vm_done(vm), "%s", what)) {
        print_exit(vm);
    }
}
