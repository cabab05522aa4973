/*
 * TDX module: vCPUs
 *
 * TDVPS is six pages with the TD's key:
 *
 *   0    TDVPR: struct vcpu.  #VE information comes first, as the processor
 *        has it
 *   1    VMCS
 *   2    virtual APIC page
 *   3-5  extended state
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_VCPU_H
#define SEAM_VCPU_H

#include "abi.h"
#include "platform.h"
#include "td.h"

enum tdvps_page {
    TDVPS_PAGE_VPR, TDVPS_PAGE_VMCS, TDVPS_PAGE_VAPIC, TDVPS_PAGE_XSTATE
};

/* The ABI's numbers */
enum vcpu_state {
    VCPU_UNINITIALIZED = 0, VCPU_READY = 2, VCPU_ACTIVE = 4, VCPU_DISABLED = 8
};

enum last_exit { LAST_EXIT_FAULT, LAST_EXIT_TRAP, LAST_EXIT_VMCALL };

#define VCPU_NO_LP      (~0u)
#define VE_INFO_VALID   0xffffffffu

struct ve_info {
    u32 exit_reason;
    u32 valid;
    u64 exit_qualification;
    u64 gla;
    u64 gpa;
    u16 eptp_index;
    u8 reserved[6];
    /* The processor does not write these. */
    u32 instruction_length;
    u32 instruction_info;
};

/* MSRs that TD entries load and TD exits save */
enum vcpu_msr {
    VMSR_SPEC_CTRL, VMSR_XFD, VMSR_XFD_ERR, VMSR_XSS, VMSR_STAR, VMSR_LSTAR,
    VMSR_FMASK, VMSR_KERNEL_GS_BASE, VMSR_TSC_AUX, VMSR_UMWAIT, NUM_VMSR
};

#define EPF_THRESHOLD       6
#define EPF_LIST_SIZE       32
#define NUM_CPUID_CONTROL   128

struct vcpu {
    struct ve_info ve;

    u8 state;                   /* enum vcpu_state */
    u8 last_exit;               /* enum last_exit */
    u8 launched;
    u8 num_pages;               /* with TDVPR */
    u8 pend_nmi;
    u8 cpuid_supervisor_ve, cpuid_user_ve;
    u32 index;
    u32 assoc_lp;
    u64 epoch;
    u64 updates;                /* of the module that made the host state */
    u64 last_exit_tsc;
    u64 page_pa[TDVPS_PAGES];
    u64 vmcall_mask;            /* RCX of a TDG.VP.VMCALL that is open */
    u64 xcr0;
    u64 shared_eptp;

    /* Page faults at one instruction: a host that single-steps? */
    u64 epf_rip;
    u32 epf_count;              /* up to the threshold */
    u32 epf_num;                /* in epf_gpa[]: each page once */
    u64 epf_gpa[EPF_LIST_SIZE];

    u8 cpuid_control[NUM_CPUID_CONTROL];
    struct guest_regs guest;
    u64 msr[NUM_VMSR];
};
_Static_assert(sizeof(struct ve_info) <= 128, "#VE information");
_Static_assert(sizeof(struct vcpu) <= PAGE_SIZE, "TDVPR");

struct call;
void vcpu_move(struct vcpu *vp, enum vcpu_state to);
/* TDX_SUCCESS, or TDX_VCPU_ASSOCIATED with another processor */
u64 vcpu_associate(struct call *c);
void vcpu_load_vmcs(struct call *c);

u64 tdh_vp_create(struct call *c);
u64 tdh_vp_addcx(struct call *c);
u64 tdh_vp_init(struct call *c);
u64 tdh_vp_flush(struct call *c);
u64 tdh_vp_rd(struct call *c);
u64 tdh_vp_wr(struct call *c);
u64 tdh_vp_enter(struct call *c);

#endif
