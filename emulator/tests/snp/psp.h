/*
 * SEV-SNP tests: the security processor's mailbox
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_SNP_PSP_H
#define TESTS_SNP_PSP_H

#include "rmp.h"

/* Commands */
#define PSP_INIT                0x001
#define PSP_DF_FLUSH            0x00a
#define PSP_DECOMMISSION        0x020
#define PSP_ACTIVATE            0x021
#define PSP_DEACTIVATE          0x022
#define PSP_LAUNCH_START        0x030
#define PSP_LAUNCH_UPDATE_DATA  0x031
#define PSP_LAUNCH_UPDATE_VMSA  0x032
#define PSP_LAUNCH_MEASURE      0x033
#define PSP_LAUNCH_FINISH       0x035
#define PSP_SNP_INIT            0x081

#define PSP_POLICY_ES           BIT(2)

/*
 * Where a device's registers are: the BAR at @offset, or 0 without the device.
 * From then on it can do DMA.
 */
u64 psp_pci_bar(u32 id, u32 offset);

/* Find the device; false if the machine has none. */
bool psp_find(void);

/* Run a command, with its buffer. Returns the status. */
u32 psp_cmd(u32 id, void *buf, size_t len);
u32 psp_handle_cmd(u32 id, u32 handle);
u32 psp_region_cmd(u32 id, u32 handle, u64 address, u32 len);

/* INIT with SEV-ES; WBINVD on all processors and DF_FLUSH have to follow. */
u32 psp_init_es(void);

/* A guest in the LUPDATE state, active; its handle */
u32 psp_launch(u32 asid, u32 policy);
u32 psp_launch_es(u32 asid);

#endif
