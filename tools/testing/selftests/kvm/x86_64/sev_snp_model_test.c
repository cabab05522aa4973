// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random operations of several threads on the memory of an SNP guest, with a model that
 * predicts the content of each page: see private_mem_plan.h.
 *
 * Each batch has its own guest, part of whose memory is launched. The first two threads
 * have one vCPU each, the second of which may belong to a mirror; another thread only
 * acts as userspace. The guest has validated the pages that it has written. A page that
 * was punched out is a new page, which the test verifies by validating it again: if it is
 * already validated, it is the old page. The guest splits pages and requests conversions,
 * pre-faults coalesce pages, and between rounds the guest moves to another VM.
 */
#include <linux/kvm_para.h>
#include <linux/psp-sev.h>
#include <sys/mman.h>

#include "private_mem_plan.h"
#include "processor.h"
#include "snp_bare.h"

/* Mapped as shared by the guest where it has no other mapping. */
#define MODEL_GPA	(16 * SZ_2M)
#define MODEL_SPAN	(72 * SZ_2M)
#define MODEL_SHARED	(SZ_1G / 2)
#define MODEL_SLOT	3
#define PSC_PRIVATE	1ul
#define PSC_SHARED	2ul
#define PSC_DONE	0x15ul

/* A VM that has the guest, or a mirror of it, and its file of the memory. */
struct member {
	struct snp_bare vm;
	int gmem_fd;
};

static struct member vms[2], mirror;
static struct member *owner;
static bool has_mirror;
static struct vcpu_guard guards[NR_BARE_VCPUS];
static uint64_t nr_faults[NR_BARE_VCPUS];
static unsigned long nr_guests, nr_mirrors, nr_moves, nr_launched;

/* The current state; the model knows the state after all plans. */
static bool is_private[NR_PAGES];
static bool is_validated[NR_PAGES];

static struct member *member_of(int cpu)
{
	return cpu && has_mirror ? &mirror : owner;
}

/* --- How the guest accesses its memory -------------------------------------------------- */

/* Returns the result, or ~0 if the order fails, after reporting it. */
static uint64_t run_order(struct accessor *a, unsigned int page, enum bare_op op, uint64_t arg0,
			  uint64_t arg1, uint64_t arg2)
{
	struct snp_bare *b = &member_of(a->cpu)->vm;
	struct kvm_run *run = b->run[a->cpu];
	int r;

	if (a->failure[0])
		return ~0ul;
	r = bare_order(b, a->cpu, op, arg0, arg1, arg2);
	while (r) {
		if (r != -1 || !may_exit(a, run, r, errno)) {
			fail(a, page, "vCPU %d, order %d: %d, errno %d, exit reason %u", a->cpu, op,
			     r, r < 0 ? errno : 0, run->exit_reason);
			return ~0ul;
		}
		r = bare_run(b, a->cpu);
	}
	return b->ctl[a->cpu]->result;
}

static uint64_t address_of(unsigned int page)
{
	return gpa_of(page) + (is_private[page] ? 0 : MODEL_SHARED);
}

static bool is_new(unsigned int page)
{
	return is_private[page] && !is_validated[page];
}

/* How many of @nr pages are in the same state. */
static unsigned int count_alike(unsigned int first, unsigned int nr)
{
	unsigned int i;

	for (i = 1; i < nr; i++)
		if (is_private[first + i] != is_private[first] ||
		    is_new(first + i) != is_new(first))
			break;
	return i;
}

static void check_new(struct accessor *a, unsigned int first, unsigned int nr, uint64_t bad)
{
	if (bad && !a->failure[0])
		fail(a, first, "%lu of %u new pages at %u can't be validated, or are old ones", bad,
		     nr, first);
}

static void snp_stamp(struct accessor *a, unsigned int first, unsigned int nr, uint64_t value)
{
	unsigned int n, i;
	uint64_t new;

	for (; nr && !a->failure[0]; first += n, nr -= n, value += n) {
		n = count_alike(first, nr);
		new = is_new(first) ? BARE_NEW_PAGES : 0;
		check_new(a, first, n,
			  run_order(a, first, BARE_STAMP, address_of(first), n | new, value));
		for (i = 0; new && i < n; i++)
			is_validated[first + i] = true;
	}
}

