/*
 * AMD SEV-SNP platform: creation, and state that all CPUs agree on
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "cpu.h"
#include "exec/exec-all.h"
#include "hw/boards.h"
#include "hw/i386/x86.h"
#include "system/reset.h"
#include "hw/i386/e820_memory_layout.h"
#include "hw/misc/rule-list.h"
#include "amd-snp-internal.h"

static AmdSnpState *the_snp;

AmdSnpState *amd_snp(void)
{
    return the_snp;
}

static const char *const rule_name[SNP_RULE__MAX] = {
#define SNP_RULE(id, name) [SNP_RULE_##id] = name,
#include "hw/i386/amd-snp-rules.h.inc"
#undef SNP_RULE
};

bool amd_snp_rule(AmdSnpState *s, AmdSnpRule rule)
{
    return !test_bit(rule, s->ignored);
}

bool amd_snp_ignore_rules(AmdSnpState *s, const char *names, Error **errp)
{
    return rule_list_parse(names, rule_name, SNP_RULE__MAX, "x-snp-ignore",
                           s->ignored, errp);
}

/*
 * What firmware (the BIOS) does on a real machine: reserve memory for the RMP
 * at the top of RAM, and report to the operating system that it is reserved.
 */
static bool place_rmp(AmdSnpState *s, Error **errp)
{
    hwaddr top = s->high_size ? 4 * GiB + s->high_size : s->low_size;
    hwaddr covered = s->rmp_memory ? MIN(s->rmp_memory, top) : top;
    hwaddr size = RMP_BOOKKEEPING +
                  (covered >> SNP_PAGE_SHIFT) * RMP_ENTRY_SIZE;
    /* The last 16 MiB below 4 GiB have the BIOS's own tables. */
    hwaddr limit = s->high_size ? top : top - 16 * MiB;

    size = ROUND_UP(size, SNP_LARGE_SIZE);
    if (limit < size + 64 * MiB ||
        (s->high_size && s->high_size < size)) {
        error_setg(errp, "x-snp: not enough memory for the RMP");
        return false;
    }
    s->rmp_base = ROUND_DOWN(limit - size, SNP_LARGE_SIZE);
    if (s->rmp_edges) {
        s->rmp_base -= SNP_LARGE_SIZE / 2;
    }
    s->rmp_end = s->rmp_base + size - 1;
    e820_add_entry(s->rmp_base, size, E820_RESERVED);
    return true;
}

static void alloc_tables(AmdSnpState *s, hwaddr top)
{
    s->nr_pages = (s->low_size + s->high_size) >> SNP_PAGE_SHIFT;
    s->pages = g_new0(SnpPage, s->nr_pages);
    s->large_cached = g_new0(uint32_t, (top >> SNP_LARGE_SHIFT) + 1);
    s->vmsa_busy = bitmap_new(s->nr_pages);
    s->vmsa_known = bitmap_new(s->nr_pages);
    s->vmsa_writers = g_new0(uint64_t, s->nr_pages);
    s->wbinvd_due = bitmap_new(s->nr_cpus);
    s->asid_key = g_new0(uint32_t, s->nr_asids);
    s->asid_valid = bitmap_new(s->nr_asids);
}

bool amd_snp_machine_init(MachineState *ms, MemoryRegion *ram, hwaddr low_size,
                          hwaddr high_size, Error **errp)
{
    hwaddr top = high_size ? 4 * GiB + high_size : low_size;
    AmdSnpState *s = the_snp;

    if (!s) {
        return true;
    }
    if (!ram->ram_block || low_size + high_size != memory_region_size(ram)) {
        error_setg(errp, "x-snp: the machine's RAM has to be one block "
                   "(no memory per NUMA node)");
        return false;
    }
    s->ram = memory_region_get_ram_ptr(ram);
    s->ram_addr = memory_region_get_ram_addr(ram);
    s->low_size = low_size;
    s->high_size = high_size;
    s->nr_cpus = ms->smp.max_cpus;
    alloc_tables(s, top);
    snp_ciphertext_init(s, OBJECT(ms), top);
    return snp_lines_init(s, errp) && place_rmp(s, errp);
}

