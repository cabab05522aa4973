/*
 * Intel TDX: the platform of the emulated TDX machine
 *
 * The processor has SEAM mode, see target/i386/tcg/system/seam.c. This is what
 * all processors share: SEAMRR, key ids, and what the loader leaves behind.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_INTEL_TDX_H
#define HW_I386_INTEL_TDX_H

#include "exec/hwaddr.h"
#include "exec/memory.h"

/* Key ids are the topmost bits of a 52-bit physical address. */
#define TDX_KEYID_BITS          6
#define TDX_KEYID_SHIFT         46
#define TDX_KEYID_MASK          MAKE_64BIT_MASK(TDX_KEYID_SHIFT, TDX_KEYID_BITS)
#define TDX_SHARED_KEYIDS       31      /* without key id 0 */
#define TDX_PRIVATE_KEYIDS      32
#define TDX_FIRST_PRIVATE_KEYID (TDX_SHARED_KEYIDS + 1)
#define TDX_KEYIDS              (1 << TDX_KEYID_BITS)

/* "SEAM Range Registers": the last 32 MiB below the key ids */
#define TDX_SEAMRR_SIZE         (32ULL << 20)
#define TDX_SEAMRR_BASE         ((1ULL << TDX_KEYID_SHIFT) - TDX_SEAMRR_SIZE)

/* WBINVDP and WBNOINVDP flush the caches in as many steps. */
#define TDX_CACHE_BLOCKS        8

/* Results of PCONFIG, "MKTME_KEY_PROGRAM" */
typedef enum TdxKeyResult {
    TDX_KEY_OK = 0,
    TDX_KEY_INVALID_COMMAND = 1,
    TDX_KEY_INVALID_KEYID = 3,
    TDX_KEY_INVALID_ALGORITHM = 4,
} TdxKeyResult;

/* Rules of key ids that can be disabled */
typedef enum TdxRule {
    TDX_RULE_HOST_READ,
    TDX_RULE_HOST_WRITE,
    TDX_RULE_OWNER,
    TDX_RULE_PARTIAL,
    TDX_RULE_ALIAS,
    TDX_RULE_PROGRAM,
    TDX_RULE_CONFIGURED,
    TDX_RULE_WRITE_BACK,
    TDX_RULE_DMA,
    TDX_RULE_PARTIAL_WRITE,
} TdxRule;

/* An access of a processor, which does not cross the end of a page */
typedef struct TdxMemAccess {
    hwaddr pa;                  /* with key id */
    unsigned int size;
    unsigned int lp;
    bool write;
} TdxMemAccess;

typedef enum TdxMemResult {
    TDX_MEM_CACHE,              /* to RAM, and a TLB may have the page */
    TDX_MEM_ONCE,               /* to RAM, only this access */
    TDX_MEM_STORE,              /* to intel_tdx_mem_view(), only this access */
    TDX_MEM_VIEW,               /* to intel_tdx_mem_view(), only this access */
    TDX_MEM_POISON,             /* ... and what it reads is poisoned */
} TdxMemResult;

/* Reports: REPORTMACSTRUCT, and all that SEAMREPORT stores */
#define TDX_REPORTMAC_SIZE      256
#define TDX_REPORT_SIZE         512
#define TDX_REPORT_DATA_SIZE    64
#define TDX_REPORT_KEY_SIZE     32
#define TDX_HASH_SIZE           48      /* SHA-384 */
/* SEAMDB: what makes the reference to an entry hard to guess */
#define TDX_DB_NONCE_WORDS      4

/* Results of SEAMOPS, "SEAMVERIFYREPORT" */
typedef enum TdxReportResult {
    TDX_REPORT_OK = 0,
    TDX_REPORT_INVALID_CPUSVN = 4,
    TDX_REPORT_INVALID = 5,
} TdxReportResult;

typedef struct IntelTdxState IntelTdxState;

static inline bool intel_tdx_in_seamrr(hwaddr pa)
{
    return pa - TDX_SEAMRR_BASE < TDX_SEAMRR_SIZE;
}

/* The platform of the machine; the first processor creates it. */
IntelTdxState *intel_tdx_create(const char *module, const char *report_key,
                                Error **errp);
/* The machine's memory is known. Without a platform, nothing is done. */
bool intel_tdx_machine_init(MachineState *ms, hwaddr low_size,
                            hwaddr high_size, Error **errp);
