# SPDX-License-Identifier: GPL-2.0
"""Checks of the stored queue. Every finding is one line; none of them stops the rest."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from . import base, chapters, compose, edit, layers, words
from .ui import QueueError

_TAG = re.compile(r"^(Signed-off-by|Co-developed-by|Reviewed-by|Acked-by|Tested-by|Reported-by|"
                  r"Suggested-by|Fixes|Link|Closes|Cc): ")
_PROGRAM = re.compile(r"^\+TEST_GEN_PROGS\w* \+= (\S+)$", re.M)
_LIBRARY = re.compile(r"^\+LIB\w+ \+= (\S+\.[cS])$", re.M)
_SIGNED = re.compile(r"^Signed-off-by: [^<>]+ <[^<> ]+>$", re.M)


class Findings:
    def __init__(self, steps):
        self.steps = steps
        self.count = 0

    def add(self, where, text):
        self.count += 1
        print(f"{where}: {text}")


# ---------------------------------------------------------------- the overlay

def check_files(layout, queue, git, found):
    """Orphans, paths that the base has, and loose .patch files."""
    for path in layout.overlay_files():
        if path not in queue.claims:
            found.add(path, "no patch adds this file")
    for path, slug in queue.claims.items():
        if git.ok("cat-file", "-e", f"base:{path}"):
            found.add(path, f"{slug}.patch adds it, but the base already has it")
    slugs = {p.slug for p in queue.patches}
    for stored in sorted(layout.patches.glob("*.patch")):
        if stored.stem not in slugs:
            found.add(stored.relative_to(layout.root), "not in the series")


def check_text(layout, queue, spdx_lines, found):
    """SPDX line and trailing white space of every overlay file."""
    for path in sorted(queue.claims):
        text = (layout.overlay / path).read_bytes().decode(errors="replace")
        lines = text.split("\n")
        if not any("SPDX-License-Identifier: " in line for line in lines[:spdx_lines]):
            found.add(f"{path}:1", "no SPDX-License-Identifier")
        for number, line in enumerate(lines, 1):
            if line != line.rstrip(" \t\r"):
                found.add(f"{path}:{number}", "trailing white space")
        if text and not text.endswith("\n"):
            found.add(path, "no newline at the end")
        if text.endswith("\n\n"):
            found.add(path, "blank line at the end")


# ---------------------------------------------------------------- the patches

def check_changelog(patch, prefixes, found):
    where = f"{patch.slug}.patch"
    prefix, colon, rest = patch.subject.rpartition(": ")
    if not colon or not rest or prefix not in prefixes:
        found.add(where, f"subject '{patch.subject}' has none of the prefixes in queue.conf")
    if patch.subject.endswith("."):
        found.add(where, "subject ends in a full stop")
    if len(patch.subject) > 75:
        found.add(where, f"subject has {len(patch.subject)} characters, at most 75")
    if not _SIGNED.search(patch.body):
        found.add(where, "no Signed-off-by")
    if not re.sub(r"(?m)^[A-Z][A-Za-z-]+: .*$", "", patch.body).strip():
        found.add(where, "the changelog says nothing")
    for number, line in enumerate(patch.body.split("\n"), 1):
        exempt = _TAG.match(line) or "://" in line or line.startswith(("  ", "\t", "> "))
        if len(line) > 72 and not exempt:
            found.add(where, f"changelog line {number} has {len(line)} columns, at most 72")
        if line != line.rstrip():
            found.add(where, f"changelog line {number} has trailing white space")


def check_hunks(patch, found):
    for diff in patch.diffs:
        for line in diff.text.split("\n"):
            if line.startswith("+") and not line.startswith("+++ ") and line != line.rstrip():
                found.add(f"{patch.slug}.patch", f"trailing white space added in {diff.path}")
                break


def check_programs(patch, commit, git, found):
    """A Makefile of selftests names no source that a later patch brings."""
    for diff in patch.diffs:
        directory, _, name = diff.path.rpartition("/")
        if name != "Makefile":
            continue
        sources = [f"{program}.c" for program in _PROGRAM.findall(diff.text)]
        for source in sources + _LIBRARY.findall(diff.text):
            if not git.ok("cat-file", "-e", f"{commit}:{directory}/{source}"):
                found.add(f"{patch.slug}.patch", f"{diff.path} names {source}, which is not there yet")


def check_canonical(layout, git, queue, commits, found):
    """What a save of the composed branch would write is what is stored."""
    reader = edit.Reader(layout, git, queue)
    for patch in reader.read(commits):
        stored = (layout.patches / f"{patch.slug}.patch").read_bytes()
        if stored != patch.format().encode(errors="surrogateescape"):
            found.add(f"{patch.slug}.patch", "not as 'save' would write it: run "
                      f"'lab/queue --tree {layout.tree} refresh'")


def check_layers(layout, commit, found, steps):
    """What built objects call, if those are there that the queue makes."""
    objects = layers.built_objects(layout, commit)
    if objects is None:
        steps.say("layers: not checked, 'make kernel layers' does")
        return
    for where, text in layers.check(layout, objects)[0]:
        found.add(where, text)


# ---------------------------------------------------------------- checkpatch

def read_exceptions(layout):
    """patches/checkpatch.exceptions: 'SLUG or *' | TYPE or text | reason."""
    path = layout.patches / "checkpatch.exceptions"
    rules = []
    for number, line in enumerate(path.read_text().splitlines() if path.is_file() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [f.strip() for f in line.split("|", 2)]
        if len(fields) != 3 or not all(fields):
            raise QueueError(f"{path.relative_to(layout.root)}: line {number} is not 'slug | type or text | reason'")
        rules.append((number, *fields))
    return rules


def _checkpatch_one(layout, git, commit):
    """[(type, text, place)] for one commit; the kernel's script names types, QEMU's does not."""
    mail = git.raw("format-patch", "-1", "--stdout", "--no-signature", "--no-renames", commit)
    options = ["--no-tree"] if layout.tree == "qemu" else ["--show-types", "--strict", "--no-summary", "--showfile"]
    script = layout.composed / "scripts" / "checkpatch.pl"
    if not script.is_file():
        raise QueueError(f"{script.relative_to(layout.root)}: missing")
    done = subprocess.run(["perl", str(script), *options, "--terse", "-"], input=mail, cwd=layout.composed,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    out = []
    for line in done.stdout.decode(errors="replace").splitlines():
        match = re.match(r"^([^:]*:(?:\d+:)?)?\s*(ERROR|WARNING|CHECK):\s*(?:([A-Z][A-Z0-9_]+): ?)?(.*)$", line)
        if match:
            out.append((match[3] or match[2], match[4], (match[1] or "").rstrip(":")))
    if done.returncode and not out:
        text = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        out.append(("CHECKPATCH", text[-1] if text else "failed without a message", ""))
    return out


def check_checkpatch(layout, git, queue, commits, found, steps):
    rules = read_exceptions(layout)
    used = set()
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda c: _checkpatch_one(layout, git, c), commits)
        for number, (patch, result) in enumerate(zip(queue.patches, results), 1):
            steps.progress(number, len(commits), f"checkpatch {patch.slug}")
            for kind, text, place in result:
                match = [r for r in rules if r[1] in ("*", patch.slug) and (r[2] == kind or r[2] in text)]
                used.update(r[0] for r in match)
                if not match:
                    found.add(f"{patch.slug}.patch", f"checkpatch: {kind}: {text} ({place})")
    for number, slug, kind, _ in rules:
        if number not in used:
            found.add(f"checkpatch.exceptions:{number}", f"'{slug} | {kind}' excuses nothing")


def lint(layout, steps, checkpatch=True):
    """Run all checks. The exit code."""
    found = Findings(steps)
    settings = layout.settings()
    prefixes = [p.strip() for p in settings.get("prefixes", "").replace("\n", " ").split(",")]
    git, queue, _, commits = compose.compose(layout, lambda: base.ensure(layout, steps), steps)
    with steps.step(f"lint {layout.tree}"):
        check_files(layout, queue, git, found)
        for where, text in chapters.check(layout):
            found.add(where, text)
        check_text(layout, queue, settings.getint("spdx_lines", 2), found)
        for patch, commit in zip(queue.patches, commits):
            check_changelog(patch, prefixes, found)
            check_hunks(patch, found)
            check_programs(patch, commit, git, found)
        words.check(layout, queue, found)
        check_canonical(layout, git, queue, commits, found)
        if commits and (layout.patches / "layers").is_file():
            check_layers(layout, commits[-1], found, steps)
    if checkpatch and commits:
        with steps.step(f"checkpatch, {len(commits)} patches"):
            check_checkpatch(layout, git, queue, commits, found, steps)
    steps.say(f"lint {layout.tree}: {found.count} findings in {len(queue.patches)} patches, "
              f"{len(queue.claims)} overlay files")
    return 1 if found.count else 0
