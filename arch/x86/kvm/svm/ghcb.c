// SPDX-License-Identifier: GPL-2.0-only
/*
 * The GHCB protocol, as far as version 2 adds to it: features of the hypervisor, the
 * GHCB that SNP guests register, and termination.  The other requests of SNP guests
 * are handled in snp/.
 */
#include <linux/kvm_host.h>

#include "ghcb.h"
#include "snp/snp.h"

#include "cpuid.h"
#include "vm_type.h"

#define GHCB_MSR_PREF_GPA_REQ		0x010
#define GHCB_MSR_PREF_GPA_RESP		0x011
#define GHCB_MSR_GPA_MASK		GENMASK_ULL(51, 0)

/* What GHCB_MSR_HV_FT_RESP and SVM_VMGEXIT_HV_FEATURES report to SNP guests. */
#define SNP_HV_FEATURES		(GHCB_HV_FT_SNP | GHCB_HV_FT_SNP_AP_CREATION)

static bool sev_ghcb_has_version2(struct vcpu_svm *svm)
{
	return to_kvm_svm(svm->vcpu.kvm)->sev_info.ghcb_version >= 2;
}

static bool sev_ghcb_is_snp(struct vcpu_svm *svm)
{
	return kvm_vm_type_is(svm->vcpu.kvm, KVM_X86_SNP_VM);
}

static u64 sev_ghcb_hv_features(struct vcpu_svm *svm)
{
	return sev_ghcb_is_snp(svm) ? SNP_HV_FEATURES : 0;
}

/*
 * sev_ghcb_event_is_valid - is it an event of version 2 that the guest can have?
 * @svm:	the vCPU, with a copy of the valid bits of its GHCB
 * @exit_code:	SVM_VMGEXIT_*
 * @missing:	set if a field is not valid that the event needs
 */
bool sev_ghcb_event_is_valid(struct vcpu_svm *svm, u64 exit_code, bool *missing)
{
	*missing = false;

	if (!sev_ghcb_has_version2(svm))
		return false;

	switch (exit_code) {
	case SVM_VMGEXIT_HV_FEATURES:
	case SVM_VMGEXIT_TERM_REQUEST:
		return true;
	case SVM_VMGEXIT_PSC:
		*missing = !kvm_ghcb_sw_scratch_is_valid(svm);
		return sev_ghcb_is_snp(svm);
	case SVM_VMGEXIT_EXT_GUEST_REQUEST:
		*missing = !kvm_ghcb_rax_is_valid(svm) || !kvm_ghcb_rbx_is_valid(svm);
		return sev_ghcb_is_snp(svm);
	case SVM_VMGEXIT_GUEST_REQUEST:
	case SVM_VMGEXIT_AP_CREATION:
		return sev_ghcb_is_snp(svm);
	default:
		return false;
	}
}

static int sev_ghcb_terminate(struct vcpu_svm *svm)
{
	struct kvm_run *run = svm->vcpu.run;

	run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
	run->system_event.type = KVM_SYSTEM_EVENT_SEV_TERM;
	run->system_event.ndata = 1;
	run->system_event.data[0] = svm->vmcb->control.ghcb_gpa;
	return 0;
}

/*
 * sev_ghcb_event - handle an event that sev_ghcb_event_is_valid() lets pass
 * @svm:	the vCPU, with its GHCB mapped
 * @exit_code:	SVM_VMGEXIT_*
 *
 * Returns 1 to resume the guest, 0 to exit to userspace, or a negative errno.
 */
int sev_ghcb_event(struct vcpu_svm *svm, u64 exit_code)
{
	switch (exit_code) {
	case SVM_VMGEXIT_HV_FEATURES:
		ghcb_set_sw_exit_info_2(svm->sev_es.ghcb, sev_ghcb_hv_features(svm));
		return 1;
	case SVM_VMGEXIT_TERM_REQUEST:
		return sev_ghcb_terminate(svm);
	case SVM_VMGEXIT_PSC:
		return snp_psc(svm);
	case SVM_VMGEXIT_GUEST_REQUEST:
		return snp_guest_request(svm, false);
	case SVM_VMGEXIT_EXT_GUEST_REQUEST:
		return snp_guest_request(svm, true);
	case SVM_VMGEXIT_AP_CREATION:
		return snp_ap_creation(svm);
	}

	WARN_ON_ONCE(1);
	return -EINVAL;
}

/* All ones tell that it failed: another GHCB is no GHCB. */
static u64 sev_ghcb_register(struct vcpu_svm *svm, u64 gfn)
{
	u64 none = GHCB_MSR_GPA_MASK;

	if (kvm_vcpu_is_illegal_gpa(&svm->vcpu, gfn << PAGE_SHIFT))
		return none << GHCB_DATA_LOW | GHCB_MSR_REG_GPA_RESP;

	svm->sev_es.snp.ghcb_gpa = gfn << PAGE_SHIFT;
	return gfn << GHCB_DATA_LOW | GHCB_MSR_REG_GPA_RESP;
}

/* An SNP guest may use the GHCB that it has registered, and no other. */
bool sev_ghcb_is_registered(struct vcpu_svm *svm, gpa_t ghcb_gpa)
{
	return !sev_ghcb_is_snp(svm) || svm->sev_es.snp.ghcb_gpa == ghcb_gpa;
}

/*
 * sev_ghcb_msr - the MSR protocol, as far as version 2 adds to it
 * @svm:	the vCPU
 * @msr:	in: what the guest has written, out: the response, if there is one
 *
 * An unknown request is left without response, as the guest expects of a host that
 * doesn't support it.
 *
 * Returns 1 to resume the guest, 0 to exit to userspace, or a negative errno.
 */
int sev_ghcb_msr(struct vcpu_svm *svm, u64 *msr)
{
	if (!sev_ghcb_has_version2(svm))
		return 1;

	switch (*msr & GHCB_MSR_INFO_MASK) {
	case GHCB_MSR_HV_FT_REQ:
		*msr = sev_ghcb_hv_features(svm) << GHCB_DATA_LOW | GHCB_MSR_HV_FT_RESP;
		return 1;
	case GHCB_MSR_AP_RESET_HOLD_REQ:
		svm->sev_es.msr_reset_hold = true;
		*msr = GHCB_MSR_AP_RESET_HOLD_RESP;
		return kvm_emulate_ap_reset_hold(&svm->vcpu);
	}

	if (!sev_ghcb_is_snp(svm))
		return 1;

	switch (*msr & GHCB_MSR_INFO_MASK) {
	case GHCB_MSR_PREF_GPA_REQ:
		*msr = GHCB_MSR_GPA_MASK << GHCB_DATA_LOW | GHCB_MSR_PREF_GPA_RESP;
		return 1;
	case GHCB_MSR_REG_GPA_REQ:
		*msr = sev_ghcb_register(svm, *msr >> GHCB_DATA_LOW);
		return 1;
	case GHCB_MSR_PSC_REQ:
		return snp_psc_msr(svm);
	}

	return 1;
}
