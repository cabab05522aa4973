// SPDX-License-Identifier: GPL-2.0-only
/*
 * Launch of SNP guests: KVM_SEV_SNP_LAUNCH_START, _UPDATE and _FINISH.
 */
#include <linux/highmem.h>
#include <linux/kvm_host.h>
#include <linux/kvm_private_mem.h>
#include <linux/psp-sev.h>
#include <linux/psp-snp.h>

#include <asm/snp_host.h>

#include "svm/sev_core.h"
#include "snp.h"

static int snp_launch_copy_params(const struct kvm_sev_cmd *cmd, void *params, size_t size)
{
	return copy_from_user(params, u64_to_user_ptr(cmd->data), size) ? -EFAULT : 0;
}

/* For the commands between LAUNCH_START and the end of the launch. */
static int snp_launch_copy_params_started(const struct kvm_snp *snp, const struct kvm_sev_cmd *cmd,
					  void *params, size_t size)
{
	if (!snp->context || snp->finished)
		return -EINVAL;

	return snp_launch_copy_params(cmd, params, size);
}

static bool snp_launch_is_zero(const void *p, size_t size)
{
	return !memchr_inv(p, 0, size);
}

/* Create the guest context and give it its ASID. */
static int snp_launch_create_context(struct kvm *kvm, struct kvm_sev_cmd *cmd,
				     struct sev_data_snp_launch_start *start)
{
	struct kvm_sev_info *sev = &to_kvm_svm(kvm)->sev_info;
	struct sev_data_snp_activate activate = {};
	struct sev_data_snp_addr create = {};
	struct kvm_snp *snp = &sev->snp;
	int r;

	snp->context = snp_alloc_firmware_page(GFP_KERNEL_ACCOUNT);
	if (!snp->context)
		return -ENOMEM;

	create.address = __psp_pa(snp->context);
	r = __sev_issue_cmd(cmd->sev_fd, SEV_CMD_SNP_GCTX_CREATE, &create, &cmd->error);
	if (r)
		goto free;

	start->gctx_paddr = create.address;
	r = __sev_issue_cmd(cmd->sev_fd, SEV_CMD_SNP_LAUNCH_START, start, &cmd->error);
	if (r)
		goto decommission;

	activate.gctx_paddr = create.address;
	activate.asid = sev->asid;
	r = __sev_issue_cmd(cmd->sev_fd, SEV_CMD_SNP_ACTIVATE, &activate, &cmd->error);
	if (r)
		goto decommission;

	return 0;

decommission:
	/* If that fails, the context stays, and goes with the VM or is leaked. */
	snp_decommission(snp);
	return r;
free:
	snp_free_firmware_page(snp->context);
	snp->context = NULL;
	return r;
}

int snp_launch_start(struct kvm *kvm, struct kvm_sev_cmd *cmd)
{
	struct kvm_sev_info *sev = &to_kvm_svm(kvm)->sev_info;
	struct sev_data_snp_launch_start start = {};
	struct kvm_sev_snp_launch_start params;
	int r;

	r = snp_launch_copy_params(cmd, &params, sizeof(params));
	if (r)
		return r;

	if (sev->snp.context || params.flags ||
	    !snp_launch_is_zero(params.pad0, sizeof(params.pad0)) ||
	    !snp_launch_is_zero(params.pad1, sizeof(params.pad1)) ||
	    params.policy & ~snp_policy_mask() || !(params.policy & SNP_POLICY_MASK_RSVD_MBO))
		return -EINVAL;

	start.policy = params.policy;
	memcpy(start.gosvw, params.gosvw, sizeof(start.gosvw));

	r = snp_launch_create_context(kvm, cmd, &start);
	if (r)
		return r;

	sev->fd = cmd->sev_fd;
	return 0;
}

struct snp_fill {
	struct kvm_sev_cmd *cmd;
	u8 type;
};

/*
 * The firmware didn't like what userspace has put into the CPUID page, and wrote
 * what it would have liked: pass that on.  Its word is in the page, which is to be
 * the host's for that.
 */
static void snp_launch_return_cpuid(kvm_pfn_t pfn, struct page *page)
{
	if (snp_page_reclaim(pfn, PG_LEVEL_4K))
		copy_highpage(page, pfn_to_page(pfn));
}

/* The firmware measures 2 MiB as it does 512 pages of 4 KiB. */
static int snp_launch_fill_page(struct kvm *kvm, gfn_t gfn, kvm_pfn_t pfn, unsigned int order,
				struct page *page, void *data)
{
	struct kvm_sev_info *sev = &to_kvm_svm(kvm)->sev_info;
	enum pg_level level = order ? PG_LEVEL_2M : PG_LEVEL_4K;
	struct sev_data_snp_launch_update update = {};
	struct snp_fill *fill = data;
	int r;

	r = rmp_make_private(pfn, gfn_to_gpa(gfn), level, sev->asid, true);
	if (r)
		return r;

	update.gctx_paddr = __psp_pa(sev->snp.context);
	update.page_size = order ? RMP_PG_SIZE_2M : RMP_PG_SIZE_4K;
	update.address = __sme_set(PFN_PHYS(pfn));
	update.page_type = fill->type;
	r = __sev_issue_cmd(fill->cmd->sev_fd, SEV_CMD_SNP_LAUNCH_UPDATE, &update,
			    &fill->cmd->error);

	if (r && fill->type == KVM_SEV_SNP_PAGE_TYPE_CPUID &&
	    fill->cmd->error == SEV_RET_INVALID_PARAM)
		snp_launch_return_cpuid(pfn, page);
	return r;
}

