// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of SEV guests. Registered memory (KVM_MEMORY_ENCRYPT_REG_REGION) keeps its page
 * frames: what a guest has encrypted is ciphertext in any other frame. Debug accesses
 * (KVM_SEV_DBG_*) fail with the right errno.
 */
#include <stdint.h>
#include <sys/wait.h>

#include <linux/psp-sev.h>

#include "private_mem.h"

#define NR_PAGES	16
#define POLICY_NO_DEBUG	1
#define POLICY_ES	4
#define FRAME_MASK	((1ul << 55) - 1)

static int vm_fd, sev_fd;

static int region(unsigned long request, void *addr, uint64_t size)
{
	struct kvm_enc_region range = { .addr = (uint64_t)addr, .size = size };

	return ioctl(vm_fd, request, &range);
}

static uint64_t frame_of(void *addr)
{
	int fd = open_path_or_exit("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;
	ssize_t r;

	r = pread(fd, &entry, sizeof(entry), (uint64_t)addr / SZ_4K * sizeof(entry));
	TEST_ASSERT(r == sizeof(entry) && entry >> 63, "%p isn't mapped", addr);
	close(fd);
	return entry & FRAME_MASK;
}

static uint8_t *map(int prot)
{
	uint8_t *p = mmap(NULL, NR_PAGES * SZ_4K, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	TEST_ASSERT(p != MAP_FAILED, "No memory");
	return p;
}

/* How many page frames change when something is written to all pages. */
static int frames_that_change(uint8_t *memory)
{
	uint64_t frames[NR_PAGES];
	int i, changed = 0;

	for (i = 0; i < NR_PAGES; i++) {
		READ_ONCE(memory[i * SZ_4K]);
		frames[i] = frame_of(&memory[i * SZ_4K]);
	}
	for (i = 0; i < NR_PAGES; i++) {
		WRITE_ONCE(memory[i * SZ_4K], 1);
		changed += frame_of(&memory[i * SZ_4K]) != frames[i];
	}
	return changed;
}

static void test_frames(void)
{
	uint8_t *untouched = map(PROT_READ | PROT_WRITE);
	uint8_t *read = map(PROT_READ | PROT_WRITE);
	uint8_t *forked = map(PROT_READ | PROT_WRITE);
	int i, status;
	pid_t child;

	check(frames_that_change(map(PROT_READ | PROT_WRITE)) == NR_PAGES,
	      "memory that was only read has other frames once it's written");

	check(!region(KVM_MEMORY_ENCRYPT_REG_REGION, untouched, NR_PAGES * SZ_4K), "untouched");
	check(!frames_that_change(untouched), "untouched memory keeps its frames");

	for (i = 0; i < NR_PAGES; i++)
		READ_ONCE(read[i * SZ_4K]);
	check(!region(KVM_MEMORY_ENCRYPT_REG_REGION, read, NR_PAGES * SZ_4K), "read");
	check(!frames_that_change(read), "memory that was only read keeps its frames");

	/* The child has a copy; otherwise the parent gets a copy with its next write. */
	check(!region(KVM_MEMORY_ENCRYPT_REG_REGION, forked, NR_PAGES * SZ_4K), "before a fork");
	child = fork();
	TEST_ASSERT(child >= 0, "No process");
	if (!child) {
		pause();
		_exit(0);
	}
	check(!frames_that_change(forked), "memory keeps its frames with a child");
	kill(child, SIGKILL);
	waitpid(child, &status, 0);

	check(!region(KVM_MEMORY_ENCRYPT_UNREG_REGION, untouched, NR_PAGES * SZ_4K) &&
	      !region(KVM_MEMORY_ENCRYPT_UNREG_REGION, read, NR_PAGES * SZ_4K) &&
	      !region(KVM_MEMORY_ENCRYPT_UNREG_REGION, forked, NR_PAGES * SZ_4K), "unregistered");
}

static void test_arguments(void)
{
	uint8_t *constant = map(PROT_READ), *none = map(PROT_NONE), *p = map(PROT_READ);

	check(!region(KVM_MEMORY_ENCRYPT_REG_REGION, constant, NR_PAGES * SZ_4K),
	      "memory that can't be written, like the flash of a firmware");
	check(!region(KVM_MEMORY_ENCRYPT_UNREG_REGION, constant, NR_PAGES * SZ_4K),
	      "and unregistered");
	check_errno(region(KVM_MEMORY_ENCRYPT_REG_REGION, none, NR_PAGES * SZ_4K), ENOMEM,
		    "memory that can't be read");
	check_errno(region(KVM_MEMORY_ENCRYPT_REG_REGION, p, 0), EINVAL, "no memory");
	check_errno(region(KVM_MEMORY_ENCRYPT_REG_REGION, (void *)-SZ_4K, 2 * SZ_4K), EINVAL,
		    "memory that wraps");
	check_errno(region(KVM_MEMORY_ENCRYPT_UNREG_REGION, p, SZ_4K), EINVAL,
		    "unregistered what wasn't registered");
}

static int command(int id, void *params)
{
	struct kvm_sev_cmd cmd = { .id = id, .data = (uint64_t)params, .sev_fd = sev_fd };

	return ioctl(vm_fd, KVM_MEMORY_ENCRYPT_OP, &cmd);
}

static int debug(int id, void *dst, void *src, uint32_t len)
{
	struct kvm_sev_dbg params = {
		.src_uaddr = (uint64_t)src,
		.dst_uaddr = (uint64_t)dst,
		.len = len,
	};

	return command(id, &params);
}

static void test_debug(void)
{
	struct kvm_sev_launch_start start = { .policy = POLICY_NO_DEBUG };
	uint8_t *p = map(PROT_READ | PROT_WRITE), *q = map(PROT_READ | PROT_WRITE);
	uint8_t *none = map(PROT_NONE), *constant = map(PROT_READ);
	void *last = (void *)-SZ_4K;
	int i, ids[] = { KVM_SEV_DBG_DECRYPT, KVM_SEV_DBG_ENCRYPT };

	check_errno(debug(KVM_SEV_DBG_DECRYPT, p, q, 16), EBADF, "guest isn't launched");
	check(!command(KVM_SEV_LAUNCH_START, &start), "launched");
	check_errno(command(KVM_SEV_DBG_DECRYPT, (void *)1), EFAULT, "no parameters");
	for (i = 0; i < 2; i++) {
		check_errno(debug(ids[i], p, q, 0), EINVAL, "%d: no bytes", ids[i]);
		check_errno(debug(ids[i], NULL, q, 16), EINVAL, "%d: no destination", ids[i]);
		check_errno(debug(ids[i], p, last, 2 * SZ_4K), EINVAL, "%d: source wraps", ids[i]);
		check_errno(debug(ids[i], last, q, 2 * SZ_4K), EINVAL, "%d: destination wraps",
			    ids[i]);
		check_errno(debug(ids[i], p, q, 16), EIO, "%d: against the policy", ids[i]);
	}
	check_errno(debug(KVM_SEV_DBG_DECRYPT, p, none, 16), ENOMEM, "guest can't be read");
	check_errno(debug(KVM_SEV_DBG_ENCRYPT, constant, p, 16), ENOMEM,
		    "guest can't be written");
	check_errno(debug(KVM_SEV_DBG_ENCRYPT, p, none, 16), EFAULT, "no bytes to encrypt");
}

/* The kernel limits the sizes of its buffers in any state of the guest. */
static void test_send_sizes(void)
{
	uint8_t *p = map(PROT_READ | PROT_WRITE);
	struct kvm_sev_send_update_data params = {
		.hdr_uaddr = (uint64_t)p,
		.hdr_len = 52,
		.guest_uaddr = (uint64_t)p,
		.guest_len = SZ_4K,
		.trans_uaddr = (uint64_t)p,
		.trans_len = 0xf0000000,
	};

	check_errno(command(KVM_SEV_SEND_UPDATE_DATA, &params), EINVAL, "sent in 4 GiB");
	params.trans_len = SZ_4K;
	params.hdr_len = 0xf0000000;
	check_errno(command(KVM_SEV_SEND_UPDATE_DATA, &params), EINVAL, "with a header of 4 GiB");
	params.hdr_len = 52;
	check_errno(command(KVM_SEV_SEND_UPDATE_DATA, &params), EIO,
		    "sent before KVM_SEV_SEND_START");
}

/* The firmware encrypts the registers of a vCPU only once. */
static void test_vmsa_twice(int kvm_fd)
{
	struct kvm_sev_launch_start start = { .policy = POLICY_ES };
	struct kvm_sev_init init = {};
	int vcpu_fd;

	if (!(kvm_check_cap(KVM_CAP_VM_TYPES) & (1ul << KVM_X86_SEV_ES_VM)))
		return;

	vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, KVM_X86_SEV_ES_VM);
	TEST_ASSERT(vm_fd >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VM, vm_fd));
	check(!ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_READONLY_MEM),
	      "SEV-ES: no read-only slots");
	check(!command(KVM_SEV_INIT2, &init), "SEV-ES: KVM_SEV_INIT2");
	vcpu_fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0);
	check(vcpu_fd >= 0 && !command(KVM_SEV_LAUNCH_START, &start), "SEV-ES: launched");
	check(!command(KVM_SEV_LAUNCH_UPDATE_VMSA, NULL), "SEV-ES: its registers");
	check_errno(command(KVM_SEV_LAUNCH_UPDATE_VMSA, NULL), EINVAL,
		    "SEV-ES: its registers once more");
	close(vcpu_fd);
	close(vm_fd);
}

int main(int argc, char *argv[])
{
	struct kvm_sev_init init = {};
	int kvm_fd = open_path_or_exit("/dev/kvm", O_RDWR);

	if (!(kvm_check_cap(KVM_CAP_VM_TYPES) & (1ul << KVM_X86_SEV_VM))) {
		print_skip("No SEV guests");
		exit(KSFT_SKIP);
	}

	setbuf(stdout, NULL);
	vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, KVM_X86_SEV_VM);
	TEST_ASSERT(vm_fd >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VM, vm_fd));
	check_errno(region(KVM_MEMORY_ENCRYPT_REG_REGION, map(PROT_READ), SZ_4K), ENOTTY,
		    "before KVM_SEV_INIT2");

	sev_fd = open_path_or_exit("/dev/sev", O_RDWR);
	check_errno(debug(KVM_SEV_DBG_DECRYPT, map(PROT_WRITE), map(PROT_READ), 16), ENOTTY,
		    "debugged before it");

	TEST_ASSERT(!command(KVM_SEV_INIT2, &init), "KVM_SEV_INIT2 fails");
	test_frames();
	test_arguments();
	test_debug();
	test_send_sizes();
	close(vm_fd);
	test_vmsa_twice(kvm_fd);
	return check_finish();
}
