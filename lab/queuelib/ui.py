# SPDX-License-Identifier: GPL-2.0
"""What the user sees: steps with their time, progress, one-line errors."""

import sys
import time


class QueueError(Exception):
    """A condition the user must act on; its text is one clear line or a few."""


class Steps:
    """Prints '[queue] what' and, at the end of each step, how long it took."""

    def __init__(self, out=None, quiet=False):
        self.out = out or sys.stderr
        self.quiet = quiet
        self.tty = self.out.isatty()

    def say(self, text):
        if not self.quiet:
            print(f"[queue] {text}", file=self.out, flush=True)

    def warn(self, text):
        print(f"[queue] warning: {text}", file=self.out, flush=True)

    def progress(self, done, total, what):
        """One line that is overwritten on a terminal, and silent elsewhere."""
        if self.quiet or not self.tty:
            return
        end = "\n" if done == total else "\r"
        print(f"[queue]   {done}/{total} {what[:60]:<60}", end=end,
              file=self.out, flush=True)

    def step(self, text):
        return _Step(self, text)


class _Step:
    def __init__(self, steps, text):
        self.steps = steps
        self.text = text

    def __enter__(self):
        self.start = time.monotonic()
        self.steps.say(self.text)
        return self

    def __exit__(self, kind, value, trace):
        took = time.monotonic() - self.start
        if kind is None:
            self.steps.say(f"{self.text}: done in {took:.1f} s")
        return False
