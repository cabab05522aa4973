# SPDX-License-Identifier: GPL-2.0
"""What 'lab/test --record' notes is found again, for the same tree of the kernel series only."""

import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tested import Tested  # noqa: E402


class TestedTest(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = place.name
        os.mkdir(os.path.join(self.root, "patches"))
        for name in ("linux", "qemu"):
            self.git(name, "init", "-q", os.path.join(self.root, "work", name))
            self.commit(name, "one")

    def git(self, name, *words):
        if words[0] != "init":
            words = ("-C", os.path.join(self.root, "work", name), "-c", "user.name=t", "-c", "user.email=t@localhost", *words)
        subprocess.run(["git", *words], check=True, stdout=subprocess.DEVNULL)

    def commit(self, name, text):
        with open(os.path.join(self.root, "work", name, "file"), "w", encoding="utf-8") as file:
            file.write(text)
        self.git(name, "add", "file")
        self.git(name, "commit", "-q", "-m", text)

    def test_a_row_that_passed_is_not_due(self):
        Tested(self.root, "lab").add("private/race")
        self.assertIn("private/race", Tested(self.root, "lab"))
        self.assertNotIn("private/hole", Tested(self.root, "lab"))
        self.assertNotIn("private/race", Tested(self.root, "debug"))

    def test_a_row_that_failed_is_due_again(self):
        tested = Tested(self.root, "lab")
        tested.add("private/race")
        tested.remove("private/race")
        tested.remove("private/hole")
        self.assertNotIn("private/race", Tested(self.root, "lab"))

    def test_runs_side_by_side_lose_nothing(self):
        one, two = Tested(self.root, "lab"), Tested(self.root, "debug")
        one.add("private/race")
        two.add("private/hole")
        self.assertIn("private/race", Tested(self.root, "lab"))
        self.assertIn("private/hole", Tested(self.root, "debug"))

    def test_another_kernel_has_passed_nothing(self):
        Tested(self.root, "lab").add("private/race")
        self.commit("linux", "two")
        self.assertNotIn("private/race", Tested(self.root, "lab"))

    def test_another_emulator_is_no_other_kernel(self):
        Tested(self.root, "lab").add("private/race")
        self.commit("qemu", "two")
        self.assertIn("private/race", Tested(self.root, "lab"))

    def test_nothing_composed_is_an_error(self):
        os.rename(os.path.join(self.root, "work", "linux", ".git"), os.path.join(self.root, "work", "elsewhere"))
        with self.assertRaises(FileNotFoundError):
            Tested(self.root, "lab")


if __name__ == "__main__":
    unittest.main()
