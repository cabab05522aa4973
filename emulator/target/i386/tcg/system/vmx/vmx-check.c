/*
 * VMX: checks on VMX controls and on the host-state area at VM entry
 *
 * In the order of the SDM's chapter "VM Entries". The order of checks that fail
 * in the same way cannot be observed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "cpu.h"
#include "tcg/seam-hooks.h"
#include "vmx-internal.h"
#include "vmx-check.h"

bool vmx_efer_ok(CPUX86State *env, uint64_t efer)
{
    uint64_t valid = MSR_EFER_SCE | MSR_EFER_LME | MSR_EFER_LMA;

    if (env->features[FEAT_8000_0001_EDX] & CPUID_EXT2_NX) {
        valid |= MSR_EFER_NXE;
    }
    return !(efer & ~valid);
}

bool vmx_eptp_ok(CPUX86State *env, uint64_t eptp)
{
    uint64_t caps = env->features[FEAT_VMX_EPT_VPID_CAPS];
    int type = eptp & VMX_EPTP_MEMTYPE;
    int walk = (eptp >> VMX_EPTP_WALK_SHIFT) & 7;

    if (VMX_BAD(env, EPTP_TYPE, type != 0 && type != 6)) {
        return false;
    }
    if (VMX_BAD(env, EPTP_WALK,
                walk != 3 || !(caps & MSR_VMX_EPT_PAGE_WALK_LENGTH_4))) {
        return false;
    }
    if ((eptp & VMX_EPTP_AD) && !(caps & MSR_VMX_EPT_AD_BITS)) {
        return false;
    }
    return !VMX_BAD(env, EPTP_RESERVED,
                    eptp & 0xf80 || eptp >> env_archcpu(env)->phys_bits) &&
           !VMX_BAD(env, KEY_EPTP, !vmx_key_ok(env, eptp));
}

/* The field is the address of a page. */
static bool vmx_page_ok(CPUX86State *env, VmxField f)
{
    return vmx_pa_ok(env, vmx_get(env, f), 4096);
}

static bool vmx_check_bitmaps(CPUX86State *env, uint32_t proc)
{
    if ((proc & VMX_CPU_BASED_USE_IO_BITMAPS) &&
        (VMX_BAD(env, CHECK_IO_BITMAP_A,
                 !vmx_page_ok(env, VMX_IO_BITMAP_A)) ||
         VMX_BAD(env, CHECK_IO_BITMAP_B,
                 !vmx_page_ok(env, VMX_IO_BITMAP_B)))) {
        return false;
    }
    return !(proc & VMX_CPU_BASED_USE_MSR_BITMAPS) ||
           !VMX_BAD(env, CHECK_MSR_BITMAP,
                    !vmx_page_ok(env, VMX_MSR_BITMAP));
}

static bool vmx_check_tpr(CPUX86State *env, uint32_t proc, uint32_t proc2)
{
    uint64_t page = vmx_get(env, VMX_VIRT_APIC_ADDR);
    uint32_t threshold = vmx_get(env, VMX_TPR_THRESHOLD);
    uint64_t proc3 = vmx_want_proc3(env);

    if (!(proc & VMX_CPU_BASED_TPR_SHADOW)) {
        return !VMX_BAD(env, CHECK_TPR_SHADOW, proc2 &
                        (VMX_SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE |
                         VMX_SECONDARY_EXEC_APIC_REGISTER_VIRT |
                         VMX_SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY)) &&
               !VMX_BAD(env, CHECK_IPI_SHADOW,
                        proc3 & VMX_TERTIARY_EXEC_IPI_VIRT);
    }
    if (VMX_BAD(env, CHECK_VIRT_APIC, !vmx_pa_ok(env, page, 4096))) {
        return false;
    }
    if (proc2 & VMX_SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY) {
        return true;
    }
    if (VMX_BAD(env, CHECK_THRESHOLD_RESERVED, threshold & ~0xf)) {
        return false;
    }
    return (proc2 & VMX_SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES) ||
           !VMX_BAD(env, CHECK_THRESHOLD, threshold >
                    x86_ldub_phys(env_cpu(env),
                                  (page | vmx_td_key(env)) + 0x80) >> 4);
}

