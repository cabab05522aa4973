/*
 * TDX module: a vCPU that runs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SEAM_RUN_H
#define SEAM_RUN_H

#include "module.h"
#include "vmcs.h"

/* Basic exit reasons of the SDM, and of the TDX extensions */
enum exit_reason {
    EXIT_EXCEPTION_NMI = 0, EXIT_INTERRUPT = 1, EXIT_TRIPLE_FAULT = 2,
    EXIT_INIT = 3, EXIT_OTHER_SMI = 6, EXIT_NMI_WINDOW = 8,
    EXIT_TASK_SWITCH = 9, EXIT_CPUID = 10, EXIT_GETSEC = 11, EXIT_HLT = 12,
    EXIT_INVD = 13, EXIT_RDPMC = 15, EXIT_RSM = 17, EXIT_VMCALL = 18,
    EXIT_VMXON = 27, EXIT_CR = 28, EXIT_IO = 30, EXIT_RDMSR = 31,
    EXIT_WRMSR = 32, EXIT_MWAIT = 36, EXIT_MONITOR = 39,
    EXIT_EPT_VIOLATION = 48, EXIT_EPT_MISCONFIG = 49, EXIT_INVEPT = 50,
    EXIT_INVVPID = 53, EXIT_WBINVD = 54, EXIT_XSETBV = 55,
    EXIT_APIC_WRITE = 56, EXIT_VMFUNC = 59, EXIT_ENCLS = 60,
    EXIT_PCONFIG = 65, EXIT_ENCLV = 70, EXIT_BUS_LOCK = 74, EXIT_NOTIFY = 75,
    EXIT_SEAMCALL = 76, EXIT_TDCALL = 77, NUM_EXITS
};

/* Extended exit qualification: RDX of an asynchronous TD exit */
#define EEQ_NONE            0ULL
#define EEQ_ACCEPT          1ULL
#define EEQ_PENDING         6ULL

#define EPT_VIOLATION_WRITE     BIT(1)
#define EPT_VIOLATION_FETCH     BIT(2)
#define EPT_VIOLATION_GLA       BIT(7)
#define EPT_VIOLATION_NMI       BIT(12)
/* About the linear address, and about NMIs */
#define EPT_VIOLATION_TD_ONLY   BITS(12, 7)

enum vector {
    VEC_UD = 6, VEC_DF = 8, VEC_GP = 13, VEC_PF = 14, VEC_VE = 20,
};

/* Error code of a page fault */
#define PF_PRESENT      BIT(0)
#define PF_WRITE        BIT(1)
#define PF_USER         BIT(2)
#define PF_RESERVED     BIT(3)
#define PF_FETCH        BIT(4)

enum run_next { RUN_GUEST, RUN_HOST };

/*
 * One TDH.VP.ENTER.  A handler that returns RUN_HOST has called run_to_host()
 * or run_vmcall().
 */
struct run {
    struct call *c;
    struct td *td;
    struct vcpu *vp;
    u32 reason;                 /* all of it */
    u64 qualification;
    u64 rip;                    /* at the VM entry */
    u64 ret;                    /* RAX of the host */
    u64 host_spec_ctrl;
    bool disable;               /* the vCPU cannot run again */
};

/* exit.c */
enum run_next run_exit(struct run *r);
enum run_next run_to_host(struct run *r, u64 status, u64 eeq, u64 gpa);
enum run_next run_fatal(struct run *r);
enum run_next run_triple_fault(struct run *r);
/* Past the instruction that exited */
void run_skip(void);
unsigned run_cpl(void);
bool run_64bit(void);
enum run_next run_ept_violation(struct run *r);
/* As if the TD had accessed a page that is not there: EEQ says who did. */
enum run_next run_missing_page(struct run *r, u64 gpa, bool write, u64 eeq);

/* inject.c */
/* RUN_HOST if it is a triple fault */
enum run_next inject_fault(struct run *r, u8 vector, bool has_error,
                           u32 error);
enum run_next inject_ve(struct run *r, u64 gla, u64 gpa);
void inject_again(const struct run *r);
/* Before each VM entry */
void inject_nmi(struct run *r);

/* exit_insn.c */
enum run_next run_cpuid(struct run *r);
enum run_next run_rdmsr(struct run *r);
enum run_next run_wrmsr(struct run *r);
enum run_next run_xsetbv(struct run *r);
enum run_next run_cr(struct run *r);

/* tdcall.c, tdcall_mem.c, tdcall_mr.c */
enum run_next run_tdcall(struct run *r);
/*
 * A page of the TD that a TDCALL reads or writes: NULL, and *next what
 * becomes of the call, if it is not there.
 */
u8 *tdg_page(struct run *r, u64 gpa, bool write, enum run_next *next);
enum run_next tdg_mem_page_accept(struct run *r, u64 *ret);
enum run_next tdg_mr_report(struct run *r, u64 *ret);
enum run_next tdg_mr_verifyreport(struct run *r, u64 *ret);
enum run_next tdg_mr_rtmr_extend(struct run *r, u64 *ret);
enum run_next tdg_mem_page_attr_rd(struct run *r, u64 *ret);
enum run_next tdg_mem_page_attr_wr(struct run *r, u64 *ret);

#endif
