# SPDX-License-Identifier: GPL-2.0
"""From the key that signed a report or a quote to a root, by OpenSSL."""

import os
import struct
import subprocess
import tempfile
import uuid

# Entries of the certificate table of an extended report.
TABLE_GUIDS = {
    uuid.UUID("63da758d-e664-4564-adc5-f4b93be8accd"): "vcek",
    uuid.UUID("a8074bc2-a25a-483e-aae6-39c045a0b8a1"): "vlek",
    uuid.UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782"): "ask",
    uuid.UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae"): "ark",
}
SGX_CPUSVN_OID = bytes.fromhex("2a864886f84d010d010212")     # 1.2.840.113741.1.13.1.2.18
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")   # a key on P-256 begins so, x and y follow
AMD_OID = bytes.fromhex("2b060104019c7801")     # 1.3.6.1.4.1.3704.1
SPL_OIDS = {"bootloader": b"\x03\x01", "tee": b"\x03\x02", "snp": b"\x03\x03", "microcode": b"\x03\x08"}
HWID_OID = b"\x04"


class Invalid(Exception):
    """A certificate or a signature does not hold."""


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=False)


def parse_table(blob):
    """name: DER, of a certificate table; unknown entries are left out."""
    found = {}
    for at in range(0, len(blob) - 23, 24):
        guid, offset, length = struct.unpack_from("<16sII", blob, at)
        if not any(guid):
            break
        if offset + length > len(blob):
            raise Invalid("an entry of the certificate table leaves the table")
        name = TABLE_GUIDS.get(uuid.UUID(bytes_le=guid))
        if name:
            found[name] = blob[offset:offset + length]
    return found


def load(directory, name):
    """A certificate as DER, from NAME.der or NAME.pem."""
    path = os.path.join(directory, name)
    if os.path.exists(path + ".der"):
        with open(path + ".der", "rb") as file:
            return file.read()
    return convert(openssl("x509", "-in", path + ".pem", "-outform", "DER"), f"no certificate {name} in {directory}")


def convert(result, message):
    if result.returncode:
        raise Invalid(f"{message}: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout


def pem(der):
    return convert(openssl("x509", "-inform", "DER", data=der), "not a certificate")


def der(text):
    """A certificate from PEM"""
    return convert(openssl("x509", "-outform", "DER", data=text), "not a certificate")


def point(key):
    """x and y of a public key on P-256, PEM"""
    found = convert(openssl("pkey", "-pubin", "-outform", "DER", data=key), "not a key")
    if len(found) != len(SPKI) + 64 or not found.startswith(SPKI):
        raise Invalid("the key is not on the curve P-256")
    return found[len(SPKI):]


def write(directory, name, data):
    path = os.path.join(directory, name)
    with open(path, "wb") as file:
        file.write(data)
    return path


def verify_chain(root, intermediate, leaf):
    """The root vouches for itself, so who calls must know it from elsewhere. Nobody else's does: not what the system trusts."""
    texts = [pem(certificate) for certificate in (root, intermediate, leaf)]
    # openssl ignores what follows, but an extension may be looked for there.
    if [der(text) for text in texts] != [root, intermediate, leaf]:
        raise Invalid("something follows a certificate")
    with tempfile.TemporaryDirectory() as tmp:
        result = openssl("verify", "-no-CApath", "-no-CAstore", "-CAfile", write(tmp, "root", texts[0]),
                         "-untrusted", write(tmp, "middle", texts[1]), write(tmp, "leaf", texts[2]))
    convert(result, "the certificate chain does not hold")


def der_integer(value):
    body = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return b"\x02" + bytes([len(body)]) + body


def public_key(leaf):
    return convert(openssl("x509", "-inform", "DER", "-pubkey", "-noout", data=leaf), "not a certificate")


def verify_ecdsa(key, data, signature, curve, digest):
    """@key is PEM, @signature (r, s)."""
    body = b"".join(map(der_integer, signature))
    text = openssl("pkey", "-pubin", "-text", "-noout", data=key).stdout
    if f"NIST CURVE: {curve}\n".encode() not in text:
        raise Invalid(f"the signing key is not on the curve {curve}")
    with tempfile.TemporaryDirectory() as tmp:
        result = openssl("dgst", f"-{digest}", "-verify", write(tmp, "key", key), "-signature",
                         write(tmp, "signature", b"\x30" + bytes([len(body)]) + body), data=data)
    convert(result, "the signature does not hold")


def verify_signature(leaf, data, signature):
    """A report's: ECDSA over SHA-384 of @data with the leaf's key"""
    verify_ecdsa(public_key(leaf), data, signature, "P-384", "sha384")


def sign(key_file, data):
    """ECDSA over SHA-256 with a key on P-256: r and s, 32 bytes each, big endian"""
    der = convert(openssl("dgst", "-sha256", "-sign", key_file, data=data), "cannot sign")
    numbers, at = b"", 2
    for _ in range(2):
        numbers += int.from_bytes(der[at + 2:at + 2 + der[at + 1]], "big").to_bytes(32, "big")
        at += 2 + der[at + 1]
    return numbers


def extension(der, suffix):
    """The octets of one of AMD's extensions, None if it is not there."""
    return octets(der, AMD_OID + suffix)


def octets(der, oid):
    """The octets that follow an object identifier, None if it is not there."""
    at = der.find(b"\x06" + bytes([len(oid)]) + oid)
    if at < 0:
        return None
    at += 2 + len(oid)
    if at + 5 > len(der):
        raise Invalid("an extension of the certificate cannot be read")
    if der[at] == 0x01:         # the critical flag
        at += 3
    if der[at] != 0x04 or der[at + 1] >= 0x80:
        raise Invalid("an extension of the certificate cannot be read")
    return der[at + 2:at + 2 + der[at + 1]]


def tcb_of(der):
    """The TCB version that the leaf was made for."""
    parts = {}
    for name, suffix in SPL_OIDS.items():
        value = extension(der, suffix)
        if value is None or value[0] != 0x02:
            raise Invalid(f"the certificate does not say its {name} version")
        parts[name] = int.from_bytes(value[2:2 + value[1]], "big")
    return parts


def chip_of(der):
    """The chip that a VCEK belongs to."""
    value = extension(der, HWID_OID)
    if value is not None and len(value) == 66 and value[:2] == b"\x04\x40":
        value = value[2:]
    return value
