// SPDX-License-Identifier: GPL-2.0-only
/*
 * All requests that an SNP guest can make via its GHCB, valid and invalid: page state
 * changes, AP creation, guest requests, and the rest of version 2 of the protocol.
 */
#include <linux/kvm_para.h>
#include <sys/klog.h>

#include "processor.h"
#include "snp.h"

#define EVENT_MMIO_READ		0x80000001
#define EVENT_MMIO_WRITE	0x80000002
#define EVENT_PSC		0x80000010
#define EVENT_GUEST_REQUEST	0x80000011
#define EVENT_EXT_REQUEST	0x80000012
#define EVENT_AP_CREATION	0x80000013
#define EVENT_HV_FEATURES	0x8000fffd
#define EVENT_TERMINATE		0x8000fffe

#define ERR_NOT_REGISTERED	1
#define ERR_INVALID_USAGE	2
#define ERR_SCRATCH		3
#define ERR_MISSING		4
#define ERR_INPUT		5
#define ERR_EVENT		6

#define PSC_PRIVATE		1ul
#define PSC_SHARED		2ul
#define PSC_MAX			253
#define PSC_BAD_HEADER		(1ul << 32 | 1)
#define PSC_BAD_ENTRY		(1ul << 32 | 2)
#define PSC_FAILED		(0x100ul << 32)

#define LAPIC_GPA		0xfee00000ul
#define IOAPIC_GPA		0xfec00000ul
#define NOTHING_GPA		0xd0000000ul

static struct snp_vm snp;

static uint64_t psc_entry(uint64_t gpa, uint64_t op, bool huge, uint64_t done)
{
	return done | gpa | op << 52 | (uint64_t)huge << 56;
}

static void psc_list(unsigned int cur, unsigned int end, uint64_t *entries, unsigned int nr)
{
	uint16_t *header = (uint16_t *)(snp.event + GHCB_SHARED_BUFFER);

	ghcb_clear(&snp);
	header[0] = cur;
	header[1] = end;
	memcpy(snp.event + GHCB_SHARED_BUFFER + 8, entries, nr * sizeof(*entries));
	ghcb_set(&snp, GHCB_SCRATCH, SNP_GHCB_GPA + GHCB_SHARED_BUFFER);
}

static int psc(unsigned int nr, uint64_t *entries)
{
	psc_list(0, nr - 1, entries, nr);
	return snp_event(&snp, EVENT_PSC, 0, 0);
}

static uint64_t psc_result(void)
{
	return ghcb_get(&snp, GHCB_EXIT_INFO_2);
}

static bool is_map_request(int r, uint64_t gpa, uint64_t pages, bool private)
{
	struct kvm_run *run = snp.vcpus[0]->run;

	return r == KVM_EXIT_HYPERCALL && run->hypercall.nr == KVM_HC_MAP_GPA_RANGE &&
	       run->hypercall.args[0] == gpa && run->hypercall.args[1] == pages &&
	       !!(run->hypercall.args[2] & KVM_MAP_GPA_RANGE_ENCRYPTED) == private &&
	       run->hypercall.ret == 0;
}

/* What a VMM does in response to such an exit. */
static int convert(void)
{
	struct kvm_run *run = snp.vcpus[0]->run;

	set_private(snp.vm->fd, run->hypercall.args[0], run->hypercall.args[1] * SZ_4K,
		    run->hypercall.args[2] & KVM_MAP_GPA_RANGE_ENCRYPTED);
	run->hypercall.ret = 0;
	return snp_resume(&snp);
}

static int answer(uint64_t ret)
{
	snp.vcpus[0]->run->hypercall.ret = ret;
	return snp_resume(&snp);
}

