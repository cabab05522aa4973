# SPDX-License-Identifier: GPL-2.0
"""Unit tests of quotes: each check of the verifier fails for a quote that is wrong in just that, and no byte can change."""

import hashlib
import os
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import authority  # noqa: E402
import certs  # noqa: E402
import quote  # noqa: E402
import quoting  # noqa: E402
import td  # noqa: E402
from reports import sealed_report  # noqa: E402

VERSION, TEE, VENDOR, SIGNED, KEY, PCK_SIGNED, ENCLAVE, SIGNER, CPUSVN, CERTIFIED, ROOT = range(11)
SIGNATURE, KEY_AT = quote.SIGNED + 4, quote.SIGNED + 68
QE_REPORT = KEY_AT + 64 + 6
QE_SIGNATURE = QE_REPORT + quote.ENCLAVE.size
AUTH = QE_SIGNATURE + 64 + 2


class Keys:
    """An authority that still has the keys of its certificates"""

    def __init__(self, directory):
        os.mkdir(directory)
        authority.Maker(directory).make()
        self.directory, self.signer = directory, authority.Authority(directory)
        self.root = certs.der(self.signer.read(directory, "root.pem"))
        self.chain = b"".join(self.signer.read(directory, name) for name in ("pck.pem", "platform.pem", "root.pem"))

    def sign(self, name, data):
        return certs.sign(os.path.join(self.directory, name + ".key"), data)

    def quote(self, report, signed=None, qe_report=None):
        """@signed and @qe_report change what is signed, before it is"""
        signer = self.signer
        head = bytearray(quote.signed_part(report))
        if signed:
            signed(head)
        qe = signer.qe
        if qe_report:
            changed = bytearray(qe[:quote.ENCLAVE.size])
            qe_report(changed)
            auth = qe[AUTH - QE_REPORT:AUTH - QE_REPORT + 32]
            qe = quote.qe(bytes(changed), self.sign("pck", bytes(changed)), auth, self.chain)
        return quote.make(bytes(head), self.sign("attestation", bytes(head)), signer.key, qe)


def put(at, value):
    """A change of bytes: @value at @at"""
    def change(data):
        data[at:at + len(value)] = value
    return change


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.keys = Keys(os.path.join(cls.tmp.name, "ours"))
        cls.report = sealed_report(bytes(32))
        cls.good = cls.keys.quote(cls.report)

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def failed(self, data, root=None):
        """Numbers of the checks that fail, None for what is no quote"""
        try:
            return [i for i, (_, good) in enumerate(td.check_chain(quote.Quote(bytes(data)), root or self.keys.root)) if not good]
        except (quote.Malformed, certs.Invalid):
            return None


    def noticed(self, data):
        try:
            return not all(good for _, good in td.check_chain(quote.Quote(bytes(data)), self.keys.root))
        except (quote.Malformed, certs.Invalid):
            return True


