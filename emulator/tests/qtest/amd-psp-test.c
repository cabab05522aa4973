/*
 * AMD Secure Processor: mailbox, platform, faults
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "amd-psp.h"

#define DEFAULT ",x-ignore=iommu"

static void test_registers(void)
{
    uint32_t feature;
    Psp p;

    psp_start(&p, "");
    feature = qpci_io_readl(p.dev, p.bar, PSP_REG_FEATURE);
    g_assert_cmphex(feature & PSP_FEATURE_SEV, !=, 0);
    g_assert_cmphex(feature & (1 << 1), ==, 0);     /* TEE */
    g_assert_cmphex(qpci_io_readl(p.dev, p.bar, PSP_REG_CMDRESP), ==,
                    PSP_CMDRESP_RESPONSE);
    qpci_io_writel(p.dev, p.bar, PSP_REG_CMDBUFF_LO, 0x12345000);
    qpci_io_writel(p.dev, p.bar, PSP_REG_CMDBUFF_HI, 0x77);
    g_assert_cmphex(qpci_io_readl(p.dev, p.bar, PSP_REG_CMDBUFF_LO), ==,
                    0x12345000);
    g_assert_cmphex(qpci_io_readl(p.dev, p.bar, PSP_REG_CMDBUFF_HI), ==, 0x77);
    psp_stop(&p);
}

/* The status bit is set only by commands that request an interrupt. */
static void test_interrupt(void)
{
    uint32_t resp;
    Psp p;

    psp_start(&p, "");
    psp_assert(PSP_CMD0(&p, NOP), SUCCESS);
    g_assert_cmphex(qpci_io_readl(p.dev, p.bar, PSP_REG_INTSTS), ==, 0);
    qpci_io_writel(p.dev, p.bar, PSP_REG_CMDRESP,
                   SEV_CMD_NOP << PSP_CMDRESP_CMD_SHIFT | PSP_CMDRESP_IOC);
    do {
        resp = qpci_io_readl(p.dev, p.bar, PSP_REG_CMDRESP);
    } while (!(resp & PSP_CMDRESP_RESPONSE));
    g_assert_cmphex(qpci_io_readl(p.dev, p.bar, PSP_REG_INTSTS), ==,
                    PSP_INT_CMD_COMPLETE);
    qpci_io_writel(p.dev, p.bar, PSP_REG_INTSTS, ~0u);
    g_assert_cmphex(qpci_io_readl(p.dev, p.bar, PSP_REG_INTSTS), ==, 0);
    psp_stop(&p);
}

static void test_commands(void)
{
    SevBufStatus st = { 0 };
    Psp p;

    psp_start(&p, "");
    psp_assert(psp_cmd(&p, 0, NULL, 0), INVALID_COMMAND);
    psp_assert(psp_cmd(&p, 0x7f, NULL, 0), INVALID_COMMAND);
    psp_assert(psp_cmd(&p, 0x7ff, NULL, 0), INVALID_COMMAND);
    psp_assert(PSP_CMD0(&p, RING_BUFFER), UNSUPPORTED);
    psp_assert(PSP_CMD(&p, PLATFORM_STATUS, &st), SUCCESS);
    g_assert_cmpuint(st.api_major, ==, SEV_FW_API_MAJOR);
    g_assert_cmpuint(st.api_minor, ==, SEV_FW_API_MINOR);
    g_assert_cmpuint(st.state, ==, SEV_PSTATE_UNINIT);
    g_assert_cmpuint(st.guest_count, ==, 0);

    /* A command buffer that is not in memory */
    qpci_io_writel(p.dev, p.bar, PSP_REG_CMDBUFF_LO, 0xfee00000);
    qpci_io_writel(p.dev, p.bar, PSP_REG_CMDRESP,
                   SEV_CMD_PLATFORM_STATUS << PSP_CMDRESP_CMD_SHIFT);
    g_usleep(100000);
    g_assert_cmphex(qpci_io_readl(p.dev, p.bar, PSP_REG_CMDRESP) & 0xffff, ==,
                    SEV_STATUS_INVALID_ADDRESS);
    /* One in SMM memory */
    qpci_io_writel(p.dev, p.bar, PSP_REG_CMDBUFF_LO, 0xa8000);
    qpci_io_writel(p.dev, p.bar, PSP_REG_CMDRESP,
                   SEV_CMD_PLATFORM_STATUS << PSP_CMDRESP_CMD_SHIFT);
    g_usleep(100000);
    g_assert_cmphex(qpci_io_readl(p.dev, p.bar, PSP_REG_CMDRESP) & 0xffff, ==,
                    SEV_STATUS_INVALID_ADDRESS);
    psp_stop(&p);
}

