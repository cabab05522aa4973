/*
 * Intel TDX platform: what the files of the P-SEAMLDR share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_INTEL_TDX_SEAMLDR_H
#define HW_I386_INTEL_TDX_SEAMLDR_H

#include "qemu/bswap.h"
#include "intel-tdx-internal.h"

#define LDR_PAGE            4096
#define LDR_MAX_PAGES       496
#define LDR_VENDOR          0x8086

/* RAX afterwards */
#define LDR_SUCCESS         0ULL
#define LDR_EBADPARAM       0x8000000000000000ULL
#define LDR_EBADCALL        0x8000000000000003ULL
#define LDR_ENOMEM          0x8000000000010002ULL
#define LDR_EUNSPECERR      0x8000000000010003ULL
#define LDR_EUNSUPCPU       0x8000000000010004ULL
#define LDR_EBADSIG         0x8000000000020000ULL
#define LDR_EBADHASH        0x8000000000020001ULL

/* To compare what the host passes: ldl_le_p() has a sign. */
static inline uint32_t ldr_u32(const uint8_t *p)
{
    return ldl_le_p(p);
}

/* A module that is about to be installed */
typedef struct TdxLdrModule {
    bool update;                /* it can have handoff data */
    uint8_t mrseam[TDX_HASH_SIZE];
    uint16_t svn;
    uint8_t *ram;               /* what SEAMRR is to contain */
} TdxLdrModule;

/*
 * intel-tdx-sigstruct.c: the page with SEAM_SIGSTRUCT, and the module's pages,
 * which are copies of the host's. Fills in what is to be known of the module.
 */
uint64_t intel_tdx_check_sigstruct(IntelTdxState *s, const uint8_t *sigstruct,
                                   const GByteArray *image, TdxLdrModule *m);

#endif
