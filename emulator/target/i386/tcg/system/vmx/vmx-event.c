/*
 * VMX: delivery, injection and recognition of events
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qemu/main-loop.h"
#include "hw/i386/apic.h"
#include "hw/i386/apic_internal.h"
#include "tcg/vmx-hooks.h"
#include "vmx-internal.h"

/*
 * Delivery of an event begins, to a processor that is active then: an exit
 * during it reports the event.
 */
void x86_vmx_event_begin(CPUX86State *env, int intno, int is_int,
                         int error_code, target_ulong next_eip, int is_hw)
{
    X86VmxState *vmx = env->vmx;
    VmxEvent event = { .info = VMX_INTR_VALID | intno };
    int type;

    vmx->activity = VMX_ACTIVE;
    /* Breakpoints that MOV SS has delayed are not reported after an event. */
    vmx->debug_cause = 0;
    if (vmx->event_injected) {
        vmx->event_injected = false;
        return;
    }
    if (is_int) {
        /* INT3 and INTO are one-byte instructions. */
        event.insn_len = next_eip - env->eip;
        type = event.insn_len == 1 ? VMX_INTR_SOFT_EXCEPTION : VMX_INTR_SOFT;
    } else if (is_hw) {
        type = intno == EXCP02_NMI ? VMX_INTR_NMI : VMX_INTR_EXT;
    } else {
        type = VMX_INTR_EXCEPTION;
        if ((env->cr[0] & CR0_PE_MASK) && exception_has_error_code(intno)) {
            event.info |= VMX_INTR_ERROR;
            event.error = error_code;
        }
    }
    event.info |= type << VMX_INTR_TYPE_SHIFT;
    vmx->event = event;
}

void x86_vmx_event_end(CPUX86State *env)
{
    env->vmx->event = (VmxEvent) { 0 };
}

/* "Event Injection": deliver the event as if it had occurred now. */
void vmx_deliver_injected(CPUX86State *env)
{
    CPUState *cs = env_cpu(env);
    X86VmxState *vmx = env->vmx;
    uint32_t info = vmx_get(env, VMX_ENTRY_INTR_INFO);
    int vector = info & VMX_INTR_VECTOR;
    int type = (info & VMX_INTR_TYPE_MASK) >> VMX_INTR_TYPE_SHIFT;

    if (type == VMX_INTR_OTHER) {
        vmx->mtf_pending = true;
        vmx_update_events(env);
        return;
    }
    vmx->event = (VmxEvent) {
        .info = info,
        .error = vmx_get(env, VMX_ENTRY_ERROR_CODE),
        .insn_len = vmx_get(env, VMX_ENTRY_INSN_LEN),
    };
    vmx->event_injected = true;
    if (type == VMX_INTR_NMI) {
        env->hflags2 |= HF2_NMI_MASK;
    }
    if (type == VMX_INTR_NMI || type == VMX_INTR_EXT) {
        do_interrupt_x86_hardirq(env, vector, 1);
        return;
    }
    cs->exception_index = vector;
    env->error_code = vmx->event.error;
    env->exception_is_int = type == VMX_INTR_SOFT ||
                            type == VMX_INTR_SOFT_EXCEPTION;
    env->exception_next_eip = env->eip;
    if (type != VMX_INTR_EXCEPTION) {
        /* Traps are reported after their instruction. */
        env->exception_next_eip += vmx->event.insn_len;
        if (type == VMX_INTR_PRIV_SOFT_EXCEPTION) {
            env->eip += vmx->event.insn_len;
        }
    } else if (vector == EXCP08_DBLE || vector == EXCP0E_PAGE ||
               vector == EXCP00_DIVZ || vector == EXCP14_VE ||
               (vector >= EXCP0A_TSS && vector <= EXCP0D_GPF)) {
        /* A fault during the delivery is a second one. */
        env->old_exception = vector;
    }
    cpu_loop_exit(cs);
}

void x86_vmx_iret(CPUX86State *env)
{
    /* NMIs stay blocked if they exit, unless there are virtual NMIs. */
    if (VMX_BAD(env, IRET_NMI, vmx_pin(env, VMX_PIN_BASED_NMI_EXITING) &&
                !vmx_pin(env, VMX_PIN_BASED_VIRTUAL_NMIS))) {
        return;
    }
    env->hflags2 &= ~HF2_NMI_MASK;
}

