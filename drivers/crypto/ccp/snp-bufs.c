// SPDX-License-Identifier: GPL-2.0-only
/*
 * SEV-SNP: the buffers of firmware commands
 *
 * Once SNP is initialized, whatever a command has the firmware write must be in
 * pages in the Firmware state, and that is true for the commands of SEV and
 * SEV-ES guests too. The table says what each command writes:
 *
 *  - its own buffer,
 *  - a buffer that a member of it points to, and which gets a copy: it may share
 *    its pages with others,
 *  - a page of KVM's that is changed where it is,
 *  - memory of a guest that is changed where it is, and is lent to the firmware
 *    page by page.
 *
 * Memory of a guest is memory of users, which anybody may be about to write to, in
 * any context. They wait for the end of the loan, and so the end must not wait for
 * them: from its begin to its end interrupts are off, nothing sleeps, and the mailbox
 * is polled. A loan is of a few pages for that.
 *
 * Pages that are the firmware's already stay that. Not in the table is what
 * belongs to the firmware by the definition of a command: contexts, pages of
 * guests, the TMR and the buffer of INIT_EX.
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

#include "sev-dev.h"
#include "snp-bufs.h"
#include "sev-snp.h"

#define OWN	true
#define COPY(type, addr, len)						\
	{ .kind = SNP_BUF_COPY, .addr_off = offsetof(struct type, addr),	\
	  .len_off = offsetof(struct type, len) }
#define COPY_FIXED(type, addr, size)					\
	{ .kind = SNP_BUF_COPY, .addr_off = offsetof(struct type, addr),	\
	  .fixed_len = (size) }
#define KERNEL(type, addr, len)						\
	{ .kind = SNP_BUF_KERNEL, .addr_off = offsetof(struct type, addr),	\
	  .len_off = offsetof(struct type, len) }
#define IN_PLACE(type, addr, len)					\
	{ .kind = SNP_BUF_IN_PLACE, .addr_off = offsetof(struct type, addr),	\
	  .len_off = offsetof(struct type, len) }

static const struct snp_cmd_desc cmd_descs[] = {
	{ SEV_CMD_PLATFORM_STATUS, OWN },
	{ SEV_CMD_PEK_CSR, OWN, { COPY(sev_data_pek_csr, address, len) } },
	{ SEV_CMD_PDH_CERT_EXPORT, OWN,
	  { COPY(sev_data_pdh_cert_export, pdh_cert_address, pdh_cert_len),
	    COPY(sev_data_pdh_cert_export, cert_chain_address, cert_chain_len) } },
	{ SEV_CMD_GET_ID, OWN, { COPY(sev_data_get_id, address, len) } },
	{ SEV_CMD_GUEST_STATUS, OWN },
	{ SEV_CMD_LAUNCH_START, OWN },
	{ SEV_CMD_LAUNCH_UPDATE_DATA, !OWN,
	  { IN_PLACE(sev_data_launch_update_data, address, len) } },
	{ SEV_CMD_LAUNCH_UPDATE_VMSA, !OWN,
	  { KERNEL(sev_data_launch_update_vmsa, address, len) } },
	{ SEV_CMD_LAUNCH_MEASURE, OWN, { COPY(sev_data_launch_measure, address, len) } },
	{ SEV_CMD_LAUNCH_UPDATE_SECRET, !OWN,
	  { IN_PLACE(sev_data_launch_secret, guest_address, guest_len) } },
	{ SEV_CMD_ATTESTATION_REPORT, OWN,
	  { COPY(sev_data_attestation_report, address, len) } },
	{ SEV_CMD_SEND_START, OWN,
	  { COPY(sev_data_send_start, session_address, session_len) } },
	{ SEV_CMD_SEND_UPDATE_DATA, OWN,
	  { COPY(sev_data_send_update_data, hdr_address, hdr_len),
	    COPY(sev_data_send_update_data, trans_address, trans_len) } },
	{ SEV_CMD_SEND_UPDATE_VMSA, OWN,
	  { COPY(sev_data_send_update_vmsa, hdr_address, hdr_len),
	    COPY(sev_data_send_update_vmsa, trans_address, trans_len) } },
	{ SEV_CMD_RECEIVE_START, OWN },
	{ SEV_CMD_RECEIVE_UPDATE_DATA, !OWN,
	  { IN_PLACE(sev_data_receive_update_data, guest_address, guest_len) } },
	{ SEV_CMD_RECEIVE_UPDATE_VMSA, !OWN,
	  { KERNEL(sev_data_receive_update_vmsa, guest_address, guest_len) } },
	{ SEV_CMD_DBG_DECRYPT, !OWN, { COPY(sev_data_dbg, dst_addr, len) } },
	{ SEV_CMD_DBG_ENCRYPT, !OWN, { IN_PLACE(sev_data_dbg, dst_addr, len) } },
	{ SEV_CMD_SNP_PLATFORM_STATUS, !OWN,
	  { COPY_FIXED(sev_data_snp_addr, address, sizeof(struct sev_user_data_snp_status)) } },
	{ SEV_CMD_SNP_FEATURE_INFO, !OWN,
	  { COPY_FIXED(sev_data_snp_feature_info, feature_info_paddr,
		       sizeof(struct snp_feature_info)) } },
	{ SEV_CMD_SNP_GUEST_STATUS, !OWN,
	  { COPY_FIXED(sev_data_snp_guest_status, address, sizeof(struct snp_guest_status)) } },
	{ SEV_CMD_SNP_GUEST_REQUEST, !OWN,
	  { COPY_FIXED(sev_data_snp_guest_request, res_paddr, PAGE_SIZE) } },
	{ SEV_CMD_SNP_DBG_DECRYPT, !OWN,
	  { COPY_FIXED(sev_data_snp_dbg, dst_addr, PAGE_SIZE) } },
};

const struct snp_cmd_desc *snp_cmd_desc(int cmd)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmd_descs); i++) {
		if (cmd_descs[i].cmd == cmd)
			return &cmd_descs[i];
	}
	return NULL;
}

/* Length of the buffer of an SNP command, 0 for those without one */
int snp_cmd_buffer_len(int cmd)
{
	switch (cmd) {
	case SEV_CMD_SNP_INIT_EX:		return sizeof(struct sev_data_snp_init_ex);
	case SEV_CMD_SNP_SHUTDOWN_EX:		return sizeof(struct sev_data_snp_shutdown_ex);
	case SEV_CMD_SNP_PLATFORM_STATUS:
	case SEV_CMD_SNP_GCTX_CREATE:
	case SEV_CMD_SNP_DECOMMISSION:
	case SEV_CMD_SNP_PAGE_RECLAIM:
	case SEV_CMD_SNP_PAGE_UNSMASH:		return sizeof(struct sev_data_snp_addr);
	case SEV_CMD_SNP_ACTIVATE:		return sizeof(struct sev_data_snp_activate);
	case SEV_CMD_SNP_GUEST_STATUS:		return sizeof(struct sev_data_snp_guest_status);
	case SEV_CMD_SNP_GUEST_REQUEST:		return sizeof(struct sev_data_snp_guest_request);
	case SEV_CMD_SNP_LAUNCH_START:		return sizeof(struct sev_data_snp_launch_start);
	case SEV_CMD_SNP_LAUNCH_UPDATE:		return sizeof(struct sev_data_snp_launch_update);
	case SEV_CMD_SNP_LAUNCH_FINISH:		return sizeof(struct sev_data_snp_launch_finish);
	case SEV_CMD_SNP_DBG_DECRYPT:
	case SEV_CMD_SNP_DBG_ENCRYPT:		return sizeof(struct sev_data_snp_dbg);
	case SEV_CMD_SNP_PAGE_MOVE:		return sizeof(struct sev_data_snp_page_move);
	case SEV_CMD_SNP_PAGE_SET_STATE:	return sizeof(struct sev_data_snp_page_set_state);
	case SEV_CMD_SNP_CONFIG:		return sizeof(struct sev_user_data_snp_config);
	case SEV_CMD_SNP_COMMIT:		return sizeof(struct sev_data_snp_commit);
	case SEV_CMD_SNP_VLEK_LOAD:		return sizeof(struct sev_user_data_snp_vlek_load);
	case SEV_CMD_SNP_FEATURE_INFO:		return sizeof(struct sev_data_snp_feature_info);
	default:				return 0;
	}
}

