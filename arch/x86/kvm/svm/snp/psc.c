// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page state changes: the guest wants pages to be private or shared, one of them by
 * the GHCB's MSR, or a list of them by the GHCB.
 *
 * Userspace converts the memory.  Contiguous entries are coalesced into one exit, and
 * ranges that are already in the requested state are skipped.  The guest's list is
 * copied once; only progress is written to it.
 */
#include <linux/kvm_host.h>
#include <linux/kvm_mem_attributes.h>
#include <linux/kvm_para.h>

#include "map_gpa_range.h"
#include "snp.h"

#include "x86.h"

/* SW_EXITINFO2 of the NAE event for page state changes. */
#define SNP_PSC_OK		0
#define SNP_PSC_BAD_HEADER	((1ULL << 32) | 1)
#define SNP_PSC_BAD_ENTRY	((1ULL << 32) | 2)
#define SNP_PSC_FAILED		(0x100ULL << 32)

/* Response code and error of the MSR protocol. */
#define GHCB_MSR_PSC_FAILED	(BIT_ULL(63) | GHCB_MSR_PSC_RESP)

#define SNP_PSC_OP_POS		52
#define SNP_PSC_OP_MASK		0xfULL
#define SNP_PSC_GFN_MASK	GENMASK_ULL(39, 0)

struct snp_psc_range {
	gfn_t gfn;
	u64 npages;
	bool private;
	bool huge;
};

static u64 snp_psc_entry_npages(const struct psc_entry *entry)
{
	return entry->pagesize ? PTRS_PER_PMD : 1;
}

static bool snp_psc_entry_valid(const struct psc_entry *entry)
{
	return (entry->operation == SNP_PAGE_STATE_PRIVATE ||
		entry->operation == SNP_PAGE_STATE_SHARED) &&
	       !entry->reserved && entry->cur_page <= snp_psc_entry_npages(entry) &&
	       (!entry->pagesize || !(entry->gfn % PTRS_PER_PMD));
}

/* True if the range is already in the requested state. */
static bool snp_psc_range_is_done(struct kvm *kvm, const struct snp_psc_range *range)
{
	struct kvm_mem_attr_range attr;

	kvm_mem_attributes_lookup(kvm, range->gfn, &attr);
	return !!(attr.attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE) == range->private &&
	       attr.last - range->gfn >= range->npages - 1;
}

/* Returns false if userspace didn't enable the exit. */
static bool snp_psc_range_exit(struct kvm_vcpu *vcpu, const struct snp_psc_range *range,
			       int (*complete)(struct kvm_vcpu *vcpu))
{
	u64 attrs = range->huge ? KVM_MAP_GPA_RANGE_PAGE_SZ_2M : KVM_MAP_GPA_RANGE_PAGE_SZ_4K;

	if (!(vcpu->kvm->arch.hypercall_exit_enabled & BIT(KVM_HC_MAP_GPA_RANGE)))
		return false;

	attrs |= range->private ? KVM_MAP_GPA_RANGE_ENCRYPTED : KVM_MAP_GPA_RANGE_DECRYPTED;
	kvm_map_gpa_range_exit(vcpu, gfn_to_gpa(range->gfn), range->npages, attrs, 0, complete);
	return true;
}

/* The results of a hypercall that userspace may return; others fail KVM_RUN. */
static bool snp_psc_ret_valid(u64 ret)
{
	return !ret || ret == EINVAL || ret == EAGAIN;
}

static struct snp_psc_desc *snp_psc_guest_desc(struct vcpu_svm *svm)
{
	return (void *)svm->sev_es.ghcb + svm->sev_es.snp.psc_offset;
}

/* Copy the request.  Returns what is wrong with it, or SNP_PSC_OK. */
static u64 snp_psc_copy(struct vcpu_svm *svm)
{
	const u64 first = offsetof(struct ghcb, shared_buffer);
	const u64 next = first + sizeof(svm->sev_es.ghcb->shared_buffer);
	u64 offset = svm->sev_es.sw_scratch - svm->vmcb->control.ghcb_gpa;
	struct snp_psc *psc = svm->sev_es.snp.psc;
	struct snp_psc_desc *desc;

	if (offset < first || offset > next - sizeof(desc->hdr) ||
	    !IS_ALIGNED(offset, sizeof(u64)))
		return SNP_PSC_BAD_HEADER;

	svm->sev_es.snp.psc_offset = offset;
	desc = snp_psc_guest_desc(svm);
	psc->cur = READ_ONCE(desc->hdr.cur_entry);
	psc->end = READ_ONCE(desc->hdr.end_entry);
	psc->nr = 0;

	if (psc->end >= VMGEXIT_PSC_MAX_ENTRY ||
	    psc->end >= (next - offset - sizeof(desc->hdr)) / sizeof(desc->entries[0]))
		return SNP_PSC_BAD_HEADER;

	memcpy(psc->entries, desc->entries, (psc->end + 1) * sizeof(desc->entries[0]));
	return SNP_PSC_OK;
}