/* Requirements of SNP_INIT on the processors */
static void test_snp_init_msrs(void)
{
    SnpBufInitEx buf = { .flags = SNP_INIT_RMP };
    uint64_t rmp_end;
    Psp p;

    psp_start(&p, DEFAULT);
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_CONFIG);
    psp_wrmsr(&p, MSR_SYSCFG, SYSCFG_SNP & ~(SYSCFG_MFDM | SYSCFG_VMPLEN));
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_CONFIG);
    psp_stop(&p);

    psp_start(&p, DEFAULT);
    psp_wrmsr(&p, MSR_SYSCFG, SYSCFG_SNP & ~SYSCFG_VMPLEN);
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_CONFIG);
    psp_stop(&p);

    psp_start(&p, DEFAULT);
    psp_wrmsr(&p, MSR_SYSCFG, SYSCFG_SNP & ~SYSCFG_MFDM);
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_CONFIG);
    psp_stop(&p);

    /*
     * VMPLEn requires SNPEn: it can be tested by itself only without these
     * rules.
     */
    psp_start(&p, DEFAULT ":init-vmpl:init-mfdm");
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_CONFIG);
    psp_stop(&p);

    /* An RMP whose size is not a multiple of 1 MiB */
    psp_start(&p, DEFAULT);
    rmp_end = p.rmp + 0x1fffff - 0x2000;
    psp_wrmsr(&p, MSR_RMP_END, rmp_end);
    psp_wrmsr(&p, MSR_SYSCFG, SYSCFG_SNP);
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_CONFIG);
    psp_stop(&p);
}

static void test_snp_init(void)
{
    SnpBufInitEx buf = { .flags = SNP_INIT_RMP | 1 << 4 };
    SevBufInit sev = { 0 };
    Psp p;

    psp_start(&p, DEFAULT);
    /* Flushes do not depend on the platform's state. */
    psp_assert(PSP_CMD0(&p, SNP_DF_FLUSH), SUCCESS);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_GCTX_CREATE, T_GCTX),
               INVALID_PLATFORM_STATE);
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_PARAM);
    psp_wrmsr(&p, MSR_HSAVE_PA, 0x200000);
    psp_wrmsr(&p, MSR_SYSCFG, SYSCFG_SNP);
    buf.flags = SNP_INIT_RMP;
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_CONFIG);
    /* It is checked for the RMP that is about to be initialized. */
    buf.flags = 0;
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), RMP_INIT_REQUIRED);
    psp_wrmsr(&p, MSR_HSAVE_PA, 0);
    buf.flags = SNP_INIT_RMP;

    /* With SNP, SEV is initialized after SNP_INIT. */
    psp_assert(PSP_CMD(&p, INIT, &sev), INVALID_PLATFORM_STATE);
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), SUCCESS);
    psp_assert(PSP_CMD(&p, INIT, &sev), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_PLATFORM_STATE);
    psp_assert(PSP_CMD0(&p, SHUTDOWN), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_PLATFORM_STATE);
    psp_assert(PSP_CMD0(&p, SNP_INIT), INVALID_PLATFORM_STATE);
    /* The RMP protects itself. */
    g_assert_cmphex(psp_rmp(&p, p.rmp), ==, RMP_FIRMWARE);
    g_assert_cmphex(psp_rmp(&p, T_PAGE), ==, RMP_HYPERVISOR);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PAGE_RECLAIM, p.rmp),
               INVALID_ADDRESS);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PLATFORM_STATUS, p.rmp),
               INVALID_ADDRESS);
    psp_stop(&p);
}

