/* SPDX-License-Identifier: GPL-2.0-only */
/* SEV-SNP: the list of page ranges that SNP_INIT_EX takes */
#ifndef __SNP_RANGES_H__
#define __SNP_RANGES_H__

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/pfn.h>
#include <linux/psp-sev.h>

/* The list has one page. */
#define SNP_RANGES_MAX	((PAGE_SIZE - sizeof(struct sev_data_range_list)) / \
			 sizeof(struct sev_data_range))

struct snp_range_list {
	struct sev_data_range_list *buf;
	unsigned int max;
	u64 hole_start, hole_end;	/* never in the list; end exclusive */
};

/* Add the pages [@first, @end), both page frame numbers */
static inline int snp_ranges_add_pfns(struct snp_range_list *l, u64 first, u64 end)
{
	while (first < end) {
		u64 n = min_t(u64, end - first, U32_MAX);
		struct sev_data_range *r;

		if (l->buf->num_elements >= l->max)
			return -E2BIG;
		r = &l->buf->ranges[l->buf->num_elements++];
		r->base = PFN_PHYS(first);
		r->page_count = n;
		r->rsvd = 0;
		first += n;
	}
	return 0;
}

/*
 * Add every page that the bytes from @start to @last, inclusive, touch, but for
 * those of the hole. Returns 0, or -E2BIG if the list is full.
 */
static inline int snp_ranges_add(struct snp_range_list *l, u64 start, u64 last)
{
	u64 first = PFN_DOWN(start), end = PFN_DOWN(last) + 1;
	u64 hole_first = PFN_DOWN(l->hole_start), hole_end = PFN_UP(l->hole_end);
	int ret;

	if (hole_end <= first || end <= hole_first)
		return snp_ranges_add_pfns(l, first, end);
	ret = first < hole_first ? snp_ranges_add_pfns(l, first, hole_first) : 0;
	if (!ret && hole_end < end)
		ret = snp_ranges_add_pfns(l, hole_end, end);
	return ret;
}

#endif /* __SNP_RANGES_H__ */
