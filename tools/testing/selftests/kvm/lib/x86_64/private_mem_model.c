// SPDX-License-Identifier: GPL-2.0-only
/* Memory of a guest with a model of its content, see the header. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "private_mem_model.h"
#include "processor.h"

/*
 * Retries of a vCPU, in one operation, while its slot is replaced, or until a failed page is
 * punched out.
 */
#define MAX_RETRIES	20000

struct model model = {
	.slots = {
		{ .size = 3 * SZ_2M },
		{ .size = SZ_2M, .offset = 3 * SZ_2M },
	},
};

struct private_slot *slot_of(unsigned int page)
{
	return &model.slots[page * SZ_4K >= model.slots[1].offset];
}

uint64_t gpa_of(unsigned int page)
{
	return slot_of(page)->gpa + page * SZ_4K - slot_of(page)->offset;
}

/*
 * How many of @nr pages, starting with @first, are in the same slot and fit into one
 * look.
 */
static unsigned int part_of(unsigned int first, unsigned int nr)
{
	struct private_slot *slot = slot_of(first);
	unsigned int end = (slot->offset + slot->size) / SZ_4K;

	nr = nr < end - first ? nr : end - first;
	return nr < PAGES_PER_CHUNK ? nr : PAGES_PER_CHUNK;
}

static uint64_t *host_word(unsigned int page)
{
	return model.host_words + page * WORDS_PER_PAGE;
}

void set_content(struct content *content, uint64_t value)
{
	*content = (struct content) { .values = { value }, .nr = 1 };
}

void add_content(struct content *content, uint64_t value)
{
	content->values[content->nr++] = value;
}

static bool may_be(const struct content *content, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < content->nr; i++)
		if (content->values[i] == value)
			return true;
	return false;
}

struct content *content_of(unsigned int page)
{
	return model.pages[page].private ? &model.pages[page].file : &model.pages[page].host;
}

bool all_private(unsigned int first, unsigned int nr)
{
	for (; nr; first++, nr--)
		if (!model.pages[first].private)
			return false;
	return true;
}

/* Not static: each guest would need memory for it. */
static void *model_calloc(size_t size)
{
	void *p = calloc(NR_PAGES, size);

	TEST_ASSERT(p, "No memory");
	return p;
}

void model_setup(const struct model_guest *guest, uint32_t slot, uint64_t gpa)
{
	unsigned int i;

	model.guest = guest;
	model.pages = model_calloc(sizeof(*model.pages));
	model.host_words = mmap(NULL, MODEL_FILE_SIZE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(model.host_words != MAP_FAILED, "No shared memory");
	model.slots[0].gpa = gpa;
	for (i = 0; i < 2; i++) {
		model.slots[i].slot = slot + i;
		model.slots[i].hva = host_word(model.slots[i].offset / SZ_4K);
	}
}

void model_use_file(int gmem_fd)
{
	model.gmem_fd = gmem_fd;
	model.slots[0].gmem_fd = gmem_fd;
	model.slots[1].gmem_fd = gmem_fd;
}

void model_reset(uint64_t gpa)
{
	unsigned int i;
	int r = 0;

	/* The first time there is nothing to undo. */
	if (model.slots[1].gpa)
		convert(0, NR_PAGES, false);
	for (i = 0; i < 2; i++) {
		model.guest->set_slot(&model.slots[i], false);
		if (i)
			model.slots[i].gpa = gpa;
		r = r ?: model.guest->set_slot(&model.slots[i], true);
	}
	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));

	punch(0, NR_PAGES);
	memset(model.pages, 0, NR_PAGES * sizeof(*model.pages));
	for (i = 0; i < NR_PAGES; i++) {
		host_word(i)[0] = 0;
		host_word(i)[WORDS_PER_PAGE - 1] = 0;
		set_content(&model.pages[i].file, 0);
		set_content(&model.pages[i].host, 0);
	}
}

void model_free(void)
{
	munmap(model.host_words, MODEL_FILE_SIZE);
	free(model.pages);
}

void fail(struct accessor *a, unsigned int page, const char *fmt, ...)
{
	va_list ap;

	if (a->failure[0])
		return;
	a->failed_page = page;
	va_start(ap, fmt);
	vsnprintf(a->failure, sizeof(a->failure), fmt, ap);
	va_end(ap);
}

bool may_exit(struct accessor *a, struct kvm_run *run, int r, int err)
{
	bool is_fault = run->exit_reason == KVM_EXIT_MEMORY_FAULT &&
			run->memory_fault.flags == KVM_MEMORY_EXIT_FLAG_PRIVATE;

	if (++a->retries > MAX_RETRIES)
		return false;
	/* Another thread takes a while to punch the page out, or to replace the slot. */
	if (r && err != EAGAIN)
		usleep(500);
	return r && (err == EAGAIN || (err == EFAULT && is_fault && model.replacing) ||
		     (err == EHWPOISON && is_fault && model.failing));
}

