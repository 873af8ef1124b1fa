"""`rapt compare`: every backend computes the same, and the figures agree with each other."""

import json
import unittest

from support import rapt

SHAPE = [2, 4, 2, 33, 65, 24]


class Compare(unittest.TestCase):
    def json(self, *options):
        done = rapt("compare", "--json", "--shape", ",".join(map(str, SHAPE)), *options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    def test_smoke_backends_agree_with_the_reference(self):
        for options in [[], ["--causal"]]:
            result = self.json(*options, "--threads", "1")
            self.assertEqual((result["shape"], result["threads"], result["causal"]), (SHAPE, 1, bool(options)))
            rows = {row["backend"]: row for row in result["backends"]}
            self.assertGreaterEqual(set(rows), {"rapt", "reference"})
            self.assertEqual(rows["reference"]["largest_difference"], 0)
            self.assertEqual(rows["reference"]["times_reference"], 1)
            for row in rows.values():
                if row["ran"]:
                    self.assertLess(row["largest_difference"], 1e-5)

    def test_work_is_four_times_the_visible_pairs_times_the_head_size(self):
        batch, q_heads, _, q_len, kv_len, head_dim = SHAPE
        seen = sum(min(kv_len, i + 1 + kv_len - q_len) for i in range(q_len))
        for options, pairs in [([], q_len * kv_len), (["--causal"], seen)]:
            for row in self.json(*options)["backends"]:
                if row["ran"]:
                    work = row["gflops"] * row["seconds"] * 1e9
                    self.assertAlmostEqual(work / (4 * batch * q_heads * pairs * head_dim), 1, delta=1e-6)

    def test_table_has_a_line_for_each_backend(self):
        done = rapt("compare", "--shape", "1,2,1,8,8,4", "--causal")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        names = [line.split()[0] for line in done.stdout.splitlines()]
        self.assertEqual(set(names) - {"attention:", "backend", "ran:"}, {"rapt", "reference", "onednn"})
        self.assertIn("1 KV heads", done.stdout)
