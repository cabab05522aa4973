#!/usr/bin/env python3
#
# Make an image of a TDX module, as a P-SEAMLDR installs it
#
# SPDX-License-Identifier: GPL-2.0-or-later
"""A header ("TDX-BLOB"), SEAM_SIGSTRUCT without a signature, the module"""

import argparse
import datetime
import hashlib
import struct

PAGE = 4096
MAX_PAGES = 496
IMAGE_VERSION = 0x200

# Numbers of pc-bios/seam
STACK_PAGES = 4
WINDOWS = 64
MAX_TDMRS = 64
MAX_RESERVED = 16
PAMT_ENTRY = 16
HANDOFF_VERSION = 0
HANDOFF_PAGES = 8
# CPUID leaf 1, EAX: GraniteRapids, SapphireRapids
CPUIDS = (0xa06d0, 0x806f4)


def pages(data):
    """The data, up to the end of their last page"""
    return data + bytes(-len(data) % PAGE)


def sigstruct(module, svn=1, cpuids=CPUIDS, date=None):
    """Of a module's pages. There is no key to sign it with."""
    date = date or datetime.date.today().strftime('%Y%m%d')
    header = struct.pack('<10I', 6, 0xe1, 0x10000, 0, 0x8086, int(date, 16),
                         0x200, 0x60, 0x60, 1)
    body = struct.pack('<48sHQIBBHHHH3H6xHHBxH8x24x',
                       hashlib.sha384(module).digest(), svn, 0, 0,
                       STACK_PAGES - 1, 0, WINDOWS, 0, MAX_TDMRS, MAX_RESERVED,
                       PAMT_ENTRY, PAMT_ENTRY, PAMT_ENTRY, HANDOFF_VERSION,
                       HANDOFF_VERSION, 1, HANDOFF_PAGES)
    out = header + bytes(900 - len(header)) + body
    out += struct.pack(f'<I{len(cpuids)}I', len(cpuids), *cpuids)
    return pages(out)


def image(module, **options):
    """All of it"""
    module = pages(module)
    if len(module) > MAX_PAGES * PAGE:
        raise ValueError(f'{len(module)} bytes are more than {MAX_PAGES} pages')
    sig = sigstruct(module, **options)
    rest = b'TDX-BLOB' + struct.pack('<II', len(sig) // PAGE,
                                     len(module) // PAGE)
    body = sig + module
    words = struct.pack('<H', IMAGE_VERSION) + rest + body
    # All 16-bit words add up to 0.
    check = -sum(struct.unpack(f'<{len(words) // 2}H', words)) & 0xffff
    return pages(struct.pack('<HH', IMAGE_VERSION, check) + rest) + body


def main():
    """The command line"""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--svn', type=int, default=1)
    parser.add_argument('--cpuid', type=lambda x: int(x, 16), action='append',
                        help='EAX of leaf 1, of a processor that it is for')
    parser.add_argument('--date', help='yyyymmdd')
    parser.add_argument('module')
    parser.add_argument('image')
    args = parser.parse_args()
    with open(args.module, 'rb') as file:
        module = file.read()
    with open(args.image, 'wb') as file:
        file.write(image(module, svn=args.svn, date=args.date,
                         cpuids=args.cpuid or CPUIDS))


if __name__ == '__main__':
    main()
