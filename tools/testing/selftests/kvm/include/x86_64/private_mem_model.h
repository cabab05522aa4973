/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of a guest with a model of its content: a guest_memfd that is bound in two
 * parts, and the shared memory of the same gfns. How the guest accesses it depends on its
 * VM type.
 */
#ifndef SELFTEST_KVM_PRIVATE_MEM_MODEL_H
#define SELFTEST_KVM_PRIVATE_MEM_MODEL_H

#include "private_mem_watch.h"

#define PAGES_PER_CHUNK	512
#define NR_CHUNKS	4
#define NR_PAGES	(NR_CHUNKS * PAGES_PER_CHUNK)
#define MODEL_FILE_SIZE	(NR_PAGES * SZ_4K)
#define WORDS_PER_PAGE	(SZ_4K / sizeof(uint64_t))

#ifndef EHWPOISON
#define EHWPOISON	133
#endif

/* Possible values of the words of a page: one value, or more after a contest. */
struct content {
	uint64_t values[3];
	unsigned int nr;
};

/* The first and the last word of a page. */
struct words {
	uint64_t word[2];
};

struct model_page {
	bool private;
	struct content file;	/* what the guest sees if it is private; 0 is a new page */
	struct content host;	/* what it sees if it is shared */
	uint64_t must_be;	/* written to one of the two; 0 if nothing was */
	struct words seen_file;	/* at the last comparison */
	struct words seen_host;
};

/* Makes one access at a time; each thread has its own, with its vCPU. */
struct accessor {
	int cpu;
	bool has_no_vcpu;
	uint64_t accesses;
	uint64_t retries;
	char failure[200];	/* the first one; nothing is done after it */
	unsigned int failed_page;
};

/* All pages of one access are in the same slot, and at most PAGES_PER_CHUNK. */
struct model_guest {
	/*
	 * Have the guest write @value to the first page, @value + 1 to the next one, etc.
	 */
	void (*stamp)(struct accessor *a, unsigned int first, unsigned int nr, uint64_t value);
	/* Have it read both words of each page. */
	void (*look)(struct accessor *a, unsigned int first, unsigned int nr, struct words *words);
	int (*pre_fault)(struct accessor *a, struct kvm_pre_fault_memory *range);
	/* For all VMs of the guest. */
	int (*set_slot)(struct private_slot *slot, bool present);
	void (*set_private)(unsigned int first, unsigned int nr, bool private);
	/* The pfn of a new private page. */
	uint64_t (*find_pfn)(struct accessor *a, unsigned int page);

	/* NULL if the guest survives accesses to pages that it has not validated: */
	void (*punched)(unsigned int first, unsigned int nr);
	void (*split)(struct accessor *a, unsigned int first, unsigned int nr);
	void (*ask)(struct accessor *a, unsigned int first, unsigned int nr, bool private);
};

struct model {
	const struct model_guest *guest;
	int gmem_fd;
	uint64_t *host_words;
	/* The second part can be anywhere: see model_reset(). */
	struct private_slot slots[2];
	struct model_page *pages;	/* NR_PAGES */
	/* Slots may be deleted for a while; pages may have failed. */
	bool replacing;
	bool failing;
};

extern struct model model;

void set_content(struct content *content, uint64_t value);
void add_content(struct content *content, uint64_t value);
/* The content that the guest sees at @page. */
struct content *content_of(unsigned int page);
bool all_private(unsigned int first, unsigned int nr);

/* The first part of the file is bound to @slot at @gpa, the second one to the next slot. */
void model_setup(const struct model_guest *guest, uint32_t slot, uint64_t gpa);
/* Use the file of a new guest. */
void model_use_file(int gmem_fd);
/* Make all of it empty and shared; bind the second part of the file to @gpa. */
void model_reset(uint64_t gpa);
void model_free(void);

struct private_slot *slot_of(unsigned int page);
uint64_t gpa_of(unsigned int page);

void fail(struct accessor *a, unsigned int page, const char *fmt, ...)
	__printf(3, 4);
/* True if the vCPU may leave KVM_RUN like that and can be run again. */
bool may_exit(struct accessor *a, struct kvm_run *run, int r, int err);
/* Have the guest write: @value to the first page, @value + 1 to the next one, etc. */
void stamp(struct accessor *a, unsigned int first, unsigned int nr, uint64_t value);
/*
 * Compare what the guest sees with @expected, and store both words in @got; each may be
 * NULL.
 */
void look(struct accessor *a, unsigned int first, unsigned int nr,
	  const struct content *expected, struct words *got, const char *when);
void pre_fault(struct accessor *a, unsigned int first, unsigned int nr);
void convert(unsigned int first, unsigned int nr, bool private);
void punch(unsigned int first, unsigned int nr);

/*
 * Compare pages with the model, with their mappings and after zapping them. Decides
 * contests.
 */
void compare(struct accessor *a, unsigned int first, unsigned int nr);

/* --- Operations of threads on pages ---------------------------------------------------- */

#define CORRUPT_PFN	"/sys/kernel/debug/hwpoison/corrupt-pfn"
#define SOFT_OFFLINE	"/sys/devices/system/memory/soft_offline_page"

enum op_kind {
	PUNCH, WRITE, READ, CONVERT, ALLOCATE, PRE_FAULT,	/* on the thread's own pages */
	SPLIT, ASK_TO_CONVERT,					/* the same, done by the guest */
	TOUCH, REPLACE_SLOT, SOFT_OFFLINE_PAGE, FAIL_PAGE,	/* no content changes */
	NR_OPS,
};

struct op {
	enum op_kind kind;
	unsigned int first;
	unsigned int nr;
	uint64_t value;		/* what is written; private or shared; pfn */
	struct content *expected;
};

extern const char * const op_names[NR_OPS];

/* The result that the model expects of the op, after all earlier ones, and its effect. */
void model_op(struct op *op);
void do_op(struct accessor *a, const struct op *op);

#endif /* SELFTEST_KVM_PRIVATE_MEM_MODEL_H */
