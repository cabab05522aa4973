/*
 * VMX: numbers of the SDM, and the state of a processor in VMX operation
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_I386_TCG_VMX_INTERNAL_H
#define TARGET_I386_TCG_VMX_INTERNAL_H

#include "cpu.h"
#include "target/i386/vmx.h"
#include "tcg/helper-tcg.h"
#include "qemu/timer.h"

/* "VM-Instruction Error Numbers" */
enum {
    VMX_ERR_VMCALL_IN_ROOT = 1,
    VMX_ERR_VMCLEAR_ADDR = 2,
    VMX_ERR_VMCLEAR_VMXON_PTR = 3,
    VMX_ERR_VMLAUNCH_NOT_CLEAR = 4,
    VMX_ERR_VMRESUME_NOT_LAUNCHED = 5,
    VMX_ERR_ENTRY_CONTROLS = 7,
    VMX_ERR_ENTRY_HOST = 8,
    VMX_ERR_VMPTRLD_ADDR = 9,
    VMX_ERR_VMPTRLD_VMXON_PTR = 10,
    VMX_ERR_VMPTRLD_REVISION = 11,
    VMX_ERR_FIELD = 12,
    VMX_ERR_READ_ONLY_FIELD = 13,
    VMX_ERR_VMXON_IN_ROOT = 15,
    VMX_ERR_ENTRY_MOV_SS = 26,
    VMX_ERR_INVEPT_OPERAND = 28,
};

/* "VMX Basic Exit Reasons" */
typedef enum VmxExit {
    VMX_EXIT_EXCEPTION = 0,
    VMX_EXIT_EXT_INTR = 1,
    VMX_EXIT_TRIPLE_FAULT = 2,
    VMX_EXIT_INIT = 3,
    VMX_EXIT_SIPI = 4,
    VMX_EXIT_INTR_WINDOW = 7,
    VMX_EXIT_NMI_WINDOW = 8,
    VMX_EXIT_TASK_SWITCH = 9,
    VMX_EXIT_CPUID = 10,
    VMX_EXIT_HLT = 12,
    VMX_EXIT_INVD = 13,
    VMX_EXIT_INVLPG = 14,
    VMX_EXIT_RDPMC = 15,
    VMX_EXIT_RDTSC = 16,
    VMX_EXIT_VMCALL = 18,
    VMX_EXIT_VMCLEAR = 19,
    VMX_EXIT_VMLAUNCH = 20,
    VMX_EXIT_VMPTRLD = 21,
    VMX_EXIT_VMPTRST = 22,
    VMX_EXIT_VMREAD = 23,
    VMX_EXIT_VMRESUME = 24,
    VMX_EXIT_VMWRITE = 25,
    VMX_EXIT_VMXOFF = 26,
    VMX_EXIT_VMXON = 27,
    VMX_EXIT_CR = 28,
    VMX_EXIT_DR = 29,
    VMX_EXIT_IO = 30,
    VMX_EXIT_RDMSR = 31,
    VMX_EXIT_WRMSR = 32,
    VMX_EXIT_ENTRY_GUEST_STATE = 33,
    VMX_EXIT_ENTRY_MSR_LOAD = 34,
    VMX_EXIT_MWAIT = 36,
    VMX_EXIT_MTF = 37,
    VMX_EXIT_MONITOR = 39,
    VMX_EXIT_PAUSE = 40,
    VMX_EXIT_TPR_THRESHOLD = 43,
    VMX_EXIT_APIC_ACCESS = 44,
    VMX_EXIT_EOI = 45,
    VMX_EXIT_GDTR_IDTR = 46,
    VMX_EXIT_LDTR_TR = 47,
    VMX_EXIT_EPT_VIOLATION = 48,
    VMX_EXIT_EPT_MISCONFIG = 49,
    VMX_EXIT_INVEPT = 50,
    VMX_EXIT_RDTSCP = 51,
    VMX_EXIT_PREEMPTION_TIMER = 52,
    VMX_EXIT_INVVPID = 53,
    VMX_EXIT_WBINVD = 54,
    VMX_EXIT_XSETBV = 55,
    VMX_EXIT_APIC_WRITE = 56,
    VMX_EXIT_RDRAND = 57,
    VMX_EXIT_INVPCID = 58,
    VMX_EXIT_VMFUNC = 59,
    VMX_EXIT_RDSEED = 61,
    VMX_EXIT_PML_FULL = 62,
    VMX_EXIT_XSAVES = 63,
    VMX_EXIT_XRSTORS = 64,
    VMX_EXIT_SEAMCALL = 76,
    VMX_EXIT_TDCALL = 77,
} VmxExit;

