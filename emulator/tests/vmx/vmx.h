/*
 * VMX tests: instructions, a VMCS, guests
 *
 * Numbers and names are those of the Intel SDM.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_VMX_VMX_H
#define TESTS_VMX_VMX_H

#include "lib.h"

#define MSR_FEATURE_CONTROL     0x3a
#define MSR_PAT                 0x277
#define MSR_VMX_BASIC           0x480
#define MSR_VMX_CR4_FIXED1      0x489
#define MSR_VMX_PROC2           0x48b
#define MSR_VMX_EPT_VPID_CAP    0x48c
#define MSR_VMX_TRUE_PIN        0x48d
#define MSR_VMX_TRUE_PROC       0x48e
#define MSR_VMX_TRUE_EXIT       0x48f
#define MSR_VMX_TRUE_ENTRY      0x490

#define CR4_VMXE                BIT(13)

/* Machine checks; bank 1 has the line of RAM that was poisoned */
#define MC                      18
#define CR4_MCE                 BIT(6)
#define MSR_MCG_STATUS          0x17a
#define MSR_MC1_STATUS          0x405
#define MSR_MC1_ADDR            0x406
#define MCG_MCIP                BIT(2)
/* Valid, uncorrected, enabled, with address; signaled, action required */
#define MC_STATUS               (BIT(63) | BIT(61) | BIT(60) | BIT(59) | \
                                 BIT(58) | BIT(56) | BIT(55) | 0x134)

/* Items of fw_cfg: "QEMU"; one that is longer than a line */
#define FW_CFG_SIGNATURE        0
#define FW_CFG_FILE_DIR         0x19

/* Fields */
#define F_VPID                  0x0000
#define F_GUEST_SEL(n)          (0x0800 + 2 * (n))
#define F_HOST_SEL(n)           (0x0c00 + 2 * (n))
#define F_IO_BITMAP_A           0x2000
#define F_IO_BITMAP_B           0x2002
#define F_MSR_BITMAP            0x2004
#define F_EXIT_MSR_STORE        0x2006
#define F_EXIT_MSR_LOAD         0x2008
#define F_ENTRY_MSR_LOAD        0x200a
#define F_TSC_OFFSET            0x2010
#define F_EPTP                  0x201a
#define F_GPA                   0x2400
#define F_LINK                  0x2800
#define F_GUEST_PAT             0x2804
#define F_GUEST_EFER            0x2806
#define F_HOST_PAT              0x2c00
#define F_HOST_EFER             0x2c02
#define F_PIN                   0x4000
#define F_PROC                  0x4002
#define F_EXCEPTIONS            0x4004
#define F_PF_MASK               0x4006
#define F_PF_MATCH              0x4008
#define F_CR3_TARGETS           0x400a
#define F_EXIT                  0x400c
#define F_EXIT_MSR_STORE_COUNT  0x400e
#define F_EXIT_MSR_LOAD_COUNT   0x4010
#define F_ENTRY                 0x4012
#define F_ENTRY_MSR_LOAD_COUNT  0x4014
#define F_ENTRY_INTR            0x4016
#define F_ENTRY_ERROR           0x4018
#define F_ENTRY_LEN             0x401a
#define F_PROC2                 0x401e
#define F_INSN_ERROR            0x4400
#define F_REASON                0x4402
#define F_INTR                  0x4404
#define F_INTR_ERROR            0x4406
#define F_VECTORING             0x4408
#define F_LEN                   0x440c
#define F_INFO                  0x440e
#define F_GUEST_LIMIT(n)        (0x4800 + 2 * (n))
#define F_GUEST_AR(n)           (0x4814 + 2 * (n))
#define F_INTERRUPTIBILITY      0x4824
#define F_ACTIVITY              0x4826
#define F_GUEST_SYSENTER_CS     0x482a
#define F_PREEMPTION            0x482e
#define F_CR0_MASK              0x6000
#define F_CR4_MASK              0x6002
#define F_CR0_SHADOW            0x6004
#define F_CR4_SHADOW            0x6006
#define F_CR3_TARGET(n)         (0x6008 + 2 * (n))
#define F_QUAL                  0x6400
#define F_GLA                   0x640a
#define F_GUEST_CR0             0x6800
#define F_GUEST_CR3             0x6802
#define F_GUEST_CR4             0x6804
#define F_GUEST_BASE(n)         (0x6806 + 2 * (n))
#define F_GUEST_DR7             0x681a
#define F_GUEST_RSP             0x681c
#define F_GUEST_RIP             0x681e
#define F_GUEST_RFLAGS          0x6820
#define F_PENDING_DBG           0x6822
#define F_GUEST_SYSENTER_ESP    0x6824
#define F_HOST_CR0              0x6c00
#define F_HOST_CR3              0x6c02
#define F_HOST_CR4              0x6c04
#define F_HOST_BASE(n)          (0x6c06 + 2 * (n))
#define F_HOST_SYSENTER_ESP     0x6c10
#define F_HOST_SYSENTER_EIP     0x6c12
#define F_HOST_RSP              0x6c14
#define F_HOST_RIP              0x6c16

