# SPDX-License-Identifier: GPL-2.0
"""What certifies quotes: a root of the lab's own, the platform's key (PCK) below it, and an attestation key.

All of it is made once per directory, by OpenSSL. On a real machine, the processor's vendor has root and intermediate,
and enclaves have the other keys.
"""

import hashlib
import os
import shutil
import tempfile

import certs
import quote

# Verifiers know the certificates by these names; who issued them is in O.
ROOT, PLATFORM, PCK = "Intel SGX Root CA", "Intel SGX PCK Platform CA", "Intel SGX PCK Certificate"
SUBJECT = "/O=kvm-coco lab, not Intel/CN="
DAYS = "3650"
SGX = "1.2.840.113741.1.13.1"
CPUSVN = bytes([1]) + bytes(15)     # of the emulated processors
PCESVN = 1
FMSPC = "00A06D000000"              # family, model, stepping, platform, custom SKU: a GraniteRapids
PCEID = "0000"
SCALABLE = 1
PRODUCT, SVN = 2, 1                 # of the quoting enclave: it quotes TDs
EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def member(oid, value):
    return f"oid = OID:{SGX}{oid}\nvalue = {value}\n"


def config(ppid):
    """OpenSSL's, with the extensions of the three certificates"""
    base = ("subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid:always\n"
            "crlDistributionPoints = URI:https://kvm-coco.example/{}.crl\nbasicConstraints = critical,{}\nkeyUsage = critical,{}\n")
    signs = "keyCertSign,cRLSign"
    svns = [f"INTEGER:{svn}" for svn in CPUSVN] + [f"INTEGER:{PCESVN}", f"FORMAT:HEX,OCTETSTRING:{CPUSVN.hex()}"]
    sgx = {"ppid": (".1", f"FORMAT:HEX,OCTETSTRING:{ppid}"), "tcb": (".2", "SEQUENCE:svns"),
           "pceid": (".3", f"FORMAT:HEX,OCTETSTRING:{PCEID}"), "fmspc": (".4", f"FORMAT:HEX,OCTETSTRING:{FMSPC}"),
           "type": (".5", f"ENUMERATED:{SCALABLE}")}
    text = "[req]\ndistinguished_name = name\n[name]\n"
    text += "[root]\n" + base.format("root", "CA:TRUE,pathlen:1", signs)
    text += "[platform]\n" + base.format("root", "CA:TRUE,pathlen:0", signs)
    text += "[pck]\n" + base.format("platform", "CA:FALSE", "digitalSignature,nonRepudiation") + f"{SGX} = ASN1:SEQUENCE:sgx\n"
    text += "[sgx]\n" + "".join(f"{name} = SEQUENCE:{name}\n" for name in sgx)
    text += "".join(f"[{name}]\n{member(*values)}" for name, values in sgx.items())
    text += "[svns]\n" + "".join(f"{i} = SEQUENCE:svn{i}\n" for i, _ in enumerate(svns, 1))
    return text + "".join(f"[svn{i}]\n{member(f'.2.{i}', value)}" for i, value in enumerate(svns, 1))


class Maker:
    """Makes everything in a directory that nobody knows yet."""

    def __init__(self, directory):
        self.directory = directory
        certs.write(directory, "config", config(os.urandom(16).hex()).encode())

    def path(self, name):
        return os.path.join(self.directory, name)

    def openssl(self, *args, data=None):
        return certs.convert(certs.openssl(*args, data=data), f"openssl {args[0]}")

    def certificate(self, name, common_name, issuer=None):
        by = ("-CA", self.path(issuer + ".pem"), "-CAkey", self.path(issuer + ".key")) if issuer else ()
        self.openssl("req", "-x509", "-new", *EC_KEY, "-sha256", "-days", DAYS, "-config", self.path("config"), "-extensions", name,
                     "-subj", SUBJECT + common_name, "-keyout", self.path(name + ".key"), "-out", self.path(name + ".pem"), *by)

    def public_point(self, name):
        return certs.point(self.openssl("pkey", "-in", self.path(name + ".key"), "-pubout"))

    def make(self):
        self.certificate("root", ROOT)
        self.certificate("platform", PLATFORM, "root")
        self.certificate("pck", PCK, "platform")
        certs.write(self.directory, "attestation.key", self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"))
        key, auth = self.public_point("attestation"), os.urandom(32)
        report = enclave_report(self.public_point("root"), hashlib.sha256(key + auth).digest())
        chain = b""
        for name in "pck", "platform", "root":
            with open(self.path(name + ".pem"), "rb") as file:
                chain += file.read()
        certs.write(self.directory, "attestation.pub", key)
        certs.write(self.directory, "qe", quote.qe(report, certs.sign(self.path("pck.key"), report), auth, chain))

    def forget(self):
        """Nothing else is to be signed with the keys of the certificates."""
        for name in "root.key", "platform.key", "pck.key", "platform.pem", "pck.pem", "config":
            os.unlink(self.path(name))


def enclave_report(root, key_hash):
    """Of the quoting service, which is no enclave. Its signer is who has the root."""
    flags = quote.ENCLAVE_INIT | quote.ENCLAVE_64BIT
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "quoting.py"), "rb") as file:
        code = hashlib.sha256(file.read()).digest()
    return quote.ENCLAVE.pack(CPUSVN, 0, flags, 3, code, hashlib.sha256(root).digest(), PRODUCT, SVN, key_hash)


class Authority:
    """The keys in @directory. Who comes first makes them, for all."""

    def __init__(self, directory):
        self.key_file = os.path.join(directory, "attestation.key")
        if not os.path.exists(self.key_file):
            create(directory)
        self.key = self.read(directory, "attestation.pub")
        self.qe = self.read(directory, "qe")

    @staticmethod
    def read(directory, name):
        with open(os.path.join(directory, name), "rb") as file:
            return file.read()

    def sign(self, data):
        return certs.sign(self.key_file, data)


def create(directory):
    parent = os.path.dirname(os.path.abspath(directory))
    os.makedirs(parent, exist_ok=True)
    made = tempfile.mkdtemp(dir=parent)
    try:
        maker = Maker(made)
        maker.make()
        maker.forget()
        os.rename(made, directory)
    except OSError:
        if not os.path.exists(os.path.join(directory, "attestation.key")):
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
