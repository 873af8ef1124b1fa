"""tools/bench_report_lib/data.py: which rows are read, as what, and who is compared with whom."""

import pathlib
import tempfile
import unittest

import support
from bench_report_lib import data


class Data(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name) / "rows.json"

    def read(self, *rows):
        return data.read(support.write(self.file, list(rows)))

    def test_a_row_of_the_peers(self):
        (row,) = self.read(support.row("gpt2_1024c", "torch", 250.0, threads=2, dtype="bf16")).rows
        self.assertEqual((row.shape.q_len, row.shape.causal, row.dtype, row.peer, row.threads), (1024, "bottom_right", "bf16", "torch", 2))
        self.assertAlmostEqual(row.seconds, 250e-6)
        self.assertAlmostEqual(row.median, 500e-6)
        self.assertEqual((row.gflops, row.peak_share, row.limits, row.intensity), (25.0, 25.0, {"fma": 100.0}, 10.0))

    def test_a_shape_of_its_own_brings_its_numbers(self):
        sizes = {"batch": 2.0, "q_heads": 8.0, "kv_heads": 4.0, "q_len": 1.0, "kv_len": 512.0, "head_dim": 32.0, "head_dim_v": 16.0, "causal": 1.0}
        (row,) = self.read(support.row("2,8,4,1,512,32,16/bottom_right", "rapt", 1.0, **sizes)).rows
        self.assertEqual(row.shape, ("2,8,4,1,512,32,16/bottom_right", 2, 8, 4, 1, 512, 32, 16, "bottom_right"))
        self.assertTrue(row.decoding)

    def test_a_row_of_bench_attention(self):
        made = {**support.row("x", "rapt", 3.0), "name": "h16_2048_d64/onednn/avx2/threads:1/manual_time", "time_unit": "ms"}
        (row,) = self.read(made).rows
        self.assertEqual((row.shape.name, row.dtype, row.peer, row.seconds), ("h16_2048_d64", "f32", "onednn", 3e-3))

    def test_a_row_of_bench_attention_with_numbers_a_mask_and_a_variant(self):
        for name, shape, causal in (
            ("2,8,4,3,512,32,16/rapt/avx2/threads:1", "2,8,4,3,512,32,16", "none"),
            ("gpt2_1024c/none/rapt/avx2/threads:1", "gpt2_1024c/none", "none"),
            ("1,8,4,3,512,32/top_left/softcap/rapt/avx2/threads:1", "1,8,4,3,512,32/top_left/softcap", "top_left"),
            ("h16_2048_d64c/plain/rapt/amx_bf16/threads:2", "h16_2048_d64c/plain", "bottom_right"),
        ):
            (row,) = self.read({**support.row("x", "rapt", 3.0), "name": f"{name}/manual_time"}).rows
            self.assertEqual((row.shape.name, row.shape.causal, row.peer), (shape, causal, "rapt"))
            self.assertEqual((row.dtype, "fma" in row.limits), ("f32", True))
            if shape.startswith("2,"):
                self.assertEqual(row.shape[1:8], (2, 8, 4, 3, 512, 32, 16))

    def test_variants_of_other_types_are_no_rows_of_f32(self):
        for variant, dtype in (("bf16", "bf16"), ("f16", "f16"), ("bf16_panels", "bf16"), ("int8_kv", "f32")):
            made = {**support.row("x", "rapt", 3.0), "name": f"gpt2_1024c/{variant}/rapt/amx_bf16/threads:1/manual_time"}
            del made["fma_peak_GFLOP/s"]
            (row,) = self.read(made).rows
            self.assertEqual((row.dtype, "fma" in row.limits), (dtype, dtype != "bf16"))

    def test_other_rows_are_left_out_and_failed_ones_named(self):
        failed = {"name": "clip_77/f32/zentorch/threads:1", "error_occurred": True, "error_message": "needs AVX-512"}
        machine = self.read({"name": "fma/avx2/threads:1", "GFLOP/s": 1.0, "real_time": 1.0}, support.row("clip_77", "rapt", 1.0), failed)
        self.assertEqual([row.peer for row in machine.rows], ["rapt"])
        self.assertEqual(machine.skipped, [("clip_77/f32/zentorch/threads:1", "needs AVX-512")])

    def test_comparisons_take_the_fastest_other_by_each_statistic(self):
        slow_median = {**support.row("clip_77", "openvino", 30.0), "median_s": 200e-6}
        machine = self.read(support.row("clip_77", "torch", 40.0), support.row("clip_77", "rapt", 20.0), slow_median,
                            support.row("clip_77", "torch", 1.0, threads=2), support.row("head_16", "torch", 1.0))  # fmt: skip
        (found,) = data.comparisons(machine, "f32", 1)
        self.assertEqual([row.peer for row in found.others], ["openvino", "torch"])
        self.assertAlmostEqual(found.ratio, 30 / 20)
        self.assertAlmostEqual(found.median_ratio, 80 / 40)
        self.assertEqual(data.comparisons(machine, "f32", 2), [])


    def test_rapts_own_backends_are_no_other_projects(self):
        machine = self.read(support.row("clip_77", "rapt", 20.0), support.row("clip_77", "onednn", 10.0), support.row("clip_77", "reference", 5.0),
                            support.row("clip_77", "onednn_graph", 40.0), support.row("head_16", "rapt", 1.0), support.row("head_16", "onednn", 1.0))  # fmt: skip
        (found,) = data.comparisons(machine, "f32", 1)
        self.assertEqual([row.peer for row in found.others], ["onednn_graph"])
        self.assertEqual([row.peer for row in found.own], ["reference", "onednn"])
        self.assertAlmostEqual(found.ratio, 2)
        self.assertAlmostEqual(found.median_ratio, 2)

    def test_of_repetitions_everybodys_best_counts(self):
        quick_median = {**support.row("clip_77", "rapt", 25.0), "median_s": 26e-6}
        machine = self.read(support.row("clip_77", "rapt", 30.0), support.row("clip_77", "rapt", 20.0), quick_median,
                            support.row("clip_77", "torch", 50.0), support.row("clip_77", "torch", 40.0))  # fmt: skip
        (found,) = data.comparisons(machine, "f32", 1)
        self.assertAlmostEqual(found.ratio, 40 / 20)
        self.assertAlmostEqual(found.median_ratio, 80 / 26)


