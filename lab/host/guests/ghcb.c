// SPDX-License-Identifier: GPL-2.0
/*
 * In the host: malicious SNP guests, each of one page of code, that give KVM a bad GHCB or a bad request.
 *
 *   ghcb [SECONDS]      TAP; a case may take that long (20)
 *
 * What a hypervisor has to do is the GHCB specification's: end the guest, or answer it with an error. Every
 * case runs in a process of its own, and the last one is a guest that behaves, to show that the host still works.
 * Names and numbers are those of <linux/kvm.h> of 6.12 and of the GHCB specification.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Not in the <linux/kvm.h> of 6.1 */
#define SNP_VM			4
#define SNP_PRIVATE		(1ULL << 3)
#define SNP_MEMFD_SLOT		(1U << 2)
#define SNP_INIT2		22
#define SNP_LAUNCH_START	100
#define SNP_LAUNCH_UPDATE	101
#define SNP_LAUNCH_FINISH	102
#define SNP_PAGE_NORMAL		1
#define SNP_POLICY		0x30000
#define SYSTEM_EVENT_TERM	6

struct memfd { uint64_t size, flags, reserved[6]; };
struct attributes { uint64_t address, size, attributes, flags; };
struct region2 {
	uint32_t slot, flags;
	uint64_t gpa, size, uaddr, memfd_offset;
	uint32_t memfd, pad1;
	uint64_t pad2[14];
};
struct sev_cmd { uint32_t id, pad; uint64_t data; uint32_t error, fd; };
struct sev_init2 { uint64_t vmsa_features; uint32_t flags; uint16_t ghcb_version, pad1; uint32_t pad2[8]; };
struct launch_start { uint64_t policy; uint8_t gosvw[16]; uint16_t flags; uint8_t pad0[6]; uint64_t pad1[4]; };
struct launch_update {
	uint64_t gfn, uaddr, len;
	uint8_t type, pad0;
	uint16_t flags;
	uint32_t pad1;
	uint64_t pad2[4];
};
struct launch_finish {
	uint64_t id_block, id_auth;
	uint8_t id_block_en, auth_key_en, vcek_disabled, host_data[32], pad0[3];
	uint16_t flags;
	uint64_t pad1[4];
};
_Static_assert(sizeof(struct region2) == 160 && sizeof(struct launch_finish) == 88, "layout");
_Static_assert(sizeof(struct launch_start) == 64 && sizeof(struct launch_update) == 64, "layout");
#define CREATE_MEMFD		_IOWR(KVMIO, 0xd4, struct memfd)
#define SET_ATTRIBUTES		_IOW(KVMIO, 0xd2, struct attributes)
#define SET_REGION2		_IOW(KVMIO, 0x49, struct region2)

/* The guest: 64 KiB, code at 0x1000 runs in real mode, the GHCB page is shared. */
#define SIZE			0x10000
#define CODE			0x1000
#define GHCB			0x3000
#define NOWHERE			0x40000000ULL

/* In the GHCB */
#define SW_EXIT_CODE		0x390
#define SW_EXIT_INFO_1		0x398
#define SW_EXIT_INFO_2		0x3a0
#define SW_SCRATCH		0x3a8
#define VALID_BITMAP		0x3f0
#define SHARED_BUFFER		0x800
#define PROTOCOL_VERSION	0xffa
#define USAGE			0xffc
#define MMIO_READ		0x80000001ULL
#define PSC			0x80000010ULL

/* Of the MSR protocol */
#define REGISTER(gpa)		((gpa) | 0x012)
#define TERMINATE		0x100
#define UNKNOWN			0xabc

enum outcome { GOES_ON, TERMINATED, ANSWERED, REFUSED, NO_PSC };

struct attack {
	const char *name;
	uint64_t msr[2];			/* values of the GHCB MSR, with a VMGEXIT after each; 0: no more */
	void (*fill)(uint8_t *ghcb);
	enum outcome outcome;
	uint32_t reason;			/* SW_EXITINFO2 of an answer */
};

static uint8_t *memory;
static int vm, vcpu;
static struct kvm_run *run;

static void put(uint8_t *ghcb, unsigned int field, uint64_t val)
{
	memcpy(ghcb + field, &val, sizeof(val));
	ghcb[VALID_BITMAP + field / 64] |= 1 << (field / 8 % 8);
}

