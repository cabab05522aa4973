# SPDX-License-Identifier: GPL-2.0
"""A quote, version 4, with ECDSA on P-256: what a TD's report becomes for those who do not have the machine's key.

Header and body are signed with an attestation key. An enclave's report has that key's hash, the platform's key (PCK)
has signed this report, and certificates lead from the PCK to a root.
"""

import re
import ssl
import struct
import uuid

VERSION, ECDSA_P256, TDX = 4, 2, 0x81
VENDOR = uuid.UUID("a9f3cf50-6c6b-4bd5-9a4c-0b9c0d5c7d1e").bytes     # of the lab's quoting service
HEADER = struct.Struct("<HHI4s16s20s")      # version, kind of key, kind of TEE, reserved, vendor, user data
BODY_SIZE = 584
SIGNED = HEADER.size + BODY_SIZE
ECDSA_SIZE = 64                             # of a key or a signature: two numbers
QE_REPORT = 6                               # kinds of certification data
PCK_CHAIN = 5

# The body has parts of a report, in this order: (offset, end) there
BODY_PARTS = ((264, 384), (512, 912), (128, 192))
REPORT_SIZE = 1024

# The report of the quoting enclave: CPUSVN, MISCSELECT, flags, XFRM, MRENCLAVE, MRSIGNER, product, SVN, data
ENCLAVE = struct.Struct("<16sI28xQQ32s32x32s96xHH60x64s")
ENCLAVE_INIT, ENCLAVE_DEBUG, ENCLAVE_64BIT = 1, 2, 4


class Malformed(ValueError):
    """These bytes are no quote."""


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if size > len(self.data) - self.at:
            raise Malformed("a part of the quote is longer than what has it")
        self.at += size
        return self.data[self.at - size:self.at]

    def numbers(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def certification(self, kind):
        found, size = self.numbers("<HI")
        if found != kind:
            raise Malformed(f"certification data of kind {found} and not {kind}")
        return Reader(self.take(size))

    def rest(self):
        return self.take(len(self.data) - self.at)

    def end(self):
        if self.at != len(self.data):
            raise Malformed("a part of the quote is shorter than what has it")


class Quote:
    def __init__(self, data):
        whole = Reader(data)
        self.signed = whole.take(SIGNED)
        parts = Reader(whole.take(*whole.numbers("<I")))
        whole.end()
        self.version, self.key_kind, self.tee, self.reserved, self.vendor, _ = HEADER.unpack_from(self.signed)
        self.signature = parts.take(ECDSA_SIZE)
        self.key = parts.take(ECDSA_SIZE)
        enclave = parts.certification(QE_REPORT)
        parts.end()
        self.qe_report = enclave.take(ENCLAVE.size)
        self.qe_signature = enclave.take(ECDSA_SIZE)
        self.qe_auth = enclave.take(*enclave.numbers("<H"))
        self.chain = split_chain(enclave.certification(PCK_CHAIN).rest())
        enclave.end()

    def report(self):
        """What the quote has of a TD's report, where the report has it."""
        report = bytearray(REPORT_SIZE)
        report[0] = self.tee & 0xff
        at = HEADER.size
        for start, end in BODY_PARTS:
            report[start:end] = self.signed[at:at + end - start]
            at += end - start
        return bytes(report)


def body(report):
    return b"".join(report[start:end] for start, end in BODY_PARTS)


def split_chain(text):
    """PCK, intermediate and root. Nothing else is in the text, so that no byte of a quote is without a meaning."""
    mark = b"-----%s CERTIFICATE-----"
    found = re.findall(mark % b"BEGIN" + rb"[A-Za-z0-9+/=\n]+?" + mark % b"END" + b"\n", text)
    if len(found) != 3 or b"".join(found) != text:
        raise Malformed("the quote does not have three certificates")
    try:
        chain = [ssl.PEM_cert_to_DER_cert(pem.decode()) for pem in found]
    except ValueError as error:
        raise Malformed(f"a certificate of the quote: {error}") from error
    if "".join(map(ssl.DER_cert_to_PEM_cert, chain)) != text.decode():
        raise Malformed("a certificate of the quote has bytes that do not count")
    return chain


def certification(kind, data):
    return struct.pack("<HI", kind, len(data)) + data


def signed_part(report):
    return HEADER.pack(VERSION, ECDSA_P256, TDX, bytes(4), VENDOR, bytes(20)) + body(report)


def make(signed, signature, key, qe_certification):
    """@qe_certification is what qe() made for @key."""
    parts = signature + key + certification(QE_REPORT, qe_certification)
    return signed + struct.pack("<I", len(parts)) + parts


def qe(report, signature, auth, chain):
    return report + signature + struct.pack("<H", len(auth)) + auth + certification(PCK_CHAIN, chain)
