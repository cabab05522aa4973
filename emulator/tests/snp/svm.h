/*
 * SEV-SNP tests: guests
 *
 * A guest has one processor and runs one piece of guest.S at a time. Its memory
 * starts at GUEST_SPA; the nested tables map the first 2 MiB with 4 KiB pages,
 * and the rest with 2 MiB pages.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_SNP_SVM_H
#define TESTS_SNP_SVM_H

#include "rmp.h"

/* Offsets in the VMCB */
#define VMCB_CR_READ        0x000
#define VMCB_CR_WRITE       0x002
#define VMCB_DR_READ        0x004
#define VMCB_DR_WRITE       0x006
#define VMCB_EXCEPTIONS     0x008
#define VMCB_INTERCEPT1     0x00c
#define VMCB_INTERCEPT2     0x010
#define VMCB_INTERCEPT3     0x014
#define VMCB_IOPM           0x040
#define VMCB_MSRPM          0x048
#define VMCB_ASID           0x058
#define VMCB_TLB            0x05c
#define VMCB_INT_CTL        0x060
#define VMCB_INT_VECTOR     0x064
#define VMCB_INT_STATE      0x068
#define VMCB_EXIT_CODE      0x070
#define VMCB_INFO1          0x078
#define VMCB_INFO2          0x080
#define VMCB_EXIT_INT_INFO  0x088
#define VMCB_NP             0x090
#define VMCB_GHCB           0x0a0
#define VMCB_EVENT_INJ      0x0a8
#define VMCB_NCR3           0x0b0
#define VMCB_LBR_CTL        0x0b8
#define VMCB_NEXT_RIP       0x0c8
#define VMCB_VMSA           0x108
#define VMCB_ALLOWED        0x138
#define VMCB_SAVE           0x400

/* Offsets in the save area, and its extension for SEV-ES */
#define SAVE_ES             0x000
#define SAVE_CS             0x010
#define SAVE_SS             0x020
#define SAVE_DS             0x030
#define SAVE_FS             0x040
#define SAVE_GS             0x050
#define SAVE_GDTR           0x060
#define SAVE_LDTR           0x070
#define SAVE_IDTR           0x080
#define SAVE_TR             0x090
#define SAVE_VMPL           0x0ca
#define SAVE_CPL            0x0cb
#define SAVE_EFER           0x0d0
#define SAVE_CR4            0x148
#define SAVE_CR3            0x150
#define SAVE_CR0            0x158
#define SAVE_DR7            0x160
#define SAVE_DR6            0x168
#define SAVE_RFLAGS         0x170
#define SAVE_RIP            0x178
#define SAVE_DR0            0x180
#define SAVE_RSP            0x1d8
#define SAVE_RAX            0x1f8
#define SAVE_STAR           0x200
#define SAVE_LSTAR          0x208
#define SAVE_CSTAR          0x210
#define SAVE_SFMASK         0x218
#define SAVE_KERNEL_GS      0x220
#define SAVE_SYSENTER_CS    0x228
#define SAVE_SYSENTER_ESP   0x230
#define SAVE_SYSENTER_EIP   0x238
#define SAVE_CR2            0x240
#define SAVE_PAT            0x268
#define SAVE_TSC_AUX        0x2ec
#define SAVE_RCX            0x308
#define SAVE_RDX            0x310
#define SAVE_RBX            0x318
#define SAVE_RBP            0x328
#define SAVE_RSI            0x330
#define SAVE_RDI            0x338
#define SAVE_R8             0x340
#define SAVE_R15            0x378
#define SAVE_GUEST_INFO1    0x390
#define SAVE_GUEST_INFO2    0x398
#define SAVE_FEATURES       0x3b0
#define SAVE_GUEST_EXIT     0x3c0
#define SAVE_XCR0           0x3e8
#define SAVE_MXCSR          0x408
#define SAVE_FTW            0x40c
#define SAVE_FCW            0x410
#define SAVE_X87            0x420
#define SAVE_XMM            0x470

#define NP_ENABLE           BIT(0)
#define NP_SEV              BIT(1)
#define NP_SEV_ES           BIT(2)

#define LBR_ENABLE          BIT(0)

#define FEATURE_SNP         BIT(0)
#define FEATURE_DEBUG_SWAP  BIT(5)

/* Exit codes */
#define EXIT_READ_CR0       0x000
#define EXIT_READ_CR4       0x004
#define EXIT_WRITE_CR0      0x010
#define EXIT_READ_DR7       0x027
#define EXIT_WRITE_DR7      0x037
#define EXIT_INTR           0x060
#define EXIT_VINTR          0x064
#define EXIT_RDTSC          0x06e
#define EXIT_RDPMC          0x06f
#define EXIT_CPUID          0x072
#define EXIT_INVD           0x076
#define EXIT_PAUSE          0x077
#define EXIT_HLT            0x078
#define EXIT_INVLPG         0x079
#define EXIT_IOIO           0x07b
#define EXIT_MSR            0x07c
#define EXIT_SHUTDOWN       0x07f
#define EXIT_VMRUN          0x080
#define EXIT_VMMCALL        0x081
#define EXIT_WBINVD         0x089
#define EXIT_MONITOR        0x08a
#define EXIT_MWAIT          0x08b
#define EXIT_EFER_TRAP      0x08f
#define EXIT_CR0_TRAP       0x090
#define EXIT_INVPCID        0x0a2
#define EXIT_NPF            0x400
#define EXIT_VMGEXIT        0x403
#define NOT_VALIDATED       0x404
#define EXIT_INVALID        (~0ULL)
#define EXIT_BUSY           (~1ULL)

enum kind { PLAIN, SEV, SEV_ES, SNP };