/* Memory as SEAM mode sees it */
MemoryRegion *intel_tdx_seam_memory(IntelTdxState *s);
bool intel_tdx_module_ready(IntelTdxState *s);
/* The address of a logical processor's SEAM transfer VMCS */
hwaddr intel_tdx_transfer_vmcs(IntelTdxState *s, unsigned int lp);
/*
 * What a logical processor keeps of it, to be freed by g_free(). INIT does not
 * change that, a reset of the machine drops it.
 */
void **intel_tdx_transfer_state(IntelTdxState *s, unsigned int lp);
/*
 * PCONFIG, and the caches of a logical processor's package: a block of them is
 * written back, or all of them are.
 */
TdxKeyResult intel_tdx_program_key(IntelTdxState *s, uint16_t keyid,
                                   uint32_t control, unsigned int lp);
void intel_tdx_write_back_block(IntelTdxState *s, unsigned int block,
                                unsigned int lp);
void intel_tdx_write_back(IntelTdxState *s, unsigned int lp);

/* Before the machine is complete */
void intel_tdx_ignore(IntelTdxState *s, TdxRule rule);
/*
 * Memory, by the thread of the CPU that accesses it. True if a TLB may have the
 * page. Otherwise ask whether the access is to RAM, and what it is then: a
 * store has its effect on the lines' key ids before it is done.
 */
bool intel_tdx_mem_cache(IntelTdxState *s, const TdxMemAccess *a);
bool intel_tdx_mem_is_ram(IntelTdxState *s, const TdxMemAccess *a,
                          const MemoryRegion *mr, hwaddr offset);
TdxMemResult intel_tdx_mem_use(IntelTdxState *s, const TdxMemAccess *a);
/*
 * A store of all of a line, which is RAM, has been used: false if it is not
 * done, and is like others as the page is uniform.
 */
bool intel_tdx_mem_store_line(IntelTdxState *s, hwaddr pa,
                              const uint64_t *from);
/* An access of the processor itself, within a line: without effect if plain */
bool intel_tdx_mem_plain(IntelTdxState *s, hwaddr pa);
/* After it was used, if it is to RAM */
void intel_tdx_mem_copy(IntelTdxState *s, const TdxMemAccess *a, void *buf);
/* At physical addresses, with the key id as the requester */
MemoryRegion *intel_tdx_mem_view(IntelTdxState *s);
/*
 * SEAMDB has an entry for each module since the machine was reset; the last one
 * is that of the module that runs. An index is valid below their number, which
 * does not change while a CPU is in SEAM mode.
 */
unsigned int intel_tdx_db_entries(IntelTdxState *s);
const uint64_t *intel_tdx_db_nonce(IntelTdxState *s, unsigned int index);
/* INDEX: of the module's entry that the report has */
void intel_tdx_seal_report(IntelTdxState *s, unsigned int index, uint32_t type,
                           const uint8_t *data, const uint8_t *info_hash,
                           uint8_t *report);
TdxReportResult intel_tdx_verify_report(IntelTdxState *s,
                                        const uint8_t *report);

/*
 * The P-SEAMLDR. CPUID is EAX of leaf 1; without this call, there is none.
 * ENTER is false if a logical processor is in it, or if it has ended on all of
 * them. The others are called between ENTER and LEAVE, and return RAX.
 */
#define TDX_LOADER_INFO_SIZE    256

/* Copy a page of RAM; false if some of it is poisoned */
typedef bool TdxLoaderRead(void *opaque, hwaddr pa, uint8_t *page);

void intel_tdx_loader_enable(IntelTdxState *s, uint32_t cpuid);
bool intel_tdx_loader_enter(IntelTdxState *s);
void intel_tdx_loader_leave(IntelTdxState *s);
/* PA is RAM of that size if the status is 0: the caller stores INFO there. */
uint64_t intel_tdx_loader_info(IntelTdxState *s, unsigned int lp, hwaddr pa,
                               uint8_t *info);
uint64_t intel_tdx_loader_install(IntelTdxState *s, unsigned int lp, hwaddr pa,
                                  TdxLoaderRead *read, void *opaque);
uint64_t intel_tdx_loader_shutdown(IntelTdxState *s, unsigned int lp);

#endif
