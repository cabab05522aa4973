# SPDX-License-Identifier: GPL-2.0
"""Which rows have passed on the series as it stands: the file 'patches/tested'.

All rows together take longer than a session on one machine lasts. What 'lab/test --record' notes there is left out by
'--due', so that several runs, on several machines, make one. A line is valid for one kernel, i.e. for all that is
composed but Documentation and tools, and one text of the selftest that the row runs. Lines of other kernels go when
something is noted. The emulator's tree is noted and not compared.
"""

import collections
import contextlib
import fcntl
import hashlib
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from queuelib.gitcmd import Git  # noqa: E402

HEAD = "# Passed by 'lab/test --record': kernel, configuration, row, its selftest, tree of the emulator\n"
APART = ("Documentation", "tools")
SELFTEST = re.compile(r"\$ours/(x86_64/\w+)")

Passed = collections.namedtuple("Passed", "selftest emulator")


class Tested:
    def __init__(self, root, config):
        self.path = os.path.join(root, "patches", "tested")
        self.config = config
        self.linux = Git(os.path.join(root, "work", "linux"))
        self.kernel = kernel_of(self.linux)
        self.emulator = short(Git(os.path.join(root, "work", "qemu")).tree_of("HEAD"))

    def _read(self):
        if not os.path.exists(self.path):
            return {}
        with open(self.path, encoding="utf-8") as file:
            lines = [line.split() for line in file if not line.startswith("#")]
        return {(config, row): Passed(*what) for kernel, config, row, *what in lines if kernel == self.kernel}

    @contextlib.contextmanager
    def _changed(self):
        """The rows, to be changed; other runs wait."""
        lock = os.open(os.path.dirname(self.path), os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            passed = self._read()
            yield passed
            with open(self.path + ".new", "w", encoding="utf-8") as file:
                file.write(HEAD)
                file.writelines(f"{self.kernel} {' '.join(key)} {' '.join(what)}\n" for key, what in sorted(passed.items()))
            os.replace(self.path + ".new", self.path)
        finally:
            os.close(lock)

    def _selftest(self, row):
        """The text of the selftests that a row runs, '-' if it runs none."""
        names = SELFTEST.findall(row.command)
        blobs = [self.linux.out("rev-parse", f"HEAD:tools/testing/selftests/kvm/{name}.c") for name in names]
        return short(hashlib.sha1(" ".join(blobs).encode()).hexdigest()) if blobs else "-"

    def has(self, row):
        passed = self._read().get((self.config, row.name))
        return passed is not None and passed.selftest == self._selftest(row)

    def add(self, row):
        with self._changed() as passed:
            passed[self.config, row.name] = Passed(self._selftest(row), self.emulator)

    def remove(self, row):
        with self._changed() as passed:
            passed.pop((self.config, row.name), None)


def short(name):
    return name[:12]


def kernel_of(linux):
    """What is composed and can have an effect on the kernel."""
    kept = [entry for entry in linux.lines("ls-tree", "HEAD") if entry.split("\t")[1] not in APART]
    return short(hashlib.sha1("\n".join(kept).encode()).hexdigest())
