/*
 * Intel TDX platform: the persistent SEAM loader (P-SEAMLDR)
 *
 * On hardware it is a program in SEAM mode; here it is a part of the processor
 * and of the platform. SEAMCALLs with bit 63 of RAX get here. Names, layouts
 * and status are those of Intel's SEAM Loader Interface Specification.
 *
 * INSTALL has to be called on all logical processors, and the last call
 * installs the module. The first one begins an installation, and no SEAMCALL
 * gets to a module from then on: as each logical processor has to leave SEAM
 * mode to call INSTALL, none is in it when SEAMRR changes. A call that fails
 * ends the installation, and what was in SEAMRR before is still there.
 *
 * Only one logical processor is in the loader; the others get VMfailInvalid
 * until it has left. All of TdxLdr belongs to it, but for what others read
 * atomically. The BQL is not held, and nothing waits but for all CPUs to stop.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bitmap.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/log.h"
#include "qapi/error.h"
#include "intel-tdx-seamldr.h"

/* SEAMLDR_INFO */
#define INFO_VENDOR         8
#define INFO_BUILD_DATE     12
#define INFO_BUILD_NUM      16
#define INFO_MINOR          18
#define INFO_MAJOR          20
#define INFO_REMAINING      28
#define INFO_VALID          32      /* SEAM_INFO */
#define INFO_TCB_SVN        40
#define INFO_MRSEAM         56
#define INFO_SEAM_READY     160
#define INFO_P_SEAM_READY   162
#define INFO_ALIGN          256

#define LDR_BUILD_DATE      0x20261201
#define LDR_MAJOR           1
#define LDR_MINOR           5
#define SEAM_INFO_VALID     0x1ff

/* SEAMLDR_PARAMS */
#define PARAMS_VERSION      0
#define PARAMS_SCENARIO     4
#define PARAMS_SIGSTRUCT    8
#define PARAMS_RESERVED     16
#define PARAMS_NR_PAGES     120
#define PARAMS_PAGES        128
#define SCENARIO_LOAD       0
#define SCENARIO_UPDATE     1

QEMU_BUILD_BUG_ON(PARAMS_PAGES + 8 * LDR_MAX_PAGES != LDR_PAGE);

void intel_tdx_loader_enable(IntelTdxState *s, uint32_t cpuid)
{
    s->ldr.enabled = true;
    s->ldr.cpuid = cpuid;
}

void intel_tdx_loader_reset(IntelTdxState *s)
{
    TdxLdr *ldr = &s->ldr;

    if (!ldr->called) {
        ldr->called = bitmap_new(s->nr_lps);
        ldr->ended = bitmap_new(s->nr_lps);
    }
    bitmap_zero(ldr->called, s->nr_lps);
    bitmap_zero(ldr->ended, s->nr_lps);
    ldr->nr_called = ldr->nr_ended = 0;
    ldr->busy = false;
}

bool intel_tdx_loader_enter(IntelTdxState *s)
{
    TdxLdr *ldr = &s->ldr;

    if (!ldr->enabled || qatomic_xchg(&ldr->busy, true)) {
        return false;
    }
    if (ldr->nr_ended == s->nr_lps) {
        intel_tdx_loader_leave(s);
        return false;
    }
    return true;
}

void intel_tdx_loader_leave(IntelTdxState *s)
{
    /* Pairs with the exchange above: the next one sees what this one did. */
    qatomic_store_release(&s->ldr.busy, false);
}

bool intel_tdx_loader_installs(IntelTdxState *s)
{
    return qatomic_read(&s->ldr.nr_called);
}

static bool ldr_in_cmr(IntelTdxState *s, hwaddr pa, uint64_t size)
{
    int i;

    for (i = 0; i < ARRAY_SIZE(s->cmr); i++) {
        if (pa >= s->cmr[i].base && size <= s->cmr[i].size &&
            pa - s->cmr[i].base <= s->cmr[i].size - size) {
            return true;
        }
    }
    return false;
}

