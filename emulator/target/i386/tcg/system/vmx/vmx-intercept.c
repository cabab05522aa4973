/*
 * VMX: instructions and exceptions that cause VM exits
 *
 * The translator and the helpers check SVM's intercepts. An instruction without
 * a VM exit is executed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "exec/helper-proto.h"
#include "tcg/vmx-hooks.h"
#include "tcg/vmx-op.h"
#include "vmx-internal.h"

/* "Exception bitmap", and the masks for page faults */
static bool vmx_exception_exits(CPUX86State *env, int intno, uint32_t error)
{
    bool bit = vmx_get(env, VMX_EXCEPTION_BITMAP) & (1U << (intno & 31));

    if (!vmx_rule(env, VMX_RULE_EXCEPTION_BITMAP)) {
        return false;
    }
    if (VMX_BAD(env, PF_MASK, intno == EXCP0E_PAGE &&
                (error & vmx_get(env, VMX_PF_ERROR_MASK)) !=
                vmx_get(env, VMX_PF_ERROR_MATCH))) {
        bit = !bit;
    }
    return bit;
}

void x86_vmx_debug_cause(CPUX86State *env, uint32_t bits)
{
    env->vmx->debug_cause |= bits;
}

/* A #DB that exits does not change DR6 and DR7. */
static void vmx_set_debug_regs(CPUX86State *env, uint32_t cause)
{
    if (cause & (DR6_BS | 0xf)) {
        env->dr[6] &= ~0xf;
    }
    env->dr[6] |= cause;
    if (cause & DR6_BD) {
        env->dr[7] &= ~DR7_GD;
    }
}

static void vmx_check_exception(CPUX86State *env, int intno, uint32_t error,
                                uintptr_t ra)
{
    uint32_t info = VMX_INTR_VALID | intno |
                    VMX_INTR_EXCEPTION << VMX_INTR_TYPE_SHIFT;
    bool exits = intno <= 31 && vmx_exception_exits(env, intno, error);
    uint64_t qualification = 0;

    if (intno == EXCP01_DB) {
        qualification = env->vmx->debug_cause;
        env->vmx->debug_cause = 0;
        if (!exits || !vmx_rule(env, VMX_RULE_DR6_KEPT)) {
            vmx_set_debug_regs(env, qualification);
        }
    }
    if (!exits) {
        return;
    }
    if ((env->cr[0] & CR0_PE_MASK) && exception_has_error_code(intno) &&
        intno != EXCP1D_VC) {
        info |= VMX_INTR_ERROR;
    } else {
        error = 0;
    }
    if (intno == EXCP0E_PAGE) {
        qualification = env->vmx->pf_addr;
    }
    vmx_exit_intr(env, VMX_EXIT_EXCEPTION, qualification, info, error, ra);
}

/* If the fault exits, CR2 is not written: the qualification has the address. */
void x86_vmx_page_fault(CPUX86State *env, int intno, uint64_t error_code,
                        vaddr addr)
{
    if (intno == EXCP0E_PAGE) {
        env->vmx->pf_addr = addr;
        if (!vmx_exception_exits(env, intno, error_code) ||
            !vmx_rule(env, VMX_RULE_CR2_KEPT)) {
            env->cr[2] = addr;
        }
    }
}

/* INT3 and INTO use the exception bitmap, INT n never does. */
void x86_vmx_soft_int(CPUX86State *env, int intno, int len, uintptr_t ra)
{
    env->vmx_insn.len = len;
    if (len == 1 && vmx_exception_exits(env, intno, 0)) {
        vmx_exit_intr(env, VMX_EXIT_EXCEPTION, 0,
                      VMX_INTR_VALID | intno |
                      VMX_INTR_SOFT_EXCEPTION << VMX_INTR_TYPE_SHIFT, 0, ra);
    }
}

/* "MSR-Bitmap Address" */
static bool vmx_msr_exits(CPUX86State *env, uint32_t msr, bool write)
{
    hwaddr bitmap = vmx_get(env, VMX_MSR_BITMAP) | vmx_td_key(env);

    if (!vmx_proc(env, VMX_CPU_BASED_USE_MSR_BITMAPS)) {
        return true;
    }
    if (msr >= 0xc0000000 && msr <= 0xc0001fff) {
        bitmap += 1024;
    } else if (VMX_BAD(env, MSR_BITMAP_RANGE, msr > 0x1fff)) {
        return true;
    }
    if (write) {
        bitmap += 2048;
    }
    msr &= 0x1fff;
    return x86_ldub_phys(env_cpu(env), bitmap + msr / 8) & (1 << (msr % 8));
}