static bool vmx_check_nmi(CPUX86State *env, uint32_t pin, uint32_t proc)
{
    bool vnmi = pin & VMX_PIN_BASED_VIRTUAL_NMIS;

    return !VMX_BAD(env, CHECK_VNMI,
                    vnmi && !(pin & VMX_PIN_BASED_NMI_EXITING)) &&
           !VMX_BAD(env, CHECK_NMI_WINDOW,
                    !vnmi && (proc & VMX_CPU_BASED_VIRTUAL_NMI_PENDING));
}

static bool vmx_check_posted(CPUX86State *env, bool vid)
{
    uint32_t exit = vmx_get(env, VMX_EXIT_CTLS);

    return !VMX_BAD(env, CHECK_POSTED_VID, !vid) &&
           !VMX_BAD(env, CHECK_POSTED_ACK,
                    !(exit & VMX_VM_EXIT_ACK_INTR_ON_EXIT)) &&
           !VMX_BAD(env, CHECK_POSTED_VECTOR,
                    vmx_get(env, VMX_POSTED_INTR_NV) & 0xff00) &&
           !VMX_BAD(env, CHECK_POSTED_DESC,
                    !vmx_pa_ok(env, vmx_get(env, VMX_POSTED_INTR_DESC), 64));
}

static bool vmx_check_apic(CPUX86State *env, uint32_t pin, uint32_t proc2)
{
    bool vid = proc2 & VMX_SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;

    if ((proc2 & VMX_SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES) &&
        (VMX_BAD(env, CHECK_APIC_ACCESS,
                 !vmx_page_ok(env, VMX_APIC_ACCESS_ADDR)) ||
         VMX_BAD(env, CHECK_APIC_MODES,
                 proc2 & VMX_SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE))) {
        return false;
    }
    if (VMX_BAD(env, CHECK_VID, vid && !(pin & VMX_PIN_BASED_EXT_INTR_MASK))) {
        return false;
    }
    return !(pin & VMX_PIN_BASED_POSTED_INTR) || vmx_check_posted(env, vid);
}

static bool vmx_check_proc3(CPUX86State *env)
{
    uint64_t proc3 = vmx_want_proc3(env), table = vmx_get(env, VMX_PID_TABLE);
    uint64_t last = table + 8 * vmx_get(env, VMX_LAST_PID_INDEX) + 7;

    if (VMX_BAD(env, CHECK_PROC3,
                proc3 & ~(env->features[FEAT_VMX_TERTIARY_CTLS] |
                          x86_seam_stub_features(env,
                                                 FEAT_VMX_TERTIARY_CTLS)))) {
        return false;
    }
    return !(proc3 & VMX_TERTIARY_EXEC_IPI_VIRT) ||
           (!VMX_BAD(env, CHECK_PID_TABLE, !vmx_pa_ok(env, table, 8)) &&
            !VMX_BAD(env, CHECK_PID_TABLE_END, !vmx_pa_ok(env, last, 1)));
}

static bool vmx_check_vmfunc(CPUX86State *env, bool ept)
{
    uint64_t functions = vmx_get(env, VMX_VMFUNC_CTLS);

    if (VMX_BAD(env, CHECK_VMFUNC,
                functions & ~env->features[FEAT_VMX_VMFUNC])) {
        return false;
    }
    return !(functions & MSR_VMX_VMFUNC_EPT_SWITCHING) ||
           (!VMX_BAD(env, CHECK_EPTP_LIST_EPT, !ept) &&
            !VMX_BAD(env, CHECK_EPTP_LIST,
                     !vmx_page_ok(env, VMX_EPTP_LIST)));
}

