/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of SEV and SNP guests have for each other.  svm.h has what the
 * rest of kvm-amd calls.
 */
#ifndef __KVM_X86_SVM_SEV_CORE_H
#define __KVM_X86_SVM_SEV_CORE_H

#include <linux/kvm_host.h>
#include <linux/mutex.h>
#include <linux/psp-sev.h>
#include <linux/rwsem.h>

#include "svm.h"

/* vCPU mutex subclasses.  */
enum sev_migration_role {
	SEV_MIGRATION_SOURCE = 0,
	SEV_MIGRATION_TARGET,
	SEV_NR_MIGRATION_ROLES,
};

/* control_page.c: for guests of all kinds, whether KVM supports SEV or not */
#ifdef CONFIG_AMD_SEV_SNP_HOST
struct page *sev_alloc_control_page(gfp_t gfp);
#else
static inline struct page *sev_alloc_control_page(gfp_t gfp)
{
	return alloc_page(gfp | __GFP_ZERO);
}
#endif

/* sev_core.c: for guests of SEV and above */
extern struct rw_semaphore sev_deactivate_lock;
extern struct mutex sev_mirror_lock;

int __sev_issue_cmd(int fd, int id, void *data, int *error);
int sev_lock_vcpus_for_migration(struct kvm *kvm, enum sev_migration_role role);
void sev_unlock_vcpus_for_migration(struct kvm *kvm);
int sev_lock_all_vcpus(struct kvm *kvm);
void sev_unlock_all_vcpus(struct kvm *kvm);

/* sev_es_state.c */
int sev_es_sync_vmsa(struct vcpu_svm *svm);
void sev_es_protect_state(struct kvm_vcpu *vcpu);

/* sev_init2.c */
void sev_init2_setup(u64 supported_types, u64 supported_vmsa_features);
int sev_init2_get_params(struct kvm *kvm, const struct kvm_sev_cmd *argp,
			 struct kvm_sev_init *init);

/* sev_dbg.c */
int sev_dbg_crypt(struct kvm *kvm, struct kvm_sev_cmd *cmd, bool encrypt);

#endif /* __KVM_X86_SVM_SEV_CORE_H */