/* Segments in the order of the guest's fields */
enum { ES, CS, SS, DS, FS, GS, LDTR, TR, GDTR, IDTR };

/* Controls */
#define PIN_EXT_INTR            BIT(0)
#define PIN_NMI                 BIT(3)
#define PIN_VNMI                BIT(5)
#define PIN_TIMER               BIT(6)
#define PROC_INTR_WINDOW        BIT(2)
#define PROC_TSC_OFFSET         BIT(3)
#define PROC_HLT                BIT(7)
#define PROC_INVLPG             BIT(9)
#define PROC_MWAIT              BIT(10)
#define PROC_RDPMC              BIT(11)
#define PROC_RDTSC              BIT(12)
#define PROC_CR3_LOAD           BIT(15)
#define PROC_CR3_STORE          BIT(16)
#define PROC_CR8_LOAD           BIT(19)
#define PROC_CR8_STORE          BIT(20)
#define PROC_NMI_WINDOW         BIT(22)
#define PROC_MOV_DR             BIT(23)
#define PROC_IO                 BIT(24)
#define PROC_IO_BITMAPS         BIT(25)
#define PROC_MTF                BIT(27)
#define PROC_MSR_BITMAPS        BIT(28)
#define PROC_MONITOR            BIT(29)
#define PROC_PAUSE              BIT(30)
#define PROC_PROC2              BIT(31)
#define PROC2_EPT               BIT(1)
#define PROC2_DESC              BIT(2)
#define PROC2_RDTSCP            BIT(3)
#define PROC2_VPID              BIT(5)
#define PROC2_WBINVD            BIT(6)
#define PROC2_UNRESTRICTED      BIT(7)
#define PROC2_RDRAND            BIT(11)
#define PROC2_RDSEED            BIT(16)
#define EXIT_HOST64             BIT(9)
#define EXIT_LOAD_PAT           BIT(19)
#define EXIT_SAVE_EFER          BIT(20)
#define EXIT_LOAD_EFER          BIT(21)
#define EXIT_SAVE_TIMER         BIT(22)
#define ENTRY_IA32E             BIT(9)
#define ENTRY_LOAD_PAT          BIT(14)
#define ENTRY_LOAD_EFER         BIT(15)

/* Exit reasons */
#define X_EXCEPTION             0
#define X_TRIPLE_FAULT          2
#define X_CPUID                 10
#define X_HLT                   12
#define X_INVD                  13
#define X_INVLPG                14
#define X_RDPMC                 15
#define X_RDTSC                 16
#define X_VMCALL                18
#define X_VMREAD                23
#define X_VMXOFF                26
#define X_CR                    28
#define X_DR                    29
#define X_IO                    30
#define X_RDMSR                 31
#define X_WRMSR                 32
#define X_GUEST_STATE           33
#define X_MSR_LOAD              34
#define X_MWAIT                 36
#define X_MTF                   37
#define X_MONITOR               39
#define X_PAUSE                 40
#define X_GDTR_IDTR             46
#define X_LDTR_TR               47
#define X_EPT_VIOLATION         48
#define X_EPT_MISCONFIG         49
#define X_RDTSCP                51
#define X_TIMER                 52
#define X_WBINVD                54
#define X_XSETBV                55
#define X_RDRAND                57
#define X_RDSEED                61
#define X_ENTRY_FAILED          BIT(31)

#define INTR_VALID              BIT(31)
#define INTR_ERROR              BIT(11)
#define INTR(type, vector)      (INTR_VALID | (type) << 8 | (vector))

/* EPT */
#define EPT_R                   BIT(0)
#define EPT_W                   BIT(1)
#define EPT_X                   BIT(2)
#define EPT_WB                  (6ULL << 3)
#define EPT_PS                  BIT(7)
#define EPT_A                   BIT(8)
#define EPT_D                   BIT(9)
#define EPTP_AD                 BIT(6)

/* Instructions that assemblers may not know */
#define SEAMCALL                ".byte 0x66, 0x0f, 0x01, 0xcf"

/* The result of an instruction: flags, or the vector of an exception */
#define VM_OK                   0
#define VM_FAIL_INVALID         1
#define VM_FAIL_VALID           2
#define VM_TRAP(vec)            (0x100 + (vec))