static void test_protocol(void)
{
	uint64_t none = 0xfffffffffffffUL << 12 | 0x13;
	uint64_t info = snp_msr(&snp, 2);

	check((info & 0xfff) == 1 && info >> 48 == 2, "version 2 is offered (%#lx)", info);
	check(snp_msr(&snp, 0x80) == (3ul << 12 | 0x81), "features by MSR: SNP, AP creation");
	check(snp_msr(&snp, 0x10) == (0xfffffffffffffUL << 12 | 0x11), "no preferred GHCB");
	check(snp_msr(&snp, SNP_BUFFER_GPA | 0x12) == (SNP_BUFFER_GPA | 0x13),
	      "GHCB is registered");
	check(snp_msr(&snp, 0xffffffffff000ul << 11 | 0x12) == none,
	      "no GHCB beyond physical addresses");
	check((snp_msr(&snp, 0x7ff) & 0xfff) == 0x7ff, "unknown MSR request has no response");

	ghcb_clear(&snp);
	check(!snp_event(&snp, EVENT_HV_FEATURES, 0, 0) && psc_result() == 3,
	      "features by the GHCB");

	ghcb_clear(&snp);
	check(!snp_event(&snp, 0x80000099, 0, 0) && snp_refused(&snp, ERR_EVENT),
	      "unknown event");
	ghcb_clear(&snp);
	*(uint32_t *)(snp.event + GHCB_USAGE) = 7;
	check(!snp_event(&snp, EVENT_HV_FEATURES, 0, 0) && snp_refused(&snp, ERR_INVALID_USAGE),
	      "unknown usage");
	ghcb_clear(&snp);
	ghcb_set(&snp, GHCB_EXIT_CODE, EVENT_HV_FEATURES);
	check(!snp_order(&snp, SNP_EVENT, 0, 0, 0) && snp_refused(&snp, ERR_MISSING),
	      "event without its information");
	ghcb_clear(&snp);
	check(!snp_event(&snp, EVENT_PSC, 0, 0) && snp_refused(&snp, ERR_MISSING),
	      "page state change without a list");
	ghcb_clear(&snp);
	ghcb_set(&snp, GHCB_SCRATCH, SNP_GHCB_GPA + GHCB_SHARED_BUFFER);
	check(!snp_event(&snp, EVENT_MMIO_READ, LAPIC_GPA, 0) && snp_refused(&snp, ERR_INPUT),
	      "MMIO of no bytes");
	ghcb_clear(&snp);
	ghcb_set(&snp, GHCB_SCRATCH, SNP_GHCB_GPA + GHCB_SHARED_BUFFER);
	check(!snp_event(&snp, EVENT_MMIO_READ, LAPIC_GPA, 9) && snp_refused(&snp, ERR_INPUT),
	      "MMIO of nine bytes");
	ghcb_clear(&snp);
	ghcb_set(&snp, GHCB_SCRATCH, SNP_BUFFER_GPA);
	check(!snp_event(&snp, EVENT_MMIO_READ, LAPIC_GPA, 4) && snp_refused(&snp, ERR_SCRATCH),
	      "scratch area elsewhere");
}

static int mmio(uint64_t event, uint64_t gpa, uint64_t len, uint64_t data)
{
	ghcb_clear(&snp);
	ghcb_set(&snp, GHCB_SCRATCH, SNP_GHCB_GPA + GHCB_SHARED_BUFFER);
	*(uint64_t *)(snp.event + GHCB_SHARED_BUFFER) = data;
	return snp_event(&snp, event, gpa, len);
}

static bool is_mmio(int r, bool write)
{
	struct kvm_run *run = snp.vcpus[0]->run;

	return r == KVM_EXIT_MMIO && run->mmio.phys_addr == NOTHING_GPA && run->mmio.len == 8 &&
	       run->mmio.is_write == write;
}

