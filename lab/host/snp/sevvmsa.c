// SPDX-License-Identifier: GPL-2.0
/*
 * VMSAs that the firmware does not return, because of failures and delays that qmp injects here:
 * nobody writes to them, and nothing hangs.
 *
 *   sevvmsa es        the VMSA of a vCPU of a SEV-ES guest, and the same command again
 *   sevvmsa timeout   the same, as the firmware takes too long, and is given up
 *   sevvmsa mirror    the same in a mirror of the guest
 *   sevvmsa snp       the VMSA of a vCPU of an SNP guest, and the end of the launch again
 */
#include "sev.h"

#define ES	4u		/* policy: the guest is SEV-ES */

/* Of mainline's <linux/kvm.h> */
#define SNP_VM			4
#define SEV_INIT2		22
#define SNP_START		100
#define SNP_FINISH		102

struct init2 {
	uint64_t features;
	uint32_t flags;
	uint16_t ghcb_version, pad1;
	uint32_t pad2[8];
};

struct snp_start {
	uint64_t policy;
	uint8_t gosvw[16];
	uint16_t flags;
	uint8_t pad0[6];
	uint64_t pad1[4];
};

struct snp_finish {
	uint64_t id_block, id_auth;
	uint8_t id_block_en, auth_key_en, vcek_disabled, host_data[32], pad0[3];
	uint16_t flags;
	uint64_t pad1[4];
};

/* The command fails as the firmware keeps the VMSA, and fails again without a write to it. */
static void test_again(uint32_t id, void *data)
{
	check(command(id, data), "the command fails");
	qmp("fail ''");
	check(command(id, data) && errno == EIO, "EIO, as the page is the firmware's");
	close(vm);
}

/* A SEV-ES guest with a vCPU, not yet launched */
static void begin_es(void)
{
	struct kvm_sev_launch_start start = { .policy = ES };

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	check(!command(KVM_SEV_ES_INIT, NULL), "SEV_ES_INIT");
	check(ioctl(vm, KVM_CREATE_VCPU, 0) >= 0, "a vCPU");
	check(!command(KVM_SEV_LAUNCH_START, &start), "LAUNCH_START");
}

static void test_es(void)
{
	begin_es();
	qmp("fail SNP_PAGE_RECLAIM:RESOURCE_LIMIT:1");
	test_again(KVM_SEV_LAUNCH_UPDATE_VMSA, NULL);
}

static void test_timeout(void)
{
	struct kvm_sev_guest_status status;

	begin_es();
	check(!system("echo 2 >/sys/module/ccp/parameters/psp_cmd_timeout"), "2 seconds");
	/* The next command takes it over. */
	check(!command(KVM_SEV_GUEST_STATUS, &status), "GUEST_STATUS");
	qmp("delay LAUNCH_UPDATE_VMSA:4000");
	test_again(KVM_SEV_LAUNCH_UPDATE_VMSA, NULL);
}

static void test_mirror(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_VM_COPY_ENC_CONTEXT_FROM };

	begin_es();
	cap.args[0] = vm;
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	check(!ioctl(vm, KVM_ENABLE_CAP, &cap), "a mirror");
	check(ioctl(vm, KVM_CREATE_VCPU, 0) >= 0, "its vCPU");
	qmp("fail SNP_PAGE_RECLAIM:RESOURCE_LIMIT:1");
	test_again(KVM_SEV_LAUNCH_UPDATE_VMSA, NULL);
}

static void test_snp(void)
{
	struct snp_start start = { .policy = 0x30000 };
	struct init2 init = { .ghcb_version = 2 };
	struct snp_finish finish = {};

	vm = ioctl(kvm, KVM_CREATE_VM, SNP_VM);
	check(!command(SEV_INIT2, &init), "SEV_INIT2");
	check(!ioctl(vm, KVM_CREATE_IRQCHIP, 0), "interrupt controllers");
	check(ioctl(vm, KVM_CREATE_VCPU, 0) >= 0, "a vCPU");
	check(!command(SNP_START, &start), "SNP_LAUNCH_START");
	qmp("fail SNP_LAUNCH_UPDATE:RESOURCE_LIMIT:1+SNP_PAGE_RECLAIM:RESOURCE_LIMIT:1");
	test_again(SNP_FINISH, &finish);
}

static const struct test tests[] = {
	{ "es", test_es },
	{ "timeout", test_timeout },
	{ "mirror", test_mirror },
	{ "snp", test_snp },
	{}
};

int main(int argc, char **argv)
{
	return run_test(tests, argc, argv);
}