static void snp_look(struct accessor *a, unsigned int first, unsigned int nr, struct words *words)
{
	struct words *buffer = (void *)(owner->vm.shared + BARE_BUFFER(a->cpu) - BARE_SHARED_GPA);
	unsigned int n;
	uint64_t new;

	for (; nr && !a->failure[0]; first += n, nr -= n, words += n) {
		n = count_alike(first, nr);
		new = is_new(first) ? BARE_NEW_PAGES : 0;
		check_new(a, first, n, run_order(a, first, BARE_LOOK, address_of(first), n | new,
						 BARE_BUFFER(a->cpu)));
		memcpy(words, buffer, n * sizeof(*words));
	}
}

/*
 * With a mirror, the second vCPU of the owner never runs, and mirrors are not
 * pre-faulted.
 */
static int snp_pre_fault(struct accessor *a, struct kvm_pre_fault_memory *range)
{
	int cpu = has_mirror ? 1 : a->has_no_vcpu ? 0 : a->cpu;

	return __pre_fault(owner->vm.vcpu_fd[cpu], range);
}

static int set_slot(struct member *member, struct private_slot *slot, bool present)
{
	return __set_region2(member->vm.vm_fd, slot->slot, KVM_MEM_GUEST_MEMFD, slot->gpa,
			     present ? slot->size : 0, slot->hva, member->gmem_fd, slot->offset);
}

static int snp_set_slot(struct private_slot *slot, bool present)
{
	return set_slot(owner, slot, present) ?:
	       (has_mirror ? set_slot(&mirror, slot, present) : 0);
}

static void snp_set_private(unsigned int first, unsigned int nr, bool private)
{
	set_private(owner->vm.vm_fd, gpa_of(first), nr * SZ_4K, private);
	if (has_mirror)
		set_private(mirror.vm.vm_fd, gpa_of(first), nr * SZ_4K, private);
	memset(is_private + first, private, nr);
}

static uint64_t snp_find_pfn(struct accessor *a, unsigned int page)
{
	if (!trace_faults_begin())
		return 0;
	pre_fault(a, page, 1);
	return trace_faults_end(gpa_of(page));
}

static void snp_punched(unsigned int first, unsigned int nr)
{
	memset(is_validated + first, false, nr);
}

/* The guest's page table maps 2 MiB there, and the RMP has 4 KiB pages afterwards. */
static void snp_split(struct accessor *a, unsigned int first, unsigned int nr)
{
	unsigned int page = first + nr / 2;
	uint64_t no, yes;

	if (!is_private[page] || !is_validated[page])
		return;
	no = run_order(a, page, BARE_PVALIDATE, gpa_of(page), PVAL_4K, 0);
	yes = run_order(a, page, BARE_PVALIDATE, gpa_of(page), PVAL_4K, 1);
	if (no || yes)
		fail(a, page, "page %u, which is validated, can't be split: %lu, %lu", page, no,
		     yes);
}

/* Validated pages stay validated, and have their content when they are private again. */
static void snp_ask(struct accessor *a, unsigned int first, unsigned int nr, bool private)
{
	struct snp_bare *b = &member_of(a->cpu)->vm;
	unsigned int page;
	int r;

	for (page = first; page < first + nr && !a->failure[0]; page++) {
		r = bare_order(b, a->cpu, BARE_MSR, (private ? PSC_PRIVATE : PSC_SHARED) << 52 |
			       gpa_of(page) | MSR_PSC, 0, 0);
		if (r == KVM_EXIT_HYPERCALL) {
			snp_set_private(page, 1, private);
			b->run[a->cpu]->hypercall.ret = 0;
			r = bare_run(b, a->cpu);
		}
		if (r || b->ctl[a->cpu]->result != PSC_DONE || is_private[page] != private)
			fail(a, page, "page %u is not converted on request: %d, 0x%lx", page, r,
			     b->ctl[a->cpu]->result);
	}
}

static const struct model_guest snp_guest = {
	.stamp = snp_stamp,
	.look = snp_look,
	.pre_fault = snp_pre_fault,
	.set_slot = snp_set_slot,
	.set_private = snp_set_private,
	.find_pfn = snp_find_pfn,
	.punched = snp_punched,
	.split = snp_split,
	.ask = snp_ask,
};

