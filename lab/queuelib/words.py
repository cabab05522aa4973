# SPDX-License-Identifier: GPL-2.0
"""Checks of the words: changelogs, comments and pages, kernel-doc, prefixes of functions.

The patterns are data: words.txt and prefixes.txt beside this file."""

import re
from bisect import bisect_right
from fnmatch import fnmatchcase
from pathlib import Path

from .ui import QueueError

HERE = Path(__file__).resolve().parent
C_FILES = (".c", ".h", ".S", ".inc")
PLAIN_COMMENTS = ("virt/kvm/", "arch/x86/kvm/")     # no kernel-doc on functions here
RAGGED = 18     # columns that a line may end early although the next word would fit
WIDTH = 72

_COMMENT = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|//[^\n]*', re.S)
_TAG = re.compile(r"^[A-Z][A-Za-z-]+-by: |^(Fixes|Link|Closes|Cc): ")
_ITEM = re.compile(r"^([-*]|\d+[.)]) ")
_KERNEL_DOC = re.compile(r"/\*\*\n((?:(?!\*/).)*)\*/\s*\n([^;{]*)", re.S)
_STATIC = re.compile(r"^static\s(?:[\w*]+\s+\**)+?\**(\w+)\(", re.M)


def _table(name, fields):
    rows = []
    for number, line in enumerate((HERE / name).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        # The pattern may have a | of its own: WHERE is before the first one, INSTEAD behind the last one.
        row = [part.strip() for part in re.split(r"\s\|\s", line)]
        if len(row) != fields or not all(row):
            raise QueueError(f"{name}: line {number} does not have {fields} fields, with ' | ' between them")
        rows.append(row)
    return rows


def read_words():
    """[(where, compiled pattern, instead)]"""
    rules = []
    for where, pattern, instead in _table("words.txt", 3):
        try:
            rules.append((where, re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.I | re.M), instead))
        except re.error as err:
            raise QueueError(f"words.txt: '{pattern}': {err}") from None
    return rules


# ---------------------------------------------------------------- text, and where it is

class Text:
    """Paragraphs of one changelog, comment or page: lines joined by spaces, and the number of each."""

    def __init__(self, lines):
        """@lines: (number, text)"""
        self.text, self.starts, self.numbers = "", [], []
        blank = True
        for number, line in lines:
            line = line.strip()
            if not line:
                blank = True
                continue
            self.text += ("" if not self.text else "\n" if blank else " ")
            self.starts.append(len(self.text))
            self.numbers.append(number)
            self.text += line
            blank = False

    def line_of(self, offset):
        return self.numbers[bisect_right(self.starts, offset) - 1]

    def hits(self, rules, kind):
        """(line, what is there, what to say instead)"""
        for where, pattern, instead in rules:
            if kind in where:
                for match in pattern.finditer(self.text):
                    yield self.line_of(match.start()), " ".join(match[0].split()), instead


def comments(text, first=1):
    """The comments of a C file as Texts."""
    for match in _COMMENT.finditer(text):
        if match[0].startswith('"'):
            continue
        number = first + text.count("\n", 0, match.start())
        lines = [re.sub(r"^\s*(/\*+|//|\*(?!/))|\*/$", "", line) for line in match[0].split("\n")]
        yield Text([(number + i, line) for i, line in enumerate(lines)])


def added(diff):
    """The lines that the hunks of one file add, the others left blank: as one text."""
    return "\n".join(line[1:] if line.startswith("+") and not line.startswith("+++ ") else ""
                     for line in diff.text.split("\n"))


# ---------------------------------------------------------------- the checks

def ragged(body):
    """Lines of a changelog that end early although the next word would fit: a re-wrap has gone wrong."""
    lines = body.split("\n")
    for number, (line, following) in enumerate(zip(lines, lines[1:]), 1):
        if not line or not following.strip() or line.startswith((" ", "\t", ">")) and not _ITEM.match(line.lstrip()):
            continue
        if _TAG.match(line) or _TAG.match(following) or _ITEM.match(following.lstrip()) or "://" in line + following:
            continue
        room = WIDTH - len(line) - 1
        if room >= RAGGED and room >= len(following.split()[0]):
            yield number, line


def check_changelog(patch, rules, found):
    where = f"{patch.slug}.patch"
    for _, text, instead in Text([(0, patch.subject)]).hits(rules, "s"):
        found.add(where, f"subject: '{text}'; say: {instead}")
    prose = [(n, "" if _TAG.match(line) else line) for n, line in enumerate(patch.body.split("\n"), 1)]
    for number, text, instead in Text(prose).hits(rules, "l"):
        found.add(where, f"changelog line {number}: '{text}'; say: {instead}")
    for number, line in ragged(patch.body):
        found.add(where, f"changelog line {number} ends early: '{line}'")