static u64 get_u64(const void *buf, u16 off)
{
	u64 val;

	memcpy(&val, buf + off, sizeof(val));
	return val;
}

static u32 get_u32(const void *buf, u16 off)
{
	u32 val;

	memcpy(&val, buf + off, sizeof(val));
	return val;
}

/*
 * What a command is going to have written at @paddr: the caller's length, and
 * for a copy at most what any answer of the firmware needs.
 */
u32 snp_lent_len(const struct snp_buf_desc *d, const void *cmd_buf)
{
	u32 len = d->len_off ? get_u32(cmd_buf, d->len_off) : d->fixed_len;

	if (d->kind == SNP_BUF_COPY)
		len = min_t(u32, len, SEV_FW_BLOB_MAX_SIZE);
	return len;
}

/* What to copy back of @had bytes: never more than there were. */
u32 snp_copy_back_len(u32 had, u32 now)
{
	return min(had, now);
}

/* Pages of 4 KiB that [@paddr, @paddr + @len) touches; 0 if it wraps around */
unsigned long snp_lent_pages(u64 paddr, u32 len)
{
	if (!len || paddr + len < paddr || paddr + len + PAGE_SIZE < paddr)
		return 0;
	return PFN_UP(paddr + len) - PFN_DOWN(paddr);
}

