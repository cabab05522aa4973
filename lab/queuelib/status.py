# SPDX-License-Identifier: GPL-2.0
"""status: what is stored, composed, edited and not saved."""

from . import base, compose, model
from .gitcmd import Git


def status(layout, _steps):
    queue = model.load(layout)
    print(f"base      {base.describe(base.read_lock(layout))}")
    print(f"stored    {len(queue.patches)} patches, {len(queue.claims)} overlay files")
    orphans = [p for p in layout.overlay_files() if p not in queue.claims]
    for path in orphans:
        print(f"          not claimed by a patch: {path}")
    for name, where in (("composed", layout.composed), ("edit", layout.edit)):
        _one(layout, name, where)


def _one(layout, name, where):
    shown = where.relative_to(layout.root)
    if not (where / ".git").exists():
        print(f"{name:<9} none ({shown})")
        return
    git = Git(where)
    state = compose.load_state(layout, name)
    head = git.commit_of("HEAD")
    notes = []
    if state is None:
        notes.append("origin unknown")
    else:
        changed = model.changed_names(state["files"], model.fingerprint(layout))
        if changed:
            notes.append(f"the stored queue changed since: {', '.join(changed[:4])}")
        if head != state["head"]:
            notes.append("has commits that are not saved")
    dirty = git.lines("status", "--porcelain")
    if dirty:
        notes.append(f"{len(dirty)} files not committed")
    print(f"{name:<9} {shown} at {head[:12]}: {'; '.join(notes) or 'in step'}")
