/*
 * VMX: the virtual APIC
 *
 * SDM: "APIC Virtualization and Virtual Interrupts". Only this processor
 * accesses the virtual-APIC page; other processors write the posted-interrupt
 * descriptor.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qemu/main-loop.h"
#include "hw/i386/apic.h"
#include "tcg/seam-hooks.h"
#include "tcg/vmx-hooks.h"
#include "vmx-internal.h"

/* Offsets of registers */
enum {
    VAPIC_TPR = 0x80,
    VAPIC_PPR = 0xa0,
    VAPIC_EOI = 0xb0,
    VAPIC_ISR = 0x100,
    VAPIC_IRR = 0x200,
    VAPIC_ICR_LO = 0x300,
    VAPIC_ICR_HI = 0x310,
    VAPIC_SELF_IPI = 0x3f0,
};

/* Posted-interrupt descriptor */
#define PI_DESC_ON      32      /* a byte, of which bit 0 is ON */

static bool vmx_vid(CPUX86State *env)
{
    return vmx_proc2(env, VMX_SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY);
}

static hwaddr vmx_virt_apic(CPUX86State *env)
{
    return vmx_get(env, VMX_VIRT_APIC_ADDR) | vmx_td_key(env);
}

static uint32_t vapic_ld(CPUX86State *env, int reg)
{
    return x86_ldl_phys(env_cpu(env), vmx_virt_apic(env) + reg);
}

static void vapic_st(CPUX86State *env, int reg, uint32_t val)
{
    x86_stl_phys(env_cpu(env), vmx_virt_apic(env) + reg, val);
}

/* A bit of VISR or VIRR, which have 32 bits in 16 bytes each */
static void vapic_set_bit(CPUX86State *env, int regs, int vector, bool set)
{
    int reg = regs + vector / 32 * 16;

    vapic_st(env, reg, deposit32(vapic_ld(env, reg), vector % 32, 1, set));
}

static int vapic_highest(CPUX86State *env, int regs)
{
    int i;

    for (i = 7; i >= 0; i--) {
        uint32_t bits = vapic_ld(env, regs + i * 16);

        if (bits) {
            return i * 32 + 31 - clz32(bits);
        }
    }
    return 0;
}

static int vmx_rvi(CPUX86State *env)
{
    return vmx_get(env, VMX_GUEST_INTR_STATUS) & 0xff;
}

static int vmx_svi(CPUX86State *env)
{
    return vmx_get(env, VMX_GUEST_INTR_STATUS) >> 8;
}

static void vmx_set_status(CPUX86State *env, int rvi, int svi)
{
    vmx_set(env, VMX_GUEST_INTR_STATUS, rvi | svi << 8);
}

/* "Evaluation of Pending Virtual Interrupts" */
static void vmx_evaluate(CPUX86State *env)
{
    env->vmx->virq = !VMX_BAD(env, APIC_EVALUATE, vmx_rvi(env) >> 4 <=
                              (vapic_ld(env, VAPIC_PPR) >> 4 & 15));
    vmx_update_events(env);
}

/* "PPR Virtualization" */
static void vmx_update_ppr(CPUX86State *env)
{
    uint8_t tpr = vapic_ld(env, VAPIC_TPR);
    int svi = vmx_svi(env);

    if (!vmx_rule(env, VMX_RULE_APIC_PPR)) {
        return;
    }
    vapic_st(env, VAPIC_PPR, tpr >> 4 >= svi >> 4 ? tpr : svi & 0xf0);
}

/* An exit after the instruction that causes it */
static G_NORETURN void vmx_exit_trap(CPUX86State *env, VmxExit reason,
                                     uint64_t qualification, uintptr_t ra)
{
    VmxExitInfo info = { .reason = reason, .qualification = qualification };

    if (ra) {
        cpu_restore_state(env_cpu(env), ra);
        vmx_end_insn(env);
        info.step = env->eflags & TF_MASK;
    }
    vmx_do_exit(env, info, 0);
}

static bool vmx_tpr_below_threshold(CPUX86State *env)
{
    return VMX_BAD(env, APIC_THRESHOLD, (vapic_ld(env, VAPIC_TPR) >> 4 & 15) <
                   (vmx_get(env, VMX_TPR_THRESHOLD) & 15));
}

