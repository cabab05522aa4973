/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SEV-SNP guests.  Without CONFIG_KVM_AMD_SEV there are none.
 */
#ifndef __KVM_X86_SVM_SNP_H
#define __KVM_X86_SVM_SNP_H

#include <linux/kvm_host.h>
#include <linux/kvm_private_mem.h>

#include "svm/svm.h"

struct kvm_sev_cmd;
struct sev_data_snp_guest_request;

/* SEV_FEATURES of a VMSA. */
#define SEV_FEAT_SNP_ACTIVE	BIT_ULL(0)

/* Guest policy, as of the SNP firmware ABI. */
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

/* What svm.c calls for guests of all kinds. */
#ifdef CONFIG_KVM_AMD_SEV
void snp_vcpu_create(struct vcpu_svm *svm);
void snp_init_event(struct kvm_vcpu *vcpu);
int snp_rmp_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code);
#else
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

/* ioctl.c */
int snp_vm_ioctl(struct kvm *kvm, struct kvm_sev_cmd *cmd);

/* launch.c */
int snp_launch_start(struct kvm *kvm, struct kvm_sev_cmd *cmd);
int snp_launch_update(struct kvm *kvm, struct kvm_sev_cmd *cmd);
int snp_launch_finish(struct kvm *kvm, struct kvm_sev_cmd *cmd);

/* vmsa.c */
int snp_vmsa_launch_all(struct kvm *kvm, void *context, struct kvm_sev_cmd *cmd);
void snp_vmsa_reclaim(struct vcpu_svm *svm);

/* mirror.c */
u64 snp_enc_context_flags(void);
bool snp_may_move(struct kvm *source, u64 flags);
bool snp_may_copy(struct kvm *source, u64 flags);
bool snp_may_move_vcpu(struct kvm_vcpu *source);
void snp_move_vcpu(struct vcpu_svm *dst, struct vcpu_svm *src);
void snp_move(struct kvm *dst, struct kvm *src);
int snp_mirror_ioctl(struct kvm *kvm, struct kvm_sev_cmd *cmd);
void snp_mirrors_finish(struct kvm *kvm);
int snp_firmware_request(struct kvm *kvm, struct sev_data_snp_guest_request *cmd,
			 int *fw_error);
bool snp_gmem_may_share_inode(struct kvm *kvm, struct kvm *owner);

/* page.c */
bool snp_page_reclaim(kvm_pfn_t pfn, enum pg_level level);
int snp_page_split(kvm_pfn_t pfn);
void snp_page_clear_immutable(kvm_pfn_t pfn, enum pg_level level);

/* gmem.c */
extern const struct kvm_private_mem_ops snp_gmem_ops;

/* coalesce.c */
bool snp_may_coalesce(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn);
int snp_coalesce(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn);

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

#endif /* __KVM_X86_SVM_SNP_H */