/* A page that the host passes: convertible memory, so not in SEAMRR */
static bool ldr_page_ok(IntelTdxState *s, hwaddr pa)
{
    return QEMU_IS_ALIGNED(pa, LDR_PAGE) && ldr_in_cmr(s, pa, LDR_PAGE);
}

static bool ldr_has_ended(IntelTdxState *s, unsigned int lp)
{
    return test_bit(lp, s->ldr.ended);
}

uint64_t intel_tdx_loader_info(IntelTdxState *s, unsigned int lp, hwaddr pa,
                               uint8_t *info)
{
    if (ldr_has_ended(s, lp)) {
        return LDR_EBADCALL;
    }
    if (!QEMU_IS_ALIGNED(pa, INFO_ALIGN) ||
        !ldr_in_cmr(s, pa, TDX_LOADER_INFO_SIZE)) {
        return LDR_EBADPARAM;
    }
    memset(info, 0, TDX_LOADER_INFO_SIZE);
    stl_le_p(info + INFO_VENDOR, LDR_VENDOR);
    stl_le_p(info + INFO_BUILD_DATE, LDR_BUILD_DATE);
    stw_le_p(info + INFO_BUILD_NUM, 1);
    stw_le_p(info + INFO_MINOR, LDR_MINOR);
    stw_le_p(info + INFO_MAJOR, LDR_MAJOR);
    stl_le_p(info + INFO_REMAINING, TDX_DB_ENTRIES - s->nr_db);
    if (s->nr_db) {
        const TdxDbEntry *e = &s->db[s->nr_db - 1];

        stq_le_p(info + INFO_VALID, SEAM_INFO_VALID);
        stw_le_p(info + INFO_TCB_SVN, e->svn);
        memcpy(info + INFO_MRSEAM, e->mrseam, TDX_HASH_SIZE);
    }
    info[INFO_SEAM_READY] = intel_tdx_module_ready(s);
    info[INFO_P_SEAM_READY] = 1;
    return LDR_SUCCESS;
}

uint64_t intel_tdx_loader_shutdown(IntelTdxState *s, unsigned int lp)
{
    if (ldr_has_ended(s, lp) || s->ldr.nr_called) {
        return LDR_EBADCALL;
    }
    set_bit(lp, s->ldr.ended);
    s->ldr.nr_ended++;
    return LDR_SUCCESS;
}

static uint64_t ldr_check_params(IntelTdxState *s, const uint8_t *params)
{
    uint64_t n = ldq_le_p(params + PARAMS_NR_PAGES), i;

    if (ldr_u32(params + PARAMS_VERSION) ||
        ldr_u32(params + PARAMS_SCENARIO) > SCENARIO_UPDATE ||
        !buffer_is_zero(params + PARAMS_RESERVED,
                        PARAMS_NR_PAGES - PARAMS_RESERVED) ||
        !ldr_page_ok(s, ldq_le_p(params + PARAMS_SIGSTRUCT)) ||
        !n || n > LDR_MAX_PAGES) {
        return LDR_EBADPARAM;
    }
    for (i = 0; i < n; i++) {
        if (!ldr_page_ok(s, ldq_le_p(params + PARAMS_PAGES + 8 * i))) {
            return LDR_EBADPARAM;
        }
    }
    return LDR_SUCCESS;
}

/* All calls of an installation have the same parameters. */
static uint64_t ldr_call_params(IntelTdxState *s, hwaddr pa,
                                TdxLoaderRead *read, void *opaque)
{
    TdxLdr *ldr = &s->ldr;
    uint8_t params[LDR_PAGE];

    if (!ldr_page_ok(s, pa)) {
        return LDR_EBADPARAM;
    }
    if (!read(opaque, pa, params)) {
        return LDR_EUNSPECERR;
    }
    if (ldr->nr_called) {
        return memcmp(params, ldr->params, sizeof(params)) ? LDR_EBADPARAM :
                                                             LDR_SUCCESS;
    }
    memcpy(ldr->params, params, sizeof(params));
    return ldr_check_params(s, ldr->params);
}