static void vmx_check_msr(CPUX86State *env, bool write, uintptr_t ra)
{
    uint32_t msr = env->regs[R_ECX];

    if (vmx_msr_exits(env, msr, write)) {
        vmx_exit_insn(env, write ? VMX_EXIT_WRMSR : VMX_EXIT_RDMSR, 0, ra);
    }
}

/* "I/O-Bitmap Addresses": an access that wraps around exits. */
static bool vmx_io_exits(CPUX86State *env, uint32_t port, int size)
{
    int i;

    if (!vmx_proc(env, VMX_CPU_BASED_USE_IO_BITMAPS)) {
        return vmx_proc(env, VMX_CPU_BASED_UNCOND_IO_EXITING);
    }
    for (i = 0; i < size; i++, port++) {
        hwaddr bitmap = vmx_get(env, port & 0x8000 ? VMX_IO_BITMAP_B :
                                                     VMX_IO_BITMAP_A);

        if (VMX_BAD(env, IO_WRAP, port > 0xffff) ||
            (x86_ldub_phys(env_cpu(env), bitmap + (port & 0x7fff) / 8) &
             (1 << (port % 8)))) {
            return true;
        }
    }
    return false;
}

void x86_vmx_check_io(CPUX86State *env, uint32_t port, uint32_t param,
                      uint32_t insn_len, uintptr_t ra)
{
    int size = (param >> SVM_IOIO_SIZE_SHIFT) & 7;
    uint64_t qualification = size - 1;
    uint32_t info = env->vmx_insn.info;

    if (!vmx_io_exits(env, port, size)) {
        return;
    }
    env->vmx_insn.len = insn_len;
    if (param & SVM_IOIO_TYPE_MASK) {
        qualification |= 1 << 3;
    }
    if (param & SVM_IOIO_STR_MASK) {
        bool in = param & SVM_IOIO_TYPE_MASK;
        int reg = in ? R_EDI : R_ESI;
        int seg = in ? R_ES : (info >> VMX_INSN_SEG_SHIFT) & 7;
        int asize = (info >> VMX_INSN_ADDR_SIZE_SHIFT) & 3;
        uint64_t addr = env->regs[reg];

        addr &= asize == 0 ? 0xffff : asize == 1 ? UINT32_MAX : UINT64_MAX;
        if (!(env->hflags & HF_CS64_MASK) || seg >= R_FS) {
            addr += env->segs[seg].base;
        }
        if (!(env->hflags & HF_CS64_MASK)) {
            addr = (uint32_t)addr;
        }
        qualification |= 1 << 4;
        vmx_set(env, VMX_GUEST_LINEAR_ADDR, addr);
        vmx_set(env, VMX_EXIT_INSN_INFO, info & ~VMX_IO_IMMEDIATE);
    }
    if (param & SVM_IOIO_REP_MASK) {
        qualification |= 1 << 5;
    }
    if (info & VMX_IO_IMMEDIATE) {
        qualification |= 1 << 6;
    }
    vmx_exit_insn(env, VMX_EXIT_IO, qualification | port << 16, ra);
}

/* "Pause-loop exiting" counts at the TSC's rate, and only at CPL 0. */
static bool vmx_pause_exits(CPUX86State *env)
{
    X86VmxState *vmx = env->vmx;
    uint64_t now;

    if (vmx_proc(env, VMX_CPU_BASED_PAUSE_EXITING)) {
        return true;
    }
    if (!vmx_proc2(env, VMX_SECONDARY_EXEC_PAUSE_LOOP_EXITING) ||
        VMX_BAD(env, PLE_CPL, env->hflags & HF_CPL_MASK)) {
        return false;
    }
    now = vmx_ticks(env);
    if (!vmx->ple_valid ||
        VMX_BAD(env, PLE_GAP,
                now - vmx->ple_last > vmx_get(env, VMX_PLE_GAP))) {
        vmx->ple_first = now;
    }
    vmx->ple_valid = true;
    vmx->ple_last = now;
    return now - vmx->ple_first > vmx_get(env, VMX_PLE_WINDOW);
}

