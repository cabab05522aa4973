// SPDX-License-Identifier: GPL-2.0-only
/*
 * ID blocks of SNP guests, with which the owner of a guest signs what is to be launched,
 * and what /dev/kvm reports about SNP.
 *
 * The guest has neither pages nor vCPUs. Its launch digest is therefore zero, so that
 * signatures of an owner can be constants in this file. The keys were generated for that
 * purpose and thrown away.
 */
#include <linux/psp-sev.h>

#include "snp_bare.h"

#define POLICY			0x30000ul
#define POLICY_DEBUG		0x80000ul

#define ALGO_ECDSA_P384_SHA384	1
#define CURVE_P384		2

/* Offsets in ID_BLOCK and ID_AUTH. */
#define BLOCK_FAMILY_ID		0x30
#define BLOCK_IMAGE_ID		0x40
#define BLOCK_VERSION		0x50
#define BLOCK_GUEST_SVN		0x54
#define BLOCK_POLICY		0x58

#define AUTH_ID_KEY_ALGO	0x000
#define AUTH_AUTHOR_KEY_ALGO	0x004
#define AUTH_ID_BLOCK_SIG	0x040
#define AUTH_ID_KEY		0x240
#define AUTH_ID_KEY_SIG		0x680
#define AUTH_AUTHOR_KEY		0x880

#define NUMBER_SIZE		72

/* x and y of a key, or r and s of a signature: 384 bits, least significant word first. */
struct numbers {
	uint64_t a[6], b[6];
};

static const struct numbers id_key = {
	.a = { 0x4044c28da5999211, 0x14f4a1c3179d17c4, 0xe963f1f25852e2cd,
	       0xf2437b88cbcb483c, 0x4fd8c602a60c1c50, 0x9f33bda43b99a3b8 },
	.b = { 0x05bf7af1d4a74eae, 0x551e2b98837e610e, 0xf42efa2465918bf5,
	       0x80f838dcfafb19c2, 0xdd0f583360b8b2a8, 0x1c7ef0a449a5c9ca },
};

static const struct numbers author_key = {
	.a = { 0x5b748d2a3487c0e3, 0xe93dd2195a714877, 0x2e2c34d105400dea,
	       0x1add04f4eaf02942, 0x0f9090efb0e8fcca, 0xe16577321f5f305a },
	.b = { 0x8a3e91dd14880871, 0x7cdf819c40940ee4, 0x554218b802da2d82,
	       0x5d4ca30f9a7e4dee, 0xae19c82924826d98, 0x39fc127e64f7c467 },
};

static const struct numbers id_block_sig = {
	.a = { 0xb15d6574781d0ada, 0xe951ea9ba691c15c, 0x47fccdb79a411401,
	       0x99768c776f659029, 0x46998ac3143fa955, 0xe011d856e92db2d5 },
	.b = { 0xefb4a1c5212baf54, 0x8d0201f33fa7cbc8, 0x36a307ad2bbd9852,
	       0xabf9a00cca835912, 0x8d24072343824b10, 0xb8a3f532a56d22f1 },
};

static const struct numbers id_key_sig = {
	.a = { 0xe415322b6433eb65, 0x6d4bdca162ac419f, 0xd97bd6b049d0350f,
	       0x684b8c56f1980610, 0xe190736cac968e54, 0x3fcf586134fe9fa4 },
	.b = { 0x9c1e4ec02f8cdd13, 0xc601e1064ac1a73a, 0x84905ca98f920f54,
	       0x3b6fcaef540cc79e, 0x95be67c81dbf767e, 0xf221ab0ab810566d },
};

static uint8_t block[KVM_SEV_SNP_ID_BLOCK_SIZE];
static uint8_t auth[KVM_SEV_SNP_ID_AUTH_SIZE];

static void put(uint8_t *to, uint64_t value, size_t len)
{
	memcpy(to, &value, len);
}

static void put_numbers(uint8_t *to, const struct numbers *numbers)
{
	memcpy(to, numbers->a, sizeof(numbers->a));
	memcpy(to + NUMBER_SIZE, numbers->b, sizeof(numbers->b));
}

static void put_key(uint8_t *to, const struct numbers *key)
{
	put(to, CURVE_P384, 4);
	put_numbers(to + 4, key);
}

static void make_id(void)
{
	int i;

	for (i = 0; i < 32; i++)
		block[BLOCK_FAMILY_ID + i] = 0x10 + i;
	put(block + BLOCK_VERSION, 1, 4);
	put(block + BLOCK_GUEST_SVN, 7, 4);
	put(block + BLOCK_POLICY, POLICY, 8);

	put(auth + AUTH_ID_KEY_ALGO, ALGO_ECDSA_P384_SHA384, 4);
	put(auth + AUTH_AUTHOR_KEY_ALGO, ALGO_ECDSA_P384_SHA384, 4);
	put_numbers(auth + AUTH_ID_BLOCK_SIG, &id_block_sig);
	put_key(auth + AUTH_ID_KEY, &id_key);
	put_numbers(auth + AUTH_ID_KEY_SIG, &id_key_sig);
	put_key(auth + AUTH_AUTHOR_KEY, &author_key);
}

static int launch_start(struct snp_bare *b, uint64_t policy)
{
	struct kvm_sev_snp_launch_start start = { .policy = policy };

	return bare_command(b, KVM_SEV_SNP_LAUNCH_START, &start, NULL);
}