#define VMSA_SPA            0x0f000000ULL

#define SEV_ASID            200             /* at least CPUID Fn8000_001F EDX */
#define ES_ASID             5               /* less than that */
#define C_BIT               BIT(51)

/* The guest's physical memory */
#define GUEST_SPA           0x10000000ULL
#define GUEST_PT0           0x4000ULL       /* virtual 0 to 2 MiB */
#define GUEST_PT2           0x5000ULL       /* virtual 4 to 6 MiB */
#define GUEST_GDT           0x6000ULL
#define GUEST_IDT           0x7000ULL
#define GUEST_STACK         0x9000ULL
#define GUEST_CODE          0xa000ULL
#define GUEST_DATA          0x10000ULL      /* 16 pages for tests */
#define GUEST_LOW_END       0x20000ULL      /* the first unused one */
#define GUEST_LARGE         LARGE           /* virtual 2 to 4 MiB, with C */
#define GUEST_WINDOW        (2 * LARGE)     /* via GUEST_PT2 */
#define GUEST_SHARED        (3 * LARGE)     /* GUEST_LARGE without C */
#define SPA(gpa)            (GUEST_SPA + (gpa))

struct exit {
    u64 code, info1, info2;
    int vec;                /* what the guest's own handler got, or NO_TRAP */
    u64 err, cr2;
};

struct vm {
    enum kind kind;
    u8 *vmcb;
    u8 *save;               /* in the VMCB, or the VMSA */
    u64 *npt_pd;
    u64 asid;
    u64 gprs[14];           /* as they are after #VMEXIT */
    struct exit exit;
};

void vm_init(struct vm *vm, enum kind kind);
void vm_reset(struct vm *vm);               /* the registers */
/* Between these calls the host may write to an SNP guest's VMSA. */
void vm_open(struct vm *vm);
void vm_close(struct vm *vm);
u64 vm_get(struct vm *vm, unsigned offset);
void vm_set(struct vm *vm, unsigned offset, u64 val);
void vm_user(struct vm *vm);                /* CPL 3 */

struct exit *vm_run(struct vm *vm);
struct exit *vm_call(struct vm *vm, char *piece, u64 rax, u64 rbx, u64 rcx,
                     u64 rdx);
/* The two halves of vm_call() */
void vm_prepare(struct vm *vm, char *piece, u64 rax, u64 rbx, u64 rcx, u64 rdx);
struct exit *vm_enter(struct vm *vm);
/* True if the guest exited as expected. */
bool vm_done(struct vm *vm);
u64 vm_rip_of(char *piece);

/* A write of the host to guest memory that ignores the RMP. */
void guest_poke(u64 gpa, u64 val);
u64 *guest_pte(u64 va);
void npt_small(struct vm *vm, u64 gpa, u64 spa);
void npt_large(struct vm *vm, u64 gpa, u64 spa);
mem64 *npt_pte(struct vm *vm, u64 gpa);
u8 *host_save(void);

#define VMCB32(vm, offset)  (*(mem32 *)&(vm)->vmcb[offset])
#define VMCB64(vm, offset)  (*(mem64 *)&(vm)->vmcb[offset])

void check_npf(struct vm *vm, u64 info1, u64 gpa, const char *what);
void check_vc(struct vm *vm, u64 err, const char *what);
void check_exit(struct vm *vm, u64 code, const char *what);
void check_done(struct vm *vm, const char *what);

int vmrun_asm(void *vmcb, u64 *gprs);

extern char guest_start[], guest_end[], g_stubs[], g_trap[];
/* The pieces of code */
extern char g_nop[], g_read[], g_write[], g_write32[], g_exec[], g_cpuid[],
    g_rdmsr[],
    g_wrmsr[], g_in[], g_out[], g_hlt[], g_pause[], g_vmmcall[], g_wbinvd[],
    g_invd[], g_invlpg[], g_invpcid[], g_monitor[], g_mwait[], g_rdtsc[],
    g_rdpmc[], g_rdtscp[], g_rdpid[],
    g_read_dr7[], g_write_dr7[], g_read_cr0[], g_read_cr4[],
    g_write_cr0[], g_write_cr3[],
    g_write_cr4[], g_write_cr8[], g_vmrun[], g_cli[], g_ud2[], g_rmpread[],
    g_rmpquery[], g_rmpupdate[], g_rmpadjust[], g_pvalidate[], g_psmash[],
    g_scramble[], g_spin[], g_busy[], g_exits[], g_read_two[], g_long_mode[];
/* and addresses behind some of them */
extern char g_rdtsc_end[], g_cpuid_end[], g_invd_end[], g_invlpg_end[],
    g_invpcid_end[],
    g_out_end[], g_in_end[], g_wbinvd_end[], g_monitor_end[], g_mwait_end[],
    g_vmmcall_end[], g_read_cr0_end[], g_read_cr4_end[],
    g_read_dr7_end[], g_write_dr7_end[],
    g_ud2_end[], g_rdmsr_end[], g_wrmsr_end[], g_hlt_end[], g_pause_end[],
    g_write_cr0_end[], g_write_cr3_end[], g_write_cr4_end[],
    g_write_cr8_end[];

/* Accesses that cross a page, and what counts before them */
#define ALIAS_PIECE(name)                                               \
    extern char g_count_alias_##name[], g_alias_##name[],               \
        g_alias_##name##_end[]
ALIAS_PIECE(load);
ALIAS_PIECE(store);
ALIAS_PIECE(locked);
ALIAS_PIECE(load16);
ALIAS_PIECE(fxsave);
ALIAS_PIECE(fnsave);
ALIAS_PIECE(frstor);
ALIAS_PIECE(movdir64b);

#endif
