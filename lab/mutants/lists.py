# SPDX-License-Identifier: GPL-2.0
"""Lists of mutants: blocks of a file like kernel.list, each a change of one place in a tree and the test that has to fail."""

import collections
import contextlib
import fnmatch
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
LAB = os.path.dirname(HERE)
ROOT = os.path.dirname(LAB)
WORK = os.path.join(ROOT, "work")
TREE = os.path.join(WORK, "edit", "linux")

Mutant = collections.namedtuple("Mutant", "name file test old new")
# killed: True, False, or None for what no test can see
Result = collections.namedtuple("Result", "name killed text")


class Stale(Exception):
    """The text that a mutant changes is not there, or not once."""


def wanted(name, patterns):
    return not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def read(path, patterns=()):
    """The mutants of a file whose names match one of the patterns, all of them without patterns."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for block in re.split(r"^= ", text, flags=re.M)[1:]:
        lines = block.rstrip("\n").split("\n")
        part = {mark: "".join(line[1:] + "\n" for line in lines[1:] if line.startswith(mark)) for mark in "@?-+"}
        name = lines[0].strip()
        if wanted(name, patterns):
            yield Mutant(name, part["@"].strip(), part["?"].strip(), part["-"], part["+"])


@contextlib.contextmanager
def applied(tree, mutant):
    """The tree with the mutant in it, and as it was afterwards."""
    path = os.path.join(tree, mutant.file)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.count(mutant.old) != 1:
        raise Stale(f"is stale: its text occurs {text.count(mutant.old)} times")
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(mutant.old, mutant.new))
        yield
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def stale(kind):
    """(name, why) of each mutant of a list that does not fit the composed series."""
    for mutant in read(os.path.join(HERE, kind + ".list")):
        path = os.path.join(WORK, "linux", mutant.file)
        try:
            with open(path, encoding="utf-8") as file:
                count = file.read().count(mutant.old)
        except FileNotFoundError:
            yield mutant.name, f"there is no {mutant.file}"
            continue
        if count != 1:
            yield mutant.name, f"its text occurs {count} times in {mutant.file}"
