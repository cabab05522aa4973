/*
 * AMD SEV-SNP platform: what CPUs, firmware and IOMMU share
 *
 * The platform exists once in a machine whose CPUs have x-snp=on. It owns
 * two things: access to the Reverse Map Table (RMP), which lives in the
 * machine's own memory, and the memory encryption keys.
 *
 * Keys: no cipher is modelled. Each 4 KiB page of RAM is tagged with the key
 * under which its bytes were last stored; the bytes in RAM are plaintext under
 * that key. An access with another key first re-tags the page and XORs it with
 * both keys' noise, which is what decrypting with the wrong key looks like:
 * noise that depends on keys and physical address, and is undone by going back.
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
 * Create it, or return the one there is: at a CPU's realization. The machine
 * then says where its RAM is (once, one block: @low_size bytes from 0, the rest
 * from 4 GiB), and memory is set aside for the RMP.
 */
AmdSnpState *amd_snp_create(uint32_t nr_asids);
bool amd_snp_machine_init(MachineState *ms, MemoryRegion *ram, hwaddr low_size,
                          hwaddr high_size, Error **errp);

/* RMP_BASE and RMP_END as the BIOS leaves them at reset. */
void amd_snp_bios_rmp(AmdSnpState *s, uint64_t *base, uint64_t *end);

/*
 * A CPU sets its SYSCFG, RMP_BASE or RMP_END, which is *@reg. What all CPUs
 * agree on is found out in the same step, with respect to other CPUs.
 */
void amd_snp_set_msr(AmdSnpState *s, uint64_t *reg, uint64_t val);
/* The MSRs of a CPU have been restored behind an INIT. */
void amd_snp_msrs_restored(AmdSnpState *s);

/* Is the page at @spa RAM? */
bool amd_mem_is_ram(AmdSnpState *s, hwaddr spa);

/* Memory encryption */

#define AMD_MEM_KEY_NONE  0     /* C-bit clear: plaintext */
#define AMD_MEM_KEY_SME   1     /* the host's own key */

/* A fresh key (VEK), never used before. */
uint32_t amd_mem_new_key(AmdSnpState *s);

/*
 * Forget @key: every page still tagged with it becomes noise under
 * AMD_MEM_KEY_NONE.
 */
void amd_mem_destroy_key(AmdSnpState *s, uint32_t key);

/* The key that accesses with the C-bit use under @asid; NONE if not active. */
void amd_mem_set_asid_key(AmdSnpState *s, uint32_t asid, uint32_t key);
uint32_t amd_mem_asid_key(AmdSnpState *s, uint32_t asid);

/*
 * ASIDs that VMRUN takes for encrypted guests: all of them, unless there is
 * firmware, which then makes them valid and invalid again.
 */
void amd_snp_manage_asids(AmdSnpState *s);
void amd_snp_set_asid_valid(AmdSnpState *s, uint32_t asid, bool valid);
bool amd_snp_asid_valid(AmdSnpState *s, uint32_t asid);

/*
 * Access physical memory with a key. Not subject to RMP checks. @spa may be
 * unaligned and the range may span pages. Returns false, with nothing done,
 * if the range is not all RAM.
 */
bool amd_mem_read(AmdSnpState *s, hwaddr spa, void *buf, size_t len,
                  uint32_t key);
bool amd_mem_write(AmdSnpState *s, hwaddr spa, const void *buf, size_t len,
                   uint32_t key);

/*
 * The page at @spa in the host's memory, as plaintext under @key until it is
 * accessed with another one; NULL if it is not RAM.
 */
void *amd_mem_page(AmdSnpState *s, hwaddr spa, uint32_t key);

/*
 * What an access without key sees of RAM, read-only. Unlike an access it leaves
 * the tags of pages alone, so that nobody who uses a page with its key notices.
 */
AddressSpace *amd_mem_ciphertext(AmdSnpState *s);

/*
 * The same with writes, which are checked one by one: what is assigned by then
 * is not written. It cannot be mapped, so devices write when they are done.
 */
AddressSpace *amd_mem_dma(AmdSnpState *s);

/*
 * A CPU is about to use the page at @spa with @key and to keep the translation
 * in its TLB, through a large page of the host if @host_large. To be called
 * before the RMP is looked at, so that a change of its entry either is seen or
 * sees the page in use. Does nothing for what is not RAM.
 */
void amd_mem_tlb_use(AmdSnpState *s, hwaddr spa, uint32_t key, bool host_large);

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

/* Of the pages that the IOMMU writes on its own, which are no command's */
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

/* Where the RMP is: RMP_BASE and RMP_END, as all CPUs have it; false if not. */
bool amd_rmp_range(AmdSnpState *s, hwaddr *base, hwaddr *end);

/* Is @spa in memory that the RMP has an entry for? */
bool amd_rmp_covered(AmdSnpState *s, hwaddr spa);

/*
 * The entry of exactly the 4 KiB page at @spa, as stored: in a 2 MiB page the
 * entry of its first 4 KiB holds the state, the other 511 do not.
 * False if not covered.
 */
bool amd_rmp_get_raw(AmdSnpState *s, hwaddr spa, AmdRmpEntry *e);

/*
 * The entry that governs @spa: the one of the enclosing 2 MiB page if that is
 * assigned as 2 MiB (then with the gpa of that page's start), else its own.
 */
bool amd_rmp_get(AmdSnpState *s, hwaddr spa, AmdRmpEntry *e);

