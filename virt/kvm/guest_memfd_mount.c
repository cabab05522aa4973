// SPDX-License-Identifier: GPL-2.0-only
/* The file system of guest_memfd, which has inodes and no names. */
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>

#include "guest_memfd.h"

static int kvm_gmem_init_fs_context(struct fs_context *fc)
{
	if (!init_pseudo(fc, GUEST_MEMFD_MAGIC))
		return -ENOMEM;

	/*
	 * Nobody executes it, and khugepaged takes files of executable mappings for
	 * text that it may replace by copies.
	 */
	fc->s_iflags |= SB_I_NOEXEC | SB_I_NODEV;
	return 0;
}

static struct file_system_type kvm_gmem_fs = {
	.owner = THIS_MODULE,
	.name = "guest_memfd",
	.init_fs_context = kvm_gmem_init_fs_context,
	.kill_sb = kill_anon_super,
};

/* Mounted while there are files, so that the mount doesn't pin the module. */
struct vfsmount *kvm_gmem_mnt;
static int kvm_gmem_mnt_count;

/* For each file, until it has dropped its inode. */
int kvm_gmem_pin_mount(void)
{
	return simple_pin_fs(&kvm_gmem_fs, &kvm_gmem_mnt, &kvm_gmem_mnt_count);
}

void kvm_gmem_unpin_mount(void)
{
	simple_release_fs(&kvm_gmem_mnt, &kvm_gmem_mnt_count);
}
