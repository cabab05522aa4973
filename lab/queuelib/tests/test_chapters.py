# SPDX-License-Identifier: GPL-2.0
"""Chapters of a series: kept by save, checked by lint, mailed one by one."""

from queuelib import chapters, lint, series
from queuelib.gitcmd import Git
from queuelib.ui import QueueError

from .common import QueueCase, put


class Chapters(QueueCase):
    def setUp(self):
        super().setUp()
        self.edit()
        for number, name in enumerate(("one", "two", "three")):
            self.commit(f"KVM: Add {name}", {f"virt/kvm/{name}.c": f"// SPDX-License-Identifier: GPL-2.0\n{number}\n"})
        self.save()
        self.write("# chapter first\nkvm-add-one\n# chapter second\nkvm-add-two\nkvm-add-three\n")
        put(self.lay.patches, {"cover-first.txt": "KVM: First\n\nText one.\n", "cover-second.txt": "KVM: Second\n\nText two.\n"})

    def write(self, text):
        put(self.lay.patches, {"series": text})

    def stored(self):
        return (self.lay.patches / "series").read_text()

    def findings(self):
        return [f"{where}: {text}" for where, text in chapters.check(self.lay)]

    def test_save_keeps_them(self):
        before = self.stored()
        self.edit(discard=True)
        self.save()
        self.assertEqual(self.stored(), before)
        self.commit("KVM: Add four", {"virt/kvm/four.c": "// SPDX-License-Identifier: GPL-2.0\n4\n"})
        self.save()
        self.assertEqual(self.stored(), before + "kvm-add-four\n")

    def test_a_patch_takes_its_chapter_along(self):
        self.assertEqual(chapters.text(["kvm-add-one", "kvm-new", "kvm-add-two"], chapters.read(self.lay)),
                         "# chapter first\nkvm-add-one\nkvm-new\n# chapter second\nkvm-add-two\n")
        # Out of its chapter: the mark is there twice, and lint says so.
        self.write(chapters.text(["kvm-add-two", "kvm-add-one", "kvm-add-three"], chapters.read(self.lay)))
        self.assertIn("chapter 'second' is there twice", "".join(self.findings()))

    def test_lint(self):
        self.assertEqual(self.findings(), [])
        self.write("kvm-add-one\n# chapter second\nkvm-add-two\n# chapter third\nkvm-add-three\n")
        text = "\n".join(self.findings())
        for words in ("patches before the first chapter", "cover-third.txt: missing", "cover-first.txt: no such chapter"):
            self.assertIn(words, text)
        self.assertEqual(lint.chapters, chapters)

    def test_a_chapter_is_mailed_on_those_before(self):
        series.series(self.lay, self.steps, "second")
        out = self.lay.series_out / "second"
        self.assertEqual(len(list(out.iterdir())), 3)
        cover = (out / "0000-cover-letter.patch").read_text()
        for words in ("[DRAFT PATCH 0/2] KVM: Second", "Text two.", "after the 1 patches"):
            self.assertIn(words, cover)
        self.assertEqual(Git(self.lay.work / "am-linux").tree_of("HEAD"), Git(self.lay.composed).tree_of("kvm-coco"))
        series.series(self.lay, self.steps, "first")
        self.assertEqual(len(list((self.lay.series_out / "first").iterdir())), 2)
        with self.assertRaisesRegex(QueueError, "no chapter 'third'; there are: first, second"):
            series.series(self.lay, self.steps, "third")

    def test_the_sender_signs(self):
        with self.assertRaisesRegex(QueueError, "no sender"):
            series.series(self.lay, self.steps, "first", "nobody")
        series.series(self.lay, self.steps, "first", "Any One <any@example.org>")
        text = next((self.lay.series_out / "first").glob("0001-*")).read_text()
        self.assertIn("\nFrom: Any One <any@example.org>\n", text)
        self.assertIn("\nSigned-off-by: Any One <any@example.org>\n", text)
        self.assertIn("Subject: [PATCH 1/1] KVM: Add one", text)
        self.assertNotIn("someone@example.org", text)
