/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of a guest with a model of what is in it: a file of guest_memfd, bound in two
 * parts, and the shared memory beside it.  How the guest accesses it is up to its VM type.
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

/* What the words of a page may be: one value, or more after a contest. */
struct content {
	uint64_t values[3];
	unsigned int nr;
};

/* The first and the last one of a page. */
struct words {
	uint64_t word[2];
};

struct model_page {
	bool private;
	struct content file;	/* what the guest has if it's private; 0 is a new page */
	struct content host;	/* and if it's shared */
	uint64_t must_be;	/* written, to one of the two; 0 if nothing was */
	struct words seen_file;	/* when it was compared for the last time */
	struct words seen_host;
};

/* One access to the memory after the other; each thread has its own, with its vCPU. */
struct accessor {
	int cpu;
	bool has_no_vcpu;
	uint64_t accesses;
	uint64_t retries;
	char failure[200];	/* the first one; nothing is done after that */
	unsigned int failed_page;
};

/* Pages of one access are in one slot, and not more than PAGES_PER_CHUNK. */
struct model_guest {
	/* Have the guest write @value to the first page, and one more to each of the next ones. */
	void (*stamp)(struct accessor *a, unsigned int first, unsigned int nr, uint64_t value);
	/* Have it read both words of each page. */
	void (*look)(struct accessor *a, unsigned int first, unsigned int nr, struct words *words);
	int (*pre_fault)(struct accessor *a, struct kvm_pre_fault_memory *range);
	/* For all VMs of the guest. */
	int (*set_slot)(struct private_slot *slot, bool present);
	void (*set_private)(unsigned int first, unsigned int nr, bool private);
	/* The pfn of a page that is private, and new. */
	uint64_t (*find_pfn)(struct accessor *a, unsigned int page);

	/* The guest dies of a page that it has not validated.  These are NULL if it doesn't: */
	void (*punched)(unsigned int first, unsigned int nr);
	void (*split)(struct accessor *a, unsigned int first, unsigned int nr);
	void (*ask)(struct accessor *a, unsigned int first, unsigned int nr, bool private);
};

struct model {
	const struct model_guest *guest;
	int gmem_fd;
	uint64_t *host_words;
	/* The second part is anywhere: see model_reset(). */
	struct private_slot slots[2];
	struct model_page *pages;	/* NR_PAGES */
	/* Slots may be gone for a while; pages may have failed. */
	bool replacing;
	bool failing;
};

extern struct model model;

void set_content(struct content *content, uint64_t value);
void add_content(struct content *content, uint64_t value);
/* What the guest has at @page. */
struct content *content_of(unsigned int page);
bool all_private(unsigned int first, unsigned int nr);

/* The first part of the file is bound to @slot at @gpa, the second one to the next slot. */
void model_setup(const struct model_guest *guest, uint32_t slot, uint64_t gpa);
/* A file for a new guest. */
void model_use_file(int gmem_fd);
/* Empty and shared; the second part of the file is bound to @gpa. */
void model_reset(uint64_t gpa);
void model_free(void);

struct private_slot *slot_of(unsigned int page);
uint64_t gpa_of(unsigned int page);

void fail(struct accessor *a, unsigned int page, const char *fmt, ...)
	__printf(3, 4);
/* May the vCPU leave KVM_RUN like that, and be run again? */
bool may_exit(struct accessor *a, struct kvm_run *run, int r, int err);
/* Have the guest write: @value to the first page, and one more to each of the next ones. */
void stamp(struct accessor *a, unsigned int first, unsigned int nr, uint64_t value);
/* Compare what the guest has with @expected, and store both words in @got; each may be NULL. */
void look(struct accessor *a, unsigned int first, unsigned int nr,
	  const struct content *expected, struct words *got, const char *when);
void pre_fault(struct accessor *a, unsigned int first, unsigned int nr);
void convert(unsigned int first, unsigned int nr, bool private);
void punch(unsigned int first, unsigned int nr);

/* Pages with the model: as they are mapped, and mapped anew.  Contests are decided then. */
void compare(struct accessor *a, unsigned int first, unsigned int nr);

/* --- Ops that threads do to pages ------------------------------------------------------ */

#define CORRUPT_PFN	"/sys/kernel/debug/hwpoison/corrupt-pfn"
#define SOFT_OFFLINE	"/sys/devices/system/memory/soft_offline_page"

enum op_kind {
	PUNCH, WRITE, READ, CONVERT, ALLOCATE, PRE_FAULT,	/* on pages of one's own */
	SPLIT, ASK_TO_CONVERT,					/* the same, by the guest */
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

/* What the op will find, if it comes after those that the model knows, and what it does. */
void model_op(struct op *op);
void do_op(struct accessor *a, const struct op *op);

#endif /* SELFTEST_KVM_PRIVATE_MEM_MODEL_H */
