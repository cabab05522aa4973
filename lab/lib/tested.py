# SPDX-License-Identifier: GPL-2.0
"""Which rows have passed on the series as it stands: the file 'patches/tested'.

All rows together take longer than a session on one machine lasts. What 'lab/test --record' notes there is left out by
'--due', so that several runs, on several machines, make one. A line is valid for one tree of the kernel series: those of
any other go when something is noted. The emulator's tree is noted and not compared.
"""

import contextlib
import fcntl
import os
import subprocess

HEAD = "# Passed by 'lab/test --record': tree of the kernel series, configuration, row, tree of the emulator\n"


class Tested:
    def __init__(self, root, config):
        self.path = os.path.join(root, "patches", "tested")
        self.config = config
        self.kernel, self.emulator = (tree_of(os.path.join(root, "work", name)) for name in ("linux", "qemu"))

    def _read(self):
        if not os.path.exists(self.path):
            return {}
        with open(self.path, encoding="utf-8") as file:
            lines = [line.split() for line in file if not line.startswith("#")]
        return {(config, row): emulator for kernel, config, row, emulator in lines if kernel == self.kernel}

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
                file.writelines(f"{self.kernel} {config} {row} {emulator}\n"
                                for (config, row), emulator in sorted(passed.items()))
            os.replace(self.path + ".new", self.path)
        finally:
            os.close(lock)

    def __contains__(self, name):
        return (self.config, name) in self._read()

    def add(self, name):
        with self._changed() as passed:
            passed[self.config, name] = self.emulator

    def remove(self, name):
        with self._changed() as passed:
            passed.pop((self.config, name), None)


def tree_of(repository):
    """The tree that is composed in REPOSITORY, shortened."""
    done = subprocess.run(["git", "-C", repository, "rev-parse", "--short=12", "HEAD^{tree}"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    if done.returncode:
        raise FileNotFoundError(f"nothing is composed in {os.path.relpath(repository)}")
    return done.stdout.strip()
