# SPDX-License-Identifier: GPL-2.0
"""compose, edit and save: what is written is what is composed, and back."""

import os
import subprocess

from queuelib import model
from queuelib.tests.common import QueueCase, put


class RoundTrip(QueueCase):

    def test_base_commit_is_normalised_and_reproducible(self):
        git = self.compose()[0]
        first = git.commit_of("base")
        self.assertNotIn("/*", git.out("show", "base:.gitignore"))
        self.assertEqual(git.out("show", "-s", "--format=%at %an", "base"), "0 kvm-coco base")
        subprocess.run(["rm", "-rf", str(self.lay.composed)], check=True)
        self.assertEqual(self.compose()[0].commit_of("base"), first)

    def test_a_base_that_the_archive_replaced(self):
        put(self.lay.patches, {"base.lock": "tiny tiny 1-0 suite 00\n"})
        git = self.compose()[0]
        first = git.commit_of("base")
        self.assertIn("tiny 1-1\n\n", git.out("log", "-1", "--format=%B", "base"))
        self.assertIn("In place of 1-0, which", git.out("log", "-1", "--format=%B", "base"))
        self.assertEqual(self.compose()[0].commit_of("base"), first)

    def test_overlay_has_final_text_and_patch_has_birth(self):
        self.three_patches()
        self.assertIn("grown", (self.root / "virt/kvm/gmem.c").read_text())
        self.assertEqual((self.lay.patches / "series").read_text(),
                         "kvm-add-gmem\nkvm-grow-gmem\nkvm-x86-add-type\n")
        self.assertIn("Adds: virt/kvm/gmem.c\n", self.patch_text("kvm-add-gmem"))
        self.assertIn("+grown\n", self.patch_text("kvm-grow-gmem"))
        git, _, _, commits = self.compose()
        self.assertNotIn("grown", git.out("show", f"{commits[0]}:virt/kvm/gmem.c"))

    def test_compose_then_save_is_a_no_op(self):
        self.three_patches()
        before = self.stored()
        self.compose()
        self.assertEqual(self.save(self.lay.composed), 0)
        self.assertEqual(self.stored(), before)
        self.edit()
        self.assertEqual(self.save(), 0)
        self.assertEqual(self.stored(), before)

    def test_nothing_volatile_is_stored(self):
        self.three_patches()
        for name, (content, _) in self.stored().items():
            self.assertNotIn(b"\nindex ", content, name)

    def test_commit_ids_are_reproducible(self):
        self.three_patches()
        head = self.compose()[2]
        subprocess.run(["rm", "-rf", str(self.lay.work)], check=True)
        self.assertEqual(self.compose()[2], head)

    def test_commit_ids_ignore_the_users_settings(self):
        self.three_patches()
        head = self.compose()[2]
        before = self.stored()
        config = self.root / "gitconfig"
        put(self.root, {"gitconfig": "[core]\n\tautocrlf = true\n\tfileMode = false\n"
                        "[diff]\n\tnoprefix = true\n\tcontext = 9\n\talgorithm = patience\n\texternal = false\n"
                        "[commit]\n\tgpgSign = true\n[user]\n\tname = X\n"})
        subprocess.run(["rm", "-rf", str(self.lay.work)], check=True)
        os.environ["GIT_CONFIG_GLOBAL"] = str(config)
        os.environ["GIT_AUTHOR_DATE"] = "2001-01-01"
        self.addCleanup(os.environ.pop, "GIT_CONFIG_GLOBAL")
        self.addCleanup(os.environ.pop, "GIT_AUTHOR_DATE")
        self.assertEqual(self.compose()[2], head)
        self.assertEqual(self.save(self.lay.composed), 0)
        self.assertEqual(self.stored(), before)

    def test_author_date_and_zone_survive(self):
        self.three_patches()
        self.assertIn("Date: Sat, 21 Nov 2026 08:00:00 +0100\n", self.patch_text("kvm-add-gmem"))
        git, _, head, _ = self.compose()
        self.assertEqual(git.out("log", "-1", "--format=%aI %cI %cn", head),
                         "2026-11-21T08:00:00+01:00 2026-11-21T08:00:00+01:00 Some One")

    def test_executable_files(self):
        self.edit()
        put(self.lay.edit, {"tools/run.sh": "#!/bin/sh\n"})
        (self.lay.edit / "tools/run.sh").chmod(0o755)
        self.commit("KVM: Add a script")
        self.save()
        self.assertTrue(os.access(self.root / "tools/run.sh", os.X_OK))
        git, _, head, _ = self.compose()
        self.assertTrue(git.out("ls-tree", head, "tools/run.sh").startswith("100755"))

    def test_an_overlay_file_edited_in_place_is_composed(self):
        self.three_patches()
        path = self.root / "virt/kvm/gmem.c"
        path.write_text(path.read_text().replace("one\n", "uno\n"))
        git, _, head, commits = self.compose()
        for commit in (commits[0], head):
            self.assertIn("uno\n", git.out("show", f"{commit}:virt/kvm/gmem.c"))

    def test_an_edit_in_place_that_shifts_lines_is_refreshed(self):
        self.three_patches()
        path = self.root / "virt/kvm/gmem.c"
        path.write_text(path.read_text().replace("// SPDX-License-Identifier: GPL-2.0\n",
                                                 "// SPDX-License-Identifier: GPL-2.0\nn1\nn2\n"))
        self.compose()
        self.assertEqual(self.save(self.lay.composed), 1)
        self.assertEqual(self.save(self.lay.composed), 0)

    def test_deleting_a_base_file_and_deep_empty_directories(self):
        self.edit()
        self.commit("KVM: Remove it", remove=["arch/x86/kvm/x86.c"])
        self.save()
        git, _, head, _ = self.compose()
        self.assertIsNone(git.commit_of(f"{head}:arch/x86/kvm/x86.c"))
        self.assertEqual(self.save(self.lay.composed), 0)

    def test_a_file_without_a_newline_at_its_end(self):
        self.edit()
        self.commit("KVM: No newline", {"virt/kvm/n.c": "abc", "README": "the base"})
        self.save()
        self.assertEqual(self.save(self.lay.composed), 0)

    def test_an_empty_added_file(self):
        self.edit()
        self.commit("KVM: Empty", {"include/e.h": ""})
        self.save()
        self.assertEqual(self.save(self.lay.composed), 0)
        self.assertTrue((self.root / "include/e.h").is_file())

    def test_a_changelog_without_body(self):
        self.edit()
        self.commit("KVM: Bare", {"README": "x\n"}, body="")
        self.save()
        self.assertEqual(self.save(self.lay.composed), 0)

    def test_checkout_touches_only_what_changed(self):
        self.three_patches()
        untouched = self.lay.composed / "README"
        os.utime(untouched, (1000, 1000))
        self.edit()
        self.commit("KVM: More", self.line(5, "five"))
        self.save()
        self.assertEqual(untouched.stat().st_mtime, 1000)


