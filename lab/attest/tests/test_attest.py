# SPDX-License-Identifier: GPL-2.0
"""Unit tests of the verifier: each structure against bytes laid out by hand."""

import hashlib
import os
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import certs  # noqa: E402
import kernel_hashes  # noqa: E402
import measure  # noqa: E402
import ovmf  # noqa: E402
import report as reports  # noqa: E402
import vmsa  # noqa: E402

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def tiny_ovmf(sections, size=8192):
    """An image of two pages with a GUID table and metadata."""
    image = bytearray(size)
    metadata = b"ASEV" + struct.pack("<III", 16 + 12 * len(sections), 1, len(sections))
    metadata += b"".join(struct.pack("<III", *section) for section in sections)
    image[0x100:0x100 + len(metadata)] = metadata
    entries = ((ovmf.SEV_METADATA, struct.pack("<I", size - 0x100)),
               (ovmf.SEV_ES_RESET, struct.pack("<I", 0x00812004)),
               (ovmf.SEV_HASH_TABLE, struct.pack("<II", 0x810c00, 0x400)))
    table = b"".join(data + struct.pack("<H", len(data) + 18) + guid.bytes_le for guid, data in entries)
    table += struct.pack("<H", len(table) + 18) + ovmf.FOOTER.bytes_le
    image[size - 32 - len(table):size - 32] = table
    return bytes(image)


class OvmfTest(unittest.TestCase):
    def test_tables(self):
        image = ovmf.Ovmf(tiny_ovmf([(0x800000, 0x2000, ovmf.SEC_MEM), (0x80d000, 0x1000, ovmf.SECRETS)]))
        self.assertEqual(image.base, 0xffffe000)
        self.assertEqual(image.ap_reset(), 0x812004)
        self.assertEqual(image.hash_table(), (0x810c00, 0x400))
        self.assertEqual(image.sections(), [(0x800000, 0x2000, 1), (0x80d000, 0x1000, 2)])

    def test_no_table(self):
        with self.assertRaises(ValueError):
            ovmf.Ovmf(bytes(8192))


class HashTableTest(unittest.TestCase):
    def test_bytes(self):
        def entry(guid, data):
            return bytes.fromhex(guid) + b"\x32\0" + hashlib.sha256(data).digest()

        want = bytes.fromhex("06d63894 224f c94c b479a793d411fd21") + b"\xa8\0"
        want += entry("d82dd097 20bd 944c aa78e7714d36ab2a", b"quiet\0")
        want += entry("31f7ba44 2f3a d74b 9af141e29169781d", b"I")
        want += entry("3794e74d d2ab 7f42 b835d5b172d2045b", b"K")
        self.assertEqual(kernel_hashes.table(b"K", b"I", "quiet"), want + bytes(8))

    def test_page(self):
        page = kernel_hashes.page(0x810c00, b"", b"", "")
        self.assertEqual(len(page), 4096)
        self.assertEqual(page[:0xc00], bytes(0xc00))
        self.assertEqual(page[0xc00:0xc04], bytes.fromhex("06d63894"))
        with self.assertRaises(ValueError):
            kernel_hashes.page(0x810ff0, b"", b"", "")


class VmsaTest(unittest.TestCase):
    def setUp(self):
        self.page = vmsa.build(0xfffffff0, 0x00a00f11, 1)

    def at(self, offset, text):
        want = bytes.fromhex(text)
        self.assertEqual(self.page[offset:offset + len(want)], want, hex(offset))

    def test_segments(self):
        self.at(0x00, "0000 9300 ffff0000 0000000000000000")
        self.at(0x10, "00f0 9b00 ffff0000 0000ffff00000000")
        self.at(0x60, "0000 0000 ffff0000 0000000000000000")
        self.at(0x70, "0000 8200 ffff0000 0000000000000000")
        self.at(0x90, "0000 8b00 ffff0000 0000000000000000")

    def test_registers(self):
        self.at(0x0d0, "0010000000000000")
        self.at(0x148, "4000000000000000")
        self.at(0x158, "1000000000000000 0004000000000000 f00fffff00000000 0200000000000000 f0ff000000000000")
        self.at(0x268, "0604070006040700")
        self.at(0x310, "110fa00000000000")
        self.at(0x3b0, "0100000000000000")
        self.at(0x3e8, "0100000000000000")
        self.at(0x408, "801f0000")
        self.at(0x410, "7f03")

    def test_nothing_else(self):
        known = [(0x00, 0xa0)] + list(vmsa.FIELDS.values())
        page = bytearray(self.page)
        for offset, size in known:
            page[offset:offset + size] = bytes(size)
        self.assertFalse(any(page))

    def test_signature(self):
        self.assertEqual(vmsa.signature(25, 1, 1), 0x00a00f11)
        self.assertEqual(vmsa.signature(23, 1, 2), 0x00800f12)
        self.assertEqual(vmsa.signature(25, 17, 0), 0x00a10f10)


