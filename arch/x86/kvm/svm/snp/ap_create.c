// SPDX-License-Identifier: GPL-2.0-only
/*
 * AP creation: the guest makes VMSAs of its own, and says which vCPU runs which.
 *
 * The requesting vCPU posts the request to the target vCPU, which changes its VMSA by
 * itself before it enters the guest again.  The VMSA is a private page of the guest at
 * a gpa; the vCPU looks the page up again whenever it may have changed.
 */
#include <linux/kvm_host.h>
#include <linux/kvm_mem_attributes.h>
#include <linux/kvm_private_mem.h>

#include "mmu.h"
#include "svm/ghcb.h"
#include "svm/sev_core.h"
#include "snp.h"

#include "cpuid.h"
#include "lapic.h"
#include "x86.h"

#define SNP_AP_REQUEST_MASK	GENMASK_ULL(15, 0)
#define SNP_AP_VMPL_POS		16
#define SNP_AP_VMPL_MASK	0xfULL
#define SNP_AP_RSVD_MASK	GENMASK_ULL(31, 20)
#define SNP_AP_APIC_ID_POS	32

/*
 * True if a vCPU can have this VMSA: it has to be a private page.  Reject the start of
 * 2 MiB, where some CPUs report a false conflict between an in-use VMSA and RMPUPDATE of
 * the 2 MiB.
 */
static bool snp_ap_vmsa_gpa_valid(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	gfn_t gfn = gpa_to_gfn(gpa);

	return page_address_valid(vcpu, gpa) && !IS_ALIGNED(gpa, PMD_SIZE) &&
	       kvm_slot_has_gmem(gfn_to_memslot(vcpu->kvm, gfn)) &&
	       kvm_mem_is_private(vcpu->kvm, gfn);
}

/* A vCPU that has not loaded its VMSA yet is not found: the two can't be entered at once. */
static bool snp_ap_vmsa_in_use(struct kvm *kvm, struct kvm_vcpu *target, gpa_t gpa)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		if (vcpu != target && READ_ONCE(to_svm(vcpu)->sev_es.snp.vmsa_gpa) == gpa)
			return true;
	return false;
}

/*
 * What is pending is done in this order: stop, start, and once INIT comes, start with
 * the VMSA that was left for it.  A stop drops both starts, a start the one for INIT;
 * neither is dropped because the vCPU hasn't looked yet.
 *
 * The target has left its VMSA when the guest that asked goes on: it may free the VMSA.
 */
static void snp_ap_post(struct kvm_vcpu *target, bool stop, gpa_t vmsa)
{
	struct vcpu_snp *snp = &to_svm(target)->sev_es.snp;
	DECLARE_BITMAP(mask, KVM_MAX_VCPUS) = {};

	mutex_lock(&snp->ap_lock);
	if (stop)
		snp->stop = true;
	snp->next_vmsa = vmsa;
	snp->init_vmsa = INVALID_PAGE;
	mutex_unlock(&snp->ap_lock);

	__set_bit(target->vcpu_idx, mask);
	kvm_make_vcpus_request_mask(target->kvm, KVM_REQ_RELOAD_STATE, mask);
}

static void snp_ap_post_on_init(struct kvm_vcpu *target, gpa_t vmsa)
{
	struct vcpu_snp *snp = &to_svm(target)->sev_es.snp;

	mutex_lock(&snp->ap_lock);
	snp->init_vmsa = vmsa;
	mutex_unlock(&snp->ap_lock);
}

/*
 * snp_ap_creation - SVM_VMGEXIT_AP_CREATION
 * @svm:	the vCPU that asks, with its GHCB mapped
 *
 * Invalid requests are reported to the guest and have no side effects: no such vCPU, a
 * VMPL other than 0, features that differ from those of the launch, a bad address.
 * Returns 1 to resume the guest.
 */
int snp_ap_creation(struct vcpu_svm *svm)
{
	struct kvm_sev_info *sev = &to_kvm_svm(svm->vcpu.kvm)->sev_info;
	u64 info1 = svm->vmcb->control.exit_info_1;
	gpa_t vmsa = svm->vmcb->control.exit_info_2;
	struct kvm_vcpu *target;

	target = kvm_get_vcpu_by_id(svm->vcpu.kvm, info1 >> SNP_AP_APIC_ID_POS);
	if (!target || info1 & SNP_AP_RSVD_MASK ||
	    (info1 >> SNP_AP_VMPL_POS) & SNP_AP_VMPL_MASK)
		return sev_ghcb_set_error(svm, GHCB_ERR_INVALID_INPUT);

	switch (info1 & SNP_AP_REQUEST_MASK) {
	case SVM_VMGEXIT_AP_CREATE_ON_INIT:
	case SVM_VMGEXIT_AP_CREATE:
		if (!kvm_ghcb_rax_is_valid(svm))
			return sev_ghcb_set_error(svm, GHCB_ERR_MISSING_INPUT);
		if (svm->vcpu.arch.regs[VCPU_REGS_RAX] != sev->vmsa_features ||
		    !snp_ap_vmsa_gpa_valid(&svm->vcpu, vmsa) ||
		    snp_ap_vmsa_in_use(svm->vcpu.kvm, target, vmsa))
			return sev_ghcb_set_error(svm, GHCB_ERR_INVALID_INPUT);

		if ((info1 & SNP_AP_REQUEST_MASK) == SVM_VMGEXIT_AP_CREATE)
			snp_ap_post(target, false, vmsa);
		else
			snp_ap_post_on_init(target, vmsa);
		return 1;
	case SVM_VMGEXIT_AP_DESTROY:
		snp_ap_post(target, true, INVALID_PAGE);
		return 1;
	default:
		return sev_ghcb_set_error(svm, GHCB_ERR_INVALID_INPUT);
	}
}

