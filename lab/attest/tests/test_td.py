# SPDX-License-Identifier: GPL-2.0
"""Unit tests of the check of TD reports: each structure against bytes laid out by hand."""

import hashlib
import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import boot  # noqa: E402
import ovmf  # noqa: E402
import td  # noqa: E402

# A page that is measured, one that is only added, one that the TD accepts itself
SECTIONS = [(0x1000, 0x1000, 0xfffff000, 0x1000, 0, 1), (0, 0, 0x800000, 0x1000, 3, 0), (0, 0, 0x900000, 0x1000, 3, 2)]


def tiny_tdvf(sections):
    """An image of two pages with a GUID table and metadata."""
    size = 8192
    image = bytearray(size)
    metadata = b"TDVF" + struct.pack("<III", 16 + 32 * len(sections), 1, len(sections))
    metadata += b"".join(struct.pack("<IIQQII", *section) for section in sections)
    image[0x100:0x100 + len(metadata)] = metadata
    image[0x1000:0x1010] = bytes(range(16))
    table = struct.pack("<IH", size - 0x100, 4 + 18) + td.TDX_METADATA.bytes_le
    table += struct.pack("<H", len(table) + 18) + ovmf.FOOTER.bytes_le
    image[size - 32 - len(table):size - 32] = table
    return bytes(image)


def step(name, gpa):
    return name.ljust(16, b"\0") + gpa.to_bytes(8, "little") + bytes(104)


def event(register, digest, data=b"", algorithm=0xc):
    return struct.pack("<IIIH", register, 8, 1, algorithm) + digest + struct.pack("<I", len(data)) + data


def log(*entries):
    """The first event says what the others look like; 0xff is what the firmware fills the rest with."""
    first = b"Spec ID Event03"
    return struct.pack("<II20sI", 1, 3, bytes(20), len(first)) + first + b"".join(entries) + b"\xff" * 64


class MrtdTest(unittest.TestCase):
    def test_sections(self):
        self.assertEqual(td.sections(tiny_tdvf(SECTIONS)), SECTIONS)

    def test_no_metadata(self):
        image = tiny_tdvf(SECTIONS).replace(b"TDVF", b"TDVX")
        self.assertRaises(ValueError, td.sections, image)

    def test_mrtd(self):
        image = tiny_tdvf(SECTIONS)
        all_of_it = step(b"MEM.PAGE.ADD", 0xfffff000)
        for at in range(0x1000, 0x2000, 256):
            all_of_it += step(b"MR.EXTEND", 0xffffe000 + at) + image[at:at + 256]
        all_of_it += step(b"MEM.PAGE.ADD", 0x800000)
        self.assertEqual(td.mrtd(image), hashlib.sha384(all_of_it).digest())


class EventLogTest(unittest.TestCase):
    def test_rtmrs(self):
        one, two, three = (bytes([n]) * 48 for n in (1, 2, 3))
        values = td.rtmrs(log(event(1, one, b"abc"), event(3, two), event(1, three)))
        first = hashlib.sha384(bytes(48) + one).digest()
        self.assertEqual(values[0], hashlib.sha384(first + three).digest())
        self.assertEqual(values[2], hashlib.sha384(bytes(48) + two).digest())
        self.assertEqual((values[1], values[3]), (bytes(48), bytes(48)))

    def test_bad_events(self):
        self.assertRaises(ValueError, td.rtmrs, log(event(5, bytes(48))))
        self.assertRaises(ValueError, td.rtmrs, log(event(1, bytes(48), algorithm=0xb)))


