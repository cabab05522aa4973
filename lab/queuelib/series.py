# SPDX-License-Identifier: GPL-2.0
"""The mailable series, or one chapter of it: format-patch with cover letter and base, proven by git am."""

import re
import shutil

from . import base, chapters, compose
from .gitcmd import DIFF_OPTIONS, Git
from .ui import QueueError

_SENDER = re.compile(r"^[^<>@]+ <[^<>@ ]+@[^<>@ ]+>$")


def read_cover(layout, chapter=""):
    """The subject in the first line, then the text."""
    path = chapters.cover_path(layout, chapter)
    if not path.is_file():
        raise QueueError(f"{path.relative_to(layout.root)}: missing")
    subject, _, body = path.read_text().strip().partition("\n")
    if not subject or subject.startswith("Subject:") or not body.strip():
        raise QueueError(f"{path.relative_to(layout.root)}: a subject line, a blank line and a text are needed")
    return subject.strip(), body.strip()


def fill_cover(path, subject, body, based_on):
    text = path.read_text()
    for mark in ("*** SUBJECT HERE ***", "*** BLURB HERE ***"):
        if mark not in text:
            raise QueueError(f"{path.name}: git wrote no '{mark}'")
    text = text.replace("*** SUBJECT HERE ***", subject)
    text = text.replace("*** BLURB HERE ***", f"{body}\n\n{based_on}")
    path.write_text(text)


def sign(files, sender):
    """Whoever sends a patch signs it: the queue's identity is nobody's."""
    for path in files:
        head, blank, rest = path.read_text(errors="surrogateescape").partition("\n\n")
        head = re.sub(r"(?m)^From: .*(\n[ \t].*)*$", f"From: {sender}", head, count=1)
        text, mark, diff = rest.partition("\n---\n")
        text = re.sub(r"(?m)^Signed-off-by: .*$", f"Signed-off-by: {sender}", text)
        path.write_text(head + blank + text + mark + diff, errors="surrogateescape")


def verify(layout, git, start, head, files, steps):
    """git am on the start gives the same tree as compose."""
    where = layout.work / f"am-{layout.tree}"
    with steps.step(f"git am of {len(files)} patches"):
        git.run("worktree", "prune")
        if (where / ".git").exists():
            Git(where).run("am", "--abort", check=False)
            Git(where).run("checkout", "-q", "-f", "--detach", start)
        else:
            shutil.rmtree(where, ignore_errors=True)
            git.run("worktree", "add", "-q", "--detach", where, start)
        there = Git(where)
        done = there.run("am", "-q", "--keep-cr", *files, check=False)
        if done.returncode:
            text = (done.stderr + done.stdout).decode(errors="replace").strip()
            raise QueueError(f"git am refuses the series: {text.splitlines()[0] if text else 'no message'}")
        if there.tree_of("HEAD") != git.tree_of(head):
            raise QueueError("git am gives another tree than compose")


def _range(layout, commits, head, chapter):
    """Commits (before, last), the text about the base, and how many patches."""
    what = f"Base: Debian's {base.describe(base.read_lock(layout))}, committed by 'lab/queue base'."
    if not chapter:
        return "base", head, what, len(commits)
    first, after = chapters.bounds(layout, chapter)
    if first:
        what += f"\nIt applies after the {first} patches of the chapters before it."
    return commits[first - 1] if first else "base", commits[after - 1], what, after - first


def series(layout, steps, chapter="", sender=""):
    if sender and not _SENDER.match(sender):
        raise QueueError(f"'{sender}' is no sender: 'Name <address>' is wanted")
    if chapter:
        chapters.bounds(layout, chapter)
    subject, body = read_cover(layout, chapter)
    git, _, head, commits = compose.compose(layout, lambda: base.ensure(layout, steps), steps)
    if not commits:
        raise QueueError(f"the {layout.tree} series has no patches")
    start, end, based_on, count = _range(layout, commits, head, chapter)
    out = layout.series_out / chapter if chapter else layout.series_out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with steps.step("format the series"):
        git.run("format-patch", "-q", "--cover-letter", "--no-signature", f"--base={start}",
                f"--subject-prefix={'PATCH' if sender else 'DRAFT PATCH'}",
                *[o for o in DIFF_OPTIONS if not o.startswith("--ignore")], "--stat=72", "-o", out, f"{start}..{end}")
        files = sorted(out.glob("*.patch"))
        fill_cover(files[0], subject, body, based_on)
        if sender:
            sign(files, sender)
    verify(layout, git, start, end, files[1:], steps)
    steps.say(f"{count} patches and a cover letter in {out.relative_to(layout.root)}/"
              + ("" if sender else ", drafts: no sender is named"))