/* Memory that is not DRAM, and SMM memory, cannot be assigned. */
static void test_snp_init_holes(void)
{
    Psp p;

    psp_start(&p, DEFAULT);
    psp_snp_init(&p);
    g_assert_cmphex(psp_rmp(&p, 0x9f000), ==, RMP_HYPERVISOR);
    g_assert_cmphex(psp_rmp(&p, 0xa0000), ==, RMP_HV_FIXED);
    g_assert_cmphex(psp_rmp(&p, 0xbf000), ==, RMP_HV_FIXED);
    g_assert_cmphex(psp_rmp(&p, 0xc0000), ==, RMP_HYPERVISOR);
    /* The table has entries for more memory than there is. */
    g_assert_cmphex(psp_rmp(&p, T_RAM_END - 0x1000), ==, RMP_HYPERVISOR);
    g_assert_cmphex(psp_rmp(&p, T_RAM_END), ==, RMP_HV_FIXED);
    psp_stop(&p);
}

static void test_snp_init_iommu(void)
{
    Psp p;

    psp_start(&p, "");
    psp_wrmsr(&p, MSR_SYSCFG, SYSCFG_SNP);
    psp_assert(PSP_CMD0(&p, SNP_INIT), HWERROR_PLATFORM);
    psp_stop(&p);
}

static void test_snp_init_list(void)
{
    struct QEMU_PACKED {
        SnpRangeList head;
        SnpRange range[2];
    } list = {
        .head = { .num_elements = 2 },
        .range = { { T_HV, 2 }, { 0xfd00000000ull, 0x300000 } },
    };
    SnpBufInitEx buf = {
        .flags = SNP_INIT_LIST_EN, .list_paddr = T_LIST + 8,
    };
    Psp p;

    psp_start(&p, DEFAULT);
    psp_wrmsr(&p, MSR_SYSCFG, SYSCFG_SNP);
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_PARAM);
    buf.flags |= SNP_INIT_RMP;
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_ADDRESS);
    buf.list_paddr = T_LIST;
    list.head.num_elements = 0x1000;
    qtest_memwrite(p.qts, T_LIST, &list, sizeof(list));
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), INVALID_PARAM);
    list.head.num_elements = 2;
    qtest_memwrite(p.qts, T_LIST, &list, sizeof(list));
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), SUCCESS);
    g_assert_cmphex(psp_rmp(&p, T_HV), ==, RMP_HV_FIXED);
    g_assert_cmphex(psp_rmp(&p, T_HV + 0x1000), ==, RMP_HV_FIXED);
    g_assert_cmphex(psp_rmp(&p, T_HV + 0x2000), ==, RMP_HYPERVISOR);
    psp_stop(&p);
}

static void test_snp_shutdown(void)
{
    SnpBufShutdownEx buf = { .length = 4 };
    SevBufInit sev = { 0 };
    Psp p;

    psp_start(&p, DEFAULT);
    psp_snp_init(&p);
    psp_assert(PSP_CMD(&p, INIT, &sev), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_SHUTDOWN_EX, &buf), INVALID_PARAM);
    buf.length = sizeof(buf);
    buf.flags = SNP_SHUTDOWN_X86;
    psp_assert(PSP_CMD(&p, SNP_SHUTDOWN_EX, &buf), INVALID_PARAM);
    buf.flags = 1 << 7;
    psp_assert(PSP_CMD(&p, SNP_SHUTDOWN_EX, &buf), INVALID_PARAM);
    buf.flags = SNP_SHUTDOWN_IOMMU;
    psp_assert(PSP_CMD(&p, SNP_SHUTDOWN_EX, &buf), INVALID_PLATFORM_STATE);
    psp_assert(PSP_CMD0(&p, SHUTDOWN), SUCCESS);
    psp_new_guest(&p, T_GCTX, T_POLICY, T_ASID);
    psp_assert(psp_launch_finish(&p, T_GCTX), SUCCESS);
    /* Not with guests, and a flush does not change that */
    psp_assert(PSP_CMD(&p, SNP_SHUTDOWN_EX, &buf), DFFLUSH_REQUIRED);
    psp_wbinvd(&p);
    psp_assert(PSP_CMD0(&p, SNP_DF_FLUSH), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_SHUTDOWN_EX, &buf), DFFLUSH_REQUIRED);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_DECOMMISSION, T_GCTX), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_SHUTDOWN_EX, &buf), DFFLUSH_REQUIRED);
    psp_wbinvd(&p);
    psp_assert(PSP_CMD0(&p, SNP_DF_FLUSH), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_SHUTDOWN_EX, &buf), SUCCESS);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_GCTX_CREATE, T_GCTX),
               INVALID_PLATFORM_STATE);
    psp_stop(&p);
}

