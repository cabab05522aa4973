/*
 * VMX: rules that are disabled
 *
 * A rule that is disabled shows whether a test would miss it. Most are checks,
 * which consult the rule only if they fail. A control that is disabled is 0
 * while the guest runs, but not for the checks of VM entries. Fields that exits
 * write are corrected afterwards.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "qapi/error.h"
#include "hw/misc/rule-list.h"
#include "vmx-internal.h"

static const char *const rule_names[] = {
#define VMX_RULE(id, name) [VMX_RULE_##id] = name,
#define VMX_CTL_RULE(id, name, word, ctl) VMX_RULE(id, name)
#include "vmx-rules.h.inc"
#undef VMX_RULE
#undef VMX_CTL_RULE
};

static const struct {
    VmxRule rule;
    int word;
    uint32_t ctl;
} ctl_rules[] = {
#define VMX_RULE(id, name)
#define VMX_CTL_RULE(id, name, word, ctl) \
    { VMX_RULE_##id, VMX_CTL_##word, ctl },
#include "vmx-rules.h.inc"
#undef VMX_RULE
#undef VMX_CTL_RULE
};

static const struct {
    VmxRule rule;
    VmxExit first, last;
} qualification_rules[] = {
    { VMX_RULE_QUAL_EXCEPTION, VMX_EXIT_EXCEPTION, VMX_EXIT_EXCEPTION },
    { VMX_RULE_QUAL_SIPI, VMX_EXIT_SIPI, VMX_EXIT_SIPI },
    { VMX_RULE_QUAL_TASK_SWITCH, VMX_EXIT_TASK_SWITCH, VMX_EXIT_TASK_SWITCH },
    { VMX_RULE_QUAL_INVLPG, VMX_EXIT_INVLPG, VMX_EXIT_INVLPG },
    { VMX_RULE_QUAL_INSN, VMX_EXIT_VMCLEAR, VMX_EXIT_VMXON },
    { VMX_RULE_QUAL_CR, VMX_EXIT_CR, VMX_EXIT_CR },
    { VMX_RULE_QUAL_DR, VMX_EXIT_DR, VMX_EXIT_DR },
    { VMX_RULE_QUAL_IO, VMX_EXIT_IO, VMX_EXIT_IO },
    { VMX_RULE_QUAL_APIC_ACCESS, VMX_EXIT_APIC_ACCESS, VMX_EXIT_APIC_ACCESS },
    { VMX_RULE_QUAL_EOI, VMX_EXIT_EOI, VMX_EXIT_EOI },
    { VMX_RULE_QUAL_INSN, VMX_EXIT_GDTR_IDTR, VMX_EXIT_LDTR_TR },
    { VMX_RULE_QUAL_EPT, VMX_EXIT_EPT_VIOLATION, VMX_EXIT_EPT_VIOLATION },
    { VMX_RULE_QUAL_INSN, VMX_EXIT_INVEPT, VMX_EXIT_INVEPT },
    { VMX_RULE_QUAL_INSN, VMX_EXIT_INVVPID, VMX_EXIT_INVVPID },
    { VMX_RULE_QUAL_APIC_WRITE, VMX_EXIT_APIC_WRITE, VMX_EXIT_APIC_WRITE },
    { VMX_RULE_QUAL_INSN, VMX_EXIT_INVPCID, VMX_EXIT_INVPCID },
};

static const struct {
    VmxRule rule;
    VmxField field;
} info_rules[] = {
    { VMX_RULE_INFO_INTR, VMX_EXIT_INTR_INFO },
    { VMX_RULE_INFO_INTR_ERROR, VMX_EXIT_INTR_ERROR },
    { VMX_RULE_INFO_VECTORING, VMX_IDT_VEC_INFO },
    { VMX_RULE_INFO_VECTORING_ERROR, VMX_IDT_VEC_ERROR },
    { VMX_RULE_INFO_LENGTH, VMX_EXIT_INSN_LEN },
    { VMX_RULE_INFO_INSN, VMX_EXIT_INSN_INFO },
    { VMX_RULE_INFO_GLA, VMX_GUEST_LINEAR_ADDR },
    { VMX_RULE_INFO_GPA, VMX_GUEST_PHYSICAL_ADDR },
};

/* LOAD_ACTIVITY is checked where it is loaded. */
static const struct {
    VmxRule save, load;
    VmxField first, last;
} state_rules[] = {
    { VMX_RULE_SAVE_CR, VMX_RULE_LOAD_CR, VMX_GUEST_CR0, VMX_GUEST_CR4 },
    { VMX_RULE_SAVE_SYSENTER, VMX_RULE_LOAD_SYSENTER,
      VMX_GUEST_SYSENTER_CS, VMX_GUEST_SYSENTER_CS },
    { VMX_RULE_SAVE_SYSENTER, VMX_RULE_LOAD_SYSENTER,
      VMX_GUEST_SYSENTER_ESP, VMX_GUEST_SYSENTER_EIP },
    { VMX_RULE_SAVE_RSP, VMX_RULE_LOAD_RSP, VMX_GUEST_RSP, VMX_GUEST_RSP },
    { VMX_RULE_SAVE_RIP, VMX_RULE_LOAD_RIP, VMX_GUEST_RIP, VMX_GUEST_RIP },
    { VMX_RULE_SAVE_RFLAGS, VMX_RULE_LOAD_RFLAGS,
      VMX_GUEST_RFLAGS, VMX_GUEST_RFLAGS },
    { VMX_RULE_SAVE_SELECTORS, VMX_RULE_LOAD_SELECTORS,
      VMX_GUEST_ES_SEL, VMX_GUEST_TR_SEL },
    { VMX_RULE_SAVE_BASES, VMX_RULE_LOAD_BASES,
      VMX_GUEST_ES_BASE, VMX_GUEST_TR_BASE },
    { VMX_RULE_SAVE_LIMITS, VMX_RULE_LOAD_LIMITS,
      VMX_GUEST_ES_LIMIT, VMX_GUEST_TR_LIMIT },
    { VMX_RULE_SAVE_RIGHTS, VMX_RULE_LOAD_RIGHTS,
      VMX_GUEST_ES_AR, VMX_GUEST_TR_AR },
    { VMX_RULE_SAVE_TABLES, VMX_RULE_LOAD_TABLES,
      VMX_GUEST_GDTR_LIMIT, VMX_GUEST_IDTR_LIMIT },
    { VMX_RULE_SAVE_TABLES, VMX_RULE_LOAD_TABLES,
      VMX_GUEST_GDTR_BASE, VMX_GUEST_IDTR_BASE },
    { VMX_RULE_SAVE_BLOCKING, VMX_RULE_LOAD_BLOCKING,
      VMX_GUEST_INTERRUPTIBILITY, VMX_GUEST_INTERRUPTIBILITY },
    { VMX_RULE_SAVE_PENDING, VMX_RULE__MAX,
      VMX_GUEST_PENDING_DBG, VMX_GUEST_PENDING_DBG },
    { VMX_RULE_SAVE_ACTIVITY, VMX_RULE__MAX,
      VMX_GUEST_ACTIVITY, VMX_GUEST_ACTIVITY },
    { VMX_RULE_SAVE_PDPTES, VMX_RULE_LOAD_PDPTES,
      VMX_GUEST_PDPTE0, VMX_GUEST_PDPTE3 },
    { VMX_RULE_SAVE_LMA, VMX_RULE__MAX, VMX_ENTRY_CTLS, VMX_ENTRY_CTLS },
};

