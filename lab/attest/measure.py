# SPDX-License-Identifier: GPL-2.0
"""The launch digest of an SNP guest, as the firmware extends it page by page."""

import hashlib
import struct

import kernel_hashes
import ovmf
import vmsa

PAGE = 4096
BSP_START = 0xfffffff0
# KVM gives the save areas the highest guest page that there can be.
VMSA_GPA = 0xfffffffff000

NORMAL, VMSA, ZERO, UNMEASURED, SECRETS, CPUID = 1, 2, 3, 4, 5, 6
NO_CONTENT = bytes(48)


class Digest:
    """The chain: each step hashes the digest so far and what there is to know of one page."""

    def __init__(self):
        self.value = bytes(48)

    def page(self, kind, gpa, content=NO_CONTENT):
        info = self.value + content + struct.pack("<HBBBBBBQ", 0x70, kind, 0, 0, 0, 0, 0, gpa)
        assert len(info) == 0x70
        self.value = hashlib.sha384(info).digest()

    def data(self, kind, gpa, data):
        assert not len(data) % PAGE
        for at in range(0, len(data), PAGE):
            self.page(kind, gpa + at, hashlib.sha384(data[at:at + PAGE]).digest())

    def blank(self, kind, gpa, size):
        """Pages whose content does not count."""
        for at in range(0, size, PAGE):
            self.page(kind, gpa + at)


SECTION_KINDS = {ovmf.SEC_MEM: ZERO, ovmf.SVSM_CAA: ZERO, ovmf.SECRETS: SECRETS, ovmf.CPUID: CPUID}


def add_sections(digest, image, hashes):
    for gpa, size, kind in image.sections():
        if kind == ovmf.KERNEL_HASHES:
            if hashes is None:
                digest.blank(ZERO, gpa, size)
            else:
                digest.data(NORMAL, gpa, hashes + bytes(size - len(hashes)))
        elif kind in SECTION_KINDS:
            digest.blank(SECTION_KINDS[kind], gpa, size)
        else:
            raise ValueError(f"unknown section type {kind:#x} in the SEV metadata")


def hashes_page(image, direct):
    """@direct: (kernel, initrd, cmdline) of a measured direct boot, or None."""
    if direct is None:
        return None
    area = image.hash_table()
    if area is None or not any(kind == ovmf.KERNEL_HASHES for _, _, kind in image.sections()):
        raise ValueError("this image does not take hashes of a kernel")
    return kernel_hashes.page(area[0], *direct)


def launch_digest(firmware, cpus, signature, features=vmsa.SEV_FEATURE_SNP, direct=None):
    """In QEMU's order: firmware, sections of the metadata; then KVM adds the CPUs."""
    image = ovmf.Ovmf(firmware)
    digest = Digest()
    digest.data(NORMAL, image.base, firmware)
    add_sections(digest, image, hashes_page(image, direct))
    for cpu in range(cpus):
        start = image.ap_reset() if cpu else BSP_START
        digest.data(VMSA, VMSA_GPA, vmsa.build(start, signature, features))
    return digest.value
