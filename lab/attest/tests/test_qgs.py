# SPDX-License-Identifier: GPL-2.0
"""Unit tests of the quoting service's protocol: good requests, bad ones, and several connections."""

import io
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from random import Random

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import certs  # noqa: E402
import qgs  # noqa: E402
import quote  # noqa: E402
import quoting  # noqa: E402
from reports import sealed_report  # noqa: E402

QUOTED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "quoted")
REPORT = bytes(range(256)) * 4


def request(report=REPORT, major=1, minor=1, kind=0, size=None, report_size=None, ids=b"", ids_size=None):
    data = struct.pack("<II", len(report) if report_size is None else report_size, len(ids) if ids_size is None else ids_size)
    data += report + ids
    return struct.pack("<HHIII", major, minor, kind, 16 + len(data) if size is None else size, 0) + data


def framed(message):
    return struct.pack(">I", len(message)) + message


def parsed(message):
    """(type, error, what follows)"""
    major, minor, kind, size, error = struct.unpack_from("<HHIII", message)
    assert (major, minor, size) == (1, 1, len(message))
    return kind, error, message[16:]


def unframed(data):
    messages = []
    while data:
        size, = struct.unpack_from(">I", data)
        messages.append(data[4:4 + size])
        data = data[4 + size:]
    return messages


class Broken(Exception):
    pass


class AnswerTest(unittest.TestCase):
    """One request, one response"""

    @staticmethod
    def make(report):
        if report == REPORT:
            return b"a quote"
        if report[0] == 1:
            raise quoting.Refused("not ours")
        raise Broken("a fault of the service")

    def answer(self, message):
        return parsed(qgs.answer(message, self.make, lambda _: None))

    def test_good(self):
        for minor in 0, 1:
            self.assertEqual(self.answer(request(minor=minor)), (1, 0, struct.pack("<II", 0, 7) + b"a quote"))

    def test_bad(self):
        for message, kind, error in (
                (b"", 1, 0x12006), (request()[:15], 1, 0x12006), (request(major=2), 1, 0x12004), (request(minor=2), 1, 0x12004),
                (request(kind=2), 3, 0x12005), (request(kind=4), 5, 0x12005), (request(kind=1), 1, 0x12005), (request(kind=99), 1, 0x12005),
                (request(size=0), 1, 0x12006), (request(size=len(request()) + 1), 1, 0x12006), (request() + b"\0", 1, 0x12006),
                (request()[:20], 1, 0x12006), (struct.pack("<HHIII", 1, 1, 0, 16, 0), 1, 0x12006),
                (request(report_size=1023), 1, 0x12006), (request(report_size=0xffffffff), 1, 0x12006), (request(ids_size=1), 1, 0x12006),
                (request(report_size=0xffffffff, ids_size=1025), 1, 0x12006),
                (request(report=b""), 1, 0x12003), (request(report=REPORT[1:]), 1, 0x12003), (request(ids=bytes(16)), 1, 0x12003),
                (request(report=b"\1" * 1024), 1, 0x12003), (request(report=b"\2" * 1024), 1, 0x12001)):
            self.assertEqual(self.answer(message), (kind, error, b""), message[:32])


class ServeTest(unittest.TestCase):
    """One connection"""

    def serve(self, data):
        sink = io.BytesIO()
        qgs.serve(io.BytesIO(data), sink, AnswerTest.make, lambda _: None)
        return [parsed(message)[:2] for message in unframed(sink.getvalue())]

    def test_several(self):
        """A bad request does not end the connection."""
        self.assertEqual(self.serve(framed(request()) + framed(b"") + framed(b"x" * 99) + framed(request())),
                         [(1, 0), (1, 0x12006), (1, 0x12004), (1, 0)])

    def test_too_long(self):
        """It is not read to its end: what follows is no request."""
        self.assertEqual(self.serve(struct.pack(">I", 4096) + bytes(4096) + framed(request())), [(1, 0x12004), (1, 0)])
        for size in 4097, 0x80000000, 0xffffffff:
            self.assertEqual(self.serve(struct.pack(">I", size) + framed(request()) * 9), [(1, 0x12006)])

    def test_random(self):
        """Whatever comes, each message that is not too long has an answer, and nothing ends the service."""
        random = Random(7)
        for _ in range(2000):
            message = bytearray(request(random.choice((REPORT, b"\1" * 1024, b"\2" * 1024, b"", REPORT[:99]))))
            for _ in range(random.randrange(4)):
                at = random.randrange(min(len(message), 24 + random.randrange(64)))
                message[at] = random.choice((0, 1, 4, 0x7f, 0xff, random.randrange(256)))
            message = message[:random.randrange(len(message))] if random.random() < 0.3 else message
            self.assertEqual(len(self.serve(framed(bytes(message)) + framed(request()))), 2)

    def test_too_many(self):
        self.assertEqual(len(self.serve(framed(request()) * 70)), 64)

    def test_ends(self):
        for cut in 0, 1, 3, 4, 5, 1000:
            self.assertEqual(self.serve(framed(request()) + framed(request())[:cut]), [(1, 0)])