/* "VMX-Preemption Timer" */
static void vmx_timer_cb(void *opaque)
{
    X86CPU *cpu = opaque;

    cpu->env.vmx->timer_expired = true;
    cpu_interrupt(CPU(cpu), CPU_INTERRUPT_VMX);
}

uint64_t vmx_ticks(CPUX86State *env)
{
    return muldiv64(qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL), env->tsc_khz,
                    1000000);
}

/* vmx_ticks() in nanoseconds */
static int64_t vmx_ticks_to_ns(CPUX86State *env, uint64_t ticks)
{
    return muldiv64(ticks, 1000000, env->tsc_khz) + 1;
}

void vmx_timer_arm(CPUX86State *env)
{
    X86VmxState *vmx = env->vmx;
    uint64_t ticks;

    if (!vmx_pin(env, VMX_PIN_BASED_VMX_PREEMPTION_TIMER)) {
        return;
    }
    if (!vmx->timer) {
        vmx->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, vmx_timer_cb,
                                  env_archcpu(env));
    }
    ticks = vmx_get(env, VMX_PREEMPTION_TIMER) << VMX_PREEMPTION_TIMER_SHIFT;
    vmx->timer_deadline = vmx_ticks(env) + ticks;
    vmx->timer_armed = true;
    vmx->timer_expired = !ticks;
    if (ticks) {
        timer_mod(vmx->timer, vmx_ticks_to_ns(env, vmx->timer_deadline));
    }
}

void vmx_timer_stop(CPUX86State *env)
{
    X86VmxState *vmx = env->vmx;
    int64_t left;

    if (!vmx->timer_armed) {
        return;
    }
    timer_del(vmx->timer);
    left = vmx->timer_deadline - vmx_ticks(env);
    if (vmx->timer_expired || left < 0) {
        left = 0;
    }
    if (vmx->vmcs &&
        (vmx_exit_ctls(env) & VMX_VM_EXIT_SAVE_VMX_PREEMPTION_TIMER)) {
        vmx_set(env, VMX_PREEMPTION_TIMER, left >> VMX_PREEMPTION_TIMER_SHIFT);
    }
    vmx->timer_armed = vmx->timer_expired = false;
}

/*
 * True if an event of x86_vmx_pending_interrupt() can become pending by itself.
 */
static bool vmx_awaits_event(CPUX86State *env)
{
    X86VmxState *vmx = env->vmx;

    return vmx_guest(env) &&
           (vmx->timer_expired || vmx->mtf_pending || vmx->virq ||
            vmx->tpr_pending || vmx->apic_write >= 0 ||
            vmx_proc(env, VMX_CPU_BASED_VIRTUAL_INTR_PENDING |
                          VMX_CPU_BASED_VIRTUAL_NMI_PENDING |
                          VMX_CPU_BASED_MONITOR_TRAP_FLAG));
}

/* CPU_INTERRUPT_VMX is set while the CPU waits for an event. */
void vmx_update_events(CPUX86State *env)
{
    CPUState *cs = env_cpu(env);
    bool want = vmx_awaits_event(env);
    bool locked = bql_locked();

    if (want == !!(qatomic_read(&cs->interrupt_request) & CPU_INTERRUPT_VMX)) {
        return;
    }
    if (!locked) {
        bql_lock();
        /* The timer's callback may have run in between. */
        want = vmx_awaits_event(env);
    }
    if (want) {
        cpu_interrupt(cs, CPU_INTERRUPT_VMX);
    } else {
        cpu_reset_interrupt(cs, CPU_INTERRUPT_VMX);
    }
    if (!locked) {
        bql_unlock();
    }
}

bool x86_vmx_blocks_init(CPUX86State *env)
{
    return env->vmx->on && !vmx_guest(env);
}

/* Events that do not exit */
enum {
    VMX_OWN_APIC_WRITE = 0x10000,
    VMX_OWN_VIRQ,
};

static bool vmx_nmi_window_due(CPUX86State *env)
{
    bool shadow = env->hflags & HF_INHIBIT_IRQ_MASK;

    return vmx_proc(env, VMX_CPU_BASED_VIRTUAL_NMI_PENDING) &&
           !VMX_BAD(env, NMI_WINDOW_OPEN,
                    (env->hflags2 & HF2_NMI_MASK) || shadow);
}

