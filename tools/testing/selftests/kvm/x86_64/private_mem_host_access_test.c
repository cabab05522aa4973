// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM does not access private memory: what the guest has asked KVM to maintain there is
 * not written to the shared memory of the same address instead, nothing is emulated from
 * it, and it is never MMIO. The guest can request a conversion, and the VMM gets the
 * request as it was made.
 */
#define _GNU_SOURCE /* for program_invocation_name */
#include <asm/kvm_para.h>
#include <linux/kvm_para.h>

#include "apic.h"
#include "private_mem.h"
#include "processor.h"

#define SLOT_SIZE	SZ_2M
#define SHARED_WORD	0x5a5a5a5a5a5a5a5aul
#define PRIVATE_WORD	0xa5a5a5a5a5a5a5a5ul
#define NO_SLOT_GPA	(PRIVATE_GPA + SZ_1G / 2)
#define EOI_VECTOR	0x40

static struct kvm_vm *vm;
static struct kvm_vcpu *vcpu;
static struct private_slot slot;
static bool use_vmmcall, exact;

static uint64_t guest_wrmsr(uint64_t msr, uint64_t value, uint64_t unused)
{
	return wrmsr_safe(msr, value);
}

static void guest_eoi_handler(struct ex_regs *regs)
{
	x2apic_write_reg(APIC_EOI, 0);
}

/* Interrupts, because PV EOI depends on them. */
static uint64_t guest_interrupt(uint64_t nr, uint64_t unused1, uint64_t unused2)
{
	x2apic_enable();
	while (nr--) {
		x2apic_write_reg(APIC_ICR, APIC_DEST_SELF | APIC_INT_ASSERT | EOI_VECTOR);
		asm volatile("sti; nop; cli");
	}
	return 0;
}

static uint64_t guest_fill_words(uint64_t gpa, uint64_t size, uint64_t value)
{
	uint64_t i;

	for (i = 0; i < size; i += 8)
		WRITE_ONCE(*(uint64_t *)(gpa + i), value);
	return 0;
}

static uint64_t guest_count_changed(uint64_t gpa, uint64_t size, uint64_t value)
{
	uint64_t i, changed = 0;

	for (i = 0; i < size; i += 8)
		changed += READ_ONCE(*(uint64_t *)(gpa + i)) != value;
	return changed;
}

static unsigned int shared_changed(uint64_t offset)
{
	unsigned int i, changed = 0;

	for (i = 0; i < SZ_4K / 8; i++)
		changed += slot.hva[offset / 8 + i] != SHARED_WORD;
	return changed;
}

static void shared_fill(uint64_t offset)
{
	unsigned int i;

	for (i = 0; i < SZ_4K / 8; i++)
		slot.hva[offset / 8 + i] = SHARED_WORD;
}

/* Make KVM update everything that it maintains for the guest. */
static void provoke_updates(void)
{
	struct kvm_clock_data clock = { .clock = NSEC_PER_SEC };
	int i;

	for (i = 0; i < 4; i++) {
		clock.clock += NSEC_PER_SEC;
		vm_ioctl(vm, KVM_SET_CLOCK, &clock);
		usleep(1000);
		guest_call(vcpu, guest_interrupt, 2, 0, 0);
	}
}

static void test_area(uint32_t msr, uint64_t low_bits, const char *name)
{
	const uint64_t offset = 5 * SZ_4K, gpa = PRIVATE_GPA + offset;

	/* It is private when the guest enables it: that may fail. */
	set_private(vm->fd, gpa, SZ_4K, true);
	shared_fill(offset);
	guest_call(vcpu, guest_fill_words, gpa, SZ_4K, PRIVATE_WORD);
	guest_call(vcpu, guest_wrmsr, msr, gpa | low_bits, 0);
	provoke_updates();
	check(!shared_changed(offset), "%s in private memory: shared memory is not written", name);
	check(!guest_call(vcpu, guest_count_changed, gpa, SZ_4K, PRIVATE_WORD),
	      "%s in private memory: private memory is not written", name);
	guest_call(vcpu, guest_wrmsr, msr, 0, 0);

	/* It works in shared memory. */
	set_private(vm->fd, gpa, SZ_4K, false);
	memset(slot.hva + offset / 8, 0, SZ_4K);
	check(!guest_call(vcpu, guest_wrmsr, msr, gpa | low_bits, 0), "%s is enabled", name);
	provoke_updates();
	if (msr != MSR_KVM_PV_EOI_EN)
		check(shared_changed(offset) &&
		      guest_call(vcpu, guest_count_changed, gpa, SZ_4K, 0),
		      "%s in shared memory: the guest sees it", name);

	/* It becomes private later. */
	set_private(vm->fd, gpa, SZ_4K, true);
	shared_fill(offset);
	provoke_updates();
	check(!shared_changed(offset), "%s that gets private: shared memory is not written", name);
	check(!guest_call(vcpu, guest_count_changed, gpa, SZ_4K, PRIVATE_WORD),
	      "%s that gets private: private memory is not written", name);

	/* And shared again. */
	set_private(vm->fd, gpa, SZ_4K, false);
	memset(slot.hva + offset / 8, 0, SZ_4K);
	provoke_updates();
	guest_call(vcpu, guest_wrmsr, msr, 0, 0);
	set_private(vm->fd, gpa, SZ_4K, true);
}