class BootTest(unittest.TestCase):
    def setUp(self):
        image = bytearray(range(256)) * 4
        struct.pack_into("<I", image, 0x3c, 0x80)
        image[0x80:0x84] = b"PE\0\0"
        struct.pack_into("<H", image, 0x98, 0x20b)
        struct.pack_into("<II", image, 0x98 + 112 + 32, 0x300, 0x40)
        self.kernel = bytes(image)
        kept = image[:0x98 + 64] + image[0x98 + 68:0x98 + 144] + image[0x98 + 152:0x300] + image[0x340:]
        end = [hashlib.sha384(text).digest() for text in boot.END_OF_BOOT_SERVICES]
        self.two = [bytes(48), hashlib.sha384(kept).digest(), *end]
        self.three = [bytes(48), hashlib.sha384("BOOT_IMAGE=/vmlinuz quiet".encode("utf-16-le")).digest(), hashlib.sha384(b"initrd").digest()]

    def results(self, two=None, three=None, kernel=None, initrd=b"initrd", command_line="quiet"):
        events = [(2, digest) for digest in two or self.two] + [(3, digest) for digest in three or self.three]
        return [good for _, good in boot.check(events, kernel or self.kernel, initrd, command_line)]

    def test_good(self):
        self.assertEqual(self.results(), [True, True])

    def test_what_is_measured(self):
        """Of the kernel all but the checksum, the entry of the signature, and the signature"""
        for at, good in ((0, True), (0x98 + 63, True), (0x98 + 64, False), (0x98 + 68, True), (0x98 + 152, True), (0x2ff, True),
                         (0x300, False), (0x33f, False), (0x340, True), (0x3ff, True)):
            changed = bytearray(self.kernel)
            changed[at] ^= 1
            self.assertEqual(self.results(kernel=bytes(changed)), [not good, True], at)

    def test_other(self):
        self.assertEqual(self.results(initrd=b"other"), [True, False])
        self.assertEqual(self.results(command_line="quiet init=/bin/sh"), [True, False])
        self.assertEqual(self.results(two=self.two + [bytes(48)]), [False, True])
        self.assertEqual(self.results(two=self.two[:-2]), [False, True])
        self.assertEqual(self.results(three=self.three + [bytes(48)]), [True, False])
        self.assertEqual(self.results(three=self.three[::-1]), [True, False])

    def test_no_kernel(self):
        for image in b"", b"MZ", bytes(0x100), self.kernel[:0x90]:
            self.assertRaises(ValueError, boot.authenticode, image)


class CheckTest(unittest.TestCase):
    def setUp(self):
        self.image, self.data = tiny_tdvf(SECTIONS), bytes(range(64))
        self.log = log(*[event(1, bytes([n]) * 48) for n in range(12)])
        report = bytearray(1024)
        report[0] = 0x81
        report[128:192] = self.data
        report[528:576] = td.mrtd(self.image)
        for i, value in enumerate(td.rtmrs(self.log)):
            report[720 + 48 * i:768 + 48 * i] = value
        self.report = report

    def failed(self):
        return [what for what, good in td.check(bytes(self.report), self.data, self.image, self.log) if not good]

    def test_good(self):
        self.assertEqual(self.failed(), [])

    def test_each_field(self):
        for at in 0, 128, 512, 528, 576, 624, 719, 720, 768, 816, 864:
            self.report[at] ^= 1
            self.assertEqual(len(self.failed()), 1, at)
            self.report[at] ^= 1

    def test_length(self):
        self.report.append(0)
        self.assertEqual(self.failed(), ["length"])

    def test_empty_log(self):
        """Registers that nobody extended agree with it."""
        self.log = log(event(1, bytes(48)))
        for i, value in enumerate(td.rtmrs(self.log)):
            self.report[720 + 48 * i:768 + 48 * i] = value
        self.assertEqual(self.failed(), ["the firmware and the boot loader have measured something"])

    def test_module(self):
        module = b"a module"
        self.report[280:328] = hashlib.sha384(module).digest()
        for at, bit, want in (0, 0, 0), (280, 1, 1), (327, 1, 1), (376, 1, 1):
            self.report[at] ^= bit
            self.assertEqual(sum(not good for _, good in td.check_module(bytes(self.report), module)), want, at)
            self.report[at] ^= bit


if __name__ == "__main__":
    unittest.main()
