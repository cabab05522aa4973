// SPDX-License-Identifier: GPL-2.0
/*
 * First and only process of a 32-bit host (lab/configs): load KVM, run a guest
 * of three instructions, say what came of it on the second serial line, and
 * reset the machine. Built with the kernel's nolibc, as there is no 32-bit
 * userland here.
 */
#include "nolibc.h"

#include <linux/kvm.h>
#include <linux/utsname.h>

#define PAGE	4096
#define PORT	0x10
#define VALUE	0x42

/* mov $VALUE, %al; out %al, $PORT; hlt */
static const char code[] = { 0xb0, VALUE, 0xe6, PORT, 0xf4 };
static char memory[PAGE] __attribute__((aligned(PAGE)));
static int failed, number;

static void check(int ok, const char *what)
{
	printf("%sok %d %s\n", ok ? "" : "not ", ++number, what);
	failed |= !ok;
}

static int load(const char *release, const char *module)
{
	char path[256], *to = path;
	const char *parts[] = { "/lib/modules/", release, "/kernel/", module, ".ko", NULL };
	int fd, ret;

	for (int i = 0; parts[i]; i++) {
		strcpy(to, parts[i]);
		to += strlen(parts[i]);
	}
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	ret = my_syscall3(__NR_finit_module, fd, "", 0);
	close(fd);
	return ret;
}

static int exit_of(int vcpu, struct kvm_run *run)
{
	return ioctl(vcpu, KVM_RUN, 0) ? -1 : (int)run->exit_reason;
}

static void guest(int kvm)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = PAGE, .userspace_addr = (unsigned long)memory,
	};
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_sregs sregs;
	struct kvm_run *run;
	int vm, vcpu;

	memcpy(memory, code, sizeof(code));
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	check(vm >= 0, "a VM");
	check(!ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "its memory");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	check(vcpu >= 0, "a vCPU");
	run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	check(run != MAP_FAILED, "its state");
	if (failed)
		return;
	check(!ioctl(vcpu, KVM_GET_SREGS, &sregs), "its registers");
	sregs.cs.base = sregs.cs.selector = 0;
	check(!ioctl(vcpu, KVM_SET_SREGS, &sregs) && !ioctl(vcpu, KVM_SET_REGS, &regs), "its registers are set");
	check(exit_of(vcpu, run) == KVM_EXIT_IO && run->io.port == PORT &&
	      *((unsigned char *)run + run->io.data_offset) == VALUE, "the guest writes to a port");
	check(exit_of(vcpu, run) == KVM_EXIT_HLT, "the guest halts");
}

int main(void)
{
	struct new_utsname name;
	int out, kvm;

	mkdir("/dev", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	out = open("/dev/ttyS1", O_RDWR);
	dup2(out, 1);
	dup2(out, 2);
	my_syscall1(__NR_uname, &name);
	printf("# %s %s\n", name.release, name.machine);
	check(sizeof(long) == 4 && name.machine[0] == 'i', "32 bits");
	load(name.release, "virt/lib/irqbypass");
	check(!load(name.release, "arch/x86/kvm/kvm"), "kvm loads");
	check(!load(name.release, "arch/x86/kvm/kvm-amd"), "kvm_amd loads");
	kvm = open("/dev/kvm", O_RDWR);
	check(kvm >= 0 && ioctl(kvm, KVM_GET_API_VERSION, 0) == KVM_API_VERSION, "/dev/kvm");
	if (!failed)
		guest(kvm);
	printf("\n@exit %d\n", failed);
	sleep(1);
	reboot(LINUX_REBOOT_CMD_RESTART);
	return 0;
}
