/*
 * AMD IOMMU: faults and events of DMA, and SEV-SNP
 *
 * The edu device does the DMA. For the SNP tests a few instructions in place of
 * the BIOS set SYSCFG[SNPEn]; the test writes the RMP directly, where the
 * machine has put it, and takes the role of the firmware that enables
 * enforcement.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/units.h"
#include "qemu/bswap.h"
#include "libqtest.h"
#include "edu.h"
#include "libqos/fw_cfg.h"
#include "libqos/pci-pc.h"
#include "qapi/error.h"
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "hw/i386/amd_iommu.h"
#include "standard-headers/linux/qemu_fw_cfg.h"

#define EDU_DEVFN       QPCI_DEVFN(5, 0)

/* Memory layout of the test */
#define MARK            0x7000
#define DEVTAB          (3 * MiB)
#define PAGE_TABLE      (4 * MiB)       /* one level, for IOVAs below 2 MiB */
#define CMDBUF          (5 * MiB)
#define EVTLOG          (6 * MiB)
#define STORE           (7 * MiB)
#define DATA            (8 * MiB)
#define EVTLOG_ENTRIES  256

#define DOMAIN          0x1234
#define IOVA            0x5000

#define DTE_V           1ULL
#define DTE_TV          2ULL
#define DTE_MODE(n)     ((uint64_t)(n) << 9)
#define PTE_PRESENT     1ULL
#define PTE_LEVEL(n)    ((uint64_t)(n) << 9)
#define PTE_READ        (1ULL << 61)
#define PTE_WRITE       (1ULL << 62)
#define PTE_RW          (PTE_READ | PTE_WRITE)

#define EVENT_ILLEGAL_DTE       0x1
#define EVENT_PAGE_FAULT        0x2
#define EVENT_ILLEGAL_COMMAND   0x5
#define EVENT_RMP_PAGE_FAULT    0xd
#define EVENT_RMP_HW_ERROR      0xe
#define FLAG_PRESENT            0x10
#define FLAG_WRITE              0x20
#define FLAG_PERMISSION         0x40

#define RMP_ASSIGNED    (1ULL << 0)
#define RMP_2M          (1ULL << 1)
#define RMP_IMMUTABLE   (1ULL << 2)
#define RMP_ASID(n)     ((uint64_t)(n) << 51)
#define RMP_FIRMWARE    (RMP_ASSIGNED | RMP_IMMUTABLE)
#define RMP_ENTRIES     0x4000

typedef struct Machine {
    QTestState *qts;
    QPCIBus *bus;
    Edu edu;
    uint64_t rmp;
    uint32_t events;            /* bytes of the log that are read */
    bool unread;                /* don't advance the log's head */
    uint64_t waits;
    uint32_t tail;
} Machine;

static uint64_t reg_read(Machine *m, uint64_t reg)
{
    return qtest_readq(m->qts, AMDVI_BASE_ADDR + reg);
}

static void reg_write(Machine *m, uint64_t reg, uint64_t value)
{
    qtest_writeq(m->qts, AMDVI_BASE_ADDR + reg, value);
}

static void set_dte(Machine *m, uint64_t lo)
{
    uint64_t at = DEVTAB + EDU_DEVFN * AMDVI_DEVTAB_ENTRY_SIZE;

    qtest_writeq(m->qts, at, lo);
    qtest_writeq(m->qts, at + 8, DOMAIN);
}

static void set_pte(Machine *m, uint64_t iova, uint64_t pte)
{
    qtest_writeq(m->qts, PAGE_TABLE + (iova >> 12) * 8, pte);
}

static void command(Machine *m, uint64_t lo, uint64_t hi)
{
    qtest_writeq(m->qts, CMDBUF + m->tail, lo);
    qtest_writeq(m->qts, CMDBUF + m->tail + 8, hi);
    m->tail += AMDVI_COMMAND_SIZE;
    reg_write(m, AMDVI_MMIO_COMMAND_TAIL, m->tail);
}

static void flush(Machine *m)
{
    command(m, (uint64_t)AMDVI_CMD_INVAL_AMDVI_ALL << 60, 0);
}

/* Request a completion store to @addr; true if it was made. */
static bool completion(Machine *m, uint64_t addr)
{
    uint64_t value = 0x1111 * ++m->waits;

    command(m, (uint64_t)AMDVI_CMD_COMPLETION_WAIT << 60 | addr | 1, value);
    return qtest_readq(m->qts, addr) == value;
}