class Names(unittest.TestCase):
    def test_files_of_one_name_are_told_apart(self):
        self.assertEqual(data.section_names(["a/x.json", "x-2.json", "b/x.json", "y.json"]), ["x", "x-2", "x-3", "y"])


class BadFiles(unittest.TestCase):
    def test_each_is_one_line_that_names_the_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "bad.json"
            for text, words in (("{", "is not JSON"), ("{}", 'has no list "benchmarks"'), ('{"benchmarks": []}', "has no rows of attention")):
                path.write_text(text)
                done = support.report(path)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(f"bench_report: {path} {words}", done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1)
            whole = support.row("head_16", "rapt", 1.0)
            for row in (1, {**whole, "name": 5}, {"error_occurred": True}, {key: value for key, value in whole.items() if key != "real_time"},
                        {**whole, "time_unit": "h"}, {**whole, "GFLOP/s": "much"}):  # fmt: skip
                done = support.report(support.write(path, [row]))
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(f"bench_report: {path} has a row that is not of Google Benchmark's schema: ", done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1)
            sizes = dict.fromkeys(("batch", "q_heads", "kv_heads", "q_len", "kv_len", "head_dim", "head_dim_v"), 8.0)
            for row in ({**whole, "real_time": 0}, {**whole, "real_time": -1}, {**whole, "real_time": float("nan")}, {**whole, "real_time": float("inf")},
                        {**whole, "real_time": 1e-300}, {**whole, "real_time": 10**400}, {**whole, "median_s": 0}, {**whole, "GFLOP/s": 0},
                        {**whole, "GB/s": float("nan")}, {**whole, "%peak": -1}, {**whole, "fma_peak_GFLOP/s": float("inf")},
                        {**whole, **sizes, "kv_heads": 0}, {**whole, **sizes, "kv_len": float("inf")}, {**whole, **sizes, "q_len": 1e300},
                        {**whole, **sizes, "head_dim": 0.5}, {"name": 5, "error_occurred": True, "error_message": 3}):  # fmt: skip
                with self.assertRaisesRegex(data.BadFile, f"^{path} has a row that is not of Google Benchmark's schema: ", msg=row) as caught:
                    data.read(support.write(path, [whole, row]))
                self.assertNotIn("\n", str(caught.exception))
            path.write_text('{"benchmarks":' + "[" * 100000 + "]" * 100000 + "}")
            for options in ((), ("--text",)):
                done = support.report(path, *options)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertEqual(done.stderr, f"bench_report: {path} is nested too deeply to be of Google Benchmark's schema\n")
            done = support.report(path.with_name("none.json"))
            self.assertEqual((done.returncode, done.stderr), (2, f"bench_report: {path.with_name('none.json')}: No such file or directory\n"))


if __name__ == "__main__":
    unittest.main()
