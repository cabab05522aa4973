# SPDX-License-Identifier: GPL-2.0
"""Chapters of a series: runs of patches that can be mailed by themselves, each with a cover letter.

In the series file a line '# chapter NAME' begins one. patches/cover-NAME.txt is its cover letter. A patch that is new is
in the chapter of the one before it; a patch that moves takes its chapter with it."""

import re

from .model import slug_in
from .ui import QueueError

_MARK = re.compile(r"^#\s*chapter\s+(\S+)\s*$")


def read(layout):
    """Chapters in order: (name, [slug...]). What comes before the first mark is in none, and is named ''."""
    path = layout.patches / "series"
    chapters = [("", [])]
    for number, line in enumerate(path.read_text().splitlines() if path.is_file() else [], 1):
        mark = _MARK.match(line)
        if mark:
            if mark.group(1) in [name for name, _ in chapters]:
                raise QueueError(f"series: line {number}: chapter '{mark.group(1)}' is there twice")
            chapters.append((mark.group(1), []))
        elif slug_in(line):
            chapters[-1][1].append(slug_in(line))
    return [c for c in chapters if c[1]]


def text(slugs, chapters):
    """The series file for these slugs, with the marks that the chapters had."""
    known = {slug: name for name, slugs in chapters for slug in slugs}
    lines, now = [], ""
    first = chapters[0][0] if chapters else ""
    for number, slug in enumerate(slugs):
        chapter = known.get(slug, first if not number else now)
        if chapter != now:
            lines.append(f"# chapter {chapter}" if chapter else "# chapter rest")
            now = chapter
        lines.append(slug)
    return "".join(line + "\n" for line in lines)


def cover_path(layout, name):
    return layout.patches / (f"cover-{name}.txt" if name else "cover.txt")


def check(layout):
    """Findings of lint: (where, text)."""
    try:
        chapters = read(layout)
    except QueueError as err:
        return [(layout.patches.relative_to(layout.root) / "series", str(err))]
    found = []
    names = [name for name, _ in chapters]
    if "" in names and len(names) > 1:
        found.append((layout.patches.relative_to(layout.root) / "series", "patches before the first chapter"))
    for name in names:
        path = cover_path(layout, name)
        if name and not path.is_file():
            found.append((path.relative_to(layout.root), "missing: each chapter has a cover letter"))
    for path in layout.patches.glob("cover-*.txt"):
        if path.stem[len("cover-"):] not in names:
            found.append((path.relative_to(layout.root), "no such chapter in the series"))
    return found


def bounds(layout, name):
    """(index of the first patch, index after the last) of a chapter."""
    at = 0
    chapters = read(layout)
    for chapter, slugs in chapters:
        if chapter == name:
            return at, at + len(slugs)
        at += len(slugs)
    raise QueueError(f"no chapter '{name}'; there are: {', '.join(c or '(none)' for c, _ in chapters)}")