/* --- Guests ----------------------------------------------------------------------------- */

static void guard_vcpus(void)
{
	static const char * const names[] = { "the first vCPU", "the second vCPU" };
	unsigned int i;

	for (i = 0; i < NR_BARE_VCPUS; i++) {
		struct snp_bare *b = &member_of(i)->vm;

		guard_begin(&guards[i], b->vcpu_fd[i], &b->in_run[i], &b->ctl[i]->count, names[i]);
	}
}

/* Guards hold a reference to the VM, so end them before it. */
static void end_guards(void)
{
	unsigned int i;

	for (i = 0; i < NR_BARE_VCPUS; i++) {
		nr_faults[i] += watch_faults(&guards[i].watch);
		guard_end(&guards[i], 0);
	}
}

/* A VM that will have vCPUs of the guest, too; created before the launch ends. */
static void begin_mirror(void)
{
	struct kvm_mp_state runs = { .mp_state = KVM_MP_STATE_RUNNABLE };

	bare_create_like(&mirror.vm, &owner->vm);
	TEST_ASSERT(!bare_mirror(&mirror.vm, &owner->vm) && !bare_add_vcpus(&mirror.vm) &&
		    !ioctl(mirror.vm.vcpu_fd[1], KVM_SET_MP_STATE, &runs) &&
		    bare_take_memory(&mirror.vm, &owner->vm), "No mirror, errno %d", errno);
	mirror.gmem_fd = bare_link_file(mirror.vm.vm_fd, owner->gmem_fd, MODEL_FILE_SIZE, 0);
	TEST_ASSERT(mirror.gmem_fd >= 0, "No link, errno %d", errno);
	nr_mirrors++;
}

static void begin_batch(void)
{
	struct snp_bare *b = &vms[0].vm;

	owner = &vms[0];
	memset(is_private, false, sizeof(is_private));
	memset(is_validated, false, sizeof(is_validated));
	bare_init(b);
	bare_map(b, MODEL_GPA, MODEL_SPAN, MODEL_SHARED);
	TEST_ASSERT(!bare_create_vm(b) && !bare_init2(b) && !bare_add_memory(b) &&
		    !bare_add_vcpus(b) && !bare_launch_start(b), "No guest, errno %d", errno);
	owner->gmem_fd = gmem_create(b->vm_fd, MODEL_FILE_SIZE);
	model_use_file(owner->gmem_fd);
	model.slots[1].gpa = 0;
	has_mirror = chance(40);
	if (has_mirror)
		begin_mirror();
	nr_guests++;
}