class ServiceTest(unittest.TestCase):
    """The program"""

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory()
        cls.directory, cls.report = cls.tmp.name, sealed_report(bytes(32))
        certs.write(cls.directory, "report-key", bytes(32))

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def check_quote(self, message):
        kind, error, data = parsed(message)
        self.assertEqual((kind, error, struct.unpack_from("<II", data)), (1, 0, (0, len(data) - 8)))
        self.assertEqual(quote.Quote(data[8:]).report()[512:912], self.report[512:912])

    def test_standard_input(self):
        requests = framed(request(self.report)) + framed(request())
        done = subprocess.run([QUOTED, self.directory], input=requests, capture_output=True, check=True)
        good, bad = unframed(done.stdout)
        self.check_quote(good)
        self.assertEqual(parsed(bad), (1, 0x12003, b""))
        self.assertEqual(done.stderr, b"")

    def test_slots(self):
        """As many processes as may serve do, and the next one has no answer until one of them ends."""
        directory = tempfile.mkdtemp(dir=self.directory)
        certs.write(directory, "report-key", bytes(32))
        serving = []
        try:
            for _ in range(16):
                serving.append(subprocess.Popen([QUOTED, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
                serving[-1].stdin.write(framed(request()))
                serving[-1].stdin.flush()
                self.assertTrue(serving[-1].stdout.read(4))
            refused = subprocess.run([QUOTED, directory], input=framed(request(self.report)), capture_output=True, check=True)
            self.assertEqual((refused.stdout, refused.stderr), (b"", b""))
            serving.pop().communicate()
            served = subprocess.run([QUOTED, directory], input=framed(request(self.report)), capture_output=True, check=True)
            self.check_quote(unframed(served.stdout)[0])
        finally:
            for process in serving:
                process.communicate()

    def test_log_is_bounded(self):
        log = os.path.join(self.directory, "log")
        with open(log, "wb") as file:
            file.truncate(1 << 21)
        subprocess.run([QUOTED, self.directory], input=framed(request()), capture_output=True, check=True)
        self.assertEqual(os.path.getsize(log + ".old"), 1 << 21)
        self.assertLess(os.path.getsize(log), 1000)

    @staticmethod
    def call(path):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(path)
        return connection

    @staticmethod
    def receive(connection):
        size, = struct.unpack(">I", connection.recv(4, socket.MSG_WAITALL))
        return connection.recv(size, socket.MSG_WAITALL)

    def check_bound(self, path):
        """Of more connections than may be served at a time, at least one is closed, and none of those that are served."""
        many = [self.call(path) for _ in range(17)]
        self.assertEqual(many[16].recv(1), b"")
        many[0].send(framed(request(self.report)))
        self.check_quote(self.receive(many[0]))
        for connection in many:
            connection.close()

    def test_connections(self):
        """Who says nothing, who goes away and who says too much do not keep others from their quotes."""
        path = os.path.join(self.directory, "socket")
        with subprocess.Popen([QUOTED, self.directory, "--listen", path], stderr=subprocess.DEVNULL) as service:
            try:
                while not os.path.exists(path):
                    self.assertIsNone(service.poll())
                    time.sleep(0.05)
                silent, half, rude = (self.call(path) for _ in range(3))
                half.send(framed(request(self.report))[:100])
                rude.send(b"\xff" * 4096)
                self.assertEqual(parsed(self.receive(rude))[1], 0x12006)
                gone = self.call(path)
                gone.send(framed(request(self.report)))
                gone.close()
                users = [self.call(path) for _ in range(4)]
                for user in users:
                    user.send(framed(request(self.report)))
                for user in users:
                    self.check_quote(self.receive(user))
                    user.close()
                half.send(framed(request(self.report))[100:])
                self.check_quote(self.receive(half))
                self.assertIsNone(service.poll())
                for connection in silent, half, rude:
                    connection.close()
                self.check_bound(path)
            finally:
                service.terminate()


if __name__ == "__main__":
    unittest.main()
