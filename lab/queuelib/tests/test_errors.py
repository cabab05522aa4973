# SPDX-License-Identifier: GPL-2.0
"""Everything that is refused, with the words the user sees."""

import os

from queuelib import edit, layout, patchfile
from queuelib.tests.common import QueueCase, put
from queuelib.ui import QueueError


class Refuses(QueueCase):

    def refused(self, pattern, call, *args, **kw):
        before = self.stored()
        with self.assertRaisesRegex(QueueError, pattern):
            call(*args, **kw)
        self.assertEqual(self.stored(), before)

    def edit_patch(self, slug, old, new):
        path = self.lay.patches / f"{slug}.patch"
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new))

    # ---- compose
    def test_hunk_that_does_not_apply(self):
        self.three_patches()
        self.edit_patch("kvm-grow-gmem", "-line 20\n", "-line 99\n")
        self.refused(r"kvm-grow-gmem.patch: hunk 1 of 1 in virt/kvm/main.c \(line 17\) does not apply", self.compose)

    def test_no_fuzz(self):
        self.three_patches()
        self.edit_patch("kvm-grow-gmem", " line 17\n", " line 17 \n")
        self.refused("does not apply", self.compose)

    def test_hunk_that_cannot_be_undone(self):
        self.three_patches()
        path = self.root / "virt/kvm/gmem.c"
        path.write_text(path.read_text().replace("grown\n", "shrunk\n"))
        self.refused(r"kvm-grow-gmem.patch: hunk 1 of 1 in virt/kvm/gmem.c .* cannot be undone", self.compose)

    def test_failed_compose_leaves_the_checkout(self):
        self.three_patches()
        head = self.compose()[2]
        self.edit_patch("kvm-grow-gmem", "-line 20\n", "-line 99\n")
        with self.assertRaises(QueueError):
            self.compose()
        self.assertEqual(self.git("rev-parse", "HEAD", where=self.lay.composed).strip(), head)

    def test_double_claim(self):
        self.three_patches()
        self.edit_patch("kvm-x86-add-type", "Adds: arch", "Adds: virt/kvm/gmem.c\nAdds: arch")
        self.refused("gmem.c is added by both kvm-add-gmem.patch and kvm-x86-add-type.patch", self.compose)

    def test_claimed_but_missing(self):
        self.three_patches()
        (self.root / "arch/x86/kvm/type.c").unlink()
        self.refused("adds arch/x86/kvm/type.c, but the overlay has no such file", self.compose)

    def test_path_that_the_base_has(self):
        self.three_patches()
        put(self.root, {"arch/x86/kvm/x86.c": "x\n"})
        self.edit_patch("kvm-x86-add-type", "Adds: arch", "Adds: arch/x86/kvm/x86.c\nAdds: arch")
        self.refused("adds arch/x86/kvm/x86.c, which is already there", self.compose)

    def test_path_outside_the_overlay(self):
        self.three_patches()
        for name in ("lab/queue", "README.md", "../x", "/etc/passwd"):
            self.edit_patch("kvm-x86-add-type", "Adds: arch", f"Adds: {name}\nAdds: arch")
            self.refused("no place of the overlay", self.compose)
            self.edit_patch("kvm-x86-add-type", f"Adds: {name}\n", "")

    def test_symbolic_link_in_the_overlay(self):
        self.three_patches()
        path = self.root / "arch/x86/kvm/type.c"
        path.unlink()
        path.symlink_to("/dev/null")
        with self.assertRaisesRegex(QueueError, "symbolic links"):
            self.compose()

    def test_hunks_before_their_file(self):
        self.three_patches()
        series = self.lay.patches / "series"
        series.write_text("kvm-grow-gmem\nkvm-add-gmem\nkvm-x86-add-type\n")
        self.refused("has hunks for virt/kvm/gmem.c, which only kvm-add-gmem.patch adds", self.compose)

    def test_series_faults(self):
        self.three_patches()
        for line, words in (("nowhere", "'nowhere' has no patches/nowhere.patch"),
                            ("kvm-add-gmem", "is there twice"), ("a/b", "is a path, not a slug")):
            series = self.lay.patches / "series"
            text = series.read_text()
            series.write_text(f"{text}{line}\n")
            self.refused(words, self.compose)
            series.write_text(text)

    def test_changes_in_the_composed_tree(self):
        self.three_patches()
        put(self.lay.composed, {"README": "mine\n"})
        self.refused(r"work/linux has changes of its own \(README\)", self.compose)

    # ---- locks and settings
    def test_base_lock_faults(self):
        path = self.lay.patches / "base.lock"
        path.write_text("tiny tiny 1-1\n")
        self.refused("line 1 is not", self.compose)
        path.unlink()
        self.refused("base.lock: missing", self.compose)

    def test_no_such_tree(self):
        with self.assertRaisesRegex(QueueError, "no tree 'bsd'"):
            layout.layout_for("bsd", self.root)

    # ---- edit and save
    def test_edit_keeps_unsaved_work(self):
        self.three_patches()
        self.edit()
        put(self.lay.edit, {"README": "mine\n"})
        self.refused("not saved", self.edit)
        self.edit(discard=True)
        self.assertEqual((self.lay.edit / "README").read_text(), "the base\n")
        self.commit("KVM: More", {"README": "mine\n"})
        self.refused("not saved", self.edit)

    def test_save_without_an_edit(self):
        self.compose()
        self.refused("no such worktree", self.save)

    def test_dirty_worktree(self):
        self.edit()
        put(self.lay.edit, {"virt/kvm/new.c": "x\n"})
        self.refused("not committed: virt/kvm/new.c", self.save)

    def test_merge_commit(self):
        self.edit()
        self.git("checkout", "-q", "-b", "side")
        self.commit("KVM: Side", {"README": "side\n"})
        self.git("checkout", "-q", "edit")
        self.commit("KVM: Main", self.line(3, "three"))
        self.git("merge", "-q", "--no-edit", "side")
        self.refused("is a merge", self.save)

    def test_fixup_left(self):
        self.edit()
        self.commit("fixup! KVM: Other", {"README": "x\n"})
        self.refused("fold it first", self.save)

    def test_rebase_in_progress(self):
        self.three_patches()
        self.edit()
        self.git("-c", "sequence.editor=sed -i s/pick/edit/", "rebase", "-q", "-i", "HEAD~1")
        os.makedirs(self.git("rev-parse", "--absolute-git-dir").strip() + "/rebase-merge", exist_ok=True)
        self.refused("is not finished", self.save)

    def test_overlay_changed_since_the_edit_began(self):
        self.three_patches()
        self.edit()
        self.commit("KVM: More", {"README": "x\n"})
        path = self.root / "virt/kvm/gmem.c"
        path.write_text(path.read_text().replace("one\n", "uno\n"))
        self.refused("since the edit began: virt/kvm/gmem.c;", self.save)
        self.save(force=True)
        self.assertNotIn("uno", path.read_text())

    def test_binary_file(self):
        self.edit()
        (self.lay.edit / "virt/blob.bin").write_bytes(b"\0\1\2")
        self.commit("KVM: Blob")
        self.refused("virt/blob.bin is binary", self.save)

    def test_binary_change_of_a_base_file(self):
        self.edit()
        (self.lay.edit / "README").write_bytes(b"\0\1\2")
        self.commit("KVM: Blob")
        self.refused("README is binary", self.save)

    def test_symbolic_link(self):
        self.edit()
        (self.lay.edit / "virt/link").symlink_to("kvm")
        self.commit("KVM: Link")
        self.refused("symbolic links", self.save)

    def test_added_where_the_overlay_is_not(self):
        self.edit()
        self.commit("KVM: Lab", {"lab/x": "x\n"})
        self.refused("no place for an added file", self.save)

    def test_removed_after_it_was_added(self):
        self.edit()
        self.commit("KVM: Add", {"virt/a.c": "a\n", "virt/b.c": "b\n"})
        self.commit("KVM: Remove", remove=["virt/a.c"])
        self.refused("removed here, added by kvm-add", self.save)

    def test_mode_change_after_it_was_added(self):
        self.edit()
        self.commit("KVM: Add", {"virt/a.sh": "a\n"})
        (self.lay.edit / "virt/a.sh").chmod(0o755)
        self.commit("KVM: Mode")
        self.refused("its mode changes", self.save)

    def test_base_file_that_comes_back(self):
        self.edit()
        self.commit("KVM: Remove", remove=["arch/x86/kvm/x86.c"])
        self.commit("KVM: Again", {"arch/x86/kvm/x86.c": "x\n"})
        self.refused("comes back", self.save)

    def test_two_of_one_subject(self):
        self.edit()
        self.commit("KVM: Same", {"README": "x\n"})
        self.commit("KVM: Same", {"README": "y\n"})
        self.refused("has the same subject", self.save)

    def test_message_faults(self):
        self.edit()
        self.commit("KVM: Dashes", {"README": "x\n"}, body="Text.\n---\nMore.")
        self.refused("'---' line", self.save)
        self.git("commit", "-q", "--amend", "-m", "KVM: Two\nlines of subject")
        self.refused("not one line with a blank line", self.save)

    def test_empty_commit(self):
        self.edit()
        self.git("commit", "-q", "--allow-empty", "-m", "KVM: Nothing")
        self.refused("changes nothing", self.save)

    def test_branch_that_does_not_begin_at_the_base(self):
        self.edit()
        self.git("checkout", "-q", "--orphan", "loose")
        self.git("commit", "-q", "-m", "KVM: Loose")
        self.refused("does not begin at the base", self.save)

    def test_file_in_the_way(self):
        self.edit()
        self.commit("KVM: Add", {"virt/a.c": "a\n"})
        put(self.root, {"virt/a.c": "not mine\n"})
        self.refused("would overwrite a file that no patch claims", self.save, force=True)

    def test_unknown_directory_needs_force(self):
        self.three_patches()
        other = self.root / "other"
        self.git("worktree", "add", "-q", "--detach", str(other), "kvm-coco", where=self.lay.composed)
        self.refused("not known what the edit began from", self.save, other)
        self.assertEqual(edit.save(self.lay, self.steps, other, force=True), 0)


