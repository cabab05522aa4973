/*
 * VMX: functions that the helpers of other instructions call
 *
 * Unless stated otherwise, they are for processors in VMX non-root operation:
 * HF_GUEST is set, and env->vmx is not NULL.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TARGET_I386_TCG_VMX_HOOKS_H
#define TARGET_I386_TCG_VMX_HOOKS_H

#include "cpu.h"

/* Called for SVM intercepts: exit if VMX has an exit for it. */
void x86_vmx_intercept(CPUX86State *env, uint32_t svm_exit, uint64_t param,
                       uintptr_t ra);
/* An unconditional #VMEXIT of SVM. */
G_NORETURN void x86_vmx_vmexit(CPUX86State *env, uint64_t svm_exit,
                               uint64_t param, uintptr_t ra);
void x86_vmx_do_vmexit(CPUX86State *env);

void x86_vmx_check_io(CPUX86State *env, uint32_t port, uint32_t param,
                      uint32_t insn_len, uintptr_t ra);
void x86_vmx_task_switch(CPUX86State *env, uint32_t selector, int source,
                         target_ulong next_eip, uintptr_t ra);
void x86_vmx_soft_int(CPUX86State *env, int intno, int len, uintptr_t ra);
/* #UD, #GP or a VM exit of INVPCID in a guest */
void x86_vmx_check_invpcid(CPUX86State *env, uintptr_t ra);

/* MOV to CR0, CR3, CR4, CR8: returns the value to write, or exits. */
target_ulong x86_vmx_write_cr(CPUX86State *env, int reg, target_ulong val,
                              uintptr_t ra);
void x86_vmx_clts(CPUX86State *env, uintptr_t ra);

/* Accesses to a virtual APIC; false if there is none. */
bool x86_vmx_read_cr8(CPUX86State *env, target_ulong *val);
bool x86_vmx_write_cr8(CPUX86State *env, target_ulong val, uintptr_t ra);
bool x86_vmx_read_x2apic(CPUX86State *env, uint32_t msr, uint64_t *val);
bool x86_vmx_write_x2apic(CPUX86State *env, uint32_t msr, uint64_t val,
                          uintptr_t ra);
bool x86_vmx_apic_access(CPUX86State *env, vaddr addr, int size,
                         MMUAccessType access_type, hwaddr *paddr,
                         uintptr_t ra);

/* A fault of the guest's paging, or of its EPT. */
void x86_vmx_page_fault(CPUX86State *env, int intno, uint64_t error_code,
                        vaddr addr);
G_NORETURN void x86_vmx_ept_fault(CPUX86State *env, hwaddr gpa, vaddr addr,
                                  bool gpt, uintptr_t ra);

/*
 * Walk the EPT. Returns the page's address, protection and size, or false and
 * the reason for x86_vmx_ept_fault().
 */
bool x86_vmx_ept_walk(CPUX86State *env, hwaddr gpa, MMUAccessType access_type,
                      hwaddr *paddr, int *prot, int *page_size);
/* The guest has mode-based execute control. */
bool x86_vmx_mode_based_exec(CPUX86State *env);
/* The same for a page of a linear address that is a user-mode address or not */
bool x86_vmx_ept_walk_mode(CPUX86State *env, hwaddr gpa,
                           MMUAccessType access_type, bool user, hwaddr *paddr,
                           int *prot, int *page_size);
/* The register that maps @addr in PAE paging with EPT */
uint64_t x86_vmx_pdpte(CPUX86State *env, vaddr addr);
/* The access type with which the guest's page tables are read. */
MMUAccessType x86_vmx_ptw_access(CPUX86State *env);

/* Delivery of an event begins, and has completed. */
void x86_vmx_event_begin(CPUX86State *env, int intno, int is_int,
                         int error_code, target_ulong next_eip, int is_hw);
void x86_vmx_event_end(CPUX86State *env);
/* IRET has been executed: the next NMI may be delivered. */
void x86_vmx_iret(CPUX86State *env);

/*
 * A #DB is about to be raised that sets these bits of DR6. It does that only if
 * it is delivered, and then clears DR7.GD if the cause is BD.
 */
void x86_vmx_debug_cause(CPUX86State *env, uint32_t bits);
/* A single-step trap is about to be raised. */
void x86_vmx_single_step(CPUX86State *env);
/* HLT is executed. */
void x86_vmx_halted(CPUX86State *env);

/* Also in root operation: false if the interrupt is to be dropped. */
bool x86_vmx_exec_interrupt(CPUX86State *env, int interrupt_request);

uint64_t x86_vmx_guest_tsc(CPUX86State *env);

/* Also in root operation. */
typedef enum VmxMsrResult {
    VMX_MSR_UNKNOWN,            /* not one of these */
    VMX_MSR_OK,
    VMX_MSR_GP,
} VmxMsrResult;

/* False if the processor lacks the MSR, as far as CPUID tells. */
bool x86_vmx_has_msr(CPUX86State *env, uint32_t msr);
VmxMsrResult x86_vmx_rdmsr(CPUX86State *env, uint32_t msr, uint64_t *val);
VmxMsrResult x86_vmx_wrmsr(CPUX86State *env, uint32_t msr, uint64_t val);
/* True if MOV to CR0 or CR4 may write this value. */
bool x86_vmx_cr_fixed_ok(CPUX86State *env, int reg, target_ulong val);

#endif
