/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvm

#if !defined(_TRACE_KVM_PRIVATE_MEM_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_KVM_PRIVATE_MEM_H

#include <linux/tracepoint.h>

TRACE_EVENT(kvm_mem_attributes_set,
	TP_PROTO(struct kvm *kvm, gfn_t start, gfn_t end, u64 attributes),
	TP_ARGS(kvm, start, end, attributes),

	TP_STRUCT__entry(
		__field(int, pid)
		__field(u64, start)
		__field(u64, end)
		__field(u64, attributes)
	),

	TP_fast_assign(
		__entry->pid = kvm->userspace_pid;
		__entry->start = start;
		__entry->end = end;
		__entry->attributes = attributes;
	),

	TP_printk("vm %d gfn [0x%llx, 0x%llx) attributes 0x%llx",
		  __entry->pid, __entry->start, __entry->end, __entry->attributes)
);

TRACE_EVENT(kvm_private_fault,
	TP_PROTO(int vcpu_id, gfn_t gfn, u64 pfn, u64 error_code, int level, int ret),
	TP_ARGS(vcpu_id, gfn, pfn, error_code, level, ret),

	TP_STRUCT__entry(
		__field(int, vcpu_id)
		__field(u64, gfn)
		__field(u64, pfn)
		__field(u64, error_code)
		__field(int, level)
		__field(int, ret)
	),

	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->gfn = gfn;
		__entry->pfn = pfn;
		__entry->error_code = error_code;
		__entry->level = level;
		__entry->ret = ret;
	),

	TP_printk("vcpu %d gfn 0x%llx pfn 0x%llx error_code 0x%llx level %d ret %d",
		  __entry->vcpu_id, __entry->gfn, __entry->pfn, __entry->error_code,
		  __entry->level, __entry->ret)
);

DECLARE_EVENT_CLASS(kvm_gmem_range,
	TP_PROTO(unsigned long ino, pgoff_t start, pgoff_t end),
	TP_ARGS(ino, start, end),

	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(pgoff_t, start)
		__field(pgoff_t, end)
	),

	TP_fast_assign(
		__entry->ino = ino;
		__entry->start = start;
		__entry->end = end;
	),

	TP_printk("ino %lu index [0x%lx, 0x%lx)",
		  __entry->ino, __entry->start, __entry->end)
);

DEFINE_EVENT(kvm_gmem_range, kvm_gmem_punch,
	TP_PROTO(unsigned long ino, pgoff_t start, pgoff_t end),
	TP_ARGS(ino, start, end)
);

DEFINE_EVENT(kvm_gmem_range, kvm_gmem_memory_failure,
	TP_PROTO(unsigned long ino, pgoff_t start, pgoff_t end),
	TP_ARGS(ino, start, end)
);

DECLARE_EVENT_CLASS(kvm_gmem_page,
	TP_PROTO(unsigned long ino, pgoff_t index, gfn_t gfn, u64 pfn, unsigned int order, int ret),
	TP_ARGS(ino, index, gfn, pfn, order, ret),

	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(pgoff_t, index)
		__field(u64, gfn)
		__field(u64, pfn)
		__field(unsigned int, order)
		__field(int, ret)
	),

	TP_fast_assign(
		__entry->ino = ino;
		__entry->index = index;
		__entry->gfn = gfn;
		__entry->pfn = pfn;
		__entry->order = order;
		__entry->ret = ret;
	),

	TP_printk("ino %lu index 0x%lx gfn 0x%llx pfn 0x%llx order %u ret %d",
		  __entry->ino, __entry->index, __entry->gfn, __entry->pfn,
		  __entry->order, __entry->ret)
);

DEFINE_EVENT(kvm_gmem_page, kvm_gmem_prepare,
	TP_PROTO(unsigned long ino, pgoff_t index, gfn_t gfn, u64 pfn, unsigned int order, int ret),
	TP_ARGS(ino, index, gfn, pfn, order, ret)
);

DEFINE_EVENT(kvm_gmem_page, kvm_gmem_coalesce,
	TP_PROTO(unsigned long ino, pgoff_t index, gfn_t gfn, u64 pfn, unsigned int order, int ret),
	TP_ARGS(ino, index, gfn, pfn, order, ret)
);

TRACE_EVENT(kvm_gmem_reclaim,
	TP_PROTO(unsigned long ino, pgoff_t index, u64 pfn, unsigned int order, bool ok),
	TP_ARGS(ino, index, pfn, order, ok),

	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(pgoff_t, index)
		__field(u64, pfn)
		__field(unsigned int, order)
		__field(bool, ok)
	),

	TP_fast_assign(
		__entry->ino = ino;
		__entry->index = index;
		__entry->pfn = pfn;
		__entry->order = order;
		__entry->ok = ok;
	),

	TP_printk("ino %lu index 0x%lx pfn 0x%llx order %u %s",
		  __entry->ino, __entry->index, __entry->pfn, __entry->order,
		  __entry->ok ? "reclaimed" : "leaked")
);

#endif /* _TRACE_KVM_PRIVATE_MEM_H */

#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE kvm_private_mem

#include <trace/define_trace.h>
