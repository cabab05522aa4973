# SPDX-License-Identifier: GPL-2.0
"""What 'lab/test --record' notes is found again, for the same kernel and the same selftest only."""

import collections
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tested import Tested  # noqa: E402
from queuelib.ui import QueueError  # noqa: E402

Row = collections.namedtuple("Row", "name command")
RACE = Row("private/race", "$ours/x86_64/race_test 10")
HOLE = Row("private/hole", "$ours/x86_64/hole_test")
HOST = Row("host", "true")
TESTS = "tools/testing/selftests/kvm/x86_64/"


class TestedTest(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = place.name
        os.mkdir(os.path.join(self.root, "patches"))
        for name in ("linux", "qemu"):
            subprocess.run(["git", "init", "-q", self.tree(name)], check=True)
            for file in ("arch/x86/kvm.c", TESTS + "race_test.c", TESTS + "hole_test.c"):
                self.commit(name, file, "one")

    def tree(self, *names):
        return os.path.join(self.root, "work", *names)

    def commit(self, name, file, text):
        os.makedirs(os.path.dirname(self.tree(name, file)), exist_ok=True)
        with open(self.tree(name, file), "w", encoding="utf-8") as out:
            out.write(text)
        for words in (("add", file), ("commit", "-q", "-m", text)):
            subprocess.run(["git", "-C", self.tree(name), "-c", "user.name=t", "-c", "user.email=t@localhost", *words],
                           check=True)

    def noted(self, config="lab"):
        return Tested(self.root, config)

    def test_a_row_that_passed_is_not_due(self):
        self.noted().add(*RACE)
        self.assertTrue(self.noted().has(*RACE))
        self.assertFalse(self.noted().has(*HOLE))
        self.assertFalse(self.noted("debug").has(*RACE))

    def test_a_row_that_failed_is_due_again(self):
        self.noted().add(*RACE)
        self.noted().remove(RACE.name)
        self.noted().remove(HOLE.name)
        self.assertFalse(self.noted().has(*RACE))

    def test_runs_side_by_side_lose_nothing(self):
        one, two = self.noted(), self.noted("debug")
        one.add(*RACE)
        two.add(*HOLE)
        self.assertTrue(self.noted().has(*RACE))
        self.assertTrue(self.noted("debug").has(*HOLE))

    def test_another_kernel_has_passed_nothing(self):
        self.noted().add(*HOST)
        self.commit("linux", "arch/x86/kvm.c", "two")
        self.assertFalse(self.noted().has(*HOST))

    def test_another_selftest_has_passed_nothing(self):
        for row in (RACE, HOLE, HOST):
            self.noted().add(*row)
        self.commit("linux", TESTS + "race_test.c", "two")
        self.assertFalse(self.noted().has(*RACE))
        self.assertTrue(self.noted().has(*HOLE))
        self.assertTrue(self.noted().has(*HOST))

    def test_another_mutant_was_not_killed(self):
        mutants = self.noted("mutant")
        mutants.add("no-check", RACE.command, "- check")
        self.assertTrue(mutants.has("no-check", RACE.command, "- check"))
        self.assertFalse(mutants.has("no-check", RACE.command, "- another check"))
        self.assertFalse(mutants.has("no-check", HOST.command, "- check"))

    def test_another_emulator_is_no_other_kernel(self):
        self.noted().add(*RACE)
        self.commit("qemu", "arch/x86/kvm.c", "two")
        self.assertTrue(self.noted().has(*RACE))

    def test_nothing_composed_is_an_error(self):
        os.rename(self.tree("linux", ".git"), self.tree("elsewhere"))
        self.assertRaises(QueueError, self.noted)


if __name__ == "__main__":
    unittest.main()
