# SPDX-License-Identifier: GPL-2.0
"""The messages of a quote generation service, which QEMU sends for a TD.

A message has four bytes of length (big endian) before it; all in it is little endian. Each request has a response, and
who sends no request at all loses the connection.
"""

import struct

import quote
import quoting

LENGTH = struct.Struct(">I")
HEADER = struct.Struct("<HHIII")        # major and minor version, type, size of the message, error
SIZES = struct.Struct("<II")            # report and list of ids, or id and quote
GET_QUOTE, GET_QUOTE_RESPONSE = 0, 1
KNOWN_REQUESTS = (0, 2, 4)              # each response has the next number
MAJOR, MINORS = 1, (0, 1)
LONGEST = 4096                          # more than any request that has an answer
REQUESTS = 64                           # of one connection

UNEXPECTED, INVALID_PARAMETER, INVALID_VERSION, INVALID_TYPE, INVALID_SIZE = 0x12001, 0x12003, 0x12004, 0x12005, 0x12006


class Error(Exception):
    """The service's answer to a bad request"""

    def __init__(self, code, kind=GET_QUOTE_RESPONSE):
        super().__init__(f"{code:#x}")
        self.code, self.kind = code, kind


def response(kind, error, data=b""):
    return HEADER.pack(MAJOR, max(MINORS), kind, HEADER.size + len(data), error) + data


def parse(message):
    """The report in a request for its quote"""
    if len(message) < HEADER.size:
        raise Error(INVALID_SIZE)
    major, minor, kind, size, _ = HEADER.unpack_from(message)
    if major != MAJOR or minor not in MINORS:
        raise Error(INVALID_VERSION)
    if kind != GET_QUOTE:
        raise Error(INVALID_TYPE, kind + 1 if kind in KNOWN_REQUESTS else GET_QUOTE_RESPONSE)
    start = HEADER.size + SIZES.size
    if size != len(message) or size < start:
        raise Error(INVALID_SIZE)
    report_size, ids_size = SIZES.unpack_from(message, HEADER.size)
    if start + report_size + ids_size != size:
        raise Error(INVALID_SIZE)
    # An id is that of an attestation key, and there is one.
    if report_size != quote.REPORT_SIZE or ids_size:
        raise Error(INVALID_PARAMETER)
    return message[start:]


def answer(message, make_quote, log):
    """The response to a request, whatever it is"""
    try:
        made = make_quote(parse(message))
    except Error as error:
        log(f"bad request: {error}")
        return response(error.kind, error.code)
    except quoting.Refused as error:
        log(f"no quote: {error}")
        return response(GET_QUOTE_RESPONSE, INVALID_PARAMETER)
    except Exception as error:  # pylint: disable=broad-except
        log(f"no quote: {error!r}")
        return response(GET_QUOTE_RESPONSE, UNEXPECTED)
    log("quote made")
    return response(GET_QUOTE_RESPONSE, 0, SIZES.pack(0, len(made)) + made)


def serve(source, sink, make_quote, log):
    """The requests of one connection, until it ends, has had enough of them, or cannot be understood any more."""
    for _ in range(REQUESTS):
        head = source.read(LENGTH.size)
        if len(head) != LENGTH.size:
            return
        length, = LENGTH.unpack(head)
        if length > LONGEST:
            log(f"bad request: {length} bytes")
            send(sink, response(GET_QUOTE_RESPONSE, INVALID_SIZE))
            return
        message = source.read(length)
        if len(message) != length:
            return
        send(sink, answer(message, make_quote, log))


def send(sink, message):
    sink.write(LENGTH.pack(len(message)) + message)
    sink.flush()