static bool vmx_check_ept(CPUX86State *env, uint32_t proc2)
{
    bool ept = proc2 & VMX_SECONDARY_EXEC_ENABLE_EPT;

    if (VMX_BAD(env, CHECK_VPID, (proc2 & VMX_SECONDARY_EXEC_ENABLE_VPID) &&
                !vmx_get(env, VMX_VPID))) {
        return false;
    }
    if (ept && !vmx_eptp_ok(env, vmx_get(env, VMX_EPTP))) {
        return false;
    }
    if ((proc2 & VMX_SECONDARY_EXEC_ENABLE_PML) &&
        (VMX_BAD(env, CHECK_PML_EPT, !ept) ||
         VMX_BAD(env, CHECK_PML,
                 !vmx_page_ok(env, VMX_PML_ADDR)))) {
        return false;
    }
    if ((proc2 & VMX_SECONDARY_EXEC_EPT_VIOLATION_VE) &&
        VMX_BAD(env, CHECK_VE,
                !vmx_page_ok(env, VMX_VE_INFO_ADDR))) {
        return false;
    }
    if (VMX_BAD(env, CHECK_UNRESTRICTED,
                (proc2 & VMX_SECONDARY_EXEC_UNRESTRICTED_GUEST) && !ept)) {
        return false;
    }
    if ((proc2 & VMX_SECONDARY_EXEC_SHADOW_VMCS) &&
        (VMX_BAD(env, CHECK_VMREAD_BITMAP,
                 !vmx_page_ok(env, VMX_VMREAD_BITMAP)) ||
         VMX_BAD(env, CHECK_VMWRITE_BITMAP,
                 !vmx_page_ok(env, VMX_VMWRITE_BITMAP)))) {
        return false;
    }
    if (VMX_BAD(env, CHECK_MBEC,
                (proc2 & VMX_SECONDARY_EXEC_MODE_BASED_EXEC) && !ept)) {
        return false;
    }
    return !(proc2 & VMX_SECONDARY_EXEC_ENABLE_VMFUNC) ||
           vmx_check_vmfunc(env, ept);
}

static bool vmx_check_msr_list(CPUX86State *env, VmxField addr, VmxField count)
{
    uint64_t pa = vmx_get(env, addr);
    uint64_t n = vmx_get(env, count);

    return !n || (!VMX_BAD(env, CHECK_MSR_LIST, !vmx_pa_ok(env, pa, 16)) &&
                  !VMX_BAD(env, CHECK_MSR_LIST_END,
                           !vmx_pa_ok(env, pa + n * 16 - 1, 1)));
}

static bool vmx_check_exit_ctls(CPUX86State *env, uint32_t pin)
{
    uint32_t ctls = vmx_get(env, VMX_EXIT_CTLS);

    if (VMX_BAD(env, CHECK_EXIT,
                !vmx_ctls_ok(env, FEAT_VMX_EXIT_CTLS, ctls))) {
        return false;
    }
    if (VMX_BAD(env, CHECK_SAVE_TIMER,
                (ctls & VMX_VM_EXIT_SAVE_VMX_PREEMPTION_TIMER) &&
                !(pin & VMX_PIN_BASED_VMX_PREEMPTION_TIMER))) {
        return false;
    }
    return vmx_check_msr_list(env, VMX_EXIT_MSR_STORE_ADDR,
                              VMX_EXIT_MSR_STORE_COUNT) &&
           vmx_check_msr_list(env, VMX_EXIT_MSR_LOAD_ADDR,
                              VMX_EXIT_MSR_LOAD_COUNT);
}

static bool vmx_type_has_vector(int type, int vector)
{
    switch (type) {
    case VMX_INTR_NMI:
        return vector == EXCP02_NMI;
    case VMX_INTR_EXCEPTION:
        return vector < 32;
    case VMX_INTR_OTHER:
        return vector == 0;
    case 1:
        return false;
    default:
        return true;
    }
}