static void dma(Machine *m, uint64_t iova, bool to_memory)
{
    edu_start(&m->edu, to_memory ? EDU_BUFFER : iova,
              to_memory ? iova : EDU_BUFFER);
    while (edu_runs(&m->edu)) {
        if (!m->rmp) {
            qtest_clock_step(m->qts, 100 * SCALE_MS);
        } else {
            g_usleep(10000);
        }
    }
}

/* True if the device's write to @iova arrives at @spa. */
static bool dma_writes(Machine *m, uint64_t iova, uint64_t spa)
{
    static uint64_t value = 0x0123456789abcdef;
    uint64_t source = 2 * MiB - 0x1000;

    value += 0x1111;
    qtest_writeq(m->qts, source, value);
    set_pte(m, source, source | PTE_PRESENT | PTE_RW);
    dma(m, source, false);
    dma(m, iova, true);
    return qtest_readq(m->qts, spa) == value;
}

static bool no_event(Machine *m)
{
    return reg_read(m, AMDVI_MMIO_EVENT_TAIL) == m->events;
}

static void expect_event(Machine *m, unsigned code, unsigned flags,
                         unsigned devid, unsigned domid, uint64_t addr)
{
    uint64_t lo = qtest_readq(m->qts, EVTLOG + m->events);
    uint64_t hi = qtest_readq(m->qts, EVTLOG + m->events + 8);

    m->events += AMDVI_EVENT_LEN;
    g_assert_cmphex(reg_read(m, AMDVI_MMIO_EVENT_TAIL), ==, m->events);
    g_assert_cmphex(lo >> 60, ==, code);
    g_assert_cmphex(lo >> 48 & 0xfff, ==, flags);
    g_assert_cmphex(lo >> 32 & 0xffff, ==, domid);
    g_assert_cmphex(lo & 0xffff, ==, devid);
    g_assert_cmphex(hi, ==, addr);
    g_assert_true(reg_read(m, AMDVI_MMIO_STATUS) & AMDVI_MMIO_STATUS_EVT_INT);
    if (!m->unread) {
        reg_write(m, AMDVI_MMIO_EVENT_HEAD, m->events);
    }
}

/* The tables are empty except for one mapped page. */
static void start_iommu(Machine *m)
{
    reg_write(m, AMDVI_MMIO_DEVICE_TABLE, DEVTAB | 1);
    reg_write(m, AMDVI_MMIO_COMMAND_BASE, CMDBUF | 8ULL << 56);
    reg_write(m, AMDVI_MMIO_EVENT_BASE, EVTLOG | 8ULL << 56);
    reg_write(m, AMDVI_MMIO_EXCL_BASE, STORE);
    reg_write(m, AMDVI_MMIO_EXCL_LIMIT, STORE);
    set_dte(m, DTE_V | DTE_TV | DTE_MODE(1) | PTE_RW | PAGE_TABLE);
    set_pte(m, IOVA, DATA | PTE_PRESENT | PTE_RW);
    reg_write(m, AMDVI_MMIO_CONTROL, AMDVI_MMIO_CONTROL_AMDVIEN |
              AMDVI_MMIO_CONTROL_CMDBUFLEN | AMDVI_MMIO_CONTROL_EVENTLOGEN);
}

static void find_edu(Machine *m)
{
    m->bus = qpci_new_pc(m->qts, NULL);
    edu_find(&m->edu, m->bus, EDU_DEVFN);
}

static void stop(Machine *m)
{
    g_free(m->edu.pci);
    qpci_free_pc(m->bus);
    qtest_quit(m->qts);
}

/* Without SNP, and without a running processor. */
static void start_plain(Machine *m)
{
    *m = (Machine) {};
    m->qts = qtest_init("-M q35 -nodefaults -m 256M -device amd-iommu "
                        "-device edu,addr=5.0");
    find_edu(m);
    start_iommu(m);
}

/*
 * The code that the processor runs:
 *   mov ecx, SYSCFG; rdmsr; or eax, MFDM | SNPEn | VMPLEn; wrmsr
 *   mov dword [MARK], 0x12345678; hlt; jmp -3
 */
