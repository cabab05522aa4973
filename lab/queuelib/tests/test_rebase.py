# SPDX-License-Identifier: GPL-2.0
"""Moving to another version of the base."""

import contextlib
import io
from unittest import mock

from queuelib import base, rebase
from queuelib.gitcmd import Git
from queuelib.tests.common import QueueCase, put
from queuelib.ui import QueueError


class Rebase(QueueCase):
    """Version 1-2 of the tiny base has another line 30 in main.c."""

    def setUp(self):
        super().setUp()
        package = self.root / "package"
        package.write_text("content")
        for name, value in (("fetch", package), ("fetch_newest", "1-2")):
            patch = mock.patch.object(base, name, return_value=value)
            patch.start()
            self.addCleanup(patch.stop)

    def rebase(self, *args, **kw):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            rebase.rebase(self.lay, self.steps, *args, **kw)
        return out.getvalue()

    def lock(self):
        return (self.lay.patches / "base.lock").read_text()

    def conflicting(self):
        self.edit()
        self.commit("KVM: Thirty", self.line(30, "line 30, ours"))
        self.save()

    def test_without_conflict(self):
        self.three_patches()
        report = self.rebase("1-2")
        self.assertIn("tiny tiny 1-2 suite ed7002b439e9", self.lock())
        self.assertIn("KVM: Grow gmem", report)
        git, _, head, _ = self.compose()
        text = git.out("show", f"{head}:virt/kvm/main.c")
        self.assertIn("line thirty", text)
        self.assertIn("line twenty", text)
        self.assertEqual(self.save(self.lay.composed), 0)

    def test_newest_and_already_there(self):
        self.three_patches()
        self.rebase()
        self.assertIn(" 1-2 ", self.lock())
        before = self.stored()
        self.rebase("1-2")
        self.assertEqual(self.stored(), before)

    def test_conflict_then_continue(self):
        self.conflicting()
        before, lock = self.stored(), self.lock()
        with self.assertRaisesRegex(QueueError, r"conflict in 'KVM: Thirty': virt/kvm/main.c\n.*work/rebase/linux"):
            self.rebase("1-2")
        with self.assertRaisesRegex(QueueError, "conflict in"):
            self.rebase(go_on=True)
        with self.assertRaisesRegex(QueueError, "under way"):
            self.rebase("1-2")
        self.assertEqual((self.stored(), self.lock()), (before, lock))
        where = self.lay.work / "rebase" / "linux"
        text = (self.lay.composed / "virt/kvm/main.c").read_text()
        put(where, {"virt/kvm/main.c": text.replace("line 30, ours", "line thirty, ours")})
        self.git("add", "-A", where=where)
        self.git("-c", "core.editor=true", "rebase", "--continue", where=where)
        self.rebase(go_on=True)
        self.assertIn("-line thirty\n", self.patch_text("kvm-thirty"))
        self.assertIn(" 1-2 ", self.lock())

    def test_conflict_then_abort(self):
        self.conflicting()
        before, lock = self.stored(), self.lock()
        with self.assertRaises(QueueError):
            self.rebase("1-2")
        self.rebase(give_up=True)
        self.assertEqual((self.stored(), self.lock()), (before, lock))
        self.assertEqual(self.compose()[0].out("log", "-1", "--format=%s", "base"), "tiny 1-1")

    def test_queue_changed_meanwhile(self):
        self.conflicting()
        with self.assertRaises(QueueError):
            self.rebase("1-2")
        where = self.lay.work / "rebase" / "linux"
        Git(where).run("rebase", "--skip", check=False)
        put(self.lay.patches, {"series": "kvm-thirty\n\n"})
        with self.assertRaisesRegex(QueueError, "changed since the rebase began"):
            self.rebase(go_on=True)

    def test_continue_without_a_rebase(self):
        with self.assertRaisesRegex(QueueError, "no rebase is under way"):
            self.rebase(go_on=True)

    def test_function_names(self):
        self.assertEqual(rebase.function_names(["static int a_b(struct x *y)", "struct kvm {", ""]),
                         ["a_b", "struct kvm {"])
