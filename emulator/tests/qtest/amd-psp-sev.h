/*
 * AMD Secure Processor: SEV and SEV-ES guests for its tests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_QTEST_AMD_PSP_SEV_H
#define TESTS_QTEST_AMD_PSP_SEV_H

#include "amd-psp.h"

#define T_CERT      T_GCTX      /* buffer for certificates, a page each */
#define T_DATA      T_PAGE
#define T_NV        0x200000
#define T_TMR_LEN   0x100000
#define T_ES_ASID   1

uint16_t sev_init(Psp *p, bool es);

/* A machine with SEV and without SNP, ready for guests */
void sev_start(Psp *p);

uint16_t sev_handle_cmd(Psp *p, uint32_t id, uint32_t handle);
uint16_t sev_region_cmd(Psp *p, uint32_t id, uint32_t handle,
                        uint64_t address, uint32_t len);
#define SEV_HANDLE(p, name, handle) sev_handle_cmd(p, SEV_CMD_##name, handle)
#define SEV_REGION(p, name, handle, address, len) \
    sev_region_cmd(p, SEV_CMD_##name, handle, address, len)
uint16_t sev_activate(Psp *p, uint32_t handle, uint32_t asid);

/* A new guest's handle */
uint32_t sev_launch_start(Psp *p, uint32_t policy);
uint8_t sev_guest_state(Psp *p, uint32_t handle);

#endif