/* MOV from CR3 and CR8. For CR0 and CR4 the guest reads the shadow. */
static void vmx_check_read_cr(CPUX86State *env, int reg, uintptr_t ra)
{
    if ((reg == 3 && vmx_proc(env, VMX_CPU_BASED_CR3_STORE_EXITING)) ||
        (reg == 8 && vmx_proc(env, VMX_CPU_BASED_CR8_STORE_EXITING))) {
        vmx_exit_insn(env, VMX_EXIT_CR,
                      reg | 1 << 4 | env->vmx_insn.gpr << 8, ra);
    }
}

static void vmx_check_dr(CPUX86State *env, int reg, bool read, uintptr_t ra)
{
    if (vmx_proc(env, VMX_CPU_BASED_MOV_DR_EXITING)) {
        vmx_exit_insn(env, VMX_EXIT_DR,
                      reg | read << 4 | env->vmx_insn.gpr << 8, ra);
    }
}

/* "Descriptor-table exiting": @identity is the instruction identity. */
static void vmx_check_desc(CPUX86State *env, VmxExit reason, int identity,
                           uintptr_t ra)
{
    uint32_t info = env->vmx_insn.info;

    if (vmx_proc2(env, VMX_SECONDARY_EXEC_DESC)) {
        vmx_set(env, VMX_EXIT_INSN_INFO,
                (info & 0x0fffffff) | identity << 28);
        vmx_exit_insn(env, reason,
                      info & VMX_INSN_REG ? 0 : env->vmx_insn.disp, ra);
    }
}

/* XSETBV always exits, but faults have priority. */
static void vmx_check_xsetbv(CPUX86State *env, uintptr_t ra)
{
    if (VMX_BAD(env, XSETBV_FAULT, !(env->cr[4] & CR4_OSXSAVE_MASK) ||
                (env->hflags & HF_CPL_MASK)) ||
        !vmx_rule(env, VMX_RULE_EXIT_XSETBV)) {
        return;
    }
    vmx_exit_insn(env, VMX_EXIT_XSETBV, 0, ra);
}

static void vmx_check_ctl(CPUX86State *env, uint32_t ctl, VmxExit reason,
                          uint64_t qualification, uintptr_t ra)
{
    if (vmx_proc(env, ctl)) {
        vmx_exit_insn(env, reason, qualification, ra);
    }
}

static void vmx_check_system(CPUX86State *env, uint32_t type, uint64_t param,
                             uintptr_t ra)
{
    switch (type) {
    case SVM_EXIT_CPUID:
        if (vmx_rule(env, VMX_RULE_EXIT_CPUID)) {
            vmx_exit_insn(env, VMX_EXIT_CPUID, 0, ra);
        }
        break;
    case SVM_EXIT_INVD:
        if (vmx_rule(env, VMX_RULE_EXIT_INVD)) {
            vmx_exit_insn(env, VMX_EXIT_INVD, 0, ra);
        }
        break;
    case SVM_EXIT_INIT:
        cpu_reset_interrupt(env_cpu(env), CPU_INTERRUPT_INIT);
        vmx_exit(env, VMX_EXIT_INIT, 0, ra);
    case SVM_EXIT_MSR:
        vmx_check_msr(env, param, ra);
        break;
    case SVM_EXIT_RDTSC:
        vmx_check_ctl(env, VMX_CPU_BASED_RDTSC_EXITING, VMX_EXIT_RDTSC, 0, ra);
        break;
    case SVM_EXIT_RDPMC:
        vmx_check_ctl(env, VMX_CPU_BASED_RDPMC_EXITING, VMX_EXIT_RDPMC, 0, ra);
        break;
    case SVM_EXIT_HLT:
        vmx_check_ctl(env, VMX_CPU_BASED_HLT_EXITING, VMX_EXIT_HLT, 0, ra);
        break;
    case SVM_EXIT_INVLPG:
        vmx_check_ctl(env, VMX_CPU_BASED_INVLPG_EXITING, VMX_EXIT_INVLPG,
                      param, ra);
        break;
    case SVM_EXIT_MONITOR:
        vmx_check_ctl(env, VMX_CPU_BASED_MONITOR_EXITING, VMX_EXIT_MONITOR, 0,
                      ra);
        break;
    case SVM_EXIT_MWAIT:
        vmx_check_ctl(env, VMX_CPU_BASED_MWAIT_EXITING, VMX_EXIT_MWAIT, 0, ra);
        break;
    case SVM_EXIT_PAUSE:
        if (vmx_pause_exits(env)) {
            vmx_exit_insn(env, VMX_EXIT_PAUSE, 0, ra);
        }
        break;
    case SVM_EXIT_WBINVD:
        if (vmx_proc2(env, VMX_SECONDARY_EXEC_WBINVD_EXITING)) {
            vmx_exit_insn(env, VMX_EXIT_WBINVD, 0, ra);
        }
        break;
    case SVM_EXIT_XSETBV:
        vmx_check_xsetbv(env, ra);
        break;
    case SVM_EXIT_ICEBP:
        if (vmx_exception_exits(env, EXCP01_DB, 0)) {
            vmx_exit_intr(env, VMX_EXIT_EXCEPTION, 0,
                          VMX_INTR_VALID | EXCP01_DB |
                          VMX_INTR_PRIV_SOFT_EXCEPTION << VMX_INTR_TYPE_SHIFT,
                          0, ra);
        }
        break;
    }
}