static bool vmx_check_injection(CPUX86State *env, uint32_t proc,
                                uint32_t proc2)
{
    uint32_t info = vmx_get(env, VMX_ENTRY_INTR_INFO);
    uint32_t len = vmx_get(env, VMX_ENTRY_INSN_LEN);
    int vector = info & VMX_INTR_VECTOR;
    int type = (info & VMX_INTR_TYPE_MASK) >> VMX_INTR_TYPE_SHIFT;
    bool real = (proc2 & VMX_SECONDARY_EXEC_UNRESTRICTED_GUEST) &&
                !(vmx_get(env, VMX_GUEST_CR0) & CR0_PE_MASK);
    bool error = type == VMX_INTR_EXCEPTION && !real &&
                 vector < 32 && exception_has_error_code(vector) &&
                 vector != EXCP1D_VC;

    if (!(info & VMX_INTR_VALID)) {
        return true;
    }
    if (VMX_BAD(env, INJECT_TYPE, !vmx_type_has_vector(type, vector)) ||
        VMX_BAD(env, INJECT_RESERVED, info & VMX_INTR_RESERVED)) {
        return false;
    }
    if (type == VMX_INTR_OTHER &&
        !(env->features[FEAT_VMX_PROCBASED_CTLS] &
          VMX_CPU_BASED_MONITOR_TRAP_FLAG)) {
        return false;
    }
    if (VMX_BAD(env, INJECT_ERROR, error != !!(info & VMX_INTR_ERROR)) ||
        VMX_BAD(env, INJECT_ERROR_CODE,
                error && (vmx_get(env, VMX_ENTRY_ERROR_CODE) >> 16))) {
        return false;
    }
    if (type >= VMX_INTR_SOFT && type <= VMX_INTR_SOFT_EXCEPTION) {
        bool zero_ok = env->features[FEAT_VMX_MISC] &
                       MSR_VMX_MISC_ZERO_LEN_INJECT;

        return !VMX_BAD(env, INJECT_LENGTH, len > 15 || !(len || zero_ok));
    }
    return true;
}

static bool vmx_check_entry_ctls(CPUX86State *env, uint32_t proc,
                                 uint32_t proc2)
{
    uint32_t ctls = vmx_get(env, VMX_ENTRY_CTLS);

    return !VMX_BAD(env, CHECK_ENTRY,
                    !vmx_ctls_ok(env, FEAT_VMX_ENTRY_CTLS, ctls)) &&
           vmx_check_injection(env, proc, proc2) &&
           vmx_check_msr_list(env, VMX_ENTRY_MSR_LOAD_ADDR,
                              VMX_ENTRY_MSR_LOAD_COUNT);
}

/* "Checks on VMX Controls" */
int vmx_check_controls(CPUX86State *env)
{
    uint32_t pin = vmx_get(env, VMX_PIN_CTLS);
    uint32_t proc = vmx_get(env, VMX_PROC_CTLS);
    uint32_t proc2 = vmx_want_proc2(env);

    if (VMX_BAD(env, CHECK_PIN,
                !vmx_ctls_ok(env, FEAT_VMX_PINBASED_CTLS, pin)) ||
        VMX_BAD(env, CHECK_PROC,
                !vmx_ctls_ok(env, FEAT_VMX_PROCBASED_CTLS, proc)) ||
        VMX_BAD(env, CHECK_PROC2,
                !vmx_ctls_ok(env, FEAT_VMX_SECONDARY_CTLS, proc2)) ||
        VMX_BAD(env, CHECK_CR3_TARGETS,
                vmx_get(env, VMX_CR3_TARGET_COUNT) > VMX_CR3_TARGETS) ||
        !vmx_check_bitmaps(env, proc) ||
        !vmx_check_tpr(env, proc, proc2) ||
        !vmx_check_nmi(env, pin, proc) ||
        !vmx_check_apic(env, pin, proc2) || !vmx_check_proc3(env) ||
        !vmx_check_ept(env, proc2) ||
        !vmx_check_exit_ctls(env, pin) ||
        !vmx_check_entry_ctls(env, proc, proc2)) {
        return VMX_ERR_ENTRY_CONTROLS;
    }
    return 0;
}

