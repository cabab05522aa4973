# SPDX-License-Identifier: GPL-2.0
"""Which rows have passed, and which mutants were killed, on the series as it stands: the file 'patches/tested'.

All together take longer than a session on one machine lasts. What '--record' of lab/test or lab/mutate notes there is
left out by '--due', so that several runs, on several machines, make one. A line is valid for one kernel, i.e. for all
that is composed but Documentation and tools, one text of the selftest that the row runs, and one text of the mutant.
Lines of other kernels go when something is noted. The emulator's tree is noted and not compared.
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

HEAD = ("# Noted by '--record': kernel, configuration of the row that passed or 'mutant', name, what it runs, "
        "tree of the emulator\n")
APART = ("Documentation", "tools")
SELFTEST = re.compile(r"\$ours/(x86_64/\w+)")

Passed = collections.namedtuple("Passed", "text emulator")


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

    def _text(self, command, mutant):
        """Names the text of the selftests that a command runs, and of the mutant; '-' if there is none."""
        names = SELFTEST.findall(command)
        texts = [self.linux.out("rev-parse", f"HEAD:tools/testing/selftests/kvm/{name}.c") for name in names]
        texts += [mutant] if mutant else []
        return short(hashlib.sha1(" ".join(texts).encode()).hexdigest()) if texts else "-"

    def has(self, name, command, mutant=""):
        passed = self._read().get((self.config, name))
        return passed is not None and passed.text == self._text(command, mutant)

    def add(self, name, command, mutant=""):
        with self._changed() as passed:
            passed[self.config, name] = Passed(self._text(command, mutant), self.emulator)

    def remove(self, name):
        with self._changed() as passed:
            passed.pop((self.config, name), None)


def short(name):
    return name[:12]


def kernel_of(linux):
    """What is composed and can have an effect on the kernel."""
    kept = [entry for entry in linux.lines("ls-tree", "HEAD") if entry.split("\t")[1] not in APART]
    return short(hashlib.sha1("\n".join(kept).encode()).hexdigest())
