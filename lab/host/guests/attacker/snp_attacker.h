/* SPDX-License-Identifier: GPL-2.0 */
/* What the host's malicious module does to guests, for lab/host/guests/breakin.c */
#ifndef SNP_ATTACKER_H
#define SNP_ATTACKER_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum snp_attack {
	SNP_ATTACK_WRITE,	/* to all that is private, VMSAs too */
	SNP_ATTACK_DMA,		/* from a disk, to pages all over its memory */
	SNP_ATTACK_HOLD,	/* none: KVM maps nothing more until UNDO */
	SNP_ATTACK_REMAP,	/* exchange the pages behind neighbours in its NPT */
	SNP_ATTACK_ALIAS,	/* put its pages into the NPT of the other guest */
	SNP_ATTACK_UNDO,	/* the last three */
	SNP_ATTACK_COPY,	/* read every fourth page */
	SNP_ATTACK_REPLAY,	/* take these, and give them back as they were then */
	SNP_ATTACK_FORGE,	/* write VMSAs, and give them back */
};

struct snp_attack_args {
	__u32 what;
	__s32 vm;		/* descriptors of VMs */
	__s32 other;
	__u32 tried;		/* pages */
	__u32 done;		/* of these: what was not refused */
};

#define SNP_ATTACK	_IOWR(0xe1, 0, struct snp_attack_args)

#endif