#define VMX_EXIT_ENTRY_FAILURE      (1U << 31)

/* Exit qualification of a VM entry that failed on guest state */
enum {
    VMX_ENTRY_FAIL_DEFAULT = 0,
    VMX_ENTRY_FAIL_PDPTE = 2,
    VMX_ENTRY_FAIL_NMI = 3,
    VMX_ENTRY_FAIL_LINK = 4,
};

/* "VMX Aborts" */
enum {
    VMX_ABORT_SAVE_MSR = 1,
    VMX_ABORT_HOST_PDPTE = 2,
    VMX_ABORT_CORRUPTED = 3,
    VMX_ABORT_LOAD_MSR = 4,
};

/* Interruption information: of VM entries, VM exits and IDT vectoring */
#define VMX_INTR_VECTOR             0xff
#define VMX_INTR_TYPE_SHIFT         8
#define VMX_INTR_TYPE_MASK          (7 << 8)
#define VMX_INTR_ERROR              (1U << 11)
#define VMX_INTR_NMI_UNBLOCKING     (1U << 12)
#define VMX_INTR_RESERVED           0x7ffff000
#define VMX_INTR_VALID              (1U << 31)

enum {
    VMX_INTR_EXT = 0,
    VMX_INTR_NMI = 2,
    VMX_INTR_EXCEPTION = 3,
    VMX_INTR_SOFT = 4,
    VMX_INTR_PRIV_SOFT_EXCEPTION = 5,
    VMX_INTR_SOFT_EXCEPTION = 6,
    VMX_INTR_OTHER = 7,
};

/* "Interruptibility State" */
#define VMX_BLOCK_STI               (1 << 0)
#define VMX_BLOCK_MOV_SS            (1 << 1)
#define VMX_BLOCK_SMI               (1 << 2)
#define VMX_BLOCK_NMI               (1 << 3)

/* "Activity State" */
enum {
    VMX_ACTIVE = 0,
    VMX_HLT = 1,
    VMX_SHUTDOWN = 2,
    VMX_WAIT_SIPI = 3,
};

/* Access rights of a segment */
#define VMX_AR_TYPE                 0xf
#define VMX_AR_S                    (1 << 4)
#define VMX_AR_DPL_SHIFT            5
#define VMX_AR_P                    (1 << 7)
#define VMX_AR_L                    (1 << 13)
#define VMX_AR_DB                   (1 << 14)
#define VMX_AR_G                    (1 << 15)
#define VMX_AR_UNUSABLE             (1 << 16)
#define VMX_AR_RESERVED             0xfffe0f00u

/* Pending debug exceptions */
#define VMX_PENDING_DBG_BS          (1 << 14)
#define VMX_PENDING_DBG_ENABLED     (1 << 12)

/* EPT pointer and entries */
#define VMX_EPTP_MEMTYPE            7
#define VMX_EPTP_WALK_SHIFT         3
#define VMX_EPTP_AD                 (1 << 6)
#define VMX_EPT_R                   (1 << 0)
#define VMX_EPT_W                   (1 << 1)
#define VMX_EPT_X                   (1 << 2)
#define VMX_EPT_RWX                 7
#define VMX_EPT_MEMTYPE_SHIFT       3
#define VMX_EPT_LEAF                (1 << 7)
#define VMX_EPT_A                   (1 << 8)
#define VMX_EPT_D                   (1 << 9)
#define VMX_EPT_USER_X              (1 << 10)   /* mode-based execute control */
#define VMX_EPT_SUPPRESS_VE         (1ULL << 63)
#define SEAM_GPA_SHARED             (1ULL << 47)
#define SEAM_KEYID_SHIFT            46
#define SEAM_FIRST_PRIVATE_KEY      (32ULL << SEAM_KEYID_SHIFT)