/*
 * Store an entry for the page at @spa and drop every translation of it from
 * every TLB. A 2 MiB entry covers 512 pages, and an unassigned one of that
 * size clears them all.
 *
 * Giving a page back to the hypervisor (assigned 1 to 0) leaves it as noise
 * under AMD_MEM_KEY_NONE.
 *
 * Context: a vCPU's own thread, or with all vCPUs stopped (exclusive context).
 */
void amd_rmp_set(AmdSnpState *s, hwaddr spa, const AmdRmpEntry *e);

/*
 * The same for all 4 KiB pages from @spa to @end, exclusive, that have an entry
 * and none of which has been assigned. Context: exclusive.
 */
void amd_rmp_fill(AmdSnpState *s, hwaddr spa, hwaddr end,
                  const AmdRmpEntry *e);

/* Is any page assigned to @asid? What the CPUs count in the RMP's beginning. */
bool amd_rmp_asid_has_pages(AmdSnpState *s, uint32_t asid);

/*
 * The parts of amd_rmp_set() for instructions, which look at an entry and
 * change it in one step with respect to other CPUs: store() under the lock says
 * whether the page has gone back to the hypervisor; then, after unlocking,
 * release() turns its contents into noise. No other call that may have to stop
 * the CPUs, nor an exception, while the lock is held.
 */
void amd_rmp_lock(AmdSnpState *s);
void amd_rmp_unlock(AmdSnpState *s);
bool amd_rmp_store(AmdSnpState *s, hwaddr spa, const AmdRmpEntry *e);
void amd_rmp_release(AmdSnpState *s, hwaddr spa, uint8_t page_size);
/*
 * RMPUPDATE or PSMASH, with the RMP locked: is the entry in use by another
 * processor, for the moment? A number that says which time this is, or 0.
 */
uint32_t amd_rmp_contended(AmdSnpState *s);
/* RMPUPDATE has succeeded; with the RMP locked. For the audit. */
void amd_rmp_count_update(AmdSnpState *s);

/* Store an entry of the same size that only grants more than the old one. */
void amd_rmp_grant(AmdSnpState *s, hwaddr spa, const AmdRmpEntry *e);

/* Is any 4 KiB page of the 2 MiB around @spa assigned? */
bool amd_rmp_any_assigned(AmdSnpState *s, hwaddr spa);

/* Split the 2 MiB entry at @spa into 512 of 4 KiB in the same state. */
void amd_rmp_smash(AmdSnpState *s, hwaddr spa);

/*
 * VMRUN holds VMCB, VMSA and host save area in use until #VMEXIT: acquire()
 * fails if another vCPU does. busy() asks for any of @pages pages.
 */
bool amd_snp_vmsa_acquire(AmdSnpState *s, hwaddr spa);
void amd_snp_vmsa_release(AmdSnpState *s, hwaddr spa);
bool amd_snp_vmsa_busy(AmdSnpState *s, hwaddr spa, unsigned int pages);

/*
 * An erratum: to a write through a page of 2 MiB, the whole of it is in use if
 * its first 4 KiB are.
 */
bool amd_snp_large_busy(AmdSnpState *s, hwaddr spa);

/*
 * The SNP firmware has completed SNP_INIT: from then on RMP checks hold, and
 * DMA is checked as well.
 */
void amd_snp_set_initialized(AmdSnpState *s, bool initialized);
bool amd_snp_initialized(AmdSnpState *s);

/*
 * ASIDs whose cached data and translations are not flushed yet. The CPUs
 * record what WBINVD and DF_FLUSH have to cover:
 * amd_snp_wbinvd() notes that @cpu_index has written back its caches,
 * amd_snp_need_wbinvd() marks all CPUs (DEACTIVATE, DECOMMISSION do),
 * amd_snp_wbinvd_done() says whether each has done so since.
 */
void amd_snp_wbinvd(AmdSnpState *s, int cpu_index);
void amd_snp_need_wbinvd(AmdSnpState *s);
bool amd_snp_wbinvd_done(AmdSnpState *s);

/* The CPUs' MSRs that the firmware checks at SNP_INIT. Context: exclusive. */
bool amd_snp_hsave_clear(AmdSnpState *s);   /* VM_HSAVE_PA is 0 on every CPU */
bool amd_snp_syscfg_all(AmdSnpState *s, uint64_t bits); /* set on every CPU */
/* SYSCFG, HWCR and the fixed MTRRs are the same on every CPU. */
bool amd_snp_msrs_agree(AmdSnpState *s);

/* Clear SYSCFG[SecureNestedPagingEn] on every CPU. Context: exclusive. */
void amd_snp_disable(AmdSnpState *s);

/*
 * DMA by a device, as the IOMMU with SNP decides it: writes to assigned pages
 * are blocked, reads give ciphertext. If writes are allowed, the page is
 * plaintext under AMD_MEM_KEY_NONE for what follows; if not, it stays as it is,
 * and reads have to be made in amd_mem_ciphertext().
 */
bool amd_rmp_dma_writable(AmdSnpState *s, hwaddr spa);

/*
 * Architectural rules that x-snp-ignore=NAME switches off, for mutation tests;
 * the names are in hw/i386/amd-snp-rules.h.inc.
 */
typedef enum AmdSnpRule {
#define SNP_RULE(id, name) SNP_RULE_##id,
#include "hw/i386/amd-snp-rules.h.inc"
#undef SNP_RULE
    SNP_RULE__MAX,
} AmdSnpRule;

/* Switch off the rules in @names, separated by colons. */
bool amd_snp_ignore_rules(AmdSnpState *s, const char *names, Error **errp);

/* Does @rule hold, that is, was it not switched off? */
bool amd_snp_rule(AmdSnpState *s, AmdSnpRule rule);

#endif