static void snp_reset(void *opaque)
{
    AmdSnpState *s = opaque;
    hwaddr i;

    if (!s->pages) {
        return;
    }
    /* A reset generates new keys: everything that was encrypted is lost. */
    for (i = 0; i < s->nr_pages; i++) {
        amd_mem_page(s, i << SNP_PAGE_SHIFT < s->low_size ?
                     i << SNP_PAGE_SHIFT :
                     4 * GiB + (i << SNP_PAGE_SHIFT) - s->low_size,
                     AMD_MEM_KEY_NONE);
    }
    snp_lines_reset(s);
    memset(s->asid_key, 0, s->nr_asids * sizeof(*s->asid_key));
    bitmap_zero(s->asid_valid, s->nr_asids);
    bitmap_zero(s->vmsa_busy, s->nr_pages);
    bitmap_zero(s->wbinvd_due, s->nr_cpus);
    s->initialized = false;
    s->enabled = false;
    s->cur_base = s->rmp_base;
    s->cur_end = s->rmp_end;
    s->range_valid = true;
    s->next_key = AMD_MEM_KEY_SME + 1;
}

AmdSnpState *amd_snp_create(uint32_t nr_asids)
{
    AmdSnpState *s = the_snp;

    if (!s) {
        s = the_snp = g_new0(AmdSnpState, 1);
        qemu_mutex_init(&s->lock);
        qemu_mutex_init(&s->rmp_lock);
        s->epoch = 1;
        s->next_key = AMD_MEM_KEY_SME + 1;
        s->nr_asids = nr_asids;
        qemu_register_reset(snp_reset, s);
    }
    return s;
}

void amd_snp_place_rmp(AmdSnpState *s, uint64_t memory, bool edges)
{
    s->rmp_memory = memory;
    s->rmp_edges = edges;
}

void amd_snp_bios_rmp(AmdSnpState *s, uint64_t *base, uint64_t *end)
{
    *base = s->rmp_base;
    *end = s->rmp_end;
}

/*
 * Called with rmp_lock held: otherwise, CPUs that set their MSRs at the same
 * time would each see the old MSRs of the other, and the last one to store the
 * result would win.
 */
static void msrs_changed(AmdSnpState *s)
{
    CPUX86State *first = cpu_env(first_cpu);
    bool enabled = true, agree = true;
    CPUState *cs;

    CPU_FOREACH(cs) {
        const CPUX86State *env = cpu_env(cs);

        enabled &= !!(env->snp.syscfg & SYSCFG_SNPEN);
        agree &= env->snp.rmp_base == first->snp.rmp_base &&
                 env->snp.rmp_end == first->snp.rmp_end;
    }
    s->cur_base = first->snp.rmp_base;
    s->cur_end = first->snp.rmp_end;
    s->range_valid = agree && s->cur_base < s->cur_end;
    s->enabled = enabled;
    snp_flush_tlbs(s);
}

void amd_snp_set_msr(AmdSnpState *s, uint64_t *reg, uint64_t val)
{
    QEMU_LOCK_GUARD(&s->rmp_lock);
    *reg = val;
    msrs_changed(s);
}

void amd_snp_msrs_restored(AmdSnpState *s)
{
    QEMU_LOCK_GUARD(&s->rmp_lock);
    msrs_changed(s);
}

void amd_snp_disable(AmdSnpState *s)
{
    CPUState *cs;

    QEMU_LOCK_GUARD(&s->rmp_lock);
    CPU_FOREACH(cs) {
        cpu_env(cs)->snp.syscfg &= ~(SYSCFG_SNPEN | SYSCFG_VMPLEN);
    }
    msrs_changed(s);
}

bool amd_snp_enabled(AmdSnpState *s)
{
    return s->enabled;
}

bool amd_snp_initialized(AmdSnpState *s)
{
    return s->initialized;
}

void amd_snp_set_initialized(AmdSnpState *s, bool initialized)
{
    s->initialized = initialized;
    snp_flush_tlbs(s);
}

bool amd_snp_hsave_clear(AmdSnpState *s)
{
    CPUState *cs;

    CPU_FOREACH(cs) {
        if (cpu_env(cs)->vm_hsave) {
            return false;
        }
    }
    return true;
}

bool amd_snp_syscfg_all(AmdSnpState *s, uint64_t bits)
{
    CPUState *cs;

    CPU_FOREACH(cs) {
        if (bits & ~cpu_env(cs)->snp.syscfg) {
            return false;
        }
    }
    return true;
}

bool amd_snp_msrs_agree(AmdSnpState *s)
{
    const CPUX86State *first = cpu_env(first_cpu);
    CPUState *cs;

    CPU_FOREACH(cs) {
        const CPUX86State *env = cpu_env(cs);

        if (env->snp.syscfg != first->snp.syscfg ||
            env->snp.hwcr != first->snp.hwcr ||
            memcmp(env->mtrr_fixed, first->mtrr_fixed,
                   sizeof(env->mtrr_fixed))) {
            return false;
        }
    }
    return true;
}

