// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SEV_DBG_DECRYPT and KVM_SEV_DBG_ENCRYPT: access to the memory of SEV guests
 * whose policy allows to debug them.
 *
 * The firmware works on blocks of 16 bytes, userspace on bytes. All goes through a
 * page of KVM's own, which has the blocks that the bytes are in.
 */
#include <linux/cacheflush.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/psp-sev.h>
#include <linux/sched/signal.h>

#include "sev_core.h"

#define SEV_DBG_BLOCK	16

/**
 * struct sev_dbg - a command on bytes of one page of the guest
 * @kvm:	the VM
 * @cmd:	what userspace has asked for; takes the firmware's error
 * @bounce:	page of KVM
 * @guest:	page of the guest, pinned
 * @start:	of the first block, in bytes from the start of the page
 * @end:	of the last block
 */
struct sev_dbg {
	struct kvm *kvm;
	struct kvm_sev_cmd *cmd;
	void *bounce;
	struct page *guest;
	unsigned int start;
	unsigned int end;
};

/* Caches may have what one of them has written, where they aren't coherent. */
static void sev_dbg_flush(struct sev_dbg *dbg)
{
	if (boot_cpu_has(X86_FEATURE_SME_COHERENT))
		return;

	clflush_cache_range(page_address(dbg->guest), PAGE_SIZE);
	clflush_cache_range(dbg->bounce, PAGE_SIZE);
}

static int sev_dbg_command(struct sev_dbg *dbg, bool encrypt)
{
	unsigned long guest = __sme_page_pa(dbg->guest) + dbg->start;
	unsigned long bounce = __sme_pa(dbg->bounce);
	struct kvm_sev_info *sev = &to_kvm_svm(dbg->kvm)->sev_info;
	struct sev_data_dbg data = {
		.handle = sev->handle,
		.len = dbg->end - dbg->start,
		.src_addr = encrypt ? bounce : guest,
		.dst_addr = encrypt ? guest : bounce,
	};

	sev_dbg_flush(dbg);
	return __sev_issue_cmd(sev->fd, encrypt ? SEV_CMD_DBG_ENCRYPT : SEV_CMD_DBG_DECRYPT,
			       &data, &dbg->cmd->error);
}

static int sev_dbg_decrypt(struct sev_dbg *dbg, unsigned int offset, u64 to, unsigned int len)
{
	int r = sev_dbg_command(dbg, false);

	if (r)
		return r;

	return copy_to_user(u64_to_user_ptr(to), dbg->bounce + offset - dbg->start, len) ?
	       -EFAULT : 0;
}

static int sev_dbg_encrypt(struct sev_dbg *dbg, unsigned int offset, u64 from, unsigned int len)
{
	int r;

	/* What else is in the blocks stays. */
	if (len != dbg->end - dbg->start) {
		r = sev_dbg_command(dbg, false);
		if (r)
			return r;
	}

	if (copy_from_user(dbg->bounce + offset - dbg->start, u64_to_user_ptr(from), len))
		return -EFAULT;

	return sev_dbg_command(dbg, true);
}

/* @len bytes that are in one page of the guest. */
static int sev_dbg_page(struct sev_dbg *dbg, bool encrypt, u64 guest, u64 plain,
			unsigned int len)
{
	unsigned int offset = offset_in_page(guest);
	int r;

	if (pin_user_pages_fast(guest & PAGE_MASK, 1, encrypt ? FOLL_WRITE : 0,
				&dbg->guest) != 1)
		return -ENOMEM;

	dbg->start = round_down(offset, SEV_DBG_BLOCK);
	dbg->end = round_up(offset + len, SEV_DBG_BLOCK);
	r = encrypt ? sev_dbg_encrypt(dbg, offset, plain, len) :
		      sev_dbg_decrypt(dbg, offset, plain, len);

	unpin_user_pages_dirty_lock(&dbg->guest, 1, encrypt);
	return r;
}

/*
 * sev_dbg_crypt - KVM_SEV_DBG_DECRYPT and KVM_SEV_DBG_ENCRYPT
 * @kvm:	the VM, with kvm->lock held
 * @cmd:	the command
 * @encrypt:	write to the guest, else read from it
 *
 * Returns 0 or an errno; what comes before the page that failed has been done.
 */
int sev_dbg_crypt(struct kvm *kvm, struct kvm_sev_cmd *cmd, bool encrypt)
{
	struct sev_dbg dbg = { .kvm = kvm, .cmd = cmd };
	struct kvm_sev_dbg params;
	u64 guest, plain, left;
	unsigned int len;
	int r = 0;

	lockdep_assert_held(&kvm->lock);

	if (!sev_guest(kvm))
		return -ENOTTY;
	if (copy_from_user(&params, u64_to_user_ptr(cmd->data), sizeof(params)))
		return -EFAULT;
	if (!params.len || params.src_uaddr + params.len < params.src_uaddr ||
	    !params.dst_uaddr || params.dst_uaddr + params.len < params.dst_uaddr)
		return -EINVAL;

	dbg.bounce = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!dbg.bounce)
		return -ENOMEM;

	guest = encrypt ? params.dst_uaddr : params.src_uaddr;
	plain = encrypt ? params.src_uaddr : params.dst_uaddr;
	for (left = params.len; left && !r; left -= len, guest += len, plain += len) {
		len = min_t(u64, left, PAGE_SIZE - offset_in_page(guest));
		r = sev_dbg_page(&dbg, encrypt, guest, plain, len);

		cond_resched();
		if (fatal_signal_pending(current))
			r = -EINTR;
	}

	free_page((unsigned long)dbg.bounce);
	return r;
}
