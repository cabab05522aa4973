/*
 * AMD SEV-SNP platform: what CPUs, firmware and IOMMU share
 *
 * There is one platform in a machine whose CPUs have x-snp=on. It manages the
 * Reverse Map Table (RMP), which is in the machine's own memory, and the memory
 * encryption keys.
 *
 * Keys: no cipher is modelled. Each 4 KiB page of RAM is tagged with the key
 * under which its bytes were last stored; the bytes in RAM are the plaintext of
 * that key. An access with another key first changes the tag of the page and
 * XORs it with pseudo-random masks of both keys. The result resembles
 * decryption with the wrong key: it depends on the keys and on the physical
 * address, and converting it back restores the content.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_AMD_SNP_H
#define HW_I386_AMD_SNP_H

#include "exec/hwaddr.h"
#include "qemu/typedefs.h"

typedef struct AmdSnpState AmdSnpState;

/* The machine's platform, or NULL if none of its CPUs has x-snp. */
AmdSnpState *amd_snp(void);

/*
 * Create the platform, or return the existing one, when a CPU is realized. The
 * machine then sets where its RAM is (once, one block: @low_size bytes from 0,
 * the rest from 4 GiB), and memory is reserved for the RMP.
 */
AmdSnpState *amd_snp_create(uint32_t nr_asids);
bool amd_snp_machine_init(MachineState *ms, MemoryRegion *ram, hwaddr low_size,
                          hwaddr high_size, Error **errp);

/*
 * Configure the BIOS, before the machine's RAM exists: it sets up an RMP for
 * @memory bytes from address 0 (0: for all memory), which begins and ends in
 * the middle of 2 MiB if @edges.
 */
void amd_snp_place_rmp(AmdSnpState *s, uint64_t memory, bool edges);

/* RMP_BASE and RMP_END as the BIOS sets them at reset. */
void amd_snp_bios_rmp(AmdSnpState *s, uint64_t *base, uint64_t *end);

/*
 * A CPU sets its SYSCFG, RMP_BASE or RMP_END, which is *@reg. Whether all CPUs
 * agree is determined atomically with respect to other CPUs.
 */
void amd_snp_set_msr(AmdSnpState *s, uint64_t *reg, uint64_t val);
/* The MSRs of a CPU have been restored after an INIT. */
void amd_snp_msrs_restored(AmdSnpState *s);

/* True if the page at @spa is RAM. */
bool amd_mem_is_ram(AmdSnpState *s, hwaddr spa);

/* Memory encryption */

#define AMD_MEM_KEY_NONE  0     /* C-bit clear: plaintext */
#define AMD_MEM_KEY_SME   1     /* the host's own key */

/* A new key (VEK) that was never used before. */
uint32_t amd_mem_new_key(AmdSnpState *s);

/*
 * Forget @key: every page that is still tagged with it reads as ciphertext
 * under AMD_MEM_KEY_NONE.
 */
void amd_mem_destroy_key(AmdSnpState *s, uint32_t key);

/* The key of accesses with the C-bit under @asid; NONE if not active. */
void amd_mem_set_asid_key(AmdSnpState *s, uint32_t asid, uint32_t key);
uint32_t amd_mem_asid_key(AmdSnpState *s, uint32_t asid);

/*
 * ASIDs that VMRUN accepts for encrypted guests: all of them, unless there is
 * firmware, which then makes them valid and invalid.
 */
void amd_snp_manage_asids(AmdSnpState *s);
void amd_snp_set_asid_valid(AmdSnpState *s, uint32_t asid, bool valid);
bool amd_snp_asid_valid(AmdSnpState *s, uint32_t asid);

/*
 * Access physical memory with a key. Not subject to RMP checks. @spa may be
 * unaligned and the range may span pages. Returns false without any access if
 * the range is not all RAM.
 */
bool amd_mem_read(AmdSnpState *s, hwaddr spa, void *buf, size_t len,
                  uint32_t key);
bool amd_mem_write(AmdSnpState *s, hwaddr spa, const void *buf, size_t len,
                   uint32_t key);

