// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the pure logic of private memory: which faults are private,
 * how far a level reaches, and the store of the attributes.
 */
#include <kunit/test.h>
#include <linux/kvm_host.h>
#include <linux/kvm_mem_attributes.h>
#include <linux/kvm_private_mem.h>
#include <linux/kvm_para.h>
#include <linux/prandom.h>

#include "map_gpa_range.h"
#include "mmu.h"
#include "mmu/private.h"
#include "vm_type.h"

static void fault_decision_test(struct kunit *test)
{
	const gfn_t shared_bit = BIT_ULL(47 - PAGE_SHIFT);
	const u64 enc = PFERR_GUEST_ENC_MASK;

	/* Neither mask: the attributes decide, whatever the fault looks like. */
	KUNIT_EXPECT_EQ(test, __kvm_fault_is_private(0, 0, 0, 0), KVM_FAULT_VMM_DEFINED);
	KUNIT_EXPECT_EQ(test, __kvm_fault_is_private(0, 0, ~0ull, ~0ull), KVM_FAULT_VMM_DEFINED);

	/* SNP: the error code tells. */
	KUNIT_EXPECT_EQ(test, __kvm_fault_is_private(enc, 0, 0x1000, enc), KVM_FAULT_PRIVATE);
	KUNIT_EXPECT_EQ(test, __kvm_fault_is_private(enc, 0, 0x1000, ~enc), KVM_FAULT_SHARED);

	/* TDX: the address tells, and the error code doesn't. */
	KUNIT_EXPECT_EQ(test, __kvm_fault_is_private(0, shared_bit, BIT_ULL(47), enc),
			KVM_FAULT_SHARED);
	KUNIT_EXPECT_EQ(test, __kvm_fault_is_private(0, shared_bit, ~BIT_ULL(47), 0),
			KVM_FAULT_PRIVATE);
}

static void vm_type_test(struct kunit *test)
{
	unsigned int type;

	for (type = 0; type < KVM_X86_NR_VM_TYPES; type++) {
		const struct kvm_vm_type *row = kvm_vm_type_get(type);

		KUNIT_ASSERT_NOT_NULL(test, row);
		KUNIT_EXPECT_NOT_NULL(test, row->name);
		KUNIT_EXPECT_EQ(test, row->type, type);
		/* A write can be emulated only if the registers can be read. */
		KUNIT_EXPECT_FALSE(test, row->has_protected_state && row->has_readonly_mem);
		/* A VM whose memory is measured first is not pre-faulted before. */
		KUNIT_EXPECT_FALSE(test, row->has_private_mem && row->has_protected_state &&
					 row->can_pre_fault);
		KUNIT_EXPECT_FALSE(test, row->has_private_mem && row->has_smm_memslots);
		KUNIT_EXPECT_FALSE(test, row->private_fault_mask && !row->has_private_mem);
	}

	KUNIT_EXPECT_NULL(test, kvm_vm_type_get(KVM_X86_NR_VM_TYPES));
	KUNIT_EXPECT_TRUE(test, kvm_supported_vm_types() & BIT(KVM_X86_DEFAULT_VM));
	KUNIT_EXPECT_EQ(test, kvm_supported_vm_types() >> KVM_X86_NR_VM_TYPES, 0);
}

/* A vendor module says which types there are; kvm.ko is loaded before any of them. */
static void vm_type_enable_test(struct kunit *test)
{
	static const struct kvm_private_mem_ops ops;
	u32 before = kvm_supported_vm_types();

	KUNIT_EXPECT_FALSE(test, before & BIT(KVM_X86_TDX_VM));
	KUNIT_EXPECT_EQ(test, kvm_vm_type_enable(KVM_X86_TDX_VM, &ops), 0);
	if (before & BIT(KVM_X86_SW_PROTECTED_VM))
		KUNIT_EXPECT_EQ(test, kvm_supported_vm_types(), before | BIT(KVM_X86_TDX_VM));
	kvm_vm_type_reset();
	KUNIT_EXPECT_EQ(test, kvm_supported_vm_types(), before);
}