/* Nothing is read again after it was checked: NULL if memory is poisoned. */
static GByteArray *ldr_read_image(const uint8_t *params, TdxLoaderRead *read,
                                  void *opaque)
{
    uint64_t n = ldq_le_p(params + PARAMS_NR_PAGES), i;
    g_autoptr(GByteArray) image = g_byte_array_new();

    g_byte_array_set_size(image, n * LDR_PAGE);
    for (i = 0; i < n; i++) {
        if (!read(opaque, ldq_le_p(params + PARAMS_PAGES + 8 * i),
                  image->data + i * LDR_PAGE)) {
            return NULL;
        }
    }
    return g_steal_pointer(&image);
}

/* CPUs are stopped, and none is in SEAM mode: see the head of this file. */
static void ldr_replace(IntelTdxState *s, uint64_t arg)
{
    const TdxLdrModule *m = (const TdxLdrModule *)(uintptr_t)arg;
    uint8_t *ram = memory_region_get_ram_ptr(&s->seamrr);
    unsigned int n;

    if (m->update) {
        memcpy(m->ram + TDX_HANDOFF_OFFSET, ram + TDX_HANDOFF_OFFSET,
               TDX_HANDOFF_SIZE);
    } else {
        s->nr_db = 0;
    }
    memcpy(ram, m->ram, TDX_SEAMRR_SIZE);
    intel_tdx_seamrr_changed(s);
    for (n = 0; n < s->nr_lps; n++) {
        g_clear_pointer(&s->transfer[n], g_free);
    }
    intel_tdx_db_insert(s, m->mrseam, m->svn);
    s->ready = true;
}

static uint64_t ldr_install(IntelTdxState *s, TdxLoaderRead *read, void *opaque)
{
    const uint8_t *params = s->ldr.params;
    TdxLdrModule m = {
        .update = ldr_u32(params + PARAMS_SCENARIO) == SCENARIO_UPDATE,
    };
    uint8_t sigstruct[LDR_PAGE];
    g_autoptr(GByteArray) image = NULL;
    g_autofree uint8_t *ram = NULL;
    Error *err = NULL;
    uint64_t status;

    if (!read(opaque, ldq_le_p(params + PARAMS_SIGSTRUCT), sigstruct)) {
        return LDR_EUNSPECERR;
    }
    image = ldr_read_image(params, read, opaque);
    if (!image) {
        return LDR_EUNSPECERR;
    }
    status = intel_tdx_check_sigstruct(s, sigstruct, image, &m);
    if (status != LDR_SUCCESS) {
        return status;
    }
    ram = m.ram = g_malloc0(TDX_SEAMRR_SIZE);
    if (!intel_tdx_build(s, image, ram, &err)) {
        qemu_log_mask(LOG_GUEST_ERROR, "intel-tdx: P-SEAMLDR: %s\n",
                      error_get_pretty(err));
        error_free(err);
        return LDR_EUNSPECERR;
    }
    intel_tdx_stopped(s, ldr_replace, (uintptr_t)&m);
    return LDR_SUCCESS;
}

static void ldr_end_session(IntelTdxState *s)
{
    bitmap_zero(s->ldr.called, s->nr_lps);
    qatomic_set(&s->ldr.nr_called, 0);
}

uint64_t intel_tdx_loader_install(IntelTdxState *s, unsigned int lp, hwaddr pa,
                                  TdxLoaderRead *read, void *opaque)
{
    TdxLdr *ldr = &s->ldr;
    uint64_t status;

    /* It could not be called on all of them. */
    if (ldr->nr_ended || test_bit(lp, ldr->called)) {
        status = LDR_EBADCALL;
    } else {
        status = ldr_call_params(s, pa, read, opaque);
    }
    if (status == LDR_SUCCESS) {
        set_bit(lp, ldr->called);
        qatomic_set(&ldr->nr_called, ldr->nr_called + 1);
        if (ldr->nr_called < s->nr_lps) {
            return LDR_SUCCESS;
        }
        status = ldr_install(s, read, opaque);
    }
    ldr_end_session(s);
    return status;
}