/*
 * The page at @spa in the host's memory, as plaintext of @key until it is
 * accessed with another key; NULL if it is not RAM.
 */
void *amd_mem_page(AmdSnpState *s, hwaddr spa, uint32_t key);

/*
 * RAM as an access without a key sees it, read-only. Unlike such an access, it
 * does not change the tags of pages, so that users of a page with a key are not
 * affected.
 */
AddressSpace *amd_mem_ciphertext(AmdSnpState *s);

/*
 * The same with writes, which are checked one by one: pages that are assigned
 * at that time are not written. It cannot be mapped, so devices write when they
 * are done.
 */
AddressSpace *amd_mem_dma(AmdSnpState *s);

/*
 * A CPU is about to use the page at @spa with @key and to keep the translation
 * in its TLB, through a large page of the host if @host_large. Must be called
 * before the RMP is read, so that a change of the entry is either seen or sees
 * the page in use. Does nothing if the page is not RAM.
 *
 * Returns false if the page had another key. Other CPUs may have run since
 * then, and may have converted pages that this CPU has used before.
 */
bool amd_mem_tlb_use(AmdSnpState *s, hwaddr spa, uint32_t key, bool host_large);

/*
 * Cache lines that a guest with @asid has written, and that devices do not see:
 * x-snp-stale-lines. All of this does nothing unless it is enabled, which has
 * to happen before the machine's memory is there.
 */
void amd_mem_lines_enable(AmdSnpState *s);
bool amd_mem_lines_on(AmdSnpState *s);

/*
 * A guest writes to a page of its own. Until the processor's caches are written
 * back, and its TLB flushed, this stands for later writes as well.
 */
void amd_mem_lines_store(AmdSnpState *s, hwaddr spa, uint32_t asid,
                         int cpu_index);

/*
 * A processor accesses @size bytes, which do not cross a page, with @asid or
 * with 0. Returns whether there are other lines in the page that an access
 * would clean, so that the translation must not be kept.
 */
bool amd_mem_lines_touch(AmdSnpState *s, hwaddr spa, unsigned int size,
                         uint32_t asid);

/* VM_PAGE_FLUSH, and WBINVD or WBNOINVD */
void amd_mem_lines_flush_page(AmdSnpState *s, hwaddr spa, uint32_t asid);
void amd_mem_lines_write_back(AmdSnpState *s, int cpu_index);

/* True if a dirty line will overwrite what a device writes there. */
bool amd_mem_lines_stale(AmdSnpState *s, hwaddr spa, unsigned int size);

/* RMP */

#define RMP_PG_SIZE_4K  0
#define RMP_PG_SIZE_2M  1

#define RMP_PERM_READ    (1 << 0)
#define RMP_PERM_WRITE   (1 << 1)
#define RMP_PERM_UEXEC   (1 << 2)
#define RMP_PERM_SEXEC   (1 << 3)
#define RMP_PERM_ALL     0xf
#define RMP_VMPLS        4

typedef struct AmdRmpEntry {
    uint64_t gpa;               /* page aligned */
    uint32_t asid;
    uint8_t page_size;          /* RMP_PG_SIZE_* */
    bool assigned;
    bool validated;
    bool immutable;
    bool vmsa;
    uint8_t perms[RMP_VMPLS];   /* RMP_PERM_* for VMPL 0 to 3 */
} AmdRmpEntry;

/* For pages that the IOMMU writes by itself, which no command may use */
#define AMD_RMP_GPA_IOMMU   0x0007fffffffff000ULL

