# SPDX-License-Identifier: GPL-2.0
"""Check a TD's report against what was launched: MRTD against the firmware's image, RTMRs against the event log.

Who reads it has to trust that it comes from the module: its seal can only be verified on the machine that made it.
"""

import argparse
import hashlib
import struct
import sys
import uuid

import ovmf

TDX_METADATA = uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2")
PAGE, CHUNK = 4096, 256
MR_EXTEND = 1                   # of a section's attributes: its content is measured
PAGE_AUG = 2                    # the section is not added, but accepted by the firmware
SHA384 = 0xc

# name: (offset, length), in a report
FIELDS = {
    "type": (0, 4), "report data": (128, 64), "attributes": (512, 8), "MRTD": (528, 48),
    "RTMR0": (720, 48), "RTMR1": (768, 48), "RTMR2": (816, 48), "RTMR3": (864, 48),
}


def sections(image):
    """(offset in the image, length there, address, length in memory, type, attributes) of each of its TDX metadata"""
    firmware = ovmf.Ovmf(image)
    if TDX_METADATA not in firmware.table:
        raise ValueError("the image has no TDX metadata")
    at = len(image) - struct.unpack("<I", firmware.table[TDX_METADATA])[0]
    magic, _length, version, count = struct.unpack_from("<4sIII", image, at)
    if magic != b"TDVF" or version != 1:
        raise ValueError("unknown TDX metadata")
    return [struct.unpack_from("<IIQQII", image, at + 16 + 32 * i) for i in range(count)]


def mrtd(image):
    """Each page is measured when it is added, and then its content, if the section says so."""
    digest = hashlib.sha384()
    for offset, length, gpa, size, _kind, attributes in sections(image):
        if attributes & PAGE_AUG:
            continue
        data = image[offset:offset + length].ljust(size, b"\0")
        for page in range(0, size, PAGE):
            digest.update(struct.pack("<16sQ104x", b"MEM.PAGE.ADD", gpa + page))
            for chunk in range(page, page + PAGE, CHUNK) if attributes & MR_EXTEND else ():
                digest.update(struct.pack("<16sQ104x", b"MR.EXTEND", gpa + chunk))
                digest.update(data[chunk:chunk + CHUNK])
    return digest.digest()


def events(log):
    """(register, SHA-384 digest) of each event; the first one, in an older format, says what the log is"""
    at = 32 + struct.unpack_from("<I", log, 28)[0]
    while at + 12 <= len(log):
        register, kind, count = struct.unpack_from("<III", log, at)
        if (register, kind) == (0, 0) or register == 0xffffffff:
            return
        at += 12
        for _ in range(count):
            algorithm, = struct.unpack_from("<H", log, at)
            if algorithm != SHA384:
                raise ValueError(f"unknown digest {algorithm:#x} in the event log")
            yield register, log[at + 2:at + 50]
            at += 50
        at += 4 + struct.unpack_from("<I", log, at)[0]


def rtmrs(log):
    """What the events of the log make of the four registers. Register 1 of the log is RTMR0."""
    values = [bytes(48) for _ in range(4)]
    for register, digest in events(log):
        if not 1 <= register <= 4:
            raise ValueError(f"event of register {register}")
        values[register - 1] = hashlib.sha384(values[register - 1] + digest).digest()
    return values


def field(report, name):
    at, length = FIELDS[name]
    return report[at:at + length]


def check(report, data, image, log):
    """(what, whether it is so) of all that can be checked"""
    yield "length", len(report) == 1024
    yield "it is a TD's", field(report, "type")[0] == 0x81
    yield "report data", field(report, "report data") == data
    yield "the host may not debug the TD", not field(report, "attributes")[0] & 1
    yield "MRTD is that of the firmware", field(report, "MRTD") == mrtd(image)
    for i, value in enumerate(rtmrs(log)):
        yield f"RTMR{i} is that of the event log", field(report, f"RTMR{i}") == value
    yield "the firmware and the boot loader have measured something", sum(1 for _ in events(log)) > 10


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report")
    for name in "report-data", "firmware", "log":
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()
    failed = 0
    for what, good in check(read(args.report), read(args.report_data), read(args.firmware), read(args.log)):
        print(f"{'ok    ' if good else 'FAILED'}  {what}")
        failed += not good
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