class CheckTest(Base):
    def test_good(self):
        self.assertEqual(self.failed(self.good), [])
        self.assertEqual(quote.Quote(self.good).report()[264:384], self.report[264:384])
        self.assertEqual(quote.Quote(self.good).report()[512:912], self.report[512:912])
        self.assertEqual(quote.Quote(self.good).report()[128:192], self.report[128:192])

    def test_header(self):
        for at, value, want in (0, b"\5", VERSION), (2, b"\3", VERSION), (4, b"\0", TEE), (8, b"\1", TEE), (12, b"x", VENDOR):
            self.assertEqual(self.failed(self.keys.quote(self.report, signed=put(at, value))), [want], at)

    def test_signatures(self):
        for at, want in (SIGNATURE, SIGNED), (QE_SIGNATURE, PCK_SIGNED), (AUTH, KEY):
            data = bytearray(self.good)
            data[at] ^= 1
            self.assertEqual(self.failed(data), [want], at)

    def test_attestation_key(self):
        """Anybody's key, for which no enclave vouches"""
        other = Keys(os.path.join(self.tmp.name, "other-key"))
        signed = quote.signed_part(self.report)
        data = quote.make(signed, other.signer.sign(signed), other.signer.key, self.keys.signer.qe)
        self.assertEqual(self.failed(data), [KEY])

    def test_enclave(self):
        for at, value, want in ((48, b"\7", ENCLAVE), (48, b"\4", ENCLAVE), (128, b"x", SIGNER), (0, b"\2", CPUSVN),
                                (320, b"x", KEY), (352, b"x", KEY)):
            self.assertEqual(self.failed(self.keys.quote(self.report, qe_report=put(at, value))), [want], at)

    def test_other_root(self):
        other = Keys(os.path.join(self.tmp.name, "other-root"))
        self.assertEqual(self.failed(other.quote(self.report)), [SIGNER, CERTIFIED, ROOT])
        self.assertEqual(self.failed(self.good, other.root), [SIGNER, CERTIFIED, ROOT])

    def test_mixed_chains(self):
        """The right root below a chain that it has not issued"""
        other = Keys(os.path.join(self.tmp.name, "mixed"))
        theirs, ours = (self.split(keys) for keys in (other, self.keys))
        other.chain = theirs[0] + theirs[1] + ours[2]
        self.assertEqual(self.failed(other.quote(self.report, qe_report=lambda _: None)), [SIGNER, CERTIFIED])

    def test_trusted_by_the_system(self):
        """A chain whose root stands in the system's store of certificates is not ours for that."""
        ours = [certs.der(text) for text in self.split(self.keys)]
        store = os.path.join(self.tmp.name, "store")
        os.mkdir(store)
        path = os.path.join(store, "other.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", "/CN=Other",
                        "-keyout", os.path.join(self.tmp.name, "key"), "-out", path], check=True, capture_output=True)
        subprocess.run(["openssl", "rehash", store], check=True)
        with open(path, "rb") as file:
            other = certs.der(file.read())
        with unittest.mock.patch.dict(os.environ, SSL_CERT_DIR=store, SSL_CERT_FILE=path):
            self.assertRaises(certs.Invalid, certs.verify_chain, ours[2], ours[1], other)
        certs.verify_chain(ours[2], ours[1], ours[0])

    def test_trailing_bytes(self):
        """An extension is not looked for behind a certificate."""
        ours = [certs.der(text) for text in self.split(self.keys)]
        for i in range(3):
            changed = list(ours)
            changed[i] += b"\x06\x01\x01"
            self.assertRaises(certs.Invalid, certs.verify_chain, *reversed(changed))

    def test_attributes(self):
        at = 512
        for byte, bit, good in ((at, 0, False), (at + 3, 4, True), (at + 3, 5, False), (at + 1, 0, False), (376, 1, False)):
            report = bytearray(self.report)
            report[at:at + 8] = report[376:384] = bytes(8)
            report[byte] |= 1 << bit
            module = dict(td.check_module(report, b""))["the host may not debug the module"]
            with unittest.mock.patch.multiple(td, mrtd=lambda _: b"", rtmrs=lambda _: [], events=lambda _: []):
                fine = dict(td.check(report, b"", b"", b""))["the host may not debug the TD, nor move it"]
            self.assertEqual(fine and module, good, (byte, bit))

    @staticmethod
    def split(keys):
        return [keys.signer.read(keys.directory, name + ".pem") for name in ("pck", "platform", "root")]


class BytesTest(Base):
    def test_each_region(self):
        """A byte of each field changes; of the certificates, one in every fifth line"""
        body = [quote.HEADER.size + at for at in (0, 16, 64, 112, 120, 128, 136, 184, 232, 280, 328, 376, 424, 472, 520, 583)]
        enclave = [QE_REPORT + at for at in (0, 16, 20, 48, 56, 64, 96, 128, 160, 256, 258, 260, 320, 383)]
        rest = [quote.SIGNED, SIGNATURE, SIGNATURE + 63, KEY_AT, KEY_AT + 63, KEY_AT + 64, KEY_AT + 66, QE_SIGNATURE, QE_SIGNATURE + 63,
                AUTH - 2, AUTH, AUTH + 31, AUTH + 32, AUTH + 34]
        for at in [0, 2, 4, 8, 11, 12, 28, 47] + body + enclave + rest + list(range(AUTH + 38, len(self.good), 325)) + [len(self.good) - 1]:
            data = bytearray(self.good)
            data[at] ^= 4
            self.assertTrue(self.noticed(data), at)

    def test_lengths(self):
        for size in (0, 47, quote.SIGNED, quote.SIGNED + 4, KEY_AT, QE_REPORT, QE_SIGNATURE, AUTH, len(self.good) - 1):
            self.assertIsNone(self.failed(self.good[:size]), size)
        self.assertIsNone(self.failed(self.good + b"\0"))

    def test_certificates(self):
        """Bytes that mean nothing to a parser of PEM"""
        chain = self.keys.chain
        for text in chain + b"\n", b"\n" + chain, chain.replace(b"\n-----E", b"\n\n-----E", 1), chain[:chain.rindex(b"-----BEGIN")]:
            self.assertRaises(quote.Malformed, quote.split_chain, text)
        self.assertEqual(len(quote.split_chain(chain)), 3)


