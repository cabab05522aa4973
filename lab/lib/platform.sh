# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# What lab/boot --platform NAME means. The emulator's options for an SNP machine stand here only.

PLATFORM_DEVICES=() PLATFORM_CMDLINE='' VIRTIO=''
# Where the firmware leaves the certificates of its own root.
PSP_CERTS=$WORK/image/psp

platform()
{
	case $1 in
	epyc) ;;
	iommu) platform_iommu ;;
	snp) platform_iommu; platform_snp ;;
	*) die "no platform '$1': epyc, iommu, snp" ;;
	esac
}

# An IOMMU that translates: every virtio device's DMA goes through it.
platform_iommu()
{
	CPU=EPYC-Milan MEM=4G
	PLATFORM_DEVICES+=(-device "amd-iommu,intremap=on,xtsup=on")
	VIRTIO=,iommu_platform=on,disable-legacy=on
}

platform_snp()
{
	mkdir -p "$PSP_CERTS"
	CPU=EPYC-Milan,x-snp=on MEM=6G
	PLATFORM_DEVICES=(-device "amd-iommu,intremap=on,xtsup=on,x-snp=on" -device "amd-psp,cert-dir=$PSP_CERTS")
	PLATFORM_CMDLINE+=' kvm_amd.sev=1 kvm_amd.sev_es=1 kvm_amd.sev_snp=1'
}