void x86_vmx_intercept(CPUX86State *env, uint32_t type, uint64_t param,
                       uintptr_t ra)
{
    switch (type) {
    case SVM_EXIT_READ_CR0 ... SVM_EXIT_READ_CR8:
        vmx_check_read_cr(env, type - SVM_EXIT_READ_CR0, ra);
        break;
    case SVM_EXIT_READ_DR0 ... SVM_EXIT_READ_DR7:
        vmx_check_dr(env, type - SVM_EXIT_READ_DR0, true, ra);
        break;
    case SVM_EXIT_WRITE_DR0 ... SVM_EXIT_WRITE_DR7:
        vmx_check_dr(env, type - SVM_EXIT_WRITE_DR0, false, ra);
        break;
    case SVM_EXIT_EXCP_BASE ... SVM_EXIT_EXCP_BASE + 31:
        vmx_check_exception(env, type - SVM_EXIT_EXCP_BASE, param, ra);
        break;
    case SVM_EXIT_GDTR_READ:
        vmx_check_desc(env, VMX_EXIT_GDTR_IDTR, 0, ra);
        break;
    case SVM_EXIT_IDTR_READ:
        vmx_check_desc(env, VMX_EXIT_GDTR_IDTR, 1, ra);
        break;
    case SVM_EXIT_GDTR_WRITE:
        vmx_check_desc(env, VMX_EXIT_GDTR_IDTR, 2, ra);
        break;
    case SVM_EXIT_IDTR_WRITE:
        vmx_check_desc(env, VMX_EXIT_GDTR_IDTR, 3, ra);
        break;
    case SVM_EXIT_LDTR_READ:
        vmx_check_desc(env, VMX_EXIT_LDTR_TR, 0, ra);
        break;
    case SVM_EXIT_TR_READ:
        vmx_check_desc(env, VMX_EXIT_LDTR_TR, 1, ra);
        break;
    case SVM_EXIT_LDTR_WRITE:
        vmx_check_desc(env, VMX_EXIT_LDTR_TR, 2, ra);
        break;
    case SVM_EXIT_TR_WRITE:
        vmx_check_desc(env, VMX_EXIT_LDTR_TR, 3, ra);
        break;
    default:
        vmx_check_system(env, type, param, ra);
    }
}

G_NORETURN void x86_vmx_vmexit(CPUX86State *env, uint64_t svm_exit,
                               uint64_t param, uintptr_t ra)
{
    assert(svm_exit == SVM_EXIT_SHUTDOWN);
    vmx_exit(env, VMX_EXIT_TRIPLE_FAULT, 0, ra);
}

/* "XSS-Exiting Bitmap" */
static void vmx_check_xsaves(CPUX86State *env, VmxExit reason, uintptr_t ra)
{
    uint64_t rfbm = deposit64(env->regs[R_EAX], 32, 32, env->regs[R_EDX]);

    if (VMX_BAD(env, XSAVES_UD, !vmx_proc2(env, VMX_SECONDARY_EXEC_XSAVES))) {
        raise_exception_ra(env, EXCP06_ILLOP, ra);
    }
    if (!(env->hflags & HF_CPL_MASK) &&
        (vmx_get(env, VMX_XSS_EXIT_BITMAP) & env->xss & rfbm)) {
        vmx_exit_insn(env, reason, 0, ra);
    }
}

