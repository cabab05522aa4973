/*
 * Intel TDX platform: what the P-SEAMLDR checks of a module
 *
 * On hardware a signature of Intel's stands for a module. Nobody has the key
 * here, so no signature can be right, and one that is there is refused. What
 * SEAM_SIGSTRUCT says has to hold: the hash of the module's pages, the
 * processors that it is for, and that the module's SVN is not lower than that
 * of the one before. Numbers that the module itself has to know (of stacks,
 * TDMRs and so on) are not used: the layout is that of intel-tdx-load.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "elf.h"
#include "intel-tdx-seamldr.h"

/* SEAM_SIGSTRUCT */
#define SIG_TYPE            0
#define SIG_LENGTH          4       /* of the header, and of all: in words */
#define SIG_VERSION         8
#define SIG_MODULE_TYPE     12
#define SIG_VENDOR          16
#define SIG_DATE            20
#define SIG_SIZE            24
#define SIG_KEY_SIZE        28
#define SIG_MODULUS_SIZE    32
#define SIG_EXPONENT_SIZE   36
#define SIG_RESERVED        40
#define SIG_MODULUS         128
#define SIG_HASH            900
#define SIG_SVN             948
#define SIG_ATTRIBUTES      950
#define SIG_HV              984
#define SIG_MIN_UPDATE_HV   986
#define SIG_HANDOFF_PAGES   990
#define SIG_CPUIDS          1024
#define SIG_CPUID           1028
#define SIG_MAX_CPUIDS      255
#define SIG_BYTES           2048

QEMU_BUILD_BUG_ON(SIG_CPUID + 4 * SIG_MAX_CPUIDS != SIG_BYTES);

static const struct {
    unsigned int offset;
    uint32_t val;
} sig_header[] = {
    { SIG_TYPE, 6 },
    { SIG_LENGTH, 0xe1 },
    { SIG_VERSION, 0x10000 },
    { SIG_MODULE_TYPE, 0 },     /* no module for debugging */
    { SIG_VENDOR, LDR_VENDOR },
    { SIG_SIZE, SIG_BYTES / 4 },
    { SIG_KEY_SIZE, 0x60 },
    { SIG_MODULUS_SIZE, 0x60 },
    { SIG_EXPONENT_SIZE, 1 },
};

/* Header of handoff data, which the module has left at their start */
#define HANDOFF_MAGIC       "TDX-HAND"
#define HANDOFF_VERSION     8
#define HANDOFF_SIZE        12

/* yyyymmdd in BCD, more or less */
static bool sig_date_ok(uint32_t date)
{
    int i;

    for (i = 0; i < 8; i++) {
        if ((date >> (4 * i) & 0xf) > 9) {
            return false;
        }
    }
    return (date >> 8 & 0xff) <= 0x12 && (date & 0xff) <= 0x31 &&
           (date >> 8 & 0xff) && (date & 0xff);
}

static bool sig_format_ok(const uint8_t *sig)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(sig_header); i++) {
        if (ldr_u32(sig + sig_header[i].offset) != sig_header[i].val) {
            return false;
        }
    }
    /* No modulus, exponent and signature */
    return sig_date_ok(ldr_u32(sig + SIG_DATE)) &&
           buffer_is_zero(sig + SIG_RESERVED, SIG_MODULUS - SIG_RESERVED) &&
           buffer_is_zero(sig + SIG_MODULUS, SIG_HASH - SIG_MODULUS) &&
           !ldq_le_p(sig + SIG_ATTRIBUTES) &&
           ldr_u32(sig + SIG_CPUIDS) <= SIG_MAX_CPUIDS;
}

static bool sig_has_cpu(const uint8_t *sig, uint32_t cpuid)
{
    uint32_t n = ldr_u32(sig + SIG_CPUIDS), i;

    for (i = 0; i < n; i++) {
        if (ldr_u32(sig + SIG_CPUID + 4 * i) == cpuid) {
            return true;
        }
    }
    return false;
}

/* The module before this one has ended, and has left what this one takes. */
static uint64_t sig_check_update(IntelTdxState *s, const uint8_t *sig)
{
    const uint8_t *data = memory_region_get_ram_ptr(&s->seamrr);
    uint32_t version;

    data += TDX_HANDOFF_OFFSET;
    if (!s->ready || memcmp(data, HANDOFF_MAGIC, strlen(HANDOFF_MAGIC))) {
        return LDR_EBADCALL;
    }
    version = ldr_u32(data + HANDOFF_VERSION);
    if (version > lduw_le_p(sig + SIG_HV) ||
        version < lduw_le_p(sig + SIG_MIN_UPDATE_HV)) {
        return LDR_EBADSIG;
    }
    if (ldr_u32(data + HANDOFF_SIZE) >
        lduw_le_p(sig + SIG_HANDOFF_PAGES) * LDR_PAGE ||
        s->nr_db == TDX_DB_ENTRIES) {
        return LDR_ENOMEM;
    }
    return LDR_SUCCESS;
}

/* Position-independent modules would need more than SEAM_SIGSTRUCT has. */
static bool sig_module_ok(const GByteArray *image)
{
    const Elf64_Ehdr *eh = (const Elf64_Ehdr *)image->data;

    QEMU_BUILD_BUG_ON(sizeof(*eh) > LDR_PAGE);
    return le16_to_cpu(eh->e_type) == ET_EXEC;
}

uint64_t intel_tdx_check_sigstruct(IntelTdxState *s, const uint8_t *sig,
                                   const GByteArray *image, TdxLdrModule *m)
{
    if (!sig_format_ok(sig)) {
        return LDR_EBADSIG;
    }
    if (!sig_has_cpu(sig, s->ldr.cpuid)) {
        return LDR_EUNSUPCPU;
    }
    m->svn = lduw_le_p(sig + SIG_SVN);
    if (s->nr_db && m->svn < s->db[s->nr_db - 1].svn) {
        return LDR_EBADSIG;
    }
    /* Of the module's pages, and not its file, which may end before the last */
    intel_tdx_sha384(image->data, image->len, m->mrseam);
    if (memcmp(m->mrseam, sig + SIG_HASH, TDX_HASH_SIZE)) {
        return LDR_EBADHASH;
    }
    if (!sig_module_ok(image)) {
        return LDR_EUNSPECERR;
    }
    if (lduw_le_p(sig + SIG_HANDOFF_PAGES) * LDR_PAGE > TDX_HANDOFF_SIZE) {
        return LDR_ENOMEM;
    }
    return m->update ? sig_check_update(s, sig) : LDR_SUCCESS;
}
