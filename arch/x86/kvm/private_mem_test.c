// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the pure logic of private memory: which faults are private,
 * how far a level reaches, and the store of the attributes.
 */
#include <kunit/test.h>
#include <linux/kvm_host.h>
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

static void expect_range(struct kunit *test, gfn_t gfn, u64 attributes, gfn_t first, gfn_t last)
{
	struct kvm_mem_attr_range range;

	kvm_mem_attributes_lookup(test->priv, gfn, &range);
	KUNIT_EXPECT_EQ(test, range.attributes, attributes);
	KUNIT_EXPECT_EQ(test, range.first, first);
	KUNIT_EXPECT_EQ(test, range.last, last);
}

#define PRIVATE	KVM_MEMORY_ATTRIBUTE_PRIVATE

static void attributes_edge_test(struct kunit *test)
{
	const gfn_t top = gpa_to_gfn(~0ull);

	expect_range(test, 0, 0, 0, ULONG_MAX);

	/* The first gfn alone, and then not any more. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, 0, 1, PRIVATE), 0);
	expect_range(test, 0, PRIVATE, 0, 0);
	expect_range(test, 1, 0, 1, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 0, 1, 0), 0);
	expect_range(test, 0, 0, 0, ULONG_MAX);

	/* The last that an address can name: the end must not be the size's own. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, top - 1, 1, PRIVATE), 0);
	expect_range(test, top - 1, PRIVATE, top - 1, top - 1);
	expect_range(test, top, 0, top, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, set_attributes(test, top, 1, PRIVATE), -EINVAL);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 0, top, PRIVATE), 0);
	expect_range(test, 0, PRIVATE, 0, top - 1);
}

static void attributes_merge_test(struct kunit *test)
{
	/* Neighbours become one, from the left, from the right and in between. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, 10, 10, PRIVATE), 0);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 20, 10, PRIVATE), 0);
	expect_range(test, 15, PRIVATE, 10, 29);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 5, 5, PRIVATE), 0);
	expect_range(test, 29, PRIVATE, 5, 29);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 40, 10, PRIVATE), 0);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 28, 14, PRIVATE), 0);
	expect_range(test, 30, PRIVATE, 5, 49);

	/* A hole in the middle, and its end. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, 20, 1, 0), 0);
	expect_range(test, 19, PRIVATE, 5, 19);
	expect_range(test, 20, 0, 20, 20);
	expect_range(test, 21, PRIVATE, 21, 49);
	KUNIT_EXPECT_EQ(test, set_attributes(test, 20, 1, PRIVATE), 0);
	expect_range(test, 20, PRIVATE, 5, 49);

	/* All of it and more goes. */
	KUNIT_EXPECT_EQ(test, set_attributes(test, 0, 1ul << 30, 0), 0);
	expect_range(test, 20, 0, 0, ULONG_MAX);
}

/* Whatever is done to a small space, it agrees with an array of bits. */
static void attributes_random_test(struct kunit *test)
{
	const unsigned int size = 600, rounds = 2000;
	struct kvm_mem_attr_range range;
	struct rnd_state rnd;
	unsigned long *bits;
	unsigned int i, j, first, nr;
	u64 attributes;

	bits = kunit_kzalloc(test, BITS_TO_LONGS(size) * sizeof(long), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bits);
	prandom_seed_state(&rnd, 42);

	for (i = 0; i < rounds; i++) {
		first = prandom_u32_state(&rnd) % size;
		nr = 1 + prandom_u32_state(&rnd) % min(size - first, i % 7 ? 9u : size);
		attributes = prandom_u32_state(&rnd) & 1 ? PRIVATE : 0;

		KUNIT_ASSERT_EQ(test, set_attributes(test, first, nr, attributes), 0);
		if (attributes)
			bitmap_set(bits, first, nr);
		else
			bitmap_clear(bits, first, nr);

		for (j = 0; j < size; j = range.last + 1) {
			unsigned long next;

			kvm_mem_attributes_lookup(test->priv, j, &range);
			next = range.attributes ? find_next_zero_bit(bits, size, j) :
						  find_next_bit(bits, size, j);
			KUNIT_ASSERT_EQ(test, !!range.attributes, test_bit(j, bits));
			KUNIT_ASSERT_EQ(test, range.first, j);
			KUNIT_ASSERT_EQ(test, min_t(gfn_t, range.last, size - 1) + 1, next);
			if (range.last >= size)
				break;
		}
	}
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
	expect_range(test, 0, 0, 0, ULONG_MAX);
	kvm->arch.has_private_mem = false;
	args.address = 0x1000;
	args.size = 0x1000;
	KUNIT_EXPECT_EQ(test, kvm_vm_ioctl_set_mem_attributes(kvm, &args), -EINVAL);
}

static struct kunit_case private_mem_cases[] = {
	KUNIT_CASE(fault_decision_test),
	KUNIT_CASE(vm_type_test),
	KUNIT_CASE(range_level_test),
	KUNIT_CASE(map_gpa_range_test),
	{}
};

static struct kunit_suite private_mem_suite = {
	.name = "kvm_private_mem",
	.test_cases = private_mem_cases,
};

static struct kunit_case mem_attributes_cases[] = {
	KUNIT_CASE(attributes_edge_test),
	KUNIT_CASE(attributes_merge_test),
	KUNIT_CASE(attributes_random_test),
	KUNIT_CASE(attributes_args_test),
	{}
};

static struct kunit_suite mem_attributes_suite = {
	.name = "kvm_mem_attributes",
	.init = attributes_init,
	.exit = attributes_exit,
	.test_cases = mem_attributes_cases,
};

kunit_test_suites(&private_mem_suite, &mem_attributes_suite);