/* Which ioctls fail is up to the type of the VM, and to what the vCPU has become. */
static void hidden_state_test(struct kunit *test)
{
	static const unsigned int hidden[] = {
		KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS, KVM_GET_SREGS2,
		KVM_SET_SREGS2, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, KVM_GET_FPU,
		KVM_SET_FPU, KVM_GET_XSAVE, KVM_GET_XSAVE2, KVM_SET_XSAVE,
	};
	static const unsigned int open[] = {
		KVM_RUN, KVM_GET_MSRS, KVM_SET_MSRS, KVM_GET_VCPU_EVENTS, KVM_SET_CPUID2,
		KVM_GET_LAPIC, KVM_GET_MP_STATE, KVM_INTERRUPT, KVM_PRE_FAULT_MEMORY,
	};
	struct kvm_vcpu *vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);
	struct kvm *kvm = kunit_kzalloc(test, sizeof(*kvm), GFP_KERNEL);
	unsigned int i, state;

	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	KUNIT_ASSERT_NOT_NULL(test, kvm);
	vcpu->kvm = kvm;
	mutex_init(&vcpu->mutex);

	mutex_lock(&vcpu->mutex);
	for (state = 0; state < 4; state++) {
		kvm->arch.has_protected_state = state & 1;
		vcpu->arch.guest_state_protected = state & 2;
		for (i = 0; i < ARRAY_SIZE(hidden); i++)
			KUNIT_EXPECT_EQ(test, kvm_state_is_protected(vcpu, hidden[i]), state == 3);
		for (i = 0; i < ARRAY_SIZE(open); i++)
			KUNIT_EXPECT_FALSE(test, kvm_state_is_protected(vcpu, open[i]));
	}
	mutex_unlock(&vcpu->mutex);
}

static void range_level_test(struct kunit *test)
{
	const gfn_t m = KVM_PAGES_PER_HPAGE(PG_LEVEL_2M);
	const gfn_t g = KVM_PAGES_PER_HPAGE(PG_LEVEL_1G);

	KUNIT_EXPECT_EQ(test, kvm_gfn_range_level(0, 0, ULONG_MAX, PG_LEVEL_1G), PG_LEVEL_1G);
	KUNIT_EXPECT_EQ(test, kvm_gfn_range_level(5, 0, g - 1, PG_LEVEL_1G), PG_LEVEL_1G);
	KUNIT_EXPECT_EQ(test, kvm_gfn_range_level(5, 0, g - 1, PG_LEVEL_2M), PG_LEVEL_2M);
	KUNIT_EXPECT_EQ(test, kvm_gfn_range_level(5, 0, g - 2, PG_LEVEL_1G), PG_LEVEL_2M);
	KUNIT_EXPECT_EQ(test, kvm_gfn_range_level(g - 1, 1, g - 1, PG_LEVEL_1G), PG_LEVEL_2M);
	KUNIT_EXPECT_EQ(test, kvm_gfn_range_level(1, 1, g, PG_LEVEL_1G), PG_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, kvm_gfn_range_level(m, m, 2 * m - 1, PG_LEVEL_1G), PG_LEVEL_2M);
	KUNIT_EXPECT_EQ(test, kvm_gfn_range_level(m, m, 2 * m - 2, PG_LEVEL_1G), PG_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, kvm_gfn_range_level(m, m + 1, 2 * m, PG_LEVEL_1G), PG_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, kvm_gfn_range_level(7, 7, 7, PG_LEVEL_4K), PG_LEVEL_4K);

	/* The last huge page there is. */
	KUNIT_EXPECT_EQ(test, kvm_gfn_range_level(ULONG_MAX, ULONG_MAX - m + 1, ULONG_MAX,
						  PG_LEVEL_1G), PG_LEVEL_2M);
}

static void map_gpa_range_test(struct kunit *test)
{
	const u64 enc = KVM_MAP_GPA_RANGE_ENCRYPTED;

	KUNIT_EXPECT_TRUE(test, kvm_map_gpa_range_valid(0, 1, 0));
	KUNIT_EXPECT_TRUE(test, kvm_map_gpa_range_valid(0x1000, 1, enc));
	KUNIT_EXPECT_TRUE(test, kvm_map_gpa_range_valid(0x1000, 1,
							enc | KVM_MAP_GPA_RANGE_PAGE_SZ_2M));
	KUNIT_EXPECT_TRUE(test, kvm_map_gpa_range_valid(0, 1, KVM_MAP_GPA_RANGE_PAGE_SZ_1G));
	KUNIT_EXPECT_TRUE(test, kvm_map_gpa_range_valid(0, 1, enc | BIT_ULL(3)));
	KUNIT_EXPECT_FALSE(test, kvm_map_gpa_range_valid(0, 1, BIT_ULL(5)));
	KUNIT_EXPECT_FALSE(test, kvm_map_gpa_range_valid(0, 1, BIT_ULL(63)));
	KUNIT_EXPECT_FALSE(test, kvm_map_gpa_range_valid(0x800, 1, 0));
	KUNIT_EXPECT_FALSE(test, kvm_map_gpa_range_valid(0, 0, 0));
	KUNIT_EXPECT_FALSE(test, kvm_map_gpa_range_valid(0x1000, ~0ull, 0));
}