class QuotingTest(Base):
    """What makes quotes makes none of what this machine has not sealed."""

    def refused(self, report, key=bytes(32)):
        self.assertRaises(quoting.Refused, quoting.verify, bytes(report), key)

    def test_good(self):
        quoting.verify(self.report, bytes(32))

    def test_seal(self):
        self.refused(self.report, b"\1" * 32)
        for at in 1, 16, 32, 80, 128, 191, 224, 255, 256, 494, 512, 720, 1023:
            report = bytearray(self.report)
            report[at] ^= 1
            self.refused(report)

    def test_sealed_but_wrong(self):
        self.refused(sealed_report(bytes(32), kind=0))
        self.refused(sealed_report(bytes(32), cpusvn=b"\2"))
        self.refused(self.report[:-1])
        self.refused(self.report + b"\0")

    def test_machine_key(self):
        path = os.path.join(self.tmp.name, "report-key")
        quoter = quoting.Quoter(path, self.keys.signer)
        self.assertRaises(quoting.Refused, quoter.quote, self.report)
        for key in b"", bytes(31), bytes(33):
            certs.write(self.tmp.name, "report-key", key)
            self.assertRaises(quoting.Refused, quoter.quote, self.report)
        certs.write(self.tmp.name, "report-key", bytes(32))
        self.assertEqual(self.failed(quoter.quote(self.report)), [])


class AuthorityTest(Base):
    def test_once(self):
        directory = os.path.join(self.tmp.name, "once")
        first, second = authority.Authority(directory), authority.Authority(directory)
        self.assertEqual((first.key, first.qe), (second.key, second.qe))
        self.assertEqual(sorted(os.listdir(directory)), ["attestation.key", "attestation.pub", "qe", "root.pem"])
        authority.create(directory)
        self.assertEqual(first.key, authority.Authority(directory).key)

    def test_certificates(self):
        pck, platform, root = quote.split_chain(self.keys.chain)
        for der, name in (pck, authority.PCK), (platform, authority.PLATFORM), (root, authority.ROOT):
            text = certs.openssl("x509", "-inform", "DER", "-noout", "-subject", data=der).stdout.decode()
            self.assertIn(name, text)
            self.assertIn("not Intel", text)
        self.assertEqual(certs.octets(pck, certs.SGX_CPUSVN_OID), authority.CPUSVN)
        self.assertEqual(certs.octets(pck, certs.SGX_CPUSVN_OID[:-2] + b"\4"), bytes.fromhex(authority.FMSPC))
        self.assertEqual(certs.octets(pck, certs.SGX_CPUSVN_OID[:-2] + b"\3"), bytes.fromhex(authority.PCEID))


class CommandTest(Base):
    def test_verifier(self):
        """td.py as it is called, of a quote with all that belongs to it"""
        from test_td import SECTIONS, event, log, tiny_tdvf  # pylint: disable=import-outside-toplevel
        image, events, module = tiny_tdvf(SECTIONS), log(*[event(1, bytes([n]) * 48) for n in range(12)]), b"a module"
        fields = {280: hashlib.sha384(module).digest(), 376: bytes(8), 512: bytes(8), 528: td.mrtd(image), 576: bytes(144)}
        fields.update({720 + 48 * i: value for i, value in enumerate(td.rtmrs(events))})
        names = {"quote": self.keys.quote(sealed_report(bytes(32), fields=fields)), "data": bytes(range(64)), "image": image,
                 "log": events, "module": module}
        files = {name: certs.write(self.tmp.name, name, data) for name, data in names.items()}

        def run():
            options = {"root": os.path.join(self.keys.directory, "root.pem"), "report-data": files["data"],
                       "firmware": files["image"], "log": files["log"], "module": files["module"]}
            return subprocess.run([sys.executable, td.__file__, files["quote"], *(f"--{name}={path}" for name, path in options.items())],
                                  capture_output=True, check=False)

        done = run()
        self.assertEqual((done.returncode, done.stdout.count(b"ok  "), done.stdout.count(b"FAILED")), (0, 24, 0), done.stdout + done.stderr)
        certs.write(self.tmp.name, "module", b"another module")
        done = run()
        self.assertEqual((done.returncode, done.stdout.count(b"FAILED"), b"FAILED  MRSEAM" in done.stdout), (1, 1, True))
        certs.write(self.tmp.name, "quote", b"none")
        self.assertEqual(run().returncode, 1)


if __name__ == "__main__":
    unittest.main()
