# SPDX-License-Identifier: GPL-2.0
"""edit: a worktree to commit in. save: the branch, written back to the queue."""

import shutil
from pathlib import Path

from . import base, chapters, compose, lock, model
from .gitcmd import DIFF_OPTIONS, Git
from .patchfile import Patch, slug_of, split_diff
from .ui import QueueError

EDIT_BRANCH = "edit"


def edit(layout, steps, discard=False):
    """Make or refresh the worktree. Work in it that is not saved is never dropped."""
    git, _, head, _ = compose.compose(layout, lambda: base.ensure(layout, steps), steps)
    where = layout.edit
    if (where / ".git").exists():
        there = Git(where)
        state = compose.load_state(layout, "edit")
        unsaved = there.lines("status", "--porcelain") or \
            state is None or there.commit_of("HEAD") != state["head"]
        if unsaved and not discard:
            raise QueueError(f"{where.relative_to(layout.root)} has work that is not saved: 'save' it, "
                             f"or 'edit --discard' to drop it")
        there.run("rebase", "--abort", check=False)
        there.run("checkout", "-q", "-f", "-B", EDIT_BRANCH, head)
        there.run("clean", "-q", "-f", "-d")
    else:
        shutil.rmtree(where, ignore_errors=True)
        where.parent.mkdir(parents=True, exist_ok=True)
        git.run("worktree", "prune")
        git.run("worktree", "add", "-q", "-f", "-B", EDIT_BRANCH, where, head)
    compose.save_state(layout, "edit", head)
    steps.say(f"edit in {where.relative_to(layout.root)} (branch {EDIT_BRANCH}, base tag 'base'): commit, "
              f"commit --fixup, rebase -i --autosquash base; then 'lab/queue --tree {layout.tree} save'")
    return where


def in_progress(git):
    """Whether the worktree is in the middle of a rebase, merge or cherry-pick."""
    git_dir = Path(git.out("rev-parse", "--absolute-git-dir"))
    marks = ("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD")
    return any((git_dir / mark).exists() for mark in marks)


def _check_ready(layout, git, name):
    """Refuse a worktree in the middle of something."""
    if not git.commit_of("HEAD") or not git.commit_of("base"):
        raise QueueError(f"{name}: no such worktree; begin with 'lab/queue edit'")
    if in_progress(git):
        raise QueueError(f"{name}: a rebase, merge or cherry-pick is not finished")
    dirty = git.lines("status", "--porcelain")
    if dirty:
        files = ", ".join(line[3:] for line in dirty[:5])
        raise QueueError(f"{name}: not committed: {files}")


def _check_unchanged(layout, state, name):
    """Refuse to overwrite what was changed in the overlay since the edit began."""
    if state is None:
        raise QueueError(f"{name}: it is not known what the edit began from; use --force to overwrite")
    changed = model.changed_names(state["files"], model.fingerprint(layout))
    if changed:
        raise QueueError(f"changed in the overlay since the edit began: {', '.join(changed[:8])}"
                         f"{' ...' if len(changed) > 8 else ''}; compose again and carry the work over, or --force")


def branch_commits(git, start, name):
    if not git.ok("merge-base", "--is-ancestor", start, "HEAD"):
        raise QueueError(f"{name}: its branch does not begin at the base")
    commits = []
    for line in git.lines("rev-list", "--reverse", "--topo-order", "--parents", f"{start}..HEAD"):
        commit, *parents = line.split()
        if len(parents) != 1:
            raise QueueError(f"{name}: {commit[:12]} is a merge; a queue is linear")
        commits.append(commit)
    return commits


