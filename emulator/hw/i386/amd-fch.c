/*
 * AMD fusion controller hub: the part that the IOMMU's tables refer to
 *
 * The southbridge I/O APIC raises its interrupts as PCI function 00:14.0, which
 * is its source in the I/O virtualization table. Linux considers interrupt
 * remapping broken unless the function exists and is an SMBus or LPC
 * controller. This device has no further function.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/pci/pci_device.h"
#include "qom/object.h"

#define TYPE_AMD_FCH_LPC "amd-fch-lpc"
#define AMD_FCH_LPC_DEVICE_ID 0x790e

static void amd_fch_lpc_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    k->vendor_id = PCI_VENDOR_ID_AMD;
    k->device_id = AMD_FCH_LPC_DEVICE_ID;
    k->class_id = PCI_CLASS_BRIDGE_ISA;
    set_bit(DEVICE_CATEGORY_BRIDGE, dc->categories);
    dc->desc = "AMD LPC bridge, for the source ID of the I/O APIC (addr=14.0)";
    dc->hotpluggable = false;
}

static const TypeInfo amd_fch_lpc_info = {
    .name = TYPE_AMD_FCH_LPC,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(PCIDevice),
    .class_init = amd_fch_lpc_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { },
    },
};

static void amd_fch_register_types(void)
{
    type_register_static(&amd_fch_lpc_info);
}

type_init(amd_fch_register_types)
