// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest requests: messages between the guest and the firmware, which are encrypted
 * with keys that the host doesn't have.  The guest's pages are shared, so they are
 * copied; sequence numbers are nobody's business but the guest's and firmware's.
 */
#include <linux/kvm_host.h>
#include <linux/psp-sev.h>
#include <linux/psp-snp.h>

#include <asm/snp_host.h>

#include "svm/ghcb.h"
#include "snp.h"

/* Upper half of SW_EXITINFO2 of a guest request; the lower is the firmware's. */
#define SNP_REQ_INVALID_LEN	1ULL
#define SNP_REQ_BUSY		2ULL
#define SNP_REQ_GENERIC		BIT_ULL(31)

static int snp_guest_request_finish(struct vcpu_svm *svm, u64 vmm_error, u32 fw_error)
{
	ghcb_set_sw_exit_info_2(svm->sev_es.ghcb, vmm_error << 32 | fw_error);
	return 1;
}

/* Returns 0 if the firmware was asked, which may have said no; or an errno. */
static int snp_guest_request_send(struct kvm *kvm, gpa_t req, gpa_t resp, int *fw_error)
{
	struct kvm_snp *snp = &to_kvm_svm(kvm)->sev_info.snp;
	struct sev_data_snp_guest_request cmd = {};
	int r;

	mutex_lock(&snp->request_lock);
	r = kvm_read_guest(kvm, req, snp->request, PAGE_SIZE);
	if (r)
		goto unlock;

	cmd.req_paddr = __psp_pa(snp->request);
	cmd.res_paddr = __psp_pa(snp->response);
	r = snp_firmware_request(kvm, &cmd, fw_error);

	if (r && *fw_error == SEV_RET_NO_FW_CALL)
		*fw_error = 0;
	/* There is an answer even if it's an error, for some errors. */
	if (!r || *fw_error)
		r = kvm_write_guest(kvm, resp, snp->response, PAGE_SIZE);

unlock:
	mutex_unlock(&snp->request_lock);
	return r;
}

static int snp_guest_request_do(struct vcpu_svm *svm)
{
	gpa_t req = svm->vmcb->control.exit_info_1;
	gpa_t resp = svm->vmcb->control.exit_info_2;
	int fw_error = 0, r;

	r = snp_guest_request_send(svm->vcpu.kvm, req, resp, &fw_error);
	return snp_guest_request_finish(svm, r ? SNP_REQ_GENERIC : 0, fw_error);
}

static int snp_guest_request_certs_complete(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	switch (READ_ONCE(vcpu->run->snp_req_certs.ret)) {
	case 0:
		return snp_guest_request_do(svm);
	case ENOSPC:
		vcpu->arch.regs[VCPU_REGS_RBX] = READ_ONCE(vcpu->run->snp_req_certs.npages);
		return snp_guest_request_finish(svm, SNP_REQ_INVALID_LEN, 0);
	case EAGAIN:
		return snp_guest_request_finish(svm, SNP_REQ_BUSY, 0);
	case EIO:
		return snp_guest_request_finish(svm, SNP_REQ_GENERIC, 0);
	default:
		return -EINVAL;
	}
}

/* Certificates come from userspace; without any, the guest's pages are not changed. */
static int snp_guest_request_extended(struct vcpu_svm *svm)
{
	struct kvm_vcpu *vcpu = &svm->vcpu;
	gpa_t gpa = vcpu->arch.regs[VCPU_REGS_RAX];
	u64 npages = vcpu->arch.regs[VCPU_REGS_RBX];

	if (!to_kvm_svm(vcpu->kvm)->sev_info.snp.request_certs)
		return snp_guest_request_do(svm);

	if (!PAGE_ALIGNED(gpa))
		return snp_guest_request_finish(svm, SNP_REQ_GENERIC, 0);

	vcpu->run->exit_reason = KVM_EXIT_SNP_REQ_CERTS;
	vcpu->run->snp_req_certs.gpa = gpa;
	vcpu->run->snp_req_certs.npages = npages;
	vcpu->run->snp_req_certs.ret = 0;
	vcpu->arch.complete_userspace_io = snp_guest_request_certs_complete;
	return 0;
}

/*
 * snp_guest_request - SVM_VMGEXIT_GUEST_REQUEST and SVM_VMGEXIT_EXT_GUEST_REQUEST
 * @svm:	the vCPU, with its GHCB mapped
 * @extended:	the guest wants certificates, too
 *
 * Request and response are two different pages.
 *
 * Returns 1 to resume the guest, 0 to exit to userspace, or a negative errno.
 */
int snp_guest_request(struct vcpu_svm *svm, bool extended)
{
	gpa_t req = svm->vmcb->control.exit_info_1;
	gpa_t resp = svm->vmcb->control.exit_info_2;

	if (!PAGE_ALIGNED(req) || !PAGE_ALIGNED(resp) || req == resp)
		return sev_ghcb_set_error(svm, GHCB_ERR_INVALID_INPUT);

	return extended ? snp_guest_request_extended(svm) : snp_guest_request_do(svm);
}