void stamp(struct accessor *a, unsigned int first, unsigned int nr, uint64_t value)
{
	unsigned int n;

	for (; nr && !a->failure[0]; first += n, nr -= n, value += n) {
		n = part_of(first, nr);
		model.guest->stamp(a, first, n, value);
		a->accesses += 2 * n;
	}
}

static void look_part(struct accessor *a, unsigned int first, unsigned int nr,
		      const struct content *expected, struct words *got, const char *when)
{
	struct words words[PAGES_PER_CHUNK] = {};
	unsigned int i, k;

	model.guest->look(a, first, nr, words);
	a->accesses += 2 * nr;
	for (i = 0; expected && i < nr; i++)
		for (k = 0; k < 2; k++)
			if (!may_be(&expected[i], words[i].word[k]))
				fail(a, first + i, "%s: page %u has 0x%lx instead of 0x%lx%s", when,
				     first + i, words[i].word[k], expected[i].values[0],
				     expected[i].nr > 1 ? " (or another)" : "");
	if (got)
		memcpy(got, words, nr * sizeof(*got));
}

void look(struct accessor *a, unsigned int first, unsigned int nr,
	  const struct content *expected, struct words *got, const char *when)
{
	unsigned int n;

	for (; nr && !a->failure[0]; first += n, nr -= n) {
		n = part_of(first, nr);
		look_part(a, first, n, expected, got, when);
		expected += expected ? n : 0;
		got += got ? n : 0;
	}
}

void pre_fault(struct accessor *a, unsigned int first, unsigned int nr)
{
	unsigned int n;
	int r;

	for (; nr; first += n, nr -= n) {
		struct kvm_pre_fault_memory range = { .gpa = gpa_of(first) };

		n = part_of(first, nr);
		range.size = n * SZ_4K;
		r = model.guest->pre_fault(a, &range);
		if (!r || errno == EAGAIN || (model.failing && errno == EHWPOISON))
			continue;
		if (!model.replacing || (errno != ENOENT && errno != EFAULT))
			fail(a, first, "KVM_PRE_FAULT_MEMORY of page %u: errno %d", first, errno);
	}
}

void convert(unsigned int first, unsigned int nr, bool private)
{
	unsigned int n;

	for (; nr; first += n, nr -= n) {
		n = part_of(first, nr);
		model.guest->set_private(first, n, private);
	}
}

void punch(unsigned int first, unsigned int nr)
{
	gmem_punch(model.gmem_fd, first * SZ_4K, nr * SZ_4K);
	if (model.guest->punched)
		model.guest->punched(first, nr);
}

static void compare_host(struct accessor *a, unsigned int first, unsigned int end)
{
	struct model_page *page;
	unsigned int i;

	for (i = first; i < end; i++) {
		page = &model.pages[i];
		page->seen_host.word[0] = READ_ONCE(host_word(i)[0]);
		page->seen_host.word[1] = READ_ONCE(host_word(i)[WORDS_PER_PAGE - 1]);
		if (!may_be(&page->host, page->seen_host.word[0]) ||
		    !may_be(&page->host, page->seen_host.word[1]))
			fail(a, i, "shared page %u has 0x%lx and 0x%lx instead of 0x%lx", i,
			     page->seen_host.word[0], page->seen_host.word[1],
			     page->host.values[0]);
	}
}

/* Private content must be in the file as the guest had it mapped. */
static void compare_guest(struct accessor *a, unsigned int first, unsigned int nr)
{
	struct content *expected = model_calloc(sizeof(*expected));
	struct words *mapped = model_calloc(sizeof(*mapped));
	struct model_page *page;
	unsigned int i;

	for (i = 0; i < nr; i++)
		expected[i] = *content_of(first + i);
	look(a, first, nr, expected, mapped, "as mapped");
	convert(first, nr, false);
	convert(first, nr, true);
	for (i = 0; i < nr; i++) {
		expected[i] = model.pages[first + i].file;
		/* Not only a possible value, but the value that was seen before. */
		if (model.pages[first + i].private && mapped[i].word[0] == mapped[i].word[1])
			set_content(&expected[i], mapped[i].word[0]);
	}
	look(a, first, nr, expected, mapped, "mapped anew");

	for (i = 0; i < nr; i++) {
		page = &model.pages[first + i];
		page->seen_file = mapped[i];
	}
	free(mapped);
	free(expected);
}

/* A write that races with a conversion is in one of the two. */
static void compare_contests(struct accessor *a, unsigned int first, unsigned int end)
{
	struct model_page *page;
	unsigned int i, k;

	for (i = first; i < end; i++) {
		page = &model.pages[i];
		for (k = 0; page->must_be && k < 2; k++)
			if (page->seen_file.word[k] != page->must_be &&
			    page->seen_host.word[k] != page->must_be)
				fail(a, i, "page %u: a write of 0x%lx was lost in a conversion", i,
				     page->must_be);
		page->must_be = 0;
	}
}

