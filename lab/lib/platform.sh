# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# What lab/boot --platform NAME means. The emulator's options for an SNP machine stand here only.

PLATFORM_DEVICES=() PLATFORM_CMDLINE='' VIRTIO='' NUMA=1
# What QEMU is told for every host, before anything else.
MACHINE=(-nodefaults -no-user-config -no-reboot -display none -machine "q35,pit=off")
CONSOLE='console=ttyS0 panic=-1 loglevel=5 tsc=reliable'
# Where the firmware leaves the certificates of its own root.
PSP_CERTS=$WORK/image/psp
SNP_FIRMWARE=OVMF.amdsev.fd
TDX_FIRMWARE=OVMF.inteltdx.ms.fd
TDX_MODULE=${TDX_MODULE:-$WORK/build/qemu/seam/seam.elf}
# The key of the machine, and those of its quoting service.
TDX_KEYS=$WORK/image/tdx

platform()
{
	case $1 in
	epyc) ;;
	iommu) platform_iommu ;;
	snp) platform_snp ;;
	vmx) platform_vmx ;;
	tdx) platform_tdx ;;
	tdx-erratum) platform_tdx; CPU=Sapphire${CPU#Granite} ;;
	tdx-loader) platform_tdx; CPU+=,x-seam-loader=on ;;
	old) platform_old ;;
	*) die "no platform '$1': epyc, iommu, snp, vmx, tdx, tdx-erratum, tdx-loader, old" ;;
	esac
}

# A kernel without ACPI finds no other timer than the PIT, and no second node.
platform_old()
{
	MACHINE=("${MACHINE[@]/,pit=off/}")
	SMP=1 NUMA=0
}

# platform_iommu [OPTIONS]: every virtio device's DMA is translated. Linux looks for the I/O APIC at 14.0.
# On a busy machine ticks come late, and Linux panics if it finds that out with interrupt remapping.
platform_iommu()
{
	CPU=EPYC-Milan MEM=4G PLATFORM_CMDLINE=' no_timer_check'
	PLATFORM_DEVICES=(-device "amd-iommu,intremap=on,xtsup=on${1:-}" -device amd-fch-lpc,addr=14.0)
	VIRTIO=,iommu_platform=on,disable-legacy=on
}

# The keys of the memory belong to one block of it, so there is no NUMA.
platform_snp()
{
	mkdir -p "$PSP_CERTS"
	platform_iommu ,x-snp=on
	CPU=EPYC-Milan,x-snp=on MEM=6G NUMA=0
	# With x-snp-stale-lines=on some of a disk's DMA goes through buffers of QEMU's own.
	PLATFORM_DEVICES+=(-global pci-device.x-max-bounce-buffer-size=64M)
	PLATFORM_DEVICES+=(-device "amd-psp,id=psp,cert-dir=$PSP_CERTS")
}

# An Intel server. Interrupt remapping lets it have x2APIC; DMA is translated as on the others.
platform_vmx()
{
	# What the processor has beyond QEMU's model of it. Without BHI_CTRL, Linux takes it for one with ITS.
	CPU=GraniteRapids,vmx=on,check=off,intel-psfd=on,ipred-ctrl=on,rrsba-ctrl=on,bhi-ctrl=on MEM=4G NUMA=0 MODULES=kvm_intel
	PLATFORM_CMDLINE=' no_timer_check intel_iommu=on'
	PLATFORM_DEVICES=(-device intel-iommu,intremap=on,eim=on,device-iotlb=on)
	VIRTIO=,iommu_platform=on,disable-legacy=on
}

# The same with SEAM mode, and a TDX module in it: ours, or TDX_MODULE=FILE. Linux wants to be told to use it.
# Its network leads to the quoting service and nowhere else. Who has the service's keys can make a quote of anything, so
# it runs out of the host's reach, as an enclave does on a real machine.
platform_tdx()
{
	platform_vmx
	mkdir -p "$TDX_KEYS"
	CPU=GraniteRapids,vmx=on,check=off,phys-bits=52,x-seam=on,x-seam-module=$TDX_MODULE
	CPU+=,x-seam-report-key=$TDX_KEYS/report-key
	# A module that was made for hardware, which comes with its layout
	[ ! -e "$TDX_MODULE.layout" ] || CPU+=,x-seam-stubs=on
	PLATFORM_CMDLINE+=' kvm_intel.tdx=1'
	PLATFORM_DEVICES+=(-netdev "user,id=quotes,restrict=on,ipv6=off,guestfwd=tcp:10.0.2.4:4050-cmd:$ROOT/lab/attest/quoted $TDX_KEYS")
	PLATFORM_DEVICES+=(-device "virtio-net-pci,netdev=quotes,romfile=$VIRTIO")
}

# Both append to ARGS, and want platform() to have been called. add_disk NAME FILE [OPTIONS OF -drive]
add_disk() { ARGS+=(-drive "file=$2,format=raw,if=none,id=$1,cache=unsafe${3:-}" -device "virtio-blk-pci,drive=$1,serial=$1$VIRTIO"); }

add_rng() { ARGS+=(-object rng-random,id=rng,filename=/dev/urandom -device "virtio-rng-pci,rng=rng$VIRTIO"); }
