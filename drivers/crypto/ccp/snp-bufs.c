// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEV-SNP: the buffers of firmware commands
 *
 * Once SNP is initialized, the firmware writes only to firmware-owned pages. This
 * applies to the commands of SEV and SEV-ES guests, too. See sev-cmd-table.c for what
 * each command writes:
 *
 *  - its own buffer,
 *  - a buffer that a member of it points to. The firmware gets a copy, since the
 *    buffer may share its pages with other data,
 *  - a page of KVM, which is written in place,
 *  - memory of an SEV guest, which is written in place.
 *
 * Memory of an SEV guest is user memory that anybody may write to, in any context.
 * Writers wait until it is hypervisor-owned again, so the command must not wait for
 * them: interrupts are off, nothing sleeps, and the mailbox is polled. The number of
 * pages is limited to keep that short.
 *
 * Pages that are firmware-owned already remain so.
 */
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/rcupdate.h>
#include <linux/pfn.h>
#include <linux/psp-sev.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include <asm/snp_host.h>

#include "sev-cmd-table.h"
#include "sev-dev.h"
#include "sev-mailbox.h"
#include "sev-snp.h"
#include "snp-bufs.h"

static u64 snp_fw_get_u64(const void *buf, u16 off)
{
	u64 val;

	memcpy(&val, buf + off, sizeof(val));
	return val;
}

static u32 snp_fw_get_u32(const void *buf, u16 off)
{
	u32 val;

	memcpy(&val, buf + off, sizeof(val));
	return val;
}

/*
 * What a command is going to have written at @paddr: the caller's length, and
 * for a copy at most what any answer of the firmware needs.
 */
u32 snp_fw_buf_len(const struct snp_buf_desc *d, const void *cmd_buf)
{
	u32 len = d->len_off ? snp_fw_get_u32(cmd_buf, d->len_off) : d->fixed_len;

	if (d->kind == SNP_BUF_COPY)
		len = min_t(u32, len, SEV_FW_BLOB_MAX_SIZE);
	return len;
}

/* What to copy back of @had bytes: never more than there were. */
u32 snp_fw_copy_back_len(u32 had, u32 now)
{
	return min(had, now);
}

/* Pages of 4 KiB that [@paddr, @paddr + @len) touches; 0 if it wraps around */
unsigned long snp_fw_buf_pages(u64 paddr, u32 len)
{
	if (!len || paddr + len < paddr || paddr + len + PAGE_SIZE < paddr)
		return 0;
	return PFN_UP(paddr + len) - PFN_DOWN(paddr);
}

static int snp_fw_mark_kernel_locked(struct sev_device *sev, struct snp_fw_buf *l)
{
	unsigned long npages = snp_fw_buf_pages(l->paddr, l->len);

	return npages ? snp_fw_mark_pages_locked(sev, PFN_DOWN(l->paddr), npages) : -EINVAL;
}

/*
 * Pages of devices, and rings that the kernel writes to in NMIs, can be mapped by users
 * as well: only anonymous memory and that of files is written in place. The page is pinned.
 */
static bool snp_fw_may_mark(u64 pfn)
{
	struct address_space *mapping;
	unsigned long entry;
	bool ret = false;

	if (!pfn_valid(pfn) || is_zone_device_page(pfn_to_page(pfn)))
		return false;
	/* The page may leave its file, which is freed by RCU then. */
	rcu_read_lock();
	entry = (unsigned long)READ_ONCE(page_folio(pfn_to_page(pfn))->mapping);
	if (entry & PAGE_MAPPING_FLAGS) {
		ret = entry & PAGE_MAPPING_ANON;
	} else if (entry) {
		mapping = (struct address_space *)entry;
		ret = mapping->host && S_ISREG(mapping->host->i_mode);
	}
	rcu_read_unlock();
	return ret;
}

/*
 * User memory that can't be reclaimed is leaked and unmapped. What has it pinned still
 * writes to it by the kernel's own mapping, which gets another page.
 *
 * Print no message before the end: a console's owner may wait for the memory.
 */