/* Qualification of an EPT violation, beyond the access and the permissions */
#define VMX_EPTV_READ               (1 << 0)
#define VMX_EPTV_WRITE              (1 << 1)
#define VMX_EPTV_FETCH              (1 << 2)
#define VMX_EPTV_PERM_SHIFT         3
#define VMX_EPTV_USER_X             (1 << 6)
#define VMX_EPTV_GLA_VALID          (1 << 7)
#define VMX_EPTV_TRANSLATED         (1 << 8)
#define VMX_EPTV_NMI_UNBLOCKING     (1 << 12)

/* Instruction information that also locates operands */
#define VMX_INSN_ADDR_SIZE_SHIFT    7
#define VMX_INSN_REG                (1 << 10)
#define VMX_INSN_SEG_SHIFT          15
#define VMX_INSN_INDEX_SHIFT        18
#define VMX_INSN_NO_INDEX           (1 << 22)
#define VMX_INSN_BASE_SHIFT         23
#define VMX_INSN_NO_BASE            (1 << 27)
#define VMX_IO_IMMEDIATE            1
#define VMX_INSN_REG1(info)         (((info) >> 3) & 0xf)
#define VMX_INSN_REG2(info)         (((info) >> 28) & 0xf)

/* The interrupt command register, with its delivery status as reserved */
#define VMX_ICR_RESERVED            0xfff32000u
#define VMX_ICR_STATUS              (1 << 12)
#define VMX_ICR_TYPE                0xc8f00     /* shorthand, trigger, mode */
#define VMX_ICR_SELF                0x40000

/* The rate of the preemption timer: 2^5 of the TSC. */
#define VMX_PREEMPTION_TIMER_SHIFT  5
#define VMX_CR3_TARGETS             4
#define MSR_IA32_DEBUGCTL           0x1d9
#define VMX_REVISION                0x0b1e55ed
#define VMX_SHADOW_INDICATOR        (1U << 31)
#define VMX_NO_VMCS                 (~0ULL)

typedef enum VmxField {
#define VMX_FIELD(name, encoding) VMX_##name,
#include "vmx-fields.h.inc"
#undef VMX_FIELD
    VMX_FIELDS
} VmxField;

/* This and all that follow need x86_seam_stubs(). */
#define VMX_FIRST_STUB VMX_GUEST_UINV

/* An active VMCS. Its image in memory is not valid. */
typedef struct VmxVmcs {
    uint64_t pa;
    bool launched;
    bool shadow;                /* cannot be used for VM entries */
    uint64_t f[VMX_FIELDS];
} VmxVmcs;

/*
 * An event that is being delivered, in the format of IDT-vectoring information.
 */
typedef struct VmxEvent {
    uint32_t info;
    uint32_t error;
    uint32_t insn_len;
} VmxEvent;

/*
 * Fields of the VMCS that describe an exit, collected until the exit is made.
 */
typedef struct VmxExitInfo {
    uint32_t reason;
    uint32_t intr_info;
    uint32_t intr_error;
    uint64_t qualification;
    bool insn;                  /* it has a length */
    bool step;                  /* a single-step trap is pending */
} VmxExitInfo;

/* Why the last walk of the EPT failed. */
typedef struct VmxEptFault {
    hwaddr gpa;
    uint32_t access;            /* VMX_EPTV_* of the access and the entries */
    bool misconfig;
    bool log_full;
    bool convertible;           /* to #VE, as far as the entry says */
} VmxEptFault;

/* Rules of VMX, which x-vmx-ignore disables by their names */
typedef enum VmxRule {
#define VMX_RULE(id, name) VMX_RULE_##id,
#define VMX_CTL_RULE(id, name, word, ctl) VMX_RULE_##id,
#include "vmx-rules.h.inc"
#undef VMX_RULE
#undef VMX_CTL_RULE
    VMX_RULE__MAX
} VmxRule;

