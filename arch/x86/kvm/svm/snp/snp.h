/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SEV-SNP guests.  What belongs to a VM and to a vCPU is part of the structures
 * of svm.h; without CONFIG_KVM_AMD_SEV there are no such guests.
 */
#ifndef __KVM_X86_SVM_SNP_H
#define __KVM_X86_SVM_SNP_H

#include <linux/kvm_host.h>
#include <linux/mutex.h>

#include <asm/sev-common.h>

struct kvm_sev_cmd;
struct kvm_sev_info;
struct sev_data_snp_guest_request;
struct vcpu_svm;

/* SEV_FEATURES of a VMSA, APM volume 2, table B-4. */
#define SEV_FEAT_SNP_ACTIVE	BIT_ULL(0)

/* Guest policy, SNP firmware ABI, table 9. */
#define SNP_POLICY_MASK_API_MINOR	GENMASK_ULL(7, 0)
#define SNP_POLICY_MASK_API_MAJOR	GENMASK_ULL(15, 8)
#define SNP_POLICY_MASK_SMT		BIT_ULL(16)
#define SNP_POLICY_MASK_RSVD_MBO	BIT_ULL(17)
#define SNP_POLICY_MASK_DEBUG		BIT_ULL(19)
#define SNP_POLICY_MASK_SINGLE_SOCKET	BIT_ULL(20)
#define SNP_POLICY_MASK_CXL_ALLOW	BIT_ULL(21)
#define SNP_POLICY_MASK_MEM_AES_256_XTS	BIT_ULL(22)
#define SNP_POLICY_MASK_RAPL_DIS	BIT_ULL(23)
#define SNP_POLICY_MASK_CIPHERTEXT_HIDING_DRAM	BIT_ULL(24)

/* What GHCB_MSR_HV_FT_RESP and SVM_VMGEXIT_HV_FEATURES tell. */
#define SNP_HV_FEATURES		(GHCB_HV_FT_SNP | GHCB_HV_FT_SNP_AP_CREATION)

/**
 * struct kvm_snp - a guest's part of kvm_sev_info
 * @context:	the guest context, a page of the firmware; NULL before LAUNCH_START
 * @finished:	LAUNCH_FINISH was done, vCPUs may run; of a mirror: that of its owner
 * @request_certs: ask user space for certificates in extended guest requests
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

/* What AP creation wants the vCPU to do about its VMSA. */
enum snp_ap_action {
	SNP_AP_NONE,
	SNP_AP_START,
	SNP_AP_START_ON_INIT,
	SNP_AP_STOP,
};

/**
 * struct snp_psc - a page state change that is under way
 * @cur:	index of the entry that comes next
 * @end:	index of the last entry
 * @nr:		entries that the pending exit to user space is for
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
 * @ap_lock:	for @stop, @action and @next_vmsa, which other vCPUs write
 * @stop:	the vCPU has to give up its VMSA before it looks at @action
 * @action:	what KVM_REQ_RELOAD_STATE is for; not SNP_AP_STOP
 * @next_vmsa:	gpa of the VMSA, with SNP_AP_START and SNP_AP_START_ON_INIT
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
	enum snp_ap_action action;
	gpa_t next_vmsa;
	gpa_t vmsa_gpa;
	bool stopped;
};

/* What svm.c calls for guests of all kinds. */
#ifdef CONFIG_KVM_AMD_SEV
struct page *snp_alloc_control_page(gfp_t gfp);
void snp_vcpu_create(struct vcpu_svm *svm);
void snp_init_event(struct kvm_vcpu *vcpu);
int snp_rmp_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code);
#else
static inline struct page *snp_alloc_control_page(gfp_t gfp)
{
	return alloc_page(gfp | __GFP_ZERO);
}

static inline int snp_rmp_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code)
{
	return 1;
}

static inline void snp_vcpu_create(struct vcpu_svm *svm) { }
static inline void snp_init_event(struct kvm_vcpu *vcpu) { }
#endif

/* vm.c */
bool snp_hardware_setup(bool sev, bool sev_es);
u64 snp_policy_mask(void);
int snp_vm_init(struct kvm *kvm);
void snp_vm_destroy(struct kvm *kvm);
void snp_vcpu_free(struct vcpu_svm *svm);
void snp_init_vmcb(struct vcpu_svm *svm);
int snp_decommission(struct kvm_snp *snp);

/* launch.c */
int snp_vm_ioctl(struct kvm *kvm, struct kvm_sev_cmd *cmd);

int snp_launch_vmsas(struct kvm *kvm, void *context, struct kvm_sev_cmd *cmd);

/* context.c */
bool snp_may_move(struct kvm *source, u64 flags);
bool snp_may_copy(struct kvm *source, u64 flags);
bool snp_may_move_vcpu(struct kvm_vcpu *source);
void snp_move_vcpu(struct vcpu_svm *dst, struct vcpu_svm *src);
void snp_move(struct kvm *dst, struct kvm *src);
int snp_mirror_ioctl(struct kvm *kvm, struct kvm_sev_cmd *cmd);
void snp_mirrors_finish(struct kvm *kvm);
bool snp_mirror_waits(struct kvm *kvm);
int snp_firmware_request(struct kvm *kvm, struct sev_data_snp_guest_request *cmd,
			 int *fw_error);
bool snp_gmem_may_share_inode(struct kvm *kvm, struct kvm *owner);

/* gmem.c */
extern const struct kvm_private_mem_ops snp_gmem_ops;
bool snp_take_back(kvm_pfn_t pfn, enum pg_level level);

/* merge.c */
void snp_thaw(kvm_pfn_t pfn, enum pg_level level);
bool snp_gmem_may_merge(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn);
int snp_gmem_merge(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn);

/* psc.c */
int snp_psc(struct vcpu_svm *svm);
int snp_psc_msr(struct vcpu_svm *svm);

/* ap_create.c */
int snp_ap_creation(struct vcpu_svm *svm);
int snp_reload_state(struct kvm_vcpu *vcpu);
void snp_sipi(struct kvm_vcpu *vcpu);
void snp_gmem_unmapped(struct kvm *kvm, gfn_t start, gfn_t end);

/* guest_req.c */
int snp_guest_request(struct vcpu_svm *svm, bool extended);

/* ghcb2.c */
bool sev_ghcb2_event_valid(struct vcpu_svm *svm, u64 exit_code, bool *missing);
int sev_ghcb2_event(struct vcpu_svm *svm, u64 exit_code);
int sev_ghcb2_msr(struct vcpu_svm *svm, u64 *msr);
bool snp_ghcb_registered(struct vcpu_svm *svm, gpa_t ghcb_gpa);
int sev_ghcb_refuse(struct vcpu_svm *svm, u64 reason);

#endif /* __KVM_X86_SVM_SNP_H */