class DigestTest(unittest.TestCase):
    def test_page_info(self):
        """One normal page of zeros at 0xfffff000, its 112 bytes written out."""
        digest = measure.Digest()
        digest.data(measure.NORMAL, 0xfffff000, bytes(4096))
        info = (bytes(48) + hashlib.sha384(bytes(4096)).digest() +
                bytes.fromhex("7000 01 00 00 00 00 00 00f0ffff00000000"))
        self.assertEqual(digest.value, hashlib.sha384(info).digest())

    def test_blank(self):
        digest = measure.Digest()
        digest.blank(measure.CPUID, 0x80e000, 4096)
        info = bytes(96) + bytes.fromhex("7000 06 00 00 00 00 00 00e0800000000000")
        self.assertEqual(digest.value, hashlib.sha384(info).digest())

    def test_launch(self):
        """Two pages of firmware, two sections, two processors: seven pages in order."""
        firmware = tiny_ovmf([(0x800000, 0x1000, ovmf.SEC_MEM), (0x810000, 0x1000, ovmf.KERNEL_HASHES)])

        def step(value, kind, gpa, content=None):
            digest = hashlib.sha384(content).digest() if content is not None else bytes(48)
            return hashlib.sha384(value + digest + struct.pack("<HBBIQ", 0x70, kind, 0, 0, gpa)).digest()

        value = step(bytes(48), 1, 0xffffe000, firmware[:4096])
        value = step(value, 1, 0xfffff000, firmware[4096:])
        value = step(value, 3, 0x800000)
        hashed = step(value, 1, 0x810000, kernel_hashes.page(0x810c00, b"k", b"i", "a"))
        value = step(value, 3, 0x810000)
        for start in (0xfffffff0, 0x00812004):
            value = step(value, 2, 0xfffffffff000, vmsa.build(start, 0xa00f11, 1))
            hashed = step(hashed, 2, 0xfffffffff000, vmsa.build(start, 0xa00f11, 1))
        self.assertEqual(measure.launch_digest(firmware, 2, 0xa00f11), value)
        self.assertEqual(measure.launch_digest(firmware, 2, 0xa00f11, direct=(b"k", b"i", "a")), hashed)


def der(tag, body):
    length = bytes([len(body)]) if len(body) < 128 else bytes([0x82]) + struct.pack(">H", len(body))
    return bytes([tag]) + length + body


