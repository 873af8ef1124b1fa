"""bench/peers/harness/rows.py: the schema, and which files may be joined."""

import json
import os
import pathlib
import tempfile
import unittest
from unittest import mock

import support  # noqa: F401
from harness import rows
from harness.errors import BadInput
from harness.turns import Times

CONTEXT = {"cpu": "A", "compiler": "GNU 1", "flags": "-O3", "commit": "abc", "date": "today", "versions": {"rapt": "1", "torch": "2"}}


def row(name, microseconds):
    return rows.make_row(name, Times(microseconds / 1e6, microseconds / 5e5, 7), "", {"GFLOP/s": 3.0})


class Rows(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = str(pathlib.Path(folder.name) / "rows.json")

    def test_a_row_has_google_benchmarks_members(self):
        made = row("s/f32/rapt/threads:1", 8)
        for key in ("name", "run_name", "run_type", "iterations", "real_time", "cpu_time", "time_unit", "repetitions", "threads"):
            self.assertIn(key, made)
        self.assertEqual((made["real_time"], made["time_unit"], made["median_s"], made["samples"]), (8.0, "us", 8 / 5e5, 7))

    def test_a_file_reads_back(self):
        rows.write(self.file, CONTEXT, [row("a", 1)])
        self.assertEqual(rows.read(self.file), {"context": CONTEXT, "benchmarks": [row("a", 1)]})

    def test_an_interrupted_write_leaves_the_file_as_it_was(self):
        rows.write(self.file, CONTEXT, [row("a", 1)])
        for name in ("dumps", "replace"):
            with mock.patch.object(json if name == "dumps" else os, name, side_effect=KeyboardInterrupt), self.assertRaises(KeyboardInterrupt):
                rows.write(self.file, CONTEXT, [row("b", 2)])
        self.assertEqual(rows.read(self.file)["benchmarks"], [row("a", 1)])
        self.assertEqual(os.listdir(os.path.dirname(self.file)), ["rows.json"])

    def test_a_device_stays_one(self):
        rows.write(os.devnull, CONTEXT, [])
        self.assertFalse(os.path.isfile(os.devnull))

    def test_joining_replaces_rows_of_the_same_name_and_adds_versions(self):
        before = {"context": CONTEXT, "benchmarks": [row("a", 1), row("b", 2)]}
        context, together = rows.join(before, {**CONTEXT, "date": "later", "versions": {"openvino": "3"}}, [row("a", 9)], "f")
        self.assertEqual([(r["name"], r["real_time"]) for r in together], [("b", 2.0), ("a", 9.0)])
        self.assertEqual(context["versions"], {"rapt": "1", "torch": "2", "openvino": "3"})
        self.assertEqual(context["date"], "today")

    def test_other_machines_compilers_commits_and_versions_are_not_joined(self):
        before = {"context": CONTEXT, "benchmarks": []}
        for key in rows.SAME_IN_A_FILE:
            with self.assertRaisesRegex(BadInput, f"with {key} "):
                rows.join(before, {**CONTEXT, key: "other"}, [], "f")
        with self.assertRaisesRegex(BadInput, "with torch 2, not 3"):
            rows.join(before, {**CONTEXT, "versions": {"torch": "3"}}, [], "f")

    def test_a_file_of_something_else_is_refused(self):
        for text in ("", "[]", "{}", json.dumps({"benchmarks": 1}), "[" * 100000):
            pathlib.Path(self.file).write_text(text)
            with self.assertRaisesRegex(BadInput, "is not a file of Google Benchmark's schema"):
                rows.read(self.file)


if __name__ == "__main__":
    unittest.main()
