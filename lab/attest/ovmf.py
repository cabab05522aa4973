# SPDX-License-Identifier: GPL-2.0
"""What an OVMF image says about itself in the tables below its reset vector."""

import struct
import uuid

FOOTER = uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d")
SEV_METADATA = uuid.UUID("dc886566-984a-4798-a75e-5585a7bf67cc")
SEV_HASH_TABLE = uuid.UUID("7255371f-3a3b-4b04-927b-1da6efa8d454")
SEV_ES_RESET = uuid.UUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")

# Section types of the SEV metadata.
SEC_MEM, SECRETS, CPUID, SVSM_CAA, KERNEL_HASHES = 1, 2, 3, 4, 0x10

FOUR_GIB = 1 << 32
ENTRY = struct.Struct("<H16s")


class Ovmf:
    """An image that ends at 4 GiB."""

    def __init__(self, image):
        self.image = image
        self.base = FOUR_GIB - len(image)
        self.table = dict(self._entries())

    def _entries(self):
        """Entries lie below the footer, which ends 32 bytes before the image: data, length, GUID."""
        end = len(self.image) - 32
        length, guid = ENTRY.unpack_from(self.image, end - ENTRY.size)
        if uuid.UUID(bytes_le=guid) != FOOTER:
            raise ValueError("no GUID table at the end of the image")
        start = end - length
        end -= ENTRY.size
        while end > start:
            length, guid = ENTRY.unpack_from(self.image, end - ENTRY.size)
            if not ENTRY.size <= length <= end - start:
                raise ValueError("the GUID table is broken")
            yield uuid.UUID(bytes_le=guid), self.image[end - length:end - ENTRY.size]
            end -= length

    def sections(self):
        """(address, size, type) of each section of the SEV metadata, in order."""
        if SEV_METADATA not in self.table:
            raise ValueError("the image has no SEV metadata")
        at = len(self.image) - struct.unpack("<I", self.table[SEV_METADATA])[0]
        magic, _size, version, count = struct.unpack_from("<4sIII", self.image, at)
        if magic != b"ASEV" or version != 1:
            raise ValueError("unknown SEV metadata")
        return [struct.unpack_from("<III", self.image, at + 16 + 12 * i) for i in range(count)]

    def ap_reset(self):
        """Where the other processors start: a 32-bit address."""
        return struct.unpack_from("<I", self.table[SEV_ES_RESET])[0]

    def hash_table(self):
        """(address, size) of the area for the kernel's hashes; None if the image takes none."""
        found = self.table.get(SEV_HASH_TABLE)
        if not found or len(found) < 8:
            return None
        base, size = struct.unpack_from("<II", found)
        return (base, size) if base else None
