"""bench/peers/harness/run.py: what ends a row's process, and which files a run may add to. Nothing is measured."""

import contextlib
import io
import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

import support  # noqa: F401
from harness import machine, rows, run
from harness.errors import BadInput, Failure


class Run(unittest.TestCase):
    def test_what_ends_a_row_is_a_line_and_a_status(self):
        self.addCleanup(os.sched_setaffinity, 0, os.sched_getaffinity(0))
        for error, status, text in ((Failure("no peak"), 1, "  no peak\n"), (KeyboardInterrupt(), 130, "")):
            with mock.patch.object(sys, "argv", ["", '{"threads": 1}', "/nowhere"]), contextlib.redirect_stdout(io.StringIO()) as out:
                self.assertEqual(run.child(mock.Mock(side_effect=error)), status)
            self.assertEqual(out.getvalue(), text)

    def test_a_file_of_another_machine_is_refused_before_anything_is_measured(self):
        context = {"cpu": "A", "compiler": "GNU 1", "flags": "-O3", "commit": "abc", "versions": {}}
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(machine, "make_context", lambda *given: {**context, "cpu": "B"}):
            file = str(pathlib.Path(folder) / "rows.json")
            rows.write(file, context, [])
            with self.assertRaisesRegex(BadInput, "with cpu A, not B"):
                run.Report("program", file, True, "avx2", {})


if __name__ == "__main__":
    unittest.main()
