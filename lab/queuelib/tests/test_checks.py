# SPDX-License-Identifier: GPL-2.0
"""lint, series and bisect."""

import contextlib
import io
import shutil

from queuelib import bisect, lint, series
from queuelib.gitcmd import Git
from queuelib.tests.common import QueueCase, put
from queuelib.ui import QueueError

CHECKPATCH = """#!/usr/bin/perl
while (<STDIN>) { print "-:$.: WARNING:BAD_WORD: do not say frob\\n" if /^\\+.*frob/; }
"""
BUILD = """#!/bin/sh
[ "$2" = --key ] && exec cat "$(dirname "$0")/key"
what=built
[ "$5" = boot ] && what=booted
echo "$(git -C "$2" log -1 --format=%s)" >> "$(dirname "$0")/$what"
[ "$5" = boot ] && { grep -q oops "$2/README" && exit 125; exit 0; }
grep -q broken "$2/README" && exit 1
echo "$2/virt/kvm/main.c:3:1: warning: an old one"
grep -q noisy "$2/README" && echo "$2/virt/kvm/main.c:9:1: warning: a new one"
exit 0
"""


class Checks(QueueCase):

    def text_of(self, call, *args, **kw):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = call(self.lay, self.steps, *args, **kw)
        return code, out.getvalue()

    # ---- lint
    def lint_of(self, expect, checkpatch=False):
        code, text = self.text_of(lint.lint, checkpatch)
        self.assertEqual(code, 1 if expect else 0, text)
        for words in expect:
            self.assertIn(words, text)
        self.assertEqual(len(text.splitlines()), len(expect), text)

    def test_clean(self):
        self.three_patches()
        self.lint_of([])

    def test_orphans(self):
        self.three_patches()
        put(self.root, {"include/linux/orphan.h": "x\n", "patches/loose.patch": "x\n"})
        self.lint_of(["include/linux/orphan.h: no patch adds this file", "patches/loose.patch: not in the series"])

    def test_file_text(self):
        self.edit()
        self.commit("KVM: Add", {"virt/a.c": "int a; \n", "virt/b.c": "// SPDX-License-Identifier: GPL-2.0\nint b;\n\n"})
        self.save()
        self.lint_of(["virt/a.c:1: no SPDX", "virt/a.c:1: trailing white space", "virt/b.c: blank line at the end"])

    def test_program_before_its_source(self):
        self.edit()
        makefile = "obj-y += main.o\nLIBKVM += lib.c\nTEST_GEN_PROGS_x86_64 += late\n"
        source = "// SPDX-License-Identifier: GPL-2.0\nint a;\n"
        self.commit("KVM: Add a list", {"virt/kvm/Makefile": makefile, "virt/kvm/lib.c": source})
        self.commit("KVM: Add what it lists", {"virt/kvm/late.c": source})
        self.save()
        self.lint_of(["kvm-add-a-list.patch: virt/kvm/Makefile names late.c, which is not there yet"])

    def test_changelogs(self):
        self.edit()
        signed = "Signed-off-by: A B <a@b.c>"
        self.commit("mm: Wrong prefix", self.line(1, "1"), body=f"Why.\n\n{signed}")
        self.commit("KVM: Full stop.", self.line(2, "2"), body=f"Why.\n\n{signed}")
        self.commit("KVM: Unsigned", self.line(3, "3"), body="Why.")
        self.commit("KVM: Silent", self.line(4, "4"), body=signed)
        self.commit("KVM: Wide", self.line(5, "5"), body=f"{'word ' * 15}\n{'  a table row' * 9}\n\n{signed}")
        self.commit("KVM: Trailing", self.line(30, "thirty "))
        self.commit("KVM: " + "L" * 71, self.line(40, "forty"))
        self.save()
        self.lint_of(["none of the prefixes", "full stop", "no Signed-off-by", "says nothing",
                      "line 1 has 74 columns", "trailing white space added in virt/kvm/main.c", "76 characters"])

    def test_line_numbers_out_of_date(self):
        self.three_patches()
        path = self.root / "virt/kvm/gmem.c"
        path.write_text(path.read_text().replace("one\n", "one\nmore\n"))
        self.lint_of(["kvm-grow-gmem.patch: not as 'save' would write it"])

    def test_checkpatch_and_exceptions(self):
        self.edit()
        self.commit("KVM: Checker", {"scripts/checkpatch.pl": f"# SPDX-License-Identifier: GPL-2.0\n{CHECKPATCH}"})
        self.commit("KVM: Frob", self.line(20, "frob"))
        self.save()
        slips = "kvm-frob.patch: checkpatch: BAD_WORD: do not say frob"
        self.lint_of([slips, "kvm-checker.patch: checkpatch: BAD_WORD"], True)
        put(self.lay.patches, {"checkpatch.exceptions": "# why\nkvm-frob | BAD_WORD | a reason\n* | frob | a reason\n"})
        self.lint_of([], True)
        put(self.lay.patches, {"checkpatch.exceptions": "* | BAD_WORD | reason\nkvm-frob | OTHER | reason\n"})
        self.lint_of(["checkpatch.exceptions:2: 'kvm-frob | OTHER' excuses nothing"], True)
        put(self.lay.patches, {"checkpatch.exceptions": "* | BAD_WORD\n"})
        with self.assertRaisesRegex(QueueError, "line 1 is not"):
            lint.lint(self.lay, self.steps)

    # ---- series
    def test_series(self):
        self.three_patches()
        put(self.lay.patches, {"cover.txt": "KVM: Everything\n\nThe text.\n"})
        series.series(self.lay, self.steps)
        files = sorted(p.name for p in self.lay.series_out.iterdir())
        self.assertEqual(files[0], "0000-cover-letter.patch")
        self.assertEqual(len(files), 4)
        cover = (self.lay.series_out / files[0]).read_text()
        for words in ("Subject: [DRAFT PATCH 0/3] KVM: Everything", "The text.", "base-commit: ", "tiny 1-1"):
            self.assertIn(words, cover)
        self.assertNotIn("***", cover)
        series.series(self.lay, self.steps)

    def test_series_without_a_cover(self):
        self.three_patches()
        with self.assertRaisesRegex(QueueError, "cover.txt: missing"):
            series.series(self.lay, self.steps)
        put(self.lay.patches, {"cover.txt": "Subject only\n"})
        with self.assertRaisesRegex(QueueError, "a subject line, a blank line and a text"):
            series.series(self.lay, self.steps)

    # ---- bisect
    def built(self, what="built"):
        path = self.root / "lab" / what
        names = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return names

    def test_bisect(self):
        put(self.root, {"lab/bisect-build": BUILD, "lab/key": "1"})
        (self.root / "lab/bisect-build").chmod(0o755)
        self.three_patches()
        self.assertEqual(self.text_of(bisect.bisect), (0, ""))
        everything = ["KVM: Add gmem", "KVM: Grow gmem", "KVM: x86: Add type"]
        self.assertEqual(self.built()[1:], everything)
        self.assertEqual(self.built("booted"), everything)
        self.assertEqual(self.text_of(bisect.bisect)[0], 0)
        self.assertEqual(self.built() + self.built("booted"), [])
        self.edit()
        self.commit("KVM: Noisy", {"README": "noisy\n"})
        self.commit("KVM: Broken", {"README": "broken\n"})
        self.save()
        code, text = self.text_of(bisect.bisect)
        self.assertEqual(code, 1)
        self.assertIn("kvm-noisy: virt/kvm/main.c: warning: a new one", text)
        self.assertNotIn("an old one", text)
        self.assertIn("kvm-broken: see work/build/bisect-linux/kvm-broken-", text)
        self.assertEqual(self.built(), ["KVM: Noisy", "KVM: Broken"])
        self.assertEqual(self.built("booted"), [])
        path = self.root / "lab/bisect-build"
        path.write_text(BUILD.replace("grep -q noisy", "false"))
        self.assertIn("kvm-noisy: virt/kvm/main.c: warning: a new one", self.text_of(bisect.bisect)[1])
        self.built()
        self.text_of(bisect.bisect, "kvm-broken")
        self.assertEqual(self.built(), ["KVM: Broken"])
        put(self.root, {"lab/key": "2"})
        self.text_of(bisect.bisect)
        self.assertEqual(len(self.built()), 6)
        with self.assertRaisesRegex(QueueError, "no patch 'none'"):
            bisect.bisect(self.lay, self.steps, "none")

    def test_bisect_records(self):
        put(self.root, {"lab/bisect-build": BUILD, "lab/key": "1"})
        (self.root / "lab/bisect-build").chmod(0o755)
        self.three_patches()
        self.text_of(bisect.bisect, record=True)
        self.assertEqual(len(self.built()), 4)
        lines = (self.lay.patches / "bisected").read_text().splitlines()
        self.assertEqual([line.split()[2] for line in lines[1:]], ["kvm-add-gmem", "kvm-grow-gmem", "kvm-x86-add-type"])
        shutil.rmtree(self.lay.work / "build")
        self.assertEqual(self.text_of(bisect.bisect)[0], 0)
        self.assertEqual(self.built(), [])
        self.edit()
        self.commit("KVM: One more", {"README": "more\n"})
        self.save()
        self.text_of(bisect.bisect, record=True)
        self.assertEqual(self.built()[1:], ["KVM: One more"])
        put(self.root, {"lab/key": "2"})
        self.text_of(bisect.bisect, first="kvm-one-more", record=True)
        self.assertEqual(len((self.lay.patches / "bisected").read_text().splitlines()), 2)
        with self.assertRaisesRegex(QueueError, "nothing that could be recorded"):
            bisect.bisect(self.lay, self.steps, quick=True, record=True)

    def test_bisect_boots(self):
        put(self.root, {"lab/bisect-build": BUILD, "lab/key": "1"})
        (self.root / "lab/bisect-build").chmod(0o755)
        self.edit()
        self.commit("KVM: Oops", {"README": "oops\n"})
        self.save()
        self.assertEqual(self.text_of(bisect.bisect, quick=True)[0], 0)
        self.assertEqual(self.built("booted"), [])
        code, text = self.text_of(bisect.bisect)
        self.assertEqual(code, 1)
        self.assertIn("kvm-oops: see work/build/bisect-linux/kvm-oops-", text)
        self.assertEqual(self.built("booted"), ["KVM: Oops"])
        self.text_of(bisect.bisect)
        self.assertEqual(self.built("booted"), ["KVM: Oops"])

    def test_series_ends_in_the_composed_tree(self):
        self.three_patches()
        put(self.lay.patches, {"cover.txt": "KVM: Everything\n\nThe text.\n"})
        series.series(self.lay, self.steps)
        there = Git(self.lay.work / "am-linux")
        self.assertEqual(there.tree_of("HEAD"), Git(self.lay.composed).tree_of("kvm-coco"))
