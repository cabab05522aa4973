/*
 * The edu device, for tests of DMA
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_EDU_H
#define TESTS_EDU_H

#include "libqos/pci.h"

#define EDU_SRC         0x80
#define EDU_DST         0x88
#define EDU_COUNT       0x90
#define EDU_CMD         0x98
#define EDU_RUN         1
#define EDU_TO_MEMORY   2
#define EDU_BUFFER      0x40000         /* the device's own memory */

typedef struct Edu {
    QPCIDevice *pci;
    QPCIBar bar;
} Edu;

static inline void edu_find(Edu *edu, QPCIBus *bus, int devfn)
{
    edu->pci = qpci_device_find(bus, devfn);
    g_assert_nonnull(edu->pci);
    qpci_device_enable(edu->pci);
    edu->bar = qpci_iomap(edu->pci, 0, NULL);
}

/* Copy 8 bytes: one of @src and @dst is EDU_BUFFER. */
static inline void edu_start(Edu *edu, uint64_t src, uint64_t dst)
{
    qpci_io_writeq(edu->pci, edu->bar, EDU_SRC, src);
    qpci_io_writeq(edu->pci, edu->bar, EDU_DST, dst);
    qpci_io_writeq(edu->pci, edu->bar, EDU_COUNT, 8);
    qpci_io_writeq(edu->pci, edu->bar, EDU_CMD,
                   EDU_RUN | (src == EDU_BUFFER ? EDU_TO_MEMORY : 0));
}

static inline bool edu_runs(Edu *edu)
{
    return qpci_io_readq(edu->pci, edu->bar, EDU_CMD) & EDU_RUN;
}

#endif