static const uint8_t snp_code[] = {
    0x66, 0xb9, 0x10, 0x00, 0x01, 0xc0, 0x0f, 0x32,
    0x66, 0x0d, 0x00, 0x00, 0x08, 0x03, 0x0f, 0x30,
    0x66, 0xc7, 0x06, MARK & 0xff, MARK >> 8, 0x78, 0x56, 0x34, 0x12,
    0xf4, 0xeb, 0xfd,
};
/* jmp to 0x20 bytes before it */
static const uint8_t snp_reset_vector[] = { 0xe9, 0xdd, 0xff };

static uint64_t find_rmp(QTestState *qts)
{
    struct { uint64_t start, len; uint32_t type; } QEMU_PACKED e820[16];
    QFWCFG *fw_cfg = pc_fw_cfg_init(qts);
    size_t len, i;
    uint64_t at = 0;

    len = qfw_cfg_get_file(fw_cfg, "etc/e820", e820, sizeof(e820));
    for (i = 0; i < len / sizeof(e820[0]); i++) {
        uint64_t start = le64_to_cpu(e820[i].start);

        if (le32_to_cpu(e820[i].type) == 2 && start < GiB) {
            at = start;
        }
    }
    pc_fw_cfg_uninit(fw_cfg);
    g_assert_cmphex(at, !=, 0);
    return at;
}

static void start_snp(Machine *m)
{
    g_autofree uint8_t *bios = g_malloc0(64 * KiB);
    g_autofree char *name = NULL;
    GError *error = NULL;
    int fd, tries = 1000;

    *m = (Machine) {};
    memcpy(bios + 0xffd0, snp_code, sizeof(snp_code));
    memcpy(bios + 0xfff0, snp_reset_vector, sizeof(snp_reset_vector));
    fd = g_file_open_tmp("amd-iommu-XXXXXX", &name, &error);
    g_assert_no_error(error);
    g_assert_cmpint(write(fd, bios, 64 * KiB), ==, 64 * KiB);
    close(fd);

    m->qts = qtest_initf("-M q35 -nodefaults -m 256M -accel tcg "
                         "-cpu EPYC-Milan,x-snp=on -bios %s "
                         "-device amd-iommu,x-snp=on,id=iommu "
                         "-device edu,addr=5.0", name);
    while (qtest_readl(m->qts, MARK) != 0x12345678 && --tries) {
        g_usleep(10000);
    }
    g_assert_cmpint(tries, >, 0);
    unlink(name);
    m->rmp = find_rmp(m->qts);
    find_edu(m);
    start_iommu(m);
}

static void set_rmp(Machine *m, uint64_t spa, uint64_t entry)
{
    qtest_writeq(m->qts, m->rmp + RMP_ENTRIES + (spa >> 12) * 16, entry);
}

static void set_enforced(Machine *m, const char *value, bool good)
{
    QDict *answer = qtest_qmp(m->qts, "{'execute': 'qom-set', 'arguments': {"
                              "'path': '/machine/peripheral/iommu', "
                              "'property': 'x-snp-enforced', 'value': %p}}",
                              qobject_from_json(value, &error_abort));

    g_assert_cmpint(qdict_haskey(answer, "return"), ==, good);
    qobject_unref(answer);
}

static void enforce(Machine *m, bool on)
{
    set_rmp(m, EVTLOG, RMP_FIRMWARE);
    set_rmp(m, STORE, RMP_FIRMWARE);
    set_enforced(m, on ? "true" : "false", true);
}

static void test_page_fault(void)
{
    Machine m;

    start_plain(&m);
    g_assert_true(dma_writes(&m, IOVA + 8, DATA + 8));
    g_assert_true(no_event(&m));

    /* not mapped */
    dma(&m, 0x9000, false);
    expect_event(&m, EVENT_PAGE_FAULT, 0, EDU_DEVFN, DOMAIN, 0x9000);

    /* mapped read-only; the second time with the translation cached */
    set_pte(&m, 0x9000, DATA | PTE_PRESENT | PTE_READ);
    flush(&m);
    g_assert_false(dma_writes(&m, 0x9000, DATA));
    expect_event(&m, EVENT_PAGE_FAULT,
                 FLAG_PRESENT | FLAG_WRITE | FLAG_PERMISSION,
                 EDU_DEVFN, DOMAIN, 0x9000);
    dma(&m, 0x9000, false);
    g_assert_true(no_event(&m));
    g_assert_false(dma_writes(&m, 0x9000, DATA));
    expect_event(&m, EVENT_PAGE_FAULT,
                 FLAG_PRESENT | FLAG_WRITE | FLAG_PERMISSION,
                 EDU_DEVFN, DOMAIN, 0x9000);

    /* not present, though it has an address and permissions */
    set_pte(&m, 0xa000, DATA | PTE_RW);
    g_assert_false(dma_writes(&m, 0xa000, DATA));
    expect_event(&m, EVENT_PAGE_FAULT, FLAG_WRITE, EDU_DEVFN, DOMAIN, 0xa000);
    stop(&m);
}