class ReportTest(unittest.TestCase):
    """A platform of the test's own: root, intermediate, a leaf on P-384, and a report."""

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.dir = cls.tmp.name
        cls.make("ark", None, "rsa:3072", "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n")
        cls.make("ask", "ark", "rsa:3072", "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n")
        cls.make("other", None, "rsa:3072", "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n")
        oid = "1.3.6.1.4.1.3704.1."
        cls.make("vcek", "ask", "ec", "".join(f"{oid}{tail}=DER:{value}\n" for tail, value in (
            ("3.1", "020104"), ("3.2", "020100"), ("3.3", "020116"), ("3.8", "0202" + "00d5"), ("4", "c1" * 64))))

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.dir, name)

    @classmethod
    def make(cls, name, issuer, kind, extensions):
        with open(cls.path(name + ".cnf"), "w", encoding="utf-8") as file:
            file.write(f"[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN={name}\n[ext]\n"
                       f"subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n{extensions}")
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:48"]
        new = ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"] if kind == "ec" else [kind]
        command = ["openssl", "req", "-new", "-nodes", "-newkey", *new, "-keyout", cls.path(name + ".key"),
                   "-config", cls.path(name + ".cnf"), "-out", cls.path(name + ".csr")]
        subprocess.run(command, check=True, capture_output=True)
        signer = ["-CA", cls.path(issuer + ".pem"), "-CAkey", cls.path(issuer + ".key"), "-CAcreateserial"] if issuer else \
                 ["-signkey", cls.path(name + ".key")]
        subprocess.run(["openssl", "x509", "-req", "-in", cls.path(name + ".csr"), *signer, "-sha384", *pss, "-days", "30",
                        "-extfile", cls.path(name + ".cnf"), "-extensions", "ext", "-out", cls.path(name + ".pem")],
                       check=True, capture_output=True)

    def report(self, **changes):
        raw = bytearray(reports.SIZE)
        tcb = 0x04 | 0x16 << 48 | 0xd5 << 56
        values = {"version": 3, "policy": 0x30000, "signature_algo": 1, "current_tcb": tcb, "reported_tcb": tcb,
                  "committed_tcb": tcb, "launch_tcb": tcb, "chip_id": b"\xc1" * 64, "report_data": bytes(range(64)), **changes}
        for name, value in values.items():
            offset, size = reports.LAYOUT[name]
            raw[offset:offset + size] = value if isinstance(value, bytes) else value.to_bytes(size, "little")
        with open(self.path("signed"), "wb") as file:
            file.write(raw[:reports.SIGNED])
        out = subprocess.run(["openssl", "dgst", "-sha384", "-sign", self.path("vcek.key"), self.path("signed")],
                             check=True, capture_output=True).stdout
        at = 2
        for offset in (reports.SIGNED, reports.SIGNED + 72):
            length = out[at + 1]
            raw[offset:offset + 72] = int.from_bytes(out[at + 2:at + 2 + length], "big").to_bytes(72, "little")
            at += 2 + length
        return raw

    def verify(self, raw, *options):
        with open(self.path("report"), "wb") as file:
            file.write(raw)
        result = subprocess.run([sys.executable, HERE, self.path("report"), "--certs", self.dir, *options],
                                capture_output=True, text=True, check=False)
        return result.returncode, result.stdout + result.stderr

    def test_good(self):
        code, text = self.verify(self.report(), "--policy", "0x30000")
        self.assertEqual(code, 0, text)
        self.assertIn("VERIFIED", text)

    def test_each_byte_counts(self):
        raw = self.report()
        for at in (0x50, 0x90, 0x140, 0x29f, 0x2a0, 0x2e8):
            bad = bytearray(raw)
            bad[at] ^= 1
            code, text = self.verify(bad)
            self.assertEqual(code, 1, hex(at))
            self.assertIn("signature does not hold", text)

    def test_tcb_of_certificate(self):
        code, text = self.verify(self.report(reported_tcb=3))
        self.assertEqual(code, 1)
        self.assertIn("FAILED  certificate is for the reported TCB", text)

    def test_other_chip(self):
        self.assertEqual(self.verify(self.report(chip_id=b"\xc2" * 64))[0], 1)

    def test_debug_policy(self):
        raw = self.report(policy=0xb0000)
        self.assertEqual(self.verify(raw)[0], 1)
        self.assertEqual(self.verify(raw, "--debug")[0], 0)

    def test_other_root(self):
        raw = self.report()
        with tempfile.TemporaryDirectory() as other:
            for name, source in (("ask", "ask"), ("vcek", "vcek"), ("ark", "other")):
                with open(self.path(source + ".pem"), "rb") as file:
                    certs.write(other, name + ".pem", file.read())
            code, text = self.verify(raw, "--certs", other)
        self.assertEqual(code, 1)
        self.assertIn("chain does not hold", text)

    def test_measurement(self):
        firmware = tiny_ovmf([(0x800000, 0x1000, ovmf.SEC_MEM)])
        with open(self.path("fw"), "wb") as file:
            file.write(firmware)
        raw = self.report(measurement=measure.launch_digest(firmware, 4, vmsa.signature(25, 1, 1)))
        self.assertEqual(self.verify(raw, "--firmware", self.path("fw"), "--cpus", "4")[0], 0)
        self.assertEqual(self.verify(raw, "--firmware", self.path("fw"), "--cpus", "1")[0], 1)

    def test_certificate_table(self):
        one, two = b"VCEK-DER", b"ASK-DER"
        table = bytes.fromhex("8d75da63 64e6 6445 adc5f4b93be8accd") + struct.pack("<II", 72, len(one))
        table += bytes.fromhex("79b3b74a acbb e44f a02f05aef327c782")
        table += struct.pack("<II", 72 + len(one), len(two)) + bytes(24)
        self.assertEqual(certs.parse_table(table + one + two), {"vcek": one, "ask": two})
        with self.assertRaises(certs.Invalid):
            certs.parse_table(table[:24] + bytes(24))

    def test_versions(self):
        for version in (1, 6):
            with self.assertRaises(ValueError):
                reports.Report(struct.pack("<I", version) + bytes(reports.SIZE))
        self.assertEqual(reports.Report(struct.pack("<I", 5) + bytes(reports.SIZE)).launch_mit_vector, 0)


if __name__ == "__main__":
    unittest.main()