class PatchText(QueueCase):
    GOOD = ("From: A B <a@b.c>\nDate: Sat, 21 Nov 2026 08:00:00 +0000\nSubject: KVM: X\n\nWhy.\n---\n"
            "Adds: virt/x.c\n")

    def test_good(self):
        self.assertEqual(patchfile.parse("x", self.GOOD).format(), self.GOOD)

    def test_bad(self):
        cases = (("From: A B <a@b.c>\n", "", "no 'From:'"), ("<a@b.c>", "a@b.c", "not 'Name <mail>'"),
                 ("+0000", "", "RFC 2822"), ("---\n", "", "no '---' line"),
                 ("Subject:", "Title:", "line 3 is not"), ("Adds: virt/x.c\n", "", "changes nothing"),
                 ("Adds:", "Add:", "neither 'Adds: PATH' nor a diff"),
                 ("Adds: virt/x.c\n", "diff --git a/x b/y\n", "unsupported file name"),
                 ("Adds: virt/x.c\n", "diff --git a/x b/x\nGIT binary patch\n", "is binary"))
        for old, new, words in cases:
            with self.assertRaisesRegex(QueueError, words):
                patchfile.parse("x", self.GOOD.replace(old, new, 1))

    def test_slugs(self):
        self.assertEqual(patchfile.slug_of("KVM: x86/mmu: Add `foo_bar()`"), "kvm-x86-mmu-add-foo-bar")
        self.assertEqual(patchfile.slug_of("KVM: X", {"kvm-x"}), "kvm-x-2")
        self.assertLessEqual(len(patchfile.slug_of("word " * 40)), 60)
        with self.assertRaises(QueueError):
            patchfile.slug_of("...")
