# SPDX-License-Identifier: GPL-2.0
"""A TD's report for tests, sealed as the emulated processor seals it: bytes laid out by hand."""

import hashlib
import hmac


def sealed_report(key, kind=0x81, cpusvn=b"\1", fields=None):
    """@fields: {offset: bytes}, of what the report says of module and TD; the rest is a pattern"""
    report = bytearray(1024)
    report[0] = kind
    report[16:16 + len(cpusvn)] = cpusvn
    report[128:192] = bytes(range(64))
    for start, end in (256, 495), (512, 912):
        report[start:end] = bytes(at * 7 & 0xff for at in range(start, end))
    for at, value in (fields or {}).items():
        report[at:at + len(value)] = value
    report[32:80] = hashlib.sha384(report[256:495]).digest()
    report[80:128] = hashlib.sha384(report[512:1024]).digest()
    report[224:256] = hmac.new(key, report[:224], hashlib.sha256).digest()
    return bytes(report)