static void start(struct snp_bare *b, uint64_t policy)
{
	bare_init(b);
	TEST_ASSERT(!bare_create_vm(b) && !bare_init2(b) && !bare_add_memory(b) &&
		    !launch_start(b, policy), "No launch, errno %d", errno);
}

static int finish(struct snp_bare *b, const void *id_block, const void *id_auth, bool author,
		  uint32_t *fw_error)
{
	struct kvm_sev_snp_launch_finish finish = {
		.id_block_uaddr = (uintptr_t)id_block,
		.id_auth_uaddr = (uintptr_t)id_auth,
		.id_block_en = 1,
		.auth_key_en = author,
	};

	return bare_command(b, KVM_SEV_SNP_LAUNCH_FINISH, &finish, fw_error);
}

static void check_refused(struct snp_bare *b, bool author, uint32_t expected, const char *what)
{
	uint32_t fw_error = 0;
	int r = finish(b, block, auth, author, &fw_error);

	check(r && errno == EIO && fw_error == expected, "%s (%d, firmware error %u)", what, r,
	      fw_error);
}

/* After a rejected launch, the guest can still be launched with another block. */
static void test_refused(void)
{
	struct snp_bare b;
	uint32_t fw_error;

	start(&b, POLICY);
	check_errno(finish(&b, (void *)SZ_4K, auth, false, &fw_error), EFAULT,
		    "a block that isn't mapped");
	check_errno(finish(&b, block, (void *)SZ_4K, false, &fw_error), EFAULT,
		    "a signature that isn't mapped");

	block[BLOCK_IMAGE_ID] ^= 1;
	check_refused(&b, false, SEV_RET_BAD_SIGNATURE, "a block that is not what was signed");
	block[BLOCK_IMAGE_ID] ^= 1;
	auth[AUTH_ID_KEY_SIG] ^= 1;
	check_refused(&b, true, SEV_RET_BAD_SIGNATURE, "an author's signature that is not right");

	check(!finish(&b, block, auth, false, &fw_error), "nobody looks at it without an author");
	auth[AUTH_ID_KEY_SIG] ^= 1;
	check_errno(finish(&b, block, auth, false, &fw_error), EINVAL, "finished twice");
	bare_free(&b);
}

/* The vCPUs' VMSAs are part of the rejected launch: it isn't over, and they don't run. */
static void test_refused_vcpus(void)
{
	struct snp_bare b;

	start(&b, POLICY);
	TEST_ASSERT(!bare_add_vcpus(&b), "No vCPUs, errno %d", errno);
	check_refused(&b, true, SEV_RET_BAD_MEASUREMENT, "a guest with vCPUs");
	check_errno(bare_run(&b, 0), EINVAL, "a vCPU runs after that");
	bare_free(&b);
}

static void test_other_guests(void)
{
	struct snp_bare b;

	start(&b, POLICY);
	TEST_ASSERT(!bare_launch_page(&b, BARE_LAUNCH_GPA), "No page, errno %d", errno);
	check_refused(&b, true, SEV_RET_BAD_MEASUREMENT, "a guest with a page more");
	bare_free(&b);

	start(&b, POLICY | POLICY_DEBUG);
	check_refused(&b, true, SEV_RET_POLICY_FAILURE, "a guest of another policy");
	bare_free(&b);
}

static void test_author(void)
{
	struct snp_bare b;
	uint32_t fw_error;

	start(&b, POLICY);
	check(!finish(&b, block, auth, true, &fw_error), "a block of an author");
	bare_free(&b);
}

static int get_attr(int fd, uint64_t attr, uint64_t *value)
{
	return __kvm_device_attr_get(fd, KVM_X86_GRP_SEV, attr, value);
}

/* Unsupported bits of the policy are rejected. */
static void test_attributes(void)
{
	uint64_t policies = 0, certs = 0;
	int bit, r, refused = 0, other = 0, fd = open_kvm_dev_path_or_exit();

	r = get_attr(fd, KVM_X86_SEV_SNP_REQ_CERTS, &certs);
	check(!r && certs == 1, "userspace can provide certificates");
	r = get_attr(fd, KVM_X86_SNP_POLICY_BITS, &policies);
	check(!r && (policies & (POLICY | POLICY_DEBUG)) == (POLICY | POLICY_DEBUG),
	      "bits of policies (%#lx)", policies);
	check_errno(get_attr(fd, 99, &certs), ENXIO, "no such attribute");
	check_errno(get_attr(fd, KVM_X86_SNP_POLICY_BITS, (void *)8), EFAULT,
		    "nowhere to put it");
	close(fd);

	for (bit = 0; bit < 64; bit++) {
		struct snp_bare b;

		if (policies >> bit & 1)
			continue;
		bare_init(&b);
		TEST_ASSERT(!bare_create_vm(&b) && !bare_init2(&b), "No VM, errno %d", errno);
		if (launch_start(&b, POLICY | 1ul << bit) && errno == EINVAL)
			refused++;
		else
			other++;
		bare_free(&b);
	}
	check(refused && !other, "all others are refused (%d, %d)", refused, other);
}

int main(int argc, char *argv[])
{
	require_snp();
	setbuf(stdout, NULL);
	make_id();

	test_refused();
	test_refused_vcpus();
	test_other_guests();
	test_author();
	test_attributes();
	return check_finish();
}