enum { VMX_CTL_PIN, VMX_CTL_PROC, VMX_CTL_PROC2, VMX_CTL_PROC3, VMX_CTL_EXIT,
       VMX_CTL_ENTRY, VMX_CTL_WORDS };

typedef struct VmxIgnored {
    DECLARE_BITMAP(rules, VMX_RULE__MAX);
    uint32_t ctls[VMX_CTL_WORDS];   /* controls that have no effect */
} VmxIgnored;

typedef struct X86VmxState {
    VmxIgnored *ignored;        /* NULL if all rules are enabled */
    bool on;                    /* in VMX operation */
    uint64_t vmxon_ptr;
    VmxVmcs *vmcs;              /* current; NULL if there is none */
    GHashTable *active;         /* VMCSs, by address */
    uint64_t debugctl;
    VmxVmcs *shadow;            /* in a guest, for its VMREAD and VMWRITE */
    uint64_t host_vmcs;         /* in SEAM mode, what was current before it */
    bool host_nmi_blocked;

    /* In VMX non-root operation; copies of frequently used fields */
    uint32_t pin, proc, proc2, proc3;
    bool root_nmi_blocked;      /* what HF2_NMI was before the VM entry */
    uint32_t activity;
    VmxExitInfo exit;
    VmxEvent event;             /* being delivered */
    bool event_injected;        /* by the VM entry, and not yet begun */
    bool mtf_pending;
    bool tpr_pending;           /* TPR below threshold at VM entry */
    bool virq;                  /* a virtual interrupt is recognized */
    int apic_write;             /* register whose write is to be emulated */
    VmxEptFault ept_fault;
    bool ept_user;              /* walks are for a user-mode address */
    uint64_t pdpte[4];          /* with EPT */
    uint64_t pf_addr;           /* linear address of the last page fault */
    uint32_t debug_cause;       /* bits of DR6 of the next #DB */
    bool ple_valid;             /* first and last PAUSE are recorded */
    uint64_t ple_first, ple_last;

    uint64_t stub_instructions; /* of x-seam-stubs, when there were 0 */
    QEMUTimer *timer;           /* VMX-preemption timer */
    int64_t timer_deadline;     /* as vmx_ticks() counts */
    bool timer_armed, timer_expired;
} X86VmxState;

static inline bool vmx_guest(CPUX86State *env)
{
    return (env->hflags & HF_GUEST_MASK) && env->vmx;
}

static inline uint64_t vmx_get(CPUX86State *env, VmxField f)
{
    return env->vmx->vmcs->f[f];
}

static inline void vmx_set(CPUX86State *env, VmxField f, uint64_t val)
{
    env->vmx->vmcs->f[f] = val;
}

static inline bool vmx_rule(CPUX86State *env, VmxRule rule)
{
    return likely(!env->vmx->ignored) ||
           !test_bit(rule, env->vmx->ignored->rules);
}