class Reader:
    """Turns the commits of a branch into patches and the final overlay."""

    def __init__(self, layout, git, old_queue):
        self.layout = layout
        self.git = git
        self.old = old_queue
        self.adder = {}         # path -> slug
        self.subjects = {}
        self.modes = {}

    def read(self, commits):
        metas = [self._meta(c) for c in commits]
        slugs = self._slugs(commits, metas)
        return [self._patch(c, m, s) for c, m, s in zip(commits, metas, slugs)]

    def _meta(self, commit):
        text = self.git.raw("log", "-1", "--format=%an <%ae>%n%aD%n%B", commit).decode(errors="surrogateescape")
        author, date, message = text.split("\n", 2)
        lines = [line.rstrip() for line in message.strip("\n").split("\n")]
        subject, body = lines[0], "\n".join(lines[1:])
        short = f"{commit[:12]} ('{subject[:50]}')"
        if not subject or (body and not body.startswith("\n")):
            raise QueueError(f"{short}: the subject is not one line with a blank line after it")
        if subject.startswith(("fixup!", "squash!", "amend!")):
            raise QueueError(f"{short}: fold it first: git rebase -i --autosquash base")
        if "---" in lines:
            raise QueueError(f"{short}: the changelog has a '---' line, where git am would end it")
        if subject in self.subjects:
            raise QueueError(f"{short}: {self.subjects[subject]} has the same subject")
        self.subjects[subject] = commit[:12]
        return author, date, subject, body.strip("\n")

    def _slugs(self, commits, metas):
        """Keep names: by subject, else by the set of touched files, else a new one."""
        known = self.old.by_subject()
        slugs = [known.get(meta[2]) for meta in metas]
        left = {p.slug: self._touched(p) for p in self.old.patches if p.slug not in slugs}
        for number, commit in enumerate(commits):
            if slugs[number] or not left:
                continue
            files = set(self.git.lines("diff-tree", "-r", "--no-commit-id", "--no-renames",
                                       "--name-only", commit))
            same = [slug for slug, touched in left.items() if touched == files]
            if len(same) == 1:
                slugs[number] = same[0]
                del left[same[0]]
        for number, meta in enumerate(metas):
            if not slugs[number]:
                slugs[number] = slug_of(meta[2], set(filter(None, slugs)))
        return slugs

    @staticmethod
    def _touched(patch):
        return set(patch.adds) | {d.path for d in patch.diffs}

    def _patch(self, commit, meta, slug):
        author, date, subject, body = meta
        patch = Patch(slug, author, date, subject, body)
        hunks = []
        raw = self.git.lines("diff-tree", "-r", "--no-commit-id", "--no-renames", "--raw", commit)
        for line in raw:
            head, path = line.split("\t", 1)
            old_mode, new_mode, _, _, status = head[1:].split(" ")
            if self._one_file(patch, path, old_mode, new_mode, status):
                hunks.append(path)
        if not raw:
            raise QueueError(f"{commit[:12]} ('{subject[:50]}'): changes nothing")
        if hunks:
            text = self.git.raw("diff-tree", "-r", "-p", "--no-commit-id", *DIFF_OPTIONS, commit, "--",
                                *[f":(literal){p}" for p in hunks]).decode(errors="surrogateescape")
            patch.diffs = split_diff(text, f"{commit[:12]} ('{subject[:50]}')")
        self._refuse_binary(commit, patch)
        return patch

    def _one_file(self, patch, path, old_mode, new_mode, status):
        """Record an added file; True where the change is kept as hunks."""
        where = f"'{patch.subject[:50]}': {path}"
        if "120000" in (old_mode, new_mode) or "160000" in (old_mode, new_mode):
            raise QueueError(f"{where}: symbolic links and submodules are not kept")
        if path.startswith('"'):
            raise QueueError(f"{where}: unusual characters in a file name")
        if status == "A":
            if self.git.ok("cat-file", "-e", f"base:{path}"):
                raise QueueError(f"{where}: comes back after an earlier patch removed it from the base")
            if not self.layout.in_overlay(path):
                raise QueueError(f"{where}: no place for an added file in the overlay")
            self.adder[path] = patch.slug
            self.modes[path] = new_mode
            patch.adds.append(path)
            return False
        if path in self.adder:
            if status == "D":
                raise QueueError(f"{where}: removed here, added by {self.adder[path]}; fold the two")
            if old_mode != new_mode:
                raise QueueError(f"{where}: its mode changes after {self.adder[path]} added it; fold the two")
        return True

    def _refuse_binary(self, commit, patch):
        for line in self.git.lines("diff-tree", "-r", "--no-commit-id", "--no-renames", "--numstat", commit):
            added, _, path = line.split("\t", 2)
            if added == "-":
                raise QueueError(f"'{patch.subject[:50]}': {path} is binary, and only text is kept")