/*
 * True if an access of the guest to @gpa makes KVM_RUN exit with the expected memory
 * fault.
 */
static bool faults_as(uint64_t gpa, bool write, bool private)
{
	int r = __guest_call(vcpu, write ? guest_write : guest_read, gpa, 1, 0);
	bool ok = r == -1 && errno == EFAULT && is_memory_fault(vcpu, gpa & -SZ_4K, private);

	if (!ok)
		printf("# KVM_RUN gives %d, errno %d, exit reason %u\n", r, r ? errno : 0,
		       vcpu->run->exit_reason);
	return ok;
}

/* Complete the access that a vCPU was left in. */
static void finish_access(uint64_t gpa)
{
	uint64_t value;
	int r;

	set_private(vm->fd, gpa & -SZ_4K, SZ_4K, false);
	r = __guest_resume(vcpu);
	while (!r && vcpu->run->exit_reason == KVM_EXIT_MMIO)
		r = __guest_resume(vcpu);
	TEST_ASSERT(!r && guest_returned(vcpu, &value), "the guest can't go on");
}

static void test_no_mmio(void)
{
	const uint64_t gpa = NO_SLOT_GPA + 16;
	int r;

	set_private(vm->fd, NO_SLOT_GPA, SZ_4K, true);
	check(faults_as(gpa, false, true), "a read of private memory without a slot is no MMIO");
	finish_access(gpa);
	set_private(vm->fd, NO_SLOT_GPA, SZ_4K, true);
	check(faults_as(gpa, true, true), "a write to private memory without a slot is no MMIO");
	finish_access(gpa);

	r = __guest_call(vcpu, guest_write, gpa, 1, 0);
	check(!r && vcpu->run->exit_reason == KVM_EXIT_MMIO && vcpu->run->mmio.phys_addr == gpa,
	      "a write to shared memory without a slot is MMIO");
	finish_access(gpa);

	/* A slot without a guest_memfd. */
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, NO_SLOT_GPA, 2, 1, 0);
	set_private(vm->fd, NO_SLOT_GPA, SZ_4K, true);
	check(faults_as(gpa, false, true), "private memory in a slot without guest_memfd");
	finish_access(gpa);
	vm_mem_region_delete(vm, 2);
}

/*
 * An instruction that has to be emulated: it is a read in private memory, and a write in
 * the shared memory of the same address. The CPU may provide the instruction's bytes; if
 * it does not, KVM has nothing to emulate.
 */
static void test_no_emulation(void)
{
	static const uint64_t private_code = 0xc3078b48, shared_code = 0xc3078948;
	const uint64_t offset = 9 * SZ_4K, gpa = PRIVATE_GPA + offset;
	struct kvm_regs regs, saved;
	int r;

	set_private(vm->fd, gpa, SZ_4K, true);
	guest_call(vcpu, guest_write, gpa, private_code, 0);
	slot.hva[offset / 8] = shared_code;
	vcpu_regs_get(vcpu, &saved);

	r = __guest_call(vcpu, (guest_fn)gpa, NO_SLOT_GPA, 0, 0);
	printf("# KVM_RUN gives %d, errno %d, exit reason %u\n", r, r ? errno : 0,
	       vcpu->run->exit_reason);
	check(r || vcpu->run->exit_reason != KVM_EXIT_MMIO || !vcpu->run->mmio.is_write,
	      "an instruction in private memory is not emulated from shared memory");
	vcpu_regs_get(vcpu, &regs);
	check(r || vcpu->run->exit_reason == KVM_EXIT_MMIO || regs.rip == gpa,
	      "the instruction is not skipped");

	/* Back to where the guest waits for a call. */
	if (!r && vcpu->run->exit_reason == KVM_EXIT_MMIO)
		__guest_resume(vcpu);
	vcpu_regs_set(vcpu, &saved);
	__guest_resume(vcpu);
	check(guest_call(vcpu, guest_read, gpa, 0, 0) == private_code, "the guest goes on");
}

static uint64_t guest_map_gpa_range(uint64_t gpa, uint64_t npages, uint64_t attrs)
{
	uint64_t r;

	if (use_vmmcall)
		asm volatile("vmmcall" : "=a" (r) : "a" (KVM_HC_MAP_GPA_RANGE), "b" (gpa),
			     "c" (npages), "d" (attrs), "S" (0) : "memory");
	else
		asm volatile("vmcall" : "=a" (r) : "a" (KVM_HC_MAP_GPA_RANGE), "b" (gpa),
			     "c" (npages), "d" (attrs), "S" (0) : "memory");
	return r;
}

