/* SPDX-License-Identifier: GPL-2.0-only */
/* The GHCB protocol between SEV-ES guests and the hypervisor, see ghcb.c */
#ifndef __KVM_X86_SVM_GHCB_H
#define __KVM_X86_SVM_GHCB_H

#include <linux/kvm_host.h>

#include <asm/sev-common.h>

#include "svm/svm.h"

/*
 * Report an invalid request to the guest: @reason is GHCB_ERR_*.  The GHCB is mapped.
 * Returns 1 to resume the guest.
 */
static inline int sev_ghcb_set_error(struct vcpu_svm *svm, u64 reason)
{
	ghcb_set_sw_exit_info_1(svm->sev_es.ghcb, 2);
	ghcb_set_sw_exit_info_2(svm->sev_es.ghcb, reason);
	return 1;
}

bool sev_ghcb_event_is_valid(struct vcpu_svm *svm, u64 exit_code, bool *missing);
int sev_ghcb_event(struct vcpu_svm *svm, u64 exit_code);
int sev_ghcb_msr(struct vcpu_svm *svm, u64 *msr);
bool sev_ghcb_is_registered(struct vcpu_svm *svm, gpa_t ghcb_gpa);

#endif /* __KVM_X86_SVM_GHCB_H */