def _write(path, content, mode=None):
    """Write only what differs, so that nothing rebuilds without a reason."""
    path.parent.mkdir(parents=True, exist_ok=True)
    changed = not path.is_file() or path.read_bytes() != content
    if changed:
        path.write_bytes(content)
    if mode is not None:
        want = 0o755 if mode == "100755" else 0o644
        if bool(path.stat().st_mode & 0o100) != (want == 0o755):
            path.chmod(want)
            changed = True
    return changed


def _prune_dirs(layout, path):
    for parent in path.parents:
        if parent == layout.overlay or any(parent.iterdir()):
            break
        parent.rmdir()


def write_back(layout, git, old, patches, reader):
    """Replace the stored queue by these patches. Returns how many files changed."""
    finals = {path: git.raw("cat-file", "blob", f"HEAD:{path}") for path in reader.adder}
    for path in reader.adder:
        full = layout.overlay / path
        if full.exists() and path not in old.claims and full.read_bytes() != finals[path]:
            raise QueueError(f"{path}: would overwrite a file that no patch claims")
    changed = sum(_write(layout.overlay / path, content, reader.modes[path])
                  for path, content in finals.items())
    for path in set(old.claims) - set(reader.adder):
        (layout.overlay / path).unlink()
        _prune_dirs(layout, layout.overlay / path)
        changed += 1
    for patch in patches:
        content = patch.format().encode(errors="surrogateescape")
        changed += _write(layout.patches / f"{patch.slug}.patch", content)
    for slug in {p.slug for p in old.patches} - {p.slug for p in patches}:
        (layout.patches / f"{slug}.patch").unlink()
        changed += 1
    series = chapters.text([p.slug for p in patches], chapters.read(layout))
    if patches or (layout.patches / "series").exists():
        changed += _write(layout.patches / "series", series.encode())
    return changed


def save(layout, steps, directory=None, force=False, start="base"):
    """Write a branch back, then compose from what was written and compare."""
    with lock.exclusive(layout):
        return _save(layout, steps, directory, force, start)


def _save(layout, steps, directory, force, start):
    where = Path(directory) if directory else layout.edit
    name = str(directory or layout.edit.relative_to(layout.root))
    git = Git(where)
    if not where.is_dir():
        raise QueueError(f"{name}: no such worktree; begin with 'lab/queue edit'")
    _check_ready(layout, git, name)
    which = {layout.composed.resolve(): "composed", layout.edit.resolve(): "edit"}.get(where.resolve())
    if not force:
        _check_unchanged(layout, which and compose.load_state(layout, which), name)
    old = model.load(layout)
    with steps.step(f"save {name}"):
        commits = branch_commits(git, start, name)
        reader = Reader(layout, git, old)
        patches = reader.read(commits)
        changed = write_back(layout, git, old, patches, reader)
    _, _, head, _ = compose.compose(layout, lambda: base.ensure(layout, steps), steps)
    if git.tree_of(head) != git.tree_of("HEAD"):
        raise QueueError("what was written does not compose to the same tree; the branch is untouched")
    if which:
        compose.save_state(layout, which, git.commit_of("HEAD"), git.commit_of("base"))
    steps.say(f"{len(patches)} patches, {len(reader.adder)} overlay files; {changed} files changed")
    return changed


def refresh(layout, steps):
    """compose, then save the composed branch: brings line numbers up to date."""
    compose.compose(layout, lambda: base.ensure(layout, steps), steps)
    return save(layout, steps, layout.composed)
