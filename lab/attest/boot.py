# SPDX-License-Identifier: GPL-2.0
"""What shim and grub measure of a Linux kernel that they boot, found in a TD's event log.

An event's type and text are not measured, only its digest is: events are looked for by their place. The kernel is the
last thing in register 2 before the end of boot services, command line and initramfs are the last two in register 3.
"""

import hashlib
import struct

END_OF_BOOT_SERVICES = b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success"
PE32_PLUS = 0x20b
KERNEL_NAME = "/vmlinuz"        # on the disk of lab/host/guests/guest


def sha384(data):
    return hashlib.sha384(data).digest()


def authenticode(image):
    """The digest of a PE file that Secure Boot verifies: all but the checksum, and where the signature is."""
    try:
        header = struct.unpack_from("<I", image, 0x3c)[0]
        optional = header + 24
        if image[header:header + 4] != b"PE\0\0":
            raise ValueError("the kernel is no PE file")
        directories = optional + (112 if struct.unpack_from("<H", image, optional)[0] == PE32_PLUS else 96)
        security = directories + 32
        at, size = struct.unpack_from("<II", image, security)
    except struct.error as error:
        raise ValueError("the kernel is no PE file") from error
    end = at if size else len(image)
    return sha384(image[:optional + 64] + image[optional + 68:security] + image[security + 8:end] +
                  (image[at + size:] if size else b""))


def check(events, kernel, initrd, command_line):
    """(what, whether it is so); @events are (register, digest), register 1 is RTMR0"""
    of = {register: [digest for number, digest in events if number == register] for register in (2, 3)}
    command_line = f"BOOT_IMAGE={KERNEL_NAME} {command_line}".encode("utf-16-le")
    yield "the kernel is the last image before the end of boot services", \
        of[2][-3:] == [authenticode(kernel), *map(sha384, END_OF_BOOT_SERVICES)]
    yield "command line and initramfs are the last that the boot loader has measured", \
        of[3][-2:] == [sha384(command_line), sha384(initrd)]
