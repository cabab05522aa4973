# SPDX-License-Identifier: GPL-2.0
"""The table of hashes with which QEMU binds kernel, initrd and command line to a launch."""

import hashlib
import struct
import uuid

TABLE = uuid.UUID("9438d606-4f22-4cc9-b479-a793d411fd21")
CMDLINE = uuid.UUID("97d02dd8-bd20-4c94-aa78-e7714d36ab2a")
INITRD = uuid.UUID("44baf731-3a2f-4bd7-9af1-41e29169781d")
KERNEL = uuid.UUID("4de79437-abd2-427f-b835-d5b172d2045b")

PAGE = 4096


def entry(guid, digest):
    return guid.bytes_le + struct.pack("<H", 16 + 2 + len(digest)) + digest


def table(kernel, initrd, cmdline):
    """As it lies in memory, padded to 16 bytes. The command line counts with its final NUL."""
    body = b"".join(entry(guid, hashlib.sha256(data).digest()) for guid, data in (
        (CMDLINE, cmdline.encode() + b"\0"), (INITRD, initrd), (KERNEL, kernel)))
    whole = TABLE.bytes_le + struct.pack("<H", 16 + 2 + len(body)) + body
    return whole + bytes(-len(whole) % 16)


def page(address, kernel, initrd, cmdline):
    """The page that has the table at its address, and zeros."""
    content = bytes(address % PAGE) + table(kernel, initrd, cmdline)
    if len(content) > PAGE:
        raise ValueError("the table of hashes does not fit into its page")
    return content + bytes(PAGE - len(content))