static void request(uint8_t *ghcb, uint64_t code, uint64_t info1, uint64_t info2)
{
	ghcb[PROTOCOL_VERSION] = 2;
	put(ghcb, SW_EXIT_CODE, code);
	put(ghcb, SW_EXIT_INFO_1, info1);
	put(ghcb, SW_EXIT_INFO_2, info2);
}

static void fill_ones(uint8_t *ghcb) { memset(ghcb, 0xff, 4096); }
static void fill_usage(uint8_t *ghcb) { request(ghcb, PSC, 0, 0); ghcb[USAGE] = 1; }
static void fill_nothing(uint8_t *ghcb) { ghcb[PROTOCOL_VERSION] = 2; }
static void fill_event(uint8_t *ghcb) { request(ghcb, 0xdeadULL, 0, 0); }
static void fill_no_scratch(uint8_t *ghcb) { request(ghcb, MMIO_READ, NOWHERE, 8); }

static void fill_scratch_outside(uint8_t *ghcb)
{
	request(ghcb, MMIO_READ, NOWHERE, 8);
	put(ghcb, SW_SCRATCH, ~0xfffULL);
}

static void fill_scratch_overrun(uint8_t *ghcb)
{
	request(ghcb, MMIO_READ, NOWHERE, 0x7fffffff);
	put(ghcb, SW_SCRATCH, GHCB + SHARED_BUFFER);
}

/* A page state change whose last entry is far behind the end of the buffer */
static void fill_psc(uint8_t *ghcb)
{
	request(ghcb, PSC, 0, 0);
	put(ghcb, SW_SCRATCH, GHCB + SHARED_BUFFER);
	memset(ghcb + SHARED_BUFFER, 0, 8);
	memset(ghcb + SHARED_BUFFER + 2, 0xff, 2);
}

static const struct attack attacks[] = {
	{ "unknown request by MSR", { UNKNOWN }, NULL, GOES_ON, 0 },
	{ "GHCB that is not registered", { GHCB }, fill_ones, REFUSED, 1 },
	{ "GHCB that is not the registered one", { REGISTER(CODE), GHCB }, fill_ones, REFUSED, 1 },
	{ "GHCB where no memory is", { REGISTER(NOWHERE), NOWHERE }, NULL, GOES_ON, 0 },
	{ "GHCB of ones", { REGISTER(GHCB), GHCB }, fill_ones, ANSWERED, 2 },
	{ "GHCB with an unknown usage", { REGISTER(GHCB), GHCB }, fill_usage, ANSWERED, 2 },
	{ "GHCB with no valid field", { REGISTER(GHCB), GHCB }, fill_nothing, ANSWERED, 4 },
	{ "unknown exit code", { REGISTER(GHCB), GHCB }, fill_event, ANSWERED, 6 },
	{ "MMIO without scratch area", { REGISTER(GHCB), GHCB }, fill_no_scratch, ANSWERED, 4 },
	{ "scratch area where no memory is", { REGISTER(GHCB), GHCB }, fill_scratch_outside, ANSWERED, 3 },
	{ "scratch area that overruns the GHCB", { REGISTER(GHCB), GHCB }, fill_scratch_overrun, ANSWERED, 5 },
	{ "page state change behind the buffer", { REGISTER(GHCB), GHCB }, fill_psc, NO_PSC, 0 },
	{ "request to terminate", { TERMINATE }, NULL, TERMINATED, 0 },
	{ "nothing bad", { REGISTER(GHCB) }, NULL, GOES_ON, 0 },
};

static int must(int ret, const char *what)
{
	if (ret >= 0)
		return ret;
	printf("# %s: %s\n", what, strerror(errno));
	exit(3);
}

static void sev(uint32_t id, void *data)
{
	struct sev_cmd cmd = { .id = id, .data = (uintptr_t)data, .fd = must(open("/dev/sev", O_RDWR), "/dev/sev") };

	must(ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &cmd), "KVM_MEMORY_ENCRYPT_OP");
	close(cmd.fd);
}

/* WRMSR and VMGEXIT for each value, in 16-bit code, and HLT */
static void write_code(uint8_t *p, const struct attack *a)
{
	unsigned int i;

	for (i = 0; i < 2 && a->msr[i]; i++) {
		const uint32_t words[] = { 0xc0010130, a->msr[i], a->msr[i] >> 32 };
		const uint8_t move[] = { 0xb9, 0xb8, 0xba };
		const uint8_t rest[] = { 0x0f, 0x30, 0xf3, 0x0f, 0x01, 0xd9 };
		unsigned int j;

		for (j = 0; j < 3; j++) {
			*p++ = 0x66;
			*p++ = move[j];
			memcpy(p, &words[j], 4);
			p += 4;
		}
		memcpy(p, rest, sizeof(rest));
		p += sizeof(rest);
	}
	*p = 0xf4;
}