/* "TPR Virtualization" */
static void vmx_tpr_written(CPUX86State *env, uintptr_t ra)
{
    if (vmx_vid(env)) {
        vmx_update_ppr(env);
        vmx_evaluate(env);
    } else if (vmx_tpr_below_threshold(env)) {
        vmx_exit_trap(env, VMX_EXIT_TPR_THRESHOLD, 0, ra);
    }
}

/* "EOI Virtualization" */
static void vmx_eoi(CPUX86State *env, uintptr_t ra)
{
    int vector = vmx_svi(env);
    uint64_t exits = vmx_get(env, VMX_EOI_EXIT_BITMAP0 + vector / 64);

    if (vmx_rule(env, VMX_RULE_APIC_EOI)) {
        vapic_set_bit(env, VAPIC_ISR, vector, false);
    }
    vmx_set_status(env, vmx_rvi(env), vapic_highest(env, VAPIC_ISR));
    vmx_update_ppr(env);
    if (VMX_BAD(env, APIC_EOI_EXIT, exits & (1ULL << (vector % 64)))) {
        vmx_exit_trap(env, VMX_EXIT_EOI, vector, ra);
    }
    vmx_evaluate(env);
}

/* "Self-IPI Virtualization" */
void vmx_self_ipi(CPUX86State *env, int vector)
{
    if (vmx_rule(env, VMX_RULE_APIC_SELF_IPI)) {
        vapic_set_bit(env, VAPIC_IRR, vector, true);
        vmx_set_status(env, MAX(vmx_rvi(env), vector), vmx_svi(env));
    }
    vmx_evaluate(env);
}

/* "Virtual-Interrupt Delivery": returns the vector, which is now in service */
int vmx_take_virq(CPUX86State *env)
{
    int vector = vmx_rvi(env);

    if (vmx_rule(env, VMX_RULE_APIC_ISR)) {
        vapic_set_bit(env, VAPIC_ISR, vector, true);
    }
    vapic_st(env, VAPIC_PPR, vector & 0xf0);
    if (vmx_rule(env, VMX_RULE_APIC_IRR)) {
        vapic_set_bit(env, VAPIC_IRR, vector, false);
    }
    vmx_set_status(env, vapic_highest(env, VAPIC_IRR), vector);
    env->vmx->virq = false;
    vmx_update_events(env);
    return vector;
}

#define POSTED_TRIES 8

/*
 * "Posted-Interrupt Processing". Other processors set bits of PIR, then ON, and
 * send a notification if ON was clear: therefore clear ON first.
 */
void vmx_posted_interrupts(CPUX86State *env)
{
    hwaddr desc = vmx_get(env, VMX_POSTED_INTR_DESC) & ~63ULL;
    CPUTLBEntryFull *full;
    int i, highest = 0;
    uint64_t *pir;
    int tries = 0;
    void *host;
    bool ram;

    /*
     * Again, if another processor has taken the line in between. A line that
     * is broken stays so.
     */
    do {
        ram = x86_seam_take(env, desc);
        probe_access_full_mmu(env, desc, 0, MMU_DATA_STORE, MMU_PHYS_IDX, &host,
                              &full);
    } while (unlikely(!host && ram && ++tries < POSTED_TRIES));
    if (!host) {
        return;
    }
    pir = host;
    if (vmx_rule(env, VMX_RULE_POSTED_ON)) {
        qatomic_and((uint8_t *)host + PI_DESC_ON, ~1);
    }
    for (i = 0; i < 4; i++) {
        uint64_t bits = le64_to_cpu(vmx_rule(env, VMX_RULE_POSTED_PIR) ?
                                    qatomic_xchg(&pir[i], 0) :
                                    qatomic_read(&pir[i]));
        int reg = VAPIC_IRR + i * 32;

        if (!bits) {
            continue;
        }
        vapic_st(env, reg, vapic_ld(env, reg) | (uint32_t)bits);
        vapic_st(env, reg + 16, vapic_ld(env, reg + 16) | bits >> 32);
        highest = i * 64 + 63 - clz64(bits);
    }
    if (vmx_rule(env, VMX_RULE_POSTED_RVI)) {
        vmx_set_status(env, MAX(vmx_rvi(env), highest), vmx_svi(env));
    }
    vmx_evaluate(env);
}

