# SPDX-License-Identifier: GPL-2.0
"""base + overlay + stored patches -> a branch, one commit a patch.

Everything happens in a private index, so a failure leaves the checkout alone, and
the checkout at the end touches only files that really changed.
"""

import json
import os
import re
import tempfile

from . import lock, model
from .ui import QueueError


class Index:
    """A private git index, and 'git apply' into it."""

    def __init__(self, git):
        self.git = git
        self.temp = tempfile.mkdtemp(prefix="queue-index-")
        self.env = {"GIT_INDEX_FILE": os.path.join(self.temp, "index")}

    def close(self):
        for name in os.listdir(self.temp):
            os.unlink(os.path.join(self.temp, name))
        os.rmdir(self.temp)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def read_tree(self, tree):
        self.git.run("read-tree", tree, env=self.env)

    def set_files(self, entries):
        """entries: (mode, blob, path); mode '0' removes."""
        text = "".join(f"{mode} {blob}\t{path}\n" for mode, blob, path in entries)
        if text:
            self.git.run("update-index", "--add", "--index-info", data=text, env=self.env)

    def entry(self, path):
        """(mode, blob) of a path, or None."""
        text = self.git.out("ls-files", "-s", "--", f":(literal){path}", env=self.env)
        if not text:
            return None
        mode, blob = text.split()[:2]
        return mode, blob

    def apply(self, diff, reverse=False):
        """None, or git's complaint."""
        args = ["apply", "--cached", "-v", "-p1"]
        if reverse:
            args.append("-R")
        done = self.git.run(*args, "-", data=diff.encode(errors="surrogateescape"),
                            env=self.env, check=False)
        if done.returncode == 0:
            return None
        return done.stderr.decode(errors="replace")

    def write_tree(self):
        return self.git.out("write-tree", env=self.env)


def _hunk_at(patch, path, line):
    """Which hunk of a file begins at this line, counted from 1."""
    for diff in patch.diffs:
        if diff.path != path:
            continue
        heads = re.findall(r"^@@ -(\d+)(?:,\d+)? \+(\d+)", diff.text, re.M)
        for number, (old, new) in enumerate(heads, 1):
            if str(line) in (old, new):
                return f"hunk {number} of {len(heads)}"
    return f"the hunk at line {line}"


def explain(patch, complaint):
    """git's complaint as one line: which hunk, which file, which patch."""
    match = re.search(r"^error: patch failed: (.+):(\d+)$", complaint, re.M)
    if match:
        where = _hunk_at(patch, match[1], match[2])
        return f"{patch.slug}.patch: {where} in {match[1]} (line {match[2]}) does not apply"
    match = re.search(r"^error: (.+)$", complaint, re.M)
    reason = match[1] if match else "git apply refused it"
    return f"{patch.slug}.patch: {reason}"


def births(git, queue, index):
    """The text each overlay file has when its patch adds it.

    The final text, with the hunks of later patches undone, last patch first.
    """
    layout = queue.layout
    index.set_files((model.overlay_mode(layout, path),
                     git.store_blob((layout.overlay / path).read_bytes()), path)
                    for path in queue.claims)
    position = {p.slug: n for n, p in enumerate(queue.patches)}
    born = {}
    for number in range(len(queue.patches) - 1, -1, -1):
        patch = queue.patches[number]
        grown = set()
        for diff in patch.diffs:
            adder = queue.claims.get(diff.path)
            if adder is None:
                continue
            if position[adder] >= number:
                raise QueueError(f"{patch.slug}.patch has hunks for {diff.path}, which "
                                 f"{'it adds itself' if adder == patch.slug else 'only ' + adder + '.patch adds'}")
            grown.add(diff.path)
        complaint = index.apply(patch.diff_text(grown), True) if grown else None
        if complaint:
            raise QueueError(explain(patch, complaint).replace("does not apply", "cannot be undone")
                             + "; the overlay has the final text, so this change belongs into an edit")
        for path in patch.adds:
            born[path] = index.entry(path)
            if born[path] is None:
                raise QueueError(f"{path}: a later patch removes it, although {patch.slug}.patch adds it")
    return born


def build(git, queue, base, steps):
    """Make the commits. Returns the id of the last one and the list of all."""
    with Index(git) as index:
        born = births(git, queue, index)
    commits = []
    parent = base
    with Index(git) as index:
        index.read_tree(base)
        for number, patch in enumerate(queue.patches, 1):
            for path in patch.adds:
                if index.entry(path):
                    raise QueueError(f"{patch.slug}.patch adds {path}, which is already there")
            index.set_files((*born[path], path) for path in patch.adds)
            complaint = index.apply(patch.diff_text()) if patch.diffs else None
            if complaint:
                raise QueueError(explain(patch, complaint))
            name, mail = patch.ident()
            parent = git.commit_tree(index.write_tree(), parent, patch.message(),
                                     name, mail, patch.git_date())
            commits.append(parent)
            steps.progress(number, len(queue.patches), patch.slug)
    return parent, commits


def save_state(layout, name, head, base=None):
    layout.state_dir.mkdir(parents=True, exist_ok=True)
    state = {"head": head, "base": base, "files": model.fingerprint(layout)}
    path = layout.state_dir / f"{layout.tree}-{name}.json"
    path.write_text(json.dumps(state, indent=1, sort_keys=True) + "\n")


def load_state(layout, name):
    path = layout.state_dir / f"{layout.tree}-{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def compose(layout, base_git, steps):
    """base_git() makes sure of the base and returns the Git of the composed tree."""
    with lock.exclusive(layout):
        return _compose(layout, base_git, steps)


def _compose(layout, base_git, steps):
    queue = model.load(layout)
    git = base_git()
    base = git.commit_of("base")
    refuse_changes(git, layout)
    commits = composed_before(git, layout, base)
    if commits is not None:
        return git, queue, commits[-1] if commits else base, commits
    with steps.step(f"compose {layout.tree}: {len(queue.patches)} patches"):
        head, commits = build(git, queue, base, steps)
        git.run("checkout", "-q", "-B", layout.branch, head)
        save_state(layout, "composed", head, base)
    return git, queue, head, commits


def composed_before(git, layout, base):
    """The commits, where the checkout already is what the stored queue gives."""
    state = load_state(layout, "composed")
    if not state or state.get("base") != base or git.commit_of("HEAD") != state["head"] or \
            git.commit_of(layout.branch) != state["head"] or state["files"] != model.fingerprint(layout):
        return None
    return git.lines("rev-list", "--reverse", f"{base}..{state['head']}")


def refuse_changes(git, layout):
    """compose moves the checkout: nobody's work may be in it."""
    dirty = git.lines("status", "--porcelain", "--untracked-files=no")
    if dirty:
        names = ", ".join(sorted({line[3:] for line in dirty})[:5])
        raise QueueError(f"{layout.composed.relative_to(layout.root)} has changes of its own ({names}): "
                         f"it is made by compose; work in 'lab/queue --tree {layout.tree} edit', or "
                         f"'git -C {layout.composed.relative_to(layout.root)} checkout -f' to drop them")