/*
 * Point the VMCB to the page behind a gpa.  If the page is unmapped until then, the
 * request to look it up again is there before the guest is entered: snp_gmem_unmapped()
 * sees either the new gpa, or changes the sequence count before it's looked at.
 * Returns 0, -EAGAIN to try again, or what is wrong with the page.
 */
static int snp_ap_load_vmsa(struct kvm_vcpu *vcpu, gpa_t gpa)
{
	gfn_t gfn = gpa_to_gfn(gpa);
	struct kvm_memory_slot *slot = gfn_to_memslot(vcpu->kvm, gfn);
	struct vcpu_svm *svm = to_svm(vcpu);
	struct kvm *kvm = vcpu->kvm;
	unsigned int order = 0;
	unsigned long seq;
	kvm_pfn_t pfn;
	int r = 0;

	/* Before the page is looked up. Pairs with kvm_gfn_invalidate_end(). */
	seq = READ_ONCE(kvm->mmu_invalidate_seq);
	smp_rmb();	/* see above */

	if (!kvm_slot_has_gmem(slot) || !kvm_mem_is_private(kvm, gfn))
		return -EFAULT;
	if (slot->flags & KVM_MEMSLOT_INVALID)
		return -EAGAIN;

	r = kvm_gmem_get_pfn(kvm, slot, gfn, true, &order, &pfn);
	if (r)
		return r;

	read_lock(&kvm->mmu_lock);
	if (kvm->mmu_invalidate_seq != seq || kvm_gfn_invalidate_in_range(kvm, gfn, gfn + 1)) {
		r = -EAGAIN;
	} else {
		WRITE_ONCE(svm->sev_es.snp.vmsa_gpa, gpa);
		svm->vmcb->control.vmsa_pa = pfn_to_hpa(pfn);
		vmcb_mark_all_dirty(svm->vmcb);
	}
	read_unlock(&kvm->mmu_lock);

	/* Like an SPTE, the VMCB has no reference: the page tells when it goes. */
	kvm_release_pfn_clean(pfn);
	return r;
}

static void snp_ap_unload_vmsa(struct vcpu_svm *svm)
{
	svm->vmcb->control.vmsa_pa = INVALID_PAGE;
	vmcb_mark_all_dirty(svm->vmcb);
}

/*
 * What the guest has done with GIF and interrupts by the last VMSA, and events for it, are
 * not the next one's, as with INIT.  That includes NMIs that come before the vCPU has the
 * next one.  Interrupts are the local APIC's, which keeps its state.  A vCPU that waits for
 * INIT or a start-up IPI must not have GIF clear.
 */
static void snp_ap_reset_events(struct kvm_vcpu *vcpu)
{
	to_svm(vcpu)->vmcb->control.int_state = 0;
	/* A start-up IPI is not the response to a request of the last VMSA. */
	to_svm(vcpu)->sev_es.msr_reset_hold = false;

	atomic_set(&vcpu->arch.nmi_queued, 0);
	vcpu->arch.nmi_pending = 0;
	vcpu->arch.nmi_injected = false;
	kvm_clear_exception_queue(vcpu);
	if (vcpu->arch.interrupt.injected && !vcpu->arch.interrupt.soft)
		kvm_apic_requeue(vcpu, vcpu->arch.interrupt.nr);
	kvm_clear_interrupt_queue(vcpu);

	kvm_clear_request(KVM_REQ_TRIPLE_FAULT, vcpu);
	kvm_clear_request(KVM_REQ_APF_HALT, vcpu);
	vcpu->arch.apf.halted = false;
	vcpu->arch.pv.pv_unhalted = false;

	/* Which of the two is GIF depends on vGIF. */
	to_svm(vcpu)->vmcb->control.int_ctl |= V_GIF_MASK;
	vcpu->arch.hflags |= HF_GIF_MASK;
	vcpu->arch.hflags &= ~(HF_NMI_MASK | HF_IRET_MASK);
	kvm_make_request(KVM_REQ_EVENT, vcpu);
}

/* The vCPU stays out of the guest until INIT, or until it gets another VMSA. */
static void snp_ap_stop(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);

	snp_ap_unload_vmsa(svm);
	WRITE_ONCE(svm->sev_es.snp.vmsa_gpa, INVALID_PAGE);
	svm->sev_es.snp.stopped = true;
	snp_ap_reset_events(vcpu);
	vcpu->arch.mp_state = KVM_MP_STATE_INIT_RECEIVED;
}