static bool vmx_intr_window_due(CPUX86State *env)
{
    bool shadow = env->hflags & HF_INHIBIT_IRQ_MASK;

    return vmx_proc(env, VMX_CPU_BASED_VIRTUAL_INTR_PENDING) &&
           !VMX_BAD(env, INTR_WINDOW_OPEN,
                    !(env->eflags & IF_MASK) || shadow) &&
           env->vmx->activity <= VMX_HLT;
}

/*
 * True if two events are due of which the second one goes first, because the
 * rule of their order is disabled
 */
#define VMX_DISORDER(env, rule, second) \
    (unlikely((env)->vmx->ignored) && !vmx_rule(env, VMX_RULE_##rule) && \
     (second))

/* The VMX event with the highest priority that is due */
static int vmx_own_event(CPUX86State *env)
{
    X86VmxState *vmx = env->vmx;
    bool shadow = env->hflags & HF_INHIBIT_IRQ_MASK;

    if (vmx->activity == VMX_WAIT_SIPI) {
        return 0;
    }
    if (vmx->apic_write >= 0) {
        return VMX_OWN_APIC_WRITE;
    }
    if (vmx->tpr_pending) {
        return VMX_EXIT_TPR_THRESHOLD;
    }
    if ((vmx->mtf_pending || vmx_proc(env, VMX_CPU_BASED_MONITOR_TRAP_FLAG)) &&
        !VMX_DISORDER(env, ORDER_MTF_TIMER, vmx->timer_expired)) {
        return VMX_EXIT_MTF;
    }
    if (vmx->timer_expired &&
        !VMX_DISORDER(env, ORDER_TIMER_WINDOW, vmx_nmi_window_due(env) ||
                      vmx_intr_window_due(env))) {
        return VMX_EXIT_PREEMPTION_TIMER;
    }
    if (vmx_nmi_window_due(env) &&
        !VMX_DISORDER(env, ORDER_WINDOWS, vmx_intr_window_due(env))) {
        return VMX_EXIT_NMI_WINDOW;
    }
    if (vmx_intr_window_due(env)) {
        return VMX_EXIT_INTR_WINDOW;
    }
    if (vmx->virq && (env->eflags & IF_MASK) && !shadow &&
        vmx->activity <= VMX_HLT) {
        return VMX_OWN_VIRQ;
    }
    return 0;
}

static bool vmx_nmi_pending(CPUX86State *env, int req)
{
    if (!(req & CPU_INTERRUPT_NMI) || env->vmx->activity == VMX_WAIT_SIPI) {
        return false;
    }
    /* With virtual NMIs, only these can be blocked. */
    return vmx_pin(env, VMX_PIN_BASED_VIRTUAL_NMIS) ||
           !(env->hflags2 & HF2_NMI_MASK);
}

static bool vmx_intr_pending(CPUX86State *env, int req)
{
    if (!(req & CPU_INTERRUPT_HARD) || env->vmx->activity >= VMX_SHUTDOWN) {
        return false;
    }
    return vmx_pin(env, VMX_PIN_BASED_EXT_INTR_MASK) ||
           ((env->eflags & IF_MASK) && !(env->hflags & HF_INHIBIT_IRQ_MASK));
}

/*
 * In non-root operation, in the order of "Priority Among Concurrent Events".
 * SMIs are deferred: on a platform without dual-monitor treatment, no software
 * can observe them while a guest runs.
 */
int x86_vmx_pending_interrupt(CPUX86State *env, int req)
{
    int own = req & CPU_INTERRUPT_VMX ? vmx_own_event(env) : 0;

    if (req & CPU_INTERRUPT_POLL) {
        return CPU_INTERRUPT_POLL;
    }
    if ((req & CPU_INTERRUPT_SIPI) && env->vmx->activity == VMX_WAIT_SIPI) {
        return CPU_INTERRUPT_SIPI;
    }
    if (own == VMX_EXIT_MTF || own == VMX_EXIT_PREEMPTION_TIMER ||
        own == VMX_OWN_APIC_WRITE || own == VMX_EXIT_TPR_THRESHOLD) {
        return CPU_INTERRUPT_VMX;
    }
    if (vmx_nmi_pending(env, req)) {
        return CPU_INTERRUPT_NMI;
    }
    if (req & CPU_INTERRUPT_MCE) {
        return CPU_INTERRUPT_MCE;
    }
    if (own == VMX_EXIT_NMI_WINDOW) {
        return CPU_INTERRUPT_VMX;
    }
    if (vmx_intr_pending(env, req)) {
        return CPU_INTERRUPT_HARD;
    }
    return own ? CPU_INTERRUPT_VMX : 0;
}

/* A processor that is woken by an event that does not end HLT halts again. */
static bool vmx_halt_again(CPUX86State *env)
{
    CPUState *cs = env_cpu(env);

    if (env->vmx->activity == VMX_HLT && !cpu_has_work(cs)) {
        cs->halted = 1;
        cs->exception_index = EXCP_HLT;
        cpu_loop_exit(cs);
    }
    return false;
}

/* Handle a VMX event: an exit, or an action of the virtual APIC */
static bool vmx_exec_own(CPUX86State *env)
{
    int own = vmx_own_event(env);

    switch (own) {
    case VMX_OWN_APIC_WRITE:
        vmx_apic_written(env);
        return true;
    case VMX_OWN_VIRQ:
        do_interrupt_x86_hardirq(env, vmx_take_virq(env), 1);
        return true;
    default:
        vmx_exit(env, own, 0, 0);
    }
}

/* "External-interrupt exiting" */
static bool vmx_exec_intr(CPUX86State *env)
{
    uint32_t info = 0;

    if (!vmx_pin(env, VMX_PIN_BASED_EXT_INTR_MASK)) {
        env->vmx->activity = VMX_ACTIVE;
        return true;
    }
    if (vmx_exit_ctls(env) & VMX_VM_EXIT_ACK_INTR_ON_EXIT) {
        int vector;

        env_cpu(env)->interrupt_request &= ~CPU_INTERRUPT_HARD;
        vector = cpu_get_pic_interrupt(env);
        if (vector < 0) {
            env->vmx->activity = VMX_ACTIVE;
            return false;
        }
        if (vmx_pin(env, VMX_PIN_BASED_POSTED_INTR) &&
            vector == vmx_get(env, VMX_POSTED_INTR_NV)) {
            if (env_archcpu(env)->apic_state) {
                apic_do_eoi(env_archcpu(env)->apic_state);
            }
            vmx_posted_interrupts(env);
            return vmx_halt_again(env);
        }
        info = VMX_INTR_VALID | VMX_INTR_EXT << VMX_INTR_TYPE_SHIFT | vector;
    }
    vmx_exit_intr(env, VMX_EXIT_EXT_INTR, 0, info, 0, 0);
}

void x86_vmx_halted(CPUX86State *env)
{
    env->vmx->activity = VMX_HLT;
}

/* Exit to the host for @req; false if it is gone, true to deliver it. */
bool x86_vmx_exec_interrupt(CPUX86State *env, int req)
{
    CPUState *cs = env_cpu(env);

    switch (req) {
    case CPU_INTERRUPT_SIPI:
        cpu_reset_interrupt(cs, CPU_INTERRUPT_SIPI);
        vmx_exit(env, VMX_EXIT_SIPI,
                 APIC_COMMON(env_archcpu(env)->apic_state)->sipi_vector, 0);
    case CPU_INTERRUPT_VMX:
        return vmx_exec_own(env);
    case CPU_INTERRUPT_NMI:
        if (vmx_pin(env, VMX_PIN_BASED_NMI_EXITING)) {
            cpu_reset_interrupt(cs, CPU_INTERRUPT_NMI);
            vmx_exit_intr(env, VMX_EXIT_EXCEPTION, 0,
                          VMX_INTR_VALID |
                          VMX_INTR_NMI << VMX_INTR_TYPE_SHIFT | EXCP02_NMI,
                          0, 0);
        }
        return true;
    case CPU_INTERRUPT_HARD:
        return vmx_exec_intr(env);
    default:
        if (cs->interrupt_request & CPU_INTERRUPT_VMX) {
            /* Check again before the next translation block is executed. */
            cpu_interrupt(cs, CPU_INTERRUPT_VMX);
        }
        return true;
    }
}