/* The states of a page that the SNP firmware ABI derives from its entry. */
typedef enum AmdPageState {
    AMD_PAGE_HYPERVISOR,        /* assigned 0, immutable 0 */
    AMD_PAGE_HV_FIXED,          /* assigned 0, immutable 1 */
    AMD_PAGE_RECLAIM,           /* assigned 1, asid 0, immutable 0 */
    AMD_PAGE_FIRMWARE,          /* asid 0, immutable 1, vmsa 0, gpa 0 */
    AMD_PAGE_CONTEXT,           /* asid 0, immutable 1, vmsa 1 */
    AMD_PAGE_METADATA,          /* asid 0, immutable 1, vmsa 0, gpa not 0 */
    AMD_PAGE_IOMMU,             /* the same, gpa AMD_RMP_GPA_IOMMU */
    AMD_PAGE_PRE_GUEST,         /* asid, immutable 1, validated 0 */
    AMD_PAGE_PRE_SWAP,          /* asid, immutable 1, validated 1 */
    AMD_PAGE_GUEST_INVALID,     /* asid, immutable 0, validated 0 */
    AMD_PAGE_GUEST_VALID,       /* asid, immutable 0, validated 1 */
    AMD_PAGE__MAX,
} AmdPageState;

AmdPageState amd_rmp_page_state(const AmdRmpEntry *e);
const char *amd_page_state_name(AmdPageState state);

/* SYSCFG[SecureNestedPagingEn] is set on every CPU. */
bool amd_snp_enabled(AmdSnpState *s);

/*
 * The range of the RMP: RMP_BASE and RMP_END if all CPUs agree; false if not.
 */
bool amd_rmp_range(AmdSnpState *s, hwaddr *base, hwaddr *end);

/* True if the RMP has an entry for the page at @spa. */
bool amd_rmp_covered(AmdSnpState *s, hwaddr spa);

/*
 * The entry of exactly the 4 KiB page at @spa, as stored: for a 2 MiB page,
 * only the entry of its first 4 KiB has the state. False if not covered.
 */
bool amd_rmp_get_raw(AmdSnpState *s, hwaddr spa, AmdRmpEntry *e);

/*
 * The entry that governs @spa: that of the enclosing 2 MiB page if it is
 * assigned as 2 MiB (with the gpa of that page's start), otherwise its own.
 */
bool amd_rmp_get(AmdSnpState *s, hwaddr spa, AmdRmpEntry *e);

/*
 * Store an entry for the page at @spa and drop every translation of it from
 * every TLB. A 2 MiB entry covers 512 pages, and an unassigned one of that size
 * clears them all.
 *
 * If the page becomes hypervisor-owned (assigned 1 to 0), it reads as
 * ciphertext under AMD_MEM_KEY_NONE.
 *
 * Context: a vCPU's own thread, or with all vCPUs stopped (exclusive context).
 */
void amd_rmp_set(AmdSnpState *s, hwaddr spa, const AmdRmpEntry *e);

/*
 * The same for all 4 KiB pages from @spa to @end, exclusive, that have an entry
 * and have never been assigned. Context: exclusive.
 */
void amd_rmp_fill(AmdSnpState *s, hwaddr spa, hwaddr end,
                  const AmdRmpEntry *e);

/* True if any page is assigned to @asid. CPUs count them before entry 0. */
bool amd_rmp_asid_has_pages(AmdSnpState *s, uint32_t asid);

/*
 * The parts of amd_rmp_set() for instructions, which read and change an entry
 * atomically with respect to other CPUs: store(), with the lock held, returns
 * whether the page became hypervisor-owned; then, after unlocking, release()
 * turns its contents into ciphertext. While the lock is held, make no other
 * call that may have to stop the CPUs, and raise no exception.
 */
void amd_rmp_lock(AmdSnpState *s);
void amd_rmp_unlock(AmdSnpState *s);
bool amd_rmp_store(AmdSnpState *s, hwaddr spa, const AmdRmpEntry *e);
void amd_rmp_release(AmdSnpState *s, hwaddr spa, uint8_t page_size);
/*
 * RMPUPDATE or PSMASH, with the RMP locked: if the entry is temporarily in use
 * by another processor, returns how many attempts have met this so far,
 * otherwise 0.
 */
uint32_t amd_rmp_contended(AmdSnpState *s);
/* RMPUPDATE has succeeded; with the RMP locked. For the audit. */
void amd_rmp_count_update(AmdSnpState *s);

/* Store an entry of the same size that only adds permissions to the old one. */
void amd_rmp_grant(AmdSnpState *s, hwaddr spa, const AmdRmpEntry *e);

