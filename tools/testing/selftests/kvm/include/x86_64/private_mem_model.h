/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of a guest with a model of what is in it: a file of guest_memfd, bound in two
 * parts to a software-protected VM, and the shared memory beside it.
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
	struct content file;	/* what the guest has if it's private */
	struct content host;	/* and if it's shared */
	uint64_t must_be;	/* written, to one of the two; 0 if nothing was */
	struct words seen_file;	/* when it was compared for the last time */
	struct words seen_host;
};

/* One access to the memory after the other; each thread has its own, with its vCPU. */
struct accessor {
	struct kvm_vcpu *vcpu;
	uint64_t accesses;
	uint64_t retries;
	char failure[200];	/* the first one; nothing is done after that */
	unsigned int failed_page;
};

struct model {
	struct kvm_vm *vm;
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

void model_setup(struct kvm_vm *vm);
/* Empty and shared; the second part of the file is bound to @gpa. */
void model_reset(uint64_t gpa);
void model_free(void);

struct private_slot *slot_of(unsigned int page);
uint64_t gpa_of(unsigned int page);

void fail(struct accessor *a, unsigned int page, const char *fmt, ...)
	__printf(3, 4);
/* Have the guest write: @value to the first page, and one more to each of the next ones. */
void stamp(struct accessor *a, unsigned int first, unsigned int nr, uint64_t value);
/* Compare what the guest has with @expected, and store both words in @got; each may be NULL. */
void look(struct accessor *a, unsigned int first, unsigned int nr,
	  const struct content *expected, struct words *got, const char *when);
void pre_fault(struct accessor *a, unsigned int first, unsigned int nr);
void convert(unsigned int first, unsigned int nr, bool private);

/* Pages with the model: as they are mapped, and mapped anew.  Contests are decided then. */
void compare(struct accessor *a, unsigned int first, unsigned int nr);

/* --- Ops that threads do to pages ------------------------------------------------------ */

#define CORRUPT_PFN	"/sys/kernel/debug/hwpoison/corrupt-pfn"
#define SOFT_OFFLINE	"/sys/devices/system/memory/soft_offline_page"

enum op_kind {
	PUNCH, WRITE, READ, CONVERT, ALLOCATE, PRE_FAULT,	/* on pages of one's own */
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