/* From 2 MiB - 0x1000 on 4 KiB mappings, below it one of 32 KiB. */
static void test_large_page(void)
{
    uint64_t iova = 0x10000, spa = DATA + 0x8000;
    Machine m;
    int i;

    start_plain(&m);
    for (i = 0; i < 8; i++) {
        set_pte(&m, iova + i * 0x1000,
                spa | 0x3000 | PTE_PRESENT | PTE_LEVEL(7) | PTE_RW);
    }
    for (i = 0; i < 8; i++) {
        g_assert_true(dma_writes(&m, iova + i * 0x1000 + 0x18,
                                 spa + i * 0x1000 + 0x18));
    }
    g_assert_true(no_event(&m));
    stop(&m);
}

static void test_no_translation(void)
{
    Machine m;

    start_plain(&m);
    set_dte(&m, DTE_V | PTE_RW);
    flush(&m);
    dma(&m, DATA, true);
    qtest_writeq(m.qts, DATA, 0x77);
    dma(&m, DATA, true);
    g_assert_cmphex(qtest_readq(m.qts, DATA), ==, 0x77);

    /* V = 0 passes everything */
    set_dte(&m, 0);
    flush(&m);
    dma(&m, DATA, true);
    g_assert_cmphex(qtest_readq(m.qts, DATA), !=, 0x77);
    stop(&m);
}

static void test_invalidate_dte(void)
{
    Machine m;

    start_plain(&m);
    g_assert_true(dma_writes(&m, IOVA, DATA));
    set_dte(&m, DTE_V | DTE_TV | DTE_MODE(1) | PTE_RW | DATA | 0x4000);
    command(&m, (uint64_t)AMDVI_CMD_INVAL_DEVTAB_ENTRY << 60 | EDU_DEVFN, 0);
    dma(&m, IOVA, true);
    expect_event(&m, EVENT_PAGE_FAULT, FLAG_WRITE, EDU_DEVFN, DOMAIN, IOVA);
    stop(&m);
}

static void test_event_log_ring(void)
{
    Machine m;
    uint64_t status;
    int i;

    start_plain(&m);
    m.unread = true;
    for (i = 0; i < EVTLOG_ENTRIES - 1; i++) {
        uint64_t iova = i & 1 ? 0x9000 : 0xa000;

        dma(&m, iova, false);
        expect_event(&m, EVENT_PAGE_FAULT, 0, EDU_DEVFN, DOMAIN, iova);
    }

    /* the same page again belongs to the same fault */
    dma(&m, 0xa000, false);
    g_assert_true(no_event(&m));

    /* full: overflow, and no more entries until it is acknowledged */
    dma(&m, 0x9000, false);
    status = reg_read(&m, AMDVI_MMIO_STATUS);
    g_assert_true(status & AMDVI_MMIO_STATUS_EVT_OVF);
    g_assert_false(status & AMDVI_MMIO_STATUS_EVT_RUN);
    g_assert_true(no_event(&m));

    /* acknowledging one bit does not clear the other */
    reg_write(&m, AMDVI_MMIO_STATUS, AMDVI_MMIO_STATUS_EVT_OVF);
    status = reg_read(&m, AMDVI_MMIO_STATUS);
    g_assert_false(status & AMDVI_MMIO_STATUS_EVT_OVF);
    g_assert_true(status & AMDVI_MMIO_STATUS_EVT_INT);

    /* once there is room again it wraps */
    reg_write(&m, AMDVI_MMIO_EVENT_HEAD, 0x100);
    dma(&m, 0x9000, false);
    g_assert_cmphex(reg_read(&m, AMDVI_MMIO_EVENT_TAIL), ==, 0);
    stop(&m);
}

