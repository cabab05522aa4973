# SPDX-License-Identifier: GPL-2.0
"""What a quoting enclave does: verify that this machine sealed a TD's report, and sign what the report says."""

import hashlib
import hmac

import authority
import quote

KEY_SIZE = 32
TDX_REPORT = 0x81               # REPORTTYPE
CPUSVN = slice(16, 32)
TCB_HASH, TCB_INFO = slice(32, 80), slice(256, 495)
TD_HASH, TD_INFO = slice(80, 128), slice(512, 1024)
MACED, MAC = slice(0, 224), slice(224, 256)


class Refused(Exception):
    """There is no quote of this report."""


def verify(report, key):
    if len(report) != quote.REPORT_SIZE or report[0] != TDX_REPORT:
        raise Refused("this is no TD's report")
    if not hmac.compare_digest(hmac.new(key, report[MACED], hashlib.sha256).digest(), report[MAC]):
        raise Refused("this machine has not sealed the report")
    if report[CPUSVN] != authority.CPUSVN:
        raise Refused("the report is of another CPUSVN")
    if hashlib.sha384(report[TCB_INFO]).digest() != report[TCB_HASH]:
        raise Refused("what the report says of the module is not what was sealed")
    if hashlib.sha384(report[TD_INFO]).digest() != report[TD_HASH]:
        raise Refused("what the report says of the TD is not what was sealed")


class Quoter:
    """@key_file has the machine's key; QEMU makes it, maybe later."""

    def __init__(self, key_file, signer):
        self.key_file, self.signer = key_file, signer

    def machine_key(self):
        try:
            with open(self.key_file, "rb") as file:
                key = file.read(KEY_SIZE + 1)
        except OSError as error:
            raise Refused(f"no key of the machine: {error}") from error
        if len(key) != KEY_SIZE:
            raise Refused(f"{self.key_file} is no key of a machine")
        return key

    def quote(self, report):
        verify(report, self.machine_key())
        signed = quote.signed_part(report)
        return quote.make(signed, self.signer.sign(signed), self.signer.key, self.signer.qe)