/* As much of a VM as the attributes need: no vCPU, no memslot. */
static int attributes_init(struct kunit *test)
{
	struct kvm *kvm = kvzalloc(sizeof(*kvm), GFP_KERNEL);

	if (!kvm)
		return -ENOMEM;

	mutex_init(&kvm->slots_lock);
	rwlock_init(&kvm->mmu_lock);
	INIT_LIST_HEAD(&kvm->gpc_list);
	kvm->arch.has_private_mem = true;
	kvm->arch.nr_memslot_as_ids = 1;
	kvm->__memslots[0][0].gfn_tree = RB_ROOT;
	rcu_assign_pointer(kvm->memslots[0], &kvm->__memslots[0][0]);
	kvm_mem_attributes_init(kvm);

	test->priv = kvm;
	return 0;
}

static void attributes_exit(struct kunit *test)
{
	struct kvm *kvm = test->priv;

	if (!kvm)
		return;
	kvm_mem_attributes_destroy(kvm);
	kvfree(kvm);
}

static int set_attributes(struct kunit *test, gfn_t first, gfn_t npages, u64 attributes)
{
	const struct kvm_memory_attributes args = {
		.address = gfn_to_gpa(first),
		.size = gfn_to_gpa(npages),
		.attributes = attributes,
	};

	return kvm_vm_ioctl_set_mem_attributes(test->priv, &args);
}

/* All of [@first, @last] has the attributes, and what is beside it has others. */
static void expect_range(struct kunit *test, u64 attributes, gfn_t first, gfn_t last)
{
	struct kvm_mem_attr_range range;
	gfn_t gfn = first;

	for (;;) {
		kvm_mem_attributes_lookup(test->priv, gfn, &range);
		KUNIT_ASSERT_EQ(test, range.attributes, attributes);
		KUNIT_ASSERT_LE(test, range.first, gfn);
		KUNIT_ASSERT_GE(test, range.first, first);
		KUNIT_ASSERT_GE(test, range.last, gfn);
		KUNIT_ASSERT_LE(test, range.last, last);
		KUNIT_ASSERT_EQ(test, kvm_mem_is_private(test->priv, gfn), !!attributes);
		if (range.last == last)
			break;
		gfn = range.last + 1;
	}

	if (first > 0) {
		kvm_mem_attributes_lookup(test->priv, first - 1, &range);
		KUNIT_EXPECT_NE(test, range.attributes, attributes);
	}
	if (last < ULONG_MAX) {
		kvm_mem_attributes_lookup(test->priv, last + 1, &range);
		KUNIT_EXPECT_NE(test, range.attributes, attributes);
	}
}

/* The same, and one answer covers all of it. */
static void expect_one_range(struct kunit *test, u64 attributes, gfn_t first, gfn_t last)
{
	struct kvm_mem_attr_range range;

	expect_range(test, attributes, first, last);
	kvm_mem_attributes_lookup(test->priv, last, &range);
	KUNIT_EXPECT_EQ(test, range.first, first);
	KUNIT_EXPECT_EQ(test, range.last, last);
}

#define PRIVATE	KVM_MEMORY_ATTRIBUTE_PRIVATE