/* Drivers also acknowledge the bits of logs that the model doesn't have. */
static void test_status(void)
{
    Machine m;
    uint64_t status;

    start_plain(&m);
    dma(&m, 0x9000, false);
    status = reg_read(&m, AMDVI_MMIO_STATUS);
    g_assert_cmphex(status, ==, AMDVI_MMIO_STATUS_EVT_INT |
                    AMDVI_MMIO_STATUS_EVT_RUN | AMDVI_MMIO_STATUS_CMDBUF_RUN);

    reg_write(&m, AMDVI_MMIO_STATUS, ~0ULL);
    status &= ~(uint64_t)AMDVI_MMIO_STATUS_EVT_INT;
    g_assert_cmphex(reg_read(&m, AMDVI_MMIO_STATUS), ==, status);
    qtest_writel(m.qts, AMDVI_BASE_ADDR + AMDVI_MMIO_STATUS, ~0U);
    qtest_writel(m.qts, AMDVI_BASE_ADDR + AMDVI_MMIO_STATUS + 4, ~0U);
    g_assert_cmphex(reg_read(&m, AMDVI_MMIO_STATUS), ==, status);
    reg_write(&m, AMDVI_MMIO_STATUS, 0);
    g_assert_cmphex(reg_read(&m, AMDVI_MMIO_STATUS), ==, status);
    stop(&m);
}

static void test_snp_feature(void)
{
    Machine m;

    start_plain(&m);
    g_assert_false(reg_read(&m, AMDVI_MMIO_EXT_FEATURES) & AMDVI_FEATURE_SNP);
    stop(&m);
    start_snp(&m);
    g_assert_true(reg_read(&m, AMDVI_MMIO_EXT_FEATURES) & AMDVI_FEATURE_SNP);
    stop(&m);
}

static void test_snp_dma(void)
{
    Machine m;

    start_snp(&m);
    /* the IOMMU ignores the RMP until the firmware enables it */
    set_rmp(&m, DATA, RMP_ASSIGNED | RMP_ASID(1));
    g_assert_true(dma_writes(&m, IOVA, DATA));
    enforce(&m, true);
    g_assert_false(dma_writes(&m, IOVA, DATA));
    expect_event(&m, EVENT_RMP_PAGE_FAULT, FLAG_PRESENT | FLAG_WRITE,
                 EDU_DEVFN, 0, IOVA);

    /* reads are not denied */
    dma(&m, IOVA, false);
    g_assert_true(no_event(&m));

    set_rmp(&m, DATA, 0);
    g_assert_true(dma_writes(&m, IOVA, DATA));

    /* in a mapping of 32 KiB only the page that is assigned is denied */
    set_pte(&m, 0x10000, DATA | 0x3000 | PTE_PRESENT | PTE_LEVEL(7) | PTE_RW);
    set_pte(&m, 0x11000, DATA | 0x3000 | PTE_PRESENT | PTE_LEVEL(7) | PTE_RW);
    set_rmp(&m, DATA + 0x1000, RMP_FIRMWARE);
    g_assert_true(dma_writes(&m, 0x10ff8, DATA + 0xff8));
    g_assert_true(no_event(&m));
    g_assert_false(dma_writes(&m, 0x11000, DATA + 0x1000));
    expect_event(&m, EVENT_RMP_PAGE_FAULT, FLAG_PRESENT | FLAG_WRITE,
                 EDU_DEVFN, 0, 0x11000);

    /* and all of a 2 MiB page that is assigned as one */
    set_rmp(&m, DATA, RMP_ASSIGNED | RMP_2M | RMP_ASID(1));
    g_assert_false(dma_writes(&m, 0x10ff8, DATA + 0xff8));
    expect_event(&m, EVENT_RMP_PAGE_FAULT, FLAG_PRESENT | FLAG_WRITE,
                 EDU_DEVFN, 0, 0x10ff8);

    enforce(&m, false);
    g_assert_true(dma_writes(&m, 0x10ff8, DATA + 0xff8));
    stop(&m);
}

static void test_snp_host_table(void)
{
    Machine m;

    start_snp(&m);
    enforce(&m, true);
    set_dte(&m, DTE_V | DTE_TV | DTE_MODE(0) | PTE_RW);
    flush(&m);
    qtest_writeq(m.qts, DATA, 0x77);
    dma(&m, DATA, true);
    g_assert_cmphex(qtest_readq(m.qts, DATA), ==, 0x77);
    expect_event(&m, EVENT_ILLEGAL_DTE, 0, EDU_DEVFN, 0, DATA);
    stop(&m);
}