/* Each kind comes after the other one, and after itself. */
static void test_mmio(void)
{
	uint64_t *data = (uint64_t *)snp.vcpus[0]->run->mmio.data;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		check(is_mmio(mmio(EVENT_MMIO_WRITE, NOTHING_GPA, 8, i), true) && *data == i,
		      "%u: a write", i);
		*data = ~0ul;
		check(!snp_resume(&snp) && ghcb_get(&snp, GHCB_SHARED_BUFFER) == i,
		      "%u: it returns nothing to the guest", i);
		if (i == 1)
			continue;
		check(is_mmio(mmio(EVENT_MMIO_READ, NOTHING_GPA, 8, i), false), "%u: a read", i);
		*data = 0x5eed + i;
		check(!snp_resume(&snp) && ghcb_get(&snp, GHCB_SHARED_BUFFER) == 0x5eed + i,
		      "%u: it returns what userspace has", i);
	}
}

static unsigned int count_in_log(const char *text)
{
	static char log[SZ_2M];
	unsigned int nr = 0;
	const char *at;
	int size;

	size = klogctl(3, log, sizeof(log) - 1);
	TEST_ASSERT(size >= 0, "The log can't be read, errno %d", errno);
	log[size] = 0;
	for (at = log; (at = strstr(at, text)); at++)
		nr++;
	return nr;
}

/* The APICs know no such lengths, but a guest must not fill the log with that. */
static void test_log(void)
{
	static const char * const texts[] = { "Local APIC read with len", "ioapic: " };
	uint64_t gpas[] = { LAPIC_GPA + 0x20, IOAPIC_GPA };
	unsigned int i, apic, before, after;

	for (apic = 0; apic < 2; apic++) {
		before = count_in_log(texts[apic]);
		for (i = 0; i < 400; i++)
			mmio(i & 1 ? EVENT_MMIO_READ : EVENT_MMIO_WRITE, gpas[apic], 3, i);
		after = count_in_log(texts[apic]);
		check(after - before < 200, "%s: %u messages for 400 accesses", texts[apic],
		      after - before);
	}
}

static void test_psc_msr(void)
{
	uint64_t gpa = SNP_DATA_GPA + 5 * SZ_4K;
	uint64_t request = PSC_PRIVATE << 52 | gpa | 0x14;
	int r;

	r = snp_order(&snp, SNP_MSR, request, 0, 0);
	check(is_map_request(r, gpa, 1, true), "MSR: a page is to be private");
	check(!convert() && snp.order->result == 0x15, "MSR: it is");
	r = snp_order(&snp, SNP_MSR, request, 0, 0);
	check(!r && snp.order->result == 0x15, "MSR: no exit for what is the case");

	request = PSC_SHARED << 52 | gpa | 0x14;
	r = snp_order(&snp, SNP_MSR, request, 0, 0);
	check(is_map_request(r, gpa, 1, false), "MSR: it is to be shared");
	check(!answer(EINVAL) && snp.order->result == (1ul << 63 | 0x15), "MSR: refused");
	r = snp_order(&snp, SNP_MSR, request, 0, 0);
	check(r == KVM_EXIT_HYPERCALL && answer(EPERM) == -1 && errno == EINVAL,
	      "MSR: an answer that there isn't fails KVM_RUN");
	check(!snp_resume(&snp), "MSR: the guest goes on");
	r = snp_order(&snp, SNP_MSR, request, 0, 0);
	check(r == KVM_EXIT_HYPERCALL && !convert() && snp.order->result == 0x15,
	      "MSR: shared again");
	check(snp_msr(&snp, 3ul << 52 | gpa | 0x14) == (1ul << 63 | 0x15), "MSR: no such thing");
	check(snp_msr(&snp, 1ul << 56 | PSC_SHARED << 52 | gpa | 0x14) == (1ul << 63 | 0x15),
	      "MSR: reserved bits");
}

