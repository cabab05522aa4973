/*
 * Intel TDX platform: reports that the processors of this machine seal
 *
 * A report is made of REPORTMACSTRUCT and TEE_TCB_INFO. Its MAC is made with a
 * key that no software of the machine has, so that any of its processors can
 * verify it. On hardware enclaves get at that key, too, and make quotes; here
 * x-seam-report-key gives it to a program beside QEMU that does.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/guest-random.h"
#include "qapi/error.h"
#include "crypto/hash.h"
#include "crypto/hmac.h"
#include "intel-tdx-internal.h"

/* REPORTMACSTRUCT */
#define REPORT_TYPE         0
#define REPORT_CPUSVN       16
#define REPORT_TCB_HASH     32
#define REPORT_INFO_HASH    80
#define REPORT_DATA         128
#define REPORT_MAC          224
/* TEE_TCB_INFO, which follows it */
#define TCB_INFO            256
#define TCB_INFO_SIZE       239
#define TCB_VALID           (TCB_INFO + 0)
#define TCB_SVN             (TCB_INFO + 8)
#define TCB_MRSEAM          (TCB_INFO + 24)
#define TCB_SVN2            (TCB_INFO + 128)

/* Which fields are valid: all of version 1.5 */
#define TCB_VALID_FIELDS    0x301ff
#define CPUSVN              1

QEMU_BUILD_BUG_ON(REPORT_MAC + TDX_REPORT_KEY_SIZE != TDX_REPORTMAC_SIZE);
QEMU_BUILD_BUG_ON(TCB_INFO + TCB_INFO_SIZE > TDX_REPORT_SIZE);

void intel_tdx_sha384(const uint8_t *data, size_t size, uint8_t *out)
{
    g_autofree uint8_t *hash = NULL;
    size_t len = 0;

    qcrypto_hash_bytes(QCRYPTO_HASH_ALGO_SHA384, (const char *)data, size,
                       &hash, &len, &error_abort);
    memcpy(out, hash, TDX_HASH_SIZE);
}

static void report_mac(IntelTdxState *s, const uint8_t *report, uint8_t *out)
{
    g_autoptr(QCryptoHmac) hmac = NULL;
    g_autofree uint8_t *mac = NULL;
    size_t len = 0;

    hmac = qcrypto_hmac_new(QCRYPTO_HASH_ALGO_SHA256, s->report_key,
                            sizeof(s->report_key), &error_abort);
    qcrypto_hmac_bytes(hmac, (const char *)report, REPORT_MAC, &mac, &len,
                       &error_abort);
    memcpy(out, mac, TDX_REPORT_KEY_SIZE);
}

static bool report_read_key(IntelTdxState *s, const char *file, Error **errp)
{
    g_autofree char *key = NULL;
    g_autoptr(GError) err = NULL;
    gsize size;

    if (!g_file_get_contents(file, &key, &size, &err)) {
        error_setg(errp, "x-seam-report-key: %s", err->message);
        return false;
    }
    if (size != sizeof(s->report_key)) {
        error_setg(errp, "x-seam-report-key: %s has %zu bytes and not %zu",
                   file, size, sizeof(s->report_key));
        return false;
    }
    memcpy(s->report_key, key, size);
    return true;
}

/*
 * Only who creates the file writes to it. A machine that starts at the same
 * time finds all of the key, or an error: no two machines have the file and
 * different keys.
 */
static bool report_write_key(IntelTdxState *s, const char *file, Error **errp)
{
    int fd = qemu_create(file, O_WRONLY | O_EXCL | O_BINARY, 0600, errp);
    bool ok;

    if (fd < 0) {
        return false;
    }
    ok = qemu_write_full(fd, s->report_key, sizeof(s->report_key)) ==
         sizeof(s->report_key);
    ok = !close(fd) && ok;
    if (!ok) {
        error_setg_errno(errp, errno, "x-seam-report-key: %s", file);
        unlink(file);
    }
    return ok;
}

bool intel_tdx_report_init(IntelTdxState *s, const char *key_file,
                           Error **errp)
{
    qemu_guest_getrandom_nofail(s->report_key, sizeof(s->report_key));
    if (s->image) {
        intel_tdx_sha384(s->image->data, s->image->len, s->mrseam);
    }
    if (!key_file) {
        return true;
    }
    return g_file_test(key_file, G_FILE_TEST_EXISTS) ?
           report_read_key(s, key_file, errp) :
           report_write_key(s, key_file, errp);
}

void intel_tdx_seal_report(IntelTdxState *s, unsigned int index, uint32_t type,
                           const uint8_t *data, const uint8_t *info_hash,
                           uint8_t *report)
{
    const TdxDbEntry *e = &s->db[index];

    memset(report, 0, TDX_REPORT_SIZE);
    stl_le_p(report + REPORT_TYPE, type);
    report[REPORT_CPUSVN] = CPUSVN;
    memcpy(report + REPORT_INFO_HASH, info_hash, TDX_HASH_SIZE);
    memcpy(report + REPORT_DATA, data, TDX_REPORT_DATA_SIZE);
    stq_le_p(report + TCB_VALID, TCB_VALID_FIELDS);
    stw_le_p(report + TCB_SVN, e->svn);
    /* Of the module that is here now */
    stw_le_p(report + TCB_SVN2, s->db[s->nr_db - 1].svn);
    memcpy(report + TCB_MRSEAM, e->mrseam, TDX_HASH_SIZE);
    intel_tdx_sha384(report + TCB_INFO, TCB_INFO_SIZE,
                     report + REPORT_TCB_HASH);
    report_mac(s, report, report + REPORT_MAC);
}

void intel_tdx_db_insert(IntelTdxState *s, const uint8_t *mrseam, uint16_t svn)
{
    TdxDbEntry *e = &s->db[s->nr_db++];

    assert(s->nr_db <= TDX_DB_ENTRIES);
    qemu_guest_getrandom_nofail(e->nonce, sizeof(e->nonce));
    memcpy(e->mrseam, mrseam, sizeof(e->mrseam));
    e->svn = svn;
}

unsigned int intel_tdx_db_entries(IntelTdxState *s)
{
    return s->nr_db;
}

const uint64_t *intel_tdx_db_nonce(IntelTdxState *s, unsigned int index)
{
    return s->db[index].nonce;
}

TdxReportResult intel_tdx_verify_report(IntelTdxState *s, const uint8_t *report)
{
    uint8_t mac[TDX_REPORT_KEY_SIZE];

    if (report[REPORT_CPUSVN] != CPUSVN ||
        !buffer_is_zero(report + REPORT_CPUSVN + 1, 15)) {
        return TDX_REPORT_INVALID_CPUSVN;
    }
    report_mac(s, report, mac);
    return memcmp(mac, report + REPORT_MAC, sizeof(mac)) ? TDX_REPORT_INVALID :
                                                           TDX_REPORT_OK;
}