static uint8_t rmp_init(Psp *p, uint64_t address)
{
    SnpPlatformStatus st;

    psp_assert(psp_addr_cmd(p, SEV_CMD_SNP_PLATFORM_STATUS, address), SUCCESS);
    qtest_memread(p->qts, address, &st, sizeof(st));
    return st.is_rmp_init;
}

/* The remaining state of SNP depends on what was shut down. */
static void test_snp_shutdown_again(void)
{
    SnpBufShutdownEx buf = {
        .length = sizeof(buf), .flags = SNP_SHUTDOWN_IOMMU,
    };
    SnpBufConfig config = { .flags = SNP_STATUS_MASK_CHIP_ID };
    SnpBufInitEx init = { 0 };
    SevBufInit sev = { 0 };
    SnpPlatformStatus st;
    Psp p;

    psp_start(&p, DEFAULT);
    g_assert_cmphex(rmp_init(&p, T_HV), ==, 0);
    psp_snp_init(&p);
    g_assert_cmphex(rmp_init(&p, T_OUT), ==,
                    SNP_STATUS_RMP_INIT | SNP_STATUS_ALIAS_CHECK);
    psp_assert(PSP_CMD(&p, SNP_CONFIG, &config), SUCCESS);
    psp_assert(PSP_CMD0(&p, SNP_SHUTDOWN), SUCCESS);
    g_assert_cmphex(rmp_init(&p, T_HV), ==,
                    SNP_STATUS_RMP_INIT | SNP_STATUS_ALIAS_CHECK);
    qtest_memread(p.qts, T_HV, &st, sizeof(st));
    g_assert_cmphex(st.flags & SNP_STATUS_MASK_CHIP_ID, !=, 0);
    psp_assert(PSP_CMD(&p, INIT, &sev), SUCCESS);
    psp_assert(PSP_CMD0(&p, SHUTDOWN), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &init), SUCCESS);
    psp_wbinvd(&p);
    psp_assert(PSP_CMD0(&p, SNP_DF_FLUSH), SUCCESS);

    /* With the IOMMU's part the RMP is no longer initialized, */
    psp_assert(PSP_CMD(&p, SNP_SHUTDOWN_EX, &buf), SUCCESS);
    g_assert_cmphex(rmp_init(&p, T_HV), ==, 0);
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &init), RMP_INIT_REQUIRED);
    psp_assert(PSP_CMD(&p, INIT, &sev), INVALID_PLATFORM_STATE);
    psp_snp_init(&p);

    /* and with the processors' part SNP is disabled. */
    buf.flags |= SNP_SHUTDOWN_X86;
    psp_assert(PSP_CMD(&p, SNP_SHUTDOWN_EX, &buf), SUCCESS);
    init.flags = SNP_INIT_RMP;
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &init), INVALID_CONFIG);
    psp_assert(PSP_CMD(&p, INIT, &sev), SUCCESS);
    psp_assert(PSP_CMD0(&p, SHUTDOWN), SUCCESS);
    psp_snp_init(&p);
    psp_stop(&p);
}

static void test_snp_status(void)
{
    SnpPlatformStatus st;
    Psp p;

    psp_start(&p, DEFAULT);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PLATFORM_STATUS, T_HV), SUCCESS);
    qtest_memread(p.qts, T_HV, &st, sizeof(st));
    g_assert_cmpuint(st.state, ==, SEV_PSTATE_UNINIT);
    g_assert_cmpuint(st.is_rmp_init, ==, 0);
    psp_snp_init(&p);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PLATFORM_STATUS, T_HV),
               INVALID_PAGE_STATE);
    /* A buffer that spans two pages, both of them Firmware pages */
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PLATFORM_STATUS, T_OUT + 0xff0),
               INVALID_PARAM);
    /* A context is not a guest yet. */
    psp_gctx_create(&p, T_GCTX);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PLATFORM_STATUS, T_OUT), SUCCESS);
    qtest_memread(p.qts, T_OUT, &st, sizeof(st));
    g_assert_cmpuint(st.guest_count, ==, 0);
    psp_assert(psp_launch_start(&p, T_GCTX, T_POLICY), SUCCESS);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PLATFORM_STATUS, T_OUT), SUCCESS);
    qtest_memread(p.qts, T_OUT, &st, sizeof(st));
    g_assert_cmpuint(st.api_major, ==, SEV_FW_API_MAJOR);
    g_assert_cmpuint(st.api_minor, ==, SEV_FW_API_MINOR);
    g_assert_cmpuint(st.state, ==, SEV_PSTATE_INIT);
    g_assert_cmphex(st.is_rmp_init, ==,
                    SNP_STATUS_RMP_INIT | SNP_STATUS_ALIAS_CHECK);
    g_assert_cmpuint(st.guest_count, ==, 1);
    g_assert_cmphex(st.current_tcb, ==, st.reported_tcb);
    psp_stop(&p);
}