static bool vmx_check_host_regs(CPUX86State *env, uint32_t ctls)
{
    bool host64 = ctls & VMX_VM_EXIT_HOST_ADDR_SPACE_SIZE;

    if (VMX_BAD(env, HOST_CR0,
                !vmx_cr0_ok(env, vmx_get(env, VMX_HOST_CR0), false)) ||
        VMX_BAD(env, HOST_CR4, !vmx_cr4_ok(env, vmx_get(env, VMX_HOST_CR4))) ||
        VMX_BAD(env, HOST_CR3,
                !vmx_pa_ok(env, vmx_get(env, VMX_HOST_CR3), 1)) ||
        VMX_BAD(env, HOST_SYSENTER,
                !x86_canonical(env, vmx_get(env, VMX_HOST_SYSENTER_ESP)) ||
                !x86_canonical(env, vmx_get(env, VMX_HOST_SYSENTER_EIP)))) {
        return false;
    }
    if (VMX_BAD(env, HOST_PAT, (ctls & VMX_VM_EXIT_LOAD_IA32_PAT) &&
                !x86_pat_ok(vmx_get(env, VMX_HOST_PAT)))) {
        return false;
    }
    if (ctls & VMX_VM_EXIT_LOAD_IA32_EFER) {
        uint64_t efer = vmx_get(env, VMX_HOST_EFER);
        uint64_t mode = host64 ? MSR_EFER_LMA | MSR_EFER_LME : 0;

        if (VMX_BAD(env, HOST_EFER, !vmx_efer_ok(env, efer)) ||
            VMX_BAD(env, HOST_EFER_MODE,
                    (efer & (MSR_EFER_LMA | MSR_EFER_LME)) != mode)) {
            return false;
        }
    }
    return !VMX_BAD(env, HOST_PKRS, (ctls & VMX_VM_EXIT_LOAD_IA32_PKRS) &&
                    vmx_get(env, VMX_HOST_PKRS) >> 32);
}

static bool vmx_check_host_segs(CPUX86State *env, uint32_t ctls)
{
    VmxField f;

    for (f = VMX_HOST_ES_SEL; f <= VMX_HOST_TR_SEL; f++) {
        if (VMX_BAD(env, HOST_RPL, vmx_get(env, f) & 7)) {
            return false;
        }
    }
    for (f = VMX_HOST_FS_BASE; f <= VMX_HOST_IDTR_BASE; f++) {
        if (VMX_BAD(env, HOST_BASE, !x86_canonical(env, vmx_get(env, f)))) {
            return false;
        }
    }
    return !VMX_BAD(env, HOST_CS, !vmx_get(env, VMX_HOST_CS_SEL)) &&
           !VMX_BAD(env, HOST_TR, !vmx_get(env, VMX_HOST_TR_SEL)) &&
           (vmx_get(env, VMX_HOST_SS_SEL) ||
            (ctls & VMX_VM_EXIT_HOST_ADDR_SPACE_SIZE));
}

/* "Checks Related to Address-Space Size" */
static bool vmx_check_host_size(CPUX86State *env, uint32_t ctls)
{
    bool host64 = ctls & VMX_VM_EXIT_HOST_ADDR_SPACE_SIZE;
    bool guest64 = vmx_get(env, VMX_ENTRY_CTLS) & VMX_VM_ENTRY_IA32E_MODE;
    uint64_t cr4 = vmx_get(env, VMX_HOST_CR4);
    uint64_t rip = vmx_get(env, VMX_HOST_RIP);

    if (env->efer & MSR_EFER_LMA) {
        if (VMX_BAD(env, HOST_SIZE, !host64)) {
            return false;
        }
    } else if (host64 || guest64) {
        return false;
    }
    if (!host64) {
        return !guest64 && !(cr4 & CR4_PCIDE_MASK) && !(rip >> 32);
    }
    return !VMX_BAD(env, HOST_PAE, !(cr4 & CR4_PAE_MASK)) &&
           !VMX_BAD(env, HOST_RIP, !x86_canonical(env, rip));
}

/* "Checks on Host-State Area" */
int vmx_check_host(CPUX86State *env)
{
    uint32_t ctls = vmx_get(env, VMX_EXIT_CTLS);

    if (!vmx_check_host_regs(env, ctls) || !vmx_check_host_segs(env, ctls) ||
        !vmx_check_host_size(env, ctls)) {
        return VMX_ERR_ENTRY_HOST;
    }
    return 0;
}