/* Launched pages are validated, and have content. */
static void launch_pages(unsigned int first, unsigned int nr)
{
	struct op take = { .kind = CONVERT, .first = first, .nr = nr, .value = true };
	uint64_t value = new_value(), *words;
	struct kvm_sev_snp_launch_update update = {
		.gfn_start = gpa_of(first) / SZ_4K,
		.len = nr * SZ_4K,
		.type = KVM_SEV_SNP_PAGE_TYPE_NORMAL,
	};
	unsigned int i;
	int r;

	do_op(&workers[0].access, &take);
	model_op(&take);
	words = mmap(NULL, nr * SZ_4K, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(words != MAP_FAILED, "No memory");
	for (i = 0; i < nr; i++) {
		words[i * WORDS_PER_PAGE] = value + i;
		words[(i + 1) * WORDS_PER_PAGE - 1] = value + i;
		set_content(&model.pages[first + i].file, value + i);
		is_validated[first + i] = true;
	}
	update.uaddr = (uintptr_t)words;
	do {
		r = bare_command(&owner->vm, KVM_SEV_SNP_LAUNCH_UPDATE, &update, NULL);
	} while (r && errno == EAGAIN);
	TEST_ASSERT(!r, "LAUNCH_UPDATE of %u pages at %u fails, errno %d", nr, first, errno);
	munmap(words, nr * SZ_4K);
	nr_launched += nr;
}

static void start_vcpus(void)
{
	struct snp_bare *b = &owner->vm;
	int r;

	TEST_ASSERT(!bare_launch_pages(b) &&
		    (!has_mirror || !bare_command(&mirror.vm, KVM_SEV_LAUNCH_UPDATE_VMSA, NULL,
						  NULL)) &&
		    !bare_launch_finish(b) && !bare_run(b, 0), "No launch, errno %d", errno);
	r = has_mirror ? bare_run(&mirror.vm, 1) :
			 bare_start_ap(b, BARE_VMSA_GPA) ?: bare_run(b, 1);
	TEST_ASSERT(!r, "The second vCPU doesn't start: %d, errno %d", r, errno);
	guard_vcpus();
}

static void launch_batch(void)
{
	unsigned int chunk, first, part;

	for (chunk = 0; chunk < NR_CHUNKS; chunk++) {
		first = chunk * PAGES_PER_CHUNK;
		part = 1 + pick(PAGES_PER_CHUNK - 1);
		if (chance(30))
			launch_pages(first, PAGES_PER_CHUNK);
		else if (chance(20))
			launch_pages(first, part);
	}
	start_vcpus();
}

static void free_member(struct member *member)
{
	bare_close(&member->gmem_fd);
	bare_free(&member->vm);
}

static void end_batch(void)
{
	end_guards();
	free_member(owner);
	if (has_mirror)
		free_member(&mirror);
}

/* Pass on to the next VM what the previous one knows about the memory. */
static void bind_memory(struct member *to)
{
	unsigned int i, nr;

	for (i = 0; i < 2; i++)
		TEST_ASSERT(!set_slot(to, &model.slots[i], true), "No slot, errno %d", errno);
	for (i = 0; i < NR_PAGES; i += nr) {
		for (nr = 1; i + nr < NR_PAGES && is_private[i + nr] == is_private[i] &&
		     slot_of(i + nr) == slot_of(i); nr++)
			;
		set_private(to->vm.vm_fd, gpa_of(i), nr * SZ_4K, is_private[i]);
	}
}

static void between_rounds(void)
{
	struct member *from = owner, *to = &vms[owner == &vms[0]];

	if (!chance(20))
		return;
	end_guards();
	bare_create_like(&to->vm, &from->vm);
	bare_add_running_vcpus(&to->vm);
	TEST_ASSERT(!bare_move(&to->vm, &from->vm) && bare_take_memory(&to->vm, &from->vm),
		    "The guest can't be moved, errno %d", errno);
	to->gmem_fd = bare_link_file(to->vm.vm_fd, from->gmem_fd, MODEL_FILE_SIZE, 0);
	TEST_ASSERT(to->gmem_fd >= 0, "No link, errno %d", errno);
	bind_memory(to);
	owner = to;
	model_use_file(to->gmem_fd);
	free_member(from);
	guard_vcpus();
	nr_moves++;
}

static const struct plan_hooks hooks = {
	.begin_batch = begin_batch,
	.launch_batch = launch_batch,
	.end_batch = end_batch,
	.between_rounds = between_rounds,
};

static void check_faults(unsigned int cpu)
{
	uint64_t accesses = workers[cpu].access.accesses;
	uint64_t max = accesses * MAX_FAULTS_PER_ACCESS;

	check(accesses && nr_faults[cpu] <= max,
	      "vCPU %u: progress, %lu accesses with %lu faults (at most %lu)", cpu, accesses,
	      nr_faults[cpu], max);
}

int main(int argc, char *argv[])
{
	unsigned int i, max = bare_max_guests(), nr;
	long leaked;
	int opt;

	while ((opt = getopt(argc, argv, PLAN_OPTIONS)) != -1)
		if (!plan_option(opt, optarg))
			plan_usage(argv[0]);

	require_snp();
	setbuf(stdout, NULL);
	plan_prepare();
	for (i = NR_BARE_VCPUS; i < MAX_THREADS; i++)
		workers[i].access.has_no_vcpu = true;
	leaked = leaked_pages();
	model_setup(&snp_guest, MODEL_SLOT, MODEL_GPA);

	plan_run(&hooks);
	printf("# %lu guests, %lu with a mirror, moved %lu times, %lu pages launched\n", nr_guests,
	       nr_mirrors, nr_moves, nr_launched);
	for (i = 0; i < NR_BARE_VCPUS; i++)
		check_faults(i);
	model_free();
	check(leaked_pages() == leaked, "no page is leaked");
	nr = bare_count_asids(max);
	check(nr == max, "%u of %u ASIDs are free", nr, max);
	return check_finish();
}