class Names(QueueCase):

    def test_slug_is_kept_by_subject(self):
        self.three_patches()
        (self.lay.patches / "kvm-grow-gmem.patch").rename(self.lay.patches / "grow.patch")
        series = self.lay.patches / "series"
        series.write_text(series.read_text().replace("kvm-grow-gmem", "grow"))
        self.edit()
        self.commit("fixup! KVM: Grow gmem", self.line(20, "line TWENTY"))
        self.git("rebase", "-q", "-i", "--autosquash", "base")
        self.save()
        self.assertIn("grow\n", series.read_text().splitlines(keepends=True))
        self.assertIn("+line TWENTY", self.patch_text("grow"))

    def test_slug_is_kept_when_the_subject_changes(self):
        self.three_patches()
        self.edit()
        self.git("commit", "-q", "--amend", "-m", "KVM: x86: Add a table of types\n\nWhy.")
        self.save()
        self.assertIn("Add a table", self.patch_text("kvm-x86-add-type"))

    def test_a_removed_patch_takes_its_files_along(self):
        self.three_patches()
        self.edit()
        self.git("reset", "-q", "--hard", "HEAD~1")
        self.save()
        self.assertFalse((self.root / "arch").exists())
        self.assertFalse((self.lay.patches / "kvm-x86-add-type.patch").exists())
        self.assertEqual(len(model.load(self.lay).patches), 2)

    def test_reordering(self):
        self.three_patches()
        self.edit()
        order = self.git("log", "--reverse", "--format=%h", "base..HEAD").split()
        self.git("reset", "-q", "--hard", "base")
        for commit in (order[2], order[0], order[1]):
            self.git("cherry-pick", commit)
        self.save()
        self.assertEqual((self.lay.patches / "series").read_text(),
                         "kvm-x86-add-type\nkvm-add-gmem\nkvm-grow-gmem\n")


class Emulator(QueueCase):
    tree = "qemu"

    def test_overlay_is_under_emulator(self):
        self.edit()
        self.commit("hw: Add a device", {"hw/misc/rmp.c": "int x;\n", "meson.build": "x\n"})
        self.save()
        self.assertTrue((self.root / "emulator/hw/misc/rmp.c").is_file())
        self.assertTrue((self.root / "emulator/patches/hw-add-a-device.patch").is_file())
        self.assertEqual(self.save(self.lay.composed), 0)
