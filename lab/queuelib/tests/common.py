# SPDX-License-Identifier: GPL-2.0
"""A queue on a tiny base, in a temporary directory."""

import io
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from queuelib import base, compose, edit, gitcmd, layout
from queuelib.ui import Steps

WHO = "Some One <someone@example.org>"
BASE_FILES = {
    "virt/kvm/main.c": "".join(f"line {n}\n" for n in range(1, 41)),
    "virt/kvm/Makefile": "obj-y += main.o\n",
    "arch/x86/kvm/x86.c": "int x86_init(void)\n{\n\treturn 0;\n}\n",
    "README": "the base\n",
    ".gitignore": "*.o\n#\n# Debian packaging\n#\n/*\n!/debian/\n",
}
GMEM = "// SPDX-License-Identifier: GPL-2.0\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n"


def put(root, files):
    for name, text in files.items():
        path = Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def unpack_tiny(_layout, entries, into):
    put(into, BASE_FILES)
    if entries[0][2] == "1-2":
        text = BASE_FILES["virt/kvm/main.c"].replace("line 30\n", "line thirty\n")
        put(into, {"virt/kvm/main.c": text})
    base.normalise(into)
    return {"1-0": "1-1"}.get(entries[0][2], entries[0][2])


class QueueCase(unittest.TestCase):
    """Each test has its own repository root, composed tree and edit."""

    tree = "linux"

    def setUp(self):
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = Path(tempfile.mkdtemp(prefix="queue-test-", dir=memory))
        self.addCleanup(shutil.rmtree, self.root)
        self.lay = layout.layout_for(self.tree, self.root)
        self.steps = Steps(out=io.StringIO())
        patch = mock.patch.object(base, "unpack", unpack_tiny)
        patch.start()
        self.addCleanup(patch.stop)
        put(self.lay.patches, {
            "base.lock": "tiny tiny 1-1 suite 00\n",
            "queue.conf": f"[queue]\nidentity = {WHO}\nprefixes = KVM, KVM: x86\n",
        })

    # ---- the verbs
    def compose(self):
        return compose.compose(self.lay, lambda: base.ensure(self.lay, self.steps), self.steps)

    def edit(self, discard=False):
        return edit.edit(self.lay, self.steps, discard)

    def save(self, directory=None, force=False):
        return edit.save(self.lay, self.steps, directory, force)

    # ---- in the worktree
    def git(self, *args, where=None, date="Sat, 21 Nov 2026 08:00:00 +0100"):
        env = gitcmd.clean_env({"GIT_AUTHOR_DATE": date, "GIT_SEQUENCE_EDITOR": "true"})
        done = subprocess.run(["git", "-C", str(where or self.lay.edit), *args], env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        return done.stdout.decode()

    def commit(self, subject, files=None, body="Why.\n\nSigned-off-by: " + WHO, remove=()):
        put(self.lay.edit, files or {})
        for name in remove:
            (self.lay.edit / name).unlink()
        self.git("add", "-A", "-f")
        self.git("commit", "-q", "-m", f"{subject}\n\n{body}")

    def line(self, number, text, name="virt/kvm/main.c"):
        """The file in the worktree with one line replaced."""
        lines = (self.lay.edit / name).read_text().split("\n")
        lines[number - 1] = text
        return {name: "\n".join(lines)}

    def stored(self):
        """Everything the queue is stored in: name -> (content, executable)."""
        found = {}
        files = sorted(self.lay.patches.glob("*.patch")) + [self.lay.patches / "series"]
        files += [self.lay.overlay / p for p in self.lay.overlay_files()]
        for path in files:
            if path.is_file():
                name = path.relative_to(self.root).as_posix()
                found[name] = (path.read_bytes(), os.access(path, os.X_OK))
        return found

    def patch_text(self, slug):
        return (self.lay.patches / f"{slug}.patch").read_text()

    def three_patches(self):
        """Adds a file with a hook; grows both; adds another file."""
        self.edit()
        self.commit("KVM: Add gmem", {"virt/kvm/gmem.c": GMEM, "virt/kvm/Makefile": "obj-y += main.o gmem.o\n"})
        self.commit("KVM: Grow gmem", {"virt/kvm/gmem.c": GMEM.replace("\neight\n", "\ngrown\n"),
                                       **self.line(20, "line twenty")})
        self.commit("KVM: x86: Add type", {"arch/x86/kvm/type.c": "// SPDX-License-Identifier: GPL-2.0\nint t;\n"})
        self.save()
