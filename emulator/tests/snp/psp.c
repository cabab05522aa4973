/*
 * SEV-SNP tests: the security processor's mailbox
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "psp.h"

#define PCI_ADDRESS     0xcf8
#define PCI_DATA        0xcfc
#define PCI_COMMAND     0x04
#define PCI_MEMORY      BIT(1)
#define PCI_BUS_MASTER  BIT(2)
#define PCI_BAR2        0x18
#define PCI_ID          0x14ca1022

#define REG_CMDRESP     0x10980
#define REG_CMDBUFF_LO  0x109e0
#define REG_CMDBUFF_HI  0x109e4
#define RESPONSE        BIT(31)

#define TMR             0x0d000000ULL
#define TMR_LEN         0x100000
#define TRIES           100000000

static u64 bar;
static u8 cmdbuf[4096] PAGE_ALIGNED;
static u8 measurement[4096] PAGE_ALIGNED;

static u32 pci_read(u32 devfn, u32 offset)
{
    u32 val;

    asm volatile("outl %0, %w1" : : "a"((u32)BIT(31) | devfn << 8 | offset),
                 "d"(PCI_ADDRESS));
    asm volatile("inl %w1, %0" : "=a"(val) : "d"(PCI_DATA));
    return val;
}

static void pci_write(u32 devfn, u32 offset, u32 val)
{
    asm volatile("outl %0, %w1" : : "a"((u32)BIT(31) | devfn << 8 | offset),
                 "d"(PCI_ADDRESS));
    asm volatile("outl %0, %w1" : : "a"(val), "d"(PCI_DATA));
}

u64 psp_pci_bar(u32 id, u32 offset)
{
    u32 devfn;

    for (devfn = 0; devfn < 256; devfn++) {
        if (pci_read(devfn, 0) == id) {
            pci_write(devfn, PCI_COMMAND, PCI_MEMORY | PCI_BUS_MASTER);
            return pci_read(devfn, offset) & ~15ULL;
        }
    }
    return 0;
}

bool psp_find(void)
{
    bar = psp_pci_bar(PCI_ID, PCI_BAR2);
    return bar != 0;
}

u32 psp_cmd(u32 id, void *buf, size_t len)
{
    mem32 *resp = (mem32 *)(bar + REG_CMDRESP);
    u32 tries = TRIES;

    memcpy(cmdbuf, buf, len);
    *(mem32 *)(bar + REG_CMDBUFF_LO) = (u64)cmdbuf;
    *(mem32 *)(bar + REG_CMDBUFF_HI) = 0;
    *resp = id << 16;
    while (!(*resp & RESPONSE) && --tries) {
        asm volatile("pause");
    }
    memcpy(buf, cmdbuf, len);
    return tries ? *resp & 0xffff : ~0U;
}

u32 psp_handle_cmd(u32 id, u32 handle)
{
    return psp_cmd(id, &handle, sizeof(handle));
}

u32 psp_region_cmd(u32 id, u32 handle, u64 address, u32 len)
{
    u32 buf[5] = { handle, 0, address, address >> 32, len };

    if (id == PSP_LAUNCH_MEASURE) {
        buf[2] = (u64)measurement;
        buf[4] = sizeof(measurement);
    }
    return psp_cmd(id, buf, sizeof(buf));
}

u32 psp_init_es(void)
{
    u32 buf[5] = { 1, 0, TMR, 0, TMR_LEN };

    return psp_cmd(PSP_INIT, buf, sizeof(buf));
}

u32 psp_launch(u32 asid, u32 policy)
{
    u32 start[9] = { 0, policy }, activate[2];

    check_eq(psp_cmd(PSP_LAUNCH_START, start, sizeof(start)), 0,
             "LAUNCH_START");
    activate[0] = start[0];
    activate[1] = asid;
    check_eq(psp_cmd(PSP_ACTIVATE, activate, sizeof(activate)), 0, "ACTIVATE");
    return start[0];
}

u32 psp_launch_es(u32 asid)
{
    return psp_launch(asid, PSP_POLICY_ES);
}