static void test_psc_lists(void)
{
	uint64_t entries[PSC_MAX], gpa = SNP_DATA_GPA;
	uint16_t *header = (uint16_t *)(snp.answer + GHCB_SHARED_BUFFER);
	unsigned int i;
	int r;

	for (i = 0; i < PSC_MAX; i++)
		entries[i] = psc_entry(gpa + i * SZ_4K, PSC_PRIVATE, false, 0);
	r = psc(PSC_MAX, entries);
	check(is_map_request(r, gpa, PSC_MAX, true), "253 entries are one exit");
	check(!convert() && psc_result() == 0 && header[0] == PSC_MAX, "all of them are done");
	r = psc(PSC_MAX, entries);
	check(!r && psc_result() == 0 && header[0] == PSC_MAX, "the same again is no exit");

	entries[0] = psc_entry(gpa, PSC_SHARED, false, 0);
	entries[1] = psc_entry(gpa + 2 * SZ_4K, PSC_SHARED, false, 0);
	r = psc(2, entries);
	check(is_map_request(r, gpa, 1, false), "first of two ranges");
	r = convert();
	check(is_map_request(r, gpa + 2 * SZ_4K, 1, false), "second of two ranges");
	check(!answer(EINVAL) && psc_result() == PSC_FAILED && header[0] == 1,
	      "the second fails, and the header says which");
	r = psc(2, entries);
	check(r == KVM_EXIT_HYPERCALL && !answer(EAGAIN) && psc_result() == 0 && header[0] == 1,
	      "userspace makes the guest repeat the request");

	entries[0] = psc_entry(gpa, PSC_SHARED, true, 2);
	r = psc(1, entries);
	check(is_map_request(r, gpa + 2 * SZ_4K, 510, false), "2 MiB of which 8 KiB are done");
	check(!convert() && psc_result() == 0, "2 MiB are shared");
	entries[0] = psc_entry(gpa, PSC_PRIVATE, true, 512);
	check(!psc(1, entries) && psc_result() == 0, "nothing of 2 MiB is left to do");
}