static void test_snp_locked(void)
{
    static const uint64_t regs[] = {
        AMDVI_MMIO_DEVICE_TABLE, AMDVI_MMIO_COMMAND_BASE,
        AMDVI_MMIO_EVENT_BASE, AMDVI_MMIO_PPR_BASE,
        AMDVI_MMIO_EXCL_BASE, AMDVI_MMIO_EXCL_LIMIT,
    };
    uint64_t before;
    Machine m;
    int i;

    start_snp(&m);
    enforce(&m, true);
    for (i = 0; i < ARRAY_SIZE(regs); i++) {
        before = reg_read(&m, regs[i]);
        reg_write(&m, regs[i], before ^ 0x100000);
        g_assert_cmphex(reg_read(&m, regs[i]), ==, before);
    }
    before = reg_read(&m, AMDVI_MMIO_CONTROL);
    reg_write(&m, AMDVI_MMIO_CONTROL, before & ~AMDVI_MMIO_CONTROL_AMDVIEN);
    g_assert_cmphex(reg_read(&m, AMDVI_MMIO_CONTROL), ==, before);

    enforce(&m, false);
    for (i = 0; i < ARRAY_SIZE(regs); i++) {
        before = reg_read(&m, regs[i]);
        reg_write(&m, regs[i], before ^ 0x100000);
        g_assert_cmphex(reg_read(&m, regs[i]), ==, before ^ 0x100000);
    }
    stop(&m);
}

static void test_snp_stores(void)
{
    Machine m;

    start_snp(&m);
    enforce(&m, true);
    g_assert_true(completion(&m, STORE + 0x10));
    g_assert_true(no_event(&m));

    /* not a page of the firmware */
    set_rmp(&m, STORE, 0);
    g_assert_false(completion(&m, STORE + 0x20));
    expect_event(&m, EVENT_RMP_HW_ERROR, FLAG_WRITE, 0, 0, STORE + 0x20);
    set_rmp(&m, STORE, RMP_ASSIGNED | RMP_ASID(1));
    g_assert_false(completion(&m, STORE + 0x20));
    expect_event(&m, EVENT_RMP_HW_ERROR, FLAG_WRITE, 0, 0, STORE + 0x20);

    /* one, but not in the range that software has set */
    set_rmp(&m, STORE + 0x1000, RMP_FIRMWARE);
    g_assert_false(completion(&m, STORE + 0x1000));
    expect_event(&m, EVENT_ILLEGAL_COMMAND, 0, 0, 0,
                 CMDBUF + m.tail - AMDVI_COMMAND_SIZE);

    /* the log itself */
    set_rmp(&m, EVTLOG, RMP_ASSIGNED | RMP_ASID(1));
    qtest_writeq(m.qts, EVTLOG + m.events, 0);
    dma(&m, 0x9000, false);
    g_assert_cmphex(qtest_readq(m.qts, EVTLOG + m.events), ==, 0);
    stop(&m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!qtest_has_machine("q35") || !qtest_has_device("edu") ||
        !qtest_has_accel("tcg")) {
        g_test_skip("q35, edu and TCG are needed");
        return 0;
    }
    qtest_add_func("/q35/amd-iommu/page-fault", test_page_fault);
    qtest_add_func("/q35/amd-iommu/large-page", test_large_page);
    qtest_add_func("/q35/amd-iommu/no-translation", test_no_translation);
    qtest_add_func("/q35/amd-iommu/invalidate-dte", test_invalidate_dte);
    qtest_add_func("/q35/amd-iommu/event-log-ring", test_event_log_ring);
    qtest_add_func("/q35/amd-iommu/status", test_status);
    qtest_add_func("/q35/amd-iommu/snp/feature", test_snp_feature);
    qtest_add_func("/q35/amd-iommu/snp/dma", test_snp_dma);
    qtest_add_func("/q35/amd-iommu/snp/host-table", test_snp_host_table);
    qtest_add_func("/q35/amd-iommu/snp/locked", test_snp_locked);
    qtest_add_func("/q35/amd-iommu/snp/stores", test_snp_stores);
    return g_test_run();
}