static bool snp_launch_page_type_valid(u8 type)
{
	return type == KVM_SEV_SNP_PAGE_TYPE_NORMAL || type == KVM_SEV_SNP_PAGE_TYPE_ZERO ||
	       type == KVM_SEV_SNP_PAGE_TYPE_UNMEASURED ||
	       type == KVM_SEV_SNP_PAGE_TYPE_SECRETS || type == KVM_SEV_SNP_PAGE_TYPE_CPUID;
}

/* What has a meaning for the firmware has 4 KiB. */
static unsigned int snp_launch_page_type_order(u8 type)
{
	return type == KVM_SEV_SNP_PAGE_TYPE_SECRETS || type == KVM_SEV_SNP_PAGE_TYPE_CPUID ?
	       0 : KVM_GMEM_MAX_ORDER;
}

/* What is done, is told by what is left: the parameters go back to userspace. */
int snp_launch_update(struct kvm *kvm, struct kvm_sev_cmd *cmd)
{
	struct kvm_snp *snp = &to_kvm_svm(kvm)->sev_info.snp;
	struct kvm_sev_snp_launch_update params;
	struct kvm_gmem_populate_args args = { .fill = snp_launch_fill_page };
	struct snp_fill fill = { .cmd = cmd };
	long done;
	int r;

	r = snp_launch_copy_params_started(snp, cmd, &params, sizeof(params));
	if (r)
		return r;

	if (!snp_launch_page_type_valid(params.type) || !params.len || !PAGE_ALIGNED(params.len) ||
	    params.gfn_start + (params.len >> PAGE_SHIFT) <= params.gfn_start ||
	    params.flags || params.pad0 || params.pad1 ||
	    !snp_launch_is_zero(params.pad2, sizeof(params.pad2)))
		return -EINVAL;

	fill.type = params.type;
	args.data = &fill;
	args.order = snp_launch_page_type_order(params.type);
	args.write = params.type == KVM_SEV_SNP_PAGE_TYPE_CPUID;
	if (params.type != KVM_SEV_SNP_PAGE_TYPE_ZERO) {
		args.uaddr = u64_to_user_ptr(params.uaddr);
		if (!args.uaddr || !PAGE_ALIGNED(params.uaddr))
			return -EINVAL;
	}

	mutex_lock(&kvm->slots_lock);
	done = kvm_gmem_populate(kvm, params.gfn_start, params.len >> PAGE_SHIFT, &args);
	mutex_unlock(&kvm->slots_lock);
	if (done <= 0)
		return done;

	params.gfn_start += done;
	params.len -= done << PAGE_SHIFT;
	if (args.uaddr)
		params.uaddr += done << PAGE_SHIFT;
	if (copy_to_user(u64_to_user_ptr(cmd->data), &params, sizeof(params)))
		return -EFAULT;

	/* What stopped it shows when userspace goes on. */
	return params.len ? -EAGAIN : 0;
}

/* The ID block and its authentication, as kernel copies.  Freed by the caller. */
static int snp_launch_copy_id(const struct kvm_sev_snp_launch_finish *params,
			      struct sev_data_snp_launch_finish *finish, void **block, void **auth)
{
	void *p;

	if (!params->id_block_en)
		return 0;

	p = psp_copy_user_blob(params->id_block_uaddr, KVM_SEV_SNP_ID_BLOCK_SIZE);
	if (IS_ERR(p))
		return PTR_ERR(p);
	*block = p;

	p = psp_copy_user_blob(params->id_auth_uaddr, KVM_SEV_SNP_ID_AUTH_SIZE);
	if (IS_ERR(p))
		return PTR_ERR(p);
	*auth = p;

	finish->id_block_en = 1;
	finish->id_block_paddr = __sme_pa(*block);
	finish->id_auth_paddr = __sme_pa(*auth);
	finish->auth_key_en = !!params->auth_key_en;
	return 0;
}

int snp_launch_finish(struct kvm *kvm, struct kvm_sev_cmd *cmd)
{
	struct kvm_snp *snp = &to_kvm_svm(kvm)->sev_info.snp;
	struct sev_data_snp_launch_finish *finish;
	struct kvm_sev_snp_launch_finish params;
	void *block = NULL, *auth = NULL;
	int r;

	r = snp_launch_copy_params_started(snp, cmd, &params, sizeof(params));
	if (r)
		return r;

	if (params.flags || params.id_block_en > 1 || params.auth_key_en > 1 ||
	    params.vcek_disabled > 1 || !snp_launch_is_zero(params.pad0, sizeof(params.pad0)) ||
	    !snp_launch_is_zero(params.pad1, sizeof(params.pad1)))
		return -EINVAL;

	/* The firmware takes physical addresses. */
	finish = kzalloc(sizeof(*finish), GFP_KERNEL_ACCOUNT);
	if (!finish)
		return -ENOMEM;

	r = snp_launch_copy_id(&params, finish, &block, &auth);
	if (r)
		goto out;

	r = sev_lock_all_vcpus(kvm);
	if (r)
		goto out;
	r = snp_vmsa_launch_all(kvm, snp->context, cmd);
	sev_unlock_all_vcpus(kvm);
	if (r)
		goto out;

	finish->gctx_paddr = __psp_pa(snp->context);
	finish->vcek_disabled = params.vcek_disabled;
	memcpy(finish->host_data, params.host_data, sizeof(finish->host_data));
	mutex_lock(&sev_mirror_lock);
	r = __sev_issue_cmd(cmd->sev_fd, SEV_CMD_SNP_LAUNCH_FINISH, finish, &cmd->error);
	if (!r)
		snp_mirrors_finish(kvm);
	mutex_unlock(&sev_mirror_lock);

	/* Pages that are prepared by now can't be launched any more. */
	if (!r)
		WRITE_ONCE(kvm->arch.can_pre_fault, true);

out:
	kfree(auth);
	kfree(block);
	kfree(finish);
	return r;
}