static void test_psc_nonsense(void)
{
	uint64_t entry = psc_entry(SNP_DATA_GPA, PSC_PRIVATE, false, 0);
	uint64_t bad[] = {
		psc_entry(SNP_DATA_GPA, 0, false, 0),
		psc_entry(SNP_DATA_GPA, 3, false, 0),
		psc_entry(SNP_DATA_GPA + SZ_4K, PSC_PRIVATE, true, 0),
		psc_entry(SNP_DATA_GPA, PSC_PRIVATE, false, 2),
		psc_entry(SNP_DATA_GPA, PSC_PRIVATE, true, 513),
		entry | 1ul << 57,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		check(!psc(1, &bad[i]) && psc_result() == PSC_BAD_ENTRY, "bad entry %#lx", bad[i]);

	psc_list(0, PSC_MAX, &entry, 1);
	check(!snp_event(&snp, EVENT_PSC, 0, 0) && psc_result() == PSC_BAD_HEADER,
	      "a list that is too long");
	psc_list(7, 6, &entry, 1);
	check(!snp_event(&snp, EVENT_PSC, 0, 0) && psc_result() == 0, "a list that is done");
	psc_list(0, 0, &entry, 1);
	*(uint64_t *)(snp.event + GHCB_SHARED_BUFFER + 8) = 252ul << 16;
	ghcb_set(&snp, GHCB_SCRATCH, SNP_GHCB_GPA + GHCB_SHARED_BUFFER + 8);
	check(!snp_event(&snp, EVENT_PSC, 0, 0) && psc_result() == PSC_BAD_HEADER,
	      "a list that reaches beyond the buffer");
	ghcb_set(&snp, GHCB_SCRATCH, SNP_GHCB_GPA + SZ_4K);
	check(!snp_event(&snp, EVENT_PSC, 0, 0) && psc_result() == PSC_BAD_HEADER,
	      "a list outside of the GHCB");
	ghcb_set(&snp, GHCB_SCRATCH, SNP_GHCB_GPA - 8);
	check(!snp_event(&snp, EVENT_PSC, 0, 0) && psc_result() == PSC_BAD_HEADER,
	      "a list before the GHCB");
	ghcb_set(&snp, GHCB_SCRATCH, SNP_GHCB_GPA);
	check(!snp_event(&snp, EVENT_PSC, 0, 0) && psc_result() == PSC_BAD_HEADER,
	      "a list in the registers of the GHCB");
}

static void test_psc_without_exits(void)
{
	uint64_t gpa = SNP_DATA_GPA + 3 * SZ_2M;
	uint64_t entry = psc_entry(gpa, PSC_PRIVATE, false, 0);

	vm_enable_cap(snp.vm, KVM_CAP_EXIT_HYPERCALL, 0);
	check(!psc(1, &entry) && psc_result() == PSC_FAILED,
	      "nothing is converted if userspace has not enabled the exit");
	check(snp_msr(&snp, PSC_PRIVATE << 52 | gpa | 0x14) == (1ul << 63 | 0x15),
	      "MSR: nor a single page");
	vm_enable_cap(snp.vm, KVM_CAP_EXIT_HYPERCALL, 1ul << KVM_HC_MAP_GPA_RANGE);
}

static int ap_create(uint64_t request, uint64_t apic_id, uint64_t vmsa, uint64_t features)
{
	ghcb_clear(&snp);
	ghcb_set(&snp, GHCB_RAX, features);
	return snp_event(&snp, EVENT_AP_CREATION, apic_id << 32 | request, vmsa);
}

static void test_ap_creation(void)
{
	uint64_t vmsa = SNP_DATA_GPA + SZ_2M + SZ_4K;

	set_private(snp.vm->fd, SNP_DATA_GPA + SZ_2M, SZ_2M, true);
	check(!ap_create(1, 5, vmsa, 1) && snp_refused(&snp, ERR_INPUT), "AP: no such vCPU");
	check(!ap_create(1 | 1 << 16, 1, vmsa, 1) && snp_refused(&snp, ERR_INPUT), "AP: VMPL 1");
	check(!ap_create(9, 1, vmsa, 1) && snp_refused(&snp, ERR_INPUT), "AP: unknown request");
	check(!ap_create(1, 1, vmsa, 3) && snp_refused(&snp, ERR_INPUT), "AP: other features");
	check(!ap_create(1, 1, vmsa + 8, 1) && snp_refused(&snp, ERR_INPUT),
	      "AP: VMSA is not aligned");
	check(!ap_create(1, 1, SNP_DATA_GPA + SZ_2M, 1) && snp_refused(&snp, ERR_INPUT),
	      "AP: VMSA at the start of 2 MiB");
	check(!ap_create(1, 1, SNP_BUFFER_GPA, 1) && snp_refused(&snp, ERR_INPUT),
	      "AP: VMSA in shared memory");
	check(!ap_create(1, 1, 1ul << 46, 1) && snp_refused(&snp, ERR_INPUT),
	      "AP: VMSA where no memory is");
	ghcb_clear(&snp);
	check(!snp_event(&snp, EVENT_AP_CREATION, 1ul << 32 | 1, vmsa) &&
	      snp_refused(&snp, ERR_MISSING), "AP: features are missing");
	check(!ap_create(2, 1, 0, 0) && ghcb_get(&snp, GHCB_EXIT_INFO_1) == 0, "AP: destroyed");
}

/* An extended request with room for one page of certificates. */
static int ask_certs(uint64_t req, uint64_t resp)
{
	ghcb_clear(&snp);
	ghcb_set(&snp, GHCB_RAX, SNP_BUFFER_GPA);
	ghcb_set(&snp, GHCB_RBX, 1);
	return snp_event(&snp, EVENT_EXT_REQUEST, req, resp);
}

static void test_guest_requests(void)
{
	uint64_t req = SNP_BUFFER_GPA + 4 * SZ_4K, resp = req + SZ_4K;
	struct kvm_run *run = snp.vcpus[0]->run;
	int r;

	ghcb_clear(&snp);
	check(!snp_event(&snp, EVENT_GUEST_REQUEST, req + 1, resp) &&
	      snp_refused(&snp, ERR_INPUT), "request is not aligned");
	ghcb_clear(&snp);
	check(!snp_event(&snp, EVENT_GUEST_REQUEST, req, req) && snp_refused(&snp, ERR_INPUT),
	      "request and response are the same page");
	ghcb_clear(&snp);
	check(!snp_event(&snp, EVENT_GUEST_REQUEST, 1ul << 46, resp) &&
	      psc_result() == 1ul << 63, "request where no memory is");
	ghcb_clear(&snp);
	check(!snp_event(&snp, EVENT_GUEST_REQUEST, req, resp) && psc_result() &&
	      psc_result() >> 32 == 0, "the firmware refuses a page of zeroes");

	r = ask_certs(req, resp);
	check(r == KVM_EXIT_SNP_REQ_CERTS && run->snp_req_certs.gpa == SNP_BUFFER_GPA &&
	      run->snp_req_certs.npages == 1, "certificates come from userspace");
	run->snp_req_certs.ret = ENOSPC;
	run->snp_req_certs.npages = 3;
	check(!snp_resume(&snp) && psc_result() == 1ul << 32 && ghcb_get(&snp, GHCB_RBX) == 3,
	      "certificates need more pages");
	r = ask_certs(req, resp);
	run->snp_req_certs.ret = EAGAIN;
	check(r == KVM_EXIT_SNP_REQ_CERTS && !snp_resume(&snp) && psc_result() == 2ul << 32,
	      "certificates later");
	r = ask_certs(req, resp);
	run->snp_req_certs.ret = EPERM;
	check(r == KVM_EXIT_SNP_REQ_CERTS && snp_resume(&snp) == -1 && errno == EINVAL,
	      "an answer that there isn't fails KVM_RUN");
	check(!snp_resume(&snp), "the guest goes on");
	r = ask_certs(req, resp);
	run->snp_req_certs.ret = EIO;
	check(r == KVM_EXIT_SNP_REQ_CERTS && !snp_resume(&snp) && psc_result() == 1ul << 63,
	      "no certificates");
	r = ask_certs(req, resp);
	check(r == KVM_EXIT_SNP_REQ_CERTS && !snp_resume(&snp) && psc_result() &&
	      psc_result() >> 32 == 0, "with certificates the firmware has the request");
	ghcb_clear(&snp);
	ghcb_set(&snp, GHCB_RAX, SNP_BUFFER_GPA + 8);
	ghcb_set(&snp, GHCB_RBX, 1);
	check(!snp_event(&snp, EVENT_EXT_REQUEST, req, resp) && psc_result() == 1ul << 63,
	      "certificates are not aligned");
}

static void test_termination(void)
{
	struct kvm_run *run = snp.vcpus[0]->run;
	int r;

	ghcb_clear(&snp);
	r = snp_event(&snp, EVENT_TERMINATE, 1 << 4, 0);
	check(r == KVM_EXIT_SYSTEM_EVENT && run->system_event.type == KVM_SYSTEM_EVENT_SEV_TERM,
	      "the guest terminates");
}

int main(int argc, char *argv[])
{
	require_snp();
	setbuf(stdout, NULL);
	snp_vm_create(&snp);
	TEST_ASSERT(!__snp_command(&snp, KVM_SEV_SNP_ENABLE_REQ_CERTS, NULL, NULL),
		    "Userspace can't provide certificates");
	snp_vm_launch(&snp);

	test_protocol();
	test_mmio();
	test_log();
	test_psc_msr();
	test_psc_lists();
	test_psc_nonsense();
	test_psc_without_exits();
	test_ap_creation();
	test_guest_requests();
	test_termination();

	snp_vm_free(&snp);
	return check_finish();
}
