// SPDX-License-Identifier: GPL-2.0-only
/*
 * What SEV, SEV-ES and SNP guests share: commands of the firmware, the locks that are
 * held around them, and the mutexes of all vCPUs.
 */
#include <linux/file.h>
#include <linux/kvm_host.h>
#include <linux/psp-sev.h>

#include "sev_core.h"

/* Held for write from WBINVD to DF_FLUSH, and for read while an ASID is deactivated. */
DECLARE_RWSEM(sev_deactivate_lock);

/*
 * Protects kvm_sev_info's enc_context_owner, mirror_vms and mirror_entry,
 * and the context of an SNP guest, see struct kvm_snp.
 */
DEFINE_MUTEX(sev_mirror_lock);

int __sev_issue_cmd(int fd, int id, void *data, int *error)
{
	struct fd f;
	int ret;

	f = fdget(fd);
	if (!f.file)
		return -EBADF;

	ret = sev_issue_cmd_external_user(f.file, id, data, error);

	fdput(f);
	return ret;
}

int sev_lock_vcpus_for_migration(struct kvm *kvm, enum sev_migration_role role)
{
	struct kvm_vcpu *vcpu;
	unsigned long i, j;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (mutex_lock_killable_nested(&vcpu->mutex, role))
			goto out_unlock;

#ifdef CONFIG_PROVE_LOCKING
		if (!i)
			/*
			 * Reset the role to one that avoids colliding with
			 * the role used for the first vcpu mutex.
			 */
			role = SEV_NR_MIGRATION_ROLES;
		else
			mutex_release(&vcpu->mutex.dep_map, _THIS_IP_);
#endif
	}

	return 0;

out_unlock:

	kvm_for_each_vcpu(j, vcpu, kvm) {
		if (i == j)
			break;

#ifdef CONFIG_PROVE_LOCKING
		if (j)
			mutex_acquire(&vcpu->mutex.dep_map, role, 0, _THIS_IP_);
#endif

		mutex_unlock(&vcpu->mutex);
	}
	return -EINTR;
}

void sev_unlock_vcpus_for_migration(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	bool first = true;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (first)
			first = false;
		else
			mutex_acquire(&vcpu->mutex.dep_map,
				      SEV_NR_MIGRATION_ROLES, 0, _THIS_IP_);

		mutex_unlock(&vcpu->mutex);
	}
}

/*
 * For a launch; kvm->lock keeps migration away.  Returns 0, -EINTR, or -EBUSY if a vCPU
 * is being created, which is not in the array yet.
 */
int sev_lock_all_vcpus(struct kvm *kvm)
{
	if (kvm->created_vcpus != atomic_read(&kvm->online_vcpus))
		return -EBUSY;

	return sev_lock_vcpus_for_migration(kvm, SEV_MIGRATION_SOURCE);
}

void sev_unlock_all_vcpus(struct kvm *kvm)
{
	sev_unlock_vcpus_for_migration(kvm);
}
