"""tools/bench_report --text: a line for each row of attention and of whole models, and with what it is compared."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import support

COLUMNS = "file job threads name fastest_s median_s x_rapt x_rapt_median note".split()


def model_row(name, microseconds, threads=1):
    return {"name": f"minilm/1x16/{name}/threads:{threads}", "real_time": microseconds, "time_unit": "us", "median_s": microseconds * 2e-6, "tokens/s": 1.0}


class Text(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name) / "rows.json"

    def lines(self, *rows, files=1):
        done = support.report("--text", *[support.write(self.file, list(rows))] * files)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        header, *lines = [line.split("\t") for line in done.stdout.splitlines()]
        self.assertEqual(header, COLUMNS)
        return [dict(zip(COLUMNS, line, strict=True)) for line in lines]

    def test_attention(self):
        slow_median = {**support.row("clip_77", "torch", 30.0), "median_s": 90e-6}
        ours, torch, alone = self.lines(support.row("clip_77", "rapt", 20.0), slow_median, support.row("clip_77", "torch", 10.0, threads=2))
        self.assertEqual([ours[key] for key in COLUMNS], ["rows", "clip_77/f32", "1", "rapt", "2e-05", "4e-05", "1", "1", ""])
        self.assertEqual((torch["x_rapt"], torch["x_rapt_median"]), ("1.5", "2.25"))
        self.assertEqual((alone["threads"], alone["fastest_s"], alone["x_rapt"]), ("2", "1e-05", ""))

    def test_bench_attention(self):
        made = {**support.row("x", "rapt", 3.0), "time_unit": "ms"}
        rows = [{**made, "name": f"gpt2_1024c/{name}/avx2/threads:1/manual_time"} for name in ("rapt", "onednn")]
        self.assertEqual([(line["job"], line["name"], line["x_rapt"]) for line in self.lines(*rows)],
                         [("gpt2_1024c/avx2", "rapt", "1"), ("gpt2_1024c/avx2", "onednn", "1")])  # fmt: skip

    def test_models_are_compared_in_the_same_arithmetic(self):
        rows = [model_row("rapt", 20.0), model_row("rapt-bf16", 10.0), model_row("openvino", 30.0), model_row("openvino-bf16", 15.0)]
        self.assertEqual([line["x_rapt"] for line in self.lines(*rows)], ["1", "1", "1.5", "1.5"])
        self.assertEqual([line["x_rapt"] for line in self.lines(rows[0], rows[3])], ["1", "0.75"])

    def test_a_row_that_failed_says_why_on_its_line(self):
        failed = {"name": "minilm/1x16/openvino/threads:1", "error_occurred": True, "error_message": "no\tmemory\nat all"}
        line = self.lines(model_row("rapt", 20.0), failed)[1]
        self.assertEqual((line["fastest_s"], line["x_rapt"], line["note"]), ("", "", "no memory at all"))

    def test_several_files_are_told_apart_and_not_compared(self):
        self.assertEqual([line["file"] for line in self.lines(model_row("rapt", 20.0), files=2)], ["rows", "rows-2"])

    def test_what_is_wrong_is_one_line(self):
        for arguments, words in ((("--text", support.write(self.file, [{"name": "x"}])), "has no rows that name a job"),
                                 (("--text", support.write(self.file.with_name("bad.json"), [1])), "has a row that is not of Google Benchmark's schema"),
                                 (("--text", "--plot=x", "--svg=y", self.file), "--text and --plot exclude each other")):  # fmt: skip
            done = support.report(*arguments)
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1))
            self.assertIn(words, done.stderr)

    def test_rows_that_parse_but_are_odd(self):
        ours = model_row("rapt", 20.0)
        for row in ({**ours, "real_time": 0}, {**ours, "real_time": float("nan")}, {**ours, "median_s": float("inf")},
                    {"name": 5, "error_occurred": True, "error_message": 3}):  # fmt: skip
            done = support.report("--text", support.write(self.file, [ours, row]))
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), row)
            self.assertIn(f"{self.file} has a row that is not of Google Benchmark's schema: ", done.stderr)
        self.assertEqual(self.lines(ours, {"name": "j/\ud800/threads:1", "error_occurred": True, "error_message": 3})[1]["note"], "3")

    def test_an_output_that_nobody_reads_or_that_is_full(self):
        command = [sys.executable, "-B", str(support.REPOSITORY / "tools/bench_report"), "--text", support.write(self.file, [model_row("rapt", 20.0)])]
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
        os.close(writing)
        self.assertEqual((done.returncode, done.stderr), (1, "bench_report: cannot write to the standard output: Broken pipe\n"))
        with open("/dev/full", "w") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "bench_report: cannot write to the standard output: No space left on device\n"))


if __name__ == "__main__":
    unittest.main()