bool vmx_ignore_rules(CPUX86State *env, const char *names, Error **errp)
{
    VmxIgnored *ignored = g_new0(VmxIgnored, 1);
    int i;

    env->vmx->ignored = ignored;
    if (!rule_list_parse(names, rule_names, VMX_RULE__MAX, "x-vmx-ignore",
                         ignored->rules, errp)) {
        return false;
    }
    for (i = 0; i < ARRAY_SIZE(ctl_rules); i++) {
        if (test_bit(ctl_rules[i].rule, ignored->rules)) {
            ignored->ctls[ctl_rules[i].word] |= ctl_rules[i].ctl;
        }
    }
    return true;
}

/* Clear what an exit has reported, but must not. */
void vmx_drop_info(CPUX86State *env)
{
    uint32_t reason = vmx_get(env, VMX_EXIT_REASON);
    int i;

    for (i = 0; i < ARRAY_SIZE(qualification_rules); i++) {
        if (reason >= qualification_rules[i].first &&
            reason <= qualification_rules[i].last &&
            !vmx_rule(env, qualification_rules[i].rule)) {
            vmx_set(env, VMX_EXIT_QUALIFICATION, 0);
        }
    }
    for (i = 0; i < ARRAY_SIZE(info_rules); i++) {
        if (!vmx_rule(env, info_rules[i].rule)) {
            vmx_set(env, info_rules[i].field, 0);
        }
    }
}

/* The fields are as they were before the exit. */
void vmx_drop_state(CPUX86State *env, const VmxVmcs *before)
{
    VmxField f;
    int i;

    for (i = 0; i < ARRAY_SIZE(state_rules); i++) {
        if (!vmx_rule(env, state_rules[i].save)) {
            for (f = state_rules[i].first; f <= state_rules[i].last; f++) {
                vmx_set(env, f, before->f[f]);
            }
        }
    }
}

/*
 * Fields that a VM entry must not load get what the processor has. Returns the
 * VMCS as it was.
 */
VmxVmcs *vmx_keep_state(CPUX86State *env)
{
    VmxVmcs *before = g_memdup2(env->vmx->vmcs, sizeof(*before));
    g_autofree VmxVmcs *now = NULL;
    VmxField f;
    int i;

    vmx_save_registers(env);
    for (i = 0; i < 4; i++) {
        /* Registers of a guest only */
        vmx_set(env, VMX_GUEST_PDPTE0 + i, env->vmx->pdpte[i]);
    }
    now = g_memdup2(env->vmx->vmcs, sizeof(*now));
    memcpy(env->vmx->vmcs, before, sizeof(*before));
    for (i = 0; i < ARRAY_SIZE(state_rules); i++) {
        if (state_rules[i].load != VMX_RULE__MAX &&
            !vmx_rule(env, state_rules[i].load)) {
            for (f = state_rules[i].first; f <= state_rules[i].last; f++) {
                vmx_set(env, f, now->f[f]);
            }
        }
    }
    return before;
}