static int lend_kernel_locked(struct sev_device *sev, struct snp_lent *l)
{
	unsigned long npages = snp_lent_pages(l->paddr, l->len);

	return npages ? snp_give_pages_locked(sev, PFN_DOWN(l->paddr), npages) : -EINVAL;
}

/*
 * Pages of devices, and rings that the kernel writes to in NMIs, can be mapped by users
 * as well: what can be lent is anonymous memory, and that of files. The page is pinned.
 */
static bool may_lend(u64 pfn)
{
	struct address_space *mapping;
	unsigned long entry;
	bool ret = false;

	if (!pfn_valid(pfn))
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
 * Memory of users that the firmware keeps. A write to it would be an RMP violation, or be
 * tried again without end where the kernel expects a page that is mapped to be writable:
 * have it unmapped, as memory that has failed is.
 */
static void lose_user_page(u64 pfn)
{
	snp_leak_pages(pfn, 1);
	if (IS_ENABLED(CONFIG_MEMORY_FAILURE))
		memory_failure_queue(pfn, 0);
}

/* Messages come after the loan: the owner of a console may be waiting for its end. */
static int end_loan_locked(struct sev_device *sev, u64 pfn, unsigned long npages)
{
	unsigned long i, lost;

	lost = snp_try_take_pages_locked(sev, pfn, npages);
	snp_lend_end();
	local_irq_enable();

	for_each_set_bit(i, &lost, npages)
		lose_user_page(pfn + i);
	return lost ? -EIO : 0;
}

/* What is done ahead of a loan may sleep; then interrupts are off until end_loan_locked(). */
static int lend_in_place_locked(struct sev_device *sev, struct snp_cmd *c, struct snp_lent *l)
{
	unsigned long i, given, npages = snp_lent_pages(l->paddr, l->len);
	u64 pfn = PFN_DOWN(l->paddr);
	int ret;

	BUILD_BUG_ON(SNP_IN_PLACE_PAGES > BITS_PER_LONG);
	if (!npages || npages > SNP_IN_PLACE_PAGES)
		return -EINVAL;
	for (i = 0; i < npages; i++) {
		if (!may_lend(pfn + i))
			return -EFAULT;
	}
	ret = rmp_split_direct_map(pfn, npages);
	if (ret)
		return ret;

	local_irq_disable();
	sev->snp_loan_end = ktime_get_mono_fast_ns() + SNP_LOAN_NS;
	snp_lend_begin(pfn, npages);
	ret = snp_try_give_pages_locked(pfn, npages, &given);
	if (ret)
		end_loan_locked(sev, pfn, given);
	else
		c->on_loan = true;
	return ret;
}

static int lend_copy_locked(struct sev_device *sev, struct snp_lent *l)
{
	void *cmd_buf = sev->cmd_buf;
	u64 pa;
	int ret;

	l->page = snp_alloc_buffer(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN, l->len);
	if (!l->page)
		return -ENOMEM;
	ret = snp_give_pages_locked(sev, page_to_pfn(l->page), 1UL << get_order(l->len));
	if (ret) {
		snp_free_buffer_locked(sev, l->page, l->len);
		return ret;
	}
	pa = __psp_pa(page_address(l->page));
	memcpy(cmd_buf + l->addr_off, &pa, sizeof(pa));
	if (l->len_off)
		memcpy(cmd_buf + l->len_off, &l->len, sizeof(l->len));
	return 0;
}

static int lend_locked(struct sev_device *sev, struct snp_cmd *c, const struct snp_buf_desc *d)
{
	struct snp_lent *l = &c->lent[c->n];
	struct snp_rmp_state state;
	int ret;

	*l = (struct snp_lent) {
		.paddr = get_u64(sev->cmd_buf, d->addr_off),
		.len = snp_lent_len(d, sev->cmd_buf),
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
		ret = lend_copy_locked(sev, l);
	} else {
		l->paddr = __sme_clr(l->paddr);
		ret = l->kind == SNP_BUF_KERNEL ? lend_kernel_locked(sev, l) :
						  lend_in_place_locked(sev, c, l);
	}
	if (!ret)
		c->n++;
	return ret;
}

static int return_locked(struct sev_device *sev, struct snp_cmd *c, struct snp_lent *l,
			 bool success)
{
	void *cmd_buf = sev->cmd_buf;

	if (l->kind == SNP_BUF_KERNEL)
		return snp_take_pages_locked(sev, PFN_DOWN(l->paddr),
					     snp_lent_pages(l->paddr, l->len));
	if (l->kind == SNP_BUF_IN_PLACE) {
		c->on_loan = false;
		return end_loan_locked(sev, PFN_DOWN(l->paddr),
				       snp_lent_pages(l->paddr, l->len));
	}
	if (success) {
		u32 now = l->len_off ? get_u32(cmd_buf, l->len_off) : l->len;

		memcpy(phys_to_virt(__sme_clr(l->paddr)), page_address(l->page),
		       snp_copy_back_len(l->len, now));
	}
	memcpy(cmd_buf + l->addr_off, &l->paddr, sizeof(l->paddr));
	snp_free_buffer_locked(sev, l->page, l->len);
	return 0;
}

static int lend_own_locked(struct sev_device *sev, struct snp_cmd *c)
{
	int ret;

	c->own = snp_alloc_buffer(GFP_KERNEL | __GFP_ZERO, PAGE_SIZE);
	if (!c->own)
		return -ENOMEM;
	memcpy(page_address(c->own), sev->cmd_buf, c->buf_len);
	ret = snp_give_pages_locked(sev, page_to_pfn(c->own), 1);
	if (ret) {
		__free_page(c->own);
		c->own = NULL;
		return ret;
	}
	c->pa = __psp_pa(page_address(c->own));
	return 0;
}

/*
 * Make ready what @cmd, whose buffer of @buf_len bytes is in sev->cmd_buf, has
 * the firmware write. Returns 0, and snp_cmd_end_locked() is due; or an error,
 * and nothing has changed but sev->cmd_buf.
 */
int snp_cmd_begin_locked(struct sev_device *sev, struct snp_cmd *c, int cmd, unsigned int buf_len)
{
	const struct snp_cmd_desc *d;
	unsigned int i;
	int ret = 0;

	lockdep_assert_held(&sev_cmd_mutex);
	*c = (struct snp_cmd) { .pa = __psp_pa(sev->cmd_buf), .buf_len = buf_len };
	d = sev->snp_initialized ? snp_cmd_desc(cmd) : NULL;
	if (!d)
		return 0;
	for (i = 0; i < ARRAY_SIZE(d->bufs) && !ret; i++) {
		if (d->bufs[i].kind != SNP_BUF_NONE)
			ret = lend_locked(sev, c, &d->bufs[i]);
	}
	/* Last: it has the addresses of the others. */
	if (!ret && d->writes_own)
		ret = lend_own_locked(sev, c);
	if (ret)
		snp_cmd_end_locked(sev, c, false);
	return ret;
}

/*
 * Take back what was lent, and leave the answer in sev->cmd_buf and, if
 * @success, in the buffers that the command points to. Returns -EIO if memory
 * of a guest had to be leaked.
 */
int snp_cmd_end_locked(struct sev_device *sev, struct snp_cmd *c, bool success)
{
	int ret = 0;

	if (c->own) {
		memcpy(sev->cmd_buf, page_address(c->own), c->buf_len);
		snp_free_buffer_locked(sev, c->own, PAGE_SIZE);
		c->own = NULL;
	}
	while (c->n) {
		if (return_locked(sev, c, &c->lent[--c->n], success))
			ret = -EIO;
	}
	return ret;
}
