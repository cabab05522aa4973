# SPDX-License-Identifier: GPL-2.0
"""The mailable series: format-patch with cover letter and base, proven by git am."""

import shutil

from . import base, compose
from .gitcmd import DIFF_OPTIONS, Git
from .ui import QueueError


def read_cover(layout):
    """patches/cover.txt: the subject in the first line, then the text."""
    path = layout.patches / "cover.txt"
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
    text = text.replace("*** BLURB HERE ***", f"{body}\n\nBase: Debian's {based_on}, committed by 'lab/queue base'.")
    path.write_text(text)


def verify(layout, git, head, files, steps):
    """git am on the base gives the composed tree."""
    where = layout.work / f"am-{layout.tree}"
    with steps.step(f"git am of {len(files)} patches"):
        git.run("worktree", "prune")
        if (where / ".git").exists():
            Git(where).run("am", "--abort", check=False)
            Git(where).run("checkout", "-q", "-f", "--detach", "base")
        else:
            shutil.rmtree(where, ignore_errors=True)
            git.run("worktree", "add", "-q", "--detach", where, "base")
        there = Git(where)
        done = there.run("am", "-q", "--keep-cr", *files, check=False)
        if done.returncode:
            text = (done.stderr + done.stdout).decode(errors="replace").strip()
            raise QueueError(f"git am refuses the series: {text.splitlines()[0] if text else 'no message'}")
        if there.tree_of("HEAD") != git.tree_of(head):
            raise QueueError("git am gives another tree than compose")


def series(layout, steps):
    subject, body = read_cover(layout)
    git, queue, head, commits = compose.compose(layout, lambda: base.ensure(layout, steps), steps)
    if not commits:
        raise QueueError(f"the {layout.tree} series has no patches")
    out = layout.series_out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with steps.step("format the series"):
        git.run("format-patch", "-q", "--cover-letter", "--no-signature", "--base=base",
                *[o for o in DIFF_OPTIONS if not o.startswith("--ignore")], "--stat=72", "-o", out, f"base..{head}")
        files = sorted(out.glob("*.patch"))
        fill_cover(files[0], subject, body, base.describe(base.read_lock(layout)))
    verify(layout, git, head, files[1:], steps)
    steps.say(f"{len(queue.patches)} patches and a cover letter in {out.relative_to(layout.root)}/")
