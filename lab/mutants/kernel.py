# SPDX-License-Identifier: GPL-2.0
"""Mutants of the kernel: each is built, and the row or script that it names has to fail."""

import os
import subprocess

import lists


def test_fails(test):
    """Does the row, or the script with '!', fail? None if the kernel does not build."""
    if subprocess.run([os.path.join(lists.LAB, "kernel"), "edit", "lab"], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL, check=False).returncode:
        return None
    if test.startswith("!"):
        command = test[1:].split()
        command[0] = os.path.join(lists.ROOT, command[0])
    else:
        command = [os.path.join(lists.LAB, "test"), "--kernel", "edit", "--no-build", "--name", "mutants",
                   "--test", test]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode != 0


def run(mutant):
    try:
        with lists.applied(lists.TREE, mutant):
            failed = test_fails(mutant.test)
    except lists.Stale as stale:
        return lists.Result(mutant.name, False, str(stale))
    text = "does not build" if failed is None else f"{'killed by' if failed else 'survives'} {mutant.test}"
    return lists.Result(mutant.name, bool(failed), text)


def mutants(patterns):
    for mutant in lists.read(os.path.join(lists.HERE, "kernel.list"), patterns):
        yield run(mutant)
