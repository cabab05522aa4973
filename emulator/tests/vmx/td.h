/*
 * VMX tests: a host of TDs, and what runs in a TD
 *
 * Numbers and names are those of Intel's TDX module ABI. A TD has a copy of the
 * test program at the same addresses of its private memory, as it is when the
 * TD is built. Functions that begin with "tdg" run in TDs.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_VMX_TD_H
#define TESTS_VMX_TD_H

#include "vmx.h"

/* Registers, in the order of their encoding */
enum {
    RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15
};

struct td_regs {
    u64 r[16];
};

/* Leaves of SEAMCALL */
#define TDH_VP_ENTER            0
#define TDH_MNG_ADDCX           1
#define TDH_MEM_PAGE_ADD        2
#define TDH_MEM_SEPT_ADD        3
#define TDH_VP_ADDCX            4
#define TDH_MEM_PAGE_RELOCATE   5
#define TDH_MEM_PAGE_AUG        6
#define TDH_MEM_RANGE_BLOCK     7
#define TDH_MNG_KEY_CONFIG      8
#define TDH_MNG_CREATE          9
#define TDH_VP_CREATE           10
#define TDH_MEM_RD              12
#define TDH_MEM_WR              14
#define TDH_MEM_PAGE_DEMOTE     15
#define TDH_MR_EXTEND           16
#define TDH_MR_FINALIZE         17
#define TDH_VP_FLUSH            18
#define TDH_MNG_VPFLUSHDONE     19
#define TDH_MNG_KEY_FREEID      20
#define TDH_MNG_INIT            21
#define TDH_VP_INIT             22
#define TDH_MEM_PAGE_PROMOTE    23
#define TDH_PHYMEM_PAGE_RDMD    24
#define TDH_VP_RD               26
#define TDH_PHYMEM_PAGE_RECLAIM 28
#define TDH_MEM_PAGE_REMOVE     29
#define TDH_MEM_SEPT_REMOVE     30
#define TDH_SYS_KEY_CONFIG      31
#define TDH_SYS_INIT            33
#define TDH_SYS_LP_INIT         35
#define TDH_SYS_TDMR_INIT       36
#define TDH_MEM_TRACK           38
#define TDH_MEM_RANGE_UNBLOCK   39
#define TDH_PHYMEM_CACHE_WB     40
#define TDH_PHYMEM_PAGE_WBINVD  41
#define TDH_VP_WR               43
#define TDH_SYS_CONFIG          45

/* Leaves of TDCALL */
#define TDG_VP_VMCALL           0
#define TDG_VP_INFO             1
#define TDG_MR_RTMR_EXTEND      2
#define TDG_VP_VEINFO_GET       3
#define TDG_MR_REPORT           4
#define TDG_MEM_PAGE_ACCEPT     6
#define TDG_VM_RD               7
#define TDG_VM_WR               8
#define TDG_MR_VERIFYREPORT     22

/* Status: bits 63:32 */
#define TDX_CODE(s)                     ((s) & ~0xffffffffULL)
#define TDX_(code)                      ((u64)(code) << 32)
#define TDX_NON_RECOVERABLE_VCPU        TDX_(0x40000001)
#define TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE   TDX_(0x60000005)
#define TDX_OPERAND_INVALID             TDX_(0xc0000100)
#define TDX_OPERAND_ADDR_RANGE_ERROR    TDX_(0xc0000101)
#define TDX_OPERAND_BUSY                TDX_(0x80000200)
#define TDX_PREVIOUS_TLB_EPOCH_BUSY     TDX_(0x80000201)
#define TDX_PAGE_METADATA_INCORRECT     TDX_(0xc0000300)
#define TDX_TD_ASSOCIATED_PAGES_EXIST   TDX_(0xc0000400)
#define TDX_SYS_INIT_NOT_PENDING        TDX_(0xc0000500)
#define TDX_SYS_CONFIG_NOT_PENDING      TDX_(0xc000050c)
#define TDX_TD_FATAL                    TDX_(0xe0000604)
#define TDX_TD_NON_DEBUG                TDX_(0xc0000605)
#define TDX_LIFECYCLE_STATE_INCORRECT   TDX_(0xc0000607)
#define TDX_OP_STATE_INCORRECT          TDX_(0xc0000608)
#define TDX_VCPU_STATE_INCORRECT        TDX_(0xc0000700)
#define TDX_VCPU_ASSOCIATED             TDX_(0x80000701)
#define TDX_VCPU_NOT_ASSOCIATED         TDX_(0x80000702)
#define TDX_TD_KEYS_NOT_CONFIGURED      TDX_(0x80000810)
#define TDX_WBCACHE_NOT_COMPLETE        TDX_(0x80000817)
#define TDX_NO_HKID_READY_TO_WBCACHE    TDX_(0x00000821)
#define TDX_HKID_NOT_FREE               TDX_(0xc0000820)
#define TDX_FLUSHVP_NOT_DONE            TDX_(0x80000824)
#define TDX_EPT_WALK_FAILED             TDX_(0xc0000b00)
#define TDX_GPA_RANGE_NOT_BLOCKED       TDX_(0xc0000b06)
#define TDX_TLB_TRACKING_NOT_DONE       TDX_(0xc0000b08)
#define TDX_PAGE_ALREADY_ACCEPTED       TDX_(0x00000b0a)
#define TDX_PAGE_SIZE_MISMATCH          TDX_(0xc0000b0b)
#define TDX_EPT_ENTRY_STATE_INCORRECT   TDX_(0xc0000b0d)
#define TDX_INVALID_CPUSVN              TDX_(0xc0001000)
#define TDX_INVALID_REPORTMACSTRUCT     TDX_(0xc0001001)