/* After a VM entry */
void vmx_apic_enter(CPUX86State *env)
{
    X86VmxState *vmx = env->vmx;

    vmx->virq = vmx->tpr_pending = false;
    vmx->apic_write = -1;
    if (!vmx_proc(env, VMX_CPU_BASED_TPR_SHADOW)) {
        return;
    }
    if (vmx_vid(env)) {
        vmx_update_ppr(env);
        vmx_evaluate(env);
    } else if (vmx_tpr_below_threshold(env)) {
        vmx->tpr_pending = true;
    }
}

/* "Virtualizing CR8-Based TPR Accesses": true if the access is virtualized */
bool x86_vmx_read_cr8(CPUX86State *env, target_ulong *val)
{
    if (!vmx_proc(env, VMX_CPU_BASED_TPR_SHADOW)) {
        return false;
    }
    *val = vapic_ld(env, VAPIC_TPR) >> 4 & 15;
    return true;
}

bool x86_vmx_write_cr8(CPUX86State *env, target_ulong val, uintptr_t ra)
{
    if (!vmx_proc(env, VMX_CPU_BASED_TPR_SHADOW)) {
        return false;
    }
    if (VMX_BAD(env, APIC_CR8_RESERVED, val & ~(target_ulong)15)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    vapic_st(env, VAPIC_TPR, val << 4);
    vmx_tpr_written(env, ra);
    return true;
}

/* WRMSR of ICR with IPI virtualization */
static void vmx_write_x2apic_icr(CPUX86State *env, uint64_t val, uintptr_t ra)
{
    if (VMX_BAD(env, IPI_ICR_RESERVED, val & VMX_ICR_RESERVED)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    x86_stq_phys(env_cpu(env), vmx_virt_apic(env) + VAPIC_ICR_LO, val);
    if (!vmx_virtualize_icr(env, val, val >> 32)) {
        vmx_exit_trap(env, VMX_EXIT_APIC_WRITE, VAPIC_ICR_LO, ra);
    }
}

/* "Virtualizing MSR-Based APIC Accesses": true if the access is virtualized */
bool x86_vmx_read_x2apic(CPUX86State *env, uint32_t msr, uint64_t *val)
{
    int reg = (msr & 0xff) << 4;

    if (msr >> 8 != 8 ||
        !vmx_proc2(env, VMX_SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE)) {
        return false;
    }
    if (reg != VAPIC_TPR &&
        !vmx_proc2(env, VMX_SECONDARY_EXEC_APIC_REGISTER_VIRT)) {
        return false;
    }
    *val = x86_ldq_phys(env_cpu(env), vmx_virt_apic(env) + reg);
    return true;
}

bool x86_vmx_write_x2apic(CPUX86State *env, uint32_t msr, uint64_t val,
                          uintptr_t ra)
{
    int reg = (msr & 0xff) << 4;

    if (msr >> 8 != 8 ||
        !vmx_proc2(env, VMX_SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE)) {
        return false;
    }
    if (reg == VAPIC_ICR_LO && vmx_proc3(env, VMX_TERTIARY_EXEC_IPI_VIRT)) {
        vmx_write_x2apic_icr(env, val, ra);
        return true;
    }
    if (reg != VAPIC_TPR &&
        !(vmx_vid(env) && (reg == VAPIC_EOI || reg == VAPIC_SELF_IPI))) {
        return false;
    }
    if (VMX_BAD(env, APIC_MSR_RESERVED, reg == VAPIC_EOI ? val : val >> 8)) {
        raise_exception_err_ra(env, EXCP0D_GPF, 0, ra);
    }
    x86_stq_phys(env_cpu(env), vmx_virt_apic(env) + reg, val);
    if (reg == VAPIC_TPR) {
        vmx_tpr_written(env, ra);
    } else if (reg == VAPIC_EOI) {
        vmx_eoi(env, ra);
    } else if (!VMX_BAD(env, APIC_SELF_IPI_LOW, !(val >> 4))) {
        vmx_self_ipi(env, val);
    } else {
        vmx_exit_trap(env, VMX_EXIT_APIC_WRITE, reg, ra);
    }
    return true;
}

/* "Virtualizing Reads from the APIC-Access Page" */
static bool vapic_virtualizes_read(CPUX86State *env, int reg)
{
    if (reg == VAPIC_TPR) {
        return vmx_proc(env, VMX_CPU_BASED_TPR_SHADOW);
    }
    if (!vmx_proc2(env, VMX_SECONDARY_EXEC_APIC_REGISTER_VIRT)) {
        return false;
    }
    switch (reg) {
    case 0x20:
    case 0x30:
    case 0xb0:
    case 0xd0 ... 0x280:
    case 0x300 ... 0x380:
    case 0x3e0:
        return true;
    default:
        return false;
    }
}

/* "Virtualizing Writes to the APIC-Access Page" */
static bool vapic_virtualizes_write(CPUX86State *env, int reg)
{
    if (reg == VAPIC_TPR) {
        return vmx_proc(env, VMX_CPU_BASED_TPR_SHADOW);
    }
    if (vmx_vid(env) && (reg == VAPIC_EOI || reg == VAPIC_ICR_LO)) {
        return true;
    }
    if (reg == VAPIC_ICR_LO && vmx_proc3(env, VMX_TERTIARY_EXEC_IPI_VIRT)) {
        return true;
    }
    if (!vmx_proc2(env, VMX_SECONDARY_EXEC_APIC_REGISTER_VIRT)) {
        return false;
    }
    switch (reg) {
    case 0x20:
    case 0xb0:
    case 0xd0 ... 0xf0:
    case 0x280:
    case 0x300 ... 0x380:
    case 0x3e0:
        return true;
    default:
        return false;
    }
}

/*
 * The instruction must be the last of its translation block: its effect on the
 * virtual APIC takes place before the next one.
 */
static void vmx_apic_write_last(CPUX86State *env, uintptr_t ra)
{
    CPUState *cs = env_cpu(env);

    if (!ra || cs->neg.can_do_io) {
        return;
    }
    cpu_restore_state(cs, ra);
    cs->cflags_next_tb = cs->tcg_cflags | CF_NOIRQ | CF_NO_GOTO_TB |
                         CF_NO_GOTO_PTR | 1;
    cs->exception_index = -1;
    cpu_loop_exit(cs);
}

/*
 * A linear access to what may be the APIC-access page: it exits, or uses the
 * virtual-APIC page. True if the translation is valid for this access only.
 */
bool x86_vmx_apic_access(CPUX86State *env, vaddr addr, int size,
                         MMUAccessType access_type, hwaddr *paddr,
                         uintptr_t ra)
{
    static const int types[] = {
        [MMU_DATA_LOAD] = 0, [MMU_DATA_STORE] = 1, [MMU_INST_FETCH] = 2,
    };
    int offset = addr & ~TARGET_PAGE_MASK, reg = offset & ~15;
    int type = env->vmx->event.info ? 3 : types[access_type];
    VmxExitInfo info = { .reason = VMX_EXIT_APIC_ACCESS, .insn = true };
    bool small = !VMX_BAD(env, APIC_ACCESS_SIZE,
                          size > 4 || (offset & 15) + size > 4);

    if (!vmx_proc2(env, VMX_SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES) ||
        (*paddr & TARGET_PAGE_MASK) != vmx_get(env, VMX_APIC_ACCESS_ADDR)) {
        return false;
    }
    if (type == 0 && small && vapic_virtualizes_read(env, reg)) {
        *paddr = vmx_get(env, VMX_VIRT_APIC_ADDR);
        return true;
    }
    if (type == 1 && small && vapic_virtualizes_write(env, reg)) {
        vmx_apic_write_last(env, ra);
        env->vmx->apic_write = reg;
        vmx_update_events(env);
        *paddr = vmx_get(env, VMX_VIRT_APIC_ADDR);
        return true;
    }
    info.qualification = offset | type << 12;
    vmx_do_exit(env, info, ra);
}

/* "APIC-Write Emulation", after the instruction that has written */
void vmx_apic_written(CPUX86State *env)
{
    int reg = env->vmx->apic_write;

    env->vmx->apic_write = -1;
    vmx_update_events(env);
    switch (reg) {
    case VAPIC_TPR:
        vapic_st(env, reg, vapic_ld(env, reg) & 0xff);
        vmx_tpr_written(env, 0);
        return;
    case VAPIC_EOI:
        if (vmx_vid(env)) {
            vapic_st(env, reg, 0);
            vmx_eoi(env, 0);
            return;
        }
        break;
    case VAPIC_ICR_LO:
        if (vmx_virtualize_icr(env, vapic_ld(env, reg),
                               vapic_ld(env, VAPIC_ICR_HI) >> 24)) {
            return;
        }
        break;
    case VAPIC_ICR_HI:
        vapic_st(env, reg, vapic_ld(env, reg) & 0xff000000);
        return;
    }
    vmx_exit(env, VMX_EXIT_APIC_WRITE, reg, 0);
}
