# SPDX-License-Identifier: GPL-2.0
"""Move the queue to another version of its base package."""

import hashlib
import json
import re
import shutil

from . import base, compose, edit, model
from .gitcmd import Git
from .ui import QueueError

NEW_BASE = "refs/tags/base-next"


def _state_path(layout):
    return layout.state_dir / f"{layout.tree}-rebase.json"


def _where(layout):
    return layout.work / "rebase" / layout.tree


def new_entries(layout, entries, version, steps):
    """The lock's lines for another version, with the sha256 of what was fetched."""
    moved = []
    for name, package, _, suite, _ in entries:
        with steps.step(f"fetch {name} {version}"):
            path = base.fetch(layout, name, version)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        moved.append((name, package, version, suite, digest))
    return moved


def write_lock(layout, entries):
    """Replace the entries, keep the comments."""
    path = layout.patches / "base.lock"
    comments = [line for line in path.read_text().splitlines() if line.startswith("#")]
    path.write_text("\n".join(comments + [" ".join(e) for e in entries]) + "\n")


def start(layout, steps, version):
    if _state_path(layout).exists():
        raise QueueError("a rebase is under way: --continue or --abort")
    entries = base.read_lock(layout)
    if version in (None, "newest"):
        version = base.fetch_newest(layout, entries[0][0])
    if version == entries[0][2]:
        steps.say(f"{base.describe(entries)} is the base already")
        return False
    git, _, head, _ = compose.compose(layout, lambda: base.ensure(layout, steps), steps)
    moved = new_entries(layout, entries, version, steps)
    with steps.step(f"commit {base.describe(moved)}"):
        new_base = base.import_version(layout, git, moved)
        git.run("update-ref", NEW_BASE, new_base)
    where = _where(layout)
    shutil.rmtree(where, ignore_errors=True)
    git.run("worktree", "prune")
    git.run("worktree", "add", "-q", "-f", "-B", "rebase", where, head)
    state = {"entries": moved, "old_base": git.commit_of("base"), "old_head": head,
             "new_base": new_base, "files": model.fingerprint(layout)}
    layout.state_dir.mkdir(parents=True, exist_ok=True)
    _state_path(layout).write_text(json.dumps(state) + "\n")
    done = Git(where).run("rebase", "-q", "--onto", new_base, state["old_base"], check=False)
    if done.returncode:
        stop_at_conflict(layout, where)
    return True


def stop_at_conflict(layout, where):
    there = Git(where)
    files = there.lines("diff", "--name-only", "--diff-filter=U")
    stopped = there.out("log", "-1", "--format=%s", "REBASE_HEAD", check=False)
    shown = where.relative_to(layout.root)
    raise QueueError(f"conflict in '{stopped}': {', '.join(files) or 'see git status'}\n"
                     f"  resolve in {shown}, 'git add' and 'git rebase --continue' there until it is done,\n"
                     f"  then 'lab/queue --tree {layout.tree} rebase --continue' (or --abort)")


def finish(layout, steps):
    """Save what the rebase gave, bump the lock, show what changed."""
    path = _state_path(layout)
    if not path.is_file():
        raise QueueError("no rebase is under way")
    state = json.loads(path.read_text())
    where = _where(layout)
    there = Git(where)
    if edit.in_progress(there):
        stop_at_conflict(layout, where)
    if model.changed_names(state["files"], model.fingerprint(layout)):
        raise QueueError("the stored queue changed since the rebase began: --abort and begin again")
    old_lock = (layout.patches / "base.lock").read_text()
    git = Git(layout.composed)
    write_lock(layout, [tuple(e) for e in state["entries"]])
    base.tag_base(git, state["new_base"])
    try:
        edit.save(layout, steps, where, force=True)
    except QueueError:
        (layout.patches / "base.lock").write_text(old_lock)
        base.tag_base(git, state["old_base"])
        raise
    report(layout, git, state, steps)
    path.unlink()
    cleanup(layout, git)


def report(layout, git, state, steps):
    """range-diff, and the base's own changes in functions that have hooks."""
    steps.say("range-diff, old against new:")
    print(git.out("range-diff", "--no-color", f"{state['old_base']}..{state['old_head']}",
                  f"{state['new_base']}..{layout.branch}"))
    touched = {}
    for patch in model.load(layout).patches:
        for diff in patch.diffs:
            touched.setdefault(diff.path, set()).update(function_names(diff.hunk_functions()))
    steps.say("the base's own changes in functions that our hunks touch:")
    count = 0
    for name in sorted(touched):
        if not git.ok("cat-file", "-e", f"{state['old_base']}:{name}"):
            continue
        text = git.out("diff", "--no-color", "-U3", state["old_base"], state["new_base"], "--", name)
        for head, hunk in re.findall(r"(?ms)^(@@ [^\n]*)\n(.*?)(?=^@@ |\Z)", text):
            if touched[name] & set(function_names([head.split("@@", 2)[2]])):
                print(f"--- {name}\n{head}\n{hunk.rstrip()}")
                count += 1
    steps.say(f"{count} such hunks: read each one")


def function_names(heads):
    """The identifiers before '(' in what git prints behind @@, else the whole line."""
    names = []
    for head in heads:
        match = re.search(r"(\w+)\s*\(", head)
        names.append(match[1] if match else head.strip())
    return [n for n in names if n]


def cleanup(layout, git):
    git.run("worktree", "remove", "--force", _where(layout), check=False)
    git.run("branch", "-q", "-D", "rebase", check=False)
    git.run("update-ref", "-d", NEW_BASE, check=False)


def abort(layout, steps):
    _state_path(layout).unlink(missing_ok=True)
    cleanup(layout, Git(layout.composed))
    steps.say("rebase dropped; the stored queue is as it was")


def rebase(layout, steps, version=None, go_on=False, give_up=False):
    if give_up:
        abort(layout, steps)
        return
    if go_on or start(layout, steps, version):
        finish(layout, steps)
