# SPDX-License-Identifier: GPL-2.0
"""lint's rules about words, ragged lines, kernel-doc and prefixes."""

import contextlib
import io
import unittest

from queuelib import lint, words
from queuelib.tests.common import QueueCase, put

SPDX = "// SPDX-License-Identifier: GPL-2.0\n"


class Tables(unittest.TestCase):

    def test_tables_can_be_read(self):
        self.assertGreater(len(words.read_words()), 20)
        for files, allowed in words._table("prefixes.txt", 2):
            self.assertTrue(files.endswith(".c") and allowed.endswith("_"), (files, allowed))

    def hits(self, kind, text):
        lines = list(enumerate(text.split("\n"), 1))
        return [(line, word) for line, word, _ in words.Text(lines).hits(words.read_words(), kind)]

    def test_across_lines(self):
        self.assertEqual(self.hits("c", "Ask user\nspace"), [(1, "user space")])
        self.assertEqual(self.hits("c", "Ask the user\n\nspace"), [])

    def test_whole_words(self):
        self.assertEqual(self.hits("c", "user spaces, a noisy log, thusly, user-space"), [])

    def test_clause_as_subject(self):
        self.assertEqual(self.hits("l", "Add it. What can't be is told.")[0], (1, "What can't"))
        self.assertEqual(self.hits("l", "Check what the guest reads."), [])

    def test_there_is_none(self):
        self.assertEqual(self.hits("c", "NULL if there is none"), [])
        self.assertEqual(self.hits("c", "a range that is none"), [(1, "is none")])

    def test_questions(self):
        self.assertEqual(self.hits("c", "Has the VMM memory there?"), [(1, "Has the VMM memory there?")])
        self.assertEqual(self.hits("c", "Returns true if it has. What then?"), [])

    def test_section_numbers(self):
        self.assertEqual(self.hits("c", "APM volume 2, section 15.36.9, table B-4"),
                         [(1, "section 15.36.9"), (1, "table B-4")])
        self.assertEqual(self.hits("c", "GHCB specification 4.1.6, ABI 1.55"), [(1, "specification 4.1.6")])
        self.assertEqual(self.hits("c", 'APM volume 2, "Page Validation"'), [])


class Ragged(unittest.TestCase):

    def lines(self, body):
        return [number for number, _ in words.ragged(body)]

    def test_mangled(self):
        self.assertEqual(self.lines("Add small guests, of which thousands can be made: eight launched\n"
                                    "pages,\nprivate memory in 4 KiB and in 2 MiB, two vCPUs."), [2])

    def test_good(self):
        self.assertEqual(self.lines("Add small guests, of which thousands can be made: eight launched\n"
                                    "pages.\n\n- one\n- two\n\n  a table\n  of text\n\nShort.\n\n"
                                    "Fixes: 123456789abc (\"KVM: A\")\nSigned-off-by: A B <a@b.c>"), [])


class Findings(QueueCase):

    def lint_of(self, *expect):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            lint.lint(self.lay, self.steps, checkpatch=False)
        found = out.getvalue().splitlines()
        self.assertEqual(len(found), len(expect), found)
        for text, line in zip(sorted(expect), sorted(found)):
            self.assertIn(text, line)

    def test_changelog(self):
        self.edit()
        self.commit("KVM: Refuse it", self.line(1, "1"),
                    body="Do not decide that in the kernel, but leave it to user\nspace.\n\nSigned-off-by: A B <a@b.c>")
        self.save()
        self.lint_of("kvm-refuse-it.patch: changelog line 1: 'user space'; say: userspace",
                     "kvm-refuse-it.patch: subject: 'Refuse'; say: reject")

    def test_comments(self):
        self.edit()
        self.commit("KVM: Add", {"virt/kvm/a.c": SPDX + 'char *a = "user space";\n\n/*\n * Take the page\n * back\n */\n'})
        self.commit("KVM: Add more", self.line(20, "int x; /* whoever */"))
        self.commit("KVM: Document", {"Documentation/a.rst": ".. SPDX-License-Identifier: GPL-2.0\n\nFor ever\n"})
        self.save()
        self.lint_of("virt/kvm/main.c: 'whoever' in a comment", "Documentation/a.rst:3: 'For ever'")

    def test_taken_back(self):
        self.edit()
        self.commit("KVM: Add", {"virt/kvm/a.c": SPDX + "/*\n * The page is taken\n * back.\n */\n"})
        self.save()
        self.lint_of("virt/kvm/a.c:3: 'taken back'; say: reclaim")

    def test_kernel_doc(self):
        doc = "/**\n * kvm_a() - do it\n */\nint kvm_a(void);\n\n/**\n * struct a - it\n */\nstruct a {\n};\n"
        self.edit()
        self.commit("KVM: Add", {"virt/kvm/a.h": SPDX + doc, "include/linux/a.h": SPDX + doc})
        self.save()
        self.lint_of("virt/kvm/a.h:2: kernel-doc")

    def test_prefix(self):
        code = "static int kvm_a(void)\n{\n}\n\nstatic bool helper(int a)\n{\n}\n\nstatic DEFINE_MUTEX(lock);\n"
        self.edit()
        self.commit("KVM: Add", {"virt/kvm/a.c": SPDX + code, "virt/kvm/a_test.c": SPDX + code, "net/a.c": SPDX + code})
        self.save()
        self.lint_of("virt/kvm/a.c:6: static function helper()")

    def test_pages(self):
        self.three_patches()
        put(self.root, {"README.md": "Like likewise\n", "docs/a.md": "Thus\n", "docs/evidence.md": "Thus\n"})
        put(self.lay.patches, {"cover.txt": "KVM: It\n\nOn account of it.\n"})
        self.lint_of("README.md:1: 'likewise'", "docs/a.md:1: 'Thus'", "patches/cover.txt:3: 'On account of'")

    def test_tour(self):
        self.three_patches()
        put(self.root, {"docs/tour.md": "| 1.1 | `virt/kvm/gmem.c` | `seven()` | x |\n| 1.2 | `virt/kvm/gmem.c` | `eleven()`, `ten()` | x |\n"
                                        "| 1.3 | `virt/kvm/none.c` | `a()` | x |\n| 1.4 | `emulator/hw/none.c` | `a()` | x |\n"})
        self.lint_of("docs/tour.md:2: virt/kvm/gmem.c has no eleven()", "docs/tour.md:3: no file virt/kvm/none.c")
