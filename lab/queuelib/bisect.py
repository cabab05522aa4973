# SPDX-License-Identifier: GPL-2.0
"""Build every commit of the composed branch on its own, in one object tree.

What a full build and boot depends on is the tree of a commit, and the builder's key: where
both stand in the queue's file "bisected", nothing has to be done again, on any machine. A run that
stops halfway is so continued by the next one. Without '--record' the file stays as it is, and a
stamp in work/build/bisect-TREE/stamps does the same on this machine. Warnings are taken relative to
the base: the base's own are collected once, and any other in a commit's build is a failure.
"""

import hashlib
import json
import re
import shutil
import subprocess
import time

from . import base, compose
from .gitcmd import Git, clean_env
from .ui import QueueError

_WARNING = re.compile(r"^(?P<file>[^\s:]+):\d+(?::\d+)?: (?P<text>warning: .*)$", re.M)


class Builder:
    """Runs lab/bisect-build, which knows how a tree is configured and built."""

    def __init__(self, layout, jobs, quick=False):
        self.layout = layout
        self.jobs = jobs
        self.mode = "quick" if quick else "full"
        self.name = f"{layout.tree}-quick" if quick else layout.tree
        self.dir = layout.work / "build" / f"bisect-{self.name}"
        self.source = layout.work / "bisect" / self.name
        self.stamps = self.dir / "stamps"
        self.stamps.mkdir(parents=True, exist_ok=True)
        self.script = layout.root / "lab" / "bisect-build"

    def key(self):
        done = subprocess.run([str(self.script), self.layout.tree, "--key"], stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise QueueError("lab/bisect-build --key failed")
        return hashlib.sha256(done.stdout).hexdigest()[:12]

    def log_of(self, name, commit):
        return self.dir / f"{name}-{commit[:12]}.log"

    def _script(self, log, mode):
        """The log grows: what a stopped attempt built is not built, nor warned of, again."""
        with open(log, "ab") as out:
            done = subprocess.run([str(self.script), self.layout.tree, str(self.source), str(self.dir / "obj"),
                                   str(self.jobs), mode], stdout=out, stderr=subprocess.STDOUT,
                                  env=clean_env(), check=False)
        return done.returncode

    def build(self, log):
        return self._script(log, self.mode)

    def boot(self, log):
        """A kernel that was linked has to boot, too."""
        return self._script(log, "boot") if self.mode == "full" and self.layout.tree == "linux" else 0

    def warnings(self, log):
        """The set of (file, text) in a log, with paths relative to the source."""
        text = log.read_text(errors="replace")
        found = set()
        for match in _WARNING.finditer(text):
            name = match["file"].removeprefix(f"{self.source}/")
            name = re.sub(r"^(\.\./)+", "", name).removeprefix(f"bisect/{self.name}/")
            found.add((name, match["text"]))
        return found


class Done:
    """Which trees were built (and booted), by this machine's stamps and the file 'bisected' of the queue."""

    def __init__(self, layout, builder, key, pairs, record):
        self.stamps, self.key, self.record = builder.stamps, key, record
        self.file = layout.patches / "bisected"
        self.slugs = {tree: patch.slug for patch, tree in pairs}
        self.known = self._read() if builder.mode == "full" else set()
        if record:
            self._write()

    def _read(self):
        if not self.file.is_file():
            return set()
        lines = [line.split() for line in self.file.read_text().splitlines() if not line.startswith("#")]
        return {tree for tree, key, _ in lines if key == self.key}

    def _write(self):
        lines = [f"{tree} {self.key} {slug}\n" for tree, slug in self.slugs.items() if tree in self]
        self.file.write_text("# Built and booted by 'lab/queue bisect': tree, key of the builder, patch\n" + "".join(lines))

    def _stamp(self, tree):
        return self.stamps / f"{tree}-{self.key}.ok"

    def __contains__(self, tree):
        return tree in self.known or self._stamp(tree).exists()

    def add(self, tree):
        self._stamp(tree).touch()
        if self.record:
            self._write()


def prepare_source(layout, git, builder, commit):
    if not (builder.source / ".git").exists():
        shutil.rmtree(builder.source, ignore_errors=True)
        git.run("worktree", "prune")
        git.run("worktree", "add", "-q", "--detach", builder.source, commit)
    there = Git(builder.source)
    there.run("checkout", "-q", "-f", "--detach", commit)
    there.run("clean", "-q", "-f", "-d")


def _build_base(layout, git, builder, key, steps):
    """Build the base once for its warnings; they are kept with its stamp."""
    base_id = git.commit_of("base")
    stamp = builder.stamps / f"{base_id}-{key}.json"
    if stamp.is_file():
        return {tuple(w) for w in json.loads(stamp.read_text())}
    with steps.step("bisect: build the base, for its own warnings"):
        prepare_source(layout, git, builder, base_id)
        log = builder.log_of("base", base_id)
        if builder.build(log):
            raise QueueError(f"the base does not build, see {log.relative_to(layout.root)}")
        known = builder.warnings(log)
    stamp.write_text(json.dumps(sorted(known)) + "\n")
    return known


def _chosen(pairs, first):
    if first is None:
        return pairs
    for number, (patch, _) in enumerate(pairs):
        if patch.slug == first:
            return pairs[number:]
    raise QueueError(f"bisect: no patch '{first}'")


def bisect(layout, steps, first=None, jobs=3, quick=False, record=False):
    """Build, and boot, what was not before. The exit code is 1 if anything failed.

    'quick' compiles the touched directories only and links nothing. 'record' notes in the queue what
    was built and booted.
    """
    if quick and record:
        raise QueueError("bisect: --quick boots nothing that could be recorded")
    git, queue, _, commits = compose.compose(layout, lambda: base.ensure(layout, steps), steps)
    builder = Builder(layout, jobs, quick)
    key = builder.key()
    trees = {commit: git.tree_of(commit) for commit in commits}
    done = Done(layout, builder, key, [(p, trees[c]) for p, c in zip(queue.patches, commits)], record)
    pairs = _chosen(list(zip(queue.patches, commits)), first)
    todo = [(p, c) for p, c in pairs if trees[c] not in done]
    steps.say(f"bisect {layout.tree}: {len(pairs)} patches, {len(pairs) - len(todo)} built before")
    if not todo:
        return 0
    known = _build_base(layout, git, builder, key, steps)
    failed = 0
    for number, (patch, commit) in enumerate(todo, 1):
        start = time.monotonic()
        prepare_source(layout, git, builder, commit)
        log = builder.log_of(patch.slug, commit)
        code = builder.build(log)
        fresh = sorted(builder.warnings(log) - known)
        verdict = "does not build" if code else f"{len(fresh)} new warnings" if fresh else ""
        if not verdict:
            code = builder.boot(log)
            verdict = "does not boot" if code else "ok"
        steps.say(f"  {number}/{len(todo)} {patch.slug}: {verdict}, {time.monotonic() - start:.0f} s")
        for name, text in fresh[:10]:
            print(f"{patch.slug}: {name}: {text}")
        if code or fresh:
            failed += 1
            print(f"{patch.slug}: see {log.relative_to(layout.root)}")
        else:
            done.add(trees[commit])
    steps.say(f"bisect {layout.tree}: {len(pairs) - failed} of {len(pairs)} patches build without a new warning{', and boot' if builder.mode == 'full' else ''}")
    return 1 if failed else 0
