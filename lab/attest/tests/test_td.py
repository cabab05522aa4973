# SPDX-License-Identifier: GPL-2.0
"""Unit tests of the check of TD reports: each structure against bytes laid out by hand."""

import hashlib
import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

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