/* Instructions that only VMX intercepts */
void helper_vmx_check(CPUX86State *env, uint32_t check)
{
    uintptr_t ra = GETPC();

    switch (check) {
    case VMX_CHECK_RDTSCP:
        if (VMX_BAD(env, RDTSCP_UD,
                    !vmx_proc2(env, VMX_SECONDARY_EXEC_RDTSCP))) {
            raise_exception_ra(env, EXCP06_ILLOP, ra);
        }
        if ((env->cr[4] & CR4_TSD_MASK) && (env->hflags & HF_CPL_MASK)) {
            raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
        }
        vmx_check_ctl(env, VMX_CPU_BASED_RDTSC_EXITING, VMX_EXIT_RDTSCP, 0,
                      ra);
        break;
    case VMX_CHECK_RDPID:
        if (VMX_BAD(env, RDPID_UD,
                    !vmx_proc2(env, VMX_SECONDARY_EXEC_RDTSCP))) {
            raise_exception_ra(env, EXCP06_ILLOP, ra);
        }
        break;
    case VMX_CHECK_RDRAND:
    case VMX_CHECK_RDSEED:
        if (vmx_proc2(env, check == VMX_CHECK_RDRAND ?
                           VMX_SECONDARY_EXEC_RDRAND_EXITING :
                           VMX_SECONDARY_EXEC_RDSEED_EXITING)) {
            vmx_set(env, VMX_EXIT_INSN_INFO, env->vmx_insn.info);
            vmx_exit_insn(env, check == VMX_CHECK_RDRAND ? VMX_EXIT_RDRAND :
                               VMX_EXIT_RDSEED, 0, ra);
        }
        break;
    case VMX_CHECK_XSAVES:
        vmx_check_xsaves(env, VMX_EXIT_XSAVES, ra);
        break;
    case VMX_CHECK_XRSTORS:
        vmx_check_xsaves(env, VMX_EXIT_XRSTORS, ra);
        break;
    }
}

void x86_vmx_check_invpcid(CPUX86State *env, uintptr_t ra)
{
    if (VMX_BAD(env, INVPCID_UD,
                !vmx_proc2(env, VMX_SECONDARY_EXEC_ENABLE_INVPCID))) {
        raise_exception_ra(env, EXCP06_ILLOP, ra);
    }
    if (env->hflags & HF_CPL_MASK) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    if (vmx_proc(env, VMX_CPU_BASED_INVLPG_EXITING)) {
        vmx_set(env, VMX_EXIT_INSN_INFO, env->vmx_insn.info);
        vmx_exit_insn(env, VMX_EXIT_INVPCID, env->vmx_insn.disp, ra);
    }
}

/* "Exit Qualification for Task Switches" */
void x86_vmx_task_switch(CPUX86State *env, uint32_t selector, int source,
                         target_ulong next_eip, uintptr_t ra)
{
    /* JMP, IRET and CALL in the numbering of seg_helper.c */
    static const uint32_t sources[] = { 2, 1, 0 };

    if (!vmx_rule(env, VMX_RULE_EXIT_TASK_SWITCH)) {
        return;
    }
    if (env->vmx->event.info) {
        /* A task gate in the IDT: the event is IDT-vectoring information */
        vmx_exit(env, VMX_EXIT_TASK_SWITCH, selector | 3U << 30, ra);
    }
    cpu_restore_state(env_cpu(env), ra);
    env->vmx_insn.len = next_eip - env->eip;
    vmx_exit_insn(env, VMX_EXIT_TASK_SWITCH, selector | sources[source] << 30,
                  0);
}

uint64_t x86_vmx_guest_tsc(CPUX86State *env)
{
    uint64_t tsc = cpu_get_tsc(env), hi, lo;

    if (!vmx_proc(env, VMX_CPU_BASED_USE_TSC_OFFSETING)) {
        return tsc;
    }
    if (vmx_proc2(env, VMX_SECONDARY_EXEC_TSC_SCALING)) {
        mulu64(&lo, &hi, tsc, vmx_get(env, VMX_TSC_MULTIPLIER));
        tsc = hi << 16 | lo >> 48;
    }
    return tsc + vmx_get(env, VMX_TSC_OFFSET);
}
