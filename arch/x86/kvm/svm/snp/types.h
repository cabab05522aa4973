/* SPDX-License-Identifier: GPL-2.0-only */
/* SEV-SNP guests: what belongs to a VM and to a vCPU, as part of the structures of svm.h */
#ifndef __KVM_X86_SVM_SNP_TYPES_H
#define __KVM_X86_SVM_SNP_TYPES_H

#include <linux/kvm_types.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include <asm/sev-common.h>

/**
 * struct kvm_snp - a guest's part of kvm_sev_info
 * @context:	the guest context, a page of the firmware; NULL before LAUNCH_START
 * @finished:	LAUNCH_FINISH was done, vCPUs may run; of a mirror: that of its owner
 * @request_certs: ask userspace for certificates in extended guest requests
 * @request_lock: for @request and @response
 * @request:	copy of what the guest asks the firmware
 * @response:	what the firmware answers, a page in firmware state
 *
 * All but the buffers change under kvm->lock.  The context is that of the VM that
 * the guest was launched in or moved to; its mirrors get at it under sev_mirror_lock,
 * under which it moves, and which is held while the launch is finished.
 */
struct kvm_snp {
	void *context;
	bool finished;
	bool request_certs;
	struct mutex request_lock;	/* see above */
	void *request;
	void *response;
};

/**
 * struct snp_psc - a page state change that is under way
 * @cur:	index of the entry that comes next
 * @end:	index of the last entry
 * @nr:		entries that the pending exit to userspace is for
 * @entries:	copy of the guest's
 */
struct snp_psc {
	unsigned int cur;
	unsigned int end;
	unsigned int nr;
	struct psc_entry entries[VMGEXIT_PSC_MAX_ENTRY];
};

/**
 * struct vcpu_snp - a vCPU's part of vcpu_sev_es_state
 * @ghcb_gpa:	the GHCB that the guest has registered, INVALID_PAGE if none
 * @psc:	allocated with the first request
 * @psc_offset:	where the request is in the GHCB page, in bytes
 * @ap_lock:	for @stop, @next_vmsa and @init_vmsa, which other vCPUs write
 * @stop:	the vCPU has to give up its VMSA, before it has @next_vmsa
 * @next_vmsa:	gpa of the VMSA to have next, INVALID_PAGE if none is due
 * @init_vmsa:	the same, due once INIT comes
 * @vmsa_gpa:	of the VMSA that the guest has made and the vCPU uses; INVALID_PAGE
 *		for the one of the launch. Written by the vCPU under mmu_lock.
 * @stopped:	the vCPU has no VMSA to run
 */
struct vcpu_snp {
	gpa_t ghcb_gpa;
	struct snp_psc *psc;
	unsigned int psc_offset;
	struct mutex ap_lock;		/* see above */
	bool stop;
	gpa_t next_vmsa;
	gpa_t init_vmsa;
	gpa_t vmsa_gpa;
	bool stopped;
};

#endif /* __KVM_X86_SVM_SNP_TYPES_H */