static void test_feature_info(void)
{
    SnpBufFeatureInfo buf = { .length = 4, .address = T_HV };
    Psp p;

    psp_start(&p, "");
    psp_assert(PSP_CMD(&p, SNP_FEATURE_INFO, &buf), INVALID_PARAM);
    buf.length = sizeof(buf);
    buf.ecx_in = 2;
    psp_assert(PSP_CMD(&p, SNP_FEATURE_INFO, &buf), INVALID_PARAM);
    buf.ecx_in = 1;
    psp_assert(PSP_CMD(&p, SNP_FEATURE_INFO, &buf), SUCCESS);
    g_assert_cmphex(qtest_readl(p.qts, T_HV), ==, 0x1ff);
    buf.ecx_in = 0;
    psp_assert(PSP_CMD(&p, SNP_FEATURE_INFO, &buf), SUCCESS);
    g_assert_cmphex(qtest_readl(p.qts, T_HV), ==, 1);
    g_assert_cmphex(qtest_readl(p.qts, T_HV + 4), ==, 1);
    g_assert_cmphex(qtest_readl(p.qts, T_HV + 8), ==, 3);
    psp_stop(&p);
}

static void test_snp_config(void)
{
    SnpBufConfig buf = { .flags = 1 << 5 };
    SnpBufCommit commit = { .length = 8 };
    SnpPlatformStatus st;
    Psp p;

    psp_start(&p, ",tcb=0x0503000000000201");
    psp_assert(PSP_CMD(&p, SNP_CONFIG, &buf), INVALID_PARAM);
    buf.flags = SNP_STATUS_MASK_CHIP_ID;
    buf.reserved[7] = 1;
    psp_assert(PSP_CMD(&p, SNP_CONFIG, &buf), INVALID_PARAM);
    buf.reserved[7] = 0;
    buf.reported_tcb = 0x0503000000000301ull;
    psp_assert(PSP_CMD(&p, SNP_CONFIG, &buf), INVALID_PARAM);
    buf.reported_tcb = 0x0403000000000101ull;
    psp_assert(PSP_CMD(&p, SNP_CONFIG, &buf), SUCCESS);
    psp_assert(PSP_CMD(&p, SNP_COMMIT, &commit), INVALID_PARAM);
    commit.length = sizeof(commit);
    psp_assert(PSP_CMD(&p, SNP_COMMIT, &commit), SUCCESS);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PLATFORM_STATUS, T_HV), SUCCESS);
    qtest_memread(p.qts, T_HV, &st, sizeof(st));
    g_assert_cmphex(st.current_tcb, ==, 0x0503000000000201ull);
    g_assert_cmphex(st.reported_tcb, ==, 0x0403000000000101ull);
    g_assert_cmphex(st.flags & SNP_STATUS_MASK_CHIP_ID, !=, 0);
    psp_stop(&p);
}

/* A reset clears all guests, and the RMP is no longer initialized. */
static void test_reset(void)
{
    SnpBufInitEx buf = { 0 };
    SnpPlatformStatus st;
    Psp p;

    psp_start(&p, DEFAULT);
    psp_snp_init(&p);
    psp_new_guest(&p, T_GCTX, T_POLICY, T_ASID);
    psp_reset(&p);
    psp_assert(psp_addr_cmd(&p, SEV_CMD_SNP_PLATFORM_STATUS, T_HV), SUCCESS);
    qtest_memread(p.qts, T_HV, &st, sizeof(st));
    g_assert_cmpuint(st.state, ==, SEV_PSTATE_UNINIT);
    g_assert_cmpuint(st.is_rmp_init, ==, 0);
    g_assert_cmpuint(st.guest_count, ==, 0);
    psp_wrmsr(&p, MSR_SYSCFG, SYSCFG_SNP);
    psp_assert(PSP_CMD(&p, SNP_INIT_EX, &buf), RMP_INIT_REQUIRED);
    psp_snp_init(&p);
    psp_new_guest(&p, T_GCTX, T_POLICY, T_ASID);
    psp_stop(&p);
}

