# SPDX-License-Identifier: GPL-2.0
"""A stored patch: its text, parsed and written. No git in here.

    From: Name <mail>
    Date: Sat, 21 Nov 2026 08:00:00 +0000
    Subject: KVM: x86: Do something

    The changelog.

    Signed-off-by: Name <mail>
    ---
    Adds: virt/kvm/new_file.c

    diff --git a/virt/kvm/kvm_main.c b/virt/kvm/kvm_main.c
    ...hunks in files of the base, and in overlay files of earlier patches

A file named by 'Adds:' is whole in this patch. The overlay has its final text.
"""

import re
from dataclasses import dataclass, field
from email.utils import parsedate_tz, mktime_tz

from .ui import QueueError

_HEADER = re.compile(r"^(From|Date|Subject): (.+)$")
_IDENT = re.compile(r"^(?P<name>[^<>]+?) <(?P<mail>[^<> ]+)>$")
_DIFF = re.compile(r'^diff --git a/(?P<old>\S+) b/(?P<new>\S+)$')


@dataclass
class FileDiff:
    """All hunks of one file in one patch."""
    path: str
    text: str

    def hunk_functions(self):
        """What git printed behind the @@ of each hunk."""
        found = re.findall(r"^@@ [^@]+ @@ ?(.*)$", self.text, re.M)
        return [name for name in found if name]


@dataclass
class Patch:
    slug: str
    author: str
    date: str
    subject: str
    body: str
    adds: list = field(default_factory=list)
    diffs: list = field(default_factory=list)

    def ident(self):
        match = _IDENT.match(self.author)
        return match["name"], match["mail"]

    def git_date(self):
        parsed = parsedate_tz(self.date)
        zone = self.date.rsplit(" ", 1)[1]
        return f"@{mktime_tz(parsed)} {zone}"

    def message(self):
        body = f"\n{self.body}\n" if self.body else ""
        return f"{self.subject}\n{body}"

    def diff_text(self, paths=None):
        return "".join(d.text for d in self.diffs
                       if paths is None or d.path in paths)

    def format(self):
        out = [f"From: {self.author}", f"Date: {self.date}",
               f"Subject: {self.subject}", ""]
        if self.body:
            out += [self.body]
        out += ["---"]
        out += [f"Adds: {path}" for path in sorted(self.adds)]
        if self.diffs:
            out += [""] if self.adds else []
        return "\n".join(out) + "\n" + self.diff_text()


def split_diff(text, where="diff"):
    """Cut a diff of several files into FileDiffs. 'index' lines are dropped."""
    diffs = []
    current = None
    in_header = False
    for line in text.splitlines(keepends=True):
        if line.startswith("diff --git "):
            match = _DIFF.match(line.rstrip("\n"))
            if not match or match["old"] != match["new"]:
                raise QueueError(f"{where}: unsupported file name in: {line.rstrip()}")
            current = [match["new"], []]
            diffs.append(current)
            in_header = True
        elif current is None:
            raise QueueError(f"{where}: text before the first 'diff --git'")
        if line.startswith("@@ "):
            in_header = False
        if in_header and line.startswith("index "):
            continue
        if in_header and line.startswith(("Binary files ", "GIT binary patch")):
            raise QueueError(f"{where}: {current[0]} is binary, and only text is kept")
        current[1].append(line)
    return [FileDiff(path, "".join(lines)) for path, lines in diffs]


def _check_header(where, head):
    for name in ("From", "Date", "Subject"):
        if name not in head:
            raise QueueError(f"{where}: no '{name}:' line")
    if not _IDENT.match(head["From"]):
        raise QueueError(f"{where}: 'From:' is not 'Name <mail>'")
    if not parsedate_tz(head["Date"]) or not re.search(r" [+-]\d{4}$", head["Date"]):
        raise QueueError(f"{where}: 'Date:' is not an RFC 2822 date with a zone")


def parse(slug, text):
    """Parse the text of patches/SLUG.patch."""
    where = f"{slug}.patch"
    lines = text.split("\n")
    head = {}
    at = 0
    while at < len(lines) and lines[at]:
        match = _HEADER.match(lines[at])
        if not match or match[1] in head:
            raise QueueError(f"{where}: line {at + 1} is not a From, Date or Subject line")
        head[match[1]] = match[2]
        at += 1
    _check_header(where, head)
    try:
        end = lines.index("---", at)
    except ValueError:
        raise QueueError(f"{where}: no '---' line after the changelog") from None
    body = "\n".join(lines[at + 1:end]).strip("\n")
    adds = []
    at = end + 1
    while at < len(lines) and not lines[at].startswith("diff --git "):
        if lines[at].startswith("Adds: "):
            adds.append(lines[at][6:].strip())
        elif lines[at]:
            raise QueueError(f"{where}: line {at + 1} is neither 'Adds: PATH' nor a diff")
        at += 1
    diffs = split_diff("\n".join(lines[at:]), where) if at < len(lines) else []
    if not adds and not diffs:
        raise QueueError(f"{where}: changes nothing")
    return Patch(slug, head["From"], head["Date"], head["Subject"], body, adds, diffs)


def slug_of(subject, taken=()):
    """A file name for a subject: 'KVM: x86/mmu: Add x' -> 'kvm-x86-mmu-add-x'."""
    slug = re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")
    if len(slug) > 60:
        slug = slug[:60].rsplit("-", 1)[0]
    if not slug:
        raise QueueError(f"no name can be made from the subject '{subject}'")
    unique, count = slug, 2
    while unique in taken:
        unique, count = f"{slug}-{count}", count + 1
    return unique