/* True if @cond breaks a rule that is enabled */
#define VMX_BAD(env, rule, cond) \
    (unlikely(cond) && vmx_rule(env, VMX_RULE_##rule))

/* A field of controls, without those that rules disable */
static inline uint32_t vmx_effective(CPUX86State *env, VmxField f, int word)
{
    uint32_t ctls = vmx_get(env, f);

    return likely(!env->vmx->ignored) ? ctls :
           ctls & ~env->vmx->ignored->ctls[word];
}

static inline uint32_t vmx_exit_ctls(CPUX86State *env)
{
    return vmx_effective(env, VMX_EXIT_CTLS, VMX_CTL_EXIT);
}

static inline uint32_t vmx_entry_ctls(CPUX86State *env)
{
    return vmx_effective(env, VMX_ENTRY_CTLS, VMX_CTL_ENTRY);
}

/* Controls that are in effect, and those that a VMCS specifies. */
static inline bool vmx_pin(CPUX86State *env, uint32_t ctl)
{
    return env->vmx->pin & ctl;
}

static inline bool vmx_proc(CPUX86State *env, uint32_t ctl)
{
    return env->vmx->proc & ctl;
}

static inline bool vmx_proc2(CPUX86State *env, uint32_t ctl)
{
    return env->vmx->proc2 & ctl;
}

static inline bool vmx_proc3(CPUX86State *env, uint32_t ctl)
{
    return env->vmx->proc3 & ctl;
}

static inline uint64_t vmx_want_proc3(CPUX86State *env)
{
    return vmx_get(env, VMX_PROC_CTLS) &
           VMX_CPU_BASED_ACTIVATE_TERTIARY_CONTROLS ?
           vmx_get(env, VMX_PROC3_CTLS) : 0;
}

static inline uint32_t vmx_want_proc2(CPUX86State *env)
{
    return vmx_get(env, VMX_PROC_CTLS) &
           VMX_CPU_BASED_ACTIVATE_SECONDARY_CONTROLS ?
           vmx_get(env, VMX_PROC2_CTLS) : 0;
}

/* Bits of IA32_DEBUGCTL that are not reserved: LBR, BTF, bus locks */
static inline uint64_t vmx_debugctl_bits(CPUX86State *env)
{
    bool bus_locks = env->features[FEAT_7_0_ECX] &
                     CPUID_7_0_ECX_BUS_LOCK_DETECT;

    return bus_locks ? 7 : 3;
}

/* Outside SEAM mode, no address may have a private key id. */
static inline bool vmx_key_ok(CPUX86State *env, uint64_t pa)
{
    return likely((pa & env->keyid_mask) < SEAM_FIRST_PRIVATE_KEY) ||
           (env->hflags & HF_SEAM_MASK);
}

/* True if the address has no bits above the processor's physical width. */
static inline bool vmx_pa_ok(CPUX86State *env, uint64_t pa, uint64_t align)
{
    return vmx_key_ok(env, pa) && !(pa & (align - 1)) &&
           !(pa >> env_archcpu(env)->phys_bits);
}

/*
 * In SEAM mode: the key id of a TD, for its private addresses and those of the
 * processor's structures that are private memory
 */
static inline uint64_t vmx_td_key(CPUX86State *env)
{
    return unlikely(env->hflags & HF_SEAM_MASK) ?
           vmx_get(env, VMX_HKID) << SEAM_KEYID_SHIFT & env->keyid_mask : 0;
}

/* vmx-caps.c */
bool vmx_ctls_ok(CPUX86State *env, FeatureWord word, uint32_t val);
uint64_t vmx_cr0_fixed0(CPUX86State *env);
uint64_t vmx_cr4_fixed0(CPUX86State *env);
uint64_t vmx_cr4_fixed1(CPUX86State *env);
bool vmx_cr0_ok(CPUX86State *env, uint64_t cr0, bool unrestricted);
bool vmx_cr4_ok(CPUX86State *env, uint64_t cr4);
bool vmx_read_capability(CPUX86State *env, uint32_t msr, uint64_t *val);

/* vmx-vmcs.c */
uint32_t vmx_field_encoding(VmxField f);
/* seam.c: NULL if this is not the processor's SEAM transfer VMCS */
VmxVmcs *vmx_transfer_vmcs(CPUX86State *env, uint64_t pa);
void vmx_transfer_cleared(CPUX86State *env);
int vmx_field_lookup(uint32_t encoding);
bool vmx_field_read_only(VmxField f);
uint64_t vmx_field_mask(VmxField f);
void vmx_image_set(uint8_t *page, VmxField f, uint64_t val);
VmxVmcs *vmx_vmcs_read(CPUX86State *env, uint64_t pa);
VmxVmcs *vmx_vmcs_activate(CPUX86State *env, uint64_t pa);
void vmx_vmcs_clear(CPUX86State *env, uint64_t pa);
void vmx_vmcs_drop_all(CPUX86State *env);
void vmx_set_flags(CPUX86State *env, uint32_t flags);
void vmx_succeed(CPUX86State *env);
void vmx_fail(CPUX86State *env, uint32_t error);
void vmx_fail_invalid(CPUX86State *env);

/* vmx-insn.c */
/* RIP is after the instruction, and what it blocked interrupts for is over. */
void vmx_end_insn(CPUX86State *env);
void vmx_skip_insn(CPUX86State *env);

/* vmx-check.c, vmx-check-guest.c: zero if all checks pass */
int vmx_check_controls(CPUX86State *env);
int vmx_check_host(CPUX86State *env);
bool vmx_check_guest(CPUX86State *env, uint64_t *qualification);
bool vmx_eptp_ok(CPUX86State *env, uint64_t eptp);

/* vmx-entry.c */
bool vmx_enter(CPUX86State *env, uintptr_t ra);
void vmx_set_control_regs(CPUX86State *env, uint64_t cr0, uint64_t cr3,
                          uint64_t cr4, uint64_t efer);
void vmx_set_rflags(CPUX86State *env, uint64_t rflags);
void vmx_load_guest_regs(CPUX86State *env);
void vmx_load_blocking(CPUX86State *env);
void vmx_pending_debug(CPUX86State *env, uint64_t pending);

/* vmx-exit.c */
G_NORETURN void vmx_do_exit(CPUX86State *env, VmxExitInfo info, uintptr_t ra);
G_NORETURN void vmx_exit(CPUX86State *env, VmxExit reason,
                         uint64_t qualification, uintptr_t ra);
/* An exit that replaces the execution of an instruction. */
G_NORETURN void vmx_exit_insn(CPUX86State *env, VmxExit reason,
                              uint64_t qualification, uintptr_t ra);
G_NORETURN void vmx_exit_intr(CPUX86State *env, VmxExit reason,
                              uint64_t qualification, uint32_t info,
                              uint32_t error, uintptr_t ra);
void vmx_save_info(CPUX86State *env);
void vmx_save_registers(CPUX86State *env);
void vmx_save_guest(CPUX86State *env);
void vmx_load_host(CPUX86State *env);
void vmx_unload_controls(CPUX86State *env, bool nmi_blocked);
void vmx_abort(CPUX86State *env, uint32_t reason);
void vmx_set_seg(SegmentCache *sc, uint16_t sel, uint64_t base,
                 uint32_t limit, uint32_t ar);

/* vmx-ept.c */
bool vmx_uses_pdptes(CPUX86State *env, uint64_t cr0, uint64_t cr4);
void vmx_load_pdptes(CPUX86State *env, uint64_t cr3, uintptr_t ra);

/* vmx-msr.c */
bool vmx_x2apic_mode(CPUX86State *env);     /* false without an APIC, too */
int vmx_load_msrs(CPUX86State *env, uint64_t addr, uint32_t count);
bool vmx_store_msrs(CPUX86State *env, uint64_t addr, uint32_t count);

/* vmx-apic.c */
void vmx_apic_enter(CPUX86State *env);
void vmx_apic_written(CPUX86State *env);
void vmx_self_ipi(CPUX86State *env, int vector);
int vmx_take_virq(CPUX86State *env);
void vmx_posted_interrupts(CPUX86State *env);

/* vmx-rules.c: of rules that are disabled */
bool vmx_ignore_rules(CPUX86State *env, const char *names, Error **errp);
void vmx_drop_info(CPUX86State *env);
void vmx_drop_state(CPUX86State *env, const VmxVmcs *before);
VmxVmcs *vmx_keep_state(CPUX86State *env);

/* vmx-ipi.c */
bool vmx_virtualize_icr(CPUX86State *env, uint32_t icr, uint32_t dest);

/*
 * vmx-event.c: the clock that the TSC, the preemption timer and pause-loop
 * exiting count. Only the TSC can be written.
 */
uint64_t vmx_ticks(CPUX86State *env);
void vmx_timer_arm(CPUX86State *env);
void vmx_timer_stop(CPUX86State *env);
void vmx_update_events(CPUX86State *env);
void vmx_deliver_injected(CPUX86State *env);

#endif