def check_kernel_doc(name, text, found, first=1):
    """/** in front of a function, where plain comments are the rule."""
    for match in _KERNEL_DOC.finditer(text):
        if "(" in match[2] and not re.match(r"\s*(struct|union|enum|typedef|#)", match[2]):
            line = first + text.count("\n", 0, match.start())
            found.add(f"{name}:{line}", "kernel-doc (/**) on a function: a plain comment here")


def check_prefix(path, text, prefixes, found):
    """Static functions begin with a prefix of their file."""
    for files, allowed in prefixes:
        if not fnmatchcase(path, files):
            continue
        for match in _STATIC.finditer(text):
            name = match[1].lstrip("_")
            if not name.startswith(tuple(allowed.split())) and not name.isupper():
                line = 1 + text.count("\n", 0, match.start())
                found.add(f"{path}:{line}", f"static function {match[1]}() has none of the prefixes {allowed}")
        return


def check_overlay(layout, queue, rules, found):
    prefixes = _table("prefixes.txt", 2)
    for path in sorted(queue.claims):
        text = (layout.overlay / path).read_text(errors="replace")
        if path.endswith(".rst"):
            for number, word, instead in Text(list(enumerate(text.split("\n"), 1))).hits(rules, "p"):
                found.add(f"{path}:{number}", f"'{word}'; say: {instead}")
        if not path.endswith(C_FILES):
            continue
        for comment in comments(text):
            for number, word, instead in comment.hits(rules, "c"):
                found.add(f"{path}:{number}", f"'{word}'; say: {instead}")
        if path.startswith(PLAIN_COMMENTS):
            check_kernel_doc(path, text, found)
        if layout.tree == "linux" and "test" not in Path(path).name:
            check_prefix(path, text, prefixes, found)


def check_hunks(patch, rules, found):
    for diff in patch.diffs:
        if not diff.path.endswith(C_FILES):
            continue
        text = added(diff)
        for comment in comments(text):
            for _, word, instead in comment.hits(rules, "c"):
                found.add(f"{patch.slug}.patch", f"{diff.path}: '{word}' in a comment; say: {instead}")
        if diff.path.startswith(PLAIN_COMMENTS):
            check_kernel_doc(f"{patch.slug}.patch", text, found)


def check_pages(layout, rules, found):
    """Cover letters; and the pages that are in no queue, with the kernel's. docs/evidence.md is a record, and stays."""
    pages = [(path, "l") for path in sorted(layout.patches.glob("cover*.txt"))]
    if layout.tree == "linux":
        docs = sorted((layout.root / "docs").glob("*.md")) + [layout.root / "README.md", layout.root / "lab/tests/README"]
        pages += [(path, "p") for path in docs if path.is_file() and path.name != "evidence.md"]
    for path, kind in pages:
        lines = list(enumerate(path.read_text().split("\n"), 1))
        for number, word, instead in Text(lines).hits(rules, kind):
            found.add(f"{path.relative_to(layout.root)}:{number}", f"'{word}'; say: {instead}")


# A file or a directory of the composed tree
TREE_PATH = re.compile(r"`((?:emulator|arch|virt|drivers|include|Documentation|tools)/[\w./-]+)`")


def check_tour(layout, found):
    """
    Paths in docs/tour.md exist in the composed tree, and so do the functions in rows with one file of its tables:
    | step | `file` | `function()`, ... |
    """
    page = layout.root / "docs" / "tour.md"
    prefix = "" if layout.tree == "linux" else "emulator/"
    for number, line in enumerate(page.read_text().split("\n") if page.is_file() else [], 1):
        paths = [path for path in TREE_PATH.findall(line) if path.startswith("emulator/") == bool(prefix)]
        for path in paths:
            if not (layout.composed / path[len(prefix):]).exists():
                found.add(f"docs/tour.md:{number}", f"no file {path}")
        row = re.match(r"^\| [\w.]+ \| `[^`]+` \| ([^|]*) \|", line)
        path = layout.composed / paths[0][len(prefix):] if row and paths else None
        for name in re.findall(r"`(\w+)\(\)`", row[1]) if path and path.is_file() else []:
            if not re.search(rf"\b{name}\b", path.read_text(errors="replace")):
                found.add(f"docs/tour.md:{number}", f"{paths[0]} has no {name}()")


def check(layout, queue, found):
    rules = read_words()
    check_tour(layout, found)
    for patch in queue.patches:
        check_changelog(patch, rules, found)
        check_hunks(patch, rules, found)
    check_overlay(layout, queue, rules, found)
    check_pages(layout, rules, found)
