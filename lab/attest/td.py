# SPDX-License-Identifier: GPL-2.0
"""Verify a TD's quote up to a root, and check what it says against what was launched: MRTD against the firmware's image,
RTMRs against the event log, the module's measurement against its file.

Of a report, without a root, only the second half: its seal can only be verified on the machine that made it, so that who
checks it has to trust where it came from.
"""

import argparse
import hashlib
import struct
import sys
import uuid

import boot
import certs
import ovmf
import quote

TDX_METADATA = uuid.UUID("e47a6535-984a-4798-865e-4685a7bf8ec2")
PAGE, CHUNK = 4096, 256
MR_EXTEND = 1                   # of a section's attributes: its content is measured
PAGE_AUG = 2                    # the section is not added, but accepted by the firmware
SHA384 = 0xc

SEPT_VE_DISABLE = 1 << 28       # the only attribute that a TD may have: no debugging, no migration

# name: (offset, length), in a report
FIELDS = {
    "type": (0, 4), "report data": (128, 64), "MRSEAM": (280, 48), "attributes of the module": (376, 8),
    "attributes": (512, 8), "MRTD": (528, 48), "MRCONFIGID, MROWNER, MROWNERCONFIG": (576, 144),
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


def holds(function, *args):
    try:
        function(*args)
    except certs.Invalid:
        return False
    return True


def numbers(signature):
    half = len(signature) // 2
    return int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")


def attestation_key(point):
    return certs.convert(certs.openssl("pkey", "-pubin", "-inform", "DER", data=certs.SPKI + point), "no key on the curve P-256")


def check_signature(found):
    """Header and body are signed with the attestation key."""
    certs.verify_ecdsa(attestation_key(found.key), found.signed, numbers(found.signature), "P-256", "sha256")


def check_chain(found, root):
    """From a quote's header and body to a root that the caller knows"""
    pck, platform, top = found.chain
    cpusvn, _misc, flags, _xfrm, _code, signer, _product, _svn, key_hash = quote.ENCLAVE.unpack(found.qe_report)
    yield "it is a quote of version 4 with ECDSA on P-256", (found.version, found.key_kind) == (quote.VERSION, quote.ECDSA_P256)
    yield "of a TD", found.tee == quote.TDX and not any(found.reserved)
    yield "by the lab's quoting service", found.vendor == quote.VENDOR
    yield "header and TD are signed with the attestation key", holds(check_signature, found)
    yield "the quoting enclave has this attestation key", \
        key_hash == hashlib.sha256(found.key + found.qe_auth).digest().ljust(64, b"\0")
    yield "the platform's key (PCK) signed the enclave's report", \
        holds(certs.verify_ecdsa, certs.public_key(pck), found.qe_report, numbers(found.qe_signature), "P-256", "sha256")
    yield "the enclave is initialized, and none for debugging", \
        flags & (quote.ENCLAVE_INIT | quote.ENCLAVE_DEBUG) == quote.ENCLAVE_INIT
    yield "the enclave is from who has the root", signer == hashlib.sha256(certs.point(certs.public_key(root))).digest()
    yield "the PCK is for the enclave's CPUSVN", certs.octets(pck, certs.SGX_CPUSVN_OID) == cpusvn
    yield "the PCK is certified by the root", holds(certs.verify_chain, root, platform, pck)
    yield "the quote's root is this one", top == root


def check_module(report, module):
    yield "MRSEAM is that of the TDX module", field(report, "MRSEAM") == hashlib.sha384(module).digest()
    yield "the host may not debug the module", not any(field(report, "attributes of the module"))


def check(report, data, image, log):
    """(what, whether it is so) of all that can be checked"""
    yield "length", len(report) == quote.REPORT_SIZE
    yield "it is a TD's", field(report, "type")[0] == 0x81
    yield "report data", field(report, "report data") == data
    yield "the host may not debug the TD, nor move it", \
        not int.from_bytes(field(report, "attributes"), "little") & ~SEPT_VE_DISABLE
    yield "MRTD is that of the firmware", field(report, "MRTD") == mrtd(image)
    yield "nobody gave the TD an owner or a configuration", not any(field(report, "MRCONFIGID, MROWNER, MROWNERCONFIG"))
    for i, value in enumerate(rtmrs(log)):
        yield f"RTMR{i} is that of the event log", field(report, f"RTMR{i}") == value
    yield "the firmware and the boot loader have measured something", sum(1 for _ in events(log)) > 10


def all_checks(args):
    report, log = read(args.report), read(args.log)
    if args.root:
        found = quote.Quote(report)
        yield from check_chain(found, certs.der(read(args.root)))
        report = found.report()
    if args.module:
        yield from check_module(report, read(args.module))
    yield from check(report, read(args.report_data), read(args.firmware), log)
    if args.kernel:
        yield from boot.check(list(events(log)), read(args.kernel), read(args.initrd),
                              read(args.append).decode().rstrip("\n"))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", help="a report; or a quote, with --root")
    for name in "report-data", "firmware", "log":
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--root", help="PEM: the first argument is a quote, and this is its root")
    parser.add_argument("--module", help="the TDX module's file")
    parser.add_argument("--kernel", help="what shim and grub have booted")
    parser.add_argument("--initrd", help="its initramfs")
    parser.add_argument("--append", help="a file with its command line")
    args = parser.parse_args()
    if len({args.kernel is None, args.initrd is None, args.append is None}) > 1:
        parser.error("--kernel, --initrd and --append belong together")
    try:
        results = list(all_checks(args))
    except (certs.Invalid, OSError, ValueError, struct.error) as error:
        return f"lab/attest: {error}"
    for what, good in results:
        print(f"{'ok    ' if good else 'FAILED'}  {what}")
    good = all(good for _, good in results)
    if args.root:
        print("VERIFIED" if good else "NOT VERIFIED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