static void test_fail(void)
{
    QDict *answer;
    Psp p;

    psp_start(&p, ",x-fail=NOP:INVALID_GUEST:2+SHUTDOWN:0x13");
    psp_assert(PSP_CMD0(&p, NOP), SUCCESS);
    psp_assert(PSP_CMD0(&p, NOP), INVALID_GUEST);
    psp_assert(PSP_CMD0(&p, NOP), SUCCESS);
    psp_assert(PSP_CMD0(&p, SHUTDOWN), HWERROR_PLATFORM);
    psp_assert(PSP_CMD0(&p, SHUTDOWN), HWERROR_PLATFORM);
    qtest_qmp_assert_success(p.qts, "{'execute': 'qom-set', 'arguments': {"
        "'path': '/machine/peripheral/psp', 'property': 'x-fail', "
        "'value': 'NOP:RESOURCE_LIMIT'}}");
    psp_assert(PSP_CMD0(&p, NOP), RESOURCE_LIMIT);
    psp_assert(PSP_CMD0(&p, NOP), RESOURCE_LIMIT);
    psp_assert(PSP_CMD0(&p, SHUTDOWN), SUCCESS);
    answer = qtest_qmp(p.qts, "{'execute': 'qom-set', 'arguments': {"
        "'path': '/machine/peripheral/psp', 'property': 'x-fail', "
        "'value': 'NOTHING:SUCCESS'}}");
    g_assert_true(qdict_haskey(answer, "error"));
    qobject_unref(answer);
    psp_assert(PSP_CMD0(&p, NOP), SUCCESS);
    psp_stop(&p);
}

/* Commands with a delay: the response comes, but not immediately. */
static void test_delay(void)
{
    int64_t start;
    Psp p;

    psp_start(&p, ",x-delay=NOP:300");
    start = g_get_monotonic_time();
    psp_assert(PSP_CMD0(&p, SHUTDOWN), SUCCESS);
    psp_assert(PSP_CMD0(&p, NOP), SUCCESS);
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 290000);
    /* A reset cancels it. */
    qpci_io_writel(p.dev, p.bar, PSP_REG_CMDRESP,
                   SEV_CMD_NOP << PSP_CMDRESP_CMD_SHIFT);
    g_usleep(50000);
    g_assert_cmphex(qpci_io_readl(p.dev, p.bar, PSP_REG_CMDRESP) &
                    PSP_CMDRESP_RESPONSE, ==, 0);
    psp_reset(&p);
    qtest_qmp_assert_success(p.qts, "{'execute': 'qom-set', 'arguments': {"
        "'path': '/machine/peripheral/psp', 'property': 'x-delay', "
        "'value': 'ALL:100+NOP:0'}}");
    start = g_get_monotonic_time();
    psp_assert(PSP_CMD0(&p, SHUTDOWN), SUCCESS);
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 90000);
    psp_stop(&p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/amd-psp/snp-init/msrs", test_snp_init_msrs);
    qtest_add_func("/amd-psp/snp-init/holes", test_snp_init_holes);
    qtest_add_func("/amd-psp/snp-shutdown/again", test_snp_shutdown_again);
    qtest_add_func("/amd-psp/delay", test_delay);
    qtest_add_func("/amd-psp/registers", test_registers);
    qtest_add_func("/amd-psp/interrupt", test_interrupt);
    qtest_add_func("/amd-psp/commands", test_commands);
    qtest_add_func("/amd-psp/snp-init/checks", test_snp_init);
    qtest_add_func("/amd-psp/snp-init/iommu", test_snp_init_iommu);
    qtest_add_func("/amd-psp/snp-init/list", test_snp_init_list);
    qtest_add_func("/amd-psp/snp-shutdown", test_snp_shutdown);
    qtest_add_func("/amd-psp/snp-status", test_snp_status);
    qtest_add_func("/amd-psp/feature-info", test_feature_info);
    qtest_add_func("/amd-psp/snp-config", test_snp_config);
    qtest_add_func("/amd-psp/reset", test_reset);
    qtest_add_func("/amd-psp/fail", test_fail);
    return g_test_run();
}
