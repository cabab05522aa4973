# SPDX-License-Identifier: GPL-2.0
"""The queue as it is stored: series, patches and who claims which file."""

import hashlib
import os
from dataclasses import dataclass, field

from . import patchfile
from .ui import QueueError


@dataclass
class Queue:
    layout: object
    patches: list = field(default_factory=list)
    claims: dict = field(default_factory=dict)      # path -> slug of the adding patch

    def by_subject(self):
        return {p.subject: p.slug for p in self.patches}


def slug_in(line):
    """The slug in a line of the series file, or ''."""
    return line.split("#", 1)[0].strip()


def read_series(layout):
    """The slugs in order. Blank lines and comments are not slugs."""
    path = layout.patches / "series"
    if not path.is_file():
        return []
    slugs = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        slug = slug_in(line)
        if not slug:
            continue
        if "/" in slug or slug.endswith(".patch"):
            raise QueueError(f"series: line {number}: '{slug}' is a path, not a slug")
        if slug in slugs:
            raise QueueError(f"series: line {number}: '{slug}' is there twice")
        slugs.append(slug)
    return slugs


def load(layout):
    """Read series and patches; complain about anything that cannot be composed."""
    queue = Queue(layout)
    subjects = {}
    for slug in read_series(layout):
        path = layout.patches / f"{slug}.patch"
        if not path.is_file():
            raise QueueError(f"series: '{slug}' has no {path.relative_to(layout.root)}")
        patch = patchfile.parse(slug, path.read_text(errors="surrogateescape"))
        if patch.subject in subjects:
            raise QueueError(f"{slug}.patch and {subjects[patch.subject]}.patch "
                             f"have the same subject")
        subjects[patch.subject] = slug
        for added in patch.adds:
            claim(queue, patch, added)
        queue.patches.append(patch)
    return queue


def claim(queue, patch, path):
    layout = queue.layout
    if path in queue.claims:
        raise QueueError(f"{path} is added by both {queue.claims[path]}.patch "
                         f"and {patch.slug}.patch")
    if not layout.in_overlay(path):
        raise QueueError(f"{patch.slug}.patch adds {path}, which is no place of the overlay")
    full = layout.overlay / path
    if full.is_symlink():
        raise QueueError(f"{path}: symbolic links are not kept in the overlay")
    if not full.is_file():
        raise QueueError(f"{patch.slug}.patch adds {path}, but the overlay has no such file")
    queue.claims[path] = patch.slug


def overlay_mode(layout, path):
    return "100755" if os.access(layout.overlay / path, os.X_OK) else "100644"


def fingerprint(layout):
    """name -> sha256 of everything that the queue is stored in."""
    files = [p for p in [layout.patches / "series"] if p.is_file()]
    files += sorted(layout.patches.glob("*.patch")) if layout.patches.is_dir() else []
    files += [layout.overlay / path for path in layout.overlay_files()]
    marks = {}
    for path in files:
        if path.is_symlink():
            content = os.readlink(path).encode()
        else:
            content = path.read_bytes()
        mode = b"x" if os.access(path, os.X_OK) else b"-"
        name = path.relative_to(layout.root).as_posix()
        marks[name] = hashlib.sha256(mode + content).hexdigest()
    return marks


def changed_names(before, after):
    names = set(before) | set(after)
    return sorted(n for n in names if before.get(n) != after.get(n))
