/*
 * VMX: interprocessor interrupts that guests send without a VM exit
 *
 * SDM: "Self-IPI Virtualization" and "IPI Virtualization". Other processors
 * write the posted-interrupt descriptors at the same time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qemu/main-loop.h"
#include "hw/i386/apic.h"
#include "tcg/seam-hooks.h"
#include "vmx-internal.h"

/* An entry of the PID-pointer table */
#define PID_VALID           (1 << 0)

/* Posted-interrupt descriptor: the word behind the 256 requests */
#define PID_NOTIFY          4
#define PID_ON              (1 << 0)
#define PID_SN              (1 << 1)
#define PID_VECTOR(word)    ((uint8_t)((word) >> 16))
#define PID_DEST(word)      ((uint32_t)((word) >> 32))

/* A fixed, edge-triggered interrupt with a physical destination, if any */
static bool icr_ok(CPUX86State *env, uint32_t icr, uint32_t type, VmxRule rule)
{
    bool bad = (icr & (VMX_ICR_RESERVED | VMX_ICR_STATUS)) ||
               (icr & VMX_ICR_TYPE) != type;

    return !bad || !vmx_rule(env, rule);
}

/* True if there was no notification that has not been processed. */
static bool pid_set_on(CPUX86State *env, uint64_t *word, uint64_t *notify)
{
    uint64_t old = qatomic_read(word), seen;

    for (;;) {
        if (VMX_BAD(env, IPI_SUPPRESS,
                    le64_to_cpu(old) & (PID_ON | PID_SN))) {
            return false;
        }
        if (!vmx_rule(env, VMX_RULE_IPI_ON)) {
            break;
        }
        seen = qatomic_cmpxchg(word, old, old | cpu_to_le64(PID_ON));
        if (seen == old) {
            break;
        }
        old = seen;
    }
    *notify = le64_to_cpu(old);
    return true;
}

static void pid_notify(CPUX86State *env, uint64_t notify)
{
    uint32_t dest = PID_DEST(notify);

    if (!vmx_rule(env, VMX_RULE_IPI_NOTIFY)) {
        return;
    }
    if (!vmx_x2apic_mode(env)) {
        dest = (dest >> 8) & 0xff;
    }
    BQL_LOCK_GUARD();
    apic_send_fixed_ipi(dest, PID_VECTOR(notify));
}

/* False if an APIC-write VM exit has to do it. */
static bool vmx_send_ipi(CPUX86State *env, uint8_t vector, uint32_t dest)
{
    uint64_t entry, notify, *pid;
    CPUTLBEntryFull *full;
    void *host;

    if (VMX_BAD(env, IPI_VECTOR, vector < 16) ||
        VMX_BAD(env, IPI_INDEX, dest > vmx_get(env, VMX_LAST_PID_INDEX))) {
        return false;
    }
    entry = x86_ldq_phys(env_cpu(env),
                         vmx_get(env, VMX_PID_TABLE) + 8ULL * dest);
    if (VMX_BAD(env, IPI_ENTRY, !(entry & PID_VALID) ||
                !vmx_pa_ok(env, entry & ~(uint64_t)PID_VALID, 64))) {
        return false;
    }
    x86_seam_take(env, entry & ~(uint64_t)63);
    probe_access_full_mmu(env, entry & ~(uint64_t)63, 0, MMU_DATA_STORE,
                          MMU_PHYS_IDX, &host, &full);
    if (!host) {
        return false;
    }
    pid = host;
    if (vmx_rule(env, VMX_RULE_IPI_PIR)) {
        qatomic_or(&pid[vector / 64], cpu_to_le64(1ULL << (vector % 64)));
    }
    if (pid_set_on(env, &pid[PID_NOTIFY], &notify)) {
        pid_notify(env, notify);
    }
    return true;
}

/* A write to the virtual ICR: false if it exits */
bool vmx_virtualize_icr(CPUX86State *env, uint32_t icr, uint32_t dest)
{
    if (vmx_proc2(env, VMX_SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY) &&
        icr_ok(env, icr & ~(1U << 11), VMX_ICR_SELF, VMX_RULE_APIC_ICR) &&
        (icr & 0xf0)) {
        vmx_self_ipi(env, icr & 0xff);
        return true;
    }
    return vmx_proc3(env, VMX_TERTIARY_EXEC_IPI_VIRT) &&
           icr_ok(env, icr, 0, VMX_RULE_IPI_ICR) &&
           vmx_send_ipi(env, icr, dest);
}