/* Returns whether to stop, and the VMSA to have next. */
static bool snp_ap_consume_request(struct vcpu_snp *snp, gpa_t *vmsa)
{
	bool stop;

	mutex_lock(&snp->ap_lock);
	stop = snp->stop;
	*vmsa = snp->next_vmsa;
	snp->stop = false;
	snp->next_vmsa = INVALID_PAGE;
	mutex_unlock(&snp->ap_lock);
	return stop;
}

/* A start that failed is due again, unless another request has come since. */
static void snp_ap_put_back(struct vcpu_snp *snp, gpa_t vmsa)
{
	mutex_lock(&snp->ap_lock);
	if (!snp->stop && snp->next_vmsa == INVALID_PAGE)
		snp->next_vmsa = vmsa;
	mutex_unlock(&snp->ap_lock);
}

/* The vCPU has a VMSA that the guest has started it with. */
static void snp_ap_started(struct kvm_vcpu *vcpu)
{
	/* A vCPU that was created after the launch has no other state. */
	if (!vcpu->arch.guest_state_protected)
		sev_es_protect_state(vcpu);
	to_svm(vcpu)->sev_es.snp.stopped = false;
	snp_ap_reset_events(vcpu);
	/* The ASID stays, and what the VMSA says about paging does not. */
	kvm_make_request(KVM_REQ_TLB_FLUSH_GUEST, vcpu);
	vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;
}

/*
 * snp_reload_state - KVM_REQ_RELOAD_STATE: have the VMSA that is due
 * @vcpu:	the vCPU, loaded
 *
 * Returns 1; or -EFAULT and the exit to userspace for a VMSA that can't be used:
 * the next KVM_RUN retries.
 */
int snp_reload_state(struct kvm_vcpu *vcpu)
{
	struct vcpu_svm *svm = to_svm(vcpu);
	struct vcpu_snp *snp = &svm->sev_es.snp;
	bool start;
	gpa_t vmsa;
	int r;

	if (snp_ap_consume_request(snp, &vmsa) || (vmsa == INVALID_PAGE && snp->stopped))
		snp_ap_stop(vcpu);

	start = vmsa != INVALID_PAGE;
	if (!start)
		vmsa = snp->vmsa_gpa;
	if (vmsa == INVALID_PAGE)
		return 1;

	r = snp_ap_load_vmsa(vcpu, vmsa);
	if (!r) {
		if (start)
			snp_ap_started(vcpu);
		return 1;
	}

	snp_ap_unload_vmsa(svm);
	if (start)
		snp_ap_put_back(snp, vmsa);
	kvm_make_request(KVM_REQ_RELOAD_STATE, vcpu);
	/*
	 * A signal is seen before the guest is entered.  A vCPU that does not run yet is
	 * not, and comes back at once: the task that changes the slot waits for readers.
	 */
	if (r == -EAGAIN || r == -EINTR) {
		kvm_vcpu_srcu_read_unlock(vcpu);
		cond_resched();
		kvm_vcpu_srcu_read_lock(vcpu);
		return 1;
	}

	kvm_prepare_memory_fault_exit(vcpu, vmsa, PAGE_SIZE, true);
	return r == -EHWPOISON ? r : -EFAULT;
}

/* INIT makes the VMSA current that was left for it. */
void snp_init_event(struct kvm_vcpu *vcpu)
{
	struct vcpu_snp *snp = &to_svm(vcpu)->sev_es.snp;
	bool start;

	mutex_lock(&snp->ap_lock);
	start = snp->init_vmsa != INVALID_PAGE;
	if (start) {
		snp->next_vmsa = snp->init_vmsa;
		snp->init_vmsa = INVALID_PAGE;
	}
	mutex_unlock(&snp->ap_lock);

	if (start)
		kvm_make_request(KVM_REQ_RELOAD_STATE, vcpu);
}

/* A start-up IPI doesn't give a vCPU a VMSA. */
void snp_sipi(struct kvm_vcpu *vcpu)
{
	if (to_svm(vcpu)->sev_es.snp.stopped)
		kvm_make_request(KVM_REQ_RELOAD_STATE, vcpu);
}

/* Called by guest_memfd: no vCPU uses a VMSA in the range when it returns. */
void snp_gmem_unmapped(struct kvm *kvm, gfn_t start, gfn_t end)
{
	struct kvm_vcpu *vcpu;
	bool wait = false;
	unsigned long i;
	gpa_t gpa;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		gpa = READ_ONCE(to_svm(vcpu)->sev_es.snp.vmsa_gpa);
		if (gpa == INVALID_PAGE || gpa_to_gfn(gpa) < start || gpa_to_gfn(gpa) >= end)
			continue;

		kvm_make_request(KVM_REQ_RELOAD_STATE, vcpu);
		wait = true;
	}

	if (wait)
		kvm_make_all_cpus_request(kvm, KVM_REQ_OUTSIDE_GUEST_MODE);
}
