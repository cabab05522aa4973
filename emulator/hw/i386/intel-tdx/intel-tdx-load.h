/*
 * Intel TDX platform: what the loaders of TDX modules share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_INTEL_TDX_LOAD_H
#define HW_I386_INTEL_TDX_LOAD_H

#include "qemu/units.h"
#include "intel-tdx-internal.h"

#define PAGE            (4 * KiB)
#define PTE_P           (1ULL << 0)
#define PTE_W           (1ULL << 1)
#define PTE_U           (1ULL << 2)
#define PTE_A           (1ULL << 5)
#define PTE_D           (1ULL << 6)
#define PTE_NX          (1ULL << 63)
#define PTE_DATA        (PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX)

/* Where the module's image is mapped */
#define SEAM_BASE       0xffff800000000000ULL
#define SEAM_IMAGE_SIZE (16 * MiB)

typedef struct TdxLoader {
    IntelTdxState *s;
    const GByteArray *image;    /* the module's file */
    uint8_t *ram;               /* SEAMRR, or what it is to contain */
    hwaddr used;                /* bytes of SEAMRR */
    hwaddr pml4;                /* offset in SEAMRR */
    bool full;
    bool pic;                   /* the image is position-independent */
    uint64_t entry, image_end;  /* linear addresses */
    uint64_t dynamic, dynamic_size;     /* offset in the image */
} TdxLoader;

/* Memory of SEAMRR, by offset: sets l->full if it is used up. */
hwaddr tdx_load_alloc(TdxLoader *l, uint64_t size);
hwaddr tdx_load_table(TdxLoader *l, uint64_t va, uint64_t user);
void tdx_load_map(TdxLoader *l, uint64_t va, hwaddr offset, uint64_t size,
                  uint64_t flags);

/* intel-tdx-load-pic.c: all but the image and its mapping */
bool tdx_load_pic(TdxLoader *l, Error **errp);

#endif
