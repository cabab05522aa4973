/*
 * Intel TDX platform: what its files share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_INTEL_TDX_INTERNAL_H
#define HW_I386_INTEL_TDX_INTERNAL_H

#include "qemu/thread.h"
#include "qemu/units.h"
#include "hw/i386/intel-tdx.h"

typedef struct TdxRange {
    hwaddr base, size;
} TdxRange;

/* A page of RAM: the tag of all of its lines, or of each (intel-tdx-mem.c) */
typedef struct TdxPage {
    uint8_t *lines;
    uint32_t cached;            /* epoch in which a TLB was given it */
    uint16_t splits;            /* how often lines have got tags, modulo */
    uint8_t tag;
    bool due;                   /* a flush, and to drop its code */
} TdxPage;

/* Handoff data of a module outlive it: the end of SEAMRR, by offset */
#define TDX_HANDOFF_SIZE    (256 * KiB)
#define TDX_HANDOFF_OFFSET  (TDX_SEAMRR_SIZE - TDX_HANDOFF_SIZE)

/* SEAMDB: the modules that TDs may have had, the last one is loaded */
#define TDX_DB_ENTRIES      32

typedef struct TdxDbEntry {
    uint64_t nonce[TDX_DB_NONCE_WORDS];
    uint8_t mrseam[TDX_HASH_SIZE];
    uint16_t svn;
} TdxDbEntry;

/* The P-SEAMLDR: see intel-tdx-seamldr.c */
typedef struct TdxLdr {
    bool enabled;
    uint32_t cpuid;             /* EAX of leaf 1 */
    bool busy;                  /* a logical processor is in it; atomic */
    unsigned int nr_called;     /* of an installation; others read it, too */
    unsigned int nr_ended;
    unsigned long *called;      /* by logical processor: INSTALL */
    unsigned long *ended;       /* ... SHUTDOWN */
    uint8_t params[4 * KiB];    /* of the installation */
} TdxLdr;

/* Masks of packages */
#define TDX_MAX_PACKAGES    32

typedef struct TdxKeyid {
    uint32_t programmed;        /* these have a key for the key id */
    uint32_t cached;            /* ... may have lines of it in caches */
    bool missed;                /* it was used without a key: said once */
} TdxKeyid;

struct IntelTdxState {
    char *module;               /* file, or what messages have for it */
    GByteArray *image;          /* its content */
    char *layout;               /* content of FILE.layout, or NULL */
    MemoryRegion seamrr;        /* RAM that only SEAM mode sees */
    MemoryRegion abort;         /* what everybody else sees there */
    MemoryRegion system;        /* alias of system memory */
    MemoryRegion seam_memory;
    unsigned int nr_lps, nr_packages;
    TdxRange cmr[2];            /* convertible memory */
    bool ready;                 /* the module is loaded */
    uint8_t report_key[TDX_REPORT_KEY_SIZE];
    uint8_t mrseam[TDX_HASH_SIZE];      /* of the module's file */
    /* Changes at a reset, or when no CPU is in SEAM mode and all are stopped */
    TdxDbEntry db[TDX_DB_ENTRIES];
    unsigned int nr_db;
    TdxLdr ldr;
    void **transfer;            /* for each logical processor */
    TdxKeyid keyid[TDX_KEYIDS];
    uint32_t *flushed;          /* blocks of each package's caches */
    uint32_t ignored;           /* rules */
    MemoryRegion *ram_region;
    uint8_t *ram;
    ram_addr_t ram_addr;
    hwaddr low_size, high_size;
    TdxPage *pages;
    uint64_t nr_pages;
    QemuMutex lock;             /* tags of pages and lines, and due_pages */
    uint32_t epoch;             /* begins with a flush of all TLBs */
    bool flush_due;
    GArray *due_pages;          /* indexes, for that flush */
    MemoryRegion view;          /* lines as another key id sees them */
};

static inline bool intel_tdx_rule(const IntelTdxState *s, TdxRule rule)
{
    return likely(!(s->ignored & (1u << rule)));
}

/*
 * intel-tdx-report.c: the file of the module, if there is one, is known. With
 * KEY_FILE, the key is the one that is kept there.
 */
bool intel_tdx_report_init(IntelTdxState *s, const char *key_file,
                           Error **errp);
/* TDX_HASH_SIZE bytes */
void intel_tdx_sha384(const uint8_t *data, size_t size, uint8_t *out);
/* SEAMDB has room for it. */
void intel_tdx_db_insert(IntelTdxState *s, const uint8_t *mrseam, uint16_t svn);

/* intel-tdx-keys.c: a processor uses the key id; it is not 0. */
void intel_tdx_key_use(IntelTdxState *s, unsigned int keyid, unsigned int lp);
void intel_tdx_keys_reset(IntelTdxState *s);
unsigned int intel_tdx_package(const IntelTdxState *s, unsigned int lp);

/*
 * intel-tdx-mem.c: a CPU calls FN while all others are stopped and no TLB has a
 * translation.
 */
typedef void TdxStoppedFn(IntelTdxState *s, uint64_t arg);
void intel_tdx_stopped(IntelTdxState *s, TdxStoppedFn *fn, uint64_t arg);
/* While CPUs are stopped: nobody can read what the key id has written. */
void intel_tdx_mem_drop_key(IntelTdxState *s, uint64_t keyid);
bool intel_tdx_mem_init(IntelTdxState *s, MachineState *ms, hwaddr low_size,
                        hwaddr high_size, Error **errp);
void intel_tdx_mem_reset(IntelTdxState *s);

/* intel-tdx-load.c: false if the module does not fit or is no module. */
bool intel_tdx_load(IntelTdxState *s, Error **errp);
/* The same, but to RAM that is zero and becomes what SEAMRR is to contain */
bool intel_tdx_build(IntelTdxState *s, const GByteArray *image, uint8_t *ram,
                     Error **errp);
/* CPUs are stopped, or do not run yet: their code of it is dropped. */
void intel_tdx_seamrr_changed(IntelTdxState *s);

/* intel-tdx-seamldr.c */
void intel_tdx_loader_reset(IntelTdxState *s);
/* True during an installation: nobody can call the module. */
bool intel_tdx_loader_installs(IntelTdxState *s);

#endif