static int snp_fw_end_in_place_locked(struct sev_device *sev, u64 pfn, unsigned long npages)
{
	unsigned long i, lost = 0;
	bool dead = psp_dead;

	/* The command may have taken all of its own time. */
	sev->snp_in_place_until = ktime_get_mono_fast_ns() + SNP_IN_PLACE_END_NS;
	snp_fw_reclaim_pages_locked(sev, pfn, npages, &lost);
	for_each_set_bit(i, &lost, npages)
		snp_lose_user_page(pfn + i, i);
	snp_in_place_end();
	local_irq_enable();

	if (psp_dead && !dead)
		dev_err(sev->dev, "SNP_PAGE_RECLAIM timed out, disabling PSP\n");
	for_each_set_bit(i, &lost, npages)
		snp_leak_pages(pfn + i, 1);
	if (!lost)
		return 0;
	snp_unmap_lost_pages();
	return -EIO;
}

/* May sleep, but if it succeeds interrupts are off until snp_fw_end_in_place_locked(). */
static int snp_fw_mark_in_place_locked(struct sev_device *sev, struct snp_fw_cmd *c,
				       struct snp_fw_buf *l)
{
	unsigned long i, marked, npages = snp_fw_buf_pages(l->paddr, l->len);
	u64 pfn = PFN_DOWN(l->paddr);
	int ret;

	BUILD_BUG_ON(SNP_IN_PLACE_PAGES > BITS_PER_LONG);
	if (!npages || npages > SNP_IN_PLACE_PAGES)
		return -EINVAL;
	ret = snp_in_place_prepare(npages);
	if (ret)
		return ret;
	for (i = 0; i < npages; i++) {
		if (!snp_fw_may_mark(pfn + i))
			return -EFAULT;
	}
	ret = rmp_split_direct_map(pfn, npages);
	if (ret)
		return ret;

	local_irq_disable();
	sev->snp_in_place_until = ktime_get_mono_fast_ns() + SNP_IN_PLACE_NS -
				  SNP_IN_PLACE_END_NS;
	snp_in_place_begin(pfn, npages);
	ret = snp_fw_try_mark_pages_locked(pfn, npages, &marked);
	if (ret)
		snp_fw_end_in_place_locked(sev, pfn, marked);
	else
		c->in_place = true;
	return ret;
}

static int snp_fw_mark_copy_locked(struct sev_device *sev, struct snp_fw_buf *l)
{
	void *cmd_buf = sev->cmd_buf;
	u64 pa;
	int ret;

	l->page = snp_fw_alloc_buffer(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, l->len);
	if (!l->page)
		return -ENOMEM;
	ret = snp_fw_mark_pages_locked(sev, page_to_pfn(l->page), 1UL << get_order(l->len));
	if (ret) {
		snp_fw_free_buffer_locked(sev, l->page, l->len);
		return ret;
	}
	pa = __psp_pa(page_address(l->page));
	memcpy(cmd_buf + l->addr_off, &pa, sizeof(pa));
	if (l->len_off)
		memcpy(cmd_buf + l->len_off, &l->len, sizeof(l->len));
	return 0;
}

static int snp_fw_mark_buf_locked(struct sev_device *sev, struct snp_fw_cmd *c,
				  const struct snp_buf_desc *d)
{
	struct snp_fw_buf *l = &c->bufs[c->n];
	struct snp_rmp_state state;
	int ret;

	*l = (struct snp_fw_buf) {
		.paddr = snp_fw_get_u64(sev->cmd_buf, d->addr_off),
		.len = snp_fw_buf_len(d, sev->cmd_buf),
		.kind = d->kind,
		.addr_off = d->addr_off,
		.len_off = d->len_off,
	};
	/* Without a buffer a command asks for a length. */
	if (!l->paddr || !l->len)
		return 0;
	/* The caller may have a page for the answer that is the firmware's. */
	if (l->kind == SNP_BUF_COPY && !snp_read_rmp(PHYS_PFN(__sme_clr(l->paddr)), &state) &&
	    state.assigned && state.immutable && !state.asid)
		return 0;
	if (l->kind == SNP_BUF_COPY) {
		ret = snp_fw_mark_copy_locked(sev, l);
	} else {
		l->paddr = __sme_clr(l->paddr);
		ret = l->kind == SNP_BUF_KERNEL ? snp_fw_mark_kernel_locked(sev, l) :
						  snp_fw_mark_in_place_locked(sev, c, l);
	}
	if (!ret)
		c->n++;
	return ret;
}

