/*
 * Intel TDX platform: what its files share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_INTEL_TDX_INTERNAL_H
#define HW_I386_INTEL_TDX_INTERNAL_H

#include "hw/i386/intel-tdx.h"

typedef struct TdxRange {
    hwaddr base, size;
} TdxRange;

struct IntelTdxState {
    char *module;               /* file */
    GByteArray *image;          /* its content */
    MemoryRegion seamrr;        /* RAM that only SEAM mode sees */
    MemoryRegion abort;         /* what everybody else sees there */
    MemoryRegion system;        /* alias of system memory */
    MemoryRegion seam_memory;
    unsigned int nr_lps, nr_packages;
    TdxRange cmr[2];            /* convertible memory */
    bool ready;                 /* the module is loaded */
    uint8_t report_key[TDX_REPORT_KEY_SIZE];
    uint8_t mrseam[TDX_HASH_SIZE];      /* of the module's file */
    void **transfer;            /* for each logical processor */
};

/*
 * intel-tdx-report.c: the file of the module, if there is one, is known. With
 * KEY_FILE, the key is the one that is kept there.
 */
bool intel_tdx_report_init(IntelTdxState *s, const char *key_file,
                           Error **errp);

/* intel-tdx-load.c: false if the module does not fit or is no module. */
bool intel_tdx_load(IntelTdxState *s, Error **errp);

#endif