static void attributes_edge_test(struct kunit *test)
{
	const gfn_t top = gpa_to_gfn(~0ull);

	expect_one_range(test, 0, 0, ULONG_MAX);

	/* The first gfn alone, and then not any more. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, 0, 1, PRIVATE), 0);
	expect_range(test, PRIVATE, 0, 0);
	expect_range(test, 0, 1, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 0, 1, 0), 0);
	expect_range(test, 0, 0, ULONG_MAX);

	/* The last that an address can name: the end must not be the size's own. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, top - 1, 1, PRIVATE), 0);
	expect_range(test, PRIVATE, top - 1, top - 1);
	expect_range(test, 0, top, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, set_attributes(test, top, 1, PRIVATE), -EINVAL);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 0, top, PRIVATE), 0);
	expect_range(test, PRIVATE, 0, top - 1);
}

static void attributes_merge_test(struct kunit *test)
{
	/* Neighbours become one, from the left, from the right and in between. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, 10, 10, PRIVATE), 0);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 20, 10, PRIVATE), 0);
	expect_range(test, PRIVATE, 10, 29);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 5, 5, PRIVATE), 0);
	expect_range(test, PRIVATE, 5, 29);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 40, 10, PRIVATE), 0);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 28, 14, PRIVATE), 0);
	expect_range(test, PRIVATE, 5, 49);

	/* A hole in the middle, and its end. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, 20, 1, 0), 0);
	expect_range(test, PRIVATE, 5, 19);
	expect_range(test, 0, 20, 20);
	expect_range(test, PRIVATE, 21, 49);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 20, 1, PRIVATE), 0);
	expect_range(test, PRIVATE, 5, 49);

	/* All of it and more goes. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, 0, 1ul << 30, 0), 0);
	expect_one_range(test, 0, 0, ULONG_MAX);
}

static void attributes_chunk_test(struct kunit *test)
{
	const gfn_t m = KVM_PAGES_PER_HPAGE(PG_LEVEL_2M);
	struct kvm_mem_attr_range range;
	gfn_t gfn;

	/* Neither end is at a huge page's; what is in between is one range. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, m - 1, 8 * m + 2, PRIVATE), 0);
	expect_range(test, PRIVATE, m - 1, 9 * m);
	kvm_mem_attributes_lookup(test->priv, 5 * m, &range);
	KUNIT_EXPECT_EQ(test, range.first, m);
	KUNIT_EXPECT_EQ(test, range.last, 9 * m - 1);

	/* A gfn becomes shared and private again: the huge page is one range. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, 5 * m + 7, 1, 0), 0);
	expect_range(test, 0, 5 * m + 7, 5 * m + 7);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 5 * m + 7, 1, PRIVATE), 0);
	kvm_mem_attributes_lookup(test->priv, 5 * m + 9, &range);
	KUNIT_EXPECT_LE(test, range.first, 5 * m);
	KUNIT_EXPECT_GE(test, range.last, 6 * m - 1);

	/* The rest of both ends: with them, all of it is one range again. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, 9 * m + 1, m - 1, PRIVATE), 0);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 0, m - 1, PRIVATE), 0);
	KUNIT_EXPECT_EQ(test, set_attributes(test, m, 9 * m, PRIVATE), 0);
	expect_range(test, PRIVATE, 0, 10 * m - 1);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 4 * m, 2 * m, 0), 0);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 4 * m, 2 * m, PRIVATE), 0);
	expect_one_range(test, PRIVATE, 0, 10 * m - 1);

	/* A change that ends in two chunks beside each other, of which one was there. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, 3 * m + 5, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 3 * m - 5, 10, 0), 0);
	expect_range(test, 0, 3 * m - 5, 3 * m + 5);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 3 * m - 5, 11, PRIVATE), 0);

	/* Gfn by gfn, upwards and then downwards: chunks don't pile up. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, 0, 11 * m, 0), 0);
	expect_one_range(test, 0, 0, ULONG_MAX);
	for (gfn = m; gfn <= 4 * m; gfn++)
		KUNIT_ASSERT_EQ(test, set_attributes(test, gfn, 1, PRIVATE), 0);
	kvm_mem_attributes_lookup(test->priv, m, &range);
	KUNIT_EXPECT_EQ(test, range.first, m);
	KUNIT_EXPECT_EQ(test, range.last, 4 * m - 1);
	for (gfn = 4 * m; gfn >= m - 1; gfn--)
		KUNIT_ASSERT_EQ(test, set_attributes(test, gfn, 1, 0), 0);
	kvm_mem_attributes_lookup(test->priv, 5 * m, &range);
	KUNIT_EXPECT_LE(test, range.first, 2 * m);
	KUNIT_EXPECT_EQ(test, range.last, ULONG_MAX);
}

/* Whatever is done to a small space, it agrees with an array of bits. */
static void attributes_random_test(struct kunit *test)
{
	const unsigned int size = 6 * KVM_PAGES_PER_HPAGE(PG_LEVEL_2M), rounds = 3000;
	struct kvm_mem_attr_range range;
	unsigned int i, j, first, nr;
	struct rnd_state rnd;
	unsigned long *bits;
	unsigned long next;
	u64 attributes;

	bits = kunit_kzalloc(test, BITS_TO_LONGS(size) * sizeof(long), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bits);
	prandom_seed_state(&rnd, 42);

	for (i = 0; i < rounds; i++) {
		first = prandom_u32_state(&rnd) % size;
		nr = 1 + prandom_u32_state(&rnd) % min(size - first, i % 7 ? 9u : size);
		if (i % 5 == 0) {
			/* Whole chunks, or all but a gfn of them. */
			first = round_down(first, 512);
			nr = min(round_up(nr, 512), (unsigned long)size - first) - i % 2;
		}
		attributes = prandom_u32_state(&rnd) & 1 ? PRIVATE : 0;

		KUNIT_ASSERT_EQ(test, set_attributes(test, first, nr, attributes), 0);
		if (attributes)
			bitmap_set(bits, first, nr);
		else
			bitmap_clear(bits, first, nr);

		for (j = 0; j < size; j = range.last + 1) {
			kvm_mem_attributes_lookup(test->priv, j, &range);
			next = range.attributes ? find_next_zero_bit(bits, size, j) :
						  find_next_bit(bits, size, j);
			KUNIT_ASSERT_EQ(test, !!range.attributes, test_bit(j, bits));
			KUNIT_ASSERT_LE(test, range.first, j);
			KUNIT_ASSERT_GE(test, range.last, j);
			if (range.last >= size)
				break;
			KUNIT_ASSERT_LT(test, range.last, next);
			/* It ends where the attributes do, or a chunk does. */
			KUNIT_ASSERT_TRUE(test, range.last + 1 == next ||
						IS_ALIGNED(range.last + 1, 512));
		}
	}
}

static bool wants_conversion(struct kvm *kvm, u64 error_code)
{
	struct kvm_page_fault fault = {
		.gfn = 10,
		.kind = kvm_fault_is_private(kvm, 10 << PAGE_SHIFT, error_code),
	};

	return kvm_mmu_fault_wants_conversion(kvm, &fault);
}

/* A fault that is private or shared by itself is compared with the attributes. */
static void attributes_fault_test(struct kunit *test)
{
	struct kvm *kvm = test->priv;

	KUNIT_EXPECT_FALSE(test, wants_conversion(kvm, PFERR_GUEST_ENC_MASK));
	KUNIT_EXPECT_FALSE(test, wants_conversion(kvm, 0));

	kvm->arch.private_fault_mask = PFERR_GUEST_ENC_MASK;
	KUNIT_EXPECT_TRUE(test, wants_conversion(kvm, PFERR_GUEST_ENC_MASK));
	KUNIT_EXPECT_FALSE(test, wants_conversion(kvm, 0));

	KUNIT_EXPECT_EQ(test, set_attributes(test, 10, 1, PRIVATE), 0);
	KUNIT_EXPECT_FALSE(test, wants_conversion(kvm, PFERR_GUEST_ENC_MASK));
	KUNIT_EXPECT_TRUE(test, wants_conversion(kvm, 0));

	kvm->arch.has_private_mem = false;
	KUNIT_EXPECT_FALSE(test, wants_conversion(kvm, 0));
}

static void attributes_args_test(struct kunit *test)
{
	struct kvm *kvm = test->priv;
	struct kvm_memory_attributes args = { .address = 0x1000, .size = 0x1000 };

	KUNIT_EXPECT_EQ(test, kvm_vm_ioctl_set_mem_attributes(kvm, &args), 0);
	args.flags = 1;
	KUNIT_EXPECT_EQ(test, kvm_vm_ioctl_set_mem_attributes(kvm, &args), -EINVAL);
	args.flags = 0;
	args.attributes = PRIVATE | 1;
	KUNIT_EXPECT_EQ(test, kvm_vm_ioctl_set_mem_attributes(kvm, &args), -EINVAL);
	args.attributes = PRIVATE;
	args.size = 0;
	KUNIT_EXPECT_EQ(test, kvm_vm_ioctl_set_mem_attributes(kvm, &args), -EINVAL);
	args.size = 0x800;
	KUNIT_EXPECT_EQ(test, kvm_vm_ioctl_set_mem_attributes(kvm, &args), -EINVAL);
	args.size = 0x1000;
	args.address = 0x1800;
	KUNIT_EXPECT_EQ(test, kvm_vm_ioctl_set_mem_attributes(kvm, &args), -EINVAL);
	args.address = ~0xfffull;
	args.size = 0x2000;
	KUNIT_EXPECT_EQ(test, kvm_vm_ioctl_set_mem_attributes(kvm, &args), -EINVAL);

	/* None of them left a trace, and a VM without private memory takes none. */
	expect_one_range(test, 0, 0, ULONG_MAX);
	kvm->arch.has_private_mem = false;
	args.address = 0x1000;
	args.size = 0x1000;
	KUNIT_EXPECT_EQ(test, kvm_vm_ioctl_set_mem_attributes(kvm, &args), -EINVAL);
}

static struct kunit_case private_mem_cases[] = {
	KUNIT_CASE(fault_decision_test),
	KUNIT_CASE(vm_type_test),
	KUNIT_CASE(vm_type_enable_test),
	KUNIT_CASE(hidden_state_test),
	KUNIT_CASE(range_level_test),
	KUNIT_CASE(map_gpa_range_test),
	{}
};

static struct kunit_suite private_mem_suite = {
	.name = "kvm_private_mem",
	.test_cases = private_mem_cases,
};

static void make_and_destroy_tree(struct kunit *test, unsigned int nr, unsigned int stride)
{
	struct maple_tree tree;
	unsigned int i;

	mt_init_flags(&tree, MT_FLAGS_USE_RCU);
	for (i = 0; i < nr * stride; i += stride)
		KUNIT_ASSERT_EQ(test, 0, mtree_store_range(&tree, i, i, xa_mk_value(i),
							   GFP_KERNEL));
	mtree_destroy(&tree);
	rcu_barrier();
}

/*
 * Trees like those of bindings end, and their nodes are freed in callbacks of RCU: topmost
 * nodes with 16 children, which leave no room for metadata, and inner ones with 15, next to
 * the metadata.  Who frees something else, or follows the metadata, ends the kernel.
 */
static void dead_tree_test(struct kunit *test)
{
	unsigned int nr;

	for (nr = 225; nr <= 241; nr++)
		make_and_destroy_tree(test, nr, 1);
	for (nr = 3500; nr <= 4500; nr += 250)
		make_and_destroy_tree(test, nr, 2);
}

/*
 * What is below a node that a store replaces ends in the same way.  Entries at random
 * places give inner nodes in the middle of the tree any number of children, 16, too.
 */
static void dead_subtree_test(struct kunit *test)
{
	unsigned int round, i;
	struct rnd_state rnd;
	struct maple_tree tree;

	prandom_seed_state(&rnd, 7);
	for (round = 0; round < 20; round++) {
		mt_init_flags(&tree, MT_FLAGS_USE_RCU);
		for (i = 0; i < 4000; i++) {
			unsigned long at = 2 * (prandom_u32_state(&rnd) % 50000);

			KUNIT_ASSERT_EQ(test, 0, mtree_store_range(&tree, at, at, xa_mk_value(i),
								   GFP_KERNEL));
		}
		KUNIT_ASSERT_EQ(test, 0, mtree_store_range(&tree, 1000 + round, 99000, NULL,
							   GFP_KERNEL));
		mtree_destroy(&tree);
		rcu_barrier();
	}
}

static struct kunit_case mem_attributes_cases[] = {
	KUNIT_CASE(attributes_edge_test),
	KUNIT_CASE(attributes_merge_test),
	KUNIT_CASE(attributes_chunk_test),
	KUNIT_CASE(attributes_random_test),
	KUNIT_CASE(attributes_fault_test),
	KUNIT_CASE(attributes_args_test),
	KUNIT_CASE(dead_tree_test),
	KUNIT_CASE(dead_subtree_test),
	{}
};

static struct kunit_suite mem_attributes_suite = {
	.name = "kvm_mem_attributes",
	.init = attributes_init,
	.exit = attributes_exit,
	.test_cases = mem_attributes_cases,
};

kunit_test_suites(&private_mem_suite, &mem_attributes_suite);