/* True if any 4 KiB page of the 2 MiB around @spa is assigned. */
bool amd_rmp_any_assigned(AmdSnpState *s, hwaddr spa);

/* Split the 2 MiB entry at @spa into 512 of 4 KiB in the same state. */
void amd_rmp_smash(AmdSnpState *s, hwaddr spa);

/*
 * VMRUN marks VMCB, VMSA, host save area and AVIC backing page as in use until
 * #VMEXIT: acquire() fails if another vCPU uses them. busy() checks all of
 * @pages pages.
 */
bool amd_snp_vmsa_acquire(AmdSnpState *s, hwaddr spa);
void amd_snp_vmsa_release(AmdSnpState *s, hwaddr spa);
bool amd_snp_vmsa_busy(AmdSnpState *s, hwaddr spa, unsigned int pages);

/*
 * @cpu_index is about to cache a translation through which the hypervisor or a
 * @guest can write to the page at @spa. Returns false if the page is in use:
 * the translation must not allow writes.
 */
bool amd_snp_inuse_write_ok(AmdSnpState *s, hwaddr spa, int cpu_index,
                            bool guest);

/*
 * An erratum: for a write through a 2 MiB page, all of it is in use if its
 * first 4 KiB are.
 */
bool amd_snp_large_busy(AmdSnpState *s, hwaddr spa);

/*
 * The SNP firmware has completed SNP_INIT: from now on RMP checks are enforced,
 * for DMA as well.
 */
void amd_snp_set_initialized(AmdSnpState *s, bool initialized);
bool amd_snp_initialized(AmdSnpState *s);

/*
 * ASIDs whose cached data and translations are not flushed yet. The CPUs record
 * what WBINVD and DF_FLUSH have to cover: amd_snp_wbinvd() records that
 * @cpu_index has written back its caches, amd_snp_need_wbinvd() marks all CPUs
 * (DEACTIVATE, DECOMMISSION do), amd_snp_wbinvd_done() returns whether all of
 * them have done so since.
 */
void amd_snp_wbinvd(AmdSnpState *s, int cpu_index);
void amd_snp_need_wbinvd(AmdSnpState *s);
bool amd_snp_wbinvd_done(AmdSnpState *s);

/* MSRs of the CPUs that the firmware checks in SNP_INIT. Context: exclusive. */
bool amd_snp_hsave_clear(AmdSnpState *s);   /* VM_HSAVE_PA is 0 on every CPU */
bool amd_snp_syscfg_all(AmdSnpState *s, uint64_t bits); /* set on every CPU */
/* SYSCFG, HWCR and the fixed MTRRs are the same on every CPU. */
bool amd_snp_msrs_agree(AmdSnpState *s);

/* Clear SYSCFG[SecureNestedPagingEn] on every CPU. Context: exclusive. */
void amd_snp_disable(AmdSnpState *s);

/*
 * Check DMA by a device for the IOMMU with SNP: writes to assigned pages are
 * blocked, reads return ciphertext. If writes are allowed, the page is made
 * plaintext under AMD_MEM_KEY_NONE; if not, it is not changed, and reads have
 * to use amd_mem_ciphertext().
 */
bool amd_rmp_dma_writable(AmdSnpState *s, hwaddr spa);

/*
 * Architectural rules that x-snp-ignore=NAME disables, for mutation tests; the
 * names are in hw/i386/amd-snp-rules.h.inc.
 */
typedef enum AmdSnpRule {
#define SNP_RULE(id, name) SNP_RULE_##id,
#include "hw/i386/amd-snp-rules.h.inc"
#undef SNP_RULE
    SNP_RULE__MAX,
} AmdSnpRule;

/* Disable the rules in @names, separated by colons. */
bool amd_snp_ignore_rules(AmdSnpState *s, const char *names, Error **errp);

/* True if @rule is enabled, i.e. was not disabled by x-snp-ignore. */
bool amd_snp_rule(AmdSnpState *s, AmdSnpRule rule);

#endif