/* Entries from the current one on that are one range; the first is valid. */
static void snp_psc_next_range(struct snp_psc *psc, struct snp_psc_range *range)
{
	const struct psc_entry *entry = &psc->entries[psc->cur];
	bool private;

	range->gfn = entry->gfn + entry->cur_page;
	range->npages = snp_psc_entry_npages(entry) - entry->cur_page;
	range->private = entry->operation == SNP_PAGE_STATE_PRIVATE;
	range->huge = entry->pagesize;
	psc->nr = 1;

	while (psc->cur + psc->nr <= psc->end) {
		entry = &psc->entries[psc->cur + psc->nr];
		private = entry->operation == SNP_PAGE_STATE_PRIVATE;
		if (!snp_psc_entry_valid(entry) || entry->cur_page || private != range->private ||
		    entry->pagesize != range->huge ||
		    entry->gfn != range->gfn + range->npages)
			break;

		range->npages += snp_psc_entry_npages(entry);
		psc->nr++;
	}
}

/* The current range is done: say so in the guest's list. */
static void snp_psc_advance(struct vcpu_svm *svm)
{
	struct snp_psc_desc *desc = snp_psc_guest_desc(svm);
	struct snp_psc *psc = svm->sev_es.snp.psc;

	for (; psc->nr; psc->nr--, psc->cur++) {
		struct psc_entry entry = psc->entries[psc->cur];

		entry.cur_page = snp_psc_entry_npages(&entry);
		desc->entries[psc->cur] = entry;
	}
	WRITE_ONCE(desc->hdr.cur_entry, psc->cur);
}

static int snp_psc_complete(struct kvm_vcpu *vcpu);

static int snp_psc_finish(struct vcpu_svm *svm, u64 result)
{
	ghcb_set_sw_exit_info_2(svm->sev_es.ghcb, result);
	return 1;
}

/* Continue with the current entry.  Returns 1 to resume the guest, 0 to exit to userspace. */
static int snp_psc_continue(struct vcpu_svm *svm)
{
	struct snp_psc *psc = svm->sev_es.snp.psc;
	struct kvm_vcpu *vcpu = &svm->vcpu;
	struct snp_psc_range range;

	while (psc->cur <= psc->end) {
		if (!snp_psc_entry_valid(&psc->entries[psc->cur]))
			return snp_psc_finish(svm, SNP_PSC_BAD_ENTRY);

		snp_psc_next_range(psc, &range);
		if (range.npages && !snp_psc_range_is_done(vcpu->kvm, &range)) {
			if (snp_psc_range_exit(vcpu, &range, snp_psc_complete))
				return 0;
			return snp_psc_finish(svm, SNP_PSC_FAILED);
		}
		snp_psc_advance(svm);
	}

	return snp_psc_finish(svm, SNP_PSC_OK);
}

static int snp_psc_complete(struct kvm_vcpu *vcpu)
{
	u64 ret = READ_ONCE(vcpu->run->hypercall.ret);
	struct vcpu_svm *svm = to_svm(vcpu);

	if (!snp_psc_ret_valid(ret))
		return -EINVAL;

	/* The guest goes on from the entry that isn't done, or gives up. */
	if (ret == EAGAIN)
		return snp_psc_finish(svm, SNP_PSC_OK);
	if (ret)
		return snp_psc_finish(svm, SNP_PSC_FAILED);

	snp_psc_advance(svm);
	return snp_psc_continue(svm);
}

/*
 * snp_psc - SVM_VMGEXIT_PSC
 * @svm:	the vCPU, with its GHCB mapped and SW_SCRATCH valid
 *
 * Returns 1 to resume the guest, 0 to exit to userspace, or a negative errno.
 */
int snp_psc(struct vcpu_svm *svm)
{
	u64 result;

	if (!svm->sev_es.snp.psc)
		svm->sev_es.snp.psc = kmalloc(sizeof(*svm->sev_es.snp.psc), GFP_KERNEL_ACCOUNT);
	if (!svm->sev_es.snp.psc)
		return -ENOMEM;

	result = snp_psc_copy(svm);
	if (result)
		return snp_psc_finish(svm, result);

	return snp_psc_continue(svm);
}

static int snp_psc_msr_complete(struct kvm_vcpu *vcpu)
{
	u64 ret = READ_ONCE(vcpu->run->hypercall.ret);

	if (!snp_psc_ret_valid(ret))
		return -EINVAL;

	to_svm(vcpu)->vmcb->control.ghcb_gpa = ret ? GHCB_MSR_PSC_FAILED : GHCB_MSR_PSC_RESP;
	return 1;
}

/*
 * snp_psc_msr - GHCB_MSR_PSC_REQ: one page of 4 KiB
 * @svm:	the vCPU, with the request in the GHCB's MSR
 *
 * Returns 1 to resume the guest, with the response in the MSR, or 0 to exit to userspace.
 */
int snp_psc_msr(struct vcpu_svm *svm)
{
	u64 *msr = &svm->vmcb->control.ghcb_gpa;
	u64 op = (*msr >> SNP_PSC_OP_POS) & SNP_PSC_OP_MASK;
	struct snp_psc_range range = {
		.gfn = (*msr >> GHCB_DATA_LOW) & SNP_PSC_GFN_MASK,
		.npages = 1,
		.private = op == SNP_PAGE_STATE_PRIVATE,
	};

	if ((op != SNP_PAGE_STATE_PRIVATE && op != SNP_PAGE_STATE_SHARED) ||
	    *msr >> (SNP_PSC_OP_POS + 4)) {
		*msr = GHCB_MSR_PSC_FAILED;
		return 1;
	}

	if (snp_psc_range_is_done(svm->vcpu.kvm, &range)) {
		*msr = GHCB_MSR_PSC_RESP;
		return 1;
	}

	if (snp_psc_range_exit(&svm->vcpu, &range, snp_psc_msr_complete))
		return 0;

	*msr = GHCB_MSR_PSC_FAILED;
	return 1;
}
