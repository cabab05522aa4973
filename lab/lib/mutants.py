# SPDX-License-Identifier: GPL-2.0
"""Kernel mutants: blocks of a file like lab/snp/mutants, each a change of one place in a tree and the test to miss it."""

import collections
import contextlib
import fnmatch
import os
import re
import sys

Mutant = collections.namedtuple("Mutant", "name file test old new")


Arguments = collections.namedtuple("Arguments", "given names")


def arguments(usage, words, *options):
    """The options that are given and the names; prints the usage for --help and for an option that there is not."""
    unknown = [word for word in words if word.startswith("-") and word not in (*options, "-h", "--help")]
    if unknown or "-h" in words or "--help" in words:
        print(usage.strip(), file=sys.stderr if unknown else sys.stdout)
        sys.exit(f"unknown option '{unknown[0]}'" if unknown else 0)
    return Arguments([word for word in words if word in options], [word for word in words if word not in options])


class Stale(Exception):
    """The text that a mutant changes is not there, or not once."""


def read(path, patterns=()):
    """The mutants of a file whose names match one of the patterns, all of them without patterns."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for block in re.split(r"^= ", text, flags=re.M)[1:]:
        lines = block.rstrip("\n").split("\n")
        part = {mark: "".join(line[1:] + "\n" for line in lines[1:] if line.startswith(mark)) for mark in "@?-+"}
        name = lines[0].strip()
        if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
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