static void check_passed_on(uint64_t gpa, uint64_t npages, uint64_t attrs, uint64_t ret)
{
	struct kvm_run *run = vcpu->run;
	uint64_t value = 1;
	bool ok;
	int r;

	r = __guest_call(vcpu, guest_map_gpa_range, gpa, npages, attrs);
	ok = !r && run->exit_reason == KVM_EXIT_HYPERCALL &&
	     run->hypercall.nr == KVM_HC_MAP_GPA_RANGE && run->hypercall.args[0] == gpa &&
	     run->hypercall.args[1] == npages && run->hypercall.args[2] == attrs &&
	     run->hypercall.flags & KVM_EXIT_HYPERCALL_LONG_MODE && run->hypercall.ret == 0;
	check(ok, "hypercall 0x%lx 0x%lx 0x%lx is passed on unchanged", gpa, npages, attrs);
	if (!ok)
		return;

	run->hypercall.ret = ret;
	r = __guest_resume(vcpu);
	check(!r && guest_returned(vcpu, &value) && value == ret,
	      "hypercall: the guest gets what the VMM returns, %ld", (long)ret);
}

static void check_refused(uint64_t gpa, uint64_t npages, uint64_t attrs)
{
	uint64_t value = 0;
	int r = __guest_call(vcpu, guest_map_gpa_range, gpa, npages, attrs);
	bool ok = !r && guest_returned(vcpu, &value) && value == -KVM_EINVAL;

	check(ok, "hypercall 0x%lx 0x%lx 0x%lx is refused", gpa, npages, attrs);
	if (!ok && !r && vcpu->run->exit_reason == KVM_EXIT_HYPERCALL)
		__guest_resume(vcpu);
}

static void test_hypercall(void)
{
	uint64_t attrs, value = 0;
	int i, r;

	r = __guest_call(vcpu, guest_map_gpa_range, PRIVATE_GPA, 1, 0);
	check(!r && guest_returned(vcpu, &value) && value == -KVM_ENOSYS,
	      "hypercall: not there until the VMM wants it");
	vm_enable_cap(vm, KVM_CAP_EXIT_HYPERCALL, BIT(KVM_HC_MAP_GPA_RANGE));

	for (attrs = 0; attrs < 32; attrs++)
		check_passed_on(PRIVATE_GPA, 1, attrs, 0);
	check_passed_on(PRIVATE_GPA + 3 * SZ_4K, 5000, KVM_MAP_GPA_RANGE_ENCRYPTED, -KVM_EINVAL);
	check_passed_on(0, 1ul << 40, KVM_MAP_GPA_RANGE_PAGE_SZ_1G, -KVM_EFAULT);
	check_passed_on(PRIVATE_GPA + SZ_4K, 3, KVM_MAP_GPA_RANGE_PAGE_SZ_2M, 0);

	check_refused(PRIVATE_GPA + 1, 1, 0);
	check_refused(PRIVATE_GPA + SZ_4K - 1, 1, KVM_MAP_GPA_RANGE_ENCRYPTED);
	check_refused(PRIVATE_GPA, 0, 0);
	check_refused(PRIVATE_GPA, -(PRIVATE_GPA / SZ_4K), 0);
	check_refused(PRIVATE_GPA, -1ul, 0);
	/* Mainline forwards them to userspace. */
	for (i = 5; exact && i < 64; i++)
		check_refused(PRIVATE_GPA, 1, BIT_ULL(i));
}

int main(int argc, char *argv[])
{
	require_private_mem();
	exact = read_number(LEAKED_PAGES) >= 0;

	vm = private_vm_create(1, &vcpu);
	vm_init_descriptor_tables(vm);
	vcpu_init_descriptor_tables(vcpu);
	vm_install_exception_handler(vm, EOI_VECTOR, guest_eoi_handler);
	*guest_var(vm, use_vmmcall) = is_amd_cpu();
	private_slot_add(&slot, vm, 1, PRIVATE_GPA, SLOT_SIZE);
	set_private(vm->fd, slot.gpa, slot.size, true);

	/* Mainline accesses shared memory in these cases. */
	if (exact) {
		test_area(MSR_KVM_SYSTEM_TIME_NEW, 1, "kvmclock");
		test_area(MSR_KVM_STEAL_TIME, KVM_MSR_ENABLED, "steal time");
		test_area(MSR_KVM_PV_EOI_EN, KVM_PV_EOI_ENABLED, "PV EOI");
		test_no_mmio();
		test_no_emulation();
	}
	test_hypercall();

	private_slot_remove(&slot);
	kvm_vm_free(vm);
	return check_finish();
}
