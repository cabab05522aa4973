# SPDX-License-Identifier: GPL-2.0-or-later
"""The key that seals reports of TDs is the one that x-seam-report-key names"""

import hashlib
import hmac
import os
import re
import stat
import subprocess

KEY_SIZE = 32
MACED = 224         # bytes of REPORTMACSTRUCT before its MAC


def read(path):
    """No bytes if there is no such file"""
    if not os.path.exists(path):
        return b''
    with open(path, 'rb') as file:
        return file.read()


def sealed(out, key):
    """Whether the report in a program's output is sealed with the key."""
    words = re.findall(r'^# report ([0-9a-f]{16})$', out, re.M)
    report = bytes.fromhex(''.join(words))
    mac = hmac.new(key, report[:MACED], hashlib.sha256).digest()
    return len(report) == MACED + len(mac) and report[MACED:] == mac


def refused(args, cpu):
    """Whether QEMU ends with an error, and says which property is wrong."""
    cmd = [args.qemu, '-machine', 'q35', '-accel', 'tcg', '-cpu', cpu, '-S',
           '-nodefaults', '-display', 'none']
    for path in args.bios:
        cmd += ['-L', path]
    try:
        done = subprocess.run(cmd, stdin=subprocess.DEVNULL, timeout=60,
                              capture_output=True, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode != 0 and b'x-seam-report-key' in done.stderr


def runs(args, program, machine):
    """A machine with a new key, and one that finds it; then a bad file."""
    path = os.path.join(args.dir, 'report-key')
    cpu = f'{machine.cpu},x-seam-report-key={path}'
    if os.path.exists(path):
        os.unlink(path)

    def check_new(out):
        there = len(read(path)) == KEY_SIZE
        yield 'the key is in its file', there
        yield ('only its owner may read it', there and
               stat.S_IMODE(os.stat(path).st_mode) == 0o600)
        yield 'the report is sealed with it', sealed(out, read(path))

    def check_again(out):
        yield 'the file is as it was', read(path) == key
        yield 'the report is sealed with the same key', sealed(out, key)
        with open(path, 'wb') as file:
            file.write(key[1:])
        yield 'a file that is too short is refused', refused(args, cpu)
        os.unlink(path)

    yield (f'{program} new', program,
           machine._replace(cpu=cpu, check=check_new))
    key = read(path)
    yield (f'{program} again', program,
           machine._replace(cpu=cpu, check=check_again))