static inline int vm_result(u8 c, u8 z)
{
    int vec = trap()->vec;

    return vec != NO_TRAP ? VM_TRAP(vec) :
           c ? VM_FAIL_INVALID : z ? VM_FAIL_VALID : VM_OK;
}

#define VM_INSN_MEM(name)                                               \
    static inline int name(u64 pa)                                      \
    {                                                                   \
        u8 c, z;                                                        \
                                                                        \
        trap()->vec = NO_TRAP;                                          \
        asm volatile(EX(#name " %2") "setc %0\nsetz %1"                 \
                     : "=&q"(c), "=&q"(z) : "m"(pa) : "cc", "memory");  \
        return vm_result(c, z);                                         \
    }
VM_INSN_MEM(vmxon)
VM_INSN_MEM(vmclear)
VM_INSN_MEM(vmptrld)

#define VM_INSN(name)                                                   \
    static inline int name(void)                                        \
    {                                                                   \
        u8 c, z;                                                        \
                                                                        \
        trap()->vec = NO_TRAP;                                          \
        asm volatile(EX(#name) "setc %0\nsetz %1"                       \
                     : "=&q"(c), "=&q"(z) : : "cc", "memory");          \
        return vm_result(c, z);                                         \
    }
VM_INSN(vmxoff)
VM_INSN(vmcall)
VM_INSN(vmlaunch)
VM_INSN(vmresume)

#define VM_INSN_INV(name)                                               \
    static inline int name(u64 type, u64 first, u64 second)             \
    {                                                                   \
        u64 desc[2] = { first, second };                                \
        u8 c, z;                                                        \
                                                                        \
        trap()->vec = NO_TRAP;                                          \
        asm volatile(EX(#name " %2, %3") "setc %0\nsetz %1"             \
                     : "=&q"(c), "=&q"(z) : "m"(desc), "r"(type)        \
                     : "cc", "memory");                                 \
        return vm_result(c, z);                                         \
    }
VM_INSN_INV(invept)
VM_INSN_INV(invvpid)

static inline int vmptrst(u64 *pa)
{
    u8 c, z;

    trap()->vec = NO_TRAP;
    asm volatile(EX("vmptrst %2") "setc %0\nsetz %1"
                 : "=&q"(c), "=&q"(z), "=m"(*pa) : : "cc");
    return vm_result(c, z);
}

static inline int vmread(u64 field, u64 *val)
{
    u64 out = 0x1234567890abcdefULL;
    u8 c, z;

    trap()->vec = NO_TRAP;
    asm volatile(EX("vmread %3, %2") "setc %0\nsetz %1"
                 : "=&q"(c), "=&q"(z), "+r"(out) : "r"(field) : "cc");
    *val = out;
    return vm_result(c, z);
}

static inline int vmwrite(u64 field, u64 val)
{
    u8 c, z;

    trap()->vec = NO_TRAP;
    asm volatile(EX("vmwrite %3, %2") "setc %0\nsetz %1"
                 : "=&q"(c), "=&q"(z) : "r"(field), "rm"(val) : "cc");
    return vm_result(c, z);
}

/* The vector that the instruction raises */
#define TRAP(insn, ...)                                                 \
    ({                                                                  \
        trap()->vec = NO_TRAP;                                          \
        asm volatile(EX(insn) : : __VA_ARGS__ : "memory");              \
        trap()->vec;                                                    \
    })

static inline void write_cr4(u64 val)
{
    asm volatile("mov %0, %%cr4" : : "r"(val) : "memory");
}

/* vmx.c */
/* A device writes LENGTH bytes of an item to PA, in one go: 0 if it has. */
u32 device_writes(u64 pa, u16 item, u32 length);
extern u64 guest_regs[16];      /* in the order of their numbers */

u64 vget(u64 field);            /* VMREAD and VMWRITE that must succeed */
void vset(u64 field, u64 val);
u64 vm_region(int n);           /* a page with the revision in it */
void vmx_enable(void);          /* CR4.VMXE, IA32_FEATURE_CONTROL */
void vmx_on(void);
/* A fresh VMCS: 64-bit guest at @fn with the host's tables and segments */
void vm_init(void (*fn)(void));
/* Controls in addition to those that must be 1 */
void vm_controls(u64 pin, u64 proc, u64 proc2);
/* VM_OK after an exit */
int vm_enter(void);
void vm_skip(void);             /* the instruction that has exited */
bool vm_exits(u64 reason, const char *what);    /* enter, check the reason */
bool vm_exits_late(u64 reason, const char *what);    /* CPUID exits before */
u64 *ept_init(void);            /* identity, 2 MiB pages of 4 GiB; sets EPTP */
mem64 *ept_entry(u64 gpa);      /* at 4 KiB (split if need be) */
mem64 *ept_table(u64 gpa, int level);

#endif