/* Extended exit qualification of an EPT violation */
#define EEQ_TYPE(v)             ((v) & 0xf)
#define EEQ_ACCEPT              1
#define EEQ_PENDING             6

#define ATTR_DEBUG              BIT(0)
#define ATTR_SEPT_VE_DISABLE    BIT(28)
#define SHARED                  BIT(47)
#define X_NMI                   0
#define X_INTERRUPT             1
#define X_TDCALL                77
#define VE                      20
#define FIRST_HKID              32
#define GLOBAL_HKID             40

/* Memory that the module gets: 1 GiB at 1 GiB, its PAMT below it */
#define TDMR                    BIT(30)
#define PAMT                    (TDMR - 8 * LARGE)

/* Fields for TDH.VP.RD and TDH.VP.WR */
#define FIELD_POSTED_VECTOR     0x0020000100000002ULL
#define FIELD_POSTED_DESC       0x0020000300002016ULL
#define FIELD_SHARED_EPTP       0x002000030000203cULL
#define FIELD_PIN               0x0020000200004000ULL
#define FIELD_PEND_NMI          0x202000000000000bULL

/* td-asm.S: RFLAGS after the instruction; trap() has its exception */
u64 seam_call(struct td_regs *r);
u64 td_call(struct td_regs *r);
extern char td_start[], image_start[], image_end[];
extern u8 td_stacks[];

#define TD_VCPUS                2

struct td {
    u64 tdr, vp[TD_VCPUS];
    u16 hkid;
    u64 first, next;            /* pages that it was given */
    u64 shared_ept;
    struct td_regs r[TD_VCPUS];    /* of the last TDH.VP.ENTER */
};

/* One SEAMCALL: RAX afterwards */
u64 seam(u64 leaf, u64 cx, u64 dx, u64 r8, u64 r9);
/* ... and all registers */
u64 seam_regs(struct td_regs *r);
void check_seam(u64 got, u64 want, const char *what);

/* TDMR_INFO, a page, of that memory */
void td_tdmr_info(u64 *info);
void td_tdmr_init(const char *what);
/* The module, until it is ready: all CPUs are in VMX operation. */
void td_module_init(void);
/* On each CPU */
void td_module_init_cpu(void);
/*
 * The other processor, in VMX operation: false if it does not get there in
 * time. td_ap_vmxon is what VMXON returned. Work is begun by ap_work, and
 * td_ap_wait() is false if it does not end.
 */
extern mem64 td_ap_vmxon;
bool td_ap_start(void);
bool td_ap_wait(void);
/* VMXON and all of it, on a machine with one processor */
void td_module_start(void);

/* TDs; fn(index) runs in each vCPU. XFAM of those that are created next: */
extern u64 td_xfam;
void td_create(struct td *td, u16 hkid);
void td_add_memory(struct td *td, void (*fn)(u64 index), u64 attributes);
void td_add_vcpu(struct td *td, int n);
void td_finalize(struct td *td);
void td_build(struct td *td, u16 hkid, void (*fn)(u64 index), u64 attributes);
u64 td_page(struct td *td);     /* a page that nobody has */
/* Tables of the Secure EPT down to the entry of GPA at LEVEL */
void td_sept(struct td *td, u64 gpa, int level);
u64 td_aug(struct td *td, u64 gpa, u64 pa);
/* BLOCK, TRACK, REMOVE; returns the page */
u64 td_remove(struct td *td, u64 gpa);
/* Its pages are the host's again; the vCPUs of this CPU are flushed. */
void td_destroy(struct td *td);
bool td_reclaim(struct td *td);

/* Shared EPT: the leaf entry of GPA (without the shared bit) at 4 KiB */
mem64 *td_shared(struct td *td, u64 gpa);
#define SHARED_NONE             BIT(63)         /* EPT violation exits */
#define SHARED_MMIO             0ULL            /* ... is a #VE */

/*
 * Enter a vCPU and answer its tdg_check() until another TD exit: its status.
 * The exit's registers are in td->r[n].
 */
u64 td_run(struct td *td, int n);
/* Run to the given code of tdg_say(). */
bool td_runs_to(struct td *td, int n, u64 code, const char *what);
void td_answer(struct td *td, int n, u64 val);

/* In TDs. The text is printed by the host, which has it at the same address. */
void tdg_check(u64 got, u64 want, const char *what);
u64 tdg_say(u64 code, u64 val);                 /* the host's answer */
u64 tdg(u64 leaf, u64 cx, u64 dx, u64 r8);      /* one TDCALL: RAX */
/* The address of the TD's page tables that maps the shared page */
#define TDG_SHARED(gpa)         ((gpa) + BIT(39))
/* Reason of the #VE that has occurred, and its fields */
u64 tdg_veinfo(struct td_regs *r);
u64 tdg_accept(u64 gpa, int level);
/* Handlers of an interrupt and of NMIs, and how often they have run */
void tdg_irq(void);
void tdg_nmi(void);
extern mem32 tdg_irqs, tdg_nmis;

#endif
