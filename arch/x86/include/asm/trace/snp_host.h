/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM snp

#if !defined(_TRACE_SNP_HOST_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_SNP_HOST_H

#include <linux/tracepoint.h>

/* Both with interrupts off. After the second one the write is repeated, or has failed. */
DECLARE_EVENT_CLASS(snp_write_in_place,
	TP_PROTO(u64 pfn, unsigned int n),
	TP_ARGS(pfn, n),

	TP_STRUCT__entry(
		__field(u64, pfn)
		__field(unsigned int, n)
	),

	TP_fast_assign(
		__entry->pfn = pfn;
		__entry->n = n;
	),

	TP_printk("pfn 0x%llx n %u", __entry->pfn, __entry->n)
);

DEFINE_EVENT(snp_write_in_place, snp_write_waits,
	TP_PROTO(u64 pfn, unsigned int n),
	TP_ARGS(pfn, n)
);

DEFINE_EVENT(snp_write_in_place, snp_write_goes_on,
	TP_PROTO(u64 pfn, unsigned int n),
	TP_ARGS(pfn, n)
);

#endif /* _TRACE_SNP_HOST_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH asm/trace/
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE snp_host

/* This part must be outside protection */
#include <trace/define_trace.h>