static void create(int kvm)
{
	struct memfd memfd = { .size = SIZE };
	struct sev_init2 init = { 0 };
	struct region2 region = { .flags = SNP_MEMFD_SLOT, .size = SIZE };
	struct attributes private = { .size = SIZE, .attributes = SNP_PRIVATE };
	struct attributes shared = { .address = GHCB, .size = 0x1000 };

	vm = must(ioctl(kvm, KVM_CREATE_VM, SNP_VM), "KVM_CREATE_VM");
	sev(SNP_INIT2, &init);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	region.uaddr = (uintptr_t)memory;
	region.memfd = must(ioctl(vm, CREATE_MEMFD, &memfd), "KVM_CREATE_GUEST_MEMFD");
	must(ioctl(vm, SET_REGION2, &region), "KVM_SET_USER_MEMORY_REGION2");
	must(ioctl(vm, SET_ATTRIBUTES, &private), "KVM_SET_MEMORY_ATTRIBUTES");
	must(ioctl(vm, SET_ATTRIBUTES, &shared), "KVM_SET_MEMORY_ATTRIBUTES");
	vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	run = mmap(NULL, must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE"),
		   PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
}

static void launch(const struct attack *a)
{
	struct launch_start start = { .policy = SNP_POLICY };
	struct launch_finish finish = { 0 };
	struct launch_update update = {
		.gfn = CODE >> 12, .uaddr = (uintptr_t)memory + CODE, .len = 0x1000, .type = SNP_PAGE_NORMAL,
	};
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	must(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	must(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	must(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	write_code(memory + CODE, a);
	if (a->fill)
		a->fill(memory + GHCB);
	sev(SNP_LAUNCH_START, &start);
	sev(SNP_LAUNCH_UPDATE, &update);
	sev(SNP_LAUNCH_FINISH, &finish);
}

/* In the child: 0 if the guest ended as it should */
static int play(int kvm, const struct attack *a)
{
	int ret, error;
	uint64_t info1, info2;

	create(kvm);
	launch(a);
	do {
		ret = ioctl(vcpu, KVM_RUN, 0);
		error = errno;
	} while (ret < 0 && (error == EINTR || error == EAGAIN));
	memcpy(&info1, memory + GHCB + SW_EXIT_INFO_1, 8);
	memcpy(&info2, memory + GHCB + SW_EXIT_INFO_2, 8);
	printf("# KVM_RUN %s, exit %u, SW_EXITINFO %llx %llx\n", ret < 0 ? strerror(error) : "0", run->exit_reason,
	       (unsigned long long)info1, (unsigned long long)info2);
	/* Some kernels end the guest for what others answer. */
	if (ret < 0)
		return !(a->outcome == REFUSED && error == EINVAL);
	if (a->outcome == TERMINATED)
		return !(run->exit_reason == KVM_EXIT_SYSTEM_EVENT && run->system_event.type == SYSTEM_EVENT_TERM);
	if (run->exit_reason != KVM_EXIT_HLT)
		return 1;
	if (a->outcome == ANSWERED || a->outcome == REFUSED)
		return !((uint32_t)info1 == 2 && (uint32_t)info2 == a->reason);
	return a->outcome == NO_PSC && !(info2 >> 32);
}

int main(int argc, char **argv)
{
	int limit = argc > 1 ? atoi(argv[1]) : 20, kvm = must(open("/dev/kvm", O_RDWR), "/dev/kvm");
	unsigned int i, number = sizeof(attacks) / sizeof(attacks[0]), bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < number; i++) {
		int status;
		pid_t pid = must(fork(), "fork");

		if (!pid) {
			alarm(limit);
			exit(play(kvm, &attacks[i]));
		}
		waitpid(pid, &status, 0);
		if (WIFSIGNALED(status))
			printf("# ended by signal %d\n", WTERMSIG(status));
		bad += status != 0;
		printf("%sok %u - %s\n", status ? "not " : "", i + 1, attacks[i].name);
	}
	printf("1..%u\n", number);
	return bad != 0;
}
