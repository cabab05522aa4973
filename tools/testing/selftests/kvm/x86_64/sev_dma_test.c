// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of a guest_memfd that an SEV guest has written to is punched out, and a disk is
 * read into it: see sev_snp_dma_test.c.  The guest's memory is a file that the host may
 * map, as no other can be of use for an SEV guest.
 */
#include <linux/psp-sev.h>

#include "disk_sums.h"
#include "private_mem.h"
#include "processor.h"

#define CODE_GPA	0x1000ul
#define CODE_SIZE	(2 * SZ_4K)
#define DATA_GPA	(16 * SZ_2M)
#define SIZE		(16 * SZ_2M)
#define NR_PAGES	(SIZE / SZ_4K)
#define DONE_PORT	0x80
#define ROUNDS		6
#define VALUE		0x57a1e000ul

static int vm_fd, vcpu_fd, sev_fd, gmem_fd;
static struct kvm_run *run;

/*
 * EAX at both ends of ECX pages from EDI on.  Without paging all that an SEV guest
 * accesses is encrypted.
 */
asm(".pushsection .rodata\n"
	".code32\n"
	"__start_sev_guest:\n"
	"1:	mov	%eax, (%edi)\n"
	"	mov	%eax, 4092(%edi)\n"
	"	add	$4096, %edi\n"
	"	loop	1b\n"
	"	out	%al, $0x80\n"
	"__stop_sev_guest:\n"
	".code64\n"
	".popsection\n");
extern uint8_t __start_sev_guest[], __stop_sev_guest[];

static int command(int id, void *params)
{
	struct kvm_sev_cmd cmd = { .id = id, .data = (uint64_t)params, .sev_fd = sev_fd };

	return ioctl(vm_fd, KVM_MEMORY_ENCRYPT_OP, &cmd);
}

static void add_memory(void)
{
	uint8_t *code = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_sev_launch_update_data update = { .uaddr = (uint64_t)code, .len = SZ_4K };
	struct kvm_sev_launch_start start = {};
	uint8_t measurement[48];
	struct kvm_sev_launch_measure measure = {
		.uaddr = (uint64_t)measurement, .len = sizeof(measurement),
	};
	void *data;
	int r;

	TEST_ASSERT(code != MAP_FAILED, "No memory");
	memcpy(code, __start_sev_guest, __stop_sev_guest - __start_sev_guest);
	r = __set_region2(vm_fd, 0, 0, CODE_GPA, CODE_SIZE, code, 0, 0);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));

	gmem_fd = __gmem_create(vm_fd, SIZE, GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED);
	TEST_ASSERT(gmem_fd >= 0, KVM_IOCTL_ERROR(KVM_CREATE_GUEST_MEMFD, gmem_fd));
	/* The slot's own memory is never looked at. */
	data = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	r = __set_region2(vm_fd, 1, KVM_MEM_GUEST_MEMFD, DATA_GPA, SIZE, data, gmem_fd, 0);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));

	TEST_ASSERT(!command(KVM_SEV_LAUNCH_START, &start) &&
		    !command(KVM_SEV_LAUNCH_UPDATE_DATA, &update) &&
		    !command(KVM_SEV_LAUNCH_MEASURE, &measure) &&
		    !command(KVM_SEV_LAUNCH_FINISH, NULL), "No launch, errno %d", errno);
}

/* Protected mode with flat segments */
static void add_vcpu(int kvm_fd)
{
	struct kvm_segment code = {
		.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .db = 1, .g = 1,
	};
	struct kvm_segment data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1,
	};
	struct kvm_sregs sregs;
	int r;

	vcpu_fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0);
	TEST_ASSERT(vcpu_fd >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VCPU, vcpu_fd));
	run = mmap(NULL, ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		   MAP_SHARED, vcpu_fd, 0);
	TEST_ASSERT(run != MAP_FAILED, "No kvm_run");
	r = ioctl(vcpu_fd, KVM_GET_SREGS, &sregs);
	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.ss = data;
	sregs.cr0 = X86_CR0_PE | X86_CR0_NE | X86_CR0_ET;
	TEST_ASSERT(!r && !ioctl(vcpu_fd, KVM_SET_SREGS, &sregs), "No registers, errno %d", errno);
}

static void write_all(unsigned int i)
{
	struct kvm_regs regs = {
		.rip = CODE_GPA, .rflags = 2, .rax = VALUE + i, .rcx = NR_PAGES, .rdi = DATA_GPA,
	};
	int r;

	r = ioctl(vcpu_fd, KVM_SET_REGS, &regs) ?: ioctl(vcpu_fd, KVM_RUN, NULL);
	TEST_ASSERT(!r && run->exit_reason == KVM_EXIT_IO && run->io.port == DONE_PORT,
		    "The guest can't write: %d, errno %d, exit %u", r, errno, run->exit_reason);
}

static unsigned int round_of(unsigned int i)
{
	write_all(i);
	gmem_punch(gmem_fd, 0, SIZE);
	return disk_changes();
}

/* Once the guest is another VM's, the memory of this one is not an SEV guest's any more. */
static unsigned int round_after_move(int kvm_fd)
{
	int to = ioctl(kvm_fd, KVM_CREATE_VM, KVM_X86_SEV_VM), r;
	struct kvm_enable_cap move = {
		.cap = KVM_CAP_VM_MOVE_ENC_CONTEXT_FROM, .args[0] = vm_fd,
	};

	write_all(ROUNDS);
	TEST_ASSERT(to >= 0, KVM_IOCTL_ERROR(KVM_CREATE_VM, to));
	r = ioctl(to, KVM_ENABLE_CAP, &move);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_ENABLE_CAP, r));
	gmem_punch(gmem_fd, 0, SIZE);
	return disk_changes();
}

int main(int argc, char *argv[])
{
	struct kvm_sev_init init = {};
	unsigned int i, differ = 0;
	int kvm_fd;

	if (argc != 2)
		ksft_exit_fail_msg("usage: %s disk\n", argv[0]);
	setbuf(stdout, NULL);
	kvm_fd = open_path_or_exit("/dev/kvm", O_RDWR);
	if (!(kvm_check_cap(KVM_CAP_VM_TYPES) & (1ul << KVM_X86_SEV_VM))) {
		print_skip("No SEV guests");
		exit(KSFT_SKIP);
	}
	sev_fd = open_path_or_exit("/dev/sev", O_RDWR);
	disk_open(argv[1], 2 * SIZE);
	check(!disk_changes(), "the disk holds what it held");

	vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, KVM_X86_SEV_VM);
	TEST_ASSERT(vm_fd >= 0 && !command(KVM_SEV_INIT2, &init), "No SEV VM, errno %d", errno);
	add_memory();
	add_vcpu(kvm_fd);
	for (i = 0; i < ROUNDS; i++)
		differ += round_of(i);
	check(!differ, "and so it does when it is read into pages that were a guest's (%u differ)",
	      differ);
	differ = round_after_move(kvm_fd);
	check(!differ, "and when the guest has moved before (%u differ)", differ);
	return check_finish();
}
