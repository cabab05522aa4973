# SPDX-License-Identifier: GPL-2.0
"""Layers: the table, what may call what, and circles."""

import tempfile
import unittest
from pathlib import Path

from queuelib import layers
from queuelib.ui import QueueError

TABLE = """# a comment
top    | a/x.o        | low:kvm_arch_*
side + | a/*.o b/s.o  | low
low    | c/*.o        |
"""


class Layers(unittest.TestCase):
    def table(self, text=TABLE):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "layers"
            path.write_text(text)
            return layers.read_table(path)

    def judge(self, ours, lacks, has):
        return [text for _, text in layers.judge(self.table(), set(ours), lacks, has)]

    def test_table(self):
        table = self.table()
        self.assertEqual([(t.name, t.whole) for t in table], [("top", False), ("side", True), ("low", False)])
        self.assertEqual(layers.layer_of(table, "a/x.o").name, "top")
        self.assertEqual(layers.layer_of(table, "a/y.o").name, "side")
        self.assertIsNone(layers.layer_of(table, "a/sub/y.o"))
        for text in ("top | a.o\n", "top | a.o | nowhere\n", " | a.o |\n"):
            with self.assertRaises(QueueError):
                self.table(text)

    def test_calls(self):
        has = {"kvm_arch_f": "c/l.o", "g": "c/l.o", "h": "a/y.o"}
        self.assertEqual(self.judge(["a/x.o"], {"a/x.o": {"kvm_arch_f", "printk"}}, has), [])
        self.assertEqual(self.judge(["a/x.o"], {"a/x.o": {"g"}}, has), ["top must not call low: g of c/l.o"])
        self.assertEqual(self.judge(["a/y.o"], {"a/y.o": {"g", "kvm_arch_f"}}, has), [])
        self.assertEqual(self.judge(["c/l.o"], {"c/l.o": {"h"}}, has), ["low must not call side: h of a/y.o"])
        # What the base calls is the base's.
        self.assertEqual(self.judge([], {"c/l.o": {"h"}}, has), [])

    def test_circles(self):
        has = {"p": "a/p.o", "q": "a/q.o", "s": "b/s.o"}
        ring = {"a/p.o": {"q"}, "a/q.o": {"s"}, "b/s.o": {"p"}}
        found = self.judge(["a/p.o"], ring, has)
        self.assertEqual(len(found), 1)
        self.assertIn("a circle of 3 objects: a/p.o -> a/q.o (q)", found[0])
        self.assertEqual(self.judge([], ring, has), [])
        self.assertEqual(self.judge(["a/p.o"], {"a/p.o": {"q"}, "a/q.o": {"s"}}, has), [])

    def test_callbacks_are_no_circles(self):
        has = {"kvm_arch_f": "c/l.o", "x": "a/x.o"}
        found = self.judge(["a/x.o", "c/l.o"], {"a/x.o": {"kvm_arch_f"}, "c/l.o": {"x"}}, has)
        self.assertEqual(found, ["low must not call top: x of a/x.o"])

    def test_circles_of_base_files_count_where_the_table_says_so(self):
        has = {"l": "c/l.o", "m": "c/m.o"}
        self.assertEqual(self.judge(["c/l.o"], {"c/l.o": {"m"}, "c/m.o": {"l"}}, has), [])
        self.assertEqual(len(self.judge(["c/l.o", "c/m.o"], {"c/l.o": {"m"}, "c/m.o": {"l"}}, has)), 1)


if __name__ == "__main__":
    unittest.main()
