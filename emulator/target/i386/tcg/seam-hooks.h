/*
 * SEAM mode: functions that the platform and other helpers call
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_I386_TCG_SEAM_HOOKS_H
#define TARGET_I386_TCG_SEAM_HOOKS_H

#include "cpu.h"
#include "tcg/vmx-hooks.h"
#include "tcg/vmx-op.h"

/* What SEAMCALL loads, as far as processors differ in it */
typedef struct X86SeamEntry {
    uint64_t rip, rsp, ssp, cr3;
    uint64_t cr4;               /* beyond what modules always have */
    uint64_t fs_base, gs_base;
    uint64_t idt_base, gdt_base;
} X86SeamEntry;

/* Write the image of a SEAM transfer VMCS to a page that is zero. */
void x86_seam_init_vmcs(uint8_t *page, const X86SeamEntry *entry);

/* SEAMCALL to the P-SEAMLDR: VMfailInvalid if there is none */
void x86_seam_loader_call(CPUX86State *env, uintptr_t ra);

/* SEAMCALL, SEAMRET, SEAMOPS, TDCALL, PCONFIG */
void x86_seam_op(CPUX86State *env, VmxOp op, uintptr_t ra);

/*
 * A translation that the TLB is about to get: the memory that @attrs stands for
 * afterwards. False if it is good for this access only. Raises a machine check,
 * unless it is a probe.
 */
typedef struct X86SeamFill {
    hwaddr pa;                  /* with key id */
    unsigned int size;
    bool write;
    bool walk;                  /* it is no access: see x86_seam_take() */
    bool phys;                  /* the translated address is a physical one */
    bool probe;
} X86SeamFill;

bool x86_seam_fill(CPUX86State *env, const X86SeamFill *fill, MemTxAttrs *attrs,
                   uintptr_t ra);
/* Raise the machine check of a probe, or of an access as below. */
void x86_seam_check_poison(CPUX86State *env, uintptr_t ra);
/* An access of the processor itself; false if it is not to RAM. */
bool x86_seam_rw(CPUX86State *env, hwaddr pa, void *buf, unsigned int size,
                 bool write);
/*
 * The processor is about to store to the line at @pa, by a translation that was
 * not one for a store: find its host address after that. False if it is no RAM
 */
bool x86_seam_take(CPUX86State *env, hwaddr pa);
/*
 * A store of all of the line at the linear address @addr, which has been
 * probed: false if it is one like others, and not done.
 */
bool x86_seam_store_line(CPUX86State *env, target_ulong addr,
                         const uint64_t *from, uintptr_t ra);
/* There is no way to go on. */
G_NORETURN void x86_seam_shutdown(CPUX86State *env, uintptr_t ra);
/*
 * On processors with key ids: bits that are reserved in the addresses of page
 * tables; false if MOV to CR3 is a fault, and RSM a shutdown
 */
uint64_t x86_seam_reserved(CPUX86State *env);
bool x86_seam_cr3_ok(CPUX86State *env, target_ulong cr3);

/*
 * Features that only a TDX module finds: what CPUID has of them, by R_EAX to
 * R_EBX, features that VMX has besides, and true if an MSR is another one
 */
bool x86_seam_stubs(CPUX86State *env);
void x86_seam_stub_cpuid(CPUX86State *env, uint32_t leaf, uint32_t subleaf,
                         uint32_t *regs);
uint64_t x86_seam_stub_features(CPUX86State *env, FeatureWord word);
bool x86_seam_stub_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val);
bool x86_seam_stub_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val);

VmxMsrResult x86_seam_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val);
VmxMsrResult x86_seam_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val);

#endif