/* Settle on one value per page; it is zero if its words differ. */
static void settle(struct model_page *page, unsigned int i)
{
	if (page->seen_file.word[0] != page->seen_file.word[1]) {
		punch(i, 1);
		page->seen_file.word[0] = 0;
	}
	set_content(&page->file, page->seen_file.word[0]);
	if (page->seen_host.word[0] != page->seen_host.word[1]) {
		host_word(i)[0] = 0;
		host_word(i)[WORDS_PER_PAGE - 1] = 0;
		page->seen_host.word[0] = 0;
	}
	set_content(&page->host, page->seen_host.word[0]);
}

void compare(struct accessor *a, unsigned int first, unsigned int nr)
{
	unsigned int i, shared, end = first + nr;

	compare_host(a, first, end);
	compare_guest(a, first, nr);
	compare_contests(a, first, end);
	if (a->failure[0])
		return;

	for (i = first; i < end; i++)
		settle(&model.pages[i], i);
	for (i = first; i < end; i++) {
		for (shared = i; i < end && !model.pages[i].private; i++)
			;
		if (i > shared)
			convert(shared, i - shared, false);
	}
}

const char * const op_names[NR_OPS] = {
	"punch", "write", "read", "convert", "allocate", "pre-fault",
	"split", "ask to convert",
	"touch", "replace slot", "soft offline", "memory failure",
};

void model_op(struct op *op)
{
	unsigned int i;

	if (op->kind == READ) {
		op->expected = calloc(op->nr, sizeof(*op->expected));
		TEST_ASSERT(op->expected, "No memory");
		for (i = 0; i < op->nr; i++)
			op->expected[i] = *content_of(op->first + i);
	}

	for (i = op->first; i < op->first + op->nr; i++) {
		if (op->kind == PUNCH || op->kind == FAIL_PAGE)
			set_content(&model.pages[i].file, 0);
		else if (op->kind == WRITE)
			set_content(content_of(i), op->value + i - op->first);
		else if (op->kind == CONVERT || op->kind == ASK_TO_CONVERT)
			model.pages[i].private = op->value;
	}
}

static void replace_slot(struct private_slot *slot)
{
	int r = model.guest->set_slot(slot, false) ?: model.guest->set_slot(slot, true);

	TEST_ASSERT(!r, KVM_IOCTL_ERROR(KVM_SET_USER_MEMORY_REGION2, r));
}

/*
 * The page is the thread's own: punch it out; other threads that access it wait for that.
 */
static void fail_page(struct accessor *a, const struct op *op)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa_of(op->first), .size = SZ_4K };
	int r;

	if (!write_string(CORRUPT_PFN, "0x%lx", op->value) && errno != EBUSY)
		fail(a, op->first, "pfn 0x%lx is not corrupted, errno %d", op->value, errno);
	/* A hole beside it may be splitting its folio. */
	do {
		r = model.guest->pre_fault(a, &range);
	} while (r && errno == EAGAIN);
	if (!model.replacing && (!r || errno != EHWPOISON))
		fail(a, op->first, "page %u, which has failed, is pre-faulted: %d, errno %d",
		     op->first, r, errno);
	punch(op->first, 1);
}

void do_op(struct accessor *a, const struct op *op)
{
	a->retries = 0;
	switch (op->kind) {
	case PUNCH:
		punch(op->first, op->nr);
		break;
	case WRITE:
		stamp(a, op->first, op->nr, op->value);
		break;
	case READ:
		look(a, op->first, op->nr, op->expected, NULL, "in a race");
		break;
	case CONVERT:
		convert(op->first, op->nr, op->value);
		break;
	case ALLOCATE:
		gmem_allocate(model.gmem_fd, op->first * SZ_4K, op->nr * SZ_4K);
		break;
	case PRE_FAULT:
		pre_fault(a, op->first, op->nr);
		break;
	case SPLIT:
		model.guest->split(a, op->first, op->nr);
		break;
	case ASK_TO_CONVERT:
		model.guest->ask(a, op->first, op->nr, op->value);
		break;
	case TOUCH:
		look(a, op->first, op->nr, NULL, NULL, NULL);
		break;
	case REPLACE_SLOT:
		replace_slot(slot_of(op->first));
		break;
	case SOFT_OFFLINE_PAGE:
		/* May fail. */
		write_string(SOFT_OFFLINE, "0x%lx", op->value * SZ_4K);
		break;
	case FAIL_PAGE:
		fail_page(a, op);
		break;
	case NR_OPS:
		break;
	}
}
