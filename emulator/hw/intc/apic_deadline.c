/*
 * Local APIC: the TSC-deadline mode of the timer
 *
 * SDM: "TSC-Deadline Mode". The deadline is a value of the processor's TSC, not
 * of a guest's. It is in IA32_TSC_DEADLINE until the timer expires, or until
 * the mode changes. All functions need the BQL.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qemu/host-utils.h"
#include "hw/i386/apic.h"
#include "hw/i386/apic_internal.h"

/* What is further away than 36 years never happens; in ms. */
#define NEVER   ((1ULL << 60) / 1000000)

bool apic_deadline_mode(APICCommonState *s)
{
    return (s->lvt[APIC_LVT_TIMER] & APIC_LVT_TIMER_MODE) ==
           APIC_LVT_TIMER_TSCDEADLINE;
}

/* Bits of the timer's LVT that are reserved on a processor without this mode */
uint32_t apic_lvt_timer_reserved(APICCommonState *s)
{
    return s->cpu->env.features[FEAT_1_ECX] & CPUID_EXT_TSC_DEADLINE_TIMER ?
           0 : APIC_LVT_TIMER_TSCDEADLINE;
}

/* The timer's mode is to change from or to this one: the timer is disarmed. */
void apic_deadline_mode_changes(APICCommonState *s, uint32_t lvt)
{
    bool mode = (lvt & APIC_LVT_TIMER_MODE) == APIC_LVT_TIMER_TSCDEADLINE;

    if (mode != apic_deadline_mode(s)) {
        s->cpu->env.tsc_deadline = 0;
        s->initial_count = 0;
    }
}

static uint64_t deadline_ticks_left(CPUX86State *env)
{
    uint64_t now = cpu_get_tsc(env);

    return env->tsc_deadline > now ? env->tsc_deadline - now : 0;
}

/* Arm or disarm the timer. */
void apic_deadline_update(APICCommonState *s)
{
    CPUX86State *env = &s->cpu->env;
    uint64_t left = deadline_ticks_left(env);

    s->timer_expiry = -1;
    if (!env->tsc_deadline || left / env->tsc_khz >= NEVER) {
        timer_del(s->timer);
        return;
    }
    s->next_time = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
                   muldiv64(left, 1000000, env->tsc_khz) + 1;
    s->timer_expiry = s->next_time;
    timer_mod(s->timer, s->next_time);
}

/* True if the timer has expired. */
bool apic_deadline_expired(APICCommonState *s)
{
    CPUX86State *env = &s->cpu->env;

    if (!env->tsc_deadline || deadline_ticks_left(env)) {
        apic_deadline_update(s);
        return false;
    }
    env->tsc_deadline = 0;
    s->timer_expiry = -1;
    return true;
}

uint64_t apic_get_tsc_deadline(DeviceState *dev)
{
    APICCommonState *s = APIC_COMMON(dev);

    return apic_deadline_mode(s) ? s->cpu->env.tsc_deadline : 0;
}

void apic_set_tsc_deadline(DeviceState *dev, uint64_t deadline)
{
    APICCommonState *s = APIC_COMMON(dev);

    if (apic_deadline_mode(s)) {
        s->cpu->env.tsc_deadline = deadline;
        apic_deadline_update(s);
    }
}

/* The TSC was written: it may have passed the deadline. */
void apic_tsc_written(DeviceState *dev)
{
    APICCommonState *s = APIC_COMMON(dev);

    if (apic_deadline_mode(s)) {
        apic_deadline_update(s);
    }
}