static int snp_fw_reclaim_buf_locked(struct sev_device *sev, struct snp_fw_cmd *c,
				     struct snp_fw_buf *l, bool success)
{
	void *cmd_buf = sev->cmd_buf;

	if (l->kind == SNP_BUF_KERNEL)
		return snp_fw_reclaim_pages_locked(sev, PFN_DOWN(l->paddr),
						   snp_fw_buf_pages(l->paddr, l->len), NULL);
	if (l->kind == SNP_BUF_IN_PLACE) {
		c->in_place = false;
		return snp_fw_end_in_place_locked(sev, PFN_DOWN(l->paddr),
						  snp_fw_buf_pages(l->paddr, l->len));
	}
	if (success) {
		u32 now = l->len_off ? snp_fw_get_u32(cmd_buf, l->len_off) : l->len;

		memcpy(phys_to_virt(__sme_clr(l->paddr)), page_address(l->page),
		       snp_fw_copy_back_len(l->len, now));
	}
	memcpy(cmd_buf + l->addr_off, &l->paddr, sizeof(l->paddr));
	snp_fw_free_buffer_locked(sev, l->page, l->len);
	return 0;
}

static int snp_fw_mark_own_locked(struct sev_device *sev, struct snp_fw_cmd *c)
{
	int ret;

	c->own = snp_fw_alloc_buffer(GFP_KERNEL | __GFP_ZERO, PAGE_SIZE);
	if (!c->own)
		return -ENOMEM;
	memcpy(page_address(c->own), sev->cmd_buf, c->buf_len);
	ret = snp_fw_mark_pages_locked(sev, page_to_pfn(c->own), 1);
	if (ret) {
		__free_page(c->own);
		c->own = NULL;
		return ret;
	}
	c->pa = __psp_pa(page_address(c->own));
	return 0;
}

/*
 * Make what the firmware writes for @cmd firmware-owned. The command's buffer of @buf_len
 * bytes is in sev->cmd_buf. Returns 0, and the caller has to call
 * snp_fw_bufs_end_locked(); or an error, and nothing has changed but sev->cmd_buf.
 */
int snp_fw_bufs_begin_locked(struct sev_device *sev, struct snp_fw_cmd *c, int cmd,
			     unsigned int buf_len)
{
	const struct sev_cmd_desc *d;
	unsigned int i;
	int ret = 0;

	lockdep_assert_held(&sev_cmd_mutex);
	*c = (struct snp_fw_cmd) { .pa = __psp_pa(sev->cmd_buf), .buf_len = buf_len };
	d = sev->snp_initialized ? sev_cmd_desc(cmd) : NULL;
	if (!d)
		return 0;
	for (i = 0; i < ARRAY_SIZE(d->bufs) && !ret; i++) {
		if (d->bufs[i].kind != SNP_BUF_NONE)
			ret = snp_fw_mark_buf_locked(sev, c, &d->bufs[i]);
	}
	/* Last: it has the addresses of the others. */
	if (!ret && d->writes_own)
		ret = snp_fw_mark_own_locked(sev, c);
	if (ret)
		snp_fw_bufs_end_locked(sev, c, false);
	return ret;
}

/*
 * Reclaim the buffers, and leave the answer in sev->cmd_buf and, if @success, in the
 * buffers that the command points to. Returns -EIO if memory of a guest was leaked.
 */
int snp_fw_bufs_end_locked(struct sev_device *sev, struct snp_fw_cmd *c, bool success)
{
	int ret = 0;

	if (c->own) {
		memcpy(sev->cmd_buf, page_address(c->own), c->buf_len);
		snp_fw_free_buffer_locked(sev, c->own, PAGE_SIZE);
		c->own = NULL;
	}
	while (c->n) {
		if (snp_fw_reclaim_buf_locked(sev, c, &c->bufs[--c->n], success))
			ret = -EIO;
	}
	return ret;
}
