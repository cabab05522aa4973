/*
 * AMD Secure Processor: functions that its tests share
 *
 * The machine has one processor, which runs a loop that sets MSRs and writes
 * back caches when the test requests it. The test stores RMP entries in memory,
 * in place of RMPUPDATE.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_QTEST_AMD_PSP_H
#define TESTS_QTEST_AMD_PSP_H

#include "libqtest.h"
#include "libqos/pci-pc.h"
#include "hw/misc/amd-sev-fw.h"
#include "hw/misc/amd-sev-fw-layout.h"

typedef struct Psp {
    QTestState *qts;
    QPCIBus *bus;
    QPCIDevice *dev;
    QPCIBar bar;
    uint64_t rmp;               /* RMP_BASE */
} Psp;

/* Memory layout of the tests */
#define T_CMDBUF        0x100000
#define T_GCTX          0x101000
#define T_GCTX2         0x102000
#define T_OUT           0x103000        /* Firmware page after psp_snp_init() */
#define T_OUT2          0x104000
#define T_HV            0x105000        /* stays hypervisor-owned */
#define T_PAGE          0x106000        /* a guest's */
#define T_SECRETS       0x107000
#define T_LIST          0x108000
#define T_HUGE          0x400000
#define T_TMR           0x800000
#define T_RAM_END       0x10000000

/* RMP entries, as they are stored on Milan and Genoa */
#define RMP_ENTRIES     0x4000          /* from RMP_BASE */
#define RMP_ASSIGNED    (1ull << 0)
#define RMP_2M          (1ull << 1)
#define RMP_IMMUTABLE   (1ull << 2)
#define RMP_GPA(x)      ((uint64_t)(x))
#define RMP_ASID(x)     ((uint64_t)(x) << 51)
#define RMP_VMSA        (1ull << 61)
#define RMP_VALIDATED   (1ull << 62)

#define RMP_HYPERVISOR  0ull
#define RMP_HV_FIXED    RMP_IMMUTABLE
#define RMP_RECLAIM     RMP_ASSIGNED
#define RMP_FIRMWARE    (RMP_ASSIGNED | RMP_IMMUTABLE)
#define RMP_CONTEXT     (RMP_FIRMWARE | RMP_VMSA)
#define RMP_PRE_GUEST(asid, gpa) \
    (RMP_ASSIGNED | RMP_IMMUTABLE | RMP_ASID(asid) | RMP_GPA(gpa))
#define RMP_GUEST_VALID(asid, gpa) \
    (RMP_ASSIGNED | RMP_ASID(asid) | RMP_GPA(gpa) | RMP_VALIDATED)

#define MSR_SYSCFG      0xc0010010
/* MFDM, SMEE, SNPEn, VMPLEn */
#define SYSCFG_SNP      (1u << 19 | 1u << 23 | 1u << 24 | 1u << 25)
#define SYSCFG_MFDM     (1u << 19)
#define SYSCFG_VMPLEN   (1u << 25)
#define MSR_HSAVE_PA    0xc0010117
#define MSR_RMP_END     0xc0010133

#define T_POLICY        (SNP_POLICY_MBO | SNP_POLICY_SMT)
#define T_ASID          1
#define T_SEV_ASID      101     /* the first ASID for SEV-only guests */

/* Start a machine; @options are for the device and start with a comma. */
void psp_start(Psp *p, const char *options);
/* The same with more devices: @devices are arguments of QEMU. */
void psp_start_with(Psp *p, const char *devices, const char *options);
void psp_reset(Psp *p);
void psp_stop(Psp *p);

void psp_wrmsr(Psp *p, uint32_t msr, uint64_t value);
void psp_wbinvd(Psp *p);

uint64_t psp_rmp(Psp *p, uint64_t spa);
void psp_set_rmp(Psp *p, uint64_t spa, uint64_t entry);
/* The second half of an entry: permissions, a byte for each VMPL */
uint64_t psp_rmp_perms(Psp *p, uint64_t spa);
void psp_set_rmp_perms(Psp *p, uint64_t spa, uint64_t perms);

/* Execute a command; its buffer is at T_CMDBUF, and read back into @buf. */
uint16_t psp_cmd(Psp *p, uint32_t id, void *buf, size_t len);
#define PSP_CMD(p, name, buf) psp_cmd(p, SEV_CMD_##name, buf, sizeof(*(buf)))
#define PSP_CMD0(p, name) psp_cmd(p, SEV_CMD_##name, NULL, 0)
#define psp_assert(call, status) \
    g_assert_cmphex(call, ==, SEV_STATUS_##status)

/* SNP_INIT_EX and SNP_DF_FLUSH; T_OUT and T_OUT2 become Firmware pages */
void psp_snp_init(Psp *p);

/* Create a context at T_GCTX, or at @gctx, and the steps that follow */
void psp_gctx_create(Psp *p, uint64_t gctx);
uint16_t psp_launch_start(Psp *p, uint64_t gctx, uint64_t policy);
uint16_t psp_activate(Psp *p, uint64_t gctx, uint32_t asid);
uint16_t psp_launch_update(Psp *p, uint64_t gctx, uint64_t spa, int type,
                           uint32_t flags);
uint16_t psp_launch_finish(Psp *p, uint64_t gctx);
uint16_t psp_addr_cmd(Psp *p, uint32_t id, uint64_t address);
/* A guest in the LAUNCH state, active */
void psp_new_guest(Psp *p, uint64_t gctx, uint64_t policy, uint32_t asid);

#endif