void amd_snp_manage_asids(AmdSnpState *s)
{
    s->asids_managed = true;
}

void amd_snp_set_asid_valid(AmdSnpState *s, uint32_t asid, bool valid)
{
    if (asid < s->nr_asids && valid) {
        set_bit_atomic(asid, s->asid_valid);
    } else if (asid < s->nr_asids) {
        clear_bit_atomic(asid, s->asid_valid);
    }
}

bool amd_snp_asid_valid(AmdSnpState *s, uint32_t asid)
{
    return !s->asids_managed ||
           (asid < s->nr_asids && test_bit(asid, s->asid_valid));
}

void amd_snp_wbinvd(AmdSnpState *s, int cpu_index)
{
    clear_bit_atomic(cpu_index, s->wbinvd_due);
    amd_mem_lines_write_back(s, cpu_index);
}

void amd_snp_need_wbinvd(AmdSnpState *s)
{
    CPUState *cs;

    CPU_FOREACH(cs) {
        set_bit_atomic(cs->cpu_index, s->wbinvd_due);
    }
}

bool amd_snp_wbinvd_done(AmdSnpState *s)
{
    return bitmap_empty(s->wbinvd_due, s->nr_cpus);
}

/* Bits of vmsa_writers: the hypervisor on one CPU, and guests on any */
#define WRITER(cpu_index) (1ULL << ((cpu_index) % 63))
#define WRITER_GUEST      (1ULL << 63)

/*
 * A page is in use from now on: no translation may be left that allows writes
 * to it. Those of the hypervisor on this CPU may stay, as it does not run while
 * the page is in use. If the page has never been in use before, there may be
 * any.
 */
static void drop_writers(AmdSnpState *s, int64_t index)
{
    uint64_t own = s->nr_cpus <= 63 ? WRITER(current_cpu->cpu_index) : 0;

    if (!test_bit(index, s->vmsa_known) ||
        (qatomic_read(&s->vmsa_writers[index]) & ~own)) {
        qatomic_set(&s->vmsa_writers[index], 0);
        set_bit_atomic(index, s->vmsa_known);
        snp_flush_tlbs(s);
    }
}

bool amd_snp_inuse_write_ok(AmdSnpState *s, hwaddr spa, int cpu_index,
                            bool guest)
{
    int64_t index = snp_page_index(s, spa);
    uint64_t writer = guest ? WRITER_GUEST : WRITER(cpu_index);

    if (index < 0 || !test_bit(index, s->vmsa_known)) {
        return true;
    }
    /* One of us sees what the other has set. */
    qatomic_or(&s->vmsa_writers[index], writer);
    smp_mb(); /* drop_writers() */
    return !test_bit(index, s->vmsa_busy);
}

bool amd_snp_vmsa_acquire(AmdSnpState *s, hwaddr spa)
{
    int64_t index = snp_page_index(s, spa);
    unsigned long mask, old;

    if (index < 0) {
        return false;
    }
    mask = BIT_MASK(index);
    old = qatomic_fetch_or(&s->vmsa_busy[BIT_WORD(index)], mask);
    if (!(old & mask) && s->enabled &&
        amd_snp_rule(s, SNP_RULE_INUSE_WRITE)) {
        drop_writers(s, index);
    }
    /* Translations with 2 MiB pages must not allow writes any more. */
    if (!(old & mask) && !(spa & (SNP_LARGE_SIZE - 1)) && s->enabled &&
        amd_snp_rule(s, SNP_RULE_INUSE_LARGE)) {
        snp_flush_tlbs(s);
    }
    return !(old & mask) || !amd_snp_rule(s, SNP_RULE_VMRUN_VMSA_INUSE);
}

void amd_snp_vmsa_release(AmdSnpState *s, hwaddr spa)
{
    clear_bit_atomic(snp_page_index(s, spa), s->vmsa_busy);
}

bool amd_snp_vmsa_busy(AmdSnpState *s, hwaddr spa, unsigned int pages)
{
    int64_t index = snp_page_index(s, spa);
    unsigned long end;

    if (index < 0) {
        return false;
    }
    end = MIN(index + pages, s->nr_pages);
    return find_next_bit(s->vmsa_busy, end, index) < end;
}

bool amd_snp_large_busy(AmdSnpState *s, hwaddr spa)
{
    return amd_snp_rule(s, SNP_RULE_INUSE_LARGE) &&
           amd_snp_vmsa_busy(s, spa & ~(SNP_LARGE_SIZE - 1), 1);
}
