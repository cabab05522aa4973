// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page that an SNP guest has written to is punched out, and a disk is read into it.
 *
 * Caches may hold lines of the page that the guest has written, under the guest's key.  A
 * device does not meet them: unless they are flushed before the page is freed, they are
 * written back over the device's data later.  The VM lives on while the disk is read, as
 * the end of a VM flushes all caches.
 *
 * Pages that are cleared when they are allocated would hide that, since the processors
 * keep their own accesses coherent: the kernel must run without init_on_alloc.
 */
#include "disk_sums.h"
#include "private_mem.h"
#include "processor.h"
#include "snp_bare.h"

#define GPA		(32 * SZ_2M)
#define SIZE		(16 * SZ_2M)
#define NR_PAGES	(SIZE / SZ_4K)
#define ROUNDS		6
#define VALUE		0x57a1e000ul

static struct snp_bare guest;

static int setup(void)
{
	void *shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int fd, r;

	bare_init(&guest);
	bare_map(&guest, GPA, SIZE, SIZE);
	TEST_ASSERT(!bare_launch(&guest), "No guest, errno %d", errno);
	fd = gmem_create(guest.vm_fd, SIZE);
	r = __set_region2(guest.vm_fd, 9, KVM_MEM_GUEST_MEMFD, GPA, SIZE, shared, fd, 0);
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
	set_private(guest.vm_fd, GPA, SIZE, true);
	return fd;
}

static unsigned int round_of(int fd, unsigned int i)
{
	int r = bare_order(&guest, 0, BARE_STAMP, GPA, NR_PAGES | BARE_NEW_PAGES, VALUE + i);

	TEST_ASSERT(!r && !guest.ctl[0]->result, "The guest can't write: %d, errno %d, %lu pages",
		    r, errno, guest.ctl[0]->result);
	gmem_punch(fd, 0, SIZE);
	return disk_changes();
}

int main(int argc, char *argv[])
{
	unsigned int i, differ = 0;
	int fd;

	if (argc != 2)
		ksft_exit_fail_msg("usage: %s disk\n", argv[0]);
	require_snp();
	setbuf(stdout, NULL);
	disk_open(argv[1], 2 * SIZE);
	check(!disk_changes(), "the disk holds what it held");

	fd = setup();
	for (i = 0; i < ROUNDS; i++)
		differ += round_of(fd, i);
	check(!differ, "and so it does when it is read into pages that were a guest's (%u differ)",
	      differ);
	close(fd);
	bare_free(&guest);
	return check_finish();
}
