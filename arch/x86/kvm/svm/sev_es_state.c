// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a vCPU of an SEV-ES guest, which userspace has set until they are
 * encrypted: they go to the VMSA.
 */
#include <linux/kvm_host.h>
#include <linux/pfn.h>

#include <asm/snp_host.h>

#include "kvm_cache_regs.h"
#include "sev_core.h"
#include "vm_type.h"

/*
 * sev_es_sync_fpu - give a VMSA the FPU state that userspace has set
 * @svm:	the vCPU, with its mutex held, and not loaded
 * @save:	the VMSA, not yet encrypted
 *
 * The VMSA has x87, SSE and AVX state, as of XSAVE.  Components that are in
 * their initial configuration may hold anything in the buffer of the kernel.
 */
static void sev_es_sync_fpu(struct vcpu_svm *svm, struct sev_es_save_area *save)
{
	const struct xregs_state *xsave = &svm->vcpu.arch.guest_fpu.fpstate->regs.xsave;
	const struct fxregs_state *fx = &xsave->i387;
	u64 present = xsave->header.xfeatures;
	unsigned int i;

	/* XSAVE keeps MXCSR outside of the components. */
	save->mxcsr = fx->mxcsr;
	save->x87_fcw = 0x37f;

	if (present & XFEATURE_MASK_FP) {
		save->x87_fcw = fx->cwd;
		save->x87_fsw = fx->swd;
		save->x87_ftw = fx->twd;
		save->x87_fop = fx->fop;
		save->x87_rip = fx->rip;
		save->x87_dp = fx->rdp;
		/* FXSAVE has 16 bytes for each register, the VMSA all mantissas first. */
		for (i = 0; i < 8; i++) {
			memcpy(save->fpreg_x87 + 8 * i, &fx->st_space[4 * i], 8);
			memcpy(save->fpreg_x87 + 64 + 2 * i, &fx->st_space[4 * i + 2], 2);
		}
	}

	if (present & XFEATURE_MASK_SSE)
		memcpy(save->fpreg_xmm, fx->xmm_space, sizeof(save->fpreg_xmm));

	/* The first of the extended components, compacted or not. */
	if (present & XFEATURE_MASK_YMM)
		memcpy(save->fpreg_ymm, xsave->extended_state_area, sizeof(save->fpreg_ymm));
}

/* The firmware keeps the page if a launch command fails, and its reclaim as well. */
static bool sev_es_host_owns_vmsa(struct vcpu_svm *svm)
{
	bool assigned;
	int level, r;

	r = snp_lookup_rmpentry(PHYS_PFN(__pa(svm->sev_es.vmsa)), &assigned, &level);
	return r ? r == -ENODEV : !assigned;
}

int sev_es_sync_vmsa(struct vcpu_svm *svm)
{
	struct sev_es_save_area *save = svm->sev_es.vmsa;

	/* Check some debug related fields before encrypting the VMSA */
	if (svm->vcpu.guest_debug || (svm->vmcb->save.dr7 & ~DR7_FIXED_1))
		return -EINVAL;

	if (!sev_es_host_owns_vmsa(svm))
		return -EIO;

	/*
	 * SEV-ES will use a VMSA that is pointed to by the VMCB, not
	 * the traditional VMSA that is part of the VMCB. Copy the
	 * traditional VMSA as it has been built so far (in prep
	 * for LAUNCH_UPDATE_VMSA) to be the initial SEV-ES state.
	 */
	memcpy(save, &svm->vmcb->save, sizeof(svm->vmcb->save));

	/* Sync registgers */
	save->rax = svm->vcpu.arch.regs[VCPU_REGS_RAX];
	save->rbx = svm->vcpu.arch.regs[VCPU_REGS_RBX];
	save->rcx = svm->vcpu.arch.regs[VCPU_REGS_RCX];
	save->rdx = svm->vcpu.arch.regs[VCPU_REGS_RDX];
	save->rsp = svm->vcpu.arch.regs[VCPU_REGS_RSP];
	save->rbp = svm->vcpu.arch.regs[VCPU_REGS_RBP];
	save->rsi = svm->vcpu.arch.regs[VCPU_REGS_RSI];
	save->rdi = svm->vcpu.arch.regs[VCPU_REGS_RDI];
#ifdef CONFIG_X86_64
	save->r8  = svm->vcpu.arch.regs[VCPU_REGS_R8];
	save->r9  = svm->vcpu.arch.regs[VCPU_REGS_R9];
	save->r10 = svm->vcpu.arch.regs[VCPU_REGS_R10];
	save->r11 = svm->vcpu.arch.regs[VCPU_REGS_R11];
	save->r12 = svm->vcpu.arch.regs[VCPU_REGS_R12];
	save->r13 = svm->vcpu.arch.regs[VCPU_REGS_R13];
	save->r14 = svm->vcpu.arch.regs[VCPU_REGS_R14];
	save->r15 = svm->vcpu.arch.regs[VCPU_REGS_R15];
#endif
	save->rip = svm->vcpu.arch.regs[VCPU_REGS_RIP];

	/* Sync some non-GPR registers before encrypting */
	save->xcr0 = svm->vcpu.arch.xcr0;
	save->pkru = svm->vcpu.arch.pkru;
	save->xss  = svm->vcpu.arch.ia32_xss;
	save->dr6  = svm->vcpu.arch.dr6;

	save->sev_features = to_kvm_svm(svm->vcpu.kvm)->sev_info.vmsa_features;
	if (!kvm_vm_type_is(svm->vcpu.kvm, KVM_X86_DEFAULT_VM))
		sev_es_sync_fpu(svm, save);

	pr_debug("Virtual Machine Save Area (VMSA):\n");
	print_hex_dump_debug("", DUMP_PREFIX_NONE, 16, 1, save, sizeof(*save), false);

	return 0;
}

/* The registers of the vCPU have been encrypted: the host's copies are nothing any more. */
void sev_es_protect_state(struct kvm_vcpu *vcpu)
{
	vcpu->arch.guest_state_protected = true;
	fpstate_set_confidential(&vcpu->arch.guest_fpu);
}
